//! Whether a package may have the name that its repository gives it, and what becomes of a name that two of them want.
//!
//! Who has a name keeps it, and whoever comes later waits and says so. There are four exceptions: somebody decided it; two
//! packages exchange their names; the repository of the one that has it is gone; or both were there before either was read, so
//! that only chance let one be first.

use std::time::Duration;

use serde_json::json;

use super::request::{self, Reason};
use super::update::UpdateError;
use crate::appliance::PackageKey;
use crate::clock::Timestamp;
use crate::composer::name::PackageName;
use crate::store::ids::ListingId;
use crate::store::listings::{self, Listing};
use crate::store::packages::{self, Package};
use crate::store::{self, Tx, audit, name_claims, repositories, vendors};

/// How long after a package got a name one that was there before it may still turn out to come first.
const CHANCE: Duration = Duration::from_secs(60 * 60);

/// By what right a package takes a name from another one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Right {
    /// Somebody said so.
    Granted,
    /// Each wants the name of the other.
    Exchange,
    /// The repository of the other is gone.
    Heir,
    /// It was added first, or is no fork.
    First,
}

impl Right {
    const fn words(self) -> &'static str {
        match self {
            Self::Granted => "somebody chose it",
            Self::Exchange => "the two packages exchange their names",
            Self::Heir => "the repository of the other package is gone",
            Self::First => "it was there first, and the other package was only read earlier",
        }
    }
}

/// How a package came by a name.
pub(super) enum Named {
    /// It has it already.
    Already,
    /// At this update. `chosen`: because somebody said so.
    Now { chosen: bool },
}

impl Named {
    /// Notes it.
    pub(super) fn note(&self, tx: &Tx<'_>, key: PackageKey, listing: ListingId, now: Timestamp) -> store::Result<()> {
        match self {
            Self::Already => Ok(()),
            Self::Now { chosen } => listings::set_named(key.org, tx, listing, (!chosen).then_some(now)),
        }
    }
}

/// Lets the package have `name`, if need be from another package, or says why an administrator has to decide that. A first
/// package brings its vendor.
pub(super) fn admit(
    tx: &Tx<'_>,
    key: PackageKey,
    (package, may_bring_vendor): (&Package, bool),
    name: &PackageName,
    now: Timestamp,
) -> Result<Named, UpdateError> {
    let named = match listings::by_name(key.org, tx, name.as_str())? {
        None => Named::Now { chosen: false },
        Some(own) if own.package == key.package => Named::Already,
        Some(other) => {
            let right = take(tx, key, package, &other, now)?;
            Named::Now { chosen: right == Right::Granted }
        }
    };
    if package.fork || vendors::is_owned(key.org, tx, name.vendor())? {
        return Ok(named);
    }
    if package.name.is_none() && !may_bring_vendor {
        return Err(UpdateError::Held {
            vendor: Some(name.vendor().to_owned()),
            name: None,
            reason: format!(
                "The directory {} of the repository is new and calls itself {name}, and the vendor {1} is new to the organization. Confirm it with `vendor add {1}`.",
                package.directory.as_deref().unwrap_or("."),
                name.vendor()
            ),
        });
    }
    if package.name.is_none() && !repositories::may_bring_vendor(key.org, tx, package.source())? {
        return Err(UpdateError::Held {
            vendor: Some(name.vendor().to_owned()),
            name: None,
            reason: format!(
                "The synchronization found this repository, which calls itself {name}, and the vendor {0} is new to the organization. Confirm it with `vendor add {0}`.",
                name.vendor()
            ),
        });
    }
    if let Some(before) = &package.name {
        return Err(UpdateError::Held {
            vendor: Some(name.vendor().to_owned()),
            name: None,
            reason: format!(
                "The repository was renamed from {before} to {name}, and the vendor {0} is new to the organization. Confirm it with `vendor add {0}`, or change the name back.",
                name.vendor()
            ),
        });
    }
    vendors::add(key.org, tx, name.vendor(), now)?;
    Ok(named)
}

/// Takes a name from the package that has or had it, where there is a right to that.
fn take(
    tx: &Tx<'_>,
    key: PackageKey,
    package: &Package,
    listing: &Listing,
    now: Timestamp,
) -> Result<Right, UpdateError> {
    let PackageKey { org, package: id } = key;
    let Some(other) = packages::by_id(org, tx, listing.package)? else { return Err(UpdateError::Interrupted) };
    let Some(right) = right(tx, key, package, (&other, listing), now)? else {
        return Err(UpdateError::Held {
            vendor: None,
            name: Some(listing.name.clone()),
            reason: conflict(listing, package.name.as_deref()),
        });
    };
    let reason = conflict(&Listing { package: id, current: true, ..listing.clone() }, None);
    name_claims::take(org, tx, other.id, &listing.name, &reason, now)?;
    if let (Right::Exchange, Some(name)) = (right, &package.name) {
        name_claims::grant(org, tx, other.id, name)?;
        request::update(tx, PackageKey { org, package: other.id }, Reason::Command, &[], now)?;
    }
    let detail = json!({ "package": id, "url": package.url, "before": other.id, "before_url": other.url, "because": right.words() });
    append(tx, key, "package.name_taken", &listing.name, detail, now)?;
    Ok(right)
}

fn right(
    tx: &Tx<'_>,
    key: PackageKey,
    package: &Package,
    (other, listing): (&Package, &Listing),
    now: Timestamp,
) -> store::Result<Option<Right>> {
    let PackageKey { org, package: id } = key;
    if name_claims::is_granted(org, tx, id, &listing.name)? {
        return Ok(Some(Right::Granted));
    }
    if other.retired_at.is_some() {
        return Ok(Some(Right::Heir));
    }
    let wants_ours = other.held_name.is_some() && other.held_name == package.name;
    if listing.current && wants_ours {
        return Ok(Some(Right::Exchange));
    }
    let recent = Timestamp::from_micros(now.as_micros().saturating_sub(i64::try_from(CHANCE.as_micros()).unwrap_or(0)));
    let first = listing.current && name_claims::comes_first(org, tx, id, (other.id, &listing.name), recent)?;
    Ok(first.then_some(Right::First))
}

/// What a package is told that wants a name which another one has. `published`: what it is called until then.
fn conflict(listing: &Listing, published: Option<&str>) -> String {
    let (name, other) = (&listing.name, listing.package);
    let state = match published {
        Some(before) => format!("It stays {before}"),
        None => "It is not installable".to_owned(),
    };
    let has = if listing.current { "is called so" } else { "was called so before" };
    format!(
        "{state}: its composer.json says {name}, which conflicts with package {other}, which {has}. Give one of them another name, remove one, or choose this one with `package publish`."
    )
}

/// Records that a package is called otherwise.
pub(super) fn tell_of_renaming(
    tx: &Tx<'_>,
    key: PackageKey,
    before: &str,
    name: &PackageName,
    now: Timestamp,
) -> store::Result<()> {
    append(tx, key, "package.renamed", name.as_str(), json!({ "package": key.package, "before": before }), now)
}

/// Adds an entry to the audit log that nobody's request caused.
pub(super) fn append(
    tx: &Tx<'_>,
    key: PackageKey,
    action: &'static str,
    subject: &str,
    detail: serde_json::Value,
    now: Timestamp,
) -> store::Result<()> {
    let entry = audit::Entry {
        org: Some(key.org),
        actor: "system".to_owned(),
        action,
        subject: subject.to_owned(),
        detail,
        via: audit::Via::System,
        address: None,
    };
    audit::append(tx, &entry, now)
}
