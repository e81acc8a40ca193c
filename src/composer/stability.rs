//! How stable a version is: what decides between a package's two metadata files, and what `minimum-stability` filters.

use std::fmt;

use super::version::modifier::{last_line, modifier_at};

/// Composer's stabilities, from the most stable to the least (`BasePackage::STABILITIES`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stability {
    /// A release, or a patch of one.
    Stable,
    /// A release candidate.
    Rc,
    /// A beta version.
    Beta,
    /// An alpha version.
    Alpha,
    /// A branch, or anything that ends in `-dev`.
    Dev,
}

impl Stability {
    /// Reads a stability's name, in any case (`VersionParser::normalizeStability`); `None` for other words.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Stable, Self::Rc, Self::Beta, Self::Alpha, Self::Dev];
        all.into_iter().find(|stability| stability.as_str().eq_ignore_ascii_case(text))
    }

    /// The name as Composer writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Rc => "RC",
            Self::Beta => "beta",
            Self::Alpha => "alpha",
            Self::Dev => "dev",
        }
    }
}

impl fmt::Display for Stability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The stability of a version, normalized or not (`VersionParser::parseStability`). Text that is no version at all
/// counts as stable, as in Composer.
#[must_use]
pub fn of_version(version: &str) -> Stability {
    let version = without_reference(version);
    if version.starts_with("dev-") || version.ends_with("-dev") {
        return Stability::Dev;
    }
    let line = last_line(&version);
    // Composer searches the leftmost place from which a modifier, and then perhaps "+build", reaches the end.
    let modifier = line.char_indices().map(|(at, _)| modifier_at(&line[at..])).find_map(|(modifier, rest)| {
        let reaches_end = rest.is_empty() || rest.starts_with('+');
        reaches_end.then_some(modifier)
    });
    match modifier {
        Some(found) if found.dev => Stability::Dev,
        Some(found) => of_word(found.name),
        None => Stability::Stable,
    }
}

fn of_word(word: &str) -> Stability {
    match word.to_ascii_lowercase().as_str() {
        "beta" | "b" => Stability::Beta,
        "alpha" | "a" => Stability::Alpha,
        "rc" => Stability::Rc,
        _ => Stability::Stable,
    }
}

/// Removes `#reference`, which must not be empty and must stand on the last line.
fn without_reference(version: &str) -> std::borrow::Cow<'_, str> {
    let line = last_line(version);
    let Some(at) = line.find('#').filter(|at| at + 1 < line.len()) else {
        return version.into();
    };
    let body = version.strip_suffix('\n').unwrap_or(version);
    let kept = &body[..body.len() - (line.len() - at)];
    format!("{kept}{}", &version[body.len()..]).into()
}

#[cfg(test)]
mod tests {
    use super::{Stability, of_version};

    #[test]
    fn of_versions() {
        let table = [
            ("1.0.0", Stability::Stable),
            ("1.2.3-patch1", Stability::Stable),
            ("1.2.3-p1", Stability::Stable),
            ("garbage", Stability::Stable),
            ("", Stability::Stable),
            ("1.0.0-stable", Stability::Stable),
            ("1.0.0-RC1", Stability::Rc),
            ("1.0.0rc.2", Stability::Rc),
            ("1.0-b", Stability::Beta),
            ("1.2.3.0-beta1", Stability::Beta),
            ("1.0-beta.1+exp.sha", Stability::Beta),
            ("1.0a", Stability::Alpha),
            ("1.0-ALPHA2", Stability::Alpha),
            ("dev-main", Stability::Dev),
            ("1.0.x-dev", Stability::Dev),
            ("1.2.3-beta1-dev", Stability::Dev),
            ("1.2.3.dev", Stability::Dev),
            ("1.0.x-dev#abc", Stability::Dev),
            ("1.0.0#dev-x", Stability::Stable),
            ("1.2.3-dev+b", Stability::Dev),
            ("9999999-dev", Stability::Dev),
        ];
        for (version, expected) in table {
            assert_eq!(of_version(version), expected, "{version}");
        }
    }

    #[test]
    fn names_and_order() {
        assert_eq!(Stability::parse("rc"), Some(Stability::Rc));
        assert_eq!(Stability::parse("DEV"), Some(Stability::Dev));
        assert_eq!(Stability::parse("unstable"), None);
        assert_eq!(Stability::Rc.to_string(), "RC");
        assert!(Stability::Stable < Stability::Rc && Stability::Alpha < Stability::Dev);
    }
}
