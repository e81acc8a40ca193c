//! Changes of an organization's settings.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::html;
use serde::Deserialize;

use super::{Typed, base, page};
use crate::admin::organization_settings::{self, Setter};
use crate::admin::{members, organizations, packages, tokens, vendors};
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::pages::components::{Flash, Tone, counted};
use crate::http::pages::layout::{self, Confirmation, Here};
use crate::http::pages::members::refusal;
use crate::http::pages::respond::see_other;
use crate::http::visitor::Owns;
use crate::store::organizations::Organization;

/// How long a page waits for a removal, which goes on without it.
const PATIENCE: Duration = Duration::from_secs(20);

fn organization(owner: &Owns) -> Organization {
    Organization { id: owner.org(), slug: owner.organization.slug.to_string(), name: owner.name.clone() }
}

fn done(owner: &Owns, text: impl Into<String>) -> HttpResponse {
    see_other(&base(owner), Some(&Flash { good: true, text: text.into() }))
}

/// The fields of the form with name and address.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct NameFields {
    name: String,
    slug: String,
}

/// Takes the form with name and address.
pub async fn name(
    owner: Owns,
    Form(fields): Form<NameFields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let (slug, name) = (fields.slug.trim(), fields.name.trim());
    let before = organization(&owner);
    if slug == before.slug && name == before.name {
        return Ok(done(&owner, "Nothing was changed."));
    }
    match organizations::rename(&state.appliance, &owner.actor(), &before, slug, Some(name)).await {
        Ok(()) => {
            let text = if slug == before.slug {
                "Saved.".to_owned()
            } else {
                format!("The address is /repo/{slug} now. /repo/{} goes on working.", before.slug)
            };
            Ok(see_other(&format!("/orgs/{slug}/settings"), Some(&Flash { good: true, text })))
        }
        Err(error) => {
            // Which of the two it is about, its text says; the address is what is refused most.
            let field = if error.to_string().contains("name is a text") { "name" } else { "slug" };
            let faults = refusal(error, field)?;
            let typed = Typed { name: Some(fields.name), slug: Some(fields.slug), ..Typed::default() };
            page(&owner, &state, &typed, &faults, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

/// The field of the form about people who are found.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct ActivationFields {
    activation: String,
}

/// Takes the form about people whom a synchronization finds.
pub async fn activation(
    owner: Owns,
    Form(fields): Form<ActivationFields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let manual = match fields.activation.as_str() {
        "manual" => true,
        "automatic" => false,
        _ => return Err(PageError::Form(crate::http::page_error::FormFault::Fields)),
    };
    organization_settings::set_manual_activation(&state.appliance, &owner.actor(), owner.org(), manual).await?;
    let text = if manual {
        "People who are found from now on wait for an admin."
    } else {
        "People who are found from now on are active at once. Who waits goes on waiting."
    };
    Ok(done(&owner, text))
}

/// Takes the form about ways to log in.
pub async fn login_rule(
    owner: Owns,
    Form(fields): Form<Vec<(String, String)>>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let chosen: Vec<String> = fields.into_iter().filter(|(name, _)| name == "integration").map(|(_, id)| id).collect();
    // Administrators of the instance get in whatever the rule says.
    let setter =
        if owner.who.user.admin { Setter::Instance } else { Setter::Session(owner.who.session.integration.clone()) };
    let (actor, org) = (owner.actor(), owner.org());
    match organization_settings::set_login_rule(&state.appliance, &actor, setter, org, &chosen).await {
        Ok(()) if chosen.is_empty() => Ok(done(&owner, "People log in by any way.")),
        Ok(()) => {
            let names: Vec<String> = chosen.iter().map(|id| state.integration_name(id)).collect();
            let locked_out = members::list(&state.appliance, org).await?;
            let locked_out =
                locked_out.iter().filter(|one| one.status == members::Status::Active && !one.passes_login_rule);
            let count = locked_out.count();
            let mut text = format!("Everybody logs in by {}.", names.join(" or "));
            if count > 0 {
                let count = counted(i64::try_from(count).unwrap_or(i64::MAX), "person has", "people have");
                text = format!("{text} {count} no such account yet: the list of members shows who.");
            }
            Ok(done(&owner, text))
        }
        Err(error) => {
            let faults = refusal(error, "integrations")?;
            let typed = Typed { integrations: Some(chosen), ..Typed::default() };
            page(&owner, &state, &typed, &faults, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

/// The fields of the forms about a vendor.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct VendorFields {
    vendor: String,
    confirmed: String,
}

/// Takes the form that adds a vendor.
pub async fn add_vendor(
    owner: Owns,
    Form(fields): Form<VendorFields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let vendor = fields.vendor.trim();
    match vendors::add(&state.appliance, &owner.actor(), owner.org(), vendor).await {
        Ok(true) => Ok(done(&owner, format!("The organization owns {vendor} now."))),
        Ok(false) => Ok(done(&owner, format!("The organization owned {vendor} already."))),
        Err(error) => {
            let faults = refusal(error, "vendor")?;
            let typed = Typed { vendor: fields.vendor, ..Typed::default() };
            page(&owner, &state, &typed, &faults, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

/// Takes the form that gives a vendor up.
pub async fn remove_vendor(
    owner: Owns,
    Form(fields): Form<VendorFields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let vendor = fields.vendor.trim();
    if fields.confirmed != "yes" {
        let back = base(&owner);
        let confirmation = Confirmation {
            question: html! { "Give up the vendor " span class="mono" { (vendor) } "?" },
            lead: "No package of the organization has it.",
            consequences: vec![(
                "Opens",
                html! { "names under it to public repositories: whoever registers one there is asked by Composer too" },
            )],
            advice: None,
            typed: None,
            action: &format!("{back}/vendors/remove"),
            fields: vec![("vendor", vendor.to_owned())],
            button: "Give it up",
            back: (&back, "Keep it"),
        };
        let content = confirmation.markup(&owner.who.csrf, false);
        return Ok(layout::page(&owner.chrome(), Here::Settings, "Give up a vendor", &content));
    }
    match vendors::remove(&state.appliance, &owner.actor(), owner.org(), vendor).await {
        Ok(()) => Ok(done(&owner, format!("{vendor} is not owned any more."))),
        Err(error) => {
            let faults = refusal(error, "")?;
            page(&owner, &state, &Typed::default(), &faults, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

/// The fields of the page that removes the organization.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct RemoveFields {
    confirmed: String,
    typed: String,
}

/// Answers `/orgs/{org}/settings/remove`, and takes its form.
pub async fn remove(
    owner: Owns,
    fields: Option<Form<RemoveFields>>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let slug = owner.organization.slug.to_string();
    let fields = fields.map(|Form(fields)| fields).unwrap_or_default();
    if fields.confirmed != "yes" || fields.typed.trim() != slug {
        return removal_page(&owner, &state, fields.confirmed == "yes").await;
    }
    // For everybody it is gone with the first transaction; the files of thousands of packages take longer.
    let (appliance, actor, organization) = (state.appliance.clone(), owner.actor(), organization(&owner));
    let name = organization.name.clone();
    let removing = tokio::spawn(async move { organizations::remove(&appliance, &actor, &organization).await });
    match tokio::time::timeout(PATIENCE, removing).await {
        Ok(Ok(result)) => result?,
        Ok(Err(panicked)) => return Err(PageError::internal("a removal ended early", &panicked)),
        Err(_) => {
            tracing::info!(organization = %slug, "The removal of an organization goes on after its page was answered.")
        }
    }
    Ok(see_other("/", Some(&Flash { good: true, text: format!("{name} was removed.") })))
}

async fn removal_page(owner: &Owns, state: &State, wrong: bool) -> Result<HttpResponse, PageError> {
    let org = owner.org();
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let packages = packages::list(&state.appliance, org).await?.len();
    let people = members::list(&state.appliance, org).await?.len();
    let tokens = tokens::list(&state.appliance, org).await?.len();
    let slug = &owner.organization.slug;
    let back = base(owner);
    let confirmation = Confirmation {
        question: html! { "Remove the organization " span dir="auto" { (owner.name) } "?" },
        lead: "This cannot be undone. The repositories on their platforms are not touched.",
        consequences: vec![
            (
                "Packages",
                html! { (counted(count(packages), "package", "packages")) " with versions and archives; lock files that name them cannot be installed any more" },
            ),
            ("People", html! { (counted(count(people), "person loses", "people lose")) " what they see here" }),
            (
                "Tokens",
                html! { (counted(count(tokens), "token", "tokens")) " of the organization; continuous integration that uses them stops" },
            ),
            ("Also", html! { "teams, credentials, webhooks and vendors" }),
            ("Stays", html! { "the audit log, and people’s accounts" }),
            (
                "Address",
                html! { span class="mono" { (state.settings.public_url) "/repo/" (slug) } " is free for another organization" },
            ),
        ],
        advice: Some((
            Tone::Warn,
            html! { h2 { "There is no way back but a backup" } p { "Make one first if in doubt." } },
        )),
        typed: Some(slug),
        action: &format!("{back}/remove"),
        fields: Vec::new(),
        button: "Remove the organization",
        back: (&back, "Keep it"),
    };
    let content = confirmation.markup(&owner.who.csrf, wrong);
    let code = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(layout::page_with(code, &owner.chrome(), Here::Settings, "Remove the organization", &content))
}
