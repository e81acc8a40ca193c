//! What happened to versions: that they came, went, or name another commit, and which update saw it.

use std::collections::HashMap;

use rusqlite::{Connection, Row};

use super::ids::{JobId, OrgId, PackageId};
use super::{Result, Tx};
use crate::clock::Timestamp;
use crate::composer::version::NormalizedVersion;

/// How many events of branches a package keeps; each push is one.
const KEPT_DEV: i64 = 500;
/// How many of releases: those are rare, and somebody may ask for them years later.
const KEPT: i64 = 5_000;

/// What happened to a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is new.
    Added,
    /// It names another commit.
    Moved,
    /// It is gone.
    Removed,
}

impl Action {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Moved => "moved",
            Self::Removed => "removed",
        }
    }

    fn parse(word: &str) -> Self {
        match word {
            "added" => Self::Added,
            "removed" => Self::Removed,
            _ => Self::Moved,
        }
    }
}

/// What an update is about to do to a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct New {
    /// As people write it.
    pub version: String,
    /// As Composer compares it.
    pub version_normalized: NormalizedVersion,
    /// Whether it is a branch.
    pub dev: bool,
    /// What happens.
    pub action: Action,
    /// The commit that it named.
    pub before: Option<String>,
    /// The commit that it names from now on.
    pub after: Option<String>,
}

/// What happened to a version.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its row: later ones are greater.
    pub id: i64,
    /// When it was served so.
    pub at: Timestamp,
    /// What the package was called.
    pub name: String,
    /// The version, as people write it.
    pub version: String,
    /// The same as Composer compares it.
    pub version_normalized: NormalizedVersion,
    /// Whether it is a branch.
    pub dev: bool,
    /// What happened.
    pub action: Action,
    /// The commit that it named.
    pub before: Option<String>,
    /// The commit that it named from then on.
    pub after: Option<String>,
    /// The job of the update; none while that has not ended.
    pub job: Option<JobId>,
    /// What caused the update: `hook`, `asked` or `schedule`.
    pub cause: Option<String>,
}

impl Event {
    /// Whether somebody gave a release another content, which nobody expects of one.
    #[must_use]
    pub fn is_repointed_release(&self) -> bool {
        !self.dev && self.action == Action::Moved
    }
}

const COLUMNS: &str = "id, at, name, version, version_normalized, dev, action, before, after, job_id, cause";

fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    let action: String = row.get(6)?;
    Ok(Event {
        id: row.get(0)?,
        at: row.get(1)?,
        name: row.get(2)?,
        version: row.get(3)?,
        version_normalized: row.get(4)?,
        dev: row.get(5)?,
        action: Action::parse(&action),
        before: row.get(7)?,
        after: row.get(8)?,
        job: row.get(9)?,
        cause: row.get(10)?,
    })
}

/// Records what happens to versions of a package that is called `name`; its oldest events go.
///
/// # Errors
/// If the database cannot be written.
pub fn record(org: OrgId, tx: &Tx<'_>, package: PackageId, name: &str, events: &[New], now: Timestamp) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let mut insert = tx.prepare_cached(
        "INSERT INTO version_event (org_id, package_id, at, name, version, version_normalized, dev, action, before, after)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for event in events {
        insert.execute((
            org,
            package,
            now,
            name,
            &event.version,
            &event.version_normalized,
            event.dev,
            event.action.as_str(),
            &event.before,
            &event.after,
        ))?;
    }
    for (dev, kept) in [(true, KEPT_DEV), (false, KEPT)] {
        tx.prepare_cached(
            "DELETE FROM version_event WHERE org_id = ?1 AND package_id = ?2 AND dev = ?3 AND id <=
                 (SELECT id FROM version_event WHERE org_id = ?1 AND package_id = ?2 AND dev = ?3
                  ORDER BY id DESC LIMIT 1 OFFSET ?4)",
        )?
        .execute((org, package, dev, kept))?;
    }
    Ok(())
}

/// Says which job saw the events of a package, or of those in its directories, that nobody has claimed yet.
///
/// # Errors
/// If the database cannot be written.
pub fn attribute(org: OrgId, tx: &Tx<'_>, package: PackageId, job: JobId, cause: &str) -> Result<()> {
    tx.prepare_cached(
        "UPDATE version_event SET job_id = ?3, cause = ?4 WHERE org_id = ?1 AND cause IS NULL
             AND (package_id = ?2 OR package_id IN (SELECT id FROM package WHERE org_id = ?1 AND parent_id = ?2))",
    )?
    .execute((org, package, job, cause))?;
    Ok(())
}

/// The package's events, newest first. `before`: older ones than this only.
///
/// # Errors
/// If the database cannot be read.
pub fn of_package(
    org: OrgId,
    connection: &Connection,
    package: PackageId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Event>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM version_event
             WHERE org_id = ?1 AND package_id = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4"
        ))?
        .query_map((org, package, before.unwrap_or(i64::MAX), limit), event)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The newest event of each release that ever named another commit before, by version.
///
/// # Errors
/// If the database cannot be read.
pub fn repointed(org: OrgId, connection: &Connection, package: PackageId) -> Result<HashMap<NormalizedVersion, Event>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM version_event
         WHERE org_id = ?1 AND package_id = ?2 AND action = 'moved' AND dev = 0 ORDER BY id"
    ))?;
    let events = statement.query_map((org, package), event)?;
    events
        .map(|event| event.map(|event| (event.version_normalized.clone(), event)))
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}
