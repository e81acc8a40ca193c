//! Addresses: what is accepted is harmless to programs, keeps no secret, and reads back as itself.

use packagist_selfhosted::vcs::url::{InvalidUrl, Scheme, SourceUrl, UrlPolicy};

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lenient = UrlPolicy { allow_insecure: true, ..UrlPolicy::default() };
    let parsed = SourceUrl::parse(text, &lenient);
    strictly(text, &parsed);
    let Ok(url) = parsed else { return };
    let written = url.as_str();
    assert_ne!(url.scheme(), Scheme::File, "there are no file roots");
    assert_eq!(SourceUrl::parse(written, &lenient).as_ref(), Ok(&url), "{text:?} is kept as {written:?}");
    assert_eq!(url.to_string(), written);
    assert_eq!(url.recheck(&lenient), Ok(()));

    let (host, port) = url.host_port().expect("all but local paths have a host");
    assert!(port > 0 && !host.is_empty() && host.is_ascii() && host == host.to_ascii_lowercase(), "{host:?}");
    assert!(!host.contains(['/', '@', '?', '#', '%', ' ']), "{host:?}");
    let user = user(&url);
    // A program may be given a path without the slash that separates it from the host.
    for part in [written, &host, url.path(), url.path().trim_start_matches('/'), &user] {
        for form in [part.to_owned(), decoded(part)] {
            assert!(!form.starts_with('-'), "{text:?}: {form:?} could be an option");
            assert!(!form.chars().any(char::is_control), "{text:?}: {form:?} has control characters");
        }
    }
    assert!(!user.contains(':'), "{text:?} keeps a password");
    assert!(matches!(url.scheme(), Scheme::Ssh) || user.is_empty(), "{text:?} keeps a user");
    key(text, &url, &lenient);
}

/// Without the switch nothing unencrypted passes, and all else as with it.
fn strictly(text: &str, parsed: &Result<SourceUrl, InvalidUrl>) {
    let strict = SourceUrl::parse(text, &UrlPolicy::default());
    match &strict {
        Ok(url) => assert!(matches!(url.scheme(), Scheme::Https | Scheme::Ssh), "{text:?} is not encrypted"),
        Err(InvalidUrl::Insecure(_)) => return,
        Err(error) => assert!(error.to_string().len() < 3000, "a message that nobody reads"),
    }
    assert_eq!(strict.as_ref(), parsed.as_ref(), "{text:?}");
}

/// All ways to write one repository have one key.
fn key(text: &str, url: &SourceUrl, policy: &UrlPolicy) {
    let key = url.key();
    let (host, _) = url.host_port().expect("all but local paths have a host");
    let one_of_many = host.ends_with("dev.azure.com") || host.ends_with(".visualstudio.com");
    let is_hosts = key.starts_with(&host) || (one_of_many && key.starts_with("dev.azure.com/"));
    let is_fips = key.starts_with(&host.replacen("git-codecommit-fips.", "git-codecommit.", 1));
    assert!(is_hosts || is_fips, "{text:?}: the key {key:?} is not the host's");
    assert!(!key.ends_with('/') && !key.chars().any(char::is_control), "{text:?}: {key:?}");
    if let Ok(slash) = SourceUrl::parse(&format!("{url}/"), policy) {
        assert_eq!(slash.key(), key, "{text:?} with a slash");
    }
    if !key.to_ascii_lowercase().ends_with(".git")
        && !decoded(url.path()).ends_with('/')
        && let Ok(git) = SourceUrl::parse(&format!("{url}.git"), policy)
    {
        let had_it = decoded(url.path()).trim_end_matches('/').to_ascii_lowercase().ends_with(".git");
        assert!(git.key() == key || had_it, "{text:?} with .git: {key:?}");
    }
}

/// What stands before the host.
fn user(url: &SourceUrl) -> String {
    let rest = url.as_str().split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let authority = match url.as_str().contains("://") {
        true => rest.split('/').next().unwrap_or_default(),
        false => rest.split(':').next().unwrap_or_default(),
    };
    authority.rsplit_once('@').map_or_else(String::new, |(user, _)| user.to_owned())
}

/// Percent-encoding undone the way any reader on the other side would.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).filter(|hex| *byte == b'%' && hex.iter().all(u8::is_ascii_hexdigit));
        let value = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        out.push(value.unwrap_or(*byte));
        at += if value.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}
