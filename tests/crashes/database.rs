//! The database as somebody sees it who looks at the file beside the server.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags};

use crate::project::Broken;

fn open(data: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(data.join("packagist.sqlite"), flags)?;
    connection.busy_timeout(Duration::from_secs(30))?;
    connection.execute_batch("PRAGMA query_only = ON")?;
    Ok(connection)
}

/// The queue at one moment.
pub struct Queue {
    pub running: i64,
    /// Waiting, and to be taken at once.
    pub due: i64,
    /// Packages with work that waits or runs, and when it is due in seconds from now.
    pub packages: Vec<(i64, i64)>,
    /// Failed work with its reasons.
    pub failed: Vec<(i64, Option<String>)>,
}

/// Reads the queue.
pub fn queue(data: &Path) -> rusqlite::Result<Queue> {
    let connection = open(data)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_micros();
    let now = i64::try_from(now).expect("it is before the year 290,000");
    let count = |question: &str| connection.query_row(question, [now], |row| row.get(0));
    let packages = connection
        .prepare(
            "SELECT coalesce(package_id, 0), (run_at - ?1) / 1000000 FROM job WHERE state IN ('ready', 'running')",
        )?
        .query_map([now], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let failed = connection
        .prepare("SELECT id, error FROM job WHERE state = 'failed'")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(Queue {
        running: count("SELECT count(*) FROM job WHERE state = 'running' AND ?1 > 0")?,
        due: count("SELECT count(*) FROM job WHERE state = 'ready' AND run_at <= ?1")?,
        packages,
        failed,
    })
}

/// The archives that the books call stored: packages and commits.
pub fn archives(data: &Path) -> rusqlite::Result<Vec<(i64, String)>> {
    open(data)?
        .prepare("SELECT package_id, reference FROM dist WHERE digest IS NOT NULL AND forgotten_at IS NULL")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Whether the file is whole and its rows fit together.
pub fn sound(data: &Path) -> Result<(), Broken> {
    let look = || -> rusqlite::Result<(String, i64)> {
        let connection = open(data)?;
        let integrity = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        let strays = connection.prepare("PRAGMA foreign_key_check")?.query_map([], |_| Ok(()))?.count();
        Ok((integrity, i64::try_from(strays).unwrap_or(i64::MAX)))
    };
    match look() {
        Ok((integrity, 0)) if integrity == "ok" => Ok(()),
        Ok((integrity, strays)) => Err(format!("the database is not sound: {integrity}; {strays} rows point nowhere")),
        Err(error) => Err(format!("the database cannot be looked at: {error}")),
    }
}

/// Bytes in the write-ahead log.
pub fn log_bytes(data: &Path) -> u64 {
    std::fs::metadata(data.join("packagist.sqlite-wal")).map_or(0, |metadata| metadata.len())
}
