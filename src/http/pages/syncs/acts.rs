//! What one does with a synchronization: run it, say yes to what is held, pause, promote and remove it.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::components::{Flash, Tone, counted};
use super::super::forms::sentence;
use super::super::layout::{self, Confirmation, Here};
use super::super::respond::see_other;
use super::{Path, Seen, base, is_owner, plan};
use crate::admin;
use crate::admin::{platform_hooks, syncs};
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::visitor::{Manages, Owns};
use crate::store;
use crate::store::syncs as store_syncs;

/// The fields of the forms.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    confirmed: String,
    digest: String,
    paused: String,
    typed: String,
}

/// What became of it, told on the synchronization's page.
fn answer<T>(seen: &Seen, result: admin::Result<T>, done: &str) -> Result<HttpResponse, PageError> {
    let flash = match result {
        Ok(_) => Flash { good: true, text: done.to_owned() },
        Err(admin::Error::Conflict(text) | admin::Error::Invalid(text) | admin::Error::NotFound(text)) => {
            Flash { good: false, text: sentence(&text.to_string()) }
        }
        Err(error) => return Err(error.into()),
    };
    Ok(see_other(&seen.address, Some(&flash)))
}

/// Takes the form that runs it.
pub async fn run(manager: Manages, path: Path, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(&manager, &state, path.1).await?;
    let queued = syncs::run(&state.appliance, &manager.actor(), manager.org(), seen.sync.id).await;
    answer(&seen, queued, "Everything is read again.")
}

/// Takes the form that stops the run that is under way.
pub async fn stop(manager: Manages, path: Path, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(&manager, &state, path.1).await?;
    let stopped = syncs::stop(&state.appliance, &manager.actor(), manager.org(), seen.sync.id).await;
    answer(&seen, stopped, "The run stops. What it has changed stays, and the next one goes on from there.")
}

/// Takes the form of the preview: what was seen is what is begun.
pub async fn start(manager: Manages, path: Path, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(&manager, &state, path.1).await?;
    let (actor, org, id) = (manager.actor(), manager.org(), seen.sync.id);
    if seen.sync.paused_at.is_some()
        && let Err(error) = syncs::set_paused(&state.appliance, &actor, org, id, false).await
    {
        return answer::<()>(&seen, Err(error), "");
    }
    let queued = syncs::run(&state.appliance, &actor, org, id).await;
    answer(&seen, queued, "The synchronization begins.")
}

/// Takes the form that pauses it, or lets it go on.
pub async fn pause(
    manager: Manages,
    path: Path,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(&manager, &state, path.1).await?;
    let paused = fields.paused == "on";
    let result = syncs::set_paused(&state.appliance, &manager.actor(), manager.org(), seen.sync.id, paused).await;
    let done = if paused {
        "Paused. What it found stays as it is, and counts for as long as it would without a run."
    } else {
        "It goes on, and everything is read again."
    };
    answer(&seen, result, done)
}

/// Takes the form that has the webhooks looked after.
pub async fn repair(manager: Manages, path: Path, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(&manager, &state, path.1).await?;
    let asked = platform_hooks::repair(&state.appliance, &manager.actor(), manager.org(), Some(seen.sync.id)).await;
    answer(&seen, asked, "The webhooks are being looked after.")
}

/// Takes the form that says yes to what is held, after it was shown once more. It carries the digest of what was shown, so
/// that nobody says yes to anything else.
pub async fn accept(
    owner: Owns,
    path: Path,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(&owner, &state, path.1).await?;
    let rows = plan::held(seen.sync.held_plan.as_deref());
    let is_same = seen.sync.held_digest.as_deref() == Some(fields.digest.as_str());
    if fields.confirmed != "yes" && is_same {
        let confirmation = Confirmation {
            question: html! { "Let " (seen.title) " remove " (amount(rows.len())) "?" },
            lead: "The platform does not list them any more. They go with the run that begins now.",
            consequences: vec![
                (
                    "Goes",
                    html! { ul class="plain" { @for row in rows.iter().take(20) { li { (row.kind) " " span class="name" dir="auto" { (row.name) } " " span class="detail" { (row.detail) } } } } @if rows.len() > 20 { "and " (rows.len() - 20) " more" } },
                ),
                (
                    "Stays",
                    html! { "archives of packages, for the lock files that name them; whatever was given to people here" },
                ),
                ("Plan", html! { span class="mono" { (fields.digest) } }),
            ],
            advice: Some((
                Tone::Warn,
                html! { h2 { "Most often the credential has lost access" } p { "Test it first if you did not expect this." } },
            )),
            typed: None,
            action: &format!("{}/accept", seen.address),
            fields: vec![("digest", fields.digest.clone())],
            button: "Apply these removals",
            back: (&seen.address, "Keep them"),
        };
        let content = confirmation.markup(&owner.who.csrf, false);
        return Ok(layout::page(&owner.chrome(), Here::Syncs, "Apply what was held", &content));
    }
    if !is_same {
        let text = "What waits is another plan by now, or nothing any more. Nothing was begun: look at it again.";
        return Ok(see_other(&seen.address, Some(&Flash { good: false, text: text.to_owned() })));
    }
    let (actor, org, id) = (owner.actor(), owner.org(), seen.sync.id);
    let queued = syncs::accept(&state.appliance, &actor, org, id, &fields.digest).await;
    answer(&seen, queued, "The run that applies them is queued.")
}

fn amount(count: usize) -> String {
    counted(i64::try_from(count).unwrap_or(i64::MAX), "thing", "things")
}

/// Answers `…/promote`, and takes its form.
pub async fn promote(
    owner: Owns,
    path: Path,
    fields: Option<Form<Fields>>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(&owner, &state, path.1).await?;
    let (org, id) = (owner.org(), seen.sync.id);
    if fields.is_some_and(|Form(fields)| fields.confirmed == "yes") {
        let promoted = syncs::promote(&state.appliance, &owner.actor(), org, id).await;
        return answer(&seen, promoted, "It is the primary synchronization now: its owners are the owners here.");
    }
    let change = syncs::promotion(&state.appliance, org, id).await?;
    let confirmation = Confirmation {
        question: html! { "Make " (seen.title) " the primary synchronization?" },
        lead: "Whoever owns the organization there owns this one; the owners that the one before made are members.",
        consequences: vec![
            ("Become owners", people(&change.gain)),
            ("Are owners no more", people(&change.lose)),
            ("Stay", html! { "owners whom somebody made owners here" }),
        ],
        advice: None,
        typed: None,
        action: &format!("{}/promote", seen.address),
        fields: Vec::new(),
        button: "Make it the primary one",
        back: (&seen.address, "Leave it as it is"),
    };
    let content = confirmation.markup(&owner.who.csrf, false);
    Ok(layout::page(&owner.chrome(), Here::Syncs, "Primary synchronization", &content))
}

fn people(names: &[String]) -> Markup {
    const SHOWN: usize = 30;
    html! {
        @if names.is_empty() { "nobody" }
        @for (index, name) in names.iter().take(SHOWN).enumerate() { @if index > 0 { ", " } span class="mono" { (name) } }
        @if names.len() > SHOWN { " and " (names.len() - SHOWN) " more" }
    }
}

/// Answers `…/remove`, and takes its form.
pub async fn remove(
    owner: Owns,
    path: Path,
    fields: Option<Form<Fields>>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(&owner, &state, path.1).await?;
    let (org, id) = (owner.org(), seen.sync.id);
    let typed = fields.filter(|Form(fields)| fields.confirmed == "yes").map(|Form(fields)| fields.typed);
    let is_right = typed.as_deref().map(str::trim) == Some(&seen.sync.remote);
    if is_right {
        return match syncs::remove(&state.appliance, &owner.actor(), org, id).await {
            Ok(()) => {
                let text = format!("{} is not followed any more. Its packages stay.", seen.title);
                Ok(see_other(&base(&owner), Some(&Flash { good: true, text })))
            }
            Err(error) => answer::<()>(&seen, Err(error), ""),
        };
    }
    let counts = state
        .appliance
        .database
        .read(move |db| store_syncs::counts(org, db, id))
        .await
        .map_err(|error: store::Error| PageError::from(error))?;
    let confirmation = Confirmation {
        question: html! { "Stop following " (seen.title) "?" },
        lead: "Nothing changes on the platform, but that our webhooks are removed there.",
        consequences: vec![
            (
                "Teams",
                html! { (counted(counts.teams, "team goes", "teams go")) ", and what their people could install by them" },
            ),
            (
                "Members",
                html! { (counted(counts.members, "membership goes", "memberships go")) @if seen.sync.primary { ", owners among them" } },
            ),
            (
                "Packages",
                html! { (counted(counts.packages, "package stays", "packages stay")) ", as if they had been added here" },
            ),
            ("Stays", html! { "what was given to people here, and the audit log" }),
        ],
        advice: None,
        typed: Some(&seen.sync.remote),
        action: &format!("{}/remove", seen.address),
        fields: Vec::new(),
        button: "Remove the synchronization",
        back: (&seen.address, "Keep it"),
    };
    debug_assert!(is_owner(&owner), "the address is for owners");
    let content = confirmation.markup(&owner.who.csrf, typed.is_some());
    Ok(layout::page(&owner.chrome(), Here::Syncs, "Remove a synchronization", &content))
}
