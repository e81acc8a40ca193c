//! Where the database was opened, and whether it is still there.
//!
//! SQLite goes on writing to a file that was moved away or deleted: what would be promised then might be found by nobody, and
//! work on it would make a second data directory where the first one was.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The database and its write-ahead log: their paths, and the files that these led to.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    database: (u64, u64),
    log: (u64, u64),
}

impl Place {
    /// The place of an open database; its log is there as long as it is open.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), database: file_at(path)?, log: file_at(&log_of(path))? })
    }

    /// Asks whether both files are still at their place; if not, what to do.
    pub(super) fn check(&self) -> Result<(), String> {
        let path = self.path.display();
        match file_at(&self.path) {
            Ok(file) if file == self.database => {}
            Ok(_) => {
                return Err(format!(
                    "another file is at {path} than the one that is in use: put that one back, or start the server again \
                     to use this one"
                ));
            }
            Err(error) => return Err(format!("{path} is not at its place any more: bring it back ({error})")),
        }
        match file_at(&log_of(&self.path)) {
            Ok(file) if file == self.log => Ok(()),
            _ => Err(format!(
                "{path}-wal, which belongs to the database, was removed or replaced while it was in use: start the server \
                 again. Nothing is lost, if it is stopped and not killed"
            )),
        }
    }
}

fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
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
    fn files_are_missed_and_not_mistaken() {
        let folder = tempfile::tempdir().unwrap();
        let [path, log, other] = ["database", "database-wal", "other"].map(|name| folder.path().join(name));
        fs::write(&path, "1").unwrap();
        fs::write(&log, "2").unwrap();
        let place = Place::of(&path).unwrap();
        for (file, missed, mistaken) in [
            (&path, "is not at its place any more", "another file is at "),
            (&log, "-wal, which belongs", "-wal, which belongs"),
        ] {
            place.check().unwrap();
            fs::rename(file, &other).unwrap();
            assert!(place.check().unwrap_err().contains(missed));
            fs::write(file, "1").unwrap();
            assert!(place.check().unwrap_err().contains(mistaken));
            fs::rename(&other, file).unwrap();
        }
        place.check().unwrap();
    }
}
