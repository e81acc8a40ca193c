//! What is served is what Composer's own `PackageRepository` and `ArtifactRepository` load.

use std::fs;

use packagist_selfhosted::publish::definition;
use serde_json::{Map, Value, json};

use super::{Answer, World, borrowed, bzipped, gzipped, lib, php, tar, zip};

/// Equality as PHP sees JSON: `{}` is `[]`, and the order of keys is nothing.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Array(b)) | (Value::Array(b), Value::Object(a)) => a.is_empty() && b.is_empty(),
        _ => a == b,
    }
}

/// A version without its archive, which we serve from elsewhere than it came from; and without the address to which Composer
/// would tell installs, because it tells them to us.
fn without_dist(version: &Map<String, Value>) -> Value {
    let mut version = version.clone();
    version.remove("dist");
    version.remove("notification-url");
    Value::Object(version)
}

/// Everything that `ArrayLoader` reads, in the forms that people write.
fn definitions(url: &str) -> Value {
    let dist = json!({"type": "zip", "url": url});
    json!([
        {"name": "acme/lib", "version": "1.0", "dist": dist, "type": "Drupal-Module", "description": "A lib",
            "keywords": ["b", "a", "1"], "homepage": "https://example.com", "license": "MIT", "time": "2024-02-03 04:05:06",
            "authors": [{"name": "Ada", "email": "ada@example.com", "homepage": "https://ada.example", "role": "dev"}],
            "support": {"issues": "https://example.com/issues", "email": "help@example.com"},
            "funding": [{"type": "other", "url": "https://example.com/fund"}],
            "autoload": {"psr-4": {"Acme\\": ["src", "lib"]}, "classmap": ["x"], "files": ["f.php"]},
            "autoload-dev": {"psr-4": {"T\\": "tests"}}, "include-path": ["inc"], "bin": "bin/tool",
            "extra": {"branch-alias": {"dev-main": "2.x-dev"}, "deep": {"a": [1, 2.5, null, true, {}]}},
            "require": {"php": ">=8.1", "acme/other": "self.version", "ext-json": "*"}, "require-dev": {"a/b": "^1 || ~2.3"},
            "conflict": {"a/c": "<1"}, "replace": {"a/d": "self.version"}, "provide": {"psr/log-implementation": "1.0"},
            "suggest": {"a/e": "for more"}, "scripts": {"test": "phpunit", "all": ["a", "b"]}},
        {"name": "acme/lib", "version": "v2.0.0-RC1", "dist": dist, "license": ["MIT", "GPL-2.0-only"], "abandoned": "acme/new",
            "bin": ["bin/a", "bin/b"], "time": "2024-02-03T04:05:06+02:00", "minimum-stability": "dev",
            "archive": {"exclude": ["/tests"]}, "notification-url": "https://example.com/notify"},
        {"name": "acme/lib", "version": "2.0.0-beta.2", "dist": dist, "abandoned": true, "target-dir": "t", "autoload": {"psr-0": {"": "src"}}},
        {"name": "acme/lib", "version": "dev-main", "default-branch": true, "extra": {"branch-alias": {"dev-main": "3.x-dev"}},
            "dist": dist, "source": {"type": "git", "url": "https://git.example.com/lib", "reference": "0123456789abcdef"}},
        {"name": "acme/lib", "version": "1.x-dev", "source": {"type": "hg", "url": "https://hg.example.com/lib", "reference": "tip"}},
        {"name": "acme/lib", "version": "3.0.0.0", "type": "metapackage", "dist": null, "time": "", "keywords": [], "extra": []},
    ])
}

#[test]
fn json_is_read_as_package_repository_reads_it() {
    let world = World::new();
    world.server.put("lib.zip", Answer::File(zip(&borrowed(&lib("1.0.0")))));
    let all = definitions(&world.server.url("lib.zip"));
    world.custom(&all, "").done();
    let served = world.served(&world.token(""), "acme/lib");
    let truth = php::answers("made_packages.php", &[json!({"package": all})]).remove(0);
    let truth = truth["versions"].as_array().unwrap_or_else(|| panic!("{truth}"));
    assert_eq!(truth.len(), 6);
    for want in truth {
        let want = want.as_object().unwrap();
        let version = want["version"].as_str().unwrap();
        let have = served.get(version).unwrap_or_else(|| panic!("{version} is not served"));
        let (want, have) = (without_dist(want), without_dist(have));
        assert!(same(&want, &have), "{version}: we serve\n{have:#}\nand Composer has\n{want:#}");
    }
}

/// Whatever Composer refuses, we refuse; `plain` JSON has nothing of ours.
#[test]
fn what_package_repository_refuses_is_refused() {
    let dist = json!({"type": "zip", "url": "https://example.com/a.zip"});
    let with = |more: Value| {
        let mut version = json!({"name": "acme/lib", "version": "1.0", "dist": dist});
        version.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        version
    };
    let questions: Vec<Value> = [
        json!({"version": "1.0", "dist": dist}),
        json!({"name": "acme/lib", "dist": dist}),
        with(json!({"name": "lib"})),
        with(json!({"version": "one"})),
        with(json!({"version": 1})),
        with(json!({"require": {"a/b": "%%"}})),
        with(json!({"require": ["a/b"]})),
        with(json!({"require": "a/b"})),
        with(json!({"dist": {"url": "https://example.com"}})),
        with(json!({"dist": {"type": "zip"}})),
        with(json!({"source": {"type": "git", "url": "https://example.com"}})),
        with(json!({"autoload": "src"})),
        with(json!({"extra": "x"})),
        with(json!({"type": 5})),
        with(json!({"type": "not a type"})),
        with(json!({"suggest": "x"})),
        with(json!({"replace": [1]})),
        with(json!({"require": {"not a name": "1.0"}})),
        with(json!({"require": {"a/b": 1}})),
        with(json!({"license": 5})),
        with(json!({"authors": "ada"})),
        with(json!({"keywords": {"a": {}}})),
        with(json!({"autoload": {"psr-4": {"A": "src"}}})),
        with(json!({"autoload": {"psr-5": {"A": "src"}}})),
        with(json!({"time": "no time"})),
        with(json!({"homepage": 1})),
        with(json!({"support": "x"})),
        with(json!({"funding": "x"})),
        with(json!({"include-path": "x"})),
        with(json!({"extra": {"branch-alias": {"dev-main": "x"}}})),
        with(json!({"extra": {"branch-alias": "x"}})),
        with(json!({"php-ext": []})),
        with(json!({"minimum-stability": "odd"})),
        with(json!({"source": "x"})),
        with(json!({"dist": "x"})),
        with(json!({"bin": {"a": {}}})),
    ]
    .to_vec();
    let asked: Vec<Value> = questions.iter().map(|package| json!({"package": package})).collect();
    let answers = php::answers("made_packages.php", &asked);
    let refused: Vec<_> = questions.iter().zip(&answers).filter(|(_, answer)| answer.get("error").is_some()).collect();
    assert!(refused.len() > 6, "Composer refuses {} only: nothing was tested", refused.len());
    let taken = refused.iter().filter(|(question, _)| definition::parse(&question.to_string(), false).is_ok());
    let taken: Vec<String> = taken.map(|(question, answer)| format!("{question}: {}", answer["error"])).collect();
    assert!(taken.is_empty(), "{taken:#?}");
}

#[test]
fn archives_are_read_as_artifact_repository_reads_them() {
    let world = World::new();
    let folder = world.installation.folder.path().join("artifacts");
    fs::create_dir(&folder).unwrap();
    let rich = json!({"name": "acme/rich", "version": "v1.2", "description": "x", "license": ["MIT"], "bin": "bin/tool",
        "require": {"php": ">=8"}, "autoload": {"psr-4": {"A\\": "src"}}, "time": "2020-01-02", "keywords": ["k"]});
    let rich = [("top/composer.json", rich.to_string()), ("top/src/a.php", "<?php".to_owned())];
    for (name, bytes) in [
        ("a.zip", zip(&borrowed(&lib("1.0.0")))),
        ("b.tar", tar(&borrowed(&lib("1.1.0")))),
        ("c.tar.gz", gzipped(&tar(&borrowed(&lib("1.2.0"))))),
        ("d.zip", zip(&borrowed(&rich))),
        (
            "e.tgz",
            gzipped(&tar(&borrowed(&[("composer.json", r#"{"name": "acme/lib", "version": "dev-x"}"#.to_owned())]))),
        ),
    ] {
        fs::write(folder.join(name), bytes).unwrap();
        world.command(&format!("package add-artifact artifacts/{name} --wait")).done();
    }
    let truth = php::answers("made_packages.php", &[json!({"artifacts": folder})]).remove(0);
    let truth = truth["versions"].as_array().unwrap_or_else(|| panic!("{truth}")).clone();
    assert_eq!(truth.len(), 5);
    let token = world.token("");
    for want in truth {
        let want = want.as_object().unwrap();
        let (name, version) = (want["name"].as_str().unwrap(), want["version"].as_str().unwrap());
        let have = world.served(&token, name)[version].clone();
        if want["dist"]["type"] == "zip" {
            assert_eq!(want["dist"]["shasum"], have["dist"]["shasum"], "{version}");
        }
        let (want, have) = (without_dist(want), without_dist(&have));
        assert!(same(&want, &have), "{name} {version}: we serve\n{have:#}\nand Composer has\n{want:#}");
    }
    // What that repository does not take.
    world.upload("f.tar.bz2", &bzipped(&tar(&borrowed(&lib("1.3.0")))), "").done();
}
