//! The reference tables of versions and branches, as Composer computes them.

use super::{InvalidVersion, MAX_VERSION_BYTES, normalize, normalize_branch};

/// Inputs that share a result; an empty result stands for "invalid".
const VERSIONS: &str = "
    1 v1 V1 -> 1.0.0.0
    1.2 -> 1.2.0.0
    v1.2.3 -> 1.2.3.0
    1.2.3.4 -> 1.2.3.4
    01.02.03 -> 01.02.03.0
    1.2.3-stable 1.2.3stable 1.2.3-stable-dev -> 1.2.3.0
    1.2.3-STABLE -> 1.2.3.0-stable
    1.2.3-alpha 1.2.3a -> 1.2.3.0-alpha
    1.2.3-a1 1.2.3-alpha.1 1.2.3-alpha-1 1.2.3-ALPHA1 -> 1.2.3.0-alpha1
    1.2.3-alpha1.2 -> 1.2.3.0-alpha1.2
    1.2.3b2 1.2.3_beta2 1.2.3.beta2 -> 1.2.3.0-beta2
    1.2.3-rc1 -> 1.2.3.0-RC1
    1.0.0RC1 -> 1.0.0.0-RC1
    1.2.3RC.2 1.2.3-RC-2 -> 1.2.3.0-RC2
    1.2.3-RC -> 1.2.3.0-RC
    1.2.3-patch -> 1.2.3.0-patch
    1.2.3-p1 -> 1.2.3.0-patch1
    v2.0.4-p1 -> 2.0.4.0-patch1
    1.2.3pl.3 1.2.3-pl3 -> 1.2.3.0-patch3
    1.2.3-patch.1.2 -> 1.2.3.0-patch1.2
    1.2.3-dev 1.2.3.dev 1.2.3dev 1.2.3-DEV -> 1.2.3.0-dev
    1.2.3-beta1-dev -> 1.2.3.0-beta1-dev
    1.2.3-RC1.dev 1.2.3-rc.1-dev -> 1.2.3.0-RC1-dev
    1.2.3+build5 -> 1.2.3.0
    1.2.3-beta.1+exp.sha -> 1.2.3.0-beta1
    1.0.x-dev -> 1.0.9999999.9999999-dev
    1.x-dev v1.x-dev 1.X-dev -> 1.9999999.9999999.9999999-dev
    1.0.0.x-dev -> 1.0.0.9999999-dev
    1.0-dev 1-dev -> 1.0.0.0-dev
    master -> dev-master
    trunk -> dev-trunk
    default -> dev-default
    dev-main DEV-main -> dev-main
    dev-feature/foo -> dev-feature/foo
    dev-feature#1 -> dev-feature#1
    dev-1.0.x -> dev-1.0.x
    dev- -> dev-
    2024 -> 2024.0.0.0
    2024.01.02 -> 2024.01.02.0
    2024-01-02 -> 2024.01.02
    20240102 -> 20240102
    20240102-1 20240102.1 -> 20240102.1
    20240102203040 -> 20240102203040
    2024-01-02-203040 -> 2024.01.02.203040
    20240102.203040-p1 -> 20240102.203040-patch1
    2019-03-01-rc1 -> 2019.03.01-RC1
    202401.1 -> 202401.1
    99999 -> 99999.0.0.0
    99999.1 -> 99999.1.0.0
    100000 -> 100000
    100000.0.0 -> 100000.0.0
    202401.1.2 -> 202401.1.2
    20100102.0.3 -> 20100102.0.3
    12345678 -> 12345678
    1.123456.0 -> 1.123456.0.0
    2010.1.555 -> 2010.1.555.0
    1.0.0-alpha20240102 -> 1.0.0.0-alpha20240102
    1.0. -> 1.0.0.0
    1.2.3@stable 1.2.3@dev -> 1.2.3.0
    2.x-dev+abc -> 2.9999999.9999999.9999999-dev
    0 0.0 -> 0.0.0.0
    00.0.0 -> 00.0.0.0
    1.0.0.2024 -> 1.0.0.2024
    1.2.3.4-beta -> 1.2.3.4-beta
    1.0.0b -> 1.0.0.0-beta
    1.2.3.4.5 1.2.3+ 1.x 1.0.x 1.* x x-dev main feature/foo-dev 2024_01_02 ->
    1.0.0-0 1.0.0-1 1.0.0-foo 1.0.0-20240102 1.0.0-alpha.beta 1.0.0-rc1-beta1 1.0-SNAPSHOT 1.0.0-pre1 ->
    1.0.0-m1 1.0.0-final 1.0.0-hotfix1 5.0.0-next 4.0.0-nightly.1 release-1.0.0 r1 v a .1 1..0 1,0 ^1.0 ->
    1.0.x-dev#abc 1.0.0c 1.0.0\u{e9} \u{661}.0 ->
";

fn normalized(version: &str) -> Option<String> {
    normalize(version).ok().map(|version| version.to_string())
}

#[test]
fn the_reference_table() {
    for line in VERSIONS.lines().filter(|line| !line.trim().is_empty()) {
        let (versions, expected) = line.split_once("->").expect("an arrow in every line");
        let expected = Some(expected.trim()).filter(|text| !text.is_empty());
        for version in versions.split_whitespace() {
            assert_eq!(normalized(version).as_deref(), expected, "{version}");
        }
    }
}

#[test]
fn versions_with_spaces() {
    let table = [
        ("  1.2.3 ", Some("1.2.3.0")),
        ("1.0.0\n", Some("1.0.0.0")),
        ("dev-main as 1.0.0", Some("dev-main")),
        ("1.0.0  as   2.0", Some("1.0.0.0")),
        ("1.0.0 as 2.0 x", None),
        ("1.0.0 AS 2.0", None),
        ("1.2.3 +b", None),
        ("1.0.0-Beta 1", None),
        ("", None),
        (" ", None),
        // What follows from PHP's `$` and `.`: a line feed before a removed flag, and text on an earlier line.
        ("1.0\n@dev", Some("1.0.0.0")),
        ("x\n1.x-dev", Some("1.9999999.9999999.9999999-dev")),
    ];
    for (version, expected) in table {
        assert_eq!(normalized(version).as_deref(), expected, "{version:?}");
    }
}

#[test]
fn branches() {
    let table: [(&[&str], &str); 14] = [
        (&["main"], "dev-main"),
        (&["FOO"], "dev-FOO"),
        (&["1", "1.x", "1.X", "1.*", "1.x.x", "v1", "v1.x", " 1.x "], "1.9999999.9999999.9999999-dev"),
        (&["V2.x"], "2.9999999.9999999.9999999-dev"),
        (&["1.0", "1.0.x", "1.0.*"], "1.0.9999999.9999999-dev"),
        (&["1.0.0"], "1.0.0.9999999-dev"),
        (&["1.2.3.4"], "1.2.3.4-dev"),
        (&["01.x"], "01.9999999.9999999.9999999-dev"),
        (&["1.0.0.0.0"], "dev-1.0.0.0.0"),
        (&["1.0-beta"], "dev-1.0-beta"),
        (&["1.x-feature"], "dev-1.x-feature"),
        (&["feature/foo"], "dev-feature/foo"),
        (&["9999999"], "9999999.9999999.9999999.9999999-dev"),
        (&["1."], "dev-1."),
    ];
    for (names, expected) in table {
        for name in names {
            assert_eq!(normalize_branch(name).as_str(), expected, "{name}");
        }
    }
}

#[test]
fn hostile_lengths() {
    let long = "1".repeat(MAX_VERSION_BYTES + 1);
    assert_eq!(normalize(&long), Err(InvalidVersion::TooLong(MAX_VERSION_BYTES + 1)));
    let allowed = format!("dev-{}", "a".repeat(MAX_VERSION_BYTES - 4));
    assert_eq!(normalized(&allowed).as_deref(), Some(allowed.as_str()));
    assert_eq!(normalized(&format!("1.{}", "9".repeat(1000))), Some(format!("1.{}.0.0", "9".repeat(1000))));
}
