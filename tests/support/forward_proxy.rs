//! A real forwarding proxy for tests: `CONNECT` and absolute-form requests, Basic authentication, and a log of what it saw.
//! It takes every name for one of this machine, as a proxy that knows another network's names does.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What the proxy does instead of its work.
#[derive(Clone, Copy, Debug)]
pub enum Refusal {
    /// This status, without a body.
    Status(u16),
    /// A page, as if it were a web server.
    Html,
    /// The end of the connection.
    Hangup,
    /// Silence.
    Mute,
}

/// One request as the proxy saw it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `CONNECT host:port`, or `GET http://…`.
    pub line: String,
    /// Whether the right user and password came with it.
    pub known: bool,
    /// Whether an `Authorization` header, which is for the server behind it, could be read.
    pub sees_authorization: bool,
}

struct State {
    account: Option<String>,
    refusal: Mutex<Option<Refusal>>,
    log: Mutex<Vec<Asked>>,
    /// Where what is for a port of others goes instead.
    diverted: Mutex<HashMap<u16, u16>>,
}

/// A running proxy; it stops when dropped.
pub struct ForwardProxy {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

impl ForwardProxy {
    /// Starts a proxy that wants this user and password, or none.
    pub fn start(account: Option<(&str, &str)>) -> Self {
        Self::start_with(account, None)
    }

    /// The same behind TLS, or not.
    pub fn start_with(account: Option<(&str, &str)>, tls: Option<ServerConfig>) -> Self {
        let tls = tls.map(|tls| TlsAcceptor::from(Arc::new(tls)));
        let account = account.map(|(user, password)| {
            let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            format!("Basic {pair}")
        });
        let state =
            Arc::new(State { account, refusal: Mutex::default(), log: Mutex::default(), diverted: Mutex::default() });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a socket");
                let serve = async {
                    while let Ok((stream, _)) = listener.accept().await {
                        let (state, tls) = (Arc::clone(&shared), tls.clone());
                        // Whoever hangs up ends it, which is no failure of the test.
                        tokio::spawn(async move {
                            match tls {
                                Some(tls) => pass(tls.accept(stream).await?, &state).await,
                                None => pass(stream, &state).await,
                            }
                        });
                    }
                };
                tokio::select! {
                    () = serve => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, state, stop: Some(stop) }
    }

    /// Refuses from now on, or works again.
    pub fn refuse(&self, refusal: impl Into<Option<Refusal>>) {
        *self.state.refusal.lock().expect("no panic") = refusal.into();
    }

    /// Leads what is for the port of a host to another one of this machine.
    pub fn divert(&self, port: u16, to: u16) {
        self.state.diverted.lock().expect("no panic").insert(port, to);
    }

    /// The requests since the last call.
    pub fn take_log(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state.log.lock().expect("no panic"))
    }
}

impl Drop for ForwardProxy {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.stop.take().map(|stop| stop.send(()));
    }
}

async fn pass<S: AsyncRead + AsyncWrite + Unpin>(mut client: S, state: &State) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8(head).expect("a head is text");
    let (line, headers) = head.split_once("\r\n").expect("a request line");
    let header = |name: &str| {
        headers.lines().find_map(|line| {
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let known = header("proxy-authorization") == state.account;
    let asked = line.trim_end_matches(" HTTP/1.1").to_owned();
    let sees_authorization = header("authorization").is_some();
    state.log.lock().expect("no panic").push(Asked { line: asked.clone(), known, sees_authorization });
    let refusal = *state.refusal.lock().expect("no panic");
    match refusal {
        Some(Refusal::Status(status)) => return answer(&mut client, status, "", "").await,
        Some(Refusal::Html) => {
            return answer(&mut client, 200, "Content-Type: text/html\r\n", "<html>Welcome</html>").await;
        }
        Some(Refusal::Hangup) => return Ok(()),
        Some(Refusal::Mute) => std::future::pending().await,
        None => {}
    }
    if !known {
        return answer(&mut client, 407, "Proxy-Authenticate: Basic realm=\"proxy\"\r\n", "").await;
    }
    let (method, target) = asked.split_once(' ').expect("a method and a target");
    if method == "CONNECT" {
        let mut server = connect(target, state).await?;
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        copy_bidirectional(&mut client, &mut server).await?;
        return Ok(());
    }
    let rest = target.strip_prefix("http://").expect("an absolute address");
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut server = connect(authority, state).await?;
    let kept = headers.lines().filter(|line| !line.is_empty() && !line.to_ascii_lowercase().starts_with("proxy-"));
    let head =
        kept.fold(format!("{method} /{path} HTTP/1.1\r\nConnection: close\r\n"), |head, line| head + line + "\r\n");
    server.write_all(format!("{head}\r\n").as_bytes()).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// Every name is one of this machine.
async fn connect(authority: &str, state: &State) -> std::io::Result<TcpStream> {
    let port = authority.rsplit_once(':').map_or("80", |(_, port)| port);
    let port = port.parse().expect("a port");
    let port = state.diverted.lock().expect("no panic").get(&port).copied().unwrap_or(port);
    TcpStream::connect(("127.0.0.1", port)).await
}

async fn answer<S: AsyncWrite + Unpin>(client: &mut S, status: u16, headers: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    let text =
        format!("HTTP/1.1 {status} Said\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    client.write_all(text.as_bytes()).await?;
    client.shutdown().await
}
