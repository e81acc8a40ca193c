//! Packages: one source repository each.

use std::collections::HashMap;

use serde_json::json;

use super::directories::{self, add as add_directories, stored, wanted};
use super::{Actor, Error, Result, credentials as use_credentials, files, made};
use crate::appliance::{Appliance, PackageKey};
use crate::clock::Timestamp;
use crate::composer::name::PackageName;
use crate::composer::reference;
use crate::composer::version::{self, NormalizedVersion};
use crate::publish::request::{self, Reason};
use crate::publish::withdraw;
use crate::store::archive_failures::ArchiveFailure;
use crate::store::ids::{JobId, OrgId, PackageId};
use crate::store::packages::{self, Package};
use crate::store::refs::{self, Ref};
use crate::store::version_events::{self, Event};
use crate::store::versions::{self, Version};
use crate::store::{self, Tx, abandonment, archive_failures, dists, listings, repositories};
use crate::vcs::url::SourceUrl;
use crate::vcs::{Layout, System};

/// How many updates are queued in one transaction, which others must not have to wait for long.
const TOGETHER: usize = 200;

/// What a new package is made of.
#[derive(Clone, Debug, Default)]
pub struct NewPackage {
    /// Where its source is, as it was typed.
    pub url: String,
    /// The version control system: `git`, `hg` or `svn`; none: the one that the address tells, else Git.
    pub vcs: Option<String>,
    /// Where in a Subversion repository it is.
    pub layout: Layout,
    /// The name of the credential that opens it.
    pub credential: Option<String>,
    /// Whether it is somebody else's package, so that its vendor is not the organization's.
    pub fork: bool,
    /// Which of its directories are packages of their own, as lines; none: the repository is one package.
    pub directories: Vec<String>,
}

/// What can be changed about a package.
#[derive(Clone, Debug)]
pub struct Change {
    /// The name of the credential that opens its source.
    pub credential: Option<String>,
    /// Whether it is somebody else's package.
    pub fork: bool,
}

/// A package that was just added.
#[derive(Clone, Copy, Debug)]
pub struct Added {
    /// Its row.
    pub id: PackageId,
    /// Its first update.
    pub job: JobId,
}

/// A package with everything that is shown of it.
#[derive(Clone, Debug)]
pub struct Details {
    /// The package.
    pub package: Package,
    /// The versions published under its current name, newest first.
    pub versions: Vec<Version>,
    /// Branches and tags that are no version.
    pub skipped: Vec<Ref>,
    /// The last archive that could not be built.
    pub archive_failure: Option<ArchiveFailure>,
    /// Releases that once named another commit, with the last time when that changed.
    pub repointed: HashMap<NormalizedVersion, Event>,
}

/// What forgetting a commit found.
#[derive(Clone, Debug)]
pub struct Forgotten {
    /// Whether anything was known of the commit.
    pub known: bool,
    /// Whether versions still name it.
    pub published: bool,
}

/// The organization's packages: named ones by name, then the others in the order they were added.
///
/// # Errors
/// If the database cannot be read.
pub async fn list(appliance: &Appliance, org: OrgId) -> Result<Vec<Package>> {
    Ok(appliance.database.read(move |db| packages::all(org, db)).await?)
}

/// What people know a package by: its name, or its address while it has none.
#[must_use]
pub fn title(package: &Package) -> String {
    let place = || match &package.directory {
        Some(directory) => format!("{} ({directory})", package.url),
        None => package.url.clone(),
    };
    package.name.clone().unwrap_or_else(place)
}

/// The package that somebody means by a name, an id or an address.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn find(appliance: &Appliance, org: OrgId, text: &str) -> Result<Package> {
    let policy = use_credentials::lenient(&appliance.settings.url_policy);
    let key = SourceUrl::parse(text, &policy).ok().map(|url| url.key());
    let text = text.to_owned();
    appliance
        .database
        .read(move |db| {
            let id = text.parse().ok().map(PackageId);
            if let Some(id) = id
                && let Some(found) = packages::by_id(org, db, id)?
            {
                return Ok(found);
            }
            if let Ok(name) = PackageName::parse_lenient(&text)
                && let Some(found) = packages::by_name(org, db, name.as_str())?
            {
                return Ok(found);
            }
            // One that is made here has its name from the start, also before it was first published.
            for key in key.into_iter().chain(made::keys(&text)) {
                if let Some(found) = packages::by_url_key(org, db, &key)? {
                    return Ok(found);
                }
            }
            let shown: String = text.chars().take(200).collect();
            Err(Error::not_found(format!("the organization has no package `{}`", shown.escape_debug()))
                .by_command("`package list` shows names, ids and addresses"))
        })
        .await
}

/// The package of this row.
///
/// # Errors
/// [`Error::NotFound`] if it was removed.
pub async fn by_id(appliance: &Appliance, key: PackageKey) -> Result<Package> {
    let found = appliance.database.read(move |db| packages::by_id(key.org, db, key.package)).await?;
    found.ok_or_else(|| Error::not_found(format!("package {} was removed meanwhile", key.package)))
}

/// Everything that is shown of a package.
///
/// # Errors
/// If the database cannot be read.
pub async fn details(appliance: &Appliance, org: OrgId, package: Package) -> Result<Details> {
    appliance
        .database
        .read(move |db| {
            let current = listings::of_package(org, db, package.id)?.into_iter().find(|listing| listing.current);
            let mut published = match current {
                Some(listing) => versions::of_listing(org, db, listing.id)?,
                None => Vec::new(),
            };
            published.sort_by(|a, b| {
                version::compare(b.version_normalized.as_str(), a.version_normalized.as_str())
                    .then_with(|| a.version.cmp(&b.version))
            });
            let skipped = refs::skipped(org, db, package.id)?;
            let archive_failure = archive_failures::of_package(org, db, package.id)?;
            let repointed = version_events::repointed(org, db, package.id)?;
            Ok(Details { package, versions: published, skipped, archive_failure, repointed })
        })
        .await
}

/// Adds a package and queues its first update.
///
/// # Errors
/// If the address or credential is not acceptable, or the organization has the source already.
pub async fn add(appliance: &Appliance, actor: &Actor, org: OrgId, new: NewPackage) -> Result<Added> {
    let url = SourceUrl::parse(&new.url, &appliance.settings.url_policy)
        .map_err(|error| Error::invalid(error.to_string()))?;
    let system = system(&new, &url)?;
    let (layout, url_key) = match &system {
        System::Subversion(layout) => (layout.stored(), format!("{}{}", url.key(), layout.key())),
        System::Git | System::Mercurial => (None, url.key()),
    };
    let directories = wanted(&new.directories, &system)?;
    let (actor, now) = (actor.clone(), appliance.now());
    let next_check_at = now + appliance.settings.package_interval;
    appliance
        .database
        .write(move |tx| {
            let there = packages::by_url_key(org, tx, &url_key)?;
            let retired = there.as_ref().filter(|there| there.retired_at.is_some()).map(|there| there.id);
            if let (Some(there), Some(more)) = (&there, &directories)
                && retired.is_none()
            {
                return add_directories(tx, &actor, (org, there), &new, more, now);
            }
            if let Some(there) = there.filter(|_| retired.is_none()) {
                let name = there.name.map_or_else(String::new, |name| format!(" ({name})"));
                return Err(Error::conflict(format!(
                    "the organization has this repository already: it is package {}{name}",
                    there.id
                )));
            }
            let credential = match &new.credential {
                Some(name) => Some(use_credentials::find(org, tx, name)?),
                None => None,
            };
            if let Some(credential) = &credential {
                use_credentials::require_fit(credential, &url)?;
            }
            use_credentials::require_enough(credential.as_ref(), &url)?;
            let row = packages::New {
                url: url.as_str().to_owned(),
                url_key,
                vcs: system.word().to_owned(),
                credential: credential.as_ref().map(|credential| credential.id),
                fork: new.fork,
                next_check_at,
            };
            let id = match retired {
                Some(id) => bring_back(tx, PackageKey { org, package: id }, &row, now)?,
                None => packages::insert(org, tx, &row, now)?,
            };
            packages::set_system(org, tx, id, &row.vcs, layout.as_deref())?;
            store::directories::set(org, tx, id, directories.as_ref().map(stored).transpose()?.as_deref())?;
            let job = request::update(tx, PackageKey { org, package: id }, Reason::Command, &[], now)?;
            let detail = json!({
                "id": id,
                "credential": credential.map(|credential| credential.name),
                "fork": row.fork,
                "vcs": row.vcs,
                "directories": directories,
            });
            actor.record(tx, Some(org), "package.add", &row.url, detail, now)?;
            Ok(Added { id, job })
        })
        .await
}

/// The version control system of a new package.
fn system(new: &NewPackage, url: &SourceUrl) -> Result<System> {
    let word = new.vcs.as_deref().unwrap_or_else(|| System::told_by(url));
    let Some(system) = System::of(word, new.layout.clone()) else {
        return Err(Error::invalid(format!("there are no repositories of type {word} here: choose git, hg or svn")));
    };
    if !matches!(system, System::Subversion(_)) && new.layout != Layout::default() {
        return Err(Error::invalid("only Subversion repositories have paths of the trunk, branches, tags and package"));
    }
    match system.refuses(url) {
        Some(reason) => Err(Error::invalid(reason)),
        None => Ok(system),
    }
}

/// Makes a package whose repository was gone an ordinary one: somebody says that there is one again. What synchronizations
/// found of who reads it was about the other one.
fn bring_back(tx: &Tx<'_>, key: PackageKey, row: &packages::New, now: Timestamp) -> Result<PackageId> {
    let PackageKey { org, package } = key;
    repositories::forget(org, tx, package)?;
    packages::set_source(org, tx, package, &row.url, &row.url_key)?;
    packages::set_access(org, tx, package, row.credential, row.fork)?;
    abandonment::set_archived(org, tx, package, false)?;
    packages::set_retired(org, tx, package, None)?;
    withdraw::tell_mirrors_of_return(tx, key, now)?;
    Ok(package)
}

/// Changes what opens a package's source and whether it is a fork, and queues an update.
///
/// # Errors
/// If the package is gone, or the credential does not fit its source.
pub async fn change(appliance: &Appliance, actor: &Actor, org: OrgId, id: PackageId, change: Change) -> Result<()> {
    let (actor, now) = (actor.clone(), appliance.now());
    let policy = use_credentials::lenient(&appliance.settings.url_policy);
    appliance
        .database
        .write(move |tx| {
            let Some(package) = packages::by_id(org, tx, id)? else {
                return Err(Error::not_found(format!("package {id} was removed meanwhile")));
            };
            // What opens the repository opens it for all packages in it.
            let id = package.source();
            let credential =
                change.credential.as_deref().map(|name| use_credentials::find(org, tx, name)).transpose()?;
            if made::is_made(&package) {
                made::require_fit(&package, credential.is_some())?;
            } else {
                let url = SourceUrl::parse(&package.url, &policy).map_err(|error| Error::invalid(error.to_string()))?;
                if let Some(credential) = &credential {
                    use_credentials::require_fit(credential, &url)?;
                }
                use_credentials::require_enough(credential.as_ref(), &url)?;
            }
            packages::set_access(org, tx, id, credential.as_ref().map(|credential| credential.id), change.fork)?;
            request::update(tx, PackageKey { org, package: id }, Reason::Command, &[], now)?;
            let detail = json!({
                "before": { "credential": package.credential_name, "fork": package.fork },
                "credential": credential.map(|credential| credential.name),
                "fork": change.fork,
            });
            actor.record(tx, Some(org), "package.change", &title(&package), detail, now)?;
            Ok(())
        })
        .await
}

/// Queues an update of each package; the jobs, in the same order.
///
/// # Errors
/// If the database cannot be written.
pub async fn update(appliance: &Appliance, actor: &Actor, org: OrgId, packages: &[Package]) -> Result<Vec<JobId>> {
    let subject = match packages {
        [one] => title(one),
        many => format!("{} packages", many.len()),
    };
    let mut entry = Some((actor.clone(), subject));
    let mut jobs = Vec::with_capacity(packages.len());
    for some in packages.chunks(TOGETHER) {
        let ids: Vec<PackageId> = some.iter().map(|package| package.id).collect();
        let (entry, now) = (entry.take(), appliance.now());
        let queued = appliance.database.write(move |tx| {
            if let Some((actor, subject)) = entry {
                actor.record(tx, Some(org), "package.update", &subject, json!({}), now)?;
            }
            ids.into_iter()
                .map(|package| request::update(tx, PackageKey { org, package }, Reason::Command, &[], now))
                .collect::<store::Result<Vec<_>>>()
        });
        jobs.extend(queued.await?);
    }
    Ok(jobs)
}

/// Removes a package with its versions, archives and mirror.
///
/// # Errors
/// If the database cannot be written.
pub async fn remove(appliance: &Appliance, actor: &Actor, org: OrgId, package: &Package) -> Result<()> {
    let (actor, now, package) = (actor.clone(), appliance.now(), package.clone());
    let removed = appliance
        .database
        .write(move |tx| {
            let mut digests = dists::digests(org, tx, Some(package.id))?;
            withdraw::tell_mirrors(tx, PackageKey { org, package: package.id }, now)?;
            repositories::set_removed(org, tx, package.id)?;
            directories::leave_out(tx, org, &package)?;
            for child in store::directories::children(org, tx, package.id)? {
                digests.extend(dists::digests(org, tx, Some(child.id))?);
                withdraw::tell_mirrors(tx, PackageKey { org, package: child.id }, now)?;
                packages::remove(org, tx, child.id, now)?;
            }
            packages::remove(org, tx, package.id, now)?;
            let detail = json!({ "id": package.id, "url": package.url });
            actor.record(tx, Some(org), "package.remove", &title(&package), detail, now)?;
            // One of them may have waited for the name that is free now.
            for package in packages::held(org, tx)? {
                request::update(tx, PackageKey { org, package }, Reason::Command, &[], now)?;
            }
            Ok::<_, Error>(files::Removed { packages: vec![package.id], digests })
        })
        .await?;
    files::remove(appliance, removed).await
}

/// Purges one commit's archive for good, such as one with a leaked secret in it. Doing it again removes a file that could
/// not be removed before.
///
/// # Errors
/// If `reference` is no commit id, the database cannot be written, or the disk refuses to remove the file: it is not served
/// any more then, but still there.
pub async fn forget(
    appliance: &Appliance,
    actor: &Actor,
    org: OrgId,
    package: &Package,
    reference: &str,
) -> Result<Forgotten> {
    let reference = match package.vcs.as_str() {
        "custom" => reference.trim().to_owned(),
        "svn" => revision(reference)?,
        _ => commit_id(reference)?,
    };
    let (actor, now, id, name) = (actor.clone(), appliance.now(), package.id, title(package));
    let source = package.source();
    let (commit, archive) = (reference.clone(), reference::key(&reference));
    let (forgotten, is_held, digest) = appliance
        .database
        .write(move |tx| {
            let known = dists::by_key(org, tx, id, &archive)?.is_some();
            let published = versions::references(org, tx, id)?.contains(&commit);
            let digest = dists::forget(org, tx, id, &archive, &commit, now)?;
            let detail = json!({ "reference": commit });
            actor.record(tx, Some(org), "package.forget", &name, detail, now)?;
            // Other packages of the repository may have been published by the same commit.
            let is_held = dists::published(org, tx, source)?.contains(&commit);
            Ok::<_, Error>((Forgotten { known: known || published, published }, is_held, digest))
        })
        .await?;
    files::remove_archives(appliance, digest.into_iter().collect()).await?;
    let mirror = appliance.mirror(source);
    if package.vcs == "git" && !forgotten.published && !is_held && mirror.exists() {
        // The archive is gone already; that the mirror still knows the commit costs disk space only.
        if let Err(error) = appliance.vcs.drop_kept(mirror, reference).await {
            tracing::warn!(package.id = id.0, error = %error, "The mirror still keeps a commit that was forgotten.");
        }
    }
    Ok(forgotten)
}

/// A path and a revision of a Subversion repository, as lock files have them.
fn revision(text: &str) -> Result<String> {
    let text = text.trim();
    let digits = text.rsplit_once("/@").map(|(_, digits)| digits).filter(|_| text.starts_with('/'));
    let whole = digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
    if !whole || text.len() > 4096 || text.chars().any(char::is_control) {
        return Err(Error::invalid(
            "the reference is a path with a revision, such as `/tags/1.0.0/@12`, as in `source.reference` of a lock file",
        ));
    }
    Ok(text.to_owned())
}

/// A whole commit id, as Git writes it: an abbreviation could name another commit tomorrow.
fn commit_id(text: &str) -> Result<String> {
    let text = text.trim().to_ascii_lowercase();
    if !matches!(text.len(), 40 | 64) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Error::invalid(
            "the reference is a whole commit id of 40 hexadecimal digits, as in `dist.reference` of a lock file: `git rev-parse` makes one of an abbreviation",
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{commit_id, revision};

    #[test]
    fn revisions_are_named_with_their_paths() {
        assert_eq!(revision(" /tags/1.0/@7 ").ok().as_deref(), Some("/tags/1.0/@7"));
        for wrong in ["", "/trunk", "/trunk/@", "trunk/@7", "/trunk/@HEAD", "/a\n/@7"] {
            assert!(revision(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn commits_are_named_in_full() {
        let whole = "0123456789ABCDEF0123456789abcdef01234567";
        assert_eq!(commit_id(whole).ok(), Some(whole.to_ascii_lowercase()));
        for wrong in ["", "0123456", "main", "v1.0", &whole[1..], &whole.replace('0', "g")] {
            assert!(commit_id(wrong).is_err(), "{wrong}");
        }
    }
}
