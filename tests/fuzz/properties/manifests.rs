//! `composer.json` and the names of refs: whatever a repository holds, every ref is a version or has a reason, and what is
//! published can be read by every client.

use std::collections::HashSet;
use std::sync::Arc;

use packagist_selfhosted::composer::constraint::Constraint;
use packagist_selfhosted::composer::derive::{RefKind, RefSource, Repository, SourceTemplate, derive};
use packagist_selfhosted::composer::document::{Half, Package, render, versions_of};
use packagist_selfhosted::composer::manifest::Manifest;
use serde_json::Value;

/// The input is a `composer.json`, and behind a line of `----` names of refs.
pub fn check(data: &[u8]) {
    let (manifest, names) = super::first_part(data);
    let parsed = Manifest::parse(manifest);
    let given = String::from_utf8_lossy(names).into_owned();
    let mut names: Vec<&str> = given.lines().filter(|name| !name.is_empty()).take(16).collect();
    names.extend(["v1.2.0", "main"]);
    let refs: Vec<RefSource> = names.iter().enumerate().map(|(at, name)| source(at, name, manifest)).collect();
    let found = derive(&Repository {
        refs: &refs,
        default_branch: Some("main"),
        in_order: false,
        root: None,
        registered: None,
        source: Some(SourceTemplate { vcs: "git".to_owned(), url: "https://h.example/a".to_owned() }),
    });
    assert_eq!(found.versions.len() + found.skipped.len(), refs.len(), "a version or a reason");
    assert!(parsed.is_ok() || found.versions.is_empty());
    let Some(name) = &found.name else {
        assert!(found.versions.is_empty());
        return;
    };
    let mut seen = HashSet::new();
    for version in &found.versions {
        assert!(seen.insert(version.version_normalized.as_str()), "{} is there twice", version.version_normalized);
        assert_eq!(version.dev, version.version_normalized.is_dev());
        harmless(&version.metadata);
    }
    let versions: Vec<_> = found.versions.iter().map(|version| &version.metadata).collect();
    let package = Package { name, versions: &versions, dist_prefix: Some("https://h.example/"), abandoned: None };
    let read = [Half::Releases, Half::Development].map(|half| {
        let bytes = render(&package, half);
        versions_of(&bytes).expect("our own document").len()
    });
    assert_eq!(read[0] + read[1], versions.len(), "every version is in one of the documents");
}

fn source(at: usize, name: &str, manifest: &[u8]) -> RefSource {
    RefSource {
        kind: if at.is_multiple_of(2) { RefKind::Tag } else { RefKind::Branch },
        name: name.to_owned(),
        commit: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        time: 1_700_000_000,
        offset: 0,
        blob: "b".to_owned(),
        manifest: Ok(Arc::from(manifest)),
    }
}

/// What would stop a client that reads the document.
fn harmless(metadata: &serde_json::Map<String, Value>) {
    for kind in ["require", "conflict", "provide", "replace", "require-dev"] {
        let links = metadata.get(kind).and_then(Value::as_object).into_iter().flatten();
        for constraint in links.filter_map(|(_, constraint)| constraint.as_str()) {
            assert!(constraint == "self.version" || Constraint::parse(constraint).is_ok(), "{constraint:?}");
        }
    }
    let binaries = metadata.get("bin").map(Value::to_string).unwrap_or_default();
    assert!(!binaries.contains("\"../") && !binaries.contains("/../"), "{binaries}");
    for own in ["dist", "notification-url", "transport-options"] {
        assert!(!metadata.contains_key(own), "{own} is the server's to say");
    }
    assert!(metadata.values().all(|value| !value.is_null()), "null is no data");
}
