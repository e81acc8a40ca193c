//! One of an organization's people, for whoever manages it: role, activation, and removal.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::{base, person_address, refusal, role_choice, role_word, state_of, ways};
use crate::access::role::Role;
use crate::admin::grants;
use crate::admin::members::{self, Member, Status};
use crate::catalog::{Loss, Losses};
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::pages::components::{Flash, counted, head};
use crate::http::pages::forms::Faults;
use crate::http::pages::layout::{self, Confirmation, Here, csrf};
use crate::http::pages::respond::see_other;
use crate::http::visitor::Manages;

/// Who is meant.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    name: String,
}

/// The fields of the forms about one person.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    name: String,
    role: String,
    back: String,
    confirmed: String,
}

impl Fields {
    fn is_confirmed(&self) -> bool {
        self.confirmed == "yes"
    }
}

/// Answers `/orgs/{org}/members/person`.
pub async fn show(
    manager: Manages,
    asked: web::Query<Asked>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let member = find(&manager, &state, &asked.name).await?;
    let role = member.given.unwrap_or(member.role);
    Ok(page(&manager, &member, role.as_str(), &Faults::default(), StatusCode::OK))
}

async fn find(manager: &Manages, state: &State, name: &str) -> Result<Member, PageError> {
    let all = members::list(&state.appliance, manager.org()).await?;
    all.into_iter().find(|member| member.name == name).ok_or_else(|| manager.not_found())
}

fn page(manager: &Manages, member: &Member, role: &str, faults: &Faults, code: StatusCode) -> HttpResponse {
    let title = member.display_name.as_deref().unwrap_or(&member.name);
    let content = html! {
        nav class="crumbs" aria-label="Breadcrumb" { a href=(base(manager)) { "Members" } " /" }
        (head(title, &html! { span class="mono" { (member.name) } }, &why(manager, member)))
        (faults.summary())
        div class="sections" {
            section aria-label="Facts" {
                dl class="kv" {
                    dt { "State" } dd { (state_of(member)) }
                    dt { "Role" } dd { (role_word(member.role)) @if member.status != Status::Active { ", if active" } }
                    dt { "Member through" } dd { (ways(member)) }
                    dt { "Teams" }
                    dd { @if member.teams.is_empty() { "none" } @else { (member.teams.join(", ")) } }
                }
            }
            @if !member.found.is_empty() { (activation(manager, member)) }
            (role_form(manager, member, role))
            (removal(manager, member))
        }
    };
    layout::page_with(code, &manager.chrome(), Here::Members, title, &content)
}

fn why(manager: &Manages, member: &Member) -> Markup {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("user", &member.name).finish();
    html! { a class="btn" href={ "/orgs/" (manager.organization.slug) "/access?" (query) } { "Why can they see a package?" } }
}

/// A form about the person with one button.
fn one_button(manager: &Manages, member: &Member, path: &str, class: &str, words: &str) -> Markup {
    html! {
        form method="post" action={ (base(manager)) "/person/" (path) } {
            (csrf(&manager.who.csrf))
            input type="hidden" name="name" value=(member.name);
            button class=(class) { (words) }
        }
    }
}

fn activation(manager: &Manages, member: &Member) -> Markup {
    let waits = member.found.iter().any(|found| !found.active);
    html! {
        section aria-labelledby="h-active" {
            h2 id="h-active" { "Found by a synchronization" }
            @if waits {
                p class="gap-b" { "What was found does not count until an admin says yes." }
                (one_button(manager, member, "activate", "btn primary", "Activate"))
            } @else {
                p class="gap-b" { "What was found counts. Deactivating keeps them out, whatever the next synchronization finds." }
                (one_button(manager, member, "deactivate", "btn danger", "Deactivate…"))
            }
        }
    }
}

fn role_form(manager: &Manages, member: &Member, role: &str) -> Markup {
    let is_account = member.name.contains(':');
    html! {
        section aria-labelledby="h-role" {
            h2 id="h-role" { "Role" }
            @if is_account {
                p { "Nobody logged in by this account yet, so that the platform alone says what it is here." }
            } @else if member.role == Role::Owner && manager.role != Role::Owner {
                p { "Only an owner changes what another owner is." }
            } @else {
                form class="form stack" method="post" action={ (base(manager)) "/person/role" } {
                    (csrf(&manager.who.csrf))
                    input type="hidden" name="name" value=(member.name);
                    (role_choice(manager.role, role))
                    @if !member.found.is_empty() { p class="hint" { "The highest role counts: this one, or what a platform says." } }
                    div { button class="btn" { "Change the role" } }
                }
            }
        }
    }
}

fn removal(manager: &Manages, member: &Member) -> Markup {
    html! {
        section aria-labelledby="h-remove" {
            h2 id="h-remove" { "Remove" }
            p class="gap-b" { "Takes back what was given here: the role, teams of this server, and grants." }
            (one_button(manager, member, "remove", "btn danger", "Remove from the organization…"))
        }
    }
}

/// Takes the form that gives somebody another role.
pub async fn change_role(
    manager: Manages,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let member = find(&manager, &state, &fields.name).await?;
    let faults = match Role::of_membership(&fields.role) {
        None => Faults::of("role", "Choose one of the roles"),
        Some(role) => {
            let (actor, org) = (manager.actor(), manager.org());
            match members::set_role(&state.appliance, &actor, manager.role, org, &member.name, role).await {
                Ok(()) => return Ok(done(&manager, &member.name, "person", format!("{} is {role} now.", member.name))),
                Err(error) => refusal(error, "")?,
            }
        }
    };
    Ok(page(&manager, &member, &fields.role, &faults, StatusCode::UNPROCESSABLE_ENTITY))
}

fn done(manager: &Manages, name: &str, back: &str, text: String) -> HttpResponse {
    let to = match back {
        "person" => person_address(&manager.organization.slug, name),
        "list" => format!("{}?state=waiting", base(manager)),
        _ => base(manager),
    };
    see_other(&to, Some(&Flash { good: true, text }))
}

/// Takes the form that says yes to somebody who was found.
pub async fn activate(
    manager: Manages,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let member = find(&manager, &state, &fields.name).await?;
    let (actor, org) = (manager.actor(), manager.org());
    match members::set_active(&state.appliance, &actor, manager.role, org, &member.name, true).await {
        Ok(()) => {
            let back = if fields.back == "list" { "list" } else { "person" };
            Ok(done(&manager, &member.name, back, format!("{} is active now.", member.name)))
        }
        Err(error) => Ok(refused(&manager, &member, &refusal(error, "")?)),
    }
}

fn refused(manager: &Manages, member: &Member, faults: &Faults) -> HttpResponse {
    page(manager, member, member.given.unwrap_or(member.role).as_str(), faults, StatusCode::UNPROCESSABLE_ENTITY)
}

/// Takes the form that keeps somebody out who was found.
pub async fn deactivate(
    manager: Manages,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let member = find(&manager, &state, &fields.name).await?;
    let org = manager.org();
    if !fields.is_confirmed() {
        let losses = grants::losses(&state.appliance, org, Loss::Found(member.person)).await?;
        let here = person_address(&manager.organization.slug, &member.name);
        let confirmation = Confirmation {
            question: html! { "Deactivate " span class="mono" { (member.name) } "?" },
            lead: "What synchronizations found of them does not count any more, until an admin activates them again.",
            consequences: vec![
                ("Loses", loses(losses)),
                ("Keeps", html! { "what was added here: role, teams and grants" }),
            ],
            advice: None,
            typed: None,
            action: &format!("{}/person/deactivate", base(&manager)),
            fields: vec![("name", member.name.clone())],
            button: "Deactivate",
            back: (&here, "Keep them"),
        };
        let content = confirmation.markup(&manager.who.csrf, false);
        return Ok(layout::page(&manager.chrome(), Here::Members, "Deactivate", &content));
    }
    match members::set_active(&state.appliance, &manager.actor(), manager.role, org, &member.name, false).await {
        Ok(()) => Ok(done(&manager, &member.name, "person", format!("{} is not active any more.", member.name))),
        Err(error) => Ok(refused(&manager, &member, &refusal(error, "")?)),
    }
}

/// How many packages somebody does not see any more.
fn loses(losses: Losses) -> Markup {
    html! {
        @if losses.packages == 0 { "no package" } @else {
            (counted(i64::from(losses.packages), "package", "packages")) " of " (losses.total) ", at once"
        }
    }
}

/// Takes the form that removes somebody.
pub async fn remove(
    manager: Manages,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let member = find(&manager, &state, &fields.name).await?;
    let org = manager.org();
    if !fields.is_confirmed() {
        let losses = grants::losses(&state.appliance, org, Loss::Given(member.person)).await?;
        return Ok(removal_page(&manager, &member, losses));
    }
    match members::remove(&state.appliance, &manager.actor(), manager.role, org, &member.name).await {
        Ok(false) => Ok(done(&manager, &member.name, "", format!("{} was removed.", member.name))),
        Ok(true) => {
            let text = format!(
                "What {} was given here is taken back. A synchronization found them, so they stay.",
                member.name
            );
            Ok(done(&manager, &member.name, "person", text))
        }
        Err(error) => Ok(refused(&manager, &member, &refusal(error, "")?)),
    }
}

fn removal_page(manager: &Manages, member: &Member, losses: Losses) -> HttpResponse {
    let here = person_address(&manager.organization.slug, &member.name);
    let mut consequences = vec![("Loses", loses(losses))];
    if let Some(given) = member.given {
        consequences.push(("Role", html! { (given) ", as added here" }));
    }
    if !member.teams.is_empty() {
        consequences.push(("Leaves", html! { "the teams of this server among " (member.teams.join(", ")) }));
    }
    if !member.found.is_empty() {
        consequences
            .push(("Keeps", html! { "what a synchronization found: remove that on the platform, or deactivate it" }));
    }
    consequences.push(("Stays", html! { "the account, with what it sees in other organizations" }));
    let confirmation = Confirmation {
        question: html! { "Remove " span class="mono" { (member.name) } " from " (manager.name) "?" },
        lead: "It counts from the next request of Composer.",
        consequences,
        advice: None,
        typed: None,
        action: &format!("{}/person/remove", base(manager)),
        fields: vec![("name", member.name.clone())],
        button: "Remove the member",
        back: (&here, "Keep them"),
    };
    let content = confirmation.markup(&manager.who.csrf, false);
    layout::page(&manager.chrome(), Here::Members, "Remove a member", &content)
}
