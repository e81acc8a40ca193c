//! Setting and changing the password.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::html;
use serde::Deserialize;

use super::{Proof, back, prove};
use crate::admin::{self, users};
use crate::http::State;
use crate::http::form::{Form, Secret};
use crate::http::local_path::LocalPath;
use crate::http::page_error::PageError;
use crate::http::pages::components::{head, nothing};
use crate::http::pages::forms::{Faults, Input};
use crate::http::pages::layout::{Here, csrf, page_with};
use crate::http::session::Value;
use crate::http::visitor::SignedIn;

/// A first password is a new way in: whoever sets one signed in not long ago.
const FRESH: Duration = Duration::from_secs(15 * 60);

/// What the form sends.
#[derive(Deserialize)]
pub(in crate::http) struct Typed {
    #[serde(default)]
    proof: Secret,
    password: Secret,
}

/// Answers `GET /profile/password`.
pub(in crate::http) async fn show(state: web::Data<State>, who: SignedIn) -> Result<HttpResponse, PageError> {
    require_fresh(&state, &who)?;
    Ok(render(&who, StatusCode::OK, &Faults::default()))
}

fn require_fresh(state: &State, who: &SignedIn) -> Result<(), PageError> {
    let has_password = who.user.password_set_at.is_some();
    if has_password || state.appliance.now().since(who.session.authenticated_at) < FRESH {
        return Ok(());
    }
    Err(PageError::SignInAgain(LocalPath::parse("/profile/password").unwrap_or_else(LocalPath::home)))
}

fn render(who: &SignedIn, status: StatusCode, faults: &Faults) -> HttpResponse {
    let proof = Input {
        name: "proof",
        label: "Present password",
        kind: "password",
        autocomplete: "current-password",
        required: true,
        ..Input::default()
    };
    let password = Input {
        name: "password",
        label: "New password",
        kind: "password",
        hint: "Three unrelated words are fine.",
        autocomplete: "new-password",
        required: true,
        ..Input::default()
    };
    let heading = if who.user.password_set_at.is_some() { "Change your password" } else { "Set a password" };
    let content = html! {
        (head(heading, &nothing(), &nothing()))
        (faults.summary())
        form class="form stack" method="post" action="/profile/password" {
            (csrf(&who.csrf))
            // Password managers want to know whose it is.
            input type="text" name="username" value=(who.user.name) autocomplete="username" hidden;
            @if who.user.password_set_at.is_some() { (proof.markup(faults)) }
            (password.markup(faults))
            p class="hint" { "All other browsers in which you are signed in are signed out. Your token goes on working." }
            div class="row" { button class="btn primary" { (heading) } a class="btn" href="/profile" { "Leave it" } }
        }
    };
    page_with(status, &who.chrome(), Here::Elsewhere, heading, &content)
}

/// Answers `POST /profile/password`.
pub(in crate::http) async fn save(
    state: web::Data<State>,
    who: SignedIn,
    Form(typed): Form<Typed>,
) -> Result<HttpResponse, PageError> {
    require_fresh(&state, &who)?;
    if who.user.password_set_at.is_some()
        && let Proof::Wrong(status, what) = prove(&state, &who, &typed.proof.0).await?
    {
        return Ok(render(&who, status, &Faults::of("proof", what)));
    }
    let cookie = Value::random();
    let keep = (who.session.id, cookie.digest());
    match users::change_password(&state.appliance, &who.actor(), &who.user, typed.password.0, keep).await {
        Ok(()) => {
            let mut response = back("The password is set; all other browsers are signed out.");
            // A cookie of ours fits into a header.
            let _ = response.add_cookie(&state.cookies.session(&cookie));
            Ok(response)
        }
        Err(admin::Error::Invalid(text)) => {
            Ok(render(&who, StatusCode::UNPROCESSABLE_ENTITY, &Faults::of("password", text)))
        }
        Err(error) => Err(error.into()),
    }
}
