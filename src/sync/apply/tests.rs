use std::path::PathBuf;
use std::time::Duration;

use super::{Run, apply};
use crate::access::facts::GrantKind;
use crate::access::role::Role;
use crate::appliance::{Appliance, Mode, Settings};
use crate::catalog::Known;
use crate::clock::Clock;
use crate::outbound;
use crate::platform::remote::{Kind, RemoteOrganization, RepositoryState};
use crate::store::accounts::{self, Recorded};
use crate::store::ids::JobId;
use crate::store::members::Person;
use crate::store::sync_runs::{self, Begun, Ended};
use crate::store::{self, audit_log, credentials, organizations, packages, repositories, sync_hints, syncs, teams};
use crate::sync::local::{Decision, Local};
use crate::sync::plan::tests::{member, reader, repository, team, world};
use crate::sync::plan::{Leave, Plan, plan};
use crate::sync::read;
use crate::sync::request::{self, Reason, SyncKey};
use crate::vcs::url::UrlPolicy;
use crate::vcs::{self, Vcs};

struct Here {
    appliance: Appliance,
    key: SyncKey,
    _folder: tempfile::TempDir,
}

impl Here {
    async fn new(primary: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            data_dir: folder.path().join("data"),
            public_url: "https://packages.example.com".to_owned(),
            url_policy: UrlPolicy::default(),
            package_interval: Duration::from_secs(3600),
            sync_interval: Duration::from_secs(3600),
            access_max_age: None,
            max_upload: 64 << 20,
            credentials_directory: None,
        };
        let vcs = Vcs::new(vcs::Settings {
            executable: PathBuf::from("/nonexistent"),
            outbound: outbound::Settings::default(),
            policy: UrlPolicy::default(),
            deadline: Duration::from_secs(10),
            archive_deadline: Duration::from_secs(10),
            limits: vcs::Limits::default(),
            ssh_host_keys: vcs::HostKeyPolicy::AcceptNew,
        });
        let appliance = Appliance::open(settings, vcs, Clock::system(), Mode::CreateOrUpgrade).await.unwrap();
        let now = appliance.now();
        let add = move |tx: &store::Tx<'_>| {
            let org = organizations::insert(tx, "acme", "Acme", now)?;
            let recorded = Recorded { platform: "github".to_owned(), url: "https://github.example.com".to_owned() };
            accounts::record(tx, "ghe", &recorded, now)?;
            let new = credentials::New {
                name: "github".to_owned(),
                kind: "github-token".to_owned(),
                host: Some("github.example.com".to_owned()),
                port: None,
                username: None,
            };
            let credential = credentials::insert(org, tx, &new, now)?;
            let (integration, remote, packages) = ("ghe".to_owned(), "acme".to_owned(), "all");
            let new = syncs::New {
                integration,
                remote,
                remote_id: None,
                credential,
                primary,
                packages,
                follow_visibility: false,
            };
            Ok::<_, store::Error>(SyncKey { org, sync: syncs::insert(org, tx, &new, now)? })
        };
        let key = appliance.database.write(add).await.unwrap();
        Self { appliance, key, _folder: folder }
    }

    async fn local(&self) -> Local {
        let SyncKey { org, sync } = self.key;
        self.read(move |db| {
            let sync = syncs::by_id(org, db, sync)?.unwrap();
            read::local(org, db, &sync, UrlPolicy::default())
        })
        .await
    }

    async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&rusqlite::Connection) -> store::Result<T> + Send + 'static,
    ) -> T {
        self.appliance.database.read(question).await.unwrap()
    }

    async fn plan(&self, remote: &RemoteOrganization) -> Plan {
        plan(remote, &self.local().await, &Leave::default())
    }

    /// Makes it so here as it is there; afterwards nothing is left to be done.
    async fn synchronize(&self, remote: &RemoteOrganization) {
        let plan = self.plan(remote).await;
        assert!(plan.held.is_empty(), "{:?}", plan.because);
        self.apply(plan).await;
        let again = self.plan(remote).await;
        assert!(again.changes.is_empty() && again.repositories.is_empty() && again.accounts.is_empty(), "{again:?}");
    }

    async fn apply(&self, plan: Plan) {
        let now = self.appliance.now();
        let SyncKey { org, sync } = self.key;
        let row = self.read(move |db| syncs::by_id(org, db, sync)).await.unwrap();
        let run = Run {
            key: self.key,
            integration: "ghe".to_owned(),
            credential: row.credential,
            begun: Begun { job: JobId(1), cause: "asked", started_at: now },
            read: syncs::Read {
                remote_id: "1".to_owned(),
                remote: "acme".to_owned(),
                confirmed_at: Some(now),
                held: None,
            },
            ended: Ended { outcome: "changed", ..Ended::default() },
            hints: Some(i64::MAX),
            hooks: None,
        };
        apply(&self.appliance, run, plan).await.unwrap();
    }

    /// The packages that an account reads, by the numbers of their repositories.
    async fn reads(&self, account: usize) -> Vec<usize> {
        let SyncKey { org, sync } = self.key;
        let now = self.appliance.now();
        self.read(move |db| {
            let account = accounts::by_subject(db, "ghe", &account.to_string())?.unwrap();
            let known = Known::read(db, org, Person::Account(account.id))?;
            let set = known.access(now).set;
            let rows = repositories::all(org, db, sync)?.into_iter();
            let reads = rows.filter(|(_, row)| row.package.is_some_and(|package| known.includes(&set, package)));
            let mut reads: Vec<usize> = reads.map(|(id, _)| id.parse().unwrap()).collect();
            reads.sort_unstable();
            Ok(reads)
        })
        .await
    }

    async fn package(&self, repository: usize) -> packages::Package {
        let SyncKey { org, sync } = self.key;
        self.read(move |db| {
            let id = repositories::package_of(org, db, sync, &repository.to_string())?.unwrap();
            Ok(packages::by_id(org, db, id)?.unwrap())
        })
        .await
    }
}

#[tokio::test]
async fn who_reads_what_follows_the_platform() {
    let here = Here::new(true).await;
    let mut remote = world(6, 5, 0);
    remote.teams = vec![team(1, None, &[1, 2], &[0]), team(2, Some(1), &[2], &[1]), team(3, None, &[], &[2])];
    remote.members[3].reads = Some(GrantKind::Base);
    remote.readers = vec![reader(50, 4)];
    here.synchronize(&remote).await;
    assert_eq!(here.reads(0).await, [0, 1, 2, 3, 4, 5], "the owner");
    assert_eq!(here.reads(1).await, [0]);
    assert_eq!(here.reads(2).await, [0, 1]);
    assert_eq!(here.reads(3).await, [0, 1, 2, 3, 4, 5], "by the base permission");
    assert_eq!(here.reads(4).await, Vec::<usize>::new());
    assert_eq!(here.reads(50).await, [4]);
    // The team moves, somebody joins another, and the base permission goes.
    remote.teams[1].parent = Some("3".to_owned());
    remote.teams[2].members.insert("4".to_owned(), None);
    remote.teams[0].members.remove("2");
    remote.members[3].reads = None;
    remote.readers.clear();
    here.synchronize(&remote).await;
    assert_eq!((here.reads(2).await, here.reads(4).await), (vec![1, 2], vec![2]));
    assert_eq!((here.reads(3).await, here.reads(50).await), (vec![], vec![]));
    // Somebody is suspended, somebody leaves, and a team goes.
    remote.members[4].account.suspended = true;
    remote.members.remove(2);
    remote.teams.remove(1);
    here.synchronize(&remote).await;
    assert_eq!((here.reads(4).await, here.reads(2).await, here.reads(1).await), (vec![], vec![], vec![0]));
    remote.members[3].account.suspended = false;
    here.synchronize(&remote).await;
    assert_eq!(here.reads(4).await, [2]);
}

#[tokio::test]
async fn packages_follow_their_repositories() {
    let here = Here::new(true).await;
    let mut remote = world(3, 2, 1);
    here.synchronize(&remote).await;
    let before = here.package(1).await;
    let SyncKey { org, sync } = here.key;
    assert_eq!((before.sync, before.url.as_str()), (Some(sync), "https://github.example.com/acme/r1.git"));
    // Two exchange their names, and one is archived.
    let (first, second) = (remote.repositories[0].clone(), remote.repositories[1].clone());
    (remote.repositories[0].path, remote.repositories[0].clone_url) = (second.path, second.clone_url);
    (remote.repositories[1].path, remote.repositories[1].clone_url) = (first.path, first.clone_url);
    remote.repositories[2].state = RepositoryState::Archived;
    here.synchronize(&remote).await;
    let after = here.package(1).await;
    assert_eq!((after.id, after.url.as_str()), (before.id, "https://github.example.com/acme/r0.git"));
    assert!(here.package(2).await.archived);
    // One goes: it is listed no more, and whoever read it reads its archives still.
    remote.repositories.remove(0);
    here.synchronize(&remote).await;
    assert!(here.package(0).await.retired_at.is_some());
    assert_eq!(here.read(move |db| packages::all(org, db)).await.len(), 2);
    assert_eq!(here.reads(1).await, [0, 1]);
    // And one is removed by hand, and stays so until somebody wants it.
    let id = here.package(1).await.id;
    let now = here.appliance.now();
    let remove = move |tx: &store::Tx<'_>| {
        repositories::set_removed(org, tx, id)?;
        packages::remove(org, tx, id, now)
    };
    here.appliance.database.write(remove).await.unwrap();
    here.synchronize(&remote).await;
    let rows = here.local().await.repositories;
    assert_eq!((rows["1"].decision, rows["1"].package), (Decision::Removed, None));
    let write = here.appliance.database.write(move |tx| repositories::set_wanted(org, tx, sync, "1"));
    assert!(write.await.unwrap());
    here.synchronize(&remote).await;
    assert_eq!(here.package(1).await.retired_at, None);
}

#[tokio::test]
async fn a_large_run_is_done_in_pieces_and_told_once() {
    let here = Here::new(true).await;
    let mut remote = world(700, 40, 12);
    remote.teams = (0..12).map(|id| team(id, (id > 5).then(|| id - 6), &[1, 2, 3], &[id, id + 20, id + 40])).collect();
    here.synchronize(&remote).await;
    let SyncKey { org, sync } = here.key;
    let runs = here.read(move |db| sync_runs::newest(org, db, sync, None, 10)).await;
    assert_eq!((runs.len(), runs[0].outcome.as_str()), (1, "changed"));
    let id = runs[0].id;
    let changes = here.read(move |db| sync_runs::changes(org, db, id, 0, 10_000)).await;
    assert!(changes.len() > 700 + 40 + 12, "{}", changes.len());
    let counts = here.read(move |db| syncs::counts(org, db, sync)).await;
    assert_eq!((counts.packages, counts.teams, counts.members), (700, 12, 40));
    let paths: Vec<String> = here.read(move |db| teams::all(org, db)).await.into_iter().map(|team| team.path).collect();
    assert!(paths.contains(&"t5/t11".to_owned()), "{paths:?}");
    let entries = here.read(move |db| audit_log::oldest(db, &audit_log::Filter::default(), 0, 5000)).await;
    assert!(entries.iter().filter(|entry| entry.actor == "sync").count() == changes.len());
}

#[tokio::test]
async fn what_events_said_is_forgotten_when_it_was_looked_at() {
    let here = Here::new(false).await;
    let (key, now) = (here.key, here.appliance.now());
    let SyncKey { org, sync } = key;
    let ask = move |tx: &store::Tx<'_>| {
        let touches = [crate::platform::remote::Touch::Members, crate::platform::remote::Touch::Teams];
        let job = request::touched(tx, key, &touches, now)?;
        let same = request::run(tx, key, Reason::Asked, Some("x".to_owned()), now)?;
        Ok::<_, store::Error>((job, same))
    };
    let (job, same) = here.appliance.database.write(ask).await.unwrap();
    assert_eq!(job, same, "both are one run");
    assert_eq!(here.read(move |db| sync_hints::of(org, db, sync)).await.len(), 2);
    let remote = world(1, 2, 0);
    here.synchronize(&remote).await;
    assert!(here.read(move |db| sync_hints::of(org, db, sync)).await.is_empty());
    let members = here.local().await.members;
    assert_eq!((members["0"].role, members["0"].there), (Role::Member, Role::Owner));
    // Promoted, its owners are the owners.
    here.appliance.database.write(move |tx| syncs::promote(org, tx, sync)).await.unwrap();
    assert_eq!(here.local().await.members["0"].role, Role::Owner);
    here.synchronize(&remote).await;
}

#[tokio::test]
async fn what_nobody_confirms_does_not_count() {
    let here = Here::new(true).await;
    let remote = world(2, 2, 1);
    here.synchronize(&remote).await;
    assert_eq!(here.reads(1).await, [0, 1]);
    let (SyncKey { org, sync }, now) = (here.key, here.appliance.now());
    here.appliance.database.write(move |tx| syncs::set_stale(org, tx, sync, Some(now))).await.unwrap();
    assert_eq!((here.reads(1).await, here.reads(0).await), (vec![], vec![]));
    let explained = here
        .read(move |db| {
            let account = accounts::by_subject(db, "ghe", "1")?.unwrap().id;
            let package = packages::all(org, db)?[0].id;
            Ok(Known::read(db, org, Person::Account(account))?.explain(package, now))
        })
        .await;
    assert!(explained.because[0].detail.contains("no run has confirmed it"), "{explained:?}");
    here.synchronize(&remote).await;
    assert_eq!(here.reads(1).await, [0, 1], "a run that gets through ends that");
}

#[tokio::test]
async fn found_people_wait_where_somebody_has_to_say_yes() {
    let here = Here::new(true).await;
    let org = here.key.org;
    here.appliance.database.write(move |tx| store::policies::set_manual(org, tx, true)).await.unwrap();
    let mut remote = world(1, 2, 1);
    remote.incomplete.insert(Kind::Permission);
    here.synchronize(&remote).await;
    assert_eq!(here.reads(1).await, Vec::<usize>::new());
    remote.members.push(member(7, Role::Member));
    remote.repositories.push(repository(9));
    here.synchronize(&remote).await;
    assert_eq!(here.reads(7).await, Vec::<usize>::new());
}
