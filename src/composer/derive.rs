//! From the refs of a repository to the versions of a package: Composer's `VcsRepository`, as a function.
//!
//! Every ref either becomes a version or gets a reason, written for the person who pushed it, why it does not. Beyond Composer's own
//! rules a ref is skipped when publishing it would stop clients: one bad version in a metadata file aborts the whole run of everybody
//! who asks for the package.

mod branches;
mod manifests;
mod tags;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use self::manifests::Manifests;
use super::manifest::{ConstraintMemory, Identity, Manifest, Source};
use super::name::PackageName;
use super::version::{self, NormalizedVersion};

/// How much memory all versions of one repository may take, estimated in bytes. The largest public frameworks need a tenth.
pub const MAX_WEIGHT: usize = 256 << 20;

/// What kind of name a ref is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefKind {
    /// Tags become releases.
    Tag,
    /// Branches become development versions.
    Branch,
}

impl RefKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Tag => "refs/tags/",
            Self::Branch => "refs/heads/",
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Branch => "branch",
        }
    }
}

/// Why the content of a commit's `composer.json` is not at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoManifest {
    /// The commit has no such file.
    #[error("there is no composer.json")]
    Missing,
    /// There is a directory, a symbolic link or a submodule of that name.
    #[error("composer.json is not a file")]
    NotAFile,
    /// Larger than the reader takes ([`MAX_BYTES`](super::manifest::MAX_BYTES)).
    #[error("composer.json has {bytes} bytes; at most {} are read", super::manifest::MAX_BYTES)]
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// A tag of a tree or a blob.
    #[error("it does not name a commit")]
    NotACommit,
}

/// One tag or branch, and the `composer.json` at its commit.
#[derive(Debug, Clone)]
pub struct RefSource {
    /// Tag or branch.
    pub kind: RefKind,
    /// The short name: `v1.0`, `feature/x`.
    pub name: String,
    /// The commit, annotated tags peeled.
    pub commit: String,
    /// The author date in unix seconds.
    pub time: i64,
    /// In which time zone it is told, in seconds east of UTC.
    pub offset: i32,
    /// What identifies the manifest's content: refs with equal ids share one parse. Empty where there is no manifest.
    pub blob: String,
    /// The manifest's bytes.
    pub manifest: Result<Arc<[u8]>, NoManifest>,
}

impl RefSource {
    /// The full name: `refs/tags/v1.0`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}{}", self.kind.prefix(), self.name)
    }
}

/// What the `source` of every version says, but for the commit.
#[derive(Debug, Clone)]
pub struct SourceTemplate {
    /// `git`, `hg` or `svn`.
    pub vcs: String,
    /// The address from which clients clone.
    pub url: String,
}

/// A repository as it was read.
#[derive(Debug, Clone)]
pub struct Repository<'a> {
    /// All refs, in any order if `in_order` does not say otherwise.
    pub refs: &'a [RefSource],
    /// Whether their order is the one in which Composer sees them, and not that of their names: it decides which of two
    /// that mean one version is published.
    pub in_order: bool,
    /// The short name of the default branch; `None` where the system has no such thing.
    pub default_branch: Option<&'a str>,
    /// Where the default branch's manifest is if it is not a branch's: Mercurial and Subversion name packages by their tip.
    pub root: Option<&'a RefSource>,
    /// The package that this repository is known as. Decides where the default branch has no name.
    pub registered: Option<&'a PackageName>,
    /// What to say in `source`; none where there is none, because Composer clones repositories and no directories of them.
    pub source: Option<SourceTemplate>,
}

/// What a repository publishes.
#[derive(Debug, Clone, Default)]
pub struct Derivation {
    /// The package's name; `None` where no ref has a good one.
    pub name: Option<PackageName>,
    /// The versions, tags first, in Composer's order.
    pub versions: Vec<PublishedVersion>,
    /// The refs that are no versions.
    pub skipped: Vec<Skipped>,
    /// Other names that versions have in their own manifests, which do not count: how many, and the full name of one such ref.
    pub other_names: BTreeMap<String, (usize, String)>,
}

/// One version of a package.
#[derive(Debug, Clone)]
pub struct PublishedVersion {
    /// The version for people: `v1.2.0`, `dev-main`.
    pub version: String,
    /// The same for comparing. Unique within a derivation.
    pub version_normalized: NormalizedVersion,
    /// The commit.
    pub reference: String,
    /// The release date in unix seconds; `None` where the manifest has an unreadable `time`.
    pub time: Option<i64>,
    /// Whether it belongs into the `~dev` file.
    pub dev: bool,
    /// Whether it is the default branch.
    pub default_branch: bool,
    /// The full name of its ref.
    pub ref_name: String,
    /// Its metadata as Composer's `ArrayDumper` writes it, with `source` and without `dist`.
    pub metadata: Map<String, Value>,
    /// The patterns of `archive.exclude`, for whoever builds the archive.
    pub archive_excludes: Vec<String>,
}

/// A ref that is no version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The full name of the ref.
    pub ref_name: String,
    /// Why, as a sentence that begins with the ref.
    pub reason: String,
}

/// Derives the versions of a repository.
#[must_use]
pub fn derive(repository: &Repository<'_>) -> Derivation {
    let mut run = Run::new(repository);
    for tag in run.sorted(RefKind::Tag) {
        run.settle(tag, Run::read_tag);
    }
    for branch in run.branches() {
        run.settle(branch, Run::read_branch);
    }
    run.derivation
}

/// The state of one derivation.
struct Run<'a> {
    repository: &'a Repository<'a>,
    manifests: Manifests<'a>,
    constraints: ConstraintMemory,
    /// What the default branch calls the package; overrides every other ref's name.
    root_name: Option<String>,
    /// Whether the default branch has a readable manifest.
    has_root: bool,
    /// The releases that are taken, with the short names of their tags.
    taken: BTreeMap<Comparable, &'a str>,
    /// The same for all versions by their text, which identifies a version where it is stored. (No tag's is a branch's.)
    taken_texts: BTreeMap<String, &'a str>,
    weight: usize,
    derivation: Derivation,
}

/// A version by PHP's `version_compare`, in which `01.0` and `1.0` are one.
#[derive(PartialEq, Eq)]
struct Comparable(NormalizedVersion);

impl Ord for Comparable {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        version::compare(&self.0, &other.0)
    }
}

impl PartialOrd for Comparable {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A version that a ref has been found to be, before its manifest is read as that version's.
struct Candidate {
    version: String,
    normalized: NormalizedVersion,
    default_branch: bool,
}

impl<'a> Run<'a> {
    fn new(repository: &'a Repository<'a>) -> Self {
        let mut manifests = Manifests::default();
        let root = repository.root.or_else(|| {
            repository.refs.iter().find(|source| {
                source.kind == RefKind::Branch && Some(source.name.as_str()) == repository.default_branch
            })
        });
        let root = root.and_then(|source| manifests.of(source).ok());
        Self {
            repository,
            manifests,
            constraints: ConstraintMemory::default(),
            root_name: root.as_ref().and_then(|root| root.name().map(str::to_owned)),
            has_root: root.is_some(),
            taken: BTreeMap::new(),
            taken_texts: BTreeMap::new(),
            weight: 0,
            derivation: Derivation::default(),
        }
    }

    /// The refs of a kind in the order in which Composer sees them: where git lists them, by their bytes.
    fn sorted(&self, kind: RefKind) -> Vec<&'a RefSource> {
        let mut refs: Vec<_> = self.repository.refs.iter().filter(|source| source.kind == kind).collect();
        if !self.repository.in_order {
            refs.sort_by(|a, b| a.name.cmp(&b.name));
        }
        refs
    }

    /// Reads a ref and writes down what became of it.
    fn settle(
        &mut self,
        source: &'a RefSource,
        read: impl FnOnce(&mut Self, &'a RefSource) -> Result<PublishedVersion, String>,
    ) {
        match read(self, source) {
            Ok(version) => self.derivation.versions.push(version),
            Err(reason) => self.derivation.skipped.push(Skipped {
                ref_name: source.full_name(),
                reason: format!("{} {}: {reason}", source.kind.noun(), source.name),
            }),
        }
    }

    /// Turns a candidate into a version, or says why its manifest cannot be published.
    fn publish(
        &mut self,
        source: &RefSource,
        manifest: &Manifest,
        candidate: Candidate,
    ) -> Result<PublishedVersion, String> {
        let (pretty, name) = self.name_of(manifest)?;
        let weight = self.weight.saturating_add(manifest.weight());
        if weight > MAX_WEIGHT {
            return Err("the repository's versions together are larger than is published".to_owned());
        }
        let Candidate { version, normalized, default_branch } = candidate;
        let identity = Identity {
            name: &pretty,
            version: &version,
            version_normalized: normalized.as_str(),
            default_branch,
            source: Source {
                place: self.repository.source.as_ref().map(|it| (it.vcs.as_str(), it.url.as_str())),
                reference: &source.commit,
            },
            committed: source.time,
            offset: source.offset,
        };
        let loaded = manifest.load(&identity, &mut self.constraints).map_err(|rejection| rejection.to_string())?;
        self.weight = weight;
        if let Some(other) = manifest.name().map(str::to_lowercase).filter(|other| *other != name.as_str()) {
            self.note_other_name(other, source);
        }
        self.derivation.name.get_or_insert(name);
        Ok(PublishedVersion {
            dev: normalized.is_dev(),
            version,
            version_normalized: normalized,
            reference: source.commit.clone(),
            time: loaded.time,
            default_branch,
            ref_name: source.full_name(),
            metadata: loaded.metadata,
            archive_excludes: manifest.archive_excludes(),
        })
    }

    /// Notes that a ref is published under another name than its own manifest says.
    fn note_other_name(&mut self, other: String, source: &RefSource) {
        const NOTED: usize = 20;
        let others = &mut self.derivation.other_names;
        if others.len() < NOTED || others.contains_key(&other) {
            others.entry(other).or_insert_with(|| (0, source.full_name())).0 += 1;
        }
    }

    /// The name under which a ref is published, as written and as compared.
    fn name_of(&self, manifest: &Manifest) -> Result<(String, PackageName), String> {
        if let Some(written) = &self.root_name {
            let name = PackageName::parse_lenient(written)
                .map_err(|error| format!("the default branch's composer.json has an invalid name: {error}"))?;
            return Ok((written.clone(), name));
        }
        let written = manifest.name().ok_or("composer.json has no name, and neither has the default branch's")?;
        let name = PackageName::parse_lenient(written)
            .map_err(|error| format!("composer.json has an invalid name: {error}"))?;
        let expected = self.repository.registered.or(self.derivation.name.as_ref());
        match expected {
            Some(expected) if *expected != name => Err(format!(
                "composer.json names another package, {name}, and the default branch names none that would decide: this repository is {expected}"
            )),
            _ => Ok((written.to_owned(), name)),
        }
    }
}

#[cfg(test)]
#[path = "derive/tests.rs"]
mod tests;
