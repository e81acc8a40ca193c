//! The client for one platform's API: it reaches that platform's own addresses and nothing else, so that no token can follow
//! a link or redirect elsewhere, and it may reach them wherever they are, because the administrator wrote them down.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Request, StatusCode, Url};

use super::client::{self, SetupFailed};
use super::failure::{Failed, explain};
use super::{HostRule, Settings, proxy};

/// Longest answer that is read unless more is asked for, in bytes.
const LONGEST_ANSWER: usize = 1 << 20;
/// How long one call may take altogether; `timeout` under `[outbound]` shortens it.
const LONGEST_CALL: Duration = Duration::from_secs(30);

/// Speaks with one platform. It follows no redirects and tries nothing twice; clones share connections.
#[derive(Clone, Debug)]
pub struct PlatformClient {
    client: reqwest::Client,
    settings: Settings,
    origins: Vec<url::Origin>,
    longest: usize,
}

/// What came back, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, not decoded in any way.
    pub body: Vec<u8>,
}

/// Why there is no answer. Each text is the predicate of a sentence about the platform, without a full stop.
#[derive(Debug, thiserror::Error)]
pub enum CallFailed {
    /// The connection.
    #[error(transparent)]
    Failed(#[from] Failed),
    /// The answer grew too long.
    #[error("its answer is longer than {} KiB", .0 >> 10)]
    TooLong(usize),
    /// The address is none of the platform's.
    #[error("it leads to {0}, which is not its own address")]
    Elsewhere(String),
}

impl PlatformClient {
    /// A client for the platform with these addresses, of which only scheme, host and port count. Their hosts are exempt
    /// from the guard's refusal of local addresses; `deny` holds for them too.
    ///
    /// # Errors
    /// [`SetupFailed`] when certificates or proxy of the settings are unusable.
    pub fn new(settings: &Settings, addresses: &[Url]) -> Result<Self, SetupFailed> {
        let mut settings = settings.clone();
        let hosts = addresses.iter().filter_map(Url::host_str);
        settings.guard.allow.extend(hosts.filter_map(|host| host.parse::<HostRule>().ok()));
        let port = addresses.first().and_then(Url::port_or_known_default).unwrap_or_default();
        let origins = addresses.iter().map(Url::origin).collect();
        Self::of(settings, port, origins, LONGEST_CALL)
    }

    /// A client for the host of an address that somebody else named: guarded as any other, and reaching no other host.
    ///
    /// # Errors
    /// [`SetupFailed`] when certificates or proxy of the settings are unusable.
    pub fn for_stranger(settings: &Settings, address: &Url, longest_call: Duration) -> Result<Self, SetupFailed> {
        let port = address.port_or_known_default().unwrap_or_default();
        Self::of(settings.clone(), port, vec![address.origin()], longest_call)
    }

    fn of(
        settings: Settings,
        port: u16,
        origins: Vec<url::Origin>,
        longest_call: Duration,
    ) -> Result<Self, SetupFailed> {
        let resolver = settings.guard.resolver(proxy::host(&settings), port);
        let client = client::bare(&settings)?
            .timeout(settings.timeout.min(longest_call))
            .dns_resolver(Arc::new(resolver))
            .redirect(Policy::none())
            .build()?;
        Ok(Self { client, settings, origins, longest: LONGEST_ANSWER })
    }

    /// The same, reading answers of up to so many bytes.
    #[must_use]
    pub fn reading(self, longest: usize) -> Self {
        Self { longest, ..self }
    }

    /// Sends a request and reads its answer, of whatever status.
    ///
    /// # Errors
    /// [`CallFailed`]; an answer that says no is none.
    pub async fn send(&self, request: Request) -> Result<Answer, CallFailed> {
        let url = request.url().clone();
        if !self.origins.contains(&url.origin()) {
            return Err(CallFailed::Elsewhere(url.origin().ascii_serialization()));
        }
        self.settings.check_url(&url).map_err(Failed::Refused)?;
        let via = self.settings.proxy_for(url.host_str().unwrap_or_default());
        let failed = |error: reqwest::Error| explain(&error, &url, via.as_ref());
        let mut response = self.client.execute(request).await.map_err(failed)?;
        if let (StatusCode::PROXY_AUTHENTICATION_REQUIRED, Some(proxy)) = (response.status(), &via) {
            return Err(proxy.wants_password().into());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.longest {
                return Err(CallFailed::TooLong(self.longest));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: response.status(), headers: std::mem::take(response.headers_mut()), body })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use reqwest::{Method, Request};

    use super::{CallFailed, PlatformClient, Settings};
    use crate::outbound::Failed;

    /// Nothing listens at port 1: what gets as far as that was let through.
    #[tokio::test]
    async fn only_the_platforms_own_addresses_are_reached() {
        let own = "http://127.0.0.1:1/gitlab".parse().unwrap();
        let client = PlatformClient::new(&Settings::default(), &[own]).unwrap();
        let send = async |url: &str| client.send(Request::new(Method::GET, url.parse().unwrap())).await.unwrap_err();
        for elsewhere in ["http://127.0.0.1:2/", "https://127.0.0.1:1/", "http://localhost:1/", "http://127.0.0.2:1/"] {
            let failed = send(elsewhere).await;
            assert!(matches!(failed, CallFailed::Elsewhere(_)), "{elsewhere}: {failed:?}");
        }
        let failed = send("http://127.0.0.1:1/api").await;
        assert!(matches!(failed, CallFailed::Failed(Failed::Unreachable(_))), "{failed:?}");
    }

    #[tokio::test]
    async fn what_is_denied_is_denied_to_a_platform_too() {
        let mut settings = Settings::default();
        settings.guard.deny = vec!["127.0.0.1".parse().unwrap()];
        let own: reqwest::Url = "http://127.0.0.1:1/".parse().unwrap();
        let client = PlatformClient::new(&settings, std::slice::from_ref(&own)).unwrap();
        let failed = client.send(Request::new(Method::GET, own)).await.unwrap_err();
        assert!(failed.to_string().contains("`deny` under [outbound]"), "{failed}");
    }
}
