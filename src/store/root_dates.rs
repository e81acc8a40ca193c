//! The date of each content of an organization's `packages.json`.

use super::ids::OrgId;
use super::{Result, Tx};

/// How many contents' dates an organization keeps.
const KEPT: i64 = 10_000;

/// The date of the content with this digest: the one it had before, else now, but later than any
/// that was ever given, so that distinct contents never share a second.
///
/// # Errors
/// If the database cannot be written.
pub fn date_of(org: OrgId, tx: &Tx<'_>, digest: &[u8; 32], now: i64) -> Result<i64> {
    let date = tx
        .prepare_cached(
            "INSERT INTO root_date (org_id, digest, last_modified)
             VALUES (?1, ?2, max(?3, (SELECT coalesce(max(last_modified), 0) + 1
                                      FROM root_date WHERE org_id = ?1)))
             ON CONFLICT (org_id, digest) DO UPDATE SET last_modified = last_modified
             RETURNING last_modified",
        )?
        .query_row((org, digest.as_slice(), now), |row| row.get(0))?;
    // The newest is never deleted: the next date is counted from it.
    tx.prepare_cached(
        "DELETE FROM root_date WHERE org_id = ?1 AND last_modified <=
             (SELECT last_modified FROM root_date WHERE org_id = ?1
              ORDER BY last_modified DESC LIMIT 1 OFFSET ?2)",
    )?
    .execute((org, KEPT))?;
    Ok(date)
}
