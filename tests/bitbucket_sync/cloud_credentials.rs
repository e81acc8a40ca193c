//! What credentials can do: API tokens with an e-mail address, access tokens of all reaches, and app passwords, which end.

use crate::cloud_world::{EMAIL, SCOPES, World};
use crate::platforms::bitbucket_cloud::directory::{Level, Reach, Secret};

/// A world in which ada may read one package.
fn world() -> (World, u64) {
    let mut world = World::new();
    let ada = world.member("ada");
    let id = world.package(world.project, "lib");
    world.bitbucket.admit(id, ada, Some(Level::Read));
    (world, id)
}

#[test]
fn an_api_token_goes_with_the_e_mail_address() {
    let (mut world, _) = world();
    let token = world.bitbucket.token(Reach::Person(world.keeper), SCOPES);
    let said = world.refused("named", "bitbucket-cloud-token", "keeper", &token);
    assert!(said.contains("e-mail address") && !said.contains(&token), "{said}");
    world.refused("named", "bitbucket-cloud-token", EMAIL, "ATBBabcdefgh");
    world.credential_as("own", "bitbucket-cloud-token", EMAIL, &token);
    world.follow_with("acme", "own");
    world.log_in();
    world.agrees("the first comparison");
    let said = world.tested("own");
    assert!(said.contains("keeper") && !said.contains(&token), "{said}");
}

#[test]
fn an_app_password_is_replaced_in_place() {
    let (mut world, _) = world();
    world.credential_as("old", "bitbucket-cloud-app-password", "keeper", "ATBBabcdefgh");
    world.ours.command_with("credential rotate old --secret-stdin", "ATBBanother").failed();
    let token = world.bitbucket.token(Reach::Person(world.keeper), SCOPES);
    let said = world.ours.command_with("credential rotate old --secret-stdin", &token).failed();
    assert!(said.contains("e-mail address"), "{said}");
    let words = format!("credential rotate old --username {EMAIL} --secret-stdin");
    world.ours.command_with(&words, &token).done();
    let list = world.ours.command("credential list --json").done();
    assert!(list.contains("bitbucket-cloud-token") && !list.contains("bitbucket-cloud-app-password"), "{list}");
    world.follow_with("acme", "old");
    world.log_in();
    world.agrees("the first comparison");
}

#[test]
fn a_test_says_what_is_missing() {
    let (world, _) = world();
    let whole = world.tested("main");
    assert!(!whole.contains("scope"), "{whole}");
    let weak = world.bitbucket.token(Reach::Workspace(world.workspace), "read:repository:bitbucket");
    world.credential("weak", &weak);
    let follow = |name: &str| {
        let words = format!("sync add --integration cloud --remote acme --credential {name} --primary");
        world.ours.command(&words)
    };
    let said = follow("weak").failed();
    assert!(said.contains("read:workspace:bitbucket") && !said.contains(&weak), "{said}");
    follow("main").done();
    let whole = world.tested("main");
    assert!(whole.contains("list who reads what") && whole.contains("webhooks") && !whole.contains("scope"), "{whole}");
    let set = |change: &dyn Fn(&mut Secret)| {
        change(world.bitbucket.stage.world().directory.secrets.get_mut(&world.token).unwrap());
    };
    set(&|own| own.scopes.retain(|scope| scope != "read:workspace:bitbucket"));
    let said = world.tested("main");
    assert!(said.contains("read:workspace:bitbucket") && !said.contains(&world.token), "{said}");
    set(&|own| own.revoked = true);
    assert!(world.tested("main").contains("does not accept the token"));
}
