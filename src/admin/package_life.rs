//! What people decide about a package's life: that it is abandoned, and which of two packages has a name. What became of its
//! versions.

use serde_json::json;

use super::packages::title;
use super::{Actor, Error, Result};
use crate::appliance::{Appliance, PackageKey};
use crate::composer::name::PackageName;
use crate::publish::request::{self, Reason};
use crate::store::ids::{JobId, OrgId, PackageId};
use crate::store::packages::{self, Package};
use crate::store::version_events::{self, Event};
use crate::store::{abandonment as store_abandonment, name_claims};

/// What somebody says of a package by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Abandonment {
    /// Nobody works on it any more.
    Plainly,
    /// Another package replaces it.
    For(PackageName),
    /// Its composer.json and its platform say it.
    Unsaid,
}

impl Abandonment {
    /// Reads the name of a replacement; what is empty names none.
    ///
    /// # Errors
    /// If it is no name of a package.
    pub fn parse(replacement: &str) -> Result<Self> {
        match replacement.trim() {
            "" => Ok(Self::Plainly),
            name => match PackageName::parse_lenient(name) {
                Ok(name) => Ok(Self::For(name)),
                Err(error) => Err(Error::invalid(format!("the replacement is no name of a package: {error}"))),
            },
        }
    }

    fn json(&self) -> Option<String> {
        match self {
            Self::Plainly => Some(json!(true).to_string()),
            Self::For(name) => Some(json!(name.as_str()).to_string()),
            Self::Unsaid => None,
        }
    }
}

/// By whose word a package is abandoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Somebody said it here: that counts before all.
    Hand,
    /// The `composer.json` of its default branch says it.
    Manifest,
    /// Its platform has the repository archived.
    Archived,
}

impl By {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hand => "hand",
            Self::Manifest => "composer.json",
            Self::Archived => "archived",
        }
    }

    /// The same as a sentence says it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Hand => "somebody marked it here",
            Self::Manifest => "the composer.json of its default branch says so",
            Self::Archived => "its repository is archived",
        }
    }

    /// By whose word this package is; none if it is not abandoned.
    #[must_use]
    pub fn of(package: &Package) -> Option<Self> {
        package.abandoned.as_ref()?;
        Some(match (&package.abandoned_here, &package.abandoned_there) {
            (Some(_), _) => Self::Hand,
            (None, Some(_)) => Self::Manifest,
            (None, None) => Self::Archived,
        })
    }
}

/// Marks a package as abandoned, changes by what it is replaced, or leaves that to its repository again. The update that it
/// queues publishes it, also where the repository cannot be read.
///
/// # Errors
/// If the package is gone, or is to replace itself.
pub async fn abandon(
    appliance: &Appliance,
    actor: &Actor,
    org: OrgId,
    id: PackageId,
    abandonment: Abandonment,
) -> Result<JobId> {
    let (actor, now) = (actor.clone(), appliance.now());
    appliance
        .database
        .write(move |tx| {
            let package = there(packages::by_id(org, tx, id)?, id)?;
            if let Abandonment::For(name) = &abandonment
                && package.name.as_deref() == Some(name.as_str())
            {
                return Err(Error::invalid(format!("{name} cannot replace itself: name another package")));
            }
            let json = abandonment.json();
            store_abandonment::set_here(org, tx, id, json.as_deref())?;
            let job = request::update(tx, PackageKey { org, package: id }, Reason::Command, &[], now)?;
            let value =
                |json: Option<&String>| json.and_then(|json| serde_json::from_str::<serde_json::Value>(json).ok());
            let detail = json!({ "before": value(package.abandoned_here.as_ref()), "abandoned": value(json.as_ref()) });
            actor.record(tx, Some(org), "package.abandon", &title(&package), detail, now)?;
            Ok(job)
        })
        .await
}

/// Gives a package the name that it waits for: at its next update it takes it from the package that has it, which waits from
/// then on. Archives of both stay, also under that name.
///
/// # Errors
/// If the package is gone, or waits for no name.
pub async fn publish_name(appliance: &Appliance, actor: &Actor, org: OrgId, id: PackageId) -> Result<JobId> {
    let (actor, now) = (actor.clone(), appliance.now());
    appliance
        .database
        .write(move |tx| {
            let package = there(packages::by_id(org, tx, id)?, id)?;
            let Some(name) = &package.held_name else {
                return Err(Error::conflict(format!("{} is in nobody's way: it waits for no name", title(&package)))
                    .by_command("`package show` tells with which packages one is in conflict"));
            };
            name_claims::grant(org, tx, id, name)?;
            let job = request::update(tx, PackageKey { org, package: id }, Reason::Command, &[], now)?;
            let before: Vec<_> = package.rivals.iter().map(|rival| rival.id).collect();
            let detail = json!({ "package": id, "url": package.url, "before": before });
            actor.record(tx, Some(org), "package.choose", name, detail, now)?;
            Ok(job)
        })
        .await
}

fn there(found: Option<Package>, id: PackageId) -> Result<Package> {
    found.ok_or_else(|| Error::not_found(format!("package {id} was removed meanwhile")))
}

/// What happened to a package's versions, newest first. `before`: older than this event only.
///
/// # Errors
/// If the database cannot be read.
pub async fn history(appliance: &Appliance, key: PackageKey, before: Option<i64>, limit: i64) -> Result<Vec<Event>> {
    let PackageKey { org, package } = key;
    let read = appliance.database.read(move |db| version_events::of_package(org, db, package, before, limit));
    Ok(read.await?)
}
