//! One package: what we did to its repository, what the server accepted, and what it has shown of it so far.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::http::Response;
use crate::random::Random;
use crate::remote::{Remote, Versions};

/// A promise that was broken; what was seen instead.
pub type Broken = String;

/// Where a package is in its life, as far as the server answered us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Nobody told the server of it yet.
    New,
    /// It was to be added, and the answer did not come.
    Adding,
    /// It is there.
    Added(i64),
    /// It was to be removed, and the answer did not come.
    Removing(i64),
    /// It is gone.
    Removed,
}

/// What was seen of a document, releases or branches.
#[derive(Default)]
struct Shown {
    /// The least state that it may be of: never an older one than before.
    state: usize,
    last: Option<(String, Vec<u8>)>,
}

/// A package and its ledger.
pub struct Project {
    pub url: String,
    pub remote: Remote,
    pub life: Life,
    /// The path of its webhook, once it was asked for.
    pub hook: Option<String>,
    /// The state that was there when the server last accepted that it should look: it must come to be shown.
    pub promised: usize,
    /// Somebody spoilt its mirror: commits that only the mirror had may be lost.
    pub damaged: bool,
    shown: [Shown; 2],
    /// Every version that was ever shown, by version and commit.
    versions: BTreeMap<(String, String), Map<String, Value>>,
    /// SHA-256 of every archive that was ever served, by commit.
    archives: BTreeMap<String, [u8; 32]>,
}

impl Project {
    pub fn new(remote: Remote, url: String) -> Self {
        Self {
            url,
            remote,
            life: Life::New,
            hook: None,
            promised: 0,
            damaged: false,
            shown: Default::default(),
            versions: BTreeMap::new(),
            archives: BTreeMap::new(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.remote.package
    }

    /// The path of a document.
    pub fn document(&self, dev: bool) -> String {
        format!("/repo/soak/p2/{}{}.json", self.name(), if dev { "~dev" } else { "" })
    }

    /// The path of an archive.
    pub fn archive(&self, commit: &str) -> String {
        format!("/repo/soak/dists/{}/{commit}.zip", self.name())
    }

    /// Commits that were ever shown.
    pub fn published(&self) -> Vec<String> {
        let mut commits: Vec<String> = self.versions.keys().map(|(_, commit)| commit.clone()).collect();
        commits.sort();
        commits.dedup();
        commits
    }

    /// Commits whose archives must be had: all that were ever shown, unless the mirror was spoilt.
    pub fn archives_due(&self) -> Vec<String> {
        if self.damaged { self.remote.tips() } else { self.published() }
    }

    /// Looks at a document that was served. `settled`: nothing is left to be done for the package.
    pub fn observe(&mut self, dev: bool, response: &Response, settled: bool) -> Result<(), Broken> {
        let told = |what: &str| format!("{} of {}: {what}\n{}", self.document(dev), self.url, response.text());
        // Before the first import it is a name like any other, and then one of an owned vendor.
        let unknown = self.shown[usize::from(dev)].last.is_none() && !settled;
        if response.status == 404 && unknown {
            return Ok(());
        }
        if response.status != 200 {
            return Err(told("no 200"));
        }
        let versions = expand(&response.body, self.name()).map_err(|what| told(&what))?;
        let (seen, fresh) = self.read(versions).map_err(|what| told(&what))?;
        let shown = &self.shown[usize::from(dev)];
        if seen.is_empty() && unknown {
            return Ok(());
        }
        let Some((first, last)) = self.remote.find(&seen, dev, shown.state) else {
            let older = self.remote.find(&seen, dev, 0);
            return Err(told(&format!(
                "it is of no state from {} to {} (of the older one {older:?}): {seen:?}",
                shown.state,
                self.remote.newest()
            )));
        };
        if settled && last < self.promised {
            return Err(told(&format!("it is of state {last}, and {} was promised", self.promised)));
        }
        let date = response.header("last-modified").ok_or_else(|| told("no date"))?.to_owned();
        if let Some((before, body)) = &shown.last {
            let newer = seconds(&date).cmp(&seconds(before));
            let expected = if *body == response.body { std::cmp::Ordering::Equal } else { std::cmp::Ordering::Greater };
            // The date may rise without a change of what is shown: other content may have been there in between.
            if newer.is_lt() || (newer.is_eq() && expected.is_gt()) {
                return Err(told(&format!(
                    "its date was {before}, of other content:\n{}",
                    String::from_utf8_lossy(body)
                )));
            }
        }
        let shown = &mut self.shown[usize::from(dev)];
        shown.state = first;
        shown.last = Some((date, response.body.clone()));
        self.versions.extend(fresh);
        Ok(())
    }

    /// Looks at a document of a server that forgot something: any state will do, if it is one.
    pub fn require_some_state(&self, dev: bool, response: &Response) -> Result<(), Broken> {
        let told = |what: &str| format!("{} of {}: {what}\n{}", self.document(dev), self.url, response.text());
        let versions = expand(&response.body, self.name()).map_err(|what| told(&what))?;
        let (seen, _) = self.read(versions).map_err(|what| told(&what))?;
        // None, where it was not imported yet.
        let is_one = seen.is_empty() || self.remote.find(&seen, dev, 0).is_some();
        if is_one { Ok(()) } else { Err(told("it is of no state")) }
    }

    /// The versions with their commits; all of a version must be of its commit, and as it was before.
    fn read(&self, versions: Vec<Map<String, Value>>) -> Result<(Versions, Vec<Known>), Broken> {
        let (mut seen, mut fresh) = (Versions::new(), Vec::new());
        for object in versions {
            let text = |pointer: &[&str]| {
                let (last, path) = pointer.split_last()?;
                path.iter().try_fold(&object, |object, key| object.get(*key)?.as_object())?.get(*last)?.as_str()
            };
            let version = text(&["version"]).ok_or("a version without its name")?.to_owned();
            let commit = text(&["source", "reference"]).ok_or("a version without its source")?.to_owned();
            if text(&["dist", "reference"]) != Some(&commit) {
                return Err(format!("{version} has one commit as source and another as dist"));
            }
            if text(&["description"]) != self.remote.description(&commit) {
                return Err(format!("{version} has not the content of its commit"));
            }
            let key = (version.clone(), commit.clone());
            match self.versions.get(&key) {
                Some(before) if *before != object => {
                    return Err(format!("{version} at {commit} was something else before: {before:?}"));
                }
                Some(_) => {}
                None => fresh.push((key, object)),
            }
            if seen.insert(version.clone(), commit).is_some() {
                return Err(format!("{version} twice"));
            }
        }
        Ok((seen, fresh))
    }

    /// Looks at an archive that was served. `due`: it must be there by now.
    pub fn observe_archive(&mut self, commit: &str, response: &Response, due: bool) -> Result<(), Broken> {
        let told = |what: &str| format!("the archive of {commit} of {}: {what}\n{}", self.url, response.text());
        match response.status {
            200 => {}
            _ if !due && matches!(response.status, 404 | 500 | 503) => return Ok(()),
            _ => return Err(told("no 200")),
        }
        let digest: [u8; 32] = Sha256::digest(&response.body).into();
        let mut archive =
            zip::ZipArchive::new(std::io::Cursor::new(&response.body)).map_err(|error| told(&error.to_string()))?;
        let mut manifest = String::new();
        for index in 0..archive.len() {
            let mut file = archive.by_index(index).map_err(|error| told(&error.to_string()))?;
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut file, &mut content).map_err(|error| told(&error.to_string()))?;
            if file.name().is_ok_and(|name| name == "composer.json") {
                manifest = String::from_utf8_lossy(&content).into_owned();
            }
        }
        let manifest: Value = serde_json::from_str(&manifest).map_err(|error| told(&error.to_string()))?;
        if manifest["description"].as_str() != self.remote.description(commit) {
            return Err(told("it has not the content of its commit"));
        }
        match self.archives.insert(commit.to_owned(), digest) {
            Some(before) if before != digest => Err(told("its bytes were others before")),
            _ => Ok(()),
        }
    }

    /// An archive that was served before and must be there, or one that was not yet: what is more worth asking for.
    pub fn choose_archive(&self, random: &mut Random) -> Option<String> {
        let due = self.archives_due();
        let (built, unbuilt): (Vec<String>, Vec<String>) =
            due.into_iter().partition(|commit| self.archives.contains_key(commit));
        let first = if random.chance(70) { [unbuilt, built] } else { [built, unbuilt] };
        first.iter().find(|some| !some.is_empty()).map(|some| random.pick(some).clone())
    }
}

type Known = ((String, String), Map<String, Value>);

/// Composer's `MetadataMinifier::expand`: each version is what differs from the one before.
fn expand(body: &[u8], name: &str) -> Result<Vec<Map<String, Value>>, Broken> {
    let document: Value = serde_json::from_slice(body).map_err(|error| format!("no JSON: {error}"))?;
    let rows = document["packages"][name].as_array().ok_or("no list of versions")?;
    let minified = document["minified"] == "composer/2.0";
    let mut current = Map::new();
    let mut versions = Vec::new();
    for row in rows {
        if !minified {
            current.clear();
        }
        for (key, value) in row.as_object().ok_or("a version that is no object")? {
            if value == "__unset" {
                current.remove(key);
            } else {
                current.insert(key.clone(), value.clone());
            }
        }
        versions.push(current.clone());
    }
    Ok(versions)
}

/// An HTTP date as a number.
fn seconds(date: &str) -> i64 {
    jiff::fmt::rfc2822::parse(date).map_or(0, |date| date.timestamp().as_second())
}
