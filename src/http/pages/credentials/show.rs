//! One credential: what it opens, its test, a new secret, and its end.

use std::sync::{Arc, Mutex, PoisonError};

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{PATIENCE, base, connect, kind_words, property, secret_field, self_rotation, state_of};
use crate::admin::credentials::{self, Finding, Kind, NewSecret, PublicKey};
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::pages::components::{
    Flash, Tone, absolute, ago_or_never, callout, counted, head, nothing, snippet, status,
};
use crate::http::pages::forms::{self, Faults, Input, checkbox, select, text_area};
use crate::http::pages::layout::{self, Confirmation, Here, csrf};
use crate::http::pages::respond::see_other;
use crate::http::visitor::Manages;
use crate::store::credentials::Credential;

/// What a test found so far.
type Findings = Arc<Mutex<Vec<Finding>>>;

/// Answers `/orgs/{org}/credentials/{name}`.
pub async fn show(
    manager: Manages,
    path: web::Path<(String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let credential = find(&manager, &state, &path.1).await?;
    page(&manager, &state, &credential, &Faults::default(), None, StatusCode::OK).await
}

pub(super) async fn find(manager: &Manages, state: &State, name: &str) -> Result<Credential, PageError> {
    Ok(credentials::by_name(&state.appliance, manager.org(), name).await?)
}

/// Takes the form that tests it. The test may ask many repositories: the page shows what was found in a while, and the
/// rest goes on.
pub async fn test(
    manager: Manages,
    path: web::Path<(String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let credential = find(&manager, &state, &path.1).await?;
    let findings = Findings::default();
    let (appliance, actor, org) = (state.appliance.clone(), manager.actor(), manager.org());
    let (name, told) = (credential.name.clone(), Arc::clone(&findings));
    let testing = tokio::spawn(async move {
        let tell = |finding| told.lock().unwrap_or_else(PoisonError::into_inner).push(finding);
        credentials::test(&appliance, &actor, org, &name, tell).await
    });
    let ended = match tokio::time::timeout(PATIENCE, testing).await {
        Ok(Ok(result)) => result.map(|()| true)?,
        Ok(Err(panicked)) => return Err(PageError::internal("a test ended early", &panicked)),
        Err(_) => false,
    };
    let found = findings.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let tested = Tested { found, ended };
    // What the test found may have changed its state.
    let credential = find(&manager, &state, &credential.name).await?;
    page(&manager, &state, &credential, &Faults::default(), Some(&tested), StatusCode::OK).await
}

fn is_grant(credential: &Credential) -> bool {
    Kind::parse(&credential.kind).is_some_and(Kind::is_grant)
}

struct Tested {
    found: Vec<Finding>,
    ended: bool,
}

async fn page(
    manager: &Manages,
    state: &State,
    credential: &Credential,
    faults: &Faults,
    tested: Option<&Tested>,
    code: StatusCode,
) -> Result<HttpResponse, PageError> {
    let users = credentials::users(&state.appliance, manager.org(), credential.id).await?;
    let account = connect::of(manager, state, credential).await?;
    let here = format!("{}/{}", base(manager), credential.name);
    let test = html! {
        form method="post" action={ (here) "/test" } {
            (csrf(&manager.who.csrf))
            button class="btn" { "Test it" }
        }
        a class="btn danger" href={ (here) "/remove" } { "Remove…" }
    };
    let under = html! { (property(&kind_words(&credential.kind))) " for " code { (credentials::host(credential).unwrap_or_default()) } };
    let content = html! {
        (head(&credential.name, &under, &test))
        (faults.summary())
        div class="sections" {
            @if let Some(tested) = tested { (findings(tested)) }
            @if credential.kind == Kind::BitbucketCloudAppPassword.as_str() { (ended()) }
            (facts(credential, state, users.len()))
            @if is_grant(credential) { (account) } @else { (rotation(manager, credential, &here, faults)) }
            (self_rotation::section(manager, credential, &here))
            (used_by(&users, &manager.organization.slug))
        }
    };
    Ok(layout::page_with(code, &manager.chrome(), Here::Credentials, &credential.name, &content))
}

/// Why an app password opens nothing, and what takes its place.
fn ended() -> Markup {
    callout(
        Tone::Fail,
        "Bitbucket accepts no app passwords since 28 July 2026",
        &html! {
            p { "Make an API token with scopes in the settings of the Atlassian account, and replace the secret with it and the account’s e-mail address below. The credential stays the same one, and what uses it goes on by itself." }
            div class="row" { a class="btn" href="https://id.atlassian.com/manage-profile/security/api-tokens" rel="noreferrer" { "API tokens at Atlassian" } }
        },
    )
}

fn findings(tested: &Tested) -> Markup {
    html! {
        section aria-labelledby="h-test" role="status" {
            h2 id="h-test" { "What the test found" }
            ul class="plain stack-s" {
                @for finding in &tested.found {
                    @match finding {
                        Finding::Good(text) => li { (status(Tone::Ok, "Works")) " " (text) },
                        Finding::Doubtful(text) => li { (status(Tone::Warn, "Look")) " " (text) },
                        Finding::Bad(text) => li { (status(Tone::Fail, "Fails")) " " (text) },
                    }
                }
                @if !tested.ended {
                    li { (status(Tone::Pend, "Goes on")) " Some repositories have not answered yet. The credential’s state follows when they have." }
                }
            }
        }
    }
}

fn facts(credential: &Credential, state: &State, users: usize) -> Markup {
    let now = state.appliance.now();
    html! {
        section aria-label="Facts" {
            dl class="kv" {
                dt { "State" } dd { (state_of(credential, now)) }
                @if let Some(username) = &credential.username {
                    dt { @if is_grant(credential) { "Acts as" } @else { "User name" } }
                    dd class="mono" { (username) }
                }
                @if is_grant(credential) {
                    dt { "Connected" }
                    dd { (ago_or_never(credential.secret_set_at, now)) }
                } @else {
                    dt { "Secret" }
                    dd { "set " (ago_or_never(credential.secret_set_at, now)) }
                }
                @if let Some(end) = credential.expires_at {
                    dt { "Expires" }
                    dd { (absolute(end)) @if let Some(then) = self_rotation::then(credential, end) { (then) } }
                }
                dt { "Used by" } dd { (counted(i64::try_from(users).unwrap_or(i64::MAX), "package", "packages")) }
            }
            @if let Some(line) = &credential.public_key {
                @let key = PublicKey::stored(line);
                div class="gap stack-s" {
                    (snippet("public-key", "Public key, for the repository’s deploy keys", key.line()))
                    p class="hint" { "Fingerprint " code { (key.fingerprint()) } }
                }
            }
        }
    }
}

fn rotation(manager: &Manages, credential: &Credential, here: &str, faults: &Faults) -> Markup {
    let is_key = credential.kind == Kind::SshKey.as_str();
    let is_bitbucket = [Kind::BitbucketCloudToken, Kind::BitbucketCloudAppPassword]
        .iter()
        .any(|kind| credential.kind == kind.as_str());
    html! {
        section aria-labelledby="h-rotate" {
            h2 id="h-rotate" { "Replace the secret" }
            form class="form stack" method="post" action={ (here) "/rotate" } autocomplete="off" {
                (csrf(&manager.who.csrf))
                @if is_bitbucket { (text_area("secret", "New API token or access token", "", "API tokens begin with ATATT, access tokens with ATCTT.", 4, faults)) }
                @else { (secret_field("New secret", faults)) }
                @if is_bitbucket { (address_field(credential, faults)) }
                @if is_key { (checkbox("generate", "on", "Make a new key here", "Add its public half before the old one is taken away.", false)) }
                p class="hint" { "The packages that use it are updated at once." }
                div { button class="btn" { "Replace the secret" } }
            }
        }
    }
}

fn address_field(credential: &Credential, faults: &Faults) -> Markup {
    let input = Input {
        name: "username",
        label: "E-mail address",
        value: credential.username.as_deref().filter(|name| name.contains('@')).unwrap_or_default(),
        hint: "Of the Atlassian account whose API token it is. Access tokens of workspaces, projects and repositories need none.",
        optional: true,
        autocomplete: "off",
        ..Input::default()
    };
    input.markup(faults)
}

fn used_by(users: &[String], slug: &str) -> Markup {
    html! {
        @if !users.is_empty() {
            section aria-labelledby="h-used" {
                h2 id="h-used" { "Used by" }
                ul class="plain" {
                    @for name in users.iter().take(200) {
                        li { @if name.contains("://") { code { (name) } } @else { a class="mono" href={ "/orgs/" (slug) "/packages/" (name) } { (name) } } }
                    }
                    @if users.len() > 200 { li { "and " (users.len() - 200) " more" } }
                }
            }
        }
    }
}

/// The fields of the form with a new secret.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct RotateFields {
    secret: SecretString,
    username: String,
    generate: String,
}

/// Takes the form with a new secret.
pub async fn rotate(
    manager: Manages,
    path: web::Path<(String, String)>,
    Form(fields): Form<RotateFields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let credential = find(&manager, &state, &path.1).await?;
    let secret = match (fields.generate == "on", fields.secret.expose_secret().trim().is_empty()) {
        (true, _) => NewSecret::Generate(None),
        (false, false) => NewSecret::Given(fields.secret.clone()),
        (false, true) => {
            let faults = Faults::of("secret", "Paste the new secret");
            return page(&manager, &state, &credential, &faults, None, StatusCode::UNPROCESSABLE_ENTITY).await;
        }
    };
    let user = Some(fields.username.trim().to_owned()).filter(|user| !user.is_empty());
    let rotated =
        credentials::rotate(&state.appliance, &manager.actor(), manager.org(), &credential.name, (secret, user)).await;
    match rotated {
        Ok(_) => {
            let flash = Flash { good: true, text: format!("“{}” has a new secret.", credential.name) };
            Ok(see_other(&format!("{}/{}", base(&manager), credential.name), Some(&flash)))
        }
        Err(error) => {
            let faults = forms::faults_of(error, "secret")?;
            page(&manager, &state, &credential, &faults, None, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

/// The fields of the page that removes one.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct RemoveFields {
    replacement: String,
}

/// Answers `/orgs/{org}/credentials/{name}/remove`, and takes its form.
pub async fn remove(
    manager: Manages,
    path: web::Path<(String, String)>,
    fields: Option<Form<RemoveFields>>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let credential = find(&manager, &state, &path.1).await?;
    let Some(Form(fields)) = fields else {
        return removal_page(&manager, &state, &credential, &Faults::default(), StatusCode::OK).await;
    };
    let replacement = Some(fields.replacement.as_str()).filter(|name| !name.is_empty());
    let org = manager.org();
    match credentials::remove(&state.appliance, &manager.actor(), org, &credential.name, replacement).await {
        Ok(()) => {
            let flash = Flash { good: true, text: format!("Credential “{}” removed.", credential.name) };
            Ok(see_other(&base(&manager), Some(&flash)))
        }
        Err(error) => {
            let faults = forms::faults_of(error, "replacement")?;
            removal_page(&manager, &state, &credential, &faults, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

async fn removal_page(
    manager: &Manages,
    state: &State,
    credential: &Credential,
    faults: &Faults,
    code: StatusCode,
) -> Result<HttpResponse, PageError> {
    let org = manager.org();
    let users = credentials::users(&state.appliance, org, credential.id).await?;
    let others = credentials::list(&state.appliance, org).await?;
    let here = format!("{}/{}", base(manager), credential.name);
    let content = if users.is_empty() {
        let confirmation = Confirmation {
            question: html! { "Remove the credential " span class="mono" { (credential.name) } "?" },
            lead: "Its secret is deleted here. On the platform it goes on working until it is revoked there.",
            consequences: vec![("Used by", html! { "nothing" })],
            advice: None,
            typed: None,
            action: &format!("{here}/remove"),
            fields: Vec::new(),
            button: "Remove the credential",
            back: (&here, "Keep it"),
        };
        confirmation.markup(&manager.who.csrf, false)
    } else {
        let options: Vec<_> = others
            .iter()
            .filter(|other| other.id != credential.id)
            .map(|other| (other.name.clone(), format!("{}, {}", other.name, kind_words(&other.kind))))
            .collect();
        replacement_form(manager, credential, &here, users.len(), &options, faults)
    };
    Ok(layout::page_with(code, &manager.chrome(), Here::Credentials, "Remove a credential", &content))
}

/// Packages cannot do without it, so that another one has to be named.
fn replacement_form(
    manager: &Manages,
    credential: &Credential,
    here: &str,
    users: usize,
    options: &[(String, String)],
    faults: &Faults,
) -> Markup {
    let users = counted(i64::try_from(users).unwrap_or(i64::MAX), "package uses it", "packages use it");
    html! {
        (head(&format!("Remove the credential {}?", credential.name), &nothing(), &nothing()))
        (faults.summary())
        form class="narrow stack" method="post" action={ (here) "/remove" } {
            (csrf(&manager.who.csrf))
            p { (users) ", and would not be updated without one. Name the credential that they use from then on." }
            @if options.is_empty() {
                p { "There is no other credential. " a href={ (base(manager)) "/new" } { "Add one first" } "." }
            } @else {
                (select("replacement", "Replace it with", options, "", "They are updated at once.", faults))
            }
            div class="row" {
                @if !options.is_empty() { button class="btn danger primary" { "Replace and remove it" } }
                a class="btn" href=(here) { "Keep it" }
            }
        }
    }
}
