//! Secrets that open source repositories, sealed.

use rusqlite::{Connection, OptionalExtension, Row};

use super::ids::{CredentialId, OrgId};
use super::{Result, Tx, self_rotations};
use crate::clock::Timestamp;

/// A credential without its secret.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Its row.
    pub id: CredentialId,
    /// Its name in commands.
    pub name: String,
    /// Its type, as the commands name it.
    pub kind: String,
    /// The one host that it is sent to.
    pub host: Option<String>,
    /// The one port that it is sent to; none: the usual one of its type, 22 for an `ssh-key` and else that of https.
    pub port: Option<u16>,
    /// The user name sent with it.
    pub username: Option<String>,
    /// `ok`, `untested` or `refused`: what the last use showed.
    pub status: String,
    /// When it stops working, where that is known.
    pub expires_at: Option<Timestamp>,
    /// How many packages use it.
    pub used_by: i64,
    /// The public half of an `ssh-key`.
    pub public_key: Option<String>,
    /// Since when it has its secret.
    pub secret_set_at: Option<Timestamp>,
    /// Whether its token replaces itself before it ends.
    pub self_rotate: bool,
    /// Why that was in vain when it was tried last.
    pub unrotated: Option<String>,
    /// Since when nobody has its token any more: its account is not renewed, or an answer with another token got lost.
    pub lost_at: Option<Timestamp>,
}

const SELECT: &str = "SELECT id, name, type, host, port, username, status, expires_at,
        (SELECT count(*) FROM package p WHERE p.org_id = c.org_id AND p.credential_id = c.id),
        public_key, coalesce(rotated_at, created_at), self_rotate,
        (SELECT reason FROM self_rotation r WHERE r.org_id = c.org_id AND r.credential_id = c.id),
        coalesce(
            (SELECT lost_at FROM self_rotation r WHERE r.org_id = c.org_id AND r.credential_id = c.id),
            (SELECT refused_at FROM connected_account a WHERE a.org_id = c.org_id AND a.credential_id = c.id))
    FROM credential c";

fn credential(row: &Row<'_>) -> rusqlite::Result<Credential> {
    Ok(Credential {
        id: row.get(0)?,
        name: row.get(1)?,
        kind: row.get(2)?,
        host: row.get(3)?,
        port: row.get(4)?,
        username: row.get(5)?,
        status: row.get(6)?,
        expires_at: row.get(7)?,
        used_by: row.get(8)?,
        public_key: row.get(9)?,
        secret_set_at: row.get(10)?,
        self_rotate: row.get(11)?,
        unrotated: row.get(12)?,
        lost_at: row.get(13)?,
    })
}

/// What a new credential is made of; its secret follows by [`set_secret`], sealed to its row.
#[derive(Clone, Debug)]
pub struct New {
    /// Its name in commands.
    pub name: String,
    /// Its type, as the commands name it.
    pub kind: String,
    /// The one host that it is sent to.
    pub host: Option<String>,
    /// The one port that it is sent to.
    pub port: Option<u16>,
    /// The user name sent with it.
    pub username: Option<String>,
}

/// Adds a credential, still without a secret.
///
/// # Errors
/// A conflict if the name is taken.
pub fn insert(org: OrgId, tx: &Tx<'_>, new: &New, now: Timestamp) -> Result<CredentialId> {
    tx.execute(
        "INSERT INTO credential (org_id, name, type, host, port, username, secret, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, x'', ?7)",
        (org, &new.name, &new.kind, &new.host, new.port, &new.username, now),
    )?;
    Ok(CredentialId(tx.last_insert_rowid()))
}

/// Stores the sealed secret; a rotated credential counts as untested, and when it ends is not known.
///
/// # Errors
/// If the database cannot be written.
pub fn set_secret(
    org: OrgId,
    tx: &Tx<'_>,
    id: CredentialId,
    sealed: &[u8],
    rotated_at: Option<Timestamp>,
) -> Result<()> {
    tx.execute(
        "UPDATE credential SET secret = ?3, rotated_at = ?4, status = 'untested', expires_at = NULL, told_days = NULL
         WHERE org_id = ?1 AND id = ?2",
        (org, id, sealed, rotated_at),
    )?;
    self_rotations::forget(org, tx, id)
}

/// Stores the user name, which is that of the account where one is connected.
///
/// # Errors
/// If the database cannot be written.
pub fn set_username(org: OrgId, tx: &Tx<'_>, id: CredentialId, username: &str) -> Result<()> {
    tx.execute("UPDATE credential SET username = ?3 WHERE org_id = ?1 AND id = ?2", (org, id, username))?;
    Ok(())
}

/// Stores the public half of an `ssh-key`.
///
/// # Errors
/// If the database cannot be written.
pub fn set_public_key(org: OrgId, tx: &Tx<'_>, id: CredentialId, public_key: Option<&str>) -> Result<()> {
    tx.execute("UPDATE credential SET public_key = ?3 WHERE org_id = ?1 AND id = ?2", (org, id, public_key))?;
    Ok(())
}

/// Makes it one of another type, with another user name.
///
/// # Errors
/// If the database cannot be written.
pub fn set_kind(org: OrgId, tx: &Tx<'_>, id: CredentialId, (kind, username): (&str, Option<&str>)) -> Result<()> {
    tx.execute(
        "UPDATE credential SET type = ?3, username = ?4 WHERE org_id = ?1 AND id = ?2",
        (org, id, kind, username),
    )?;
    Ok(())
}

/// Whether any organization has a credential of this type.
///
/// # Errors
/// If the database cannot be read.
pub fn any_of_type(connection: &Connection, kind: &str) -> Result<bool> {
    Ok(connection.query_row("SELECT EXISTS (SELECT 1 FROM credential WHERE type = ?1)", [kind], |row| row.get(0))?)
}

/// The sealed secret.
///
/// # Errors
/// If the database cannot be read.
pub fn secret(org: OrgId, connection: &Connection, id: CredentialId) -> Result<Option<Vec<u8>>> {
    Ok(connection
        .prepare_cached("SELECT secret FROM credential WHERE org_id = ?1 AND id = ?2")?
        .query_row((org, id), |row| row.get(0))
        .optional()?)
}

/// Records what a use showed.
///
/// # Errors
/// If the database cannot be written.
pub fn set_status(org: OrgId, tx: &Tx<'_>, id: CredentialId, status: &str) -> Result<()> {
    tx.prepare_cached("UPDATE credential SET status = ?3 WHERE org_id = ?1 AND id = ?2 AND status <> ?3")?
        .execute((org, id, status))?;
    Ok(())
}

/// Stores when it stops working. What a platform tells of a connected account is the end of a token that is renewed before.
///
/// # Errors
/// If the database cannot be written.
pub fn set_expiry(org: OrgId, tx: &Tx<'_>, id: CredentialId, expires_at: Option<Timestamp>) -> Result<()> {
    tx.prepare_cached(
        "UPDATE credential SET expires_at = ?3, told_days = NULL
         WHERE org_id = ?1 AND id = ?2 AND expires_at IS NOT ?3 AND type NOT LIKE '%-oauth'",
    )?
    .execute((org, id, expires_at))?;
    Ok(())
}

/// A credential that ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Its row.
    pub id: CredentialId,
    /// Whose it is.
    pub org: OrgId,
    /// Its name.
    pub name: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Since when it has its secret.
    pub secret_set_at: Timestamp,
    /// Whether its token replaces itself before.
    pub self_rotate: bool,
    /// How many days before the end it was last said.
    pub told_days: Option<i64>,
}

/// The credentials of all organizations that end before `until`.
///
/// # Errors
/// If the database cannot be read.
pub fn ending(connection: &Connection, until: Timestamp) -> Result<Vec<Ending>> {
    connection
        .prepare_cached(
            "SELECT id, org_id, name, expires_at, coalesce(rotated_at, created_at), self_rotate, told_days
             FROM credential WHERE expires_at <= ?1 ORDER BY id",
        )?
        .query_map([until], |row| {
            Ok(Ending {
                id: row.get(0)?,
                org: row.get(1)?,
                name: row.get(2)?,
                expires_at: row.get(3)?,
                secret_set_at: row.get(4)?,
                self_rotate: row.get(5)?,
                told_days: row.get(6)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Remembers that it was said so many days before the end at `end`; whether that end still counts.
///
/// # Errors
/// If the database cannot be written.
pub fn told(org: OrgId, tx: &Tx<'_>, id: CredentialId, end: Timestamp, days: i64) -> Result<bool> {
    let changed = tx.execute(
        "UPDATE credential SET told_days = ?4 WHERE org_id = ?1 AND id = ?2 AND expires_at = ?3",
        (org, id, end, days),
    )?;
    Ok(changed > 0)
}

/// A credential with what it is sealed as.
#[derive(Clone, Debug)]
pub struct SealedSecret {
    /// Its row.
    pub id: CredentialId,
    /// Whose it is.
    pub org: OrgId,
    /// Its name.
    pub name: String,
    /// The sealed secret.
    pub sealed: Vec<u8>,
}

/// The credentials of all organizations for a host that are tokens or passwords, and so may be the same one.
///
/// # Errors
/// If the database cannot be read.
pub fn for_host(connection: &Connection, host: &str) -> Result<Vec<SealedSecret>> {
    connection
        .prepare_cached("SELECT id, org_id, name, secret FROM credential WHERE host = ?1 AND type <> 'ssh-key'")?
        .query_map([host], |row| {
            Ok(SealedSecret { id: row.get(0)?, org: row.get(1)?, name: row.get(2)?, sealed: row.get(3)? })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The organization's credentials, by name.
///
/// # Errors
/// If the database cannot be read.
pub fn all(org: OrgId, connection: &Connection) -> Result<Vec<Credential>> {
    connection
        .prepare_cached(&format!("{SELECT} WHERE org_id = ?1 ORDER BY name"))?
        .query_map([org], credential)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The credential with this name.
///
/// # Errors
/// If the database cannot be read.
pub fn by_name(org: OrgId, connection: &Connection, name: &str) -> Result<Option<Credential>> {
    Ok(connection
        .prepare_cached(&format!("{SELECT} WHERE org_id = ?1 AND name = ?2"))?
        .query_row((org, name), credential)
        .optional()?)
}

/// The credential of this row.
///
/// # Errors
/// If the database cannot be read.
pub fn by_id(org: OrgId, connection: &Connection, id: CredentialId) -> Result<Option<Credential>> {
    Ok(connection
        .prepare_cached(&format!("{SELECT} WHERE org_id = ?1 AND id = ?2"))?
        .query_row((org, id), credential)
        .optional()?)
}

/// Removes a credential that no package uses.
///
/// # Errors
/// A conflict if a package uses it.
pub fn remove(org: OrgId, tx: &Tx<'_>, id: CredentialId) -> Result<()> {
    tx.execute("DELETE FROM credential WHERE org_id = ?1 AND id = ?2", (org, id))?;
    Ok(())
}

/// Lets the packages and synchronizations that use `id` use `other`.
///
/// # Errors
/// If the database cannot be written.
pub fn replace(org: OrgId, tx: &Tx<'_>, id: CredentialId, other: CredentialId) -> Result<()> {
    tx.execute("UPDATE package SET credential_id = ?3 WHERE org_id = ?1 AND credential_id = ?2", (org, id, other))?;
    tx.execute("UPDATE sync SET credential_id = ?3 WHERE org_id = ?1 AND credential_id = ?2", (org, id, other))?;
    Ok(())
}
