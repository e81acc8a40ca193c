//! The immutable snapshot that Composer's requests are answered from.
//!
//! A request reads one [`World`] and nothing else: no SQL, no lock, no work that grows with the
//! repository. The database's writer thread is the only one that makes a new world, after each
//! commit and before whoever asked for the change is answered; so a revoked token is refused by the
//! next request, and a command returns when its change is being served.

mod apply;
mod crowd;
mod facts;
mod load;
mod losses;
mod people;
mod root;
mod view;
mod world;

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};

pub use apply::Updater;
pub use crowd::{Crowd, Standing};
pub use facts::Known;
pub use losses::{Loss, Losses};
pub use people::OrgAccess;
pub use root::Root;
pub use view::View;
pub use world::{Admission, Document, Entry, Organization, Token, World};

/// The current [`World`], and where to find it.
#[derive(Clone)]
pub struct Catalog {
    world: Arc<ArcSwap<World>>,
    /// Why the world is not what the database says; none as long as it is. The [`Updater`] writes it, whoever watches the
    /// server reads it.
    trouble: Arc<ArcSwapOption<String>>,
}

impl Catalog {
    /// An empty catalog, and the observer that keeps it up to date with a database.
    pub fn new() -> (Self, Updater) {
        let world = Arc::new(ArcSwap::from_pointee(World::default()));
        let trouble = Arc::new(ArcSwapOption::from_pointee("nothing was loaded yet".to_owned()));
        let updater = Updater::new(Arc::clone(&world), Arc::clone(&trouble));
        (Self { world, trouble }, updater)
    }

    /// Why the world is not what the database says, if it is not: nothing was loaded, or the last change could not be
    /// taken over. It is tried again with the next commit that has a change to tell.
    pub fn trouble(&self) -> Option<Arc<String>> {
        self.trouble.load_full()
    }

    /// The world as it is now. It does not change while it is held.
    pub fn world(&self) -> arc_swap::Guard<Arc<World>> {
        self.world.load()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod access_tests;
