//! Webhooks: what is stored before the answer, and what never makes a call fail.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use aws_lc_rs::hmac;
use futures_util::StreamExt;
use packagist_selfhosted::access::token::TokenKind;
use packagist_selfhosted::admin::{self, Actor};
use packagist_selfhosted::clock::Timestamp;
use packagist_selfhosted::store::{hooks, organizations, packages};
use serde_json::json;

use crate::client::Response;
use crate::world::{START, World, basic, token, world};

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
    for (headers, body, status) in [
        (vec![], &b""[..], 202),
        (vec![("Content-Type", "application/json")], b"{", 200),
        (vec![("Content-Type", "text/plain")], b"\xff\xfe\x00", 200),
        (vec![("X-GitHub-Event", "push")], b"[]", 202),
        (vec![("Content-Type", "multipart/form-data")], b"payload=%7B", 200),
    ] {
        assert_eq!(post(&world, &hook, &headers, body).await.status, status, "{headers:?}");
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
async fn an_event_that_changes_no_branch_or_tag_queues_nothing() {
    let world = world().await;
    let (hook, _) = world.hook().await;
    let azure = br#"{"publisherId":"tfs","eventType":"build.complete","resource":{}}"#;
    for (headers, body) in [
        (vec![("X-GitHub-Event", "star")], &b"{}"[..]),
        (vec![("X-Gitea-Event", "issues"), ("X-GitHub-Event", "push")], b"{}"),
        (vec![("X-Gitlab-Event", "Note Hook")], b"{}"),
        (vec![("X-Gitlab-Event", "System Hook")], b"{\"event_name\":\"user_create\"}"),
        (vec![], azure),
    ] {
        let answer = post(&world, &hook, &headers, body).await;
        assert_eq!((answer.status, answer.json()), (200, json!({ "status": "ignored" })), "{headers:?}");
    }
    let (jobs, deliveries) = stored(&world).await;
    assert_eq!((jobs.len(), deliveries.len()), (0, 5), "people see that it came");
}

#[tokio::test]
async fn a_body_that_names_another_package_of_ours_updates_that_one() {
    let world = world().await;
    let (hook, _) = world.hook().await;
    let (lib, other) = (world.lib, world.secret);
    for (address, package) in [
        ("https://git.example.com/acme/secret-lib.git", other),
        ("git@GIT.example.com:acme/Lib.git", lib),
        ("https://git.example.com/acme/renamed.git", lib),
        ("file:///etc/passwd", lib),
    ] {
        let body = json!({ "repository": { "clone_url": address } }).to_string();
        assert_eq!(post(&world, &hook, &[("X-Gitea-Event", "push")], body.as_bytes()).await.status, 202);
        let updated: Vec<i64> = world
            .read(|db| {
                let mut jobs = db.prepare("SELECT package_id FROM job WHERE state = 'ready'")?;
                let rows = jobs.query_map([], |row| row.get(0))?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await;
        assert_eq!(updated, [package.0], "{address}");
        world.write(|tx| Ok(tx.execute("UPDATE job SET state = 'done'", [])?)).await;
    }
}

#[tokio::test]
async fn a_hook_with_a_secret_takes_only_what_shows_it() {
    let world = world().await;
    let (hook, _) = world.hook().await;
    let package = package(&world).await;
    let set = |secret: Option<&'static str>| {
        admin::hooks::set_signing(&world.appliance, &Actor::System, world.acme, &package, secret.map(Into::into))
    };
    assert!(set(Some("short")).await.is_err());
    set(Some("a secret of ours")).await.expect("it is long enough");
    for headers in [vec![], vec![("X-GitHub-Event", "ping")], vec![("X-Gitlab-Token", "another")]] {
        let answer = post(&world, &hook, &headers, b"{}").await;
        assert_eq!((answer.status, answer.json()), (401, json!({ "status": "signature" })), "{headers:?}");
        assert_eq!(answer.header("www-authenticate").as_deref(), Some("Basic realm=\"webhook\""));
    }
    assert_eq!(stored(&world).await.1.len(), 1, "who floods us is noted once");
    let basic = basic("azure", "a secret of ours");
    for headers in [[("X-Gitlab-Token", "a secret of ours")], [("Authorization", basic.as_str())]] {
        assert_eq!(post(&world, &hook, &headers, b"{}").await.status, 202, "{headers:?}");
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"a secret of ours");
    let mac = packagist_selfhosted::secrets::random::to_hex(hmac::sign(&key, b"{}").as_ref());
    let signed = [("X-Gitea-Event", "push"), ("X-Gitea-Signature", mac.as_str())];
    assert_eq!(post(&world, &hook, &signed, b"{}").await.status, 202);
    assert_eq!(post(&world, &hook, &signed, b"{ }").await.status, 401);
    let shown = [("X-Gitlab-Token", "a secret of ours")];
    assert_eq!(post(&world, &hook, &shown, b"{}").await.status, 401, "what once signed has to go on signing");
    let rotated = admin::hooks::address(&world.appliance, &Actor::System, world.acme, &package, true).await;
    let rotated = rotated.expect("a new address").url;
    let new = rotated.rsplit('/').next().expect("a path");
    assert_eq!(post(&world, new, &[], b"{}").await.status, 401, "the new address needs the secret too");
    assert_eq!(post(&world, new, &signed, b"{}").await.status, 202);
    set(None).await.expect("it can be taken away");
    for hook in [hook.as_str(), new] {
        assert_eq!(post(&world, hook, &[], b"{}").await.status, 202);
    }
}

async fn package(world: &World) -> packages::Package {
    let (org, lib) = (world.acme, world.lib);
    world.read(move |db| packages::by_id(org, db, lib)).await.expect("the package is there")
}

/// Junk that resembles what platforms send: pieces of it, shuffled and broken.
fn junk(number: usize) -> (Vec<(&'static str, &'static str)>, Vec<u8>) {
    const HEADERS: [&[(&str, &str)]; 9] = [
        &[],
        &[("X-GitHub-Event", "push"), ("Content-Type", "application/json")],
        &[("X-Gitlab-Event", "System Hook")],
        &[("X-Event-Key", "repo:refs_changed")],
        &[("X-Gitea-Event", "push"), ("X-Gitea-Signature", "00")],
        &[("x-amz-sns-message-type", "Notification"), ("Content-Type", "text/plain")],
        &[("x-amz-sns-message-type", "SubscriptionConfirmation")],
        &[("X-Vss-ActivityId", "1"), ("Content-Type", "application/x-www-form-urlencoded")],
        &[("X-GitHub-Event", "star"), ("Content-Type", "multipart/form-data; boundary=x")],
    ];
    const PIECES: [&str; 24] = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "null",
        "-1e999",
        "\"ref\":\"refs/heads/main\",",
        "\"push\":{\"changes\":[",
        "payload=",
        "%7B%22",
        "\"Type\":\"Notification\",\"TopicArn\":\"arn:aws:sns:us-east-2:111122223333:x\",",
        "\"Message\":\"{}\",",
        "\"SigningCertURL\":\"http://127.0.0.1/\",",
        "\"publisherId\":\"tfs\",",
        "\u{0}",
        "\u{202e}",
        "\\ud800",
        "\"repository\":",
        "\"Records\":[{\"codecommit\":{\"references\":[",
        "<html>",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ];
    let mut state = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let headers = HEADERS[next(HEADERS.len())].to_vec();
    let mut body: Vec<u8> = (0..next(60)).flat_map(|_| PIECES[next(PIECES.len())].bytes()).collect();
    if next(4) == 0 && !body.is_empty() {
        let at = next(body.len());
        body[at] = 0xff;
    }
    if next(200) == 0 {
        body = body.repeat(1 + next(200));
    }
    (headers, body)
}

fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("this is Linux");
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number") * 4096
}

#[tokio::test]
async fn ten_thousand_junk_bodies_do_no_harm() {
    const BODIES: usize = 10_000;
    const AT_ONCE: usize = 32;
    let world = world().await;
    let (hook, id) = world.hook().await;
    let before = resident();
    let answers = futures_util::stream::iter(0..BODIES)
        .map(|number| {
            let (headers, body) = junk(number);
            let (world, hook) = (&world, hook.as_str());
            async move { (number, post(world, hook, &headers, &body).await) }
        })
        .buffer_unordered(AT_ONCE);
    let mut answers = std::pin::pin!(answers);
    let mut counts = std::collections::BTreeMap::<u16, usize>::new();
    while let Some((number, answer)) = answers.next().await {
        assert!(matches!(answer.status, 200 | 202), "{number}: {} {}", answer.status, answer.text());
        *counts.entry(answer.status).or_default() += 1;
    }
    assert!(counts.values().sum::<usize>() == BODIES && counts[&202] > BODIES / 100, "{counts:?}");
    let grown = resident().saturating_sub(before);
    assert!(grown < 200 << 20, "it holds {} MiB more", grown >> 20);
    let (jobs, deliveries) = stored(&world).await;
    assert_eq!(
        (jobs.len(), deliveries.len()),
        (1, 50),
        "all of it is one piece of work, and the last fifty are remembered"
    );
    let (org, lib) = (world.acme, world.lib);
    let shown = world.read(move |db| hooks::deliveries(org, db, lib, 50)).await;
    assert!(shown.iter().all(|delivery| delivery.told.as_ref().is_none_or(|told| told.len() < 20_000)));
    assert_eq!(world.read(move |db| hooks::signing(org, db, id)).await, None);
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
