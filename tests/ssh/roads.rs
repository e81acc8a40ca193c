//! The roads to a server: what may be reached, through which proxy, for how long, and what is left on the way.

use std::net::TcpListener;
use std::time::Duration;

use packagist_selfhosted::vcs::{SourceUrl, Vcs, VcsError};
use secrecy::ExposeSecret;

use super::certificates::Authority;
use super::forward_proxy::ForwardProxy;
use super::{Scene, allowing, holds_text, processes_on, wait_for};

#[tokio::test]
async fn the_guard_looks_at_where_a_name_leads() {
    let mut scene = Scene::new().await;
    let by_name = scene.url().replace("127.0.0.1", "localhost");
    scene.settings.outbound.guard = allowing(&[], &[]);
    let refused = scene.update_from(&by_name).await.expect_err("it is this machine");
    assert!(refused.to_string().contains("`allow` under [outbound]"), "{refused}");
    assert!(matches!(scene.fails().await, VcsError::Policy { .. }));
    scene.settings.outbound.guard = allowing(&["localhost"], &["127.0.0.0/8", "::1"]);
    let refused = scene.update_from(&by_name).await.expect_err("it is denied");
    assert!(refused.to_string().contains("`deny` under [outbound]"), "{refused}");
    assert!(!scene.server.log().contains("Connection from"));
    scene.settings.outbound.guard = allowing(&["localhost"], &["::1"]);
    scene.update_from(&by_name).await.expect("it is allowed");
}

#[tokio::test]
async fn the_proxy_is_asked_with_user_and_password() {
    let mut scene = Scene::new().await;
    let proxy = ForwardProxy::start(Some(("ci", "p@ss:word")));
    let through = |user: &str| Some(format!("http://{user}@{}", proxy.address));
    scene.settings.outbound.guard = allowing(&[], &[]);
    // The proxy, and not we, knows this name.
    let url = scene.url().replace("127.0.0.1", "git.inside.test");

    scene.settings.outbound.proxy = through("ci:wrong");
    let refused = scene.update_from(&url).await.expect_err("the password is wrong");
    assert!(refused.to_string().contains("HTTP 407") && !refused.to_string().contains("wrong"), "{refused}");
    proxy.take_log();

    scene.settings.outbound.proxy = through("ci:p%40ss%3Aword");
    scene.update_from(&url).await.expect("it leads there");
    let asked = proxy.take_log();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].line, format!("CONNECT git.inside.test:{}", scene.server.port));
    assert!(asked[0].known);

    proxy.refuse(super::forward_proxy::Refusal::Status(403));
    let refused = scene.update_from(&url).await.expect_err("the proxy does not want");
    assert!(refused.to_string().contains("HTTP 403") && refused.to_string().contains("no_proxy"), "{refused}");
    scene.settings.outbound.no_proxy = vec!["127.0.0.1".parse().expect("a rule")];
    scene.settings.outbound.guard = allowing(&["127.0.0.1"], &[]);
    scene.known.clear();
    scene.works().await;
}

#[tokio::test]
async fn a_proxy_behind_tls_is_trusted_by_the_bundle() {
    let mut scene = Scene::new().await;
    let authority = Authority::new();
    let proxy = ForwardProxy::start_with(Some(("ci", "hunter2")), Some(authority.server));
    let port = proxy.address.port();
    scene.settings.outbound.proxy = Some(format!("https://ci:hunter2@localhost:{port}"));
    let refused = scene.fails().await;
    assert!(matches!(refused, VcsError::Proxy { .. }) && refused.to_string().contains("ca_bundle"), "{refused}");
    scene.settings.outbound.ca_bundle = Some(authority.pem);
    scene.works().await;
    assert!(proxy.take_log().iter().all(|asked| asked.known));
}

#[tokio::test]
async fn a_mute_server_is_given_up() {
    let mut scene = Scene::new().await;
    scene.settings.outbound.timeout = Duration::from_secs(1);
    let mute = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = mute.local_addr().expect("an address").port();
    let url = format!("ssh://git@127.0.0.1:{port}/x");
    let error = scene.update_from(&url).await.expect_err("nobody answers");
    assert!(matches!(error, VcsError::Timeout { .. }) && !error.is_permanent(), "{error:?}");
    assert_eq!(processes_on(port), Vec::<String>::new());
    drop(mute);
    let error = scene.update_from(&url).await.expect_err("nobody is there");
    assert!(matches!(error, VcsError::Unreachable { .. }), "{error:?}");
    let error = scene.update_from("ssh://git@no-such-host.invalid/x").await.expect_err("nobody is there");
    assert!(matches!(error, VcsError::Dns { .. }), "{error:?}");
}

#[tokio::test]
async fn what_speaks_another_language_is_no_ssh_server() {
    let mut scene = Scene::new().await;
    let web = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = web.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = web.accept().await {
            let page = format!("HTTP/1.1 400 Bad Request\r\n\r\n{}", "<html>\r\n".repeat(2000));
            // Whoever hangs up has understood.
            tokio::io::AsyncWriteExt::write_all(&mut stream, page.as_bytes()).await.ok();
        }
    });
    let error = scene.update_from(&format!("ssh://git@127.0.0.1:{port}/x")).await.expect_err("it is a web server");
    let text = error.to_string();
    assert!(text.contains("no SSH server") || text.contains("closed the connection"), "{text}");
}

/// While a conversation runs, its secrets are in no command line and no environment; when it is given up, nothing runs on.
#[tokio::test]
async fn secrets_show_nowhere_and_nothing_is_left() {
    let mut scene = Scene::new().await;
    let proxy = ForwardProxy::start(Some(("ci", "hunter2")));
    scene.settings.outbound.proxy = Some(format!("http://ci:hunter2@{}", proxy.address));
    scene.server.authorize("command=\"sleep 600\" ", &scene.public_key().await);
    let update = tokio::spawn({
        let (vcs, request) = (Vcs::new(scene.settings.clone()), scene.request(&scene.url()));
        async move { vcs.update(request).await }
    });
    wait_for(|| scene.server.log().contains("Starting session")).await;
    let processes = processes_on(scene.server.port);
    assert_eq!(processes.len(), 1, "{processes:?}");
    let body = scene.key.expose_secret().lines().nth(2).expect("a line of the key").to_owned();
    for secret in [body.as_str(), "hunter2"] {
        assert!(!processes[0].contains(secret), "{processes:?}");
    }
    assert!(!holds_text(scene.directory.path(), b"PRIVATE KEY"));
    update.abort();
    wait_for(|| processes_on(scene.server.port).is_empty()).await;
}

#[test]
fn addresses_with_ipv6_and_users_are_taken() {
    for url in ["ssh://git@[::1]:2222/x", "git@git.example.com:a/b.git", "git.example.com:a/b"] {
        SourceUrl::parse(url, &Default::default()).expect("a good address");
    }
}
