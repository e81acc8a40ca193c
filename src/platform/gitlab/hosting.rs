//! GitLab as a place of code and people.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use oauth2::http::StatusCode;
use secrecy::SecretString;
use url::Url;

use super::api::{Api, Ask};
use super::levels::Rule;
use super::people::standing;
use super::wire::{Group, Member, Project};
use super::{GitLab, credential, group, hooks, refusal, rotation, secrets, webhook};
use crate::clock::Timestamp;
use crate::platform::event::{Delivery, EnteredSecrets, Headers, Refused};
use crate::platform::hub::{
    Diagnosis, Fate, GitLogin, HookPlace, HookSecret, HookState, Hosting, Hub, HubError, Key, Site,
};
use crate::platform::lifetime::{Life, Successor};
use crate::platform::remote::{Pages, RemoteOrganization, Wanted};
use crate::platform::rest::Lists;

/// The user name of every token.
const GIT_USER: &str = "oauth2";

impl Hosting for GitLab {
    fn origins(&self, site: &Site) -> Vec<Url> {
        vec![site.url.clone()]
    }

    fn organization<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        wanted: &'a Wanted,
        pages: &'a mut Pages,
    ) -> BoxFuture<'a, Result<RemoteOrganization, HubError>> {
        group::read(at, key, wanted, pages).boxed()
    }

    fn admits<'a>(&'a self, at: &'a Hub, key: &'a Key, organization: &'a str) -> BoxFuture<'a, Result<(), HubError>> {
        credential::admits(at, key, organization).boxed()
    }

    fn announces_every_push(&self) -> bool {
        // One push of many branches or tags calls no hook.
        false
    }

    fn is_member<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        organization: &'a str,
        _login: &'a str,
        id: &'a str,
    ) -> BoxFuture<'a, Result<bool, HubError>> {
        async move { is_member(&Api::new(at, key), organization, id).await }.boxed()
    }

    fn may_read<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        (path, repository): (&'a str, &'a str),
        (_, account): (&'a str, &'a str),
    ) -> BoxFuture<'a, Result<bool, HubError>> {
        async move { may_read(&Api::new(at, key), path, repository, account).await }.boxed()
    }

    fn fate<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        path: &'a str,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Fate, HubError>> {
        async move { fate(&Api::new(at, key), path, id).await }.boxed()
    }

    fn git_login<'a>(
        &'a self,
        _at: &'a Hub,
        key: &'a Key,
        _path: Option<&'a str>,
    ) -> BoxFuture<'a, Result<GitLogin, HubError>> {
        async move {
            // A connected account's own name is none that its tokens go with.
            let username = key.username.clone().filter(|_| !credential::is_grant(key));
            let username = username.unwrap_or_else(|| GIT_USER.to_owned());
            Ok(GitLogin { username, secret: key.secret.token().await?, until: None })
        }
        .boxed()
    }

    fn diagnose<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        organization: Option<&'a str>,
        now: Timestamp,
    ) -> BoxFuture<'a, Diagnosis> {
        credential::diagnose(at, key, organization, now).boxed()
    }

    fn life<'a>(&'a self, at: &'a Hub, key: &'a Key) -> BoxFuture<'a, Result<Life, HubError>> {
        rotation::life(at, key).boxed()
    }

    fn rotate<'a>(&'a self, at: &'a Hub, key: &'a Key, lasts: Duration) -> BoxFuture<'a, Result<Successor, HubError>> {
        rotation::rotate(at, key, lasts).boxed()
    }

    fn ensure_hook<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        place: &'a HookPlace,
    ) -> BoxFuture<'a, Result<HookState, HubError>> {
        async move { hooks::ensure(&Api::new(at, key), place).await }.boxed()
    }

    fn remove_hook<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        place: &'a HookPlace,
    ) -> BoxFuture<'a, Result<(), HubError>> {
        async move { hooks::remove(&Api::new(at, key), place).await }.boxed()
    }

    fn has_own_hook(&self, _key: &Key) -> bool {
        false
    }

    fn entered_secrets(&self, secret: &SecretString) -> Option<EnteredSecrets> {
        let (token, signing_token) = (secrets::token_of(secret), secrets::signing_token_of(secret));
        Some(EnteredSecrets { token, signing_token })
    }

    fn delivery_names(&self) -> &'static [&'static str] {
        &["webhook-id", "idempotency-key", "x-gitlab-event-uuid"]
    }

    fn read_webhook(
        &self,
        headers: &Headers,
        body: &[u8],
        secret: &HookSecret,
        now: Timestamp,
    ) -> Result<Delivery, Refused> {
        webhook::read(headers, body, secret, now)
    }
}

/// Whether an account is in a group or in one below it, asked of each group for the account alone.
async fn is_member(api: &Api<'_>, organization: &str, id: &str) -> Result<bool, HubError> {
    let root = group::find(api, organization).await?;
    let path = format!("/groups/{}/descendant_groups?all_available=true&order_by=id&sort=asc&per_page=100", root.id);
    let below: Vec<Group> = api.list(&path, &format!("list the subgroups of {organization}")).await?;
    for group in std::iter::once(&root).chain(&below) {
        let ask = Ask::get(api.url(&format!("/groups/{}/members/all/{}", group.id, super::api::part(id))));
        let answer = api.ask(&ask).await?;
        match answer.status {
            status if status.is_success() => {
                let member: Member = api.line.json(&answer)?;
                // By the same rule as whoever is listed.
                if member.id.to_string() == id && standing(&member, api.hub.now()).is_some() {
                    return Ok(true);
                }
            }
            StatusCode::NOT_FOUND => {}
            _ => {
                let what = format!("read the members of {}", group.full_path);
                return Err(refusal::of(api.name(), &answer, &what));
            }
        }
    }
    Ok(false)
}

/// Whether an account reads the code of a private project by whatever way. In doubt it does: planners, and who is shut out.
async fn may_read(api: &Api<'_>, path: &str, repository: &str, account: &str) -> Result<bool, HubError> {
    let (project, person) = (super::api::part(repository), super::api::part(account));
    let what = format!("read the members of {path}");
    let answer = api.ask(&Ask::get(api.url(&format!("/projects/{project}/members/all/{person}")))).await?;
    if answer.status.is_success() {
        let member: Member = api.line.json(&answer)?;
        let is_one = member.id.to_string() == account;
        return Ok(is_one && standing(&member, api.hub.now()).is_some_and(|it| it.reads(Rule { planners: true })));
    }
    if answer.status == StatusCode::NOT_FOUND {
        // It says so of the project, too.
        let there = api.ask(&Ask::get(api.url(&format!("/projects/{project}")))).await?;
        if there.status.is_success() {
            return Ok(false);
        }
    }
    Err(refusal::of(api.name(), &answer, &what))
}

/// What became of a project, which is asked for by its number. That there is none, GitLab says also of what the credential
/// may not see any more.
async fn fate(api: &Api<'_>, path: &str, id: &str) -> Result<Fate, HubError> {
    let answer = api.ask(&Ask::get(api.url(&format!("/projects/{}", super::api::part(id))))).await?;
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(Fate::Gone);
    }
    if !answer.status.is_success() {
        return Err(refusal::of(api.name(), &answer, &format!("read the project {path}")));
    }
    let found: Project = api.line.json(&answer)?;
    let (now, _) = group::undeleted(&found.path_with_namespace);
    Ok(if now == path { Fate::There } else { Fate::Moved(now) })
}
