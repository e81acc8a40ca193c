//! A stream to another host for whoever speaks no HTTP: the `ssh` program, and Git's own protocol.
//!
//! [`connect`] takes the same road as the HTTP clients: the guard looks at every resolved address and the connection is
//! made to exactly the address that it saw, and a configured proxy is asked to pass the stream on (`CONNECT`, RFC 9110,
//! section 9.3.6).

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use base64::Engine;
use reqwest::Url;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::Builder;
use tokio_rustls::TlsConnector;

use super::client::{CONNECT_TIMEOUT, SetupFailed};
use super::failure::handshake;
use super::proxy::decoded;
use super::{Guard, HostRule, Refused, ResolveFailed, Settings, tls};

/// Most bytes of a proxy's answer before the stream.
const LONGEST_ANSWER: usize = 16 << 10;

/// An open stream, without time limits of its own: who reads from it sets them.
#[derive(Debug)]
pub enum Tunnel {
    /// The connection itself, to the host or to a proxy that passes on what it gets.
    Tcp(TcpStream),
    /// One end of a pair whose other end a thread of ours connects to a proxy behind TLS.
    Relayed(UnixStream),
}

/// Why no stream could be opened. The texts say what failed and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TunnelError {
    /// The configuration forbids it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The name leads nowhere.
    #[error(transparent)]
    Resolve(#[from] ResolveFailed),
    /// Nobody listens there, or no way leads there.
    #[error("{peer} cannot be reached: {reason}")]
    Unreachable {
        /// The host or the proxy, with its port.
        peer: String,
        /// What the system said.
        reason: String,
    },
    /// It took too long.
    #[error("connecting to {peer} took longer than {seconds} seconds")]
    Timeout {
        /// The host or the proxy, with its port.
        peer: String,
        /// How long it was waited.
        seconds: u64,
    },
    /// The proxy's certificate is not trusted, or it speaks no TLS.
    #[error("the TLS connection to the proxy {proxy} failed: {reason}")]
    Tls {
        /// The proxy's host and port.
        proxy: String,
        /// What the TLS library said.
        reason: String,
    },
    /// The proxy wants a user and password, or others.
    #[error(
        "the proxy {proxy} does not accept the user and password of `proxy` under [outbound] in config.toml, or there are none (HTTP 407)"
    )]
    ProxyCredential {
        /// The proxy's host and port.
        proxy: String,
    },
    /// The proxy does not pass the stream on.
    #[error(
        "the proxy {proxy} does not connect us to {target} (HTTP {status}): let it allow that, or add the host to `no_proxy` under [outbound] in config.toml"
    )]
    ProxyRefused {
        /// The proxy's host and port.
        proxy: String,
        /// Where it should have led.
        target: String,
        /// The HTTP status of its answer.
        status: u16,
    },
    /// The settings cannot be used.
    #[error(transparent)]
    Setup(#[from] SetupFailed),
}

/// Opens a stream to `host` (a name, or an address with or without brackets), through the proxy where one is configured
/// for it. It blocks until `deadline` at the latest, so it must not be called from asynchronous code.
///
/// Through a proxy, names are resolved by the proxy; what is checked all the same is said at [`Guard::check_proxied`].
///
/// # Errors
/// [`TunnelError`].
pub fn connect(settings: &Settings, host: &str, port: u16, deadline: Instant) -> Result<Tunnel, TunnelError> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let target = Peer { host: host.to_owned(), port };
    let bypassed = settings.no_proxy.iter().any(|rule| rule.matches_host(host));
    let proxy = if bypassed { None } else { ProxyServer::of(settings)? };
    match proxy {
        Some(_) => settings.guard.check_proxied(host, port)?,
        None => settings.guard.check_target(host, port)?,
    }
    let patience = Patience { deadline, asked: Instant::now() };
    match proxy {
        Some(proxy) if proxy.tls => relayed(settings, proxy, target, patience),
        Some(proxy) => block_on(patience.wait(&proxy.peer, async {
            let mut stream = reach(&anyone(), &proxy.peer).await?;
            ask(&mut stream, &proxy, &target).await?;
            blocking(stream)
        })),
        None => block_on(patience.wait(&target, async { blocking(reach(&settings.guard, &target).await?) })),
    }
}

impl Tunnel {
    /// A second handle on the same stream, for reading and writing at once.
    ///
    /// # Errors
    /// When the system has no more file descriptors.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(stream) => Self::Tcp(stream.try_clone()?),
            Self::Relayed(stream) => Self::Relayed(stream.try_clone()?),
        })
    }

    /// How long one read or write may take.
    ///
    /// # Errors
    /// When the time is zero.
    pub fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => {
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))
            }
            Self::Relayed(stream) => {
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))
            }
        }
    }

    /// Says that nothing more is sent.
    ///
    /// # Errors
    /// When the connection is gone already.
    pub fn finish(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Relayed(stream) => stream.shutdown(Shutdown::Write),
        }
    }
}

impl Read for Tunnel {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Relayed(stream) => stream.read(buffer),
        }
    }
}

impl Write for Tunnel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Relayed(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Relayed(stream) => stream.flush(),
        }
    }
}

impl AsFd for Tunnel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Relayed(stream) => stream.as_fd(),
        }
    }
}

/// The administrator chose the proxy, so that where it leads is not checked.
fn anyone() -> Guard {
    Guard { allow: vec![HostRule::Any], ..Guard::default() }
}

/// A host and port.
#[derive(Clone, Debug)]
struct Peer {
    /// Without brackets.
    host: String,
    port: u16,
}

impl Peer {
    fn shown(&self) -> String {
        let Self { host, port } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    fn unreachable(&self, error: &io::Error) -> TunnelError {
        TunnelError::Unreachable { peer: self.shown(), reason: error.to_string() }
    }

    fn too_slow(&self, seconds: u64) -> TunnelError {
        TunnelError::Timeout { peer: self.shown(), seconds }
    }
}

/// The configured proxy, taken apart.
struct ProxyServer {
    peer: Peer,
    /// Whether it is spoken with over TLS.
    tls: bool,
    /// User and password, decoded.
    credential: Option<(String, String)>,
}

impl ProxyServer {
    /// Reads `proxy`; none if there is none.
    fn of(settings: &Settings) -> Result<Option<Self>, SetupFailed> {
        let Some(text) = &settings.proxy else { return Ok(None) };
        let url = Url::parse(text).map_err(|_| SetupFailed::Proxy)?;
        let (Some(host), Some(port), "http" | "https") = (url.host_str(), url.port_or_known_default(), url.scheme())
        else {
            return Err(SetupFailed::Proxy);
        };
        let credential =
            (!url.username().is_empty()).then(|| (decoded(url.username()), decoded(url.password().unwrap_or(""))));
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Some(Self { peer: Peer { host, port }, tls: url.scheme() == "https", credential }))
    }
}

/// How long somebody waits, and since when.
#[derive(Clone, Copy)]
struct Patience {
    deadline: Instant,
    asked: Instant,
}

impl Patience {
    async fn wait<T>(self, peer: &Peer, work: impl Future<Output = Result<T, TunnelError>>) -> Result<T, TunnelError> {
        let in_time = tokio::time::timeout_at(self.deadline.into(), work).await;
        in_time.unwrap_or_else(|_| Err(peer.too_slow(self.deadline.duration_since(self.asked).as_secs())))
    }
}

/// Runs asynchronous work here. What it leaves behind, such as a name resolution that takes for ever, is not waited for.
fn block_on<T>(work: impl Future<Output = Result<T, TunnelError>>) -> Result<T, TunnelError> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(no_machine)?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_background();
    outcome
}

/// This machine has no threads, sockets or descriptors left.
fn no_machine(error: io::Error) -> TunnelError {
    SetupFailed::Client(error.to_string()).into()
}

/// The stream as blocking code takes it.
fn blocking(stream: tokio::net::TcpStream) -> Result<Tunnel, TunnelError> {
    let stream = stream.into_std().map_err(no_machine)?;
    stream.set_nonblocking(false).map_err(no_machine)?;
    Ok(Tunnel::Tcp(stream))
}

/// Connects to one of the addresses that the guard lets pass.
async fn reach(guard: &Guard, peer: &Peer) -> Result<tokio::net::TcpStream, TunnelError> {
    let addresses = guard.resolve_endpoint(&peer.host, peer.port).await.map_err(|error| refusal(peer, error))?;
    let mut last = None;
    for address in addresses {
        match tokio::time::timeout(CONNECT_TIMEOUT, tokio::net::TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Only a matter of speed.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => last = Some(peer.unreachable(&error)),
            Err(_) => last = Some(peer.too_slow(CONNECT_TIMEOUT.as_secs())),
        }
    }
    Err(last.unwrap_or_else(|| ResolveFailed { host: peer.host.clone(), source: None }.into()))
}

fn refusal(peer: &Peer, error: Box<dyn std::error::Error + Send + Sync>) -> TunnelError {
    match error.downcast::<Refused>() {
        Ok(refused) => (*refused).into(),
        Err(error) => match error.downcast::<ResolveFailed>() {
            Ok(failed) => (*failed).into(),
            Err(other) => TunnelError::Unreachable { peer: peer.shown(), reason: other.to_string() },
        },
    }
}

/// Asks the proxy to pass the stream on, and reads no byte more than its answer: the next ones are the other side's.
async fn ask<S>(stream: &mut S, proxy: &ProxyServer, target: &Peer) -> Result<(), TunnelError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let peer = &proxy.peer;
    let to = target.shown();
    let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n");
    if let Some((user, password)) = &proxy.credential {
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        request.push_str(&format!("Proxy-Authorization: Basic {pair}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| peer.unreachable(&error))?;
    stream.flush().await.map_err(|error| peer.unreachable(&error))?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() == LONGEST_ANSWER {
            break;
        }
        answer.push(stream.read_u8().await.map_err(|error| peer.unreachable(&error))?);
    }
    match status(&answer) {
        Some(200..=299) => Ok(()),
        Some(407) => Err(TunnelError::ProxyCredential { proxy: peer.shown() }),
        Some(status) => Err(TunnelError::ProxyRefused { proxy: peer.shown(), target: to, status }),
        None => {
            let reason = "it does not answer like an HTTP proxy".to_owned();
            Err(TunnelError::Unreachable { peer: peer.shown(), reason })
        }
    }
}

/// The status of a whole answer: `HTTP/1.1 200 …`.
fn status(answer: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(answer.split(|byte| *byte == b'\r').next()?).ok()?;
    let status = text.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
    if answer.ends_with(b"\r\n\r\n") { status.parse().ok() } else { None }
}

/// Opens a stream through a proxy behind TLS. A thread of its own keeps it going, because one TLS connection cannot be
/// read and written at once by blocking code.
fn relayed(settings: &Settings, proxy: ProxyServer, target: Peer, patience: Patience) -> Result<Tunnel, TunnelError> {
    let tls = TlsConnector::from(Arc::new(trust(settings)?));
    let (ours, theirs) = UnixStream::pair().map_err(no_machine)?;
    theirs.set_nonblocking(true).map_err(no_machine)?;
    let (opened, wait) = mpsc::channel();
    std::thread::spawn(move || {
        let work = async {
            let mut stream = patience.wait(&proxy.peer, through_tls(&tls, &proxy, &target)).await?;
            let mut near = tokio::net::UnixStream::from_std(theirs).map_err(no_machine)?;
            // Nobody listens if the caller is gone; then the copy ends at once.
            let _ = opened.send(Ok(()));
            // Either side may break off: whoever reads notices.
            let _ = tokio::io::copy_bidirectional(&mut near, &mut stream).await;
            Ok(())
        };
        if let Err(error) = block_on(work) {
            let _ = opened.send(Err(error));
        }
    });
    let gone = || no_machine(io::Error::other("the thread that speaks with the proxy ended"));
    wait.recv().unwrap_or_else(|_| Err(gone()))?;
    Ok(Tunnel::Relayed(ours))
}

async fn through_tls(
    tls: &TlsConnector,
    proxy: &ProxyServer,
    target: &Peer,
) -> Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>, TunnelError> {
    let peer = &proxy.peer;
    let failed = |reason: String| TunnelError::Tls { proxy: peer.shown(), reason };
    let name = ServerName::try_from(peer.host.clone()).map_err(|error| failed(error.to_string()))?;
    let stream = reach(&anyone(), peer).await?;
    let mut stream = tls.connect(name, stream).await.map_err(|error| failed(handshake(&error)))?;
    ask(&mut stream, proxy, target).await?;
    Ok(stream)
}

/// The same trust as our HTTP clients have; what is spoken inside of it is none of HTTP's versions by negotiation.
fn trust(settings: &Settings) -> Result<ClientConfig, SetupFailed> {
    let mut config = tls::config(settings.ca_bundle.as_deref())?;
    config.alpn_protocols.clear();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn a_proxys_answer_must_be_one() {
        assert_eq!(status(b"HTTP/1.1 200 Connection established\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 407 No\r\nProxy-Authenticate: Basic\r\n\r\n"), Some(407));
        for wrong in
            [&b""[..], b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 2x0 \r\n\r\n"]
        {
            assert_eq!(status(wrong), None);
        }
    }
}
