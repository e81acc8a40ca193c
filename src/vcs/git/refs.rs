//! The mirror's refs: one sorted file in Git's `packed-refs` format (gitrepository-layout(5)), written whole or not at all.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use gix::ObjectId;

use super::connect::Listing;
use super::read;
use crate::vcs::error::VcsError;

/// Where commits are held that were published and that no branch or tag reaches.
const KEPT: &str = "refs/kept/";
/// Largest file that is read: a hundred thousand long names.
const MAX_BYTES: u64 = 64 << 20;

/// What a ref names: an object, and what an annotated tag leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) id: ObjectId,
    pub(super) peeled: Option<ObjectId>,
}

/// All refs of a mirror by their full names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::vcs) struct Refs(BTreeMap<String, Target>);

/// What was read from the file.
pub(in crate::vcs) struct Stored {
    pub(in crate::vcs) refs: Refs,
    /// Whether the file holds lines that do not belong there; the others were read.
    pub(in crate::vcs) damaged: bool,
}

impl Refs {
    /// Reads a mirror's refs; a mirror without the file has none.
    pub(super) fn read(mirror: &Path) -> Result<Stored, VcsError> {
        let doing = |error: io::Error| VcsError::io("Reading the mirror's refs", &error);
        let mut text = Vec::new();
        match File::open(mirror.join("packed-refs")) {
            Ok(file) => {
                file.take(MAX_BYTES).read_to_end(&mut text).map_err(doing)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(doing(error)),
        }
        Ok(parse(&text))
    }

    /// The refs that a remote lists, with what tags lead to in the mirror.
    pub(super) fn listed(listing: &Listing, repository: &gix::Repository) -> Result<Self, VcsError> {
        let mut refs = BTreeMap::new();
        for (name, remote) in &listing.refs {
            let peeled = read::peel_tag(repository, remote.target)?;
            refs.insert(name.clone(), Target { id: remote.target, peeled });
        }
        Ok(Self(refs))
    }

    /// Whether branches and tags are exactly those of the listing.
    pub(super) fn lists(&self, listing: &Listing) -> bool {
        let own = self.0.iter().filter(|(name, _)| !name.starts_with(KEPT)).map(|(name, target)| (name, target.id));
        own.eq(listing.refs.iter().map(|(name, remote)| (name, remote.target)))
    }

    /// The refs with their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Target)> {
        self.0.iter().map(|(name, target)| (name.as_str(), *target))
    }

    /// What all refs lead to, tags peeled.
    pub(super) fn tips(&self) -> impl Iterator<Item = ObjectId> {
        self.0.values().map(|target| target.peeled.unwrap_or(target.id))
    }

    /// The kept commits.
    pub(super) fn kept(&self) -> impl Iterator<Item = ObjectId> {
        self.0.iter().filter(|(name, _)| name.starts_with(KEPT)).map(|(_, target)| target.id)
    }

    /// Holds these commits.
    pub(super) fn keep(&mut self, commits: impl IntoIterator<Item = ObjectId>) {
        for commit in commits {
            self.0.insert(format!("{KEPT}{commit}"), Target { id: commit, peeled: None });
        }
    }

    /// Lets a kept commit go; false if it was not kept.
    pub(super) fn forget(&mut self, commit: ObjectId) -> bool {
        self.0.remove(&format!("{KEPT}{commit}")).is_some()
    }

    /// Replaces the mirror's refs, durably: after a power cut there are either the old ones or these.
    pub(super) fn write(&self, mirror: &Path) -> Result<(), VcsError> {
        let doing = |error: io::Error| VcsError::io("Writing the mirror's refs", &error);
        let mut file = tempfile::Builder::new().prefix(".tmp-packed-refs").tempfile_in(mirror).map_err(doing)?;
        file.write_all(self.text().as_bytes()).map_err(doing)?;
        file.as_file().sync_all().map_err(doing)?;
        file.persist(mirror.join("packed-refs")).map_err(|error| doing(error.error))?;
        File::open(mirror).and_then(|directory| directory.sync_all()).map_err(doing)?;
        remove_loose(mirror);
        Ok(())
    }

    /// The file's content.
    pub(in crate::vcs) fn text(&self) -> String {
        let mut text = String::from("# pack-refs with: peeled fully-peeled sorted \n");
        for (name, target) in &self.0 {
            text.push_str(&format!("{} {name}\n", target.id));
            if let Some(peeled) = target.peeled {
                text.push_str(&format!("^{peeled}\n"));
            }
        }
        text
    }
}

/// We write none, but a loose ref would hide a packed one from the git program.
fn remove_loose(mirror: &Path) {
    for directory in ["heads", "tags", "kept"] {
        // That there is nothing is the usual case.
        let _ = fs::remove_dir_all(mirror.join("refs").join(directory));
    }
}

/// Reads the file's content; what does not belong there is left out.
pub(in crate::vcs) fn parse(text: &[u8]) -> Stored {
    let mut refs = BTreeMap::new();
    let mut damaged = !text.is_empty() && !text.ends_with(b"\n");
    let mut last: Option<String> = None;
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"#")) {
        let peeled = line.strip_prefix(b"^").and_then(|hex| ObjectId::from_hex(hex).ok());
        match (peeled, entry(line)) {
            (Some(peeled), _) => {
                let target: Option<&mut Target> = last.take().and_then(|name| refs.get_mut(&name));
                match target {
                    Some(target) => target.peeled = Some(peeled),
                    None => damaged = true,
                }
            }
            (None, Some((name, id))) => {
                last = Some(name.clone());
                refs.insert(name, Target { id, peeled: None });
            }
            (None, None) => damaged = true,
        }
    }
    Stored { refs: Refs(refs), damaged }
}

fn entry(line: &[u8]) -> Option<(String, ObjectId)> {
    let (hex, name) = line.split_at_checked(40)?;
    let name = std::str::from_utf8(name.strip_prefix(b" ")?).ok()?;
    let id = ObjectId::from_hex(hex).ok()?;
    let belongs = match name.strip_prefix(KEPT) {
        Some(commit) => commit.as_bytes() == hex,
        None => name.starts_with("refs/heads/") || name.starts_with("refs/tags/"),
    };
    belongs.then(|| (name.to_owned(), id))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use gix::ObjectId;

    use super::{Refs, parse};

    fn id(digit: char) -> ObjectId {
        ObjectId::from_hex(digit.to_string().repeat(40).as_bytes()).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Refs::read(directory.path()).unwrap().refs.iter().next().is_none());
        let mut refs =
            parse(format!("{} refs/heads/main\n{} refs/tags/v1\n^{}\n", id('1'), id('2'), id('3')).as_bytes()).refs;
        refs.keep([id('4')]);
        refs.write(directory.path()).unwrap();
        let stored = Refs::read(directory.path()).unwrap();
        assert!(!stored.damaged);
        assert_eq!(stored.refs, refs);
        assert_eq!(stored.refs.tips().collect::<Vec<_>>(), [id('1'), id('4'), id('3')]);
        assert_eq!(stored.refs.kept().collect::<Vec<_>>(), [id('4')]);
        assert!(refs.forget(id('4')) && !refs.forget(id('4')));
    }

    #[test]
    fn kept_commits_survive_a_damaged_file() {
        let text = format!("garbage\n{} refs/kept/{}\n{} refs/kept/{}\n{}", id('1'), id('1'), id('2'), id('3'), "12");
        let stored = parse(text.as_bytes());
        assert!(stored.damaged);
        assert_eq!(stored.refs.kept().collect::<Vec<_>>(), [id('1')]);
    }
}
