//! What a repository lists, as Composer's driver sees it (`Composer\Repository\Vcs\HgDriver`): tags but for `tip`, open
//! named branches, and bookmarks, which give way to branches of the same name.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::program::Hg;
use super::server::Server;
use crate::vcs::error::VcsError;
use crate::vcs::request::Limits;
use crate::vcs::room::bytes;

/// Bytes of a listing.
const MOST: usize = 64 << 20;
/// The id of no changeset.
const NONE: &str = "0000000000000000000000000000000000000000";

/// Branches and tags by their full names, in Composer's order, and the newest changeset.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) refs: Vec<(String, String)>,
    /// What names the package: `tip`. None in an empty repository.
    pub(super) tip: Option<String>,
    /// The tip of the branch that people see first.
    pub(super) front: Option<String>,
}

#[derive(Deserialize)]
struct Tag {
    tag: String,
    node: String,
    #[serde(default, rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Branch {
    branch: String,
    node: String,
    #[serde(default)]
    closed: bool,
}

/// Whether a text is the whole id of a changeset.
pub(super) fn is_node(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The server's bookmarks. The mirror's own are not asked: one that was deleted there stays here.
pub(super) fn bookmarks(hg: &Hg<'_>) -> Result<Vec<(String, String)>, VcsError> {
    let mut command = hg.command();
    command.args(["debugpushkey", "--", hg.source(), "bookmarks"]);
    let out = hg.must(command, None)?;
    let text = String::from_utf8_lossy(&out);
    let mut found: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.rsplit_once('\t'))
        .filter(|(_, node)| is_node(node))
        .map(|(name, node)| (name.to_owned(), node.to_owned()))
        .collect();
    found.sort();
    Ok(found)
}

impl Listing {
    /// Asks a mirror that is up to date.
    pub(super) fn read(
        server: &mut Server<'_, '_>,
        bookmarks: Vec<(String, String)>,
        limits: &Limits,
    ) -> Result<Self, VcsError> {
        let tags: Vec<Tag> = parsed(&server.must(&["tags", "--template", "json"], MOST)?)?;
        let branches: Vec<Branch> = parsed(&server.must(&["branches", "--template", "json"], MOST)?)?;
        let tip = server.must(&["log", "--rev", "tip", "--template", "{node}"], 64)?;
        let tip = Some(String::from_utf8_lossy(&tip).into_owned()).filter(|tip| is_node(tip) && tip != NONE);
        let wanted: Vec<String> = bookmarks.iter().map(|(_, node)| node.clone()).collect();
        // A bookmark at a changeset that the server does not show us.
        let absent = super::read::absent(server, &wanted)?;
        let open: Vec<Branch> = branches.into_iter().filter(|branch| !branch.closed && is_node(&branch.node)).collect();
        let mut listing = Self { tip, ..Self::default() };
        for tag in tags {
            if tag.tag != "tip" && tag.kind != "local" && is_node(&tag.node) && tag.node != NONE {
                listing.refs.push((format!("refs/tags/{}", tag.tag), tag.node));
            }
        }
        // As `array_merge($bookmarks, $branches)` orders them.
        for (name, node) in bookmarks.into_iter().filter(|(_, node)| !absent.contains(node)) {
            let own = open.iter().find(|branch| branch.branch == name);
            listing.refs.push((format!("refs/heads/{name}"), own.map_or(node, |branch| branch.node.clone())));
        }
        for branch in open {
            let name = format!("refs/heads/{}", branch.branch);
            if !listing.refs.iter().any(|(known, _)| *known == name) {
                listing.refs.push((name, branch.node));
            }
        }
        listing.front = ["refs/heads/@", "refs/heads/default"].iter().find_map(|front| listing.node_of(front));
        listing.check(limits)?;
        Ok(listing)
    }

    fn node_of(&self, name: &str) -> Option<String> {
        self.refs.iter().find(|(known, _)| known == name).map(|(_, node)| node.clone())
    }

    fn check(&self, limits: &Limits) -> Result<(), VcsError> {
        if self.refs.len() > limits.refs {
            let what = "The repository's number of branches and tags".to_owned();
            return Err(VcsError::TooLarge { what, limit: limits.refs.to_string() });
        }
        const MAX_NAMES: usize = 16 << 20;
        if self.refs.iter().map(|(name, _)| name.len()).sum::<usize>() > MAX_NAMES {
            let what = "The sum of the names of the repository's branches and tags".to_owned();
            return Err(VcsError::TooLarge { what, limit: bytes(MAX_NAMES as u64) });
        }
        Ok(())
    }

    /// Equal digests mean equal listings.
    pub(super) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (name, node) in &self.refs {
            hash.update(format!("{name} {node}\n"));
        }
        hash.update(format!("tip {}\n", self.tip.as_deref().unwrap_or_default()));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn parsed<T: for<'de> Deserialize<'de>>(out: &[u8]) -> Result<T, VcsError> {
    serde_json::from_slice(out).map_err(|error| VcsError::corrupt(format!("hg's list cannot be read: {error}")))
}
