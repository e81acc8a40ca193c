//! Webhooks that tell of a whole platform. An administrator of this server makes the address, and one of the platform enters
//! it there. A delivery concerns the organizations that know what it is about: each reads again what is its own, and hears
//! nothing of the others.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::deliveries::{Taken, queue};
use super::{Actor, Error, Result, credentials};
use crate::access::token;
use crate::appliance::Appliance;
use crate::clock::Timestamp;
use crate::platform::event::{About, Delivery, EnteredSecrets};
use crate::platform::{HookSecret, Hub};
use crate::secrets::{Context, SealedError, open, random, seal};
use crate::store::ids::SystemHookId;
use crate::store::platform_deliveries::{self, New};
use crate::store::system_hooks::{self, Follower, SystemHook};
use crate::store::{self, Tx, accounts};
use crate::sync::request::SyncKey;

/// How often it is noted that a hook calls of which nothing concerns anybody: a platform may have very many pushes.
const NOTED_EVERY: Duration = Duration::from_secs(30);
/// Characters that are kept of a delivery's name, beside the synchronization that it is counted for.
const LONGEST_GUID: usize = 80;

/// A hook of a whole platform, with what is entered there.
#[derive(Clone, Debug)]
pub struct Standing {
    /// How it is.
    pub hook: SystemHook,
    /// Its address.
    pub address: SecretString,
    /// What its deliveries show and are signed with.
    pub entered: EnteredSecrets,
}

impl Standing {
    /// Whether somebody has entered it: a call came that was right.
    #[must_use]
    pub fn is_entered(&self) -> bool {
        self.hook.last_delivery_at.is_some()
    }
}

/// Where the random part of a hook's address is sealed to.
const fn of_address(id: SystemHookId) -> Context {
    Context { table: "system_hook", column: "address", row_id: id.0 }
}

/// Where a hook's secret is sealed to.
const fn of_secret(id: SystemHookId) -> Context {
    Context { table: "system_hook", column: "secret", row_id: id.0 }
}

/// The platform of an integration, where it has such hooks and is somebody's own.
fn hub<'a>(appliance: &'a Appliance, integration: &str) -> Result<&'a Hub> {
    let found = appliance.hubs.by_id(integration);
    let none = || {
        Error::not_found(format!("the platform of the integration `{integration}` has no webhooks of the whole server"))
    };
    found.filter(|hub| has_system_hooks(hub)).ok_or_else(none)
}

/// Whether a platform has webhooks that tell of all of it, and is somebody's own.
#[must_use]
pub fn has_system_hooks(hub: &Hub) -> bool {
    hub.entered_secrets(&SecretString::default()).is_some()
}

/// The hook of an integration, if one was made.
///
/// # Errors
/// If the platform has none, or what is stored of it cannot be opened.
pub async fn standing(appliance: &Appliance, integration: &str) -> Result<Option<Standing>> {
    let (hub, named) = (hub(appliance, integration)?, integration.to_owned());
    let Some(hook) = appliance.database.read(move |db| system_hooks::of(db, &named)).await? else { return Ok(None) };
    let unreadable = |_| {
        Error::invalid("the secrets of the webhook cannot be opened with this server's keys: make another one")
            .by_command("`hook system … --replace` does that")
    };
    let address: SecretString = open(&appliance.keys, of_address(hook.id), &hook.address).map_err(unreadable)?;
    let secret = open(&appliance.keys, of_secret(hook.id), &hook.secret).map_err(unreadable)?;
    let Some(entered) = hub.entered_secrets(&secret) else { return Ok(None) };
    let address = SecretString::from(appliance.hook_url(address.expose_secret()));
    Ok(Some(Standing { hook, address, entered }))
}

/// Makes the hook of an integration. One that was made before is none from then on.
///
/// # Errors
/// If the platform has no such hooks.
pub async fn make(appliance: &Appliance, actor: &Actor, integration: &str) -> Result<()> {
    let is = credentials::recorded(hub(appliance, integration)?.site());
    let (address, secret) = (SecretString::from(random::hex::<32>()), SecretString::from(random::hex::<32>()));
    let digest = token::digest_of(address.expose_secret().as_bytes());
    let (actor, keys, now) = (actor.clone(), Arc::clone(&appliance.keys), appliance.now());
    let named = integration.to_owned();
    let write = appliance.database.write(move |tx| {
        accounts::record(tx, &named, &is, now)?;
        let replaced = system_hooks::remove(tx, &named, now)?;
        let id = system_hooks::insert(tx, &named, &digest, actor.text(), now)?;
        let (address, secret) = (seal(&keys, of_address(id), &address), seal(&keys, of_secret(id), &secret));
        system_hooks::set_sealed(tx, id, &address, &secret)?;
        let action = if replaced { "system-hook.replace" } else { "system-hook.add" };
        Ok::<_, Error>(actor.record(tx, None, action, &named, json!({}), now)?)
    });
    write.await
}

/// Forgets the hook of an integration.
///
/// # Errors
/// If there is none.
pub async fn remove(appliance: &Appliance, actor: &Actor, integration: &str) -> Result<()> {
    let (actor, named, now) = (actor.clone(), integration.to_owned(), appliance.now());
    let write = appliance.database.write(move |tx| {
        if !system_hooks::remove(tx, &named, now)? {
            return Err(Error::not_found(format!("the integration `{named}` has no webhook of the whole server")));
        }
        Ok(actor.record(tx, None, "system-hook.remove", &named, json!({}), now)?)
    });
    write.await
}

/// What deliveries to a hook are checked by.
///
/// # Errors
/// If its secret cannot be opened.
pub fn secret(appliance: &Appliance, hook: &SystemHook) -> std::result::Result<HookSecret, SealedError> {
    let secret = open(&appliance.keys, of_secret(hook.id), &hook.secret)?;
    Ok(HookSecret { secret, was_signed: hook.signed_at.is_some() })
}

/// What of a delivery is one synchronization's.
struct Share {
    key: SyncKey,
    /// Whether it is certain that the synchronization may hear what it was about.
    knows: bool,
}

/// Takes a delivery whose signature is right. After this, its work happens, whatever crashes.
///
/// # Errors
/// If it could not be stored.
pub async fn take(appliance: &Appliance, hook: &SystemHook, delivery: Delivery, size: u64) -> store::Result<Taken> {
    let (now, integration) = (appliance.now(), hook.integration.clone());
    let is_work = !delivery.pushed.is_empty() || !delivery.touched.is_empty();
    let about = delivery.about.clone();
    let shares = match is_work {
        true => appliance.database.read(move |db| shares(db, &integration, &about)).await?,
        false => Vec::new(),
    };
    let is_noted = hook.last_delivery_at.is_some_and(|last| now.since(last) < NOTED_EVERY)
        && hook.unsigned_since.is_none()
        && hook.signed_at.is_some() == delivery.signed;
    if shares.is_empty() && is_noted {
        return Ok(Taken::Ignored);
    }
    let (hook, size) = (hook.clone(), i64::try_from(size).unwrap_or(i64::MAX));
    appliance.database.write_hook(move |tx| taken(tx, &hook, &shares, &delivery, size, now)).await
}

fn taken(
    tx: &Tx<'_>,
    hook: &SystemHook,
    shares: &[Share],
    delivery: &Delivery,
    size: i64,
    now: Timestamp,
) -> store::Result<Taken> {
    system_hooks::note_call(tx, hook.id, &delivery.event, delivery.signed, now)?;
    let name: String = delivery.guid.chars().take(LONGEST_GUID).collect();
    let mut taken = Taken::Ignored;
    for share in shares {
        // Each synchronization has its own: what one does with it is none of the others' business.
        let guid = format!("{name}#{}", share.key.sync);
        if platform_deliveries::is_known(tx, &hook.integration, &guid)? {
            taken = Taken::Known;
            continue;
        }
        let Some(job) = queue(tx, share.key, delivery, now)? else { continue };
        let new = New {
            integration: &hook.integration,
            sync: share.key.sync,
            hook: None,
            guid: &guid,
            event: &delivery.event,
            subject: if share.knows { &delivery.subject } else { "" },
            size,
            job: Some(job),
        };
        platform_deliveries::record(share.key.org, tx, &new, now)?;
        taken = Taken::Queued;
    }
    Ok(taken)
}

/// The synchronizations that a delivery concerns.
fn shares(connection: &Connection, integration: &str, about: &About) -> store::Result<Vec<Share>> {
    let is_about_nothing = *about == About::default();
    let mut shares = Vec::new();
    for one in system_hooks::followers(connection, integration)? {
        let knows = knows(connection, integration, &one, about)?;
        if knows || is_about_nothing {
            shares.push(Share { key: SyncKey { org: one.org, sync: one.sync }, knows });
        }
    }
    Ok(shares)
}

fn knows(connection: &Connection, integration: &str, one: &Follower, about: &About) -> store::Result<bool> {
    if about.paths.iter().any(|path| is_near(path, &one.remote)) {
        return Ok(true);
    }
    if let Some(id) = &about.repository
        && system_hooks::knows_repository(connection, one, id)?
    {
        return Ok(true);
    }
    if let Some(id) = &about.team
        && (one.remote_id.as_ref() == Some(id) || system_hooks::knows_team(connection, one, id)?)
    {
        return Ok(true);
    }
    if let Some(part) = &about.page
        && system_hooks::has_read(connection, one, part)?
    {
        return Ok(true);
    }
    match &about.account {
        Some(id) => system_hooks::knows_account(connection, one, integration, id),
        None => Ok(false),
    }
}

/// Whether a path is that of what is followed, or in it, or what is followed is in that.
fn is_near(path: &str, followed: &str) -> bool {
    let (path, followed) = (path.to_lowercase(), followed.to_lowercase());
    let is_in = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    path == followed || is_in(&path, &followed) || is_in(&followed, &path)
}

#[cfg(test)]
mod tests {
    use super::is_near;

    #[test]
    fn what_is_in_the_group_or_around_it_is_near() {
        for (path, followed, expected) in [
            ("acme/sub", "acme/sub", true),
            ("Acme/Sub/lib", "acme/sub", true),
            ("acme", "acme/sub", true),
            ("acme/other", "acme/sub", false),
            ("acme/subs/lib", "acme/sub", false),
            ("acme/su", "acme/sub", false),
            ("", "acme", false),
        ] {
            assert_eq!(is_near(path, followed), expected, "{path} and {followed}");
        }
    }
}
