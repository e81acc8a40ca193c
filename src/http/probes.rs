//! What watches the server: is it alive, can it answer, how is it doing.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, web};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use super::cache::Cache;
use super::{Error, State};
use crate::appliance::NoAnswer;
use crate::telemetry::names;

/// How long the database may take to answer before the server counts as not ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers `/healthz`: this process runs its loop.
pub async fn alive() -> HttpResponse {
    plain(StatusCode::OK, "alive\n")
}

/// Answers `/readyz`: the database answers, what it says is what is served, and the server is not stopping.
pub async fn ready(state: web::Data<State>) -> HttpResponse {
    if state.is_stopping() {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    let (word, cause) = match state.appliance.require_answers(PATIENCE).await {
        Ok(()) => match state.appliance.catalog.trouble() {
            None => return well(&state),
            Some(trouble) => ("what is served is older than the database", trouble.to_string()),
        },
        Err(NoAnswer::Refused(error)) => ("the database refused", error.to_string()),
        Err(NoAnswer::Silent) => ("the database does not answer", String::new()),
    };
    // Whoever watches asks every few seconds, and the log is wanted for other things too.
    if state.unready.is_new(word) {
        tracing::error!(error = cause, "The server is not ready: {word}.");
    }
    plain(StatusCode::SERVICE_UNAVAILABLE, format!("{word}\n"))
}

/// What is published is served; that nothing new can be fetched is told without turning clients away.
fn well(state: &State) -> HttpResponse {
    if state.unready.is_over() {
        tracing::info!("The server is ready again.");
    }
    let text = state.appliance.hindrance().map_or_else(|| "ready\n".to_owned(), |why| format!("ready, but {why}\n"));
    plain(StatusCode::OK, text)
}

/// Answers `/metrics` to this machine, and to whoever has the token of the configuration.
pub async fn metrics(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    if !is_local(&request) && !has_token(&request, &state) {
        return match &state.settings.metrics_token {
            Some(_) => unauthorized(),
            None => Error::NotFound("There is nothing at this address.").response(),
        };
    }
    let packages = u32::try_from(state.appliance.catalog.world().packages()).unwrap_or(u32::MAX);
    ::metrics::gauge!(names::CATALOG_PACKAGES).set(f64::from(packages));
    state.connections.report();
    state.dists.report();
    let rendered = web::block({
        let metrics = state.metrics.clone();
        move || metrics.render()
    });
    match rendered.await {
        Ok(text) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8")))
            .insert_header((CACHE_CONTROL, Cache::Never.header()))
            .body(text),
        Err(error) => Error::internal("the metrics could not be rendered", &error).response(),
    }
}

/// Whether the request was made on this machine. A proxy on this machine passes others' requests on from here, and says so.
fn is_local(request: &HttpRequest) -> bool {
    let forwarded = ["x-forwarded-for", "forwarded", "x-real-ip"];
    request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback())
        && !forwarded.iter().any(|name| request.headers().contains_key(*name))
}

fn has_token(request: &HttpRequest, state: &State) -> bool {
    let sent = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    let Some((scheme, token)) = sent.split_at_checked(7) else { return false };
    scheme.eq_ignore_ascii_case(b"bearer ")
        && state.settings.metrics_token.as_ref().is_some_and(|wanted| {
            // Of equal length the comparison takes the same time wherever the first difference is.
            wanted.expose_secret().as_bytes().ct_eq(token.trim_ascii()).into()
        })
}

fn unauthorized() -> HttpResponse {
    let mut response = plain(StatusCode::UNAUTHORIZED, "the metrics token is needed, as Bearer\n");
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(r#"Bearer realm="metrics""#));
    response
}

fn plain(status: StatusCode, text: impl Into<String>) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")))
        .insert_header((CACHE_CONTROL, Cache::Never.header()))
        .body(text.into())
}
