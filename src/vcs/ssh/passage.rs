//! How `ssh` gets a connection that it did not make.
//!
//! The worker opens the connection, guarded and through the proxy, and waits at a socket without a file. `ssh` runs our own
//! executable as its `ProxyCommand` (the hidden command `vcs-connect`), which fetches the open connection there and hands
//! it to `ssh` (`ProxyUseFdpass`, ssh_config(5)). So `ssh` resolves no name, no relay stands in the way of the bytes, and
//! neither a target nor a proxy's password is in any argument, environment or file.

use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::process::ExitCode;
use std::thread::JoinHandle;

use rand::RngExt;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use rustix::process::{geteuid, getpgid, getpgrp, getpid};

use crate::outbound::tunnel::Tunnel;

/// The variable that tells `vcs-connect` the socket's name.
pub(super) const VARIABLE: &str = "PACKAGIST_SELFHOSTED_PASSAGE";

/// A connection that waits to be fetched once, by a process of our own group.
#[derive(Debug)]
pub(super) struct Passage {
    name: String,
    waiting: Option<JoinHandle<()>>,
}

impl Passage {
    /// Starts to wait with it.
    pub(super) fn open(tunnel: Tunnel) -> io::Result<Self> {
        let name = format!("packagist-selfhosted-{:032x}", rand::rng().random::<u128>());
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        let waiting = std::thread::spawn(move || wait(&listener, &tunnel));
        Ok(Self { name, waiting: Some(waiting) })
    }

    /// What [`VARIABLE`] is set to.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Passage {
    /// Wakes whoever still waits, so that the connection ends with its passage.
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

/// Hands the connection to the first of our own processes that knocks; this process itself knocks to end the waiting.
/// Sockets without a file have no permissions, so everybody else is turned away here.
fn wait(listener: &UnixListener, tunnel: &Tunnel) {
    while let Ok((peer, _)) = listener.accept() {
        match is_ours(&peer) {
            Some(true) => return,
            Some(false) => {
                // Whoever fetches it and is gone again gets no second one: its ssh has failed and says so.
                let _ = hand(peer.as_fd(), tunnel.as_fd());
                return;
            }
            None => {}
        }
    }
}

/// Who knocks at a socket without a file: true for this process itself, false for another one of its group and user, none
/// for anybody else.
pub(in crate::vcs) fn is_ours(peer: &UnixStream) -> Option<bool> {
    let who = socket_peercred(peer).ok()?;
    if who.pid == getpid() {
        return Some(true);
    }
    let known = who.uid == geteuid() && getpgid(Some(who.pid)).is_ok_and(|group| group == getpgrp());
    known.then_some(false)
}

/// Sends an open descriptor through a socket, with the one byte that it travels beside.
fn hand(socket: BorrowedFd<'_>, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let descriptors = [descriptor];
    let message = SendAncillaryMessage::ScmRights(&descriptors);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(message) {
        return Err(io::Error::other("no room for the descriptor"));
    }
    sendmsg(socket, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn fetch(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut descriptors) = message
            && let Some(descriptor) = descriptors.next()
        {
            return Ok(descriptor);
        }
    }
    Err(io::Error::other("the worker closed the passage"))
}

/// What the hidden command `vcs-connect` does: fetches the worker's connection and hands it to the `ssh` that asked for it,
/// at standard output.
#[must_use]
pub fn main() -> ExitCode {
    let handed = std::env::var(VARIABLE)
        .map_err(io::Error::other)
        .and_then(|name| fetch(knock(&name)?.as_fd()))
        .and_then(|connection| hand(io::stdout().as_fd(), connection.as_fd()));
    match handed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // ssh shows it, if it is still there.
            let _ = writeln!(io::stderr(), "vcs-connect is started by ssh, not by hand: {error}");
            ExitCode::FAILURE
        }
    }
}
