//! The opened instance: its data directory, and everything that works on it.
//!
//! There is one of these in one process for each data directory, because it holds the instance
//! lock; drivers and use cases share it.

pub mod apps;
mod directory;
mod grants;
mod hubs;
mod keys;
mod leases;
mod rotations;
pub mod vitals;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;

pub use directory::{DirectoryError, Mode};
pub use grants::sealed as sealed_grant;
pub use hubs::{Hubs, callback};
pub use keys::KeyFailed;
pub use rotations::{By, Rotation, SETTLED, due_at};

use crate::catalog::{Catalog, Updater};
use crate::clock::{Clock, Timestamp};
use crate::platform::generic::sns::Notary;
use crate::secrets::keyring::KeyRing;
use crate::storage::Storage;
use crate::store::database::{Change, Observer};
use crate::store::ids::{OrgId, PackageId};
use crate::store::{self, Database, instance};
use crate::telemetry::Complaint;
use crate::vcs::url::UrlPolicy;
use crate::vcs::{Shortage, Vcs};

/// What the instance is told by its configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// What every address begins with; no slash at its end.
    pub public_url: String,
    /// Which package addresses are accepted.
    pub url_policy: UrlPolicy,
    /// How long a package without news waits for its next update, in seconds.
    pub package_interval: Duration,
    /// How long a synchronization without news waits for its next run.
    pub sync_interval: Duration,
    /// How long what a synchronization found counts without being confirmed; none: for ever.
    pub access_max_age: Option<Duration>,
    /// Most bytes of an uploaded archive, or of one that is fetched for a custom package.
    pub max_upload: u64,
    /// Where systemd put the key ring, if it did (`$CREDENTIALS_DIRECTORY`).
    pub credentials_directory: Option<PathBuf>,
}

/// The opened instance. Cheap to clone: clones share everything.
#[derive(Clone)]
pub struct Appliance {
    /// What the configuration says.
    pub settings: Arc<Settings>,
    /// What time it is.
    pub clock: Clock,
    /// What is remembered.
    pub database: Database,
    /// What Composer's requests are answered from.
    pub catalog: Catalog,
    /// Where archives are.
    pub storage: Storage,
    /// How source repositories are read.
    pub vcs: Vcs,
    /// The platforms that organizations can follow; none until [`Self::with_hubs`].
    pub hubs: Hubs,
    /// Tells genuine messages of Amazon SNS from others.
    pub notary: Notary,
    /// Whose tokens are renewed, and what that left to do.
    grants: grants::Grants,
    /// Who uses credentials whose tokens may be replaced.
    leases: leases::Leases,
    /// What secrets are sealed with.
    pub keys: Arc<KeyRing>,
    /// Changes with the queue of work; whoever waits for work watches it.
    pub work: watch::Receiver<u64>,
    /// Held while somebody asks whether the database answers, across the wait for it, so it is an async mutex.
    asking: Arc<tokio::sync::Mutex<Nudges>>,
    /// Whether it has been said that the disk is too full.
    short_of_room: Arc<Complaint>,
    // Held as long as anybody uses the data directory; after `database`, so that it is let go last.
    _lock: Arc<std::fs::File>,
}

/// Why the instance could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// What is stored cannot be served.
    #[error(
        "the database cannot be read into memory: {0}; nothing would be served, so the start ends here: install the release that wrote it again, or restore a backup (`check` looks for damage)"
    )]
    Catalog(Arc<String>),
    /// The key ring cannot be used.
    #[error(transparent)]
    Keys(#[from] crate::secrets::keyring::KeyRingError),
    /// The key ring is another one than secrets were sealed with.
    #[error(
        "the key ring does not fit the database: it has the keys {found}, and secrets were sealed with {wanted}. Put the right `keys` file back into the data directory"
    )]
    WrongKeys {
        /// The keys of the ring.
        found: String,
        /// The keys that the database speaks of.
        wanted: String,
    },
}

/// The name of the setting that is written to see whether anything can be.
const WRITTEN: &str = "written-at";
/// The name of the setting that remembers which keys secrets were sealed with.
const KEY_RING: &str = "key-ring";

impl Appliance {
    /// Opens the data directory and takes the instance lock.
    ///
    /// # Errors
    /// If another process holds the lock, or anything in the directory cannot be used.
    pub async fn open(settings: Settings, vcs: Vcs, clock: Clock, mode: Mode) -> Result<Self, OpenError> {
        let lock = directory::lock(&settings.data_dir, mode)?;
        let keys = directory::keys(&settings)?;
        let storage =
            Storage::open(&settings.data_dir).map_err(|error| DirectoryError::unusable(&settings.data_dir, error))?;
        let (catalog, updater) = Catalog::new();
        let (bell, work) = watch::channel(0);
        let observer = CommitObserver { updater, bell };
        let path = directory::database(&settings.data_dir);
        if mode == Mode::Existing {
            Database::require_current(&path)?;
        }
        let database = Database::open(&path, Box::new(observer))?;
        if let Some(trouble) = catalog.trouble() {
            return Err(OpenError::Catalog(trouble));
        }
        directory::make_private(&path).map_err(|error| DirectoryError::unusable(&settings.data_dir, error))?;
        let appliance = Self {
            clock,
            database,
            catalog,
            storage,
            notary: Notary::new(vcs.outbound().clone()).keeping(settings.data_dir.join("certificates")),
            settings: Arc::new(settings),
            vcs,
            hubs: Hubs::default(),
            grants: grants::Grants::default(),
            leases: leases::Leases::default(),
            keys: Arc::new(keys),
            work,
            asking: Arc::default(),
            short_of_room: Arc::default(),
            _lock: Arc::new(lock),
        };
        appliance.check_keys().await?;
        Ok(appliance)
    }

    /// The same, with the platforms that organizations can follow, and the GitHub Apps that were made for them here.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn with_hubs(self, hubs: Hubs) -> Result<Self, OpenError> {
        let appliance = Self { hubs, ..self };
        appliance.load_apps().await?;
        Ok(appliance)
    }

    async fn check_keys(&self) -> Result<(), OpenError> {
        let found = self.keys.fingerprint();
        let wanted = self.database.read(|db| instance::setting(db, KEY_RING)).await?;
        match wanted {
            Some(wanted) if !self.keys.covers(&wanted) => Err(OpenError::WrongKeys { found, wanted }),
            Some(wanted) if wanted == found => Ok(()),
            _ => Ok(self.database.write(move |tx| instance::set(tx, KEY_RING, &found)).await?),
        }
    }

    /// Asks the database, in both of its queues, whether it answers within `patience`. The write changes nothing and
    /// so costs no disk, unless writing failed before: then it shows whether that is over. Only one is under way at a
    /// time, however many ask.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn require_answers(&self, patience: Duration) -> Result<(), NoAnswer> {
        let asked = async {
            let mut nudges = self.asking.lock().await;
            // Being told of a commit, the catalog tries again what it could not do before.
            let behind = nudges.is_due(self.catalog.trouble().is_some(), Instant::now());
            let troubled = self.database.trouble().is_some();
            let now = self.now();
            let write = self.database.write(move |tx| {
                if behind {
                    tx.changed(Change::Hooks);
                }
                if troubled {
                    instance::set(tx, WRITTEN, &now.rfc3339())?;
                }
                Ok::<_, store::Error>(())
            });
            write.await?;
            self.database.read(|db| instance::setting(db, KEY_RING).map(drop)).await
        };
        match timeout(patience, asked).await {
            Ok(answer) => answer.map_err(NoAnswer::Refused),
            Err(_) => Err(NoAnswer::Silent),
        }
    }

    /// Whether the disk is too full to take more of repositories.
    pub fn has_room(&self) -> bool {
        let shortage = self.vcs.check_room(&self.settings.data_dir).err();
        self.tell_of(shortage.as_ref());
        shortage.is_none()
    }

    /// Why no work can be done at the moment, if that is so: the disk is too full, or the database cannot be written.
    /// Jobs wait meanwhile, and go on by themselves. It is logged once when it begins and once when it is over.
    pub fn hindrance(&self) -> Option<String> {
        let shortage = self.vcs.check_room(&self.settings.data_dir).err();
        self.tell_of(shortage.as_ref());
        match shortage {
            Some(shortage) => Some(format!("the disk is too full: {shortage}.")),
            None => self.database.trouble().map(|reason| format!("the database cannot be written ({reason}).")),
        }
    }

    fn tell_of(&self, shortage: Option<&Shortage>) {
        match shortage {
            Some(shortage) if self.short_of_room.is_new("the disk") => tracing::error!(
                "{shortage}, because the database needs room: updates wait, and archives are not built, until there is more."
            ),
            None if self.short_of_room.is_over() => tracing::info!("There is room on the disk again: updates go on."),
            _ => {}
        }
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The mirror of a package's source.
    pub fn mirror(&self, package: PackageId) -> PathBuf {
        self.settings.data_dir.join("mirrors").join(format!("{package}.git"))
    }

    /// What addresses of the organization's Composer repository begin with.
    pub fn repository_url(&self, slug: &str) -> String {
        format!("{}/repo/{slug}", self.settings.public_url)
    }

    /// The address of a package's webhook, from its random part.
    pub fn hook_url(&self, secret: &str) -> String {
        format!("{}/hooks/{secret}", self.settings.public_url)
    }
}

/// How often a catalog that is behind is made to load everything anew although nothing was committed: at first with the
/// next two questions, then ever more seldom, because it keeps the writer from everything else.
#[derive(Debug, Default)]
struct Nudges {
    /// The next one, and the pause after it. None while all is well.
    next: Option<(Instant, Duration)>,
}

impl Nudges {
    const FIRST: Duration = Duration::from_secs(2);
    const LONGEST: Duration = Duration::from_secs(5 * 60);

    fn is_due(&mut self, behind: bool, now: Instant) -> bool {
        let (due, pause) = match self.next {
            _ if !behind => {
                self.next = None;
                return false;
            }
            None => (now, Duration::ZERO),
            Some(next) => next,
        };
        if now < due {
            return false;
        }
        self.next = Some((now + pause, (pause * 2).clamp(Self::FIRST, Self::LONGEST)));
        true
    }
}

/// Why the database counts as gone.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// It says that it cannot.
    #[error(transparent)]
    Refused(store::Error),
    /// It says nothing: a thread of it is stuck or gone, or the disk hangs.
    #[error("the database did not answer in time")]
    Silent,
}

/// Passes commits on: to the catalog, and to whoever waits for work.
struct CommitObserver {
    updater: Updater,
    bell: watch::Sender<u64>,
}

impl Observer for CommitObserver {
    fn committed(&mut self, connection: &rusqlite::Connection, changes: &[Change]) {
        if let Err(error) = self.updater.update(connection, changes) {
            tracing::error!(
                error = %error,
                "The catalog could not be brought up to date: what was served before is served on."
            );
        }
        if changes.contains(&Change::Jobs) {
            self.bell.send_modify(|rung| *rung = rung.wrapping_add(1));
        }
    }
}

/// A package, wherever it is asked for: whose it is, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PackageKey {
    /// Whose it is.
    pub org: OrgId,
    /// Which it is.
    pub package: PackageId,
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Nudges;

    #[test]
    fn a_catalog_that_stays_behind_is_nudged_ever_more_seldom() {
        let (mut nudges, now) = (Nudges::default(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        assert!(!nudges.is_due(false, now));
        let asked: Vec<u64> = (0..100).filter(|seconds| nudges.is_due(true, after(*seconds))).collect();
        assert_eq!(asked, [0, 1, 3, 7, 15, 31, 63]);
        assert!(!nudges.is_due(false, after(101)) && nudges.is_due(true, after(101)), "another trouble begins anew");
    }
}
