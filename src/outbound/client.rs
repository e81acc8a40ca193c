//! How [`Settings`] become a reqwest client: roots, proxy, time limits, guarded resolution and redirects.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use reqwest::{Certificate, Proxy, Url};
use secrecy::zeroize::Zeroizing;

use super::guard::Guard;
use super::{HostRule, Settings};

/// How long a connection may take to be made.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;
/// What we call ourselves.
const USER_AGENT: &str = concat!("packagist-selfhosted/", env!("CARGO_PKG_VERSION"));

/// A bundle that holds no certificate, or something else than certificates.
#[derive(Debug, thiserror::Error)]
#[error("`ca_bundle` under [outbound] holds no usable certificate: {0}")]
pub struct InvalidCaBundle(pub(super) String);

/// Why no client could be made of the settings.
#[derive(Debug, thiserror::Error)]
pub enum SetupFailed {
    /// The certificates are at fault.
    #[error(transparent)]
    CaBundle(#[from] InvalidCaBundle),
    /// The proxy is no address.
    #[error("`proxy` under [outbound] is no address such as http://proxy.example.com:3128")]
    Proxy,
    /// The TLS library refused, for example because the system has no certificates at all.
    #[error("The HTTP client could not be set up: {0}")]
    Client(String),
}

impl From<reqwest::Error> for SetupFailed {
    fn from(error: reqwest::Error) -> Self {
        Self::Client(innermost(&error))
    }
}

/// The last error of a chain, which says what happened; the outer ones say where.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut current = error;
    while let Some(source) = current.source() {
        current = source;
    }
    current.to_string()
}

/// An asynchronous client for APIs and downloads.
///
/// Through a proxy, names are resolved by the proxy, so that only literal addresses and `deny`'s names are checked here.
/// Redirects are followed where the guard agrees, and reqwest drops credentials when the host changes.
///
/// # Errors
/// [`SetupFailed`] when certificates or proxy are unusable.
pub fn client(settings: &Settings) -> Result<reqwest::Client, SetupFailed> {
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(settings.timeout)
        .no_proxy()
        .dns_resolver(Arc::new(settings.guard.resolver(proxy_host(settings))))
        .redirect(redirects(settings.guard.clone()));
    if let Some(proxy) = proxy(settings)? {
        builder = builder.proxy(proxy);
    }
    let built = builder.tls_certs_merge(certificates(settings)?).build();
    built.map_err(|error| bundle_at_fault(settings, error))
}

/// A blocking client, for the worker process: no redirects, because the Git client follows them itself, to decide at
/// each whether the credential may go along.
///
/// The last one is kept with its connections: a worker looks at many repositories of one host, one after the other.
///
/// # Errors
/// [`SetupFailed`] when certificates or proxy are unusable.
pub fn blocking_client(settings: &Settings) -> Result<reqwest::blocking::Client, SetupFailed> {
    // A worker does one thing at a time, so that nobody waits for this lock.
    static LAST: Mutex<Option<(Zeroizing<String>, reqwest::blocking::Client)>> = Mutex::new(None);
    let wanted = serde_json::to_string(settings).map_err(|error| SetupFailed::Client(error.to_string()))?;
    let wanted = Zeroizing::new(wanted);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((known, client)) = last.as_ref()
        && *known == wanted
    {
        return Ok(client.clone());
    }
    let client = new_blocking_client(settings)?;
    *last = Some((wanted, client.clone()));
    Ok(client)
}

fn new_blocking_client(settings: &Settings) -> Result<reqwest::blocking::Client, SetupFailed> {
    let mut builder = reqwest::blocking::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(settings.timeout)
        .no_proxy()
        .dns_resolver(Arc::new(settings.guard.resolver(proxy_host(settings))))
        .redirect(Policy::none());
    if let Some(proxy) = proxy(settings)? {
        builder = builder.proxy(proxy);
    }
    let built = builder.tls_certs_merge(certificates(settings)?).build();
    built.map_err(|error| bundle_at_fault(settings, error))
}

/// A certificate that does not parse is only noticed when the client is built.
fn bundle_at_fault(settings: &Settings, error: reqwest::Error) -> SetupFailed {
    match (&settings.ca_bundle, reqwest::Client::builder().build()) {
        (Some(_), Ok(_)) => InvalidCaBundle(innermost(&error)).into(),
        _ => error.into(),
    }
}

fn certificates(settings: &Settings) -> Result<Vec<Certificate>, InvalidCaBundle> {
    let Some(pem) = &settings.ca_bundle else { return Ok(Vec::new()) };
    let certificates =
        Certificate::from_pem_bundle(pem.as_bytes()).map_err(|error| InvalidCaBundle(innermost(&error)))?;
    if certificates.is_empty() {
        return Err(InvalidCaBundle("there is no \"BEGIN CERTIFICATE\" block in it".to_owned()));
    }
    Ok(certificates)
}

fn proxy(settings: &Settings) -> Result<Option<Proxy>, SetupFailed> {
    let Some(text) = &settings.proxy else { return Ok(None) };
    let mut address = Url::parse(text).map_err(|_| SetupFailed::Proxy)?;
    if !matches!(address.scheme(), "http" | "https") || address.host_str().is_none() {
        return Err(SetupFailed::Proxy);
    }
    let credential = (!address.username().is_empty())
        .then(|| (decoded(address.username()), decoded(address.password().unwrap_or(""))));
    if address.set_username("").is_err() || address.set_password(None).is_err() {
        return Err(SetupFailed::Proxy);
    }
    let bypass = settings.no_proxy.clone();
    let proxy = Proxy::custom(move |target| (!bypasses(&bypass, target)).then(|| address.clone()));
    Ok(Some(match credential {
        Some((user, password)) => proxy.basic_auth(&user, &password),
        None => proxy,
    }))
}

fn proxy_host(settings: &Settings) -> Option<String> {
    Url::parse(settings.proxy.as_deref()?).ok()?.host_str().map(str::to_owned)
}

fn bypasses(rules: &[HostRule], target: &Url) -> bool {
    target.host_str().is_some_and(|host| rules.iter().any(|rule| rule.matches_host(host)))
}

/// Undoes the percent-encoding of a URL's user or password.
pub(super) fn decoded(text: &str) -> String {
    let form = format!("x={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn redirects(guard: Guard) -> Policy {
    Policy::custom(move |attempt: Attempt<'_>| {
        let downgrade =
            attempt.url().scheme() != "https" && attempt.previous().iter().any(|url| url.scheme() == "https");
        if downgrade {
            return attempt.error("the server redirects from https to an unencrypted address");
        }
        if attempt.previous().len() > MAX_REDIRECTS {
            return attempt.error("the server redirects too often");
        }
        match guard.check_host(attempt.url().host_str().unwrap_or_default()) {
            Ok(()) => attempt.follow(),
            Err(refused) => attempt.error(refused),
        }
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{Settings, bypasses, decoded};

    #[test]
    fn a_bundle_without_certificates_is_told_at_start() {
        for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let settings = Settings { ca_bundle: Some(pem.to_owned()), ..Settings::default() };
            let message = settings.check().unwrap_err().to_string();
            assert!(message.contains("ca_bundle"), "{pem:?}: {message}");
        }
    }

    #[test]
    fn a_proxy_must_be_an_address() {
        for proxy in ["proxy.example.com:3128", "ftp://proxy", "http://", "socks5://x"] {
            let settings = Settings { proxy: Some(proxy.to_owned()), ..Settings::default() };
            assert!(settings.check().unwrap_err().to_string().contains("`proxy`"), "{proxy}");
        }
        let good = Settings { proxy: Some("http://u:p%40x@proxy.example.com:3128".to_owned()), ..Settings::default() };
        good.check().unwrap();
        assert!(!format!("{good:?}").contains("p%40x"));
    }

    #[test]
    fn no_proxy_knows_suffixes_and_networks() {
        let rules = ["*.corp.example.com", "10.0.0.0/8"].map(|rule| rule.parse().unwrap());
        let reaches = |url: &str| bypasses(&rules, &reqwest::Url::parse(url).unwrap());
        assert!(reaches("https://git.corp.example.com/x"));
        assert!(reaches("https://10.1.2.3/x"));
        assert!(!reaches("https://example.com/"));
    }

    #[test]
    fn a_proxys_password_is_decoded() {
        assert_eq!(decoded("p%40x+y"), "p@x+y");
    }
}
