//! Teams, and the packages that they have.

use rusqlite::{Connection, OptionalExtension, Row};

use super::database::Change;
use super::ids::{OrgId, PackageId, TeamId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// A team.
#[derive(Clone, Debug)]
pub struct Team {
    /// Its row.
    pub id: TeamId,
    /// The team above it.
    pub parent: Option<TeamId>,
    /// Its own name.
    pub name: String,
    /// The names from the outermost team to this one, between slashes.
    pub path: String,
    /// Whether it has all packages, now and later.
    pub all_packages: bool,
    /// Whether a synchronization found it, so that nobody edits it here.
    pub synchronized: bool,
    /// Whether its people read what the teams above it have.
    pub inherits: bool,
}

const SELECT: &str = "SELECT id, parent_id, name, path, all_packages, sync_id IS NOT NULL, inherits FROM team";

fn team(row: &Row<'_>) -> rusqlite::Result<Team> {
    Ok(Team {
        id: row.get(0)?,
        parent: row.get(1)?,
        name: row.get(2)?,
        path: row.get(3)?,
        all_packages: row.get(4)?,
        synchronized: row.get(5)?,
        inherits: row.get(6)?,
    })
}

/// The organization's teams, by path.
///
/// # Errors
/// If the database cannot be read.
pub fn all(org: OrgId, connection: &Connection) -> Result<Vec<Team>> {
    connection
        .prepare_cached(&format!("{SELECT} WHERE org_id = ?1 ORDER BY path"))?
        .query_map([org], team)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The team of this row.
///
/// # Errors
/// If the database cannot be read.
pub fn by_id(org: OrgId, connection: &Connection, id: TeamId) -> Result<Option<Team>> {
    Ok(connection
        .prepare_cached(&format!("{SELECT} WHERE org_id = ?1 AND id = ?2"))?
        .query_row((org, id), team)
        .optional()?)
}

/// The team with this path, without regard to case.
///
/// # Errors
/// If the database cannot be read.
pub fn by_path(org: OrgId, connection: &Connection, path: &str) -> Result<Option<Team>> {
    Ok(connection
        .prepare_cached(&format!("{SELECT} WHERE org_id = ?1 AND path = ?2"))?
        .query_row((org, path), team)
        .optional()?)
}

/// Adds a local team.
///
/// # Errors
/// A conflict if there is one with this path.
pub fn insert(
    org: OrgId,
    tx: &Tx<'_>,
    parent: Option<TeamId>,
    name: &str,
    path: &str,
    now: Timestamp,
) -> Result<TeamId> {
    tx.execute(
        "INSERT INTO team (org_id, parent_id, name, path, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        (org, parent, name, path, now),
    )?;
    let id = TeamId(tx.last_insert_rowid());
    tx.changed(Change::Team(org, id));
    Ok(id)
}

/// Gives a team another name and place; the paths of those below it follow.
///
/// # Errors
/// A conflict if there is one with this path.
pub fn set_place(org: OrgId, tx: &Tx<'_>, team: &Team, parent: Option<TeamId>, name: &str, path: &str) -> Result<()> {
    tx.execute(
        "UPDATE team SET parent_id = ?3, name = ?4, path = ?5 WHERE org_id = ?1 AND id = ?2",
        (org, team.id, parent, name, path),
    )?;
    tx.changed(Change::Team(org, team.id));
    for below in all(org, tx)?.into_iter().filter(|one| is_below(&one.path, &team.path)) {
        let follows = format!("{path}{}", &below.path[team.path.len()..]);
        tx.execute("UPDATE team SET path = ?3 WHERE org_id = ?1 AND id = ?2", (org, below.id, follows))?;
        tx.changed(Change::Team(org, below.id));
    }
    Ok(())
}

/// Whether a path is of a team below that of another one.
#[must_use]
pub fn is_below(path: &str, above: &str) -> bool {
    let prefix = path.get(..above.len());
    prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(above)) && path[above.len()..].starts_with('/')
}

/// Removes a team, and those below it.
///
/// # Errors
/// If the database cannot be written.
pub fn remove(org: OrgId, tx: &Tx<'_>, id: TeamId) -> Result<()> {
    tx.execute("DELETE FROM team WHERE org_id = ?1 AND id = ?2", (org, id))?;
    tx.changed(Change::Team(org, id));
    tx.changed(Change::Tokens(org));
    Ok(())
}

/// Gives a team all packages, now and later, or only those that it was given one by one.
///
/// # Errors
/// If the database cannot be written.
pub fn set_all_packages(org: OrgId, tx: &Tx<'_>, id: TeamId, all: bool) -> Result<()> {
    tx.execute("UPDATE team SET all_packages = ?3 WHERE org_id = ?1 AND id = ?2", (org, id, all))?;
    tx.changed(Change::Team(org, id));
    Ok(())
}

/// The packages that teams were given one by one: of one team, or of all.
///
/// # Errors
/// If the database cannot be read.
pub fn packages(org: OrgId, connection: &Connection, id: Option<TeamId>) -> Result<Vec<(TeamId, PackageId)>> {
    let one = if id.is_some() { "team_id = ?2" } else { "?2 IS NULL" };
    connection
        .prepare_cached(&format!("SELECT team_id, package_id FROM team_package WHERE org_id = ?1 AND {one}"))?
        .query_map((org, id), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The packages that teams may read because they were given them, or the repository in which they are: of one team, or of all.
///
/// # Errors
/// If the database cannot be read.
pub fn reached(org: OrgId, connection: &Connection, id: Option<TeamId>) -> Result<Vec<(TeamId, PackageId)>> {
    let one = if id.is_some() { "t.team_id = ?2" } else { "?2 IS NULL" };
    connection
        .prepare_cached(&format!(
            "SELECT t.team_id, r.reached_id FROM team_package t
             JOIN reach r ON r.org_id = t.org_id AND r.package_id = t.package_id WHERE t.org_id = ?1 AND {one}"
        ))?
        .query_map((org, id), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Gives a team a package; whether it is new.
///
/// # Errors
/// If the database cannot be written.
pub fn grant(org: OrgId, tx: &Tx<'_>, id: TeamId, package: PackageId) -> Result<bool> {
    let added = tx
        .prepare_cached(
            "INSERT INTO team_package (org_id, team_id, package_id) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute((org, id, package))?;
    tx.changed(Change::Team(org, id));
    Ok(added > 0)
}

/// Takes a package from a team; whether it had it.
///
/// # Errors
/// If the database cannot be written.
pub fn revoke(org: OrgId, tx: &Tx<'_>, id: TeamId, package: PackageId) -> Result<bool> {
    let gone = tx
        .prepare_cached("DELETE FROM team_package WHERE org_id = ?1 AND team_id = ?2 AND package_id = ?3")?
        .execute((org, id, package))?;
    tx.changed(Change::Team(org, id));
    Ok(gone > 0)
}

#[cfg(test)]
mod tests {
    use super::is_below;

    #[test]
    fn a_path_is_below_another_one_at_a_slash() {
        assert!(is_below("web/api", "web") && is_below("Web/api/v2", "web"));
        for (path, above) in [("web", "web"), ("website", "web"), ("we", "web"), ("ä/b", "a")] {
            assert!(!is_below(path, above), "{path} {above}");
        }
    }
}
