//! What requests leave behind, kept in memory and written together from time to time, so that no request waits for
//! the disk. A crash loses at most what was noted since the last time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::clock::Timestamp;
use crate::store::ids::{OrgId, PackageId, TokenId};
use crate::store::{self, Database, installs, tokens};

/// How often [`Installs`] are written.
pub(super) const INSTALLS_EVERY: Duration = Duration::from_secs(5);
/// How often [`LastUsed`] is written.
pub(super) const LAST_USED_EVERY: Duration = Duration::from_secs(60);

/// A later use within this time, in microseconds, is not noted: it would only make the threads fight for a cache line.
const GRAIN: i64 = 10_000_000;
/// How many rows one write takes, so that it holds the database's writer for a moment only.
const ROWS: usize = 1000;
/// How many different installations may wait. More in five seconds is no use of a repository but an attack on it.
const WAITING: usize = 50_000;

/// When tokens last opened something.
#[derive(Default)]
pub(super) struct LastUsed {
    /// Microseconds by token. Every request reads it, so there is no lock; a token's first use since the start copies the map.
    seen: ArcSwap<HashMap<TokenId, Arc<AtomicI64>>>,
    /// Held while the map is copied, so that no token is lost between two copies.
    adding: Mutex<()>,
    /// What is written already; only `flush` touches it.
    written: AtomicI64,
}

impl LastUsed {
    /// Notes a use.
    pub(super) fn note(&self, token: TokenId, now: Timestamp) {
        let now = now.as_micros();
        match self.seen.load().get(&token) {
            Some(at) => {
                if now - at.load(Ordering::Relaxed) >= GRAIN {
                    at.store(now, Ordering::Relaxed);
                }
            }
            None => self.add(token, now),
        }
    }

    #[cold]
    fn add(&self, token: TokenId, now: i64) {
        let _one_at_a_time = lock(&self.adding);
        let mut seen = HashMap::clone(&self.seen.load());
        seen.entry(token).or_insert_with(|| Arc::new(AtomicI64::new(now)));
        self.seen.store(Arc::new(seen));
    }

    /// Writes the uses since the last time.
    pub(super) async fn flush(&self, database: &Database) {
        let written = self.written.load(Ordering::Relaxed);
        let used: Vec<(TokenId, Timestamp)> = self
            .seen
            .load()
            .iter()
            .map(|(token, at)| (*token, at.load(Ordering::Relaxed)))
            .filter(|(_, at)| *at > written)
            .map(|(token, at)| (token, Timestamp::from_micros(at)))
            .collect();
        let Some(newest) = used.iter().map(|(_, at)| at.as_micros()).max() else { return };
        for rows in used.chunks(ROWS) {
            let rows = rows.to_vec();
            let result: store::Result<()> = database.write(move |tx| tokens::set_last_used(tx, &rows)).await;
            if let Err(error) = result {
                tracing::warn!(error = %error, "When tokens were last used could not be saved; it is tried again.");
                return;
            }
        }
        self.written.store(newest, Ordering::Relaxed);
    }
}

/// One version of a package, on one day.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Install {
    pub(super) org: OrgId,
    pub(super) package: PackageId,
    /// Normalized.
    pub(super) version: String,
    /// Days since the epoch.
    pub(super) day: i64,
}

/// What was installed, counted. The lock is held for additions in memory only, by requests that nobody waits for.
#[derive(Default)]
pub(super) struct Installs {
    waiting: Mutex<HashMap<Install, i64>>,
}

impl Installs {
    /// Counts installations.
    pub(super) fn note(&self, installs: impl IntoIterator<Item = Install>) {
        let mut waiting = lock(&self.waiting);
        for install in installs {
            let full = waiting.len() >= WAITING;
            match waiting.get_mut(&install) {
                Some(count) => *count += 1,
                None if full => {}
                None => {
                    waiting.insert(install, 1);
                }
            }
        }
    }

    /// Writes what was counted since the last time.
    pub(super) async fn flush(&self, database: &Database) {
        let mut counted: Vec<(Install, i64)> = std::mem::take(&mut *lock(&self.waiting)).into_iter().collect();
        while !counted.is_empty() {
            let rows = counted.split_off(counted.len().saturating_sub(ROWS));
            let result: store::Result<()> = database
                .write(move |tx| {
                    rows.iter().try_for_each(|(row, count)| {
                        installs::add(row.org, tx, row.package, &row.version, row.day, *count)
                    })
                })
                .await;
            if let Err(error) = result {
                tracing::warn!(error = %error, "Installations could not be counted.");
                return;
            }
        }
    }
}

/// A panic while one of these is held leaves counts behind, which stay sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
