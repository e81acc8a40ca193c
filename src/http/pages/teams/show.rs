//! One team: its people, its packages and where they come from, and the teams below it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::{address, base, kept_by, visible};
use crate::admin::members::{self, Member as Known};
use crate::admin::teams::{self, Having, Summary};
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::page_error::PageError;
use crate::http::pages::components::{Tab, Tone, absolute, callout, counted, head};
use crate::http::pages::forms::{Faults, Input};
use crate::http::pages::layout::{self, Here, csrf};
use crate::http::pages::members::{person_address, role_word, state_of};
use crate::http::pages::stretch::Stretch;
use crate::http::visitor::{Belongs, Reads};
use crate::store::ids::TeamId;
use crate::store::team_members::Member;

/// What the page is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    member: String,
    package: String,
}

/// A team with what its page shows.
pub(super) struct Shown {
    pub(super) one: Summary,
    /// The teams above it, the innermost first.
    above: Vec<Summary>,
    /// The teams right below it.
    below: Vec<Summary>,
}

impl Shown {
    pub(super) fn has_teams_below(&self) -> bool {
        !self.below.is_empty()
    }

    pub(super) async fn find(reader: &Reads, state: &State, id: &str) -> Result<Self, PageError> {
        let id = id.parse().map(TeamId).map_err(|_| reader.not_found())?;
        let mut all = teams::list(&state.appliance, reader.org()).await?;
        let place = all.iter().position(|one| one.team.id == id).ok_or_else(|| reader.not_found())?;
        let one = all.swap_remove(place);
        let mut above = Vec::new();
        let mut next = one.team.parent;
        while let Some(place) = next.and_then(|id| all.iter().position(|other| other.team.id == id)) {
            let parent = all.swap_remove(place);
            next = parent.team.parent;
            above.push(parent);
        }
        let mut below: Vec<_> = all.into_iter().filter(|other| other.team.parent == Some(id)).collect();
        below.sort_by(|one, other| one.team.path.cmp(&other.team.path));
        Ok(Self { one, above, below })
    }
}

/// Answers `/orgs/{org}/teams/{team}`.
pub async fn show(
    reader: Belongs,
    path: web::Path<(String, String)>,
    asked: web::Query<Asked>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let shown = Shown::find(&reader, &state, &path.1).await?;
    page(&reader, &state, &shown, &asked, "", &Faults::default(), StatusCode::OK).await
}

pub(super) async fn page(
    reader: &Reads,
    state: &State,
    shown: &Shown,
    asked: &Asked,
    typed: &str,
    faults: &Faults,
    code: StatusCode,
) -> Result<HttpResponse, PageError> {
    let known = members::list(&state.appliance, reader.org()).await?;
    let team = &shown.one.team;
    let changes = reader.role.manages() && !team.synchronized;
    let packages = packages(reader, shown);
    let under = html! {
        (kept_by(team)) " · " (counted(count(shown.one.members.len()), "person", "people"))
    };
    let here = address(reader, team);
    let actions = html! {
        @if changes {
            a class="btn" href={ (here) "/edit" } { "Rename or move" }
            a class="btn danger" href={ (here) "/remove" } { "Remove…" }
        }
    };
    let content = html! {
        nav class="crumbs" aria-label="Breadcrumb" {
            a href=(base(reader)) { "Teams" } " /"
            @for parent in shown.above.iter().rev() { " " a href=(address(reader, &parent.team)) { (parent.team.name) } " /" }
        }
        (head(&team.name, &under, &actions))
        (faults.summary())
        @if team.synchronized {
            div class="gap-b" {
                (callout(Tone::Neutral, "This team comes from a platform", &html! {
                    p { "Change its people and repositories there; the next synchronization brings it here. On this server it is read-only." }
                }))
            }
        }
        (tabs(shown, packages.rows.len(), packages.all.is_some()))
        div class="sections" {
            (people(reader, shown, &known, asked, changes, typed, faults, state.appliance.now()))
            (packages_section(reader, shown, &packages, asked, changes))
            @if !shown.below.is_empty() { (below(reader, shown)) }
        }
    };
    Ok(layout::page_with(code, &reader.chrome(), Here::Teams, &team.path, &content))
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn tabs(shown: &Shown, packages: usize, all: bool) -> Markup {
    let tab = |address: &str, label: &str, count: Option<i64>| Tab {
        address: address.to_owned(),
        label: label.to_owned(),
        count,
        current: false,
    };
    let mut tabs = vec![
        tab("#members", "Members", Some(count(shown.one.members.len()))),
        tab("#packages", "Packages", (!all).then_some(count(packages))),
    ];
    if !shown.below.is_empty() {
        tabs.push(tab("#below", "Teams below", Some(count(shown.below.len()))));
    }
    crate::http::pages::components::tabs("Sections of this team", &tabs)
}

#[expect(clippy::too_many_arguments, reason = "what one section shows, asked for once")]
fn people(
    reader: &Reads,
    shown: &Shown,
    known: &[Known],
    asked: &Asked,
    changes: bool,
    typed: &str,
    faults: &Faults,
    now: Timestamp,
) -> Markup {
    let here = address(reader, &shown.one.team);
    let mut members = shown.one.members.clone();
    members.sort_by(|one, other| one.name.cmp(&other.name));
    let stretch = Stretch::of(&members, |member| &member.name, &asked.member);
    html! {
        section id="members" aria-labelledby="h-m" {
            h2 id="h-m" { "Members" }
            @if members.is_empty() { p class="muted" { "Nobody is in this team." } } @else {
                table class="table" {
                    caption class="sr" { "Members of " (shown.one.team.path) }
                    thead {
                        tr {
                            th scope="col" { "Person" }
                            th scope="col" { "Role" }
                            th scope="col" { "State" }
                            th scope="col" { "Until" }
                            @if changes { th scope="col" class="act" { span class="sr" { "Actions" } } }
                        }
                    }
                    tbody {
                        @for member in stretch.rows {
                            @let of = known.iter().find(|one| one.person == member.person);
                            (person(reader, &here, member, of, changes, now))
                        }
                    }
                }
                (stretch.pager(&here, &[("package", &asked.package)], "member", "people"))
            }
            @if changes { (add_form(reader, &here, typed, faults)) }
        }
    }
}

fn person(reader: &Reads, here: &str, member: &Member, known: Option<&Known>, changes: bool, now: Timestamp) -> Markup {
    let display = known.and_then(|known| known.display_name.as_deref());
    let name =
        html! { @if let Some(name) = display { b dir="auto" { (name) } } @else { b class="name" { (member.name) } } };
    html! {
        tr {
            th scope="row" {
                @if reader.role.manages() { a href=(person_address(&reader.organization.slug, &member.name)) { (name) } } @else { (name) }
                @if display.is_some() { span class="sub mono" { (member.name) } }
            }
            td data-label="Role" { @if let Some(known) = known { (role_word(known.role)) } }
            td data-label="State" { @if let Some(known) = known { (state_of(known)) } }
            td data-label="Until" {
                @if let Some(until) = member.until { (absolute(until)) @if until <= now { " (ended)" } }
            }
            @if changes {
                td class="act" {
                    form method="post" action={ (here) "/members/remove" } {
                        (csrf(&reader.who.csrf))
                        input type="hidden" name="name" value=(member.name);
                        button class="btn small danger" { "Remove…" span class="sr" { " " (member.name) } }
                    }
                }
            }
        }
    }
}

fn add_form(reader: &Reads, here: &str, typed: &str, faults: &Faults) -> Markup {
    let name = Input {
        name: "name",
        label: "Add a person",
        value: typed,
        hint: "Their name here, or INTEGRATION:LOGIN of somebody who has not logged in yet.",
        autocomplete: "off",
        placeholder: "ines",
        required: true,
        mono: true,
        ..Input::default()
    };
    html! {
        form class="form stack gap" method="post" action={ (here) "/members/add" } {
            (csrf(&reader.who.csrf))
            (name.markup(faults))
            div { button class="btn" { "Add to the team" } }
        }
    }
}

/// What a team's people see through it.
struct Packages {
    /// Which team gives them all, where one does.
    all: Option<String>,
    /// Name, and the team above that has it; none: the team itself.
    rows: Vec<(String, Option<(TeamId, String)>)>,
}

fn packages(reader: &Reads, shown: &Shown) -> Packages {
    let above = shown.above.iter().filter(|_| shown.one.team.inherits);
    let line = std::iter::once(&shown.one).chain(above);
    let all = line.clone().find(|one| one.packages == Having::All).map(|one| one.team.path.clone());
    let mut rows: Vec<(String, Option<(TeamId, String)>)> = Vec::new();
    for one in line {
        let Having::Some(names) = &one.packages else { continue };
        let from = (one.team.id != shown.one.team.id).then(|| (one.team.id, one.team.path.clone()));
        rows.extend(visible(reader, names).map(|name| (name.clone(), from.clone())));
    }
    // What two of them have is told once, of the innermost.
    rows.sort_by(|one, other| one.0.cmp(&other.0));
    rows.dedup_by(|second, first| second.0 == first.0);
    Packages { all, rows }
}

fn packages_section(reader: &Reads, shown: &Shown, packages: &Packages, asked: &Asked, changes: bool) -> Markup {
    let here = address(reader, &shown.one.team);
    let stretch = Stretch::of(&packages.rows, |(name, _)| name, &asked.package);
    let own = packages.rows.iter().any(|(_, from)| from.is_none());
    let is_all = shown.one.packages == Having::All;
    html! {
        section id="packages" aria-labelledby="h-p" {
            h2 id="h-p" { "Packages" }
            @if let Some(path) = &packages.all {
                p {
                    "All packages of the organization, now and later"
                    @if *path == shown.one.team.path { "." } @else { ", by the team " (path) " above it." }
                }
            }
            @if packages.rows.is_empty() && packages.all.is_none() { p class="muted" { "Its people see no package through it yet." } }
            @if !packages.rows.is_empty() {
                form method="post" action={ (here) "/packages/revoke" } {
                    (csrf(&reader.who.csrf))
                    table class="table" {
                        caption class="sr" { "Packages that members of " (shown.one.team.path) " may install" }
                        thead {
                            tr {
                                @if changes { th scope="col" class="pick" { span class="sr" { "Choose" } } }
                                th scope="col" { "Package" }
                                th scope="col" { "Given to" }
                            }
                        }
                        tbody {
                            @for (name, from) in stretch.rows { (package(reader, name, from.as_ref(), changes)) }
                        }
                    }
                    @if changes && own && !is_all { div class="row gap" { button class="btn danger" { "Take the chosen ones…" } } }
                }
                (stretch.pager(&here, &[("member", &asked.member)], "package", "packages"))
            }
            @if changes {
                div class="row gap" {
                    @if !is_all { a class="btn" href={ (here) "/packages" } { "Give it packages" } }
                    form method="post" action={ (here) "/packages/all" } {
                        (csrf(&reader.who.csrf))
                        @if is_all {
                            input type="hidden" name="all" value="off";
                            button class="btn danger" { "Take all packages…" }
                        } @else {
                            input type="hidden" name="all" value="on";
                            button class="btn" { "Give it all packages, now and later" }
                        }
                    }
                }
            }
        }
    }
}

fn package(reader: &Reads, name: &str, from: Option<&(TeamId, String)>, changes: bool) -> Markup {
    html! {
        tr {
            @if changes {
                td class="pick" {
                    @if from.is_none() { input type="checkbox" name="package" value=(name) aria-label={ "Choose " (name) }; }
                }
            }
            th scope="row" {
                // One without a name yet is told by its id or address.
                @if reader.organization.find(name, &reader.view).is_some() {
                    a class="name" href={ "/orgs/" (reader.organization.slug) "/packages/" (name) } { (name) }
                } @else { span class="name" { (name) } }
            }
            td data-label="Given to" {
                @match from {
                    None => "this team",
                    Some((id, path)) => { "the team " a href={ (base(reader)) "/" (id) } { (path) } " above it" }
                }
            }
        }
    }
}

fn below(reader: &Reads, shown: &Shown) -> Markup {
    html! {
        section id="below" aria-labelledby="h-c" {
            h2 id="h-c" { "Teams below" }
            ul class="plain stack-s" {
                @for child in &shown.below {
                    li {
                        a href=(address(reader, &child.team)) { (child.team.name) } " "
                        span class="muted" {
                            (counted(count(child.members.len()), "person", "people"))
                            " with every package of " (shown.one.team.name)
                        }
                    }
                }
            }
        }
    }
}
