//! What opens an account whose second factor is lost: a few codes, each once. Only their digests are kept.

use rusqlite::Connection;

use super::ids::UserId;
use super::{Result, Tx};
use crate::clock::Timestamp;

/// Gives a person new codes in place of all that there were; without any, the person has none.
///
/// # Errors
/// If the database cannot be written.
pub fn replace(tx: &Tx<'_>, user: UserId, digests: &[[u8; 32]]) -> Result<()> {
    tx.execute("DELETE FROM recovery_code WHERE user_id = ?1", [user])?;
    let mut insert = tx.prepare_cached("INSERT INTO recovery_code (user_id, digest) VALUES (?1, ?2)")?;
    for digest in digests {
        insert.execute((user, digest.as_slice()))?;
    }
    Ok(())
}

/// Uses a code up; whether it was one that had not been used.
///
/// # Errors
/// If the database cannot be written.
pub fn take(tx: &Tx<'_>, user: UserId, digest: &[u8; 32], now: Timestamp) -> Result<bool> {
    let taken = tx.execute(
        "UPDATE recovery_code SET used_at = ?3 WHERE user_id = ?1 AND digest = ?2 AND used_at IS NULL",
        (user, digest.as_slice(), now),
    )?;
    Ok(taken > 0)
}

/// How many codes a person has left.
///
/// # Errors
/// If the database cannot be read.
pub fn left(connection: &Connection, user: UserId) -> Result<i64> {
    Ok(connection
        .prepare_cached("SELECT count(*) FROM recovery_code WHERE user_id = ?1 AND used_at IS NULL")?
        .query_row([user], |row| row.get(0))?)
}
