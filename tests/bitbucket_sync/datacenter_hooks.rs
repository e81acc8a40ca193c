//! Webhooks of Bitbucket Data Center: of the project where the version has them, else of repositories.

use crate::datacenter_world::World;
use crate::platforms::bitbucket_datacenter::hooks::{Hook, Place};
use crate::platforms::post::Parcel;
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

    let jobs = || world.ours.command("job list --json").done();
    world.comes("everything that began has ended", || !jobs().contains("\"running\"") && !jobs().contains("\"ready\""));
    let before = jobs();
    world.bitbucket.ping(hook.id);
    world.bitbucket.post().settle();
    assert_eq!(jobs(), before, "nothing comes of a ping");
    assert_eq!(world.bitbucket.post().sent().last().unwrap().status, Some(200), "a ping is never signed");

    let tag = world.tag(lib, "2.0.0");
    // An annotated tag is told by its own hash, which no listing of commits has.
    let tag = Pushed { after: Some("fb52f2e7d521b6f5e720b386b2c2b0ef8563e0dc".to_owned()), ..tag };
    world.bitbucket.pushed(lib, &[tag]);
    world.comes("a tag is served", || world.versions(lib).contains("2.0.0"));

    // A mirror has everything, and does not say what that is.
    world.tag(lib, "2.1.0");
    world.bitbucket.mirrored(lib);
    world.comes("what a mirror has is served", || world.versions(lib).contains("2.1.0"));

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
    // One with a licence for one server: there are no mirrors that could be told of.
    world.bitbucket.stage.world().has_mirrors = false;
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

#[test]
fn what_a_hook_told_for_certain_is_not_compared_once_more() {
    let mut world = World::new();
    let lib = world.package("lib");
    let site = world.other("site");
    world.follow();
    let place = Place::Project(world.project);
    world.comes("there is a hook", || world.bitbucket.hooks(place).len() == 1);
    world.comes("that is known", || world.ours.command("hook list --json").done().contains("\"ok\""));
    world.run().done();
    let hook = world.bitbucket.hooks(place)[0].id;
    // What a comparison that nobody asked for looked at: who reads what, and code.
    let looked = |world: &mut World| {
        let runs = |world: &World| {
            world.ours.command(&format!("sync history {}", world.sync)).done().matches("schedule").count()
        };
        let before = runs(world);
        world.ours.stop();
        world.bitbucket.stage.take_log();
        world.ours.serve();
        world.comes("a comparison by itself", || runs(world) > before);
        world.comes("all that came of it is done", || {
            let jobs = world.ours.command("job list --json").done();
            !jobs.contains("\"running\"") && !jobs.contains("\"ready\"")
        });
        let log = world.bitbucket.stage.take_log();
        let count = |part: &str| log.iter().filter(|asked| asked.path.contains(part)).count();
        assert!(count("/repos/lib/permissions/users") == 1 && count("/ACME/permissions/users") == 1);
        (count("/browse/composer.json"), count(".git/info/refs"))
    };
    let (manifests, refs) = looked(&mut world);
    assert!(manifests == 1 && refs > 1, "the hook is young: there may have been something before it");
    world.bitbucket.alter_hook(hook, |hook| hook.updated -= 24 * 3_600_000);
    // A server that was away looks at each package once, whatever hooks told.
    assert_eq!(looked(&mut world), (0, refs - 1), "all was told");
    // It tells of what was no package, too.
    let refs = world.fill(site, "site");
    world.bitbucket.pushed(site, &refs);
    world.comes("a package", || world.versions(site).contains("1.0.0"));
    // While nobody answers, something is pushed.
    world.ours.stop();
    let tag = world.tag(lib, "2.0.0");
    world.bitbucket.pushed(lib, &[tag]);
    world.bitbucket.post().settle();
    world.ours.serve();
    world.comes("what was not told is found", || world.versions(lib).contains("2.0.0"));
}

/// What was answered to a delivery that is sent now.
fn answered(world: &World, parcel: &Parcel) -> u16 {
    let post = world.bitbucket.post();
    post.send(parcel.clone());
    post.settle();
    post.sent().last().unwrap().status.unwrap()
}

fn set(parcel: &Parcel, name: &str, value: Option<&str>) -> Parcel {
    let mut parcel = parcel.clone();
    parcel.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
    parcel.headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    parcel
}

#[test]
fn only_what_bitbucket_signed_is_believed_and_nothing_else_trips_its_circuit_breaker() {
    let mut world = World::new();
    let lib = world.package("lib");
    world.follow();
    let place = Place::Project(world.project);
    world.comes("there is a hook", || world.bitbucket.hooks(place).len() == 1);
    let post = world.bitbucket.post();
    post.settle();
    let tag = world.tag(lib, "2.0.0");
    post.hold();
    world.bitbucket.pushed(lib, &[tag]);
    let elsewhere = world.bitbucket.project("OTHER");
    let foreign = world.bitbucket.repository(elsewhere, "foreign");
    world.bitbucket.alter(foreign, |one| one.project = world.project);
    world.bitbucket.pushed(foreign, &[Pushed::new("refs/heads/main", &"a".repeat(40))]);
    world.bitbucket.alter(foreign, |one| one.project = elsewhere);
    let [push, stray] = <[Parcel; 2]>::try_from(post.let_go()).unwrap();
    for signature in [None, Some("sha256=00"), Some("sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59")] {
        assert_eq!(answered(&world, &set(&push, "X-Hub-Signature", signature)), 401, "{signature:?}");
    }
    let changed = Parcel { body: [&push.body[..], b" "].concat(), ..push.clone() };
    assert_eq!(answered(&world, &changed), 401);
    assert!(!world.versions(lib).contains("2.0.0"), "nothing comes of what nobody signed");
    for event in ["repo:forked", "pr:opened", "something:new"] {
        let other = set(&set(&push, "X-Event-Key", Some(event)), "X-Request-Id", Some(event));
        assert_eq!(answered(&world, &other), 200, "{event}");
    }
    assert!((200..300).contains(&answered(&world, &stray)), "a repository that is none of the project's");
    assert_eq!(answered(&world, &push), 202);
    world.comes("the push is served", || world.versions(lib).contains("2.0.0"));
    assert_eq!(answered(&world, &push), 202, "the same once more");
    let deleted = Pushed { after: None, ..Pushed::new("refs/tags/2.0.0", &"b".repeat(40)) };
    world.code_of(lib).remove("refs/tags/2.0.0");
    world.bitbucket.pushed(lib, &[deleted]);
    world.comes("a tag that was deleted is served no more", || !world.versions(lib).contains("2.0.0"));
}

#[test]
fn a_newer_version_has_one_hook_in_place_of_many_and_those_of_others_stay() {
    let mut world = World::of("7.21.0", "ACME");
    let packages = [world.package("lib"), world.package("tool")];
    let foreign = world.bitbucket.foreign_hook(Place::Repository(packages[0]), "https://build.example.com/");
    let as_it_was = format!("{:?}", world.bitbucket.hooks(Place::Repository(packages[0])));
    world.follow();
    world.comes("each package has a hook", || {
        packages.map(|id| world.bitbucket.hooks(Place::Repository(id)).len()) == [2, 1]
    });
    world.bitbucket.stage.world().version = "9.4.1";
    world.ours.command("hook repair").done();
    world.comes("the project has one", || world.bitbucket.hooks(Place::Project(world.project)).len() == 1);
    world.comes("no package has one", || {
        packages.map(|id| world.bitbucket.hooks(Place::Repository(id)).len()) == [1, 0]
    });
    assert_eq!(world.bitbucket.hooks(Place::Repository(packages[0]))[0].id, foreign);
    assert_eq!(format!("{:?}", world.bitbucket.hooks(Place::Repository(packages[0]))), as_it_was);
}
