//! Deliveries in the shapes of GitHub's own examples.

use aws_lc_rs::hmac;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{Delivery, Headers, InstallationChange, Refused, Touch, read};

const SECRET: &str = "It's a Secret to Everybody";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn signature(body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    format!("sha256={}", hex(hmac::sign(&key, body).as_ref()))
}

fn headers(event: &str, media: &str, signature: &str) -> Headers {
    let headers = [
        ("X-GitHub-Event", event),
        ("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        ("Content-Type", media),
        ("X-Hub-Signature-256", signature),
    ];
    Headers::of(headers.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

fn delivered(event: &str, payload: &Value) -> Delivery {
    let body = payload.to_string();
    let headers = headers(event, "application/json", &signature(body.as_bytes()));
    read(&headers, body.as_bytes(), &SecretString::from(SECRET)).unwrap()
}

fn touched(event: &str, payload: &Value) -> Vec<Touch> {
    delivered(event, payload).touched
}

fn repository() -> Value {
    json!({
        "id": 186_853_002, "full_name": "acme/lib", "private": true, "created_at": 1_557_933_565,
        "owner": { "id": 9, "login": "acme", "name": "acme", "email": null }, "default_branch": "main",
    })
}

fn id(text: &str) -> String {
    text.to_owned()
}

#[test]
fn the_signature_is_that_of_github_s_documentation() {
    let secret = SecretString::from(SECRET);
    let right = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(signature(b"Hello, World!"), right);
    let verified = |signature: &str, body: &[u8]| super::verify(&headers("x", "y", signature), body, &secret);
    verified(right, b"Hello, World!").unwrap();
    verified(&right.to_uppercase().replace("SHA", "sha"), b"Hello, World!").unwrap();
    for (wrong, body) in [
        (right, &b"Hello, World"[..]),
        (&right[..right.len() - 2], b"Hello, World!"),
        (&right.replace('7', "8"), b"Hello, World!"),
        ("sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59", b"Hello, World!"),
        (&right["sha256=".len()..], b"Hello, World!"),
        ("", b"Hello, World!"),
    ] {
        assert_eq!(verified(wrong, body), Err(Refused::Signature), "{wrong}");
    }
    let unsigned =
        Headers::of([("x-hub-signature".to_owned(), "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59".to_owned())]);
    assert_eq!(super::verify(&unsigned, b"Hello, World!", &secret), Err(Refused::Signature));
}

#[test]
fn forms_are_signed_as_forms() {
    let payload = json!({ "ref": "refs/heads/main", "after": "a".repeat(40), "repository": repository() }).to_string();
    let body = url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload).finish();
    let media = "application/x-www-form-urlencoded";
    let secret = SecretString::from(SECRET);
    let found = read(&headers("push", media, &signature(body.as_bytes())), body.as_bytes(), &secret).unwrap();
    assert_eq!(found.pushed, [(id("186853002"), vec!["a".repeat(40)])]);
    let of_json = headers("push", media, &signature(payload.as_bytes()));
    assert_eq!(read(&of_json, body.as_bytes(), &secret).unwrap_err(), Refused::Signature);
}

#[test]
fn pushes_name_repositories_and_the_commits_to_be_seen() {
    let head = "b".repeat(40);
    let push = json!({
        "ref": "refs/tags/v1.2.0", "before": "0".repeat(40), "after": "c".repeat(40), "created": true, "deleted": false,
        "head_commit": { "id": head }, "commits": [], "repository": repository(), "installation": { "id": 375_706 },
    });
    let found = delivered("push", &push);
    assert_eq!(found.pushed, [(id("186853002"), vec![head])]);
    assert_eq!((found.event.as_str(), found.subject.as_str()), ("push", "acme/lib"));
    assert_eq!(found.guid, "72d3162e-cc78-11e3-81ab-4c9367dc0958");
    assert_eq!(found.installation.unwrap().id, 375_706);
    let deleted = json!({
        "ref": "refs/tags/v1.2.0", "before": "c".repeat(40), "after": "0".repeat(40), "deleted": true,
        "head_commit": null, "commits": [], "repository": repository(),
    });
    assert_eq!(delivered("push", &deleted).pushed, [(id("186853002"), vec![])]);
    for event in ["create", "delete"] {
        let payload = json!({ "ref": "v1", "ref_type": "tag", "repository": repository() });
        assert_eq!(delivered(event, &payload).pushed.len(), 1);
    }
    let release =
        |draft: bool| json!({ "action": "created", "release": { "draft": draft }, "repository": repository() });
    assert_eq!(delivered("release", &release(false)).pushed.len(), 1);
    assert_eq!(delivered("release", &release(true)).pushed.len(), 0);
}

#[test]
fn every_event_names_what_to_read_again() {
    let lib = || id("186853002");
    let team = json!({ "id": 3_253_328, "slug": "back-end", "name": "Back end", "parent": null });
    let member = json!({ "id": 1_934, "login": "ada", "type": "User" });
    let org = json!({ "id": 9, "login": "acme" });
    for (event, payload, expected) in [
        ("repository", json!({ "action": "created", "repository": repository() }), vec![Touch::Repository(lib())]),
        ("repository", json!({ "action": "renamed", "repository": repository() }), vec![Touch::Repository(lib())]),
        ("repository", json!({ "action": "deleted", "repository": repository() }), vec![Touch::RepositoryGone(lib())]),
        ("public", json!({ "repository": repository() }), vec![Touch::Repository(lib())]),
        (
            "member",
            json!({ "action": "added", "member": member, "repository": repository() }),
            vec![Touch::Readers(lib())],
        ),
        (
            "member",
            json!({ "action": "removed", "member": member, "repository": repository() }),
            vec![Touch::ReaderGone(lib(), id("1934"))],
        ),
        ("team", json!({ "action": "edited", "team": team, "organization": org }), vec![Touch::Team(id("3253328"))]),
        ("team", json!({ "action": "deleted", "team": team }), vec![Touch::TeamGone(id("3253328"))]),
        (
            "team",
            json!({ "action": "removed_from_repository", "team": team, "repository": repository() }),
            vec![Touch::TeamRepositoryGone(id("3253328"), lib())],
        ),
        ("team_add", json!({ "team": team, "repository": repository() }), vec![Touch::Team(id("3253328"))]),
        (
            "membership",
            json!({ "action": "added", "scope": "team", "member": member, "team": team }),
            vec![Touch::Team(id("3253328"))],
        ),
        (
            "membership",
            json!({ "action": "removed", "scope": "team", "member": member, "team": team }),
            vec![Touch::TeamMemberGone(id("3253328"), id("1934"))],
        ),
        (
            "membership",
            json!({ "action": "removed", "member": member, "team": { "id": 5, "name": "gone", "deleted": true } }),
            vec![Touch::TeamGone(id("5"))],
        ),
        (
            "organization",
            json!({ "action": "member_removed", "membership": { "role": "member", "user": member }, "organization": org }),
            vec![Touch::MemberGone(id("1934"))],
        ),
        (
            "organization",
            json!({ "action": "member_added", "membership": { "state": "pending", "user": member } }),
            vec![Touch::Members],
        ),
        ("organization", json!({ "action": "member_invited", "invitation": {}, "user": member }), vec![]),
        (
            "organization",
            json!({ "action": "renamed", "changes": { "login": { "from": "x" } } }),
            vec![Touch::Everything],
        ),
        ("org_block", json!({ "action": "blocked", "blocked_user": member }), vec![Touch::MemberGone(id("1934"))]),
        (
            "installation_repositories",
            json!({
                "action": "removed", "installation": { "id": 1, "created_at": 1_557_933_565 },
                "repositories_added": [], "repositories_removed": [{ "id": 7, "full_name": "acme/old" }],
            }),
            vec![Touch::RepositoryGone(id("7")), Touch::Repositories],
        ),
        ("meta", json!({ "action": "deleted", "hook_id": 1 }), vec![Touch::Hooks]),
        ("star", json!({ "action": "created", "repository": repository() }), vec![]),
    ] {
        assert_eq!(touched(event, &payload), expected, "{event} {payload}");
    }
}

#[test]
fn what_happens_to_an_app_is_told() {
    for (action, expected) in [
        ("deleted", Some(InstallationChange::Deleted)),
        ("suspend", Some(InstallationChange::Suspended)),
        ("unsuspend", Some(InstallationChange::Unsuspended)),
        ("new_permissions_accepted", None),
        ("something_new", None),
    ] {
        let payload =
            json!({ "action": action, "installation": { "id": 42, "account": { "login": "acme", "id": 9 } } });
        let found = delivered("installation", &payload);
        assert_eq!(found.installation.unwrap().change, expected);
        assert_eq!(found.touched, [Touch::Everything]);
    }
    let revoked =
        delivered("github_app_authorization", &json!({ "action": "revoked", "sender": { "id": 21, "login": "x" } }));
    assert!(revoked.touched.is_empty() && revoked.installation.is_none(), "nothing of theirs is kept: {revoked:?}");
    let ping = delivered(
        "ping",
        &json!({ "zen": "Keep it logically awesome.", "hook_id": 1, "hook": { "events": ["push"] } }),
    );
    assert!(ping.is_ping && ping.touched.is_empty());
}

#[test]
fn what_cannot_be_read_is_told() {
    let secret = SecretString::from(SECRET);
    for body in [&b"{"[..], b"", b"[1]", b"{\"repository\":{\"id\":\"x\"}}"] {
        let headers = headers("push", "application/json", &signature(body));
        assert_eq!(read(&headers, body, &secret).unwrap_err(), Refused::Unreadable, "{body:?}");
    }
    let form = b"other=1";
    let headers = headers("push", "application/x-www-form-urlencoded", &signature(form));
    assert_eq!(read(&headers, form, &secret).unwrap_err(), Refused::Unreadable);
}
