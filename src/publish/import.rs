//! Storing what was derived: what differs is worked out and rendered first, then one transaction
//! changes versions, documents and dates together.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::names;
use super::render::{self, Metadata, Rendering};
use super::update::UpdateError;
use crate::appliance::{Appliance, PackageKey};
use crate::clock::Timestamp;
use crate::composer::derive::{Derivation, PublishedVersion, RefSource};
use crate::composer::document::Abandoned;
use crate::composer::name::PackageName;
use crate::composer::reference;
use crate::composer::stability::Stability;
use crate::composer::version::{self, NormalizedVersion};
use crate::store::directories::{self, Subtree};
use crate::store::documents::{self, Document};
use crate::store::ids::ListingId;
use crate::store::listings::{self, Listing};
use crate::store::packages::{self, Imported, Package};
use crate::store::readmes::{self, Readme};
use crate::store::refs::{self, Ref};
use crate::store::requirements::{self, Requirement};
use crate::store::runs::Changes;
use crate::store::version_events::{self, Action};
use crate::store::versions::{self, Arrival, Version};
use crate::store::{self, Tx, abandonment, changes, dists};
use crate::vcs::RemoteRef;

/// How many entries an update makes in the audit log at most.
const ENTRIES: usize = 20;

/// What an update read and derived.
pub(super) struct Import {
    pub(super) key: PackageKey,
    pub(super) repository_url: String,
    pub(super) refs: Vec<RefSource>,
    pub(super) targets: Vec<RemoteRef>,
    pub(super) refs_digest: String,
    pub(super) default_branch: Option<String>,
    pub(super) derivation: Derivation,
    pub(super) readme: Option<Readme>,
    /// When whoever pushed told us.
    pub(super) announced_at: Option<Timestamp>,
    /// The commits that stand for trees from now on, of a package in a directory.
    pub(super) subtrees: Vec<Subtree>,
    /// Whether it may bring a vendor that is new to the organization: not where it turned up in a repository that was here before.
    pub(super) may_bring_vendor: bool,
    /// Whether it is no failure that nothing is published.
    pub(super) may_be_empty: bool,
}

/// What an import came to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Whether any document changed.
    pub(super) published: bool,
    /// What became of the versions.
    pub(super) changes: Changes,
    /// What happened to versions, where there were some before.
    pub(super) events: Vec<version_events::New>,
}

/// A name with what is stored for it.
struct Before {
    listing: Listing,
    versions: Vec<Version>,
    documents: [Option<Vec<u8>>; 2],
}

/// What the transaction does to one name.
struct Change {
    name: PackageName,
    /// None for the package's current name, which the transaction makes sure of.
    former: Option<ListingId>,
    put: Vec<Version>,
    remove: Vec<NormalizedVersion>,
    renderings: [Rendering; 2],
    news: Changes,
    events: Vec<version_events::New>,
}

/// Publishes what was derived.
pub(super) async fn import(appliance: &Appliance, import: Import) -> Result<Outcome, UpdateError> {
    let key = import.key;
    let refs = refs_of(&import);
    let Some(name) =
        import.derivation.name.clone().filter(|_| import.may_be_empty || !import.derivation.versions.is_empty())
    else {
        let reason = nothing_to_publish(&refs);
        appliance.database.write(move |tx| refs::replace(key.org, tx, key.package, &refs)).await?;
        return Err(UpdateError::Refused(reason));
    };
    let (package, names) = read_before(appliance, key).await?;
    let Some(package) = package else {
        return Ok(Outcome::default());
    };
    // Former names change only when the name they point at does.
    let renamed = package.name.as_deref() != Some(name.as_str());
    let repository_url = import.repository_url.clone();
    let render_key = render::key(&repository_url);
    let target = name.clone();
    let (here, archived) = (package.abandoned_here.clone(), package.archived);
    let (announced_at, may_bring_vendor) = (import.announced_at, import.may_bring_vendor);
    let (changes, imported, needs, readme, references, subtrees) = tokio::task::spawn_blocking(move || {
        let imported = imported(&name, &import);
        let abandoned = abandoned(here.as_deref(), imported.abandoned.as_deref(), archived);
        let needs = latest(&import.derivation.versions).map(needs).unwrap_or_default();
        let archived_versions = import.derivation.versions.iter().filter(|version| has_archive(version));
        let references: Vec<String> = archived_versions.map(|version| version.reference.clone()).collect();
        let changes = plan(name, import.derivation.versions, names, (renamed, abandoned.as_ref()), &repository_url);
        (changes, imported, needs, import.readme, references, import.subtrees)
    })
    .await
    .map_err(|_| UpdateError::Interrupted)?;
    let now = appliance.now();
    let arrival = Arrival { announced_at, served_at: now };
    appliance
        .database
        .write(move |tx| {
            let named = names::admit(tx, key, (&package, may_bring_vendor), &target, now)?;
            if renamed && let Some(before) = &package.name {
                names::tell_of_renaming(tx, key, before, &target, now)?;
            }
            let current = listings::make_current(key.org, tx, key.package, target.as_str())?;
            named.note(tx, key, current, now)?;
            let mut outcome = Outcome::default();
            for change in changes {
                let listing = change.former.unwrap_or(current);
                outcome.published |= apply(tx, key, listing, &change, &render_key, arrival)?;
                if change.former.is_none() {
                    outcome.changes = change.news;
                    outcome.events = change.events;
                }
            }
            outcome.changes.refs = refs.len();
            for reference in references.iter().collect::<HashSet<_>>() {
                dists::publish(key.org, tx, key.package, &reference::key(reference), reference)?;
            }
            directories::remember(key.org, tx, key.package, &subtrees)?;
            refs::replace(key.org, tx, key.package, &refs)?;
            requirements::replace(key.org, tx, key.package, &needs)?;
            readmes::set(key.org, tx, key.package, readme.as_ref())?;
            packages::set_imported(key.org, tx, key.package, &imported, now)?;
            tell_of_versions(tx, key, target.as_str(), &outcome.events, now)?;
            // Somebody said otherwise while the documents were rendered: the update that he asked for renders them anew.
            let there = packages::by_id(key.org, tx, key.package)?;
            if there.is_some_and(|there| there.abandoned_here != package.abandoned_here) {
                abandonment::expire(key.org, tx, key.package)?;
            }
            Ok(outcome)
        })
        .await
}

/// Takes back every version of a package; its archives stay.
pub(super) async fn clear(appliance: &Appliance, key: PackageKey, repository_url: String) -> Result<(), UpdateError> {
    let (package, names) = read_before(appliance, key).await?;
    let (here, there, archived) =
        package.map(|one| (one.abandoned_here, one.abandoned_there, one.archived)).unwrap_or_default();
    let render_key = render::key(&repository_url);
    let changes = tokio::task::spawn_blocking(move || {
        let abandoned = abandoned(here.as_deref(), there.as_deref(), archived);
        let filled = names.into_iter().filter(|before| !before.versions.is_empty());
        let changes = filled.filter_map(|before| {
            let (name, listing) = (PackageName::parse(&before.listing.name).ok()?, before.listing.id);
            let change = current_change(name, Vec::new(), Some(before), abandoned.as_ref(), &repository_url);
            Some(Change { former: Some(listing), ..change })
        });
        changes.collect::<Vec<_>>()
    })
    .await
    .map_err(|_| UpdateError::Interrupted)?;
    let arrival = Arrival { announced_at: None, served_at: appliance.now() };
    appliance
        .database
        .write(move |tx| {
            for change in &changes {
                if let Some(listing) = change.former {
                    apply(tx, key, listing, change, &render_key, arrival)?;
                }
            }
            tx.changed(store::database::Change::Package(key.org, key.package));
            Ok(())
        })
        .await
}

/// Renders what is stored again; see [`super::update::rerender`].
pub(super) async fn rerender(
    appliance: &Appliance,
    key: PackageKey,
    render_key: String,
    repository_url: String,
) -> Result<(), UpdateError> {
    let (package, names) = read_before(appliance, key).await?;
    let Some(package) = package else { return Ok(()) };
    let abandoned = abandoned(package.abandoned_here.as_deref(), package.abandoned_there.as_deref(), package.archived);
    let Some(current) = package.name else { return Ok(()) };
    let changes = tokio::task::spawn_blocking(move || {
        names
            .into_iter()
            .filter_map(|before| rendered_again(before, &current, abandoned.as_ref(), &repository_url))
            .collect::<Vec<_>>()
    })
    .await
    .map_err(|_| UpdateError::Interrupted)?;
    let now = appliance.now();
    appliance
        .database
        .write(move |tx| {
            for change in &changes {
                if let Some(listing) = change.former {
                    let arrival = Arrival { announced_at: None, served_at: now };
                    apply(tx, key, listing, change, &render_key, arrival)?;
                }
            }
            tx.changed(store::database::Change::Package(key.org, key.package));
            Ok(())
        })
        .await
}

async fn read_before(appliance: &Appliance, key: PackageKey) -> Result<(Option<Package>, Vec<Before>), UpdateError> {
    appliance
        .database
        .read(move |db| {
            let package = packages::by_id(key.org, db, key.package)?;
            let mut names = Vec::new();
            for listing in listings::of_package(key.org, db, key.package)? {
                let body = |dev| {
                    documents::of_listing(key.org, db, listing.id, dev)
                        .map(|document| document.map(|document| document.body))
                };
                names.push(Before {
                    versions: versions::of_listing(key.org, db, listing.id)?,
                    documents: [body(false)?, body(true)?],
                    listing,
                });
            }
            Ok((package, names))
        })
        .await
}

/// Every ref, with the reason where it is no version.
fn refs_of(import: &Import) -> Vec<Ref> {
    let reasons: HashMap<&str, &str> =
        import.derivation.skipped.iter().map(|skipped| (skipped.ref_name.as_str(), skipped.reason.as_str())).collect();
    let targets: HashMap<&str, &str> =
        import.targets.iter().map(|listed| (listed.name.as_str(), listed.target.as_str())).collect();
    import
        .refs
        .iter()
        .map(|source| {
            let name = source.full_name();
            Ref {
                target: targets.get(name.as_str()).copied().unwrap_or(&source.commit).to_owned(),
                reason: reasons.get(name.as_str()).map(|reason| (*reason).to_owned()),
                name,
            }
        })
        .collect()
}

fn nothing_to_publish(refs: &[Ref]) -> String {
    let example = refs
        .iter()
        .find(|known| known.name.starts_with("refs/heads/") && known.reason.is_some())
        .or_else(|| refs.iter().find(|known| known.reason.is_some()));
    match example.and_then(|known| known.reason.as_ref()) {
        None => "The repository has no branches and no tags yet: push a branch with a composer.json.".to_owned(),
        Some(reason) => format!(
            "No branch and no tag of the repository has a composer.json that can be published. For example: {reason}"
        ),
    }
}

/// What the package as a whole is, told by its default branch or else its newest release.
fn imported(name: &PackageName, import: &Import) -> Imported {
    let versions = &import.derivation.versions;
    let head = versions.iter().find(|version| version.default_branch).or_else(|| {
        versions.iter().max_by(|a, b| {
            a.dev
                .cmp(&b.dev)
                .reverse()
                .then_with(|| version::compare(a.version_normalized.as_str(), b.version_normalized.as_str()))
        })
    });
    let latest = latest(versions);
    let text =
        |field: &str| head.and_then(|version| version.metadata.get(field)).and_then(Value::as_str).map(str::to_owned);
    Imported {
        name: name.as_str().to_owned(),
        kind: text("type").or_else(|| Some("library".to_owned())),
        description: text("description").filter(|text| !text.is_empty()),
        abandoned: head
            .and_then(|version| version.metadata.get("abandoned"))
            .filter(|value| !matches!(value, Value::Bool(false) | Value::Null))
            .map(Value::to_string),
        versions: i64::try_from(versions.len()).unwrap_or(i64::MAX),
        default_branch: import.default_branch.clone(),
        refs_digest: import.refs_digest.clone(),
        refs: i64::try_from(import.refs.len()).unwrap_or(i64::MAX),
        latest: latest.map(|version| version.version.clone()),
        latest_at: latest.and_then(|version| version.time),
    }
}

/// What a package's documents say of its being abandoned: what somebody said here counts, then what the default branch's
/// composer.json says, then that the platform has it archived.
fn abandoned(here: Option<&str>, there: Option<&str>, archived: bool) -> Option<Abandoned> {
    match here.or(there).map(serde_json::from_str) {
        Some(Ok(Value::String(replacement))) => Some(Abandoned::For(replacement)),
        Some(_) => Some(Abandoned::Plainly),
        None => archived.then_some(Abandoned::Plainly),
    }
}

/// The version that people mean who name none: the newest stable one, else the newest release of any stability, else the
/// default branch.
fn latest(versions: &[PublishedVersion]) -> Option<&PublishedVersion> {
    let newest = |stable: bool| {
        versions
            .iter()
            .filter(|version| !version.dev && (!stable || version.version_normalized.stability() == Stability::Stable))
            .max_by(|a, b| version::compare(a.version_normalized.as_str(), b.version_normalized.as_str()))
    };
    newest(true).or_else(|| newest(false)).or_else(|| versions.iter().find(|version| version.default_branch))
}

/// Whether the archive of a version is served: versions without a repository say when not.
fn has_archive(version: &PublishedVersion) -> bool {
    version.metadata.get("dist") != Some(&Value::Null)
}

/// What a version needs, as far as there is a bound to it.
fn needs(version: &PublishedVersion) -> Vec<Requirement> {
    const MOST: usize = 500;
    let of = |field: &str, dev: bool| {
        let links = version.metadata.get(field).and_then(Value::as_object).into_iter().flatten();
        let needs = links.filter_map(move |(target, range)| {
            Some(Requirement { target: target.to_lowercase(), dev, range: range.as_str()?.to_owned() })
        });
        needs.take(MOST).collect::<Vec<_>>()
    };
    let mut needs = of("require", false);
    needs.extend(of("require-dev", true));
    needs
}

fn plan(
    name: PackageName,
    derived: Vec<PublishedVersion>,
    names: Vec<Before>,
    (renamed, abandoned): (bool, Option<&Abandoned>),
    repository_url: &str,
) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut current = None;
    for before in names {
        if before.listing.name == name.as_str() {
            current = Some(before);
        } else if renamed {
            changes.extend(rendered_again(before, name.as_str(), abandoned, repository_url));
        }
    }
    changes.push(current_change(name, derived, current, abandoned, repository_url));
    changes
}

fn current_change(
    name: PackageName,
    derived: Vec<PublishedVersion>,
    before: Option<Before>,
    abandoned: Option<&Abandoned>,
    repository_url: &str,
) -> Change {
    let (known, documents) = before.map(|before| (before.versions, before.documents)).unwrap_or_default();
    let metadata: Vec<&Metadata> = derived.iter().map(|version| &version.metadata).collect();
    let renderings = render::halves(&name, &metadata, &documents, repository_url, abandoned);
    // What a package begins with is no news of its versions.
    let is_first = known.is_empty();
    let mut known: HashMap<NormalizedVersion, Version> =
        known.into_iter().map(|known| (known.version_normalized.clone(), known)).collect();
    let mut news = Changes::default();
    let (mut put, mut events) = (Vec::new(), Vec::new());
    for version in derived.into_iter().map(stored) {
        let before = known.remove(&version.version_normalized);
        if before.as_ref() == Some(&version) {
            continue;
        }
        match before {
            None => {
                news.added.push(&version.version);
                if !is_first {
                    events.push(event(&version, Action::Added, None, Some(&version)));
                }
            }
            Some(before) if before.reference != version.reference => {
                news.moved.push(&version.version);
                events.push(event(&version, Action::Moved, Some(&before), Some(&version)));
            }
            Some(_) => {}
        }
        put.push(version);
    }
    let mut gone: Vec<_> = known.values().collect();
    gone.sort_by(|a, b| a.version.cmp(&b.version));
    for gone in gone {
        news.removed.push(&gone.version);
        events.push(event(gone, Action::Removed, Some(gone), None));
    }
    Change { name, former: None, put, remove: known.into_keys().collect(), renderings, news, events }
}

fn event(version: &Version, action: Action, before: Option<&Version>, after: Option<&Version>) -> version_events::New {
    let commit = |version: &Version| version.reference.clone();
    version_events::New {
        version: version.version.clone(),
        version_normalized: version.version_normalized.clone(),
        dev: version.dev,
        action,
        before: before.map(commit),
        after: after.map(commit),
    }
}

/// Records what happened to versions; in the audit log only what nobody expects of releases.
fn tell_of_versions(
    tx: &Tx<'_>,
    key: PackageKey,
    name: &str,
    events: &[version_events::New],
    now: Timestamp,
) -> store::Result<()> {
    version_events::record(key.org, tx, key.package, name, events, now)?;
    let unexpected: Vec<_> = events.iter().filter(|event| !event.dev && event.action != Action::Added).collect();
    for event in unexpected.iter().take(ENTRIES) {
        let action = if event.action == Action::Moved { "version.repointed" } else { "version.removed" };
        let detail = json!({ "package": key.package, "before": event.before, "after": event.after });
        names::append(tx, key, action, &format!("{name} {}", event.version), detail, now)?;
    }
    if unexpected.len() > ENTRIES {
        let detail = json!({ "package": key.package, "more": unexpected.len() - ENTRIES });
        names::append(tx, key, "version.removed", name, detail, now)?;
    }
    Ok(())
}

fn stored(version: PublishedVersion) -> Version {
    Version {
        version: version.version,
        version_normalized: version.version_normalized,
        reference: version.reference,
        git_ref: version.ref_name,
        released_at: version.time,
        dev: version.dev,
        default_branch: version.default_branch,
        metadata: Value::Object(version.metadata).to_string(),
    }
}

/// A name's documents rendered from its stored versions; none if they cannot be read any more.
fn rendered_again(
    before: Before,
    current: &str,
    abandoned: Option<&Abandoned>,
    repository_url: &str,
) -> Option<Change> {
    let name = PackageName::parse(&before.listing.name).ok()?;
    let metadata: Vec<Metadata> =
        before.versions.iter().map(|version| serde_json::from_str(&version.metadata)).collect::<Result<_, _>>().ok()?;
    let metadata: Vec<&Metadata> = metadata.iter().collect();
    let successor = (before.listing.name != current).then(|| Abandoned::For(current.to_owned()));
    let abandoned = successor.as_ref().or(abandoned);
    let renderings = render::halves(&name, &metadata, &before.documents, repository_url, abandoned);
    Some(Change {
        name,
        former: Some(before.listing.id),
        put: Vec::new(),
        remove: Vec::new(),
        renderings,
        news: Changes::default(),
        events: Vec::new(),
    })
}

/// Stores one name's versions and documents; whether a document changed.
fn apply(
    tx: &Tx<'_>,
    key: PackageKey,
    listing: ListingId,
    change: &Change,
    render_key: &str,
    arrival: Arrival,
) -> store::Result<bool> {
    let PackageKey { org, package } = key;
    let now = arrival.served_at;
    for version in &change.remove {
        versions::remove(org, tx, listing, version)?;
    }
    for version in &change.put {
        versions::put(org, tx, listing, version, arrival)?;
    }
    let name = change.name.as_str();
    for rendering in &change.renderings {
        let Rendering { dev, body, changed } = rendering;
        if !changed {
            documents::set_render_key(org, tx, listing, *dev, render_key)?;
            continue;
        }
        let last_modified = documents::next_date(org, tx, name, *dev, now.as_seconds())?;
        let document = Document { body: body.clone(), last_modified };
        documents::put(org, tx, listing, *dev, &document, render_key)?;
        let file = if *dev { format!("{name}~dev") } else { name.to_owned() };
        changes::record(org, tx, package, &file, "update", now)?;
    }
    Ok(change.renderings.iter().any(|rendering| rendering.changed))
}
