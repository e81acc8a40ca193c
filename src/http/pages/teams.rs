//! Teams: people who see the same packages. Members look at them, whoever manages the organization changes them; those that
//! a synchronization found are read-only.

mod change;
mod packages;
mod show;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::components::{Flash, Tone, badge, counted, empty, head, nothing};
use super::forms::{Faults, Input, select};
use super::layout::{self, Here, csrf};
use super::respond::see_other;
use super::stretch::Stretch;
use crate::admin::teams::{self, Having, Summary};
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::visitor::{Belongs, Manages, Reads};
use crate::store::teams::Team;

pub use change::{add_member, edit, remove, remove_member, save};
pub use packages::{all_packages, choose, grant, revoke};
pub use show::show;

/// What the list is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    q: String,
    after: String,
}

fn base(reader: &Reads) -> String {
    format!("/orgs/{}/teams", reader.organization.slug)
}

fn address(reader: &Reads, team: &Team) -> String {
    format!("{}/{}", base(reader), team.id)
}

/// Answers `/orgs/{org}/teams`.
pub async fn list(
    reader: Belongs,
    asked: web::Query<Asked>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let manages = reader.role.manages();
    let mut all = teams::list(&state.appliance, reader.org()).await?;
    // A team stands right below the one that it belongs to.
    all.sort_by_cached_key(|one| sort_key(&one.team.path));
    let none = all.is_empty();
    let word = asked.q.trim().to_lowercase();
    all.retain(|one| one.team.path.to_lowercase().contains(&word));
    let base = base(&reader);
    let add = html! { a class="btn primary" href={ (base) "/new" } { "Add a team" } };
    let under =
        html! { "People who see the same packages. Whoever is in a team sees also what the teams above it have." };
    let content = html! {
        (head("Teams", &under, &(if manages && !none { add } else { nothing() })))
        @if none {
            (empty(
                "No team yet",
                "A team gives its people packages: some, or all that there are, now and later.",
                manages.then_some((format!("{base}/new").as_str(), "Add a team")),
                manages.then_some("packagist-selfhosted team add web"),
            ))
        } @else {
            (filters(&asked, &base))
            (tree(&reader, &all, &asked))
        }
    };
    Ok(layout::page(&reader.chrome(), Here::Teams, "Teams", &content))
}

/// Slashes come before everything else, or `web-old` would stand between `web` and `web/api`.
fn sort_key(path: &str) -> String {
    path.to_lowercase().replace('/', "\u{1}")
}

fn filters(asked: &Asked, base: &str) -> Markup {
    html! {
        form class="filters" method="get" action=(base) data-filter role="search" aria-label="Filter the teams" {
            div class="field grow" {
                label for="t-q" { "Name" }
                input id="t-q" name="q" type="search" autocomplete="off" value=(asked.q);
            }
            button class="btn" { "Filter" }
        }
    }
}

fn tree(reader: &Reads, all: &[Summary], asked: &Asked) -> Markup {
    let keyed: Vec<(String, &Summary)> = all.iter().map(|one| (sort_key(&one.team.path), one)).collect();
    // Only text goes into an address; the key is made again from the path that it holds.
    let after = if asked.after.is_empty() { String::new() } else { sort_key(&asked.after) };
    let stretch = Stretch::of(&keyed, |(key, _)| key.as_str(), &after);
    let results = counted(i64::try_from(all.len()).unwrap_or(i64::MAX), "team", "teams");
    html! {
        div data-results=(results) {
            @if all.is_empty() {
                p { "No team fits. " a href=(base(reader)) { "Clear the filter" } }
            } @else {
                table class="table" {
                    caption class="sr" { "Teams, by path" }
                    thead {
                        tr {
                            th scope="col" { "Team" }
                            th scope="col" class="num" { "People" }
                            th scope="col" { "Packages" }
                            th scope="col" { "Kept by" }
                        }
                    }
                    tbody { @for (_, one) in stretch.rows { (row(reader, one)) } }
                }
                (stretch.pager(&base(reader), &[("q", &asked.q)], "after", "teams"))
            }
        }
    }
}

fn row(reader: &Reads, one: &Summary) -> Markup {
    let above = one.team.path.strip_suffix(&one.team.name).unwrap_or_default();
    html! {
        tr {
            th scope="row" dir="auto" {
                a href=(address(reader, &one.team)) {
                    @if !above.is_empty() { span class="muted" { (above.replace('/', " / ")) } }
                    b { (one.team.name) }
                }
            }
            td data-label="People" class="num" { (one.members.len()) }
            td data-label="Packages" {
                (having(reader, &one.packages))
                @if one.packages != Having::All {
                    @match &one.inherited {
                        Having::All => span class="sub" { "all by a team above it" },
                        Having::Some(names) => {
                            @let count = visible(reader, names).count();
                            @if count > 0 { span class="sub" { (count) " by teams above it" } }
                        }
                    }
                }
            }
            td data-label="Kept by" { (kept_by(&one.team)) }
        }
    }
}

fn kept_by(team: &Team) -> Markup {
    if team.synchronized {
        badge(Tone::Neutral, "synchronized")
    } else {
        html! { "this server" }
    }
}

/// What is given one by one is told as far as whoever looks may see it.
fn visible<'a>(reader: &'a Reads, names: &'a [String]) -> impl Iterator<Item = &'a String> {
    names.iter().filter(|name| reader.role.manages() || reader.organization.find(name, &reader.view).is_some())
}

fn having(reader: &Reads, having: &Having) -> String {
    match having {
        Having::All => "All, now and later".to_owned(),
        Having::Some(names) => {
            counted(i64::try_from(visible(reader, names).count()).unwrap_or(i64::MAX), "package", "packages")
        }
    }
}

/// The fields of the form that adds a team.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct NewFields {
    name: String,
    under: String,
}

/// Answers `/orgs/{org}/teams/new`.
pub async fn new(manager: Manages, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    new_page(&manager, &state, &NewFields::default(), &Faults::default(), StatusCode::OK).await
}

/// Takes its form.
pub async fn add(
    manager: Manages,
    Form(fields): Form<NewFields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let name = fields.name.trim();
    let path = if fields.under.is_empty() { name.to_owned() } else { format!("{}/{name}", fields.under) };
    match teams::add(&state.appliance, &manager.actor(), manager.org(), &path).await {
        Ok(id) => {
            let flash = Flash { good: true, text: format!("Team {path} added. Nobody is in it yet.") };
            Ok(see_other(&format!("{}/{id}", base(&manager)), Some(&flash)))
        }
        Err(error) => {
            let faults = super::members::refusal(error, "name")?;
            new_page(&manager, &state, &fields, &faults, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

/// The teams that another one may be below, `except` the one that is moved and those below it.
async fn places(manager: &Manages, state: &State, except: Option<&str>) -> Result<Vec<(String, String)>, PageError> {
    let all = teams::list(&state.appliance, manager.org()).await?;
    let is_out = |path: &str| except.is_some_and(|one| path == one || crate::store::teams::is_below(path, one));
    let fitting = all.into_iter().map(|one| one.team).filter(|team| !team.synchronized && !is_out(&team.path));
    let mut places: Vec<_> = fitting.map(|team| (team.path.clone(), team.path)).collect();
    places.sort();
    places.insert(0, (String::new(), "No other team".to_owned()));
    Ok(places)
}

async fn new_page(
    manager: &Manages,
    state: &State,
    fields: &NewFields,
    faults: &Faults,
    code: StatusCode,
) -> Result<HttpResponse, PageError> {
    let places = places(manager, state, None).await?;
    let name = name_input(&fields.name);
    let content = html! {
        nav class="crumbs" aria-label="Breadcrumb" { a href=(base(manager)) { "Teams" } " /" }
        (head("Add a team", &nothing(), &nothing()))
        (faults.summary())
        form class="form stack gap" method="post" action={ (base(manager)) "/new" } {
            (csrf(&manager.who.csrf))
            (name.markup(faults))
            @if places.len() > 1 {
                (select("under", "Below", &places, &fields.under, "Its people see also what the teams above it have.", faults))
            }
            div class="row" {
                button class="btn primary" { "Add the team" }
                a class="btn" href=(base(manager)) { "Back to the teams" }
            }
        }
    };
    Ok(layout::page_with(code, &manager.chrome(), Here::Teams, "Add a team", &content))
}

fn name_input(value: &str) -> Input<'_> {
    Input {
        name: "name",
        label: "Name",
        value,
        hint: "Small letters, digits, points, hyphens and underscores.",
        autocomplete: "off",
        placeholder: "warehouse",
        required: true,
        mono: true,
        ..Input::default()
    }
}
