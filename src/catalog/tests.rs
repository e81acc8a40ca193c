//! What requests see, commit by commit.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::Connection;

use super::{Admission, Catalog, Token, Updater, View, World};
use crate::clock::Timestamp;
use crate::store::database::{Change, Observer};
use crate::store::documents::{self, Document};
use crate::store::ids::{OrgId, PackageId};
use crate::store::packages::{self, New};
use crate::store::{self, Database, hooks, listings, organizations, root_dates, tokens, users, vendors};

pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

struct Follower(Updater);

impl Observer for Follower {
    fn committed(&mut self, connection: &Connection, changes: &[Change]) {
        // The catalog itself remembers what went wrong.
        let _ = self.0.update(connection, changes);
    }
}

pub(super) struct Instance {
    pub(super) database: Database,
    pub(super) catalog: Catalog,
    folder: tempfile::TempDir,
}

impl Instance {
    pub(super) fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap())
    }

    fn open(folder: tempfile::TempDir) -> Self {
        let (catalog, updater) = Catalog::new();
        let database = Database::open(&folder.path().join("db"), Box::new(Follower(updater))).unwrap();
        assert!(catalog.trouble().is_none());
        Self { database, catalog, folder }
    }

    pub(super) fn restart(self) -> Self {
        drop(self.database);
        Self::open(self.folder)
    }

    pub(super) async fn organization(&self, slug: &'static str) -> OrgId {
        self.database.write(move |tx| organizations::insert(tx, slug, slug, NOW)).await.unwrap()
    }

    /// Adds a package that is published as `name`.
    pub(super) async fn package(&self, org: OrgId, name: &'static str) -> PackageId {
        self.database
            .write(move |tx| {
                let new = New {
                    url: format!("https://git.example.com/{name}.git"),
                    url_key: name.to_owned(),
                    vcs: "git".to_owned(),
                    credential: None,
                    fork: false,
                    next_check_at: NOW,
                };
                let package = packages::insert(org, tx, &new, NOW)?;
                let listing = listings::make_current(org, tx, package, name)?;
                for dev in [false, true] {
                    let last_modified = documents::next_date(org, tx, name, dev, NOW.as_seconds())?;
                    documents::put(org, tx, listing, dev, &Document { body: vec![1], last_modified }, "key")?;
                }
                Ok::<_, store::Error>(package)
            })
            .await
            .unwrap()
    }

    async fn token(&self, org: OrgId, digest: u8, packages: Option<Vec<PackageId>>, expires: Option<Timestamp>) {
        self.database
            .write(move |tx| {
                let scope = packages.map(|packages| tokens::Scope { packages, teams: Vec::new() });
                tokens::insert(org, tx, &new_token(digest, expires), scope.as_ref(), NOW)
            })
            .await
            .unwrap();
    }

    pub(super) fn admit(&self, digest: u8, now: Timestamp) -> Admission {
        self.catalog.world().admit(&[digest; 32], now)
    }

    pub(super) fn world(&self) -> Arc<World> {
        Arc::clone(&self.catalog.world())
    }

    /// The names that a token sees at an organization; none if it does not open it.
    pub(super) fn sees(&self, digest: u8, slug: &str) -> Option<Vec<String>> {
        let token = valid(self.admit(digest, NOW))?;
        let world = self.world();
        let (organization, view) = world.open(slug, &token, NOW)?;
        let mut names: Vec<_> = organization.visible(&view).map(|(name, _)| name.as_str().to_owned()).collect();
        names.sort();
        Some(names)
    }
}

pub(super) fn new_token(digest: u8, expires_at: Option<Timestamp>) -> tokens::New {
    tokens::New {
        access: "read",
        digest: [digest; 32],
        prefix: "pksh_ort_".to_owned(),
        last4: "abcd".to_owned(),
        description: None,
        expires_at,
    }
}

pub(super) fn valid(admission: Admission) -> Option<Arc<Token>> {
    match admission {
        Admission::Valid(token) => Some(token),
        _ => None,
    }
}

#[tokio::test]
async fn a_token_sees_its_organization_and_its_scope_only() {
    let instance = Instance::new();
    let (one, two) = (instance.organization("one").await, instance.organization("two").await);
    let a = instance.package(one, "acme/a").await;
    instance.package(one, "acme/b").await;
    instance.package(two, "acme/a").await;
    instance.token(one, 1, None, None).await;
    instance.token(one, 2, Some(vec![a]), None).await;
    instance.token(one, 3, Some(vec![]), None).await;
    assert_eq!(instance.sees(1, "one").unwrap(), ["acme/a", "acme/b"]);
    assert_eq!(instance.sees(2, "ONE").unwrap(), ["acme/a"]);
    assert_eq!(instance.sees(3, "one").unwrap(), [""; 0], "an empty scope opens nothing");
    assert_eq!(instance.sees(1, "two"), None);
    assert_eq!(instance.sees(1, "absent"), None);

    instance.package(one, "acme/c").await;
    assert_eq!(instance.sees(1, "one").unwrap().len(), 3, "all packages, now and later");
    assert_eq!(instance.sees(2, "one").unwrap(), ["acme/a"]);
    instance.database.write(move |tx| packages::remove(one, tx, a, NOW)).await.unwrap();
    assert_eq!(instance.sees(2, "one").unwrap(), [""; 0], "a scope that became empty is not all");
    let instance = instance.restart();
    assert_eq!(instance.sees(2, "one").unwrap(), [""; 0]);
    assert_eq!(instance.sees(1, "one").unwrap(), ["acme/b", "acme/c"]);
}

#[tokio::test]
async fn revocation_and_expiry_count_from_the_next_request() {
    let instance = Instance::new();
    let org = instance.organization("acme").await;
    let end = NOW + Duration::from_secs(60);
    instance.token(org, 1, None, Some(end)).await;
    let token = valid(instance.admit(1, NOW)).unwrap();
    assert!(matches!(instance.admit(1, end), Admission::Expired(at) if at == end));
    assert!(matches!(instance.admit(9, NOW), Admission::Unknown));
    let id = token.id;
    instance.database.write(move |tx| tokens::revoke(tx, id, NOW)).await.unwrap();
    assert!(matches!(instance.admit(1, NOW), Admission::Revoked(_)));
    assert!(matches!(instance.restart().admit(1, NOW), Admission::Revoked(_)));
}

#[tokio::test]
async fn a_user_token_lives_and_dies_with_its_holder() {
    let instance = Instance::new();
    let org = instance.organization("acme").await;
    instance.package(org, "acme/a").await;
    let (ada, bob) = instance
        .database
        .write(|tx| {
            let ada = users::insert(tx, "ada", None, true, None, NOW)?;
            let bob = users::insert(tx, "bob", None, false, None, NOW)?;
            tokens::insert_for_user(tx, ada, &new_token(1, None), NOW)?;
            tokens::insert_for_user(tx, bob, &new_token(2, None), NOW)?;
            Ok::<_, store::Error>((ada, bob))
        })
        .await
        .unwrap();
    assert_eq!(instance.sees(1, "acme").unwrap(), ["acme/a"], "an administrator sees everything");
    assert_eq!(instance.sees(2, "acme"), None, "nobody gave bob anything");
    instance.database.write(move |tx| users::set_enabled(tx, ada, false)).await.unwrap();
    assert!(matches!(instance.admit(1, NOW), Admission::Disabled));
    instance.database.write(move |tx| users::set_enabled(tx, ada, true)).await.unwrap();
    assert!(instance.sees(1, "acme").is_some());
    instance.database.write(move |tx| users::remove(tx, bob)).await.unwrap();
    assert!(matches!(instance.admit(2, NOW), Admission::Unknown));
}

#[tokio::test]
async fn a_removed_organization_takes_its_tokens_along() {
    let instance = Instance::new();
    let org = instance.organization("acme").await;
    instance.package(org, "acme/a").await;
    instance.token(org, 1, None, None).await;
    instance.database.write(move |tx| organizations::hide(org, tx, NOW)).await.unwrap();
    assert!(matches!(instance.admit(1, NOW), Admission::Unknown));
    assert!(instance.world().organization("acme").is_none());
    assert_eq!(instance.world().packages(), 0);
    let again = instance.organization("acme").await;
    assert!(again > org, "the slug is free, the number is not");
    let instance = instance.restart();
    assert!(matches!(instance.admit(1, NOW), Admission::Unknown));
    assert_eq!(instance.world().organization("acme").unwrap().id, again);
}

/// What is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn one_unreadable_name_takes_nothing_else_along() {
    let instance = Instance::new();
    let org = instance.organization("acme").await;
    let a = instance.package(org, "acme/a").await;
    instance.package(org, "acme/b").await;
    instance.token(org, 1, None, None).await;
    // As a later release might refuse what this one stored.
    change(&instance, "UPDATE listing SET name = 'no name' WHERE name = 'acme/a'", Change::Jobs).await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    // The first load runs in the thread that opens the database.
    let instance = tracing::subscriber::with_default(subscriber, || instance.restart());
    assert_eq!(instance.sees(1, "acme").unwrap(), ["acme/b"]);
    assert!(instance.catalog.trouble().is_none());
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("A published name cannot be read and is not served"), "{log}");
    instance.database.write(move |tx| packages::remove(org, tx, a, NOW)).await.unwrap();
    instance.package(org, "acme/c").await;
    assert_eq!(instance.sees(1, "acme").unwrap(), ["acme/b", "acme/c"], "and it can be removed");
}

async fn change(instance: &Instance, sql: &'static str, change: Change) {
    let told = instance.database.write(move |tx| {
        tx.execute_batch(sql)?;
        tx.changed(change);
        Ok::<_, store::Error>(())
    });
    told.await.unwrap();
}

#[tokio::test]
async fn a_catalog_that_fell_behind_says_so_until_it_has_caught_up() {
    let instance = Instance::new();
    let org = instance.organization("acme").await;
    instance.token(org, 1, None, None).await;
    change(&instance, "UPDATE token SET last4 = hex(digest), digest = x'00'", Change::Tokens(org)).await;
    assert!(instance.catalog.trouble().is_some());
    assert!(instance.sees(1, "acme").is_some(), "what was served is served on");
    instance.package(org, "acme/a").await;
    assert!(instance.catalog.trouble().is_some(), "everything is loaded anew, and that fails as well");
    change(&instance, "UPDATE token SET digest = unhex(last4)", Change::Hooks).await;
    assert!(instance.catalog.trouble().is_none());
    assert_eq!(instance.sees(1, "acme").unwrap(), ["acme/a"], "nothing is missing that was changed meanwhile");
}

#[tokio::test]
async fn hooks_of_a_hidden_organization_are_removed_at_once() {
    let instance = Instance::new();
    let org = instance.organization("acme").await;
    let package = instance.package(org, "acme/a").await;
    instance.database.write(move |tx| hooks::insert(org, tx, package, &[7; 32], NOW)).await.unwrap();
    assert_eq!(instance.world().hook(&[7; 32]).unwrap().removed_at, None);
    instance.database.write(move |tx| organizations::hide(org, tx, NOW)).await.unwrap();
    assert_eq!(instance.world().hook(&[7; 32]).unwrap().removed_at, Some(NOW));
    assert_eq!(instance.restart().world().hook(&[7; 32]).unwrap().removed_at, Some(NOW));
}

#[tokio::test]
async fn packages_json_has_one_date_for_each_content() {
    let instance = Instance::new();
    let org = instance.organization("acme").await;
    let a = instance.package(org, "acme/a").await;
    instance.token(org, 1, None, None).await;
    instance.token(org, 2, Some(vec![a]), None).await;
    let first = root(&instance, 1).await;
    assert_eq!(root(&instance, 1).await, first, "the same content keeps its date");
    let scoped = root(&instance, 2).await;
    assert_eq!(scoped.1, first.1, "two tokens that see the same share a date");
    assert_eq!(names(&first.0), ["acme/a"]);

    instance.package(org, "acme/b").await;
    let second = root(&instance, 1).await;
    assert_ne!(second.1, first.1, "another content within the same second has another date");
    assert_eq!(root(&instance, 2).await, scoped, "nothing changed for this one");
    instance.database.write(move |tx| vendors::add(org, tx, "acme", NOW)).await.unwrap();
    let owned = root(&instance, 1).await;
    assert_eq!(owned.0["available-package-patterns"][0], "acme/*");
    assert!(![first.1.clone(), second.1.clone()].contains(&owned.1));
    let again = root(&instance.restart(), 1).await;
    assert_eq!(again, owned, "dates survive a restart");
}

#[tokio::test]
async fn an_empty_view_names_a_package_that_cannot_exist() {
    let instance = Instance::new();
    let org = instance.organization("acme").await;
    instance.token(org, 1, None, None).await;
    assert_eq!(names(&root(&instance, 1).await.0), ["none/none"]);
}

#[tokio::test]
async fn documents_never_repeat_a_date() {
    let instance = Instance::new();
    let org = instance.organization("acme").await;
    instance.token(org, 1, None, None).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let package = instance.package(org, "acme/a").await;
        let world = instance.world();
        let token = valid(instance.admit(1, NOW)).unwrap();
        let (organization, view) = world.open("acme", &token, NOW).unwrap();
        let entry = organization.find("acme/a", &view).unwrap();
        let date = entry.stable.as_ref().unwrap().last_modified.clone();
        assert!(!seen.contains(&date), "{date:?} came back after the package was removed and added again");
        seen.push(date);
        instance.database.write(move |tx| packages::remove(org, tx, package, NOW)).await.unwrap();
    }
}

async fn root(instance: &Instance, digest: u8) -> (serde_json::Value, Option<bytes::Bytes>) {
    let world = instance.world();
    let token = valid(instance.admit(digest, NOW)).unwrap();
    let (organization, view): (_, Arc<View>) = world.open("acme", &token, NOW).unwrap();
    let org = organization.id;
    let database = &instance.database;
    let root = view
        .render_root(organization, "https://p.example.com/repo/acme", async |digest| {
            database.write(move |tx| root_dates::date_of(org, tx, &digest, NOW.as_seconds())).await.ok()
        })
        .await;
    let json = std::io::read_to_string(flate2::read::GzDecoder::new(&*root.body)).unwrap();
    (serde_json::from_str(&json).unwrap(), root.last_modified.clone())
}

fn names(root: &serde_json::Value) -> Vec<&str> {
    root["available-packages"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}
