//! The webhooks that we install at Bitbucket Cloud, and what they bring.

use crate::cloud_world::World;
use crate::platforms::bitbucket_cloud::hooks::Place;
use crate::platforms::post::Parcel;

/// One package that is followed, and its number.
fn world(change: impl FnOnce(&World)) -> (World, u64) {
    let mut world = World::new();
    let id = world.package(world.project, "lib");
    change(&world);
    world.follow();
    (world, id)
}

#[test]
fn a_hook_is_mended_whatever_became_of_it() {
    let (world, id) = world(|_| {});
    world.comes("there is a hook", || !world.hooks().is_empty());
    let hooks = world.hooks();
    assert_eq!(hooks.len(), 1, "{hooks:?}");
    assert_eq!(hooks[0].place, Place::Workspace(world.workspace));
    assert!(hooks[0].active && hooks[0].events.contains("repo:push") && hooks[0].events.contains("repo:created"));
    let damages: [fn(&mut crate::platforms::bitbucket_cloud::hooks::Hook); 4] = [
        |hook| "https://elsewhere.example.com/".clone_into(&mut hook.url),
        |hook| hook.active = false,
        |hook| hook.events.retain(|event| event != "repo:push"),
        |hook| hook.secret = None,
    ];
    for (at, damage) in damages.into_iter().enumerate() {
        let before = world.hooks().remove(0);
        {
            let mut site = world.bitbucket.stage.world();
            damage(site.hooks.all.values_mut().find(|hook| hook.uuid == before.uuid).unwrap());
        }
        world.run().done();
        world.comes(&format!("the hook is as it was after damage {at}"), || {
            let own = world.hooks();
            own.len() == 1 && (own[0].active, &own[0].events, &own[0].secret) == (true, &before.events, &before.secret)
        });
    }
    world.bitbucket.stage.world().hooks.all.clear();
    world.run().done();
    world.comes("a hook that was removed is there again", || world.hooks().len() == 1);
    let tag = world.tag(id, "3.0.0");
    world.bitbucket.pushed(id, &[tag]);
    world.comes("pushes are told still", || world.versions(id).contains("3.0.0"));
    world.ours.command(&format!("sync remove {}", world.sync)).done();
    world.comes("no hook is left behind", || world.hooks().is_empty());
}

#[test]
fn who_owns_no_workspace_hooks_repositories() {
    let (world, id) = world(|world| world.bitbucket.stage.world().hides_hooks = true);
    world.comes("the repository has a hook", || {
        world.hooks().iter().any(|hook| hook.place == Place::Repository(id) && !hook.events.contains("repo:created"))
    });
    let tag = world.tag(id, "3.0.0");
    world.bitbucket.pushed(id, &[tag]);
    world.comes("pushes are told", || world.versions(id).contains("3.0.0"));
}

#[test]
fn an_address_that_bitbucket_does_not_call_is_explained_and_we_look_ourselves() {
    let (world, id) = world(|world| world.bitbucket.stage.world().refuses_private = true);
    world.comes("it is said why", || world.ours.command("hook list --json").done().contains("public address"));
    assert!(world.hooks().is_empty());
    let tag = world.tag(id, "3.0.0");
    world.bitbucket.pushed(id, &[tag]);
    world.run().done();
    world.comes("what was pushed is found by looking", || world.versions(id).contains("3.0.0"));
}

/// What was answered to a delivery that is sent now.
fn answered(world: &World, parcel: Parcel) -> u16 {
    let post = world.bitbucket.post();
    post.settle();
    post.send(parcel);
    post.settle();
    post.sent().last().unwrap().status.unwrap()
}

#[test]
fn a_delivery_counts_once_and_only_if_it_is_signed() {
    let (world, id) = world(|_| {});
    world.comes("there is a hook", || !world.hooks().is_empty());
    let post = world.bitbucket.post();
    post.hold();
    let tag = world.tag(id, "1.1.0");
    world.bitbucket.pushed(id, &[tag]);
    let parcel = post.let_go().remove(0);
    let forged = |change: &dyn Fn(&mut Parcel)| {
        let mut forged = parcel.clone();
        change(&mut forged);
        answered(&world, forged)
    };
    let without = |parcel: &mut Parcel| parcel.headers.retain(|(name, _)| name != "X-Hub-Signature");
    assert_eq!(forged(&without), 401);
    assert_eq!(forged(&|parcel| parcel.body.push(b' ')), 401);
    assert!(!world.versions(id).contains("1.1.0"));
    assert_eq!(answered(&world, parcel.clone()), 202);
    world.comes("the tag is served", || world.versions(id).contains("1.1.0"));
    assert_eq!(answered(&world, Parcel { again: true, ..parcel }), 202);
}

#[test]
fn what_bitbucket_did_not_deliver_is_found_by_looking() {
    let (world, id) = world(|_| {});
    world.comes("there is a hook", || !world.hooks().is_empty());
    world.bitbucket.silence(true);
    let tag = world.tag(id, "4.0.0");
    world.bitbucket.pushed(id, &[tag]);
    world.run().done();
    world.comes("the tag is served", || world.versions(id).contains("4.0.0"));
}
