//! Topics of Amazon SNS that are subscribed to packages' webhooks.

use rusqlite::{Connection, OptionalExtension, Row};

use super::ids::{HookId, OrgId, PackageId, TopicId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// How many topics one hook may have: whoever knows its address can subscribe any.
const MOST: i64 = 20;

/// A topic that is subscribed to a hook, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its row.
    pub id: TopicId,
    /// The hook.
    pub hook: HookId,
    /// What AWS calls it.
    pub arn: String,
    /// `pending`, `confirmed`, `refused`, or `ended` where SNS says that the hook is subscribed no more.
    pub state: String,
    /// Why it is not confirmed.
    pub error: Option<String>,
    /// The message that asks for it, as long as that is not decided.
    pub message: Option<String>,
    /// The address that confirms it.
    pub confirm_url: Option<String>,
    /// When it was last asked for.
    pub asked_at: Timestamp,
    /// When its state last changed.
    pub changed_at: Timestamp,
}

const COLUMNS: &str = "t.id, t.hook_id, t.arn, t.state, t.error, t.message, t.confirm_url, t.asked_at, t.changed_at";

fn topic(row: &Row<'_>) -> rusqlite::Result<Topic> {
    Ok(Topic {
        id: row.get(0)?,
        hook: row.get(1)?,
        arn: row.get(2)?,
        state: row.get(3)?,
        error: row.get(4)?,
        message: row.get(5)?,
        confirm_url: row.get(6)?,
        asked_at: row.get(7)?,
        changed_at: row.get(8)?,
    })
}

/// Notes that a topic asks to be confirmed; none if the hook has too many already.
///
/// # Errors
/// If the database cannot be written.
pub fn ask(
    org: OrgId,
    tx: &Tx<'_>,
    hook: HookId,
    (arn, message, confirm_url): (&str, &str, &str),
    now: Timestamp,
) -> Result<Option<TopicId>> {
    let others: i64 = tx
        .prepare_cached("SELECT count(*) FROM hook_topic WHERE org_id = ?1 AND hook_id = ?2 AND arn <> ?3")?
        .query_row((org, hook, arn), |row| row.get(0))?;
    // What was refused or has ended makes room, so that nobody keeps a topic out by sending others.
    if others >= MOST {
        let removed = tx
            .prepare_cached(
                "DELETE FROM hook_topic WHERE id =
                     (SELECT id FROM hook_topic WHERE org_id = ?1 AND hook_id = ?2 AND arn <> ?3
                          AND state IN ('refused', 'ended') ORDER BY changed_at LIMIT 1)",
            )?
            .execute((org, hook, arn))?;
        if removed == 0 {
            return Ok(None);
        }
    }
    let id = tx
        .prepare_cached(
            "INSERT INTO hook_topic (org_id, hook_id, arn, state, message, confirm_url, asked_at, changed_at)
             VALUES (?1, ?2, ?3, 'pending', ?4, ?5, ?6, ?6)
             ON CONFLICT (hook_id, arn) DO UPDATE SET message = ?4, confirm_url = ?5, asked_at = ?6, error = NULL,
                 changed_at = CASE state WHEN 'confirmed' THEN changed_at ELSE ?6 END,
                 state = CASE state WHEN 'confirmed' THEN 'confirmed' ELSE 'pending' END
             RETURNING id",
        )?
        .query_row((org, hook, arn, message, confirm_url, now), |row| row.get(0))?;
    Ok(Some(id))
}

/// The topic of this row.
///
/// # Errors
/// If the database cannot be read.
pub fn by_id(org: OrgId, connection: &Connection, id: TopicId) -> Result<Option<Topic>> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM hook_topic t WHERE t.org_id = ?1 AND t.id = ?2"))?
        .query_row((org, id), topic)
        .optional()?)
}

/// The topics of a package's hooks that still answer, the newest first.
///
/// # Errors
/// If the database cannot be read.
pub fn of_package(org: OrgId, connection: &Connection, package: PackageId) -> Result<Vec<Topic>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM hook h JOIN hook_topic t ON t.hook_id = h.id
             WHERE h.org_id = ?1 AND h.package_id = ?2 AND h.removed_at IS NULL ORDER BY t.asked_at DESC, t.id DESC"
        ))?
        .query_map((org, package), topic)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Notes that a topic was confirmed. `subscription`: what SNS calls the subscription.
///
/// # Errors
/// If the database cannot be written.
pub fn set_confirmed(org: OrgId, tx: &Tx<'_>, id: TopicId, subscription: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE hook_topic SET state = 'confirmed', error = NULL, message = NULL, confirm_url = NULL, subscription = ?3,
             changed_at = ?4
         WHERE org_id = ?1 AND id = ?2",
        (org, id, subscription, now),
    )?;
    Ok(())
}

/// Notes why a topic is not confirmed. `is_final`: whether nothing more is tried for it.
///
/// # Errors
/// If the database cannot be written.
pub fn set_unconfirmed(
    org: OrgId,
    tx: &Tx<'_>,
    id: TopicId,
    error: &str,
    is_final: bool,
    now: Timestamp,
) -> Result<()> {
    let state = if is_final { "refused" } else { "pending" };
    tx.execute(
        "UPDATE hook_topic SET error = ?3, state = ?4, changed_at = ?5,
             message = CASE ?4 WHEN 'refused' THEN NULL ELSE message END,
             confirm_url = CASE ?4 WHEN 'refused' THEN NULL ELSE confirm_url END
         WHERE org_id = ?1 AND id = ?2 AND state <> 'confirmed'",
        (org, id, error, state, now),
    )?;
    Ok(())
}

/// Notes that SNS says that a hook is subscribed to a topic no more.
///
/// # Errors
/// If the database cannot be written.
pub fn set_ended(org: OrgId, tx: &Tx<'_>, hook: HookId, arn: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE hook_topic SET state = 'ended', message = NULL, confirm_url = NULL, changed_at = ?4
         WHERE org_id = ?1 AND hook_id = ?2 AND arn = ?3",
        (org, hook, arn, now),
    )?;
    Ok(())
}
