//! Minification held to Composer's `MetadataMinifier`, in both directions, on documents of all kinds.

use packagist_selfhosted::composer::minify::{Version, minify};
use serde_json::{Map, Value, json};

use crate::php;
use crate::random::Random;

const KEYS: [&str; 7] = ["name", "version", "require", "a", "b", "c", "0x"];

fn value(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth > 2 { 6 } else { 9 }) {
        0 => json!(random.below(3)),
        1 => json!(0.5 * f64::from(u8::try_from(random.below(4)).expect("a small number"))),
        2 => json!(random.chance(50)),
        3 => json!(*random.pick(&["", "0", "1", "é/\u{1f600}", "null", "__unset_"])),
        4 => json!("x"),
        5 => json!(["y"]),
        // An object without members is a list to PHP, so there is always one, and its keys are no numbers.
        6 => Value::Array((0..=random.below(3)).map(|_| value(random, depth + 1)).collect()),
        _ => {
            let keys: Vec<&str> = (0..=random.below(3)).map(|_| *random.pick(&["x", "y", "z", "__unset"])).collect();
            Value::Object(keys.into_iter().map(|key| (key.to_owned(), value(random, depth + 1))).collect())
        }
    }
}

/// Versions as they come one after the other: each mostly what the one before was. With `odd` values, `null` and `__unset` are
/// among the fields.
fn versions(random: &mut Random, odd: bool) -> Vec<Version> {
    let mut last: Map<String, Value> = Map::new();
    (0..random.below(8))
        .map(|_| {
            for _ in 0..random.below(4) {
                let key = (*random.pick(&KEYS)).to_owned();
                match random.below(8) {
                    0 | 1 => drop(last.shift_remove(&key)),
                    2 if odd => drop(last.insert(key, Value::Null)),
                    3 if odd => drop(last.insert(key, "__unset".into())),
                    _ => drop(last.insert(key, value(random, 0))),
                }
            }
            if random.chance(15) {
                last.sort_keys();
            }
            if last.is_empty() && !odd {
                last.insert("name".to_owned(), "acme/lib".into());
            }
            last.clone()
        })
        .collect()
}

fn expand(minified: &[Version]) -> Vec<Version> {
    packagist_selfhosted::composer::minify::expand(minified, 1 << 20).expect("small enough")
}

fn list(value: &Value) -> Vec<Version> {
    // An empty version is a list to PHP.
    let version = |item: &Value| item.as_object().cloned().unwrap_or_default();
    value.as_array().expect("a list").iter().map(version).collect()
}

fn text(versions: &[Version]) -> String {
    serde_json::to_string(versions).expect("JSON")
}

fn without_nulls(versions: Vec<Version>) -> Vec<Version> {
    let plain = |version: Version| version.into_iter().filter(|(_, value)| !value.is_null()).collect();
    versions.into_iter().map(plain).collect()
}

#[test]
fn minified_and_expanded_as_composer_does() {
    let mut random = Random(super::seed().wrapping_add(3));
    let documents: Vec<(bool, Vec<Version>)> =
        (0..6_000).map(|number| (number % 2 == 1, versions(&mut random, number % 2 == 1))).collect();
    let questions: Vec<Value> = documents.iter().map(|(_, versions)| json!(versions)).collect();
    let mut removals = 0;
    for ((odd, versions), composer) in documents.iter().zip(php::answers("minify.php", &questions)) {
        let ours = text(&minify(versions));
        removals += ours.matches(":\"__unset\"").count();
        // What a client makes of it, to the byte and in the order of Composer's keys.
        assert_eq!(text(&expand(versions)), text(&list(&composer["expanded"])), "expanding {}", text(versions));
        if !odd {
            assert_eq!(ours, text(&list(&composer["minified"])), "minifying {}", text(versions));
            assert_eq!(expand(&minify(versions)), *versions);
            continue;
        }
        // Composer writes `null` in the first version and removes it from the others; we write none. What `__unset` says about a
        // first version is its own.
        if !versions.iter().any(|version| version.values().any(|value| value == "__unset")) {
            let restored = without_nulls(list(&composer["restored"]));
            assert_eq!(expand(&minify(versions)), restored, "{}", text(versions));
        }
    }
    assert!(removals > 500, "only {removals} fields were removed: little was tested");
}
