//! What an update finds in the directories of a repository that are packages of their own.
//!
//! Hundreds of directories at hundreds of branches and tags are mostly the same: each distinct tree is told once, and branches and
//! tags with the same trees share one list of them.

use serde::{Deserialize, Serialize};

use super::request::{Manifest, Readme};

/// The directories with a `composer.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Each state of each directory.
    pub trees: Vec<Tree>,
    /// Distinct sets of them, by their places in `trees`.
    pub sets: Vec<Vec<u32>>,
    /// Which set each of the snapshot's refs has, in their order.
    pub refs: Vec<u32>,
    /// The READMEs of trees of the default branch.
    pub readmes: Vec<(u32, Readme)>,
    /// The set of the default branch, if it is known.
    pub head: Option<u32>,
    /// Directories that are meant and have no `composer.json` anywhere; not all, if there are many.
    pub bare: Vec<String>,
}

/// A state of a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// The directory's path from the root.
    pub directory: String,
    /// What identifies all that is in it.
    pub id: String,
    /// Its `composer.json`.
    pub manifest: Manifest,
}

impl Found {
    /// The trees of a ref of the snapshot, by its place there.
    pub fn of_ref(&self, at: usize) -> impl Iterator<Item = (u32, &Tree)> {
        let set = self.refs.get(at).and_then(|set| self.sets.get(*set as usize));
        set.into_iter().flatten().filter_map(|tree| Some((*tree, self.trees.get(*tree as usize)?)))
    }
}
