//! A way for programs that start another one to reach their server (`ssh`, as they think): it is our own executable (the
//! hidden command `vcs-relay`), which passes bytes between the program and a socket of the worker. Behind that is a
//! connection that the worker made: guarded and through the proxy, or `ssh` with the rules of this house for keys and hosts.
//! What the program says about hosts, ports and commands is not looked at.

use std::io::{self, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rand::RngExt;

use super::Trouble;
use super::pump::{Bounds, Sink, pump};
use crate::outbound;
use crate::outbound::tunnel;
use crate::vcs::error::VcsError;
use crate::vcs::git::no_stream;
use crate::vcs::ssh::passage::is_ours;
use crate::vcs::ssh::{Call, HostKeyPolicy, HostKeys, Ssh, Target};

/// The variable that tells `vcs-relay` the socket's name.
pub(in crate::vcs) const VARIABLE: &str = "PACKAGIST_SELFHOSTED_RELAY";

/// What is behind the socket.
pub(super) enum Peer {
    /// A plain connection.
    Tcp { host: String, port: u16 },
    /// What a command says that an SSH server runs.
    Ssh(Box<SshPeer>),
}

/// How an SSH server is spoken with.
pub(super) struct SshPeer {
    pub(super) target: Target,
    pub(super) username: Option<String>,
    pub(super) private_key: String,
    pub(super) host_keys: HostKeys,
    pub(super) policy: HostKeyPolicy,
    pub(super) command: String,
}

/// What every connection needs.
struct Shared {
    peer: Peer,
    outbound: outbound::Settings,
    bounds: Bounds,
    trouble: Trouble,
    /// Written when a conversation begins or ends, read when the program has failed.
    talks: Mutex<Talks>,
    /// Told when a conversation has ended.
    ended: Condvar,
}

/// The conversations with the server.
#[derive(Default)]
struct Talks {
    /// How many go on.
    open: usize,
    /// The `ssh` that ended last, for what it said.
    last: Option<Ssh>,
}

/// How long a conversation may take to end once its program has.
const ENDING: Duration = Duration::from_secs(5);

/// A socket that waits for programs of our own group, as long as this value lives.
pub(super) struct Relay {
    name: String,
    shared: Arc<Shared>,
    waiting: Option<JoinHandle<()>>,
}

impl Relay {
    pub(super) fn open(
        peer: Peer,
        outbound: &outbound::Settings,
        bounds: Bounds,
        trouble: Trouble,
    ) -> io::Result<Self> {
        let name = format!("packagist-selfhosted-{:032x}", rand::rng().random::<u128>());
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        let shared = Arc::new(Shared {
            peer,
            outbound: outbound.clone(),
            bounds,
            trouble,
            talks: Mutex::default(),
            ended: Condvar::new(),
        });
        let waiting = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || wait(&listener, &shared))
        };
        Ok(Self { name, shared, waiting: Some(waiting) })
    }

    /// What [`VARIABLE`] is set to.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The `ssh` that ended last, and whom it spoke with.
    pub(super) fn last_ssh(&self) -> Option<(Ssh, &Target)> {
        let Peer::Ssh(peer) = &self.shared.peer else { return None };
        self.settle();
        let last = lock(&self.shared.talks).last.take()?;
        Some((last, &peer.target))
    }

    /// Waits until whatever went wrong is known: a program may be gone before the conversation that it had.
    pub(super) fn settle(&self) {
        let talks = lock(&self.shared.talks);
        let waited = self.shared.ended.wait_timeout_while(talks, ENDING, |talks| talks.open > 0);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// How failures to connect are told.
    pub(super) fn outbound(&self) -> &outbound::Settings {
        &self.shared.outbound
    }
}

impl Drop for Relay {
    /// Wakes whoever still waits, so that nobody comes in any more.
    fn drop(&mut self) {
        let _ = knock(&self.name);
        if let Some(waiting) = self.waiting.take() {
            let _ = waiting.join();
        }
    }
}

fn knock(name: &str) -> io::Result<UnixStream> {
    UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?)
}

/// Sockets without a file have no permissions, so everybody but our own programs is turned away here; this process itself
/// knocks to end the waiting.
fn wait(listener: &UnixListener, shared: &Arc<Shared>) {
    while let Ok((near, _)) = listener.accept() {
        match is_ours(&near) {
            Some(true) => return,
            Some(false) => {
                let shared = Arc::clone(shared);
                lock(&shared.talks).open += 1;
                std::thread::spawn(move || connect(near, &shared));
            }
            None => {}
        }
    }
}

/// Makes a connection for one program, and passes bytes until one side ends.
fn connect(near: UnixStream, shared: &Shared) {
    let outcome = match &shared.peer {
        Peer::Tcp { host, port } => plain(near, host, *port, shared).map(|()| None),
        Peer::Ssh(peer) => by_ssh(near, peer, shared).map(Some),
    };
    let ssh = outcome.unwrap_or_else(|error| {
        shared.trouble.set(error);
        None
    });
    let mut talks = lock(&shared.talks);
    talks.open -= 1;
    let before = std::mem::replace(&mut talks.last, ssh);
    drop(talks);
    shared.ended.notify_all();
    // It is waited for until it is gone, which nobody else should be.
    drop(before);
}

/// The counts are whole whatever a thread was doing when it panicked.
fn lock(talks: &Mutex<Talks>) -> MutexGuard<'_, Talks> {
    talks.lock().unwrap_or_else(PoisonError::into_inner)
}

fn plain(near: UnixStream, host: &str, port: u16, shared: &Shared) -> Result<(), VcsError> {
    let Shared { outbound, bounds, trouble, .. } = shared;
    let shown = format!("{host}:{port}");
    let failed = |error| no_stream(error, &shown, outbound.proxy_for(host).as_ref());
    let far = tunnel::connect(outbound, host, port, Instant::now() + outbound.timeout).map_err(failed)?;
    let broken = |error: io::Error| VcsError::Unreachable { host: shown.clone(), reason: error.to_string() };
    let sink = Sink::Tunnel(far.try_clone().map_err(broken)?);
    pump(near, sink, far, &shown, bounds, trouble);
    Ok(())
}

fn by_ssh(near: UnixStream, peer: &SshPeer, shared: &Shared) -> Result<Ssh, VcsError> {
    // A second conversation knows what the first one learned.
    let mut known = peer.host_keys.known.clone();
    known.extend(peer.host_keys.learned());
    let host_keys = peer.host_keys.with_known(known);
    let call = Call {
        target: &peer.target,
        username: peer.username.as_deref(),
        private_key: Some(&peer.private_key),
        host_keys: &host_keys,
        policy: peer.policy,
        algorithms: None,
        command: &peer.command,
        outbound: &shared.outbound,
    };
    let (ssh, stdin, stdout) = Ssh::start(&call)?;
    pump(near, Sink::Pipe(stdin), stdout, &peer.target.shown(), &shared.bounds, &shared.trouble);
    Ok(ssh)
}

/// What the hidden command `vcs-relay` does: passes bytes between whoever started it and the worker.
#[must_use]
pub fn main() -> ExitCode {
    let relayed = std::env::var(VARIABLE).map_err(io::Error::other).and_then(|name| {
        let mut worker = knock(&name)?;
        let mut upwards = worker.try_clone()?;
        std::thread::spawn(move || {
            // Whoever breaks off ends both ways.
            let _ = copy(&mut io::stdin().lock(), &mut upwards);
            let _ = upwards.shutdown(std::net::Shutdown::Write);
        });
        copy(&mut worker, &mut io::stdout().lock())
    });
    match relayed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "vcs-relay is started by a program, not by hand: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Passes on what comes, at once.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            count => to.write_all(&buffer[..count]).and_then(|()| to.flush())?,
        }
    }
}
