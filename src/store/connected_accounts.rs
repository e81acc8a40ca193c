//! Accounts of platforms that are used as credentials, with what renews their tokens, sealed.

use rusqlite::{Connection, OptionalExtension};

use super::ids::{CredentialId, OrgId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// A connected account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectedAccount {
    /// The integration that it was connected by, whose app alone can renew its tokens.
    pub integration: String,
    /// The platform's id of the account.
    pub subject: String,
    /// Whether it was asked for enough to install webhooks.
    pub hooks: bool,
    /// The sealed refresh token.
    pub refresh: Option<Vec<u8>>,
    /// When somebody connected it.
    pub connected_at: Timestamp,
    /// When the platform gave the access token, by our clock.
    pub obtained_at: Timestamp,
    /// When the access token ends; none: never.
    pub ends_at: Option<Timestamp>,
    /// Since when the platform renews it no more.
    pub refused_at: Option<Timestamp>,
}

/// What a renewal brought, sealed.
#[derive(Clone, Debug)]
pub struct Renewed {
    /// The access token, for the credential's secret.
    pub access: Vec<u8>,
    /// The refresh token; none: the one before stays.
    pub refresh: Option<Vec<u8>>,
    /// When the platform gave them.
    pub obtained_at: Timestamp,
    /// When the access token ends.
    pub ends_at: Option<Timestamp>,
}

/// The account of a credential; none if it is of another type.
///
/// # Errors
/// If the database cannot be read.
pub fn of(org: OrgId, connection: &Connection, id: CredentialId) -> Result<Option<ConnectedAccount>> {
    Ok(connection
        .prepare_cached(
            "SELECT integration, subject, hooks, refresh, connected_at, obtained_at, ends_at, refused_at
             FROM connected_account WHERE org_id = ?1 AND credential_id = ?2",
        )?
        .query_row((org, id), |row| {
            Ok(ConnectedAccount {
                integration: row.get(0)?,
                subject: row.get(1)?,
                hooks: row.get(2)?,
                refresh: row.get(3)?,
                connected_at: row.get(4)?,
                obtained_at: row.get(5)?,
                ends_at: row.get(6)?,
                refused_at: row.get(7)?,
            })
        })
        .optional()?)
}

/// Connects an account, in place of the one before if there was one; its access token is the credential's secret.
///
/// # Errors
/// If the database cannot be written.
pub fn connect(org: OrgId, tx: &Tx<'_>, id: CredentialId, account: &ConnectedAccount) -> Result<()> {
    tx.execute(
        "INSERT INTO connected_account
             (org_id, credential_id, integration, subject, hooks, refresh, connected_at, obtained_at, ends_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (credential_id) DO UPDATE SET integration = ?3, subject = ?4, hooks = ?5, refresh = ?6,
             connected_at = ?7, obtained_at = ?8, ends_at = ?9, refused_at = NULL",
        (
            org,
            id,
            &account.integration,
            &account.subject,
            account.hooks,
            &account.refresh,
            account.connected_at,
            account.obtained_at,
            account.ends_at,
        ),
    )?;
    Ok(())
}

/// Stores new tokens of the account that was connected at `connected_at`; whether it still is that one.
///
/// # Errors
/// If the database cannot be written.
pub fn renewed(org: OrgId, tx: &Tx<'_>, id: CredentialId, connected_at: Timestamp, new: &Renewed) -> Result<bool> {
    let changed = tx
        .prepare_cached(
            "UPDATE connected_account SET refresh = coalesce(?4, refresh), obtained_at = ?5, ends_at = ?6
             WHERE org_id = ?1 AND credential_id = ?2 AND connected_at = ?3",
        )?
        .execute((org, id, connected_at, &new.refresh, new.obtained_at, new.ends_at))?;
    if changed > 0 {
        tx.prepare_cached("UPDATE credential SET secret = ?3 WHERE org_id = ?1 AND id = ?2")?.execute((
            org,
            id,
            &new.access,
        ))?;
    }
    Ok(changed > 0)
}

/// Records that the platform does not take the sealed refresh token any more; whether that is news.
///
/// # Errors
/// If the database cannot be written.
pub fn refused(org: OrgId, tx: &Tx<'_>, id: CredentialId, refresh: Option<&[u8]>, now: Timestamp) -> Result<bool> {
    let changed = tx.execute(
        "UPDATE connected_account SET refused_at = ?4
         WHERE org_id = ?1 AND credential_id = ?2 AND refresh IS ?3 AND refused_at IS NULL",
        (org, id, refresh, now),
    )?;
    Ok(changed > 0)
}
