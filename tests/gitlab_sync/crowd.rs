//! A thousand projects: what a comparison costs, and how little one in which nothing changed.

use std::fs;
use std::time::Instant;

use crate::platforms::gitlab::directory::{DEVELOPER, REPORTER};
use crate::world::World;

#[test]
fn a_second_comparison_of_a_thousand_projects_costs_a_fraction() {
    let mut world = World::new();
    let ada = world.person("ada");
    let groups: Vec<u64> = (0..20).map(|at| world.gitlab.group(&format!("team-{at}"), Some(world.root))).collect();
    world.gitlab.enrol(groups[0], ada, DEVELOPER);
    for at in 0..990 {
        world.other(groups[at % groups.len()], &format!("site-{at}"));
    }
    for at in 0..10 {
        let id = world.package(groups[at % groups.len()], &format!("lib-{at}"));
        world.gitlab.admit(id, ada, REPORTER);
    }
    world.requests();
    world.follow();
    let first = world.requests();
    world.run().done();
    let second = world.requests();
    println!("{first} requests for the first comparison, {second} for the second");
    assert!(first < 1200, "{first}");
    assert!(second * 10 < first, "{second} after {first}");
    world.log_in();
    world.agrees("two comparisons");
}

/// What a run costs, with the updates of packages that it causes.
fn measured(world: &World, what: &str) {
    world.requests();
    let started = Instant::now();
    let said = world.run();
    world.comes("no work is left", || {
        let jobs = world.ours.command("job list --json").done();
        !jobs.contains("\"ready\"") && !jobs.contains("\"running\"") || said.code != Some(0)
    });
    let took = started.elapsed();
    let server = world.ours.server.as_ref().unwrap().id();
    let status = fs::read_to_string(format!("/proc/{server}/status")).unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap().to_owned();
    println!("{what}: {} requests of the API, {took:.1?} with updates, {peak}", world.requests());
    println!("{}", world.ours.command(&format!("sync history {}", world.sync)).out);
    said.done();
}

/// `cargo test --release --test gitlab_sync -- --ignored --nocapture measure` prints figures; they pass or fail nothing.
#[test]
#[ignore = "a measurement"]
fn measure_a_thousand_packages_of_fifty_people_in_thirty_groups() {
    let mut world = World::new();
    world.gitlab.silence(true);
    let groups: Vec<u64> = (0..30).map(|at| world.gitlab.group(&format!("team-{at}"), Some(world.root))).collect();
    for at in 0..50 {
        let user = world.gitlab.user(&format!("m{at}"));
        groups.iter().skip(at % 5).step_by(5).for_each(|group| world.gitlab.enrol(*group, user, DEVELOPER));
    }
    for at in 0..1000 {
        world.package(groups[at % groups.len()], &format!("lib-{at}"));
    }
    let words = "sync add --integration lab --remote acme --credential main --primary";
    world.sync = world.ours.command(words).done();
    measured(&world, "first run");
    measured(&world, "second run, nothing changed");
}
