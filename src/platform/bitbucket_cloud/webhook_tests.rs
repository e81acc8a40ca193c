//! Deliveries of Bitbucket Cloud, as its documentation has them.

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::read;
use crate::platform::event::{Delivery, Headers, Refused};
use crate::platform::remote::Touch;

const SECRET: &str = "It's a Secret to Everybody";
const ID: &str = "{0a1b2c3d-0a1b-4c2d-8e3f-00000000002a}";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn signature(body: &[u8]) -> String {
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), body);
    format!("sha256={}", hex(mac.as_ref()))
}

fn headers(event: &str, signature: &str) -> Headers {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Headers::of([
        header("X-Event-Key", event),
        header("X-Request-UUID", "2d1c-7"),
        header("X-Hook-UUID", "{5}"),
        header("X-Attempt-Number", "1"),
        header("X-Hub-Signature", signature),
    ])
}

fn told(event: &str, mut body: Value) -> Delivery {
    body["repository"] = json!({"uuid": ID.to_uppercase(), "full_name": "acme/lib"});
    let body = body.to_string().into_bytes();
    read(&headers(event, &signature(&body)), &body, &SECRET.into()).unwrap()
}

#[test]
fn a_push_names_the_commits_that_are_to_be_seen() {
    let commit = |digit: &str| digit.repeat(40);
    let target = |hash: &str| json!({"type": "branch", "name": "x", "target": {"hash": hash}});
    let changes = json!({"push": {"changes": [
        {"created": true, "closed": false, "truncated": false, "old": null, "new": target(&commit("a"))},
        {"created": false, "closed": true, "old": target(&commit("b")), "new": null},
        {"created": false, "closed": false, "truncated": true, "old": target(&commit("c")), "new": target(&commit("d"))},
    ]}});
    let delivery = told("repo:push", changes);
    assert_eq!(delivery.pushed, [(ID.to_owned(), vec![commit("a"), commit("d")])]);
    assert_eq!((delivery.guid.as_str(), delivery.event.as_str()), ("2d1c-7", "repo:push"));
    assert_eq!((delivery.subject.as_str(), delivery.signed), ("acme/lib", true));
    // What was too much for it is left out, and anything may have happened.
    for empty in [json!({"push": {"changes": []}}), json!({})] {
        assert_eq!(told("repo:push", empty).pushed, [(ID.to_owned(), Vec::new())]);
    }
}

#[test]
fn what_happens_to_repositories_is_looked_at() {
    for (event, touch) in [
        ("repo:created", Touch::Repository(ID.to_owned())),
        ("repo:imported", Touch::Repository(ID.to_owned())),
        ("repo:updated", Touch::Repository(ID.to_owned())),
        ("repo:transfer", Touch::RepositoryMoved(ID.to_owned(), "acme/lib".to_owned())),
        ("repo:deleted", Touch::RepositoryGone(ID.to_owned())),
    ] {
        assert_eq!(told(event, json!({})).touched, [touch], "{event}");
    }
    assert_eq!(told("pullrequest:created", json!({})).touched, []);
}

#[test]
fn only_what_is_signed_is_read() {
    // The example of Bitbucket's documentation.
    let known = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9";
    assert_eq!(signature(b"Hello World!"), known);
    let body = br#"{"repository": {"uuid": "{0a1b2c3d-0a1b-4c2d-8e3f-00000000002a}"}}"#;
    let right = signature(body);
    let of = |signature: &str| read(&headers("repo:created", signature), body, &SECRET.into()).map(|_| ());
    assert_eq!(of(&right), Ok(()));
    assert_eq!(of(&format!("sha256={}", right[7..].to_uppercase())), Ok(()));
    let short = &right[..right.len() - 2];
    for wrong in ["", "sha256=", known, &right[7..], &right.replace("sha256", "sha1"), short] {
        assert_eq!(of(wrong), Err(Refused::Signature), "{wrong}");
    }
    // A wrong one is not looked at, and what is signed may still be nothing.
    assert_eq!(read(&headers("repo:push", known), b"{", &SECRET.into()), Err(Refused::Signature));
    assert_eq!(read(&headers("repo:push", &signature(b"{")), b"{", &SECRET.into()), Err(Refused::Unreadable));
}
