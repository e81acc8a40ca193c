//! The worker's pipes: frames are whole or not there, and what a message means survives being written.

use packagist_selfhosted::vcs::readers::{frames, worker_request, worker_response};

pub fn check(data: &[u8]) {
    for limit in [16, u32::MAX] {
        let found = frames(data, limit);
        let total: usize = found.iter().map(|frame| frame.len() + 4).sum();
        assert!(total <= data.len() && found.iter().all(|frame| frame.len() <= limit as usize));
        let mut rest = data;
        for frame in &found {
            assert_eq!(&rest[4..4 + frame.len()], frame, "frames come in order");
            rest = &rest[4 + frame.len()..];
        }
    }
    for message in frames(data, u32::MAX).iter().map(Vec::as_slice).chain([data]) {
        for read in [worker_request, worker_response] {
            if let Some(written) = read(message) {
                assert_eq!(read(&written).as_deref(), Some(written.as_slice()));
            }
        }
    }
}
