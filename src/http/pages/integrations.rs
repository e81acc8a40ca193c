//! The platforms that people sign in with: what is registered, what to enter there, and whether it works.

pub(in crate::http) mod app;
mod guide;
pub(in crate::http) mod system_hook;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};

use super::components::{Tone, counted, empty, head, nothing, snippet, snippet_line, status};
use super::layout::{Here, csrf, page, page_with};
use crate::http::State;
use crate::http::integrations::Integration;
use crate::http::page_error::PageError;
use crate::http::visitor::Administers;
use crate::platform::{Finding, Level, PlatformKind};
use crate::store::accounts;
use guide::Guide;

/// Answers `GET /admin/integrations`.
pub(in crate::http) async fn list(state: web::Data<State>, who: Administers) -> HttpResponse {
    let all = &state.settings.integrations;
    let public_url = &state.settings.public_url;
    let under = html! { "People sign in with the account that they have on one of these platforms. They stand in the configuration as " span class="mono" { "[[integration]]" } "." };
    let content = html! {
        (head("Integrations", &under, &nothing()))
        div class="sections" {
            @if all.is_empty() {
                (empty("No platform is set up yet", "Choose one below: the page says what to register there and what to write into the configuration. Without one, people sign in with local accounts.", None, Some("packagist-selfhosted integration list")))
            } @else {
                section aria-labelledby="h-i" {
                    h2 id="h-i" { "Registered" }
                    (table(all, public_url))
                }
            }
            section aria-labelledby="h-n" {
                h2 id="h-n" { "Set up another one" }
                ul class="plain stack-s" {
                    @for platform in PlatformKind::ALL {
                        li { a href={ "/admin/integrations/new/" (platform.as_str()) } { (platform.display_name()) } }
                    }
                }
            }
        }
    };
    page(&who.chrome(), Here::Integrations, "Integrations", &content)
}

fn table(all: &[Integration], public_url: &str) -> Markup {
    html! {
        table class="table" {
            caption class="sr" { "Integrations" }
            thead { tr {
                th scope="col" { "Name" } th scope="col" { "Platform" } th scope="col" { "Sign-in" } th scope="col" { "Callback" }
            } }
            tbody {
                @for one in all {
                    tr {
                        th scope="row" { a href={ "/admin/integrations/" (one.id) } { b { (one.name) } } }
                        td data-label="Platform" { (one.platform.display_name()) ", " span class="mono" { (one.url) } }
                        td data-label="Sign-in" { (offered(one)) }
                        td data-label="Callback" class="wide" { span class="mono" { (one.callback(public_url)) } }
                    }
                }
            }
        }
    }
}

fn offered(one: &Integration) -> Markup {
    match (&one.connection, one.login) {
        (None, _) => status(Tone::Warn, "No app registered"),
        (Some(_), true) => status(Tone::Ok, "Offered"),
        (Some(_), false) => status(Tone::Neutral, "Not offered"),
    }
}

/// Answers `GET /admin/integrations/new/{platform}`: what to do, before there is anything.
pub(in crate::http) async fn new(
    state: web::Data<State>,
    who: Administers,
    platform: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let platform = PlatformKind::ALL.into_iter().find(|one| one.as_str() == *platform);
    let platform = platform.ok_or_else(|| who.not_found())?;
    let guide = Guide::of_new(platform, &state.settings.public_url);
    let heading = format!("Set up {}", platform.display_name());
    let content = html! {
        nav class="crumbs" aria-label="Breadcrumb" { a href="/admin/integrations" { "Integrations" } " /" }
        (head(&heading, &html! { "People sign in with their account there. It takes about four minutes." }, &nothing()))
        @if let Some(guide) = &guide { (steps(guide)) }
    };
    Ok(page(&who.chrome(), Here::Integrations, &heading, &content))
}

fn find<'s>(state: &'s State, who: &Administers, id: &str) -> Result<&'s Integration, PageError> {
    state.integration(id).ok_or_else(|| who.not_found())
}

/// Answers `GET /admin/integrations/{integration}`.
pub(in crate::http) async fn show(
    state: web::Data<State>,
    who: Administers,
    id: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let one = find(&state, &who, &id)?;
    let people = people(&state, one).await?;
    Ok(render(&state, &who, one, people, None))
}

/// Answers `POST /admin/integrations/{integration}/test`.
pub(in crate::http) async fn test(
    state: web::Data<State>,
    who: Administers,
    id: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let one = find(&state, &who, &id)?;
    let callback = one.callback_url(&state.settings.public_url);
    let findings = match (&one.connection, callback) {
        (Some(connection), Some(callback)) => connection.diagnose(&callback, state.appliance.now()).await,
        _ => Vec::new(),
    };
    let people = people(&state, one).await?;
    Ok(render(&state, &who, one, people, Some(&findings)))
}

/// How many people sign in by an integration.
async fn people(state: &State, one: &Integration) -> Result<i64, PageError> {
    let connected = state.appliance.database.read(accounts::connected).await?;
    let count = connected.iter().filter(|(_, integration, _)| *integration == one.id).count();
    Ok(i64::try_from(count).unwrap_or(i64::MAX))
}

fn render(
    state: &State,
    who: &Administers,
    one: &Integration,
    people: i64,
    findings: Option<&[Finding]>,
) -> HttpResponse {
    let guide = Guide::of(one, &state.settings.public_url);
    let test = html! {
        @if one.connection.is_some() {
            form method="post" action={ "/admin/integrations/" (one.id) "/test" } { (csrf(&who.csrf)) button class="btn primary" { "Test it" } }
        }
    };
    let content = html! {
        nav class="crumbs" aria-label="Breadcrumb" { a href="/admin/integrations" { "Integrations" } " /" }
        (head(&one.name, &html! { (one.platform.display_name()) " at " span class="mono" { (one.url) } ", known here as " span class="mono" { (one.id) } "; " (counted(people, "person signs in", "people sign in")) " by it" }, &test))
        div class="sections" {
            @if let Some(findings) = findings { (tested(findings)) }
            @if one.platform == PlatformKind::GitHub { (app::section(state, one)) }
            (system_hook::section(state, one))
            section aria-labelledby="h-s" { h2 id="h-s" { "As it has to be there" } @if let Some(guide) = &guide { (steps(guide)) } }
        }
    };
    page_with(StatusCode::OK, &who.chrome(), Here::Integrations, &one.name, &content)
}

fn tested(findings: &[Finding]) -> Markup {
    html! {
        section aria-labelledby="h-t" {
            h2 id="h-t" { "What the test found" }
            ul class="plain stack-s" role="status" {
                @for finding in findings {
                    @let (tone, word) = match finding.level {
                        Level::Ok => (Tone::Ok, "Works"),
                        Level::Warn => (Tone::Warn, "Look at it"),
                        Level::Fail => (Tone::Fail, "Does not work"),
                    };
                    li { (status(tone, word)) " " (finding.text) }
                }
            }
        }
    }
}

fn steps(guide: &Guide) -> Markup {
    html! {
        ol class="steps" {
            li {
                h2 { "Register an app, for the sign-in" }
                p { "Open " a href=(guide.address) rel="noreferrer" { (guide.place) } " and enter exactly this:" }
                @for (index, (label, value)) in guide.fields.iter().enumerate() {
                    (snippet_line(&format!("f{index}"), label, value))
                }
                p class="hint" { (guide.permissions) }
            }
            li {
                h2 { "Put its keys into the configuration" }
                p { (guide.keys) }
                (snippet("configuration", "config.toml", &guide.configuration))
                p { "Keep the secret in a file that only this server reads. Then restart the server:" }
                (snippet_line("restart", "Shell", "systemctl restart packagist-selfhosted"))
            }
            li {
                h2 { "Test it" }
                (snippet_line("test", "Shell", &format!("packagist-selfhosted integration test {}", guide.id)))
                p class="hint" { "The page of the integration has a button that does the same." }
            }
        }
        section class="stack" aria-labelledby="h-r" {
            h2 id="h-r" { "If something refuses" }
            dl class="kv" {
                dt { "redirect_uri" } dd { "The callback differs, often by http instead of https. Copy it again." }
                dt { "Certificate not trusted" } dd { "Add your CA to " span class="mono" { "outbound.ca_bundle" } "." }
                dt { "No answer" } dd { "A proxy may be in between: " span class="mono" { "outbound.proxy" } " and " span class="mono" { "no_proxy" } "." }
            }
        }
    }
}
