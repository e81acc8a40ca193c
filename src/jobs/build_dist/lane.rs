//! Whose turn it is: a bounded queue in which organizations take turns.
//!
//! An organization's own builds wait for each other first, then for those of others. So none is ever behind more than a
//! few builds of each other organization, however many those have asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

use super::lock;
use crate::store::ids::OrgId;

/// How many builds there may be.
pub(super) struct Limits {
    /// That run at once.
    pub(super) at_once: usize,
    /// That run at once for one organization.
    pub(super) at_once_each: usize,
    /// That wait or run.
    pub(super) waiting: usize,
    /// That wait or run for one organization.
    pub(super) waiting_each: usize,
}

/// A queue.
pub(super) struct Lane {
    limits: Limits,
    builders: Semaphore,
    places: Mutex<Places>,
}

#[derive(Default)]
struct Places {
    taken: usize,
    /// Only organizations that have places.
    each: HashMap<OrgId, Tenant>,
}

struct Tenant {
    taken: usize,
    gate: Arc<Semaphore>,
}

impl Lane {
    /// An empty queue.
    pub(super) fn new(limits: Limits) -> Self {
        Self { builders: Semaphore::new(limits.at_once), limits, places: Mutex::default() }
    }

    /// How many wait or run.
    pub(super) fn taken(&self) -> usize {
        lock(&self.places).taken
    }

    /// A place in the queue; none if it is full.
    pub(super) fn enter(lane: &Arc<Self>, org: OrgId) -> Option<Place> {
        let mut places = lock(&lane.places);
        let taken = places.each.get(&org).map_or(0, |tenant| tenant.taken);
        if places.taken >= lane.limits.waiting || taken >= lane.limits.waiting_each {
            return None;
        }
        places.taken += 1;
        let tenant = places
            .each
            .entry(org)
            .or_insert_with(|| Tenant { taken: 0, gate: Arc::new(Semaphore::new(lane.limits.at_once_each)) });
        tenant.taken += 1;
        Some(Place { lane: Arc::clone(lane), org, gate: Arc::clone(&tenant.gate) })
    }
}

/// A place in a queue, given back when it is dropped.
pub(super) struct Place {
    lane: Arc<Lane>,
    org: OrgId,
    gate: Arc<Semaphore>,
}

impl Place {
    /// Waits until it is this place's turn, which lasts until it is dropped.
    pub(super) async fn turn(&self) -> Turn<'_> {
        // The own gate first: whoever waits there keeps no builder from others.
        let _gate = self.gate.acquire().await;
        let _builder = self.lane.builders.acquire().await;
        Turn { _gate, _builder }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = lock(&self.lane.places);
        places.taken = places.taken.saturating_sub(1);
        if let Some(tenant) = places.each.get_mut(&self.org) {
            tenant.taken = tenant.taken.saturating_sub(1);
            if tenant.taken == 0 {
                places.each.remove(&self.org);
            }
        }
    }
}

/// The right to build. The semaphores are never closed, so both permits are always there.
pub(super) struct Turn<'a> {
    _gate: Result<SemaphorePermit<'a>, AcquireError>,
    _builder: Result<SemaphorePermit<'a>, AcquireError>,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;

    use super::{Lane, Limits};
    use crate::store::ids::OrgId;

    const A: OrgId = OrgId(1);
    const B: OrgId = OrgId(2);

    fn lane() -> Arc<Lane> {
        Arc::new(Lane::new(Limits { at_once: 3, at_once_each: 2, waiting: 5, waiting_each: 4 }))
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let lane = lane();
        let mut places: Vec<_> = (0..4).map(|_| Lane::enter(&lane, A).unwrap()).collect();
        assert!(Lane::enter(&lane, A).is_none(), "A has its share");
        places.push(Lane::enter(&lane, B).unwrap());
        assert!(Lane::enter(&lane, B).is_none(), "the queue is full");
        places.clear();
        assert!(lane.places.lock().unwrap().each.is_empty());
        assert!((0..4).map(|_| Lane::enter(&lane, B)).collect::<Vec<_>>().iter().all(Option::is_some));
    }

    #[test]
    fn one_organization_leaves_a_builder_to_others() {
        let lane = lane();
        let mine: Vec<_> = (0..3).map(|_| Lane::enter(&lane, A).unwrap()).collect();
        let theirs = Lane::enter(&lane, B).unwrap();
        let first = mine[0].turn().now_or_never().unwrap();
        let _second = mine[1].turn().now_or_never().unwrap();
        assert!(mine[2].turn().now_or_never().is_none(), "A builds twice already");
        let _theirs = theirs.turn().now_or_never().unwrap();
        drop(first);
        assert!(mine[2].turn().now_or_never().is_some());
    }
}
