//! `packages.json` and the p2 files, byte by byte.

use packagist_selfhosted::store::database::Change;
use packagist_selfhosted::store::listings;
use serde_json::json;

use crate::world::{START, STORED, json as content, world};

const LIB: &str = "/repo/acme/p2/acme/lib.json";

#[tokio::test]
async fn a_document_is_sent_as_it_was_published() {
    let world = world().await;
    for (path, dev) in
        [(LIB, false), ("/repo/acme/p2/acme/lib~dev.json", true), ("/repo/acme/p2/acme/lib%7Edev.json", true)]
    {
        let answer = world.with(&world.reader, "GET", path).header("Accept-Encoding", "deflate, gzip, br").send().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type").as_deref(), Some("application/json"));
        assert_eq!(answer.header("content-encoding").as_deref(), Some("gzip"));
        assert_eq!(answer.header("last-modified"), Some(START.http_date()));
        assert_eq!(answer.header("cache-control").as_deref(), Some("private, no-cache"));
        assert_eq!(answer.header("vary").as_deref(), Some("Authorization, Accept-Encoding"));
        assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string()));
        assert_eq!(answer.header("etag"), None);
        assert_eq!(answer.text(), content("acme/lib", dev));
    }
}

#[tokio::test]
async fn whoever_takes_no_gzip_gets_none() {
    let world = world().await;
    for accepts in [None, Some("identity"), Some("gzip;q=0"), Some("br")] {
        let mut request = world.with(&world.reader, "GET", LIB);
        if let Some(accepts) = accepts {
            request = request.header("Accept-Encoding", accepts);
        }
        let answer = request.send().await;
        assert_eq!(answer.header("content-encoding"), None, "{accepts:?}");
        assert_eq!(answer.header("vary").as_deref(), Some("Authorization, Accept-Encoding"));
        assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string()));
        assert_eq!(answer.body, content("acme/lib", false).into_bytes());
    }
}

#[tokio::test]
async fn head_says_what_get_says() {
    let world = world().await;
    for path in [
        LIB,
        "/repo/acme/packages.json",
        "/repo/acme/p2/acme/none.json",
        "/repo/acme/p2/none/none.json",
        "/repo/acme/list.json",
        "/repo/acme/search.json?q=lib",
        "/repo/acme/metadata/changes.json",
        "/",
        "/healthz",
        "/none",
    ] {
        for encoding in ["gzip", "identity"] {
            let ask = |method| world.with(&world.reader, method, path).header("Accept-Encoding", encoding).send();
            let (get, mut head) = (ask("GET").await.lasting(), ask("HEAD").await.lasting());
            assert!(head.body.is_empty(), "{path}");
            head.body = get.body.clone();
            assert_eq!(get, head, "{path} {encoding}");
        }
    }
}

#[tokio::test]
async fn not_modified_needs_the_very_date() {
    let world = world().await;
    let root = world.get(&world.reader, "/repo/acme/packages.json").await.header("last-modified").expect("a date");
    let long_ago = "Sat, 01 Jan 2000 00:00:00 GMT".to_owned();
    for (path, date) in
        [(LIB, START.http_date()), ("/repo/acme/packages.json", root), ("/repo/acme/p2/acme/none.json", long_ago)]
    {
        let ask = |since: String| world.with(&world.reader, "GET", path).header("If-Modified-Since", &since).send();
        let same = ask(date.clone()).await;
        assert_eq!((same.status, same.body.len()), (304, 0), "{path}");
        assert_eq!(same.header("last-modified"), Some(date.clone()));
        assert_eq!(same.header("cache-control").as_deref(), Some("private, no-cache"));
        assert_eq!(same.header("content-type"), None);
        let later = "Fri, 01 Jan 2038 00:00:00 GMT".to_owned();
        for other in [later, date.to_lowercase(), date.replace("GMT", "UTC"), date.replace(' ', "  "), String::new()] {
            assert_eq!(ask(other.clone()).await.status, 200, "{path} {other}");
        }
    }
}

#[tokio::test]
async fn hidden_and_absent_names_are_alike() {
    let world = world().await;
    for file in [".json", "~dev.json"] {
        for headers in
            [vec![], vec![("Accept-Encoding", "gzip")], vec![("If-Modified-Since", "Sat, 01 Jan 2000 00:00:00 GMT")]]
        {
            let mut answers = Vec::new();
            // Names of one length, so that the answers can be compared as they are.
            for name in ["acme/secret-lib", "acme/absent-lib"] {
                let mut request = world.with(&world.restricted, "GET", &format!("/repo/acme/p2/{name}{file}"));
                for (key, value) in &headers {
                    request = request.header(key, value);
                }
                let mut answer = request.send().await.lasting();
                if answer.status == 200 {
                    let list = json!({ "minified": "composer/2.0", "packages": { name: [] } });
                    assert_eq!(answer.text(), list.to_string());
                    assert_eq!(answer.header("last-modified").as_deref(), Some("Sat, 01 Jan 2000 00:00:00 GMT"));
                    answer.body = answer.text().replace(name, "NAME").into_bytes();
                }
                answers.push(answer);
            }
            assert_eq!(answers[0], answers[1]);
        }
    }
    let secret = world.get(&world.reader, "/repo/acme/p2/acme/secret-lib.json").await;
    assert_eq!(secret.text(), content("acme/secret-lib", false), "who may see it sees it");
}

#[tokio::test]
async fn other_names_are_simply_not_there() {
    let world = world().await;
    for name in [
        "symfony/console",
        "Acme/Lib",
        "acme/Lib",
        "acme",
        "acme/lib/x",
        "acme/..",
        "acme/li b",
        "%2e%2e/x",
        "acme/l%2Fib",
        "",
    ] {
        let path = format!("/repo/acme/p2/{}.json", name.replace(' ', "%20"));
        let answer = world.get(&world.reader, &path).await;
        assert_eq!(answer.status, 404, "{name}");
        assert_eq!(answer.text(), "{}", "{name}: a warning would be shown for every package of other repositories");
        assert_eq!(answer.header("content-type").as_deref(), Some("application/json"));
    }
    let hidden = world.get(&world.empty, "/repo/acme/p2/fork/thing.json").await.lasting();
    let absent = world.get(&world.empty, "/repo/acme/p2/fork/other.json").await.lasting();
    assert_eq!(hidden, absent, "a fork's vendor is not owned");
    assert_eq!(hidden.status, 404);
}

#[tokio::test]
async fn packages_json_lists_what_the_token_sees() {
    let world = world().await;
    let ask =
        |token: &str| world.with(token, "GET", "/repo/acme/packages.json").header("Accept-Encoding", "gzip").send();
    let all = ask(&world.reader).await;
    assert_eq!(all.header("content-encoding").as_deref(), Some("gzip"));
    let root = all.json();
    assert_eq!(root["available-packages"], json!(["acme/lib", "acme/secret-lib", "fork/thing"]));
    assert_eq!(root["available-package-patterns"], json!(["acme/*"]));
    assert_eq!(root["metadata-url"], "https://packages.example.com/repo/acme/p2/%package%.json");
    assert!(root.get("security-advisories").is_none());
    let some = ask(&world.restricted).await;
    assert_eq!(some.json()["available-packages"], json!(["acme/lib", "fork/thing"]));
    assert_ne!(some.header("last-modified"), all.header("last-modified"), "two contents never share a date");
    assert_eq!(ask(&world.reader).await.header("last-modified"), all.header("last-modified"));
    assert_eq!(
        ask(&world.admin).await.header("last-modified"),
        all.header("last-modified"),
        "the same content has one date"
    );
}

#[tokio::test]
async fn a_former_name_stays_installable_and_a_new_one_is_never_missing() {
    let world = world().await;
    let (org, lib) = (world.acme, world.lib);
    world
        .write(move |tx| {
            listings::make_current(org, tx, lib, "renamed/lib")?;
            tx.changed(Change::Package(org, lib));
            Ok(())
        })
        .await;
    assert_eq!(world.get(&world.reader, LIB).await.text(), content("acme/lib", false));
    let archive = world.get(&world.reader, &format!("/repo/acme/dists/acme/lib/{STORED}.zip")).await;
    assert_eq!(archive.body, world.archive);
    let renamed = world.get(&world.reader, &format!("/repo/acme/dists/renamed/lib/{STORED}.zip")).await;
    assert_eq!(renamed.body, world.archive);
    // Nothing is rendered for it yet: a 404 would send clients to a public repository.
    for file in ["renamed/lib.json", "renamed/lib~dev.json"] {
        let empty = world.get(&world.reader, &format!("/repo/acme/p2/{file}")).await;
        assert_eq!(empty.json(), json!({ "minified": "composer/2.0", "packages": { "renamed/lib": [] } }));
    }
    let root = world.get(&world.reader, "/repo/acme/packages.json").await.json();
    assert_eq!(root["available-packages"], json!(["acme/lib", "acme/secret-lib", "fork/thing", "renamed/lib"]));
}
