//! Organizations: one Composer repository each, with its packages, credentials and tokens.

use serde_json::json;

use super::{Actor, Error, Name, Result, files};
use crate::appliance::{Appliance, PackageKey};
use crate::publish::request::{self, Reason};
use crate::store::ids::OrgId;
use crate::store::organizations::{self, Organization};
use crate::store::{Tx, dists, entries};

/// Longest name for people, in characters.
const LONGEST_NAME: usize = 200;

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
    let there = match slugs.as_slice() {
        [] => "there is none yet: add one with `org add`".to_owned(),
        slugs => format!("there are: {}", slugs.join(", ")),
    };
    Err(Error::not_found(format!("there is no organization `{}`; {there}", slug.escape_debug())))
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
            // Addresses of dists hold the slug.
            for package in entries::package_ids(id, tx)? {
                request::update(tx, PackageKey { org: id, package }, Reason::Rerender, &[], now)?;
            }
            let detail = json!({ "before": before, "name": name });
            actor.record(tx, Some(id), "organization.rename", slug.as_str(), detail, now)?;
            Ok(())
        })
        .await
}

/// Removes an organization with everything in it.
///
/// # Errors
/// If the database cannot be written.
pub async fn remove(appliance: &Appliance, actor: &Actor, organization: &Organization) -> Result<()> {
    let (actor, now) = (actor.clone(), appliance.now());
    let organization = organization.clone();
    let removed = appliance
        .database
        .write(move |tx| {
            let id = organization.id;
            let packages = entries::package_ids(id, tx)?;
            let digests = dists::digests(id, tx, None)?;
            let detail = json!({ "packages": packages.len() });
            organizations::remove(id, tx, now)?;
            actor.record(tx, Some(id), "organization.remove", &organization.slug, detail, now)?;
            Ok::<_, Error>(files::Removed { packages, digests })
        })
        .await?;
    files::remove(appliance, removed).await
}

fn require_free(tx: &Tx<'_>, slug: &Name, except: Option<OrgId>) -> Result<()> {
    if organizations::is_taken(tx, slug.as_str(), except)? {
        return Err(Error::conflict(format!(
            "the slug `{slug}` is taken: an organization has it, or had it before it was renamed and still answers to it"
        )));
    }
    Ok(())
}

fn people_name(text: &str) -> Result<String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST_NAME || text.chars().any(char::is_control) {
        return Err(Error::invalid(format!(
            "an organization's name is a text on one line, of 1 to {LONGEST_NAME} characters"
        )));
    }
    Ok(text.to_owned())
}
