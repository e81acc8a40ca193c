//! What a crash leaves half done, and what is unreadable when the instance is opened.

use std::future::{Future, poll_fn};
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use packagist_selfhosted::admin::{self, Actor};
use packagist_selfhosted::appliance::{Appliance, Mode, OpenError, Settings};
use packagist_selfhosted::clock::Clock;
use packagist_selfhosted::jobs::Workers;
use packagist_selfhosted::store::packages;
use packagist_selfhosted::store::{self, documents, root_dates};
use packagist_selfhosted::vcs::{self, UrlPolicy, Vcs};

async fn open(folder: &Path) -> Result<Appliance, OpenError> {
    let settings = Settings {
        data_dir: folder.to_owned(),
        public_url: "https://packages.example.com".to_owned(),
        url_policy: UrlPolicy::default(),
        package_interval: Duration::from_secs(3600),
        credentials_directory: None,
    };
    let vcs = Vcs::new(vcs::Settings {
        executable: PathBuf::from("/nonexistent"),
        outbound: packagist_selfhosted::outbound::Settings::default(),
        policy: UrlPolicy::default(),
        deadline: Duration::from_secs(10),
        archive_deadline: Duration::from_secs(10),
        limits: vcs::Limits::default(),
        ssh_host_keys: packagist_selfhosted::vcs::HostKeyPolicy::AcceptNew,
    });
    Appliance::open(settings, vcs, Clock::system(), Mode::CreateOrUpgrade).await
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
