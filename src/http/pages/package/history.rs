//! What became of a package's versions: which came, went, or name another commit, and which update saw it.

use std::collections::HashMap;

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::components::{Tone, absolute, ago, badge, callout, nothing, pager};
use super::super::overview::short;
use super::{At, Path, Seen, nothing_here};
use crate::admin::package_life;
use crate::appliance::PackageKey;
use crate::clock::Timestamp;
use crate::composer::version::NormalizedVersion;
use crate::http::State;
use crate::http::page_error::PageError;
use crate::http::visitor::Reads;
use crate::store::version_events::{Action, Event};

/// How many events a page shows.
const SHOWN: i64 = 50;
/// How many releases a warning names.
const NAMED: usize = 5;
/// For how many microseconds the package's first tab warns of a release that was re-pointed: 30 days.
const WARNED: i64 = 30 * 86_400 * 1_000_000;

/// What the address asks for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Query {
    /// The event before the first.
    before: String,
}

/// Answers `…/history`.
pub async fn history(
    reader: Reads,
    path: Path,
    query: web::Query<Query>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(reader, &state, &path.1, &path.2).await?;
    let now = state.appliance.now();
    let key = PackageKey { org: seen.reader.org(), package: seen.package.id };
    let before = query.before.parse().ok();
    let mut events = package_life::history(&state.appliance, key, before, SHOWN + 1).await?;
    let more = events.len() > usize::try_from(SHOWN).unwrap_or(usize::MAX);
    events.truncate(usize::try_from(SHOWN).unwrap_or(usize::MAX));
    let address = format!("{}/history", seen.base);
    let next = events.last().filter(|_| more).map(|last| format!("{address}?before={}", last.id));
    let content = html! {
        section aria-labelledby="h-c" {
            div class="head" {
                h2 id="h-c" { "What changed" }
                a class="small" href={ (seen.base) "/versions" } { "All versions" }
            }
            @if events.is_empty() {
                (nothing_here("No version has come, gone or changed since the package was first read."))
            } @else {
                (table(&events, now))
                (pager("Newest first", before.map(|_| address.as_str()), next.as_deref()))
            }
        }
    };
    Ok(seen.page(At::Versions, "What changed", None, &content))
}

fn table(events: &[Event], now: Timestamp) -> Markup {
    html! {
        table class="table" {
            caption { "Archives of all these commits are kept: lock files go on to install what they name." }
            thead {
                tr {
                    th scope="col" { "Version" }
                    th scope="col" { "What" }
                    th scope="col" { "From" }
                    th scope="col" { "To" }
                    th scope="col" class="nowrap" { "When" }
                    th scope="col" { "Because of" }
                }
            }
            tbody {
                @for event in events {
                    tr {
                        th scope="row" { span class="mono" { (event.version) } }
                        td data-label="What" class="nowrap" { (what(event)) }
                        td data-label="From" { (commit(event.before.as_deref())) }
                        td data-label="To" { (commit(event.after.as_deref())) }
                        td data-label="When" class="nowrap" { (ago(event.at, now)) }
                        td data-label="Because of" class="nowrap" { (cause(event)) }
                    }
                }
            }
        }
    }
}

fn what(event: &Event) -> Markup {
    match event.action {
        _ if event.is_repointed_release() => badge(Tone::Warn, "re-pointed"),
        Action::Moved => badge(Tone::Neutral, "moved"),
        Action::Added => badge(Tone::Ok, "added"),
        Action::Removed => badge(if event.dev { Tone::Neutral } else { Tone::Warn }, "removed"),
    }
}

fn commit(reference: Option<&str>) -> Markup {
    html! {
        @match reference {
            Some(reference) => span class="mono" title=(reference) { (short(reference)) },
            None => span class="muted" { "–" },
        }
    }
}

fn cause(event: &Event) -> &'static str {
    match event.cause.as_deref() {
        Some(cause) => super::activity::cause_words(cause),
        None => "an update",
    }
}

/// What marks a version in a list that once named another commit.
pub(super) fn mark(repointed: Option<&Event>) -> Markup {
    let Some(event) = repointed else { return nothing() };
    html! {
        " " span class="badge warn" title={ "Until " (absolute(event.at)) " it named " (short(event.before.as_deref().unwrap_or_default())) } { "re-pointed" }
    }
}

/// The warning that a release has other code than before, for as long as somebody may not have heard of it.
pub(super) fn warning(seen: &Seen, repointed: &HashMap<NormalizedVersion, Event>, now: Timestamp) -> Markup {
    let since = now.as_micros().saturating_sub(WARNED);
    let mut recent: Vec<&Event> = repointed.values().filter(|event| event.at.as_micros() >= since).collect();
    if recent.is_empty() {
        return nothing();
    }
    recent.sort_by_key(|event| std::cmp::Reverse(event.id));
    let more = recent.len().saturating_sub(NAMED);
    let text = html! {
        p { "Nobody expects that of a release. Lock files go on to install what they name; whoever updates or installs anew gets other code than before." }
        ul {
            @for event in recent.iter().take(NAMED) {
                li {
                    span class="mono" { (event.version) } " from " (commit(event.before.as_deref())) " to " (commit(event.after.as_deref()))
                    ", " (ago(event.at, now))
                }
            }
        }
        p class="small" {
            @if more > 0 { "And " (more) " more. " }
            a href={ (seen.base) "/history" } { "What changed" }
        }
    };
    html! { div class="gap-b" id="repointed" { (callout(Tone::Warn, "A release was re-pointed", &text)) } }
}
