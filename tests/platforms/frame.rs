//! What a simulator stands on: HTTP with or without TLS, a log of all requests, and faults to order.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use futures_util::stream;
use packagist_selfhosted::clock::Timestamp;
use rustls::ServerConfig;

use super::message::{Asked, Reply, pairs};

/// A platform: state, and what it answers.
pub trait Simulator: Send + 'static {
    /// Answers one request.
    fn answer(&mut self, asked: &Asked) -> Reply;
}

/// What a stage does instead of asking its simulator.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This answer.
    Answer(Reply),
    /// A maintenance page with this status.
    Page(u16),
    /// A redirect to this address.
    Redirect(&'static str),
    /// Too many requests: 429, with `Retry-After` if there are seconds.
    RateLimited(Option<u64>),
    /// JSON without an end.
    Endless,
    /// What it should be, after a while.
    Slow,
    /// Silence.
    Mute,
    /// It is done, and the answer never comes.
    Swallowed,
    /// A page of a sign-in or maintenance with status 200.
    Html,
    /// Half of what it should be, under a length of its own.
    Half,
    /// The first half, and the end of the connection.
    Cut,
    /// What it should be, with more headers.
    Beside(Vec<(String, String)>),
}

/// What happens where.
struct Order {
    /// Part of the path; of the path with its query, if it has a question mark.
    part: String,
    /// Which of the requests that it matches, from 1 on.
    which: RangeInclusive<usize>,
    seen: usize,
    fault: Fault,
}

struct Shared<S> {
    simulator: Mutex<S>,
    faults: Mutex<Vec<Order>>,
    log: Mutex<Vec<Asked>>,
    violations: Mutex<Vec<String>>,
    /// Seconds that its clock is ahead of ours.
    skew: Mutex<i64>,
    /// How many requests wait for an answer, and the most that ever did.
    waiting: Mutex<(usize, usize)>,
}

/// A running simulator; it stops when dropped, and panics then if a request was not as documented.
pub struct Stage<S: Simulator> {
    /// Where it listens.
    pub address: SocketAddr,
    /// `https`, or `http` without TLS.
    pub scheme: &'static str,
    shared: Arc<Shared<S>>,
    handle: ServerHandle,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl<S: Simulator> Stage<S> {
    /// Starts on a free port of 127.0.0.1.
    pub fn start(simulator: S, tls: Option<ServerConfig>) -> Self {
        let shared = Arc::new(Shared {
            simulator: Mutex::new(simulator),
            faults: Mutex::default(),
            log: Mutex::default(),
            violations: Mutex::default(),
            skew: Mutex::default(),
            waiting: Mutex::default(),
        });
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (sender, receiver) = std::sync::mpsc::channel();
        let served = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = move || {
                    App::new()
                        .app_data(web::Data::from(Arc::clone(&served)))
                        .app_data(web::PayloadConfig::new(1 << 20))
                        .default_service(web::to(answer::<S>))
                };
                let server = HttpServer::new(app).workers(1).disable_signals();
                let server = match tls {
                    Some(tls) => server.bind_rustls_0_23(("127.0.0.1", 0), tls),
                    None => server.bind(("127.0.0.1", 0)),
                };
                let server = server.expect("a free port");
                let address = server.addrs()[0];
                let server = server.run();
                sender.send((address, server.handle())).expect("the test waits for it");
                server.await
            })
        });
        let (address, handle) = receiver.recv().expect("the server starts");
        Self { address, scheme, shared, handle, thread: Some(thread) }
    }

    /// The simulator, to look at or change. Nobody is answered as long as this is held.
    pub fn world(&self) -> MutexGuard<'_, S> {
        self.shared.simulator.lock().expect("no panic")
    }

    /// An address here, by this host name.
    pub fn url(&self, host: &str, path: &str) -> url::Url {
        format!("{}://{host}:{}{path}", self.scheme, self.address.port()).parse().expect("an address")
    }

    /// Does this from now on wherever the path contains `part`.
    pub fn fail(&self, part: &str, fault: Fault) {
        self.fail_at(part, 1..=usize::MAX, fault);
    }

    /// Does this for these of the requests from now on whose path contains `part`, counted from 1; with a question mark in
    /// it, path and query count.
    pub fn fail_at(&self, part: &str, which: RangeInclusive<usize>, fault: Fault) {
        let order = Order { part: part.to_owned(), which, seen: 0, fault };
        self.shared.faults.lock().expect("no panic").push(order);
    }

    /// Works again.
    pub fn heal(&self) {
        self.shared.faults.lock().expect("no panic").clear();
    }

    /// Sets its clock so many seconds ahead of ours.
    pub fn skew(&self, seconds: i64) {
        *self.shared.skew.lock().expect("no panic") = seconds;
    }

    /// The most requests that waited for an answer at once, which [`Fault::Slow`] makes many do.
    pub fn most_at_once(&self) -> usize {
        self.shared.waiting.lock().expect("no panic").1
    }

    /// The requests since the last call.
    pub fn take_log(&self) -> Vec<Asked> {
        std::mem::take(&mut self.shared.log.lock().expect("no panic"))
    }

    /// What was wrong with requests since the last call; what is not taken fails the test.
    pub fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.violations.lock().expect("no panic"))
    }
}

impl<S: Simulator> Drop for Stage<S> {
    fn drop(&mut self) {
        // The future only waits for the end, and so does the thread.
        drop(self.handle.stop(false));
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(Ok(())))), "{ended:?}");
        let violations = self.take_violations();
        if !std::thread::panicking() {
            assert!(violations.is_empty(), "requests that are not as documented: {violations:#?}");
        }
    }
}

async fn answer<S: Simulator>(request: HttpRequest, body: web::Bytes, shared: web::Data<Shared<S>>) -> HttpResponse {
    let asked = asked(&request, &body);
    shared.log.lock().expect("no panic").push(asked.clone());
    let fault = ordered(&mut shared.faults.lock().expect("no panic"), &asked);
    let is_cut = matches!(fault, Some(Fault::Cut));
    let reply = match fault {
        // What every browser asks for by itself.
        None if asked.path == "/favicon.ico" => Reply::empty(404),
        None => shared.simulator.lock().expect("no panic").answer(&asked),
        Some(Fault::Mute) => std::future::pending().await,
        Some(Fault::Slow) => {
            {
                let mut waiting = shared.waiting.lock().expect("no panic");
                *waiting = (waiting.0 + 1, waiting.1.max(waiting.0 + 1));
            }
            actix_web::rt::time::sleep(std::time::Duration::from_millis(40)).await;
            shared.waiting.lock().expect("no panic").0 -= 1;
            shared.simulator.lock().expect("no panic").answer(&asked)
        }
        Some(Fault::Swallowed) => {
            drop(shared.simulator.lock().expect("no panic").answer(&asked));
            std::future::pending().await
        }
        Some(Fault::Beside(headers)) => {
            let reply = shared.simulator.lock().expect("no panic").answer(&asked);
            headers.iter().fold(reply, |reply, (name, value)| reply.with(name, value))
        }
        Some(Fault::Half | Fault::Cut) => {
            let mut reply = shared.simulator.lock().expect("no panic").answer(&asked);
            reply.body.truncate(reply.body.len() / 2);
            reply
        }
        Some(fault) => broken(fault),
    };
    if let Some(violation) = &reply.violation {
        let text = format!("{} {}: {violation}", asked.method, asked.path);
        shared.violations.lock().expect("no panic").push(text);
    }
    let mut response = HttpResponse::build(StatusCode::from_u16(reply.status).expect("a status"));
    for (name, value) in reply.headers {
        response.append_header((name, value));
    }
    let skew = *shared.skew.lock().expect("no panic");
    if skew != 0 {
        response.insert_header(("date", Timestamp::from_seconds(now() + skew).http_date()));
    }
    if is_cut {
        let end = actix_web::error::ErrorInternalServerError("the connection is cut");
        return response.streaming(stream::iter([Ok(web::Bytes::from(reply.body)), Err(end)]));
    }
    response.body(reply.body)
}

/// What was ordered for a request: the first that matches, and each of them counts it.
fn ordered(orders: &mut [Order], asked: &Asked) -> Option<Fault> {
    let query: Vec<String> = asked.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let whole = format!("{}?{}", asked.path, query.join("&"));
    let mut found = None;
    for order in orders {
        let place = if order.part.contains('?') { &whole } else { &asked.path };
        if place.contains(&order.part) {
            order.seen += 1;
            found = found.or_else(|| order.which.contains(&order.seen).then(|| order.fault.clone()));
        }
    }
    found
}

fn asked(request: &HttpRequest, body: &web::Bytes) -> Asked {
    let host = request.connection_info().host().to_owned();
    let host = host.rsplit_once(':').map_or(host.as_str(), |(host, _)| host).to_owned();
    let headers = request.headers().iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    Asked {
        method: request.method().to_string(),
        host,
        path: request.path().to_owned(),
        query: pairs(request.query_string().as_bytes()),
        headers: headers.collect(),
        body: body.to_vec(),
    }
}

fn broken(fault: Fault) -> Reply {
    match fault {
        Fault::Answer(reply) => reply,
        Fault::Page(status) => Reply::html(status, "<!doctype html><title>Back soon</title><p>Under maintenance"),
        Fault::Redirect(to) => Reply::redirect(to),
        Fault::RateLimited(Some(seconds)) => {
            Reply::json(429, &serde_json::json!({"message": "slow down"})).with("retry-after", &seconds.to_string())
        }
        Fault::RateLimited(None) => Reply::json(429, &serde_json::json!({"message": "slow down"})),
        Fault::Endless => {
            let body = format!("{{\"x\": \"{}\"}}", "x".repeat(2 << 20));
            Reply { body: body.into_bytes(), ..Reply::json(200, &serde_json::Value::Null) }
        }
        Fault::Html => Reply::html(200, "<!doctype html><title>Sign in</title><p>Who are you?"),
        Fault::Mute | Fault::Slow | Fault::Swallowed | Fault::Half | Fault::Cut | Fault::Beside(..) => {
            unreachable!("it is no answer of its own")
        }
    }
}

/// Seconds since the epoch.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set");
    i64::try_from(since.as_secs()).expect("not that late")
}
