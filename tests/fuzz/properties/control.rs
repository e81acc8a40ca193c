//! The control socket: no line from either side stops the other.

use packagist_selfhosted::cli::readers::{control_event, control_request};

pub fn check(data: &[u8]) {
    if let Some((written, is_command)) = control_request(data) {
        assert_eq!(control_request(&written), Some((written.clone(), is_command)));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    for line in text.lines() {
        if let Some(written) = control_event(line) {
            assert_eq!(control_event(&written).as_ref(), Some(&written));
        }
    }
}
