//! Synchronizations: which organizations of platforms this one follows, how that goes, and what waits for somebody.

mod acts;
mod new;
mod plan;
mod repositories;
mod runs;
mod show;

use actix_web::{HttpResponse, web};
use maud::{Markup, html};

use super::components::{
    Problem, Tone, ago, ago_or_never, badge, counted, empty, head, nothing, number, running, status,
};
use super::forms::sentence;
use super::layout::{self, Here};
use crate::access::role::Role;
use crate::admin;
use crate::admin::syncs::{self, Summary};
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::page_error::PageError;
use crate::http::visitor::{Manages, Reads};
use crate::platform::PlatformKind;
use crate::store::ids::SyncId;
use crate::store::platform_hooks::Trouble as HookTrouble;
use crate::store::sync_lists::Told;
use crate::store::syncs::Sync;

pub use acts::{accept, pause, promote, remove, repair, run, start, stop};
pub use new::{add, new, save_terms, terms};
pub use plan::preview;
pub use repositories::{adopt, list as repositories};
pub use runs::{history, one as one_run};
pub use show::{events, show};

/// Organization and synchronization.
type Path = web::Path<(String, i64)>;

fn base(reader: &Reads) -> String {
    format!("/orgs/{}/syncs", reader.organization.slug)
}

/// A synchronization with its address and what people call it.
pub(super) struct Seen {
    sync: Sync,
    /// The platform and the organization there.
    title: String,
    address: String,
}

impl Seen {
    async fn find(reader: &Reads, state: &State, id: i64) -> Result<Self, PageError> {
        let found = syncs::by_id(&state.appliance, reader.org(), SyncId(id)).await;
        let sync = found.map_err(|error| match error {
            admin::Error::NotFound(_) => reader.not_found(),
            error => error.into(),
        })?;
        let title = title(state, &sync);
        Ok(Self { address: format!("{}/{}", base(reader), sync.id), sync, title })
    }

    /// Whether the platform has planners, of whom its releases differ in what they read.
    fn has_planners(&self, state: &State) -> bool {
        state.integration(&self.sync.integration).is_some_and(|one| one.platform == PlatformKind::GitLab)
    }

    /// Whether the platform has projects of which some can be chosen.
    fn has_projects(&self, state: &State) -> bool {
        state.integration(&self.sync.integration).is_some_and(|one| one.platform == PlatformKind::BitbucketCloud)
    }

    /// The way back to it, above a page below it.
    fn crumbs(&self, reader: &Reads) -> Markup {
        html! {
            nav class="crumbs" aria-label="Breadcrumb" {
                a href=(base(reader)) { "Synchronizations" } " / " a href=(self.address) { (self.title) } " /"
            }
        }
    }
}

/// What people call a synchronization: the platform, and the organization there.
fn title(state: &State, sync: &Sync) -> String {
    format!("{}: {}", state.integration_name(&sync.integration), sync.remote)
}

/// The state of a synchronization, with the word for it.
fn state_of(sync: &Sync) -> Markup {
    if sync.running {
        return running("Running");
    }
    if sync.stale_at.is_some() {
        return status(Tone::Fail, "Suspended");
    }
    if sync.paused_at.is_some() {
        return status(Tone::Neutral, "Paused");
    }
    if sync.suspended_at.is_some() {
        return status(Tone::Fail, "Shut out there");
    }
    match sync.outcome.as_deref() {
        Some("ok") => status(Tone::Ok, "Up to date"),
        Some("held") => status(Tone::Warn, "Waits for you"),
        Some("failed") => status(Tone::Fail, "Failed"),
        _ => status(Tone::Pend, "Not run yet"),
    }
}

/// Answers `/orgs/{org}/syncs`.
pub async fn list(manager: Manages, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let all = syncs::list(&state.appliance, manager.org()).await?;
    let (base, now) = (base(&manager), state.appliance.now());
    let under =
        html! { "Repositories, teams, members and permissions of an organization on a platform, followed here." };
    let add = html! { a class="btn primary" href={ (base) "/new" } { "Follow an organization" } };
    let content = html! {
        (head("Synchronizations", &under, &(if all.is_empty() { nothing() } else { add })))
        @if all.is_empty() {
            (empty(
                "No organization is followed yet",
                "Choose one on a platform: its repositories with a composer.json become packages, and whoever may read them there may install them here.",
                Some((&format!("{base}/new"), "Follow an organization")),
                Some("packagist-selfhosted sync add --integration ID --remote NAME --credential NAME"),
            ))
        } @else {
            (table(&state, &all, &base, now))
        }
    };
    Ok(layout::page(&manager.chrome(), Here::Syncs, "Synchronizations", &content))
}

fn table(state: &State, all: &[Summary], base: &str, now: Timestamp) -> Markup {
    html! {
        table class="table" {
            caption class="sr" { "Synchronizations" }
            thead {
                tr {
                    th scope="col" { "Organization there" }
                    th scope="col" { "State" }
                    th scope="col" class="num" { "Packages" }
                    th scope="col" class="num" { "Teams" }
                    th scope="col" class="num" { "Members" }
                    th scope="col" class="nowrap" { "Last run" }
                }
            }
            tbody {
                @for one in all {
                    tr {
                        th scope="row" {
                            a href={ (base) "/" (one.sync.id) } { b dir="auto" { (title(state, &one.sync)) } }
                            @if one.sync.primary { " " (badge(Tone::Neutral, "primary")) }
                        }
                        td data-label="State" { (state_of(&one.sync)) }
                        td data-label="Packages" class="num" { (number(one.counts.packages)) }
                        td data-label="Teams" class="num" { (number(one.counts.teams)) }
                        td data-label="Members" class="num" { (number(one.counts.members)) }
                        td data-label="Last run" class="nowrap" { (ago_or_never(one.sync.last_run_at, now)) }
                    }
                }
            }
        }
    }
}

/// What of an organization's synchronizations needs somebody, for its overview.
pub(super) fn troubles(state: &State, slug: &str, all: &[Sync], now: Timestamp) -> Vec<Problem> {
    all.iter().filter_map(|sync| trouble(state, slug, sync, now)).collect()
}

/// What of the webhooks that synchronizations installed needs somebody, for the organization's overview.
pub(super) fn hook_troubles(state: &State, slug: &str, all: &[Sync], hooks: &[HookTrouble]) -> Vec<Problem> {
    let problem = |of: &HookTrouble| {
        let sync = all.iter().find(|sync| sync.id == of.sync)?;
        let title = title(state, sync);
        Some(Problem {
            tone: Tone::Warn,
            what: html! { (counted(of.count, "webhook", "webhooks")) " of " (title) (if of.count == 1 { " does not work" } else { " do not work" }) },
            detail: html! { span dir="auto" { (sentence(of.error.as_deref().unwrap_or("The platform does not say why."))) } },
            cure: Some((format!("/orgs/{slug}/syncs/{}", sync.id), "Open the synchronization".to_owned())),
        })
    };
    hooks.iter().filter_map(problem).collect()
}

fn trouble(state: &State, slug: &str, sync: &Sync, now: Timestamp) -> Option<Problem> {
    let title = title(state, sync);
    let confirmed = html! { "Everything was last read " (ago_or_never(sync.confirmed_at, now)) "." };
    let why = sentence(sync.error.as_deref().unwrap_or_default());
    let (tone, what, detail) = if let Some(since) = sync.stale_at {
        let text = html! { "Since " (ago(since, now)) " what it found does not count, because nothing has confirmed it for too long: people see only what was given to them here. " (why) };
        (Tone::Fail, format!("Access from {title} is suspended"), text)
    } else if let Some(since) = sync.suspended_at {
        let text = html! { "Since " (ago(since, now)) " its installation there is suspended or removed. Nothing was removed here. " (confirmed) " " (why) };
        (Tone::Fail, format!("The GitHub App of {title} is shut out"), text)
    } else if sync.held_digest.is_some() {
        let text = html! { (why) " Nothing of that was removed; all else goes on." };
        (Tone::Warn, format!("{title} waits for you before it removes something"), text)
    } else if sync.outcome.as_deref() == Some("failed") {
        let text = html! { (why) " Nothing was removed. " (confirmed) };
        (Tone::Fail, format!("{title} could not be synchronized"), text)
    } else if is_ageing(state, sync, now) {
        let text = html! { (confirmed) " If that goes on, what it found stops to count." };
        (Tone::Warn, format!("{title} was not confirmed for long"), text)
    } else {
        return None;
    };
    let cure = Some((format!("/orgs/{slug}/syncs/{}", sync.id), "Open the synchronization".to_owned()));
    Some(Problem { tone, what: html! { (what) }, detail, cure })
}

/// Whether half of the time is over after which what it found does not count any more.
fn is_ageing(state: &State, sync: &Sync, now: Timestamp) -> bool {
    let longest = state.appliance.settings.access_max_age;
    let confirmed = sync.confirmed_at.unwrap_or(sync.created_at);
    sync.paused_at.is_none() && longest.is_some_and(|longest| now.since(confirmed) > longest / 2)
}

/// How the platform tells of a package's repository, for the facts on the package's page.
pub(super) fn told(slug: &str, told: &Told, now: Timestamp) -> Markup {
    html! {
        dt { "Synchronized from" }
        dd { a href={ "/orgs/" (slug) "/syncs/" (told.sync) } dir="auto" { (told.path) } }
        dt { "Webhook there" }
        dd {
            @match &told.state {
                Some(state) => (hook_state(state)),
                None => (status(Tone::Neutral, "None of ours")),
            }
            @if told.whole { " " span class="muted" { "of " (told.remote) } }
            @if let Some(error) = &told.error { " " span class="muted" dir="auto" { (sentence(error)) } }
        }
        dt { "Last delivery" }
        dd {
            @match &told.last {
                Some((at, event)) => { (ago(*at, now)) ", " span class="mono" { (event) } }
                None => "never",
            }
        }
    }
}

/// The state of a webhook that we installed, with the word for it.
fn hook_state(word: &str) -> Markup {
    match word {
        "ok" => status(Tone::Ok, "Installed"),
        "failing" => status(Tone::Fail, "Fails there"),
        "missing" => status(Tone::Warn, "Missing"),
        "refused" => status(Tone::Warn, "Not allowed"),
        _ => status(Tone::Pend, "Not installed yet"),
    }
}

/// Whether somebody may decide what concerns owners.
fn is_owner(reader: &Reads) -> bool {
    reader.role >= Role::Owner
}
