//! Repositories with several packages: which directories they are in, and what those held.

use rusqlite::{Connection, OptionalExtension};

use super::database::Change;
use super::ids::{OrgId, PackageId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// A package in a directory.
#[derive(Clone, Debug)]
pub struct Child {
    /// Its row.
    pub id: PackageId,
    /// Its directory.
    pub directory: String,
    /// Its name; none until its first import.
    pub name: Option<String>,
    /// Digest of what its last import read.
    pub digest: Option<String>,
    /// Whether its directory is gone: only its archives are served.
    pub retired: bool,
}

/// The packages in the directories of a repository, also those whose directory is gone.
///
/// # Errors
/// If the database cannot be read.
pub fn children(org: OrgId, connection: &Connection, repository: PackageId) -> Result<Vec<Child>> {
    connection
        .prepare_cached(
            "SELECT id, coalesce(directory, ''), name, refs_digest, retired_at IS NOT NULL FROM package
             WHERE org_id = ?1 AND parent_id = ?2 ORDER BY directory, id",
        )?
        .query_map((org, repository), |row| {
            Ok(Child {
                id: row.get(0)?,
                directory: row.get(1)?,
                name: row.get(2)?,
                digest: row.get(3)?,
                retired: row.get(4)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The row of a package's repository: its own, unless it is in a directory of a repository with several.
///
/// # Errors
/// If the database cannot be read.
pub fn source_of(org: OrgId, connection: &Connection, package: PackageId) -> Result<PackageId> {
    let found: Option<Option<PackageId>> = connection
        .prepare_cached("SELECT parent_id FROM package WHERE org_id = ?1 AND id = ?2")?
        .query_row((org, package), |row| row.get(0))
        .optional()?;
    Ok(found.flatten().unwrap_or(package))
}

/// Adds a package in a directory of a repository, still without a name. Whoever may read the repository may read it.
///
/// # Errors
/// If the database cannot be written.
pub fn insert(org: OrgId, tx: &Tx<'_>, repository: PackageId, directory: &str, now: Timestamp) -> Result<PackageId> {
    free(org, tx, repository, directory)?;
    // Its address is no key to it: that is the repository's.
    tx.execute(
        "INSERT INTO package (org_id, url, url_key, vcs, fork, created_at, next_check_at, parent_id, directory)
         SELECT org_id, url, '//' || id || '#' || ?3, vcs, fork, ?4, ?4, id, ?3 FROM package WHERE org_id = ?1 AND id = ?2",
        (org, repository, directory, now),
    )?;
    let id = PackageId(tx.last_insert_rowid());
    tx.changed(Change::Package(org, id));
    tx.changed(Change::Access(org));
    Ok(id)
}

/// Says that a package is in another directory now.
///
/// # Errors
/// If the database cannot be written.
pub fn set_directory(
    org: OrgId,
    tx: &Tx<'_>,
    repository: PackageId,
    package: PackageId,
    directory: &str,
) -> Result<()> {
    free(org, tx, repository, directory)?;
    tx.execute(
        "UPDATE package SET directory = ?4, url_key = '//' || ?2 || '#' || ?4 WHERE org_id = ?1 AND id = ?3",
        (org, repository, package, directory),
    )?;
    Ok(())
}

/// Takes a directory from whichever package was there: it moved, or is gone.
fn free(org: OrgId, tx: &Tx<'_>, repository: PackageId, directory: &str) -> Result<()> {
    tx.execute(
        "UPDATE package SET url_key = '//' || ?2 || '!' || id
         WHERE org_id = ?1 AND parent_id = ?2 AND url_key = '//' || ?2 || '#' || ?3",
        (org, repository, directory),
    )?;
    Ok(())
}

/// Says where in a repository packages are: JSON, a list of patterns; none where it is one package itself. The next update reads
/// it again.
///
/// # Errors
/// If the database cannot be written.
pub fn set(org: OrgId, tx: &Tx<'_>, repository: PackageId, directories: Option<&str>) -> Result<()> {
    tx.execute(
        "UPDATE package SET directories = ?3, refs_digest = NULL WHERE org_id = ?1 AND id = ?2",
        (org, repository, directories),
    )?;
    tx.changed(Change::Package(org, repository));
    Ok(())
}

/// What a repository was when it was read whose root is no package.
#[derive(Clone, Debug)]
pub struct Read {
    /// Digest of its refs; none to have everything read again.
    pub digest: Option<String>,
    /// How many refs there are.
    pub refs: i64,
    /// The branch that it shows first.
    pub default_branch: Option<String>,
}

/// Records that a repository was read whose root is no package: it has no versions.
///
/// # Errors
/// If the database cannot be written.
pub fn set_read(org: OrgId, tx: &Tx<'_>, repository: PackageId, read: &Read, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE package SET outcome = 'ok', error = NULL, failing_since = NULL, held_vendor = NULL, versions = 0, latest = NULL,
             latest_at = NULL, refs_digest = ?3, refs = ?4, default_branch = ?5, checked_at = ?6, updated_at = ?6
         WHERE org_id = ?1 AND id = ?2",
        (org, repository, &read.digest, read.refs, &read.default_branch, now),
    )?;
    tx.changed(Change::Package(org, repository));
    Ok(())
}

/// The commit that stands for a tree of a package's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subtree {
    /// What identifies all that was in the directory.
    pub tree: String,
    /// The commit.
    pub reference: String,
    /// Where the directory was then.
    pub directory: String,
    /// When it was made: seconds since 1970.
    pub time: i64,
    /// In which time zone that is told, in seconds east of UTC.
    pub offset: i32,
}

/// The trees that a package's directory had.
///
/// # Errors
/// If the database cannot be read.
pub fn subtrees(org: OrgId, connection: &Connection, package: PackageId) -> Result<Vec<Subtree>> {
    connection
        .prepare_cached(
            "SELECT tree, reference, directory, time, offset FROM subtree WHERE org_id = ?1 AND package_id = ?2",
        )?
        .query_map((org, package), |row| {
            Ok(Subtree {
                tree: row.get(0)?,
                reference: row.get(1)?,
                directory: row.get(2)?,
                time: row.get(3)?,
                offset: row.get(4)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Where a package's directory was in a commit that stands for a tree of it.
///
/// # Errors
/// If the database cannot be read.
pub fn directory_in(
    org: OrgId,
    connection: &Connection,
    package: PackageId,
    reference: &str,
) -> Result<Option<String>> {
    Ok(connection
        .prepare_cached("SELECT directory FROM subtree WHERE org_id = ?1 AND package_id = ?2 AND reference = ?3")?
        .query_row((org, package, reference), |row| row.get(0))
        .optional()?)
}

/// Remembers which commits stand for trees, for good: what was published under a commit is never anything else.
///
/// # Errors
/// If the database cannot be written.
pub fn remember(org: OrgId, tx: &Tx<'_>, package: PackageId, subtrees: &[Subtree]) -> Result<()> {
    let mut insert = tx.prepare_cached(
        "INSERT OR IGNORE INTO subtree (org_id, package_id, tree, reference, directory, time, offset)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for Subtree { tree, reference, directory, time, offset } in subtrees {
        insert.execute((org, package, tree, reference, directory, time, offset))?;
    }
    Ok(())
}

/// Forgets that a commit stands for trees, because it is lost: another one with the same trees will.
///
/// # Errors
/// If the database cannot be written.
pub fn forget_lost(org: OrgId, tx: &Tx<'_>, repository: PackageId, commit: &str) -> Result<()> {
    tx.execute(
        "DELETE FROM subtree WHERE org_id = ?1 AND reference = ?3
             AND package_id IN (SELECT id FROM package WHERE org_id = ?1 AND parent_id = ?2)",
        (org, repository, commit),
    )?;
    tx.execute("UPDATE package SET refs_digest = NULL WHERE org_id = ?1 AND parent_id = ?2", (org, repository))?;
    Ok(())
}

/// A directory that is meant and is no package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which.
    pub directory: String,
    /// Why.
    pub reason: String,
}

/// Replaces what is known of a repository's directories that are no packages.
///
/// # Errors
/// If the database cannot be written.
pub fn set_problems(org: OrgId, tx: &Tx<'_>, repository: PackageId, problems: &[Problem]) -> Result<()> {
    tx.execute("DELETE FROM directory_problem WHERE org_id = ?1 AND package_id = ?2", (org, repository))?;
    let mut insert = tx.prepare_cached(
        "INSERT OR IGNORE INTO directory_problem (org_id, package_id, directory, reason) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for problem in problems {
        insert.execute((org, repository, &problem.directory, &problem.reason))?;
    }
    Ok(())
}

/// The directories of a repository that are meant and are no packages.
///
/// # Errors
/// If the database cannot be read.
pub fn problems(org: OrgId, connection: &Connection, repository: PackageId) -> Result<Vec<Problem>> {
    connection
        .prepare_cached(
            "SELECT directory, reason FROM directory_problem WHERE org_id = ?1 AND package_id = ?2 ORDER BY directory",
        )?
        .query_map((org, repository), |row| Ok(Problem { directory: row.get(0)?, reason: row.get(1)? }))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}
