//! Zips as nobody should write them.

use std::io::Write;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

/// One entry, of which everything can be a lie.
#[derive(Clone)]
pub struct File {
    /// In the directory.
    pub name: Vec<u8>,
    /// Before the data.
    pub local_name: Vec<u8>,
    pub flags: u16,
    pub method: u16,
    pub crc: u32,
    pub size: u32,
    pub data: Vec<u8>,
    pub mode: u32,
    pub extra: Vec<u8>,
    /// The directory leads to the data of this entry.
    pub at: Option<usize>,
}

impl File {
    /// An honest one.
    pub fn new(name: &str, content: &[u8]) -> Self {
        let mut crc = Crc::new();
        crc.update(content);
        Self {
            name: name.into(),
            local_name: name.into(),
            flags: 0,
            method: 0,
            crc: crc.sum(),
            size: u32::try_from(content.len()).unwrap(),
            data: content.to_vec(),
            mode: if name.ends_with('/') { 0o040_755 } else { 0o100_644 },
            extra: Vec::new(),
            at: None,
        }
    }

    /// The same, compressed.
    pub fn deflated(name: &str, content: &[u8]) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        Self { method: 8, data: encoder.finish().unwrap(), ..Self::new(name, content) }
    }

    /// A symbolic link.
    pub fn link(name: &str, target: &str) -> Self {
        Self { mode: 0o120_777, ..Self::new(name, target.as_bytes()) }
    }
}

fn two(out: &mut Vec<u8>, values: &[u16]) {
    values.iter().for_each(|value| out.extend(value.to_le_bytes()));
}

fn four(out: &mut Vec<u8>, values: &[u32]) {
    values.iter().for_each(|value| out.extend(value.to_le_bytes()));
}

fn short(length: usize) -> u16 {
    u16::try_from(length).unwrap()
}

fn long(length: usize) -> u32 {
    u32::try_from(length).unwrap()
}

/// The entries with their data, and where each begins.
fn bodies(files: &[File]) -> (Vec<u8>, Vec<usize>) {
    let (mut out, mut starts) = (Vec::new(), Vec::new());
    for file in files {
        starts.push(out.len());
        if file.at.is_some() {
            continue;
        }
        out.extend(b"PK\x03\x04");
        two(&mut out, &[20, file.flags, file.method, 0, 0x21]);
        four(&mut out, &[file.crc, long(file.data.len()), file.size]);
        two(&mut out, &[short(file.local_name.len()), short(file.extra.len())]);
        out.extend(&file.local_name);
        out.extend(&file.extra);
        out.extend(&file.data);
    }
    (out, starts)
}

/// The directory of entries that begin there.
pub fn directory(files: &[File], starts: &[usize]) -> Vec<u8> {
    let mut out = Vec::new();
    for (file, own) in files.iter().zip(starts) {
        out.extend(b"PK\x01\x02");
        two(&mut out, &[0x0314, 20, file.flags, file.method, 0, 0x21]);
        four(&mut out, &[file.crc, long(file.data.len()), file.size]);
        two(&mut out, &[short(file.name.len()), short(file.extra.len()), 0, 0, 0]);
        four(&mut out, &[file.mode << 16, long(file.at.map_or(*own, |at| starts[at]))]);
        out.extend(&file.name);
        out.extend(&file.extra);
    }
    out
}

/// The end of a directory.
pub fn end(entries: u16, size: u32, start: u32, comment: &[u8]) -> Vec<u8> {
    let mut out = b"PK\x05\x06\0\0\0\0".to_vec();
    two(&mut out, &[entries, entries]);
    four(&mut out, &[size, start]);
    two(&mut out, &[short(comment.len())]);
    out.extend(comment);
    out
}

/// A whole zip.
pub fn zip(files: &[File]) -> Vec<u8> {
    commented(files, b"")
}

/// A whole zip with a comment.
pub fn commented(files: &[File], comment: &[u8]) -> Vec<u8> {
    let (mut out, starts) = bodies(files);
    let (start, directory) = (out.len(), directory(files, &starts));
    out.extend(&directory);
    out.extend(end(short(files.len()), long(directory.len()), long(start), comment));
    out
}

/// A whole zip of the large kind, which says that it has so many entries.
pub fn zip64(files: &[File], entries: u64) -> Vec<u8> {
    let (mut out, starts) = bodies(files);
    let (start, directory) = (out.len(), directory(files, &starts));
    out.extend(&directory);
    let end64 = out.len();
    out.extend(b"PK\x06\x06");
    out.extend(44u64.to_le_bytes());
    two(&mut out, &[45, 45]);
    four(&mut out, &[0, 0]);
    for value in [entries, entries, directory.len() as u64, start as u64] {
        out.extend(value.to_le_bytes());
    }
    out.extend(b"PK\x06\x07\0\0\0\0");
    out.extend((end64 as u64).to_le_bytes());
    four(&mut out, &[1]);
    out.extend(end(u16::MAX, u32::MAX, u32::MAX, b""));
    out
}
