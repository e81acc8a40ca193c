//! What became of the updates of packages, for people who wonder.

use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};

use super::ids::{JobId, OrgId, PackageId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// How many runs a package keeps.
const KEPT: i64 = 30;
/// How many versions of a kind are named.
const NAMED: usize = 20;

/// A try of an update.
#[derive(Clone, Debug)]
pub struct Run {
    /// The job that it was a try of.
    pub job: JobId,
    /// `hook`, `asked` or `schedule`.
    pub cause: String,
    /// When it was caused.
    pub asked_at: Timestamp,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// `changed`, `unchanged`, `failed` or `held`.
    pub outcome: String,
    /// Why, if it failed or is held.
    pub error: Option<String>,
    /// What was published.
    pub changes: Option<Changes>,
}

/// What an update published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Versions that are new.
    pub added: Named,
    /// Versions that name another commit now.
    pub moved: Named,
    /// Versions that are gone.
    pub removed: Named,
    /// How many branches and tags the repository has.
    pub refs: usize,
}

/// Some versions by name, and how many there are in all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The first of them.
    pub names: Vec<String>,
    /// How many.
    pub count: usize,
}

impl Named {
    /// Takes one more.
    pub fn push(&mut self, name: &str) {
        self.count += 1;
        if self.names.len() < NAMED {
            self.names.push(name.to_owned());
        }
    }
}

impl Changes {
    /// Takes what became of a package's versions, under its name.
    pub fn take(&mut self, package: &str, others: &Self) {
        let all =
            [(&mut self.added, &others.added), (&mut self.moved, &others.moved), (&mut self.removed, &others.removed)];
        for (own, others) in all {
            for version in &others.names {
                own.push(&format!("{package} {version}"));
            }
            own.count += others.count - others.names.len();
        }
    }
}

/// Records a try; the package's oldest go. Nothing is recorded of a package that is gone.
///
/// # Errors
/// If the database cannot be written.
pub fn record(org: OrgId, tx: &Tx<'_>, package: PackageId, run: &Run) -> Result<()> {
    let changes = run.changes.as_ref().and_then(|changes| serde_json::to_string(changes).ok());
    tx.prepare_cached(
        "INSERT INTO update_run (org_id, package_id, job_id, cause, asked_at, started_at, ended_at, outcome, error, changes)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
         WHERE EXISTS (SELECT 1 FROM package WHERE org_id = ?1 AND id = ?2)",
    )?
    .execute((
        org,
        package,
        run.job,
        &run.cause,
        run.asked_at,
        run.started_at,
        run.ended_at,
        &run.outcome,
        &run.error,
        &changes,
    ))?;
    tx.prepare_cached(
        "DELETE FROM update_run WHERE org_id = ?1 AND package_id = ?2 AND id <=
             (SELECT id FROM update_run WHERE org_id = ?1 AND package_id = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)",
    )?
    .execute((org, package, KEPT))?;
    Ok(())
}

fn run(row: &Row<'_>) -> rusqlite::Result<Run> {
    let changes: Option<String> = row.get(7)?;
    Ok(Run {
        job: row.get(0)?,
        cause: row.get(1)?,
        asked_at: row.get(2)?,
        started_at: row.get(3)?,
        ended_at: row.get(4)?,
        outcome: row.get(5)?,
        error: row.get(6)?,
        // What another release wrote is left out.
        changes: changes.and_then(|json| serde_json::from_str(&json).ok()),
    })
}

const COLUMNS: &str = "job_id, cause, asked_at, started_at, ended_at, outcome, error, changes";

/// The package's newest tries, newest first.
///
/// # Errors
/// If the database cannot be read.
pub fn of_package(org: OrgId, connection: &Connection, package: PackageId, limit: i64) -> Result<Vec<Run>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM update_run WHERE org_id = ?1 AND package_id = ?2 ORDER BY id DESC LIMIT ?3"
        ))?
        .query_map((org, package, limit), run)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}
