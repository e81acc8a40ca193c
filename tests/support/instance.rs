//! An opened instance that reads no repository: it has no executable to do it with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use packagist_selfhosted::appliance::{Appliance, Mode, OpenError, Settings};
use packagist_selfhosted::clock::Clock;
use packagist_selfhosted::outbound;
use packagist_selfhosted::vcs::{self, UrlPolicy, Vcs};

/// Opens a data directory, or makes it.
pub async fn open(data_dir: &Path, clock: Clock) -> Result<Appliance, OpenError> {
    open_with(data_dir, clock, outbound::Settings::default()).await
}

/// The same, reaching others in this way.
pub async fn open_with(data_dir: &Path, clock: Clock, outbound: outbound::Settings) -> Result<Appliance, OpenError> {
    let settings = Settings {
        data_dir: data_dir.to_owned(),
        public_url: "https://packages.example.com".to_owned(),
        url_policy: UrlPolicy::default(),
        package_interval: Duration::from_secs(3600),
        sync_interval: Duration::from_secs(3600),
        access_max_age: None,
        max_upload: 64 << 20,
        credentials_directory: None,
    };
    let vcs = Vcs::new(vcs::Settings {
        executable: PathBuf::from("/nonexistent"),
        outbound,
        policy: UrlPolicy::default(),
        deadline: Duration::from_secs(10),
        archive_deadline: Duration::from_secs(10),
        limits: vcs::Limits::default(),
        ssh_host_keys: vcs::HostKeyPolicy::AcceptNew,
    });
    Appliance::open(settings, vcs, clock, Mode::CreateOrUpgrade).await
}
