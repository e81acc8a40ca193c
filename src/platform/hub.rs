//! A platform as a place of code and people: what synchronizations, credentials and webhooks ask of it. What differs between
//! platforms hides behind [`Hosting`], in one directory each.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use url::Url;

use super::event::{Delivery, EnteredSecrets, Headers, Refused};
pub use super::hook::{HookPlace, HookSecret, HookState};
use super::kind::PlatformKind;
use super::known::Known;
use super::lifetime::{self, Life, Successor};
use super::login::Finding;
use super::minted::Minted;
use super::pace::Pace;
pub use super::remote::Fate;
use super::remote::{ChosenProject, Pages, RemoteOrganization, Wanted};
use super::secret::Secret;
use super::{bitbucket_cloud, bitbucket_datacenter, github, gitlab};
use crate::clock::{Clock, Timestamp};
use crate::outbound::{self, PlatformClient, SetupFailed};

/// Longest answer that is read, in bytes. A page of a hundred repositories has about a twentieth of that.
const LONGEST_PAGE: usize = 16 << 20;

/// A platform that is registered as an integration, whether or not people log in by it.
#[derive(Clone, Debug)]
pub struct Site {
    /// The integration's name in addresses and commands.
    pub id: String,
    /// The platform.
    pub platform: PlatformKind,
    /// The platform's address as browsers use it; a path in it stays in front of everything.
    pub url: Url,
    /// What people call it.
    pub name: String,
    /// Whether an account there is taken for that of whoever has the same verified e-mail address here.
    pub link_by_email: bool,
    /// The GitHub App that the configuration names. What is used is [`Hub::app`].
    pub app: Option<AppKey>,
}

/// A GitHub App of ours.
#[derive(Clone)]
pub struct AppKey {
    /// Its number.
    pub id: u64,
    /// RSA key, PEM.
    pub private_key: SecretString,
    /// Its name in addresses.
    pub slug: Option<String>,
    /// What signs its webhooks.
    pub webhook_secret: Option<SecretString>,
}

/// The key is nobody's business.
impl fmt::Debug for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppKey").field("id", &self.id).field("slug", &self.slug).finish_non_exhaustive()
    }
}

/// What we show to a platform to be let in: a credential, opened.
#[derive(Clone, Debug)]
pub struct Key {
    /// The credential's row: what rate limits and installation tokens are kept by.
    pub credential: i64,
    /// Changes with the secret, so that nothing is kept of the one before.
    pub generation: i64,
    /// Its type, in the contract's words: `github-token`, `github-app`, …
    pub kind: String,
    /// The user name that belongs to it. For `github-app`: the installation, and before it the App's number where that is not
    /// the integration's (`APP/INSTALLATION`).
    pub username: Option<String>,
    /// The secret, or who knows the token of this moment. For `github-app` the App's private key; empty where the integration
    /// has it.
    pub secret: Secret,
}

/// What Git shows to open a repository over HTTPS.
#[derive(Clone, Debug)]
pub struct GitLogin {
    /// The user name; empty where the secret is no password but a bearer token.
    pub username: String,
    /// The password.
    pub secret: SecretString,
    /// When it stops working.
    pub until: Option<Timestamp>,
}

/// What a test of a credential found.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    /// In sentences: what is there, what is missing and what that is needed for.
    pub findings: Vec<Finding>,
    /// Whether the platform accepts it at all; None: that could not be found out.
    pub accepted: Option<bool>,
    /// When it stops working, where the platform tells.
    pub expires_at: Option<Timestamp>,
}

/// Why a platform did not do what it was asked. Each text says what to do; none holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// The credential is wrong, expired or revoked: it must not be shown again.
    #[error("{0}")]
    Unauthorized(String),
    /// The credential is right and may not.
    #[error("{text}")]
    Forbidden {
        /// What is said to people.
        text: String,
        /// The permissions that are missing, in the platform's words.
        missing: Vec<String>,
    },
    /// Somebody there has shut the credential out, and may let it in again any moment.
    #[error("{0}")]
    Suspended(String),
    /// There is no such thing, or none that the credential may see.
    #[error("{0}")]
    NotFound(String),
    /// The platform wants us to come back later.
    #[error("{text}")]
    RateLimited {
        /// What is said to people.
        text: String,
        /// When to come back.
        until: Timestamp,
    },
    /// It does not answer, or something else does in its place.
    #[error("{0}")]
    Unavailable(String),
    /// Its answer makes no sense, or is cut off.
    #[error("{0}")]
    Malformed(String),
    /// This platform cannot do that.
    #[error("{0}")]
    Unsupported(String),
    /// The platform does not want to call this server, at whatever place it is asked to.
    #[error("{0}")]
    Unwanted(String),
}

/// What every platform can do. Implementations hold no state; whoever calls goes through [`Hub`].
pub trait Hosting: Send + Sync {
    /// The addresses that calls go to, of which only scheme, host and port count.
    fn origins(&self, site: &Site) -> Vec<Url>;

    /// As [`Hub::organization`].
    fn organization<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        wanted: &'a Wanted,
        pages: &'a mut Pages,
    ) -> BoxFuture<'a, Result<RemoteOrganization, HubError>>;

    /// As [`Hub::admits`].
    fn admits<'a>(
        &'a self,
        _at: &'a Hub,
        _key: &'a Key,
        _organization: &'a str,
    ) -> BoxFuture<'a, Result<(), HubError>> {
        Box::pin(async { Ok(()) })
    }

    /// As [`Hub::projects`].
    fn projects<'a>(
        &'a self,
        at: &'a Hub,
        _key: &'a Key,
        _organization: &'a str,
        _keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<ChosenProject>, HubError>> {
        let text = format!("{} has no projects to choose from: leave them out.", at.site().name);
        Box::pin(async move { Err(HubError::Unsupported(text)) })
    }

    /// As [`Hub::by_addresses`].
    fn by_addresses<'a>(
        &'a self,
        at: &'a Hub,
        _key: &'a Key,
        _organization: &'a str,
        _addresses: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<(String, String)>, HubError>> {
        let text = format!("{} does not tell whose an e-mail address is.", at.site().name);
        Box::pin(async move { Err(HubError::Unsupported(text)) })
    }

    /// As [`Hub::announces_every_push`].
    fn announces_every_push(&self) -> bool {
        true
    }

    /// As [`Hub::is_member`].
    fn is_member<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        organization: &'a str,
        login: &'a str,
        id: &'a str,
    ) -> BoxFuture<'a, Result<bool, HubError>>;

    /// As [`Hub::may_read`].
    fn may_read<'a>(
        &'a self,
        at: &'a Hub,
        _key: &'a Key,
        _repository: (&'a str, &'a str),
        _account: (&'a str, &'a str),
    ) -> BoxFuture<'a, Result<bool, HubError>> {
        let text = format!("{} does not tell of one person alone what they read.", at.site().name);
        Box::pin(async move { Err(HubError::Unsupported(text)) })
    }

    /// As [`Hub::fate`].
    fn fate<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        path: &'a str,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Fate, HubError>>;

    /// As [`Hub::git_login`].
    fn git_login<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        path: Option<&'a str>,
    ) -> BoxFuture<'a, Result<GitLogin, HubError>>;

    /// As [`Hub::git_again`]; logins that we did not make are final.
    fn git_again(&self, _at: &Hub, _key: &Key, _path: &str, _is_unknown: bool, _tries: usize) -> Option<Duration> {
        None
    }

    /// As [`Hub::diagnose`].
    fn diagnose<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        organization: Option<&'a str>,
        now: Timestamp,
    ) -> BoxFuture<'a, Diagnosis>;

    /// As [`Hub::life`].
    fn life<'a>(&'a self, at: &'a Hub, _key: &'a Key) -> BoxFuture<'a, Result<Life, HubError>> {
        Box::pin(async { Err(lifetime::unsupported(at.site())) })
    }

    /// As [`Hub::rotate`].
    fn rotate<'a>(
        &'a self,
        at: &'a Hub,
        _key: &'a Key,
        _lasts: Duration,
    ) -> BoxFuture<'a, Result<Successor, HubError>> {
        Box::pin(async { Err(lifetime::unsupported(at.site())) })
    }

    /// As [`Hub::ensure_hook`].
    fn ensure_hook<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        place: &'a HookPlace,
    ) -> BoxFuture<'a, Result<HookState, HubError>>;

    /// As [`Hub::told_all`].
    fn told_all<'a>(
        &'a self,
        _at: &'a Hub,
        _key: &'a Key,
        _place: &'a HookPlace,
        _since: Timestamp,
    ) -> BoxFuture<'a, Result<bool, HubError>> {
        Box::pin(async { Ok(false) })
    }

    /// As [`Hub::remove_hook`].
    fn remove_hook<'a>(
        &'a self,
        at: &'a Hub,
        key: &'a Key,
        place: &'a HookPlace,
    ) -> BoxFuture<'a, Result<(), HubError>>;

    /// Whether the key's deliveries come by themselves, as those of a GitHub App, so that no hook is to be installed.
    fn has_own_hook(&self, key: &Key) -> bool;

    /// As [`Hub::read_webhook`].
    fn read_webhook(
        &self,
        headers: &Headers,
        body: &[u8],
        secret: &HookSecret,
        now: Timestamp,
    ) -> Result<Delivery, Refused>;

    /// As [`Hub::entered_secrets`].
    fn entered_secrets(&self, _secret: &SecretString) -> Option<EnteredSecrets> {
        None
    }

    /// As [`Hub::delivery_name`]: the headers that may have it, the best first.
    fn delivery_names(&self) -> &'static [&'static str];
}

/// A platform, and the client that reaches it and nothing else. Clones share connections, limits and installation tokens.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    site: Site,
    client: PlatformClient,
    clock: Clock,
    hosting: &'static dyn Hosting,
    pace: Pace,
    minted: Minted,
    known: Known,
    /// When what was done last that is not to be done often. Written by whoever does it; a lock, because that is rare.
    done: Mutex<HashMap<String, Timestamp>>,
    /// The GitHub App that is used: the configuration's, or one that was made here. Written at the start and when somebody makes
    /// or forgets one, read by every request; a cell, so that neither waits for a restart.
    app: ArcSwapOption<AppKey>,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hub").field(&self.0.site).finish()
    }
}

/// What a platform can do beyond logins; none for those that this version does not synchronize.
fn hosting(platform: PlatformKind) -> Option<&'static dyn Hosting> {
    match platform {
        PlatformKind::GitHub => Some(&github::GitHub),
        PlatformKind::GitLab => Some(&gitlab::GitLab),
        PlatformKind::BitbucketCloud => Some(&bitbucket_cloud::BitbucketCloud),
        PlatformKind::BitbucketDataCenter => Some(&bitbucket_datacenter::BitbucketDataCenter),
    }
}

impl Hub {
    /// Makes a hub of a platform; nothing is sent yet. None for a platform that this version does not synchronize.
    ///
    /// # Errors
    /// [`SetupFailed`] when certificates or proxy of the settings are unusable.
    pub fn new(site: Site, outbound: &outbound::Settings, clock: Clock) -> Result<Option<Self>, SetupFailed> {
        let Some(hosting) = hosting(site.platform) else { return Ok(None) };
        let client = PlatformClient::new(outbound, &hosting.origins(&site))?.reading(LONGEST_PAGE);
        let (pace, minted, known) = (Pace::default(), Minted::default(), Known::default());
        let app = ArcSwapOption::from(site.app.clone().map(Arc::new));
        let done = Mutex::default();
        Ok(Some(Self(Arc::new(Inner { site, client, clock, hosting, pace, minted, known, done, app }))))
    }

    /// The platform.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.0.site
    }

    /// The GitHub App that is registered here.
    #[must_use]
    pub fn app(&self) -> Option<Arc<AppKey>> {
        self.0.app.load_full()
    }

    /// Uses another GitHub App from now on, or none; one that the configuration names stays.
    pub fn set_app(&self, app: Option<AppKey>) {
        if self.site().app.is_none() {
            self.0.app.store(app.map(Arc::new));
            self.0.minted.clear();
        }
    }

    /// Whether a key is one of the App that is registered here.
    #[must_use]
    pub fn has_app_of(&self, key: &Key) -> bool {
        let named = key.username.as_deref().and_then(|name| name.split_once('/')).map(|(app, _)| app);
        let own = self.app().map(|app| app.id.to_string());
        own.is_some_and(|own| named.is_none_or(|named| named == own))
    }

    /// What time it is.
    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// What sends.
    pub(super) fn client(&self) -> &PlatformClient {
        &self.0.client
    }

    /// How fast credentials may be used.
    pub(super) fn pace(&self) -> &Pace {
        &self.0.pace
    }

    /// Tokens that we made.
    pub(super) fn minted(&self) -> &Minted {
        &self.0.minted
    }

    /// What a platform tells everybody alike.
    pub(super) fn known(&self) -> &Known {
        &self.0.known
    }

    /// Whether something is to be done that is not to be done more often than that; if so, it counts as done.
    pub(super) fn is_due(&self, what: &str, every: Duration) -> bool {
        let now = self.now();
        let mut done = self.0.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.retain(|_, at| *at + every > now);
        let is_due = !done.contains_key(what);
        if is_due {
            done.insert(what.to_owned(), now);
        }
        is_due
    }

    /// Whether an organization can be read with a key at all, as far as the platform tells before it is read.
    ///
    /// # Errors
    /// [`HubError`] with what is missing.
    pub async fn admits(&self, key: &Key, organization: &str) -> Result<(), HubError> {
        self.0.hosting.admits(self, key, organization).await
    }

    /// The projects of an organization with these keys, where its repositories belong to projects.
    ///
    /// # Errors
    /// [`HubError`]; `NotFound` names the first that there is none of.
    pub async fn projects(
        &self,
        key: &Key,
        organization: &str,
        keys: &[String],
    ) -> Result<Vec<ChosenProject>, HubError> {
        self.0.hosting.projects(self, key, organization, keys).await
    }

    /// Which members of an organization have these verified e-mail addresses: each address with the account's id.
    ///
    /// # Errors
    /// [`HubError`]; most credentials may not ask.
    pub async fn by_addresses(&self, key: &Key, org: &str, all: &[String]) -> Result<Vec<(String, String)>, HubError> {
        self.0.hosting.by_addresses(self, key, org, all).await
    }

    /// Whether the platform tells of every push: if not, refs are compared in each run that reads everything.
    #[must_use]
    pub fn announces_every_push(&self) -> bool {
        self.0.hosting.announces_every_push()
    }

    /// Reads an organization completely. What `wanted` does not ask for again may come from `pages`, which has everything
    /// that was read afterwards.
    ///
    /// # Errors
    /// [`HubError`]: nothing may be concluded then, whatever was read before.
    pub async fn organization(
        &self,
        key: &Key,
        wanted: &Wanted,
        pages: &mut Pages,
    ) -> Result<RemoteOrganization, HubError> {
        self.0.hosting.organization(self, key, wanted, pages).await
    }

    /// Whether an account is a member of an organization, asked directly, for lists may be cut short.
    ///
    /// # Errors
    /// [`HubError`] where the platform does not say.
    pub async fn is_member(&self, key: &Key, organization: &str, login: &str, id: &str) -> Result<bool, HubError> {
        self.0.hosting.is_member(self, key, organization, login, id).await
    }

    /// Whether an account (login and id) may read a repository (path and id) that not everybody may, asked directly.
    ///
    /// # Errors
    /// [`HubError`] where the platform does not say.
    pub async fn may_read(&self, key: &Key, repository: (&str, &str), account: (&str, &str)) -> Result<bool, HubError> {
        self.0.hosting.may_read(self, key, repository, account).await
    }

    /// What became of a repository that lists do not show any more.
    ///
    /// # Errors
    /// [`HubError`] where the platform does not say.
    pub async fn fate(&self, key: &Key, path: &str, id: &str) -> Result<Fate, HubError> {
        self.0.hosting.fate(self, key, path, id).await
    }

    /// What Git shows to open the repository at `path`, such as `acme/lib`, and no other where the platform can tell them
    /// apart; None: any repository that the credential may read.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn git_login(&self, key: &Key, path: Option<&str>) -> Result<GitLogin, HubError> {
        self.0.hosting.git_login(self, key, path).await
    }

    /// What to do where Git was not let in with what [`Self::git_login`] gave: wait so long, and ask for a login again. None:
    /// that was the platform's last word. `is_unknown`: the login was not known, while else it opens nothing at `path`;
    /// `tries`: how often this said to wait before.
    #[must_use]
    pub fn git_again(&self, key: &Key, path: &str, is_unknown: bool, tries: usize) -> Option<Duration> {
        self.0.hosting.git_again(self, key, path, is_unknown, tries)
    }

    /// What a credential can and cannot do, for an organization or in general.
    pub async fn diagnose(&self, key: &Key, organization: Option<&str>) -> Diagnosis {
        self.0.hosting.diagnose(self, key, organization, self.now()).await
    }

    /// How long a token lives that may put another one in its place.
    ///
    /// # Errors
    /// [`HubError`]; `Forbidden` and `Unsupported` for one that may not.
    pub async fn life(&self, key: &Key) -> Result<Life, HubError> {
        self.0.hosting.life(self, key).await
    }

    /// Puts another token in the place of a key's, for so long or what the platform allows. From then on nobody may show the
    /// old one: who does may have stolen it, and platforms end the new one too.
    ///
    /// # Errors
    /// [`HubError`]. `Unavailable` and `Malformed` leave it open whether there is another one that nobody has; with every other
    /// the old one stays.
    pub async fn rotate(&self, key: &Key, lasts: Duration) -> Result<Successor, HubError> {
        self.0.hosting.rotate(self, key, lasts).await
    }

    /// Installs a hook, or sees to it that it is as it should be: address, secret, events, switched on.
    ///
    /// # Errors
    /// [`HubError`]; `Forbidden` and `NotFound` where the credential may not.
    pub async fn ensure_hook(&self, key: &Key, place: &HookPlace) -> Result<HookState, HubError> {
        self.0.hosting.ensure_hook(self, key, place).await
    }

    /// Whether the platform says that every delivery to an organization's hook since then was taken: only of platforms that do
    /// not announce every push, as after failures.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn told_all(&self, key: &Key, place: &HookPlace, since: Timestamp) -> Result<bool, HubError> {
        self.0.hosting.told_all(self, key, place, since).await
    }

    /// Removes a hook; one that is gone already is removed.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn remove_hook(&self, key: &Key, place: &HookPlace) -> Result<(), HubError> {
        self.0.hosting.remove_hook(self, key, place).await
    }

    /// Whether the key's deliveries come by themselves.
    #[must_use]
    pub fn has_own_hook(&self, key: &Key) -> bool {
        self.0.hosting.has_own_hook(key)
    }

    /// Reads a delivery after checking its signature on the bytes as they came.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn read_webhook(&self, headers: &Headers, body: &[u8], secret: &HookSecret) -> Result<Delivery, Refused> {
        self.0.hosting.read_webhook(headers, body, secret, self.now())
    }

    /// What an administrator of the platform enters for a hook that tells of all of it and has this secret; none where there
    /// are no such hooks.
    #[must_use]
    pub fn entered_secrets(&self, secret: &SecretString) -> Option<EnteredSecrets> {
        let own = self.site().url.as_str().trim_end_matches('/');
        let is_public = self.site().platform.public_url() == Some(own);
        self.0.hosting.entered_secrets(secret).filter(|_| !is_public)
    }

    /// What a delivery is called by its headers, whether or not its body can be read.
    #[must_use]
    pub fn delivery_name<'a>(&self, headers: &'a Headers) -> Option<&'a str> {
        self.0.hosting.delivery_names().iter().find_map(|name| headers.get(name))
    }
}
