//! What happens around every request: it is timed, counted and, where it is news, logged; never with a secret.

use std::future::{Ready, ready};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::header::{HeaderMap, HeaderValue};
use futures_util::future::{Either, FutureExt, LocalBoxFuture};
use ipnet::IpNet;

use super::error::REQUEST_ID;
use super::{State, composer, routes};
use crate::telemetry::RequestId;

/// An answer that took this long is news whatever its status.
const SLOW: Duration = Duration::from_secs(1);
/// How much of a webhook's address may be seen in the log.
const SHOWN_OF_HOOK: usize = 6;

/// The wrapper around every request.
pub(super) struct Observe(pub(super) State);

impl<S, B> Transform<S, ServiceRequest> for Observe
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = Observed<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Observed { service, state: Rc::new(self.0.clone()) }))
    }
}

/// What the wrapper gives back.
type Observation<B> = Result<ServiceResponse<EitherBody<B>>, actix_web::Error>;

/// [`Observe`] in one thread.
pub(super) struct Observed<S> {
    service: S,
    state: Rc<State>,
}

impl<S, B> Service<ServiceRequest> for Observed<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = Either<Ready<Observation<B>>, LocalBoxFuture<'static, Observation<B>>>;

    actix_web::dev::forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let started = Instant::now();
        let state = Rc::clone(&self.state);
        if let Some(response) = composer::at_once(request.request(), &state) {
            let mut response = request.into_response(response);
            observe(&state, &mut response, started.elapsed(), true);
            return Either::Left(ready(Ok(response.map_into_right_body())));
        }
        let is_busy = routes::is_busy(&request);
        let answered = self.service.call(request).map(move |response| {
            response.map(|mut response| {
                observe(&state, &mut response, started.elapsed(), is_busy);
                response.map_into_left_body()
            })
        });
        Either::Right(answered.boxed_local())
    }
}

fn observe<B>(state: &State, response: &mut ServiceResponse<B>, took: Duration, is_busy: bool) {
    let status = response.status().as_u16();
    state.routes.record(routes::name_of(response.request()), status, took);
    if status < 400 && is_busy && took < SLOW {
        let request = response.request();
        tracing::debug!(
            method = %request.method(),
            path = %request.path(),
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

/// Where a request came from, for the log: what a trusted proxy says, else the other end of the connection.
fn client(request: &HttpRequest, trusted: &[IpNet]) -> String {
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
