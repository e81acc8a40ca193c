//! Single packages for single people, and why somebody may see a package or not.

use serde_json::json;

use super::{Actor, Error, Result, people, teams};
use crate::access::explain::Explanation;
use crate::appliance::Appliance;
use crate::catalog::Known;
use crate::store::grants::{self, Listed};
use crate::store::ids::{OrgId, PackageId};
use crate::store::packages::Package;

/// The organization's grants, by person and package; those of one package, or all.
///
/// # Errors
/// If the database cannot be read.
pub async fn list(appliance: &Appliance, org: OrgId, package: Option<PackageId>) -> Result<Vec<Listed>> {
    Ok(appliance.database.read(move |db| grants::all(org, db, package)).await?)
}

/// Lets somebody read a package, member of the organization or not; whether that is new.
///
/// # Errors
/// If there is no such person.
pub async fn give(appliance: &Appliance, actor: &Actor, org: OrgId, name: &str, package: &Package) -> Result<bool> {
    let (actor, now, name, package) = (actor.clone(), appliance.now(), name.to_owned(), package.clone());
    appliance
        .database
        .write(move |tx| {
            teams::require_there(org, tx, &package)?;
            let named = people::named(tx, &name)?;
            let is_new = grants::give(org, tx, package.id, named.person, now)?;
            if is_new {
                let detail = json!({ "package": package.shown_name() });
                actor.record(tx, Some(org), "access.grant", &named.name, detail, now)?;
            }
            Ok(is_new)
        })
        .await
}

/// Takes back what was given by [`give`].
///
/// # Errors
/// If there is no such person or grant.
pub async fn take(appliance: &Appliance, actor: &Actor, org: OrgId, name: &str, package: &Package) -> Result<()> {
    let (actor, now, name, package) = (actor.clone(), appliance.now(), name.to_owned(), package.clone());
    appliance
        .database
        .write(move |tx| {
            let named = people::named(tx, &name)?;
            if !grants::take(org, tx, package.id, named.person)? {
                return Err(Error::not_found(format!(
                    "nobody granted `{}` the package {}: `access explain` tells why they may see it, if they may",
                    named.name,
                    package.shown_name()
                )));
            }
            let detail = json!({ "package": package.shown_name() });
            actor.record(tx, Some(org), "access.revoke", &named.name, detail, now)?;
            Ok(())
        })
        .await
}

/// Why somebody may install a package, by every path, or why not.
///
/// # Errors
/// If there is no such person.
pub async fn explain(appliance: &Appliance, org: OrgId, name: &str, package: PackageId) -> Result<Explanation> {
    let (now, name) = (appliance.now(), name.to_owned());
    appliance
        .database
        .read(move |db| {
            let named = people::named(db, &name)?;
            Ok(Known::read(db, org, named.person)?.explain(package, now))
        })
        .await
}
