//! Which files of a repository belong into a package's archive, as `composer archive` decides it: the root `.gitattributes` and
//! `archive.exclude` of `composer.json`, patterns read as Symfony's `Glob` and PCRE read them, version control directories never.
//!
//! What Composer does with symbolic links needs the tree, so it is the caller's: a link to a file is stored as that file and judged by
//! the *target's* path, a link to a directory or out of the tree is left out.

mod glob;
mod pattern;

use pattern::Pattern;

/// Directories that are left out wherever they are (`Finder::ignoreVCS`).
const VCS_DIRECTORIES: [&str; 9] =
    [".svn", "_svn", "CVS", "_darcs", ".arch-params", ".monotone", ".bzr", ".git", ".hg"];

/// How many rules are read. The longest public lists have a hundred.
pub const MAX_RULES: usize = 1_000;

/// How many bytes the rules may have together: what it costs to match a path grows with it. The longest public lists have 2 KB.
pub const MAX_RULES_BYTES: usize = 16 * 1_024;

/// How much of a rule is shown where it is reported.
const MAX_SHOWN_BYTES: usize = 200;

/// The rules of one commit.
#[derive(Debug, Clone)]
pub struct Rules {
    rules: Vec<Rule>,
    bytes: usize,
    ignored: Vec<String>,
}

#[derive(Debug, Clone)]
struct Rule {
    pattern: Pattern,
    /// A rule with `!` or `-export-ignore` brings back what an earlier one took out.
    excludes: bool,
}

impl Rules {
    /// Reads the root `.gitattributes` (`None` where there is none) and the patterns of `archive.exclude`.
    #[must_use]
    pub fn new(gitattributes: Option<&[u8]>, archive_excludes: &[String]) -> Self {
        let mut rules = Self { rules: Vec::new(), bytes: 0, ignored: Vec::new() };
        for line in gitattributes.unwrap_or_default().split(|c| *c == b'\n') {
            if let Some((pattern, negated)) = export_rule(line) {
                rules.add(pattern, negated);
            }
        }
        for rule in archive_excludes {
            rules.add(rule.as_bytes(), false);
        }
        rules
    }

    /// Reads one rule, as `BaseExcludeFilter::generatePattern` does. A rule that is no valid pattern has no effect.
    fn add(&mut self, rule: &[u8], negated: bool) {
        let bare = trim_start(rule, b'!');
        let bytes = self.bytes.saturating_add(rule.len());
        let within = self.rules.len() < MAX_RULES && bytes <= MAX_RULES_BYTES;
        match within.then(|| Pattern::new(bare)).flatten() {
            Some(pattern) => {
                self.bytes = bytes;
                self.rules.push(Rule { pattern, excludes: !negated && bare.len() == rule.len() });
            }
            None if self.ignored.len() < MAX_RULES => {
                let shown = rule.get(..MAX_SHOWN_BYTES).unwrap_or(rule);
                self.ignored.push(String::from_utf8_lossy(shown).into_owned());
            }
            None => {}
        }
    }

    /// Whether the file at `path` goes into the archive. The path is relative to the root, with `/` between its segments.
    #[must_use]
    pub fn keeps(&self, path: &str) -> bool {
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        self.enters(directory) && self.includes(path)
    }

    /// Whether anything below the directory at `path` can go into the archive. An excluded directory is entered all the same, since a
    /// later rule may bring back a file in it; only the directories of version control systems are closed.
    #[must_use]
    pub fn enters(&self, path: &str) -> bool {
        !path.split('/').any(|segment| VCS_DIRECTORIES.contains(&segment))
    }

    /// Whether the patterns let a path pass, whatever it is: the last one that matches decides.
    fn includes(&self, path: &str) -> bool {
        let absolute = format!("/{path}");
        let verdict = self.rules.iter().rev().find(|rule| rule.pattern.matches(absolute.as_bytes()));
        !verdict.is_some_and(|rule| rule.excludes)
    }

    /// The rules that have no effect because they are no valid patterns or beyond the limits, for a log line.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }
}

/// A line of `.gitattributes` that is exactly a pattern and `export-ignore` or `-export-ignore`, and whether it is the latter.
/// (`GitExcludeFilter::parseGitAttributesLine`; a line with further attributes counts for nothing there.)
fn export_rule(line: &[u8]) -> Option<(&[u8], bool)> {
    let line = trim(line);
    if line.is_empty() || line == b"0" || line.starts_with(b"#") {
        return None;
    }
    let start = line.iter().position(|c| is_space(*c))?;
    let (pattern, rest) = line.split_at(start);
    match trim_spaces_start(rest) {
        b"export-ignore" => Some((pattern, false)),
        b"-export-ignore" => Some((pattern, true)),
        _ => None,
    }
}

/// PCRE's `\s`.
const fn is_space(c: u8) -> bool {
    matches!(c, b' ' | b'\t'..=b'\r')
}

fn trim_spaces_start(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|c| !is_space(*c));
    start.and_then(|start| text.get(start..)).unwrap_or_default()
}

/// PHP's `trim`.
fn trim(text: &[u8]) -> &[u8] {
    let blank = |c: &u8| matches!(c, b' ' | b'\t' | b'\n' | b'\r' | 0 | 0x0B);
    let start = text.iter().position(|c| !blank(c)).unwrap_or(text.len());
    let end = text.iter().rposition(|c| !blank(c)).map_or(start, |n| n + 1);
    text.get(start..end).unwrap_or_default()
}

fn trim_start(text: &[u8], byte: u8) -> &[u8] {
    let start = text.iter().position(|c| *c != byte);
    start.and_then(|start| text.get(start..)).unwrap_or_default()
}

#[cfg(test)]
#[path = "archive/tests.rs"]
mod tests;
