//! What a worker that was killed leaves behind: half a pack, or half an archive, of gigabytes.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::request::Operation;

/// Unfinished files of one operation.
pub(super) struct Leftovers {
    directories: Vec<PathBuf>,
    prefix: String,
}

impl Leftovers {
    /// Those of an operation; only one at a time works on a mirror, or on an archive.
    pub(super) fn of(operation: &Operation) -> Option<Self> {
        match operation {
            Operation::Update(update) => {
                // gix's names for packs that are being received, and ours for what programs are told and what is remembered.
                let directories = vec![update.mirror.join("objects/pack"), update.mirror.clone()];
                Some(Self { directories, prefix: ".tmp".to_owned() })
            }
            Operation::Archive(archive) => Some(Self {
                directories: vec![archive.out.parent()?.to_owned()],
                prefix: unfinished_prefix(&archive.out).into_string().ok()?,
            }),
            Operation::DropKept { .. }
            | Operation::Probe { .. }
            | Operation::Knock { .. }
            | Operation::ScanHostKeys { .. }
            | Operation::InspectKey(_) => None,
        }
    }

    /// Removes them, off the async threads. What cannot be removed is swept later.
    pub(super) async fn remove(self) {
        let removed = tokio::task::spawn_blocking(move || {
            for entry in self.directories.iter().filter_map(|path| fs::read_dir(path).ok()).flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with(&self.prefix) {
                    let path = entry.path();
                    let _ = if path.is_dir() && !path.is_symlink() {
                        fs::remove_dir_all(path)
                    } else {
                        fs::remove_file(path)
                    };
                }
            }
        });
        let _ = removed.await;
    }
}

/// What the name of an unfinished archive begins with.
pub(super) fn unfinished_prefix(out: &Path) -> OsString {
    let mut prefix = OsString::from(".tmp-");
    prefix.push(out.file_name().unwrap_or_default());
    prefix.push("-");
    prefix
}
