//! Packages that JSON defines.

use serde_json::{Value, json};

use super::{Answer, World, borrowed, gzipped, installed, lib, sha1, tar, zip};

/// A version of `acme/lib` whose archive is at `path`.
fn version(world: &World, version: &str, path: &str, kind: &str) -> Value {
    json!({"name": "acme/lib", "version": version, "dist": {"type": kind, "url": world.server.url(path)}})
}

fn offer(world: &World, path: &str, content: Vec<u8>) -> String {
    let sum = sha1(&content);
    world.server.put(path, Answer::File(content));
    sum
}

#[test]
fn its_archives_are_fetched_once_and_kept_for_ever() {
    let world = World::new();
    let first = offer(&world, "1.zip", zip(&borrowed(&lib("1.0.0"))));
    offer(&world, "2.tgz", gzipped(&tar(&borrowed(&lib("1.1.0")))));
    let mut all = vec![version(&world, "1.0.0", "1.zip", "zip")];
    all[0]["dist"]["shasum"] = json!(first.to_uppercase());
    assert_eq!(world.custom(&json!(all[0]), "").done(), "acme/lib");
    let token = world.token("");
    assert_eq!(world.served(&token, "acme/lib")["1.0.0"]["dist"]["shasum"], first);
    all.push(version(&world, "1.1.0", "2.tgz", "tar"));
    world.change("acme/lib", &json!(all)).done();
    assert_eq!(world.server.take_log().len(), 2, "each once");
    let told: Value = serde_json::from_str(&world.command("package custom acme/lib").done()).unwrap();
    assert_eq!(told, json!(all), "the JSON is what was written");

    let old = world.project(&token, &[("acme/lib", "1.0.0")]);
    let new = world.project(&token, &[("acme/lib", "^1.0")]);
    for (project, version) in [(&old, "1.0.0"), (&new, "1.1.0")] {
        project.composer("update").done();
        assert_eq!(installed(project, "acme/lib", "src/code.php"), format!("<?php // {version}"));
    }
    // Whatever comes after, what was first stays.
    let other = offer(&world, "1.zip", zip(&borrowed(&lib("evil"))));
    world.server.put("2.tgz", Answer::Status(404));
    world.command("package update acme/lib --wait").done();
    world.change("acme/lib", &json!([all[1]])).done();
    for (project, version) in [(&old, "1.0.0"), (&new, "1.1.0")] {
        project.forget();
        project.composer("install").done();
        assert_eq!(installed(project, "acme/lib", "src/code.php"), format!("<?php // {version}"));
    }
    assert_eq!(world.served(&token, "acme/lib").len(), 1);
    assert!(world.server.take_log().is_empty(), "what is here is not asked for");
    // It comes back as it was; and who says that it has to be the new one is told.
    world.change("acme/lib", &json!(all)).done();
    assert_eq!(world.served(&token, "acme/lib")["1.0.0"]["dist"]["shasum"], first);
    all[0]["dist"]["shasum"] = json!(other);
    let told = world.change("acme/lib", &json!(all)).failed();
    assert!(told.contains("that one stays for ever, because lock files name it"), "{told}");
    assert_eq!(world.served(&token, "acme/lib")["1.0.0"]["dist"]["shasum"], first, "and nothing changed");
    assert_eq!(world.show("acme/lib")["status"], "failed");
    all[0]["dist"]["reference"] = json!("second");
    world.change("acme/lib", &json!(all)).done();
    let dist = &world.served(&token, "acme/lib")["1.0.0"]["dist"];
    assert_eq!((&dist["shasum"], &dist["reference"]), (&json!(other), &json!("second")));
    old.composer("update").done();
    assert_eq!(installed(&old, "acme/lib", "src/code.php"), "<?php // evil");
    assert_eq!(world.audit("package.add-custom").len(), 1);
    assert_eq!(world.audit("package.change-custom").len(), 5);
}

#[test]
fn packages_need_no_archive() {
    let world = World::new();
    let all = json!({"type": "package", "package": [
        {"name": "acme/meta", "version": "1.0.0", "type": "metapackage", "require": {"acme/lib": "^1.0"}},
        {"name": "acme/meta", "version": "dev-main", "dist": null, "source": {"type": "git",
            "url": "https://git.example.com/meta.git", "reference": "main"}},
    ]});
    world.custom(&all, "").done();
    offer(&world, "1.zip", zip(&borrowed(&lib("1.0.0"))));
    world.custom(&version(&world, "1.0.0", "1.zip", "zip"), "").done();
    let token = world.token("");
    let project = world.project(&token, &[("acme/meta", "^1.0")]);
    project.composer("update").done();
    assert_eq!(installed(&project, "acme/lib", "src/code.php"), "<?php // 1.0.0");
    let served = world.served(&token, "acme/meta");
    assert!(!served["1.0.0"].contains_key("dist") && !served["1.0.0"].contains_key("source"));
    assert!(!served["dev-main"].contains_key("dist"));
    assert_eq!(served["dev-main"]["source"]["reference"], "main");
    assert_eq!(world.get(&token, "dists/acme/meta/main.zip").0, 404);
}

#[test]
fn a_credential_goes_to_its_host_and_nowhere_else() {
    let world = World::new();
    let other = super::FileServer::start(&world.authority);
    let basic = "Basic Y2k6c2VjcmV0"; // ci:secret
    world.server.put("1.zip", Answer::For(basic, zip(&borrowed(&lib("1.0.0")))));
    let json = version(&world, "1.0.0", "1.zip?key=hidden", "zip");
    let told = world.custom(&json, "").failed();
    assert!(told.contains("/1.zip?… cannot be used") && !told.contains("hidden"), "{told}");
    assert!(told.contains("the server answers 401") && told.contains("$.dist.url"), "{told}");
    assert!(told.contains("The package was added all the same"), "{told}");
    let add = |name: &str, port: u16| {
        let words =
            format!("credential add {name} --type http-basic --host localhost:{port} --username ci --secret-stdin");
        world.installation.command_with(&words, "secret").done();
    };
    add("own", world.server.port);
    add("foreign", other.port);
    // Found by its name, though nothing was ever published.
    world.command("package remove acme/lib").done();
    world.custom(&json, "--credential own").done();
    world.server.take_log();

    // To another port, and behind a redirect to one, the credential does not go.
    other.put("2.zip", Answer::File(zip(&borrowed(&lib("2.0.0")))));
    world.server.put("3.zip", Answer::Redirect(other.url("2.zip")));
    let elsewhere = json!({"name": "acme/lib", "version": "2.0.0", "dist": {"type": "zip", "url": other.url("2.zip")}});
    world.change("acme/lib", &json!([json, elsewhere, version(&world, "3.0.0", "3.zip", "zip")])).done();
    assert_eq!(world.server.take_log(), [("/3.zip".to_owned(), Some(basic.to_owned()))]);
    assert_eq!(other.take_log(), [("/2.zip".to_owned(), None), ("/2.zip".to_owned(), None)]);
    let token = world.token("");
    assert_eq!(world.served(&token, "acme/lib").len(), 3);
    let shown = world.show("acme/lib");
    assert_eq!(shown["credential"], "own");
    let refused = world.command("credential remove own").failed();
    assert!(refused.contains("acme/lib"), "{refused}");
    world.command("credential remove own --replace-with foreign").done();
    assert_eq!(world.show("acme/lib")["credential"], "foreign");
    assert!(!world.installation.log().contains("secret"));
}

#[test]
fn json_that_defines_nothing_is_told_with_its_place() {
    let world = World::new();
    for (text, expected) in [
        ("{\n  \"name\": \"acme/lib\",\n  oops\n}", "line 3 column"),
        ("[]", "the JSON has no version"),
        (r#"{"name": "acme/lib", "version": "1.0"}"#, "$.dist is missing"),
        (r#"[{"name": "acme/lib", "version": "one"}]"#, "$[0].version is no version"),
        (r#"{"name": "lib", "version": "1", "type": "metapackage"}"#, "$.name is no name"),
        (r#"{"name": "acme/lib", "version": "1", "dist": {"type": "zip", "url": "http://x.example/"}}"#, "unencrypted"),
        (r#"{"name": "acme/lib", "version": "1", "dist": {"type": "zip", "url": "/etc/passwd"}}"#, "no address"),
    ] {
        world.file("c.json", text.as_bytes());
        let told = world.command("package add-custom c.json").failed();
        assert!(told.contains(expected), "{told}");
    }
    assert_eq!(world.command("package list --json").done(), "[]");
    assert!(world.command("package add-custom nowhere.json").failed().contains("cannot be read"));
    world.file("c.json", &vec![b' '; 2 << 20]);
    assert!(world.command("package add-custom c.json").failed().contains("at most"));

    world.file("c.json", br#"{"name": "acme/meta", "version": "1", "type": "metapackage"}"#);
    assert_eq!(world.command("package add-custom c.json --wait").done(), "acme/meta");
    let told = world.command("package add-custom c.json").failed();
    assert!(told.contains("the organization has acme/meta already"), "{told}");
    let renamed = json!({"name": "acme/other", "version": "1", "type": "metapackage"});
    let told = world.change("acme/meta", &renamed).failed();
    assert!(told.contains("a custom package keeps its name"), "{told}");
    let told =
        world.upload("a.zip", &zip(&[("composer.json", r#"{"name": "acme/meta", "version": "2"}"#)]), "").failed();
    assert!(told.contains("the organization has acme/meta already"), "{told}");
    let told = world.command("package artifacts acme/meta").failed();
    assert!(told.contains("acme/meta has no uploaded archives"), "{told}");
}
