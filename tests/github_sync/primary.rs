//! Who owns what: the owners of the primary synchronization's organization, and another one in its place.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::platforms::github::directory::Rank;
use crate::world::World;

/// What everybody is here.
fn roles(world: &World) -> BTreeMap<String, String> {
    let list: Value = serde_json::from_str(&world.ours.command("member list --json").done()).unwrap();
    let list = list.as_array().unwrap().iter();
    list.map(|one| (one["name"].as_str().unwrap().to_owned(), one["role"].as_str().unwrap().to_owned())).collect()
}

/// Whose the token is that we read with.
fn keeper(world: &World) -> u64 {
    world.github.stage.world().tokens[&world.token].user
}

#[test]
fn another_synchronization_becomes_primary_and_what_that_does_is_told_before() {
    let mut world = World::new();
    world.github.silence(true);
    world.package("lib");
    let [olga, bea, both] = ["olga", "bea", "both"].map(|login| world.person(login));
    let beta = world.github.organization("beta");
    let enrolled = [(world.org, olga, Rank::Owner), (world.org, bea, Rank::Member), (world.org, both, Rank::Owner)];
    for (org, person, rank) in enrolled {
        world.github.enrol(org, person, rank);
    }
    for (person, rank) in [(olga, Rank::Member), (bea, Rank::Owner), (both, Rank::Owner)] {
        world.github.enrol(beta, person, rank);
    }
    let token = world.github.token(bea, crate::world::SCOPES);
    world.credential("second", &token);
    world.follow();
    let second = world.ours.command("sync add --integration ghe --remote beta --credential second").done();
    let early = world.ours.command(&format!("sync promote {second}"));
    assert!(early.failed().contains("never ran"), "nobody knows who the owners there are");
    world.ours.command(&format!("sync run {second} --wait")).done();
    world.log_in();
    let role = |name: &str| roles(&world)[name].clone();
    assert_eq!((role("olga"), role("bea"), role("both")), ("owner".into(), "member".into(), "owner".into()));

    let preview = world.ours.command(&format!("sync promote {second} --preview"));
    let told = format!("{}{}", preview.out, preview.err);
    preview.done();
    assert!(told.contains("ghe:bea would be an owner"), "{told}");
    assert!(told.contains("ghe:olga would be no owner") && told.contains("ghe:keeper would be no owner"), "{told}");
    assert!(!told.contains("both"), "whoever owns both stays: {told}");
    assert_eq!(role("bea"), "member", "a preview changes nothing");

    world.ours.command(&format!("sync promote {second}")).done();
    assert_eq!((role("olga"), role("bea"), role("both")), ("member".into(), "owner".into(), "owner".into()));
    world.run().done();
    world.ours.command(&format!("sync run {second} --wait")).done();
    assert_eq!((role("olga"), role("bea"), role("both")), ("member".into(), "owner".into(), "owner".into()));
    let list: Value = serde_json::from_str(&world.ours.command("sync list --json").done()).unwrap();
    assert_eq!((&list[0]["primary"], &list[1]["primary"]), (&false.into(), &true.into()));

    // Nobody who can get in owns the first organization any more: it cannot be the primary one.
    world.github.enrol(world.org, both, Rank::Member);
    world.github.enrol(world.org, olga, Rank::Member);
    world.github.enrol(world.org, keeper(&world), Rank::Member);
    world.run().done();
    let refused = world.ours.command(&format!("sync promote {}", world.sync)).failed();
    assert!(refused.contains("without an owner"), "{refused}");
    assert_eq!(role("bea"), "owner");
    let primary = world.ours.command(&format!("sync remove {second}")).failed();
    assert!(primary.contains("primary"), "{primary}");
}

#[test]
fn an_owner_there_is_one_here_as_long_as_they_are() {
    let mut world = World::new();
    world.package("lib");
    let (ada, bob) = (world.member("ada"), world.member("bob"));
    world.github.enrol(world.org, ada, Rank::Owner);
    world.follow();
    world.log_in();
    assert_eq!(roles(&world)["ada"], "owner");
    world.github.promoted(world.org, ada, Rank::Member);
    world.github.promoted(world.org, bob, Rank::Owner);
    world.run().done();
    assert_eq!((roles(&world)["ada"].as_str(), roles(&world)["bob"].as_str()), ("member", "owner"));
    // The last one that can get in stays, and that is said.
    world.github.promoted(world.org, bob, Rank::Member);
    world.github.promoted(world.org, keeper(&world), Rank::Member);
    let _ = world.run();
    assert_eq!(roles(&world)["bob"], "owner", "{}", world.status());
}
