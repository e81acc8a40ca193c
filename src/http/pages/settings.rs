//! An organization's settings, for its owners: what it is called, who gets in and how, what it owns, and its end.

mod change;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};

use super::components::{counted, head, nothing};
use super::forms::{Faults, Input, radios};
use super::layout::{self, Here, csrf};
use crate::access::facts::Policy;
use crate::admin::vendors::{self, Summary};
use crate::admin::{organization_settings, organizations};
use crate::http::State;
use crate::http::page_error::PageError;
use crate::http::visitor::{Owns, Reads};

pub use change::{activation, add_vendor, login_rule, name, remove, remove_vendor};

fn base(reader: &Reads) -> String {
    format!("/orgs/{}/settings", reader.organization.slug)
}

/// What was typed into the forms of the page, where one came back.
#[derive(Default)]
struct Typed {
    name: Option<String>,
    slug: Option<String>,
    integrations: Option<Vec<String>>,
    vendor: String,
}

/// Answers `/orgs/{org}/settings`.
pub async fn show(owner: Owns, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    page(&owner, &state, &Typed::default(), &Faults::default(), StatusCode::OK).await
}

async fn page(
    owner: &Owns,
    state: &State,
    typed: &Typed,
    faults: &Faults,
    code: StatusCode,
) -> Result<HttpResponse, PageError> {
    let policy = organization_settings::policy(&state.appliance, owner.org()).await?;
    let vendors = vendors::list(&state.appliance, owner.org()).await?;
    let former = organizations::former_slugs(&state.appliance, owner.org()).await?;
    let content = html! {
        (head("Settings", &html! { span dir="auto" { (owner.name) } }, &nothing()))
        (faults.summary())
        div class="sections" {
            (names(owner, state, typed, &former, faults))
            (activation_form(owner, &policy))
            (login_form(owner, state, &policy, typed, faults))
            (vendors_section(owner, &vendors, typed, faults))
            section aria-labelledby="h-end" {
                h2 id="h-end" { "Remove the organization" }
                p class="gap-b" { "With its packages, archives, teams, tokens and credentials. The next page says what goes." }
                a class="btn danger" href={ (base(owner)) "/remove" } { "Remove " (owner.name) "…" }
            }
        }
    };
    Ok(layout::page_with(code, &owner.chrome(), Here::Settings, "Settings", &content))
}

fn names(owner: &Owns, state: &State, typed: &Typed, former: &[String], faults: &Faults) -> Markup {
    let host = &state.settings.public_url;
    let slug_hint = format!(
        "Composer uses {host}/repo/{}. The former address goes on working after a change, because lock files name it.",
        owner.organization.slug
    );
    let name = Input {
        name: "name",
        label: "Name",
        value: typed.name.as_deref().unwrap_or(&owner.name),
        autocomplete: "off",
        required: true,
        ..Input::default()
    };
    let slug = Input {
        name: "slug",
        label: "Address",
        value: typed.slug.as_deref().unwrap_or(&owner.organization.slug),
        hint: &slug_hint,
        autocomplete: "off",
        required: true,
        mono: true,
        ..Input::default()
    };
    html! {
        section aria-labelledby="h-names" {
            h2 id="h-names" { "Name and address" }
            form class="form stack" method="post" action={ (base(owner)) "/name" } {
                (csrf(&owner.who.csrf))
                (name.markup(faults))
                (slug.markup(faults))
                @if !former.is_empty() { p class="hint" { "Also answers to: " span class="mono" { (former.join(", ")) } } }
                div { button class="btn" { "Save name and address" } }
            }
        }
    }
}

fn activation_form(owner: &Owns, policy: &Policy) -> Markup {
    let options = [
        ("manual", "An admin says yes first", "They stand in the list of members and see nothing until then."),
        ("automatic", "They are active at once", "What they may see on the platform, they see here."),
    ];
    html! {
        section aria-labelledby="h-activation" {
            h2 id="h-activation" { "People whom a synchronization finds" }
            form class="form stack" method="post" action={ (base(owner)) "/activation" } {
                (csrf(&owner.who.csrf))
                (radios("activation", "From now on", &options, if policy.manual { "manual" } else { "automatic" }))
                p class="hint" { "Who is here already stays what they are." }
                div { button class="btn" { "Save" } }
            }
        }
    }
}

fn login_form(owner: &Owns, state: &State, policy: &Policy, typed: &Typed, faults: &Faults) -> Markup {
    let set = policy.login.integrations();
    let is_chosen = |id: &str| match &typed.integrations {
        Some(chosen) => chosen.iter().any(|one| one == id),
        None => set.iter().any(|one| **one == *id),
    };
    let mut offered: Vec<(String, String)> =
        state.settings.integrations.iter().map(|one| (one.id.clone(), one.name.clone())).collect();
    // A rule goes on naming what was taken out of the configuration.
    for id in set {
        if !offered.iter().any(|(known, _)| **known == **id) {
            offered.push((id.to_string(), format!("{id}, which is not configured any more")));
        }
    }
    html! {
        section aria-labelledby="h-login" {
            h2 id="h-login" { "How people log in" }
            @if offered.is_empty() {
                p { "By any way. Once a platform is registered in the configuration, you can ask everybody to log in by it." }
            } @else {
                form class="form stack" method="post" action={ (base(owner)) "/login-rule" } {
                    (csrf(&owner.who.csrf))
                    fieldset class="stack-s" id="integrations" aria-describedby=[faults.get("integrations").map(|_| "integrations-e")] {
                        legend class="label" { "Everybody logs in by one of these" }
                        @if let Some(fault) = faults.get("integrations") { span class="status fail" id="integrations-e" { (fault) } }
                        @for (id, name) in &offered {
                            label class="check" {
                                input type="checkbox" name="integration" value=(id) checked[is_chosen(id)];
                                span { (name) span class="hint mono" { (id) } }
                            }
                        }
                    }
                    p class="hint" { "None chosen: any way will do, passwords included. It counts at once, for pages and for user tokens; tokens of the organization go on." }
                    div { button class="btn" { "Save" } }
                }
            }
        }
    }
}

fn vendors_section(owner: &Owns, vendors: &[Summary], typed: &Typed, faults: &Faults) -> Markup {
    let vendor = Input {
        name: "vendor",
        label: "Own another vendor",
        value: &typed.vendor,
        hint: "Packages that wait for it are updated at once.",
        autocomplete: "off",
        placeholder: "acme",
        required: true,
        mono: true,
        ..Input::default()
    };
    html! {
        section aria-labelledby="h-vendors" {
            h2 id="h-vendors" { "Owned vendors" }
            p class="gap-b" { "Names under them come from here alone: Composer does not look for them on public repositories." }
            @if !vendors.is_empty() {
                table class="table" {
                    caption class="sr" { "Vendors that the organization owns" }
                    thead { tr { th scope="col" { "Vendor" } th scope="col" { "Packages" } th scope="col" class="act" { span class="sr" { "Actions" } } } }
                    tbody {
                        @for one in vendors {
                            tr {
                                th scope="row" { span class="name" { (one.name) } }
                                td data-label="Packages" { (counted(i64::try_from(one.packages).unwrap_or(i64::MAX), "package", "packages")) }
                                td class="act" {
                                    @if one.packages == 0 {
                                        form method="post" action={ (base(owner)) "/vendors/remove" } {
                                            (csrf(&owner.who.csrf))
                                            input type="hidden" name="vendor" value=(one.name);
                                            button class="btn small danger" { "Give up…" span class="sr" { " " (one.name) } }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            form class="form stack gap" method="post" action={ (base(owner)) "/vendors/add" } {
                (csrf(&owner.who.csrf))
                (vendor.markup(faults))
                div { button class="btn" { "Own the vendor" } }
            }
        }
    }
}
