//! Bitbucket Cloud as a place of code and people.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use oauth2::http::StatusCode;
use url::Url;

use super::api::{Api, Ask, part};
use super::identity::subject;
use super::wire::Repository;
use super::{BitbucketCloud, api_of, credential, hooks, people, readers, refusal, repositories, webhook, workspace};
use crate::clock::Timestamp;
use crate::platform::answer::printable;
use crate::platform::event::{Delivery, Headers, Refused};
use crate::platform::hub::{
    Diagnosis, Fate, GitLogin, HookPlace, HookSecret, HookState, Hosting, Hub, HubError, Key, Site,
};
use crate::platform::remote::{ChosenProject, Pages, RemoteOrganization, Wanted};
use crate::platform::rest::Lists;

impl Hosting for BitbucketCloud {
    fn origins(&self, site: &Site) -> Vec<Url> {
        vec![site.url.clone(), api_of(&site.url)]
    }

    fn organization<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        wanted: &'a Wanted,
        pages: &'a mut Pages,
    ) -> BoxFuture<'a, Result<RemoteOrganization, HubError>> {
        workspace::read(at, key, wanted, pages).boxed()
    }

    fn admits<'a>(&'a self, at: &'a Hub, key: &'a Key, organization: &'a str) -> BoxFuture<'a, Result<(), HubError>> {
        credential::admits(at, key, organization).boxed()
    }

    fn projects<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        organization: &'a str,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<ChosenProject>, HubError>> {
        async move { repositories::projects(&Api::new(at, key), organization, keys).await }.boxed()
    }

    fn by_addresses<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        organization: &'a str,
        addresses: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<(String, String)>, HubError>> {
        async move { people::by_addresses(&Api::new(at, key), organization, addresses).await }.boxed()
    }

    fn announces_every_push(&self) -> bool {
        // What is too long for it is not delivered, and nobody is told.
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
        repository: (&'a str, &'a str),
        account: (&'a str, &'a str),
    ) -> BoxFuture<'a, Result<bool, HubError>> {
        async move { readers::asked(&Api::new(at, key), repository, account.1).await }.boxed()
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
        at: &'a Hub,
        key: &'a Key,
        _path: Option<&'a str>,
    ) -> BoxFuture<'a, Result<GitLogin, HubError>> {
        credential::git_login(at, key).boxed()
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

    fn delivery_names(&self) -> &'static [&'static str] {
        &webhook::NAMES
    }

    fn read_webhook(
        &self,
        headers: &Headers,
        body: &[u8],
        secret: &HookSecret,
        _now: Timestamp,
    ) -> Result<Delivery, Refused> {
        webhook::read(headers, body, &secret.secret)
    }
}

/// Whether an account is a member of a workspace, asked directly.
async fn is_member(api: &Api<'_>, workspace: &str, id: &str) -> Result<bool, HubError> {
    let path = format!("/workspaces/{}/members/{}", part(workspace), part(id));
    let answer = api.ask(&Ask::get(api.url(&path))).await?;
    match answer.status {
        status if status.is_success() => Ok(true),
        StatusCode::NOT_FOUND => require_workspace(api, workspace).await.map(|()| false),
        _ => Err(refusal::of(api.name(), api.key, &answer, &format!("read the members of {workspace}"))),
    }
}

/// That there is nothing Bitbucket says also to a credential that has lost what it could see: that shows here.
async fn require_workspace(api: &Api<'_>, workspace: &str) -> Result<(), HubError> {
    let ask = Ask::get(api.url(&format!("/workspaces/{}", part(workspace))));
    api.answered(&ask, &format!("read the workspace {workspace}")).await.map(drop)
}

/// Most characters that are kept of a path.
const LONGEST_PATH: usize = 200;
/// What stands for a workspace in the address of a repository that is asked for by its `uuid` alone.
const ANY_WORKSPACE: &str = "{}";

/// What became of a repository, which is asked for by its `uuid`: where it was, and then anywhere. A repository of another
/// workspace is shown only to those who may read it there; to others it is as if there were none.
async fn fate(api: &Api<'_>, path: &str, id: &str) -> Result<Fate, HubError> {
    let workspace = path.split('/').next().unwrap_or_default();
    if let Some(found) = by_uuid(api, workspace, id, path).await? {
        // Under whatever name it has there now.
        return Ok(if is_in(&found, workspace) {
            Fate::There
        } else {
            Fate::Moved(printable(&found.full_name, LONGEST_PATH))
        });
    }
    require_workspace(api, workspace).await?;
    Ok(match by_uuid(api, ANY_WORKSPACE, id, path).await {
        Ok(Some(found)) if is_in(&found, workspace) => Fate::There,
        Ok(Some(found)) => Fate::Moved(printable(&found.full_name, LONGEST_PATH)),
        Err(error @ (HubError::RateLimited { .. } | HubError::Unavailable(_) | HubError::Unauthorized(_))) => {
            return Err(error);
        }
        Ok(None) | Err(_) => Fate::Gone,
    })
}

fn is_in(found: &Repository, workspace: &str) -> bool {
    found.full_name.split('/').next().is_some_and(|own| own.eq_ignore_ascii_case(workspace))
}

/// The repository of that `uuid`; None: there is none there.
async fn by_uuid(api: &Api<'_>, workspace: &str, id: &str, path: &str) -> Result<Option<Repository>, HubError> {
    let ask = Ask::get(api.url(&format!("/repositories/{}/{}", part(workspace), part(id))));
    let answer = api.ask(&ask).await?;
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    if !answer.status.is_success() {
        return Err(refusal::of(api.name(), api.key, &answer, &format!("read the repository {path}")));
    }
    let found: Repository = api.line.json(&answer)?;
    Ok((subject(&found.uuid).as_deref() == Some(id)).then_some(found))
}
