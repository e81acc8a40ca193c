//! One person's account: what it is, and what an administrator can change about it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::users::{BASE, state_of};
use crate::admin;
use crate::admin::users::{self, Detail};
use crate::catalog::OrgAccess;
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::pages::components::{Flash, Tone, ago, ago_or_never, badge, counted, head};
use crate::http::pages::forms::{Faults, Input, faults_of};
use crate::http::pages::layout::{self, Confirmation, Here, csrf};
use crate::http::pages::respond::see_other;
use crate::http::visitor::Administers;

async fn find(who: &Administers, state: &State, name: &str) -> Result<Detail, PageError> {
    users::show(&state.appliance, name).await.map_err(|error| match error {
        admin::Error::NotFound(_) => who.not_found(),
        error => error.into(),
    })
}

/// Answers `/admin/users/{user}`.
pub async fn show(
    administrator: Administers,
    path: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let detail = find(&administrator, &state, &path).await?;
    Ok(page(&administrator, &state, &detail, &Faults::default(), StatusCode::OK))
}

fn page(who: &Administers, state: &State, detail: &Detail, faults: &Faults, code: StatusCode) -> HttpResponse {
    let user = &detail.user;
    let organizations = state.appliance.catalog.world().organizations_of(user.id, state.appliance.now());
    let under = html! {
        @if user.shown_name() != user.name { span class="mono" { (user.name) } }
        @if user.admin { " " (badge(Tone::Neutral, "administrator")) }
        @if user.id == who.user.id { " " (badge(Tone::Neutral, "you")) }
    };
    let content = html! {
        nav class="crumbs" aria-label="Breadcrumb" { a href=(BASE) { "Users" } " /" }
        (head(user.shown_name(), &under, &actions(who, detail)))
        (faults.summary())
        div class="sections" {
            section aria-label="Facts" { (facts(state, detail)) }
            section aria-labelledby="h-orgs" {
                h2 id="h-orgs" { "Organizations" }
                (memberships(&organizations))
            }
            section aria-labelledby="h-password" {
                h2 id="h-password" { "Set a password" }
                (password_form(who, detail, faults))
            }
        }
    };
    layout::page_with(code, &who.chrome(), Here::Users, user.shown_name(), &content)
}

fn actions(who: &Administers, detail: &Detail) -> Markup {
    let user = &detail.user;
    let base = format!("{BASE}/{}", user.name);
    let button = |verb: &str, words: &str| {
        html! {
            form method="post" action={ (base) "/" (verb) } {
                (csrf(&who.csrf))
                button class="btn" { (words) }
            }
        }
    };
    html! {
        @if user.admin { (button("demote", "Make no administrator")) } @else { (button("promote", "Make administrator")) }
        @if user.second_factor_at.is_some() { (button("reset-second-factor", "Reset the second factor")) }
        @if user.enabled { (button("disable", "Disable…")) } @else { (button("enable", "Enable")) }
        a class="btn danger" href={ (base) "/remove" } { "Remove…" }
    }
}

fn facts(state: &State, detail: &Detail) -> Markup {
    let (user, now) = (&detail.user, state.appliance.now());
    html! {
        dl class="kv" {
            dt { "State" } dd { (state_of(user.enabled)) }
            @if let Some(email) = &user.email { dt { "E-mail" } dd dir="auto" { (email) } }
            dt { "Last sign-in" } dd { (ago_or_never(user.last_login_at, now)) }
            dt { "Password" }
            dd { @match user.password_set_at { Some(since) => { "set " (ago(since, now)) } None => "none" } }
            dt { "Second factor" }
            dd { @match user.second_factor_at { Some(since) => { "set up " (ago(since, now)) } None => "none" } }
            @for account in &detail.accounts {
                dt { (state.integration_name(&account.integration)) }
                dd {
                    span class="mono" dir="auto" { (account.login) }
                    ", last used " (ago_or_never(account.last_login_at, now))
                    @if account.suspended_at.is_some() { ", " (badge(Tone::Warn, "suspended there")) }
                }
            }
            dt { "Sessions" } dd { (counted(detail.sessions, "browser", "browsers")) }
            dt { "User tokens" } dd { (counted(detail.tokens, "token", "tokens")) }
        }
    }
}

fn memberships(organizations: &[OrgAccess]) -> Markup {
    html! {
        @if organizations.is_empty() {
            p class="muted" { "None: the person sees nothing here." }
        } @else {
            table class="table" {
                caption class="sr" { "Organizations of the person" }
                thead { tr { th scope="col" { "Organization" } th scope="col" { "Role" } } }
                tbody {
                    @for one in organizations {
                        tr {
                            th scope="row" { a href={ "/orgs/" (one.organization.slug) "/members" } { (one.organization.slug) } }
                            td data-label="Role" { (one.role.as_str()) }
                        }
                    }
                }
            }
        }
    }
}

fn password_form(who: &Administers, detail: &Detail, faults: &Faults) -> Markup {
    let password = Input {
        name: "password",
        label: "New password",
        kind: "password",
        hint: "Every session of the person ends. Tell it on a way that others do not see.",
        required: true,
        autocomplete: "new-password",
        ..Input::default()
    };
    html! {
        form class="form stack" method="post" action={ (BASE) "/" (detail.user.name) "/password" } {
            (csrf(&who.csrf))
            (password.markup(faults))
            div { button class="btn" { "Set the password" } }
        }
    }
}

/// What became of a change: a guard that holds is told on the page it was asked on.
fn answer(who: &Administers, name: &str, result: admin::Result<()>, done: String) -> Result<HttpResponse, PageError> {
    let flash = match result {
        Ok(()) => Flash { good: true, text: done },
        Err(admin::Error::Conflict(text) | admin::Error::Invalid(text)) => {
            Flash { good: false, text: format!("Nothing was changed: {text}.") }
        }
        Err(admin::Error::NotFound(_)) => return Err(who.not_found()),
        Err(error) => return Err(error.into()),
    };
    Ok(see_other(&format!("{BASE}/{name}"), Some(&flash)))
}

/// Takes the form that lets an account work again.
pub async fn enable(
    administrator: Administers,
    path: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let result = users::set_enabled(&state.appliance, &administrator.actor(), &path, true).await;
    answer(&administrator, &path, result, format!("“{path}” may sign in again, and the tokens work."))
}

/// Takes the form that makes somebody an administrator.
pub async fn promote(
    administrator: Administers,
    path: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let result = users::set_admin(&state.appliance, &administrator.actor(), &path, true).await;
    answer(&administrator, &path, result, format!("“{path}” administers this server from the next sign-in on."))
}

/// Takes the form that makes somebody no administrator.
pub async fn demote(
    administrator: Administers,
    path: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let result = users::set_admin(&state.appliance, &administrator.actor(), &path, false).await;
    answer(&administrator, &path, result, format!("“{path}” does not administer this server any more."))
}

/// Takes the form that takes a lost second factor away.
pub async fn reset_second_factor(
    administrator: Administers,
    path: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let result = users::reset_second_factor(&state.appliance, &administrator.actor(), &path).await;
    answer(&administrator, &path, result, format!("“{path}” signs in by the password alone until there is a new one."))
}

/// The field of the form with a new password.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct PasswordFields {
    password: SecretString,
}

/// Takes the form with a new password.
pub async fn password(
    administrator: Administers,
    path: web::Path<String>,
    Form(fields): Form<PasswordFields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let detail = find(&administrator, &state, &path).await?;
    let again = |faults: &Faults| page(&administrator, &state, &detail, faults, StatusCode::UNPROCESSABLE_ENTITY);
    if fields.password.expose_secret().is_empty() {
        return Ok(again(&Faults::of("password", "Type the new password")));
    }
    let set = users::set_password(&state.appliance, &administrator.actor(), &path, fields.password.clone()).await;
    match set {
        Ok(()) => {
            answer(&administrator, &path, Ok(()), format!("“{path}” has a new password, and no session any more."))
        }
        Err(error) => Ok(again(&faults_of(error, "password")?)),
    }
}

/// The fields of a page that asks whether somebody is sure.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Sure {
    confirmed: String,
    typed: String,
}

/// Takes the form that stops an account; the first time it asks.
pub async fn disable(
    administrator: Administers,
    path: web::Path<String>,
    Form(sure): Form<Sure>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let detail = find(&administrator, &state, &path).await?;
    if sure.confirmed == "yes" {
        let result = users::set_enabled(&state.appliance, &administrator.actor(), &path, false).await;
        return answer(&administrator, &path, result, format!("“{path}” is disabled."));
    }
    let here = format!("{BASE}/{path}");
    let confirmation = Confirmation {
        question: html! { "Disable " span class="mono" { (path) } "?" },
        lead: "The account stays with everything it has, and can be enabled again.",
        consequences: vec![
            ("Ends", html! { (counted(detail.sessions, "session", "sessions")) ", at once" }),
            ("Stops", html! { (counted(detail.tokens, "user token", "user tokens")) ", from the next request on" }),
        ],
        advice: None,
        typed: None,
        action: &format!("{here}/disable"),
        fields: Vec::new(),
        button: "Disable the account",
        back: (&here, "Keep it enabled"),
    };
    let content = confirmation.markup(&administrator.csrf, false);
    Ok(layout::page(&administrator.chrome(), Here::Users, "Disable an account", &content))
}

/// Answers `/admin/users/{user}/remove`, and takes its form.
pub async fn remove(
    administrator: Administers,
    path: web::Path<String>,
    sure: Option<Form<Sure>>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let detail = find(&administrator, &state, &path).await?;
    let sure = sure.map(|Form(sure)| sure).unwrap_or_default();
    let confirmed = sure.confirmed == "yes";
    if !confirmed || sure.typed.trim() != *path {
        return Ok(removal_page(&administrator, &detail, confirmed));
    }
    match users::remove(&state.appliance, &administrator.actor(), &path).await {
        Ok(()) => {
            let flash = Flash { good: true, text: format!("The account “{path}” is removed.") };
            Ok(see_other(BASE, Some(&flash)))
        }
        error => answer(&administrator, &path, error, String::new()),
    }
}

fn removal_page(who: &Administers, detail: &Detail, wrong: bool) -> HttpResponse {
    let name = &detail.user.name;
    let here = format!("{BASE}/{name}");
    let accounts = i64::try_from(detail.accounts.len()).unwrap_or(i64::MAX);
    let confirmation = Confirmation {
        question: html! { "Remove the account " span class="mono" { (name) } "?" },
        lead: "This cannot be undone. Whoever signs in by a platform gets a new account the next time, with nothing of this one.",
        consequences: vec![
            (
                "Ends",
                html! { (counted(detail.sessions, "session", "sessions")) ", and the membership in every team and organization" },
            ),
            (
                "Deletes",
                html! { (counted(detail.tokens, "user token", "user tokens")) " and the connection to " (counted(accounts, "platform account", "platform accounts")) },
            ),
            ("Keeps", html! { "What the person did stands in the audit log" }),
        ],
        advice: Some((
            Tone::Warn,
            html! {
                h2 { "Gentler: disable it" }
                p { "Nobody can sign in by it any more, nothing is lost, and nobody else gets the name." }
            },
        )),
        typed: Some(name),
        action: &format!("{here}/remove"),
        fields: Vec::new(),
        button: "Remove the account",
        back: (&here, "Keep it"),
    };
    let code = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let content = confirmation.markup(&who.csrf, wrong);
    layout::page_with(code, &who.chrome(), Here::Users, "Remove an account", &content)
}
