//! Packages without a repository: the JSON of custom ones with the archives that were fetched for them, and uploaded archives.

use rusqlite::{Connection, OptionalExtension, Row};

use super::ids::{OrgId, PackageId};
use super::{Result, Tx};
use crate::clock::Timestamp;
use crate::composer::version::NormalizedVersion;

/// The JSON of a custom package, as it was written.
///
/// # Errors
/// If the database cannot be read.
pub fn definition(org: OrgId, connection: &Connection, package: PackageId) -> Result<Option<String>> {
    Ok(connection
        .prepare_cached("SELECT definition FROM custom_package WHERE org_id = ?1 AND package_id = ?2")?
        .query_row((org, package), |row| row.get(0))
        .optional()?)
}

/// Sets it.
///
/// # Errors
/// If the database cannot be written.
pub fn set_definition(org: OrgId, tx: &Tx<'_>, package: PackageId, definition: &str) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO custom_package (org_id, package_id, definition) VALUES (?1, ?2, ?3)
         ON CONFLICT (org_id, package_id) DO UPDATE SET definition = excluded.definition",
    )?
    .execute((org, package, definition))?;
    Ok(())
}

/// An archive that was fetched for a custom package.
#[derive(Clone, Debug)]
pub struct Mirrored {
    /// The reference that names it.
    pub reference: String,
    /// Where it was.
    pub url: String,
    /// SHA-1 of what came, in hexadecimal.
    pub fetched: String,
    /// SHA-1 of what is served, in hexadecimal.
    pub shasum: String,
    /// SHA-256 of what is served.
    pub digest: Vec<u8>,
    /// Its size in bytes.
    pub size: i64,
    /// When it was fetched.
    pub fetched_at: Timestamp,
}

fn read_mirrored(row: &Row<'_>) -> rusqlite::Result<Mirrored> {
    Ok(Mirrored {
        reference: row.get(0)?,
        url: row.get(1)?,
        fetched: row.get(2)?,
        shasum: row.get(3)?,
        digest: row.get(4)?,
        size: row.get(5)?,
        fetched_at: row.get(6)?,
    })
}

/// The archive that was fetched under a reference.
///
/// # Errors
/// If the database cannot be read.
pub fn mirrored(org: OrgId, connection: &Connection, package: PackageId, reference: &str) -> Result<Option<Mirrored>> {
    Ok(connection
        .prepare_cached(
            "SELECT reference, url, fetched, shasum, digest, size, fetched_at FROM mirrored_dist
             WHERE org_id = ?1 AND package_id = ?2 AND reference = ?3",
        )?
        .query_row((org, package, reference), read_mirrored)
        .optional()?)
}

/// Everything that was ever fetched for a package, the newest first.
///
/// # Errors
/// If the database cannot be read.
pub fn all_mirrored(org: OrgId, connection: &Connection, package: PackageId) -> Result<Vec<Mirrored>> {
    connection
        .prepare_cached(
            "SELECT reference, url, fetched, shasum, digest, size, fetched_at FROM mirrored_dist
             WHERE org_id = ?1 AND package_id = ?2 ORDER BY fetched_at DESC, reference",
        )?
        .query_map((org, package), read_mirrored)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Records what was fetched; the first record of a reference stays.
///
/// # Errors
/// If the database cannot be written.
pub fn set_mirrored(org: OrgId, tx: &Tx<'_>, package: PackageId, mirrored: &Mirrored) -> Result<()> {
    let Mirrored { reference, url, fetched, shasum, digest, size, fetched_at } = mirrored;
    tx.prepare_cached(
        "INSERT OR IGNORE INTO mirrored_dist (org_id, package_id, reference, url, fetched, shasum, digest, size, fetched_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute((org, package, reference, url, fetched, shasum, digest, size, fetched_at))?;
    Ok(())
}

/// An uploaded archive.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// Its version, as Composer compares it.
    pub version_normalized: NormalizedVersion,
    /// Its version, as people write it.
    pub version: String,
    /// What its file was called.
    pub file_name: String,
    /// SHA-256 of what was uploaded.
    pub uploaded: Vec<u8>,
    /// SHA-1 of what is served, in hexadecimal.
    pub shasum: String,
    /// The size of that in bytes.
    pub size: i64,
    /// Its `composer.json`.
    pub manifest: String,
    /// When it came.
    pub uploaded_at: Timestamp,
    /// By whom, as the audit log names people.
    pub uploaded_by: String,
}

fn artifact(row: &Row<'_>) -> rusqlite::Result<Artifact> {
    Ok(Artifact {
        version_normalized: row.get(0)?,
        version: row.get(1)?,
        file_name: row.get(2)?,
        uploaded: row.get(3)?,
        shasum: row.get(4)?,
        size: row.get(5)?,
        manifest: row.get(6)?,
        uploaded_at: row.get(7)?,
        uploaded_by: row.get(8)?,
    })
}

/// A package's uploaded archives, in the order in which they came.
///
/// # Errors
/// If the database cannot be read.
pub fn of_package(org: OrgId, connection: &Connection, package: PackageId) -> Result<Vec<Artifact>> {
    connection
        .prepare_cached(
            "SELECT version_normalized, version, file_name, uploaded, shasum, size, manifest, uploaded_at,
                 uploaded_by
             FROM artifact WHERE org_id = ?1 AND package_id = ?2 ORDER BY id",
        )?
        .query_map((org, package), artifact)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// An uploaded archive, as lists show it.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its row; later ones are larger.
    pub id: i64,
    /// Its version, as people write it.
    pub version: String,
    /// What its file was called.
    pub file_name: String,
    /// SHA-256 of what was uploaded.
    pub uploaded: Vec<u8>,
    /// The size in bytes of what is served.
    pub size: i64,
    /// When it came.
    pub uploaded_at: Timestamp,
    /// By whom, as the audit log names people.
    pub uploaded_by: String,
}

/// Up to `limit` of a package's uploaded archives, the newest first: those before the row `before`.
///
/// # Errors
/// If the database cannot be read.
pub fn lines(
    org: OrgId,
    connection: &Connection,
    package: PackageId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Line>> {
    connection
        .prepare_cached(
            "SELECT id, version, file_name, uploaded, size, uploaded_at, uploaded_by FROM artifact
             WHERE org_id = ?1 AND package_id = ?2 AND (?3 IS NULL OR id < ?3) ORDER BY id DESC LIMIT ?4",
        )?
        .query_map((org, package, before, limit), |row| {
            Ok(Line {
                id: row.get(0)?,
                version: row.get(1)?,
                file_name: row.get(2)?,
                uploaded: row.get(3)?,
                size: row.get(4)?,
                uploaded_at: row.get(5)?,
                uploaded_by: row.get(6)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The archive of a version.
///
/// # Errors
/// If the database cannot be read.
pub fn of_version(
    org: OrgId,
    connection: &Connection,
    package: PackageId,
    version: &NormalizedVersion,
) -> Result<Option<Artifact>> {
    Ok(connection
        .prepare_cached(
            "SELECT version_normalized, version, file_name, uploaded, shasum, size, manifest, uploaded_at,
                 uploaded_by
             FROM artifact WHERE org_id = ?1 AND package_id = ?2 AND version_normalized = ?3",
        )?
        .query_row((org, package, version), artifact)
        .optional()?)
}

/// How many bytes the `composer.json` files of a package's uploaded archives have altogether.
///
/// # Errors
/// If the database cannot be read.
pub fn manifest_bytes(org: OrgId, connection: &Connection, package: PackageId) -> Result<i64> {
    Ok(connection
        .prepare_cached(
            "SELECT coalesce(sum(octet_length(manifest)), 0) FROM artifact WHERE org_id = ?1 AND package_id = ?2",
        )?
        .query_row((org, package), |row| row.get(0))?)
}

/// Records an uploaded archive, in place of the one that the version had.
///
/// # Errors
/// If the database cannot be written.
pub fn put(org: OrgId, tx: &Tx<'_>, package: PackageId, artifact: &Artifact) -> Result<()> {
    tx.execute(
        "INSERT INTO artifact (org_id, package_id, version_normalized, version, file_name, uploaded, shasum, size,
             manifest, uploaded_at, uploaded_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (org_id, package_id, version_normalized) DO UPDATE SET version = excluded.version,
             file_name = excluded.file_name, uploaded = excluded.uploaded, shasum = excluded.shasum,
             size = excluded.size, manifest = excluded.manifest, uploaded_at = excluded.uploaded_at,
             uploaded_by = excluded.uploaded_by",
        (
            org,
            package,
            &artifact.version_normalized,
            &artifact.version,
            &artifact.file_name,
            &artifact.uploaded,
            &artifact.shasum,
            artifact.size,
            &artifact.manifest,
            artifact.uploaded_at,
            &artifact.uploaded_by,
        ),
    )?;
    Ok(())
}

/// Takes a version's archive out of the package; whether there was one. What lock files name stays with the archives.
///
/// # Errors
/// If the database cannot be written.
pub fn remove(org: OrgId, tx: &Tx<'_>, package: PackageId, version: &NormalizedVersion) -> Result<bool> {
    let removed = tx.execute(
        "DELETE FROM artifact WHERE org_id = ?1 AND package_id = ?2 AND version_normalized = ?3",
        (org, package, version),
    )?;
    Ok(removed > 0)
}
