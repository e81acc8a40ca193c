//! The order in which a package's versions are listed, in metadata and on pages: newest first, as on packagist.org.

use std::cmp::{Ordering, Reverse};

use super::{DEFAULT_BRANCH_ALIAS, NormalizedVersion, compare};

/// As what a branch without a number is sorted.
const BRANCH: &str = "0.0.0-alpha";

/// What the place of a version in its package's list depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingKey {
    /// The version.
    pub normalized: NormalizedVersion,
    /// Its alias by [`branch_alias`](super::branch_alias) or [`own_branch_alias`](super::own_branch_alias): both give the
    /// same order.
    pub alias: Option<NormalizedVersion>,
    /// Whether it is the repository's default branch.
    pub default_branch: bool,
    /// When the commit was made, in seconds since 1970.
    pub released_at: i64,
}

/// Orders versions for a list (packagist's `Package::sortVersions`): a default branch without number or alias of its own
/// first; then from high to low, where an alias stands for its version, and branches without a number count as
/// `0.0.0-alpha`; equals by date, newest first; then by their text.
///
/// It is a total order: sorting gives one result whatever the order before.
#[must_use]
pub fn compare_for_listing(a: &ListingKey, b: &ListingKey) -> Ordering {
    Reverse(a.is_first())
        .cmp(&Reverse(b.is_first()))
        .then_with(|| compare(b.sorted_as(), a.sorted_as()))
        .then_with(|| b.released_at.cmp(&a.released_at))
        .then_with(|| a.normalized.cmp(&b.normalized))
        .then_with(|| a.alias.cmp(&b.alias))
}

impl ListingKey {
    fn is_first(&self) -> bool {
        self.default_branch && self.sorted_as() == BRANCH
    }

    fn sorted_as(&self) -> &str {
        let alias = self.alias.as_ref().map(NormalizedVersion::as_str);
        let version = match alias {
            // What every default branch gets is no alias of its own, and would put it below versions that are dates.
            Some(alias) if !(alias == DEFAULT_BRANCH_ALIAS && self.default_branch) => alias,
            _ => self.normalized.as_str(),
        };
        if version.starts_with("dev-") { BRANCH } else { version }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::{ProptestConfig, Strategy, any};
    use proptest::sample::select;
    use proptest::{option, prop_assert, prop_assert_eq, proptest};

    use super::{ListingKey, compare_for_listing};
    use crate::composer::version::NormalizedVersion;

    fn key(normalized: &str, alias: Option<&str>, default_branch: bool, released_at: i64) -> ListingKey {
        let version = |text: &str| NormalizedVersion::from_stored(text.to_owned());
        ListingKey { normalized: version(normalized), alias: alias.map(version), default_branch, released_at }
    }

    #[test]
    fn newest_first() {
        let expected = [
            key("dev-main", None, true, 1),
            key("20240102", None, false, 0),
            key("3.9999999.9999999.9999999-dev", None, false, 0),
            key("dev-next", Some("3.0.9999999.9999999-dev"), false, 0),
            key("2.0.0.0", None, false, 5),
            key("02.0.0.0", None, false, 4),
            key("2.0.0.0-RC1", None, false, 9),
            key("1.0.0.0", None, false, 0),
            key("dev-late", None, false, 9),
            key("dev-a", None, false, 3),
            key("dev-b", None, false, 3),
        ];
        let mut sorted = expected.to_vec();
        sorted.reverse();
        sorted.sort_by(compare_for_listing);
        assert_eq!(sorted, expected);
    }

    #[test]
    fn the_alias_of_every_default_branch_changes_nothing() {
        let branch = key("dev-main", Some("9999999-dev"), true, 0);
        assert_eq!(compare_for_listing(&branch, &key("20240102", None, false, 0)), Ordering::Less);
        // An alias of its own puts the default branch among the numbers.
        let aliased = key("dev-main", Some("1.9999999.9999999.9999999-dev"), true, 0);
        assert_eq!(compare_for_listing(&aliased, &key("2.0.0.0", None, false, 0)), Ordering::Greater);
    }

    fn keys() -> impl Strategy<Value = ListingKey> {
        let versions = vec![
            "dev-main",
            "dev-a",
            "dev-1#2",
            "dev-1#",
            "dev-x-",
            "9999999-dev",
            "1.0.0.0",
            "01.0.0.0",
            "1.0.0.0-RC1",
            "1.0.0.0-beta",
            "1.9999999.9999999.9999999-dev",
            "20240102",
            "dev-",
        ];
        (select(versions.clone()), option::of(select(versions)), any::<bool>(), 0_i64..3)
            .prop_map(|(normalized, alias, default_branch, at)| key(normalized, alias, default_branch, at))
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4000) })]

        #[test]
        fn a_total_order(a in keys(), b in keys(), c in keys()) {
            prop_assert_eq!(compare_for_listing(&a, &a), Ordering::Equal);
            prop_assert_eq!(compare_for_listing(&a, &b), compare_for_listing(&b, &a).reverse());
            if compare_for_listing(&a, &b).is_le() && compare_for_listing(&b, &c).is_le() {
                prop_assert!(compare_for_listing(&a, &c).is_le());
            }
            if compare_for_listing(&a, &b).is_eq() {
                prop_assert_eq!(a.normalized, b.normalized);
            }
        }
    }
}
