//! Bitbucket Data Center as a place of code and people.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use oauth2::http::StatusCode;
use url::Url;

use super::api::{Api, Ask, is_basic, of_repository, part};
use super::wire::Repository;
use super::{BitbucketDataCenter, credential, hooks, project, rights, webhook};
use crate::clock::Timestamp;
use crate::platform::event::{Delivery, Headers, Refused};
use crate::platform::hub::{
    Diagnosis, Fate, GitLogin, HookPlace, HookSecret, HookState, Hosting, Hub, HubError, Key, Site,
};
use crate::platform::remote::{Pages, RemoteOrganization, Wanted};

impl Hosting for BitbucketDataCenter {
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
        project::read(at, key, wanted, pages).boxed()
    }

    fn announces_every_push(&self) -> bool {
        // After failed deliveries it skips a hook for hours, and never tells what it did not.
        false
    }

    fn is_member<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        organization: &'a str,
        login: &'a str,
        id: &'a str,
    ) -> BoxFuture<'a, Result<bool, HubError>> {
        async move {
            let api = Api::new(at, key);
            believed(&api, rights::is_member(&api, organization, login, id).await?)
        }
        .boxed()
    }

    fn may_read<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        repository: (&'a str, &'a str),
        account: (&'a str, &'a str),
    ) -> BoxFuture<'a, Result<bool, HubError>> {
        async move {
            let api = Api::new(at, key);
            believed(&api, rights::is_reader(&api, repository.0, account).await?)
        }
        .boxed()
    }

    fn fate<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        path: &'a str,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Fate, HubError>> {
        async move {
            let api = Api::new(at, key);
            believed(&api, fate(&api, path, id).await?)
        }
        .boxed()
    }

    fn git_login<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        _path: Option<&'a str>,
    ) -> BoxFuture<'a, Result<GitLogin, HubError>> {
        git_login(at, key).boxed()
    }

    fn diagnose<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        organization: Option<&'a str>,
        _now: Timestamp,
    ) -> BoxFuture<'a, Diagnosis> {
        credential::diagnose(at, key, organization).boxed()
    }

    fn ensure_hook<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        place: &'a HookPlace,
    ) -> BoxFuture<'a, Result<HookState, HubError>> {
        async move { hooks::ensure(&Api::new(at, key), place).await }.boxed()
    }

    fn told_all<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        place: &'a HookPlace,
        since: Timestamp,
    ) -> BoxFuture<'a, Result<bool, HubError>> {
        async move { hooks::told_all(&Api::new(at, key).sparing(true), place, since).await }.boxed()
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

/// What was told to the credential, and not to nobody: who is nobody is told of nothing, and nothing may be concluded of that.
fn believed<T>(api: &Api<'_>, told: T) -> Result<T, HubError> {
    let nobody = || HubError::Unsupported(format!("{} does not say who asks (header X-AUSERNAME).", api.name()));
    api.caller().map(|_| told).ok_or_else(nobody)
}

/// What became of a repository. A path is only a name: who has it now may be another repository.
async fn fate(api: &Api<'_>, path: &str, id: &str) -> Result<Fate, HubError> {
    let what = format!("read the repository {path}");
    let answer = api.ask(&Ask::get(api.url(&of_repository(path)))).await?;
    let error = match answer.status {
        status if status.is_success() => {
            let found: Repository = api.line.json(&answer)?;
            return Ok(match found.id.to_string() == id {
                false => Fate::Gone,
                true if found.path() == path => Fate::There,
                true => Fate::Moved(found.path()),
            });
        }
        _ => api.refused(&answer, &what),
    };
    // It says so also to a credential that has lost what it could see: that would show here.
    let is_gone = answer.status == StatusCode::NOT_FOUND || matches!(error, HubError::Forbidden { .. });
    if !is_gone {
        return Err(error);
    }
    let key = path.split('/').next().unwrap_or_default();
    let url = api.url(&format!("/projects/{}", part(key)));
    api.answered(&Ask::get(url), &format!("read the project {key}")).await.map(|_| Fate::Gone)
}

/// Tokens of projects and repositories are taken as `Bearer` alone, and those of people as that too: Git gets them so. A
/// password is shown only after the API has taken it, for one that is wrong locks the account after some packages.
async fn git_login(at: &Hub, key: &Key) -> Result<GitLogin, HubError> {
    let username = match key.username.clone().filter(|_| is_basic(key)) {
        Some(username) => {
            let api = Api::new(at, key);
            match api.answered(&Ask::get(api.url("/users?limit=1")), "use it").await {
                Ok(_) | Err(HubError::Forbidden { .. }) => username,
                Err(error) => return Err(error),
            }
        }
        None => String::new(),
    };
    Ok(GitLogin { username, secret: key.secret.token().await?, until: None })
}
