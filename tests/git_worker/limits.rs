//! What one repository may take: of time, of memory, of the disk. The same rules with small numbers; the large ones are
//! tried by `tests/limits.rs`.

use std::path::Path;
use std::time::Duration;

use packagist_selfhosted::vcs::{Headroom, Pace};

use super::failures::{noise, refs_of, workers_on, write_program};
use super::full_disk::FullDisk;
use super::git_server::Fault;
use super::{Manifest, Scene, Update, VcsError, find, names};

/// Files of a mirror that an update left unfinished.
fn unfinished(mirror: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(mirror.join("objects/pack")).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(".tmp"))
        .collect()
}

#[tokio::test]
async fn a_trickle_is_not_waited_for_until_the_deadline() {
    let mut scene = Scene::new();
    scene.repository.package("refs/heads/main", "acme/package");
    scene.server.fail(Fault::Trickle);
    scene.settings.limits.pace = Pace { span: Duration::from_millis(500), bytes: 1 << 20 };
    let failed = scene.update().await.expect_err("a trickle");
    assert!(
        matches!(&failed, VcsError::Timeout { what, .. } if what.starts_with("Receiving 1048576 bytes")),
        "{failed:?}"
    );
    assert!(!failed.is_permanent());
    assert_eq!(unfinished(&scene.mirror()), [""; 0]);
    scene.server.fail(None);
    scene.changed().await;
}

#[tokio::test]
async fn a_worker_that_is_killed_leaves_no_half_pack() {
    let mut scene = Scene::new();
    scene.repository.commit("refs/heads/main", &[("100644", "composer.json", "{}"), ("100644", "noise", &noise())]);
    scene.server.fail(Fault::StalledPack);
    scene.settings.deadline = Duration::from_secs(2);
    let failed = scene.update().await.expect_err("a stalled pack");
    assert!(matches!(&failed, VcsError::Timeout { what, .. } if what.contains("whole")), "{failed:?}");
    assert_eq!(unfinished(&scene.mirror()), [""; 0]);
    assert_eq!(workers_on(&scene.mirror()), 0);
}

#[tokio::test]
async fn a_repository_that_needs_too_much_memory_is_refused_and_the_next_one_is_not() {
    let mut scene = Scene::new();
    // A hundred kilobytes on their way, a hundred megabytes here.
    let zeros = "0".repeat(100 << 20);
    scene.repository.commit("refs/heads/main", &[("100644", "composer.json", "{}"), ("100644", "zeros", &zeros)]);
    scene.settings.limits.memory = 64 << 20;
    let failed = scene.update().await.expect_err("too much memory");
    assert!(
        matches!(&failed, VcsError::TooLarge { what, limit } if what.contains("memory") && limit == "64 MiB"),
        "{failed:?}"
    );
    assert!(failed.is_permanent(), "it is not tried again and again");
    assert_eq!(unfinished(&scene.mirror()), [""; 0]);
    scene.settings.limits.memory = 1 << 30;
    let snapshot = scene.changed().await;
    let commit = find(&snapshot, "refs/heads/main").commit.clone().expect("a commit");

    scene.settings.limits.memory = 64 << 20;
    let out = scene.directory.path().join("out.zip");
    let failed = scene.archive(&commit, &out).await.expect_err("too much memory");
    assert!(matches!(&failed, VcsError::TooLarge { .. }), "{failed:?}");
    let left = std::fs::read_dir(scene.directory.path()).expect("a directory").flatten();
    assert!(left.map(|entry| entry.file_name()).all(|name| !name.to_string_lossy().contains("out.zip")));
}

#[tokio::test]
async fn the_last_of_the_disk_is_left_to_the_database() {
    let mut scene = Scene::new();
    let commit = scene.repository.package("refs/heads/main", "acme/package");
    let all = Headroom { least: 1 << 60, percent: 0, most: 0 };
    let some = std::mem::replace(&mut scene.settings.limits.headroom, all);
    std::fs::create_dir_all(scene.mirror().parent().expect("a directory")).expect("directories can be made");
    let failed = scene.update().await.expect_err("no room");
    assert!(matches!(&failed, VcsError::NoRoom { .. }) && !failed.is_permanent(), "{failed:?}");
    assert!(scene.server.take_log().is_empty(), "nobody was asked for what cannot be stored");
    scene.settings.limits.headroom = some;
    scene.changed().await;

    scene.settings.limits.headroom = all;
    let out = scene.directory.path().join("out.zip");
    let failed = scene.archive(&commit, &out).await.expect_err("no room");
    assert!(matches!(failed, VcsError::NoRoom { .. }) && !out.exists(), "{failed:?}");
}

#[tokio::test]
async fn a_full_disk_is_told_as_such_and_nothing_of_what_did_not_fit_is_left() {
    let mut scene = Scene::new();
    scene.repository.package("refs/heads/main", "acme/package");
    let disk = FullDisk::at(&scene.directory.path().join("data"), &scene.directory.path().join("work"));
    let worker = scene.directory.path().join("worker");
    let text = format!("#!/bin/sh\n{} exec '{}' \"$@\"\n", disk.words(), scene.settings.executable.display());
    write_program(&worker, &text);
    scene.settings.executable = worker;
    scene.changed().await;
    let before = refs_of(&scene.mirror());

    let commit =
        scene.repository.commit("refs/heads/main", &[("100644", "composer.json", "{\"name\": \"acme/package\"}")]);
    disk.set(true);
    let failed = scene.update().await.expect_err("a full disk");
    assert!(failed.is_disk() && failed.to_string().contains("Make room"), "{failed:?}");
    assert_eq!(refs_of(&scene.mirror()), before);
    assert_eq!(unfinished(&scene.mirror()), [""; 0]);
    disk.set(false);
    scene.changed().await;

    let out = scene.mirror().join("out.zip");
    disk.set(true);
    let failed = scene.archive(&commit, &out).await.expect_err("a full disk");
    assert!(failed.is_disk() && failed.to_string().contains("Make room") && !out.exists(), "{failed:?}");
    disk.set(false);
    scene.archive(&commit, &out).await.expect("there is room again");
    let left = std::fs::read_dir(scene.mirror()).expect("a directory").flatten().map(|entry| entry.file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().starts_with(".tmp")));
}

#[tokio::test]
async fn a_mirror_does_not_grow_beyond_its_limit() {
    let mut scene = Scene::new();
    scene.repository.commit("refs/heads/main", &[("100644", "noise", &noise())]);
    scene.settings.limits.transfer = 150_000;
    scene.changed().await;
    let before = refs_of(&scene.mirror());
    scene.repository.commit("refs/heads/main", &[("100644", "more", &noise().chars().rev().collect::<String>())]);
    let failed = scene.update().await.expect_err("too large");
    assert!(
        matches!(&failed, VcsError::TooLarge { what, limit } if what == "The repository" && limit.contains("max_repository_size")),
        "{failed:?}"
    );
    assert_eq!(refs_of(&scene.mirror()), before);
    assert_eq!(unfinished(&scene.mirror()), [""; 0]);
}

#[tokio::test]
async fn long_names_of_many_refs_are_refused_together() {
    let mut scene = Scene::new();
    let commit = scene.repository.package("refs/heads/main", "acme/package");
    let mut refs = format!("# pack-refs with: peeled fully-peeled sorted \n{commit} refs/heads/main\n");
    let part = "x".repeat(200);
    for number in 0..900 {
        refs.push_str(&format!("{commit} refs/tags/t{number:04}/{}\n", [part.as_str(); 100].join("/")));
    }
    std::fs::write(scene.repository.path.join("packed-refs"), refs).expect("it is ours");
    let path = scene.repository.path.to_str().expect("UTF-8").to_owned();
    let failed = scene.update_from(&path).await.expect_err("too many bytes");
    assert!(matches!(&failed, VcsError::TooLarge { what, .. } if what.contains("names")), "{failed:?}");
}

#[tokio::test]
async fn a_source_that_lacks_objects_is_not_fetched_for_ever() {
    let mut scene = Scene::new();
    let commit = scene.repository.package("refs/heads/main", "acme/package");
    scene.changed().await;
    scene.settings.limits.repairs = 2;
    scene.server.fail(Fault::EmptyPack);
    std::fs::remove_dir_all(scene.mirror().join("objects/pack")).expect("it is ours");
    for expected in [false, false, true, true] {
        let failed = scene.update().await.expect_err("damage");
        assert_eq!(matches!(&failed, VcsError::Unrepairable { repairs: 2, .. }), expected, "{failed:?}");
        assert_eq!(failed.is_permanent(), expected);
    }

    // What only an archive misses does not keep the others from being updated.
    scene.server.fail(None);
    std::fs::write(scene.mirror().join("repairs"), "").expect("it is ours");
    scene.changed().await;
    std::fs::write(scene.mirror().join("repairs"), format!("{0}\n{0}\n", seconds())).expect("it is ours");
    std::fs::write(scene.mirror().join("damaged"), "").expect("it is ours");
    assert!(matches!(scene.update().await, Ok(Update::Unchanged { .. })));
    scene.repository.point("refs/tags/v1", &commit);
    scene.changed().await;
}

fn seconds() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs()
}

#[tokio::test]
async fn packs_that_were_put_aside_go_when_nothing_was_lost() {
    let mut scene = Scene::new();
    scene.repository.package("refs/heads/main", "acme/package");
    scene.changed().await;
    let pack = scene.mirror().join("objects/pack");
    std::fs::write(pack.join("pack-1.pack.broken"), "damaged").expect("it is ours");
    std::fs::write(scene.mirror().join("damaged"), "").expect("it is ours");
    scene.changed().await;
    assert!(!pack.join("pack-1.pack.broken").exists());
    assert!(matches!(scene.update().await, Ok(Update::Unchanged { .. })));
}

#[tokio::test]
async fn manifests_that_are_no_files_of_sensible_size_are_told_apart() {
    let mut scene = Scene::new();
    let large = " ".repeat((1 << 20) + 1);
    scene.repository.commit("refs/heads/large", &[("100644", "composer.json", &large)]);
    scene.repository.commit("refs/heads/link", &[("120000", "composer.json", "/etc/passwd")]);
    scene.repository.commit("refs/heads/folder", &[("100644", "composer.json/a", "{}")]);
    let snapshot = scene.changed().await;
    let manifests: Vec<_> = names(&snapshot).iter().map(|name| find(&snapshot, name).manifest.clone()).collect();
    assert_eq!(manifests, [Manifest::NotAFile, Manifest::TooLarge { bytes: (1 << 20) + 1 }, Manifest::NotAFile]);
}

/// A tree of so many levels, each of which holds the one below under each of the names; the id of a commit of it.
fn nested(scene: &Scene, levels: usize, names: &[&str]) -> String {
    let git = |words: &[&str], input: String| scene.repository.git_with(words, input.as_bytes());
    let blob = git(&["hash-object", "-w", "--stdin"], "x".to_owned());
    let mut tree = git(&["mktree"], format!("100644 blob {blob}\tfile\n"));
    for _ in 0..levels {
        let rows: String = names.iter().map(|name| format!("040000 tree {tree}\t{name}\n")).collect();
        tree = git(&["mktree"], rows);
    }
    let commit = scene.repository.git(&["commit-tree", "-m", "x", &tree]);
    scene.repository.point("refs/heads/main", &commit);
    commit
}

#[tokio::test]
async fn trees_that_grow_beyond_measure_when_unpacked_are_refused_at_once() {
    for (levels, names, expected) in [(30, &["a", "b"][..], "TooLarge"), (300, &["d"][..], "HostileTree")] {
        let mut scene = Scene::new();
        let commit = nested(&scene, levels, names);
        scene.changed().await;
        let failed = scene.archive(&commit, &scene.directory.path().join("out.zip")).await.expect_err("too much");
        assert!(format!("{failed:?}").starts_with(expected), "{failed:?}");
    }
}
