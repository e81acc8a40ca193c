//! The parts of an address, each with its own rules.

use super::{InvalidUrl, MAX_LENGTH};

pub(super) fn check_characters(text: &str) -> Result<(), InvalidUrl> {
    if text.is_empty() {
        return Err(InvalidUrl::Empty);
    }
    if text.len() > MAX_LENGTH {
        return Err(InvalidUrl::TooLong);
    }
    if text.starts_with('-') {
        return Err(InvalidUrl::Option("beginning"));
    }
    if text.chars().any(|c| c.is_control()) {
        return Err(InvalidUrl::Characters("a control character"));
    }
    if text.trim() != text {
        return Err(InvalidUrl::Characters("white space at its beginning or end"));
    }
    if text.contains('\\') {
        return Err(InvalidUrl::Characters("a backslash"));
    }
    Ok(())
}

pub(super) fn check_host(host: &str) -> Result<(), InvalidUrl> {
    if host.starts_with('-') {
        return Err(InvalidUrl::Option("host"));
    }
    if let Some(v6) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return v6.parse::<std::net::Ipv6Addr>().map(drop).map_err(|_| InvalidUrl::Host);
    }
    let plain =
        !host.is_empty() && host.len() <= 253 && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if plain { Ok(()) } else { Err(InvalidUrl::Host) }
}

pub(super) fn check_user(user: &str) -> Result<(), InvalidUrl> {
    if user.contains(':') {
        return Err(InvalidUrl::Secret);
    }
    let decoded = percent_decoded(user)?;
    if decoded.starts_with('-') {
        return Err(InvalidUrl::Option("user name"));
    }
    // What stands behind a percent sign is looked at too: the ssh program gets it.
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~+%@-".contains(&b));
    if !user.is_empty() && plain(user) && plain(&decoded) { Ok(()) } else { Err(InvalidUrl::User) }
}

pub(super) fn check_path(path: &str) -> Result<(), InvalidUrl> {
    if path.trim_matches('/').is_empty() {
        return Err(InvalidUrl::Path);
    }
    check_decoded(path)
}

/// What a percent-encoded path says must pass the same rules as what is written plainly.
pub(super) fn check_decoded(path: &str) -> Result<(), InvalidUrl> {
    let decoded = percent_decoded(path)?;
    if decoded.trim_start_matches('/').starts_with('-') {
        return Err(InvalidUrl::Option("path"));
    }
    Ok(())
}

pub(super) fn split_port(host_port: &str) -> Result<(&str, Option<u16>), InvalidUrl> {
    let (host, port) = match host_port.rfind(']') {
        None if host_port.starts_with('[') => return Err(InvalidUrl::Host),
        Some(end) => host_port.split_at(end + 1),
        None => host_port.split_at(host_port.find(':').unwrap_or(host_port.len())),
    };
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok((host, None)),
        None => Err(InvalidUrl::Host),
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => match digits.parse::<u16>() {
            Ok(port) if port > 0 => Ok((host, Some(port))),
            _ => Err(InvalidUrl::Port),
        },
        Some(_) => Err(InvalidUrl::Port),
    }
}

/// Undoes percent-encoding; control characters that come out of it are refused (CVE-2021-40330's class).
pub(in crate::vcs) fn percent_decoded(text: &str) -> Result<String, InvalidUrl> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = (byte == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        // `from_str_radix` would take `+f` for a number.
        let hex = hex.filter(|hex| hex.iter().all(u8::is_ascii_hexdigit)).and_then(|hex| std::str::from_utf8(hex).ok());
        let decoded = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(decoded.unwrap_or(byte));
        at += if decoded.is_some() { 3 } else { 1 };
    }
    if out.iter().any(|byte| *byte < 0x20 || *byte == 0x7f) {
        return Err(InvalidUrl::Characters("a control character"));
    }
    String::from_utf8(out).map_err(|_| InvalidUrl::Characters("bytes that are not UTF-8"))
}

/// Access tokens that their platforms accept as a user name: they are secrets although no password stands beside them.
pub(super) fn looks_like_token(user: &str) -> bool {
    ["ghp_", "gho_", "ghs_", "ghu_", "github_pat_", "glpat-", "gldt-", "ATAT", "ATCT", "ATBB", "BBDC-"]
        .iter()
        .any(|prefix| user.starts_with(prefix))
}

/// A scheme or helper fit for a message: what else stands before a colon could be a secret.
pub(super) fn word(text: &str) -> &str {
    let plain = text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if plain { text } else { "…" }
}

/// Whether what stands before a colon is a scheme whose slashes were forgotten, and not a host.
pub(super) fn is_scheme(text: &str) -> bool {
    ["http", "https", "ssh", "git", "file", "svn", "ftp"].contains(&text.to_ascii_lowercase().as_str())
}

/// Whether a text that has no other form is meant as a path of this machine.
pub(super) fn is_local(text: &str) -> bool {
    let drive = text.as_bytes().get(1) == Some(&b':');
    drive || text == "." || text == ".." || ["./", "../", "~"].iter().any(|start| text.starts_with(start))
}
