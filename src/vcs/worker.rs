//! The child's side: a request, an answer, the next request, and limits that hold whatever a repository does to us.

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getpgrp, getpid, getrlimit, kill_process_group, setrlimit};
use secrecy::zeroize::Zeroizing;

use super::request::{Answer, Limits, Operation, Request, Response, Said, Step, WireOrigin};
use super::ssh::{self, HostKey, HostKeys};
use super::surroundings::Surroundings;
use super::system::System;
use super::{VcsError, git, hg, pipe, svn};

/// Serves requests on standard input, one after the other: what the hidden command `vcs-worker` does.
///
/// It returns failure only when it could not understand a request or write its answer; an operation that failed is an
/// answer like any other.
#[must_use]
pub fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whatever reads standard error only shows it; the parent may be gone already.
            let _ = writeln!(io::stderr(), "vcs-worker is started by the server, not by hand: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    let mut message = Zeroizing::new(pipe::read(&mut io::stdin().lock(), pipe::MAX_FRAME)?);
    let more = read_on(io::stdin());
    loop {
        answer(serde_json::from_slice(&message)?)?;
        match more.recv() {
            Ok(next) => message = next,
            Err(_) => return Ok(()),
        }
    }
}

fn answer(request: Request) -> io::Result<()> {
    limit(&request.limits);
    let _watched = end_after(request.deadline);
    let (result, blobs, learned) = perform(request);
    let (ids, contents): (Vec<_>, Vec<_>) =
        blobs.into_iter().map(|(id, content)| ((id, content.len() as u64), content)).unzip();
    let response = serde_json::to_vec(&Said::Answer(Box::new(Response { result, blobs: ids, learned })))?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    pipe::write(&mut out, &response)?;
    for content in contents {
        pipe::write(&mut out, &content)?;
    }
    out.flush()
}

/// Says how far an update is. If nobody listens any more, this process is ended soon.
fn tell(step: Step) {
    if let Ok(said) = serde_json::to_vec(&Said::Step(step)) {
        let mut out = io::stdout().lock();
        let _ = pipe::write(&mut out, &said).and_then(|()| out.flush());
    }
}

/// The answer, the manifests beside it, and the host keys that were learned on the way.
fn perform(request: Request) -> (Result<Answer, VcsError>, Vec<git::Blob>, Vec<HostKey>) {
    let Request { outbound, policy, limits, mut operation, ssh_host_keys, .. } = request;
    let known = match &mut operation {
        Operation::Update(update) => std::mem::take(&mut update.known_host_keys),
        Operation::Probe { known_host_keys, .. } => std::mem::take(known_host_keys),
        Operation::Archive(archive) => match &mut archive.origin {
            WireOrigin::Subversion(server) => std::mem::take(&mut server.known_host_keys),
            WireOrigin::Git | WireOrigin::Mercurial => Vec::new(),
        },
        _ => Vec::new(),
    };
    let host_keys = HostKeys::new(known);
    let surroundings = Surroundings {
        outbound: &outbound,
        policy: &policy,
        limits: &limits,
        host_keys: &host_keys,
        ssh_host_keys,
        tell: &tell,
    };
    let mut blobs = Vec::new();
    let answer = match operation {
        Operation::Update(update) => match &update.system {
            System::Git => git::update(&update, &surroundings),
            System::Mercurial => hg::update(&update, &surroundings),
            System::Subversion(layout) => svn::update(&update, layout, &surroundings),
        }
        .map(|(snapshot, manifests)| {
            blobs = manifests;
            Answer::Update(snapshot)
        }),
        Operation::Archive(archive) => match &archive.origin {
            WireOrigin::Git => git::archive(&archive, &limits),
            WireOrigin::Mercurial => hg::archive(&archive, &limits),
            WireOrigin::Subversion(server) => svn::archive(&archive, server, &surroundings),
        }
        .map(Answer::Archive),
        Operation::Probe { url, system, credential, .. } => match &*system {
            System::Git => git::probe(&url, credential.as_ref(), &surroundings),
            System::Mercurial => hg::probe(&url, credential.as_ref(), &surroundings),
            System::Subversion(layout) => svn::probe(&url, layout, credential.as_ref(), &surroundings),
        }
        .map(Answer::Listed),
        Operation::Knock { host, port, web } => git::knock(&host, port, web, &outbound).map(|()| Answer::Done),
        Operation::DropKept { mirror, commit } => git::drop_kept(&mirror, &commit).map(|()| Answer::Done),
        Operation::ScanHostKeys { host, port } => {
            ssh::scan(&ssh::Target::host(&host, port), &outbound).map(Answer::HostKeys)
        }
        Operation::InspectKey(key) => ssh::inspect(&key.0).map(Answer::PublicKey),
    };
    (answer, blobs, host_keys.learned())
}

/// Limits what this process may take. A limit that cannot be set leaves the stricter one that is there already.
fn limit(limits: &Limits) {
    for (resource, value) in [(Resource::Data, limits.memory), (Resource::Fsize, limits.transfer), (Resource::Core, 0)]
    {
        let maximum = getrlimit(resource).maximum.map_or(value, |maximum| maximum.min(value));
        let _ = setrlimit(resource, Rlimit { current: Some(maximum), maximum: Some(maximum) });
    }
}

/// Reads the requests that follow, and ends this process and its children as soon as the input ends: the parent holds it
/// open as long as it lives and wants more.
fn read_on(mut input: impl Read + Send + 'static) -> Receiver<Zeroizing<Vec<u8>>> {
    let (found, requests) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok(message) = pipe::read(&mut input, pipe::MAX_FRAME) {
            if found.send(Zeroizing::new(message)).is_err() {
                break;
            }
        }
        end_group();
    });
    requests
}

/// Ends this process and its children after the deadline, should the parent not do so; until what is returned is dropped.
fn end_after(deadline: Duration) -> Sender<()> {
    // Later than the parent's, which has the better error.
    const SLACK: Duration = Duration::from_secs(10);
    let (watched, over) = mpsc::channel();
    std::thread::spawn(move || {
        if over.recv_timeout(deadline + SLACK) == Err(RecvTimeoutError::Timeout) {
            end_group();
        }
    });
    watched
}

/// Kills the process group if it is our own; started by hand, this process may share its shell's.
fn end_group() {
    let own: Pid = getpid();
    if getpgrp() == own {
        let _ = kill_process_group(own, Signal::KILL);
    }
    std::process::exit(1);
}
