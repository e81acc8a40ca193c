//! Installations of GitHub Apps: each belongs to one organization here, with the credential that uses it.

use rusqlite::OptionalExtension;

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
