//! The simulated GitLab itself: lists and the oracle agree, pages are whole, and it is as strict as the real one.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::platforms::gitlab::GitLab;
use crate::platforms::gitlab::directory::{DEVELOPER, GUEST, MAINTAINER, Membership, OWNER, REPORTER, Share};
use crate::platforms::gitlab::hooks::{Place, signature};

/// A request with a token; status and body.
async fn ask(gitlab: &GitLab, method: &str, token: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
    let url = format!("{}/api/v4{path}", gitlab.url().as_str().trim_end_matches('/'));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.request(method.parse().unwrap(), url).header("private-token", token);
    let request = match body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    };
    let answer = request.send().await.unwrap();
    let status = answer.status();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
}

async fn get(gitlab: &GitLab, token: &str, path: &str) -> Value {
    let (status, body) = ask(gitlab, "GET", token, path, None).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    body
}

/// A project deep below, and people who come to it in every way.
#[tokio::test]
async fn lists_and_oracle_agree() {
    let gitlab = GitLab::start_at("/gitlab", "http://localhost/back", None);
    let root = gitlab.group("acme", None);
    let sub = gitlab.group("sub", Some(root));
    let deep = gitlab.group("deep", Some(sub));
    let elsewhere = gitlab.group("elsewhere", None);
    let project = gitlab.project(deep, "lib");
    let reader = gitlab.role("reader", GUEST, true);
    let names = ["owner", "guest", "coder", "late", "invited", "capped", "direct", "planner", "odd", "nobody"];
    let [owner, guest, coder, late, invited, capped, direct, planner, odd, nobody] =
        names.map(|name| gitlab.user(name));
    gitlab.enrol(root, owner, OWNER);
    gitlab.enrol(sub, guest, GUEST);
    gitlab.enrol(root, coder, Membership { level: GUEST, expires_at: None, role: Some(reader) });
    let ended = Some("2020-01-01".to_owned());
    gitlab.enrol(deep, late, Membership { level: OWNER, expires_at: ended, role: None });
    gitlab.enrol(elsewhere, invited, OWNER);
    gitlab.enrol(elsewhere, capped, REPORTER);
    gitlab.share_group(sub, elsewhere, Share { level: REPORTER, expires_at: None });
    gitlab.admit(project, direct, DEVELOPER);
    gitlab.enrol(root, planner, 15);
    gitlab.enrol(root, odd, 35);
    let readable = || -> BTreeSet<u64> {
        let all = [owner, guest, coder, late, invited, capped, direct, planner, odd, nobody];
        all.into_iter().filter(|user| gitlab.may_read(*user, project)).collect()
    };
    assert_eq!(readable(), BTreeSet::from([owner, coder, invited, capped, direct, odd]));
    let token = gitlab.group_token(root, OWNER, "api read_repository");
    let members = get(&gitlab, &token, &format!("/projects/{project}/members/all?per_page=100")).await;
    let levels: Vec<(u64, u64)> = members.as_array().unwrap().iter().map(level).collect();
    assert!(levels.contains(&(invited, 20)) && levels.contains(&(direct, 30)), "{levels:?}");
    gitlab.share_group(sub, elsewhere, GUEST);
    assert_eq!(readable(), BTreeSet::from([owner, coder, direct, odd]));
    gitlab.unshare_group(sub, elsewhere);
    gitlab.share_project(project, elsewhere, DEVELOPER);
    gitlab.block(odd);
    gitlab.ways(|ways| ways.planners_read = true);
    assert_eq!(readable(), BTreeSet::from([owner, coder, invited, capped, direct, planner]));
    let listed =
        get(&gitlab, &token, &format!("/groups/{root}/projects?include_subgroups=true&with_shared=false")).await;
    assert_eq!(listed[0]["shared_with_groups"], json!([]), "a group that the token does not see");
    assert_eq!(listed[0]["path_with_namespace"], "acme/sub/deep/lib");

    let weak = gitlab.token(guest, "read_api");
    let shown = get(&gitlab, &weak, "/projects/acme%2Fsub%2Fdeep%2Flib").await;
    assert!(shown.get("default_branch").is_none(), "guests learn of no branch: {shown}");
    let (status, _) = ask(&gitlab, "GET", &gitlab.token(nobody, "api"), "/groups/acme", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

fn level(row: &Value) -> (u64, u64) {
    (row["id"].as_u64().unwrap(), row["access_level"].as_u64().unwrap())
}

#[tokio::test]
async fn hooks_are_kept_as_gitlab_keeps_them() {
    let gitlab = GitLab::start("http://localhost/back");
    let root = gitlab.group("acme", None);
    let project = gitlab.project(root, "lib");
    let keeper = gitlab.user("keeper");
    gitlab.enrol(root, keeper, MAINTAINER);
    let token = gitlab.token(keeper, "api");
    let path = format!("/projects/{project}/hooks");
    let secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let own = json!({"url": "http://127.0.0.1:9/hooks/x", "token": "t", "signing_token": secret, "push_events": true});
    let (status, made) = ask(&gitlab, "POST", &token, &path, Some(own)).await;
    assert_eq!((status, &made["signing_token_present"]), (StatusCode::CREATED, &true.into()), "{made}");
    let at = format!("{path}/{}", made["id"]);
    let moved = json!({"url": "http://127.0.0.1:9/hooks/y"});
    let (_, changed) = ask(&gitlab, "PUT", &token, &at, Some(moved)).await;
    assert_eq!((&changed["token_present"], &changed["signing_token_present"]), (&false.into(), &false.into()));
    gitlab.ways(|ways| ways.local_requests = false);
    let local = json!({"url": "http://127.0.0.1:9/hooks/z"});
    let (status, body) = ask(&gitlab, "POST", &token, &path, Some(local)).await;
    assert_eq!((status, body), (StatusCode::UNPROCESSABLE_ENTITY, json!({"error": "Invalid url given"})));
    let (status, _) = ask(&gitlab, "GET", &token, &format!("/groups/{root}/hooks"), None).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "only owners see them");
    assert_eq!(gitlab.hooks(Place::Project(project)).len(), 1);
    let signed =
        signature(secret, "f5e5f430-f57b-4e6e-9fac-d9128cd7232f", 1_760_000_000, b"{\"object_kind\":\"push\"}");
    assert_eq!(signed, "v1,UBiAxHF1Quhbh7KWziQ8lUWrdKEEJnlI3UUzZfTY6l4=");

    let (_, _) = ask(&gitlab, "GET", &token, "/groups/acme?with_everything=true", None).await;
    assert_eq!(gitlab.stage.take_violations().len(), 1, "unknown parameters are blamed");
}

#[tokio::test]
async fn a_token_that_was_replaced_ends_the_one_that_replaced_it() {
    let gitlab = GitLab::start("http://localhost/back");
    let ada = gitlab.user("ada");
    let first = gitlab.token(ada, "api self_rotate");
    let (status, fresh) = ask(&gitlab, "POST", &first, "/personal_access_tokens/self/rotate", Some(json!({}))).await;
    assert_eq!(status, StatusCode::OK, "{fresh}");
    let second = fresh["token"].as_str().unwrap().to_owned();
    assert_eq!(get(&gitlab, &second, "/user").await["username"], "ada");
    for token in [&first, &second] {
        let (status, body) = ask(&gitlab, "GET", token, "/user", None).await;
        assert_eq!((status, &body["error"]), (StatusCode::UNAUTHORIZED, &"invalid_token".into()));
    }
}
