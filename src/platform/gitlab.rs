//! GitLab: gitlab.com and self-managed.
//!
//! What is odd about it:
//! - A server may stand below a path (`https://corp.example/gitlab`), which everything has in front of it.
//! - Callback addresses are compared exactly, at both steps, and a wrong one never comes back to us: GitLab shows a page.
//! - User names and e-mail addresses change hands: people are known by their number.
//! - Bots (of project and group tokens, service accounts) are users; only `bot` and `state` tell.
//! - An address counts as the person's only with `confirmed_at`.
//! - Whatever the credential may not see is said to be not there.
//! - Membership of a group is inherited by its subgroups, and groups are let into groups and projects with a limit.
//! - What is to be deleted is renamed first, and is there for days.

mod api;
mod credential;
mod diagnosis;
mod group;
mod hooks;
mod hosting;
mod identity;
mod invited;
mod levels;
mod people;
mod projects;
mod readers;
mod refusal;
mod rotation;
mod secrets;
mod webhook;
mod wire;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use oauth2::AuthType;
use secrecy::SecretString;
use url::Url;

use super::app::{App, Connection};
use super::code_flow::{CodeFlow, give_back};
use super::connected::Reach;
use super::login::{Departure, Finding, Identity, Login, LoginError, Returned, Who};
use crate::clock::Timestamp;

/// Logging in with GitLab.
#[derive(Debug)]
pub(super) struct GitLab;

impl Login for GitLab {
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
            let identity = identity::of(at, &token).await;
            give_back(at, &at.app().at("/oauth/revoke"), &token).await;
            identity
        }
        .boxed()
    }

    fn connecting(&self, app: &App, reach: Reach) -> Option<CodeFlow> {
        let scopes: &[&str] = match reach {
            // To read the API clones nothing, and to clone reads no API.
            Reach::Reading => &["read_api", "read_repository"],
            Reach::Hooks => &["api", "read_api", "read_repository"],
        };
        Some(CodeFlow { scopes, ..flow(app) })
    }

    fn gives_back_at(&self, app: &App) -> Option<Url> {
        Some(app.at("/oauth/revoke"))
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
        authorize: app.at("/oauth/authorize"),
        token: app.at("/oauth/token"),
        // In a body and not in the address, which ends in logs.
        auth: AuthType::RequestBody,
        scopes: &["read_user"],
        pkce: true,
        extra: &[],
        renews_with_callback: true,
    }
}

#[cfg(test)]
#[path = "gitlab/hub_tests.rs"]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod hub_tests;
