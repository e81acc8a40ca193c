//! Taking due work from the queue and running it.
//!
//! Each lane has a share of the workers of its own, so that a thousand updates that nobody waits for
//! never delay a webhook.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use metrics::{counter, histogram};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::{confirm_topic, ensure_hooks, lines, prune, schedule, sync_organization, update_package};
use crate::admin::hook_calls;
use crate::appliance::Appliance;
use crate::clock::Timestamp;
use crate::publish::log::Log;
use crate::publish::request;
use crate::store::jobs::{self, Job, Return};
use crate::store::{self, Tx, packages};
use crate::store::{job_lines, job_lists};
use crate::sync::{self, hooks};
use crate::telemetry::names;

/// Lanes by how urgent they are: somebody pushed, somebody waits, nobody does.
pub(super) const LANES: [&str; 3] = ["hook", "prompt", "sweep"];
/// How often a job is tried before it counts as failed.
pub(super) const ATTEMPTS: i64 = 8;
/// The pause after the first failed try; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// The longest pause between tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 60 * 60);
/// How long to wait before the queue is asked again when the database failed.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);

/// When a job is tried again that failed by a fault of this machine.
const UNWELL: Duration = Duration::from_secs(2 * 60);

/// What became of a try.
#[derive(Clone)]
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
    /// This machine was unwell, which says nothing about the job: such a try does not count.
    Unwell(String),
    /// It failed, and somebody has to change something first.
    GiveUp(String),
    /// Somebody cancelled it while it ran.
    Cancelled,
}

/// The running workers. Dropping them leaves running jobs to the next start.
pub struct Workers {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    appliance: Appliance,
}

impl Workers {
    /// Starts working. Each lane has `workers` places (the one that nobody waits for has half) and one more, because no
    /// organization may have more than `workers` of them: one with slow servers must leave the others room.
    ///
    /// # Errors
    /// If the queue cannot be read or written.
    pub async fn start(appliance: Appliance, workers: usize) -> store::Result<Self> {
        let recovered = recover(&appliance).await?;
        if recovered > 0 {
            tracing::info!(jobs = recovered, "Jobs that were interrupted are queued again.");
        }
        let (stop, stopping) = watch::channel(false);
        let mut tasks = Vec::new();
        for (name, share) in LANES.into_iter().zip([workers, workers, workers.div_ceil(2)]) {
            let lane = Lane { name, share: share.max(1) };
            tasks.push(tokio::spawn(work(appliance.clone(), lane, stopping.clone())));
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
        if let Err(error) = put_back_running(&self.appliance).await {
            tracing::warn!(%error, "Running jobs could not be put back: the next start does it.");
        }
    }
}

async fn put_back_running(appliance: &Appliance) -> store::Result<()> {
    let now = appliance.now();
    appliance
        .database
        .write(move |tx| {
            for job in jobs::running(tx)? {
                request::hand_over(tx, &job)?;
                jobs::put_back(tx, job.id, now, Return::Stopped, now)?;
            }
            Ok(())
        })
        .await
}

/// Makes what was running when the process died ready again; how many jobs that were. Dying counts as a failed try:
/// the job itself may have been why.
async fn recover(appliance: &Appliance) -> store::Result<usize> {
    let now = appliance.now();
    appliance
        .database
        .write(move |tx| {
            jobs::bring_near(tx, now + LONGEST_PAUSE)?;
            let running = jobs::running(tx)?;
            for job in &running {
                request::hand_over(tx, job)?;
                if job_lists::is_to_stop(tx, job.id)? {
                    jobs::finish(tx, job.id, "cancelled", None, now)?;
                } else if job.attempt >= ATTEMPTS {
                    let reason = format!(
                        "The server ended {} times during this work, so that it is left alone now: the logs of those times \
                         may tell why. `job retry {}` tries it again.",
                        job.attempt, job.id
                    );
                    fail(tx, job, &reason, now)?;
                } else {
                    let run_at = if job.attempt < 3 { now } else { now + pause(job.attempt) };
                    let why = Return::Failed("the server ended during this job");
                    jobs::put_back(tx, job.id, run_at, why, now)?;
                }
            }
            Ok(running.len())
        })
        .await
}

/// A share of the workers.
#[derive(Clone, Copy)]
struct Lane {
    name: &'static str,
    /// How many jobs of one organization run at once; the lane has one place more.
    share: usize,
}

impl Lane {
    fn share(self) -> i64 {
        i64::try_from(self.share).unwrap_or(i64::MAX)
    }
}

async fn work(appliance: Appliance, lane: Lane, mut stopping: watch::Receiver<bool>) {
    let mut news = appliance.work.clone();
    let mut running = JoinSet::new();
    let places = lane.share + 1;
    while !*stopping.borrow() {
        news.borrow_and_update();
        let mut pause = None;
        while running.len() < places {
            if !appliance.has_room() {
                pause = Some(AFTER_TROUBLE);
                break;
            }
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
                    if appliance.database.trouble().is_none() {
                        tracing::error!(%error, lane = lane.name, "The queue cannot be read; trying again.");
                    }
                    pause = Some(AFTER_TROUBLE);
                    break;
                }
            }
        }
        let due = tokio::time::sleep(pause.unwrap_or(Duration::MAX).min(LONGEST_PAUSE));
        tokio::select! {
            _ = stopping.changed() => {}
            _ = news.changed(), if running.len() < places => {}
            () = due, if running.len() < places => {}
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

async fn next(appliance: &Appliance, lane: Lane) -> store::Result<Next> {
    let now = appliance.now();
    // Looking costs no write, and mostly there is nothing.
    let due = appliance.database.read(move |db| jobs::next_due(db, lane.name, lane.share())).await?;
    if due.is_none_or(|due| due > now) {
        return Ok(Next::Later(due));
    }
    let job = appliance.database.write(move |tx| jobs::claim(tx, lane.name, lane.share(), now)).await?;
    Ok(job.map_or(Next::Later(None), |job| Next::Job(Box::new(job))))
}

async fn run(appliance: &Appliance, job: Job) {
    let started = Instant::now();
    // A job that panics has failed like any other; its row must not stay `running`, which would keep out the next.
    let log = lines::begin(appliance, &job);
    let work = AssertUnwindSafe(perform(appliance, &job, &log)).catch_unwind();
    let outcome = lines::stored_while(appliance, job.id, &log, work)
        .await
        .unwrap_or(Ok(Outcome::Cancelled))
        .unwrap_or_else(|_| Outcome::GiveUp("the job ended by a fault in the server: its log tells more".to_owned()));
    report(&job, &outcome, started.elapsed());
    lines::end(&log, &outcome);
    let last = log.take();
    while let Err(error) = settle(appliance, &job, &outcome, &last).await {
        if appliance.database.trouble().is_none() {
            tracing::error!(%error, job.id = job.id.0, "A job's end could not be stored; trying again.");
        }
        tokio::time::sleep(AFTER_TROUBLE).await;
    }
}

async fn perform(appliance: &Appliance, job: &Job, log: &Log) -> Outcome {
    match job.kind.as_str() {
        request::KIND => update_package::run(appliance, job, log).await,
        hooks::KIND => ensure_hooks::run(appliance, job, log).await,
        sync::request::KIND => sync_organization::run(appliance, job, log).await,
        hook_calls::CONFIRM_TOPIC => confirm_topic::run(appliance, job, log).await,
        other => Outcome::GiveUp(format!("this release knows no work called {other}")),
    }
}

fn report(job: &Job, outcome: &Outcome, took: Duration) {
    let kind = job.kind.clone();
    let (name, reason) = match outcome {
        Outcome::Done => ("done", None),
        Outcome::Cancelled => ("cancelled", None),
        Outcome::Retry { reason, .. } | Outcome::Unwell(reason) => ("retry", Some(reason)),
        Outcome::GiveUp(reason) => ("failed", Some(reason)),
    };
    counter!(names::JOBS, "kind" => kind.clone(), "outcome" => name).increment(1);
    histogram!(names::JOB_DURATION, "kind" => kind.clone()).record(took.as_secs_f64());
    let package = job.package.map(|id| id.0);
    let duration = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    match reason {
        None => tracing::info!(
            job.id = job.id.0,
            job.kind = kind,
            package.id = package,
            duration_ms = duration,
            "A job is done."
        ),
        Some(reason) => tracing::warn!(
            job.id = job.id.0,
            job.kind = kind,
            package.id = package,
            duration_ms = duration,
            reason,
            "A job failed."
        ),
    }
}

async fn settle(appliance: &Appliance, job: &Job, outcome: &Outcome, lines: &[job_lines::New]) -> store::Result<()> {
    let now = appliance.now();
    let (id, attempt, outcome, job, lines) = (job.id, job.attempt, outcome.clone(), job.clone(), lines.to_vec());
    appliance
        .database
        .write(move |tx| {
            job_lines::append(tx, id, &lines)?;
            if !matches!(outcome, Outcome::Done) {
                request::hand_over(tx, &job)?;
            }
            match outcome {
                Outcome::Done => jobs::finish(tx, id, "done", None, now),
                Outcome::Cancelled => jobs::finish(tx, id, "cancelled", None, now),
                Outcome::Retry { reason, after: Some(after) } => {
                    jobs::put_back(tx, id, now + after, Return::Told(&reason), now)
                }
                Outcome::Unwell(reason) => jobs::put_back(tx, id, now + UNWELL, Return::Unwell(&reason), now),
                Outcome::Retry { reason, after: None } if attempt < ATTEMPTS => {
                    jobs::put_back(tx, id, now + pause(attempt), Return::Failed(&reason), now)
                }
                Outcome::Retry { reason, after: None } | Outcome::GiveUp(reason) => fail(tx, &job, &reason, now),
            }
        })
        .await
}

/// Ends a job for which nothing more is done by itself. Its package says why, also if the job came to no end of its own.
fn fail(tx: &Tx<'_>, job: &Job, reason: &str, now: Timestamp) -> store::Result<()> {
    if let (request::KIND, Some(org), Some(package)) = (job.kind.as_str(), job.org, job.package) {
        packages::set_unread(org, tx, package, reason, now)?;
    }
    jobs::finish(tx, job.id, "failed", Some(reason), now)
}

/// Doubles with each try, and is scattered so that what failed together is not tried together.
fn pause(attempt: i64) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(20);
    let longest = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    longest.mul_f64(rand::random_range(0.5..=1.0))
}
