//! `.gitattributes` and `archive.exclude`: any rules can be matched against any path, and version control stays out.

use packagist_selfhosted::composer::archive::{MAX_RULES, Rules};

/// The input is a `.gitattributes`, and behind a line of `----` the lines of `archive.exclude`, and behind another one paths.
pub fn check(data: &[u8]) {
    let (attributes, rest) = super::first_part(data);
    let (excludes, paths) = super::first_part(rest);
    let lines =
        |part: &[u8]| -> Vec<String> { String::from_utf8_lossy(part).lines().take(200).map(str::to_owned).collect() };
    let (excludes, mut paths) = (lines(excludes), lines(paths));
    paths.extend(["a", "src/A.php", "tests/a/b/c.php", ".github/x", "a b/[x]{y}"].map(str::to_owned));
    let rules = Rules::new(Some(attributes), &excludes);
    assert!(rules.ignored().len() <= MAX_RULES && rules.ignored().iter().all(|rule| rule.len() <= 600));
    let nothing = Rules::new(None, &[]);
    // What matching costs is the product of both, so one path in full and the others in short.
    for (at, path) in paths.iter().enumerate().take(20) {
        let longest = if at == 0 { 4096 } else { 64 };
        let path: String = path.chars().take(longest).collect();
        let kept = rules.keeps(&path);
        assert!(!kept || nothing.keeps(&path), "no rule brings {path:?} back");
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        assert!(!kept || rules.enters(directory), "{path:?} is in a directory that is not entered");
        for inside in [".git/config", "x/.svn/entries", ".hg/store/a"] {
            assert!(!rules.keeps(inside) && !rules.keeps(&format!("{path}/{inside}")), "{inside}");
        }
    }
}
