//! The properties, as the fuzzer runs them: with a bound on their time.

#[path = "properties/mod.rs"]
mod properties;

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How long one input of up to 64 KB may keep the processor: pathological patterns and quadratic loops end here.
const LONGEST: Duration = Duration::from_secs(1);

/// Checks one property, and that checking it takes no longer than it may. The time is the thread's own, so that a busy machine is
/// no finding.
///
/// # Panics
/// Where the property is broken, or slow.
pub fn timed(target: &str, data: &[u8]) {
    let before = clock_gettime(ClockId::ThreadCPUTime);
    properties::check(target, data);
    let after = clock_gettime(ClockId::ThreadCPUTime);
    let took = Duration::try_from(after - before).unwrap_or_default();
    assert!(took <= LONGEST, "{target} took {took:?} for {} bytes", data.len());
}
