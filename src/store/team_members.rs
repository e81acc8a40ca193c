//! Who is in a team: people in local ones, and in those that a synchronization found the platform's accounts.

use rusqlite::Connection;

use super::ids::{AccountId, OrgId, TeamId, UserId};
use super::members::{Person, Whose};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// Somebody in a team, as lists show them.
#[derive(Clone, Debug)]
pub struct Member {
    /// The team.
    pub team: TeamId,
    /// Who it is: the person, where one is known.
    pub person: Person,
    /// The person's name, or `integration:login`.
    pub name: String,
    /// When that ends.
    pub until: Option<Timestamp>,
}

/// Who is in the organization's teams, by name: in one of them, or in all.
///
/// # Errors
/// If the database cannot be read.
pub fn all(org: OrgId, connection: &Connection, team: Option<TeamId>) -> Result<Vec<Member>> {
    let one = if team.is_some() { "m.team_id = ?2" } else { "?2 IS NULL" };
    connection
        .prepare_cached(&format!(
            "SELECT m.team_id, u.id, m.account_id, coalesce(u.name, a.integration || ':' || a.login), m.expires_at
             FROM team_member m LEFT JOIN account a ON a.id = m.account_id
             LEFT JOIN user u ON u.id = coalesce(m.user_id, a.user_id)
             WHERE m.org_id = ?1 AND {one} ORDER BY 4, m.id"
        ))?
        .query_map((org, team), |row| {
            let (user, account): (Option<UserId>, Option<AccountId>) = (row.get(1)?, row.get(2)?);
            let person = match (user, account) {
                (Some(user), _) => Person::User(user),
                (None, account) => Person::Account(account.unwrap_or(AccountId(0))),
            };
            Ok(Member { team: row.get(0)?, person, name: row.get(3)?, until: row.get(4)? })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// A membership, as access is computed from it.
#[derive(Clone, Copy, Debug)]
pub struct Membership {
    /// Whose it is; none while nobody logged in by the account.
    pub user: Option<UserId>,
    /// The account that it is about; none: the person.
    pub account: Option<AccountId>,
    /// The team.
    pub team: TeamId,
    /// When it ends.
    pub until: Option<Timestamp>,
    /// Whether a synchronization found it, and that was confirmed too long ago to count.
    pub stale: bool,
}

/// The memberships of one person, or of everybody.
///
/// # Errors
/// If the database cannot be read.
pub fn memberships(org: OrgId, connection: &Connection, whose: Whose) -> Result<Vec<Membership>> {
    connection
        .prepare_cached(&format!(
            "SELECT coalesce(m.user_id, a.user_id), m.account_id, m.team_id, m.expires_at,
                 EXISTS (SELECT 1 FROM team t JOIN sync s ON s.org_id = t.org_id AND s.id = t.sync_id
                     WHERE t.org_id = m.org_id AND t.id = m.team_id AND s.stale_at IS NOT NULL)
             FROM team_member m LEFT JOIN account a ON a.id = m.account_id WHERE m.org_id = ?1 AND {}",
            whose.condition("team_member")
        ))?
        .query_map((org, whose.id()), |row| {
            Ok(Membership {
                user: row.get(0)?,
                account: row.get(1)?,
                team: row.get(2)?,
                until: row.get(3)?,
                stale: row.get(4)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Puts somebody into a team; whether that is new.
///
/// # Errors
/// If the database cannot be written.
pub fn add(org: OrgId, tx: &Tx<'_>, team: TeamId, person: Person, now: Timestamp) -> Result<bool> {
    let (user, account) = person.columns();
    let added = tx
        .prepare_cached(
            "INSERT INTO team_member (org_id, team_id, user_id, account_id, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
        )?
        .execute((org, team, user, account, now))?;
    person.changed(org, tx)?;
    Ok(added > 0)
}

/// Takes somebody out of a team, also where an account stands for the person; whether they were in it.
///
/// # Errors
/// If the database cannot be written.
pub fn remove(org: OrgId, tx: &Tx<'_>, team: TeamId, person: Person) -> Result<bool> {
    let (user, account) = person.columns();
    let gone = tx
        .prepare_cached(
            "DELETE FROM team_member WHERE org_id = ?1 AND team_id = ?2 AND (user_id = ?3 OR account_id = ?4
                 OR account_id IN (SELECT id FROM account WHERE account.user_id = ?3))",
        )?
        .execute((org, team, user, account))?;
    person.changed(org, tx)?;
    Ok(gone > 0)
}
