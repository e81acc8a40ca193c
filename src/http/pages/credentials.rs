//! Credentials: what this server shows to others to read code. A secret goes in by a form and never comes out.

mod connect;
mod self_rotation;
mod show;

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use secrecy::SecretString;
use serde::Deserialize;

use super::components::{Flash, Tone, absolute, badge, counted, empty, head, nothing, snippet, status};
use super::forms::{Faults, Input, checkbox, select, text_area};
use super::layout::{self, Here, csrf};
use super::respond::see_other;
use crate::admin::credentials::{self, Added, Kind, NewCredential, NewSecret};
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::visitor::Manages;
use crate::store::credentials::Credential;

pub use connect::{again, depart, form};
pub use self_rotation::set as set_self_rotation;
pub use show::{remove, rotate, show, test};

/// The types that one can add on a page, with what people call them.
const OFFERED: [(Kind, &str); 8] = [
    (Kind::HttpBasic, "User name with password or token (HTTPS)"),
    (Kind::HttpBearer, "Bearer token (HTTPS)"),
    (Kind::SshKey, "SSH key"),
    (Kind::GithubToken, "GitHub token"),
    (Kind::GithubApp, "GitHub App installation"),
    (Kind::GitlabToken, "GitLab token"),
    (Kind::BitbucketCloudToken, "Bitbucket Cloud token"),
    (Kind::BitbucketDatacenterToken, "Bitbucket Data Center token"),
];

/// Answers `/orgs/{org}/credentials`.
pub async fn list(manager: Manages, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let all = credentials::list(&state.appliance, manager.org()).await?;
    let base = base(&manager);
    let under =
        html! { "What this server uses to read code. Secrets are sealed when they are entered and never shown again." };
    let add = html! { a class="btn primary" href={ (base) "/new" } { "Add a credential" } };
    let content = html! {
        (head("Credentials", &under, &(if all.is_empty() { nothing() } else { add })))
        @if all.is_empty() {
            (empty(
                "No credential yet",
                "Repositories that everybody in your network may read need none. For the others, add what opens them: a token, a password or an SSH key.",
                Some((&format!("{base}/new"), "Add a credential")),
                Some("packagist-selfhosted credential add NAME --type http-basic --host git.example.com --username USER --secret-stdin"),
            ))
        } @else {
            (table(&all, &base, state.appliance.now()))
        }
    };
    Ok(layout::page(&manager.chrome(), Here::Credentials, "Credentials", &content))
}

fn base(manager: &Manages) -> String {
    format!("/orgs/{}/credentials", manager.organization.slug)
}

fn table(all: &[Credential], base: &str, now: Timestamp) -> Markup {
    html! {
        table class="table" {
            caption class="sr" { "Credentials" }
            thead {
                tr {
                    th scope="col" { "Credential" }
                    th scope="col" { "Host" }
                    th scope="col" { "Used by" }
                    th scope="col" { "State" }
                    th scope="col" { "Expires" }
                }
            }
            tbody {
                @for credential in all {
                    tr {
                        th scope="row" {
                            a href={ (base) "/" (credential.name) } { b { (credential.name) } }
                            span class="sub" { (kind_words(&credential.kind)) }
                        }
                        td data-label="Host" class="mono" { (credentials::host(credential).unwrap_or_default()) }
                        td data-label="Used by" { (counted(credential.used_by, "package", "packages")) }
                        td data-label="State" { (state_of(credential, now)) }
                        td data-label="Expires" {
                            @match credential.expires_at { Some(end) => (absolute(end)), None => "unknown" }
                        }
                    }
                }
            }
        }
    }
}

fn kind_words(kind: &str) -> String {
    if let Some(platform) = Kind::parse(kind).filter(|kind| kind.is_grant()).and_then(Kind::platform) {
        return format!("Connected account of {}", platform.display_name());
    }
    let known = OFFERED.iter().find(|(offered, _)| offered.as_str() == kind);
    known.map_or_else(|| kind.to_owned(), |(_, words)| (*words).to_owned())
}

fn state_of(credential: &Credential, now: Timestamp) -> Markup {
    let is_grant = Kind::parse(&credential.kind).is_some_and(Kind::is_grant);
    match credentials::status(credential, now) {
        "refused" if credential.lost_at.is_some() && is_grant => status(Tone::Fail, "Connect it again"),
        "refused" if credential.lost_at.is_some() => status(Tone::Fail, "Needs a new token"),
        "ok" => status(Tone::Ok, "Works"),
        "expiring" => status(Tone::Warn, "Expires soon"),
        "expired" => status(Tone::Fail, "Expired"),
        "refused" => status(Tone::Fail, "Refused"),
        _ => status(Tone::Pend, "Not tried yet"),
    }
}

/// The fields of the form that adds one.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct NewFields {
    name: String,
    kind: String,
    host: String,
    username: String,
    secret: SecretString,
    generate: String,
}

/// Answers `/orgs/{org}/credentials/new`.
pub async fn new(manager: Manages, state: web::Data<State>) -> HttpResponse {
    let fields = NewFields { kind: Kind::HttpBasic.as_str().to_owned(), ..NewFields::default() };
    form_page(&manager, &state, &fields, &Faults::default(), StatusCode::OK)
}

/// Takes its form.
pub async fn add(
    manager: Manages,
    Form(fields): Form<NewFields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let new = match fields.checked() {
        Ok(new) => new,
        Err(faults) => return Ok(form_page(&manager, &state, &fields, &faults, StatusCode::UNPROCESSABLE_ENTITY)),
    };
    let name = new.name.clone();
    match credentials::add(&state.appliance, &manager.actor(), manager.org(), new).await {
        Ok(Added { public_key: Some(key), .. }) => Ok(key_page(&manager, &name, key.line())),
        Ok(_) => {
            let flash = Flash { good: true, text: format!("Credential “{name}” added.") };
            Ok(see_other(&base(&manager), Some(&flash)))
        }
        Err(error) => {
            let faults = super::forms::faults_of(error, "name")?;
            Ok(form_page(&manager, &state, &fields, &faults, StatusCode::UNPROCESSABLE_ENTITY))
        }
    }
}

impl NewFields {
    fn checked(&self) -> Result<NewCredential, Faults> {
        use secrecy::ExposeSecret;
        let mut faults = Faults::default();
        let given = |text: &str| {
            let text = text.trim().to_owned();
            (!text.is_empty()).then_some(text)
        };
        let kind = Kind::parse(&self.kind);
        let (host, username) = (given(&self.host), given(&self.username));
        let generate = self.generate == "on";
        if given(&self.name).is_none() {
            faults.add("name", "It needs a name, by which packages and commands choose it");
        }
        match kind {
            None => faults.add("kind", "Choose one of the types"),
            Some(kind) => {
                if kind.needs_host(host.as_deref()).is_err() {
                    faults.add("host", "Say which host it is for, such as git.example.com or git.example.com:8443");
                }
                if kind.needs_username(username.as_deref(), host.as_deref()).is_err() {
                    let text = if kind == Kind::GithubApp {
                        "Write the installation’s number, or APP/INSTALLATION where the configuration has no App"
                    } else if username.is_some() {
                        "A bearer token goes without a user name: leave it empty"
                    } else {
                        "It needs a user name; many services take any name beside a token"
                    };
                    faults.add("username", text);
                }
                if generate && kind != Kind::SshKey {
                    faults.add("generate", "Only an SSH key can be made here");
                }
            }
        }
        // The key of this server's own App is in the configuration.
        if !generate && kind != Some(Kind::GithubApp) && self.secret.expose_secret().trim().is_empty() {
            faults.add("secret", "Paste the secret, or let an SSH key be made here");
        }
        match kind {
            Some(kind) if faults.is_empty() => Ok(NewCredential {
                name: self.name.trim().to_owned(),
                kind,
                host,
                username,
                secret: if generate { NewSecret::Generate(None) } else { NewSecret::Given(self.secret.clone()) },
            }),
            _ => Err(faults),
        }
    }
}

fn form_page(manager: &Manages, state: &State, fields: &NewFields, faults: &Faults, code: StatusCode) -> HttpResponse {
    let kinds: Vec<_> = OFFERED.map(|(kind, words)| (kind.as_str().to_owned(), words.to_owned())).into();
    let name = Input {
        name: "name",
        label: "Name",
        value: &fields.name,
        hint: "Packages and commands choose it by this name.",
        placeholder: "deploy-erp",
        required: true,
        mono: true,
        ..Input::default()
    };
    let host = Input {
        name: "host",
        label: "Host",
        value: &fields.host,
        hint: "It is sent to exactly this host and port, never elsewhere. Public platforms may be left out.",
        placeholder: "git.example.com",
        mono: true,
        ..Input::default()
    };
    let username = Input {
        name: "username",
        label: "User name",
        value: &fields.username,
        hint: "Of a GitHub App: the installation’s number, which stands at the end of the address of its settings. Of an API token of Bitbucket: the account’s e-mail address.",
        optional: true,
        autocomplete: "off",
        ..Input::default()
    };
    let content = html! {
        (head("Add a credential", &nothing(), &nothing()))
        (faults.summary())
        div class="sections" {
            form class="form stack gap" method="post" action={ (base(manager)) "/new" } autocomplete="off" {
                (csrf(&manager.who.csrf))
                (select("kind", "Type", &kinds, &fields.kind, "", faults))
                (name.markup(faults))
                (host.markup(faults))
                (username.markup(faults))
                (secret_field("Password, token or private key", faults))
                (checkbox("generate", "on", "Make an SSH key here", "Its public half is shown to be added as deploy key; nobody ever sees the private one.", fields.generate == "on"))
                div class="row" {
                    button class="btn primary" { "Add the credential" }
                    a class="btn" href=(base(manager)) { "Back to the credentials" }
                }
            }
            (connect::section(manager, state))
        }
    };
    layout::page_with(code, &manager.chrome(), Here::Credentials, "Add a credential", &content)
}

/// A secret of one line or several: a private key has many. It is never filled in again.
fn secret_field(label: &str, faults: &Faults) -> Markup {
    text_area("secret", label, "", "A private key is pasted as a whole, with its first and last line.", 4, faults)
}

/// What is shown after a key was made: the half that may be seen.
fn key_page(manager: &Manages, name: &str, line: &str) -> HttpResponse {
    let content = html! {
        (head(&format!("Credential “{name}” added"), &nothing(), &nothing()))
        div class="stack" {
            p { "Add this public key to the repository’s deploy keys, or to the account that reads it. Read access is enough." }
            (snippet("public-key", "Public key", line))
            div class="row" { a class="btn primary" href={ (base(manager)) "/" (name) } { "Open the credential" } }
        }
    };
    layout::page(&manager.chrome(), Here::Credentials, "Credential added", &content)
}

/// How long a page waits for a test; it goes on without it.
const PATIENCE: Duration = Duration::from_secs(20);

/// A badge that says how a thing is used.
fn property(words: &str) -> Markup {
    badge(Tone::Neutral, words)
}
