//! Asking for an update of a package.

use std::time::Duration;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::appliance::PackageKey;
use crate::clock::Timestamp;
use crate::store::ids::{JobId, PackageId};
use crate::store::{self, Tx, directories, jobs, packages};

/// The verb of the job.
pub const KIND: &str = "update_package";

/// Events this soon after an update began are answered by one more update, not by one each.
const TOGETHER: Duration = Duration::from_secs(2);

/// How long the work of a hook that is called too often waits.
const OVER_RATE: Duration = Duration::from_secs(30);

/// Why an update is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A webhook says that something was pushed.
    Hook,
    /// The same, from a hook that is called too often.
    HookOverRate,
    /// Somebody asked.
    Command,
    /// The mirror turned out to be damaged, and whoever noticed waits for it.
    Damage,
    /// Nobody told us anything for an interval.
    Interval,
    /// Something that documents depend on changed, but no repository did.
    Rerender,
}

/// The arguments of the job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// Commits that a webhook announced; the update is repeated until they are visible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub announced: Vec<String>,
    /// How often it was repeated for them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeated: usize,
    /// When a webhook announced them, if that was before the job was queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced_at: Option<Timestamp>,
}

/// How many announced commits one job waits for: the newest.
const ANNOUNCED: usize = 20;

impl Payload {
    /// The arguments of work that does both.
    fn and(mut self, mut waiting: Self) -> Self {
        let earliest = self.announced_at.into_iter().chain(waiting.announced_at).min();
        (self.announced_at, waiting.announced_at) = (earliest, earliest);
        if self.announced.is_empty() {
            return waiting;
        }
        if !waiting.announced.is_empty() {
            self.repeated = self.repeated.min(waiting.repeated);
        }
        for commit in waiting.announced {
            if self.announced.len() < ANNOUNCED && !self.announced.contains(&commit) {
                self.announced.push(commit);
            }
        }
        self.announced.truncate(ANNOUNCED);
        self
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Queues an update in the transaction of its cause, or merges it into one that waits.
///
/// The first event's update is due at once; events during a run, or just after it began, share one more.
///
/// # Errors
/// If the database cannot be written.
pub fn update(
    tx: &Tx<'_>,
    key: PackageKey,
    reason: Reason,
    announced: &[String],
    now: Timestamp,
) -> store::Result<JobId> {
    // Packages in directories are read with their repository.
    let key = PackageKey { package: directories::source_of(key.org, tx, key.package)?, ..key };
    let run_at = match reason {
        Reason::Hook => {
            let started = packages::by_id(key.org, tx, key.package)?.and_then(|package| package.update_started_at);
            // Never later than from now: the last start may have been noted by a clock that was ahead.
            started.map_or(now, |started| (started + TOGETHER).clamp(now, now + TOGETHER))
        }
        Reason::HookOverRate => now + OVER_RATE,
        Reason::Command | Reason::Damage | Reason::Interval | Reason::Rerender => now,
    };
    let payload = Payload { announced: announced.to_vec(), repeated: 0, announced_at: None };
    enqueue(tx, key, reason, |waiting| payload.and(waiting), run_at, now)
}

/// Whether an update of the package waits already.
///
/// # Errors
/// If the database cannot be read.
pub fn is_waiting(connection: &Connection, key: PackageKey) -> store::Result<bool> {
    let package = directories::source_of(key.org, connection, key.package)?;
    Ok(jobs::waiting_payload(connection, &dedupe_key(package))?.is_some())
}

/// Queues another update for commits that were announced and are not visible yet.
///
/// # Errors
/// If the database cannot be written.
pub fn repeat(
    tx: &Tx<'_>,
    key: PackageKey,
    payload: Payload,
    run_at: Timestamp,
    now: Timestamp,
) -> store::Result<JobId> {
    enqueue(tx, key, Reason::Hook, |waiting| waiting.and(payload), run_at, now)
}

/// Leaves to the update that waits what an ended one should have waited for.
///
/// # Errors
/// If the database cannot be written.
pub fn hand_over(tx: &Tx<'_>, ended: &jobs::Job) -> store::Result<()> {
    let Some(package) = ended.package.filter(|_| ended.kind == KIND) else { return Ok(()) };
    let dedupe_key = dedupe_key(package);
    if let Some(waiting) = jobs::waiting_payload(tx, &dedupe_key)? {
        let merged = read(&waiting).and(read(&ended.payload));
        jobs::set_waiting_payload(tx, &dedupe_key, &write(&merged)?)?;
    }
    Ok(())
}

fn dedupe_key(package: PackageId) -> String {
    format!("{KIND}:{package}")
}

/// Arguments that cannot be read ask for nothing special.
fn read(payload: &str) -> Payload {
    serde_json::from_str(payload).unwrap_or_default()
}

fn write(payload: &Payload) -> store::Result<String> {
    serde_json::to_string(payload).map_err(|error| store::Error::Corrupt(error.to_string()))
}

fn enqueue(
    tx: &Tx<'_>,
    key: PackageKey,
    reason: Reason,
    merge: impl FnOnce(Payload) -> Payload,
    run_at: Timestamp,
    now: Timestamp,
) -> store::Result<JobId> {
    let dedupe_key = dedupe_key(key.package);
    let waiting = jobs::waiting_payload(tx, &dedupe_key)?;
    let payload = write(&merge(waiting.as_deref().map(read).unwrap_or_default()))?;
    let lane = match reason {
        Reason::Hook | Reason::HookOverRate => "hook",
        Reason::Command | Reason::Damage => "prompt",
        Reason::Interval | Reason::Rerender => "sweep",
    };
    let job =
        jobs::New { org: Some(key.org), package: Some(key.package), kind: KIND, payload, dedupe_key, lane, run_at };
    jobs::enqueue(tx, &job, now)
}

#[cfg(test)]
mod tests {
    use super::{ANNOUNCED, Payload};

    fn payload(announced: &[&str], repeated: usize) -> Payload {
        Payload {
            announced: announced.iter().map(|commit| (*commit).to_owned()).collect(),
            repeated,
            announced_at: None,
        }
    }

    #[test]
    fn merged_work_waits_for_the_commits_of_both() {
        let merged = payload(&["b", "a"], 0).and(payload(&["a"], 2));
        assert_eq!(merged, payload(&["b", "a"], 0));
        assert_eq!(payload(&[], 0).and(payload(&["a"], 2)), payload(&["a"], 2), "nothing new to wait for");
        let many: Vec<String> = (0..50).map(|n| n.to_string()).collect();
        let many = Payload { announced: many, repeated: 0, announced_at: None };
        assert_eq!(payload(&["x"], 0).and(many).announced.len(), ANNOUNCED);
    }
}
