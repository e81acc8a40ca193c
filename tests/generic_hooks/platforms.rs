//! What each platform sends after a push, as its documentation has it: who called, what happened to which branch or tag, and
//! of which repository, so that just that one is looked at.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use packagist_selfhosted::platform::generic::Told;
use serde_json::{Value, json};

use crate::client::{Request, Response};
use crate::world::World;

const OLD: &str = "1111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222";
const ZERO: &str = "0000000000000000000000000000000000000000";

type Headers = &'static [(&'static str, &'static str)];

/// One call, and what is to be understood of it.
struct Case {
    provider: &'static str,
    headers: Headers,
    body: Value,
    /// `+`, `*` or `-` and the name of the branch or tag.
    change: &'static str,
    /// The address of the package that it is about.
    url: &'static str,
    /// Whether a commit is waited for.
    waits: bool,
}

const GITHUB: Headers = &[("X-GitHub-Event", "push"), ("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")];
const GITLAB: Headers =
    &[("X-Gitlab-Event", "Push Hook"), ("X-Gitlab-Event-UUID", "13792a34-cac6-4fda-95a8-c58e00a3954e")];
const GITLAB_TAG: Headers = &[("X-Gitlab-Event", "Tag Push Hook")];
const GITLAB_SYSTEM: Headers = &[("X-Gitlab-Event", "System Hook")];
const CLOUD: Headers = &[("X-Event-Key", "repo:push"), ("X-Request-UUID", "8d29f4e7-56e4-4d0b-9a1a-1c0a7f4e0c53")];
const CENTER: Headers = &[("X-Event-Key", "repo:refs_changed")];
const GITEA: Headers = &[("X-Gitea-Event", "push"), ("X-Gogs-Event", "push"), ("X-GitHub-Event", "push")];
const GITEA_MADE: Headers = &[("X-Gitea-Event", "create"), ("X-GitHub-Event", "create")];
const GITEA_GONE: Headers = &[("X-Gitea-Event", "delete"), ("X-GitHub-Event", "delete")];
const FORGEJO: Headers = &[("X-Forgejo-Event", "push"), ("X-Gitea-Event", "push"), ("X-GitHub-Event", "push")];
const GOGS: Headers = &[("X-Gogs-Event", "push")];
const AZURE: Headers = &[("X-Vss-ActivityId", "0e2f4d0a-8a86-4f0e-a3a1-1a2b3c4d5e6f")];
const RAW_SNS: Headers = &[("x-amz-sns-message-type", "Notification"), ("x-amz-sns-rawdelivery", "true")];

const AT_GITHUB: &str = "https://github.com/acme/lib.git";
const AT_GITLAB: &str = "git@gitlab.example.com:acme/sub/lib.git";
const AT_CLOUD: &str = "https://bitbucket.org/acme/lib.git";
const AT_CENTER: &str = "ssh://git@bitbucket.example.com:7999/acme/lib.git";
const AT_GITEA: &str = "https://gitea.example.com/acme/lib.git";
const AT_AZURE: &str = "https://dev.azure.com/acme/My%20Project/_git/Lib";
const AT_TFS: &str = "https://tfs.example.com/tfs/Collection/Project/_git/Lib";
const AT_AMAZON: &str = "ssh://APKAEXAMPLE@git-codecommit.eu-west-1.amazonaws.com/v1/repos/Lib";
const AT_CHINA: &str = "https://git-codecommit.cn-north-1.amazonaws.com.cn/v1/repos/Lib";
const AT_BEANSTALK: &str = "git@acme.beanstalkapp.com:/acme/lib.git";
/// The package that the webhook belongs to.
const OWN: &str = "https://git-codecommit.us-east-2.amazonaws.com/v1/repos/lib";

fn push(name: &str, before: &str, after: &str) -> Value {
    json!({ "ref": name, "before": before, "after": after })
}

fn with(mut body: Value, more: Value) -> Value {
    let more = more.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(more);
    body
}

fn at_github(body: Value) -> Value {
    let repository = json!({ "id": 1, "full_name": "acme/lib", "private": true, "html_url": "https://github.com/acme/lib",
        "clone_url": AT_GITHUB, "ssh_url": "git@github.com:acme/lib.git", "default_branch": "main" });
    with(body, json!({ "repository": repository, "pusher": { "name": "ada" }, "installation": { "id": 2 } }))
}

fn at_gitlab(body: Value) -> Value {
    let project = json!({ "id": 1, "name": "lib", "path_with_namespace": "acme/sub/lib", "git_ssh_url": AT_GITLAB,
        "git_http_url": "https://gitlab.example.com/acme/sub/lib.git", "web_url": "https://gitlab.example.com/acme/sub/lib" });
    let old = json!({ "name": "lib", "url": AT_GITLAB, "homepage": "https://gitlab.example.com/acme/sub/lib" });
    with(body, json!({ "project": project, "repository": old, "total_commits_count": 1 }))
}

fn at_cloud(old: Value, new: Value) -> Value {
    let repository = json!({ "type": "repository", "uuid": "{1}", "full_name": "acme/lib", "name": "lib",
        "links": { "self": { "href": "https://api.bitbucket.org/2.0/repositories/acme/lib" },
                   "html": { "href": "https://bitbucket.org/acme/lib" } } });
    let truth = |value: &Value| value.is_null();
    let (created, closed) = (truth(&old), truth(&new));
    let change = json!({ "old": old, "new": new, "created": created, "closed": closed, "forced": false });
    json!({ "actor": {}, "repository": repository, "push": { "changes": [change] } })
}

fn at_center(id: &str, kind: &str, from: &str, to: &str) -> Value {
    let reference = json!({ "id": id, "displayId": "x", "type": kind });
    let clone = json!([{ "href": AT_CENTER, "name": "ssh" }, { "href": "https://bitbucket.example.com/scm/acme/lib.git", "name": "http" }]);
    let repository =
        json!({ "slug": "lib", "id": 84, "name": "lib", "project": { "key": "ACME" }, "links": { "clone": clone } });
    let change = json!({ "ref": reference, "refId": id, "fromHash": from, "toHash": to, "type": "UPDATE" });
    json!({ "eventKey": "repo:refs_changed", "date": "2026-01-01T00:00:00+1000", "actor": {}, "repository": repository, "changes": [change] })
}

fn at_gitea(body: Value) -> Value {
    let repository = json!({ "id": 1, "full_name": "acme/lib", "html_url": "https://gitea.example.com/acme/lib",
        "ssh_url": "git@gitea.example.com:acme/lib.git", "clone_url": AT_GITEA, "default_branch": "main" });
    with(body, json!({ "repository": repository, "sender": { "login": "ada" } }))
}

/// A service hook in a version of its resource. `remote`: the repository's address.
fn azure(version: &str, remote: &str, update: Value) -> Value {
    let repository = json!({ "id": "278d5cd2-584d-4b63-824a-2ba458937249", "name": "Lib", "url": "https://dev.azure.com/_apis/x",
        "project": { "id": "6ce954b1", "name": "My Project", "state": "wellFormed" }, "defaultBranch": "refs/heads/main", "remoteUrl": remote });
    json!({
        "subscriptionId": "b5c8d6aa-3b0e-4c54-a7d5-2b8f0f4e8a11", "notificationId": 7, "id": "03c164c2-8912-4d5e-8009-3707d5f83734",
        "eventType": "git.push", "publisherId": "tfs", "message": { "text": "Ada pushed", "html": "…", "markdown": "…" },
        "resource": { "commits": [], "refUpdates": [update], "repository": repository, "pushedBy": {}, "pushId": 14 },
        "resourceVersion": version, "resourceContainers": { "collection": { "id": "c" }, "project": { "id": "p" } },
        "createdDate": "2026-01-01T00:00:00Z",
    })
}

fn update(name: &str, old: &str, new: &str) -> Value {
    json!({ "name": name, "oldObjectId": old, "newObjectId": new, "repositoryId": "278d5cd2" })
}

fn records(partition: &str, region: &str, reference: Value) -> Value {
    json!({ "Records": [{ "awsRegion": region, "eventName": "ReferenceChanges", "eventPartNumber": 1, "eventTotalParts": 1,
        "eventSource": "aws:codecommit", "eventSourceARN": format!("arn:{partition}:codecommit:{region}:111122223333:Lib"),
        "eventTriggerName": "all", "codecommit": { "references": [reference] } }] })
}

fn bridge(event: &str) -> Value {
    json!({ "version": "0", "detail-type": "CodeCommit Repository State Change", "source": "aws.codecommit",
        "account": "111122223333", "region": "eu-west-1", "resources": ["arn:aws:codecommit:eu-west-1:111122223333:Lib"],
        "detail": { "event": event, "repositoryName": "Lib", "repositoryId": "r", "referenceType": "tag",
            "referenceName": "v1", "referenceFullName": "refs/tags/v1", "commitId": NEW, "oldCommitId": OLD } })
}

fn case(
    provider: &'static str,
    headers: Headers,
    body: Value,
    change: &'static str,
    url: &'static str,
    waits: bool,
) -> Case {
    Case { provider, headers, body, change, url, waits }
}

fn forges() -> Vec<Case> {
    let (main, tag) = ("*refs/heads/main", "+refs/tags/v1");
    let head = json!({ "head_commit": { "id": NEW } });
    let moved = || push("refs/heads/main", OLD, NEW);
    let made = || push("refs/tags/v1", ZERO, NEW);
    let gone = || push("refs/heads/x", OLD, ZERO);
    let system = with(moved(), json!({ "event_name": "push", "object_kind": "push" }));
    vec![
        case("github", GITHUB, at_github(with(moved(), head.clone())), main, AT_GITHUB, true),
        case("github", GITHUB, at_github(with(made(), json!({ "created": true }))), tag, AT_GITHUB, true),
        case("github", GITHUB, at_github(with(gone(), json!({ "deleted": true }))), "-refs/heads/x", AT_GITHUB, false),
        case("gitlab", GITLAB, at_gitlab(with(moved(), json!({ "checkout_sha": NEW }))), main, AT_GITLAB, true),
        case("gitlab", GITLAB_TAG, at_gitlab(with(made(), json!({ "checkout_sha": NEW }))), tag, AT_GITLAB, true),
        case("gitlab", GITLAB_SYSTEM, at_gitlab(system), main, AT_GITLAB, true),
        case("gitlab", GITLAB, at_gitlab(gone()), "-refs/heads/x", AT_GITLAB, false),
        case("gitea", GITEA, at_gitea(with(moved(), head.clone())), main, AT_GITEA, true),
        case(
            "gitea",
            GITEA_MADE,
            at_gitea(json!({ "sha": NEW, "ref": "v1", "ref_type": "tag" })),
            tag,
            AT_GITEA,
            false,
        ),
        case(
            "gitea",
            GITEA_GONE,
            at_gitea(json!({ "ref": "x", "ref_type": "branch" })),
            "-refs/heads/x",
            AT_GITEA,
            false,
        ),
        case("forgejo", FORGEJO, at_gitea(made()), tag, AT_GITEA, true),
        case("gogs", GOGS, at_gitea(moved()), main, AT_GITEA, true),
    ]
}

fn bitbuckets() -> Vec<Case> {
    let end =
        |kind: &str, name: &str| json!({ "type": kind, "name": name, "target": { "type": "commit", "hash": NEW } });
    let (main, tag) = ("*refs/heads/main", "+refs/tags/v1");
    let branch = at_cloud(end("branch", "main"), end("branch", "main"));
    let gone = at_cloud(end("branch", "x"), Value::Null);
    vec![
        case("bitbucket", CLOUD, branch, main, AT_CLOUD, true),
        case("bitbucket", CLOUD, at_cloud(Value::Null, end("tag", "v1")), tag, AT_CLOUD, true),
        case("bitbucket", CLOUD, gone, "-refs/heads/x", AT_CLOUD, false),
        case("bitbucket", CENTER, at_center("refs/heads/main", "BRANCH", OLD, NEW), main, AT_CENTER, true),
        case("bitbucket", CENTER, at_center("refs/tags/v1", "TAG", ZERO, NEW), tag, AT_CENTER, false),
        case("bitbucket", CENTER, at_center("refs/heads/x", "BRANCH", OLD, ZERO), "-refs/heads/x", AT_CENTER, false),
    ]
}

fn clouds() -> Vec<Case> {
    let (main, tag, gone) = ("*refs/heads/main", "+refs/tags/v1", "-refs/heads/x");
    let moved = || update("refs/heads/main", OLD, NEW);
    let other_form = "https://acme.visualstudio.com/DefaultCollection/my%20project/_git/lib";
    let reference = |name: &str, more: Value| with(json!({ "commit": NEW, "ref": name }), more);
    let renamed = with(azure("1.0", AT_AZURE, moved()), json!({ "publisherId": "azure-devops" }));
    let beanstalk = push("refs/heads/main", OLD, NEW);
    let beanstalk = with(beanstalk, json!({ "repository": { "name": "lib", "clone_url": AT_BEANSTALK } }));
    let mut cases: Vec<Case> = ["1.0", "1.0-preview.1", "1.0-preview.2", "2.0", "2.0-preview.1"]
        .into_iter()
        .map(|version| case("azure", AZURE, azure(version, AT_AZURE, moved()), main, AT_AZURE, true))
        .collect();
    cases.extend([
        case("azure", AZURE, azure("1.0", other_form, update("refs/tags/v1", ZERO, NEW)), tag, AT_AZURE, false),
        case("azure", AZURE, azure("1.0", AT_TFS, update("refs/heads/x", OLD, ZERO)), gone, AT_TFS, false),
        case("azure", &[], renamed, main, AT_AZURE, true),
        case(
            "codecommit",
            RAW_SNS,
            records("aws", "eu-west-1", reference("refs/heads/main", json!({}))),
            main,
            AT_AMAZON,
            true,
        ),
        case(
            "codecommit",
            &[],
            records("aws-cn", "cn-north-1", reference("refs/tags/v1", json!({ "created": true }))),
            tag,
            AT_CHINA,
            true,
        ),
        case(
            "codecommit",
            RAW_SNS,
            records("aws", "eu-west-1", reference("refs/heads/x", json!({ "deleted": true }))),
            gone,
            AT_AMAZON,
            false,
        ),
        case("codecommit", RAW_SNS, bridge("referenceCreated"), tag, AT_AMAZON, true),
        case("codecommit", RAW_SNS, bridge("referenceUpdated"), "*refs/tags/v1", AT_AMAZON, true),
        case("beanstalk", &[], json!({ "trigger": "push", "payload": beanstalk }), main, AT_BEANSTALK, true),
    ]);
    cases
}

async fn post(world: &World, headers: &[(&str, &str)], body: &[u8]) -> Response {
    world.post_with(headers, body).await
}

#[tokio::test]
async fn each_platforms_push_updates_just_its_repository() {
    let world = World::new().await;
    for case in forges().into_iter().chain(bitbuckets()).chain(clouds()) {
        let package = world.package_at(case.url).await;
        let json = case.body.to_string();
        let form = format!("payload={}", percent(&json));
        for (kind, body) in [("application/json", &json), ("application/x-www-form-urlencoded", &form)] {
            let context = format!("{} as {kind}: {json}", case.provider);
            let headers = [case.headers, &[("Content-Type", kind)]].concat();
            assert_eq!(post(&world, &headers, body.as_bytes()).await.status, 202, "{context}");
            let delivery = world.deliveries().await.remove(0);
            assert_eq!(delivery.provider, case.provider, "{context}");
            let told: Told = serde_json::from_str(&delivery.told.expect("something")).expect("JSON");
            let change = told.changes.first().map(|change| {
                let change = serde_json::to_value(change).expect("JSON");
                let sign = match change["fate"].as_str() {
                    Some("made") => "+",
                    Some("removed") => "-",
                    _ => "*",
                };
                format!("{sign}{}", change["name"].as_str().expect("a name"))
            });
            assert_eq!(change.as_deref(), Some(case.change), "{context}");
            assert_eq!(told.note, None, "{context}");
            if delivery.outcome == "known" {
                // The same message in another guise: Azure DevOps names its own.
                assert_eq!(case.provider, "azure");
                continue;
            }
            let waits = if case.waits { vec![NEW.to_owned()] } else { Vec::new() };
            assert_eq!(world.updates().await, [(package, waits)], "{context}");
            world.finish_jobs().await;
        }
        world.forget_deliveries().await;
    }
}

/// As forms write it.
fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[tokio::test]
async fn what_tells_nothing_updates_the_hooks_own_package() {
    let world = World::new().await;
    let own = world.package_at(OWN).await;
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    for (kind, body) in [
        ("", ""),
        ("application/x-www-form-urlencoded", "revision=15&repository=lib"),
        ("text/plain", "/srv/svn/lib 15"),
        ("application/json", "{}"),
        ("application/json", "[]"),
        ("application/json", "[{\"ref\":\"refs/heads/main\"}]"),
        ("application/json", "null"),
        ("application/json", "\"pushed\""),
        ("application/json", "15"),
        ("application/json", "{\"ref\":5,\"repository\":[],\"changes\":true,\"Records\":{},\"push\":\"x\"}"),
        ("application/json", "{\"ref\":\"a\",\"ref\":\"b\"}"),
        ("application/json", deep.as_str()),
        ("text/xml", "<push/>"),
    ] {
        let answer = post(&world, &[("Content-Type", kind)], body.as_bytes()).await;
        assert_eq!((answer.status, answer.json()), (202, json!({ "status": "queued" })), "{body}");
        assert_eq!(world.updates().await, [(own, Vec::new())], "{body}");
        world.finish_jobs().await;
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_as_such_and_looked_after_all_the_same() {
    let world = World::new().await;
    let own = world.package_at(OWN).await;
    for (kind, body) in [
        ("application/json", &b"{\"ref\":\"refs/heads/main\""[..]),
        ("application/json", b"pushed"),
        ("application/json", b"{\"ref\":\"\xff\"}"),
        ("text/plain", b"[1,"),
        ("application/octet-stream", b"\x1f\x8b\x08\x00\xff"),
        ("application/x-www-form-urlencoded", b"payload=%7B%22ref"),
        ("application/json", b"{\"after\":1e}"),
    ] {
        let answer = post(&world, &[("Content-Type", kind)], body).await;
        assert_eq!((answer.status, answer.json()), (200, json!({ "status": "unreadable" })), "{body:?}");
        let told = world.deliveries().await.remove(0).told.expect("something is said of it");
        assert!(told.contains("could not be read"), "{told}");
        assert_eq!(world.updates().await, [(own, Vec::new())], "{body:?}");
        world.finish_jobs().await;
    }
}

#[tokio::test]
async fn what_is_only_a_test_is_not_waited_for() {
    let world = World::new().await;
    let own = world.package_at(OWN).await;
    world.package_at(AT_AZURE).await;
    let mut fabrikam = azure("1.0", AT_AZURE, update("refs/heads/main", OLD, NEW));
    fabrikam["subscriptionId"] = "00000000-0000-0000-0000-000000000000".into();
    let mut trigger = records("aws", "us-east-2", json!({ "commit": NEW, "ref": "refs/heads/main" }));
    trigger["Records"][0]["eventName"] = "TriggerEventTest".into();
    for (headers, body) in [(AZURE, fabrikam.clone()), (RAW_SNS, trigger), (AZURE, fabrikam)] {
        assert_eq!(post(&world, headers, body.to_string().as_bytes()).await.status, 202);
        assert_eq!(world.updates().await, [(own, Vec::new())], "{body}");
        let told = world.deliveries().await.remove(0).told.expect("something was understood");
        assert!(told.contains("\"is_test\":true") && !told.contains("note"), "{told}");
        world.finish_jobs().await;
    }
}

#[tokio::test]
async fn azure_devops_may_send_little_and_send_it_again() {
    let world = World::new().await;
    let own = world.package_at(OWN).await;
    let whole = azure("2.0", AT_AZURE, update("refs/heads/main", OLD, NEW));
    for (id, resource) in [
        ("none", json!(null)),
        ("minimal", json!({ "pushId": 14, "url": "https://dev.azure.com/_apis/git/repositories/x/pushes/14" })),
        ("empty", json!({})),
        ("odd", json!({ "refUpdates": "x", "repository": 5 })),
    ] {
        let mut body = whole.clone();
        (body["id"], body["resource"], body["message"]) = (id.into(), resource, Value::Null);
        body.as_object_mut().expect("an object").remove("detailedMessage");
        let basic = format!("Basic {}", STANDARD.encode("any:whatever"));
        let headers = [AZURE, &[("Authorization", basic.as_str())]].concat();
        assert_eq!(post(&world, &headers, body.to_string().as_bytes()).await.status, 202, "{id}");
        assert_eq!(world.updates().await, [(own, Vec::new())], "{id}");
        world.finish_jobs().await;
        assert_eq!(post(&world, &headers, body.to_string().as_bytes()).await.status, 202, "{id}");
        assert_eq!(world.updates().await, [], "{id}: the same comes again");
    }
}

#[tokio::test]
async fn talk_about_code_changes_nothing() {
    let world = World::new().await;
    let aws = |event: &str| {
        json!({ "detail-type": "CodeCommit Pull Request State Change", "region": "eu-west-1",
            "detail": { "event": event, "repositoryNames": ["Lib"], "pullRequestId": "1" } })
    };
    let mut built = azure("1.0", AT_AZURE, update("refs/heads/main", OLD, NEW));
    built["eventType"] = "git.pullrequest.created".into();
    for (headers, body) in [
        (RAW_SNS, aws("pullRequestCreated")),
        (RAW_SNS, aws("commentOnPullRequestCreated")),
        (RAW_SNS, aws("pullRequestApprovalStateChanged")),
        (AZURE, built),
        (&[("X-GitHub-Event", "issue_comment")][..], at_github(json!({}))),
        (&[("X-Gitlab-Event", "Merge Request Hook")], at_gitlab(json!({}))),
        (&[("X-Event-Key", "pullrequest:created")], json!({})),
        (&[("X-Gitea-Event", "issues")], at_gitea(json!({}))),
    ] {
        let answer = post(&world, headers, body.to_string().as_bytes()).await;
        assert_eq!((answer.status, answer.json()), (200, json!({ "status": "ignored" })), "{headers:?} {body}");
    }
    assert_eq!(world.updates().await, []);
    let answer = post(&world, RAW_SNS, aws("pullRequestMergeStatusUpdated").to_string().as_bytes()).await;
    assert_eq!(answer.status, 202, "a merge moves a branch");
}

#[tokio::test]
async fn a_repository_that_nobody_has_is_told_of() {
    let world = World::new().await;
    let own = world.package_at(OWN).await;
    let body = at_gitea(push("refs/heads/main", OLD, NEW)).to_string();
    assert_eq!(post(&world, GITEA, body.as_bytes()).await.status, 202);
    assert_eq!(world.updates().await, [(own, vec![NEW.to_owned()])], "it may have been renamed");
    let told = world.deliveries().await.remove(0).told.expect("something was understood");
    assert!(told.contains("no package here has"), "{told}");
}

#[tokio::test]
async fn a_repository_of_a_data_center_is_found_beside_the_hooks_own() {
    let world = World::new().await;
    let lib = world.package_at(AT_CENTER).await;
    let other = world.package_at("ssh://git@bitbucket.example.com:7999/acme/other.git").await;
    world.package_at("ssh://git@bitbucket.example.com:7999/acme/third.git").await;
    let hook = world.hook_of(other).await;
    for (slug, package, is_strange) in [("lib", lib, false), ("other", other, false), ("fourth", other, true)] {
        let mut body = at_center("refs/heads/main", "BRANCH", OLD, NEW);
        body["repository"].as_object_mut().expect("an object").remove("links");
        body["repository"]["slug"] = slug.into();
        let body = body.to_string();
        let request = Request::new(world.address, "POST", &format!("/hooks/{hook}"));
        let answer = request.header("X-Event-Key", "repo:refs_changed").body(body.as_bytes()).send().await;
        assert_eq!(answer.status, 202, "{slug}");
        assert_eq!(world.updates().await, [(package, vec![NEW.to_owned()])], "{slug}");
        let told = world.deliveries_of(other).await.remove(0).told.expect("something was understood");
        assert!(told.contains(&format!("ACME/{slug}")) && told.contains("note") == is_strange, "{told}");
        world.finish_jobs().await;
    }
}

#[tokio::test]
async fn a_preflight_is_answered_and_a_look_is_not() {
    let world = World::new().await;
    let path = format!("/hooks/{}", world.hook);
    for (method, status) in [("OPTIONS", 204), ("GET", 405), ("HEAD", 405), ("DELETE", 405), ("PUT", 202)] {
        let answer = Request::new(world.address, method, &path).send().await;
        assert_eq!(answer.status, status, "{method}");
    }
}
