//! Packages that somebody made here: of JSON, of uploaded archives, or to block a name. They go the way of all packages from
//! the update on: derived, rendered and stored as what a repository tells.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::definition::{self, Undefined};
use super::fetch;
use super::import::{self, Import, Outcome};
use super::log::Log;
use super::update::{Report, UpdateError, organization_slug};
use crate::appliance::{Appliance, PackageKey};
use crate::composer::derive::{Derivation, PublishedVersion};
use crate::composer::name::PackageName;
use crate::secrets::random::to_hex;
use crate::store::packages::{self, Package};
use crate::store::{self, artifacts};

/// Publishes what a package without a repository is made of; none if it has one.
pub(super) async fn update(appliance: &Appliance, key: PackageKey, log: &Log) -> Result<Option<Report>, UpdateError> {
    let PackageKey { org, package: id } = key;
    let Some(package) = appliance.database.read(move |db| packages::by_id(org, db, id)).await? else { return Ok(None) };
    let versions = match package.vcs.as_str() {
        "custom" => custom(appliance, key, &package, log).await?,
        "artifact" => uploads(appliance, key).await?,
        "blocked" => Vec::new(),
        _ => return Ok(None),
    };
    let name = name(&package)?;
    let now = appliance.now();
    appliance.database.write(move |tx| packages::set_started(org, tx, id, now)).await?;
    let slug = organization_slug(appliance, key).await?;
    let import = Import {
        key,
        repository_url: appliance.repository_url(&slug),
        refs: Vec::new(),
        targets: Vec::new(),
        refs_digest: digest(&versions),
        default_branch: None,
        derivation: Derivation { name: Some(name), versions, ..Derivation::default() },
        readme: None,
        announced_at: None,
        subtrees: Vec::new(),
        may_bring_vendor: true,
        may_be_empty: true,
    };
    let Outcome { published, changes, events } = import::import(appliance, import).await?;
    log.changes(&changes);
    log.repointed(&events);
    log.info(if published { "Published" } else { "What is served is the same as before" });
    Ok(Some(Report::Imported { unseen: Vec::new(), published, changes }))
}

/// The name for which it was made: what stands behind the colon of its address.
fn name(package: &Package) -> Result<PackageName, UpdateError> {
    let name = package.url.split_once(':').map_or("", |(_, name)| name);
    PackageName::parse(name).map_err(|error| store::Error::Corrupt(error.to_string()).into())
}

fn digest(versions: &[PublishedVersion]) -> String {
    let mut hash = Sha256::new();
    for version in versions {
        hash.update(version.version_normalized.as_str());
        hash.update([0]);
        hash.update(&version.reference);
        hash.update([0]);
    }
    to_hex(&hash.finalize())
}

fn refused(error: &Undefined) -> UpdateError {
    UpdateError::Refused(error.to_string())
}

async fn custom(
    appliance: &Appliance,
    key: PackageKey,
    package: &Package,
    log: &Log,
) -> Result<Vec<PublishedVersion>, UpdateError> {
    let found = appliance.database.read(move |db| artifacts::definition(key.org, db, key.package)).await?;
    let plain = appliance.settings.url_policy.allow_insecure;
    let definition = definition::parse(&found.unwrap_or_default(), plain).map_err(|error| refused(&error))?;
    let mut sums: BTreeMap<String, String> = BTreeMap::new();
    let mut versions = Vec::with_capacity(definition.versions.len());
    for mut defined in definition.versions {
        if let Some(wanted) = &defined.dist {
            let shasum = match sums.get(&wanted.reference) {
                Some(shasum) => shasum.clone(),
                None => fetch::stored(appliance, key, package, wanted, log).await?,
            };
            sums.insert(wanted.reference.clone(), shasum.clone());
            defined.set_shasum(&shasum);
        }
        versions.push(defined.version);
    }
    Ok(versions)
}

async fn uploads(appliance: &Appliance, key: PackageKey) -> Result<Vec<PublishedVersion>, UpdateError> {
    let all = appliance.database.read(move |db| artifacts::of_package(key.org, db, key.package)).await?;
    all.iter()
        .map(|one| {
            let (_, mut version) = definition::uploaded(&one.manifest, Some(&one.version), &one.shasum)
                .map_err(|error| UpdateError::Refused(format!("{}: {error}", one.file_name)))?;
            version.time = version.time.or(Some(one.uploaded_at.as_seconds()));
            version.ref_name.clone_from(&one.file_name);
            Ok(version)
        })
        .collect()
}
