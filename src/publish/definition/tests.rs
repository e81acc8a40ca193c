//! What is a custom package, and what is said of what is none.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use serde_json::{Value, json};

use super::{parse, uploaded};

const DIST: &str = r#""dist": {"type": "zip", "url": "https://example.com/a.zip"}"#;

#[test]
fn one_version_or_many() {
    let one = parse(&format!(r#"{{"name": "Acme/Lib", "version": "v1.0", {DIST}}}"#), false).unwrap();
    assert_eq!(one.name.as_str(), "acme/lib");
    let version = &one.versions[0].version;
    assert_eq!((version.version.as_str(), version.version_normalized.as_str()), ("v1.0", "1.0.0.0"));
    let keys: Vec<&str> = version.metadata.keys().map(String::as_str).collect();
    assert_eq!(keys, ["name", "version", "version_normalized", "dist", "type"]);
    assert_eq!(version.metadata["dist"]["reference"], json!(one.versions[0].dist.as_ref().unwrap().reference));
    let many = parse(
        r#"{"type": "package", "package": [
            {"name": "acme/m", "version": "1.0.0", "type": "metapackage", "require": {"php": ">=8"}},
            {"name": "acme/m", "version": "dev-main", "source": {"type": "git", "url": "https://example.com/g", "reference": "main"}}
        ]}"#,
        false,
    );
    let many = many.unwrap();
    assert_eq!(many.versions.len(), 2);
    assert_eq!(many.versions[0].version.metadata["dist"], Value::Null);
    assert!(many.versions[1].version.dev && many.versions[1].dist.is_none());
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let version = |rest: &str| format!(r#"[{{"name": "acme/lib", "version": "1.0", {DIST}}}, {{{rest}}}]"#);
    for (text, expected) in [
        ("{\n\"name\": nonsense}".to_owned(), "line 2 column"),
        (String::new(), "empty"),
        ("[]".to_owned(), "no version"),
        ("[1]".to_owned(), "$[0] must be an object"),
        (version(r#""version": "2""#), "$[1].name is missing"),
        (version(r#""name": "acme/lib""#), "$[1].version is missing"),
        (version(r#""name": "acme/lib", "version": 2"#), "$[1].version must be a string"),
        (version(r#""name": "acme/lib", "version": "x y""#), "$[1].version is no version"),
        (version(r#""name": "acme/other", "version": "2", "type": "metapackage""#), "$[1].name is acme/other"),
        (version(r#""name": "acme/lib", "version": "1.0.0", "type": "metapackage""#), "which $[0] is already"),
        (version(r#""name": "acme/lib", "version": "2""#), "$[1].dist is missing"),
        (version(r#""name": "acme/lib", "version": "2", "dist": 1"#), "$[1].dist must be an object"),
        (version(r#""name": "acme/lib", "version": "2", "dist": {"type": "zip"}"#), "$[1].dist.url is missing"),
        (
            version(r#""name": "acme/lib", "version": "2", "dist": {"type": "zip", "url": "http://e.example/a"}"#),
            "unencrypted",
        ),
        (
            version(r#""name": "acme/lib", "version": "2", "dist": {"type": "zip", "url": "file:///etc/passwd"}"#),
            "fetched by https",
        ),
        (version(r#""name": "acme/lib", "version": "2", "dist": {"type": "path", "url": "../a"}"#), "$[1].dist.type"),
        (
            version(r#""name": "acme/lib", "version": "2", "dist": {"type": "zip", "url": "https://a:b@e.example/a"}"#),
            "password",
        ),
        (
            version(r#""name": "acme/lib", "version": "2", "type": "metapackage", "require": {"a/b": "%"}"#),
            "$[1].require.a/b",
        ),
        (
            version(r#""name": "acme/lib", "version": "2", "type": "metapackage", "autoload": 1"#),
            "$[1].autoload must be",
        ),
        (
            version(
                r#""name": "acme/lib", "version": "2", "source": {"type": "git", "url": "--upload-pack=x", "reference": "a"}"#,
            ),
            "$[1].source.url begins with a dash",
        ),
    ] {
        let error = parse(&text, false).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn an_upload_says_its_version_or_is_told_it() {
    let manifest = r#"{"name": "acme/lib"}"#;
    assert!(uploaded(manifest, None, "ab").unwrap_err().to_string().contains("has no version"));
    let (name, version) = uploaded(manifest, Some("2.1"), "ab").unwrap();
    assert_eq!((name.as_str(), version.version_normalized.as_str()), ("acme/lib", "2.1.0.0"));
    assert_eq!(version.metadata["dist"], json!({"type": "zip", "reference": "ab", "shasum": "ab"}));
    let told = r#"{"name": "acme/lib", "version": "2.0"}"#;
    assert!(uploaded(told, Some("2.1"), "ab").unwrap_err().to_string().contains("version 2.0, not 2.1"));
    assert!(uploaded(told, Some("v2.0.0"), "ab").is_ok());
}
