//! A proxy of our own on this machine, through which programs speak HTTP with exactly one server.
//!
//! So the guard sees every address, the configured proxy is used, bytes are counted, and a redirect to another host ends
//! here. What is encrypted stays so between the program and the server. Whoever asks has to know a password that is made
//! for the operation.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base64::Engine;
use rand::RngExt;
use reqwest::Url;

use super::Trouble;
use super::pump::{Bounds, Sink, pump};
use crate::outbound;
use crate::outbound::tunnel::{self, Tunnel};
use crate::vcs::error::VcsError;
use crate::vcs::git::no_stream;

/// Who asks, as programs are told.
pub(super) const USER: &str = "worker";
/// Longest head of a request.
const LONGEST_HEAD: usize = 64 << 10;
/// How long a program may take to say what it wants.
const HEAD_TIME: Duration = Duration::from_secs(30);
const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

/// An open gate; nobody comes in any more when it is dropped.
pub(super) struct Gate {
    address: SocketAddr,
    shared: Arc<Shared>,
    waiting: Option<JoinHandle<()>>,
}

struct Shared {
    /// The only server that is connected to.
    host: String,
    port: u16,
    password: String,
    outbound: outbound::Settings,
    bounds: Bounds,
    trouble: Trouble,
    /// Set when the gate closes.
    closed: AtomicBool,
}

impl Gate {
    /// Opens one for `host` and `port`.
    pub(super) fn open(
        (host, port): (String, u16),
        outbound: &outbound::Settings,
        bounds: Bounds,
        trouble: Trouble,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let password = format!("{:032x}", rand::rng().random::<u128>());
        let closed = AtomicBool::new(false);
        let shared = Arc::new(Shared { host, port, password, outbound: outbound.clone(), bounds, trouble, closed });
        let waiting = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || wait(&listener, &shared))
        };
        Ok(Self { address, shared, waiting: Some(waiting) })
    }

    /// The port on this machine.
    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How servers are reached.
    pub(super) fn outbound(&self) -> &outbound::Settings {
        &self.shared.outbound
    }

    /// What [`USER`] says.
    pub(super) fn password(&self) -> &str {
        &self.shared.password
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        // Wakes whoever waits.
        let _ = TcpStream::connect(self.address);
        if let Some(waiting) = self.waiting.take() {
            let _ = waiting.join();
        }
    }
}

fn wait(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((near, _)) = listener.accept() {
        if shared.closed.load(Ordering::Relaxed) {
            return;
        }
        let shared = Arc::clone(shared);
        // Whoever breaks off has ended; there is nobody to tell.
        std::thread::spawn(move || serve(near, &shared));
    }
}

/// Serves one connection of a program.
fn serve(mut near: TcpStream, shared: &Shared) -> io::Result<()> {
    near.set_read_timeout(Some(HEAD_TIME))?;
    near.set_nodelay(true)?;
    loop {
        let head = read_head(&mut near)?;
        let Some(wish) = Wish::read(&head, &shared.password) else {
            return refuse(&mut near, "400 Bad Request", "");
        };
        // First, because not every program shows the password again where it is redirected to.
        if (wish.host.as_str(), wish.port) != (shared.host.as_str(), shared.port) {
            let from = format!("{}:{}", shared.host, shared.port);
            let to = format!("{}:{}", wish.host, wish.port);
            shared.trouble.set(VcsError::Redirected { from, to });
            return refuse(&mut near, "403 Forbidden", "");
        }
        if !wish.is_known {
            let challenge = "Proxy-Authenticate: Basic realm=\"worker\"\r\n";
            // The connection goes on, so that what belongs to this request must not be taken for the next one.
            io::copy(&mut (&mut near).take(wish.body), &mut io::sink())?;
            refuse(&mut near, "407 Proxy Authentication Required", challenge)?;
            continue;
        }
        let shown = format!("{}:{}", shared.host, shared.port);
        let (mut far, sink) = match connect(shared, &shown) {
            Ok(ends) => ends,
            Err(error) => {
                shared.trouble.set(error);
                return refuse(&mut near, "502 Bad Gateway", "");
            }
        };
        near.set_read_timeout(None)?;
        match &wish.forward {
            None => near.write_all(ESTABLISHED)?,
            Some(head) => far.write_all(head)?,
        }
        pump(near, sink, far, &shown, &shared.bounds, &shared.trouble);
        return Ok(());
    }
}

fn connect(shared: &Shared, shown: &str) -> Result<(Tunnel, Sink), VcsError> {
    let Shared { outbound, host, port, .. } = shared;
    let failed = |error| no_stream(error, shown, outbound.proxy_for(host).as_ref());
    let far = tunnel::connect(outbound, host, *port, Instant::now() + outbound.timeout).map_err(failed)?;
    let broken = |error: io::Error| VcsError::Unreachable { host: shown.to_owned(), reason: error.to_string() };
    let sink = Sink::Tunnel(far.try_clone().map_err(broken)?);
    Ok((far, sink))
}

/// Reads up to the end of a request's head, and no byte more.
fn read_head(near: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == LONGEST_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        near.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(head)
}

fn refuse(near: &mut TcpStream, status: &str, header: &str) -> io::Result<()> {
    near.write_all(format!("HTTP/1.1 {status}\r\n{header}Content-Length: 0\r\n\r\n").as_bytes())
}

/// What a program wants.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    /// In lower case, an IPv6 address in brackets.
    host: String,
    port: u16,
    is_known: bool,
    /// How many bytes follow the head.
    body: u64,
    /// The head for the server, where the proxy speaks HTTP with it; none for a stream.
    forward: Option<Vec<u8>>,
}

impl Wish {
    fn read(head: &[u8], password: &str) -> Option<Self> {
        let head = std::str::from_utf8(head).ok()?.strip_suffix("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let headers: Vec<&str> = lines.collect();
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{password}"));
        let is_known = headers.iter().any(|line| is_key(line, &pair));
        let length =
            headers.iter().filter(|line| starts(line, "content-length:")).find_map(|line| line.split_once(':'));
        let body = length.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or_default();
        if method == "CONNECT" {
            let (host, port) = target.rsplit_once(':')?;
            return Some(Self {
                host: host.to_ascii_lowercase(),
                port: port.parse().ok()?,
                is_known,
                body: 0,
                forward: None,
            });
        }
        let url = Url::parse(target).ok().filter(|url| url.scheme() == "http")?;
        // From the first slash after the host on, as it was written: decoding and encoding again may change it.
        let rest = target.get("http://".len()..)?;
        let path = rest.find('/').map_or("/", |at| &rest[at..]);
        // One request for each connection, because only its head is looked at.
        let mut forward = format!("{method} {path} {version}\r\nConnection: close\r\n");
        let ours = ["proxy-authorization:", "proxy-connection:", "connection:", "keep-alive:"];
        for line in headers.iter().filter(|line| !ours.iter().any(|own| starts(line, own))) {
            forward.push_str(line);
            forward.push_str("\r\n");
        }
        forward.push_str("\r\n");
        let host = url.host_str()?.to_ascii_lowercase();
        let port = url.port_or_known_default()?;
        Some(Self { host, port, is_known, body, forward: Some(forward.into_bytes()) })
    }
}

fn starts(line: &str, name: &str) -> bool {
    line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

/// Whether a header shows the password.
fn is_key(line: &str, pair: &str) -> bool {
    starts(line, "proxy-authorization:")
        && line.split_once(':').is_some_and(|(_, value)| {
            value
                .trim()
                .split_once(' ')
                .is_some_and(|(scheme, own)| scheme.eq_ignore_ascii_case("basic") && own == pair)
        })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::Wish;

    #[test]
    fn wishes_are_read_as_they_are_meant() {
        // `worker:key`
        let key = "Proxy-Authorization: Basic d29ya2VyOmtleQ==";
        let stream = format!("CONNECT Hg.example.com:443 HTTP/1.1\r\nHost: x\r\n{key}\r\n\r\n");
        let wish = Wish::read(stream.as_bytes(), "key").unwrap();
        assert_eq!((wish.host.as_str(), wish.port, wish.is_known, wish.forward), ("hg.example.com", 443, true, None));
        assert!(!Wish::read(stream.as_bytes(), "other").unwrap().is_known);
        let plain = format!(
            "GET http://h.example:8000/a%20b?c=1 HTTP/1.1\r\nHost: h.example:8000\r\n{key}\r\nConnection: keep-alive\r\n\r\n"
        );
        let wish = Wish::read(plain.as_bytes(), "key").unwrap();
        assert_eq!((wish.host.as_str(), wish.port), ("h.example", 8000));
        assert_eq!(
            String::from_utf8(wish.forward.unwrap()).unwrap(),
            "GET /a%20b?c=1 HTTP/1.1\r\nConnection: close\r\nHost: h.example:8000\r\n\r\n"
        );
        for wrong in ["", "GET / HTTP/1.1\r\n\r\n", "CONNECT x HTTP/1.1\r\n\r\n", "GET https://h/ HTTP/1.1\r\n\r\n"] {
            assert_eq!(Wish::read(wrong.as_bytes(), "key"), None, "{wrong}");
        }
    }
}
