use serde_json::{Value, json};

use super::{
    ConstraintMemory, Identity, MAX_BYTES, MAX_DEPTH, MAX_VALUES, Manifest, ManifestError, Source, format_rfc3339,
    parse_time,
};

fn load(manifest: Value) -> Result<Value, String> {
    let manifest = Manifest::parse(manifest.to_string().as_bytes()).map_err(|error| error.to_string())?;
    let identity = Identity {
        name: "acme/lib",
        version: "1.0.0",
        version_normalized: "1.0.0.0",
        default_branch: false,
        source: Source { place: Some(("git", "u")), reference: "r" },
        committed: 0,
        offset: 0,
    };
    let loaded = manifest.load(&identity, &mut ConstraintMemory::default()).map_err(|error| error.to_string())?;
    Ok(Value::Object(loaded.metadata))
}

fn field(name: &str, value: Value) -> Option<Value> {
    load(json!({ "name": "acme/lib", name: value })).expect("a good manifest").get(name).cloned()
}

#[test]
fn limits() {
    let large = format!("{{\"name\":\"{}\"}}", "a".repeat(MAX_BYTES));
    assert_eq!(Manifest::parse(large.as_bytes()), Err(ManifestError::TooLarge { bytes: large.len() }));
    let nested = |depth: usize| format!("{}{}{}", "[".repeat(depth), 1, "]".repeat(depth));
    assert!(Manifest::parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    for depth in [MAX_DEPTH + 1, 127, 128, 100_000] {
        let error = Manifest::parse(nested(depth).as_bytes()).expect_err("too deep").to_string();
        assert!(error.contains("nested deeper than 120 levels"), "{error}");
    }
    let many = format!("[{}1]", "1,".repeat(MAX_VALUES));
    let error = Manifest::parse(many.as_bytes()).expect_err("too many").to_string();
    assert!(error.contains("more than 50000 values"), "{error}");
}

#[test]
fn what_is_no_json_is_said_with_its_place() {
    let table: [(&[u8], &str); 4] = [
        (b"{\"a\":\n  1,\n}", "composer.json is not valid JSON: trailing comma at line 3 column 1"),
        (b"{\"a\":\"\xff\"}", "composer.json is not UTF-8: the byte at offset 6 does not belong there"),
        (b"{} x", "composer.json is not valid JSON: trailing characters at line 1 column 4"),
        (
            br#"{"$serde_json::private::RawValue":"1"}"#,
            "composer.json cannot be published: the key \"$serde_json::private::RawValue\" is reserved",
        ),
    ];
    for (bytes, expected) in table {
        let error = Manifest::parse(bytes).expect_err("an error").to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn names() {
    let name = |text: &str| Manifest::parse(text.as_bytes()).expect("JSON").name().map(str::to_owned);
    assert_eq!(name(r#"{"name":"Acme/Lib"}"#).as_deref(), Some("Acme/Lib"));
    for nameless in [r#"{"name":""}"#, r#"{"name":"0"}"#, r#"{"name":5}"#, r#"{"name":null}"#, r#"["name"]"#] {
        assert_eq!(name(nameless), None, "{nameless}");
    }
}

#[test]
fn php_reads_arrays_its_own_way() {
    assert_eq!(field("extra", json!({"0": "a", "1": {"0": 1}})), Some(json!(["a", [1]])));
    assert_eq!(field("extra", json!({"1": "a"})), Some(json!({"1": "a"})));
    assert_eq!(field("extra", json!({"00": "a"})), Some(json!({"00": "a"})));
    assert_eq!(field("extra", json!({})), None);
    assert_eq!(field("extra", json!("text")), None);
    assert_eq!(
        field("extra", json!([1.0, 18_446_744_073_709_551_615_u64])),
        Some(json!([1.0, 18_446_744_073_709_551_615.0]))
    );
}

#[test]
fn fields_that_change_their_form() {
    let table = [
        ("keywords", json!(["b", "a", "b", "10", "9", 1.5, true]), Some(json!(["1", "1.5", "9", "10", "a", "b", "b"]))),
        ("keywords", json!("text"), None),
        ("license", json!("MIT"), Some(json!(["MIT"]))),
        ("license", json!(["MIT", "0BSD"]), Some(json!(["MIT", "0BSD"]))),
        ("type", json!("Composer-Plugin"), Some(json!("composer-plugin"))),
        ("type", json!(""), Some(json!("library"))),
        ("type", json!(null), Some(json!("library"))),
        ("bin", json!("//bin/x"), Some(json!(["bin/x"]))),
        ("bin", json!({"a": "/x"}), Some(json!({"a": "x"}))),
        ("target-dir", json!("../a/./b"), Some(json!("a/b"))),
        ("description", json!("0"), None),
        ("description", json!(5), None),
        ("abandoned", json!("acme/new"), Some(json!("acme/new"))),
        ("abandoned", json!(1), Some(json!(true))),
        ("abandoned", json!("0"), None),
        ("scripts", json!({"a": "x", "b": null, "c": ["y"]}), Some(json!({"a": ["x"], "b": [], "c": ["y"]}))),
        ("suggest", json!({"x/y": " self.version\n", "a/b": "why"}), Some(json!({"a/b": "why", "x/y": "1.0.0"}))),
        ("archive", json!({"name": "", "exclude": ["/x"], "other": 1}), Some(json!({"exclude": ["/x"]}))),
        (
            "require",
            json!({"B/B": "^1", "a/a": "*", "acme/lib": "*"}),
            Some(json!({"a/a": "*", "acme/lib": "*", "b/b": "^1"})),
        ),
        ("repositories", json!([{"type": "vcs"}]), None),
    ];
    for (name, value, expected) in table {
        assert_eq!(field(name, value.clone()), expected, "{name}: {value}");
    }
}

#[test]
fn types_that_composer_cannot_take() {
    for (name, value) in [
        ("type", json!(5)),
        ("target-dir", json!(["x"])),
        ("bin", json!([["x"]])),
        ("bin", json!(true)),
        ("autoload", json!("src/")),
        ("include-path", json!("lib/")),
        ("support", json!("https://example.org")),
        ("suggest", json!({"a/b": 5})),
        ("time", json!(1_500_000_000)),
        ("archive", json!({"exclude": "x"})),
        ("keywords", json!([["nested"]])),
    ] {
        let error = load(json!({ "name": "acme/lib", name: value })).expect_err(name);
        assert!(error.contains(&format!("\"{name}")) && error.contains(" must be "), "{error}");
    }
}

#[test]
fn extensions_keep_what_their_installer_needs() {
    let extension = load(json!({"name": "a/b", "type": "php-ext", "php-ext": {"extension-name": "x"}})).expect("good");
    assert_eq!(extension["php-ext"], json!({"extension-name": "x"}));
    assert_eq!(field("php-ext", json!({"extension-name": "x"})), None);
}

#[test]
fn dates() {
    assert_eq!(format_rfc3339(0), "1970-01-01T00:00:00+00:00");
    assert_eq!(format_rfc3339(-1), "1969-12-31T23:59:59+00:00");
    assert_eq!(format_rfc3339(951_782_400), "2000-02-29T00:00:00+00:00");
    assert_eq!(format_rfc3339(253_402_300_800), "10000-01-01T00:00:00+00:00");
    for extreme in [i64::MIN, i64::MAX] {
        assert!(!format_rfc3339(extreme).is_empty());
    }
    assert_eq!(parse_time("2024-01-02T03:04:05+02:00"), Some(1_704_157_445));
    assert_eq!(parse_time("1704157445"), Some(1_704_157_445));
    assert_eq!(parse_time("Tue, 02 Jan 2024 01:04:05 GMT"), Some(1_704_157_445));
    for unreadable in ["", "soon", "2024-13-01", "2024-01-02 25:00", "99999999999999999999", "2024-01-02 2024-01-02"] {
        assert_eq!(parse_time(unreadable), None, "{unreadable}");
    }
}

#[test]
fn an_order_with_cycles_is_no_danger() {
    let words: Vec<_> = (0..2_000).map(|n| format!("{}{}", n % 37, ["", "a", "e1", "."][n % 4])).collect();
    let found = field("keywords", json!(words)).expect("keywords");
    assert_eq!(found.as_array().map(Vec::len), Some(words.len()));
}
