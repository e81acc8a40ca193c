//! Changes of a team: who is in it, its name and place, and its end.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::show::{self, Shown};
use super::{address, base, name_input, places};
use crate::admin::teams::{Part, Place};
use crate::admin::{grants, people, teams};
use crate::catalog::{Loss, Losses};
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::pages::components::{Flash, counted, head, nothing};
use crate::http::pages::forms::{Faults, select};
use crate::http::pages::layout::{self, Confirmation, Here, csrf};
use crate::http::pages::members::refusal;
use crate::http::pages::respond::see_other;
use crate::http::visitor::Manages;

/// Organization and team.
type Path = web::Path<(String, String)>;

/// The fields of the forms about a team's people.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct MemberFields {
    name: String,
    confirmed: String,
}

/// Takes the form that puts somebody into the team.
pub async fn add_member(
    manager: Manages,
    path: Path,
    Form(fields): Form<MemberFields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let shown = Shown::find(&manager, &state, &path.1).await?;
    let team = &shown.one.team;
    let name = fields.name.trim();
    match teams::add_member(&state.appliance, &manager.actor(), manager.org(), &team.path, name).await {
        Ok(is_new) => {
            let text =
                if is_new { format!("{name} is in the team now.") } else { format!("{name} was in the team already.") };
            Ok(see_other(&address(&manager, team), Some(&Flash { good: true, text })))
        }
        Err(error) => refused(&manager, &state, &shown, name, &refusal(error, "name")?).await,
    }
}

pub(super) async fn refused(
    manager: &Manages,
    state: &State,
    shown: &Shown,
    typed: &str,
    faults: &Faults,
) -> Result<HttpResponse, PageError> {
    let asked = show::Asked::default();
    show::page(manager, state, shown, &asked, typed, faults, StatusCode::UNPROCESSABLE_ENTITY).await
}

/// Takes the form that takes somebody out of the team.
pub async fn remove_member(
    manager: Manages,
    path: Path,
    Form(fields): Form<MemberFields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let shown = Shown::find(&manager, &state, &path.1).await?;
    let (team, org, name) = (&shown.one.team, manager.org(), &fields.name);
    let here = address(&manager, team);
    if fields.confirmed != "yes" && !team.synchronized {
        let named = match people::find(&state.appliance, name).await {
            Ok(named) => named,
            Err(error) => return refused(&manager, &state, &shown, "", &refusal(error, "")?).await,
        };
        let losses = grants::losses(&state.appliance, org, Loss::Membership(team.id, named.person)).await?;
        let confirmation = Confirmation {
            question: html! { "Take " span class="mono" { (name) } " out of " (team.path) "?" },
            lead: "It counts from the next request of Composer.",
            consequences: vec![
                ("Loses", lost_packages(losses)),
                ("Keeps", html! { "what other teams and grants give" }),
            ],
            advice: None,
            typed: None,
            action: &format!("{here}/members/remove"),
            fields: vec![("name", name.clone())],
            button: "Take them out",
            back: (&here, "Keep them in the team"),
        };
        let content = confirmation.markup(&manager.who.csrf, false);
        return Ok(layout::page(&manager.chrome(), Here::Teams, "Take somebody out of a team", &content));
    }
    match teams::remove_member(&state.appliance, &manager.actor(), org, &team.path, name).await {
        Ok(()) => {
            let flash = Flash { good: true, text: format!("{name} is not in the team any more.") };
            Ok(see_other(&here, Some(&flash)))
        }
        Err(error) => refused(&manager, &state, &shown, "", &refusal(error, "")?).await,
    }
}

fn lost_packages(losses: Losses) -> Markup {
    html! {
        @if losses.packages == 0 { "no package" } @else {
            (counted(i64::from(losses.packages), "package", "packages")) " of " (losses.total) ", at once"
        }
    }
}

/// How many people lose how much.
pub(super) fn losers(losses: Losses) -> Markup {
    html! {
        @if losses.people == 0 { "nobody: whoever sees these packages has them by another path too" } @else {
            (counted(i64::try_from(losses.people).unwrap_or(i64::MAX), "person loses", "people lose"))
            " " @if losses.people > 1 { "up to " }
            (counted(i64::from(losses.packages), "package", "packages")) ", at once"
        }
    }
}

/// The fields of the form with name and place.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct EditFields {
    name: String,
    under: String,
}

/// Answers `/orgs/{org}/teams/{team}/edit`.
pub async fn edit(manager: Manages, path: Path, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let shown = Shown::find(&manager, &state, &path.1).await?;
    let fields = EditFields { name: shown.one.team.name.clone(), under: above(&shown).to_owned() };
    edit_page(&manager, &state, &shown, &fields, &Faults::default(), StatusCode::OK).await
}

/// The path of the team above; empty for none.
fn above(shown: &Shown) -> &str {
    shown.one.team.path.rsplit_once('/').map_or("", |(above, _)| above)
}

/// Takes its form.
pub async fn save(
    manager: Manages,
    path: Path,
    Form(fields): Form<EditFields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let shown = Shown::find(&manager, &state, &path.1).await?;
    let to = Place {
        name: Some(fields.name.trim().to_owned()),
        under: Some(Some(fields.under.clone()).filter(|under| !under.is_empty())),
    };
    match teams::put(&state.appliance, &manager.actor(), manager.org(), &shown.one.team.path, to).await {
        Ok(()) => {
            let flash = Flash { good: true, text: "Saved. Teams below it followed.".to_owned() };
            Ok(see_other(&address(&manager, &shown.one.team), Some(&flash)))
        }
        Err(refused) => {
            let field = match refused.part {
                Part::Name => "name",
                Part::Under => "under",
            };
            let faults = refusal(refused.error, field)?;
            edit_page(&manager, &state, &shown, &fields, &faults, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

async fn edit_page(
    manager: &Manages,
    state: &State,
    shown: &Shown,
    fields: &EditFields,
    faults: &Faults,
    code: StatusCode,
) -> Result<HttpResponse, PageError> {
    let team = &shown.one.team;
    let here = address(manager, team);
    let places = places(manager, state, Some(&team.path)).await?;
    let name = name_input(&fields.name);
    let title = format!("Rename or move {}", team.path);
    let content = html! {
        nav class="crumbs" aria-label="Breadcrumb" { a href=(base(manager)) { "Teams" } " / " a href=(here) { (team.name) } " /" }
        (head(&title, &nothing(), &nothing()))
        (faults.summary())
        @if team.synchronized {
            p { "This team comes from a platform: it is renamed and moved there." }
        } @else {
            form class="form stack gap" method="post" action={ (here) "/edit" } {
                (csrf(&manager.who.csrf))
                (name.markup(faults))
                (select("under", "Below", &places, &fields.under, "Its people see also what the teams above it have. Teams below it move with it.", faults))
                div class="row" {
                    button class="btn primary" { "Save" }
                    a class="btn" href=(here) { "Back to the team" }
                }
            }
        }
    };
    Ok(layout::page_with(code, &manager.chrome(), Here::Teams, &title, &content))
}

/// The field of a confirmed form.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Confirmed {
    confirmed: String,
}

/// Answers `/orgs/{org}/teams/{team}/remove`, and takes its form.
pub async fn remove(
    manager: Manages,
    path: Path,
    fields: Option<Form<Confirmed>>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let shown = Shown::find(&manager, &state, &path.1).await?;
    let (team, org) = (&shown.one.team, manager.org());
    let is_confirmed = fields.is_some_and(|Form(fields)| fields.confirmed == "yes");
    // One that cannot be removed is not asked about: what stands in the way is told at once.
    if !is_confirmed && !team.synchronized && !shown.has_teams_below() {
        let losses = grants::losses(&state.appliance, org, Loss::Team(team.id)).await?;
        return Ok(removal_page(&manager, &shown, losses));
    }
    if !is_confirmed {
        let what = if team.synchronized {
            "the team comes from a platform: remove it there"
        } else {
            "there are teams below this one: remove or move them first"
        };
        return refused(&manager, &state, &shown, "", &Faults::of("", what)).await;
    }
    match teams::remove(&state.appliance, &manager.actor(), org, &team.path).await {
        Ok(()) => {
            let flash = Flash { good: true, text: format!("Team {} removed.", team.path) };
            Ok(see_other(&base(&manager), Some(&flash)))
        }
        Err(error) => refused(&manager, &state, &shown, "", &refusal(error, "")?).await,
    }
}

fn removal_page(manager: &Manages, shown: &Shown, losses: Losses) -> HttpResponse {
    let team = &shown.one.team;
    let here = address(manager, team);
    let people = counted(i64::try_from(shown.one.members.len()).unwrap_or(i64::MAX), "person is", "people are");
    let confirmation = Confirmation {
        question: html! { "Remove the team " (team.path) "?" },
        lead: "People and packages stay; what they had through the team goes.",
        consequences: vec![
            ("Members", html! { (people) " in it" }),
            ("Loses", losers(losses)),
            ("Tokens", html! { "that are restricted to it open so much less" }),
        ],
        advice: None,
        typed: None,
        action: &format!("{here}/remove"),
        fields: Vec::new(),
        button: "Remove the team",
        back: (&here, "Keep it"),
    };
    let content = confirmation.markup(&manager.who.csrf, false);
    layout::page(&manager.chrome(), Here::Teams, "Remove a team", &content)
}
