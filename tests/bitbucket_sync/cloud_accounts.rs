//! A workspace that is followed with an account that somebody connected, and tokens that reach one project or repository.

use std::collections::BTreeMap;

use crate::cloud_world::{SCOPES, World};
use crate::platforms::bitbucket_cloud::BitbucketCloud;
use crate::platforms::bitbucket_cloud::directory::{Level, Reach};
use crate::platforms::frame::Fault;

/// Three packages, of which ada may read one, that are followed with the account of the workspace's owner.
fn world() -> (World, Vec<u64>) {
    let mut world = World::new();
    {
        let mut site = world.bitbucket.stage.world();
        site.consumer.scopes = vec!["account", "email", "repository", "project", "webhook"];
        // As long as they have become, and longer.
        site.token_length = 6000;
    }
    let ada = world.member("ada");
    let keeper = world.keeper;
    world.knows(keeper, "keeper");
    let packages: Vec<u64> = (0..3).map(|at| world.package(world.project, &format!("lib-{at}"))).collect();
    world.bitbucket.admit(packages[0], ada, Some(Level::Read));
    world.follow();
    world.log_in();
    (world, packages)
}

fn renewals(world: &World) -> usize {
    world.bitbucket.stage.world().grants.renewals
}

/// The refresh tokens that were shown since the last call, and how often.
fn shown(world: &World) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for asked in world.bitbucket.stage.take_log().iter().filter(|asked| asked.path.ends_with("/access_token")) {
        let form = asked.form().unwrap_or_default();
        for (_, token) in form.into_iter().filter(|(name, _)| name == "refresh_token") {
            *found.entry(token).or_insert(0) += 1;
        }
    }
    found
}

fn credential(world: &World) -> serde_json::Value {
    let all: serde_json::Value = serde_json::from_str(&world.ours.command("credential list --json").done()).unwrap();
    all.as_array().unwrap().iter().find(|one| one["name"] == "forge").unwrap().clone()
}

#[test]
fn a_workspace_is_followed_with_a_connected_account() {
    let (world, packages) = world();
    world.connect("keeper", "forge");
    world.ours.command("credential remove main --replace-with forge").done();
    world.bitbucket.revoke(&world.token);
    assert_eq!(credential(&world)["type"], "bitbucket-cloud-oauth");
    world.run().done();
    world.agrees("a comparison with a connected account");
    world.comes("there is a hook of that account", || world.hooks().len() == 1);
    let tag = world.tag(packages[0], "2.0.0");
    world.bitbucket.pushed(packages[0], &[tag]);
    world.comes("a push is told, and fetched as the account", || world.versions(packages[0]).contains("2.0.0"));
    let said = world.tested("forge");
    assert!(said.contains("keeper") && said.contains("list who reads what"), "{said}");
    let log = world.ours.log();
    let shown = world.bitbucket.stage.world().grants.tokens.keys().any(|token| log.contains(token.as_str()));
    assert!(!shown, "a token is in the log");

    world.bitbucket.stage.world().grants.end_all(world.keeper);
    world.bitbucket.stage.world().grants.refreshes.clear();
    assert!(!world.run().failed().is_empty());
    world.agrees("the account took the permission back");
}

#[test]
fn tokens_are_renewed_once_whoever_needs_them_and_the_old_ones_are_not_shown_again() {
    let (world, packages) = world();
    // They are renewed every two seconds.
    world.bitbucket.stage.world().token_life = 4;
    world.connect("keeper", "forge");
    world.ours.command("credential remove main --replace-with forge").done();
    drop(shown(&world));
    let before = renewals(&world);
    world.comes("tokens are renewed again and again", || {
        // The API and three Git repositories at once.
        world.ours.command("package update --all --wait").done();
        world.run().done();
        renewals(&world) > before + 2
    });
    let shown = shown(&world);
    assert!(shown.len() > 2 && shown.values().all(|often| *often == 1), "{:?}", shown.values());
    assert_eq!(renewals(&world) - before, shown.len(), "each renewal was one request");
    assert!(world.versions(packages[2]).contains("1.0.0"));
    world.agrees("tokens were renewed");
    assert_eq!(credential(&world)["status"], "ok");
}

/// Kills the server while new tokens are on their way to it.
fn killed_at_renewal() -> World {
    let (mut world, _) = world();
    world.bitbucket.stage.world().token_life = 4;
    world.connect("keeper", "forge");
    world.ours.command("credential remove main --replace-with forge").done();
    world.run().done();
    world.bitbucket.stage.fail_at("/access_token", 1..=1, Fault::Swallowed);
    let before = renewals(&world);
    world.comes("Bitbucket renews", || {
        drop(world.ours.command(&format!("sync run {}", world.sync)));
        renewals(&world) > before
    });
    drop(shown(&world));
    world.kill();
    world
}

#[test]
fn a_crash_between_renewal_and_commit_is_made_good_within_ten_minutes() {
    let world = killed_at_renewal();
    world.comes("the old refresh token works still", || world.run().code == Some(0));
    world.agrees("tokens were lost once");
    assert_eq!(credential(&world)["status"], "ok");
}

#[test]
fn a_crash_that_lasts_longer_wants_the_account_connected_again_and_takes_nothing_away() {
    let world = killed_at_renewal();
    world.bitbucket.pass(700);
    for _ in 0..3 {
        let said = world.run().failed();
        assert!(said.contains("has to be connected again"), "{said}");
    }
    assert!(shown(&world).values().sum::<usize>() <= 1, "no loop");
    let told = credential(&world);
    assert!(told["status"] == "refused" && told["error"].as_str().unwrap().contains("connected again"), "{told}");
    world.agrees("nothing was taken from anybody");
    world.connect_again("keeper", "forge");
    world.comes("it goes on by itself", || world.status()["status"] == "ok");
}

#[test]
fn a_token_of_a_project_or_repository_reads_that_and_nothing_else() {
    let mut world = World::new();
    let ada = world.member("ada");
    let other = world.bitbucket.project(world.workspace, "LIB");
    let [lib, second, third] =
        [(world.project, "lib"), (world.project, "second"), (other, "third")].map(|(at, name)| world.package(at, name));
    for id in [lib, second] {
        world.bitbucket.admit(id, ada, Some(Level::Read));
    }
    let address = |name: &str| format!("{}acme/{name}.git", world.bitbucket.url());
    let add = |name: &str, credential: &str| {
        world.ours.command(&format!("package add {} --credential {credential} --wait", address(name)))
    };
    world.credential("repository", &world.bitbucket.token(Reach::Repository(lib), "read:repository:bitbucket"));
    add("lib", "repository").done();
    assert!(world.versions(lib).contains("1.0.0"));
    add("third", "repository").failed();
    assert!(world.tested("repository").contains("an access token of a workspace, project or repository"));

    world.credential("project", &world.bitbucket.token(Reach::Project(world.project), SCOPES));
    add("third", "project").failed();
    world.ours.command("package remove acme/lib").done();
    // It sees its project alone, and administers what is in it.
    world.follow_projects("project", &["WEB"]);
    world.log_in();
    assert_eq!(world.status()["packages"], 2);
    world.agrees("a workspace is followed with the token of a project");
    assert!(world.versions(third).is_empty());
    world.comes("its repositories have hooks, for it owns no workspace", || world.hooks().len() == 2);
    let tag = world.tag(second, "2.0.0");
    world.bitbucket.pushed(second, &[tag]);
    world.comes("a push is told", || world.versions(second).contains("2.0.0"));
}

#[test]
fn people_are_known_by_their_verified_addresses_where_that_is_trusted_and_told() {
    let elsewhere = BitbucketCloud::start("http://127.0.0.1/");
    let mut world = World::beside(Some(&elsewhere));
    let [ada, mia] = ["ada", "mia"].map(|login| world.member(login));
    let lib = world.package(world.project, "lib");
    for user in [ada, mia] {
        world.bitbucket.admit(lib, user, Some(Level::Read));
    }
    // Both come by another way, with the address that they have at Bitbucket; nobody has shown that mia's is hers.
    elsewhere.user("ada");
    let other = elsewhere.user("mia");
    elsewhere.change(other, |user| user.emails.iter_mut().for_each(|own| own.confirmed = false));
    let tokens = ["ada", "mia"].map(|login| {
        world.log_in_by(("sso", elsewhere.stage.address), login);
        world.ours.command(&format!("token add --user {login}")).done()
    });
    let shown = |world: &World| tokens.each_ref().map(|token| world.shown(token).len());
    let plain = world.bitbucket.user("bot");
    world.bitbucket.enrol(world.workspace, plain, false);
    world.bitbucket.admit(lib, plain, Some(Level::Admin));
    let weak = world.bitbucket.token(Reach::Person(plain), SCOPES);
    world.credential_as("weak", "bitbucket-cloud-token", "bot@example.com", &weak);
    world.follow_with("acme", "weak");
    assert_eq!(shown(&world), [0, 0], "it is not told the addresses, which ends no run");
    world.ours.command("credential remove weak --replace-with main").done();
    world.run().done();
    assert_eq!(shown(&world), [1, 0]);
    let list = world.ours.command("audit export").done();
    assert_eq!(list.matches("account.connect-by-email").count(), 1, "{list}");
    world.run().done();
    assert_eq!(world.ours.command("audit export").done().matches("account.connect-by-email").count(), 1);
}
