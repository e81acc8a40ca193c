//! Through a forwarding proxy, past it, and what is said when it does not let us pass.

use super::certificates::Authority;
use super::forward_proxy::{ForwardProxy, Refusal};
use super::git_server::{Account, GitServer};
use super::{Scene, VcsError};

/// A scene behind a proxy that wants a user and a password with special characters.
fn behind_proxy() -> (Scene, ForwardProxy) {
    let mut scene = Scene::new();
    scene.repository.package("refs/heads/main", "acme/package");
    let proxy = ForwardProxy::start(Some(("d'agent@corp", "p@ss:w/rd")));
    scene.settings.outbound.proxy = Some(format!("http://d'agent%40corp:p%40ss%3Aw%2Frd@{}", proxy.address));
    // The name is known to the proxy only.
    scene.settings.outbound.guard.allow.clear();
    (scene, proxy)
}

fn secure(scene: &Scene) -> String {
    format!("https://git.test:{}/package.git", scene.server.port)
}

#[tokio::test]
async fn https_goes_through_the_proxy_which_resolves_the_name_and_sees_no_secret() {
    let (mut scene, proxy) = behind_proxy();
    scene.server.require(Account::Basic("ada", "secret"));
    scene.credential = Some(scene.basic("ada", "secret"));
    scene.credential.as_mut().expect("just set").host = "git.test".to_owned();
    let url = secure(&scene);
    scene.update_from(&url).await.expect("the proxy lets us pass");
    let seen = proxy.take_log();
    assert!(!seen.is_empty());
    for asked in seen {
        assert_eq!(asked.line, format!("CONNECT git.test:{}", scene.server.port));
        assert!(asked.known && !asked.sees_authorization);
    }
}

#[tokio::test]
async fn a_proxy_can_stand_behind_tls_and_must_be_trusted_then() {
    let (mut scene, _) = behind_proxy();
    let authority = Authority::new();
    let proxy = ForwardProxy::start_with(Some(("agent", "word")), Some(authority.server));
    scene.settings.outbound.proxy = Some(format!("https://agent:word@localhost:{}", proxy.address.port()));
    let url = secure(&scene);
    let text = scene.update_from(&url).await.expect_err("it is not trusted").to_string();
    assert!(text.contains("`ca_bundle`") && proxy.take_log().is_empty(), "{text}");
    scene.settings.outbound.ca_bundle = Some(format!("{}{}", scene.server.ca, authority.pem));
    scene.update_from(&url).await.expect("it is trusted");
    assert!(proxy.take_log().iter().all(|asked| asked.known && asked.line.starts_with("CONNECT git.test:")));
}

#[tokio::test]
async fn http_goes_through_the_proxy_in_absolute_form() {
    let (mut scene, proxy) = behind_proxy();
    scene.settings.policy.allow_insecure = true;
    scene.server = GitServer::start_with(&scene.directory.path().join("repositories"), None);
    let url = format!("http://git.test:{}/package.git", scene.server.port);
    scene.update_from(&url).await.expect("the proxy lets us pass");
    let seen = proxy.take_log();
    assert!(seen.iter().any(|asked| asked.line.starts_with(&format!("GET {url}/info/refs"))), "{seen:?}");
    assert!(seen.iter().any(|asked| asked.line.starts_with(&format!("POST {url}/git-upload-pack"))), "{seen:?}");
    assert!(seen.iter().all(|asked| asked.known));
}

#[tokio::test]
async fn who_is_listed_is_reached_without_the_proxy() {
    let (mut scene, proxy) = behind_proxy();
    for rule in ["localhost", "127.0.0.0/8", "*"] {
        let rule = rule.parse().expect("a rule");
        scene.settings.outbound.no_proxy = vec![rule];
        scene.settings.outbound.guard.allow = vec!["127.0.0.0/8".parse().expect("a rule")];
        scene.known = None;
        let host =
            if scene.settings.outbound.no_proxy[0].matches_host("localhost") { "localhost" } else { "127.0.0.1" };
        let url = format!("https://{host}:{}/package.git", scene.server.port);
        scene.update_from(&url).await.expect("nothing is in the way");
    }
    assert!(proxy.take_log().is_empty());
}

#[tokio::test]
async fn the_guard_refuses_behind_a_proxy_what_it_can_know() {
    let (mut scene, proxy) = behind_proxy();
    scene.settings.outbound.guard.deny = vec!["*.evil.test".parse().expect("a rule")];
    for host in
        ["127.0.0.1", "[::1]", "169.254.169.254", "localhost", "2130706433", "a.evil.test", "metadata.google.internal"]
    {
        let failed = scene.update_from(&format!("https://{host}/r")).await.expect_err("it is refused");
        assert!(matches!(&failed, VcsError::Policy { reason } if reason.contains("[outbound]")), "{host}: {failed:?}");
    }
    assert!(proxy.take_log().is_empty());
}

#[tokio::test]
async fn every_trouble_with_the_proxy_names_it_and_not_its_password() {
    let (mut scene, proxy) = behind_proxy();
    let url = secure(&scene);
    let shown = format!("http://{}", proxy.address);
    for (refusal, said, permanent) in [
        (Refusal::Status(407), "HTTP 407", true),
        (Refusal::Status(403), "allow that host and port there", false),
        (Refusal::Status(502), "`no_proxy`", false),
        (Refusal::Html, "no TLS", false),
        (Refusal::Hangup, "no HTTP proxy", false),
    ] {
        proxy.refuse(refusal);
        let failed = scene.update_from(&url).await.expect_err("it does not let us pass");
        let text = failed.to_string();
        assert!(text.contains(&shown) && text.contains(said) && text.contains("[outbound]"), "{refusal:?}: {text}");
        assert_eq!(failed.is_permanent(), permanent, "{failed:?}");
        assert!(!text.contains("p@ss") && !text.contains("p%40ss") && !text.contains("agent"), "{text}");
    }
    proxy.refuse(Refusal::Mute);
    scene.settings.outbound.timeout = std::time::Duration::from_secs(1);
    let text = scene.update_from(&url).await.expect_err("silence").to_string();
    assert!(text.contains(&shown), "{text}");
    drop(proxy);
    let text = scene.update_from(&url).await.expect_err("nobody").to_string();
    assert!(text.contains(&shown) && text.contains("cannot be reached"), "{text}");
    scene.settings.outbound.proxy = Some("http://u:pr0xy-word@no-such-proxy.invalid:3128".to_owned());
    let text = scene.update_from(&url).await.expect_err("no such name").to_string();
    assert!(text.contains("http://no-such-proxy.invalid:3128") && !text.contains("pr0xy-word"), "{text}");
}

#[tokio::test]
async fn over_http_the_proxys_own_answers_name_it() {
    let (mut scene, proxy) = behind_proxy();
    scene.settings.policy.allow_insecure = true;
    let shown = format!("http://{}", proxy.address);
    for refusal in [Refusal::Status(407), Refusal::Status(403), Refusal::Status(502), Refusal::Html] {
        proxy.refuse(refusal);
        let text = scene.update_from("http://git.test/r").await.expect_err("it does not let us pass").to_string();
        assert!(text.contains(&shown), "{refusal:?}: {text}");
    }
}
