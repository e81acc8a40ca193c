use super::{MAX_RULES_BYTES, Rules};

/// The paths of a list that are kept.
fn kept<'p>(attributes: &str, excludes: &[&str], paths: &[&'p str]) -> Vec<&'p str> {
    let excludes: Vec<String> = excludes.iter().map(|rule| (*rule).to_owned()).collect();
    let rules = Rules::new(Some(attributes.as_bytes()), &excludes);
    paths.iter().copied().filter(|path| rules.keeps(path)).collect()
}

#[test]
fn attributes_of_two_words_count() {
    let attributes = "/tests export-ignore\n# /a export-ignore\n/b -text export-ignore\n\t/c\texport-ignore \r\n/d export-ignore x\n/e\n";
    let paths = ["a", "b", "c", "c/x", "d", "e", "tests/A.php", "src/tests/A.php", "testsuite"];
    assert_eq!(kept(attributes, &[], &paths), ["a", "b", "d", "e", "src/tests/A.php", "testsuite"]);
}

#[test]
fn the_last_rule_that_matches_decides() {
    let paths = ["docs/a.md", "docs/keep.md", "x.log", "keep.log"];
    let attributes = "/docs export-ignore\nkeep.log export-ignore\n*.log export-ignore\nkeep.md -export-ignore\n";
    assert_eq!(kept(attributes, &["!keep.log"], &paths), ["docs/keep.md", "keep.log"]);
    assert_eq!(kept("", &["!docs", "/docs"], &paths), ["x.log", "keep.log"]);
}

#[test]
fn patterns() {
    let table: [(&str, &str, bool); 22] = [
        ("/docs", "docs/x", true),
        ("/docs", "a/docs/x", false),
        ("docs/", "a/docs/x", true),
        ("docs", "docsx", false),
        ("a/b", "x/a/b/c", true),
        ("a/b", "xa/b", true),
        ("*.log", "x.log", true),
        ("*.log", ".log", false),
        ("*.log", "a/b/x.log", true),
        ("/*.log", "a/x.log", false),
        (".*", ".gitignore", true),
        ("?", "a", true),
        ("?", "ab", false),
        ("[ab]c", "bc", true),
        ("[!a]", "!", true),
        ("{a,b}", "x/b", true),
        ("/src/**/x", "src/x", true),
        ("/src/**/x", "src/a/b/x", true),
        ("/src/**/x", "src/.a/x", false),
        ("\\*", "*", true),
        ("\\*", "a", false),
        ("*", ".a", false),
    ];
    for (rule, path, excluded) in table {
        assert_eq!(kept("", &[rule], &[path]).is_empty(), excluded, "{rule} on {path}");
    }
}

#[test]
fn what_is_no_pattern_has_no_effect() {
    for rule in ["[", "a}", "{a", "[z-a]", "[[=a=]]", "[a-[:digit:]]"] {
        let rules = Rules::new(None, &[rule.to_owned()]);
        assert!(rules.keeps("a") && rules.keeps("z"), "{rule}");
        assert_eq!(rules.ignored(), [rule]);
    }
}

#[test]
fn version_control_is_never_archived() {
    assert_eq!(
        kept("", &["!.git"], &[".git/config", "a/.svn/x", "CVS/x", "CVS", ".gitignore", ".github/x"]),
        ["CVS", ".gitignore", ".github/x"]
    );
    let rules = Rules::new(None, &[]);
    assert!(rules.enters("") && rules.enters("a/b") && !rules.enters("a/.hg") && !rules.enters("_darcs/x"));
}

#[test]
fn rules_are_bounded() {
    let hostile = "*".repeat(8_000);
    let rules = Rules::new(None, &[hostile.clone(), hostile.clone(), hostile]);
    assert_eq!(rules.ignored().len(), 1);
    assert!(!rules.keeps(&"a".repeat(200)));
    let attributes = "a export-ignore\n".repeat(MAX_RULES_BYTES);
    assert!(!Rules::new(Some(attributes.as_bytes()), &[]).keeps("a"));
    let nested = ["{".repeat(5_000), "}".repeat(5_000)].concat();
    assert_eq!(Rules::new(None, &[nested]).ignored().len(), 1);
}
