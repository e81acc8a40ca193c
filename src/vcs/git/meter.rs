//! How fast an answer comes, whatever brings it.

use std::time::Instant;

use crate::vcs::error::VcsError;
use crate::vcs::request::Pace;

/// Counts what comes of an answer.
pub(super) struct Meter {
    pace: Pace,
    /// When the current span began, and what came since.
    since: Instant,
    came: u64,
}

impl Meter {
    /// Begins now.
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, since: Instant::now(), came: 0 }
    }

    /// Whether enough comes; asked whenever anything does. That nothing does is for the idle limit to see.
    pub(super) fn count(&mut self, bytes: usize, host: &str) -> Result<(), VcsError> {
        self.came += bytes as u64;
        let passed = self.since.elapsed();
        if bytes == 0 || passed < self.pace.span {
            return Ok(());
        }
        if self.came < self.pace.bytes {
            let what = format!("Receiving {} bytes from {host}", self.pace.bytes);
            return Err(VcsError::Timeout { what, seconds: passed.as_secs() });
        }
        *self = Self::new(self.pace);
        Ok(())
    }
}
