//! Repositories with several packages: what is in them, and where that is said.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::components::{Flash, Tone, badge, nothing, number};
use super::super::forms::{Faults, faults_of, text_area};
use super::super::layout::csrf;
use super::super::packages::add::DIRECTORIES;
use super::super::packages::status_of;
use super::super::respond::see_other;
use super::{Path, Seen, address, nothing_here, settings};
use crate::admin::directories::{self as use_directories, Overview};
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::visitor::Manages;

/// How many directories that are no packages are shown at once.
const SHOWN: usize = 100;

/// The fields of the form.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    directories: String,
}

/// Answers `POST …/directories`.
pub async fn save(
    manager: Manages,
    path: Path,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find((*manager).clone(), &state, &path.1, &path.2).await?;
    let lines: Vec<String> = fields.directories.lines().map(str::to_owned).collect();
    match use_directories::set(&state.appliance, &manager.actor(), manager.org(), &seen.package, &lines).await {
        Ok(_) => {
            let flash = Flash { good: true, text: "Saved. The repository is being read with it.".to_owned() };
            Ok(see_other(&address(&manager.organization.slug, seen.package.id, None), Some(&flash)))
        }
        Err(error) => {
            let faults = faults_of(error, "directories")?;
            let mut typed = settings::present(&seen);
            typed.directories = Some(fields.directories);
            settings::form_page(&manager, &seen, &state, &typed, &faults, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

/// The form that says which directories are packages; `typed`: what was sent and refused.
pub(super) fn form(seen: &Seen, typed: Option<&str>, faults: &Faults) -> Markup {
    if let Some(repository) = seen.package.parent {
        let slug = &seen.reader.organization.slug;
        return html! {
            section aria-labelledby="h-d" {
                h2 id="h-d" { "Directories" }
                p { "This is one of several packages of its repository. " a href={ (address(slug, repository, None)) "/settings" } { "The repository’s settings" } " say where they are." }
            }
        };
    }
    if seen.package.vcs != "git" {
        return nothing();
    }
    let stored = use_directories::of(&seen.package).ok().flatten();
    let stored = stored.map(|directories| directories.lines().join("\n")).unwrap_or_default();
    html! {
        section aria-labelledby="h-d" {
            h2 id="h-d" { "Several packages in the repository" }
            form class="form stack" method="post" action={ (seen.base) "/directories" } {
                (csrf(&seen.reader.who.csrf))
                (text_area("directories", "Directories", typed.unwrap_or(&stored), DIRECTORIES, 5, faults))
                p class="hint" { "Empty if the repository is one package. What is not meant any more is hidden; lock files that name it go on working. Whoever may read the repository may read all that is in it." }
                div class="row" { button class="btn primary" { "Save the directories" } }
            }
        }
    }
}

/// What the repository has in its directories, as far as the person may see it.
pub(super) async fn inside(seen: &Seen, state: &State) -> Result<Markup, PageError> {
    if seen.package.directories.is_none() {
        return Ok(nothing());
    }
    let mut overview = use_directories::overview(&state.appliance, seen.reader.org(), &seen.package).await?;
    let reader = &seen.reader;
    overview
        .packages
        .retain(|package| package.retired_at.is_none() && reader.organization.includes(package.id, &reader.view));
    Ok(html! {
        section id="directories" aria-labelledby="h-p" {
            h2 id="h-p" { "Packages in directories" }
            @if overview.packages.is_empty() {
                (nothing_here("None yet: they appear when the repository has been read."))
            } @else {
                (table(&reader.organization.slug, &overview))
            }
        }
        @if !overview.problems.is_empty() { (problems(&overview)) }
    })
}

fn table(slug: &str, overview: &Overview) -> Markup {
    html! {
        table class="table" {
            caption class="sr" { "The packages of the repository, by directory" }
            thead {
                tr {
                    th scope="col" { "Package" }
                    th scope="col" { "Directory" }
                    th scope="col" { "State" }
                    th scope="col" class="num" { "Versions" }
                }
            }
            tbody {
                @for package in &overview.packages {
                    tr {
                        td { a class="mono" href=(address(slug, package.id, package.name.as_deref())) { (package.shown_name()) } }
                        td class="mono" { (package.directory.as_deref().unwrap_or(".")) }
                        td { (status_of(&package.status)) }
                        td class="num" { (number(package.versions)) }
                    }
                }
            }
        }
    }
}

fn problems(overview: &Overview) -> Markup {
    let more = overview.problems.len().saturating_sub(SHOWN);
    html! {
        section id="no-packages" aria-labelledby="h-n" {
            h2 id="h-n" { "Directories without a package " (badge(Tone::Warn, &overview.problems.len().to_string())) }
            dl class="kv" {
                @for problem in overview.problems.iter().take(SHOWN) {
                    dt class="mono" { (problem.directory) }
                    dd { (problem.reason) }
                }
            }
            @if more > 0 { p class="muted small" { "And " (more) " more." } }
        }
    }
}

/// Where a package in a directory is.
pub(super) fn place(seen: &Seen) -> Markup {
    let (Some(repository), Some(directory)) = (seen.package.parent, &seen.package.directory) else { return nothing() };
    let reader = &seen.reader;
    html! {
        dt { "Directory" }
        dd {
            span class="mono" { (directory) }
            @if reader.organization.includes(repository, &reader.view) {
                " " a class="small" href=(address(&reader.organization.slug, repository, None)) { "Other packages of the repository" }
            }
        }
    }
}
