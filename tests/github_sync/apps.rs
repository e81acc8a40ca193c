//! GitHub Apps, from the key in config.toml to packages that people install: what an installation is let into, what its
//! deliveries say, and what becomes of everything when it is narrowed, suspended or removed.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::platforms::frame::Fault;
use crate::platforms::github::acts_apps::NewApp;
use crate::platforms::github::directory::{Level, Rank};
use crate::world::World;

/// What an App needs of which all is read.
const PERMISSIONS: [(&str, &str); 5] = [
    ("metadata", "read"),
    ("contents", "read"),
    ("members", "read"),
    ("organization_administration", "read"),
    ("organization_custom_org_roles", "read"),
];

/// A world whose integration has an App.
struct Apps {
    world: World,
    app: NewApp,
}

impl Apps {
    fn new() -> Self {
        let mut app = None;
        let world = World::configured(|github, folder, address| {
            let made = github.app_registered(&PERMISSIONS, &format!("{address}/hooks/app/ghe"));
            std::fs::write(folder.join("app.pem"), &made.key).unwrap();
            let text = format!(
                "app_id = {}\napp_private_key_file = \"app.pem\"\nwebhook_secret = \"{}\"\n",
                made.id, made.secret
            );
            app = Some(made);
            text
        });
        Self { app: app.unwrap(), world }
    }

    /// Installs the App in the organization; the installation's number.
    fn install(&self, repositories: Option<&[u64]>) -> u64 {
        let installation = self.world.github.installed(self.app.id, self.world.org, repositories);
        self.world.github.post().settle();
        installation
    }

    /// Adds the installation's credential, and follows the organization with it.
    fn follow(&mut self, installation: u64) {
        self.world.ours.command(&add("main", installation)).done();
        self.world.follow();
    }

    /// The names of all packages that anybody could install.
    fn packages(&self) -> BTreeSet<String> {
        let list: Value = serde_json::from_str(&self.world.ours.command("package list --json").done()).unwrap();
        let names = list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap_or_default().to_owned());
        names.collect()
    }

    /// What the person with this login gets who installs a package: the bytes of its archive.
    fn install_package(&self, login: &str, package: &str) -> Vec<u8> {
        let person = self.world.people.iter().find(|person| person.login == login).unwrap();
        let token = person.token.clone().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let get = async |url: &str| {
                let answer = client.get(url).basic_auth("token", Some(&token)).send().await.unwrap();
                assert_eq!(answer.status().as_u16(), 200, "{url}");
                answer.bytes().await.unwrap().to_vec()
            };
            let metadata = get(&self.world.ours.url(&format!("/repo/acme/p2/{package}.json"))).await;
            let metadata: Value = serde_json::from_slice(&metadata).unwrap();
            let dist = &metadata["packages"][package][0]["dist"];
            let reference = dist["reference"].as_str().unwrap();
            get(&dist["url"].as_str().unwrap().replace("%reference%", reference)).await
        })
    }
}

/// The command that adds an installation's credential.
fn add(name: &str, installation: u64) -> String {
    format!("credential add {name} --type github-app --username {installation}")
}

#[test]
fn an_organization_is_followed_by_an_app() {
    let mut apps = Apps::new();
    apps.world.github.token_length(2_100);
    let lib = apps.world.package("lib");
    let tool = apps.world.package("tool");
    let (ada, bob) = (apps.world.member("ada"), apps.world.member("bob"));
    let team = apps.world.github.team(apps.world.org, "php", None);
    apps.world.github.join(team, ada);
    apps.world.give(team, lib);
    let installation = apps.install(None);

    // Nobody uses it yet, and it can be tried.
    apps.world.ours.command(&add("main", installation)).done();
    let said = apps.world.ours.command("credential test main");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("one in acme, with all of its repositories"), "{}", said.out);
    assert!(!said.out.contains("is not told of") && !said.out.contains("lacks"), "{}", said.out);
    // Whoever else names it, it is taken.
    apps.world.ours.command("org add other").done();
    let refused = apps.world.ours.command(&format!("{} --org other", add("theirs", installation))).failed();
    assert!(refused.contains("belongs to another organization"), "{refused}");
    let refused = apps.world.ours.command(&format!("{} --org acme", add("again", installation))).failed();
    assert!(refused.contains("already"), "{refused}");
    apps.world.ours.command("org remove other").done();

    apps.world.follow();
    apps.world.log_in();
    apps.world.agrees("the first comparison");
    assert_eq!(apps.packages(), ["acme/lib", "acme/tool"].map(str::to_owned).into());
    apps.world.comes("the packages are served", || apps.world.versions(lib).contains("1.0.0"));
    assert!(apps.install_package("ada", "acme/lib").starts_with(b"PK"));
    let log = apps.world.ours.log();
    assert!(!log.contains("ghs_") && !log.contains("PRIVATE KEY"), "a secret was logged");
    assert!(apps.world.github.stage.world().hooks.all.len() == 1, "an App needs no other hook");

    // What it is told of.
    let world = &apps.world;
    let tag = world.tag(lib, "2.0.0");
    world.github.pushed(lib, &[tag]);
    world.comes("a push is told", || world.versions(lib).contains("2.0.0"));
    let agree = |what: &str| {
        let found = world.differences_that_stay();
        assert!(found.is_empty(), "after {what}: {found:?}\n{}", world.trace());
    };
    world.github.granted(team, tool, Level::Read);
    agree("a repository was given to a team");
    world.github.joined(team, bob);
    agree("somebody joined a team");
    world.github.left(team, ada);
    agree("somebody left a team");
    world.github.collaborator_added(lib, ada, Level::Read);
    agree("a collaborator came");
    world.github.member_removed(world.org, bob);
    agree("a member left");
    world.github.repository_renamed(lib, "library");
    world.comes("the package has its new address", || {
        world.ours.command("package list --json").done().contains("/acme/library")
    });
    agree("a repository was renamed");
    let made = world.github.repository_created(world.org, "new");
    let refs = apps.world.fill(made, "new");
    apps.world.github.pushed(made, &refs);
    apps.world.comes("a new repository is a package", || apps.packages().contains("acme/new"));
    apps.world.github.repository_deleted(tool);
    apps.world.comes("a deleted one is none", || !apps.packages().contains("acme/tool"));
    let post = apps.world.github.post();
    post.settle();
    let answers: BTreeSet<Option<u16>> = post.sent().iter().map(|sent| sent.status).collect();
    assert!(answers.iter().all(|status| matches!(status, Some(200 | 202))), "{answers:?}");
}

#[test]
fn an_app_sees_the_repositories_that_were_selected_for_it() {
    let mut apps = Apps::new();
    apps.world.github.token_length(40);
    let (lib, tool) = (apps.world.package("lib"), apps.world.package("tool"));
    let ada = apps.world.member("ada");
    for id in [lib, tool] {
        apps.world.github.admit(id, ada, Level::Read);
    }
    let installation = apps.install(Some(&[lib]));
    apps.follow(installation);
    apps.world.log_in();
    assert_eq!(apps.packages(), ["acme/lib".to_owned()].into());
    // Git opens nothing else by a token of the installation.
    let refused = apps
        .world
        .ours
        .command(&format!("package add {}acme/tool.git --credential main --wait", apps.world.github.url()));
    assert_ne!(refused.code, Some(0), "{refused:?}");
    let said = apps.world.ours.command("package list --json").done();
    let list: Value = serde_json::from_str(&said).unwrap();
    if let Some(odd) = list.as_array().unwrap().iter().find(|one| one["name"].is_null()) {
        apps.world.ours.command(&format!("package remove {}", odd["id"])).done();
    }

    let token = apps.world.people[0].token.clone().unwrap();
    apps.world.github.selected(installation, Some(&[lib, tool]));
    apps.world.comes("what was selected later is a package", || apps.world.shown(&token).contains("acme/tool"));
    apps.world.github.selected(installation, Some(&[tool]));
    apps.world
        .comes("what is not selected any more is none", || apps.world.shown(&token) == ["acme/tool".to_owned()].into());
    assert_eq!(apps.world.status()["status"], "ok", "what an event announced waits for nobody: {}", apps.world.trace());
    apps.world.github.selected(installation, None);
    apps.world.comes("all of them are packages", || apps.world.shown(&token).len() == 2);
}

#[test]
fn an_app_that_is_shut_out_loses_nothing_and_goes_on_by_itself() {
    let mut apps = Apps::new();
    let lib = apps.world.package("lib");
    let ada = apps.world.member("ada");
    apps.world.github.admit(lib, ada, Level::Read);
    let keeper =
        apps.world.github.stage.world().directory.orgs[&apps.world.org].members.keys().next().copied().unwrap();
    let installation = apps.install(None);
    apps.follow(installation);
    apps.world.log_in();
    apps.world.comes("the package is served", || apps.world.versions(lib).contains("1.0.0"));
    let world = &apps.world;
    assert_ne!(keeper, ada);

    world.github.installation_suspended(installation, true);
    world.comes("the list says so", || !world.status()["suspended_at"].is_null());
    world.comes("the run says so", || {
        let status = world.status();
        status["status"] == "failed" && status["error"].as_str().is_some_and(|error| error.contains("suspended"))
    });
    let list = world.ours.command("sync list").done();
    assert!(list.contains("suspended"), "{list}");
    let page = world.page("keeper", &format!("/orgs/acme/syncs/{}", world.sync));
    assert!(page.contains("The GitHub App is shut out"), "{page}");
    assert!(world.run().failed().contains("suspended"));
    let said = world.ours.command("credential test main");
    assert!(said.code != Some(0) && format!("{said:?}").contains("suspended"), "{said:?}");
    assert_eq!(world.shown(world.people[0].token.as_ref().unwrap()).len(), 1, "nothing is taken away at once");
    assert!(apps.install_package("ada", "acme/lib").starts_with(b"PK"));

    // Nobody tells of what happens meanwhile; that it ended, somebody does.
    let tag = world.tag(lib, "2.0.0");
    world.github.pushed(lib, &[tag]);
    let bea = world.github.user("bea");
    world.github.member_added(world.org, bea, Rank::Member);
    world.github.installation_suspended(installation, false);
    world.comes("it runs again", || world.status()["status"] == "ok" && world.status()["suspended_at"].is_null());
    world.comes("what came meanwhile is there", || {
        world.versions(lib).contains("2.0.0") && world.status()["members"].as_u64() == Some(3)
    });

    // The same without a word of GitHub's: runs find out.
    world.github.silence(true);
    world.github.installation_suspended(installation, true);
    world.run().failed();
    assert!(!world.status()["suspended_at"].is_null(), "{}", world.status());
    world.github.installation_suspended(installation, false);
    world.run().done();
    assert!(world.status()["suspended_at"].is_null(), "{}", world.status());
    world.github.silence(false);

    world.github.uninstalled(installation);
    world.comes("the run says so", || {
        world.status()["error"].as_str().is_some_and(|error| error.contains("uninstalled"))
    });
    assert_eq!(world.shown(world.people[0].token.as_ref().unwrap()).len(), 1, "nothing is taken away at once");
    assert!(apps.install_package("ada", "acme/lib").starts_with(b"PK"));
}

#[test]
fn tokens_that_github_does_not_know_yet_or_any_more_harm_nothing() {
    let mut apps = Apps::new();
    let lib = apps.world.package("lib");
    let ada = apps.world.member("ada");
    apps.world.github.admit(lib, ada, Level::Read);
    let installation = apps.install(None);
    // Known a little later than it was made, to the API and to Git.
    apps.world.github.birth_lag(1, 401);
    apps.follow(installation);
    apps.world.log_in();
    apps.world.comes("the package is served", || apps.world.versions(lib).contains("1.0.0"));
    for (at, status) in [401, 403, 404].into_iter().enumerate() {
        apps.world.github.birth_lag(1, status);
        apps.world.github.tokens_end_after(2);
        let name = format!("late-{at}");
        let late = apps.world.package(&name);
        apps.world.run().done();
        assert_eq!(apps.world.status()["error"], Value::Null, "{status}");
        apps.world.comes("a package is read with new tokens", || apps.world.versions(late).contains("1.0.0"));
        let said = apps.world.ours.command(&format!("package show acme/{name} --json")).done();
        let shown: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(shown["status"], "ok", "{shown}");
    }
    apps.world.github.birth_lag(0, 401);
    // All tokens end in the middle of a run, and in the middle of what Git does.
    for after in [0, 3] {
        apps.world.github.tokens_end_after(after);
        apps.world.run().done();
        let tag = apps.world.tag(lib, &format!("3.{after}.0"));
        apps.world.github.stage.world().installation_tokens.clear();
        apps.world.github.pushed(lib, &[tag]);
        apps.world.comes("the tag is served", || apps.world.versions(lib).contains(&format!("3.{after}.0")));
    }
    let list: Value = serde_json::from_str(&apps.world.ours.command("credential list --json").done()).unwrap();
    assert_eq!(list[0]["status"], "ok", "{list}");
    apps.world.agrees("tokens ended");

    // What GitHub says in between is not the end of anything either.
    apps.world.github.stage.fail_at("/access_tokens", 1..=1, Fault::Page(502));
    apps.world.github.stage.world().installation_tokens.clear();
    let _ = apps.world.run();
    apps.world.run().done();
    apps.world.agrees("GitHub was away for a moment");
}
