//! The `composer/2.0` minification of version lists (`Composer\MetadataMinifier`): each entry holds what differs from the one before.

use serde_json::{Map, Value};

use super::manifest::VALUE_BYTES;

/// The value that removes a field from the running state. Data must never be this text.
const UNSET: &str = "__unset";

/// One version's metadata, field by field.
pub type Version = Map<String, Value>;

/// Writes each version as its difference to the one before; the first is complete.
///
/// Fields that are `null` or the text `__unset` are left out: the former is read differently by different releases of the
/// minifier, the latter cannot be told from a removal.
#[must_use]
pub fn minify(versions: &[Version]) -> Vec<Version> {
    let mut state = Version::new();
    versions
        .iter()
        .map(|version| {
            let difference = difference(&state, version);
            apply(&mut state, &difference);
            difference
        })
        .collect()
}

/// The versions would take more memory than they may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the versions are too large once they are complete")]
pub struct TooLarge;

/// Restores the complete versions as a Composer client does, if they take no more than about `most` bytes of memory: a few
/// kilobytes of differences can stand for gigabytes.
///
/// # Errors
/// [`TooLarge`] beyond that.
pub fn expand(minified: &[Version], most: usize) -> Result<Vec<Version>, TooLarge> {
    let mut state = Version::new();
    let (mut weight, mut left) = (0, most);
    minified
        .iter()
        .map(|difference| {
            weight = weight_after(weight, &state, difference);
            left = left.checked_sub(weight).ok_or(TooLarge)?;
            apply(&mut state, difference);
            Ok(state.clone())
        })
        .collect()
}

fn difference(before: &Version, after: &Version) -> Version {
    let mut difference: Version = after
        .iter()
        .filter(|(key, value)| is_data(value) && !before.get(*key).is_some_and(|old| identical(old, value)))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let gone = before.keys().filter(|key| !after.get(*key).is_some_and(is_data));
    for key in gone {
        difference.insert(key.clone(), UNSET.into());
    }
    difference
}

/// Whether a value stands for itself in a document.
pub(super) fn is_data(value: &Value) -> bool {
    !value.is_null() && value != UNSET
}

/// Changes the running state by a difference.
fn apply(state: &mut Version, difference: &Version) {
    // The first version, and one after a version without fields, is taken as it stands.
    if state.is_empty() {
        state.clone_from(difference);
        return;
    }
    let mut is_smaller = false;
    for (key, value) in difference {
        if value == UNSET {
            is_smaller = true;
        } else {
            state.insert(key.clone(), value.clone());
        }
    }
    // In one pass, since every single removal moves what stands behind it.
    if is_smaller {
        state.retain(|key, _| difference.get(key).is_none_or(|value| value != UNSET));
    }
}

/// About how many bytes of memory a state takes once a difference is applied to it, if it takes `weight` now.
fn weight_after(weight: usize, state: &Version, difference: &Version) -> usize {
    let given = difference.iter().filter(|(_, value)| state.is_empty() || *value != UNSET);
    let gone = difference.iter().filter_map(|(key, _)| Some(field_weight(key, state.get(key)?)));
    (weight + given.map(|(key, value)| field_weight(key, value)).sum::<usize>()).saturating_sub(gone.sum())
}

fn field_weight(key: &str, value: &Value) -> usize {
    key.len() + value_weight(value)
}

fn value_weight(value: &Value) -> usize {
    VALUE_BYTES
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(value_weight).sum(),
            Value::Object(fields) => fields.iter().map(|(key, value)| field_weight(key, value)).sum(),
        }
}

/// PHP's `===` on decoded JSON, in which the order of keys counts. (`{}` and `[]` are one to PHP; here they differ, which costs
/// a repeated field at worst.)
fn identical(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| identical(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((ka, a), (kb, b))| ka == kb && identical(a, b))
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop, prop_oneof, proptest};
    use serde_json::json;

    use super::{TooLarge, Value, Version, minify};

    fn expand(minified: &[Version]) -> Vec<Version> {
        super::expand(minified, 1 << 20).expect("small enough")
    }

    fn list(value: Value) -> Vec<Version> {
        serde_json::from_value(value).expect("a list of objects")
    }

    #[test]
    fn the_example_of_the_format() {
        let versions = list(json!([
            {"name": "a/x", "version": "2", "bin": ["x"], "require": {"php": "1"}},
            {"name": "a/x", "version": "1", "require": {"php": "1"}, "abandoned": true},
        ]));
        let minified = minify(&versions);
        assert_eq!(
            minified,
            list(json!([
                {"name": "a/x", "version": "2", "bin": ["x"], "require": {"php": "1"}},
                {"version": "1", "abandoned": true, "bin": "__unset"},
            ]))
        );
        assert_eq!(expand(&minified), versions);
    }

    #[test]
    fn null_and_unset_are_no_data() {
        let versions = list(json!([{"a": 1, "b": "__unset"}, {"a": null, "c": 1}]));
        assert_eq!(minify(&versions), list(json!([{"a": 1}, {"c": 1, "a": "__unset"}])));
    }

    #[test]
    fn the_order_of_nested_keys_counts() {
        let versions = list(json!([{"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}]));
        assert_eq!(minify(&versions), versions);
    }

    #[test]
    fn the_first_version_is_taken_as_it_stands() {
        let versions = list(json!([{"a": "__unset"}, {"b": 1}, {"a": "__unset", "b": "__unset"}, {"a": "__unset"}]));
        let expected = list(json!([{"a": "__unset"}, {"a": "__unset", "b": 1}, {}, {"a": "__unset"}]));
        assert_eq!(expand(&versions), expected);
    }

    #[test]
    fn little_that_stands_for_much_is_refused() {
        let mut versions = vec![Version::new(); 10_000];
        versions[0].insert("a".to_owned(), json!(vec!["x"; 1_000]));
        assert_eq!(super::expand(&versions, 100 << 20), Err(TooLarge));
        // What changes or goes is not counted for ever.
        for (number, version) in versions.iter_mut().enumerate() {
            version.insert("a".to_owned(), if number % 2 == 0 { json!(number) } else { "__unset".into() });
        }
        assert_eq!(super::expand(&versions, 4 << 20).map(|all| all.len()), Ok(10_000));
    }

    #[test]
    fn many_removals_take_one_pass() {
        let mut before: Version = (0..100_000).map(|number| (number.to_string(), Value::Null)).collect();
        before.insert("a".to_owned(), Value::Null);
        let mut removal: Version = before.keys().map(|key| (key.clone(), "__unset".into())).collect();
        removal.insert("a".to_owned(), json!(1));
        let expanded = super::expand(&[before, removal], 100 << 20).expect("small enough");
        assert_eq!(expanded[1], list(json!([{"a": 1}]))[0]);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (0..3_i64).prop_map(Value::from),
            "[ab_]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 6, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::vec(("[ab]", inner), 0..3)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    fn version() -> impl Strategy<Value = Version> {
        prop::collection::vec(("[a-d]", value()), 0..5).prop_map(|fields| fields.into_iter().collect())
    }

    proptest! {
        #[test]
        fn expanding_restores_every_version(versions in prop::collection::vec(version(), 0..6)) {
            assert_eq!(expand(&minify(&versions)), versions);
        }
    }
}
