//! What belongs to a person: name, token, accounts on platforms, password, second factor, sessions, and how pages look.

pub(in crate::http) mod accounts;
pub(in crate::http) mod password;
pub(in crate::http) mod second_factor;
pub(in crate::http) mod sessions;
pub(in crate::http) mod token;

use actix_web::cookie::time::Duration as CookieAge;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::http::header::REFERER;
use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::components::{self, Flash, head, nothing};
use super::forms::{Faults, Input, checkbox, radios};
use super::layout::{Chrome, Here, Theme, csrf, page_with};
use super::respond;
use crate::admin::second_factor::Taken;
use crate::admin::{self, logins, users};
use crate::http::State;
use crate::http::form::Form;
use crate::http::local_path::LocalPath;
use crate::http::page_error::PageError;
use crate::http::throttle::{self, SECOND_FACTOR};
use crate::http::visitor::SignedIn;

/// Where all of it is.
const HERE: &str = "/profile";
/// How long a browser keeps the theme.
const THEME_AGE: CookieAge = CookieAge::days(365);

/// What the form of name and address sends.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(in crate::http) struct Typed {
    display_name: String,
    email: Option<String>,
}

/// Answers `GET /profile`.
pub(in crate::http) async fn show(state: web::Data<State>, who: SignedIn) -> Result<HttpResponse, PageError> {
    let typed =
        Typed { display_name: who.user.display_name.clone().unwrap_or_default(), email: who.user.email.clone() };
    render(&state, &who, StatusCode::OK, &typed, &Faults::default()).await
}

/// Answers `POST /profile`.
pub(in crate::http) async fn save(
    state: web::Data<State>,
    who: SignedIn,
    Form(typed): Form<Typed>,
) -> Result<HttpResponse, PageError> {
    let email = typed.email.as_deref().filter(|_| keeps_email(&state).is_none());
    match users::set_profile(&state.appliance, &who.actor(), &who.user, &typed.display_name, email).await {
        Ok(()) => Ok(back("Saved.")),
        Err(admin::Error::Invalid(what)) => {
            let field = if what.to_string().contains("e-mail") { "email" } else { "display_name" };
            render(&state, &who, StatusCode::UNPROCESSABLE_ENTITY, &typed, &Faults::of(field, what)).await
        }
        Err(error) => Err(error.into()),
    }
}

/// The integration for whose sake nobody writes the own address: people are recognised by it.
fn keeps_email(state: &State) -> Option<&str> {
    state.settings.integrations.iter().find(|one| one.link_by_email).map(|one| one.name.as_str())
}

/// To the profile, with what happened.
pub(super) fn back(text: impl Into<String>) -> HttpResponse {
    respond::see_other(HERE, Some(&Flash { good: true, text: text.into() }))
}

/// To the profile, with what did not happen.
pub(super) fn refused(text: impl Into<String>) -> HttpResponse {
    respond::see_other(HERE, Some(&Flash { good: false, text: text.into() }))
}

async fn render(
    state: &State,
    who: &SignedIn,
    status: StatusCode,
    typed: &Typed,
    faults: &Faults,
) -> Result<HttpResponse, PageError> {
    let chrome = who.chrome();
    let under = html! {
        span class="mono" { (who.user.name) }
        @if who.user.admin { ", administrator of this server" }
    };
    let content = html! {
        (head(who.user.shown_name(), &under, &nothing()))
        (faults.summary())
        div class="sections" {
            (token::section(state, who).await?)
            (accounts::section(state, who).await?)
            (second_factor::section(state, who).await?)
            (sessions::section(state, who).await?)
            (name_section(state, who, typed, faults))
            (appearance(&chrome))
        }
    };
    Ok(page_with(status, &chrome, Here::Elsewhere, "Profile", &content))
}

fn name_section(state: &State, who: &SignedIn, typed: &Typed, faults: &Faults) -> Markup {
    let name = Input {
        name: "display_name",
        label: "Name",
        value: &typed.display_name,
        hint: "What others see. Without one they see the account’s name; a platform’s name is taken over at the next sign-in.",
        autocomplete: "name",
        optional: true,
        ..Input::default()
    };
    let email = Input {
        name: "email",
        label: "E-mail",
        kind: "email",
        value: typed.email.as_deref().unwrap_or_default(),
        autocomplete: "email",
        optional: true,
        ..Input::default()
    };
    html! {
        section aria-labelledby="h-n" {
            h2 id="h-n" { "Name and address" }
            form class="form stack" method="post" action=(HERE) {
                (csrf(&who.csrf))
                (name.markup(faults))
                @if let Some(integration) = keeps_email(state) {
                    div class="field" {
                        span class="label" { "E-mail" }
                        span { (who.user.email.as_deref().unwrap_or("none")) }
                        span class="hint" { "Administrators change it, because " (integration) " recognises people by it." }
                    }
                } @else { (email.markup(faults)) }
                div { button class="btn" { "Save" } }
            }
        }
    }
}

fn appearance(chrome: &Chrome) -> Markup {
    let themes = [("auto", "As the system", ""), ("light", "Light", ""), ("dark", "Dark", "")];
    html! {
        section aria-labelledby="h-p" {
            h2 id="h-p" { "Appearance and keys" }
            form class="form stack" method="post" action="/profile/appearance" {
                (csrf(&chrome.csrf))
                (radios("theme", "Theme", &themes, chrome.theme.as_str()))
                (checkbox("keys", "on", "Keyboard shortcuts", "/ search, g p packages, g o overview. Turn them off if they get in the way of speech input or a screen reader.", chrome.shortcuts))
                div { button class="btn" { "Save" } }
            }
        }
    }
}

/// What the form of appearance sends.
#[derive(Deserialize)]
pub(in crate::http) struct Appearance {
    theme: String,
    #[serde(default)]
    keys: String,
}

/// Answers `POST /profile/appearance`.
pub(in crate::http) async fn save_appearance(
    state: web::Data<State>,
    who: SignedIn,
    Form(typed): Form<Appearance>,
) -> Result<HttpResponse, PageError> {
    users::set_shortcuts(&state.appliance, &who.user, !typed.keys.is_empty()).await?;
    let mut response = back("Saved.");
    // A cookie of ours fits into a header.
    let _ = response.add_cookie(&theme_cookie(&state, Theme::parse(&typed.theme)));
    Ok(response)
}

/// What the theme's buttons send.
#[derive(Deserialize)]
pub(in crate::http) struct Chosen {
    theme: String,
}

/// Answers `POST /profile/theme`: the buttons in the frame of every page.
pub(in crate::http) async fn theme(
    request: HttpRequest,
    state: web::Data<State>,
    _who: SignedIn,
    Form(chosen): Form<Chosen>,
) -> HttpResponse {
    let from = request.headers().get(REFERER).and_then(|value| value.to_str().ok());
    let from = from.and_then(|from| url::Url::parse(from).ok());
    let place = from.and_then(|from| LocalPath::parse(&from[url::Position::BeforePath..url::Position::AfterQuery]));
    let mut response = respond::see_other(place.as_ref().map_or(HERE, LocalPath::as_str), None);
    // A cookie of ours fits into a header.
    let _ = response.add_cookie(&theme_cookie(&state, Theme::parse(&chosen.theme)));
    response
}

/// The script changes it too, so scripts may see it.
fn theme_cookie(state: &State, theme: Theme) -> Cookie<'static> {
    Cookie::build("theme", theme.as_str())
        .path("/")
        .max_age(THEME_AGE)
        .same_site(SameSite::Lax)
        .secure(state.settings.public_url.starts_with("https://"))
        .finish()
}

/// What came of a proof that it is the person who sits there: a code of the second factor, or the password.
pub(super) enum Proof {
    /// It is.
    Right,
    /// It does not fit; what to say.
    Wrong(StatusCode, String),
}

/// Looks at a proof, as slowly as at a sign-in.
pub(super) async fn prove(state: &State, who: &SignedIn, proof: &SecretString) -> Result<Proof, PageError> {
    let Ok(_permit) = state.passwords.try_acquire() else {
        let what = "Many people sign in at this moment. Try again in a second.".to_owned();
        return Ok(Proof::Wrong(StatusCode::TOO_MANY_REQUESTS, what));
    };
    let key = throttle::second_factor_key(&who.user.name);
    if let Err(wait) = state.throttle.attempt(&[(key, SECOND_FACTOR)], state.appliance.now()) {
        return Ok(Proof::Wrong(StatusCode::TOO_MANY_REQUESTS, super::sign_in::too_many(wait)));
    }
    let taken = admin::second_factor::take(&state.appliance, &who.user, proof.expose_secret()).await?;
    if taken == Taken::No && !logins::is_password(&state.appliance, &who.user, proof.clone()).await? {
        let what = "That is neither your password nor a code that fits and was not used.".to_owned();
        return Ok(Proof::Wrong(StatusCode::UNPROCESSABLE_ENTITY, what));
    }
    state.throttle.forgive(key, key);
    Ok(Proof::Right)
}

/// A day, as tables of things that last show it: `2026-11-22`.
pub(super) fn day(at: crate::clock::Timestamp) -> String {
    components::absolute(at).chars().take(10).collect()
}
