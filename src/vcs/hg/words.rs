//! What `hg` says when it fails, and what it means. What is not known is passed on by its first line.

use super::program::Hg;
use crate::vcs::error::VcsError;
use crate::vcs::request::Limits;
use crate::vcs::tool::{first_line, own_trouble};

/// What a failed program means.
pub(super) fn meaning(hg: &Hg, said: &str, limits: &Limits) -> VcsError {
    if let Some(trouble) = hg.road().and_then(|road| road.trouble()) {
        return trouble;
    }
    if let Some(trouble) = own_trouble(said, limits) {
        return trouble;
    }
    let Some(road) = hg.road() else { return local(said) };
    let about = About { host: road.host(), url: road.url(), has_login: road.login().is_some() };
    if let Some(error) = remote(said, &about) {
        // Led to another host through our proxy, it asks the first server for the other's path.
        let lost = matches!(
            error,
            VcsError::AuthFailed { .. }
                | VcsError::AuthRequired { .. }
                | VcsError::Forbidden { .. }
                | VcsError::NotFoundOrNoAccess { .. }
                | VcsError::NotSpoken { .. }
        );
        let elsewhere = lost.then(|| road.elsewhere(&format!("{}?cmd=capabilities", hg.source()))).flatten();
        return elsewhere.unwrap_or(error);
    }
    let text = first_line(said, &["abort: ", "remote: "]);
    let by_ssh = road.ssh_trouble(&text).map(|error| match error {
        VcsError::SshFailed { reason, .. } if reason.contains("repository ") && reason.contains(" not found") => {
            VcsError::NotFoundOrNoAccess { url: about.url.to_owned() }
        }
        VcsError::SshFailed { host, reason } if reason.contains("hg") && reason.contains("not found") => {
            VcsError::SshFailed { host, reason: "Mercurial is not installed there (hg was not found)".to_owned() }
        }
        other => other,
    });
    by_ssh.unwrap_or_else(|| match is_damage(said) {
        true => VcsError::corrupt(text),
        false => VcsError::ToolFailed { url: about.url.to_owned(), reason: format!("hg says \"{}\"", quoted(said)) },
    })
}

/// What concerns the mirror alone.
pub(super) fn local(said: &str) -> VcsError {
    let text = first_line(said, &["abort: "]);
    if is_damage(said) {
        return VcsError::corrupt(text);
    }
    VcsError::Io { doing: "Reading the mirror with hg".to_owned(), reason: text }
}

/// Whom a program spoke with.
struct About<'a> {
    host: &'a str,
    url: &'a str,
    has_login: bool,
}

fn remote(said: &str, about: &About<'_>) -> Option<VcsError> {
    let has = |text: &str| said.contains(text);
    let host = about.host.to_owned();
    let url = about.url.to_owned();
    let status = status(said);
    let refused = has("authorization failed") || has("authorization required") || status == Some(401);
    Some(if refused && about.has_login {
        VcsError::AuthFailed { host }
    } else if refused {
        VcsError::AuthRequired { host }
    } else if status == Some(403) {
        VcsError::Forbidden { host }
    } else if matches!(status, Some(404 | 410)) {
        VcsError::NotFoundOrNoAccess { url }
    } else if status == Some(429) {
        VcsError::RateLimited { host, retry_after: None }
    } else if let Some(status @ 500..=599) = status {
        VcsError::Unavailable { host, status, retry_after: None }
    } else if has("infinite loop") {
        not_spoken(url, "it redirects to itself, or too often")
    } else if matches!(status, Some(300..=399)) {
        not_spoken(url, &format!("it redirects to {}, which is not followed", named(said)))
    } else if has("certificate") || has("SSLError") || has("[SSL") || has("ssl.c:") {
        VcsError::Tls { host, reason: certificate(said) }
    } else if has("does not appear to be an hg repository") || has("not a valid hg repository") {
        not_spoken(url, &first_line(said, &["abort: "]))
    } else if has("unrelated repository") || has("repository is unrelated") {
        VcsError::Policy {
            reason: format!(
                "The repository at {url} has no history in common with the one that was there before. What was served \
                 before is served on. If that is meant, remove the package and add it again."
            ),
        }
    } else if has("is not a valid revision identifier") || has("requires features unknown") {
        VcsError::Unsupported { what: format!("What this repository needs ({})", first_line(said, &["abort: "])) }
    } else if has("timed out") {
        VcsError::Timeout { what: format!("Waiting for {host}"), seconds: super::program::HTTP_TIMEOUT }
    } else {
        return None;
    })
}

fn not_spoken(url: String, reason: &str) -> VcsError {
    VcsError::NotSpoken { url, system: "Mercurial".to_owned(), reason: reason.to_owned() }
}

/// The address in `Redirection to url 'file:///etc/hg?cmd=capabilities' is not allowed`, without what is asked there.
fn named(said: &str) -> &str {
    let address = said.split('\'').find(|part| part.contains(':') && !part.contains(' '));
    address.and_then(|address| address.split(['?', '#']).next()).unwrap_or("another address")
}

/// The status in `abort: HTTP Error 404: Not Found`.
fn status(said: &str) -> Option<u16> {
    let (_, rest) = said.split_once("HTTP Error ")?;
    rest.get(..3)?.parse().ok()
}

fn certificate(said: &str) -> String {
    let text = first_line(said, &["abort: "]);
    format!(
        "{text}. If the certificate is of your own authority, add that to `ca_bundle` under [outbound] in config.toml; for \
         Mercurial, a certificate must be for the host's name and not for an address only"
    )
}

/// Whether the mirror itself is broken.
fn is_damage(said: &str) -> bool {
    ["integrity check failed", "no match found", "unknown parent", "corrupt", "index 00", "invalid revlog"]
        .iter()
        .any(|sign| said.contains(sign))
}

/// What was said, on one line.
fn quoted(said: &str) -> String {
    first_line(said, &["abort: "])
}

#[cfg(test)]
mod tests {
    use super::{About, VcsError, remote};

    fn error(said: &str, has_login: bool) -> Option<VcsError> {
        remote(said, &About { host: "h:443", url: "https://h/x", has_login })
    }

    #[test]
    fn words_have_meanings() {
        let host = || "h:443".to_owned();
        for (said, expected) in [
            ("abort: authorization failed\n", VcsError::AuthFailed { host: host() }),
            ("abort: HTTP Error 403: Forbidden\n", VcsError::Forbidden { host: host() }),
            ("abort: HTTP Error 404: Not Found\n", VcsError::NotFoundOrNoAccess { url: "https://h/x".to_owned() }),
            ("abort: HTTP Error 503: Busy\n", VcsError::Unavailable { host: host(), status: 503, retry_after: None }),
        ] {
            assert_eq!(error(said, true), Some(expected), "{said}");
        }
        let anonymous = error("abort: http authorization required for https://h/x\n", false);
        assert_eq!(anonymous, Some(VcsError::AuthRequired { host: host() }));
        let led =
            "abort: HTTP Error 302: Found - Redirection to url 'file:///etc/hg?cmd=capabilities' is not allowed\n";
        let led = error(led, true).map(|error| error.to_string()).unwrap_or_default();
        assert!(led.contains("redirects to file:///etc/hg, which is not followed"), "{led}");
        assert!(matches!(error("abort: repository is unrelated\n", false), Some(VcsError::Policy { .. })));
        assert_eq!(error("abort: something else\n", false), None);
    }
}
