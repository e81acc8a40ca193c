//! Where the database was opened, and whether it is still there.
//!
//! SQLite goes on writing to a file that was moved away or deleted: what would be promised then might be found by nobody, and
//! work on it would make a second data directory where the first one was.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A path, and the file that it led to.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    file: (u64, u64),
}

impl Place {
    /// The place of a file that is there.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: file_at(path)? })
    }

    /// Asks whether the file is still at its place; if not, what to do.
    pub(super) fn check(&self) -> Result<(), String> {
        let path = self.path.display();
        match file_at(&self.path) {
            Ok(file) if file == self.file => Ok(()),
            Ok(_) => Err(format!(
                "another file is at {path} than the one that is in use: put that one back, or start the server again to use \
                 this one"
            )),
            Err(error) => Err(format!("{path} is not at its place any more: bring it back ({error})")),
        }
    }
}

/// Which file it is, by device and number.
fn file_at(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|found| (found.dev(), found.ino()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use std::fs;

    use super::Place;

    #[test]
    fn a_file_is_missed_and_not_mistaken() {
        let folder = tempfile::tempdir().unwrap();
        let [path, other] = ["database", "other"].map(|name| folder.path().join(name));
        fs::write(&path, "1").unwrap();
        let place = Place::of(&path).unwrap();
        place.check().unwrap();
        fs::rename(&path, &other).unwrap();
        assert!(place.check().unwrap_err().contains("is not at its place any more"));
        fs::write(&path, "1").unwrap();
        assert!(place.check().unwrap_err().starts_with("another file is at "));
        fs::rename(&other, &path).unwrap();
        place.check().unwrap();
    }
}
