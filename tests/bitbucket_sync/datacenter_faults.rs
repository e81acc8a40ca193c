//! What goes wrong at Bitbucket Data Center, and that nobody loses anything for it.

use crate::datacenter_world::World;
use crate::platforms::bitbucket_datacenter::directory::Level;
use crate::platforms::frame::Fault;

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
    let faults: [(&str, Fault, &[&str]); 6] = [
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
fn a_password_that_is_wrong_is_shown_once_and_never_locks_the_account() {
    let mut world = World::new();
    world.package("lib");
    world.bitbucket.password(world.keeper, "right-horse");
    let url = world.bitbucket.url();
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let words =
        format!("credential add main --type bitbucket-datacenter-token --host {host} --username keeper --secret-stdin");
    world.ours.command_with(&words, "right-horse").done();
    world.follow_with("ACME", "main");
    assert_eq!(world.status()["packages"], 1);
    world.bitbucket.password(world.keeper, "changed");
    for _ in 0..4 {
        let _ = world.run();
        let _ = world.ours.command("package update --all --wait");
    }
    assert_eq!(world.bitbucket.failures("keeper"), 1, "one refusal is enough");
    world.ours.command_with("credential rotate main --secret-stdin", "changed").done();
    world.run().done();
    assert_eq!(world.bitbucket.failures("keeper"), 0);
}

#[test]
fn a_token_of_the_project_reads_clones_and_says_what_it_may_not() {
    let mut world = World::new();
    let lib = world.package("lib");
    let ada = world.person("ada");
    world.bitbucket.group("team", &[ada]);
    world.bitbucket.give_group(world.project, "team", Some(Level::Read));
    let token = world.bitbucket.project_token(world.project, Level::Admin);
    world.credential("main", &token);
    world.follow_with("ACME", "main");
    assert!(world.versions(lib).contains("1.0.0"), "Git takes it as Bearer alone: {}", world.trace());
    let said = world.ours.command("credential test main");
    assert!(format!("{}{}", said.out, said.err).contains("who is in a group"), "{} {}", said.out, said.err);
    let plan = world.ours.command(&format!("sync plan {}", world.sync));
    assert!(plan.err.contains("who is in team"), "{} {}", plan.out, plan.err);
}
