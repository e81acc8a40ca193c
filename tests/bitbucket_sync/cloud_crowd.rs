//! A thousand repositories: what a comparison costs, and how little is asked again of what is known.

use std::fs;
use std::time::Instant;

use crate::cloud_world::World;
use crate::platforms::bitbucket_cloud::directory::{Level, Manifest};

/// What a run cost, as the server and the simulator tell it.
fn measured(world: &World, what: &str) {
    world.bitbucket.stage.take_log();
    let began = Instant::now();
    let run = world.run();
    let took = began.elapsed();
    let log = world.bitbucket.stage.take_log();
    let of = |part: &str| log.iter().filter(|asked| asked.path.contains(part)).count();
    let server = world.ours.server.as_ref().unwrap().id();
    let status = fs::read_to_string(format!("/proc/{server}/status")).unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap().to_owned();
    println!(
        "{what}: {} requests of the API ({} of composer.json, {} of permissions, {} of hooks), {} of Git, {took:.1?}, {peak}",
        of("/2.0/") + of("/1.0/"),
        of("/src/"),
        of("/permissions"),
        of("hook"),
        of(".git/"),
    );
    println!("{}", world.ours.command(&format!("sync history {}", world.sync)).out);
    run.done();
}

/// `cargo test --test bitbucket_sync -- --ignored --nocapture measure` prints figures; they pass or fail nothing.
#[test]
#[ignore = "a measurement"]
fn measure_a_thousand_repositories_of_a_workspace_with_fifty_people() {
    let mut world = World::new();
    world.bitbucket.silence(true);
    let people: Vec<u64> = (0..50).map(|at| world.bitbucket.user(&format!("m{at}"))).collect();
    for user in &people {
        world.bitbucket.enrol(world.workspace, *user, false);
    }
    for at in 0..30 {
        let own: Vec<u64> = people.iter().copied().skip(at).step_by(5).collect();
        world.bitbucket.group(world.workspace, &format!("group-{at}"), &own);
    }
    for at in 0..1000 {
        let id = world.bitbucket.repository(world.project, &format!("lib-{at}"));
        world.bitbucket.alter(id, |one| one.manifest = Manifest::File);
        world.bitbucket.give(id, &format!("group-{}", at % 30), Some(Level::Read));
        world.bitbucket.admit(id, people[at % 50], Some(Level::Read));
    }
    let words = "sync add --integration cloud --remote acme --credential main --primary";
    world.sync = world.ours.command(words).done();
    measured(&world, "first run");
    measured(&world, "second run, nothing changed");
    world.bitbucket.give_project(world.project, "group-1", Some(Level::Read));
    measured(&world, "a group may read everything");
}
