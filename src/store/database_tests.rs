//! What the database promises to whoever writes to it.

use std::sync::{Arc, Mutex};

use rusqlite::Connection;

use super::{Change, Database, Error, Observer};
use crate::store::ids::OrgId;
use crate::store::instance;

/// Remembers what it was told, together with what the database said at that moment.
struct Witness(Told);

type Told = Arc<Mutex<Vec<(Vec<Change>, Option<String>)>>>;

impl Observer for Witness {
    fn committed(&mut self, connection: &Connection, changes: &[Change]) {
        let seen = instance::setting(connection, "a").unwrap();
        self.0.lock().unwrap().push((changes.to_vec(), seen));
    }
}

fn open() -> (tempfile::TempDir, Database, Told) {
    let folder = tempfile::tempdir().unwrap();
    let told = Told::default();
    let database = Database::open(&folder.path().join("test.sqlite"), Box::new(Witness(Arc::clone(&told)))).unwrap();
    (folder, database, told)
}

#[tokio::test]
async fn the_observer_knows_before_the_writer_is_answered() {
    let (_folder, database, told) = open();
    database
        .write(|tx| {
            tx.changed(Change::Organization(OrgId(1)));
            instance::set(tx, "a", "1")
        })
        .await
        .unwrap();
    let told = told.lock().unwrap();
    assert_eq!(told[0], (vec![], None), "first it starts from what is stored");
    assert_eq!(told[1], (vec![Change::Organization(OrgId(1))], Some("1".to_owned())));
}

#[tokio::test]
async fn an_error_undoes_its_own_part_only() {
    let (_folder, database, told) = open();
    let good = database.write(|tx| instance::set(tx, "a", "good"));
    let bad = database.write(|tx| {
        instance::set(tx, "b", "bad")?;
        tx.changed(Change::Hooks);
        Err::<(), _>(Error::Corrupt("on purpose".to_owned()))
    });
    let (good, bad) = tokio::join!(good, bad);
    good.unwrap();
    assert!(matches!(bad, Err(Error::Corrupt(_))));
    let stored = database.read(|db| Ok::<_, Error>((instance::setting(db, "a")?, instance::setting(db, "b")?))).await;
    assert_eq!(stored.unwrap(), (Some("good".to_owned()), None));
    assert!(!told.lock().unwrap().iter().any(|(changes, _)| changes.contains(&Change::Hooks)));
}

#[tokio::test]
async fn a_panic_in_a_closure_leaves_the_database_working() {
    let (_folder, database, _) = open();
    let panicked = database
        .write(|tx| {
            instance::set(tx, "b", "half").unwrap();
            if true {
                panic!("on purpose");
            }
            Ok::<_, Error>(())
        })
        .await;
    assert!(matches!(panicked, Err(Error::Closed)));
    database.write(|tx| instance::set(tx, "a", "1")).await.unwrap();
    assert_eq!(database.read(|db| instance::setting(db, "b")).await.unwrap(), None);
}

#[tokio::test]
async fn after_a_full_disk_nothing_is_stored_that_was_called_lost() {
    let (folder, database, told) = open();
    let other = Connection::open(folder.path().join("test.sqlite")).unwrap();
    let pages: i64 = other.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    // The first closure holds the batch open until all three wait, then the disk is full for the second.
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let before = tokio::spawn({
        let database = database.clone();
        async move {
            database
                .write(move |tx| {
                    gone.recv().unwrap();
                    tx.execute_batch(&format!("PRAGMA max_page_count = {}", pages + 1))?;
                    instance::set(tx, "before", "1")
                })
                .await
        }
    });
    let full = tokio::spawn({
        let database = database.clone();
        async move { database.write(|tx| instance::set(tx, "full", &"x".repeat(1 << 20))).await }
    });
    while database.shared.writes.waiting() < 1 {
        tokio::task::yield_now().await;
    }
    let after = tokio::spawn({
        let database = database.clone();
        async move {
            database
                .write(|tx| {
                    tx.changed(Change::Hooks);
                    instance::set(tx, "after", "1")
                })
                .await
        }
    });
    while database.shared.writes.waiting() < 2 {
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    let mut promised = Vec::new();
    for (name, write) in [("before", before), ("full", full), ("after", after)] {
        if write.await.unwrap().is_ok() {
            promised.push(name);
        }
    }
    let mut stored = Vec::new();
    for name in ["before", "full", "after"] {
        if database.read(move |db| instance::setting(db, name)).await.unwrap().is_some() {
            stored.push(name);
        }
    }
    assert_eq!(stored, promised, "what is stored is what its author was told");
    assert_eq!(promised, ["after"], "the lost batch ends, and the next one is whole");
    assert!(told.lock().unwrap().iter().any(|(changes, _)| changes.contains(&Change::Hooks)));
}

#[tokio::test]
async fn a_panic_in_a_question_leaves_the_readers_answering() {
    let (_folder, database, _) = open();
    for _ in 0..8 {
        let panicked: Result<(), Error> = database.read(|_| panic!("on purpose")).await;
        assert!(matches!(panicked, Err(Error::Closed)));
    }
    assert_eq!(database.read(|db| instance::setting(db, "a")).await.unwrap(), None);
}

#[tokio::test]
async fn readers_cannot_write() {
    let (_folder, database, _) = open();
    let result: Result<(), Error> =
        database.read(|db| Ok(db.execute_batch("INSERT INTO setting VALUES ('x', 'y')")?)).await;
    assert!(result.is_err());
}

#[tokio::test]
async fn waiting_writes_share_a_commit() {
    let (_folder, database, told) = open();
    // The first closure holds the writer until all the others wait.
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let first = tokio::spawn({
        let database = database.clone();
        async move {
            database
                .write(move |tx| {
                    gone.recv().unwrap();
                    tx.changed(Change::Jobs);
                    Ok::<_, Error>(())
                })
                .await
        }
    });
    let others: Vec<_> = (0..20)
        .map(|n| {
            let database = database.clone();
            tokio::spawn(async move {
                database
                    .write(move |tx| {
                        tx.changed(Change::Hooks);
                        instance::set(tx, &format!("n{n}"), "1")
                    })
                    .await
            })
        })
        .collect();
    while database.shared.writes.waiting() < 19 {
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    first.await.unwrap().unwrap();
    for other in others {
        other.await.unwrap().unwrap();
    }
    assert!(told.lock().unwrap().len() < 20, "21 writes took {} commits", told.lock().unwrap().len() - 1);
}

#[test]
fn a_database_of_a_newer_release_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.sqlite");
    drop(Database::open(&path, Box::new(Witness(Arc::default()))).unwrap());
    let connection = Connection::open(&path).unwrap();
    connection
        .execute(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) VALUES (999, 'x', 'x', '1')",
            [],
        )
        .unwrap();
    drop(connection);
    let error = Database::open(&path, Box::new(Witness(Arc::default()))).err().unwrap();
    assert!(matches!(error, Error::TooNew { found: 999, .. }), "{error}");
}
