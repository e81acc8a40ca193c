//! The accounts on platforms that a person signs in by, and the password beside them.

use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};

use super::{back, day, refused};
use crate::admin::{self, accounts};
use crate::http::State;
use crate::http::auth::{self, Purpose, Stopped};
use crate::http::local_path::LocalPath;
use crate::http::page_error::PageError;
use crate::http::pages::layout::{Confirmation, Here, csrf, page};
use crate::http::visitor::SignedIn;
use crate::store::accounts::Account;
use crate::store::ids::AccountId;

/// The section of the profile.
pub(super) async fn section(state: &State, who: &SignedIn) -> Result<Markup, PageError> {
    let connected = accounts::list(&state.appliance, who.user.id).await?;
    let integrations = &state.settings.integrations;
    let offered = integrations.iter().filter(|one| one.connection.is_some());
    let missing: Vec<_> =
        offered.filter(|one| !connected.iter().any(|account| account.integration == one.id)).collect();
    Ok(html! {
        section aria-labelledby="h-a" {
            h2 id="h-a" { "Ways to sign in" }
            table class="table" {
                caption class="sr" { "Connected accounts and the password" }
                thead { tr {
                    th scope="col" { "Platform" } th scope="col" { "Account" } th scope="col" class="nowrap" { "Since" }
                    th scope="col" class="act" { span class="sr" { "Actions" } }
                } }
                tbody {
                    @for account in &connected { (row(state, account)) }
                    @for one in &missing {
                        tr {
                            th scope="row" { b { (one.name) } }
                            td data-label="Account" { span class="muted" { "not connected; you do not see packages that only " (one.name) " grants" } }
                            td data-label="Since" class="nowrap" {}
                            td class="act" {
                                form method="post" action={ "/profile/accounts/" (one.id) "/connect" } {
                                    (csrf(&who.csrf))
                                    button class="btn small" { "Connect" span class="sr" { " " (one.name) } }
                                }
                            }
                        }
                    }
                    tr {
                        th scope="row" { b { "Password" } }
                        td data-label="Account" {
                            @if who.user.password_set_at.is_some() { "of the account " span class="mono" { (who.user.name) } }
                            @else { span class="muted" { "none" } }
                        }
                        td data-label="Since" class="nowrap" { (who.user.password_set_at.map(day).unwrap_or_default()) }
                        td class="act" {
                            a class="btn small" href="/profile/password" {
                                @if who.user.password_set_at.is_some() { "Change" } @else { "Set" } span class="sr" { " the password" }
                            }
                        }
                    }
                }
            }
            @if !integrations.is_empty() {
                p class="muted small gap" { "Two accounts are never joined because their names or addresses are alike; only you can connect them, here." }
            }
        }
    })
}

fn row(state: &State, account: &Account) -> Markup {
    let name = state.integration_name(&account.integration);
    html! {
        tr {
            th scope="row" { b { (name) } }
            td data-label="Account" { span class="mono" { (account.login) } ", id " (account.subject) }
            td data-label="Since" class="nowrap" { (account.connected_at.map(day).unwrap_or_default()) }
            td class="act" {
                a class="btn small" href={ "/profile/accounts/" (account.id) "/disconnect" } { "Disconnect" span class="sr" { " " (name) } }
            }
        }
    }
}

/// Answers `POST /profile/accounts/{integration}/connect`: a page that leads to the platform, because a form may not.
pub(in crate::http) async fn connect(
    request: HttpRequest,
    state: web::Data<State>,
    who: SignedIn,
    id: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let integration = state.integration(&id).ok_or_else(|| who.not_found())?;
    let purpose = Purpose::Connect(who.user.id, who.session.id);
    let next = LocalPath::parse("/profile").unwrap_or_else(LocalPath::home);
    let (url, cookies) = match auth::set_out(&request, &state, integration, purpose, &next).await {
        Ok(way) => way,
        Err(Stopped::Login(error)) => return Ok(refused(format!("Not connected: {error}."))),
        Err(Stopped::Page(error)) => return Err(error),
    };
    let content = html! {
        div class="narrow stack" {
            h1 { "Continue at " (integration.name) }
            p { "Sign in there as the account that shall be yours here. " (integration.name) " then sends you back." }
            div class="row" {
                a class="btn primary" href=(url) rel="noreferrer" { "Continue to " (integration.name) }
                a class="btn" href="/profile" { "Connect nothing" }
            }
        }
    };
    let mut response = page(&who.chrome(), Here::Elsewhere, "Connect an account", &content);
    for cookie in cookies {
        // A cookie of ours fits into a header.
        let _ = response.add_cookie(&cookie);
    }
    Ok(response)
}

/// Answers `GET /profile/accounts/{account}/disconnect`.
pub(in crate::http) async fn ask(
    state: web::Data<State>,
    who: SignedIn,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    let all = accounts::list(&state.appliance, who.user.id).await?;
    let account = all.iter().find(|account| account.id == AccountId(*id)).ok_or_else(|| who.not_found())?;
    let name = state.integration_name(&account.integration);
    let action = format!("/profile/accounts/{}/disconnect", account.id);
    let confirmation = Confirmation {
        question: html! { "Disconnect " span class="mono" { (account.login) } " of " (name) "?" },
        lead: "Your account there is not touched. You can connect it again.",
        consequences: vec![
            ("Stops", html! { "You see no packages that only " (name) " grants, and sign in by it no more" }),
            ("Ends", html! { "The sessions that began with it, in all browsers" }),
        ],
        advice: None,
        typed: None,
        action: &action,
        fields: Vec::new(),
        button: "Disconnect the account",
        back: ("/profile", "Keep it"),
    };
    Ok(page(&who.chrome(), Here::Elsewhere, "Disconnect an account", &confirmation.markup(&who.csrf, false)))
}

/// Answers `POST /profile/accounts/{account}/disconnect`.
pub(in crate::http) async fn disconnect(
    state: web::Data<State>,
    who: SignedIn,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    match accounts::disconnect(&state.appliance, &who.actor(), &who.user, AccountId(*id)).await {
        Ok(gone) => Ok(back(format!("Your account {} is disconnected.", gone.login))),
        Err(admin::Error::Conflict(text) | admin::Error::NotFound(text)) => Ok(refused(format!("Not done: {text}."))),
        Err(error) => Err(error.into()),
    }
}
