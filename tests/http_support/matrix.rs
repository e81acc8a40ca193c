//! Every route, asked with every kind of credentials. A route without a row here fails the test, so whoever adds one has to
//! say who may use it.

use packagist_selfhosted::http::routes::{Name, ROUTES};

use crate::world::{STORED, basic, world};

/// What each of them is answered: anonymous, a token of nobody, one of another organization, a reader.
type Row = (Name, &'static str, &'static str, [u16; 4]);

const PUBLIC: [u16; 4] = [200; 4];
const REPOSITORY: [u16; 4] = [401, 401, 404, 200];

const GOLDEN: &[Row] = &[
    (Name::Asset, "GET", "/assets/none/style.css", [404; 4]),
    (Name::Liveness, "GET", "/healthz", PUBLIC),
    (Name::Readiness, "GET", "/readyz", PUBLIC),
    // The tests ask from this machine.
    (Name::Metrics, "GET", "/metrics", PUBLIC),
    (Name::Hook, "POST", "/hooks/0000000000000000000000000000000000000000000000000000000000000000", [404; 4]),
    (Name::Hook, "GET", "/hooks/0000000000000000000000000000000000000000000000000000000000000000", [405; 4]),
    (Name::AppHook, "POST", "/hooks/app/ghe", [404; 4]),
    (Name::AppHook, "GET", "/hooks/app/ghe", [405; 4]),
    (Name::Root, "GET", "/repo/acme/packages.json", REPOSITORY),
    (Name::Root, "POST", "/repo/acme/packages.json", [401, 401, 404, 405]),
    (Name::Document, "GET", "/repo/acme/p2/acme/lib.json", REPOSITORY),
    (Name::DevelopmentDocument, "GET", "/repo/acme/p2/acme/lib~dev.json", REPOSITORY),
    (Name::Dist, "GET", "/repo/acme/dists/acme/lib/REFERENCE.zip", REPOSITORY),
    (Name::List, "GET", "/repo/acme/list.json", REPOSITORY),
    (Name::Search, "GET", "/repo/acme/search.json?q=lib", REPOSITORY),
    (Name::Changes, "GET", "/repo/acme/metadata/changes.json?since=99999999999999", REPOSITORY),
    (Name::Downloads, "POST", "/repo/acme/downloads", REPOSITORY),
    (Name::Downloads, "GET", "/repo/acme/downloads", [401, 401, 404, 405]),
    (Name::NoRepository, "GET", "/repo/acme/security-advisories", [401, 401, 404, 404]),
    (Name::Nothing, "GET", "/repository", [404; 4]),
];

#[tokio::test]
async fn every_route_answers_as_the_matrix_says() {
    let world = world().await;
    for route in &ROUTES {
        assert!(GOLDEN.iter().any(|row| row.0 == route.name), "no row for {}", route.pattern);
    }
    for (name, method, path, expected) in GOLDEN {
        let path = path.replace("REFERENCE", STORED);
        let credentials =
            [None, Some(basic("user", "hunter2")), Some(basic("t", &world.stranger)), Some(basic("t", &world.reader))];
        for (who, (credentials, expected)) in credentials.iter().zip(expected).enumerate() {
            let mut request = world.anonymous(method, &path);
            if let Some(credentials) = credentials {
                request = request.header("Authorization", credentials);
            }
            let answer = request.send().await;
            assert_eq!(answer.status, *expected, "{name:?} {method} {path} as {who}");
            if answer.status == 405 {
                assert_eq!(answer.header("allow").as_deref(), Some(name.route().methods));
            }
            if answer.status >= 400 {
                assert_eq!(answer.header("content-type").as_deref(), Some("application/json"), "{path}");
                assert!(answer.header("x-request-id").is_some());
            }
        }
    }
}

#[tokio::test]
async fn routes_are_counted_by_their_patterns() {
    let world = world().await;
    for path in ["/repo/acme/p2/acme/lib.json", "/", "/hooks/x", "/none/such", "/repo/acme/none"] {
        world.get(&world.reader, path).await;
    }
    let text = world.anonymous("GET", "/metrics").send().await.text();
    for line in [
        r#"http_requests_total{route="/repo/{org}/p2/{vendor}/{name}.json",status="200"}"#,
        r#"http_requests_total{route="/",status="200"}"#,
        r#"http_requests_total{route="/hooks/{hook}",status="405"}"#,
        r#"http_requests_total{route="{*}",status="404"}"#,
        r#"http_requests_total{route="/repo/{*}",status="404"}"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("none/such") && !text.contains("acme"), "no address that a client chose is a label");
}
