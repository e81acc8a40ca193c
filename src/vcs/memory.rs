//! What all updates together may hold in the server's memory: one repository with a hundred thousand versions may take a
//! gigabyte while it is published, and ten of them at once must not take ten.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::request::{Manifest, Snapshot};

/// What updates may hold together, in [`UNIT`]s. One that needs more waits until it is alone.
const BUDGET: u32 = 1024;
/// What the budget counts: a mebibyte.
const UNIT: u64 = 1 << 20;
/// Bytes of memory that a version takes beside its manifest, measured: its metadata, its rows and its part of documents.
const VERSION: u64 = 16 << 10;
/// How many bytes of memory a byte of a manifest takes for each version that has it, measured: parsed, copied, rendered.
const GROWTH: u64 = 10;

/// The budget; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    budget: Arc<Semaphore>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { budget: Arc::new(Semaphore::new(BUDGET as usize)) }
    }
}

/// A part of the budget, given back when the last clone is dropped.
#[derive(Clone, Debug, Default)]
pub struct Reserved(
    #[expect(dead_code, reason = "it counts as long as it is held, and nobody looks at it")]
    Option<Arc<OwnedSemaphorePermit>>,
);

impl Memory {
    /// Waits until what the snapshot will take can be had. `blobs`: the manifests on their way, and their sizes.
    pub(super) async fn reserve(&self, snapshot: &Snapshot, blobs: &[(String, u64)]) -> Reserved {
        let share = share(snapshot, blobs);
        // The semaphore is never closed.
        Reserved(Arc::clone(&self.budget).acquire_many_owned(share).await.ok().map(Arc::new))
    }
}

fn share(snapshot: &Snapshot, blobs: &[(String, u64)]) -> u32 {
    let sizes: HashMap<&str, u64> = blobs.iter().map(|(id, size)| (id.as_str(), *size)).collect();
    let version = |manifest: &Manifest| match manifest {
        Manifest::Blob(id) => sizes.get(id.as_str()).copied().unwrap_or_default() * GROWTH + VERSION,
        _ => 1 << 10,
    };
    let raw: u64 = sizes.values().sum();
    let all = snapshot.refs.iter().fold(raw, |sum, listed| sum.saturating_add(version(&listed.manifest)));
    u32::try_from(all / UNIT).unwrap_or(BUDGET).clamp(1, BUDGET)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::{Memory, share};
    use crate::vcs::request::{Manifest, RemoteRef, Snapshot};

    fn snapshot(versions: usize) -> Snapshot {
        let listed = RemoteRef {
            name: String::new(),
            target: String::new(),
            commit: None,
            time: None,
            offset: 0,
            manifest: Manifest::Blob("a".to_owned()),
        };
        Snapshot { refs: vec![listed; versions], ..Snapshot::default() }
    }

    #[test]
    fn a_manifest_counts_for_every_version_that_has_it() {
        let blobs = [("a".to_owned(), 1 << 20)];
        assert_eq!(share(&snapshot(0), &[]), 1);
        assert_eq!(share(&snapshot(10), &blobs), 101);
        assert_eq!(share(&snapshot(100_000), &blobs), 1024, "no more than there is");
    }

    #[test]
    fn large_updates_take_turns() {
        let (memory, large) = (Memory::default(), snapshot(100_000));
        let blobs = [("a".to_owned(), 1 << 20)];
        let first = memory.reserve(&large, &blobs).now_or_never();
        assert!(first.is_some());
        assert!(memory.reserve(&snapshot(1), &blobs).now_or_never().is_none());
        drop(first);
        assert!(memory.reserve(&snapshot(1), &blobs).now_or_never().is_some());
    }
}
