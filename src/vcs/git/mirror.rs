//! A mirror on disk: its lock, its skeleton, what crashed predecessors left in it, and its packs.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use gix::open::Options;
use rustix::fs::{FlockOperation, flock};

use crate::vcs::error::VcsError;
use crate::vcs::repairs::Repairs;

/// From this number on, packs are put together into one.
const CROWDED: usize = 50;
/// The file that marks a mirror as damaged.
const DAMAGED: &str = "damaged";
/// What the names of packs end in that were put aside.
const BROKEN: &str = ".broken";
/// How long they stay.
const KEPT_ASIDE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n";
const HEAD: &str = "ref: refs/heads/main\n";

/// A mirror that nobody else changes as long as this value lives.
pub(super) struct Mirror {
    path: PathBuf,
    /// Its lock goes with the process, so that a killed worker holds nobody up.
    _lock: File,
}

impl Mirror {
    /// Waits for the lock, makes the mirror if there is none, and sweeps what a killed predecessor left.
    pub(super) fn lock(path: &Path) -> Result<Self, VcsError> {
        let doing = |error: io::Error| VcsError::io(format!("Opening the mirror {}", path.display()), &error);
        fs::create_dir_all(path.join("objects/pack")).map_err(doing)?;
        fs::create_dir_all(path.join("refs")).map_err(doing)?;
        let lock = locked(path, "update.flock", FlockOperation::LockExclusive).map_err(doing)?;
        let mirror = Self { path: path.to_owned(), _lock: lock };
        mirror.lay_out().map_err(doing)?;
        mirror.sweep();
        Ok(mirror)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the repository without any configuration but its own, which we wrote.
    pub(super) fn open(&self) -> Result<gix::Repository, VcsError> {
        open(&self.path)
    }

    /// Writes the files that make a directory a repository, where they are missing or different.
    fn lay_out(&self) -> io::Result<()> {
        for (name, content) in [("HEAD", HEAD), ("config", CONFIG)] {
            let path = self.path.join(name);
            if fs::read(&path).is_ok_and(|found| found == content.as_bytes()) {
                continue;
            }
            let temporary = self.path.join(format!(".tmp-{name}"));
            fs::write(&temporary, content)?;
            fs::rename(temporary, path)?;
        }
        Ok(())
    }

    /// Bytes of its packs.
    pub(super) fn size(&self) -> u64 {
        let packs = self.packs().into_iter().map(|index| index.with_extension("pack"));
        packs.filter_map(|pack| fs::metadata(pack).ok()).map(|known| known.len()).sum()
    }

    /// Removes temporary files and stale locks, and packs that were put aside long ago; nobody else is at work while we
    /// hold the lock.
    pub(super) fn sweep(&self) {
        // First, because what keeps a pack tells whose it is.
        self.part_halves();
        for directory in ["", "objects", "objects/pack"] {
            for entry in fs::read_dir(self.path.join(directory)).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let stale = name.starts_with(".tmp")
                    || name.starts_with("tmp_")
                    || name.ends_with(".lock")
                    || name.ends_with(".keep")
                    || (name.ends_with(BROKEN) && age(&entry.path()).is_some_and(|age| age > KEPT_ASIDE));
                if stale {
                    // What cannot be removed now is tried again by the next update.
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
    }

    /// Takes away packs without an index, which nobody reads, and which would be taken for the whole should the same pack
    /// come again. A worker that was killed between the two leaves the `.keep` file too: what it received, nobody was told
    /// of. Any other may be the last to hold a kept commit, so it is put aside.
    fn part_halves(&self) {
        for entry in fs::read_dir(self.path.join("objects/pack")).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_pack = path.extension().is_some_and(|extension| extension == "pack");
            if !is_pack || path.with_extension("idx").exists() {
                continue;
            }
            // As above: what fails now is tried again.
            let _ = if path.with_extension("keep").exists() {
                fs::remove_file(&path)
            } else {
                let aside = path.with_extension("pack.broken");
                fs::rename(&path, &aside).map(|()| touch(&aside))
            };
        }
    }

    /// Whether somebody who read the mirror found it damaged.
    pub(super) fn is_marked_damaged(&self) -> bool {
        self.path.join(DAMAGED).exists()
    }

    /// Whether it was fetched anew in vain less than `most` times within a day.
    pub(super) fn may_repair(&self, most: usize) -> bool {
        Repairs::of(&self.path).are_fewer_than(most)
    }

    /// Takes the mark away, after everything was fetched anew. Packs that were put aside go if nothing was lost with them.
    pub(super) fn declare_whole(&self, complete: bool) -> Result<(), VcsError> {
        if complete {
            for entry in fs::read_dir(self.path.join("objects/pack")).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().ends_with(BROKEN) {
                    // What cannot be removed now goes when it is old.
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
        match fs::remove_file(self.path.join(DAMAGED)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(VcsError::io("Repairing the mirror", &error)),
            _ => Ok(()),
        }
    }

    fn packs(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path.join("objects/pack")).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "idx"))
            .collect()
    }

    /// Remembers that it was fetched anew in vain.
    pub(super) fn count_repair(&self) -> Result<(), VcsError> {
        Repairs::of(&self.path).count()
    }

    /// Puts aside every pack whose checksum is wrong, so that its objects are fetched again; how many those are. The files
    /// stay for a while if they held what nobody else has, for people who want to rescue something by hand.
    pub(super) fn quarantine(&self) -> Result<usize, VcsError> {
        let doing = |error: io::Error| VcsError::io("Repairing the mirror", &error);
        let _alone = locked(&self.path, "objects.flock", FlockOperation::LockExclusive).map_err(doing)?;
        let unsound: Vec<_> = self.packs().into_iter().filter(|index| !is_sound(index)).collect();
        for index in &unsound {
            for extension in ["pack", "idx"] {
                let aside = index.with_extension(format!("{extension}{BROKEN}"));
                match fs::rename(index.with_extension(extension), &aside) {
                    Ok(()) => touch(&aside),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(doing(error)),
                }
            }
        }
        Ok(unsound.len())
    }

    /// Puts the packs together with the git program, where it is installed: gix cannot. It keeps what refs reach, the
    /// kept ones among them. Failing is harmless: many packs are only slower.
    pub(super) fn repack_if_crowded(&self) {
        if self.packs().len() < CROWDED {
            return;
        }
        // Archives that are being read hold the lock; the next update comes by again.
        let Ok(_alone) = locked(&self.path, "objects.flock", FlockOperation::NonBlockingLockExclusive) else { return };
        match git()
            .arg("-C")
            .arg(&self.path)
            .args(["repack", "-a", "-d", "-q"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
        {
            Err(error) if error.kind() != io::ErrorKind::NotFound => eprintln!("repacking failed: {error}"),
            _ => {}
        }
    }
}

/// How long ago a file was written; none if that is not known.
fn age(path: &Path) -> Option<Duration> {
    fs::metadata(path).ok()?.modified().ok()?.elapsed().ok()
}

/// Makes a file as old as now. If that fails, it goes earlier than it should.
fn touch(path: &Path) {
    let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

/// Marks a mirror for repair at its next update.
pub(super) fn mark_damaged(path: &Path) {
    // If it cannot be marked, the next reader finds the damage again.
    let _ = File::create(path.join(DAMAGED));
}

/// Opens a mirror for reading, and holds its packs in place as long as the file lives.
pub(super) fn open_shared(path: &Path) -> Result<(gix::Repository, File), VcsError> {
    if !path.join("packed-refs").is_file() {
        return Err(VcsError::corrupt("there is no mirror of this repository yet"));
    }
    let lock = locked(path, "objects.flock", FlockOperation::LockShared)
        .map_err(|error| VcsError::io(format!("Opening the mirror {}", path.display()), &error))?;
    Ok((open(path)?, lock))
}

fn open(path: &Path) -> Result<gix::Repository, VcsError> {
    // Who owns the directory decides how far its configuration is trusted: the only configuration is the one we wrote.
    let options = Options::isolated().open_path_as_is(true).with(gix::sec::Trust::Full);
    let mut repository = gix::open_opts(path, options).map_err(VcsError::corrupt)?;
    repository.object_cache_size_if_unset(4 << 20);
    Ok(repository)
}

fn locked(mirror: &Path, name: &str, operation: FlockOperation) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(mirror.join(name))?;
    flock(&file, operation)?;
    Ok(file)
}

/// Whether a pack and its index have the checksums that they say they have.
fn is_sound(index: &Path) -> bool {
    let interrupt = AtomicBool::new(false);
    let Ok(bundle) = gix::odb::pack::Bundle::at(index, gix::hash::Kind::Sha1) else { return false };
    let index_sound = bundle.index.verify_checksum(&mut gix::progress::Discard, &interrupt).is_ok();
    index_sound && bundle.pack.verify_checksum(&mut gix::progress::Discard, &interrupt).is_ok()
}

/// The git program, kept from reading configuration, asking questions, or running hooks.
pub(super) fn git() -> Command {
    let mut command = Command::new("git");
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_ATTR_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .args([
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "core.fsmonitor=false",
            "-c",
            "gc.auto=0",
            "-c",
            "safe.directory=*",
        ]);
    command
}
