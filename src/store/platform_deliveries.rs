//! What platforms delivered to the hooks of synchronizations, and where such hooks are.

use rusqlite::{Connection, OptionalExtension};

use super::ids::{HookId, JobId, OrgId, PackageId, SyncId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// How many deliveries a synchronization keeps to be shown; by time, all are kept that a platform may send again.
const SHOWN: i64 = 500;

/// A hook that we installed, as deliveries are checked against it.
#[derive(Clone, Debug)]
pub struct Address {
    /// Its row.
    pub id: HookId,
    /// Whose it is.
    pub org: OrgId,
    /// The synchronization that it serves.
    pub sync: SyncId,
    /// The integration whose deliveries it takes; none if the synchronization is gone.
    pub integration: Option<String>,
    /// What signs deliveries, sealed.
    pub secret: Vec<u8>,
    /// The platform's id of the only repository that it tells of; none: it tells of the whole organization.
    pub repository: Option<String>,
    /// Whether a delivery was signed by the strongest scheme of the platform.
    pub was_signed: bool,
    /// Whether the synchronization is paused.
    pub paused: bool,
    /// Since when calls come that are not signed with the secret.
    pub unsigned_since: Option<Timestamp>,
    /// When the hook, or what it served, was removed.
    pub removed_at: Option<Timestamp>,
}

/// The hook whose address has this digest. Addresses are random and belong to no organization before they are found.
///
/// # Errors
/// If the database cannot be read.
pub fn address(connection: &Connection, digest: &[u8; 32]) -> Result<Option<Address>> {
    Ok(connection
        .prepare_cached(
            "SELECT h.id, h.org_id, h.sync_id, s.integration, h.secret, s.paused_at IS NOT NULL,
                 h.unsigned_since, coalesce(h.removed_at, o.removed_at), h.repository, h.signed_at IS NOT NULL
             FROM platform_hook h LEFT JOIN sync s ON s.org_id = h.org_id AND s.id = h.sync_id
             LEFT JOIN organization o ON o.id = h.org_id WHERE h.digest = ?1",
        )?
        .query_row([digest.as_slice()], |row| {
            Ok(Address {
                id: row.get(0)?,
                org: row.get(1)?,
                sync: row.get(2)?,
                integration: row.get(3)?,
                secret: row.get(4)?,
                paused: row.get(5)?,
                unsigned_since: row.get(6)?,
                removed_at: row.get(7)?,
                repository: row.get(8)?,
                was_signed: row.get(9)?,
            })
        })
        .optional()?)
}

/// The synchronizations that use an installation of a GitHub App, with whether each is paused. The installation says whose
/// they are.
///
/// # Errors
/// If the database cannot be read.
pub fn of_installation(
    connection: &Connection,
    integration: &str,
    installation: i64,
) -> Result<Vec<(OrgId, SyncId, bool)>> {
    connection
        .prepare_cached(
            "SELECT s.org_id, s.id, s.paused_at IS NOT NULL FROM installation i
             JOIN sync s ON s.org_id = i.org_id AND s.credential_id = i.credential_id AND s.integration = i.integration
             JOIN organization o ON o.id = s.org_id AND o.removed_at IS NULL
             WHERE i.integration = ?1 AND i.installation_id = ?2 ORDER BY s.id",
        )?
        .query_map((integration, installation), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The package that a repository is, if it is one that is still updated.
///
/// # Errors
/// If the database cannot be read.
pub fn package_of(org: OrgId, connection: &Connection, sync: SyncId, repository: &str) -> Result<Option<PackageId>> {
    Ok(connection
        .prepare_cached(
            "SELECT r.package_id FROM repository r JOIN package p ON p.id = r.package_id AND p.retired_at IS NULL
             WHERE r.org_id = ?1 AND r.sync_id = ?2 AND r.remote_id = ?3",
        )?
        .query_row((org, sync, repository), |row| row.get(0))
        .optional()?)
}

/// Whether a delivery came before, and what it caused did not fail. A delivery is known by the integration and the
/// platform's name for it, which is the same when it is sent again.
///
/// # Errors
/// If the database cannot be read.
pub fn is_known(connection: &Connection, integration: &str, guid: &str) -> Result<bool> {
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM platform_delivery d LEFT JOIN job j ON j.id = d.job_id
             WHERE d.integration = ?1 AND d.guid = ?2 AND coalesce(j.state, 'done') NOT IN ('failed', 'cancelled'))",
        )?
        .query_row((integration, guid), |row| row.get(0))?)
}

/// A delivery, to be remembered.
#[derive(Clone, Debug)]
pub struct New<'a> {
    /// The integration.
    pub integration: &'a str,
    /// The synchronization.
    pub sync: SyncId,
    /// The hook that it came to; none for those of a GitHub App.
    pub hook: Option<HookId>,
    /// What names it.
    pub guid: &'a str,
    /// What it calls itself.
    pub event: &'a str,
    /// What it was about.
    pub subject: &'a str,
    /// Bytes of its body.
    pub size: i64,
    /// What it caused.
    pub job: Option<JobId>,
}

/// Remembers a delivery.
///
/// # Errors
/// If the database cannot be written.
pub fn record(org: OrgId, tx: &Tx<'_>, new: &New<'_>, now: Timestamp) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO platform_delivery (integration, org_id, sync_id, hook_id, guid, event, subject, size, received_at, job_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (integration, guid) DO UPDATE SET received_at = excluded.received_at, job_id = excluded.job_id",
    )?
    .execute((
        new.integration,
        org,
        new.sync,
        new.hook,
        new.guid,
        new.event,
        new.subject,
        new.size,
        now,
        new.job,
    ))?;
    Ok(())
}

/// Notes that a hook was called and signed rightly, or that it was not (`signed`).
///
/// # Errors
/// If the database cannot be written.
pub fn note_call(org: OrgId, tx: &Tx<'_>, hook: HookId, signed: bool, now: Timestamp) -> Result<()> {
    let sql = if signed {
        "UPDATE platform_hook SET last_delivery_at = ?3, unsigned_since = NULL,
             state = CASE WHEN state IN ('pending', 'failing') THEN 'ok' ELSE state END WHERE org_id = ?1 AND id = ?2"
    } else {
        "UPDATE platform_hook SET unsigned_since = coalesce(unsigned_since, ?3) WHERE org_id = ?1 AND id = ?2"
    };
    tx.prepare_cached(sql)?.execute((org, hook, now))?;
    Ok(())
}

/// Notes that a delivery was signed by the strongest scheme of the platform, from when on no weaker one counts.
///
/// # Errors
/// If the database cannot be written.
pub fn note_signed(org: OrgId, tx: &Tx<'_>, hook: HookId, now: Timestamp) -> Result<()> {
    tx.prepare_cached("UPDATE platform_hook SET signed_at = ?3 WHERE org_id = ?1 AND id = ?2 AND signed_at IS NULL")?
        .execute((org, hook, now))?;
    Ok(())
}

/// A delivery as people see it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// When it came.
    pub received_at: Timestamp,
    /// What it calls itself.
    pub event: String,
    /// What it was about.
    pub subject: String,
    /// Bytes of its body.
    pub size: i64,
    /// What it caused, and how that stands.
    pub job: Option<(JobId, String)>,
}

/// The newest deliveries of a synchronization, newest first.
///
/// # Errors
/// If the database cannot be read.
pub fn newest(org: OrgId, connection: &Connection, sync: SyncId, limit: i64) -> Result<Vec<Shown>> {
    connection
        .prepare_cached(
            "SELECT d.received_at, d.event, d.subject, d.size, j.id, j.state
             FROM platform_delivery d LEFT JOIN job j ON j.id = d.job_id
             WHERE d.org_id = ?1 AND d.sync_id = ?2 ORDER BY d.id DESC LIMIT ?3",
        )?
        .query_map((org, sync, limit.min(SHOWN)), |row| {
            let (job, state): (Option<JobId>, Option<String>) = (row.get(4)?, row.get(5)?);
            Ok(Shown {
                received_at: row.get(0)?,
                event: row.get(1)?,
                subject: row.get(2)?,
                size: row.get(3)?,
                job: job.zip(state),
            })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Forgets deliveries from before an instant, after which no platform sends them again.
///
/// # Errors
/// If the database cannot be written.
pub fn prune(tx: &Tx<'_>, before: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM platform_delivery WHERE received_at < ?1", [before])?;
    Ok(())
}
