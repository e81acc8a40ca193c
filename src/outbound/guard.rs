//! The guard against server-side request forgery: which addresses a package's URL may lead to.
//!
//! Private networks are allowed, because a company's Git server stands in one. What is refused is what only this
//! machine may reach: itself, its link, the cloud's metadata service. The check is made on resolved addresses, so that a
//! name cannot change its mind between check and use.

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::str::FromStr;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde::{Deserialize, Serialize};

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
        if self.deny.iter().any(|rule| rule.matches_host(host)) {
            return Err(Refused::Denied { host: host.to_owned() });
        }
        match host.trim_start_matches('[').trim_end_matches(']').parse() {
            Ok(address) => self.check_address(host, address),
            Err(_) => Ok(()),
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
        let allowed = self.allow.iter().any(|rule| rule.matches_host(host) || rule.matches_address(address));
        match local_kind(canonical(address)) {
            Some(kind) if !allowed => Err(Refused::Local { host: host.to_owned(), address, kind }),
            _ => Ok(()),
        }
    }

    /// Resolves a name and keeps the addresses that may be reached.
    ///
    /// # Errors
    /// [`ResolveFailed`] when there is no address, [`Refused`] when there is none that may be reached.
    pub async fn resolve(&self, host: &str) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let found = tokio::net::lookup_host((host, 0))
            .await
            .map_err(|source| ResolveFailed { host: host.to_owned(), source: Some(source) })?;
        let mut refused = None;
        let mut addresses = Vec::new();
        for address in found {
            match self.check_address(host, address.ip()) {
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

    /// The guard as reqwest's resolver. `proxy` is the host name of the configured proxy, which the administrator chose
    /// and which is therefore not checked.
    #[must_use]
    pub fn resolver(&self, proxy: Option<String>) -> GuardedResolver {
        GuardedResolver { guard: self.clone(), unchecked: proxy.map(|host| host.to_ascii_lowercase()) }
    }
}

/// reqwest's name resolution behind the [`Guard`].
#[derive(Debug)]
pub struct GuardedResolver {
    guard: Guard,
    unchecked: Option<String>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let guard = if self.unchecked.as_deref() == Some(host.to_ascii_lowercase().as_str()) {
            Guard { allow: vec![HostRule::Any], deny: Vec::new() }
        } else {
            self.guard.clone()
        };
        let work: Pin<Box<dyn Future<Output = Result<Addrs, _>> + Send>> = Box::pin(async move {
            let addresses = guard.resolve(&host).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        });
        work
    }
}

/// An IPv4 address that travels in an IPv6 one (mapped, or behind NAT64's well-known prefix, RFC 6052), as itself.
fn canonical(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return IpAddr::V4(v4);
    }
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))),
        _ => address,
    }
}

/// What kind of address that only this machine should reach, if any. The metadata services' addresses are those of the
/// public clouds.
fn local_kind(address: IpAddr) -> Option<&'static str> {
    const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    const METADATA_V4: [Ipv4Addr; 3] =
        [Ipv4Addr::new(169, 254, 169, 254), Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
    match address {
        IpAddr::V4(v4) if METADATA_V4.contains(&v4) => Some("a cloud's metadata service"),
        IpAddr::V6(METADATA_V6) => Some("a cloud's metadata service"),
        _ if address.is_loopback() => Some("a loopback address"),
        IpAddr::V4(v4) if v4.is_link_local() => Some("a link-local address"),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some("a link-local address"),
        IpAddr::V4(v4) if v4.octets()[0] == 0 => Some("an unspecified address"),
        _ if address.is_unspecified() => Some("an unspecified address"),
        _ if address.is_multicast() => Some("a multicast address"),
        IpAddr::V4(v4) if v4.is_broadcast() => Some("a broadcast address"),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{Guard, HostRule, Refused};

    fn rules(texts: &[&str]) -> Vec<HostRule> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn refuses(guard: &Guard, host: &str) -> bool {
        guard.check_host(host).is_err()
    }

    #[test]
    fn what_only_this_machine_should_reach_is_refused() {
        let guard = Guard::default();
        for host in [
            "127.0.0.1",
            "127.8.9.1",
            "[::1]",
            "169.254.169.254",
            "169.254.0.7",
            "[fe80::1]",
            "0.0.0.0",
            "[::]",
            "224.0.0.1",
            "[fd00:ec2::254]",
            "[::ffff:127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "255.255.255.255",
            "0.1.2.3",
            "100.100.100.200",
        ] {
            assert!(refuses(&guard, host), "{host}");
        }
    }

    #[test]
    fn private_and_public_addresses_are_reached() {
        for host in ["10.0.0.1", "192.168.1.1", "172.16.0.1", "[fd12::1]", "93.184.216.34", "git.example.com"] {
            assert!(!refuses(&Guard::default(), host), "{host}");
        }
    }

    #[test]
    fn allow_exempts_and_deny_wins() {
        let guard = Guard { allow: rules(&["127.0.0.0/8", "git.test"]), deny: rules(&["127.0.0.2", "*.evil.test"]) };
        assert!(!refuses(&guard, "127.0.0.1"));
        assert!(guard.check_address("git.test", "127.0.0.1".parse().unwrap()).is_ok());
        assert!(guard.check_address("git.test", "::1".parse().unwrap()).is_ok());
        assert!(refuses(&guard, "127.0.0.2"));
        assert!(refuses(&guard, "a.evil.test"));
        assert!(!refuses(&guard, "evil.test"));
        assert!(!refuses(&guard, "notevil.test"));
    }

    #[test]
    fn the_refusal_names_the_key() {
        let refused = Guard::default().check_host("127.0.0.1").unwrap_err();
        assert!(matches!(refused, Refused::Local { .. }));
        assert!(refused.to_string().contains("`allow` under [outbound]"), "{refused}");
    }

    #[test]
    fn rules_are_read_and_written_alike() {
        for text in ["10.0.0.0/8", "git.example.com", "*.corp.example.com", "*", "::1/128"] {
            assert_eq!(text.parse::<HostRule>().unwrap().to_string(), text);
        }
        for text in ["", "a b", "http://x", "*.", "10.0.0.0/99", "a..b"] {
            assert!(text.parse::<HostRule>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn names_are_checked_where_they_lead() {
        let refused = Guard::default().resolve("localhost").await.unwrap_err();
        assert!(refused.downcast_ref::<Refused>().is_some(), "{refused}");
        let allowed = Guard { allow: rules(&["localhost"]), deny: Vec::new() };
        assert!(!allowed.resolve("localhost").await.unwrap().is_empty());
    }
}
