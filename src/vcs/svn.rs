//! Subversion in the worker process: nothing is mirrored, because a server keeps every revision; each branch and tag is read
//! at the revision in which it last changed, and what was read is remembered ([`memory`]), so that only what changed is
//! asked for. A repository in which nothing changed costs one question.

mod answers;
mod listing;
mod memory;
mod program;
mod read;
mod words;

use std::path::Path;
use std::sync::Arc;

use super::archive::{self, Folder};
use super::error::VcsError;
use super::leftovers::unfinished_prefix;
use super::request::{ArchiveStats, Snapshot, Step, Update, WireArchive, WireCredential, WireServer, WireUpdate};
use super::surroundings::Surroundings;
use super::system::Layout;
use super::url::SourceUrl;
use listing::{Listing, Reference};
use memory::Memory;
use program::Svn;

/// A manifest on its way to the parent: its id and its bytes.
type Blob = (String, Arc<[u8]>);

/// Reads what changed. See [`crate::vcs::Vcs::update`].
pub(super) fn update(
    request: &WireUpdate,
    layout: &Layout,
    surroundings: &Surroundings<'_>,
) -> Result<(Update, Vec<Blob>), VcsError> {
    let limits = surroundings.limits;
    limits.headroom.check(request.mirror.parent().unwrap_or(&request.mirror), 0)?;
    let memory = Memory::lock(&request.mirror)?;
    let svn = Svn::open(&request.url, layout, request.credential.as_ref(), &request.mirror, surroundings)?;
    let place = svn.place()?;
    let known = memory.read(&svn.source(), layout, &place.uuid);
    if known.changed == Some(place.changed) && request.known_digest.is_some() && request.known_digest == known.digest {
        (surroundings.tell)(Step::Listed { refs: known.entries.len(), current: true });
        return Ok((Update::Unchanged { unseen: Vec::new() }, Vec::new()));
    }
    let listing = Listing::read(&svn, layout, &place, limits)?;
    if listing.entries.is_empty() && request.known_refs > 0 {
        return Err(VcsError::EmptyListing { known: request.known_refs });
    }
    (surroundings.tell)(Step::Listed { refs: listing.entries.len(), current: false });
    let found = read::all(&svn, &listing, &known, &memory, limits)?;
    (surroundings.tell)(Step::Fetched { bytes: (found.news > 0).then_some(found.news) });
    let digest = found.digest();
    memory.write(&svn.source(), layout, &place, &digest, &found)?;
    let (refs, root) = found.refs();
    let snapshot = Snapshot { digest, refs, root, readme: found.readme(), ..Snapshot::default() };
    Ok((Update::Changed(snapshot), found.into_blobs()))
}

/// Counts what a repository lists. See [`crate::vcs::Vcs::probe`].
pub(super) fn probe(
    url: &SourceUrl,
    layout: &Layout,
    credential: Option<&WireCredential>,
    surroundings: &Surroundings<'_>,
) -> Result<usize, VcsError> {
    let svn = Svn::open(url, layout, credential, &std::env::temp_dir(), surroundings)?;
    let place = svn.place()?;
    Ok(Listing::read(&svn, layout, &place, surroundings.limits)?.entries.len())
}

/// Writes the archive of a path at a revision. See [`crate::vcs::Vcs::archive`].
pub(super) fn archive(
    request: &WireArchive,
    WireServer { url, layout, credential, .. }: &WireServer,
    surroundings: &Surroundings<'_>,
) -> Result<ArchiveStats, VcsError> {
    let unknown = || VcsError::UnknownCommit { commit: request.commit.clone() };
    let reference = Reference::parse(&request.commit).ok_or_else(unknown)?;
    let limits = surroundings.limits;
    let directory = request.out.parent().unwrap_or(Path::new("/"));
    limits.headroom.check(directory, 0)?;
    let place = archive::scratch(&unfinished_prefix(&request.out), directory)?;
    let svn = Svn::open(url, layout, credential.as_ref(), place.path(), surroundings)?;
    let known = svn.info(&reference.path, reference.revision)?.ok_or_else(unknown)?;
    let tree = place.path().join("tree");
    svn.export(&reference, &tree, directory)?;
    archive::write(&Folder::read(&tree, limits)?, known.time.unwrap_or_default(), &request.out, limits)
}
