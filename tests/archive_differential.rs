//! Holds the choice of files for archives to Composer's own `ArchivableFilesFinder`: generated trees with generated `.gitattributes` and
//! `archive.exclude` are walked by both.
//!
//! Needs PHP and Composer (Debian: `apt install php-cli composer`). The trees are the same in each run; set
//! `ARCHIVE_DIFFERENTIAL_SEED` to a number for others. No name contains a backslash: Composer takes that for a slash, on every system.

#[path = "metadata_differential/php.rs"]
mod php;
#[path = "metadata_differential/random.rs"]
mod random;

use std::fs;
use std::path::Path;

use packagist_selfhosted::composer::archive::Rules;
use random::Random;
use serde_json::{Value, json};

const NAMES: &[&str] = &[
    "a",
    "b",
    "ab",
    "abc",
    "a.b",
    ".a",
    "A",
    "x.md",
    "y.md",
    ".md",
    "docs",
    "src",
    "tests",
    "Test.php",
    "b c",
    "é",
    "a+b",
    "(x)",
    "[y]",
    "{z}",
    "!n",
    "#h",
    "^c",
    "$d",
    "a,b",
    "x|y",
    "*",
    "?",
    ".gitignore",
    ".github",
    "CVS",
    ".svn",
    ".hg",
    "_darcs",
    ".bzr",
    "vendor",
    "-",
    "]",
];

/// Pieces of patterns, good and odd.
const PIECES: &[&str] = &[
    "a",
    "b",
    "ab",
    ".",
    "*",
    "?",
    "/",
    "**",
    "/**/",
    "**/",
    "/**",
    "[ab]",
    "[a-c]",
    "[!a]",
    "[^a]",
    "[",
    "]",
    "[]a]",
    "[a",
    "{a,b}",
    "{",
    "}",
    ",",
    "{a,{b,c}}",
    "\\",
    "\\*",
    "\\\\",
    "\\[",
    "!",
    "#",
    "+",
    "(",
    ")",
    "|",
    "^",
    "$",
    "docs",
    "src",
    "tests",
    ".md",
    "x",
    "y",
    "é",
    "[.]",
    "[/]",
    "[*]",
    "[?]",
    "[[:alpha:]]",
    "[[:digit:]-x]",
    "[[=a=]]",
    "[z-a]",
    "[a-]",
    "[-a]",
    "[+-a]",
    "-",
    "CVS",
    "vendor",
    ":",
    "=",
    "[:",
    "[a{b]",
    "{a]",
    "Test.php",
    "github",
];

const USUAL: &[&str] = &[
    "/docs",
    "docs/",
    "*.md",
    "/*.md",
    "docs/*.md",
    "src/**/Test.php",
    "/.github",
    ".gitignore",
    "vendor",
    "/tests/*",
    "a/b",
    "/a/**",
    "**/b",
    "!/docs/x.md",
    "!x.md",
    "/src/{a,b}",
    "a*",
    ".*",
    "/.*",
    "?",
    "/",
    "*",
    "/*",
    "!*",
];

fn pattern(random: &mut Random) -> String {
    if random.chance(40) {
        return (*random.pick(USUAL)).to_owned();
    }
    let mut text = String::new();
    for (piece, chance) in [("!", 15), ("/", 40)] {
        if random.chance(chance) {
            text.push_str(piece);
        }
    }
    for _ in 0..=random.below(4) {
        text.push_str(random.pick::<&str>(PIECES));
    }
    text
}

fn attributes(random: &mut Random) -> Vec<u8> {
    let mut lines = String::new();
    for _ in 0..random.below(5) {
        let pattern = pattern(random);
        let line = match random.below(10) {
            0 => format!("{pattern} -export-ignore"),
            1 => format!("{pattern} -text export-ignore"),
            2 => format!("  {pattern}\t\texport-ignore  \r"),
            3 => format!("# {pattern} export-ignore"),
            4 => format!("{pattern}\u{b}export-ignore\u{c}"),
            5 => pattern,
            _ => format!("{pattern} export-ignore"),
        };
        lines.push_str(&line);
        lines.push('\n');
    }
    lines.into_bytes()
}

/// Fills a directory with files and gives their paths.
fn grow(random: &mut Random, root: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    for _ in 0..25 {
        let mut path = String::new();
        for _ in 0..random.below(3) {
            path.push_str(random.pick::<&str>(NAMES));
            path.push('/');
        }
        path.push_str(random.pick::<&str>(NAMES));
        let file = root.join(&path);
        let parent = file.parent().expect("a file in the tree has a directory");
        if fs::create_dir_all(parent).is_ok() && !file.is_dir() && fs::write(&file, b"").is_ok() {
            paths.push(path);
        }
    }
    paths.sort();
    paths.dedup();
    paths
}

#[test]
fn the_files_of_an_archive() {
    let seed = std::env::var("ARCHIVE_DIFFERENTIAL_SEED").ok();
    let seed = seed.map_or(1, |text| text.parse().expect("ARCHIVE_DIFFERENTIAL_SEED is a number"));
    let random = &mut Random(seed);
    let trees = tempfile::tempdir().expect("a temporary directory");
    let mut questions = Vec::new();
    let mut answers = Vec::new();
    for n in 0..400 {
        let root = trees.path().join(format!("t{n}"));
        fs::create_dir(&root).expect("a new directory");
        let mut paths = grow(random, &root);
        let attributes = random.chance(80).then(|| attributes(random));
        if let Some(text) = &attributes {
            fs::write(root.join(".gitattributes"), text).expect("a file is written");
            paths.push(".gitattributes".to_owned());
        }
        let excludes: Vec<String> = (0..random.below(4)).map(|_| pattern(random)).collect();
        let rules = Rules::new(attributes.as_deref(), &excludes);
        let mut kept: Vec<String> = paths.into_iter().filter(|path| rules.keeps(path)).collect();
        kept.sort();
        let text = attributes.map(|text| String::from_utf8_lossy(&text).into_owned());
        answers.push((kept, text));
        questions.push(json!({"directory": root, "excludes": excludes}));
    }
    let truth = php::answers("archive_files.php", &questions);
    let mut failures = Vec::new();
    for ((question, (kept, attributes)), truth) in questions.iter().zip(&answers).zip(&truth) {
        let truth: Vec<&str> = truth.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        let missing: Vec<_> = truth.iter().filter(|path| !kept.iter().any(|other| other == *path)).collect();
        let surplus: Vec<_> = kept.iter().filter(|path| !truth.contains(&path.as_str())).collect();
        if !missing.is_empty() || !surplus.is_empty() {
            failures.push(format!("{question} {attributes:?}: missing {missing:?}, surplus {surplus:?}\n"));
        }
    }
    let shown = failures.iter().take(10).cloned().collect::<String>();
    assert!(failures.is_empty(), "{} trees differ:\n{shown}", failures.len());
}
