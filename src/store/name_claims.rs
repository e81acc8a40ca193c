//! Names that more than one package has or wants: who waits, who may take one, and who had it before.

use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};

use super::database::Change;
use super::ids::{OrgId, PackageId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// A package that calls itself like another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rival {
    /// Its row.
    pub id: PackageId,
    /// What it is published as; none while it is not.
    pub name: Option<String>,
    /// Where its source is.
    pub url: String,
}

/// The packages of two columns from `at`, as JSON: whoever has the name that a package waits for, and who waits for one of its
/// own.
pub(super) fn rivals(row: &Row<'_>, at: usize) -> rusqlite::Result<Vec<Rival>> {
    let mut all = Vec::new();
    for column in [at, at + 1] {
        let json: Option<String> = row.get(column)?;
        let some: Option<Vec<Rival>> = json.and_then(|json| serde_json::from_str(&json).ok());
        all.extend(some.into_iter().flatten());
    }
    all.sort_by_key(|rival| rival.id);
    all.dedup_by_key(|rival| rival.id);
    Ok(all)
}

/// Lets the next update of a package read everything again, also where it is one of several in its repository.
fn forget_refs(org: OrgId, tx: &Tx<'_>, package: PackageId) -> Result<()> {
    tx.execute(
        "UPDATE package SET refs_digest = NULL WHERE org_id = ?1
             AND id IN (?2, (SELECT parent_id FROM package WHERE org_id = ?1 AND id = ?2))",
        (org, package),
    )?;
    Ok(())
}

/// Says for which name a package waits that another one has; none: it waits for none.
///
/// # Errors
/// If the database cannot be written.
pub fn set_held(org: OrgId, tx: &Tx<'_>, package: PackageId, name: Option<&str>) -> Result<()> {
    tx.prepare_cached("UPDATE package SET held_name = ?3 WHERE org_id = ?1 AND id = ?2 AND held_name IS NOT ?3")?
        .execute((org, package, name))?;
    Ok(())
}

/// Lets a package take a name, at its next update, from whoever has it by then.
///
/// # Errors
/// If the database cannot be written.
pub fn grant(org: OrgId, tx: &Tx<'_>, package: PackageId, name: &str) -> Result<()> {
    tx.execute("UPDATE package SET granted_name = ?3 WHERE org_id = ?1 AND id = ?2", (org, package, name))?;
    forget_refs(org, tx, package)
}

/// Whether somebody said that the package may take this name.
///
/// # Errors
/// If the database cannot be read.
pub fn is_granted(org: OrgId, connection: &Connection, package: PackageId, name: &str) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT coalesce(granted_name = ?3, 0) FROM package WHERE org_id = ?1 AND id = ?2")?
        .query_row((org, package, name), |row| row.get(0))?)
}

/// Whether `package` was here before `other` got the name by itself not long ago, was never read, and comes first: originals
/// before forks, then in the order in which they were added. So it does not matter which of the two is read first.
/// `recent`: what counts as not long ago begins then.
///
/// # Errors
/// If the database cannot be read.
pub fn comes_first(
    org: OrgId,
    connection: &Connection,
    package: PackageId,
    (other, name): (PackageId, &str),
    recent: Timestamp,
) -> Result<bool> {
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM package p
                 JOIN listing l ON l.org_id = p.org_id AND l.name = ?4 AND l.package_id = ?3
                 JOIN package o ON o.org_id = p.org_id AND o.id = ?3
             WHERE p.org_id = ?1 AND p.id = ?2 AND p.name IS NULL AND p.outcome IS NULL
                 AND p.created_at <= l.named_at AND l.named_at >= ?5 AND (p.fork, p.id) < (o.fork, o.id))",
        )?
        .query_row((org, package, other, name, recent), |row| row.get(0))?)
}

/// Takes a name from a package with everything that is published under it. Its archives stay, also under that name. Where it
/// was what the package is called, that one waits for it from now on, for this `reason`.
///
/// # Errors
/// If the database cannot be written.
pub fn take(org: OrgId, tx: &Tx<'_>, package: PackageId, name: &str, reason: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO former_holder (org_id, name, package_id, lost_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (org_id, name, package_id) DO UPDATE SET lost_at = excluded.lost_at",
        (org, name, package, now),
    )?;
    tx.execute("DELETE FROM listing WHERE org_id = ?1 AND package_id = ?2 AND name = ?3", (org, package, name))?;
    tx.execute(
        "UPDATE package SET name = NULL, held_name = ?3, outcome = 'held', error = ?4, held_vendor = NULL,
             failing_since = coalesce(failing_since, ?5), versions = 0, latest = NULL, latest_at = NULL
         WHERE org_id = ?1 AND id = ?2 AND name = ?3",
        (org, package, name, reason, now),
    )?;
    tx.changed(Change::Package(org, package));
    forget_refs(org, tx, package)
}

/// The packages that lost this name, the last one first.
///
/// # Errors
/// If the database cannot be read.
pub fn former_holders(org: OrgId, connection: &Connection, name: &str) -> Result<Vec<PackageId>> {
    connection
        .prepare_cached(
            "SELECT package_id FROM former_holder WHERE org_id = ?1 AND name = ?2 ORDER BY lost_at DESC LIMIT 20",
        )?
        .query_map((org, name), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The packages that wait for a name of this one.
///
/// # Errors
/// If the database cannot be read.
pub fn waiting_for(org: OrgId, connection: &Connection, package: PackageId) -> Result<Vec<PackageId>> {
    connection
        .prepare_cached(
            "SELECT DISTINCT o.id FROM listing l JOIN package o ON o.org_id = l.org_id AND o.held_name = l.name
             WHERE l.org_id = ?1 AND l.package_id = ?2 AND o.id <> ?2 ORDER BY o.id",
        )?
        .query_map((org, package), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}
