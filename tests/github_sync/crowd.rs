//! A thousand repositories: what a comparison costs, and how little one in which nothing changed.

use std::fs;
use std::time::Instant;

use crate::platforms::github::directory::Level;
use crate::world::World;

#[test]
fn a_second_comparison_of_a_thousand_repositories_costs_a_fraction() {
    let mut world = World::new();
    let ada = world.member("ada");
    let team = world.github.team(world.org, "team", None);
    world.github.join(team, ada);
    for at in 0..990 {
        world.other(&format!("site-{at}"));
    }
    for at in 0..10 {
        let id = world.package(&format!("lib-{at}"));
        world.give(team, id);
    }
    world.github.stage.take_log();
    world.follow();
    let count = |world: &World| {
        let log = world.github.stage.take_log();
        log.iter().filter(|asked| asked.path.starts_with("/api/v3")).count()
    };
    let first = count(&world);
    let used = world.github.stage.world().used;
    world.run().done();
    let second = count(&world);
    let paid = world.github.stage.world().used - used;
    println!("{first} requests for the first comparison, {second} for the second, {paid} of them not for free");
    assert!(first < 1400, "{first}");
    assert!(second * 10 < first, "{second} after {first}");
    assert!(paid < 5, "{paid} of {second} requests were no 304");
    world.log_in();
    world.agrees("two comparisons");
}

/// What a run cost, as the server and the simulator tell it.
fn measured(world: &World, what: &str) {
    world.github.stage.take_log();
    let began = Instant::now();
    let run = world.ours.command(&format!("sync run {} --wait", world.sync));
    let took = began.elapsed();
    let log = world.github.stage.take_log();
    let requests = log.iter().filter(|asked| asked.path.starts_with("/api/v3")).count();
    let server = world.ours.server.as_ref().unwrap().id();
    let status = fs::read_to_string(format!("/proc/{server}/status")).unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap().to_owned();
    let (_, metrics) = world.ours.get("/metrics", "");
    let writes: Vec<&str> = metrics.lines().filter(|line| line.starts_with("database_write_seconds")).collect();
    println!("{what}: {requests} requests, {took:.1?} with updates, {peak}\n{}", writes.join("\n"));
    println!("{}", world.ours.command(&format!("sync history {}", world.sync)).out);
    run.done();
}

/// `cargo test --release --test github_sync -- --ignored --nocapture measure` prints figures; they pass or fail nothing.
#[test]
#[ignore = "a measurement"]
fn measure_a_thousand_packages_of_fifty_people_in_thirty_teams() {
    let mut world = World::new();
    world.github.silence(true);
    let members: Vec<u64> = (0..50).map(|at| world.member(&format!("m{at}"))).collect();
    let teams: Vec<u64> = (0..30_u64).map(|at| world.github.team(world.org, &format!("team-{at}"), None)).collect();
    for (at, team) in teams.iter().enumerate() {
        members.iter().skip(at).step_by(5).for_each(|member| world.github.join(*team, *member));
    }
    for at in 0..1000 {
        let id = world.github.repository(world.org, &format!("lib-{at}"));
        for team in teams.iter().skip(at % 3).step_by(3) {
            world.github.give(*team, id, Level::Read);
        }
    }
    let words = "sync add --integration ghe --remote acme --credential main --primary";
    world.sync = world.ours.command(words).done();
    measured(&world, "first run");
    measured(&world, "second run, nothing changed");
    world.github.base(world.org, Level::Read);
    measured(&world, "all members may read everything");
}
