//! Having the disk bring what the start needs, many pages at once.
//!
//! The catalog is loaded from one document after the other. They lie scattered between the versions, a page each, so that
//! from a cold disk each waits for the one before: ten thousand packages took a second from an idle disk and twenty from a
//! busy one. Several threads that read the same pages first leave them in the system's cache in a tenth of that, and cost
//! some hundredths of a second where they were there already.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;

use rusqlite::Connection;

use super::connection;

/// How many read at once: a disk's queue is worth filling, and more brought nothing.
const THREADS: i64 = 16;
/// How many rows one takes at a time.
const ROWS: i64 = 256;

/// What the catalog is loaded from. The largest value of a column can only be found by reading all of each.
const TABLES: [(&str, &str); 2] = [("document", "body"), ("package", "description")];

/// Reads them; how many rows that were. It changes nothing, and what fails is left to whoever reads in earnest. The few
/// rows of a small instance are not worth a thread.
pub(super) fn up(path: &Path) -> i64 {
    TABLES.into_iter().map(|(table, column)| read(path, table, column).unwrap_or(0)).sum()
}

fn read(path: &Path, table: &str, column: &str) -> rusqlite::Result<i64> {
    let last = format!("SELECT coalesce(max(rowid), 0) FROM {table}");
    let last: i64 = open(path)?.query_row(&last, [], |row| row.get(0))?;
    let some = format!("SELECT count(*), max({column}) FROM {table} WHERE rowid > ?1 AND rowid <= ?1 + {ROWS}");
    // Counters of this call only: whoever counts first reads what follows.
    let (next, done) = (AtomicI64::new(0), AtomicI64::new(0));
    let share = || -> rusqlite::Result<()> {
        let connection = open(path)?;
        loop {
            let after = next.fetch_add(ROWS, Ordering::Relaxed);
            if after >= last {
                return Ok(());
            }
            let rows = connection.query_row(&some, [after], |row| row.get::<_, i64>(0))?;
            done.fetch_add(rows, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        for _ in 0..(last / ROWS).min(THREADS) {
            // Without one of them the others do its share, or the load itself.
            let _ = thread::Builder::new().name("database-warmer".to_owned()).spawn_scoped(scope, share);
        }
    });
    Ok(done.into_inner())
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connection::reader(path)?;
    // It is the system that is to keep the pages.
    connection.execute_batch("PRAGMA cache_size = -256")?;
    Ok(connection)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{ROWS, up};
    use crate::store::{connection, migrate};

    #[test]
    fn all_that_is_loaded_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.sqlite");
        assert_eq!(up(&path), 0, "there is no database yet");
        migrate::run(&path).unwrap();
        assert_eq!(up(&path), 0, "there is nothing in it");
        let writer = connection::writer(&path).unwrap();
        writer.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        let mut insert = writer
            .prepare(
                "INSERT INTO document (org_id, listing_id, dev, last_modified, render_key, body)
                 VALUES (1, ?1, 0, 0, '', zeroblob(9000))",
            )
            .unwrap();
        let rows = 3 * ROWS + 7;
        for listing in 0..rows {
            insert.execute([listing]).unwrap();
        }
        assert_eq!(up(&path), rows);
        writer.execute("DELETE FROM document WHERE listing_id % 3 = 0 AND listing_id < 600", []).unwrap();
        assert_eq!(up(&path), rows - 200, "rows of removed packages are missing");
    }
}
