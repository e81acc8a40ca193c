//! Taking what is published back: it is told to whoever keeps copies.

use crate::appliance::PackageKey;
use crate::clock::Timestamp;
use crate::store::{self, Tx, changes, documents, listings};

/// Tells in `metadata/changes.json` that every file of a package is gone.
///
/// # Errors
/// If the database cannot be written.
pub fn tell_mirrors(tx: &Tx<'_>, key: PackageKey, now: Timestamp) -> store::Result<()> {
    record(tx, key, "delete", now)
}

/// Tells in `metadata/changes.json` that every file of a package is there again.
///
/// # Errors
/// If the database cannot be written.
pub fn tell_mirrors_of_return(tx: &Tx<'_>, key: PackageKey, now: Timestamp) -> store::Result<()> {
    record(tx, key, "update", now)
}

fn record(tx: &Tx<'_>, key: PackageKey, what: &str, now: Timestamp) -> store::Result<()> {
    let PackageKey { org, package } = key;
    for listing in listings::of_package(org, tx, package)? {
        for (dev, file) in [(false, listing.name.clone()), (true, format!("{}~dev", listing.name))] {
            if documents::of_listing(org, tx, listing.id, dev)?.is_some() {
                changes::record(org, tx, package, &file, what, now)?;
            }
        }
    }
    Ok(())
}
