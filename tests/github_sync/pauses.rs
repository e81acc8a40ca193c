//! Limits of GitHub's: work waits as long as it is told to, with that credential alone, and says until when.

use std::time::{SystemTime, UNIX_EPOCH};

use packagist_selfhosted::clock::Timestamp;
use serde_json::{Value, json};

use crate::platforms::frame::Fault;
use crate::platforms::github::directory::Rank;
use crate::platforms::message::Reply;
use crate::world::World;

/// Two organizations there that are followed here, each by a credential of its own; the id of the second synchronization.
fn worlds() -> (World, String) {
    let mut world = World::new();
    world.github.silence(true);
    world.package("lib");
    let beta = world.github.organization("beta");
    let owner = world.github.user("second");
    world.github.enrol(beta, owner, Rank::Owner);
    let id = world.github.repository(beta, "other");
    world.fill(id, "other");
    let token = world.github.token(owner, crate::world::SCOPES);
    world.credential("second", &token);
    world.follow();
    let second = world.ours.command("sync add --integration ghe --remote beta --credential second").done();
    world.ours.command(&format!("sync run {second} --wait")).done();
    (world, second)
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// In how many seconds it goes on.
fn resumes_in(status: &Value) -> Option<i64> {
    let at = Timestamp::parse_rfc3339(status["resumes_at"].as_str()?).unwrap();
    Some(i64::try_from(at.since(Timestamp::from_seconds(now())).as_secs()).unwrap())
}

/// Runs, is refused by this answer, and says so; in how many seconds it goes on.
fn refused(world: &World, answer: Reply) -> i64 {
    world.github.stage.fail_at("/orgs/acme", 1..=1, Fault::Answer(answer));
    world.ours.command(&format!("sync run {}", world.sync)).done();
    world.comes("it says when it goes on", || resumes_in(&world.status()).is_some());
    let status = world.status();
    assert!(status["error"].as_str().unwrap().contains("until"), "{status}");
    assert_eq!(status["status"], "ok", "to wait is no failure: {status}");
    resumes_in(&status).unwrap()
}

/// Nobody shows the first credential to GitHub, and the second one works.
fn only_the_second_goes_on(world: &World, second: &str) {
    world.github.stage.take_log();
    world.ours.command(&format!("sync run {}", world.sync)).done();
    let _ = world.ours.command("hook repair");
    world.ours.command(&format!("sync run {second} --wait")).done();
    let log = world.github.stage.take_log();
    let api: Vec<_> = log.iter().filter(|asked| asked.path.starts_with("/api/v3")).collect();
    assert!(!api.is_empty());
    assert!(api.iter().all(|asked| asked.bearer() != Some(world.token.as_str())), "{api:#?}");
}

#[test]
fn after_a_primary_limit_a_credential_waits_for_its_reset() {
    let (world, second) = worlds();
    let answer = Reply::json(403, &json!({"message": "API rate limit exceeded for user ID 1."}))
        .with("x-ratelimit-limit", "5000")
        .with("x-ratelimit-remaining", "0")
        .with("x-ratelimit-reset", &(now() + 1800).to_string());
    let seconds = refused(&world, answer);
    assert!((1700..=1815).contains(&seconds), "{seconds}");
    only_the_second_goes_on(&world, &second);
}

#[test]
fn after_a_secondary_limit_it_waits_as_long_as_it_is_told() {
    let (world, second) = worlds();
    let seconds = refused(&world, Reply::json(429, &json!({"message": "slow down"})).with("retry-after", "600"));
    assert!((500..=610).contains(&seconds), "{seconds}");
    only_the_second_goes_on(&world, &second);
}

#[test]
fn a_limit_that_names_no_time_is_a_minute_and_a_short_one_ends_by_itself() {
    let (mut world, second) = worlds();
    let words = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    let seconds = refused(&world, Reply::json(403, &json!({"message": words})));
    assert!((30..=65).contains(&seconds), "{seconds}");
    only_the_second_goes_on(&world, &second);

    // Another secret begins anew.
    let owner = world.github.stage.world().tokens[&world.token].user;
    let token = world.github.token(owner, crate::world::SCOPES);
    world.ours.command_with("credential rotate main --secret-stdin", &token).done();
    world.token = token;
    world.comes("it goes on with another secret", || resumes_in(&world.status()).is_none());
    let answer = Reply::json(403, &json!({"message": "slow down"})).with("retry-after", "1");
    world.github.stage.fail_at("/orgs/acme", 1..=1, Fault::Answer(answer));
    world.package("late");
    world.ours.command(&format!("sync run {}", world.sync)).done();
    world.comes("it went on by itself", || world.status()["packages"].as_u64() == Some(2));
    world.comes("nothing is said of it any more", || world.status()["error"].is_null());
}

#[test]
fn a_tenth_is_left_to_whoever_asks() {
    let (mut world, _) = worlds();
    let reset = now() + 900;
    let limits = [("limit", 5000), ("remaining", 499), ("reset", reset)];
    let limits = limits.map(|(name, value)| (format!("x-ratelimit-{name}"), value.to_string())).to_vec();
    world.github.stage.fail("/api/v3", Fault::Beside(limits));
    world.run().done();
    world.ours.stop();
    world.github.stage.take_log();
    world.ours.serve();
    world.comes("a run that nobody asked for waits", || resumes_in(&world.status()).is_some_and(|left| left > 600));
    assert!(world.status()["error"].as_str().unwrap().contains("left for"), "{}", world.status());
    let asked = world.github.stage.take_log();
    let own = asked.iter().filter(|asked| asked.bearer() == Some(world.token.as_str())).count();
    assert!(own <= 10, "{own} requests");
    world.package("late");
    world.run().done();
    assert_eq!(world.status()["packages"].as_u64(), Some(2));
}

#[test]
fn what_was_read_before_a_limit_is_not_paid_for_again() {
    let mut world = World::new();
    world.github.silence(true);
    for number in 0..6 {
        world.package(&format!("lib-{number}"));
    }
    let answer = Reply::json(403, &json!({"message": "API rate limit exceeded for user ID 1."}))
        .with("x-ratelimit-limit", "5000")
        .with("x-ratelimit-remaining", "0")
        .with("x-ratelimit-reset", &(now() + 3).to_string());
    world.github.stage.fail_at("/collaborators", 3..=3, Fault::Answer(answer));
    let words = "sync add --integration ghe --remote acme --credential main --primary";
    world.sync = world.ours.command(words).done();
    world.comes("it was stopped", || resumes_in(&world.status()).is_some());
    world.comes("it went on by itself", || world.status()["packages"] == 6);
    let log = world.github.stage.take_log();
    let asked = |part: &str| log.iter().filter(|asked| asked.path.contains(part)).count();
    assert_eq!(asked("/contents/composer.json"), 6, "each repository is looked into once");
}
