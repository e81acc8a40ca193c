//! Reading a mirror: dates, manifests and the README, each changeset once.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Blob;
use super::listing::{Listing, is_node};
use super::server::Server;
use crate::vcs::error::VcsError;
use crate::vcs::known_files::{MAX_MANIFEST, MAX_README, readme_rank};
use crate::vcs::request::{Limits, Manifest, Readme, RemoteRef, Snapshot};
use crate::vcs::room::bytes as size;

/// Bytes of the list of the files at the root.
const MOST_FILES: usize = 32 << 20;
/// The last second of the year 9999.
const MAX_TIME: i64 = 253_402_300_799;

/// Those changesets that the mirror has not.
pub(super) fn absent(server: &mut Server<'_, '_>, nodes: &[String]) -> Result<Vec<String>, VcsError> {
    let mut absent = Vec::new();
    for node in nodes {
        let revision = format!("present(id({node}))");
        let known = is_node(node) && !server.must(&["log", "--rev", &revision, "--template", "{node}"], 64)?.is_empty();
        if !known {
            absent.push(node.clone());
        }
    }
    Ok(absent)
}

/// When a changeset was committed, and how many seconds east of UTC its author was.
pub(super) fn date(server: &mut Server<'_, '_>, node: &str) -> Result<(Option<i64>, i32), VcsError> {
    let out = server.must(&["log", "--rev", node, "--template", "{date|hgdate}"], 100)?;
    let text = String::from_utf8_lossy(&out);
    let mut words = text.split(' ');
    let mut number = || words.next().and_then(|word| word.parse::<i64>().ok());
    let time = number().filter(|time| (0..=MAX_TIME).contains(time));
    // Mercurial counts westwards.
    let offset = number().filter(|west| west.abs() < 24 * 60 * 60).and_then(|west| i32::try_from(-west).ok());
    Ok((time, offset.unwrap_or_default()))
}

/// The listing with every ref's date and manifest, and the manifests themselves.
pub(super) fn snapshot(
    server: &mut Server<'_, '_>,
    listing: &Listing,
    limits: &Limits,
) -> Result<(Snapshot, Vec<Blob>), VcsError> {
    let mut reader = Reader { server, limits, facts: HashMap::new(), blobs: HashMap::new(), left: limits.manifests };
    let mut refs = Vec::with_capacity(listing.refs.len());
    for (name, node) in &listing.refs {
        refs.push(reader.remote_ref(name, node)?);
    }
    let root = listing.tip.as_deref().map(|tip| reader.remote_ref("refs/tags/tip", tip)).transpose()?.map(Box::new);
    let readme = match listing.front.as_deref().or(listing.tip.as_deref()) {
        Some(node) => reader.readme(node)?.map(Box::new),
        None => None,
    };
    let snapshot = Snapshot { refs, root, readme, ..Snapshot::default() };
    Ok((snapshot, reader.blobs.into_iter().collect()))
}

/// What is read of a changeset.
#[derive(Clone)]
struct Facts {
    time: Option<i64>,
    offset: i32,
    manifest: Manifest,
}

/// A file at the root.
struct Listed {
    name: String,
    bytes: u64,
    is_link: bool,
}

struct Reader<'r, 'a, 'b> {
    server: &'r mut Server<'a, 'b>,
    limits: &'r Limits,
    facts: HashMap<String, Facts>,
    blobs: HashMap<String, Arc<[u8]>>,
    left: u64,
}

impl Reader<'_, '_, '_> {
    fn remote_ref(&mut self, name: &str, node: &str) -> Result<RemoteRef, VcsError> {
        let facts = self.facts(node)?;
        Ok(RemoteRef {
            name: name.to_owned(),
            target: node.to_owned(),
            commit: Some(node.to_owned()),
            time: facts.time,
            offset: facts.offset,
            manifest: facts.manifest,
        })
    }

    fn facts(&mut self, node: &str) -> Result<Facts, VcsError> {
        if let Some(known) = self.facts.get(node) {
            return Ok(known.clone());
        }
        let (time, offset) = date(self.server, node)?;
        let files = self.files(node, "path:composer.json")?;
        let manifest = match files.iter().find(|file| file.name == "composer.json") {
            None => Manifest::Missing,
            Some(file) if file.is_link => Manifest::NotAFile,
            Some(file) if file.bytes > MAX_MANIFEST => Manifest::TooLarge { bytes: file.bytes },
            Some(file) => Manifest::Blob(self.content(node, file)?),
        };
        let facts = Facts { time, offset, manifest };
        self.facts.insert(node.to_owned(), facts.clone());
        Ok(facts)
    }

    /// The files that a pattern means.
    fn files(&mut self, node: &str, pattern: &str) -> Result<Vec<Listed>, VcsError> {
        let template = "{flags}\\0{size}\\0{path}\\0";
        let answer = self.server.run(&["files", "--rev", node, "--template", template, pattern], MOST_FILES)?;
        // It fails where there are none.
        if answer.code != 0 && !answer.said.trim().is_empty() {
            return Err(super::words::local(&answer.said));
        }
        let text = String::from_utf8_lossy(&answer.out).into_owned();
        let mut parts = text.split('\0');
        let mut files = Vec::new();
        while let (Some(flags), Some(bytes), Some(path)) = (parts.next(), parts.next(), parts.next()) {
            let bytes = bytes.parse().unwrap_or(u64::MAX);
            files.push(Listed { name: path.to_owned(), bytes, is_link: flags.contains('l') });
        }
        Ok(files)
    }

    /// Reads a file; its id among the blobs.
    fn content(&mut self, node: &str, file: &Listed) -> Result<String, VcsError> {
        let most = usize::try_from(file.bytes).unwrap_or(usize::MAX);
        let bytes = self.server.must(&["cat", "--rev", node, &format!("path:{}", file.name)], most)?;
        let id: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        if !self.blobs.contains_key(&id) {
            self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(|| VcsError::TooLarge {
                what: "The sum of the composer.json files of all branches and tags".to_owned(),
                limit: size(self.limits.manifests),
            })?;
            self.blobs.insert(id.clone(), bytes.into());
        }
        Ok(id)
    }

    /// The README of a changeset. Nothing depends on it: where it is too much, there is none.
    fn readme(&mut self, node: &str) -> Result<Option<Readme>, VcsError> {
        let files = self.files(node, "rootfilesin:.")?;
        let ranked = files.iter().filter(|file| !file.is_link);
        let best =
            ranked.filter_map(|file| Some((readme_rank(file.name.as_bytes())?, file))).min_by_key(|(rank, _)| *rank);
        let Some((_, file)) = best else { return Ok(None) };
        let blob = match file.bytes <= MAX_README && file.bytes <= self.left {
            true => self.content(node, file)?,
            false => String::new(),
        };
        Ok(Some(Readme { name: file.name.clone(), blob, bytes: file.bytes }))
    }
}
