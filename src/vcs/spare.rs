//! Workers that found nothing new and stay for a moment, because the next repository of the same kind is often asked for
//! at once: starting a process and making a TLS connection cost several times what a listing does.
//!
//! A worker stays only for repositories of the same owner, at the same host, with the same credential, and only while all
//! that it did was to list: what one repository sent can so never meet what another owner's sends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use secrecy::zeroize::Zeroizing;
use sha2::{Digest, Sha256};

use super::process::Worker;
use super::request::Operation;

/// How long a worker stays without work.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many stay at most; beyond, the one that waited longest goes.
const MOST: usize = 8;

/// Whose repositories a worker may look at one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind([u8; 32]);

impl Kind {
    /// The kind of work that an operation is for this owner; none for work that is done by a worker of its own.
    pub(super) fn of(operation: &Operation, owner: i64) -> Option<Self> {
        let Operation::Update(update) = operation else { return None };
        let place = (owner, update.url.scheme() as u8, update.url.host_port(), &update.credential);
        let text = Zeroizing::new(serde_json::to_vec(&place).ok()?);
        Some(Self(Sha256::digest(&*text).into()))
    }
}

/// The workers that wait. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Spares(Arc<Mutex<Vec<Spare>>>);

struct Spare {
    kind: Kind,
    since: Instant,
    worker: Worker,
}

impl Spares {
    /// A worker that waits for this kind of work; the one that worked last, so that others may go.
    pub(super) fn take(&self, kind: Kind) -> Option<Worker> {
        let mut waiting = lock(&self.0);
        let at = waiting.iter().rposition(|spare| spare.kind == kind)?;
        Some(waiting.remove(at).worker)
    }

    /// Lets a worker wait for more.
    pub(super) fn keep(&self, kind: Kind, worker: Worker) {
        let first = {
            let mut waiting = lock(&self.0);
            waiting.push(Spare { kind, since: Instant::now(), worker });
            if waiting.len() > MOST {
                waiting.remove(0);
            }
            waiting.len() == 1
        };
        if first {
            tokio::spawn(dismiss(Arc::downgrade(&self.0)));
        }
    }
}

/// Ends workers that waited long enough, until none waits. The task of the first that comes then goes on.
async fn dismiss(spares: Weak<Mutex<Vec<Spare>>>) {
    loop {
        tokio::time::sleep(PATIENCE / 4).await;
        let Some(spares) = spares.upgrade() else { return };
        let mut waiting = lock(&spares);
        waiting.retain(|spare| spare.since.elapsed() < PATIENCE);
        if waiting.is_empty() {
            return;
        }
    }
}

/// Workers are moved in and out whole: a panic elsewhere leaves the list sound.
fn lock(spares: &Mutex<Vec<Spare>>) -> MutexGuard<'_, Vec<Spare>> {
    spares.lock().unwrap_or_else(PoisonError::into_inner)
}
