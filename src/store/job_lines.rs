//! What jobs of the instance did, line by line. They are pruned with their job.

use rusqlite::{Connection, Row};

use super::database::Change;
use super::ids::JobId;
use super::{Result, Tx};
use crate::clock::Timestamp;

/// How many lines of one job are kept: the newest.
pub const KEPT: i64 = 500;

/// A line of a job's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Counts within the job, from 1.
    pub number: i64,
    /// When it was said.
    pub at: Timestamp,
    /// `info`, `warn` or `fail`.
    pub level: String,
    /// What was said.
    pub text: String,
}

/// What a new line is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct New {
    /// When it is said.
    pub at: Timestamp,
    /// `info`, `warn` or `fail`.
    pub level: &'static str,
    /// What is said.
    pub text: String,
}

fn line(row: &Row<'_>) -> rusqlite::Result<Line> {
    Ok(Line { number: row.get(0)?, at: row.get(1)?, level: row.get(2)?, text: row.get(3)? })
}

/// Adds lines to a job's log, whose oldest ones go once there are more than [`KEPT`]. Nothing happens if the job is gone.
///
/// # Errors
/// If the database cannot be written.
pub fn append(tx: &Tx<'_>, job: JobId, lines: &[New]) -> Result<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO job_line (job_id, number, at, level, text)
         SELECT id, coalesce((SELECT max(number) FROM job_line WHERE job_id = ?1), 0) + 1, ?2, ?3, ?4
         FROM job WHERE id = ?1",
    )?;
    for new in lines {
        insert.execute((job, new.at, new.level, &new.text))?;
    }
    tx.prepare_cached(
        "DELETE FROM job_line
         WHERE job_id = ?1 AND number <= (SELECT max(number) FROM job_line WHERE job_id = ?1) - ?2",
    )?
    .execute((job, KEPT))?;
    if !lines.is_empty() {
        tx.changed(Change::Jobs);
    }
    Ok(())
}

/// The lines of a job after one of them, oldest first.
///
/// # Errors
/// If the database cannot be read.
pub fn after(connection: &Connection, job: JobId, number: i64) -> Result<Vec<Line>> {
    connection
        .prepare_cached(
            "SELECT number, at, level, text FROM job_line WHERE job_id = ?1 AND number > ?2 ORDER BY number",
        )?
        .query_map((job, number), line)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{KEPT, New, after, append};
    use crate::clock::Timestamp;
    use crate::store::database::{Change, Observer};
    use crate::store::ids::JobId;
    use crate::store::{self, Database, jobs};

    struct Nobody;

    impl Observer for Nobody {
        fn committed(&mut self, _: &rusqlite::Connection, _: &[Change]) {}
    }

    #[tokio::test]
    async fn the_newest_lines_are_kept_until_their_job_goes() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("db"), Box::new(Nobody)).unwrap();
        let now = Timestamp::from_seconds(1_000);
        let new = jobs::New {
            org: None,
            package: None,
            kind: "x",
            payload: "{}".to_owned(),
            dedupe_key: "x".to_owned(),
            lane: "prompt",
            run_at: now,
        };
        let job = database.write(move |tx| jobs::enqueue(tx, &new, now)).await.unwrap();
        let lines = |count: i64| -> Vec<New> {
            (0..count).map(|n| New { at: now, level: "info", text: n.to_string() }).collect()
        };
        for count in [2, KEPT] {
            let lines = lines(count);
            database.write(move |tx| append(tx, job, &lines)).await.unwrap();
        }
        let kept = database.read(move |db| after(db, job, 0)).await.unwrap();
        let ends = kept.first().zip(kept.last()).map(|(first, last)| (first.number, last.number));
        assert_eq!((i64::try_from(kept.len()).unwrap(), ends), (KEPT, Some((3, KEPT + 2))));
        assert_eq!(database.read(move |db| after(db, job, KEPT + 1)).await.unwrap().len(), 1);

        let gone = lines(1);
        database
            .write(move |tx| {
                append(tx, JobId(4711), &gone)?;
                jobs::finish(tx, job, "done", None, now)?;
                let later = Timestamp::from_seconds(2_000);
                jobs::prune(tx, later, later)
            })
            .await
            .unwrap();
        let left = |db: &rusqlite::Connection| {
            Ok::<i64, store::Error>(db.query_row("SELECT count(*) FROM job_line", [], |row| row.get(0))?)
        };
        assert_eq!(database.read(left).await.unwrap(), 0);
    }
}
