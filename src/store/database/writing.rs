//! The thread that writes: closures that wait together share one transaction, each in a savepoint of its own.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::OwnedSemaphorePermit;

use super::queue::Queue;
use super::{Change, Finish, Observer, Tx, Unsaved, WriteOperation};
use crate::store::connection;
use crate::store::place::Place;
use crate::store::trouble::Trouble;

/// How many closures share a commit at most.
const BATCH: usize = 64;
/// After how long a batch is committed although more is waiting.
const BATCH_TIME: Duration = Duration::from_millis(50);
/// How long a transaction waits for somebody else's lock once one has waited in vain.
const WHILE_LOCKED_OUT: Duration = Duration::from_millis(200);

/// The writer's thread: takes what waits, as long as the queue is open.
pub(super) fn write_until_closed(
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
