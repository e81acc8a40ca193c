//! Pages for people: server-rendered, complete without a script, and with nothing inline that the content policy would
//! have to make room for.
//!
//! [`layout`] has the frames, [`components`] and [`forms`] the parts, [`respond`] the headers; each other module is a
//! group of pages.

pub mod access;
pub mod admin;
pub mod audit;
pub mod chart;
pub mod components;
pub mod credentials;
pub mod forms;
pub mod layout;
pub mod members;
pub mod overview;
pub mod package;
pub mod packages;
pub mod respond;
pub mod settings;
pub mod snippets;
pub mod syncs;
pub mod teams;
pub mod tokens;

pub(super) mod integrations;
pub(super) mod profile;
pub(super) mod refusals;
pub(super) mod setup;
pub(super) mod sign_in;

mod home;
mod landing;
mod stretch;

use actix_web::http::StatusCode;
use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse, web};

use super::visitor::Visitor;
use super::{Error, State};
use crate::telemetry::RequestId;

/// Answers `/`: for people who are signed in, their organizations.
pub async fn landing(state: web::Data<State>, visitor: Visitor) -> HttpResponse {
    match &visitor.who {
        Some(who) => home::page(&state, who),
        None => respond::html(StatusCode::OK, landing::page(&state.settings.public_url, &state.host), false),
    }
}

/// Answers whatever has no address: a page for browsers, JSON for programs.
pub async fn not_found(request: HttpRequest) -> HttpResponse {
    if wants_page(&request) {
        let id = RequestId::random();
        respond::failure(StatusCode::NOT_FOUND, id, &landing::not_found(id))
    } else {
        Error::NotFound("There is nothing at this address.").response()
    }
}

/// Whether a browser asks.
pub fn wants_page(request: &HttpRequest) -> bool {
    let accepts = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    accepts.is_some_and(|accepts| accepts.contains("text/html"))
}
