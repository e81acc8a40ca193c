//! Versions that no repository tells of: those of a custom package's JSON, and those of uploaded archives.
//!
//! The JSON is what a repository of Composer's type `package` takes: one version or a list of them. It is read as
//! `ArrayLoader` reads it, and refused where that or `ValidatingArrayLoader` would refuse it; every refusal names the place.

mod lines;
mod shape;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha1::{Digest, Sha1};
use url::Url;

use crate::composer::derive::PublishedVersion;
use crate::composer::manifest::{ConstraintMemory, Identity, Manifest, ManifestError, Rejection, Source};
use crate::composer::name::PackageName;
use crate::composer::version::{self, NormalizedVersion};
use crate::secrets::random::to_hex;

/// How many versions one JSON may have.
const MOST: usize = 2_000;
/// The systems that Composer's downloaders of sources know.
const SYSTEMS: [&str; 5] = ["git", "hg", "svn", "fossil", "perforce"];
/// Longest reference, in bytes.
const LONGEST_REFERENCE: usize = 255;

/// Why a text defines no package: a sentence without a full stop, which names the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Undefined(String);

/// A custom package.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Its name.
    pub name: PackageName,
    /// Its versions, in the order in which they were written.
    pub versions: Vec<Defined>,
}

/// One version of it.
#[derive(Clone, Debug)]
pub struct Defined {
    /// What is published of it. Its `dist` has no checksum yet.
    pub version: PublishedVersion,
    /// The archive that has to be fetched.
    pub dist: Option<Wanted>,
}

/// An archive that a custom package names.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where in the JSON.
    pub place: String,
    /// Where it is.
    pub url: Url,
    /// Whether it is a zip, and else a tarball.
    pub is_zip: bool,
    /// What names it: what the JSON says, or the SHA-1 of its address.
    pub reference: String,
    /// What the JSON says to be its SHA-1.
    pub shasum: Option<String>,
}

/// Reads the JSON of a custom package. `plain`: whether `http://` is accepted.
///
/// # Errors
/// [`Undefined`].
pub fn parse(text: &str, plain: bool) -> Result<Definition, Undefined> {
    read(text, plain).map_err(|Undefined(what)| {
        let place = what.starts_with('$').then(|| what.split(' ').next()).flatten();
        let line = place.and_then(|place| lines::line_of(text, place));
        Undefined(line.map_or(what.clone(), |line| format!("line {line}: {what}")))
    })
}

fn read(text: &str, plain: bool) -> Result<Definition, Undefined> {
    let all = Manifest::parse_all(text.as_bytes()).map_err(|error| unreadable(&error))?;
    if all.len() > MOST {
        return Err(Undefined(format!("the JSON has {} versions, and may have {MOST}", all.len())));
    }
    let mut memory = ConstraintMemory::default();
    let mut name: Option<PackageName> = None;
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    let mut archives: BTreeMap<String, (String, Url)> = BTreeMap::new();
    let mut versions = Vec::new();
    for (place, manifest) in &all {
        let (own, defined) = defined(place, manifest, plain, &mut memory)?;
        if let Some(name) = name.as_ref().filter(|name| **name != own) {
            return Err(Undefined(format!(
                "{place}.name is {own}, and the versions before are of {name}: all are of one package"
            )));
        }
        let normalized = defined.version.version_normalized.as_str().to_owned();
        if let Some(other) = taken.insert(normalized, place.clone()) {
            return Err(Undefined(format!("{place}.version is {}, which {other} is already", defined.version.version)));
        }
        if let Some(dist) = &defined.dist {
            let first = archives.entry(dist.reference.clone()).or_insert_with(|| (place.clone(), dist.url.clone()));
            if first.1 != dist.url {
                return Err(Undefined(format!(
                    "{place}.dist.reference is that of {} too, whose dist.url is another one: a reference names one archive",
                    first.0
                )));
            }
        }
        name = Some(own);
        versions.push(defined);
    }
    match name {
        Some(name) => Ok(Definition { name, versions }),
        None => Err(Undefined("the JSON has no version: remove the package instead".to_owned())),
    }
}

fn unreadable(error: &ManifestError) -> Undefined {
    Undefined(error.to_string().replace("composer.json", "the JSON"))
}

fn defined(
    place: &str,
    manifest: &Manifest,
    plain: bool,
    memory: &mut ConstraintMemory,
) -> Result<(PackageName, Defined), Undefined> {
    let at = |field: &str, what: String| Undefined(format!("{place}.{field} {what}"));
    let name =
        manifest.name().ok_or_else(|| at("name", "is missing: each version says of which package it is".to_owned()))?;
    let own = PackageName::parse_lenient(name).map_err(|error| at("name", format!("is no name: {error}")))?;
    let version = match manifest.field("version") {
        Some(Value::String(version)) => version,
        Some(_) => return Err(at("version", "must be a string: write it in quotes".to_owned())),
        None => return Err(at("version", "is missing: Composer needs it where no repository tells it".to_owned())),
    };
    let normalized = version::normalize(version).map_err(|error| at("version", format!("is no version: {error}")))?;
    shape::check(place, manifest)?;
    let source = source(place, manifest)?;
    let dist = dist(place, manifest, plain)?;
    let is_meta =
        manifest.field("type").and_then(Value::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("metapackage"));
    if source.is_none() && dist.is_none() && !is_meta {
        return Err(at(
            "dist",
            "is missing, and so is source: only a package of type metapackage has neither".to_owned(),
        ));
    }
    let mut version = published(manifest, name, (version, normalized), memory)
        .map_err(|rejection| Undefined(rejected(place, &rejection)))?;
    let is_dated = version.metadata.contains_key("time");
    if let Some(time) = manifest.field("time").filter(|time| !is_dated && !is_nothing(time)) {
        return Err(at(
            "time",
            format!("is {time}, which is no date: write 2026-11-23T12:00:00+00:00, or leave it out"),
        ));
    }
    let reference = dist.as_ref().map(|dist| dist.reference.clone());
    let of_source = source.as_ref().and_then(|source| source.get("reference")?.as_str().map(str::to_owned));
    version.reference = reference.clone().or(of_source).unwrap_or_default();
    place_code(&mut version.metadata, source, reference.map(|reference| archive(&reference, "")));
    Ok((own, Defined { version, dist }))
}

/// A rejection, naming the place in the JSON.
fn rejected(place: &str, rejection: &Rejection) -> String {
    match rejection {
        Rejection::Type { field, expected, found } => format!("{place}.{field} must be {expected}, not {found}"),
        Rejection::Constraint { link, problem } => {
            format!("{place}.{}.{} is {:?}, which is no constraint: {problem}", link.kind, link.name, link.constraint)
        }
        Rejection::NumericTarget(link) => {
            format!(
                "{place}.{} names a package {:?}: it must be an object of package names and constraints",
                link.kind, link.name
            )
        }
        Rejection::BinOutside(path) => format!("{place}.bin names {path:?}: paths with \"..\" are refused by Composer"),
    }
}

/// What `ArrayLoader` and `ArrayDumper` make of a manifest, still without code.
fn published(
    manifest: &Manifest,
    name: &str,
    (version, version_normalized): (&str, NormalizedVersion),
    memory: &mut ConstraintMemory,
) -> Result<PublishedVersion, Rejection> {
    let default_branch = manifest.field("default-branch") == Some(&Value::Bool(true));
    let identity = Identity {
        name,
        version,
        version_normalized: version_normalized.as_str(),
        default_branch,
        source: Source { place: Some(("", "")), reference: "" },
        committed: 0,
        offset: 0,
    };
    let mut loaded = manifest.load(&identity, memory)?;
    let is_dated = manifest.field("time").and_then(Value::as_str).is_some_and(|time| !matches!(time, "" | "0"));
    if !is_dated {
        loaded.metadata.shift_remove("time");
    }
    Ok(PublishedVersion {
        version: version.to_owned(),
        dev: version_normalized.is_dev(),
        version_normalized,
        reference: String::new(),
        time: loaded.time.filter(|_| is_dated),
        default_branch,
        ref_name: String::new(),
        metadata: loaded.metadata,
        archive_excludes: Vec::new(),
    })
}

/// Says where the code is: `dist` without an address, which documents add; null where there is none.
fn place_code(metadata: &mut Map<String, Value>, source: Option<Value>, dist: Option<Value>) {
    let mut at = metadata.keys().position(|key| key == "source").unwrap_or(metadata.len());
    metadata.shift_remove("source");
    if let Some(source) = source {
        metadata.shift_insert(at, "source".to_owned(), source);
        at += 1;
    }
    metadata.shift_insert(at, "dist".to_owned(), dist.unwrap_or(Value::Null));
}

/// A stored archive in a version's metadata.
fn archive(reference: &str, shasum: &str) -> Value {
    json!({ "type": "zip", "reference": reference, "shasum": shasum })
}

impl Defined {
    /// Sets the checksum of the archive that was fetched.
    pub fn set_shasum(&mut self, shasum: &str) {
        self.version.metadata.insert("dist".to_owned(), archive(&self.version.reference, shasum));
    }
}

/// The version that an uploaded archive is. `given`: what whoever uploaded it says where its `composer.json` does not.
///
/// # Errors
/// [`Undefined`].
pub fn uploaded(
    manifest: &str,
    given: Option<&str>,
    shasum: &str,
) -> Result<(PackageName, PublishedVersion), Undefined> {
    let manifest = Manifest::parse(manifest.as_bytes()).map_err(|error| Undefined(error.to_string()))?;
    let name = manifest.name().ok_or_else(|| Undefined("its composer.json has no name".to_owned()))?;
    let own = PackageName::parse_lenient(name)
        .map_err(|error| Undefined(format!("the name in its composer.json: {error}")))?;
    let told = match manifest.field("version") {
        Some(Value::String(version)) => Some(version.as_str()),
        Some(_) => return Err(Undefined("the version in its composer.json must be a string".to_owned())),
        None => None,
    };
    let read = |version: &str| {
        version::normalize(version).map_err(|error| Undefined(format!("{version:?} is no version: {error}")))
    };
    let (version, normalized) = match (told, given) {
        (Some(told), Some(given)) if read(told)? != read(given)? => {
            return Err(Undefined(format!("its composer.json says that it is version {told}, not {given}")));
        }
        (Some(version), _) | (None, Some(version)) => (version, read(version)?),
        (None, None) => {
            return Err(Undefined("its composer.json has no version: say which one it is".to_owned()));
        }
    };
    let mut version = published(&manifest, name, (version, normalized), &mut ConstraintMemory::default())
        .map_err(|rejection| Undefined(rejection.to_string()))?;
    shasum.clone_into(&mut version.reference);
    place_code(&mut version.metadata, None, Some(archive(shasum, shasum)));
    Ok((own, version))
}

/// A member of a place of code: a text that is not empty, and no option of a program.
fn text<'a>(place: &str, of: &'a Value, field: &str) -> Result<Option<&'a str>, Undefined> {
    match of.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.starts_with('-') || text.chars().any(char::is_control) => Err(Undefined(
            format!("{place}.{field} begins with a dash or has control characters, which Composer refuses"),
        )),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(Undefined(format!("{place}.{field} must be a string"))),
    }
}

/// What PHP takes for no date at all.
fn is_nothing(time: &Value) -> bool {
    matches!(time, Value::Null | Value::Bool(false)) || time == "" || time == "0"
}

fn required<'a>(place: &str, of: &'a Value, field: &str) -> Result<&'a str, Undefined> {
    text(place, of, field)?.ok_or_else(|| Undefined(format!("{place}.{field} is missing")))
}

fn object<'a>(place: &str, manifest: &'a Manifest, field: &str) -> Result<Option<&'a Value>, Undefined> {
    // PHP writes an empty object as an empty list.
    let is_nothing = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    match manifest.field(field).filter(|value| !is_nothing(value)) {
        Some(value) if !value.is_object() => Err(Undefined(format!("{place}.{field} must be an object"))),
        found => Ok(found),
    }
}

fn source(place: &str, manifest: &Manifest) -> Result<Option<Value>, Undefined> {
    let Some(source) = object(place, manifest, "source")? else { return Ok(None) };
    let place = format!("{place}.source");
    let (kind, url) = (required(&place, source, "type")?, required(&place, source, "url")?);
    let reference = required(&place, source, "reference")?;
    if !SYSTEMS.contains(&kind) {
        return Err(Undefined(format!("{place}.type is {kind:?}: Composer knows {}", SYSTEMS.join(", "))));
    }
    if Url::parse(url).is_ok_and(|url| url.password().is_some()) {
        return Err(Undefined(format!("{place}.url has a password in it, which everybody who installs it would read")));
    }
    Ok(Some(json!({ "type": kind, "url": url, "reference": reference })))
}

fn dist(place: &str, manifest: &Manifest, plain: bool) -> Result<Option<Wanted>, Undefined> {
    let Some(dist) = object(place, manifest, "dist")? else { return Ok(None) };
    let place = format!("{place}.dist");
    let (kind, url) = (required(&place, dist, "type")?, required(&place, dist, "url")?);
    if !matches!(kind, "zip" | "tar") {
        return Err(Undefined(format!(
            "{place}.type is {kind:?}: archives of type zip and tar are fetched and served here (tar is also a tar.gz or tar.bz2)"
        )));
    }
    let url = Url::parse(url).map_err(|error| Undefined(format!("{place}.url is no address: {error}")))?;
    match url.scheme() {
        "https" => {}
        "http" if plain => {}
        "http" => {
            return Err(Undefined(format!(
                "{place}.url is unencrypted: use https, or set `allow_insecure` under [vcs] in config.toml"
            )));
        }
        scheme => return Err(Undefined(format!("{place}.url begins with {scheme}: archives are fetched by https"))),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Undefined(format!("{place}.url has a password in it: add a credential for its host instead")));
    }
    let reference = text(&place, dist, "reference")?.map(str::to_owned);
    if reference.as_ref().is_some_and(|reference| reference.len() > LONGEST_REFERENCE) {
        return Err(Undefined(format!("{place}.reference is longer than {LONGEST_REFERENCE} bytes")));
    }
    let shasum = text(&place, dist, "shasum")?.map(str::to_ascii_lowercase);
    if shasum.as_ref().is_some_and(|sum| sum.len() != 40 || !sum.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Err(Undefined(format!("{place}.shasum is no SHA-1: that has 40 hexadecimal digits")));
    }
    let reference = reference.unwrap_or_else(|| to_hex(&Sha1::digest(url.as_str().as_bytes())));
    Ok(Some(Wanted { place, url, is_zip: kind == "zip", reference, shasum }))
}

#[cfg(test)]
#[path = "definition/tests.rs"]
mod tests;
