//! The data directory: who may use it, and what lies in it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::{OpenError, Settings};
use crate::secrets::keyring::{self, KeyRing};

/// How long a process that ends may take to let go of the lock: a child that it was just starting holds it too, until
/// that child runs its own program.
const LETTING_GO: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);

/// Who opens the data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `serve`, which creates and upgrades it.
    CreateOrUpgrade,
    /// A command, for which it must be there and up to date.
    Existing,
}

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// There is none yet.
    #[error(
        "there is no data directory at {0}: start the server once (`packagist-selfhosted serve`), or name the right one with `data_dir` in the configuration"
    )]
    Absent(PathBuf),
    /// Another process works on it.
    #[error(
        "another process uses the data directory {0}: stop it first. A running server does commands itself, by {0}/control.sock; if that socket cannot be reached, run the command as the server's user or as root"
    )]
    Locked(PathBuf),
    /// The file system refuses.
    #[error("the data directory {path} cannot be used: {source}")]
    Unusable {
        /// Which directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DirectoryError {
    pub(super) fn unusable(path: &Path, source: io::Error) -> Self {
        Self::Unusable { path: path.to_owned(), source }
    }
}

/// The database in a data directory.
pub(super) fn database(data_dir: &Path) -> PathBuf {
    data_dir.join("packagist.sqlite")
}

/// Takes the instance lock; it is held until the file is closed, also by a crash.
pub(super) fn lock(data_dir: &Path, mode: Mode) -> Result<File, DirectoryError> {
    if mode == Mode::Existing && !database(data_dir).exists() {
        return Err(DirectoryError::Absent(data_dir.to_owned()));
    }
    let unusable = |error| DirectoryError::unusable(data_dir, error);
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(unusable)?;
    fs::set_permissions(data_dir, Permissions::from_mode(0o700)).map_err(unusable)?;
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(data_dir.join("lock"))
        .map_err(unusable)?;
    let started = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => break,
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
            Err(TryLockError::WouldBlock) if started.elapsed() < LETTING_GO => thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => return Err(DirectoryError::Locked(data_dir.to_owned())),
        }
    }
    fs::create_dir_all(data_dir.join("mirrors")).map_err(unusable)?;
    Ok(lock)
}

/// The key ring: systemd's if there is one, else the file, which a new data directory gets.
pub(super) fn keys(settings: &Settings) -> Result<KeyRing, OpenError> {
    if let Some(folder) = &settings.credentials_directory
        && let Some(ring) = KeyRing::load_credential(folder)?
    {
        return Ok(ring);
    }
    let path = settings.data_dir.join(keyring::FILE_NAME);
    // A database without its keys must not get new ones: its secrets would be lost quietly.
    if path.exists() || database(&settings.data_dir).exists() {
        return Ok(KeyRing::load(&path)?);
    }
    Ok(KeyRing::create(&path)?)
}

/// Takes a file away from everybody but its owner.
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o600))
}
