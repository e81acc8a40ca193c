//! Deliveries in the shapes of versions 5 to 10.

use aws_lc_rs::hmac;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{Delivery, Headers, Refused, Touch, read};

const SECRET: &str = "It's a Secret to Everybody";

fn signature(body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let hex: String = hmac::sign(&key, body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

fn headers(event: &str, signature: &str) -> Headers {
    let headers = [
        ("X-Event-Key", event),
        ("X-Request-Id", "a1c6b2f0-6a3c-4b8c-9f43-0d5f2e7a1b11"),
        ("Content-Type", "application/json; charset=utf-8"),
        ("X-Hub-Signature", signature),
    ];
    let present = headers.into_iter().filter(|(_, value)| !value.is_empty());
    Headers::of(present.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

fn delivered(event: &str, payload: &Value) -> Delivery {
    let body = payload.to_string();
    read(&headers(event, &signature(body.as_bytes())), body.as_bytes(), &SecretString::from(SECRET)).unwrap()
}

fn change(kind: &str, reference: &str, of: &str, to: &str) -> Value {
    let zero = "0".repeat(40);
    json!({
        "ref": { "id": reference, "displayId": "x", "type": of }, "refId": reference,
        "fromHash": zero, "toHash": to, "type": kind,
    })
}

#[test]
fn the_signature_is_that_of_the_documentation() {
    let secret = SecretString::from(SECRET);
    let right = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9";
    assert_eq!(signature(b"Hello World!"), right);
    let verified = |signature: &str, body: &[u8]| super::verify(&headers("x", signature), body, &secret);
    verified(right, b"Hello World!").unwrap();
    verified(&right.to_uppercase().replace("SHA", "sha"), b"Hello World!").unwrap();
    for (wrong, body) in [
        (right, &b"Hello World"[..]),
        (&right[..right.len() - 2], b"Hello World!"),
        (&right.replace('7', "8"), b"Hello World!"),
        ("sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59", b"Hello World!"),
        (&right["sha256=".len()..], b"Hello World!"),
        ("", b"Hello World!"),
    ] {
        assert_eq!(verified(wrong, body), Err(Refused::Signature), "{wrong}");
    }
}

#[test]
fn a_ping_is_answered_unsigned_and_nothing_else_is() {
    let secret = SecretString::from(SECRET);
    let ping = read(&headers("diagnostics:ping", ""), br#"{"test":true}"#, &secret).unwrap();
    assert!(ping.is_ping && !ping.signed && ping.touched.is_empty() && ping.pushed.is_empty());
    let push = br#"{"eventKey":"repo:refs_changed","repository":{"id":84},"changes":[]}"#;
    assert_eq!(read(&headers("repo:refs_changed", ""), push, &secret), Err(Refused::Signature));
    // A ping cannot smuggle a push in.
    assert!(read(&headers("diagnostics:ping", ""), push, &secret).unwrap().pushed.is_empty());
}

#[test]
fn pushes_of_all_versions_say_the_same() {
    let commit = "178864a7d521b6f5e720b386b2c2b0ef8563e0dc";
    let changes = json!([
        change("UPDATE", "refs/heads/main", "BRANCH", commit),
        change("DELETE", "refs/heads/old", "BRANCH", &"0".repeat(40)),
        change("ADD", "refs/tags/v1.0.0", "TAG", "fb52f2e7d521b6f5e720b386b2c2b0ef8563e0dc"),
    ]);
    let old = json!({
        "eventKey": "repo:refs_changed", "date": "2017-09-19T09:58:11+1000", "actor": { "name": "admin" },
        "repository": { "slug": "repository", "id": 84, "project": { "key": "PROJ", "id": 84 } }, "changes": changes,
    });
    let mut new = old.clone();
    new["date"] = json!(1_780_000_000_000_i64);
    new["commits"] = json!([{ "id": commit, "committerTimestamp": "2026-05-21T12:56:36Z" }]);
    new["toCommit"] = json!({ "id": commit, "committerTimestamp": 1_780_000_000_000_i64 });
    for payload in [old, new] {
        let delivery = delivered("repo:refs_changed", &payload);
        assert_eq!(delivery.pushed, [("84".to_owned(), vec![commit.to_owned()])]);
        assert_eq!((delivery.subject.as_str(), delivery.touched.len()), ("PROJ/repository", 0));
        assert!(delivery.signed && !delivery.is_ping);
    }
    let many =
        json!({ "repository": { "id": 84 }, "syncType": "INCREMENTAL", "refLimitExceeded": true, "changes": [] });
    assert_eq!(delivered("mirror:repo_synchronized", &many).pushed, [("84".to_owned(), Vec::new())]);
}

#[test]
fn what_was_modified_is_read_again() {
    let repository = |slug: &str| json!({ "id": 84, "slug": slug, "project": { "id": 9, "key": "PROJ" } });
    let renamed = json!({ "old": repository("a"), "new": repository("b") });
    let delivery = delivered("repo:modified", &renamed);
    assert_eq!((delivery.touched, delivery.subject.as_str()), (vec![Touch::Repository("84".to_owned())], "PROJ/b"));
    let project = json!({ "old": { "id": 9, "key": "PROJ" }, "new": { "id": 9, "key": "NEW" } });
    for event in ["project:modified", "proj:modified"] {
        assert_eq!(delivered(event, &project).touched, [Touch::Everything]);
    }
    for event in ["repo:forked", "pr:opened", "", "something:new"] {
        let delivery = delivered(event, &json!({ "repository": repository("a") }));
        assert!(delivery.touched.is_empty() && delivery.pushed.is_empty(), "{event}");
    }
}

#[test]
fn what_is_odd_is_refused_without_harm() {
    let secret = SecretString::from(SECRET);
    for odd in ["", "[]", "{", r#"{"changes":7}"#, r#"{"repository":"x"}"#] {
        let read = read(&headers("repo:refs_changed", &signature(odd.as_bytes())), odd.as_bytes(), &secret);
        assert!(matches!(read, Err(Refused::Unreadable)) || read.is_ok_and(|one| one.pushed.is_empty()), "{odd}");
    }
}
