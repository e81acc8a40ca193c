//! What a delivery is worth: which work it queues, and that the same one queues it once.

use rusqlite::Connection;

use super::{Receiver, Taken, taken};
use crate::clock::Timestamp;
use crate::platform::event::{Delivery, Installation, InstallationChange};
use crate::platform::remote::Touch;
use crate::store::accounts::{self, Recorded};
use crate::store::database::{Change, Observer};
use crate::store::ids::{OrgId, PackageId};
use crate::store::{Database, Error, Tx, credentials, jobs, organizations, packages, sync_hints, syncs};
use crate::sync::request::{self as runs, SyncKey};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

struct Nobody;

impl Observer for Nobody {
    fn committed(&mut self, _: &Connection, _: &[Change]) {}
}

struct World {
    database: Database,
    org: OrgId,
    key: SyncKey,
    package: PackageId,
    _folder: tempfile::TempDir,
}

impl World {
    /// An organization with a synchronization, whose repository 7 is a package.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("db"), Box::new(Nobody)).unwrap();
        let (org, key, package) = database.write(|tx| Ok::<_, Error>(furnish(tx).unwrap())).await.unwrap();
        Self { database, org, key, package, _folder: folder }
    }

    async fn take(&self, delivery: Delivery) -> Taken {
        self.take_at(None, delivery).await
    }

    /// Takes it at the hook of one repository.
    async fn take_at(&self, repository: Option<&str>, delivery: Delivery) -> Taken {
        let repository = repository.map(str::to_owned);
        let receiver = Receiver { integration: "ghe".to_owned(), hook: None, repository, syncs: vec![self.key] };
        self.database.write_hook(move |tx| taken(tx, &receiver, &delivery, 10, NOW)).await.unwrap()
    }

    /// The kinds of the jobs that wait.
    async fn waiting(&self) -> Vec<String> {
        let all = self.database.read(|db| jobs::all(db, 10)).await.unwrap();
        let mut kinds: Vec<_> = all.into_iter().filter(|job| job.state == "ready").map(|job| job.kind).collect();
        kinds.sort();
        kinds
    }

    async fn hints(&self) -> Vec<String> {
        let (org, sync) = (self.org, self.key.sync);
        let hints = self.database.read(move |db| sync_hints::of(org, db, sync)).await.unwrap();
        hints.into_iter().map(|hint| hint.touch).collect()
    }

    /// Ends all jobs that wait in this state.
    async fn end(&self, state: &'static str) {
        let end = move |tx: &Tx<'_>| {
            for job in jobs::all(tx, 10)?.into_iter().filter(|job| job.state == "ready") {
                jobs::finish(tx, job.id, state, None, NOW)?;
            }
            Ok::<_, Error>(())
        };
        self.database.write(end).await.unwrap();
    }
}

fn furnish(tx: &Tx<'_>) -> Result<(OrgId, SyncKey, PackageId), Error> {
    let org = organizations::insert(tx, "acme", "acme", NOW)?;
    let url = "https://ghe.example.com".to_owned();
    accounts::record(tx, "ghe", &Recorded { platform: "github".to_owned(), url }, NOW)?;
    let credential = credentials::New {
        name: "ghe".to_owned(),
        kind: "github-token".to_owned(),
        host: Some("ghe.example.com".to_owned()),
        port: None,
        username: None,
    };
    let credential = credentials::insert(org, tx, &credential, NOW)?;
    let new = syncs::New {
        integration: "ghe".to_owned(),
        remote: "acme".to_owned(),
        remote_id: None,
        credential,
        primary: true,
        packages: "all",
        follow_visibility: false,
    };
    let sync = syncs::insert(org, tx, &new, NOW)?;
    let package = packages::New {
        url: "https://ghe.example.com/acme/lib.git".to_owned(),
        url_key: "ghe.example.com/acme/lib".to_owned(),
        vcs: "git".to_owned(),
        credential: Some(credential),
        fork: false,
        next_check_at: NOW,
    };
    let package = packages::insert(org, tx, &package, NOW)?;
    tx.execute(
        "INSERT INTO repository (org_id, sync_id, remote_id, path, url, state, visibility, package_id, decision, found_at)
         VALUES (?1, ?2, '7', 'acme/lib', '', 'active', 'private', ?3, 'package', ?4)",
        (org, sync, package, NOW),
    )?;
    Ok((org, SyncKey { org, sync }, package))
}

fn delivery(guid: &str) -> Delivery {
    Delivery { guid: guid.to_owned(), event: "push".to_owned(), ..Delivery::default() }
}

#[tokio::test]
async fn a_push_updates_its_package_and_nothing_else() {
    let world = World::new().await;
    let push = Delivery { pushed: vec![("7".to_owned(), vec!["a".repeat(40)])], ..delivery("1") };
    assert_eq!(world.take(push).await, Taken::Queued);
    assert_eq!(world.waiting().await, ["update_package"]);
    assert!(world.hints().await.is_empty());
    let waiting = world.database.read(|db| jobs::all(db, 10)).await.unwrap();
    assert_eq!(waiting[0].package, Some(world.package));
    assert!(waiting[0].payload.contains(&"a".repeat(40)), "{}", waiting[0].payload);
}

#[tokio::test]
async fn a_push_to_what_is_no_package_yet_lets_the_repository_be_looked_at() {
    let world = World::new().await;
    let push = Delivery { pushed: vec![("8".to_owned(), Vec::new())], ..delivery("1") };
    assert_eq!(world.take(push).await, Taken::Queued);
    assert_eq!(world.waiting().await, ["sync_organization"]);
    let touch = serde_json::to_string(&Touch::Repository("8".to_owned())).unwrap();
    assert_eq!(world.hints().await, [touch]);
}

#[tokio::test]
async fn the_same_delivery_causes_its_work_once_unless_that_failed() {
    let world = World::new().await;
    let again = || Delivery { touched: vec![Touch::Members], ..delivery("1") };
    assert_eq!(world.take(again()).await, Taken::Queued);
    assert_eq!(world.take(again()).await, Taken::Known);
    assert_eq!(world.hints().await.len(), 1);
    world.end("done").await;
    assert_eq!(world.take(again()).await, Taken::Known, "what it caused went well");
    assert!(world.waiting().await.is_empty());
    assert_eq!(world.take(Delivery { touched: vec![Touch::Members], ..delivery("2") }).await, Taken::Queued);
    world.end("failed").await;
    let second = Delivery { touched: vec![Touch::Members], ..delivery("2") };
    assert_eq!(world.take(second).await, Taken::Queued, "what it caused failed");
    assert_eq!(world.waiting().await, ["sync_organization"]);
}

#[tokio::test]
async fn what_says_nothing_queues_nothing() {
    let world = World::new().await;
    assert_eq!(world.take(Delivery { is_ping: true, ..delivery("1") }).await, Taken::Ignored);
    assert_eq!(world.take(delivery("2")).await, Taken::Ignored);
    assert!(world.waiting().await.is_empty() && world.hints().await.is_empty());
}

#[tokio::test]
async fn whatever_happens_to_an_installation_everything_is_read() {
    let world = World::new().await;
    let installation = Some(Installation { id: 5, change: Some(InstallationChange::Suspended) });
    assert_eq!(world.take(Delivery { installation, ..delivery("1") }).await, Taken::Queued);
    assert_eq!(world.hints().await, [serde_json::to_string(&Touch::Everything).unwrap()]);
}

#[tokio::test]
async fn the_hook_of_one_repository_says_nothing_of_another() {
    let world = World::new().await;
    let push = |id: &str, guid: &str| Delivery { pushed: vec![(id.to_owned(), Vec::new())], ..delivery(guid) };
    assert_eq!(world.take_at(Some("8"), push("7", "1")).await, Taken::Ignored);
    let gone = Delivery { touched: vec![Touch::RepositoryGone("7".to_owned())], ..delivery("2") };
    assert_eq!(world.take_at(Some("8"), gone).await, Taken::Ignored);
    assert!(world.waiting().await.is_empty() && world.hints().await.is_empty());
    assert_eq!(world.take_at(Some("7"), push("7", "3")).await, Taken::Queued);
}

#[tokio::test]
async fn a_synchronization_that_runs_is_not_due() {
    let world = World::new().await;
    let due = async || world.database.read(|db| syncs::due(db, NOW)).await.unwrap().len();
    assert_eq!(due().await, 1);
    let key = world.key;
    let asked = move |tx: &Tx<'_>| {
        runs::run(tx, key, runs::Reason::Asked, None, NOW)?;
        tx.execute("UPDATE job SET state = 'running'", [])?;
        Ok::<_, Error>(())
    };
    world.database.write(asked).await.unwrap();
    assert_eq!(due().await, 0, "it says itself when it is due again");
    let ended = |tx: &Tx<'_>| Ok::<_, Error>(tx.execute("UPDATE job SET state = 'failed'", [])?);
    world.database.write(ended).await.unwrap();
    assert_eq!(due().await, 1);
}
