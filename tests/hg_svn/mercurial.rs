//! Mercurial from the repository to Composer's `vendor`.

use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};

use super::project::{Auth, Project};
use super::servers::{Mercurial, write};
use super::{archive, composers, insecure, served, token};

fn manifest(description: &str) -> String {
    json!({
        "name": "acme/hglib", "description": description, "license": "MIT",
        "autoload": {"classmap": ["src"]}, "archive": {"exclude": ["/tests"]},
    })
    .to_string()
}

/// A repository with most of what there is.
fn repository(folder: &std::path::Path) -> Mercurial {
    let hg = Mercurial::init(folder);
    write(&hg.0, &[("run.sh", "#!/bin/sh\n"), ("src/a.php", "<?php // a"), ("tests/x.php", "<?php")]);
    Command::new("chmod").arg("+x").arg(hg.0.join("run.sh")).status().unwrap();
    symlink("src/a.php", hg.0.join("inside")).unwrap();
    symlink("/etc/passwd", hg.0.join("outside")).unwrap();
    hg.commit(&[("composer.json", &manifest("one")), ("README.md", "# Read me")], "1600000000 -7200");
    hg.hg(&["tag", "v1.0.0", "--date", "1600000100 0"]);
    hg.hg(&["tag", "my tag 2.0"]);
    hg.hg(&["tag", "--local", "9.9.9"]);
    hg.commit(&[("composer.json", &manifest("two"))], "1600000200 16200");
    // Two tags of one version: the newer changeset's comes first.
    hg.hg(&["tag", "v1.1.0", "--rev", "0"]);
    hg.hg(&["tag", "1.1.0", "--rev", "3"]);
    hg.hg(&["branch", "--quiet", "2.x"]);
    hg.commit(&[("composer.json", &manifest("branch"))], "1600000300 0");
    hg.hg(&["branch", "--quiet", "old"]);
    hg.commit(&[("x", "x")], "1600000400 0");
    hg.hg(&["commit", "--close-branch", "--message", "Close"]);
    hg.hg(&["update", "--quiet", "default"]);
    hg.hg(&["bookmark", "feat/x"]);
    hg.hg(&["bookmark", "--force", "2.x", "--rev", "0"]);
    hg.commit(&[("composer.json", "{broken")], "1600000500 0");
    hg.hg(&["branch", "--quiet", "odd"]);
    hg.commit(&[("composer.json", &manifest("tip"))], "1600000600 0");
    hg
}

#[test]
fn mercurial_is_served_as_composer_sees_it() {
    let folder = tempfile::tempdir().unwrap();
    let hg = repository(&folder.path().join("hg"));
    let server = hg.serve();
    let url = format!("http://127.0.0.1:{}/hg", server.port);
    let installation = insecure(None);
    let name = installation.command(&format!("package add {url} --vcs hg --wait")).done();
    assert_eq!(name, "acme/hglib");
    let token = token(&installation);

    let ours = served(&installation, &token, "acme/hglib");
    let theirs = composers(&json!({"url": url, "type": "hg"}));
    let versions = |all: &std::collections::BTreeMap<String, _>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(versions(&ours), versions(&theirs));
    assert!(ours.len() >= 5, "{:?}", versions(&ours));
    for (version, mut expected) in theirs {
        let own = ours[&version].clone();
        // Composer shortens the ids of changesets.
        let (short, whole) = (&expected["source"]["reference"], own["source"]["reference"].as_str().unwrap());
        assert!(whole.len() == 40 && whole.starts_with(short.as_str().unwrap()), "{version}: {short} {whole}");
        expected["source"]["reference"] = json!(whole);
        assert_eq!(Value::Object(own), Value::Object(expected), "{version}");
    }
    assert_eq!(ours["1.0.0.0"]["time"], "2020-09-13T14:26:40+02:00", "the author's time zone stays");
    assert_eq!(ours["1.1.0.0"]["version"], "1.1.0");
    let shown: Value = serde_json::from_str(&installation.command("package show acme/hglib --json").done()).unwrap();
    assert_eq!(shown["vcs"], "hg");
    let skipped: Vec<&str> =
        shown["skipped"].as_array().unwrap().iter().filter_map(|one| one["ref"].as_str()).collect();
    assert!(skipped.contains(&"refs/tags/my tag 2.0") && skipped.contains(&"refs/tags/v1.1.0"), "{skipped:?}");

    let first = hg.node("0");
    let files = archive(&installation, &token, "acme/hglib", &first);
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(names, ["README.md 644", "composer.json 644", "inside 644", "run.sh 755", "src/a.php 644"]);
    assert_eq!(files["inside 644"], "<?php // a");

    let project = Project::new(&installation.authority, &[installation.repository("acme")], &Auth::Basic(&token));
    project.require(&[("acme/hglib", "1.0.0")]);
    project.composer("update --prefer-dist").done();
    let from_dist = project.installed("acme/hglib");
    assert!(from_dist.keys().any(|path| path.ends_with("src/a.php")), "{:?}", from_dist.keys());
    project.forget();
    project.composer("install --prefer-source").done();
    assert!(project.path("vendor/acme/hglib/.hg").is_dir());

    // Nothing new, and then: a tag moves, a bookmark and a tag go, a branch is closed.
    installation.command("package update acme/hglib --wait").done();
    assert_eq!(served(&installation, &token, "acme/hglib"), ours);
    hg.hg(&["update", "--quiet", "--clean", "default"]);
    hg.hg(&["tag", "--remove", "v1.0.0"]);
    hg.hg(&["bookmark", "--delete", "feat/x", "2.x"]);
    hg.hg(&["update", "--quiet", "2.x", "--clean"]);
    hg.hg(&["commit", "--close-branch", "--message", "Close"]);
    installation.command("package update acme/hglib --wait").done();
    let after = served(&installation, &token, "acme/hglib");
    for gone in ["1.0.0.0", "dev-feat/x", "2.9999999.9999999.9999999-dev"] {
        assert!(ours.contains_key(gone) && !after.contains_key(gone), "{gone}");
    }
    assert_eq!(archive(&installation, &token, "acme/hglib", &first), files, "what was locked stays installable");
    installation.command(&format!("package forget acme/hglib {first}")).done();
    let (status, _) = installation
        .get(&format!("/repo/acme/dists/acme/hglib/{first}.zip"), &format!("Authorization: Bearer {token}\r\n"));
    assert_eq!(status, 410);
}

#[test]
fn sub_repositories_are_never_fetched_and_odd_manifests_have_reasons() {
    let folder = tempfile::tempdir().unwrap();
    let inner = Mercurial::init(&folder.path().join("inner"));
    inner.commit(&[("secret", "secret")], "1600000000 0");
    let hg = Mercurial::init(&folder.path().join("hg"));
    hg.hg(&["clone", "--quiet", inner.0.to_str().unwrap(), "inner"]);
    hg.commit(
        &[("composer.json", &manifest("with another")), (".hgsub", &format!("inner = {}\n", inner.0.display()))],
        "1600000100 0",
    );
    hg.hg(&["tag", "1.0.0"]);
    let large = format!("{{\"name\": \"acme/hglib\", \"extra\": {{\"x\": \"{}\"}}}}", "y".repeat(1 << 20));
    hg.commit(&[("composer.json", &large)], "1600000200 0");
    hg.hg(&["bookmark", "large"]);
    let server = hg.serve();
    let installation = insecure(None);
    let url = format!("http://127.0.0.1:{}/hg", server.port);
    installation.command(&format!("package add {url} --vcs hg --wait")).done();
    let token = token(&installation);
    let files = archive(&installation, &token, "acme/hglib", &hg.node("0"));
    assert!(!files.keys().any(|name| name.contains("inner/") || name.contains("secret")), "{files:?}");
    let shown = installation.command("package show acme/hglib").done();
    assert!(shown.contains("bytes; at most"), "{shown}");
}
