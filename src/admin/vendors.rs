//! The vendors that an organization owns: names under them are never left to public repositories.

use serde_json::json;

use super::{Actor, Error, Result};
use crate::appliance::{Appliance, PackageKey};
use crate::composer::name::Vendor;
use crate::publish::request::{self, Reason};
use crate::store::ids::OrgId;
use crate::store::{packages, vendors};

/// A vendor as lists show it.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Its name.
    pub name: String,
    /// How many packages of the organization, forks excepted, have it.
    pub packages: usize,
}

/// The organization's vendors, in order.
///
/// # Errors
/// If the database cannot be read.
pub async fn list(appliance: &Appliance, org: OrgId) -> Result<Vec<Summary>> {
    appliance
        .database
        .read(move |db| {
            let packages = packages::all(org, db)?;
            let names = vendors::all(org, db)?;
            Ok(names.into_iter().map(|name| Summary { packages: count(&packages, &name), name }).collect())
        })
        .await
}

fn count(packages: &[packages::Package], vendor: &str) -> usize {
    let is_under = |name: &str| name.split_once('/').is_some_and(|(first, _)| first == vendor);
    packages.iter().filter(|package| !package.fork && package.name.as_deref().is_some_and(is_under)).count()
}

/// Makes a vendor the organization's; packages that waited for that are updated again. Whether it is new.
///
/// # Errors
/// If it is no vendor.
pub async fn add(appliance: &Appliance, actor: &Actor, org: OrgId, vendor: &str) -> Result<bool> {
    let vendor = parse(vendor)?;
    let (actor, now) = (actor.clone(), appliance.now());
    appliance
        .database
        .write(move |tx| {
            let added = vendors::add(org, tx, vendor.as_str(), now)?;
            for package in packages::held(org, tx)? {
                request::update(tx, PackageKey { org, package }, Reason::Command, &[], now)?;
            }
            if added {
                actor.record(tx, Some(org), "vendor.add", vendor.as_str(), json!({}), now)?;
            }
            Ok(added)
        })
        .await
}

/// Gives a vendor up: names under it are left to public repositories again.
///
/// # Errors
/// If it is not the organization's, or packages have it.
pub async fn remove(appliance: &Appliance, actor: &Actor, org: OrgId, vendor: &str) -> Result<()> {
    let vendor = parse(vendor)?;
    let (actor, now) = (actor.clone(), appliance.now());
    appliance
        .database
        .write(move |tx| {
            let using = count(&packages::all(org, tx)?, vendor.as_str());
            if using > 0 {
                let what = if using == 1 { "1 package has".to_owned() } else { format!("{using} packages have") };
                return Err(Error::conflict(format!(
                    "the vendor {} cannot be removed: {what} it. Remove them first, or add them as forks",
                    vendor.as_str()
                )));
            }
            if !vendors::remove(org, tx, vendor.as_str())? {
                let refused = Error::not_found(format!("the organization does not own the vendor {}", vendor.as_str()));
                return Err(refused.by_command("`vendor list` shows those that it owns"));
            }
            actor.record(tx, Some(org), "vendor.remove", vendor.as_str(), json!({}), now)?;
            Ok(())
        })
        .await
}

fn parse(text: &str) -> Result<Vendor> {
    Vendor::parse(text).map_err(|error| Error::invalid(error.to_string()))
}
