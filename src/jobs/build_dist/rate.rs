//! How often each organization may ask for commits that were never a version's: anybody with a token can make up ids, and
//! each costs a worker that looks for it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::lock;
use crate::store::ids::OrgId;

/// Above how many organizations those are dropped that may ask as often as new ones.
const MANY: usize = 1024;

/// Buckets of tokens, one for each organization.
pub(super) struct Rate {
    burst: u32,
    interval: Duration,
    /// When each bucket will be full again; one that is not here is full.
    full_at: Mutex<HashMap<OrgId, Instant>>,
}

impl Rate {
    /// Buckets of `burst` tokens, one of which comes back each `interval`.
    pub(super) fn new(burst: u32, interval: Duration) -> Self {
        Self { burst, interval, full_at: Mutex::default() }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// How long it takes until there is one.
    pub(super) fn take(&self, org: OrgId, now: Instant) -> Result<(), Duration> {
        let mut full_at = lock(&self.full_at);
        if full_at.len() > MANY {
            full_at.retain(|_, full| *full > now);
        }
        let full = full_at.get(&org).map_or(now, |full| (*full).max(now)) + self.interval;
        let missing = full - now;
        let most = self.interval * self.burst;
        if missing > most {
            return Err(missing - most);
        }
        full_at.insert(org, full);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Rate;
    use crate::store::ids::OrgId;

    #[test]
    fn a_burst_then_one_each_interval() {
        let (rate, now) = (Rate::new(3, Duration::from_secs(1)), Instant::now());
        let after = |millis| now + Duration::from_millis(millis);
        let (a, b) = (OrgId(1), OrgId(2));
        assert!((0..3).all(|_| rate.take(a, now).is_ok()));
        assert_eq!(rate.take(a, now), Err(Duration::from_secs(1)));
        assert_eq!(rate.take(a, after(900)), Err(Duration::from_millis(100)), "asking in vain costs nothing");
        assert!(rate.take(b, now).is_ok(), "each has its own");
        assert!(rate.take(a, after(1000)).is_ok());
        assert!(rate.take(a, after(1001)).is_err());
        let later = after(3_600_000);
        assert!((0..3).all(|_| rate.take(a, later).is_ok()));
        assert!(rate.take(a, later).is_err(), "no more than a burst is saved up");
    }
}
