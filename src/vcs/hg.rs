//! Mercurial in the worker process: a mirror without a working copy, brought up to date by the `hg` program and read through
//! its server of commands.
//!
//! What a server removes stays in the mirror, because `hg pull` only adds: every published changeset stays readable without
//! being held. Only when a mirror turns out to be damaged is it put aside and fetched anew.

mod listing;
mod mirror;
mod program;
mod read;
mod server;
mod words;

use std::path::Path;
use std::sync::Arc;

use super::archive::{self, Folder};
use super::error::VcsError;
use super::leftovers::unfinished_prefix;
use super::repairs::Repairs;
use super::request::{ArchiveStats, Limits, Step, Update, WireArchive, WireCredential, WireUpdate};
use super::surroundings::Surroundings;
use super::url::SourceUrl;
use listing::Listing;
use mirror::Mirror;
use program::Hg;
use server::Server;

/// A manifest on its way to the parent: its id and its bytes.
type Blob = (String, Arc<[u8]>);

/// Brings a mirror up to date. See [`crate::vcs::Vcs::update`].
pub(super) fn update(request: &WireUpdate, surroundings: &Surroundings<'_>) -> Result<(Update, Vec<Blob>), VcsError> {
    let limits = surroundings.limits;
    limits.headroom.check(request.mirror.parent().unwrap_or(&request.mirror), 0)?;
    let mirror = Mirror::lock(&request.mirror)?;
    let hg = Hg::towards(&request.url, request.credential.as_ref(), &request.mirror, surroundings)?;
    let repairs = Repairs::of(&request.mirror);
    let may_repair = repairs.are_fewer_than(limits.repairs);
    let repairing = may_repair && mirror.damage().is_some();
    let outcome = attempt(request, surroundings, (&mirror, may_repair), &hg);
    let is_damaged = matches!(outcome, Err(VcsError::Corrupt { .. }));
    // What came whole may have been damaged here only; but then it stays whole, and this is not done often.
    if repairing && (is_damaged || outcome.is_ok()) {
        repairs.count()?;
    }
    match outcome {
        Err(VcsError::Corrupt { what }) if !repairs.are_fewer_than(limits.repairs) => {
            Err(VcsError::Unrepairable { what, repairs: limits.repairs, check: "hg verify".to_owned() })
        }
        outcome => {
            if is_damaged {
                // The next update fetches everything anew.
                mirror::mark_damaged(&request.mirror);
            }
            outcome
        }
    }
}

fn attempt(
    request: &WireUpdate,
    surroundings: &Surroundings<'_>,
    (mirror, may_repair): (&Mirror, bool),
    hg: &Hg<'_>,
) -> Result<(Update, Vec<Blob>), VcsError> {
    let limits = surroundings.limits;
    let afresh = mirror.prepare(hg, may_repair)?;
    if afresh && let Some(what) = mirror.damage() {
        (surroundings.tell)(Step::Repairing { what });
    }
    let before = mirror.size();
    mirror.pull(hg)?;
    let bookmarks = listing::bookmarks(hg)?;
    let mut server = Server::start(hg, &mirror.repository())?;
    let listing = Listing::read(&mut server, bookmarks, limits)?;
    if listing.refs.is_empty() && request.known_refs > 0 {
        return Err(VcsError::EmptyListing { known: request.known_refs });
    }
    let digest = listing.digest();
    let current = request.known_digest.as_deref() == Some(digest.as_str());
    (surroundings.tell)(Step::Listed { refs: listing.refs.len(), current });
    let unseen = read::absent(&mut server, &request.announced)?;
    if current && !afresh {
        return Ok((Update::Unchanged { unseen }, Vec::new()));
    }
    let after = mirror.size();
    (surroundings.tell)(Step::Fetched { bytes: (after > before).then(|| after - before) });
    let (mut snapshot, blobs) = read::snapshot(&mut server, &listing, limits)?;
    if afresh {
        snapshot.lost = read::absent(&mut server, &request.published)?;
        mirror.declare_whole()?;
    }
    snapshot.digest = digest;
    snapshot.unseen = unseen;
    snapshot.received_pack = after > before;
    Ok((Update::Changed(snapshot), blobs))
}

/// Counts what a repository lists. See [`crate::vcs::Vcs::probe`]. Without a mirror there are bookmarks only, and whether
/// it can be read at all.
pub(super) fn probe(
    url: &SourceUrl,
    credential: Option<&WireCredential>,
    surroundings: &Surroundings<'_>,
) -> Result<usize, VcsError> {
    let directory = std::env::temp_dir();
    let hg = Hg::towards(url, credential, &directory, surroundings)?;
    let mut command = hg.command();
    command.args(["identify", "--id", "--", hg.source()]);
    hg.must(command, None)?;
    Ok(1 + listing::bookmarks(&hg)?.len())
}

/// Writes the archive of a changeset. See [`crate::vcs::Vcs::archive`].
pub(super) fn archive(request: &WireArchive, limits: &Limits) -> Result<ArchiveStats, VcsError> {
    let outcome = write(request, limits);
    if matches!(outcome, Err(VcsError::Corrupt { .. })) && request.mirror.is_dir() {
        mirror::mark_damaged(&request.mirror);
    }
    outcome
}

fn write(request: &WireArchive, limits: &Limits) -> Result<ArchiveStats, VcsError> {
    let unknown = || VcsError::UnknownCommit { commit: request.commit.clone() };
    let repository = mirror::repository(&request.mirror);
    if !listing::is_node(&request.commit) {
        return Err(unknown());
    }
    if !repository.is_dir() {
        return Err(VcsError::corrupt("there is no mirror of this repository yet"));
    }
    let hg = Hg::local(limits)?;
    let time = {
        let mut server = Server::start(&hg, &repository)?;
        if !read::absent(&mut server, std::slice::from_ref(&request.commit))?.is_empty() {
            return Err(unknown());
        }
        read::date(&mut server, &request.commit)?.0
    };
    let directory = request.out.parent().unwrap_or(Path::new("/"));
    limits.headroom.check(directory, 0)?;
    let place = archive::scratch(&unfinished_prefix(&request.out), directory)?;
    let tree = place.path().join("tree");
    let mut command = hg.command();
    command.arg("-R").arg(&repository).args(["archive", "--no-decode", "--type", "files", "--rev", &request.commit]);
    command.arg("--").arg(&tree);
    let ended = hg.run(command, Some(directory))?;
    // A changeset without files is an empty archive.
    let is_empty = ended.said.contains("no files match the archive pattern");
    if is_empty {
        std::fs::create_dir_all(&tree).map_err(|error| VcsError::io("Writing the archive", &error))?;
    } else if !ended.is_good() {
        return Err(hg.explain(&ended.said));
    }
    archive::write(&Folder::read(&tree, limits)?, time.unwrap_or_default(), &request.out, limits)
}
