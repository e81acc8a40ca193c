//! What a repository of this machine is made of. Git follows links, `commondir` and `alternates` wherever they lead, so
//! all of these must lie below the file roots, not only the directory that was named.

use std::fs;
use std::path::{Path, PathBuf};

use crate::vcs::error::VcsError;
use crate::vcs::url::UrlPolicy;

/// How many object stores may borrow from each other.
const STORES: usize = 16;
/// How many entries of directories are looked at: more than a repository has that was packed once in a while.
const ENTRIES: usize = 1_000_000;
/// Largest `commondir` or `alternates` file that is read, in bytes.
const LARGEST: u64 = 64 << 10;

/// Refuses a repository of which a part lies outside the file roots, or in the data directory.
pub(super) fn check(git_directory: &Path, policy: &UrlPolicy) -> Result<(), VcsError> {
    let mut walk = Walk { policy, left: ENTRIES };
    let common = match small_file(&git_directory.join("commondir"))? {
        // As Git trims it: a directory's name may end in a space.
        Some(text) => walk.existing(&git_directory.join(text.trim_end_matches(['\n', '\r'])))?,
        None => git_directory.to_owned(),
    };
    for directory in [git_directory, &common] {
        walk.inside(directory)?;
        for name in ["HEAD", "packed-refs", "config", "shallow"] {
            walk.inside(&directory.join(name))?;
        }
        walk.everything(&directory.join("refs"))?;
    }
    let mut stores = vec![common.join("objects")];
    let mut at = 0;
    while let Some(store) = stores.get(at).cloned() {
        if at == STORES {
            return Err(refused(&store, "it borrows objects from too many others"));
        }
        walk.everything(&store)?;
        stores.extend(walk.borrowed(&store)?);
        at += 1;
    }
    Ok(())
}

/// A walk over all that Git could follow.
struct Walk<'a> {
    policy: &'a UrlPolicy,
    left: usize,
}

impl Walk<'_> {
    /// Checks a directory, and every link in it at any depth.
    fn everything(&mut self, root: &Path) -> Result<(), VcsError> {
        self.inside(root)?;
        let mut directories = vec![root.to_owned()];
        while let Some(directory) = directories.pop() {
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            for entry in entries.flatten() {
                self.left = self
                    .left
                    .checked_sub(1)
                    .ok_or_else(|| refused(root, "it has too many files: run `git gc` there"))?;
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => directories.push(entry.path()),
                    Ok(kind) if kind.is_symlink() => {
                        let target = entry.path();
                        self.inside(&target)?;
                        if target.is_dir() {
                            // Links below it count as well; a loop of links ends with the count of entries.
                            directories.push(target);
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The stores that a store borrows objects from (gitrepository-layout(5), `objects/info/alternates`).
    fn borrowed(&self, store: &Path) -> Result<Vec<PathBuf>, VcsError> {
        let file = store.join("info/alternates");
        let text = small_file(&file)?.unwrap_or_default();
        let lines = text.split('\n').filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines
            .map(|line| {
                // Git reads quoted names; which file is meant must be as plain here as there.
                if line.starts_with('"') || line.contains('\r') {
                    return Err(refused(&file, "it names a directory in quotes or with a carriage return"));
                }
                self.existing(&store.join(line))
            })
            .collect()
    }

    /// A directory that must be there, so that nobody can put it there afterwards.
    fn existing(&self, path: &Path) -> Result<PathBuf, VcsError> {
        let resolved = path.canonicalize().map_err(|_| refused(path, "it is not there"))?;
        self.inside(&resolved)?;
        Ok(resolved)
    }

    /// What is not there leads nowhere.
    fn inside(&self, path: &Path) -> Result<(), VcsError> {
        let Ok(resolved) = path.canonicalize() else { return Ok(()) };
        if self.policy.reaches(&resolved) {
            return Ok(());
        }
        Err(refused(path, "it leads out of the directories that `file_roots` under [vcs] in config.toml lists"))
    }
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
