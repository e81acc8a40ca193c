//! The tokens by which Composer acts for a person.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::{back, refused};
use crate::access::token::TokenText;
use crate::admin;
use crate::admin::tokens::{self, Options};
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::pages::components::{Tone, ago, head, nothing, snippet, snippet_line, status};
use crate::http::pages::layout::{Here, csrf, page};
use crate::http::visitor::SignedIn;
use crate::store::ids::TokenId;

/// The section of the profile.
pub(super) async fn section(state: &State, who: &SignedIn) -> Result<Markup, PageError> {
    let all = tokens::list_of_user(&state.appliance, &who.user.name).await?;
    let now = state.appliance.now();
    Ok(html! {
        section aria-labelledby="token" {
            div class="head" {
                h2 id="token" tabindex="-1" { "Your token" }
                form method="post" action="/profile/token" {
                    (csrf(&who.csrf))
                    @if let [summary] = all.as_slice() {
                        input type="hidden" name="instead_of" value=(summary.token.id);
                        button class="btn small" { "Replace it" }
                    } @else { button class={ "btn small" @if all.is_empty() { " primary" } } { "Make a token" } }
                }
            }
            @if all.is_empty() {
                p { "You have none. With one, Composer installs what you may see, on this and every machine where you store it." }
            }
            @for summary in &all {
                @let token = &summary.token;
                p {
                    @match token.expires_at.filter(|at| *at <= now) {
                        Some(_) => { (status(Tone::Fail, "Expired")) }
                        None => { (status(Tone::Ok, if token.last_used_at.is_some() { "In use" } else { "Works" })) }
                    }
                    " ends in " span class="mono" { "…" (token.last4) }
                    @if let Some(description) = &token.description { ", “" (description) "”" }
                    @match token.last_used_at {
                        Some(at) => { ", last used " (ago(at, now)) "." }
                        None => { ", never used." }
                    }
                    @if let Some(at) = token.expires_at.filter(|at| *at > now) { " It expires " (ago(at, now)) "." }
                }
                form method="post" action={ "/profile/token/" (token.id) "/revoke" } {
                    (csrf(&who.csrf))
                    button class="btn small danger" { "Revoke it" span class="sr" { ", the one that ends in " (token.last4) } }
                }
            }
            @if !all.is_empty() { p class="muted small" { "Replacing or revoking it stops it at once, on every machine." } }
        }
    })
}

/// What the form sends.
#[derive(Deserialize)]
pub(in crate::http) struct Typed {
    #[serde(default)]
    instead_of: Option<i64>,
}

/// Answers `POST /profile/token`.
pub(in crate::http) async fn make(
    state: web::Data<State>,
    who: SignedIn,
    Form(typed): Form<Typed>,
) -> Result<HttpResponse, PageError> {
    let appliance = &state.appliance;
    let held = tokens::list_of_user(appliance, &who.user.name).await?;
    let former = typed.instead_of.and_then(|id| held.into_iter().find(|one| one.token.id == TokenId(id)));
    let description = former.as_ref().and_then(|one| one.token.description.clone());
    let options = Options { description, lifetime: None };
    let made = tokens::add_for_user(appliance, &who.actor(), &who.user.name, options).await?;
    if let Some(former) = &former {
        tokens::revoke(appliance, &who.actor(), None, former.token.id).await?;
    }
    Ok(shown_once(&state, &who, &made.text))
}

fn shown_once(state: &State, who: &SignedIn, text: &TokenText) -> HttpResponse {
    let token = text.expose();
    let command = format!("composer config --global --auth http-basic.{} token {token}", state.host);
    let json = serde_json::json!({ "http-basic": { &*state.host: { "username": "token", "password": token } } });
    let content = html! {
        (head("Your new token", &nothing(), &nothing()))
        div class="stack" {
            div class="callout warn" { h2 { "It is shown this once" } p { "Copy it now. Nobody can show it again, neither you nor an administrator; a lost one is replaced." } }
            (snippet_line("token", "Token", token))
            (snippet_line("command", "On your machine", &command))
            (snippet("variable", "On a build server, as the variable COMPOSER_AUTH", &json.to_string()))
            div class="row" { a class="btn primary" href="/profile" { "Done" } }
        }
    };
    page(&who.chrome(), Here::Elsewhere, "Your new token", &content)
}

/// Answers `POST /profile/token/{token}/revoke`.
pub(in crate::http) async fn revoke(
    state: web::Data<State>,
    who: SignedIn,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    let id = TokenId(*id);
    let held = tokens::list_of_user(&state.appliance, &who.user.name).await?;
    if !held.iter().any(|one| one.token.id == id) {
        return Ok(refused("That token is revoked already."));
    }
    match tokens::revoke(&state.appliance, &who.actor(), None, id).await {
        Ok(()) => Ok(back("The token is revoked: Composer is refused with it from now on.")),
        Err(admin::Error::NotFound(_)) => Ok(refused("That token is revoked already.")),
        Err(error) => Err(error.into()),
    }
}
