//! A GitHub of a few pages, on loopback: what is asked of it, and what is made of what it says.

use std::ops::Deref;
use std::time::Duration;

use serde_json::{Value, json};

use crate::access::facts::GrantKind;
use crate::access::role::Role;
use crate::clock::{Clock, Timestamp};
use crate::outbound;
use crate::platform::PlatformKind;
use crate::platform::hub::{AppKey, Fate, HookPlace, Hub, HubError, Key, Site};
use crate::platform::remote::{Pages, RemoteOrganization, Scope, Touch, Wanted};
use crate::platform::scripted::{Said, Scripted, says};

#[path = "app_tests.rs"]
mod app_tests;

struct GitHub(Scripted);

impl Deref for GitHub {
    type Target = Scripted;

    fn deref(&self) -> &Scripted {
        &self.0
    }
}

impl GitHub {
    fn hub(&self, app: Option<AppKey>) -> Hub {
        let site = Site {
            id: "ghe".to_owned(),
            platform: PlatformKind::GitHub,
            url: self.url.parse().unwrap(),
            name: "GitHub".to_owned(),
            link_by_email: false,
            app,
        };
        Hub::new(site, &outbound::Settings::default(), Clock::system()).unwrap().unwrap()
    }

    /// An organization with two repositories, of which one is a package, two people, and a team.
    fn acme(base: &str) -> Self {
        let github = Self(Scripted::start("/api/v3"));
        github.get("/orgs/acme", &json!({ "id": 9, "login": "acme", "default_repository_permission": base }));
        let repositories = "/orgs/acme/repos?type=all&sort=full_name&per_page=100";
        github.get(repositories, &json!([repository(100, "lib"), repository(101, "site")]));
        github.get("/repos/acme/lib/contents/composer.json", &json!({ "type": "file", "size": 12 }));
        github.put("GET /repos/acme/site/contents/composer.json", says(404, &json!({ "message": "Not Found" })));
        github.get("/orgs/acme/members?role=admin&per_page=100", &json!([person(1, "olga")]));
        github.get("/orgs/acme/members?role=member&per_page=100", &json!([person(2, "ada"), person(3, "bob")]));
        github.get("/orgs/acme/organization-roles", &json!({ "total_count": 0, "roles": [] }));
        github.get("/orgs/acme/teams?per_page=100", &json!([{ "id": 50, "slug": "web", "parent": null }]));
        github.get("/orgs/acme/teams/web/members?per_page=100", &json!([person(2, "ada")]));
        let read = json!({ "pull": true, "push": false });
        github.get("/orgs/acme/teams/web/repos?per_page=100", &json!([{ "id": 100, "permissions": read }]));
        github.get("/orgs/acme/outside_collaborators?per_page=100", &json!([]));
        github.get("/repos/acme/lib/collaborators?affiliation=direct&per_page=100", &json!([]));
        github
    }
}

fn repository(id: u64, name: &str) -> Value {
    json!({
        "id": id, "name": name, "full_name": format!("acme/{name}"), "owner": { "id": 9, "login": "acme" },
        "private": true, "fork": false, "archived": false, "default_branch": "main", "size": 12,
        "pushed_at": "2026-01-02T03:04:05Z", "created_at": "2020-01-02T03:04:05Z",
        "html_url": format!("https://ghe.example/acme/{name}"), "clone_url": format!("https://ghe.example/acme/{name}.git"),
    })
}

fn person(id: u64, login: &str) -> Value {
    json!({ "id": id, "login": login, "type": "User" })
}

fn token() -> Key {
    Key { credential: 1, generation: 1, kind: "github-token".to_owned(), username: None, secret: "ghp_x".into() }
}

fn wanted() -> Wanted {
    Wanted { name: "acme".to_owned(), ..Wanted::default() }
}

async fn read(github: &GitHub) -> Result<RemoteOrganization, HubError> {
    github.hub(None).organization(&token(), &wanted(), &mut Pages::default()).await
}

#[tokio::test]
async fn an_organization_is_read() {
    let github = GitHub::acme("none");
    let collaborators = json!([{ "id": 77, "login": "out", "permissions": { "pull": true }, "role_name": "read" }]);
    github.get("/repos/acme/lib/collaborators?affiliation=direct&per_page=100", &collaborators);
    let ada = json!({ "id": 2, "login": "ada", "name": "Ada", "suspended_at": "2026-01-01T00:00:00Z" });
    github.get("/users/ada", &ada);
    let org = read(&github).await.unwrap();
    assert_eq!((org.id.as_str(), org.name.as_str()), ("9", "acme"));
    let manifests: Vec<_> = org.repositories.iter().map(|one| (one.path.as_str(), one.manifest)).collect();
    assert_eq!(manifests, [("acme/lib", Some(true)), ("acme/site", Some(false))]);
    let people: Vec<_> = org
        .members
        .iter()
        .map(|one| (one.account.login.as_str(), one.role, one.reads, one.account.suspended))
        .collect();
    let expected = [
        ("olga", Role::Owner, Some(GrantKind::Sync), false),
        ("ada", Role::Member, None, true),
        ("bob", Role::Member, None, false),
    ];
    assert_eq!(people, expected);
    assert_eq!(org.members[1].account.display_name.as_deref(), Some("Ada"));
    assert!(org.teams[0].members.contains_key("2") && org.teams[0].repositories.contains("100"));
    let reader = &org.readers[0];
    assert_eq!((reader.account.login.as_str(), reader.repository.as_str()), ("out", "100"));
    assert_eq!((reader.kind, reader.detail.as_str()), (GrantKind::Collaborator, "collaborator (read)"));
    assert!(org.notices.is_empty() && org.incomplete.is_empty(), "{:?}", org.notices);
    // Nothing is asked of a repository that is no package, and everything says who we are.
    assert!(!github.asked().iter().any(|asked| asked.contains("/acme/site/collaborators")));
    let world = github.world();
    let headers = &world.asked[0].headers;
    assert_eq!(headers["authorization"], "Bearer ghp_x");
    assert!(headers["user-agent"].starts_with("packagist-selfhosted/"));
    assert_eq!(headers["accept"], "application/vnd.github+json, application/json;q=0.9");
}

#[tokio::test]
async fn with_a_base_permission_members_read_and_single_repositories_need_no_asking() {
    let github = GitHub::acme("read");
    let org = read(&github).await.unwrap();
    let reads: Vec<_> = org.members.iter().map(|one| one.reads).collect();
    assert_eq!(reads, [Some(GrantKind::Sync), Some(GrantKind::Base), Some(GrantKind::Base)]);
    assert_eq!(github.count("GET /repos/acme/lib/collaborators?affiliation=direct&per_page=100"), 0);
}

#[tokio::test]
async fn what_is_hidden_from_the_credential_is_found_by_who_may_read() {
    let github = GitHub::acme("none");
    github.get("/orgs/acme", &json!({ "id": 9, "login": "acme" }));
    let may = |id: u64, login: &str| json!({ "id": id, "login": login, "permissions": { "pull": true } });
    let all = json!([may(1, "olga"), may(2, "ada"), may(3, "bob"), { "id": 4, "login": "eve", "permissions": {} }]);
    github.get("/repos/acme/lib/collaborators?affiliation=all&per_page=100", &all);
    let org = read(&github).await.unwrap();
    // olga owns, ada is in the team: of bob GitHub does not say why.
    let readers: Vec<_> = org.readers.iter().map(|one| (one.account.login.as_str(), one.kind)).collect();
    assert_eq!(readers, [("bob", GrantKind::Sync)]);
    assert!(org.notices[0].contains("base permission of acme"), "{:?}", org.notices);
    // Where it may not even ask that, nobody is let in or removed.
    let denied = says(403, &json!({ "message": "Must have push access to view repository collaborators." }));
    github.put("GET /repos/acme/lib/collaborators?affiliation=direct&per_page=100", denied);
    let org = read(&github).await.unwrap();
    assert_eq!((org.readers.len(), org.untold), (0, ["100".to_owned()].into()));
    assert!(org.notices.iter().any(|notice| notice.contains("acme/lib")), "{:?}", org.notices);
}

#[tokio::test]
async fn a_second_run_asks_for_nothing_that_is_unmodified() {
    let github = GitHub::acme("none");
    let (hub, mut pages) = (github.hub(None), Pages::default());
    let first = hub.organization(&token(), &wanted(), &mut pages).await.unwrap();
    let manifests = first
        .repositories
        .iter()
        .map(|one| (one.id.clone(), (one.pushed_at.clone(), one.default_branch.clone(), one.manifest.unwrap())));
    let again = Wanted { manifests: manifests.collect(), ..wanted() };
    let second = hub.organization(&token(), &again, &mut pages).await.unwrap();
    // A person that has no page is asked for again: three of them.
    assert_eq!(second.usage.requests - second.usage.unmodified, 3, "{:?}", github.asked());
    assert_eq!((first.members, first.teams, first.repositories), (second.members, second.teams, second.repositories));
    // An event asks for what it touches only.
    github.world().asked.clear();
    github.get("/orgs/acme/teams/web/members?per_page=100", &json!([person(2, "ada"), person(3, "bob")]));
    let touched = Wanted { scope: Scope::Touched(vec![Touch::Team("50".to_owned())]), ..again };
    let third = hub.organization(&token(), &touched, &mut pages).await.unwrap();
    assert!(third.teams[0].members.contains_key("3"));
    let asked: Vec<_> = github.asked().into_iter().filter(|asked| !asked.contains("/users/")).collect();
    assert!(
        asked.len() == 4 && asked.iter().all(|asked| asked.contains("/teams") || asked.contains("-roles")),
        "{asked:?}"
    );
    // Another secret sees none of the answers of before.
    let other = Key { generation: 2, ..token() };
    let fourth = hub.organization(&other, &touched, &mut pages).await.unwrap();
    assert_eq!(fourth.usage.unmodified, 0);
}

#[tokio::test]
async fn lists_go_on_where_their_links_lead() {
    let github = GitHub::acme("none");
    let first = "GET /orgs/acme/members?role=member&per_page=100";
    // A server behind a proxy thinks of itself under another name.
    let next =
        "<http://internal:8080/api/v3/organizations/9/members?role=member&page=2>; rel=\"next\", <x>; rel=\"last\"";
    github.put(first, says(200, &json!([person(2, "ada")])).with("link", next));
    github.get("/organizations/9/members?role=member&page=2", &json!([person(3, "bob"), person(4, "cyn")]));
    assert_eq!(read(&github).await.unwrap().members.len(), 4);
    // In a circle, and elsewhere.
    let circle = format!("<{}/api/v3/orgs/acme/members?role=member&per_page=100>; rel=\"next\"", github.url);
    for link in [circle.as_str(), "<http://evil.example/members?page=2>; rel=\"next\""] {
        github.put(first, says(200, &json!([person(2, "ada")])).with("link", link));
        let error = read(&github).await.unwrap_err();
        assert!(matches!(error, HubError::Malformed(_)), "{error:?}");
    }
}

#[tokio::test]
async fn what_is_no_answer_of_github_ends_the_reading() {
    let github = GitHub::acme("none");
    let at = "GET /orgs/acme/members?role=member&per_page=100";
    let page = |status: u16| Said {
        status,
        headers: vec![("content-type", "text/html".to_owned())],
        body: "<html>Maintenance</html>".to_owned(),
    };
    // Once or twice is a hiccup.
    github.first(at, page(502));
    github.first(at, page(503));
    assert_eq!(read(&github).await.unwrap().members.len(), 3);
    for said in [page(502), page(200), page(500)] {
        github.put(at, said);
        let error = read(&github).await.unwrap_err();
        assert!(matches!(error, HubError::Unavailable(_)), "{error:?}");
    }
    github.put(at, Said { body: "[{\"id\":2,\"log".to_owned(), ..says(200, &json!([])) });
    let error = read(&github).await.unwrap_err();
    assert!(matches!(error, HubError::Malformed(_)), "{error:?}");
    github.put(at, says(401, &json!({ "message": "Bad credentials" })));
    let error = read(&github).await.unwrap_err();
    assert!(matches!(&error, HubError::Unauthorized(text) if text.contains("credential rotate")), "{error:?}");
}

#[tokio::test]
async fn a_token_that_lost_a_scope_reads_nothing() {
    let github = GitHub::acme("none");
    let org = json!({ "id": 9, "login": "acme", "default_repository_permission": "none" });
    github.put("GET /orgs/acme", says(200, &org).with("x-oauth-scopes", "repo"));
    let error = read(&github).await.unwrap_err();
    let HubError::Forbidden { text, missing } = error else { panic!("{error:?}") };
    assert!(text.contains("`read:org`") && missing == ["the scope `read:org`"], "{text}");
    github.put("GET /orgs/acme", says(200, &org).with("x-oauth-scopes", "admin:org, repo"));
    read(&github).await.unwrap();
}

#[tokio::test]
async fn a_partial_answer_removes_nothing() {
    let github = GitHub::acme("none");
    let at = "GET /orgs/acme/members?role=member&per_page=100";
    github.put(at, says(200, &json!([])).with("x-github-sso", "partial-results; organizations=9"));
    let org = read(&github).await.unwrap();
    assert_eq!(org.incomplete.len(), 4);
    let required = "required; url=https://github.com/orgs/acme/sso?authorization_request=x";
    github.put(
        at,
        says(403, &json!({ "message": "Resource protected by organization SAML" })).with("x-github-sso", required),
    );
    let error = read(&github).await.unwrap_err();
    assert!(error.to_string().contains("https://github.com/orgs/acme/sso"), "{error}");
}

#[tokio::test]
async fn github_is_left_alone_as_long_as_it_asks() {
    let at = "GET /orgs/acme";
    let refuse = |status: u16, text: &str| says(status, &json!({ "message": text }));
    let reset = (Timestamp::from(std::time::SystemTime::now()) + Duration::from_secs(600)).as_seconds();
    let date = Timestamp::from(std::time::SystemTime::now()).http_date();
    let spent = refuse(403, "API rate limit exceeded").with("x-ratelimit-remaining", "0");
    for (said, at_least, at_most) in [
        (refuse(403, "wait").with("retry-after", "30"), 28, 31),
        (refuse(429, "wait"), 58, 61),
        (spent.with("x-ratelimit-reset", reset.to_string()).with("date", date), 590, 605),
        (refuse(403, "You have exceeded a secondary rate limit."), 58, 61),
    ] {
        let github = GitHub::acme("none");
        github.first(at, said);
        let hub = github.hub(None);
        let error = hub.organization(&token(), &wanted(), &mut Pages::default()).await.unwrap_err();
        let HubError::RateLimited { until, .. } = &error else { panic!("{error:?}") };
        let seconds = until.since(Timestamp::from(std::time::SystemTime::now())).as_secs();
        assert!((at_least..=at_most).contains(&seconds), "{seconds}: {error}");
        // Nobody asks again before, of whatever; another credential does.
        let fate = hub.fate(&token(), "acme/lib", "100").await.unwrap_err();
        assert!(matches!(fate, HubError::RateLimited { .. }));
        assert_eq!(github.asked().len(), 1);
        let other = Key { credential: 2, ..token() };
        assert!(!matches!(hub.fate(&other, "acme/lib", "100").await, Err(HubError::RateLimited { .. })));
    }
    // A refusal that is meant is none of these.
    let github = GitHub::acme("none");
    github.put(at, refuse(403, "Forbidden").with("x-ratelimit-remaining", "4000"));
    assert!(matches!(read(&github).await.unwrap_err(), HubError::Forbidden { .. }));
}

#[tokio::test]
async fn an_organization_is_known_by_its_number() {
    let github = GitHub::acme("none");
    let hub = github.hub(None);
    let named = |name: &str, id: &str| Wanted { name: name.to_owned(), id: Some(id.to_owned()), ..Wanted::default() };
    let membership = json!([{ "state": "active", "organization": { "id": 9, "login": "acme" } }]);
    github.get("/user/memberships/orgs?state=active&per_page=100", &membership);
    // It was renamed, and its old name is nobody's, or somebody else's.
    let org = hub.organization(&token(), &named("old-acme", "9"), &mut Pages::default()).await.unwrap();
    assert_eq!(org.name, "acme");
    github.get("/orgs/old-acme", &json!({ "id": 666, "login": "old-acme" }));
    let org = hub.organization(&token(), &named("old-acme", "9"), &mut Pages::default()).await.unwrap();
    assert_eq!(org.id, "9");
    let error = hub.organization(&token(), &named("old-acme", "10"), &mut Pages::default()).await.unwrap_err();
    assert!(matches!(error, HubError::NotFound(_)), "{error:?}");
}

#[tokio::test]
async fn repositories_are_known_by_their_numbers() {
    let github = GitHub::acme("none");
    let hub = github.hub(None);
    let fate = async |path: &str, id: &str| hub.fate(&token(), path, id).await.unwrap();
    github.get("/repos/acme/lib", &repository(100, "lib"));
    assert_eq!(fate("acme/lib", "100").await, Fate::There);
    assert_eq!(fate("acme/lib", "99").await, Fate::Gone);
    let moved = says(301, &json!({})).with("location", format!("{}/api/v3/repositories/100", github.url));
    github.put("GET /repos/acme/old", moved);
    github.get("/repositories/100", &repository(100, "lib"));
    assert_eq!(fate("acme/old", "100").await, Fate::Moved("acme/lib".to_owned()));
    assert_eq!(fate("acme/gone", "7").await, Fate::Gone);
    // Elsewhere our token does not go.
    github.put("GET /repos/acme/trap", says(301, &json!({})).with("location", "http://evil.example/x"));
    assert!(hub.fate(&token(), "acme/trap", "1").await.is_err());
    github.put("GET /orgs/acme", says(401, &json!({ "message": "Bad credentials" })));
    assert!(matches!(hub.fate(&token(), "acme/gone", "7").await, Err(HubError::Unauthorized(_))));
}

#[tokio::test]
async fn a_membership_is_asked_for_by_number() {
    let github = GitHub::acme("none");
    let hub = github.hub(None);
    let is_member = async |login: &str, id: &str| hub.is_member(&token(), "acme", login, id).await.unwrap();
    github.get("/user/2", &person(2, "ada-new"));
    github.get("/orgs/acme/memberships/ada-new", &json!({ "state": "active", "role": "member", "user": { "id": 2 } }));
    assert!(is_member("ada", "2").await);
    github.get("/orgs/acme/memberships/bob", &json!({ "state": "pending", "role": "member", "user": { "id": 3 } }));
    assert!(!is_member("bob", "3").await);
    assert!(!is_member("cyn", "4").await);
    github.get("/orgs/acme/memberships/eve", &json!({ "state": "active", "user": { "id": 66 } }));
    assert!(!is_member("eve", "6").await);
}

fn hook(address: &str) -> HookPlace {
    HookPlace {
        repository_id: None,
        organization: "acme".to_owned(),
        repository: None,
        remote_id: None,
        address: address.to_owned().into(),
        secret: "s3cret".into(),
        reset: false,
    }
}

#[tokio::test]
async fn hooks_are_made_found_again_and_mended() {
    let github = GitHub::acme("none");
    let hub = github.hub(None);
    let address = "https://packages.example/hooks/0123";
    github.get("/orgs/acme/hooks?per_page=100", &json!([]));
    github.put("POST /orgs/acme/hooks", says(201, &json!({ "id": 5 })));
    let made = hub.ensure_hook(&token(), &hook(address)).await.unwrap();
    assert_eq!((made.remote_id.as_str(), made.mended, made.trouble), ("5", None, None));
    let sent = github.world().asked.last().unwrap().body.clone();
    assert_eq!((&sent["name"], &sent["active"]), (&json!("web"), &json!(true)));
    let config = json!({ "url": address, "content_type": "json", "secret": "s3cret", "insecure_ssl": "0" });
    assert_eq!(sent["config"], config);
    // As GitHub shows it: without the secret.
    let shown = |active: bool, url: &str| {
        json!({
            "id": 5, "active": active, "events": sent["events"],
            "config": { "url": url, "content_type": "json", "secret": "********", "insecure_ssl": "0" },
        })
    };
    github.get("/orgs/acme/hooks/5", &shown(true, address));
    github.get("/orgs/acme/hooks/5/deliveries?per_page=5", &json!([{ "status": "OK", "status_code": 202 }]));
    github.put("PATCH /orgs/acme/hooks/5", says(200, &json!({ "id": 5 })));
    let place = HookPlace { remote_id: Some("5".to_owned()), ..hook(address) };
    let well = hub.ensure_hook(&token(), &place).await.unwrap();
    assert_eq!((well.mended, well.trouble), (None, None));
    assert_eq!(github.count("PATCH /orgs/acme/hooks/5"), 0);
    let refused = json!([{ "status": "failed to connect to host", "status_code": 0 }]);
    github.get("/orgs/acme/hooks/5/deliveries?per_page=5", &refused);
    let failing = hub.ensure_hook(&token(), &place).await.unwrap();
    assert!(failing.trouble.unwrap().contains("failed to connect"));
    // Switched off, pointed elsewhere, or signing with another secret; the secret goes along each time.
    for (shown, reset) in
        [(shown(false, address), false), (shown(true, "https://else.example"), false), (shown(true, address), true)]
    {
        github.get("/orgs/acme/hooks/5", &shown);
        let place = HookPlace { reset, ..place.clone() };
        assert!(hub.ensure_hook(&token(), &place).await.unwrap().mended.is_some());
        assert_eq!(github.world().asked.last().unwrap().body["config"]["secret"], "s3cret");
    }
    // Removed by somebody; and there already, because a reply was lost.
    github.put("GET /orgs/acme/hooks/5", says(404, &json!({ "message": "Not Found" })));
    assert_eq!(hub.ensure_hook(&token(), &place).await.unwrap().mended.as_deref(), Some("it was removed"));
    github.get("/orgs/acme/hooks?per_page=100", &json!([shown(true, address)]));
    github.world().asked.clear();
    assert!(hub.ensure_hook(&token(), &hook(address)).await.unwrap().mended.is_some());
    assert_eq!(github.count("POST /orgs/acme/hooks"), 0);
    github.put("DELETE /orgs/acme/hooks/5", says(204, &json!(null)));
    hub.remove_hook(&token(), &hook(address)).await.unwrap();
    assert_eq!(github.count("DELETE /orgs/acme/hooks/5"), 1);
}

#[tokio::test]
async fn why_a_hook_is_not_installed_is_told_without_its_address() {
    let github = GitHub::acme("none");
    let hub = github.hub(None);
    let address = "https://packages.example/hooks/0123";
    let error = hub.ensure_hook(&token(), &hook(address)).await.unwrap_err();
    assert!(matches!(&error, HubError::NotFound(text) if text.contains("admin:org_hook")), "{error}");
    github.get("/orgs/acme/hooks?per_page=100", &json!([]));
    let said = json!({ "message": "Validation Failed", "errors": [{ "message": format!("url: {address} is not reachable") }] });
    github.put("POST /orgs/acme/hooks", says(422, &said));
    let error = hub.ensure_hook(&token(), &hook(address)).await.unwrap_err();
    assert!(error.to_string().contains("is not reachable") && !error.to_string().contains("0123"), "{error}");
}
