//! Workers that stay for the owner's next repository.

use std::collections::HashSet;
use std::net::SocketAddr;

use super::git_server::{Account, GitServer};
use super::{Scene, Update, find};

/// The connections over which the server was asked since the last time.
fn connections(server: &GitServer) -> HashSet<SocketAddr> {
    server.take_log().into_iter().filter_map(|seen| seen.client).collect()
}

#[tokio::test]
async fn one_worker_looks_at_an_owners_repositories_and_another_at_somebody_elses() {
    let mut scene = Scene::new();
    scene.repository.package("refs/heads/main", "acme/package");
    scene.changed().await;
    let (vcs, url) = (scene.vcs(), scene.server.url("package.git"));
    scene.server.take_log();
    let mut seen = Vec::new();
    for owner in [1, 1, 2, 1] {
        let update = vcs.update_of(owner, scene.request(&url)).await.expect("an answer");
        assert!(matches!(update, Update::Unchanged { .. }));
        seen.push(connections(&scene.server));
    }
    assert_eq!(seen[0].len(), 1, "listing goes over one connection");
    assert_eq!(seen[1], seen[0], "the same worker, with its connection");
    assert_eq!(seen[3], seen[0], "which still waits");
    assert!(seen[2].is_disjoint(&seen[0]), "another owner's is another worker");
}

#[tokio::test]
async fn another_credential_is_another_worker() {
    let mut scene = Scene::new();
    scene.repository.package("refs/heads/main", "acme/package");
    scene.changed().await;
    let (vcs, url) = (scene.vcs(), scene.server.url("package.git"));
    let mut seen = Vec::new();
    for secret in ["one", "one", "two"] {
        scene.server.require(Account::Basic("ci", secret));
        scene.credential = Some(scene.basic("ci", secret));
        scene.server.take_log();
        vcs.update_of(1, scene.request(&url)).await.expect("the credential is right");
        seen.push(connections(&scene.server));
    }
    assert_eq!(seen[1], seen[0]);
    assert!(seen[2].is_disjoint(&seen[0]));
}

#[tokio::test]
async fn a_worker_that_stayed_sees_the_next_push_and_then_goes() {
    let mut scene = Scene::new();
    scene.repository.package("refs/heads/main", "acme/package");
    scene.changed().await;
    let (vcs, url) = (scene.vcs(), scene.server.url("package.git"));
    scene.server.take_log();
    vcs.update_of(1, scene.request(&url)).await.expect("an answer");
    let stayed = connections(&scene.server);
    let commit = scene.repository.package("refs/heads/main", "acme/second");

    let update = vcs.update_of(1, scene.request(&url)).await.expect("an answer");

    assert_eq!(connections(&scene.server), stayed);
    let Update::Changed(snapshot) = update else { panic!("the push was not seen") };
    assert_eq!(find(&snapshot, "refs/heads/main").commit, Some(commit));
    scene.known = Some(snapshot);
    vcs.update_of(1, scene.request(&url)).await.expect("an answer");
    assert!(connections(&scene.server).is_disjoint(&stayed), "who fetched has seen too much to stay");
}
