//! Secrets that open source repositories. A secret comes in, is sealed to its row, and never goes out again.

mod bitbucket;
mod connect;
mod kind;
mod platform;
mod platform_trial;
mod self_rotation;
mod ssh_key;
mod trial;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

pub use connect::{Becomes, Connected, account, connect, require_connectable};
pub use kind::Kind;
pub(super) use platform::{host as home, recorded, require_platform};
pub use self_rotation::{replace_token, set_self_rotation};
pub use ssh_key::{NewSecret, PublicKey};
pub use trial::{Finding, test};

use ssh_key::Prepared;

use super::{Actor, Error, Name, Result, made, packages as use_packages, syncs};
use crate::appliance::{Appliance, PackageKey, due_at};
use crate::clock::Timestamp;
use crate::publish::request::{self, Reason};
use crate::secrets::{Context, KeyRing, seal};
use crate::store::credentials::{self, Credential};
use crate::store::ids::{CredentialId, OrgId};
use crate::store::{Tx, packages};
use crate::vcs::url::{SourceUrl, UrlPolicy};

/// How long before its end a credential is called expiring.
const EXPIRING: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);
/// How long after it was due a token may still be about to replace itself.
const PUNCTUAL: std::time::Duration = std::time::Duration::from_secs(2 * 86_400);
/// Most bytes of a secret; private keys are the longest.
const LONGEST_SECRET: usize = 64 * 1024;
/// Most bytes of a user name.
const LONGEST_USERNAME: usize = 255;
/// What a new credential is made of.
#[derive(Debug)]
pub struct NewCredential {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// The one host that it is sent to, `HOST` or `HOST:PORT`.
    pub host: Option<String>,
    /// The user name sent with it.
    pub username: Option<String>,
    /// The secret, or the order to make one.
    pub secret: NewSecret,
}

/// A credential that was just added.
#[derive(Clone, Debug)]
pub struct Added {
    /// Its row.
    pub id: CredentialId,
    /// The public half of an `ssh-key`, for the server.
    pub public_key: Option<PublicKey>,
}

/// The organization's credentials, by name.
///
/// # Errors
/// If the database cannot be read.
pub async fn list(appliance: &Appliance, org: OrgId) -> Result<Vec<Credential>> {
    Ok(appliance.database.read(move |db| credentials::all(org, db)).await?)
}

/// The credential with this name.
///
/// # Errors
/// If there is none.
pub async fn by_name(appliance: &Appliance, org: OrgId, name: &str) -> Result<Credential> {
    let name = name.to_owned();
    appliance.database.read(move |db| find(org, db, &name)).await
}

/// The packages that use a credential, by name or, before their first import, by address.
///
/// # Errors
/// If the database cannot be read.
pub async fn users(appliance: &Appliance, org: OrgId, id: CredentialId) -> Result<Vec<String>> {
    appliance.database.read(move |db| users_of(org, db, id)).await
}

/// What lists say of a credential: `ok`, `untested`, `expiring`, `expired` or `refused`.
#[must_use]
pub fn status(credential: &Credential, now: Timestamp) -> &str {
    match credential.expires_at {
        Some(end) if end <= now => "expired",
        Some(end) if end <= now + EXPIRING && credential.status != "refused" && !is_in_hand(credential, end, now) => {
            "expiring"
        }
        _ => &credential.status,
    }
}

/// Whether its token is going to replace itself, as far as is known.
fn is_in_hand(credential: &Credential, end: Timestamp, now: Timestamp) -> bool {
    let due = due_at(credential.secret_set_at.unwrap_or(now), end);
    credential.self_rotate && credential.unrotated.is_none() && now < due + PUNCTUAL
}

/// What somebody has to do about a credential, in a sentence; none where nothing is wrong with it but its end.
#[must_use]
pub fn trouble(credential: &Credential) -> Option<String> {
    let is_grant = Kind::parse(&credential.kind).is_some_and(Kind::is_grant);
    match (credential.lost_at, &credential.unrotated) {
        (Some(_), _) if is_grant => Some(format!(
            "The account {} has to be connected again, because the platform does not renew its tokens any more: open the page \
             of the credential and choose \"Connect it again\".",
            credential.username.as_deref().unwrap_or_default()
        )),
        (Some(_), _) => Some(
            "The token replaced itself, and the answer with the new one got lost, so that nobody has it: make a new token on the \
             platform, and give it to the credential."
                .to_owned(),
        ),
        (None, Some(why)) if credential.self_rotate => Some(format!("The token could not replace itself: {why}")),
        (None, _) if credential.status == "refused" && is_grant => {
            Some("Its tokens are refused, or not renewed any more: test it, which says why.".to_owned())
        }
        (None, _) if credential.status == "refused" => {
            Some("It was refused when it was used last: test it, and give it a new secret.".to_owned())
        }
        _ => None,
    }
}

/// The host as people write it: with the port only where that is not the usual one.
#[must_use]
pub fn host(credential: &Credential) -> Option<String> {
    let host = credential.host.as_ref()?;
    Some(match credential.port {
        Some(other) if other != usual_port(credential) => format!("{host}:{other}"),
        _ => host.clone(),
    })
}

fn usual_port(credential: &Credential) -> u16 {
    Kind::parse(&credential.kind).map_or(443, Kind::default_port)
}

fn port(credential: &Credential) -> u16 {
    credential.port.unwrap_or_else(|| usual_port(credential))
}

/// Adds a credential.
///
/// # Errors
/// If the name is taken, or anything given is not acceptable.
pub async fn add(appliance: &Appliance, actor: &Actor, org: OrgId, new: NewCredential) -> Result<Added> {
    let name = Name::parse("a credential's name", &new.name)?;
    let kind = new.kind;
    kind.requires_no_page()?;
    kind.needs_host(new.host.as_deref())?;
    let usual = platform::default_host(appliance, kind).unwrap_or_default();
    let (host, port) = parse_host(kind, new.host.as_deref().unwrap_or(&usual))?;
    let any = kind.any_username(Some(&host)).map(str::to_owned);
    let username = username(kind, new.username.or(any))?;
    let Prepared { secret, public_key } =
        ssh_key::prepare(appliance, kind, name.as_str(), new.secret.fit_for(&host)).await?;
    let username = match kind {
        Kind::BitbucketCloudToken => bitbucket::username_of(username, &secret)?,
        _ => username,
    };
    let installation = match kind {
        Kind::GithubApp => Some(platform::installation(appliance, (&host, port), username.as_deref(), &secret)?),
        _ => None,
    };
    if let Some(installation) = installation.as_ref().filter(|_| matches!(actor, Actor::User { .. })) {
        installation.prove(appliance, username.as_deref(), &secret).await?;
    }
    let row = credentials::New {
        name: name.as_str().to_owned(),
        kind: kind.as_str().to_owned(),
        host: Some(host),
        port: (port != kind.default_port()).then_some(port),
        username,
    };
    let (actor, now, keys) = (actor.clone(), appliance.now(), appliance.keys.clone());
    appliance
        .database
        .write(move |tx| {
            if credentials::by_name(org, tx, &row.name)?.is_some() {
                let refused = Error::conflict(format!(
                    "there is a credential `{}` already: use another name, or give that one a new secret",
                    row.name
                ));
                return Err(refused.by_command(format!("`credential rotate {}`", row.name)));
            }
            let id = credentials::insert(org, tx, &row, now)?;
            store_secret(org, tx, &keys, id, &secret, None)?;
            credentials::set_public_key(org, tx, id, public_key.as_ref().map(PublicKey::line))?;
            if let Some(installation) = &installation {
                installation.bind(tx, &actor, (org, id), now)?;
            }
            let detail = json!({
                "type": row.kind,
                "host": row.host,
                "port": port,
                "username": row.username,
                "fingerprint": public_key.as_ref().map(PublicKey::fingerprint),
            });
            actor.record(tx, Some(org), "credential.add", &row.name, detail, now)?;
            Ok(Added { id, public_key })
        })
        .await
}

/// Gives a credential a new secret, and another user name where its type lets that follow; the packages that use it are updated,
/// and what is synchronized with it is read again. A token that replaces an app password of Bitbucket makes the credential one of
/// that type.
///
/// # Errors
/// If there is no such credential, or the secret is not acceptable.
pub async fn rotate(
    appliance: &Appliance,
    actor: &Actor,
    org: OrgId,
    name: &str,
    (secret, user): (NewSecret, Option<String>),
) -> Result<Option<PublicKey>> {
    let wanted = name.to_owned();
    let found = appliance.database.read(move |db| find(org, db, &wanted)).await?;
    let kind = Kind::parse(&found.kind)
        .ok_or_else(|| Error::invalid(format!("credentials of type {} are not known to this version", found.kind)))?;
    kind.requires_no_page()?;
    let secret = secret.like(found.public_key.as_deref());
    let Prepared { secret, public_key } = ssh_key::prepare(appliance, kind, &found.name, secret).await?;
    let becomes = bitbucket::becomes((kind, found.username.as_deref()), &secret, user.as_deref())?;
    let (actor, now, keys) = (actor.clone(), appliance.now(), appliance.keys.clone());
    let name = name.to_owned();
    appliance
        .database
        .write(move |tx| {
            let found = find(org, tx, &name)?;
            if found.kind != kind.as_str() {
                return Err(Error::conflict("the credential was replaced by one of another type meanwhile: try again"));
            }
            if let Some((kind, username)) = &becomes {
                credentials::set_kind(org, tx, found.id, (kind.as_str(), username.as_deref()))?;
            }
            store_secret(org, tx, &keys, found.id, &secret, Some(now))?;
            credentials::set_public_key(org, tx, found.id, public_key.as_ref().map(PublicKey::line))?;
            update_users(org, tx, found.id, now)?;
            platform::read_again(org, tx, found.id, now)?;
            let mut detail = json!({ "fingerprint": public_key.as_ref().map(PublicKey::fingerprint) });
            if let Some((kind, username)) = &becomes {
                (detail["type"], detail["username"]) = (json!(kind.as_str()), json!(username));
            }
            actor.record(tx, Some(org), "credential.rotate", &found.name, detail, now)?;
            Ok(public_key)
        })
        .await
}

/// Removes a credential; the packages that use it get `replacement`, and are updated.
///
/// # Errors
/// If there is no such credential, or packages use it and there is no replacement that fits them all.
pub async fn remove(
    appliance: &Appliance,
    actor: &Actor,
    org: OrgId,
    name: &str,
    replacement: Option<&str>,
) -> Result<()> {
    let (actor, now) = (actor.clone(), appliance.now());
    let policy = lenient(&appliance.settings.url_policy);
    // Looked up while it is there, and given back when it is gone.
    let disconnected = connect::disconnect(appliance, org, name).await;
    let (name, replacement) = (name.to_owned(), replacement.map(str::to_owned));
    let hooks = match &replacement {
        Some(_) => syncs::hooks_by(appliance, org, &name).await?,
        None => Vec::new(),
    };
    let kind = appliance
        .database
        .write(move |tx| {
            let found = find(org, tx, &name)?;
            let other = replacement.as_deref().map(|other| find(org, tx, other)).transpose()?;
            match &other {
                Some(other) => replace(org, tx, &found, other, &policy, now)?,
                None => require_unused(org, tx, &found)?,
            }
            credentials::remove(org, tx, found.id)?;
            let detail = json!({ "replaced_with": other.as_ref().map(|other| &other.name) });
            actor.record(tx, Some(org), "credential.remove", &found.name, detail, now)?;
            Ok::<_, Error>(other.map(|other| other.kind))
        })
        .await?;
    let handed_over = syncs::hand_over_hooks(appliance, org, hooks, kind.as_deref()).await;
    if let Some(disconnected) = disconnected {
        disconnected.await;
    }
    handed_over
}

fn require_unused(org: OrgId, tx: &Tx<'_>, credential: &Credential) -> Result<()> {
    let remotes = platform::remotes(org, tx, credential.id)?;
    if !remotes.is_empty() {
        return Err(Error::conflict(format!(
            "the credential `{}` synchronizes {}: let another one do that, or remove the synchronization first",
            credential.name,
            some_of(&remotes)
        ))
        .by_command(format!("`credential remove {} --replace-with OTHER`", credential.name)));
    }
    let users = users_of(org, tx, credential.id)?;
    if users.is_empty() {
        return Ok(());
    }
    let refused = Error::conflict(format!(
        "the credential `{}` is used by {}: let them use another one, or remove them first",
        credential.name,
        some_of(&users)
    ));
    Err(refused.by_command(format!("`credential remove {} --replace-with OTHER`", credential.name)))
}

fn replace(
    org: OrgId,
    tx: &Tx<'_>,
    old: &Credential,
    new: &Credential,
    policy: &UrlPolicy,
    now: Timestamp,
) -> Result<()> {
    if old.id == new.id {
        return Err(Error::invalid("a credential cannot replace itself: name another one"));
    }
    for id in packages::using(org, tx, old.id)? {
        // Those that are made here have no source: their archives' hosts are compared when they are fetched.
        if let Some(package) = packages::by_id(org, tx, id)?.filter(|package| !made::is_made(package)) {
            let url = SourceUrl::parse(&package.url, policy)
                .map_err(|error| Error::invalid(format!("{}: {error}", package.url)))?;
            require_fit(new, &url)?;
        }
    }
    platform::require_same_home(org, tx, old, new)?;
    // Queued first: afterwards nothing uses the old one any more.
    update_users(org, tx, old.id, now)?;
    platform::read_again(org, tx, old.id, now)?;
    credentials::replace(org, tx, old.id, new.id)?;
    Ok(())
}

fn update_users(org: OrgId, tx: &Tx<'_>, id: CredentialId, now: Timestamp) -> Result<()> {
    for package in packages::using(org, tx, id)? {
        request::update(tx, PackageKey { org, package }, Reason::Command, &[], now)?;
    }
    Ok(())
}

fn users_of(org: OrgId, connection: &rusqlite::Connection, id: CredentialId) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for package in packages::using(org, connection, id)? {
        names.extend(packages::by_id(org, connection, package)?.map(|package| use_packages::title(&package)));
    }
    Ok(names)
}

/// A list that stays readable.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The credential with this name, in a transaction or a read.
pub(super) fn find(org: OrgId, connection: &rusqlite::Connection, name: &str) -> Result<Credential> {
    credentials::by_name(org, connection, name)?.ok_or_else(|| {
        Error::not_found(format!("there is no credential `{}`", name.escape_debug()))
            .by_command("`credential list` shows those that there are")
    })
}

/// A credential is sent to exactly its own host and port, so a package elsewhere cannot use it.
pub(super) fn require_fit(credential: &Credential, url: &SourceUrl) -> Result<()> {
    let Some((host, port)) = url.host_port() else {
        return Err(
            Error::invalid("a repository on this machine needs no credential").by_command("leave `--credential` out")
        );
    };
    if let Some(kind) = Kind::parse(&credential.kind) {
        kind.require_opens_git(&credential.name, url.scheme())?;
    }
    let own = (credential.host.as_deref().unwrap_or_default(), self::port(credential));
    if own != (host.as_str(), port) {
        let refused = Error::invalid(format!(
            "the credential `{}` is for {}:{} and is never sent to {host}:{port}, where the repository is: choose a credential for that host, or add one",
            credential.name, own.0, own.1
        ));
        let command = format!("`credential add NAME --type {} --host {host}:{port}`", credential.kind);
        return Err(refused.by_command(command));
    }
    if url.lacks_key_id() && credential.username.is_none() {
        return Err(Error::invalid(format!(
            "AWS CodeCommit knows an SSH key by its id, which IAM shows beside it (APKA…): write it into the address, as in ssh://APKA…@{host}{}",
            url.path()
        )));
    }
    Ok(())
}

/// Nobody is let in by SSH without a key, so that an address of it needs a credential.
pub(super) fn require_enough(credential: Option<&Credential>, url: &SourceUrl) -> Result<()> {
    if !url.scheme().is_ssh() || credential.is_some() {
        return Ok(());
    }
    let (host, port) = url.host_port().unwrap_or_default();
    let host = if port == Kind::SshKey.default_port() { host } else { format!("{host}:{port}") };
    let refused = Error::invalid(format!(
        "{url} is reached by SSH, which needs a key: add a credential of type ssh-key for {host}, add its public key to the repository's deploy keys or to an account that reads it, and choose it here"
    ));
    Err(refused.by_command(format!(
        "`credential add NAME --type ssh-key --host {host} --generate`, and `--credential NAME` here"
    )))
}

/// Addresses that are stored were acceptable once; whether they still are is for the update to say.
pub(super) fn lenient(policy: &UrlPolicy) -> UrlPolicy {
    UrlPolicy { allow_insecure: true, ..policy.clone() }
}

fn store_secret(
    org: OrgId,
    tx: &Tx<'_>,
    keys: &KeyRing,
    id: CredentialId,
    secret: &SecretString,
    rotated_at: Option<Timestamp>,
) -> Result<()> {
    let place = Context { table: "credential", column: "secret", row_id: id.0 };
    credentials::set_secret(org, tx, id, &seal(keys, place, secret), rotated_at)?;
    Ok(())
}

fn check_secret(secret: SecretString) -> Result<SecretString> {
    let text = secret.expose_secret();
    if text.trim().is_empty() {
        return Err(Error::invalid("the secret is empty").by_command("give it with --secret-stdin or --secret-file"));
    }
    if text.len() > LONGEST_SECRET {
        return Err(Error::invalid("the secret is longer than 64 KiB: is it the right file?"));
    }
    // Basic and Bearer stand on one line of a request.
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(
            "the secret holds a line break or another control character, which no token or password has: is it the right file?",
        ));
    }
    Ok(secret)
}

fn username(kind: Kind, username: Option<String>) -> Result<Option<String>> {
    kind.needs_username(username.as_deref(), None)?;
    let Some(username) = username else { return Ok(None) };
    if kind == Kind::SshKey && SourceUrl::parse(&format!("ssh://{username}@host/x"), &UrlPolicy::default()).is_err() {
        return Err(Error::invalid("the user name has characters that no user of an SSH server has"));
    }
    // Basic authentication splits at the first colon (RFC 7617, section 2).
    let wrong = |c: char| c.is_control() || c == ':';
    if username.is_empty() || username.len() > LONGEST_USERNAME || username.chars().any(wrong) {
        return Err(Error::invalid(
            "the user name must have 1 to 255 characters, without colons and control characters",
        ));
    }
    Ok(Some(username))
}

/// Reads `HOST` or `HOST:PORT` by the rules of addresses, so that it compares with theirs.
pub(super) fn parse_host(kind: Kind, text: &str) -> Result<(String, u16)> {
    let wrong = || {
        Error::invalid(format!(
            "`{}` is no host: write HOST or HOST:PORT, like `git.example.com` or `git.example.com:8443`, without https:// or ssh:// and path",
            text.chars().take(100).collect::<String>().escape_debug()
        ))
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:[]".contains(&byte);
    if text.is_empty() || !text.bytes().all(plain) {
        return Err(wrong());
    }
    let scheme = if kind == Kind::SshKey { "ssh" } else { "https" };
    SourceUrl::parse(&format!("{scheme}://{text}/x"), &UrlPolicy::default())
        .ok()
        .and_then(|url| url.host_port())
        .ok_or_else(wrong)
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
