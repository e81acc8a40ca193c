//! Installation tokens, by their digest: the text itself is never stored.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row};

use super::database::Change;
use super::ids::{OrgId, PackageId, TeamId, TokenId, UserId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// A token as lists show it.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its row.
    pub id: TokenId,
    /// `organization` or `user`.
    pub kind: String,
    /// `read` or `update`.
    pub access: String,
    /// How its text begins.
    pub prefix: String,
    /// How its text ends.
    pub last4: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whose it is, for a user token.
    pub user: Option<String>,
    /// Whether it opens only the packages of [`packages`].
    pub restricted: bool,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// When it last opened something.
    pub last_used_at: Option<Timestamp>,
    /// From where.
    pub last_used_address: Option<String>,
    /// By what program.
    pub last_used_client: Option<String>,
}

/// A token as requests are checked against it.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its row.
    pub id: TokenId,
    /// SHA-256 of its text.
    pub digest: [u8; 32],
    /// The account that holds it; none for an organization token.
    pub user: Option<UserId>,
    /// Whether it may cause changes, such as a package being mirrored.
    pub update: bool,
    /// What it is restricted to; none: all of the organization.
    pub scope: Option<Scope>,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// What a restricted token opens: these packages, and what these teams may read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The packages.
    pub packages: Vec<PackageId>,
    /// The teams.
    pub teams: Vec<TeamId>,
}

/// What a new token is made of.
#[derive(Clone, Debug)]
pub struct New {
    /// `read` or `update`.
    pub access: &'static str,
    /// SHA-256 of its text.
    pub digest: [u8; 32],
    /// How its text begins.
    pub prefix: String,
    /// How its text ends.
    pub last4: String,
    /// What it is for.
    pub description: Option<String>,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
}

const SELECT: &str = "SELECT t.id, t.kind, t.access, t.prefix, t.last4, t.description,
        (SELECT name FROM user u WHERE u.id = t.user_id), t.restricted, t.expires_at, t.last_used_at,
        t.last_used_address, t.last_used_client
    FROM token t";

fn token(row: &Row<'_>) -> rusqlite::Result<Token> {
    Ok(Token {
        id: row.get(0)?,
        kind: row.get(1)?,
        access: row.get(2)?,
        prefix: row.get(3)?,
        last4: row.get(4)?,
        description: row.get(5)?,
        user: row.get(6)?,
        restricted: row.get(7)?,
        expires_at: row.get(8)?,
        last_used_at: row.get(9)?,
        last_used_address: row.get(10)?,
        last_used_client: row.get(11)?,
    })
}

/// Adds an organization token; `scope`: what it is restricted to.
///
/// # Errors
/// If the database cannot be written.
pub fn insert(org: OrgId, tx: &Tx<'_>, new: &New, scope: Option<&Scope>, now: Timestamp) -> Result<TokenId> {
    tx.execute(
        "INSERT INTO token (org_id, kind, access, restricted, digest, prefix, last4, description, created_at, expires_at)
         VALUES (?1, 'organization', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        (
            org,
            new.access,
            scope.is_some(),
            new.digest.as_slice(),
            &new.prefix,
            &new.last4,
            &new.description,
            now,
            new.expires_at,
        ),
    )?;
    let id = TokenId(tx.last_insert_rowid());
    for package in scope.map(|scope| scope.packages.as_slice()).unwrap_or_default() {
        tx.execute(
            "INSERT OR IGNORE INTO token_package (org_id, token_id, package_id) VALUES (?1, ?2, ?3)",
            (org, id, package),
        )?;
    }
    for team in scope.map(|scope| scope.teams.as_slice()).unwrap_or_default() {
        tx.execute(
            "INSERT OR IGNORE INTO token_team (org_id, token_id, team_id) VALUES (?1, ?2, ?3)",
            (org, id, team),
        )?;
    }
    tx.changed(Change::Tokens(org));
    Ok(id)
}

/// Adds a user token: it opens what its holder may see, in every organization.
///
/// # Errors
/// If the database cannot be written.
pub fn insert_for_user(tx: &Tx<'_>, user: UserId, new: &New, now: Timestamp) -> Result<TokenId> {
    tx.execute(
        "INSERT INTO token (user_id, kind, access, digest, prefix, last4, description, created_at, expires_at)
         VALUES (?1, 'user', ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        (user, new.access, new.digest.as_slice(), &new.prefix, &new.last4, &new.description, now, new.expires_at),
    )?;
    let id = TokenId(tx.last_insert_rowid());
    tx.changed(Change::User(user));
    Ok(id)
}

/// The organization's tokens that are not revoked.
///
/// # Errors
/// If the database cannot be read.
pub fn all(org: OrgId, connection: &Connection) -> Result<Vec<Token>> {
    connection
        .prepare_cached(&format!("{SELECT} WHERE t.org_id = ?1 AND t.revoked_at IS NULL ORDER BY t.id"))?
        .query_map([org], token)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Every account's user tokens that are not revoked.
///
/// # Errors
/// If the database cannot be read.
pub fn of_users(connection: &Connection) -> Result<Vec<Token>> {
    connection
        .prepare_cached(&format!("{SELECT} WHERE t.user_id IS NOT NULL AND t.revoked_at IS NULL ORDER BY t.id"))?
        .query_map([], token)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The packages that a restricted token opens: their names, or their ids while they have none.
///
/// # Errors
/// If the database cannot be read.
pub fn packages(org: OrgId, connection: &Connection, id: TokenId) -> Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT coalesce(p.name, CAST(p.id AS TEXT)) FROM token_package tp
             JOIN package p ON p.org_id = tp.org_id AND p.id = tp.package_id
             WHERE tp.org_id = ?1 AND tp.token_id = ?2 ORDER BY p.name, p.id",
        )?
        .query_map((org, id), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The paths of the teams that a restricted token opens.
///
/// # Errors
/// If the database cannot be read.
pub fn teams(org: OrgId, connection: &Connection, id: TokenId) -> Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT t.path FROM token_team tt JOIN team t ON t.org_id = tt.org_id AND t.id = tt.team_id
             WHERE tt.org_id = ?1 AND tt.token_id = ?2 ORDER BY t.path",
        )?
        .query_map((org, id), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Whose a token is, unless it is revoked already: the organization or the account.
///
/// # Errors
/// If the database cannot be read.
pub fn owner(connection: &Connection, id: TokenId) -> Result<Option<(Option<OrgId>, Option<UserId>)>> {
    Ok(connection
        .query_row("SELECT org_id, user_id FROM token WHERE id = ?1 AND revoked_at IS NULL", [id], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?)
}

/// Revokes a token; the row stays for a while, so that whoever still uses it is told.
///
/// # Errors
/// If the database cannot be written.
pub fn revoke(tx: &Tx<'_>, id: TokenId, now: Timestamp) -> Result<()> {
    if let Some((org, user)) = owner(tx, id)? {
        tx.execute("UPDATE token SET revoked_at = ?2 WHERE id = ?1", (id, now))?;
        org.into_iter().for_each(|org| tx.changed(Change::Tokens(org)));
        user.into_iter().for_each(|user| tx.changed(Change::User(user)));
    }
    Ok(())
}

/// The last use of a token.
#[derive(Clone, Debug)]
pub struct LastUse {
    /// Which.
    pub token: TokenId,
    /// When.
    pub at: Timestamp,
    /// From where.
    pub address: Option<String>,
    /// By what program.
    pub client: Option<String>,
}

/// Records when tokens were last used, from where and by what.
///
/// # Errors
/// If the database cannot be written.
pub fn set_last_used(tx: &Tx<'_>, used: &[LastUse]) -> Result<()> {
    let mut update = tx.prepare_cached(
        "UPDATE token SET last_used_at = ?2, last_used_address = ?3, last_used_client = ?4
         WHERE id = ?1 AND last_used_at IS NOT ?2",
    )?;
    for last in used {
        update.execute((last.token, last.at, &last.address, &last.client))?;
    }
    Ok(())
}

/// Forgets tokens revoked before `before`.
///
/// # Errors
/// If the database cannot be written.
pub fn prune(tx: &Tx<'_>, before: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM token WHERE revoked_at < ?1", [before])?;
    Ok(())
}

fn key(row: &Row<'_>) -> rusqlite::Result<(Key, bool)> {
    let key = Key {
        id: row.get(0)?,
        digest: row.get(1)?,
        user: row.get(2)?,
        update: row.get::<_, String>(3)? == "update",
        scope: None,
        expires_at: row.get(5)?,
        revoked_at: row.get(6)?,
    };
    Ok((key, row.get(4)?))
}

const KEY: &str = "SELECT id, digest, user_id, access, restricted, expires_at, revoked_at FROM token";

/// What requests with the organization's tokens are checked against.
///
/// # Errors
/// If the database cannot be read.
pub fn keys(org: OrgId, connection: &Connection) -> Result<Vec<Key>> {
    let keys = connection
        .prepare_cached(&format!("{KEY} WHERE org_id = ?1"))?
        .query_map([org], key)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut keys: HashMap<TokenId, Key> = keys
        .into_iter()
        .map(|(mut key, restricted)| {
            key.scope = restricted.then(Scope::default);
            (key.id, key)
        })
        .collect();
    let mut packages = connection.prepare_cached(
        "SELECT t.token_id, r.reached_id FROM token_package t
         JOIN reach r ON r.org_id = t.org_id AND r.package_id = t.package_id WHERE t.org_id = ?1",
    )?;
    for row in packages.query_map([org], |row| Ok((row.get(0)?, row.get(1)?)))? {
        let (token, package) = row?;
        keys.get_mut(&token).and_then(|key| key.scope.as_mut()).into_iter().for_each(|it| it.packages.push(package));
    }
    let mut teams = connection.prepare_cached("SELECT token_id, team_id FROM token_team WHERE org_id = ?1")?;
    for row in teams.query_map([org], |row| Ok((row.get(0)?, row.get(1)?)))? {
        let (token, team) = row?;
        keys.get_mut(&token).and_then(|key| key.scope.as_mut()).into_iter().for_each(|it| it.teams.push(team));
    }
    Ok(keys.into_values().collect())
}

/// What requests with user tokens are checked against: those of one account, or of all.
///
/// # Errors
/// If the database cannot be read.
pub fn keys_of_users(connection: &Connection, user: Option<UserId>) -> Result<Vec<Key>> {
    let one = if user.is_some() { "user_id = ?1" } else { "?1 IS NULL AND user_id IS NOT NULL" };
    let keys = connection
        .prepare_cached(&format!("{KEY} WHERE {one}"))?
        .query_map([user], key)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(keys.into_iter().map(|(key, _)| key).collect())
}
