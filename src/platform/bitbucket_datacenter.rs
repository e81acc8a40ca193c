//! Bitbucket Data Center, and Bitbucket Server before it.
//!
//! What is odd about it:
//! - A server may stand below a path (`https://corp.example/bitbucket`), which everything has in front of it.
//! - OAuth 2.0 came with 7.20; older servers have application links by OAuth 1.0a alone. Id and secret go into the body.
//! - A code lives for ten seconds: it is redeemed while the browser waits.
//! - Nothing tells who asks but the header `X-AUSERNAME` of every answer. It holds the name, percent-encoded, where the
//!   API's addresses want the slug; a proxy may remove it.
//! - Names and slugs change hands: people are known by their number, which stays the same for OAuth 1 and 2.
//! - Tokens of projects and repositories act as users of the type `SERVICE`.
//! - E-mail addresses come from directories, and nobody has confirmed them.
//! - 401 means that a right is missing as often as that a token is wrong, and the API redirects to its login page.
//! - Tokens are taken only below `/rest` by current servers: a question elsewhere counts as a failed login there.
//! - Passwords that are wrong lock the account after a few tries, for its owner too: one that was refused is not shown again.
//! - Lists have neither ETags nor dates, and go on at a number that the page tells. A group is known by its name alone.
//! - Whoever lost the licence is let in nowhere, and what was given to them stays written, as active as before.
//! - Webhooks tell of pushes and new names, and of nothing else: not of new repositories, people or permissions.
//! - After failed deliveries a webhook is skipped for up to ten hours, and what it did not tell is never told.

mod access;
mod api;
mod credential;
mod diagnosis;
mod hooks;
mod hosting;
mod identity;
pub(super) mod oauth1;
mod project;
mod reading;
mod refusal;
mod repositories;
mod rights;
mod webhook;
mod wire;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use oauth2::AuthType;
use secrecy::SecretString;
use url::Url;

use super::app::{App, Connection, LoginApp};
use super::code_flow::{CodeFlow, give_back};
use super::connected::Reach;
use super::login::{Departure, Finding, Identity, Login, LoginError, Returned, Who};
use crate::clock::Timestamp;
use access::Access;
use oauth1::Consumer;

/// Bitbucket Data Center.
#[derive(Debug)]
pub(super) struct BitbucketDataCenter;

impl Login for BitbucketDataCenter {
    fn depart<'a>(
        &'a self,
        at: &'a Connection,
        callback: &'a Url,
        _who: Who,
    ) -> BoxFuture<'a, Result<Departure, LoginError>> {
        async move {
            match at.app().login {
                LoginApp::OAuth2 { .. } => flow(at.app()).depart(at.app(), callback),
                LoginApp::OAuth1 { .. } => oauth1::depart(at, callback).await,
            }
        }
        .boxed()
    }

    fn identify<'a>(
        &'a self,
        at: &'a Connection,
        callback: &'a Url,
        returned: &'a Returned,
        keep: &'a SecretString,
    ) -> BoxFuture<'a, Result<Identity, LoginError>> {
        async move {
            let access = match at.app().login {
                LoginApp::OAuth2 { .. } => Access::Bearer(flow(at.app()).redeem(at, callback, returned, keep).await?),
                LoginApp::OAuth1 { .. } => {
                    let consumer = Consumer::of(at.app())?;
                    let token = oauth1::redeem(at, &consumer, returned).await?;
                    Access::Signed(consumer, token)
                }
            };
            let identity = identity::of(at, &access).await;
            if let Access::Bearer(token) = &access {
                give_back(at, &at.app().at("/rest/oauth2/latest/revoke"), token).await;
            }
            identity
        }
        .boxed()
    }

    fn connecting(&self, app: &App, reach: Reach) -> Option<CodeFlow> {
        let scopes: &[&str] = match reach {
            Reach::Reading => &["REPO_READ"],
            Reach::Hooks => &["PROJECT_ADMIN"],
        };
        matches!(app.login, LoginApp::OAuth2 { .. }).then(|| CodeFlow { scopes, ..flow(app) })
    }

    fn gives_back_at(&self, app: &App) -> Option<Url> {
        Some(app.at("/rest/oauth2/latest/revoke"))
    }

    fn owner<'a>(&'a self, at: &'a Connection, token: &'a SecretString) -> BoxFuture<'a, Result<Identity, LoginError>> {
        async move { identity::of(at, &Access::Bearer(token.clone())).await }.boxed()
    }

    fn diagnose<'a>(&'a self, at: &'a Connection, callback: &'a Url, now: Timestamp) -> BoxFuture<'a, Vec<Finding>> {
        diagnosis::diagnose(at, callback, now).boxed()
    }
}

fn flow(app: &App) -> CodeFlow {
    CodeFlow {
        authorize: app.at("/rest/oauth2/latest/authorize"),
        token: app.at("/rest/oauth2/latest/token"),
        // In a body and not in the address, which ends in logs.
        auth: AuthType::RequestBody,
        // The least there is: it shows what everybody sees, and who asks.
        scopes: &["PUBLIC_REPOS"],
        pkce: true,
        extra: &[],
        renews_with_callback: true,
    }
}
