//! Accounts of platforms that somebody connects in a browser, to be used as credentials.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Credential, Kind, find, platform, update_users};
use crate::admin::{Actor, Error, Name, Result};
use crate::appliance::{Appliance, sealed_grant};
use crate::clock::Timestamp;
use crate::platform::{App, Connection, Granted, Identity, Reach};
use crate::store::accounts::Recorded;
use crate::store::connected_accounts::{self, ConnectedAccount, Renewed};
use crate::store::credentials;
use crate::store::ids::{CredentialId, OrgId};
use crate::store::{Tx, accounts};

/// What an account becomes the credential of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Becomes {
    /// A new one, with this name.
    New(String),
    /// One that was an account before.
    Again(CredentialId),
}

/// A connected account.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The credential's name.
    pub name: String,
    /// The name that the account had before, if it was another one.
    pub before: Option<String>,
}

/// Refuses what cannot be connected, before anybody is sent to a platform.
///
/// # Errors
/// If the name is taken or none, or the credential is gone or no account.
pub async fn require_connectable(appliance: &Appliance, org: OrgId, becomes: &Becomes) -> Result<()> {
    let becomes = becomes.clone();
    appliance.database.read(move |db| check(org, db, &becomes).map(drop)).await
}

fn check(org: OrgId, connection: &rusqlite::Connection, becomes: &Becomes) -> Result<Option<Credential>> {
    match becomes {
        Becomes::New(name) => {
            let name = Name::parse("a credential's name", name)?;
            match credentials::by_name(org, connection, name.as_str())? {
                None => Ok(None),
                Some(_) => Err(Error::conflict(format!(
                    "there is a credential `{}` already: use another name, or connect the account again on its page",
                    name.as_str()
                ))),
            }
        }
        Becomes::Again(id) => {
            let found = credentials::by_id(org, connection, *id)?;
            let found = found.filter(|row| Kind::parse(&row.kind).is_some_and(Kind::is_grant));
            found.map(Some).ok_or_else(|| Error::not_found("the credential was removed meanwhile"))
        }
    }
}

/// How a connected account of a credential was connected; none for other types.
///
/// # Errors
/// If the database cannot be read.
pub async fn account(appliance: &Appliance, org: OrgId, id: CredentialId) -> Result<Option<ConnectedAccount>> {
    Ok(appliance.database.read(move |db| connected_accounts::of(org, db, id)).await?)
}

/// Keeps the tokens of an account that came back from its platform. What used the credential before goes on with it.
///
/// # Errors
/// As [`require_connectable`]; then the tokens are given back.
pub async fn connect(
    appliance: &Appliance,
    actor: &Actor,
    org: OrgId,
    (becomes, reach): (Becomes, Reach),
    connection: &Connection,
    (identity, granted): (Identity, Granted),
) -> Result<Connected> {
    let access = granted.access.clone();
    let (actor, keys, now) = (actor.clone(), appliance.keys.clone(), appliance.now());
    let new = Arrived { app: connection.app().clone(), reach, identity, scopes: connection.scopes_to_connect(reach) };
    let stored = appliance
        .database
        .write(move |tx| {
            let found = check(org, tx, &becomes)?;
            let (id, name) = match (&found, becomes) {
                (Some(row), _) => (row.id, row.name.clone()),
                (None, Becomes::New(name)) => (new.insert(org, tx, &name, now)?, name),
                (None, Becomes::Again(_)) => return Err(Error::not_found("the credential was removed meanwhile")),
            };
            let sealed = sealed_grant(&keys, id, &granted, now);
            new.store(org, tx, id, &sealed, now)?;
            let before = found.and_then(|row| row.username).filter(|before| *before != new.identity.login);
            update_users(org, tx, id, now)?;
            platform::read_again(org, tx, id, now)?;
            actor.record(tx, Some(org), "credential.connect", &name, new.detail(before.as_deref()), now)?;
            Ok(Connected { name, before })
        })
        .await;
    if stored.is_err() {
        connection.disconnect(&access).await;
    }
    stored
}

/// An account that came back.
struct Arrived {
    app: App,
    reach: Reach,
    identity: Identity,
    scopes: Option<&'static [&'static str]>,
}

impl Arrived {
    fn kind(&self) -> Result<Kind> {
        Kind::grant_of(self.app.platform)
            .ok_or_else(|| Error::invalid(format!("accounts of {} cannot be connected for good", self.app.name)))
    }

    fn home(&self) -> Result<(String, u16)> {
        let host = self.app.url.host_str().zip(self.app.url.port_or_known_default());
        let (host, port) = host.ok_or_else(|| Error::invalid(format!("{} has no host", self.app.name)))?;
        Ok((host.to_owned(), port))
    }

    fn insert(&self, org: OrgId, tx: &Tx<'_>, name: &str, now: Timestamp) -> Result<CredentialId> {
        let (kind, (host, port)) = (self.kind()?, self.home()?);
        let row = credentials::New {
            name: name.to_owned(),
            kind: kind.as_str().to_owned(),
            host: Some(host),
            port: (port != kind.default_port()).then_some(port),
            username: None,
        };
        Ok(credentials::insert(org, tx, &row, now)?)
    }

    fn store(&self, org: OrgId, tx: &Tx<'_>, id: CredentialId, sealed: &Renewed, now: Timestamp) -> Result<()> {
        // A credential never moves to another host, also not with another account.
        let (kind, (host, port)) = (self.kind()?, self.home()?);
        let row = credentials::by_id(org, tx, id)?.ok_or_else(|| Error::not_found("the credential is gone"))?;
        if row.kind != kind.as_str() || row.host.as_deref() != Some(host.as_str()) || super::port(&row) != port {
            return Err(Error::conflict(format!(
                "the credential `{}` is for {}, and {} is elsewhere now: add a new one, and remove that one with it in its place",
                row.name,
                super::host(&row).unwrap_or_default(),
                self.app.name
            )));
        }
        let url = self.app.url.as_str().trim_end_matches('/').to_owned();
        let recorded = Recorded { platform: self.app.platform.as_str().to_owned(), url };
        accounts::record(tx, &self.app.id, &recorded, now)?;
        let account = ConnectedAccount {
            integration: self.app.id.clone(),
            subject: self.identity.subject.clone(),
            hooks: self.reach == Reach::Hooks,
            refresh: sealed.refresh.clone(),
            connected_at: now,
            obtained_at: sealed.obtained_at,
            ends_at: sealed.ends_at,
            refused_at: None,
        };
        connected_accounts::connect(org, tx, id, &account)?;
        credentials::set_secret(org, tx, id, &sealed.access, Some(now))?;
        credentials::set_username(org, tx, id, &self.identity.login)?;
        credentials::set_status(org, tx, id, "ok")?;
        Ok(())
    }

    fn detail(&self, before: Option<&str>) -> serde_json::Value {
        json!({
            "integration": self.app.id,
            "account": self.identity.login,
            "account_id": self.identity.subject,
            "before": before,
            "scopes": self.scopes,
        })
    }
}

/// Gives the tokens of an account back, whose credential is removed.
pub(super) async fn disconnect(appliance: &Appliance, org: OrgId, name: &str) -> Option<impl Future<Output = ()>> {
    let wanted = name.to_owned();
    let found = appliance.database.read(move |db| {
        let row = find(org, db, &wanted)?;
        Ok::<_, Error>((row.id, connected_accounts::of(org, db, row.id)?))
    });
    let (id, account) = found.await.ok()?;
    let connection = appliance.hubs.connection(&account?.integration)?.clone();
    let key = appliance.platform_key(org, id).await.ok()??;
    let token = key.secret.token().await.ok()?;
    Some(async move { connection.disconnect(&token).await })
}
