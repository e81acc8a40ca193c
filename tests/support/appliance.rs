//! An opened instance in a temporary directory, with workers.

use std::path::PathBuf;
use std::time::Duration;

use packagist_selfhosted::appliance::{Appliance, Mode, PackageKey, Settings};
use packagist_selfhosted::clock::Clock;
use packagist_selfhosted::jobs::{self, Ended, Workers};
use packagist_selfhosted::outbound;
use packagist_selfhosted::publish::request::{self, Reason};
use packagist_selfhosted::store::ids::OrgId;
use packagist_selfhosted::store::{self, organizations, packages};
use packagist_selfhosted::vcs::url::{SourceUrl, UrlPolicy};
use packagist_selfhosted::vcs::{Limits, Vcs};

/// The instance and the folder in which repositories may be imported from.
pub struct TestAppliance {
    pub appliance: Appliance,
    pub repositories: PathBuf,
    workers: Workers,
    folder: tempfile::TempDir,
}

impl TestAppliance {
    /// A new instance.
    pub async fn start() -> Self {
        Self::open(tempfile::tempdir().expect("there is room for a test")).await
    }

    async fn open(folder: tempfile::TempDir) -> Self {
        let repositories = folder.path().join("repositories");
        std::fs::create_dir_all(&repositories).expect("folders can be made");
        let data_dir = folder.path().join("data");
        let url_policy =
            UrlPolicy { file_roots: vec![repositories.clone()], data_dir: data_dir.clone(), ..UrlPolicy::default() };
        let vcs = Vcs::new(packagist_selfhosted::vcs::Settings {
            executable: env!("CARGO_BIN_EXE_packagist-selfhosted").into(),
            outbound: outbound::Settings::default(),
            policy: url_policy.clone(),
            deadline: Duration::from_secs(60),
            archive_deadline: Duration::from_secs(60),
            limits: Limits::default(),
            ssh_host_keys: packagist_selfhosted::vcs::HostKeyPolicy::AcceptNew,
        });
        let settings = Settings {
            data_dir,
            public_url: "https://packagist.example.com".to_owned(),
            url_policy,
            package_interval: Duration::from_secs(3600),
            sync_interval: Duration::from_secs(3600),
            access_max_age: None,
            max_upload: 2 << 20,
            credentials_directory: None,
        };
        let appliance = Appliance::open(settings, vcs, Clock::system(), Mode::CreateOrUpgrade)
            .await
            .expect("a new instance can be opened");
        let workers = Workers::start(appliance.clone(), 2).await.expect("workers start");
        Self { appliance, repositories, workers, folder }
    }

    /// Stops everything and opens the same data again.
    pub async fn restart(self) -> Self {
        let Self { appliance, workers, folder, .. } = self;
        workers.stop().await;
        drop(appliance);
        Self::open(folder).await
    }

    /// Adds an organization.
    pub async fn organization(&self, slug: &'static str) -> OrgId {
        let now = self.appliance.now();
        self.appliance
            .database
            .write(move |tx| organizations::insert(tx, slug, slug, now))
            .await
            .expect("the slug is free")
    }

    /// Adds a package and imports it; how that ended.
    pub async fn import(&self, org: OrgId, url: &str, fork: bool) -> (PackageKey, Ended) {
        let url = SourceUrl::parse(url, &self.appliance.settings.url_policy).expect("the address is accepted");
        let now = self.appliance.now();
        let new = packages::New {
            url: url.as_str().to_owned(),
            url_key: url.key(),
            vcs: "git".to_owned(),
            credential: None,
            fork,
            next_check_at: now + Duration::from_secs(3600),
        };
        let package = self
            .appliance
            .database
            .write(move |tx| packages::insert(org, tx, &new, now))
            .await
            .expect("the address is new");
        let key = PackageKey { org, package };
        (key, self.update(key).await)
    }

    /// Updates a package; how that ended.
    pub async fn update(&self, key: PackageKey) -> Ended {
        let now = self.appliance.now();
        let job = self
            .appliance
            .database
            .write(move |tx| request::update(tx, key, Reason::Command, &[], now))
            .await
            .expect("jobs can be queued");
        jobs::wait(&self.appliance, job).await.expect("the database answers")
    }

    /// The package as stored.
    pub async fn package(&self, key: PackageKey) -> packages::Package {
        self.read(move |db| packages::by_id(key.org, db, key.package)).await.expect("the package is there")
    }

    /// Asks the database.
    pub async fn read<T, F>(&self, question: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(&rusqlite::Connection) -> store::Result<T> + Send + 'static,
    {
        self.appliance.database.read(question).await.expect("the database answers")
    }
}
