//! The Composer repository protocol, version 2 (`ComposerRepository` of Composer's sources).
//!
//! One entrance for everything below `/repo/`: credentials first, then whether they open the organization, and only
//! then what is asked for; so whoever may not look learns nothing about what is there.

pub mod address;
pub mod search;

mod changes;
mod dists;
mod document;
mod downloads;
mod list;
mod root;

use actix_web::http::Method;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, IF_MODIFIED_SINCE, LAST_MODIFIED, VARY,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::Bytes;
use std::sync::Arc;

use super::cache::Cache;
use super::error::{JSON, VARIES};
use super::guard::{self, Opened};
use super::{Error, State, encoding, routes};
use address::Address;

const GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// Answers what Composer asks a thousand times for each other thing, and what waits for nothing: a document that the
/// token may see. It goes by the same gates as [`repository`], but not by the router and what that allocates on the way;
/// none for everything else, and for everything that is refused.
pub(super) fn at_once(request: &HttpRequest, state: &State) -> Option<HttpResponse> {
    let path = routes::below_repo(request.path()).filter(|path| !path.contains('%'))?;
    let (org, address) = Address::parse(path);
    let Address::Document { name, dev } = address else { return None };
    let world = state.appliance.catalog.world();
    let token = guard::admit(state, &world, request).ok()?;
    let (organization, view) = world.open(org, &token, state.appliance.now())?;
    require_method(request.method(), address).ok()?;
    let document::Found::Stored(document) = document::find(organization, &view, name, dev).ok()? else { return None };
    let date = HeaderValue::from_maybe_shared(document.last_modified.clone()).ok()?;
    if let Some(unchanged) = not_modified(request, &date) {
        return Some(unchanged);
    }
    let gzip = encoding::takes_gzip(request.headers());
    gzip.then(|| compressed(document.body.clone(), Some(date)))
}

/// Answers everything below `/repo/`.
pub async fn repository(request: HttpRequest, payload: web::Payload, state: web::Data<State>) -> HttpResponse {
    match answer(&request, payload, &state).await {
        Ok(response) => response,
        Err(error) => error.response(),
    }
}

async fn answer(request: &HttpRequest, payload: web::Payload, state: &State) -> Result<HttpResponse, Error> {
    let path = address::decoded(routes::below_repo(request.path()).unwrap_or(""));
    let (org, address) = Address::parse(&path);
    let world = state.appliance.catalog.world();
    let token = guard::admit(state, &world, request).map_err(|refusal| {
        ::metrics::counter!(crate::telemetry::names::AUTH_FAILURES, "reason" => refusal.label()).increment(1);
        Error::Unauthorized(refusal, Arc::clone(&state.host))
    })?;
    // An organization that the token does not open and one that does not exist take this one way out.
    let (organization, view) = world.open(org, &token, state.appliance.now()).ok_or_else(|| absent(address))?;
    require_method(request.method(), address)?;
    if let Address::Document { name, dev } = address {
        return match document::find(organization, &view, name, dev)? {
            document::Found::Stored(document) => {
                stored(request, document.body.clone(), Some(document.last_modified.clone())).await
            }
            document::Found::Empty(name) => Ok(document::empty(request, name)),
        };
    }
    let opened = Opened { organization: Arc::clone(organization), view, token };
    drop(world);
    match address {
        Address::Root => root::answer(request, state, &opened).await,
        Address::Dist { name, reference } => dists::answer(request, state, &opened, name, reference).await,
        Address::List => list::answer(request, opened).await,
        Address::Search => search::answer(request, opened).await,
        Address::Changes => changes::answer(request, state, &opened).await,
        Address::Downloads => downloads::answer(payload, state, &opened).await,
        Address::Document { .. } | Address::Unknown => Err(absent(address)),
    }
}

/// What an address answers that has nothing behind it, or nothing that the token may see.
fn absent(address: Address<'_>) -> Error {
    match address {
        Address::Document { .. } => Error::NoDocument,
        Address::Dist { .. } => Error::NoArchive,
        _ => Error::NotFound(
            "There is no repository at this address that the token opens: check the organization in the repository's URL.",
        ),
    }
}

fn require_method(method: &Method, address: Address<'_>) -> Result<(), Error> {
    let route = address.name().route();
    if route.methods.is_empty() || route.has(method.as_str()) { Ok(()) } else { Err(Error::Method(route.methods)) }
}

/// Answers with bytes that were compressed when they were published.
async fn stored(request: &HttpRequest, body: Bytes, last_modified: Option<Bytes>) -> Result<HttpResponse, Error> {
    // A date can only be missing for a moment when nothing can be stored; then nobody may keep the answer.
    let date = last_modified.and_then(|date| HeaderValue::from_maybe_shared(date).ok());
    if let Some(unchanged) = date.as_ref().and_then(|date| not_modified(request, date)) {
        return Ok(unchanged);
    }
    if encoding::takes_gzip(request.headers()) {
        return Ok(compressed(body, date));
    }
    let body = encoding::gunzip(body).await?;
    Ok(dated(date).body(body))
}

fn compressed(body: Bytes, date: Option<HeaderValue>) -> HttpResponse {
    dated(date).insert_header((CONTENT_ENCODING, GZIP)).body(body)
}

fn dated(date: Option<HeaderValue>) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, JSON))
        .insert_header((CACHE_CONTROL, Cache::Revalidate.header()))
        .insert_header((VARY, VARIES));
    if let Some(date) = date {
        response.insert_header((LAST_MODIFIED, date));
    }
    response
}

/// `304`, if the client has exactly this date. A later date is not good enough: files restored from a backup, or a
/// package that was removed and added again, have earlier dates than what clients keep of them.
fn not_modified(request: &HttpRequest, date: &HeaderValue) -> Option<HttpResponse> {
    let known = request.headers().get(IF_MODIFIED_SINCE)?;
    (known.as_bytes() == date.as_bytes()).then(|| {
        HttpResponse::NotModified()
            .insert_header((LAST_MODIFIED, date.clone()))
            .insert_header((CACHE_CONTROL, Cache::Revalidate.header()))
            .insert_header((VARY, VARIES))
            .finish()
    })
}

/// Answers with JSON that is made for this request: off the threads that answer, because some organizations have
/// ten thousand names to go through.
async fn made(
    request: &HttpRequest,
    make: impl FnOnce() -> serde_json::Value + Send + 'static,
) -> Result<HttpResponse, Error> {
    let gzip = encoding::takes_gzip(request.headers());
    let work = move || {
        let body = make().to_string();
        let compressed = if gzip { encoding::gzip(body.as_bytes()) } else { None };
        (body, compressed)
    };
    let (body, compressed) =
        web::block(work).await.map_err(|error| Error::internal("an answer could not be put together", &error))?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, JSON))
        .insert_header((CACHE_CONTROL, Cache::Revalidate.header()))
        .insert_header((VARY, VARIES));
    Ok(match compressed {
        Some(compressed) => response.insert_header((CONTENT_ENCODING, GZIP)).body(compressed),
        None => response.body(body),
    })
}
