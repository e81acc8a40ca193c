//! Bringing the schema up to date: forward only, with a copy of the database kept before.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::database::Error;

mod embedded {
    refinery::embed_migrations!("src/store/migrations");
}

/// How many copies made before a migration are kept.
const COPIES: usize = 5;

/// Applies what is missing to the database at `path`.
///
/// Runs on a connection of its own with foreign keys off, because rebuilding a table needs that and
/// SQLite ignores the switch inside a transaction; afterwards `foreign_key_check` must find nothing.
pub(super) fn run(path: &Path) -> Result<(), Error> {
    let mut connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = OFF;")?;
    let newest = newest();
    let applied = applied(&connection)?;
    let checked: i32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if applied > newest {
        return Err(Error::TooNew { found: applied.into(), known: newest.into() });
    }
    if applied == newest && checked == newest {
        return Ok(());
    }
    if applied > 0 {
        keep_copy(path, &connection, applied)?;
    }
    // Grouped, because refinery otherwise commits a migration and the record of it one after the other: killed between
    // the two, the next start would apply the migration again to a database that already has it.
    let runner = embedded::migrations::runner().set_grouped(true);
    runner.run(&mut connection).map_err(|error| Error::Migration(error.to_string()))?;
    check_foreign_keys(&connection)?;
    // Only now is the upgrade done: a start that failed the check must not be followed by one that skips it.
    Ok(connection.execute_batch(&format!("PRAGMA user_version = {newest}"))?)
}

/// Refuses a database with another schema than this release's.
pub(super) fn require_current(path: &Path) -> Result<(), Error> {
    let applied = applied(&Connection::open(path)?)?;
    let newest = newest();
    match applied.cmp(&newest) {
        Ordering::Less => Err(Error::Outdated),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(Error::TooNew { found: applied.into(), known: newest.into() }),
    }
}

fn newest() -> i32 {
    let migrations = embedded::migrations::runner();
    migrations.get_migrations().iter().map(|migration| migration.version()).max().unwrap_or(0)
}

/// The version of the schema: 0 for an empty database.
fn applied(connection: &Connection) -> Result<i32, Error> {
    let known: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'refinery_schema_history')",
        [],
        |row| row.get(0),
    )?;
    if !known {
        return Ok(0);
    }
    Ok(connection.query_row("SELECT coalesce(max(version), 0) FROM refinery_schema_history", [], |row| row.get(0))?)
}

fn keep_copy(path: &Path, connection: &Connection, version: i32) -> Result<(), Error> {
    let folder = path.with_file_name("before-upgrade");
    fs::create_dir_all(&folder)?;
    let copy = folder.join(format!("schema-{version:03}.sqlite"));
    let unfinished = copy.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_file(&unfinished)?;
    }
    connection.execute("VACUUM INTO ?1", [unfinished.to_string_lossy()])?;
    fs::File::open(&unfinished)?.sync_all()?;
    fs::rename(&unfinished, &copy)?;
    fs::File::open(&folder)?.sync_all()?;
    forget_old_copies(&folder)
}

fn forget_old_copies(folder: &Path) -> Result<(), Error> {
    let mut copies: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "sqlite"))
        .collect();
    copies.sort();
    let surplus = copies.len().saturating_sub(COPIES);
    for copy in copies.into_iter().take(surplus) {
        fs::remove_file(copy)?;
    }
    Ok(())
}

fn check_foreign_keys(connection: &Connection) -> Result<(), Error> {
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    match rows.next()? {
        None => Ok(()),
        Some(row) => Err(Error::Migration(format!(
            "a row of table {} refers to one that does not exist",
            row.get::<_, String>(0)?
        ))),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use rusqlite::Connection;

    use refinery::Target;

    use super::{COPIES, applied, embedded, keep_copy, newest, require_current, run};
    use crate::store::Error;

    #[test]
    fn a_new_database_gets_the_newest_schema_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        assert!(matches!(require_current(&path), Err(Error::Outdated)));
        run(&path).unwrap();
        run(&path).unwrap();
        assert_eq!(applied(&Connection::open(&path).unwrap()).unwrap(), newest());
        require_current(&path).unwrap();
        assert!(!folder.path().join("before-upgrade").exists(), "an empty database has nothing to keep");
    }

    #[test]
    fn an_upgrade_that_fails_half_way_leaves_no_migration_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let mut connection = Connection::open(&path).unwrap();
        embedded::migrations::runner().set_target(Target::Version(1)).run(&mut connection).unwrap();
        connection.execute_batch("CREATE TABLE member (in_the_way INTEGER) STRICT").unwrap();
        assert!(matches!(run(&path), Err(Error::Migration(_))), "V006 makes the table member itself");
        assert_eq!(applied(&connection).unwrap(), 1);
        assert!(
            connection.prepare("SELECT 1 FROM host_key").is_err(),
            "V002 ran before V006 and must be undone with it"
        );
        connection.execute_batch("DROP TABLE member").unwrap();
        run(&path).unwrap();
        assert_eq!(applied(&connection).unwrap(), newest());
    }

    #[test]
    fn copies_are_whole_and_only_the_newest_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        run(&path).unwrap();
        let connection = Connection::open(&path).unwrap();
        connection.execute("INSERT INTO setting VALUES ('a', 'kept')", []).unwrap();
        for version in 1..=7 {
            keep_copy(&path, &connection, version).unwrap();
        }
        let copies = folder.path().join("before-upgrade");
        assert_eq!(std::fs::read_dir(&copies).unwrap().count(), COPIES);
        let copy = Connection::open(copies.join("schema-007.sqlite")).unwrap();
        let value: String = copy.query_row("SELECT value FROM setting WHERE name = 'a'", [], |row| row.get(0)).unwrap();
        assert_eq!(value, "kept");
        assert!(!copies.join("schema-001.sqlite").exists());
    }

    #[test]
    fn every_table_is_strict() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        run(&path).unwrap();
        let connection = Connection::open(&path).unwrap();
        let loose: Vec<String> = connection
            .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite_%' AND name <> 'refinery_schema_history'")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert!(loose.is_empty(), "{loose:?}");
    }
}
