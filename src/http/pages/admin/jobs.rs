//! Everything that happens in the background, as a list.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;
use url::form_urlencoded;

use crate::admin::jobs::{self, Counts, Filter, Group, Key, Listed, Page};
use crate::admin::organizations;
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::pages::components::{
    Flash, Tab, Tone, absolute, ago, counted, duration, head, nothing, number, pager, running, status, tabs,
};
use crate::http::pages::layout::{self, Here, csrf};
use crate::http::pages::respond::see_other;
use crate::http::visitor::Administers;
use crate::publish::request;
use crate::store::jobs::Job;
use crate::store::organizations::Organization;

/// Where the list is.
pub(super) const BASE: &str = "/admin/jobs";
/// Jobs on one page.
const SHOWN: usize = 50;

/// What the page's address asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    state: String,
    kind: String,
    org: String,
    after: String,
}

impl Asked {
    fn group(&self) -> Group {
        match self.state.as_str() {
            "failed" => Group::Failed,
            "done" => Group::Ended,
            _ => Group::Current,
        }
    }

    /// What is looked for; an organization that is not there finds what an unknown one has.
    fn filter(&self, all: &[Organization]) -> Filter {
        let kind = Some(self.kind.trim()).filter(|kind| !kind.is_empty()).map(str::to_owned);
        let org = all.iter().find(|one| one.slug == self.org).map(|one| one.id);
        Filter { kind, org }
    }

    /// The same question as an address, of another state or about the jobs after one.
    fn address(&self, state: &str, after: Option<Key>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("state", state), ("kind", &self.kind), ("org", &self.org)] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if let Some(Key { waits, at, id }) = after {
            query.append_pair("after", &format!("{}.{}.{id}", u8::from(waits), at.as_micros()));
        }
        match query.finish() {
            query if query.is_empty() => BASE.to_owned(),
            query => format!("{BASE}?{query}"),
        }
    }
}

fn key(text: &str) -> Option<Key> {
    let mut parts = text.splitn(3, '.');
    let waits = parts.next()? == "1";
    let at = Timestamp::from_micros(parts.next()?.parse().ok()?);
    Some(Key { waits, at, id: parts.next()?.parse().ok()? })
}

/// Answers `/admin/jobs`.
pub async fn list(
    administrator: Administers,
    asked: web::Query<Asked>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let all = organizations::all(&state.appliance).await?;
    let filter = asked.filter(&all);
    let page = jobs::page(&state.appliance, asked.group(), filter, key(&asked.after), SHOWN).await?;
    let content = content(&administrator, &page, &asked, &all, state.appliance.now());
    Ok(layout::page(&administrator.chrome(), Here::Jobs, "Jobs", &content))
}

/// Takes the form that retries everything that failed and that the filter finds.
pub async fn retry_failed(
    administrator: Administers,
    Form(asked): Form<Asked>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let all = organizations::all(&state.appliance).await?;
    let retried = jobs::retry_failed(&state.appliance, &administrator.actor(), asked.filter(&all)).await?;
    let count = counted(i64::try_from(retried).unwrap_or(i64::MAX), "job is", "jobs are");
    let flash = Flash { good: true, text: format!("{count} queued again.") };
    Ok(see_other(&asked.address("", None), Some(&flash)))
}

fn content(who: &Administers, page: &Page, asked: &Asked, all: &[Organization], now: Timestamp) -> Markup {
    let Counts { running, waiting, failed, ended } = page.counts;
    let group = asked.group();
    let tab = |label: &str, state: &str, count: i64, shows: Group| Tab {
        address: asked.address(state, None),
        label: label.to_owned(),
        count: Some(count),
        current: group == shows,
    };
    let views = [
        tab("Current", "", running + waiting, Group::Current),
        tab("Failed", "failed", failed, Group::Failed),
        tab("Done", "done", ended, Group::Ended),
    ];
    let retry = html! {
        form method="post" action={ (BASE) "/retry" } {
            (csrf(&who.csrf))
            input type="hidden" name="kind" value=(asked.kind);
            input type="hidden" name="org" value=(asked.org);
            button class="btn" { "Retry all failed" }
        }
    };
    let under = html! { "Everything that happens in the background, with its log. Nothing here is lost by a restart." };
    let total = match group {
        Group::Current => running + waiting,
        Group::Failed => failed,
        Group::Ended => ended,
    };
    let state = match group {
        Group::Current => "",
        Group::Failed => "failed",
        Group::Ended => "done",
    };
    let found = counted(total, "job", "jobs");
    let next = page.next.map(|after| asked.address(state, Some(after)));
    let first = (!asked.after.is_empty()).then(|| asked.address(state, None));
    html! {
        (head("Jobs", &under, &(if failed > 0 { retry } else { nothing() })))
        (tabs("Jobs by state", &views))
        @if all.len() > 1 || page.kinds.len() > 1 { (filters(page, asked, all, state)) }
        div data-results=(found) {
            @if page.jobs.is_empty() {
                (none(group, asked, state))
            } @else {
                (table(&page.jobs, group, all.len() > 1, now))
                @if next.is_some() || first.is_some() { (pager(&found, first.as_deref(), next.as_deref())) }
            }
        }
    }
}

fn none(group: Group, asked: &Asked, state: &str) -> Markup {
    let filtered = !asked.kind.is_empty() || !asked.org.is_empty();
    let text = match group {
        Group::Current => "Nothing runs and nothing waits.",
        Group::Failed => "Nothing has failed.",
        Group::Ended => "Nothing was done in the last day: jobs that ended well are kept for that long.",
    };
    html! {
        @if filtered {
            p { "No job fits. " a href=(Asked::default().address(state, None)) { "Clear the filter" } }
        } @else {
            p class="muted" { (text) }
        }
    }
}

fn filters(page: &Page, asked: &Asked, all: &[Organization], state: &str) -> Markup {
    html! {
        form class="filters" method="get" action=(BASE) data-filter role="search" aria-label="Filter the jobs" {
            @if !state.is_empty() { input type="hidden" name="state" value=(state); }
            @if page.kinds.len() > 1 {
                div class="field half" {
                    label for="j-k" { "Kind" }
                    select id="j-k" name="kind" {
                        option value="" { "Any" }
                        @for kind in &page.kinds { option value=(kind) selected[*kind == asked.kind] { (verb(kind)) } }
                    }
                }
            }
            @if all.len() > 1 {
                div class="field half" {
                    label for="j-o" { "Organization" }
                    select id="j-o" name="org" {
                        option value="" { "All" }
                        @for one in all { option value=(one.slug) selected[one.slug == asked.org] { (one.name) } }
                    }
                }
            }
            button class="btn" { "Filter" }
        }
    }
}

fn table(all: &[Listed], group: Group, of_several: bool, now: Timestamp) -> Markup {
    let caption = if group == Group::Current { "Jobs, running first" } else { "Jobs, newest first" };
    html! {
        table class="table" {
            caption class="sr" { (caption) }
            thead {
                tr {
                    th scope="col" class="wide" { "Job" }
                    th scope="col" { "State" }
                    @if of_several { th scope="col" { "Organization" } }
                    th scope="col" class="nowrap" { (if group == Group::Current { "Since" } else { "Ended" }) }
                    th scope="col" class="num" { "Took" }
                    th scope="col" class="num" { "Try" }
                }
            }
            tbody {
                @for listed in all {
                    @let job = &listed.job;
                    tr {
                        th scope="row" class="wide" {
                            a href={ (BASE) "/" (job.id) } { (title(listed)) }
                            span class="sub" dir="auto" { (job.error.as_deref().filter(|error| !error.is_empty()).unwrap_or(cause(job))) }
                        }
                        td data-label="State" class="nowrap" { (state_of(job, now)) }
                        @if of_several { td data-label="Organization" { (listed.organization.as_deref().unwrap_or("")) } }
                        td data-label=(if group == Group::Current { "Since" } else { "Ended" }) class="nowrap" { (ago(since(job), now)) }
                        td data-label="Took" class="num" { (took(job, now).unwrap_or_default()) }
                        td data-label="Try" class="num" { @if job.attempt > 0 { (number(job.attempt)) } }
                    }
                }
            }
        }
    }
}

/// What a job does, as people say it.
pub(super) fn title(listed: &Listed) -> String {
    let about = listed.package.as_deref().unwrap_or("a package that was removed");
    match listed.job.kind.as_str() {
        request::KIND => format!("Update {about}"),
        other if listed.package.is_some() => format!("{} {about}", verb(other)),
        other => verb(other),
    }
}

fn verb(kind: &str) -> String {
    let mut words = kind.replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

/// Why there is the job.
pub(super) fn cause(job: &Job) -> &'static str {
    match job.lane.as_str() {
        "hook" => "a webhook told of a push",
        "prompt" => "somebody asked for it",
        _ => "it was due by schedule",
    }
}

/// A job's state with its tone.
pub(super) fn state_of(job: &Job, now: Timestamp) -> Markup {
    match job.state.as_str() {
        "running" => running("Running"),
        "ready" if job.attempt > 0 && job.error.is_some() => {
            status(Tone::Warn, &format!("Tries again {}", at(job.run_at, now)))
        }
        "ready" if job.run_at > now => status(Tone::Pend, &format!("Due {}", at(job.run_at, now))),
        "ready" => status(Tone::Pend, "Waiting"),
        "done" => status(Tone::Ok, "Done"),
        "failed" => status(Tone::Fail, "Failed"),
        _ => status(Tone::Neutral, "Cancelled"),
    }
}

/// `at 13:24`, and the day if that is not today.
fn at(at: Timestamp, now: Timestamp) -> String {
    let (text, today) = (absolute(at), absolute(now));
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(time)) if today.starts_with(day) => format!("at {time}"),
        (Some(day), Some(time)) => format!("{day} {time}"),
        _ => text,
    }
}

fn since(job: &Job) -> Timestamp {
    match job.state.as_str() {
        "running" => job.started_at.unwrap_or(job.created_at),
        "ready" => job.created_at,
        _ => job.finished_at.unwrap_or(job.created_at),
    }
}

/// How long the last try took, or takes.
pub(super) fn took(job: &Job, now: Timestamp) -> Option<String> {
    let end = match job.state.as_str() {
        "running" => now,
        "ready" => return None,
        _ => job.finished_at?,
    };
    Some(duration(end.since(job.started_at?)))
}

#[cfg(test)]
mod tests {
    use super::{Asked, Key, at, key, verb};
    use crate::clock::Timestamp;

    #[test]
    fn the_question_survives_its_address() {
        let asked = Asked { org: "a&b".to_owned(), ..Asked::default() };
        let after = Key { waits: true, at: Timestamp::from_micros(-7), id: 3 };
        assert_eq!(asked.address("failed", Some(after)), "/admin/jobs?state=failed&org=a%26b&after=1.-7.3");
        assert_eq!(key("1.-7.3"), Some(after));
        assert_eq!(Asked::default().address("", None), "/admin/jobs");
        for wrong in ["", "1", "1.x.3", "1.2", "0.1.2.3"] {
            assert_eq!(key(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times_name_the_day_unless_it_is_today() {
        let now = Timestamp::from_seconds(86_400 * 20_000 + 3_600);
        assert_eq!(at(now, now), "at 01:00");
        assert_eq!(at(Timestamp::from_seconds(86_400 * 20_001), now), "2024-10-05 00:00");
        assert_eq!(verb("update_package"), "Update package");
    }
}
