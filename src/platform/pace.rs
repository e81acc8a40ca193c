//! How fast each credential may be used at a platform: how many requests at once, how many changes in a time, the pauses that
//! the platform asked for, and what is left of what it grants.
//! Whoever synchronizes, installs hooks or tests shares them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Queue, Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::hub::{HubError, Key};
use crate::clock::Timestamp;

/// How often a pause is doubled.
const DOUBLINGS: u32 = 5;

/// How long after a change the next one is sent: what GitHub's documentation asks for.
const BETWEEN_CHANGES: Duration = Duration::from_secs(1);
/// One request in so many of what is granted is left to those for whom somebody waits.
const RESERVE: u32 = 10;

/// How many requests are under way at once at a platform, whoever sends them: several organizations share one host.
const AT_ONCE: usize = 4;

/// The lanes of all credentials, and what they share.
#[derive(Debug)]
pub(super) struct Pace {
    /// Written by whoever is first to use a credential; a lock, because look-ups are rare.
    lanes: Mutex<HashMap<i64, Arc<Lane>>>,
    /// The turns of all lanes. Whoever waits for one has one of the lane already, so that no lane has more than its few in
    /// the queue, however much work it has.
    host: Arc<Semaphore>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { lanes: Mutex::default(), host: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

/// That a request may be under way, for as long as this lives.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    _lane: SemaphorePermit<'a>,
    _host: SemaphorePermit<'a>,
}

/// What all requests of one credential share.
#[derive(Debug)]
pub(super) struct Lane {
    generation: i64,
    turns: Semaphore,
    host: Arc<Semaphore>,
    /// Written and read by the requests, never held while one is under way.
    pause: Mutex<Pause>,
    /// When something was changed last; held while the next one waits.
    changed: Queue<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Pause {
    until: Option<Timestamp>,
    strikes: u32,
    budget: Option<Budget>,
    /// Why the secret must not be shown any more.
    refused: Option<HubError>,
}

/// What a platform grants in a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// How many requests are left.
    pub remaining: u32,
    /// Of how many.
    pub limit: u32,
    /// When all of them are granted again.
    pub resets_at: Timestamp,
}

impl Pace {
    /// The lane of a credential, which lets so many requests through at once. A new secret begins anew.
    pub(super) fn lane(&self, key: &Key, at_once: usize) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(&key.credential).filter(|lane| lane.generation == key.generation) {
            return Arc::clone(lane);
        }
        let lane = Arc::new(Lane {
            generation: key.generation,
            turns: Semaphore::new(at_once),
            host: Arc::clone(&self.host),
            pause: Mutex::default(),
            changed: Queue::default(),
        });
        lanes.insert(key.credential, Arc::clone(&lane));
        lane
    }
}

impl Lane {
    /// Waits for one's turn; it lasts as long as the permit.
    pub(super) async fn turn(&self) -> Turn<'_> {
        let lane = self.turns.acquire().await.expect("nobody closes it");
        let host = self.host.acquire().await.expect("nobody closes it");
        Turn { _lane: lane, _host: host }
    }

    /// Waits until something may be changed.
    pub(super) async fn turn_to_change(&self) {
        let mut changed = self.changed.lock().await;
        if let Some(last) = *changed {
            tokio::time::sleep_until(last + BETWEEN_CHANGES).await;
        }
        *changed = Some(Instant::now());
    }

    /// Remembers what is left.
    pub(super) fn told(&self, budget: Budget) {
        self.pause().budget = Some(budget);
    }

    /// Until when work has to wait that leaves a part of what is granted to others, if it has to.
    pub(super) fn reserved(&self, now: Timestamp) -> Option<Timestamp> {
        let budget = self.pause().budget?;
        let is_low = budget.remaining.saturating_mul(RESERVE) < budget.limit;
        (is_low && budget.resets_at > now).then_some(budget.resets_at)
    }

    /// Until when the platform wants to be left alone, if it does.
    pub(super) fn paused(&self, now: Timestamp) -> Option<Timestamp> {
        self.pause().until.filter(|until| *until > now)
    }

    /// The platform wants to be left alone until then.
    pub(super) fn pause_until(&self, until: Timestamp) {
        let mut pause = self.pause();
        pause.until = pause.until.max(Some(until));
    }

    /// The platform wants to be left alone, and does not say for how long: for longer each time.
    pub(super) fn strike(&self, first: Duration) -> Duration {
        let mut pause = self.pause();
        let length = first * 2_u32.pow(pause.strikes.min(DOUBLINGS));
        pause.strikes = pause.strikes.saturating_add(1);
        length
    }

    /// The secret was refused, and must not be shown again: each further try may lock somebody's account.
    pub(super) fn refuse(&self, error: HubError) {
        self.pause().refused = Some(error);
    }

    /// Why the secret must not be shown, if it must not.
    pub(super) fn refused(&self) -> Option<HubError> {
        self.pause().refused.clone()
    }

    /// Somebody wants it to be tried again.
    pub(super) fn forgive(&self) {
        self.pause().refused = None;
    }

    /// It answers.
    pub(super) fn well(&self) {
        self.pause().strikes = 0;
    }

    fn pause(&self) -> MutexGuard<'_, Pause> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::{Budget, Key, Pace};
    use crate::clock::Timestamp;

    const MINUTE: Duration = Duration::from_secs(60);

    fn key(generation: i64) -> Key {
        key_of(7, generation)
    }

    fn key_of(credential: i64, generation: i64) -> Key {
        Key { credential, generation, kind: "github-token".to_owned(), username: None, secret: "x".into() }
    }

    #[test]
    fn pauses_belong_to_a_secret_and_grow() {
        let (pace, now) = (Pace::default(), Timestamp::from_seconds(1000));
        let lane = pace.lane(&key(1), 2);
        lane.pause_until(now + Duration::from_secs(30));
        lane.pause_until(now + Duration::from_secs(10));
        assert_eq!(pace.lane(&key(1), 2).paused(now), Some(now + Duration::from_secs(30)));
        assert_eq!(lane.paused(now + Duration::from_secs(30)), None);
        assert_eq!(pace.lane(&key(2), 2).paused(now), None);
        let strikes: Vec<_> = (0..7).map(|_| lane.strike(MINUTE).as_secs()).collect();
        assert_eq!(strikes, [60, 120, 240, 480, 960, 1920, 1920]);
        lane.well();
        assert_eq!(lane.strike(MINUTE).as_secs(), 60);
    }

    #[test]
    fn a_tenth_is_left_to_others() {
        let (pace, now) = (Pace::default(), Timestamp::from_seconds(1000));
        let lane = pace.lane(&key(1), 2);
        let resets_at = now + Duration::from_secs(60);
        assert_eq!(lane.reserved(now), None, "nobody said anything yet");
        lane.told(Budget { remaining: 500, limit: 5000, resets_at });
        assert_eq!(lane.reserved(now), None);
        lane.told(Budget { remaining: 499, limit: 5000, resets_at });
        assert_eq!(lane.reserved(now), Some(resets_at));
        assert_eq!(lane.reserved(resets_at), None);
    }

    #[tokio::test]
    async fn a_host_has_four_requests_at_once_whoever_sends_them() {
        let pace = Pace::default();
        let (one, other) = (pace.lane(&key_of(1, 1), 4), pace.lane(&key_of(2, 1), 4));
        let mut turns = vec![one.turn().await, one.turn().await, one.turn().await];
        turns.push(other.turn().await);
        let mut fifth = Box::pin(other.turn());
        assert!(fifth.as_mut().now_or_never().is_none());
        assert!(one.turn().now_or_never().is_none());
        turns.remove(0);
        assert!(fifth.as_mut().now_or_never().is_some(), "one that ended makes room for another credential's");
    }

    #[tokio::test]
    async fn changes_come_one_after_the_other() {
        let pace = Pace::default();
        let (lane, began) = (pace.lane(&key(1), 2), tokio::time::Instant::now());
        futures_util::future::join_all((0..3).map(|_| lane.turn_to_change())).await;
        assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    }
}
