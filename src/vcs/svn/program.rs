//! Running `svn`: nothing of this machine's configuration reaches it, nothing is remembered, and the password travels on
//! its standard input.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tempfile::TempDir;

use super::answers::{Info, ListEntry, Lists, parse};
use super::listing::Reference;
use super::words::{is_missing, meaning};
use crate::vcs::error::VcsError;
use crate::vcs::request::{Limits, WireCredential};
use crate::vcs::road::{Errand, Road, authorities};
use crate::vcs::ssh::MemoryFile;
use crate::vcs::surroundings::Surroundings;
use crate::vcs::system::Layout;
use crate::vcs::tool::{Bounds, Ended, SVN};
use crate::vcs::url::{Scheme, SourceUrl};

/// Most bytes of an answer that is not a file.
const MOST: usize = 64 << 20;
/// How many seconds `svn` itself waits for an answer; who is silent for shorter is noticed on the way.
const HTTP_TIMEOUT: u64 = 600;
/// What need not be encoded in a path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
/// What stands for the server in addresses where a relay leads to it.
const RELAYED: &str = "svn+ssh://repository";
const CONFIG: &str = "[auth]\npassword-stores =\nstore-passwords = no\nstore-auth-creds = no\n";

/// The program, and how it reaches the server.
pub(super) struct Svn<'a> {
    config: TempDir,
    road: Road,
    /// What the program is told that the base of the layout is.
    base: String,
    /// What people call it.
    source: String,
    limits: &'a Limits,
    // As long as the configuration names it.
    _authorities: Option<MemoryFile>,
}

/// Where a repository stands.
#[derive(Debug)]
pub(super) struct Place {
    /// The newest revision: everything else is asked as of it.
    pub(super) head: u64,
    /// The last one that changed something of ours.
    pub(super) changed: u64,
    /// What tells the repository from one that replaces it.
    pub(super) uuid: String,
}

/// What is known of a path.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) is_directory: bool,
    pub(super) changed: u64,
    pub(super) time: Option<i64>,
}

/// A file's content.
#[derive(Debug)]
pub(super) enum Content {
    Missing,
    /// More than was wanted.
    TooLarge,
    Bytes(Vec<u8>),
}

impl<'a> Svn<'a> {
    /// Prepares everything; `directory` is where private files may be for a while.
    pub(super) fn open(
        url: &SourceUrl,
        layout: &Layout,
        credential: Option<&WireCredential>,
        directory: &Path,
        surroundings: &Surroundings<'a>,
    ) -> Result<Self, VcsError> {
        let command = "svnserve -t".to_owned();
        let errand = Errand { url, credential, command, user: "svn", system: "Subversion", directory };
        let road = Road::open(&errand, surroundings)?;
        let authorities = authorities(surroundings, false)?;
        let source = layout.base(url.as_str()).to_owned();
        let base = match url.scheme() {
            Scheme::Svn | Scheme::SvnSsh => {
                let (_, rest) = source.split_once("://").unwrap_or_default();
                format!("{RELAYED}{}", rest.find('/').map_or("", |at| &rest[at..]))
            }
            _ => source.clone(),
        };
        let making = |error: io::Error| VcsError::io("Writing the configuration for svn", &error);
        let config = tempfile::Builder::new().prefix(".tmp-svn-").tempdir_in(directory).map_err(making)?;
        fs::write(config.path().join("config"), CONFIG).map_err(making)?;
        fs::write(config.path().join("servers"), servers(&road, authorities.as_ref())).map_err(making)?;
        Ok(Self { config, road, base, source, limits: surroundings.limits, _authorities: authorities })
    }

    /// The base of the layout, as people call it.
    pub(super) fn source(&self) -> String {
        self.source.clone()
    }

    pub(super) fn road(&self) -> &Road {
        &self.road
    }

    /// Where the repository stands now: one question.
    pub(super) fn place(&self) -> Result<Place, VcsError> {
        let ended = self.run("info", &["--xml"], &[format!("{}@", self.base)], MOST, None)?;
        if !ended.is_good() {
            return Err(self.explain(&ended.said));
        }
        let info: Info = parse(&ended.out, self.road.url())?;
        let Some(entry) = info.entries.into_iter().next() else {
            return Err(VcsError::NotFoundOrNoAccess { url: self.road.url().to_owned() });
        };
        if entry.kind != "dir" {
            let reason = format!("{} is a file", self.source);
            return Err(VcsError::ToolFailed { url: self.road.url().to_owned(), reason });
        }
        Ok(Place { head: entry.revision, changed: entry.commit.revision, uuid: entry.repository.uuid })
    }

    /// What is known of a path at a revision; none if it is not there.
    pub(super) fn info(&self, path: &str, revision: u64) -> Result<Option<Known>, VcsError> {
        let ended = self.run("info", &["--xml"], &[self.target(path, revision)], MOST, None)?;
        if is_missing(&ended.said) {
            return Ok(None);
        }
        if !ended.is_good() {
            return Err(self.explain(&ended.said));
        }
        let info: Info = parse(&ended.out, self.road.url())?;
        Ok(info.entries.into_iter().next().map(|entry| Known {
            is_directory: entry.kind == "dir",
            changed: entry.commit.revision,
            time: entry.commit.time(),
        }))
    }

    /// What is in a directory at a revision; nothing if it is not there.
    pub(super) fn list(&self, path: &str, revision: u64) -> Result<Vec<ListEntry>, VcsError> {
        let ended = self.run("list", &["--xml"], &[self.target(path, revision)], MOST, None)?;
        if is_missing(&ended.said) {
            return Ok(Vec::new());
        }
        if !ended.is_good() {
            return Err(self.explain(&ended.said));
        }
        let lists: Lists = parse(&ended.out, self.road.url())?;
        Ok(lists.lists.into_iter().flat_map(|list| list.entries).collect())
    }

    /// A file at a revision, of at most `most` bytes.
    pub(super) fn cat(&self, path: &str, revision: u64, most: u64) -> Result<Content, VcsError> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let ended = self.run("cat", &[], &[self.target(path, revision)], most, None)?;
        if ended.cut {
            return Ok(Content::TooLarge);
        }
        if ended.is_good() {
            return Ok(Content::Bytes(ended.out));
        }
        if is_missing(&ended.said) { Ok(Content::Missing) } else { Err(self.explain(&ended.said)) }
    }

    /// Writes the files of a path into a directory that is not there yet; nothing of other repositories.
    pub(super) fn export(&self, reference: &Reference, tree: &Path, watched: &Path) -> Result<(), VcsError> {
        let target = self.target(&reference.path, reference.revision);
        let Some(tree) = tree.to_str() else { return Err(VcsError::mixed_up()) };
        // The directory's name is taken at its word: an `@` at its end would begin a revision.
        let targets = [target, format!("{tree}@")];
        let options = ["--quiet", "--ignore-externals", "--native-eol", "LF"];
        let ended = self.run("export", &options, &targets, MOST, Some(watched))?;
        if ended.is_good() { Ok(()) } else { Err(self.explain(&ended.said)) }
    }

    /// An address of a path at a revision.
    fn target(&self, path: &str, revision: u64) -> String {
        let path = path.trim_matches('/');
        let slash = if path.is_empty() { "" } else { "/" };
        format!("{}{slash}{}@{revision}", self.base, utf8_percent_encode(path, PATH))
    }

    fn run(
        &self,
        what: &str,
        options: &[&str],
        targets: &[String],
        output: usize,
        writes: Option<&Path>,
    ) -> Result<Ended, VcsError> {
        let mut command: Command = SVN.command();
        command.env("SVN_SSH", Road::relay_command());
        self.road.show_relay(&mut command);
        command.args([what, "--non-interactive", "--no-auth-cache", "--config-dir"]).arg(self.config.path());
        let mut input = None;
        if let Some(login) = self.road.login() {
            command.args(["--username", &login.username, "--password-from-stdin"]);
            input = Some(format!("{}\n", login.password));
        }
        command.args(options).arg("--").args(targets);
        let bounds = Bounds { output, writes, limits: self.limits };
        SVN.run(command, input.as_deref().map(str::as_bytes), bounds)
    }

    fn explain(&self, said: &str) -> VcsError {
        meaning(self, &said.replace(&self.base, &self.source), self.limits)
    }
}

/// The `servers` file: how HTTP is spoken.
fn servers(road: &Road, authorities: Option<&MemoryFile>) -> String {
    let mut text = format!(
        "[global]\nhttp-timeout = {HTTP_TIMEOUT}\nhttp-chunked-requests = no\nhttp-auth-types = basic;digest\nstore-plaintext-passwords = no\n\
         ssl-trust-default-ca = yes\n"
    );
    if let Some((port, user, password)) = road.proxy() {
        text.push_str(&format!(
            "http-proxy-host = 127.0.0.1\nhttp-proxy-port = {port}\nhttp-proxy-username = {user}\n\
             http-proxy-password = {password}\n"
        ));
    }
    if let Some(authorities) = authorities {
        text.push_str(&format!("ssl-authority-files = {}\n", authorities.path()));
    }
    text
}
