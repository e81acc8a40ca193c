//! Turning the second factor on and off, and its recovery codes.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, PreEscaped, html};
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{Proof, back, day, prove, refused};
use crate::admin::{self, second_factor, sessions};
use crate::http::State;
use crate::http::form::{Form, Secret};
use crate::http::page_error::PageError;
use crate::http::pages::components::{Tone, callout, head, nothing, snippet, snippet_line, status};
use crate::http::pages::forms::{Faults, Input};
use crate::http::pages::layout::{Here, csrf, page, page_with};
use crate::http::session::Value;
use crate::http::visitor::SignedIn;

/// Where it is turned on and off.
const HERE: &str = "/profile/second-factor";

/// The section of the profile.
pub(super) async fn section(state: &State, who: &SignedIn) -> Result<Markup, PageError> {
    let Some(since) = who.user.second_factor_at else {
        return Ok(html! {
            section aria-labelledby="h-2" {
                h2 id="h-2" { "Second factor" }
                @if who.user.password_set_at.is_none() {
                    p { "You have no password that it could stand beside: your platform asks for its own." }
                } @else {
                    @let offer = html! {
                        p { "With an authenticator app, a stolen password alone opens nothing. Takes a minute; you get " (second_factor::CODES) " recovery codes." }
                        form method="post" action=(HERE) { (csrf(&who.csrf)) button class="btn" { "Turn it on" } }
                    };
                    @if who.user.admin { (callout(Tone::Warn, "Off, although you are an administrator", &offer)) }
                    @else { (offer) }
                }
            }
        });
    };
    let left = second_factor::codes_left(&state.appliance, who.user.id).await?;
    Ok(html! {
        section aria-labelledby="h-2" {
            div class="head" { h2 id="h-2" { "Second factor" } a class="btn small" href=(HERE) { "Manage" span class="sr" { " the second factor" } } }
            p { (status(Tone::Ok, "On")) " since " (day(since)) ". " (left) " of " (second_factor::CODES) " recovery codes are left." }
            @if left < 3 { p { (status(Tone::Warn, "Few recovery codes")) " Without one, a lost phone needs an administrator." } }
        }
    })
}

/// Answers `POST /profile/second-factor`: makes a secret that waits for its first code.
pub(in crate::http) async fn propose(state: web::Data<State>, who: SignedIn) -> Result<HttpResponse, PageError> {
    match second_factor::propose(&state.appliance, &who.user).await {
        Ok(()) => Ok(crate::http::pages::respond::see_other(HERE, None)),
        Err(admin::Error::Conflict(text)) => Ok(refused(format!("Not done: {text}."))),
        Err(error) => Err(error.into()),
    }
}

/// Answers `GET /profile/second-factor`.
pub(in crate::http) async fn show(state: web::Data<State>, who: SignedIn) -> Result<HttpResponse, PageError> {
    if who.user.second_factor_at.is_some() {
        return Ok(manage(&who, StatusCode::OK, &Faults::default()));
    }
    enrol(&state, &who, StatusCode::OK, &Faults::default()).await
}

async fn enrol(state: &State, who: &SignedIn, status: StatusCode, faults: &Faults) -> Result<HttpResponse, PageError> {
    let Some(proposal) = second_factor::proposal(&state.appliance, &who.user, &state.host).await? else {
        return Ok(crate::http::pages::respond::see_other("/profile", None));
    };
    let secret = proposal.secret.expose_secret();
    let code = Input {
        name: "code",
        label: "Code",
        hint: "The six digits that the app shows now.",
        autocomplete: "one-time-code",
        required: true,
        mono: true,
        ..Input::default()
    };
    let content = html! {
        (head("Turn on the second factor", &nothing(), &nothing()))
        (faults.summary())
        ol class="steps" {
            li {
                h2 { "Scan this with an authenticator app" }
                (picture(proposal.address.expose_secret()))
                p { "No camera? Enter this key, for a code that changes with the time:" }
                (snippet_line("secret", "Key", &grouped(secret)))
            }
            li {
                h2 { "Enter its first code" }
                form class="form stack" method="post" action={ (HERE) "/confirm" } {
                    (csrf(&who.csrf))
                    (code.markup(faults))
                    div class="row" { button class="btn primary" { "Turn it on" } a class="btn" href="/profile" { "Leave it off" } }
                }
            }
        }
    };
    Ok(page_with(status, &who.chrome(), Here::Elsewhere, "Second factor", &content))
}

fn grouped(secret: &str) -> String {
    let letters: Vec<char> = secret.chars().collect();
    letters.chunks(4).map(|group| group.iter().collect()).collect::<Vec<String>>().join(" ")
}

/// The address as a picture that apps read; black on white in every theme, because not all of them read it otherwise.
fn picture(address: &str) -> Markup {
    let Ok(code) = QrCode::with_error_correction_level(address, EcLevel::M) else {
        return html! { p class="muted" { "The picture does not hold so long a name: enter the key." } };
    };
    let drawn = code.render::<svg::Color<'_>>().min_dimensions(200, 200).build();
    // The library writes a file; inside of a page only its element counts. It holds numbers and our two colours only.
    let element = drawn.find("<svg").map_or("", |start| &drawn[start..]);
    html! { p role="img" aria-label="The key as a QR code" { (PreEscaped(element)) } }
}

/// What the form of the first code sends.
#[derive(Deserialize)]
pub(in crate::http) struct Code {
    code: Secret,
}

/// Answers `POST /profile/second-factor/confirm`.
pub(in crate::http) async fn confirm(
    state: web::Data<State>,
    who: SignedIn,
    Form(typed): Form<Code>,
) -> Result<HttpResponse, PageError> {
    let code = typed.code.0.expose_secret();
    match second_factor::confirm(&state.appliance, &who.actor(), &who.user, code).await {
        Ok(codes) => {
            let (who, cookie) = renewed(&state, who).await?;
            let mut response = shown_once(&who, "The second factor is on", &codes);
            // A cookie of ours fits into a header.
            let _ = response.add_cookie(&state.cookies.session(&cookie));
            Ok(response)
        }
        Err(admin::Error::Invalid(text)) => {
            enrol(&state, &who, StatusCode::UNPROCESSABLE_ENTITY, &Faults::of("code", text)).await
        }
        Err(admin::Error::Conflict(text)) => Ok(refused(format!("Not done: {text}."))),
        Err(error) => Err(error.into()),
    }
}

/// A new cookie for the session, because what opens the account has changed.
async fn renewed(state: &State, mut who: SignedIn) -> Result<(SignedIn, Value), PageError> {
    let cookie = Value::random();
    sessions::renew(&state.appliance, who.session.id, cookie.digest()).await?;
    who.csrf = crate::http::csrf::token(&cookie);
    Ok((who, cookie))
}

fn shown_once(who: &SignedIn, heading: &str, codes: &[String]) -> HttpResponse {
    let content = html! {
        (head(heading, &nothing(), &nothing()))
        div class="stack" {
            div class="callout warn" { h2 { "Your recovery codes are shown this once" } p { "Each opens the account one time, in place of a code of the app. Keep them where the phone is not." } }
            (snippet("codes", "Recovery codes", &codes.join("\n")))
            div class="row" { a class="btn primary" href="/profile" { "Done" } }
        }
    };
    page(&who.chrome(), Here::Elsewhere, heading, &content)
}

/// What the forms of a proof send.
#[derive(Deserialize)]
pub(in crate::http) struct Proving {
    proof: Secret,
}

fn manage(who: &SignedIn, status: StatusCode, faults: &Faults) -> HttpResponse {
    let proof = Input {
        name: "proof",
        label: "Your password, or a code",
        kind: "password",
        hint: "Of the app, or one of the recovery codes.",
        autocomplete: "current-password",
        required: true,
        ..Input::default()
    };
    let content = html! {
        (head("Second factor", &nothing(), &nothing()))
        (faults.summary())
        form class="form stack" method="post" action={ (HERE) "/codes" } {
            (csrf(&who.csrf))
            p { "New recovery codes take the place of all earlier ones. Without the second factor, the password alone opens the account." }
            (proof.markup(faults))
            div class="row" {
                button class="btn" { "Make new recovery codes" }
                button class="btn danger" formaction={ (HERE) "/disable" } { "Turn the second factor off" }
                a class="btn" href="/profile" { "Keep all as it is" }
            }
        }
    };
    page_with(status, &who.chrome(), Here::Elsewhere, "Second factor", &content)
}

/// Answers `POST /profile/second-factor/codes`.
pub(in crate::http) async fn new_codes(
    state: web::Data<State>,
    who: SignedIn,
    Form(typed): Form<Proving>,
) -> Result<HttpResponse, PageError> {
    if let Proof::Wrong(status, what) = prove(&state, &who, &typed.proof.0).await? {
        return Ok(manage(&who, status, &Faults::of("proof", what)));
    }
    match second_factor::new_codes(&state.appliance, &who.actor(), &who.user).await {
        Ok(codes) => Ok(shown_once(&who, "New recovery codes", &codes)),
        Err(admin::Error::Conflict(text)) => Ok(refused(format!("Not done: {text}."))),
        Err(error) => Err(error.into()),
    }
}

/// Answers `POST /profile/second-factor/disable`.
pub(in crate::http) async fn disable(
    state: web::Data<State>,
    who: SignedIn,
    Form(typed): Form<Proving>,
) -> Result<HttpResponse, PageError> {
    if let Proof::Wrong(status, what) = prove(&state, &who, &typed.proof.0).await? {
        return Ok(manage(&who, status, &Faults::of("proof", what)));
    }
    match second_factor::disable(&state.appliance, &who.actor(), &who.user).await {
        Ok(()) => {
            let (_, cookie) = renewed(&state, who).await?;
            let mut response = back("The second factor is off: the password alone opens the account.");
            // A cookie of ours fits into a header.
            let _ = response.add_cookie(&state.cookies.session(&cookie));
            Ok(response)
        }
        Err(admin::Error::Conflict(text)) => Ok(refused(format!("Not done: {text}."))),
        Err(error) => Err(error.into()),
    }
}
