//! What a repository lists, as Composer's driver sees it (`Composer\Repository\Vcs\SvnDriver`): the trunk and the
//! directories of branches and tags, each at the revision in which it last changed.

use serde::{Deserialize, Serialize};

use super::program::{Place, Svn};
use crate::vcs::error::VcsError;
use crate::vcs::request::Limits;
use crate::vcs::system::Layout;

/// What the trunk's version is called, wherever it is.
pub(super) const TRUNK: &str = "refs/heads/trunk";

/// A path of the repository at a revision, as `source.reference` has it: `/tags/1.0.0/@12`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// Below the layout's base, without slashes at its ends.
    pub(super) path: String,
    pub(super) revision: u64,
}

impl Reference {
    /// Reads one as it is written; none if it is not.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (path, revision) = text.rsplit_once("/@")?;
        let revision =
            Some(revision).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()?;
        let path = path.trim_matches('/');
        let odd = |part: &str| part == "." || part == "..";
        let whole = text.starts_with('/') && !path.chars().any(char::is_control) && !path.split('/').any(odd);
        whole.then(|| Self { path: path.to_owned(), revision })
    }
}

/// As Composer writes it (`SvnDriver::buildIdentifier`).
impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let slash = if self.path.is_empty() { "" } else { "/" };
        write!(f, "{slash}{}/@{}", self.path, self.revision)
    }
}

/// The trunk, a branch or a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The full name: `refs/tags/1.0.0`.
    pub(super) name: String,
    /// The directory, without the package's path.
    pub(super) directory: String,
    /// When it last changed.
    pub(super) changed: u64,
    /// The date of that, in seconds since 1970.
    pub(super) time: Option<i64>,
    /// When what holds it last changed: it is there at that revision for certain, because a copied or moved parent leaves
    /// its children's own revisions as they were.
    pub(super) held: u64,
}

/// All of them in Composer's order.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) entries: Vec<Entry>,
    /// The package's path in each of them.
    pub(super) package: Option<String>,
}

impl Listing {
    /// Asks for everything as of the newest revision.
    pub(super) fn read(svn: &Svn<'_>, layout: &Layout, place: &Place, limits: &Limits) -> Result<Self, VcsError> {
        let mut listing = Self { entries: Vec::new(), package: layout.package.clone() };
        if let Some(tags) = &layout.tags {
            listing.add(svn, "refs/tags/", tags, place)?;
        }
        let directory = layout.trunk.clone().unwrap_or_default();
        if let Some(trunk) = svn.info(&directory, place.head)?.filter(|known| known.is_directory) {
            let (changed, time) = (trunk.changed, trunk.time);
            listing.entries.push(Entry { name: TRUNK.to_owned(), directory, changed, time, held: place.changed });
        }
        if let Some(branches) = &layout.branches {
            listing.add(svn, "refs/heads/", branches, place)?;
        }
        if listing.entries.len() > limits.refs {
            let what = "The repository's number of branches and tags".to_owned();
            return Err(VcsError::TooLarge { what, limit: limits.refs.to_string() });
        }
        Ok(listing)
    }

    fn add(&mut self, svn: &Svn<'_>, prefix: &str, parent: &str, place: &Place) -> Result<(), VcsError> {
        for listed in svn.list(parent, place.head)? {
            let odd = listed.name.is_empty() || listed.name.contains('/') || listed.name.chars().any(char::is_control);
            if listed.kind != "dir" || odd {
                continue;
            }
            let name = format!("{prefix}{}", listed.name);
            let directory = format!("{parent}/{}", listed.name);
            let (changed, time) = (listed.commit.revision, listed.commit.time());
            let entry = Entry { name, directory, changed, time, held: place.changed };
            // A branch that is called trunk takes the trunk's place, as in Composer's array.
            match self.entries.iter_mut().find(|known| known.name == entry.name) {
                Some(known) => *known = entry,
                None => self.entries.push(entry),
            }
        }
        Ok(())
    }

    /// Where the package is in an entry.
    pub(super) fn path(&self, entry: &Entry) -> String {
        let parts = [entry.directory.as_str(), self.package.as_deref().unwrap_or_default()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::Reference;

    #[test]
    fn references_are_composers() {
        for (text, path, revision) in
            [("/trunk/@7", "trunk", 7), ("/tags/1.0@x/p/@12", "tags/1.0@x/p", 12), ("/@3", "", 3)]
        {
            let reference = Reference { path: path.to_owned(), revision };
            assert_eq!(Reference::parse(text), Some(reference.clone()), "{text}");
            assert_eq!(reference.to_string(), text);
        }
        for wrong in ["", "trunk/@7", "/trunk@7", "/trunk/@", "/trunk/@HEAD", "/../x/@1", "/a\n/@1", "/a/@-1"] {
            assert_eq!(Reference::parse(wrong), None, "{wrong}");
        }
    }
}
