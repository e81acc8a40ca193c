//! Reading the manifests of what changed, several at once: each is a question to the server.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::Blob;
use super::listing::{Entry, Listing, Reference, TRUNK};
use super::memory::{Memory, Remembered, State};
use super::program::{Content, Svn};
use crate::vcs::error::VcsError;
use crate::vcs::known_files::{MAX_MANIFEST, MAX_README, readme_rank};
use crate::vcs::request::{Limits, Manifest, Readme, RemoteRef};
use crate::vcs::room::bytes as size;

/// How many questions are asked at once.
const AT_ONCE: usize = 4;

/// Everything that a repository lists, with what was read of it.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In Composer's order.
    pub(super) entries: Vec<Remembered>,
    pub(super) readme: Option<Readme>,
    pub(super) blobs: BTreeMap<String, Arc<[u8]>>,
    /// Bytes that were asked for.
    pub(super) news: u64,
}

impl Found {
    /// Equal digests mean equal listings.
    pub(super) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for entry in &self.entries {
            hash.update(format!("{} {}\n", entry.entry.name, entry.reference));
        }
        hex(&hash.finalize())
    }

    /// The refs, and the one that names the package.
    pub(super) fn refs(&self) -> (Vec<RemoteRef>, Option<Box<RemoteRef>>) {
        let refs: Vec<RemoteRef> = self.entries.iter().map(remote_ref).collect();
        let root = refs.iter().find(|listed| listed.name == TRUNK).cloned().map(Box::new);
        (refs, root)
    }

    pub(super) fn readme(&self) -> Option<Box<Readme>> {
        self.readme.clone().map(Box::new)
    }

    pub(super) fn into_blobs(self) -> Vec<Blob> {
        self.blobs.into_iter().collect()
    }
}

fn remote_ref(remembered: &Remembered) -> RemoteRef {
    RemoteRef {
        name: remembered.entry.name.clone(),
        target: remembered.reference.clone(),
        commit: Some(remembered.reference.clone()),
        time: remembered.time,
        offset: 0,
        manifest: remembered.manifest.clone(),
    }
}

/// Takes what is known, and asks for the rest.
pub(super) fn all(
    svn: &Svn<'_>,
    listing: &Listing,
    known: &State,
    memory: &Memory,
    limits: &Limits,
) -> Result<Found, VcsError> {
    let before: HashMap<&str, &Remembered> =
        known.entries.iter().map(|entry| (entry.entry.name.as_str(), entry)).collect();
    let run = Run { svn, listing, before, memory, limits, spent: AtomicU64::new(0), news: AtomicU64::new(0) };
    let next = AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    let failure = Mutex::new(None);
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(listing.entries.len()) {
            scope.spawn(|| {
                while !stopped.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(entry) = listing.entries.get(at) else { return };
                    match run.read(entry) {
                        Ok(read) => drop(lock(&done).insert(at, read)),
                        Err(error) => {
                            stopped.store(true, Ordering::Relaxed);
                            lock(&failure).get_or_insert(error);
                        }
                    }
                }
            });
        }
    });
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut found = Found::default();
    for (_, (remembered, content)) in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
        if let (Manifest::Blob(id), Some(content)) = (&remembered.manifest, content) {
            found.blobs.insert(id.clone(), content);
        }
        found.entries.push(remembered);
    }
    run.readme(&mut found, known)?;
    found.news = run.news.into_inner();
    Ok(found)
}

/// What is thrown by another thread does not make these values wrong.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An entry, and its manifest's content.
type Read = (Remembered, Option<Arc<[u8]>>);

struct Run<'r, 'a> {
    svn: &'r Svn<'a>,
    listing: &'r Listing,
    before: HashMap<&'r str, &'r Remembered>,
    memory: &'r Memory,
    limits: &'r Limits,
    /// Bytes of all manifests until now; every thread adds, and asks whether it is too much.
    spent: AtomicU64,
    /// Bytes that were asked for; only counted.
    news: AtomicU64,
}

impl Run<'_, '_> {
    /// An entry with its manifest: remembered if nothing of it changed.
    fn read(&self, entry: &Entry) -> Result<Read, VcsError> {
        let known = self
            .before
            .get(entry.name.as_str())
            .filter(|known| (&known.entry.directory, known.entry.changed) == (&entry.directory, entry.changed));
        if let Some(known) = known {
            match &known.manifest {
                Manifest::Blob(id) => {
                    if let Some(content) = self.memory.blob(id) {
                        self.spend(content.len())?;
                        return Ok(((*known).clone(), Some(content)));
                    }
                }
                _ => return Ok(((*known).clone(), None)),
            }
        }
        let mut reference = Reference { path: self.listing.path(entry), revision: entry.changed };
        let mut content = self.manifest(&reference)?;
        if matches!(content, Content::Missing) && self.svn.info(&entry.directory, entry.changed)?.is_none() {
            reference.revision = entry.held;
            content = self.manifest(&reference)?;
        }
        let time = match self.listing.package {
            // The package's own date; the listing has its parent's.
            Some(_) => self.svn.info(&reference.path, reference.revision)?.and_then(|known| known.time),
            None => entry.time,
        };
        let (manifest, content) = match content {
            Content::Missing => (Manifest::Missing, None),
            Content::TooLarge => (Manifest::TooLarge { bytes: MAX_MANIFEST + 1 }, None),
            Content::Bytes(bytes) => {
                self.spend(bytes.len())?;
                (Manifest::Blob(hex(&Sha256::digest(&bytes))), Some(Arc::from(bytes)))
            }
        };
        let reference = reference.to_string();
        Ok((Remembered { entry: entry.clone(), reference, time, manifest }, content))
    }

    /// The manifest at a reference. A place that we may not read is one where there is none.
    fn manifest(&self, reference: &Reference) -> Result<Content, VcsError> {
        let path = format!("{}/composer.json", reference.path);
        let content = match self.svn.cat(&path, reference.revision, MAX_MANIFEST) {
            Err(VcsError::Forbidden { .. }) => Content::Missing,
            read => read?,
        };
        if let Content::Bytes(bytes) = &content {
            self.news.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        Ok(content)
    }

    fn spend(&self, bytes: usize) -> Result<(), VcsError> {
        let before = self.spent.fetch_add(bytes as u64, Ordering::Relaxed);
        if before + bytes as u64 > self.limits.manifests {
            return Err(VcsError::TooLarge {
                what: "The sum of the composer.json files of all branches and tags".to_owned(),
                limit: size(self.limits.manifests),
            });
        }
        Ok(())
    }

    /// The README of the trunk. Nothing depends on it: where it is too much, there is none.
    fn readme(&self, found: &mut Found, known: &State) -> Result<(), VcsError> {
        let Some(trunk) = found.entries.iter().find(|entry| entry.entry.name == TRUNK) else { return Ok(()) };
        let same = known.entries.iter().any(|entry| entry.entry.name == TRUNK && entry.reference == trunk.reference);
        if same {
            let readme = known.readme.clone();
            let content = readme.as_ref().and_then(|readme| self.memory.blob(&readme.blob));
            // What was too large to be kept has no content.
            if let Some(readme) = readme.filter(|readme| content.is_some() || readme.blob.is_empty()) {
                found.blobs.extend(content.map(|content| (readme.blob.clone(), content)));
                found.readme = Some(readme);
                return Ok(());
            }
        }
        let Some(reference) = Reference::parse(&trunk.reference) else { return Ok(()) };
        let listed = self.svn.list(&reference.path, reference.revision)?;
        let ranked = listed.iter().filter(|file| file.kind == "file");
        let best =
            ranked.filter_map(|file| Some((readme_rank(file.name.as_bytes())?, file))).min_by_key(|(rank, _)| *rank);
        let Some((_, file)) = best else { return Ok(()) };
        let path = format!("{}/{}", reference.path, file.name);
        let bytes = file.size.unwrap_or_default();
        let mut blob = String::new();
        if let Content::Bytes(content) = self.svn.cat(&path, reference.revision, MAX_README)? {
            blob = hex(&Sha256::digest(&content));
            found.blobs.insert(blob.clone(), content.into());
        }
        found.readme = Some(Readme { name: file.name.clone(), blob, bytes });
        Ok(())
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
