//! Receiving what the mirror lacks. Refs are not touched here: they move, all at once, when the objects are on disk.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use gix::negotiate::{Algorithm, Graph, Negotiator};
use gix::odb::pack;
use gix::odb::store::RefreshMode;
use gix::protocol::fetch::negotiate::{Action, Round, add_wants, mark_complete_and_common_ref, one_round};
use gix::protocol::fetch::refmap::{Mapping, Source, SpecIndex};
use gix::protocol::fetch::{self, Arguments, Negotiate, RefMap, Response, Shallow, Tags};

use super::connect::{Listing, Session, agent};
use super::intake::Intake;
use crate::vcs::error::VcsError;
use crate::vcs::request::Limits;

/// Largest object that is resolved while a pack is indexed.
const MAX_OBJECT: usize = 1 << 30;

/// Where objects go, and how many.
pub(super) struct Place<'a> {
    /// The mirror's directory.
    pub(super) mirror: &'a Path,
    /// Bytes of packs that it has already.
    pub(super) there: u64,
    pub(super) limits: &'a Limits,
}

/// Fetches the objects of the listing that the mirror has not. `afresh` fetches all, trusting nothing that is there.
/// True if a pack was received.
pub(super) fn receive(
    session: &mut Session,
    repository: &gix::Repository,
    listing: &Listing,
    afresh: bool,
    place: &Place<'_>,
) -> Result<bool, VcsError> {
    if listing.refs.is_empty() {
        return Ok(false);
    }
    let mut written = None;
    match transfer(session, repository, listing, afresh, place, &mut written) {
        Ok(()) => {}
        Err(error) => return Err(session.explain(&error)),
    }
    match written {
        Some(outcome) => settle(&outcome).map(|()| true),
        None => Ok(false),
    }
}

fn transfer(
    session: &mut Session,
    repository: &gix::Repository,
    listing: &Listing,
    afresh: bool,
    place: &Place<'_>,
    written: &mut Option<pack::bundle::write::Outcome>,
) -> gix::Result {
    // Asking for objects that are not there must not search the disk for new packs each time.
    let mut quiet = repository.clone();
    quiet.objects.refresh = RefreshMode::Never;
    let mut graph = quiet.revision_graph(None);
    let mut wishes = Wishes {
        repository: &quiet,
        graph: &mut graph,
        map: wanted(listing),
        afresh,
        negotiator: Algorithm::Consecutive.into_negotiator(),
    };
    let Some(mut greeting) = session.handshake.take() else {
        return Err(gix::Error::from_error(io::Error::other("the remote was not asked for its listing")));
    };
    let interrupt = AtomicBool::new(false);
    let failure = session.failure.clone();
    let outcome = gix::protocol::fetch(
        &mut wishes,
        |reader, progress, interrupt| {
            let bases = (!afresh).then(|| repository.objects.clone());
            let directory = place.mirror.join("objects/pack");
            let mut reader = Intake::new(reader, &directory, place.there, place.limits, failure);
            let bundle = pack::Bundle::write_to_directory(
                &mut reader,
                Some(&directory),
                progress,
                interrupt,
                bases,
                repository.object_hash(),
                options(),
            )?;
            *written = Some(bundle);
            Ok(true)
        },
        gix::progress::Discard,
        &interrupt,
        fetch::Context {
            handshake: &mut greeting,
            transport: &mut session.transport,
            user_agent: agent(),
            trace_packetlines: false,
        },
        fetch::Options {
            shallow_file: place.mirror.join("shallow"),
            shallow: &Shallow::NoChange,
            tags: Tags::None,
            reject_shallow_remote: true,
        },
    );
    session.handshake = Some(greeting);
    outcome.map(drop)
}

fn options() -> pack::bundle::write::Options {
    pack::bundle::write::Options { thread_limit: Some(2), alloc_limit_bytes: Some(MAX_OBJECT), ..Default::default() }
}

/// One wish for each distinct object that the remote's refs name.
fn wanted(listing: &Listing) -> RefMap {
    let targets: BTreeSet<_> = listing.refs.values().map(|remote| remote.target).collect();
    let mapping =
        |id| Mapping { remote: Source::ObjectId(id), local: None, spec_index: SpecIndex::ExplicitInRemote(0) };
    RefMap {
        mappings: targets.into_iter().map(mapping).collect(),
        object_hash: gix::hash::Kind::Sha1,
        ..RefMap::default()
    }
}

/// What we want and what we have, for gix's negotiation.
struct Wishes<'a, 'b, 'c> {
    repository: &'a gix::Repository,
    graph: &'a mut Graph<'b, 'c>,
    map: RefMap,
    afresh: bool,
    negotiator: Box<dyn Negotiator>,
}

impl Negotiate for Wishes<'_, '_, '_> {
    fn mark_complete_and_common_ref(&mut self) -> gix::Result<Action> {
        if self.afresh {
            // Nothing known and no tips: the remote sends everything.
            return Ok(Action::MustNegotiate { remote_ref_target_known: vec![false; self.map.mappings.len()] });
        }
        mark_complete_and_common_ref(
            &self.repository.objects,
            &self.repository.refs,
            || Ok(std::iter::empty::<(gix::refs::file::Store, gix::OdbHandle)>()),
            &mut *self.negotiator,
            self.graph,
            &self.map,
            &Shallow::NoChange,
            |_| false,
        )
    }

    fn add_wants(&mut self, arguments: &mut Arguments, known: &[bool]) -> bool {
        add_wants(&self.repository.objects, arguments, &self.map, known, &Shallow::NoChange, |_| false)
    }

    fn one_round(
        &mut self,
        state: &mut fetch::negotiate::one_round::State,
        arguments: &mut Arguments,
        previous: Option<&Response>,
    ) -> gix::Result<(Round, bool)> {
        one_round(&mut *self.negotiator, self.graph, state, arguments, previous)
    }
}

/// Makes the pack last: refs that name its objects are written only afterwards.
fn settle(outcome: &pack::bundle::write::Outcome) -> Result<(), VcsError> {
    let doing = |error: io::Error| VcsError::io("Writing the received objects", &error);
    for path in [&outcome.data_path, &outcome.index_path].into_iter().flatten() {
        File::open(path).and_then(|file| file.sync_all()).map_err(doing)?;
        if let Some(directory) = path.parent() {
            File::open(directory).and_then(|directory| directory.sync_all()).map_err(doing)?;
        }
    }
    if let Some(keep) = &outcome.keep_path {
        // The lock on the mirror keeps the repacking away; this file would keep it away for ever.
        let _ = std::fs::remove_file(keep);
    }
    Ok(())
}
