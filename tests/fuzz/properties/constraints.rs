//! Constraints: their text form means what they mean, and OR is an OR.

use packagist_selfhosted::composer::constraint::Constraint;
use packagist_selfhosted::composer::version::{NormalizedVersion, normalize};

/// Versions that stand on both sides of most bounds.
const PROBES: [&str; 18] = [
    "0.0.0.0-dev",
    "0.0.0.0",
    "0.1.0.0",
    "0.3.9.0",
    "1.0.0.0-dev",
    "1.0.0.0-alpha1",
    "1.0.0.0-beta",
    "1.0.0.0-RC2",
    "1.0.0.0",
    "1.0.0.0-patch1",
    "1.2.3.0",
    "1.9999999.9999999.9999999-dev",
    "2.0.0.0-dev",
    "2.0.0.0",
    "3.4.5.6",
    "20240102",
    "dev-main",
    "dev-a b",
];

pub fn check(data: &[u8]) {
    let Some(texts) = super::parts(data) else { return };
    let versions: Vec<_> = PROBES
        .into_iter()
        .chain(texts.last().copied())
        .map(|text| normalize(text).unwrap_or_else(|_| NormalizedVersion::from_stored(text.to_owned())))
        .collect();
    for text in &texts {
        let Ok(constraint) = Constraint::parse(text) else { continue };
        let matched: Vec<bool> = versions.iter().map(|version| constraint.matches(version)).collect();
        // Brackets are Composer's way of showing groups, and no part of the language.
        let shown = constraint.to_string();
        let Ok(again) = Constraint::parse(&shown.replace(['[', ']'], "")) else { continue };
        if text.contains(['[', ']', '@', '#']) || shown.contains(" as ") || !reads_back(&shown) {
            continue;
        }
        for (version, expected) in versions.iter().zip(&matched) {
            assert_eq!(again.matches(version), *expected, "{version} by {text:?}, shown as {shown:?}");
        }
        let third = Constraint::parse(&again.to_string().replace(['[', ']'], "")).expect("the form of the form");
        assert_eq!(third.to_string(), again.to_string(), "{text:?}");
    }
    if let [left, right, ..] = texts.as_slice() {
        either(left.trim(), right.trim(), &versions);
    }
}

/// Whether all that is shown is read as it is shown. Composer reads a date a second time as a version, puts two stabilities behind
/// release candidates, and gives one to bounds that are shown without.
fn reads_back(shown: &str) -> bool {
    let words: Vec<&str> = shown.split_ascii_whitespace().map(|word| word.trim_matches(['[', ']'])).collect();
    words.windows(2).filter(|pair| matches!(pair[0], "==" | "!=" | "<" | "<=" | ">" | ">=")).all(|pair| {
        let is_normal = normalize(pair[1]).is_ok_and(|version| version.as_str() == pair[1]);
        is_normal && (!matches!(pair[0], "<" | ">=") || pair[1].contains('-'))
    })
}

fn either(left: &str, right: &str, versions: &[NormalizedVersion]) {
    // The ends of a whole text are stripped of what is stripped nowhere within it, and so is what follows a `#`.
    if [left, right].iter().any(|text| text.contains('#') || text.chars().any(char::is_control)) {
        return;
    }
    let (Ok(one), Ok(other)) = (Constraint::parse(left), Constraint::parse(right)) else { return };
    let Ok(both) = Constraint::parse(&format!("{left} || {right}")) else { return };
    for version in versions {
        let expected = one.matches(version) || other.matches(version);
        assert_eq!(both.matches(version), expected, "{version} by {left:?} || {right:?}: {both}");
    }
}
