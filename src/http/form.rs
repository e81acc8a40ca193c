//! Forms that pages send: bounded, of one encoding, and from our own pages.
//!
//! Whoever proves who somebody is ([`super::visitor`]) checks this for every request that changes something, also where
//! nobody asks for [`Form`], so that no page can forget it. The body is read once and shared between both.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures_util::future::{FutureExt, LocalBoxFuture, Shared};
use futures_util::stream::StreamExt;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::page_error::{FormFault, PageError};
use super::session::Kind;
use super::upload::{self, Parts};
use super::{State, csrf};

/// Longest form, in bytes: a pasted key or two have room.
const LONGEST: usize = 256 * 1024;

/// The fields of a form that came from a page of ours.
///
/// Checkboxes that are off are absent, so fields of `T` have defaults; `Vec<(String, String)>` takes fields that occur more
/// than once.
pub struct Form<T>(pub T);

/// A field that holds a secret: it is never printed, and wiped when it is dropped.
#[derive(Clone, Debug, Default)]
pub struct Secret(pub SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let posted = posted(request, payload);
        Box::pin(async move {
            let posted = match posted {
                Some(posted) => posted.await?,
                None => return Err(PageError::Form(FormFault::Unreadable)),
            };
            let Posted::Fields(body) = &*posted else { return Err(PageError::Form(FormFault::Unreadable)) };
            // The one reader of this encoding that is in the house anyway.
            let read = web::Query::<T>::from_query(body);
            read.map(|query| Self(query.into_inner())).map_err(|error| {
                tracing::debug!(error = %error, "A form did not have the fields that it should.");
                PageError::Form(FormFault::Fields)
            })
        })
    }
}

/// A form that was found to come from a page of ours.
pub(super) enum Posted {
    /// All of it.
    Fields(String),
    /// One with files, of which no more than the token was read.
    Parts(Rc<RefCell<Option<Parts>>>),
}

impl Posted {
    /// A form with files.
    pub(super) fn parts(&self) -> Option<Rc<RefCell<Option<Parts>>>> {
        match self {
            Self::Parts(parts) => Some(Rc::clone(parts)),
            Self::Fields(_) => None,
        }
    }
}

/// The body on its way, for whoever asks for it.
pub(super) type Reading = Shared<Pin<Box<dyn Future<Output = Result<Rc<Posted>, PageError>>>>>;

/// The form of a request that changes something, checked; none for requests that change nothing.
pub(super) fn posted(request: &HttpRequest, payload: &mut Payload) -> Option<Reading> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    if let Some(reading) = request.extensions().get::<Reading>() {
        return Some(reading.clone());
    }
    let (asked, payload) = (request.clone(), payload.take());
    let reading: Pin<Box<dyn Future<Output = _>>> = Box::pin(async move { read(&asked, payload).await });
    let reading = reading.shared();
    request.extensions_mut().insert(reading.clone());
    Some(reading)
}

async fn read(request: &HttpRequest, mut payload: Payload) -> Result<Rc<Posted>, PageError> {
    let state = request.app_data::<web::Data<State>>().ok_or_else(|| PageError::internal("there is no state", &""))?;
    if let Some(origin) = csrf::foreign(request.headers(), &state.settings.public_url) {
        let public_url = state.settings.public_url.clone();
        return Err(PageError::Form(FormFault::Foreign { origin, public_url }));
    }
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind_is = |wanted: &str| kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(wanted));
    if kind_is(upload::KIND) {
        let (parts, token) = Parts::begin(kind, payload, state.appliance.settings.max_upload).await?;
        check(request, state, &token)?;
        return Ok(Rc::new(Posted::Parts(Rc::new(RefCell::new(Some(parts))))));
    }
    if !kind_is("application/x-www-form-urlencoded") {
        return Err(PageError::Form(FormFault::Unreadable));
    }
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| PageError::Form(FormFault::Unreadable))?;
        if body.len() + chunk.len() > LONGEST {
            return Err(PageError::Form(FormFault::TooLarge));
        }
        body.extend_from_slice(&chunk);
    }
    let body = String::from_utf8(body).map_err(|_| PageError::Form(FormFault::Unreadable))?;
    let given = url::form_urlencoded::parse(body.as_bytes()).find(|(name, _)| name == csrf::FIELD);
    check(request, state, &given.map(|(_, value)| value.into_owned()).unwrap_or_default())?;
    Ok(Rc::new(Posted::Fields(body)))
}

/// Refuses a form without the token of the browser that sends it. A page that somebody who is signed in sees has the session's,
/// and no other will do.
fn check(request: &HttpRequest, state: &State, given: &str) -> Result<(), PageError> {
    let cookies = state.cookies;
    let cookie = cookies.value(request, Kind::Session).or_else(|| cookies.value(request, Kind::Visit));
    match cookie {
        Some(cookie) if csrf::is_token(&cookie, given) => Ok(()),
        Some(_) => Err(PageError::Form(FormFault::Token)),
        None => Err(PageError::Form(FormFault::Cookies { public_url: state.settings.public_url.clone() })),
    }
}
