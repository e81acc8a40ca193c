//! Webhooks that platforms send to the hooks of synchronizations, and those of GitHub Apps: signed, on the bytes as they came.

use super::super::{Error, State};
use super::{REMOVED, RETRY_AFTER, body, count, said};
use crate::admin::deliveries::{self, Receiver, Taken};
use crate::clock::Timestamp;
use crate::platform::event::{Delivery, Headers, Installation, Refused};
use crate::platform::generic;
use crate::platform::remote::Touch;
use crate::platform::{HookSecret, Hub};
use crate::secrets::{Context, random, sealed};
use crate::store::platform_deliveries::{self, Address};
use crate::sync::request::SyncKey;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

/// Longest name of a delivery that is kept; platforms use 36 characters.
const LONGEST_GUID: usize = 100;

/// What is answered: a status and a word.
pub(super) type Said = Result<(StatusCode, &'static str), Error>;

/// Answers `POST /hooks/app/{integration}`, the one address of a GitHub App for all its installations.
pub async fn app(request: HttpRequest, payload: web::Payload, state: web::Data<State>) -> HttpResponse {
    let provider =
        generic::recognise(|name| request.headers().get(name).and_then(|value| value.to_str().ok())).provider;
    let answer = deliver_to_app(&request, payload, &state).await;
    count(provider, answer.as_ref().map(|(_, word)| *word));
    match answer {
        Ok((status, word)) => said(status, word),
        Err(error) => error.response(),
    }
}

async fn deliver_to_app(request: &HttpRequest, payload: web::Payload, state: &State) -> Said {
    let unknown = || Error::NotFound("There is no webhook at this address: copy it again from the integration's page.");
    let hub = state.appliance.hubs.by_id(request.match_info().query("integration")).ok_or_else(unknown)?.clone();
    let secret = hub.app().and_then(|app| app.webhook_secret.clone()).ok_or_else(unknown)?;
    let mut read = body::read(payload).await;
    let Some(content) = read.take() else {
        // Unsigned, it does not say whose it is: the comparisons of the interval find what it was about.
        return Ok((StatusCode::ACCEPTED, "dropped"));
    };
    let secret = HookSecret { secret, was_signed: true };
    let delivery = match verify(&hub, headers(request), content, &secret).await {
        Ok(delivery) => delivery,
        Err(refused) => return Ok(refusal(refused)),
    };
    if delivery.is_ping {
        return Ok((StatusCode::OK, "ping"));
    }
    let Some(Installation { id, change }) = delivery.installation else {
        return Ok((StatusCode::OK, "ignored"));
    };
    let integration = hub.site().id.clone();
    let named = integration.clone();
    let found = state.appliance.database.read(move |db| platform_deliveries::of_installation(db, &named, id)).await;
    let syncs = found.map_err(|error| unstored(state, &error))?;
    let syncs: Vec<_> =
        syncs.into_iter().filter(|(_, _, paused)| !paused).map(|(org, sync, _)| SyncKey { org, sync }).collect();
    if syncs.is_empty() && change.is_none() {
        return Ok((StatusCode::OK, "ignored"));
    }
    take(state, Receiver { integration, hook: None, repository: None, syncs }, delivery, read.size).await
}

/// The hook of a synchronization that a call came to, if it is one.
pub(super) async fn find(state: &State, digest: [u8; 32], now: Timestamp) -> Result<Option<Address>, Error> {
    let found = state.appliance.database.read(move |db| platform_deliveries::address(db, &digest)).await;
    let found = found.map_err(|error| unstored(state, &error))?;
    Ok(found.filter(|address| address.removed_at.is_none_or(|removed| now.since(removed) <= REMOVED)))
}

/// Takes a call to the hook of a synchronization.
pub(super) async fn deliver(request: &HttpRequest, payload: web::Payload, state: &State, address: Address) -> Said {
    let hub = address.integration.as_deref().and_then(|id| state.appliance.hubs.by_id(id)).cloned();
    let hub = match (hub, address.removed_at) {
        (Some(hub), None) if !address.paused => hub,
        _ => return Ok((StatusCode::OK, if address.paused { "paused" } else { "removed" })),
    };
    let place = Context { table: "platform_hook", column: "secret", row_id: address.id.0 };
    let Ok(secret) = sealed::open(&state.appliance.keys, place, &address.secret) else {
        tracing::error!(
            hook.id = address.id.0,
            "The secret of a webhook cannot be opened: `hook repair` gives it another one."
        );
        return Err(Error::Busy(RETRY_AFTER, "The webhook cannot be checked at the moment."));
    };
    let mut read = body::read(payload).await;
    let headers = headers(request);
    let receiver = Receiver {
        integration: hub.site().id.clone(),
        hook: Some(address.id),
        repository: address.repository.clone(),
        syncs: vec![SyncKey { org: address.org, sync: address.sync }],
    };
    let Some(content) = read.take() else {
        let guid = hub.delivery_name(&headers).map_or_else(random::hex::<16>, ToOwned::to_owned);
        let everything =
            Delivery { guid, event: "dropped".to_owned(), touched: vec![Touch::Everything], ..Delivery::default() };
        return take(state, receiver, everything, read.size).await;
    };
    let secret = HookSecret { secret, was_signed: address.was_signed };
    match verify(&hub, headers, content, &secret).await {
        Ok(delivery) if delivery.is_ping => {
            take(state, receiver, delivery, read.size).await?;
            Ok((StatusCode::OK, "ping"))
        }
        Ok(delivery) => take(state, receiver, delivery, read.size).await,
        Err(refused) => {
            note_unsigned(state, &address, refused).await;
            Ok(refusal(refused))
        }
    }
}

/// Reads a delivery off the threads that answer, if it is long.
pub(super) async fn verify(
    hub: &Hub,
    headers: Headers,
    content: bytes::BytesMut,
    secret: &HookSecret,
) -> Result<Delivery, Refused> {
    if content.len() <= body::SHORT {
        return hub.read_webhook(&headers, &content, secret);
    }
    let (hub, secret) = (hub.clone(), secret.clone());
    web::block(move || hub.read_webhook(&headers, &content, &secret)).await.unwrap_or(Err(Refused::Unreadable))
}

pub(super) const fn refusal(refused: Refused) -> (StatusCode, &'static str) {
    match refused {
        Refused::Signature => (StatusCode::UNAUTHORIZED, "signature"),
        Refused::Unreadable => (StatusCode::OK, "unreadable"),
    }
}

async fn take(state: &State, receiver: Receiver, mut delivery: Delivery, size: u64) -> Said {
    // A header may hold anything, and its characters are not all of one byte.
    delivery.guid = delivery.guid.chars().take(LONGEST_GUID).collect();
    if delivery.guid.is_empty() {
        // What has no name is taken each time that it comes.
        delivery.guid = random::hex::<16>();
    }
    match deliveries::take(&state.appliance, receiver, delivery, size).await {
        Ok(Taken::Queued | Taken::Known) => Ok((StatusCode::ACCEPTED, "queued")),
        Ok(Taken::Ignored) => Ok((StatusCode::OK, "ignored")),
        Err(error) => Err(unstored(state, &error)),
    }
}

/// Somebody who set another secret there, or a restored backup: whoever looks at the hook has to know since when.
async fn note_unsigned(state: &State, address: &Address, refused: Refused) {
    if refused != Refused::Signature || address.unsigned_since.is_some() {
        return;
    }
    let (org, hook, now) = (address.org, address.id, state.appliance.now());
    let noted =
        state.appliance.database.write_hook(move |tx| platform_deliveries::note_call(org, tx, hook, false, now));
    if let Err(error) = noted.await {
        tracing::warn!(%error, "That a webhook is signed wrongly could not be noted.");
    }
}

pub(super) fn unstored(state: &State, error: &crate::store::Error) -> Error {
    if state.appliance.database.trouble().is_none() {
        tracing::error!(%error, "A webhook could not be stored; it is refused, so that it is sent again.");
    }
    Error::Busy(RETRY_AFTER, "The webhook could not be stored.")
}

pub(super) fn headers(request: &HttpRequest) -> Headers {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    Headers::of(request.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))))
}
