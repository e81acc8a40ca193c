//! The webhook of a whole platform: what its administrator enters there, and whether it calls.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use secrecy::ExposeSecret;
use serde::Deserialize;
use url::Url;

use super::super::components::{Flash, Tone, absolute, ago, callout, head, nothing, snippet_line, status};
use super::super::layout::{Confirmation, Here, csrf, page};
use super::super::respond::see_other;
use super::find;
use crate::admin::system_hooks::{self, Standing};
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::form::Form;
use crate::http::integrations::Integration;
use crate::http::page_error::PageError;
use crate::http::visitor::Administers;
use crate::platform::Hub;

/// Where GitLab's administrators find the page of system hooks.
const PAGE_THERE: &str = "/admin/hooks";
/// What to tick there, and nothing else.
const TICKED: [&str; 3] = ["Repository update events", "Push events", "Tag push events"];

/// The fields of the forms.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    confirmed: String,
}

/// Where its page is.
fn base(one: &Integration) -> String {
    format!("/admin/integrations/{}/system-hook", one.id)
}

/// An integration whose platform has such webhooks, and is somebody's own.
fn found<'s>(state: &'s State, who: &Administers, id: &str) -> Result<&'s Integration, PageError> {
    let one = find(state, who, id)?;
    if has_one(state, one) { Ok(one) } else { Err(who.not_found()) }
}

fn has_one(state: &State, one: &Integration) -> bool {
    state.appliance.hubs.by_id(&one.id).is_some_and(|hub: &Hub| system_hooks::has_system_hooks(hub))
}

/// What the integration's own page says of it.
pub(super) fn section(state: &State, one: &Integration) -> Markup {
    if !has_one(state, one) {
        return nothing();
    }
    html! {
        section aria-labelledby="h-sys" {
            h2 id="h-sys" { "System hook" }
            p { "If you administer " (one.name) ", one webhook there can tell of every change: also of renamed and moved projects, of people in single projects, and of pushes of many tags at once, none of which it tells the webhooks of groups and projects. " a href=(base(one)) { "Set it up, or see how it is" } }
        }
    }
}

/// Answers its page.
pub async fn show(state: web::Data<State>, who: Administers, id: web::Path<String>) -> Result<HttpResponse, PageError> {
    let one = found(&state, &who, &id)?;
    let standing = system_hooks::standing(&state.appliance, &one.id).await?;
    let now = state.appliance.now();
    let content = html! {
        nav class="crumbs" aria-label="Breadcrumb" { a href="/admin/integrations" { "Integrations" } " / " a href={ "/admin/integrations/" (one.id) } { (one.name) } " /" }
        (head("System hook", &html! { "One webhook of all of " (one.name) ", for whoever follows something there. Each organization here hears only of what is its own." }, &nothing()))
        div class="sections" {
            @match &standing {
                None => (begin(&who, one)),
                Some(standing) => {
                    (state_of(standing, now))
                    @if !standing.is_entered() { (steps(one, standing)) }
                    (change(&who, one, standing))
                }
            }
        }
    };
    Ok(page(&who.chrome(), Here::Integrations, "System hook", &content))
}

fn begin(who: &Administers, one: &Integration) -> Markup {
    html! {
        section aria-labelledby="h-b" {
            h2 id="h-b" { "Set it up" }
            p { "You need to be an administrator of " (one.name) ", or to know one. Without it everything works as well: what the other webhooks do not tell is found at the interval of runs." }
            form class="gap" method="post" action=(base(one)) {
                (csrf(&who.csrf))
                button class="btn primary" { "Make its address and its secrets" }
            }
        }
    }
}

fn state_of(standing: &Standing, now: Timestamp) -> Markup {
    let hook = &standing.hook;
    html! {
        section aria-labelledby="h-st" {
            h2 id="h-st" { "How it is" }
            p {
                @match hook.last_delivery_at {
                    Some(at) => {
                        (status(Tone::Ok, "Calls")) " " span class="muted" { "last " (ago(at, now)) @if let Some(event) = &hook.last_event { ", " span class="mono" { (event) } } @if hook.signed_at.is_some() { ", signed" } }
                    }
                    None => { (status(Tone::Pend, "Never called")) " " span class="muted" { "nobody has entered it yet, or nothing has happened since" } }
                }
            }
            @if let Some(since) = hook.unsigned_since {
                (callout(Tone::Warn, "Calls come that are not believed", &html! {
                    p { "Since " (ago(since, now)) " they show another secret than the one that was made here. Enter it again as it is, or make another one." }
                }))
            }
        }
    }
}

fn steps(one: &Integration, standing: &Standing) -> Markup {
    let there = Url::parse(&format!("{}{PAGE_THERE}", one.url.trim_end_matches('/'))).ok();
    let entered = &standing.entered;
    html! {
        ol class="steps" {
            li {
                h2 { "Open the system hooks there" }
                p {
                    @match &there {
                        Some(there) => a href=(there) rel="noreferrer" { "Admin → System hooks" },
                        None => "Admin → System hooks",
                    }
                    ", and add a webhook."
                }
            }
            li {
                h2 { "Enter exactly this" }
                (snippet_line("url", "URL, a secret", standing.address.expose_secret()))
                (snippet_line("token", "Secret token", entered.token.expose_secret()))
                (snippet_line("signing", "Signing token", entered.signing_token.expose_secret()))
                p class="hint" { "The signing token is for GitLab 19 and later, where the form asks for one. All of them are shown until the first call has come." }
            }
            li {
                h2 { "Choose what it tells of" }
                p { "Tick " @for (index, word) in TICKED.iter().enumerate() { @if index > 0 { ", " } b { (word) } } ", and nothing else: no merge request events. What happens to projects, groups and people, it tells without being asked. Leave the SSL verification on." }
            }
            li {
                h2 { "Add it, and test it" }
                p { "Beside the webhook there is a button that sends a test. This page then says when it came." }
                p class="hint" { "If the address is refused, GitLab is not allowed to call this server: Admin → Settings → Network → Outbound requests has a box for requests from system hooks to the local network." }
            }
        }
    }
}

fn change(who: &Administers, one: &Integration, standing: &Standing) -> Markup {
    html! {
        section aria-labelledby="h-c" {
            h2 id="h-c" { "Change it" }
            p class="muted" { "Made " (absolute(standing.hook.made_at)) " by " span class="mono" { (standing.hook.made_by) } "." }
            div class="row gap" {
                form method="post" action=(base(one)) { (csrf(&who.csrf)) button class="btn" { "Make another one…" } }
                form method="post" action={ (base(one)) "/remove" } { (csrf(&who.csrf)) button class="btn danger" { "Forget it…" } }
            }
        }
    }
}

/// Takes the form that makes it, or another one in its place, after asking.
pub async fn make(
    state: web::Data<State>,
    who: Administers,
    id: web::Path<String>,
    Form(fields): Form<Fields>,
) -> Result<HttpResponse, PageError> {
    let one = found(&state, &who, &id)?;
    // One that cannot be opened is replaced without ado.
    let before = system_hooks::standing(&state.appliance, &one.id).await.ok().flatten();
    if before.is_some() && fields.confirmed != "yes" {
        let confirmation = Confirmation {
            question: html! { "Make another system hook for " (one.name) "?" },
            lead: "Calls to the address of before count no more, from now on.",
            consequences: vec![
                ("There", html! { "the webhook has to get the new address and the new secrets." }),
                ("Until then", html! { "changes are found by the other webhooks, and at the interval of runs." }),
            ],
            advice: None,
            typed: None,
            action: &base(one),
            fields: Vec::new(),
            button: "Make another one",
            back: (&base(one), "Keep it"),
        };
        let content = confirmation.markup(&who.csrf, false);
        return Ok(page(&who.chrome(), Here::Integrations, "Another system hook", &content));
    }
    system_hooks::make(&state.appliance, &who.actor(), &one.id).await?;
    let text = format!("Made. Enter it at {} now.", one.name);
    Ok(see_other(&base(one), Some(&Flash { good: true, text })))
}

/// Takes the form that forgets it, after asking.
pub async fn remove(
    state: web::Data<State>,
    who: Administers,
    id: web::Path<String>,
    Form(fields): Form<Fields>,
) -> Result<HttpResponse, PageError> {
    let one = found(&state, &who, &id)?;
    if fields.confirmed == "yes" {
        system_hooks::remove(&state.appliance, &who.actor(), &one.id).await?;
        let text =
            format!("Forgotten. Remove the webhook at {}, too: its calls are answered, and come to nothing.", one.name);
        return Ok(see_other(&base(one), Some(&Flash { good: true, text })));
    }
    let (action, back) = (format!("{}/remove", base(one)), base(one));
    let confirmation = Confirmation {
        question: html! { "Forget the system hook of " (one.name) "?" },
        lead: "Its calls come to nothing from then on.",
        consequences: vec![
            ("Webhooks", html! { "of groups and projects go on, as far as they are installed." }),
            ("The rest", html! { "is found at the interval of runs." }),
        ],
        advice: None,
        typed: None,
        action: &action,
        fields: Vec::new(),
        button: "Forget it",
        back: (&back, "Keep it"),
    };
    Ok(page(&who.chrome(), Here::Integrations, "Forget the system hook", &confirmation.markup(&who.csrf, false)))
}
