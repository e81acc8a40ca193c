//! Following an organization of a platform: which one, with what, and which of its repositories become packages.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::components::{Flash, Tone, callout, head, nothing};
use super::super::forms::{Faults, Input, checkbox, radios, select};
use super::super::layout::{self, Here, csrf};
use super::super::members::refusal;
use super::super::respond::see_other;
use super::{Path, Seen, base, is_owner};
use crate::admin::credentials;
use crate::admin::syncs::{self, New, Packages, Terms};
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::visitor::Manages;
use crate::platform::{Hub, PlatformKind, Site};

/// The fields of the forms.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    integration: String,
    remote: String,
    credential: String,
    packages: String,
    primary: String,
    visibility: String,
    planners: String,
    projects: String,
}

impl Fields {
    fn packages(&self) -> Packages {
        if self.packages == "new" { Packages::New } else { Packages::All }
    }
}

const PACKAGES: [(&str, &str, &str); 2] = [
    ("all", "All that have a composer.json", "Also those that are made later."),
    ("new", "Only those that are made from now on", "The others can be added one by one."),
];

/// Answers `/orgs/{org}/syncs/new`.
pub async fn new(manager: Manages, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let all = syncs::list(&state.appliance, manager.org()).await?;
    let primary = if all.is_empty() && is_owner(&manager) { "on" } else { "" };
    let fields = Fields { packages: "all".to_owned(), primary: primary.to_owned(), ..Fields::default() };
    form_page(&manager, &state, &fields, &Faults::default(), StatusCode::OK).await
}

/// Takes its form. Nothing runs before somebody saw what it would bring.
pub async fn add(
    manager: Manages,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let mut faults = Faults::default();
    if fields.remote.trim().is_empty() {
        faults.add("remote", "Say what is followed there");
    }
    if fields.credential.is_empty() {
        faults.add("credential", "Choose what it is read with");
    }
    let projects = chosen(&fields, &mut faults);
    if fields.primary == "on" && !is_owner(&manager) {
        faults.add("primary", "Only an owner may decide who the owners here are");
    }
    if !faults.is_empty() {
        return form_page(&manager, &state, &fields, &faults, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    let new = New {
        integration: fields.integration.clone(),
        remote: fields.remote.trim().to_owned(),
        credential: fields.credential.clone(),
        primary: fields.primary == "on",
        packages: fields.packages(),
        follow_visibility: fields.visibility == "on",
        paused: true,
        projects,
    };
    match syncs::add(&state.appliance, &manager.actor(), manager.org(), new).await {
        Ok(id) => Ok(see_other(&format!("{}/{id}/plan", base(&manager)), None)),
        Err(error) => {
            let text = error.to_string();
            let field = match &text {
                text if text.contains("project") && !fields.projects.trim().is_empty() => "projects",
                text if text.contains("credential") => "credential",
                _ => "remote",
            };
            let faults = refusal(error, field)?;
            form_page(&manager, &state, &fields, &faults, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

/// The keys of projects that were typed.
fn chosen(fields: &Fields, faults: &mut Faults) -> Vec<String> {
    syncs::project_keys(&fields.projects).unwrap_or_else(|error| {
        faults.add("projects", error.to_string());
        Vec::new()
    })
}

/// The credentials that one can choose from, with what each is for.
async fn choices(manager: &Manages, state: &State) -> Result<Vec<(String, String)>, PageError> {
    let all = credentials::list(&state.appliance, manager.org()).await?;
    let words = |one: &crate::store::credentials::Credential| {
        format!("{} ({}, {})", one.name, one.kind, credentials::host(one).unwrap_or_default())
    };
    Ok(all.iter().filter(|one| one.kind != "ssh-key").map(|one| (one.name.clone(), words(one))).collect())
}

async fn form_page(
    manager: &Manages,
    state: &State,
    fields: &Fields,
    faults: &Faults,
    code: StatusCode,
) -> Result<HttpResponse, PageError> {
    let credentials = choices(manager, state).await?;
    let sites: Vec<&Site> = state.appliance.hubs.iter().map(Hub::site).collect();
    let slug = &manager.organization.slug;
    let content = html! {
        nav class="crumbs" aria-label="Breadcrumb" { a href=(base(manager)) { "Synchronizations" } " /" }
        (head("Follow an organization", &html! { "What it would bring is shown before anything is changed." }, &nothing()))
        (faults.summary())
        @if sites.is_empty() {
            (callout(Tone::Warn, "No platform is registered that can be followed", &html! {
                p { "Whoever administers the server registers one in the configuration as " span class="mono" { "[[integration]]" } "." }
            }))
        } @else if credentials.is_empty() {
            (callout(Tone::Warn, "There is no credential to read with", &html! {
                p { "Following needs a token, or an App, of the platform." }
                div class="row" { a class="btn primary" href={ "/orgs/" (slug) "/credentials/new" } { "Add a credential" } }
            }))
        } @else {
            (form(manager, &sites, credentials, fields, faults))
        }
    };
    Ok(layout::page_with(code, &manager.chrome(), Here::Syncs, "Follow an organization", &content))
}

fn form(
    manager: &Manages,
    sites: &[&Site],
    mut credentials: Vec<(String, String)>,
    fields: &Fields,
    faults: &Faults,
) -> Markup {
    credentials.insert(0, (String::new(), "Choose one".to_owned()));
    let hubs: Vec<(String, String)> =
        sites.iter().map(|site| (site.id.clone(), format!("{} ({})", site.name, site.url))).collect();
    let (label, hint) = naming(sites);
    let remote = Input {
        name: "remote",
        label: &label,
        value: &fields.remote,
        hint: &hint,
        placeholder: "acme",
        autocomplete: "off",
        required: true,
        mono: true,
        ..Input::default()
    };
    html! {
        form class="form stack gap" method="post" action={ (base(manager)) "/new" } {
            (csrf(&manager.who.csrf))
            (select("integration", "Platform", &hubs, &fields.integration, "", faults))
            (remote.markup(faults))
            (select("credential", "Credential", &credentials, &fields.credential, "It reads repositories, teams and members, and installs webhooks where it may.", faults))
            @if sites.iter().any(|site| site.platform == PlatformKind::BitbucketCloud) { (projects(fields, faults)) }
            (radios("packages", "Repositories that become packages", &PACKAGES, &fields.packages))
            (follow_visibility(fields))
            @if is_owner(manager) {
                (checkbox("primary", "on", "Its owners are the owners here", "The primary synchronization. One organization has at most one.", fields.primary == "on"))
            }
            div class="row" {
                button class="btn primary" { "Preview it" }
                a class="btn" href=(base(manager)) { "Back to the synchronizations" }
            }
        }
    }
}

/// How the field for what is followed is called, and what belongs there, by the platforms that there are.
fn naming(sites: &[&Site]) -> (String, String) {
    let is_there = |platform: &PlatformKind| sites.iter().any(|site| site.platform == *platform);
    let platforms: Vec<PlatformKind> = PlatformKind::ALL.into_iter().filter(is_there).collect();
    let words: Vec<&str> = platforms.iter().map(|platform| platform.organization()).collect();
    let mut label = format!("{} there", words.join(" or "));
    if let Some(first) = label.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let hints = platforms.iter().map(|platform| match platforms.len() {
        1 => platform.organization_hint().to_owned(),
        _ => format!("at {} {}", platform.display_name(), platform.organization_hint()),
    });
    let mut hint = hints.collect::<Vec<_>>().join("; ").replace('`', "");
    if let Some(first) = hint.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    (label, format!("{hint}."))
}

fn follow_visibility(fields: &Fields) -> Markup {
    checkbox(
        "visibility",
        "on",
        "Members install what the platform shows to everybody",
        "Public and internal repositories. Without it, members need a right in the repository.",
        fields.visibility == "on",
    )
}

fn projects(fields: &Fields, faults: &Faults) -> Markup {
    let input = Input {
        name: "projects",
        label: "Projects of a Bitbucket workspace",
        value: &fields.projects,
        hint: "The keys of those that are followed, such as WEB, LIB. Empty: all of the workspace.",
        autocomplete: "off",
        optional: true,
        mono: true,
        ..Input::default()
    };
    input.markup(faults)
}

fn planners(fields: &Fields) -> Markup {
    checkbox(
        "planners",
        "on",
        "Planners install packages",
        "Releases of GitLab differ in whether planners read the code of private projects. Tick it if they do in yours; without it, somebody has to be at least a reporter.",
        fields.planners == "on",
    )
}

/// Answers `…/terms`.
pub async fn terms(manager: Manages, path: Path, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(&manager, &state, path.1).await?;
    let fields = Fields {
        credential: seen.sync.credential_name.clone().unwrap_or_default(),
        packages: seen.sync.packages.clone(),
        visibility: if seen.sync.follow_visibility { "on" } else { "" }.to_owned(),
        projects: seen.sync.project_keys().join(", "),
        planners: if seen.sync.planners { "on" } else { "" }.to_owned(),
        ..Fields::default()
    };
    terms_page(&manager, &state, &seen, &fields, &Faults::default(), StatusCode::OK).await
}

/// Takes its form.
pub async fn save_terms(
    manager: Manages,
    path: Path,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(&manager, &state, path.1).await?;
    let mut faults = Faults::default();
    let projects = chosen(&fields, &mut faults);
    if !faults.is_empty() {
        return terms_page(&manager, &state, &seen, &fields, &faults, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    let terms = Terms {
        credential: fields.credential.clone(),
        packages: fields.packages(),
        follow_visibility: fields.visibility == "on",
        planners: seen.has_planners(&state).then_some(fields.planners == "on"),
        projects: seen.has_projects(&state).then_some(projects),
    };
    match syncs::change(&state.appliance, &manager.actor(), manager.org(), seen.sync.id, terms).await {
        Ok(()) => {
            let flash = Flash { good: true, text: "Saved. Everything is read again with it.".to_owned() };
            Ok(see_other(&seen.address, Some(&flash)))
        }
        Err(error) => {
            let is_of_projects = error.to_string().contains("project") && !fields.projects.trim().is_empty();
            let faults = refusal(error, if is_of_projects { "projects" } else { "credential" })?;
            terms_page(&manager, &state, &seen, &fields, &faults, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

async fn terms_page(
    manager: &Manages,
    state: &State,
    seen: &Seen,
    fields: &Fields,
    faults: &Faults,
    code: StatusCode,
) -> Result<HttpResponse, PageError> {
    let credentials = choices(manager, state).await?;
    let content = html! {
        (seen.crumbs(manager))
        (head("Terms of the synchronization", &nothing(), &nothing()))
        (faults.summary())
        form class="form stack gap" method="post" action={ (seen.address) "/terms" } {
            (csrf(&manager.who.csrf))
            (select("credential", "Credential", &credentials, &fields.credential, "Everything is read again with another one.", faults))
            @if seen.has_projects(state) { (projects(fields, faults)) }
            (radios("packages", "Repositories that become packages", &PACKAGES, &fields.packages))
            (follow_visibility(fields))
            @if seen.has_planners(state) { (planners(fields)) }
            div class="row" {
                button class="btn primary" { "Save" }
                a class="btn" href=(seen.address) { "Back to the synchronization" }
            }
        }
    };
    Ok(layout::page_with(code, &manager.chrome(), Here::Syncs, "Terms of the synchronization", &content))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{PlatformKind, Site, naming};

    #[test]
    fn what_is_followed_has_the_name_that_its_platform_gives_it() {
        let site = |platform: PlatformKind| Site {
            id: "one".to_owned(),
            platform,
            url: "https://one.example.com".parse().unwrap(),
            name: "One".to_owned(),
            link_by_email: false,
            app: None,
        };
        let (github, gitlab) = (site(PlatformKind::GitHub), site(PlatformKind::GitLab));
        let (label, hint) = naming(&[&gitlab]);
        assert_eq!(
            (label.as_str(), hint.as_str()),
            ("Group there", "A group's whole path, such as acme or acme/backend.")
        );
        let (label, hint) = naming(&[&gitlab, &github, &gitlab]);
        assert_eq!(label, "Organization or group there");
        assert!(
            hint.starts_with("At GitHub what an organization's address ends in, such as acme; at GitLab a"),
            "{hint}"
        );
    }
}
