//! A thousand repositories: what a comparison costs, and how little one in which nothing changed.

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
