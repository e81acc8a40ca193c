//! Where archives live, stored by their content: SHA-256 in, bytes out.
//!
//! Equal archives of different organizations share their bytes; who may read them is decided
//! before anybody comes here with a digest.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

/// SHA-256 of an archive.
pub type Digest = [u8; 32];

/// A folder of archives. Files appear whole, by renaming, and never change.
#[derive(Clone, Debug)]
pub struct Storage {
    folder: PathBuf,
    unfinished: PathBuf,
}

impl Storage {
    /// Opens the storage below `data_dir`, creating its folders and sweeping what a crash left.
    ///
    /// # Errors
    /// If the folders cannot be made or read.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        let storage = Self { folder: data_dir.join("dists"), unfinished: data_dir.join("unfinished") };
        fs::create_dir_all(&storage.folder)?;
        fs::create_dir_all(&storage.unfinished)?;
        for entry in fs::read_dir(&storage.unfinished)? {
            let path = entry?.path();
            if path.is_file() {
                fs::remove_file(path)?;
            }
        }
        Ok(storage)
    }

    /// A place for a new archive, on the same file system; removed unless it is stored.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub fn begin(&self) -> io::Result<TempPath> {
        Ok(tempfile::Builder::new().prefix("dist-").suffix(".zip").tempfile_in(&self.unfinished)?.into_temp_path())
    }

    /// Stores a finished archive under its digest, durably.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn store(&self, archive: TempPath, digest: &Digest) -> io::Result<()> {
        let path = self.path(digest);
        let folder = path.parent().expect("a digest's path has a folder").to_owned();
        fs::create_dir_all(&folder)?;
        File::open(&archive)?.sync_all()?;
        archive.persist(&path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    }

    /// Where the archive with this digest is, if it is stored.
    pub fn find(&self, digest: &Digest) -> Option<PathBuf> {
        let path = self.path(digest);
        path.is_file().then_some(path)
    }

    /// Removes an archive; one that is not there is no error.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn remove(&self, digest: &Digest) -> io::Result<()> {
        match fs::remove_file(self.path(digest)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(&name[..2]).join(format!("{name}.zip"))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::Storage;

    #[test]
    fn stores_finds_and_removes() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).unwrap();
        let archive = storage.begin().unwrap();
        std::fs::write(&archive, b"zip").unwrap();
        assert!(storage.find(&[7; 32]).is_none());
        storage.store(archive, &[7; 32]).unwrap();
        assert_eq!(std::fs::read(storage.find(&[7; 32]).unwrap()).unwrap(), b"zip");
        storage.remove(&[7; 32]).unwrap();
        storage.remove(&[7; 32]).unwrap();
        assert!(storage.find(&[7; 32]).is_none());
    }

    #[test]
    fn what_a_crash_left_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).unwrap();
        let left = storage.begin().unwrap().keep().unwrap();
        drop(storage);
        Storage::open(folder.path()).unwrap();
        assert!(!left.exists());
    }
}
