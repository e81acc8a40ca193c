//! A commit's tree as a flat, checked list of files.
//!
//! Trees are made by whoever can push. What could harm a machine on which an archive is unpacked (`..`, `.git`, names
//! with separators, a file and a directory of one name) is refused here, before a byte is written.

use std::collections::HashSet;

use gix::ObjectId;
use gix::bstr::BString;
use gix::objs::tree::EntryKind;

use super::read::damaged;
use crate::vcs::archive::{Entry, FileKind, Files, MAX_DEPTH, check, hostile, join};
use crate::vcs::error::VcsError;
use crate::vcs::request::Limits;

/// Reads a whole tree.
pub(super) fn read(repository: &gix::Repository, tree: ObjectId, limits: &Limits) -> Result<Files<ObjectId>, VcsError> {
    let mut files = Files::default();
    let mut open = vec![(BString::default(), tree, 0)];
    while let Some((prefix, id, depth)) = open.pop() {
        let tree = repository.find_tree(id).map_err(damaged)?;
        let mut names = HashSet::new();
        for entry in tree.iter() {
            let entry = entry.map_err(|_| hostile(&prefix, "is a malformed directory"))?;
            let path = join(&prefix, entry.filename());
            check(entry.filename(), &path, entry.mode().kind() == EntryKind::Link)?;
            if !names.insert(entry.filename().to_owned()) {
                return Err(hostile(&path, "is there twice"));
            }
            if files.count() >= limits.archive_entries {
                return Err(VcsError::TooLarge {
                    what: "The number of files".to_owned(),
                    limit: limits.archive_entries.to_string(),
                });
            }
            let kind = match entry.mode().kind() {
                EntryKind::Tree if depth >= MAX_DEPTH => return Err(hostile(&path, "is nested too deeply")),
                EntryKind::Tree => {
                    files.directories.insert(path.clone());
                    open.push((path, entry.object_id(), depth + 1));
                    continue;
                }
                EntryKind::Blob => FileKind::Plain,
                EntryKind::BlobExecutable => FileKind::Executable,
                EntryKind::Link => FileKind::Link,
                EntryKind::Commit => FileKind::Submodule,
            };
            files.entries.insert(path, Entry { id: entry.object_id(), kind });
        }
    }
    Ok(files)
}
