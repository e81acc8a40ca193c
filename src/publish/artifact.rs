//! Archives that somebody made elsewhere and that Composer is to unpack: uploads, and what custom packages name.
//!
//! Nothing in them is believed. They are read once, from end to end, in bounded memory; whoever unpacks one afterwards meets
//! nothing that was not looked at here: neither a path that leads out of the package, nor a file that was not counted. A
//! tarball is written anew as a zip, because every Composer can unpack that (its `zip` downloader needs no PHP extension but
//! the `unzip` program), and because our addresses of archives end in `.zip`; a zip is served byte for byte.

mod digests;
mod kind;
mod meter;
mod tar;
mod tree;
mod zip;

use std::fs::File;
use std::io;
use std::path::Path;

pub use digests::{Digests, digests};
pub use kind::Kind;

use crate::composer::manifest::MAX_BYTES;
use tree::Tree;

/// What an archive may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many files, folders and links it may hold.
    pub entries: usize,
    /// How many bytes it may be unpacked.
    pub unpacked: u64,
    /// How many times larger than packed it may be unpacked, beyond [`FREE`].
    pub ratio: u64,
}

/// So many bytes may come out of an archive whatever its own size is.
pub const FREE: u64 = 16 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 100_000, unpacked: 2 << 30, ratio: 200 }
    }
}

/// What an archive holds.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// What kind of archive it is.
    pub kind: Kind,
    /// Its `composer.json`: at the top, or in the only folder there.
    pub manifest: Result<Vec<u8>, Refusal>,
    /// Whether a zip with the same files was written, to be served in its place.
    pub repacked: bool,
    /// How many bytes its files have.
    pub unpacked: u64,
}

/// Why an archive is not taken. Each text is a sentence for whoever made it, without a full stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each says it")]
pub enum Refusal {
    #[error("it is empty")]
    Empty,
    #[error("it is no archive that is taken here: those are zip, tar, tar.gz (tgz) and tar.bz2 (tbz2)")]
    Unknown,
    #[error("it is named as {named}, and is {found}: name it as what it is")]
    Misnamed { named: &'static str, found: &'static str },
    #[error("it has {found} entries, and may have {limit}")]
    TooMany { found: String, limit: usize },
    #[error("it says that it has {said} entries, and has {found}: some of them may have the same name")]
    Recount { said: u64, found: u64 },
    #[error("the names in it are too long altogether")]
    LongNames,
    #[error("its files have more than {limit} bytes altogether, which is as much as may be unpacked")]
    TooLarge { limit: u64 },
    #[error("it unpacks to more than {ratio} times its size: that is a bomb, or a lot of nothing")]
    Bomb { ratio: u64 },
    #[error("{name:?} in it shares bytes with another entry, as only a bomb does")]
    Overlap { name: String },
    #[error("{name:?} in it is no path of a package: {why}")]
    Path { name: String, why: &'static str },
    #[error("the link {name:?} in it leads to {target:?}, out of the package")]
    LinkOut { name: String, target: String },
    #[error("{name:?} in it is {what}, and a package has only files, folders and links")]
    Special { name: String, what: &'static str },
    #[error("{name:?} in it is a hard link: pack it with `tar --hard-dereference`")]
    HardLink { name: String },
    #[error("{name:?} is in it twice")]
    Twice { name: String },
    #[error("{name:?} and {other:?} in it are one name where case does not count, as on Windows and macOS")]
    Case { name: String, other: String },
    #[error("{name:?} in it is a folder for some entries, and for another one it is none")]
    NotAFolder { name: String },
    #[error("{name:?} in it is encrypted")]
    Encrypted { name: String },
    #[error(
        "{name:?} in it is compressed by a method ({method}) that not every PHP can unpack: use deflate, as `zip` does by itself"
    )]
    Method { name: String, method: String },
    #[error("{name:?} in it is a sparse file: pack it without `--sparse`")]
    Sparse { name: String },
    #[error("it is in several volumes")]
    Volumes,
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error("there is no composer.json in it, neither at its top nor in the only folder there")]
    NoManifest,
    #[error("its composer.json has more than {MAX_BYTES} bytes")]
    LargeManifest,
    #[error("the server's disk refused: {0}")]
    Disk(String),
}

impl Refusal {
    fn damaged(error: &io::Error) -> Self {
        Self::Damaged(error.to_string())
    }

    fn disk(error: &io::Error) -> Self {
        Self::Disk(error.to_string())
    }
}

/// Looks into the archive at `file`, which somebody calls `name` (none: nobody says what it is), and writes a zip with the
/// same files at `out` if it is a tarball. Slow: for threads that may wait.
///
/// # Errors
/// [`Refusal`].
pub fn inspect(file: &Path, name: Option<&str>, out: &Path, limits: &Limits) -> Result<Inspected, Refusal> {
    let mut opened = File::open(file).map_err(|error| Refusal::disk(&error))?;
    let size = opened.metadata().map_err(|error| Refusal::disk(&error))?.len();
    if size == 0 {
        return Err(Refusal::Empty);
    }
    let kind = Kind::of(&mut opened).map_err(|error| Refusal::disk(&error))?;
    let named = name.map(|name| Kind::named(name).ok_or(Refusal::Unknown)).transpose()?;
    let kind = kind.or_else(|| named.filter(|named| *named == Kind::Tar)).ok_or(Refusal::Unknown)?;
    if let Some(named) = named.filter(|named| *named != kind) {
        return Err(Refusal::Misnamed { named: named.words(), found: kind.words() });
    }
    let mut tree = Tree::new(limits);
    let unpacked = match kind {
        Kind::Zip => zip::read(opened, size, &mut tree, limits)?,
        Kind::Tar | Kind::TarGz | Kind::TarBz2 => tar::repack(kind, opened, size, out, &mut tree, limits)?,
    };
    let manifest = tree.finish()?;
    Ok(Inspected { kind, manifest, repacked: kind != Kind::Zip, unpacked })
}

#[cfg(test)]
mod tests;
