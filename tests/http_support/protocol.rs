//! The smaller files of the protocol: list, search, what was installed, what changed.

use std::time::Duration;

use packagist_selfhosted::store::{changes, installs};
use serde_json::{Value, json};

use crate::world::{START, world};

#[tokio::test]
async fn list_filters() {
    let world = world().await;
    for (query, names) in [
        ("", json!(["acme/lib", "acme/secret-lib", "fork/thing"])),
        ("?vendor=acme&filter=acme%2Fl*", json!(["acme/lib"])),
        ("?vendor=fork", json!(["fork/thing"])),
        ("?filter=ACME/*", json!(["acme/lib", "acme/secret-lib"])),
        ("?filter=*lib", json!(["acme/lib", "acme/secret-lib"])),
        ("?type=metapackage", json!(["fork/thing"])),
        ("?filter=none/*", json!([])),
    ] {
        let answer = world.get(&world.reader, &format!("/repo/acme/list.json{query}")).await;
        assert_eq!(answer.json(), json!({ "packageNames": names }), "{query}");
        assert_eq!(answer.header("content-type").as_deref(), Some("application/json"));
    }
    let some = world.get(&world.restricted, "/repo/acme/list.json").await.json();
    assert_eq!(some["packageNames"], json!(["acme/lib", "fork/thing"]));
}

#[tokio::test]
async fn search_finds_names_and_descriptions() {
    let world = world().await;
    let names = |answer: Value| -> Vec<String> {
        let results = answer["results"].as_array().expect("a list").clone();
        results.iter().map(|result| result["name"].as_str().expect("a name").to_owned()).collect()
    };
    for (query, expected) in [
        ("q=lib", vec!["acme/lib", "acme/secret-lib"]),
        ("q=LIB+secret&type=", vec!["acme/secret-lib"]),
        ("q=what+is+for", vec!["acme/lib", "acme/secret-lib", "fork/thing"]),
        ("q=thing&type=metapackage", vec!["fork/thing"]),
        ("q=thing&type=library", vec![]),
        ("q=", vec!["acme/lib", "acme/secret-lib", "fork/thing"]),
        ("q=&per_page=1&page=2", vec!["acme/secret-lib"]),
        ("q=nothing-like-it", vec![]),
    ] {
        let answer = world.get(&world.reader, &format!("/repo/acme/search.json?{query}")).await;
        assert_eq!(names(answer.json()), expected, "{query}");
    }
    let fork = world.get(&world.reader, "/repo/acme/search.json?q=thing").await.json();
    assert_eq!(
        fork,
        json!({ "results": [{ "name": "fork/thing", "description": "What fork/thing is for", "type": "metapackage", "abandoned": "acme/lib" }], "total": 1 })
    );
    assert!(names(world.get(&world.restricted, "/repo/acme/search.json?q=secret").await.json()).is_empty());
}

#[tokio::test]
async fn installations_are_counted_once_a_request() {
    let world = world().await;
    let send = |token: &str, body: &str| {
        world
            .with(token, "POST", "/repo/acme/downloads")
            .header("Content-Type", "application/json")
            .body(body.as_bytes())
            .send()
    };
    let lib = r#"{"name":"Acme/Lib","version":"1.0.0.0"}"#;
    let whole = send(
        &world.reader,
        &format!(r#"{{"downloads":[{lib},{lib},{{"name":"fork/thing","version":"dev-main","downloaded":false}}]}}"#),
    )
    .await;
    assert_eq!((whole.status, whole.json()), (201, json!({ "status": "success" })));
    let secret = r#"{"name":"acme/secret-lib","version":"1.0.0.0"}"#;
    let claimed = r#"{"name":"acme/lib","version":"9.9.9.9"}"#;
    let partial = send(&world.restricted, &format!(r#"{{"downloads":[{lib},{claimed},{secret},5,{{}}]}}"#)).await;
    assert_eq!((partial.status, partial.json()["status"].clone()), (200, json!("partial")));
    for wrong in ["", "[]", "{", r#"{"downloads":5}"#, &"[".repeat(100_000), &" ".repeat(3 << 20)] {
        let answer = send(&world.reader, wrong).await;
        assert_eq!((answer.status, answer.json()["status"].clone()), (200, json!("error")));
    }
    let (acme, package, secret, appliance) = (world.acme, world.lib, world.secret, world.appliance.clone());
    world.server.stop().await;
    let totals = appliance.database.read(move |db| {
        Ok::<_, packagist_selfhosted::store::Error>((
            installs::total(acme, db, package)?,
            installs::total(acme, db, secret)?,
        ))
    });
    assert_eq!(totals.await.expect("the store answers"), (2, 0), "neither hidden packages nor versions that are none");
}

#[tokio::test]
async fn more_than_five_thousand_entries_are_cut() {
    let world = world().await;
    let entries = vec![r#"{"name":"acme/lib","version":"1.0.0.0"}"#; 5001].join(",");
    let answer = world
        .with(&world.reader, "POST", "/repo/acme/downloads")
        .body(format!(r#"{{"downloads":[{entries}]}}"#).as_bytes());
    assert_eq!(answer.send().await.json()["status"], "partial");
}

fn units(seconds: i64) -> i64 {
    (START.as_seconds() + seconds) * 10_000
}

#[tokio::test]
async fn changes_are_told_from_an_instant_on() {
    let world = world().await;
    world.clock.advance(Duration::from_secs(10));
    let ask = |token: &str, query: String| {
        world.with(token, "GET", &format!("/repo/acme/metadata/changes.json{query}")).send()
    };

    // Six files were published at one instant, and each has a unit of its own.
    let end = units(0) + 6;
    for query in ["", "?since=", "?since=1795348800", "?since=x"] {
        let first = ask(&world.reader, query.to_owned()).await;
        assert_eq!((first.status, first.json()["timestamp"].clone()), (400, json!(end)), "{query}");
        assert!(first.json()["error"].is_string());
    }
    let all = ask(&world.reader, format!("?since={}", units(0))).await.json();
    let files: Vec<_> =
        all["actions"].as_array().expect("a list").iter().map(|action| action["package"].clone()).collect();
    assert_eq!(
        files,
        ["acme/lib", "acme/lib~dev", "acme/secret-lib", "acme/secret-lib~dev", "fork/thing", "fork/thing~dev"]
    );
    assert_eq!(all["actions"][0], json!({ "type": "update", "package": "acme/lib", "time": START.as_seconds() }));
    assert_eq!(all["timestamp"], end);
    let some = ask(&world.restricted, format!("?since={}", units(0))).await.json();
    assert_eq!(some["actions"].as_array().map(Vec::len), Some(4), "only what the token sees: {some}");
    let none = ask(&world.reader, format!("?since={end}")).await.json();
    assert_eq!(none, json!({ "actions": [], "timestamp": end }));

    // What is stored later is told later, also if its transaction was begun by a clock that has stepped back.
    let (org, lib) = (world.acme, world.lib);
    let at = START - Duration::from_secs(3600);
    world.write(move |tx| changes::record(org, tx, lib, "acme/lib", "delete", at)).await;
    let after = ask(&world.reader, format!("?since={end}")).await.json();
    assert_eq!(
        after["actions"],
        json!([{ "type": "delete", "package": "acme/lib", "time": START.as_seconds() - 3600 }])
    );
    assert_eq!(after["timestamp"], end + 1);
    let last = ask(&world.reader, format!("?since={}", end + 1)).await.json();
    assert_eq!(last, json!({ "actions": [], "timestamp": end + 1 }));
    world.clock.advance(Duration::from_secs(40 * 24 * 60 * 60));
    let idle = ask(&world.reader, format!("?since={}", end + 1)).await.json();
    assert_eq!(idle["actions"], json!([]), "where nothing happened for long, nothing was missed");
    let beyond = ask(&world.reader, format!("?since={}", units(50 * 24 * 60 * 60))).await.json();
    assert_eq!(beyond["actions"][0]["type"], "resync", "an instant that was never ours");
}

#[tokio::test]
async fn what_is_too_long_ago_is_loaded_anew() {
    let world = world().await;
    world.clock.advance(Duration::from_secs(24 * 60 * 60 + 1));
    let answer = world.get(&world.reader, &format!("/repo/acme/metadata/changes.json?since={}", units(0))).await.json();
    let time = START.as_seconds() + 24 * 60 * 60 + 1;
    assert_eq!(answer["actions"], json!([{ "type": "resync", "package": "*", "time": time }]));
}
