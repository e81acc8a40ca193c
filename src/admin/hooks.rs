//! A package's webhook address.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::packages::title;
use super::{Actor, Result};
use crate::appliance::Appliance;
use crate::secrets::{Context, open, random, seal};
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
    let (actor, now, keys) = (actor.clone(), appliance.now(), appliance.keys.clone());
    let package = package.clone();
    let (secret, replaced) = appliance
        .database
        .write(move |tx| {
            let current = hooks::current(org, tx, package.id)?;
            if let Some((id, sealed)) = current.as_ref().filter(|_| !rotate) {
                return Ok((open(&keys, place(*id), sealed)?, false));
            }
            if current.is_some() {
                hooks::retire(org, tx, package.id, now)?;
            }
            let secret = SecretString::from(random::hex::<32>());
            let digest: [u8; 32] = Sha256::digest(secret.expose_secret()).into();
            let id = hooks::insert(org, tx, package.id, &digest, now)?;
            hooks::set_secret(org, tx, id, &seal(&keys, place(id), &secret))?;
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
    let id = package.id;
    let Some((hook, sealed)) = appliance.database.read(move |db| hooks::current(org, db, id)).await? else {
        return Ok(None);
    };
    let secret: SecretString = open(&appliance.keys, place(hook), &sealed)?;
    Ok(Some(appliance.hook_url(secret.expose_secret())))
}

fn place(id: HookId) -> Context {
    Context { table: "hook", column: "secret", row_id: id.0 }
}
