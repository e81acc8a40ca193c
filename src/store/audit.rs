//! The audit log: append-only, each entry's hash covering the one before it.

use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

use super::ids::OrgId;
use super::{Result, Tx};
use crate::clock::Timestamp;

/// Something that somebody did.
#[derive(Clone, Debug)]
pub struct Entry {
    /// In which organization; none for the instance.
    pub org: Option<OrgId>,
    /// Who: an account's name, `command`, or `system`.
    pub actor: String,
    /// What, as `noun.verb`.
    pub action: &'static str,
    /// To what.
    pub subject: String,
    /// What else is worth knowing: JSON, never a secret.
    pub detail: serde_json::Value,
}

/// Appends an entry in the transaction of the change that it tells of.
///
/// # Errors
/// If the database cannot be written.
pub fn append(tx: &Tx<'_>, entry: &Entry, now: Timestamp) -> Result<()> {
    let previous: Option<Vec<u8>> = tx
        .prepare_cached("SELECT hash FROM audit ORDER BY id DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let previous = previous.unwrap_or_default();
    let detail = entry.detail.to_string();
    let hash = hash(&previous, (now, entry.org, &entry.actor, entry.action, &entry.subject, &detail));
    tx.prepare_cached(
        "INSERT INTO audit (at, org_id, actor, action, subject, detail, previous, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute((now, entry.org, &entry.actor, entry.action, &entry.subject, &detail, previous, hash.as_slice()))?;
    Ok(())
}

type Content<'a> = (Timestamp, Option<OrgId>, &'a str, &'a str, &'a str, &'a str);

/// Each field goes in with its length, so that none can borrow from its neighbour.
fn hash(previous: &[u8], content: Content<'_>) -> [u8; 32] {
    let (at, org, actor, action, subject, detail) = content;
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(at.as_micros().to_le_bytes());
    hash.update(org.map_or(0, |org| org.0).to_le_bytes());
    for field in [actor, action, subject, detail] {
        hash.update((field.len() as u64).to_le_bytes());
        hash.update(field.as_bytes());
    }
    hash.finalize().into()
}

/// The first entry whose hash does not fit, if the log was tampered with.
///
/// # Errors
/// If the database cannot be read.
pub fn first_broken(connection: &Connection) -> Result<Option<i64>> {
    let mut statement = connection
        .prepare("SELECT id, at, org_id, actor, action, subject, detail, previous, hash FROM audit ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut last = Vec::new();
    while let Some(row) = rows.next()? {
        let (actor, action): (String, String) = (row.get(3)?, row.get(4)?);
        let (subject, detail): (String, String) = (row.get(5)?, row.get(6)?);
        let previous: Vec<u8> = row.get(7)?;
        let stored: Vec<u8> = row.get(8)?;
        let expected = hash(&previous, (row.get(1)?, row.get(2)?, &actor, &action, &subject, &detail));
        if previous != last || stored != expected {
            return Ok(Some(row.get(0)?));
        }
        last = stored;
    }
    Ok(None)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use rusqlite::Connection;
    use serde_json::json;

    use super::{Entry, append, first_broken};
    use crate::clock::Timestamp;
    use crate::store::database::{Change, Observer};
    use crate::store::{Database, Error};

    struct Nobody;

    impl Observer for Nobody {
        fn committed(&mut self, _: &Connection, _: &[Change]) {}
    }

    #[tokio::test]
    async fn entries_cannot_be_changed_and_tampering_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let database = Database::open(&path, Box::new(Nobody)).unwrap();
        for subject in ["one", "two", "three"] {
            let entry = Entry {
                org: None,
                actor: "command".to_owned(),
                action: "test.done",
                subject: subject.to_owned(),
                detail: json!({}),
            };
            database.write(move |tx| append(tx, &entry, Timestamp::from_seconds(1))).await.unwrap();
        }
        assert_eq!(database.read(first_broken).await.unwrap(), None);
        for forbidden in ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"] {
            let refused: Result<(), Error> = database.write(|tx| Ok(tx.execute_batch(forbidden)?)).await;
            assert!(refused.unwrap_err().to_string().contains("append-only"));
        }
        let outside = Connection::open(&path).unwrap();
        outside
            .execute_batch("DROP TRIGGER audit_no_update; UPDATE audit SET subject = 'forged' WHERE subject = 'two'")
            .unwrap();
        assert_eq!(database.read(first_broken).await.unwrap(), Some(2));
    }
}
