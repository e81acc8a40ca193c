//! Reading the audit log, as pages, commands and exports need it.

use serde_json::{Value, json};

use super::Result;
use crate::appliance::Appliance;
use crate::store::audit_log;

pub use crate::store::audit_log::{Entry, Filter};

/// Entries read at once by an export.
const PIECE: u32 = 500;

/// A page of the log.
#[derive(Debug)]
pub struct Page {
    /// The entries, newest first.
    pub entries: Vec<Entry>,
    /// How many fit altogether, counted up to a bound.
    pub total: i64,
    /// The nouns that there are to choose from.
    pub nouns: Vec<String>,
    /// What the next page's entries are before, if there is one.
    pub next: Option<i64>,
}

/// The entries before one, newest first.
///
/// # Errors
/// If the database cannot be read.
pub async fn page(appliance: &Appliance, filter: Filter, before: Option<i64>, limit: u32) -> Result<Page> {
    appliance
        .database
        .read(move |db| {
            // One more than is shown tells whether there is another page.
            let mut entries = audit_log::newest(db, &filter, before, limit + 1)?;
            let more = entries.len() > limit as usize;
            entries.truncate(limit as usize);
            let next = entries.last().filter(|_| more).map(|entry| entry.id);
            Ok(Page { next, total: audit_log::count(db, &filter)?, nouns: audit_log::nouns(db, &filter)?, entries })
        })
        .await
}

/// Entries after the one with this id as JSON lines, oldest first, and the id of the last; none when there are no more.
///
/// # Errors
/// If the database cannot be read.
pub async fn lines(appliance: &Appliance, filter: Filter, after: i64) -> Result<(String, Option<i64>)> {
    let entries = appliance.database.read(move |db| audit_log::oldest(db, &filter, after, PIECE)).await?;
    let last = entries.last().map(|entry| entry.id);
    Ok((entries.iter().map(|entry| format!("{}\n", json(entry))).collect(), last))
}

fn json(entry: &Entry) -> Value {
    json!({
        "id": entry.id,
        "at": entry.at,
        "org": entry.organization,
        "actor": entry.actor,
        "via": entry.via,
        "address": entry.address,
        "action": entry.action,
        "subject": entry.subject,
        "detail": serde_json::from_str::<Value>(&entry.detail).unwrap_or(Value::Null),
    })
}
