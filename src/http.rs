//! What the outside reaches over HTTP: the Composer repository, webhooks, pages and the probes.
//!
//! [`routes`] is the one list of addresses. A request of a Composer client is answered from the catalog's
//! current world alone: no SQL, no lock. Everything that such a request leaves behind (when a token was last
//! used, what was installed) is kept in memory and written by [`books`] from time to time.

pub mod assets;
mod auth;
pub mod cache;
pub mod composer;
pub mod connections;
pub mod csrf;
pub mod error;
pub mod form;
pub mod guard;
pub mod hooks;
mod integrations;
pub mod live;
pub mod local_path;
mod own;
pub mod page_error;
pub mod pages;
pub mod probes;
pub mod request;
pub mod routes;
pub mod server;
pub mod session;
pub mod tls;
pub mod upload;
pub mod visitor;

mod books;
mod encoding;
mod sealed_cookie;
mod throttle;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ipnet::IpNet;
use secrecy::SecretString;
use tokio::sync::Semaphore;
use url::Url;

pub use error::Error;
pub use integrations::Integration;
pub use own::Own;
pub use page_error::PageError;
pub use server::{Server, StartError};
pub use tls::TlsFiles;

use crate::appliance::Appliance;
use crate::clock::Timestamp;
use crate::jobs::build_dist::Dists;
use crate::secrets::random;
use crate::telemetry::Complaint;
use crate::telemetry::metrics::Metrics;
use auth::Returns;
use books::{Installs, LastUsed};
use connections::{Connections, Limits};
use hooks::rate::Rates;
use routes::RouteTable;
use session::{Cookies, Seen};
use throttle::Throttle;

/// How many passwords are checked at once: each takes 19 MiB and tens of milliseconds of a core.
const PASSWORDS: usize = 2;

/// A value of the configuration as its page shows it. Of a secret, it says only whether it is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configured {
    /// The section it stands in.
    pub section: String,
    /// Its key there.
    pub key: &'static str,
    /// The value; none if it is not set.
    pub value: Option<String>,
    /// Whether it is a secret, of which `value` says only that it is set.
    pub secret: bool,
    /// Where it was given: file with line and column, variable, option, or `default`.
    pub source: String,
}

/// What `[server]` of the configuration says about listening and answering.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; port 0 takes any free port.
    pub listen: Vec<SocketAddr>,
    /// Certificate and key; without them plain HTTP is spoken.
    pub tls: Option<TlsFiles>,
    /// Whose `X-Forwarded-For` is believed, in log lines only.
    pub trusted_proxies: Vec<IpNet>,
    /// What opens `/metrics` to others than this machine.
    pub metrics_token: Option<SecretString>,
    /// What every link begins with; no slash at its end.
    pub public_url: String,
    /// How much there may be at once.
    pub limits: Limits,
    /// The platforms that people sign in with.
    pub integrations: Vec<Integration>,
    /// What the configuration says, for whoever administers the server.
    pub configuration: Vec<Configured>,
    /// The way by which the server tries whether it reaches itself; without one it does not try.
    pub own: Option<Own>,
}

/// What answering needs. Clones share everything.
#[derive(Clone)]
pub struct State {
    /// The opened instance.
    pub appliance: Appliance,
    /// Archives, built when they are missing.
    pub dists: Dists,
    /// The process's metrics.
    pub metrics: Metrics,
    /// When it began to answer.
    started: Timestamp,
    settings: Arc<Settings>,
    /// What `auth.json` calls this server: host, and port where the address has one.
    host: Arc<str>,
    last_used: Arc<LastUsed>,
    installs: Arc<Installs>,
    seen: Arc<Seen>,
    cookies: Cookies,
    throttle: Arc<Throttle>,
    /// One permit for each password that is being checked.
    passwords: Arc<Semaphore>,
    returns: Arc<Returns>,
    /// What only this process answers to when it asks itself.
    echo: Arc<str>,
    rates: Arc<Rates>,
    /// Whoever watches work under way.
    live: Arc<live::Listeners>,
    /// READMEs as HTML.
    readmes: Arc<pages::package::Readmes>,
    /// Whether the platforms answered.
    reach: Arc<pages::admin::reach::Remembered>,
    routes: Arc<RouteTable>,
    connections: Arc<Connections>,
    /// Set once by [`Server::stop`], read by `/readyz`.
    stopping: Arc<AtomicBool>,
    /// What `/readyz` logged of not being ready.
    unready: Arc<Complaint>,
}

impl State {
    /// Puts together what answering needs; nothing is started.
    #[must_use]
    pub fn new(appliance: Appliance, dists: Dists, metrics: Metrics, settings: Settings) -> Self {
        let cookies = Cookies::of(&settings.public_url);
        Self {
            started: appliance.now(),
            appliance,
            dists,
            metrics,
            host: host_of(&settings.public_url).into(),
            connections: Connections::new(settings.limits),
            settings: Arc::new(settings),
            last_used: Arc::default(),
            installs: Arc::default(),
            seen: Arc::default(),
            cookies,
            throttle: Arc::default(),
            passwords: Arc::new(Semaphore::new(PASSWORDS)),
            returns: Arc::default(),
            echo: random::hex::<16>().into(),
            rates: Arc::default(),
            live: Arc::default(),
            readmes: Arc::default(),
            reach: Arc::default(),
            routes: Arc::new(RouteTable::new()),
            stopping: Arc::default(),
            unready: Arc::default(),
        }
    }

    /// Writes what requests left behind: the last use of tokens and sessions, and installations.
    pub async fn flush(&self) {
        self.last_used.flush(&self.appliance.database).await;
        self.installs.flush(&self.appliance.database).await;
        self.seen.flush(&self.appliance.database).await;
    }

    /// The integration with this id.
    fn integration(&self, id: &str) -> Option<&Integration> {
        self.settings.integrations.iter().find(|integration| integration.id == id)
    }

    /// What an integration is called; its id if it is not configured any more.
    fn integration_name(&self, id: &str) -> String {
        self.integration(id).map_or(id, |integration| &integration.name).to_owned()
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// The host as Composer's `auth.json` names it: with the port exactly when the address has one.
fn host_of(public_url: &str) -> String {
    let parsed = Url::parse(public_url).ok();
    let host = parsed.as_ref().and_then(|url| url.host_str().map(|host| (host, url.port())));
    match host {
        Some((host, Some(port))) => format!("{host}:{port}"),
        Some((host, None)) => host.to_owned(),
        None => public_url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn the_host_has_the_port_that_the_address_has() {
        assert_eq!(host_of("https://packages.example.com"), "packages.example.com");
        assert_eq!(host_of("https://packages.example.com:8443"), "packages.example.com:8443");
        assert_eq!(host_of("http://[::1]:8080"), "[::1]:8080");
    }
}
