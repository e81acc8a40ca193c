//! What goes wrong at Bitbucket Data Center, and that nobody loses anything for it.

use serde_json::json;

use crate::certificates::Authority;
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
fn an_authority_of_its_own_is_trusted_where_somebody_says_so_and_nowhere_else() {
    let authority = Authority::new();
    let mut world = World::behind("8.19.4", "ACME", Some(authority.server.clone()), Some(&authority.pem));
    let lib = world.package("lib");
    world.follow();
    assert!(world.versions(lib).contains("1.0.0"), "the API and Git: {}", world.trace());
    let stranger = Authority::new();
    let mut world = World::behind("8.19.4", "ACME", Some(authority.server), Some(&stranger.pem));
    world.package("lib");
    let token = world.bitbucket.token(world.keeper, Level::Admin, Level::Admin);
    world.credential("main", &token);
    world.sync = world.ours.command("sync add --integration bb --remote ACME --credential main").done();
    let said = world.run().failed();
    assert!(said.contains("certificate") && said.contains("ca_bundle"), "{said}");
    assert!(world.bitbucket.stage.take_log().is_empty(), "nothing was sent to whom nobody trusts");
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
    for tells in [Some(1), None] {
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
fn it_is_left_alone_for_as_long_as_it_says_and_never_asked_much_at_once() {
    let mut world = World::new();
    let ada = world.person("ada");
    world.bitbucket.give(world.project, ada, Some(Level::Read));
    for at in 0..12 {
        world.package(&format!("lib-{at}"));
    }
    // One pause, of which the simulator says whether it was kept, and room for everything afterwards.
    let mut buckets = Buckets::new(10.0, 1e-6, Some(7));
    buckets.refills_after_a_pause = true;
    world.bitbucket.stage.world().buckets = Some(buckets);
    world.follow();
    let refused = world.bitbucket.stage.world().buckets.take().map_or(0, |buckets| buckets.refused);
    assert!((1..=4).contains(&refused), "{refused}");
    world.bitbucket.stage.fail("/rest/api/", Fault::Slow);
    world.run().done();
    let most = world.bitbucket.stage.most_at_once();
    assert!((2..=4).contains(&most), "{most} at once");
    world.bitbucket.stage.heal();
    world.log_in();
    world.agrees("a comparison with a pause");
}

#[test]
fn many_who_would_lose_everything_at_once_wait_for_a_yes() {
    let mut world = World::new();
    let packages = ["lib", "tool"].map(|name| world.package(name));
    let people: Vec<u64> = (0..8).map(|at| world.person(&format!("m{at}"))).collect();
    for id in &people {
        world.bitbucket.give(world.project, *id, Some(Level::Read));
        world.bitbucket.admit(packages[0], *id, Some(Level::Read));
    }
    world.follow();
    world.log_in();
    world.agrees("the first comparison");
    // All is gone from one moment to the next, as after a mistake.
    people.iter().for_each(|id| world.bitbucket.give(world.project, *id, None));
    world.run().done();
    let status = world.status();
    assert_eq!(status["status"], "held", "{status}");
    assert!(status["error"].as_str().unwrap().contains("8 of 9 members would go"), "{status}");
    assert!(people.iter().all(|id| world.shown_to(&world.login_of(*id)).len() == 2), "nobody lost anything yet");
    let plan: serde_json::Value =
        serde_json::from_str(&world.ours.command(&format!("sync plan {} --json", world.sync)).out).unwrap();
    let digest = plan["digest"].as_str().unwrap().to_owned();
    world.ours.command(&format!("sync run {} --wait --accept {digest}", world.sync)).done();
    world.agrees("somebody said yes");
    assert_eq!(world.status()["status"], "ok");
}

#[test]
fn another_project_by_the_same_key_takes_nothing_and_gives_nothing() {
    let mut world = world();
    let ada = world.person_named("ada");
    // Deleted, and made anew by somebody else.
    world.bitbucket.alter_project(world.project, |one| "GONE".clone_into(&mut one.key));
    let other = world.bitbucket.project("ACME");
    let [eve, keeper] = [world.person("eve"), world.keeper];
    [ada, eve].iter().for_each(|id| world.bitbucket.give(other, *id, Some(Level::Read)));
    world.bitbucket.give(other, keeper, Some(Level::Admin));
    world.bitbucket.give(world.project, ada, None);
    world.bitbucket.repository(other, "trap");
    world.run().done();
    world.log_in();
    assert!(world.shown_to("ada").is_empty() && world.shown_to("eve").is_empty(), "it is followed under its new key");
    assert_eq!(world.status()["remote"], "GONE");
    // Not even that is there any more.
    let project = world.project;
    world.bitbucket.give(project, keeper, None);
    world.fails(&[]);
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
