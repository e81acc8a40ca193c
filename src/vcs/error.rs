//! What can go wrong with a source repository, as the caller decides on it and as the user reads it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::room::{Shortage, bytes};

/// Why an operation on a source repository failed. Each text says what failed and what to do; none holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum VcsError {
    /// The server refused the credential.
    #[error("{host} did not accept the credential (HTTP 401). Give it a new secret with `credential rotate NAME`.")]
    AuthFailed {
        /// The server's host and port.
        host: String,
    },
    /// The server refused the credential in a way of its own.
    #[error("{host} did not accept the credential: {how}. {remedy}")]
    CredentialRefused {
        /// The server's host and port.
        host: String,
        /// What it did instead of saying so.
        how: String,
        /// What to do: whole sentences.
        remedy: String,
    },
    /// The server wants a credential and none was sent.
    #[error(
        "{host} asks for a credential, and the package has none for exactly this host. Remove the package and add it again \
         with `--credential NAME`. Check the address too: some services answer like this where there is no repository."
    )]
    AuthRequired {
        /// The server's host and port.
        host: String,
    },
    /// The credential is good but may not read this repository.
    #[error("{host} does not let us read this repository (HTTP 403). Give the credential's account read access to it.")]
    Forbidden {
        /// The server's host and port.
        host: String,
    },
    /// There is no such repository, or the server hides it from us.
    #[error(
        "There is no repository at {url}, or the package's credential may not see it. Check the address and the credential's access."
    )]
    NotFoundOrNoAccess {
        /// The repository's address.
        url: String,
    },
    /// The server lets nobody in with this key.
    #[error(
        "The SSH server {host} does not let {user} in with the credential's key. Add its public half (`credential list --json` \
         shows it) to the repository's deploy keys or the account there, and check the user name."
    )]
    SshDenied {
        /// The server, with its port if that is not 22.
        host: String,
        /// Who tried to log in.
        user: String,
    },
    /// The server shows a key that nobody has accepted yet.
    #[error("{}", unknown_host_key(host, presented))]
    HostKeyUnknown {
        /// The server, with its port if that is not 22.
        host: String,
        /// Kinds and fingerprints of the keys that it showed.
        presented: Vec<String>,
    },
    /// The server shows another key than it is known by.
    #[error("{}", changed_host_key(host, known, presented))]
    HostKeyChanged {
        /// The server, with its port if that is not 22.
        host: String,
        /// Kinds and fingerprints of the keys that it is known by.
        known: Vec<String>,
        /// Kinds and fingerprints of the keys that it showed.
        presented: Vec<String>,
    },
    /// The ssh program failed for another reason.
    #[error("The SSH connection to {host} failed: {reason}.")]
    SshFailed {
        /// The server, with its port if that is not 22.
        host: String,
        /// What the ssh program or the server said.
        reason: String,
    },
    /// A private key that SSH cannot be spoken with.
    #[error("The private key cannot be used: {reason}.")]
    UnusableKey {
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// The server sends us elsewhere, where the package's credential does not go.
    #[error(
        "{from} redirects to {to}, where the package's credential is never sent. If that is right, remove the package and \
         add it again with that address, and with a credential for its host."
    )]
    Redirected {
        /// The host and port that were asked.
        from: String,
        /// The address that it names.
        to: String,
    },
    /// No trusted connection could be made.
    #[error("The TLS connection to {host} failed: {reason}.")]
    Tls {
        /// The server's host and port.
        host: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The configured proxy does not let us pass, or is not there.
    #[error("{host} cannot be reached: {reason}.{}", if *permanent { "" } else { " It is tried again later." })]
    Proxy {
        /// The server's host and port.
        host: String,
        /// A sentence that names the proxy, without its password.
        reason: String,
        /// Whether somebody has to change the configuration first.
        permanent: bool,
    },
    /// The host's name leads nowhere.
    #[error("No address was found for the host {host}. Check its spelling and this machine's name resolution.")]
    Dns {
        /// The name.
        host: String,
    },
    /// No connection could be made, or it broke.
    #[error("{host} cannot be reached: {reason}. It is tried again later.")]
    Unreachable {
        /// The server or proxy.
        host: String,
        /// What the system said.
        reason: String,
    },
    /// The other side was silent for too long, or the whole operation took too long.
    #[error("{what} took longer than {seconds} seconds and was given up. It is tried again later.")]
    Timeout {
        /// What was waited for.
        what: String,
        /// The limit.
        seconds: u64,
    },
    /// The server asks for fewer requests (429).
    #[error("{host} lets us make no more requests for now (HTTP 429). It is tried again {}.", later(*retry_after))]
    RateLimited {
        /// The server's host and port.
        host: String,
        /// For how many seconds, if it said so.
        retry_after: Option<u64>,
    },
    /// The server has an error of its own (5xx).
    #[error("{host} answered with an error of its own (HTTP {status}). It is tried again later.")]
    Unavailable {
        /// The server's host and port.
        host: String,
        /// The HTTP status.
        status: u16,
        /// After how many seconds to ask again, if it said so.
        retry_after: Option<u64>,
    },
    /// Something answers there, but no Git server.
    #[error(
        "{url} does not answer like a Git server: {reason}. Check the address, and whether the repository needs a credential \
         or another one; whatever stands in front of the server may be answering instead. What was served before is served \
         on."
    )]
    NotAGitEndpoint {
        /// What was asked.
        url: String,
        /// What came back.
        reason: String,
    },
    /// Something answers there, but no server of the package's system.
    #[error(
        "{url} does not answer like a {system} server: {reason}. Check the address, and whether the repository needs a \
         credential or another one; whatever stands in front of the server may be answering instead. What was served \
         before is served on."
    )]
    NotSpoken {
        /// What was asked.
        url: String,
        /// The version control system.
        system: String,
        /// What came back.
        reason: String,
    },
    /// A program that reads repositories failed for a reason that is not known here.
    #[error("{url} could not be read: {reason}. It is tried again later.")]
    ToolFailed {
        /// What was asked.
        url: String,
        /// The program, and what it said.
        reason: String,
    },
    /// A repository that had branches or tags suddenly lists none. Nothing was removed.
    #[error(
        "The repository lists no branches or tags any more, although it had {known}. Nothing was removed. If it was \
         emptied on purpose, remove the package."
    )]
    EmptyListing {
        /// How many refs were known.
        known: usize,
    },
    /// A way to reach repositories, or a kind of repository, that this version has not.
    #[error("{what} is not supported by this version.")]
    Unsupported {
        /// What it is.
        what: String,
    },
    /// A program that is needed is not installed.
    #[error("The program `{tool}` is needed {purpose} and is not installed on this machine. Install it and try again.")]
    ToolMissing {
        /// Its name.
        tool: String,
        /// What for.
        purpose: String,
    },
    /// The disk has too little room left for repositories.
    #[error(
        "The disk is too full: {shortage}, because the database needs room. Make room on it, or move the data directory \
         to a larger one. It is tried again later."
    )]
    NoRoom {
        /// How much there is.
        shortage: String,
    },
    /// The source is as damaged as the mirror.
    #[error(
        "The repository's data is damaged at its source too: {what}. It was fetched anew {repairs} times within a day and \
         came no better. Run `{check}` on the source."
    )]
    Unrepairable {
        /// What was found.
        what: String,
        /// How often it was fetched.
        repairs: usize,
        /// What looks for damage at the source.
        check: String,
    },
    /// A limit was reached.
    #[error("{what} is larger than the limit of {limit}.")]
    TooLarge {
        /// What it is.
        what: String,
        /// The limit, with its unit.
        limit: String,
    },
    /// The mirror, or what the server sent, is damaged.
    #[error("The repository's data is damaged: {what}. The mirror is repaired from its source at the next update.")]
    Corrupt {
        /// What was found.
        what: String,
    },
    /// The configuration forbids it.
    #[error("{reason}")]
    Policy {
        /// A sentence that names the key.
        reason: String,
    },
    /// No branch, tag or kept ref of the mirror reaches the commit.
    #[error("The commit {commit} is not in any branch or tag of the repository and was never published.")]
    UnknownCommit {
        /// The id that was asked for.
        commit: String,
    },
    /// A tree that could harm who unpacks it.
    #[error("No archive is made of this commit: {path} {reason}.")]
    HostileTree {
        /// The path, with unprintable characters escaped.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The worker process ended without an answer.
    #[error("The worker process for this repository ended unexpectedly ({detail}). It is tried again later.")]
    WorkerCrashed {
        /// Its exit status and its last words.
        detail: String,
    },
    /// A file or process of this machine failed us.
    #[error("{doing} failed: {reason}.{}", remedy(reason))]
    Io {
        /// What was tried.
        doing: String,
        /// What the system said.
        reason: String,
    },
}

impl VcsError {
    /// Whether trying again soon is pointless: somebody has to change something first. The ordinary schedule goes on.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::AuthFailed { .. }
            | Self::CredentialRefused { .. }
            | Self::AuthRequired { .. }
            | Self::Forbidden { .. }
            | Self::NotFoundOrNoAccess { .. }
            | Self::Redirected { .. }
            | Self::SshDenied { .. }
            | Self::HostKeyUnknown { .. }
            | Self::HostKeyChanged { .. }
            | Self::UnusableKey { .. }
            | Self::Tls { .. }
            | Self::Proxy { permanent: true, .. }
            | Self::NotAGitEndpoint { .. }
            | Self::NotSpoken { .. }
            | Self::EmptyListing { .. }
            | Self::Unsupported { .. }
            | Self::ToolMissing { .. }
            | Self::TooLarge { .. }
            | Self::Unrepairable { .. }
            | Self::Policy { .. }
            | Self::UnknownCommit { .. }
            | Self::HostileTree { .. } => true,
            Self::Dns { .. }
            | Self::Unreachable { .. }
            | Self::Proxy { permanent: false, .. }
            | Self::SshFailed { .. }
            | Self::ToolFailed { .. }
            | Self::Timeout { .. }
            | Self::RateLimited { .. }
            | Self::Unavailable { .. }
            | Self::Corrupt { .. }
            | Self::WorkerCrashed { .. }
            | Self::NoRoom { .. }
            | Self::Io { .. } => false,
        }
    }

    /// Whether this machine's disk is why: nothing is wrong with the repository.
    #[must_use]
    pub fn is_disk(&self) -> bool {
        matches!(self, Self::NoRoom { .. } | Self::Io { .. })
    }

    /// When the server asked to be asked again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Unavailable { retry_after, .. } => {
                retry_after.map(Duration::from_secs)
            }
            _ => None,
        }
    }

    /// A file or process of this machine failed us while `doing` ("Writing the archive").
    pub(super) fn io(doing: impl Into<String>, error: &std::io::Error) -> Self {
        Self::Io { doing: doing.into(), reason: error.to_string() }
    }

    /// The worker answered something else than was asked.
    pub(super) fn mixed_up() -> Self {
        Self::WorkerCrashed { detail: "it answered another question than was asked".to_owned() }
    }

    /// The worker needs more memory than it may have.
    pub(super) fn memory(limit: u64) -> Self {
        Self::TooLarge { what: "The memory that this repository needs".to_owned(), limit: bytes(limit) }
    }

    pub(super) fn corrupt(what: impl std::fmt::Display) -> Self {
        Self::Corrupt { what: what.to_string() }
    }
}

/// What to do about what the system said of a file, where that is known.
fn remedy(reason: &str) -> &'static str {
    let lower = reason.to_ascii_lowercase();
    let has = |text: &str| lower.contains(text);
    if has("permission denied") || has("read-only file system") || has("file system is read-only") {
        " Let the user that the server runs as write in the data directory. It is tried again later."
    } else if has("no space") || has("quota") {
        " Make room there, or move the data directory to a larger disk. It is tried again later."
    } else {
        ""
    }
}

/// When a server lets us come again, for people.
fn later(retry_after: Option<u64>) -> String {
    match retry_after {
        Some(0) | None => "later".to_owned(),
        Some(1) => "after a second".to_owned(),
        Some(seconds) => format!("after {seconds} seconds, as it says"),
    }
}

impl From<Shortage> for VcsError {
    fn from(shortage: Shortage) -> Self {
        Self::NoRoom { shortage: shortage.to_string() }
    }
}

fn unknown_host_key(host: &str, presented: &[String]) -> String {
    format!(
        "The SSH server {host} is not known, and `ssh_host_keys = \"strict\"` under [vcs] in config.toml lets nobody be \
         believed at first sight. It shows {}. If that is right, accept it with `host-key add {host} --scan --fingerprint \
         {}` and update the package.",
        listed(presented),
        fingerprint(presented)
    )
}

fn changed_host_key(host: &str, known: &[String], presented: &[String]) -> String {
    format!(
        "The SSH server {host} shows another host key than before, so nothing was sent to it: it is known by {}, and \
         shows {}. Somebody may stand between us and the server. Only if its administrator says that the new key is right, \
         accept it with `host-key add {host} --scan --fingerprint {}`, and remove the old one with `host-key remove {host} \
         --fingerprint {}`.",
        listed(known),
        listed(presented),
        fingerprint(presented),
        fingerprint(known)
    )
}

fn listed(keys: &[String]) -> String {
    if keys.is_empty() { "a key that could not be read again".to_owned() } else { keys.join(", ") }
}

/// The fingerprint of the first key, for a command to copy.
fn fingerprint(keys: &[String]) -> &str {
    keys.first().and_then(|key| key.split(' ').nth(1)).unwrap_or("SHA256:…")
}
