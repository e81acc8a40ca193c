//! Versions: from what a tag or branch is called to the string by which Composer compares and identifies them.
//!
//! Uniqueness and order of versions, and with them which bytes a client installs, hang on these rules being
//! exactly Composer's. They follow `Composer\Semver\VersionParser` 3.4 (Composer 2.6 and later) and are held to
//! it by `tests/versions_differential.rs`. PHP's patterns are written out as scanners: they run for every version of
//! every package, on text from strangers, and so must be quick and take linear time.

mod alias;
mod compare;
mod listing;
pub(in crate::composer) mod modifier;

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::{Arc, LazyLock};

use regex::Regex;
use thiserror::Error;

pub use self::alias::{DEFAULT_BRANCH_ALIAS, branch_alias, numeric_alias_prefix, own_branch_alias};
pub use self::compare::compare;
pub use self::listing::{ListingKey, compare_for_listing};
use self::modifier::{
    Modifier, digits, ends, is_space, modifier_at, strip_prefix_any_case, strip_suffix_any_case, trim,
};
use super::stability::{self, Stability};

/// Longest version that [`normalize`] looks at, in bytes. Composer has no bound. Git hosts allow about 250 bytes for a
/// branch, and packagist.org stores 255 characters, so nothing that is in use comes near.
pub const MAX_VERSION_BYTES: usize = 1024;

/// What a missing or wildcard part of a numeric branch counts as.
const WILDCARD: &str = "9999999";

/// Why a text is not a version. The messages are for the person who named the tag or branch.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidVersion {
    /// Longer than [`MAX_VERSION_BYTES`].
    #[error("the version is {0} bytes long; at most {MAX_VERSION_BYTES} are accepted")]
    TooLong(usize),
    /// Not a form that Composer knows.
    #[error(
        "{0:?} is not a version for Composer: use numbers such as 1.2.3 or v1.2.3-beta1, \
         or dev- and the name of a branch"
    )]
    Unknown(String),
}

/// A version as Composer stores and compares it, such as `1.2.3.0-beta1` or `dev-main`. Two versions of a package are
/// the same if these strings are equal. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NormalizedVersion(Arc<str>);

impl NormalizedVersion {
    /// Takes back a text that [`as_str`](Self::as_str) gave earlier, from the database or another trusted store.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(Arc::from(text))
    }

    /// The text. Its `Ord` is that of bytes, for maps; versions are ordered by [`compare`].
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How stable the version is.
    #[must_use]
    pub fn stability(&self) -> Stability {
        stability::of_version(self.as_str())
    }

    /// Whether it belongs in the `~dev` metadata file.
    #[must_use]
    pub fn is_dev(&self) -> bool {
        is_dev(self.as_str())
    }
}

impl fmt::Display for NormalizedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NormalizedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl AsRef<str> for NormalizedVersion {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

// Sound for maps: hash, order and equality are those of the text.
impl Borrow<str> for NormalizedVersion {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Whether a version, normalized or not, is of stability `dev` (`BasePackage::isDev`).
#[must_use]
pub fn is_dev(version: &str) -> bool {
    stability::of_version(version) == Stability::Dev
}

/// Normalizes a version: a tag without its prefix, or the `version` of a manifest (`VersionParser::normalize`).
///
/// # Errors
/// For what Composer would refuse, and for more than [`MAX_VERSION_BYTES`].
pub fn normalize(version: &str) -> Result<NormalizedVersion, InvalidVersion> {
    if version.len() > MAX_VERSION_BYTES {
        return Err(InvalidVersion::TooLong(version.len()));
    }
    let original = trim(version);
    let version = without_stability_flag(without_alias(original));
    // Composer 1 took these names for versions, and they are still accepted.
    if matches!(version, "master" | "trunk" | "default") {
        return Ok(branch(version));
    }
    if let Some(name) = strip_prefix_any_case(version, "dev-") {
        return Ok(branch(name));
    }
    let version = without_build(version);
    classical(version)
        .or_else(|| dated(version))
        .or_else(|| numeric_dev_branch(version))
        .map(|text| NormalizedVersion(Arc::from(text)))
        .ok_or_else(|| InvalidVersion::Unknown(excerpt(original)))
}

/// Normalizes the name of a branch: numeric ones become the highest version of their range, all others `dev-…`
/// (`VersionParser::normalizeBranch`).
#[must_use]
pub fn normalize_branch(name: &str) -> NormalizedVersion {
    let name = trim(name);
    numeric_branch(name).map_or_else(|| branch(name), |text| NormalizedVersion(Arc::from(text)))
}

fn branch(name: &str) -> NormalizedVersion {
    NormalizedVersion(Arc::from(format!("dev-{name}")))
}

/// What an error message quotes of a text: its beginning.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The `X` of `X as Y`; anything else as it is.
pub(super) fn without_alias(text: &str) -> &str {
    let is_token = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte != b',' && !is_space(byte));
    let Some((version, rest)) = text.split_once(' ') else {
        return text;
    };
    let alias = rest.trim_start_matches(' ').strip_prefix("as ").map(|rest| rest.trim_start_matches(' '));
    match alias.map(|alias| alias.strip_suffix('\n').unwrap_or(alias)) {
        Some(alias) if is_token(version) && is_token(alias) => version,
        _ => text,
    }
}

/// Without `@stable`, `@dev`, … at the end.
fn without_stability_flag(text: &str) -> &str {
    match text.rsplit_once('@') {
        Some((version, flag)) if Stability::parse(flag).is_some() => version,
        _ => text,
    }
}

/// Without `+build`, unless there are commas or spaces about.
fn without_build(text: &str) -> &str {
    let Some((version, build)) = text.split_once('+') else {
        return text;
    };
    let build = build.strip_suffix('\n').unwrap_or(build);
    let is_version = !version.is_empty() && !version.bytes().any(|byte| byte == b',' || is_space(byte));
    let is_build = !build.is_empty() && !build.bytes().any(is_space);
    if is_version && is_build { version } else { text }
}

fn without_v(text: &str) -> &str {
    text.strip_prefix(['v', 'V']).unwrap_or(text)
}

/// One to four numbers, the first of at most five digits, and a modifier.
fn classical(version: &str) -> Option<String> {
    let (major, mut rest) = digits(without_v(version));
    if major.is_empty() || major.len() > 5 {
        return None;
    }
    let mut normalized = String::with_capacity(version.len() + 8);
    normalized.push_str(major);
    for _ in 0..3 {
        let (part, after) = rest.strip_prefix('.').map(digits).unwrap_or_default();
        normalized.push('.');
        if part.is_empty() {
            normalized.push('0');
        } else {
            normalized.push_str(part);
            rest = after;
        }
    }
    finish(normalized, rest)
}

/// A date, perhaps with a time and counters, and a modifier; or a first number of more than five digits.
fn dated(version: &str) -> Option<String> {
    // The last two groups are what semver 3.4 (Composer 2.6) added a second time, so that 100000.0.0 became valid.
    static SHAPE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^[0-9]{4}(?:[.:-]?[0-9]{2}){1,6}(?:[.:-]?[0-9]{1,3}){0,2}$").expect("the pattern is constant")
    });
    let version = without_v(version);
    let numeric = version.bytes().take_while(|byte| byte.is_ascii_digit() || b".:-".contains(byte)).count();
    let date = version[..numeric].trim_end_matches(['.', ':', '-']);
    if !SHAPE.is_match(date) {
        return None;
    }
    finish(date.replace([':', '-'], "."), &version[date.len()..])
}

/// Adds the modifier in its long form, if nothing else follows.
fn finish(mut normalized: String, rest: &str) -> Option<String> {
    let (Modifier { name, number, dev }, rest) = modifier_at(rest);
    if !ends(rest) {
        return None;
    }
    // In lower case only, and with whatever follows: Composer compares before it folds the case.
    if name == "stable" {
        return Some(normalized);
    }
    if !name.is_empty() {
        let word = name.to_ascii_lowercase();
        normalized.push('-');
        normalized.push_str(match word.as_str() {
            "a" => "alpha",
            "b" => "beta",
            "p" | "pl" => "patch",
            "rc" => "RC",
            other => other,
        });
        normalized.push_str(number.trim_start_matches(['.', '-']));
    }
    if dev {
        normalized.push_str("-dev");
    }
    Some(normalized)
}

/// `1.0.x-dev` and the like: a numeric branch with `dev` behind it.
fn numeric_dev_branch(version: &str) -> Option<String> {
    let name = strip_suffix_any_case(modifier::last_line(version), "dev")?;
    numeric_branch(trim(name.strip_suffix(['.', '-']).unwrap_or(name)))
}

/// One to four numbers, all but the first of which may be `x` or `*`.
fn numeric_branch(name: &str) -> Option<String> {
    let (major, mut rest) = digits(without_v(name));
    if major.is_empty() {
        return None;
    }
    let mut parts = [Cow::Borrowed(major), WILDCARD.into(), WILDCARD.into(), WILDCARD.into()];
    for part in &mut parts[1..] {
        let Some(after) = rest.strip_prefix('.') else {
            break;
        };
        let (number, behind) = digits(after);
        rest = if number.is_empty() {
            after.strip_prefix(['x', 'X', '*'])?
        } else {
            *part = number.into();
            behind
        };
    }
    rest.is_empty().then(|| format!("{}-dev", parts.join(".")))
}

#[cfg(test)]
mod tests;
