//! The order of versions: PHP's `version_compare`, which Composer uses on normalized versions.

use std::cmp::Ordering;

/// What one part of a version counts as; the order of the variants is the order of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Unknown,
    Dev,
    Alpha,
    Beta,
    Rc,
    /// The version has no more parts: `1.0-beta` < `1.0` < `1.0.0`.
    End,
    /// As in PHP, numbers beyond 64 bits are all equal.
    Number(i64),
    Patch,
}

/// Orders two normalized versions as PHP's `version_compare` does. Different texts can be equal (`01.0.0.0` and
/// `1.0.0.0`).
///
/// It is a total preorder, fit for sorting, where PHP's function is none: PHP calls `dev-a-` less than itself, and a `#`
/// after a digit equal to every number. Here punctuation at the end is ignored, and such a `#` ends the version. Only
/// names of branches are concerned.
#[must_use]
pub fn compare(a: impl AsRef<str>, b: impl AsRef<str>) -> Ordering {
    let (a, b) = (a.as_ref(), b.as_ref());
    if a.is_empty() || b.is_empty() {
        return b.is_empty().cmp(&a.is_empty());
    }
    let (mut left, mut right) = (Parts::of(a), Parts::of(b));
    loop {
        match (left.next_part(), right.next_part()) {
            (Part::End, Part::End) => return Ordering::Equal,
            (x, y) if x != y => return x.cmp(&y),
            _ => {}
        }
    }
}

/// Cuts a version into parts as `php_canonicalize_version` does, without building the canonical text.
struct Parts<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Parts<'a> {
    fn of(version: &'a str) -> Self {
        // To PHP's function, which is C, the text ends at a NUL.
        let bytes = version.as_bytes();
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        Self { bytes: &bytes[..end], at: 0 }
    }

    fn next_part(&mut self) -> Part {
        self.next_text().map_or(Part::End, rank)
    }

    fn next_text(&mut self) -> Option<&'a [u8]> {
        let start = if self.at == 0 { 0 } else { self.next_start() };
        if start >= self.bytes.len() {
            return None;
        }
        self.at = start + 1;
        if self.bytes[start] == b'.' {
            return Some(&[]);
        }
        while self.at < self.bytes.len() && self.continues(self.at) {
            self.at += 1;
        }
        Some(&self.bytes[start..self.at])
    }

    /// Skips separators.
    fn next_start(&self) -> usize {
        let is_start = |at: &usize| self.changes_kind(*at) || self.bytes[*at].is_ascii_alphanumeric();
        (self.at..self.bytes.len()).find(is_start).unwrap_or(self.bytes.len())
    }

    fn continues(&self, at: usize) -> bool {
        self.bytes[at].is_ascii_alphanumeric() && !self.changes_kind(at)
    }

    /// Whether a part begins at this byte because one of it and its predecessor is a digit, and the other is not.
    fn changes_kind(&self, at: usize) -> bool {
        let (before, here) = (self.bytes[at - 1], self.bytes[at]);
        let is_cut = before == b'.' || matches!(here, b'-' | b'_' | b'+' | b'.');
        !is_cut && before.is_ascii_digit() != here.is_ascii_digit()
    }
}

fn rank(part: &[u8]) -> Part {
    const WORDS: [(&[u8], Part); 8] = [
        (b"dev", Part::Dev),
        (b"a", Part::Alpha),
        (b"b", Part::Beta),
        (b"RC", Part::Rc),
        (b"rc", Part::Rc),
        (b"#", Part::End),
        (b"p", Part::Patch),
        (b"", Part::Unknown),
    ];
    if part.first().is_some_and(u8::is_ascii_digit) {
        let number =
            part.iter().fold(0_i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
        return Part::Number(number);
    }
    WORDS.iter().find(|(word, _)| part.starts_with(word)).map_or(Part::Unknown, |(_, rank)| *rank)
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::{ProptestConfig, Strategy};
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::compare;

    #[test]
    fn ascending_sample() {
        let sample = [
            "dev-main",
            "1.0.0.0-dev",
            "1.0.0.0-alpha",
            "1.0.0.0-alpha1",
            "1.0.0.0-alpha2",
            "1.0.0.0-alpha10",
            "1.0.0.0-beta",
            "1.0.0.0-beta1-dev",
            "1.0.0.0-beta1",
            "1.0.0.0-RC1",
            "1.0.0.0-RC2-dev",
            "1.0.0.0-RC2",
            "1.0.0.0",
            "1.0.0.0-patch",
            "1.0.0.0-patch1",
            "1.0.0.0-patch1.2",
            "1.0.0.1",
            "1.0.9999999.9999999-dev",
            "1.1.0.0",
            "1.2.0.0",
            "1.10.0.0",
            "1.9999999.9999999.9999999-dev",
            "2.0.0.0-dev",
            "2.0.0.0",
            "2024.01.02",
            "9999999-dev",
            "20240102",
            "20240102.1",
        ];
        for (at, lower) in sample.iter().enumerate() {
            assert_eq!(compare(lower, lower), Ordering::Equal, "{lower}");
            for higher in &sample[at + 1..] {
                assert_eq!(compare(lower, higher), Ordering::Less, "{lower} < {higher}");
                assert_eq!(compare(higher, lower), Ordering::Greater, "{higher} > {lower}");
            }
        }
    }

    #[test]
    fn equal_though_different() {
        let pairs = [
            ("01.0.0.0", "1.0.0.0"),
            ("1.0-RC1", "1.0-rc1"),
            ("1.0-beta1", "1.0-beta01"),
            ("1.0-p1", "1.0-patch1"),
            ("dev-main", "dev-feature"),
            ("99999999999999999999", "9223372036854775807"),
            ("", ""),
        ];
        for (a, b) in pairs {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
        }
        assert_eq!(compare("1.0.0.0", "1.0.0"), Ordering::Greater);
        assert_eq!(compare("", "dev-main"), Ordering::Less);
    }

    fn texts() -> impl Strategy<Value = String> {
        "(dev-|1[.])?([0-9]{1,3}|[.#~_+ -]|a|b|rc|RC|dev|p|x|\u{e9}|\u{0}){0,6}"
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

        #[test]
        fn a_total_preorder(a in texts(), b in texts(), c in texts()) {
            prop_assert_eq!(compare(&a, &a), Ordering::Equal);
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le());
            }
            if compare(&a, &b).is_eq() {
                prop_assert_eq!(compare(&a, &c), compare(&b, &c));
            }
        }
    }
}
