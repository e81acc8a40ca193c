//! What goes wrong at Bitbucket Data Center, and that nobody loses anything for it.

use serde_json::json;

use crate::datacenter_world::World;
use crate::platforms::bitbucket_datacenter::bucket::Buckets;
use crate::platforms::bitbucket_datacenter::directory::Level;
use crate::platforms::frame::Fault;
use crate::platforms::message::Reply;

/// A project of four packages that somebody reads.
fn world() -> World {
    let mut world = World::new();
    for at in 0..4 {
        world.package(&format!("lib-{at}"));
    }
    let ada = world.person("ada");
    world.bitbucket.give(world.project, ada, Some(Level::Read));
    world.follow();
    world.log_in();
    world.agrees("the first comparison");
    world
}

#[test]
fn whatever_answers_in_its_place_takes_nothing_from_anybody() {
    let world = world();
    // Pages of two.
    world.bitbucket.stage.world().page_limit = 2;
    world.compares("pages are short");
    let circle = json!({"values": [], "isLastPage": false, "nextPageStart": 0});
    let kind = "com.atlassian.bitbucket.project.NoSuchProjectException";
    let gone = json!({"errors": [{"message": "Project ACME does not exist.", "exceptionName": kind}]});
    let faults: [(&str, Fault, &[&str]); 9] = [
        ("/projects/ACME/repos?limit=500&start=2", Fault::Page(502), &["502"]),
        ("/permissions/groups", Fault::Answer(Reply::json(200, &circle)), &["said to go on, and not where"]),
        ("/projects/ACME", Fault::Answer(Reply::json(404, &gone)), &["Project ACME does not exist"]),
        ("/repos", Fault::Redirect("/bitbucket/login?next=/rest"), &["redirects", "stands in front"]),
        ("/permissions/users", Fault::Html, &["page"]),
        ("/permissions/groups", Fault::Page(503), &["503"]),
        ("/repos", Fault::Half, &["not what it should be"]),
        ("/projects/ACME", Fault::Cut, &["cannot be used"]),
        ("/permissions/users", Fault::Endless, &[]),
    ];
    for (part, fault, why) in faults {
        world.bitbucket.stage.fail(part, fault);
        world.fails(why);
        world.bitbucket.stage.heal();
        world.agrees("a failed comparison");
    }
    world.compares("everything works again");
}

#[test]
fn it_is_asked_again_when_it_wants_to_be() {
    let world = world();
    world.bitbucket.stage.fail_at("/permissions", 1..=1, Fault::RateLimited(Some(1)));
    world.bitbucket.stage.fail_at("/repos", 1..=2, Fault::RateLimited(None));
    world.compares("it was asked too fast");
    assert_eq!(world.status()["status"], "ok");
}

#[test]
fn a_right_that_is_missing_is_no_bad_token_and_a_bad_token_is_one() {
    let world = world();
    world.bitbucket.give(world.project, world.keeper, Some(Level::Read));
    let _ = world.run();
    let listed = world.ours.command("credential list --json").done();
    assert!(!listed.contains("\"refused\""), "{listed}");
    let ada = world.person_named("ada");
    assert_eq!(world.shown_to("ada"), world.readable(ada), "nobody is removed for it");

    world.bitbucket.give(world.project, world.keeper, Some(Level::Admin));
    world.compares("the right is there again");
    let tokens: Vec<String> = world.bitbucket.stage.world().credentials.tokens.keys().cloned().collect();
    tokens.iter().for_each(|token| world.bitbucket.revoke_token(token));
    world.fails(&["does not accept the token"]);
    let listed = world.ours.command("credential list --json").done();
    assert!(listed.contains("\"refused\""), "{listed}");
    world.agrees("the token was revoked");
}

#[test]
fn buckets_of_requests_are_waited_for_and_never_hammered() {
    for tells in [true, false] {
        let mut world = World::new();
        let ada = world.person("ada");
        world.bitbucket.give(world.project, ada, Some(Level::Read));
        for at in 0..12 {
            world.package(&format!("lib-{at}"));
        }
        world.bitbucket.stage.world().buckets = Some(Buckets::new(20.0, 40.0, tells));
        world.follow();
        let log = world.bitbucket.stage.take_log();
        let refused = world.bitbucket.stage.world().buckets.take().map_or(0, |buckets| buckets.refused);
        assert!((1..=20).contains(&refused) && refused * 3 < log.len(), "{refused} of {}", log.len());
        world.log_in();
        world.agrees("a comparison with pauses");
    }
}

#[test]
fn nobody_is_removed_while_it_does_not_say_who_asks() {
    let world = world();
    world.bitbucket.stage.world().hides_caller = true;
    world.bitbucket.give(world.project, world.person_named("ada"), None);
    world.run().done();
    assert_eq!(world.shown_to("ada").len(), 4, "what a proxy removes takes nothing from anybody");
    let plan = world.ours.command(&format!("sync plan {}", world.sync));
    assert!(plan.err.contains("X-AUSERNAME"), "{}", plan.err);
    world.bitbucket.stage.world().hides_caller = false;
    world.compares("it says who asks again");
}

#[test]
fn one_repository_that_is_not_told_of_takes_nothing_from_anybody() {
    let mut world = world();
    let [cid, dora, emil] = ["cid", "dora", "emil"].map(|login| world.person(login));
    let packages: Vec<u64> = world.packages.keys().copied().collect();
    world.bitbucket.admit(packages[0], cid, Some(Level::Read));
    world.bitbucket.group("guests", &[dora]);
    world.bitbucket.admit_group(packages[0], "guests", Some(Level::Read));
    world.bitbucket.admit(packages[1], emil, Some(Level::Read));
    world.run().done();
    world.log_in();
    world.agrees("somebody came");
    let kind = "com.atlassian.bitbucket.AuthorisationException";
    let refusal = json!({"errors": [{"message": "You are not permitted", "exceptionName": kind}]});
    world.bitbucket.stage.fail("/repos/lib-0/permissions", Fault::Answer(Reply::json(401, &refusal)));
    world.run().done();
    world.agrees("a repository was not told of");
    world.bitbucket.admit(packages[1], emil, None);
    world.bitbucket.leave("guests", dora);
    world.run().done();
    world.agrees("what is told of others, and of groups, counts all the same");
    world.bitbucket.stage.heal();
    world.bitbucket.admit(packages[0], cid, None);
    world.bitbucket.admit_group(packages[0], "guests", None);
    world.compares("it is told of again");
}
