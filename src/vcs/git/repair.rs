//! After damage: which published commits are still whole, and which were lost with the pack that held them.

use std::collections::HashSet;

use gix::ObjectId;
use gix::objs::Kind;

use super::read::{commits, damaged};
use super::refs::Refs;
use crate::vcs::error::VcsError;

/// What became of the commits that were kept or published.
pub(super) struct Rescue {
    /// They are whole, and no branch or tag reaches them: they must be kept.
    pub(super) keep: Vec<ObjectId>,
    /// Objects of theirs are gone.
    pub(super) lost: Vec<String>,
}

/// Looks at every kept and every published commit, after everything that the remote lists was fetched anew.
pub(super) fn rescue(
    repository: &gix::Repository,
    old: &Refs,
    new: &Refs,
    published: &HashSet<ObjectId>,
) -> Result<Rescue, VcsError> {
    let tips = commits(repository, new.tips())?;
    let mut reached = HashSet::new();
    for commit in repository.rev_walk(tips).all().map_err(damaged)? {
        reached.insert(commit.map_err(damaged)?.id);
    }
    let candidates: HashSet<ObjectId> = old.kept().chain(published.iter().copied()).collect();
    let mut rescue = Rescue { keep: Vec::new(), lost: Vec::new() };
    let mut whole = HashSet::new();
    for commit in candidates {
        if reached.contains(&commit) {
            continue;
        }
        match closure(repository, commit, &whole) {
            Some(objects) => {
                whole.extend(objects);
                rescue.keep.push(commit);
            }
            None => rescue.lost.push(commit.to_string()),
        }
    }
    rescue.lost.sort();
    Ok(rescue)
}

/// Everything that a commit reaches beyond `whole`, if all of it can be read.
fn closure(repository: &gix::Repository, commit: ObjectId, whole: &HashSet<ObjectId>) -> Option<HashSet<ObjectId>> {
    let mut seen = HashSet::new();
    let mut open = vec![commit];
    while let Some(id) = open.pop() {
        if whole.contains(&id) || !seen.insert(id) {
            continue;
        }
        let object = repository.find_object(id).ok()?;
        match object.kind {
            Kind::Commit => {
                let commit = object.try_into_commit().ok()?;
                open.push(commit.tree_id().ok()?.detach());
                open.extend(commit.parent_ids().map(gix::Id::detach));
            }
            Kind::Tree => {
                for entry in object.try_into_tree().ok()?.iter() {
                    let entry = entry.ok()?;
                    if !entry.mode().is_commit() {
                        open.push(entry.object_id());
                    }
                }
            }
            Kind::Blob | Kind::Tag => {}
        }
    }
    Some(seen)
}
