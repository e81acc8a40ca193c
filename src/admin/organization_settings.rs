//! How an organization's people log in, and whether found ones wait: what only owners decide.

use serde_json::json;

use super::{Actor, Error, Result, members as use_members};
use crate::access::facts::Policy;
use crate::access::login::LoginRule;
use crate::appliance::Appliance;
use crate::store::ids::OrgId;
use crate::store::policies;

/// In whose hands a setting is while it is changed, so that nobody locks themselves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setter {
    /// A command, or an administrator of the instance: they always get in.
    Instance,
    /// A person in a session that began with a login by this integration, or with a password.
    Session(Option<String>),
}

/// What the organization says about everybody's access.
///
/// # Errors
/// If the database cannot be read.
pub async fn policy(appliance: &Appliance, org: OrgId) -> Result<Policy> {
    Ok(appliance.database.read(move |db| policies::of(org, db)).await?)
}

/// Lets people in only if they log in by one of these integrations, or (none) by any way. It counts from the next request,
/// for sessions and user tokens alike.
///
/// # Errors
/// If nobody was ever known by an integration, or no owner could get in any more, or whoever sets it could not.
pub async fn set_login_rule(
    appliance: &Appliance,
    actor: &Actor,
    setter: Setter,
    org: OrgId,
    integrations: &[String],
) -> Result<()> {
    let rule = LoginRule::of(integrations.iter().map(String::as_str));
    let (actor, now) = (actor.clone(), appliance.now());
    appliance
        .database
        .write(move |tx| {
            for integration in rule.integrations() {
                if !policies::knows_integration(tx, integration)? {
                    return Err(Error::not_found(format!(
                        "nobody logged in by an integration `{}` yet, so that it would let nobody in: log in by it once, and set the rule then",
                        integration.escape_debug()
                    )));
                }
            }
            if let Setter::Session(by) = &setter
                && !rule.admits_session(by.as_deref())
            {
                return Err(Error::conflict(format!(
                    "you would lock yourself out: log in by {} first, and set the rule then",
                    rule.integrations().join(" or ")
                )));
            }
            let owners = use_members::owners(tx, org, now)?;
            let before = policies::of(org, tx)?.login;
            policies::set_login_rule(org, tx, &rule)?;
            if !owners.is_empty() && use_members::owners(tx, org, now)?.is_empty() {
                return Err(Error::conflict(format!(
                    "no owner of the organization could get in any more: one of them has to connect an account of {} first",
                    rule.integrations().join(" or ")
                )));
            }
            let detail = json!({ "integrations": rule.integrations(), "before": before.integrations() });
            actor.record(tx, Some(org), "organization.set-login-rule", &slug(tx, org)?, detail, now)?;
            Ok(())
        })
        .await
}

/// Whether people whom a synchronization finds from now on wait until an administrator says yes. Those who are there
/// already stay what they are.
///
/// # Errors
/// If the database cannot be written.
pub async fn set_manual_activation(appliance: &Appliance, actor: &Actor, org: OrgId, manual: bool) -> Result<()> {
    let (actor, now) = (actor.clone(), appliance.now());
    appliance
        .database
        .write(move |tx| {
            policies::set_manual(org, tx, manual)?;
            let detail = json!({ "activation": if manual { "manual" } else { "automatic" } });
            actor.record(tx, Some(org), "organization.set-activation", &slug(tx, org)?, detail, now)?;
            Ok(())
        })
        .await
}

fn slug(tx: &crate::store::Tx<'_>, org: OrgId) -> Result<String> {
    Ok(crate::store::organizations::by_id(org, tx)?.map(|one| one.slug).unwrap_or_default())
}
