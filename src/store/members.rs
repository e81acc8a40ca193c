//! An organization's people: members that administrators added, and members that synchronizations found.

use rusqlite::{Connection, OptionalExtension, Row};

use super::database::Change;
use super::ids::{AccountId, OrgId, UserId};
use super::{Error, Result, Tx};
use crate::access::facts::{Found, GrantKind};
use crate::access::role::Role;
use crate::clock::Timestamp;

/// Whose a membership or a grant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Person {
    /// Somebody with an account here.
    User(UserId),
    /// An account on a platform, by which nobody may have logged in yet.
    Account(AccountId),
}

impl Person {
    /// As rows refer to people: by one of two columns.
    pub(super) const fn columns(self) -> (Option<UserId>, Option<AccountId>) {
        match self {
            Self::User(user) => (Some(user), None),
            Self::Account(account) => (None, Some(account)),
        }
    }

    /// Tells that something about the person changed in an organization. Nobody has to know of one who cannot log in.
    pub(super) fn changed(self, org: OrgId, tx: &Tx<'_>) -> Result<()> {
        let user = match self {
            Self::User(user) => Some(user),
            Self::Account(account) => tx
                .prepare_cached("SELECT user_id FROM account WHERE id = ?1")?
                .query_row([account], |row| row.get(0))
                .optional()?
                .flatten(),
        };
        user.into_iter().for_each(|user| tx.changed(Change::Person(org, user)));
        Ok(())
    }
}

/// About whom a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Everybody who has an account here.
    Everybody,
    /// The platforms' accounts by which nobody logged in yet.
    Unclaimed,
    /// One person, by whatever of the two is known.
    One(Person),
}

impl Whose {
    /// The id that conditions name `?2`.
    pub(super) const fn id(self) -> Option<i64> {
        match self {
            Self::Everybody | Self::Unclaimed => None,
            Self::One(Person::User(UserId(id)) | Person::Account(AccountId(id))) => Some(id),
        }
    }

    /// The condition on rows of `table`, called `m`, that are somebody's by `user_id` or, through the account `a`, by
    /// `account_id`. Each way uses its own index.
    pub(super) fn condition(self, table: &str) -> String {
        match self {
            Self::Everybody => "?2 IS NULL AND coalesce(m.user_id, a.user_id) IS NOT NULL".to_owned(),
            Self::Unclaimed => "?2 IS NULL AND m.account_id IS NOT NULL AND a.user_id IS NULL".to_owned(),
            Self::One(Person::User(_)) => format!(
                "m.id IN (SELECT id FROM {table} WHERE user_id = ?2 UNION ALL
                     SELECT o.id FROM {table} o JOIN account oa ON oa.id = o.account_id WHERE oa.user_id = ?2)"
            ),
            Self::One(Person::Account(_)) => "m.account_id = ?2".to_owned(),
        }
    }
}

/// The role in a column; the schema admits no other words.
pub(super) fn role(row: &Row<'_>, at: usize) -> rusqlite::Result<Role> {
    let word: String = row.get(at)?;
    Role::of_membership(&word).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(
            at,
            rusqlite::types::Type::Text,
            Box::new(Error::Corrupt(format!("the role `{}`", word.escape_debug()))),
        )
    })
}

/// The roles that administrators gave, of one person or of all.
///
/// # Errors
/// If the database cannot be read.
pub fn given(org: OrgId, connection: &Connection, user: Option<UserId>) -> Result<Vec<(UserId, Role)>> {
    let one = if user.is_some() { "user_id = ?2" } else { "?2 IS NULL" };
    connection
        .prepare_cached(&format!("SELECT user_id, role FROM member WHERE org_id = ?1 AND {one} ORDER BY user_id"))?
        .query_map((org, user), |row| Ok((row.get(0)?, role(row, 1)?)))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// What was found, from the columns that begin at `at`.
fn finding(row: &Row<'_>, at: usize) -> rusqlite::Result<Found> {
    let reads: Option<String> = row.get(at + 2)?;
    let detail: String = row.get(at + 3)?;
    Ok(Found {
        sync: row.get(at)?,
        role: role(row, at + 1)?,
        reads: reads.as_deref().and_then(GrantKind::parse),
        detail: detail.into(),
        active: row.get(at + 4)?,
        until: row.get(at + 5)?,
    })
}

/// As what a synchronization found an account.
#[derive(Clone, Debug)]
pub struct FoundOf {
    /// Whose it is, if somebody logged in by it.
    pub user: Option<UserId>,
    /// The account.
    pub account: AccountId,
    /// What was found.
    pub found: Found,
    /// Whether that was confirmed too long ago to count.
    pub stale: bool,
}

/// As what synchronizations of the organization found accounts: of one person, or of everybody who logged in by one.
///
/// # Errors
/// If the database cannot be read.
pub fn found_of(org: OrgId, connection: &Connection, whose: Whose) -> Result<Vec<FoundOf>> {
    let condition = match whose {
        Whose::Everybody => "?2 IS NULL AND a.user_id IS NOT NULL",
        Whose::Unclaimed => "?2 IS NULL AND a.user_id IS NULL",
        Whose::One(Person::User(_)) => "a.user_id = ?2",
        Whose::One(Person::Account(_)) => "a.id = ?2",
    };
    connection
        .prepare_cached(&format!(
            "SELECT a.user_id, f.account_id, f.sync_id, f.role, f.reads, f.detail, f.active, f.expires_at,
                 s.stale_at IS NOT NULL
             FROM found_member f JOIN account a ON a.id = f.account_id
             JOIN sync s ON s.org_id = f.org_id AND s.id = f.sync_id
             WHERE f.org_id = ?1 AND {condition} ORDER BY f.account_id, f.sync_id"
        ))?
        .query_map((org, whose.id()), |row| {
            Ok(FoundOf { user: row.get(0)?, account: row.get(1)?, found: finding(row, 2)?, stale: row.get(8)? })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// An owner whose account works, and what decides whether the person gets in.
#[derive(Clone, Debug)]
pub struct Owner {
    /// Who.
    pub user: UserId,
    /// Whether the person administers the instance, and so gets in everywhere.
    pub administrator: bool,
    integrations: Vec<String>,
}

impl Owner {
    /// The integrations of the person's connected accounts, without suspended ones.
    pub fn integrations(&self) -> impl Iterator<Item = &str> {
        self.integrations.iter().map(String::as_str)
    }
}

/// The organization's owners at `now` whose accounts are not disabled, given and found.
///
/// # Errors
/// If the database cannot be read.
pub fn owners(org: OrgId, connection: &Connection, now: Timestamp) -> Result<Vec<Owner>> {
    let mut accounts = connection
        .prepare_cached("SELECT DISTINCT integration FROM account WHERE user_id = ?1 AND suspended_at IS NULL")?;
    connection
        .prepare_cached(
            "SELECT u.id, u.admin FROM user u WHERE u.enabled = 1 AND u.id IN (
                 SELECT user_id FROM member WHERE org_id = ?1 AND role = 'owner'
                 UNION SELECT a.user_id FROM found_member f JOIN account a ON a.id = f.account_id
                     JOIN sync s ON s.org_id = f.org_id AND s.id = f.sync_id AND s.stale_at IS NULL
                     WHERE f.org_id = ?1 AND f.role = 'owner' AND f.active = 1 AND a.suspended_at IS NULL
                         AND (f.expires_at IS NULL OR f.expires_at > ?2))",
        )?
        .query_map((org, now), |row| {
            let user = row.get(0)?;
            let integrations = accounts.query_map([user], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            Ok(Owner { user, administrator: row.get(1)?, integrations })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Gives somebody a role, instead of the one before.
///
/// # Errors
/// If the database cannot be written.
pub fn set(org: OrgId, tx: &Tx<'_>, user: UserId, role: Role, now: Timestamp) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO member (org_id, user_id, role, created_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (org_id, user_id) DO UPDATE SET role = excluded.role",
    )?
    .execute((org, user, role.as_str(), now))?;
    tx.changed(Change::Person(org, user));
    Ok(())
}

/// Takes back whatever administrators gave somebody in the organization: the role, local teams, and grants. How many
/// facts that were.
///
/// # Errors
/// If the database cannot be written.
pub fn remove(org: OrgId, tx: &Tx<'_>, person: Person) -> Result<usize> {
    let (user, account) = person.columns();
    let mut gone = tx.execute("DELETE FROM member WHERE org_id = ?1 AND user_id = ?2", (org, user))?;
    gone += tx.execute(
        "DELETE FROM team_member WHERE org_id = ?1 AND (user_id = ?2 OR account_id = ?3
                 OR account_id IN (SELECT id FROM account WHERE account.user_id = ?2))
             AND team_id IN (SELECT id FROM team WHERE org_id = ?1 AND sync_id IS NULL)",
        (org, user, account),
    )?;
    gone += tx.execute(
        "DELETE FROM package_grant WHERE org_id = ?1 AND kind = 'grant' AND (user_id = ?2 OR account_id = ?3
                 OR account_id IN (SELECT id FROM account WHERE account.user_id = ?2))",
        (org, user, account),
    )?;
    person.changed(org, tx)?;
    Ok(gone)
}

/// Says yes to somebody whom synchronizations found, or no; how many findings that concerned.
///
/// # Errors
/// If the database cannot be written.
pub fn set_active(org: OrgId, tx: &Tx<'_>, person: Person, active: bool) -> Result<usize> {
    let (user, account) = person.columns();
    let changed = tx.execute(
        "UPDATE found_member SET active = ?4 WHERE org_id = ?1 AND (account_id = ?3
             OR account_id IN (SELECT id FROM account WHERE account.user_id = ?2))",
        (org, user, account, active),
    )?;
    person.changed(org, tx)?;
    Ok(changed)
}

/// A connected account, as access is computed from it.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The account.
    pub id: AccountId,
    /// Whose it is; none while nobody logged in by it.
    pub user: Option<UserId>,
    /// The integration that it is of.
    pub integration: String,
    /// What the platform calls it.
    pub login: String,
    /// Whether it is suspended.
    pub suspended: bool,
}

const CONNECTED: &str = "SELECT id, user_id, integration, login, suspended_at IS NOT NULL FROM account";

fn account(row: &Row<'_>) -> rusqlite::Result<Connected> {
    Ok(Connected {
        id: row.get(0)?,
        user: row.get(1)?,
        integration: row.get(2)?,
        login: row.get(3)?,
        suspended: row.get(4)?,
    })
}

/// The accounts of one person, or all that are somebody's. Accounts belong to no organization.
///
/// # Errors
/// If the database cannot be read.
pub fn connected(connection: &Connection, whose: Whose) -> Result<Vec<Connected>> {
    let condition = match whose {
        Whose::Everybody => "?1 IS NULL AND user_id IS NOT NULL",
        Whose::Unclaimed => "?1 IS NULL AND user_id IS NULL",
        Whose::One(Person::User(_)) => "user_id = ?1",
        Whose::One(Person::Account(_)) => "id = ?1",
    };
    connection
        .prepare_cached(&format!("{CONNECTED} WHERE {condition} ORDER BY id"))?
        .query_map([whose.id()], account)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The accounts of this integration that have this login, without regard to case. More than one only until the next
/// synchronization, where a platform's logins were exchanged.
///
/// # Errors
/// If the database cannot be read.
pub fn accounts_named(connection: &Connection, integration: &str, login: &str) -> Result<Vec<Connected>> {
    connection
        .prepare_cached(&format!("{CONNECTED} WHERE integration = ?1 AND login = ?2 COLLATE NOCASE ORDER BY id"))?
        .query_map([integration, login], account)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The organizations in which anything was given to a person, or found for an account of theirs.
///
/// # Errors
/// If the database cannot be read.
pub fn organizations_of(connection: &Connection, user: UserId) -> Result<Vec<OrgId>> {
    connection
        .prepare_cached(
            "WITH mine (id) AS (SELECT id FROM account WHERE user_id = ?1)
             SELECT org_id FROM member WHERE user_id = ?1
             UNION SELECT org_id FROM team_member WHERE user_id = ?1
             UNION SELECT org_id FROM package_grant WHERE user_id = ?1
             UNION SELECT org_id FROM found_member WHERE account_id IN (SELECT id FROM mine)
             UNION SELECT org_id FROM team_member WHERE account_id IN (SELECT id FROM mine)
             UNION SELECT org_id FROM package_grant WHERE account_id IN (SELECT id FROM mine)",
        )?
        .query_map([user], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}
