//! Asking for a run of a synchronization.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::platform::remote::Touch;
use crate::store::ids::{JobId, OrgId, SyncId};
use crate::store::{self, Tx, jobs, sync_hints, syncs};

/// The verb of the job.
pub const KIND: &str = "sync_organization";

/// Events this soon after a run began are answered by one more run, not by one each.
const TOGETHER: Duration = Duration::from_secs(2);

/// A synchronization, wherever it is asked for: whose it is, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SyncKey {
    /// Whose it is.
    pub org: OrgId,
    /// Which it is.
    pub sync: SyncId,
}

/// Why everything is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Somebody asked.
    Asked,
    /// It is time.
    Schedule,
    /// It reads with another credential from now on.
    Credential,
}

/// The arguments of the job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// Which synchronization runs.
    pub sync: SyncId,
    /// Why everything is read; none: what events spoke of suffices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub everything: Option<Reason>,
    /// The digest of the plan to which somebody said yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<String>,
}

impl Payload {
    /// The arguments of work that does both.
    fn and(self, waiting: Self) -> Self {
        let everything = match (self.everything, waiting.everything) {
            (Some(Reason::Asked), _) | (_, Some(Reason::Asked)) => Some(Reason::Asked),
            (one, other) => one.or(other),
        };
        Self { sync: self.sync, everything, accept: self.accept.or(waiting.accept) }
    }
}

/// Queues a run that looks at what events spoke of, in the transaction of the delivery: the first event's is due at once;
/// events during a run, or just after it began, share one more.
///
/// # Errors
/// If the database cannot be written.
pub fn touched(tx: &Tx<'_>, key: SyncKey, touches: &[Touch], now: Timestamp) -> store::Result<JobId> {
    for touch in touches {
        let json = serde_json::to_string(touch).map_err(|error| store::Error::Corrupt(error.to_string()))?;
        sync_hints::insert(key.org, tx, key.sync, &json, now)?;
    }
    let started = syncs::by_id(key.org, tx, key.sync)?.and_then(|sync| sync.last_run_at);
    // Never later than from now: the last start may have been noted by a clock that was ahead.
    let run_at = started.map_or(now, |started| (started + TOGETHER).clamp(now, now + TOGETHER));
    enqueue(tx, key, None, None, "hook", run_at, now)
}

/// Queues a run that reads everything. `accept`: the digest of the held plan to which somebody said yes.
///
/// # Errors
/// If the database cannot be written.
pub fn run(tx: &Tx<'_>, key: SyncKey, reason: Reason, accept: Option<String>, now: Timestamp) -> store::Result<JobId> {
    let lane = if reason == Reason::Schedule { "sweep" } else { "prompt" };
    if reason == Reason::Credential {
        // What a platform wanted of the one before does not concern another one.
        jobs::forget_pause(tx, &format!("{KIND}:{}", key.sync))?;
    }
    enqueue(tx, key, Some(reason), accept, lane, now, now)
}

fn enqueue(
    tx: &Tx<'_>,
    key: SyncKey,
    everything: Option<Reason>,
    accept: Option<String>,
    lane: &'static str,
    run_at: Timestamp,
    now: Timestamp,
) -> store::Result<JobId> {
    let dedupe_key = format!("{KIND}:{}", key.sync);
    let mut payload = Payload { sync: key.sync, everything, accept };
    let waiting = jobs::waiting_payload(tx, &dedupe_key)?;
    // Arguments that cannot be read ask for nothing special.
    if let Some(waiting) = waiting.and_then(|waiting| serde_json::from_str(&waiting).ok()) {
        payload = payload.and(waiting);
    }
    let payload = serde_json::to_string(&payload).map_err(|error| store::Error::Corrupt(error.to_string()))?;
    let job = jobs::New { org: Some(key.org), package: None, kind: KIND, payload, dedupe_key, lane, run_at };
    jobs::enqueue(tx, &job, now)
}

#[cfg(test)]
mod tests {
    use super::{Payload, Reason, SyncId};

    #[test]
    fn merged_work_reads_everything_if_one_of_the_two_does() {
        let payload = |everything, accept: Option<&str>| Payload {
            sync: SyncId(1),
            everything,
            accept: accept.map(str::to_owned),
        };
        assert_eq!(payload(None, None).and(payload(None, None)), payload(None, None));
        let both = payload(None, None).and(payload(Some(Reason::Schedule), Some("a")));
        assert_eq!(both, payload(Some(Reason::Schedule), Some("a")));
        let both = payload(Some(Reason::Asked), Some("b")).and(payload(Some(Reason::Schedule), Some("a")));
        assert_eq!(both, payload(Some(Reason::Asked), Some("b")));
    }
}
