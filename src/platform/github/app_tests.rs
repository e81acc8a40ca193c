//! Installations of a GitHub App, and the test of credentials.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{GitHub, person, repository, says, token, wanted};
use crate::clock::Timestamp;
use crate::platform::Level;
use crate::platform::hub::{AppKey, HubError, Key};
use crate::platform::remote::Pages;

/// An App's key, and a key for its installation 42.
fn app() -> (AppKey, Key) {
    use aws_lc_rs::encoding::AsDer;
    use base64::Engine;
    let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let body = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    let app = AppKey { id: 7, private_key: pem.into(), slug: None, webhook_secret: None };
    let key = Key {
        credential: 1,
        generation: 1,
        kind: "github-app".to_owned(),
        username: Some("42".to_owned()),
        secret: SecretString::default().into(),
    };
    (app, key)
}

fn install(github: &GitHub, token: &str, minutes: u64) {
    let installation = json!({
        "id": 42, "account": { "id": 9, "login": "acme" }, "repository_selection": "all", "suspended_at": null,
        "permissions": { "metadata": "read", "contents": "write", "members": "read", "issues": "write" }, "events": ["push"],
    });
    github.get("/app/installations/42", &installation);
    let end = Timestamp::from(std::time::SystemTime::now()) + Duration::from_secs(minutes * 60);
    let made = json!({ "token": token, "expires_at": end.floor_to_second().rfc3339() });
    github.put("POST /app/installations/42/access_tokens", says(201, &made));
    github.get(
        "/installation/repositories?per_page=100",
        &json!({ "total_count": 1, "repositories": [repository(100, "lib")] }),
    );
}

#[tokio::test]
async fn an_installation_is_used_by_tokens_of_an_hour() {
    let github = GitHub::acme("none");
    let (app, key) = app();
    let hub = github.hub(Some(app));
    let long = format!("ghs_{}.{}", "a".repeat(300), "b".repeat(220));
    install(&github, &long, 60);
    let org = hub.organization(&key, &wanted(), &mut Pages::default()).await.unwrap();
    assert_eq!(org.repositories.len(), 1);
    let made = "POST /app/installations/42/access_tokens";
    assert_eq!(github.count(made), 1);
    {
        let world = github.world();
        let asked = world.asked.iter().find(|asked| asked.path.ends_with("access_tokens")).unwrap();
        assert!(asked.headers["authorization"].starts_with("Bearer eyJ"));
        let read = json!({ "permissions": { "metadata": "read", "contents": "read", "members": "read" } });
        assert_eq!(asked.body, read);
        assert_eq!(world.asked.last().unwrap().headers["authorization"], format!("Bearer {long}"));
    }
    // Git gets one that reads the code of one repository, and the same one again.
    for _ in 0..2 {
        let login = hub.git_login(&key, Some("acme/lib.git")).await.unwrap();
        assert_eq!((login.username.as_str(), login.secret.expose_secret()), ("x-access-token", long.as_str()));
    }
    assert_eq!(github.count(made), 2);
    let narrow = json!({ "permissions": { "contents": "read", "metadata": "read" }, "repositories": ["lib"] });
    assert_eq!(github.world().asked.last().unwrap().body, narrow);
    // Many at once make one; shortly before its end, each makes another.
    install(&github, "ghs_short", 4);
    let other = Key { generation: 2, ..key.clone() };
    let many = futures_util::future::join_all((0..8).map(|_| hub.git_login(&key, None))).await;
    assert!(many.iter().all(Result::is_ok));
    assert_eq!(github.count(made), 3 + 7, "a token of four minutes is not kept");
    install(&github, "ghs_new", 60);
    let many = futures_util::future::join_all((0..8).map(|_| hub.git_login(&other, None))).await;
    assert!(many.iter().all(Result::is_ok));
    assert_eq!(github.count(made), 11);
}

#[tokio::test]
async fn a_new_token_is_given_time_and_a_dead_one_replaced() {
    let github = GitHub::acme("none");
    let (app, key) = app();
    let hub = github.hub(Some(app));
    install(&github, "ghs_x", 60);
    let at = "GET /orgs/acme";
    github.first(at, says(401, &json!({ "message": "Bad credentials" })));
    github.first(at, says(403, &json!({ "message": "Resource not accessible by integration" })));
    hub.organization(&key, &wanted(), &mut Pages::default()).await.unwrap();
    assert_eq!(github.count("POST /app/installations/42/access_tokens"), 1);
}

#[tokio::test]
async fn what_is_wrong_with_an_app_is_told() {
    let github = GitHub::acme("none");
    let (app, key) = app();
    let hub = github.hub(Some(app));
    let read = async || hub.organization(&key, &wanted(), &mut Pages::default()).await.unwrap_err();
    assert!(matches!(&read().await, HubError::NotFound(text) if text.contains("no installation 42")));
    install(&github, "ghs_x", 60);
    let suspended =
        json!({ "id": 42, "account": { "id": 9, "login": "acme" }, "suspended_at": "2026-01-01T00:00:00Z" });
    github.get("/app/installations/42", &suspended);
    assert!(matches!(&read().await, HubError::Suspended(text) if text.contains("suspended")));
    github.put("GET /app/installations/42", says(401, &json!({ "message": "A JSON web token could not be decoded" })));
    assert!(matches!(&read().await, HubError::Unauthorized(text) if text.contains("does not match")));
    // A clock that is wrong is taken for GitHub's, once.
    install(&github, "ghs_x", 60);
    let late = says(401, &json!({ "message": "'Expiration time' claim ('exp') is too far in the future" }));
    github.first("GET /app/installations/42", late.with("date", "Sun, 22 Nov 2020 00:00:00 GMT"));
    hub.organization(&key, &wanted(), &mut Pages::default()).await.unwrap();
    let none = Key { username: Some("8/42".to_owned()), generation: 2, ..key.clone() };
    let error = hub.organization(&none, &wanted(), &mut Pages::default()).await.unwrap_err();
    assert!(matches!(&error, HubError::Unauthorized(text) if text.contains("no private key")), "{error}");
}

#[tokio::test]
async fn a_test_says_what_is_missing_and_what_for() {
    let github = GitHub::acme("none");
    let user = says(200, &person(1, "olga"))
        .with("x-oauth-scopes", "repo")
        .with("github-authentication-token-expiration", "2020-12-01 00:00:00 UTC");
    github.put("GET /user", user);
    let hub = github.hub(None);
    let found = hub.diagnose(&token(), None).await;
    let said = |level: Level, text: &str| {
        found.findings.iter().any(|finding| finding.level == level && finding.text.contains(text))
    };
    assert_eq!(found.accepted, Some(true));
    assert!(said(Level::Ok, "the scope `repo`") && said(Level::Fail, "lacks the scope `read:org`"), "{found:?}");
    assert!(said(Level::Fail, "ended on 2020-12-01") && found.expires_at.is_some());
    // A fine-grained token: found out by asking.
    github.get("/user", &person(1, "olga"));
    let denied = says(403, &json!({ "message": "Resource not accessible by personal access token" }));
    github.put("GET /orgs/acme/members?per_page=1", denied.with("x-accepted-github-permissions", "members=read"));
    let found = hub.diagnose(&token(), Some("acme")).await;
    let text: Vec<_> = found.findings.iter().map(|finding| finding.text.as_str()).collect();
    assert!(text.iter().any(|text| text.contains("Organization → Members: read")), "{text:?}");
    github.put("GET /user", says(401, &json!({ "message": "Bad credentials" })));
    assert_eq!(hub.diagnose(&token(), None).await.accepted, Some(false));
    // An App.
    let (app, key) = app();
    let hub = github.hub(Some(app));
    github.get("/app", &json!({ "id": 7, "slug": "packages", "name": "Packages" }));
    install(&github, "ghs_x", 60);
    github.get("/installation/repositories?per_page=1", &json!({ "total_count": 0, "repositories": [] }));
    let found = hub.diagnose(&key, Some("other")).await;
    let text: Vec<_> = found.findings.iter().map(|finding| finding.text.as_str()).collect();
    for expected in [
        "GitHub App \"Packages\"",
        "not in other",
        "has Organization → Members: read",
        "Organization → Administration: read",
    ] {
        assert!(text.iter().any(|text| text.contains(expected)), "{expected}: {text:?}");
    }
    assert_eq!(found.accepted, Some(true));
}
