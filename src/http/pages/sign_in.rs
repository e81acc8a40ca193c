//! Signing in and out: with a name and a password, with a second factor, or with a platform.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::components::{Flash, nothing};
use super::forms::{Faults, Input};
use super::layout::{csrf, solo, solo_head};
use super::{refusals, respond};
use crate::admin::logins::{self, Attempt};
use crate::admin::second_factor::{self, Taken};
use crate::admin::sessions;
use crate::http::auth::begun;
use crate::http::form::{Form, Secret};
use crate::http::integrations::Integration;
use crate::http::local_path::LocalPath;
use crate::http::page_error::PageError;
use crate::http::session::{Kind, Value};
use crate::http::throttle::{self, ACCOUNT, ADDRESS, SECOND_FACTOR};
use crate::http::visitor::{SignedIn, Visitor};
use crate::http::{State, sealed_cookie};
use crate::store::ids::UserId;
use crate::store::users::{self, User};
use crate::telemetry::RequestId;

/// How long the second factor may take.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// What the sealed cookie is for.
const PURPOSE: &str = "second-factor";

/// What may come with the login page.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::http) struct Asked {
    next: String,
    again: String,
}

/// What the login form sends.
#[derive(Deserialize)]
pub(in crate::http) struct Credentials {
    name: String,
    password: Secret,
    #[serde(default)]
    next: String,
    #[serde(default)]
    again: String,
}

/// Answers `GET /login`.
pub(in crate::http) async fn page(
    state: web::Data<State>,
    visitor: Visitor,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, PageError> {
    let next = LocalPath::parse(&asked.next).unwrap_or_else(LocalPath::home);
    let again = !asked.again.is_empty();
    if visitor.who.is_some() && !again {
        return Ok(respond::see_other(next.as_str(), None));
    }
    let name = visitor.who.as_ref().map(|who| who.user.name.clone()).unwrap_or_default();
    let shown = Shown { name: &name, next: &next, again, faults: &Faults::default() };
    let mut response = respond::html(StatusCode::OK, shown.markup(&state, &visitor), visitor.flash.is_some());
    visitor.keep(state.cookies, &mut response);
    Ok(response)
}

/// Answers `POST /login`.
pub(in crate::http) async fn submit(
    state: web::Data<State>,
    visitor: Visitor,
    Form(typed): Form<Credentials>,
) -> Result<HttpResponse, PageError> {
    let next = LocalPath::parse(&typed.next).unwrap_or_else(LocalPath::home);
    let back = |status: StatusCode, wait: Option<u64>, what: String| {
        let faults = Faults::of("", what);
        let shown = Shown { name: &typed.name, next: &next, again: !typed.again.is_empty(), faults: &faults };
        let mut response = respond::html(status, shown.markup(&state, &visitor), false);
        if let Some(wait) = wait {
            response.headers_mut().insert(RETRY_AFTER, wait.into());
        }
        visitor.keep(state.cookies, &mut response);
        response
    };
    let Ok(_permit) = state.passwords.try_acquire() else {
        let what = "Many people sign in at this moment. Try again in a second.".to_owned();
        return Ok(back(StatusCode::TOO_MANY_REQUESTS, Some(1), what));
    };
    let now = state.appliance.now();
    let (account, address) = (throttle::account_key(&typed.name), throttle::address_key(&visitor.address));
    let at_home = logins::is_at_home(&state.appliance, &typed.name, &visitor.address).await?;
    let both = [(address, ADDRESS), (account, ACCOUNT)];
    if let Err(wait) = state.throttle.attempt(if at_home { &both[..1] } else { &both }, now) {
        return Ok(back(StatusCode::TOO_MANY_REQUESTS, Some(seconds(wait)), too_many(wait)));
    }
    match logins::attempt(&state.appliance, &typed.name, typed.password.0.clone()).await? {
        Attempt::Right(user) => {
            state.throttle.forgive(account, address);
            enter(&state, &visitor, &user, &next, None).await
        }
        Attempt::SecondFactor(user) => {
            state.throttle.forgive(account, address);
            Ok(ask(&state, &user, &next))
        }
        Attempt::Wrong(name) => {
            note(&state, &visitor, name.as_deref(), "password").await?;
            let what = "Name and password do not fit. Nobody is told which of them is wrong.".to_owned();
            Ok(back(StatusCode::UNPROCESSABLE_ENTITY, None, what))
        }
    }
}

async fn note(state: &State, visitor: &Visitor, name: Option<&str>, step: &'static str) -> Result<(), PageError> {
    tracing::info!(client = %visitor.address, step, "Somebody tried to sign in and could not.");
    if state.throttle.may_note(state.appliance.now()) {
        logins::note_failure(&state.appliance, name, &visitor.address, step).await?;
    }
    Ok(())
}

async fn enter(
    state: &State,
    visitor: &Visitor,
    user: &User,
    next: &LocalPath,
    flash: Option<&Flash>,
) -> Result<HttpResponse, PageError> {
    let cookie = Value::random();
    logins::begin(&state.appliance, user, visitor.beginning(&cookie, None)).await?;
    let mut response = respond::see_other(next.as_str(), flash);
    begun(state, &cookie, &mut response);
    Ok(response)
}

/// What goes with a browser whose person's password was right.
#[derive(Serialize, Deserialize)]
struct Halfway {
    user: UserId,
    /// When the password was set, so that another one ends this.
    password: Option<i64>,
    next: String,
}

fn ask(state: &State, user: &User, next: &LocalPath) -> HttpResponse {
    let halfway = Halfway {
        user: user.id,
        password: user.password_set_at.map(|at| at.as_micros()),
        next: next.as_str().to_owned(),
    };
    let value = sealed_cookie::seal(&state.appliance.keys, PURPOSE, &halfway, state.appliance.now(), PATIENCE);
    let mut response = respond::see_other("/login/second-factor", None);
    // A cookie of ours fits into a header.
    let _ = response.add_cookie(&state.cookies.set(Kind::SecondFactor, value, Some(PATIENCE)));
    response
}

/// Whose password was right in this browser, not long ago.
async fn halfway(request: &HttpRequest, state: &State) -> Result<Option<(User, LocalPath)>, PageError> {
    let Some(cookie) = request.cookie(state.cookies.name(Kind::SecondFactor)) else { return Ok(None) };
    let now = state.appliance.now();
    let opened = sealed_cookie::open::<Halfway>(&state.appliance.keys, PURPOSE, cookie.value(), now);
    let Some(halfway) = opened else { return Ok(None) };
    let user = state.appliance.database.read(move |db| users::by_id(db, halfway.user)).await?;
    let user = user.filter(|user| user.enabled && user.password_set_at.map(|at| at.as_micros()) == halfway.password);
    let next = LocalPath::parse(&halfway.next).unwrap_or_else(LocalPath::home);
    Ok(user.map(|user| (user, next)))
}

/// What the form of the second factor sends.
#[derive(Deserialize)]
pub(in crate::http) struct Code {
    code: Secret,
}

/// Answers `GET /login/second-factor`.
pub(in crate::http) async fn second_factor(
    request: HttpRequest,
    state: web::Data<State>,
    visitor: Visitor,
) -> Result<HttpResponse, PageError> {
    if halfway(&request, &state).await?.is_none() {
        return Ok(respond::see_other("/login", None));
    }
    let mut response = respond::html(StatusCode::OK, code_page(&visitor, &Faults::default()), false);
    visitor.keep(state.cookies, &mut response);
    Ok(response)
}

/// Answers `POST /login/second-factor`.
pub(in crate::http) async fn submit_second_factor(
    request: HttpRequest,
    state: web::Data<State>,
    visitor: Visitor,
    Form(typed): Form<Code>,
) -> Result<HttpResponse, PageError> {
    let Some((user, next)) = halfway(&request, &state).await? else {
        let flash = Flash { good: false, text: "That took too long: sign in again.".to_owned() };
        return Ok(respond::see_other("/login", Some(&flash)));
    };
    let (key, address) = (throttle::second_factor_key(&user.name), throttle::address_key(&visitor.address));
    let now = state.appliance.now();
    if let Err(wait) = state.throttle.attempt(&[(key, SECOND_FACTOR), (address, ADDRESS)], now) {
        let page = code_page(&visitor, &Faults::of("code", too_many(wait)));
        let mut response = respond::html(StatusCode::TOO_MANY_REQUESTS, page, false);
        response.headers_mut().insert(RETRY_AFTER, seconds(wait).into());
        return Ok(response);
    }
    let flash = match second_factor::take(&state.appliance, &user, typed.code.0.expose_secret()).await? {
        Taken::Code => None,
        Taken::Recovery(left) => Some(Flash {
            good: left > 2,
            text: format!("That recovery code is used up; {left} are left. New ones are on your profile."),
        }),
        Taken::No => {
            note(&state, &visitor, Some(&user.name), "second factor").await?;
            let what = "That code does not fit, or was used already. The next one comes within 30 seconds; the clock of your phone must be right.";
            let page = code_page(&visitor, &Faults::of("code", what));
            return Ok(respond::html(StatusCode::UNPROCESSABLE_ENTITY, page, false));
        }
    };
    state.throttle.forgive(key, address);
    enter(&state, &visitor, &user, &next, flash.as_ref()).await
}

/// Answers `POST /logout`.
pub(in crate::http) async fn log_out(state: web::Data<State>, who: SignedIn) -> Result<HttpResponse, PageError> {
    sessions::log_out(&state.appliance, &who.actor(), &who.user, who.session.id).await?;
    let flash = Flash { good: true, text: "You are signed out.".to_owned() };
    let mut response = respond::see_other("/login", Some(&flash));
    // A cookie of ours fits into a header.
    let _ = response.add_cookie(&state.cookies.remove(Kind::Session));
    Ok(response)
}

/// What the login page shows.
struct Shown<'a> {
    name: &'a str,
    next: &'a LocalPath,
    again: bool,
    faults: &'a Faults,
}

impl Shown<'_> {
    fn markup(&self, state: &State, visitor: &Visitor) -> Markup {
        let offered: Vec<&Integration> = state.settings.integrations.iter().filter(|one| one.login).collect();
        let heading = if self.again { "Sign in again" } else { "Sign in" };
        let forward = if self.next.as_str() == "/" { String::new() } else { format!("?next={}", self.next.encoded()) };
        let name = Input {
            name: "name",
            label: "User name or e-mail",
            value: self.name,
            autocomplete: "username",
            required: true,
            ..Input::default()
        };
        let password = Input {
            name: "password",
            label: "Password",
            kind: "password",
            autocomplete: "current-password",
            required: true,
            ..Input::default()
        };
        let content = html! {
            (solo_head(heading, &state.host))
            @if let Some(flash) = &visitor.flash { (flash.markup()) }
            @if self.again {
                p class="muted" { "Administration of the server asks for it 12 hours after the last time." }
            }
            (self.faults.summary())
            div class="panel stack" {
                @if !offered.is_empty() {
                    div class="stack-s" {
                        @for (index, one) in offered.iter().enumerate() {
                            a class={ "btn full" @if index == 0 { " primary" } } href={ "/auth/" (one.id) (forward) } {
                                "Continue with " (one.name)
                            }
                        }
                    }
                    div class="or" { "or with a local account" }
                }
                form class="stack" method="post" action="/login" {
                    (csrf(&visitor.csrf))
                    input type="hidden" name="next" value=(self.next.as_str());
                    @if self.again { input type="hidden" name="again" value="1"; }
                    (name.markup(&Faults::default()))
                    (password.markup(&Faults::default()))
                    button class={ "btn full" @if offered.is_empty() { " primary" } } { "Sign in" }
                }
            }
            @if offered.is_empty() { (nothing()) } @else {
                p class="muted small" { "You see the packages that " (either(&offered)) " lets you read. No account there? Ask an administrator of this server." }
            }
        };
        solo(&format!("{heading} · {}", state.host), false, &content)
    }
}

fn either(offered: &[&Integration]) -> String {
    let names: Vec<&str> = offered.iter().map(|one| one.name.as_str()).collect();
    match names.as_slice() {
        [one] => (*one).to_owned(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
        [] => String::new(),
    }
}

fn code_page(visitor: &Visitor, faults: &Faults) -> Markup {
    let code = Input {
        name: "code",
        label: "Code",
        hint: "Six digits from your authenticator app, or one of your recovery codes.",
        autocomplete: "one-time-code",
        required: true,
        mono: true,
        ..Input::default()
    };
    let content = html! {
        (solo_head("Second factor", ""))
        (faults.summary())
        form class="panel stack" method="post" action="/login/second-factor" {
            (csrf(&visitor.csrf))
            (code.markup(faults))
            button class="btn primary full" { "Sign in" }
        }
        p class="muted small" { "Neither at hand? An administrator can take the second factor away: " code { "packagist-selfhosted user reset-second-factor NAME" } "." }
    };
    solo("Second factor", false, &content)
}

/// What the person is told who came back from a platform and was not let in.
pub(in crate::http) fn failed(
    status: StatusCode,
    text: &str,
    integration: &Integration,
    next: &LocalPath,
    visitor: &Visitor,
) -> HttpResponse {
    let id = RequestId::random();
    let content = html! {
        p class="status fail" { "Not signed in" }
        h1 { "Signing in with " (integration.name) " did not work" }
        p { (sentence(text)) }
        div class="row" {
            @if visitor.who.is_some() {
                a class="btn primary" href="/profile" { "Go to your profile" }
            } @else {
                a class="btn primary" href={ "/auth/" (integration.id) "?next=" (next.encoded()) } { "Try again" }
                a class="btn" href="/login" { "Other ways to sign in" }
            }
        }
        (refusals::request(id))
    };
    respond::failure(status, id, &solo("Not signed in", true, &html! { div class="stack" { (content) } }))
}

/// What the person is told who came back by a way that did not begin in this browser, or ended already.
pub(in crate::http) fn lost(integration: &Integration, visitor: &Visitor) -> HttpResponse {
    let text = "What came back does not belong to a sign-in that this browser began within the last ten minutes: it took too long, the page was reloaded, or cookies are blocked. If somebody sent you a link to this page, close it";
    failed(StatusCode::BAD_REQUEST, text, integration, &LocalPath::home(), visitor)
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let begin: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{begin}{}.", letters.as_str().trim_end_matches('.'))
}

fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}

pub(super) fn too_many(wait: Duration) -> String {
    format!("Too many attempts that failed. Try again in {} seconds.", seconds(wait).max(1))
}
