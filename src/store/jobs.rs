//! The queue of work. It serves the whole instance; an organization's jobs carry its id.
//!
//! Waiting and running work deduplicate separately: an event during a run makes exactly one more.

use rusqlite::{Connection, OptionalExtension, Row};

use super::database::Change;
use super::ids::{JobId, OrgId, PackageId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// A piece of work as stored.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its row.
    pub id: JobId,
    /// Whose it is; none for the instance's own.
    pub org: Option<OrgId>,
    /// The package it is about.
    pub package: Option<PackageId>,
    /// The verb.
    pub kind: String,
    /// Its arguments: JSON.
    pub payload: String,
    /// `ready`, `running`, `done`, `failed` or `cancelled`.
    pub state: String,
    /// Which share of the workers does it.
    pub lane: String,
    /// When it is due.
    pub run_at: Timestamp,
    /// How often it was tried.
    pub attempt: i64,
    /// Why the last try failed.
    pub error: Option<String>,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When the last try began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

const COLUMNS: &str = "id, org_id, package_id, kind, payload, state, lane, run_at, attempt, error,
    created_at, started_at, finished_at";

pub(super) fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    Ok(Job {
        id: row.get(0)?,
        org: row.get(1)?,
        package: row.get(2)?,
        kind: row.get(3)?,
        payload: row.get(4)?,
        state: row.get(5)?,
        lane: row.get(6)?,
        run_at: row.get(7)?,
        attempt: row.get(8)?,
        error: row.get(9)?,
        created_at: row.get(10)?,
        started_at: row.get(11)?,
        finished_at: row.get(12)?,
    })
}

/// What new work is made of.
#[derive(Clone, Debug)]
pub struct New {
    /// Whose it is.
    pub org: Option<OrgId>,
    /// The package it is about.
    pub package: Option<PackageId>,
    /// The verb.
    pub kind: &'static str,
    /// Its arguments: JSON.
    pub payload: String,
    /// Work with the same key waits once.
    pub dedupe_key: String,
    /// Which share of the workers does it.
    pub lane: &'static str,
    /// When it is due.
    pub run_at: Timestamp,
}

/// The arguments of the same work where it waits already.
///
/// # Errors
/// If the database cannot be read.
pub fn waiting_payload(connection: &Connection, dedupe_key: &str) -> Result<Option<String>> {
    Ok(connection
        .prepare_cached("SELECT payload FROM job WHERE dedupe_key = ?1 AND state = 'ready'")?
        .query_row([dedupe_key], |row| row.get(0))
        .optional()?)
}

/// Gives the same work that waits already other arguments.
///
/// # Errors
/// If the database cannot be written.
pub fn set_waiting_payload(tx: &Tx<'_>, dedupe_key: &str, payload: &str) -> Result<()> {
    tx.prepare_cached("UPDATE job SET payload = ?2 WHERE dedupe_key = ?1 AND state = 'ready'")?
        .execute((dedupe_key, payload))?;
    Ok(())
}

/// Queues work, or merges it into the same work that waits already: the earlier time, the newer arguments, the more
/// urgent lane (`hook` before `prompt` before others) win; but what the other side asked to wait for is waited for.
///
/// # Errors
/// If the database cannot be written.
pub fn enqueue(tx: &Tx<'_>, new: &New, now: Timestamp) -> Result<JobId> {
    let id = tx
        .prepare_cached(
            "INSERT INTO job (org_id, package_id, kind, payload, dedupe_key, lane, state, run_at, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'ready', ?7, ?8)
             ON CONFLICT (dedupe_key) WHERE state = 'ready' DO UPDATE SET
                 run_at = max(min(run_at, excluded.run_at), not_before), attempt = 0,
                 error = CASE WHEN not_before > ?8 THEN error END,
                 payload = excluded.payload,
                 lane = CASE WHEN 'hook' IN (lane, excluded.lane) THEN 'hook'
                     WHEN 'prompt' IN (lane, excluded.lane) THEN 'prompt' ELSE lane END
             RETURNING id",
        )?
        .query_row(
            (new.org, new.package, new.kind, &new.payload, &new.dedupe_key, new.lane, new.run_at, now),
            |row| row.get(0),
        )?;
    tx.changed(Change::Jobs);
    Ok(id)
}

/// Lets waiting work begin whenever it is due, whatever the other side wanted.
///
/// # Errors
/// If the database cannot be written.
pub fn forget_pause(tx: &Tx<'_>, dedupe_key: &str) -> Result<()> {
    tx.execute("UPDATE job SET not_before = 0 WHERE dedupe_key = ?1 AND state = 'ready'", [dedupe_key])?;
    Ok(())
}

/// The first waiting job, due until `?2`, of each organization that has not `?3` of this lane running already, so that one
/// with slow servers leaves the others room; never the same work as runs. One look-up an organization, whatever waits: the
/// indexes are named because any other makes this a walk over all jobs.
const FIRST_OF_EACH: &str = "WITH owner (org) AS (SELECT NULL UNION ALL SELECT id FROM organization)
    SELECT (SELECT w.id FROM job w INDEXED BY job_waiting
            WHERE w.state = 'ready' AND w.lane = ?1 AND w.org_id IS owner.org AND w.run_at <= ?2
                AND NOT EXISTS (SELECT 1 FROM job r WHERE r.dedupe_key = w.dedupe_key AND r.state = 'running')
            ORDER BY w.run_at, w.id LIMIT 1) AS first
    FROM owner
    WHERE (SELECT count(*) FROM job r INDEXED BY job_running_org
           WHERE r.state = 'running' AND r.lane = ?1 AND r.org_id IS owner.org) < ?3";

/// Takes the next due work of a lane, unless the same work is running or its organization has `share` of the lane's
/// work running.
///
/// # Errors
/// If the database cannot be written.
pub fn claim(tx: &Tx<'_>, lane: &str, share: i64, now: Timestamp) -> Result<Option<Job>> {
    Ok(tx
        .prepare_cached(&format!(
            "UPDATE job SET state = 'running', started_at = ?2, attempt = attempt + 1
             WHERE id = (SELECT j.id FROM ({FIRST_OF_EACH}) JOIN job j ON j.id = first ORDER BY j.run_at, j.id LIMIT 1)
             RETURNING {COLUMNS}"
        ))?
        .query_row((lane, now, share), job)
        .optional()?)
}

/// When the next work of a lane is due that does not wait for other work to end.
///
/// # Errors
/// If the database cannot be read.
pub fn next_due(connection: &Connection, lane: &str, share: i64) -> Result<Option<Timestamp>> {
    Ok(connection
        .prepare_cached(&format!("SELECT min(j.run_at) FROM ({FIRST_OF_EACH}) JOIN job j ON j.id = first"))?
        .query_row((lane, Timestamp::MAX, share), |row| row.get(0))?)
}

/// Ends a job as `done`, `failed` or `cancelled`.
///
/// # Errors
/// If the database cannot be written.
pub fn finish(tx: &Tx<'_>, id: JobId, state: &str, error: Option<&str>, now: Timestamp) -> Result<()> {
    tx.prepare_cached("UPDATE job SET state = ?2, error = ?3, finished_at = ?4 WHERE id = ?1")?
        .execute((id, state, error, now))?;
    tx.changed(Change::Jobs);
    Ok(())
}

/// Why a running job goes back to the queue.
#[derive(Clone, Copy, Debug)]
pub enum Return<'a> {
    /// The try failed.
    Failed(&'a str),
    /// The other side said when to come again: no failed try, but nothing may come earlier.
    Told(&'a str),
    /// This machine's disk or database was unwell: no failed try, and whoever asks may have mended it.
    Unwell(&'a str),
    /// We are stopping.
    Stopped,
}

/// Puts a running job back, to be tried again at `run_at`. Where the same work waits already, that takes its place.
///
/// # Errors
/// If the database cannot be written.
pub fn put_back(tx: &Tx<'_>, id: JobId, run_at: Timestamp, why: Return<'_>, now: Timestamp) -> Result<()> {
    let (error, not_before, uncounted) = match why {
        Return::Failed(reason) => (Some(reason), None, 0),
        Return::Told(reason) => (Some(reason), Some(run_at), 1),
        Return::Unwell(reason) => (Some(reason), None, 1),
        Return::Stopped => (None, None, 1),
    };
    let follower: Option<JobId> = tx
        .query_row(
            "SELECT r.id FROM job r JOIN job j ON j.dedupe_key = r.dedupe_key WHERE j.id = ?1 AND r.state = 'ready'",
            [id],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(follower) = follower {
        finish(tx, id, "done", error, now)?;
        if let Some(until) = not_before {
            tx.execute(
                "UPDATE job SET not_before = ?2, run_at = max(run_at, ?2), error = ?3 WHERE id = ?1",
                (follower, until, error),
            )?;
        }
    } else {
        tx.execute(
            "UPDATE job SET state = 'ready', run_at = ?2, error = ?3, finished_at = NULL,
                 attempt = attempt - ?4, not_before = coalesce(?5, not_before), stop_requested = 0 WHERE id = ?1",
            (id, run_at, error, uncounted, not_before),
        )?;
    }
    tx.changed(Change::Jobs);
    Ok(())
}

/// The jobs that are running.
///
/// # Errors
/// If the database cannot be read.
pub fn running(connection: &Connection) -> Result<Vec<Job>> {
    connection
        .prepare(&format!("SELECT {COLUMNS} FROM job WHERE state = 'running'"))?
        .query_map([], job)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Brings times nearer that a clock wrote which was ahead: nothing waits longer than until `latest`.
///
/// # Errors
/// If the database cannot be written.
pub fn bring_near(tx: &Tx<'_>, latest: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE job SET run_at = min(run_at, ?1), not_before = min(not_before, ?1)
         WHERE state = 'ready' AND (run_at > ?1 OR not_before > ?1)",
        [latest],
    )?;
    Ok(())
}

/// The job of this row.
///
/// # Errors
/// If the database cannot be read.
pub fn by_id(connection: &Connection, id: JobId) -> Result<Option<Job>> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM job WHERE id = ?1"))?
        .query_row([id], job)
        .optional()?)
}

/// What runs, waits or failed, and the newest of what ended; running first.
///
/// # Errors
/// If the database cannot be read.
pub fn all(connection: &Connection, ended: i64) -> Result<Vec<Job>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM job WHERE state IN ('running', 'ready', 'failed')
                 OR id IN (SELECT id FROM job WHERE state IN ('done', 'cancelled')
                           ORDER BY finished_at DESC LIMIT ?1)
             ORDER BY CASE state WHEN 'running' THEN 0 WHEN 'failed' THEN 1 WHEN 'ready' THEN 2 ELSE 3 END,
                 run_at, id"
        ))?
        .query_map([ended], job)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// How many jobs wait, run and have failed.
///
/// # Errors
/// If the database cannot be read.
pub fn counts(connection: &Connection) -> Result<(i64, i64, i64)> {
    Ok(connection
        .prepare_cached(
            "SELECT coalesce(sum(state = 'ready'), 0), coalesce(sum(state = 'running'), 0),
                 coalesce(sum(state = 'failed'), 0)
             FROM job WHERE state IN ('ready', 'running', 'failed')",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?)
}

/// How many jobs wait in a lane.
///
/// # Errors
/// If the database cannot be read.
pub fn ready_in(connection: &Connection, lane: &str) -> Result<i64> {
    Ok(connection
        .prepare_cached("SELECT count(*) FROM job WHERE state = 'ready' AND lane = ?1")?
        .query_row([lane], |row| row.get(0))?)
}

/// Queues a job that ended again, now; whether there was such a job.
///
/// # Errors
/// If the database cannot be written.
pub fn retry(tx: &Tx<'_>, id: JobId, now: Timestamp) -> Result<bool> {
    let ended: bool = tx.query_row(
        "SELECT EXISTS (SELECT 1 FROM job WHERE id = ?1 AND state IN ('failed', 'cancelled', 'done'))",
        [id],
        |row| row.get(0),
    )?;
    if ended {
        tx.execute("UPDATE job SET attempt = 0, not_before = 0 WHERE id = ?1", [id])?;
        put_back(tx, id, now, Return::Failed(""), now)?;
        tx.execute("UPDATE job SET error = NULL WHERE id = ?1", [id])?;
    }
    Ok(ended)
}

/// Cancels a job that waits; whether there was such a job.
///
/// # Errors
/// If the database cannot be written.
pub fn cancel(tx: &Tx<'_>, id: JobId, now: Timestamp) -> Result<bool> {
    let cancelled = tx
        .execute("UPDATE job SET state = 'cancelled', finished_at = ?2 WHERE id = ?1 AND state = 'ready'", (id, now))?;
    tx.changed(Change::Jobs);
    Ok(cancelled > 0)
}

/// Forgets jobs that were done or cancelled before one instant, or failed before another.
///
/// # Errors
/// If the database cannot be written.
pub fn prune(tx: &Tx<'_>, done: Timestamp, failed: Timestamp) -> Result<()> {
    tx.execute(
        "DELETE FROM job WHERE (state IN ('done', 'cancelled') AND finished_at < ?1)
             OR (state = 'failed' AND finished_at < ?2)",
        (done, failed),
    )?;
    Ok(())
}

/// The package's work that runs, or else waits.
///
/// # Errors
/// If the database cannot be read.
pub fn of_package(org: OrgId, connection: &Connection, package: PackageId) -> Result<Option<Job>> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM job WHERE org_id = ?1 AND package_id = ?2 AND state IN ('running', 'ready')
             ORDER BY state = 'running' DESC, run_at LIMIT 1"
        ))?
        .query_row((org, package), job)
        .optional()?)
}

/// Whether the package has an update that runs or waits.
///
/// # Errors
/// If the database cannot be read.
pub fn is_pending(org: OrgId, connection: &Connection, package: PackageId) -> Result<bool> {
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM job
             WHERE org_id = ?1 AND package_id = ?2 AND state IN ('ready', 'running'))",
        )?
        .query_row((org, package), |row| row.get(0))?)
}

#[cfg(test)]
#[path = "jobs_tests.rs"]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests;
