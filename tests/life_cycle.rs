//! What becomes of packages over the years, as people see it who use the real Composer: versions that go or are re-pointed,
//! names that two repositories want, renames, abandonment, and repositories that end.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "support/installation.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod installation;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod project;
#[path = "support/work_tree.rs"]
mod work_tree;

use std::fs;
use std::time::Instant;

use installation::{Installation, PATIENCE};
use project::{Auth, Project};
use serde_json::{Value, json};
use work_tree::WorkTree;

/// An installation with the organization `acme` and a token that reads all of it.
struct World {
    installation: Installation,
    token: String,
}

impl World {
    fn new() -> Self {
        let installation = Installation::start(None);
        installation.command("org add acme").done();
        let token = installation.command("token add --access read").done();
        Self { installation, token }
    }

    fn run(&self, words: &str) -> String {
        self.installation.command(words).done()
    }

    fn json(&self, words: &str) -> Value {
        serde_json::from_str(&self.run(&format!("{words} --json"))).unwrap()
    }

    /// A repository with a release 1.0.0 of this name and content.
    fn repository(&self, folder: &str, name: &str) -> WorkTree {
        let tree = WorkTree::init(&self.installation.repositories.join(folder));
        tree.release(name, folder);
        tree.git(&["tag", "1.0.0"]);
        tree
    }

    fn add(&self, tree: &WorkTree) -> String {
        self.run(&format!("package add {} --wait", tree.url()))
    }

    /// Updates a package that is expected to end well.
    fn update(&self, name: &str) {
        self.run(&format!("package update {name} --wait"));
    }

    fn project(&self, package: &str, constraint: &str) -> Project {
        let repositories = [self.installation.repository("acme")];
        let project = Project::new(&self.installation.authority, &repositories, &Auth::Basic(&self.token));
        project.require(&[(package, constraint)]);
        project
    }

    /// What `package show` says, as soon as it is as wanted.
    #[track_caller]
    fn soon(&self, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let shown = self.json(&format!("package show {name}"));
            if is_so(&shown) {
                return shown;
            }
            assert!(started.elapsed() < PATIENCE, "{shown:#}");
            std::thread::yield_now();
        }
    }
}

/// The content of the file that [`WorkTree::release`] writes.
fn code(project: &Project, package: &str) -> String {
    fs::read_to_string(project.path("vendor").join(package).join("src/code.php")).unwrap()
}

#[test]
fn versions_that_go_or_are_re_pointed_are_told_and_old_locks_install() {
    let world = World::new();
    let tree = world.repository("lib", "acme/lib");
    let first = tree.git(&["rev-parse", "HEAD"]).trim().to_owned();
    tree.release("acme/lib", "two");
    tree.git(&["tag", "2.0.0"]);
    tree.git(&["checkout", "--quiet", "-b", "topic"]);
    let topic = tree.release("acme/lib", "topic");
    tree.git(&["checkout", "--quiet", "main"]);
    assert_eq!(world.add(&tree), "acme/lib");
    assert_eq!(world.json("package history acme/lib"), json!([]), "what it begins with is no news");
    let locks: Vec<(Project, &str)> = [("1.0.0", "lib"), ("2.0.0", "two"), ("dev-topic", "topic")]
        .map(|(version, content)| {
            let project = world.project("acme/lib", version);
            project.composer("update").done();
            (project, content)
        })
        .into();

    let moved = tree.release("acme/lib", "other");
    tree.git(&["tag", "--force", "1.0.0"]);
    tree.git(&["tag", "--delete", "2.0.0"]);
    tree.git(&["branch", "--quiet", "-D", "topic"]);
    tree.git(&["tag", "3.0.0"]);
    tree.git(&["reflog", "expire", "--expire=now", "--all"]);
    tree.git(&["gc", "--quiet", "--prune=now"]);
    world.update("acme/lib");

    for (project, content) in &locks {
        project.forget();
        project.composer("install").done();
        assert_eq!(code(project, "acme/lib"), *content);
    }
    locks[0].0.composer("update").done();
    assert_eq!(locks[0].0.locked()["acme/lib"], ("1.0.0".to_owned(), moved.clone()));
    assert!(locks[1].0.composer("update").failed().contains("2.0.0"), "it cannot be required any more");

    let history = world.json("package history acme/lib");
    let told: Vec<(&str, &str)> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            assert_eq!((event["cause"].as_str(), event["job"].is_i64()), (Some("asked"), true), "{event}");
            (event["version"].as_str().unwrap(), event["action"].as_str().unwrap())
        })
        .collect();
    for wanted in
        [("1.0.0", "moved"), ("2.0.0", "removed"), ("3.0.0", "added"), ("dev-topic", "removed"), ("dev-main", "moved")]
    {
        assert!(told.contains(&wanted), "{told:?}");
    }
    let of =
        |version: &str| history.as_array().unwrap().iter().find(|event| event["version"] == version).unwrap().clone();
    assert_eq!((&of("1.0.0")["before"], &of("1.0.0")["after"]), (&json!(first), &json!(moved)));
    assert_eq!((&of("dev-topic")["before"], &of("dev-topic")["after"]), (&json!(topic), &Value::Null));
    let shown = world.json("package show acme/lib");
    let version =
        |name: &str| shown["version_list"].as_array().unwrap().iter().find(|v| v["version"] == name).unwrap().clone();
    assert!(version("1.0.0")["repointed_at"].is_string() && version("3.0.0")["repointed_at"].is_null(), "{shown:#}");
    assert!(version("dev-main")["repointed_at"].is_null(), "branches move");
    let audit = world.run("audit export");
    assert!(audit.contains("version.repointed") && audit.contains("version.removed"), "{audit}");
    assert!(world.run("package history acme/lib").contains("re-pointed"));
}

#[test]
fn a_name_that_two_repositories_want_is_told_and_chosen() {
    let world = World::new();
    let original = world.repository("original", "acme/lib");
    world.add(&original);
    let old = world.project("acme/lib", "*");
    old.composer("update").done();
    let fork = world.repository("fork", "acme/lib");
    fork.release("acme/lib", "newer");
    fork.git(&["tag", "1.5.0"]);
    let complaint = world.installation.command(&format!("package add {} --wait", fork.url())).failed();
    assert!(complaint.contains("not installable") && complaint.contains("conflicts with package 1"), "{complaint}");
    let list = world.json("package list");
    assert_eq!(list[0]["conflicts_with"][0]["id"], json!(2), "{list:#}");
    assert_eq!((&list[1]["held_name"], &list[1]["conflicts_with"][0]["id"]), (&json!("acme/lib"), &json!(1)));
    assert!(world.run("package show 1").contains("Conflict"));

    world.run("package publish 2 --wait");
    assert_eq!(world.json("package show 2")["name"], json!("acme/lib"));
    let shown = world.json("package show 1");
    assert_eq!((&shown["name"], &shown["status"], &shown["versions"]), (&Value::Null, &json!("held"), &json!(0)));
    old.forget();
    old.composer("install").done();
    assert_eq!(code(&old, "acme/lib"), "original", "locks find what they name, whoever has the name now");
    old.composer("update").done();
    assert_eq!(old.locked()["acme/lib"].0, "1.5.0", "no client keeps metadata of before");
    // Nothing turns it around by itself.
    assert!(world.installation.command("package update 1 --wait").failed().contains("conflicts with package 2"));
    assert!(world.run("audit export").contains("package.name_taken"));

    world.run("package remove 2");
    world.soon("1", |shown| shown["name"] == "acme/lib" && shown["status"] == "ok");
    old.composer("update").done();
    assert_eq!(old.locked()["acme/lib"].0, "1.0.0", "the other one has the name again");
    let complaint = world.installation.command("package publish 1").failed();
    assert!(complaint.contains("waits for no name"), "{complaint}");
}

#[test]
fn whoever_was_added_first_has_the_name_whoever_is_read_first() {
    let world = World::new();
    let slow = world.repository("slow", "acme/lib");
    for n in 0..300 {
        slow.git(&["tag", &format!("1.0.{}", n + 1)]);
    }
    let quick = world.repository("quick", "acme/lib");
    for tree in [&slow, &quick] {
        let id = world.run(&format!("package add {}", tree.url()));
        assert!(id.parse::<u32>().is_ok(), "{id}");
    }
    world.soon("1", |shown| shown["status"] == "ok" && shown["name"] == "acme/lib");
    let other = world.soon("2", |shown| shown["status"] == "held");
    assert_eq!((&other["name"], &other["conflicts_with"][0]["id"]), (&Value::Null, &json!(1)));
}

#[test]
fn two_packages_exchange_their_names() {
    let world = World::new();
    let (one, two) = (world.repository("one", "acme/a"), world.repository("two", "acme/b"));
    world.add(&one);
    world.add(&two);
    let (a, b) = (world.project("acme/a", "*"), world.project("acme/b", "*"));
    for project in [&a, &b] {
        project.composer("update").done();
    }
    one.release("acme/b", "one again");
    one.git(&["tag", "2.0.0"]);
    let complaint = world.installation.command("package update 1 --wait").failed();
    assert!(complaint.contains("It stays acme/a") && complaint.contains("conflicts with package 2"), "{complaint}");
    two.release("acme/a", "two again");
    two.git(&["tag", "2.0.0"]);
    world.run("package update 2 --wait");
    world.soon("1", |shown| shown["name"] == "acme/b" && shown["status"] == "ok");
    world.soon("2", |shown| shown["name"] == "acme/a" && shown.get("conflicts_with").is_none());
    for (project, before) in [(&a, "one"), (&b, "two")] {
        let name = if before == "one" { "acme/a" } else { "acme/b" };
        project.forget();
        project.composer("install").done();
        assert_eq!(code(project, name), before);
        project.composer("update").done();
    }
    assert_eq!((code(&a, "acme/a"), code(&b, "acme/b")), ("two again".to_owned(), "one again".to_owned()));
}

#[test]
fn a_renamed_package_leads_from_its_former_name_and_back() {
    let world = World::new();
    let tree = world.repository("lib", "acme/old");
    world.add(&tree);
    let old = world.project("acme/old", "*");
    old.composer("update").done();
    tree.release("acme/new", "new");
    tree.git(&["tag", "2.0.0"]);
    world.update("acme/old");
    let told = old.composer("update").err;
    assert!(told.contains("acme/old is abandoned") && told.contains("acme/new instead"), "{told}");
    let log = world.json("package show acme/new");
    assert_eq!(log["name"], json!("acme/new"), "{log:#}");
    tree.release("acme/old", "back");
    tree.git(&["tag", "3.0.0"]);
    world.update("acme/new");
    let told = old.composer("update").err;
    assert!(!told.contains("abandoned"), "{told}");
    assert_eq!(old.locked()["acme/old"].0, "3.0.0");
    let new = world.project("acme/new", "*");
    let told = new.composer("update").err;
    assert!(told.contains("acme/new is abandoned") && told.contains("acme/old instead"), "{told}");
}

#[test]
fn a_package_is_abandoned_by_hand_before_all_else() {
    let world = World::new();
    let tree = world.repository("lib", "acme/lib");
    world.add(&tree);
    let project = world.project("acme/lib", "^1.0");
    let warned = || {
        project.composer("update").done();
        project.composer("install").err
    };
    assert!(!warned().contains("abandoned"));

    // The default branch says it for all versions, also for those that were released before.
    tree.commit(&[("composer.json", r#"{"name": "acme/lib", "abandoned": "acme/there"}"#)]);
    world.update("acme/lib");
    assert!(warned().contains("acme/there instead"));
    let shown = world.json("package show acme/lib");
    assert_eq!((&shown["abandoned"], &shown["abandoned_by"]), (&json!("acme/there"), &json!("composer.json")));

    // By hand, also where the repository is gone.
    let (here, away) = (world.installation.repositories.join("lib"), world.installation.repositories.join("away"));
    fs::rename(&here, &away).unwrap();
    world.run("package abandon acme/lib --replacement acme/here");
    let started = Instant::now();
    while !warned().contains("acme/here instead") {
        assert!(started.elapsed() < PATIENCE);
    }
    let shown = world.json("package show acme/lib");
    assert_eq!((&shown["abandoned"], &shown["abandoned_by"]), (&json!("acme/here"), &json!("hand")));
    assert!(world.run("package show acme/lib").contains("somebody marked it here"));
    let complaint = world.installation.command("package abandon acme/lib --replacement acme/lib").failed();
    assert!(complaint.contains("cannot replace itself"), "{complaint}");
    fs::rename(&away, &here).unwrap();

    tree.commit(&[("composer.json", r#"{"name": "acme/lib"}"#)]);
    world.update("acme/lib");
    assert!(warned().contains("acme/here instead"), "what is said by hand stays");
    world.run("package abandon acme/lib --undo");
    let started = Instant::now();
    while warned().contains("abandoned") {
        assert!(started.elapsed() < PATIENCE);
    }
    assert_eq!(world.json("package show acme/lib")["abandoned"], Value::Null);
}

#[test]
fn what_a_repository_loses_takes_nothing_good_along() {
    let world = World::new();
    let tree = world.repository("lib", "acme/lib");
    tree.git(&["branch", "stable"]);
    world.add(&tree);
    let versions = |wanted: &[&str]| {
        let shown = world.json("package show acme/lib");
        let mut found: Vec<&str> =
            shown["version_list"].as_array().unwrap().iter().map(|v| v["version"].as_str().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, wanted, "{shown:#}");
        shown
    };
    // composer.json goes from the default branch.
    tree.git(&["rm", "--quiet", "composer.json"]);
    tree.commit(&[]);
    world.update("acme/lib");
    let shown = versions(&["1.0.0", "dev-stable"]);
    assert!(shown["skipped"].to_string().contains("no composer.json"), "{shown:#}");
    // It becomes invalid.
    tree.commit(&[("composer.json", "{\"name\": \"acme/lib\", }")]);
    world.update("acme/lib");
    let shown = versions(&["1.0.0", "dev-stable"]);
    assert_eq!(shown["skipped"][0]["ref"], json!("refs/heads/main"), "{shown:#}");
    // Another name on another branch: the default branch decides.
    tree.release("acme/lib", "good");
    tree.git(&["checkout", "--quiet", "stable"]);
    tree.release("acme/other", "stable");
    tree.git(&["checkout", "--quiet", "main"]);
    world.update("acme/lib");
    versions(&["1.0.0", "dev-main", "dev-stable"]);
    // The default branch is another one.
    tree.git(&["checkout", "--quiet", "-b", "trunk"]);
    tree.git(&["branch", "--quiet", "-D", "main"]);
    world.update("acme/lib");
    versions(&["1.0.0", "dev-stable", "dev-trunk"]);
    // Everything goes: that is no update but a fault, and what was published stays.
    for reference in ["refs/heads/trunk", "refs/heads/stable", "refs/tags/1.0.0"] {
        tree.git(&["update-ref", "-d", reference]);
    }
    let complaint = world.installation.command("package update acme/lib --wait").failed();
    let shown = versions(&["1.0.0", "dev-stable", "dev-trunk"]);
    assert_eq!(shown["status"], json!("failed"), "{complaint}");
    let project = world.project("acme/lib", "*");
    project.composer("update").done();
}
