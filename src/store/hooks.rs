//! Webhook addresses, and what was delivered to them.
//!
//! An address is known by the digest of its random part. It outlives its package for a while,
//! because platforms go on calling and would show an error that nobody can mend.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::database::Change;
use super::ids::{HookId, JobId, OrgId, PackageId};
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
    /// The sealed secret that calls are signed with; none where the address alone is enough.
    pub signing: Option<Arc<[u8]>>,
    /// Whether a call was signed, so that none is taken any more that only shows the secret.
    pub was_signed: bool,
}

/// Every address of the instance.
///
/// # Errors
/// If the database cannot be read.
pub fn addresses(connection: &Connection) -> Result<Vec<Address>> {
    connection
        .prepare_cached(
            "SELECT id, org_id, package_id, digest, retired_at, removed_at, signing, signed_at IS NOT NULL FROM hook",
        )?
        .query_map([], |row| {
            Ok(Address {
                id: row.get(0)?,
                org: row.get(1)?,
                package: row.get(2)?,
                digest: row.get(3)?,
                retired_at: row.get(4)?,
                removed_at: row.get(5)?,
                signing: row.get::<_, Option<Vec<u8>>>(6)?.map(Into::into),
                was_signed: row.get(7)?,
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

/// Stores the sealed secret that calls have to be signed with, or that none is needed. How they were signed before counts no
/// more.
///
/// # Errors
/// If the database cannot be written.
pub fn set_signing(org: OrgId, tx: &Tx<'_>, id: HookId, sealed: Option<&[u8]>) -> Result<()> {
    tx.execute("UPDATE hook SET signing = ?3, signed_at = NULL WHERE org_id = ?1 AND id = ?2", (org, id, sealed))?;
    tx.changed(Change::Hooks);
    Ok(())
}

/// The sealed secret that calls have to be signed with.
///
/// # Errors
/// If the database cannot be read.
pub fn signing(org: OrgId, connection: &Connection, id: HookId) -> Result<Option<Vec<u8>>> {
    let found: Option<Option<Vec<u8>>> = connection
        .prepare_cached("SELECT signing FROM hook WHERE org_id = ?1 AND id = ?2")?
        .query_row((org, id), |row| row.get(0))
        .optional()?;
    Ok(found.flatten())
}

/// Notes that a call was signed, if none was before.
///
/// # Errors
/// If the database cannot be written.
pub fn note_signed(org: OrgId, tx: &Tx<'_>, id: HookId, now: Timestamp) -> Result<()> {
    let noted = tx
        .prepare_cached("UPDATE hook SET signed_at = ?3 WHERE org_id = ?1 AND id = ?2 AND signed_at IS NULL")?
        .execute((org, id, now))?;
    if noted > 0 {
        tx.changed(Change::Hooks);
    }
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

/// The package's addresses that answer: its own, and replaced ones until they are forgotten.
///
/// # Errors
/// If the database cannot be read.
pub fn answering(org: OrgId, connection: &Connection, package: PackageId) -> Result<Vec<HookId>> {
    connection
        .prepare_cached("SELECT id FROM hook WHERE org_id = ?1 AND package_id = ?2 AND removed_at IS NULL")?
        .query_map((org, package), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
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

/// A delivery as shown to people.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// When it came.
    pub received_at: Timestamp,
    /// Who sent it, as far as its headers say.
    pub provider: String,
    /// What it says that happened.
    pub event: Option<String>,
    /// Bytes of its body.
    pub size: i64,
    /// Whether it came to an address that was replaced.
    pub retired: bool,
    /// What it caused.
    pub job: Option<JobId>,
    /// What it was answered: `queued`, `ping`, ….
    pub outcome: String,
    /// What was understood of it: JSON.
    pub told: Option<String>,
}

/// The package's newest deliveries, newest first.
///
/// # Errors
/// If the database cannot be read.
pub fn deliveries(org: OrgId, connection: &Connection, package: PackageId, limit: i64) -> Result<Vec<Delivery>> {
    connection
        .prepare_cached(
            "SELECT d.received_at, d.provider, d.event, d.size, h.retired_at IS NOT NULL, d.job_id, d.outcome, d.told
             FROM hook h JOIN delivery d ON d.hook_id = h.id
             WHERE h.org_id = ?1 AND h.package_id = ?2 ORDER BY d.received_at DESC, d.id DESC LIMIT ?3",
        )?
        .query_map((org, package, limit), |row| {
            Ok(Delivery {
                received_at: row.get(0)?,
                provider: row.get(1)?,
                event: row.get(2)?,
                size: row.get(3)?,
                retired: row.get(4)?,
                job: row.get(5)?,
                outcome: row.get(6)?,
                told: row.get(7)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// What is recorded of a delivery.
#[derive(Clone, Debug)]
pub struct New<'a> {
    /// Who sent it.
    pub provider: &'a str,
    /// What it says that happened.
    pub event: Option<&'a str>,
    /// Bytes of its body.
    pub size: i64,
    /// What names it, also when it is sent again.
    pub guid: Option<&'a str>,
    /// What it is answered.
    pub outcome: &'a str,
    /// What was understood of it: JSON.
    pub told: Option<&'a str>,
    /// What it caused.
    pub job: Option<JobId>,
}

/// Records a delivery; the hook's oldest go.
///
/// # Errors
/// If the database cannot be written.
pub fn record_delivery(org: OrgId, tx: &Tx<'_>, hook: HookId, new: &New<'_>, now: Timestamp) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO delivery (org_id, hook_id, received_at, provider, event, size, job_id, guid, outcome, told)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute((org, hook, now, new.provider, new.event, new.size, new.job, new.guid, new.outcome, new.told))?;
    tx.prepare_cached(
        "DELETE FROM delivery WHERE hook_id = ?1 AND id <=
             (SELECT id FROM delivery WHERE hook_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
    )?
    .execute((hook, DELIVERIES))?;
    Ok(())
}

/// Notes that somebody who may called the package's hook.
///
/// # Errors
/// If the database cannot be written.
pub fn note_call(org: OrgId, tx: &Tx<'_>, package: PackageId, now: Timestamp) -> Result<()> {
    tx.prepare_cached("UPDATE package SET hook_called_at = ?3 WHERE org_id = ?1 AND id = ?2")?
        .execute((org, package, now))?;
    Ok(())
}

/// Whether a delivery of this name caused work since an instant.
///
/// # Errors
/// If the database cannot be read.
pub fn is_known(org: OrgId, connection: &Connection, hook: HookId, guid: &str, since: Timestamp) -> Result<bool> {
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM delivery
                 WHERE org_id = ?1 AND hook_id = ?2 AND guid = ?3 AND outcome = 'queued' AND received_at >= ?4)",
        )?
        .query_row((org, hook, guid, since), |row| row.get(0))?)
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
