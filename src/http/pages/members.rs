//! An organization's people: who they are, what they are there and by which way, and who waits for a yes.

mod person;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;
use url::form_urlencoded;

use super::components::{Flash, Tone, badge, callout, counted, head, nothing, status};
use super::forms::{Faults, Input, radios};
use super::layout::{self, Here, csrf};
use super::respond::see_other;
use super::stretch::Stretch;
use crate::access::role::Role;
use crate::admin::members::{self, Member, Status};
use crate::admin::{self, organization_settings};
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::visitor::{Belongs, Manages, Reads};
use crate::store::members::Person;

pub use person::{activate, change_role, deactivate, remove, show};

/// Longest text that is looked for, in characters.
const LONGEST_TEXT: usize = 200;

/// What the page's form asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    q: String,
    role: String,
    state: String,
    after: String,
}

pub(super) fn base(reader: &Reads) -> String {
    format!("/orgs/{}/members", reader.organization.slug)
}

/// The address of one person's page.
pub(super) fn person_address(slug: &str, name: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("name", name).finish();
    format!("/orgs/{slug}/members/person?{query}")
}

/// What a change that was refused means for its form: also that there is nobody of the name that was typed.
pub(super) fn refusal(error: admin::Error, field: &'static str) -> Result<Faults, PageError> {
    match error {
        admin::Error::NotFound(text) => Ok(Faults::of(field, text)),
        other => super::forms::faults_of(other, field),
    }
}

/// Answers `/orgs/{org}/members`. Members see who is active; whoever manages sees everybody.
pub async fn list(
    reader: Belongs,
    asked: web::Query<Asked>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let manages = reader.role.manages();
    let mut all = members::list(&state.appliance, reader.org()).await?;
    if !manages {
        all.retain(|member| member.status == Status::Active);
    }
    let waiting = all.iter().filter(|member| member.status == Status::Waiting).count();
    let manual = organization_settings::policy(&state.appliance, reader.org()).await?.manual;
    let count = all.len();
    all.retain(|member| fits(member, &asked));
    let add = html! { a class="btn primary" href={ (base(&reader)) "/new" } { "Add a member" } };
    let under = html! { (counted(i64::try_from(count).unwrap_or(i64::MAX), "person", "people")) " of " span dir="auto" { (reader.name) } ", added here or found by a synchronization." };
    let content = html! {
        (head("Members", &under, &(if manages { add } else { nothing() })))
        @if waiting > 0 && asked.state != "waiting" { (waiting_callout(waiting, manual, &base(&reader))) }
        (filters(&asked, &base(&reader), manages))
        (found(&reader, &all, &asked, manages))
    };
    Ok(layout::page(&reader.chrome(), Here::Members, "Members", &content))
}

fn fits(member: &Member, asked: &Asked) -> bool {
    let has = |text: &str, word: &str| text.to_lowercase().contains(word);
    let text: String = asked.q.chars().take(LONGEST_TEXT).collect::<String>().to_lowercase();
    let is_named = text.split_whitespace().all(|word| {
        has(&member.name, word)
            || member.display_name.as_deref().is_some_and(|name| has(name, word))
            || member.found.iter().any(|found| has(&found.account, word))
    });
    let is_role = asked.role.is_empty() || member.role.as_str() == asked.role;
    let is_state = match asked.state.as_str() {
        "" => true,
        "locked-out" => member.status == Status::Active && !member.passes_login_rule,
        state => member.status.as_str() == state,
    };
    is_named && is_role && is_state
}

fn waiting_callout(waiting: usize, manual: bool, base: &str) -> Markup {
    let heading =
        if waiting == 1 { "1 person waits for a yes".to_owned() } else { format!("{waiting} people wait for a yes") };
    let why = if manual {
        "A synchronization found them. They see nothing until an admin activates them."
    } else {
        "They see nothing until an admin activates them; people who are found from now on are active at once."
    };
    let text = html! { p { (why) " " a href={ (base) "?state=waiting" } { "Show who waits" } } };
    html! { div class="gap-b" { (callout(Tone::Pend, &heading, &text)) } }
}

fn filters(asked: &Asked, base: &str, manages: bool) -> Markup {
    let roles = [
        ("", "Any role"),
        ("owner", "Owner"),
        ("admin", "Admin"),
        ("member", "Member"),
        ("collaborator", "Collaborator"),
    ];
    let states = [
        ("", "Any state"),
        ("active", "Active"),
        ("waiting", "Waiting"),
        ("suspended", "Suspended"),
        ("disabled", "Disabled"),
        ("ended", "Ended"),
        ("locked-out", "Cannot log in as asked"),
    ];
    html! {
        form class="filters" method="get" action=(base) data-filter role="search" aria-label="Filter the members" {
            div class="field grow" {
                label for="m-q" { "Name or account" }
                input id="m-q" name="q" type="search" autocomplete="off" value=(asked.q);
            }
            div class="field half" {
                label for="m-r" { "Role" }
                select id="m-r" name="role" {
                    @for (value, words) in roles { option value=(value) selected[value == asked.role] { (words) } }
                }
            }
            @if manages {
                div class="field half" {
                    label for="m-s" { "State" }
                    select id="m-s" name="state" {
                        @for (value, words) in states { option value=(value) selected[value == asked.state] { (words) } }
                    }
                }
            }
            button class="btn" { "Filter" }
        }
    }
}

fn found(reader: &Reads, all: &[Member], asked: &Asked, manages: bool) -> Markup {
    let base = base(reader);
    let stretch = Stretch::of(all, |member| &member.name, &asked.after);
    let query = [("q", asked.q.as_str()), ("role", &asked.role), ("state", &asked.state)];
    let results = counted(i64::try_from(all.len()).unwrap_or(i64::MAX), "person", "people");
    html! {
        div data-results=(results) {
            @if all.is_empty() {
                p { "Nobody fits. " a href=(base) { "Clear the filter" } }
            } @else {
                table class="table" {
                    caption class="sr" { "Members, by name" }
                    thead {
                        tr {
                            th scope="col" { "Person" }
                            th scope="col" { "Role" }
                            th scope="col" { "State" }
                            th scope="col" class="wide" { "Member through" }
                            th scope="col" class="wide" { "Teams" }
                            @if manages { th scope="col" class="act" { span class="sr" { "Actions" } } }
                        }
                    }
                    tbody { @for member in stretch.rows { (row(reader, member, manages)) } }
                }
                (stretch.pager(&base, &query, "after", "people"))
            }
        }
    }
}

fn row(reader: &Reads, member: &Member, manages: bool) -> Markup {
    let address = person_address(&reader.organization.slug, &member.name);
    html! {
        tr {
            th scope="row" {
                @if manages { a href=(address) { (person_name(member)) } } @else { (person_name(member)) }
                @if member.display_name.is_some() { span class="sub mono" { (member.name) } }
            }
            td data-label="Role" { (role_word(member.role)) }
            td data-label="State" { (state_of(member)) }
            td data-label="Member through" class="wide" { (ways(member)) }
            td data-label="Teams" class="wide" { (teams(&member.teams)) }
            @if manages {
                td class="act" {
                    @if member.status == Status::Waiting {
                        form method="post" action={ (base(reader)) "/person/activate" } {
                            (csrf(&reader.who.csrf))
                            input type="hidden" name="name" value=(member.name);
                            input type="hidden" name="back" value="list";
                            button class="btn small" { "Activate" span class="sr" { " " (member.name) } }
                        }
                    }
                }
            }
        }
    }
}

fn person_name(member: &Member) -> Markup {
    html! {
        @if let Some(name) = &member.display_name { b dir="auto" { (name) } } @else { b class="name" { (member.name) } }
    }
}

pub(super) const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Owner => "Owner",
        Role::Admin => "Admin",
        Role::Member => "Member",
        Role::Collaborator => "Collaborator",
    }
}

/// The state of somebody, with the word for it.
pub(super) fn state_of(member: &Member) -> Markup {
    match member.status {
        Status::Active if !member.passes_login_rule => status(Tone::Warn, "Cannot log in as asked"),
        // Nobody who installs anything stands behind an account alone.
        Status::Active if matches!(member.person, Person::Account(_)) => status(Tone::Pend, "Not signed in yet"),
        Status::Active => status(Tone::Ok, "Active"),
        Status::Waiting => status(Tone::Pend, "Waits for a yes"),
        Status::Suspended => status(Tone::Fail, "Suspended"),
        Status::Disabled => status(Tone::Fail, "Disabled"),
        Status::Ended => status(Tone::Neutral, "Ended"),
    }
}

/// By which ways somebody is here.
pub(super) fn ways(member: &Member) -> Markup {
    html! {
        @if let Some(given) = member.given { div { "added here as " (given) } }
        @for found in &member.found {
            div {
                span class="name" { (found.account) } ", " (found.role)
                @if found.suspended { " " (badge(Tone::Warn, "suspended")) }
                @else if !found.active { " " (badge(Tone::Neutral, "not activated")) }
            }
        }
        @if member.given.is_none() && member.found.is_empty() { "a team or a grant" }
    }
}

fn teams(paths: &[String]) -> Markup {
    html! {
        @for (index, path) in paths.iter().take(3).enumerate() { @if index > 0 { ", " } (path) }
        @if paths.len() > 3 { " and " (paths.len() - 3) " more" }
    }
}

/// The fields of the form that adds somebody.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct NewFields {
    name: String,
    role: String,
}

/// Answers `/orgs/{org}/members/new`.
pub async fn new(manager: Manages) -> HttpResponse {
    let fields = NewFields { role: Role::Member.as_str().to_owned(), ..NewFields::default() };
    new_page(&manager, &fields, &Faults::default(), StatusCode::OK)
}

/// Takes its form.
pub async fn add(
    manager: Manages,
    Form(fields): Form<NewFields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let name = fields.name.trim();
    let mut faults = Faults::default();
    if name.is_empty() {
        faults.add("name", "Say who, by the name that they log in with here");
    }
    let role = Role::of_membership(&fields.role);
    if role.is_none() {
        faults.add("role", "Choose one of the roles");
    }
    if let (Some(role), true) = (role, faults.is_empty()) {
        match members::add(&state.appliance, &manager.actor(), manager.role, manager.org(), name, role).await {
            Ok(()) => {
                let flash = Flash { good: true, text: format!("{name} is {role} now.") };
                return Ok(see_other(&base(&manager), Some(&flash)));
            }
            Err(error) => faults = refusal(error, "name")?,
        }
    }
    Ok(new_page(&manager, &fields, &faults, StatusCode::UNPROCESSABLE_ENTITY))
}

fn new_page(manager: &Manages, fields: &NewFields, faults: &Faults, code: StatusCode) -> HttpResponse {
    let name = Input {
        name: "name",
        label: "Name",
        value: &fields.name,
        hint: "The name that the person logs in with here. Who only has an account on a platform logs in once, and has one.",
        autocomplete: "off",
        placeholder: "ines",
        required: true,
        mono: true,
        ..Input::default()
    };
    let content = html! {
        nav class="crumbs" aria-label="Breadcrumb" { a href=(base(manager)) { "Members" } " /" }
        (head("Add a member", &nothing(), &nothing()))
        (faults.summary())
        form class="form stack gap" method="post" action={ (base(manager)) "/new" } {
            (csrf(&manager.who.csrf))
            (name.markup(faults))
            (role_choice(manager.role, &fields.role))
            div class="row" {
                button class="btn primary" { "Add the member" }
                a class="btn" href=(base(manager)) { "Back to the members" }
            }
        }
    };
    layout::page_with(code, &manager.chrome(), Here::Members, "Add a member", &content)
}

/// The roles that somebody with the role `by` gives.
fn role_choice(by: Role, chosen: &str) -> Markup {
    let all = [
        ("member", "Member", "Sees the packages of their teams, and what is granted to them."),
        ("admin", "Admin", "Sees all packages, and manages packages, teams, members, tokens and credentials."),
        ("owner", "Owner", "May everything, the settings and the other owners included."),
    ];
    let offered: Vec<_> = all.into_iter().filter(|(role, ..)| *role != "owner" || by == Role::Owner).collect();
    radios("role", "Role", &offered, chosen)
}
