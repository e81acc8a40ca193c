//! Reading the audit log: by page and filter, newest first, and as a whole, oldest first.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::Result;
use super::ids::OrgId;
use crate::clock::Timestamp;

/// An entry as it was written.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place in the log.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// The organization's address, or its former row where it is gone.
    pub organization: Option<String>,
    /// Who.
    pub actor: String,
    /// What, as `noun.verb`.
    pub action: String,
    /// To what.
    pub subject: String,
    /// What else is worth knowing, as JSON.
    pub detail: String,
    /// `browser`, `command`, `api` or `system`; none in entries from before there was more than one.
    pub via: Option<String>,
    /// From where.
    pub address: Option<String>,
}

/// Which entries are wanted; without anything, all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those of an organization.
    pub org: Option<OrgId>,
    /// A text in actor, subject, detail or address.
    pub text: Option<String>,
    /// The noun of actions, such as `token`.
    pub noun: Option<String>,
    /// By which way.
    pub via: Option<String>,
    /// From this instant on.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
}

/// Entries counted at most: more are told as "more than".
pub const MOST_COUNTED: i64 = 100_000;

const COLUMNS: &str =
    "a.id, a.at, coalesce((SELECT slug FROM organization o WHERE o.id = a.org_id), a.org_id), a.actor,
    a.action, a.subject, a.detail, a.via, a.address";

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let organization = match row.get(2)? {
        Value::Text(slug) => Some(slug),
        Value::Integer(id) => Some(format!("organization {id}")),
        _ => None,
    };
    Ok(Entry {
        id: row.get(0)?,
        at: row.get(1)?,
        organization,
        actor: row.get(3)?,
        action: row.get(4)?,
        subject: row.get(5)?,
        detail: row.get(6)?,
        via: row.get(7)?,
        address: row.get(8)?,
    })
}

impl Filter {
    /// The condition with its values. The texts are ours; what people typed is in the values alone.
    fn condition(&self) -> (String, Vec<Value>) {
        let (mut condition, mut values) = ("1".to_owned(), Vec::new());
        let mut add = |text: &str, value: Value| {
            condition.push_str(" AND ");
            condition.push_str(text);
            values.push(value);
        };
        if let Some(org) = self.org {
            add("a.org_id = ?", Value::Integer(org.0));
        }
        if let Some(text) = &self.text {
            add(
                "instr(lower(a.actor || ' ' || a.subject || ' ' || a.detail || ' ' || ifnull(a.address, '')), lower(?)) > 0",
                Value::Text(text.clone()),
            );
        }
        if let Some(noun) = &self.noun {
            add("a.action >= ?", Value::Text(format!("{noun}.")));
            add("a.action < ?", Value::Text(format!("{noun}/")));
        }
        if let Some(via) = &self.via {
            add("a.via = ?", Value::Text(via.clone()));
        }
        if let Some(from) = self.from {
            add("a.at >= ?", Value::Integer(from.as_micros()));
        }
        if let Some(until) = self.until {
            add("a.at < ?", Value::Integer(until.as_micros()));
        }
        (condition, values)
    }
}

/// Up to `limit` entries before the one with the id `before`, newest first.
///
/// # Errors
/// If the database cannot be read.
pub fn newest(connection: &Connection, filter: &Filter, before: Option<i64>, limit: u32) -> Result<Vec<Entry>> {
    let (condition, mut values) = filter.condition();
    values.push(Value::Integer(before.unwrap_or(i64::MAX)));
    values.push(Value::Integer(limit.into()));
    let sql = format!("SELECT {COLUMNS} FROM audit a WHERE {condition} AND a.id < ? ORDER BY a.id DESC LIMIT ?");
    read(connection, &sql, values)
}

/// Up to `limit` entries after the one with the id `after`, oldest first.
///
/// # Errors
/// If the database cannot be read.
pub fn oldest(connection: &Connection, filter: &Filter, after: i64, limit: u32) -> Result<Vec<Entry>> {
    let (condition, mut values) = filter.condition();
    values.push(Value::Integer(after));
    values.push(Value::Integer(limit.into()));
    let sql = format!("SELECT {COLUMNS} FROM audit a WHERE {condition} AND a.id > ? ORDER BY a.id LIMIT ?");
    read(connection, &sql, values)
}

/// How many entries there are, counted up to [`MOST_COUNTED`] and one more.
///
/// # Errors
/// If the database cannot be read.
pub fn count(connection: &Connection, filter: &Filter) -> Result<i64> {
    let (condition, values) = filter.condition();
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM audit a WHERE {condition} LIMIT {})", MOST_COUNTED + 1);
    Ok(connection.prepare_cached(&sql)?.query_row(params_from_iter(values), |row| row.get(0))?)
}

/// The nouns of the actions that there are, for a choice of them.
///
/// # Errors
/// If the database cannot be read.
pub fn nouns(connection: &Connection, filter: &Filter) -> Result<Vec<String>> {
    let (condition, values) = Filter { org: filter.org, ..Filter::default() }.condition();
    let sql = format!(
        "SELECT DISTINCT substr(action, 1, instr(action, '.') - 1) FROM (
             SELECT DISTINCT a.action FROM audit a WHERE {condition}
         ) ORDER BY 1"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let nouns = statement.query_map(params_from_iter(values), |row| row.get(0))?;
    Ok(nouns.collect::<rusqlite::Result<_>>()?)
}

fn read(connection: &Connection, sql: &str, values: Vec<Value>) -> Result<Vec<Entry>> {
    let mut statement = connection.prepare_cached(sql)?;
    let entries = statement.query_map(params_from_iter(values), entry)?;
    Ok(entries.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use rusqlite::Connection;
    use serde_json::json;

    use super::{Filter, count, newest, nouns, oldest};
    use crate::clock::Timestamp;
    use crate::store::database::{Change, Observer};
    use crate::store::{Database, Error, audit};

    struct Nobody;

    impl Observer for Nobody {
        fn committed(&mut self, _: &Connection, _: &[Change]) {}
    }

    #[tokio::test]
    async fn entries_are_found_by_what_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("db"), Box::new(Nobody)).unwrap();
        for (second, action, subject) in
            [(1, "token.add", "CI"), (2, "token.revoke", "CI"), (3, "tokens.x", "100%"), (4, "user.add", "ada")]
        {
            let entry = audit::Entry {
                org: None,
                actor: "command".to_owned(),
                action,
                subject: subject.to_owned(),
                detail: json!({}),
                via: audit::Via::Command,
                address: None,
            };
            let at = Timestamp::from_seconds(second);
            database.write(move |tx| audit::append(tx, &entry, at)).await.unwrap();
        }
        let found = move |filter: Filter| {
            let database = database.clone();
            async move {
                database
                    .read(move |db| {
                        assert_eq!(count(db, &filter)?, newest(db, &filter, None, 9)?.len() as i64);
                        Ok::<_, Error>(
                            newest(db, &filter, None, 9)?.into_iter().map(|entry| entry.id).collect::<Vec<_>>(),
                        )
                    })
                    .await
                    .unwrap()
            }
        };
        assert_eq!(found(Filter::default()).await, [4, 3, 2, 1]);
        assert_eq!(found(Filter { noun: Some("token".to_owned()), ..Filter::default() }).await, [2, 1]);
        assert_eq!(found(Filter { text: Some("ADA".to_owned()), ..Filter::default() }).await, [4]);
        assert_eq!(found(Filter { text: Some("%".to_owned()), ..Filter::default() }).await, [3]);
        let span = Filter {
            from: Some(Timestamp::from_seconds(2)),
            until: Some(Timestamp::from_seconds(4)),
            ..Filter::default()
        };
        assert_eq!(found(span).await, [3, 2]);
        let outside = Connection::open(folder.path().join("db")).unwrap();
        let ids = |entries: Vec<super::Entry>| entries.into_iter().map(|entry| entry.id).collect::<Vec<_>>();
        assert_eq!(ids(newest(&outside, &Filter::default(), Some(3), 1).unwrap()), [2]);
        assert_eq!(ids(oldest(&outside, &Filter::default(), 1, 2).unwrap()), [2, 3]);
        assert_eq!(nouns(&outside, &Filter::default()).unwrap(), ["token", "tokens", "user"]);
    }
}
