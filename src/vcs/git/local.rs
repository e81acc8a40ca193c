//! What a repository of this machine is made of. Git follows links, `commondir` and `alternates` wherever they lead, so
//! all of these must lie below the file roots, not only the directory that was named.

use std::fs;
use std::path::{Path, PathBuf};

use crate::vcs::error::VcsError;
use crate::vcs::url::UrlPolicy;

/// How many object stores may borrow from each other.
const STORES: usize = 16;
/// Largest `commondir` or `alternates` file that is read, in bytes.
const LARGEST: u64 = 64 << 10;

/// Refuses a repository of which a part lies outside the file roots, or in the data directory.
pub(super) fn check(git_directory: &Path, policy: &UrlPolicy) -> Result<(), VcsError> {
    let common = match small_file(&git_directory.join("commondir"))? {
        Some(text) => git_directory.join(text.trim_end()),
        None => git_directory.to_owned(),
    };
    for directory in [git_directory, &common] {
        inside(directory, policy)?;
        for name in ["HEAD", "packed-refs", "refs", "config", "shallow"] {
            inside(&directory.join(name), policy)?;
        }
    }
    let mut stores = vec![common.join("objects")];
    let mut at = 0;
    while let Some(store) = stores.get(at) {
        if at == STORES {
            return Err(refused(store, "it borrows objects from too many others"));
        }
        let borrowed = check_store(store, policy)?;
        stores.extend(borrowed);
        at += 1;
    }
    Ok(())
}

/// Checks one directory of objects; those that it borrows from.
fn check_store(store: &Path, policy: &UrlPolicy) -> Result<Vec<PathBuf>, VcsError> {
    inside(store, policy)?;
    for directory in [store.to_owned(), store.join("pack"), store.join("info")] {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
                inside(&entry.path(), policy)?;
            }
        }
    }
    let alternates = small_file(&store.join("info/alternates"))?.unwrap_or_default();
    let lines = alternates.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(|line| store.join(line)).collect())
}

/// What is not there leads nowhere.
fn inside(path: &Path, policy: &UrlPolicy) -> Result<(), VcsError> {
    let Ok(resolved) = path.canonicalize() else { return Ok(()) };
    if policy.reaches(&resolved) {
        return Ok(());
    }
    Err(refused(path, "it leads out of the directories that `file_roots` under [vcs] in config.toml lists"))
}

fn small_file(path: &Path) -> Result<Option<String>, VcsError> {
    match fs::metadata(path) {
        Ok(known) if known.len() <= LARGEST => {
            fs::read_to_string(path).map(Some).map_err(|_| refused(path, "it cannot be read"))
        }
        Ok(_) => Err(refused(path, "it is too large")),
        Err(_) => Ok(None),
    }
}

fn refused(path: &Path, why: &str) -> VcsError {
    VcsError::Policy { reason: format!("The repository's {} is refused: {why}.", path.display()) }
}
