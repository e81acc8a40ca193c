//! That the GitHub simulator believes Apps what GitHub believes them, gives them tokens of an hour, and tells them what they
//! may know.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::github_world::{World, json};
use crate::platforms::frame::now;
use crate::platforms::github::acts_apps::NewApp;
use crate::platforms::github::events::Pushed;

fn signed(app: &NewApp, claims: &Value) -> String {
    let body: String = app.key.lines().filter(|line| !line.starts_with("-----")).collect();
    let pair = KeyPair::from_der(&STANDARD.decode(body).unwrap()).unwrap();
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
    let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn valid(app: &NewApp) -> String {
    signed(app, &json!({"iat": now() - 60, "exp": now() + 540, "iss": app.id}))
}

const PERMISSIONS: [(&str, &str); 3] = [("metadata", "read"), ("contents", "read"), ("members", "read")];

#[test]
fn apps_are_believed_for_ten_minutes() {
    let world = World::new();
    let app = world.github.app_registered(&PERMISSIONS, "http://127.0.0.1:9/");
    let status = |claims: Value| world.ask(&signed(&app, &claims), "/app").status;
    let at = now();
    assert_eq!(world.ask(&valid(&app), "/app").status, 200);
    assert_eq!(status(json!({"iat": at - 60, "exp": at + 700, "iss": app.id})), 401);
    assert_eq!(status(json!({"iat": at + 60, "exp": at + 500, "iss": app.id})), 401);
    assert_eq!(status(json!({"iat": at - 600, "exp": at - 60, "iss": app.id})), 401);
    let text = world.ask(&signed(&app, &json!({"iat": at - 60, "exp": at + 500, "iss": "x"})), "/app");
    assert!(text.status == 401 && text.violation.is_some());
    let other = world.github.app_registered(&PERMISSIONS, "http://127.0.0.1:9/");
    assert_eq!(
        world.ask(&signed(&other, &json!({"iat": at - 60, "exp": at + 500, "iss": app.id})), "/app").status,
        401
    );
    world.github.clock_ahead(-600);
    assert_eq!(world.ask(&valid(&app), "/app").status, 401);
}

#[test]
fn tokens_of_installations_are_long_and_short_lived() {
    let world = World::new();
    let github = &world.github;
    let (seen, hidden) = (github.repository(world.org, "seen"), github.repository(world.org, "hidden"));
    let app = github.app_registered(&PERMISSIONS, "http://127.0.0.1:9/");
    github.silence(true);
    let installation = github.installed(app.id, world.org, Some(&[seen]));
    let target = format!("/app/installations/{installation}/access_tokens");
    let make = |body: Value| world.change("POST", &valid(&app), &target, &body);
    assert_eq!(json(&world.ask(&valid(&app), "/orgs/acme/installation"))["id"], installation);
    assert_eq!(make(json!({"permissions": {"administration": "read"}})).status, 422);
    assert_eq!(make(json!({"repository_ids": [hidden]})).status, 422);
    github.birth_lag(1, 401);
    let made = json(&make(json!({"permissions": {"members": "read"}})));
    let token = made["token"].as_str().unwrap().to_owned();
    assert!(token.len() == 520 && token.starts_with("ghs_") && token.contains('.'), "{token}");
    assert_eq!(world.ask(&token, "/installation/repositories").status, 401);
    let listed = json(&world.ask(&token, "/installation/repositories"));
    assert!(listed["total_count"] == 1 && listed["repositories"][0]["id"] == seen);
    assert_eq!(world.ask(&token, "/repos/acme/seen/contents/composer.json").status, 403);
    assert_eq!(world.ask(&token, "/repos/acme/hidden").status, 404);
    assert_eq!(world.ids(&token, "/orgs/acme/members"), [world.owner].into());
    github.selected(installation, None);
    assert_eq!(json(&world.ask(&token, "/installation/repositories"))["total_count"], 2);
    github.installation_suspended(installation, true);
    assert_eq!(make(json!({})).status, 403);
    github.installation_suspended(installation, false);
    assert_eq!(world.ask(&token, "/installation/repositories").status, 200);
    github.pass(3601);
    assert_eq!(world.ask(&token, "/installation/repositories").status, 401);
    github.uninstalled(installation);
    assert_eq!(make(json!({})).status, 401, "the clock went on");
}

#[test]
fn apps_hear_of_their_installations_whatever_they_asked_for() {
    let world = World::new();
    let github = &world.github;
    let app = github.app_registered(&PERMISSIONS, "http://127.0.0.1:9/hooks/app/corp");
    let installation = github.installed(app.id, world.org, None);
    let repository = github.repository_created(world.org, "lib");
    github.selected(installation, Some(&[]));
    github.pushed(repository, &[Pushed::new("refs/heads/main", &"a".repeat(40))]);
    github.repository_deleted(repository);
    github.installation_suspended(installation, true);
    github.post().settle();
    let sent = github.post().sent();
    let told: Vec<String> = sent
        .iter()
        .map(|sent| format!("{}.{}", sent.parcel.event, sent.parcel.action.as_deref().unwrap_or_default()))
        .collect();
    let expected = [
        "installation.created",
        "repository.created",
        "installation_repositories.added",
        "installation_repositories.removed",
        "installation.suspend",
    ];
    assert_eq!(told, expected);
    for sent in sent {
        let payload: Value = serde_json::from_slice(&sent.parcel.body).unwrap();
        assert_eq!(payload["installation"]["id"], installation);
        assert_eq!(sent.status, None, "nobody is there");
    }
}
