//! Credentials of platforms: where they are at home, and which organization here an installation of a GitHub App belongs to.

use secrecy::{ExposeSecret, SecretString};

use super::super::{Actor, Error, Result};
use super::Kind;
use crate::appliance::Appliance;
use crate::clock::Timestamp;
use crate::platform::{Hub, Key, PlatformKind, Site, check_app_key};
use crate::secrets::random;
use crate::store::accounts::Recorded;
use crate::store::credentials::Credential;
use crate::store::ids::{CredentialId, OrgId};
use crate::store::installations::{self, Bound};
use crate::store::{Tx, accounts, syncs, users};
use crate::sync::request::{self, Reason, SyncKey};

/// The host that is meant when none is given: that of the only server of the type's platform which is configured, or the
/// platform's public service.
pub(super) fn default_host(appliance: &Appliance, kind: Kind) -> Option<String> {
    let sites = appliance.hubs.iter().map(|hub| hub.site()).filter(|site| Some(site.platform) == kind.platform());
    let mut hosts: Vec<String> = sites.filter_map(host).collect();
    hosts.sort();
    hosts.dedup();
    match hosts.as_slice() {
        [only] => Some(only.clone()),
        _ => kind.default_host().map(str::to_owned),
    }
}

/// A platform's host, with its port where that is not the one of https.
pub(in crate::admin) fn host(site: &Site) -> Option<String> {
    let host = site.url.host_str()?;
    match site.url.port_or_known_default() {
        None | Some(443) => Some(host.to_owned()),
        Some(port) => Some(format!("{host}:{port}")),
    }
}

/// An installation of a GitHub App, as a new credential names it.
#[derive(Debug)]
pub(super) struct Installation {
    integration: String,
    recorded: Recorded,
    number: i64,
    /// Whether the App's private key came with it, which shows that whoever adds it has the App.
    has_key: bool,
}

/// Finds the integration whose App a new credential names by `[APP/]INSTALLATION`, and checks the key.
///
/// # Errors
/// If there is no such integration, or no key.
pub(super) fn installation(
    appliance: &Appliance,
    (host, port): (&str, u16),
    username: Option<&str>,
    secret: &SecretString,
) -> Result<Installation> {
    let (app, number) = numbers(username)?;
    let hubs = appliance.hubs.for_host(host, Some(port));
    let hubs: Vec<&Hub> = hubs.filter(|hub| hub.site().platform == PlatformKind::GitHub).collect();
    let has_app = |hub: &&&Hub| hub.app().is_some_and(|own| app.is_none_or(|app| app == own.id));
    let (known, first) = (hubs.iter().find(has_app).copied(), hubs.first().copied());
    let site = known.or(first.filter(|_| app.is_some())).map(Hub::site);
    let site = site.ok_or_else(|| match first.map(Hub::site) {
        None => Error::invalid(format!(
            "there is no GitHub at {host}:{port} in the configuration: add an [[integration]] with platform = \"github\" and its url to config.toml, and restart"
        )),
        Some(site) => Error::invalid(format!(
            "the integration `{}` has no GitHub App: make one on its page under Administration → Integrations, give it `app_id` and `app_private_key_file` in config.toml, or write the user name as APP/INSTALLATION and give the App's private key too",
            site.id
        ))
        .by_command("--username APP/INSTALLATION --secret-file KEY.pem"),
    })?;
    let has_key = !secret.expose_secret().trim().is_empty();
    if has_key {
        check_key(secret)?;
    } else if known.is_none() {
        return Err(Error::invalid(
            "the GitHub App's private key is missing: it is in the .pem file that GitHub made for it",
        )
        .by_command("give it with --secret-file FILE"));
    }
    Ok(Installation { integration: site.id.clone(), recorded: recorded(site), number, has_key })
}

/// Refuses a credential that is of another platform than a synchronization, or at home elsewhere.
///
/// # Errors
/// [`Error::Invalid`].
pub(in crate::admin) fn require_platform(credential: &Credential, site: &Site) -> Result<()> {
    if !reads(credential, site.platform) {
        return Err(Error::invalid(format!(
            "the credential `{}` is of type {}, which does not synchronize {}: use one of type {}",
            credential.name,
            credential.kind,
            site.name,
            fitting(site.platform)
        )));
    }
    let port = super::port(credential);
    let is_home = site.url.host_str().is_some_and(|host| credential.host.as_deref() == Some(host))
        && site.url.port_or_known_default() == Some(port);
    if is_home {
        return Ok(());
    }
    let home = host(site).unwrap_or_default();
    Err(Error::invalid(format!(
        "the credential `{}` is for {}:{port} and is never sent to {home}, where the integration `{}` is: choose one for that host, or add one",
        credential.name,
        credential.host.as_deref().unwrap_or_default(),
        site.id
    ))
    .by_command(format!("`credential add NAME --type {} --host {home}`", credential.kind)))
}

/// Whether a credential is one that organizations of a platform are read with.
pub(super) fn reads(credential: &Credential, platform: PlatformKind) -> bool {
    let kind = Kind::parse(&credential.kind);
    kind.is_some_and(|kind| kind.platform() == Some(platform) && kind != Kind::BitbucketCloudAppPassword)
}

/// The types of credentials that organizations of a platform are read with, as people are told.
fn fitting(platform: PlatformKind) -> String {
    let all = Kind::ALL.into_iter().filter(|kind| kind.platform() == Some(platform));
    let all = all.filter(|kind| *kind != Kind::BitbucketCloudAppPassword).map(Kind::as_str);
    all.collect::<Vec<_>>().join(" or ")
}

/// What is recorded of an integration at its first use.
pub(in crate::admin) fn recorded(site: &Site) -> Recorded {
    let url = site.url.as_str().trim_end_matches('/').to_owned();
    Recorded { platform: site.platform.as_str().to_owned(), url }
}

/// Refuses what is no private key of a GitHub App.
pub(super) fn check_key(secret: &SecretString) -> Result<()> {
    check_app_key(secret)
        .map_err(|error| Error::invalid(format!("the GitHub App's private key cannot be used: {error}")))
}

/// Reads `[APP/]INSTALLATION`.
pub(super) fn numbers(username: Option<&str>) -> Result<(Option<u64>, i64)> {
    let wrong = || {
        Error::invalid(
            "the user name of a credential of type github-app is INSTALLATION, the number of the App's installation, or APP/INSTALLATION with the App's own number in front; the installation's number stands at the end of the address of its settings",
        )
        .by_command("add `--username [APP/]INSTALLATION`")
    };
    let text = username.ok_or_else(wrong)?;
    let (app, installation) = match text.split_once('/') {
        Some((app, installation)) => (Some(app.parse().map_err(|_| wrong())?), installation),
        None => (None, text),
    };
    let number: i64 = installation.parse().map_err(|_| wrong())?;
    if number < 1 { Err(wrong()) } else { Ok((app, number)) }
}

impl Installation {
    /// Refuses a key that is not that of the installation's App: whoever has any key could otherwise take an installation
    /// that is somebody else's.
    ///
    /// # Errors
    /// If the platform does not accept the key, or does not answer.
    pub(super) async fn prove(
        &self,
        appliance: &Appliance,
        username: Option<&str>,
        secret: &SecretString,
    ) -> Result<()> {
        let Some(hub) = appliance.hubs.by_id(&self.integration).filter(|_| self.has_key) else { return Ok(()) };
        // Of no row yet, and never the same: nothing is kept for it.
        let key = Key {
            credential: 0,
            generation: i64::from_be_bytes(random::bytes::<8>()),
            kind: Kind::GithubApp.as_str().to_owned(),
            username: username.map(str::to_owned),
            secret: secret.clone().into(),
        };
        match hub.git_login(&key, None).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::invalid(error.to_string().trim_end_matches('.').to_owned())),
        }
    }

    /// Binds it to the organization whose credential it is.
    ///
    /// # Errors
    /// If it belongs to somebody else, or whoever adds it has not shown that it is theirs.
    pub(super) fn bind(
        &self,
        tx: &Tx<'_>,
        actor: &Actor,
        (org, credential): (OrgId, CredentialId),
        now: Timestamp,
    ) -> Result<()> {
        if !self.has_key && !may_bind(tx, actor)? {
            return Err(Error::invalid(
                "an installation of this server's own GitHub App is bound to an organization by an administrator of the instance: ask one to add this credential, or give the private key of an App of your own",
            ));
        }
        accounts::record(tx, &self.integration, &self.recorded, now)?;
        match installations::bind(org, tx, &self.integration, self.number, credential, now)? {
            Bound::Now => Ok(()),
            Bound::Already => Err(Error::conflict(format!(
                "there is a credential for the installation {} already: use that one, or remove it first",
                self.number
            ))),
            Bound::Elsewhere => Err(Error::conflict(format!(
                "the installation {} belongs to another organization of this server: install the App once more for this one",
                self.number
            ))),
        }
    }
}

/// Whether somebody administers the instance.
fn may_bind(tx: &Tx<'_>, actor: &Actor) -> Result<bool> {
    match actor {
        Actor::Command | Actor::System => Ok(true),
        Actor::Stranger { .. } => Ok(false),
        Actor::User { name, .. } => Ok(users::by_name(tx, name)?.is_some_and(|user| user.admin && user.enabled)),
    }
}

/// The organizations of platforms that are read with a credential, as people call them.
pub(super) fn remotes(org: OrgId, connection: &rusqlite::Connection, id: CredentialId) -> Result<Vec<String>> {
    Ok(syncs::using(org, connection, id)?.into_iter().map(|sync| sync.remote).collect())
}

/// Reads them again, because the credential is another.
pub(super) fn read_again(org: OrgId, tx: &Tx<'_>, id: CredentialId, now: Timestamp) -> Result<()> {
    for sync in syncs::using(org, tx, id)? {
        request::run(tx, SyncKey { org, sync: sync.id }, Reason::Credential, None, now)?;
    }
    Ok(())
}

/// Refuses to replace a credential that reads organizations by one that cannot.
pub(super) fn require_same_home(
    org: OrgId,
    connection: &rusqlite::Connection,
    old: &Credential,
    new: &Credential,
) -> Result<()> {
    if syncs::using(org, connection, old.id)?.is_empty() {
        return Ok(());
    }
    let fits = PlatformKind::of_credential(&old.kind).is_some_and(|platform| reads(new, platform));
    if (old.host.as_deref(), old.port) == (new.host.as_deref(), new.port) && fits {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the credential `{}` synchronizes an organization of {}, which `{}` cannot: name a credential of that platform behind --replace-with",
        old.name,
        old.host.as_deref().unwrap_or_default(),
        new.name
    )))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::numbers;

    #[test]
    fn installations_are_numbers() {
        assert_eq!(numbers(Some("42")).unwrap(), (None, 42));
        assert_eq!(numbers(Some("7/42")).unwrap(), (Some(7), 42));
        for wrong in [None, Some(""), Some("acme"), Some("7/"), Some("/42"), Some("0"), Some("-1"), Some("1/2/3")] {
            assert!(numbers(wrong).unwrap_err().to_string().contains("APP/INSTALLATION"), "{wrong:?}");
        }
    }
}
