//! Good clients, many at once, while bad ones do their worst.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::Size;
use crate::bad::{self, Target};
use crate::installation::PATIENCE;
use crate::world::World;

/// How long one answer took, by what was asked for.
struct Times {
    metadata: Vec<Duration>,
    archives: Vec<Duration>,
}

/// Good ones alone, then among bad ones: every answer is right; and when all have gone, nothing of them is left.
pub async fn among_bad_ones(size: &Size) {
    let world = tokio::task::spawn_blocking(|| World::start(4, false)).await.unwrap();
    let target = target(&world);
    let before = world.uses();
    report("alone", size, good_ones(&world, size).await, &world);
    let bad_ones = bad::start(&target, size.bad);
    report("among bad ones", size, good_ones(&world, size).await, &world);
    assert!(world.metric("http_connections ") > 0.0);
    drop(bad_ones);
    let started = Instant::now();
    // What they began may end in its own time; what they held does not stay.
    while world.metric("http_connections ") > 2.0 || world.metric("downloads_in_flight ") > 0.0 {
        assert!(started.elapsed() < 3 * PATIENCE, "{before} before, {} after", world.uses());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let after = world.uses();
    println!("before: {before}; after: {after}");
    assert!(after.files <= before.files + 8, "files stay open: {before}, {after}");
    report("after them", size, good_ones(&world, size).await, &world);
    let lines = world.installation.log().lines().filter(|line| line.contains("ERROR")).count();
    assert_eq!(lines, 0, "what strangers do is no error of the server's:\n{}", world.installation.log());
}

fn target(world: &World) -> Target {
    let (name, _) = &world.packages[0];
    let installation = &world.installation;
    let hook = installation.command(&format!("package hook {name}")).done();
    let authorization = format!("Authorization: Bearer {}\r\n", world.token);
    let (status, document) = installation.get(&format!("/repo/acme/p2/{name}.json"), &authorization);
    assert_eq!(status, 200);
    let reference = document.split("\"reference\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    Target {
        authority: installation.authority.clone(),
        token: world.token.clone(),
        archive: format!("/repo/acme/dists/{name}/{reference}.zip"),
        hook: hook.strip_prefix(&installation.url("")).unwrap().to_owned(),
    }
}

async fn good_ones(world: &World, size: &Size) -> Times {
    let archive: Arc<str> = world.url(&target(world).archive).into();
    let document: Arc<str> = world.url(&format!("/repo/acme/p2/{}.json", world.packages[1].0)).into();
    let mut clients = JoinSet::new();
    for number in 0..size.clients {
        let (archive, document, token) = (Arc::clone(&archive), Arc::clone(&document), world.token.clone());
        let rounds = size.rounds;
        clients.spawn(async move {
            let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
            let mut times = Times { metadata: Vec::new(), archives: Vec::new() };
            let ask = async |url: &str| {
                let started = Instant::now();
                let answer = client.get(url).bearer_auth(&token).send().await.expect("an answer");
                assert_eq!(answer.status(), 200, "{url}");
                let length = answer.bytes().await.expect("a whole answer").len();
                (started.elapsed(), length)
            };
            for _ in 0..rounds {
                let (took, length) = ask(&document).await;
                assert!(length > 100);
                times.metadata.push(took);
            }
            // A few of them: it is a large one.
            if number % 20 == 0 {
                let (took, length) = ask(&archive).await;
                assert!(length > 1 << 20, "{length}");
                times.archives.push(took);
            }
            times
        });
    }
    let mut all = Times { metadata: Vec::new(), archives: Vec::new() };
    while let Some(times) = clients.join_next().await {
        let times = times.expect("every client succeeds");
        all.metadata.extend(times.metadata);
        all.archives.extend(times.archives);
    }
    all
}

fn report(what: &str, size: &Size, mut times: Times, world: &World) {
    times.metadata.sort();
    times.archives.sort();
    let at = |times: &[Duration], percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    println!(
        "{} clients {what}: metadata {:.1?} (median), {:.1?} (p99); a large archive {:.1?} (median), {:.1?} (slowest); {}",
        size.clients,
        at(&times.metadata, 50),
        at(&times.metadata, 99),
        at(&times.archives, 50),
        at(&times.archives, 100),
        world.uses(),
    );
}
