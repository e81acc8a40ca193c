//! Repositories with several packages: each directory is a package of its own, with the versions that the repository's branches and
//! tags give it.
//!
//! The reference of a version is a commit in which the package's directory was what it is in the version: the first such commit that
//! was seen, for good. It is not the commit of the branch or tag, because then every push to a branch would make new metadata and a
//! new archive for every package of the repository, and `composer update` would install anew what did not change. It is not the
//! tree's own id either, because what keeps commits from being forgotten, and what people look up when they read a lock file, are
//! commits. Nor is it the last commit that touched the directory: to find that takes a walk through history for each package at
//! each push, and a rebase would change it although nothing changed. So two versions with one content have one reference and one
//! archive, and are two versions all the same: a tag that makes a release stable is never passed over.
//!
//! There is no `source`: Composer clones repositories, and cannot install a directory of one.

mod groups;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::import::{self, Import};
use super::log::Log;
use super::source;
use super::update::UpdateError;
use super::withdraw;
use crate::appliance::{Appliance, PackageKey};
use crate::clock::Timestamp;
use crate::composer::derive::{self, RefKind, RefSource, Repository};
use crate::composer::name::PackageName;
use crate::store::directories::{self, Child, Problem, Subtree};
use crate::store::ids::PackageId;
use crate::store::name_claims;
use crate::store::packages::{self, Package};
use crate::store::readmes::Readme;
use crate::store::runs::Changes;
use crate::vcs::{Found, Snapshot};
use groups::Group;

/// How many directories that are no packages are told one by one.
const TOLD: usize = 50;

/// What the packages of a repository are made of.
pub(super) struct Whole<'a> {
    /// The repository's row.
    pub(super) key: PackageKey,
    pub(super) package: &'a Package,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) default_branch: Option<String>,
    pub(super) repository_url: String,
    pub(super) announced_at: Option<Timestamp>,
}

/// What became of them.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Whether any document changed.
    pub(super) published: bool,
    /// What became of all versions.
    pub(super) changes: Changes,
    /// How many packages there are.
    pub(super) packages: usize,
    /// How many of them cannot be published, or wait for somebody.
    pub(super) refused: usize,
}

/// Publishes the packages in the directories of a repository. What is wrong with one keeps none of the others from it.
///
/// # Errors
/// If the database cannot be read or written.
pub(super) async fn publish(appliance: &Appliance, whole: &Whole<'_>, log: &Log) -> Result<Outcome, UpdateError> {
    let PackageKey { org, package: repository } = whole.key;
    let snapshot = Arc::clone(&whole.snapshot);
    let (groups, problems, index) = tokio::task::spawn_blocking(move || match &snapshot.directories {
        Some(found) => {
            let (groups, problems) = groups::groups(&snapshot, found);
            (groups, problems, Index::of(found))
        }
        None => (Vec::new(), Vec::new(), Index::default()),
    })
    .await
    .map_err(|_| UpdateError::Interrupted)?;
    tell(log, &groups, &problems);
    let index = Arc::new(index);
    let lost = whole.snapshot.lost.clone();
    let children = appliance
        .database
        .write(move |tx| {
            directories::set_problems(org, tx, repository, &problems)?;
            for commit in &lost {
                directories::forget_lost(org, tx, repository, commit)?;
            }
            directories::children(org, tx, repository)
        })
        .await?;
    let mut outcome = Outcome { packages: groups.len(), ..Outcome::default() };
    let rows = groups::rows(&groups, &children);
    retire_others(appliance, whole, &children, &rows, log).await?;
    for (group, row) in groups.into_iter().zip(rows) {
        match one(appliance, whole, &index, (&group, row), log).await {
            Ok(None) => {}
            Ok(Some(news)) => {
                outcome.published |= news.published;
                outcome.changes.take(group.name.as_str(), &news.changes);
            }
            Err((id, UpdateError::Held { reason, vendor, name })) => {
                outcome.refused += 1;
                refuse(appliance, whole, id, ("held", &reason), (vendor, name), log).await?;
            }
            Err((id, UpdateError::Refused(reason))) => {
                outcome.refused += 1;
                refuse(appliance, whole, id, ("failed", &reason), (None, None), log).await?;
            }
            Err((_, error)) => return Err(error),
        }
    }
    Ok(outcome)
}

fn tell(log: &Log, groups: &[Group], problems: &[Problem]) {
    let count = groups.len();
    log.info(format!("Found {count} {} in directories", if count == 1 { "package" } else { "packages" }));
    for Problem { directory, reason } in problems.iter().take(TOLD) {
        log.warn(format!("{directory}: {reason}"));
    }
    if problems.len() > TOLD {
        log.info(format!("{} more directories are no packages: the package’s page has them", problems.len() - TOLD));
    }
}

/// Says of a package why it is not published.
async fn refuse(
    appliance: &Appliance,
    whole: &Whole<'_>,
    id: PackageId,
    (outcome, reason): (&'static str, &str),
    (vendor, name): (Option<String>, Option<String>),
    log: &Log,
) -> Result<(), UpdateError> {
    log.warn(format!("Package {id}: {reason}"));
    let (org, now, reason) = (whole.key.org, appliance.now(), reason.to_owned());
    let refused = appliance.database.write(move |tx| {
        packages::set_refused(org, tx, id, outcome, &reason, vendor.as_deref(), now)?;
        name_claims::set_held(org, tx, id, name.as_deref())
    });
    Ok(refused.await?)
}

/// Hides the packages whose directories no branch and no tag has any more, or that are not meant any more; lock files go on finding
/// their archives.
async fn retire_others(
    appliance: &Appliance,
    whole: &Whole<'_>,
    children: &[Child],
    rows: &[Option<&Child>],
    log: &Log,
) -> Result<(), UpdateError> {
    let there: HashSet<PackageId> = rows.iter().flatten().map(|child| child.id).collect();
    let org = whole.key.org;
    for child in children.iter().filter(|child| !child.retired && !there.contains(&child.id)) {
        let name = child.name.clone().unwrap_or_else(|| child.id.to_string());
        log.info(format!("{name}: no branch and no tag has its directory {} any more", child.directory));
        let (id, now) = (child.id, appliance.now());
        appliance
            .database
            .write(move |tx| {
                withdraw::tell_mirrors(tx, PackageKey { org, package: id }, now)?;
                packages::set_retired(org, tx, id, Some(now))
            })
            .await?;
    }
    Ok(())
}

/// Publishes one package; none if nothing about it changed.
async fn one(
    appliance: &Appliance,
    whole: &Whole<'_>,
    index: &Arc<Index>,
    (group, row): (&Group, Option<&Child>),
    log: &Log,
) -> Result<Option<import::Outcome>, (PackageId, UpdateError)> {
    let PackageKey { org, package: repository } = whole.key;
    let failed = |error: UpdateError| (row.map_or(repository, |child| child.id), error);
    let (snapshot, wanted, archived) = (Arc::clone(&whole.snapshot), group.clone(), whole.package.archived);
    let (default_branch, index) = (whole.default_branch.clone(), Arc::clone(index));
    let states = tokio::task::spawn_blocking(move || {
        States::of(&snapshot, &index, &wanted, default_branch.as_deref(), archived)
    });
    let states = states.await.map_err(|_| failed(UpdateError::Interrupted))?;
    if row.is_some_and(|child| {
        !child.retired && child.digest.as_deref() == Some(&states.digest) && child.directory == group.directory
    }) {
        return Ok(None);
    }
    let id = prepare(appliance, whole, group, row).await.map_err(failed)?;
    let key = PackageKey { org, package: id };
    let known = appliance.database.read(move |db| directories::subtrees(org, db, id)).await;
    let known = known.map_err(|error| (id, error.into()))?;
    let snapshot = Arc::clone(&whole.snapshot);
    let registered = row.and_then(|child| child.name.as_deref()).and_then(|name| PackageName::parse(name).ok());
    let (default_branch, repository_url) = (whole.default_branch.clone(), whole.repository_url.clone());
    let (announced_at, may_bring_vendor) = (whole.announced_at, whole.package.updated_at.is_none());
    let derived = tokio::task::spawn_blocking(move || {
        let (refs, subtrees) = states.refs(&snapshot, known);
        let derivation = derive::derive(&Repository {
            refs: &refs,
            default_branch: default_branch.as_deref(),
            in_order: false,
            root: None,
            registered: registered.as_ref(),
            source: None,
        });
        Import {
            key,
            repository_url,
            refs,
            targets: Vec::new(),
            refs_digest: states.digest,
            default_branch,
            derivation,
            readme: states.readme,
            announced_at,
            subtrees,
            may_bring_vendor,
            may_be_empty: false,
        }
    });
    let import = derived.await.map_err(|_| (id, UpdateError::Interrupted))?;
    for skipped in import.derivation.skipped.iter().take(5) {
        log.warn(format!("{}: {}", group.directory, skipped.reason));
    }
    let outcome = import::import(appliance, import).await.map_err(|error| (id, error))?;
    log.info(format!("{} ({}): {}", group.name, group.directory, news(&outcome)));
    log.repointed(&outcome.events);
    Ok(Some(outcome))
}

fn news(outcome: &import::Outcome) -> String {
    let Changes { added, moved, removed, .. } = &outcome.changes;
    let some = [(added, "new"), (moved, "changed"), (removed, "gone")];
    let words: Vec<String> = some
        .iter()
        .filter(|(named, _)| named.count > 0)
        .map(|(named, word)| format!("{} {word}", named.count))
        .collect();
    match (words.is_empty(), outcome.published) {
        (false, _) => format!("versions: {}", words.join(", ")),
        (true, true) => "published".to_owned(),
        (true, false) => "what is served is the same as before".to_owned(),
    }
}

/// The package's row: a new one, or the one that it has, in its directory and listed.
async fn prepare(
    appliance: &Appliance,
    whole: &Whole<'_>,
    group: &Group,
    row: Option<&Child>,
) -> Result<PackageId, UpdateError> {
    let PackageKey { org, package: repository } = whole.key;
    let (now, directory, row) = (appliance.now(), group.directory.clone(), row.cloned());
    let prepared = appliance.database.write(move |tx| {
        let Some(child) = row else { return directories::insert(org, tx, repository, &directory, now) };
        if child.directory != directory {
            directories::set_directory(org, tx, repository, child.id, &directory)?;
        }
        if child.retired {
            packages::set_retired(org, tx, child.id, None)?;
            withdraw::tell_mirrors_of_return(tx, PackageKey { org, package: child.id }, now)?;
        }
        Ok(child.id)
    });
    Ok(prepared.await?)
}

/// The states of each directory, with the sets of trees that they are in: made once for all packages of a repository.
#[derive(Debug, Default)]
struct Index(HashMap<String, Vec<(usize, u32)>>);

impl Index {
    fn of(found: &Found) -> Self {
        let mut index: HashMap<String, Vec<(usize, u32)>> = HashMap::new();
        for (at, set) in found.sets.iter().enumerate() {
            for tree in set {
                let Some(directory) = found.trees.get(*tree as usize).map(|tree| &tree.directory) else { continue };
                match index.get_mut(directory) {
                    Some(known) => known.push((at, *tree)),
                    None => {
                        index.insert(directory.clone(), vec![(at, *tree)]);
                    }
                }
            }
        }
        Self(index)
    }
}

/// What a package's directory is at each branch and tag that has it.
struct States {
    /// The places of refs in the snapshot, and of trees in what was found.
    at: Vec<(usize, u32)>,
    digest: String,
    readme: Option<Readme>,
}

impl States {
    fn of(snapshot: &Snapshot, index: &Index, group: &Group, default_branch: Option<&str>, archived: bool) -> Self {
        let nothing = Found::default();
        let found = snapshot.directories.as_deref().unwrap_or(&nothing);
        let places = std::iter::once(&group.directory).chain(&group.former);
        // Which tree a ref has is the same for all refs with one set; where it is now comes first.
        let mut trees: Vec<Option<u32>> = vec![None; found.sets.len()];
        for (set, tree) in places.flat_map(|place| index.0.get(place).into_iter().flatten()) {
            if let Some(known) = trees.get_mut(*set) {
                known.get_or_insert(*tree);
            }
        }
        let mut digest = Sha256::new();
        let mut put = |text: &str| {
            digest.update(text.len().to_be_bytes());
            digest.update(text);
        };
        put(default_branch.unwrap_or_default());
        put(if archived { "archived" } else { "" });
        let mut at = Vec::new();
        let mut seen = HashSet::new();
        for (place, listed) in snapshot.refs.iter().enumerate().filter(|(_, listed)| seen.insert(&listed.name)) {
            let tree = found.refs.get(place).and_then(|set| trees.get(*set as usize)).copied().flatten();
            let Some((index, tree)) = tree.and_then(|index| Some((index, found.trees.get(index as usize)?))) else {
                continue;
            };
            at.push((place, index));
            put(&listed.name);
            put(&tree.id);
            // A tag's date is its own; a branch's is that of its last change of the directory.
            let is_tag = listed.name.starts_with("refs/tags/");
            put(&listed.time.filter(|_| is_tag).map_or_else(String::new, |time| time.to_string()));
        }
        let head = found.head.and_then(|set| trees.get(set as usize)).copied().flatten();
        let readme = head.and_then(|head| found.readmes.iter().find(|(tree, _)| *tree == head));
        let readme = readme.map(|(_, readme)| source::readme(readme, snapshot));
        let digest = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { at, digest, readme }
    }

    /// The refs as the rules of versions take them, each with the commit that stands for its tree; and the commits that do so from
    /// now on.
    fn refs(&self, snapshot: &Snapshot, known: Vec<Subtree>) -> (Vec<RefSource>, Vec<Subtree>) {
        let Some(found) = snapshot.directories.as_deref() else { return Default::default() };
        let mut taken: HashSet<String> = known.iter().map(|one| one.reference.clone()).collect();
        let mut standing: HashMap<String, Subtree> = known.into_iter().map(|one| (one.tree.clone(), one)).collect();
        // The oldest first, so that the same repository gives the same references wherever it is read for the first time.
        let mut oldest_first: Vec<_> = self
            .at
            .iter()
            .filter_map(|(place, tree)| {
                let (listed, tree) = (&snapshot.refs[*place], found.trees.get(*tree as usize)?);
                Some((listed.time.unwrap_or(0), listed.commit.as_deref()?, listed.offset, tree))
            })
            .collect();
        oldest_first.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        let mut new = Vec::new();
        for (time, commit, offset, tree) in oldest_first {
            if standing.contains_key(&tree.id) || !taken.insert(commit.to_owned()) {
                continue;
            }
            let one = Subtree {
                tree: tree.id.clone(),
                reference: commit.to_owned(),
                directory: tree.directory.clone(),
                time,
                offset,
            };
            standing.insert(tree.id.clone(), one.clone());
            new.push(one);
        }
        let sources = self.at.iter().filter_map(|(place, tree)| {
            let (listed, tree) = (&snapshot.refs[*place], found.trees.get(*tree as usize)?);
            let mut source = source::ref_with(listed, &tree.manifest, snapshot)?;
            let stands = standing.get(&tree.id)?;
            source.commit.clone_from(&stands.reference);
            if source.kind == RefKind::Branch {
                (source.time, source.offset) = (stands.time, stands.offset);
            }
            Some(source)
        });
        (sources.collect(), new)
    }
}
