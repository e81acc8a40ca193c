//! Disks that take nothing more, a database that somebody else holds, and one that is none: nothing that was accepted is
//! lost, what is published is served on, and everything goes on by itself afterwards.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::json;

use crate::world::{Server, World};

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A served package of which one archive is stored and one is not.
struct Scene {
    world: World,
    server: Server,
    token: String,
    hook: String,
    stored: String,
    unbuilt: String,
}

impl Scene {
    fn new() -> Self {
        let world = World::with_organization();
        let server = world.serve();
        let (url, first) = world.repository("foo", &json!({ "name": "acme/foo" }));
        let second = world.commit("foo", &json!({ "name": "acme/foo", "description": "newer" }));
        assert_eq!(world.run(&format!("package add {url} --wait")).line(), "acme/foo");
        let token = world.run("token add --access read").line();
        let hook = world.run("package hook acme/foo").line();
        let hook = format!("/hooks/{}", hook.rsplit('/').next().unwrap());
        let [stored, unbuilt] = [first, second].map(|commit| format!("/repo/acme/dists/acme/foo/{commit}.zip"));
        assert_eq!(server.get(&stored, &token).0, 200);
        Self { world, server, token, hook, stored, unbuilt }
    }

    /// What must hold while nothing can be written.
    fn reads_go_on_and_writes_are_refused(&self) {
        for _ in 0..3 {
            let (status, answer) = self.server.post(&self.hook);
            assert_eq!(status, 503, "{answer}");
            assert!(answer.to_ascii_lowercase().contains("retry-after: "), "{answer}");
        }
        for path in ["/repo/acme/p2/acme/foo.json", "/repo/acme/packages.json", &self.stored, "/healthz"] {
            assert_eq!(self.server.get(path, &self.token).0, 200, "{path}");
        }
        let (status, answer) = self.server.get(&self.unbuilt, &self.token);
        assert_eq!(status, 503, "{answer}");
        assert!(answer.to_ascii_lowercase().contains("retry-after: ") && answer.contains("\"warning\""), "{answer}");
        for _ in 0..3 {
            let (status, answer) = self.server.get("/readyz", "");
            assert!(status == 503 && answer.contains("the database "), "{answer}");
        }
        let update = self.world.run("package update --all --wait");
        assert_eq!(update.code, Some(1), "{update:?}");
        assert!(update.err.contains("database"), "{update:?}");
    }

    /// What must hold as soon as that is over.
    fn everything_goes_on(self) {
        self.world.commit("foo", &json!({ "name": "acme/foo", "description": "newest" }));
        wait_for("readiness", || self.server.get("/readyz", "").0 == 200);
        wait_for("the hook", || self.server.post(&self.hook).0 == 202);
        let document = "/repo/acme/p2/acme/foo~dev.json";
        wait_for("the new version", || self.server.get(document, &self.token).1.contains("newest"));
        wait_for("the archive", || self.server.get(&self.unbuilt, &self.token).0 == 200);
        self.world.run("package update --all --wait").done();
        let log = self.server.stop();
        for once in ["The database cannot be written", "The database can be written again.", "The server is not ready"]
        {
            assert_eq!(log.matches(once).count(), 1, "{once}: {log}");
        }
    }
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Lets a process write no file beyond its first byte, or as it was: a full disk for everybody, root or not.
fn limit_files(process: Pid, size: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    prlimit(Some(process), Resource::Fsize, Rlimit { current: size.or(maximum), maximum }).unwrap();
}

#[test]
fn a_full_disk_loses_nothing_and_is_told_once() {
    let scene = Scene::new();
    limit_files(scene.server.pid(), Some(1));
    scene.reads_go_on_and_writes_are_refused();
    limit_files(scene.server.pid(), None);
    scene.everything_goes_on();
}

#[test]
fn a_database_that_somebody_else_holds_is_waited_for_with_patience_and_then_without() {
    let scene = Scene::new();
    let other = Connection::open(scene.world.data().join("packagist.sqlite")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    scene.reads_go_on_and_writes_are_refused();
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    scene.everything_goes_on();
}

#[test]
fn a_data_directory_that_was_moved_away_is_missed_and_not_made_anew() {
    let scene = Scene::new();
    let (data, away) = (scene.world.data(), scene.world.path().join("away"));
    fs::rename(&data, &away).unwrap();
    for _ in 0..2 {
        assert_eq!(scene.server.post(&scene.hook).0, 503, "nobody may find what is stored there");
    }
    assert_eq!(scene.server.get("/repo/acme/p2/acme/foo.json", &scene.token).0, 200);
    assert_eq!(scene.server.get("/healthz", "").0, 200);
    let (status, answer) = scene.server.get("/readyz", "");
    assert!(status == 503 && answer.contains("the database refused"), "{answer}");
    for archive in [&scene.stored, &scene.unbuilt] {
        let (status, answer) = scene.server.get(archive, &scene.token);
        assert_eq!(status, 503, "{answer}");
    }
    assert!(!data.exists(), "something is where the data directory was");
    fs::rename(&away, &data).unwrap();
    scene.everything_goes_on();
}

#[test]
fn a_log_that_was_deleted_takes_nothing_along() {
    let scene = Scene::new();
    assert_eq!(scene.server.post(&scene.hook).0, 202);
    fs::remove_file(scene.world.data().join("packagist.sqlite-wal")).unwrap();
    let (status, answer) = scene.server.get("/readyz", "");
    assert!(status == 503 && answer.contains("the database refused"), "{answer}");
    assert_eq!(scene.server.post(&scene.hook).0, 503);
    assert_eq!(scene.server.get("/repo/acme/p2/acme/foo.json", &scene.token).0, 200);
    let log = scene.server.kill();
    assert!(log.contains("start the server again"), "{log}");
    let server = scene.world.serve();
    assert_eq!(server.get("/repo/acme/p2/acme/foo.json", &scene.token).0, 200, "what was only in the log is there");
    assert_eq!(server.post(&scene.hook).0, 202);
    server.stop();
}

#[test]
fn a_damaged_database_ends_the_start_with_a_remedy() {
    let world = World::with_organization();
    let database = world.data().join("packagist.sqlite");
    let whole = fs::read(&database).unwrap();
    for damage in [vec![b'x'; whole.len()], [&[0; 100], &whole[100..]].concat()] {
        put(&database, &damage);
        for command in ["serve", "org list"] {
            world.run(command).refused(1, "the database is damaged (");
        }
        assert_eq!(fs::read(&database).unwrap(), damage, "it is left for whoever wants to rescue something");
    }
    put(&database, &whole);
    world.serve().stop();
}

fn put(database: &Path, bytes: &[u8]) {
    fs::write(database, bytes).unwrap();
    for beside in ["packagist.sqlite-wal", "packagist.sqlite-shm"] {
        // They belong to the database that was there before.
        let _ = fs::remove_file(database.with_file_name(beside));
    }
}
