//! What leaves this machine: the one place that knows how an HTTP client of ours is set up.
//!
//! Everybody who talks to somebody else's server (the Git worker, the platforms' APIs, upstream repositories) gets the
//! same certificate roots, proxy, time limits and the same guard against being led to addresses inside this machine.
//! The configuration's `[outbound]` table becomes a [`Settings`]; nothing here reads files or the environment.

mod client;
mod failure;
mod guard;
mod platform;
mod proxy;
mod tls;
pub mod tunnel;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use client::{InvalidCaBundle, SetupFailed, blocking_client, client};
pub use failure::{Failed, explain};
pub use guard::{Guard, HostRule, InvalidRule, Own, Refused, ResolveFailed};
pub use platform::{Answer, CallFailed, PlatformClient};
pub use proxy::ProxyAddress;
pub use tls::CertificateRefused;

/// What `[outbound]` of the configuration says, checked.
///
/// It crosses the pipe to the worker process, because that process opens neither the configuration nor the database.
#[derive(Clone, Serialize, Deserialize)]
pub struct Settings {
    /// The proxy that requests go through, as `http://[user:password@]host:port`.
    pub proxy: Option<String>,
    /// Hosts that are reached without the proxy: names, `*.suffix`, addresses or networks.
    pub no_proxy: Vec<HostRule>,
    /// Certificates in PEM that are trusted beside the system's.
    pub ca_bundle: Option<String>,
    /// How long the other side may stay silent before a request is given up.
    pub timeout: Duration,
    /// Who may be reached, and who not.
    pub guard: Guard,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            proxy: None,
            no_proxy: Vec::new(),
            ca_bundle: None,
            timeout: Duration::from_secs(30),
            guard: Guard::default(),
        }
    }
}

/// The proxy's address may hold a password, so it is never printed.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("proxy", &self.proxy.as_ref().map(|_| "…"))
            .field("no_proxy", &self.no_proxy)
            .field("ca_bundle", &self.ca_bundle.as_ref().map(String::len))
            .field("timeout", &self.timeout)
            .field("guard", &self.guard)
            .finish()
    }
}

impl Settings {
    /// Checks the parts that only a client can check: that every certificate of the bundle is one, and that the proxy
    /// is an address. To be called where the configuration is read, so that a mistake is told at start and not at the
    /// first fetch.
    ///
    /// # Errors
    /// [`SetupFailed`], whose text names the key at fault.
    pub fn check(&self) -> Result<(), SetupFailed> {
        client(self).map(drop)
    }

    /// Checks where a request would go, before it is sent; names are checked again where they are resolved.
    ///
    /// # Errors
    /// [`Refused`] with the remedy.
    pub fn check_url(&self, url: &reqwest::Url) -> Result<(), Refused> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        match self.proxy_for(host) {
            Some(_) => self.guard.check_proxied(host, port),
            None => self.guard.check_target(host, port),
        }
    }
}
