//! What an organization says about everybody's access: how people log in, and whether found ones wait.

use rusqlite::{Connection, OptionalExtension};

use super::database::Change;
use super::ids::OrgId;
use super::{Result, Tx};
use crate::access::facts::Policy;
use crate::access::login::LoginRule;

/// The organization's policy.
///
/// # Errors
/// If the database cannot be read.
pub fn of(org: OrgId, connection: &Connection) -> Result<Policy> {
    let integrations: Vec<String> = connection
        .prepare_cached("SELECT integration FROM login_rule WHERE org_id = ?1 ORDER BY integration")?
        .query_map([org], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let manual = connection
        .prepare_cached("SELECT activation = 'manual' FROM organization WHERE id = ?1")?
        .query_row([org], |row| row.get(0))
        .optional()?;
    Ok(Policy { login: LoginRule::of(integrations), manual: manual.unwrap_or(true) })
}

/// Lets people in who logged in by one of these integrations, which must be recorded; by any way if there are none.
///
/// # Errors
/// If the database cannot be written, or an integration was never recorded.
pub fn set_login_rule(org: OrgId, tx: &Tx<'_>, rule: &LoginRule) -> Result<()> {
    tx.execute("DELETE FROM login_rule WHERE org_id = ?1", [org])?;
    for integration in rule.integrations() {
        tx.execute("INSERT INTO login_rule (org_id, integration) VALUES (?1, ?2)", (org, integration))?;
    }
    tx.changed(Change::Access(org));
    Ok(())
}

/// Whether people were ever known by this integration; a rule can only name such.
///
/// # Errors
/// If the database cannot be read.
pub fn knows_integration(connection: &Connection, integration: &str) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM integration WHERE id = ?1)")?
        .query_row([integration], |row| row.get(0))?)
}

/// Whether people whom a synchronization finds wait for an administrator.
///
/// # Errors
/// If the database cannot be written.
pub fn set_manual(org: OrgId, tx: &Tx<'_>, manual: bool) -> Result<()> {
    let activation = if manual { "manual" } else { "automatic" };
    tx.execute("UPDATE organization SET activation = ?2 WHERE id = ?1", (org, activation))?;
    tx.changed(Change::Access(org));
    Ok(())
}
