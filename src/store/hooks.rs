//! Webhook addresses, and what was delivered to them.
//!
//! An address is known by the digest of its random part. It outlives its package for a while,
//! because platforms go on calling and would show an error that nobody can mend.

use rusqlite::{Connection, OptionalExtension};

use super::database::Change;
use super::ids::{HookId, OrgId, PackageId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// How many deliveries a hook keeps.
const DELIVERIES: i64 = 50;

/// An address as requests are checked against it.
#[derive(Clone, Debug)]
pub struct Address {
    /// Its row.
    pub id: HookId,
    /// Whose it is.
    pub org: OrgId,
    /// What a call updates.
    pub package: PackageId,
    /// SHA-256 of its random part.
    pub digest: [u8; 32],
    /// When a new address took its place.
    pub retired_at: Option<Timestamp>,
    /// When its package was removed.
    pub removed_at: Option<Timestamp>,
}

/// Every address of the instance.
///
/// # Errors
/// If the database cannot be read.
pub fn addresses(connection: &Connection) -> Result<Vec<Address>> {
    connection
        .prepare_cached("SELECT id, org_id, package_id, digest, retired_at, removed_at FROM hook")?
        .query_map([], |row| {
            Ok(Address {
                id: row.get(0)?,
                org: row.get(1)?,
                package: row.get(2)?,
                digest: row.get(3)?,
                retired_at: row.get(4)?,
                removed_at: row.get(5)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Adds an address, still without its sealed text.
///
/// # Errors
/// If the database cannot be written.
pub fn insert(org: OrgId, tx: &Tx<'_>, package: PackageId, digest: &[u8; 32], now: Timestamp) -> Result<HookId> {
    tx.execute(
        "INSERT INTO hook (org_id, package_id, digest, secret, created_at) VALUES (?1, ?2, ?3, x'', ?4)",
        (org, package, digest.as_slice(), now),
    )?;
    tx.changed(Change::Hooks);
    Ok(HookId(tx.last_insert_rowid()))
}

/// Stores the sealed random part, so that the address can be shown again.
///
/// # Errors
/// If the database cannot be written.
pub fn set_secret(org: OrgId, tx: &Tx<'_>, id: HookId, sealed: &[u8]) -> Result<()> {
    tx.execute("UPDATE hook SET secret = ?3 WHERE org_id = ?1 AND id = ?2", (org, id, sealed))?;
    Ok(())
}

/// The package's address: its row and its sealed random part.
///
/// # Errors
/// If the database cannot be read.
pub fn current(org: OrgId, connection: &Connection, package: PackageId) -> Result<Option<(HookId, Vec<u8>)>> {
    Ok(connection
        .prepare_cached(
            "SELECT id, secret FROM hook
             WHERE org_id = ?1 AND package_id = ?2 AND retired_at IS NULL AND removed_at IS NULL
             ORDER BY id DESC LIMIT 1",
        )?
        .query_row((org, package), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

/// Retires the package's address: it works for a day more.
///
/// # Errors
/// If the database cannot be written.
pub fn retire(org: OrgId, tx: &Tx<'_>, package: PackageId, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE hook SET retired_at = ?3
         WHERE org_id = ?1 AND package_id = ?2 AND retired_at IS NULL",
        (org, package, now),
    )?;
    tx.changed(Change::Hooks);
    Ok(())
}

/// Records a delivery; the hook's oldest go.
///
/// # Errors
/// If the database cannot be written.
pub fn record_delivery(
    org: OrgId,
    tx: &Tx<'_>,
    hook: HookId,
    delivery: (&str, Option<&str>, i64),
    now: Timestamp,
) -> Result<()> {
    let (provider, event, size) = delivery;
    tx.prepare_cached(
        "INSERT INTO delivery (org_id, hook_id, received_at, provider, event, size)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((org, hook, now, provider, event, size))?;
    tx.prepare_cached(
        "DELETE FROM delivery WHERE hook_id = ?1 AND id <=
             (SELECT id FROM delivery WHERE hook_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
    )?
    .execute((hook, DELIVERIES))?;
    Ok(())
}

/// Forgets addresses that were removed or retired before these instants.
///
/// # Errors
/// If the database cannot be written.
pub fn prune(tx: &Tx<'_>, removed: Timestamp, retired: Timestamp) -> Result<()> {
    let gone = tx.execute("DELETE FROM hook WHERE removed_at < ?1 OR retired_at < ?2", (removed, retired))?;
    if gone > 0 {
        tx.changed(Change::Hooks);
    }
    Ok(())
}
