//! What requests see of an organization: views, shared by all who see the same.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::root::RootMemo;
use crate::access::set::AccessSet;

/// What a request sees of an organization. Tokens and people that see the same share it.
pub struct View {
    /// The packages.
    pub set: AccessSet,
    pub(super) root: RootMemo,
}

impl View {
    fn of(set: AccessSet) -> Arc<Self> {
        Arc::new(Self { set, root: RootMemo::default() })
    }
}

/// The views of one organization.
pub(super) struct Views {
    pub(super) everything: Arc<View>,
    /// By the hash of their sets; those that nobody has any more go when there are many. Whoever computes a set, which
    /// is once for each person and change, looks here; a plain mutex, because it is held for the look only.
    others: Mutex<HashMap<u64, Weak<View>>>,
    hasher: RandomState,
}

impl Default for Views {
    fn default() -> Self {
        Self { everything: View::of(AccessSet::All), others: Mutex::default(), hasher: RandomState::new() }
    }
}

impl Views {
    /// The view of a set. Sets whose hashes meet are not shared; that costs memory and nothing else.
    pub(super) fn of(&self, set: AccessSet) -> Arc<View> {
        if set == AccessSet::All {
            return Arc::clone(&self.everything);
        }
        let hash = self.hasher.hash_one(&set);
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = others.get(&hash).and_then(Weak::upgrade)
            && view.set == set
        {
            return view;
        }
        if others.len() == others.capacity() {
            others.retain(|_, view| view.strong_count() > 0);
        }
        let view = View::of(set);
        others.insert(hash, Arc::downgrade(&view));
        view
    }
}

#[cfg(test)]
mod tests {
    use super::Views;
    use crate::access::set::AccessSet;
    use std::sync::Arc;

    #[test]
    fn equal_sets_share_a_view_as_long_as_somebody_has_it() {
        let views = Views::default();
        let first = views.of(AccessSet::of([1, 2]));
        assert!(Arc::ptr_eq(&first, &views.of(AccessSet::of([2, 1]))));
        assert!(!Arc::ptr_eq(&first, &views.of(AccessSet::of([3]))));
        assert!(Arc::ptr_eq(&views.everything, &views.of(AccessSet::All)));
        for number in 0..10_000 {
            drop(views.of(AccessSet::of([number])));
        }
        let kept = views.others.lock().map_or(usize::MAX, |others| others.len());
        assert!(kept < 100, "{kept} views that nobody has");
        assert!(Arc::ptr_eq(&first, &views.of(AccessSet::of([1, 2]))));
    }
}
