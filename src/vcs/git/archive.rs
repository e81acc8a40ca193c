//! A commit's archive: which commits may have one, and the commit's files as Git would check them out.
//!
//! gix's own archive stream is not used: it drops files by Git's rules for `export-ignore`, Composer has others.

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};
use gix::filter::Pipeline;
use gix::filter::plumbing::pipeline::convert::{ToWorktreeOutcome, to_worktree};

use super::directories;
use super::mirror::{mark_damaged, open_shared};
use super::read::{self, damaged, signed};
use super::refs::Refs;
use super::tree;
use crate::vcs::archive::{self, Contents, Converter, Files, hostile};
use crate::vcs::error::VcsError;
use crate::vcs::request::{ArchiveStats, Limits, WireArchive};

/// Writes the archive. See [`crate::vcs::Vcs::archive`].
pub(in crate::vcs) fn archive(request: &WireArchive, limits: &Limits) -> Result<ArchiveStats, VcsError> {
    let outcome = write(request, limits);
    if matches!(outcome, Err(VcsError::Corrupt { .. })) && request.mirror.is_dir() {
        mark_damaged(&request.mirror);
    }
    outcome
}

fn write(request: &WireArchive, limits: &Limits) -> Result<ArchiveStats, VcsError> {
    let unknown = || VcsError::UnknownCommit { commit: request.commit.clone() };
    let id = ObjectId::from_hex(request.commit.as_bytes()).map_err(|_| unknown())?;
    let (repository, _packs_stay) = open_shared(&request.mirror)?;
    let refs = Refs::read(&request.mirror)?.refs;
    if !is_reachable(&repository, &refs, id)? {
        return Err(unknown());
    }
    let commit = repository.find_commit(id).map_err(damaged)?;
    let malformed = |_| hostile(&BString::from(request.commit.as_str()), "is a malformed commit");
    let decoded = commit.decode().map_err(malformed)?;
    let tree = decoded.tree();
    let time = signed(decoded.committer).or_else(|| signed(decoded.author)).unwrap_or_default();
    // A package in a directory is what the directory holds, and nothing else says what it is: neither the attributes above
    // it, so that one tree is one archive in every commit, nor where it lies.
    let tree = match &request.directory {
        Some(directory) => directories::below(&repository, tree, directory)?.ok_or_else(unknown)?,
        None => tree,
    };
    let files = tree::read(&repository, tree, limits)?;
    let source = Source { repository: &repository, tree, files };
    archive::write(&source, time, &request.out, limits)
}

/// Whether a branch, tag or kept ref leads to the commit. Most archives are of tips, which needs no walk.
fn is_reachable(repository: &gix::Repository, refs: &Refs, id: ObjectId) -> Result<bool, VcsError> {
    if refs.tips().any(|tip| tip == id) {
        return Ok(
            matches!(repository.try_find_header(id), Ok(Some(header)) if header.kind() == gix::objs::Kind::Commit),
        );
    }
    if !repository.has_object(id) {
        return Ok(false);
    }
    let tips = read::commits(repository, refs.tips())?;
    for commit in repository.rev_walk(tips).all().map_err(damaged)? {
        if commit.map_err(damaged)?.id == id {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A commit's files and how to read them.
struct Source<'a> {
    repository: &'a gix::Repository,
    tree: ObjectId,
    files: Files<ObjectId>,
}

impl Contents for Source<'_> {
    type Id = ObjectId;

    fn files(&self) -> &Files<ObjectId> {
        &self.files
    }

    fn size(&self, id: ObjectId) -> Result<u64, VcsError> {
        Ok(self.repository.find_header(id).map_err(damaged)?.size())
    }

    fn read(&self, id: ObjectId) -> Result<Vec<u8>, VcsError> {
        let mut blob = self.repository.find_blob(id).map_err(damaged)?;
        Ok(std::mem::take(&mut blob.data))
    }

    /// The conversions that Git makes at checkout (gitattributes(5): `text`, `eol`, `ident`, `working-tree-encoding`), if
    /// the tree has attributes at all.
    fn converter(&self) -> Result<Option<Converter<'_, ObjectId>>, VcsError> {
        let is_attributes = |path: &BString| path == ".gitattributes" || path.ends_with(b"/.gitattributes");
        if !self.files.entries.keys().any(is_attributes) {
            return Ok(None);
        }
        let (mut pipeline, _index) = self.repository.filter_pipeline(Some(self.tree)).map_err(damaged)?;
        Ok(Some(Box::new(move |bytes, path, id| converted(&mut pipeline, bytes, path, id))))
    }
}

/// A file as Git would check it out, if that differs from what is stored. What cannot be converted stays as it is, as in Git.
fn converted(pipeline: &mut Pipeline<'_>, bytes: &[u8], path: &BString, id: ObjectId) -> Option<Vec<u8>> {
    let outcome = pipeline.convert_to_worktree(bytes, path.as_ref(), to_worktree::Options::default());
    let Ok(ToWorktreeOutcome::Buffer(converted)) = outcome else {
        // Unchanged, or not to be converted; a filter program would be a third, and none are configured.
        return None;
    };
    // gix expands `$Id$` without the blank that Git puts at its end.
    let (ours, theirs) = (format!("$Id: {id}$"), format!("$Id: {id} $"));
    Some(converted.replace(ours.as_bytes(), theirs.as_bytes()))
}
