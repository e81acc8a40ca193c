//! Deliveries of webhooks: twice, out of order, by somebody else, many at once, and with the server killed after it said
//! that it would do the work.

use std::collections::BTreeSet;

use crate::platforms::github::directory::Rank;
use crate::platforms::github::events::Pushed;
use crate::platforms::github::hooks::Place;
use crate::platforms::github::post::Parcel;
use crate::world::World;

/// One package that is followed, with a hook that is known to work.
fn world() -> (World, u64) {
    let mut world = World::new();
    let id = world.package("lib");
    world.follow();
    let place = Place::Organization(world.org);
    world.comes("there is a hook", || world.github.hooks(place).len() == 1);
    world.github.post().settle();
    (world, id)
}

/// What was answered to a delivery that is sent now.
fn answered(world: &World, parcel: Parcel) -> u16 {
    let post = world.github.post();
    post.settle();
    post.send(parcel);
    post.settle();
    post.sent().last().unwrap().status.unwrap()
}

/// The requests of Git since the last call.
fn updates(world: &World) -> usize {
    world.github.stage.take_log().iter().filter(|asked| asked.path.contains("git-upload-pack")).count()
}

/// What is told of a new tag, which is not sent yet.
fn push(world: &World, id: u64, tag: &str) -> Vec<Parcel> {
    let refs = [world.tag(id, tag)];
    world.github.parcels(|github| github.pushed(id, &refs))
}

#[test]
fn a_delivery_counts_once_whenever_it_comes_and_only_with_its_signature() {
    let (world, id) = world();
    let served = |name: &str| world.versions(id).contains(name);
    updates(&world);
    let first = push(&world, id, "1.1.0");
    assert!(first.len() >= 2, "a push and the making of a tag");
    for parcel in &first {
        assert_eq!(answered(&world, parcel.clone()), 202);
    }
    world.comes("the tag is served", || served("1.1.0"));
    assert!(updates(&world) > 0);
    for parcel in &first {
        let again = Parcel { again: true, ..parcel.clone() };
        assert_eq!(answered(&world, again), 202);
    }

    // What comes late says nothing about what is there now.
    let older = push(&world, id, "1.2.0");
    let newer = push(&world, id, "1.3.0");
    for parcel in newer.into_iter().chain(older).rev() {
        assert_eq!(answered(&world, parcel), 202);
    }
    world.comes("both tags are served", || served("1.2.0") && served("1.3.0"));

    let mut forged = push(&world, id, "1.4.0");
    for parcel in &mut forged {
        for (name, value) in &mut parcel.headers {
            if name == "X-Hub-Signature-256" {
                *value = format!("sha256={}", "0".repeat(64));
            }
        }
        assert_eq!(answered(&world, parcel.clone()), 401);
        parcel.headers.retain(|(name, _)| name != "X-Hub-Signature-256");
        assert_eq!(answered(&world, parcel.clone()), 401, "the weaker signature alone is none");
    }
    assert_eq!(world.ours.command("job list --json").done().matches("\"waiting\"").count(), 0);
    assert!(!served("1.4.0"));
}

#[test]
fn five_hundred_pushes_are_taken_and_make_little_work() {
    let (world, id) = world();
    updates(&world);
    for at in 0..499 {
        world.github.pushed(
            id,
            &[Pushed {
                name: "refs/heads/main".to_owned(),
                before: Some("1".repeat(40)),
                after: Some(format!("{at:040x}")),
            }],
        );
    }
    let last = world.tag(id, "9.0.0");
    world.github.pushed(id, &[last]);
    let post = world.github.post();
    post.settle();
    let answers: BTreeSet<Option<u16>> = post.sent().iter().map(|sent| sent.status).collect();
    assert!(answers.iter().all(|status| matches!(status, Some(200 | 202))), "{answers:?}");
    world.comes("the last push is served", || world.versions(id).contains("9.0.0"));
    let count = updates(&world);
    assert!(count < 200, "{count} requests of Git for 500 pushes");
}

#[test]
fn what_was_taken_is_done_though_the_server_is_killed() {
    let (mut world, id) = world();
    for round in 0..3 {
        let tag = format!("2.{round}.0");
        let parcels = push(&world, id, &tag);
        let newcomer = world.github.user(&format!("new-{round}"));
        let joined = world.github.parcels(|github| {
            github.member_added(world.org, newcomer, Rank::Member);
        });
        for parcel in parcels.into_iter().chain(joined) {
            assert_eq!(answered(&world, parcel), 202);
        }
        world.kill();
        world.comes("the tag is served after all", || world.versions(id).contains(&tag));
        let members = world.github.stage.world().directory.orgs[&world.org].members.len() as u64;
        world.comes("the member is there after all", || world.status()["members"].as_u64() == Some(members));
    }
}
