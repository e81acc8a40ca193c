//! Browsers in which somebody signed in, by the digest of their cookie: the cookie's value itself is never stored.

use rusqlite::{Connection, OptionalExtension, Row};

use super::ids::{AccountId, SessionId, UserId};
use super::users::{self, User};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// A browser in which somebody signed in.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its row.
    pub id: SessionId,
    /// Who signed in.
    pub user: UserId,
    /// The platform's account that the person signed in by; none for a password.
    pub account: Option<AccountId>,
    /// That account's integration.
    pub integration: Option<String>,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When the person last proved who it is.
    pub authenticated_at: Timestamp,
    /// When the browser last asked for something, to the minute.
    pub seen_at: Timestamp,
    /// Where from, at the sign-in.
    pub address: Option<String>,
    /// Its `User-Agent`, at the sign-in.
    pub agent: Option<String>,
}

/// What a new session is made of.
#[derive(Clone, Debug)]
pub struct New {
    /// SHA-256 of the cookie's value.
    pub digest: [u8; 32],
    /// Who signs in.
    pub user: UserId,
    /// By what; none for a password.
    pub account: Option<AccountId>,
    /// Where from.
    pub address: Option<String>,
    /// The browser's `User-Agent`.
    pub agent: Option<String>,
}

const SELECT: &str =
    "SELECT s.id, s.user_id, s.account_id, (SELECT integration FROM account a WHERE a.id = s.account_id),
        s.created_at, s.authenticated_at, s.seen_at, s.address, s.agent
    FROM session s";

fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: row.get(0)?,
        user: row.get(1)?,
        account: row.get(2)?,
        integration: row.get(3)?,
        created_at: row.get(4)?,
        authenticated_at: row.get(5)?,
        seen_at: row.get(6)?,
        address: row.get(7)?,
        agent: row.get(8)?,
    })
}

/// Begins a session.
///
/// # Errors
/// If the database cannot be written.
pub fn insert(tx: &Tx<'_>, new: &New, now: Timestamp) -> Result<SessionId> {
    tx.prepare_cached(
        "INSERT INTO session (digest, user_id, account_id, created_at, authenticated_at, seen_at, address, agent)
         VALUES (?1, ?2, ?3, ?4, ?4, ?4, ?5, ?6)",
    )?
    .execute((new.digest.as_slice(), new.user, new.account, now, &new.address, &new.agent))?;
    Ok(SessionId(tx.last_insert_rowid()))
}

/// The session whose cookie has this digest, with whom it is of. Whether it is too old is for the caller to say.
///
/// # Errors
/// If the database cannot be read.
pub fn by_digest(connection: &Connection, digest: &[u8; 32]) -> Result<Option<(Session, User)>> {
    let found = connection
        .prepare_cached(&format!("{SELECT} WHERE s.digest = ?1"))?
        .query_row([digest.as_slice()], session)
        .optional()?;
    let Some(session) = found else { return Ok(None) };
    Ok(users::by_id(connection, session.user)?.map(|user| (session, user)))
}

/// A person's sessions, the one that was used last first.
///
/// # Errors
/// If the database cannot be read.
pub fn of_user(connection: &Connection, user: UserId) -> Result<Vec<Session>> {
    connection
        .prepare_cached(&format!("{SELECT} WHERE s.user_id = ?1 ORDER BY s.seen_at DESC, s.id DESC"))?
        .query_map([user], session)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Gives a session another cookie, because what it may do has changed; it counts as a fresh proof of who the person is.
///
/// # Errors
/// If the database cannot be written.
pub fn renew(tx: &Tx<'_>, id: SessionId, digest: &[u8; 32], now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE session SET digest = ?2, authenticated_at = ?3, seen_at = ?3 WHERE id = ?1",
        (id, digest.as_slice(), now),
    )?;
    Ok(())
}

/// Ends one of a person's sessions; whether there was one.
///
/// # Errors
/// If the database cannot be written.
pub fn remove(tx: &Tx<'_>, user: UserId, id: SessionId) -> Result<bool> {
    Ok(tx.execute("DELETE FROM session WHERE user_id = ?1 AND id = ?2", (user, id))? > 0)
}

/// Ends all of a person's sessions but `except`; how many there were.
///
/// # Errors
/// If the database cannot be written.
pub fn remove_all(tx: &Tx<'_>, user: UserId, except: Option<SessionId>) -> Result<usize> {
    Ok(tx.execute("DELETE FROM session WHERE user_id = ?1 AND id IS NOT ?2", (user, except))?)
}

/// Ends the sessions that were begun by this account of a platform; how many there were.
///
/// # Errors
/// If the database cannot be written.
pub fn remove_by_account(tx: &Tx<'_>, account: AccountId) -> Result<usize> {
    Ok(tx.execute("DELETE FROM session WHERE account_id = ?1", [account])?)
}

/// Records when sessions were last used.
///
/// # Errors
/// If the database cannot be written.
pub fn set_seen(tx: &Tx<'_>, seen: &[(SessionId, Timestamp)]) -> Result<()> {
    let mut update = tx.prepare_cached("UPDATE session SET seen_at = ?2 WHERE id = ?1 AND seen_at < ?2")?;
    for (id, at) in seen {
        update.execute((id, at))?;
    }
    Ok(())
}

/// Forgets sessions that were not used since `idle`, or began before `begun`.
///
/// # Errors
/// If the database cannot be written.
pub fn prune(tx: &Tx<'_>, idle: Timestamp, begun: Timestamp) -> Result<usize> {
    Ok(tx.execute("DELETE FROM session WHERE seen_at < ?1 OR created_at < ?2", (idle, begun))?)
}
