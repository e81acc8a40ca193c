//! The history of a synchronization: its runs, and what each changed.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::components::{Tone, absolute, ago, callout, counted, duration, head, nothing, number, pager, status};
use super::super::forms::sentence;
use super::super::layout::{self, Here};
use super::plan::{Row, diff};
use super::{Path, Seen};
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::page_error::PageError;
use crate::http::visitor::Manages;
use crate::store;
use crate::store::ids::RunId;
use crate::store::sync_runs::{self, Run};

/// Runs on one page.
const SHOWN: i64 = 50;
/// Changes of a run on one page.
const CHANGES: i64 = 500;

/// What may come with the history.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    before: Option<i64>,
    after: i64,
}

/// Answers `…/runs`.
pub async fn history(
    manager: Manages,
    path: Path,
    asked: web::Query<Asked>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(&manager, &state, path.1).await?;
    let (org, sync, before) = (manager.org(), seen.sync.id, asked.before.map(RunId));
    let mut runs = state.appliance.database.read(move |db| sync_runs::newest(org, db, sync, before, SHOWN + 1)).await?;
    let more = runs.len() > usize::try_from(SHOWN).unwrap_or(usize::MAX);
    runs.truncate(usize::try_from(SHOWN).unwrap_or(usize::MAX));
    let next = runs.last().filter(|_| more).map(|run| format!("{}/runs?before={}", seen.address, run.id));
    let first = before.is_some().then(|| format!("{}/runs", seen.address));
    let content = html! {
        (seen.crumbs(&manager))
        (head("Runs", &html! { "What was read, and what it changed. The newest 200 runs are kept." }, &nothing()))
        @if runs.is_empty() { p { "None yet." } } @else { (table(&runs, &seen.address, state.appliance.now())) }
        @if next.is_some() || first.is_some() { (pager("Newest first", first.as_deref(), next.as_deref())) }
    };
    Ok(layout::page(&manager.chrome(), Here::Syncs, "Runs", &content))
}

/// A table of runs.
pub(super) fn table(runs: &[Run], address: &str, now: Timestamp) -> Markup {
    html! {
        table class="table" {
            caption class="sr" { "Runs of this synchronization, newest first" }
            thead {
                tr {
                    th scope="col" class="nowrap" { "Run" }
                    th scope="col" { "Result" }
                    th scope="col" { "Started by" }
                    th scope="col" class="nowrap" { "Started" }
                    th scope="col" class="num" { "Took" }
                    th scope="col" class="num" { "Requests" }
                    th scope="col" class="wide" { "Changes" }
                }
            }
            tbody {
                @for run in runs {
                    tr {
                        th scope="row" class="nowrap" { a href={ (address) "/runs/" (run.id) } { "Run " (run.id) } }
                        td data-label="Result" { (result(run)) }
                        td data-label="Started by" { (cause(run)) }
                        td data-label="Started" class="nowrap" { (ago(run.started_at, now)) }
                        td data-label="Took" class="num" { (duration(run.ended_at.since(run.started_at))) }
                        td data-label="Requests" class="num" { (number(run.requests)) }
                        td data-label="Changes" class="wide" dir="auto" { (changed(run)) }
                    }
                }
            }
        }
    }
}

/// What came of a run, with the word for it.
pub(super) fn result(run: &Run) -> Markup {
    match run.outcome.as_str() {
        "held" => status(Tone::Warn, "Done, part waits"),
        "failed" => status(Tone::Fail, "Stopped"),
        _ => status(Tone::Ok, "Done"),
    }
}

fn cause(run: &Run) -> &'static str {
    match run.cause.as_str() {
        "hook" => "webhook",
        "asked" => "somebody",
        "credential" => "new secret",
        _ => "schedule",
    }
}

/// How much a run changed, or why it changed nothing.
fn changed(run: &Run) -> Markup {
    let amounts = [("+", run.added), ("~", run.changed), ("−", run.removed)];
    let some: Vec<String> = amounts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(sign, count)| format!("{sign}{}", number(*count)))
        .collect();
    html! {
        @match (&run.error, some.is_empty()) {
            (Some(error), true) => { "nothing: " (error) }
            (Some(error), false) => { (some.join(" ")) "; " (error) }
            (None, true) => "no change",
            (None, false) => (some.join(" ")),
        }
    }
}

/// Answers `…/runs/{run}`.
pub async fn one(
    manager: Manages,
    path: web::Path<(String, i64, i64)>,
    asked: web::Query<Asked>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(&manager, &state, path.1).await?;
    let (org, sync, id, after) = (manager.org(), seen.sync.id, RunId(path.2), asked.after.max(0));
    let found = state.appliance.database.read(move |db| {
        // A run of another synchronization is none of this one.
        let run = sync_runs::newest(org, db, sync, Some(RunId(id.0.saturating_add(1))), 1)?;
        let run = run.into_iter().find(|run| run.id == id);
        let changes = run.as_ref().map(|_| sync_runs::changes(org, db, id, after, CHANGES)).transpose()?;
        Ok::<_, store::Error>(run.zip(changes))
    });
    let (run, changes) = found.await?.ok_or_else(|| manager.not_found())?;
    let rows: Vec<Row> = changes
        .into_iter()
        .map(|one| Row { action: one.action, kind: one.kind, name: one.name, detail: one.detail })
        .collect();
    let address = format!("{}/runs/{}", seen.address, run.id);
    let total = run.added.saturating_add(run.changed).saturating_add(run.removed);
    let shown_to = after + i64::try_from(rows.len()).unwrap_or(0);
    let next = (shown_to < total && !rows.is_empty()).then(|| format!("{address}?after={shown_to}"));
    let previous = (after > 0).then(|| format!("{address}?after={}", (after - CHANGES).max(0)));
    let content = html! {
        (seen.crumbs(&manager))
        (head(&format!("Run {}", run.id), &html! { (result(&run)) }, &nothing()))
        div class="sections" {
            @if let Some(error) = &run.error {
                @let (tone, heading) = if run.outcome == "failed" { (Tone::Fail, "It stopped, and removed nothing") } else { (Tone::Warn, "Part of it waits for you") };
                (callout(tone, heading, &html! { p dir="auto" { (sentence(error)) } }))
            }
            @for notice in &run.notices { (callout(Tone::Warn, "The platform does not show everything", &html! { p dir="auto" { (sentence(notice)) } })) }
            section aria-label="Facts" { (facts(&run)) }
            section aria-labelledby="h-c" {
                h2 id="h-c" { "What it changed" }
                @if rows.is_empty() { p { "Nothing." } } @else { (diff(&rows)) }
                @if next.is_some() || previous.is_some() {
                    (pager(&format!("{} to {} of {}", number(after + 1), number(shown_to), counted(total, "change", "changes")), previous.as_deref(), next.as_deref()))
                }
            }
        }
    };
    Ok(layout::page(&manager.chrome(), Here::Syncs, &format!("Run {}", run.id), &content))
}

/// What a run took.
pub(super) fn facts(run: &Run) -> Markup {
    html! {
        dl class="kv" {
            dt { "Started by" } dd { (cause(run)) }
            dt { "Started" } dd { (absolute(run.started_at)) }
            dt { "Took" } dd { (duration(run.ended_at.since(run.started_at))) }
            dt { "Requests" }
            dd {
                (number(run.requests))
                @if run.unmodified > 0 { ", " (number(run.unmodified)) " of them answered with “not modified”" }
            }
            @if let Some(remaining) = run.remaining {
                dt { "Rate limit" }
                dd {
                    (counted(remaining, "request", "requests")) " left"
                    @if let Some(at) = run.resets_at { ", all again at " (absolute(at)) }
                }
            }
        }
    }
}
