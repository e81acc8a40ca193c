//! The repository that a package is imported from, and every state that it ever had.
//!
//! Its refs live in one file that is replaced atomically, and its objects are written before. So whoever lists it sees
//! exactly one of the states, however many branches and tags a push moves: a document that mixes two is a mistake of the
//! server.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gix::ObjectId;
use gix::objs::{Kind, Write as _};

use crate::random::Random;

/// What a ref names: the object, and the commit that an annotated tag leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Target {
    id: ObjectId,
    commit: ObjectId,
}

type Refs = BTreeMap<String, Target>;

/// Versions with their commits, as a document shows them.
pub type Versions = BTreeMap<String, String>;

/// A bare repository with one package.
pub struct Remote {
    pub path: PathBuf,
    pub package: String,
    states: Vec<Refs>,
    /// The description in each commit's `composer.json`, by the commit's id.
    descriptions: HashMap<String, String>,
    commits: i64,
    tags: u32,
    branches: u32,
}

impl Remote {
    /// Makes one at `path` with a branch and some tags.
    pub fn create(path: &Path, package: &str, random: &mut Random) -> Self {
        let done = Command::new("git")
            .args(["init", "--quiet", "--bare", "--initial-branch=main"])
            .arg(path)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .status()
            .expect("the tests need git: apt-get install git");
        assert!(done.success(), "git init");
        let mut remote = Self {
            path: path.to_owned(),
            package: package.to_owned(),
            states: vec![Refs::new()],
            descriptions: HashMap::new(),
            commits: 0,
            tags: 0,
            branches: 0,
        };
        let mut refs = Refs::new();
        for _ in 0..=random.below(6) {
            let commit = remote.commit(refs.get("refs/heads/main").map(|target| target.commit), random);
            refs.insert("refs/heads/main".to_owned(), Target { id: commit, commit });
            remote.tag(&mut refs, commit, random);
        }
        remote.push(refs);
        remote
    }

    /// The number of the newest state.
    pub fn newest(&self) -> usize {
        self.states.len() - 1
    }

    /// The commit at the head of the default branch.
    pub fn head(&self) -> String {
        self.states[self.newest()]["refs/heads/main"].commit.to_string()
    }

    /// What the `composer.json` of a commit describes itself as.
    pub fn description(&self, commit: &str) -> Option<&str> {
        self.descriptions.get(commit).map(String::as_str)
    }

    /// What a document shows of a state: the releases, or the branches.
    pub fn versions(&self, state: usize, dev: bool) -> Versions {
        let versions = self.states[state].iter().filter_map(|(name, target)| {
            let version = match (name.strip_prefix("refs/tags/v"), name.strip_prefix("refs/heads/")) {
                (Some(number), None) if !dev => format!("v{number}"),
                (None, Some(branch)) if dev => format!("dev-{branch}"),
                _ => return None,
            };
            Some((version, target.commit.to_string()))
        });
        versions.collect()
    }

    /// The states that look like this, from `least` on: the first and the last.
    pub fn find(&self, seen: &Versions, dev: bool, least: usize) -> Option<(usize, usize)> {
        let mut alike = (least..self.states.len()).filter(|state| self.versions(*state, dev) == *seen);
        let first = alike.next()?;
        Some((first, alike.next_back().unwrap_or(first)))
    }

    /// The commits that the newest state reaches, for asking what a repaired mirror must hold.
    pub fn tips(&self) -> Vec<String> {
        self.states[self.newest()].values().map(|target| target.commit.to_string()).collect()
    }

    /// Somebody pushes: new commits, tags and branches, forced ones, deleted ones. The commit that a webhook announces.
    pub fn change(&mut self, random: &mut Random) -> String {
        let mut refs = self.states[self.newest()].clone();
        let mut announced = None;
        for _ in 0..=random.below(3) {
            announced = self.change_one(&mut refs, random).or(announced);
        }
        let head = refs["refs/heads/main"].commit;
        self.push(refs);
        announced.unwrap_or(head).to_string()
    }

    fn change_one(&mut self, refs: &mut Refs, random: &mut Random) -> Option<ObjectId> {
        let head = refs["refs/heads/main"].commit;
        let existing = |prefix: &str, random: &mut Random, refs: &Refs| {
            let names: Vec<String> = refs.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
            (!names.is_empty()).then(|| random.pick(&names).clone())
        };
        match random.below(10) {
            0..=2 => {
                let commit = self.commit(Some(head), random);
                refs.insert("refs/heads/main".to_owned(), Target { id: commit, commit });
                Some(commit)
            }
            3 | 4 => {
                let commit = self.commit(Some(head), random);
                self.tag(refs, commit, random);
                Some(commit)
            }
            5 => {
                // Moved by force, without the commits before.
                let name = existing("refs/tags/v", random, refs)?;
                let commit = self.commit(None, random);
                refs.insert(name, Target { id: commit, commit });
                Some(commit)
            }
            6 => {
                let commit = self.commit(None, random);
                refs.insert("refs/heads/main".to_owned(), Target { id: commit, commit });
                Some(commit)
            }
            7 => {
                let name = existing("refs/tags/v", random, refs)?;
                refs.remove(&name);
                None
            }
            8 => {
                self.branches += 1;
                let commit = self.commit(Some(head), random);
                refs.insert(format!("refs/heads/topic-{}", self.branches), Target { id: commit, commit });
                Some(commit)
            }
            _ => {
                let name = existing("refs/heads/topic-", random, refs)?;
                refs.remove(&name);
                None
            }
        }
    }

    fn tag(&mut self, refs: &mut Refs, commit: ObjectId, random: &mut Random) {
        self.tags += 1;
        let name = format!("v1.{}.{}", self.tags / 10, self.tags % 10);
        let id = if random.chance(50) {
            let text = format!(
                "object {commit}\ntype commit\ntag {name}\ntagger Ada <ada@example.com> 1700000000 +0000\n\nx\n"
            );
            self.write(Kind::Tag, text.as_bytes())
        } else {
            commit
        };
        refs.insert(format!("refs/tags/{name}"), Target { id, commit });
    }

    /// Writes a commit with a `composer.json` of its own and some bytes that do not compress.
    fn commit(&mut self, parent: Option<ObjectId>, random: &mut Random) -> ObjectId {
        self.commits += 1;
        let description = format!("Commit {} of {}", self.commits, self.package);
        let manifest = serde_json::json!({ "name": self.package, "description": description, "license": "MIT" });
        let manifest = self.write(Kind::Blob, manifest.to_string().as_bytes());
        let words = 1 << (5 + random.below(9));
        let noise: Vec<u8> = (0..words).flat_map(|_| random.next().to_le_bytes()).collect();
        let noise = self.write(Kind::Blob, &noise);
        let mut tree = Vec::new();
        for (name, id) in [("composer.json", manifest), ("noise.bin", noise)] {
            tree.extend_from_slice(format!("100644 {name}\0").as_bytes());
            tree.extend_from_slice(id.as_slice());
        }
        let tree = self.write(Kind::Tree, &tree);
        let parent = parent.map(|parent| format!("parent {parent}\n")).unwrap_or_default();
        let time = 1_700_000_000 + self.commits * 60;
        let who = format!("Ada <ada@example.com> {time} +0000");
        let commit =
            self.write(Kind::Commit, format!("tree {tree}\n{parent}author {who}\ncommitter {who}\n\nx\n").as_bytes());
        self.descriptions.insert(commit.to_string(), description);
        commit
    }

    fn write(&self, kind: Kind, bytes: &[u8]) -> ObjectId {
        let store = gix::odb::loose::Store::at(self.path.join("objects"), gix::hash::Kind::Sha1);
        store.write_buf(kind, bytes).expect("objects can be written")
    }

    fn push(&mut self, refs: Refs) {
        let mut text = String::from("# pack-refs with: peeled fully-peeled sorted \n");
        for (name, target) in &refs {
            text.push_str(&format!("{} {name}\n", target.id));
            if target.commit != target.id {
                text.push_str(&format!("^{}\n", target.commit));
            }
        }
        let new = self.path.join("packed-refs.new");
        fs::write(&new, text).expect("files can be written");
        fs::rename(new, self.path.join("packed-refs")).expect("files can be renamed");
        self.states.push(refs);
    }
}
