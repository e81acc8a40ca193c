//! `composer.json` as Composer reads it: bytes from a repository become a [`Manifest`], and a manifest together with the
//! identity of a ref becomes the metadata of one version.
//!
//! Composer does this in three classes: `JsonFile` (parse), `ArrayLoader` (accept or refuse, and interpret each field) and
//! `ArrayDumper` (write what was understood). All three work on PHP arrays, which know no difference between `{}` and `[]`,
//! turn numeric keys into integers and compare numeric strings as numbers; [`php`] holds those rules, so that what we publish
//! is what Composer itself would have published.
//!
//! Everything here reads bytes that anybody who can push wrote: sizes, depths and counts are bounded before they cost memory.

mod date;
mod fields;
mod json;
mod links;
mod php;

pub use date::{format_rfc3339, parse_time};
pub use fields::{Identity, Loaded, Rejection, Source};
pub use links::ConstraintMemory;

use std::borrow::Cow;

use serde_json::{Map, Value};

/// The largest `composer.json` that is read, in bytes. The largest public ones (lists of insecure versions) have 200 KB.
pub const MAX_BYTES: usize = 1 << 20;

/// How deep arrays and objects may nest. PHP stops at 512; readers of the published documents in other languages (ours too)
/// stop at 128, and a document wraps each manifest in three levels more.
pub const MAX_DEPTH: usize = 120;

/// How many values, counting each member of each array and object, one `composer.json` may hold.
pub const MAX_VALUES: usize = 50_000;

/// What one parsed value takes in memory beside its text, about.
pub(super) const VALUE_BYTES: usize = 100;

/// A parsed `composer.json`: a non-empty PHP array, nothing about its fields being known yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    fields: Map<String, Value>,
    weight: usize,
}

/// Why bytes are no `composer.json`. Each text is a sentence for the person who pushed the ref.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// More than [`MAX_BYTES`].
    #[error("composer.json has {bytes} bytes; at most {MAX_BYTES} are read")]
    TooLarge {
        /// The size of the file.
        bytes: usize,
    },
    /// Blank, `{}`, `[]` or a JSON scalar: Composer takes all of these for "no composer file".
    #[error("composer.json is empty: it needs at least a name")]
    Empty,
    /// PHP's JSON parser refuses the mark that some Windows editors write.
    #[error("composer.json starts with a byte order mark: save it as UTF-8 without BOM")]
    ByteOrderMark,
    /// Latin-1, UTF-16 and the like.
    #[error("composer.json is not UTF-8: the byte at offset {offset} does not belong there")]
    NotUtf8 {
        /// Where the first wrong byte is, counted from 0.
        offset: usize,
    },
    /// The JSON grammar is violated; the text says how and where.
    #[error("composer.json is not valid JSON: {0}")]
    NotJson(String),
    /// The JSON is valid and beyond our limits; the text says which.
    #[error("composer.json cannot be published: {0}")]
    BeyondLimits(String),
}

impl Manifest {
    /// Parses the content of a `composer.json` as `JsonFile::parseJson` does.
    ///
    /// # Errors
    /// [`ManifestError`] where Composer would find no composer file or no valid JSON, and where a limit is exceeded.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_BYTES {
            return Err(ManifestError::TooLarge { bytes: bytes.len() });
        }
        let (value, count) = json::parse(bytes)?;
        let fields = match value {
            Value::Object(fields) => fields,
            // A list is a PHP array too: one in which every field that Composer asks for is absent.
            Value::Array(items) => (0..).map(|n: usize| n.to_string()).zip(items).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Map::new(),
        };
        if fields.is_empty() {
            return Err(ManifestError::Empty);
        }
        Ok(Self { fields, weight: bytes.len() + count * VALUE_BYTES })
    }

    /// Parses the versions of a package as repositories of Composer's type `package` have them: one object or a list of them,
    /// also as the member `package` of such a repository. Each with its place, as JSONPath writes it.
    ///
    /// # Errors
    /// [`ManifestError`] where there is no such JSON.
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<(String, Self)>, ManifestError> {
        if bytes.len() > MAX_BYTES {
            return Err(ManifestError::TooLarge { bytes: bytes.len() });
        }
        let (value, count) = json::parse(bytes)?;
        let (place, value) = match value {
            Value::Object(mut fields) if fields.get("type").is_some_and(|kind| kind == "package") => {
                ("$.package", fields.remove("package").unwrap_or_default())
            }
            value => ("$", value),
        };
        let all = match value {
            Value::Array(all) => (0..).map(|at: usize| format!("{place}[{at}]")).zip(all).collect(),
            one => vec![(place.to_owned(), one)],
        };
        let weight = bytes.len() + count * VALUE_BYTES;
        let manifest = |(place, value): (String, Value)| match value {
            Value::Object(fields) => Ok((place, Self { fields, weight })),
            _ => Err(ManifestError::BeyondLimits(format!("{place} must be an object"))),
        };
        all.into_iter().map(manifest).collect()
    }

    /// The `name` as written, or `None` where it is absent, not a string, or one that PHP calls empty.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.fields.get("name").filter(|name| !php::is_empty(name))?.as_str()
    }

    /// The patterns of `archive.exclude`, in order; what is not a string is no pattern.
    #[must_use]
    pub fn archive_excludes(&self) -> Vec<String> {
        self.field("archive")
            .and_then(|archive| archive.get("exclude"))
            .map(|excludes| php::entries(excludes).filter_map(|(_, rule)| rule.as_str().map(str::to_owned)).collect())
            .unwrap_or_default()
    }

    /// About how many bytes of memory the parsed manifest takes.
    #[must_use]
    pub const fn weight(&self) -> usize {
        self.weight
    }

    /// The entries of `extra.branch-alias`: the branch's version, and what it is to be called (not necessarily a string).
    #[must_use]
    pub fn branch_aliases(&self) -> Vec<(Cow<'_, str>, &Value)> {
        branch_aliases(self.field("extra"))
    }

    /// A field that is present and not null: PHP's `isset`.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }
}

/// The entries of `branch-alias` in a version's `extra`.
#[must_use]
pub fn branch_aliases(extra: Option<&Value>) -> Vec<(Cow<'_, str>, &Value)> {
    extra.and_then(|extra| extra.get("branch-alias")).map(|aliases| php::entries(aliases).collect()).unwrap_or_default()
}

#[cfg(test)]
#[path = "manifest/tests.rs"]
mod tests;
