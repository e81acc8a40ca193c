//! How often a webhook is called, and by how many at once: beyond the rate its work still happens, but later, and whoever
//! floods one webhook leaves room for the calls of all others.

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::store::ids::HookId;

/// Calls within [`WINDOW`] that are worked on at once.
const CALLS: u32 = 60;
/// The time over which calls are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// More calls of one hook at once than this are a crowd, which honest callers are for a moment only.
const CROWD: usize = 64;
/// Beyond this many hooks, windows that have ended are swept.
const SWEEP: usize = 10_000;

/// The current window of each hook. Only hooks that exist get here, so there are no more than those; the lock is held for
/// a look-up, by calls that write to disk next.
#[derive(Default)]
pub struct Rates {
    windows: Mutex<HashMap<HookId, Window>>,
    rooms: Arc<Mutex<Rooms>>,
}

/// The calls that are being answered now, by hook. Locked when a call comes and when it goes.
type Rooms = HashMap<HookId, Room>;

#[derive(Default)]
struct Room {
    calls: usize,
    held: Arc<AtomicUsize>,
}

/// A call's place among those of its hook, until it is answered.
pub struct Seat {
    rooms: Arc<Mutex<Rooms>>,
    hook: HookId,
    /// Whether there are more calls than honest callers make.
    pub is_crowded: bool,
    /// Bytes of bodies that the hook's calls hold together.
    pub held: Arc<AtomicUsize>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut rooms = lock(&self.rooms);
        if let Some(room) = rooms.get_mut(&self.hook) {
            room.calls -= 1;
            if room.calls == 0 {
                rooms.remove(&self.hook);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Window {
    began: Timestamp,
    calls: u32,
}

impl Rates {
    /// Takes a seat for a call.
    pub fn seat(&self, hook: HookId) -> Seat {
        let mut rooms = lock(&self.rooms);
        let room = rooms.entry(hook).or_default();
        room.calls += 1;
        Seat { rooms: Arc::clone(&self.rooms), hook, is_crowded: room.calls > CROWD, held: Arc::clone(&room.held) }
    }

    /// Counts a call; whether it is within the rate.
    pub fn admits(&self, hook: HookId, now: Timestamp) -> bool {
        let mut windows = lock(&self.windows);
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
    use super::{CROWD, Rates};
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

    #[test]
    fn a_crowd_at_one_hook_is_none_at_another() {
        let rates = Rates::default();
        let mut seats: Vec<_> = (0..CROWD).map(|_| rates.seat(HookId(1))).collect();
        assert!(seats.iter().all(|seat| !seat.is_crowded));
        assert!(rates.seat(HookId(1)).is_crowded && !rates.seat(HookId(2)).is_crowded);
        seats.pop();
        assert!(!rates.seat(HookId(1)).is_crowded, "somebody left");
        drop(seats);
        assert!(super::lock(&rates.rooms).is_empty(), "nothing is kept of who left");
    }
}
