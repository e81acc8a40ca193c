//! To a platform and back: the two addresses of signing in with one.
//!
//! What has to be remembered on the way goes with the browser, sealed and for ten minutes; so a way that began in one browser
//! ends in no other, and nobody fills our memory by setting out. What a way was good for, it is good for once.

mod credential;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use actix_web::{HttpRequest, HttpResponse, web};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::cache::Cache;
use super::integrations::Integration;
use super::local_path::LocalPath;
use super::page_error::PageError;
use super::pages::components::Flash;
use super::pages::{respond, sign_in};
use super::session::{Kind, Value};
use super::visitor::{SignedIn, Visitor};
use super::{State, sealed_cookie};
pub(in crate::http) use credential::{ForCredential, words};

use crate::access::token::digest_of;
use crate::admin::{self, accounts, logins};
use crate::clock::Timestamp;
use crate::platform::{Departure, Identity, LoginError, Returned, Who};
use crate::secrets::random::to_hex;
use crate::store::ids::{SessionId, UserId};

/// How long a person may take on the platform's pages.
const LASTS: Duration = Duration::from_secs(10 * 60);
/// What the sealed cookie is for.
const PURPOSE: &str = "departure";
/// Ways that one browser may be on at once.
const MOST_WAYS: usize = 4;
/// Ways that have ended and are remembered.
const MOST_ENDED: usize = 100_000;

/// What goes with a browser that is on its way.
#[derive(Serialize, Deserialize)]
struct OnTheWay {
    integration: String,
    state: String,
    keep: String,
    purpose: Purpose,
    next: String,
}

/// What the way is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    /// To sign in.
    SignIn,
    /// To connect the platform's account to that of a person who is signed in.
    Connect(UserId, SessionId),
    /// To let an organization use an account of the platform as a credential.
    Credential(Box<ForCredential>),
}

/// The ways that have ended, until they would have ended anyway. The lock is held for an insertion.
#[derive(Default)]
pub(super) struct Returns {
    ended: Mutex<HashMap<[u8; 32], Timestamp>>,
}

impl Returns {
    /// Ends a way; whether it had not ended before.
    fn end(&self, state: &str, now: Timestamp) -> bool {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.len() >= MOST_ENDED {
            ended.retain(|_, at| now.since(*at) < LASTS);
        }
        if ended.len() >= MOST_ENDED {
            // Better to forget who came back first than to let nobody in: their codes are used up on the platform too.
            ended.clear();
        }
        ended.insert(digest_of(state.as_bytes()), now).is_none()
    }
}

/// What may come with [`depart`].
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    next: String,
}

/// Answers `/auth/{integration}`.
pub(super) async fn depart(
    request: HttpRequest,
    state: web::Data<State>,
    visitor: Visitor,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, PageError> {
    let integration = offered(&request, &state)?;
    let next = LocalPath::parse(&asked.next).unwrap_or_else(LocalPath::home);
    let (url, cookies) = match set_out(&request, &state, integration, Purpose::SignIn, &next).await {
        Ok(way) => way,
        Err(Stopped::Login(error)) => return Ok(failed(&error, integration, &next, &visitor)),
        Err(Stopped::Page(error)) => return Err(error),
    };
    let mut response = HttpResponse::SeeOther();
    response
        .insert_header((LOCATION, url))
        .insert_header((CACHE_CONTROL, Cache::Never.header()))
        .insert_header((REFERRER_POLICY, "no-referrer"));
    cookies.into_iter().for_each(|cookie| {
        response.cookie(cookie);
    });
    Ok(response.finish())
}

/// Why a browser did not set out.
pub(super) enum Stopped {
    /// The platform.
    Login(LoginError),
    /// We.
    Page(PageError),
}

/// Where a browser goes, and the cookies that it takes along.
pub(super) type Way = (String, Vec<actix_web::cookie::Cookie<'static>>);

/// Prepares a browser's way to a platform.
pub(super) async fn set_out(
    request: &HttpRequest,
    state: &State,
    integration: &Integration,
    purpose: Purpose,
    next: &LocalPath,
) -> Result<Way, Stopped> {
    let missing = || Stopped::Page(PageError::NotFound(None));
    let connection = integration.connection.as_ref().ok_or_else(missing)?;
    let callback = integration.callback_url(&state.settings.public_url).ok_or_else(missing)?;
    let departed = match &purpose {
        Purpose::SignIn => connection.depart(&callback, Who::Current).await,
        Purpose::Connect(..) => connection.depart(&callback, Who::Chosen).await,
        Purpose::Credential(wish) => Ok(wish.depart(integration, state)?),
    };
    let Departure { url, state: secret, keep } = departed.map_err(Stopped::Login)?;
    let on_the_way = OnTheWay {
        integration: integration.id.clone(),
        state: secret,
        keep: keep.expose_secret().to_owned(),
        purpose,
        next: next.as_str().to_owned(),
    };
    let sealed = sealed_cookie::seal(&state.appliance.keys, PURPOSE, &on_the_way, state.appliance.now(), LASTS);
    let cookies = state.cookies;
    let mut set = Vec::new();
    let prefix = cookies.departure();
    let before: Vec<_> = request.cookies().map(|all| all.clone()).unwrap_or_default();
    let before: Vec<_> = before.iter().map(|cookie| cookie.name()).filter(|name| name.starts_with(prefix)).collect();
    if before.len() >= MOST_WAYS {
        set.extend(before.into_iter().map(|name| cookies.remove_named(name.to_owned())));
    }
    set.push(cookies.named(cookie_name(prefix, &on_the_way.state), sealed, Some(LASTS)));
    Ok((url.into(), set))
}

/// Each way has a cookie of its own, found by the state that comes back.
fn cookie_name(prefix: &str, state: &str) -> String {
    format!("{prefix}{}", to_hex(&digest_of(state.as_bytes())[..8]))
}

fn offered<'s>(request: &HttpRequest, state: &'s State) -> Result<&'s Integration, PageError> {
    let found = state.integration(request.match_info().query("integration"));
    found.filter(|integration| integration.login && integration.connection.is_some()).ok_or(PageError::NotFound(None))
}

/// Answers `/auth/{integration}/callback`.
pub(super) async fn callback(
    request: HttpRequest,
    state: web::Data<State>,
    visitor: Visitor,
) -> Result<HttpResponse, PageError> {
    let found = state.integration(request.match_info().query("integration"));
    let integration = found.filter(|found| found.connection.is_some()).ok_or(PageError::NotFound(None))?;
    let returned = Returned::parse(request.query_string());
    let back = returned.as_ref().and_then(|returned| recognise(&request, &state, integration, returned));
    let (Some(returned), Some(on_the_way)) = (returned.as_ref(), back) else {
        return Ok(sign_in::lost(integration, &visitor));
    };
    let next = LocalPath::parse(&on_the_way.next).unwrap_or_else(LocalPath::home);
    let used = cookie_name(state.cookies.departure(), &on_the_way.state);
    let mut response = match on_the_way.purpose {
        Purpose::Credential(wish) => {
            let came = (returned, on_the_way.keep);
            wish.arrive((&request, &state, &visitor), integration, came, &next).await?
        }
        purpose => match identify(&state, integration, returned, on_the_way.keep).await {
            Ok(identity) => arrive(&state, integration, &identity, purpose, &next, &visitor).await?,
            Err(Stopped::Login(error)) => {
                if let LoginError::Account { suspended: Some(subject), .. } = &error {
                    accounts::suspend(&state.appliance, &integration.known(), subject, &visitor.address).await?;
                }
                failed(&error, integration, &next, &visitor)
            }
            Err(Stopped::Page(error)) => return Err(error),
        },
    };
    // A name of ours fits into a header.
    let _ = response.add_cookie(&state.cookies.remove_named(used));
    Ok(response)
}

/// The way that a browser comes back from: it began in this browser, with this integration, not long ago, and ends now.
fn recognise(request: &HttpRequest, state: &State, integration: &Integration, returned: &Returned) -> Option<OnTheWay> {
    let now = state.appliance.now();
    let given = returned.state()?;
    let cookie = request.cookie(&cookie_name(state.cookies.departure(), given))?;
    let on_the_way: OnTheWay = sealed_cookie::open(&state.appliance.keys, PURPOSE, cookie.value(), now)?;
    let is_same: bool = on_the_way.state.as_bytes().ct_eq(given.as_bytes()).into();
    let is_ours = is_same && on_the_way.integration == integration.id;
    (is_ours && state.returns.end(given, now)).then_some(on_the_way)
}

async fn identify(
    state: &State,
    integration: &Integration,
    returned: &Returned,
    keep: String,
) -> Result<Identity, Stopped> {
    let missing = || Stopped::Page(PageError::NotFound(None));
    let connection = integration.connection.as_ref().ok_or_else(missing)?;
    let callback = integration.callback_url(&state.settings.public_url).ok_or_else(missing)?;
    connection.identify(&callback, returned, &SecretString::from(keep)).await.map_err(Stopped::Login)
}

async fn arrive(
    state: &State,
    integration: &Integration,
    identity: &Identity,
    purpose: Purpose,
    next: &LocalPath,
    visitor: &Visitor,
) -> Result<HttpResponse, PageError> {
    match purpose {
        Purpose::SignIn => enter(state, integration, identity, next, visitor).await,
        Purpose::Connect(user, session) => {
            let who = visitor.who.as_ref().filter(|who| who.user.id == user && who.session.id == session);
            let who = who.ok_or_else(|| PageError::SignIn(next.clone()))?;
            connect(state, integration, identity, next, who).await
        }
        Purpose::Credential(_) => Err(PageError::NotFound(None)),
    }
}

async fn enter(
    state: &State,
    integration: &Integration,
    identity: &Identity,
    next: &LocalPath,
    visitor: &Visitor,
) -> Result<HttpResponse, PageError> {
    let known = integration.known();
    let signed_in = accounts::log_in(&state.appliance, &known, identity, &visitor.address).await;
    let (user, account) = match signed_in {
        Ok(signed_in) => signed_in,
        Err(admin::Error::Conflict(text)) => {
            return Ok(sign_in::failed(StatusCode::FORBIDDEN, &text.to_string(), integration, next, visitor));
        }
        Err(error) => return Err(error.into()),
    };
    let cookie = Value::random();
    logins::begin(&state.appliance, &user, visitor.beginning(&cookie, Some(account))).await?;
    let mut response = respond::see_other(next.as_str(), None);
    begun(state, &cookie, &mut response);
    Ok(response)
}

/// The cookies of a session that began with this answer.
pub(super) fn begun(state: &State, cookie: &Value, response: &mut HttpResponse) {
    let cookies = state.cookies;
    for cookie in [cookies.session(cookie), cookies.remove(Kind::Visit), cookies.remove(Kind::SecondFactor)] {
        // A cookie of ours fits into a header.
        let _ = response.add_cookie(&cookie);
    }
}

async fn connect(
    state: &State,
    integration: &Integration,
    identity: &Identity,
    next: &LocalPath,
    who: &SignedIn,
) -> Result<HttpResponse, PageError> {
    let known = integration.known();
    let flash = match accounts::connect(&state.appliance, &who.actor(), &who.user, &known, identity).await {
        Ok(()) => {
            Flash { good: true, text: format!("Your account {} of {} is connected.", identity.login, integration.name) }
        }
        Err(admin::Error::Conflict(text)) => Flash { good: false, text: format!("Not connected: {text}.") },
        Err(error) => return Err(error.into()),
    };
    Ok(respond::see_other(next.as_str(), Some(&flash)))
}

/// What the person is told whom the platform did not identify.
pub(super) fn failed(
    error: &LoginError,
    integration: &Integration,
    next: &LocalPath,
    visitor: &Visitor,
) -> HttpResponse {
    if error.is_for_administrator() {
        tracing::error!(integration = %integration.id, error = %error, "Nobody can sign in with an integration.");
    } else {
        tracing::info!(integration = %integration.id, error = %error, "Somebody could not sign in with an integration.");
    }
    let status = match error {
        LoginError::Denied { .. } | LoginError::Account { .. } => StatusCode::FORBIDDEN,
        LoginError::Stale { .. } => StatusCode::BAD_REQUEST,
        LoginError::App { .. } | LoginError::Malformed { .. } => StatusCode::BAD_GATEWAY,
        LoginError::RateLimited { .. } | LoginError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
    };
    sign_in::failed(status, &error.to_string(), integration, next, visitor)
}

#[cfg(test)]
mod tests {
    use super::{LASTS, Returns};
    use crate::clock::Timestamp;

    #[test]
    fn a_way_ends_once() {
        let returns = Returns::default();
        let now = Timestamp::from_seconds(1_800_000_000);
        assert!(returns.end("a", now) && returns.end("b", now));
        assert!(!returns.end("a", now) && !returns.end("a", now + LASTS));
    }
}
