//! Deliveries in the shapes of GitLab's own examples, and signatures in those of Standard Webhooks.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{
    About, Delivery, Headers, HookSecret, Refused, STANDARD, Timestamp, Touch, hmac, read, secrets, verify_signature,
};
use base64::Engine;

const NOW: i64 = 1_760_000_000;

fn headers(pairs: &[(&str, &str)]) -> Headers {
    Headers::of(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn hook(was_signed: bool) -> HookSecret {
    HookSecret { secret: SecretString::from("a".repeat(64)), was_signed }
}

fn token() -> String {
    secrets::token_of(&hook(false).secret).expose_secret().to_owned()
}

fn signature(id: &str, time: i64, body: &[u8]) -> String {
    let text = [format!("{id}.{time}.").as_bytes(), body].concat();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secrets::signing_key_of(&hook(false).secret).as_ref());
    format!("v1,{}", STANDARD.encode(hmac::sign(&key, &text).as_ref()))
}

fn delivered(event: &str, payload: &Value) -> Delivery {
    let headers = headers(&[("X-Gitlab-Event", event), ("X-Gitlab-Token", &token()), ("Idempotency-Key", "f5e5")]);
    let now = Timestamp::from_seconds(NOW);
    read(&headers, payload.to_string().as_bytes(), &hook(false), now).unwrap()
}

#[test]
fn the_signature_is_that_of_the_specification() {
    let key = STANDARD.decode("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    let body = br#"{"object_kind":"push"}"#;
    let id = "f5e5f430-f57b-4e6e-9fac-d9128cd7232f";
    let right = "v1,UBiAxHF1Quhbh7KWziQ8lUWrdKEEJnlI3UUzZfTY6l4=";
    let checked = |id: &str, time: &str, signature: &str, body: &[u8]| {
        let headers = headers(&[("webhook-id", id), ("webhook-timestamp", time), ("Webhook-Signature", signature)]);
        verify_signature(&headers, body, &key, Timestamp::from_seconds(NOW))
    };
    let time = NOW.to_string();
    checked(id, &time, right, body).unwrap();
    checked(id, &time, &format!("v1,bad {right}"), body).unwrap();
    for (id, time, signature, body) in [
        (id, time.as_str(), right, &b"{}"[..]),
        ("other", &time, right, body),
        (id, "1760000001", right, body),
        (id, &time, "v1,", body),
        (id, &time, "v1,bad", body),
        (id, &time, right.trim_start_matches("v1,"), body),
        (id, &time, "v2,UBiAxHF1Quhbh7KWziQ8lUWrdKEEJnlI3UUzZfTY6l4=", body),
        (id, "soon", right, body),
    ] {
        assert_eq!(checked(id, time, signature, body), Err(Refused::Signature), "{id} {time} {signature}");
    }
}

#[test]
fn a_signature_is_good_for_five_minutes() {
    let body = br#"{"object_kind":"push","project_id":7}"#;
    for (age, expected) in [(0, true), (300, true), (301, false), (-300, true), (-301, false), (600, false)] {
        let time = NOW - age;
        let headers = headers(&[
            ("webhook-id", "1"),
            ("webhook-timestamp", &time.to_string()),
            ("webhook-signature", &signature("1", time, body)),
            ("x-gitlab-token", &token()),
        ]);
        let found = read(&headers, body, &hook(false), Timestamp::from_seconds(NOW));
        assert_eq!(found.is_ok_and(|delivery| delivery.signed), expected, "{age} seconds old");
    }
}

#[test]
fn a_token_counts_until_a_signature_was_seen_and_never_beside_a_wrong_one() {
    let body = br#"{"object_kind":"push","project_id":7}"#;
    let now = Timestamp::from_seconds(NOW);
    let (token, wrong) = (token(), "0".repeat(64));
    let only = headers(&[("X-Gitlab-Token", &token)]);
    assert!(!read(&only, body, &hook(false), now).unwrap().signed);
    assert_eq!(read(&only, body, &hook(true), now).unwrap_err(), Refused::Signature);
    for pairs in [
        &[("X-Gitlab-Token", wrong.as_str())][..],
        &[("X-Gitlab-Token", "")],
        &[("X-Gitlab-Token", &token), ("X-Gitlab-Token", &token)],
        &[],
        &[("X-Gitlab-Token", &token), ("webhook-signature", "v1,bad"), ("webhook-id", "1"), ("webhook-timestamp", "1")],
        &[("X-Gitlab-Token", &token), ("webhook-signature", "v1,bad")],
    ] {
        assert_eq!(read(&headers(pairs), body, &hook(false), now).unwrap_err(), Refused::Signature, "{pairs:?}");
    }
    // The stored secret itself opens nothing, and neither of what comes of it is the other.
    let stored = headers(&[("X-Gitlab-Token", hook(false).secret.expose_secret())]);
    assert_eq!(read(&stored, body, &hook(false), now).unwrap_err(), Refused::Signature);
    let signing = secrets::signing_token_of(&hook(false).secret);
    let key = STANDARD.decode(signing.expose_secret().strip_prefix("whsec_").unwrap()).unwrap();
    assert_eq!(key, secrets::signing_key_of(&hook(false).secret).as_ref());
}

#[test]
fn a_delivery_is_named_by_what_stays_when_it_is_sent_again() {
    let body = br#"{"object_kind":"push","project_id":7}"#;
    let now = Timestamp::from_seconds(NOW);
    let token = token();
    let named = |pairs: &[(&str, &str)], body: &[u8]| {
        let all: Vec<_> = pairs.iter().copied().chain([("x-gitlab-token", token.as_str())]).collect();
        read(&headers(&all), body, &hook(false), now).unwrap().guid
    };
    assert_eq!(named(&[("idempotency-key", "i"), ("x-gitlab-event-uuid", "e")], body), "i");
    let old = named(&[("x-gitlab-event-uuid", "e")], body);
    assert_eq!(old, named(&[("x-gitlab-event-uuid", "e")], body));
    assert_ne!(old, named(&[("x-gitlab-event-uuid", "e")], br#"{"object_kind":"push","project_id":8}"#));
    assert_eq!(named(&[], body), "", "nothing names it");
}

#[test]
fn pushes_name_projects_and_the_commits_to_be_seen() {
    let (zero, commit) = ("0".repeat(40), "c".repeat(40));
    let push = |kind: &str, after: &str, checkout: Value| {
        json!({
            "object_kind": kind, "event_name": kind, "ref": "refs/tags/v1", "before": zero, "after": after,
            "checkout_sha": checkout, "project_id": 74, "user_username": "ada",
            "project": {"id": 74, "path_with_namespace": "acme/sub/lib"},
        })
    };
    let found = delivered("Push Hook", &push("push", &commit, json!(commit)));
    assert_eq!(found.pushed, [("74".to_owned(), vec![commit.clone()])]);
    assert_eq!((found.subject.as_str(), found.event.as_str(), found.guid.as_str()), ("acme/sub/lib", "push", "f5e5"));
    // Of an annotated tag, `after` is the tag.
    let tag = delivered("Tag Push Hook", &push("tag_push", &"d".repeat(40), json!(commit)));
    assert_eq!(tag.pushed, [("74".to_owned(), vec![commit])]);
    for nothing in [zero.clone(), "0".repeat(64)] {
        let gone = delivered("Tag Push Hook", &push("tag_push", &nothing, Value::Null));
        assert_eq!(gone.pushed, [("74".to_owned(), vec![])], "{nothing}");
    }
    let many = json!({"event_name": "repository_update", "project_id": 74, "changes": [], "refs": ["refs/tags/1"]});
    assert_eq!(delivered("System Hook", &many).pushed.len(), 1);
    let template = json!({"object_kind": "push"});
    assert_eq!(delivered("Push Hook", &template).touched, [Touch::Everything]);
}

#[test]
fn every_event_names_what_to_read_again() {
    let text = |text: &str| text.to_owned();
    let member =
        |event: &str| json!({"event_name": event, "group_id": 12, "user_id": 41, "group_access": "Maintainer"});
    let project = |event: &str| json!({"event_name": event, "project_id": 74, "user_id": 41, "access_level": "Guest"});
    let gone = vec![Touch::MemberGone(text("41")), Touch::TeamMemberGone(text("12"), text("41"))];
    for (payload, expected) in [
        (member("user_add_to_group"), vec![Touch::Members, Touch::Team(text("12"))]),
        (member("user_update_for_group"), vec![Touch::Members, Touch::Team(text("12"))]),
        (member("user_remove_from_group"), gone),
        (member("user_access_request_to_group"), vec![]),
        (member("subgroup_create"), vec![Touch::Teams]),
        (member("subgroup_destroy"), vec![Touch::TeamGone(text("12")), Touch::Repositories]),
        (member("group_rename"), vec![Touch::Everything]),
        (project("project_create"), vec![Touch::Repository(text("74"))]),
        (project("project_transfer"), vec![Touch::Repository(text("74"))]),
        (project("project_destroy"), vec![Touch::RepositoryGone(text("74"))]),
        (project("user_add_to_team"), vec![Touch::Readers(text("74"))]),
        (project("user_remove_from_team"), vec![Touch::ReaderGone(text("74"), text("41"))]),
        (json!({"event_name": "user_destroy", "user_id": 41}), vec![Touch::MemberGone(text("41"))]),
        (
            json!({"event_name": "user_failed_login", "user_id": 41, "state": "blocked"}),
            vec![Touch::MemberGone(text("41"))],
        ),
        (json!({"event_name": "user_failed_login", "user_id": 41}), vec![]),
        (json!({"object_kind": "merge_request", "project": {"id": 74}}), vec![]),
        (json!({"event_name": "key_create", "user_id": 41}), vec![]),
    ] {
        assert_eq!(delivered("System Hook", &payload).touched, expected, "{payload}");
    }
}

#[test]
fn what_an_event_is_about_finds_whom_it_concerns() {
    let about = |payload: &Value| delivered("System Hook", payload).about;
    let text = |text: &str| Some(text.to_owned());
    let push = about(&json!({
        "event_name": "repository_update", "project_id": 74, "user_id": 41,
        "project": {"id": 74, "path_with_namespace": "acme/sub/lib"},
    }));
    assert_eq!(push, About { paths: vec!["acme/sub/lib".to_owned()], repository: text("74"), ..About::default() });
    let moved = about(&json!({
        "event_name": "project_transfer", "project_id": 74, "path_with_namespace": "b/lib", "old_path_with_namespace": "a/lib",
    }));
    assert_eq!(moved.paths, ["b/lib", "a/lib"]);
    // The path in it is only the last part of one.
    let member = json!({"event_name": "user_add_to_group", "group_id": 12, "group_path": "sub", "user_id": 41});
    let expected = About { team: text("12"), page: text("/groups/12/members"), ..About::default() };
    assert_eq!(about(&member), expected);
    let left = json!({"event_name": "user_remove_from_group", "group_id": 12, "group_path": "sub", "user_id": 41});
    assert_eq!(about(&left), About { account: text("41"), ..expected });
    // Where a new group is, old releases do not tell: it may be anybody's.
    assert_eq!(about(&json!({"event_name": "group_create", "group_id": 78, "path": "new"})), About::default());
    let renamed = json!({"event_name": "group_rename", "group_id": 78, "full_path": "b", "old_full_path": "a"});
    assert_eq!((about(&renamed).paths, about(&renamed).team), (vec!["a".to_owned(), "b".to_owned()], text("78")));
    assert_eq!(about(&json!({"event_name": "user_destroy", "user_id": 41})).account, text("41"));
}
