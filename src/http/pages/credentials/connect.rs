//! Connecting an account of a platform, to be used as a credential.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::base;
use crate::admin::credentials::{self, Becomes};
use crate::http::State;
use crate::http::auth::{self, ForCredential, Purpose, Stopped};
use crate::http::form::Form;
use crate::http::integrations::Integration;
use crate::http::local_path::LocalPath;
use crate::http::page_error::PageError;
use crate::http::pages::components::{Flash, head, nothing};
use crate::http::pages::forms::{Faults, Input, checkbox, faults_of};
use crate::http::pages::layout::{self, Here, csrf};
use crate::http::pages::respond::see_other;
use crate::http::visitor::Manages;
use crate::platform::{PlatformKind, Reach};
use crate::store::credentials::Credential;

/// The fields of the form that connects one.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    name: String,
    hooks: String,
}

/// The integrations whose accounts can be connected.
fn offered(state: &State) -> impl Iterator<Item = (&Integration, &'static [&'static str])> {
    state.settings.integrations.iter().filter_map(|one| {
        let scopes = one.connection.as_ref()?.scopes_to_connect(Reach::Reading)?;
        Some((one, scopes))
    })
}

/// The part of the page that adds a credential; nothing where no account can be connected.
pub(super) fn section(manager: &Manages, state: &State) -> Markup {
    html! {
        @if offered(state).next().is_some() {
            section aria-labelledby="h-connect" {
                h2 id="h-connect" { "Or connect an account" }
                p class="muted" { "Its tokens are renewed by themselves. It reads what the account may read there, until it is disconnected." }
                div class="row gap" {
                    @for (one, _) in offered(state) {
                        a class="btn" href={ (base(manager)) "/new/" (one.id) } { "Connect an account of " (one.name) }
                    }
                }
            }
        }
    }
}

fn find<'s>(manager: &Manages, state: &'s State, id: &str) -> Result<&'s Integration, PageError> {
    let found = offered(state).find(|(one, _)| one.id == id);
    found.map(|(one, _)| one).ok_or_else(|| manager.not_found())
}

/// Answers `/orgs/{org}/credentials/new/{integration}`.
pub async fn form(
    manager: Manages,
    path: web::Path<(String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let integration = find(&manager, &state, &path.1)?;
    let fields = Fields { name: integration.id.clone(), hooks: String::new() };
    Ok(page(&manager, integration, &fields, &Faults::default(), StatusCode::OK))
}

/// Takes its form: a page that leads to the platform, because a form may not.
pub async fn depart(
    request: HttpRequest,
    manager: Manages,
    path: web::Path<(String, String)>,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let integration = find(&manager, &state, &path.1)?;
    let wrong = |faults: &Faults| page(&manager, integration, &fields, faults, StatusCode::UNPROCESSABLE_ENTITY);
    let name = fields.name.trim().to_owned();
    if name.is_empty() {
        return Ok(wrong(&Faults::of("name", "It needs a name, by which packages and commands choose it")));
    }
    let becomes = Becomes::New(name);
    if let Err(error) = credentials::require_connectable(&state.appliance, manager.org(), &becomes).await {
        return Ok(wrong(&faults_of(error, "name")?));
    }
    let back = format!("{}/new/{}", base(&manager), integration.id);
    leave(&request, &state, &manager, integration, (becomes, fields.hooks == "on"), &back).await
}

/// Takes the form that connects the account of a credential again.
pub async fn again(
    request: HttpRequest,
    manager: Manages,
    path: web::Path<(String, String)>,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let credential = super::show::find(&manager, &state, &path.1).await?;
    let account = credentials::account(&state.appliance, manager.org(), credential.id).await?;
    let Some(account) = account else { return Err(manager.not_found()) };
    let back = format!("{}/{}", base(&manager), credential.name);
    let Ok(integration) = find(&manager, &state, &account.integration) else {
        let text = format!(
            "The integration “{}” is not in config.toml any more, or has no client_id: the account cannot be connected by it.",
            account.integration
        );
        return Ok(see_other(&back, Some(&Flash { good: false, text })));
    };
    let what = (Becomes::Again(credential.id), fields.hooks == "on");
    leave(&request, &state, &manager, integration, what, &back).await
}

async fn leave(
    request: &HttpRequest,
    state: &State,
    manager: &Manages,
    integration: &Integration,
    (becomes, hooks): (Becomes, bool),
    back: &str,
) -> Result<HttpResponse, PageError> {
    let (user, session, org) = (manager.who.user.id, manager.who.session.id, manager.org());
    let purpose = Purpose::Credential(Box::new(ForCredential { user, session, org, becomes, hooks }));
    let next = LocalPath::parse(back).unwrap_or_else(LocalPath::home);
    let (url, cookies) = match auth::set_out(request, state, integration, purpose, &next).await {
        Ok(way) => way,
        Err(Stopped::Login(error)) => {
            return Ok(see_other(back, Some(&Flash { good: false, text: auth::words(&error) })));
        }
        Err(Stopped::Page(error)) => return Err(error),
    };
    let content = html! {
        div class="narrow stack" {
            h1 { "Continue at " (integration.name) }
            p { "Sign in there as the account that this server shall read with, and allow what it asks for. " (integration.name) " then sends you back." }
            div class="row" {
                a class="btn primary" href=(url) rel="noreferrer" { "Continue to " (integration.name) }
                a class="btn" href=(back) { "Connect nothing" }
            }
        }
    };
    let mut response = layout::page(&manager.chrome(), Here::Credentials, "Connect an account", &content);
    for cookie in cookies {
        // A cookie of ours fits into a header.
        let _ = response.add_cookie(&cookie);
    }
    Ok(response)
}

fn page(
    manager: &Manages,
    integration: &Integration,
    fields: &Fields,
    faults: &Faults,
    code: StatusCode,
) -> HttpResponse {
    let heading = format!("Connect an account of {}", integration.name);
    let name = Input {
        name: "name",
        label: "Name",
        value: &fields.name,
        hint: "Packages and commands choose it by this name.",
        required: true,
        mono: true,
        ..Input::default()
    };
    let content = html! {
        (head(&heading, &html! { "What this server reads with it is what the account may read at " (integration.name) "." }, &nothing()))
        (faults.summary())
        form class="form stack gap" method="post" action={ (base(manager)) "/new/" (integration.id) } autocomplete="off" {
            (csrf(&manager.who.csrf))
            (name.markup(faults))
            (hooks(integration.platform, fields.hooks == "on"))
            (asked(integration))
            p class="hint" { (better(integration.platform)) }
            div class="row" {
                button class="btn primary" { "Continue" }
                a class="btn" href={ (base(manager)) "/new" } { "Add another credential" }
            }
        }
    };
    layout::page_with(code, &manager.chrome(), Here::Credentials, &heading, &content)
}

/// Whether webhooks are installed with it, and why that is asked.
fn hooks(platform: PlatformKind, checked: bool) -> Markup {
    let why = match platform {
        PlatformKind::GitLab => {
            "GitLab lets only the scope api do that, which may also change everything that the account may change. Without it, changes are found when synchronizations run, or by webhooks that you add by hand."
        }
        PlatformKind::BitbucketDataCenter => {
            "Bitbucket lets only PROJECT_ADMIN do that, which may also change the account’s projects. Without it, changes are found when synchronizations run."
        }
        PlatformKind::BitbucketCloud | PlatformKind::GitHub => {
            "Without it, changes are found when synchronizations run, or by webhooks that you add by hand."
        }
    };
    checkbox("hooks", "on", "It also installs webhooks", why, checked)
}

/// What the app there has to be registered with.
fn asked(integration: &Integration) -> Markup {
    let of = |reach| integration.connection.as_ref().and_then(|one| one.scopes_to_connect(reach)).unwrap_or_default();
    let (reading, all) = (of(Reach::Reading), of(Reach::Hooks));
    let more: Vec<_> = all.iter().filter(|scope| !reading.contains(scope)).collect();
    html! {
        div class="field" {
            p class="hint" {
                "The app that is registered at " (integration.name) " has to have ticked: "
                @for scope in reading { code { (scope) } " " }
                @if !more.is_empty() {
                    "and for webhooks "
                    @for scope in more { code { (scope) } " " }
                }
                "beside what logins need. Logins go on asking for no more than before."
            }
        }
    }
}

/// What outlives the person, where there is such a thing.
const fn better(platform: PlatformKind) -> &'static str {
    match platform {
        PlatformKind::GitLab => {
            "For a synchronization, the access token of a group or service account is the better choice: it stays when a person leaves."
        }
        PlatformKind::BitbucketCloud => {
            "For a synchronization, the access token of a workspace is the better choice: it stays when a person leaves."
        }
        PlatformKind::BitbucketDataCenter | PlatformKind::GitHub => {
            "For a synchronization, an account that belongs to no person is the better choice: it stays when somebody leaves."
        }
    }
}

/// The section of a connected account on its credential's page.
pub(super) async fn of(manager: &Manages, state: &State, credential: &Credential) -> Result<Markup, PageError> {
    let account = credentials::account(&state.appliance, manager.org(), credential.id).await?;
    let Some(account) = account else { return Ok(nothing()) };
    let platform = PlatformKind::of_credential(&credential.kind).unwrap_or(PlatformKind::GitLab);
    let name = state.integration_name(&account.integration);
    let is_lost = account.refused_at.is_some();
    let here = format!("{}/{}", base(manager), credential.name);
    Ok(html! {
        section aria-labelledby="h-again" {
            h2 id="h-again" { "Connect it again" }
            @if is_lost {
                p { b { (name) " does not renew its tokens any more." } " That is so when a password was changed, when the account took the permission back, or when an answer of " (name) " got lost. What uses it goes on by itself once it is connected again." }
            } @else {
                p { "Needed only when it shall act as another account, or may do more or less than before." }
            }
            form class="form stack" method="post" action={ (here) "/connect" } {
                (csrf(&manager.who.csrf))
                (hooks(platform, account.hooks))
                div { button class={ @if is_lost { "btn primary" } @else { "btn" } } { "Connect it again" } }
            }
        }
    })
}
