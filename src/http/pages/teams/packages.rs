//! The packages of a team: given several at once, taken after a look at who loses them.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::change::{losers, refused};
use super::show::Shown;
use super::{address, base};
use crate::admin::teams::{self, Having, Packages};
use crate::admin::{grants, packages};
use crate::catalog::Loss;
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::pages::components::{Flash, counted, head};
use crate::http::pages::forms::Faults;
use crate::http::pages::layout::{self, Confirmation, Here, csrf};
use crate::http::pages::members::refusal;
use crate::http::pages::respond::see_other;
use crate::http::pages::stretch::Stretch;
use crate::http::visitor::Manages;
use crate::store::packages::Package;

/// Organization and team.
type Path = web::Path<(String, String)>;
/// The fields of a form in which one may occur several times.
type Several = Vec<(String, String)>;

/// What the page with packages to choose is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    q: String,
    after: String,
}

/// Answers `/orgs/{org}/teams/{team}/packages`: those that the team does not have.
pub async fn choose(
    manager: Manages,
    path: Path,
    asked: web::Query<Asked>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let shown = Shown::find(&manager, &state, &path.1).await?;
    let team = &shown.one.team;
    let here = address(&manager, team);
    let has = |name: &String| matches!(&shown.one.packages, Having::Some(names) if names.contains(name));
    let word = asked.q.trim().to_lowercase();
    let mut names: Vec<String> =
        packages::list(&state.appliance, manager.org()).await?.iter().map(Package::shown_name).collect();
    names.retain(|name| !has(name) && name.to_lowercase().contains(&word));
    names.sort();
    let results = counted(i64::try_from(names.len()).unwrap_or(i64::MAX), "package", "packages");
    let under = html! { "Choose what the people of the team see from now on. Packages that it has are not shown." };
    let content = html! {
        nav class="crumbs" aria-label="Breadcrumb" { a href=(base(&manager)) { "Teams" } " / " a href=(here) { (team.name) } " /" }
        (head(&format!("Give packages to {}", team.path), &under, &html! {}))
        form class="filters" method="get" action={ (here) "/packages" } data-filter role="search" aria-label="Search packages to give" {
            div class="field grow" {
                label for="p-q" { "Package" }
                input id="p-q" name="q" type="search" autocomplete="off" value=(asked.q);
            }
            button class="btn" { "Search" }
        }
        div data-results=(results) {
            @if names.is_empty() { p { "No package fits that the team does not have. " a href={ (here) "/packages" } { "Clear the search" } } }
            @else { (choice(&manager, &here, &names, &asked)) }
        }
    };
    Ok(layout::page(&manager.chrome(), Here::Teams, "Give packages", &content))
}

fn choice(manager: &Manages, here: &str, names: &[String], asked: &Asked) -> Markup {
    let stretch = Stretch::of(names, String::as_str, &asked.after);
    html! {
        form method="post" action={ (here) "/packages" } {
            (csrf(&manager.who.csrf))
            table class="table" {
                caption class="sr" { "Packages that the team does not have" }
                thead { tr { th scope="col" class="pick" { span class="sr" { "Choose" } } th scope="col" { "Package" } } }
                tbody {
                    @for name in stretch.rows {
                        tr {
                            td class="pick" { input type="checkbox" name="package" value=(name) aria-label={ "Choose " (name) }; }
                            th scope="row" { span class="name" { (name) } }
                        }
                    }
                }
            }
            div class="row gap" {
                button class="btn primary" { "Give the chosen ones" }
                a class="btn" href=(here) { "Back to the team" }
            }
        }
        (stretch.pager(&format!("{here}/packages"), &[("q", &asked.q)], "after", "packages"))
    }
}

/// The packages that were chosen in a form. One that was removed meanwhile is a fault.
async fn chosen(manager: &Manages, state: &State, fields: &Several) -> Result<Result<Vec<Package>, Faults>, PageError> {
    let mut found = Vec::new();
    for (_, text) in fields.iter().filter(|(name, _)| name == "package") {
        match packages::find(&state.appliance, manager.org(), text).await {
            Ok(package) => found.push(package),
            Err(error) => return Ok(Err(refusal(error, "")?)),
        }
    }
    Ok(if found.is_empty() { Err(Faults::of("", "Choose at least one package")) } else { Ok(found) })
}

/// Takes the form that gives packages.
pub async fn grant(
    manager: Manages,
    path: Path,
    Form(fields): Form<Several>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let shown = Shown::find(&manager, &state, &path.1).await?;
    let found = match chosen(&manager, &state, &fields).await? {
        Ok(found) => found,
        Err(faults) => return refused(&manager, &state, &shown, "", &faults).await,
    };
    let text = format!("The team has {} more.", packages_words(found.len()));
    give(&manager, &state, &shown, Packages::Some(found), text).await
}

fn packages_words(count: usize) -> String {
    counted(i64::try_from(count).unwrap_or(i64::MAX), "package", "packages")
}

async fn give(
    manager: &Manages,
    state: &State,
    shown: &Shown,
    what: Packages,
    text: String,
) -> Result<HttpResponse, PageError> {
    let team = &shown.one.team;
    match teams::grant(&state.appliance, &manager.actor(), manager.org(), &team.path, what).await {
        Ok(()) => Ok(see_other(&address(manager, team), Some(&Flash { good: true, text }))),
        Err(error) => refused(manager, state, shown, "", &refusal(error, "")?).await,
    }
}

/// Takes the form that takes packages.
pub async fn revoke(
    manager: Manages,
    path: Path,
    Form(fields): Form<Several>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let shown = Shown::find(&manager, &state, &path.1).await?;
    let found = match chosen(&manager, &state, &fields).await? {
        Ok(found) => found,
        Err(faults) => return refused(&manager, &state, &shown, "", &faults).await,
    };
    let names: Vec<(&str, String)> = found.iter().map(|package| ("package", package.shown_name())).collect();
    let ids = found.iter().map(|package| package.id).collect();
    let loss = Loss::Packages(shown.one.team.id, Some(ids));
    let what = packages_words(found.len());
    take(
        &manager,
        &state,
        &shown,
        &fields,
        Taking { what: Packages::Some(found), loss, words: what, names, path: "revoke" },
    )
    .await
}

/// Takes the form that gives all packages, now and later, or takes them.
pub async fn all_packages(
    manager: Manages,
    path: Path,
    Form(fields): Form<Several>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let shown = Shown::find(&manager, &state, &path.1).await?;
    if fields.iter().any(|(name, value)| name == "all" && value == "on") {
        let text = "The team has all packages, now and later.".to_owned();
        return give(&manager, &state, &shown, Packages::All, text).await;
    }
    let loss = Loss::Packages(shown.one.team.id, None);
    let (words, names) = ("all packages".to_owned(), vec![("all", "off".to_owned())]);
    take(&manager, &state, &shown, &fields, Taking { what: Packages::All, loss, words, names, path: "all" }).await
}

/// What is taken from a team.
struct Taking {
    what: Packages,
    loss: Loss,
    words: String,
    /// The fields of the form that says yes to it.
    names: Vec<(&'static str, String)>,
    path: &'static str,
}

async fn take(
    manager: &Manages,
    state: &State,
    shown: &Shown,
    fields: &Several,
    taking: Taking,
) -> Result<HttpResponse, PageError> {
    let (team, org) = (&shown.one.team, manager.org());
    let here = address(manager, team);
    let is_confirmed = fields.iter().any(|(name, value)| name == "confirmed" && value == "yes");
    if !is_confirmed && !team.synchronized {
        let losses = grants::losses(&state.appliance, org, taking.loss).await?;
        let mut consequences = vec![("Loses", losers(losses))];
        let listed = taking.names.iter().filter(|(name, _)| *name == "package");
        if taking.path == "revoke" {
            consequences
                .push(("Packages", html! { @for (_, name) in listed.take(50) { span class="mono" { (name) } " " } }));
        }
        let confirmation = Confirmation {
            question: html! { "Take " (taking.words) " from " (team.path) "?" },
            lead: "It counts from the next request of Composer. The packages stay.",
            consequences,
            advice: None,
            typed: None,
            action: &format!("{here}/packages/{}", taking.path),
            fields: taking.names,
            button: "Take them from the team",
            back: (&here, "Keep them"),
        };
        let content = confirmation.markup(&manager.who.csrf, false);
        return Ok(layout::page(&manager.chrome(), Here::Teams, "Take packages from a team", &content));
    }
    match teams::revoke(&state.appliance, &manager.actor(), org, &team.path, taking.what).await {
        Ok(()) => {
            let flash = Flash { good: true, text: format!("The team does not have {} any more.", taking.words) };
            Ok(see_other(&here, Some(&flash)))
        }
        Err(error) => refused(manager, state, shown, "", &refusal(error, "")?).await,
    }
}
