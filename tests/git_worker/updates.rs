//! What an update sees and does when nothing goes wrong.

use super::git_server::Account;
use super::{Manifest, Scene, Snapshot, Update, VcsError, commands, find, manifest, names};
use packagist_selfhosted::vcs::{Authentication, Credential};

#[tokio::test]
async fn a_first_update_brings_every_branch_and_tag_with_its_manifest() {
    let mut scene = Scene::new();
    let first = scene.repository.package("refs/heads/main", "acme/first");
    scene.repository.point("refs/tags/v1", &first);
    scene.repository.git(&["tag", "-a", "-m", "x", "v1-annotated", "main"]);
    let second = scene.repository.package("refs/heads/main", "acme/second");
    scene.repository.point("refs/pull/1/head", &first);

    let snapshot = scene.changed().await;

    assert_eq!(names(&snapshot), ["refs/heads/main", "refs/tags/v1", "refs/tags/v1-annotated"]);
    assert_eq!(snapshot.default_branch.as_deref(), Some("refs/heads/main"));
    assert!(snapshot.received_pack);
    assert_eq!(manifest(&snapshot, "refs/heads/main"), "{\"name\": \"acme/second\"}");
    assert_eq!(manifest(&snapshot, "refs/tags/v1"), "{\"name\": \"acme/first\"}");
    let annotated = find(&snapshot, "refs/tags/v1-annotated");
    assert_eq!(annotated.commit.as_ref(), Some(&first));
    assert_ne!(annotated.target, first);
    assert_eq!(find(&snapshot, "refs/heads/main").commit, Some(second));
    // The author's date, not the committer's.
    assert_eq!(find(&snapshot, "refs/tags/v1").time, Some(1_700_000_000));
    let seen = scene.server.take_log();
    assert_eq!(seen[0].target, "/package.git/info/refs?service=git-upload-pack");
    assert_eq!(seen.iter().filter_map(|seen| seen.command).collect::<Vec<_>>(), ["ls-refs", "fetch"]);
}

#[tokio::test]
async fn addresses_are_asked_for_as_they_were_written() {
    let mut scene = Scene::new();
    scene.repository.package("refs/heads/main", "acme/package");
    let odd = scene.directory.path().join("repositories/a b%41.git");
    std::os::unix::fs::symlink(&scene.repository.path, odd).expect("a link");
    for written in ["a%20b%2541.git", "package.git/"] {
        scene.known = None;
        let url = scene.server.url(written);
        scene.update_from(&url).await.expect("it is there");
        let target = scene.server.take_log().remove(0).target;
        assert_eq!(target, format!("/{}/info/refs?service=git-upload-pack", written.trim_end_matches('/')));
    }
}

#[tokio::test]
async fn nothing_new_is_only_a_listing() {
    let mut scene = Scene::new();
    scene.repository.package("refs/heads/main", "acme/package");
    scene.changed().await;
    scene.server.take_log();

    let update = scene.update().await.expect("an answer");

    assert!(matches!(update, Update::Unchanged { .. }));
    assert_eq!(commands(&scene.server), ["GET", "ls-refs"]);
}

#[tokio::test]
async fn a_tag_on_a_known_commit_transfers_nothing() {
    let mut scene = Scene::new();
    let commit = scene.repository.package("refs/heads/main", "acme/package");
    scene.changed().await;
    scene.server.take_log();
    scene.repository.point("refs/tags/v1", &commit);

    let snapshot = scene.changed().await;

    assert_eq!(find(&snapshot, "refs/tags/v1").commit, Some(commit));
    assert!(!snapshot.received_pack);
    assert_eq!(commands(&scene.server), ["GET", "ls-refs"]);
}

#[tokio::test]
async fn a_new_commit_is_fetched_and_a_mirror_that_vanished_is_made_anew() {
    let mut scene = Scene::new();
    scene.repository.package("refs/heads/main", "acme/first");
    scene.changed().await;
    let second = scene.repository.package("refs/heads/main", "acme/second");
    let snapshot = scene.changed().await;
    assert_eq!(manifest(&snapshot, "refs/heads/main"), "{\"name\": \"acme/second\"}");
    assert!(snapshot.received_pack);

    std::fs::remove_dir_all(scene.mirror()).expect("there is a mirror");
    let again = scene.changed().await;
    assert_eq!(again.digest, snapshot.digest);
    assert_eq!(find(&again, "refs/heads/main").commit, Some(second));
}

#[tokio::test]
async fn what_was_published_can_be_archived_after_tags_move_and_branches_are_rewritten() {
    let mut scene = Scene::new();
    let tagged = scene.repository.package("refs/heads/main", "acme/tagged");
    scene.repository.point("refs/tags/v1", &tagged);
    scene.repository.point("refs/tags/v2", &tagged);
    let doomed = scene.repository.commit_onto("refs/heads/doomed", None, &[("100644", "composer.json", "{}")]);
    let head = scene.repository.package("refs/heads/main", "acme/head");
    scene.changed().await;
    scene.published.retain(|commit| *commit != doomed);

    let rewritten = scene.repository.commit_onto(
        "refs/heads/main",
        None,
        &[("100644", "composer.json", "{\"name\":\"acme/new\"}")],
    );
    scene.repository.point("refs/tags/v1", &rewritten);
    scene.repository.remove("refs/tags/v2");
    scene.repository.remove("refs/heads/doomed");
    let snapshot = scene.changed().await;

    assert_eq!(names(&snapshot), ["refs/heads/main", "refs/tags/v1"]);
    assert_eq!(find(&snapshot, "refs/heads/main").commit.as_ref(), Some(&rewritten));
    let out = scene.directory.path().join("out.zip");
    for commit in [&tagged, &head, &rewritten] {
        scene.archive(commit, &out).await.expect("it was published");
    }
    let refused = scene.archive(&doomed, &out).await.expect_err("it was never published");
    assert!(matches!(refused, VcsError::UnknownCommit { .. }), "{refused}");

    // Kept through further updates, until it is let go.
    scene.repository.package("refs/heads/main", "acme/newer");
    scene.changed().await;
    scene.archive(&head, &out).await.expect("it is kept");
    scene.vcs().drop_kept(scene.mirror(), head.clone()).await.expect("it was kept");
    assert!(matches!(scene.archive(&head, &out).await, Err(VcsError::UnknownCommit { .. })));
    scene.archive(&tagged, &out).await.expect("the other one is still kept");
}

#[tokio::test]
async fn a_branch_may_become_a_directory_of_branches() {
    let mut scene = Scene::new();
    let commit = scene.repository.package("refs/heads/feature", "acme/package");
    scene.changed().await;
    scene.repository.remove("refs/heads/feature");
    scene.repository.point("refs/heads/feature/x", &commit);
    assert_eq!(names(&scene.changed().await), ["refs/heads/feature/x"]);
    scene.repository.remove("refs/heads/feature/x");
    scene.repository.point("refs/heads/feature", &commit);
    assert_eq!(names(&scene.changed().await), ["refs/heads/feature"]);
}

#[tokio::test]
async fn names_that_differ_in_case_are_different() {
    let mut scene = Scene::new();
    let first = scene.repository.package("refs/heads/main", "acme/first");
    let second = scene.repository.package("refs/heads/main", "acme/second");
    scene.repository.git(&["pack-refs", "--all"]);
    scene.repository.point("refs/tags/v1", &first);
    scene.repository.point("refs/tags/V1", &second);
    let snapshot = scene.changed().await;
    assert_eq!(find(&snapshot, "refs/tags/v1").commit, Some(first));
    assert_eq!(find(&snapshot, "refs/tags/V1").commit, Some(second));
}

#[tokio::test]
async fn odd_refs_say_why_they_are_no_versions() {
    let mut scene = Scene::new();
    let repository = &scene.repository;
    repository.package("refs/heads/main", "acme/package");
    repository.commit("refs/heads/link", &[("120000", "composer.json", "other.json"), ("100644", "other.json", "{}")]);
    repository.commit("refs/heads/directory", &[("100644", "composer.json/x", "{}")]);
    repository.commit("refs/heads/huge", &[("100644", "composer.json", &" ".repeat((1 << 20) + 1))]);
    repository.commit("refs/heads/edge", &[("100644", "composer.json", &" ".repeat(1 << 20))]);
    repository.commit("refs/heads/none", &[("100644", "README", "")]);
    let blob = repository.git_with(&["hash-object", "-w", "--stdin"], b"blob");
    repository.point("refs/tags/blob", &blob);
    let tree = repository.git(&["rev-parse", "main^{tree}"]);
    repository.point("refs/tags/tree", &tree);

    let snapshot = scene.changed().await;

    for (name, expected) in [
        ("refs/heads/link", Manifest::NotAFile),
        ("refs/heads/directory", Manifest::NotAFile),
        ("refs/heads/huge", Manifest::TooLarge { bytes: (1 << 20) + 1 }),
        ("refs/heads/none", Manifest::Missing),
        ("refs/tags/blob", Manifest::Missing),
        ("refs/tags/tree", Manifest::Missing),
    ] {
        assert_eq!(find(&snapshot, name).manifest, expected, "{name}");
    }
    assert_eq!(manifest(&snapshot, "refs/heads/edge").len(), 1 << 20);
    assert_eq!(find(&snapshot, "refs/tags/blob").commit, None);
    assert_eq!(find(&snapshot, "refs/tags/tree").commit, None);
}

#[tokio::test]
async fn a_new_default_branch_is_a_change() {
    let mut scene = Scene::new();
    let commit = scene.repository.package("refs/heads/main", "acme/package");
    scene.repository.point("refs/heads/next", &commit);
    scene.changed().await;
    scene.repository.git(&["symbolic-ref", "HEAD", "refs/heads/next"]);
    assert_eq!(scene.changed().await.default_branch.as_deref(), Some("refs/heads/next"));
}

#[tokio::test]
async fn announced_commits_that_are_not_there_yet_are_named() {
    let mut scene = Scene::new();
    let commit = scene.repository.package("refs/heads/main", "acme/package");
    let absent = "1".repeat(40);
    scene.announced = vec![commit, absent.clone(), "nonsense".to_owned()];
    assert_eq!(scene.changed().await.unseen, [absent.clone(), "nonsense".to_owned()]);
    match scene.update().await {
        Ok(Update::Unchanged { unseen }) => assert_eq!(unseen, [absent, "nonsense".to_owned()]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_empty_repository_is_an_empty_snapshot_at_first() {
    let mut scene = Scene::new();
    let snapshot = scene.changed().await;
    assert_eq!(names(&snapshot), Vec::<&str>::new());
}

#[tokio::test]
async fn credentials_open_private_repositories() {
    let mut scene = Scene::new();
    scene.repository.package("refs/heads/main", "acme/package");
    scene.server.require(Account::Basic("ada", "s3cret-word"));
    scene.credential = Some(scene.basic("ada", "s3cret-word"));
    scene.changed().await;

    scene.server.require(Account::Bearer("t0ken"));
    let authentication = Authentication::Bearer { secret: "t0ken".into() };
    scene.credential = Some(Credential { host: "localhost".to_owned(), port: scene.server.port, authentication });
    scene.repository.package("refs/heads/main", "acme/newer");
    scene.changed().await;
    assert_no_secret_on_disk(&scene, &["s3cret-word", "t0ken"]);
}

fn assert_no_secret_on_disk(scene: &Scene, secrets: &[&str]) {
    let mut open = vec![scene.mirror()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let content = String::from_utf8_lossy(&std::fs::read(&path).expect("a file")).into_owned();
            assert!(!secrets.iter().any(|secret| content.contains(secret)), "{}", path.display());
        }
    }
}

#[tokio::test]
async fn repositories_of_this_machine_are_read_below_their_roots() {
    let mut scene = Scene::new();
    let first = scene.repository.package("refs/heads/main", "acme/first");
    scene.repository.point("refs/tags/v1", &first);
    let path = scene.repository.path.to_str().expect("UTF-8").to_owned();
    let snapshot = expect_change(scene.update_from(&path).await);
    assert_eq!(names(&snapshot), ["refs/heads/main", "refs/tags/v1"]);
    assert!(matches!(scene.update_from(&path).await, Ok(Update::Unchanged { .. })));
    scene.repository.package("refs/heads/main", "acme/second");
    let snapshot = expect_change(scene.update_from(&format!("file://{path}")).await);
    assert_eq!(manifest(&snapshot, "refs/heads/main"), "{\"name\": \"acme/second\"}");
    assert!(scene.server.take_log().is_empty());
}

#[tokio::test]
async fn a_directory_without_a_repository_says_so() {
    let mut scene = Scene::new();
    let empty = scene.directory.path().join("repositories/empty");
    std::fs::create_dir(&empty).expect("a directory");
    let failed = scene.update_from(empty.to_str().expect("UTF-8")).await.expect_err("no repository");
    assert!(matches!(failed, VcsError::NotFoundOrNoAccess { .. }), "{failed:?}");
}

fn expect_change(update: Result<Update, VcsError>) -> Snapshot {
    match update {
        Ok(Update::Changed(snapshot)) => snapshot,
        other => panic!("expected a change: {other:?}"),
    }
}
