use serde_json::{Value, json};

use super::{Abandoned, DocumentError, Half, Package, render, versions_of};
use crate::composer::minify::Version;
use crate::composer::name::PackageName;

fn version(version: &str, normalized: &str, more: Value) -> Version {
    let mut metadata = json!({
        "name": "acme/lib", "version": version, "version_normalized": normalized,
        "source": {"type": "git", "url": "u", "reference": format!("ref-{version}")}, "type": "library",
    });
    let (Value::Object(fields), Value::Object(more)) = (metadata.take(), more) else { panic!("objects") };
    fields.into_iter().chain(more).collect()
}

fn rendered(versions: &[Version], half: Half, dist: Option<&str>, abandoned: Option<&Abandoned>) -> String {
    let name = PackageName::parse("acme/lib").expect("a good name");
    let versions: Vec<&Version> = versions.iter().collect();
    let package = Package { name: &name, versions: &versions, dist_prefix: dist, abandoned };
    String::from_utf8(render(&package, half)).expect("JSON is UTF-8")
}

fn listed(document: &str) -> Vec<String> {
    let versions = versions_of(document.as_bytes()).expect("a document");
    versions.iter().map(|version| version["version"].as_str().expect("text").to_owned()).collect()
}

#[test]
fn a_known_package_without_versions_has_an_empty_list() {
    let empty = r#"{"minified":"composer/2.0","packages":{"acme/lib":[]}}"#;
    assert_eq!(rendered(&[], Half::Releases, None, None), empty);
    assert_eq!(rendered(&[version("1.0", "1.0.0.0", json!({}))], Half::Development, None, None), empty);
}

#[test]
fn each_half_lists_its_own_newest_first() {
    let versions = [
        version("1.0.0", "1.0.0.0", json!({})),
        version("dev-old", "dev-old", json!({"time": "2020-01-01T00:00:00+00:00"})),
        version("1.x-dev", "1.9999999.9999999.9999999-dev", json!({})),
        version("2.0.0-beta1", "2.0.0.0-beta1", json!({})),
        version("dev-new", "dev-new", json!({"time": "2021-01-01T00:00:00+00:00"})),
        version("dev-main", "dev-main", json!({"default-branch": true})),
        version("dev-next", "dev-next", json!({"extra": {"branch-alias": {"dev-next": "3.x-dev"}}})),
        version("1.0.0 again", "1.0.0.0", json!({})),
    ];
    assert_eq!(listed(&rendered(&versions, Half::Releases, None, None)), ["2.0.0-beta1", "1.0.0"]);
    let development = listed(&rendered(&versions, Half::Development, None, None));
    assert_eq!(development, ["dev-main", "dev-next", "1.x-dev", "dev-new", "dev-old"]);
}

#[test]
fn archives_and_abandonment_are_added() {
    let versions = [
        version("1.1", "1.1.0.0", json!({"abandoned": true})),
        version("1.0", "1.0.0.0", json!({"dist": {"type": "tar", "url": "kept"}, "description": "a/b \u{e9}"})),
    ];
    let text = rendered(
        &versions,
        Half::Releases,
        Some("https://h/dists/acme/lib/"),
        Some(&Abandoned::For("acme/new".to_owned())),
    );
    assert_eq!(
        text,
        concat!(
            r#"{"minified":"composer/2.0","packages":{"acme/lib":[{"name":"acme/lib","version":"1.1","version_normalized":"1.1.0.0","#,
            r#""source":{"type":"git","url":"u","reference":"ref-1.1"},"#,
            r#""dist":{"type":"zip","url":"https://h/dists/acme/lib/%reference%.zip","reference":"ref-1.1","shasum":""},"#,
            r#""type":"library","abandoned":"acme/new"},"#,
            r#"{"version":"1.0","version_normalized":"1.0.0.0","source":{"type":"git","url":"u","reference":"ref-1.0"},"#,
            r#""dist":{"type":"tar","url":"kept"},"description":"a/b é"}]}}"#
        )
    );
    assert!(rendered(&versions, Half::Releases, None, Some(&Abandoned::Plainly)).contains(r#""abandoned":true"#));
}

#[test]
fn documents_of_other_servers_are_read() {
    let of = |text: &str| versions_of(text.as_bytes());
    assert_eq!(of(r#"{"packages":[]}"#).expect("empty"), []);
    let plain = of(r#"{"packages":{"a/b":{"1.0":{"version":"1.0"},"2.0":{"version":"2.0"}}}}"#).expect("by version");
    assert_eq!(plain.len(), 2);
    let unminified = of(r#"{"packages":{"a/b":[{"version":"1","x":1},{"version":"2"}]}}"#).expect("plain");
    assert_eq!(unminified[1].get("x"), None);
    for bad in [r#"{"packages":5}"#, r#"{"packages":{"a/b":[5]}}"#, "[]"] {
        assert!(matches!(of(bad), Err(DocumentError::NoVersions)), "{bad}");
    }
    assert!(matches!(of("{"), Err(DocumentError::NotJson(_))));
}

#[test]
fn what_stands_for_nothing_is_no_version() {
    let odd = [version("1.0", "__unset", json!({})), version("2.0", "2.0.0.0", json!({"version": "__unset"}))];
    assert!(listed(&rendered(&odd, Half::Releases, None, None)).is_empty());
}

#[test]
fn little_that_stands_for_gigabytes_is_refused() {
    let fields: Vec<String> = (0..2_000).map(|number| format!("\"{number}\":1")).collect();
    let versions = format!("{{{}}}{}", fields.join(","), ",{}".repeat(10_000));
    let document = format!(r#"{{"minified":"composer/2.0","packages":{{"acme/lib":[{versions}]}}}}"#);
    assert!(matches!(versions_of(document.as_bytes()), Err(DocumentError::TooLarge(_))));
}
