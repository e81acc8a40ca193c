//! That the simulated GitHub takes webhooks as it documents them, and tells by them what it tells.

use serde_json::{Value, json};

use crate::platforms::frame::{Simulator, Stage};
use crate::platforms::github::directory::Rank;
use crate::platforms::github::events::Pushed;
use crate::platforms::github::hooks::Place;
use crate::platforms::github::{Flavour, GitHub, Kind};
use crate::platforms::message::{Asked, Reply};
use crate::world::CALLBACK;

/// Who takes deliveries.
struct Sink(u16);

impl Simulator for Sink {
    fn answer(&mut self, _asked: &Asked) -> Reply {
        Reply::empty(self.0)
    }
}

fn ask(github: &GitHub, token: &str, method: &str, path: &str, body: Option<&Value>) -> (Reply, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut headers = vec![
        ("user-agent", "us".to_owned()),
        ("accept", "application/vnd.github+json, application/json;q=0.9".to_owned()),
        ("authorization", format!("Bearer {token}")),
    ];
    if body.is_some() {
        headers.push(("content-type", "application/json".to_owned()));
    }
    let asked = Asked {
        method: method.to_owned(),
        host: "localhost".to_owned(),
        path: format!("/api/v3{path}"),
        query: crate::platforms::message::pairs(query.as_bytes()),
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        body: body.map(|body| body.to_string().into_bytes()).unwrap_or_default(),
    };
    let reply = github.stage.world().answer(&asked);
    let value = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
    (reply, value)
}

#[test]
fn hooks_are_made_changed_and_told_as_documented() {
    let sink = Stage::start(Sink(202), None);
    let github = GitHub::start(Flavour::Server { version: "3.17.2", private: false }, Kind::OAuth, CALLBACK, None);
    let (owner, org) = (github.user("keeper"), github.organization("acme"));
    let ada = github.user("ada");
    github.enrol(org, owner, Rank::Owner);
    let repository = github.repository(org, "lib");
    let (token, poor) = (github.token(owner, "repo read:org admin:org_hook"), github.token(owner, "repo read:org"));
    let url = sink.url("127.0.0.1", "/hooks/1").to_string();
    let config = json!({"url": url, "content_type": "json", "secret": "s3cret", "insecure_ssl": "0"});
    let new =
        json!({"name": "web", "active": true, "events": ["push", "create", "organization", "meta"], "config": config});

    assert_eq!(ask(&github, &poor, "GET", "/orgs/acme/hooks", None).0.status, 404, "what is not allowed is hidden");
    for odd in [json!({"config": config}), json!({"name": "web"}), json!({"name": "web", "config": config, "x": 1})] {
        let (reply, _) = ask(&github, &token, "POST", "/orgs/acme/hooks", Some(&odd));
        assert!(reply.status == 422 && reply.violation.is_some(), "{odd}");
    }
    let (reply, of_team) = ask(
        &github,
        &token,
        "POST",
        "/repos/acme/lib/hooks",
        Some(&json!({"name": "web", "events": ["membership"], "config": config})),
    );
    assert!(reply.status == 422 && reply.violation.is_some(), "repositories do not tell of teams: {of_team}");
    let (reply, hook) = ask(&github, &token, "POST", "/orgs/acme/hooks", Some(&new));
    assert!(reply.status == 201 && hook["config"]["secret"] == "********", "{hook}");
    assert_eq!(ask(&github, &token, "POST", "/orgs/acme/hooks", Some(&new)).0.status, 422, "it is there already");

    github.member_added(org, ada, Rank::Member);
    github.pushed(repository, &[Pushed::new("refs/tags/1.0", &"a".repeat(40))]);
    let four = ["1", "2", "3", "4"].map(|tag| Pushed::new(&format!("refs/tags/{tag}"), &"a".repeat(40)));
    github.pushed(repository, &four);
    github.team_created(org, "team", None);
    let post = github.post();
    post.settle();
    let told: Vec<String> = post.sent().iter().map(|sent| sent.parcel.event.clone()).collect();
    assert_eq!(told, ["ping", "organization", "push", "create"], "four tags at once, and teams, are not told of");
    let seen = sink.take_log();
    let signature = seen[1].header("x-hub-signature-256").unwrap();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"s3cret");
    let tag: Vec<u8> = (7..71).step_by(2).map(|at| u8::from_str_radix(&signature[at..at + 2], 16).unwrap()).collect();
    aws_lc_rs::hmac::verify(&key, &seen[1].body, &tag).unwrap();
    assert_eq!(seen[1].json().unwrap()["membership"]["user"]["id"], ada);

    sink.world().0 = 503;
    github.pushed(repository, &[Pushed::new("refs/heads/main", &"b".repeat(40))]);
    post.settle();
    let base = format!("/orgs/acme/hooks/{}", hook["id"]);
    let (_, failed) = ask(&github, &token, "GET", &format!("{base}/deliveries?status=failure&per_page=1"), None);
    assert_eq!((&failed[0]["status_code"], &failed[0]["event"]), (&json!(503), &json!("create")));
    sink.world().0 = 202;
    sink.take_log();
    let again = format!("{base}/deliveries/{}/attempts", failed[0]["id"]);
    assert_eq!(ask(&github, &token, "POST", &again, None).0.status, 202);
    post.settle();
    assert_eq!(sink.take_log()[0].header("x-github-delivery"), failed[0]["guid"].as_str(), "by the name it had");

    let without = json!({"config": {"url": url, "content_type": "form"}});
    let (reply, changed) = ask(&github, &token, "PATCH", &base, Some(&without));
    assert!(reply.status == 200 && changed["config"].get("secret").is_none(), "a secret left out is removed");
    let (_, config) = ask(&github, &token, "PATCH", &format!("{base}/config"), Some(&json!({"secret": "other"})));
    assert_eq!((&config["content_type"], &config["secret"]), (&json!("form"), &json!("********")));
    github.hook_deleted(hook["id"].as_u64().unwrap());
    post.settle();
    let last = sink.take_log().pop().unwrap();
    assert_eq!(last.header("x-github-event"), Some("meta"));
    assert!(last.form().unwrap()[0].1.contains("\"deleted\""));
    assert!(github.hooks(Place::Organization(org)).is_empty());
    github.repository_archived(repository, true);
    let (reply, _) =
        ask(&github, &token, "POST", "/repos/acme/lib/hooks", Some(&json!({"name": "web", "config": config})));
    assert_eq!(reply.status, 403, "it is read-only");
}
