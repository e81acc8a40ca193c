//! What people decide about a package's life: that it is abandoned, and which of two packages has a name.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::components::{Flash, Tone, callout, nothing};
use super::super::forms::{Faults, Input, faults_of, radios};
use super::super::layout::{self, Confirmation, Here, csrf};
use super::super::respond::see_other;
use super::{At, Path, Seen, address};
use crate::admin::package_life::{self, Abandonment, By};
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::visitor::Manages;
use crate::store::name_claims::Rival;

/// What can be said by hand.
const CHOICES: [(&str, &str, &str); 2] = [
    (
        "here",
        "It is abandoned",
        "Composer warns whoever installs it. This counts whatever the repository says, also where that cannot be read any more.",
    ),
    (
        "repository",
        "As its repository says",
        "By “abandoned” in the composer.json of the default branch, or by being archived on its platform.",
    ),
];

/// The fields of the form.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    abandoned: String,
    replacement: String,
}

/// In a sentence, whether a package is abandoned, and by whose word.
fn state_words(seen: &Seen) -> Markup {
    let replacement = seen.package.abandoned.as_deref().and_then(|json| serde_json::from_str::<String>(json).ok());
    html! {
        @match By::of(&seen.package) {
            None => "It is not abandoned.",
            Some(by) => {
                "It is abandoned"
                @if let Some(name) = replacement { " in favour of " span class="mono" { (name) } }
                ", because " (by.words()) "."
            }
        }
    }
}

/// The part of the settings about it.
pub(super) fn section(seen: &Seen) -> Markup {
    html! {
        section aria-labelledby="h-a" {
            h2 id="h-a" { "Abandoned" }
            p class="gap-b" { (state_words(seen)) }
            a class="btn" href={ (seen.base) "/abandon" } {
                @if seen.package.abandoned_here.is_some() { "Change…" } @else { "Mark it as abandoned…" }
            }
        }
    }
}

/// Answers `…/abandon`.
pub async fn abandonment(manager: Manages, path: Path, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let seen = Seen::find((*manager).clone(), &state, &path.1, &path.2).await?;
    let here = seen.package.abandoned_here.as_deref();
    let replacement = here.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    let fields = Fields { abandoned: "here".to_owned(), replacement };
    Ok(form_page(&manager, &seen, &fields, &Faults::default(), StatusCode::OK))
}

/// Takes its form.
pub async fn abandon(
    manager: Manages,
    path: Path,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find((*manager).clone(), &state, &path.1, &path.2).await?;
    let said = match fields.abandoned.as_str() {
        "repository" => Ok(Abandonment::Unsaid),
        _ => Abandonment::parse(&fields.replacement),
    };
    let done = match said {
        Ok(said) => {
            package_life::abandon(&state.appliance, &manager.actor(), manager.org(), seen.package.id, said).await
        }
        Err(error) => Err(error),
    };
    match done {
        Ok(_) => {
            let flash = Flash { good: true, text: "Saved. Composer is told in a moment.".to_owned() };
            Ok(see_other(&seen.base, Some(&flash)))
        }
        Err(error) => {
            let faults = faults_of(error, "replacement")?;
            Ok(form_page(&manager, &seen, &fields, &faults, StatusCode::UNPROCESSABLE_ENTITY))
        }
    }
}

fn form_page(manager: &Manages, seen: &Seen, fields: &Fields, faults: &Faults, code: StatusCode) -> HttpResponse {
    let replacement = Input {
        name: "replacement",
        label: "Replaced by",
        value: &fields.replacement,
        hint: "The package that people should use instead: Composer tells them.",
        placeholder: "vendor/name",
        optional: true,
        mono: true,
        autocomplete: "off",
        ..Input::default()
    };
    let content = html! {
        section aria-labelledby="h-a" {
            h2 id="h-a" { "Abandoned" }
            p class="gap-b" { (state_words(seen)) }
            (faults.summary())
            form class="form stack" method="post" action={ (seen.base) "/abandon" } {
                (csrf(&manager.who.csrf))
                (radios("abandoned", "What counts", &CHOICES, &fields.abandoned))
                (replacement.markup(faults))
                div class="row" {
                    button class="btn primary" { "Save" }
                    a class="btn" href={ (seen.base) "/settings" } { "Cancel" }
                }
            }
        }
    };
    seen.page_with(code, At::Settings, "Abandoned", None, &content)
}

/// The packages that this one is in conflict with, of those that the person may see.
fn rivals(seen: &Seen) -> impl Iterator<Item = &Rival> {
    seen.package.rivals.iter().filter(|rival| seen.reader.organization.includes(rival.id, &seen.reader.view))
}

/// A link to a package that has or wants the same name.
fn rival_link(seen: &Seen, rival: &Rival) -> Markup {
    let to = address(&seen.reader.organization.slug, rival.id, rival.name.as_deref());
    html! { a class="mono" href=(to) { (rival.url) } }
}

/// What is said of a package that has a name which others want, or wants one which another has.
pub(super) fn conflict(seen: &Seen) -> Markup {
    match &seen.package.held_name {
        Some(name) => waiting(seen, name),
        None => wanted(seen),
    }
}

fn waiting(seen: &Seen, name: &str) -> Markup {
    let heading =
        if seen.package.name.is_some() { "The new name is taken" } else { "Not installable: its name is taken" };
    let text = html! {
        p {
            "Its composer.json says " span class="mono" { (name) } ". Another package has that name"
            @for (index, rival) in rivals(seen).enumerate() { @if index == 0 { ": " } @else { ", " } (rival_link(seen, rival)) }
            ". "
            @match &seen.package.name {
                Some(before) => { "This one stays " span class="mono" { (before) } " until that is settled." },
                None => "Nothing of this one is served until that is settled.",
            }
        }
        p { "Remove one of the two, change the name in one composer.json, or choose which of them has the name." }
        @if seen.manages() {
            div class="row" {
                form method="post" action={ (seen.base) "/publish" } {
                    (csrf(&seen.reader.who.csrf))
                    button class="btn primary" { "Publish " span class="mono" { (name) } " from this one…" }
                }
                a class="btn danger" href={ (seen.base) "/remove" } { "Remove the package…" }
            }
        }
    };
    html! { div class="gap-b" id="conflict" { (callout(Tone::Warn, heading, &text)) } }
}

fn wanted(seen: &Seen) -> Markup {
    let others: Vec<&Rival> = rivals(seen).collect();
    if others.is_empty() {
        return nothing();
    }
    let text = html! {
        p {
            "Only this one is served under it. The same name is in the composer.json of "
            @for (index, rival) in others.iter().enumerate() { @if index > 0 { ", " } (rival_link(seen, rival)) }
            ", which " @if others.len() > 1 { "are" } @else { "is" } " not installable for that reason."
        }
        @if seen.manages() { p class="small" { "Should the other one have the name, choose that on its page; if this one is removed, the other one gets it." } }
    };
    html! { div class="gap-b" id="conflict" { (callout(Tone::Warn, "Another repository has the same name", &text)) } }
}

/// The fields of a confirmation.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Confirmed {
    confirmed: String,
}

/// Answers `POST …/publish`: what it means, and after it was confirmed, that it is done.
pub async fn publish(
    manager: Manages,
    path: Path,
    Form(fields): Form<Confirmed>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find((*manager).clone(), &state, &path.1, &path.2).await?;
    let Some(name) = seen.package.held_name.clone() else {
        let flash = Flash { good: false, text: "The package waits for no name by now.".to_owned() };
        return Ok(see_other(&seen.base, Some(&flash)));
    };
    if fields.confirmed == "yes" {
        package_life::publish_name(&state.appliance, &manager.actor(), manager.org(), seen.package.id).await?;
        let text = format!("{name} is published from this repository as soon as that has been read.");
        return Ok(see_other(
            &format!("/orgs/{}/packages/{}", manager.organization.slug, seen.package.id),
            Some(&Flash { good: true, text }),
        ));
    }
    let others: Vec<&Rival> = rivals(&seen).collect();
    let content = Confirmation {
        question: html! { "Publish " span class="mono" { (name) } " from " span class="mono" { (seen.package.url) } "?" },
        lead: "Whoever updates gets the code of this repository from then on.",
        consequences: vec![
            ("Changes", html! { "all versions of " span class="mono" { (name) } " are those of this repository" }),
            (
                "Stops",
                html! {
                    @if others.is_empty() { "the package that has the name now" }
                    @for (index, rival) in others.iter().enumerate() { @if index > 0 { ", " } (rival_link(&seen, rival)) }
                    ": nothing of it can be required any more"
                },
            ),
            (
                "Access",
                html! { "is not carried over: tokens, teams and people that read the other package read this one only if it is given to them" },
            ),
            (
                "Stays",
                html! { "the archives of both, so that lock files can be installed; and this can be turned around" },
            ),
        ],
        advice: None,
        typed: None,
        action: &format!("{}/publish", seen.base),
        fields: Vec::new(),
        button: "Publish from this one",
        back: (&seen.base, "Leave it"),
    };
    let content = content.markup(&manager.who.csrf, false);
    Ok(layout::page(&manager.chrome(), Here::Packages, "Choose who has a name", &content))
}
