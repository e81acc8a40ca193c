//! The connections to SQLite: one thread that writes, a few that read.
//!
//! SQLite has one writer anyway; a queue in front of it is fair and never sees `SQLITE_BUSY` from
//! ourselves. Closures that wait together share one transaction and so one `fsync`, each in a
//! savepoint of its own. They are synchronous: nothing can be awaited inside a transaction.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::ids::{OrgId, PackageId, TeamId, UserId};
use super::place::Place;
use super::trouble::Trouble;
use super::{connection, migrate, warm};

/// How many ordinary writes may wait.
const WAITING: usize = 1024;
/// How many webhooks may wait: more are refused, so that the platform sends them again.
const WAITING_HOOKS: usize = 4096;
/// How many closures share a commit at most.
const BATCH: usize = 64;
/// After how long a batch is committed although more is waiting.
const BATCH_TIME: Duration = Duration::from_millis(50);

/// How long a transaction waits for somebody else's lock once one has waited in vain.
const WHILE_LOCKED_OUT: Duration = Duration::from_millis(200);

/// Why the database could not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite refused.
    #[error("the database refused: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file is no database any more.
    #[error(
        "the database is damaged ({0}): keep the file, and restore the newest backup (`check` tells more of the damage)"
    )]
    Damaged(rusqlite::Error),
    /// The shared commit failed, and with it every closure of the batch.
    #[error("the database could not save the change: {0}")]
    Commit(String),
    /// A file next to the database could not be read or written.
    #[error("the data directory could not be used: {0}")]
    Io(#[from] std::io::Error),
    /// The schema could not be brought up to date.
    #[error("the database could not be upgraded: {0}")]
    Migration(String),
    /// The database was written by an older release.
    #[error(
        "the database is of an older release: start the server once, which upgrades it and keeps a copy of what was before"
    )]
    Outdated,
    /// The database was written by a newer release.
    #[error(
        "the database has schema {found}, but this release knows only up to {known}: install the newer release again, or restore the copy in before-upgrade/"
    )]
    TooNew {
        /// The schema of the database.
        found: i64,
        /// The newest schema that this release knows.
        known: i64,
    },
    /// Too much is waiting already.
    #[error("the database is busy: too many changes are waiting")]
    Full,
    /// The database is being closed, or the closure panicked.
    #[error("the database did not answer: the server is stopping")]
    Closed,
    /// A stored value is not what this release understands.
    #[error("the database holds a value that this release does not understand: {0}")]
    Corrupt(String),
}

impl Error {
    /// Whether the database or its disk is unwell, and not what was asked of it: the same may well succeed later.
    pub fn is_trouble(&self) -> bool {
        use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, ReadOnly, SystemIoFailure};
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) => matches!(
                failure.code,
                CannotOpen | DatabaseBusy | DatabaseLocked | DiskFull | ReadOnly | SystemIoFailure
            ),
            Self::Commit(_) | Self::Io(_) | Self::Full => true,
            _ => false,
        }
    }

    /// The same, as damage of the file if SQLite says so.
    fn or_damage(self) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match self {
            Self::Sqlite(error) if matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase)) => {
                Self::Damaged(error)
            }
            other => other,
        }
    }

    /// Whether a unique index refused the row.
    pub fn is_conflict(&self) -> bool {
        matches!(
            self,
            Self::Sqlite(rusqlite::Error::SqliteFailure(failure, _))
                if failure.code == rusqlite::ErrorCode::ConstraintViolation
        )
    }
}

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
            move || write_until_closed(&writer, &place, &queue, observer.as_mut(), &trouble)
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

fn write_until_closed(
    connection: &Connection,
    place: &Place,
    queue: &Queue<(WriteOperation, OwnedSemaphorePermit)>,
    observer: &mut dyn Observer,
    trouble: &Trouble,
) {
    while let Some(first) = queue.take() {
        let started = Instant::now();
        let written_before = connection.total_changes();
        let mut batch = Batch::default();
        let committed = match begin(connection, place) {
            Ok(()) => {
                batch.run(connection, first);
                while batch.lost.is_none() && batch.finishes.len() < BATCH && started.elapsed() < BATCH_TIME {
                    let Some(next) = queue.take_waiting() else { break };
                    batch.run(connection, next);
                }
                let committed = match batch.lost.take() {
                    None => commit(connection),
                    Some(reason) => Err(reason),
                };
                match &committed {
                    Ok(()) => {
                        trouble.ends(connection.total_changes() > written_before);
                        be_patient(connection, connection::BUSY_TIMEOUT);
                    }
                    Err(reason) => trouble.unsaved(reason),
                }
                committed.map_err(Unsaved::Undone)
            }
            Err(reason) => {
                trouble.locked_out(&reason);
                // Whoever waits has waited long enough; whoever comes next is not to wait as long again.
                be_patient(connection, WHILE_LOCKED_OUT);
                let waiting = queue.waiting();
                batch.refuse(connection, first, &reason);
                for _ in 0..waiting {
                    let Some(next) = queue.take_waiting() else { break };
                    batch.refuse(connection, next, &reason);
                }
                Err(Unsaved::Refused(reason))
            }
        };
        if committed.is_ok() && !batch.changes.is_empty() {
            let told = catch_unwind(AssertUnwindSafe(|| observer.committed(connection, &batch.changes)));
            if told.is_err() {
                tracing::error!("Whoever follows the database panicked: it starts anew with the next change.");
            }
        }
        for finish in batch.finishes {
            finish(committed.clone());
        }
    }
    // Folding the log in is a courtesy to whoever copies the file; failing it loses nothing.
    let _ = connection.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE);");
}

/// How long the next transaction waits for a lock that somebody else holds.
fn be_patient(connection: &Connection, patience: Duration) {
    // Setting it cannot fail: it changes the connection only.
    let _ = connection.busy_timeout(patience);
}

fn begin(connection: &Connection, place: &Place) -> Result<(), String> {
    if let Err(reason) = place.check() {
        // Commits that only a log holds which has no name any more go where the next start finds them.
        let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        return Err(reason);
    }
    connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| error.to_string())
}

fn commit(connection: &Connection) -> Result<(), String> {
    connection.execute_batch("COMMIT").map_err(|error| {
        // After a failed commit (disk full) the transaction is still open.
        let _ = connection.execute_batch("ROLLBACK");
        error.to_string()
    })
}

/// The closures that share a transaction.
#[derive(Default)]
struct Batch {
    finishes: Vec<Finish>,
    changes: Vec<Change>,
    /// Why the transaction is gone: after some errors (a full disk among them) SQLite rolls all of it back by itself,
    /// and whatever ran next would commit on its own.
    lost: Option<String>,
}

impl Batch {
    fn run(&mut self, connection: &Connection, (operation, permit): (WriteOperation, OwnedSemaphorePermit)) {
        if let Err(error) = connection.execute_batch("SAVEPOINT closure") {
            self.refuse(connection, (operation, permit), &error.to_string());
            self.notice_loss(connection);
            return;
        }
        let tx = Tx { connection, changes: RefCell::default() };
        let outcome = catch_unwind(AssertUnwindSafe(|| operation(&tx)));
        drop(permit);
        let keep = matches!(outcome, Ok((true, _)));
        let end = if keep { "RELEASE closure" } else { "ROLLBACK TO closure; RELEASE closure" };
        // Ending what is lost already only fails; ending it may also be what loses it.
        let ended = connection.execute_batch(end);
        if self.notice_loss(connection) {
            self.finishes.extend(outcome.ok().map(|(_, finish)| finish));
            return;
        }
        if let Ok((_, finish)) = outcome {
            match ended {
                Ok(()) => self.finishes.push(finish),
                Err(error) => finish(Err(Unsaved::Undone(error.to_string()))),
            }
        }
        if keep {
            for change in tx.changes.into_inner() {
                if !self.changes.contains(&change) {
                    self.changes.push(change);
                }
            }
        }
    }

    /// Whether SQLite has undone the transaction by itself.
    fn notice_loss(&mut self, connection: &Connection) -> bool {
        let lost = connection.is_autocommit();
        if lost {
            self.lost = Some("the database undid the whole transaction: its disk may be full".to_owned());
        }
        lost
    }

    /// Tells the closure's author why it could not run. Its answer can only be had by running it, so it runs where
    /// every write fails.
    fn refuse(
        &mut self,
        connection: &Connection,
        (operation, permit): (WriteOperation, OwnedSemaphorePermit),
        reason: &str,
    ) {
        // Both switches cannot fail: they change the connection only, not the file.
        let _ = connection.execute_batch("PRAGMA query_only = ON");
        let tx = Tx { connection, changes: RefCell::default() };
        if let Ok((_, finish)) = catch_unwind(AssertUnwindSafe(|| operation(&tx))) {
            finish(Err(Unsaved::Refused(reason.to_owned())));
        }
        let _ = connection.execute_batch("PRAGMA query_only = OFF");
        drop(permit);
    }
}

/// Work that waits for a thread. The lock is held for a push or a pop only, never across work, so a
/// plain mutex is right; async callers put, threads take.
struct Queue<T> {
    inner: Arc<(Mutex<Waiting<T>>, Condvar)>,
}

struct Waiting<T> {
    first: VecDeque<T>,
    then: VecDeque<T>,
    closed: bool,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let waiting = Waiting { first: VecDeque::new(), then: VecDeque::new(), closed: false };
        Self { inner: Arc::new((Mutex::new(waiting), Condvar::new())) }
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T> Queue<T> {
    fn put(&self, item: T, first: bool) {
        let mut waiting = lock(&self.inner.0);
        if waiting.closed {
            return;
        }
        if first {
            waiting.first.push_back(item);
        } else {
            waiting.then.push_back(item);
        }
        drop(waiting);
        self.inner.1.notify_one();
    }

    /// Waits for the next piece; `None` once the queue is closed and empty.
    fn take(&self) -> Option<T> {
        let mut waiting = lock(&self.inner.0);
        loop {
            if let Some(item) = waiting.next() {
                return Some(item);
            }
            if waiting.closed {
                return None;
            }
            waiting = self.inner.1.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn take_waiting(&self) -> Option<T> {
        lock(&self.inner.0).next()
    }

    fn waiting(&self) -> usize {
        let waiting = lock(&self.inner.0);
        waiting.first.len() + waiting.then.len()
    }

    fn close(&self) {
        lock(&self.inner.0).closed = true;
        self.inner.1.notify_all();
    }
}

impl<T> Waiting<T> {
    fn next(&mut self) -> Option<T> {
        self.first.pop_front().or_else(|| self.then.pop_front())
    }
}

/// A panic while the lock is held leaves only a queue behind, which stays sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "database_tests.rs"]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests;
