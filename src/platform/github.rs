//! GitHub: github.com, tenants of GHE.com, and GitHub Enterprise Server.
//!
//! What is odd about it:
//! - The token address answers errors with status 200, and as a form unless JSON is asked for.
//! - The API is on a host of its own (`api.github.com`), but below `/api/v3` on a server of one's own.
//! - PKCE is there on github.com and GHE.com only; an Enterprise Server does not know it.
//! - A person who once granted more keeps having granted it: what is asked for is the least that is got.
//! - An Enterprise Server in private mode answers the unknown with 401 and a page.
//! - Tokens of an OAuth App never expire, so we take ours back ourselves.
//! - Logins are renamed, and given to others: people are known by their number.

mod api;
mod app_key;
mod credential;
mod diagnosis;
mod hooks;
mod hosting;
mod hosts;
mod identity;
mod installation;
pub mod manifest;
mod organization;
mod people;
mod readers;
mod reading;
mod refusal;
mod repositories;
mod scopes;
mod teams;
mod webhook;
mod wire;

pub use app_key::{InvalidAppKey, check_app_key};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use oauth2::AuthType;
use secrecy::SecretString;
use url::Url;

use super::app::{App, Connection, below};
use super::code_flow::CodeFlow;
use super::login::{Departure, Finding, Identity, Login, LoginError, Returned, Who};
use crate::clock::Timestamp;

/// What the API answers to; the second is for proxies and checkers that know only what GitHub's description declares.
const ACCEPT: &str = "application/vnd.github+json, application/json;q=0.9";

/// Logging in with GitHub, by an OAuth App or a GitHub App.
#[derive(Debug)]
pub(super) struct GitHub;

impl Login for GitHub {
    fn origins(&self, app: &App) -> Vec<Url> {
        vec![app.url.clone(), hosts::api(&app.url)]
    }

    fn depart<'a>(
        &'a self,
        at: &'a Connection,
        callback: &'a Url,
        who: Who,
    ) -> BoxFuture<'a, Result<Departure, LoginError>> {
        async move { flow(at.app(), who).depart(at.app(), callback) }.boxed()
    }

    fn identify<'a>(
        &'a self,
        at: &'a Connection,
        callback: &'a Url,
        returned: &'a Returned,
        keep: &'a SecretString,
    ) -> BoxFuture<'a, Result<Identity, LoginError>> {
        async move {
            let token = flow(at.app(), Who::Current).redeem(at, callback, returned, keep).await?;
            let identity = identity::of(at, &token).await;
            identity::take_back(at, &token).await;
            identity
        }
        .boxed()
    }

    fn owner<'a>(&'a self, at: &'a Connection, token: &'a SecretString) -> BoxFuture<'a, Result<Identity, LoginError>> {
        identity::of(at, token).boxed()
    }

    fn diagnose<'a>(&'a self, at: &'a Connection, _callback: &'a Url, now: Timestamp) -> BoxFuture<'a, Vec<Finding>> {
        diagnosis::diagnose(at, now).boxed()
    }
}

fn flow(app: &App, who: Who) -> CodeFlow {
    CodeFlow {
        authorize: app.at("/login/oauth/authorize"),
        token: app.at("/login/oauth/access_token"),
        auth: AuthType::RequestBody,
        // A GitHub App ignores them: what it may read stands in its own settings.
        scopes: &["read:user", "user:email"],
        pkce: hosts::is_cloud(&app.url),
        extra: match who {
            // Whoever has no account there yet has no package here either.
            Who::Current => &[("allow_signup", "false")],
            Who::Chosen => &[("allow_signup", "false"), ("prompt", "select_account")],
        },
        renews_with_callback: false,
    }
}

/// An address of the API.
fn api(app: &App, path: &str) -> Url {
    below(&hosts::api(&app.url), path)
}

#[cfg(test)]
#[path = "github/hub_tests.rs"]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod hub_tests;
