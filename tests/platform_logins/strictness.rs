//! That the simulators are as strict as they say: what no correct client sends is blamed, and what a careless one sends is
//! answered as the platform answers it.

use crate::certificates::Authority;
use crate::platforms::frame::Simulator;
use crate::platforms::github::{Flavour, GitHub, Kind};
use crate::platforms::gitlab::GitLab;
use crate::platforms::message::{Asked, Pairs, Reply, pairs};
use crate::world::CALLBACK;

/// A state that nobody can guess.
const STATE: &str = "0123456789012345678901234567890123456789012";
/// A challenge, as far as one can see.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn asked(method: &str, host: &str, path: &str, query: &[(&str, &str)]) -> Asked {
    let query: Pairs = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let headers = [("user-agent", "us"), ("accept", "application/vnd.github+json, application/json;q=0.9")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Asked { method: method.to_owned(), host: host.to_owned(), path: path.to_owned(), query, headers, body: Vec::new() }
}

fn posted(path: &str, fields: &[(&str, &str)]) -> Asked {
    let mut asked = asked("POST", "localhost", path, &[]);
    asked.headers.insert("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
    asked.body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes();
    asked
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

#[test]
fn github_takes_only_what_it_documents() {
    let github = GitHub::server(CALLBACK);
    let mut site = github.stage.world();
    let id = github.client_id.as_str();
    let mut authorize =
        |query: &[(&str, &str)]| site.answer(&asked("GET", "localhost", "/login/oauth/authorize", query));
    assert!(authorize(&[("client_id", id), ("state", STATE), ("redirect_uri", CALLBACK)]).violation.is_none());
    for (odd, blamed) in [
        (vec![("client_id", id)], "`state` is missing"),
        (vec![("client_id", id), ("state", "1234")], "can be guessed"),
        (vec![("client_id", id), ("state", STATE), ("state", STATE)], "came twice"),
        (vec![("client_id", id), ("state", STATE), ("nonce", "1")], "`nonce` is not documented"),
        (
            vec![("client_id", id), ("state", STATE), ("code_challenge", CHALLENGE)],
            "`code_challenge` is not documented",
        ),
        (vec![("client_id", id), ("state", STATE), ("scope", "repo")], "scope repo"),
    ] {
        assert!(authorize(&odd).violation.is_some_and(|said| said.contains(blamed)), "{odd:?}");
    }
    assert_eq!(authorize(&[("client_id", "nobody"), ("state", STATE)]).status, 404);
}

#[test]
fn github_answers_forms_unless_json_is_asked_for_and_errors_with_200() {
    let github = GitHub::server(CALLBACK);
    let mut site = github.stage.world();
    let fields = [("client_id", github.client_id.as_str()), ("client_secret", &github.client_secret), ("code", "none")];
    let mut careless = posted("/login/oauth/access_token", &fields);
    careless.headers.remove("accept");
    let reply = site.answer(&careless);
    let form = pairs(&reply.body);
    assert_eq!((reply.status, form[0].1.as_str()), (200, "bad_verification_code"));
    let reply = site.answer(&posted("/login/oauth/access_token", &fields));
    assert!(reply.violation.is_none() && text(&reply).starts_with("{\"error\":\"bad_verification_code\""), "{reply:?}");
    let mut leaking = posted("/login/oauth/access_token", &fields);
    leaking.query = pairs(b"client_secret=x");
    assert!(site.answer(&leaking).violation.is_some());
    let with_verifier = [fields.as_slice(), &[("code_verifier", STATE)]].concat();
    assert!(site.answer(&posted("/login/oauth/access_token", &with_verifier)).violation.is_some());
}

#[test]
fn githubs_api_wants_its_headers() {
    let github = GitHub::server(CALLBACK);
    let mut site = github.stage.world();
    let mut with = |change: &dyn Fn(&mut Asked)| {
        let mut asked = asked("GET", "localhost", "/api/v3/user", &[]);
        change(&mut asked);
        let reply = site.answer(&asked);
        (reply.status, reply.violation.is_some())
    };
    assert_eq!(with(&|_| ()), (401, false));
    assert_eq!(with(&|asked| drop(asked.headers.remove("user-agent"))), (403, true));
    assert_eq!(with(&|asked| drop(asked.headers.insert("accept".to_owned(), "text/html".to_owned()))), (415, true));
    let version = |asked: &mut Asked| {
        asked.headers.insert("x-github-api-version".to_owned(), "2026-03-10".to_owned());
    };
    assert_eq!(with(&version), (400, true));
    assert_eq!(with(&|asked| asked.path.push('/')), (404, true));
    let private = GitHub::start(Flavour::Server { version: "3.9.0", private: true }, Kind::OAuth, CALLBACK, None);
    let reply = private.stage.world().answer(&asked("GET", "localhost", "/api/v3/meta", &[]));
    assert!(reply.status == 401 && text(&reply).contains("Sign in"));
}

#[test]
fn github_com_is_two_hosts_and_knows_pkce() {
    let github = GitHub::cloud(CALLBACK, Authority::new().server);
    let mut site = github.stage.world();
    let id = github.client_id.as_str();
    assert!(site.answer(&asked("GET", "www.github.com", "/login/oauth/authorize", &[])).violation.is_some());
    assert_eq!(site.answer(&asked("GET", "api.github.com", "/meta", &[])).status, 200);
    assert_eq!(site.answer(&asked("GET", "github.com", "/meta", &[])).status, 404);
    for (method, is_good) in [("S256", true), ("plain", false)] {
        let query =
            [("client_id", id), ("state", STATE), ("code_challenge", CHALLENGE), ("code_challenge_method", method)];
        let reply = site.answer(&asked("GET", "github.com", "/login/oauth/authorize", &query));
        assert_eq!(reply.violation.is_none(), is_good, "{method}");
    }
}

#[test]
fn callbacks_are_compared_as_each_platform_does() {
    let github = GitHub::server(CALLBACK);
    let takes = |kind, registered: &str, wanted: &str| {
        github.app(|app| (app.kind, app.callbacks) = (kind, vec![registered.to_owned()]));
        github.stage.world().apps[&github.client_id].takes(wanted)
    };
    let base = "https://x.example/auth";
    for (wanted, oauth, app) in [
        (base, true, true),
        ("https://x.example/auth/ghe/callback", true, false),
        ("https://sub.x.example/auth", true, false),
        ("https://evilx.example/auth", false, false),
        ("https://x.example/authority", false, false),
        ("https://x.example/", false, false),
        ("http://x.example/auth", false, false),
        ("https://x.example:8443/auth", false, false),
    ] {
        assert_eq!(takes(Kind::OAuth, base, wanted), oauth, "{wanted}");
        assert_eq!(takes(Kind::GitHubApp { emails: true }, base, wanted), app, "{wanted}");
    }
    assert!(takes(Kind::OAuth, "http://127.0.0.1/auth", "http://127.0.0.1:8080/auth"));
}

#[test]
fn gitlab_takes_only_what_it_documents() {
    let gitlab = GitLab::start(CALLBACK);
    let mut site = gitlab.stage.world();
    let good = [
        ("client_id", gitlab.client_id.as_str()),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("state", STATE),
        ("scope", "read_user"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let mut authorize = |query: &[(&str, &str)]| site.answer(&asked("GET", "localhost", "/oauth/authorize", query));
    assert_eq!(authorize(&good).status, 200);
    for (name, value, status, is_blamed) in [
        ("redirect_uri", "https://packages.example.com/auth/corp/callback/", 400, false),
        ("client_id", "nobody", 401, false),
        ("scope", "api", 400, true),
        ("code_challenge_method", "plain", 400, true),
        ("state", "", 400, true),
    ] {
        let odd = good.map(|(own, kept)| (own, if own == name { value } else { kept }));
        let reply = authorize(&odd);
        assert_eq!((reply.status, reply.violation.is_some()), (status, is_blamed), "{name}={value}");
    }
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", gitlab.client_id.as_str()),
        ("client_secret", gitlab.client_secret.as_str()),
        ("code", "none"),
        ("redirect_uri", CALLBACK),
    ];
    let reply = site.answer(&posted("/oauth/token", &fields));
    assert!(reply.status == 400 && text(&reply).contains("invalid_grant") && reply.violation.is_none());
    let mut leaking = posted("/oauth/token", &fields);
    leaking.query = pairs(b"client_secret=x");
    assert!(site.answer(&leaking).violation.is_some());
    assert!(site.answer(&asked("GET", "localhost", "/api/v4/user", &[("access_token", "x")])).violation.is_some());
}
