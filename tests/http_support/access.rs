//! Who is let in, and what whoever is not is told.

use std::time::Duration;

use packagist_selfhosted::access::token::{TokenKind, TokenText};
use packagist_selfhosted::store::{tokens, users};

use crate::world::{START, basic, token, user_token, world};

const ROOT: &str = "/repo/acme/packages.json";

#[tokio::test]
async fn a_token_works_wherever_clients_put_it() {
    let world = world().await;
    let token = &world.reader;
    for value in [
        basic("token", token),
        basic("", token),
        basic(token, ""),
        basic(token, "x-oauth-basic"),
        basic("ada", token),
        format!("Bearer {token}"),
    ] {
        let answer = world.anonymous("GET", ROOT).header("Authorization", &value).send().await;
        assert_eq!(answer.status, 200, "{value}");
    }
    let cookie = world.anonymous("GET", ROOT).header("Cookie", &format!("token={token}; session={token}")).send().await;
    assert_eq!(cookie.status, 401, "cookies open nothing");
    let query = world.anonymous("GET", &format!("{ROOT}?token={token}")).send().await;
    assert_eq!(query.status, 401);
}

#[tokio::test]
async fn each_refusal_says_what_to_do() {
    let world = world().await;
    let read = TokenKind::OrganizationRead;
    let (revoked, id) = token(&world.appliance, world.acme, read, None, None).await;
    world.write(move |tx| tokens::revoke(tx, id, START)).await;
    let soon = START + Duration::from_secs(60);
    let (expiring, _) = token(&world.appliance, world.acme, read, None, Some(soon)).await;
    assert_eq!(world.get(&expiring, ROOT).await.status, 200);
    world.clock.advance(Duration::from_secs(60));
    let disabled = user_token(&world.appliance, "ada", true).await;
    assert_eq!(world.get(&disabled, ROOT).await.status, 200);
    world
        .write(|tx| {
            let ada = users::by_name(tx, "ada")?.expect("she is there");
            users::set_enabled(tx, ada.id, false)
        })
        .await;
    let unknown = TokenText::generate(read, [7; 30]).expose().to_owned();
    let api = TokenText::generate(TokenKind::ApiSecret, [7; 30]).expose().to_owned();
    let mistyped = world.reader.replace("pksh_ort_", "pksh_uut_");

    let store = "composer config --global --auth http-basic.packages.example.com token YOUR_TOKEN";
    for (password, expected) in [
        ("hunter2", "tokens begin with `pksh_`"),
        (mistyped.as_str(), "mistyped or cut off"),
        (unknown.as_str(), "not known here"),
        (revoked.as_str(), "revoked at 2026-11-22T12:00:00Z"),
        (expiring.as_str(), "expired at 2026-11-22T12:01:00Z"),
        (api.as_str(), "credentials of the API"),
        (disabled.as_str(), "account that holds this token is disabled"),
    ] {
        let answer = world.get(password, ROOT).await;
        let warning = answer.warning().expect("a warning");
        assert!(warning.contains(expected), "{warning}");
        assert!(warning.contains(store) || password == disabled, "{warning}");
        assert!(!warning.contains(password), "secrets are not repeated");
        is_unauthorized(&answer);
    }
    let missing = world.anonymous("GET", ROOT).send().await;
    assert!(missing.warning().expect("a warning").contains("none was sent"));
    is_unauthorized(&missing);
}

fn is_unauthorized(answer: &crate::client::Response) {
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.header("content-type").as_deref(),
        Some("application/json"),
        "exactly, or Composer shows nothing"
    );
    let challenge = answer.header("www-authenticate").expect("a challenge");
    assert!(challenge.contains(r#"Basic realm="packagist-selfhosted", charset="UTF-8""#), "{challenge}");
    assert!(challenge.contains("Bearer realm="), "{challenge}");
    assert_eq!(answer.json()["status"], "error");
    assert!(answer.json()["message"].is_string());
    assert!(answer.header("x-request-id").is_some());
}

#[tokio::test]
async fn without_credentials_nothing_below_repo_can_be_told_apart() {
    let world = world().await;
    let mut answers = Vec::new();
    for path in [
        ROOT,
        "/repo/acme/p2/acme/lib.json",
        "/repo/nobody/packages.json",
        "/repo/acme/none",
        "/repo/",
        "/repo",
        "/repo/acme/p2/acme/none.json",
        "/repo/acme/dists/acme/lib/00.zip",
    ] {
        answers.push(world.anonymous("GET", path).send().await.lasting());
        answers.push(world.anonymous("GET", path).header("Authorization", "Basic Og==").send().await.lasting());
    }
    assert!(answers.iter().all(|answer| answer.status == 401 && *answer == answers[0]));
    assert_eq!(world.anonymous("POST", "/repo/acme/downloads").body(b"{}").send().await.status, 401);
    assert_eq!(world.anonymous("DELETE", ROOT).send().await.status, 401);
}

#[tokio::test]
async fn organizations_see_nothing_of_each_other() {
    let world = world().await;
    for path in [
        "packages.json",
        "p2/acme/lib.json",
        "p2/acme/none.json",
        "list.json",
        "search.json?q=",
        "none",
        "dists/acme/lib/0123456789abcdef0123456789abcdef01234567.zip",
        "metadata/changes.json",
    ] {
        for method in ["GET", "HEAD", "DELETE"] {
            let foreign = world.with(&world.stranger, method, &format!("/repo/acme/{path}")).send().await.lasting();
            let absent = world.with(&world.stranger, method, &format!("/repo/nobody/{path}")).send().await.lasting();
            assert_eq!(foreign.status, 404, "{method} {path}");
            assert_eq!(foreign, absent, "{method} {path}");
        }
    }
    let list = world.get(&world.stranger, "/repo/other/list.json").await.json();
    assert_eq!(list, serde_json::json!({ "packageNames": ["other/thing"] }));
    assert_eq!(world.get(&world.admin, "/repo/other/packages.json").await.status, 200);
    assert_eq!(world.get(&world.admin, "/repo/acme/packages.json").await.status, 200);
    assert_eq!(world.get(&world.reader, "/repo/ACME/packages.json").await.status, 200, "slugs have no case");
}

#[tokio::test]
async fn an_empty_scope_opens_nothing() {
    let world = world().await;
    let root = world.get(&world.empty, ROOT).await.json();
    assert_eq!(root["available-packages"], serde_json::json!(["none/none"]));
    assert_eq!(world.get(&world.empty, "/repo/acme/list.json").await.json()["packageNames"], serde_json::json!([]));
}

#[tokio::test]
async fn revocation_counts_from_the_next_request() {
    let world = world().await;
    let (text, id) = token(&world.appliance, world.acme, TokenKind::OrganizationRead, None, None).await;
    assert_eq!(world.get(&text, ROOT).await.status, 200);
    world.write(move |tx| tokens::revoke(tx, id, START)).await;
    assert_eq!(world.get(&text, ROOT).await.status, 401);
}

#[tokio::test]
async fn the_last_use_is_kept_when_the_server_stops() {
    let world = world().await;
    assert_eq!(world.get(&world.reader, ROOT).await.status, 200);
    let (org, appliance) = (world.acme, world.appliance.clone());
    world.server.stop().await;
    let stored = appliance.database.read(move |db| tokens::all(org, db)).await.expect("the store answers");
    let used: Vec<_> = stored.iter().filter_map(|token| token.last_used_at).collect();
    assert_eq!(used, [START]);
}
