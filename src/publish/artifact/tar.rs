//! Tarballs: read entry by entry, and written anew as a zip.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use ::tar::{Archive, Entry, EntryType, PaxExtensions};
use ::zip::write::{SimpleFileOptions, ZipWriter};
use ::zip::{CompressionMethod, DateTime};
use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;

use super::kind::Kind;
use super::meter::{Meter, Metered, refusal};
use super::tree::{self, Tree, What};
use super::{Limits, Refusal};

/// Most bytes of a name or of attributes that stand in entries of their own.
const LARGEST_EXTENSION: u64 = 64 << 10;

type Source = Metered<Box<dyn Read>>;

/// What the entries before an entry say of it.
#[derive(Default)]
struct Extensions {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

/// Reads all of a tarball and writes a zip of it at `out`; how many bytes were unpacked.
pub(super) fn repack(
    kind: Kind,
    file: File,
    size: u64,
    out: &Path,
    tree: &mut Tree,
    limits: &Limits,
) -> Result<u64, Refusal> {
    let file = BufReader::new(file);
    let unpacked: Box<dyn Read> = match kind {
        Kind::TarGz => Box::new(MultiGzDecoder::new(file)),
        Kind::TarBz2 => Box::new(MultiBzDecoder::new(file)),
        Kind::Tar | Kind::Zip => Box::new(file),
    };
    let mut archive = Archive::new(Metered::new(unpacked, Meter::new(size, limits)));
    let writing = File::create(out).map_err(|error| Refusal::disk(&error))?;
    let mut zip = ZipWriter::new(BufWriter::new(writing));
    let mut extensions = Extensions::default();
    for entry in archive.entries().map_err(|error| refusal(&error))?.raw(true) {
        let mut entry = entry.map_err(|error| refusal(&error))?;
        match entry.header().entry_type() {
            EntryType::GNULongName => extensions.name = Some(long(&mut entry)?),
            EntryType::GNULongLink => extensions.link = Some(long(&mut entry)?),
            EntryType::XHeader => pax(&mut entry, &mut extensions)?,
            EntryType::XGlobalHeader => drop(extension(&mut entry)?),
            _ => one(&mut entry, &std::mem::take(&mut extensions), tree, &mut zip)?,
        }
    }
    // To the end, where checksums of compressed ones stand; what follows the end of the tarball is counted too.
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(|error| refusal(&error))?;
    let written = zip.finish().map_err(|error| zipping(&error))?;
    written.into_inner().map_err(|error| Refusal::disk(error.error()))?;
    Ok(rest.meter.unpacked())
}

fn extension(entry: &mut Entry<'_, Source>) -> Result<Vec<u8>, Refusal> {
    if entry.size() > LARGEST_EXTENSION {
        return Err(Refusal::LongNames);
    }
    let mut bytes = Vec::new();
    entry.take(LARGEST_EXTENSION).read_to_end(&mut bytes).map_err(|error| refusal(&error))?;
    Ok(bytes)
}

/// A name that is too long for a header; GNU's tar ends it with a zero.
fn long(entry: &mut Entry<'_, Source>) -> Result<Vec<u8>, Refusal> {
    let mut name = extension(entry)?;
    while name.last() == Some(&0) {
        name.pop();
    }
    Ok(name)
}

/// Attributes as POSIX has them. Of those that count here, only names are taken.
fn pax(entry: &mut Entry<'_, Source>, extensions: &mut Extensions) -> Result<(), Refusal> {
    let bytes = extension(entry)?;
    for attribute in PaxExtensions::new(&bytes) {
        let attribute = attribute.map_err(|error| Refusal::damaged(&error))?;
        match attribute.key_bytes() {
            b"path" => extensions.name = Some(attribute.value_bytes().to_vec()),
            b"linkpath" => extensions.link = Some(attribute.value_bytes().to_vec()),
            key if key.starts_with(b"GNU.sparse.") => {
                let name = extensions.name.as_deref().unwrap_or_default();
                return Err(Refusal::Sparse { name: String::from_utf8_lossy(name).into_owned() });
            }
            b"size" => return Err(Refusal::Damaged("an entry has two sizes".to_owned())),
            _ => {}
        }
    }
    Ok(())
}

fn one(
    entry: &mut Entry<'_, Source>,
    extensions: &Extensions,
    tree: &mut Tree,
    zip: &mut ZipWriter<BufWriter<File>>,
) -> Result<(), Refusal> {
    let raw = extensions.name.clone().unwrap_or_else(|| entry.path_bytes().into_owned());
    let path = tree::path(&raw)?;
    let name = || path.clone();
    let mode = entry.header().mode().unwrap_or(0o644);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(6))
        .last_modified_time(DateTime::default());
    match entry.header().entry_type() {
        EntryType::Regular | EntryType::Continuous if raw.ends_with(b"/") => folder(&path, options, tree, zip),
        EntryType::Regular | EntryType::Continuous => {
            tree.add(&path, What::File)?;
            let mode = if mode & 0o111 == 0 { 0o644 } else { 0o755 };
            let size = entry.size();
            let options = options.unix_permissions(mode).large_file(size > u64::from(u32::MAX));
            zip.start_file(path.as_str(), options).map_err(|error| zipping(&error))?;
            let mut copied = 0;
            if tree.may_be_manifest(&path) {
                let begin = tree.read_manifest(&path, entry).map_err(|error| refusal(&error))?;
                zip.write_all(&begin).map_err(|error| Refusal::disk(&error))?;
                copied += begin.len() as u64;
            }
            copied += copy(entry, zip)?;
            if copied < size {
                return Err(Refusal::Damaged(format!("it ends in the middle of {path:?}")));
            }
            Ok(())
        }
        EntryType::Directory => folder(&path, options, tree, zip),
        EntryType::Symlink => {
            let target = extensions.link.clone().or_else(|| entry.link_name_bytes().map(|link| link.into_owned()));
            let target = target.unwrap_or_default();
            tree.add_link(&path, &target)?;
            let target = String::from_utf8_lossy(&target).into_owned();
            zip.add_symlink(path.as_str(), target, options).map_err(|error| zipping(&error))
        }
        EntryType::Link => Err(Refusal::HardLink { name: name() }),
        EntryType::GNUSparse => Err(Refusal::Sparse { name: name() }),
        EntryType::Char | EntryType::Block => Err(Refusal::Special { name: name(), what: "a device" }),
        EntryType::Fifo => Err(Refusal::Special { name: name(), what: "a pipe" }),
        _ => Err(Refusal::Special { name: name(), what: "something that we do not know" }),
    }
}

fn folder(
    path: &str,
    options: SimpleFileOptions,
    tree: &mut Tree,
    zip: &mut ZipWriter<BufWriter<File>>,
) -> Result<(), Refusal> {
    tree.add(path, What::Folder)?;
    if path.is_empty() {
        return Ok(());
    }
    zip.add_directory(path, options.unix_permissions(0o755)).map_err(|error| zipping(&error))
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> Result<u64, Refusal> {
    let mut buffer = vec![0; 64 << 10];
    let mut copied = 0;
    loop {
        let count = from.read(&mut buffer).map_err(|error| refusal(&error))?;
        if count == 0 {
            return Ok(copied);
        }
        to.write_all(&buffer[..count]).map_err(|error| Refusal::disk(&error))?;
        copied += count as u64;
    }
}

fn zipping(error: &::zip::result::ZipError) -> Refusal {
    Refusal::Disk(error.to_string())
}
