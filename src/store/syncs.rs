//! Synchronizations: which organizations of platforms are followed, by what credential, and how that goes.

use std::collections::BTreeSet;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};

use super::database::Change;
use super::ids::{CredentialId, JobId, OrgId, SyncId};
use super::{Error, Result, Tx};
use crate::clock::Timestamp;

/// A synchronization.
#[derive(Clone, Debug)]
pub struct Sync {
    /// Its row.
    pub id: SyncId,
    /// The integration that the organization is of.
    pub integration: String,
    /// What people call the organization there.
    pub remote: String,
    /// The platform's id of it; none before the first run.
    pub remote_id: Option<String>,
    /// What it reads with.
    pub credential: Option<CredentialId>,
    /// That credential's name.
    pub credential_name: Option<String>,
    /// Whether owners there are owners here.
    pub primary: bool,
    /// Which repositories become packages: `all` or `new`.
    pub packages: String,
    /// Whether members may read what the platform shows to everybody.
    pub follow_visibility: bool,
    /// Whether planners of GitLab read code.
    pub planners: bool,
    /// The projects whose repositories are wanted; none: all.
    pub projects: Vec<Project>,
    /// When it was added.
    pub created_at: Timestamp,
    /// Since when it is paused.
    pub paused_at: Option<Timestamp>,
    /// Whether a run is under way.
    pub running: bool,
    /// When the last run began.
    pub last_run_at: Option<Timestamp>,
    /// What came of it: `ok`, `held` or `failed`.
    pub outcome: Option<String>,
    /// Why it failed or is held, or what it waits for.
    pub error: Option<String>,
    /// When everything was last read to its end.
    pub confirmed_at: Option<Timestamp>,
    /// Since when what it found does not count, because that is too long ago.
    pub stale_at: Option<Timestamp>,
    /// Since when the platform shuts out what it reads with, a GitHub App's installation.
    pub suspended_at: Option<Timestamp>,
    /// When it runs again by itself.
    pub next_run_at: Timestamp,
    /// When the run begins that is queued.
    pub queued_for: Option<Timestamp>,
    /// The digest of the plan that waits for a yes.
    pub held_digest: Option<String>,
    /// What that plan removes: JSON.
    pub held_plan: Option<String>,
    /// Since when it waits.
    pub held_at: Option<Timestamp>,
}

/// A project of an organization there that has projects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// What people call it.
    pub key: String,
    /// The platform's id of it.
    pub id: String,
}

impl Sync {
    /// The keys of the chosen projects; none: all are followed.
    #[must_use]
    pub fn project_keys(&self) -> Vec<&str> {
        self.projects.iter().map(|project| project.key.as_str()).collect()
    }

    /// In the contract's words: `new`, `ok`, `running`, `held` or `failed`.
    #[must_use]
    pub fn status(&self) -> &str {
        if self.running { "running" } else { self.outcome.as_deref().unwrap_or("new") }
    }

    /// When what came to nothing is tried again by itself, such as when the platform wanted to be left alone.
    #[must_use]
    pub fn resumes_at(&self, now: Timestamp) -> Option<Timestamp> {
        let waits = self.error.is_some() && !self.running && self.held_digest.is_none();
        let scheduled = Some(self.next_run_at).filter(|_| self.outcome.as_deref() != Some("failed"));
        self.queued_for.or(scheduled).filter(|at| *at > now && waits && self.paused_at.is_none())
    }
}

const SELECT: &str = "SELECT s.id, s.integration, s.remote, s.remote_id, s.credential_id,
        (SELECT c.name FROM credential c WHERE c.org_id = s.org_id AND c.id = s.credential_id),
        s.is_primary, s.packages, s.follow_visibility, s.created_at, s.paused_at,
        EXISTS (SELECT 1 FROM job j WHERE j.dedupe_key = 'sync_organization:' || s.id AND j.state = 'running'),
        s.last_run_at, s.outcome, s.error, s.confirmed_at, s.stale_at, s.next_run_at,
        s.held_digest, s.held_plan, s.held_at,
        (SELECT j.run_at FROM job j WHERE j.dedupe_key = 'sync_organization:' || s.id AND j.state = 'ready'),
        (SELECT i.suspended_at FROM installation i WHERE i.org_id = s.org_id AND i.credential_id = s.credential_id),
        s.planners, s.projects
    FROM sync s";

fn sync(row: &Row<'_>) -> rusqlite::Result<Sync> {
    Ok(Sync {
        id: row.get(0)?,
        integration: row.get(1)?,
        remote: row.get(2)?,
        remote_id: row.get(3)?,
        credential: row.get(4)?,
        credential_name: row.get(5)?,
        primary: row.get(6)?,
        packages: row.get(7)?,
        follow_visibility: row.get(8)?,
        created_at: row.get(9)?,
        paused_at: row.get(10)?,
        running: row.get(11)?,
        last_run_at: row.get(12)?,
        outcome: row.get(13)?,
        error: row.get(14)?,
        confirmed_at: row.get(15)?,
        stale_at: row.get(16)?,
        next_run_at: row.get(17)?,
        held_digest: row.get(18)?,
        held_plan: row.get(19)?,
        held_at: row.get(20)?,
        queued_for: row.get(21)?,
        suspended_at: row.get(22)?,
        planners: row.get(23)?,
        projects: projects(&row.get::<_, String>(24)?)?,
    })
}

fn projects(json: &str) -> rusqlite::Result<Vec<Project>> {
    // Nobody but this server writes it; to take what cannot be read for all projects would add what nobody wanted.
    serde_json::from_str(json)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(24, Type::Text, Box::new(error)))
}

/// What a new synchronization is made of.
#[derive(Clone, Debug)]
pub struct New {
    /// The integration; it must be recorded.
    pub integration: String,
    /// What people call the organization there.
    pub remote: String,
    /// The platform's id of it, where it is known.
    pub remote_id: Option<String>,
    /// What it reads with.
    pub credential: CredentialId,
    /// Whether owners there are owners here.
    pub primary: bool,
    /// Which repositories become packages: `all` or `new`.
    pub packages: &'static str,
    /// Whether what the platform shows to everybody counts for members.
    pub follow_visibility: bool,
}

/// Adds a synchronization, which is due at once.
///
/// # Errors
/// A conflict if there is one of that organization, or another primary one.
pub fn insert(org: OrgId, tx: &Tx<'_>, new: &New, now: Timestamp) -> Result<SyncId> {
    tx.execute(
        "INSERT INTO sync (org_id, integration, remote, remote_id, credential_id, is_primary, packages, follow_visibility,
             created_at, next_run_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)",
        rusqlite::params![
            org,
            &new.integration,
            &new.remote,
            &new.remote_id,
            new.credential,
            new.primary,
            new.packages,
            new.follow_visibility,
            now
        ],
    )?;
    let id = SyncId(tx.last_insert_rowid());
    tx.changed(Change::Access(org));
    Ok(id)
}

/// The organization's synchronizations, in the order they were added.
///
/// # Errors
/// If the database cannot be read.
pub fn all(org: OrgId, connection: &Connection) -> Result<Vec<Sync>> {
    connection
        .prepare_cached(&format!("{SELECT} WHERE s.org_id = ?1 ORDER BY s.id"))?
        .query_map([org], sync)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The synchronization of this row.
///
/// # Errors
/// If the database cannot be read.
pub fn by_id(org: OrgId, connection: &Connection, id: SyncId) -> Result<Option<Sync>> {
    Ok(connection
        .prepare_cached(&format!("{SELECT} WHERE s.org_id = ?1 AND s.id = ?2"))?
        .query_row((org, id), sync)
        .optional()?)
}

/// The synchronizations that read with a credential.
///
/// # Errors
/// If the database cannot be read.
pub fn using(org: OrgId, connection: &Connection, credential: CredentialId) -> Result<Vec<Sync>> {
    connection
        .prepare_cached(&format!("{SELECT} WHERE s.org_id = ?1 AND s.credential_id = ?2 ORDER BY s.id"))?
        .query_map((org, credential), sync)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The synchronizations of all organizations that are due. One whose credential was refused waits until that is another, and
/// one that runs says itself when it is due again.
///
/// # Errors
/// If the database cannot be read.
pub fn due(connection: &Connection, now: Timestamp) -> Result<Vec<(OrgId, SyncId)>> {
    connection
        .prepare_cached(
            // Times beyond any interval were written by a clock that was ahead.
            "SELECT s.org_id, s.id FROM sync s
             LEFT JOIN credential c ON c.org_id = s.org_id AND c.id = s.credential_id
             WHERE (s.next_run_at <= ?1 OR s.next_run_at > ?1 + 90 * 86400000000) AND s.paused_at IS NULL
                 AND c.status IS NOT 'refused'
                 AND NOT EXISTS (SELECT 1 FROM job j
                     WHERE j.state = 'running' AND j.dedupe_key = 'sync_organization:' || s.id)
                 AND s.org_id IN (SELECT id FROM organization WHERE removed_at IS NULL)
             ORDER BY s.next_run_at",
        )?
        .query_map([now], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The synchronizations of all organizations whose findings nobody confirmed since `oldest`, and that count still.
///
/// # Errors
/// If the database cannot be read.
pub fn ageing(connection: &Connection, oldest: Timestamp) -> Result<Vec<(OrgId, SyncId)>> {
    connection
        .prepare_cached(
            "SELECT org_id, id FROM sync WHERE coalesce(confirmed_at, created_at) <= ?1 AND stale_at IS NULL
                 AND org_id IN (SELECT id FROM organization WHERE removed_at IS NULL)",
        )?
        .query_map([oldest], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The synchronizations of all organizations whose findings do not count because nobody confirmed them for too long, with
/// when somebody last did.
///
/// # Errors
/// If the database cannot be read.
pub fn stale(connection: &Connection) -> Result<Vec<(OrgId, SyncId, Timestamp)>> {
    connection
        .prepare_cached("SELECT org_id, id, coalesce(confirmed_at, created_at) FROM sync WHERE stale_at IS NOT NULL")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Says since when what a synchronization found does not count; none: it counts.
///
/// # Errors
/// If the database cannot be written.
pub fn set_stale(org: OrgId, tx: &Tx<'_>, id: SyncId, since: Option<Timestamp>) -> Result<()> {
    let changed = tx.execute(
        "UPDATE sync SET stale_at = ?3 WHERE org_id = ?1 AND id = ?2 AND (stale_at IS NULL) <> (?3 IS NULL)",
        (org, id, since),
    )?;
    if changed > 0 {
        tx.changed(Change::Access(org));
    }
    Ok(())
}

/// Makes all synchronizations due, whatever their time is: while nobody listened, platforms told of changes.
///
/// # Errors
/// If the database cannot be written.
pub fn set_all_due(tx: &Tx<'_>, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE sync SET next_run_at = ?1 WHERE next_run_at > ?1", [now])?;
    Ok(())
}

/// Sets when it runs again by itself.
///
/// # Errors
/// If the database cannot be written.
pub fn set_next_run(org: OrgId, tx: &Tx<'_>, id: SyncId, at: Timestamp) -> Result<()> {
    tx.execute("UPDATE sync SET next_run_at = ?3 WHERE org_id = ?1 AND id = ?2", (org, id, at))?;
    Ok(())
}

/// Records that a run began.
///
/// # Errors
/// If the database cannot be written.
pub fn set_started(org: OrgId, tx: &Tx<'_>, id: SyncId, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE sync SET last_run_at = ?3 WHERE org_id = ?1 AND id = ?2", (org, id, now))?;
    Ok(())
}

/// Records that a run ended without having changed anything; `failed`: it counts as failed, else it only waits.
///
/// # Errors
/// If the database cannot be written.
pub fn set_failed(org: OrgId, tx: &Tx<'_>, id: SyncId, error: &str, failed: bool) -> Result<()> {
    tx.execute(
        "UPDATE sync SET error = ?3, outcome = CASE WHEN ?4 THEN 'failed' ELSE outcome END
         WHERE org_id = ?1 AND id = ?2",
        (org, id, error, failed),
    )?;
    Ok(())
}

/// What a run found out that got through.
#[derive(Clone, Debug)]
pub struct Read {
    /// The platform's id of the organization.
    pub remote_id: String,
    /// What people call it there now.
    pub remote: String,
    /// When everything was read, if everything was.
    pub confirmed_at: Option<Timestamp>,
    /// What waits for a yes: digest, removals as JSON, and what is said of it.
    pub held: Option<(String, String, String)>,
}

/// Records a run that got through.
///
/// # Errors
/// If the database cannot be written.
pub fn set_read(org: OrgId, tx: &Tx<'_>, id: SyncId, read: &Read, now: Timestamp) -> Result<()> {
    let (digest, plan, error) = match &read.held {
        Some((digest, plan, error)) => (Some(digest), Some(plan), Some(error)),
        None => (None, None, None),
    };
    tx.execute(
        "UPDATE sync SET outcome = CASE WHEN ?3 IS NULL THEN 'ok' ELSE 'held' END, error = ?5,
             held_at = CASE WHEN ?3 IS NULL THEN NULL WHEN held_digest IS ?3 THEN held_at ELSE ?6 END,
             held_digest = ?3, held_plan = ?4, remote_id = ?7, confirmed_at = coalesce(?8, confirmed_at)
         WHERE org_id = ?1 AND id = ?2",
        (org, id, digest, plan, error, now, &read.remote_id, read.confirmed_at),
    )?;
    // Where another synchronization has that name, the one of the two that is wrong follows first.
    tx.execute(
        "UPDATE OR IGNORE sync SET remote = ?3 WHERE org_id = ?1 AND id = ?2 AND remote <> ?3",
        (org, id, &read.remote),
    )?;
    if read.confirmed_at.is_some() {
        set_stale(org, tx, id, None)?;
    }
    Ok(())
}

/// Makes one synchronization the primary one, instead of the one before. Owners there are owners here from now on, and
/// those of the other one are so no more.
///
/// # Errors
/// If the database cannot be written.
pub fn promote(org: OrgId, tx: &Tx<'_>, id: SyncId) -> Result<()> {
    tx.execute("UPDATE sync SET is_primary = 0 WHERE org_id = ?1 AND id <> ?2", (org, id))?;
    tx.execute("UPDATE sync SET is_primary = 1 WHERE org_id = ?1 AND id = ?2", (org, id))?;
    tx.execute(
        "UPDATE found_member SET role = CASE WHEN sync_id = ?2 THEN there ELSE 'member' END WHERE org_id = ?1",
        (org, id),
    )?;
    tx.changed(Change::Access(org));
    Ok(())
}

/// Who would become owner if a synchronization were the primary one, and who would not be one any more: as
/// `integration:login`.
///
/// # Errors
/// If the database cannot be read.
pub fn promotion(org: OrgId, connection: &Connection, id: SyncId) -> Result<(Vec<String>, Vec<String>)> {
    let mut statement = connection.prepare_cached(
        "SELECT a.integration || ':' || a.login, f.sync_id = ?2 FROM found_member f JOIN account a ON a.id = f.account_id
         WHERE f.org_id = ?1 AND ((f.sync_id = ?2 AND f.there = 'owner' AND f.role <> 'owner')
             OR (f.sync_id <> ?2 AND f.role = 'owner')) ORDER BY 1",
    )?;
    let rows = statement.query_map((org, id), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let all = rows.collect::<rusqlite::Result<Vec<(String, bool)>>>()?;
    let names = |which: bool| all.iter().filter(move |(_, gains)| *gains == which).map(|(name, _)| name.clone());
    let (gain, lose): (BTreeSet<String>, BTreeSet<String>) = (names(true).collect(), names(false).collect());
    // Whoever owns both stays what they are.
    Ok((gain.difference(&lose).cloned().collect(), lose.difference(&gain).cloned().collect()))
}

/// The updates of a synchronization's packages that wait or run, with what people know the package by.
///
/// # Errors
/// If the database cannot be read.
pub fn pending_updates(org: OrgId, connection: &Connection, id: SyncId) -> Result<Vec<(String, JobId)>> {
    connection
        .prepare_cached(
            "SELECT coalesce(p.name, p.url), j.id FROM repository r
             JOIN package p ON p.id = r.package_id
             JOIN job j ON j.package_id = p.id AND j.state IN ('ready', 'running')
             WHERE r.org_id = ?1 AND r.sync_id = ?2 ORDER BY j.id",
        )?
        .query_map((org, id), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Pauses a synchronization, or lets it go on.
///
/// # Errors
/// If the database cannot be written.
pub fn set_paused(org: OrgId, tx: &Tx<'_>, id: SyncId, since: Option<Timestamp>) -> Result<()> {
    tx.execute("UPDATE sync SET paused_at = ?3 WHERE org_id = ?1 AND id = ?2", (org, id, since))?;
    Ok(())
}

/// Gives a synchronization what it reads with, and says which repositories become packages and whether what everybody may
/// read counts for members.
///
/// # Errors
/// If the database cannot be written.
pub fn set_terms(
    org: OrgId,
    tx: &Tx<'_>,
    id: SyncId,
    credential: CredentialId,
    (packages, follow_visibility): (&str, bool),
) -> Result<()> {
    tx.execute(
        "UPDATE sync SET credential_id = ?3, packages = ?4, follow_visibility = ?5 WHERE org_id = ?1 AND id = ?2",
        (org, id, credential, packages, follow_visibility),
    )?;
    Ok(())
}

/// Says whether planners of GitLab read code.
///
/// # Errors
/// If the database cannot be written.
pub fn set_planners(org: OrgId, tx: &Tx<'_>, id: SyncId, planners: bool) -> Result<()> {
    tx.execute("UPDATE sync SET planners = ?3 WHERE org_id = ?1 AND id = ?2", (org, id, planners))?;
    Ok(())
}

/// Says of which projects repositories are wanted; none: all.
///
/// # Errors
/// If the database cannot be written.
pub fn set_projects(org: OrgId, tx: &Tx<'_>, id: SyncId, projects: &[Project]) -> Result<()> {
    let json = serde_json::to_string(projects).map_err(|error| Error::Corrupt(error.to_string()))?;
    tx.execute("UPDATE sync SET projects = ?3 WHERE org_id = ?1 AND id = ?2", (org, id, json))?;
    Ok(())
}

/// Removes a synchronization with its teams and memberships; its packages stay.
///
/// # Errors
/// If the database cannot be written.
pub fn remove(org: OrgId, tx: &Tx<'_>, id: SyncId) -> Result<()> {
    tx.execute("DELETE FROM sync WHERE org_id = ?1 AND id = ?2", (org, id))?;
    tx.changed(Change::Access(org));
    Ok(())
}

/// How many of something a synchronization has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packages whose repository is there.
    pub packages: i64,
    /// Teams.
    pub teams: i64,
    /// Members.
    pub members: i64,
}

/// How many packages, teams and members a synchronization has.
///
/// # Errors
/// If the database cannot be read.
pub fn counts(org: OrgId, connection: &Connection, id: SyncId) -> Result<Counts> {
    Ok(connection
        .prepare_cached(
            "SELECT (SELECT count(*) FROM repository r JOIN package p ON p.id = r.package_id
                     WHERE r.org_id = ?1 AND r.sync_id = ?2 AND p.retired_at IS NULL),
                 (SELECT count(*) FROM team WHERE org_id = ?1 AND sync_id = ?2),
                 (SELECT count(*) FROM found_member WHERE org_id = ?1 AND sync_id = ?2)",
        )?
        .query_row((org, id), |row| Ok(Counts { packages: row.get(0)?, teams: row.get(1)?, members: row.get(2)? }))?)
}
