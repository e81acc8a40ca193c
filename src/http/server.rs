//! Listening, answering, and ending without cutting anybody off.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::available_parallelism;
use std::time::Duration;

use actix_http::{HttpService, KeepAlive};
use actix_server::{ServerBuilder, ServerHandle};
use actix_service::{ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, ServiceRequest, ServiceResponse};
use actix_web::{App, web};
use rustls::ServerConfig;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::interval;

use super::books;
use super::connections::{self, Stream};
use super::request::Observe;
use super::tls::{Certificate, TlsError};
use super::{State, routes};

/// How long an idle connection is kept; longer than common proxies keep theirs, so that they close first.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a connection may take to close.
const CLOSING: Duration = Duration::from_secs(2);
/// How long requests may take to end when the server stops, in seconds.
const GRACE: u64 = 30;
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 2048;
/// How often connections are looked through for those that are of no use.
const SWEEP: Duration = Duration::from_secs(1);
/// The same while the server stops.
const SWEEP_STOPPING: Duration = Duration::from_millis(100);
/// Connections that one thread takes: more than there may be, because [`connections`] counts them.
const TAKEN: usize = 1 << 20;
/// How often the log says that clients were refused.
const TELL: Duration = Duration::from_secs(10);
/// How often the histograms of metrics are folded.
const UPKEEP: Duration = Duration::from_secs(5);

/// Why the server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {}", hint(.source))]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// No address is configured.
    #[error("there is no address to listen on: set `listen` in the `[server]` section of the configuration")]
    NoAddress,
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

fn hint(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there already; stop it, or choose another port with `--listen`".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "the system does not permit it; ports below 1024 need the capability CAP_NET_BIND_SERVICE".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine does not have that address ({error}); use one of its own, or 0.0.0.0 for all")
        }
        _ => error.to_string(),
    }
}

/// The running server.
pub struct Server {
    addresses: Vec<SocketAddr>,
    handle: ServerHandle,
    accepting: JoinHandle<io::Result<()>>,
    /// What runs beside it and ends with it.
    beside: Vec<JoinHandle<()>>,
    state: State,
}

impl Server {
    /// Listens on every address of the settings and answers from then on. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If an address or the certificate cannot be used.
    pub fn start(state: State) -> Result<Self, StartError> {
        let settings = Arc::clone(&state.settings);
        if settings.listen.is_empty() {
            return Err(StartError::NoAddress);
        }
        let certificate = settings.tls.as_ref().map(Certificate::load).transpose()?;
        let tls = certificate.as_ref().map(|certificate| Arc::new(certificate.config()));
        let mut server = actix_server::Server::build()
            .workers(available_parallelism().map_or(2, Into::into))
            .max_concurrent_connections(TAKEN)
            .shutdown_timeout(GRACE)
            .disable_signals();
        let mut addresses = Vec::new();
        for address in &settings.listen {
            let bound = listen(server, *address, &state, tls.clone());
            let (with, bound) = bound.map_err(|source| StartError::Bind { address: *address, source })?;
            server = with;
            addresses.push(bound);
        }
        let running = server.run();
        let mut beside = vec![tokio::spawn(keep_books(state.clone())), tokio::spawn(sweep(state.clone()))];
        beside.extend(certificate.map(|certificate| tokio::spawn(certificate.watch())));
        Ok(Self { addresses, handle: running.handle(), accepting: tokio::spawn(running), beside, state })
    }

    /// Where the server listens, with the ports that were taken for port 0.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What it has to do at this moment.
    #[must_use]
    pub fn load(&self) -> connections::Load {
        self.state.connections.load()
    }

    /// Waits until the server ends by itself, which it only does when something is broken.
    ///
    /// # Errors
    /// What is broken.
    pub async fn ended(&mut self) -> io::Result<()> {
        (&mut self.accepting).await.map_err(io::Error::other)?
    }

    /// Stops: says so on `/readyz`, accepts nothing new, lets requests end (for at most 30 seconds), and writes what they
    /// left behind.
    pub async fn stop(self) {
        self.state.stopping.store(true, Ordering::Relaxed);
        self.state.live.stop();
        self.state.connections.stop();
        self.handle.stop(true).await;
        for task in &self.beside {
            task.abort();
        }
        self.state.flush().await;
    }
}

/// Has the server listen on an address as well, and says which it became.
fn listen(
    server: ServerBuilder,
    address: SocketAddr,
    state: &State,
    tls: Option<Arc<ServerConfig>>,
) -> io::Result<(ServerBuilder, SocketAddr)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that starts again may have its address again, although old connections linger.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?.into_std()?;
    let bound = listener.local_addr()?;
    let state = state.clone();
    let server = server.listen(format!("http on {bound}"), listener, move || {
        let (connections, tls) = (Arc::clone(&state.connections), tls.clone());
        let seat = fn_service(move |io: TcpStream| connections::accept(io, Arc::clone(&connections), tls.clone()));
        seat.map_err(Into::into).and_then(protocol(&state))
    })?;
    Ok((server, bound))
}

/// HTTP/1 and, where TLS agreed on it, HTTP/2. Without TLS there is no HTTP/2: it is for proxies that none of our users
/// asked for.
fn protocol(
    state: &State,
) -> impl ServiceFactory<
    (Stream, actix_http::Protocol, Option<SocketAddr>),
    Response = (),
    Error = actix_http::error::DispatchError,
    Config = (),
    InitError = (),
> + use<> {
    let app = map_config(application(state.clone()), |()| AppConfig::default());
    HttpService::build()
        .keep_alive(KeepAlive::Timeout(KEEP_ALIVE))
        // Its way to end a wait is a `408` that nobody asked for, which clients that connect ahead take for the answer
        // to their first request. Whoever asks nothing is cut by the sweep.
        .client_request_timeout(Duration::ZERO)
        .client_disconnect_timeout(CLOSING)
        .on_connect_ext(|io: &Stream, data| {
            data.insert(io.link());
        })
        .finish(app.map_err(|error: actix_web::Error| error.error_response()))
}

/// What answers requests.
fn application(
    state: State,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    App::new().app_data(web::Data::new(state.clone())).wrap(Observe(state)).configure(routes::configure)
}

/// Cuts connections that are of no use, for as long as the server runs.
async fn sweep(state: State) {
    loop {
        tokio::time::sleep(if state.is_stopping() { SWEEP_STOPPING } else { SWEEP }).await;
        state.connections.sweep();
    }
}

/// Writes what requests leave behind, and keeps the metrics small, for as long as the server runs.
async fn keep_books(state: State) {
    let mut installs = interval(books::INSTALLS_EVERY);
    let mut last_used = interval(books::LAST_USED_EVERY);
    let mut upkeep = interval(UPKEEP);
    let mut tell = interval(TELL);
    loop {
        tokio::select! {
            _ = installs.tick() => state.installs.flush(&state.appliance.database).await,
            _ = last_used.tick() => {
                state.last_used.flush(&state.appliance.database).await;
                state.seen.flush(&state.appliance.database).await;
            }
            _ = upkeep.tick() => state.metrics.upkeep(),
            _ = tell.tick() => state.connections.tell(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StartError;
    use std::io;

    #[test]
    fn a_taken_port_is_explained() {
        let address = "127.0.0.1:80".parse().expect("an address");
        let error = StartError::Bind { address, source: io::ErrorKind::AddrInUse.into() };
        assert!(error.to_string().starts_with("cannot listen on 127.0.0.1:80: another program listens there already"));
    }
}
