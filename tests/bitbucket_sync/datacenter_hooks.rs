//! Webhooks of Bitbucket Data Center: of the project where the version has them, else of repositories.

use crate::datacenter_world::World;
use crate::platforms::bitbucket_datacenter::hooks::{Hook, Place};
use crate::platforms::pushed::Pushed;

#[test]
fn a_hook_of_the_project_tells_of_everything_that_bitbucket_tells() {
    let mut world = World::new();
    let lib = world.package("lib");
    let foreign = world.bitbucket.foreign_hook(Place::Project(world.project), "https://build.example.com/");
    world.follow();
    let place = Place::Project(world.project);
    let own = |world: &World| -> Option<Hook> {
        world.bitbucket.hooks(place).into_iter().find(|hook| hook.url.starts_with(&world.ours.url("/hooks/")))
    };
    world.comes("there is a hook", || own(&world).is_some());
    let hook = own(&world).unwrap();
    assert!(hook.secret.as_ref().is_some_and(|secret| secret.len() >= 32) && hook.active && hook.verifies, "{hook:?}");

    world.bitbucket.ping(hook.id);
    world.bitbucket.post().settle();
    assert_eq!(world.bitbucket.post().sent().last().unwrap().status, Some(200), "a ping is never signed");

    let tag = world.tag(lib, "2.0.0");
    // An annotated tag is told by its own hash, which no listing of commits has.
    let tag = Pushed { after: Some("fb52f2e7d521b6f5e720b386b2c2b0ef8563e0dc".to_owned()), ..tag };
    world.bitbucket.pushed(lib, &[tag]);
    world.comes("a tag is served", || world.versions(lib).contains("2.0.0"));

    world.bitbucket.renamed(lib, "renamed");
    world.comes("the package's address is the new one", || {
        world.ours.command("package list --json").done().contains("/renamed.git")
    });

    let newborn = world.bitbucket.repository(world.project, "newborn");
    let refs = world.fill(newborn, "newborn");
    world.bitbucket.pushed(newborn, &refs);
    world.comes("a repository that was not known is a package by its first push", || {
        world.versions(newborn).contains("1.0.0")
    });

    let damages: [fn(&mut Hook); 4] = [
        |hook| hook.active = false,
        |hook| "https://elsewhere.example.com/".clone_into(&mut hook.url),
        |hook| {
            hook.events.remove("repo:refs_changed");
        },
        |hook| hook.verifies = false,
    ];
    for damage in damages {
        world.bitbucket.alter_hook(own(&world).unwrap().id, damage);
        world.run().done();
        world.comes("the hook is as it was", || {
            own(&world).is_some_and(|own| {
                own.active
                    && own.verifies
                    && own.url == hook.url
                    && own.events == hook.events
                    && own.secret == hook.secret
            })
        });
    }
    world.bitbucket.hook_deleted(own(&world).unwrap().id);
    world.run().done();
    world.comes("the hook is there again", || own(&world).is_some());

    world.ours.command(&format!("sync remove {}", world.sync)).done();
    world.comes("no hook of ours is left behind", || own(&world).is_none());
    let left = world.bitbucket.hooks(place);
    assert_eq!(left.iter().map(|hook| hook.id).collect::<Vec<_>>(), [foreign], "that of others is as it was");
}

#[test]
fn versions_without_hooks_of_projects_have_them_at_each_package() {
    let mut world = World::of("7.21.0", "ACME");
    let packages = [world.package("lib"), world.package("tool")];
    let site = world.other("site");
    world.follow();
    for id in packages {
        world.comes("a package's repository has a hook", || world.bitbucket.hooks(Place::Repository(id)).len() == 1);
    }
    assert!(world.bitbucket.hooks(Place::Repository(site)).is_empty(), "what is no package needs none");
    let tag = world.tag(packages[1], "3.0.0");
    world.bitbucket.pushed(packages[1], &[tag]);
    world.comes("pushes are told", || world.versions(packages[1]).contains("3.0.0"));
}

#[test]
fn what_a_skipped_hook_did_not_tell_is_found_by_comparison() {
    let mut world = World::new();
    let lib = world.package("lib");
    world.follow();
    let place = Place::Project(world.project);
    world.comes("there is a hook", || world.bitbucket.hooks(place).len() == 1);
    let hook = world.bitbucket.hooks(place)[0].clone();
    // Nobody answers for a while, until it is skipped.
    world.bitbucket.alter_hook(hook.id, |hook| "http://127.0.0.1:9/".clone_into(&mut hook.url));
    for at in 0..6 {
        let tag = world.tag(lib, &format!("2.{at}.0"));
        world.bitbucket.pushed(lib, &[tag]);
        world.bitbucket.post().settle();
    }
    world.bitbucket.alter_hook(hook.id, |one| hook.url.clone_into(&mut one.url));
    let sent = world.bitbucket.post().sent().len();
    let tag = world.tag(lib, "3.0.0");
    world.bitbucket.pushed(lib, &[tag]);
    world.bitbucket.post().settle();
    assert_eq!(world.bitbucket.post().sent().len(), sent, "it is skipped");
    world.run().done();
    world.comes("what was not told is served", || world.versions(lib).contains("3.0.0"));
    world.comes("somebody is told that deliveries fail", || {
        world.ours.command("hook list --json").done().contains("delivery failed")
    });
}
