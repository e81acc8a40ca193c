//! A GitLab of a few pages, on loopback: what is asked of it, and what is made of what it says.

use std::ops::Deref;

use serde_json::{Value, json};

use crate::access::facts::GrantKind;
use crate::access::role::Role;
use crate::clock::Clock;
use crate::outbound;
use crate::platform::PlatformKind;
use crate::platform::hub::{Fate, HookPlace, Hub, HubError, Key, Site};
use crate::platform::remote::{Pages, RemoteOrganization, RepositoryState, Scope, Touch, Wanted};
use crate::platform::scripted::{Said, Scripted, says};

struct GitLab(Scripted);

impl Deref for GitLab {
    type Target = Scripted;

    fn deref(&self) -> &Scripted {
        &self.0
    }
}

const ROOT: &str = "/gitlab/api/v4";
const PROJECTS: &str = "/groups/1/projects?include_subgroups=true&with_shared=false&order_by=id&sort=asc&per_page=100";
const BELOW: &str = "/groups/1/descendant_groups?all_available=true&order_by=id&sort=asc&per_page=100";

impl GitLab {
    fn hub(&self) -> Hub {
        let site = Site {
            id: "corp".to_owned(),
            platform: PlatformKind::GitLab,
            url: format!("{}/gitlab", self.url).parse().unwrap(),
            name: "GitLab".to_owned(),
            link_by_email: false,
            app: None,
        };
        Hub::new(site, &outbound::Settings::default(), Clock::system()).unwrap().unwrap()
    }

    /// A group with a subgroup, a package in each and a project that is none, and four people.
    fn acme() -> Self {
        let gitlab = Self(Scripted::start(ROOT));
        gitlab.get("/personal_access_tokens/self", &json!({ "scopes": ["read_api"], "expires_at": "2999-01-01" }));
        gitlab.group(&json!({ "id": 1, "full_path": "acme", "parent_id": null }));
        gitlab.get(BELOW, &json!([{ "id": 2, "full_path": "acme/sub", "parent_id": 1 }]));
        gitlab.group(&json!({ "id": 2, "full_path": "acme/sub", "parent_id": 1 }));
        gitlab.get(PROJECTS, &json!([project(100, "acme", 1), project(101, "acme/sub", 2), project(102, "acme", 1)]));
        gitlab.put(&probe(102), says(404, &json!({ "message": "404 File Not Found" })));
        let everywhere = [member(10, "olga", 50), member(11, "dora", 30), member(12, "gus", 10)];
        gitlab.get("/groups/1/members/all?per_page=100", &json!(&everywhere));
        let [olga, dora, gus] = everywhere.clone();
        gitlab.get("/groups/2/members/all?per_page=100", &json!([olga, dora, gus, member(13, "sue", 20)]));
        for package in [100, 101] {
            gitlab.put(&probe(package), Said { body: String::new(), ..says(200, &json!({})) });
            gitlab.get(&format!("/projects/{package}/members?per_page=100"), &json!([]));
            gitlab.get(&format!("/projects/{package}/members/all?per_page=100"), &json!(&everywhere));
        }
        gitlab
    }

    fn group(&self, group: &Value) {
        self.get(&format!("/groups/{}?with_projects=false", group["id"]), group);
        let path = group["full_path"].as_str().unwrap().replace('/', "%2F");
        self.get(&format!("/groups/{path}?with_projects=false"), group);
    }
}

fn probe(project: u64) -> String {
    format!("HEAD /projects/{project}/repository/files/composer%2Ejson?ref=HEAD")
}

fn project(id: u64, group: &str, group_id: u64) -> Value {
    json!({
        "id": id, "path_with_namespace": format!("{group}/p{id}"), "namespace": { "id": group_id, "full_path": group },
        "visibility": "private", "default_branch": "main", "last_activity_at": "2026-01-02T03:04:05.678Z",
        "created_at": "2020-01-02T03:04:05.678Z", "http_url_to_repo": "http://internal:8080/x.git",
    })
}

fn member(id: u64, username: &str, level: i64) -> Value {
    json!({ "id": id, "username": username, "name": username, "state": "active", "access_level": level })
}

fn with(mut value: Value, more: &Value) -> Value {
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value
}

fn token() -> Key {
    Key { credential: 1, generation: 1, kind: "gitlab-token".to_owned(), username: None, secret: "glpat-x".into() }
}

fn wanted() -> Wanted {
    Wanted { name: "acme".to_owned(), ..Wanted::default() }
}

async fn read(gitlab: &GitLab) -> Result<RemoteOrganization, HubError> {
    gitlab.hub().organization(&token(), &wanted(), &mut Pages::default()).await
}

/// Who reads in a team, and what.
fn team(org: &RemoteOrganization, id: &str) -> (Vec<String>, Vec<String>) {
    let team = org.teams.iter().find(|team| team.id == id).unwrap();
    (team.members.keys().cloned().collect(), team.repositories.iter().cloned().collect())
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn a_group_is_read() {
    let gitlab = GitLab::acme();
    let org = read(&gitlab).await.unwrap();
    assert_eq!((org.id.as_str(), org.name.as_str()), ("1", "acme"));
    let manifests: Vec<_> = org.repositories.iter().map(|one| (one.path.as_str(), one.manifest)).collect();
    assert_eq!(manifests, [("acme/p100", Some(true)), ("acme/p102", Some(false)), ("acme/sub/p101", Some(true))]);
    let own = format!("{}/gitlab/acme/p100.git", gitlab.url);
    assert_eq!(org.repositories[0].clone_url, own, "as it is reached, whatever it calls itself");
    let people: Vec<_> =
        org.members.iter().map(|one| (one.account.login.as_str(), one.role, one.detail.as_str())).collect();
    let expected = [
        ("olga", Role::Owner, "owner of acme"),
        ("dora", Role::Member, "developer in acme"),
        ("gus", Role::Member, "guest in acme"),
        ("sue", Role::Member, "reporter in acme/sub"),
    ];
    assert_eq!(people, expected);
    // Guests read nothing, and who is only in the subgroup nothing above it.
    assert_eq!(team(&org, "1"), (texts(&["10", "11"]), texts(&["100", "101", "102"])));
    assert_eq!(team(&org, "2"), (texts(&["10", "11", "13"]), texts(&["101"])));
    let below = org.teams.iter().find(|team| team.id == "2").unwrap();
    assert_eq!((below.slug.as_str(), below.parent.as_deref(), below.inherits), ("sub", Some("1"), false));
    assert!(org.notices.is_empty() && org.incomplete.is_empty(), "{:?}", org.notices);
    assert_eq!(org.credential_ends.map(|end| end.rfc3339()).as_deref(), Some("2999-01-01T00:00:00Z"));
    assert!(!gitlab.asked().iter().any(|asked| asked.contains("/projects/102/members")), "it is no package");
    assert_eq!(gitlab.world().asked[0].headers["private-token"], "glpat-x");
}

#[tokio::test]
async fn groups_that_were_let_in_have_their_limits() {
    let gitlab = GitLab::acme();
    let share =
        |level: i64, end: Option<&str>| json!({ "group_id": 9, "group_access_level": level, "expires_at": end });
    let all = "/groups/2/members/all?per_page=100";
    // A release that lists what people are where they come from.
    gitlab.get(all, &json!([member(10, "olga", 50), member(90, "pat", 50), member(91, "role", 10)]));
    gitlab.get("/groups/1/members?per_page=100", &json!([member(10, "olga", 50)]));
    gitlab.get("/groups/2/members?per_page=100", &json!([]));
    let guest = with(member(91, "role", 10), &json!({ "member_role": { "read_code": true } }));
    gitlab.get("/groups/9/members/all?per_page=100", &json!([member(90, "pat", 50), guest]));
    let shared =
        |share: &Value| json!({ "id": 2, "full_path": "acme/sub", "parent_id": 1, "shared_with_groups": [share] });
    for (share, readers) in [
        (share(10, None), ["10"].as_slice()),
        (share(20, None), &["10", "90"]),
        (share(30, Some("2020-01-01")), &["10", "90"]),
    ] {
        gitlab.group(&shared(&share));
        let org = read(&gitlab).await.unwrap();
        let expected = if share["expires_at"].is_null() { texts(readers) } else { texts(&["10", "90"]) };
        assert_eq!(team(&org, "2").0, expected, "{share}");
    }
    // An end of the share is one of its people.
    gitlab.group(&shared(&share(30, Some("2999-02-03"))));
    let org = read(&gitlab).await.unwrap();
    let until = org.teams.iter().find(|team| team.id == "2").unwrap().members["90"].unwrap();
    assert_eq!(until.rfc3339(), "2999-02-03T00:00:00Z");
    // Whoever came into that group as a guest is none that was let in as more, whatever its list says.
    let inner = json!({ "group_id": 8, "group_access_level": 10, "expires_at": null });
    gitlab.group(&json!({ "id": 9, "full_path": "guests", "parent_id": null, "shared_with_groups": [inner] }));
    gitlab.get("/groups/9/members?per_page=100", &json!([member(93, "own", 30)]));
    gitlab.get("/groups/9/members/all?per_page=100", &json!([member(90, "pat", 50), member(93, "own", 30)]));
    gitlab.get(all, &json!([member(10, "olga", 50), member(90, "pat", 50), member(93, "own", 30)]));
    gitlab.group(&shared(&share(30, None)));
    assert_eq!(team(&read(&gitlab).await.unwrap(), "2").0, texts(&["10", "93"]));
    // Of a group that the token may not see, nobody gets more than the limit.
    gitlab.put("GET /groups/9/members/all?per_page=100", says(404, &json!({ "message": "404 Group Not Found" })));
    gitlab.group(&shared(&share(10, None)));
    assert_eq!(team(&read(&gitlab).await.unwrap(), "2").0, texts(&["10"]));
}

#[tokio::test]
async fn single_projects_are_opened_to_single_people_and_groups() {
    let gitlab = GitLab::acme();
    let direct = json!([member(20, "kim", 30), member(12, "gus", 10), member(21, "project_100_bot_1", 40)]);
    gitlab.get("/projects/100/members?per_page=100", &direct);
    let share = json!({ "group_id": 9, "group_access_level": 20, "expires_at": null });
    let shared = with(project(100, "acme", 1), &json!({ "shared_with_groups": [share] }));
    gitlab.get(PROJECTS, &json!([shared, project(101, "acme/sub", 2), project(102, "acme", 1)]));
    gitlab.get("/groups/9/members/all?per_page=100", &json!([member(90, "pat", 50), member(11, "dora", 40)]));
    let all = json!([member(20, "kim", 30), member(90, "pat", 50), member(11, "dora", 40), member(92, "eve", 30)]);
    gitlab.get("/projects/100/members/all?per_page=100", &all);
    let org = read(&gitlab).await.unwrap();
    let readers: Vec<_> = org.readers.iter().map(|one| (one.account.login.as_str(), one.detail.as_str())).collect();
    let shared = |level: &str| format!("group that the project is shared with ({level})");
    let (pat, eve) = (shared("reporter"), shared("developer"));
    let expected = [("kim", "collaborator (developer)"), ("pat", pat.as_str()), ("eve", eve.as_str())];
    assert_eq!(readers, expected, "dora reads it anyway, and eve comes by a group that the token does not see");
    assert!(org.readers.iter().all(|one| one.kind == GrantKind::Collaborator && one.repository == "100"));
    assert!(!org.members.iter().any(|one| one.account.login == "kim"), "in one project, not in the group");
}

#[tokio::test]
async fn a_second_run_asks_for_nothing_that_is_unmodified() {
    let gitlab = GitLab::acme();
    let (hub, mut pages) = (gitlab.hub(), Pages::default());
    let first = hub.organization(&token(), &wanted(), &mut pages).await.unwrap();
    let manifests = first
        .repositories
        .iter()
        .map(|one| (one.id.clone(), (one.pushed_at.clone(), one.default_branch.clone(), one.manifest.unwrap())));
    let again = Wanted { manifests: manifests.collect(), id: Some("1".to_owned()), ..wanted() };
    let second = hub.organization(&token(), &again, &mut pages).await.unwrap();
    // It is asked for by its number from now on.
    assert_eq!(second.usage.requests - second.usage.unmodified, 1, "{:?}", gitlab.asked());
    assert_eq!((first.members, first.teams, first.repositories), (second.members, second.teams, second.repositories));
    // An event asks for what it touches only: in the subgroup nobody is whom the group above has.
    gitlab.world().asked.clear();
    gitlab.get("/groups/2/members/all?per_page=100", &json!([member(10, "olga", 50)]));
    let touched = Wanted { scope: Scope::Touched(vec![Touch::Readers("100".to_owned())]), ..again };
    let third = hub.organization(&token(), &touched, &mut pages).await.unwrap();
    assert_eq!(gitlab.asked(), ["", "/all"].map(|all| format!("GET /projects/100/members{all}?per_page=100")));
    assert_eq!(third.members.len(), 4);
    let gone = Touch::TeamMemberGone("2".to_owned(), "13".to_owned());
    let touched = Wanted { scope: Scope::Touched(vec![gone]), ..touched };
    let fourth = hub.organization(&token(), &touched, &mut pages).await.unwrap();
    assert_eq!(fourth.members.len(), 1 + 2, "whoever is in the group above is in it, whatever the list below says");
}

#[tokio::test]
async fn lists_go_on_where_links_lead_or_numbers_or_full_pages() {
    let gitlab = GitLab::acme();
    let first = "/groups/1/members/all?per_page=100";
    let rest = json!([member(14, "ann", 30)]);
    // A server behind a proxy thinks of itself under another name.
    let link = "<http://internal:8080/api/v4/groups/1/members/all?id=1&page=2&per_page=100>; rel=\"next\"";
    gitlab.put(&format!("GET {first}"), says(200, &json!([member(10, "olga", 50)])).with("link", link));
    gitlab.get("/groups/1/members/all?id=1&page=2&per_page=100", &rest);
    assert!(read(&gitlab).await.unwrap().members.iter().any(|one| one.account.login == "ann"));
    gitlab.get("/groups/1/members/all?per_page=100&page=2", &rest);
    gitlab.put(&format!("GET {first}"), says(200, &json!([member(10, "olga", 50)])).with("x-next-page", "2"));
    assert!(read(&gitlab).await.unwrap().members.iter().any(|one| one.account.login == "ann"));
    let full: Vec<Value> = (1000..1100).map(|id| member(id, &format!("u{id}"), 30)).collect();
    gitlab.get(first, &json!(full));
    assert!(read(&gitlab).await.unwrap().members.iter().any(|one| one.account.login == "ann"));
    gitlab.put(&format!("GET {first}"), says(200, &json!(full)).with("x-next-page", ""));
    assert!(!read(&gitlab).await.unwrap().members.iter().any(|one| one.account.login == "ann"));
}

#[tokio::test]
async fn a_page_that_appears_behind_an_unmodified_one_is_found() {
    let gitlab = GitLab::acme();
    let (hub, mut pages) = (gitlab.hub(), Pages::default());
    hub.organization(&token(), &wanted(), &mut pages).await.unwrap();
    let told = Said { status: 304, headers: Vec::new(), body: String::new() }
        .with("link", "<https://x/y?per_page=100&page=2>; rel=\"next\"");
    gitlab.first("GET /groups/1/members/all?per_page=100", told);
    gitlab.get("/groups/1/members/all?per_page=100&page=2", &json!([member(14, "ann", 30)]));
    let second = hub.organization(&token(), &wanted(), &mut pages).await.unwrap();
    assert!(second.members.iter().any(|one| one.account.login == "ann"));
}

#[tokio::test]
async fn limits_are_waited_for_and_refusals_end_the_reading() {
    let gitlab = GitLab::acme();
    let at = "GET /groups/2/members/all?per_page=100";
    let plain = |status: u16, text: &str| Said {
        status,
        headers: vec![("content-type", "text/plain".to_owned())],
        body: text.to_owned(),
    };
    gitlab.first(at, plain(429, "Retry later").with("retry-after", "1"));
    gitlab.first(at, plain(502, "Bad gateway"));
    gitlab.first(at, plain(521, "Web server is down"));
    assert_eq!(read(&gitlab).await.unwrap().members.len(), 4);
    for (said, expected) in [
        (plain(500, "oops"), "Unavailable"),
        (says(404, &json!({ "message": "404 Group Not Found" })), "NotFound"),
        (says(403, &json!({ "error": "insufficient_scope", "scope": "api read_api" })), "Forbidden"),
        (says(401, &json!({ "message": "401 Unauthorized" })), "Unauthorized"),
        (plain(429, "Retry later").with("retry-after", "600"), "RateLimited"),
    ] {
        gitlab.put(at, said);
        let error = format!("{:?}", read(&gitlab).await.unwrap_err());
        assert!(error.starts_with(expected), "{error}");
    }
    // Whoever is shut out altogether comes back in a quarter of an hour.
    gitlab.put(at, plain(403, "Forbidden\n"));
    let hub = gitlab.hub();
    let HubError::RateLimited { until, .. } =
        hub.organization(&token(), &wanted(), &mut Pages::default()).await.unwrap_err()
    else {
        panic!("not a limit")
    };
    assert!(until.since(hub.now()).as_secs() > 800);
}

#[tokio::test]
async fn a_token_of_too_few_scopes_is_told_so() {
    let gitlab = GitLab::acme();
    gitlab.get("/personal_access_tokens/self", &json!({ "scopes": ["read_repository"], "expires_at": null }));
    let error = gitlab.hub().admits(&token(), "acme").await.unwrap_err();
    let HubError::Forbidden { text, missing } = error else { panic!("{error:?}") };
    assert!(text.contains("`read_api`") && missing == ["the scope `read_api`"], "{text}");
    // A deploy token is shown to Git only.
    gitlab.world().asked.clear();
    let deploy = Key { username: Some("gitlab+deploy-token-7".to_owned()), ..token() };
    gitlab.hub().admits(&deploy, "acme").await.unwrap_err();
    let login = gitlab.hub().git_login(&deploy, Some("acme/p100")).await.unwrap();
    assert_eq!(login.username, "gitlab+deploy-token-7");
    gitlab.hub().diagnose(&deploy, Some("acme")).await;
    assert!(gitlab.asked().is_empty());
    assert_eq!(gitlab.hub().git_login(&token(), None).await.unwrap().username, "oauth2");
    // A connected account has a name of its own, and no personal access token.
    let grant = Key { kind: "gitlab-oauth".to_owned(), username: Some("ops".to_owned()), ..token() };
    assert_eq!(gitlab.hub().git_login(&grant, None).await.unwrap().username, "oauth2");
    gitlab.hub().admits(&grant, "acme").await.unwrap();
    assert!(!format!("{:?}", gitlab.asked()).contains("personal_access_tokens"));
}

#[tokio::test]
async fn what_is_about_to_be_deleted_keeps_its_name() {
    let gitlab = GitLab::acme();
    let marked =
        json!({ "path_with_namespace": "acme/p100-deletion_scheduled-100", "marked_for_deletion_on": "2026-12-01" });
    gitlab.get(PROJECTS, &json!([with(project(100, "acme", 1), &marked)]));
    let org = read(&gitlab).await.unwrap();
    let one = &org.repositories[0];
    assert_eq!((one.path.as_str(), one.state), ("acme/p100", RepositoryState::Deleting));
}

#[tokio::test]
async fn people_and_projects_are_asked_about_directly() {
    let gitlab = GitLab::acme();
    let hub = gitlab.hub();
    gitlab.get("/groups/2/members/all/13", &member(13, "sue", 20));
    assert!(hub.is_member(&token(), "acme", "sue", "13").await.unwrap());
    assert!(!hub.is_member(&token(), "acme", "eve", "99").await.unwrap());
    hub.is_member(&token(), "other", "sue", "13").await.unwrap_err();
    // Whoever waits to be let in is no member, and keeps nothing.
    gitlab.get("/groups/2/members/all/14", &with(member(14, "wendy", 30), &json!({ "membership_state": "awaiting" })));
    assert!(!hub.is_member(&token(), "acme", "wendy", "14").await.unwrap());
    for (id, level, reads) in [(30, 20, true), (31, 10, false), (32, 15, true)] {
        gitlab.get(&format!("/projects/100/members/all/{id}"), &member(id, "kim", level));
        let asked = hub.may_read(&token(), ("acme/p100", "100"), ("kim", &id.to_string())).await;
        assert_eq!(asked.unwrap(), reads, "level {level}");
    }
    // Without the project, that somebody is not found in it says nothing.
    hub.may_read(&token(), ("acme/p100", "100"), ("kim", "33")).await.unwrap_err();
    gitlab.get("/projects/100", &project(100, "acme", 1));
    assert!(!hub.may_read(&token(), ("acme/p100", "100"), ("kim", "33")).await.unwrap());
    assert_eq!(hub.fate(&token(), "acme/p100", "100").await.unwrap(), Fate::There);
    assert_eq!(hub.fate(&token(), "acme/old", "100").await.unwrap(), Fate::Moved("acme/p100".to_owned()));
    assert_eq!(hub.fate(&token(), "acme/gone", "7").await.unwrap(), Fate::Gone);
}

fn place() -> HookPlace {
    HookPlace {
        organization: "acme".to_owned(),
        repository: Some("acme/p100".to_owned()),
        repository_id: Some("100".to_owned()),
        remote_id: None,
        address: "https://packages.example/hooks/abc".into(),
        secret: "secret".into(),
        reset: false,
    }
}

#[tokio::test]
async fn hooks_are_made_with_everything_said() {
    let gitlab = GitLab::acme();
    gitlab.get("/projects/100/hooks?per_page=100", &json!([{ "id": 1, "url": "https://elsewhere.example" }]));
    let made = json!({ "id": 5, "url": place_url(), "push_events": true, "tag_push_events": true });
    gitlab.put("POST /projects/100/hooks", says(201, &made));
    let state = gitlab.hub().ensure_hook(&token(), &place()).await.unwrap();
    assert_eq!((state.remote_id.as_str(), state.mended, state.trouble), ("5", None, None));
    let body = gitlab.world().asked.iter().find(|asked| asked.method == "POST").unwrap().body.clone();
    assert_eq!((&body["push_events"], &body["issues_events"]), (&json!(true), &json!(false)));
    assert!(body["signing_token"].as_str().unwrap().starts_with("whsec_") && body["token"].is_string(), "{body}");
    // What was changed there is changed back, with the secrets.
    gitlab.put("PUT /projects/100/hooks/5", says(200, &made));
    let known = HookPlace { remote_id: Some("5".to_owned()), ..place() };
    for drift in [
        json!({ "url": "https://old.example" }),
        json!({ "push_events": false }),
        json!({ "token_present": false }),
        json!({ "branch_filter_strategy": "wildcard", "push_events_branch_filter": "main" }),
    ] {
        gitlab.get("/projects/100/hooks/5", &with(made.clone(), &drift));
        let state = gitlab.hub().ensure_hook(&token(), &known).await.unwrap();
        assert!(state.mended.is_some(), "{drift}");
        let body = gitlab.world().asked.last().unwrap().body.clone();
        assert!(body["url"].is_string() && body["token"].is_string() && body["signing_token"].is_string());
    }
    gitlab.get("/projects/100/hooks/5", &made);
    let state = gitlab.hub().ensure_hook(&token(), &known).await.unwrap();
    assert_eq!((state.mended, state.trouble), (None, None));
}

fn place_url() -> &'static str {
    "https://packages.example/hooks/abc"
}

#[tokio::test]
async fn a_hook_that_gitlab_switched_off_is_tried_once_an_hour() {
    let gitlab = GitLab::acme();
    let (hub, known) = (gitlab.hub(), HookPlace { remote_id: Some("5".to_owned()), ..place() });
    let off = json!({ "id": 5, "url": place_url(), "alert_status": "disabled" });
    gitlab.get("/projects/100/hooks/5", &off);
    gitlab.put("POST /projects/100/hooks/5/test/push_events", says(201, &json!({ "message": "201 Created" })));
    for _ in 0..2 {
        let state = hub.ensure_hook(&token(), &known).await.unwrap();
        assert!(state.trouble.unwrap().contains("switched the webhook off"));
    }
    assert_eq!(gitlab.count("POST /projects/100/hooks/5/test/push_events"), 1);
    let hub = gitlab.hub();
    gitlab.first("GET /projects/100/hooks/5", says(200, &off));
    gitlab.get("/projects/100/hooks/5", &json!({ "id": 5, "url": place_url(), "alert_status": "executable" }));
    let state = hub.ensure_hook(&token(), &known).await.unwrap();
    assert!(state.trouble.is_none() && state.mended.unwrap().contains("switched off"));
}

#[tokio::test]
async fn what_gitlab_does_not_let_us_install_says_why() {
    let gitlab = GitLab::acme();
    let group = HookPlace { repository: None, repository_id: None, ..place() };
    let error = gitlab.hub().ensure_hook(&token(), &group).await.unwrap_err();
    assert!(matches!(&error, HubError::Forbidden { text, .. } if text.contains("licence")), "{error:?}");
    gitlab.get("/projects/100/hooks?per_page=100", &json!([]));
    gitlab
        .put("POST /projects/100/hooks", says(422, &json!({ "error": format!("Invalid url given {}", place_url()) })));
    let error = gitlab.hub().ensure_hook(&token(), &place()).await.unwrap_err();
    assert!(matches!(error, HubError::Unwanted(_)), "{error:?}");
    let error = error.to_string();
    assert!(error.contains("Outbound requests") && !error.contains(place_url()), "{error}");
    // What is gone is removed.
    let gone = HookPlace { remote_id: Some("5".to_owned()), ..place() };
    gitlab.hub().remove_hook(&token(), &gone).await.unwrap();
}
