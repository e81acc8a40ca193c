//! The queue: what merges, what waits for what, and what a crash leaves.

use std::time::Duration;

use rusqlite::Connection;

use super::{Job, New, Return};
use crate::clock::Timestamp;
use crate::store::database::{Change, Observer};
use crate::store::ids::{JobId, OrgId};
use crate::store::{self, Database, jobs, organizations};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const SECOND: Duration = Duration::from_secs(1);

struct Nobody;

impl Observer for Nobody {
    fn committed(&mut self, _: &Connection, _: &[Change]) {}
}

struct Queue {
    database: Database,
    _folder: tempfile::TempDir,
}

impl Queue {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("db"), Box::new(Nobody)).unwrap();
        Self { database, _folder: folder }
    }

    async fn enqueue(&self, key: &str, lane: &'static str, run_at: Timestamp, payload: &str) -> JobId {
        self.enqueue_for(None, key, lane, run_at, payload).await
    }

    async fn enqueue_for(
        &self,
        org: Option<OrgId>,
        key: &str,
        lane: &'static str,
        run_at: Timestamp,
        payload: &str,
    ) -> JobId {
        let new = New {
            org,
            package: None,
            kind: "test",
            payload: payload.to_owned(),
            dedupe_key: key.to_owned(),
            lane,
            run_at,
        };
        self.database.write(move |tx| jobs::enqueue(tx, &new, NOW)).await.unwrap()
    }

    async fn claim(&self, lane: &'static str, now: Timestamp) -> Option<Job> {
        self.database.write(move |tx| jobs::claim(tx, lane, 2, now)).await.unwrap()
    }

    async fn finish(&self, id: JobId, state: &'static str) {
        self.database.write(move |tx| jobs::finish(tx, id, state, None, NOW)).await.unwrap();
    }

    async fn put_back(&self, id: JobId, run_at: Timestamp, why: Return<'static>) {
        self.database.write(move |tx| jobs::put_back(tx, id, run_at, why, NOW)).await.unwrap();
    }

    async fn job(&self, id: JobId) -> Job {
        self.database.read(move |db| jobs::by_id(db, id)).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn events_merge_into_what_waits_but_not_into_what_runs() {
    let queue = Queue::new();
    let first = queue.enqueue("a", "sweep", NOW + 9 * SECOND, "{}").await;
    assert_eq!(queue.enqueue("a", "prompt", NOW, r#"{"announced":["x"]}"#).await, first);
    let merged = queue.job(first).await;
    assert_eq!((merged.lane.as_str(), merged.run_at), ("prompt", NOW), "the more urgent wins");
    assert_eq!(queue.enqueue("a", "sweep", NOW + 5 * SECOND, "{}").await, first);
    assert_eq!(queue.job(first).await.run_at, NOW);
    assert_eq!(queue.job(first).await.payload, "{}", "whoever merges says what both want");

    let running = queue.claim("prompt", NOW).await.unwrap();
    assert_eq!((running.id, running.attempt), (first, 1));
    let second = queue.enqueue("a", "prompt", NOW, "{}").await;
    assert_ne!(second, first, "an event during a run makes one more");
    assert_eq!(queue.enqueue("a", "prompt", NOW, "{}").await, second, "and only one");
    assert!(queue.claim("prompt", NOW).await.is_none(), "the same work never runs twice at once");
    let due = queue.database.read(|db| jobs::next_due(db, "prompt", 2)).await.unwrap();
    assert_eq!(due, None, "it waits for the end, not for a time");
    queue.finish(first, "done").await;
    assert_eq!(queue.claim("prompt", NOW).await.unwrap().id, second);
}

#[tokio::test]
async fn lanes_do_not_wait_for_each_other_and_times_are_kept() {
    let queue = Queue::new();
    for n in 0..50 {
        queue.enqueue(&format!("sweep{n}"), "sweep", NOW, "{}").await;
    }
    let prompt = queue.enqueue("hook", "prompt", NOW + SECOND, "{}").await;
    assert!(queue.claim("prompt", NOW).await.is_none(), "it is not due yet");
    assert_eq!(queue.claim("prompt", NOW + SECOND).await.unwrap().id, prompt);
}

#[tokio::test]
async fn a_failed_try_is_put_back_and_a_newer_event_takes_its_place() {
    let queue = Queue::new();
    let job = queue.enqueue("a", "prompt", NOW, "{}").await;
    queue.claim("prompt", NOW).await.unwrap();
    queue.put_back(job, NOW + 30 * SECOND, Return::Failed("why")).await;
    let waiting = queue.job(job).await;
    assert_eq!((waiting.state.as_str(), waiting.attempt, waiting.error.as_deref()), ("ready", 1, Some("why")));
    assert!(queue.claim("prompt", NOW).await.is_none());
    queue.claim("prompt", NOW + 30 * SECOND).await.unwrap();
    queue.put_back(job, NOW + 60 * SECOND, Return::Told("busy")).await;
    assert_eq!(queue.job(job).await.attempt, 1, "being told to come later is no failed try");
    queue.enqueue("a", "hook", NOW, "{}").await;
    let told = queue.job(job).await;
    assert_eq!(told.run_at, NOW + 60 * SECOND, "nothing comes earlier than the other side wants");
    assert_eq!((told.lane.as_str(), told.error.as_deref()), ("hook", Some("busy")), "whoever waits is told why");
    let now = NOW + 60 * SECOND;

    queue.claim("hook", now).await.unwrap();
    let newer = queue.enqueue("a", "prompt", now, "{}").await;
    queue.put_back(job, now + 60 * SECOND, Return::Told("busy")).await;
    assert_eq!(queue.job(job).await.state, "done");
    assert!(queue.claim("prompt", now).await.is_none(), "the newer event waits as long");
    assert_eq!(queue.claim("prompt", now + 60 * SECOND).await.unwrap().id, newer);
}

#[tokio::test]
async fn one_organization_leaves_room_for_the_others() {
    let queue = Queue::new();
    let (slow, quick) = queue
        .database
        .write(|tx| {
            let slow = organizations::insert(tx, "slow", "slow", NOW)?;
            Ok::<_, store::Error>((slow, organizations::insert(tx, "quick", "quick", NOW)?))
        })
        .await
        .unwrap();
    for n in 0..10 {
        queue.enqueue_for(Some(slow), &format!("slow{n}"), "hook", NOW, "{}").await;
    }
    let other = queue.enqueue_for(Some(quick), "quick", "hook", NOW + SECOND, "{}").await;
    let now = NOW + SECOND;
    for _ in 0..2 {
        assert_eq!(queue.claim("hook", now).await.unwrap().org, Some(slow));
    }
    assert_eq!(queue.claim("hook", now).await.unwrap().id, other, "its share is two");
    assert!(queue.claim("hook", now).await.is_none());
    let due = queue.database.read(|db| jobs::next_due(db, "hook", 2)).await.unwrap();
    assert_eq!(due, None, "what waits for a place is not due, or the worker would spin");
}

#[tokio::test]
async fn claiming_never_walks_over_all_jobs() {
    let queue = Queue::new();
    let plan: Vec<String> = queue
        .database
        .write(|tx| {
            // With statistics SQLite may choose differently.
            tx.execute_batch("ANALYZE")?;
            let sql = format!("EXPLAIN QUERY PLAN {}", super::FIRST_OF_EACH);
            let mut statement = tx.prepare(&sql)?;
            let steps = statement.query_map(("hook", NOW, 1), |row| row.get(3))?.collect::<Result<_, _>>()?;
            Ok::<_, store::Error>(steps)
        })
        .await
        .unwrap();
    let walks = ["SCAN job", "SCAN w", "SCAN r"];
    assert!(plan.iter().all(|step| !walks.iter().any(|walk| step.starts_with(walk))), "{plan:?}");
    for looked_up in ["job_running_org (lane=? AND org_id=?)", "job_waiting (lane=? AND org_id=? AND run_at<?)"] {
        assert!(plan.iter().any(|step| step.contains(looked_up)), "{plan:?}");
    }
}

#[tokio::test]
async fn what_ran_when_we_stopped_is_ready_again() {
    let queue = Queue::new();
    let alone = queue.enqueue("a", "prompt", NOW, "{}").await;
    let followed = queue.enqueue("b", "prompt", NOW, "{}").await;
    queue.claim("prompt", NOW).await.unwrap();
    queue.claim("prompt", NOW).await.unwrap();
    let follower = queue.enqueue("b", "prompt", NOW, "{}").await;
    assert_eq!(queue.database.read(jobs::running).await.unwrap().len(), 2);
    queue.put_back(alone, NOW, Return::Stopped).await;
    queue.put_back(followed, NOW, Return::Stopped).await;
    assert_eq!((queue.job(alone).await.state.as_str(), queue.job(alone).await.attempt), ("ready", 0));
    assert_eq!(queue.job(followed).await.state, "done", "its follower does the same");
    let mut claimed = Vec::new();
    while let Some(job) = queue.claim("prompt", NOW).await {
        claimed.push(job.id);
    }
    claimed.sort();
    assert_eq!(claimed, [alone, follower]);
}

#[tokio::test]
async fn times_of_a_clock_that_was_ahead_are_brought_near() {
    let queue = Queue::new();
    let job = queue.enqueue("a", "prompt", NOW + 3600 * 24 * 365 * SECOND, "{}").await;
    queue.database.write(|tx| jobs::bring_near(tx, NOW + SECOND)).await.unwrap();
    assert_eq!(queue.job(job).await.run_at, NOW + SECOND);
}

#[tokio::test]
async fn ended_jobs_can_be_retried_and_waiting_ones_cancelled() {
    let queue = Queue::new();
    let job = queue.enqueue("a", "prompt", NOW, "{}").await;
    assert!(queue.database.write(move |tx| jobs::cancel(tx, job, NOW)).await.unwrap());
    assert!(queue.claim("prompt", NOW).await.is_none());
    assert!(!queue.database.write(move |tx| jobs::cancel(tx, job, NOW)).await.unwrap());
    assert!(queue.database.write(move |tx| jobs::retry(tx, job, NOW)).await.unwrap());
    queue.claim("prompt", NOW).await.unwrap();
    let retried = queue.database.write(move |tx| jobs::retry(tx, job, NOW)).await.unwrap();
    assert!(!retried, "a running job is not retried");
    queue.finish(job, "failed").await;
    let counts = queue.database.read(jobs::counts).await.unwrap();
    assert_eq!(counts, (0, 0, 1));
    queue.database.write(|tx| jobs::prune(tx, NOW + SECOND, NOW)).await.unwrap();
    assert_eq!(queue.job(job).await.state, "failed", "failures are kept longer");
    queue.database.write(|tx| jobs::prune(tx, NOW, NOW + SECOND)).await.unwrap();
    let gone: Result<_, store::Error> = queue.database.read(move |db| jobs::by_id(db, job)).await;
    assert!(gone.unwrap().is_none());
}
