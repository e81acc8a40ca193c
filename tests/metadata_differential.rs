//! Holds the derivation of versions and metadata to Composer's own `VcsRepository`, `ArrayLoader` and `ArrayDumper`: thousands of
//! generated repositories are read by both, and what comes out must be the same, field by field.
//!
//! Needs PHP, Composer and git (Debian: `apt install php-cli composer git`). The repositories are the same in each run; set
//! `METADATA_DIFFERENTIAL_SEED` to a number for others.
//!
//! Allowed to differ, because we are stricter or follow a newer Composer, and each in [`Expected::published`] or in the generator's
//! choice of inputs: `#` in branches becomes `+`; of two branches that mean one version one is published; invalid package names and `..` in
//! `bin` are refused; a ref that ends Composer's whole crawl in a type error is only skipped; `php-ext` is published for
//! extensions. Dates that Composer reads and we do not are named in `manifest/date.rs`.

#[path = "metadata_differential/generator.rs"]
mod generator;
#[path = "metadata_differential/git.rs"]
mod git;
#[path = "metadata_differential/minified.rs"]
mod minified;
#[path = "metadata_differential/php.rs"]
mod php;
#[path = "metadata_differential/random.rs"]
mod random;

use std::collections::HashSet;
use std::sync::Arc;

use packagist_selfhosted::composer::derive::{
    Derivation, NoManifest, RefKind, RefSource, Repository, SourceTemplate, derive,
};
use packagist_selfhosted::composer::document::{self, Half, Package};
use packagist_selfhosted::composer::name::PackageName;
use random::Random;
use serde_json::{Map, Value, json};

const URL: &str = "https://git.example.org/acme/lib.git";

fn seed() -> u64 {
    let given = std::env::var("METADATA_DIFFERENTIAL_SEED").ok();
    given.map_or(1, |text| text.parse().expect("METADATA_DIFFERENTIAL_SEED is a number"))
}

/// The refs of a repository in the form of `manifest_repositories.php`.
fn refs(repository: &Value) -> Vec<RefSource> {
    let of = |kind, key: &str| {
        let names = repository[key].as_object().expect("an object of refs");
        names.iter().map(move |(name, commit)| {
            let commit = commit.as_str().expect("a commit").to_owned();
            let manifest: Result<Arc<[u8]>, _> = match &repository["files"][&commit] {
                Value::String(text) => Ok(unbase64(text).into()),
                _ => Err(NoManifest::Missing),
            };
            RefSource {
                kind,
                name: name.clone(),
                time: repository["times"][&commit].as_i64().expect("a time"),
                offset: 0,
                blob: commit.clone(),
                commit,
                manifest,
            }
        })
    };
    of(RefKind::Tag, "tags").chain(of(RefKind::Branch, "branches")).collect()
}

fn ours(repository: &Value) -> Derivation {
    derived(&refs(repository), repository["root"].as_str(), URL)
}

fn derived(refs: &[RefSource], default_branch: Option<&str>, url: &str) -> Derivation {
    derive(&Repository {
        refs,
        default_branch,
        in_order: false,
        root: None,
        registered: None,
        source: Some(SourceTemplate { vcs: "git".to_owned(), url: url.to_owned() }),
    })
}

/// What Composer says, and what of it we mean to publish.
struct Expected<'a>(&'a Value);

impl Expected<'_> {
    fn published(&self) -> Vec<Map<String, Value>> {
        let versions = self.0["versions"].as_array().expect("a list of versions");
        let mut seen = HashSet::new();
        let mut package = None;
        versions
            .iter()
            .map(|version| version.as_object().expect("a version").clone())
            .filter(|version| self.0["poison"].get(text(version, "version")).is_none())
            .map(without_hash)
            .filter(|version| !reaches_outside(version))
            .filter(|version| {
                let name = PackageName::parse_lenient(&text(version, "name"));
                name.is_ok_and(|name| *package.get_or_insert_with(|| name.clone()) == name)
            })
            .filter(|version| seen.insert(text(version, "version_normalized")))
            .collect()
    }
}

fn text(version: &Map<String, Value>, key: &str) -> String {
    text_of(&version[key])
}

fn text_of(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

/// Composer 2.7.8 names the branch `feat#1` `dev-feat+1`.
fn without_hash(mut version: Map<String, Value>) -> Map<String, Value> {
    // A `self.version` in `suggest` has become the version.
    let written = version["version"].clone();
    for reason in version.get_mut("suggest").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        if *reason == written {
            *reason = text_of(&written).replace('#', "+").into();
        }
    }
    for key in ["version", "version_normalized"] {
        version[key] = text(&version, key).replace('#', "+").into();
    }
    version
}

fn reaches_outside(version: &Map<String, Value>) -> bool {
    let binaries: Vec<&Value> = match version.get("bin") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(Value::Object(map)) => map.values().collect(),
        _ => Vec::new(),
    };
    binaries.iter().filter_map(|path| path.as_str()).any(|path| path.split(['/', '\\']).any(|segment| segment == ".."))
}

/// Equality as PHP sees JSON: the order of keys is nothing, and `{}` is `[]`.
fn same(a: &Value, b: &Value) -> bool {
    let empty = |value: &Value| {
        matches!(value, Value::Array(list) if list.is_empty()) || matches!(value, Value::Object(map) if map.is_empty())
    };
    match (a, b) {
        (Value::Object(a), Value::Object(b)) if !a.is_empty() => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        (Value::Array(a), Value::Array(b)) if !a.is_empty() => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            // Reading PHP's answer, serde_json may miss a float by its last bit (its feature float_roundtrip would not).
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            (a - b).abs() <= a.abs() * 1e-15
        }
        _ => (empty(a) && empty(b)) || a == b,
    }
}

/// What differs between two lists of versions, in words.
fn difference(expected: &[Map<String, Value>], got: &Derivation) -> Option<String> {
    let names = |all: &mut dyn Iterator<Item = String>| all.collect::<Vec<_>>().join(" ");
    let wanted = names(&mut expected.iter().map(|version| text(version, "version")));
    let given = names(&mut got.versions.iter().map(|version| version.version.clone()));
    if wanted != given {
        return Some(format!("versions are [{given}], Composer's are [{wanted}]; skipped: {:#?}", got.skipped));
    }
    for (want, have) in expected.iter().zip(&got.versions) {
        let mut have = have.metadata.clone();
        have.remove("php-ext");
        let (want, have) = (Value::Object(want.clone()), Value::Object(have));
        if !same(&want, &have) {
            return Some(format!("metadata is\n{have:#}\nand Composer's is\n{want:#}"));
        }
    }
    None
}

/// Reads all repositories both ways and reports the first few differences.
fn compare(repositories: &[Value]) {
    let truth = php::answers("manifest_repositories.php", repositories);
    let mut published = 0;
    let mut failures = Vec::new();
    for (repository, answer) in repositories.iter().zip(&truth) {
        let got = ours(repository);
        published += got.versions.len();
        let refs =
            repository["tags"].as_object().map_or(0, Map::len) + repository["branches"].as_object().map_or(0, Map::len);
        assert_eq!(got.versions.len() + got.skipped.len(), refs, "every ref is a version or has a reason");
        if let Some(difference) = difference(&Expected(answer).published(), &got) {
            let files: Vec<String> = repository["files"]
                .as_object()
                .into_iter()
                .flat_map(Map::values)
                .map(|file| {
                    file.as_str()
                        .map_or("none".to_owned(), |file| String::from_utf8_lossy(&unbase64(file)).into_owned())
                })
                .collect();
            failures.push(format!(
                "{difference}\nabort: {}\npoison: {}\nlog: {}\nfiles:\n{}\n\n",
                answer["abort"],
                answer["poison"],
                answer["log"],
                files.join("\n")
            ));
        }
    }
    failures.sort_by_key(String::len);
    let shown = failures.iter().take(5).cloned().collect::<String>();
    assert!(failures.is_empty(), "{} of {} repositories differ:\n{shown}", failures.len(), repositories.len());
    assert!(published * 4 > repositories.len(), "only {published} versions were published: nothing was tested");
}

#[test]
fn each_field_of_a_manifest() {
    let mut random = Random(seed());
    let repositories: Vec<Value> = (0..6_000)
        .map(|_| {
            let file = base64(&generator::manifest(&mut random));
            let (tags, branches) = match random.below(3) {
                0 => (json!({"v1.0.0": "c1"}), json!({})),
                1 => (json!({}), json!({"main": "c1"})),
                _ => (json!({}), json!({"1.x": "c1"})),
            };
            json!({"root": "main", "tags": tags, "branches": branches, "files": {"c1": file}, "times": {"c1": 1_600_000_000}})
        })
        .collect();
    compare(&repositories);
}

#[test]
fn the_refs_of_a_repository() {
    let mut random = Random(seed().wrapping_add(1));
    let repositories: Vec<Value> = (0..3_000).map(|_| generator::repository(&mut random)).collect();
    compare(&repositories);
}

#[test]
fn a_real_git_repository() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let url = directory.path().join("lib.git");
    let path = url.to_str().expect("a path of text");
    git::git(directory.path(), &["init", "--quiet", "--bare", "-b", "main", path], b"").expect("git init");
    git::git(&url, &["fast-import", "--quiet", "--done"], git::history().as_bytes()).expect("git fast-import");
    for head in ["main", "2.x", "FOO", "broken", "bare"] {
        git::git(&url, &["symbolic-ref", "HEAD", &format!("refs/heads/{head}")], b"").expect("git symbolic-ref");
        let question = json!({"url": path, "home": directory.path().join("home")});
        let truth = php::answers("manifest_git.php", &[question]);
        let got = derived(&git::refs(&url), Some(head), path);
        assert_eq!(difference(&Expected(&truth[0]).published(), &got), None, "with {head} as default branch");
        assert!(got.versions.len() > 12, "HEAD is {head}, versions {:?}", got.versions.len());
    }
}

#[test]
fn a_document_gives_back_its_versions() {
    let mut random = Random(seed().wrapping_add(2));
    for _ in 0..300 {
        let got = ours(&generator::repository(&mut random));
        let Some(name) = &got.name else { continue };
        let versions: Vec<_> = got.versions.iter().map(|version| &version.metadata).collect();
        let package = Package { name, versions: &versions, dist_prefix: None, abandoned: None };
        let mut read: Vec<_> = [Half::Releases, Half::Development]
            .into_iter()
            .flat_map(|half| document::versions_of(&document::render(&package, half)).expect("our own document"))
            .map(Value::Object)
            .collect();
        for version in versions {
            let at = read.iter().position(|other| same(other, &Value::Object(version.clone())));
            read.swap_remove(at.expect("the version is in one of the documents"));
        }
        assert!(read.is_empty(), "nothing else is in the documents");
    }
}

/// Base64 in few lines: the inputs have to go through JSON, whatever bytes they are.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { digit as char } else { '=' });
        }
    }
    text
}

fn unbase64(text: &str) -> Vec<u8> {
    let value = |digit: u8| match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    for chunk in text.as_bytes().chunks(4) {
        let digits: Vec<u8> = chunk.iter().copied().filter(|digit| *digit != b'=').collect();
        let bits =
            digits.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(value(*digit))) << (6 * (4 - digits.len()));
        bytes.extend(bits.to_be_bytes().into_iter().skip(1).take(digits.len() - 1));
    }
    bytes
}
