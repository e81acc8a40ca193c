//! Webhooks that tell of a whole platform: verified as those of single organizations are, and taken for whom they concern.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};

use super::super::{Error, State};
use super::platform::{Said, headers, refusal, unstored, verify};
use super::{REMOVED, RETRY_AFTER, body};
use crate::admin::deliveries::Taken;
use crate::admin::system_hooks;
use crate::clock::Timestamp;
use crate::platform::event::{Delivery, Refused};
use crate::platform::remote::Touch;
use crate::secrets::random;
use crate::store::system_hooks::{self as hooks, SystemHook};

/// The hook of a whole platform that a call came to, if it is one.
pub(super) async fn find(state: &State, digest: [u8; 32], now: Timestamp) -> Result<Option<SystemHook>, Error> {
    let found = state.appliance.database.read(move |db| hooks::by_digest(db, &digest)).await;
    let found = found.map_err(|error| unstored(state, &error))?;
    Ok(found.filter(|hook| hook.removed_at.is_none_or(|removed| now.since(removed) <= REMOVED)))
}

/// Takes a call to it.
pub(super) async fn deliver(request: &HttpRequest, payload: web::Payload, state: &State, hook: SystemHook) -> Said {
    let hub = match state.appliance.hubs.by_id(&hook.integration) {
        Some(hub) if hook.removed_at.is_none() => hub.clone(),
        _ => return Ok((StatusCode::OK, "removed")),
    };
    let Ok(secret) = system_hooks::secret(&state.appliance, &hook) else {
        tracing::error!(
            platform = hook.integration,
            "The secret of a platform's system hook cannot be opened: make another one on the integration's page."
        );
        return Err(Error::Busy(RETRY_AFTER, "The webhook cannot be checked at the moment."));
    };
    let mut read = body::read(payload).await;
    let headers = headers(request);
    let Some(content) = read.take() else {
        let guid = hub.delivery_name(&headers).map_or_else(random::hex::<16>, ToOwned::to_owned);
        let touched = vec![Touch::Everything];
        let everything = Delivery { guid, event: "dropped".to_owned(), touched, ..Delivery::default() };
        return take(state, &hook, everything, read.size).await;
    };
    match verify(&hub, headers, content, &secret).await {
        Ok(delivery) => take(state, &hook, delivery, read.size).await,
        Err(refused) => {
            note_unsigned(state, &hook, refused).await;
            Ok(refusal(refused))
        }
    }
}

async fn take(state: &State, hook: &SystemHook, mut delivery: Delivery, size: u64) -> Said {
    if delivery.guid.is_empty() {
        // What has no name is taken each time that it comes.
        delivery.guid = random::hex::<16>();
    }
    match system_hooks::take(&state.appliance, hook, delivery, size).await {
        Ok(Taken::Queued | Taken::Known) => Ok((StatusCode::ACCEPTED, "queued")),
        Ok(Taken::Ignored) => Ok((StatusCode::OK, "ignored")),
        Err(error) => Err(unstored(state, &error)),
    }
}

/// Somebody entered another secret there: the page says since when.
async fn note_unsigned(state: &State, hook: &SystemHook, refused: Refused) {
    if refused != Refused::Signature || hook.unsigned_since.is_some() {
        return;
    }
    let (id, now) = (hook.id, state.appliance.now());
    if let Err(error) = state.appliance.database.write_hook(move |tx| hooks::note_unsigned(tx, id, now)).await {
        tracing::warn!(%error, "That a webhook is signed wrongly could not be noted.");
    }
}
