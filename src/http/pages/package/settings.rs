//! What can be changed about a package, and how it is removed.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::components::{Flash, Tone, bytes, counted};
use super::super::forms::{Faults, checkbox, faults_of, select};
use super::super::layout::{self, Confirmation, Here, csrf};
use super::super::packages::add::{FORK, FORK_HINT};
use super::super::packages::credential_choices;
use super::super::respond::see_other;
use super::{At, Path, Seen, address};
use crate::admin::made::Kind;
use crate::admin::packages::{self as use_packages, Change};
use crate::admin::vendors;
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::visitor::Manages;
use crate::store::requirements::{self, Dependent};
use crate::store::{self, dists, installs};

/// How many dependents a confirmation names.
const NAMED: usize = 8;

/// The fields of the form.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    credential: String,
    fork: String,
    /// What was typed into the other form of the page.
    #[serde(skip)]
    pub(super) directories: Option<String>,
}

/// What the fields are now.
pub(super) fn present(seen: &Seen) -> Fields {
    let fork = if seen.package.fork { "on" } else { "" };
    let credential = seen.package.credential_name.clone().unwrap_or_default();
    Fields { credential, fork: fork.to_owned(), directories: None }
}

/// Answers `…/settings`.
pub async fn settings(manager: Manages, path: Path, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let seen = Seen::find((*manager).clone(), &state, &path.1, &path.2).await?;
    let fields = present(&seen);
    form_page(&manager, &seen, &state, &fields, &Faults::default(), StatusCode::OK).await
}

/// Takes its form.
pub async fn save(
    manager: Manages,
    path: Path,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find((*manager).clone(), &state, &path.1, &path.2).await?;
    let credential = Some(fields.credential.clone()).filter(|name| !name.is_empty());
    let change = Change { credential, fork: fields.fork == "on" };
    match use_packages::change(&state.appliance, &manager.actor(), manager.org(), seen.package.id, change).await {
        Ok(()) => {
            let flash = Flash { good: true, text: "Saved. The package is being read with it.".to_owned() };
            Ok(see_other(&format!("{}/settings", seen.base), Some(&flash)))
        }
        Err(error) => {
            let faults = faults_of(error, "credential")?;
            form_page(&manager, &seen, &state, &fields, &faults, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

pub(super) async fn form_page(
    manager: &Manages,
    seen: &Seen,
    state: &State,
    fields: &Fields,
    faults: &Faults,
    code: StatusCode,
) -> Result<HttpResponse, PageError> {
    let choices = credential_choices(manager, state).await?;
    let kind = seen.kind();
    let content = html! {
        div class="sections" {
            section aria-labelledby="h-s" {
                h2 id="h-s" { "Settings" }
                (faults.summary())
                form class="form stack" method="post" action={ (seen.base) "/settings" } {
                    (csrf(&manager.who.csrf))
                    @if kind.is_none() {
                        p { "Repository " span class="mono" { (seen.package.url) } }
                        p class="hint" { "The address is what the package is known by: for another one, add another package and remove this one." }
                    }
                    @if seen.package.parent.is_some() {
                        p class="hint" { "The repository has several packages: what is said here is said for all of them." }
                    }
                    @match kind {
                        None => (select("credential", "Credential", &choices, &fields.credential, "What opens the repository. It has to be for the same host.", faults)),
                        Some(Kind::Custom) => (select("credential", "Credential", &choices, &fields.credential, "Shown to its own host and port when archives are fetched from there, and to nobody else.", faults)),
                        Some(_) => {}
                    }
                    (checkbox("fork", "on", FORK, FORK_HINT, fields.fork == "on"))
                    div class="row" { button class="btn primary" { "Save" } }
                }
            }
            (super::directories::form(seen, fields.directories.as_deref(), faults))
            (super::life::section(seen))
            section aria-labelledby="h-x" {
                h2 id="h-x" { "Remove" }
                p class="gap-b" {
                    @if seen.package.directories.is_some() { "All packages in it go with it. " }
                    @if seen.package.parent.is_some() { "Its directory is left out from then on, so that no push brings it back. " }
                    @match kind {
                        Some(Kind::Blocked) => "The name is not blocked any more then: Composer gets it from wherever it is.",
                        Some(_) => "Its versions can no longer be installed then, not even by lock files. Its archives are deleted.",
                        None => "Its versions can no longer be installed then, not even by lock files. The repository itself is not touched.",
                    }
                }
                a class="btn danger" href={ (seen.base) "/remove" } { "Remove the package…" }
            }
        }
    };
    Ok(seen.page_with(code, At::Settings, "Settings", None, &content))
}

/// What an admin can do about a package that waits for one.
pub(super) fn decision(seen: &Seen) -> Markup {
    html! {
        div class="row" {
            @if let Some(vendor) = &seen.package.held_vendor {
                form method="post" action={ (seen.base) "/accept" } {
                    (csrf(&seen.reader.who.csrf))
                    input type="hidden" name="vendor" value=(vendor);
                    button class="btn primary" { "Make " span class="mono" { (vendor) } " a vendor of the organization" }
                }
            }
            a class="btn danger" href={ (seen.base) "/remove" } { "Remove the package…" }
        }
    }
}

/// The fields of the form that accepts a vendor.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Acceptance {
    vendor: String,
}

/// Answers `POST …/accept`: what was shown is what is accepted, whatever the repository says meanwhile.
pub async fn accept(
    manager: Manages,
    path: Path,
    Form(fields): Form<Acceptance>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find((*manager).clone(), &state, &path.1, &path.2).await?;
    if seen.package.held_vendor.as_deref() != Some(fields.vendor.as_str()) {
        let flash = Flash { good: false, text: "The package asks for something else by now: look again.".to_owned() };
        return Ok(see_other(&seen.base, Some(&flash)));
    }
    vendors::add(&state.appliance, &manager.actor(), manager.org(), &fields.vendor).await?;
    let text = format!("{} is a vendor of the organization now. The package is being read again.", fields.vendor);
    Ok(see_other(&seen.base, Some(&Flash { good: true, text })))
}

/// The fields of a confirmation.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Confirmed {
    confirmed: String,
    typed: String,
    reference: String,
}

/// What removing takes away.
struct Loss {
    dependents: Vec<Dependent>,
    archives: i64,
    last_installed: Option<i64>,
}

/// Answers `…/remove`: what it takes away, and after it was confirmed, that it is gone.
pub async fn remove(
    manager: Manages,
    path: Path,
    fields: Option<Form<Confirmed>>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find((*manager).clone(), &state, &path.1, &path.2).await?;
    let fields = fields.map(|Form(fields)| fields).unwrap_or_default();
    let title = use_packages::title(&seen.package);
    let confirmed = fields.confirmed == "yes";
    if confirmed && fields.typed.trim() == title {
        use_packages::remove(&state.appliance, &manager.actor(), manager.org(), &seen.package).await?;
        let flash = Flash { good: true, text: format!("{title} is removed.") };
        return Ok(see_other(&format!("/orgs/{}/packages", manager.organization.slug), Some(&flash)));
    }
    let (org, id, name) = (manager.org(), seen.package.id, seen.package.name.clone());
    let loss = state
        .appliance
        .database
        .read(move |db| {
            Ok::<_, store::Error>(Loss {
                dependents: name.map_or(Ok(Vec::new()), |name| requirements::dependents(org, db, &name))?,
                archives: dists::stored(org, db, id)?,
                last_installed: installs::last_day(org, db, id)?,
            })
        })
        .await?;
    let code = if confirmed { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let content = Confirmation {
        question: html! { "Remove " span class="mono" { (title) } "?" },
        lead: match seen.kind() {
            Some(Kind::Blocked) => "The name is not blocked any more then.",
            Some(_) => "This cannot be undone.",
            None => "This cannot be undone here. The repository itself is not touched.",
        },
        consequences: consequences(&seen, &loss),
        advice: Some((
            Tone::Warn,
            html! {
                h2 { "Gentler: mark it as abandoned" }
                p { "Composer then warns everyone who installs it, and nothing breaks. " a href={ (seen.base) "/abandon" } { "Mark it as abandoned" } }
            },
        )),
        typed: Some(&title),
        action: &format!("{}/remove", seen.base),
        fields: Vec::new(),
        button: "Remove the package",
        back: (&seen.base, "Keep it"),
    };
    let content = content.markup(&manager.who.csrf, confirmed);
    Ok(layout::page_with(code, &manager.chrome(), Here::Packages, "Remove a package", &content))
}

fn consequences<'a>(seen: &Seen, loss: &Loss) -> Vec<(&'a str, Markup)> {
    let versions = counted(seen.package.versions, "version", "versions");
    let mut told = vec![(
        "Stops",
        html! { (versions) " can no longer be required, and lock files that name them can no longer be installed" },
    )];
    let more = loss.dependents.len().saturating_sub(NAMED);
    let used = html! {
        @if loss.dependents.is_empty() { "no package of the organization" }
        @for (index, other) in loss.dependents.iter().take(NAMED).enumerate() {
            @if index > 0 { ", " }
            a class="mono" href=(address(&seen.reader.organization.slug, other.package, Some(&other.name))) { (other.name) }
        }
        @if more > 0 { " and " (more) " more" }
    };
    told.push(("Used by", used));
    let last = loss.last_installed.map(|day| Timestamp::from_seconds(day.saturating_mul(86_400)).rfc3339());
    let last = last.map_or_else(|| "never, as far as Composer told".to_owned(), |time| time.chars().take(10).collect());
    told.push(("Last installed", html! { (last) }));
    told.push((
        "Access",
        html! { "tokens and teams that name it lose it: a token that names nothing else opens nothing any more" },
    ));
    let archives = loss.archives.unsigned_abs();
    if !seen.package.rivals.is_empty() && seen.package.held_name.is_none() {
        let told_of = html! { "the package that calls itself the same: it gets the name, with its own versions" };
        told.push(("Publishes", told_of));
    }
    if seen.package.sync.is_some() {
        let told_of = html! { "by the synchronization: it comes back only when somebody adds it" };
        told.push(("Not added again", told_of));
    }
    told.push((
        "Deletes",
        html! {
            @if archives > 0 || seen.kind().is_some() { (bytes(archives)) " of archives" }
            @if archives > 0 && seen.kind().is_none() { ", and " }
            @if seen.kind().is_none() { "the copy of the repository" }
        },
    ));
    told
}

/// Answers `POST …/forget`: purges one commit's archive for good.
pub async fn forget(
    manager: Manages,
    path: Path,
    Form(fields): Form<Confirmed>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find((*manager).clone(), &state, &path.1, &path.2).await?;
    let reference = fields.reference.trim().to_owned();
    let back = format!("{}/versions", seen.base);
    if fields.confirmed != "yes" {
        let content = Confirmation {
            question: html! { "Purge the archive of commit " span class="mono" { (reference) } "?" },
            lead: "For a commit that must never be installed again, such as one with a leaked secret in it.",
            consequences: vec![
                (
                    "Stops",
                    html! { "every install of this commit, also by lock files: Composer is answered 410 with the reason" },
                ),
                ("Deletes", html! { "the stored archive; none is built of this commit any more" }),
                (
                    "Stays",
                    html! { "the version, as long as a branch or tag names the commit: move or delete it as well" },
                ),
            ],
            advice: None,
            typed: None,
            action: &format!("{}/forget", seen.base),
            fields: vec![("reference", reference)],
            button: "Purge the archive",
            back: (&back, "Keep it"),
        };
        let content = content.markup(&manager.who.csrf, false);
        return Ok(layout::page(&manager.chrome(), Here::Packages, "Purge an archive", &content));
    }
    let org = manager.org();
    use_packages::forget(&state.appliance, &manager.actor(), org, &seen.package, &reference).await?;
    let flash = Flash { good: true, text: "The archive is purged: Composer is answered 410 from now on.".to_owned() };
    Ok(see_other(&back, Some(&flash)))
}
