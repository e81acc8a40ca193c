//! The address that platforms call, for admins: whoever knows it can have the package updated. How it is entered there, by
//! which secret calls are signed, and what came of the calls.

mod deliveries;
mod secret;
mod setup;
mod topics;

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::components::{Flash, Tone, ago, snippet_line, status};
use super::super::layout::{self, Confirmation, Here, csrf};
use super::super::respond::see_other;
use super::{At, Path, Seen, nothing_here};
use crate::admin::hooks as use_hooks;
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::visitor::Manages;
use crate::store;
use crate::store::hook_topics;
use crate::store::hooks::{self, Delivery};
use crate::store::runs;

pub use secret::secret;

/// How many deliveries are shown.
const SHOWN: i64 = 20;
/// How many runs are looked through for what came of them.
const RUNS: i64 = 30;

/// Answers `…/webhook`.
pub async fn webhook(manager: Manages, path: Path, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let seen = Seen::find((*manager).clone(), &state, &path.1, &path.2).await?;
    page(&seen, &state, None).await
}

/// The page; `made`: a secret that was just made, for the only time that it is shown.
async fn page(seen: &Seen, state: &State, made: Option<&str>) -> Result<HttpResponse, PageError> {
    let (org, id, now) = (seen.reader.org(), seen.package.source(), state.appliance.now());
    let address = use_hooks::existing(&state.appliance, org, &seen.package).await?;
    let is_signed = use_hooks::is_signed(&state.appliance, org, &seen.package).await?;
    let (deliveries, runs, topics) = state
        .appliance
        .database
        .read(move |db| {
            let deliveries = hooks::deliveries(org, db, id, SHOWN)?;
            Ok::<_, store::Error>((
                deliveries,
                runs::of_package(org, db, id, RUNS)?,
                hook_topics::of_package(org, db, id)?,
            ))
        })
        .await?;
    let content = html! {
        div class="sections" {
            (address_section(seen, address.as_deref(), deliveries.first(), now))
            (topics::section(&topics, now))
            section aria-labelledby="h-y" {
                h2 id="h-y" { "Last deliveries" }
                @if deliveries.is_empty() {
                    (nothing_here("Nobody has called yet. Without a webhook, changes are found by looking from time to time."))
                } @else {
                    (deliveries::table(&deliveries, &runs, now))
                }
            }
            @if let Some(address) = &address {
                (secret::section(seen, is_signed, made))
                (setup::section(address, &seen.package.url, is_signed))
            }
        }
    };
    Ok(seen.page(At::Webhook, "Webhook", None, &content))
}

fn address_section(seen: &Seen, address: Option<&str>, last: Option<&Delivery>, now: Timestamp) -> Markup {
    let token = &seen.reader.who.csrf;
    let action = format!("{}/webhook", seen.base);
    html! {
        section aria-labelledby="h-w" {
            div class="head" {
                h2 id="h-w" { "Webhook" }
                @if address.is_some() {
                    form method="post" action=(action) {
                        (csrf(token))
                        button class="btn small danger" { "Make another address…" }
                    }
                }
            }
            p {
                @match last {
                    Some(last) => { (status(Tone::Ok, "Called")) " " span class="muted" { "last " (ago(last.received_at, now)) ". Anything that can send a POST may call this address:" } }
                    None => { (status(Tone::Pend, "Never called")) " " span class="muted" { "Enter this address as a webhook where the repository is, for pushes of branches and tags." } }
                }
            }
            div class="gap-s" {
                @match address {
                    Some(address) => {
                        (snippet_line("hook", "Address, a secret", address))
                        p class="hint gap-s" { "Whoever knows the address can have the repository read again, and nothing else. What is sent there never decides what is published." }
                    }
                    None => {
                        form method="post" action=(action) {
                            (csrf(token))
                            input type="hidden" name="confirmed" value="yes";
                            button class="btn primary" { "Make the address" }
                        }
                    }
                }
            }
        }
    }
}

/// The fields of the form that makes an address.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    confirmed: String,
}

/// Takes that form: the first address is made at once, another one after it was confirmed.
pub async fn rotate(
    manager: Manages,
    path: Path,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find((*manager).clone(), &state, &path.1, &path.2).await?;
    let org = manager.org();
    let back = format!("{}/webhook", seen.base);
    let exists = use_hooks::existing(&state.appliance, org, &seen.package).await?.is_some();
    if exists && fields.confirmed != "yes" {
        let content = Confirmation {
            question: html! { "Make another webhook address for " span class="mono" { (crate::admin::packages::title(&seen.package)) } "?" },
            lead: "Whoever calls the present address has to be given the new one.",
            consequences: vec![
                ("Stops", html! { "the present address, in 24 hours" }),
                ("Until it is entered", html! { "pushes are found only by looking from time to time" }),
            ],
            advice: None,
            typed: None,
            action: &back,
            fields: Vec::new(),
            button: "Make another address",
            back: (&back, "Keep the present one"),
        };
        let content = content.markup(&manager.who.csrf, false);
        return Ok(layout::page(&manager.chrome(), Here::Packages, "Make another webhook address", &content));
    }
    let made = use_hooks::address(&state.appliance, &manager.actor(), org, &seen.package, exists).await?;
    let text = match made.replaced {
        true => "There is a new address. The former one works for 24 hours more.",
        false => "The address is made: enter it where the repository is.",
    };
    Ok(see_other(&back, Some(&Flash { good: true, text: text.to_owned() })))
}
