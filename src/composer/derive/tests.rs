//! The acceptance table for repositories, one small repository a line, and the rules that Composer does not have.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Derivation, MAX_WEIGHT, NoManifest, RefKind, RefSource, Repository, SourceTemplate, derive};
use crate::composer::name::PackageName;

/// A version for people, and normalized.
type Expected = (&'static str, &'static str);

/// What a line is called, the names of refs, and the versions that they are.
type Line = (&'static str, &'static [&'static str], &'static [Expected]);

const GOOD: &str = r#"{"name":"acme/lib"}"#;

fn source(kind: RefKind, name: &str, manifest: &str) -> RefSource {
    RefSource {
        kind,
        name: name.to_owned(),
        commit: format!("commit-of-{name}"),
        time: 1_704_157_445,
        offset: 0,
        blob: manifest.to_owned(),
        manifest: Ok(Arc::from(manifest.as_bytes())),
    }
}

fn tag(name: &str, manifest: &str) -> RefSource {
    source(RefKind::Tag, name, manifest)
}

fn branch(name: &str, manifest: &str) -> RefSource {
    source(RefKind::Branch, name, manifest)
}

fn read(refs: &[RefSource], default_branch: Option<&str>, registered: Option<&str>) -> Derivation {
    let registered = registered.map(|name| PackageName::parse(name).expect("a good name"));
    derive(&Repository {
        refs,
        default_branch,
        in_order: false,
        root: None,
        registered: registered.as_ref(),
        source: Some(SourceTemplate { vcs: "git".to_owned(), url: "https://git.example.org/lib.git".to_owned() }),
    })
}

/// The versions of a repository whose default branch is `main` with a good manifest; that branch is left out.
fn versions(mut refs: Vec<RefSource>) -> Vec<(String, String)> {
    refs.push(branch("main", GOOD));
    let derivation = read(&refs, Some("main"), None);
    assert_eq!(derivation.versions.len() + derivation.skipped.len(), refs.len(), "every ref is accounted for");
    let others = derivation.versions.into_iter().filter(|version| version.ref_name != "refs/heads/main");
    others.map(|version| (version.version, version.version_normalized.to_string())).collect()
}

/// Why the only ref beside a good default branch is skipped.
fn reason(source: RefSource) -> String {
    let refs = [source, branch("main", GOOD)];
    let derivation = read(&refs, Some("main"), None);
    let [skipped] = derivation.skipped.as_slice() else { panic!("one ref is skipped: {derivation:?}") };
    assert_eq!(skipped.ref_name, refs[0].full_name());
    skipped.reason.clone()
}

/// The metadata of a tag with this manifest.
fn metadata(manifest: &str) -> Value {
    let refs = [tag("1.0.0", manifest), branch("main", GOOD)];
    let derivation = read(&refs, Some("main"), None);
    Value::Object(derivation.versions.first().expect("the tag is a version").metadata.clone())
}

#[test]
fn tags_that_are_versions() {
    let table: [Line; 14] = [
        ("A1", &["v1.0.0"], &[("v1.0.0", "1.0.0.0")]),
        ("A2", &["1.1"], &[("1.1", "1.1.0.0")]),
        ("A3", &["release-1.2.0"], &[("1.2.0", "1.2.0.0")]),
        ("A4", &["release-4.0-release-1"], &[]),
        ("A5", &["v1.3.0-beta1"], &[("v1.3.0-beta1", "1.3.0.0-beta1")]),
        ("A6", &["3.0.0-RC.1"], &[("3.0.0-RC.1", "3.0.0.0-RC1")]),
        ("A7", &["1.4.0-dev"], &[]),
        ("A8", &["v2.0.0", "2.0.0"], &[("2.0.0", "2.0.0.0")]),
        ("A9", &["2.1.0+b2", "2.1.0+b1"], &[("2.1.0+b1", "2.1.0.0")]),
        ("A10", &["foo", "1.0.x", "acme-lib-1.0.0", "release/3.0.0"], &[]),
        ("A11", &["20240101"], &[("20240101", "20240101")]),
        ("equal numbers", &["1.0.0", "01.0.0", "V1.0.0", "v1.0"], &[("01.0.0", "01.0.0.0")]),
        ("one date", &["v2024-01-02", "2024-01-02", "2024.01-02"], &[("2024-01-02", "2024.01.02")]),
        ("dates", &["2024-01-02", "2024-01-02-1"], &[("2024-01-02", "2024.01.02"), ("2024-01-02-1", "2024.01.02.1")]),
    ];
    for (case, tags, expected) in table {
        let found = versions(tags.iter().map(|name| tag(name, GOOD)).collect());
        let expected: Vec<_> = expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(found, expected, "{case}");
    }
}

#[test]
fn a_manifest_of_a_tag_may_name_its_version() {
    let table: [(&str, &str, &str, Option<Expected>); 6] = [
        ("A13", "5.0.0", "9.9.9", None),
        ("A14", "v5.1.0", "5.1", Some(("5.1", "5.1.0.0"))),
        ("A15", "5.2.0", "5.2.0-dev", Some(("5.2.0", "5.2.0.0"))),
        ("A16", "5.3.0", "garbage", None),
        ("blanks", "5.4.0", " 5.4.0 ", Some((" 5.4.0 ", "5.4.0.0"))),
        ("empty", "5.5.0", "", None),
    ];
    for (case, name, version, expected) in table {
        let found = versions(vec![tag(name, &json!({"name": "acme/lib", "version": version}).to_string())]);
        let expected: Vec<_> = expected.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        assert_eq!(found, expected, "{case}");
    }
    assert_eq!(
        reason(tag("1.0", r#"{"name":"a/b","version":[1]}"#)),
        "tag 1.0: \"version\" in composer.json must be a string"
    );
    for (name, written, version) in
        [("11", "11", "11"), ("1.5", "1.5", "1.5"), ("2.0", "2.0", "2"), ("v1", "true", "1")]
    {
        let found = versions(vec![tag(name, &format!(r#"{{"name":"a/b","version":{written}}}"#))]);
        assert_eq!(found.iter().map(|(version, _)| version.as_str()).collect::<Vec<_>>(), [version], "{written}");
    }
}

#[test]
fn the_reference_is_the_commit() {
    // A12; peeling annotated tags is the reader's.
    let found = metadata(GOOD);
    assert_eq!(
        found["source"],
        json!({"type": "git", "url": "https://git.example.org/lib.git", "reference": "commit-of-1.0.0"})
    );
}

#[test]
fn the_default_branch_names_every_version() {
    // A17, A18, and a name in capitals.
    for manifest in [r#"{"name":"other/name"}"#, r#"{"type":"library"}"#, r#"{"name":"ACME/lib"}"#] {
        assert_eq!(metadata(manifest)["name"], "acme/lib");
    }
    let refs = [tag("1.0", GOOD), branch("main", r#"{"name":"Acme/Lib"}"#)];
    let derivation = read(&refs, Some("main"), Some("acme/before"));
    assert_eq!(derivation.name.expect("a name").as_str(), "acme/lib");
    assert_eq!(derivation.versions[0].metadata["name"], "Acme/Lib");
}

#[test]
fn without_a_name_on_the_default_branch_each_ref_has_its_own() {
    let refs = [
        tag("1.0", GOOD),
        tag("2.0", r#"{"name":"acme/other"}"#),
        tag("3.0", r#"{"type":"library"}"#),
        branch("main", r#"{"type":"library"}"#),
    ];
    for (registered, expected) in [(None, "acme/lib"), (Some("acme/other"), "acme/other")] {
        let derivation = read(&refs, Some("main"), registered);
        let names: Vec<_> = derivation.versions.iter().map(|version| &version.metadata["name"]).collect();
        assert_eq!(names, [expected]);
        assert_eq!(derivation.name.expect("a name").as_str(), expected);
        assert_eq!(derivation.skipped.len(), 3);
    }
    let nothing = read(&refs, Some("main"), Some("acme/third"));
    assert!(nothing.name.is_none() && nothing.versions.is_empty());
}

#[test]
fn an_invalid_name_on_the_default_branch_stops_everything() {
    let refs = [tag("1.0", GOOD), branch("main", r#"{"name":"acme"}"#)];
    let derivation = read(&refs, Some("main"), None);
    assert!(derivation.versions.is_empty() && derivation.name.is_none());
    assert!(
        derivation.skipped[0].reason.starts_with("tag 1.0: the default branch's composer.json has an invalid name: ")
    );
}

#[test]
fn manifests_that_cannot_be_read() {
    // A19, A32.
    let table = [
        ("{\"name\":\"acme/lib\",}", "composer.json is not valid JSON: trailing comma at line 1 column 20"),
        ("\u{feff}{}", "composer.json starts with a byte order mark: save it as UTF-8 without BOM"),
        ("{}", "composer.json is empty: it needs at least a name"),
        ("[]", "composer.json is empty: it needs at least a name"),
        (" \n", "composer.json is empty: it needs at least a name"),
    ];
    for (manifest, expected) in table {
        assert_eq!(reason(tag("1.0", manifest)), format!("tag 1.0: {expected}"));
        assert_eq!(reason(branch("x", manifest)), format!("branch x: {expected}"));
    }
    let table = [
        (NoManifest::Missing, "there is no composer.json"),
        (NoManifest::NotAFile, "composer.json is not a file"),
        (NoManifest::TooLarge { bytes: 5 }, "composer.json has 5 bytes; at most 1048576 are read"),
        (NoManifest::NotACommit, "it does not name a commit"),
    ];
    for (missing, expected) in table {
        let source = RefSource { manifest: Err(missing), blob: String::new(), ..branch("x", "") };
        assert_eq!(reason(source), format!("branch x: {expected}"));
    }
}

#[test]
fn links() {
    // A20, A33.
    let bad = r#"{"name":"acme/lib","require":{"x/y":"not a constraint!!"}}"#;
    for source in [tag("1.0", bad), branch("x", bad)] {
        assert!(reason(source).contains("\"not a constraint!!\" of \"x/y\" in \"require\" cannot be parsed"));
    }
    // A21.
    let found = metadata(r#"{"name":"acme/lib","require":{"x/y":123,"X/Z":"self.version"}}"#);
    assert_eq!(found["require"], json!({"x/z": "self.version"}));
    let numeric = reason(tag("1.0", r#"{"name":"acme/lib","conflict":{"12":"*"}}"#));
    assert_eq!(
        numeric,
        "tag 1.0: \"conflict\" names a package \"12\": it must be an object of package names and constraints"
    );
}

#[test]
fn dates() {
    // A22, A23.
    assert_eq!(metadata(r#"{"name":"acme/lib","time":"2020-01-01"}"#)["time"], "2020-01-01T00:00:00+00:00");
    assert_eq!(metadata(GOOD)["time"], "2024-01-02T01:04:05+00:00");
    assert_eq!(metadata(r#"{"name":"acme/lib","time":"some day"}"#).get("time"), None);
}

#[test]
fn branches_that_are_versions() {
    let table: [Line; 8] = [
        (
            "A26",
            &["1.0", "1.x", "v2.x", "3.0.0.0"],
            &[
                ("1.0.x-dev", "1.0.9999999.9999999-dev"),
                ("1.x-dev", "1.9999999.9999999.9999999-dev"),
                ("3.0.0.0-dev", "3.0.0.0-dev"),
                ("v2.x-dev", "2.9999999.9999999.9999999-dev"),
            ],
        ),
        ("A27", &["9.x"], &[("9.x-dev", "9.9999999.9999999.9999999-dev")]),
        ("A28", &["feature/foo"], &[("dev-feature/foo", "dev-feature/foo")]),
        ("A29", &["feat#1"], &[("dev-feat+1", "dev-feat+1")]),
        ("A30", &["a,b", "bad|b"], &[]),
        ("A36", &["v1.0", "1.0.x", "1.0"], &[("1.0.x-dev", "1.0.9999999.9999999-dev")]),
        ("refused by Composer's driver", &["-x", "x/HEAD", "a b"], &[]),
        ("case", &["foo", "FOO"], &[("dev-FOO", "dev-FOO"), ("dev-foo", "dev-foo")]),
    ];
    for (case, branches, expected) in table {
        let found = versions(branches.iter().map(|name| branch(name, GOOD)).collect());
        let expected: Vec<_> = expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(found, expected, "{case}");
    }
    // A31.
    let found = versions(vec![branch("x", r#"{"name":"acme/lib","version":"3.3.3"}"#)]);
    assert_eq!(found, [("dev-x".to_owned(), "dev-x".to_owned())]);
}

#[test]
fn the_default_branch_is_marked() {
    // A24, A34, A35; A25 and A27 are the client's doing, from `extra`.
    for head in ["main", "2.x", "foo"] {
        let refs = ["main", "2.x", "foo"].map(|name| branch(name, GOOD));
        let derivation = read(&refs, Some(head), None);
        let marked: Vec<_> = derivation.versions.iter().map(|version| version.default_branch).collect();
        assert_eq!(marked, [true, false, false], "{head} comes first, and no other is marked");
        assert_eq!(derivation.versions[0].ref_name, format!("refs/heads/{head}"));
        assert_eq!(derivation.versions[0].metadata["default-branch"], true);
        assert!(derivation.versions.iter().all(|version| version.dev));
    }
    let of_two = [branch("1.0", GOOD), branch("1.0.x", GOOD)];
    assert_eq!(read(&of_two, Some("1.0.x"), None).versions[0].ref_name, "refs/heads/1.0.x");
    // Tags never are, whatever their manifest says.
    assert_eq!(metadata(r#"{"name":"acme/lib","default-branch":true}"#).get("default-branch"), None);
}

#[test]
fn nothing_to_publish() {
    // A41.
    let refs = [RefSource { manifest: Err(NoManifest::Missing), ..tag("1.0", "") }];
    let derivation = read(&refs, Some("main"), Some("acme/lib"));
    assert!(derivation.versions.is_empty() && derivation.name.is_none() && derivation.skipped.len() == 1);
}

#[test]
fn what_the_server_says_is_not_taken_from_manifests() {
    // A42.
    let found = metadata(
        r#"{"name":"acme/lib","source":{"type":"git","url":"x","reference":"y"},"dist":{"type":"zip","url":"x"},"uid":1,
            "notification-url":"x","installation-source":"dist","transport-options":{"a":1},"default-branch":true}"#,
    );
    assert_eq!(found, metadata(GOOD));
}

#[test]
fn what_would_stop_clients_is_skipped() {
    let table = [
        (
            r#"{"name":"acme/lib","bin":"../x"}"#,
            "branch x: \"bin\" in composer.json names \"../x\": paths with \"..\" are refused by Composer",
        ),
        (r#"{"name":"acme/lib","type":5}"#, "branch x: \"type\" in composer.json must be a string, not a number"),
        (
            r#"{"name":"acme/lib","extra":{"branch-alias":{"dev-x":5}}}"#,
            "branch x: \"extra.branch-alias\" in composer.json must contain strings only, such as \"dev-main\": \"2.x-dev\"",
        ),
    ];
    for (manifest, expected) in table {
        assert_eq!(reason(branch("x", manifest)), expected);
    }
    // An alias before the wrong one ends the search.
    let found =
        versions(vec![branch("x", r#"{"name":"acme/lib","extra":{"branch-alias":{"dev-x":"2.x-dev","dev-y":5}}}"#)]);
    assert_eq!(found.len(), 1);
}

#[test]
fn a_repository_of_giants_is_cut_off() {
    let values = vec![0; 45_000];
    let manifest = json!({"name": "acme/lib", "extra": values}).to_string();
    let refs: Vec<_> = (0..60).map(|n| tag(&format!("1.{n}"), &manifest)).collect();
    let derivation = read(&refs, Some("main"), None);
    let most = MAX_WEIGHT / (45_000 * 100);
    assert!(!derivation.versions.is_empty() && derivation.versions.len() <= most);
    assert!(derivation.skipped[0].reason.ends_with("the repository's versions together are larger than is published"));
}

#[test]
fn names_that_do_not_count_are_noted() {
    let other = r#"{"name": "Acme/Former"}"#;
    let refs =
        [tag("1.0.0", other), tag("1.1.0", other), tag("2.0.0", r#"{"version": "2.0.0"}"#), branch("main", GOOD)];
    let derivation = read(&refs, Some("main"), None);
    assert_eq!(derivation.versions.len(), 4, "{:?}", derivation.skipped);
    let noted: Vec<_> = derivation.other_names.into_iter().collect();
    assert_eq!(noted, [("acme/former".to_owned(), (2, "refs/tags/1.0.0".to_owned()))]);
}
