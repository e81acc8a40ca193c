//! The first run: an administrator, the public address, and the first organization.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::HOST;
use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::components::{Flash, Tone, absolute, status};
use super::forms::{Faults, Input};
use super::layout::{csrf, solo, solo_head};
use super::{refusals, respond};
use crate::admin::logins;
use crate::admin::setup::{self, Answers, Refusal};
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::auth::begun;
use crate::http::form::{Form, Secret};
use crate::http::page_error::PageError;
use crate::http::session::Value;
use crate::http::visitor::Visitor;
use crate::store::users;
use crate::telemetry::RequestId;

/// How long the server may take to reach itself.
const PATIENCE: Duration = Duration::from_secs(3);

/// What comes with the link.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::http) struct Asked {
    token: String,
    /// What the server asks itself.
    echo: String,
}

/// What the form sends.
#[derive(Deserialize)]
pub(in crate::http) struct Typed {
    token: Secret,
    user: String,
    #[serde(default)]
    email: String,
    password: Secret,
    org: String,
    slug: String,
}

/// Answers `GET /setup`.
pub(in crate::http) async fn page(
    request: HttpRequest,
    state: web::Data<State>,
    visitor: Visitor,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, PageError> {
    if !asked.echo.is_empty() {
        let is_ours = asked.echo == *state.echo;
        return if is_ours { Ok(HttpResponse::NoContent().finish()) } else { Err(PageError::NotFound(None)) };
    }
    let Some(until) = setup::is_good(&state.appliance, &asked.token).await? else {
        return Ok(closed());
    };
    let shown = Shown { user: "", email: "", org: "", slug: "" };
    let findings = public_address(&request, &state).await;
    let content = shown.markup(&state, &visitor, &asked.token, until, &findings, &Faults::default());
    let mut response = respond::html(StatusCode::OK, content, false);
    visitor.keep(state.cookies, &mut response);
    Ok(response)
}

/// Answers `POST /setup`.
pub(in crate::http) async fn submit(
    request: HttpRequest,
    state: web::Data<State>,
    visitor: Visitor,
    Form(typed): Form<Typed>,
) -> Result<HttpResponse, PageError> {
    use secrecy::ExposeSecret;
    let token = typed.token.0.expose_secret();
    let Some(until) = setup::is_good(&state.appliance, token).await? else { return Ok(closed()) };
    let answers = Answers {
        name: typed.user.trim().to_owned(),
        email: Some(typed.email.trim().to_owned()).filter(|email| !email.is_empty()),
        password: typed.password.0.clone(),
        organization: typed.org.clone(),
        slug: typed.slug.trim().to_owned(),
    };
    match setup::complete(&state.appliance, token, answers, &visitor.address).await {
        Ok(id) => {
            let user = state.appliance.database.read(move |db| users::by_id(db, id)).await?;
            let user = user.ok_or_else(|| PageError::internal("the new administrator is not there", &""))?;
            let cookie = Value::random();
            logins::begin(&state.appliance, &user, visitor.beginning(&cookie, None)).await?;
            let text = format!("You administer this server now, and {} is there.", typed.org.trim());
            let mut response = respond::see_other("/admin/integrations", Some(&Flash { good: true, text }));
            begun(&state, &cookie, &mut response);
            Ok(response)
        }
        Err(Refusal::Link) => Ok(closed()),
        Err(Refusal::Failed(error)) => Err(error.into()),
        Err(Refusal::Answer(field, what)) => {
            let shown = Shown { user: &typed.user, email: &typed.email, org: &typed.org, slug: &typed.slug };
            let findings = public_address(&request, &state).await;
            let content = shown.markup(&state, &visitor, token, until, &findings, &Faults::of(field, what));
            Ok(respond::html(StatusCode::UNPROCESSABLE_ENTITY, content, false))
        }
    }
}

/// What a link gets that is not good, or not any more; it is no business of whoever has it which of the two.
fn closed() -> HttpResponse {
    let id = RequestId::random();
    let content = html! {
        p class="status warn" { "Not open" }
        h1 { "This link sets up nothing" }
        p { "It was used, is older than an hour, or another one was made since. Once somebody administers the server, there are no such links." }
        p { "While nobody does, the command prints a new one, and so does a restart:" }
        (super::components::snippet_bare("command", "Shell", "packagist-selfhosted setup-link"))
        div class="row" { a class="btn primary" href="/login" { "Sign in" } }
        (refusals::request(id))
    };
    respond::failure(StatusCode::FORBIDDEN, id, &solo("Not open", true, &html! { div class="stack" { (content) } }))
}

/// Whether people and the server itself reach the address that links are made of.
async fn public_address(request: &HttpRequest, state: &State) -> Vec<(Tone, String, String)> {
    let mut findings = Vec::new();
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let host = request.uri().authority().map_or(host, |authority| authority.as_str());
    findings.push(if host.eq_ignore_ascii_case(&state.host) {
        (Tone::Ok, "Your browser".to_owned(), "reached it there.".to_owned())
    } else {
        let shown: String = host.chars().take(100).collect();
        let text = format!("came to {shown}. If that is the right address, set server.public_url to it and restart.");
        (Tone::Warn, "Your browser".to_owned(), text)
    });
    if let Some(own) = &state.settings.own {
        let called = tokio::time::timeout(PATIENCE, own.reaches(&state.settings.public_url, &state.echo)).await;
        findings.push(match called {
            Ok(Ok(took)) => {
                (Tone::Ok, "Reached itself".to_owned(), format!("in {}.", super::components::duration(took)))
            }
            Ok(Err(reason)) => (
                Tone::Warn,
                "Did not reach itself".to_owned(),
                format!("{reason}. Platforms may not either, and then their webhooks do not arrive."),
            ),
            Err(_) => (
                Tone::Warn,
                "Did not reach itself".to_owned(),
                format!("within {} seconds. Platforms may not either.", PATIENCE.as_secs()),
            ),
        });
    }
    if state.settings.public_url.starts_with("http://") {
        let text = "passwords and tokens travel unencrypted. Set up TLS, here or in a proxy, before others use it.";
        findings.push((Tone::Warn, "Plain HTTP".to_owned(), text.to_owned()));
    }
    findings
}

/// What the form holds.
struct Shown<'a> {
    user: &'a str,
    email: &'a str,
    org: &'a str,
    slug: &'a str,
}

impl Shown<'_> {
    fn markup(
        &self,
        state: &State,
        visitor: &Visitor,
        token: &str,
        until: Timestamp,
        findings: &[(Tone, String, String)],
        faults: &Faults,
    ) -> Markup {
        let public_url = &state.settings.public_url;
        let content = html! {
            (solo_head("Set up this server", ""))
            p class="muted" { "Three answers, then your first package. This link works once and until " (absolute(until)) "; the command " code { "packagist-selfhosted setup-link" } " prints a new one while no administrator exists." }
            (faults.summary())
            form class="panel stack" method="post" action="/setup" {
                (csrf(&visitor.csrf))
                input type="hidden" name="token" value=(token);
                fieldset class="stack" { legend { "1. Administrator" } (self.administrator(faults)) }
                hr class="rule";
                fieldset class="stack" {
                    legend { "2. Public address" }
                    div class="field" {
                        label for="url" { "Address of this server" }
                        input id="url" type="url" value=(public_url) aria-describedby="url-h" readonly;
                        span class="hint" id="url-h" { "From the configuration, " span class="mono" { "server.public_url" } ". Composer, browsers and webhooks use it." }
                    }
                    ul class="plain stack-s small" {
                        @for (tone, what, text) in findings { li { (status(*tone, what)) " " (text) } }
                    }
                }
                hr class="rule";
                fieldset class="stack" { legend { "3. First organization" } (self.organization(public_url, faults)) }
                div class="row" { button class="btn primary" { "Create and go on to integrations" } }
            }
            p class="muted small" { "Prefer the command line? " code { "packagist-selfhosted user add NAME --admin --password-stdin" } ", then " code { "packagist-selfhosted org add NAME" } "." }
        };
        solo("First run", true, &content)
    }

    fn administrator(&self, faults: &Faults) -> Markup {
        let user = Input {
            name: "user",
            label: "User name",
            value: self.user,
            autocomplete: "username",
            required: true,
            ..Input::default()
        };
        let email = Input {
            name: "email",
            label: "E-mail",
            kind: "email",
            value: self.email,
            autocomplete: "email",
            optional: true,
            ..Input::default()
        };
        let password = Input {
            name: "password",
            label: "Password",
            kind: "password",
            hint: "A local account that works when the company’s platform is down. Three unrelated words are fine.",
            autocomplete: "new-password",
            required: true,
            ..Input::default()
        };
        html! {
            div class="pair" { (user.markup(faults)) (email.markup(faults)) }
            (password.markup(faults))
        }
    }

    fn organization(&self, public_url: &str, faults: &Faults) -> Markup {
        let org = Input { name: "org", label: "Name", value: self.org, required: true, ..Input::default() };
        let slug = Input {
            name: "slug",
            label: "Short name",
            value: self.slug,
            hint: "Part of the address; cannot be changed without editing every project.",
            required: true,
            mono: true,
            ..Input::default()
        };
        html! {
            p class="hint" { "One organization is one Composer repository with its own packages, teams and tokens." }
            div class="pair" { (org.markup(faults)) (slug.markup(faults)) }
            p class="small" { span class="muted" { "Composer will use" } " " code { (public_url) "/repo/" (if self.slug.is_empty() { "SHORT-NAME" } else { self.slug }) } }

        }
    }
}
