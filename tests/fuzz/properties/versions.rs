//! Versions: normal forms are normal, and their order is one.

use std::cmp::Ordering;

use packagist_selfhosted::composer::stability;
use packagist_selfhosted::composer::version::{
    ListingKey, MAX_VERSION_BYTES, NormalizedVersion, branch_alias, compare, compare_for_listing, normalize,
    normalize_branch, numeric_alias_prefix,
};

pub fn check(data: &[u8]) {
    let Some(texts) = super::parts(data) else { return };
    for text in &texts {
        alone(text);
    }
    if let [a, b, c, ..] = texts.as_slice() {
        ordered(a, b, c);
        let alias = branch_alias(a, [(*b, *c)], true);
        assert!(alias.is_none_or(|alias| alias.is_dev()), "an alias is a branch");
        let keys = [a, b, c].map(|text| ListingKey {
            normalized: NormalizedVersion::from_stored((*text).to_owned()),
            alias: branch_alias(text, [(*a, *b)], text.len().is_multiple_of(2)),
            default_branch: text.len().is_multiple_of(3),
            released_at: i64::try_from(text.len() % 5).unwrap_or(0),
        });
        order_is_total(&keys.each_ref(), |x, y| compare_for_listing(x, y));
    }
}

fn alone(text: &str) {
    let branch = normalize_branch(text);
    assert!(branch.as_str().starts_with("dev-") || branch.as_str().ends_with("-dev"), "{text:?} → {branch}");
    assert!(branch.is_dev(), "{text:?} → {branch} is a development version");
    if let Some(prefix) = numeric_alias_prefix(text) {
        assert!(prefix.ends_with('.') && prefix.starts_with(|c: char| c.is_ascii_digit()), "{text:?} → {prefix:?}");
    }
    let Ok(version) = normalize(text) else { return };
    let written = version.as_str();
    assert!(text.len() <= MAX_VERSION_BYTES && written.len() <= text.len() + 40, "{text:?} → {written:?}");
    assert_eq!(version.is_dev(), stability::of_version(written) == stability::Stability::Dev);
    // What marks a flag, an alias or an end of the text is cut off a second time, in Composer too.
    let settled = !written.contains(['@', ' ', '\t', '\n', '\r', '\0', '\u{b}']);
    if settled {
        let again = normalize(written).unwrap_or_else(|error| panic!("{text:?} → {written:?}: {error}"));
        // A date gets its dots first, and then counts as a version of that form.
        let third = normalize(again.as_str()).expect("what was normalized twice");
        assert_eq!(again, third, "{text:?} → {written:?}");
        assert_eq!(again.stability(), version.stability(), "{text:?} → {written:?} → {again}");
        if written.starts_with("dev-") {
            assert_eq!(again, version, "branches keep their names");
        }
    }
}

fn ordered(a: &str, b: &str, c: &str) {
    order_is_total(&[a, b, c], |x, y| compare(x, y));
    let normal = [a, b, c].map(|text| normalize(text).unwrap_or_else(|_| normalize_branch(text)));
    order_is_total(&[normal[0].as_str(), normal[1].as_str(), normal[2].as_str()], |x, y| compare(x, y));
}

fn order_is_total<T: std::fmt::Debug>(of: &[T; 3], order: impl Fn(&T, &T) -> Ordering) {
    for x in of {
        assert_eq!(order(x, x), Ordering::Equal, "{x:?} is itself");
        for y in of {
            assert_eq!(order(x, y), order(y, x).reverse(), "{x:?} and {y:?}");
            for z in of {
                if order(x, y).is_le() && order(y, z).is_le() {
                    assert!(order(x, z).is_le(), "{x:?} ≤ {y:?} ≤ {z:?}");
                }
                if order(x, y).is_eq() {
                    assert_eq!(order(x, z), order(y, z), "{x:?} = {y:?}, {z:?}");
                }
            }
        }
    }
}
