//! One archive: looked for in the books, built by a worker, recorded and stored.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use metrics::counter;
use tempfile::TempPath;
use tokio::runtime::Handle;

use super::memory::State;
use super::{Archive, DistError};
use crate::admin::files;
use crate::appliance::{Appliance, PackageKey};
use crate::publish::archive;
use crate::publish::request::{self, Reason};
use crate::publish::update::UpdateError;
use crate::secrets::random;
use crate::storage::{Digest, Storage};
use crate::store;
use crate::store::archive_failures::{self, ArchiveFailure};
use crate::store::dists::{self, Dist};
use crate::store::packages::{self, Package};
use crate::telemetry::names;
use crate::vcs::{ArchiveStats, VcsError};

/// How many archives of commits that were never a version's a package keeps.
const CACHED: i64 = 20;
/// How long a commit that is not there is not looked for again.
const ABSENT_FOR: Duration = Duration::from_secs(60);
/// How long an archive that cannot be made is not tried again: longer than a try may take.
const FAILED_FOR: Duration = Duration::from_secs(5 * 60);
/// The same, if that is no fault of the commit's and may be over soon.
const ILL_FOR: Duration = Duration::from_secs(30);

/// What is known of an archive.
pub(super) enum Found {
    /// It is stored.
    Stored(Archive),
    /// It is not, but could be built.
    Missing(Wanted),
}

/// A commit whose archive is missing.
pub(super) struct Wanted {
    /// Its id.
    pub(super) commit: String,
    /// The version control system of its repository.
    pub(super) vcs: String,
    /// What the books say of it and its package.
    pub(super) state: State,
}

/// Why an archive was not built.
pub(super) struct Failure {
    /// What everybody is told who waits for it.
    pub(super) error: DistError,
    /// How long it is said again without another try.
    pub(super) remember: Duration,
}

impl From<DistError> for Failure {
    fn from(error: DistError) -> Self {
        Self { error, remember: Duration::ZERO }
    }
}

/// The books' row of an archive, the archive if it is stored, and else the package.
type Known = (Option<Dist>, Option<Archive>, Option<Package>);

/// The archive of a row. A file that somebody lost or cut off is built again: the same commit gives the same bytes.
fn stored(storage: &Storage, dist: &Dist) -> Option<Archive> {
    let digest = Digest::try_from(dist.digest.as_deref()?).ok()?;
    let size = dist.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
    Some(Archive { path: storage.find(&digest, size)?, digest, size })
}

/// Looks archives up and builds them.
pub(super) struct Builder {
    appliance: Appliance,
    runtime: Handle,
}

impl Builder {
    pub(super) fn new(appliance: Appliance, runtime: Handle) -> Self {
        Self { appliance, runtime }
    }

    /// The archive if it is stored, else whether it could be built.
    ///
    /// # Errors
    /// [`DistError::Forgotten`]; [`DistError::Unknown`] if `key` can be no commit of the package.
    pub(super) async fn look_up(&self, package: PackageKey, key: &str) -> Result<Found, DistError> {
        let (dist, stored, package) = self.known(package, key).await?;
        if dist.as_ref().is_some_and(|dist| dist.forgotten_at.is_some()) {
            return Err(DistError::Forgotten);
        }
        if let Some(archive) = stored {
            return Ok(Found::Stored(archive));
        }
        let reference = dist.filter(|dist| dist.published).map(|dist| dist.reference);
        let published = reference.is_some();
        // Mirrors are found by the package alone: that it is the organization's was asked with it.
        let Some(package) = package else { return Err(DistError::Unknown) };
        let state = State { published, refs: package.refs_digest };
        let commit = reference.unwrap_or_else(|| key.to_owned());
        let vcs = package.vcs;
        let is_commit = match vcs.as_str() {
            // Nothing can make it again.
            "custom" | "artifact" | "blocked" => false,
            // What is not published is never asked of the server.
            "svn" => published,
            _ => commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()),
        };
        if is_commit { Ok(Found::Missing(Wanted { commit, vcs, state })) } else { Err(DistError::Unknown) }
    }

    /// What the books say of the archive, where it is stored, and what they say of the package if that is needed and the
    /// organization has it. Whether the file is there is asked on the same thread: it costs less than to change threads.
    async fn known(&self, package: PackageKey, key: &str) -> Result<Known, DistError> {
        let PackageKey { org, package } = package;
        let key = key.to_owned();
        let storage = self.appliance.storage.clone();
        let known = self.appliance.database.read(move |db| {
            let dist = dists::by_key(org, db, package, &key)?;
            let stored = dist.as_ref().and_then(|dist| stored(&storage, dist));
            let package = if stored.is_some() { None } else { packages::by_id(org, db, package)? };
            Ok::<_, store::Error>((dist, stored, package))
        });
        known.await.map_err(|error| unanswered(&error))
    }

    /// Builds the archive of a commit, records and stores it.
    pub(super) async fn build(
        &self,
        package: PackageKey,
        key: &str,
        (commit, vcs): (String, String),
    ) -> Result<Archive, Failure> {
        let result = self.archive(package, key, commit, &vcs).await;
        let outcome = if result.is_ok() { "built" } else { "failed" };
        counter!(names::DIST_BUILDS, "outcome" => outcome).increment(1);
        result
    }

    async fn archive(&self, package: PackageKey, key: &str, commit: String, vcs: &str) -> Result<Archive, Failure> {
        let storage = self.appliance.storage.clone();
        let out = self.blocking(move || storage.begin()).await?;
        let stats = self.write(package, &commit, vcs, out.to_path_buf()).await?;
        let digest: Digest = random::from_hex(&stats.sha256)
            .ok_or_else(|| DistError::Failed("The archive has no digest.".to_owned()))?;
        let path = self.record(package, key, commit, out, (digest, stats.bytes)).await?;
        Ok(Archive { path, digest, size: stats.bytes })
    }

    /// Has a worker write the archive.
    async fn write(&self, package: PackageKey, commit: &str, vcs: &str, out: PathBuf) -> Result<ArchiveStats, Failure> {
        let id = package.package.0;
        let written = archive::write(&self.appliance, package, vcs, commit, out).await.map_err(unasked)?;
        let Some(written) = written else { return Err(DistError::Unknown.into()) };
        let stats = match written {
            Ok(stats) => stats,
            Err(error) => {
                if !matches!(error, VcsError::UnknownCommit { .. }) {
                    tracing::warn!(%error, package.id = id, commit, "An archive could not be built.");
                    self.remember(package, commit, &error).await;
                }
                if matches!(error, VcsError::Corrupt { .. }) {
                    self.repair(package).await;
                }
                return Err(failure(&error));
            }
        };
        for warning in &stats.warnings {
            tracing::warn!(package.id = id, commit, warning, "An archive is not what it seems.");
        }
        Ok(stats)
    }

    /// Has the package's mirror repaired, which an update does: nobody may announce one for hours.
    async fn repair(&self, package: PackageKey) {
        let now = self.appliance.now();
        let queued = self.appliance.database.write(move |tx| request::update(tx, package, Reason::Damage, &[], now));
        if let Err(error) = queued.await {
            tracing::warn!(%error, package.id = package.package.0, "The repair of a mirror could not be queued.");
        }
    }

    /// Lets people see with the package why it has no archive. That it cannot be stored is no worse than the failure.
    async fn remember(&self, PackageKey { org, package }: PackageKey, commit: &str, error: &VcsError) {
        let failed_at = self.appliance.now();
        let failure = ArchiveFailure { reference: commit.to_owned(), error: error.to_string(), failed_at };
        let stored = self.appliance.database.write(move |tx| archive_failures::put(org, tx, package, &failure)).await;
        if let Err(error) = stored {
            tracing::debug!(%error, package.id = package.0, "The failure of an archive could not be stored.");
        }
    }

    /// Records a written archive and puts it in its place; where that is.
    async fn record(
        &self,
        PackageKey { org, package }: PackageKey,
        key: &str,
        commit: String,
        out: TempPath,
        (digest, bytes): (Digest, u64),
    ) -> Result<PathBuf, DistError> {
        let storage = self.appliance.storage.clone();
        let finished = self.blocking(move || storage.finish(out, &digest)).await?;
        let (key, now) = (key.to_owned(), self.appliance.now());
        let size = i64::try_from(bytes).unwrap_or(i64::MAX);
        let recorded = self.appliance.database.write(move |tx| {
            if !dists::set_built(org, tx, package, &key, (&commit, &digest, size), now)? {
                let forgotten = dists::by_key(org, tx, package, &key)?.is_some_and(|dist| dist.forgotten_at.is_some());
                return Ok(Err(if forgotten { DistError::Forgotten } else { DistError::Unknown }));
            }
            archive_failures::clear(org, tx, package, &commit)?;
            let evicted = dists::evict_cache(org, tx, package, &key, CACHED)?;
            // Last, and here: whoever removes archives does so in a transaction too, and finds it recorded.
            Ok::<_, store::Error>(Ok((finished.place()?, evicted)))
        });
        let (path, evicted) = match recorded.await {
            Ok(recorded) => recorded?,
            Err(error) => {
                // The file may be in its place although nothing was saved.
                self.remove(vec![digest.to_vec()]).await;
                return Err(unanswered(&error));
            }
        };
        self.remove(evicted).await;
        let storage = self.appliance.storage.clone();
        self.blocking(move || storage.settle(&digest)).await?;
        Ok(path)
    }

    /// Removes files that no book names any more. What stays is swept at the next start.
    async fn remove(&self, digests: Vec<Vec<u8>>) {
        if digests.is_empty() {
            return;
        }
        if let Err(error) = files::remove_archives(&self.appliance, digests).await {
            tracing::warn!(%error, "Archives that nobody needs stay until the next start.");
        }
    }

    /// Waits for the disk where nobody else waits with us.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, DistError> {
        match self.runtime.spawn_blocking(work).await {
            Ok(done) => done.map_err(|error| refused(&error)),
            Err(_) => Err(super::interrupted()),
        }
    }
}

fn failure(error: &VcsError) -> Failure {
    let remember = match error {
        VcsError::UnknownCommit { .. } => return Failure { error: DistError::Unknown, remember: ABSENT_FOR },
        // Our disk.
        VcsError::Io { .. } | VcsError::NoRoom { .. } => {
            return Failure { error: DistError::Trouble(error.to_string()), remember: ILL_FOR };
        }
        // A mirror that its next update repairs, or a worker that somebody killed.
        VcsError::Corrupt { .. } | VcsError::WorkerCrashed { .. } => ILL_FOR,
        VcsError::HostileTree { .. } | VcsError::TooLarge { .. } => {
            return Failure { error: DistError::Refused(error.to_string()), remember: FAILED_FOR };
        }
        _ => FAILED_FOR,
    };
    Failure { error: DistError::Failed(error.to_string()), remember }
}

/// Why nobody could be asked for the files.
fn unasked(error: UpdateError) -> Failure {
    match error {
        UpdateError::Vcs(error) => failure(&error),
        UpdateError::Store(error) => unanswered(&error).into(),
        other => Failure { error: DistError::Failed(other.to_string()), remember: ILL_FOR },
    }
}

fn refused(error: &io::Error) -> DistError {
    tracing::error!(%error, "The disk refused an archive.");
    DistError::Trouble(error.to_string())
}

fn unanswered(error: &store::Error) -> DistError {
    if let store::Error::Io(error) = error {
        return refused(error);
    }
    if error.is_trouble() {
        tracing::debug!(%error, "An archive could not be recorded.");
        return DistError::Trouble(error.to_string());
    }
    tracing::error!(%error, "The database did not answer for an archive.");
    DistError::Busy { retry_after_seconds: 5 }
}
