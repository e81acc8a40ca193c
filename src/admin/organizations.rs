//! Organizations: one Composer repository each, with its packages, credentials and tokens.
//!
//! What concerns all of an organization's packages is done some at a time: the database has one writer, and webhooks wait
//! for it.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Actor, Error, Name, Result, files};
use crate::appliance::{Appliance, PackageKey};
use crate::clock::Timestamp;
use crate::publish::request::{self, Reason};
use crate::store::ids::{OrgId, PackageId};
use crate::store::organizations::{self, Organization};
use crate::store::{self, Tx, dists, entries, packages};

/// Longest name for people, in characters.
const LONGEST_NAME: usize = 200;
/// How many packages are removed in one transaction at most, and after how long no more are begun.
const TOGETHER: i64 = 20;
const HOLDING: Duration = Duration::from_millis(20);
/// How many renderings are queued in one transaction.
const QUEUED: usize = 200;
/// How many other rows of an organization are removed in one transaction.
const ROWS: usize = 1000;

/// An organization as lists show it.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The organization.
    pub organization: Organization,
    /// How many packages it has.
    pub packages: usize,
}

/// Every organization, by slug.
///
/// # Errors
/// If the database cannot be read.
pub async fn list(appliance: &Appliance) -> Result<Vec<Summary>> {
    appliance
        .database
        .read(|db| {
            organizations::all(db)?
                .into_iter()
                .map(|organization| {
                    let packages = entries::package_ids(organization.id, db)?.len();
                    Ok(Summary { organization, packages })
                })
                .collect()
        })
        .await
}

/// Every organization without more about it, by slug.
///
/// # Errors
/// If the database cannot be read.
pub async fn all(appliance: &Appliance) -> Result<Vec<Organization>> {
    Ok(appliance.database.read(organizations::all).await?)
}

/// The organization with this slug.
///
/// # Errors
/// [`Error::NotFound`], which names those that there are.
pub async fn find(appliance: &Appliance, slug: &str) -> Result<Organization> {
    let all = all(appliance).await?;
    if let Some(found) = all.iter().find(|one| one.slug.eq_ignore_ascii_case(slug)) {
        return Ok(found.clone());
    }
    let slugs: Vec<&str> = all.iter().map(|one| one.slug.as_str()).collect();
    let none = Error::not_found(format!("there is no organization `{}`", slug.escape_debug()));
    Err(none.by_command(match slugs.as_slice() {
        [] => "there is none yet, add one with `org add`".to_owned(),
        slugs => format!("there are {}", slugs.join(", ")),
    }))
}

/// The slugs that an organization had before, and still answers to.
///
/// # Errors
/// If the database cannot be read.
pub async fn former_slugs(appliance: &Appliance, org: OrgId) -> Result<Vec<String>> {
    Ok(appliance.database.read(move |db| organizations::former_slugs(org, db)).await?)
}

/// Adds an organization; without a name for people the slug is its name.
///
/// # Errors
/// If the slug is taken or not one.
pub async fn add(appliance: &Appliance, actor: &Actor, slug: &str, name: Option<&str>) -> Result<OrgId> {
    let slug = Name::parse("an organization's slug", slug)?;
    let name = people_name(name.unwrap_or(slug.as_str()))?;
    let (actor, now) = (actor.clone(), appliance.now());
    appliance
        .database
        .write(move |tx| {
            require_free(tx, &slug, None)?;
            let id = organizations::insert(tx, slug.as_str(), &name, now)?;
            let detail = json!({ "name": name });
            actor.record(tx, Some(id), "organization.add", slug.as_str(), detail, now)?;
            Ok(id)
        })
        .await
}

/// Gives an organization another slug. The old one stays an address of it, because lock files name it.
///
/// # Errors
/// If the slug is taken or not one.
pub async fn rename(
    appliance: &Appliance,
    actor: &Actor,
    organization: &Organization,
    slug: &str,
    name: Option<&str>,
) -> Result<()> {
    let slug = Name::parse("an organization's slug", slug)?;
    // A name that was never chosen follows the slug.
    let follows = organization.name == organization.slug;
    let name = people_name(name.unwrap_or(if follows { slug.as_str() } else { &organization.name }))?;
    let (actor, now) = (actor.clone(), appliance.now());
    let (id, before) = (organization.id, organization.slug.clone());
    appliance
        .database
        .write(move |tx| {
            require_free(tx, &slug, Some(id))?;
            organizations::rename(id, tx, slug.as_str(), &name)?;
            let detail = json!({ "before": before, "name": name });
            actor.record(tx, Some(id), "organization.rename", slug.as_str(), detail, now)?;
            Ok::<_, Error>(())
        })
        .await?;
    // Addresses of dists hold the slug.
    let packages = appliance.database.read(move |db| entries::package_ids(id, db)).await?;
    if let Err(error) = queue_rerender(appliance, id, &packages).await {
        tracing::warn!(error = %error, "Documents with the former address could not be queued yet; they are soon.");
    }
    Ok(())
}

/// Queues a rendering of each package, some at a time. Where that ends early, the queue's own look finds the others.
///
/// # Errors
/// If the database cannot be written.
pub async fn queue_rerender(appliance: &Appliance, org: OrgId, packages: &[PackageId]) -> store::Result<()> {
    for some in packages.chunks(QUEUED) {
        let (some, now) = (some.to_vec(), appliance.now());
        appliance
            .database
            .write(move |tx| {
                some.into_iter().try_for_each(|package| {
                    request::update(tx, PackageKey { org, package }, Reason::Rerender, &[], now).map(drop)
                })
            })
            .await?;
    }
    Ok(())
}

/// Removes an organization with everything in it. For everybody it is gone at once and its slugs are free; what it held
/// goes some at a time, and if that is interrupted, [`finish_removals`] does the rest.
///
/// # Errors
/// If the database cannot be written.
pub async fn remove(appliance: &Appliance, actor: &Actor, organization: &Organization) -> Result<()> {
    let (actor, now, id) = (actor.clone(), appliance.now(), organization.id);
    let organization = organization.clone();
    appliance
        .database
        .write(move |tx| {
            if organizations::hide(id, tx, now)? {
                let detail = json!({ "packages": entries::package_ids(id, tx)?.len() });
                actor.record(tx, Some(id), "organization.remove", &organization.slug, detail, now)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    finish_removal(appliance, id).await
}

/// Removes what organizations still hold whose removal was interrupted.
///
/// # Errors
/// If the database cannot be written.
pub async fn finish_removals(appliance: &Appliance) -> Result<()> {
    for (org, _) in appliance.database.read(organizations::removals).await? {
        finish_removal(appliance, org).await?;
    }
    Ok(())
}

/// A part of a removal.
enum Part {
    /// Packages, whose files go next.
    Packages(files::Removed),
    /// Other rows.
    Rows,
    /// The last one.
    Last,
}

/// Ends well also where somebody else does the same at the same time.
async fn finish_removal(appliance: &Appliance, org: OrgId) -> Result<()> {
    loop {
        let now = appliance.now();
        match appliance.database.write(move |tx| remove_part(org, tx, now)).await? {
            Part::Packages(removed) => files::remove(appliance, removed).await?,
            Part::Rows => {}
            Part::Last => return Ok(()),
        }
    }
}

fn remove_part(org: OrgId, tx: &Tx<'_>, now: Timestamp) -> Result<Part> {
    let left = organizations::left(org, tx, TOGETHER)?;
    if left.is_empty() {
        return Ok(if organizations::remove_rest(org, tx, ROWS)? { Part::Last } else { Part::Rows });
    }
    let started = Instant::now();
    let mut removed = files::Removed::default();
    for package in left {
        removed.digests.extend(dists::digests(org, tx, Some(package))?);
        packages::remove(org, tx, package, now)?;
        removed.packages.push(package);
        if started.elapsed() >= HOLDING {
            break;
        }
    }
    Ok(Part::Packages(removed))
}

/// Refuses a slug that an organization has or had.
pub(super) fn require_free(tx: &Tx<'_>, slug: &Name, except: Option<OrgId>) -> Result<()> {
    if organizations::is_taken(tx, slug.as_str(), except)? {
        return Err(Error::conflict(format!(
            "the slug `{slug}` is taken: an organization has it, or had it before it was renamed and still answers to it"
        )));
    }
    Ok(())
}

/// The name of an organization for people, checked.
pub(super) fn people_name(text: &str) -> Result<String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST_NAME || text.chars().any(char::is_control) {
        return Err(Error::invalid(format!(
            "an organization's name is a text on one line, of 1 to {LONGEST_NAME} characters"
        )));
    }
    Ok(text.to_owned())
}
