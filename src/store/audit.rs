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
    /// By what way.
    pub via: Via,
    /// From which address, for what came over the network.
    pub address: Option<String>,
}

/// By what way somebody did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// On a page.
    Browser,
    /// By a command on this machine.
    Command,
    /// By the API.
    Api,
    /// Nobody: the program itself.
    System,
}

impl Via {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Command => "command",
            Self::Api => "api",
            Self::System => "system",
        }
    }
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
    let (via, address) = (entry.via.as_str(), entry.address.as_deref());
    let texts = [&entry.actor, entry.action, &entry.subject, &detail];
    let hash = hash(&previous, &Content { at: now, org: entry.org, texts, via: Some(via), address });
    tx.prepare_cached(
        "INSERT INTO audit (at, org_id, actor, action, subject, detail, previous, hash, via, address)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(rusqlite::params![
        now,
        entry.org,
        &entry.actor,
        entry.action,
        &entry.subject,
        &detail,
        previous,
        hash.as_slice(),
        via,
        address
    ])?;
    Ok(())
}

/// What an entry's hash covers.
struct Content<'a> {
    at: Timestamp,
    org: Option<OrgId>,
    /// Who, what, to what, and the detail.
    texts: [&'a str; 4],
    via: Option<&'a str>,
    address: Option<&'a str>,
}

/// Each field goes in with its length, so that none can borrow from its neighbour; what not every entry has, with a mark of
/// its own, so that entries from before there was such a field keep their hash.
fn hash(previous: &[u8], content: &Content<'_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(content.at.as_micros().to_le_bytes());
    hash.update(content.org.map_or(0, |org| org.0).to_le_bytes());
    let mut field = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    content.texts.into_iter().for_each(&mut field);
    for (mark, text) in [("via", content.via), ("address", content.address)] {
        if let Some(text) = text {
            field(mark);
            field(text);
        }
    }
    hash.finalize().into()
}

/// The first entry whose hash does not fit, if the log was tampered with.
///
/// # Errors
/// If the database cannot be read.
pub fn first_broken(connection: &Connection) -> Result<Option<i64>> {
    let mut statement = connection.prepare(
        "SELECT id, at, org_id, actor, action, subject, detail, previous, hash, via, address FROM audit ORDER BY id",
    )?;
    let mut rows = statement.query([])?;
    let mut last = Vec::new();
    while let Some(row) = rows.next()? {
        let (actor, action): (String, String) = (row.get(3)?, row.get(4)?);
        let (subject, detail): (String, String) = (row.get(5)?, row.get(6)?);
        let previous: Vec<u8> = row.get(7)?;
        let stored: Vec<u8> = row.get(8)?;
        let (via, address): (Option<String>, Option<String>) = (row.get(9)?, row.get(10)?);
        let expected = hash(
            &previous,
            &Content {
                at: row.get(1)?,
                org: row.get(2)?,
                texts: [&actor, &action, &subject, &detail],
                via: via.as_deref(),
                address: address.as_deref(),
            },
        );
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

    use super::{Content, Entry, Via, append, first_broken, hash};
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
                via: Via::Browser,
                address: Some("192.0.2.1".to_owned()),
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
        outside.execute_batch("UPDATE audit SET subject = 'two', address = '192.0.2.2' WHERE id = 2").unwrap();
        assert_eq!(database.read(first_broken).await.unwrap(), Some(2), "where from is part of it");
        outside.execute_batch("UPDATE audit SET address = '192.0.2.1', via = 'command' WHERE id = 2").unwrap();
        assert_eq!(database.read(first_broken).await.unwrap(), Some(2), "and by what way");
        outside.execute_batch("UPDATE audit SET via = 'browser' WHERE id = 2").unwrap();
        assert_eq!(database.read(first_broken).await.unwrap(), None);
    }

    #[test]
    fn entries_from_before_there_were_ways_keep_their_hash() {
        let content = Content {
            at: Timestamp::from_seconds(1),
            org: None,
            texts: ["a", "b", "c", "{}"],
            via: None,
            address: None,
        };
        // What the releases before wrote for this content.
        assert_eq!(hash(&[], &content)[..8], [0x2e, 0x29, 0xa9, 0x21, 0x85, 0x02, 0x9f, 0xe7]);
    }
}
