//! Packages: one source repository of an organization each.

use rusqlite::{Connection, OptionalExtension, Row};

use super::abandonment::ARCHIVED;
use super::database::Change;
use super::ids::{CredentialId, OrgId, PackageId, SyncId};
use super::name_claims::{self, Rival};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// A package as stored.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its row.
    pub id: PackageId,
    /// Its current name; none until the first import.
    pub name: Option<String>,
    /// Where its source is.
    pub url: String,
    /// The version control system.
    pub vcs: String,
    /// Where in a Subversion repository it is: JSON; none where the usual paths are meant.
    pub layout: Option<String>,
    /// What opens the source.
    pub credential: Option<CredentialId>,
    /// That credential's name.
    pub credential_name: Option<String>,
    /// Whether it is somebody else's package, so that its vendor is not the organization's.
    pub fork: bool,
    /// `ok`, `pending`, `updating`, `failed` or `held`.
    pub status: String,
    /// Why the last update failed or is held.
    pub error: Option<String>,
    /// Composer's package type.
    pub kind: Option<String>,
    /// Whether it is abandoned: JSON, `true` or the name of its replacement.
    pub abandoned: Option<String>,
    /// How many versions are published.
    pub versions: i64,
    /// Digest of the refs at the last import.
    pub refs_digest: Option<String>,
    /// How many refs there were.
    pub refs: i64,
    /// When the last update began.
    pub update_started_at: Option<Timestamp>,
    /// When what is published last changed.
    pub updated_at: Option<Timestamp>,
    /// The vendor that it waits for to become the organization's.
    pub held_vendor: Option<String>,
    /// Since when its repository is gone: only its archives are served.
    pub retired_at: Option<Timestamp>,
    /// Whether the platform says that nobody works on it any more.
    pub archived: bool,
    /// The synchronization that it comes from.
    pub sync: Option<SyncId>,
    /// Of a repository with several packages, where they are: JSON, a list of patterns.
    pub directories: Option<String>,
    /// Of a package in a directory, the row of its repository, which has its address, credential, mirror, webhook and jobs.
    pub parent: Option<PackageId>,
    /// In which directory it is.
    pub directory: Option<String>,
    /// The name that it waits for, because another package has it.
    pub held_name: Option<String>,
    /// The packages that it is in conflict with about a name.
    pub rivals: Vec<Rival>,
    /// Whether somebody said here that it is abandoned: JSON.
    pub abandoned_here: Option<String>,
    /// Whether its composer.json says so: JSON.
    pub abandoned_there: Option<String>,
}

impl Package {
    /// Its name, or its id while it has none.
    #[must_use]
    pub fn shown_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.id.to_string())
    }

    /// The row of its repository: its own, unless the repository has several packages.
    #[must_use]
    pub fn source(&self) -> PackageId {
        self.parent.unwrap_or(self.id)
    }
}

/// What is the repository's of a package in a directory is read from its repository's row, `s`.
const SELECT: &str = "SELECT p.id, p.name, coalesce(s.url, p.url), p.vcs, coalesce(s.credential_id, p.credential_id),
        (SELECT c.name FROM credential c WHERE c.org_id = p.org_id AND c.id = coalesce(s.credential_id, p.credential_id)),
        coalesce(s.fork, p.fork),
        CASE WHEN EXISTS (SELECT 1 FROM job j WHERE j.package_id = coalesce(p.parent_id, p.id) AND j.state = 'running')
             THEN 'updating' ELSE coalesce(p.outcome, 'pending') END,
        p.error, p.type, p.abandoned, p.versions, p.refs_digest, p.refs, p.update_started_at, p.updated_at, p.held_vendor,
        p.retired_at, coalesce(s.archived, p.archived),
        (SELECT min(r.sync_id) FROM repository r
             WHERE r.package_id = coalesce(p.parent_id, p.id) AND r.org_id = p.org_id),
        p.layout, p.directories, p.parent_id, p.directory, p.held_name,
        (SELECT json_group_array(json_object('id', o.id, 'name', o.name, 'url', o.url))
            FROM listing l JOIN package o ON o.org_id = l.org_id AND o.id = l.package_id
            WHERE l.org_id = p.org_id AND l.name = p.held_name AND l.package_id <> p.id),
        (SELECT json_group_array(json_object('id', o.id, 'name', o.name, 'url', o.url))
            FROM listing l JOIN package o ON o.org_id = l.org_id AND o.held_name = l.name
            WHERE l.org_id = p.org_id AND l.package_id = p.id AND o.id <> p.id),
        p.abandoned_here, p.abandoned_there
    FROM package p LEFT JOIN package s ON s.org_id = p.org_id AND s.id = p.parent_id";

fn package(row: &Row<'_>) -> rusqlite::Result<Package> {
    Ok(Package {
        id: row.get(0)?,
        name: row.get(1)?,
        url: row.get(2)?,
        vcs: row.get(3)?,
        credential: row.get(4)?,
        credential_name: row.get(5)?,
        fork: row.get(6)?,
        status: row.get(7)?,
        error: row.get(8)?,
        kind: row.get(9)?,
        abandoned: row.get(10)?,
        versions: row.get(11)?,
        refs_digest: row.get(12)?,
        refs: row.get(13)?,
        update_started_at: row.get(14)?,
        updated_at: row.get(15)?,
        held_vendor: row.get(16)?,
        retired_at: row.get(17)?,
        archived: row.get(18)?,
        sync: row.get(19)?,
        layout: row.get(20)?,
        directories: row.get(21)?,
        parent: row.get(22)?,
        directory: row.get(23)?,
        held_name: row.get(24)?,
        rivals: name_claims::rivals(row, 25)?,
        abandoned_here: row.get(27)?,
        abandoned_there: row.get(28)?,
    })
}

/// What a new package is made of.
#[derive(Clone, Debug)]
pub struct New {
    /// Where its source is.
    pub url: String,
    /// The canonical form of the address, by which the same source is recognised.
    pub url_key: String,
    /// The version control system.
    pub vcs: String,
    /// What opens the source.
    pub credential: Option<CredentialId>,
    /// Whether it is somebody else's package.
    pub fork: bool,
    /// When to look for changes if nobody tells.
    pub next_check_at: Timestamp,
}

/// Adds a package, still without a name.
///
/// # Errors
/// A conflict if the organization has that source already.
pub fn insert(org: OrgId, tx: &Tx<'_>, new: &New, now: Timestamp) -> Result<PackageId> {
    tx.execute(
        "INSERT INTO package (org_id, url, url_key, vcs, credential_id, fork, created_at, next_check_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        (org, &new.url, &new.url_key, &new.vcs, new.credential, new.fork, now, new.next_check_at),
    )?;
    let id = PackageId(tx.last_insert_rowid());
    tx.changed(Change::Package(org, id));
    Ok(id)
}

/// The organization's packages, without those whose repository is gone: named ones by name, then the others in the order they
/// were added.
///
/// # Errors
/// If the database cannot be read.
pub fn all(org: OrgId, connection: &Connection) -> Result<Vec<Package>> {
    connection
        .prepare_cached(&format!(
            "{SELECT} WHERE p.org_id = ?1 AND p.retired_at IS NULL ORDER BY p.name IS NULL, p.name, p.id"
        ))?
        .query_map([org], package)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The package of this row.
///
/// # Errors
/// If the database cannot be read.
pub fn by_id(org: OrgId, connection: &Connection, id: PackageId) -> Result<Option<Package>> {
    Ok(connection
        .prepare_cached(&format!("{SELECT} WHERE p.org_id = ?1 AND p.id = ?2"))?
        .query_row((org, id), package)
        .optional()?)
}

/// What the package is for.
///
/// # Errors
/// If the database cannot be read.
pub fn description(org: OrgId, connection: &Connection, id: PackageId) -> Result<Option<String>> {
    let found: Option<Option<String>> = connection
        .prepare_cached("SELECT description FROM package WHERE org_id = ?1 AND id = ?2")?
        .query_row((org, id), |row| row.get(0))
        .optional()?;
    Ok(found.flatten())
}

/// The package that is or was published under this name.
///
/// # Errors
/// If the database cannot be read.
pub fn by_name(org: OrgId, connection: &Connection, name: &str) -> Result<Option<Package>> {
    Ok(connection
        .prepare_cached(&format!(
            "{SELECT} WHERE p.org_id = ?1 AND p.id =
                 (SELECT l.package_id FROM listing l WHERE l.org_id = ?1 AND l.name = ?2)"
        ))?
        .query_row((org, name), package)
        .optional()?)
}

/// The package whose source has this canonical address.
///
/// # Errors
/// If the database cannot be read.
pub fn by_url_key(org: OrgId, connection: &Connection, key: &str) -> Result<Option<Package>> {
    Ok(connection
        .prepare_cached(&format!("{SELECT} WHERE p.org_id = ?1 AND p.url_key = ?2"))?
        .query_row((org, key), package)
        .optional()?)
}

/// How many packages of one repository are updated by one call of a webhook.
const SHARING: i64 = 500;

/// The other packages that are read from the same repository, at other paths in it.
///
/// # Errors
/// If the database cannot be read.
pub fn sharing_source(org: OrgId, connection: &Connection, id: PackageId) -> Result<Vec<PackageId>> {
    // What is behind the question mark says where in the repository a package is.
    connection
        .prepare_cached(
            "WITH own AS (SELECT CASE instr(url_key, '?') WHEN 0 THEN url_key ELSE substr(url_key, 1, instr(url_key, '?') - 1) END
                 AS key FROM package WHERE org_id = ?1 AND id = ?2)
             SELECT p.id FROM package p, own WHERE p.org_id = ?1 AND p.id <> ?2 AND p.retired_at IS NULL
                 AND p.parent_id IS NULL AND (p.url_key = own.key
                     OR (p.url_key > own.key || '?' AND p.url_key < own.key || '@'))
             ORDER BY p.id LIMIT ?3",
        )?
        .query_map((org, id, SHARING), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The canonical address of a package's source.
///
/// # Errors
/// If the database cannot be read.
pub fn url_key(org: OrgId, connection: &Connection, id: PackageId) -> Result<Option<String>> {
    Ok(connection
        .prepare_cached("SELECT url_key FROM package WHERE org_id = ?1 AND id = ?2")?
        .query_row((org, id), |row| row.get(0))
        .optional()?)
}

/// The packages that use a credential.
///
/// # Errors
/// If the database cannot be read.
pub fn using(org: OrgId, connection: &Connection, id: CredentialId) -> Result<Vec<PackageId>> {
    connection
        .prepare_cached("SELECT id FROM package WHERE org_id = ?1 AND credential_id = ?2")?
        .query_map((org, id), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The packages whose update waits for an administrator.
///
/// # Errors
/// If the database cannot be read.
pub fn held(org: OrgId, connection: &Connection) -> Result<Vec<PackageId>> {
    connection
        .prepare_cached("SELECT id FROM package WHERE org_id = ?1 AND outcome = 'held'")?
        .query_map([org], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The packages of all organizations whose last update failed, with their addresses.
///
/// # Errors
/// If the database cannot be read.
pub fn failed(connection: &Connection) -> Result<Vec<(OrgId, PackageId, String)>> {
    connection
        .prepare_cached("SELECT org_id, id, url FROM package WHERE outcome = 'failed'")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The packages of all organizations that nobody told about for an interval, at most `limit`.
///
/// # Errors
/// If the database cannot be read.
pub fn due(connection: &Connection, now: Timestamp, limit: i64) -> Result<Vec<(OrgId, PackageId)>> {
    connection
        .prepare_cached(
            // Times beyond any interval were written by a clock that was ahead.
            "SELECT org_id, id FROM package
             WHERE (next_check_at <= ?1 OR next_check_at > ?1 + 90 * 86400000000) AND retired_at IS NULL AND parent_id IS NULL
                 AND vcs NOT IN ('custom', 'artifact', 'blocked')
                 AND org_id IN (SELECT id FROM organization WHERE removed_at IS NULL)
             ORDER BY next_check_at LIMIT ?2",
        )?
        .query_map((now, limit), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Sets when to look for changes next if nobody tells.
///
/// # Errors
/// If the database cannot be written.
pub fn set_next_check(org: OrgId, tx: &Tx<'_>, id: PackageId, at: Timestamp) -> Result<()> {
    tx.prepare_cached("UPDATE package SET next_check_at = ?3 WHERE org_id = ?1 AND id = ?2")?.execute((org, id, at))?;
    Ok(())
}

/// Records that an update began.
///
/// # Errors
/// If the database cannot be written.
pub fn set_started(org: OrgId, tx: &Tx<'_>, id: PackageId, now: Timestamp) -> Result<()> {
    tx.prepare_cached("UPDATE package SET update_started_at = ?3 WHERE org_id = ?1 AND id = ?2")?
        .execute((org, id, now))?;
    Ok(())
}

/// Records that an update found nothing new.
///
/// # Errors
/// If the database cannot be written.
pub fn set_unchanged(org: OrgId, tx: &Tx<'_>, id: PackageId, now: Timestamp) -> Result<()> {
    tx.prepare_cached("UPDATE package SET checked_at = ?3 WHERE org_id = ?1 AND id = ?2")?.execute((org, id, now))?;
    Ok(())
}

/// Records that the repository could not be read, with all packages in it. What is held stays held: that an administrator is asked matters more.
///
/// # Errors
/// If the database cannot be written.
pub fn set_unread(org: OrgId, tx: &Tx<'_>, id: PackageId, error: &str, now: Timestamp) -> Result<()> {
    tx.prepare_cached(
        "UPDATE package SET checked_at = ?4, error = CASE outcome WHEN 'held' THEN error ELSE ?3 END,
             outcome = CASE outcome WHEN 'held' THEN 'held' ELSE 'failed' END, failing_since = coalesce(failing_since, ?4)
         WHERE org_id = ?1 AND (id = ?2 OR parent_id = ?2)",
    )?
    .execute((org, id, error, now))?;
    Ok(())
}

/// Records that what was read cannot be published (`outcome` `failed`), or only by an administrator's leave (`held`);
/// `vendor`: the one that has to become the organization's.
/// The next update reads everything again, even if the repository goes back to what it was.
///
/// # Errors
/// If the database cannot be written.
pub fn set_refused(
    org: OrgId,
    tx: &Tx<'_>,
    id: PackageId,
    outcome: &str,
    error: &str,
    vendor: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    tx.prepare_cached(
        "UPDATE package SET outcome = ?3, error = ?4, checked_at = ?5, refs_digest = NULL,
             failing_since = coalesce(failing_since, ?5), held_vendor = ?6
         WHERE org_id = ?1 AND id = ?2",
    )?
    .execute((org, id, outcome, error, now, vendor))?;
    Ok(())
}

/// Records that the repository could be read again after a failure, with all packages in it but those that were refused for
/// what they hold. What is held stays held: an unchanged repository still asks for the same.
///
/// # Errors
/// If the database cannot be written.
pub fn set_recovered(org: OrgId, tx: &Tx<'_>, id: PackageId) -> Result<()> {
    tx.prepare_cached(
        "UPDATE package SET outcome = 'ok', error = NULL, failing_since = NULL
         WHERE org_id = ?1 AND (id = ?2 OR (parent_id = ?2 AND refs_digest IS NOT NULL)) AND outcome = 'failed'",
    )?
    .execute((org, id))?;
    Ok(())
}

/// Gives a package what opens its source, and says whether it is somebody else's.
///
/// # Errors
/// If the database cannot be written.
pub fn set_access(org: OrgId, tx: &Tx<'_>, id: PackageId, credential: Option<CredentialId>, fork: bool) -> Result<()> {
    tx.execute(
        "UPDATE package SET credential_id = ?3, fork = ?4, refs_digest = NULL WHERE org_id = ?1 AND id = ?2",
        (org, id, credential, fork),
    )?;
    tx.changed(Change::Package(org, id));
    Ok(())
}

/// Records that a package's repository is gone, or (none) that there is one again; the packages in its directories go and return
/// with it.
///
/// # Errors
/// If the database cannot be written.
pub fn set_retired(org: OrgId, tx: &Tx<'_>, id: PackageId, since: Option<Timestamp>) -> Result<()> {
    tx.execute(
        "UPDATE package SET retired_at = ?3, refs_digest = NULL, error = NULL, failing_since = NULL, held_vendor = NULL, held_name = NULL,
             outcome = CASE WHEN name IS NULL THEN NULL ELSE 'ok' END
         WHERE org_id = ?1 AND (id = ?2 OR parent_id = ?2)",
        (org, id, since),
    )?;
    tx.changed(Change::Package(org, id));
    Ok(())
}

/// Gives a package another address of its source; its next update reads from there.
///
/// # Errors
/// A conflict if another package has that source.
pub fn set_source(org: OrgId, tx: &Tx<'_>, id: PackageId, url: &str, url_key: &str) -> Result<()> {
    tx.execute(
        "UPDATE package SET url = ?3, url_key = ?4, refs_digest = NULL WHERE org_id = ?1 AND id = ?2",
        (org, id, url, url_key),
    )?;
    tx.execute("UPDATE package SET url = ?3 WHERE org_id = ?1 AND parent_id = ?2", (org, id, url))?;
    tx.changed(Change::Package(org, id));
    Ok(())
}

/// Says which version control system a package's repository has, and where in it the package is (JSON; none for the usual
/// paths).
///
/// # Errors
/// If the database cannot be written.
pub fn set_system(org: OrgId, tx: &Tx<'_>, id: PackageId, vcs: &str, layout: Option<&str>) -> Result<()> {
    tx.execute(
        "UPDATE package SET vcs = ?3, layout = ?4, refs_digest = NULL WHERE org_id = ?1 AND id = ?2",
        (org, id, vcs, layout),
    )?;
    Ok(())
}

/// Takes a package's address from it, so that another one can have it: until it gets its own, or for good where its repository
/// is gone.
///
/// # Errors
/// If the database cannot be written.
pub fn displace(org: OrgId, tx: &Tx<'_>, id: PackageId) -> Result<()> {
    tx.execute("UPDATE package SET url_key = '//' || id WHERE org_id = ?1 AND id = ?2", (org, id))?;
    Ok(())
}

/// The canonical forms of the addresses of all packages, also of those whose repository is gone.
///
/// # Errors
/// If the database cannot be read.
pub fn keys(org: OrgId, connection: &Connection) -> Result<Vec<Key>> {
    connection
        .prepare_cached(
            "SELECT id, url, url_key, name, retired_at, archived FROM package WHERE org_id = ?1 AND parent_id IS NULL",
        )?
        .query_map([org], |row| {
            let retired_at: Option<Timestamp> = row.get(4)?;
            Ok(Key {
                id: row.get(0)?,
                url: row.get(1)?,
                url_key: row.get(2)?,
                name: row.get(3)?,
                retired: retired_at.is_some(),
                archived: row.get(5)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// A package, as synchronizations compare it.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its row.
    pub id: PackageId,
    /// Where its source is.
    pub url: String,
    /// The canonical form of that.
    pub url_key: String,
    /// Its name, once it has one.
    pub name: Option<String>,
    /// Whether its repository is gone.
    pub retired: bool,
    /// Whether the platform says that nobody works on it any more.
    pub archived: bool,
}

/// What an import found out about the package as a whole.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Its name in `composer.json`.
    pub name: String,
    /// Composer's package type.
    pub kind: Option<String>,
    /// What it is for, from its newest version.
    pub description: Option<String>,
    /// Whether its composer.json says that it is abandoned: JSON.
    pub abandoned: Option<String>,
    /// How many versions are published.
    pub versions: i64,
    /// The branch that the remote checks out by itself.
    pub default_branch: Option<String>,
    /// Digest of the refs.
    pub refs_digest: String,
    /// How many refs there are.
    pub refs: i64,
    /// Its newest release, or its default branch where there is none.
    pub latest: Option<String>,
    /// The date of that: seconds since the epoch.
    pub latest_at: Option<i64>,
}

/// Records a successful import.
///
/// # Errors
/// A conflict if another package has the name.
pub fn set_imported(org: OrgId, tx: &Tx<'_>, id: PackageId, imported: &Imported, now: Timestamp) -> Result<()> {
    tx.prepare_cached(&format!(
        "UPDATE package SET outcome = 'ok', error = NULL, name = ?3, type = ?4, description = ?5,
             abandoned = coalesce(abandoned_here, ?6, {ARCHIVED}), abandoned_there = ?6,
             held_name = NULL, granted_name = NULL, versions = ?7, default_branch = ?8, refs_digest = ?9, refs = ?10,
             checked_at = ?11, updated_at = ?11, failing_since = NULL, held_vendor = NULL, latest = ?12, latest_at = ?13
         WHERE org_id = ?1 AND id = ?2",
    ))?
    .execute((
        org,
        id,
        &imported.name,
        &imported.kind,
        &imported.description,
        &imported.abandoned,
        imported.versions,
        &imported.default_branch,
        &imported.refs_digest,
        imported.refs,
        now,
        &imported.latest,
        imported.latest_at,
    ))?;
    tx.changed(Change::Package(org, id));
    Ok(())
}

/// Forgets what the last import saw, so that the next one reads everything again.
///
/// # Errors
/// If the database cannot be written.
pub fn forget_refs(org: OrgId, tx: &Tx<'_>, id: PackageId) -> Result<()> {
    tx.execute("UPDATE package SET refs_digest = NULL WHERE org_id = ?1 AND id = ?2", (org, id))?;
    Ok(())
}

/// Removes a package with its names, versions, documents and archives' rows.
///
/// # Errors
/// If the database cannot be written.
pub fn remove(org: OrgId, tx: &Tx<'_>, id: PackageId, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE hook SET removed_at = coalesce(removed_at, ?3) WHERE org_id = ?1 AND package_id = ?2",
        (org, id, now),
    )?;
    tx.execute("DELETE FROM package WHERE org_id = ?1 AND id = ?2", (org, id))?;
    tx.changed(Change::Package(org, id));
    tx.changed(Change::Tokens(org));
    tx.changed(Change::Hooks);
    Ok(())
}
