//! The runs of synchronizations, and what each changed.

use rusqlite::{Connection, OptionalExtension, Row};

use super::ids::{JobId, OrgId, RunId, SyncId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// How many runs a synchronization keeps.
const KEPT: i64 = 200;

/// A run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its row.
    pub id: RunId,
    /// The job.
    pub job: Option<JobId>,
    /// `hook`, `asked`, `schedule` or `credential`.
    pub cause: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// `changed`, `unchanged`, `held` or `failed`.
    pub outcome: String,
    /// Why it failed or is held.
    pub error: Option<String>,
    /// What somebody should know.
    pub notices: Vec<String>,
    /// Requests that were sent.
    pub requests: i64,
    /// Those of them that were answered with "not modified".
    pub unmodified: i64,
    /// How many requests the platform granted still.
    pub remaining: Option<i64>,
    /// When it grants all of them again.
    pub resets_at: Option<Timestamp>,
    /// How many changes added something,
    pub added: i64,
    /// changed something,
    pub changed: i64,
    /// and removed something.
    pub removed: i64,
}

/// What begins a run.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    /// The job.
    pub job: JobId,
    /// `hook`, `asked`, `schedule` or `credential`.
    pub cause: &'static str,
    /// When.
    pub started_at: Timestamp,
}

/// Records a run that changes something from now on. Until [`finish`] says otherwise, the process ended during it.
///
/// # Errors
/// If the database cannot be written.
pub fn begin(org: OrgId, tx: &Tx<'_>, sync: SyncId, begun: Begun, now: Timestamp) -> Result<RunId> {
    tx.prepare_cached(
        "INSERT INTO sync_run (org_id, sync_id, job_id, cause, started_at, ended_at, outcome, error)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'failed', 'The server ended during this run; the next one does the rest.')",
    )?
    .execute((org, sync, begun.job, begun.cause, begun.started_at, now))?;
    Ok(RunId(tx.last_insert_rowid()))
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// `changed`, `unchanged`, `held` or `failed`.
    pub outcome: &'static str,
    /// Why it failed or is held.
    pub error: Option<String>,
    /// What somebody should know.
    pub notices: Vec<String>,
    /// Requests that were sent.
    pub requests: u32,
    /// Those of them that were answered with "not modified".
    pub unmodified: u32,
    /// How many requests the platform granted still.
    pub remaining: Option<u32>,
    /// When it grants all of them again.
    pub resets_at: Option<Timestamp>,
    /// How many changes added, changed and removed something.
    pub counts: [usize; 3],
}

/// Records how a run ended; the synchronization's oldest go.
///
/// # Errors
/// If the database cannot be written.
pub fn finish(org: OrgId, tx: &Tx<'_>, sync: SyncId, id: RunId, ended: &Ended, now: Timestamp) -> Result<()> {
    let notices = serde_json::to_string(&ended.notices).unwrap_or_else(|_| "[]".to_owned());
    let [added, changed, removed] = ended.counts.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
    tx.prepare_cached(
        "UPDATE sync_run SET ended_at = ?3, outcome = ?4, error = ?5, notices = ?6, requests = ?7, unmodified = ?8,
             remaining = ?9, resets_at = ?10, added = ?11, changed = ?12, removed = ?13 WHERE org_id = ?1 AND id = ?2",
    )?
    .execute(rusqlite::params![
        org,
        id,
        now,
        ended.outcome,
        &ended.error,
        notices,
        ended.requests,
        ended.unmodified,
        ended.remaining,
        ended.resets_at,
        added,
        changed,
        removed,
    ])?;
    tx.prepare_cached(
        "DELETE FROM sync_run WHERE org_id = ?1 AND sync_id = ?2 AND id <=
             (SELECT id FROM sync_run WHERE org_id = ?1 AND sync_id = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)",
    )?
    .execute((org, sync, KEPT))?;
    Ok(())
}

/// A change of a run, in the contract's words (section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `add`, `change` or `remove`.
    pub action: String,
    /// What kind of thing it was about.
    pub kind: String,
    /// What people call it.
    pub name: String,
    /// The rest, in words.
    pub detail: String,
}

/// Records a change of a run.
///
/// # Errors
/// If the database cannot be written.
pub fn record(org: OrgId, tx: &Tx<'_>, id: RunId, number: i64, change: &Change) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO sync_change (org_id, run_id, number, action, kind, name, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute((org, id, number, &change.action, &change.kind, &change.name, &change.detail))?;
    Ok(())
}

const COLUMNS: &str = "id, job_id, cause, started_at, ended_at, outcome, error, notices, requests, unmodified,
    remaining, resets_at, added, changed, removed";

fn run(row: &Row<'_>) -> rusqlite::Result<Run> {
    let notices: String = row.get(7)?;
    Ok(Run {
        id: row.get(0)?,
        job: row.get(1)?,
        cause: row.get(2)?,
        started_at: row.get(3)?,
        ended_at: row.get(4)?,
        outcome: row.get(5)?,
        error: row.get(6)?,
        notices: serde_json::from_str(&notices).unwrap_or_default(),
        requests: row.get(8)?,
        unmodified: row.get(9)?,
        remaining: row.get(10)?,
        resets_at: row.get(11)?,
        added: row.get(12)?,
        changed: row.get(13)?,
        removed: row.get(14)?,
    })
}

/// A synchronization's newest runs, newest first; of those before `before`, if that is given.
///
/// # Errors
/// If the database cannot be read.
pub fn newest(
    org: OrgId,
    connection: &Connection,
    sync: SyncId,
    before: Option<RunId>,
    limit: i64,
) -> Result<Vec<Run>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM sync_run WHERE org_id = ?1 AND sync_id = ?2 AND id < coalesce(?3, 9223372036854775807)
             ORDER BY id DESC LIMIT ?4"
        ))?
        .query_map((org, sync, before, limit), run)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The run of this row.
///
/// # Errors
/// If the database cannot be read.
pub fn by_id(org: OrgId, connection: &Connection, id: RunId) -> Result<Option<Run>> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM sync_run WHERE org_id = ?1 AND id = ?2"))?
        .query_row((org, id), run)
        .optional()?)
}

/// The synchronization of a run.
///
/// # Errors
/// If the database cannot be read.
pub fn sync_of(org: OrgId, connection: &Connection, id: RunId) -> Result<Option<SyncId>> {
    Ok(connection
        .prepare_cached("SELECT sync_id FROM sync_run WHERE org_id = ?1 AND id = ?2")?
        .query_row((org, id), |row| row.get(0))
        .optional()?)
}

/// What a run changed, in order: those after the number `after`, at most `limit`.
///
/// # Errors
/// If the database cannot be read.
pub fn changes(org: OrgId, connection: &Connection, id: RunId, after: i64, limit: i64) -> Result<Vec<Change>> {
    connection
        .prepare_cached(
            "SELECT action, kind, name, detail FROM sync_change
             WHERE org_id = ?1 AND run_id = ?2 AND number > ?3 ORDER BY number LIMIT ?4",
        )?
        .query_map((org, id, after, limit), |row| {
            Ok(Change { action: row.get(0)?, kind: row.get(1)?, name: row.get(2)?, detail: row.get(3)? })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}
