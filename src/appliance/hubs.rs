//! The platforms that organizations here can follow: one for each integration that this version synchronizes. Beside them
//! the apps that people log in by, by which accounts are connected and their tokens renewed.

use std::sync::Arc;

use crate::platform::{Connection, Hub, Site};

/// The hubs of the configuration, in its order. Cheap to clone: clones share connections, limits and installation tokens.
#[derive(Clone, Debug, Default)]
pub struct Hubs {
    hubs: Arc<[Hub]>,
    connections: Arc<[Connection]>,
}

/// Where the platform of the integration `id` sends browsers back to.
#[must_use]
pub fn callback(id: &str, public_url: &str) -> String {
    format!("{public_url}/auth/{id}/callback")
}

impl Hubs {
    /// Of these.
    #[must_use]
    pub fn of(hubs: impl IntoIterator<Item = Hub>) -> Self {
        Self { hubs: hubs.into_iter().collect(), connections: Arc::default() }
    }

    /// The same, with the apps of the configuration.
    #[must_use]
    pub fn with_connections(self, connections: impl IntoIterator<Item = Connection>) -> Self {
        Self { connections: connections.into_iter().collect(), ..self }
    }

    /// The app of the integration with this id.
    #[must_use]
    pub fn connection(&self, integration: &str) -> Option<&Connection> {
        self.connections.iter().find(|connection| connection.app().id == integration)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Hub> {
        self.hubs.iter()
    }

    /// The hub of the integration with this id.
    #[must_use]
    pub fn by_id(&self, integration: &str) -> Option<&Hub> {
        self.iter().find(|hub| hub.site().id == integration)
    }

    /// The hubs whose platform is at this host, and at this port (none: the usual one of its scheme). There may be several:
    /// nobody forbids two apps on one platform.
    pub fn for_host(&self, host: &str, port: Option<u16>) -> impl Iterator<Item = &Hub> {
        self.iter().filter(move |hub| is_at(hub.site(), host, port))
    }
}

/// Whether a platform is at this host and port.
fn is_at(site: &Site, host: &str, port: Option<u16>) -> bool {
    let is_there = |port| site.url.port_or_known_default() == Some(port);
    let named = site.url.host_str().is_some_and(|there| there.eq_ignore_ascii_case(host));
    named && port.map_or(site.url.port().is_none(), is_there)
}

#[cfg(test)]
mod tests {
    use super::is_at;
    use crate::platform::{PlatformKind, Site};
    use url::Url;

    fn site(url: &str) -> Site {
        let url = Url::parse(url).expect("an address");
        Site {
            id: "ghe".to_owned(),
            platform: PlatformKind::GitHub,
            url,
            name: "GitHub".to_owned(),
            link_by_email: false,
            app: None,
        }
    }

    #[test]
    fn a_platform_is_at_its_host_and_port() {
        let there = site("https://GitHub.example.com/sub");
        assert!(is_at(&there, "github.example.com", None) && is_at(&there, "github.example.COM", Some(443)));
        assert!(!is_at(&there, "github.example.com", Some(8443)) && !is_at(&there, "example.com", None));
        let odd = site("http://127.0.0.1:3000");
        assert!(is_at(&odd, "127.0.0.1", Some(3000)));
        assert!(!is_at(&odd, "127.0.0.1", None) && !is_at(&odd, "127.0.0.1", Some(443)));
    }
}
