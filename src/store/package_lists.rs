//! The packages of an organization as pages list them: filtered, sorted, some at a time.
//!
//! A page begins behind a package, whatever was added or removed meanwhile, so that ten thousand cost no more than fifty
//! to whoever turns pages.

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, ToSql};

use super::Result;
use super::ids::{OrgId, PackageId};
use crate::clock::Timestamp;

/// Which of the packages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each says it")]
pub enum State {
    #[default]
    All,
    Failed,
    Held,
    /// Of whose pushes nobody ever told.
    Unhooked,
    Abandoned,
}

impl State {
    const fn condition(self) -> &'static str {
        match self {
            Self::All => "1",
            Self::Failed => "p.outcome = 'failed'",
            Self::Held => "p.outcome = 'held'",
            // Packages in directories have the webhook of their repository, whose row is counted. Nor is it of a repository of which the platform tells by a webhook that we installed, or an App's.
            Self::Unhooked => {
                "p.hook_called_at IS NULL AND p.parent_id IS NULL AND p.vcs NOT IN ('custom', 'artifact', 'blocked') AND NOT EXISTS (SELECT 1 FROM repository r
                     WHERE r.org_id = p.org_id AND r.package_id = p.id AND (
                         EXISTS (SELECT 1 FROM platform_hook h WHERE h.org_id = r.org_id AND h.sync_id = r.sync_id
                             AND h.state = 'ok' AND h.removed_at IS NULL
                             AND (h.repository IS NULL OR h.repository = r.remote_id))
                         OR EXISTS (SELECT 1 FROM platform_delivery d
                             WHERE d.org_id = r.org_id AND d.sync_id = r.sync_id AND d.hook_id IS NULL)))"
            }
            Self::Abandoned => "p.abandoned IS NOT NULL",
        }
    }
}

/// How the source is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each says it")]
pub enum Source {
    Web,
    Ssh,
    Local,
}

impl Source {
    const fn condition(self) -> &'static str {
        match self {
            Self::Web => "(p.url LIKE 'http%' OR p.url LIKE 'git:%')",
            Self::Ssh => "(p.url LIKE 'ssh:%' OR p.url LIKE '%@%:%' AND p.url NOT LIKE '%://%')",
            Self::Local => "(p.url LIKE 'file:%' OR p.url LIKE '/%')",
        }
    }
}

/// By what the list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each says it")]
pub enum By {
    #[default]
    Name,
    Updated,
    Installs,
}

impl By {
    const fn key(self) -> &'static str {
        match self {
            // What has no name yet comes last: no name begins with this.
            Self::Name => "coalesce(p.name, '~' || p.url)",
            Self::Updated => "coalesce(p.updated_at, p.created_at)",
            Self::Installs => "p.recent_installs",
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The packages that may be seen: a JSON array of ids; none for all.
    pub visible: Option<String>,
    /// Each has to be in the name or in the description; in lower case.
    pub words: Vec<String>,
    /// In which state.
    pub state: State,
    /// From where.
    pub source: Option<Source>,
    /// What opens their sources: its name.
    pub credential: Option<String>,
    /// A team that has to have them: its path.
    pub team: Option<String>,
}

/// Where a page begins.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// The order.
    pub by: By,
    /// Whether it is turned around.
    pub descending: bool,
    /// The package before the first; none for the beginning.
    pub after: Option<PackageId>,
    /// The package after the last, for the page before; it goes before `after`.
    pub before: Option<PackageId>,
    /// How many at most.
    pub limit: i64,
}

/// A package in a list.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its row.
    pub id: PackageId,
    /// Its name; none until the first import.
    pub name: Option<String>,
    /// Where its source is.
    pub url: String,
    /// The version control system.
    pub vcs: String,
    /// `ok`, `pending`, `updating`, `failed` or `held`.
    pub status: String,
    /// Why.
    pub error: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it is abandoned: JSON.
    pub abandoned: Option<String>,
    /// Its newest release, or its default branch.
    pub latest: Option<String>,
    /// When what is published last changed.
    pub updated_at: Option<Timestamp>,
    /// When its webhook was last called.
    pub hook_called_at: Option<Timestamp>,
    /// Installations of about 30 days.
    pub installs: i64,
    /// Since when it fails, or is held.
    pub failing_since: Option<Timestamp>,
    /// Whether it is somebody else's package.
    pub fork: bool,
    /// Whether it waits for a name that another package has.
    pub waits_for_name: bool,
    /// Whether another package waits for a name of this one.
    pub has_rival: bool,
}

/// A page of the list.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The packages.
    pub lines: Vec<Line>,
    /// How many come before them.
    pub skipped: i64,
    /// Whether there are more behind them.
    pub more: bool,
}

/// How many packages there are of each state, of those that the rest of the filter finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All.
    pub all: i64,
    /// Failed.
    pub failed: i64,
    /// Held.
    pub held: i64,
    /// Of whose pushes nobody ever told.
    pub unhooked: i64,
    /// Abandoned.
    pub abandoned: i64,
}

impl Counts {
    /// Of a state.
    #[must_use]
    pub const fn of(&self, state: State) -> i64 {
        match state {
            State::All => self.all,
            State::Failed => self.failed,
            State::Held => self.held,
            State::Unhooked => self.unhooked,
            State::Abandoned => self.abandoned,
        }
    }
}

/// A value of a query that is put together.
#[derive(Debug)]
struct Bound(Value);

impl ToSql for Bound {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::from(&self.0)))
    }
}

/// Conditions with their values; `?1` is the organization.
struct Conditions {
    text: String,
    values: Vec<Bound>,
}

impl Conditions {
    fn of(org: OrgId, filter: &Filter) -> Self {
        let mut conditions = Self {
            text: "p.org_id = ?1 AND p.retired_at IS NULL".to_owned(),
            values: vec![Bound(Value::Integer(org.0))],
        };
        if let Some(visible) = &filter.visible {
            conditions.add("p.id IN (SELECT value FROM json_each(?))", visible);
        }
        for word in &filter.words {
            conditions.add(
                "(instr(coalesce(p.name, lower(p.url)), ?) > 0 OR instr(lower(coalesce(p.description, '')), ?) > 0)",
                word,
            );
        }
        if let Some(source) = filter.source {
            conditions.text.push_str(" AND ");
            conditions.text.push_str(source.condition());
        }
        if let Some(name) = &filter.credential {
            let condition =
                "coalesce((SELECT s.credential_id FROM package s WHERE s.id = p.parent_id), p.credential_id)
                = (SELECT c.id FROM credential c WHERE c.org_id = ?1 AND c.name = ?)";
            conditions.add(condition, name);
        }
        if let Some(path) = &filter.team {
            conditions.add(
                "EXISTS (SELECT 1 FROM team t WHERE t.org_id = ?1 AND t.path = ? AND (t.all_packages = 1 OR EXISTS (
                     SELECT 1 FROM team_package tp
                     WHERE tp.org_id = ?1 AND tp.team_id = t.id AND tp.package_id IN (p.id, p.parent_id))))",
                path,
            );
        }
        conditions
    }

    /// Adds a condition whose every `?` without a number is `value`.
    fn add(&mut self, condition: &str, value: &str) {
        self.values.push(Bound(Value::Text(value.to_owned())));
        let number = format!("?{}", self.values.len());
        let mut parts = condition.split('?').peekable();
        self.text.push_str(" AND ");
        self.text.push_str(parts.next().unwrap_or_default());
        for part in parts {
            // `?1` is the organization, wherever it stands.
            match part.starts_with('1') {
                true => self.text.push('?'),
                false => self.text.push_str(&number),
            }
            self.text.push_str(part);
        }
    }

    fn values(&self) -> impl Iterator<Item = &Bound> {
        self.values.iter()
    }
}

fn line(row: &Row<'_>) -> rusqlite::Result<Line> {
    Ok(Line {
        id: row.get(0)?,
        name: row.get(1)?,
        url: row.get(2)?,
        vcs: row.get(3)?,
        status: row.get(4)?,
        error: row.get(5)?,
        description: row.get(6)?,
        abandoned: row.get(7)?,
        latest: row.get(8)?,
        updated_at: row.get(9)?,
        hook_called_at: row.get(10)?,
        installs: row.get(11)?,
        failing_since: row.get(12)?,
        fork: row.get(13)?,
        waits_for_name: row.get(14)?,
        has_rival: row.get(15)?,
    })
}

const COLUMNS: &str = "p.id, p.name, p.url, p.vcs,
    CASE WHEN EXISTS (SELECT 1 FROM job j WHERE j.package_id = coalesce(p.parent_id, p.id) AND j.state = 'running')
         THEN 'updating' ELSE coalesce(p.outcome, 'pending') END,
    p.error, p.description, p.abandoned, p.latest, p.updated_at,
    coalesce((SELECT s.hook_called_at FROM package s WHERE s.id = p.parent_id), p.hook_called_at), p.recent_installs, p.failing_since,
    p.fork, p.held_name IS NOT NULL,
    EXISTS (SELECT 1 FROM listing l JOIN package o ON o.org_id = l.org_id AND o.held_name = l.name
        WHERE l.org_id = p.org_id AND l.package_id = p.id AND o.id <> p.id)";

/// A page of the packages that the filter finds.
///
/// # Errors
/// If the database cannot be read.
pub fn page(org: OrgId, connection: &Connection, filter: &Filter, place: Place) -> Result<Page> {
    let Conditions { mut text, values } = Conditions::of(org, filter);
    text.push_str(" AND ");
    text.push_str(filter.state.condition());
    let key = place.by.key();
    let cursor = place.before.or(place.after);
    let known = match cursor {
        Some(id) => key_of(org, connection, key, id)?.map(|value| (value, id)),
        None => None,
    };
    let backwards = place.before.is_some() && known.is_some();
    let descending = place.descending != backwards;
    let (compare, order) = if descending { ("<", "DESC") } else { (">", "ASC") };
    let mut bound: Vec<Bound> = values;
    let before = text.clone();
    if let Some((value, id)) = &known {
        bound.push(Bound(value.clone()));
        bound.push(Bound(Value::Integer(id.0)));
        text = format!("{text} AND ({key}, p.id) {compare} (?{}, ?{})", bound.len() - 1, bound.len());
    }
    let limit = place.limit.max(1);
    let sql = format!(
        "SELECT {COLUMNS} FROM package p WHERE {text} ORDER BY {key} {order}, p.id {order} LIMIT {}",
        limit + 1
    );
    let mut lines: Vec<Line> = connection
        .prepare_cached(&sql)?
        .query_map(rusqlite::params_from_iter(&bound), line)?
        .collect::<rusqlite::Result<_>>()?;
    let beyond = lines.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    lines.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    if backwards {
        lines.reverse();
    }
    let skipped = match lines.first() {
        Some(first) if known.is_some() => {
            let value = key_of(org, connection, key, first.id)?.unwrap_or(Value::Null);
            bound.truncate(bound.len() - 2);
            bound.push(Bound(value));
            bound.push(Bound(Value::Integer(first.id.0)));
            let compare = if place.descending { ">" } else { "<" };
            let sql = format!(
                "SELECT count(*) FROM package p WHERE {before} AND ({key}, p.id) {compare} (?{}, ?{})",
                bound.len() - 1,
                bound.len()
            );
            connection.prepare_cached(&sql)?.query_row(rusqlite::params_from_iter(&bound), |row| row.get(0))?
        }
        _ => 0,
    };
    Ok(Page { lines, skipped, more: beyond || backwards })
}

fn key_of(org: OrgId, connection: &Connection, key: &str, id: PackageId) -> Result<Option<Value>> {
    let sql = format!("SELECT {key} FROM package p WHERE p.org_id = ?1 AND p.id = ?2");
    Ok(connection.prepare_cached(&sql)?.query_row((org, id), |row| row.get(0)).optional()?)
}

/// How many packages the filter finds in each state; its own state does not count.
///
/// # Errors
/// If the database cannot be read.
pub fn counts(org: OrgId, connection: &Connection, filter: &Filter) -> Result<Counts> {
    let conditions = Conditions::of(org, filter);
    let [failed, held, unhooked, abandoned] =
        [State::Failed, State::Held, State::Unhooked, State::Abandoned].map(State::condition);
    let sql = format!(
        "SELECT count(*), count(*) FILTER (WHERE {failed}), count(*) FILTER (WHERE {held}),
             count(*) FILTER (WHERE {unhooked}), count(*) FILTER (WHERE {abandoned})
         FROM package p WHERE {}",
        conditions.text
    );
    Ok(connection.prepare_cached(&sql)?.query_row(rusqlite::params_from_iter(conditions.values()), |row| {
        Ok(Counts {
            all: row.get(0)?,
            failed: row.get(1)?,
            held: row.get(2)?,
            unhooked: row.get(3)?,
            abandoned: row.get(4)?,
        })
    })?)
}

/// The ids of all packages that the filter finds.
///
/// # Errors
/// If the database cannot be read.
pub fn ids(org: OrgId, connection: &Connection, filter: &Filter) -> Result<Vec<PackageId>> {
    let conditions = Conditions::of(org, filter);
    let sql =
        format!("SELECT p.id FROM package p WHERE {} AND {} ORDER BY p.id", conditions.text, filter.state.condition());
    connection
        .prepare_cached(&sql)?
        .query_map(rusqlite::params_from_iter(conditions.values()), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The paths of the organization's teams, in order, at most `limit`.
///
/// # Errors
/// If the database cannot be read.
pub fn teams(org: OrgId, connection: &Connection, limit: i64) -> Result<Vec<String>> {
    connection
        .prepare_cached("SELECT path FROM team WHERE org_id = ?1 ORDER BY path LIMIT ?2")?
        .query_map((org, limit), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
#[path = "package_lists_tests.rs"]
mod tests;
