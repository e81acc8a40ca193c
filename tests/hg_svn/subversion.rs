//! Subversion from the repository to Composer's `vendor`.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use super::installation::PATIENCE;
use super::project::{Auth, Project};
use super::servers::{Subversion, write};
use super::{archive, composers, insecure, served, token};
use packagist_selfhosted::composer::reference::key;

fn manifest(name: &str, description: &str) -> String {
    json!({"name": name, "description": description, "license": "MIT", "archive": {"exclude": ["/tests"]}}).to_string()
}

/// A repository with most of what there is.
fn repository(root: &std::path::Path) -> Subversion {
    let svn = Subversion::create(root);
    svn.svn(&["mkdir", "^/other", "^/other/secret"]);
    svn.change("/trunk", |copy, run| {
        let json = manifest("acme/svnlib", "one");
        let files = [("composer.json", json.as_str()), ("src/a.php", "<?php // a"), ("tests/x.php", "<?php")];
        write(copy, &files);
        write(
            copy,
            &[
                ("run.sh", "#!/bin/sh\n"),
                ("README.md", "# Read me"),
                ("pkg/composer.json", &manifest("acme/inner", "i")),
            ],
        );
        symlink("src/a.php", copy.join("inside")).unwrap();
        symlink("/etc/passwd", copy.join("outside")).unwrap();
        run(&["add", "--force", "."]);
        run(&["propset", "svn:executable", "*", "run.sh"]);
        run(&["propset", "svn:externals", "^/other out", "."]);
    });
    svn.svn(&["copy", "^/trunk", "^/tags/1.0.0"]);
    svn.svn(&["copy", "^/trunk", "^/tags/my 2.0.0"]);
    svn.svn(&["copy", "^/trunk", "^/branches/2.x"]);
    svn.svn(&["copy", "^/trunk", "^/branches/feat@1@"]);
    svn.change("/trunk", |copy, _| write(copy, &[("composer.json", &manifest("acme/svnlib", "two"))]));
    svn.svn(&["mkdir", "^/tags/3.0.0"]);
    svn
}

fn compare(ours: &super::BTreeMap<String, super::Map<String, Value>>, question: &Value) {
    let theirs = composers(question);
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (version, expected) in theirs {
        assert_eq!(Value::Object(ours[&version].clone()), Value::Object(expected), "{version}");
    }
}

#[test]
fn subversion_is_served_as_composer_sees_it() {
    let folder = tempfile::tempdir().unwrap();
    let svn = repository(&folder.path().join("svn"));
    let server = svn.serve();
    let url = format!("svn://127.0.0.1:{}/lib", server.port);
    let installation = insecure(None);
    let name = installation.command(&format!("package add {url}/trunk --wait")).done();
    assert_eq!(name, "acme/svnlib");
    let token = token(&installation);
    let ours = served(&installation, &token, "acme/svnlib");
    compare(&ours, &json!({"url": format!("{url}/trunk"), "type": "svn"}));
    assert_eq!(ours["dev-trunk"]["source"]["url"], url, "without the trunk");
    assert!(ours.contains_key("1.0.0.0") && ours.contains_key("dev-feat@1") && ours.len() == 4, "{:?}", ours.keys());

    let reference = |versions: &super::BTreeMap<String, super::Map<String, Value>>, version: &str| {
        versions[version]["source"]["reference"].as_str().unwrap().to_owned()
    };
    let first = reference(&ours, "1.0.0.0");
    let files = archive(&installation, &token, "acme/svnlib", &key(&first));
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let wanted =
        ["README.md 644", "composer.json 644", "inside 644", "pkg/composer.json 644", "run.sh 755", "src/a.php 644"];
    assert_eq!(names, wanted, "without the externals");
    let odd = archive(&installation, &token, "acme/svnlib", &key(&reference(&ours, "dev-feat@1")));
    assert_eq!(odd, files);

    let project = Project::new(&installation.authority, &[installation.repository("acme")], &Auth::Basic(&token));
    project.require(&[("acme/svnlib", "1.0.0")]);
    project.composer("update --prefer-dist").done();
    assert!(project.installed("acme/svnlib").keys().any(|path| path.ends_with("src/a.php")));
    project.forget();
    project.composer("install --prefer-source").done();
    assert!(project.path("vendor/acme/svnlib/.svn").is_dir());

    // Nothing new; a new tag, which changes no other reference; a tag that is made again, and one that goes.
    installation.command("package update acme/svnlib --wait").done();
    assert_eq!(served(&installation, &token, "acme/svnlib"), ours);
    svn.svn(&["copy", "^/trunk", "^/tags/1.1.0"]);
    installation.command("package update acme/svnlib --wait").done();
    let more = served(&installation, &token, "acme/svnlib");
    assert_eq!((more.len(), reference(&more, "1.0.0.0")), (5, first.clone()));
    svn.svn(&["delete", "^/tags/1.0.0"]);
    svn.svn(&["delete", "^/tags/1.1.0"]);
    svn.svn(&["copy", "^/trunk", "^/tags/1.0.0"]);
    installation.command("package update acme/svnlib --wait").done();
    let after = served(&installation, &token, "acme/svnlib");
    assert!(!after.contains_key("1.1.0.0"));
    assert_ne!(reference(&after, "1.0.0.0"), first);
    assert_eq!(after["1.0.0.0"]["description"], "two");
    assert_eq!(archive(&installation, &token, "acme/svnlib", &key(&first)), files, "what was locked stays installable");
    installation.command(&format!("package forget acme/svnlib {first}")).done();
    let path = format!("/repo/acme/dists/acme/svnlib/{}.zip", key(&first));
    assert_eq!(installation.get(&path, &format!("Authorization: Bearer {token}\r\n")).0, 410);
}

#[test]
fn paths_are_configurable_and_two_packages_share_a_repository() {
    let folder = tempfile::tempdir().unwrap();
    let svn = repository(&folder.path().join("svn"));
    // What moves with its parent keeps its own revision, at which it is not there.
    svn.svn(&["move", "^/tags", "^/releases"]);
    let server = svn.serve();
    let url = format!("svn://127.0.0.1:{}/lib", server.port);
    let installation = insecure(None);
    let add = |more: &str| installation.command(&format!("package add {url} {more} --wait"));
    add("--branches-path false --tags-path releases").done();
    assert_eq!(add("--package-path pkg --tags-path false").done(), "acme/inner");
    let again = add("--package-path pkg --tags-path false").failed();
    assert!(again.contains("has this repository already"), "{again}");
    let wrong = add("--package-path ../x").failed();
    assert!(wrong.contains("is no path in a repository"), "{wrong}");
    let git = installation.command(&format!("package add {url} --vcs git")).failed();
    assert!(git.contains("Git repositories are reached by"), "{git}");
    let token = token(&installation);

    let inner = served(&installation, &token, "acme/inner");
    compare(&inner, &json!({"url": url, "type": "svn", "options": {"package-path": "pkg", "tags-path": false}}));
    let reference = inner["dev-trunk"]["source"]["reference"].as_str().unwrap();
    assert!(reference.starts_with("/trunk/pkg/@"), "{reference}");
    let files = archive(&installation, &token, "acme/inner", &key(reference));
    assert_eq!(files.keys().collect::<Vec<_>>(), ["composer.json 644"]);

    let moved = served(&installation, &token, "acme/svnlib");
    assert_eq!(moved.keys().collect::<Vec<_>>(), ["1.0.0.0", "dev-trunk"]);
    let reference = moved["1.0.0.0"]["source"]["reference"].as_str().unwrap();
    let (path, revision) = reference.rsplit_once("/@").unwrap();
    let shown = Command::new("svn").args(["info", "--", &format!("{url}{path}@{revision}")]).output().unwrap();
    assert!(shown.status.success(), "{reference}: {shown:?}");
    assert!(!archive(&installation, &token, "acme/svnlib", &key(reference)).is_empty());
}

#[test]
fn one_webhook_is_enough_for_two_packages_of_a_repository() {
    let folder = tempfile::tempdir().unwrap();
    let svn = repository(&folder.path().join("svn"));
    let server = svn.serve();
    let url = format!("svn://127.0.0.1:{}/lib", server.port);
    let installation = insecure(None);
    installation.command(&format!("package add {url} --wait")).done();
    installation.command(&format!("package add {url} --package-path pkg --wait")).done();
    let token = token(&installation);
    let before = ["acme/svnlib", "acme/inner"].map(|name| served(&installation, &token, name));
    svn.change("/trunk", |copy, _| write(copy, &[("src/a.php", "<?php // another")]));
    svn.svn(&["copy", "^/trunk", "^/tags/4.0.0"]);
    let hook = installation.command("package hook acme/inner").done();
    let path = hook.split_once("/hooks/").expect("it is an address of ours").1;
    assert_eq!(installation.request("POST", &format!("/hooks/{path}"), "").0, 202);
    let deadline = Instant::now() + PATIENCE;
    let after = loop {
        let after = ["acme/svnlib", "acme/inner"].map(|name| served(&installation, &token, name));
        if after.iter().all(|versions| versions.contains_key("4.0.0.0")) {
            break after;
        }
        assert!(Instant::now() < deadline, "{}", installation.log());
        std::thread::yield_now();
    };
    assert_ne!(after[0]["dev-trunk"], before[0]["dev-trunk"]);
    // The tags have the references that they had; the trunk's is its last revision as a whole, as with Composer.
    assert_eq!(after[1]["1.0.0.0"], before[1]["1.0.0.0"]);
}
