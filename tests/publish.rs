//! From repositories to documents: what is served after pushes, renames, deletions and mistakes.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "support/appliance.rs"]
mod appliance;
#[path = "support/work_tree.rs"]
mod work_tree;

use std::io::Read;

use appliance::TestAppliance;
use packagist_selfhosted::access::set::AccessSet;
use packagist_selfhosted::appliance::PackageKey;
use packagist_selfhosted::clock::Timestamp;
use packagist_selfhosted::composer::document;
use packagist_selfhosted::jobs::Ended;
use packagist_selfhosted::jobs::build_dist::{DistError, Dists};
use packagist_selfhosted::store::ids::OrgId;
use packagist_selfhosted::store::package_lists::{self, Filter, Place};
use packagist_selfhosted::store::{
    documents, entries, organizations, readmes, refs, releases, requirements, runs, vendors,
};
use serde_json::{Map, Value};
use work_tree::WorkTree;

type Versions = Vec<Map<String, Value>>;

fn gunzip(body: &[u8]) -> Vec<u8> {
    let mut json = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut json).expect("documents are gzip");
    json
}

/// What is served under a name: releases and branches, each with its date. None if nothing is.
async fn served(world: &TestAppliance, org: OrgId, name: &'static str) -> Option<[(Versions, i64); 2]> {
    let entries = world.read(move |db| entries::entries(org, db, None)).await;
    let entry = entries.into_iter().find(|entry| entry.name.as_str() == name)?;
    let half = |document: Option<documents::Document>| {
        let document = document.expect("both halves are always rendered");
        let versions = document::versions_of(&gunzip(&document.body)).expect("documents are readable");
        (versions, document.last_modified)
    };
    Some([half(entry.stable), half(entry.dev)])
}

fn names(versions: &Versions) -> Vec<&str> {
    versions.iter().map(|version| version["version"].as_str().expect("a version is text")).collect()
}

async fn releases(world: &TestAppliance, org: OrgId, name: &'static str) -> Vec<String> {
    let [(stable, _), _] = served(world, org, name).await.expect("the name is served");
    names(&stable).into_iter().map(str::to_owned).collect()
}

async fn archive(world: &TestAppliance, key: PackageKey, commit: &str) -> Result<Vec<u8>, DistError> {
    let archive = Dists::new(world.appliance.clone()).get(key, commit).await?;
    Ok(std::fs::read(archive.path).expect("the archive is stored"))
}

fn content(zip: &[u8], path: &str) -> String {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(zip)).expect("it is a zip");
    let mut text = String::new();
    zip.by_name(path).expect("the file is in it").read_to_string(&mut text).expect("it is text");
    text
}

#[tokio::test]
async fn a_push_becomes_a_version_and_nothing_else_moves() {
    let world = TestAppliance::start().await;
    let org = world.organization("acme").await;
    let repository = WorkTree::init(&world.repositories.join("lib"));
    let first = repository.release("acme/lib", "one");
    repository.git(&["tag", "v1.0.0"]);
    let (key, ended) = world.import(org, &repository.url(), false).await;
    assert_eq!(ended, Ended::Done);
    let [(stable, stable_date), (dev, dev_date)] = served(&world, org, "acme/lib").await.unwrap();
    assert_eq!(names(&stable), ["v1.0.0"]);
    assert_eq!(names(&dev), ["dev-main"]);
    assert_eq!(dev[0]["default-branch"], Value::Bool(true));
    assert_eq!(stable[0]["dist"]["reference"], Value::String(first.clone()));
    assert_eq!(stable[0]["dist"]["url"], "https://packagist.example.com/repo/acme/dists/acme/lib/%reference%.zip");
    assert_eq!(stable[0]["time"], "2024-01-02T01:04:05+00:00", "Composer takes the author's date, in UTC");

    assert_eq!(world.update(key).await, Ended::Done);
    let same = served(&world, org, "acme/lib").await.unwrap();
    assert_eq!((same[0].1, same[1].1), (stable_date, dev_date), "nothing new, no new dates");

    repository.git(&["tag", "v1.1.0"]);
    assert_eq!(world.update(key).await, Ended::Done);
    let [(stable, new_date), (_, same_date)] = served(&world, org, "acme/lib").await.unwrap();
    assert_eq!(names(&stable), ["v1.1.0", "v1.0.0"]);
    assert!(new_date > stable_date, "a changed document has a later date, even within a second");
    assert_eq!(same_date, dev_date);
    let package = world.package(key).await;
    assert_eq!((package.status.as_str(), package.versions), ("ok", 3));
}

#[tokio::test]
async fn what_was_published_stays_installable() {
    let world = TestAppliance::start().await;
    let org = world.organization("acme").await;
    let repository = WorkTree::init(&world.repositories.join("lib"));
    let tagged = repository.release("acme/lib", "tagged");
    repository.git(&["tag", "1.0.0"]);
    repository.git(&["checkout", "--quiet", "-b", "topic"]);
    let topic = repository.release("acme/lib", "topic");
    repository.git(&["checkout", "--quiet", "--orphan", "other"]);
    let other = repository.release("acme/lib", "other");
    let (key, _) = world.import(org, &repository.url(), false).await;
    let before = archive(&world, key, &tagged).await.unwrap();

    // The tag moves, one branch is forced to another history, one is deleted, and git forgets all.
    repository.git(&["checkout", "--quiet", "--orphan", "fresh"]);
    let moved = repository.release("acme/lib", "moved");
    repository.git(&["tag", "--force", "1.0.0"]);
    repository.git(&["branch", "--quiet", "--force", "topic", "fresh"]);
    repository.git(&["branch", "--quiet", "-D", "other", "main"]);
    repository.git(&["reflog", "expire", "--expire=now", "--all"]);
    repository.git(&["gc", "--quiet", "--prune=now"]);
    assert_eq!(world.update(key).await, Ended::Done);

    let [(stable, _), (dev, _)] = served(&world, org, "acme/lib").await.unwrap();
    assert_eq!(stable[0]["source"]["reference"], Value::String(moved.clone()));
    let mut branches = names(&dev);
    branches.sort_unstable();
    assert_eq!(branches, ["dev-fresh", "dev-topic"]);
    assert_eq!(archive(&world, key, &tagged).await.unwrap(), before, "byte for byte");
    for (commit, text) in [(&topic, "topic"), (&other, "other"), (&moved, "moved")] {
        assert_eq!(content(&archive(&world, key, commit).await.unwrap(), "src/code.php"), text);
    }
    assert_eq!(archive(&world, key, &"0".repeat(40)).await, Err(DistError::Unknown));
}

#[tokio::test]
async fn a_renamed_package_leaves_its_former_name_behind_abandoned() {
    let world = TestAppliance::start().await;
    let org = world.organization("acme").await;
    let repository = WorkTree::init(&world.repositories.join("lib"));
    let old = repository.release("acme/old", "old");
    repository.git(&["tag", "1.0.0"]);
    let (key, _) = world.import(org, &repository.url(), false).await;
    let before = archive(&world, key, &old).await.unwrap();
    repository.release("acme/new", "new");
    repository.git(&["tag", "1.1.0"]);
    assert_eq!(world.update(key).await, Ended::Done);

    assert_eq!(releases(&world, org, "acme/new").await, ["1.1.0", "1.0.0"]);
    let [(stable, _), _] = served(&world, org, "acme/old").await.unwrap();
    assert_eq!(names(&stable), ["1.0.0"], "the former name stays as it was");
    assert_eq!(stable[0]["abandoned"], "acme/new");
    assert_eq!(archive(&world, key, &old).await.unwrap(), before);
    let world = world.restart().await;
    assert_eq!(archive(&world, key, &old).await.unwrap(), before);
}

#[tokio::test]
async fn a_new_vendor_and_a_taken_name_wait_for_an_administrator() {
    let world = TestAppliance::start().await;
    let org = world.organization("acme").await;
    let repository = WorkTree::init(&world.repositories.join("lib"));
    repository.release("acme/lib", "one");
    let (key, _) = world.import(org, &repository.url(), false).await;
    repository.release("evil/lib", "two");
    let Ended::Failed(reason) = world.update(key).await else { panic!("a new vendor was taken over") };
    assert!(reason.contains("vendor add evil"), "{reason}");
    assert_eq!(world.package(key).await.status, "held");
    assert!(served(&world, org, "evil/lib").await.is_none());
    assert!(served(&world, org, "acme/lib").await.is_some(), "what was served is served on");

    let now = world.appliance.now();
    world.appliance.database.write(move |tx| vendors::add(org, tx, "evil", now)).await.unwrap();
    assert_eq!(world.update(key).await, Ended::Done);
    assert!(served(&world, org, "evil/lib").await.is_some());

    let second = WorkTree::init(&world.repositories.join("second"));
    second.release("evil/lib", "mine");
    let (key, ended) = world.import(org, &second.url(), false).await;
    assert!(matches!(&ended, Ended::Failed(reason) if reason.contains("evil/lib")), "{ended:?}");
    assert_eq!(world.package(key).await.name, None);
}

#[tokio::test]
async fn a_fork_does_not_make_its_vendor_ours() {
    let world = TestAppliance::start().await;
    let org = world.organization("acme").await;
    let repository = WorkTree::init(&world.repositories.join("fork"));
    repository.release("symfony/console", "patched");
    assert_eq!(world.import(org, &repository.url(), true).await.1, Ended::Done);
    assert!(world.read(move |db| vendors::all(org, db)).await.is_empty());
    let own = WorkTree::init(&world.repositories.join("own"));
    own.release("acme/lib", "own");
    world.import(org, &own.url(), false).await;
    assert_eq!(world.read(move |db| vendors::all(org, db)).await, ["acme"]);
}

#[tokio::test]
async fn an_emptied_or_vanished_remote_loses_nothing() {
    let world = TestAppliance::start().await;
    let org = world.organization("acme").await;
    let repository = WorkTree::init(&world.repositories.join("lib"));
    repository.release("acme/lib", "one");
    repository.git(&["tag", "1.0.0"]);
    let (key, _) = world.import(org, &repository.url(), false).await;
    let before = served(&world, org, "acme/lib").await.unwrap();
    std::fs::remove_dir_all(world.repositories.join("lib")).unwrap();
    assert!(!matches!(world.update(key).await, Ended::Done));
    assert_eq!(world.package(key).await.status, "failed");
    WorkTree::init(&world.repositories.join("lib"));
    assert!(!matches!(world.update(key).await, Ended::Done), "an empty repository is an error, never a prune");
    let after = served(&world, org, "acme/lib").await.unwrap();
    assert_eq!((names(&after[0].0), after[0].1), (names(&before[0].0), before[0].1));
}

#[tokio::test]
async fn every_ref_without_a_version_has_its_reason() {
    let world = TestAppliance::start().await;
    let org = world.organization("acme").await;
    let repository = WorkTree::init(&world.repositories.join("lib"));
    repository.commit(&[("composer.json", "{ broken")]);
    repository.git(&["tag", "0.9.0"]);
    repository.release("acme/lib", "one");
    repository.git(&["tag", "1.0.0"]);
    repository.git(&["tag", "not-a-version"]);
    let (key, ended) = world.import(org, &repository.url(), false).await;
    assert_eq!(ended, Ended::Done);
    let skipped = world.read(move |db| refs::skipped(org, db, key.package)).await;
    let names: Vec<_> = skipped.iter().map(|skipped| skipped.name.as_str()).collect();
    assert_eq!(names, ["refs/tags/0.9.0", "refs/tags/not-a-version"]);
    assert!(skipped.iter().all(|skipped| skipped.reason.as_ref().is_some_and(|reason| reason.len() > 10)));
}

#[tokio::test]
async fn a_repository_without_a_manifest_says_so() {
    let world = TestAppliance::start().await;
    let org = world.organization("acme").await;
    let repository = WorkTree::init(&world.repositories.join("lib"));
    repository.commit(&[("README.md", "nothing here")]);
    let (key, ended) = world.import(org, &repository.url(), false).await;
    assert!(matches!(&ended, Ended::Failed(reason) if reason.contains("composer.json")), "{ended:?}");
    repository.release("acme/lib", "now");
    assert_eq!(world.update(key).await, Ended::Done);
    assert_eq!(world.package(key).await.status, "ok");
}

#[tokio::test]
async fn organizations_share_nothing() {
    let world = TestAppliance::start().await;
    let (one, two) = (world.organization("one").await, world.organization("two").await);
    let repository = WorkTree::init(&world.repositories.join("lib"));
    repository.release("acme/lib", "one");
    let (in_one, _) = world.import(one, &repository.url(), false).await;
    let (in_two, ended) = world.import(two, &repository.url(), false).await;
    assert_eq!(ended, Ended::Done);
    assert_ne!(world.appliance.mirror(in_one.package), world.appliance.mirror(in_two.package));
    let [_, (dev, _)] = served(&world, two, "acme/lib").await.unwrap();
    assert!(dev[0]["dist"]["url"].as_str().unwrap().contains("/repo/two/"));
    let crossed = PackageKey { org: one, package: in_two.package };
    let commit = dev[0]["dist"]["reference"].as_str().unwrap();
    assert_eq!(archive(&world, crossed, commit).await, Err(DistError::Unknown));
}

#[tokio::test]
async fn documents_follow_the_organizations_address() {
    let world = TestAppliance::start().await;
    let org = world.organization("before").await;
    let repository = WorkTree::init(&world.repositories.join("lib"));
    repository.release("acme/lib", "one");
    let (key, _) = world.import(org, &repository.url(), false).await;
    world.appliance.database.write(move |tx| organizations::rename(org, tx, "after", "After")).await.unwrap();
    assert_eq!(world.update(key).await, Ended::Done);
    let [_, (dev, _)] = served(&world, org, "acme/lib").await.unwrap();
    assert!(dev[0]["dist"]["url"].as_str().unwrap().contains("/repo/after/"), "{:?}", dev[0]["dist"]);
    let current = world.appliance.catalog.world();
    for slug in ["before", "after", "AFTER"] {
        let organization = current.organization(slug).expect("both addresses lead there");
        assert_eq!(&*organization.slug, "after");
    }
    assert!(AccessSet::All.may_read(0));
}

#[tokio::test]
async fn pages_can_tell_what_became_of_an_update() {
    let world = TestAppliance::start().await;
    let org = world.organization("acme").await;
    let repository = WorkTree::init(&world.repositories.join("lib"));
    let manifest = r#"{"name": "acme/lib", "require": {"acme/Core": "^2.0", "php": ">=8.2"}}"#;
    repository.commit(&[("composer.json", manifest), ("readme.txt", "plain"), ("README.md", "# Lib\n\0x")]);
    repository.git(&["tag", "1.0.0"]);
    repository.git(&["tag", "2.0.0-beta1"]);
    repository.git(&["tag", "final"]);
    let (key, _) = world.import(org, &repository.url(), false).await;
    let readme = world.read(move |db| readmes::of_package(org, db, key.package)).await.unwrap();
    assert_eq!((readme.name.as_str(), readme.text.as_deref()), ("README.md", Some("# Lib\n\u{fffd}x")));
    let dependents = world.read(move |db| requirements::dependents(org, db, "acme/core")).await;
    assert_eq!((dependents[0].name.as_str(), dependents[0].range.as_str()), ("acme/lib", "^2.0"));
    let latest =
        world.read(move |db| package_lists::page(org, db, &Filter::default(), Place { limit: 5, ..Place::default() }));
    assert_eq!(latest.await.lines[0].latest.as_deref(), Some("1.0.0"), "the newest stable one");

    let large = "x".repeat(600_000);
    repository.commit(&[("composer.json", manifest), ("README.md", &large)]);
    repository.git(&["tag", "-d", "2.0.0-beta1"]);
    assert_eq!(world.update(key).await, Ended::Done);
    let readme = world.read(move |db| readmes::of_package(org, db, key.package)).await.unwrap();
    assert_eq!((readme.size, readme.text), (600_000, None), "too long to be kept");
    assert_eq!(world.update(key).await, Ended::Done);
    repository.git(&["rm", "--quiet", "README.md", "readme.txt"]);
    repository.commit(&[("composer.json", manifest)]);
    assert_eq!(world.update(key).await, Ended::Done);
    assert_eq!(world.read(move |db| readmes::of_package(org, db, key.package)).await, None);

    let runs = world.read(move |db| runs::of_package(org, db, key.package, 10)).await;
    let outcomes: Vec<_> = runs.iter().map(|run| run.outcome.as_str()).collect();
    assert_eq!(outcomes, ["changed", "unchanged", "changed", "changed"]);
    assert!(runs.iter().all(|run| run.cause == "asked" && run.ended_at >= run.started_at));
    let second = runs[2].changes.clone().unwrap();
    assert_eq!(
        (second.moved.names, second.removed.names),
        (vec!["dev-main".to_owned()], vec!["2.0.0-beta1".to_owned()])
    );
    let first = runs[3].changes.clone().unwrap();
    assert_eq!((first.added.count, first.refs), (3, 4));

    let releases = world.read(move |db| releases::newest(org, db, None, Timestamp::from_seconds(0), 5)).await;
    assert_eq!(releases.len(), 1);
    assert!(releases[0].served_at.is_some() && releases[0].announced_at.is_none());
}
