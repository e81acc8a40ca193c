//! The repositories that synchronizations see, packages or not.

use rusqlite::{Connection, OptionalExtension, Row};

use super::database::Change;
use super::ids::{OrgId, PackageId, SyncId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// A repository that a run saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Owner and name.
    pub path: String,
    /// Where Git finds it.
    pub url: String,
    /// Its page.
    pub web_url: Option<String>,
    /// The branch that counts.
    pub default_branch: Option<String>,
    /// When somebody last pushed, as the platform writes it.
    pub pushed_at: Option<String>,
    /// `active`, `archived`, `disabled` or `empty`; `deleting`, `off`, `importing` or `broken`, where nothing of it is read.
    pub state: String,
    /// `private`, `internal` or `public`.
    pub visibility: String,
    /// Whether it is a copy of somebody else's.
    pub fork: bool,
    /// Whether the default branch has a composer.json; none: that is not known.
    pub manifest: Option<bool>,
    /// The package that it is.
    pub package: Option<PackageId>,
    /// What became of it.
    pub decision: Decision,
    /// Why.
    pub reason: String,
    /// Whether somebody saw it in a plan or asked for it.
    pub asked: bool,
    /// Whether the platform does not list it any more.
    pub gone: bool,
}

/// What became of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is a package.
    Package,
    /// It is to be one: somebody asked for it.
    Wanted,
    /// It is none: there is no composer.json, or nothing could be read.
    None,
    /// It was there before the synchronization, and only new ones were wanted.
    Left,
    /// Somebody removed it by hand.
    Removed,
}

impl Decision {
    const ALL: [Self; 5] = [Self::Package, Self::Wanted, Self::None, Self::Left, Self::Removed];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Wanted => "wanted",
            Self::None => "none",
            Self::Left => "left",
            Self::Removed => "removed",
        }
    }

    /// The decision of this word; what nobody knows decides nothing.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        Self::ALL.into_iter().find(|decision| decision.as_str() == word).unwrap_or(Self::None)
    }
}

fn repository(row: &Row<'_>) -> rusqlite::Result<(String, Repository)> {
    let decision: String = row.get(11)?;
    let gone_at: Option<Timestamp> = row.get(14)?;
    let repository = Repository {
        path: row.get(1)?,
        url: row.get(2)?,
        web_url: row.get(3)?,
        default_branch: row.get(4)?,
        pushed_at: row.get(5)?,
        state: row.get(6)?,
        visibility: row.get(7)?,
        fork: row.get(8)?,
        manifest: row.get(9)?,
        package: row.get(10)?,
        decision: Decision::parse(&decision),
        reason: row.get(12)?,
        asked: row.get(13)?,
        gone: gone_at.is_some(),
    };
    Ok((row.get(0)?, repository))
}

/// The repositories that a synchronization saw, with the platform's ids of them, by path.
///
/// # Errors
/// If the database cannot be read.
pub fn all(org: OrgId, connection: &Connection, sync: SyncId) -> Result<Vec<(String, Repository)>> {
    connection
        .prepare_cached(
            "SELECT remote_id, path, url, web_url, default_branch, pushed_at, state, visibility, fork, manifest,
                 package_id, decision, reason, asked, gone_at
             FROM repository WHERE org_id = ?1 AND sync_id = ?2 ORDER BY path, remote_id",
        )?
        .query_map((org, sync), repository)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Why nothing of a package's repository is read for now, in words; none: it is read.
///
/// # Errors
/// If the database cannot be read.
pub fn frozen(org: OrgId, connection: &Connection, package: PackageId) -> Result<Option<String>> {
    Ok(connection
        .prepare_cached(
            "SELECT reason FROM repository WHERE org_id = ?1 AND package_id = ?2 AND gone_at IS NULL
                 AND state IN ('deleting', 'off', 'importing', 'broken')",
        )?
        .query_row((org, package), |row| row.get(0))
        .optional()?)
}

/// Which synchronizations have which packages, also those whose repository is gone.
///
/// # Errors
/// If the database cannot be read.
pub fn packages(org: OrgId, connection: &Connection) -> Result<Vec<(SyncId, PackageId)>> {
    connection
        .prepare_cached(
            "SELECT s.sync_id, r.reached_id FROM repository s
             JOIN reach r ON r.org_id = s.org_id AND r.package_id = s.package_id WHERE s.org_id = ?1",
        )?
        .query_map([org], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Remembers what a run saw of a repository. Which package it is stays as it is where nothing is said of that.
///
/// # Errors
/// If the database cannot be written.
pub fn put(org: OrgId, tx: &Tx<'_>, sync: SyncId, remote_id: &str, seen: &Repository, now: Timestamp) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO repository (org_id, sync_id, remote_id, path, url, web_url, default_branch, pushed_at, state,
             visibility, fork, manifest, package_id, decision, reason, asked, found_at, gone_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
             CASE WHEN ?18 THEN ?17 END)
         ON CONFLICT (org_id, sync_id, remote_id) DO UPDATE SET
             path = excluded.path, url = excluded.url, web_url = excluded.web_url,
             default_branch = excluded.default_branch, pushed_at = excluded.pushed_at, state = excluded.state,
             visibility = excluded.visibility, fork = excluded.fork, manifest = excluded.manifest,
             package_id = coalesce(excluded.package_id, package_id), decision = excluded.decision,
             reason = excluded.reason, asked = excluded.asked,
             gone_at = CASE WHEN excluded.gone_at IS NULL THEN NULL ELSE coalesce(gone_at, excluded.gone_at) END",
    )?
    .execute(rusqlite::params![
        org,
        sync,
        remote_id,
        &seen.path,
        &seen.url,
        &seen.web_url,
        &seen.default_branch,
        &seen.pushed_at,
        &seen.state,
        &seen.visibility,
        seen.fork,
        seen.manifest,
        seen.package,
        seen.decision.as_str(),
        &seen.reason,
        seen.asked,
        now,
        seen.gone,
    ])?;
    Ok(())
}

/// Says which package a repository is.
///
/// # Errors
/// If the database cannot be written.
pub fn set_package(org: OrgId, tx: &Tx<'_>, sync: SyncId, remote_id: &str, package: PackageId) -> Result<()> {
    tx.prepare_cached("UPDATE repository SET package_id = ?4 WHERE org_id = ?1 AND sync_id = ?2 AND remote_id = ?3")?
        .execute((org, sync, remote_id, package))?;
    Ok(())
}

/// Says that a repository is to be a package; whether it is known, and is none yet.
///
/// # Errors
/// If the database cannot be written.
pub fn set_wanted(org: OrgId, tx: &Tx<'_>, sync: SyncId, remote_id: &str) -> Result<bool> {
    let changed = tx.execute(
        "UPDATE repository SET decision = 'wanted', reason = '', asked = 1
         WHERE org_id = ?1 AND sync_id = ?2 AND remote_id = ?3 AND package_id IS NULL",
        (org, sync, remote_id),
    )?;
    Ok(changed > 0)
}

/// Forgets that a package is a repository that synchronizations saw, and who they found to read it.
///
/// # Errors
/// If the database cannot be written.
pub fn forget(org: OrgId, tx: &Tx<'_>, package: PackageId) -> Result<()> {
    tx.execute("DELETE FROM repository WHERE org_id = ?1 AND package_id = ?2", (org, package))?;
    tx.execute(
        "DELETE FROM package_grant WHERE org_id = ?1 AND package_id = ?2 AND sync_id IS NOT NULL",
        (org, package),
    )?;
    tx.execute(
        "DELETE FROM team_package WHERE org_id = ?1 AND package_id = ?2
             AND team_id IN (SELECT id FROM team WHERE org_id = ?1 AND sync_id IS NOT NULL)",
        (org, package),
    )?;
    tx.changed(Change::Access(org));
    Ok(())
}

/// Says that somebody removes a package by hand, so that no run brings it back.
///
/// # Errors
/// If the database cannot be written.
pub fn set_removed(org: OrgId, tx: &Tx<'_>, package: PackageId) -> Result<()> {
    tx.execute(
        "UPDATE repository SET decision = 'removed', package_id = NULL,
             reason = 'Somebody removed the package here; it comes back when somebody adds it again.'
         WHERE org_id = ?1 AND package_id = ?2",
        (org, package),
    )?;
    Ok(())
}

/// Whether a package may bring a vendor that is new to the organization: somebody saw it in a plan, or asked for it.
///
/// # Errors
/// If the database cannot be read.
pub fn may_bring_vendor(org: OrgId, connection: &Connection, package: PackageId) -> Result<bool> {
    Ok(connection
        .prepare_cached(
            "SELECT NOT EXISTS (SELECT 1 FROM repository WHERE org_id = ?1 AND package_id = ?2)
                 OR EXISTS (SELECT 1 FROM repository WHERE org_id = ?1 AND package_id = ?2 AND asked = 1)",
        )?
        .query_row((org, package), |row| row.get(0))?)
}

/// Forgets a repository that was no package.
///
/// # Errors
/// If the database cannot be written.
pub fn remove(org: OrgId, tx: &Tx<'_>, sync: SyncId, remote_id: &str) -> Result<()> {
    tx.prepare_cached("DELETE FROM repository WHERE org_id = ?1 AND sync_id = ?2 AND remote_id = ?3")?
        .execute((org, sync, remote_id))?;
    Ok(())
}

/// The package that a repository is, if it is one.
///
/// # Errors
/// If the database cannot be read.
pub fn package_of(org: OrgId, connection: &Connection, sync: SyncId, remote_id: &str) -> Result<Option<PackageId>> {
    let found: Option<Option<PackageId>> = connection
        .prepare_cached("SELECT package_id FROM repository WHERE org_id = ?1 AND sync_id = ?2 AND remote_id = ?3")?
        .query_row((org, sync, remote_id), |row| row.get(0))
        .optional()?;
    Ok(found.flatten())
}
