//! Crashes: servers and workers are killed at random moments while repositories change, webhooks come in bursts, archives
//! are built and schemas are upgraded. Nothing that was accepted may be lost, and nothing half done be shown.
//!
//! `tests/soak` runs this a thousand times; here it runs a few.

#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/git_server.rs"]
#[expect(dead_code, reason = "this server never misbehaves")]
mod git_server;
#[path = "metadata_differential/random.rs"]
mod random;

#[path = "crashes/activity.rs"]
mod activity;
#[path = "crashes/aftermath.rs"]
mod aftermath;
#[path = "crashes/damage.rs"]
mod damage;
#[path = "crashes/database.rs"]
mod database;
#[path = "crashes/faults.rs"]
mod faults;
#[path = "crashes/http.rs"]
mod http;
#[path = "crashes/lost_log.rs"]
mod lost_log;
#[path = "crashes/project.rs"]
mod project;
#[path = "crashes/remote.rs"]
mod remote;
#[path = "crashes/server.rs"]
mod server;
#[path = "crashes/soak.rs"]
mod soak;
#[path = "crashes/upgrade.rs"]
mod upgrade;

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

#[test]
fn servers_and_workers_may_be_killed_at_any_moment() {
    let cycles = number("SOAK_CYCLES").unwrap_or(15);
    let seed = number("SOAK_SEED").unwrap_or(1);
    soak::run(usize::try_from(cycles).expect("a sensible number"), seed);
}

#[test]
fn an_upgrade_may_be_killed_at_any_moment() {
    let kills = number("SOAK_CYCLES").map_or(5, |cycles| cycles / 10);
    upgrade::run(usize::try_from(kills).expect("a sensible number"), number("SOAK_SEED").unwrap_or(1));
}
