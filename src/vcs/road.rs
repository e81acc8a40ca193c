//! How a program that is not ours reaches the server of a repository: through a [`gate`] where it speaks HTTP, through a
//! [`relay`] where it would start `ssh` or speak a protocol of its own. Either way the connection is one that we made.
//!
//! ```text
//! hg, svn ── HTTP ── gate ──┬── outbound::tunnel (guard, proxy)
//!    └── vcs-relay ─ relay ─┴── ssh::Ssh (keys, host keys)
//! ```

mod gate;
mod pump;
mod redirect;
pub(super) mod relay;

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::VcsError;
use super::request::{WireCredential, WireKind};
use super::ssh::{MemoryFile, Target, explain};
use super::surroundings::Surroundings;
use super::url::{Scheme, SourceUrl};
use gate::Gate;
use pump::Bounds;
use relay::{Peer, Relay, SshPeer};

/// Where the system's certificates are in one file, by the systems that there are.
const ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The first thing that went wrong on the way; what a program says of it follows from that.
#[derive(Clone, Debug, Default)]
struct Trouble(Arc<Mutex<Option<VcsError>>>);

impl Trouble {
    fn set(&self, error: VcsError) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    fn take(&self) -> Option<VcsError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// An open way to one server.
pub(super) struct Road {
    way: Way,
    trouble: Trouble,
    url: String,
    /// The server, for messages.
    host: String,
    login: Option<Login>,
}

enum Way {
    Web(Gate),
    Stream(Relay),
}

/// Who says who he is by a password.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) username: String,
    pub(super) password: String,
}

/// What the system of a repository has to say about the way.
pub(super) struct Errand<'a> {
    pub(super) url: &'a SourceUrl,
    pub(super) credential: Option<&'a WireCredential>,
    /// What is run behind an SSH server.
    pub(super) command: String,
    /// Who logs in there if nobody says it.
    pub(super) user: &'static str,
    /// What the system is called.
    pub(super) system: &'static str,
    /// Where what comes is written.
    pub(super) directory: &'a Path,
}

impl Road {
    /// Opens the way; nothing is sent yet.
    pub(super) fn open(errand: &Errand<'_>, surroundings: &Surroundings<'_>) -> Result<Self, VcsError> {
        let Errand { url, .. } = errand;
        url.recheck(surroundings.policy).map_err(|error| VcsError::Policy { reason: error.to_string() })?;
        let Some((host, port)) = url.host_port() else {
            let what = format!("A {} repository that is a directory of this machine", errand.system);
            return Err(VcsError::Unsupported { what });
        };
        check_place(errand.credential, &host, port)?;
        let trouble = Trouble::default();
        let outbound = surroundings.outbound;
        let bounds = Bounds::new(surroundings.limits, outbound.timeout, errand.directory.to_owned());
        let unopened = |error: io::Error| VcsError::io(format!("Opening a way to {host}"), &error);
        let (way, login) = match url.scheme() {
            Scheme::Https | Scheme::Http => {
                let login = errand.credential.map(|credential| login(credential, errand)).transpose()?;
                let gate = Gate::open((host.clone(), port), outbound, bounds, trouble.clone()).map_err(unopened)?;
                (Way::Web(gate), login)
            }
            Scheme::Svn => {
                let login = errand.credential.map(|credential| login(credential, errand)).transpose()?;
                let peer = Peer::Tcp { host: host.clone(), port };
                (Way::Stream(Relay::open(peer, outbound, bounds, trouble.clone()).map_err(unopened)?), login)
            }
            Scheme::Ssh | Scheme::SvnSsh => {
                let peer = Peer::Ssh(Box::new(ssh_peer(errand, surroundings)?));
                (Way::Stream(Relay::open(peer, outbound, bounds, trouble.clone()).map_err(unopened)?), None)
            }
            Scheme::Git | Scheme::File => {
                return Err(VcsError::Unsupported { what: format!("{url} as a {} repository", errand.system) });
            }
        };
        Ok(Self { way, trouble, url: url.to_string(), host: format!("{host}:{port}"), login })
    }

    /// The server, for messages.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The repository's address, for messages.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Who logs in with a password.
    pub(super) fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// Whether HTTP is spoken: the proxy's port on this machine, its user and password.
    pub(super) fn proxy(&self) -> Option<(u16, &'static str, &str)> {
        match &self.way {
            Way::Web(gate) => Some((gate.port(), gate::USER, gate.password())),
            Way::Stream(_) => None,
        }
    }

    /// What a program starts in place of `ssh`.
    pub(super) fn relay_command() -> String {
        format!("/proc/{}/exe vcs-relay", std::process::id())
    }

    /// Tells a program where its relay finds the worker.
    pub(super) fn show_relay(&self, command: &mut Command) {
        if let Way::Stream(relay) = &self.way {
            command.env(relay::VARIABLE, relay.name());
        }
    }

    /// What went wrong on the way, if it was the way.
    pub(super) fn trouble(&self) -> Option<VcsError> {
        if let Way::Stream(relay) = &self.way {
            relay.settle();
        }
        self.trouble.take()
    }

    /// Whether the web server that was spoken with leads to another host, by an address that it was asked for.
    pub(super) fn elsewhere(&self, address: &str) -> Option<VcsError> {
        let Way::Web(gate) = &self.way else { return None };
        redirect::elsewhere(address, self.login(), gate.outbound())
    }

    /// What `ssh` said, if it was used and what it said is known to mean something; `text` is what the program said.
    pub(super) fn ssh_trouble(&self, text: &str) -> Option<VcsError> {
        let Way::Stream(relay) = &self.way else { return None };
        let (ssh, target) = relay.last_ssh()?;
        Some(explain(ssh, target, &self.url, text, relay.outbound()))
    }
}

/// A credential goes to its own host and port only.
fn check_place(credential: Option<&WireCredential>, host: &str, port: u16) -> Result<(), VcsError> {
    match credential {
        Some(own) if (own.host.as_str(), own.port) != (host, port) => Err(VcsError::Policy {
            reason: format!(
                "The package's credential is for {}:{} and is never used at {host}:{port}.",
                own.host, own.port
            ),
        }),
        _ => Ok(()),
    }
}

fn login(credential: &WireCredential, errand: &Errand<'_>) -> Result<Login, VcsError> {
    let policy = |reason: String| VcsError::Policy { reason };
    match (credential.kind, &credential.username) {
        (WireKind::Basic, Some(username)) => {
            let parts = [username.as_str(), &credential.secret];
            if parts.iter().any(|part| part.chars().any(char::is_control) || part.trim() != *part) {
                return Err(policy(format!(
                    "The package's credential begins or ends with a blank or has a control character, which {} cannot send.",
                    errand.system
                )));
            }
            Ok(Login { username: username.clone(), password: credential.secret.clone() })
        }
        _ => Err(policy(format!(
            "{} sends user names with passwords or tokens only (credentials of type http-basic).",
            errand.system
        ))),
    }
}

fn ssh_peer(errand: &Errand<'_>, surroundings: &Surroundings<'_>) -> Result<SshPeer, VcsError> {
    let url = errand.url;
    let policy = |reason: String| VcsError::Policy { reason };
    let target =
        Target::of(url).ok_or_else(|| policy(format!("{url} is no address for ssh.")))?.by_default(errand.user);
    let credential = errand.credential.filter(|credential| credential.kind == WireKind::SshKey).ok_or_else(|| {
        policy(format!(
            "{url} is reached by SSH, which needs a key: make one with `credential add NAME --type ssh-key --host {} \
             --generate`, and add the package again with `--credential NAME`.",
            target.shown()
        ))
    })?;
    Ok(SshPeer {
        target,
        username: credential.username.clone(),
        private_key: credential.secret.clone(),
        host_keys: surroundings.host_keys.clone(),
        policy: surroundings.ssh_host_keys,
        command: errand.command.clone(),
    })
}

/// The certificates that are trusted: the administrator's, with the system's before them where a program takes one file
/// only. None if the system's alone hold, which every program finds itself.
pub(super) fn authorities(surroundings: &Surroundings<'_>, with_system: bool) -> Result<Option<MemoryFile>, VcsError> {
    let Some(bundle) = &surroundings.outbound.ca_bundle else { return Ok(None) };
    let mut text = String::new();
    if with_system {
        let named = std::env::var("SSL_CERT_FILE").ok();
        let found = named.as_deref().into_iter().chain(ROOTS).find_map(|path| fs::read_to_string(path).ok());
        text.push_str(&found.unwrap_or_default());
        text.push('\n');
    }
    text.push_str(bundle);
    let file = MemoryFile::new("authorities", text.as_bytes());
    file.map(Some).map_err(|error| VcsError::io("Making a file in memory", &error))
}
