//! Git's own protocol over a plain connection (`git://`, gitprotocol-pack(5)), where `allow_insecure` allows it.
//!
//! gix would open the connection itself, past the guard and the proxy, and wait for ever. Here the stream comes from
//! [`tunnel`] and has time limits, and what interrupts it is remembered as what it is.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use gix::protocol::transport::Protocol;
use gix::protocol::transport::client::blocking_io::Transport;
use gix::protocol::transport::client::git::ConnectMode;
use gix::protocol::transport::client::git::blocking_io::Connection;

use super::http::{FRAMING, Failure};
use super::meter::Meter;
use crate::outbound::tunnel::{self, Tunnel, TunnelError};
use crate::outbound::{self, ProxyAddress};
use crate::vcs::error::VcsError;
use crate::vcs::request::Limits;
use crate::vcs::room::bytes;
use crate::vcs::url::SourceUrl;

/// Connects to the server; nothing is said yet.
pub(super) fn open(
    url: &SourceUrl,
    settings: &outbound::Settings,
    limits: &Limits,
    failure: &Failure,
) -> Result<Box<dyn Transport>, VcsError> {
    let Some((host, port)) = url.host_port() else {
        return Err(VcsError::Policy { reason: "The address names no host.".to_owned() });
    };
    let shown = format!("{host}:{port}");
    let proxy = settings.proxy_for(&host);
    let failed = |error| meaning(error, &shown, proxy.as_ref());
    let stream = tunnel::connect(settings, &host, port, Instant::now() + settings.timeout).map_err(failed)?;
    let broken = |error: io::Error| VcsError::Unreachable { host: shown.clone(), reason: error.to_string() };
    stream.set_timeout(settings.timeout).map_err(broken)?;
    let watched = |stream| Watched {
        stream,
        host: shown.clone(),
        timeout: settings.timeout,
        limit: limits.transfer.saturating_add(FRAMING),
        left: limits.transfer.saturating_add(FRAMING),
        meter: Meter::new(limits.pace),
        failure: failure.clone(),
    };
    let (reader, writer) = (watched(stream.try_clone().map_err(broken)?), watched(stream));
    // As git(1) does: the path without percent-encoding, the port only where it is not the usual one.
    let path = url.decoded_path();
    let port = (Some(port) != url.scheme().default_port()).then_some(port);
    Ok(Box::new(Connection::new(reader, writer, Protocol::V2, path, Some((host, port)), ConnectMode::Daemon, false)))
}

/// Sees whether a connection can be made. See [`crate::vcs::Vcs::knock`].
pub(super) fn knock(host: &str, port: u16, settings: &outbound::Settings) -> Result<(), VcsError> {
    let opened = tunnel::connect(settings, host, port, Instant::now() + settings.timeout);
    let failed = |error| meaning(error, &format!("{host}:{port}"), settings.proxy_for(host).as_ref());
    opened.map(drop).map_err(failed)
}

/// What it means that there is no stream, for whoever wanted one to `host`.
pub(in crate::vcs) fn meaning(error: TunnelError, host: &str, proxy: Option<&ProxyAddress>) -> VcsError {
    let host = host.to_owned();
    let way = proxy.map(|proxy| format!(" (through the proxy {proxy})")).unwrap_or_default();
    match error {
        TunnelError::Refused(refused) => VcsError::Policy { reason: refused.to_string() },
        TunnelError::Setup(error) => VcsError::Policy { reason: error.to_string() },
        TunnelError::Resolve(failed) => VcsError::Dns { host: failed.host },
        TunnelError::ProxyCredential { .. } => VcsError::Proxy { host, reason: error.to_string(), permanent: true },
        TunnelError::ProxyRefused { .. } | TunnelError::Tls { .. } => {
            VcsError::Proxy { host, reason: error.to_string(), permanent: false }
        }
        // Without a proxy, the peer is the host, which is named already.
        TunnelError::Unreachable { reason, .. } if proxy.is_none() => VcsError::Unreachable { host, reason },
        TunnelError::Unreachable { .. } | TunnelError::Timeout { .. } => {
            VcsError::Unreachable { host, reason: format!("{error}{way}") }
        }
    }
}

/// A stream whose interruption is remembered as what it is, and that does not go on for ever.
struct Watched {
    stream: Tunnel,
    host: String,
    timeout: Duration,
    limit: u64,
    left: u64,
    meter: Meter,
    failure: Failure,
}

impl Watched {
    fn interrupted(&self, error: &io::Error) -> io::Error {
        let host = self.host.clone();
        self.failure.set(match error.kind() {
            // What a read with a time limit ends with depends on the system.
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                VcsError::Timeout { what: format!("Waiting for {host}"), seconds: self.timeout.as_secs() }
            }
            _ => VcsError::Unreachable { host, reason: error.to_string() },
        })
    }
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.stream.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            outcome => outcome.map_err(|error| self.interrupted(&error))?,
        };
        self.meter.count(count, &self.host).map_err(|error| self.failure.set(error))?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            let limit = bytes(self.limit);
            self.failure.set(VcsError::TooLarge { what: "What the server sends".to_owned(), limit })
        })?;
        Ok(count)
    }
}

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.stream.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            // The other side hung up: what it said before tells why, and is read next.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            outcome => outcome.map_err(|error| self.interrupted(&error)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
