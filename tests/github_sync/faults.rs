//! Answers that are wrong, cut off, or somebody else's: nothing is removed for them, and the reason is told.

use crate::platforms::frame::Fault;
use crate::platforms::github::directory::{Level, Rank};
use crate::platforms::message::Reply;
use crate::world::World;

/// More repositories than a page has, of which a few are packages that ada may read.
fn world() -> World {
    let mut world = World::new();
    let ada = world.member("ada");
    let team = world.github.team(world.org, "team", None);
    world.github.join(team, ada);
    for at in 0..101 {
        world.other(&format!("site-{at}"));
    }
    for at in 0..4 {
        let id = world.package(&format!("lib-{at}"));
        world.give(team, id);
    }
    world.follow();
    world.log_in();
    world.agrees("the first comparison");
    assert_eq!(world.differences(), Vec::<String>::new());
    assert_eq!(world.shown(world.people[0].token.as_ref().unwrap()).len(), 4);
    world
}

/// Compares, which fails and says `why`, and nothing is another than before.
#[track_caller]
fn fails(world: &World, why: &[&str]) {
    let said = world.fails(why);
    world.agrees(&said);
    assert!(!said.contains(&world.token), "the token is told: {said}");
}

#[test]
fn nothing_is_removed_when_github_does_not_answer_as_it_should() {
    let world = world();
    let stage = &world.github.stage;
    stage.fail_at("/repos?", 2..=usize::MAX, Fault::Page(502));
    fails(&world, &["502"]);
    stage.heal();
    stage.fail("/members", Fault::Html);
    fails(&world, &["a page instead of data", "200"]);
    stage.heal();
    // What is not modified has no body that could be cut.
    world.github.team(world.org, "another", None);
    stage.fail("/teams", Fault::Half);
    fails(&world, &[]);
    stage.heal();
    stage.fail("/orgs/acme", Fault::Page(503));
    fails(&world, &["503"]);
    stage.heal();
    world.run().done();
    assert_eq!(world.status()["status"], "ok");
    world.agrees("everything works again");
}

#[test]
fn nothing_is_removed_when_the_credential_loses_its_rights() {
    let world = world();
    world.github.change_token(&world.token, |token| token.scopes = Some(vec!["repo".to_owned()]));
    fails(&world, &["read:org"]);
    world.github.change_token(&world.token, |token| token.scopes = Some(vec!["read:org".to_owned()]));
    // Private repositories vanish from the list without a word.
    let said = world.run();
    assert!(world.differences().is_empty(), "{said:?}\n{}", world.trace());
    world.github.change_token(&world.token, |token| {
        token.scopes = Some(["repo", "admin:org", "admin:org_hook"].map(str::to_owned).to_vec());
    });
    world.run().done();

    // The whole organization is gone, as far as one can see.
    let refusal = Reply::json(404, &serde_json::json!({"message": "Not Found"}));
    world.github.stage.fail("/orgs/acme", Fault::Answer(refusal));
    fails(&world, &["acme"]);
    world.github.stage.heal();
    let url = "https://github.com/orgs/acme/sso?authorization_request=x";
    let refusal =
        Reply::json(403, &serde_json::json!({"message": "Resource protected by organization SAML enforcement."}));
    world.github.stage.fail("/orgs/acme", Fault::Answer(refusal.with("x-github-sso", &format!("required; url={url}"))));
    fails(&world, &["single sign-on"]);
    world.github.stage.heal();
    world.run().done();
    world.agrees("everything works again");
}

#[test]
fn a_list_that_shrinks_is_held_until_somebody_agrees() {
    let mut world = World::new();
    let ada = world.member("ada");
    let team = world.github.team(world.org, "team", None);
    world.github.join(team, ada);
    let packages: Vec<u64> = (0..12).map(|at| world.package(&format!("lib-{at}"))).collect();
    packages.iter().for_each(|id| world.give(team, *id));
    world.github.silence(true);
    world.follow();
    world.log_in();
    world.agrees("the first comparison");
    let bea = world.github.user("bea");
    world.github.enrol(world.org, bea, Rank::Member);
    for id in &packages[..9] {
        world.github.repository_deleted(*id);
    }
    let token = world.people[0].token.clone().unwrap();
    let _ = world.run();
    let held = world.status();
    assert_eq!(held["status"], "held", "{held}");
    assert_eq!(held["members"].as_u64(), Some(3), "what is not in doubt is done: {held}");
    assert_eq!(world.shown(&token).len(), 12);
    let plan: serde_json::Value =
        serde_json::from_str(&world.ours.command(&format!("sync plan {} --json", world.sync)).done()).unwrap();
    assert!(plan["remove"].as_array().unwrap().len() >= 9, "{plan}");
    let digest = plan["digest"].as_str().unwrap();
    world.ours.command(&format!("sync run {} --wait --accept {digest}", world.sync)).done();
    world.agrees("somebody agreed");
    assert_eq!(world.shown(&token).len(), 3);
    world.github.collaborator_added(packages[9], bea, Level::Read);
    world.run().done();
    assert_eq!(world.status()["status"], "ok");
}
