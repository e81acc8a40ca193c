//! Taking due work from the queue and running it.
//!
//! Each lane has a share of the workers of its own, so that a thousand updates that nobody waits for
//! never delay a webhook.

use std::time::{Duration, Instant};

use metrics::{counter, histogram};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::{prune, schedule, update_package};
use crate::appliance::Appliance;
use crate::clock::Timestamp;
use crate::publish::request;
use crate::store::jobs::{self, Job};
use crate::store::{self};
use crate::telemetry::names;

/// How often a job is tried before it counts as failed.
const ATTEMPTS: i64 = 8;
/// The pause after the first failed try; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// The longest pause between tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 60 * 60);
/// How long to wait before the queue is asked again when the database failed.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);

/// What became of a try.
pub(super) enum Outcome {
    /// It is done.
    Done,
    /// It failed, and may succeed later; where the other side said when, then.
    Retry {
        /// Why.
        reason: String,
        /// When at the earliest, if somebody said so. Such a try does not count.
        after: Option<Duration>,
    },
    /// It failed, and somebody has to change something first.
    GiveUp(String),
}

/// The running workers. Dropping them leaves running jobs to the next start.
pub struct Workers {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    appliance: Appliance,
}

impl Workers {
    /// Starts working with `workers` tasks for work that somebody waits for, and half as many for the rest.
    ///
    /// # Errors
    /// If the queue cannot be read or written.
    pub async fn start(appliance: Appliance, workers: usize) -> store::Result<Self> {
        let now = appliance.now();
        let recovered = appliance.database.write(move |tx| jobs::recover(tx, now)).await?;
        if recovered > 0 {
            tracing::info!(jobs = recovered, "Jobs that were interrupted are queued again.");
        }
        let (stop, stopping) = watch::channel(false);
        let mut tasks = Vec::new();
        for (lane, limit) in [("prompt", workers.max(1)), ("sweep", workers.div_ceil(2))] {
            tasks.push(tokio::spawn(work(appliance.clone(), lane, limit, stopping.clone())));
        }
        tasks.push(tokio::spawn(schedule::run(appliance.clone(), stopping.clone())));
        tasks.push(tokio::spawn(prune::run(appliance.clone(), stopping)));
        Ok(Self { stop, tasks, appliance })
    }

    /// Stops: no more work is taken, what runs is ended and goes back to the queue.
    pub async fn stop(self) {
        // Nobody listens any more if every task has ended already.
        let _ = self.stop.send(true);
        for task in self.tasks {
            // A task that panicked has said so.
            let _ = task.await;
        }
        let now = self.appliance.now();
        if let Err(error) = self.appliance.database.write(move |tx| jobs::recover(tx, now)).await {
            tracing::warn!(%error, "Running jobs could not be put back: the next start does it.");
        }
    }
}

async fn work(appliance: Appliance, lane: &'static str, limit: usize, mut stopping: watch::Receiver<bool>) {
    let mut news = appliance.work.clone();
    let mut running = JoinSet::new();
    while !*stopping.borrow() {
        news.borrow_and_update();
        let mut pause = None;
        while running.len() < limit {
            match next(&appliance, lane).await {
                Ok(Next::Job(job)) => {
                    let appliance = appliance.clone();
                    running.spawn(async move { run(&appliance, *job).await });
                }
                Ok(Next::Later(due)) => {
                    pause = due.map(|due| due.since(appliance.now()));
                    break;
                }
                Err(error) => {
                    tracing::error!(%error, lane, "The queue cannot be read; trying again.");
                    pause = Some(AFTER_TROUBLE);
                    break;
                }
            }
        }
        let due = tokio::time::sleep(pause.unwrap_or(Duration::MAX).min(LONGEST_PAUSE));
        tokio::select! {
            _ = stopping.changed() => {}
            _ = news.changed(), if running.len() < limit => {}
            () = due, if running.len() < limit => {}
            Some(_) = running.join_next(), if !running.is_empty() => {}
        }
    }
    // Dropping a job's future ends its worker process; the job is put back by whoever stopped us.
    running.shutdown().await;
}

enum Next {
    Job(Box<Job>),
    Later(Option<Timestamp>),
}

async fn next(appliance: &Appliance, lane: &'static str) -> store::Result<Next> {
    let now = appliance.now();
    // Looking costs no write, and mostly there is nothing.
    let due = appliance.database.read(move |db| jobs::next_due(db, lane)).await?;
    if due.is_none_or(|due| due > now) {
        return Ok(Next::Later(due));
    }
    let job = appliance.database.write(move |tx| jobs::claim(tx, lane, now)).await?;
    Ok(job.map_or(Next::Later(None), |job| Next::Job(Box::new(job))))
}

async fn run(appliance: &Appliance, job: Job) {
    let started = Instant::now();
    let kind = job.kind.clone();
    let outcome = match kind.as_str() {
        request::KIND => update_package::run(appliance, &job).await,
        other => Outcome::GiveUp(format!("this release knows no work called {other}")),
    };
    let took = started.elapsed();
    let name = match &outcome {
        Outcome::Done => "done",
        Outcome::Retry { .. } => "retry",
        Outcome::GiveUp(_) => "failed",
    };
    counter!(names::JOBS, "kind" => kind.clone(), "outcome" => name).increment(1);
    histogram!(names::JOB_DURATION, "kind" => kind.clone()).record(took.as_secs_f64());
    let reason = match &outcome {
        Outcome::Done => None,
        Outcome::Retry { reason, .. } | Outcome::GiveUp(reason) => Some(reason.clone()),
    };
    match &reason {
        None => tracing::info!(
            job.id = job.id.0,
            job.kind = kind,
            package.id = job.package.map(|id| id.0),
            duration_ms = took.as_millis() as u64,
            "A job is done."
        ),
        Some(reason) => tracing::warn!(
            job.id = job.id.0,
            job.kind = kind,
            package.id = job.package.map(|id| id.0),
            duration_ms = took.as_millis() as u64,
            reason,
            "A job failed."
        ),
    }
    if let Err(error) = settle(appliance, &job, outcome).await {
        tracing::error!(%error, job.id = job.id.0, "A job's end could not be stored: it runs again at the next start.");
    }
}

async fn settle(appliance: &Appliance, job: &Job, outcome: Outcome) -> store::Result<()> {
    let now = appliance.now();
    let (id, attempt) = (job.id, job.attempt);
    appliance
        .database
        .write(move |tx| match outcome {
            Outcome::Done => jobs::finish(tx, id, "done", None, now),
            Outcome::Retry { reason, after: Some(after) } => {
                jobs::put_back(tx, id, now + after, Some(&reason), false, now)
            }
            Outcome::Retry { reason, after: None } if attempt < ATTEMPTS => {
                jobs::put_back(tx, id, now + pause(attempt), Some(&reason), true, now)
            }
            Outcome::Retry { reason, after: None } | Outcome::GiveUp(reason) => {
                jobs::finish(tx, id, "failed", Some(&reason), now)
            }
        })
        .await
}

/// Doubles with each try, and is scattered so that what failed together is not tried together.
fn pause(attempt: i64) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(20);
    let longest = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    longest.mul_f64(rand::random_range(0.5..=1.0))
}
