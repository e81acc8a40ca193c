//! Repositories with several packages: saying which directories are packages, and seeing what that found.

use serde_json::json;

use super::packages::{Added, NewPackage, title};
use super::{Actor, Error, Result, made};
use crate::appliance::{Appliance, PackageKey};
use crate::clock::Timestamp;
use crate::composer::directories::Directories;
use crate::publish::request::{self, Reason};
use crate::publish::withdraw;
use crate::store::directories::{self, Problem};
use crate::store::ids::{JobId, OrgId};
use crate::store::packages::{self, Package};
use crate::store::{self, Tx};
use crate::vcs::System;

/// What a repository's directories are.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// Its packages, by directory; those whose directory is gone too.
    pub packages: Vec<Package>,
    /// Directories that are meant and are no packages.
    pub problems: Vec<Problem>,
}

/// What lines mean, if there are any.
pub(super) fn wanted(lines: &[String], system: &System) -> Result<Option<Directories>> {
    if lines.iter().all(|line| line.trim().is_empty()) {
        return Ok(None);
    }
    let directories = Directories::parse(lines).map_err(|error| Error::invalid(error.to_string()))?;
    match system {
        System::Git => Ok(Some(directories)),
        System::Subversion(_) => Err(Error::invalid(
            "a Subversion repository with several packages is added once for each of them, with its `--package-path`: each is read and updated by itself",
        )),
        System::Mercurial => {
            Err(Error::invalid("several packages in one repository are read of Git repositories only"))
        }
    }
}

/// How directories are stored.
pub(super) fn stored(directories: &Directories) -> Result<String> {
    serde_json::to_string(directories).map_err(|error| store::Error::Corrupt(error.to_string()).into())
}

/// What is stored of a repository's directories.
///
/// # Errors
/// If another release wrote what this one does not understand.
pub fn of(package: &Package) -> Result<Option<Directories>> {
    let read = package.directories.as_deref().map(serde_json::from_str).transpose();
    read.map_err(|error| store::Error::Corrupt(error.to_string()).into())
}

/// Adds directories to those of a repository that is here already: however often it is added, there is one mirror of it, and one
/// webhook. One that was a single package until now stays that beside them.
pub(super) fn add(
    tx: &Tx<'_>,
    actor: &Actor,
    (org, there): (OrgId, &Package),
    new: &NewPackage,
    more: &Directories,
    now: Timestamp,
) -> Result<Added> {
    if new.credential.is_some() && new.credential != there.credential_name {
        return Err(Error::conflict(format!(
            "the organization has this repository already, opened by another credential: it is package {}",
            there.id
        )));
    }
    let before = match of(there)? {
        Some(before) => before,
        None => Directories::parse(&["."]).map_err(|error| Error::invalid(error.to_string()))?,
    };
    let all = before.with(more).map_err(|error| Error::invalid(error.to_string()))?;
    let job = put(tx, actor, (org, there), Some(&all), now)?;
    Ok(Added { id: there.id, job })
}

fn put(
    tx: &Tx<'_>,
    actor: &Actor,
    (org, package): (OrgId, &Package),
    wanted: Option<&Directories>,
    now: Timestamp,
) -> Result<JobId> {
    directories::set(org, tx, package.id, wanted.map(stored).transpose()?.as_deref())?;
    if wanted.is_none() {
        for child in directories::children(org, tx, package.id)?.into_iter().filter(|child| !child.retired) {
            withdraw::tell_mirrors(tx, PackageKey { org, package: child.id }, now)?;
            packages::set_retired(org, tx, child.id, Some(now))?;
        }
        directories::set_problems(org, tx, package.id, &[])?;
    }
    let detail = json!({ "before": of(package)?, "directories": wanted });
    actor.record(tx, Some(org), "package.directories", &title(package), detail, now)?;
    Ok(request::update(tx, PackageKey { org, package: package.id }, Reason::Command, &[], now)?)
}

/// Says which directories of a repository are packages, and has it read again; without lines it is one package. Packages whose
/// directories are not meant any more are hidden, and lock files that name them go on working.
///
/// # Errors
/// If the lines mean nothing, or the repository's system has no directories.
pub async fn set(
    appliance: &Appliance,
    actor: &Actor,
    org: OrgId,
    package: &Package,
    lines: &[String],
) -> Result<JobId> {
    if package.parent.is_some() {
        return Err(Error::invalid(format!(
            "{} is in a directory of a repository itself: say it of the repository, package {}",
            title(package),
            package.source()
        )));
    }
    made::require_repository(package, "so it has no directories")?;
    let system = System::of(&package.vcs, Default::default()).unwrap_or_default();
    let wanted = wanted(lines, &system)?;
    let (actor, now, package) = (actor.clone(), appliance.now(), package.clone());
    appliance.database.write(move |tx| put(tx, &actor, (org, &package), wanted.as_ref(), now)).await
}

/// Says that a directory is no package from now on, because somebody removes the package: no push brings it back.
pub(super) fn leave_out(tx: &Tx<'_>, org: OrgId, package: &Package) -> Result<()> {
    let (Some(repository), Some(directory)) = (package.parent, &package.directory) else { return Ok(()) };
    let Some(repository) = packages::by_id(org, tx, repository)? else { return Ok(()) };
    let Some(directories) = of(&repository)? else { return Ok(()) };
    let parts: Vec<&str> = directory.split('/').collect();
    if !directories.look(&parts).is_meant {
        return Ok(());
    }
    let fewer = directories.without(directory).map_err(|error| Error::invalid(error.to_string()))?;
    directories::set(org, tx, repository.id, Some(&stored(&fewer)?))?;
    Ok(())
}

/// What a repository's directories are.
///
/// # Errors
/// If the database cannot be read.
pub async fn overview(appliance: &Appliance, org: OrgId, package: &Package) -> Result<Overview> {
    let id = package.id;
    let overview = appliance.database.read(move |db| {
        let children = directories::children(org, db, id)?;
        let packages = children.iter().filter_map(|child| packages::by_id(org, db, child.id).transpose());
        Ok::<_, store::Error>(Overview {
            packages: packages.collect::<store::Result<_>>()?,
            problems: directories::problems(org, db, id)?,
        })
    });
    Ok(overview.await?)
}
