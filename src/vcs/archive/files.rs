//! A flat, checked list of the files that an archive may have, and where the symbolic links among them lead.
//!
//! Trees are made by whoever can push. Where links lead is worked out in the list alone, never on a disk.

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};

use gix::bstr::{BStr, BString, ByteSlice};
use gix::validate::path::component;

use crate::vcs::error::VcsError;

/// Longest path.
const MAX_PATH: usize = 4096;
/// Deepest directory.
pub(in crate::vcs) const MAX_DEPTH: usize = 256;
/// How many links lead to links.
const MAX_HOPS: usize = 40;
/// How much work following all links of a tree may be, in steps of [`Files::resolve`]: enough for 200,000 ordinary links,
/// and some ten seconds of it.
const MAX_STEPS: usize = 1 << 24;
/// How many steps it is to read a link's text.
const READING: usize = 16;
/// How many bytes of a path are a step to look up.
const COMPARED: usize = 256;

/// A file of a tree; `Id` is what its content is asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::vcs) struct Entry<Id> {
    pub(in crate::vcs) id: Id,
    pub(in crate::vcs) kind: FileKind,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::vcs) enum FileKind {
    Plain,
    Executable,
    Link,
    Submodule,
}

/// All files of a tree by their paths, sorted by bytes.
#[derive(Debug)]
pub(in crate::vcs) struct Files<Id> {
    pub(in crate::vcs) entries: BTreeMap<BString, Entry<Id>>,
    pub(in crate::vcs) directories: HashSet<BString>,
    /// Steps that following links took until now.
    steps: Cell<usize>,
}

impl<Id> Default for Files<Id> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), directories: HashSet::new(), steps: Cell::default() }
    }
}

/// Where a symbolic link leads.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::vcs) enum Destination {
    File(BString),
    /// A directory, something outside the tree, or nothing.
    Elsewhere,
}

impl<Id: Copy> Files<Id> {
    /// How many files and directories there are.
    pub(in crate::vcs) fn count(&self) -> usize {
        self.entries.len() + self.directories.len()
    }

    /// Where the link at `path` leads, as the system's `realpath` would find in a checkout. `read` gives a link's text.
    ///
    /// All links of a tree share a budget: one link may lead through forty others, and each of them through thousands of
    /// directories.
    pub(in crate::vcs) fn resolve(
        &self,
        path: &BStr,
        mut read: impl FnMut(Id) -> Result<BString, VcsError>,
    ) -> Result<Destination, VcsError> {
        let mut rest: Vec<BString> = path.split(|byte| *byte == b'/').rev().map(BString::from).collect();
        let mut at = BString::default();
        let mut hops = 0;
        while let Some(part) = rest.pop() {
            self.spend(1 + at.len() / COMPARED)?;
            match part.as_slice() {
                b"" | b"." => continue,
                b".." => match parent(&at) {
                    Some(parent) => at = parent,
                    None => return Ok(Destination::Elsewhere),
                },
                _ => {
                    let next = join(&at, part.as_ref());
                    match self.entries.get(&next) {
                        Some(Entry { id, kind: FileKind::Link }) => {
                            hops += 1;
                            let target = read(*id)?;
                            self.spend(READING + target.len())?;
                            if hops > MAX_HOPS || target.starts_with(b"/") || target.len() > MAX_PATH {
                                return Ok(Destination::Elsewhere);
                            }
                            rest.extend(target.split(|byte| *byte == b'/').rev().map(BString::from));
                        }
                        Some(Entry { kind: FileKind::Submodule, .. }) => return Ok(Destination::Elsewhere),
                        Some(_) if rest.is_empty() => return Ok(Destination::File(next)),
                        Some(_) => return Ok(Destination::Elsewhere),
                        None if self.directories.contains(&next) => at = next,
                        None => return Ok(Destination::Elsewhere),
                    }
                }
            }
        }
        Ok(Destination::Elsewhere)
    }

    fn spend(&self, steps: usize) -> Result<(), VcsError> {
        let spent = self.steps.get().saturating_add(steps);
        self.steps.set(spent);
        if spent > MAX_STEPS {
            return Err(VcsError::TooLarge {
                what: "The work of following the commit's symbolic links".to_owned(),
                limit: format!("{MAX_STEPS} steps"),
            });
        }
        Ok(())
    }
}

pub(in crate::vcs) fn join(prefix: &BString, name: &BStr) -> BString {
    if prefix.is_empty() {
        return name.to_owned();
    }
    let mut path = prefix.clone();
    path.push(b'/');
    path.extend_from_slice(name);
    path
}

/// The directory above; none above the root.
fn parent(path: &BString) -> Option<BString> {
    if path.is_empty() {
        return None;
    }
    Some(path.rfind_byte(b'/').map_or_else(BString::default, |slash| BString::from(&path[..slash])))
}

/// Git's own rules for names in a tree, on all systems' file systems but for Windows' reserved device names.
pub(in crate::vcs) fn check(name: &BStr, path: &BString, is_link: bool) -> Result<(), VcsError> {
    let options = component::Options { protect_windows: false, protect_hfs: true, protect_ntfs: true };
    let mode = is_link.then_some(component::Mode::Symlink);
    if let Err(error) = gix::validate::path::component(name, mode, options) {
        return Err(hostile(path, &format!("is refused ({error})")));
    }
    if path.len() > MAX_PATH {
        return Err(hostile(path, "is longer than 4,096 bytes"));
    }
    if name.contains(&0) {
        return Err(hostile(path, "contains a null byte"));
    }
    Ok(())
}

/// A refusal that names the path in a form that is safe to print.
pub(in crate::vcs) fn hostile(path: &BString, reason: &str) -> VcsError {
    let shown: String = path.to_str_lossy().chars().take(200).flat_map(char::escape_debug).collect();
    VcsError::HostileTree { path: format!("`{shown}`"), reason: reason.to_owned() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use gix::bstr::BString;

    use super::{Destination, Entry, FileKind, Files};
    use crate::vcs::error::VcsError;

    /// Links are given as `path -> target`; the target's text is looked up by the id that numbers them.
    fn tree(listing: &[&str]) -> (Files<usize>, Vec<BString>) {
        let mut files = Files::default();
        let mut texts = Vec::new();
        for line in listing {
            let (path, target) = line.split_once(" -> ").unwrap_or((line, ""));
            let id = texts.len();
            let kind = if target.is_empty() { FileKind::Plain } else { FileKind::Link };
            texts.push(BString::from(target));
            files.entries.insert(path.into(), Entry { id, kind });
            for (slash, _) in path.match_indices('/') {
                files.directories.insert(path[..slash].into());
            }
        }
        (files, texts)
    }

    fn follow((files, texts): &(Files<usize>, Vec<BString>), path: &str) -> Result<Destination, VcsError> {
        files.resolve(path.into(), |id| Ok(texts[id].clone()))
    }

    fn resolve(listing: &[&str], path: &str) -> Destination {
        follow(&tree(listing), path).unwrap()
    }

    #[test]
    fn following_all_links_of_a_tree_has_an_end() {
        // Each of forty links leads to the next by a long way round.
        let round = "a/../".repeat(700);
        let links: Vec<String> = (0..39).map(|at| format!("l{at} -> {round}l{}", at + 1)).collect();
        let mut listing: Vec<&str> = links.iter().map(String::as_str).collect();
        listing.extend(["a/file", "l39"]);
        let tree = tree(&listing);
        assert_eq!(follow(&tree, "l0").unwrap(), Destination::File("l39".into()), "once is no harm");
        let refused = (0..200_000).find_map(|count| follow(&tree, "l0").err().map(|error| (count, error)));
        let (count, error) = refused.expect("following has an end");
        assert!(matches!(error, VcsError::TooLarge { .. }), "{error}");
        assert!(count < 200, "{count}");
        assert!(matches!(follow(&tree, "l38"), Err(VcsError::TooLarge { .. })), "the budget is the tree's");
    }

    #[test]
    fn two_hundred_thousand_ordinary_links_are_followed() {
        let tree = tree(&["packages/core/src/Example.php", "link -> packages/core/src/Example.php"]);
        for _ in 0..200_000 {
            assert!(follow(&tree, "link").is_ok());
        }
    }

    #[test]
    fn links_lead_where_the_system_would_lead() {
        let tree = [
            "src/a.php",
            "a -> src/a.php",
            "b -> a",
            "src/up -> ../a",
            "d -> src",
            "via -> d/a.php",
            "out -> ../x",
            "abs -> /etc/passwd",
            "gone -> nowhere",
            "loop -> loop",
            "deep/out -> ../../src/a.php",
            "file -> src/a.php/x",
            "dot -> ./src//a.php",
        ];
        let file = || Destination::File("src/a.php".into());
        for path in ["a", "b", "src/up", "via", "dot"] {
            assert_eq!(resolve(&tree, path), file(), "{path}");
        }
        for path in ["d", "out", "abs", "gone", "loop", "deep/out", "file"] {
            assert_eq!(resolve(&tree, path), Destination::Elsewhere, "{path}");
        }
    }
}
