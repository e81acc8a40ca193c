//! Installations of GitHub Apps: each belongs to one organization here, with the credential that uses it.

use rusqlite::{Connection, OptionalExtension};

use super::ids::{CredentialId, OrgId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// What came of binding an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// It is the organization's from now on.
    Now,
    /// It was already.
    Already,
    /// It is another organization's.
    Elsewhere,
}

/// Gives an installation to an organization, unless it is somebody's. Its integration must be recorded.
///
/// # Errors
/// If the database cannot be written.
pub fn bind(
    org: OrgId,
    tx: &Tx<'_>,
    integration: &str,
    installation: i64,
    credential: CredentialId,
    now: Timestamp,
) -> Result<Bound> {
    let owner: Option<OrgId> = tx
        .prepare_cached("SELECT org_id FROM installation WHERE integration = ?1 AND installation_id = ?2")?
        .query_row((integration, installation), |row| row.get(0))
        .optional()?;
    match owner {
        Some(owner) if owner == org => return Ok(Bound::Already),
        Some(_) => return Ok(Bound::Elsewhere),
        None => {}
    }
    tx.prepare_cached(
        "INSERT INTO installation (integration, installation_id, org_id, credential_id, bound_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((integration, installation, org, credential, now))?;
    Ok(Bound::Now)
}

/// Whose an installation is, if it is anybody's. The installation says whose.
///
/// # Errors
/// If the database cannot be read.
pub fn owner(connection: &Connection, integration: &str, installation: i64) -> Result<Option<(OrgId, CredentialId)>> {
    Ok(connection
        .prepare_cached(
            "SELECT org_id, credential_id FROM installation WHERE integration = ?1 AND installation_id = ?2",
        )?
        .query_row((integration, installation), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

/// Says since when the installation that a credential uses may do nothing there; none: it is let in. A credential that uses
/// none is left alone.
///
/// # Errors
/// If the database cannot be written.
pub fn set_suspended(org: OrgId, tx: &Tx<'_>, credential: CredentialId, since: Option<Timestamp>) -> Result<()> {
    tx.prepare_cached(
        "UPDATE installation SET suspended_at = ?3
         WHERE org_id = ?1 AND credential_id = ?2 AND (suspended_at IS NULL) <> (?3 IS NULL)",
    )?
    .execute((org, credential, since))?;
    Ok(())
}

/// An installation that somebody here uses.
#[derive(Clone, Debug)]
pub struct Used {
    /// Its number.
    pub number: i64,
    /// The organization's name in addresses.
    pub organization: String,
    /// The credential's name.
    pub credential: String,
}

/// The installations of an integration's Apps that organizations here use. The integration is the instance's.
///
/// # Errors
/// If the database cannot be read.
pub fn used(connection: &Connection, integration: &str) -> Result<Vec<Used>> {
    connection
        .prepare_cached(
            "SELECT i.installation_id, o.slug, c.name FROM installation i
             JOIN organization o ON o.id = i.org_id JOIN credential c ON c.org_id = i.org_id AND c.id = i.credential_id
             WHERE i.integration = ?1 ORDER BY i.installation_id",
        )?
        .query_map([integration], |row| {
            Ok(Used { number: row.get(0)?, organization: row.get(1)?, credential: row.get(2)? })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}
