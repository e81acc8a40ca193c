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
///
/// Whoever records or removes archives does so inside a write transaction of the database, of which there is one at a
/// time: so nobody removes an archive that somebody else is recording.
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

    /// Makes a written archive durable and ready for its place. Slow: it waits for the disk.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn finish(&self, archive: TempPath, digest: &Digest) -> io::Result<Finished> {
        let path = self.path(digest);
        fs::create_dir_all(folder_of(&path))?;
        File::open(&archive)?.sync_all()?;
        Ok(Finished { archive, path })
    }

    /// Makes durable that the archive with this digest is in its place. Slow: it waits for the disk.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn settle(&self, digest: &Digest) -> io::Result<()> {
        File::open(folder_of(&self.path(digest)))?.sync_all()
    }

    /// Where the archive with this digest and size is, if it is stored. One of another size was cut off, by a power cut or a
    /// careless copy: it counts as missing, so that it is built again and takes the place of the rest.
    pub fn find(&self, digest: &Digest, size: u64) -> Option<PathBuf> {
        let path = self.path(digest);
        let is_whole = fs::metadata(&path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == size);
        is_whole.then_some(path)
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

    /// The digests of all stored archives that begin with this byte. Files with other names are not ours.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn list(&self, first: u8) -> io::Result<Vec<Digest>> {
        let entries = match fs::read_dir(self.folder.join(format!("{first:02x}"))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut digests = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let digest = name.to_str().and_then(|name| name.strip_suffix(".zip")).and_then(digest_of);
            digests.extend(digest.filter(|digest| digest[0] == first));
        }
        Ok(digests)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(&name[..2]).join(format!("{name}.zip"))
    }
}

/// An archive that only has to be put in its place; removed if it is not.
#[derive(Debug)]
pub struct Finished {
    archive: TempPath,
    path: PathBuf,
}

impl Finished {
    /// Puts the archive in its place, over the same bytes if they are there; where that is. Quick enough for a transaction.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn place(self) -> io::Result<PathBuf> {
        self.archive.persist(&self.path).map_err(|error| error.error)?;
        Ok(self.path)
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().expect("an archive's path has a folder")
}

/// The digest that a file's name stands for, written as [`Storage`] writes it.
fn digest_of(name: &str) -> Option<Digest> {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if name.len() != 64 || !name.bytes().all(is_hex) {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(name.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
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
        assert!(storage.find(&[7; 32], 3).is_none());
        let finished = storage.finish(archive, &[7; 32]).unwrap();
        assert!(storage.find(&[7; 32], 3).is_none(), "it is not in its place yet");
        let path = finished.place().unwrap();
        storage.settle(&[7; 32]).unwrap();
        assert_eq!(storage.find(&[7; 32], 3), Some(path.clone()));
        assert!(storage.find(&[7; 32], 4).is_none(), "it was cut off");
        assert_eq!(std::fs::read(path).unwrap(), b"zip");
        storage.remove(&[7; 32]).unwrap();
        storage.remove(&[7; 32]).unwrap();
        assert!(storage.find(&[7; 32], 3).is_none());
    }

    #[test]
    fn archives_that_are_not_placed_vanish() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).unwrap();
        let archive = storage.begin().unwrap();
        let path = archive.to_path_buf();
        drop(storage.finish(archive, &[7; 32]).unwrap());
        assert!(!path.exists());
        assert!(storage.find(&[7; 32], 3).is_none());
    }

    #[test]
    fn lists_what_is_stored_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).unwrap();
        let digests = [[7; 32], [8; 32], std::array::from_fn(|at| if at == 31 { 0xfe } else { 7 })];
        for digest in &digests {
            storage.finish(storage.begin().unwrap(), digest).unwrap().place().unwrap();
        }
        let mine = folder.path().join("dists/07");
        for name in ["README".to_owned(), format!("{}.zip", "8".repeat(64)), format!("{}.ZIP", "07".repeat(32))] {
            std::fs::write(mine.join(name), b"").unwrap();
        }
        let mut listed = storage.list(7).unwrap();
        listed.sort_unstable();
        assert_eq!(listed, [digests[0], digests[2]]);
        assert_eq!(storage.list(9).unwrap(), Vec::<[u8; 32]>::new());
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
