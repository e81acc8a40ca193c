//! The directories of a repository that are packages of their own: found at each branch and tag, each distinct tree read once.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use gix::ObjectId;

use super::read::{Reader, damaged};
use crate::composer::directories::Directories;
use crate::vcs::directories::{Found, Tree};
use crate::vcs::error::VcsError;
use crate::vcs::request::{Limits, Manifest};

/// How many directories with a `composer.json` a repository may have.
const MOST: usize = 2_000;
/// How many states of all of them together.
const STATES: usize = 500_000;
/// How many of them all refs together may name, those that share a tree of the root counted once.
const NAMED: usize = 5_000_000;
/// How many trees are looked into. With what was read once remembered, large repositories need a tenth.
const VISITED: usize = 1_000_000;
/// How deep directories are looked for.
const DEEPEST: usize = 24;
/// How many directories without a `composer.json` are told.
const BARE: usize = 100;
/// Longest name of a directory, in bytes.
const LONGEST: usize = 255;

/// A walk over all branches and tags.
pub(super) struct Walk<'a> {
    directories: &'a Directories,
    trees: Vec<Tree>,
    ids: Vec<ObjectId>,
    /// What the trees at each path lead to.
    known: HashMap<(String, ObjectId), Rc<[u32]>>,
    places: HashSet<String>,
    bare: BTreeSet<String>,
    sets: HashMap<Rc<[u32]>, u32>,
    ordered: Vec<Rc<[u32]>>,
    refs: Vec<u32>,
    visited: usize,
    named: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(directories: &'a Directories) -> Self {
        Self {
            directories,
            trees: Vec::new(),
            ids: Vec::new(),
            known: HashMap::new(),
            places: HashSet::new(),
            bare: BTreeSet::new(),
            sets: HashMap::new(),
            ordered: Vec::new(),
            refs: Vec::new(),
            visited: 0,
            named: 0,
        }
    }

    /// Takes the next ref: the tree at its root, if it has one.
    pub(super) fn take(
        &mut self,
        reader: &mut Reader<'_>,
        root: Option<ObjectId>,
        limits: &Limits,
    ) -> Result<(), VcsError> {
        let set: Rc<[u32]> = match root {
            Some(root) => self.visit(reader, &mut Vec::new(), root, limits)?,
            None => Rc::default(),
        };
        let at = self.place_of(set)?;
        self.refs.push(at);
        Ok(())
    }

    fn place_of(&mut self, set: Rc<[u32]>) -> Result<u32, VcsError> {
        if let Some(known) = self.sets.get(&set) {
            return Ok(*known);
        }
        self.named += set.len();
        if self.named > NAMED {
            return Err(too_many("The number of packages in directories of all branches and tags", NAMED));
        }
        let at = u32::try_from(self.ordered.len()).unwrap_or(u32::MAX);
        self.sets.insert(Rc::clone(&set), at);
        self.ordered.push(set);
        Ok(at)
    }

    fn visit(
        &mut self,
        reader: &mut Reader<'_>,
        path: &mut Vec<String>,
        id: ObjectId,
        limits: &Limits,
    ) -> Result<Rc<[u32]>, VcsError> {
        let place = path.join("/");
        if let Some(known) = self.known.get(&(place.clone(), id)) {
            return Ok(Rc::clone(known));
        }
        self.visited += 1;
        if self.visited > VISITED {
            return Err(too_many("The number of directories that are looked into for packages", VISITED));
        }
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        let look = self.directories.look(&names);
        let mut found = Vec::new();
        // The root's own manifest is every repository's.
        if look.is_meant && !path.is_empty() {
            match reader.manifest(id, limits)? {
                Manifest::Missing if look.is_named && self.bare.len() < BARE => {
                    self.bare.insert(place.clone());
                }
                Manifest::Missing => {}
                manifest => found.push(self.add(&place, id, manifest)?),
            }
        }
        if look.leads_on && path.len() < DEEPEST {
            for (name, below) in folders(reader.repository, id)? {
                path.push(name);
                let names: Vec<&str> = path.iter().map(String::as_str).collect();
                let look = self.directories.look(&names);
                if look.is_meant || look.leads_on {
                    found.extend_from_slice(&self.visit(reader, path, below, limits)?);
                }
                path.pop();
            }
        }
        let found: Rc<[u32]> = found.into();
        self.known.insert((place, id), Rc::clone(&found));
        Ok(found)
    }

    fn add(&mut self, place: &str, id: ObjectId, manifest: Manifest) -> Result<u32, VcsError> {
        if !self.places.contains(place) {
            self.places.insert(place.to_owned());
            if self.places.len() > MOST {
                return Err(too_many("The number of directories with a composer.json", MOST));
            }
        }
        if self.trees.len() >= STATES {
            return Err(too_many("The number of states of all directories with a composer.json", STATES));
        }
        self.trees.push(Tree { directory: place.to_owned(), id: id.to_string(), manifest });
        self.ids.push(id);
        Ok(u32::try_from(self.trees.len() - 1).unwrap_or(u32::MAX))
    }

    /// What was found; `head`: the tree at the root of the default branch, whose READMEs are read.
    pub(super) fn end(self, reader: &mut Reader<'_>, head: Option<ObjectId>) -> Result<Found, VcsError> {
        let head = head.and_then(|root| self.known.get(&(String::new(), root))).cloned();
        let mut readmes = Vec::new();
        for tree in head.iter().flat_map(|set| set.iter()) {
            let id = self.ids.get(*tree as usize);
            if let Some(readme) = id.map(|id| reader.readme_of(*id)).transpose()?.flatten() {
                readmes.push((*tree, readme));
            }
        }
        let bare = self.bare.into_iter().filter(|place| !self.places.contains(place)).collect();
        Ok(Found {
            head: head.and_then(|set| self.sets.get(&set)).copied(),
            trees: self.trees,
            sets: self.ordered.iter().map(|set| set.to_vec()).collect(),
            refs: self.refs,
            readmes,
            bare,
        })
    }
}

/// The directories of a tree. Symbolic links and submodules are none; nor is what could not be named in a list or a request:
/// names that are no text, have control characters, or mean other places.
fn folders(repository: &gix::Repository, id: ObjectId) -> Result<Vec<(String, ObjectId)>, VcsError> {
    let tree = repository.find_tree(id).map_err(damaged)?;
    // What follows a malformed entry cannot be read.
    let entries = tree.iter().map_while(Result::ok).filter(|entry| entry.mode().is_tree());
    let named = entries.filter_map(|entry| {
        let name = std::str::from_utf8(entry.filename()).ok()?;
        let odd =
            name.is_empty() || name.len() > LONGEST || name.chars().any(|c| c.is_control() || c == '/' || c == '\\');
        let elsewhere = name == "." || name == ".." || name.eq_ignore_ascii_case(".git");
        (!odd && !elsewhere).then(|| (name.to_owned(), entry.object_id()))
    });
    Ok(named.collect())
}

/// The tree of a directory below another tree; none if there is no such directory.
pub(super) fn below(
    repository: &gix::Repository,
    root: ObjectId,
    directory: &str,
) -> Result<Option<ObjectId>, VcsError> {
    let mut id = root;
    for name in directory.split('/') {
        let found = folders(repository, id)?.into_iter().find(|(folder, _)| folder == name);
        let Some((_, next)) = found else { return Ok(None) };
        id = next;
    }
    Ok(Some(id))
}

fn too_many(what: &str, limit: usize) -> VcsError {
    VcsError::TooLarge { what: what.to_owned(), limit: limit.to_string() }
}
