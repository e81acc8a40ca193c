//! How [`Settings`] become a reqwest client: roots, proxy, time limits, guarded resolution and redirects.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use secrecy::zeroize::Zeroizing;

use super::{Settings, proxy, tls};

/// How long a connection may take to be made.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;
/// What we call ourselves.
const USER_AGENT: &str = concat!("packagist-selfhosted/", env!("CARGO_PKG_VERSION"));

/// A bundle that holds no certificate, or something else than certificates.
#[derive(Debug, thiserror::Error)]
#[error("`ca_bundle` under [outbound] cannot be used: {0}")]
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
/// Through a proxy, names are resolved by the proxy; what holds all the same is said at [`super::Guard::check_proxied`].
/// Redirects are followed where the guard agrees, and reqwest drops credentials when the host changes.
///
/// # Errors
/// [`SetupFailed`] when certificates or proxy are unusable.
pub fn client(settings: &Settings) -> Result<reqwest::Client, SetupFailed> {
    let builder = bare(settings)?
        .read_timeout(settings.timeout)
        .dns_resolver(Arc::new(settings.guard.resolver(proxy::host(settings), 0)))
        .redirect(redirects(settings.clone()));
    Ok(builder.build()?)
}

/// What all asynchronous clients have in common: name, proxy and TLS. It is neither guarded nor limited in time yet.
pub(super) fn bare(settings: &Settings) -> Result<reqwest::ClientBuilder, SetupFailed> {
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .no_proxy()
        .tls_backend_preconfigured(tls::config(settings.ca_bundle.as_deref())?);
    Ok(match proxy::proxy(settings)? {
        Some(proxy) => builder.proxy(proxy),
        None => builder,
    })
}

/// A blocking client for one host and port, for the worker process: no redirects, because the Git client follows them
/// itself, to decide at each whether the credential may go along. Being for one host, it knows whether it goes through
/// the proxy, whose own name is the only one that is not checked, and recognizes this server's own port.
///
/// The last one is kept with its connections: a worker looks at many repositories of one host, one after the other.
///
/// # Errors
/// [`SetupFailed`] when certificates or proxy are unusable.
pub fn blocking_client(settings: &Settings, host: &str, port: u16) -> Result<reqwest::blocking::Client, SetupFailed> {
    // A worker does one thing at a time, so that nobody waits for this lock.
    static LAST: Mutex<Option<(Zeroizing<String>, reqwest::blocking::Client)>> = Mutex::new(None);
    let wanted =
        serde_json::to_string(&(settings, host, port)).map_err(|error| SetupFailed::Client(error.to_string()))?;
    let wanted = Zeroizing::new(wanted);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((known, client)) = last.as_ref()
        && *known == wanted
    {
        return Ok(client.clone());
    }
    let client = new_blocking_client(settings, host, port)?;
    *last = Some((wanted, client.clone()));
    Ok(client)
}

fn new_blocking_client(settings: &Settings, host: &str, port: u16) -> Result<reqwest::blocking::Client, SetupFailed> {
    let proxied = settings.proxy_for(host).is_some();
    let resolver = settings.guard.resolver(proxied.then(|| proxy::host(settings)).flatten(), port);
    let mut builder = reqwest::blocking::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(settings.timeout)
        .no_proxy()
        .tls_backend_preconfigured(tls::config(settings.ca_bundle.as_deref())?)
        .dns_resolver(Arc::new(resolver))
        .redirect(Policy::none());
    if let (Some(proxy), true) = (proxy::proxy(settings)?, proxied) {
        builder = builder.proxy(proxy);
    }
    Ok(builder.build()?)
}

fn redirects(settings: Settings) -> Policy {
    Policy::custom(move |attempt: Attempt<'_>| {
        let downgrade =
            attempt.url().scheme() != "https" && attempt.previous().iter().any(|url| url.scheme() == "https");
        if downgrade {
            return attempt.error("the server redirects from https to an unencrypted address");
        }
        if attempt.previous().len() > MAX_REDIRECTS {
            return attempt.error("the server redirects too often");
        }
        match settings.check_url(attempt.url()) {
            Ok(()) => attempt.follow(),
            Err(refused) => attempt.error(refused),
        }
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::Settings;

    #[test]
    fn a_bundle_without_certificates_is_told_at_start() {
        let good = rcgen::generate_simple_self_signed(["git.test".to_owned()]).unwrap().cert.pem();
        let half = &good[..good.len() / 2];
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let check = |pem: &str| Settings { ca_bundle: Some(pem.to_owned()), ..Settings::default() }.check();
        check(&good).unwrap();
        check(&format!("a comment\n{good}{good}")).unwrap();
        for (pem, reason) in [
            ("", "no \"BEGIN CERTIFICATE\""),
            ("nonsense", "no \"BEGIN CERTIFICATE\""),
            (broken, "number 1"),
            (&format!("{good}{broken}"), "number 2"),
            (half, "number 1"),
        ] {
            let message = check(pem).unwrap_err().to_string();
            assert!(message.contains("ca_bundle") && message.contains(reason), "{pem:?}: {message}");
        }
    }
}
