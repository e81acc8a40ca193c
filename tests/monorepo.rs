//! Repositories with several packages: the real executable, Composer's own classes as the judge of what is served, and the real
//! Composer as the client.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "support/installation.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod installation;
#[path = "metadata_differential/php.rs"]
mod php;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod project;
#[path = "support/work_tree.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod work_tree;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use installation::Installation;
use packagist_selfhosted::composer::document;
use project::{Auth, Project};
use serde_json::{Map, Value, json};
use work_tree::WorkTree;

type Versions = BTreeMap<String, Map<String, Value>>;

fn acme() -> Installation {
    let installation = Installation::start(None);
    installation.command("org add acme").done();
    installation
}

fn token(installation: &Installation, words: &str) -> String {
    installation.command(format!("token add --access read {words}").trim()).done()
}

fn manifest(name: &str) -> String {
    json!({"name": name, "description": format!("The {name}"), "license": "MIT", "autoload": {"psr-4": {"Acme\\": "src"}},
        "extra": {"branch-alias": {"dev-main": "2.x-dev"}}})
    .to_string()
}

/// A package in a directory: its manifest, and a file with this content.
fn files(directory: &str, name: &str, content: &str) -> Vec<(String, String)> {
    vec![
        (format!("{directory}/composer.json"), manifest(name)),
        (format!("{directory}/src/code.php"), format!("<?php // {content}")),
    ]
}

fn commit(tree: &WorkTree, all: &[Vec<(String, String)>]) -> String {
    let all: Vec<(&str, &str)> = all.iter().flatten().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    tree.commit(&all)
}

/// `packages/a` and `packages/b` at 1.0.0; 1.1.0 changes only a; the main branch changes only b; the branch 1.x is at 1.0.0.
fn repository(installation: &Installation) -> WorkTree {
    let tree = WorkTree::init(&installation.repositories.join("mono"));
    commit(
        &tree,
        &[
            files("packages/a", "acme/a", "a one"),
            files("packages/b", "acme/b", "b one"),
            vec![
                ("packages/a/.gitattributes".to_owned(), "/tests export-ignore\n".to_owned()),
                ("packages/a/tests/x.php".to_owned(), "<?php".to_owned()),
                ("packages/b/tests/x.php".to_owned(), "<?php".to_owned()),
                ("packages/b/README.md".to_owned(), "# This is b".to_owned()),
                (".gitattributes".to_owned(), "*.php text eol=crlf\npackages/b/tests export-ignore\n".to_owned()),
                ("composer.json".to_owned(), r#"{"name": "acme/whole"}"#.to_owned()),
            ],
        ],
    );
    tree.git(&["tag", "v1.0.0"]);
    tree.git(&["branch", "1.x"]);
    commit(&tree, &[files("packages/a", "acme/a", "a two")]);
    tree.git(&["tag", "v1.1.0"]);
    commit(&tree, &[files("packages/b", "acme/b", "b two")]);
    tree
}

fn add(installation: &Installation, tree: &WorkTree, words: &str) -> String {
    installation.command(&format!("package add {} {words} --wait", tree.url())).done()
}

fn update(installation: &Installation, id: &str) {
    installation.command(&format!("package update {id} --wait")).done();
}

/// Body and date of a package's two files, as they are sent.
fn documents(installation: &Installation, token: &str, name: &str) -> [(String, String); 2] {
    [name.to_owned(), format!("{name}~dev")].map(|file| {
        let address = installation.url(&format!("/repo/acme/p2/{file}.json"));
        let answer = reqwest::blocking::Client::new().get(address).bearer_auth(token).send().unwrap();
        assert_eq!(answer.status(), 200, "{file}");
        let date = answer.headers()["Last-Modified"].to_str().unwrap().to_owned();
        (answer.text().unwrap(), date)
    })
}

fn served(installation: &Installation, token: &str, name: &str) -> Versions {
    let all = documents(installation, token, name);
    let versions = all.iter().flat_map(|(body, _)| document::versions_of(body.as_bytes()).unwrap());
    versions.map(|version| (version["version"].as_str().unwrap().to_owned(), version)).collect()
}

fn reference(versions: &Versions, version: &str) -> String {
    versions[version]["dist"]["reference"].as_str().unwrap().to_owned()
}

fn status(installation: &Installation, token: &str, path: &str) -> u16 {
    installation.get(&format!("/repo/acme/{path}"), &format!("Authorization: Bearer {token}\r\n")).0
}

fn archive(installation: &Installation, token: &str, name: &str, reference: &str) -> BTreeMap<String, String> {
    let address = installation.url(&format!("/repo/acme/dists/{name}/{reference}.zip"));
    let answer = reqwest::blocking::Client::new().get(address).bearer_auth(token).send().unwrap();
    assert_eq!(answer.status(), 200, "{}", installation.log());
    let mut zip = zip::ZipArchive::new(Cursor::new(answer.bytes().unwrap())).unwrap();
    let names: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
    let read = names.into_iter().map(|name: String| {
        let mut text = String::new();
        zip.by_name(&name).unwrap().read_to_string(&mut text).unwrap();
        (name, text)
    });
    read.collect()
}

/// What Composer's own `VcsRepository` makes of a repository that has only this directory's history.
fn composers(tree: &WorkTree, directory: &str) -> Versions {
    let home = tempfile::tempdir().unwrap();
    let split = home.path().join("split");
    tree.git(&["clone", "--quiet", "--mirror", &tree.url(), split.to_str().unwrap()]);
    let output = Command::new("git")
        .current_dir(&split)
        .env("FILTER_BRANCH_SQUELCH_WARNING", "1")
        .args(["filter-branch", "--tag-name-filter", "cat", "--subdirectory-filter", directory, "--", "--all"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer = php::answers("manifest_git.php", &[json!({"url": split, "home": home.path()})]).remove(0);
    let versions = answer["versions"].as_array().unwrap().iter();
    versions.map(|one| (one["version"].as_str().unwrap().to_owned(), one.as_object().unwrap().clone())).collect()
}

fn directories(installation: &Installation, id: &str) -> Vec<(String, String, String)> {
    let all = installation.command(&format!("package directories {id} --json")).done();
    let all: Value = serde_json::from_str(&all).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lines = all["directories"].as_array().unwrap().iter();
    lines.map(|line| (text(&line["directory"]), text(&line["name"]), text(&line["status"]))).collect()
}

#[test]
fn each_directory_is_served_as_composer_sees_a_repository_of_its_own() {
    let installation = acme();
    let tree = repository(&installation);
    let id = add(&installation, &tree, "--directories packages/*");
    let token = token(&installation, "");
    for (name, directory) in [("acme/a", "packages/a"), ("acme/b", "packages/b")] {
        let (ours, mut theirs) = (served(&installation, &token, name), composers(&tree, directory));
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{name}");
        assert_eq!(ours.len(), 4);
        for (version, mut ours) in ours {
            let mut theirs = theirs.remove(&version).unwrap();
            assert!(
                theirs.remove("source").is_some() && !ours.contains_key("source"),
                "Composer clones no directories"
            );
            let dist = ours.remove("dist").expect("every version has an archive");
            assert_eq!((dist["type"].as_str(), dist["shasum"].as_str()), (Some("zip"), Some("")));
            assert!(dist["url"].as_str().unwrap().ends_with(&format!("/dists/{name}/%reference%.zip")));
            theirs.remove("dist");
            assert_eq!(Value::Object(ours), Value::Object(theirs), "{name} {version}");
        }
    }
    assert_eq!(
        status(&installation, &token, "p2/acme/whole.json"),
        200,
        "an owned vendor's names are never told apart"
    );
    let whole = installation.get("/repo/acme/p2/acme/whole.json", &format!("Authorization: Bearer {token}\r\n")).1;
    assert!(!whole.contains("version"), "the root is no package unless that is said: {whole}");

    // One content, one reference.
    let (a, b) = (served(&installation, &token, "acme/a"), served(&installation, &token, "acme/b"));
    let commits: Vec<String> =
        ["v1.0.0", "v1.1.0", "main"].iter().map(|name| tree.git(&["rev-parse", name]).trim().to_owned()).collect();
    assert_eq!(reference(&a, "v1.0.0"), reference(&a, "1.x-dev"));
    let (a_two, b_one) = (reference(&a, "v1.1.0"), reference(&b, "v1.0.0"));
    assert!(a_two == reference(&a, "dev-main") && commits[1..].contains(&a_two), "{a_two} of {commits:?}");
    assert!(b_one == reference(&b, "v1.1.0") && commits[..2].contains(&b_one), "{b_one} of {commits:?}");
    assert_eq!(reference(&b, "dev-main"), commits[2]);

    // The directory alone, by its own attributes.
    let files = archive(&installation, &token, "acme/a", &commits[0]);
    assert_eq!(files.keys().collect::<Vec<_>>(), [".gitattributes", "composer.json", "src/code.php"]);
    assert_eq!(files["src/code.php"], "<?php // a one");
    let files = archive(&installation, &token, "acme/b", &commits[2]);
    assert_eq!(files.keys().collect::<Vec<_>>(), ["README.md", "composer.json", "src/code.php", "tests/x.php"]);
    assert_eq!(files["src/code.php"], "<?php // b two");
    // A commit that stands for nothing is built of where the package is.
    assert_eq!(archive(&installation, &token, "acme/a", &commits[2])["src/code.php"], "<?php // a two");
    assert_eq!(status(&installation, &token, &format!("dists/acme/a/{}.zip", "0".repeat(40))), 404);

    let shown = installation.command("package show acme/b --json").done();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((shown["repository"].to_string(), shown["directory"].as_str()), (id, Some("packages/b")));
}

#[test]
fn what_a_push_does_not_touch_is_not_written_again() {
    let installation = acme();
    let tree = repository(&installation);
    let id = add(&installation, &tree, "--directories packages/*");
    let token = token(&installation, "");
    let (a, b) = (documents(&installation, &token, "acme/a"), documents(&installation, &token, "acme/b"));
    commit(&tree, &[files("packages/a", "acme/a", "a three"), vec![("elsewhere".to_owned(), "x".to_owned())]]);
    update(&installation, &id);
    assert_eq!(documents(&installation, &token, "acme/b"), b, "nothing of it changed, date and bytes");
    let after = documents(&installation, &token, "acme/a");
    assert_eq!(after[0], a[0]);
    assert_ne!(after[1].0, a[1].0);
    assert!(reference(&served(&installation, &token, "acme/a"), "dev-main") == tree.git(&["rev-parse", "main"]).trim());

    // A rebase that changes no file of it changes nothing, and what was published stays.
    let old = reference(&served(&installation, &token, "acme/a"), "dev-main");
    tree.git(&["commit", "--quiet", "--amend", "--message", "Another message"]);
    tree.git(&["reflog", "expire", "--expire=now", "--all"]);
    tree.git(&["gc", "--quiet", "--prune=now"]);
    update(&installation, &id);
    assert_eq!(documents(&installation, &token, "acme/a"), after);
    assert_eq!(archive(&installation, &token, "acme/a", &old)["src/code.php"], "<?php // a three");

    // A release of the same content is a release, and so is one that only makes it stable.
    tree.git(&["tag", "v2.0.0-beta1"]);
    update(&installation, &id);
    tree.git(&["tag", "v2.0.0"]);
    update(&installation, &id);
    let b = served(&installation, &token, "acme/b");
    assert_eq!(reference(&b, "v2.0.0"), reference(&b, "v2.0.0-beta1"));
    assert_eq!(reference(&b, "v2.0.0"), reference(&b, "dev-main"));
}

#[test]
fn directories_come_go_move_and_are_told() {
    let installation = acme();
    let tree = repository(&installation);
    let id = add(&installation, &tree, "--directories packages/* --directories !packages/x*");
    let token = token(&installation, "");
    let line = |directory: &str, name: &str, status: &str| (directory.to_owned(), name.to_owned(), status.to_owned());
    assert_eq!(
        directories(&installation, &id),
        [line("packages/a", "acme/a", "ok"), line("packages/b", "acme/b", "ok")]
    );
    let first = reference(&served(&installation, &token, "acme/a"), "v1.0.0");

    // A new one by itself; a directory without a manifest, a bad manifest, a name that is taken, a vendor that is new.
    let text = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    commit(
        &tree,
        &[
            files("packages/c", "acme/c", "c"),
            files("packages/twin", "acme/a", "twin"),
            files("packages/foreign", "other/thing", "foreign"),
            files("packages/xx", "acme/xx", "left out"),
            vec![
                text("packages/bare/x", "x"),
                text("packages/bad/composer.json", "{"),
                text("packages/no/composer.json", "{}"),
            ],
        ],
    );
    symlink("a", PathBuf::from(tree.url()).join("packages/link")).unwrap();
    commit(&tree, &[]);
    update(&installation, &id);
    let wanted = [
        line("packages/a", "acme/a", "ok"),
        line("packages/b", "acme/b", "ok"),
        line("packages/bad", "", "none"),
        line("packages/bare", "", "none"),
        line("packages/c", "acme/c", "ok"),
        line("packages/foreign", "", "held"),
        line("packages/no", "", "none"),
        line("packages/twin", "", "none"),
    ];
    assert_eq!(directories(&installation, &id), wanted);
    assert_eq!(served(&installation, &token, "acme/c").len(), 1);
    installation.command("vendor add other").done();
    update(&installation, &id);
    assert_eq!(served(&installation, &token, "other/thing").len(), 1);

    // It moves: its old versions are where they were, its new ones where it is.
    tree.git(&[
        "rm",
        "-r",
        "--quiet",
        "packages/twin",
        "packages/bare",
        "packages/bad",
        "packages/no",
        "packages/foreign",
    ]);
    tree.git(&["mv", "packages/a", "packages/moved"]);
    commit(&tree, &[files("packages/moved", "acme/a", "a moved")]);
    update(&installation, &id);
    let a = served(&installation, &token, "acme/a");
    assert_eq!(reference(&a, "v1.0.0"), first);
    let moved = reference(&a, "dev-main");
    assert_eq!(archive(&installation, &token, "acme/a", &moved)["src/code.php"], "<?php // a moved");
    assert_eq!(archive(&installation, &token, "acme/a", &first)["src/code.php"], "<?php // a one");

    // It is called otherwise: the old name is abandoned for the new one.
    commit(&tree, &[files("packages/c", "acme/sea", "c")]);
    update(&installation, &id);
    assert_eq!(served(&installation, &token, "acme/c")["dev-main"]["abandoned"], "acme/sea");
    assert_eq!(served(&installation, &token, "acme/sea").len(), 1);

    // It goes from every branch and tag: hidden, and lock files work.
    let thing = reference(&served(&installation, &token, "acme/sea"), "dev-main");
    tree.git(&["rm", "-r", "--quiet", "packages/c"]);
    commit(&tree, &[]);
    update(&installation, &id);
    let (_, list) = installation.get("/repo/acme/list.json", &format!("Authorization: Bearer {token}\r\n"));
    assert!(list.contains("acme/b") && !list.contains("acme/sea"), "{list}");
    assert_eq!(archive(&installation, &token, "acme/sea", &thing)["src/code.php"], "<?php // c");
    commit(&tree, &[files("packages/c", "acme/sea", "c is back")]);
    update(&installation, &id);
    assert_eq!(served(&installation, &token, "acme/sea").len(), 1);

    // Removed by hand, no push brings it back; somebody who asks for it does.
    installation.command("package remove acme/b").done();
    commit(&tree, &[files("packages/b", "acme/b", "b again")]);
    update(&installation, &id);
    assert!(directories(&installation, &id).iter().all(|(directory, ..)| directory != "packages/b"));
    let again = add(&installation, &tree, "--directories packages/b");
    assert_eq!(again, id, "it is the same repository");
    assert_eq!(served(&installation, &token, "acme/b").len(), 4);

    // Other directories, and none.
    installation.command(&format!("package directories {id} packages/b . --wait")).done();
    let left: Vec<String> =
        directories(&installation, &id).into_iter().filter(|line| line.2 == "ok").map(|line| line.1).collect();
    assert_eq!(left, ["acme/b"]);
    assert_eq!(served(&installation, &token, "acme/whole").len(), 4);
    assert!(served(&installation, &token, "acme/whole")["v1.0.0"].contains_key("source"));
    installation.command(&format!("package directories {id} --none --wait")).done();
    let (_, list) = installation.get("/repo/acme/list.json", &format!("Authorization: Bearer {token}\r\n"));
    assert_eq!(list, r#"{"packageNames":["acme/whole"]}"#);
    installation.command(&format!("package directories {id} packages/b --wait")).done();
    let whole = installation.get("/repo/acme/p2/acme/whole.json", &format!("Authorization: Bearer {token}\r\n")).1;
    assert!(!whole.contains("version"), "{whole}");
    installation.command(&format!("package remove {id}")).done();
    let packages = installation.command("package list --json").done();
    assert_eq!(packages.trim(), "[]");
}

#[test]
fn composer_installs_packages_of_one_repository() {
    let installation = acme();
    let tree = repository(&installation);
    let id = add(&installation, &tree, "--directories packages/*");
    let token = token(&installation, "");
    let project = Project::new(&installation.authority, &[installation.repository("acme")], &Auth::Basic(&token));
    project.require(&[("acme/a", "^1.0"), ("acme/b", "dev-main")]);
    project.composer("update").done();
    let code = |name: &str| fs::read_to_string(project.path(&format!("vendor/{name}/src/code.php"))).unwrap();
    assert_eq!((code("acme/a"), code("acme/b")), ("<?php // a two".to_owned(), "<?php // b two".to_owned()));
    assert!(project.path("vendor/acme/a/composer.json").is_file() && !project.path("vendor/acme/a/tests").exists());
    let lock = fs::read_to_string(project.path("composer.lock")).unwrap();

    // A commit that touches neither leaves a project as it is; one that touches b is an update of b alone.
    commit(&tree, &[vec![("elsewhere".to_owned(), "x".to_owned())]]);
    update(&installation, &id);
    project.composer("update").done();
    assert_eq!(fs::read_to_string(project.path("composer.lock")).unwrap(), lock);
    commit(&tree, &[files("packages/b", "acme/b", "b three")]);
    update(&installation, &id);
    project.composer("update").done();
    assert_eq!(code("acme/b"), "<?php // b three");

    // The first lock file still works after everything was rewritten and the directory is gone.
    tree.git(&["rm", "-r", "--quiet", "packages/b"]);
    tree.git(&["commit", "--quiet", "--amend", "--message", "Another history"]);
    update(&installation, &id);
    project.forget();
    fs::write(project.path("composer.lock"), &lock).unwrap();
    project.composer("install").done();
    assert_eq!((code("acme/a"), code("acme/b")), ("<?php // a two".to_owned(), "<?php // b two".to_owned()));
}

#[test]
fn who_may_read_the_repository_may_read_what_is_in_it() {
    let installation = acme();
    let tree = repository(&installation);
    let id = add(&installation, &tree, "--directories packages/*");
    let (whole, one) = (token(&installation, &format!("--package {id}")), token(&installation, "--package acme/a"));
    commit(&tree, &[files("packages/c", "acme/c", "c")]);
    update(&installation, &id);
    let sees = |token: &str, name: &str| {
        installation
            .get(&format!("/repo/acme/p2/{name}~dev.json"), &format!("Authorization: Bearer {token}\r\n"))
            .1
            .contains("dev-main")
    };
    assert!(sees(&whole, "acme/a") && sees(&whole, "acme/b") && sees(&whole, "acme/c"), "also what came later");
    assert!(sees(&one, "acme/a") && !sees(&one, "acme/b") && !sees(&one, "acme/c"));

    // The same by a team.
    installation.command_with("user add bob --password-stdin", "correct horse battery staple 8").done();
    installation.command("team add devs").done();
    installation.command(&format!("team grant devs {id}")).done();
    installation.command("team add-member devs bob").done();
    let why = installation.command("access explain --user bob --package acme/c --json").done();
    assert!(why.contains(r#""allowed":true"#) || why.contains(r#""allowed": true"#), "{why}");

    // One webhook for all.
    let hook = installation.command("package hook acme/a").done();
    assert_eq!(hook, installation.command("package hook acme/b").done());
    assert_eq!(hook, installation.command(&format!("package hook {id}")).done());
}

/// A repository of `directories` packages with `tags` tags, each of which changes one of them.
fn large(folder: &std::path::Path, directories: usize, tags: usize) -> String {
    fs::create_dir_all(folder).unwrap();
    let git = |words: &[&str], input: Option<String>| {
        let mut child = Command::new("git").current_dir(folder).args(words).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, input.unwrap_or_default().as_bytes()).unwrap();
        drop(stdin);
        assert!(child.wait().unwrap().success());
    };
    git(&["init", "--quiet", "--bare", "--initial-branch=main"], None);
    let mut stream = String::new();
    for tag in 0..tags {
        stream.push_str(&format!("commit refs/heads/main\ncommitter A <a@x> {} +0000\ndata 0\n", 1_700_000_000 + tag));
        let changed = if tag == 0 { 0..directories } else { tag % directories..tag % directories + 1 };
        for at in changed {
            let text = json!({"name": format!("acme/p{at}"), "description": format!("{tag}")}).to_string();
            stream.push_str(&format!("M 644 inline packages/p{at}/composer.json\ndata {}\n{text}\n", text.len()));
        }
        stream.push_str(&format!("\nreset refs/tags/1.{tag}.0\nfrom refs/heads/main\n\n"));
    }
    git(&["fast-import", "--quiet"], Some(stream));
    folder.to_str().unwrap().to_owned()
}

#[test]
fn many_directories_are_read_and_too_many_are_refused() {
    let installation = acme();
    let url = large(&installation.repositories.join("large"), 40, 25);
    installation.command(&format!("package add {url} --directories packages/* --wait")).done();
    let token = token(&installation, "");
    let versions = served(&installation, &token, "acme/p7");
    assert_eq!(versions.len(), 26);
    let references: std::collections::BTreeSet<String> =
        versions.keys().map(|version| reference(&versions, version)).collect();
    assert_eq!(references.len(), 2, "it changed once");
    let url = large(&installation.repositories.join("hostile"), 3_000, 1);
    let refused = installation.command(&format!("package add {url} --directories ** --wait")).failed();
    assert!(refused.contains("The number of directories with a composer.json"), "{refused}");
    let refused = installation.command(&format!("package add {url} --directories ../x")).failed();
    assert!(refused.contains("means no directories"), "{refused}");
}
