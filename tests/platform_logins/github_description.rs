//! That requests to the GitHub simulator, and its own answers, are held to GitHub's OpenAPI description.

use serde_json::{Value, json};

use crate::platforms::github::Flavour;
use crate::platforms::github::description::Description;
use crate::platforms::message::{Asked, Reply, pairs};

const SERVER: Flavour = Flavour::Server { version: "3.19.0", private: false };

fn asked(method: &str, query: &str, body: Option<&Value>) -> Asked {
    let mut headers = vec![("user-agent", "us"), ("accept", "application/vnd.github+json, application/json;q=0.9")];
    headers.extend(body.map(|_| ("content-type", "application/json")));
    Asked {
        method: method.to_owned(),
        host: "localhost".to_owned(),
        path: String::new(),
        query: pairs(query.as_bytes()),
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        body: body.map(|body| body.to_string().into_bytes()).unwrap_or_default(),
    }
}

/// What is wrong with a request to either flavour.
fn findings(method: &str, path: &str, query: &str, body: Option<&Value>) -> [String; 2] {
    [SERVER, Flavour::Cloud].map(|flavour| {
        let description = Description::of(flavour);
        match description.operation(method, path) {
            Ok(operation) => description.request(operation, &asked(method, query, body)).join("; "),
            Err(finding) => finding,
        }
    })
}

#[test]
fn what_is_documented_is_found_nothing_wrong_with() {
    for (path, query) in [
        ("/user", ""),
        ("/users/ada", ""),
        ("/user/memberships/orgs", "state=active&per_page=100"),
        ("/orgs/acme", ""),
        ("/orgs/acme/repos", "type=all&sort=full_name&per_page=100&page=2"),
        ("/organizations/9/repos", "type=all&per_page=100&page=3"),
        ("/organizations/9/team/50/members", "per_page=100"),
        ("/orgs/acme/teams/web/repos", "per_page=100"),
        ("/orgs/acme/hooks/5/deliveries", "per_page=5"),
        ("/repos/acme/lib", ""),
        ("/repositories/100", ""),
        ("/repos/acme/lib/contents/composer.json", ""),
        ("/repos/acme/lib/contents/packages/one/composer.json", "ref=main"),
        ("/repos/acme/lib/collaborators", "affiliation=direct&per_page=100"),
    ] {
        assert_eq!(findings("GET", path, query, None), ["", ""], "{path}?{query}");
    }
    let config = json!({"url": "https://packages.example.com/hooks/1", "content_type": "json", "secret": "s"});
    let hook = json!({"name": "web", "active": true, "events": ["push"], "config": config});
    for path in ["/orgs/acme/hooks", "/repos/acme/lib/hooks"] {
        assert_eq!(findings("POST", path, "", Some(&hook)), ["", ""], "{path}");
    }
    assert_eq!(findings("DELETE", "/orgs/acme/hooks/5", "", None), ["", ""]);
}

#[test]
fn what_is_not_documented_is_found() {
    for (method, path, query, found) in [
        ("GET", "/orgs/acme/repositories", "", "has no GET"),
        ("GET", "/orgs/acme/hooks/", "", "has no GET"),
        ("PUT", "/orgs/acme/hooks", "", "has no PUT"),
        ("GET", "/organizations/acme/repos", "", "has no GET"),
        ("DELETE", "/repositories/100", "", "has no DELETE"),
        ("GET", "/orgs/acme/repos", "visibility=all", "`visibility` is not in"),
        ("GET", "/orgs/acme/repos", "type=everything", "`type`: \"everything\" is not one of"),
        ("GET", "/orgs/acme/repos", "per_page=many", "`per_page`: \"many\" is not of type"),
        ("POST", "/orgs/acme/hooks", "", "no JSON"),
    ] {
        let said = findings(method, path, query, None);
        assert!(said.iter().all(|said| said.contains(found)), "{method} {path}?{query}: {said:?}");
    }
}

#[test]
fn a_body_has_to_fit() {
    let config = json!({"url": "https://packages.example.com/hooks/1"});
    for (body, found) in [
        (json!({"name": "web"}), "\"config\" is a required property"),
        (json!({"name": "web", "config": {"content_type": "json"}}), "\"url\" is a required property"),
        (json!({"name": "web", "config": config, "events": "push"}), "is not of type \"array\""),
        (json!({"name": "web", "config": config, "enabled": true}), "`enabled` is not in"),
    ] {
        let said = findings("POST", "/orgs/acme/hooks", "", Some(&body));
        assert!(said.iter().all(|said| said.contains(found)), "{body}: {said:?}");
    }
    let said = findings("GET", "/orgs/acme", "", Some(&json!({})));
    assert!(said.iter().all(|said| said.contains("there should be none")), "{said:?}");
}

#[test]
fn the_headers_have_to_be_there() {
    let description = Description::of(Flavour::Cloud);
    let operation = description.operation("GET", "/user").unwrap();
    let mut odd = asked("GET", "", None);
    odd.headers.remove("accept");
    odd.headers.remove("user-agent");
    odd.headers.insert("x-github-api-version".to_owned(), "2022-11-29".to_owned());
    let said = description.request(operation, &odd);
    assert_eq!(said.len(), 3, "{said:?}");
}

#[test]
fn answers_have_to_fit_too() {
    let description = Description::of(SERVER);
    let finding = |path: &str, reply: &Reply| {
        let operation = description.operation("GET", path).unwrap();
        description.answer(operation, reply).join("; ")
    };
    let team = json!({
        "id": 1, "node_id": "T_1", "name": "web", "slug": "web", "description": null, "permission": "pull",
        "url": "http://localhost/1", "html_url": "http://localhost/2", "members_url": "http://localhost/3{/member}",
        "repositories_url": "http://localhost/4", "parent": null, "type": "organization",
    });
    assert_eq!(finding("/orgs/acme/teams", &Reply::json(200, &json!([team]))), "");
    let mut odd = team.clone();
    odd["id"] = "1".into();
    odd["slug"] = Value::Null;
    let said = finding("/orgs/acme/teams", &Reply::json(200, &json!([team, odd])));
    assert!(said.contains("is not of type \"integer\"") && said.contains("null is not of type \"string\""), "{said:?}");
    assert!(finding("/orgs/acme/teams", &Reply::json(202, &json!([]))).contains("status"));
    assert!(finding("/orgs/acme/teams", &Reply::text(200, "[")).contains("no JSON"));
    assert_eq!(finding("/orgs/acme/teams", &Reply::empty(304)), "");
    assert_eq!(finding("/orgs/acme/teams", &Reply::html(502, "Bad gateway")), "");
}
