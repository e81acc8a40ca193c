//! What `ValidatingArrayLoader` refuses and `ArrayLoader` lets pass: fields of another shape than they have to be.

use serde_json::Value;

use super::Undefined;
use crate::composer::manifest::Manifest;

/// Fields that link to other packages: name and constraint.
const LINKS: [&str; 6] = ["require", "require-dev", "conflict", "replace", "provide", "suggest"];
/// Fields that are lists or objects.
const STRUCTURES: [&str; 9] =
    ["authors", "support", "funding", "extra", "keywords", "include-path", "autoload", "autoload-dev", "archive"];
/// Fields that are strings.
const TEXTS: [&str; 5] = ["type", "description", "homepage", "target-dir", "notification-url"];
/// The ways of loading classes.
const LOADERS: [&str; 5] = ["psr-0", "psr-4", "classmap", "files", "exclude-from-classmap"];
/// The stabilities, as `minimum-stability` names them.
const STABILITIES: [&str; 6] = ["stable", "RC", "rc", "beta", "alpha", "dev"];

/// Refuses a version with a field of another shape. `place`: where it is.
pub(super) fn check(place: &str, manifest: &Manifest) -> Result<(), Undefined> {
    let given = |field: &'static str| Some((field, manifest.field(field).filter(|value| !value.is_null())?));
    let wrong = |field: &str, what: &str| Err(Undefined(format!("{place}.{field} {what}")));
    for (field, value) in LINKS.into_iter().filter_map(given) {
        match value {
            Value::Object(links) => {
                if let Some((name, _)) = links.iter().find(|(_, constraint)| !constraint.is_string()) {
                    return wrong(&format!("{field}.{name}"), "must be a string: write it in quotes");
                }
            }
            // PHP writes an empty object as an empty list.
            Value::Array(list) if list.is_empty() => {}
            _ => return wrong(field, "must be an object of package names and constraints"),
        }
    }
    for (field, value) in STRUCTURES.into_iter().filter_map(given) {
        if !value.is_object() && !value.is_array() {
            return wrong(field, "must be a list or an object");
        }
    }
    for (field, value) in TEXTS.into_iter().filter_map(given) {
        if !value.is_string() {
            return wrong(field, "must be a string");
        }
    }
    if let Some((field, value)) = given("minimum-stability")
        && !value.as_str().is_some_and(|word| STABILITIES.contains(&word))
    {
        return wrong(field, "must be one of stable, RC, beta, alpha and dev");
    }
    if let Some(aliases) = manifest.field("extra").and_then(|extra| extra.get("branch-alias"))
        && !aliases.is_object()
        && !aliases.as_array().is_some_and(Vec::is_empty)
    {
        return wrong("extra.branch-alias", "must be an object of branches and aliases");
    }
    autoload(place, manifest)
}

fn autoload(place: &str, manifest: &Manifest) -> Result<(), Undefined> {
    for field in ["autoload", "autoload-dev"] {
        let ways = manifest.field(field).and_then(Value::as_object).into_iter().flatten();
        for (way, value) in ways {
            if !LOADERS.contains(&way.as_str()) {
                let known = LOADERS.join(", ");
                return Err(Undefined(format!(
                    "{place}.{field}.{way} is no way of loading classes: those are {known}"
                )));
            }
            let spaces = value.as_object().filter(|_| way == "psr-4").into_iter().flatten();
            if let Some((space, _)) = spaces.into_iter().find(|(space, _)| !space.is_empty() && !space.ends_with('\\'))
            {
                return Err(Undefined(format!(
                    "{place}.{field}.psr-4 has the namespace {space:?}, which has to end with a backslash (two in JSON)"
                )));
            }
        }
    }
    Ok(())
}
