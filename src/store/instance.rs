//! Facts about the instance as a whole, by name.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::{Result, Tx, connection};

/// The value stored under `name`.
///
/// # Errors
/// If the database cannot be read.
pub fn setting(connection: &Connection, name: &str) -> Result<Option<String>> {
    Ok(connection
        .prepare_cached("SELECT value FROM setting WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?)
}

/// Stores `value` under `name`.
///
/// # Errors
/// If the database cannot be written.
pub fn set(tx: &Tx<'_>, name: &str, value: &str) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO setting (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )?
    .execute([name, value])?;
    Ok(())
}

/// A connection for looking at a database that another process may be using; it cannot write.
///
/// # Errors
/// If the file cannot be opened.
pub fn inspect(path: &Path) -> Result<Connection> {
    Ok(connection::reader(path)?)
}

/// Whether the database file is sound; the first finding if not.
///
/// # Errors
/// If the check could not run.
pub fn integrity(connection: &Connection) -> Result<Option<String>> {
    let finding: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((finding != "ok").then_some(finding))
}
