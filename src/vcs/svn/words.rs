//! What `svn` says when it fails, and what it means: its codes stand in `svn_error_codes.h`. What is not known is passed on
//! by its first line.

use super::program::Svn;
use crate::vcs::error::VcsError;
use crate::vcs::request::Limits;
use crate::vcs::tool::{first_line, own_trouble};

/// Whether a path is not there at that revision, which is no failure.
pub(super) fn is_missing(said: &str) -> bool {
    let absent = ["W160013", "E160013", "W170000", "E170000", "W195007", "E195007", "W160017", "E160017", "W160005"];
    let refused = ["E170013", "E215004", "E175013"];
    absent.iter().any(|code| said.contains(code)) && !refused.iter().any(|code| said.contains(code))
}

/// What a failed program means.
pub(super) fn meaning(svn: &Svn<'_>, said: &str, limits: &Limits) -> VcsError {
    let road = svn.road();
    if let Some(trouble) = road.trouble() {
        return trouble;
    }
    if let Some(trouble) = own_trouble(said, limits) {
        return trouble;
    }
    let about = About { host: road.host(), url: road.url(), has_login: road.login().is_some() };
    if let Some(error) = remote(said, &about) {
        return error;
    }
    let text = without_code(&first_line(said, &["svn: "]));
    road.ssh_trouble(&text).unwrap_or_else(|| {
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let last = without_code(&first_line(last, &["svn: "]));
        let reason = if last == text { text } else { format!("{text}: {last}") };
        VcsError::ToolFailed { url: about.url.to_owned(), reason: format!("svn says \"{reason}\"") }
    })
}

/// There is no repository, or no such path in it.
const ABSENT: [&str; 8] = [
    "E210005",
    "No repository found",
    "Could not find the requested SVN filesystem",
    "E180001",
    "E160013",
    "W160013",
    "W170000",
    "E170000",
];

/// Whom a program spoke with.
struct About<'a> {
    host: &'a str,
    url: &'a str,
    has_login: bool,
}

fn remote(said: &str, about: &About<'_>) -> Option<VcsError> {
    let has = |text: &str| said.contains(text);
    let (host, url) = (about.host.to_owned(), about.url.to_owned());
    let refused = has("E215004") || has("Can't get username or password") || has("Authentication failed");
    let refused = refused || has("Username not found") || has("Password incorrect") || has("Authentication error");
    Some(if refused && about.has_login && url.starts_with("svn://") {
        let remedy = "Give it a new secret with `credential rotate NAME`.".to_owned();
        VcsError::CredentialRefused { host, how: "svnserve lets nobody in with it".to_owned(), remedy }
    } else if refused && about.has_login {
        VcsError::AuthFailed { host }
    } else if refused {
        VcsError::AuthRequired { host }
    } else if has("E175013") || has("E170001") || has("E220004") || has("W160015") || has("'403") {
        VcsError::Forbidden { host }
    } else if has("E230001") || has("certificate") || has("SSL ") {
        VcsError::Tls { host, reason: certificate(said) }
    } else if has("E175011") || has("E195019") || has("Redirect cycle") {
        not_spoken(url, "it redirects too often")
    } else if has("E170011") || has("Repository moved") {
        let to = said.split('\'').find(|part| part.contains("://")).unwrap_or("another address").to_owned();
        let is_web = to.starts_with("http://") || to.starts_with("https://");
        match !is_web || to.split('/').nth(2).is_some_and(|there| there == host || format!("{there}:443") == host) {
            true => not_spoken(url, &format!("it redirects to {to}, which is not followed")),
            false => VcsError::Redirected { from: host, to },
        }
    } else if ABSENT.iter().any(|sign| has(sign)) {
        VcsError::NotFoundOrNoAccess { url }
    } else if let Some(status @ 500..=599) = status(said) {
        VcsError::Unavailable { host, status, retry_after: None }
    } else if status(said) == Some(429) {
        VcsError::RateLimited { host, retry_after: None }
    } else if has("E175003")
        || has("E175009")
        || has("E130003")
        || has("E175002")
        || has("does not support the HTTP/DAV")
    {
        not_spoken(url, &without_code(&first_line(said, &["svn: "])))
    } else if has("E210004") || has("Malformed network data") {
        not_spoken(url, "what it says is not the protocol of Subversion")
    } else {
        return None;
    })
}

fn not_spoken(url: String, reason: &str) -> VcsError {
    VcsError::NotSpoken { url, system: "Subversion".to_owned(), reason: reason.to_owned() }
}

/// The status in `Unexpected HTTP status 503 'Service Unavailable'`.
fn status(said: &str) -> Option<u16> {
    let (_, rest) = said.split_once("HTTP status ")?;
    rest.get(..3)?.parse().ok()
}

fn certificate(said: &str) -> String {
    let line = said.lines().find(|line| line.contains("certificate") || line.contains("SSL")).unwrap_or(said);
    let text = without_code(&first_line(line, &["svn: "]));
    format!(
        "{text}. If the certificate is of your own authority, add that to `ca_bundle` under [outbound] in config.toml; for \
         Subversion, a certificate must be for the host's name and not for an address only"
    )
}

/// A complaint without its code: `E170013: Unable to connect`.
fn without_code(text: &str) -> String {
    let is_code =
        |word: &str| word.len() == 7 && word.get(1..).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
    match text.split_once(": ") {
        Some((code, rest)) if is_code(code) => rest.to_owned(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{About, VcsError, is_missing, remote};

    fn error(said: &str, has_login: bool) -> Option<VcsError> {
        remote(said, &About { host: "h:443", url: "https://h/x", has_login })
    }

    #[test]
    fn codes_have_meanings() {
        let host = || "h:443".to_owned();
        let wrong = "svn: E170013: Unable to connect to a repository at URL 'https://h/x'\nsvn: E215004: No more credentials or we tried too many times.\nAuthentication failed\n";
        assert_eq!(error(wrong, true), Some(VcsError::AuthFailed { host: host() }));
        assert_eq!(error(wrong, false), Some(VcsError::AuthRequired { host: host() }));
        let hidden = "svn: E210005: No repository found in 'svn+ssh://h/x'\n";
        assert_eq!(error(hidden, false), Some(VcsError::NotFoundOrNoAccess { url: "https://h/x".to_owned() }));
        let foreign = "svn: E230001: Server SSL certificate verification failed: issuer is not trusted\n";
        assert!(matches!(error(foreign, false), Some(VcsError::Tls { .. })));
        assert_eq!(error("svn: E000001: who knows\n", false), None);
    }

    #[test]
    fn what_is_not_there_is_no_failure() {
        assert!(is_missing(
            "svn: warning: W160013: Path '/tags/x' not found\nsvn: E200009: Could not list all targets\n"
        ));
        assert!(!is_missing("svn: E170013: Unable to connect to a repository at URL 'x'\n"));
    }
}
