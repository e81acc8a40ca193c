//! Whether a token of GitLab replaces itself before it ends.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::base;
use crate::admin::Error;
use crate::admin::credentials::{self, Kind};
use crate::appliance::due_at;
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::pages::components::{Flash, absolute, nothing};
use crate::http::pages::forms::sentence;
use crate::http::pages::layout::csrf;
use crate::http::pages::respond::see_other;
use crate::http::visitor::Manages;
use crate::store::credentials::Credential;

/// The fields of the form.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    on: String,
}

/// The section of the credential's page; nothing for what cannot replace itself.
pub(super) fn section(manager: &Manages, credential: &Credential, here: &str) -> Markup {
    if credential.kind != Kind::GitlabToken.as_str() {
        return nothing();
    }
    let (on, button) = match credential.self_rotate {
        true => ("no", "Stop replacing it"),
        false => ("yes", "Let it replace itself"),
    };
    html! {
        section aria-labelledby="h-itself" {
            h2 id="h-itself" { "Replacing itself" }
            @if let Some(trouble) = credentials::trouble(credential).filter(|_| credential.self_rotate) {
                p { b { (trouble) } }
            }
            @if credential.self_rotate {
                p { "GitLab gives this server a new token before this one ends, for as long as this one lives, and this one works no more." }
            } @else {
                p { "GitLab can give this server a new token before this one ends, so that nobody has to. Nobody else may use the token then, because it works no more once it was replaced. It needs the scope " code { "self_rotate" } " or " code { "api" } "." }
            }
            p class="hint" { "A backup from before a token was replaced has the old one: after such a backup is restored, give the credential a new token." }
            form class="gap" method="post" action={ (here) "/self-rotation" } {
                (csrf(&manager.who.csrf))
                input type="hidden" name="on" value=(on);
                button class="btn" { (button) }
            }
        }
    }
}

/// What follows the end of a token that replaces itself.
pub(super) fn then(credential: &Credential, end: Timestamp) -> Option<Markup> {
    let set_at = credential.secret_set_at.filter(|_| credential.self_rotate && credential.lost_at.is_none())?;
    Some(html! { ", replaced from " (absolute(due_at(set_at, end))) " on" })
}

/// Takes the form.
pub async fn set(
    manager: Manages,
    path: web::Path<(String, String)>,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let credential = super::show::find(&manager, &state, &path.1).await?;
    let (name, on) = (&credential.name, fields.on == "yes");
    let done = credentials::set_self_rotation(&state.appliance, &manager.actor(), manager.org(), name, on).await;
    let flash = match done {
        Ok(()) if on => {
            Flash { good: true, text: format!("The token of “{name}” replaces itself before it ends.") }
        }
        Ok(()) => Flash { good: true, text: format!("The token of “{name}” stays until somebody replaces it.") },
        Err(Error::Invalid(text) | Error::Conflict(text)) => Flash { good: false, text: sentence(&text.to_string()) },
        Err(error) => return Err(error.into()),
    };
    Ok(see_other(&format!("{}/{name}", base(&manager)), Some(&flash)))
}
