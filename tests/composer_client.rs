//! The real Composer against the real executable, with packages from a real Git server.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "support/bare_repository.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod bare_repository;
#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/git_server.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod git_server;
#[path = "support/installation.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod installation;
#[path = "support/project.rs"]
mod project;
#[path = "support/work_tree.rs"]
mod work_tree;

use std::fs;
use std::path::Path;
use std::time::Instant;

use git_server::{Account, GitServer};
use installation::{Installation, PATIENCE};
use project::{Auth, Project};
use work_tree::WorkTree;

const PASSWORD: &str = "correct horse battery staple";

/// An installation with the organization `acme`.
fn acme() -> Installation {
    let installation = Installation::start(None);
    installation.command("org add acme").done();
    installation
}

fn repository(installation: &Installation, name: &str) -> WorkTree {
    WorkTree::init(&installation.repositories.join(name))
}

fn add(installation: &Installation, tree: &WorkTree) -> String {
    installation.command(&format!("package add {} --wait", tree.url())).done()
}

fn token(installation: &Installation, words: &str) -> String {
    let token = installation.command(&format!("token add {words}")).done();
    assert!(token.starts_with("pksh_") && !token.contains(char::is_whitespace), "{token}");
    token
}

/// A package `acme/name` with releases 1.0.0 and 1.1.0 that requires others.
fn package(installation: &Installation, name: &str, requires: &[String]) -> WorkTree {
    let tree = repository(installation, name);
    let require: Vec<String> = requires.iter().map(|other| format!("\"{other}\": \"^1.0\"")).collect();
    let manifest = format!(
        r#"{{"name": "acme/{name}", "description": "The {name}", "license": "MIT", "require": {{{}}}}}"#,
        require.join(", ")
    );
    for version in ["1.0.0", "1.1.0"] {
        tree.commit(&[("composer.json", &manifest), ("src/code.php", &format!("<?php // {name} {version}"))]);
        tree.git(&["tag", version]);
    }
    tree
}

#[test]
fn a_project_of_sixty_packages_updates_and_installs() {
    let mut installation = acme();
    let mut names: Vec<String> = Vec::new();
    for n in 0..60 {
        let requires: Vec<String> = names.last().cloned().into_iter().collect();
        let tree = package(&installation, &format!("p{n:02}"), &requires);
        installation.command(&format!("package add {}", tree.url())).done();
        names.push(format!("acme/p{n:02}"));
    }
    installation.command("package update --all --wait").done();
    let token = token(&installation, "--access read");
    for auth in [Auth::Basic(&token), Auth::Bearer(&token)] {
        let project = Project::new(&installation.authority, &[installation.repository("acme")], &auth);
        let wanted: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "^1.0")).collect();
        project.require(&wanted);
        project.composer("update --no-install").done();
        assert_eq!(project.locked().len(), 60);
        assert!(project.locked().values().all(|(version, _)| version == "1.1.0"));
        project.composer("update --no-install").done();
        project.composer("install --prefer-dist").done();
        let cold = project.installed("acme/p07");
        assert!(cold.values().any(|file| file.ends_with(b"p07 1.1.0")), "{:?}", cold.keys());
        fs::remove_dir_all(project.path("vendor")).unwrap();
        project.composer("install --prefer-dist").done();
        assert_eq!(project.installed("acme/p07"), cold, "a warm cache gives the same");
        let shown = project.composer("show -a acme/p03").done();
        assert!(shown.contains("1.0.0") && shown.contains("dev-main"), "{shown}");
        let found = project.composer("search p03").done();
        assert!(found.contains("acme/p03") && found.contains("The p03"), "{found}");
        let found = project.composer("search -N p03").done();
        assert!(found.contains("acme/p03"), "{found}");
    }
    assert!(installation.stop_and_restart(), "it stops gracefully");
    let list = installation.command("token list --json").done();
    assert!(!list.contains("\"last_used_at\": null") && !list.contains("\"last_used_at\":null"), "{list}");
}

#[test]
fn a_private_repository_over_tls_installs_from_dist_and_from_source() {
    let folder = tempfile::tempdir().unwrap();
    let tree = WorkTree::init(&folder.path().join("lib"));
    tree.release("acme/lib", "over tls");
    tree.git(&["tag", "1.0.0"]);
    tree.git(&["clone", "--quiet", "--mirror", ".", &path(&folder.path().join("served/lib.git"))]);
    let git = GitServer::start(&folder.path().join("served"));
    git.require(Account::Basic("ci", PASSWORD));
    let installation = Installation::start(Some(&git.ca));
    installation.command("org add acme").done();
    let url = git.url("lib.git");
    let complaint = installation.command(&format!("package add {url} --wait")).failed();
    assert!(complaint.contains("credential"), "{complaint}");
    installation.command("package list --json").done();
    installation
        .command_with(
            &format!("credential add git --type http-basic --host localhost:{} --username ci --secret-stdin", git.port),
            &format!("{PASSWORD}\n"),
        )
        .done();
    installation.command("package remove 1").done();
    assert_eq!(installation.command(&format!("package add {url} --credential git --wait")).done(), "acme/lib");

    let token = token(&installation, "--access read");
    let mut project = Project::new(&installation.authority, &[installation.repository("acme")], &Auth::Basic(&token));
    project.trust(&git.ca, &format!("localhost:{}", git.port), "ci", PASSWORD);
    project.require(&[("acme/lib", "^1.0")]);
    project.composer("update --prefer-dist").done();
    let from_dist = project.installed("acme/lib");
    project.forget();
    project.composer("install --prefer-source").done();
    assert_eq!(project.installed("acme/lib"), from_dist);
    assert!(project.path("vendor/acme/lib/.git").exists());

    installation_keeps_no_secret(&installation, PASSWORD);
    installation_keeps_no_secret(&installation, &token);
}

fn path(path: &Path) -> String {
    path.to_str().expect("temporary paths are UTF-8").to_owned()
}

fn installation_keeps_no_secret(installation: &Installation, secret: &str) {
    let mut folders = vec![installation.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(content) = fs::read(&path) {
                let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{} holds a secret", path.display());
            }
        }
    }
}

#[test]
fn old_locks_install_the_old_code_whatever_happened_since() {
    let installation = acme();
    let tree = repository(&installation, "lib");
    tree.release("acme/lib", "first");
    tree.git(&["tag", "1.0.0"]);
    tree.git(&["checkout", "--quiet", "-b", "topic"]);
    tree.release("acme/lib", "topic");
    add(&installation, &tree);
    let token = token(&installation, "--access read");
    let repositories = [installation.repository("acme")];
    let tagged = Project::new(&installation.authority, &repositories, &Auth::Basic(&token));
    tagged.require(&[("acme/lib", "1.0.0")]);
    let branch = Project::new(&installation.authority, &repositories, &Auth::Basic(&token));
    branch.require(&[("acme/lib", "dev-topic")]);
    for project in [&tagged, &branch] {
        project.composer("update").done();
    }
    let before = [tagged.installed("acme/lib"), branch.installed("acme/lib")];

    tree.git(&["checkout", "--quiet", "--orphan", "other"]);
    tree.release("acme/renamed", "second");
    tree.git(&["tag", "--force", "1.0.0"]);
    tree.git(&["branch", "--quiet", "-D", "topic"]);
    tree.git(&["branch", "--quiet", "--force", "main", "other"]);
    tree.git(&["checkout", "--quiet", "main"]);
    tree.git(&["reflog", "expire", "--expire=now", "--all"]);
    tree.git(&["gc", "--quiet", "--prune=now"]);
    installation.command("package update acme/lib --wait").done();

    for (project, before) in [&tagged, &branch].into_iter().zip(before) {
        project.forget();
        project.composer("install").done();
        assert_eq!(project.installed("acme/lib"), before, "byte for byte");
    }
    let renamed = Project::new(&installation.authority, &repositories, &Auth::Basic(&token));
    renamed.require(&[("acme/renamed", "1.0.0")]);
    renamed.composer("update").done();
    assert!(renamed.installed("acme/renamed").values().any(|file| file == b"second"));
    let told = tagged.composer("update").err;
    assert!(told.contains("acme/renamed"), "the former name is abandoned in favour of the new: {told}");
}

#[test]
fn a_bad_token_is_told_what_is_wrong() {
    let installation = acme();
    add(&installation, &package(&installation, "lib", &[]));
    let good = token(&installation, "--access read");
    let complain = |auth: &Auth<'_>| {
        let project = Project::new(&installation.authority, &[installation.repository("acme")], auth);
        project.require(&[("acme/lib", "^1.0")]);
        project.composer("update").failed()
    };
    let none = complain(&Auth::None);
    assert!(none.contains("Warning from") && none.contains("token"), "{none}");
    let mistyped = complain(&Auth::Basic(&good.replace(&good[20..24], "0000")));
    assert!(mistyped.contains("mistyped"), "{mistyped}");
    let strange = complain(&Auth::Bearer("hunter2"));
    assert!(strange.contains("pksh_"), "{strange}");
    installation.command("token revoke 1").done();
    let revoked = complain(&Auth::Basic(&good));
    assert!(revoked.contains("revoked"), "{revoked}");
}

#[test]
fn a_person_installs_what_the_team_may() {
    let installation = acme();
    for name in ["core", "extra"] {
        let tree = package(&installation, name, &[]);
        assert_eq!(add(&installation, &tree), format!("acme/{name}"));
    }
    for command in ["user add ada", "team add web", "team add-member web ada", "team grant web acme/core"] {
        installation.command(command).done();
    }
    let token = token(&installation, "--user ada");
    let project = Project::new(&installation.authority, &[installation.repository("acme")], &Auth::Basic(&token));
    project.require(&[("acme/core", "^1.0")]);
    project.composer("update --prefer-dist").done();
    assert!(!project.installed("acme/core").is_empty());
    project.require(&[("acme/core", "^1.0"), ("acme/extra", "^1.0")]);
    let complaint = project.composer("update").failed();
    assert!(complaint.contains("acme/extra") && complaint.contains("could not be found"), "{complaint}");
    installation.command("team grant web acme/extra").done();
    project.composer("update --prefer-dist").done();
    assert_eq!(project.locked().len(), 2);
    installation.command("team remove-member web ada").done();
    project.forget();
    let complaint = project.composer("update").failed();
    assert!(complaint.contains("404"), "{complaint}");
}

#[test]
fn a_restricted_token_sees_its_packages_and_a_hidden_name_is_never_taken_from_elsewhere() {
    let installation = acme();
    add(&installation, &package(&installation, "visible", &[]));
    add(&installation, &package(&installation, "secret", &[]));
    installation.command("org add public").done();
    let fake = repository(&installation, "fake");
    fake.release("acme/secret", "evil");
    fake.git(&["tag", "9.9.9"]);
    fake.git(&["checkout", "--quiet", "-b", "absent"]);
    installation.command(&format!("package add {} --fork --wait --org public", fake.url())).done();
    let absent = repository(&installation, "absent");
    absent.release("acme/absent", "evil");
    absent.git(&["tag", "9.9.9"]);
    installation.command(&format!("package add {} --fork --wait --org public", absent.url())).done();

    let restricted = token(&installation, "--access read --package acme/visible --org acme");
    let public = token(&installation, "--access read --org public");
    let project = Project::new(
        &installation.authority,
        &[
            installation.repository("acme"),
            installation.repository("public").replace("http://", &format!("http://token:{public}@")),
        ],
        &Auth::None,
    );
    // Two tokens for one host: each repository's address carries its own.
    let manifest = fs::read_to_string(project.path("composer.json")).unwrap();
    let own = installation.repository("acme");
    let with_token = own.replace("http://", &format!("http://token:{restricted}@"));
    fs::write(project.path("composer.json"), manifest.replace(&own, &with_token)).unwrap();
    project.require(&[("acme/visible", "^1.0")]);
    project.composer("update").done();
    for hidden in ["acme/secret", "acme/absent"] {
        project.require(&[(hidden, "*")]);
        let complaint = project.composer("update").failed();
        assert!(!complaint.contains("9.9.9") || complaint.contains("higher repository priority"), "{complaint}");
        assert!(!project.path("vendor").join(hidden).exists());
    }
}

#[test]
fn two_organizations_see_nothing_of_each_other() {
    let installation = Installation::start(None);
    let tree = package(&installation, "lib", &[]);
    for org in ["one", "two"] {
        installation.command(&format!("org add {org}")).done();
        installation.command(&format!("package add {} --wait --org {org}", tree.url())).done();
    }
    let complaint = installation.command("package list").failed();
    assert!(complaint.contains("one") && complaint.contains("two"), "{complaint}");
    let one = token(&installation, "--access read --org one");
    let authorization = format!("Authorization: Bearer {one}\r\n");
    assert_eq!(installation.get("/repo/one/packages.json", &authorization).0, 200);
    for path in ["packages.json", "p2/acme/lib.json", "list.json", "search.json?q=lib", "metadata/changes.json"] {
        let there = installation.get(&format!("/repo/two/{path}"), &authorization);
        let nowhere = installation.get(&format!("/repo/nowhere/{path}"), &authorization);
        assert_eq!(there.0, 404, "{path}");
        assert_eq!(there, nowhere, "{path}: one must not tell that the other exists");
    }
    for org in ["one", "two"] {
        let token = token(&installation, &format!("--access read --org {org}"));
        let project = Project::new(&installation.authority, &[installation.repository(org)], &Auth::Bearer(&token));
        project.require(&[("acme/lib", "^1.0")]);
        project.composer("update").done();
    }
    installation.command("org remove one").done();
    assert_eq!(installation.get("/repo/one/packages.json", &authorization).0, 401, "its tokens went with it");
}

#[test]
fn a_hook_makes_a_push_installable() {
    let installation = acme();
    let tree = package(&installation, "lib", &[]);
    add(&installation, &tree);
    let token = token(&installation, "--access read");
    let authorization = format!("Authorization: Bearer {token}\r\n");
    let hook = installation.command("package hook acme/lib").done();
    assert_eq!(installation.command("package hook acme/lib").done(), hook, "it is printed again as it was");
    let path = hook.strip_prefix(&format!("http://{}", installation.authority)).expect("it is ours").to_owned();
    tree.git(&["tag", "1.2.0"]);
    assert_eq!(installation.request("POST", &path, "").0, 202);
    let started = Instant::now();
    while !installation.get("/repo/acme/p2/acme/lib.json", &authorization).1.contains("1.2.0") {
        assert!(started.elapsed() < PATIENCE, "{}", installation.log());
        std::thread::yield_now();
    }
    installation.command("package remove acme/lib").done();
    assert_eq!(installation.request("POST", &path, "").0, 200, "platforms go on calling for a while");
    assert_eq!(installation.request("POST", &format!("/hooks/{}", "0".repeat(64)), "").0, 404);
    assert!(!installation.log().contains(path.trim_start_matches("/hooks/")), "the address is a secret");
}
