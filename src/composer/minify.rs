//! The `composer/2.0` minification of version lists (`Composer\MetadataMinifier`): each entry holds what differs from the one before.

use serde_json::{Map, Value};

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

/// Restores the complete versions as a Composer client does.
#[must_use]
pub fn expand(minified: &[Version]) -> Vec<Version> {
    let mut state = Version::new();
    minified
        .iter()
        .map(|difference| {
            apply(&mut state, difference);
            state.clone()
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

fn is_data(value: &Value) -> bool {
    !value.is_null() && value != UNSET
}

fn apply(state: &mut Version, difference: &Version) {
    for (key, value) in difference {
        if value == UNSET {
            state.shift_remove(key);
        } else {
            state.insert(key.clone(), value.clone());
        }
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

    use super::{Value, Version, expand, minify};

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
