//! Reading a mirror: what refs lead to, their manifests, and which commits a change leaves behind.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gix::ObjectId;
use gix::objs::{CommitRef, Kind};
use rustix::process::{Resource, getrlimit};

use super::Blob;
use super::connect::{Listing, brief, out_of_memory};
use super::directories::Walk;
use super::refs::Refs;
use crate::composer::directories::Directories;
use crate::vcs::error::VcsError;
use crate::vcs::known_files::{MAX_MANIFEST, MAX_README, readme_rank};
use crate::vcs::request::{Limits, Manifest, Readme, RemoteRef, Snapshot};
use crate::vcs::room::bytes as size;

/// The branches that hold the README where the server names no default branch.
const USUAL_BRANCHES: [&str; 3] = ["refs/heads/main", "refs/heads/master", "refs/heads/trunk"];
/// How many tags may name one another.
const MAX_TAG_DEPTH: usize = 10;
/// The last second of the year 9999.
const MAX_TIME: i64 = 253_402_300_799;

/// What an annotated tag leads to in the end; none for anything else.
pub(super) fn peel_tag(repository: &gix::Repository, id: ObjectId) -> Result<Option<ObjectId>, VcsError> {
    let mut current = id;
    for depth in 0..MAX_TAG_DEPTH {
        let header = repository.find_header(current).map_err(damaged)?;
        if header.kind() != Kind::Tag {
            return Ok((depth > 0).then_some(current));
        }
        let tag = repository.find_tag(current).map_err(damaged)?;
        // A malformed tag is somebody's mistake, not damage: it leads nowhere.
        let Ok(target) = tag.target_id() else { break };
        current = target.detach();
    }
    Ok(None)
}

/// The commit that a ref leads to.
fn commit_of(repository: &gix::Repository, id: ObjectId) -> Result<Option<ObjectId>, VcsError> {
    let peeled = peel_tag(repository, id)?.unwrap_or(id);
    Ok(is_commit(repository, peeled)?.then_some(peeled))
}

fn is_commit(repository: &gix::Repository, id: ObjectId) -> Result<bool, VcsError> {
    Ok(repository.find_header(id).map_err(damaged)?.kind() == Kind::Commit)
}

/// Whether everything that refs name is there, and readable as far as its kind.
pub(super) fn all_present(repository: &gix::Repository, refs: &Refs) -> Result<bool, VcsError> {
    for (_, target) in refs.iter() {
        for id in [Some(target.id), target.peeled].into_iter().flatten() {
            if !matches!(repository.try_find_header(id), Ok(Some(_))) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// The announced commits that the mirror has not.
pub(super) fn unseen(repository: &gix::Repository, announced: &[String]) -> Vec<String> {
    let absent = |commit: &&String| match ObjectId::from_hex(commit.as_bytes()) {
        Ok(id) => !repository.has_object(id),
        Err(_) => true,
    };
    announced.iter().filter(absent).cloned().collect()
}

/// The commits that the refs' tips lead to.
pub(super) fn commits(
    repository: &gix::Repository,
    tips: impl Iterator<Item = ObjectId>,
) -> Result<HashSet<ObjectId>, VcsError> {
    let mut commits = HashSet::new();
    for tip in tips {
        if is_commit(repository, tip)? {
            commits.insert(tip);
        }
    }
    Ok(commits)
}

/// The commits that `old` reaches and `new` does not.
pub(super) fn abandoned(repository: &gix::Repository, old: &Refs, new: &Refs) -> Result<Vec<ObjectId>, VcsError> {
    let now = commits(repository, new.tips())?;
    let before = commits(repository, old.tips())?;
    let gone: Vec<_> = before.difference(&now).copied().collect();
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    let walk = repository.rev_walk(gone).with_hidden(now).all().map_err(damaged)?;
    walk.map(|commit| commit.map(|commit| commit.id).map_err(damaged)).collect()
}

/// The listing with every ref's commit, date and manifest, and the manifests themselves.
pub(super) fn snapshot(
    repository: &gix::Repository,
    listing: &Listing,
    directories: Option<&Directories>,
    limits: &Limits,
) -> Result<(Snapshot, Vec<Blob>), VcsError> {
    let mut reader = Reader { repository, commits: HashMap::new(), blobs: HashMap::new(), left: limits.manifests };
    let mut walk = directories.map(Walk::new);
    let mut refs = Vec::with_capacity(listing.refs.len());
    for (name, remote) in &listing.refs {
        let commit = commit_of(repository, remote.target)?;
        let facts = match commit {
            Some(commit) => reader.facts(commit, limits)?,
            None => Facts { time: None, tree: None, manifest: Manifest::Missing },
        };
        if let Some(walk) = &mut walk {
            walk.take(&mut reader, facts.tree, limits)?;
        }
        refs.push(RemoteRef {
            name: name.clone(),
            target: remote.target.to_string(),
            commit: commit.map(|commit| commit.to_string()),
            time: facts.time,
            offset: 0,
            manifest: facts.manifest,
        });
    }
    let readme = reader.readme(listing.head.as_deref(), &refs)?;
    let head = head_of(listing.head.as_deref(), &refs).and_then(|commit| reader.facts_of(commit)?.tree);
    let directories = walk.map(|walk| walk.end(&mut reader, head)).transpose()?.map(Box::new);
    let default_branch = listing.head.clone();
    let snapshot = Snapshot { default_branch, refs, directories, readme, ..Snapshot::default() };
    Ok((snapshot, reader.blobs.into_iter().map(|(id, bytes)| (id.to_string(), bytes)).collect()))
}

/// What is read of a commit.
#[derive(Clone)]
struct Facts {
    time: Option<i64>,
    tree: Option<ObjectId>,
    manifest: Manifest,
}

/// Reads each commit and each manifest once.
pub(super) struct Reader<'a> {
    pub(super) repository: &'a gix::Repository,
    commits: HashMap<ObjectId, Facts>,
    blobs: HashMap<ObjectId, Arc<[u8]>>,
    left: u64,
}

impl Reader<'_> {
    fn facts(&mut self, id: ObjectId, limits: &Limits) -> Result<Facts, VcsError> {
        if let Some(facts) = self.commits.get(&id) {
            return Ok(facts.clone());
        }
        let commit = self.repository.find_commit(id).map_err(damaged)?;
        // A malformed commit is somebody's mistake, not damage: it holds no version.
        let facts = match commit.decode() {
            Ok(decoded) => {
                let tree = decoded.tree();
                Facts { time: authored(&decoded), tree: Some(tree), manifest: self.manifest(tree, limits)? }
            }
            Err(_) => Facts { time: None, tree: None, manifest: Manifest::Missing },
        };
        self.commits.insert(id, facts.clone());
        Ok(facts)
    }

    /// What was read of a commit.
    fn facts_of(&self, id: ObjectId) -> Option<&Facts> {
        self.commits.get(&id)
    }

    /// The manifest that a tree has.
    pub(super) fn manifest(&mut self, tree: ObjectId, limits: &Limits) -> Result<Manifest, VcsError> {
        let tree = self.repository.find_tree(tree).map_err(damaged)?;
        let Some(entry) = tree.find_entry("composer.json") else { return Ok(Manifest::Missing) };
        if !entry.mode().is_blob() {
            return Ok(Manifest::NotAFile);
        }
        let id = entry.object_id();
        if self.blobs.contains_key(&id) {
            return Ok(Manifest::Blob(id.to_string()));
        }
        let bytes = self.repository.find_header(id).map_err(damaged)?.size();
        if bytes > MAX_MANIFEST {
            return Ok(Manifest::TooLarge { bytes });
        }
        self.left = self.left.checked_sub(bytes).ok_or_else(|| VcsError::TooLarge {
            what: "The sum of the composer.json files of all branches and tags".to_owned(),
            limit: size(limits.manifests),
        })?;
        let blob = self.repository.find_blob(id).map_err(damaged)?;
        self.blobs.insert(id, Arc::from(blob.data.as_slice()));
        Ok(Manifest::Blob(id.to_string()))
    }

    /// The README of the default branch. Nothing depends on it: where it cannot be had, there is none.
    fn readme(&mut self, head: Option<&str>, refs: &[RemoteRef]) -> Result<Option<Box<Readme>>, VcsError> {
        let Some(commit) = head_of(head, refs) else { return Ok(None) };
        let commit = self.repository.find_commit(commit).map_err(damaged)?;
        let Ok(tree) = commit.tree_id() else { return Ok(None) };
        Ok(self.readme_of(tree.detach())?.map(Box::new))
    }

    /// The README that a tree has.
    pub(super) fn readme_of(&mut self, tree: ObjectId) -> Result<Option<Readme>, VcsError> {
        let Ok(tree) = self.repository.find_tree(tree) else { return Ok(None) };
        let Some((name, id)) = best_readme(&tree) else { return Ok(None) };
        let bytes = self.repository.find_header(id).map_err(damaged)?.size();
        if bytes <= MAX_README
            && let Some(left) = self.left.checked_sub(bytes)
            && !self.blobs.contains_key(&id)
        {
            self.left = left;
            let blob = self.repository.find_blob(id).map_err(damaged)?;
            self.blobs.insert(id, Arc::from(blob.data.as_slice()));
        }
        Ok(Some(Readme { name, blob: id.to_string(), bytes }))
    }
}

/// The commit of the branch that a repository shows first.
fn head_of(head: Option<&str>, refs: &[RemoteRef]) -> Option<ObjectId> {
    let mut branches = head.into_iter().chain(USUAL_BRANCHES);
    let commit = branches.find_map(|branch| refs.iter().find(|listed| listed.name == branch)?.commit.as_deref())?;
    ObjectId::from_hex(commit.as_bytes()).ok()
}

/// The best README of a tree: its name and its blob.
fn best_readme(tree: &gix::Tree<'_>) -> Option<(String, ObjectId)> {
    let mut best: Option<(usize, String, ObjectId)> = None;
    // What follows a malformed entry cannot be read, and so is not shown.
    for entry in tree.iter().map_while(Result::ok).filter(|entry| entry.mode().is_blob()) {
        let name = entry.filename();
        let Some(rank) = readme_rank(name) else { continue };
        if best.as_ref().is_none_or(|(before, ..)| rank < *before) {
            best = Some((rank, name.to_string(), entry.object_id()));
        }
    }
    best.map(|(_, name, id)| (name, id))
}

/// When a commit was authored, or else committed, as far as its header says something that is a date.
fn authored(commit: &CommitRef<'_>) -> Option<i64> {
    signed(commit.author).or_else(|| signed(commit.committer))
}

/// The seconds in `Name <mail> 1700000000 +0100`. Broken tools wrote all kinds of names, so the end counts.
pub(super) fn signed(header: &[u8]) -> Option<i64> {
    let end = header.iter().rposition(|byte| *byte == b'>')?;
    let text = std::str::from_utf8(header.get(end + 1..)?).ok()?;
    let seconds = text.split_ascii_whitespace().next()?.parse().ok()?;
    (0..=MAX_TIME).contains(&seconds).then_some(seconds)
}

/// An error of gix about the mirror's own data.
pub(super) fn damaged(error: impl std::fmt::Display) -> VcsError {
    let text = brief(&error);
    if out_of_memory(&text) {
        // Nothing is damaged; to fetch it anew would not help.
        return VcsError::memory(getrlimit(Resource::Data).current.unwrap_or(u64::MAX));
    }
    VcsError::corrupt(text)
}

#[cfg(test)]
mod tests {
    use super::signed;

    #[test]
    fn dates_are_read_as_far_as_they_are_dates() {
        for (header, expected) in [
            ("A <a@x> 1700000000 +0100", Some(1_700_000_000)),
            ("A > B <a@x> 5 +0000", Some(5)),
            ("A <a@x>", None),
            ("A <a@x> ", None),
            ("A <a@x> -5 +0000", None),
            ("A <a@x> 99999999999999 +0000", None),
            ("A <a@x> soon", None),
            ("nonsense", None),
            ("A <a@x> 7", Some(7)),
        ] {
            assert_eq!(signed(header.as_bytes()), expected, "{header}");
        }
    }
}
