//! Tokens that replace themselves before they end: which do, who asks for another one, and what came of it.

use rusqlite::{Connection, OptionalExtension};

use super::ids::{CredentialId, OrgId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// What became of a token that replaces itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelfRotation {
    /// Since when the platform was asked for another token and no answer is stored.
    pub asked_at: Option<Timestamp>,
    /// When it was last tried in vain.
    pub failed_at: Option<Timestamp>,
    /// Why that was in vain.
    pub reason: Option<String>,
    /// Since when there is a token in its place that nobody has.
    pub lost_at: Option<Timestamp>,
}

/// A token that replaces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotating {
    /// The credential.
    pub id: CredentialId,
    /// Whose it is.
    pub org: OrgId,
    /// When it ends, where that is known.
    pub expires_at: Option<Timestamp>,
    /// Since when the credential has it.
    pub secret_set_at: Timestamp,
    /// What became of it.
    pub state: SelfRotation,
}

/// What became of a credential's token.
///
/// # Errors
/// If the database cannot be read.
pub fn of(org: OrgId, connection: &Connection, id: CredentialId) -> Result<SelfRotation> {
    let found = connection
        .prepare_cached(
            "SELECT asked_at, failed_at, reason, lost_at FROM self_rotation WHERE org_id = ?1 AND credential_id = ?2",
        )?
        .query_row((org, id), |row| {
            Ok(SelfRotation {
                asked_at: row.get(0)?,
                failed_at: row.get(1)?,
                reason: row.get(2)?,
                lost_at: row.get(3)?,
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// The tokens of all organizations that replace themselves, and those of which an answer is missing; without those that are
/// lost.
///
/// # Errors
/// If the database cannot be read.
pub fn rotating(connection: &Connection) -> Result<Vec<Rotating>> {
    connection
        .prepare_cached(
            "SELECT c.id, c.org_id, c.expires_at, coalesce(c.rotated_at, c.created_at),
                    r.asked_at, r.failed_at, r.reason, r.lost_at
             FROM credential c
             JOIN organization o ON o.id = c.org_id AND o.removed_at IS NULL
             LEFT JOIN self_rotation r ON r.org_id = c.org_id AND r.credential_id = c.id
             WHERE (c.self_rotate = 1 OR r.asked_at IS NOT NULL) AND r.lost_at IS NULL ORDER BY c.id",
        )?
        .query_map([], |row| {
            Ok(Rotating {
                id: row.get(0)?,
                org: row.get(1)?,
                expires_at: row.get(2)?,
                secret_set_at: row.get(3)?,
                state: SelfRotation {
                    asked_at: row.get(4)?,
                    failed_at: row.get(5)?,
                    reason: row.get(6)?,
                    lost_at: row.get(7)?,
                },
            })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Says whether a token replaces itself.
///
/// # Errors
/// If the database cannot be written.
pub fn set(org: OrgId, tx: &Tx<'_>, id: CredentialId, on: bool) -> Result<()> {
    tx.execute("UPDATE credential SET self_rotate = ?3 WHERE org_id = ?1 AND id = ?2", (org, id, on))?;
    tx.execute(
        "UPDATE self_rotation SET failed_at = NULL, reason = NULL WHERE org_id = ?1 AND credential_id = ?2",
        (org, id),
    )?;
    Ok(())
}

/// Takes the right to ask for a token in the place of this sealed one; whether nobody had it, and it is still that one.
///
/// # Errors
/// If the database cannot be written.
pub fn claim(org: OrgId, tx: &Tx<'_>, id: CredentialId, sealed: &[u8], now: Timestamp) -> Result<bool> {
    let changed = tx.execute(
        "INSERT INTO self_rotation (org_id, credential_id, asked_at)
         SELECT org_id, id, ?4 FROM credential WHERE org_id = ?1 AND id = ?2 AND secret = ?3
         ON CONFLICT (credential_id) DO UPDATE SET asked_at = ?4 WHERE asked_at IS NULL AND lost_at IS NULL",
        (org, id, sealed, now),
    )?;
    Ok(changed > 0)
}

/// Stores the sealed token that came for the question of `asked_at`, and when it ends; whether that question still counts.
///
/// # Errors
/// If the database cannot be written.
pub fn replaced(
    org: OrgId,
    tx: &Tx<'_>,
    id: CredentialId,
    asked_at: Timestamp,
    (sealed, ends): (&[u8], Option<Timestamp>),
    now: Timestamp,
) -> Result<bool> {
    let counts = tx.execute(
        "DELETE FROM self_rotation WHERE org_id = ?1 AND credential_id = ?2 AND asked_at = ?3",
        (org, id, asked_at),
    )? > 0;
    if counts {
        tx.execute(
            "UPDATE credential SET secret = ?3, rotated_at = ?4, expires_at = ?5, told_days = NULL
             WHERE org_id = ?1 AND id = ?2",
            (org, id, sealed, now, ends),
        )?;
    }
    Ok(counts)
}

/// Records that this sealed token was not replaced, and lets others ask again; whether it still counts, and the reason is another
/// one than the last time.
///
/// # Errors
/// If the database cannot be written.
pub fn failed(org: OrgId, tx: &Tx<'_>, id: CredentialId, sealed: &[u8], reason: &str, now: Timestamp) -> Result<bool> {
    let before = of(org, tx, id)?;
    let changed = tx.execute(
        "INSERT INTO self_rotation (org_id, credential_id, failed_at, reason)
         SELECT org_id, id, ?4, ?5 FROM credential WHERE org_id = ?1 AND id = ?2 AND secret = ?3
         ON CONFLICT (credential_id) DO UPDATE SET asked_at = NULL, failed_at = ?4, reason = ?5",
        (org, id, sealed, now, reason),
    )?;
    Ok(changed > 0 && before.reason.as_deref() != Some(reason))
}

/// Records that nobody has the token that came of the question of `asked_at`; whether that is news.
///
/// # Errors
/// If the database cannot be written.
pub fn lost(org: OrgId, tx: &Tx<'_>, id: CredentialId, asked_at: Timestamp, now: Timestamp) -> Result<bool> {
    let changed = tx.execute(
        "UPDATE self_rotation SET asked_at = NULL, lost_at = ?4
         WHERE org_id = ?1 AND credential_id = ?2 AND asked_at = ?3",
        (org, id, asked_at, now),
    )?;
    Ok(changed > 0)
}

/// Forgets what became of the token before, because the credential has another one.
///
/// # Errors
/// If the database cannot be written.
pub(super) fn forget(org: OrgId, tx: &Tx<'_>, id: CredentialId) -> Result<()> {
    tx.execute("DELETE FROM self_rotation WHERE org_id = ?1 AND credential_id = ?2", (org, id))?;
    Ok(())
}
