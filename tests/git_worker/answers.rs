//! What servers answer that is no repository, and what people are told of it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use super::git_server::{Account, Fault, GitServer};
use super::{Scene, Update, VcsError};

/// A scene whose server speaks plain HTTP, which the configuration allows.
fn unencrypted() -> Scene {
    let mut scene = Scene::new();
    scene.settings.policy.allow_insecure = true;
    scene.server = GitServer::start_with(&scene.directory.path().join("repositories"), None);
    scene.repository.package("refs/heads/main", "acme/package");
    scene
}

/// What people read when the server answers like this.
async fn told(
    scene: &mut Scene,
    status: u16,
    headers: &[(&'static str, &str)],
    body: &'static str,
) -> (VcsError, String) {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    scene.server.fail(Fault::Answer(status, headers, body));
    let error = scene.update().await.expect_err("it is no repository");
    let text = error.to_string();
    (error, text)
}

#[tokio::test]
async fn sign_in_pages_and_captive_portals_are_named() {
    const HTML: (&str, &str) = ("Content-Type", "text/html; charset=utf-8");
    let mut scene = Scene::new();
    let elsewhere = "https://login.example.com/oauth/authorize?state=s3cr3t";
    for (status, headers, body, said) in [
        (200, vec![HTML], "<html>Sign in</html>", "a web page"),
        (200, vec![], "", "no content type"),
        (200, vec![("Content-Type", "application/x-git-upload-pack-result")], "", "x-git-upload-pack-result"),
        (203, vec![HTML], "<html>Sign in</html>", "HTTP 203"),
        (302, vec![("Location", elsewhere)], "", "a sign-in page at login.example.com"),
        (302, vec![("Location", "/users/sign_in")], "", "a sign-in page"),
        (302, vec![("Location", "https://elsewhere.example.com/")], "", "https://elsewhere.example.com/"),
        (302, vec![("Location", "/package.git")], "", "which is no repository"),
        (302, vec![("Location", "gopher://elsewhere.example.com/")], "", "gopher://"),
        (302, vec![], "", "without saying where"),
        (407, vec![], "", "HTTP 407"),
        (418, vec![], "", "HTTP 418"),
        (511, vec![], "", "captive portal"),
    ] {
        let (error, text) = told(&mut scene, status, &headers, body).await;
        assert!(matches!(error, VcsError::NotAGitEndpoint { .. }) && error.is_permanent(), "{status}: {error:?}");
        assert!(text.contains(said) && text.contains("does not answer like a Git server"), "{status}: {text}");
        assert!(!text.contains("s3cr3t"), "{text}");
    }
}

#[tokio::test]
async fn whoever_asks_for_patience_gets_it() {
    let mut scene = Scene::new();
    for (status, headers, after) in [
        (429, vec![("Retry-After", "120")], Some(120)),
        (429, vec![], None),
        (429, vec![("Retry-After", "soon")], None),
        (403, vec![("X-RateLimit-Remaining", "0")], None),
        (403, vec![("Retry-After", "60")], Some(60)),
    ] {
        let (error, text) = told(&mut scene, status, &headers, "").await;
        assert!(matches!(&error, VcsError::RateLimited { retry_after, .. } if *retry_after == after), "{error:?}");
        assert!(!error.is_permanent() && text.contains("tried again"), "{text}");
    }
    let (error, _) = told(&mut scene, 429, &[("Retry-After", "Wed, 31 Dec 2098 23:59:59 GMT")], "").await;
    assert!(error.retry_after().is_some_and(|after| after > Duration::from_secs(86_400)), "{error:?}");
    for status in [500, 502, 503, 504] {
        let (error, text) = told(&mut scene, status, &[("Retry-After", "9")], "").await;
        assert_eq!(error.retry_after(), Some(Duration::from_secs(9)));
        assert!(text.contains(&format!("HTTP {status}")), "{text}");
    }
    let (error, text) = told(&mut scene, 403, &[("X-RateLimit-Remaining", "17")], "").await;
    assert!(matches!(error, VcsError::Forbidden { .. }) && text.contains("read access"), "{text}");
    let (error, text) = told(&mut scene, 410, &[], "").await;
    assert!(matches!(error, VcsError::NotFoundOrNoAccess { .. }), "{error:?}");
    assert!(text.contains(&scene.server.url("package.git")), "{text}");
}

#[tokio::test]
async fn a_wrong_password_is_shown_once() {
    let mut scene = Scene::new();
    scene.server.require(Account::Basic("ada", "right"));
    scene.credential = Some(scene.basic("ada", "wrong"));
    let failed = scene.update().await.expect_err("a wrong password");
    assert!(failed.is_permanent() && failed.to_string().contains("credential rotate"), "{failed}");
    assert_eq!(scene.server.take_log().len(), 1);
}

#[tokio::test]
async fn http_is_spoken_and_carries_credentials_where_that_is_allowed() {
    let mut scene = unencrypted();
    scene.server.require(Account::Basic("ada", "secret"));
    scene.credential = Some(scene.basic("ada", "secret"));
    scene.changed().await;
    assert!(matches!(scene.update().await, Ok(Update::Unchanged { .. })));

    // The switch may be turned off when the package is there already.
    let request = scene.request(&scene.server.url("package.git"));
    scene.server.take_log();
    scene.settings.policy.allow_insecure = false;
    let refused = scene.vcs().update(request).await.expect_err("unencrypted");
    assert!(matches!(&refused, VcsError::Policy { reason } if reason.contains("allow_insecure")), "{refused:?}");
    assert!(scene.server.take_log().is_empty());
}

#[tokio::test]
async fn from_http_to_https_of_the_same_host_is_followed_without_the_credential() {
    let mut scene = unencrypted();
    let secure = GitServer::start(&scene.directory.path().join("repositories"));
    scene.settings.outbound.ca_bundle = Some(secure.ca.clone());
    scene.credential = Some(scene.basic("ada", "secret"));
    scene.server.fail(Fault::Redirect(format!("https://localhost:{}", secure.port)));
    scene.changed().await;
    let seen = secure.take_log();
    assert!(!seen.is_empty() && seen.iter().all(|seen| seen.authorization.is_none()), "{seen:?}");

    secure.require(Account::Basic("ada", "secret"));
    let failed = scene.update().await.expect_err("it wants the credential");
    let text = failed.to_string();
    assert!(matches!(failed, VcsError::Redirected { .. }) && failed.is_permanent(), "{failed:?}");
    assert!(text.contains(&format!("https://localhost:{}/package.git", secure.port)), "{text}");
    assert!(secure.take_log().iter().all(|seen| seen.authorization.is_none()));
}

#[tokio::test]
async fn from_https_to_http_is_never_followed() {
    let mut scene = Scene::new();
    scene.settings.policy.allow_insecure = true;
    let plain = GitServer::start_with(&scene.directory.path().join("repositories"), None);
    scene.server.fail(Fault::Redirect(format!("http://localhost:{}", plain.port)));
    let failed = scene.update().await.expect_err("unencrypted").to_string();
    assert!(failed.contains("unencrypted address"), "{failed}");
    assert!(plain.take_log().is_empty());
}

#[tokio::test]
async fn a_connection_that_is_cut_leaves_nothing_and_the_next_update_succeeds() {
    let mut scene = Scene::new();
    scene.repository.package("refs/heads/main", "acme/package");
    scene.server.fail(Fault::CutPack);
    let failed = scene.update().await.expect_err("half a pack");
    assert!(matches!(&failed, VcsError::Unreachable { .. }) && !failed.is_permanent(), "{failed:?}");
    assert!(!scene.mirror().join("packed-refs").exists());
    scene.server.fail(None);
    scene.changed().await;
}

#[tokio::test]
async fn who_stops_in_the_middle_of_the_headers_is_given_up() {
    let mut scene = unencrypted();
    scene.settings.outbound.timeout = Duration::from_secs(1);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("it asks");
            request.extend(byte);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-").expect("it listens");
        // Until the other side goes.
        stream.read_to_end(&mut Vec::new())
    });
    let failed = scene.update_from(&format!("http://localhost:{port}/r")).await.expect_err("half a head");
    assert!(matches!(&failed, VcsError::Timeout { what, .. } if what.contains("localhost")), "{failed:?}");
    server.join().expect("no panic").expect("the connection was closed");
}

#[tokio::test]
async fn nobody_there_and_somebody_else_there_are_told_apart() {
    let mut scene = unencrypted();
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let failed = scene.update_from(&format!("https://localhost:{}/r", free.port())).await.expect_err("nobody");
    assert!(matches!(&failed, VcsError::Unreachable { reason, .. } if reason.contains("refused")), "{failed:?}");
    let failed = scene.update_from(&format!("https://localhost:{}/r", scene.server.port)).await.expect_err("no TLS");
    assert!(matches!(&failed, VcsError::Tls { reason, .. } if reason.contains("does not speak TLS")), "{failed:?}");
}
