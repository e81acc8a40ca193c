//! The metadata documents that Composer clients download: `p2/vendor/name.json` with the releases, and `p2/vendor/name~dev.json` with the
//! development versions. One bad version in one of them stops every client that asks for the package, so this is the only
//! place that writes them.

use serde_json::{Map, Value, json};

use super::manifest::branch_aliases;
use super::minify::{self, Version};
use super::name::PackageName;
use super::version::{self, ListingKey, NormalizedVersion};

/// The value of `minified` by which clients know that they have to expand.
const FORMAT: &str = "composer/2.0";

/// Which of a package's two documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Half {
    /// `name.json`: everything but development versions.
    Releases,
    /// `name~dev.json`: development versions only.
    Development,
}

/// A package's state of being abandoned, which overrides what its versions say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Abandoned {
    /// Without a replacement, unless a version says itself what replaces it.
    Plainly,
    /// In favour of another package.
    For(String),
}

/// What a document is rendered from.
#[derive(Debug, Clone, Copy)]
pub struct Package<'a> {
    /// The package. Its lower-case form is the key under which clients look.
    pub name: &'a PackageName,
    /// The metadata of all versions of both halves, in any order.
    pub versions: &'a [&'a Version],
    /// What comes before `{reference}.zip` in the address of an archive, ending in `/`. With `None` no `dist` is added.
    pub dist_prefix: Option<&'a str>,
    /// Overrides `abandoned` of every version.
    pub abandoned: Option<&'a Abandoned>,
}

/// Renders one document: minified, newest version first, each normalized version once.
#[must_use]
pub fn render(package: &Package<'_>, half: Half) -> Vec<u8> {
    let mut listed: Vec<(ListingKey, &Version)> = package
        .versions
        .iter()
        .filter_map(|metadata| Some((listing_key(metadata)?, *metadata)))
        .filter(|(key, _)| key.normalized.is_dev() == (half == Half::Development))
        .collect();
    listed.sort_by(|(a, _), (b, _)| version::compare_for_listing(a, b));
    listed.dedup_by(|(later, _), (earlier, _)| later.normalized == earlier.normalized);
    let complete: Vec<Version> = listed.iter().map(|(_, metadata)| complete(metadata, package)).collect();
    let mut packages = Map::new();
    packages
        .insert(package.name.as_str().to_owned(), minify::minify(&complete).into_iter().map(Value::Object).collect());
    let document = json!({"minified": FORMAT, "packages": packages});
    serde_json::to_vec(&document).expect("maps with keys of text are always written")
}

/// Why bytes are not a metadata document.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// No JSON, or nested too deep.
    #[error("the metadata is not valid JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// A few kilobytes that stand for more than [`MAX_WEIGHT`](super::derive::MAX_WEIGHT).
    #[error("{0}")]
    TooLarge(#[from] minify::TooLarge),
    /// JSON of another form.
    #[error("the metadata has no list of versions under \"packages\"")]
    NoVersions,
}

/// The complete versions in a document, for whichever packages it has: the inverse of [`render`].
///
/// # Errors
/// [`DocumentError`] if the bytes are no metadata document.
pub fn versions_of(document: &[u8]) -> Result<Vec<Version>, DocumentError> {
    let document: Value = serde_json::from_slice(document)?;
    let packages = match document.get("packages") {
        Some(Value::Object(packages)) => packages,
        Some(Value::Array(empty)) if empty.is_empty() => return Ok(Vec::new()),
        _ => return Err(DocumentError::NoVersions),
    };
    let minified = document.get("minified").and_then(Value::as_str) == Some(FORMAT);
    // Shared, so that many packages are no way around the bound; a document has one, as a rule.
    let most = super::derive::MAX_WEIGHT / packages.len().max(1);
    let mut all = Vec::new();
    for list in packages.values() {
        let versions = entries(list).ok_or(DocumentError::NoVersions)?;
        all.extend(if minified { minify::expand(&versions, most)? } else { versions });
    }
    Ok(all)
}

/// A list of versions, or (unminified documents of old servers) an object of them by version.
fn entries(list: &Value) -> Option<Vec<Version>> {
    let object = |value: &Value| value.as_object().cloned();
    match list {
        Value::Array(list) => list.iter().map(object).collect(),
        Value::Object(map) => map.values().map(object).collect(),
        _ => None,
    }
}

/// A version's place in the list; `None` for metadata without `version_normalized`, which cannot be published.
fn listing_key(metadata: &Version) -> Option<ListingKey> {
    let text = |key: &str| metadata.get(key).filter(|value| minify::is_data(value)).and_then(Value::as_str);
    let aliases = branch_aliases(metadata.get("extra"));
    let aliases = aliases.iter().filter_map(|(source, target)| Some((source.as_ref(), Value::as_str(target)?)));
    Some(ListingKey {
        normalized: NormalizedVersion::from_stored(text("version_normalized")?.to_owned()),
        alias: version::own_branch_alias(text("version")?, aliases),
        default_branch: metadata.get("default-branch") == Some(&Value::Bool(true)),
        released_at: text("time").and_then(super::manifest::parse_time).unwrap_or_default(),
    })
}

/// A version as it is published: with its archive, and the package's state.
fn complete(metadata: &Version, package: &Package<'_>) -> Version {
    let mut version = metadata.clone();
    match version.get("dist") {
        // It has no archive, and none is made of its source either.
        Some(Value::Null) => {
            version.shift_remove("dist");
        }
        // A stored archive, which came from elsewhere: only its address is ours to say.
        Some(Value::Object(stored)) if stored.contains_key("shasum") && !stored.contains_key("url") => {
            let mut dist = stored.clone();
            if let Some(prefix) = package.dist_prefix {
                dist.shift_insert(1, "url".to_owned(), format!("{prefix}%reference%.zip").into());
            }
            version.insert("dist".to_owned(), Value::Object(dist));
        }
        _ => {}
    }
    if let Some(dist) = package.dist_prefix.and_then(|prefix| dist(metadata, prefix))
        && version.get("dist").is_none_or(|dist| dist.get("url").is_none())
        && metadata.get("dist") != Some(&Value::Null)
    {
        // Behind `source`, where `ArrayDumper` puts it.
        match version.keys().position(|key| key == "source") {
            Some(at) => {
                version.shift_insert(at + 1, "dist".to_owned(), dist);
            }
            // A package without a source has it in its place already.
            None => {
                version.insert("dist".to_owned(), dist);
            }
        }
    }
    match package.abandoned {
        None => {}
        Some(Abandoned::Plainly) if version.get("abandoned").is_some_and(Value::is_string) => {}
        Some(Abandoned::Plainly) => {
            version.insert("abandoned".to_owned(), Value::Bool(true));
        }
        Some(Abandoned::For(replacement)) => {
            version.insert("abandoned".to_owned(), replacement.as_str().into());
        }
    }
    version
}

/// The archive of a version's commit. Clients fill in `%reference%`, also when they pin another commit (`dev-main#…`), so that the
/// checksum has to be empty.
fn dist(metadata: &Version, prefix: &str) -> Option<Value> {
    let place = metadata.get("source").or_else(|| metadata.get("dist"))?;
    let reference = place.get("reference")?.as_str()?;
    Some(json!({
        "type": "zip",
        "url": format!("{prefix}%reference%.zip"),
        "reference": reference,
        "shasum": "",
    }))
}

#[cfg(test)]
#[path = "document/tests.rs"]
mod tests;
