//! Running `hg`: nothing of this machine's configuration reaches it, and what it needs to know is in a file that exists in
//! memory only.

use std::path::Path;
use std::process::Command;

use super::words::meaning;
use crate::vcs::error::VcsError;
use crate::vcs::request::{Limits, WireCredential};
use crate::vcs::road::{Errand, Road, authorities};
use crate::vcs::ssh::MemoryFile;
use crate::vcs::surroundings::Surroundings;
use crate::vcs::tool::{Bounds, Ended, HG};
use crate::vcs::url::{Scheme, SourceUrl};

/// How many seconds `hg` itself waits for an answer; who is silent for shorter is noticed on the way.
pub(super) const HTTP_TIMEOUT: u64 = 600;
/// Most bytes of what it says where that is not the content of a file.
const MOST: usize = 64 << 20;

/// The program, and how it reaches the server if it has to.
pub(super) struct Hg<'a> {
    config: MemoryFile,
    road: Option<Road>,
    /// What the program is told that the repository's address is.
    source: String,
    limits: &'a Limits,
    // As long as the configuration names it.
    _authorities: Option<MemoryFile>,
}

/// What is never otherwise: no questions, no extensions, no hooks, no sub-repositories, nothing fetched from elsewhere.
const CONFIG: &str = "[ui]\ninteractive = no\nmerge = internal:fail\narchivemeta = no\nclonebundles = no\ntimeout = 60\n\
    report_untrusted = no\npaginate = never\n[subrepos]\nallowed = no\nhg:allowed = no\ngit:allowed = no\nsvn:allowed = no\n\
    [progress]\ndisable = yes\n[pull]\nconfirm = no\n";

impl<'a> Hg<'a> {
    /// For a mirror alone.
    pub(super) fn local(limits: &'a Limits) -> Result<Self, VcsError> {
        Ok(Self { config: file(CONFIG)?, road: None, source: String::new(), limits, _authorities: None })
    }

    /// For a server too.
    pub(super) fn towards(
        url: &SourceUrl,
        credential: Option<&WireCredential>,
        directory: &Path,
        surroundings: &Surroundings<'a>,
    ) -> Result<Self, VcsError> {
        let command = format!("hg -R {} serve --stdio", quoted(&remote_path(url)));
        let errand = Errand { url, credential, command, user: "hg", system: "Mercurial", directory };
        let road = Road::open(&errand, surroundings)?;
        let authorities = authorities(surroundings, true)?;
        let mut config = CONFIG.to_owned();
        let source = match road.proxy() {
            Some((port, user, password)) => {
                let address = url.as_str().trim_end_matches('/');
                config.push_str(&format!(
                    "[http_proxy]\nhost = 127.0.0.1:{port}\nuser = {user}\npasswd = {password}\nalways = yes\n\
                     [http]\ntimeout = {HTTP_TIMEOUT}\n"
                ));
                if let Some(login) = road.login() {
                    config.push_str(&format!(
                        "[auth]\nx.prefix = {address}\nx.username = {}\nx.password = {}\n",
                        login.username, login.password
                    ));
                }
                address.to_owned()
            }
            None => {
                config.push_str(&format!("[ui]\nssh = {}\n", Road::relay_command()));
                // The relay knows where to go.
                "ssh://repository/x".to_owned()
            }
        };
        if let Some(authorities) = &authorities {
            config.push_str(&format!("[web]\ncacerts = {}\n", authorities.path()));
        }
        let limits = surroundings.limits;
        Ok(Self { config: file(&config)?, road: Some(road), source, limits, _authorities: authorities })
    }

    pub(super) fn road(&self) -> Option<&Road> {
        self.road.as_ref()
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// The program; arguments follow.
    pub(super) fn command(&self) -> Command {
        let mut command = HG.command();
        command
            .env("HGRCPATH", self.config.path())
            // Whatever is in a mirror's own configuration, nobody looks at it.
            .env("HGRCSKIPREPO", "1")
            .env("HGPLAIN", "1")
            .env("HGENCODING", "UTF-8")
            .arg("--noninteractive");
        if let Some(road) = &self.road {
            road.show_relay(&mut command);
        }
        command
    }

    /// Runs it; `writes` is where, if it writes.
    pub(super) fn run(&self, command: Command, writes: Option<&Path>) -> Result<Ended, VcsError> {
        HG.run(command, None, Bounds { output: MOST, writes, limits: self.limits })
    }

    /// The same, where everything but success is a failure.
    pub(super) fn must(&self, command: Command, writes: Option<&Path>) -> Result<Vec<u8>, VcsError> {
        let ended = self.run(command, writes)?;
        if ended.is_good() { Ok(ended.out) } else { Err(self.explain(&ended.said)) }
    }

    /// What a failure means.
    pub(super) fn explain(&self, said: &str) -> VcsError {
        meaning(self, said, self.limits)
    }

    pub(super) fn limits(&self) -> &'a Limits {
        self.limits
    }
}

fn file(text: &str) -> Result<MemoryFile, VcsError> {
    MemoryFile::new("hgrc", text.as_bytes()).map_err(|error| VcsError::io("Making a file in memory for hg", &error))
}

/// The path behind an SSH server: below the home directory after one slash, absolute after two (`hg help urls`).
fn remote_path(url: &SourceUrl) -> String {
    if url.scheme() != Scheme::Ssh {
        return String::new();
    }
    let path = url.decoded_path();
    path.strip_prefix('/').map(str::to_owned).unwrap_or(path)
}

/// A word for a POSIX shell as `hg` quotes it: some servers look at the command by the letter.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._/+-".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{quoted, remote_path};
    use crate::vcs::url::{SourceUrl, UrlPolicy};

    #[test]
    fn paths_behind_ssh_are_those_of_hg() {
        for (address, path) in [
            ("ssh://h.example//srv/a", "/srv/a"),
            ("ssh://h.example/a/b", "a/b"),
            ("ssh://h.example/a%20b", "'a b'"),
            ("ssh://h.example/it's", "'it'\\''s'"),
            ("ssh://h.example//$(id)", "'/$(id)'"),
        ] {
            let url = SourceUrl::parse(address, &UrlPolicy::default()).unwrap();
            assert_eq!(quoted(&remote_path(&url)), path, "{address}");
        }
    }
}
