//! The verb: make the archive of a commit when it is asked for the first time.
//!
//! However many ask at once, one builds and all get its result, also when it is an error; errors are remembered for a
//! while. A build goes on when whoever asked has gone away, so that the next one finds it.
//!
//! ```text
//! Dists::get ── stored? ── being built? ── failed lately? ── may it be built? ── build
//!               build      (flights)       memory            lane, rate           build
//! ```

mod build;
mod lane;
mod memory;
mod rate;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared as SharedFuture};
use tokio::runtime::Handle;

use crate::appliance::{Appliance, PackageKey};
use crate::storage::Digest;
use crate::telemetry::names;
use build::{Builder, Failure, Found, Wanted};
use lane::{Lane, Place};
use memory::{Memory, State};
use rate::Rate;

/// How many archives of versions may wait to be built.
const WAITING: usize = 1024;
/// How many of them may be one organization's.
const WAITING_EACH: usize = 256;
/// How many archives of commits that were never a version's may wait to be built.
const WAITING_UNPUBLISHED: usize = 128;
/// How many of them may be one organization's.
const WAITING_UNPUBLISHED_EACH: usize = 32;
/// How many commits that were never a version's an organization may ask for at once.
const BURST: u32 = 30;
/// How long it then takes until it may ask for another one.
const INTERVAL: Duration = Duration::from_secs(1);

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
    /// Too many archives are being built, or too many unknown commits were asked for.
    #[error("too many archives are being built")]
    Busy {
        /// When to ask again.
        retry_after_seconds: u64,
    },
    /// What the commit holds cannot be made an archive of, however often one asks.
    #[error("{0}")]
    Refused(String),
    /// The server's own disk or database refused; it may be built later.
    #[error("{0}")]
    Trouble(String),
    /// It could not be built.
    #[error("{0}")]
    Failed(String),
}

/// The builders of archives; clones share their queue.
#[derive(Clone)]
pub struct Dists {
    shared: Arc<Shared>,
}

/// What an archive is known by: its package, and its address's key.
type Name = (PackageKey, String);
/// A build that has begun, for everybody who waits for it.
type Flight = SharedFuture<BoxFuture<'static, Result<Archive, DistError>>>;

struct Shared {
    runtime: Handle,
    builder: Builder,
    /// Locked for look-ups only, so a plain mutex is right.
    flights: Mutex<HashMap<Name, Flight>>,
    memory: Memory,
    published: Arc<Lane>,
    /// Commits that were never a version's are built apart, one at a time: they are somebody's special wish.
    unpublished: Arc<Lane>,
    rate: Rate,
}

impl Dists {
    /// Builders that run on the current runtime.
    pub fn new(appliance: Appliance) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).max(2);
        // One more than one organization may have, so that none can take all.
        let published =
            lane::Limits { at_once: cores + 1, at_once_each: cores, waiting: WAITING, waiting_each: WAITING_EACH };
        let unpublished = lane::Limits {
            at_once: 1,
            at_once_each: 1,
            waiting: WAITING_UNPUBLISHED,
            waiting_each: WAITING_UNPUBLISHED_EACH,
        };
        let runtime = Handle::current();
        Self {
            shared: Arc::new(Shared {
                builder: Builder::new(appliance, runtime.clone()),
                runtime,
                flights: Mutex::default(),
                memory: Memory::default(),
                published: Arc::new(Lane::new(published)),
                unpublished: Arc::new(Lane::new(unpublished)),
                rate: Rate::new(BURST, INTERVAL),
            }),
        }
    }

    /// The archive that an address names by `key`, built now if it is missing.
    ///
    /// # Errors
    /// [`DistError`].
    pub async fn get(&self, package: PackageKey, key: &str) -> Result<Archive, DistError> {
        match self.shared.builder.look_up(package, key).await? {
            Found::Stored(archive) => Ok(archive),
            Found::Missing(wanted) => self.shared.flight((package, key.to_owned()), &wanted)?.await,
        }
    }
}

impl Dists {
    /// Writes how many builds wait or run into the gauges.
    pub fn report(&self) {
        for (name, lane) in [("published", &self.shared.published), ("unpublished", &self.shared.unpublished)] {
            let taken = u32::try_from(lane.taken()).unwrap_or(u32::MAX);
            ::metrics::gauge!(names::DIST_BUILDS_WAITING, "lane" => name).set(f64::from(taken));
        }
    }
}

impl Shared {
    /// The build of this archive: the one that has begun, or a new one.
    fn flight(self: &Arc<Self>, name: Name, wanted: &Wanted) -> Result<Flight, DistError> {
        let mut flights = lock(&self.flights);
        if let Some(flight) = flights.get(&name) {
            return Ok(flight.clone());
        }
        // Under the lock: whoever finds no flight finds what the last one left in the memory.
        if let Some(error) = self.memory.find(&name, &wanted.state, Instant::now()) {
            return Err(error);
        }
        let place = self.admit(name.0, wanted)?;
        let task = self.runtime.spawn(Arc::clone(self).fly(name.clone(), place));
        let flight = task.map(|ended| ended.unwrap_or_else(|_| Err(interrupted()))).boxed().shared();
        flights.insert(name, flight.clone());
        Ok(flight)
    }

    fn admit(&self, package: PackageKey, wanted: &Wanted) -> Result<Place, DistError> {
        let lane = if wanted.state.published { &self.published } else { &self.unpublished };
        let place = Lane::enter(lane, package.org).ok_or(DistError::Busy { retry_after_seconds: 10 })?;
        if !wanted.state.published {
            let taken = self.rate.take(package.org, Instant::now());
            taken.map_err(|wait| DistError::Busy { retry_after_seconds: wait.as_secs() + 1 })?;
        }
        Ok(place)
    }

    async fn fly(self: Arc<Self>, name: Name, place: Place) -> Result<Archive, DistError> {
        let _landing = Landing { shared: &self, name: &name };
        let _turn = place.turn().await;
        self.build(&name).await.map_err(|(state, failure)| {
            self.memory.remember(name.clone(), state, &failure, Instant::now());
            failure.error
        })
    }

    async fn build(&self, (package, key): &Name) -> Result<Archive, (State, Failure)> {
        // Again: another flight may have landed since, or the commit may have been purged.
        match self.builder.look_up(*package, key).await.map_err(|error| (State::default(), error.into()))? {
            Found::Stored(archive) => Ok(archive),
            Found::Missing(wanted) => {
                let Wanted { commit, vcs, state } = wanted;
                self.builder.build(*package, key, (commit, vcs)).await.map_err(|failure| (state, failure))
            }
        }
    }
}

/// Ends a flight, also one that panicked.
struct Landing<'a> {
    shared: &'a Shared,
    name: &'a Name,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        lock(&self.shared.flights).remove(self.name);
    }
}

fn interrupted() -> DistError {
    DistError::Failed("The archive's build was interrupted. Try again.".to_owned())
}

/// A panic while one of these is held leaves only a stale entry behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
