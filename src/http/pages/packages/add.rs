//! Adding a package by its address.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::html;
use serde::Deserialize;

use super::super::components::{Flash, head, snippet_bare};
use super::super::forms::{Faults, Input, checkbox, faults_of, select};
use super::super::layout::{self, Here, csrf};
use super::super::package::address;
use super::super::respond::see_other;
use crate::admin::credentials;
use crate::admin::packages::{self, NewPackage};
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::visitor::Manages;

/// The fields of the form.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    url: String,
    credential: String,
    fork: String,
}

/// Answers `/orgs/{org}/packages/new`.
pub async fn new(manager: Manages, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    form_page(&manager, &state, &Fields::default(), &Faults::default(), StatusCode::OK).await
}

/// Takes its form: the new package's page shows how it is read.
pub async fn add(
    manager: Manages,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let url = fields.url.trim().to_owned();
    if url.is_empty() {
        let faults = Faults::of("url", "Give the address of the repository");
        return form_page(&manager, &state, &fields, &faults, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    let credential = Some(fields.credential.clone()).filter(|name| !name.is_empty());
    let new = NewPackage { url, vcs: "git".to_owned(), credential, fork: fields.fork == "on" };
    match packages::add(&state.appliance, &manager.actor(), manager.org(), new).await {
        Ok(added) => {
            let flash = Flash { good: true, text: "Package added. Its repository is being read.".to_owned() };
            Ok(see_other(&address(&manager.organization.slug, added.id, None), Some(&flash)))
        }
        Err(error) => {
            let faults = faults_of(error, "url")?;
            form_page(&manager, &state, &fields, &faults, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

/// What one can choose from: the name, and where it is sent.
pub(in super::super) async fn credential_choices(
    manager: &Manages,
    state: &State,
) -> Result<Vec<(String, String)>, PageError> {
    let all = credentials::list(&state.appliance, manager.org()).await?;
    let named = all.into_iter().map(|credential| {
        let host = credentials::host(&credential).map(|host| format!(", for {host}")).unwrap_or_default();
        let words = format!("{}{host}", credential.name);
        (credential.name, words)
    });
    Ok(std::iter::once((String::new(), "None".to_owned())).chain(named).collect())
}

async fn form_page(
    manager: &Manages,
    state: &State,
    fields: &Fields,
    faults: &Faults,
    code: StatusCode,
) -> Result<HttpResponse, PageError> {
    let base = super::base(manager);
    let choices = credential_choices(manager, state).await?;
    let url = Input {
        name: "url",
        label: "Address of the Git repository",
        value: &fields.url,
        hint: "As you would clone it, by HTTPS or SSH.",
        placeholder: "https://git.example.com/team/library.git",
        required: true,
        mono: true,
        autocomplete: "off",
        ..Input::default()
    };
    let slug = &manager.organization.slug;
    let command = format!("packagist-selfhosted package add https://git.example.com/team/library.git --org {slug}");
    let content = html! {
        nav class="crumbs" aria-label="Breadcrumb" { a href=(base) { "Packages" } " /" }
        (head("Add a package", &html! { "Each tag and branch with a composer.json becomes a version." }, &html! {}))
        (faults.summary())
        form class="form stack" method="post" action={ (base) "/new" } {
            (csrf(&manager.who.csrf))
            (url.markup(faults))
            (select("credential", "Credential", &choices, &fields.credential, "What opens the repository, for the same host. None where everybody in the network may read it.", faults))
            p class="small" { a href={ "/orgs/" (slug) "/credentials/new" } { "Add another credential" } }
            (checkbox("fork", "on", "It is a fork of somebody else’s package", "Its vendor does not become one of the organization: other packages of that vendor still come from elsewhere.", fields.fork == "on"))
            div class="row" {
                button class="btn primary" { "Add the package" }
                a class="btn" href=(base) { "Back to the packages" }
            }
        }
        section class="gap stack-s" aria-label="By command" {
            p class="muted small" { "The same by command, also for many in a script:" }
            (snippet_bare("add-command", "Shell", &command))
        }
    };
    Ok(layout::page_with(code, &manager.chrome(), Here::Packages, "Add a package", &content))
}
