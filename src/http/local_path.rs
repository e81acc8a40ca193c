//! Where somebody goes on after signing in: a place of ours, whatever the request says.

use url::Url;

/// Longest address that is carried along.
const LONGEST: usize = 2000;
/// Leading back there would go round in circles.
const NEVER: [&str; 4] = ["/login", "/logout", "/auth", "/setup"];

/// A path of ours with its query, safe in a `Location`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalPath(String);

impl LocalPath {
    /// The start page.
    #[must_use]
    pub fn home() -> Self {
        Self("/".to_owned())
    }

    /// Reads what a request says; none if it leads elsewhere, or would lead back to the sign-in.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = text.len() <= LONGEST && text.bytes().all(|byte| (0x21..0x7f).contains(&byte));
        if !text.starts_with('/') || !is_plain || text.contains('\\') {
            return None;
        }
        // Read as a browser does, against an address that nobody has.
        let base = Url::parse("http://here.invalid/").ok()?;
        let read = base.join(text).ok().filter(|read| read.origin() == base.origin())?;
        let path = read.path();
        // What a browser takes for an address on another host.
        if path.starts_with("//") || NEVER.iter().any(|first| is_below(path, first)) {
            return None;
        }
        Some(Self(match read.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        }))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as the value of a parameter.
    #[must_use]
    pub fn encoded(&self) -> String {
        url::form_urlencoded::byte_serialize(self.0.as_bytes()).collect()
    }
}

fn is_below(path: &str, first: &str) -> bool {
    path.strip_prefix(first).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::LocalPath;

    #[test]
    fn places_of_ours_are_kept() {
        for path in ["/", "/orgs/acme/packages?q=a%20b&page=2", "/profile", "/loginx", "/a//b", "/x?u=//evil.example"] {
            assert_eq!(LocalPath::parse(path).map(|path| path.0).as_deref(), Some(path));
        }
        assert_eq!(LocalPath::parse("/a/../b#c").map(|path| path.0).as_deref(), Some("/b"));
        let path = LocalPath::parse("/a?b=c&d").map(|path| path.encoded());
        assert_eq!(path.as_deref(), Some("%2Fa%3Fb%3Dc%26d"));
    }

    #[test]
    fn nothing_leads_elsewhere() {
        let long = format!("/{}", "x".repeat(2000));
        for elsewhere in [
            "",
            "x",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\r\nSet-Cookie:x=y",
            "/.//evil.example",
            "/a/..//evil.example",
            "/%2e//evil.example",
            "/ü",
            "/login?next=/",
            "/logout",
            "/auth/ghe",
            "/x/../login",
            &long,
        ] {
            assert_eq!(LocalPath::parse(elsewhere), None, "{elsewhere}");
        }
    }
}
