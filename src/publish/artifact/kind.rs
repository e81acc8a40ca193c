//! Which kind of archive a file is: by its first bytes, and by its name.

use std::fs::File;
use std::io::{self, Read, Seek};

/// A kind of archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each says it")]
pub enum Kind {
    Zip,
    Tar,
    TarGz,
    TarBz2,
}

/// Where a tarball says that it is one ("ustar", POSIX.1-2001 section "ustar Interchange Format"), and after how many bytes.
const USTAR: (usize, &[u8]) = (257, b"ustar");

impl Kind {
    /// What the bytes say; none where they say nothing that we know. A tarball of the time before POSIX says nothing.
    pub(super) fn of(file: &mut File) -> io::Result<Option<Self>> {
        let mut start = Vec::with_capacity(512);
        file.by_ref().take(512).read_to_end(&mut start)?;
        file.rewind()?;
        let is = |magic: &[u8]| start.starts_with(magic);
        Ok(if is(b"PK\x03\x04") || is(b"PK\x05\x06") {
            Some(Self::Zip)
        } else if is(&[0x1f, 0x8b]) {
            Some(Self::TarGz)
        } else if is(b"BZh") {
            Some(Self::TarBz2)
        } else if start.get(USTAR.0..).is_some_and(|rest| rest.starts_with(USTAR.1)) {
            Some(Self::Tar)
        } else {
            None
        })
    }

    /// What a file's name says.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        if ends(&[".zip"]) {
            Some(Self::Zip)
        } else if ends(&[".tar"]) {
            Some(Self::Tar)
        } else if ends(&[".tar.gz", ".tgz", ".gz"]) {
            Some(Self::TarGz)
        } else if ends(&[".tar.bz2", ".tbz2", ".tbz", ".bz2"]) {
            Some(Self::TarBz2)
        } else {
            None
        }
    }

    /// What it is called in a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Zip => "a zip",
            Self::Tar => "a tar",
            Self::TarGz => "a tar.gz",
            Self::TarBz2 => "a tar.bz2",
        }
    }
}
