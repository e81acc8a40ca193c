//! A conversation with a remote: opening it, and asking what it lists.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Stdio};
use std::thread::JoinHandle;

use gix::ObjectId;
use gix::bstr::{BStr, ByteSlice};
use gix::protocol::fetch::refmap::init::Context;
use gix::protocol::handshake::Ref;
use gix::protocol::transport::client::blocking_io::Transport;
use gix::protocol::transport::client::blocking_io::http;
use gix::protocol::transport::client::git::ConnectMode;
use gix::protocol::transport::client::git::blocking_io::Connection;
use gix::protocol::transport::{Protocol, Service};
use gix::protocol::{Handshake, handshake};
use sha2::{Digest, Sha256};

use super::Surroundings;
use super::http::{Failure, Git};
use super::mirror::git;
use super::ssh::Remote;
use super::{daemon, local};
use crate::vcs::error::VcsError;
use crate::vcs::request::WireCredential;
use crate::vcs::url::{Scheme, SourceUrl};

/// What a remote ref names, and what an annotated tag leads to, as the remote says.
#[derive(Clone, Copy, Debug)]
pub(super) struct RemoteTarget {
    pub(super) target: ObjectId,
    pub(super) peeled: Option<ObjectId>,
}

/// A remote's branches and tags by their full names, and its default branch.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    pub(super) refs: BTreeMap<String, RemoteTarget>,
    pub(super) head: Option<String>,
}

impl Listing {
    /// Equal digests mean equal listings.
    pub(super) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (name, remote) in &self.refs {
            let peeled = remote.peeled.map(|id| id.to_string()).unwrap_or_default();
            hash.update(format!("{name} {} {peeled}\n", remote.target));
        }
        hash.update(format!("HEAD {}\n", self.head.as_deref().unwrap_or_default()));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn add(&mut self, remote: &Ref) {
        let (name, target, peeled) = match remote {
            Ref::Peeled { full_ref_name, tag, object } => (full_ref_name, *tag, Some(*object)),
            Ref::Direct { full_ref_name, object } => (full_ref_name, *object, None),
            Ref::Symbolic { full_ref_name, target, tag, object } => {
                self.add_head(full_ref_name.as_ref(), target.as_ref());
                (full_ref_name, tag.unwrap_or(*object), tag.map(|_| *object))
            }
            Ref::Unborn { full_ref_name, target } => return self.add_head(full_ref_name.as_ref(), target.as_ref()),
        };
        if let Some(name) = versioned(name.as_ref()) {
            self.refs.insert(name.to_owned(), RemoteTarget { target, peeled });
        }
    }

    fn add_head(&mut self, name: &BStr, target: &BStr) {
        if name == "HEAD" {
            self.head = versioned(target).filter(|target| target.starts_with("refs/heads/")).map(str::to_owned);
        }
    }
}

/// The name, if it is a branch's or tag's and one that Git allows (git-check-ref-format(1)). Others are no versions: to
/// leave them out is what Composer does with names that it cannot use.
fn versioned(name: &BStr) -> Option<&str> {
    let text = name.to_str().ok()?;
    let ours = text.starts_with("refs/heads/") || text.starts_with("refs/tags/");
    (ours && gix::validate::reference::name(name).is_ok()).then_some(text)
}

/// An open connection to one repository.
pub(super) struct Session {
    pub(super) transport: Box<dyn Transport>,
    pub(super) handshake: Option<Handshake>,
    pub(super) failure: Failure,
    url: SourceUrl,
    local: Option<Local>,
    /// What the worker may have, for a message.
    memory: u64,
    remote: Option<Remote>,
}

impl Session {
    /// Connects by the address's scheme; over HTTP, nothing is sent yet.
    pub(super) fn open(
        url: &SourceUrl,
        credential: Option<&WireCredential>,
        surroundings: &Surroundings<'_>,
    ) -> Result<Self, VcsError> {
        let Surroundings { outbound, policy, limits, .. } = surroundings;
        url.recheck(policy).map_err(|error| VcsError::Policy { reason: error.to_string() })?;
        let failure = Failure::default();
        let (mut local, mut remote) = (None, None);
        let transport: Box<dyn Transport> = match url.scheme() {
            Scheme::Https | Scheme::Http => {
                let client = Git::new(url, credential, outbound, limits, failure.clone())?;
                let parsed = gix::url::parse(BStr::new(url.as_str()))
                    .map_err(|error| VcsError::Policy { reason: format!("The address cannot be used: {error}.") })?;
                Box::new(http::Transport::new_http(client, parsed, Protocol::V2, false))
            }
            Scheme::File => {
                let directory = git_directory(url.path());
                local::check(&directory, policy)?;
                let (connection, child) = Local::spawn(url, &directory)?;
                local = Some(child);
                connection
            }
            Scheme::Git => daemon::open(url, outbound, limits, &failure)?,
            Scheme::Svn | Scheme::SvnSsh => {
                return Err(VcsError::Unsupported { what: format!("{url} as a Git repository") });
            }
            Scheme::Ssh => {
                let (connection, ssh) = Remote::open(url, credential, surroundings, failure.clone())?;
                remote = Some(ssh);
                connection
            }
        };
        Ok(Self { transport, handshake: None, url: url.clone(), failure, local, memory: limits.memory, remote })
    }

    /// Asks for branches, tags and the default branch; nothing else is transferred where the server speaks version 2.
    pub(super) fn list(&mut self) -> Result<Listing, VcsError> {
        let outcome = self.ask();
        let remote = match outcome {
            Ok(refs) => refs,
            Err(error) => return Err(self.explain(&error)),
        };
        let mut listing = Listing::default();
        for entry in &remote {
            listing.add(entry);
        }
        Ok(listing)
    }

    fn ask(&mut self) -> gix::Result<Vec<Ref>> {
        // The credential travels in our own client; gix would otherwise run the machine's credential programs.
        let no_helper = |_| Ok(None);
        let progress = &mut gix::progress::Discard;
        let mut greeting = handshake(&mut self.transport, Service::UploadPack, no_helper, Vec::new(), progress)?;
        let context = Context { fetch_refspecs: refspecs()?, extra_refspecs: Vec::new() };
        let map = greeting.prepare_lsrefs_or_extract_refmap(agent(), true, context)?.fetch_blocking(
            gix::progress::Discard,
            &mut self.transport,
            false,
        )?;
        self.handshake = Some(greeting);
        Ok(map.remote_refs)
    }

    /// What an error of gix means here: the first failure of the connection if there was one.
    pub(super) fn explain(&mut self, error: &gix::Error) -> VcsError {
        if let Some(known) = self.failure.take() {
            return known;
        }
        let text = brief(error);
        // What is wrong often stands deeper than what gix was doing.
        let whole = format!("{error:?}");
        if error.is_resource_exhausted() || out_of_memory(&whole) {
            return VcsError::memory(self.memory);
        }
        if let Some(reason) = disk_trouble(&whole) {
            return VcsError::Io { doing: "Writing the mirror".to_owned(), reason: reason.to_owned() };
        }
        if whole.contains("object format") || whole.contains("sha256") {
            return VcsError::Unsupported { what: "A repository with SHA-256 object ids".to_owned() };
        }
        if let Some(local) = self.local.take() {
            return local.explain(&self.url, &text);
        }
        if self.url.scheme() == Scheme::Git && denied(&whole) {
            return VcsError::NotFoundOrNoAccess { url: self.url.to_string() };
        }
        if let Some(remote) = self.remote.take() {
            return remote.explain(&text);
        }
        match self.handshake {
            None => VcsError::NotAGitEndpoint { url: self.url.to_string(), reason: text },
            Some(_) => {
                let host = self.url.host_port().map(|(host, _)| host).unwrap_or_default();
                VcsError::Unreachable { host, reason: format!("the transfer failed: {text}") }
            }
        }
    }
}

/// Whether git-daemon(1) says that it has no such repository, or does not show it.
fn denied(causes: &str) -> bool {
    ["access denied", "not exported", "no such repository"].iter().any(|said| causes.contains(said))
}

/// Whether an error of gix says that something did not fit into the memory that we may have.
pub(super) fn out_of_memory(text: &str) -> bool {
    ["fit in memory", "out of memory"].iter().any(|sign| text.contains(sign))
}

/// What our own disk has to do with an error of gix, told by its causes: the remote must not be blamed for it.
fn disk_trouble(causes: &str) -> Option<&'static str> {
    [
        ("StorageFull", "no space is left on the disk"),
        ("No space left on device", "no space is left on the disk"),
        ("QuotaExceeded", "the disk quota is used up"),
        ("ReadOnlyFilesystem", "the file system is read-only"),
        // Of a server that refuses us we are told in other words.
        ("PermissionDenied", "permission denied"),
    ]
    .into_iter()
    .find_map(|(cause, reason)| causes.contains(cause).then_some(reason))
}

fn refspecs() -> gix::Result<Vec<gix::refspec::RefSpec>> {
    ["HEAD", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        .into_iter()
        .map(|spec| Ok(gix::refspec::parse(spec.into(), gix::refspec::parse::Operation::Fetch)?.to_owned()))
        .collect()
}

/// What we call ourselves in the protocol.
pub(super) fn agent() -> (&'static str, Option<String>) {
    ("agent", Some(concat!("packagist-selfhosted/", env!("CARGO_PKG_VERSION")).to_owned()))
}

/// An error of gix on one line.
pub(super) fn brief(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(300).collect()
}

/// `git upload-pack` on a directory of this machine.
struct Local {
    child: Child,
    stderr: Option<JoinHandle<String>>,
}

impl Local {
    fn spawn(url: &SourceUrl, directory: &Path) -> Result<(Box<dyn Transport>, Self), VcsError> {
        let spawned = git()
            .args(["upload-pack", "--strict", "--timeout=60", "--"])
            .arg(directory)
            .env("GIT_PROTOCOL", "version=2")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = spawned.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => VcsError::ToolMissing {
                tool: "git".to_owned(),
                purpose: "to read repositories of this machine".to_owned(),
            },
            _ => VcsError::io("Starting git", &error),
        })?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(VcsError::WorkerCrashed { detail: "git's pipes were not opened".to_owned() });
        };
        let local = Self { child, stderr: Some(std::thread::spawn(move || listen(stderr))) };
        let host = None::<(String, Option<u16>)>;
        let connection = Connection::new(stdout, stdin, Protocol::V2, url.path(), host, ConnectMode::Process, false);
        Ok((Box::new(connection), local))
    }

    /// What went wrong, from what git said.
    fn explain(mut self, url: &SourceUrl, text: &str) -> VcsError {
        self.end();
        let said = self.stderr.take().and_then(|listener| listener.join().ok()).unwrap_or_default();
        if said.contains("not a git repository") || said.contains("not appear to be a git repository") {
            return VcsError::NotFoundOrNoAccess { url: url.to_string() };
        }
        if said.contains("is not a git command") {
            return VcsError::ToolMissing {
                tool: "git-upload-pack".to_owned(),
                purpose: "to read repositories of this machine".to_owned(),
            };
        }
        let reason = if said.trim().is_empty() { text.to_owned() } else { brief(&said) };
        VcsError::Unreachable { host: url.to_string(), reason }
    }

    fn end(&mut self) {
        // It may have ended by itself; what matters is that it is not there afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.end();
    }
}

/// With `--strict`, git does not look for `.git` itself.
fn git_directory(path: &str) -> PathBuf {
    let path = Path::new(path);
    let inner = path.join(".git");
    if inner.is_dir() { inner } else { path.to_owned() }
}

/// The first kilobytes of standard error; the rest is read and dropped, so that nobody waits for us.
fn listen(mut stderr: ChildStderr) -> String {
    let mut said = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = stderr.read(&mut buffer) {
        if said.len() < 4096 {
            said.extend_from_slice(&buffer[..count]);
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::disk_trouble;

    #[test]
    fn a_full_disk_is_not_blamed_on_the_remote() {
        let full = Error::from_raw_os_error(28);
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        for text in [format!("{full:?}"), format!("{:?}", Error::from(ErrorKind::StorageFull))] {
            assert_eq!(disk_trouble(&text), Some("no space is left on the disk"), "{text}");
        }
        assert_eq!(disk_trouble(&format!("{:?}", Error::from_raw_os_error(13))), Some("permission denied"));
        assert_eq!(disk_trouble("ConnectionReset"), None);
    }
}
