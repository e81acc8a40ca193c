//! How many requests a second were answered lately, for people who look at a page; programs read counters.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Over how many seconds the rate is taken.
const WINDOW: u64 = 60;
/// Slots, one a second: more than the window, so that the second that is being counted is not one of it.
const SLOTS: usize = 64;

/// The requests of this process. Written by every answer, read by the status page.
static REQUESTS: Rate = Rate::new();
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Counts of the last seconds: in each slot the second in the upper half, and how many there were in the lower.
struct Rate([AtomicU64; SLOTS]);

impl Rate {
    const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; SLOTS])
    }

    fn count(&self, second: u64) {
        let slot = usize::try_from(second % SLOTS as u64).unwrap_or_default();
        let counted = |slot: u64| if slot >> 32 == second { slot + 1 } else { (second << 32) + 1 };
        // What the closure gives is never none.
        let _ = self.0[slot].fetch_update(Ordering::Relaxed, Ordering::Relaxed, |slot| Some(counted(slot)));
    }

    /// How many a second, of the whole seconds before this one.
    fn before(&self, second: u64) -> f64 {
        let seconds = second.min(WINDOW);
        if seconds == 0 {
            return 0.0;
        }
        let oldest = second - seconds;
        let slots = self.0.iter().map(|slot| slot.load(Ordering::Relaxed));
        let all: u64 =
            slots.filter(|slot| (oldest..second).contains(&(slot >> 32))).map(|slot| slot & 0xffff_ffff).sum();
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let rate = all as f64 / seconds as f64;
        rate
    }
}

/// Counts an answer.
pub(super) fn count() {
    REQUESTS.count(STARTED.elapsed().as_secs());
}

/// How many requests a second were answered in the last minute.
#[must_use]
pub fn requests_per_second() -> f64 {
    REQUESTS.before(STARTED.elapsed().as_secs())
}

#[cfg(test)]
mod tests {
    use super::Rate;

    #[test]
    fn the_last_minute_counts() {
        let rate = Rate::new();
        let is = |second: u64, expected: f64| assert!((rate.before(second) - expected).abs() < 1e-9, "{second}");
        is(0, 0.0);
        for second in 0..30 {
            (0..4).for_each(|_| rate.count(second));
        }
        is(15, 4.0);
        is(30, 4.0);
        is(60, 2.0);
        is(90, 0.0);
        is(75, 1.0);
        rate.count(94);
        is(94, 0.0);
        is(95, 1.0 / 60.0);
    }
}
