//! What was read of a repository, in place of a mirror: which entry changed when, and what its manifest is. It spares
//! questions and keeps references as they are; without it, everything is asked again.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::listing::Entry;
use super::program::Place;
use super::read::{Found, hex};
use crate::vcs::error::VcsError;
use crate::vcs::request::{Manifest, Readme};
use crate::vcs::system::Layout;

/// The file of the state, and the directory of the manifests.
const STATE: &str = "svn.json";
const BLOBS: &str = "manifests";
/// Grows when what is read of an entry changes.
const FORMAT: u32 = 1;
/// Largest state that is read.
const MAX_STATE: u64 = 128 << 20;
/// Largest manifest or README that is read.
const MAX_BLOB: u64 = 1 << 20;

/// An entry, and what was read of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Remembered {
    pub(super) entry: Entry,
    /// `/tags/1.0.0/@12`.
    pub(super) reference: String,
    pub(super) time: Option<i64>,
    pub(super) manifest: Manifest,
}

/// What is remembered of a repository.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct State {
    format: u32,
    source: String,
    layout: String,
    uuid: String,
    /// The last revision that changed something of ours.
    pub(super) changed: Option<u64>,
    pub(super) digest: Option<String>,
    pub(super) entries: Vec<Remembered>,
    pub(super) readme: Option<Readme>,
}

/// The directory that nobody else changes as long as this value lives.
pub(super) struct Memory {
    path: PathBuf,
    /// Its lock goes with the process, so that a killed worker holds nobody up.
    _lock: File,
}

impl Memory {
    /// Waits for the lock, makes the directory if there is none, and sweeps what a killed predecessor left.
    pub(super) fn lock(path: &Path) -> Result<Self, VcsError> {
        let doing = |error: io::Error| VcsError::io(format!("Opening {}", path.display()), &error);
        fs::create_dir_all(path.join(BLOBS)).map_err(doing)?;
        let lock = File::options().create(true).truncate(false).write(true).open(path.join("update.flock"));
        let lock = lock.map_err(doing)?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|error| doing(error.into()))?;
        for entry in fs::read_dir(path).map_err(doing)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(".tmp") {
                // What cannot be removed now is tried again by the next update.
                let _ = if entry.path().is_dir() {
                    fs::remove_dir_all(entry.path())
                } else {
                    fs::remove_file(entry.path())
                };
            }
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// What is remembered of exactly this repository and these paths: nothing if it is another one now.
    pub(super) fn read(&self, source: &str, layout: &Layout, uuid: &str) -> State {
        let path = self.path.join(STATE);
        if fs::metadata(&path).map_or(u64::MAX, |known| known.len()) > MAX_STATE {
            return State::default();
        }
        let state = fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<State>(&bytes).ok());
        let state = state.filter(|state| {
            let own = (state.format, state.source.as_str(), state.layout.as_str(), state.uuid.as_str());
            own == (FORMAT, source, layout.to_string().as_str(), uuid)
        });
        state.unwrap_or_default()
    }

    /// A manifest or README that was read before.
    pub(super) fn blob(&self, id: &str) -> Option<Arc<[u8]>> {
        let path = self.path.join(BLOBS).join(id);
        let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let small = is_id && fs::metadata(&path).is_ok_and(|known| known.len() <= MAX_BLOB);
        // A power cut may have left a file with the right name and without its content.
        let whole = |content: &Vec<u8>| hex(&Sha256::digest(content)) == id;
        small.then(|| fs::read(path).ok().filter(whole).map(Arc::from)).flatten()
    }

    /// Remembers what was found, and forgets what is needed no more.
    pub(super) fn write(
        &self,
        source: &str,
        layout: &Layout,
        place: &Place,
        digest: &str,
        found: &Found,
    ) -> Result<(), VcsError> {
        let doing = |error: io::Error| VcsError::io("Remembering what the repository has", &error);
        let blobs = self.path.join(BLOBS);
        for (id, content) in &found.blobs {
            if !blobs.join(id).exists() {
                self.put(&blobs.join(id), content).map_err(doing)?;
            }
        }
        let state = State {
            format: FORMAT,
            source: source.to_owned(),
            layout: layout.to_string(),
            uuid: place.uuid.clone(),
            changed: Some(place.changed),
            digest: Some(digest.to_owned()),
            entries: found.entries.clone(),
            readme: found.readme.clone(),
        };
        let text = serde_json::to_vec(&state).map_err(|error| doing(error.into()))?;
        self.put(&self.path.join(STATE), &text).map_err(doing)?;
        let used: HashSet<&str> = found.blobs.keys().map(String::as_str).collect();
        for entry in fs::read_dir(blobs).into_iter().flatten().flatten() {
            if !used.contains(entry.file_name().to_string_lossy().as_ref()) {
                // What cannot be removed now is tried again by the next update.
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    /// Writes a file whole or not at all.
    fn put(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".tmp-").tempfile_in(&self.path)?;
        file.write_all(content)?;
        file.persist(path).map(drop).map_err(|error| error.error)
    }
}
