//! Packages by command.

use std::fs;

use serde_json::{Value, json};

use crate::world::{World, keys};

#[test]
fn a_package_is_imported_shown_and_removed_without_a_server() {
    let world = World::with_organization();
    let (url, commit) = world.repository("foo", &json!({ "name": "acme/foo" }));
    assert_eq!(world.run(&format!("package add {url} --wait")).line(), "acme/foo");
    world.run(&format!("package add {url}")).refused(1, "it is package 1 (acme/foo)");

    let list = world.run("package list --json").json();
    let expected = [
        "id",
        "name",
        "type",
        "url",
        "vcs",
        "credential",
        "sync",
        "status",
        "error",
        "abandoned",
        "versions",
        "updated_at",
    ];
    assert_eq!(keys(&list[0]), expected);
    assert_eq!(list[0]["id"], 1);
    assert_eq!(list[0]["status"], "ok");
    assert_eq!(list[0]["versions"], 2);
    assert_eq!(
        (&list[0]["credential"], &list[0]["sync"], &list[0]["error"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );

    for name in ["acme/foo", "1", url.as_str(), "./repositories/foo"] {
        let shown = world.run(&format!("package show {name} --json")).json();
        assert_eq!(keys(&shown)[12..], ["version_list", "skipped", "archive_error"], "{name}");
        assert_eq!(shown["version_list"][0]["version_normalized"], "1.0.0.0", "the newest comes first");
        assert_eq!(shown["version_list"][0]["reference"], commit.as_str());
        assert!(shown["version_list"][0]["time"].as_str().unwrap().ends_with('Z'));
        assert_eq!(shown["skipped"][0]["ref"], "refs/tags/nonsense");
    }
    world.run("package show acme/bar").refused(1, "no package `acme/bar`");
    world.run("vendor remove acme").refused(1, "1 package has it");

    assert!(world.data().join("mirrors/1.git").exists());
    world.run("package remove acme/foo").done();
    assert!(!world.data().join("mirrors/1.git").exists());
    assert_eq!(world.run("package list --json").json(), json!([]));
    world.run("vendor remove acme").done();
}

#[test]
fn waiting_tells_why_it_failed() {
    let world = World::with_organization();
    let (bad, _) = world.repository("bad", &json!({ "name": "no name" }));
    let (good, _) = world.repository("good", &json!({ "name": "acme/good" }));
    let said = world.run(&format!("package add {bad} --wait")).refused(1, "error: ");
    assert!(said.err.contains("it is package 1"), "{said:?}");
    world.run(&format!("package add {good} --wait")).done();
    let said = world.run("package update --all --wait").refused(1, "repositories/bad: ");
    assert!(said.err.contains("acme/good: done"), "{said:?}");
    world.run("package update acme/good --wait").done();
    let failed = world.run("package list --json").json();
    assert_eq!(failed[1]["status"], "failed");
    let error = failed[1]["error"].as_str().unwrap();
    let list = world.run("package list").done().out;
    let shown = list.lines().last().unwrap();
    let (sentence, remedy) = error.split_once(". ").unwrap_or((error, ""));
    assert!(shown.contains(sentence.trim_end_matches('.')), "{shown}");
    assert!(remedy.is_empty() || !shown.contains(remedy), "{shown}");
    assert!(world.run("package show 1").done().out.contains(error));
}

#[test]
fn work_without_a_server_waits_for_one() {
    let world = World::with_organization();
    let (url, _) = world.repository("foo", &json!({ "name": "acme/foo" }));
    let added = world.run(&format!("package add {url}"));
    assert!(added.err.contains("No server is running"), "{added:?}");
    assert_eq!(added.line(), "1");
    assert_eq!(world.run("package list --json").json()[0]["name"], Value::Null);
    let jobs = world.run("job list --json").json();
    assert_eq!((&jobs[0]["state"], &jobs[0]["id"]), (&json!("ready"), &json!(1)));
    world.run("job retry 1").refused(1, "job 1 is waiting");
    world.run("job cancel 1").done();
    world.run("job cancel 1").refused(1, "job 1 is cancelled");
    world.run("job retry 1").done();
    world.run("job retry 99").refused(1, "there is no job 99");
    let server = world.serve();
    world.run("package update 1 --wait").done();
    assert_eq!(world.run("package list --json").json()[0]["name"], "acme/foo");
    server.stop();
}

#[test]
fn addresses_with_secrets_are_refused_without_repeating_them() {
    let world = World::with_organization();
    let said = world.run("package add https://ci:hunter2@git.example.com/a/b").refused(1, "credential add");
    assert!(!said.err.contains("hunter2"), "{said:?}");
    for way in ["http://git.example.com/a/b", "git://git.example.com/a/b"] {
        world.run(&format!("package add {way}")).refused(1, "allow_insecure");
    }
    world.run("package add /etc").refused(1, "file_roots");
    world.run("package add svn://svn.example.com/a/b").refused(1, "allow_insecure");
    world.run("package add git@svn.example.com:a/b --vcs svn").refused(1, "Subversion repositories are reached by");
    for way in ["ssh://git@git.example.com/a/b", "git@git.example.com:a/b"] {
        world.run(&format!("package add {way}")).refused(1, "--type ssh-key --host git.example.com --generate");
    }
    assert_eq!(world.run("package list --json").json(), json!([]));
}

#[test]
fn forgetting_takes_a_whole_commit() {
    let world = World::with_organization();
    let (url, commit) = world.repository("foo", &json!({ "name": "acme/foo" }));
    world.run(&format!("package add {url} --wait")).done();
    world.run("package forget acme/foo main").refused(1, "the reference is a whole commit id");
    world.run(&format!("package forget acme/foo {}", &commit[..10])).refused(1, "git rev-parse");
    let said = world.run(&format!("package forget acme/foo {commit}")).done();
    assert!(said.err.contains("A version names this commit still"), "{said:?}");
    let said = world.run(&format!("package forget acme/foo {}", "ab".repeat(20))).done();
    assert!(said.err.contains("No archive of this commit was ever made"), "{said:?}");
}

#[test]
fn a_new_vendor_is_held_until_it_is_added() {
    let world = World::with_organization();
    let (url, _) = world.repository("foo", &json!({ "name": "acme/foo" }));
    world.run(&format!("package add {url} --wait")).done();
    world.commit("foo", &json!({ "name": "umbrella/foo" }));
    world.run("package update 1 --wait").refused(1, "vendor add umbrella");
    assert_eq!(world.run("package list --json").json()[0]["status"], "held");
    world.run("vendor add Umbrella").refused(1, "umbrella");
    world.run("vendor add umbrella").done();
    // The server finds the update that the vendor's adding has queued.
    let server = world.serve();
    world.run("package update 1 --wait").done();
    assert_eq!(world.run("package list --json").json()[0]["name"], "umbrella/foo");
    assert_eq!(world.run("package show acme/foo --json").json()["id"], 1, "its former name is still its");
    server.stop();
}

#[test]
fn adding_a_vendor_queues_what_was_held() {
    let world = World::with_organization();
    let (url, _) = world.repository("foo", &json!({ "name": "acme/foo" }));
    world.run(&format!("package add {url} --wait")).done();
    world.commit("foo", &json!({ "name": "umbrella/foo" }));
    world.run("package update 1 --wait").refused(1, "vendor add umbrella");
    let ready = |world: &World| {
        let jobs = world.run("job list --json").json();
        jobs.as_array().unwrap().iter().filter(|job| job["state"] == "ready" && job["attempt"] == 0).count()
    };
    assert_eq!(ready(&world), 0);
    world.run("vendor add umbrella").done();
    assert_eq!(ready(&world), 1);
}

#[test]
fn removing_a_package_queues_what_waited_for_its_name() {
    let world = World::with_organization();
    for name in ["foo", "bar"] {
        let (url, _) = world.repository(name, &json!({ "name": "acme/same" }));
        world.run(&format!("package add {url} --wait"));
    }
    assert_eq!(world.run("package show 2 --json").json()["status"], "held");
    world.run("package remove 1").done();
    let jobs = world.run("job list --json").json();
    let queued = jobs.as_array().unwrap().iter().filter(|job| job["state"] == "ready").count();
    assert_eq!(queued, 1, "{jobs}");
    world.run("package update 2 --wait").done();
    assert_eq!(world.run("package show 2 --json").json()["name"], "acme/same");
}

#[test]
fn archives_go_when_the_last_package_with_their_content_goes() {
    let world = World::with_organization();
    for name in ["foo", "bar"] {
        let (url, _) = world.repository(name, &json!({ "name": format!("acme/{name}") }));
        world.run(&format!("package add {url} --wait")).done();
    }
    let digest = [0xab_u8; 32];
    let archive = world.data().join("dists/ab").join(format!("{}.zip", "ab".repeat(32)));
    fs::create_dir_all(archive.parent().unwrap()).unwrap();
    fs::write(&archive, "zip").unwrap();
    let database = rusqlite::Connection::open(world.data().join("packagist.sqlite")).unwrap();
    let changed = database.execute("UPDATE dist SET digest = ?1, size = 3", [digest.as_slice()]).unwrap();
    assert_eq!(changed, 2);
    drop(database);
    world.run("package remove acme/foo").done();
    assert!(archive.exists(), "acme/bar has the same bytes");
    world.run("org remove acme").done();
    assert!(!archive.exists());
    assert!(!world.data().join("mirrors/2.git").exists());
}
