//! One job: why there is it, how it goes, and what it says while it works.

use std::cell::Cell;
use std::rc::Rc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::{HttpResponse, web};
use maud::{Markup, html};

use super::jobs::{BASE, cause, state_of, title, took};
use crate::admin;
use crate::admin::jobs::{self, Detail, Line};
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::cache::Cache;
use crate::http::live::{self, Look, Message};
use crate::http::page_error::PageError;
use crate::http::pages::components::{Flash, Tone, absolute, ago, callout, number};
use crate::http::pages::layout::{self, Here, csrf};
use crate::http::pages::respond::see_other;
use crate::http::visitor::Administers;
use crate::jobs::ATTEMPTS;
use crate::store::ids::JobId;
use crate::store::job_lines::KEPT;

async fn find(who: &Administers, state: &State, id: i64, after: i64) -> Result<Detail, PageError> {
    jobs::show(&state.appliance, JobId(id), after).await.map_err(|error| match error {
        admin::Error::NotFound(_) => who.not_found(),
        error => error.into(),
    })
}

/// Answers `/admin/jobs/{job}`.
pub async fn show(
    administrator: Administers,
    path: web::Path<i64>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let detail = find(&administrator, &state, *path, 0).await?;
    let content = content(&administrator, &detail, state.appliance.now());
    Ok(layout::page(&administrator.chrome(), Here::Jobs, &title(&detail.listed), &content))
}

/// Answers `/admin/jobs/{job}/events`: the job's state and its log as they grow.
pub async fn events(
    administrator: Administers,
    path: web::Path<i64>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let id = JobId(*path);
    find(&administrator, &state, *path, i64::MAX).await?;
    let (appliance, told) = (state.appliance.clone(), Rc::new(Cell::new(0)));
    Ok(live::stream(&state, move || {
        let (appliance, told) = (appliance.clone(), Rc::clone(&told));
        async move {
            let detail = jobs::show(&appliance, id, told.get()).await?;
            Ok::<_, admin::Error>(look(&detail, &told, appliance.now()))
        }
    }))
}

/// What is new: the whole log at first, because a browser that comes again does not say how much of it it has.
fn look(detail: &Detail, told: &Cell<i64>, now: Timestamp) -> Look {
    let mut messages = vec![Message::replace("job-facts", facts(detail, now))];
    if told.get() == 0 {
        messages.push(Message::replace("job-log", log(&detail.lines)));
    } else if !detail.lines.is_empty() {
        messages.push(Message::append("job-log", html! { @for line in &detail.lines { (row(line)) } }));
    }
    if let Some(last) = detail.lines.last() {
        told.set(last.number);
    }
    Look { messages, over: !is_live(detail) }
}

fn is_live(detail: &Detail) -> bool {
    matches!(detail.listed.job.state.as_str(), "running" | "ready")
}

fn content(who: &Administers, detail: &Detail, now: Timestamp) -> Markup {
    let job = &detail.listed.job;
    let live = is_live(detail).then(|| format!("{BASE}/{}/events", job.id));
    html! {
        nav class="crumbs" aria-label="Breadcrumb" { a href=(BASE) { "Jobs" } " /" }
        div class="head" {
            div { h1 dir="auto" { (title(&detail.listed)) } }
            div class="row" { (actions(who, detail)) }
        }
        div class="sections" data-live=[live] {
            @if let (Some(error), false) = (&job.error, job.state == "running") {
                @if !error.is_empty() { (trouble(&job.state, error)) }
            }
            section aria-label="Facts" { (facts(detail, now)) }
            section aria-labelledby="h-log" {
                div class="head" {
                    h2 id="h-log" { "Log" }
                    @if is_live(detail) { div class="row" { span class="muted small" data-live-state { } } }
                }
                div role="log" aria-label={ "Log of job " (job.id) } tabindex="0" class="log" { (log(&detail.lines)) }
                p class="muted small gap" {
                    @if is_live(detail) { a href={ (BASE) "/" (job.id) } { "Reload" } " for the newest lines, or " } @else { "You can " }
                    a href={ (BASE) "/" (job.id) "/log" } { "open the log as text" }
                    ". The newest " (number(KEPT)) " lines are kept, as long as the job is."
                }
            }
        }
    }
}

fn trouble(state: &str, error: &str) -> Markup {
    let (tone, heading) = match state {
        "failed" => (Tone::Fail, "It failed, and is not tried again by itself"),
        "done" => (Tone::Warn, "Its last try failed, and a newer job took its place"),
        _ => (Tone::Warn, "The last try failed"),
    };
    callout(tone, heading, &html! { p dir="auto" { (error) } })
}

/// Cancelling destroys nothing, so that nothing has to be confirmed; what it keeps is said beside the button.
fn actions(who: &Administers, detail: &Detail) -> Markup {
    let job = &detail.listed.job;
    let live = is_live(detail);
    let (verb, words) = if live { ("cancel", "Cancel") } else { ("retry", "Do it again") };
    html! {
        @if live { span class="muted small" { "Cancelling keeps what is published and fetched." } }
        form method="post" action={ (BASE) "/" (job.id) "/" (verb) } {
            (csrf(&who.csrf))
            button class="btn" { (words) }
        }
    }
}

fn facts(detail: &Detail, now: Timestamp) -> Markup {
    let (listed, job) = (&detail.listed, &detail.listed.job);
    html! {
        dl class="kv" id="job-facts" {
            dt { "State" } dd { (state_of(job, now)) }
            dt { "Cause" } dd { (sentence(cause(job))) ", " (ago(job.created_at, now)) }
            @if let Some(package) = &listed.package {
                dt { "Package" }
                dd {
                    @match &listed.organization {
                        Some(slug) if listed.named => a class="mono" href={ "/orgs/" (slug) "/packages/" (package) } { (package) },
                        _ => span class="mono" { (package) },
                    }
                }
            }
            @if let Some(slug) = &listed.organization { dt { "Organization" } dd { a href={ "/orgs/" (slug) } { (slug) } } }
            dt { "Job" }
            dd {
                span class="mono" { (job.id) }
                @if job.attempt > 0 { ", try " (number(job.attempt)) " of " (number(ATTEMPTS)) }
            }
            @if let Some(started) = job.started_at { dt { "Last try" } dd { "began " (absolute(started)) } }
            @if let Some(took) = took(job, now) { dt { "Took" } dd { (took) } }
            @if let Some(ended) = job.finished_at { dt { "Ended" } dd { (absolute(ended)) } }
        }
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

pub(in super::super) fn log(lines: &[Line]) -> Markup {
    html! {
        ol id="job-log" class="plain" {
            @for line in lines { (row(line)) }
            @if lines.is_empty() { li { time { } span class="muted" { "Nothing was said yet." } } }
        }
    }
}

pub(in super::super) fn row(line: &Line) -> Markup {
    html! {
        li class=[(line.level != "info").then_some(&line.level)] {
            time datetime=(line.at.to_string()) title=(absolute(line.at)) { (time_of_day(line.at)) }
            span dir="auto" { (line.text) }
        }
    }
}

/// `13:21:02.114`, to the millisecond.
fn time_of_day(at: Timestamp) -> String {
    let micros = at.as_micros().rem_euclid(86_400_000_000);
    let (seconds, millis) = (micros / 1_000_000, micros % 1_000_000 / 1_000);
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// Answers `/admin/jobs/{job}/log`: the log as text.
pub async fn text(
    administrator: Administers,
    path: web::Path<i64>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let detail = find(&administrator, &state, *path, 0).await?;
    let lines = detail.lines.iter().map(|line| format!("{} {} {}\n", line.at, line.level, line.text));
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")))
        .insert_header((CACHE_CONTROL, Cache::Never.header()))
        .insert_header((X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .body(lines.collect::<String>()))
}

/// Takes the form that does it again.
pub async fn retry(
    administrator: Administers,
    path: web::Path<i64>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let result = jobs::retry(&state.appliance, &administrator.actor(), JobId(*path)).await;
    answer(&administrator, *path, result, "The job is queued again.")
}

/// Takes the form that cancels it.
pub async fn cancel(
    administrator: Administers,
    path: web::Path<i64>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let result = jobs::cancel(&state.appliance, &administrator.actor(), JobId(*path)).await;
    answer(&administrator, *path, result, "The job is cancelled. What is published and fetched stays as it is.")
}

/// A job that went on meanwhile is no mistake of whoever pressed the button.
fn answer(who: &Administers, id: i64, result: admin::Result<()>, done: &str) -> Result<HttpResponse, PageError> {
    let flash = match result {
        Ok(()) => Flash { good: true, text: done.to_owned() },
        Err(admin::Error::Conflict(text)) => Flash { good: false, text: format!("{}.", sentence(&text.to_string())) },
        Err(admin::Error::NotFound(_)) => return Err(who.not_found()),
        Err(error) => return Err(error.into()),
    };
    Ok(see_other(&format!("{BASE}/{id}"), Some(&flash)))
}

#[cfg(test)]
mod tests {
    use super::time_of_day;
    use crate::clock::Timestamp;

    #[test]
    fn lines_tell_their_time_to_the_millisecond() {
        assert_eq!(time_of_day(Timestamp::from_micros(86_400_000_000 * 3 + 48_062_114_900)), "13:21:02.114");
    }
}
