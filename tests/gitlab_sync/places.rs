//! A GitLab that is not at the root of a host, calls itself by another name, or tells less than others; and projects that are
//! in a strange state.

use crate::platforms::gitlab::directory::{DEVELOPER, GUEST, Membership, OWNER, REPORTER};
use crate::platforms::gitlab::hooks::Place;
use crate::world::World;

/// 250 projects, of which a few are packages, on two levels.
fn crowded(prefix: &'static str) -> World {
    let mut world = World::below(prefix);
    let ada = world.person("ada");
    let php = world.gitlab.group("php", Some(world.root));
    world.gitlab.enrol(php, ada, DEVELOPER);
    for at in 0..245 {
        world.other(if at % 2 == 0 { php } else { world.root }, &format!("site-{at}"));
    }
    for at in 0..5 {
        world.package(php, &format!("lib-{at}"));
    }
    world
}

#[test]
fn pages_are_found_without_totals_under_a_wrong_name_and_without_links() {
    for (prefix, totals, links, name) in [
        ("/gitlab", true, true, "http://internal.example:8080"),
        ("", false, true, "https://gitlab.example.com"),
        ("", false, false, "https://gitlab.example.com"),
    ] {
        let mut world = crowded(prefix);
        world.gitlab.ways(|ways| (ways.totals, ways.links) = (totals, links));
        format!("{name}{prefix}").clone_into(&mut world.gitlab.stage.world().external_url);
        world.gitlab.stage.take_log();
        world.follow();
        let log = world.gitlab.stage.take_log();
        let pages = log.iter().filter(|asked| asked.path.ends_with("/projects")).count();
        assert_eq!(pages, 3, "250 projects are three pages");
        assert!(log.iter().all(|asked| asked.path.starts_with(prefix) && asked.host == "localhost"));
        world.log_in();
        world.agrees("a comparison by pages");
        assert_eq!(world.shown_to("ada").len(), 5);
    }
}

#[test]
fn a_project_in_a_strange_state_is_told_and_kept() {
    let mut world = World::new();
    let ada = world.person("ada");
    world.gitlab.enrol(world.root, ada, DEVELOPER);
    let id = world.package(world.root, "lib");
    let empty = world.gitlab.project(world.root, "later");
    world.gitlab.alter(empty, |one| one.empty = true);
    world.follow();
    world.log_in();
    world.agrees("the first comparison");
    world.gitlab.project_marked(id);
    world.run().done();
    world.agrees("it is to be deleted");
    let list = world.ours.command("package list --json").done();
    assert!(list.contains("acme/lib"), "{list}");
    world.gitlab.project_restored(id);
    world.run().done();
    world.agrees("it is not to be deleted after all");

    // Whoever takes the path of a project that moved is another one.
    world.gitlab.project_renamed(id, "library");
    let usurper = world.gitlab.project(world.root, "lib");
    world.gitlab.alter(usurper, |one| one.manifest = false);
    world.run().done();
    world.agrees("another project has the path");
    let refs = [world.tag(id, "2.0.0")];
    world.gitlab.pushed(id, &refs);
    world.comes("pushes to where it is now are seen", || world.versions(id).contains("2.0.0"));

    // The first push into what was empty.
    let refs = world.fill(empty, "later");
    world.gitlab.pushed(empty, &refs);
    world.comes("a package appears with the first push", || world.versions(empty).contains("1.0.0"));
    world.gitlab.alter(id, |one| one.repository = "disabled");
    world.run().done();
    assert_eq!(world.status()["status"], "ok");
    world.gitlab.alter(id, |one| one.repository = "enabled");
    world.run().done();
    world.agrees("its repository was switched on again");
}

#[test]
fn what_hooks_of_the_group_tell_of_below_and_beside() {
    let mut world = World::new();
    let ada = world.person("ada");
    let php = world.gitlab.group("php", Some(world.root));
    let id = world.package(php, "lib");
    world.gitlab.enrol(
        php,
        ada,
        Membership { level: DEVELOPER, expires_at: Some("2999-01-01".to_owned()), role: None },
    );
    world.follow();
    world.log_in();
    world.comes("there is a hook", || world.hooks().iter().any(|hook| hook.place == Place::Group(world.root)));
    assert_eq!(world.shown_to("ada").len(), 1);
    world.gitlab.left(php, ada);
    assert_eq!(world.differences_that_stay(), Vec::<String>::new());
    assert!(world.shown_to("ada").is_empty());
    world.gitlab.project_deleted(id);
    assert_eq!(world.differences_that_stay(), Vec::<String>::new());
}

#[test]
fn an_invitation_gives_no_more_than_it_says_whatever_lists_tell() {
    let mut world = World::new();
    world.gitlab.ways(|ways| ways.lists_caps = false);
    let (ivan, jane) = (world.person("ivan"), world.person("jane"));
    let (partners, friends) = (world.gitlab.group("partners", None), world.gitlab.group("friends", None));
    world.gitlab.enrol(partners, ivan, OWNER);
    world.gitlab.enrol(friends, jane, OWNER);
    let php = world.gitlab.group("php", Some(world.root));
    world.gitlab.share_group(php, partners, GUEST);
    let id = world.package(php, "lib");
    world.gitlab.share_project(id, friends, GUEST);
    // What the token sees decides what is known of the caps.
    let keeper = world.gitlab.stage.world().tokens[&world.token].user;
    for group in [partners, friends] {
        world.gitlab.enrol(group, keeper, GUEST);
    }
    world.follow();
    world.log_in();
    world.agrees("the first comparison");
    world.gitlab.share_group(php, partners, REPORTER);
    world.gitlab.share_project(id, friends, REPORTER);
    world.run().done();
    world.agrees("the caps were lifted");
    assert_eq!((world.shown_to("ivan").len(), world.shown_to("jane").len()), (1, 1));
}

#[test]
fn people_of_groups_that_the_token_does_not_see_are_listed_where_they_were_let_in() {
    let mut world = World::new();
    let (ivan, jane) = (world.person("ivan"), world.person("jane"));
    let (partners, friends) = (world.gitlab.group("partners", None), world.gitlab.group("friends", None));
    world.gitlab.enrol(partners, ivan, OWNER);
    world.gitlab.enrol(friends, jane, OWNER);
    let php = world.gitlab.group("php", Some(world.root));
    world.gitlab.share_group(php, partners, REPORTER);
    let id = world.package(php, "lib");
    let other = world.package(php, "other");
    world.gitlab.share_project(id, friends, REPORTER);
    world.follow();
    world.log_in();
    world.agrees("the first comparison");
    assert_eq!((world.shown_to("ivan").len(), world.shown_to("jane").len()), (2, 1));
    world.gitlab.unshare_group(php, partners);
    world.gitlab.unshare_project(id, friends);
    world.gitlab.share_project(other, friends, GUEST);
    world.run().done();
    world.agrees("they were not let in any more");
}

#[test]
fn planners_read_where_somebody_says_so() {
    let mut world = World::new();
    let (pete, gus) = (world.person("pete"), world.person("gus"));
    world.gitlab.enrol(world.root, pete, 15);
    world.gitlab.enrol(world.root, gus, GUEST);
    world.package(world.root, "lib");
    world.follow();
    world.log_in();
    world.agrees("planners read nothing");
    world.gitlab.ways(|ways| ways.planners_read = true);
    let terms = format!("/orgs/acme/syncs/{}/terms", world.sync);
    world.submit("keeper", &terms, &[("credential", "main"), ("packages", "all"), ("planners", "on")]);
    assert_eq!(world.differences_that_stay(), Vec::<String>::new());
    assert_eq!((world.shown_to("pete").len(), world.shown_to("gus").len()), (1, 0));
    assert_eq!(world.status()["planners"], true);
    world.gitlab.ways(|ways| ways.planners_read = false);
    world.ours.command(&format!("sync planners {} no", world.sync)).done();
    assert_eq!(world.differences_that_stay(), Vec::<String>::new());
}

#[test]
fn people_who_are_in_a_project_no_more_are_asked_about_and_let_go() {
    let mut world = World::new();
    let ada = world.person("ada");
    let id = world.package(world.root, "lib");
    let others: Vec<u64> = (0..9).map(|at| world.gitlab.user(&format!("reader-{at}"))).collect();
    for user in others.iter().chain([&ada]) {
        world.gitlab.admit(id, *user, REPORTER);
    }
    world.follow();
    world.log_in();
    world.agrees("the first comparison");
    assert_eq!(world.shown_to("ada").len(), 1);
    world.gitlab.silence(true);
    for user in others.iter().chain([&ada]) {
        world.gitlab.removed(id, *user);
    }
    world.run().done();
    assert_eq!(world.status()["status"], "ok", "{}", world.status());
    world.agrees("all of them were removed");
}
