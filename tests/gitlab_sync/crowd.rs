//! A thousand projects: what a comparison costs, and how little one in which nothing changed.

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
