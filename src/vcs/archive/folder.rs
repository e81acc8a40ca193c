//! A folder of this machine as an archive's contents: what `hg archive` or `svn export` has written.
//!
//! Whoever made the repository chose its names and links. Links are read and never followed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use gix::bstr::{BStr, BString};
use rustix::fs::OFlags;

use super::{Contents, Entry, FileKind, Files, MAX_DEPTH, check, hostile, join};
use crate::vcs::error::VcsError;
use crate::vcs::request::Limits;

/// What version control systems keep beside the files; Composer's archiver leaves it out wherever it is.
const CONTROL: [&[u8]; 3] = [b".git", b".hg", b".svn"];

/// The files of a folder.
pub(in crate::vcs) struct Folder {
    files: Files<usize>,
    /// Where each is, and how large.
    places: Vec<(PathBuf, u64)>,
}

impl Folder {
    /// Walks through the whole folder.
    pub(in crate::vcs) fn read(root: &Path, limits: &Limits) -> Result<Self, VcsError> {
        let mut folder = Self { files: Files::default(), places: Vec::new() };
        let mut open = vec![(BString::default(), root.to_owned(), 0)];
        while let Some((prefix, directory, depth)) = open.pop() {
            for entry in fs::read_dir(&directory).map_err(reading)? {
                let entry = entry.map_err(reading)?;
                let name = entry.file_name();
                if CONTROL.contains(&name.as_bytes()) {
                    continue;
                }
                let path = join(&prefix, BStr::new(name.as_bytes()));
                let known = entry.metadata().map_err(reading)?;
                let kind = known.file_type();
                check(BStr::new(name.as_bytes()), &path, kind.is_symlink())?;
                if folder.files.count() >= limits.archive_entries {
                    let limit = limits.archive_entries.to_string();
                    return Err(VcsError::TooLarge { what: "The number of files".to_owned(), limit });
                }
                if kind.is_dir() {
                    if depth >= MAX_DEPTH {
                        return Err(hostile(&path, "is nested too deeply"));
                    }
                    folder.files.directories.insert(path.clone());
                    open.push((path, entry.path(), depth + 1));
                    continue;
                }
                let kind = match (kind.is_symlink(), kind.is_file(), known.permissions().mode() & 0o100 != 0) {
                    (true, _, _) => FileKind::Link,
                    (_, true, true) => FileKind::Executable,
                    (_, true, false) => FileKind::Plain,
                    _ => return Err(hostile(&path, "is neither a file nor a directory nor a link")),
                };
                folder.files.entries.insert(path, Entry { id: folder.places.len(), kind });
                folder.places.push((entry.path(), known.len()));
            }
        }
        Ok(folder)
    }

    fn place(&self, id: usize) -> Result<&(PathBuf, u64), VcsError> {
        // Ids are indices that we gave.
        self.places.get(id).ok_or_else(VcsError::mixed_up)
    }
}

impl Contents for Folder {
    type Id = usize;

    fn files(&self) -> &Files<usize> {
        &self.files
    }

    fn size(&self, id: usize) -> Result<u64, VcsError> {
        Ok(self.place(id)?.1)
    }

    fn read(&self, id: usize) -> Result<Vec<u8>, VcsError> {
        let (path, size) = self.place(id)?;
        if fs::symlink_metadata(path).map_err(reading)?.is_symlink() {
            return Ok(fs::read_link(path).map_err(reading)?.into_os_string().into_vec());
        }
        let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let file: File = OpenOptions::new().read(true).custom_flags(no_link).open(path).map_err(reading)?;
        let mut bytes = Vec::with_capacity(usize::try_from(*size).unwrap_or_default());
        file.take(*size).read_to_end(&mut bytes).map_err(reading)?;
        Ok(bytes)
    }
}

fn reading(error: io::Error) -> VcsError {
    VcsError::io("Reading the exported files", &error)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::super::write;
    use super::Folder;
    use crate::vcs::error::VcsError;
    use crate::vcs::request::Limits;

    #[test]
    fn links_are_followed_in_the_list_and_nowhere_else() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("tree");
        fs::create_dir_all(root.join("src/.hg")).unwrap();
        fs::write(root.join("src/a.php"), "<?php").unwrap();
        fs::write(root.join("src/.hg/secret"), "x").unwrap();
        symlink("src/a.php", root.join("inside")).unwrap();
        symlink("/etc/passwd", root.join("outside")).unwrap();
        symlink("../../etc", root.join("up")).unwrap();
        let limits = Limits::default();
        let out = place.path().join("out.zip");
        let stats = write(&Folder::read(&root, &limits).unwrap(), 1_600_000_000, &out, &limits).unwrap();
        assert_eq!(stats.entries, 2);
        let mut zip = zip::ZipArchive::new(fs::File::open(out).unwrap()).unwrap();
        let names: Vec<String> =
            (0..zip.len()).map(|at| zip.by_index(at).unwrap().name().unwrap().into_owned()).collect();
        assert_eq!(names, ["inside", "src/a.php"]);
    }

    #[test]
    fn names_that_could_harm_are_refused() {
        let place = tempfile::tempdir().unwrap();
        // What a file system of Windows takes for `.git`.
        fs::write(place.path().join("git~1"), "x").unwrap();
        let refused = Folder::read(place.path(), &Limits::default());
        assert!(matches!(refused, Err(VcsError::HostileTree { .. })));
    }
}
