//! Repositories and manifests that nobody would write by hand, the same ones in every run.

use serde_json::{Map, Value, json};

use crate::random::Random;

const WORDS: &[&str] = &[
    "",
    "0",
    "a",
    "b",
    "A",
    "10",
    "9",
    "9a",
    "1e1",
    "1.0",
    " 10",
    "10 ",
    "-1",
    "00",
    "é",
    "漢字",
    "__unset",
    "\u{0}",
    "a b",
    "/x",
    "//x",
    "../x",
    "a/../b",
    "a\\..\\b",
    "..",
    "./",
    "./a/./b",
    "x/",
    "self.version",
    " self.version\n",
    "null",
    "true",
    "*.md",
    "!x",
    "9223372036854775808",
    "9223372036854775809",
    "1.5",
    ".5",
    "5.",
    "1e400",
    "0x1A",
    "\u{2028}</script>",
    "Zürich",
    "z",
];
const CONSTRAINTS: &[&str] = &[
    "*",
    "^1.0",
    "~2.1",
    ">=1 <2 || ^3",
    "1.0.*",
    "dev-main",
    "dev-main#abcdef",
    "dev-x as 1.0.x-dev",
    "self.version",
    "@dev",
    "1.2 - 2.0",
    "",
    " ",
    "not a constraint!!",
    "==1.0",
    "^",
    "1.x-dev",
    "<=2,>1",
    "1.0.0.0.0",
    ">=1.0@beta",
    "!=1.2",
    "|| 1",
    "latest",
    "x/y",
    "1 2",
];
const TARGETS: &[&str] = &[
    "php",
    "ext-json",
    "acme/other",
    "Acme/Other",
    "acme/lib",
    "0",
    "1",
    "12",
    "-5",
    "01",
    "",
    "x y",
    "ACME/OTHER",
    "ünï/x",
];
const TIMES: &[&str] = &[
    "2020-01-01",
    "2020-02-31",
    "2020-13-01",
    "2020-1-2",
    "2020/1/2",
    "1/2/2020",
    "31.12.2019",
    "31-12-2019",
    "2020-01-01 24:00:00",
    "2020-01-01 25:00",
    "2020-01-01T10:11:60Z",
    "2020-01-01 10:11:12.5 +0200",
    "May 5, 2014",
    "5 May 2014",
    "Wed, 12 Feb 2014 10:00:00 +0000",
    "2014-02",
    "May 2014",
    "2014",
    "20140203T101112",
    "20140203",
    "2020-01-01 10am",
    "2020-01-01 10:00 pm",
    "2020-01-01T00:00:00+02:00",
    "2020-01-01 EST",
    "2020-01-00",
    "2020-00-01",
    "0000-00-00",
    "2020-01-01+02:00",
    "2020-01-01 10:00:00 -5",
    "@12",
    "@-12",
    "@1.5",
    "2020-01-01Z",
    " 2020-01-01 ",
    "2020-01-01\n",
    "2020-01-01t10:00:00z",
    "2020-01-01  10:00",
    "2020.01.02",
    "2020.1",
    "10:00 2020-01-01",
    "Feb-12-2014",
    "12-Feb-2014",
    "12feb2014",
    "Monday, 5 May 2014",
    "Tuesday, 5 May 2014",
    "2014-05-05T10:00:00.000000Z",
    "2020-1-2 3:4:5",
    "2020-1-2 3:4",
    "2020-01-01 1004",
    "2020-01-01T1004",
    "2020-01-01 100405",
    "2020-01-01T10",
    "2020-01-01 UTC",
    "2020-01-01 GMT+1",
    "20200102 10:11",
    "20200102101112",
    "May 5th, 2014",
    "2nd May 2014",
    "2014-May-05",
    "2014-5",
    "2020-02-02 02:02:02",
    "garbage",
    "-",
    "2020-01-01 x",
    "2020-01-01 10:61",
    "2020-01-01 10:10:99",
    "2020-01-32",
    "2012-02-29T23:59:59-11:30",
    "12345678901",
    "Sat, 30 Apr 2016 17:52:13 GMT",
    "2016-04-30T17:52:13+0100",
    "2016-04-30 17:52:13 PST",
    "January 1st, 2001 5:30 pm",
    "1.1.2001 05:30",
];

/// The fields that Composer's loader knows.
const FIELDS: &[&str] = &[
    "require",
    "conflict",
    "provide",
    "replace",
    "require-dev",
    "suggest",
    "time",
    "bin",
    "type",
    "extra",
    "autoload",
    "autoload-dev",
    "include-path",
    "archive",
    "scripts",
    "license",
    "authors",
    "description",
    "homepage",
    "keywords",
    "support",
    "funding",
    "abandoned",
    "target-dir",
    "repositories",
    "minimum-stability",
    "readme",
    "default-branch",
    "uid",
    "transport-options",
    "version_normalized",
    "config",
    "php-ext",
];

/// Any JSON value, of the kinds that PHP treats in special ways.
pub fn anything(random: &mut Random, depth: usize) -> Value {
    let kinds = if depth == 0 { 7 } else { 10 };
    match random.below(kinds) {
        0 => Value::Null,
        1 => random.chance(50).into(),
        2 => (*random.pick(&[0_i64, 1, -1, 7, i64::MAX, i64::MIN])).into(),
        3 => (*random.pick(&[0.0, 1.0, -0.5, 1e25, 1.5e-7, 123_456_789_012_345.0, 0.1])).into(),
        4 => (*random.pick(&[u64::MAX, 1 << 63])).into(),
        5 | 6 => (*random.pick(WORDS)).into(),
        7 => (0..random.below(4)).map(|_| anything(random, depth - 1)).collect(),
        8 => object(random, |random| anything(random, depth - 1)),
        _ => {
            // Keys that make a list, or nearly.
            let count = random.below(3);
            let mut fields: Map<_, _> = (0..count).map(|n| (n.to_string(), anything(random, depth - 1))).collect();
            if random.chance(20) {
                fields.insert("00".to_owned(), Value::Null);
            }
            fields.into()
        }
    }
}

fn object(random: &mut Random, mut value: impl FnMut(&mut Random) -> Value) -> Value {
    let mut fields = Map::new();
    for _ in 0..random.below(4) {
        fields.insert((*random.pick(WORDS)).to_owned(), value(random));
    }
    fields.into()
}

fn word(random: &mut Random) -> Value {
    (*random.pick(WORDS)).into()
}

fn list(random: &mut Random) -> Value {
    (0..random.below(6)).map(|_| word(random)).collect()
}

fn links(random: &mut Random) -> Value {
    let mut fields = Map::new();
    for _ in 0..random.below(4) {
        let constraint = if random.chance(90) {
            // The first ten are good.
            let good = random.chance(90);
            (*random.pick(if good { &CONSTRAINTS[..10] } else { CONSTRAINTS })).into()
        } else {
            anything(random, 1)
        };
        let names = if random.chance(90) { &TARGETS[..5] } else { TARGETS };
        fields.insert((*random.pick(names)).to_owned(), constraint);
    }
    fields.into()
}

fn aliases(random: &mut Random) -> Value {
    let mut fields = Map::new();
    for _ in 0..random.below(4) {
        let branch = *random.pick(&["dev-main", "DEV-main", "1.x-dev", "2.0.x-dev", "dev-x", "0"]);
        let target = if random.chance(85) {
            (*random.pick(&["2.x-dev", "1.0.x-dev", "1.5-dev", "dev-foo", "9999999-dev", "nonsense", "-dev", "1.x"]))
                .into()
        } else {
            anything(random, 1)
        };
        fields.insert(branch.to_owned(), target);
    }
    json!({"branch-alias": fields, "more": anything(random, 2)})
}

/// A value of the kind that a field is meant to have.
fn fitting(random: &mut Random, field: &str) -> Value {
    match field {
        "require" | "conflict" | "provide" | "replace" | "require-dev" => links(random),
        "suggest" | "support" | "config" => object(random, word),
        "time" => (*random.pick(TIMES)).into(),
        "bin" | "keywords" | "license" | "include-path" if random.chance(60) => list(random),
        "extra" if random.chance(50) => aliases(random),
        "extra" | "autoload" | "autoload-dev" | "scripts" => object(random, |random| anything(random, 2)),
        "authors" | "funding" | "repositories" => json!([object(random, word), object(random, word)]),
        "archive" => json!({"name": word(random), "exclude": list(random)}),
        "php-ext" => json!({"extension-name": "x"}),
        "type" => (*random.pick(&["library", "Metapackage", "composer-plugin", "0", "", "PHP-EXT", "ÄB"])).into(),
        "abandoned" if random.chance(30) => true.into(),
        "default-branch" => true.into(),
        _ => word(random),
    }
}

/// The text of a `composer.json` with a few fields, some of them wrong, and sometimes broken.
pub fn manifest(random: &mut Random) -> Vec<u8> {
    let mut fields = Map::new();
    fields.insert("name".to_owned(), (*random.pick(&["acme/lib", "Acme/Lib"])).into());
    for _ in 0..random.below(6) {
        let field = *random.pick(FIELDS);
        let value = match random.below(100) {
            0..80 => fitting(random, field),
            80..98 => anything(random, 3),
            _ => Value::Null,
        };
        // PHP makes a time of today of some words, which is another one in each run.
        let value = if field == "time" && value.is_string() { fitting(random, field) } else { value };
        fields.insert(field.to_owned(), value);
    }
    let mut text = if random.chance(50) { serde_json::to_vec(&fields) } else { serde_json::to_vec_pretty(&fields) }
        .expect("maps are written");
    if random.chance(12) {
        damage(random, &mut text);
    }
    text
}

/// Changes the text somewhere.
fn damage(random: &mut Random, text: &mut Vec<u8>) {
    let at = random.below(text.len());
    match random.below(8) {
        0 => text.truncate(at),
        1 => text[at] = *random.pick(b"{}[]\",:0x \n\xFF\x00"),
        2 => text.insert(at, *random.pick(b"{}[]\",:0x \n\xFF\t")),
        3 => drop(text.splice(0..0, b"\xEF\xBB\xBF".iter().copied())),
        4 => text.extend_from_slice(random.pick::<&[u8]>(&[b"  \n".as_slice(), b"x", b"{}", b"\0", b","])),
        5 => {
            // Keys that come twice: PHP takes the last.
            let end = text.len() - 1;
            text.truncate(end);
            text.extend_from_slice(random.pick::<&[u8]>(&[
                br#","description":"one","description":"two"}"#.as_slice(),
                br#","extra":{"a":1,"b":2,"a":{"0":1,"1":2}}}"#,
                br#","description":"\ud83d\ude00 \/ \u00e9"}"#,
                br#","description":"\ud83d"}"#,
                br#","name":"acme/lib",}"#,
                br#","extra":{"x":1E2,"y":1.0,"z":-0.0,"w":[1.0e+2]}}"#,
            ]));
        }
        6 => {
            *text = random
                .pick(&[
                    b"".as_slice(),
                    b" \n",
                    b"{}",
                    b"[]",
                    b"null",
                    b"5",
                    b"\"x\"",
                    b"[1]",
                    b"[\"acme/lib\"]",
                    b"{\"name\":\"acme/lib\"}",
                    b"0",
                ])
                .to_vec()
        }
        _ => {
            let nested = "[".repeat(100) + &"]".repeat(100);
            *text = format!("{{\"name\":\"acme/lib\",\"extra\":{{\"deep\":{nested}}}}}").into_bytes();
        }
    }
}

/// Tags and branches of the kinds that Composer treats in special ways.
pub const TAGS: &[&str] = &[
    "1.0",
    "1.0.0",
    "v1.0.0",
    "V1.0.0",
    "01.0.0",
    "1.0.0.0",
    "release-1.2.0",
    "4.0-release-1",
    "release-4.0-release-1",
    "v1.3.0-beta1",
    "1.3.0-beta.1",
    "3.0.0-RC.1",
    "1.4.0-dev",
    "2.0.0",
    "v2.0.0",
    "2.1.0+b1",
    "2.1.0+b2",
    "foo",
    "1.0.x",
    "acme-lib-1.0.0",
    "release/3.0.0",
    "20240101",
    "2024-01-02",
    "2024.01.02",
    "5.0.0",
    "5.2.0",
    "5.2.0-dev",
    "master",
    "dev-main",
    "1.0-p1",
    "1.0.0-patch1",
    "1.0-alpha",
    "1.0-a",
    "1.0-stable",
    "1.0-stable-dev",
    "10.0",
    "9.0",
    "1.2.3.4.5",
    "1.0@dev",
    "é1.0",
    "1.5.0-DEV",
    "1.0.x-dev",
    "6",
    "v6",
    "trunk",
];
pub const BRANCHES: &[&str] = &[
    "main",
    "master",
    "1.x",
    "v1.x",
    "V2.x",
    "1.0",
    "1.0.x",
    "v1.0",
    "2.0",
    "3.0.0.0",
    "feature/foo",
    "feat#1",
    "a,b",
    "bad|b",
    "dev-x",
    "1.0-dev",
    "20240102",
    "FOO",
    "foo",
    "fix+plus",
    "9999999",
    "foo@bar",
    "^1",
    ">1",
    "a=b",
    "foo*",
    "1",
    "01.x",
    "v3",
    "x",
    "1.2.3.4.5",
    "Ünï-cödé",
    "1.0.x-dev",
    "latest-x",
    "dev-feat",
    "main2",
    "1.9999999",
    "v1.2",
    "vendor",
    "##",
    "a#b#c",
    "2.0@dev",
];

/// A repository of several refs, whose manifests are of the right types.
pub fn repository(random: &mut Random) -> Value {
    let mut files = Map::new();
    let mut times = Map::new();
    let mut commit = |random: &mut Random| {
        let id = format!("{:040x}", random.next());
        files.insert(id.clone(), ordinary_manifest(random).map_or(Value::Null, |text| super::base64(&text).into()));
        times.insert(id.clone(), (1_600_000_000 + random.below(1_000_000)).into());
        Value::from(id)
    };
    let mut names = |random: &mut Random, pool: &[&str], most: usize| -> Map<String, Value> {
        let mut names: Vec<&str> = (0..random.below(most)).map(|_| *random.pick(pool)).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(|name| (name.to_owned(), commit(random))).collect()
    };
    let tags = names(random, TAGS, 10);
    let branches = names(random, BRANCHES, 10);
    let root = branches.keys().nth(random.below(branches.len().max(1))).map_or("main", String::as_str).to_owned();
    json!({"root": root, "tags": tags, "branches": branches, "files": files, "times": times})
}

fn ordinary_manifest(random: &mut Random) -> Option<Vec<u8>> {
    let text = match random.below(20) {
        0 => return None,
        1 => r#"{"name":"acme/lib",}"#,
        2 => "{}",
        3 | 4 => r#"{"description":"no name"}"#,
        5 => r#"{"name":"","description":"empty name"}"#,
        6 => r#"{"name":"other/name","description":"of another name"}"#,
        7 => r#"{"name":"Acme/LIB"}"#,
        8 => r#"{"name":"acme/lib","version":"9.9.9"}"#,
        9 => r#"{"name":"acme/lib","version":"5.0"}"#,
        10 => r#"{"name":"acme/lib","version":"5.2.0-dev"}"#,
        11 => r#"{"name":"acme/lib","version":" 2.0.0 "}"#,
        12 => r#"{"name":"acme/lib","version":"garbage"}"#,
        13 => r#"{"name":"acme/lib","require":{"x/y":"not a constraint!!"}}"#,
        14 => {
            r#"{"name":"acme/lib","default-branch":true,"replace":{"acme/old":"self.version"},"suggest":{"x/y":"self.version"}}"#
        }
        15 => {
            r#"{"name":"acme/lib","source":{"type":"git","url":"x","reference":"y"},"dist":{"type":"zip","url":"x"},"notification-url":"x","installation-source":"dist","uid":5,"transport-options":{"x":1}}"#
        }
        16 => r#"{"name":"acme/lib","time":"2020-02-02"}"#,
        _ => r#"{"name":"acme/lib","type":"library","require":{"php":">=8"}}"#,
    };
    Some(text.as_bytes().to_vec())
}
