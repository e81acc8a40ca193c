//! The connections to SQLite: one thread that writes, a few that read.
//!
//! SQLite has one writer anyway; a queue in front of it is fair and never sees `SQLITE_BUSY` from
//! ourselves. Closures that wait together share one transaction and so one `fsync`, each in a
//! savepoint of its own. They are synchronous: nothing can be awaited inside a transaction.

mod error;
mod queue;
mod writing;

use std::cell::RefCell;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

pub use error::Error;
use queue::{Queue, lock};

use super::ids::{OrgId, PackageId, TeamId, UserId};
use super::place::Place;
use super::trouble::Trouble;
use super::{connection, migrate, warm};

/// How many ordinary writes may wait.
const WAITING: usize = 1024;
/// How many webhooks may wait: more are refused, so that the platform sends them again.
const WAITING_HOOKS: usize = 4096;

/// What a transaction changed that somebody keeps a copy of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// An organization was added, renamed or removed, or its vendors changed.
    Organization(OrgId),
    /// A package was added or removed, or its names, documents or description changed.
    Package(OrgId, PackageId),
    /// The organization's tokens changed.
    Tokens(OrgId),
    /// An account, its tokens or the platform accounts that are connected to it changed.
    User(UserId),
    /// What one person may see in the organization changed: role, teams, or grants.
    Person(OrgId, UserId),
    /// A team was added, moved or removed, or what it has changed.
    Team(OrgId, TeamId),
    /// Anything about people's access to the organization may have changed.
    Access(OrgId),
    /// Webhook addresses changed.
    Hooks,
    /// Work was queued.
    Jobs,
}

/// Whoever must know a commit before its author is answered: the catalog.
pub trait Observer: Send {
    /// Called on the writer thread after each commit, with its connection.
    fn committed(&mut self, connection: &Connection, changes: &[Change]);
}

/// An open write transaction, shared with others behind savepoints.
pub struct Tx<'a> {
    connection: &'a Connection,
    changes: RefCell<Vec<Change>>,
}

impl Tx<'_> {
    /// Tells the observer, after the commit, that something changed.
    pub fn changed(&self, change: Change) {
        let mut changes = self.changes.borrow_mut();
        if !changes.contains(&change) {
            changes.push(change);
        }
    }
}

impl Deref for Tx<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

/// Why nothing of a closure was saved.
#[derive(Clone)]
enum Unsaved {
    /// It ran, and what it did was undone.
    Undone(String),
    /// It could not run in earnest, so that its own answer says nothing.
    Refused(String),
}

type Finish = Box<dyn FnOnce(Result<(), Unsaved>) + Send>;
type WriteOperation = Box<dyn FnOnce(&Tx<'_>) -> (bool, Finish) + Send>;
type ReadOperation = Box<dyn FnOnce(&Connection) + Send>;

/// A handle on the database; clones share the same connections.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    writes: Queue<(WriteOperation, OwnedSemaphorePermit)>,
    reads: Queue<ReadOperation>,
    ordinary: Arc<Semaphore>,
    hooks: Arc<Semaphore>,
    trouble: Arc<Trouble>,
    /// Joined when the last handle goes, so that the write-ahead log is folded in before the
    /// instance lock is let go. Only `Drop` takes it.
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

impl Database {
    /// Whether the database at `path` has this release's schema; only a server upgrades one.
    ///
    /// # Errors
    /// [`Error::Outdated`] or [`Error::TooNew`] if not.
    pub fn require_current(path: &Path) -> Result<(), Error> {
        migrate::require_current(path).map_err(Error::or_damage)
    }

    /// Opens the database at `path`, creating or upgrading it, and starts its threads.
    ///
    /// `observer` is called with the connection once before anything is written, so that it starts
    /// from what is stored, and after each commit.
    ///
    /// # Errors
    /// If the file cannot be opened, upgraded, or was written by a newer release.
    pub fn open(path: &Path, mut observer: Box<dyn Observer>) -> Result<Self, Error> {
        migrate::run(path).map_err(Error::or_damage)?;
        let writer = connection::writer(path)?;
        warm::up(path);
        observer.committed(&writer, &[]);
        let place = Place::of(path)?;
        let shared = Arc::new(Shared {
            writes: Queue::default(),
            reads: Queue::default(),
            ordinary: Arc::new(Semaphore::new(WAITING)),
            hooks: Arc::new(Semaphore::new(WAITING_HOOKS)),
            trouble: Arc::default(),
            threads: Mutex::default(),
        });
        let mut threads = vec![spawn("database-writer", {
            let (queue, trouble) = (shared.writes.clone(), Arc::clone(&shared.trouble));
            move || writing::write_until_closed(&writer, &place, &queue, observer.as_mut(), &trouble)
        })?];
        let readers = thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 4));
        for _ in 0..readers {
            let reader = connection::reader(path)?;
            let queue = shared.reads.clone();
            threads.push(spawn("database-reader", move || {
                while let Some(operation) = queue.take() {
                    // A question that panics has no answer, but the next one has: whoever asked is told by the
                    // dropped channel, and the panic has been reported already.
                    let _ = catch_unwind(AssertUnwindSafe(|| operation(&reader)));
                }
            })?);
        }
        *lock(&shared.threads) = threads;
        Ok(Self { shared })
    }

    /// Why nothing can be written at the moment, as far as is known. It has been logged.
    #[must_use]
    pub fn trouble(&self) -> Option<Arc<str>> {
        self.shared.trouble.reason()
    }

    /// Runs `change` in a transaction and answers after its commit, and after the observer knows.
    ///
    /// An error of the closure undoes only its own part.
    ///
    /// # Errors
    /// The closure's, or an [`Error`] turned into it when the commit failed.
    pub async fn write<T, E, F>(&self, change: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let permit = Arc::clone(&self.shared.ordinary).acquire_owned().await.map_err(|_| Error::Closed)?;
        self.submit(change, permit, false).await
    }

    /// Like [`Database::write`], for webhooks: taken before anything else, refused when too many wait.
    ///
    /// # Errors
    /// [`Error::Full`] when nothing more can wait, else as [`Database::write`].
    pub async fn write_hook<T, E, F>(&self, change: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let permit = Arc::clone(&self.shared.hooks).try_acquire_owned().map_err(|_| Error::Full)?;
        self.submit(change, permit, true).await
    }

    async fn submit<T, E, F>(&self, change: F, permit: OwnedSemaphorePermit, first: bool) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let operation: WriteOperation = Box::new(move |tx| {
            let result = change(tx);
            let keep = result.is_ok();
            let finish: Finish = Box::new(move |committed| {
                let result = match committed {
                    Ok(()) => result,
                    // The closure's own error says more than that nothing was saved.
                    Err(Unsaved::Undone(reason)) => result.and_then(|_| Err(Error::Commit(reason).into())),
                    Err(Unsaved::Refused(reason)) => Err(Error::Commit(reason).into()),
                };
                // Whoever asked may have gone away: the change stands all the same.
                let _ = answer.send(result);
            });
            (keep, finish)
        });
        self.shared.writes.put((operation, permit), first);
        answered.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// Runs `question` on one consistent state of the database.
    ///
    /// # Errors
    /// The question's own.
    pub async fn read<T, E, F>(&self, question: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let operation: ReadOperation = Box::new(move |connection| {
            let result = match connection.unchecked_transaction() {
                Ok(snapshot) => question(&snapshot),
                Err(error) => Err(Error::from(error).into()),
            };
            let _ = answer.send(result);
        });
        self.shared.reads.put(operation, false);
        answered.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.writes.close();
        self.reads.close();
        let threads = std::mem::take(&mut *lock(&self.threads));
        for thread in threads {
            // The last handle may be dropped inside a closure; a thread cannot join itself.
            if thread.thread().id() != thread::current().id() {
                // A thread that panicked has already said so.
                let _ = thread.join();
            }
        }
    }
}

fn spawn<F>(name: &str, run: F) -> std::io::Result<thread::JoinHandle<()>>
where
    F: FnOnce() + Send + 'static,
{
    thread::Builder::new().name(name.to_owned()).spawn(run)
}

#[cfg(test)]
#[path = "database_tests.rs"]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests;
