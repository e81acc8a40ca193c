//! What an address below `/repo/` asks for. Read by hand, because this stands on the path of every request of a Composer
//! client: no pattern matching, nothing copied.

use std::borrow::Cow;

use crate::http::routes::Name;

/// What is asked for within an organization. Texts are as they were sent: nothing is checked yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address<'a> {
    /// `packages.json`
    Root,
    /// `p2/{name}.json` and `p2/{name}~dev.json`
    Document {
        /// `vendor/name`, if it is one.
        name: &'a str,
        /// The file of branches.
        dev: bool,
    },
    /// `dists/{vendor}/{name}/{reference}.zip`
    Dist {
        /// `vendor/name`, if it is one.
        name: &'a str,
        /// What stands for the commit.
        reference: &'a str,
    },
    /// `list.json`
    List,
    /// `search.json`
    Search,
    /// `metadata/changes.json`
    Changes,
    /// `downloads`
    Downloads,
    /// Anything else.
    Unknown,
}

impl<'a> Address<'a> {
    /// Splits what follows `/repo/` into the organization and the rest.
    #[must_use]
    pub fn parse(path: &'a str) -> (&'a str, Self) {
        let (org, rest) = path.split_once('/').unwrap_or((path, ""));
        (org, Self::within(rest))
    }

    fn within(rest: &'a str) -> Self {
        if let Some(file) = rest.strip_prefix("p2/") {
            return file.strip_suffix(".json").map_or(Self::Unknown, |name| match name.strip_suffix("~dev") {
                Some(name) => Self::Document { name, dev: true },
                None => Self::Document { name, dev: false },
            });
        }
        if let Some(file) = rest.strip_prefix("dists/") {
            let parts = file.strip_suffix(".zip").and_then(|file| file.rsplit_once('/'));
            return parts.map_or(Self::Unknown, |(name, reference)| Self::Dist { name, reference });
        }
        match rest {
            "packages.json" => Self::Root,
            "list.json" => Self::List,
            "search.json" => Self::Search,
            "metadata/changes.json" => Self::Changes,
            // Composer's own documentation writes it with a slash.
            "downloads" | "downloads/" => Self::Downloads,
            _ => Self::Unknown,
        }
    }

    /// The entry in the list of routes.
    #[must_use]
    pub fn name(self) -> Name {
        match self {
            Self::Root => Name::Root,
            Self::Document { dev: false, .. } => Name::Document,
            Self::Document { dev: true, .. } => Name::DevelopmentDocument,
            Self::Dist { .. } => Name::Dist,
            Self::List => Name::List,
            Self::Search => Name::Search,
            Self::Changes => Name::Changes,
            Self::Downloads => Name::Downloads,
            Self::Unknown => Name::NoRepository,
        }
    }
}

/// A path with its escapes read (some clients write `~` as `%7E`). What would change the structure of the path, or is
/// no ASCII, stays escaped, and then names nothing.
#[must_use]
pub fn decoded(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut text = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        let byte = rest.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte {
            Some(byte) if byte.is_ascii_graphic() && byte != b'/' && byte != b'%' => {
                text.push(char::from(byte));
                rest = &rest[at + 3..];
            }
            _ => {
                text.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    text.push_str(rest);
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::{Address, decoded};

    #[test]
    fn every_address_is_recognised() {
        let parse = |path| Address::parse(path).1;
        assert_eq!(Address::parse("acme/packages.json"), ("acme", Address::Root));
        assert_eq!(parse("o/p2/acme/lib.json"), Address::Document { name: "acme/lib", dev: false });
        assert_eq!(parse("o/p2/acme/lib~dev.json"), Address::Document { name: "acme/lib", dev: true });
        assert_eq!(parse("o/dists/acme/lib/00ff.zip"), Address::Dist { name: "acme/lib", reference: "00ff" });
        assert_eq!(parse("o/list.json"), Address::List);
        assert_eq!(parse("o/search.json"), Address::Search);
        assert_eq!(parse("o/metadata/changes.json"), Address::Changes);
        assert_eq!(parse("o/downloads"), Address::Downloads);
        for unknown in ["", "o", "o/", "o/p2/acme/lib", "o/dists/x.zip", "o/Packages.json", "o//packages.json"] {
            assert_eq!(parse(unknown), Address::Unknown, "{unknown}");
        }
    }

    #[test]
    fn escapes_are_read_where_they_are_harmless() {
        assert_eq!(decoded("a/b~dev"), "a/b~dev");
        assert_eq!(decoded("a/b%7Edev%2ejson"), "a/b~dev.json");
        assert_eq!(decoded("a%2Fb%00%C3%A4%25%"), "a%2Fb%00%C3%A4%25%");
        assert_eq!(decoded("%+1%zz%"), "%+1%zz%");
    }
}
