//! Apps that somebody registered, and which callback addresses each takes.

use packagist_selfhosted::secrets::random;
use url::{Host, Url};

/// What kind of app it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An OAuth App: the callback may be below the registered one.
    OAuth,
    /// A GitHub App, with or without the permission to read e-mail addresses: the callback is one of those registered.
    GitHubApp {
        /// Whether it may read addresses.
        emails: bool,
    },
}

/// An app.
#[derive(Clone, Debug)]
pub struct Registered {
    /// What people see.
    pub name: String,
    /// Public.
    pub client_id: String,
    /// Secret.
    pub client_secret: String,
    /// Its kind.
    pub kind: Kind,
    /// Where browsers may be sent; an OAuth App has one.
    pub callbacks: Vec<String>,
    /// Whether GitHub shut it out.
    pub suspended: bool,
}

impl Registered {
    /// A new app.
    pub fn new(name: &str, kind: Kind, callback: &str) -> Self {
        let prefix = if kind == Kind::OAuth { "Ov23li" } else { "Iv23li" };
        Self {
            name: name.to_owned(),
            client_id: format!("{prefix}{}", random::hex::<7>()),
            client_secret: random::hex::<20>(),
            kind,
            callbacks: vec![callback.to_owned()],
            suspended: false,
        }
    }

    /// Whether browsers may be sent there.
    pub fn takes(&self, redirect_uri: &str) -> bool {
        match self.kind {
            Kind::OAuth => is_below(&self.callbacks[0], redirect_uri),
            Kind::GitHubApp { .. } => self.callbacks.iter().any(|callback| callback == redirect_uri),
        }
    }
}

/// An OAuth App's rule: the same host or one below it, the same port unless the host is this machine, the same path or one
/// below it.
fn is_below(registered: &str, wanted: &str) -> bool {
    let (Ok(registered), Ok(wanted)) = (Url::parse(registered), Url::parse(wanted)) else { return false };
    let (Some(own), Some(host)) = (registered.host_str(), wanted.host_str()) else { return false };
    let is_host = host == own || host.strip_suffix(own).is_some_and(|rest| rest.ends_with('.'));
    let is_local = matches!(wanted.host(), Some(Host::Ipv4(ip)) if ip.is_loopback());
    let is_port = is_local || registered.port_or_known_default() == wanted.port_or_known_default();
    let base = registered.path().trim_end_matches('/');
    let is_path = wanted.path().strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    registered.scheme() == wanted.scheme() && is_host && is_port && is_path
}
