//! GitHub as a place of code and people.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use oauth2::http::StatusCode;
use url::Url;

use super::api::{Api, As, Ask, part, parts};
use super::installation::{self, Grant};
use super::wire::Repository;
use super::{GitHub, credential, hooks, hosts, organization, people, readers, refusal, webhook};
use crate::clock::Timestamp;
use crate::platform::event::{Delivery, Headers, Refused};
use crate::platform::hub::{
    Diagnosis, Fate, GitLogin, HookPlace, HookSecret, HookState, Hosting, Hub, HubError, Key, Site,
};
use crate::platform::remote::{Pages, RemoteOrganization, Wanted};

/// The user name of every token.
const GIT_USER: &str = "x-access-token";
/// How long to wait until Git's side knows a token that was just made.
const GIT_BIRTH: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

impl Hosting for GitHub {
    fn origins(&self, site: &Site) -> Vec<Url> {
        vec![site.url.clone(), hosts::api(&site.url)]
    }

    fn organization<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        wanted: &'a Wanted,
        pages: &'a mut Pages,
    ) -> BoxFuture<'a, Result<RemoteOrganization, HubError>> {
        organization::read(at, key, wanted, pages).boxed()
    }

    fn is_member<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        organization: &'a str,
        login: &'a str,
        id: &'a str,
    ) -> BoxFuture<'a, Result<bool, HubError>> {
        async move { people::is_member(&Api::new(at, key), organization, login, id).await }.boxed()
    }

    fn may_read<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        repository: (&'a str, &'a str),
        account: (&'a str, &'a str),
    ) -> BoxFuture<'a, Result<bool, HubError>> {
        async move { readers::may_read(&Api::new(at, key), repository.0, account).await }.boxed()
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
        path: Option<&'a str>,
    ) -> BoxFuture<'a, Result<GitLogin, HubError>> {
        git_login(at, key, path).boxed()
    }

    fn git_again(&self, at: &Hub, key: &Key, path: &str, is_unknown: bool, tries: usize) -> Option<Duration> {
        git_again(at, key, path, is_unknown, tries)
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

    fn has_own_hook(&self, key: &Key) -> bool {
        installation::is_app(key)
    }

    fn delivery_names(&self) -> &'static [&'static str] {
        &["x-github-delivery"]
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

/// What became of a repository. A path is only a name: who has it now may be another repository.
async fn fate(api: &Api<'_>, path: &str, id: &str) -> Result<Fate, HubError> {
    let ask = Ask::get(api.url(&format!("/repos/{}", parts(path))));
    let answer = api.ask(&ask).await?;
    if answer.status == StatusCode::NOT_FOUND {
        // GitHub says so also to a credential that has lost what it could see: that would show here.
        let owner = path.split('/').next().unwrap_or_default();
        let answer = api.ask(&Ask::get(api.url(&format!("/orgs/{}", part(owner))))).await?;
        return match answer.status {
            status if status.is_success() => Ok(Fate::Gone),
            _ => Err(refusal::of(api.hub.site(), api.key, As::Key, &answer, &format!("read the organization {owner}"))),
        };
    }
    if !answer.status.is_success() {
        return Err(refusal::of(api.hub.site(), api.key, As::Key, &answer, &format!("read the repository {path}")));
    }
    let found: Repository = api.json(&answer)?;
    Ok(match found.id.to_string() == id {
        false => Fate::Gone,
        true if found.full_name == path => Fate::There,
        true => Fate::Moved(found.full_name),
    })
}

/// What opens the code of the repository at `path`.
fn code_of(path: &str) -> Option<Grant> {
    let name = path.rsplit('/').next().map(|name| name.trim_end_matches(".git"));
    name.filter(|name| !name.is_empty()).map(|name| Grant::CodeOf(name.to_owned()))
}

/// A token of an installation is not known everywhere when it was just made, and ends early where somebody ends it.
fn git_again(at: &Hub, key: &Key, path: &str, is_unknown: bool, tries: usize) -> Option<Duration> {
    if !installation::is_app(key) {
        return None;
    }
    let purposes: Vec<_> = code_of(path).into_iter().chain([Grant::Code]).map(|grant| grant.purpose(key)).collect();
    if is_unknown && tries == 0 {
        purposes.iter().for_each(|purpose| at.minted().forget(purpose));
        return Some(Duration::ZERO);
    }
    let is_young = purposes.iter().any(|purpose| at.minted().has_young(purpose));
    // A repository that is not there looks the same as one that the token does not open yet.
    let (patience, waits) = if is_unknown { (&GIT_BIRTH[..], tries - 1) } else { (&GIT_BIRTH[..2], tries) };
    patience.get(waits).copied().filter(|_| is_young)
}

async fn git_login(at: &Hub, key: &Key, path: Option<&str>) -> Result<GitLogin, HubError> {
    let login = |secret, until| GitLogin { username: GIT_USER.to_owned(), secret, until };
    if !installation::is_app(key) {
        return Ok(login(key.secret.token().await?, None));
    }
    if let Some(grant) = path.and_then(code_of) {
        match installation::token(at, key, &grant).await {
            Ok(token) => return Ok(login(token.secret, Some(token.until))),
            // It was renamed, or is public and not one of the installation's.
            Err(HubError::Forbidden { missing, .. }) if !missing.is_empty() => {}
            Err(error) => return Err(error),
        }
    }
    let token = installation::token(at, key, &Grant::Code).await?;
    Ok(login(token.secret, Some(token.until)))
}
