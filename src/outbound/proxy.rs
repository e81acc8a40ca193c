//! The proxy that requests go through: which of them, and how it is named in messages without its password.

use std::fmt;

use reqwest::{Proxy, Url};

use super::client::SetupFailed;
use super::failure::Failed;
use super::{HostRule, Settings};

/// Where the proxy is, without the user and password that it asks for: what may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyAddress(Url);

impl fmt::Display for ProxyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl ProxyAddress {
    /// Whether this is the proxy's own host name.
    pub(super) fn is_host(&self, host: &str) -> bool {
        self.0.host_str().is_some_and(|own| own.eq_ignore_ascii_case(host))
    }

    /// It cannot be reached.
    pub(super) fn unreachable(&self, why: &str) -> Failed {
        let reason = format!(
            "the proxy {self} cannot be reached: {why}. Check `proxy` under [outbound] in config.toml and that the proxy runs"
        );
        Failed::Proxy { reason, permanent: false }
    }

    /// It does not know us.
    #[must_use]
    pub fn wants_password(&self) -> Failed {
        let reason = format!(
            "the proxy {self} does not let us pass without the right user and password (HTTP 407): put them into `proxy` \
             under [outbound] in config.toml, as http://USER:PASSWORD@HOST:PORT with special characters percent-encoded"
        );
        Failed::Proxy { reason, permanent: true }
    }

    /// It said that we are connected, and we are not.
    pub(super) fn no_tls(&self) -> Failed {
        let reason = format!(
            "what came back through the proxy {self} is no TLS: check that `proxy` under [outbound] in config.toml names an \
             HTTP proxy, and that it lets us pass"
        );
        Failed::Proxy { reason, permanent: false }
    }

    /// What the library says of a tunnel that was not made; None if its cause says more.
    pub(super) fn tunnel_failed(&self, said: &str, url: &Url) -> Option<Failed> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        let reason = match said {
            "proxy authorization required" => return Some(self.wants_password()),
            "unsuccessful" => format!(
                "the proxy {self} refused to connect us to {host}:{port}: allow that host and port there, or list the host in \
                 `no_proxy` under [outbound] in config.toml if it is reached without the proxy"
            ),
            "unexpected end of file" | "proxy response headers too long" => {
                format!("what answers at {self} is no HTTP proxy: check `proxy` under [outbound] in config.toml")
            }
            _ => return None,
        };
        Some(Failed::Proxy { reason, permanent: false })
    }
}

impl Settings {
    /// The proxy that a request for this address goes through, if it goes through one.
    #[must_use]
    pub fn proxy_for(&self, host: &str) -> Option<ProxyAddress> {
        if bypasses(&self.no_proxy, host) {
            return None;
        }
        let mut address = address(self.proxy.as_deref()?).ok()?;
        // Neither can fail for an address that has a host.
        let _ = address.set_username("");
        let _ = address.set_password(None);
        Some(ProxyAddress(address))
    }
}

/// The proxy as reqwest wants it.
pub(super) fn proxy(settings: &Settings) -> Result<Option<Proxy>, SetupFailed> {
    let Some(text) = &settings.proxy else { return Ok(None) };
    let mut address = address(text)?;
    let credential = (!address.username().is_empty())
        .then(|| (decoded(address.username()), decoded(address.password().unwrap_or(""))));
    if address.set_username("").is_err() || address.set_password(None).is_err() {
        return Err(SetupFailed::Proxy);
    }
    let bypass = settings.no_proxy.clone();
    let proxy = Proxy::custom(move |target| {
        let host = target.host_str().unwrap_or_default();
        (!bypasses(&bypass, host)).then(|| address.clone())
    });
    Ok(Some(match credential {
        Some((user, password)) => proxy.basic_auth(&user, &password),
        None => proxy,
    }))
}

fn address(text: &str) -> Result<Url, SetupFailed> {
    let address = Url::parse(text).map_err(|_| SetupFailed::Proxy)?;
    let usable = matches!(address.scheme(), "http" | "https") && address.host_str().is_some();
    if usable { Ok(address) } else { Err(SetupFailed::Proxy) }
}

/// The proxy's host name.
pub(super) fn host(settings: &Settings) -> Option<String> {
    address(settings.proxy.as_deref()?).ok()?.host_str().map(str::to_owned)
}

/// Whether a host is reached without the proxy.
pub(super) fn bypasses(rules: &[HostRule], host: &str) -> bool {
    rules.iter().any(|rule| rule.matches_host(host))
}

/// Undoes the percent-encoding of a URL's user or password.
pub(super) fn decoded(text: &str) -> String {
    let form = format!("x={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{Settings, bypasses, decoded};

    #[test]
    fn a_proxy_must_be_an_address() {
        for proxy in ["proxy.example.com:3128", "ftp://proxy", "http://", "socks5://x"] {
            let settings = Settings { proxy: Some(proxy.to_owned()), ..Settings::default() };
            assert!(settings.check().unwrap_err().to_string().contains("`proxy`"), "{proxy}");
        }
        let good = Settings { proxy: Some("http://u:p%40x@proxy.example.com:3128".to_owned()), ..Settings::default() };
        good.check().unwrap();
        assert!(!format!("{good:?}").contains("p%40x"));
        assert_eq!(good.proxy_for("git.example.com").unwrap().to_string(), "http://proxy.example.com:3128");
    }

    #[test]
    fn no_proxy_knows_suffixes_and_networks() {
        let rules =
            ["*.corp.example.com", "10.0.0.0/8", "fd00::/8", "exact.example.com"].map(|rule| rule.parse().unwrap());
        for host in ["git.corp.example.com", "10.1.2.3", "[fd00::1]", "EXACT.example.com", "a.b.corp.example.com."] {
            assert!(bypasses(&rules, host), "{host}");
        }
        for host in ["example.com", "corp.example.com", "11.1.2.3", "xcorp.example.com", "a.exact.example.com"] {
            assert!(!bypasses(&rules, host), "{host}");
        }
    }

    #[test]
    fn a_proxys_password_is_decoded() {
        assert_eq!(decoded("p%40x+y"), "p@x+y");
    }
}
