//! The queue of work on pages.

use std::time::Duration;

use packagist_selfhosted::store::ids::JobId;
use packagist_selfhosted::store::jobs::{self, New};
use packagist_selfhosted::store::{job_lines, job_lists};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::person::Person;
use crate::world::{START, World, world};

async fn queued(world: &World, count: usize) -> Vec<JobId> {
    let (org, package) = (world.acme, world.lib);
    world
        .write(move |tx| {
            (0..count)
                .map(|number| {
                    let new = New {
                        org: Some(org),
                        package: Some(package),
                        kind: "update_package",
                        payload: "{}".to_owned(),
                        dedupe_key: format!("test:{number}"),
                        lane: "prompt",
                        run_at: START,
                    };
                    jobs::enqueue(tx, &new, START)
                })
                .collect()
        })
        .await
}

async fn claimed(world: &World) -> JobId {
    world.write(|tx| Ok(jobs::claim(tx, "prompt", 1000, START)?.expect("something waits").id)).await
}

async fn said(world: &World, job: JobId, text: &str) {
    let lines = [job_lines::New { at: START, level: "warn", text: text.to_owned() }];
    world.write(move |tx| job_lines::append(tx, job, &lines)).await;
}

#[tokio::test]
async fn only_administrators_see_the_queue() {
    let world = world().await;
    let job = queued(&world, 1).await[0];
    let somebody = Person::signed_in(&world, "somebody", false).await;
    for path in ["/admin/jobs".to_owned(), format!("/admin/jobs/{job}"), format!("/admin/jobs/{job}/events")] {
        let anonymous = world.anonymous("GET", &path).header("Accept", "text/html").send().await;
        assert_eq!(anonymous.status, 303, "{path}");
        assert!(anonymous.header("location").is_some_and(|to| to.starts_with("/login?next=%2Fadmin")), "{path}");
        assert_eq!(somebody.get(&world, &path).await.status, 403, "{path}");
    }
    let path = format!("/admin/jobs/{job}/cancel");
    assert_eq!(somebody.post(&world, &path, &[]).await.status, 403);
    let administrator = Person::signed_in(&world, "root", true).await;
    assert_eq!(administrator.post_with(&world, &path, &[], "0").await.status, 403);
    let state = world.read(move |db| jobs::by_id(db, job)).await.expect("it is there").state;
    assert_eq!(state, "ready");
}

#[tokio::test]
async fn the_queue_is_listed_by_state_page_by_page() {
    let world = world().await;
    let root = Person::signed_in(&world, "root", true).await;
    assert!(root.get(&world, "/admin/jobs").await.text().contains("Nothing runs and nothing waits."));
    let all = queued(&world, 120).await;
    let failed = all[7];
    world.write(move |tx| jobs::finish(tx, failed, "failed", Some("a comma <too> many"), START)).await;
    let mut path = "/admin/jobs?org=acme".to_owned();
    let mut seen = Vec::new();
    loop {
        let html = root.get(&world, &path).await.text();
        let rows = html.split("<a href=\"/admin/jobs/").skip(1).filter_map(|rest| rest.split('"').next());
        seen.extend(rows.filter_map(|id| id.parse::<i64>().ok()));
        let Some(next) = html.split("rel=\"next\"").next().filter(|_| html.contains("rel=\"next\"")) else { break };
        let address = next.rsplit("href=\"").next().and_then(|rest| rest.split('"').next()).expect("an address");
        path = address.replace("&amp;", "&");
    }
    let wanted: Vec<i64> = all.iter().filter(|id| **id != failed).map(|id| id.0).collect();
    assert_eq!(seen, wanted, "each once, in order");

    let page = root.get(&world, "/admin/jobs?state=failed").await.text();
    assert!(page.contains("a comma &lt;too&gt; many") && page.contains("Update acme/lib"), "{page}");
    assert!(root.get(&world, "/admin/jobs?state=failed&org=other").await.text().contains("No job fits."));
    let answer = root.post(&world, "/admin/jobs/retry", &[("org", "acme"), ("kind", "")]).await;
    assert_eq!((answer.status, answer.header("location").as_deref()), (303, Some("/admin/jobs?org=acme")));
    let state = world.read(move |db| jobs::by_id(db, failed)).await.expect("it is there").state;
    assert_eq!(state, "ready");
}

#[tokio::test]
async fn a_job_is_cancelled_where_it_stands() {
    let world = world().await;
    let root = Person::signed_in(&world, "root", true).await;
    queued(&world, 2).await;
    let running = claimed(&world).await;
    let page = root.get(&world, &format!("/admin/jobs/{running}")).await.text();
    assert!(page.contains("Cancelling keeps what is published and fetched."), "{page}");
    assert_eq!(root.post(&world, &format!("/admin/jobs/{running}/cancel"), &[]).await.status, 303);
    assert!(world.read(move |db| job_lists::is_to_stop(db, running)).await);
    world.write(move |tx| jobs::finish(tx, running, "cancelled", None, START)).await;
    let answer = root.post(&world, &format!("/admin/jobs/{running}/cancel"), &[]).await;
    assert_eq!(answer.status, 303, "what ended meanwhile is told, not refused");
    assert_eq!(root.post(&world, &format!("/admin/jobs/{running}/retry"), &[]).await.status, 303);
    assert!(!world.read(move |db| job_lists::is_to_stop(db, running)).await, "the wish was for the run that ended");
    assert_eq!(root.get(&world, "/admin/jobs/4711").await.status, 404);
    assert_eq!(root.post(&world, "/admin/jobs/4711/retry", &[]).await.status, 404);
}

/// What comes until it holds `wanted`.
async fn read_until(stream: &mut TcpStream, so_far: &mut String, wanted: &str) {
    let reading = async {
        let mut buffer = [0; 4096];
        while !so_far.contains(wanted) {
            let count = stream.read(&mut buffer).await.expect("the server sends");
            assert!(count > 0, "it ended before {wanted:?} came: {so_far}");
            so_far.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    };
    tokio::time::timeout(Duration::from_secs(30), reading).await.expect("it comes in time");
}

#[tokio::test]
async fn a_log_is_watched_as_it_grows() {
    let world = world().await;
    let root = Person::signed_in(&world, "root", true).await;
    queued(&world, 1).await;
    let job = claimed(&world).await;
    said(&world, job, "Listed <3> branches").await;
    let page = root.get(&world, &format!("/admin/jobs/{job}")).await.text();
    assert!(
        page.contains("Listed &lt;3&gt; branches") && page.contains(&format!("/admin/jobs/{job}/events")),
        "{page}"
    );

    let request = root.request(&world, "GET", &format!("/admin/jobs/{job}/events"));
    let mut stream = TcpStream::connect(world.address).await.expect("the server listens");
    stream.write_all(&request.bytes()).await.expect("sent");
    let mut came = String::new();
    read_until(&mut stream, &mut came, "Listed &lt;3&gt; branches").await;
    assert!(came.contains("text/event-stream") && !came.contains("Fetched"), "{came}");
    said(&world, job, "Fetched 18 kB").await;
    read_until(&mut stream, &mut came, "Fetched 18 kB").await;
    assert_eq!(came.matches("Listed &lt;3&gt; branches").count(), 1, "what was told is not told again: {came}");
    world.write(move |tx| jobs::finish(tx, job, "done", None, START)).await;
    read_until(&mut stream, &mut came, "event: end").await;

    let ended = root.get(&world, &format!("/admin/jobs/{job}")).await.text();
    assert!(!ended.contains("data-live") && ended.contains("Do it again"), "{ended}");
    let text = root.get(&world, &format!("/admin/jobs/{job}/log")).await.text();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("warn Fetched 18 kB"), "{text}");
}
