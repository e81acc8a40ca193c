//! Answers of platforms that may be good still, so that runs ask again only for what changed. Bodies are compressed by
//! whoever stores them.

use rusqlite::Connection;

use super::ids::{OrgId, SyncId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// An answer.
#[derive(Clone, Debug)]
pub struct Page {
    /// What was asked for.
    pub url: String,
    /// How the platform calls this state of it.
    pub etag: Option<String>,
    /// Where the list goes on.
    pub next: Option<String>,
    /// What it said, compressed.
    pub body: Vec<u8>,
}

/// The answers that a synchronization keeps.
///
/// # Errors
/// If the database cannot be read.
pub fn all(org: OrgId, connection: &Connection, sync: SyncId) -> Result<Vec<Page>> {
    connection
        .prepare_cached("SELECT url, etag, next, body FROM sync_page WHERE org_id = ?1 AND sync_id = ?2")?
        .query_map((org, sync), |row| {
            Ok(Page { url: row.get(0)?, etag: row.get(1)?, next: row.get(2)?, body: row.get(3)? })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Keeps an answer instead of the one before.
///
/// # Errors
/// If the database cannot be written.
pub fn put(org: OrgId, tx: &Tx<'_>, sync: SyncId, page: &Page, now: Timestamp) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO sync_page (org_id, sync_id, url, etag, next, body, fetched_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (org_id, sync_id, url) DO UPDATE SET etag = excluded.etag, next = excluded.next,
             body = excluded.body, fetched_at = excluded.fetched_at",
    )?
    .execute((org, sync, &page.url, &page.etag, &page.next, &page.body, now))?;
    Ok(())
}

/// Forgets an answer.
///
/// # Errors
/// If the database cannot be written.
pub fn remove(org: OrgId, tx: &Tx<'_>, sync: SyncId, url: &str) -> Result<()> {
    tx.prepare_cached("DELETE FROM sync_page WHERE org_id = ?1 AND sync_id = ?2 AND url = ?3")?
        .execute((org, sync, url))?;
    Ok(())
}

/// Forgets all answers, so that everything is asked for anew.
///
/// # Errors
/// If the database cannot be written.
pub fn remove_all(org: OrgId, tx: &Tx<'_>, sync: SyncId) -> Result<()> {
    tx.execute("DELETE FROM sync_page WHERE org_id = ?1 AND sync_id = ?2", (org, sync))?;
    Ok(())
}
