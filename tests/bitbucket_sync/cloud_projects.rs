//! Chosen projects of a workspace, and repositories that go from one place to another.

use crate::cloud_world::{EMAIL, SCOPES, World};
use crate::platforms::bitbucket_cloud::directory::{Level, Reach};

/// Eight packages in the chosen project and two in the other one, all of which ada may read.
fn world() -> (World, [u64; 2], Vec<u64>) {
    let mut world = World::new();
    let ada = world.member("ada");
    let other = world.bitbucket.project(world.workspace, "LIB");
    let projects = [world.project, other];
    let mut packages = Vec::new();
    for at in 0..10 {
        let id = world.package(projects[at / 8], &format!("lib-{at}"));
        world.bitbucket.admit(id, ada, Some(Level::Read));
        packages.push(id);
    }
    (world, projects, packages)
}

fn names(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|at| format!("acme/lib-{at}")).collect()
}

#[test]
fn chosen_projects_alone_are_followed_and_can_be_chosen_anew() {
    let (mut world, projects, packages) = world();
    let words = "sync add --integration cloud --remote acme --credential main";
    let said = world.ours.command(&format!("{words} --project WEB --project NOPE")).failed();
    assert!(said.contains("no project `NOPE` in acme"), "{said}");
    assert!(world.ours.command(&format!("{words} --project ../x")).failed().contains("no project's key"));
    world.follow_projects("main", &["web"]);
    world.log_in();
    let shown = |world: &World| world.shown_to("ada").into_iter().collect::<Vec<_>>();
    assert_eq!(shown(&world), names(0..8));
    assert_eq!(world.status()["projects"], serde_json::json!(["WEB"]));

    world.bitbucket.rehoused(packages[9], projects[0]);
    world.comes("what was moved to the project is here", || shown(&world) == names((0..8).chain([9])));
    world.bitbucket.silence(true);
    world.bitbucket.rehoused(packages[0], projects[1]);
    world.run().done();
    assert_eq!(shown(&world), names((1..8).chain([9])), "what was moved out of it goes, also untold");
    let gone = world.whereabouts("acme/lib-0");
    assert!(gone["gone"] == true && gone["reason"].as_str().unwrap().contains("the project LIB"), "{gone}");
    world.bitbucket.stage.world().directory.projects.get_mut(&projects[0]).unwrap().key = "SHOP".to_owned();
    world.run().done();
    assert_eq!(shown(&world).len(), 8, "a project with another key is the same one");

    // However many packages that takes along, somebody asked for it.
    world.ours.command(&format!("sync projects {} LIB", world.sync)).done();
    world.run().done();
    assert_eq!((shown(&world), world.status()["status"].as_str()), (names([0, 8]), Some("ok")));
    world.ours.command(&format!("sync projects {} --all", world.sync)).done();
    world.run().done();
    world.agrees("all projects are followed");
    let versions = world.versions(packages[1]);
    assert!(versions.contains("1.0.0"), "its versions were kept: {versions:?}");
    world.ours.command(&format!("sync projects {}", world.sync)).failed();
}

#[test]
fn projects_are_chosen_in_the_form_of_the_terms() {
    let (mut world, _, _) = world();
    let keeper = world.keeper;
    world.knows(keeper, "keeper");
    world.follow();
    world.log_in();
    let page = world.page("keeper", "/orgs/acme/syncs/new");
    assert!(page.contains("Projects of a Bitbucket workspace"), "{page}");
    let terms = format!("/orgs/acme/syncs/{}/terms", world.sync);
    world.submit("keeper", &terms, &[("credential", "main"), ("packages", "all"), ("projects", "lib")]);
    world.comes("the others are gone", || world.shown_to("ada").len() == 2);
    assert!(world.page("keeper", &format!("/orgs/acme/syncs/{}", world.sync)).contains(">LIB<"));
    assert!(world.page("keeper", &terms).contains("value=\"LIB\""));
    world.submit("keeper", &terms, &[("credential", "main"), ("packages", "all"), ("projects", "")]);
    world.comes("all are here", || world.shown_to("ada").len() == 10);
    world.agrees("all projects are followed");
}

#[test]
fn a_repository_with_another_name_is_the_same_package() {
    let (mut world, _, packages) = world();
    world.follow();
    world.log_in();
    let id = |world: &World| {
        let shown = world.ours.command("package show acme/lib-3 --json").done();
        serde_json::from_str::<serde_json::Value>(&shown).unwrap()["id"].clone()
    };
    let before = id(&world);
    world.bitbucket.renamed(packages[3], "library");
    let url = || world.ours.command("package list --json").done();
    world.comes("its address follows", || url().contains("/acme/library.git"));
    assert_eq!((id(&world), world.versions(packages[3]).contains("1.0.0")), (before, true));
    world.agrees("a repository got another name");
}

#[test]
fn what_went_to_another_workspace_was_moved_and_not_deleted() {
    for told in [true, false] {
        let (mut world, _, packages) = world();
        let elsewhere = world.bitbucket.workspace("others");
        // Whoever reads there too is told where it went.
        world.bitbucket.enrol(elsewhere, world.keeper, true);
        let theirs = world.bitbucket.project(elsewhere, "THEIRS");
        let token = world.bitbucket.token(Reach::Person(world.keeper), SCOPES);
        world.credential_as("own", "bitbucket-cloud-token", EMAIL, &token);
        world.bitbucket.silence(!told);
        world.follow_with("acme", "own");
        world.log_in();
        world.bitbucket.transferred(packages[0], theirs);
        world.bitbucket.deleted(packages[1]);
        if !told {
            world.run().done();
        }
        world.comes("both are gone", || world.shown_to("ada").len() == 8);
        let moved = world.whereabouts("acme/lib-0");
        let reason = moved["reason"].as_str().unwrap();
        assert!(moved["gone"] == true && reason.contains("moved to others/lib-0"), "told: {told}: {moved}");
        let deleted = world.whereabouts("acme/lib-1");
        assert_eq!((&deleted["gone"], &deleted["reason"]), (&true.into(), &serde_json::Value::Null));
        world.agrees("a repository went to another workspace, and one was deleted");
        // It comes back as the same package.
        world.bitbucket.transferred(packages[0], world.project);
        let ada = world.person_named("ada");
        world.bitbucket.admit(packages[0], ada, Some(Level::Read));
        world.run().done();
        world.agrees("it is back");
        assert_eq!(world.shown_to("ada").len(), 9);
    }
}
