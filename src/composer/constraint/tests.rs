//! Constraints as Composer parses and matches them.

use super::{Constraint, InvalidConstraint, MAX_CONSTRAINT_BYTES};
use crate::composer::version::normalize;

fn parsed(text: &str) -> String {
    Constraint::parse(text).map_or_else(|_| "INVALID".to_owned(), |constraint| constraint.to_string())
}

#[test]
fn text_forms() {
    let table = [
        ("*", "*"),
        ("@dev", "*"),
        ("x.x", ">= 0.0.0.0-dev"),
        ("v*", ">= 0.0.0.0-dev"),
        ("1.2.3", "== 1.2.3.0"),
        ("=1.2.3", "== 1.2.3.0"),
        ("==1.2.3", "== 1.2.3.0"),
        ("<>1.2", "!= 1.2.0.0"),
        ("!= 1.2", "!= 1.2.0.0"),
        (">1.0", "> 1.0.0.0"),
        (">=1.0", ">= 1.0.0.0-dev"),
        ("<=1.0", "<= 1.0.0.0"),
        ("<1.0", "< 1.0.0.0-dev"),
        (">=1.0@beta", ">= 1.0.0.0-beta"),
        (">=1.0@stable", ">= 1.0.0.0-dev"),
        (">=1.0-RC1", ">= 1.0.0.0-RC1-dev"),
        (">=1.0-beta1", ">= 1.0.0.0-beta1"),
        ("1.0@dev", "== 1.0.0.0"),
        ("~1.2", "[>= 1.2.0.0-dev < 2.0.0.0-dev]"),
        ("~1.2.3", "[>= 1.2.3.0-dev < 1.3.0.0-dev]"),
        ("~1", "[>= 1.0.0.0-dev < 2.0.0.0-dev]"),
        ("~1.2-beta2", "[>= 1.2.0.0-beta2 < 2.0.0.0-dev]"),
        ("~2.0.x-dev", "[>= 2.0.9999999.9999999-dev < 2.1.0.0-dev]"),
        ("^1.2.3", "[>= 1.2.3.0-dev < 2.0.0.0-dev]"),
        ("^0.2.3", "[>= 0.2.3.0-dev < 0.3.0.0-dev]"),
        ("^0.0.3", "[>= 0.0.3.0-dev < 0.0.4.0-dev]"),
        ("^0.0", "[>= 0.0.0.0-dev < 0.1.0.0-dev]"),
        ("^0", "[>= 0.0.0.0-dev < 1.0.0.0-dev]"),
        ("1.2.*", "[>= 1.2.0.0-dev < 1.3.0.0-dev]"),
        ("1.x", "[>= 1.0.0.0-dev < 2.0.0.0-dev]"),
        ("0.*", "< 1.0.0.0-dev"),
        ("1.0 - 2.0", "[>= 1.0.0.0-dev < 2.1.0.0-dev]"),
        ("1.0 - 2.0.0", "[>= 1.0.0.0-dev <= 2.0.0.0]"),
        ("1.0-beta - 2", "[>= 1.0.0.0-beta < 3.0.0.0-dev]"),
        (">=1.0 <2.0", "[>= 1.0.0.0-dev < 2.0.0.0-dev]"),
        (">= 1.0, < 2.0", "[>= 1.0.0.0-dev < 2.0.0.0-dev]"),
        ("^1.0 || ^2.0 | ^3.0", "[>= 1.0.0.0-dev < 4.0.0.0-dev]"),
        ("^1.0 || ^3.0", "[[>= 1.0.0.0-dev < 2.0.0.0-dev] || [>= 3.0.0.0-dev < 4.0.0.0-dev]]"),
        ("1.0 || dev-main", "[== 1.0.0.0 || == dev-main]"),
        ("dev-main#abc", "== dev-main"),
        ("1.x-dev#abc", "== 1.9999999.9999999.9999999-dev"),
        ("dev-main as 1.0", "== dev-main"),
        ("foobar-dev", "== dev-foobar"),
        (">foobar-dev", "> dev-foobar"),
        ("~1.99999999999999999999.1", "[>= 1.99999999999999999999.1.0-dev < 1.1.0E+20.0.0-dev]"),
    ];
    for (text, expected) in table {
        assert_eq!(parsed(text), expected, "{text}");
    }
}

#[test]
fn what_composer_refuses() {
    for text in [
        "",
        " ",
        "||",
        "1.0 ||",
        "^",
        "~",
        "not a constraint!!",
        "^1.0,,^2.0",
        "1.0,",
        ">",
        "feature/a b-dev",
        "1.0  - 2.0",
        "^1.0.0.0.0",
        "foo",
    ] {
        assert_eq!(Constraint::parse(text).map(|constraint| constraint.to_string()).ok(), None, "{text:?}");
    }
    assert_eq!(Constraint::parse("~>1.0"), Err(InvalidConstraint::TildeGreater("~>1.0".into())));
    let long = "1.0,".repeat(MAX_CONSTRAINT_BYTES / 4 + 1);
    assert_eq!(Constraint::parse(&long), Err(InvalidConstraint::TooLong(long.len())));
}

#[test]
fn matching() {
    let table = [
        ("^1.2", "1.2.0", true),
        ("^1.2", "1.9.9", true),
        ("^1.2", "2.0.0", false),
        ("^1.2", "2.0.0-beta1", false),
        ("^1.2", "1.2.0-alpha", true),
        ("^1.2", "1.x-dev", true),
        ("^1.2", "dev-main", false),
        ("*", "dev-main", true),
        ("dev-main", "dev-main", true),
        ("dev-main", "dev-Main", false),
        ("!=dev-main", "dev-main", false),
        ("!=dev-main", "1.0", true),
        ("!=1.0", "dev-main", true),
        (">dev-a", "dev-b", false),
        (">=0", "dev-main", false),
        (">=1,<1.5||>=2,<2.5", "1.4.9", true),
        (">=1,<1.5||>=2,<2.5", "1.5", false),
        (">=1,<1.5||>=2,<2.5", "2.0", true),
        ("1.0", "01.0", true),
    ];
    for (constraint, version, expected) in table {
        let matches = Constraint::parse(constraint).expect(constraint).matches(&normalize(version).expect(version));
        assert_eq!(matches, expected, "{constraint} {version}");
    }
}

#[test]
fn hostile_texts_take_linear_time() {
    // With a pass over the text for each of its marks, these would take minutes.
    for unit in ["1#", "dev-a#", " ", "-", " -", "1,", "|", "as ", "a@", "1.0 - ", "~1+", "*.", "\n", "1.x-dev#"] {
        let text = unit.repeat(MAX_CONSTRAINT_BYTES / unit.len());
        let _ = parsed(&text);
        let _ = parsed(&format!("dev-{text}@"));
    }
    let Err(error) = Constraint::parse(&"foo-".repeat(1000)) else { panic!("accepted") };
    assert!(error.to_string().len() < 500, "the message quotes the beginning only");
}
