//! An organization's tokens: what machines install with. The text of a new one is shown once, on the page that answers
//! its form, with the lines to paste already filled in.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::components::{Flash, Tone, absolute, ago, badge, empty, head, nothing, snippet_line, status};
use super::forms::{self, Faults, Input, radios, select, text_area};
use super::layout::{self, Confirmation, Here, csrf};
use super::respond::see_other;
use super::snippets::setup;
use crate::admin::tokens::{self, Access, Created, Options, Summary};
use crate::admin::{packages, teams};
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::visitor::Manages;
use crate::store::ids::TokenId;

/// How long before its end a token is called expiring.
const EXPIRING: Duration = Duration::from_secs(14 * 86_400);
const DAY: Duration = Duration::from_secs(86_400);

/// What one may choose as lifetime: the form's value, words, days.
const LIVES: [(&str, &str, Option<u32>); 5] = [
    ("30", "30 days", Some(30)),
    ("90", "90 days", Some(90)),
    ("180", "180 days", Some(180)),
    ("365", "1 year", Some(365)),
    ("never", "Never", None),
];

/// The fields of the form that makes one.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct NewFields {
    description: String,
    access: String,
    sees: String,
    packages: String,
    expires: String,
}

impl Default for NewFields {
    fn default() -> Self {
        let [description, packages] = [String::new(), String::new()];
        Self { description, packages, access: "read".into(), sees: "all".into(), expires: "90".into() }
    }
}

/// Answers `/orgs/{org}/tokens`.
pub async fn list(manager: Manages, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    page(&manager, &state, &NewFields::default(), &Faults::default(), None, StatusCode::OK).await
}

/// Takes the form that makes one.
pub async fn add(
    manager: Manages,
    Form(fields): Form<NewFields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    match create(&manager, &state, &fields).await? {
        Ok(created) => {
            let shown = Shown { text: created.text.expose(), fields: &fields };
            page(&manager, &state, &NewFields::default(), &Faults::default(), Some(&shown), StatusCode::OK).await
        }
        Err(faults) => page(&manager, &state, &fields, &faults, None, StatusCode::UNPROCESSABLE_ENTITY).await,
    }
}

/// A token that was just made, for the only time that it is shown.
struct Shown<'a> {
    text: &'a str,
    fields: &'a NewFields,
}

async fn create(manager: &Manages, state: &State, fields: &NewFields) -> Result<Result<Created, Faults>, PageError> {
    let (appliance, org) = (&state.appliance, manager.org());
    let mut faults = Faults::default();
    if fields.description.trim().is_empty() {
        faults.add("description", "Say what it is for");
    }
    let access = if fields.access == "update" { Access::Update } else { Access::Read };
    let lifetime = LIVES.iter().find(|(value, ..)| *value == fields.expires);
    let Some((.., days)) = lifetime else {
        faults.add("expires", "Choose one of the times");
        return Ok(Err(faults));
    };
    let scope = match scope(manager, state, fields, &mut faults).await? {
        Some(scope) if faults.is_empty() => scope,
        _ => return Ok(Err(faults)),
    };
    let lifetime = days.map(|days| DAY * days);
    let options = Options { description: Some(fields.description.clone()), lifetime };
    match tokens::add(appliance, &manager.actor(), org, access, scope, options).await {
        Ok(created) => Ok(Ok(created)),
        Err(error) => Ok(Err(forms::faults_of(error, "description")?)),
    }
}

/// What the token is to open; none where a field is at fault.
async fn scope(
    manager: &Manages,
    state: &State,
    fields: &NewFields,
    faults: &mut Faults,
) -> Result<Option<Option<tokens::Scope>>, PageError> {
    let (appliance, org) = (&state.appliance, manager.org());
    let mut scope = tokens::Scope::default();
    match fields.sees.as_str() {
        "all" => return Ok(Some(None)),
        "packages" => {
            let names: Vec<_> = fields.packages.split([',', '\n', '\r', ' ']).filter(|name| !name.is_empty()).collect();
            if names.is_empty() {
                faults.add("packages", "Name at least one package");
            }
            for name in names {
                match packages::find(appliance, org, name).await {
                    Ok(package) => scope.packages.push(package),
                    Err(crate::admin::Error::NotFound(_)) => {
                        faults.add("packages", format!("There is no package {name} here"));
                    }
                    Err(other) => return Err(other.into()),
                }
            }
        }
        team => match team.strip_prefix("team:") {
            // Whether it is still there, the use case finds out.
            Some(path) => scope.teams.push(path.to_owned()),
            None => faults.add("sees", "Choose what it sees"),
        },
    }
    Ok(Some(Some(scope)))
}

async fn page(
    manager: &Manages,
    state: &State,
    fields: &NewFields,
    faults: &Faults,
    shown: Option<&Shown<'_>>,
    code: StatusCode,
) -> Result<HttpResponse, PageError> {
    let (appliance, org) = (&state.appliance, manager.org());
    let all = tokens::list(appliance, org).await?;
    let teams = teams::list(appliance, org).await?;
    let paths: Vec<String> = teams.into_iter().map(|one| one.team.path).collect();
    let under = html! { "For machines: CI, deploys, update bots. People use " a href="/profile#token" { "their own token" } ", which follows their permissions." };
    let slug = &manager.organization.slug;
    let content = html! {
        (head("Tokens", &under, &nothing()))
        (faults.summary())
        div class="sections gap" {
            @if let Some(shown) = shown { (once(shown)) }
            section aria-labelledby="h-t" {
                h2 id="h-t" { "Tokens of " (manager.name) }
                @if all.is_empty() { (none_yet()) } @else { (table(&all, slug, appliance.now())) }
            }
            section aria-labelledby="h-s" {
                h2 id="h-s" { "Use a token" }
                (setup(&state.settings.public_url, &state.host, slug, shown.map(|shown| shown.text)))
            }
            section aria-labelledby="h-n" {
                h2 id="h-n" { "Create a token" }
                (form(manager, fields, &paths, faults))
            }
        }
    };
    Ok(layout::page_with(code, &manager.chrome(), Here::Tokens, "Tokens", &content))
}

fn once(shown: &Shown<'_>) -> Markup {
    let access = if shown.fields.access == "update" { "Update" } else { "Read" };
    html! {
        section class="callout ok" role="status" {
            h2 { "Token “" (shown.fields.description.trim()) "” created. Copy it now: it is not shown again." }
            div class="gap-s" { (snippet_line("new-token", access, shown.text)) }
        }
    }
}

fn none_yet() -> Markup {
    empty(
        "No token yet",
        "A token lets a machine install packages of this organization. Make one for each purpose, so that one can be revoked without the others.",
        None,
        Some("packagist-selfhosted token add --access read --description CI"),
    )
}

fn table(all: &[Summary], slug: &str, now: Timestamp) -> Markup {
    html! {
        table class="table" {
            caption class="sr" { "Tokens" }
            thead {
                tr {
                    th scope="col" { "Token" }
                    th scope="col" { "Access" }
                    th scope="col" { "Sees" }
                    th scope="col" { "Last used" }
                    th scope="col" { "Expires" }
                    th scope="col" class="act" { span class="sr" { "Actions" } }
                }
            }
            tbody { @for one in all { (row(one, slug, now)) } }
        }
    }
}

fn row(one: &Summary, slug: &str, now: Timestamp) -> Markup {
    let token = &one.token;
    let name = title(one);
    html! {
        tr {
            th scope="row" { b dir="auto" { (name) } span class="sub mono" { (token.prefix) "…" (token.last4) } }
            td data-label="Access" {
                (badge(if token.access == "update" { Tone::Pend } else { Tone::Neutral }, &token.access))
            }
            td data-label="Sees" { (sees(one)) }
            td data-label="Last used" {
                @match token.last_used_at { Some(at) => (ago(at, now)), None => "never" }
                @let visit: Vec<_> = [&token.last_used_address, &token.last_used_client].into_iter().flatten().map(String::as_str).collect();
                @if !visit.is_empty() { span class="sub" { (visit.join(", ")) } }
            }
            td data-label="Expires" { (expires(token.expires_at, now)) }
            td class="act" {
                a class="btn small" href={ "/orgs/" (slug) "/tokens/" (token.id) "/revoke" } { "Revoke" span class="sr" { " " (name) } }
            }
        }
    }
}

fn title(one: &Summary) -> String {
    one.token.description.clone().unwrap_or_else(|| format!("Token {}", one.token.id))
}

fn sees(one: &Summary) -> Markup {
    let parts = |names: &[String], one: &str, many: &str| match names {
        [] => None,
        [name] => Some(format!("{one} {name}")),
        names => Some(format!("{} {many}", names.len())),
    };
    let Some(scope) = &one.scope else { return html! { "all packages" } };
    let all = [parts(&scope.teams, "team", "teams"), parts(&scope.packages, "package", "packages")];
    let all: Vec<_> = all.into_iter().flatten().collect();
    html! {
        @if all.is_empty() { (status(Tone::Warn, "Nothing any more")) } @else { (all.join(", ")) }
    }
}

fn expires(end: Option<Timestamp>, now: Timestamp) -> Markup {
    html! {
        @match end {
            None => "never",
            Some(end) => {
                @if end <= now { (status(Tone::Fail, "Expired")) }
                @else if end <= now + EXPIRING { span class="status warn" { (ago(end, now)) } }
                @else { (ago(end, now)) }
                span class="sub" { (absolute(end)) }
            }
        }
    }
}

fn form(manager: &Manages, fields: &NewFields, teams: &[String], faults: &Faults) -> Markup {
    let description = Input {
        name: "description",
        label: "What is it for?",
        value: &fields.description,
        hint: "Shown in the audit log and to whoever finds it in a CI variable.",
        placeholder: "CI of the shop",
        required: true,
        ..Input::default()
    };
    let mut sees = vec![("all".to_owned(), "All packages".to_owned())];
    sees.extend(teams.iter().map(|path| (format!("team:{path}"), format!("Packages of the team {path}"))));
    sees.push(("packages".to_owned(), "Only the packages named below".to_owned()));
    let lives: Vec<_> = LIVES.map(|(value, words, _)| (value.to_owned(), words.to_owned())).into();
    html! {
        form class="form stack" method="post" action={ "/orgs/" (manager.organization.slug) "/tokens" } {
            (csrf(&manager.who.csrf))
            (description.markup(faults))
            (radios("access", "Access", &[
                ("read", "Read", "Installs what is here. Never causes a package to be mirrored."),
                ("update", "Update", "May also mirror new packages during composer update."),
            ], &fields.access))
            div class="pair" {
                (select("sees", "Sees", &sees, &fields.sees, "", faults))
                (select("expires", "Expires after", &lives, &fields.expires, "", faults))
            }
            (text_area("packages", "Packages, for a token that sees only some", &fields.packages, "One name on each line.", 2, faults))
            div { button class="btn primary" { "Create token" } }
        }
    }
}

/// Answers `/orgs/{org}/tokens/{token}/revoke`.
pub async fn ask(
    manager: Manages,
    path: web::Path<(String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let one = find(&manager, &state, &path.1).await?;
    let now = state.appliance.now();
    let confirmation = Confirmation {
        question: html! { "Revoke “" (title(&one)) "”?" },
        lead: "Whatever uses it is refused from the next request on. It cannot be taken back; a new token can be made.",
        consequences: vec![
            ("Sees", sees(&one)),
            ("Last used", html! { @match one.token.last_used_at { Some(at) => (ago(at, now)), None => "never" } }),
            ("From", html! { (one.token.last_used_address.as_deref().unwrap_or("nowhere, so far")) }),
        ],
        advice: None,
        typed: None,
        action: &format!("/orgs/{}/tokens/{}/revoke", manager.organization.slug, one.token.id),
        fields: Vec::new(),
        button: "Revoke the token",
        back: (&format!("/orgs/{}/tokens", manager.organization.slug), "Keep it"),
    };
    let content = confirmation.markup(&manager.who.csrf, false);
    Ok(layout::page(&manager.chrome(), Here::Tokens, "Revoke a token", &content))
}

/// Takes its form.
pub async fn revoke(
    manager: Manages,
    path: web::Path<(String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let one = find(&manager, &state, &path.1).await?;
    tokens::revoke(&state.appliance, &manager.actor(), Some(manager.org()), one.token.id).await?;
    let flash = Flash { good: true, text: format!("“{}” is revoked.", title(&one)) };
    Ok(see_other(&format!("/orgs/{}/tokens", manager.organization.slug), Some(&flash)))
}

async fn find(manager: &Manages, state: &State, id: &str) -> Result<Summary, PageError> {
    let id = id.parse().map(TokenId).map_err(|_| manager.not_found())?;
    let all = tokens::list(&state.appliance, manager.org()).await?;
    all.into_iter().find(|one| one.token.id == id).ok_or_else(|| manager.not_found())
}
