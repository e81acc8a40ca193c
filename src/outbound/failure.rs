//! Why a request got no answer, told from the errors it was caused by. reqwest says where something failed; whoever reads
//! it wants to know what, and whose fault it is: the server's, the proxy's, or the configuration's.

use std::error::Error;
use std::io;

use reqwest::Url;

use super::guard::{Refused, ResolveFailed};
use super::proxy::ProxyAddress;
use super::tls::CertificateRefused;

/// What prevented an answer. Each text is the predicate of a sentence about the server, without a full stop.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The guard refused.
    #[error(transparent)]
    Refused(Refused),
    /// The host's name leads nowhere.
    #[error("no address was found for the host {host}")]
    NoAddress {
        /// The name.
        host: String,
    },
    /// The server's certificate is not accepted, or it speaks no TLS.
    #[error("{0}")]
    Tls(String),
    /// The proxy is at fault, or what we say to it; a sentence that names it.
    #[error("{reason}")]
    Proxy {
        /// The sentence.
        reason: String,
        /// Whether the configuration has to be changed before it can go better.
        permanent: bool,
    },
    /// Nobody took the connection in time.
    #[error("no connection was made within {seconds} seconds")]
    ConnectTimeout {
        /// The limit.
        seconds: u64,
    },
    /// The other side was silent for too long.
    #[error("it was silent for too long")]
    Silent,
    /// No connection could be made, or it broke.
    #[error("{0}")]
    Unreachable(String),
}

/// What a failed request to `url` means. `proxy` is the proxy that it went through.
#[must_use]
pub fn explain(error: &reqwest::Error, url: &Url, proxy: Option<&ProxyAddress>) -> Failed {
    let mut last = error.to_string();
    let mut current: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = current {
        if let Some(known) = known(cause, url, proxy) {
            return known;
        }
        last = cause.to_string();
        current = wrapped(cause).or_else(|| cause.source());
    }
    if let (Some(proxy), true) = (proxy, error.is_connect()) {
        let why = if error.is_timeout() { "nobody answers there" } else { last.as_str() };
        return proxy.unreachable(&printable(why));
    }
    match (error.is_timeout(), error.is_connect()) {
        (true, true) => Failed::ConnectTimeout { seconds: super::client::CONNECT_TIMEOUT.as_secs() },
        (true, false) => Failed::Silent,
        _ => Failed::Unreachable(printable(&last)),
    }
}

/// What one error of the chain says by itself.
fn known(cause: &(dyn Error + 'static), url: &Url, proxy: Option<&ProxyAddress>) -> Option<Failed> {
    if let Some(refused) = cause.downcast_ref::<Refused>() {
        return Some(Failed::Refused(refused.clone()));
    }
    if let Some(failed) = cause.downcast_ref::<ResolveFailed>() {
        return Some(match proxy.filter(|proxy| proxy.is_host(&failed.host)) {
            Some(proxy) => proxy.unreachable("no address was found for its name"),
            None => Failed::NoAddress { host: failed.host.clone() },
        });
    }
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return Some(tls(error, proxy));
    }
    let text = cause.to_string();
    if text == "tls handshake eof" {
        return proxy.map(ProxyAddress::no_tls);
    }
    // The error's type is private to the library.
    let said = text.strip_prefix("tunnel error: ")?;
    proxy.and_then(|proxy| proxy.tunnel_failed(said, url))
}

fn tls(error: &rustls::Error, proxy: Option<&ProxyAddress>) -> Failed {
    if let Some(refused) = certificate(error) {
        return Failed::Tls(refused.to_string());
    }
    match (proxy, error) {
        (Some(proxy), rustls::Error::InvalidMessage(_)) => proxy.no_tls(),
        (None, rustls::Error::InvalidMessage(_)) => {
            Failed::Tls("it does not speak TLS at this port: check the address".to_owned())
        }
        _ => Failed::Tls(printable(&error.to_string())),
    }
}

fn certificate(error: &rustls::Error) -> Option<&CertificateRefused> {
    match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) => other.0.downcast_ref(),
        _ => None,
    }
}

/// What a TLS handshake that failed says.
pub(super) fn handshake(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let refused = inner.and_then(certificate).map(ToString::to_string);
    refused.unwrap_or_else(|| printable(&error.to_string()))
}

/// What an I/O error was made of: its `source` would skip that.
fn wrapped<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let inner = error.downcast_ref::<io::Error>()?.get_ref()?;
    Some(inner)
}

/// Text from elsewhere, fit for a message.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
