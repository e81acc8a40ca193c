//! The paths of an archive, and what is wrong with them; and its `composer.json`, which is taken on the way.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::Read;

use super::{Limits, Refusal};
use crate::composer::manifest::MAX_BYTES;

/// Longest path, in bytes.
const LONGEST: usize = 1024;
/// Deepest path, in folders.
const DEEPEST: usize = 64;
/// How many bytes all paths may have, with the folders that they name.
const ALL_NAMES: usize = 48 << 20;
/// The file that says what a package is.
const MANIFEST: &str = "composer.json";
/// What macOS and its archiver add; Composer looks past it too (`Composer\Util\Zip`, `ArchiveDownloader`).
const MACOS: [&str; 2] = ["__MACOSX", ".DS_Store"];

/// What a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A folder.
    Folder,
    /// A file.
    File,
    /// A symbolic link.
    Link,
}

/// A path that is known: as it is written, what it is, and whether an entry says so or only the paths below it.
struct Known {
    name: String,
    what: What,
    told: bool,
}

/// All paths of one archive.
pub(super) struct Tree {
    limits: Limits,
    entries: usize,
    /// By lower case.
    known: HashMap<String, Known>,
    bytes: usize,
    links: Vec<(String, String)>,
    manifests: Vec<(String, Result<Vec<u8>, Refusal>)>,
}

/// A path as entries of archives name it: relative, of plain segments.
///
/// # Errors
/// [`Refusal::Path`].
pub(super) fn path(raw: &[u8]) -> Result<String, Refusal> {
    let shown = || String::from_utf8_lossy(raw).chars().take(200).collect::<String>();
    let wrong = |why| Err(Refusal::Path { name: shown(), why });
    let Ok(text) = std::str::from_utf8(raw) else { return wrong("its name is not UTF-8") };
    if text.len() > LONGEST {
        return wrong("it is too long");
    }
    if text.starts_with('/') {
        return wrong("it begins at the root of the file system");
    }
    if text.contains('\\') {
        return wrong("it has a backslash, which separates folders on Windows");
    }
    if has_drive(text) {
        return wrong("it names a drive of Windows");
    }
    if text.chars().any(char::is_control) {
        return wrong("it has control characters");
    }
    let segments: Vec<&str> = text.split('/').filter(|segment| !matches!(*segment, "" | ".")).collect();
    if segments.contains(&"..") {
        return wrong("it leads out of the folder that it is unpacked in");
    }
    if segments.len() > DEEPEST {
        return wrong("it is too deep");
    }
    Ok(segments.join("/"))
}

fn has_drive(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.get(1) == Some(&b':') && bytes.first().is_some_and(u8::is_ascii_alphabetic)
}

impl Tree {
    pub(super) fn new(limits: &Limits) -> Self {
        let (known, links, manifests) = (HashMap::new(), Vec::new(), Vec::new());
        Self { limits: *limits, entries: 0, known, bytes: 0, links, manifests }
    }

    /// Takes in one entry; `path` is of [`path`].
    ///
    /// # Errors
    /// If it contradicts what is there.
    pub(super) fn add(&mut self, path: &str, what: What) -> Result<(), Refusal> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            let limit = self.limits.entries;
            return Err(Refusal::TooMany { found: format!("more than {limit}"), limit });
        }
        if path.is_empty() {
            // The folder itself, as `tar … .` names it.
            return match what {
                What::Folder => Ok(()),
                _ => Err(Refusal::Path { name: String::new(), why: "it is empty" }),
            };
        }
        for (end, _) in path.match_indices('/') {
            self.note(&path[..end], What::Folder, false)?;
        }
        self.note(path, what, true)
    }

    fn note(&mut self, path: &str, what: What, told: bool) -> Result<(), Refusal> {
        let name = || path.to_owned();
        match self.known.entry(path.to_lowercase()) {
            Entry::Vacant(place) => {
                self.bytes += 2 * path.len() + 64;
                if self.bytes > ALL_NAMES {
                    return Err(Refusal::LongNames);
                }
                place.insert(Known { name: name(), what, told });
                Ok(())
            }
            Entry::Occupied(mut place) => {
                let known = place.get_mut();
                if known.name != path {
                    return Err(Refusal::Case { name: name(), other: known.name.clone() });
                }
                if known.what != what && (known.what == What::Folder || what == What::Folder) {
                    return Err(Refusal::NotAFolder { name: name() });
                }
                if told && known.told {
                    return Err(Refusal::Twice { name: name() });
                }
                known.told |= told;
                Ok(())
            }
        }
    }

    /// Takes in a symbolic link.
    ///
    /// # Errors
    /// As [`Self::add`]. Where it leads is looked at in the end.
    pub(super) fn add_link(&mut self, path: &str, target: &[u8]) -> Result<(), Refusal> {
        self.add(path, What::Link)?;
        let name = path.to_owned();
        match std::str::from_utf8(target) {
            Ok(target) if target.len() <= LONGEST && !target.chars().any(char::is_control) => {
                self.bytes += path.len() + target.len();
                if self.bytes > ALL_NAMES {
                    return Err(Refusal::LongNames);
                }
                self.links.push((name, target.to_owned()));
                Ok(())
            }
            _ => Err(Refusal::LinkOut { name, target: String::from_utf8_lossy(target).chars().take(200).collect() }),
        }
    }

    /// Whether a file may be the package's `composer.json`.
    pub(super) fn may_be_manifest(&self, path: &str) -> bool {
        match path.split_once('/') {
            None => path == MANIFEST,
            // Of several folders at the top none is the package's.
            Some((folder, file)) => {
                file == MANIFEST
                    && !MACOS.contains(&folder)
                    && self.manifests.iter().all(|(known, _)| !known.contains('/'))
            }
        }
    }

    /// Reads a file that may be the package's `composer.json`; how many bytes were read.
    ///
    /// # Errors
    /// If it cannot be read. That it is too large is told when it turns out to be the one.
    pub(super) fn read_manifest(&mut self, path: &str, from: &mut impl Read) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        from.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        let manifest = if bytes.len() > MAX_BYTES { Err(Refusal::LargeManifest) } else { Ok(bytes.clone()) };
        self.manifests.push((path.to_owned(), manifest));
        Ok(bytes)
    }

    /// Looks at what only the whole archive tells; its `composer.json`.
    ///
    /// # Errors
    /// If a link leads out of it.
    pub(super) fn finish(self) -> Result<Result<Vec<u8>, Refusal>, Refusal> {
        let base = self.base();
        for (name, target) in &self.links {
            let inside = base.as_ref().and_then(|base| name.strip_prefix(base.as_str())).unwrap_or(name);
            if !stays(inside, target) {
                return Err(Refusal::LinkOut { name: name.clone(), target: target.clone() });
            }
        }
        let wanted = format!("{}{MANIFEST}", base.unwrap_or_default());
        let found = self.manifests.into_iter().find(|(path, _)| *path == wanted);
        Ok(found.map_or(Err(Refusal::NoManifest), |(_, manifest)| manifest))
    }

    /// The folder that Composer takes away, with its slash: the only thing at the top (`ArchiveDownloader::install`).
    fn base(&self) -> Option<String> {
        let mut top =
            self.known.values().filter(|known| !known.name.contains('/') && !MACOS.contains(&known.name.as_str()));
        match (top.next(), top.next()) {
            (Some(Known { name, what: What::Folder, .. }), None) => Some(format!("{name}/")),
            _ => None,
        }
    }
}

/// Whether a link leads to somewhere in the package. Steps upward are taken first, from the folder that the link is in, which
/// is no link itself; behind another link they would lead anywhere, so there are none behind a name.
fn stays(path: &str, target: &str) -> bool {
    if target.is_empty() || target.starts_with('/') || target.contains('\\') || has_drive(target) {
        return false;
    }
    let mut up = 0;
    let mut down = false;
    for segment in target.split('/').filter(|segment| !matches!(*segment, "" | ".")) {
        match segment {
            ".." if down => return false,
            ".." => up += 1,
            _ => down = true,
        }
    }
    up <= path.matches('/').count()
}
