//! Webhooks: whoever knows the address may cause its package to be read again, and nothing else.
//!
//! A body never chooses anything; it only says which commits to wait for, and which package of ours is meant. So nothing in
//! it can make a call fail: after `202` the work is stored and happens, whatever crashes.

mod body;
mod package;
mod platform;
pub(super) mod rate;
mod system;

pub use platform::app;

use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::cache::Cache;
use super::error::JSON;
use super::{Error, State};
use crate::access::token;
use crate::clock::Timestamp;
use crate::platform::generic::{self, Delivery};
use crate::store::hooks::Address;
use crate::telemetry::names;

/// How long a replaced address still works.
const RETIRED: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the address of a removed package is still answered kindly.
const REMOVED: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// Characters of an address: 32 bytes in hexadecimal.
const LENGTH: usize = 64;
/// Seconds after which a platform may try again.
const RETRY_AFTER: u64 = 10;

/// Answers `POST /hooks/{hook}`.
pub async fn receive(request: HttpRequest, payload: web::Payload, state: web::Data<State>) -> HttpResponse {
    if request.method() == Method::OPTIONS {
        return HttpResponse::NoContent().insert_header((ALLOW, "POST, PUT, OPTIONS")).finish();
    }
    let delivery = generic::recognise(|name| request.headers().get(name).and_then(|value| value.to_str().ok()));
    let answer = deliver(&request, payload, &state, &delivery).await;
    count(delivery.provider, answer.as_ref().map(|(_, word)| *word));
    match answer {
        Ok((status, word)) => said(status, word),
        Err(error) => error.response(),
    }
}

async fn deliver(
    request: &HttpRequest,
    payload: web::Payload,
    state: &State,
    delivery: &Delivery,
) -> Result<(StatusCode, &'static str), Error> {
    let now = state.appliance.now();
    let text = request.match_info().query("hook");
    let Some(hook) = find(state, text, now) else {
        let unknown = || Error::NotFound("There is no webhook at this address: copy it again from the package's page.");
        let digest = is_address(text).then(|| token::digest_of(text.as_bytes())).ok_or_else(unknown)?;
        if let Some(address) = platform::find(state, digest, now).await? {
            return platform::deliver(request, payload, state, address).await;
        }
        let hook = system::find(state, digest, now).await?.ok_or_else(unknown)?;
        return system::deliver(request, payload, state, hook).await;
    };
    package::deliver(request, payload, state, hook, delivery.clone()).await
}

/// The address, if it is or was one of ours and still answers. All that are not take the same way out.
fn find(state: &State, text: &str, now: Timestamp) -> Option<Address> {
    let digest = token::digest_of(text.as_bytes());
    let world = state.appliance.catalog.world();
    let address = world.hook(&digest).filter(|_| is_address(text))?;
    let still = |since: Option<Timestamp>, grace| since.is_none_or(|since| now.since(since) <= grace);
    (still(address.retired_at, RETIRED) && still(address.removed_at, REMOVED)).then(|| address.clone())
}

/// Whether a text can be an address of ours.
fn is_address(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Counts a call by who made it and what came of it.
fn count(provider: &'static str, answer: Result<&'static str, &Error>) {
    let outcome = match answer {
        Ok(word) => word,
        Err(Error::Busy(..)) => "refused",
        Err(_) => "unknown",
    };
    ::metrics::counter!(names::WEBHOOKS, "platform" => provider, "outcome" => outcome).increment(1);
}

fn said(status: StatusCode, word: &str) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    if status == StatusCode::UNAUTHORIZED {
        // Amazon SNS shows the password that its subscription has only when it is asked for one.
        response.insert_header((WWW_AUTHENTICATE, "Basic realm=\"webhook\""));
    }
    response
        .insert_header((CONTENT_TYPE, JSON))
        .insert_header((CACHE_CONTROL, Cache::Never.header()))
        .body(json!({ "status": word }).to_string())
}
