//! Package and vendor names: the keys of everything that a repository serves.
//!
//! A name becomes part of addresses, file names and access rules, so nothing below this module ever handles
//! one that was not checked here. The rules are Composer's (`ValidatingArrayLoader::hasPackageNamingError`
//! and `PlatformRepository::PLATFORM_PACKAGE_REGEX`), plus a bound on the length.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// Longest accepted package or vendor name, in bytes. Composer has no bound; packagist.org stores 191 characters.
pub const MAX_NAME_BYTES: usize = 255;

/// Names that are devices on Windows, where Composer could not create their directory.
const RESERVED: [&str; 22] = [
    "nul", "con", "prn", "aux", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt1", "lpt2",
    "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// Why a text is not the name of a package or vendor. The messages are for the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidPackageName {
    /// Longer than [`MAX_NAME_BYTES`].
    #[error("the name is {0} bytes long; at most {MAX_NAME_BYTES} are allowed")]
    TooLong(usize),
    /// Not of the form `vendor/name`, or with characters or separators that Composer does not accept.
    #[error(
        "{0:?} is not a package name: write vendor/name, each made of lower-case letters and digits, \
         joined by single \".\", \"_\" or \"-\" (\"--\" is allowed after the slash)"
    )]
    Malformed(String),
    /// A vendor that is not words of letters and digits.
    #[error(
        "{0:?} is not a vendor: use lower-case letters and digits, joined by single \".\", \"_\" or \"-\", without a slash"
    )]
    MalformedVendor(String),
    /// Right but for upper-case letters.
    #[error("{given:?} contains upper-case letters: write {suggestion:?}")]
    UpperCase {
        /// What was given.
        given: String,
        /// The same name in lower case.
        suggestion: String,
    },
    /// A part of the name is a device name on Windows.
    #[error("{name:?} cannot be used: {part:?} is reserved by Windows, so Composer refuses it")]
    Reserved {
        /// The whole name.
        name: String,
        /// The part that is reserved.
        part: String,
    },
    /// The name would be confused with a metadata file.
    #[error("{0:?} ends in \".json\", which Composer refuses: use a \"-json\" suffix instead")]
    JsonSuffix(String),
}

/// The name of a package, `vendor/name`, in lower case and accepted by Composer. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName(Arc<str>);

impl PackageName {
    /// Checks a name by the rules of `ValidatingArrayLoader::hasPackageNamingError`; upper case is an error.
    ///
    /// # Errors
    /// Says which rule the name breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidPackageName> {
        check_length(text)?;
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            let suggestion = Self::parse(&text.to_ascii_lowercase())?.0.to_string();
            return Err(InvalidPackageName::UpperCase { given: text.to_owned(), suggestion });
        }
        let malformed = || InvalidPackageName::Malformed(text.to_owned());
        let (vendor, project) = text.split_once('/').ok_or_else(malformed)?;
        if !is_words(vendor, 1) || !is_words(project, 2) {
            return Err(malformed());
        }
        for part in [vendor, project] {
            check_reserved(text, part)?;
        }
        if text.ends_with(".json") {
            return Err(InvalidPackageName::JsonSuffix(text.to_owned()));
        }
        Ok(Self(Arc::from(text)))
    }

    /// The same for names from places where Composer ignores case: requests, old manifests, link targets.
    ///
    /// # Errors
    /// Says which rule the name breaks, upper case excepted.
    pub fn parse_lenient(text: &str) -> Result<Self, InvalidPackageName> {
        check_length(text)?;
        Self::parse(&text.to_ascii_lowercase())
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the slash.
    #[must_use]
    pub fn vendor(&self) -> &str {
        self.halves().0
    }

    /// The part after the slash.
    #[must_use]
    pub fn project(&self) -> &str {
        self.halves().1
    }

    fn halves(&self) -> (&str, &str) {
        self.0.split_once('/').expect("the constructor saw the slash")
    }
}

/// The part of package names before the slash, which an organization owns. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vendor(Arc<str>);

impl Vendor {
    /// Checks a vendor by the rules for the first half of a package name; upper case is an error.
    ///
    /// # Errors
    /// Says which rule the vendor breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidPackageName> {
        check_length(text)?;
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            let suggestion = Self::parse(&text.to_ascii_lowercase())?.0.to_string();
            return Err(InvalidPackageName::UpperCase { given: text.to_owned(), suggestion });
        }
        if !is_words(text, 1) {
            return Err(InvalidPackageName::MalformedVendor(text.to_owned()));
        }
        check_reserved(text, text)?;
        Ok(Self(Arc::from(text)))
    }

    /// The vendor of a package.
    #[must_use]
    pub fn of(name: &PackageName) -> Self {
        Self(Arc::from(name.vendor()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a package is this vendor's.
    #[must_use]
    pub fn owns(&self, name: &PackageName) -> bool {
        name.vendor() == self.as_str()
    }
}

macro_rules! text_traits {
    ($($type:ty),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        // Sound for maps: hash, order and equality are those of the text.
        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )*};
}

text_traits!(PackageName, Vendor);

/// Whether a link target names the platform (PHP, an extension, a library, Composer itself) and not a package:
/// such names are good in `require`, and can never be hosted. `PlatformRepository::isPlatformPackage`.
#[must_use]
pub fn is_platform(name: &str) -> bool {
    if name.len() > MAX_NAME_BYTES {
        return false;
    }
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "php" | "php-64bit" | "php-ipv6" | "php-zts" | "php-debug" | "hhvm" => true,
        "composer" | "composer-plugin-api" | "composer-runtime-api" => true,
        other => {
            other.strip_prefix("ext-").or_else(|| other.strip_prefix("lib-")).is_some_and(|rest| is_words(rest, 1))
        }
    }
}

fn check_length(text: &str) -> Result<(), InvalidPackageName> {
    if text.len() > MAX_NAME_BYTES { Err(InvalidPackageName::TooLong(text.len())) } else { Ok(()) }
}

fn check_reserved(name: &str, part: &str) -> Result<(), InvalidPackageName> {
    if RESERVED.contains(&part) {
        return Err(InvalidPackageName::Reserved { name: name.to_owned(), part: part.to_owned() });
    }
    Ok(())
}

/// Words of `[a-z0-9]` joined by one `.`, `_` or `-`, or by up to `dashes` of `-`.
fn is_words(text: &str, dashes: usize) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    if !bytes.first().copied().is_some_and(is_word) || !bytes.last().copied().is_some_and(is_word) {
        return false;
    }
    bytes.split(|byte| is_word(*byte)).all(|gap| match gap {
        [] | [b'.' | b'_' | b'-'] => true,
        gap => gap.len() <= dashes && gap.iter().all(|byte| *byte == b'-'),
    })
}

#[cfg(test)]
mod tests {
    use super::{InvalidPackageName, MAX_NAME_BYTES, PackageName, Vendor, is_platform};

    #[test]
    fn names_that_composer_accepts() {
        for name in
            ["a/b", "1/2", "acme/lib--x", "a_b.c-d/e", "acme/lib.jsonx", "acme/lib-json", "a/nul-x", "a-b/c_d.e-f--g"]
        {
            let parsed = PackageName::parse(name).expect(name);
            assert_eq!(parsed.as_str(), name);
            assert_eq!(format!("{}/{}", parsed.vendor(), parsed.project()), name);
        }
    }

    #[test]
    fn names_that_composer_refuses() {
        let bad = [
            "acme/lib---x",
            "acme--x/lib",
            "acme/lib__x",
            "acme/lib..x",
            "acme/-lib",
            "acme/lib-",
            "acme",
            "a/b/c",
            "acme/lib+x",
            "acme/lib\u{e9}",
            "",
            "/",
            "a/",
            "/b",
            "a/b\n",
            " a/b",
            "acme/lib._x",
            "acme/lib-_x",
            "a.-b/c",
            "none/../x",
            "a/..",
            "a\\b/c",
            "a/b\0",
        ];
        for name in bad {
            assert!(matches!(PackageName::parse(name), Err(InvalidPackageName::Malformed(_))), "{name:?}");
        }
        for name in ["con/x", "x/aux", "lpt9/x", "x/com1"] {
            assert!(matches!(PackageName::parse(name), Err(InvalidPackageName::Reserved { .. })), "{name:?}");
        }
        assert_eq!(PackageName::parse("acme/lib.json"), Err(InvalidPackageName::JsonSuffix("acme/lib.json".into())));
        let long = format!("a/{}", "b".repeat(MAX_NAME_BYTES));
        assert_eq!(PackageName::parse(&long), Err(InvalidPackageName::TooLong(long.len())));
    }

    #[test]
    fn upper_case_is_refused_or_lowered() {
        assert_eq!(
            PackageName::parse("Acme/Lib"),
            Err(InvalidPackageName::UpperCase { given: "Acme/Lib".into(), suggestion: "acme/lib".into() })
        );
        assert_eq!(PackageName::parse_lenient("Acme/Lib").expect("lenient").as_str(), "acme/lib");
        // What is wrong in lower case too is said at once, instead of a suggestion that would be refused.
        assert!(matches!(PackageName::parse("CON/x"), Err(InvalidPackageName::Reserved { .. })));
        assert!(matches!(PackageName::parse_lenient("Acme"), Err(InvalidPackageName::Malformed(_))));
        assert!(matches!(PackageName::parse_lenient("acme/\u{212a}"), Err(InvalidPackageName::Malformed(_))));
    }

    #[test]
    fn vendors() {
        let name = PackageName::parse("acme/lib").expect("name");
        assert!(Vendor::parse("acme").expect("vendor").owns(&name));
        assert_eq!(Vendor::of(&name), Vendor::parse("acme").expect("vendor"));
        for bad in ["acme/lib", "acme--x", "-acme", "", "a b", "*"] {
            assert!(matches!(Vendor::parse(bad), Err(InvalidPackageName::MalformedVendor(_))), "{bad:?}");
        }
        assert!(matches!(Vendor::parse("con"), Err(InvalidPackageName::Reserved { .. })));
        assert!(matches!(Vendor::parse("Acme"), Err(InvalidPackageName::UpperCase { .. })));
    }

    #[test]
    fn platform_names() {
        for name in [
            "php",
            "PHP",
            "php-64bit",
            "hhvm",
            "ext-json",
            "ext-zend-opcache",
            "lib-icu",
            "composer",
            "composer-plugin-api",
            "composer-runtime-api",
        ] {
            assert!(is_platform(name), "{name}");
        }
        for name in ["php-foo", "ext-", "ext", "lib-a--b", "composer-api", "ext-a/b", "acme/lib", "", "php\n"] {
            assert!(!is_platform(name), "{name}");
        }
    }
}
