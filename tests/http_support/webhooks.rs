//! Webhooks: what is stored before the answer, and what never makes a call fail.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use packagist_selfhosted::access::token::TokenKind;
use packagist_selfhosted::admin::{self, Actor};
use packagist_selfhosted::clock::Timestamp;
use packagist_selfhosted::store::{hooks, organizations, packages};
use serde_json::json;

use crate::client::Response;
use crate::world::{START, World, token, world};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const COMMIT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

async fn post(world: &World, hook: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
    let mut request = world.anonymous("POST", &format!("/hooks/{hook}"));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(body).send().await
}

/// The waiting jobs as (payload, seconds until they are due), and the deliveries as (provider, event, size).
async fn stored(world: &World) -> (Vec<(String, i64)>, Vec<(String, Option<String>, i64)>) {
    world
        .read(|db| {
            let jobs = db
                .prepare("SELECT payload, run_at FROM job WHERE state = 'ready' AND kind = 'update_package'")?
                .query_map([], |row| Ok((row.get(0)?, (row.get::<_, i64>(1)? - START.as_micros()) / 1_000_000)))?
                .collect::<Result<_, _>>()?;
            let deliveries = db
                .prepare("SELECT provider, event, size FROM delivery ORDER BY id")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<Result<_, _>>()?;
            Ok((jobs, deliveries))
        })
        .await
}

#[tokio::test]
async fn a_call_is_stored_before_it_is_answered() {
    let world = world().await;
    let (hook, _) = world.hook().await;
    let body = json!({ "after": COMMIT, "repository": { "url": "file:///etc/passwd" } }).to_string();
    let answer = post(&world, &hook, &[("X-GitHub-Event", "push")], body.as_bytes()).await;
    assert_eq!((answer.status, answer.json()), (202, json!({ "status": "queued" })));
    let (jobs, deliveries) = stored(&world).await;
    assert_eq!(jobs, [(json!({ "announced": [COMMIT] }).to_string(), 0)]);
    let size = i64::try_from(body.len()).expect("small");
    assert_eq!(deliveries, [("github".to_owned(), Some("push".to_owned()), size)]);
}

#[tokio::test]
async fn no_content_makes_a_call_fail() {
    let world = world().await;
    let (hook, _) = world.hook().await;
    for (headers, body) in [
        (vec![], &b""[..]),
        (vec![("Content-Type", "application/json")], b"{"),
        (vec![("Content-Type", "text/plain")], b"\xff\xfe\x00"),
        (vec![("X-GitHub-Event", "star")], b"[]"),
        (vec![("Content-Type", "multipart/form-data")], b"payload=%7B"),
    ] {
        assert_eq!(post(&world, &hook, &headers, body).await.status, 202, "{headers:?}");
    }
    let put = world.anonymous("PUT", &format!("/hooks/{hook}")).send().await;
    assert_eq!(put.status, 202);
    let query = world.anonymous("POST", &format!("/hooks/{hook}?from=svn")).send().await;
    assert_eq!(query.status, 202);
    let (jobs, deliveries) = stored(&world).await;
    assert_eq!((jobs.len(), deliveries.len()), (1, 7), "waiting work is merged");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_read_and_dropped() {
    let world = world().await;
    let (hook, _) = world.hook().await;
    let mut body = json!({ "after": COMMIT }).to_string().into_bytes();
    body.resize((25 << 20) + 1, b' ');
    assert_eq!(post(&world, &hook, &[], &body).await.status, 202);
    let (jobs, deliveries) = stored(&world).await;
    assert!(!jobs[0].0.contains(COMMIT));
    assert_eq!(deliveries[0].2, (25 << 20) + 1);
    body.truncate(25 << 20);
    assert_eq!(post(&world, &hook, &[], &body).await.status, 202);
    assert!(stored(&world).await.0[0].0.contains(COMMIT), "the largest that is read is read");
}

#[tokio::test]
async fn chunked_bodies_are_read() {
    let world = world().await;
    let (hook, _) = world.hook().await;
    let body = format!("{{\"after\":\"{COMMIT}\"}}");
    let request = world.anonymous("POST", &format!("/hooks/{hook}")).chunked(&body);
    assert_eq!(request.send().await.status, 202);
    assert!(stored(&world).await.0[0].0.contains(COMMIT));
}

#[tokio::test]
async fn a_ping_queues_nothing() {
    let world = world().await;
    let (hook, _) = world.hook().await;
    for headers in [[("X-GitHub-Event", "ping")], [("X-Event-Key", "diagnostics:ping")]] {
        let answer = post(&world, &hook, &headers, b"{}").await;
        assert_eq!((answer.status, answer.json()), (200, json!({ "status": "ping" })));
    }
    assert!(stored(&world).await.0.is_empty());
}

#[tokio::test]
async fn what_was_never_ours_is_not_found() {
    let world = world().await;
    let (hook, _) = world.hook().await;
    let unknown = post(&world, &"0".repeat(64), &[], b"{}").await.lasting();
    assert_eq!(unknown.status, 404);
    for wrong in [&hook.to_uppercase(), &hook[..63], &format!("{hook}0"), "x", "app"] {
        assert_eq!(post(&world, wrong, &[], b"{}").await.lasting(), unknown, "{wrong}");
    }
}

#[tokio::test]
async fn other_methods_tell_nothing() {
    let world = world().await;
    let (hook, _) = world.hook().await;
    for method in ["GET", "DELETE", "PATCH", "OPTIONS"] {
        let known = world.anonymous(method, &format!("/hooks/{hook}")).send().await.lasting();
        let unknown = world.anonymous(method, &format!("/hooks/{}", "0".repeat(64))).send().await.lasting();
        assert_eq!(known, unknown);
        assert_eq!(known.status, if method == "OPTIONS" { 204 } else { 405 });
        assert_eq!(known.header("allow").as_deref(), Some("POST, PUT, OPTIONS"));
    }
}

#[tokio::test]
async fn a_replaced_address_works_for_a_day() {
    let world = world().await;
    let (hook, _) = world.hook().await;
    let (org, lib) = (world.acme, world.lib);
    world.write(move |tx| hooks::retire(org, tx, lib, START)).await;
    world.clock.advance(DAY);
    assert_eq!(post(&world, &hook, &[], b"").await.status, 202);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(post(&world, &hook, &[], b"").await.status, 404);
}

#[tokio::test]
async fn the_address_of_a_removed_package_is_answered_for_ninety_days() {
    let world = world().await;
    let (hook, _) = world.hook().await;
    let (org, lib) = (world.acme, world.lib);
    world.write(move |tx| packages::remove(org, tx, lib, START)).await;
    world.clock.advance(DAY * 90);
    let answer = post(&world, &hook, &[], b"").await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "status": "removed" })));
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(post(&world, &hook, &[], b"").await.status, 404);
    assert!(stored(&world).await.0.is_empty());
}

#[tokio::test]
async fn a_hook_that_is_called_too_often_is_worked_on_later() {
    let world = world().await;
    let (hook, _) = world.hook().await;
    for _ in 0..60 {
        assert_eq!(post(&world, &hook, &[], b"").await.status, 202);
    }
    world.write(|tx| Ok(tx.execute("UPDATE job SET state = 'done'", [])?)).await;
    assert_eq!(post(&world, &hook, &[], b"").await.status, 202);
    let (jobs, _) = stored(&world).await;
    assert!(jobs[0].1 > 0, "due later: {jobs:?}");
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused() {
    let world = world().await;
    let (hook, _) = world.hook().await;
    world.write(|tx| Ok(tx.execute_batch("DROP TABLE delivery")?)).await;
    let refused = post(&world, &hook, &[], b"").await;
    assert_eq!((refused.status, refused.header("retry-after").as_deref()), (503, Some("10")));
    assert!(refused.warning().expect("a warning").contains("could not be stored"));
    let jobs: i64 = world.read(|db| Ok(db.query_row("SELECT count(*) FROM job", [], |row| row.get(0))?)).await;
    assert_eq!(jobs, 0, "nothing of it is stored");
}

/// Lets it go one step on; whether it has more to do.
async fn is_pending<F: Future>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

#[tokio::test]
async fn webhooks_do_not_wait_for_the_removal_of_a_large_organization() {
    let world = world().await;
    let (hook, _) = world.hook().await;
    let org = world.write(|tx| organizations::insert(tx, "large", "Large", START)).await;
    world
        .write(move |tx| {
            for number in 0..60 {
                let new = packages::New {
                    url: format!("https://git.example.com/{number}.git"),
                    url_key: number.to_string(),
                    vcs: "git".to_owned(),
                    credential: None,
                    fork: false,
                    next_check_at: Timestamp::MAX,
                };
                packages::insert(org, tx, &new, START)?;
            }
            Ok(())
        })
        .await;
    let (token, _) = token(&world.appliance, org, TokenKind::OrganizationRead, None, None).await;
    assert_eq!(world.get(&token, "/repo/large/packages.json").await.status, 200);

    let large = admin::organizations::find(&world.appliance, "large").await.expect("it is there");
    let mut removal = pin!(admin::organizations::remove(&world.appliance, &Actor::System, &large));
    let mut seen = Vec::new();
    // Nothing of the removal is begun but by this loop, so that a webhook comes between every two steps of it.
    while is_pending(removal.as_mut()).await {
        assert_eq!(post(&world, &hook, &[], b"{}").await.status, 202);
        let left: i64 = world
            .read(
                move |db| Ok(db.query_row("SELECT count(*) FROM package WHERE org_id = ?1", [org], |row| row.get(0))?),
            )
            .await;
        if !seen.contains(&left) {
            seen.push(left);
        }
        if left < 60 {
            assert_eq!(world.get(&token, "/repo/large/packages.json").await.status, 401);
            assert_eq!(world.get(&world.admin, "/repo/large/packages.json").await.status, 404);
            assert!(admin::organizations::find(&world.appliance, "large").await.is_err());
        }
    }
    assert!(seen.len() >= 3 && seen.windows(2).all(|pair| pair[0] > pair[1]), "{seen:?} packages were left");
    let gone = world.read(move |db| {
        Ok(db.query_row("SELECT count(*) FROM organization WHERE id = ?1", [org], |row| row.get::<_, i64>(0))?)
    });
    assert_eq!(gone.await, 0);
    let again =
        admin::organizations::add(&world.appliance, &Actor::System, "large", None).await.expect("the slug is free");
    assert!(again > org, "numbers are never given again");
}
