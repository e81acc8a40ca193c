//! Which directories of a repository are packages of their own: what people write for it, and what it means.
//!
//! A line is a path from the root with slashes: `packages/*`, `libs/*/php`, `src/**`, `.` for the root itself; `!packages/old`
//! leaves out a directory and all below. `*` and `?` stand for characters of one name, `**` for any number of directories.
//! As in shells, none of them stands for names that begin with a dot; and `**` goes neither into `vendor` nor into
//! `node_modules`, where other people's packages lie. `/composer.json` at the end says nothing new, and may stand there.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many lines there may be.
const MOST: usize = 200;
/// Longest line, in bytes.
const LONGEST: usize = 500;
/// How many `**` a line may have: each multiplies the work of comparing.
const DEEPEST: usize = 3;

/// The directories of a repository that are packages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Directories(Vec<Pattern>);

/// Lines that mean no directories.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDirectories {
    /// One that cannot be a path.
    #[error(
        "`{0}` means no directories of a repository: write a path from its root with slashes, such as packages/*, without `..`"
    )]
    Line(String),
    /// Too many.
    #[error("at most {MOST} lines may say where a repository's packages are")]
    TooMany,
    /// None, or only such that leave out.
    #[error("say where the repository's packages are, for example packages/*")]
    Nothing,
}

/// What is known of a directory by its path alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Whether it is meant.
    pub is_meant: bool,
    /// Whether that was said without `**`, so that its having no `composer.json` is most likely a mistake.
    pub is_named: bool,
    /// Whether one below it may be meant.
    pub leads_on: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    excludes: bool,
    /// None for the root.
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// `**`
    Deep,
    Name(String),
}

impl Directories {
    /// Reads lines as people write them; empty ones say nothing, and what is there twice is there once.
    ///
    /// # Errors
    /// [`InvalidDirectories`].
    pub fn parse<Text: AsRef<str>>(lines: &[Text]) -> Result<Self, InvalidDirectories> {
        let mut patterns: Vec<Pattern> = Vec::new();
        for line in lines.iter().map(|line| line.as_ref().trim()).filter(|line| !line.is_empty()) {
            let pattern = Pattern::parse(line).ok_or_else(|| {
                InvalidDirectories::Line(line.chars().take(100).flat_map(char::escape_debug).collect())
            })?;
            if !patterns.contains(&pattern) {
                patterns.push(pattern);
            }
        }
        if patterns.len() > MOST {
            return Err(InvalidDirectories::TooMany);
        }
        if patterns.iter().all(|pattern| pattern.excludes) {
            return Err(InvalidDirectories::Nothing);
        }
        Ok(Self(patterns))
    }

    /// The lines.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    /// Whether the root is a package too.
    #[must_use]
    pub fn has_root(&self) -> bool {
        self.look(&[]).is_meant
    }

    /// These and more. What somebody leaves out stays left out, unless the same line now asks for it.
    ///
    /// # Errors
    /// [`InvalidDirectories::TooMany`].
    pub fn with(&self, more: &Self) -> Result<Self, InvalidDirectories> {
        let asks =
            |pattern: &Pattern| more.0.iter().any(|new| new.excludes != pattern.excludes && new.parts == pattern.parts);
        let kept = self.0.iter().filter(|pattern| !asks(pattern));
        let all: Vec<String> = kept.chain(&more.0).map(ToString::to_string).collect();
        Self::parse(&all)
    }

    /// These without one directory.
    ///
    /// # Errors
    /// [`InvalidDirectories`] if there are too many lines for one more.
    pub fn without(&self, directory: &str) -> Result<Self, InvalidDirectories> {
        let left_out = format!("!{directory}");
        let own = Pattern::parse(directory);
        let mut lines: Vec<String> =
            self.0.iter().filter(|pattern| Some(*pattern) != own.as_ref()).map(ToString::to_string).collect();
        let rest = Self(self.0.iter().filter(|pattern| Some(*pattern) != own.as_ref()).cloned().collect());
        let parts: Vec<&str> = if directory == "." { Vec::new() } else { directory.split('/').collect() };
        if rest.look(&parts).is_meant || lines.is_empty() {
            lines.push(left_out);
        }
        if lines.iter().all(|line| line.starts_with('!')) {
            // The last one was taken away: the line stays, and means nothing any more.
            lines.insert(0, directory.to_owned());
        }
        Self::parse(&lines)
    }

    /// What is to be known of the directory with these names from the root on.
    #[must_use]
    pub fn look(&self, path: &[&str]) -> Look {
        let mut look = Look::default();
        for pattern in self.0.iter().filter(|pattern| pattern.excludes) {
            let above = (1..=path.len()).any(|end| compare(&pattern.parts, &path[..end]).is_meant);
            if above || (path.is_empty() && pattern.parts.is_empty()) {
                // The root's being left out says nothing of what is in it.
                return Look { leads_on: path.is_empty() && self.leads_on(path), ..look };
            }
        }
        for pattern in self.0.iter().filter(|pattern| !pattern.excludes) {
            let one = compare(&pattern.parts, path);
            look.is_meant |= one.is_meant;
            look.is_named |= one.is_meant && !pattern.parts.contains(&Part::Deep);
            look.leads_on |= one.leads_on;
        }
        look
    }

    fn leads_on(&self, path: &[&str]) -> bool {
        self.0.iter().any(|pattern| !pattern.excludes && compare(&pattern.parts, path).leads_on)
    }
}

impl TryFrom<Vec<String>> for Directories {
    type Error = InvalidDirectories;

    fn try_from(lines: Vec<String>) -> Result<Self, InvalidDirectories> {
        Self::parse(&lines)
    }
}

impl From<Directories> for Vec<String> {
    fn from(directories: Directories) -> Self {
        directories.lines()
    }
}

/// The lines on one.
impl fmt::Display for Directories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join(", "))
    }
}

impl Pattern {
    fn parse(line: &str) -> Option<Self> {
        let (excludes, path) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest.trim_start()));
        let path =
            path.strip_suffix("composer.json").filter(|rest| rest.is_empty() || rest.ends_with('/')).unwrap_or(path);
        let path = path.strip_prefix("./").unwrap_or(path).trim_matches('/');
        if line.len() > LONGEST || line.chars().any(|c| c.is_control() || c == '\\') {
            return None;
        }
        if path.is_empty() || path == "." {
            // A lone slash, dot or composer.json is the root; a lone `!` is nothing.
            return (line != "!").then_some(Self { excludes, parts: Vec::new() });
        }
        let mut parts = Vec::new();
        for name in path.split('/') {
            match name {
                "" | "." | ".." => return None,
                "**" => {
                    if parts.last() != Some(&Part::Deep) {
                        parts.push(Part::Deep);
                    }
                }
                name => parts.push(Part::Name(name.to_owned())),
            }
        }
        let deep = parts.iter().filter(|part| **part == Part::Deep).count();
        (deep <= DEEPEST).then_some(Self { excludes, parts })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Deep => "**",
                Part::Name(name) => name,
            })
            .collect();
        let path = if names.is_empty() { ".".to_owned() } else { names.join("/") };
        write!(f, "{}{path}", if self.excludes { "!" } else { "" })
    }
}

fn compare(parts: &[Part], path: &[&str]) -> Look {
    let Some((part, others)) = parts.split_first() else {
        return Look { is_meant: path.is_empty(), ..Look::default() };
    };
    let (first, below) = match path.split_first() {
        None => {
            // `a/**` means `a` as well.
            let is_meant = parts.iter().all(|part| *part == Part::Deep);
            return Look { is_meant, is_named: false, leads_on: true };
        }
        Some(split) => split,
    };
    match part {
        Part::Name(pattern) if is_like(pattern, first) => compare(others, below),
        Part::Name(_) => Look::default(),
        Part::Deep => {
            let here = compare(others, path);
            if first.starts_with('.') || *first == "vendor" || *first == "node_modules" {
                return here;
            }
            let there = compare(parts, below);
            Look {
                is_meant: here.is_meant || there.is_meant,
                is_named: false,
                leads_on: here.leads_on || there.leads_on,
            }
        }
    }
}

/// Whether a name is like a pattern with `*` and `?`, in time that grows with the product of their lengths at most.
fn is_like(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut of) = (0, 0);
    let mut star = None;
    while of < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, of));
                at += 1;
            }
            Some(c) if *c == '?' || *c == name[of] => {
                at += 1;
                of += 1;
            }
            _ => match star {
                Some((back, from)) => {
                    star = Some((back, from + 1));
                    at = back + 1;
                    of = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{Directories, InvalidDirectories};

    fn of<Text: AsRef<str>>(lines: &[Text]) -> Directories {
        Directories::parse(lines).unwrap()
    }

    fn looked(directories: &Directories, path: &str) -> super::Look {
        let path: Vec<&str> = if path == "." { Vec::new() } else { path.split('/').collect() };
        directories.look(&path)
    }

    fn means(directories: &Directories, path: &str) -> bool {
        looked(directories, path).is_meant
    }

    #[test]
    fn lines_mean_directories() {
        for (lines, meant, not_meant) in [
            (
                &["packages/*"][..],
                &["packages/a", "packages/a b"][..],
                &[".", "packages", "packages/a/b", "packages/.git", "x/a"][..],
            ),
            (&["libs/*/php", "."], &["libs/a/php", "."], &["libs/php", "libs/a/b/php"]),
            (&["src/**"], &["src", "src/a", "src/a/b/c"], &[".", "src/vendor/a", "src/a/node_modules/b", "src/.x/y"]),
            (&["**/lib-?"], &["lib-a", "x/y/lib-b"], &["lib-", "lib-ab"]),
            (&["/packages/*/composer.json"], &["packages/a"], &["packages/a/composer.json"]),
            (&["packages/*", "!packages/old*"], &["packages/a"], &["packages/old", "packages/older"]),
            (&["**", "!a"], &["b", "b/a"], &["a", "a/b"]),
            (&["./a"], &["a"], &["b"]),
            (&["composer.json", "a*c"], &[".", "abc", "ac", "aXcc"], &["ab"]),
        ] {
            let directories = of(lines);
            for path in meant {
                assert!(means(&directories, path), "{lines:?} means {path}");
            }
            for path in not_meant {
                assert!(!means(&directories, path), "{lines:?} does not mean {path}");
            }
            assert_eq!(of(&directories.lines()).lines(), directories.lines());
        }
    }

    #[test]
    fn only_what_may_hold_packages_is_walked_into() {
        let directories = of(&["libs/*/php", "tools/**", "!libs/old"]);
        for path in [".", "libs", "libs/a", "tools", "tools/a/b"] {
            assert!(looked(&directories, path).leads_on, "{path}");
        }
        for path in ["libs/a/php", "libs/old", "other", "tools/vendor"] {
            assert!(!looked(&directories, path).leads_on, "{path}");
        }
        assert!(looked(&directories, "libs/a/php").is_named);
        assert!(!looked(&directories, "tools/a").is_named);
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for wrong in ["../x", "a/../b", "a//b", "a\nb", "a\\b", "!", "**/a/**/b/**/c/**", &"a".repeat(600)] {
            assert!(matches!(Directories::parse(&[wrong]), Err(InvalidDirectories::Line(_))), "{wrong}");
        }
        assert_eq!(Directories::parse(&["", " "]), Err(InvalidDirectories::Nothing));
        assert_eq!(Directories::parse(&["!a"]), Err(InvalidDirectories::Nothing));
        let many: Vec<String> = (0..201).map(|n| n.to_string()).collect();
        assert_eq!(Directories::parse(&many), Err(InvalidDirectories::TooMany));
    }

    #[test]
    fn one_directory_is_taken_away_and_given_back() {
        let all = of(&["packages/*", "tools"]);
        let fewer = all.without("packages/a").unwrap();
        assert_eq!(fewer.lines(), ["packages/*", "tools", "!packages/a"]);
        assert_eq!(fewer.without("tools").unwrap().lines(), ["packages/*", "!packages/a"]);
        assert_eq!(fewer.with(&of(&["packages/a"])).unwrap().lines(), ["packages/*", "tools", "packages/a"]);
        let last = of(&["tools"]).without("tools").unwrap();
        assert!(!means(&last, "tools"), "{last}");
        let rooted = of(&[".", "a"]).without(".").unwrap();
        assert_eq!(rooted.lines(), ["a"]);
    }

    #[test]
    fn comparing_has_an_end() {
        let directories = of(&["**/a/**/a/**/b", &format!("{}b", "*a".repeat(200))]);
        let path = vec!["a"; 60];
        assert!(!directories.look(&path).is_meant);
        assert!(!directories.look(&[&"a".repeat(5000)]).is_meant);
    }
}
