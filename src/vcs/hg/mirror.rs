//! A mirror on disk: its lock, what crashed predecessors left in it, and how it is brought up to date.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::program::Hg;
use crate::vcs::error::VcsError;

/// The directory of the repository in the mirror's.
const REPOSITORY: &str = "hg";
/// Where a damaged one is put aside until the new one is whole.
const BROKEN: &str = "hg.broken";
/// The file that marks a mirror as damaged.
const DAMAGED: &str = "damaged";

/// Where the repository of a mirror is.
pub(super) fn repository(mirror: &Path) -> PathBuf {
    mirror.join(REPOSITORY)
}

/// Marks a mirror for repair at its next update.
pub(super) fn mark_damaged(mirror: &Path) {
    // If it cannot be marked, the next reader finds the damage again.
    let _ = File::create(mirror.join(DAMAGED));
}

/// A mirror that nobody else changes as long as this value lives.
pub(super) struct Mirror {
    path: PathBuf,
    /// Its lock goes with the process, so that a killed worker holds nobody up.
    _lock: File,
}

impl Mirror {
    /// Waits for the lock, and makes the mirror's directory if there is none.
    pub(super) fn lock(path: &Path) -> Result<Self, VcsError> {
        let doing = |error: io::Error| VcsError::io(format!("Opening the mirror {}", path.display()), &error);
        fs::create_dir_all(path).map_err(doing)?;
        let lock = File::options().create(true).truncate(false).write(true).open(path.join("update.flock"));
        let lock = lock.map_err(doing)?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|error| doing(error.into()))?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    pub(super) fn repository(&self) -> PathBuf {
        repository(&self.path)
    }

    /// Why everything is fetched anew; none if it is not, or for the first time.
    pub(super) fn damage(&self) -> Option<String> {
        let marked = self.path.join(DAMAGED).exists();
        marked.then(|| "Mercurial found its data damaged".to_owned())
    }

    /// Makes a repository that can be pulled into; whether it is an empty one. One that is damaged is put aside if
    /// `may_repair`; otherwise it is used as far as it can be.
    pub(super) fn prepare(&self, hg: &Hg<'_>, may_repair: bool) -> Result<bool, VcsError> {
        let doing = |error: io::Error| VcsError::io("Preparing the mirror", &error);
        let repository = self.repository();
        if may_repair && self.damage().is_some() && repository.exists() {
            let aside = self.path.join(BROKEN);
            remove_all(&aside).map_err(doing)?;
            fs::rename(&repository, aside).map_err(doing)?;
        }
        let store = repository.join(".hg/store");
        if store.is_dir() {
            // Nobody else is at work while we hold our lock: what is there was left by one who was killed.
            for stale in [store.join("lock"), repository.join(".hg/wlock")] {
                match fs::remove_file(stale) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(doing(error)),
                    _ => {}
                }
            }
            if store.join("journal").exists() {
                let mut command = hg.command();
                command.arg("-R").arg(&repository).args(["recover", "--no-verify"]);
                hg.must(command, Some(&self.path))?;
            }
            return Ok(false);
        }
        // What is no whole repository was left by one who was killed while it began.
        remove_all(&repository).map_err(doing)?;
        let mut command = hg.command();
        command.args(["init", "--"]).arg(&repository);
        hg.must(command, Some(&self.path))?;
        Ok(true)
    }

    /// Gets what the server has and the mirror has not. Unlike `hg clone` it writes no address into the mirror.
    pub(super) fn pull(&self, hg: &Hg<'_>) -> Result<(), VcsError> {
        let mut command = hg.command();
        command.arg("-R").arg(self.repository()).args(["pull", "--quiet", "--", hg.source()]);
        hg.must(command, Some(&self.path)).map(drop)
    }

    /// Takes the mark away, after everything was fetched anew, and what was put aside with it.
    pub(super) fn declare_whole(&self) -> Result<(), VcsError> {
        let doing = |error: io::Error| VcsError::io("Repairing the mirror", &error);
        remove_all(&self.path.join(BROKEN)).map_err(doing)?;
        match fs::remove_file(self.path.join(DAMAGED)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(doing(error)),
            _ => Ok(()),
        }
    }

    /// Bytes of what it holds.
    pub(super) fn size(&self) -> u64 {
        let store = self.repository().join(".hg/store");
        let mut bytes = 0;
        let mut open = vec![store];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                match entry.metadata() {
                    Ok(known) if known.is_dir() => open.push(entry.path()),
                    Ok(known) => bytes += known.len(),
                    Err(_) => {}
                }
            }
        }
        bytes
    }
}

fn remove_all(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
