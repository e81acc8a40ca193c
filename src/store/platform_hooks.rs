//! The webhooks that we installed on platforms, and how they are.

use rusqlite::{Connection, Row};

use super::ids::{HookId, OrgId, SyncId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// A webhook of ours on a platform.
#[derive(Clone, Debug)]
pub struct PlatformHook {
    /// Its row.
    pub id: HookId,
    /// The synchronization that it serves.
    pub sync: SyncId,
    /// The platform's id of its repository; none: the organization's own hook.
    pub repository: Option<String>,
    /// That repository's path, while it is known.
    pub path: Option<String>,
    /// The platform's id of the hook; none before it was installed.
    pub remote_id: Option<String>,
    /// The random part of its address, sealed.
    pub address: Vec<u8>,
    /// What signs deliveries, sealed.
    pub secret: Vec<u8>,
    /// `pending`, `ok`, `failing`, `missing` or `refused`.
    pub state: String,
    /// What somebody should know about that.
    pub error: Option<String>,
    /// Whether the platform does not want to call this server, so that it would refuse any other hook as well.
    pub unwanted: bool,
    /// Since when calls come that are not signed with the secret.
    pub unsigned_since: Option<Timestamp>,
    /// When it was last looked after.
    pub checked_at: Option<Timestamp>,
    /// When it last called, signed rightly.
    pub last_delivery_at: Option<Timestamp>,
}

const SELECT: &str = "SELECT h.id, h.sync_id, h.repository, r.path, h.remote_id, h.address, h.secret, h.state, h.error,
        h.unsigned_since, h.checked_at, h.last_delivery_at, h.unwanted
    FROM platform_hook h
    LEFT JOIN repository r ON r.org_id = h.org_id AND r.sync_id = h.sync_id AND r.remote_id = h.repository
    WHERE h.org_id = ?1 AND h.removed_at IS NULL";

fn hook(row: &Row<'_>) -> rusqlite::Result<PlatformHook> {
    Ok(PlatformHook {
        id: row.get(0)?,
        sync: row.get(1)?,
        repository: row.get(2)?,
        path: row.get(3)?,
        remote_id: row.get(4)?,
        address: row.get(5)?,
        secret: row.get(6)?,
        state: row.get(7)?,
        error: row.get(8)?,
        unsigned_since: row.get(9)?,
        checked_at: row.get(10)?,
        last_delivery_at: row.get(11)?,
        unwanted: row.get(12)?,
    })
}

/// The organization's hooks, of one synchronization or of all: the organizations' own first, then by path.
///
/// # Errors
/// If the database cannot be read.
pub fn all(org: OrgId, connection: &Connection, sync: Option<SyncId>) -> Result<Vec<PlatformHook>> {
    let one = if sync.is_some() { "h.sync_id = ?2" } else { "?2 IS NULL" };
    connection
        .prepare_cached(&format!(
            "{SELECT} AND {one} ORDER BY h.sync_id, h.repository IS NOT NULL, r.path COLLATE NOCASE, h.id"
        ))?
        .query_map((org, sync), hook)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Adds a hook that is not installed yet, still without its sealed texts.
///
/// # Errors
/// If the database cannot be written.
pub fn insert(
    org: OrgId,
    tx: &Tx<'_>,
    sync: SyncId,
    repository: Option<&str>,
    digest: &[u8; 32],
    now: Timestamp,
) -> Result<HookId> {
    tx.prepare_cached(
        "INSERT INTO platform_hook (org_id, sync_id, repository, digest, address, secret, created_at)
         VALUES (?1, ?2, ?3, ?4, x'', x'', ?5)",
    )?
    .execute((org, sync, repository, digest.as_slice(), now))?;
    Ok(HookId(tx.last_insert_rowid()))
}

/// Stores the sealed random part of its address, and the sealed secret.
///
/// # Errors
/// If the database cannot be written.
pub fn set_sealed(org: OrgId, tx: &Tx<'_>, id: HookId, address: &[u8], secret: &[u8]) -> Result<()> {
    tx.prepare_cached("UPDATE platform_hook SET address = ?3, secret = ?4 WHERE org_id = ?1 AND id = ?2")?
        .execute((org, id, address, secret))?;
    Ok(())
}

/// What looking after a hook showed.
#[derive(Clone, Debug)]
pub struct Looked {
    /// `ok`, `failing` or `refused`.
    pub state: &'static str,
    /// What somebody should know.
    pub error: Option<String>,
    /// The platform's id of it, where it has one now.
    pub remote_id: Option<String>,
    /// Whether the platform does not want to call this server at all.
    pub unwanted: bool,
}

/// Records what looking after a hook showed.
///
/// # Errors
/// If the database cannot be written.
pub fn set_state(org: OrgId, tx: &Tx<'_>, id: HookId, looked: &Looked, now: Timestamp) -> Result<()> {
    tx.prepare_cached(
        "UPDATE platform_hook SET state = ?3, error = ?4, remote_id = ?5, checked_at = ?6, unwanted = ?7,
             unsigned_since = CASE WHEN ?3 = 'ok' THEN NULL ELSE unsigned_since END
         WHERE org_id = ?1 AND id = ?2",
    )?
    .execute((org, id, looked.state, &looked.error, &looked.remote_id, now, looked.unwanted))?;
    Ok(())
}

/// Marks a hook as removed; its address is answered kindly for a while.
///
/// # Errors
/// If the database cannot be written.
pub fn remove(org: OrgId, tx: &Tx<'_>, id: HookId, now: Timestamp) -> Result<()> {
    tx.prepare_cached("UPDATE platform_hook SET removed_at = ?3 WHERE org_id = ?1 AND id = ?2 AND removed_at IS NULL")?
        .execute((org, id, now))?;
    Ok(())
}

/// Marks all hooks of a synchronization as removed.
///
/// # Errors
/// If the database cannot be written.
pub fn remove_all(org: OrgId, tx: &Tx<'_>, sync: SyncId, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE platform_hook SET removed_at = ?3 WHERE org_id = ?1 AND sync_id = ?2 AND removed_at IS NULL",
        (org, sync, now),
    )?;
    Ok(())
}

/// The repositories of a synchronization that should have a hook of their own where the organization has none: those that
/// are packages, and can be changed.
///
/// # Errors
/// If the database cannot be read.
pub fn wanted(org: OrgId, connection: &Connection, sync: SyncId) -> Result<Vec<(String, String)>> {
    connection
        .prepare_cached(
            "SELECT remote_id, path FROM repository
             WHERE org_id = ?1 AND sync_id = ?2 AND package_id IS NOT NULL AND gone_at IS NULL
                 AND state IN ('active', 'empty') ORDER BY path",
        )?
        .query_map((org, sync), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The hook that tells of a package's pushes: its repository's own, or else the organization's.
///
/// # Errors
/// If the database cannot be read.
pub fn of_package(org: OrgId, connection: &Connection, package: super::ids::PackageId) -> Result<Option<PlatformHook>> {
    let found = connection
        .prepare_cached(&format!(
            "{SELECT} AND EXISTS (SELECT 1 FROM repository p WHERE p.org_id = h.org_id AND p.sync_id = h.sync_id
                 AND p.package_id = ?2 AND (h.repository IS NULL OR h.repository = p.remote_id))
             ORDER BY h.state IN ('ok', 'failing') DESC, h.repository IS NULL, h.id LIMIT 1"
        ))?
        .query_map((org, package), hook)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(found.into_iter().next())
}

/// What is wrong with the hooks of a synchronization that is not paused.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// The synchronization.
    pub sync: SyncId,
    /// How many hooks are failing, or wanted in vain because the platform does not want to call this server.
    pub count: i64,
    /// What one of them says.
    pub error: Option<String>,
}

/// What somebody should do something about: hooks that the platform switched off, or does not want to call.
///
/// # Errors
/// If the database cannot be read.
pub fn troubles(org: OrgId, connection: &Connection) -> Result<Vec<Trouble>> {
    connection
        .prepare_cached(
            "SELECT h.sync_id, count(*), min(h.error) FROM platform_hook h
             JOIN sync s ON s.org_id = h.org_id AND s.id = h.sync_id AND s.paused_at IS NULL
             WHERE h.org_id = ?1 AND h.removed_at IS NULL
                 AND (h.state = 'failing' OR (h.state = 'refused' AND h.unwanted = 1))
             GROUP BY h.sync_id ORDER BY h.sync_id",
        )?
        .query_map([org], |row| Ok(Trouble { sync: row.get(0)?, count: row.get(1)?, error: row.get(2)? }))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Forgets hooks that were removed before an instant.
///
/// # Errors
/// If the database cannot be written.
pub fn prune(tx: &Tx<'_>, before: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM platform_hook WHERE removed_at < ?1", [before])?;
    Ok(())
}
