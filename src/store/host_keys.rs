//! The keys by which SSH servers are recognized. They are the instance's: an organization's own could make the others
//! believe in its server.

use rusqlite::{Connection, Row};

use super::{Result, Tx};
use crate::clock::Timestamp;

/// A host key that is believed.
#[derive(Clone, Debug)]
pub struct HostKey {
    /// The host in lower case, an IPv6 address in brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its kind, such as `ssh-ed25519`.
    pub kind: String,
    /// The key in base64.
    pub key: String,
    /// `SHA256:…`
    pub fingerprint: String,
    /// Why it is believed.
    pub source: String,
    /// Since when; none for a key that came with the program.
    pub first_seen: Option<Timestamp>,
}

/// A key that came with the program.
pub const PRESET: &str = "preset";
/// A key that was seen when nothing was known of its host.
pub const TOFU: &str = "tofu";
/// A key that an administrator accepted.
pub const ADMIN: &str = "admin";

const SELECT: &str = "SELECT host, port, type, key, fingerprint, source, first_seen FROM host_key";

fn host_key(row: &Row<'_>) -> rusqlite::Result<HostKey> {
    Ok(HostKey {
        host: row.get(0)?,
        port: row.get(1)?,
        kind: row.get(2)?,
        key: row.get(3)?,
        fingerprint: row.get(4)?,
        source: row.get(5)?,
        first_seen: row.get(6)?,
    })
}

/// All of them, by host.
///
/// # Errors
/// If the database cannot be read.
pub fn all(connection: &Connection) -> Result<Vec<HostKey>> {
    connection
        .prepare_cached(&format!("{SELECT} ORDER BY host, port, id"))?
        .query_map([], host_key)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Those of one host and port.
///
/// # Errors
/// If the database cannot be read.
pub fn of_host(connection: &Connection, host: &str, port: u16) -> Result<Vec<HostKey>> {
    connection
        .prepare_cached(&format!("{SELECT} WHERE host = ?1 AND port = ?2 ORDER BY id"))?
        .query_map((host, port), host_key)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Adds a key; whether it was not there before.
///
/// # Errors
/// If the database cannot be written.
pub fn insert(tx: &Tx<'_>, key: &HostKey) -> Result<bool> {
    let rows = tx.execute(
        "INSERT INTO host_key (host, port, type, key, fingerprint, source, first_seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (host, port, key) DO NOTHING",
        (&key.host, key.port, &key.kind, &key.key, &key.fingerprint, &key.source, key.first_seen),
    )?;
    Ok(rows > 0)
}

/// Removes the key with this fingerprint, or all of the host; how many there were.
///
/// # Errors
/// If the database cannot be written.
pub fn remove(tx: &Tx<'_>, host: &str, port: u16, fingerprint: Option<&str>) -> Result<usize> {
    Ok(tx.execute(
        "DELETE FROM host_key WHERE host = ?1 AND port = ?2 AND (?3 IS NULL OR fingerprint = ?3)",
        (host, port, fingerprint),
    )?)
}
