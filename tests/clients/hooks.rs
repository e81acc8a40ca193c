//! Webhooks by the thousand, while the repository is flooded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::Size;
use crate::installation::PATIENCE;
use crate::world::World;

/// Packages whose webhooks are called.
const PACKAGES: usize = 4;
/// Connections that call.
const CALLERS: usize = 50;

/// Every call is accepted, and the work that came of all of them gets done.
pub async fn burst(size: &Size) {
    let world = tokio::task::spawn_blocking(|| World::start(PACKAGES, false)).await.unwrap();
    let hooks: Vec<String> = world
        .packages
        .iter()
        .map(|(name, _)| world.installation.command(&format!("package hook {name}")).done())
        .collect();
    let flood = Arc::new(AtomicBool::new(true));
    let flooders = flood_repository(&world, size, &flood);
    let started = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let hook = hooks[caller % hooks.len()].clone();
        let calls = size.hooks / CALLERS;
        callers.spawn(async move {
            let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
            let mut times = Vec::new();
            for _ in 0..calls {
                let started = Instant::now();
                let answer = client.post(&hook).body("{\"ref\": \"refs/heads/main\"}").send().await.expect("an answer");
                assert_eq!(answer.status(), 202);
                times.push(started.elapsed());
            }
            times
        });
    }
    let mut times = Vec::new();
    while let Some(done) = callers.join_next().await {
        times.extend(done.expect("every call is accepted"));
    }
    times.sort();
    println!(
        "{} webhooks beside {} flooding clients in {:.1?}: {:.1?} (median), {:.1?} (p99), {:.1?} (slowest); {}",
        times.len(),
        size.clients,
        started.elapsed(),
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        times[times.len() - 1],
        world.uses(),
    );
    for probe in ["/healthz", "/readyz"] {
        assert_eq!(world.installation.get(probe, "").0, 200, "{probe} during the flood");
    }
    world.installation.command("package list").done();
    flood.store(false, Ordering::Relaxed);
    let asked = flooders.join_all().await.into_iter().sum::<usize>();
    println!("the flood had {asked} answers");
    let started = Instant::now();
    // Calls over the rate are due later: those that are due now get done.
    while world.installation.command("job list --json").done().contains("\"running\"") {
        assert!(started.elapsed() < PATIENCE, "{}", world.installation.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let jobs: serde_json::Value =
        serde_json::from_str(&world.installation.command("job list --json").done()).expect("JSON");
    let ready = jobs.as_array().expect("a list").iter().filter(|job| job["state"] == "ready").count();
    assert!(ready <= PACKAGES, "calls merge into the work that waits: {ready}");
}

fn flood_repository(world: &World, size: &Size, flood: &Arc<AtomicBool>) -> JoinSet<usize> {
    let mut flooders = JoinSet::new();
    for _ in 0..size.clients {
        let (url, token) = (world.url("/repo/acme/packages.json"), world.token.clone());
        let flood = Arc::clone(flood);
        flooders.spawn(async move {
            let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
            let mut asked = 0;
            while flood.load(Ordering::Relaxed) {
                let answer = client.get(&url).bearer_auth(&token).send().await.expect("an answer");
                assert_eq!(answer.status(), 200);
                answer.bytes().await.expect("a whole answer");
                asked += 1;
            }
            asked
        });
    }
    flooders
}
