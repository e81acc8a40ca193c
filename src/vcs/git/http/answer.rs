//! What an answer means that is not what was asked for, and what it means that there is none.

use std::io;

use reqwest::blocking::Response;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{StatusCode, Url};

use super::{Shared, endpoint, origin, policy, printable, shown};
use crate::clock::{Clock, Timestamp};
use crate::outbound::{Failed, explain};
use crate::vcs::error::VcsError;
use crate::vcs::url::hosts::Service;

impl Shared {
    /// Checks status and content type.
    pub(super) fn accept(&self, response: Response, expected: &str) -> io::Result<Response> {
        if let Some(error) = self.refused(&response) {
            return Err(self.failure.set(error));
        }
        let found =
            response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("no content type");
        let essence = found.split(';').next().unwrap_or_default().trim();
        if essence != expected {
            let is_page = matches!(essence, "text/html" | "application/xhtml+xml");
            if let Some(error) = self.signed_out(response.url(), "it sent its sign-in page").filter(|_| is_page) {
                return Err(self.failure.set(error));
            }
            let reason = match essence {
                _ if is_page => {
                    format!("it sent a web page{}, as sign-in pages and captive portals do", self.way())
                }
                _ => format!("it sent {}{}", printable(essence), self.way()),
            };
            return Err(self.failure.set(VcsError::NotAGitEndpoint { url: endpoint(response.url()), reason }));
        }
        Ok(response)
    }

    /// How the answer came, where whatever lies on the way may have answered in the server's name.
    fn way(&self) -> String {
        self.proxy.as_ref().map(|proxy| format!(" (through the proxy {proxy})")).unwrap_or_default()
    }

    fn refused(&self, response: &Response) -> Option<VcsError> {
        let url = response.url();
        let host = shown(url);
        let retry_after = retry_after(response.headers(), Clock::system().now());
        Some(match response.status() {
            StatusCode::OK => return None,
            StatusCode::UNAUTHORIZED => self.unauthorized(url, response.headers()),
            StatusCode::FORBIDDEN if is_rate_limited(response.headers()) => VcsError::RateLimited { host, retry_after },
            StatusCode::FORBIDDEN if self.is_own(url) && service(url) == Service::CodeCommit => {
                VcsError::CredentialRefused {
                    host,
                    how: "it answered with HTTP 403".to_owned(),
                    remedy: CODECOMMIT.to_owned(),
                }
            }
            StatusCode::FORBIDDEN => VcsError::Forbidden { host: format!("{host}{}", self.way()) },
            StatusCode::NOT_FOUND | StatusCode::GONE => VcsError::NotFoundOrNoAccess { url: endpoint(url) },
            StatusCode::TOO_MANY_REQUESTS => VcsError::RateLimited { host, retry_after },
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => match &self.proxy {
                Some(proxy) => self.meaning(url, proxy.wants_password()),
                None => self.stranger(url, "it answered with HTTP 407, as only proxies do"),
            },
            StatusCode::NETWORK_AUTHENTICATION_REQUIRED => {
                self.stranger(url, "a captive portal of this network answered instead (HTTP 511)")
            }
            StatusCode::NON_AUTHORITATIVE_INFORMATION => {
                let how = "it sent its sign-in page (HTTP 203)";
                let expired = "it answered with HTTP 203, as sign-in pages do, perhaps because the token has expired";
                self.signed_out(url, how).unwrap_or_else(|| self.stranger(url, expired))
            }
            status if status.is_server_error() => {
                VcsError::Unavailable { host: format!("{host}{}", self.way()), status: status.as_u16(), retry_after }
            }
            status => self.stranger(url, &format!("it answered with HTTP {}", status.as_u16())),
        })
    }

    /// Whether our credential is for whoever answered.
    fn is_own(&self, url: &Url) -> bool {
        self.credential.as_ref().is_some_and(|own| own.origin == origin(url))
    }

    /// What it means that Azure DevOps shows its sign-in page, which it does instead of saying that a token is wrong; none
    /// of what others show.
    pub(super) fn signed_out(&self, url: &Url, how: &str) -> Option<VcsError> {
        if service(url) != Service::AzureDevOps {
            return None;
        }
        let host = shown(url);
        Some(match self.is_own(url) {
            true => VcsError::CredentialRefused { host, how: how.to_owned(), remedy: AZURE.to_owned() },
            false => VcsError::AuthRequired { host },
        })
    }

    /// Which of our credentials was refused, or why none was sent.
    fn unauthorized(&self, url: &Url, headers: &HeaderMap) -> VcsError {
        let host = shown(url);
        let Some(own) = &self.credential else { return VcsError::AuthRequired { host } };
        if own.origin == origin(url) {
            let windows_only = takes_windows_only(headers);
            return match service(url) {
                _ if windows_only => VcsError::CredentialRefused {
                    host,
                    how: "it takes no passwords and tokens, only what Windows sends by itself (NTLM, Negotiate)"
                        .to_owned(),
                    remedy: WINDOWS.to_owned(),
                },
                Service::AzureDevOps => VcsError::CredentialRefused {
                    host,
                    how: "it answered with HTTP 401".to_owned(),
                    remedy: AZURE.to_owned(),
                },
                Service::CodeCommit | Service::Other => VcsError::AuthFailed { host },
            };
        }
        match own.left.borrow().clone() {
            Some(from) => VcsError::Redirected { from, to: endpoint(url) },
            None => VcsError::AuthRequired { host },
        }
    }

    fn stranger(&self, url: &Url, reason: &str) -> VcsError {
        VcsError::NotAGitEndpoint { url: endpoint(url), reason: format!("{reason}{}", self.way()) }
    }

    /// What a failed request means.
    pub(super) fn classify(&self, url: &Url, error: &reqwest::Error) -> VcsError {
        self.meaning(url, explain(error, url, self.proxy.as_ref()))
    }

    fn meaning(&self, url: &Url, failed: Failed) -> VcsError {
        let host = shown(url);
        match failed {
            Failed::Refused(refused) => policy(&refused),
            Failed::NoAddress { host } => VcsError::Dns { host },
            Failed::Tls(reason) => VcsError::Tls { host, reason },
            Failed::Proxy { reason, permanent } => VcsError::Proxy { host, reason, permanent },
            Failed::Silent => {
                VcsError::Timeout { what: format!("Waiting for {host}{}", self.way()), seconds: self.timeout }
            }
            Failed::ConnectTimeout { .. } | Failed::Unreachable(_) => {
                VcsError::Unreachable { host, reason: format!("{failed}{}", self.way()) }
            }
        }
    }
}

/// What helps where Azure DevOps takes no token.
const AZURE: &str = "The personal access token is wrong, has expired, was revoked, or lacks the scope Code (Read). Make one \
     that is for this organization, and give it with `credential rotate NAME`.";
/// What helps where AWS CodeCommit takes no password.
const CODECOMMIT: &str = "The user name and password have to be the HTTPS Git credentials that IAM made for a user (not its \
     access key), and the user needs codecommit:GitPull for this repository. Give another password with `credential rotate \
     NAME`.";
/// What helps where a server only lets Windows in.
const WINDOWS: &str = "Switch on Basic authentication, over HTTPS, for the server's Git, which personal access tokens need; or use \
     the repository's ssh address.";

fn service(url: &Url) -> Service {
    Service::of(url.host_str().unwrap_or_default(), url.path())
}

/// Whether a server names ways to say who one is, and no password or token is among them.
fn takes_windows_only(headers: &HeaderMap) -> bool {
    let challenges: Vec<String> = headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .map(str::to_ascii_lowercase)
        .collect();
    let names = |scheme: &str| challenges.iter().any(|challenge| challenge.trim_start().starts_with(scheme));
    (names("ntlm") || names("negotiate")) && !names("basic") && !names("bearer")
}

/// For how many seconds the server wants to be left alone: it says a number, or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    Some(Timestamp::parse_http_date(text).ok()?.since(now).as_secs())
}

/// Whether a 403 is one of GitHub's rate limits, which say so in their headers.
fn is_rate_limited(headers: &HeaderMap) -> bool {
    headers.contains_key(RETRY_AFTER)
        || headers.get("x-ratelimit-remaining").is_some_and(|left| left.as_bytes() == b"0")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use reqwest::header::HeaderMap;

    use super::{Timestamp, is_rate_limited, retry_after};

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn when_to_come_again_is_a_number_or_a_date() {
        let now = Timestamp::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let after = |text| retry_after(&headers("retry-after", text), now);
        assert_eq!(after("120"), Some(120));
        assert_eq!(after("Sun, 06 Nov 1994 08:51:37 GMT"), Some(120));
        assert_eq!(after("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(after("soon"), None);
        assert_eq!(after("-1"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn a_forbidden_answer_can_be_a_rate_limit() {
        assert!(is_rate_limited(&headers("x-ratelimit-remaining", "0")));
        assert!(is_rate_limited(&headers("retry-after", "60")));
        assert!(!is_rate_limited(&headers("x-ratelimit-remaining", "17")));
        assert!(!is_rate_limited(&HeaderMap::new()));
    }
}
