//! The ring of keys that seal secrets in the database: the first one seals, all of them open.
//!
//! One file, one key a line: `id key`, both hexadecimal, the newest first. The id is derived from the key, so that a damaged
//! or exchanged key is noticed when the ring is read and not when the first secret fails to open. The file must be private to
//! its owner; a systemd credential is taken as it comes, because systemd guards it.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};

use crate::secrets::random;
use crate::secrets::random::{from_hex, to_hex};

/// Name of the key file in the data directory.
pub const FILE_NAME: &str = "keys";
/// Name of the systemd credential that replaces the file.
pub const CREDENTIAL_NAME: &str = "packagist-selfhosted-keys";
/// More bytes than any ring needs.
const LARGEST_FILE: u64 = 64 * 1024;
/// What stands in the file for whoever opens it.
const HEADING: &str =
    "# Keys of packagist-selfhosted: the first seals, all open. Without them the secrets in the database are lost.\n";

/// One key of 32 bytes with its id. It prints nothing but the id and is wiped when dropped.
#[derive(Clone)]
pub(super) struct Key {
    id: [u8; 4],
    /// Shared, so that there is one copy in memory however many rings hold it.
    secret: Arc<SecretBox<[u8; 32]>>,
}

impl Key {
    fn new(secret: [u8; 32]) -> Self {
        let digest = Sha256::new().chain_update(b"packagist-selfhosted key id\0").chain_update(secret).finalize();
        let id = [digest[0], digest[1], digest[2], digest[3]];
        Self { id, secret: Arc::new(SecretBox::new(Box::new(secret))) }
    }

    pub(super) const fn id(&self) -> [u8; 4] {
        self.id
    }

    pub(super) fn expose(&self) -> &[u8; 32] {
        self.secret.expose_secret()
    }
}

/// The keys, newest first; never empty.
#[derive(Clone)]
pub struct KeyRing {
    first: Key,
    older: Vec<Key>,
}

/// Why there is no key ring.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The file cannot be read or written.
    #[error("the key file {path} cannot be {action}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried: `read`, `written`.
        action: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// Others than the owner may read it.
    #[error(
        "the key file {path} is open to others (mode {mode:04o}): run `chmod 600 {path}`, and replace the keys if somebody may have read them"
    )]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to somebody else than the user who runs the program.
    #[error(
        "the key file {path} belongs to user {owner} and the program runs as user {user}: run it as the owner, or `chown` the whole data directory"
    )]
    Owner {
        /// The file.
        path: PathBuf,
        /// Numeric id of the file's owner.
        owner: u32,
        /// Numeric id of the user who runs the program.
        user: u32,
    },
    /// A line is not an id and a key.
    #[error("the key file {path} is damaged at line {line}: {reason}; restore the file from a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1; 0 for the file as a whole.
        line: usize,
        /// What is wrong, without the key.
        reason: &'static str,
    },
}

impl KeyRing {
    /// A ring of one new key, in memory only: for tests, and for [`create`](Self::create).
    #[must_use]
    pub fn generate() -> Self {
        Self { first: Key::new(random::bytes()), older: Vec::new() }
    }

    /// Makes a new ring in a new file of mode 0600, in one step: a crash or a full disk leaves no file or a whole one. An
    /// existing file is never overwritten.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn create(path: &Path) -> Result<Self, KeyRingError> {
        let ring = Self::generate();
        ring.put(path, rename_new)?;
        Ok(ring)
    }

    /// Reads a ring from a file that must be private and belong to the user who runs the program.
    ///
    /// # Errors
    /// When the file cannot be read, is open to others, belongs to somebody else, or is damaged.
    pub fn load(path: &Path) -> Result<Self, KeyRingError> {
        Self::read(path, true)
    }

    /// Reads a ring from systemd's credentials directory (`$CREDENTIALS_DIRECTORY`), where there may be none.
    ///
    /// # Errors
    /// When the credential is there and cannot be read or is damaged.
    pub fn load_credential(directory: &Path) -> Result<Option<Self>, KeyRingError> {
        let path = directory.join(CREDENTIAL_NAME);
        if path.exists() { Self::read(&path, false).map(Some) } else { Ok(None) }
    }

    /// The ring of an installation: systemd's credential if there is one, else the file in the data directory. Nothing where
    /// neither is there yet.
    ///
    /// # Errors
    /// As [`load`](Self::load) and [`load_credential`](Self::load_credential).
    pub fn of_installation(
        data_dir: &Path,
        credentials_directory: Option<&Path>,
    ) -> Result<Option<Self>, KeyRingError> {
        if let Some(directory) = credentials_directory
            && let Some(ring) = Self::load_credential(directory)?
        {
            return Ok(Some(ring));
        }
        let path = data_dir.join(FILE_NAME);
        match Self::load(&path) {
            Ok(ring) => Ok(Some(ring)),
            Err(KeyRingError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the file by this ring, in one step: a crash leaves the old or the new ring.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn replace(&self, path: &Path) -> Result<(), KeyRingError> {
        self.put(path, |fresh, path| fs::rename(fresh, path))
    }

    /// Writes the ring beside `path`, whatever an earlier try left there, and lets `rename` move it into place once the
    /// disk has it.
    fn put(&self, path: &Path, rename: fn(&Path, &Path) -> io::Result<()>) -> Result<(), KeyRingError> {
        let fresh = path.with_extension("new");
        let written = match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.write_new(&fresh).and_then(|()| rename(&fresh, path)),
        };
        if written.is_err() {
            // Keys do not lie about; if this fails too, the next try removes them.
            let _ = fs::remove_file(&fresh);
        }
        written.and_then(|()| sync_directory(path)).map_err(|source| KeyRingError::Io {
            path: path.to_owned(),
            action: "written",
            source,
        })
    }

    /// The same ring with a new first key; values sealed with the others still open.
    #[must_use]
    pub fn with_new_key(&self) -> Self {
        let older = std::iter::once(&self.first).chain(&self.older).cloned().collect();
        Self { first: Key::new(random::bytes()), older }
    }

    /// The ids of the ring's keys, newest first, as the database records them: it tells whether a ring fits, and no secret.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let ids: Vec<String> = self.keys().map(|key| to_hex(&key.id)).collect();
        ids.join(",")
    }

    /// Whether this ring holds every key of a recorded [`fingerprint`](Self::fingerprint). If it does not, secrets of that
    /// database would not open, and the start must stop.
    #[must_use]
    pub fn covers(&self, fingerprint: &str) -> bool {
        fingerprint.split(',').all(|id| self.keys().any(|key| to_hex(&key.id) == id))
    }

    /// The file's content, for backups.
    #[must_use]
    pub fn to_text(&self) -> SecretString {
        let mut text = String::from(HEADING);
        for key in self.keys() {
            let secret = Zeroizing::new(to_hex(key.expose()));
            text.extend([to_hex(&key.id).as_str(), " ", &secret, "\n"]);
        }
        text.into()
    }

    /// Reads a file's content; `path` is for errors only.
    ///
    /// # Errors
    /// When a line is damaged or no key is there.
    pub fn from_text(text: &SecretString, path: &Path) -> Result<Self, KeyRingError> {
        let damaged = |line, reason| KeyRingError::Damaged { path: path.to_owned(), line, reason };
        let mut keys = Vec::new();
        for (number, line) in (1..).zip(text.expose_secret().lines()) {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                keys.push(read_line(line).map_err(|reason| damaged(number, reason))?);
            }
        }
        if keys.is_empty() {
            return Err(damaged(0, "it holds no key"));
        }
        let first = keys.remove(0);
        Ok(Self { first, older: keys })
    }

    pub(super) const fn first(&self) -> &Key {
        &self.first
    }

    pub(super) fn find(&self, id: [u8; 4]) -> Option<&Key> {
        self.keys().find(|key| key.id == id)
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.first).chain(&self.older)
    }

    fn read(path: &Path, must_be_private: bool) -> Result<Self, KeyRingError> {
        let failed = |source| KeyRingError::Io { path: path.to_owned(), action: "read", source };
        let file = File::open(path).map_err(failed)?;
        if must_be_private {
            require_private(path, &file.metadata().map_err(failed)?)?;
        }
        let mut text = String::new();
        file.take(LARGEST_FILE).read_to_string(&mut text).map_err(failed)?;
        Self::from_text(&text.into(), path)
    }

    fn write_new(&self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(self.to_text().expose_secret().as_bytes())?;
        file.sync_all()
    }
}

fn read_line(line: &str) -> Result<Key, &'static str> {
    let (id, secret) = line.split_once(char::is_whitespace).ok_or("a line is an id, a space and a key")?;
    let id = from_hex::<4>(id).ok_or("an id has 8 hexadecimal characters")?;
    let secret = Zeroizing::new(from_hex::<32>(secret.trim()).ok_or("a key has 64 hexadecimal characters")?);
    let key = Key::new(*secret);
    if key.id == id { Ok(key) } else { Err("the key does not fit its id") }
}

fn require_private(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyRingError> {
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyRingError::Permissions { path: path.to_owned(), mode });
    }
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user {
        return Err(KeyRingError::Owner { path: path.to_owned(), owner: metadata.uid(), user });
    }
    Ok(())
}

/// Renames unless the new name is taken. File systems that cannot do that in one step are asked first: whoever holds the
/// instance lock is alone with the directory.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if !to.try_exists()? => fs::rename(from, to),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Err(io::ErrorKind::AlreadyExists.into()),
        renamed => Ok(renamed?),
    }
}

/// Makes a new name in a directory survive a power cut.
fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({})", self.fingerprint())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{CREDENTIAL_NAME, KeyRing, KeyRingError};
    use secrecy::{ExposeSecret, SecretString};
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn a_created_ring_loads_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        let ring = KeyRing::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(KeyRing::load(&path).unwrap().fingerprint(), ring.fingerprint());
        assert!(KeyRing::create(&path).is_err(), "an existing ring is never overwritten");
        let rotated = ring.with_new_key();
        rotated.replace(&path).unwrap();
        assert_eq!(KeyRing::load(&path).unwrap().fingerprint(), rotated.fingerprint());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_an_interrupted_creation_left_is_no_ring() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        fs::write(path.with_extension("new"), "# Keys of pack").unwrap();
        assert!(KeyRing::of_installation(directory.path(), None).unwrap().is_none());
        let ring = KeyRing::create(&path).unwrap();
        assert_eq!(KeyRing::load(&path).unwrap().fingerprint(), ring.fingerprint());
        let names = || -> Vec<_> { fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect() };
        assert_eq!(names(), ["keys"], "no copy of the keys lies about");
        KeyRing::create(&path).unwrap_err();
        assert_eq!(names(), ["keys"], "nor after a failure");
        assert_eq!(KeyRing::load(&path).unwrap().fingerprint(), ring.fingerprint());
    }

    #[test]
    fn a_ring_covers_its_past_and_no_other_ring() {
        let ring = KeyRing::generate();
        let rotated = ring.with_new_key();
        assert!(rotated.covers(&ring.fingerprint()) && rotated.covers(&rotated.fingerprint()));
        assert!(!ring.covers(&rotated.fingerprint()));
        assert!(!KeyRing::generate().covers(&ring.fingerprint()));
    }

    #[test]
    fn a_file_open_to_others_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        drop(KeyRing::create(&path).unwrap());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = KeyRing::load(&path).unwrap_err();
        assert!(matches!(error, KeyRingError::Permissions { mode: 0o640, .. }), "{error}");
        assert!(error.to_string().contains("is open to others (mode 0640): run `chmod 600 "), "{error}");
    }

    #[test]
    fn a_credential_is_taken_as_systemd_gives_it() {
        let directory = tempfile::tempdir().unwrap();
        assert!(KeyRing::load_credential(directory.path()).unwrap().is_none());
        let ring = KeyRing::generate();
        let path = directory.path().join(CREDENTIAL_NAME);
        fs::write(&path, ring.to_text().expose_secret()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).unwrap();
        let loaded = KeyRing::load_credential(directory.path()).unwrap().unwrap();
        assert_eq!(loaded.fingerprint(), ring.fingerprint());
    }

    #[test]
    fn the_credential_beats_the_file() {
        let (data, credentials) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let find = || KeyRing::of_installation(data.path(), Some(credentials.path())).unwrap();
        assert!(find().is_none());
        let file = KeyRing::create(&data.path().join("keys")).unwrap();
        assert_eq!(find().unwrap().fingerprint(), file.fingerprint());
        let credential = KeyRing::create(&credentials.path().join(CREDENTIAL_NAME)).unwrap();
        assert_eq!(find().unwrap().fingerprint(), credential.fingerprint());
    }

    #[test]
    fn damage_is_told_by_line_and_without_the_key() {
        let good = KeyRing::generate().to_text().expose_secret().to_owned();
        let key_line = good.lines().nth(1).unwrap();
        let (id, key) = key_line.split_once(' ').unwrap();
        let flipped = if key.starts_with('0') { "1" } else { "0" };
        let cases = [
            (String::new(), "holds no key"),
            (id.to_owned(), "a line is an id, a space and a key"),
            (format!("xyz {key}"), "an id has 8"),
            (format!("{id} {}", &key[..60]), "a key has 64"),
            (format!("{id} {flipped}{}", &key[1..]), "does not fit its id"),
        ];
        for (text, expected) in cases {
            let error = KeyRing::from_text(&SecretString::from(text), "keys".as_ref()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains(&key[8..40]), "{error}");
        }
    }

    #[test]
    fn debug_keeps_the_keys() {
        let ring = KeyRing::generate();
        assert_eq!(format!("{ring:?}"), format!("KeyRing({})", ring.fingerprint()));
    }
}
