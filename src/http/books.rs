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

/// Another use within this time, in microseconds, is not noted: it would only make the threads fight for a cache line.
const GRAIN: u64 = 10_000_000;
/// How many rows one write takes, so that it holds the database's writer for a moment only.
const ROWS: usize = 1000;
/// How many different installations may wait. More in five seconds is no use of a repository but an attack on it.
const WAITING: usize = 50_000;

/// When tokens last opened something.
#[derive(Default)]
pub(super) struct LastUsed {
    /// By token. Every request reads it, so there is no lock; a token's first use since the start copies the map.
    seen: ArcSwap<HashMap<TokenId, Arc<Use>>>,
    /// Held while the map is copied, so that no token is lost between two copies.
    adding: Mutex<()>,
}

/// From where a token was used, and by what.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Visit {
    /// The client's address.
    pub(super) address: Option<String>,
    /// The client as it calls itself, such as `Composer 2.10.1`.
    pub(super) client: Option<String>,
}

/// A token's last use, in microseconds.
struct Use {
    /// When it was; requests write it.
    at: AtomicI64,
    /// From where; written together with `at`, which is seldom, so that no request pays for it.
    visit: ArcSwap<Visit>,
    /// What of that is written already; only `flush` touches it. Each token has its own, and any other instant is news, not
    /// only a later one: the clock may have been ahead for a while.
    written: AtomicI64,
}

impl LastUsed {
    /// Notes a use; `visit` is asked only when it is news.
    pub(super) fn note(&self, token: TokenId, now: Timestamp, visit: impl FnOnce() -> Visit) {
        let now = now.as_micros();
        match self.seen.load().get(&token) {
            Some(last) => {
                if now.abs_diff(last.at.load(Ordering::Relaxed)) >= GRAIN {
                    last.at.store(now, Ordering::Relaxed);
                    last.visit.store(Arc::new(visit()));
                }
            }
            None => self.add(token, now, visit()),
        }
    }

    #[cold]
    fn add(&self, token: TokenId, now: i64, visit: Visit) {
        let _one_at_a_time = lock(&self.adding);
        let mut seen = HashMap::clone(&self.seen.load());
        seen.entry(token).or_insert_with(|| {
            let (at, written) = (AtomicI64::new(now), AtomicI64::new(i64::MIN));
            Arc::new(Use { at, visit: ArcSwap::from_pointee(visit), written })
        });
        self.seen.store(Arc::new(seen));
    }

    /// Writes the uses since the last time.
    pub(super) async fn flush(&self, database: &Database) {
        let news: Vec<(TokenId, i64, Arc<Use>)> = self
            .seen
            .load()
            .iter()
            .map(|(token, last)| (*token, last.at.load(Ordering::Relaxed), Arc::clone(last)))
            .filter(|(_, at, last)| *at != last.written.load(Ordering::Relaxed))
            .collect();
        for some in news.chunks(ROWS) {
            let rows: Vec<_> = some.iter().map(|(token, at, last)| last_use(*token, *at, &last.visit.load())).collect();
            let result: store::Result<()> = database.write(move |tx| tokens::set_last_used(tx, &rows)).await;
            if let Err(error) = result {
                tracing::warn!(error = %error, "When tokens were last used could not be saved; it is tried again.");
                return;
            }
            for (_, at, last) in some {
                last.written.store(*at, Ordering::Relaxed);
            }
        }
    }
}

fn last_use(token: TokenId, at: i64, visit: &Visit) -> tokens::LastUse {
    let (address, client) = (visit.address.clone(), visit.client.clone());
    tokens::LastUse { token, at: Timestamp::from_micros(at), address, client }
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use std::time::Duration;

    use super::{LastUsed, Visit};
    use crate::clock::Timestamp;
    use crate::store::database::{Change, Observer};
    use crate::store::{self, Database, organizations, tokens};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    struct Nobody;

    impl Observer for Nobody {
        fn committed(&mut self, _: &rusqlite::Connection, _: &[Change]) {}
    }

    #[tokio::test]
    async fn a_clock_that_was_ahead_hides_no_later_use() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("db"), Box::new(Nobody)).unwrap();
        let (org, ids) = database
            .write(|tx| {
                let org = organizations::insert(tx, "acme", "acme", NOW)?;
                let mut ids = Vec::new();
                for digest in 0..2 {
                    let new = tokens::New {
                        access: "read",
                        digest: [digest; 32],
                        prefix: String::new(),
                        last4: String::new(),
                        description: None,
                        expires_at: None,
                    };
                    ids.push(tokens::insert(org, tx, &new, None, NOW)?);
                }
                Ok::<_, store::Error>((org, ids))
            })
            .await
            .unwrap();
        let used = LastUsed::default();
        let ahead = NOW + Duration::from_secs(3600);
        used.note(ids[0], ahead, Visit::default);
        used.flush(&database).await;
        used.note(ids[1], NOW, Visit::default);
        used.flush(&database).await;
        let last = || database.read(move |db| tokens::all(org, db));
        let seen: Vec<_> = last().await.unwrap().into_iter().map(|token| token.last_used_at).collect();
        assert_eq!(seen, [Some(ahead), Some(NOW)]);
        let later = NOW + Duration::from_secs(60);
        used.note(ids[1], later, Visit::default);
        used.note(ids[1], later + Duration::from_secs(1), Visit::default);
        used.flush(&database).await;
        assert_eq!(last().await.unwrap()[1].last_used_at, Some(later), "a second more is not worth a write");
    }
}
