//! Pages for people: server-rendered, complete without a script, and with nothing inline that the content policy would
//! have to make room for.

mod landing;
mod layout;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse, web};
use maud::Markup;

use super::cache::Cache;
use super::{Error, State};

/// Everything from here, nothing inline, in nobody's frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// Answers `/`.
pub async fn landing(state: web::Data<State>) -> HttpResponse {
    page(StatusCode::OK, landing::page(&state.settings.public_url, &state.host))
}

/// Answers whatever has no address: a page for browsers, JSON for programs.
pub async fn not_found(request: HttpRequest) -> HttpResponse {
    let accepts = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    if accepts.is_some_and(|accepts| accepts.contains("text/html")) {
        page(StatusCode::NOT_FOUND, landing::not_found())
    } else {
        Error::NotFound("There is nothing at this address.").response()
    }
}

fn page(status: StatusCode, content: Markup) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")))
        .insert_header((CACHE_CONTROL, Cache::Never.header()))
        .insert_header((VARY, HeaderValue::from_static("Accept")))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .insert_header((REFERRER_POLICY, HeaderValue::from_static("no-referrer")))
        .body(content.into_string())
}
