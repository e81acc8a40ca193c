//! What synchronizations found of people: members, teams, who is in them, and who reads what. Rows are named by the
//! platform's ids, because names change.

use rusqlite::{Connection, OptionalExtension};

use super::ids::{AccountId, OrgId, PackageId, SyncId, TeamId};
use super::{Result, Tx, members};
use crate::access::facts::GrantKind;
use crate::access::role::Role;
use crate::clock::Timestamp;

/// A membership, as a run found it.
#[derive(Clone, Debug)]
pub struct Member {
    /// The platform's id of the account.
    pub subject: String,
    /// What it is there.
    pub there: Role,
    /// What that makes it here.
    pub role: Role,
    /// By what it reads all packages, if so.
    pub reads: Option<GrantKind>,
    /// The words for it.
    pub detail: String,
    /// When it ends.
    pub until: Option<Timestamp>,
}

/// The members that a synchronization found.
///
/// # Errors
/// If the database cannot be read.
pub fn all_members(org: OrgId, connection: &Connection, sync: SyncId) -> Result<Vec<Member>> {
    connection
        .prepare_cached(
            "SELECT a.subject, f.there, f.role, f.reads, f.detail, f.expires_at
             FROM found_member f JOIN account a ON a.id = f.account_id WHERE f.org_id = ?1 AND f.sync_id = ?2",
        )?
        .query_map((org, sync), |row| {
            let reads: Option<String> = row.get(3)?;
            Ok(Member {
                subject: row.get(0)?,
                there: members::role(row, 1)?,
                role: members::role(row, 2)?,
                reads: reads.as_deref().and_then(GrantKind::parse),
                detail: row.get(4)?,
                until: row.get(5)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Remembers a member. Whoever an administrator activated or deactivated stays so; somebody new is active where nobody has
/// to say yes, or somebody did for the same account.
///
/// # Errors
/// If the database cannot be written.
pub fn put_member(
    org: OrgId,
    tx: &Tx<'_>,
    sync: SyncId,
    account: AccountId,
    is: &Member,
    now: Timestamp,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO found_member (org_id, sync_id, account_id, role, there, reads, detail, active, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,
             (SELECT activation = 'automatic' FROM organization WHERE id = ?1)
                 OR EXISTS (SELECT 1 FROM found_member WHERE org_id = ?1 AND account_id = ?3 AND active = 1), ?8, ?9)
         ON CONFLICT (org_id, sync_id, account_id) DO UPDATE SET role = excluded.role, there = excluded.there,
             reads = excluded.reads, detail = excluded.detail, expires_at = excluded.expires_at",
    )?
    .execute((
        org,
        sync,
        account,
        is.role.as_str(),
        is.there.as_str(),
        is.reads.map(GrantKind::as_str),
        &is.detail,
        now,
        is.until,
    ))?;
    Ok(())
}

/// Forgets a member.
///
/// # Errors
/// If the database cannot be written.
pub fn remove_member(org: OrgId, tx: &Tx<'_>, sync: SyncId, account: AccountId) -> Result<()> {
    tx.prepare_cached("DELETE FROM found_member WHERE org_id = ?1 AND sync_id = ?2 AND account_id = ?3")?
        .execute((org, sync, account))?;
    Ok(())
}

/// A team, as a run found it.
#[derive(Clone, Debug)]
pub struct Team {
    /// Its row.
    pub id: TeamId,
    /// The platform's id of it.
    pub remote_id: String,
    /// Its own name.
    pub name: String,
    /// The names from the outermost team to it.
    pub path: String,
    /// The platform's id of the team above it.
    pub parent: Option<String>,
}

/// The teams that a synchronization found.
///
/// # Errors
/// If the database cannot be read.
pub fn all_teams(org: OrgId, connection: &Connection, sync: SyncId) -> Result<Vec<Team>> {
    connection
        .prepare_cached(
            "SELECT t.id, t.remote_id, t.name, t.path, p.remote_id
             FROM team t LEFT JOIN team p ON p.org_id = t.org_id AND p.id = t.parent_id
             WHERE t.org_id = ?1 AND t.sync_id = ?2 AND t.remote_id IS NOT NULL",
        )?
        .query_map((org, sync), |row| {
            let (id, remote_id, name) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Team { id, remote_id, name, path: row.get(3)?, parent: row.get(4)? })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The paths of all teams that this synchronization did not find.
///
/// # Errors
/// If the database cannot be read.
pub fn other_paths(org: OrgId, connection: &Connection, sync: SyncId) -> Result<Vec<String>> {
    connection
        .prepare_cached("SELECT path FROM team WHERE org_id = ?1 AND sync_id IS NOT ?2")?
        .query_map((org, sync), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Adds a team, whose people may read what those above it have, at a place that nobody else has, until [`place_team`] gives it its own.
///
/// # Errors
/// If the database cannot be written.
pub fn insert_team(
    org: OrgId,
    tx: &Tx<'_>,
    sync: SyncId,
    remote_id: &str,
    (name, inherits): (&str, bool),
    now: Timestamp,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO team (org_id, sync_id, remote_id, name, path, inherits, created_at)
         VALUES (?1, ?2, ?3, ?4, '//' || ?2 || '/' || ?3, ?5, ?6)",
    )?
    .execute((org, sync, remote_id, name, inherits, now))?;
    Ok(())
}

/// Takes a team from where it is, to a place that nobody else has.
///
/// # Errors
/// If the database cannot be written.
pub fn displace_team(org: OrgId, tx: &Tx<'_>, sync: SyncId, remote_id: &str) -> Result<()> {
    tx.prepare_cached(
        "UPDATE team SET parent_id = NULL, path = '//' || ?2 || '/' || ?3
         WHERE org_id = ?1 AND sync_id = ?2 AND remote_id = ?3",
    )?
    .execute((org, sync, remote_id))?;
    Ok(())
}

/// Gives a team its name and place, below another one of the same synchronization.
///
/// # Errors
/// A conflict if there is another team with this path.
pub fn place_team(
    org: OrgId,
    tx: &Tx<'_>,
    sync: SyncId,
    remote_id: &str,
    (name, path): (&str, &str),
    parent: Option<&str>,
) -> Result<()> {
    tx.prepare_cached(
        "UPDATE team SET name = ?4, path = ?5,
             parent_id = (SELECT id FROM team WHERE org_id = ?1 AND sync_id = ?2 AND remote_id = ?6)
         WHERE org_id = ?1 AND sync_id = ?2 AND remote_id = ?3",
    )?
    .execute((org, sync, remote_id, name, path, parent))?;
    Ok(())
}

/// Removes a team.
///
/// # Errors
/// If the database cannot be written.
pub fn remove_team(org: OrgId, tx: &Tx<'_>, sync: SyncId, remote_id: &str) -> Result<()> {
    tx.prepare_cached("DELETE FROM team WHERE org_id = ?1 AND sync_id = ?2 AND remote_id = ?3")?
        .execute((org, sync, remote_id))?;
    Ok(())
}

/// The row of a team.
///
/// # Errors
/// If the database cannot be read.
pub fn team(org: OrgId, connection: &Connection, sync: SyncId, remote_id: &str) -> Result<Option<TeamId>> {
    Ok(connection
        .prepare_cached("SELECT id FROM team WHERE org_id = ?1 AND sync_id = ?2 AND remote_id = ?3")?
        .query_row((org, sync, remote_id), |row| row.get(0))
        .optional()?)
}

/// An account in a team: the platform's ids of both, and when that ends.
type InTeam = (String, String, Option<Timestamp>);

/// Who is in the teams that a synchronization found.
///
/// # Errors
/// If the database cannot be read.
pub fn in_teams(org: OrgId, connection: &Connection, sync: SyncId) -> Result<Vec<InTeam>> {
    connection
        .prepare_cached(
            "SELECT t.remote_id, a.subject, m.expires_at FROM team t
             JOIN team_member m ON m.org_id = t.org_id AND m.team_id = t.id
             JOIN account a ON a.id = m.account_id
             WHERE t.org_id = ?1 AND t.sync_id = ?2 AND t.remote_id IS NOT NULL",
        )?
        .query_map((org, sync), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Puts an account into a team, or sets when that ends.
///
/// # Errors
/// If the database cannot be written.
pub fn join(
    org: OrgId,
    tx: &Tx<'_>,
    team: TeamId,
    account: AccountId,
    until: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO team_member (org_id, team_id, account_id, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (org_id, team_id, account_id) DO UPDATE SET expires_at = excluded.expires_at",
    )?
    .execute((org, team, account, now, until))?;
    Ok(())
}

/// Takes an account out of a team.
///
/// # Errors
/// If the database cannot be written.
pub fn leave(org: OrgId, tx: &Tx<'_>, team: TeamId, account: AccountId) -> Result<()> {
    tx.prepare_cached("DELETE FROM team_member WHERE org_id = ?1 AND team_id = ?2 AND account_id = ?3")?
        .execute((org, team, account))?;
    Ok(())
}

/// What the teams that a synchronization found read of its repositories: the platform's ids of both.
///
/// # Errors
/// If the database cannot be read.
pub fn opened(org: OrgId, connection: &Connection, sync: SyncId) -> Result<Vec<(String, String)>> {
    connection
        .prepare_cached(
            "SELECT t.remote_id, r.remote_id FROM team t
             JOIN team_package p ON p.org_id = t.org_id AND p.team_id = t.id
             JOIN repository r ON r.package_id = p.package_id AND r.org_id = t.org_id AND r.sync_id = t.sync_id
             WHERE t.org_id = ?1 AND t.sync_id = ?2 AND t.remote_id IS NOT NULL",
        )?
        .query_map((org, sync), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Lets a team read a package.
///
/// # Errors
/// If the database cannot be written.
pub fn open(org: OrgId, tx: &Tx<'_>, team: TeamId, package: PackageId) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO team_package (org_id, team_id, package_id) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?
    .execute((org, team, package))?;
    Ok(())
}

/// Lets a team read a package no more.
///
/// # Errors
/// If the database cannot be written.
pub fn close(org: OrgId, tx: &Tx<'_>, team: TeamId, package: PackageId) -> Result<()> {
    tx.prepare_cached("DELETE FROM team_package WHERE org_id = ?1 AND team_id = ?2 AND package_id = ?3")?
        .execute((org, team, package))?;
    Ok(())
}

/// Somebody who reads a package without a team.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The platform's id of the account.
    pub subject: String,
    /// The platform's id of the repository.
    pub repository: String,
    /// By what.
    pub by: GrantKind,
    /// The words for it.
    pub detail: String,
    /// When it ends.
    pub until: Option<Timestamp>,
}

/// Who reads packages of a synchronization without a team, as it found.
///
/// # Errors
/// If the database cannot be read.
pub fn readers(org: OrgId, connection: &Connection, sync: SyncId) -> Result<Vec<Reader>> {
    let rows: Vec<(String, String, String, String, Option<Timestamp>)> = connection
        .prepare_cached(
            "SELECT a.subject, r.remote_id, g.kind, g.detail, g.expires_at FROM package_grant g
             JOIN account a ON a.id = g.account_id
             JOIN repository r ON r.package_id = g.package_id AND r.org_id = g.org_id AND r.sync_id = g.sync_id
             WHERE g.org_id = ?1 AND g.sync_id = ?2",
        )?
        .query_map((org, sync), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let reader = |(subject, repository, by, detail, until): (_, _, String, _, _)| {
        Some(Reader { subject, repository, by: GrantKind::parse(&by)?, detail, until })
    };
    Ok(rows.into_iter().filter_map(reader).collect())
}

/// Lets somebody read a package without a team.
///
/// # Errors
/// If the database cannot be written.
pub fn grant(
    org: OrgId,
    tx: &Tx<'_>,
    sync: SyncId,
    (account, package): (AccountId, PackageId),
    by: GrantKind,
    (detail, until): (&str, Option<Timestamp>),
    now: Timestamp,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO package_grant (org_id, package_id, account_id, sync_id, kind, detail, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (org_id, package_id, account_id, sync_id, kind) DO UPDATE SET
             detail = excluded.detail, expires_at = excluded.expires_at",
    )?
    .execute((org, package, account, sync, by.as_str(), detail, now, until))?;
    Ok(())
}

/// Lets somebody read a package no more without a team.
///
/// # Errors
/// If the database cannot be written.
pub fn revoke(
    org: OrgId,
    tx: &Tx<'_>,
    sync: SyncId,
    account: AccountId,
    package: PackageId,
    by: GrantKind,
) -> Result<()> {
    tx.prepare_cached(
        "DELETE FROM package_grant
         WHERE org_id = ?1 AND sync_id = ?2 AND account_id = ?3 AND package_id = ?4 AND kind = ?5",
    )?
    .execute((org, sync, account, package, by.as_str()))?;
    Ok(())
}
