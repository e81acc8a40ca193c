//! What failed lately and is not tried again for a while.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Instant;

use super::build::Failure;
use super::{DistError, Name, lock};

/// How many failures are remembered; the oldest make room.
const MOST: usize = 10_000;

/// Failures by the archives' names.
#[derive(Default)]
pub(super) struct Memory {
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    by_name: HashMap<Name, Entry>,
    by_age: BTreeMap<u64, Name>,
    next: u64,
}

/// What stood in the books when a build failed. Another state is reason to try again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Whether the commit was ever a version's.
    pub(super) published: bool,
    /// The digest of the package's refs: a push changes it, and may bring the commit.
    pub(super) refs: Option<String>,
}

struct Entry {
    age: u64,
    state: State,
    error: DistError,
    until: Instant,
}

impl Memory {
    /// What was said of this archive, unless it is too long ago or the package was updated since.
    pub(super) fn find(&self, name: &Name, state: &State, now: Instant) -> Option<DistError> {
        let entries = lock(&self.entries);
        let entry = entries.by_name.get(name)?;
        (entry.until > now && entry.state == *state).then(|| entry.error.clone())
    }

    /// Remembers a failure for as long as it says.
    pub(super) fn remember(&self, name: Name, state: State, failure: &Failure, now: Instant) {
        if failure.remember.is_zero() {
            return;
        }
        let mut entries = lock(&self.entries);
        let age = entries.next;
        entries.next += 1;
        let entry = Entry { age, state, error: failure.error.clone(), until: now + failure.remember };
        if let Some(before) = entries.by_name.insert(name.clone(), entry) {
            entries.by_age.remove(&before.age);
        }
        entries.by_age.insert(age, name);
        while entries.by_name.len() > MOST
            && let Some((_, oldest)) = entries.by_age.pop_first()
        {
            entries.by_name.remove(&oldest);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use std::time::{Duration, Instant};

    use super::{MOST, Memory, State};
    use crate::appliance::PackageKey;
    use crate::jobs::build_dist::build::Failure;
    use crate::jobs::build_dist::{DistError, Name};
    use crate::store::ids::{OrgId, PackageId};

    fn name(number: usize) -> Name {
        (PackageKey { org: OrgId(1), package: PackageId(1) }, number.to_string())
    }

    fn absent() -> Failure {
        Failure { error: DistError::Unknown, remember: Duration::from_secs(60) }
    }

    #[test]
    fn failures_are_remembered_for_a_while() {
        let (memory, now) = (Memory::default(), Instant::now());
        let (before, after) = (State::default(), State { refs: Some("pushed".to_owned()), ..State::default() });
        let published = State { published: true, ..State::default() };
        memory.remember(name(1), before.clone(), &absent(), now);
        memory.remember(name(2), before.clone(), &DistError::Unknown.into(), now);
        let later = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(memory.find(&name(1), &before, later(59)), Some(DistError::Unknown));
        assert_eq!(memory.find(&name(1), &before, later(60)), None);
        assert_eq!(memory.find(&name(1), &published, now), None, "it was published since");
        assert_eq!(memory.find(&name(1), &after, now), None, "something was pushed since");
        assert_eq!(memory.find(&name(2), &before, now), None, "it asked not to be remembered");
    }

    #[test]
    fn the_oldest_make_room() {
        let (memory, now) = (Memory::default(), Instant::now());
        memory.remember(name(0), State::default(), &absent(), now);
        memory.remember(name(1), State::default(), &absent(), now);
        // Said again, so that it is no longer the oldest.
        memory.remember(name(0), State::default(), &absent(), now);
        for number in 2..=MOST {
            memory.remember(name(number), State::default(), &absent(), now);
        }
        let found: Vec<_> =
            [0, 1, 2, MOST].map(|number| memory.find(&name(number), &State::default(), now).is_some()).into();
        assert_eq!(found, [true, false, true, true]);
        let entries = memory.entries.lock().unwrap();
        assert_eq!((entries.by_name.len(), entries.by_age.len()), (MOST, MOST));
    }
}
