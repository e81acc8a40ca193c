//! An archive with what Composer's own archiver would put into it (`Composer\Package\Archiver\ArchiveManager` on a
//! checkout), as a zip whose bytes depend on nothing but what is archived. Where the files come from is for the system of
//! the repository to say ([`Contents`]).
//!
//! Entries are sorted by bytes, carry the commit's date in UTC and one of two modes, and are deflated at one level by one
//! library.

mod files;
mod folder;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use gix::bstr::{BStr, BString, ByteSlice};
use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempDir};
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime};

use super::error::VcsError;
use super::leftovers::unfinished_prefix;
use super::request::{ArchiveStats, Limits};
use super::room::bytes as size;
use crate::composer::archive::Rules;
use crate::composer::manifest::Manifest;

use files::Destination;
pub(super) use files::{Entry, FileKind, Files, MAX_DEPTH, check, hostile, join};
pub(super) use folder::Folder;

/// Largest single file; it is held in memory while it is compressed.
const MAX_FILE: u64 = 512 << 20;
/// How many warnings are reported.
const MAX_WARNINGS: usize = 20;
/// What a file begins with that stands for one in Git LFS (git-lfs's specification, "the pointer").
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";

/// What makes of a file's stored bytes those of a checkout; none where they are the same.
pub(super) type Converter<'a, Id> = Box<dyn FnMut(&[u8], &BString, Id) -> Option<Vec<u8>> + 'a>;

/// What an archive is made of.
pub(super) trait Contents {
    /// What a file's content is asked for by.
    type Id: Copy;

    /// All files.
    fn files(&self) -> &Files<Self::Id>;

    /// How large a file is.
    fn size(&self, id: Self::Id) -> Result<u64, VcsError>;

    /// A file's bytes, or a link's text.
    fn read(&self, id: Self::Id) -> Result<Vec<u8>, VcsError>;

    /// The conversions of a checkout, if there are any.
    fn converter(&self) -> Result<Option<Converter<'_, Self::Id>>, VcsError> {
        Ok(None)
    }
}

/// Writes an archive, with `time` as every entry's date.
pub(super) fn write<C: Contents>(
    contents: &C,
    time: i64,
    out: &Path,
    limits: &Limits,
) -> Result<ArchiveStats, VcsError> {
    let source = Source(contents);
    let plan = source.plan()?;
    let mut writer = Writer::new(out, time, limits)?;
    writer.write_all(contents, &plan)?;
    writer.finish(out)
}

/// A folder for the files beside an archive that is being written; it goes when it is dropped, or with what an
/// unfinished archive leaves behind.
pub(super) fn scratch(prefix: &OsStr, directory: &Path) -> Result<TempDir, VcsError> {
    tempfile::Builder::new().prefix(prefix).tempdir_in(directory).map_err(writing)
}

/// The contents, as Composer's archiver looks at them.
struct Source<'a, C: Contents>(&'a C);

/// One entry of the archive.
struct Item<Id> {
    name: String,
    /// The path whose attributes and contents count: a link's target. None for an empty directory.
    content: Option<(BString, Entry<Id>)>,
}

impl<C: Contents> Source<'_, C> {
    /// Decides which files go in, and under which names.
    fn plan(&self) -> Result<Vec<Item<C::Id>>, VcsError> {
        let rules = self.rules()?;
        let mut items = Vec::new();
        for (path, entry) in &self.0.files().entries {
            let (path, content) = match entry.kind {
                FileKind::Plain | FileKind::Executable => (path.clone(), Some((path.clone(), *entry))),
                FileKind::Submodule => (path.clone(), None),
                FileKind::Link => match self.0.files().resolve(path.as_ref(), |id| self.link(id))? {
                    Destination::File(target) => {
                        let entry = self.0.files().entries.get(&target).copied();
                        (path.clone(), entry.map(|entry| (target, entry)))
                    }
                    Destination::Elsewhere => continue,
                },
            };
            // Composer judges a link by where it leads, but looks for directories such as `.svn` on its own path.
            let judged = content.as_ref().map_or(&path, |(target, _)| target).to_str_lossy();
            let own = path.to_str_lossy();
            let directory = own.rsplit_once('/').map_or("", |(directory, _)| directory);
            if !rules.keeps(&judged) || !rules.enters(directory) {
                continue;
            }
            items.push(Item { name: name(&path), content });
        }
        Ok(items)
    }

    fn rules(&self) -> Result<Rules, VcsError> {
        let attributes = self.root_file(".gitattributes")?;
        let manifest = self.root_file("composer.json")?;
        let excludes =
            manifest.and_then(|bytes| Manifest::parse(&bytes).ok()).map(|manifest| manifest.archive_excludes());
        Ok(Rules::new(attributes.as_deref(), &excludes.unwrap_or_default()))
    }

    /// A small file at the root, if there is one.
    fn root_file(&self, name: &str) -> Result<Option<Vec<u8>>, VcsError> {
        const MAX_RULES_FILE: u64 = 1 << 20;
        match self.0.files().entries.get(BStr::new(name)) {
            Some(Entry { id, kind: FileKind::Plain | FileKind::Executable }) if self.0.size(*id)? <= MAX_RULES_FILE => {
                self.0.read(*id).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn link(&self, id: C::Id) -> Result<BString, VcsError> {
        const MAX_LINK: u64 = 4096;
        // What is too long for a link's text leads nowhere.
        if self.0.size(id)? > MAX_LINK { Ok(BString::default()) } else { self.0.read(id).map(BString::from) }
    }
}

/// Names travel as UTF-8. One that is not was most likely written on a Latin-1 system; one odd file is no reason to
/// withhold the package, as Composer's archiver does not either.
fn name(path: &BString) -> String {
    path.to_str().map_or_else(|_| path.iter().map(|byte| char::from(*byte)).collect(), str::to_owned)
}

/// The archive being written, beside the place where it is to be.
struct Writer<'a> {
    zip: ZipWriter<BufWriter<NamedTempFile>>,
    options: SimpleFileOptions,
    limits: &'a Limits,
    left: u64,
    /// Bytes that were written since the disk was looked at.
    unseen: u64,
    directory: PathBuf,
    entries: usize,
    warnings: Vec<String>,
}

impl<'a> Writer<'a> {
    fn new(out: &Path, time: i64, limits: &'a Limits) -> Result<Self, VcsError> {
        let directory = out.parent().unwrap_or(Path::new("/"));
        limits.headroom.check(directory, 0)?;
        let file = tempfile::Builder::new().prefix(&unfinished_prefix(out)).tempfile_in(directory).map_err(writing)?;
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(6))
            .last_modified_time(dos_time(time));
        Ok(Self {
            zip: ZipWriter::new(BufWriter::new(file)),
            options,
            limits,
            left: limits.archive_bytes,
            unseen: 0,
            directory: directory.to_owned(),
            entries: 0,
            warnings: Vec::new(),
        })
    }

    fn write_all<C: Contents>(&mut self, source: &C, plan: &[Item<C::Id>]) -> Result<(), VcsError> {
        let mut converter = source.converter()?;
        for item in plan {
            self.entries += 1;
            if item.content.as_ref().is_some_and(|(path, _)| path.to_str().is_err()) {
                self.warn(format!(
                    "{} has a name that is not UTF-8; the archive has it as if it were Latin-1.",
                    item.name
                ));
            }
            let Some((path, entry)) = &item.content else {
                self.warn(format!("{} is a submodule; the archive has an empty directory in its place.", item.name));
                self.zip.add_directory(item.name.as_str(), self.options.unix_permissions(0o755)).map_err(zipping)?;
                continue;
            };
            let size = source.size(entry.id)?;
            self.room(size)?;
            self.spend(size, size.min(MAX_FILE + 1) > MAX_FILE)?;
            let bytes = source.read(entry.id)?;
            if bytes.len() < 1024 && bytes.starts_with(LFS_POINTER) {
                self.warn(format!("{} is stored in Git LFS; the archive has only the pointer to it.", item.name));
            }
            let mode = if entry.kind == FileKind::Executable { 0o755 } else { 0o644 };
            self.zip.start_file(item.name.as_str(), self.options.unix_permissions(mode)).map_err(zipping)?;
            let converted = converter.as_mut().and_then(|convert| convert(&bytes, path, entry.id));
            if let Some(converted) = &converted {
                self.spend((converted.len() as u64).saturating_sub(size), false)?;
            }
            self.zip.write_all(converted.as_deref().unwrap_or(&bytes)).map_err(writing)?;
        }
        Ok(())
    }

    /// Looks at the disk before each large file and after many small ones.
    fn room(&mut self, wanted: u64) -> Result<(), VcsError> {
        const LOOK: u64 = 8 << 20;
        self.unseen += wanted;
        if self.unseen >= LOOK {
            self.unseen = 0;
            self.limits.headroom.check(&self.directory, wanted)?;
        }
        Ok(())
    }

    fn spend(&mut self, bytes: u64, too_large: bool) -> Result<(), VcsError> {
        match self.left.checked_sub(bytes) {
            Some(left) if !too_large => {
                self.left = left;
                Ok(())
            }
            _ => Err(VcsError::TooLarge {
                what: "The sum of the commit's files".to_owned(),
                limit: format!("{} ({} for one file)", size(self.limits.archive_bytes), size(MAX_FILE)),
            }),
        }
    }

    fn warn(&mut self, warning: String) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(warning.chars().filter(|char| !char.is_control()).collect());
        }
    }

    /// Ends the archive, and puts it in its place when it is safely on disk.
    fn finish(self, out: &Path) -> Result<ArchiveStats, VcsError> {
        let file = self.zip.finish().map_err(zipping)?;
        let mut file = file.into_inner().map_err(|error| writing(error.into_error()))?;
        file.as_file().sync_all().map_err(writing)?;
        let (bytes, sha256) = digest(file.as_file_mut()).map_err(writing)?;
        file.persist(out).map_err(|error| writing(error.error))?;
        if let Some(directory) = out.parent() {
            File::open(directory).and_then(|directory| directory.sync_all()).map_err(writing)?;
        }
        Ok(ArchiveStats { bytes, sha256, entries: self.entries, warnings: self.warnings })
    }
}

fn digest(file: &mut File) -> io::Result<(u64, String)> {
    file.seek(SeekFrom::Start(0))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    let mut bytes = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            let hex = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            return Ok((bytes, hex));
        }
        hash.update(&buffer[..count]);
        bytes += count as u64;
    }
}

/// A date as zip has it, in UTC: from 1980 to 2107, what is outside becomes 1980.
fn dos_time(seconds: i64) -> DateTime {
    let Ok(time) = jiff::Timestamp::from_second(seconds) else { return DateTime::default() };
    let civil = time.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    let field = |value: i8| u8::try_from(value).unwrap_or_default();
    let year = u16::try_from(civil.year()).unwrap_or_default();
    DateTime::from_date_and_time(
        year,
        field(civil.month()),
        field(civil.day()),
        field(civil.hour()),
        field(civil.minute()),
        field(civil.second()),
    )
    .unwrap_or_default()
}

fn writing(error: io::Error) -> VcsError {
    VcsError::io("Writing the archive", &error)
}

fn zipping(error: zip::result::ZipError) -> VcsError {
    match error {
        zip::result::ZipError::Io(error) => writing(error),
        other => VcsError::Io { doing: "Writing the archive".to_owned(), reason: other.to_string() },
    }
}
