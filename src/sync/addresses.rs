//! Whose an account of a platform is, where its verified e-mail address says so: people who came here by another way, such as
//! a directory of the company, see what the platform lets them read without having to sign in by it first. Only where an
//! administrator trusts the integration with that, and the platform tells addresses to the credential.

use serde_json::json;

use super::request::SyncKey;
use crate::appliance::Appliance;
use crate::clock::Timestamp;
use crate::platform::{Hub, HubError, Key};
use crate::publish::log::Log;
use crate::store::{self, Tx, accounts, audit, users};

/// How many people are asked about in one run.
const MOST: i64 = 900;

/// Connects them. What the platform does not tell ends no run.
///
/// # Errors
/// If the database cannot be read or written.
pub(super) async fn connect(
    appliance: &Appliance,
    key: SyncKey,
    (hub, credential): (&Hub, &Key),
    organization: &str,
    log: &Log,
) -> store::Result<()> {
    if !hub.site().link_by_email {
        return Ok(());
    }
    let integration = hub.site().id.clone();
    let addresses = appliance.database.read(move |db| users::unconnected_addresses(db, &integration, MOST)).await?;
    if addresses.is_empty() {
        return Ok(());
    }
    let told = match hub.by_addresses(credential, organization, &addresses).await {
        Ok(told) => told,
        Err(HubError::Unsupported(_)) => return Ok(()),
        Err(error) => {
            log.info(format!("Nobody is known by an e-mail address: {error}"));
            return Ok(());
        }
    };
    let (integration, now) = (hub.site().id.clone(), appliance.now());
    let write = appliance.database.write(move |tx| {
        let mut names = Vec::new();
        for (address, subject) in &told {
            names.extend(one(tx, key, (&integration, subject), address, now)?);
        }
        Ok::<_, store::Error>(names)
    });
    for name in write.await? {
        log.info(format!("{name} has the e-mail address of an account there, which is theirs from now on"));
    }
    Ok(())
}

/// Connects an account that is nobody's with the one person who has its address; the person's name if it did.
fn one(
    tx: &Tx<'_>,
    key: SyncKey,
    (integration, subject): (&str, &str),
    address: &str,
    now: Timestamp,
) -> store::Result<Option<String>> {
    let account = accounts::by_subject(tx, integration, subject)?;
    let Some(account) = account.filter(|one| one.user.is_none() && one.suspended_at.is_none()) else { return Ok(None) };
    let mut found = users::by_email(tx, address, true)?;
    let Some(user) = found.pop().filter(|user| found.is_empty() && user.enabled && !user.admin) else {
        return Ok(None);
    };
    if accounts::of_user(tx, user.id)?.iter().any(|other| other.integration == integration) {
        return Ok(None);
    }
    accounts::connect(tx, account.id, user.id, now)?;
    let entry = audit::Entry {
        org: None,
        actor: "sync".to_owned(),
        action: "account.connect-by-email",
        subject: user.name.clone(),
        detail: json!({ "integration": integration, "login": account.login, "sync": key.sync }),
        via: audit::Via::System,
        address: None,
    };
    audit::append(tx, &entry, now)?;
    Ok(Some(user.name))
}
