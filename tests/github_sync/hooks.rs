//! The webhooks that we install, and see to.

use crate::platforms::github::hooks::Place;
use crate::world::World;

#[test]
fn a_hook_is_mended_whatever_became_of_it() {
    let mut world = World::new();
    let id = world.package("lib");
    world.follow();
    let place = Place::Organization(world.org);
    world.comes("there is a hook", || world.github.hooks(place).len() == 1);
    let hook = world.github.hooks(place)[0];
    let (url, secret) = {
        let site = world.github.stage.world();
        let hook = &site.hooks.all[&hook];
        assert!(!hook.form && !hook.insecure && hook.active, "{hook:?}");
        (hook.url.clone(), hook.secret.clone().unwrap())
    };
    assert!(url.starts_with(&world.ours.url("/hooks/")), "{url}");
    assert!(secret.len() >= 32);
    let damages: [fn(&mut crate::platforms::github::hooks::Hook); 4] = [
        |hook| hook.active = false,
        |hook| "https://elsewhere.example.com/".clone_into(&mut hook.url),
        |hook| hook.events.retain(|event| event != "membership"),
        |hook| hook.insecure = true,
    ];
    for damage in damages {
        let before = {
            let mut site = world.github.stage.world();
            let hook = site.hooks.all.get_mut(&hook).unwrap();
            let before = hook.clone();
            damage(hook);
            before
        };
        world.run().done();
        world.comes("the hook is as it was", || {
            let site = world.github.stage.world();
            let own = site.hooks.all.values().find(|hook| hook.url == before.url && hook.place == place);
            own.is_some_and(|own| own.active && own.events == before.events && !own.insecure && own.secret.is_some())
        });
    }
    let tag = world.tag(id, "3.0.0");
    world.github.pushed(id, &[tag]);
    world.comes("pushes are told still", || world.versions(id).contains("3.0.0"));

    world.ours.command(&format!("sync remove {}", world.sync)).done();
    world.comes("no hook is left behind", || {
        let site = world.github.stage.world();
        !site.hooks.all.values().any(|hook| hook.url.starts_with(&world.ours.url("/hooks/")))
    });
}

#[test]
fn a_token_that_may_not_hook_the_organization_hooks_repositories() {
    let mut world = World::new();
    let packages = [world.package("lib"), world.package("tool")];
    let site = world.other("site");
    world.github.change_token(&world.token, |token| {
        token.scopes = Some(["repo", "read:org"].map(str::to_owned).to_vec());
    });
    world.follow();
    for id in packages {
        world.comes("a package's repository has a hook", || world.github.hooks(Place::Repository(id)).len() == 1);
    }
    assert!(world.github.hooks(Place::Repository(site)).is_empty(), "what is no package needs none");
    assert!(world.github.hooks(Place::Organization(world.org)).is_empty());
    let tag = world.tag(packages[1], "3.0.0");
    world.github.pushed(packages[1], &[tag]);
    world.comes("pushes are told", || world.versions(packages[1]).contains("3.0.0"));
}
