//! Bitbucket Cloud: bitbucket.org.
//!
//! What is odd about it:
//! - The API has a host of its own, `api.bitbucket.org`; anything else that is given as `url` has it below `/2.0`.
//! - Nobody has a stable name: `username` is gone from most answers, and `nickname` is neither unique nor a person's own
//!   for long. People are known by their `uuid`, which stands in braces.
//! - E-mail addresses need a call and a scope of their own. Where the scope is not ticked, a login works without.
//! - Nothing is said about PKCE. It is sent all the same, as other clients do: a server that does not know it must ignore
//!   it (RFC 6749, section 3.1).
//! - Tokens have grown to some thousand characters, and cannot be given back.
//! - A wrong token is told in plain text, and what was removed from the API with 410 and a number that begins `CHANGE-`.

mod api;
mod credential;
mod diagnosis;
mod groups;
mod hooks;
mod hosting;
mod identity;
mod people;
mod readers;
mod refusal;
mod repositories;
mod webhook;
mod wire;
mod workspace;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use oauth2::AuthType;
use secrecy::SecretString;
use url::Url;

use super::app::{App, Connection, below};
use super::code_flow::CodeFlow;
use super::connected::Reach;
use super::login::{Departure, Finding, Identity, Login, LoginError, Returned, Who};
use crate::clock::Timestamp;

/// Logging in with Bitbucket Cloud.
#[derive(Debug)]
pub(super) struct BitbucketCloud;

impl Login for BitbucketCloud {
    fn origins(&self, app: &App) -> Vec<Url> {
        vec![app.url.clone(), api(app)]
    }

    fn depart<'a>(
        &'a self,
        at: &'a Connection,
        callback: &'a Url,
        _who: Who,
    ) -> BoxFuture<'a, Result<Departure, LoginError>> {
        async move { flow(at.app()).depart(at.app(), callback) }.boxed()
    }

    fn identify<'a>(
        &'a self,
        at: &'a Connection,
        callback: &'a Url,
        returned: &'a Returned,
        keep: &'a SecretString,
    ) -> BoxFuture<'a, Result<Identity, LoginError>> {
        async move {
            let token = flow(at.app()).redeem(at, callback, returned, keep).await?;
            identity::of(at, &token).await
        }
        .boxed()
    }

    fn connecting(&self, app: &App, reach: Reach) -> Option<CodeFlow> {
        let scopes: &[&str] = match reach {
            Reach::Reading => &["account", "repository", "project"],
            Reach::Hooks => &["account", "repository", "project", "webhook"],
        };
        Some(CodeFlow { scopes, ..flow(app) })
    }

    fn owner<'a>(&'a self, at: &'a Connection, token: &'a SecretString) -> BoxFuture<'a, Result<Identity, LoginError>> {
        identity::of(at, token).boxed()
    }

    fn diagnose<'a>(&'a self, at: &'a Connection, callback: &'a Url, now: Timestamp) -> BoxFuture<'a, Vec<Finding>> {
        diagnosis::diagnose(at, callback, now).boxed()
    }
}

fn flow(app: &App) -> CodeFlow {
    CodeFlow {
        authorize: app.at("/site/oauth2/authorize"),
        token: app.at("/site/oauth2/access_token"),
        auth: AuthType::BasicAuth,
        scopes: &["account", "email"],
        pkce: true,
        extra: &[],
        renews_with_callback: false,
    }
}

/// The API's address, without a slash at the end.
fn api(app: &App) -> Url {
    api_of(&app.url)
}

/// The same for the address that browsers use.
fn api_of(web: &Url) -> Url {
    let mut url = below(web, "/2.0");
    if web.host_str() == Some("bitbucket.org") {
        // A host name stays one with a word in front.
        let _ = url.set_host(Some("api.bitbucket.org"));
    }
    url
}
