//! How much of a disk is left free: repositories must not take the last of it, which the database needs to keep its word.

use std::fmt;
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;
use serde::{Deserialize, Serialize};

/// What is left free on the file system of mirrors and archives.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Headroom {
    /// At least this many bytes.
    pub least: u64,
    /// This share of the file system, if that is more.
    pub percent: u64,
    /// But not more than this many bytes: a twentieth of a large disk is a great deal.
    pub most: u64,
}

impl Default for Headroom {
    fn default() -> Self {
        Self { least: 512 << 20, percent: 5, most: 8 << 30 }
    }
}

/// A file system has too little room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// A directory on it.
    pub directory: PathBuf,
    /// Bytes that are free.
    pub free: u64,
    /// Bytes that are kept free.
    pub kept: u64,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { directory, free, kept } = self;
        let (free, kept) = (free >> 20, kept >> 20);
        write!(f, "only {free} MiB are free at {}, and {kept} MiB are kept free there", directory.display())
    }
}

/// A number of bytes for people: in the largest unit that divides it.
pub(super) fn bytes(count: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| count >= *unit && count.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", count / unit),
        None => format!("{count} bytes"),
    }
}

impl Headroom {
    /// Whether `wanted` more bytes leave enough free where `directory` is. A file system that does not tell has room.
    ///
    /// # Errors
    /// [`Shortage`] if not.
    pub fn check(&self, directory: &Path, wanted: u64) -> Result<(), Shortage> {
        let Ok(system) = statvfs(directory) else { return Ok(()) };
        let free = system.f_bavail.saturating_mul(system.f_frsize);
        let kept = self.of(system.f_blocks.saturating_mul(system.f_frsize));
        if free >= kept.saturating_add(wanted) {
            return Ok(());
        }
        Err(Shortage { directory: directory.to_owned(), free, kept })
    }

    /// What is kept free of a file system of `size` bytes.
    pub(super) fn of(&self, size: u64) -> u64 {
        (size / 100).saturating_mul(self.percent).min(self.most).max(self.least)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Headroom, bytes};

    #[test]
    fn a_share_is_kept_within_bounds() {
        let headroom = Headroom::default();
        assert_eq!(headroom.of(1 << 30), 512 << 20);
        assert_eq!(headroom.of(100_000_000_000), 5_000_000_000);
        assert_eq!(headroom.of(100 << 40), 8 << 30);
    }

    #[test]
    fn sizes_have_the_largest_unit_that_fits() {
        assert_eq!([4 << 30, 3 << 19, 1000].map(bytes), ["4 GiB", "1536 KiB", "1000 bytes"]);
    }

    #[test]
    fn a_disk_that_is_too_full_is_told_in_mebibytes() {
        let none = Headroom { least: 0, percent: 0, most: 0 };
        assert_eq!(none.check(Path::new("/"), 0), Ok(()));
        assert_eq!(none.check(Path::new("/nonexistent"), u64::MAX), Ok(()), "nothing is known of it");
        let shortage = none.check(Path::new("/"), 1 << 60).map_err(|shortage| shortage.to_string());
        assert!(shortage.as_ref().is_err_and(|text| text.starts_with("only ") && text.contains(" MiB are free at /,")));
    }
}
