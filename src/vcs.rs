//! Source repositories: what they offer, what is in them, and an archive of a commit.
//!
//! Repositories are hostile and networks stall, so nothing of either is touched in this process: every operation runs in
//! a child process of our own executable (the hidden `vcs-worker` command, [`worker`]) with an empty environment, limits of
//! its own and a deadline that the parent enforces by killing the child's process group. Requests, secrets among them,
//! travel on its standard input; answers come back as frames on its standard output. A worker that found nothing new stays
//! for a moment, for the same owner's next repository (`spare`).
//!
//! ```text
//! Vcs::update ── process ══ pipe ══ worker ── git ── git::connect (http, daemon, local) ── ssh ══ the ssh program
//!                                        │       └── git::fetch, refs, read, archive
//!                                        ├── hg, svn ── tool ══ their programs ── road (gate, relay)
//!                                        ├── archive, for all three
//!                                        └── ssh::scan, ssh::inspect
//! ```
//!
//! Git is spoken by ourselves. Mercurial and Subversion are read by their own programs, which connect to nothing: what they
//! say to a server goes by a way of ours (`road`), so that guard, proxy, host keys and limits are the same for all.

mod archive;
mod directories;
mod error;
mod git;
mod hg;
mod known_files;
mod leftovers;
mod memory;
mod pipe;
mod process;
#[doc(hidden)]
pub mod readers;
mod repairs;
mod request;
mod road;
mod room;
mod spare;
pub mod ssh;
mod surroundings;
mod svn;
mod system;
mod tool;
pub mod url;
pub mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::outbound;
use memory::Memory;

pub use directories::{Found, Tree};
pub use error::VcsError;
pub use memory::Reserved;
pub use request::{
    ArchiveRequest, ArchiveStats, Authentication, Credential, Limits, Manifest, Origin, Pace, Progress, Readme,
    RemoteRef, Server, Snapshot, Step, Update, UpdateRequest,
};
pub use road::relay::main as relay;
pub use room::{Headroom, Shortage};
use spare::{Kind, Spares};
pub use ssh::{HostKey, HostKeyPolicy, HostKeys};
pub use system::{InvalidLayout, Layout, System};
pub use url::{InvalidUrl, Scheme, SourceUrl, UrlPolicy, is_azure_devops};

/// How repositories are worked with: the instance's configuration, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our own executable, which is run as `EXECUTABLE vcs-worker`.
    pub executable: PathBuf,
    /// Certificates, proxy, time-out and guard for HTTP.
    pub outbound: outbound::Settings,
    /// Which addresses are acceptable; looked at again in the worker.
    pub policy: UrlPolicy,
    /// How long an update may take: the first one fetches everything.
    pub deadline: Duration,
    /// How long an archive may take: somebody waits for it, and for the builder.
    pub archive_deadline: Duration,
    /// How much one operation may use.
    pub limits: Limits,
    /// What happens at hosts whose SSH key is not known.
    pub ssh_host_keys: HostKeyPolicy,
}

/// The room's front door; clones share their settings and workers.
#[derive(Clone)]
pub struct Vcs {
    settings: Arc<Settings>,
    spares: Spares,
    /// What all updates together may hold in this process's memory.
    memory: Memory,
}

impl Vcs {
    /// Takes the settings; nothing is started until an operation is asked for.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), spares: Spares::default(), memory: Memory::default() }
    }

    /// How this instance reaches others.
    #[must_use]
    pub fn outbound(&self) -> &outbound::Settings {
        &self.settings.outbound
    }

    /// Whether the disk has room for mirrors and archives below `directory`.
    ///
    /// # Errors
    /// [`Shortage`] if not.
    pub fn check_room(&self, directory: &Path) -> Result<(), Shortage> {
        self.settings.limits.headroom.check(directory, 0)
    }

    /// What is kept free of a file system of `size` bytes.
    #[must_use]
    pub fn kept_free(&self, size: u64) -> u64 {
        self.settings.limits.headroom.of(size)
    }

    /// Lists the remote, and if anything changed brings the mirror up to date and reads every ref's manifest.
    ///
    /// A listing that equals `known_digest` costs no more than the listing. Commits that were published stay in the
    /// mirror, whatever the remote does. Dropping the future ends the worker.
    ///
    /// # Errors
    /// [`VcsError`]; the mirror's refs are as they were.
    pub async fn update(&self, request: UpdateRequest) -> Result<Update, VcsError> {
        let (host_keys, progress) = (request.host_keys.clone(), request.progress.clone());
        self.perform_update(None, request::Operation::update(request), &host_keys, &progress).await
    }

    /// The same for one of many repositories of an owner (the organization's row): a worker that finds nothing new
    /// stays for a moment, for the next one of the same owner, host and credential.
    ///
    /// # Errors
    /// As [`Vcs::update`].
    pub async fn update_of(&self, owner: i64, request: UpdateRequest) -> Result<Update, VcsError> {
        let (host_keys, progress) = (request.host_keys.clone(), request.progress.clone());
        let operation = request::Operation::update(request);
        self.perform_update(Kind::of(&operation, owner), operation, &host_keys, &progress).await
    }

    async fn perform_update(
        &self,
        kind: Option<Kind>,
        operation: request::Operation,
        host_keys: &HostKeys,
        progress: &Progress,
    ) -> Result<Update, VcsError> {
        let news = process::News { host_keys, progress };
        match process::run_telling(&self.settings, &self.spares, &self.memory, kind, operation, news).await? {
            request::Answer::Update(update) => Ok(update),
            _ => Err(VcsError::mixed_up()),
        }
    }

    /// Writes a commit's files as Composer would archive them, the same bytes each time.
    ///
    /// # Errors
    /// [`VcsError::UnknownCommit`] for a commit that no branch, tag or kept ref of the mirror reaches;
    /// [`VcsError::HostileTree`] for trees that could harm who unpacks them. Nothing is left at `out` then.
    pub async fn archive(&self, request: ArchiveRequest) -> Result<ArchiveStats, VcsError> {
        let host_keys = match &request.origin {
            Origin::Subversion(server) => server.host_keys.clone(),
            Origin::Git | Origin::Mercurial => HostKeys::default(),
        };
        let operation = request::Operation::archive(request);
        let news = process::News { host_keys: &host_keys, progress: &Progress::default() };
        match process::run_telling(&self.settings, &self.spares, &self.memory, None, operation, news).await? {
            request::Answer::Archive(stats) => Ok(stats),
            _ => Err(VcsError::mixed_up()),
        }
    }

    /// Lists a repository without a mirror: how many branches and tags it has.
    ///
    /// # Errors
    /// [`VcsError`], as for an update.
    pub async fn probe(
        &self,
        url: SourceUrl,
        system: System,
        credential: Option<Credential>,
        host_keys: &HostKeys,
    ) -> Result<usize, VcsError> {
        let operation = request::Operation::Probe {
            url,
            system: Box::new(system),
            credential: credential.map(request::WireCredential::new),
            known_host_keys: host_keys.known.clone(),
        };
        let news = process::News { host_keys, progress: &Progress::default() };
        match process::run_telling(&self.settings, &self.spares, &self.memory, None, operation, news).await? {
            request::Answer::Listed(refs) => Ok(refs),
            _ => Err(VcsError::mixed_up()),
        }
    }

    /// Asks an SSH server for the host keys that it presents now; nobody logs in, nothing is believed.
    ///
    /// # Errors
    /// [`VcsError`] when it cannot be reached, or is none.
    pub async fn scan_host_keys(&self, host: String, port: u16) -> Result<Vec<HostKey>, VcsError> {
        match process::run(
            &self.settings,
            &self.spares,
            &self.memory,
            None,
            request::Operation::ScanHostKeys { host, port },
        )
        .await?
        {
            request::Answer::HostKeys(keys) => Ok(keys),
            _ => Err(VcsError::mixed_up()),
        }
    }

    /// Sees whether a host answers at a port, by HTTP if it should be a web server, whatever it says and without showing it
    /// a secret.
    ///
    /// # Errors
    /// [`VcsError`], which says what is in the way.
    pub async fn knock(&self, host: String, port: u16, web: bool) -> Result<(), VcsError> {
        match process::run(
            &self.settings,
            &self.spares,
            &self.memory,
            None,
            request::Operation::Knock { host, port, web },
        )
        .await?
        {
            request::Answer::Done => Ok(()),
            _ => Err(VcsError::mixed_up()),
        }
    }

    /// The public half of a private SSH key, as a line for `authorized_keys`, told by OpenSSH itself.
    ///
    /// # Errors
    /// [`VcsError::UnusableKey`] for what OpenSSH cannot use without being asked; [`VcsError::ToolMissing`] without it.
    pub async fn public_key(&self, private_key: &SecretString) -> Result<String, VcsError> {
        let private_key = private_key.expose_secret().to_owned();
        match process::run(&self.settings, &self.spares, &self.memory, None, request::Operation::inspect(private_key))
            .await?
        {
            request::Answer::PublicKey(line) => Ok(line),
            _ => Err(VcsError::mixed_up()),
        }
    }

    /// Forgets that a commit is kept, so that it goes once no branch or tag reaches it. Nothing happens if it was not kept.
    ///
    /// # Errors
    /// [`VcsError::Io`] when the mirror cannot be written.
    pub async fn drop_kept(&self, mirror: PathBuf, commit: String) -> Result<(), VcsError> {
        match process::run(
            &self.settings,
            &self.spares,
            &self.memory,
            None,
            request::Operation::DropKept { mirror, commit },
        )
        .await?
        {
            request::Answer::Done => Ok(()),
            _ => Err(VcsError::mixed_up()),
        }
    }
}
