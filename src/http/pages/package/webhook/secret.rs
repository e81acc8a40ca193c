//! The secret that calls of a package's webhook are signed with: made here and shown once, or taken away.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use secrecy::SecretString;
use serde::Deserialize;

use super::super::super::components::{Flash, Tone, callout, snippet_line, status};
use super::super::super::layout::{self, Confirmation, Here, csrf};
use super::super::super::respond::see_other;
use super::super::{Path, Seen};
use crate::admin::hooks as use_hooks;
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::visitor::Manages;
use crate::secrets::random;

pub(super) fn section(seen: &Seen, is_signed: bool, made: Option<&str>) -> Markup {
    let action = format!("{}/webhook/secret", seen.base);
    let form = |what: &str, words: &str, class: &str| {
        html! {
            form method="post" action=(action) {
                (csrf(&seen.reader.who.csrf))
                input type="hidden" name="what" value=(what);
                button class=(class) { (words) }
            }
        }
    };
    html! {
        section aria-labelledby="h-c" {
            div class="head" {
                h2 id="h-c" { "Secret" }
                div class="row" {
                    @if is_signed {
                        (form("make", "Make another secret…", "btn small"))
                        (form("remove", "Take calls without…", "btn small danger"))
                    } @else {
                        (form("make", "Make a secret", "btn small"))
                    }
                }
            }
            @if let Some(secret) = made {
                (callout(Tone::Ok, "Enter it where the repository is", &html! {
                    p { "It is shown only now. From now on, calls that are not signed with it are refused." }
                    div class="gap-s" { (snippet_line("secret", "The secret, shown once", secret)) }
                }))
            } @else {
                p {
                    @if is_signed {
                        (status(Tone::Ok, "Needed"))
                        " " span class="muted" { "by every call, which is signed with it, or shows it as a token or password." }
                    } @else {
                        (status(Tone::Neutral, "Not needed"))
                        " " span class="muted" { "as long as nobody else knows the address. With a secret, platforms sign what they send." }
                    }
                }
            }
        }
    }
}

/// The fields of its forms.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    what: String,
    confirmed: String,
}

/// Takes `POST …/webhook/secret`.
pub async fn secret(
    manager: Manages,
    path: Path,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find((*manager).clone(), &state, &path.1, &path.2).await?;
    let (appliance, org, actor) = (&state.appliance, manager.org(), manager.actor());
    let back = format!("{}/webhook", seen.base);
    let removes = fields.what == "remove";
    let is_signed = use_hooks::is_signed(appliance, org, &seen.package).await?;
    if is_signed && fields.confirmed != "yes" {
        return Ok(ask(&manager, &back, removes));
    }
    if removes {
        use_hooks::set_signing(appliance, &actor, org, &seen.package, None).await?;
        let text = "Calls are taken without a secret again: the address is enough.".to_owned();
        return Ok(see_other(&back, Some(&Flash { good: true, text })));
    }
    let made = random::hex::<20>();
    use_hooks::address(appliance, &actor, org, &seen.package, false).await?;
    use_hooks::set_signing(appliance, &actor, org, &seen.package, Some(SecretString::from(made.clone()))).await?;
    super::page(&seen, &state, Some(&made)).await
}

fn ask(manager: &Manages, back: &str, removes: bool) -> HttpResponse {
    let title = if removes { "Take calls without a secret?" } else { "Make another secret?" };
    let consequences = match removes {
        true => vec![("Taken", html! { "every call to the address, whoever makes it" })],
        false => vec![("Refused", html! { "calls that are signed with the present secret, at once" })],
    };
    let action = format!("{back}/secret");
    let content = Confirmation {
        question: html! { (title) },
        lead: "Whoever calls the webhook has to be told.",
        consequences,
        advice: None,
        typed: None,
        action: &action,
        fields: vec![("what", if removes { "remove" } else { "make" }.to_owned())],
        button: if removes { "Take calls without" } else { "Make another secret" },
        back: (back, "Keep the present one"),
    };
    layout::page(&manager.chrome(), Here::Packages, title, &content.markup(&manager.who.csrf, false))
}
