//! A package's webhook address.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::packages::title;
use super::{Actor, Error, Result, made};
use crate::appliance::Appliance;
use crate::secrets::{Context, KeyRing, SealedError, open, random, seal};
use crate::store::Tx;
use crate::store::hooks;
use crate::store::ids::{HookId, OrgId};
use crate::store::packages::Package;

/// A package's webhook address.
#[derive(Debug)]
pub struct Address {
    /// The address. Whoever knows it can have the package updated.
    pub url: String,
    /// Whether it took another one's place, which works for a day more.
    pub replaced: bool,
}

/// The package's webhook address, made at the first call. `rotate` makes a new one; the old one works for a day more.
///
/// # Errors
/// If the database cannot be written, or the stored address cannot be opened.
pub async fn address(
    appliance: &Appliance,
    actor: &Actor,
    org: OrgId,
    package: &Package,
    rotate: bool,
) -> Result<Address> {
    made::require_repository(package, "so nothing calls a webhook of it")?;
    let (actor, now, keys) = (actor.clone(), appliance.now(), appliance.keys.clone());
    let package = package.clone();
    let (secret, replaced) = appliance
        .database
        .write(move |tx| {
            let current = hooks::current(org, tx, package.source())?;
            if let Some((id, sealed)) = current.as_ref().filter(|_| !rotate) {
                return Ok((open(&keys, place(*id), sealed)?, false));
            }
            if current.is_some() {
                hooks::retire(org, tx, package.source(), now)?;
            }
            // Whoever calls the new address signs with the same secret.
            let signing = match &current {
                Some((id, _)) => signing_of(&keys, org, tx, *id)?,
                None => None,
            };
            let secret = SecretString::from(random::hex::<32>());
            let digest: [u8; 32] = Sha256::digest(secret.expose_secret()).into();
            let id = hooks::insert(org, tx, package.source(), &digest, now)?;
            hooks::set_secret(org, tx, id, &seal(&keys, place(id), &secret))?;
            if let Some(signing) = signing {
                hooks::set_signing(org, tx, id, Some(&seal(&keys, signing_place(id), &signing)))?;
            }
            let action = if current.is_some() { "hook.rotate" } else { "hook.add" };
            actor.record(tx, Some(org), action, &title(&package), json!({ "hook": id }), now)?;
            Ok::<_, super::Error>((secret, current.is_some()))
        })
        .await?;
    Ok(Address { url: appliance.hook_url(secret.expose_secret()), replaced })
}

/// The package's webhook address, if one was made.
///
/// # Errors
/// If the database cannot be read, or the stored address cannot be opened.
pub async fn existing(appliance: &Appliance, org: OrgId, package: &Package) -> Result<Option<String>> {
    let id = package.source();
    let Some((hook, sealed)) = appliance.database.read(move |db| hooks::current(org, db, id)).await? else {
        return Ok(None);
    };
    let secret: SecretString = open(&appliance.keys, place(hook), &sealed)?;
    Ok(Some(appliance.hook_url(secret.expose_secret())))
}

/// Whether calls to the package's webhook have to be signed.
///
/// # Errors
/// If the database cannot be read.
pub async fn is_signed(appliance: &Appliance, org: OrgId, package: &Package) -> Result<bool> {
    let id = package.source();
    let signing = appliance.database.read(move |db| match hooks::current(org, db, id)? {
        Some((hook, _)) => hooks::signing(org, db, hook),
        None => Ok(None),
    });
    Ok(signing.await?.is_some())
}

/// Makes calls to the package's webhook be signed with this secret from now on, or takes them without. An address that was
/// replaced and still answers takes part in it.
///
/// # Errors
/// If the secret is too short to be one, there is no address yet, or the database cannot be written.
pub async fn set_signing(
    appliance: &Appliance,
    actor: &Actor,
    org: OrgId,
    package: &Package,
    secret: Option<SecretString>,
) -> Result<()> {
    if let Some(secret) = &secret {
        check(secret)?;
    }
    let (actor, now, keys, package) = (actor.clone(), appliance.now(), appliance.keys.clone(), package.clone());
    appliance
        .database
        .write(move |tx| {
            if hooks::current(org, tx, package.source())?.is_none() {
                return Err(Error::invalid("the package has no webhook address yet")
                    .by_command("make it with `package hook NAME`"));
            }
            for hook in hooks::answering(org, tx, package.source())? {
                let sealed = secret.as_ref().map(|secret| seal(&keys, signing_place(hook), secret));
                hooks::set_signing(org, tx, hook, sealed.as_deref())?;
            }
            let action = if secret.is_some() { "hook.secret-set" } else { "hook.secret-remove" };
            Ok(actor.record(tx, Some(org), action, &title(&package), json!({}), now)?)
        })
        .await
}

/// Refuses what somebody could guess, and what headers cannot carry.
fn check(secret: &SecretString) -> Result<()> {
    const SHORTEST: usize = 12;
    const LONGEST: usize = 255;
    let text = secret.expose_secret();
    if !(SHORTEST..=LONGEST).contains(&text.len()) {
        return Err(Error::invalid(format!("a webhook's secret has {SHORTEST} to {LONGEST} characters")));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') || text.trim() != text {
        return Err(Error::invalid("a webhook's secret has letters, digits and signs of ASCII only"));
    }
    Ok(())
}

/// The secret that calls of a hook are signed with.
///
/// # Errors
/// If the stored one cannot be opened.
pub fn open_signing(
    appliance: &Appliance,
    hook: &hooks::Address,
) -> std::result::Result<Option<SecretString>, SealedError> {
    hook.signing.as_deref().map(|sealed| open(&appliance.keys, signing_place(hook.id), sealed)).transpose()
}

fn signing_of(keys: &KeyRing, org: OrgId, tx: &Tx<'_>, id: HookId) -> Result<Option<SecretString>> {
    let sealed = hooks::signing(org, tx, id)?;
    Ok(sealed.map(|sealed| open(keys, signing_place(id), &sealed)).transpose()?)
}

fn signing_place(id: HookId) -> Context {
    Context { table: "hook", column: "signing", row_id: id.0 }
}

fn place(id: HookId) -> Context {
    Context { table: "hook", column: "secret", row_id: id.0 }
}
