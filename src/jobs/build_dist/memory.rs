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

struct Entry {
    age: u64,
    published: bool,
    error: DistError,
    until: Instant,
}

impl Memory {
    /// What was said of this archive, unless it is too long ago. A commit that became a version's is tried again: it was
    /// not there before its update.
    pub(super) fn find(&self, name: &Name, published: bool, now: Instant) -> Option<DistError> {
        let entries = lock(&self.entries);
        let entry = entries.by_name.get(name)?;
        (entry.until > now && entry.published == published).then(|| entry.error.clone())
    }

    /// Remembers a failure for as long as it says.
    pub(super) fn remember(&self, name: Name, published: bool, failure: &Failure, now: Instant) {
        if failure.remember.is_zero() {
            return;
        }
        let mut entries = lock(&self.entries);
        let age = entries.next;
        entries.next += 1;
        let entry = Entry { age, published, error: failure.error.clone(), until: now + failure.remember };
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

    use super::{MOST, Memory};
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
        memory.remember(name(1), false, &absent(), now);
        memory.remember(name(2), false, &DistError::Unknown.into(), now);
        let later = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(memory.find(&name(1), false, later(59)), Some(DistError::Unknown));
        assert_eq!(memory.find(&name(1), false, later(60)), None);
        assert_eq!(memory.find(&name(1), true, now), None, "it was published since");
        assert_eq!(memory.find(&name(2), false, now), None, "it asked not to be remembered");
    }

    #[test]
    fn the_oldest_make_room() {
        let (memory, now) = (Memory::default(), Instant::now());
        memory.remember(name(0), false, &absent(), now);
        memory.remember(name(1), false, &absent(), now);
        // Said again, so that it is no longer the oldest.
        memory.remember(name(0), false, &absent(), now);
        for number in 2..=MOST {
            memory.remember(name(number), false, &absent(), now);
        }
        let found: Vec<_> = [0, 1, 2, MOST].map(|number| memory.find(&name(number), false, now).is_some()).into();
        assert_eq!(found, [true, false, true, true]);
        let entries = memory.entries.lock().unwrap();
        assert_eq!((entries.by_name.len(), entries.by_age.len()), (MOST, MOST));
    }
}
