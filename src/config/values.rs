//! What single values mean: texts into durations, addresses, networks. Each function answers with the value, or with the end of
//! a sentence that begins with the key: "`listen` …".

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use crate::config::suggestion::shown;

/// The outcome of reading one value; the error completes "`key` …".
pub type Read<T> = Result<T, String>;

/// The address under which others reach the server: `scheme://host[:port]`, without a slash at the end.
///
/// There is no path in it: the addresses of the contract, section 3, start at the root, and Composer's `auth.json` and the
/// browser's cookies know hosts, not paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    is_https: bool,
}

impl PublicUrl {
    /// What a server without `public_url` is called.
    #[must_use]
    pub fn of_listener(listen: SocketAddr, is_https: bool) -> Self {
        let scheme = if is_https { "https" } else { "http" };
        Self { origin: format!("{scheme}://{listen}"), is_https }
    }

    /// The address, without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.origin
    }

    /// Whether browsers come by HTTPS, so that cookies are `Secure`.
    #[must_use]
    pub const fn is_https(&self) -> bool {
        self.is_https
    }

    /// The host with its port, as a `Host` header has it.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.origin.split_once("://").map_or("", |(_, authority)| authority)
    }

    /// The full address of a path that begins with `/`.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

/// `public_url`.
pub fn public_url(text: &str) -> Read<PublicUrl> {
    let url = http_url(text)?;
    if url.path() != "/" {
        return Err(format!(
            "must not have a path, and `{}` has `{}`: give the server a host name of its own",
            shown(text),
            shown(url.path())
        ));
    }
    Ok(PublicUrl { origin: url.origin().ascii_serialization(), is_https: url.scheme() == "https" })
}

/// An `http` or `https` address without user, query and fragment.
pub fn http_url(text: &str) -> Read<Url> {
    let url = any_http_url(text)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not have a user name or password in the address".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("must not have anything behind `?` or `#`, and is `{}`", shown(text)));
    }
    Ok(url)
}

fn any_http_url(text: &str) -> Read<Url> {
    // The text may hold a password: it is not repeated here.
    let url = Url::parse(text.trim())
        .map_err(|error| format!("is not an address ({error}): write it like `https://host.example.com`"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("must begin with `https://` or `http://`".to_owned());
    }
    Ok(url)
}

/// The address of an HTTP proxy, which may hold a password: its `Debug` shows host and port only.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(Url);

impl ProxyUrl {
    /// The whole address, with the password if there is one.
    #[must_use]
    pub fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{:?}", self.0.scheme(), self.0.host_str().unwrap_or(""), self.0.port_or_known_default())
    }
}

/// `proxy`: scheme, host and port, and a user if the proxy asks for one.
pub fn proxy(text: &str) -> Read<ProxyUrl> {
    let url = any_http_url(text)?;
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("must be an address like `http://proxy.example.com:3128`, without a path".to_owned());
    }
    Ok(ProxyUrl(url))
}

/// `listen`: an IP address and a port.
pub fn listen(text: &str) -> Read<SocketAddr> {
    let text = text.trim();
    let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    numeric.as_deref().unwrap_or(text).parse().map_err(|_| {
        let typed = shown(text);
        format!("must be an IP address and a port, like `127.0.0.1:8080` or `[::]:8080`, and is `{typed}`")
    })
}

/// A network: CIDR, or one address.
pub fn network(text: &str) -> Read<IpNet> {
    let text = text.trim();
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address
        .or_else(|_| text.parse::<IpNet>())
        .map_err(|_| format!("must hold networks like `10.0.0.0/8` or addresses, and `{}` is neither", shown(text)))
}

/// A host name, `*.suffix`, `*`, address or CIDR, in lower case: what `no_proxy`, `allow` and `deny` hold.
pub fn host_rule(text: &str) -> Read<String> {
    let rule = text.trim().to_ascii_lowercase();
    let name = rule.strip_prefix("*.").or_else(|| rule.strip_prefix('.')).unwrap_or(&rule);
    let is_address = rule.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    if rule == "*" || is_address || rule.parse::<IpNet>().is_ok() || is_host_name(name) {
        Ok(rule)
    } else {
        let typed = shown(text);
        Err(format!("must hold host names, `*.suffixes`, addresses or CIDRs, and `{typed}` is none of them"))
    }
}

fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// A length of time: numbers with `s`, `m`, `h`, `d` or `w`, as in `30s`, `12h`, `1h30m`.
pub fn duration(text: &str) -> Read<Duration> {
    let text = text.trim();
    let wrong = || {
        let typed = shown(text);
        format!("must be a time like \"30s\", \"15m\", \"12h\" or \"7d\", and is \"{typed}\"")
    };
    let mut seconds: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest.get(..digits).and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
        let mut tail = rest.get(digits..).unwrap_or("").chars();
        let unit = unit_seconds(tail.next().ok_or_else(wrong)?).ok_or_else(wrong)?;
        seconds = number.checked_mul(unit).and_then(|part| seconds.checked_add(part)).ok_or_else(wrong)?;
        rest = tail.as_str();
    }
    if text.is_empty() { Err(wrong()) } else { Ok(Duration::from_secs(seconds)) }
}

const fn unit_seconds(unit: char) -> Option<u64> {
    match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3600),
        'd' => Some(86_400),
        'w' => Some(604_800),
        _ => None,
    }
}

/// A duration within bounds, both included; `bounds` says them to the user.
pub fn duration_within(text: &str, least: Duration, most: Duration, bounds: &str) -> Read<Duration> {
    let length = duration(text)?;
    if length < least || length > most {
        return Err(format!("must be {bounds}, and is \"{}\"", text.trim()));
    }
    Ok(length)
}

/// A duration of at least a minute and at most ten years, or `never`, which is `None`.
pub fn duration_or_never(text: &str) -> Read<Option<Duration>> {
    if text.trim() == "never" {
        return Ok(None);
    }
    let read = duration_within(text, Duration::from_secs(60), TEN_YEARS, "at least a minute and at most ten years");
    read.map(Some).map_err(|message| format!("{message} (or \"never\")"))
}

/// The longest time that any key takes.
pub const TEN_YEARS: Duration = Duration::from_secs(3650 * 86_400);

/// A size in bytes within bounds, both included; `bounds` says them to the user.
pub fn size_within(text: &str, least: u64, most: u64, bounds: &str) -> Read<u64> {
    const UNITS: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
    let text = text.trim();
    let typed = shown(text);
    let of_unit = |(name, unit): (&str, u64)| {
        let number: u64 = text.strip_suffix(name)?.trim_end().parse().ok()?;
        number.checked_mul(unit)
    };
    let size = UNITS.into_iter().find_map(of_unit);
    let size = size.ok_or_else(|| format!("must be a size like \"512MiB\" or \"4GiB\", and is \"{typed}\""))?;
    if (least..=most).contains(&size) { Ok(size) } else { Err(format!("must be {bounds}, and is \"{typed}\"")) }
}

/// A name of the contract: `[a-z0-9][a-z0-9._-]{0,62}`, and none of the reserved words.
pub fn id(text: &str) -> Read<String> {
    const RESERVED: [&str; 6] = ["token", "admin", "app", "api", "new", "me"];
    let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if !begins || text.len() > 63 || !text.bytes().all(is_plain) {
        let typed = shown(text);
        return Err(format!(
            "must be 1 to 63 of `a-z`, `0-9`, `.`, `_`, `-`, beginning with a letter or digit, and is `{typed}`"
        ));
    }
    if RESERVED.contains(&text) {
        return Err(format!("must not be `{text}`, which is a reserved word"));
    }
    Ok(text.to_owned())
}

/// Any text with something in it, without white space around it.
pub fn text(text: &str) -> Read<String> {
    let text = text.trim();
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("must be a text on one line, and not empty".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{
        PublicUrl, duration, duration_or_never, host_rule, id, listen, network, proxy, public_url, size_within,
    };
    use proptest::prelude::proptest;
    use std::time::Duration;

    #[test]
    fn sizes_have_units() {
        let size = |text| size_within(text, 1 << 20, 1 << 40, "between 1MiB and 1TiB");
        assert_eq!(size("512MiB"), Ok(512 << 20));
        assert_eq!(size(" 4 GiB "), Ok(4 << 30));
        for wrong in ["", "4", "4GB", "-1GiB", "1.5GiB", "99999999999999999999GiB", "17179869184GiB"] {
            assert!(size(wrong).unwrap_err().starts_with("must be a size like"), "{wrong}");
        }
        for outside in ["1023KiB", "2TiB"] {
            assert!(size(outside).unwrap_err().starts_with("must be between"), "{outside}");
        }
    }

    #[test]
    fn durations_have_units() {
        for (text, seconds) in
            [("30s", 30), ("15m", 900), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600), ("1h30m", 5400)]
        {
            assert_eq!(duration(text).unwrap(), Duration::from_secs(seconds), "{text}");
        }
        for text in ["", "30", "s", "-1s", "1.5h", "30 s", "5y", "99999999999999999999s", "9999999999999999999w", "１s"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(
            duration("30").unwrap_err(),
            "must be a time like \"30s\", \"15m\", \"12h\" or \"7d\", and is \"30\""
        );
        assert_eq!(duration_or_never("never").unwrap(), None);
        assert!(duration_or_never("1s").unwrap_err().ends_with("(or \"never\")"));
    }

    #[test]
    fn public_urls_are_origins() {
        let url = public_url("https://Packagist.Example.com:443/").unwrap();
        assert_eq!(
            (url.as_str(), url.is_https(), url.authority()),
            ("https://packagist.example.com", true, "packagist.example.com")
        );
        assert_eq!(public_url("http://[::1]:8080").unwrap().join("/setup"), "http://[::1]:8080/setup");
        for text in [
            "packagist.example.com",
            "ftp://a.example.com",
            "https://a/b",
            "https://u:p@a",
            "https://a?x",
            "https://a#x",
            "https://",
        ] {
            assert!(public_url(text).is_err(), "{text}");
        }
        assert_eq!(PublicUrl::of_listener("[::1]:80".parse().unwrap(), false).as_str(), "http://[::1]:80");
    }

    #[test]
    fn addresses_and_networks() {
        assert_eq!(listen("localhost:80").unwrap().to_string(), "127.0.0.1:80");
        for text in ["8080", ":8080", "example.com:80", "127.0.0.1", "127.0.0.1:99999"] {
            assert!(listen(text).is_err(), "{text}");
        }
        assert_eq!(network("10.0.0.1").unwrap().to_string(), "10.0.0.1/32");
        assert_eq!(network("fd00::/8").unwrap().to_string(), "fd00::/8");
        assert!(network("10.0.0.0/33").is_err() && network("example.com").is_err());
        for text in ["*", "*.corp.Example.com", ".example.com", "git.example.com", "10.0.0.0/8", "::1", "[::1]"] {
            assert_eq!(host_rule(text).unwrap(), text.to_ascii_lowercase());
        }
        for text in ["", "http://a", "a b", "*.*.com", "10.0.0.0/33", "a..b"] {
            assert!(host_rule(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_proxy_s_password_is_not_shown() {
        let url = proxy("http://user:hunter2@proxy.example.com:3128").unwrap();
        assert_eq!(format!("{url:?}"), "http://proxy.example.com:Some(3128)");
        assert_eq!(url.expose().password(), Some("hunter2"));
        assert!(!proxy("http://user:hunter2@proxy.example.com/x").unwrap_err().contains("hunter2"));
        assert!(!proxy("socks5://user:hunter2@proxy.example.com").unwrap_err().contains("hunter2"));
    }

    #[test]
    fn ids_are_names_of_the_contract() {
        assert!(["ghe", "9", "a.b_c-d"].into_iter().all(|text| id(text).is_ok()));
        let long = "a".repeat(64);
        assert!(["", "-a", "GHE", "a b", "app", "ä", &long].into_iter().all(|text| id(text).is_err()));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".{0,40}") {
            drop((duration(&text), public_url(&text), listen(&text), network(&text), host_rule(&text), id(&text)));
        }
    }
}
