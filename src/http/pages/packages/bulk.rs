//! What is done with many packages at once.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::html;

use super::super::components::{Flash, counted, number};
use super::super::layout::{self, Confirmation, Here};
use super::super::overview::visible;
use super::super::respond::see_other;
use super::Query;
use crate::admin::packages as use_packages;
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::visitor::Manages;
use crate::store;
use crate::store::ids::PackageId;
use crate::store::package_lists;
use crate::store::packages::{self, Package};

/// How many packages are told by name before they are removed.
const NAMED: usize = 20;

/// Fields, as they came: one may occur more than once.
type Fields = Vec<(String, String)>;

fn first<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

fn query_of(fields: &Fields) -> Query {
    let given = |name: &str| first(fields, name).to_owned();
    Query {
        q: given("q"),
        state: given("state"),
        source: given("source"),
        team: given("team"),
        credential: given("credential"),
        sort: given("sort"),
        ..Query::default()
    }
}

/// Answers `POST /orgs/{org}/packages/bulk`.
pub async fn bulk(
    manager: Manages,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let query = query_of(&fields);
    let list = query.address(&super::base(&manager), &[]);
    let chosen = chosen(&manager, &state, &fields, &query).await?;
    if chosen.is_empty() {
        let flash = Flash { good: false, text: "No package was selected, so that nothing was done.".to_owned() };
        return Ok(see_other(&list, Some(&flash)));
    }
    let count = i64::try_from(chosen.len()).unwrap_or(i64::MAX);
    let text = match first(&fields, "action") {
        "update" => {
            use_packages::update(&state.appliance, &manager.actor(), manager.org(), &chosen).await?;
            format!("{} queued for an update.", counted(count, "package is", "packages are"))
        }
        "remove"
            if first(&fields, "confirmed") == "yes"
                && (count == 1 || first(&fields, "typed").trim() == count.to_string()) =>
        {
            for package in &chosen {
                use_packages::remove(&state.appliance, &manager.actor(), manager.org(), package).await?;
            }
            format!("{} removed.", counted(count, "package was", "packages were"))
        }
        "remove" => {
            let wrong = first(&fields, "confirmed") == "yes";
            return Ok(confirmation(&manager, &query, &list, &chosen, wrong));
        }
        _ => {
            let flash = Flash { good: false, text: "Choose what to do with the packages.".to_owned() };
            return Ok(see_other(&list, Some(&flash)));
        }
    };
    Ok(see_other(&list, Some(&Flash { good: true, text })))
}

/// The packages that are meant, as far as the person may see them.
async fn chosen(manager: &Manages, state: &State, fields: &Fields, query: &Query) -> Result<Vec<Package>, PageError> {
    let org = manager.org();
    let found = first(fields, "of") == "found";
    let filter = query.filter(visible(manager));
    let selected = fields.iter().filter(|(name, _)| name == "package");
    let selected: Vec<PackageId> = selected.filter_map(|(_, id)| id.parse().ok().map(PackageId)).collect();
    let seen = manager.clone();
    let all = state
        .appliance
        .database
        .read(move |db| {
            let ids = if found { package_lists::ids(org, db, &filter)? } else { selected };
            let mut all = Vec::with_capacity(ids.len());
            for id in ids {
                all.extend(packages::by_id(org, db, id)?);
            }
            Ok::<_, store::Error>(all)
        })
        .await?;
    Ok(all.into_iter().filter(|package| seen.organization.includes(package.id, &seen.view)).collect())
}

fn confirmation(manager: &Manages, query: &Query, list: &str, chosen: &[Package], wrong: bool) -> HttpResponse {
    let count = i64::try_from(chosen.len()).unwrap_or(i64::MAX);
    let what = counted(count, "package", "packages");
    let versions: i64 = chosen.iter().map(|package| package.versions).sum();
    let mut fields = query.fields();
    fields.push(("action", "remove".to_owned()));
    fields.extend(chosen.iter().map(|package| ("package", package.id.to_string())));
    let more = count - i64::try_from(NAMED).unwrap_or(0);
    let names = html! {
        @for (index, package) in chosen.iter().take(NAMED).enumerate() {
            @if index > 0 { ", " }
            span class="mono" { (use_packages::title(package)) }
        }
        @if more > 0 { " and " (number(more)) " more" }
    };
    let typed = count.to_string();
    let content = Confirmation {
        question: html! { "Remove " (what) "?" },
        lead: "This cannot be undone here. The repositories themselves are not touched.",
        consequences: vec![
            ("Packages", names),
            (
                "Stops",
                html! {
                    (counted(versions, "version", "versions"))
                    " can no longer be required, and lock files that name them can no longer be installed"
                },
            ),
            ("Deletes", html! { "their archives and the copies of their repositories" }),
        ],
        advice: None,
        typed: (count > 1).then_some(typed.as_str()),
        action: &format!("{}/bulk", super::base(manager)),
        fields,
        button: &format!("Remove {what}"),
        back: (list, if count == 1 { "Keep it" } else { "Keep them" }),
    };
    let content = content.markup(&manager.who.csrf, wrong);
    let code = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    layout::page_with(code, &manager.chrome(), Here::Packages, "Remove packages", &content)
}
