//! Keys, users and repositories: who is let in, to what, and what is said otherwise.

use packagist_selfhosted::vcs::ssh::{KeyType, generate, normalize};
use packagist_selfhosted::vcs::{SourceUrl, Update, UrlPolicy, VcsError};
use secrecy::ExposeSecret;

use super::{Scene, host_key};

#[tokio::test]
async fn what_changes_there_is_fetched() {
    let mut scene = Scene::new().await;
    scene.works().await;
    let commit = scene.repository.package("refs/heads/next", "acme/lib");
    scene.repository.point("refs/pull/1/head", &commit);
    let Ok(Update::Changed(snapshot)) = scene.update().await else { panic!("expected a change") };
    let names: Vec<_> = snapshot.refs.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["refs/heads/main", "refs/heads/next"]);
    assert!(snapshot.received_pack);
    let mut request = scene.request(&scene.url());
    request.known_digest = Some(snapshot.digest);
    let vcs = packagist_selfhosted::vcs::Vcs::new(scene.settings.clone());
    assert!(matches!(vcs.update(request).await, Ok(Update::Unchanged { .. })));
}

#[tokio::test]
async fn a_server_that_speaks_only_the_old_protocol_is_understood() {
    let mut scene = Scene::new().await;
    scene.server.restart_with("");
    scene.works().await;
}

#[tokio::test]
async fn rsa_keys_and_pasted_ones_open_it() {
    let mut scene = Scene::new().await;
    scene.key = generate(KeyType::Rsa, "").expect("a key");
    scene.server.authorize("", &scene.public_key().await);
    scene.works().await;
    let pasted = format!("\r\n{}", scene.key.expose_secret().trim_end().replace('\n', "\r\n"));
    scene.key = normalize(&pasted).expect("a key");
    scene.works().await;
}

#[tokio::test]
async fn a_wrong_key_is_tried_once_as_the_addresss_user_and_nobody_else() {
    let mut scene = Scene::new().await;
    scene.key = generate(KeyType::Ed25519, "").expect("a key");
    scene.username = Some("somebody-else".to_owned());
    let refused = scene.fails().await;
    let expected =
        VcsError::SshDenied { host: format!("127.0.0.1:{}", scene.server.port), user: scene.server.user.clone() };
    assert_eq!(refused, expected);
    assert!(refused.is_permanent());
    super::wait_for(|| scene.server.log().contains("authenticating user")).await;
    let log = scene.server.log();
    assert!(!log.contains("Invalid user") && !log.contains("somebody-else"), "{log}");
    assert_eq!(log.matches("Connection from").count(), 1, "{log}");
}

#[tokio::test]
async fn the_credentials_user_stands_in_where_the_address_has_none() {
    let mut scene = Scene::new().await;
    scene.username = Some(scene.server.user.clone());
    let url = scene.url().replace(&format!("{}@", scene.server.user), "");
    scene.update_from(&url).await.expect("it is let in");
}

#[tokio::test]
async fn a_missing_repository_is_told_in_every_services_words() {
    let mut scene = Scene::new().await;
    let missing = format!("{}-not", scene.url());
    let error = scene.update_from(&missing).await.expect_err("it is not there");
    assert_eq!(error, VcsError::NotFoundOrNoAccess { url: missing });
    let key = scene.public_key().await;
    scene.server.authorize("command=\"echo 'ERROR: Repository not found.' >&2; exit 1\" ", &key);
    assert!(matches!(scene.fails().await, VcsError::NotFoundOrNoAccess { .. }));
    scene.server.authorize("command=\"echo 'This account is closed.' >&2; exit 1\" ", &key);
    let closed = scene.fails().await;
    assert!(closed.to_string().contains("This account is closed."), "{closed}");
}

#[tokio::test]
async fn no_key_is_sent_elsewhere_and_no_address_goes_without() {
    let scene = Scene::new().await;
    let vcs = packagist_selfhosted::vcs::Vcs::new(scene.settings.clone());
    let mut request = scene.request(&scene.url());
    request.credential = None;
    let refused = vcs.update(request).await.expect_err("it has no key");
    assert!(refused.to_string().contains("--type ssh-key"), "{refused}");
    let mut request = scene.request(&scene.url());
    if let Some(credential) = &mut request.credential {
        credential.port = 22;
    }
    assert!(matches!(vcs.update(request).await, Err(VcsError::Policy { .. })));
    assert!(!scene.server.log().contains("Connection from"));
}

#[tokio::test]
async fn nothing_in_an_address_is_run() {
    let mut scene = Scene::new().await;
    scene.known = vec![host_key(&scene.server.host_key("ed25519"))];
    let canary = scene.directory.path().join("canary");
    let touch = format!("touch${{IFS}}{}", canary.display());
    for path in [format!("/$({touch})"), format!("/`{touch}`"), format!("/x';{touch};'"), format!("/x;{touch}")] {
        let url = format!("ssh://{}@127.0.0.1:{}{path}", scene.server.user, scene.server.port);
        let error = scene.update_from(&url).await.expect_err("there is nothing");
        assert!(matches!(error, VcsError::NotFoundOrNoAccess { .. }), "{url}: {error}");
    }
    for url in [
        format!("ssh://-oProxyCommand={touch}/x"),
        format!("ssh://%2doProxyCommand={touch}@127.0.0.1/x"),
        format!("-oProxyCommand={touch}:x"),
        format!("ssh://a%60{touch}%60@127.0.0.1/x"),
        format!("ssh://a;{touch}@127.0.0.1/x"),
    ] {
        assert!(SourceUrl::parse(&url, &UrlPolicy::default()).is_err(), "{url}");
    }
    assert!(!canary.exists());
}
