//! What a crash leaves half done, and what is unreadable when the instance is opened.

#[path = "support/instance.rs"]
mod instance;

use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use packagist_selfhosted::admin::{self, Actor};
use packagist_selfhosted::appliance::{Appliance, OpenError, PackageKey};
use packagist_selfhosted::clock::Clock;
use packagist_selfhosted::jobs::Workers;
use packagist_selfhosted::publish::request::{self, Reason};
use packagist_selfhosted::store::{self, documents, jobs, packages, root_dates};

async fn open(folder: &Path) -> Result<Appliance, OpenError> {
    instance::open(folder, Clock::system()).await
}

async fn count(appliance: &Appliance, question: &'static str) -> i64 {
    let counted =
        appliance.database.read(move |db| Ok::<_, store::Error>(db.query_row(question, [], |row| row.get(0))?));
    counted.await.expect("the database answers")
}

/// Lets it go one step on; whether it has more to do.
async fn is_pending<F: Future>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

/// An organization with 60 packages, and with more dates than go in one transaction.
async fn large(appliance: &Appliance) {
    let org = admin::organizations::add(appliance, &Actor::System, "large", None).await.expect("the slug is free");
    let now = appliance.now();
    appliance
        .database
        .write(move |tx| {
            for number in 0..60 {
                let new = packages::New {
                    url: format!("https://git.example.com/{number}.git"),
                    url_key: number.to_string(),
                    vcs: "git".to_owned(),
                    credential: None,
                    fork: false,
                    next_check_at: now + Duration::from_secs(3600),
                };
                packages::insert(org, tx, &new, now)?;
            }
            for number in 0..1500_u32 {
                documents::next_date(org, tx, &format!("large/{number}"), false, now.as_seconds())?;
                let mut digest = [0; 32];
                digest[..4].copy_from_slice(&number.to_be_bytes());
                root_dates::date_of(org, tx, &digest, now.as_seconds())?;
            }
            Ok::<_, store::Error>(())
        })
        .await
        .expect("the database takes it");
}

#[tokio::test]
async fn an_interrupted_removal_of_an_organization_is_finished_after_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let appliance = open(folder.path()).await.expect("a new instance opens");
    large(&appliance).await;
    let organization = admin::organizations::find(&appliance, "large").await.expect("it is there");
    {
        let mut removal = pin!(admin::organizations::remove(&appliance, &Actor::System, &organization));
        loop {
            assert!(is_pending(removal.as_mut()).await, "it went all at once");
            if count(&appliance, "SELECT count(*) FROM package").await < 60 {
                break;
            }
        }
    }
    drop(appliance);
    let appliance = open(folder.path()).await.expect("it opens again");
    let left = count(&appliance, "SELECT count(*) FROM package").await;
    assert!(0 < left && left < 60, "{left} packages are left");
    assert!(admin::organizations::list(&appliance).await.expect("it answers").is_empty());
    let taken = admin::organizations::add(&appliance, &Actor::System, "large", None).await.expect("the slug is free");

    let workers = Workers::start(appliance.clone(), 1).await.expect("workers start");
    while count(&appliance, "SELECT count(*) FROM organization WHERE removed_at IS NOT NULL").await > 0 {
        tokio::task::yield_now().await;
    }
    workers.stop().await;
    for question in
        ["SELECT count(*) FROM package", "SELECT count(*) FROM document_date", "SELECT count(*) FROM root_date"]
    {
        assert_eq!(count(&appliance, question).await, 0, "{question}");
    }
    let list = admin::organizations::list(&appliance).await.expect("it answers");
    assert_eq!(list.iter().map(|one| one.organization.id).collect::<Vec<_>>(), [taken], "the new one stays");
    assert_eq!(count(&appliance, "SELECT count(*) FROM audit WHERE action = 'organization.remove'").await, 1);
}

#[tokio::test]
async fn what_cannot_be_served_ends_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let appliance = open(folder.path()).await.expect("a new instance opens");
    large(&appliance).await;
    appliance
        .database
        .write(|tx| {
            // As a later release might refuse what this one stored.
            Ok::<_, store::Error>(tx.execute_batch(
                "INSERT INTO token (org_id, kind, access, digest, prefix, last4, created_at)
                 SELECT id, 'organization', 'read', x'00', '', '', 0 FROM organization",
            )?)
        })
        .await
        .expect("the database takes it");
    drop(appliance);
    let error = open(folder.path()).await.err().expect("nothing is served");
    assert!(matches!(error, OpenError::Catalog(_)), "{error}");
    assert!(error.to_string().starts_with("the database cannot be read into memory: "), "{error}");
}

/// The job's error is one thing; whoever wonders about a package looks at the package.
#[tokio::test]
async fn a_package_says_that_the_server_died_with_it_too_often() {
    let folder = tempfile::tempdir().expect("a folder");
    let appliance = open(folder.path()).await.expect("a new instance opens");
    large(&appliance).await;
    let org = admin::organizations::find(&appliance, "large").await.expect("it is there").id;
    let now = appliance.now();
    let left = appliance.database.write(move |tx| {
        let package = packages::by_url_key(org, tx, "7")?.expect("it was added").id;
        request::update(tx, PackageKey { org, package }, Reason::Hook, &[], now)?;
        let job = jobs::claim(tx, "hook", 1, now)?.expect("it is due");
        // As the eighth process leaves it that was killed in the middle of it.
        tx.execute("UPDATE job SET attempt = 8 WHERE id = ?1", [job.id])?;
        Ok::<_, store::Error>(package)
    });
    let package = left.await.expect("the database takes it");
    drop(appliance);

    let appliance = open(folder.path()).await.expect("it opens again");
    Workers::start(appliance.clone(), 1).await.expect("workers start").stop().await;
    assert_eq!(count(&appliance, "SELECT count(*) FROM job WHERE state = 'failed'").await, 1);
    let found = appliance.database.read(move |db| packages::by_id(org, db, package)).await.expect("it answers");
    let found = found.expect("it is there");
    assert_eq!(found.status, "failed");
    let error = found.error.expect("it says why");
    assert!(error.starts_with("The server ended 8 times during this work") && error.contains("`job retry "), "{error}");
    assert_eq!(count(&appliance, "SELECT count(*) FROM package WHERE outcome = 'failed'").await, 1);
}
