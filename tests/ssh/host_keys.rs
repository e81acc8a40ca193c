//! Whom we believe to be the server.

use packagist_selfhosted::vcs::{HostKeyPolicy, Vcs, VcsError};

use super::{Scene, host_key};

#[tokio::test]
async fn a_new_host_is_believed_once_and_then_known() {
    let mut scene = Scene::new().await;
    scene.works().await;
    assert_eq!(scene.known, [host_key(&scene.server.host_key("ed25519"))]);
    assert_eq!(scene.known[0].fingerprint(), scene.server.fingerprint("ed25519"));
    scene.works().await;
    assert_eq!(scene.known.len(), 1, "nothing new was learned");
}

#[tokio::test]
async fn a_host_is_remembered_also_when_it_lets_nobody_in() {
    let mut scene = Scene::new().await;
    scene.server.authorize("", "");
    assert!(matches!(scene.fails().await, VcsError::SshDenied { .. }));
    assert_eq!(scene.known.len(), 1);
}

#[tokio::test]
async fn strict_believes_nobody_until_the_key_is_accepted() {
    let mut scene = Scene::new().await;
    scene.settings.ssh_host_keys = HostKeyPolicy::Strict;
    let refused = scene.fails().await;
    assert!(matches!(refused, VcsError::HostKeyUnknown { .. }) && refused.is_permanent(), "{refused:?}");
    let text = refused.to_string();
    let fingerprint = scene.server.fingerprint("ed25519");
    let command = format!("host-key add 127.0.0.1:{} --scan --fingerprint {fingerprint}", scene.server.port);
    assert!(text.contains(&command) && text.contains(&scene.server.fingerprint("rsa")), "{text}");
    assert!(scene.known.is_empty(), "nothing is learned");

    scene.known = vec![host_key(&scene.server.host_key("ed25519"))];
    scene.works().await;
}

#[tokio::test]
async fn a_changed_key_is_refused_whatever_the_policy() {
    let mut scene = Scene::new().await;
    scene.works().await;
    let old = scene.server.fingerprint("ed25519");
    scene.server.change_host_key();
    let new = scene.server.fingerprint("ed25519");
    for policy in [HostKeyPolicy::AcceptNew, HostKeyPolicy::Strict] {
        scene.settings.ssh_host_keys = policy;
        let refused = scene.fails().await;
        assert!(matches!(refused, VcsError::HostKeyChanged { .. }) && refused.is_permanent(), "{refused:?}");
        let text = refused.to_string();
        assert!(text.contains(&old) && text.contains(&format!("--scan --fingerprint {new}")), "{text}");
        assert_eq!(scene.known.len(), 1, "nothing is learned");
    }
    scene.known.push(host_key(&scene.server.host_key("ed25519")));
    scene.works().await;
}

/// OpenSSH's own `accept-new` would believe it: whoever stands in between would only have to offer another kind.
#[tokio::test]
async fn a_known_host_is_not_believed_by_a_key_of_another_kind() {
    let mut scene = Scene::new().await;
    let other = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=";
    scene.known = vec![host_key(other)];
    let refused = scene.fails().await;
    assert!(matches!(refused, VcsError::HostKeyChanged { .. }), "{refused:?}");
    assert_eq!(scene.known.len(), 1);
    scene.known.push(host_key(&scene.server.host_key("rsa")));
    scene.works().await;
}

#[tokio::test]
async fn a_scan_shows_every_kind_of_key() {
    let scene = Scene::new().await;
    let vcs = Vcs::new(scene.settings.clone());
    let found = vcs.scan_host_keys("127.0.0.1".to_owned(), scene.server.port).await.expect("it answers");
    assert_eq!(found, ["ed25519", "rsa"].map(|kind| host_key(&scene.server.host_key(kind))));
    let log = scene.server.log();
    assert!(!log.contains("Accepted"), "{log}");
}
