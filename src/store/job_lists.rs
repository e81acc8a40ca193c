//! The queue of work of the whole instance, as its administrators look through it: by state, verb and organization, page by
//! page, and in figures.

use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::database::Change;
use super::ids::{JobId, OrgId};
use super::jobs::{self, Job};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// Which jobs by their state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Group {
    /// What runs and waits.
    #[default]
    Current,
    /// What failed for good.
    Failed,
    /// What is done or was cancelled.
    Ended,
}

/// Which jobs somebody looks for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this verb.
    pub kind: Option<String>,
    /// Of this organization.
    pub org: Option<OrgId>,
}

/// A job with the names of what it is about.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The job.
    pub job: Job,
    /// The slug of its organization.
    pub organization: Option<String>,
    /// What its package is called, or else its address.
    pub package: Option<String>,
    /// Whether the package has a name, so that it has a page under it.
    pub named: bool,
}

/// Where a page of the list begins: after the job with this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Whether it waits.
    pub waits: bool,
    /// When it is due, or when it ended.
    pub at: Timestamp,
    /// Its id.
    pub id: i64,
}

/// How many jobs there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Running.
    pub running: i64,
    /// Waiting.
    pub waiting: i64,
    /// Failed.
    pub failed: i64,
    /// Done or cancelled.
    pub ended: i64,
}

/// A share of the workers, in figures.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    /// Its name.
    pub name: String,
    /// Jobs that run.
    pub running: i64,
    /// Jobs that wait, due or not.
    pub waiting: i64,
    /// Jobs that are due.
    pub due: i64,
    /// Since when the first of those is.
    pub oldest: Option<Timestamp>,
    /// Jobs done since `hour`.
    pub done: i64,
    /// Jobs that failed since `day`.
    pub failed: i64,
}

const COLUMNS: &str = "j.id, j.org_id, j.package_id, j.kind, j.payload, j.state, j.lane, j.run_at, j.attempt, j.error,
    j.created_at, j.started_at, j.finished_at,
    (SELECT slug FROM organization o WHERE o.id = j.org_id AND o.removed_at IS NULL),
    (SELECT coalesce(name, url) FROM package p WHERE p.id = j.package_id),
    (SELECT name IS NOT NULL FROM package p WHERE p.id = j.package_id)";

const FILTER: &str = "(:kind IS NULL OR j.kind = :kind) AND (:org IS NULL OR j.org_id = :org)";

fn listed(row: &Row<'_>) -> rusqlite::Result<Listed> {
    Ok(Listed {
        job: jobs::job(row)?,
        organization: row.get(13)?,
        package: row.get(14)?,
        named: row.get::<_, Option<bool>>(15)?.unwrap_or_default(),
    })
}

impl Listed {
    /// Where the next page begins if this is the last one of a page.
    #[must_use]
    pub fn key(&self) -> Key {
        let job = &self.job;
        Key { waits: job.state == "ready", at: job.finished_at.unwrap_or(job.run_at), id: job.id.0 }
    }
}

/// Up to `limit` jobs after `after`: what runs first and then what is due next, or what ended last.
///
/// # Errors
/// If the database cannot be read.
pub fn page(
    connection: &Connection,
    group: Group,
    filter: &Filter,
    after: Option<Key>,
    limit: i64,
) -> Result<Vec<Listed>> {
    let (states, order) = match group {
        Group::Current => (
            "j.state IN ('running', 'ready') AND ((j.state = 'ready'), j.run_at, j.id) > (:waits, :at, :id)",
            "(j.state = 'ready'), j.run_at, j.id",
        ),
        Group::Failed => ("j.state = 'failed' AND (j.finished_at, j.id) < (:at, :id)", "j.finished_at DESC, j.id DESC"),
        Group::Ended => {
            ("j.state IN ('done', 'cancelled') AND (j.finished_at, j.id) < (:at, :id)", "j.finished_at DESC, j.id DESC")
        }
    };
    let first = match group {
        Group::Current => Key { waits: false, at: Timestamp::from_micros(i64::MIN), id: 0 },
        _ => Key { waits: false, at: Timestamp::MAX, id: i64::MAX },
    };
    let Key { waits, at, id } = after.unwrap_or(first);
    // SQLite takes a name that a statement has not for a mistake.
    let waits_used = if group == Group::Current { "" } else { " AND :waits IN (0, 1)" };
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM job j WHERE {states} AND {FILTER}{waits_used} ORDER BY {order} LIMIT :limit"
        ))?
        .query_map(
            named_params! {
                ":kind": filter.kind, ":org": filter.org, ":waits": waits, ":at": at, ":id": id, ":limit": limit,
            },
            listed,
        )?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The job of this row.
///
/// # Errors
/// If the database cannot be read.
pub fn by_id(connection: &Connection, id: JobId) -> Result<Option<Listed>> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM job j WHERE j.id = ?1"))?
        .query_row([id], listed)
        .optional()?)
}

/// How many jobs the filter finds, by state.
///
/// # Errors
/// If the database cannot be read.
pub fn counts(connection: &Connection, filter: &Filter) -> Result<Counts> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT coalesce(sum(j.state = 'running'), 0), coalesce(sum(j.state = 'ready'), 0),
                 coalesce(sum(j.state = 'failed'), 0), coalesce(sum(j.state IN ('done', 'cancelled')), 0)
             FROM job j WHERE {FILTER}"
        ))?
        .query_row(named_params! { ":kind": filter.kind, ":org": filter.org }, |row| {
            Ok(Counts { running: row.get(0)?, waiting: row.get(1)?, failed: row.get(2)?, ended: row.get(3)? })
        })?)
}

/// The verbs that there are jobs of.
///
/// # Errors
/// If the database cannot be read.
pub fn kinds(connection: &Connection) -> Result<Vec<String>> {
    connection
        .prepare_cached("SELECT DISTINCT kind FROM job ORDER BY kind")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The lanes that have jobs, in figures: what was done since `hour` and failed since `day`.
///
/// # Errors
/// If the database cannot be read.
pub fn lanes(connection: &Connection, now: Timestamp, hour: Timestamp, day: Timestamp) -> Result<Vec<Lane>> {
    connection
        .prepare_cached(
            "SELECT lane, sum(state = 'running'), sum(state = 'ready'), sum(state = 'ready' AND run_at <= ?1),
                 min(CASE WHEN state = 'ready' AND run_at <= ?1 THEN run_at END),
                 sum(state = 'done' AND finished_at >= ?2), sum(state = 'failed' AND finished_at >= ?3)
             FROM job GROUP BY lane",
        )?
        .query_map((now, hour, day), |row| {
            Ok(Lane {
                name: row.get(0)?,
                running: row.get(1)?,
                waiting: row.get(2)?,
                due: row.get(3)?,
                oldest: row.get(4)?,
                done: row.get(5)?,
                failed: row.get(6)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Asks that a running job be stopped; whether there was such a job.
///
/// # Errors
/// If the database cannot be written.
pub fn request_stop(tx: &Tx<'_>, id: JobId) -> Result<bool> {
    let asked = tx.execute("UPDATE job SET stop_requested = 1 WHERE id = ?1 AND state = 'running'", [id])?;
    tx.changed(Change::Jobs);
    Ok(asked > 0)
}

/// Whether somebody asked that a job be stopped.
///
/// # Errors
/// If the database cannot be read.
pub fn is_to_stop(connection: &Connection, id: JobId) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM job WHERE id = ?1 AND stop_requested = 1)")?
        .query_row([id], |row| row.get(0))?)
}
