//! Answers that are wrong, cut off, or somebody else's: nothing is removed for them, and the reason is told.

use serde_json::json;

use crate::cloud_world::World;
use crate::platforms::bitbucket_cloud::answers::removed;
use crate::platforms::bitbucket_cloud::directory::Level;
use crate::platforms::frame::Fault;
use crate::platforms::message::Reply;

/// More repositories and permissions than a page has, of which ada may read four packages.
fn world() -> World {
    let mut world = World::new();
    let ada = world.member("ada");
    for at in 0..101 {
        world.other(world.project, &format!("site-{at}"));
    }
    for at in 0..4 {
        let id = world.package(world.project, &format!("lib-{at}"));
        world.bitbucket.admit(id, ada, Some(Level::Read));
    }
    world.follow();
    world.log_in();
    world.agrees("the first comparison");
    assert_eq!(world.shown_to("ada").len(), 4);
    world
}

/// Compares, which fails and says `why`, and nobody sees anything else than before.
#[track_caller]
fn fails(world: &World, why: &[&str]) {
    let said = world.fails(why);
    assert_eq!(world.shown_to("ada").len(), 4, "{said}");
    assert!(!said.contains(&world.token), "the token is told: {said}");
}

#[test]
fn nothing_is_removed_when_bitbucket_does_not_answer_as_it_should() {
    let world = world();
    let stage = &world.bitbucket.stage;
    stage.fail_at("/2.0/repositories/", 2..=usize::MAX, Fault::Page(502));
    fails(&world, &["502"]);
    stage.heal();
    stage.fail("/permissions", Fault::Html);
    fails(&world, &["a page instead of data", "200"]);
    stage.heal();
    stage.fail("/permissions/repositories", Fault::Half);
    fails(&world, &[]);
    stage.heal();
    stage.fail("/permissions/repositories", Fault::Page(555));
    fails(&world, &["555"]);
    stage.heal();
    stage.fail("/2.0/repositories/", Fault::Answer(removed()));
    fails(&world, &["CHANGE-2770", "https://developer.atlassian.com/"]);
    stage.heal();
    let foreign = json!({"values": [], "next": "https://elsewhere.example.com/2.0/repositories?page=2"});
    stage.fail("/2.0/repositories/", Fault::Answer(Reply::json(200, &foreign)));
    fails(&world, &["not its own"]);
    stage.heal();
    world.run().done();
    assert_eq!(world.status()["status"], "ok");
    world.agrees("everything works again");
}

#[test]
fn nothing_is_removed_when_the_credential_loses_its_rights() {
    let world = world();
    let set = |scopes: &str| {
        let mut site = world.bitbucket.stage.world();
        let own = site.directory.secrets.get_mut(&world.token).unwrap();
        own.scopes = scopes.split_whitespace().map(str::to_owned).collect();
    };
    set("read:repository:bitbucket");
    fails(&world, &["read:workspace:bitbucket"]);
    set("read:workspace:bitbucket");
    fails(&world, &["read:repository:bitbucket"]);
    set(crate::cloud_world::SCOPES);
    world.run().done();
    world.agrees("it has all scopes again");
    world.bitbucket.revoke(&world.token);
    fails(&world, &["does not accept the token"]);
}

#[test]
fn a_limit_is_waited_for() {
    let world = world();
    world.bitbucket.stage.fail_at("/permissions", 1..=1, Fault::RateLimited(Some(1)));
    let said = world.run();
    assert_eq!(world.shown_to("ada").len(), 4, "{said:?}");
    world.bitbucket.stage.heal();
    world.comes("a comparison ends well", || {
        drop(world.run());
        world.status()["status"] == "ok"
    });
}

#[test]
fn what_was_removed_for_some_hours_is_waited_for() {
    let world = world();
    world.bitbucket.stage.fail("/2.0/workspaces/", Fault::Answer(removed()));
    fails(&world, &["CHANGE-2770"]);
    world.bitbucket.stage.heal();
    world.run().done();
    world.agrees("the hours are over");
}

#[test]
fn one_repository_that_is_not_told_of_takes_nothing_from_anybody() {
    let world = world();
    let ada = world.person_named("ada");
    let (id, uuid) = {
        let mut site = world.bitbucket.stage.world();
        site.hides_bulk = true;
        let found = site.directory.repositories.iter().find(|(_, one)| one.slug == "lib-0");
        found.map(|(id, one)| (*id, one.uuid.trim_matches(['{', '}']).to_owned())).unwrap()
    };
    world.run().done();
    world.agrees("permissions are told of single repositories only");
    for status in [403, 404] {
        let refusal = json!({"type": "error", "error": {"message": "No"}});
        world.bitbucket.stage.fail(&uuid, Fault::Answer(Reply::json(status, &refusal)));
        world.run().done();
        assert_eq!(world.shown_to("ada").len(), 4, "a repository was not told of: {status}");
        world.bitbucket.stage.heal();
    }
    world.bitbucket.admit(id, ada, None);
    world.run().done();
    world.agrees("it is told of again");
}
