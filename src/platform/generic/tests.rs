use super::{announced_commits, recognise};

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const ZERO: &str = "0000000000000000000000000000000000000000";

fn commits(body: &str) -> Vec<String> {
    announced_commits(body.as_bytes())
}

#[test]
fn callers_are_known_by_their_headers() {
    let with = |pairs: &'static [(&str, &str)]| {
        recognise(move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| *value))
    };
    let github = with(&[("x-github-event", "push")]);
    assert_eq!((github.provider, github.event.as_deref(), github.is_ping), ("github", Some("push"), false));
    assert!(with(&[("x-github-event", "ping")]).is_ping);
    assert!(with(&[("x-event-key", "diagnostics:ping")]).is_ping);
    let gitea = with(&[("x-github-event", "push"), ("x-gitea-event", "create")]);
    assert_eq!((gitea.provider, gitea.event.as_deref()), ("gitea", Some("create")));
    let forgejo = with(&[("x-github-event", "push"), ("x-gitea-event", "push"), ("x-forgejo-event", "push")]);
    assert_eq!(forgejo.provider, "forgejo");
    assert_eq!(with(&[("x-gitlab-event", "Push Hook")]).event.as_deref(), Some("Push Hook"));
    assert_eq!(with(&[]).provider, "generic");
    assert_eq!(with(&[("x-vss-activityid", "1")]).event, None);
}

#[test]
fn each_platform_announces_in_its_own_way() {
    assert_eq!(commits(&format!(r#"{{"ref":"refs/heads/main","after":"{A}"}}"#)), [A]);
    assert_eq!(commits(&format!(r#"{{"after":"{B}","head_commit":{{"id":"{A}"}}}}"#)), [A], "an annotated tag");
    assert_eq!(commits(&format!(r#"{{"after":"{B}","checkout_sha":"{A}"}}"#)), [A]);
    assert_eq!(commits(&format!(r#"{{"after":"{ZERO}","checkout_sha":null,"head_commit":null}}"#)), [""; 0]);
    let cloud = format!(
        r#"{{"push":{{"changes":[{{"new":{{"target":{{"hash":"{A}"}}}}}},{{"new":null}},{{"new":{{"target":{{"hash":"{B}"}}}}}}]}}}}"#
    );
    assert_eq!(commits(&cloud), [A, B]);
    let center = format!(
        r#"{{"changes":[{{"ref":{{"type":"BRANCH"}},"toHash":"{A}"}},{{"ref":{{"type":"TAG"}},"toHash":"{B}"}}]}}"#
    );
    assert_eq!(commits(&center), [A]);
    let azure = format!(
        r#"{{"resource":{{"refUpdates":[{{"name":"refs/heads/main","newObjectId":"{A}"}},{{"name":"refs/tags/v1","newObjectId":"{B}"}}]}}}}"#
    );
    assert_eq!(commits(&azure), [A]);
    let records =
        format!(r#"{{"Records":[{{"codecommit":{{"references":[{{"commit":"{A}","ref":"refs/heads/main"}}]}}}}]}}"#);
    assert_eq!(commits(&records), [A]);
    let message = serde_json::json!({ "Type": "Notification", "Message": records });
    assert_eq!(commits(&message.to_string()), [A]);
}

#[test]
fn forms_hold_json() {
    let json = format!(r#"{{"after":"{A}"}}"#);
    let encoded: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &json).finish();
    assert_eq!(commits(&encoded), [A]);
    assert_eq!(commits(&format!("x=1&{encoded}")), [A]);
}

#[test]
fn what_cannot_be_read_announces_nothing() {
    let deep = format!("{}{}", r#"{"push":"#.repeat(100_000), "[".repeat(100_000));
    for body in [
        "",
        " ",
        "null",
        "[]",
        "{",
        "{}",
        "payload=",
        "payload={",
        r#"{"after":1}"#,
        r#"{"after":"main"}"#,
        r#"{"after":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#,
        r#"{"push":[],"changes":{},"resource":"x"}"#,
        deep.as_str(),
    ] {
        assert_eq!(commits(body), [""; 0]);
    }
    assert_eq!(announced_commits(&[0xff, 0xfe, b'{']), [""; 0]);
    let nested =
        serde_json::json!({ "Message": serde_json::json!({ "Message": format!(r#"{{"after":"{A}"}}"#) }).to_string() });
    assert_eq!(commits(&nested.to_string()), [""; 0], "a message within a message is not looked into");
}

#[test]
fn one_odd_part_does_not_spoil_the_others() {
    assert_eq!(commits(&format!(r#"{{"push":5,"changes":"x","head_commit":[],"after":"{A}"}}"#)), [A]);
}

#[test]
fn there_are_at_most_twenty() {
    let changes: Vec<_> = (0..50).map(|n| serde_json::json!({ "toHash": format!("{n:040x}") })).collect();
    assert_eq!(commits(&serde_json::json!({ "changes": changes }).to_string()).len(), 20);
    let twice = serde_json::json!({ "changes": [{ "toHash": A }, { "toHash": A }] });
    assert_eq!(commits(&twice.to_string()), [A]);
}
