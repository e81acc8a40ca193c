//! One synchronization: how it goes, what waits, what it read last, and whether the platform tells of changes.

use std::cell::Cell;
use std::rc::Rc;

use actix_web::{HttpResponse, web};
use maud::{Markup, html};

use super::super::admin::job as job_page;
use super::super::components::{
    Tone, ago, ago_or_never, badge, callout, counted, head, nothing, number, running, snippet_bare, status,
};
use super::super::forms::sentence;
use super::super::layout::{self, Here, csrf};
use super::{Path, Seen, base, hook_state, is_ageing, is_owner, plan, runs, state_of};
use crate::admin::platform_hooks::{self, Listed};
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::live::{self, Look, Message};
use crate::http::page_error::PageError;
use crate::http::visitor::Manages;
use crate::store::job_lines::{self, Line};
use crate::store::jobs::Job;
use crate::store::platform_deliveries::{self, Shown};
use crate::store::sync_lists::{self, Which};
use crate::store::sync_runs::{self, Run};
use crate::store::syncs::{self, Counts, Sync};
use crate::store::{self};

/// Runs that the page shows.
const RUNS: i64 = 5;
/// Deliveries that it shows.
const DELIVERIES: i64 = 8;
/// Hooks that are named one by one.
const HOOKS: usize = 20;

/// What the page shows beside the synchronization itself.
struct Facts {
    counts: Counts,
    /// All repositories, and those that are no package.
    repositories: (i64, i64),
    runs: Vec<Run>,
    work: Option<Job>,
    lines: Vec<Line>,
    deliveries: Vec<Shown>,
}

/// Answers `/orgs/{org}/syncs/{sync}`.
pub async fn show(manager: Manages, path: Path, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(&manager, &state, path.1).await?;
    let (org, id, now) = (manager.org(), seen.sync.id, state.appliance.now());
    let hooks = platform_hooks::list(&state.appliance, org, Some(id)).await?;
    let facts = state.appliance.database.read(move |db| {
        let work = sync_lists::work(org, db, id)?;
        let lines = match &work {
            Some(job) => job_lines::after(db, job.id, 0)?,
            None => Vec::new(),
        };
        Ok::<_, store::Error>(Facts {
            counts: syncs::counts(org, db, id)?,
            repositories: (
                sync_lists::count_repositories(org, db, id, (Which::All, ""))?,
                sync_lists::count_repositories(org, db, id, (Which::Others, ""))?,
            ),
            runs: sync_runs::newest(org, db, id, None, RUNS)?,
            work,
            lines,
            deliveries: platform_deliveries::newest(org, db, id, DELIVERIES)?,
        })
    });
    let facts = facts.await?;
    let site = state.integration(&seen.sync.integration).map(|one| one.url.clone()).unwrap_or_default();
    let under = html! {
        "Repositories, teams, members and permissions of " span class="mono" dir="auto" { (seen.sync.remote) }
        @if !site.is_empty() { " on " span class="mono" { (site) } } "."
        @if seen.sync.primary { " Primary: its owners are the owners here." }
    };
    let content = html! {
        nav class="crumbs" aria-label="Breadcrumb" { a href=(base(&manager)) { "Synchronizations" } " /" }
        (head(&seen.title, &under, &actions(&manager, &seen)))
        div class="sections" {
            (progress(&seen, &facts, now))
            (troubles(&manager, &seen, &state, now))
            (figures(&seen, &facts, now))
            (history(&seen, &facts, now))
            (hooks_section(&manager, &seen, &hooks, &facts.deliveries, now))
            (terms(&manager, &seen, &state))
        }
    };
    Ok(layout::page(&manager.chrome(), Here::Syncs, &seen.title, &content))
}

fn actions(manager: &Manages, seen: &Seen) -> Markup {
    html! {
        @if seen.sync.running {
            form method="post" action={ (seen.address) "/stop" } { (csrf(&manager.who.csrf)) button class="btn" { "Stop the run" } }
        }
        a class="btn" href={ (seen.address) "/plan" } { "Preview the next run" }
        @if seen.sync.paused_at.is_none() {
            form method="post" action={ (seen.address) "/run" } { (csrf(&manager.who.csrf)) button class="btn" { "Run now" } }
        }
    }
}

/// Answers `…/events`: how the run goes, and its end.
pub async fn events(manager: Manages, path: Path, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(&manager, &state, path.1).await?;
    let (org, id, told) = (manager.org(), seen.sync.id, Rc::new(Cell::new((0, 0))));
    let (database, clock) = (state.appliance.database.clone(), state.appliance.clock.clone());
    Ok(live::stream(&state, move || {
        let (database, clock, told) = (database.clone(), clock.clone(), Rc::clone(&told));
        async move {
            let (job, number) = told.get();
            let read = database.read(move |db| {
                let work = sync_lists::work(org, db, id)?;
                let after = work.as_ref().map_or(0, |one| if one.id.0 == job { number } else { 0 });
                let lines = work.as_ref().map(|one| job_lines::after(db, one.id, after)).transpose()?;
                Ok::<_, store::Error>(work.map(|work| (work, after, lines.unwrap_or_default())))
            });
            let Some((work, after, lines)) = read.await? else {
                return Ok::<_, store::Error>(Look { over: true, ..Look::default() });
            };
            let mut messages = vec![Message::replace("sync-state", work_state(&work, clock.now()))];
            if after == 0 {
                messages.push(Message::replace("job-log", job_page::log(&lines)));
            } else if !lines.is_empty() {
                messages.push(Message::append("job-log", html! { @for line in &lines { (job_page::row(line)) } }));
            }
            told.set((work.id.0, lines.last().map_or(after, |line| line.number)));
            Ok(Look { messages, over: !is_near(&work, clock.now()) })
        }
    }))
}

/// Whether a run is under way, or about to begin.
fn is_near(work: &Job, now: Timestamp) -> bool {
    work.state == "running" || work.run_at <= now
}

fn work_state(work: &Job, now: Timestamp) -> Markup {
    html! {
        span id="sync-state" {
            @if work.state == "running" {
                (running("The organization is being read and compared"))
                @if let Some(started) = work.started_at { " " span class="muted small" { "since " (ago(started, now)) } }
            } @else if work.run_at > now {
                (status(Tone::Pend, "The next run waits"))
                " " span class="muted small" { "it begins " (ago(work.run_at, now)) }
                @if let Some(error) = &work.error { ": " span dir="auto" { (error) } }
            } @else {
                (status(Tone::Pend, "Waits for its turn"))
            }
        }
    }
}

/// The run that is under way, with what it says.
fn progress(seen: &Seen, facts: &Facts, now: Timestamp) -> Markup {
    let Some(work) = &facts.work else { return waiting(&seen.sync, now) };
    let is_near = is_near(work, now);
    let live = is_near.then(|| format!("{}/events", seen.address));
    html! {
        section aria-labelledby="h-run" data-live=[live] {
            div class="head" {
                h2 id="h-run" { (work_state(work, now)) }
                @if is_near { span class="muted small" data-live-state { } }
            }
            @if is_near {
                div role="log" aria-label="Log of the run" tabindex="0" class="log" { (job_page::log(&facts.lines)) }
                p class="muted small gap" { "Without live updates, " a href=(seen.address) { "reload this page" } ". Nothing is removed before everything was read." }
            }
        }
    }
}

/// Until when it waits because the platform wanted that, where nothing is queued.
fn waiting(sync: &Sync, now: Timestamp) -> Markup {
    let Some(at) = sync.resumes_at(now) else { return nothing() };
    html! {
        section aria-labelledby="h-run" {
            div class="head" {
                h2 id="h-run" {
                    (status(Tone::Pend, "The next run waits")) " " span class="muted small" { "it begins " (ago(at, now)) }
                    @if let Some(error) = &sync.error { ": " span dir="auto" { (error) } }
                }
            }
        }
    }
}

/// What needs somebody, on the synchronization's own page.
fn troubles(manager: &Manages, seen: &Seen, state: &State, now: Timestamp) -> Markup {
    let sync = &seen.sync;
    html! {
        @if let Some(since) = sync.stale_at {
            (callout(Tone::Fail, "What it found does not count any more", &html! {
                p { "Since " (ago(since, now)) ", because everything was last read " (ago_or_never(sync.confirmed_at, now)) ". People see only what was given to them here. A run that gets through gives back the rest." }
            }))
        } @else if is_ageing(state, sync, now) {
            (callout(Tone::Warn, "Nothing has confirmed for long who may see what", &html! {
                p { "Everything was last read " (ago_or_never(sync.confirmed_at, now)) ". If that goes on, what it found stops to count: " code { "jobs.access_max_age" } " in the configuration says when." }
            }))
        }
        @if let Some(since) = sync.suspended_at { (shut_out(sync, since, now)) }
        @if sync.outcome.as_deref() == Some("failed") {
            (callout(Tone::Fail, "The last run stopped, and removed nothing", &html! {
                p dir="auto" { (sentence(sync.error.as_deref().unwrap_or("nobody knows why"))) }
                p { @if let Some(read) = sync.confirmed_at { "What is here stays as it was " (ago(read, now)) ". " } @else { "Nothing was read yet. " } (credential_link(manager, sync)) }
            }))
        }
        @if let Some(digest) = &sync.held_digest { (held(manager, seen, digest, now)) }
        @if sync.paused_at.is_some() && sync.last_run_at.is_none() {
            (callout(Tone::Pend, "It has not begun", &html! {
                p { "Nothing was read into this organization yet." }
                div class="row" { a class="btn primary" href={ (seen.address) "/plan" } { "Preview what it would bring" } }
            }))
        } @else if let Some(since) = sync.paused_at {
            (callout(Tone::Pend, "It is paused", &html! { p { "Since " (ago(since, now)) ". What the platform changes since then is not followed." } }))
        }
    }
}

/// What it means that the platform does not let the GitHub App in.
fn shut_out(sync: &Sync, since: Timestamp, now: Timestamp) -> Markup {
    callout(
        Tone::Fail,
        "The GitHub App is shut out",
        &html! {
            p { "Since " (ago(since, now)) " its installation in " span class="mono" dir="auto" { (sync.remote) } " is suspended, or removed. An owner there lifts a suspension in the organization's settings, under GitHub Apps; the synchronization then goes on by itself. An App that was removed is installed once more, and its new installation gets a credential of its own." }
            p { "What is here stays installable. Who may see it counts as it was read last, " (ago_or_never(sync.confirmed_at, now)) ", until " code { "jobs.access_max_age" } " is over." }
        },
    )
}

fn credential_link(manager: &Manages, sync: &Sync) -> Markup {
    let Some(name) = &sync.credential_name else { return nothing() };
    html! { a href={ "/orgs/" (manager.organization.slug) "/credentials/" (name) } { "Test the credential " (name) } }
}

/// What waits for a yes, and the ways to decide.
fn held(manager: &Manages, seen: &Seen, digest: &str, now: Timestamp) -> Markup {
    let rows = plan::held(seen.sync.held_plan.as_deref());
    let count = counted(i64::try_from(rows.len()).unwrap_or(i64::MAX), "removal", "removals");
    html! {
        section aria-labelledby="h-h" {
            div class="callout fail" {
                h2 id="h-h" { (count) " wait for you" }
                @if let Some(why) = &seen.sync.error { p dir="auto" { (sentence(why)) } }
                p {
                    "None of that was removed; all else is followed."
                    @if let Some(since) = seen.sync.held_at { " It waits since " (ago(since, now)) "." }
                }
                p { "Most often the credential has lost access." }
                div class="row" {
                    @if let Some(name) = &seen.sync.credential_name {
                        a class="btn primary" href={ "/orgs/" (manager.organization.slug) "/credentials/" (name) } { "Test the credential" }
                    }
                    form method="post" action={ (seen.address) "/run" } { (csrf(&manager.who.csrf)) button class="btn" { "Read again" } }
                    @if is_owner(manager) {
                        form method="post" action={ (seen.address) "/accept" } {
                            (csrf(&manager.who.csrf))
                            input type="hidden" name="digest" value=(digest);
                            button class="btn danger" { "Apply these removals…" }
                        }
                    }
                }
                @if !is_owner(manager) { p class="small" { "An owner of the organization decides about it." } }
            }
        }
        (plan::section("h-plan", "What would go", rows))
    }
}

fn figures(seen: &Seen, facts: &Facts, now: Timestamp) -> Markup {
    let fact = |term: &str, value: Markup| html! { div { dt { (term) } dd { (value) } } };
    let last = facts.runs.first();
    html! {
        section aria-label="Figures" {
            p { (state_of(&seen.sync)) @if seen.sync.primary { " " (badge(Tone::Neutral, "primary")) } }
            dl class="facts gap" {
                (fact("Packages", html! {
                    a href={ (seen.address) "/repositories?show=packages" } { (number(facts.counts.packages)) }
                    " " small { "of " (counted(facts.repositories.0, "repository", "repositories")) }
                }))
                @if facts.repositories.1 > 0 {
                    (fact("No package", html! { a href={ (seen.address) "/repositories?show=others" } { (number(facts.repositories.1)) } " " small { "why" } }))
                }
                (fact("Teams", html! { (number(facts.counts.teams)) }))
                (fact("Members", html! { (number(facts.counts.members)) }))
                (fact("All read", html! { (ago_or_never(seen.sync.confirmed_at, now)) }))
                @if let Some(run) = last {
                    (fact("Requests", html! { (number(run.requests)) @if run.unmodified > 0 { " " small { (number(run.unmodified)) " not modified" } } }))
                    @if let Some(remaining) = run.remaining {
                        (fact("Rate limit left", html! { (number(remaining)) @if let Some(at) = run.resets_at.filter(|at| *at > now) { " " small { "all again " (ago(at, now)) } } }))
                    }
                }
            }
            @if let Some(run) = last { @for notice in &run.notices { div class="gap" { (callout(Tone::Warn, "The platform does not show everything", &html! { p dir="auto" { (sentence(notice)) } })) } } }
        }
    }
}

fn history(seen: &Seen, facts: &Facts, now: Timestamp) -> Markup {
    html! {
        section aria-labelledby="h-hist" {
            div class="head" {
                h2 id="h-hist" { "Runs" }
                @if !facts.runs.is_empty() { a class="small" href={ (seen.address) "/runs" } { "All runs" } }
            }
            @if facts.runs.is_empty() { p { "None yet." } } @else { (runs::table(&facts.runs, &seen.address, now)) }
        }
    }
}

fn hooks_section(manager: &Manages, seen: &Seen, hooks: &[Listed], deliveries: &[Shown], now: Timestamp) -> Markup {
    let well = hooks.iter().filter(|one| one.hook.state == "ok").count();
    // What is unwell first, then the organization's own.
    let mut shown: Vec<&Listed> = hooks.iter().collect();
    shown.sort_by_key(|one| (one.hook.state == "ok", one.hook.repository.is_some()));
    let more = shown.len().saturating_sub(HOOKS);
    shown.truncate(HOOKS);
    let amount = |count: usize| number(i64::try_from(count).unwrap_or(i64::MAX));
    html! {
        section aria-labelledby="h-hooks" {
            div class="head" {
                h2 id="h-hooks" { "Webhooks" }
                form method="post" action={ (seen.address) "/hooks" } { (csrf(&manager.who.csrf)) button class="btn small" { "Look after them now" } }
            }
            @if hooks.is_empty() {
                p { "None is installed: either the deliveries of a GitHub App come by themselves, or they are installed with the first run. Without any, changes are found at the interval of runs." }
            } @else {
                p class="gap-b" { (amount(well)) " of " (counted(i64::try_from(hooks.len()).unwrap_or(i64::MAX), "webhook", "webhooks")) " as they should be. They are installed, and mended, by themselves." }
                table class="table" {
                    caption class="sr" { "Webhooks on the platform" }
                    thead { tr { th scope="col" { "Of" } th scope="col" { "State" } th scope="col" class="nowrap" { "Last delivery" } th scope="col" class="nowrap" { "Looked after" } th scope="col" class="wide" { "What to know" } } }
                    tbody {
                        @for one in shown {
                            tr {
                                th scope="row" { span class="name" dir="auto" { (one.place) } @if one.hook.repository.is_none() { span class="sub" { "the whole organization" } } }
                                td data-label="State" { (hook_state(&one.hook.state)) }
                                td data-label="Last delivery" class="nowrap" { (ago_or_never(one.hook.last_delivery_at, now)) }
                                td data-label="Looked after" class="nowrap" { (ago_or_never(one.hook.checked_at, now)) }
                                td data-label="What to know" class="wide" dir="auto" {
                                    @if let Some(error) = &one.hook.error { (sentence(error)) " " }
                                    @if let Some(since) = one.hook.unsigned_since { "Since " (ago(since, now)) " calls come that are not signed with its secret." }
                                }
                            }
                        }
                    }
                }
                @if more > 0 { p class="pager" { span { "and " (amount(more)) " more" } } }
            }
            @if !deliveries.is_empty() {
                h3 class="gap" { "Last deliveries" }
                table class="table" {
                    caption class="sr" { "The newest deliveries, newest first" }
                    thead { tr { th scope="col" class="nowrap" { "Received" } th scope="col" { "Event" } th scope="col" class="wide" { "About" } th scope="col" { "Work" } } }
                    tbody {
                        @for one in deliveries {
                            tr {
                                th scope="row" class="nowrap" { (ago(one.received_at, now)) }
                                td data-label="Event" { span class="mono" { (one.event) } }
                                td data-label="About" class="wide" { span class="name" dir="auto" { (one.subject) } }
                                td data-label="Work" { (work_word(one.job.as_ref().map(|(_, state)| state.as_str()))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn work_word(state: Option<&str>) -> Markup {
    match state {
        Some("done") => status(Tone::Ok, "Done"),
        Some("failed") => status(Tone::Fail, "Failed"),
        Some("cancelled") => status(Tone::Neutral, "Cancelled"),
        Some(_) => status(Tone::Pend, "Under way"),
        None => status(Tone::Neutral, "Nothing to do"),
    }
}

/// What it reads with, and the ways to change or end it.
fn terms(manager: &Manages, seen: &Seen, state: &State) -> Markup {
    let sync = &seen.sync;
    let new_ones =
        if sync.packages == "new" { "those that are made from now on" } else { "all that have a composer.json" };
    html! {
        section aria-labelledby="h-t" {
            div class="head" { h2 id="h-t" { "Terms" } a class="small" href={ (seen.address) "/terms" } { "Change" } }
            dl class="kv" {
                dt { "Credential" }
                dd {
                    @match &sync.credential_name {
                        Some(name) => a class="mono" href={ "/orgs/" (manager.organization.slug) "/credentials/" (name) } { (name) },
                        None => "none any more",
                    }
                }
                @if seen.has_projects(state) {
                    dt { "Projects" }
                    dd { @if sync.projects.is_empty() { "all of the workspace" } @else { span class="mono" { (sync.project_keys().join(", ")) } } }
                }
                dt { "Repositories that become packages" } dd { (new_ones) }
                dt { "Public and internal repositories" } dd { (if sync.follow_visibility { "every member installs them" } else { "only who has a right in them" }) }
                @if seen.has_planners(state) {
                    dt { "Planners" } dd { (if sync.planners { "install packages" } else { "do not install packages: somebody has to be at least a reporter" }) }
                }
                dt { "Removals" } dd { "A run that would remove more than a fifth, and more than 5, of the packages, teams or members holds them and asks. What an event announced, or a direct question confirmed, goes at once." }
            }
            div class="row gap" {
                form method="post" action={ (seen.address) "/pause" } {
                    (csrf(&manager.who.csrf))
                    input type="hidden" name="paused" value=(if sync.paused_at.is_some() { "off" } else { "on" });
                    button class="btn" { @if sync.paused_at.is_some() { "Let it go on" } @else { "Pause it" } }
                }
                @if is_owner(manager) {
                    @if !sync.primary { a class="btn" href={ (seen.address) "/promote" } { "Make it the primary one…" } }
                    a class="btn danger" href={ (seen.address) "/remove" } { "Stop following…" }
                }
            }
            div class="gap" { (snippet_bare("run", "Shell", &format!("packagist-selfhosted sync run {} --org {} --wait", sync.id, manager.organization.slug))) }
        }
    }
}
