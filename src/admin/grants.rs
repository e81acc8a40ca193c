//! Single packages for single people, and why somebody may see a package or not.

use std::collections::HashMap;

use serde_json::json;

use super::{Actor, Error, Result, people, teams};
use crate::access::explain::Explanation;
use crate::appliance::Appliance;
use crate::catalog::{Crowd, Known, Loss, Losses};
use crate::store::grants::{self, Listed};
use crate::store::ids::{OrgId, PackageId};
use crate::store::members::Person;
use crate::store::packages::Package;
use crate::store::users;

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
                let refused =
                    Error::not_found(format!("nobody granted `{}` the package {}", named.name, package.shown_name()));
                return Err(refused.by_command("`access explain` tells why they may see it, if they may"));
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

/// Somebody who may see a package.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The name; of an account by which nobody logged in yet `integration:login`.
    pub name: String,
    /// What the person is called by people.
    pub display_name: Option<String>,
    /// Why.
    pub explanation: Explanation,
}

/// Everybody with an account here who may see a package, by name.
///
/// # Errors
/// If the database cannot be read.
pub async fn readers(appliance: &Appliance, org: OrgId, package: PackageId) -> Result<Vec<Reader>> {
    let now = appliance.now();
    appliance
        .database
        .read(move |db| {
            let crowd = Crowd::read(db, org)?;
            let users: HashMap<_, _> = users::all(db)?.into_iter().map(|user| (user.id, user)).collect();
            let readers = crowd.readers(package, now).filter_map(|(person, explanation)| match person {
                Person::User(id) => {
                    let user = users.get(&id)?;
                    let (name, display_name) = (user.name.clone(), user.display_name.clone());
                    Some(Reader { name, display_name, explanation })
                }
                // Whoever never logged in has no token.
                Person::Account(_) => None,
            });
            let mut readers: Vec<Reader> = readers.collect();
            readers.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(readers)
        })
        .await
}

/// What a change would take away from people, before it is made.
///
/// # Errors
/// If the database cannot be read.
pub async fn losses(appliance: &Appliance, org: OrgId, change: Loss) -> Result<Losses> {
    let now = appliance.now();
    appliance.database.read(move |db| Ok(Crowd::read(db, org)?.losses(&change, now))).await
}
