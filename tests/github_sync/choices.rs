//! What people decide about a synchronization: what its members see, when it stops, and what is a package all the same.

use serde_json::Value;

use crate::platforms::frame::Fault;
use crate::platforms::github::directory::Visibility;
use crate::platforms::github::hooks::Place;
use crate::platforms::github::oracle;
use crate::world::World;

fn listed(world: &World, words: &str) -> Vec<Value> {
    serde_json::from_str(&world.ours.command(words).done()).unwrap()
}

#[test]
fn members_install_what_everybody_may_see_where_that_is_wanted() {
    let mut world = World::new();
    world.github.silence(true);
    let packages: Vec<u64> = (0..3).map(|at| world.package(&format!("lib-{at}"))).collect();
    let members: Vec<u64> = (0..8).map(|at| world.member(&format!("m{at}"))).collect();
    let xena = world.person("xena");
    world.github.alter(packages[0], |one| one.visibility = Visibility::Public);
    world.github.alter(packages[1], |one| one.visibility = Visibility::Internal);
    let words = "sync add --integration ghe --remote acme --credential main --primary --follow-visibility";
    world.sync = world.ours.command(words).done();
    world.run().done();
    world.log_in();
    let sees = |world: &World, who: u64, login: &str| {
        let person = world.people.iter().find(|person| person.login == login).unwrap();
        let shown = world.shown(person.token.as_ref().unwrap());
        let site = world.github.stage.world();
        let may = packages.iter().filter(|id| oracle::sees(&site, who, **id));
        let may = may.filter_map(|id| world.packages[id].clone()).collect();
        assert_eq!(shown, may, "{login}");
        shown.len()
    };
    assert_eq!(sees(&world, members[0], "m0"), 2);
    let person = world.people.iter().find(|person| person.login == "xena").unwrap();
    assert!(world.shown(person.token.as_ref().unwrap()).is_empty(), "{xena} is no member");
    world.github.alter(packages[0], |one| one.visibility = Visibility::Private);
    world.run().done();
    assert_eq!(sees(&world, members[7], "m7"), 1);
    assert_eq!(world.status()["status"], "ok", "{}", world.status());
    assert_eq!(world.status()["follow_visibility"], true);
}

#[test]
fn a_run_that_is_stopped_changes_nothing_and_does_not_begin_again_at_once() {
    let mut world = World::new();
    world.github.silence(true);
    world.package("lib");
    world.follow();
    world.package("late");
    world.github.stage.fail("/orgs/acme/teams", Fault::Mute);
    world.ours.command(&format!("sync run {}", world.sync)).done();
    let running = |one: &&Value| one["kind"] == "sync_organization" && one["state"] == "running";
    world.comes("it runs", || listed(&world, "job list --json").iter().any(|one| running(&one)));
    let jobs = listed(&world, "job list --json");
    let id = jobs.iter().find(running).unwrap()["id"].clone();
    world.ours.command(&format!("job cancel {id}")).done();
    world.comes("it does not run", || world.status()["status"] == "ok");
    world.github.stage.take_log();
    let state = |id: &Value| {
        let all = listed(&world, "job list --json");
        all.iter().find(|one| one["id"] == *id).map(|one| one["state"].clone())
    };
    world.comes("it is cancelled", || state(&id) == Some("cancelled".into()));
    assert_eq!(world.status()["packages"].as_u64(), Some(1));
    assert!(!listed(&world, "job list --json").iter().any(|one| running(&one)));
    world.github.stage.heal();
    world.run().done();
    assert_eq!(world.status()["packages"].as_u64(), Some(2));
}

#[test]
fn a_package_whose_repository_went_may_be_added_again_by_hand() {
    let mut world = World::new();
    world.github.silence(true);
    let (kept, gone) = (world.package("kept"), world.package("gone"));
    let ada = world.member("ada");
    let team = world.github.team(world.org, "team", None);
    world.github.join(team, ada);
    world.give(team, kept);
    world.give(team, gone);
    world.follow();
    world.log_in();
    world.agrees("the first comparison");
    let named =
        |world: &World, name: &str| listed(world, "package list --json").into_iter().find(|one| one["name"] == name);
    let before = named(&world, "acme/gone").unwrap();
    // It belongs to somebody else now, who serves it at the same address.
    let elsewhere = world.github.organization("elsewhere");
    world.github.alter(gone, |one| one.owner = elsewhere);
    world.run().done();
    assert!(named(&world, "acme/gone").is_none());
    world.agrees("a repository went");
    let url = before["url"].as_str().unwrap();
    world.ours.command(&format!("package add {url} --credential main")).done();
    let after = named(&world, "acme/gone").unwrap();
    assert_eq!((&after["id"], &after["sync"]), (&before["id"], &Value::Null));
    let token = world.people[0].token.clone().unwrap();
    assert!(!world.shown(&token).contains("acme/gone"), "what GitHub said of the other one does not count");
    world.run().done();
    assert_eq!(named(&world, "acme/gone").unwrap()["id"], before["id"], "no run takes it away again");
    let twice = world.ours.command(&format!("package add {url} --credential main")).failed();
    assert!(twice.contains("already"), "{twice}");
}

#[test]
fn another_type_of_credential_leaves_no_webhook_of_the_one_before() {
    let mut world = World::new();
    let id = world.package("lib");
    world.follow();
    let place = Place::Organization(world.org);
    world.comes("there is a hook", || world.github.hooks(place).len() == 1);
    let permissions =
        [("metadata", "read"), ("contents", "read"), ("members", "read"), ("organization_administration", "read")];
    let app = world.github.app_registered(&permissions, &world.ours.url("/hooks/app/ghe"));
    let installation = world.github.installed(app.id, world.org, None);
    let words = format!("credential add bot --type github-app --username {}/{installation} --secret-stdin", app.id);
    world.ours.command_with(&words, &app.key).done();
    world.ours.command("credential remove main --replace-with bot").done();
    world.comes("no hook is left", || world.github.hooks(place).is_empty());
    world.run().done();
    assert_eq!(world.status()["credential"], "bot");
    assert!(world.github.hooks(place).is_empty() && world.github.hooks(Place::Repository(id)).is_empty());
}
