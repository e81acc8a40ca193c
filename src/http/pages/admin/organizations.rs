//! The instance's organizations: add, rename, remove.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use crate::admin::members;
use crate::admin::organizations::{self, Summary};
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::pages::components::{Flash, counted, empty, head, nothing, number};
use crate::http::pages::forms::{Faults, Input, faults_of};
use crate::http::pages::layout::{self, Confirmation, Here, csrf};
use crate::http::pages::respond::see_other;
use crate::http::visitor::Administers;
use crate::store::organizations::Organization;

/// Where the list is.
const BASE: &str = "/admin/organizations";
/// How long a page waits for a removal, which goes on without it: thousands of packages take a while.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers `/admin/organizations`.
pub async fn list(administrator: Administers, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let all = organizations::list(&state.appliance).await?;
    let mut rows = Vec::with_capacity(all.len());
    for one in all {
        let members = members::list(&state.appliance, one.organization.id).await?.len();
        rows.push((one, members));
    }
    let under = html! { "Each is a Composer repository of its own, with its packages, people and secrets." };
    let add = html! { a class="btn primary" href={ (BASE) "/new" } { "Add an organization" } };
    let content = html! {
        (head("Organizations", &under, &(if rows.is_empty() { nothing() } else { add })))
        @if rows.is_empty() {
            (empty(
                "No organization yet",
                "An organization is one Composer repository. Most companies need exactly one.",
                Some((&format!("{BASE}/new"), "Add an organization")),
                Some("packagist-selfhosted org add SLUG"),
            ))
        } @else {
            (table(&rows))
        }
    };
    Ok(layout::page(&administrator.chrome(), Here::Organizations, "Organizations", &content))
}

fn table(rows: &[(Summary, usize)]) -> Markup {
    html! {
        table class="table" {
            caption class="sr" { "Organizations" }
            thead {
                tr {
                    th scope="col" { "Organization" }
                    th scope="col" { "Short name" }
                    th scope="col" class="num" { "Packages" }
                    th scope="col" class="num" { "Members" }
                    th scope="col" class="act" { span class="sr" { "Actions" } }
                }
            }
            tbody {
                @for (Summary { organization, packages }, members) in rows {
                    tr {
                        th scope="row" { a href={ "/orgs/" (organization.slug) } { b dir="auto" { (organization.name) } } }
                        td data-label="Short name" class="mono" { (organization.slug) }
                        td data-label="Packages" class="num" { (amount(*packages)) }
                        td data-label="Members" class="num" { (amount(*members)) }
                        td class="act" {
                            a class="btn small" href={ (BASE) "/" (organization.slug) } {
                                "Rename or remove" span class="sr" { " " (organization.name) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn amount(count: usize) -> String {
    number(i64::try_from(count).unwrap_or(i64::MAX))
}

/// The fields of the forms.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    slug: String,
    name: String,
}

/// Answers `/admin/organizations/new`.
pub async fn new(administrator: Administers) -> HttpResponse {
    new_page(&administrator, &Fields::default(), &Faults::default(), StatusCode::OK)
}

/// Takes its form.
pub async fn add(
    administrator: Administers,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let (slug, name) = (fields.slug.trim(), given(&fields.name));
    match organizations::add(&state.appliance, &administrator.actor(), slug, name).await {
        Ok(_) => {
            let flash = Flash { good: true, text: format!("Organization “{}” added.", name.unwrap_or(slug)) };
            Ok(see_other(&format!("/orgs/{slug}"), Some(&flash)))
        }
        Err(error) => {
            let faults = faults_of(error, "slug")?;
            Ok(new_page(&administrator, &fields, &faults, StatusCode::UNPROCESSABLE_ENTITY))
        }
    }
}

fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn fields(fields: &Fields, faults: &Faults, hint: &str) -> Markup {
    let slug = Input {
        name: "slug",
        label: "Short name",
        value: &fields.slug,
        hint,
        placeholder: "acme",
        required: true,
        mono: true,
        autocomplete: "off",
        ..Input::default()
    };
    let name = Input {
        name: "name",
        label: "Name",
        value: &fields.name,
        placeholder: "Acme Ltd",
        optional: true,
        autocomplete: "off",
        ..Input::default()
    };
    html! { (slug.markup(faults)) (name.markup(faults)) }
}

fn new_page(who: &Administers, typed: &Fields, faults: &Faults, code: StatusCode) -> HttpResponse {
    let content = html! {
        nav class="crumbs" aria-label="Breadcrumb" { a href=(BASE) { "Organizations" } " /" }
        (head("Add an organization", &nothing(), &nothing()))
        (faults.summary())
        form class="form stack gap" method="post" action={ (BASE) "/new" } {
            (csrf(&who.csrf))
            (fields(typed, faults, "It stands in the repository’s address: small letters, digits, dots and dashes."))
            div class="row" {
                button class="btn primary" { "Add the organization" }
                a class="btn" href=(BASE) { "Back to the organizations" }
            }
        }
    };
    layout::page_with(code, &who.chrome(), Here::Organizations, "Add an organization", &content)
}

/// The organization of the address, by its slug of now.
async fn find(who: &Administers, state: &State, slug: &str) -> Result<Summary, PageError> {
    let all = organizations::list(&state.appliance).await?;
    all.into_iter().find(|one| one.organization.slug == slug).ok_or_else(|| who.not_found())
}

/// Answers `/admin/organizations/{organization}`.
pub async fn edit(
    administrator: Administers,
    path: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let Organization { slug, name, .. } = find(&administrator, &state, &path).await?.organization;
    let typed = Fields { slug: slug.clone(), name };
    Ok(edit_page(&administrator, &slug, &typed, &Faults::default(), StatusCode::OK))
}

fn edit_page(who: &Administers, slug: &str, typed: &Fields, faults: &Faults, code: StatusCode) -> HttpResponse {
    let content = html! {
        nav class="crumbs" aria-label="Breadcrumb" { a href=(BASE) { "Organizations" } " /" }
        (head(slug, &nothing(), &html! { a class="btn danger" href={ (BASE) "/" (slug) "/remove" } { "Remove…" } }))
        (faults.summary())
        form class="form stack gap" method="post" action={ (BASE) "/" (slug) } {
            (csrf(&who.csrf))
            (fields(typed, faults, "The former address goes on working, because lock files name it. Nobody else can have it."))
            div class="row" {
                button class="btn primary" { "Save" }
                a class="btn" href=(BASE) { "Back to the organizations" }
            }
        }
    };
    layout::page_with(code, &who.chrome(), Here::Organizations, slug, &content)
}

/// Takes the form that renames it.
pub async fn rename(
    administrator: Administers,
    path: web::Path<String>,
    Form(typed): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let organization = find(&administrator, &state, &path).await?.organization;
    let (slug, name) = (typed.slug.trim(), given(&typed.name));
    match organizations::rename(&state.appliance, &administrator.actor(), &organization, slug, name).await {
        Ok(()) => {
            let flash = Flash { good: true, text: format!("Saved. The repository’s short name is “{slug}”.") };
            Ok(see_other(BASE, Some(&flash)))
        }
        Err(error) => {
            let faults = faults_of(error, "slug")?;
            Ok(edit_page(&administrator, &organization.slug, &typed, &faults, StatusCode::UNPROCESSABLE_ENTITY))
        }
    }
}

/// The fields of the page that removes one.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct RemoveFields {
    confirmed: String,
    typed: String,
}

/// Answers `/admin/organizations/{organization}/remove`, and takes its form.
pub async fn remove(
    administrator: Administers,
    path: web::Path<String>,
    fields: Option<Form<RemoveFields>>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let summary = find(&administrator, &state, &path).await?;
    let fields = fields.map(|Form(fields)| fields).unwrap_or_default();
    let confirmed = fields.confirmed == "yes";
    if !confirmed || fields.typed.trim() != summary.organization.slug {
        let members = members::list(&state.appliance, summary.organization.id).await?.len();
        return Ok(removal_page(&administrator, &summary, members, confirmed));
    }
    let (appliance, actor, organization) = (state.appliance.clone(), administrator.actor(), summary.organization);
    let name = organization.name.clone();
    let removing = tokio::spawn(async move { organizations::remove(&appliance, &actor, &organization).await });
    let text = match tokio::time::timeout(PATIENCE, removing).await {
        Ok(Ok(removed)) => removed.map(|()| format!("Organization “{name}” removed."))?,
        Ok(Err(panicked)) => return Err(PageError::internal("a removal ended early", &panicked)),
        Err(_) => format!("Organization “{name}” is gone for everybody; its files are still being deleted."),
    };
    Ok(see_other(BASE, Some(&Flash { good: true, text })))
}

fn removal_page(who: &Administers, summary: &Summary, members: usize, wrong: bool) -> HttpResponse {
    let Summary { organization, packages } = summary;
    let packages = counted(i64::try_from(*packages).unwrap_or(i64::MAX), "package", "packages");
    let members = counted(i64::try_from(members).unwrap_or(i64::MAX), "person loses", "people lose");
    let confirmation = Confirmation {
        question: html! { "Remove the organization " span class="mono" { (organization.slug) } "?" },
        lead: "This cannot be undone here. The repositories on the platforms are not touched.",
        consequences: vec![
            (
                "Stops",
                html! { (packages) " can no longer be required, and lock files that name them can no longer be installed" },
            ),
            ("Access", html! { (members) " it; its tokens open nothing any more" }),
            ("Deletes", html! { "All archives and copies of its repositories, its credentials, teams and settings" }),
            ("Keeps", html! { "The audit log" }),
        ],
        advice: None,
        typed: Some(&organization.slug),
        action: &format!("{BASE}/{}/remove", organization.slug),
        fields: Vec::new(),
        button: "Remove the organization",
        back: (&format!("{BASE}/{}", organization.slug), "Keep it"),
    };
    let code = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let content = confirmation.markup(&who.csrf, wrong);
    layout::page_with(code, &who.chrome(), Here::Organizations, "Remove an organization", &content)
}
