//! Why a repository is no package: every repository that a synchronization sees, with what became of it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;
use url::form_urlencoded;

use super::super::components::{Flash, Tab, Tone, ago, badge, counted, head, nothing, number, pager, status, tabs};
use super::super::forms::{Faults, sentence};
use super::super::layout::{self, Here, csrf};
use super::super::members::refusal;
use super::super::package;
use super::super::respond::see_other;
use super::{Path, Seen};
use crate::admin::syncs;
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::visitor::Manages;
use crate::store;
use crate::store::sync_lists::{self, Repository, Which};

/// Rows on one page.
const SHOWN: usize = 50;

/// The views of the table, with what they are called in addresses.
const VIEWS: [(&str, &str, Which); 4] = [
    ("", "All", Which::All),
    ("packages", "Packages", Which::Packages),
    ("others", "No package", Which::Others),
    ("gone", "Gone", Which::Gone),
];

/// What may come with the page.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    q: String,
    show: String,
    after: String,
    id: String,
}

impl Asked {
    fn which(&self) -> Which {
        VIEWS.iter().find(|(word, ..)| *word == self.show).map_or(Which::All, |(_, _, which)| *which)
    }

    /// The page's query, for a view and from a place on.
    fn query(&self, show: &str, after: Option<(&str, &str)>) -> String {
        let mut text = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("show", show), ("q", self.q.as_str())] {
            if !value.is_empty() {
                text.append_pair(name, value);
            }
        }
        if let Some((path, id)) = after {
            text.append_pair("after", path).append_pair("id", id);
        }
        text.finish()
    }
}

/// What the table shows.
struct Found {
    rows: Vec<Repository>,
    more: bool,
    counts: Vec<i64>,
}

/// Answers `…/repositories`.
pub async fn list(
    manager: Manages,
    path: Path,
    asked: web::Query<Asked>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(&manager, &state, path.1).await?;
    render(&manager, &seen, &state, &asked, &Faults::default(), StatusCode::OK).await
}

async fn render(
    manager: &Manages,
    seen: &Seen,
    state: &State,
    asked: &Asked,
    faults: &Faults,
    code: StatusCode,
) -> Result<HttpResponse, PageError> {
    let (org, sync, asking) = (manager.org(), seen.sync.id, asked.clone());
    let found = state.appliance.database.read(move |db| {
        let (text, after) = (asking.q.trim(), (asking.after.as_str(), asking.id.as_str()));
        let limit = i64::try_from(SHOWN + 1).unwrap_or(i64::MAX);
        let mut rows = sync_lists::repositories(org, db, sync, (asking.which(), text), after, limit)?;
        let more = rows.len() > SHOWN;
        rows.truncate(SHOWN);
        let counts = VIEWS.iter().map(|(_, _, which)| sync_lists::count_repositories(org, db, sync, (*which, text)));
        Ok::<_, store::Error>(Found { rows, more, counts: counts.collect::<store::Result<_>>()? })
    });
    let found = found.await?;
    let address = format!("{}/repositories", seen.address);
    let under = html! { "Every repository that the credential may read, and why it is a package here or none." };
    let tab = |(index, (word, label, which)): (usize, &(&str, &str, Which))| Tab {
        address: format!("{address}?{}", asked.query(word, None)),
        label: (*label).to_owned(),
        count: found.counts.get(index).copied(),
        current: *which == asked.which(),
    };
    let views: Vec<Tab> = VIEWS.iter().enumerate().map(tab).collect();
    let content = html! {
        (seen.crumbs(manager))
        (head("Repositories", &under, &nothing()))
        (faults.summary())
        form class="filters" method="get" action=(address) data-filter role="search" aria-label="Filter the repositories" {
            div class="field grow" {
                label for="r-q" { "Name" }
                input id="r-q" name="q" type="search" autocomplete="off" value=(asked.q);
            }
            input type="hidden" name="show" value=(asked.show);
            button class="btn" { "Filter" }
        }
        (tabs("Repositories", &views))
        (results(manager, seen, asked, &found, &address, state.appliance.now()))
    };
    Ok(layout::page_with(code, &manager.chrome(), Here::Syncs, "Repositories", &content))
}

fn results(manager: &Manages, seen: &Seen, asked: &Asked, found: &Found, address: &str, now: Timestamp) -> Markup {
    let index = VIEWS.iter().position(|(_, _, which)| *which == asked.which()).unwrap_or(0);
    let total = found.counts.get(index).copied().unwrap_or_default();
    let next = found.rows.last().filter(|_| found.more);
    let next = next.map(|last| format!("{address}?{}", asked.query(&asked.show, Some((&last.path, &last.remote_id)))));
    let first = (!asked.after.is_empty()).then(|| format!("{address}?{}", asked.query(&asked.show, None)));
    html! {
        div data-results=(counted(total, "repository", "repositories")) {
            @if found.rows.is_empty() && asked.q.is_empty() && seen.sync.last_run_at.is_none() {
                p { "None yet: they appear with the first run." }
            } @else if found.rows.is_empty() {
                p { "None fits. " a href=(address) { "Clear the filter" } }
            } @else {
                (table(manager, seen, &found.rows, now))
            }
            @if next.is_some() || first.is_some() {
                (pager(&format!("{} of {}", number(i64::try_from(found.rows.len()).unwrap_or(i64::MAX)), counted(total, "repository", "repositories")), first.as_deref(), next.as_deref()))
            }
        }
    }
}

fn table(manager: &Manages, seen: &Seen, rows: &[Repository], now: Timestamp) -> Markup {
    let slug = &*manager.organization.slug;
    html! {
        table class="table" {
            caption class="sr" { "Repositories, by name" }
            thead {
                tr {
                    th scope="col" { "Repository" }
                    th scope="col" { "Here" }
                    th scope="col" class="wide" { "Why" }
                    th scope="col" class="act" { span class="sr" { "Actions" } }
                }
            }
            tbody {
                @for one in rows {
                    tr {
                        th scope="row" {
                            @match one.web_url.as_deref().filter(|url| url.starts_with("https://") || url.starts_with("http://")) {
                                Some(url) => a class="name" href=(url) rel="noreferrer" { (one.path) },
                                None => span class="name" { (one.path) },
                            }
                            @if one.state != "active" { " " (badge(Tone::Neutral, &one.state)) }
                            @if one.visibility != "private" { " " (badge(Tone::Neutral, &one.visibility)) }
                        }
                        td data-label="Here" { (here(slug, one)) }
                        td data-label="Why" class="wide" dir="auto" { (why(one, now)) }
                        td class="act" {
                            @if may_become(one) {
                                form method="post" action={ (seen.address) "/repositories/adopt" } {
                                    (csrf(&manager.who.csrf))
                                    input type="hidden" name="repository" value=(one.remote_id);
                                    button class="btn small" { "Add as a package" span class="sr" { " " (one.path) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Whether somebody may ask for it to become a package.
fn may_become(one: &Repository) -> bool {
    one.package.is_none() && one.gone_at.is_none() && one.manifest != Some(false) && one.decision != "wanted"
}

fn here(slug: &str, one: &Repository) -> Markup {
    match (&one.package, one.decision.as_str()) {
        (Some((id, name, outcome)), _) => {
            let (tone, word) = match outcome.as_deref() {
                Some("failed") => (Tone::Fail, "Fails"),
                Some("held") => (Tone::Warn, "Waits for a decision"),
                None => (Tone::Pend, "Not read yet"),
                _ => (Tone::Ok, "Package"),
            };
            html! { (status(tone, word)) " " a class="name" href=(package::address(slug, *id, name.as_deref())) { (name.as_deref().unwrap_or("unnamed")) } }
        }
        (None, "wanted") => status(Tone::Pend, "Added with the next run"),
        (None, "removed") => status(Tone::Neutral, "Removed here"),
        _ => status(Tone::Neutral, "No package"),
    }
}

/// Why it is what it is here.
fn why(one: &Repository, now: Timestamp) -> Markup {
    if let Some(gone) = one.gone_at {
        return html! { @if one.reason.is_empty() { "The platform does not list it any more, since " (ago(gone, now)) "." } @else { (sentence(&one.reason)) " Since " (ago(gone, now)) "." } @if one.package.is_some() { " Archives are kept for lock files." } };
    }
    if !one.reason.is_empty() {
        return html! { (sentence(&one.reason)) };
    }
    let words = match (one.decision.as_str(), one.manifest) {
        ("package", _) => "",
        ("wanted", _) => "Somebody asked for it.",
        ("left", _) => "It was there before the synchronization, which adds new repositories only.",
        ("removed", _) => "Somebody removed the package here.",
        (_, Some(false)) => {
            "There is no composer.json on its default branch. Push one there, and it is found by itself."
        }
        _ => "What is on its default branch could not be read yet.",
    };
    html! { (words) }
}

/// The field of the form that makes a repository a package.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    repository: String,
}

/// Takes it.
pub async fn adopt(
    manager: Manages,
    path: Path,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(&manager, &state, path.1).await?;
    match syncs::adopt(&state.appliance, &manager.actor(), manager.org(), seen.sync.id, &fields.repository).await {
        Ok(_) => {
            let text = "It becomes a package with the run that is queued now.".to_owned();
            Ok(see_other(&format!("{}/repositories?show=others", seen.address), Some(&Flash { good: true, text })))
        }
        Err(error) => {
            let faults = refusal(error, "")?;
            render(&manager, &seen, &state, &Asked::default(), &faults, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}
