//! The guard against server-side request forgery: which addresses a package's URL may lead to.
//!
//! Private networks are allowed, because a company's Git server stands in one. What is refused is what only this
//! machine may reach: itself, its link, the cloud's metadata service. The check is made on resolved addresses, so that a
//! name cannot change its mind between check and use.

mod addresses;

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::str::FromStr;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde::{Deserialize, Serialize};

use addresses::{canonical, is_ours, literal, local_kind, local_name};

/// One entry of `allow`, `deny` or `no_proxy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HostRule {
    /// An address or a network in CIDR notation.
    Network(IpNet),
    /// Exactly this host name, lower-case.
    Host(String),
    /// Every name below this suffix (`*.corp.example.com`), not the suffix itself; lower-case, without `*.`.
    Below(String),
    /// Every host (`*`).
    Any,
}

/// An entry that is neither a host name, nor `*.suffix`, nor an address or network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no host name, `*.suffix`, IP address or network such as 10.0.0.0/8")]
pub struct InvalidRule(String);

impl FromStr for HostRule {
    type Err = InvalidRule;

    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        let invalid = || InvalidRule(text.to_owned());
        let text = text.trim();
        if text == "*" {
            return Ok(Self::Any);
        }
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self::Network(IpNet::from(address)));
        }
        if text.contains('/') {
            return text.parse().map(Self::Network).map_err(|_| invalid());
        }
        let lower = text.to_ascii_lowercase();
        let (below, name) = match lower.strip_prefix("*.").or_else(|| lower.strip_prefix('.')) {
            Some(suffix) => (true, suffix),
            None => (false, lower.as_str()),
        };
        if !is_host_name(name) {
            return Err(invalid());
        }
        Ok(if below { Self::Below(name.to_owned()) } else { Self::Host(name.to_owned()) })
    }
}

fn is_host_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && name.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

impl TryFrom<String> for HostRule {
    type Error = InvalidRule;

    fn try_from(text: String) -> Result<Self, InvalidRule> {
        text.parse()
    }
}

impl From<HostRule> for String {
    fn from(rule: HostRule) -> Self {
        rule.to_string()
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Host(name) => f.write_str(name),
            Self::Below(suffix) => write!(f, "*.{suffix}"),
            Self::Any => f.write_str("*"),
        }
    }
}

impl HostRule {
    /// Whether the rule names this host, as it is written in a URL (a name, or a literal address).
    #[must_use]
    pub fn matches_host(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
        match self {
            Self::Any => true,
            Self::Host(name) => *name == host,
            Self::Below(suffix) => {
                host.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            Self::Network(_) => host.parse().is_ok_and(|address| self.matches_address(address)),
        }
    }

    /// Whether the rule is a network that holds this address.
    #[must_use]
    pub fn matches_address(&self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Network(network) => network.contains(&address) || network.contains(&canonical(address)),
            Self::Host(_) | Self::Below(_) => false,
        }
    }
}

/// Who may be reached. The default allows everybody but the addresses that [`Refused`] describes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// Exempt from the refusal of local addresses.
    pub allow: Vec<HostRule>,
    /// Never reached; wins over `allow`.
    pub deny: Vec<HostRule>,
    /// Hosts (in lower case) with the port at which they are exempt from the refusal of local addresses: those of the
    /// integrations, which the administrator wrote down.
    #[serde(default)]
    pub exempt: Vec<(String, u16)>,
    /// Where this server itself is, which is not reached either.
    #[serde(default)]
    pub own: Own,
}

/// Where this server itself is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// The addresses and ports that it listens on; an unspecified address means all of this machine's.
    pub listen: Vec<SocketAddr>,
    /// The host (in lower case, an IPv6 address in brackets) and port of `public_url`.
    pub public: Option<(String, u16)>,
}

impl Own {
    fn is(&self, address: SocketAddr) -> bool {
        let ip = canonical(address.ip());
        self.listen.iter().any(|own| {
            own.port() == address.port()
                && (canonical(own.ip()) == ip || (own.ip().is_unspecified() && (ip.is_loopback() || is_ours(ip))))
        })
    }

    fn is_public(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.public.as_ref().is_some_and(|(own, own_port)| *own == host && *own_port == port)
    }
}

/// An address that must not be reached, with the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The configuration denies it.
    #[error("{host} is not to be reached: `deny` under [outbound] in config.toml lists it")]
    Denied {
        /// The host, as the URL names it.
        host: String,
    },
    /// It is an address that only this machine should reach.
    #[error(
        "{host} leads to {address}, which is {kind}. If it is meant, add \"{host}\" or the address's network to `allow` \
         under [outbound] in config.toml"
    )]
    Local {
        /// The host, as the URL names it.
        host: String,
        /// Where it leads.
        address: IpAddr,
        /// What is wrong with it: "a loopback address", ….
        kind: &'static str,
    },
    /// It is a name that leads to such an address, and not we would resolve it.
    #[error("{host} means {kind}. If it is meant, add \"{host}\" to `allow` under [outbound] in config.toml")]
    Name {
        /// The host, as the URL names it.
        host: String,
        /// What it means: "the machine itself", ….
        kind: &'static str,
    },
    /// It is where this server itself listens.
    #[error(
        "{host}:{port} is this server itself, which holds no repositories. If it is meant, add \"{host}\" to `allow` under \
         [outbound] in config.toml"
    )]
    Own {
        /// The host, as the URL names it.
        host: String,
        /// The port.
        port: u16,
    },
}

/// A host name for which no address was found.
#[derive(Debug, thiserror::Error)]
#[error("No address was found for the host {host}: check its spelling and this machine's name resolution")]
pub struct ResolveFailed {
    /// The name that was asked for.
    pub host: String,
    /// What the system said.
    #[source]
    pub source: Option<std::io::Error>,
}

impl Guard {
    /// Checks a host as a URL names it; a literal address is checked completely, a name only against `deny`, because
    /// its addresses are checked by [`Guard::resolver`] when they are known.
    ///
    /// # Errors
    /// [`Refused`] with the remedy.
    pub fn check_host(&self, host: &str) -> Result<(), Refused> {
        self.check_deny(host, None)?;
        match literal(host) {
            Some(address) => self.check_address(host, address),
            None => Ok(()),
        }
    }

    /// Refuses what `deny` names, as a host or as one of its addresses.
    fn check_deny(&self, host: &str, address: Option<IpAddr>) -> Result<(), Refused> {
        let denies =
            |rule: &HostRule| rule.matches_host(host) || address.is_some_and(|address| rule.matches_address(address));
        if self.deny.iter().any(denies) { Err(Refused::Denied { host: host.to_owned() }) } else { Ok(()) }
    }

    fn is_exempt(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.exempt.iter().any(|(exempt, at)| *exempt == host && *at == port)
    }

    /// Checks the host and port of a request before it is sent: as [`Guard::check_host`] does, and that they are not this
    /// server's.
    ///
    /// # Errors
    /// [`Refused`] with the remedy.
    pub fn check_target(&self, host: &str, port: u16) -> Result<(), Refused> {
        if self.is_exempt(host, port) {
            return self.check_deny(host, literal(host));
        }
        self.check_host(host)?;
        let named = self.allow.iter().any(|rule| rule.matches_host(host));
        if self.own.is_public(host, port) && !named {
            return Err(Refused::Own { host: host.to_owned(), port });
        }
        match literal(host) {
            Some(address) => self.check_endpoint(host, SocketAddr::new(address, port)),
            None => Ok(()),
        }
    }

    /// Checks the host and port of a request that goes through a proxy. The proxy resolves names, in a network that may
    /// see other addresses than we do, so that nothing can be said about where a name leads: `deny`'s names, literal
    /// addresses in every notation, this server's public name, and the names that mean the machine itself or a metadata
    /// service wherever they are asked for, are refused all the same. What else the proxy may reach is for its own rules.
    ///
    /// # Errors
    /// [`Refused`] with the remedy.
    pub fn check_proxied(&self, host: &str, port: u16) -> Result<(), Refused> {
        self.check_target(host, port)?;
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        match local_name(&name) {
            Some(kind) if !self.is_exempt(host, port) && !self.allow.iter().any(|rule| rule.matches_host(host)) => {
                Err(Refused::Name { host: host.to_owned(), kind })
            }
            _ => Ok(()),
        }
    }

    /// Checks one address that `host` leads to.
    ///
    /// # Errors
    /// [`Refused`] with the remedy.
    pub fn check_address(&self, host: &str, address: IpAddr) -> Result<(), Refused> {
        if self.deny.iter().any(|rule| rule.matches_address(address)) {
            return Err(Refused::Denied { host: host.to_owned() });
        }
        match local_kind(address) {
            Some(kind) if !self.allows(host, address) => Err(Refused::Local { host: host.to_owned(), address, kind }),
            _ => Ok(()),
        }
    }

    /// Checks one address and port that `host` leads to: as [`Guard::check_address`], and that it is not this server's.
    ///
    /// # Errors
    /// [`Refused`] with the remedy.
    pub fn check_endpoint(&self, host: &str, endpoint: SocketAddr) -> Result<(), Refused> {
        if self.is_exempt(host, endpoint.port()) {
            return self.check_deny(host, Some(endpoint.ip()));
        }
        self.check_address(host, endpoint.ip())?;
        if self.own.is(endpoint) && !self.allows(host, endpoint.ip()) {
            return Err(Refused::Own { host: host.to_owned(), port: endpoint.port() });
        }
        Ok(())
    }

    fn allows(&self, host: &str, address: IpAddr) -> bool {
        self.allow.iter().any(|rule| rule.matches_host(host) || rule.matches_address(address))
    }

    /// Resolves a name and keeps the addresses that may be reached, without a port, so that this server's own addresses
    /// are not recognized.
    ///
    /// # Errors
    /// [`ResolveFailed`] when there is no address, [`Refused`] when there is none that may be reached.
    pub async fn resolve(&self, host: &str) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        self.resolve_endpoint(host, 0).await
    }

    /// Resolves a name and keeps the addresses that may be reached at this port.
    ///
    /// # Errors
    /// As [`Guard::resolve`].
    pub async fn resolve_endpoint(
        &self,
        host: &str,
        port: u16,
    ) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let found = tokio::net::lookup_host((host, port))
            .await
            .map_err(|source| ResolveFailed { host: host.to_owned(), source: Some(source) })?;
        self.reachable(host, found)
    }

    /// Of the addresses that a name leads to, those that may be reached.
    ///
    /// # Errors
    /// As [`Guard::resolve`].
    pub fn reachable(
        &self,
        host: &str,
        found: impl IntoIterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let mut refused = None;
        let mut addresses = Vec::new();
        for address in found {
            match self.check_endpoint(host, address) {
                Ok(()) => addresses.push(address),
                Err(reason) => refused = Some(reason),
            }
        }
        match (addresses.is_empty(), refused) {
            (false, _) => Ok(addresses),
            (true, Some(reason)) => Err(reason.into()),
            (true, None) => Err(ResolveFailed { host: host.to_owned(), source: None }.into()),
        }
    }

    /// The guard as reqwest's resolver, for connections to `port` (0: any). `proxy` is the host name of the configured
    /// proxy, which the administrator chose and which is therefore not checked.
    #[must_use]
    pub fn resolver(&self, proxy: Option<String>, port: u16) -> GuardedResolver {
        GuardedResolver { guard: self.clone(), unchecked: proxy.map(|host| host.to_ascii_lowercase()), port }
    }
}

/// reqwest's name resolution behind the [`Guard`]. What it answers is what is connected to: there is no second look-up
/// at which a name could change its mind.
#[derive(Debug)]
pub struct GuardedResolver {
    guard: Guard,
    unchecked: Option<String>,
    port: u16,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let (guard, port) = if self.unchecked.as_deref() == Some(host.to_ascii_lowercase().as_str()) {
            (Guard { allow: vec![HostRule::Any], ..Guard::default() }, 0)
        } else {
            (self.guard.clone(), self.port)
        };
        let work: Pin<Box<dyn Future<Output = Result<Addrs, _>> + Send>> = Box::pin(async move {
            let addresses = guard.resolve_endpoint(&host, port).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        });
        work
    }
}

#[cfg(test)]
mod tests;
