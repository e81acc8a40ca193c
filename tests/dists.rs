//! Archives that many ask for at once, that cannot be built, or that are purged while they are built.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "support/appliance.rs"]
mod appliance;
#[path = "support/work_tree.rs"]
mod work_tree;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use appliance::TestAppliance;
use futures_util::future::join_all;
use packagist_selfhosted::admin::{Actor, files, packages};
use packagist_selfhosted::appliance::{Appliance, PackageKey};
use packagist_selfhosted::jobs::Ended;
use packagist_selfhosted::jobs::build_dist::{Archive, DistError, Dists};
use packagist_selfhosted::storage::Digest;
use packagist_selfhosted::store::dists;
use packagist_selfhosted::vcs::{self, Limits, Vcs};
use packagist_selfhosted::{outbound, store};
use tokio::task::JoinHandle;
use work_tree::WorkTree;

/// An instance with one package of one organization, and workers that are counted and can be held up.
struct Scene {
    world: TestAppliance,
    appliance: Appliance,
    repository: WorkTree,
    key: PackageKey,
    /// A published commit.
    commit: String,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn new(limits: Limits) -> Self {
        let world = TestAppliance::start().await;
        let org = world.organization("acme").await;
        let repository = WorkTree::init(&world.repositories.join("lib"));
        let commit = repository.release("acme/lib", "one");
        repository.git(&["tag", "v1.0.0"]);
        let (key, ended) = world.import(org, &repository.url(), false).await;
        assert_eq!(ended, Ended::Done);
        let folder = tempfile::tempdir().unwrap();
        let mut appliance = world.appliance.clone();
        appliance.vcs = Vcs::new(vcs::Settings {
            executable: stand_in(folder.path()),
            outbound: outbound::Settings::default(),
            policy: appliance.settings.url_policy.clone(),
            deadline: Duration::from_secs(60),
            archive_deadline: Duration::from_secs(60),
            limits,
            ssh_host_keys: packagist_selfhosted::vcs::HostKeyPolicy::AcceptNew,
        });
        Self { world, appliance, repository, key, commit, folder }
    }

    fn dists(&self) -> Dists {
        Dists::new(self.appliance.clone())
    }

    /// How many workers were started.
    fn workers(&self) -> usize {
        std::fs::read_to_string(self.folder.path().join("started")).map_or(0, |text| text.lines().count())
    }

    /// Holds up the first so many workers.
    fn hold(&self, workers: usize) {
        std::fs::write(self.folder.path().join("hold"), format!("{workers}\n")).unwrap();
    }

    fn release(&self) {
        std::fs::remove_file(self.folder.path().join("hold")).unwrap();
    }

    async fn until_workers(&self, count: usize) {
        let started = async {
            while self.workers() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), started).await.expect("workers start");
    }

    /// Files of archives, whole or unfinished.
    fn files(&self) -> Vec<PathBuf> {
        let data = &self.appliance.settings.data_dir;
        let mut found = Vec::new();
        let mut folders = vec![data.join("dists"), data.join("unfinished")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                if entry.path().is_dir() { folders.push(entry.path()) } else { found.push(entry.path()) }
            }
        }
        found
    }

    async fn forget(&self, commit: &str) {
        let package = self.world.package(self.key).await;
        packages::forget(&self.appliance, &Actor::Command, self.key.org, &package, commit).await.unwrap();
    }

    /// Stores a file as a build does, and records nothing.
    fn place(&self, digest: Digest) -> PathBuf {
        let storage = &self.appliance.storage;
        storage.finish(storage.begin().unwrap(), &digest).unwrap().place().unwrap()
    }
}

/// A program in the executable's place: it counts, waits as long as it is told to, and becomes the real one.
fn stand_in(folder: &Path) -> PathBuf {
    let path = folder.join("worker");
    let script = format!(
        "#!/bin/sh\ncd '{}'\necho started >> started\nmine=$(wc -l < started)\n\
         while [ -e hold ] && [ \"$mine\" -le \"$(cat hold 2>/dev/null || echo 0)\" ]; do sleep 0.02; done\n\
         exec '{}' \"$@\"\n",
        folder.display(),
        env!("CARGO_BIN_EXE_packagist-selfhosted"),
    );
    // Written by another process: one that is being started meanwhile would inherit our open file, and a program that
    // somebody may write to cannot be started.
    let mut copy = Command::new("cp").arg("/dev/stdin").arg(&path).stdin(Stdio::piped()).spawn().unwrap();
    copy.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(copy.wait().unwrap().success());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn ask(dists: &Dists, key: PackageKey, commit: &str) -> JoinHandle<Result<Archive, DistError>> {
    let (dists, commit) = (dists.clone(), commit.to_owned());
    tokio::spawn(async move { dists.get(key, &commit).await })
}

async fn ask_often(dists: &Dists, key: PackageKey, commit: &str) -> Vec<Result<Archive, DistError>> {
    let answers = join_all((0..30).map(|_| ask(dists, key, commit))).await;
    answers.into_iter().map(Result::unwrap).collect()
}

fn made_up(number: usize) -> String {
    format!("{:040x}", 0xbad_0000 + number)
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_ask_one_builds() {
    let scene = Scene::new(Limits::default()).await;
    let answers = ask_often(&scene.dists(), scene.key, &scene.commit).await;
    let first = answers[0].clone().expect("it is built");
    assert_eq!(first.size, std::fs::metadata(&first.path).unwrap().len());
    assert!(answers.into_iter().all(|answer| answer.is_ok_and(|archive| archive.digest == first.digest)));
    assert_eq!(scene.workers(), 1);
    assert!(scene.dists().get(scene.key, &scene.commit).await.is_ok());
    assert_eq!((scene.workers(), scene.files()), (1, vec![first.path]), "it is stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_was_cut_off_is_built_again() {
    let scene = Scene::new(Limits::default()).await;
    let first = scene.dists().get(scene.key, &scene.commit).await.unwrap();
    let whole = std::fs::read(&first.path).unwrap();
    for length in [0, whole.len() / 2] {
        std::fs::write(&first.path, &whole[..length]).unwrap();
        let again = scene.dists().get(scene.key, &scene.commit).await.unwrap();
        assert_eq!((again.digest, std::fs::read(&again.path).unwrap()), (first.digest, whole.clone()));
    }
    assert_eq!(scene.workers(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_an_archive_finds_damaged_is_repaired_without_being_told() {
    let scene = Scene::new(Limits::default()).await;
    std::fs::remove_dir_all(scene.appliance.mirror(scene.key.package)).unwrap();
    let failed = scene.dists().get(scene.key, &scene.commit).await;
    assert!(matches!(failed, Err(DistError::Failed(_))), "{failed:?}");
    let PackageKey { org, package } = scene.key;
    while scene.world.read(move |db| store::jobs::is_pending(org, db, package)).await {
        tokio::task::yield_now().await;
    }
    assert!(scene.dists().get(scene.key, &scene.commit).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_built_is_tried_once_for_all() {
    let scene = Scene::new(Limits { archive_bytes: 10, ..Limits::default() }).await;
    let dists = scene.dists();
    let answers = ask_often(&dists, scene.key, &scene.commit).await;
    assert!(matches!(&answers[0], Err(DistError::Refused(reason)) if reason.contains("limit")), "{:?}", answers[0]);
    for answer in &answers {
        assert_eq!(answer.as_ref().err(), answers[0].as_ref().err());
    }
    assert_eq!(scene.workers(), 1);
    let again = dists.get(scene.key, &scene.commit).await;
    assert_eq!(again.err(), answers[0].as_ref().err().cloned());
    assert_eq!((scene.workers(), scene.files()), (1, Vec::new()), "it is remembered, and left nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiter_that_leaves_takes_nothing_from_others() {
    let scene = Scene::new(Limits::default()).await;
    let dists = scene.dists();
    scene.hold(1);
    let leaves = ask(&dists, scene.key, &scene.commit);
    scene.until_workers(1).await;
    let stays = ask(&dists, scene.key, &scene.commit);
    leaves.abort();
    assert!(leaves.await.is_err_and(|error| error.is_cancelled()));
    scene.release();
    assert!(stays.await.unwrap().is_ok());
    assert_eq!(scene.workers(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_commits_take_nothing_from_published_ones() {
    let scene = Scene::new(Limits::default()).await;
    let dists = scene.dists();
    // All that are admitted wait behind the first one.
    scene.hold(1);
    let guesses: Vec<_> = (0..100).map(|number| ask(&dists, scene.key, &made_up(number))).collect();
    scene.until_workers(1).await;
    let published = dists.get(scene.key, &scene.commit).await;
    assert!(published.is_ok(), "{published:?}");
    scene.release();
    let answers: Vec<_> = join_all(guesses).await.into_iter().map(Result::unwrap).collect();
    let busy = answers.iter().filter(|answer| matches!(answer, Err(DistError::Busy { .. }))).count();
    let unknown = answers.iter().filter(|answer| matches!(answer, Err(DistError::Unknown))).count();
    assert_eq!(busy + unknown, 100, "{answers:?}");
    assert!(unknown >= 30, "the burst is answered: {unknown}");
    assert!(busy >= 40, "others are sent away: {busy}");
    assert_eq!(scene.workers(), unknown + 1, "who is sent away costs no worker");
    let known = answers.iter().position(|answer| matches!(answer, Err(DistError::Unknown))).unwrap();
    assert_eq!(dists.get(scene.key, &made_up(known)).await.err(), Some(DistError::Unknown));
    assert_eq!(scene.workers(), unknown + 1, "absence is remembered, and no matter of rate");
    // Few enough to wait all at once, but the burst is spent.
    let more = join_all((100..130).map(|number| ask(&dists, scene.key, &made_up(number)))).await;
    assert!(more.into_iter().any(|answer| matches!(answer.unwrap(), Err(DistError::Busy { .. }))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_absent_is_built_once_it_is_published() {
    let scene = Scene::new(Limits::default()).await;
    let dists = scene.dists();
    let commit = scene.repository.release("acme/lib", "two");
    assert_eq!(dists.get(scene.key, &commit).await.err(), Some(DistError::Unknown));
    assert_eq!(scene.world.update(scene.key).await, Ended::Done);
    assert!(dists.get(scene.key, &commit).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_purged_while_it_is_built_is_neither_served_nor_kept() {
    let scene = Scene::new(Limits::default()).await;
    let dists = scene.dists();
    scene.hold(1);
    let waiting: Vec<_> = (0..5).map(|_| ask(&dists, scene.key, &scene.commit)).collect();
    scene.until_workers(1).await;
    scene.forget(&scene.commit).await;
    scene.release();
    for answer in join_all(waiting).await {
        assert_eq!(answer.unwrap().err(), Some(DistError::Forgotten));
    }
    assert_eq!(scene.files(), Vec::<PathBuf>::new());
    assert_eq!(dists.get(scene.key, &scene.commit).await.err(), Some(DistError::Forgotten));
    assert_eq!(scene.workers(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_removed_while_its_archive_is_built_leaves_nothing() {
    let scene = Scene::new(Limits::default()).await;
    let dists = scene.dists();
    scene.hold(1);
    let waiting = ask(&dists, scene.key, &scene.commit);
    scene.until_workers(1).await;
    // Only its row, so that the build comes to its end.
    let PackageKey { org, package } = scene.key;
    let now = scene.appliance.now();
    let removed = scene.appliance.database.write(move |tx| store::packages::remove(org, tx, package, now)).await;
    removed.unwrap();
    scene.release();
    assert_eq!(waiting.await.unwrap().err(), Some(DistError::Unknown));
    assert_eq!(scene.files(), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn purging_again_removes_what_the_first_time_left() {
    let scene = Scene::new(Limits::default()).await;
    let dists = scene.dists();
    let archive = dists.get(scene.key, &scene.commit).await.unwrap();
    // As if the process had been killed between the commit and the removal of the file.
    let (PackageKey { org, package }, commit, now) = (scene.key, scene.commit.clone(), scene.appliance.now());
    let left = scene.appliance.database.write(move |tx| dists::forget(org, tx, package, &commit, &commit, now)).await;
    assert_eq!(left.unwrap(), Some(archive.digest.to_vec()));
    assert!(archive.path.exists());
    assert_eq!(dists.get(scene.key, &scene.commit).await.err(), Some(DistError::Forgotten));
    scene.forget(&scene.commit).await;
    assert!(!archive.path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_that_no_book_names_are_swept_at_the_start() {
    let scene = Scene::new(Limits::default()).await;
    let kept = scene.dists().get(scene.key, &scene.commit).await.unwrap();
    let second = scene.repository.release("acme/lib", "two");
    assert_eq!(scene.world.update(scene.key).await, Ended::Done);
    let purged = scene.dists().get(scene.key, &second).await.unwrap();
    let (PackageKey { org, package }, now) = (scene.key, scene.appliance.now());
    let forgotten = scene.appliance.database.write(move |tx| dists::forget(org, tx, package, &second, &second, now));
    forgotten.await.unwrap();
    // More than are removed in one transaction, and one beside the archive that stays.
    let mut lost: Vec<_> = (0..120).map(|number| scene.place([number; 32])).collect();
    let mut beside = kept.digest;
    beside[31] ^= 1;
    lost.extend([scene.place(beside), purged.path]);
    let foreign = kept.path.with_file_name("README");
    std::fs::write(&foreign, "not ours").unwrap();

    let Scene { world, appliance, .. } = scene;
    drop(appliance);
    let world = world.restart().await;
    files::sweep(&world.appliance).await.unwrap();
    assert_eq!(lost.iter().filter(|path| path.exists()).count(), 0);
    assert!(kept.path.exists() && foreign.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_of_commits_that_were_never_a_versions_make_room() {
    let scene = Scene::new(Limits::default()).await;
    let mut commits: Vec<_> =
        (0..22).map(|number| scene.repository.release("acme/lib", &format!("change {number}"))).collect();
    scene.repository.release("acme/lib", "the last");
    assert_eq!(scene.world.update(scene.key).await, Ended::Done);
    let dists = scene.dists();
    let mut built = Vec::new();
    for commit in &commits {
        built.push(dists.get(scene.key, commit).await.unwrap().path);
    }
    let there: Vec<_> = built.iter().map(|path| path.exists()).collect();
    assert_eq!(there.iter().filter(|there| **there).count(), 20, "{there:?}");
    assert!(!there[0] && !there[1], "the oldest went");
    assert!(dists.get(scene.key, &commits.remove(0)).await.unwrap().path.exists(), "and come back when asked for");
}
