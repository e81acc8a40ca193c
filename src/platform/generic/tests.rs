use super::{Content, Fate, Shape, announced_commits, recognise, tells_of_refs};

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

/// What became of branches and tags, as `+`, `*` or `-` before the name.
fn changes(body: &str, event: Option<&str>) -> Vec<String> {
    let sign = |fate| match fate {
        Fate::Made => '+',
        Fate::Moved => '*',
        Fate::Removed => '-',
    };
    let changes = Content::read(body.as_bytes(), event).told.changes;
    changes.into_iter().map(|change| format!("{}{}", sign(change.fate), change.name)).collect()
}

#[test]
fn what_became_of_branches_and_tags_is_understood() {
    let push =
        |name: &str, before: &str, after: &str| format!(r#"{{"ref":"{name}","before":"{before}","after":"{after}"}}"#);
    assert_eq!(changes(&push("refs/heads/main", A, B), None), ["*refs/heads/main"]);
    assert_eq!(changes(&push("refs/tags/v1", ZERO, B), None), ["+refs/tags/v1"]);
    assert_eq!(changes(&push("refs/heads/x", A, ZERO), None), ["-refs/heads/x"]);
    assert_eq!(changes(&push("refs/pull/1/head", A, B), None), [""; 0]);
    let short = r#"{"ref":"v1","ref_type":"tag","sha":"x"}"#;
    assert_eq!(changes(short, Some("create")), ["+refs/tags/v1"]);
    assert_eq!(changes(&short.replace("tag", "branch"), Some("delete")), ["-refs/heads/v1"]);
    let cloud = format!(
        r#"{{"push":{{"changes":[
            {{"old":{{"type":"branch","name":"a"}},"new":{{"type":"branch","name":"a","target":{{"hash":"{A}"}}}}}},
            {{"old":null,"new":{{"type":"tag","name":"v1","target":{{"hash":"{B}"}}}}}},
            {{"old":{{"type":"branch","name":"b"}},"new":null}}]}}}}"#
    );
    assert_eq!(changes(&cloud, None), ["*refs/heads/a", "+refs/tags/v1", "-refs/heads/b"]);
    let center = format!(
        r#"{{"changes":[{{"ref":{{"id":"refs/heads/a","type":"BRANCH"}},"fromHash":"{A}","toHash":"{B}","type":"UPDATE"}},
            {{"ref":{{"id":"refs/tags/v1","type":"TAG"}},"fromHash":"{ZERO}","toHash":"{B}","type":"ADD"}}]}}"#
    );
    assert_eq!(changes(&center, None), ["*refs/heads/a", "+refs/tags/v1"]);
    let system = format!(
        r#"{{"event_name":"repository_update","changes":[{{"before":"{A}","after":"{ZERO}","ref":"refs/heads/a"}}]}}"#
    );
    assert_eq!(changes(&system, None), ["-refs/heads/a"]);
    let codecommit = format!(
        r#"{{"Records":[{{"codecommit":{{"references":[{{"commit":"{A}","ref":"refs/heads/a"}},
            {{"commit":"{A}","ref":"refs/tags/v1","created":true}},{{"commit":"{B}","ref":"refs/heads/b","deleted":true}}]}},
            "eventSourceARN":"arn:aws:codecommit:us-east-2:111122223333:My.Repo"}}]}}"#
    );
    assert_eq!(changes(&codecommit, None), ["*refs/heads/a", "+refs/tags/v1", "-refs/heads/b"]);
    let content = Content::read(codecommit.as_bytes(), None);
    assert_eq!(content.commits, [A], "what was deleted is not waited for");
    assert_eq!((content.provider, content.told.repository.as_deref()), (Some("codecommit"), Some("My.Repo")));
    assert_eq!(content.addresses, ["codecommit::us-east-2://My.Repo"]);
    let bridge = format!(
        r#"{{"region":"eu-west-1","detail":{{"event":"referenceCreated","repositoryName":"r","referenceFullName":"refs/tags/v1","commitId":"{A}"}}}}"#
    );
    assert_eq!(changes(&bridge, None), ["+refs/tags/v1"]);
    let beanstalk = format!(r#"{{"trigger":"push","payload":{}}}"#, push("refs/heads/main", A, B));
    assert_eq!(changes(&beanstalk, None), ["*refs/heads/main"]);
    let many: Vec<_> = (0..50).map(|n| serde_json::json!({ "ref": { "id": format!("refs/heads/{n}") } })).collect();
    let told = Content::read(serde_json::json!({ "changes": many }).to_string().as_bytes(), None).told;
    assert_eq!((told.changes.len(), told.more), (20, 30));
}

#[test]
fn azure_devops_says_everything_in_the_body() {
    let body = |resource: &str| {
        format!(
            r#"{{"subscriptionId":"00000000-0000-0000-0000-000000000000","notificationId":1,
                "id":"03c164c2-8912-4d5e-8009-3707d5f83734","eventType":"git.push","publisherId":"tfs",
                "resource":{resource},"resourceVersion":"1.0"}}"#
        )
    };
    let whole = body(&format!(
        r#"{{"commits":[],"refUpdates":[{{"name":"refs/heads/master","oldObjectId":"{A}","newObjectId":"{B}"}}],
            "repository":{{"id":"278d5cd2","name":"Fabrikam","remoteUrl":"https://dev.azure.com/fabrikam/DefaultCollection/_git/Fabrikam"}}}}"#
    ));
    let content = Content::read(whole.as_bytes(), None);
    assert_eq!((content.provider, content.event.as_deref(), content.is_test), (Some("azure"), Some("git.push"), true));
    assert_eq!(content.id.as_deref(), Some("03c164c2-8912-4d5e-8009-3707d5f83734"));
    assert_eq!(
        (content.told.changes.len(), content.commits.len(), content.addresses.len()),
        (1, 0, 0),
        "it is made up"
    );
    let real = whole.replace("00000000-0000-0000-0000-000000000000", "b5c8d6aa-3b0e-4c54-a7d5-2b8f0f4e8a11");
    let content = Content::read(real.as_bytes(), None);
    assert_eq!(content.addresses, ["https://dev.azure.com/fabrikam/DefaultCollection/_git/Fabrikam"]);
    assert_eq!((content.told.changes.len(), content.commits.as_slice()), (1, [B.to_owned()].as_slice()));
    for trimmed in ["null", "{}", r#"{"url":"x","pushId":14}"#] {
        let content = Content::read(body(trimmed).as_bytes(), None);
        assert_eq!((content.provider, content.commits.len()), (Some("azure"), 0), "{trimmed}");
        assert!(tells_of_refs("azure", content.event.as_deref(), &content));
    }
    let other = whole.replace("git.push", "workitem.created");
    let content = Content::read(other.as_bytes(), None);
    assert!(!tells_of_refs("azure", content.event.as_deref(), &content));
}

#[test]
fn what_a_body_is_made_of_is_told_by_looking() {
    let shape = |body: &[u8]| Content::read(body, None).shape;
    for (body, wanted) in [
        (&b""[..], Shape::Empty),
        (b" \r\n", Shape::Empty),
        (b"{}", Shape::Json),
        (b" [1, 2] ", Shape::Json),
        (b"null", Shape::Json),
        (b"15", Shape::Json),
        (br#"{"a":1,"a":2}"#, Shape::Json),
        (b"payload=%7B%7D&x=1", Shape::Json),
        (b"x=1", Shape::Text),
        (b"pushed", Shape::Text),
        (b"<push/>", Shape::Text),
        (b"{", Shape::Unreadable),
        (b"{}}", Shape::Unreadable),
        (b"[1,", Shape::Unreadable),
        (b"payload=%7B", Shape::Unreadable),
        (b"{\"a\":\"\xff\"}", Shape::Unreadable),
        (b"\x1f\x8b\x08", Shape::Unreadable),
    ] {
        assert_eq!(shape(body), wanted, "{:?}", String::from_utf8_lossy(body));
    }
}

#[test]
fn events_that_change_no_refs_are_known() {
    let nothing = Content::default();
    let tells = |provider, event: Option<&str>| tells_of_refs(provider, event, &nothing);
    for (provider, telling, other) in [
        ("github", "push", "star"),
        ("gitea", "create", "issues"),
        ("forgejo", "delete", "pull_request"),
        ("gogs", "release", "fork"),
        ("gitlab", "Tag Push Hook", "Note Hook"),
        ("bitbucket", "repo:refs_changed", "pr:opened"),
    ] {
        assert!(tells(provider, Some(telling)) && !tells(provider, Some(other)), "{provider}");
        assert!(tells(provider, None), "{provider}");
    }
    assert!(tells("generic", Some("whatever")) && tells("codecommit", Some("ReferenceChanges")));
    for event in ["commentOnCommitCreated", "pullRequestCreated", "approvalRuleTemplateCreated"] {
        assert!(!tells("codecommit", Some(event)), "{event}");
    }
    assert!(tells("codecommit", Some("pullRequestMergeStatusUpdated")) && tells("codecommit", None));
    let system = |name: &str| Content { event: Some(name.to_owned()), ..Content::default() };
    assert!(tells_of_refs("gitlab", Some("System Hook"), &system("repository_update")));
    assert!(!tells_of_refs("gitlab", Some("System Hook"), &system("user_create")));
}

#[test]
fn repositories_are_named_in_many_ways() {
    let addresses = |body: serde_json::Value| Content::read(body.to_string().as_bytes(), None).addresses;
    let github = serde_json::json!({ "repository": { "full_name": "a/b", "clone_url": "https://h/a/b.git", "ssh_url": "git@h:a/b.git" } });
    assert_eq!(addresses(github), ["https://h/a/b.git", "git@h:a/b.git"]);
    let gitlab = serde_json::json!({ "project": { "git_http_url": "https://h/a/b.git", "web_url": "https://h/a/b" } });
    assert_eq!(addresses(gitlab), ["https://h/a/b.git", "https://h/a/b"]);
    let cloud = serde_json::json!({ "repository": { "links": { "html": { "href": "https://bitbucket.org/a/b" } } } });
    assert_eq!(addresses(cloud), ["https://bitbucket.org/a/b"]);
    let center =
        serde_json::json!({ "repository": { "links": { "clone": [{ "href": "ssh://git@h:7999/a/b.git" }, {}] } } });
    assert_eq!(addresses(center), ["ssh://git@h:7999/a/b.git"]);
    let odd = serde_json::json!({ "repository": { "clone_url": "https://h/a/b", "project": "x", "slug": "b" } });
    assert_eq!(addresses(odd), ["https://h/a/b"], "others mean something else by it");
    let place = |slug: &str| {
        let body = serde_json::json!({ "repository": { "slug": slug, "project": { "key": "~ADA" } } });
        Content::read(body.to_string().as_bytes(), None).place
    };
    assert_eq!(place("b").as_deref(), Some("~ADA/b"));
    for wrong in ["", "b/c", "..\\x", "b?x"] {
        assert_eq!(place(wrong), None, "{wrong}");
    }
    let long =
        serde_json::json!({ "repository": { "clone_url": format!("https://h/{}", "x".repeat(1000)), "name": 5 } });
    assert_eq!(addresses(long), [""; 0]);
}
