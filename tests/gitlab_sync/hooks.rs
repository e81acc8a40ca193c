//! The webhooks that we install, and see to.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::platforms::frame::Fault;
use crate::platforms::gitlab::directory::MAINTAINER;
use crate::platforms::gitlab::hooks::{Hook, Place};
use crate::platforms::message::Reply;
use crate::world::World;

/// One package that is followed, and its number.
fn world() -> (World, u64) {
    let mut world = World::new();
    let id = world.package(world.root, "lib");
    world.follow();
    world.comes("there is a hook", || !world.hooks().is_empty());
    (world, id)
}

#[test]
fn a_hook_is_mended_whatever_became_of_it() {
    let (world, id) = world();
    let hooks = world.hooks();
    assert_eq!(hooks.len(), 1, "{hooks:?}");
    let hook = &hooks[0];
    assert_eq!(hook.place, Place::Group(world.root));
    assert!(hook.verifies && hook.branches.is_empty(), "{hook:?}");
    assert!(hook.token.as_ref().is_some_and(|token| token.len() >= 32) && hook.signing_token.is_some());
    for event in ["push_events", "tag_push_events", "member_events", "subgroup_events", "project_events"] {
        assert!(hook.tells(event), "{event}");
    }
    for event in ["issues_events", "merge_requests_events", "note_events", "job_events"] {
        assert!(!hook.tells(event), "{event}");
    }
    let damages: [fn(&mut Hook); 4] = [
        |hook| "https://elsewhere.example.com/".clone_into(&mut hook.url),
        |hook| *hook.events.get_mut("member_events").unwrap() = false,
        |hook| "release".clone_into(&mut hook.branches),
        |hook| hook.token = None,
    ];
    for (at, damage) in damages.into_iter().enumerate() {
        let before = hook_of(&world, &hook.url).clone();
        world.gitlab.alter_hook(before.id, damage);
        world.run().done();
        world.comes(&format!("the hook is as it was after damage {at}"), || {
            let hooks = world.hooks();
            let own = hooks.iter().find(|own| own.url == before.url && own.place == before.place);
            own.is_some_and(|own| {
                own.events == before.events
                    && own.branches.is_empty()
                    && own.token.is_some()
                    && own.signing_token.is_some()
            })
        });
    }
    let tag = world.tag(id, "3.0.0");
    world.gitlab.pushed(id, &[tag]);
    world.comes("pushes are told still", || world.versions(id).contains("3.0.0"));

    world.ours.command(&format!("sync remove {}", world.sync)).done();
    world.comes("no hook is left behind", || world.hooks().is_empty());
}

fn hook_of(world: &World, url: &str) -> Hook {
    world.hooks().into_iter().find(|hook| hook.url == url).unwrap()
}

/// Whatever is said to whoever wants hooks of groups without a licence.
fn without_a_licence(status: u16) {
    let mut world = World::new();
    world.gitlab.ways(|ways| (ways.licensed, ways.unlicensed_status) = (false, status));
    let packages = [world.package(world.root, "lib"), world.package(world.root, "tool")];
    let site = world.other(world.root, "site");
    for at in 0..101 {
        world.gitlab.foreign_hook(Place::Project(packages[0]), &format!("https://other.example.com/{at}"));
    }
    world.gitlab.ways(|ways| ways.most_hooks = 200);
    world.follow();
    let ours = |id: u64| world.hooks().iter().filter(|hook| hook.place == Place::Project(id)).count();
    for id in packages {
        world.comes("a package's project has a hook", || ours(id) == 1);
    }
    assert_eq!(ours(site), 0, "what is no package needs none");
    assert!(!world.hooks().iter().any(|hook| matches!(hook.place, Place::Group(_))));
    let tag = world.tag(packages[1], "3.0.0");
    world.gitlab.pushed(packages[1], &[tag]);
    world.comes("pushes are told", || world.versions(packages[1]).contains("3.0.0"));
    world.run().done();
    assert_eq!((ours(packages[0]), ours(packages[1])), (1, 1), "it is found among a hundred others");
    assert_eq!(world.status()["status"], "ok");
}

#[test]
fn without_a_licence_projects_are_hooked() {
    without_a_licence(403);
}

#[test]
fn without_a_licence_that_is_said_to_be_nowhere_projects_are_hooked() {
    without_a_licence(404);
}

#[test]
fn a_maintainers_token_hooks_projects() {
    let mut world = World::new();
    let id = world.package(world.root, "lib");
    world.gitlab.change_holder(&world.token, world.root, Some(MAINTAINER));
    world.follow();
    world.comes("the project has a hook", || world.hooks().iter().any(|hook| hook.place == Place::Project(id)));
}

#[test]
fn an_address_that_gitlab_may_not_call_is_explained_and_we_look_ourselves() {
    let mut world = World::new();
    world.gitlab.ways(|ways| ways.local_requests = false);
    let id = world.package(world.root, "lib");
    world.package(world.root, "tool");
    world.follow();
    let hooks = || world.ours.command("hook list --json").done();
    world.comes("it is said what an administrator of GitLab must change", || hooks().contains("local network"));
    assert!(world.hooks().is_empty());
    let tried = || {
        let log = world.gitlab.stage.take_log();
        let all = log.into_iter().filter(|asked| asked.method == "POST" && asked.path.contains("/hooks"));
        all.map(|asked| asked.path).collect::<Vec<_>>()
    };
    let idle = || !world.ours.command("job list --json").done().contains("\"running\"");
    world.comes("all was tried", idle);
    let all = tried();
    assert!(all.len() == 1 && all[0].contains("/groups/"), "one refusal is enough: {all:?}");
    assert!(world.page("keeper", "/orgs/acme").contains("does not want to call this server"), "it is a problem there");
    world.gitlab.ways(|ways| ways.licensed = false);
    world.ours.command("hook repair").failed();
    let all = tried();
    let projects = all.iter().filter(|path| path.contains("/projects/")).count();
    assert_eq!(projects, 1, "one project speaks for all: {all:?}");
    world.run().done();
    world.ours.command("hook repair").failed();
    // The run that somebody asked for tries as well, and always the same project.
    let projects: BTreeSet<_> = tried().into_iter().filter(|path| path.contains("/projects/")).collect();
    assert_eq!(projects.len(), 1, "{projects:?}");
    world.gitlab.ways(|ways| ways.licensed = true);
    let refs = [world.tag(id, "2.0.0")];
    world.gitlab.pushed(id, &refs);
    world.run().done();
    world.comes("what was pushed is found by looking", || world.versions(id).contains("2.0.0"));
    world.gitlab.ways(|ways| ways.local_requests = true);
    world.run().done();
    world.comes("there is a hook", || !world.hooks().is_empty());
}

#[test]
fn a_hook_that_gitlab_switched_off_is_tested_and_works_again() {
    let (mut world, id) = world();
    world.gitlab.ways(|ways| ways.auto_disable = true);
    let mut server = world.ours.server.take().unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    for at in 0..5 {
        let refs = [world.tag(id, &format!("2.{at}.0"))];
        world.gitlab.pushed(id, &refs);
        world.gitlab.post().settle();
    }
    let sent = world.gitlab.post().sent();
    assert!(sent.iter().rev().take(4).all(|sent| sent.status.is_none()), "nobody answered");
    world.ours.serve();
    // As long as it is not to be had, somebody is told.
    world.gitlab.stage.fail("/test/push_events", Fault::Answer(Reply::text(422, "Net::OpenTimeout")));
    world.run().done();
    world.comes("it is said that the hook is switched off", || {
        world.ours.command("hook list --json").done().contains("switched the webhook off")
    });
    assert!(world.page("keeper", "/orgs/acme").contains("switched the webhook off"), "it is a problem there");
    world.gitlab.stage.heal();
    // A test is made once an hour.
    world.kill();
    world.run().done();
    world.comes("what was pushed meanwhile is there", || world.versions(id).contains("2.4.0"));
    let status = || -> String {
        let mut url = world.gitlab.url();
        url.set_path(&format!("{}/api/v4/groups/{}/hooks", url.path().trim_end_matches('/'), world.root));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let text = runtime.block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let request = client.get(url).header("private-token", &world.token);
            request.send().await.unwrap().text().await.unwrap()
        });
        let shown: Value = serde_json::from_str(&text).unwrap();
        shown[0]["alert_status"].as_str().unwrap().to_owned()
    };
    world.comes("the hook is switched on again", || status() == "executable");
    let refs = [world.tag(id, "3.0.0")];
    world.gitlab.pushed(id, &refs);
    world.comes("pushes are told again", || world.versions(id).contains("3.0.0"));
}

#[test]
fn an_old_gitlab_has_no_signatures_and_its_hooks_work() {
    let mut world = World::new();
    world.gitlab.ways(|ways| (ways.version, ways.licensed) = ("14.10.5", false));
    let id = world.package(world.root, "lib");
    world.follow();
    world.comes("there is a hook", || world.hooks().iter().any(|hook| hook.signing_token.is_none()));
    let tag = world.tag(id, "3.0.0");
    world.gitlab.pushed(id, &[tag]);
    world.comes("pushes are told", || world.versions(id).contains("3.0.0"));
    // What is there after an update signs.
    world.gitlab.ways(|ways| ways.version = "19.2.0");
    world.run().done();
    world.comes("the hook signs", || world.hooks().iter().all(|hook| hook.signing_token.is_some()));
    let tag = world.tag(id, "3.1.0");
    world.gitlab.pushed(id, &[tag]);
    world.comes("pushes are told still", || world.versions(id).contains("3.1.0"));
}

#[test]
fn a_hook_whose_place_cannot_be_asked_about_is_not_made_twice() {
    let (world, _) = world();
    world.gitlab.stage.fail("/hooks", Fault::Answer(Reply::html(502, "bad gateway")));
    drop(world.run());
    world.gitlab.stage.heal();
    world.run().done();
    assert_eq!(world.hooks().len(), 1);
}
