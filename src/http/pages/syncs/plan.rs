//! What a run would change, before it does: the preview, and the part that waits for a yes.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use maud::{Markup, html};

use super::super::components::{Tone, callout, counted, head, nothing, snippet_bare};
use super::super::forms::sentence;
use super::super::layout::{self, Here, csrf};
use super::{Path, Seen};
use crate::http::State;
use crate::http::page_error::PageError;
use crate::http::visitor::Manages;
use crate::sync::change::{Action, Change, Item};
use crate::sync::plan::Plan;
use crate::sync::request::SyncKey;
use crate::sync::run::{self, Held};

/// How long a page waits for the platform; the command waits for as long as it takes.
const PATIENCE: Duration = Duration::from_secs(90);
/// How many changes are shown at once.
pub(super) const SHOWN: usize = 200;

/// A change as lists show it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// `add`, `change` or `remove`.
    pub(super) action: String,
    /// What kind of thing it is about.
    pub(super) kind: String,
    /// What people call it.
    pub(super) name: String,
    /// The rest, in words.
    pub(super) detail: String,
}

impl From<&Change> for Row {
    fn from(change: &Change) -> Self {
        Self {
            action: change.action.as_str().to_owned(),
            kind: change.kind.as_str().to_owned(),
            name: change.name.clone(),
            detail: change.detail.clone(),
        }
    }
}

/// What of a synchronization waits for a yes.
pub(super) fn held(stored: Option<&str>) -> Vec<Row> {
    let held = stored.map(Held::read).unwrap_or_default();
    let row = |(action, item): (Action, Item)| Row {
        action: action.as_str().to_owned(),
        kind: item.kind.as_str().to_owned(),
        name: item.name,
        detail: item.detail,
    };
    held.changes.into_iter().map(row).collect()
}

/// How many of the changes do what.
pub(super) fn tally(rows: &[Row]) -> Markup {
    let count = |action: Action| rows.iter().filter(|row| row.action == action.as_str()).count();
    let words =
        [(Action::Add, "ok", "to add"), (Action::Change, "warn", "to change"), (Action::Remove, "fail", "to remove")];
    let some = words.map(|(action, tone, words)| (count(action), tone, words));
    html! {
        span class="small" {
            @for (index, (count, tone, words)) in some.into_iter().filter(|(count, ..)| *count > 0).enumerate() {
                @if index > 0 { ", " }
                span class={ (tone) " tone" } { (count) " " (words) }
            }
        }
    }
}

/// The changes, one a line.
pub(super) fn diff(rows: &[Row]) -> Markup {
    html! {
        ul class="diff" {
            @for row in rows {
                @let (class, word) = match row.action.as_str() {
                    "add" => ("add ok", "Add: "),
                    "remove" => ("remove fail", "Remove: "),
                    _ => ("change warn", "Change: "),
                };
                li class=(class) {
                    span class="kind" { (row.kind) }
                    span class="what" {
                        span class="sr" { (word) }
                        span class="name" dir="auto" { (row.name) }
                        @if !row.detail.is_empty() { " " span class="detail" dir="auto" { (row.detail) } }
                    }
                }
            }
        }
    }
}

/// Removals first, because they are what one looks for; and no more than a page holds.
pub(super) fn section(id: &str, heading: &str, mut rows: Vec<Row>) -> Markup {
    rows.sort_by_key(|row| match row.action.as_str() {
        "remove" => 0,
        "change" => 1,
        _ => 2,
    });
    let tally = tally(&rows);
    let more = rows.len().saturating_sub(SHOWN);
    rows.truncate(SHOWN);
    html! {
        section aria-labelledby=(id) {
            div class="head" { h2 id=(id) { (heading) } (tally) }
            (diff(&rows))
            @if more > 0 { p class="pager" { span { "and " (counted(i64::try_from(more).unwrap_or(i64::MAX), "more change", "more changes")) } } }
        }
    }
}

/// Answers `…/plan`: reads the organization on the platform, and shows what a run would change.
pub async fn preview(manager: Manages, path: Path, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(&manager, &state, path.1).await?;
    let key = SyncKey { org: manager.org(), sync: seen.sync.id };
    let read = tokio::time::timeout(PATIENCE, run::preview(&state.appliance, key)).await;
    let is_first = seen.sync.last_run_at.is_none();
    let heading = if is_first { "What the first run would bring" } else { "What the next run would change" };
    let under = html! { "Read from the platform just now. Nothing was changed." };
    let content = html! {
        (seen.crumbs(&manager))
        @match &read {
            Ok(Ok(plan)) => {
                (head(heading, &under, &nothing()))
                div class="sections" { (planned(plan, is_first)) (begin(&manager, &seen, is_first)) }
            }
            Ok(Err(error)) => {
                (head(heading, &nothing(), &nothing()))
                div class="sections" {
                    (callout(Tone::Fail, "The organization could not be read", &html! {
                        p dir="auto" { (sentence(&error.to_string())) }
                        p { "Nothing was changed." }
                    }))
                    div class="row" { a class="btn" href={ (seen.address) "/plan" } { "Read it again" } a class="btn" href=(seen.address) { "Back to the synchronization" } }
                }
            }
            Err(_) => {
                (head(heading, &nothing(), &nothing()))
                div class="sections" {
                    (callout(Tone::Warn, "It takes longer than a page waits for", &html! {
                        p { "The organization is large, or the platform is slow. Nothing was changed. The command waits until it is read:" }
                        (snippet_bare("plan", "Shell", &format!("packagist-selfhosted sync plan {} --org {}", seen.sync.id, manager.organization.slug)))
                    }))
                    (begin(&manager, &seen, is_first))
                }
            }
        }
    };
    Ok(layout::page(&manager.chrome(), Here::Syncs, heading, &content))
}

fn planned(plan: &Plan, is_first: bool) -> Markup {
    let rows = |changes: &[Change]| changes.iter().map(Row::from).collect::<Vec<_>>();
    html! {
        @for notice in &plan.notices { (callout(Tone::Warn, "The platform does not show everything", &html! { p dir="auto" { (sentence(notice)) } })) }
        @if !plan.held.is_empty() {
            (callout(Tone::Warn, "Part of it would wait for you", &html! {
                @for why in &plan.because { p dir="auto" { (sentence(why)) } }
            }))
            (section("h-held", "What would wait", rows(&plan.held)))
        }
        @if plan.changes.is_empty() && plan.held.is_empty() {
            p { @if is_first { "There is nothing there that could come here: no repository with a composer.json, no team, no member." } @else { "Everything here is as it is there." } }
        } @else if !plan.changes.is_empty() {
            (section("h-plan", "What it would do", rows(&plan.changes)))
        }
    }
}

/// What leads on from the preview.
fn begin(manager: &Manages, seen: &Seen, is_first: bool) -> Markup {
    html! {
        form class="row" method="post" action={ (seen.address) "/start" } {
            (csrf(&manager.who.csrf))
            button class="btn primary" { @if is_first { "Synchronize it" } @else { "Run it now" } }
            a class="btn" href=(seen.address) { @if is_first { "Not yet" } @else { "Back to the synchronization" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Row, held, section};

    #[test]
    fn names_are_escaped_and_what_cannot_be_read_is_nothing() {
        let row = |action: &str| Row {
            action: action.to_owned(),
            kind: "package".to_owned(),
            name: "acme/<b>".to_owned(),
            detail: "no longer listed".to_owned(),
        };
        let html = section("h", "Held", vec![row("remove")]).into_string();
        assert!(html.contains("acme/&lt;b&gt;") && html.contains("1 to remove"), "{html}");
        assert!(held(Some("nonsense")).is_empty() && held(None).is_empty());
    }

    #[test]
    fn a_large_plan_shows_its_removals_first_and_says_how_much_more_there_is() {
        let row = |action: &str, number: usize| Row {
            action: action.to_owned(),
            kind: "member".to_owned(),
            name: format!("person{number}"),
            detail: String::new(),
        };
        let mut rows: Vec<_> = (0..300).map(|number| row("add", number)).collect();
        rows.push(row("remove", 999));
        let html = section("h", "Plan", rows).into_string();
        let first = html.split("<li").nth(1).unwrap_or_default();
        assert!(first.contains("person999") && html.contains("and 101 more changes"), "{first}");
    }
}
