//! What pages ask of synchronizations: their repositories, some at a time, what needs somebody, and how a package is told of.

use rusqlite::{Connection, OptionalExtension, Row};

use super::Result;
use super::ids::{JobId, OrgId, PackageId, SyncId};
use super::jobs::{self, Job};
use crate::clock::Timestamp;

/// Which of the repositories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each says it")]
pub enum Which {
    #[default]
    All,
    Packages,
    /// That are none, and could be.
    Others,
    Gone,
}

impl Which {
    const fn condition(self) -> &'static str {
        match self {
            Self::All => "1",
            Self::Packages => "r.package_id IS NOT NULL AND r.gone_at IS NULL",
            Self::Others => "r.package_id IS NULL AND r.gone_at IS NULL",
            Self::Gone => "r.gone_at IS NOT NULL",
        }
    }
}

/// A repository, as the table shows it.
#[derive(Clone, Debug)]
pub struct Repository {
    /// The platform's id of it.
    pub remote_id: String,
    /// Owner and name.
    pub path: String,
    /// Its page there.
    pub web_url: Option<String>,
    /// `active`, `archived`, `disabled` or `empty`.
    pub state: String,
    /// `private`, `internal` or `public`.
    pub visibility: String,
    /// Whether the default branch has a composer.json; none: that is not known.
    pub manifest: Option<bool>,
    /// What became of it: `package`, `wanted`, `none`, `left` or `removed`.
    pub decision: String,
    /// Why.
    pub reason: String,
    /// The package that it is, its name, and how its last update went.
    pub package: Option<(PackageId, Option<String>, Option<String>)>,
    /// Since when the platform does not list it any more.
    pub gone_at: Option<Timestamp>,
}

fn repository(row: &Row<'_>) -> rusqlite::Result<Repository> {
    let package: Option<PackageId> = row.get(8)?;
    let (name, outcome) = (row.get(9)?, row.get(10)?);
    Ok(Repository {
        remote_id: row.get(0)?,
        path: row.get(1)?,
        web_url: row.get(2)?,
        state: row.get(3)?,
        visibility: row.get(4)?,
        manifest: row.get(5)?,
        decision: row.get(6)?,
        reason: row.get(7)?,
        package: package.map(|id| (id, name, outcome)),
        gone_at: row.get(11)?,
    })
}

/// A filter as `LIKE` takes it: anywhere in the path.
fn like(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

/// Up to `limit` repositories of a synchronization after the one with this path and id, by path.
///
/// # Errors
/// If the database cannot be read.
pub fn repositories(
    org: OrgId,
    connection: &Connection,
    sync: SyncId,
    (which, text): (Which, &str),
    (path, id): (&str, &str),
    limit: i64,
) -> Result<Vec<Repository>> {
    connection
        .prepare_cached(&format!(
            "SELECT r.remote_id, r.path, r.web_url, r.state, r.visibility, r.manifest, r.decision, r.reason, p.id, p.name,
                 p.outcome, r.gone_at
             FROM repository r LEFT JOIN package p ON p.id = r.package_id
             WHERE r.org_id = ?1 AND r.sync_id = ?2 AND r.path LIKE ?3 ESCAPE '\\' AND {}
                 AND (r.path, r.remote_id) > (?4, ?5)
             ORDER BY r.path, r.remote_id LIMIT ?6",
            which.condition()
        ))?
        .query_map((org, sync, like(text), path, id, limit), repository)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// How many repositories of a synchronization there are of a kind.
///
/// # Errors
/// If the database cannot be read.
pub fn count_repositories(
    org: OrgId,
    connection: &Connection,
    sync: SyncId,
    (which, text): (Which, &str),
) -> Result<i64> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT count(*) FROM repository r
             WHERE r.org_id = ?1 AND r.sync_id = ?2 AND r.path LIKE ?3 ESCAPE '\\' AND {}",
            which.condition()
        ))?
        .query_row((org, sync, like(text)), |row| row.get(0))?)
}

/// The run of a synchronization that is under way or waits for its turn.
///
/// # Errors
/// If the database cannot be read.
pub fn work(org: OrgId, connection: &Connection, sync: SyncId) -> Result<Option<Job>> {
    let id: Option<JobId> = connection
        .prepare_cached(
            "SELECT id FROM job WHERE org_id = ?1 AND dedupe_key = 'sync_organization:' || ?2
                 AND state IN ('running', 'ready') ORDER BY state = 'running' DESC LIMIT 1",
        )?
        .query_row((org, sync), |row| row.get(0))
        .optional()?;
    Ok(id.map(|id| jobs::by_id(connection, id)).transpose()?.flatten())
}

/// What the navigation says of an organization's synchronizations: how many there are, how many failed, and how many wait
/// for a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub all: i64,
    /// Whose last run failed, or whose findings do not count any more.
    pub failed: i64,
    /// That hold something back until somebody says yes.
    pub held: i64,
}

/// Counts an organization's synchronizations.
///
/// # Errors
/// If the database cannot be read.
pub fn tally(org: OrgId, connection: &Connection) -> Result<Tally> {
    Ok(connection
        .prepare_cached(
            "SELECT count(*), count(*) FILTER (WHERE outcome = 'failed' OR stale_at IS NOT NULL),
                 count(*) FILTER (WHERE held_digest IS NOT NULL)
             FROM sync WHERE org_id = ?1",
        )?
        .query_row([org], |row| Ok(Tally { all: row.get(0)?, failed: row.get(1)?, held: row.get(2)? }))?)
}

/// How the platform tells of a package's repository.
#[derive(Clone, Debug)]
pub struct Told {
    /// The synchronization that the package came by.
    pub sync: SyncId,
    /// What people call the organization there.
    pub remote: String,
    /// The repository's path there.
    pub path: String,
    /// The hook: `pending`, `ok`, `failing`, `missing` or `refused`; none where nothing is installed.
    pub state: Option<String>,
    /// What somebody should know about that.
    pub error: Option<String>,
    /// Whether it is the organization's, which tells of all repositories.
    pub whole: bool,
    /// When it was last looked after.
    pub checked_at: Option<Timestamp>,
    /// When something of this repository was last delivered, and what.
    pub last: Option<(Timestamp, String)>,
}

/// How the platform tells of a package's repository; none if the package came by no synchronization.
///
/// # Errors
/// If the database cannot be read.
pub fn told(org: OrgId, connection: &Connection, package: PackageId) -> Result<Option<Told>> {
    Ok(connection
        .prepare_cached(
            "SELECT r.sync_id, s.remote, r.path, h.state, h.error, h.repository IS NULL, h.checked_at, d.received_at, d.event
             FROM repository r JOIN sync s ON s.org_id = r.org_id AND s.id = r.sync_id
             LEFT JOIN platform_hook h ON h.org_id = r.org_id AND h.sync_id = r.sync_id AND h.removed_at IS NULL
                 AND (h.repository = r.remote_id OR h.repository IS NULL)
             LEFT JOIN platform_delivery d ON d.id = (SELECT max(id) FROM platform_delivery
                 WHERE org_id = r.org_id AND sync_id = r.sync_id AND subject = r.path)
             WHERE r.org_id = ?1 AND r.package_id = ?2 AND r.gone_at IS NULL
             ORDER BY h.repository IS NULL, h.state <> 'ok' LIMIT 1",
        )?
        .query_row((org, package), |row| {
            let (at, event): (Option<Timestamp>, Option<String>) = (row.get(7)?, row.get(8)?);
            let state: Option<String> = row.get(3)?;
            Ok(Told {
                sync: row.get(0)?,
                remote: row.get(1)?,
                path: row.get(2)?,
                error: row.get(4)?,
                whole: state.is_some() && row.get(5)?,
                state,
                checked_at: row.get(6)?,
                last: at.zip(event),
            })
        })
        .optional()?)
}
