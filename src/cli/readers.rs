//! The readers of this room that meet bytes of other processes, for the tests that feed them anything (`tests/fuzz`). Nothing
//! else uses this.

use super::managed::Request;
use super::output::Event;

/// What the server makes of the line that a client sent to the control socket: the request written again, and whether it is a
/// command.
#[must_use]
pub fn control_request(line: &[u8]) -> Option<(Vec<u8>, bool)> {
    let request = Request::from_line(line)?;
    let is_command = request.parse().is_ok();
    serde_json::to_vec(&request).ok().map(|text| (text, is_command))
}

/// What a client makes of a line of the server's answer, written again.
#[must_use]
pub fn control_event(line: &str) -> Option<String> {
    let event: Event = serde_json::from_str(line).ok()?;
    serde_json::to_string(&event).ok()
}
