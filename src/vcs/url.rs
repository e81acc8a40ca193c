//! The address of a source repository: what may be typed, what is kept, and when two addresses mean the same.
//!
//! Everything downstream (a network connection, a child process, `source.url` in metadata) takes a [`SourceUrl`], so
//! that nothing hostile gets past this file. The forms are those of `git help fetch`, section "GIT URLS".

pub(super) mod hosts;
mod parts;

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use hosts::is_azure_devops;
pub(super) use parts::percent_decoded;
use parts::{
    check_characters, check_decoded, check_host, check_path, check_user, is_local, is_scheme, looks_like_token,
    split_port, word,
};

/// Longest address that is accepted, in bytes.
const MAX_LENGTH: usize = 2048;

/// What the instance accepts, from `[vcs]` and `[server]` of the configuration.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct UrlPolicy {
    /// Directories below which local repositories are accepted.
    pub file_roots: Vec<PathBuf>,
    /// Whether unencrypted addresses (`http://`, `git://`, `svn://`) are accepted.
    pub allow_insecure: bool,
    /// Hosts with ports at which `http://` is accepted all the same: those of integrations that are spoken to in that way.
    #[serde(default)]
    pub plain_hosts: Vec<(String, u16)>,
    /// The instance's data directory, out of which no repository is ever read.
    pub data_dir: PathBuf,
}

/// How a repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// HTTP over TLS.
    Https,
    /// Unencrypted HTTP.
    Http,
    /// The ssh program.
    Ssh,
    /// Git's own unencrypted protocol.
    Git,
    /// Subversion's own unencrypted protocol.
    Svn,
    /// The same through the ssh program.
    #[serde(rename = "svn+ssh")]
    SvnSsh,
    /// A directory of this machine.
    File,
}

impl Scheme {
    /// The port that is meant when none is given.
    #[must_use]
    pub fn default_port(self) -> Option<u16> {
        match self {
            Self::Https => Some(443),
            Self::Http => Some(80),
            Self::Ssh | Self::SvnSsh => Some(22),
            Self::Git => Some(9418),
            Self::Svn => Some(3690),
            Self::File => None,
        }
    }

    /// Whether the ssh program is run, with a key and the rules for host keys.
    #[must_use]
    pub fn is_ssh(self) -> bool {
        matches!(self, Self::Ssh | Self::SvnSsh)
    }
}

/// Why an address is not accepted. The text is for the person who typed it and never repeats a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// Nothing was typed.
    #[error("A repository's address is missing.")]
    Empty,
    /// It is longer than 2,048 bytes.
    #[error("The address is longer than {MAX_LENGTH} bytes.")]
    TooLong,
    /// It holds control characters, white space or backslashes.
    #[error("The address contains {0}, which no repository's address needs: remove it.")]
    Characters(&'static str),
    /// A part of it could be taken for an option of a program.
    #[error("The {0} of the address begins with a hyphen, which could be taken for a program's option.")]
    Option(&'static str),
    /// It names a transport helper or a scheme that is not known.
    #[error("`{0}` is no way to reach a repository here: use https:// or ssh://.")]
    Scheme(String),
    /// It is unencrypted, and the instance does not accept that.
    #[error(
        "{0}:// is not encrypted. Use https:// or ssh://, or set `allow_insecure = true` under [vcs] in config.toml."
    )]
    Insecure(&'static str),
    /// A password stands in it.
    #[error(
        "The address contains a password. Remove it from the address, store it with `credential add --type http-basic`, \
         and choose that credential for the package."
    )]
    Secret,
    /// There is no host, or its name has characters that host names have not.
    #[error("The address has no valid host name.")]
    Host,
    /// The user's name has characters that are not accepted.
    #[error("The user name in the address has characters that are not accepted.")]
    User,
    /// The port is no number from 1 to 65535.
    #[error(
        "The port in the address is no number from 1 to 65535. If what follows the colon is a path, write \
         `user@host:path` without `ssh://`, or `ssh://user@host/path`."
    )]
    Port,
    /// An IPv6 address in the form that has no place for one.
    #[error("An IPv6 address stands in brackets in an address with a scheme only: write `ssh://user@[address]/path`.")]
    Ipv6,
    /// It has no form that addresses have.
    #[error(
        "This is no address of a repository: write `https://host/path`, `user@host:path`, or the absolute path of a \
         directory of this machine."
    )]
    Form,
    /// There is no path, or a query or fragment follows it.
    #[error("The address has no repository path, or something follows it (`?…` or `#…`).")]
    Path,
    /// A path of this machine, and the instance has no `file_roots`, or it is not below one.
    #[error(
        "Local repositories are only read below the directories that `file_roots` under [vcs] in config.toml lists."
    )]
    OutsideFileRoots,
    /// A path of this machine that leads into the data directory.
    #[error("The data directory of this program is never read as a repository.")]
    DataDirectory,
    /// A path of this machine where nothing is, or that cannot be read.
    #[error("There is no directory that can be read at this path.")]
    NoSuchDirectory,
    /// An address for CodeCommit's remote helper from which the ordinary one cannot be told: it is like this one.
    #[error(
        "`codecommit:` addresses are for a helper program of Git's, and this one does not say where the repository is. Use \
         {0} with a credential of type http-basic (the Git credentials that IAM makes)."
    )]
    CodeCommit(String),
}

/// The address of a source repository, checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SourceUrl {
    text: String,
    scheme: Scheme,
    host: Option<String>,
    port: Option<u16>,
    path: String,
}

impl SourceUrl {
    /// Reads an address as somebody typed it. User names without a secret are dropped from HTTP addresses; paths of this
    /// machine are resolved, so that a symbolic link cannot lead out of `file_roots`.
    ///
    /// # Errors
    /// [`InvalidUrl`], a sentence for the person who typed it.
    pub fn parse(text: &str, policy: &UrlPolicy) -> Result<Self, InvalidUrl> {
        check_characters(text)?;
        let before_slash = text.split('/').next().unwrap_or_default();
        if before_slash.starts_with('[') || before_slash.contains("@[") {
            return Err(InvalidUrl::Ipv6);
        }
        if let Some(rest) = text.strip_prefix("codecommit:") {
            let address = hosts::codecommit(rest).map_err(InvalidUrl::CodeCommit)?;
            return Self::http(&address, Scheme::Https);
        }
        if let Some((helper, _)) = before_slash.split_once("::") {
            return Err(InvalidUrl::Scheme(format!("{}::", word(helper))));
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return match scheme.to_ascii_lowercase().as_str() {
                "https" => Self::http(text, Scheme::Https),
                "http" => {
                    let url = Self::http(text, Scheme::Http)?;
                    if policy.accepts_plain(&url) { Ok(url) } else { Err(InvalidUrl::Insecure("http")) }
                }
                "git" if policy.allow_insecure => Self::authority(Scheme::Git, "git", rest),
                "git" => Err(InvalidUrl::Insecure("git")),
                "ssh" | "git+ssh" | "ssh+git" => Self::authority(Scheme::Ssh, "ssh", rest),
                "svn" if policy.allow_insecure => Self::authority(Scheme::Svn, "svn", rest),
                "svn" => Err(InvalidUrl::Insecure("svn")),
                "svn+ssh" => Self::authority(Scheme::SvnSsh, "svn+ssh", rest),
                "file" => Self::file(&percent_decoded(rest)?, policy),
                _ => Err(InvalidUrl::Scheme(format!("{}://", word(scheme)))),
            };
        }
        if text.starts_with('/') {
            return Self::file(text, policy);
        }
        match text.split_once(':') {
            // `https:/host/path` is a slip of the keyboard, not a host of this name.
            Some((scheme, _)) if is_scheme(scheme) => Err(InvalidUrl::Form),
            Some((host, path)) if !host.contains('/') && host.len() > 1 => Self::scp(text, host, path),
            _ if is_local(text) => Err(InvalidUrl::OutsideFileRoots),
            _ => Err(InvalidUrl::Form),
        }
    }

    /// The address as it is used and published (`source.url`): without user information where HTTP is spoken.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How the repository is reached.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Where it is reached: the host in lower case (an IPv6 address in brackets) and the port. None for a local path.
    #[must_use]
    pub fn host_port(&self) -> Option<(String, u16)> {
        Some((self.host.clone()?, self.port.or_else(|| self.scheme.default_port())?))
    }

    /// Whether it is an ssh address of AWS CodeCommit without a user: there, the user is the id of the SSH key, and no other
    /// gets in.
    #[must_use]
    pub fn lacks_key_id(&self) -> bool {
        let host = self.host.as_deref().unwrap_or_default();
        let is_there = self.scheme == Scheme::Ssh && hosts::Service::of(host, "") == hosts::Service::CodeCommit;
        is_there && !self.text.contains('@')
    }

    /// The path on its host, or of this machine, as it is given to the other side.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path without percent-encoding.
    #[must_use]
    pub fn decoded_path(&self) -> String {
        percent_decoded(&self.path).unwrap_or_else(|_| self.path.clone())
    }

    /// What two addresses of one repository share, whatever the protocol, user, `.git` or slash at the end: the key for
    /// finding duplicates and the package that a webhook means. Paths keep their case, because hosts differ there.
    #[must_use]
    pub fn key(&self) -> String {
        // Part by part, so that an encoded slash separates nothing.
        let decoded = |part: &str| match percent_decoded(part) {
            Ok(plain) if !plain.contains('/') => plain,
            _ => part.to_owned(),
        };
        let parts: Vec<_> = self.path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        let port = self.port.filter(|port| Some(*port) != self.scheme.default_port());
        if let Some(host) = &self.host
            && let Some(key) = hosts::key(host, port, &parts.iter().map(String::as_str).collect::<Vec<_>>())
        {
            return key;
        }
        let mut path = parts.join("/");
        if path.len() > 4 && path.to_ascii_lowercase().ends_with(".git") {
            path.truncate(path.len() - 4);
        }
        // `a/.git` is the repository of the work tree `a`.
        path.truncate(path.trim_end_matches('/').len());
        let host = match (&self.host, port) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.clone(),
            (None, _) => return format!("file:///{path}"),
        };
        // A repository may be all that its host has.
        if path.is_empty() { host } else { format!("{host}/{path}") }
    }

    /// `https://` and `http://`; the path may be empty, because not every system needs one.
    fn http(text: &str, scheme: Scheme) -> Result<Self, InvalidUrl> {
        // The URL standard reads `https:///r` as the host `r`.
        if text.split_once("://").is_none_or(|(_, rest)| rest.starts_with('/')) {
            return Err(InvalidUrl::Host);
        }
        let mut url = url::Url::parse(text).map_err(|error| match error {
            url::ParseError::InvalidPort => InvalidUrl::Port,
            _ => InvalidUrl::Host,
        })?;
        if url.password().is_some_and(|password| !password.is_empty()) || looks_like_token(url.username()) {
            return Err(InvalidUrl::Secret);
        }
        if url.set_username("").is_err() || url.set_password(None).is_err() {
            return Err(InvalidUrl::Host);
        }
        if let Some(address) = hosts::codecommit_shown(&url) {
            return Self::http(&address, Scheme::Https);
        }
        if let Some(path) = hosts::repository_shown(url.host_str().unwrap_or_default(), url.path()) {
            // What browsers show there is the repository's address and which branch or file is looked at.
            url.set_query(None);
            url.set_fragment(None);
            url.set_path(&path);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidUrl::Path);
        }
        if url.port() == Some(0) {
            return Err(InvalidUrl::Port);
        }
        // What is kept can be three times as long as what was typed, and will be read again.
        if url.as_str().len() > MAX_LENGTH {
            return Err(InvalidUrl::TooLong);
        }
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        check_host(&host)?;
        check_decoded(url.path())?;
        Ok(Self { scheme, host: Some(host), port: url.port(), path: url.path().to_owned(), text: String::from(url) })
    }

    /// `ssh://`, `git://` and `svn://`, which the `url` crate does not normalise: their parts are read by hand and put together anew.
    fn authority(scheme: Scheme, name: &'static str, rest: &str) -> Result<Self, InvalidUrl> {
        let (authority, path) = rest.split_once('/').ok_or(InvalidUrl::Path)?;
        let (user, host_port) = match authority.rsplit_once('@') {
            Some((user, host_port)) => (Some(user), host_port),
            None => (None, authority),
        };
        let (host, port) = split_port(host_port)?;
        let host = host.to_ascii_lowercase();
        check_host(&host)?;
        if let Some(user) = user {
            check_user(user)?;
        }
        if matches!(scheme, Scheme::Git | Scheme::Svn) && user.is_some() {
            return Err(InvalidUrl::User);
        }
        check_path(path)?;
        let at = user.map(|user| format!("{user}@")).unwrap_or_default();
        let colon = port.map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self {
            text: format!("{name}://{at}{host}{colon}/{path}"),
            scheme,
            host: Some(host),
            port,
            path: format!("/{path}"),
        })
    }

    /// `user@host:path`: the form is kept, because the path is relative to the user's home directory.
    fn scp(text: &str, user_host: &str, path: &str) -> Result<Self, InvalidUrl> {
        let (user, host) = match user_host.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, user_host),
        };
        if let Some(user) = user {
            check_user(user)?;
        }
        // `user:secret@host…`: what stands before the first colon is the host only if there is no `@` behind it.
        if path.split('/').next().is_some_and(|first| first.contains('@')) {
            return Err(InvalidUrl::Secret);
        }
        check_host(&host.to_ascii_lowercase())?;
        check_path(path)?;
        Ok(Self {
            text: text.to_owned(),
            scheme: Scheme::Ssh,
            host: Some(host.to_ascii_lowercase()),
            port: None,
            path: path.to_owned(),
        })
    }

    fn file(path: &str, policy: &UrlPolicy) -> Result<Self, InvalidUrl> {
        let resolved = resolve_local(Path::new(path), policy)?;
        let text = resolved.to_str().ok_or(InvalidUrl::Characters("bytes that are not UTF-8"))?.to_owned();
        check_characters(&text)?;
        Ok(Self { scheme: Scheme::File, host: None, port: None, path: text.clone(), text })
    }

    /// Looks at a local path again when it is about to be read: a symbolic link may have moved since it was accepted.
    ///
    /// # Errors
    /// [`InvalidUrl`] when it now leads elsewhere or nowhere.
    pub fn recheck(&self, policy: &UrlPolicy) -> Result<(), InvalidUrl> {
        match self.scheme {
            Scheme::File if resolve_local(Path::new(&self.path), policy)? != Path::new(&self.path) => {
                Err(InvalidUrl::OutsideFileRoots)
            }
            Scheme::Http if !policy.accepts_plain(self) => Err(InvalidUrl::Insecure("http")),
            Scheme::Git if !policy.allow_insecure => Err(InvalidUrl::Insecure("git")),
            Scheme::Svn if !policy.allow_insecure => Err(InvalidUrl::Insecure("svn")),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The path with every symbolic link followed, if it lies below a root and outside the data directory.
impl UrlPolicy {
    /// Whether an address of plain HTTP is accepted.
    fn accepts_plain(&self, url: &SourceUrl) -> bool {
        self.allow_insecure || url.host_port().is_some_and(|at| self.plain_hosts.contains(&at))
    }

    /// Whether a path without links or `..` may be read.
    pub(super) fn reaches(&self, resolved: &Path) -> bool {
        self.is_below_root(resolved) && !self.is_data(resolved)
    }

    fn is_below_root(&self, resolved: &Path) -> bool {
        self.file_roots.iter().filter_map(|root| root.canonicalize().ok()).any(|root| resolved.starts_with(root))
    }

    fn is_data(&self, resolved: &Path) -> bool {
        let data_dir = self.data_dir.canonicalize();
        data_dir.is_ok_and(|data_dir| resolved.starts_with(&data_dir) || data_dir.starts_with(resolved))
    }
}

fn resolve_local(path: &Path, policy: &UrlPolicy) -> Result<PathBuf, InvalidUrl> {
    let lexically_inside = policy
        .file_roots
        .iter()
        .any(|root| path.starts_with(root) || root.canonicalize().is_ok_and(|root| path.starts_with(root)));
    if !path.is_absolute() || !lexically_inside || path.components().any(|part| part == Component::ParentDir) {
        return Err(InvalidUrl::OutsideFileRoots);
    }
    let resolved = path.canonicalize().map_err(|_| InvalidUrl::NoSuchDirectory)?;
    if !policy.is_below_root(&resolved) {
        return Err(InvalidUrl::OutsideFileRoots);
    }
    if policy.is_data(&resolved) {
        return Err(InvalidUrl::DataDirectory);
    }
    if resolved.is_dir() { Ok(resolved) } else { Err(InvalidUrl::NoSuchDirectory) }
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
