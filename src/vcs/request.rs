//! What is asked of the worker and what it answers: the public types, and their form on the pipe.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::directories::Found;
use super::error::VcsError;
use super::memory::Reserved;
use super::room::Headroom;
use super::ssh::{HostKey, HostKeyPolicy, HostKeys};
use super::system::{Layout, System};
use super::url::{SourceUrl, UrlPolicy};
use crate::composer::directories::Directories;
use crate::outbound;

/// How much one operation may use. The defaults suit repositories of a few gigabytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// Memory of the worker that is not mapped files, in bytes (`RLIMIT_DATA`).
    pub memory: u64,
    /// Bytes that one transfer may have, and one file that the worker writes (`RLIMIT_FSIZE`).
    pub transfer: u64,
    /// Branches and tags that a remote may list.
    pub refs: usize,
    /// Bytes of all manifests of one update.
    pub manifests: u64,
    /// Files that an archive may hold.
    pub archive_entries: usize,
    /// Bytes of an archive's files before compression.
    pub archive_bytes: u64,
    /// What is left free on the disk.
    pub headroom: Headroom,
    /// How fast a server must send at least.
    pub pace: Pace,
    /// How often within a day a mirror is fetched anew as a whole without that being of use.
    pub repairs: usize,
}

/// The least that a server must send of an answer: so many bytes in each span of time. It keeps one that trickles from
/// holding a worker until the deadline, and lets the others prepare a pack for a while, during which they send little.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Pace {
    /// The span.
    pub span: Duration,
    /// The bytes.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 2 << 30,
            transfer: 4 << 30,
            refs: 100_000,
            manifests: 256 << 20,
            archive_entries: 200_000,
            archive_bytes: 2 << 30,
            headroom: Headroom::default(),
            pace: Pace { span: Duration::from_secs(5 * 60), bytes: 4 << 10 },
            repairs: 3,
        }
    }
}

/// A secret that opens repositories of exactly one host and port.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The host it belongs to, in lower case, as [`SourceUrl::host_port`] gives it.
    pub host: String,
    /// The port it belongs to.
    pub port: u16,
    /// What is sent there.
    pub authentication: Authentication,
}

/// How a credential is presented.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// HTTP Basic.
    Basic {
        /// The user's name; some services want a fixed one, such as `x-access-token`.
        username: String,
        /// Password or token.
        secret: SecretString,
    },
    /// `Authorization: Bearer`.
    Bearer {
        /// The token.
        secret: SecretString,
    },
    /// A private key for SSH.
    SshKey {
        /// Who logs in where the address does not say it.
        username: Option<String>,
        /// The key, as [`super::ssh::normalize`] gives it.
        private_key: SecretString,
    },
}

/// What an update needs to know.
#[derive(Clone, Debug)]
pub struct UpdateRequest {
    /// The mirror's directory; made if it is missing.
    pub mirror: PathBuf,
    /// Where the repository is.
    pub url: SourceUrl,
    /// Which version control system it has.
    pub system: System,
    /// Which of its directories are packages of their own; none if it is one package.
    pub directories: Option<Directories>,
    /// What opens it, chosen by a person.
    pub credential: Option<Credential>,
    /// The digest of the last snapshot that was stored.
    pub known_digest: Option<String>,
    /// How many refs that snapshot had: an empty listing is an error if there were any.
    pub known_refs: usize,
    /// The ids of all commits that were ever published and not forgotten.
    pub published: Vec<String>,
    /// Commits that somebody (a webhook) says should be there.
    pub announced: Vec<String>,
    /// By which keys the host is known, where SSH is spoken; what is learned of it is found here afterwards.
    pub host_keys: HostKeys,
    /// Who is told how far it is.
    pub progress: Progress,
}

/// How far an update is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// The remote said what it has.
    Listed {
        /// Branches and tags.
        refs: usize,
        /// Whether that is what the mirror has already.
        current: bool,
    },
    /// What was missing is here.
    Fetched {
        /// What arrived, in bytes; none if every object was there already.
        bytes: Option<u64>,
    },
    /// The mirror is damaged, and everything is fetched anew.
    Repairing {
        /// What is wrong with it.
        what: String,
    },
}

/// Who is told how far an update is; by default nobody. Clones tell the same.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(Step) + Send + Sync>>);

impl Progress {
    /// Tells `listener`, which must not block.
    #[must_use]
    pub fn to(listener: impl Fn(Step) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    pub(super) fn tell(&self, step: Step) {
        if let Some(listener) = &self.0 {
            listener(step);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Progress").field(&self.0.is_some()).finish()
    }
}

/// What an update found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Update {
    /// The remote lists what it listed before.
    Unchanged {
        /// Announced commits that are not in the mirror.
        unseen: Vec<String>,
    },
    /// Something is different, or this is the first time.
    Changed(Snapshot),
}

/// A repository as it was listed, with every ref's manifest.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// Equal digests mean equal listings.
    pub digest: String,
    /// The branch that `HEAD` names, in full (`refs/heads/main`), if the server says so.
    pub default_branch: Option<String>,
    /// Branches and tags: sorted by name, or in the order in which Composer sees them where that is another one.
    pub refs: Vec<RemoteRef>,
    /// What names the package where that is no branch: the newest changeset of Mercurial, the trunk of Subversion.
    pub root: Option<Box<RemoteRef>>,
    /// What the directories hold that were asked for.
    pub directories: Option<Box<Found>>,
    /// The README of the default branch, if there is one.
    pub readme: Option<Box<Readme>>,
    /// The manifests' contents by blob id, and the README's.
    #[serde(skip)]
    pub manifests: HashMap<String, Arc<[u8]>>,
    /// Announced commits that are not in the mirror yet.
    pub unseen: Vec<String>,
    /// Whether objects were transferred.
    pub received_pack: bool,
    /// Kept commits that could not be rescued from a damaged mirror: their archives cannot be built again.
    pub lost: Vec<String>,
    /// What the snapshot, and what is made of it, may take of this process's memory; given back when the last clone goes.
    #[serde(skip)]
    pub reserved: Reserved,
}

/// A branch or tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteRef {
    /// Its full name, `refs/heads/…` or `refs/tags/…`.
    pub name: String,
    /// The object it names, which is a tag object for annotated tags.
    pub target: String,
    /// The commit it leads to; none for a tag of a file or tree.
    pub commit: Option<String>,
    /// When the commit was authored, in seconds since 1970; none if its date cannot be read.
    pub time: Option<i64>,
    /// In which time zone that is told, in seconds east of UTC.
    #[serde(default)]
    pub offset: i32,
    /// Its `composer.json`.
    pub manifest: Manifest,
}

/// The `composer.json` at the root of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Manifest {
    /// It is the blob with this id, in [`Snapshot::manifests`].
    Blob(String),
    /// There is none, or the ref leads to no commit.
    Missing,
    /// It is a symbolic link, a directory or a submodule.
    NotAFile,
    /// It is larger than 1 MiB.
    TooLarge {
        /// How large.
        bytes: u64,
    },
}

/// The README at the root of the default branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readme {
    /// The file's name.
    pub name: String,
    /// Its blob id; the content is in [`Snapshot::manifests`], unless the file is larger than 512 KiB.
    pub blob: String,
    /// How large it is.
    pub bytes: u64,
}

/// What an archive is made of.
#[derive(Clone, Debug)]
pub struct ArchiveRequest {
    /// The mirror's directory.
    pub mirror: PathBuf,
    /// The commit: for Git and Mercurial 40 hexadecimal digits, for Subversion a path with a revision.
    pub commit: String,
    /// The directory of it whose files alone are meant; none for all. Only Git has such.
    pub directory: Option<String>,
    /// Where the archive is written, atomically; the directory must exist.
    pub out: PathBuf,
    /// Where the files come from.
    pub origin: Origin,
}

/// Where an archive's files come from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// The mirror of a Git repository.
    Git,
    /// The mirror of a Mercurial repository.
    Mercurial,
    /// The server of a Subversion repository, which keeps every revision.
    Subversion(Box<Server>),
}

/// The server of a Subversion repository.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where the repository is.
    pub url: SourceUrl,
    /// Where in it the package is.
    pub layout: Layout,
    /// What opens it.
    pub credential: Option<Credential>,
    /// By which keys the host is known, where SSH is spoken.
    pub host_keys: HostKeys,
}

/// What an archive came to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveStats {
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
    /// How many entries it has.
    pub entries: usize,
    /// What users should know: empty submodules, files that are only pointers to Git LFS. At most 20 sentences.
    pub warnings: Vec<String>,
}

/// A credential on the pipe. Only [`Operation::update`] makes one, only the worker reads one.
#[derive(Serialize, Deserialize)]
pub(super) struct WireCredential {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) kind: WireKind,
    pub(super) username: Option<String>,
    pub(super) secret: String,
}

impl WireCredential {
    pub(super) fn new(credential: Credential) -> Self {
        let (kind, username, secret) = match credential.authentication {
            Authentication::Basic { username, secret } => (WireKind::Basic, Some(username), secret),
            Authentication::Bearer { secret } => (WireKind::Bearer, None, secret),
            Authentication::SshKey { username, private_key } => (WireKind::SshKey, username, private_key),
        };
        let secret = secret.expose_secret().to_owned();
        Self { host: credential.host, port: credential.port, kind, username, secret }
    }
}

/// How a credential on the pipe is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum WireKind {
    Basic,
    Bearer,
    SshKey,
}

/// Keeps the secret out of anything that prints a request.
impl fmt::Debug for WireCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireCredential").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// [`UpdateRequest`] on the pipe.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireUpdate {
    pub(super) mirror: PathBuf,
    pub(super) url: SourceUrl,
    pub(super) system: System,
    pub(super) directories: Option<Directories>,
    pub(super) credential: Option<WireCredential>,
    pub(super) known_digest: Option<String>,
    pub(super) known_refs: usize,
    pub(super) published: Vec<String>,
    pub(super) announced: Vec<String>,
    pub(super) known_host_keys: Vec<HostKey>,
}

/// [`ArchiveRequest`] on the pipe.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireArchive {
    pub(super) mirror: PathBuf,
    pub(super) commit: String,
    pub(super) directory: Option<String>,
    pub(super) out: PathBuf,
    pub(super) origin: WireOrigin,
}

/// [`Origin`] on the pipe.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum WireOrigin {
    Git,
    Mercurial,
    Subversion(Box<WireServer>),
}

/// [`Server`] on the pipe.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireServer {
    pub(super) url: SourceUrl,
    pub(super) layout: Layout,
    pub(super) credential: Option<WireCredential>,
    pub(super) known_host_keys: Vec<HostKey>,
}

/// A private key on its way to who looks at it.
#[derive(Serialize, Deserialize)]
pub(super) struct WireKey(pub(super) String);

/// Keeps the key out of anything that prints a request.
impl fmt::Debug for WireKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WireKey(…)")
    }
}

/// What the worker is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Operation {
    Update(Box<WireUpdate>),
    /// Only list what is there.
    Probe {
        url: SourceUrl,
        system: Box<System>,
        credential: Option<WireCredential>,
        known_host_keys: Vec<HostKey>,
    },
    /// Only see whether anybody answers.
    Knock {
        host: String,
        port: u16,
        /// Whether it should be a web server.
        web: bool,
    },
    Archive(Box<WireArchive>),
    DropKept {
        mirror: PathBuf,
        commit: String,
    },
    ScanHostKeys {
        host: String,
        port: u16,
    },
    InspectKey(WireKey),
}

impl Operation {
    pub(super) fn update(request: UpdateRequest) -> Self {
        Self::Update(Box::new(WireUpdate {
            mirror: request.mirror,
            url: request.url,
            system: request.system,
            directories: request.directories,
            credential: request.credential.map(WireCredential::new),
            known_digest: request.known_digest,
            known_refs: request.known_refs,
            published: request.published,
            announced: request.announced,
            known_host_keys: request.host_keys.known,
        }))
    }

    pub(super) fn archive(request: ArchiveRequest) -> Self {
        let origin = match request.origin {
            Origin::Git => WireOrigin::Git,
            Origin::Mercurial => WireOrigin::Mercurial,
            Origin::Subversion(server) => WireOrigin::Subversion(Box::new(WireServer {
                url: server.url,
                layout: server.layout,
                credential: server.credential.map(WireCredential::new),
                known_host_keys: server.host_keys.known,
            })),
        };
        let ArchiveRequest { mirror, commit, directory, out, .. } = request;
        Self::Archive(Box::new(WireArchive { mirror, commit, directory, out, origin }))
    }

    pub(super) fn inspect(private_key: String) -> Self {
        Self::InspectKey(WireKey(private_key))
    }
}

/// One request to one worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) outbound: outbound::Settings,
    pub(super) policy: UrlPolicy,
    pub(super) limits: Limits,
    pub(super) deadline: Duration,
    pub(super) ssh_host_keys: HostKeyPolicy,
    pub(super) operation: Operation,
}

/// What the worker did.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Update(Update),
    Archive(ArchiveStats),
    Listed(usize),
    HostKeys(Vec<HostKey>),
    PublicKey(String),
    Done,
}

/// What a worker says: how far it is, any number of times, and then its answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Said {
    Step(Step),
    Answer(Box<Response>),
}

/// The answer's frame; the manifests follow it, each in a frame of its own, in the order of `blobs`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Response {
    pub(super) result: Result<Answer, VcsError>,
    /// Their ids and sizes.
    pub(super) blobs: Vec<(String, u64)>,
    /// Host keys that were seen for the first time and believed, whatever else came of it.
    pub(super) learned: Vec<HostKey>,
}
