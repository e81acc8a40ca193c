//! Zips, which are served as they are: every entry is read, and every byte belongs to one of them.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use ::zip::read::ZipReadOptions;
use ::zip::{CompressionMethod, ZipArchive};

use super::meter::{Meter, refusal};
use super::tree::{self, Tree, What};
use super::{Limits, Refusal};

/// Most bytes of a central directory: it is held in memory, a few times as large.
const LARGEST_DIRECTORY: u64 = 32 << 20;
/// The end of the central directory (PKWARE's APPNOTE, 4.3.16), and how long it is without its comment.
const END: (&[u8], u64) = (b"PK\x05\x06", 22);
/// The same for large zips (4.3.14), and where it is (4.3.15).
const END64: (&[u8], u64) = (b"PK\x06\x06", 56);
const LOCATOR64: (&[u8], u64) = (b"PK\x06\x07", 20);
/// An entry of the central directory (4.3.12), and how long it is without what varies.
const ENTRY: &[u8] = b"PK\x01\x02";
const SMALLEST: usize = 46;
/// What is said of a zip that unpacks to one thing or another, as one looks at it.
const TWO_DIRECTORIES: &str = "it has two directories";
/// An entry's own header (4.3.7), and how long it is without its name.
const LOCAL: (&[u8], u64) = (b"PK\x03\x04", 30);
/// The kinds of files in a Unix mode.
const KIND: u32 = 0o170_000;
const PLAIN: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;
const LINK: u32 = 0o120_000;

fn damaged(what: impl Into<String>) -> Refusal {
    Refusal::Damaged(what.into())
}

/// Reads all of a zip; how many bytes its files have.
pub(super) fn read(file: File, size: u64, tree: &mut Tree, limits: &Limits) -> Result<u64, Refusal> {
    let mut file = BufReader::new(file);
    let directory = directory(&mut file, size)?;
    if directory.entries > limits.entries as u64 {
        return Err(Refusal::TooMany { found: directory.entries.to_string(), limit: limits.entries });
    }
    if directory.size > LARGEST_DIRECTORY {
        return Err(Refusal::LongNames);
    }
    let found = count(&mut file, &directory)?;
    if found != directory.entries {
        return Err(Refusal::Recount { said: directory.entries, found });
    }
    let mut spare = BufReader::new(file.get_ref().try_clone().map_err(|error| Refusal::disk(&error))?);
    let mut zip = ZipArchive::new(file).map_err(|error| damaged(error.to_string()))?;
    if zip.len() as u64 != directory.entries {
        return Err(Refusal::Recount { said: directory.entries, found: zip.len() as u64 });
    }
    let mut spans = Vec::with_capacity(zip.len());
    for at in 0..zip.len() {
        let plain = zip.by_index_raw(at).map_err(|error| damaged(error.to_string()))?;
        if plain.central_header_start() < directory.start {
            return Err(damaged(TWO_DIRECTORIES));
        }
        let start = plain.header_start();
        let end = plain.data_start().unwrap_or(start).saturating_add(plain.compressed_size());
        spans.push((start, end, plain.name_raw().to_vec()));
    }
    one_owner(&mut spans, directory.start)?;
    // The headers before the entries have to name them as the directory does: some programs believe these.
    for (start, _, name) in &spans {
        let header = bytes(&mut spare, *start, LOCAL.1 + name.len() as u64)?;
        let length = header.get(26..28).map_or(0, |two| u16::from_le_bytes([two[0], two[1]]));
        if !header.starts_with(LOCAL.0)
            || usize::from(length) != name.len()
            || header.get(30..) != Some(name.as_slice())
        {
            return Err(damaged(format!("it has two names for {:?}", String::from_utf8_lossy(name))));
        }
    }
    drop(spans);
    let mut meter = Meter::new(size, limits);
    for at in 0..zip.len() {
        entry(&mut zip, at, tree, &mut meter)?;
    }
    Ok(meter.unpacked())
}

fn one_owner(spans: &mut [(u64, u64, Vec<u8>)], directory: u64) -> Result<(), Refusal> {
    spans.sort_unstable_by_key(|(start, end, _)| (*start, *end));
    let mut taken = 0;
    for (start, end, name) in spans.iter() {
        if *start < taken || *end > directory {
            return Err(Refusal::Overlap { name: String::from_utf8_lossy(name).chars().take(200).collect() });
        }
        taken = *end;
    }
    Ok(())
}

fn entry(zip: &mut ZipArchive<BufReader<File>>, at: usize, tree: &mut Tree, meter: &mut Meter) -> Result<(), Refusal> {
    let (path, what) = {
        let plain = zip.by_index_raw(at).map_err(|error| damaged(error.to_string()))?;
        let path = tree::path(plain.name_raw())?;
        let name = || path.clone();
        if plain.encrypted() {
            return Err(Refusal::Encrypted { name: name() });
        }
        if !matches!(plain.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
            return Err(Refusal::Method { name: name(), method: plain.compression().to_string() });
        }
        let is_folder = plain.name_raw().ends_with(b"/");
        let what = match plain.unix_mode().map_or(0, |mode| mode & KIND) {
            FOLDER => What::Folder,
            0 | PLAIN if is_folder => What::Folder,
            0 | PLAIN => What::File,
            LINK if !is_folder => What::Link,
            _ => return Err(Refusal::Special { name: name(), what: "a device, a pipe or a socket" }),
        };
        if what == What::Folder && plain.size() > 0 {
            return Err(damaged(format!("the folder {path:?} has content")));
        }
        (path, what)
    };
    // What an entry says of itself has to be what the directory says of it: some programs believe the one, some the other.
    let strictly = ZipReadOptions::new().enforce_header_consistency(true);
    let mut file = zip.by_index_with_options(at, strictly).map_err(|error| damaged(error.to_string()))?;
    let size = file.size();
    let reading = |error: std::io::Error| match refusal(&error) {
        Refusal::Damaged(why) => damaged(format!("{path:?} cannot be read: {why}")),
        other => other,
    };
    match what {
        What::Folder => return tree.add(&path, what),
        What::Link => {
            let mut target = Vec::new();
            (&mut file).take(4097).read_to_end(&mut target).map_err(reading)?;
            meter.count(target.len() as u64)?;
            return tree.add_link(&path, &target);
        }
        What::File => tree.add(&path, what)?,
    }
    let before = meter.unpacked();
    if tree.may_be_manifest(&path) {
        let bytes = tree.read_manifest(&path, &mut file).map_err(reading)?;
        meter.count(bytes.len() as u64)?;
    }
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer).map_err(reading)? {
            0 if meter.unpacked() - before != size => {
                return Err(damaged(format!("{path:?} says that it has {size} bytes, and has others")));
            }
            0 => return Ok(()),
            count => meter.count(count as u64)?,
        }
    }
}

/// Where the central directory is, and what it says of itself.
struct Directory {
    entries: u64,
    size: u64,
    start: u64,
}

/// Finds the central directory, before anybody reads it: it says how much that would be. It has to end where the archive
/// ends, so that every reader finds the same one.
fn directory(file: &mut BufReader<File>, size: u64) -> Result<Directory, Refusal> {
    let tail_at = size.saturating_sub(END.1 + u64::from(u16::MAX));
    let tail = bytes(file, tail_at, size - tail_at)?;
    let cut = || damaged("its directory is missing at the end: was it cut off?");
    let end = (0..tail.len()).rev().find(|at| {
        let here = &tail[*at..];
        here.starts_with(END.0) && here.len() as u64 >= END.1 && two(here, 20) + END.1 == here.len() as u64
    });
    let end = end.ok_or_else(cut)?;
    only_one(file, &tail, end)?;
    let (here, end) = (&tail[end..], tail_at + end as u64);
    let (mut entries, mut length, mut start, mut limit) = (two(here, 10), four(here, 12), four(here, 16), end);
    if two(here, 4) != 0 && two(here, 4) != u64::from(u16::MAX) {
        return Err(Refusal::Volumes);
    }
    if entries == u64::from(u16::MAX) || length == u64::from(u32::MAX) || start == u64::from(u32::MAX) {
        let at = end.checked_sub(LOCATOR64.1).ok_or_else(cut)?;
        let locator = bytes(file, at, LOCATOR64.1)?;
        if locator.starts_with(LOCATOR64.0) {
            limit = eight(&locator, 8);
            let end64 = bytes(file, limit, END64.1)?;
            if !end64.starts_with(END64.0) {
                return Err(cut());
            }
            (entries, length, start) = (eight(&end64, 32), eight(&end64, 40), eight(&end64, 48));
        }
    }
    if start.checked_add(length) != Some(limit) {
        return Err(damaged("something stands before it, or behind its directory"));
    }
    Ok(Directory { entries, size: length, start })
}

/// How many entries the directory has, whatever it says: some programs read on until it ends.
fn count(file: &mut BufReader<File>, directory: &Directory) -> Result<u64, Refusal> {
    let all = bytes(file, directory.start, directory.size)?;
    let (mut at, mut found) = (0, 0);
    while let Some(entry) = all.get(at..).filter(|rest| !rest.is_empty()) {
        if !entry.starts_with(ENTRY) || entry.len() < SMALLEST {
            return Err(damaged("its directory is not as long as it says"));
        }
        let variable = two(entry, 28) + two(entry, 30) + two(entry, 32);
        at += SMALLEST + usize::try_from(variable).unwrap_or(usize::MAX - SMALLEST);
        found += 1;
    }
    match at == all.len() {
        true => Ok(found),
        false => Err(damaged("its directory is not as long as it says")),
    }
}

/// Refuses a zip in which a program that searches otherwise finds another directory than the one that ends at `end`. The end of
/// a zip that is a file of this one is none: its directory is not where it says, seen from here.
fn only_one(file: &mut BufReader<File>, tail: &[u8], end: usize) -> Result<(), Refusal> {
    for at in (0..tail.len().saturating_sub(END.0.len())).filter(|at| *at != end) {
        let here = &tail[at..];
        if !here.starts_with(END.0) || (here.len() as u64) < END.1 || two(here, 10) == 0 {
            continue;
        }
        if bytes(file, four(here, 16), ENTRY.len() as u64).is_ok_and(|found| found == ENTRY) {
            return Err(damaged(TWO_DIRECTORIES));
        }
    }
    Ok(())
}

fn two(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 2).map_or(0, |two| u64::from(two[0]) | u64::from(two[1]) << 8)
}

fn four(bytes: &[u8], at: usize) -> u64 {
    two(bytes, at) | two(bytes, at + 2) << 16
}

fn eight(bytes: &[u8], at: usize) -> u64 {
    four(bytes, at) | four(bytes, at + 4) << 32
}

fn bytes(file: &mut BufReader<File>, at: u64, count: u64) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at)).map_err(|error| Refusal::damaged(&error))?;
    file.take(count).read_to_end(&mut bytes).map_err(|error| Refusal::disk(&error))?;
    if (bytes.len() as u64) < count {
        return Err(damaged("it ends too early"));
    }
    Ok(bytes)
}
