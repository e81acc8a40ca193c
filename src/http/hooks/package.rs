//! Calls to the webhook of one package, from whatever can send a request. The address is enough to have the package read
//! again, unless its owner gave it a secret; what is sent only tells what to wait for, and what to show.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};

use super::super::{Error, State};
use super::{RETRY_AFTER, body, platform};
use crate::admin::hook_calls::{self, Call, Taken, What};
use crate::admin::hooks as use_hooks;
use crate::platform::event::{Headers, Refused};
use crate::platform::generic::sns::{Doubt, Forged, Kind, Message, Urgency};
use crate::platform::generic::{self, Content, Delivery, Shape};
use crate::store::hooks::Address;
use crate::vcs::url::{SourceUrl, UrlPolicy};

/// What is said of a body that nobody understands.
const UNREADABLE: &str = "Its body could not be read, so that the whole repository was looked at.";
/// Longest name of a delivery that is kept.
const LONGEST_GUID: usize = 100;
/// The headers that name a delivery, which are the same when it is sent again.
const NAMES: [&str; 10] = [
    "x-forgejo-delivery",
    "x-gitea-delivery",
    "x-gogs-delivery",
    "x-github-delivery",
    "webhook-id",
    "idempotency-key",
    "x-gitlab-event-uuid",
    "x-amz-sns-message-id",
    "x-request-uuid",
    "x-request-id",
];

/// What the bytes of a call tell by themselves.
struct Heard {
    /// Whether it is signed, where the hook has a secret.
    signed: Result<bool, Refused>,
    /// The message of SNS that it is, if it is one.
    message: Option<Result<Message, Forged>>,
    content: Content,
}

/// Takes a call; a status and a word.
pub(super) async fn deliver(
    request: &HttpRequest,
    payload: web::Payload,
    state: &State,
    hook: Address,
    delivery: Delivery,
) -> Result<(StatusCode, &'static str), Error> {
    if hook.removed_at.is_some() {
        return Ok((StatusCode::OK, "removed"));
    }
    let secret = use_hooks::open_signing(&state.appliance, &hook).map_err(|_| {
        tracing::error!(hook.id = hook.id.0, "The secret of a webhook cannot be opened: give it another one.");
        Error::Busy(RETRY_AFTER, "The webhook cannot be checked at the moment.")
    })?;
    let headers = platform::headers(request);
    let seat = state.rates.seat(hook.id);
    let mut read = body::read_at(payload, &seat).await;
    let content = read.take();
    let (now, was_signed) = (state.appliance.now(), hook.was_signed);
    let (event, kept) = (delivery.event.clone(), headers.clone());
    let hear = move |content: &[u8]| Heard {
        signed: secret.map_or(Ok(false), |secret| generic::verify(&kept, content, &secret, was_signed, now)),
        message: Message::read(content),
        content: Content::read(content, event.as_deref()),
    };
    // What is too large to be read is refreshed unsigned, as the contract has it: it tells nothing.
    let (heard, bytes) = match content {
        None => (Heard { signed: Ok(false), message: None, content: Content::default() }, None),
        Some(bytes) if bytes.len() <= body::SHORT => (hear(&bytes), Some(bytes)),
        Some(bytes) => {
            let heard = web::block(move || (hear(&bytes), bytes)).await;
            let (heard, bytes) = heard.map_err(|_| Error::Busy(RETRY_AFTER, "The webhook could not be read."))?;
            (heard, Some(bytes))
        }
    };
    let mut call = describe(&heard, &headers, delivery, read.size);
    if let Err(_unsigned) = heard.signed {
        call.what = What::Refused("unsigned");
    } else if let Some(message) = &heard.message {
        let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        notarized(state, &mut call, message, text).await;
    }
    if let What::News { repositories, over_rate, crowded, .. } = &mut call.what {
        *repositories = keys(&heard.content, &state.appliance.settings.url_policy);
        *over_rate = !state.rates.admits(hook.id, now);
        *crowded = seat.is_crowded;
    }
    let what = call.what.clone();
    let taken =
        hook_calls::take(&state.appliance, hook, call).await.map_err(|error| platform::unstored(state, &error))?;
    Ok(answer(&what, taken))
}

fn answer(what: &What, taken: Taken) -> (StatusCode, &'static str) {
    match (what, taken) {
        (What::Refused("unsigned"), _) => (StatusCode::UNAUTHORIZED, "signature"),
        (What::Nothing(word) | What::Refused(word), _) => (StatusCode::OK, *word),
        (What::Unsubscription { .. }, _) => (StatusCode::OK, "unsubscribed"),
        // The contract's answer; that nobody understands it is no reason to miss what it is about.
        (What::News { unreadable: true, .. }, _) => (StatusCode::OK, "unreadable"),
        (_, Taken::Queued | Taken::Known) => (StatusCode::ACCEPTED, "queued"),
        (_, Taken::Noted) => (StatusCode::OK, "ignored"),
    }
}

/// The canonical forms of the addresses that a body names. No path of this machine is looked at because a body names it.
fn keys(content: &Content, policy: &UrlPolicy) -> Vec<String> {
    let is_local = |address: &str| address.starts_with('/') || address.to_ascii_lowercase().starts_with("file:");
    let remote = content.addresses.iter().filter(|address| !is_local(address));
    remote.filter_map(|address| SourceUrl::parse(address, policy).ok()).map(|url| url.key()).collect()
}

/// The call as far as its bytes tell.
fn describe(heard: &Heard, headers: &Headers, delivery: Delivery, size: u64) -> Call {
    let content = &heard.content;
    let provider = match (delivery.provider, content.provider) {
        ("generic" | "sns" | "azure", Some(provider)) => provider,
        ("generic", None) if heard.message.is_some() => "sns",
        (provider, _) => provider,
    };
    let event = match provider {
        "generic" | "sns" | "azure" | "codecommit" | "beanstalk" => content.event.clone().or(delivery.event),
        _ => delivery.event,
    };
    let guid = match &heard.message {
        Some(Ok(message)) => Some(message.id.clone()),
        _ => content.id.clone().or_else(|| NAMES.iter().find_map(|name| headers.get(name)).map(str::to_owned)),
    };
    let says_json = headers.get("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("json"));
    let unreadable = content.shape == Shape::Unreadable || content.shape == Shape::Text && says_json;
    let mut told = content.told.clone();
    let what = if delivery.is_ping {
        What::Nothing("ping")
    } else if generic::tells_of_refs(provider, event.as_deref(), content) {
        told.note = unreadable.then(|| UNREADABLE.to_owned());
        let (commits, place) = (content.commits.clone(), content.place.clone());
        What::News { commits, repositories: Vec::new(), place, over_rate: false, crowded: false, unreadable }
    } else {
        What::Nothing("ignored")
    };
    Call {
        provider,
        event,
        size,
        guid: guid.map(|guid| guid.chars().take(LONGEST_GUID).collect()),
        signed: heard.signed == Ok(true),
        told,
        what,
    }
}

/// Decides what is done about a message of SNS: what is not genuine does nothing, and what nobody can check is as good as any
/// other call, but confirms no subscription.
async fn notarized(state: &State, call: &mut Call, message: &Result<Message, Forged>, text: String) {
    let now = state.appliance.now();
    let message = match message {
        Ok(message) => message,
        Err(forged) => return refuse(call, *forged),
    };
    if let Err(late) = message.require_fresh(now) {
        return refuse(call, late);
    }
    let doubt = state.appliance.notary.check(message, Urgency::Call, now).await.err();
    match (doubt, message.kind) {
        (Some(Doubt::Forged(forged)), _) => refuse(call, forged),
        (_, Kind::Subscription) => {
            let confirm_url = message.subscribe_url().map(ToString::to_string).unwrap_or_default();
            call.event = Some("SubscriptionConfirmation".to_owned());
            // Its signature is checked again by the job that confirms it, which has the time to.
            call.what = What::Subscription { arn: message.topic.arn().to_owned(), message: text, confirm_url };
        }
        (Some(Doubt::Unknown(reason)), kind) => {
            call.told.note = Some(reason);
            if kind == Kind::Unsubscription {
                call.what = What::Nothing("ignored");
            }
        }
        (None, Kind::Unsubscription) => {
            call.event = Some("UnsubscribeConfirmation".to_owned());
            call.what = What::Unsubscription { arn: message.topic.arn().to_owned() };
        }
        (None, _) => {}
    }
}

fn refuse(call: &mut Call, forged: Forged) {
    call.told.note = Some(forged.to_string());
    call.what = What::Refused(if forged == Forged::Time { "replayed" } else { "forged" });
}
