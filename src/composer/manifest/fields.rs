//! One version's metadata from a manifest: `ArrayLoader::load` followed by `ArrayDumper::dump`.
//!
//! The order of the fields is the dumper's. Where the loader would throw, or die of a type error, there is a [`Rejection`]; where it
//! ignores a value, so do we. Never read from the manifest, because they are the server's to say: `source`, `dist`,
//! `notification-url`, `installation-source`, `default-branch`, `transport-options`, `uid`.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::links::{self, ConstraintMemory};
use super::{Manifest, date, php};

/// Where a version's code is: the `source` of its metadata.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// `git`, `hg` or `svn`, and the address for clients; none for a package that is only a part of a repository, which clients
    /// cannot clone.
    pub place: Option<(&'a str, &'a str)>,
    /// The commit.
    pub reference: &'a str,
}

/// What a ref says about a version, which its `composer.json` cannot.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// The name as its author writes it, capitals included.
    pub name: &'a str,
    /// The version for people: `v1.2.0`, `dev-main`.
    pub version: &'a str,
    /// The same for comparing: `1.2.0.0`, `dev-main`.
    pub version_normalized: &'a str,
    /// Whether this is the default branch.
    pub default_branch: bool,
    /// Where the code is.
    pub source: Source<'a>,
    /// The commit's author date in unix seconds, for manifests without `time`.
    pub committed: i64,
    /// The time zone of that, in seconds east of UTC.
    pub offset: i32,
}

/// A version's metadata, without `dist`.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The object that `ArrayDumper` would write.
    pub metadata: Map<String, Value>,
    /// The release date in unix seconds; `None` where `time` is present and unreadable.
    pub time: Option<i64>,
}

/// One link, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `require`, `conflict`, …
    pub kind: &'static str,
    /// The other package.
    pub name: String,
    /// What is asked of it.
    pub constraint: String,
}

/// Why Composer would refuse a manifest, or why its clients would stop at what we publish from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A field of a type that Composer's loader cannot take.
    #[error("\"{field}\" in composer.json must be {expected}, not {found}")]
    Type {
        /// The field's path.
        field: String,
        /// What it has to be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A link whose constraint cannot be parsed.
    #[error("the constraint {:?} of {:?} in \"{}\" cannot be parsed: {problem}", link.constraint, link.name, link.kind)]
    Constraint {
        /// The link.
        link: Target,
        /// What is wrong with its constraint.
        problem: String,
    },
    /// A link to a package whose name is a number.
    #[error("\"{}\" names a package {:?}: it must be an object of package names and constraints", .0.kind, .0.name)]
    NumericTarget(Target),
    /// A binary outside of the package.
    #[error("\"bin\" in composer.json names {0:?}: paths with \"..\" are refused by Composer")]
    BinOutside(String),
}

fn wrong_type(field: impl Into<String>, expected: &'static str, found: &Value) -> Rejection {
    Rejection::Type { field: field.into(), expected, found: php::type_of(found) }
}

impl Manifest {
    /// The metadata of one version: what `ArrayDumper` writes after `ArrayLoader` has read this manifest under that identity,
    /// with our `source` and without `dist`.
    ///
    /// # Errors
    /// [`Rejection`] where the plain loader throws, and where a client would abort at the result.
    pub fn load(&self, identity: &Identity<'_>, memory: &mut ConstraintMemory) -> Result<Loaded, Rejection> {
        let mut metadata = Map::new();
        let out = &mut metadata;
        put(out, "name", identity.name);
        put(out, "version", identity.version);
        put(out, "version_normalized", identity.version_normalized);
        if let Some(directory) = self.text("target-dir")?.map(target_directory)
            && !directory.is_empty()
            && directory != "0"
        {
            put(out, "target-dir", directory);
        }
        let Source { place, reference } = identity.source;
        match place {
            Some((vcs, url)) => {
                out.insert("source".to_owned(), json!({"type": vcs, "url": url, "reference": reference}));
            }
            // What is known of the archive, which is all there is; the rest is said where it is published.
            None => {
                out.insert("dist".to_owned(), json!({"reference": reference}));
            }
        }
        links::dump(self, identity.version, memory, out)?;
        self.suggestions(identity.version, out)?;
        let moment = self.moment(identity.committed, identity.offset)?;
        if let Some(moment) = moment {
            put(out, "time", moment.rfc3339());
        }
        if identity.default_branch {
            out.insert("default-branch".to_owned(), Value::Bool(true));
        }
        self.package_fields(out)?;
        self.complete_package_fields(out)?;
        Ok(Loaded { metadata, time: moment.map(|moment| moment.unix) })
    }

    /// What every `Package` has.
    fn package_fields(&self, out: &mut Map<String, Value>) -> Result<(), Rejection> {
        if let Some(binaries) = self.binaries()? {
            put_filled(out, "bin", binaries);
        }
        let kind = self.text("type")?.unwrap_or_default().to_ascii_lowercase();
        let kind = if kind.is_empty() || kind == "0" { "library".to_owned() } else { kind };
        // Newer Composers than 2.5 publish this; nobody but the two types of extensions has a use for it.
        let extension = matches!(kind.as_str(), "php-ext" | "php-ext-zend");
        put(out, "type", kind);
        if let Some(extra) = self.field("extra").filter(|value| php::is_array(value)) {
            put_filled(out, "extra", extra.clone());
        }
        for field in ["autoload", "autoload-dev", "include-path"] {
            if let Some(value) = self.array(field)? {
                put_filled(out, field, value.clone());
            }
        }
        if let Some(value) = self.field("php-ext").filter(|value| php::is_array(value))
            && extension
        {
            put_filled(out, "php-ext", value.clone());
        }
        Ok(())
    }

    /// What a `CompletePackage` has beyond.
    fn complete_package_fields(&self, out: &mut Map<String, Value>) -> Result<(), Rejection> {
        if let Some(archive) = self.archive()? {
            put_filled(out, "archive", archive);
        }
        if let Some(scripts) = self.field("scripts").filter(|value| php::is_array(value)) {
            let listeners = php::entries(scripts).map(|(event, value)| (event.into_owned(), cast_to_array(value)));
            put_filled(out, "scripts", php::array(listeners.collect()));
        }
        if let Some(license) = self.filled("license") {
            let license = if php::is_array(license) { license.clone() } else { json!([license]) };
            out.insert("license".to_owned(), license);
        }
        self.copy_array("authors", out);
        for field in ["description", "homepage"] {
            if let Some(Value::String(text)) = self.filled(field) {
                put(out, field, text.as_str());
            }
        }
        if let Some(keywords) = self.keywords()? {
            put_filled(out, "keywords", keywords);
        }
        if let Some(support) = self.array("support")? {
            put_filled(out, "support", support.clone());
        }
        self.copy_array("funding", out);
        if let Some(abandoned) = self.filled("abandoned") {
            let replacement = abandoned.as_str().map_or(Value::Bool(true), Value::from);
            out.insert("abandoned".to_owned(), replacement);
        }
        Ok(())
    }

    fn copy_array(&self, field: &str, out: &mut Map<String, Value>) {
        if let Some(value) = self.filled(field).filter(|value| php::is_array(value)) {
            out.insert(field.to_owned(), value.clone());
        }
    }

    /// A field that PHP's `empty` denies.
    fn filled(&self, field: &str) -> Option<&Value> {
        self.field(field).filter(|value| !php::is_empty(value))
    }

    fn text(&self, field: &str) -> Result<Option<&str>, Rejection> {
        self.field(field).map(|value| value.as_str().ok_or_else(|| wrong_type(field, "a string", value))).transpose()
    }

    fn array(&self, field: &str) -> Result<Option<&Value>, Rejection> {
        match self.field(field) {
            Some(value) if !php::is_array(value) => Err(wrong_type(field, "an object or a list", value)),
            other => Ok(other),
        }
    }

    fn suggestions(&self, version: &str, out: &mut Map<String, Value>) -> Result<(), Rejection> {
        let Some(suggestions) = self.field("suggest").filter(|value| php::is_array(value)) else {
            return Ok(());
        };
        let mut reasons = Map::new();
        for (target, reason) in php::entries(suggestions) {
            let text = reason.as_str().ok_or_else(|| wrong_type(format!("suggest.{target}"), "a string", reason))?;
            let text = if php::trim(text) == "self.version" { version } else { text };
            reasons.insert(target.into_owned(), text.into());
        }
        put_filled(out, "suggest", php::sorted_by_key(reasons));
        Ok(())
    }

    /// The release date: `time` where it is not empty, else the commit's.
    fn moment(&self, committed: i64, offset: i32) -> Result<Option<date::Moment>, Rejection> {
        match self.filled("time") {
            None => Ok(Some(date::Moment { unix: committed, offset })),
            Some(Value::String(text)) => Ok(date::parse(text)),
            Some(other) => Err(wrong_type("time", "a string", other)),
        }
    }

    fn binaries(&self) -> Result<Option<Value>, Rejection> {
        let Some(field) = self.field("bin") else {
            return Ok(None);
        };
        if !php::is_array(field) {
            return Ok(Some(json!([binary("bin", field)?])));
        }
        let mut binaries = Map::new();
        for (key, value) in php::entries(field) {
            let path = binary(&format!("bin.{key}"), value)?;
            binaries.insert(key.into_owned(), path.into());
        }
        Ok(Some(php::array(binaries)))
    }

    fn archive(&self) -> Result<Option<Value>, Rejection> {
        let Some(field) = self.field("archive") else {
            return Ok(None);
        };
        let mut archive = Map::new();
        if let Some(name) = field.get("name").filter(|value| !php::is_empty(value)) {
            let name = name.as_str().ok_or_else(|| wrong_type("archive.name", "a string", name))?;
            put(&mut archive, "name", name);
        }
        if let Some(rules) = field.get("exclude").filter(|value| !php::is_empty(value)) {
            if !php::is_array(rules) {
                return Err(wrong_type("archive.exclude", "a list", rules));
            }
            archive.insert("exclude".to_owned(), rules.clone());
        }
        Ok(Some(Value::Object(archive)))
    }

    fn keywords(&self) -> Result<Option<Value>, Rejection> {
        let Some(field) = self.filled("keywords").filter(|value| php::is_array(value)) else {
            return Ok(None);
        };
        let texts: Result<Vec<_>, _> = php::entries(field)
            .map(|(key, word)| php::strval(word).ok_or_else(|| wrong_type(format!("keywords.{key}"), "a string", word)))
            .collect();
        Ok(Some(php::sorted(texts?).into()))
    }
}

fn put(out: &mut Map<String, Value>, field: &str, text: impl Into<String>) {
    out.insert(field.to_owned(), Value::String(text.into()));
}

/// `ArrayDumper::dumpValues` leaves empty arrays out.
fn put_filled(out: &mut Map<String, Value>, field: &str, array: Value) {
    if php::is_filled_array(&array) {
        out.insert(field.to_owned(), array);
    }
}

/// A path of `bin` without the slashes in front.
fn binary(field: &str, value: &Value) -> Result<String, Rejection> {
    let path = value.as_str().ok_or_else(|| wrong_type(field, "a string", value))?;
    if path.split(['/', '\\']).any(|segment| segment == "..") {
        return Err(Rejection::BinOutside(path.to_owned()));
    }
    Ok(path.trim_start_matches('/').to_owned())
}

/// PHP's `(array)`.
fn cast_to_array(value: &Value) -> Value {
    match value {
        Value::Null => json!([]),
        Value::Array(_) | Value::Object(_) => value.clone(),
        scalar => json!([scalar]),
    }
}

/// `Package::getTargetDir`: runs of `.` and `..` segments become one slash, then the slashes in front go.
fn target_directory(path: &str) -> String {
    static DOTS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?:^|[\\/]+)\.\.?(?:[\\/]+|$)(?:\.\.?(?:[\\/]+|$))*").expect("the pattern is a constant")
    });
    DOTS.replace_all(path, "/").trim_start_matches('/').to_owned()
}
