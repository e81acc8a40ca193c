//! The verb: make the archive of a commit when it is asked for the first time.
//!
//! However many ask at once, one builds. A build goes on when whoever asked has gone away, so that
//! the next one finds it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use metrics::counter;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::appliance::{Appliance, PackageKey};
use crate::secrets::random;
use crate::storage::Digest;
use crate::store::dists::Dist;
use crate::store::{self, dists, packages};
use crate::telemetry::names;
use crate::vcs::{ArchiveRequest, VcsError};

/// How many requests may wait for builds before others are sent away.
const WAITING: usize = 512;
/// How many archives of commits that were never a version's a package keeps.
const CACHED: i64 = 20;
/// How long a commit that is not there is not looked for again.
const ABSENT_FOR: Duration = Duration::from_secs(60);
/// How many absent commits are remembered.
const ABSENT: usize = 10_000;

/// A stored archive.
#[derive(Clone, Debug)]
pub struct Archive {
    /// Where it is.
    pub path: PathBuf,
    /// Its SHA-256.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// Why there is no archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DistError {
    /// No branch, tag or kept ref of the package leads to the commit.
    #[error("the package has no such commit")]
    Unknown,
    /// It was purged for good.
    #[error("the archive was removed for good")]
    Forgotten,
    /// Too many archives are being built.
    #[error("too many archives are being built")]
    Busy {
        /// When to ask again.
        retry_after_seconds: u64,
    },
    /// It cannot be built.
    #[error("{0}")]
    Failed(String),
}

/// The builders of archives; clones share their queue.
#[derive(Clone)]
pub struct Dists {
    shared: Arc<Shared>,
}

type Name = (PackageKey, String);

struct Shared {
    appliance: Appliance,
    runtime: Handle,
    /// A lock for each archive that is being built: whoever holds it builds. The map is locked for
    /// look-ups only, so its own lock is a plain mutex.
    flights: Mutex<HashMap<Name, Arc<tokio::sync::Mutex<()>>>>,
    absent: Mutex<HashMap<Name, Instant>>,
    waiting: Arc<Semaphore>,
    builders: Semaphore,
    /// Commits that were never a version's are built one at a time: they are somebody's special wish.
    unpublished: Semaphore,
}

impl Dists {
    /// Builders that run on the current runtime.
    pub fn new(appliance: Appliance) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self {
            shared: Arc::new(Shared {
                appliance,
                runtime: Handle::current(),
                flights: Mutex::default(),
                absent: Mutex::default(),
                waiting: Arc::new(Semaphore::new(WAITING)),
                builders: Semaphore::new(cores.max(2)),
                unpublished: Semaphore::new(1),
            }),
        }
    }

    /// The archive that an address names by `key`, built now if it is missing.
    ///
    /// # Errors
    /// [`DistError`].
    pub async fn get(&self, package: PackageKey, key: &str) -> Result<Archive, DistError> {
        if let Some(archive) = self.shared.stored(package, key).await? {
            return Ok(archive);
        }
        let name = (package, key.to_owned());
        // A commit that was absent may have been published since.
        if self.shared.is_absent(&name) && self.shared.reference(package, key).await?.is_none() {
            return Err(DistError::Unknown);
        }
        let Ok(permit) = Arc::clone(&self.shared.waiting).try_acquire_owned() else {
            return Err(DistError::Busy { retry_after_seconds: 10 });
        };
        let shared = Arc::clone(&self.shared);
        let build = self.shared.runtime.spawn(async move {
            let built = shared.build_once(name).await;
            drop(permit);
            built
        });
        build
            .await
            .unwrap_or_else(|_| Err(DistError::Failed("The archive's build was interrupted. Try again.".to_owned())))
    }
}

impl Shared {
    /// What is known of the archive.
    async fn known(&self, package: PackageKey, key: &str) -> Result<Option<Dist>, DistError> {
        let key = key.to_owned();
        let known = self.appliance.database.read(move |db| dists::by_key(package.org, db, package.package, &key));
        known.await.map_err(|error| unanswered(&error))
    }

    /// The archive if it is stored already.
    async fn stored(&self, package: PackageKey, key: &str) -> Result<Option<Archive>, DistError> {
        let Some(dist) = self.known(package, key).await? else {
            return Ok(None);
        };
        if dist.forgotten_at.is_some() {
            return Err(DistError::Forgotten);
        }
        let Some(digest) = dist.digest.and_then(|digest| Digest::try_from(digest).ok()) else {
            return Ok(None);
        };
        // A file that somebody lost is built again: the same commit gives the same bytes.
        Ok(self.appliance.storage.find(&digest).map(|path| Archive {
            path,
            digest,
            size: dist.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
        }))
    }

    async fn build_once(&self, name: Name) -> Result<Archive, DistError> {
        let flight = Arc::clone(lock(&self.flights).entry(name.clone()).or_default());
        let turn = flight.lock().await;
        let result = match self.stored(name.0, &name.1).await {
            Ok(Some(archive)) => Ok(archive),
            Ok(None) => self.build(&name).await,
            Err(error) => Err(error),
        };
        drop(turn);
        let mut flights = lock(&self.flights);
        // Two: the map's and ours. More means that others wait for their turn.
        if Arc::strong_count(&flight) <= 2 {
            flights.remove(&name);
        }
        drop(flights);
        if matches!(result, Err(DistError::Unknown)) {
            self.remember_absent(name);
        }
        result
    }

    async fn build(&self, (package, key): &Name) -> Result<Archive, DistError> {
        let reference = self.reference(*package, key).await?;
        let published = reference.is_some();
        // Mirrors are found by the package alone: that it is the organization's is checked here.
        if !published && !self.is_owned(*package).await? {
            return Err(DistError::Unknown);
        }
        let commit = reference.unwrap_or_else(|| key.clone());
        if commit.len() != 40 || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(DistError::Unknown);
        }
        let _special = match published {
            true => None,
            false => self.unpublished.acquire().await.ok(),
        };
        let _builder = self.builders.acquire().await;
        let result = self.archive(*package, key, commit).await;
        let outcome = if result.is_ok() { "built" } else { "failed" };
        counter!(names::DIST_BUILDS, "outcome" => outcome).increment(1);
        result
    }

    async fn is_owned(&self, PackageKey { org, package }: PackageKey) -> Result<bool, DistError> {
        let found = self.appliance.database.read(move |db| packages::by_id(org, db, package)).await;
        found.map(|package| package.is_some()).map_err(|error| unanswered(&error))
    }

    /// The commit of an archive that was ever a version's.
    async fn reference(&self, package: PackageKey, key: &str) -> Result<Option<String>, DistError> {
        let known = self.known(package, key).await?;
        Ok(known.filter(|dist| dist.published).map(|dist| dist.reference))
    }

    async fn archive(&self, package: PackageKey, key: &str, commit: String) -> Result<Archive, DistError> {
        let PackageKey { org, package } = package;
        let refused = |error: std::io::Error| {
            tracing::error!(%error, package.id = package.0, "An archive could not be stored.");
            DistError::Failed("The server cannot store the archive: its disk refuses. Its log says why.".to_owned())
        };
        let out = self.appliance.storage.begin().map_err(refused)?;
        let request =
            ArchiveRequest { mirror: self.appliance.mirror(package), commit: commit.clone(), out: out.to_path_buf() };
        let stats = self.appliance.vcs.archive(request).await.map_err(|error| match error {
            VcsError::UnknownCommit { .. } => DistError::Unknown,
            error => {
                tracing::warn!(%error, package.id = package.0, commit, "An archive could not be built.");
                DistError::Failed(error.to_string())
            }
        })?;
        for warning in &stats.warnings {
            tracing::warn!(package.id = package.0, commit, warning, "An archive is not what it seems.");
        }
        let digest: Digest = random::from_hex(&stats.sha256)
            .ok_or_else(|| DistError::Failed("The archive has no digest.".to_owned()))?;
        self.appliance.storage.store(out, &digest).map_err(refused)?;
        let key = key.to_owned();
        let now = self.appliance.now();
        let size = i64::try_from(stats.bytes).unwrap_or(i64::MAX);
        let evicted = self
            .appliance
            .database
            .write(move |tx| {
                dists::set_built(org, tx, package, &key, (&commit, &digest, size), now)?;
                let evicted = dists::evict_cache(org, tx, package, CACHED)?;
                let mut unused = Vec::new();
                for digest in evicted {
                    if !dists::is_used(tx, &digest)? {
                        unused.push(digest);
                    }
                }
                Ok::<_, store::Error>(unused)
            })
            .await
            .map_err(|error| unanswered(&error))?;
        for digest in evicted.into_iter().filter_map(|digest| Digest::try_from(digest).ok()) {
            self.appliance.storage.remove(&digest).map_err(refused)?;
        }
        let path = self
            .appliance
            .storage
            .find(&digest)
            .ok_or_else(|| DistError::Failed("The archive vanished from the disk.".to_owned()))?;
        Ok(Archive { path, digest, size: stats.bytes })
    }

    fn is_absent(&self, name: &Name) -> bool {
        lock(&self.absent).get(name).is_some_and(|since| since.elapsed() < ABSENT_FOR)
    }

    fn remember_absent(&self, name: Name) {
        let mut absent = lock(&self.absent);
        if absent.len() >= ABSENT {
            absent.retain(|_, since| since.elapsed() < ABSENT_FOR);
        }
        if absent.len() < ABSENT {
            absent.insert(name, Instant::now());
        }
    }
}

fn unanswered(error: &store::Error) -> DistError {
    tracing::error!(%error, "The database did not answer for an archive.");
    DistError::Busy { retry_after_seconds: 5 }
}

/// A panic while one of these is held leaves only a stale entry behind.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
