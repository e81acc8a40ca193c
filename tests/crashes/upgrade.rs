//! Upgrades that are killed: a database of the first release comes to the newest schema with everything in it, and the copy
//! that is kept of it can be used.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use refinery::Target;
use rusqlite::Connection;

use crate::aftermath::files;
use crate::database;
use crate::faults::Moment;
use crate::project::Broken;
use crate::random::Random;
use crate::server::{Place, kill};

mod embedded {
    refinery::embed_migrations!("src/store/migrations");
}

/// What every table of the first release holds must be there afterwards; this many rows of a kind.
const ROWS: i64 = 300;
/// Bytes of a document, so that copying the database takes its time.
const DOCUMENT: usize = 64 << 10;

/// Starts servers on an old database, and kills them while they upgrade it.
pub fn run(kills: usize, seed: u64) {
    let mut random = Random(seed);
    for round in 0..kills.div_ceil(5) {
        let folder = tempfile::Builder::new().prefix("soak-").tempdir().expect("there is room for a test");
        if let Err(broken) = upgrade(folder.path(), 5.min(kills), &mut random) {
            panic!("seed {seed}, upgrade {round}: {broken}\nThe evidence is kept in {}", folder.keep().display());
        }
    }
    println!("seed {seed}: {kills} kills during upgrades");
}

fn upgrade(folder: &Path, kills: usize, random: &mut Random) -> Result<(), Broken> {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port is free");
    let place = Place::new(folder, port.to_string());
    fs::write(folder.join("config.toml"), format!("[server]\nlisten = \"{port}\"\n")).expect("files can be written");
    // Makes the keys, which a database must not be without.
    let mut server = place.start();
    place.ready(&mut server)?;
    kill(&mut server);
    for path in files(&place.data()).into_iter().filter(|path| path.display().to_string().contains("packagist.sqlite"))
    {
        fs::remove_file(path).expect("files can be removed");
    }
    let path = place.data().join("packagist.sqlite");
    let before = old(&path, random).map_err(|error| format!("the old database: {error}"))?;
    for _ in 0..kills {
        let mut server = place.start();
        Moment::After(Duration::from_micros(random.next() % 120_000)).wait(&place);
        kill(&mut server);
    }
    let mut server = place.start();
    place.ready(&mut server)?;
    kill(&mut server);
    database::sound(&place.data())?;
    let said = place.command("check");
    if said.code != Some(0) {
        return Err(format!("`check` found something: {}{}", said.out, said.err));
    }
    same(&before, &path)?;
    let kept = files(&place.data().join("before-upgrade"));
    let first = kept.iter().find(|path| path.ends_with("schema-001.sqlite"));
    same(&before, first.ok_or_else(|| format!("no copy of the old database was kept: {kept:?}"))?)?;
    match kept.iter().find(|path| path.extension().is_none_or(|extension| extension != "sqlite")) {
        None => Ok(()),
        Some(path) => Err(format!("{} was left over", path.display())),
    }
}

/// What must not get lost: rows of a table, as one text each.
type Rows = Vec<Vec<String>>;

const QUESTIONS: [&str; 4] = [
    "SELECT id || slug || name || created_at FROM organization ORDER BY id",
    "SELECT id || url || url_key || vcs || created_at FROM package ORDER BY id",
    "SELECT last_modified || render_key || length(body) || hex(substr(body, 1, 16)) FROM document ORDER BY listing_id",
    "SELECT name || last_modified FROM document_date ORDER BY name",
];

fn rows(connection: &Connection) -> rusqlite::Result<Rows> {
    QUESTIONS
        .into_iter()
        .map(|question| connection.prepare(question)?.query_map([], |row| row.get(0))?.collect())
        .collect()
}

fn same(before: &Rows, path: &Path) -> Result<(), Broken> {
    let found = Connection::open(path).and_then(|connection| rows(&connection));
    match found {
        Ok(found) if found == *before => Ok(()),
        Ok(_) => Err(format!("{} does not hold what the old database held", path.display())),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

/// Makes a database as the first release left it; its rows.
fn old(path: &Path, random: &mut Random) -> Result<Rows, Box<dyn std::error::Error>> {
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    embedded::migrations::runner().set_target(Target::Version(1)).run(&mut connection)?;
    let transaction = connection.transaction()?;
    transaction
        .execute("INSERT INTO organization (slug, name, created_at) VALUES ('old', 'Old', 1700000000000000)", [])?;
    for number in 1..=ROWS {
        // Without a name, as before its first import: so the new server does not render its document anew meanwhile.
        transaction.execute(
            "INSERT INTO package (org_id, url, url_key, vcs, created_at, next_check_at)
             VALUES (1, 'https://127.0.0.1:9/' || ?1, ?1 || '', 'git', 1, 9000000000000000)",
            [number],
        )?;
        transaction.execute(
            "INSERT INTO listing (org_id, package_id, name, current) VALUES (1, ?1, 'old/p' || ?1, 1)",
            [number],
        )?;
        let body: Vec<u8> = (0..DOCUMENT / 8).flat_map(|_| random.next().to_le_bytes()).collect();
        transaction.execute(
            "INSERT INTO document (org_id, listing_id, dev, last_modified, render_key, body) VALUES (1, ?1, 0, 1, '', ?2)",
            (number, body),
        )?;
        transaction.execute("INSERT INTO document_date VALUES (1, 'old/p' || ?1, 0, ?1)", [number])?;
    }
    transaction.commit()?;
    // As long as there is only the first schema, the upgrade is the one to itself: with a copy, and with all its checks.
    Ok(rows(&connection)?)
}
