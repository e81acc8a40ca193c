//! What happens around every request: it is timed, counted and, where it is news, logged; never with a secret.

use std::future::{Ready, ready};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::http::{ConnectionType, Version};
use bytes::Bytes;
use futures_util::future::{Either, FutureExt, LocalBoxFuture};
use ipnet::IpNet;

use super::connections::{self, InFlight, Link};
use super::error::REQUEST_ID;
use super::{Error, State, composer, routes};
use crate::telemetry::RequestId;

/// An answer that took this long is news whatever its status.
const SLOW: Duration = Duration::from_secs(1);
/// Headers that a request may have: as many as HTTP/1 may.
const MOST_HEADERS: usize = 96;
/// How much of a webhook's address may be seen in the log.
const SHOWN_OF_HOOK: usize = 6;

/// The wrapper around every request.
pub(super) struct Observe(pub(super) State);

impl<S> Transform<S, ServiceRequest> for Observe
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = actix_web::Error> + 'static,
    S::Future: 'static,
{
    type Response = ServiceResponse<Sent>;
    type Error = actix_web::Error;
    type Transform = Observed<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Observed { service, state: Rc::new(self.0.clone()) }))
    }
}

/// What the wrapper gives back.
type Observation = Result<ServiceResponse<Sent>, actix_web::Error>;

/// [`Observe`] in one thread.
pub(super) struct Observed<S> {
    service: S,
    state: Rc<State>,
}

impl<S> Service<ServiceRequest> for Observed<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = actix_web::Error> + 'static,
    S::Future: 'static,
{
    type Response = ServiceResponse<Sent>;
    type Error = actix_web::Error;
    type Future = Either<Ready<Observation>, LocalBoxFuture<'static, Observation>>;

    actix_web::dev::forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let started = Instant::now();
        let state = Rc::clone(&self.state);
        let link = request.conn_data::<Arc<Link>>();
        let in_flight = link.map(Link::begin);
        if let Some(error) = refusal(&request, &state, link.is_some_and(|link| link.is_crowded())) {
            let mut response = request.into_response(error.response());
            response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
            // Not each in the log: there may be thousands a second. They are counted, and summed up from time to time.
            state.routes.record(response.request(), response.status().as_u16(), started.elapsed());
            return Either::Left(ready(Ok(Sent::of(response, in_flight))));
        }
        if let Some(response) = composer::at_once(request.request(), &state) {
            let mut response = request.into_response(response);
            observe(&state, &mut response, started.elapsed(), true);
            return Either::Left(ready(Ok(Sent::of(response, in_flight))));
        }
        let is_busy = routes::is_busy(&request);
        let answered = self.service.call(request).map(move |response| {
            response.map(|mut response| {
                observe(&state, &mut response, started.elapsed(), is_busy);
                Sent::of(response, in_flight)
            })
        });
        Either::Right(answered.boxed_local())
    }
}

/// Why a request is not even looked at.
fn refusal(request: &ServiceRequest, state: &State, is_crowded: bool) -> Option<Error> {
    if is_crowded && !routes::has_reserve(request) {
        state.connections.refused("crowded");
        return Some(Error::Busy(5, "Too many clients are connected to the server."));
    }
    // HTTP/1 has bounds of its own on the way in.
    if request.version() == Version::HTTP_2 {
        let headers = request.headers();
        let length: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if headers.len() > MOST_HEADERS || length > connections::LONGEST_HEADERS {
            connections::count_refusal("headers");
            return Some(Error::HeadersTooLarge);
        }
    }
    None
}

/// An answer's body on its way to the client.
pub(super) struct Sent {
    body: BoxBody,
    in_flight: Option<InFlight>,
}

impl Sent {
    fn of(response: ServiceResponse, in_flight: Option<InFlight>) -> ServiceResponse<Self> {
        response.map_body(|_, body| Self { body, in_flight })
    }
}

impl MessageBody for Sent {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        // It is asked for more when the client has taken most of what was before.
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.sends();
        }
        Pin::new(&mut self.body).poll_next(cx)
    }
}

fn observe(state: &State, response: &mut ServiceResponse, took: Duration, is_busy: bool) {
    if state.is_stopping() {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    let status = response.status().as_u16();
    state.routes.record(response.request(), status, took);
    if status < 400 && is_busy && took < SLOW {
        let request = response.request();
        tracing::debug!(
            method = %request.method(),
            path = %request.path(),
            http.version = ?request.version(),
            status,
            duration_ms = took.as_millis(),
            "A request was answered."
        );
        return;
    }
    let id = (status >= 400).then(|| identify(response.headers_mut()));
    let request = response.request();
    tracing::info!(
        method = %request.method(),
        path = %shown(request.path()),
        http.version = ?request.version(),
        status,
        duration_ms = took.as_millis(),
        client = %client(request, &state.settings.trusted_proxies),
        request.id = id,
        "A request was answered."
    );
}

/// The id that whoever met the error can name; made where no deeper place made one.
fn identify(headers: &mut HeaderMap) -> String {
    if let Some(id) = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()) {
        return id.to_owned();
    }
    let id = RequestId::random().to_string();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    id
}

/// A path as the log may have it: without the secret of a webhook, and not longer than is useful. The query is left
/// out everywhere, because people paste tokens there.
fn shown(path: &str) -> String {
    const LONGEST: usize = 300;
    let mut shown: String = path.chars().take(LONGEST).collect();
    if let Some(hook) = path.strip_prefix("/hooks/") {
        let seen: String = hook.chars().take(SHOWN_OF_HOOK).collect();
        shown = format!("/hooks/{seen}…");
    } else if path.len() > LONGEST {
        shown.push('…');
    }
    shown
}

/// Where a request came from: what a trusted proxy says, else the other end of the connection.
pub(super) fn client(request: &HttpRequest, trusted: &[IpNet]) -> String {
    let Some(peer) = request.peer_addr() else { return "unknown".to_owned() };
    let forwarded = request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = forwarded.flat_map(|value| value.split(',')).map(str::trim).collect();
    origin(peer.ip(), &hops, trusted).to_string()
}

/// Walks back from the nearest hop as long as hops are trusted; what lies beyond, anybody could have written.
fn origin(peer: IpAddr, hops: &[&str], trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address.to_canonical()));
    let mut origin = peer;
    for hop in hops.iter().rev() {
        if !is_trusted(origin) {
            break;
        }
        let with_port = || hop.parse::<SocketAddr>().map(|address| address.ip());
        let Ok(before) = hop.parse().or_else(|_| with_port()) else { break };
        origin = before;
    }
    origin
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{origin, shown};

    #[test]
    fn secrets_stay_out_of_the_log() {
        let hook = "0123456789abcdef".repeat(4);
        assert_eq!(shown(&format!("/hooks/{hook}")), "/hooks/012345…");
        assert_eq!(shown("/hooks/abc"), "/hooks/abc…");
        assert_eq!(shown("/repo/acme/packages.json"), "/repo/acme/packages.json");
        assert!(shown(&format!("/{}", "x".repeat(5000))).len() < 400);
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let peer = "10.0.0.1".parse().unwrap();
        let stranger = "192.0.2.7".parse().unwrap();
        assert_eq!(origin(peer, &["203.0.113.9"], &trusted).to_string(), "203.0.113.9");
        assert_eq!(origin(peer, &["1.2.3.4", "203.0.113.9", "10.1.1.1"], &trusted).to_string(), "203.0.113.9");
        assert_eq!(origin(stranger, &["203.0.113.9"], &trusted), stranger);
        assert_eq!(origin(peer, &["nonsense"], &trusted), peer);
        assert_eq!(origin(peer, &["203.0.113.9:4711"], &trusted).to_string(), "203.0.113.9");
        assert_eq!(origin("::ffff:10.0.0.1".parse().unwrap(), &["203.0.113.9"], &trusted).to_string(), "203.0.113.9");
    }
}
