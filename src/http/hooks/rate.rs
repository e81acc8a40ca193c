//! How often a webhook is called: beyond the rate its work still happens, but later.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::store::ids::HookId;

/// Calls within [`WINDOW`] that are worked on at once.
const CALLS: u32 = 60;
/// The time over which calls are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Beyond this many hooks, windows that have ended are swept.
const SWEEP: usize = 10_000;

/// The current window of each hook. Only hooks that exist get here, so there are no more than those; the lock is held for
/// a look-up, by calls that write to disk next.
#[derive(Default)]
pub struct Rates {
    windows: Mutex<HashMap<HookId, Window>>,
}

struct Window {
    began: Timestamp,
    calls: u32,
}

impl Rates {
    /// Counts a call; whether it is within the rate.
    pub fn admits(&self, hook: HookId, now: Timestamp) -> bool {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() > SWEEP {
            windows.retain(|_, window| now.since(window.began) < WINDOW);
        }
        let window = windows.entry(hook).or_insert(Window { began: now, calls: 0 });
        if now.since(window.began) >= WINDOW {
            *window = Window { began: now, calls: 0 };
        }
        window.calls = window.calls.saturating_add(1);
        window.calls <= CALLS
    }
}

#[cfg(test)]
mod tests {
    use super::Rates;
    use crate::clock::Timestamp;
    use crate::store::ids::HookId;

    #[test]
    fn sixty_calls_a_minute_are_admitted() {
        let rates = Rates::default();
        let at = |seconds: i64| Timestamp::from_seconds(1_000_000 + seconds);
        assert!((0..60).all(|_| rates.admits(HookId(1), at(0))));
        assert!(!rates.admits(HookId(1), at(59)));
        assert!(rates.admits(HookId(2), at(59)), "each hook has its own rate");
        assert!(rates.admits(HookId(1), at(60)));
    }
}
