//! Connected accounts, whose tokens are renewed while work goes on.
//!
//! A renewal ends the tokens before it, so there is one at a time for each account, whoever waits for it takes what it
//! brought, and nobody uses that before it is stored. It goes on when whoever asked for it has gone: an answer that nobody
//! stores is an account that has to be connected again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::Appliance;
use crate::clock::Timestamp;
use crate::platform::{Connection, Grant, Granted, HubError, LoginError};
use crate::secrets::{Context, KeyRing, open, seal};
use crate::store::connected_accounts::{self, ConnectedAccount, Renewed};
use crate::store::ids::{CredentialId, OrgId};
use crate::store::{self, audit, credentials};

/// How long before its end a token is renewed: work that begins with it wants to get on with it.
const MARGIN: Duration = Duration::from_secs(5 * 60);
/// How young a token is that no renewal helps when it is refused: the account itself may not any more.
const YOUTH: Duration = Duration::from_secs(60);
/// How long after a renewal that did not come about the next one is tried.
const PAUSE: Duration = Duration::from_secs(5);
/// The same after one that the platform does not do for our app, until somebody changes something about that.
const LONG_PAUSE: Duration = Duration::from_secs(10 * 60);
/// How often a renewal is begun anew because somebody else stored other tokens meanwhile.
const ATTEMPTS: usize = 2;

/// One place for each account whose tokens were renewed. A lock, because look-ups are short.
#[derive(Clone, Debug, Default)]
pub(super) struct Grants(Arc<Mutex<HashMap<CredentialId, Place>>>);

/// Held while tokens are renewed, across the request: an async mutex.
type Place = Arc<tokio::sync::Mutex<Held>>;

/// What a renewal leaves to the next one.
#[derive(Debug, Default)]
struct Held {
    /// Tokens that came and could not be stored: nobody has them but we. Before them, when their account was connected.
    unsaved: Option<(Timestamp, Granted)>,
    /// Why it did not come about, and until when the next one waits.
    failed: Option<(Timestamp, HubError)>,
    /// Whether it was said that our app is not accepted.
    is_told: bool,
}

impl Grants {
    fn place(&self, id: CredentialId) -> Place {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(places.entry(id).or_default())
    }
}

/// Where the access token of an account is sealed.
pub(super) const fn access(id: CredentialId) -> Context {
    Context { table: "credential", column: "secret", row_id: id.0 }
}

const fn refresh(id: CredentialId) -> Context {
    Context { table: "connected_account", column: "refresh", row_id: id.0 }
}

/// The tokens of an account as they are stored.
#[must_use]
pub fn sealed(keys: &KeyRing, id: CredentialId, granted: &Granted, now: Timestamp) -> Renewed {
    Renewed {
        access: seal(keys, access(id), &granted.access),
        refresh: granted.refresh.as_ref().map(|token| seal(keys, refresh(id), token)),
        obtained_at: now,
        ends_at: granted.lasts.map(|lasts| now + lasts),
    }
}

/// An account, as a key's secret.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) appliance: Appliance,
    pub(super) org: OrgId,
    pub(super) id: CredentialId,
}

/// What is stored of an account.
struct Found {
    name: String,
    login: String,
    account: ConnectedAccount,
    token: SecretString,
}

impl Grant for Account {
    fn token<'a>(&'a self, refused: Option<&'a SecretString>) -> BoxFuture<'a, Result<SecretString, HubError>> {
        async move {
            let found = self.find().await?;
            if found.is_good(refused, self.appliance.now()) {
                return Ok(found.token);
            }
            found.require_connected(&self.appliance)?;
            let (own, refused) = (self.clone(), refused.cloned());
            let renewing = tokio::spawn(async move { own.renew(refused.as_ref()).await });
            renewing.await.unwrap_or_else(|_| Err(HubError::Unavailable("The server is being stopped.".to_owned())))
        }
        .boxed()
    }
}

impl Account {
    async fn find(&self) -> Result<Found, HubError> {
        let (org, id) = (self.org, self.id);
        let unavailable = |error: String| HubError::Unavailable(format!("A credential cannot be opened: {error}."));
        let read = self.appliance.database.read(move |db| {
            let row = credentials::by_id(org, db, id)?;
            let account = connected_accounts::of(org, db, id)?;
            Ok::<_, store::Error>(row.zip(account).zip(credentials::secret(org, db, id)?))
        });
        let found = read.await.map_err(|error| unavailable(error.to_string()))?;
        let ((row, account), sealed) =
            found.ok_or_else(|| HubError::Unauthorized("The credential was removed meanwhile.".to_owned()))?;
        let token = open(&self.appliance.keys, access(id), &sealed).map_err(|error| unavailable(error.to_string()))?;
        Ok(Found { name: row.name, login: row.username.unwrap_or_default(), account, token })
    }

    /// Renews the tokens, unless somebody else just did.
    async fn renew(&self, refused: Option<&SecretString>) -> Result<SecretString, HubError> {
        let place = self.appliance.grants.place(self.id);
        let mut held = place.lock().await;
        if let Some((connected_at, granted)) = held.unsaved.take() {
            self.save(&mut held, connected_at, granted).await?;
        }
        for _ in 0..ATTEMPTS {
            let found = self.find().await?;
            if found.is_good(refused, self.appliance.now()) {
                return Ok(found.token);
            }
            found.require_connected(&self.appliance)?;
            let now = self.appliance.now();
            if let Some((_, error)) = held.failed.as_ref().filter(|(until, _)| now < *until) {
                return found.last_use(refused, self.appliance.now(), error.clone());
            }
            let Some(sealed) = found.account.refresh.as_deref() else { return self.refuse(&found).await };
            let token = open(&self.appliance.keys, refresh(self.id), sealed);
            let token = token.map_err(|error| HubError::Unavailable(format!("{error}.")))?;
            let (connection, callback) = self.way(&found)?;
            match connection.renew(&callback, &token).await {
                Ok(granted) => {
                    (held.failed, held.is_told) = (None, false);
                    if let Some(token) = self.save(&mut held, found.account.connected_at, granted).await? {
                        return Ok(token);
                    }
                }
                Err(LoginError::Stale { .. }) => {
                    // Somebody may have connected it again meanwhile.
                    if self.find().await?.account.refresh == found.account.refresh {
                        return self.refuse(&found).await;
                    }
                }
                Err(error @ LoginError::App { .. }) => {
                    let error = found.unrenewed(&error);
                    if !std::mem::replace(&mut held.is_told, true) {
                        self.tell_of_app(&found, &error).await?;
                    }
                    held.failed = Some((self.appliance.now() + LONG_PAUSE, error.clone()));
                    return found.last_use(refused, self.appliance.now(), error);
                }
                Err(error) => {
                    let error = found.unrenewed(&error);
                    tracing::warn!(credential = found.name, %error, "The tokens of a connected account were not renewed.");
                    held.failed = Some((self.appliance.now() + PAUSE, error.clone()));
                    return found.last_use(refused, self.appliance.now(), error);
                }
            }
        }
        Err(HubError::Unavailable("The account is being connected again at this moment.".to_owned()))
    }

    /// Stores what came. Nobody may use it before. None: the account was connected again meanwhile.
    async fn save(
        &self,
        held: &mut Held,
        connected_at: Timestamp,
        granted: Granted,
    ) -> Result<Option<SecretString>, HubError> {
        let (org, id) = (self.org, self.id);
        let new = sealed(&self.appliance.keys, id, &granted, self.appliance.now());
        let write = move |tx: &store::Tx<'_>| {
            let is_same = connected_accounts::renewed(org, tx, id, connected_at, &new)?;
            if is_same {
                credentials::set_status(org, tx, id, "ok")?;
            }
            Ok::<_, store::Error>(is_same)
        };
        match self.appliance.database.write(write).await {
            Ok(is_same) => Ok(is_same.then_some(granted.access)),
            Err(error) => {
                held.unsaved = Some((connected_at, granted));
                Err(HubError::Unavailable(format!("New tokens of a connected account cannot be stored: {error}.")))
            }
        }
    }

    /// The app that alone can renew the tokens.
    fn way(&self, found: &Found) -> Result<(Connection, Url), HubError> {
        let id = &found.account.integration;
        let missing = || {
            HubError::Unauthorized(format!(
                "The account {} of the credential `{}` was connected by the integration `{id}`, which is not in config.toml \
                 any more, or has no `client_id`: its tokens cannot be renewed. Add it again, or use another credential.",
                found.login, found.name
            ))
        };
        let connection = self.appliance.hubs.connection(id).ok_or_else(missing)?;
        let callback = Url::parse(&super::callback(id, &self.appliance.settings.public_url)).map_err(|_| missing())?;
        Ok((connection.clone(), callback))
    }

    /// The platform renews nothing any more. It is said once.
    async fn refuse(&self, found: &Found) -> Result<SecretString, HubError> {
        let (org, id, now) = (self.org, self.id, self.appliance.now());
        let refresh = found.account.refresh.clone();
        let entry = self.refusal(found, "invalid_grant");
        let written = self.appliance.database.write(move |tx| {
            let is_news = connected_accounts::refused(org, tx, id, refresh.as_deref(), now)?;
            if is_news {
                credentials::set_status(org, tx, id, "refused")?;
                audit::append(tx, &entry, now)?;
            }
            Ok::<_, store::Error>(is_news)
        });
        let is_news = written.await.map_err(|error| HubError::Unavailable(format!("{error}.")))?;
        if is_news {
            tracing::error!(
                organization.id = org.0,
                credential = found.name,
                "An account has to be connected again: the platform does not renew its tokens any more."
            );
        }
        Err(found.lost(&self.appliance))
    }

    /// The platform does not accept our app, or does not let it do this. It is said once, until it does again.
    async fn tell_of_app(&self, found: &Found, error: &HubError) -> Result<(), HubError> {
        let (org, id, now) = (self.org, self.id, self.appliance.now());
        let entry = self.refusal(found, "app");
        let written = self.appliance.database.write(move |tx| {
            credentials::set_status(org, tx, id, "refused")?;
            audit::append(tx, &entry, now)
        });
        written.await.map_err(|error| HubError::Unavailable(format!("{error}.")))?;
        tracing::error!(
            organization.id = org.0,
            credential = found.name,
            %error,
            "The tokens of a connected account are not renewed any more until somebody changes something."
        );
        Ok(())
    }

    fn refusal(&self, found: &Found, reason: &str) -> audit::Entry {
        audit::Entry {
            org: Some(self.org),
            actor: "renewal".to_owned(),
            action: "credential.refused",
            subject: found.name.clone(),
            detail: serde_json::json!({ "credential": self.id, "reason": reason }),
            via: audit::Via::System,
            address: None,
        }
    }
}

impl Found {
    /// Whether the token is to be shown as it is.
    fn is_good(&self, refused: Option<&SecretString>, now: Timestamp) -> bool {
        if self.account.refused_at.is_some() {
            return false;
        }
        if self.is(refused) {
            return now.since(self.account.obtained_at) < YOUTH && !self.is_over(now);
        }
        let Some(end) = self.account.ends_at else { return true };
        // Somebody's tokens live for a minute: they are used for half of it.
        let life = end.since(self.account.obtained_at);
        now + MARGIN.min(life / 2) < end
    }

    fn is(&self, refused: Option<&SecretString>) -> bool {
        refused.is_some_and(|refused| refused.expose_secret() == self.token.expose_secret())
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.account.ends_at.is_some_and(|end| end <= now)
    }

    /// The old token, where it works for a while yet, although no new one came.
    fn last_use(
        self,
        refused: Option<&SecretString>,
        now: Timestamp,
        error: HubError,
    ) -> Result<SecretString, HubError> {
        if self.is_over(now) || self.is(refused) { Err(error) } else { Ok(self.token) }
    }

    fn require_connected(&self, appliance: &Appliance) -> Result<(), HubError> {
        if self.account.refused_at.is_some() { Err(self.lost(appliance)) } else { Ok(()) }
    }

    fn lost(&self, appliance: &Appliance) -> HubError {
        let (name, login) = (&self.name, &self.login);
        let connection = appliance.hubs.connection(&self.account.integration);
        let platform = connection.map_or(self.account.integration.as_str(), |connection| &connection.app().name);
        HubError::Unauthorized(format!(
            "The account {login} of {platform} has to be connected again: {platform} does not renew the tokens of the \
             credential `{name}` any more, as after a password was changed, the grant was taken back, or an answer was lost. \
             Open the credential's page and choose \"Connect it again\"; what uses it goes on by itself then."
        ))
    }

    fn unrenewed(&self, error: &LoginError) -> HubError {
        let text = match error {
            LoginError::Unavailable { name, reason } | LoginError::Malformed { name, reason } => {
                format!("{name} did not renew the tokens of the credential `{}`: {reason}.", self.name)
            }
            // Nothing becomes of it until somebody has changed something.
            LoginError::App { name, reason } => {
                return HubError::Unauthorized(format!(
                    "{name} does not renew the tokens of the credential `{}`: {reason}. What uses it goes on by itself then.",
                    self.name
                ));
            }
            other => format!("The tokens of the credential `{}` were not renewed: {other}.", self.name),
        };
        HubError::Unavailable(text)
    }
}
