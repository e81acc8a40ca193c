//! Answers that are wrong, cut off, or somebody else's: nothing is removed for them, and the reason is told.

use crate::platforms::frame::Fault;
use crate::platforms::gitlab::directory::{DEVELOPER, GUEST, OWNER};
use crate::platforms::message::Reply;
use crate::world::World;

/// More projects than a page has, of which a few are packages that ada may read.
fn world() -> World {
    let mut world = World::new();
    let ada = world.person("ada");
    let php = world.gitlab.group("php", Some(world.root));
    world.gitlab.enrol(php, ada, DEVELOPER);
    for at in 0..101 {
        world.other(world.root, &format!("site-{at}"));
    }
    for at in 0..4 {
        world.package(php, &format!("lib-{at}"));
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
fn nothing_is_removed_when_gitlab_does_not_answer_as_it_should() {
    let world = world();
    let stage = &world.gitlab.stage;
    stage.fail_at("/projects?", 2..=usize::MAX, Fault::Page(502));
    fails(&world, &["502"]);
    stage.heal();
    stage.fail("/members", Fault::Html);
    fails(&world, &["a page instead of data", "200"]);
    stage.heal();
    // What is not modified has no body that could be cut.
    world.gitlab.project(world.root, "another");
    stage.fail("/projects?", Fault::Half);
    fails(&world, &[]);
    stage.heal();
    stage.fail("/descendant_groups", Fault::Page(503));
    fails(&world, &["503"]);
    stage.heal();
    world.run().done();
    assert_eq!(world.status()["status"], "ok");
    world.agrees("everything works again");

    // Whoever is shut out for asking too much asks no more.
    stage.fail("/api/v4/", Fault::Answer(Reply::text(403, "Forbidden")));
    let said = world.run().failed();
    assert!(said.contains("too many"), "{said}");
    stage.heal();
    world.requests();
    drop(world.run());
    assert_eq!(world.requests(), 0, "it comes back later");
    world.agrees("we were shut out");
}

#[test]
fn nothing_is_removed_when_the_credential_loses_its_rights() {
    let world = world();
    let (gitlab, root) = (&world.gitlab, world.root);
    // The group is there no more, as far as one can see.
    gitlab.change_holder(&world.token, root, None);
    fails(&world, &["acme"]);
    gitlab.change_holder(&world.token, root, Some(OWNER));
    // Projects without their code.
    gitlab.change_holder(&world.token, root, Some(GUEST));
    let said = world.run();
    assert_eq!(world.shown_to("ada").len(), 4, "{said:?}");
    gitlab.change_holder(&world.token, root, Some(OWNER));
    gitlab.change_token(&world.token, |token| token.scopes = vec!["read_repository".to_owned()]);
    fails(&world, &["read_api"]);
    gitlab.change_token(&world.token, |token| token.scopes = vec!["api".to_owned(), "read_repository".to_owned()]);
    gitlab.change_token(&world.token, |token| token.expires_at = Some("2026-01-01".to_owned()));
    fails(&world, &["expired"]);
    gitlab.change_token(&world.token, |token| token.expires_at = None);
    world.run().done();
    world.agrees("everything works again");
}

#[test]
fn a_list_that_shrinks_is_held_until_somebody_agrees() {
    let mut world = World::new();
    let ada = world.person("ada");
    world.gitlab.enrol(world.root, ada, DEVELOPER);
    let packages: Vec<u64> = (0..12).map(|at| world.package(world.root, &format!("lib-{at}"))).collect();
    world.gitlab.silence(true);
    world.follow();
    world.log_in();
    world.agrees("the first comparison");
    for id in &packages[..9] {
        world.gitlab.project_deleted(*id);
    }
    let _ = world.run();
    let held = world.status();
    assert_eq!(held["status"], "held", "{held}");
    assert_eq!(world.shown_to("ada").len(), 12);
    let plan = world.ours.command(&format!("sync plan {} --json", world.sync)).done();
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert!(plan["remove"].as_array().unwrap().len() >= 9, "{plan}");
    let digest = plan["digest"].as_str().unwrap();
    world.ours.command(&format!("sync run {} --wait --accept {digest}", world.sync)).done();
    world.agrees("somebody agreed");
    assert_eq!(world.shown_to("ada").len(), 3);
}

#[test]
fn a_limit_without_headers_is_waited_for_and_one_page_more_is_read() {
    let world = world();
    world.gitlab.stage.fail_at("/descendant_groups", 1..=1, Fault::Answer(Reply::text(429, "Retry later")));
    let said = world.run();
    assert_eq!(world.shown_to("ada").len(), 4, "{said:?}");
    world.gitlab.stage.heal();
    world.gitlab.stage.fail_at("/descendant_groups", 1..=1, Fault::RateLimited(Some(1)));
    let said = world.run();
    assert_eq!(world.shown_to("ada").len(), 4, "{said:?}");
    world.gitlab.stage.heal();
    world.comes("a comparison ends well", || {
        drop(world.run());
        world.status()["status"] == "ok"
    });
}
