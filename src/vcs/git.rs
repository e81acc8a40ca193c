//! Git in the worker process: the order in which a mirror is listed, fetched, repaired and read.
//!
//! A mirror is a bare repository whose refs live in one file, `packed-refs`, that is replaced atomically: the remote's
//! branches and tags, and `refs/kept/<commit>` for every published commit that no branch or tag reaches any more. So
//! there is no moment at which a published commit is not held, and no order in which refs could collide.

mod archive;
mod connect;
mod daemon;
mod directories;
mod fetch;
mod http;
mod intake;
mod local;
mod meter;
mod mirror;
mod read;
pub(super) mod refs;
mod repair;
mod ssh;
mod tree;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use gix::ObjectId;

use super::error::VcsError;
use super::request::{Limits, Step, Update, WireCredential, WireUpdate};
use super::room;
use super::surroundings::Surroundings;
use super::url::SourceUrl;
use crate::outbound;
use connect::{Listing, Session};
use mirror::Mirror;
use refs::{Refs, Stored};

pub(super) use archive::archive;
pub(super) use daemon::meaning as no_stream;

/// Bytes of all names that a remote may list; the mirror's file of refs may be larger by what stands beside each.
const MAX_NAMES: usize = 16 << 20;

/// A manifest on its way to the parent: its blob id and its bytes.
pub(super) type Blob = (String, Arc<[u8]>);

/// Brings a mirror up to date. See [`crate::vcs::Vcs::update`].
pub(super) fn update(request: &WireUpdate, surroundings: &Surroundings<'_>) -> Result<(Update, Vec<Blob>), VcsError> {
    let limits = surroundings.limits;
    // Before anything is made or asked for; the directory above is there.
    limits.headroom.check(request.mirror.parent().unwrap_or(&request.mirror), 0)?;
    let mirror = Mirror::lock(&request.mirror)?;
    let mut run = Run { request, surroundings, limits, mirror, lost: Vec::new() };
    let outcome = match run.attempt(false) {
        Err(VcsError::Corrupt { what }) => run.repair(what),
        outcome => outcome,
    };
    if outcome.is_err() {
        run.mirror.sweep();
    }
    outcome
}

/// Counts what a repository lists. See [`crate::vcs::Vcs::probe`].
pub(super) fn probe(
    url: &SourceUrl,
    credential: Option<&WireCredential>,
    surroundings: &Surroundings<'_>,
) -> Result<usize, VcsError> {
    let listing = Session::open(url, credential, surroundings)?.list()?;
    Ok(listing.refs.len())
}

/// Sees whether anybody answers. See [`crate::vcs::Vcs::knock`].
pub(super) fn knock(host: &str, port: u16, web: bool, outbound: &outbound::Settings) -> Result<(), VcsError> {
    if web { http::knock(host, port, outbound) } else { daemon::knock(host, port, outbound) }
}

/// Lets go of a kept commit. See [`crate::vcs::Vcs::drop_kept`].
pub(super) fn drop_kept(path: &Path, commit: &str) -> Result<(), VcsError> {
    let unknown = || VcsError::UnknownCommit { commit: commit.to_owned() };
    let id = ObjectId::from_hex(commit.as_bytes()).map_err(|_| unknown())?;
    if !path.is_dir() {
        return Ok(());
    }
    let mirror = Mirror::lock(path)?;
    let mut refs = Refs::read(mirror.path())?.refs;
    if refs.forget(id) {
        refs.write(mirror.path())?;
    }
    Ok(())
}

/// One update of one mirror, whose lock it holds.
struct Run<'a> {
    request: &'a WireUpdate,
    surroundings: &'a Surroundings<'a>,
    limits: &'a Limits,
    mirror: Mirror,
    lost: Vec<String>,
}

impl Run<'_> {
    /// Fetches everything anew, unless that was done often enough today: a source may be as damaged as its mirror, and a
    /// hostile one could have itself fetched for ever.
    fn repair(&mut self, what: String) -> Result<(Update, Vec<Blob>), VcsError> {
        let repairs = self.limits.repairs;
        if !self.mirror.may_repair(repairs) {
            return Err(VcsError::Unrepairable { what, repairs, check: "git fsck".to_owned() });
        }
        eprintln!("repairing the mirror: {what}");
        (self.surroundings.tell)(Step::Repairing { what: what.clone() });
        let marked = self.mirror.is_marked_damaged();
        let aside = self.mirror.quarantine()?;
        let outcome = self.attempt(true);
        // Bad packs are this disk's doing, and what was missing came; but when nothing was wrong with what is here, or it
        // came as damaged as before, then the source is.
        let vain = match &outcome {
            Ok(_) => marked && aside == 0,
            Err(error) => matches!(error, VcsError::Corrupt { .. }),
        };
        if vain {
            self.mirror.count_repair()?;
        }
        outcome
    }

    /// Lists, fetches what is missing, and reads. `afresh` trusts nothing that the mirror holds.
    fn attempt(&mut self, afresh: bool) -> Result<(Update, Vec<Blob>), VcsError> {
        let repository = self.mirror.open()?;
        let mut session = Session::open(&self.request.url, self.request.credential.as_ref(), self.surroundings)?;
        let listing = session.list()?;
        self.check_listing(&listing)?;
        let stored = Refs::read(self.mirror.path())?;
        if !afresh {
            self.check_mirror(&repository, &stored)?;
        }
        let digest = listing.digest();
        let current = !afresh && stored.refs.lists(&listing);
        (self.surroundings.tell)(Step::Listed { refs: listing.refs.len(), current });
        if current && self.request.known_digest.as_deref() == Some(digest.as_str()) {
            let unseen = read::unseen(&repository, &self.request.announced);
            return Ok((Update::Unchanged { unseen }, Vec::new()));
        }
        let mut received_pack = false;
        if !current {
            let there = if afresh { 0 } else { self.mirror.size() };
            let place = fetch::Place { mirror: self.mirror.path(), there, limits: self.limits };
            received_pack = fetch::receive(&mut session, &repository, &listing, afresh, &place)?;
            let bytes = received_pack.then(|| self.mirror.size().saturating_sub(there));
            (self.surroundings.tell)(Step::Fetched { bytes });
            self.advance(&stored.refs, &listing, afresh)?;
        }
        drop(session);
        if afresh {
            self.mirror.declare_whole(self.lost.is_empty())?;
        }
        self.mirror.repack_if_crowded();
        let repository = self.mirror.open()?;
        let (mut snapshot, blobs) =
            read::snapshot(&repository, &listing, self.request.directories.as_ref(), self.limits)?;
        snapshot.digest = digest;
        snapshot.unseen = read::unseen(&repository, &self.request.announced);
        snapshot.received_pack = received_pack;
        snapshot.lost = std::mem::take(&mut self.lost);
        Ok((Update::Changed(snapshot), blobs))
    }

    /// Looks for damage as far as that costs next to nothing; what is deeper is found by who reads it, and marked.
    fn check_mirror(&self, repository: &gix::Repository, stored: &Stored) -> Result<(), VcsError> {
        if stored.damaged {
            return Err(VcsError::corrupt("the file of its refs holds lines that are none"));
        }
        // Of what only an archive misses, the others need not suffer once repairing it has proved vain.
        if self.mirror.is_marked_damaged() && self.mirror.may_repair(self.limits.repairs) {
            return Err(VcsError::corrupt("an object could not be read"));
        }
        match read::all_present(repository, &stored.refs)? {
            true => Ok(()),
            false => Err(VcsError::corrupt("objects that its refs name are missing")),
        }
    }

    /// A listing that shrank to nothing is a mistake of the server or somebody's sign-in page, never a reason to remove.
    fn check_listing(&self, listing: &Listing) -> Result<(), VcsError> {
        if listing.refs.is_empty() && self.request.known_refs > 0 {
            return Err(VcsError::EmptyListing { known: self.request.known_refs });
        }
        if listing.refs.len() > self.limits.refs {
            return Err(VcsError::TooLarge {
                what: "The repository's number of branches and tags".to_owned(),
                limit: self.limits.refs.to_string(),
            });
        }
        let text: usize = listing.refs.keys().map(String::len).sum();
        if text > MAX_NAMES {
            return Err(VcsError::TooLarge {
                what: "The sum of the names of the repository's branches and tags".to_owned(),
                limit: room::bytes(MAX_NAMES as u64),
            });
        }
        Ok(())
    }

    /// Replaces the stored refs by the remote's, keeping every published commit that would otherwise be lost.
    fn advance(&mut self, old: &Refs, listing: &Listing, afresh: bool) -> Result<(), VcsError> {
        let repository = self.mirror.open()?;
        let mut new = Refs::listed(listing, &repository)?;
        let published: HashSet<ObjectId> =
            self.request.published.iter().filter_map(|commit| ObjectId::from_hex(commit.as_bytes()).ok()).collect();
        if afresh {
            let rescue = repair::rescue(&repository, old, &new, &published)?;
            new.keep(rescue.keep);
            self.lost = rescue.lost;
        } else {
            let abandoned = read::abandoned(&repository, old, &new)?;
            new.keep(old.kept());
            new.keep(abandoned.into_iter().filter(|commit| published.contains(commit)));
        }
        new.write(self.mirror.path())
    }
}
