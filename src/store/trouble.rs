//! Whether the database can be written: a full or read-only disk, or somebody who holds its lock. Said once when it
//! begins, and once when it is over; whoever meets it in between needs not say so again.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

/// Written by the writer thread only; read by whoever wants to know why nothing goes on.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    met: ArcSwapOption<Met>,
}

#[derive(Debug)]
struct Met {
    reason: Arc<str>,
    /// Whether not even a transaction could be begun. Else only a write that reaches the disk proves that it is over.
    locked_out: bool,
}

impl Trouble {
    /// A transaction could not be begun.
    pub(super) fn locked_out(&self, reason: &str) {
        self.begins(reason, true);
    }

    /// A transaction could not be saved.
    pub(super) fn unsaved(&self, reason: &str) {
        self.begins(reason, false);
    }

    fn begins(&self, reason: &str, locked_out: bool) {
        let before = self.met.swap(Some(Arc::new(Met { reason: reason.into(), locked_out })));
        if before.is_none() {
            tracing::error!(
                reason,
                "The database cannot be written: webhooks are refused and jobs wait until it can. What is published is served on."
            );
        }
    }

    /// A transaction was saved; `wrote`: and something was in it.
    pub(super) fn ends(&self, wrote: bool) {
        let over = self.met.load().as_ref().is_some_and(|met| wrote || met.locked_out);
        if over {
            self.met.store(None);
            tracing::info!("The database can be written again.");
        }
    }

    /// Why the database cannot be written, as far as is known.
    pub(super) fn reason(&self) -> Option<Arc<str>> {
        self.met.load().as_ref().map(|met| Arc::clone(&met.reason))
    }
}
