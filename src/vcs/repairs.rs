//! How often a mirror was fetched anew in vain: a source may be as damaged as its mirror, and a hostile one could have itself
//! fetched for ever.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::error::VcsError;

/// The file that remembers it, in the mirror's directory.
const REPAIRS: &str = "repairs";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The vain repairs of one mirror.
pub(super) struct Repairs(PathBuf);

impl Repairs {
    /// Those of the mirror in this directory.
    pub(super) fn of(mirror: &Path) -> Self {
        Self(mirror.join(REPAIRS))
    }

    /// Whether there were less than `most` within a day.
    pub(super) fn are_fewer_than(&self, most: usize) -> bool {
        self.recent().len() < most
    }

    /// Remembers that it was fetched anew in vain.
    pub(super) fn count(&self) -> Result<(), VcsError> {
        let repairs: String = self.recent().into_iter().chain([now()]).map(|time| format!("{time}\n")).collect();
        fs::write(&self.0, repairs).map_err(|error| VcsError::io("Repairing the mirror", &error))
    }

    /// The times of today's, in seconds since 1970.
    fn recent(&self) -> Vec<u64> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        let now = now();
        let recent = |time: &u64| *time <= now && now - *time < DAY.as_secs();
        text.lines().take(1000).filter_map(|line| line.parse().ok()).filter(recent).collect()
    }
}

/// Seconds since 1970. The worker has no other clock than the system's.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
