//! What an update reports, keeps and cleans up when something goes wrong.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::certificates::Authority;
use super::git_server::{Account, Fault, GitServer};
use super::{Scene, Update, VcsError, find, manifest, names};
use packagist_selfhosted::vcs::Credential;

/// A scene whose package is imported, so that there is something to lose.
async fn imported() -> Scene {
    let mut scene = Scene::new();
    scene.repository.package("refs/heads/main", "acme/package");
    scene.changed().await;
    scene.server.take_log();
    scene
}

pub(super) fn refs_of(mirror: &Path) -> String {
    std::fs::read_to_string(mirror.join("packed-refs")).expect("the mirror has refs")
}

#[tokio::test]
async fn answers_that_are_no_listing_lose_nothing() {
    let mut scene = imported().await;
    let before = refs_of(&scene.mirror());
    for fault in [Fault::Empty, Fault::Html, Fault::SignIn, Fault::Status(204)] {
        scene.server.fail(fault.clone());
        let failed = scene.update().await.expect_err("no listing");
        assert!(matches!(failed, VcsError::NotAGitEndpoint { .. }), "{fault:?}: {failed:?}");
        assert!(failed.is_permanent());
    }
    assert_eq!(refs_of(&scene.mirror()), before);
    scene.server.fail(None);
    assert!(matches!(scene.update().await, Ok(Update::Unchanged { .. })));
}

#[tokio::test]
async fn a_repository_that_lists_nothing_any_more_loses_nothing() {
    let mut scene = imported().await;
    let before = refs_of(&scene.mirror());
    scene.repository.remove("refs/heads/main");
    assert_eq!(scene.update().await.expect_err("nothing listed"), VcsError::EmptyListing { known: 1 });
    assert_eq!(refs_of(&scene.mirror()), before);
}

#[tokio::test]
async fn statuses_are_told_apart() {
    let mut scene = imported().await;
    let host = format!("localhost:{}", scene.server.port);
    for (status, expected, permanent) in [
        (401, VcsError::AuthRequired { host: host.clone() }, true),
        (404, VcsError::NotFoundOrNoAccess { url: scene.server.url("package.git") }, true),
        (429, VcsError::RateLimited { host: host.clone(), retry_after: Some(7) }, false),
        (500, VcsError::Unavailable { host, status: 500, retry_after: Some(7) }, false),
    ] {
        scene.server.fail(Fault::Status(status));
        let failed = scene.update().await.expect_err("a refusal");
        assert_eq!((failed.is_permanent(), failed), (permanent, expected));
    }
}

#[tokio::test]
async fn a_wrong_and_a_missing_password_are_told_apart() {
    let mut scene = imported().await;
    scene.server.require(Account::Basic("ada", "right"));
    assert!(matches!(scene.update().await, Err(VcsError::AuthRequired { .. })));
    scene.credential = Some(scene.basic("ada", "wr0ng-word"));
    let failed = scene.update().await.expect_err("a wrong password");
    assert!(matches!(failed, VcsError::AuthFailed { .. }), "{failed:?}");
    assert!(!format!("{failed:?} {failed}").contains("wr0ng-word"));
}

#[tokio::test]
async fn a_missing_repository_is_not_found() {
    let mut scene = Scene::new();
    let url = scene.server.url("absent.git");
    assert_eq!(scene.update_from(&url).await.expect_err("absent"), VcsError::NotFoundOrNoAccess { url });
}

#[tokio::test]
async fn an_unknown_authority_is_refused_until_it_is_configured() {
    let mut scene = Scene::new();
    scene.repository.package("refs/heads/main", "acme/package");
    let right = scene.settings.outbound.ca_bundle.replace(Authority::new().pem);
    let failed = scene.update().await.expect_err("an unknown authority");
    assert!(matches!(failed, VcsError::Tls { .. }), "{failed:?}");
    assert!(failed.to_string().contains("ca_bundle"));
    assert!(scene.server.take_log().is_empty());

    scene.settings.outbound.ca_bundle = Some("no certificate".to_owned());
    assert!(matches!(scene.update().await, Err(VcsError::Policy { .. })));

    scene.settings.outbound.ca_bundle = right;
    scene.changed().await;
}

#[tokio::test]
async fn a_credential_goes_to_its_own_host_only() {
    let mut scene = Scene::new();
    scene.repository.package("refs/heads/main", "acme/package");
    scene.credential = Some(scene.basic("ada", "secret"));

    // The same server by another name is another host.
    let other_name = format!("https://127.0.0.1:{}/package.git", scene.server.port);
    scene.update_from(&other_name).await.expect("everybody may read");
    let seen = scene.server.take_log();
    assert!(seen.iter().all(|seen| seen.host.starts_with("127.0.0.1") && seen.authorization.is_none()), "{seen:?}");

    // A redirect to another server takes nothing along: the update ends and says where that server is.
    let other = GitServer::start(&scene.directory.path().join("repositories"));
    scene.settings.outbound.ca_bundle = Some(format!("{}{}", scene.server.ca, other.ca));
    scene.server.fail(Fault::Redirect(format!("https://localhost:{}", other.port)));
    scene.known = None;
    let failed = scene.update().await.expect_err("the credential is for another port");
    assert!(matches!(&failed, VcsError::Redirected { to, .. } if to.contains(&other.port.to_string())), "{failed:?}");
    assert!(other.take_log().is_empty());
    assert!(scene.server.take_log().iter().all(|seen| seen.authorization.is_some()));

    // Without a credential there is nothing to lose.
    scene.credential = None;
    scene.changed().await;
    assert!(!other.take_log().is_empty());
    other.require(Account::Basic("ada", "secret"));
    assert!(matches!(scene.update().await, Err(VcsError::AuthRequired { .. })));
}

#[tokio::test]
async fn a_credential_of_another_port_is_not_sent() {
    let mut scene = Scene::new();
    scene.repository.package("refs/heads/main", "acme/package");
    let own = scene.basic("ada", "secret");
    scene.credential = Some(Credential { port: own.port - 1, ..own });
    scene.changed().await;
    assert!(scene.server.take_log().iter().all(|seen| seen.authorization.is_none()));
}

#[tokio::test]
async fn redirects_to_unencrypted_and_forbidden_addresses_are_not_followed() {
    let mut scene = imported().await;
    scene.server.fail(Fault::Redirect(format!("http://localhost:{}", scene.server.port)));
    assert!(matches!(scene.update().await, Err(VcsError::NotAGitEndpoint { .. })));
    scene.server.fail(Fault::Redirect("https://169.254.169.254".to_owned()));
    let failed = scene.update().await.expect_err("a forbidden address");
    assert!(matches!(&failed, VcsError::Policy { reason } if reason.contains("[outbound]")), "{failed:?}");
}

#[tokio::test]
async fn loopback_is_reached_only_where_it_is_allowed() {
    let mut scene = Scene::new();
    scene.repository.package("refs/heads/main", "acme/package");
    scene.settings.outbound.guard.allow.clear();
    let failed = scene.update().await.expect_err("loopback");
    assert!(matches!(&failed, VcsError::Policy { reason } if reason.contains("`allow`")), "{failed:?}");
    assert!(scene.server.take_log().is_empty());
}

#[tokio::test]
async fn a_proxy_that_is_down_is_named_and_can_be_passed_by() {
    let mut scene = Scene::new();
    scene.repository.package("refs/heads/main", "acme/package");
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    scene.settings.outbound.proxy = Some(format!("http://user:pr0xy-word@{free}"));
    let failed = scene.update().await.expect_err("no proxy");
    assert!(failed.to_string().contains("proxy"), "{failed}");
    assert!(!failed.to_string().contains("pr0xy-word"));
    scene.settings.outbound.no_proxy = vec!["localhost".parse().expect("a rule")];
    scene.changed().await;
}

#[tokio::test]
async fn an_unknown_name_is_not_resolved() {
    let mut scene = Scene::new();
    let failed = scene.update_from("https://no-such-host.invalid/r").await.expect_err("no such host");
    assert!(matches!(failed, VcsError::Dns { .. }), "{failed:?}");
}

#[tokio::test]
async fn a_silent_server_ends_by_its_own_limit_or_by_the_deadline() {
    let mut scene = imported().await;
    scene.server.fail(Fault::Mute);
    scene.settings.outbound.timeout = Duration::from_secs(1);
    let failed = scene.update().await.expect_err("silence");
    assert!(matches!(&failed, VcsError::Timeout { what, .. } if what.contains("localhost")), "{failed:?}");
    scene.settings.outbound.timeout = Duration::from_secs(60);
    scene.settings.deadline = Duration::from_secs(1);
    let failed = scene.update().await.expect_err("silence");
    assert!(matches!(&failed, VcsError::Timeout { what, .. } if what.contains("whole")), "{failed:?}");
}

#[tokio::test]
async fn a_pack_that_stalls_leaves_nothing_and_the_next_update_succeeds() {
    let mut scene = imported().await;
    let before = refs_of(&scene.mirror());
    scene.repository.package("refs/heads/main", "acme/newer");
    scene.server.fail(Fault::StalledPack);
    scene.settings.outbound.timeout = Duration::from_secs(1);
    let failed = scene.update().await.expect_err("a stalled pack");
    assert!(matches!(failed, VcsError::Timeout { .. }), "{failed:?}");
    assert_eq!(refs_of(&scene.mirror()), before);

    // As a killed worker would have left it.
    let litter = scene.mirror().join("objects/pack/.tmpLITTER");
    std::fs::write(&litter, "half a pack").expect("a file");
    scene.server.fail(None);
    assert_eq!(manifest(&scene.changed().await, "refs/heads/main"), "{\"name\": \"acme/newer\"}");
    assert!(!litter.exists());
}

#[tokio::test]
async fn packs_without_an_index_go_or_are_put_aside() {
    let mut scene = imported().await;
    let packs = scene.mirror().join("objects/pack");
    // As a worker leaves it that was killed between the pack and its index, and as somebody does who lost the index.
    let [killed, lost] = ["1", "2"].map(|digit| packs.join(format!("pack-{}", digit.repeat(40))));
    for file in [killed.with_extension("pack"), killed.with_extension("keep"), lost.with_extension("pack")] {
        std::fs::write(file, "PACK").expect("a file");
    }
    scene.update().await.expect("an update");
    assert!(!killed.with_extension("pack").exists() && !killed.with_extension("keep").exists());
    assert!(!lost.with_extension("pack").exists() && lost.with_extension("pack.broken").exists());
}

#[tokio::test]
async fn a_damaged_mirror_is_repaired_and_says_what_it_lost() {
    let mut scene = imported().await;
    let old = find(scene.known.as_ref().expect("imported"), "refs/heads/main").commit.clone().expect("a commit");
    scene.repository.commit_onto("refs/heads/main", None, &[("100644", "composer.json", "{\"name\":\"acme/new\"}")]);
    scene.changed().await;
    for entry in std::fs::read_dir(scene.mirror().join("objects/pack")).expect("packs") {
        let path = entry.expect("an entry").path();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
        if path.extension().is_some_and(|extension| extension == "pack") {
            let content = std::fs::read(&path).expect("a pack");
            std::fs::write(&path, &content[..content.len() / 2]).expect("it is ours");
        }
    }
    scene.known.as_mut().expect("imported").digest.clear();

    let snapshot = scene.changed().await;

    assert_eq!(manifest(&snapshot, "refs/heads/main"), "{\"name\":\"acme/new\"}");
    assert_eq!(snapshot.lost, [old]);
    assert!(matches!(scene.update().await, Ok(Update::Unchanged { .. })));
}

#[tokio::test]
async fn kept_commits_outlive_damage_to_other_packs() {
    let mut scene = imported().await;
    let old = find(scene.known.as_ref().expect("imported"), "refs/heads/main").commit.clone().expect("a commit");
    let first: Vec<_> = packs(&scene.mirror());
    scene.repository.commit_onto("refs/heads/main", None, &[("100644", "composer.json", "{\"name\":\"acme/new\"}")]);
    scene.changed().await;
    for path in packs(&scene.mirror()) {
        if !first.contains(&path) {
            std::fs::remove_file(path).expect("it is ours");
        }
    }
    let snapshot = scene.changed().await;
    assert!(snapshot.lost.is_empty(), "{:?}", snapshot.lost);
    scene.archive(&old, &scene.directory.path().join("out.zip")).await.expect("it is kept");
    assert_eq!(names(&snapshot), ["refs/heads/main"]);
}

fn packs(mirror: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(mirror.join("objects/pack")).expect("packs");
    entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "pack" || e == "idx"))
        .collect()
}

#[tokio::test]
async fn a_worker_that_cannot_be_started_or_understood_is_an_error() {
    let mut scene = Scene::new();
    scene.settings.executable = "/nonexistent".into();
    assert!(matches!(scene.update().await, Err(VcsError::Io { .. })));
    scene.settings.executable = "/bin/true".into();
    assert!(matches!(scene.update().await, Err(VcsError::WorkerCrashed { .. })));
}

#[tokio::test]
async fn a_dropped_update_and_a_killed_parent_leave_no_process() {
    let scene = imported().await;
    scene.server.fail(Fault::Mute);
    let url = scene.server.url("package.git");
    let update = tokio::spawn({
        let (vcs, request) = (scene.vcs(), scene.request(&url));
        async move { vcs.update(request).await }
    });
    wait_for(|| !scene.server.take_log().is_empty()).await;
    assert_eq!(workers_on(&scene.mirror()), 1);
    update.abort();
    wait_for(|| workers_on(&scene.mirror()) == 0).await;
}

/// How many processes hold a file of the mirror open.
pub(super) fn workers_on(mirror: &Path) -> usize {
    workers(mirror).len()
}

/// The `/proc` directories of the processes that hold a file of the mirror open.
pub(super) fn workers(mirror: &Path) -> Vec<std::path::PathBuf> {
    let holds = |process: &std::fs::DirEntry| {
        let descriptors = std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        descriptors.filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|target| target.starts_with(mirror))
    };
    std::fs::read_dir("/proc").expect("Linux").flatten().filter(holds).map(|process| process.path()).collect()
}

/// Waits for a condition; a test that waits for ever is ended by its runner.
async fn wait_for(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_worker_ends_with_its_parent() {
    let mut scene = imported().await;
    // A stand-in for the executable writes down what a worker is told; it never answers, so the deadline ends it.
    let told = scene.directory.path().join("told");
    let recorder = scene.directory.path().join("recorder");
    let script = format!("#!/bin/sh\ncat > '{}'\n", told.display());
    write_program(&recorder, &script);
    let executable = std::mem::replace(&mut scene.settings.executable, recorder);
    let deadline = std::mem::replace(&mut scene.settings.deadline, Duration::from_secs(1));
    let silent = scene.update().await;
    assert!(matches!(silent, Err(VcsError::Timeout { .. })), "{silent:?}");

    scene.settings.deadline = deadline;
    scene.server.fail(Fault::Mute);
    let mut worker = tokio::process::Command::new(executable)
        .arg("vcs-worker")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .expect("our executable");
    let mut input = worker.stdin.take().expect("piped");
    let message = patient(&std::fs::read(&told).expect("it was told something"));
    tokio::io::AsyncWriteExt::write_all(&mut input, &message).await.expect("it listens");
    wait_for(|| !scene.server.take_log().is_empty()).await;
    assert_eq!(workers_on(&scene.mirror()), 1);

    // What the end of the parent does, whatever it died of.
    drop(input);

    let status = worker.wait().await.expect("it ends");
    assert!(!status.success());
    assert_eq!(workers_on(&scene.mirror()), 0);
}

/// Writes a program by another process: while a test beside this one starts a child, that child would hold a file of ours
/// open for writing, and such a file cannot be run.
pub(super) fn write_program(path: &Path, text: &str) {
    let status = std::process::Command::new("sh")
        .args(["-c", "printf %s \"$2\" > \"$1\" && chmod 700 \"$1\"", "sh"])
        .arg(path)
        .arg(text)
        .status()
        .expect("a shell");
    assert!(status.success());
}

/// The same request with a deadline that does not end the worker before the test does.
fn patient(frame: &[u8]) -> Vec<u8> {
    let mut request: serde_json::Value = serde_json::from_slice(&frame[4..]).expect("JSON after the length");
    request["deadline"]["secs"] = 600.into();
    request["outbound"]["timeout"]["secs"] = 600.into();
    let text = request.to_string();
    let length = u32::try_from(text.len()).expect("short").to_be_bytes();
    [&length[..], text.as_bytes()].concat()
}

#[tokio::test]
async fn what_is_too_large_is_refused_on_every_way_in() {
    let mut scene = imported().await;
    let before = refs_of(&scene.mirror());
    scene.repository.commit("refs/heads/main", &[("100644", "noise", &noise())]);
    scene.settings.limits.transfer = 20_000;
    let path = scene.repository.path.to_str().expect("UTF-8").to_owned();
    for url in [scene.server.url("package.git"), path] {
        let failed = scene.update_from(&url).await.expect_err("too large");
        assert!(matches!(failed, VcsError::TooLarge { .. }), "{url}: {failed:?}");
    }
    assert_eq!(refs_of(&scene.mirror()), before);
    scene.settings.limits.transfer = 4 << 20;
    scene.changed().await;
}

#[tokio::test]
async fn too_many_packs_become_one_and_kept_commits_stay() {
    let mut scene = imported().await;
    let old = find(scene.known.as_ref().expect("imported"), "refs/heads/main").commit.clone().expect("a commit");
    let path = scene.repository.path.to_str().expect("UTF-8").to_owned();
    scene.repository.commit_onto("refs/heads/main", None, &[("100644", "a", "0")]);
    for count in 0..50 {
        scene.repository.commit("refs/heads/main", &[("100644", "a", &count.to_string())]);
        scene.update_from(&path).await.expect("an update");
    }
    let found = packs(&scene.mirror());
    assert!(found.len() < 20, "{} pack files", found.len());
    scene.archive(&old, &scene.directory.path().join("out.zip")).await.expect("it is kept");
    assert!(matches!(scene.update_from(&path).await, Ok(Update::Unchanged { .. })));
}

#[tokio::test]
async fn damage_that_an_archive_finds_is_repaired_by_the_next_update() {
    let mut scene = Scene::new();
    let content = noise();
    let commit =
        scene.repository.commit("refs/heads/main", &[("100644", "composer.json", "{}"), ("100644", "noise", &content)]);
    scene.changed().await;
    let pack = packs(&scene.mirror()).into_iter().find(|path| path.extension().is_some_and(|e| e == "pack"));
    let pack = pack.expect("a pack");
    let mut bytes = std::fs::read(&pack).expect("a pack");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::set_permissions(&pack, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    std::fs::write(&pack, bytes).expect("it is ours");
    let out = scene.directory.path().join("out.zip");
    let failed = scene.archive(&commit, &out).await.expect_err("damage");
    assert!(matches!(failed, VcsError::Corrupt { .. }), "{failed:?}");

    assert!(scene.changed().await.lost.is_empty());

    scene.archive(&commit, &out).await.expect("it was repaired");
    assert!(matches!(scene.update().await, Ok(Update::Unchanged { .. })));
}

/// Text of 160,000 bytes that compresses badly.
pub(super) fn noise() -> String {
    let mut state: u64 = 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:08x}", state >> 32)
    };
    (0..20_000).map(|_| next()).collect()
}
