//! Tarballs.

use std::io::{Cursor, Read, Write};

use ::tar::{Builder, EntryType, Header};
use ::zip::ZipArchive;
use bzip2::write::BzEncoder;
use flate2::write::GzEncoder;

use super::super::{FREE, Limits, Refusal};
use super::{MANIFEST, look, look_within, refused};

/// An entry; its name and target are written as they are.
fn entry(kind: EntryType, name: &[u8], target: &[u8], content: &[u8]) -> (Header, Vec<u8>) {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    let old = header.as_old_mut();
    old.name[..name.len()].copy_from_slice(name);
    old.linkname[..target.len()].copy_from_slice(target);
    header.set_cksum();
    (header, content.to_vec())
}

fn file(name: &str, content: &[u8]) -> (Header, Vec<u8>) {
    entry(EntryType::Regular, name.as_bytes(), b"", content)
}

fn manifest() -> (Header, Vec<u8>) {
    file("composer.json", MANIFEST)
}

fn tar(entries: &[(Header, Vec<u8>)]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (header, content) in entries {
        tar.append(header, content.as_slice()).unwrap();
    }
    tar.into_inner().unwrap()
}

fn with(entry: (Header, Vec<u8>)) -> Vec<u8> {
    tar(&[manifest(), entry])
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A name of POSIX, before the entry that has it.
fn pax(key: &str, value: &str) -> (Header, Vec<u8>) {
    let rest = format!(" {key}={value}\n");
    let length = (1..).find(|length: &usize| length.to_string().len() + rest.len() == *length).unwrap();
    entry(EntryType::XHeader, b"pax", b"", format!("{length}{rest}").as_bytes())
}

#[test]
fn every_kind_becomes_the_same_zip() {
    let mut tool = file("bin/tool", b"#!/bin/sh");
    tool.0.set_mode(0o4711);
    tool.0.set_cksum();
    let plain = tar(&[
        entry(EntryType::Directory, b"./", b"", b""),
        manifest(),
        entry(EntryType::Directory, b"bin/", b"", b""),
        tool,
        entry(EntryType::Symlink, b"bin/link", b"../composer.json", b""),
    ]);
    let (found, zip) = look_within("a.tar", &plain, &Limits::default()).unwrap();
    assert_eq!(found.manifest.as_deref(), Ok(MANIFEST));
    assert!(found.repacked);
    let mut archive = ZipArchive::new(Cursor::new(&zip)).unwrap();
    let mut read = |name: &str| {
        let mut file = archive.by_name(name).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        (text, file.unix_mode().unwrap())
    };
    assert_eq!(read("composer.json"), (String::from_utf8(MANIFEST.to_vec()).unwrap(), 0o100_644));
    assert_eq!(read("bin/tool"), ("#!/bin/sh".to_owned(), 0o100_755));
    assert_eq!(read("bin/link"), ("../composer.json".to_owned(), 0o120_777));
    // What we write is what we take.
    assert_eq!(look("a.zip", &zip).unwrap().manifest.as_deref(), Ok(MANIFEST));
    let halves = plain.split_at(700);
    for (name, packed) in [
        ("a.tar.gz", gzipped(&plain)),
        ("a.tgz", [gzipped(halves.0), gzipped(halves.1)].concat()),
        ("a.TAR.BZ2", bzipped(&plain)),
        ("a.tbz2", bzipped(&plain)),
    ] {
        assert_eq!(look_within(name, &packed, &Limits::default()).unwrap().1, zip, "{name}");
    }
}

#[test]
fn long_names_are_read_in_every_dialect() {
    let long = format!("lib/{}/composer.json", "x".repeat(180));
    let gnu = entry(EntryType::GNULongName, b"././@LongLink", b"", format!("{long}\0").as_bytes());
    for before in [gnu, pax("path", &long)] {
        let archive = tar(&[before, file("cut", MANIFEST), file("lib/composer.json", MANIFEST)]);
        let (found, zip) = look_within("a.tar", &archive, &Limits::default()).unwrap();
        assert!(found.manifest.is_ok());
        assert!(ZipArchive::new(Cursor::new(zip)).unwrap().by_name(&long).is_ok());
    }
    let git = entry(
        EntryType::XGlobalHeader,
        b"pax_global_header",
        b"",
        b"52 comment=0123456789abcdef0123456789abcdef01234567\n",
    );
    assert!(look("a.tar", &tar(&[git, manifest()])).is_ok());
    let endless = entry(EntryType::GNULongName, b"x", b"", &vec![b'x'; 70_000]);
    refused("a.tar", &tar(&[manifest(), endless, file("cut", b"")]), "too long altogether");
}

#[test]
fn what_leads_out_is_refused() {
    for name in ["../evil", "/etc/passwd", "a/../../x", "C:/x", "a\\b"] {
        refused("a.tar", &with(file(name, b"")), "is no path");
        refused("a.tar", &tar(&[manifest(), pax("path", name), file("x", b"")]), "is no path");
        let gnu = entry(EntryType::GNULongName, b"x", b"", name.as_bytes());
        refused("a.tar", &tar(&[manifest(), gnu, file("x", b"")]), "is no path");
    }
    for target in ["../evil", "/etc", "a/../../x"] {
        refused("a.tar", &with(entry(EntryType::Symlink, b"l", target.as_bytes(), b"")), "leads to");
        let link = || entry(EntryType::Symlink, b"l", b"fine", b"");
        refused("a.tar", &tar(&[manifest(), pax("linkpath", target), link()]), "leads to");
        let gnu = entry(EntryType::GNULongLink, b"x", b"", target.as_bytes());
        refused("a.tar", &tar(&[manifest(), gnu, link()]), "leads to");
    }
    let through = [manifest(), entry(EntryType::Symlink, b"l", b"sub", b""), file("l/x", b"")];
    refused("a.tar", &tar(&through), "for another one it is none");
}

#[test]
fn only_files_folders_and_links_are_taken() {
    for (kind, expected) in [
        (EntryType::Link, "is a hard link"),
        (EntryType::Char, "a device"),
        (EntryType::Block, "a device"),
        (EntryType::Fifo, "a pipe"),
        (EntryType::GNUSparse, "is a sparse file"),
        (EntryType::new(b'Z'), "something that we do not know"),
    ] {
        refused("a.tar", &with(entry(kind, b"x", b"composer.json", b"")), expected);
    }
    let sparse = [manifest(), pax("GNU.sparse.major", "1"), file("x", b"1\n0\n5\nhello")];
    refused("a.tar", &tar(&sparse), "is a sparse file");
}

#[test]
fn names_are_there_once_and_sizes_are_true() {
    refused("a.tar", &with(manifest()), "is in it twice");
    refused("a.tar", &with(file("COMPOSER.JSON", b"")), "one name where case does not count");
    refused("a.tar", &tar(&[manifest(), pax("size", "3"), file("x", b"123456")]), "two sizes");
    let mut lying = file("x", b"123");
    lying.0.set_size(1 << 40);
    lying.0.set_cksum();
    let whole = with(file("x", b"123"));
    let mut longer = whole.clone();
    longer[1024..1536].copy_from_slice(lying.0.as_bytes());
    refused("a.tar", &longer, "it ends in the middle");
    let mut broken = whole.clone();
    broken[1024 + 3] = b'!';
    refused("a.tar", &broken, "damaged");
    for cut in (1..1536).step_by(97) {
        assert!(!matches!(look("a.tar", &whole[..cut]), Ok(found) if found.manifest.is_err()), "cut to {cut}");
        assert!(look("a.tar.gz", &gzipped(&whole)[..cut.min(100)]).is_err(), "cut to {cut}");
    }
    let packed = gzipped(&whole);
    let mut sum = packed.clone();
    let last = sum.len() - 6;
    sum[last] ^= 1;
    refused("a.tgz", &sum, "damaged");
    refused("a.tgz", &gzipped(b"no tarball"), "damaged");
    refused("a.tbz2", &bzipped(&whole)[..60], "damaged");
}

#[test]
fn bombs_are_stopped_before_they_have_gone_off() {
    let zeros = vec![0; usize::try_from(FREE).unwrap() + (48 << 20)];
    let bomb = with(file("x", &zeros));
    refused("a.tgz", &gzipped(&bomb), "that is a bomb");
    refused("a.tbz2", &bzipped(&bomb), "that is a bomb");
    // Behind the end of the tarball, where no program looks.
    let tail = [tar(&[manifest()]), zeros].concat();
    refused("a.tgz", &gzipped(&tail), "that is a bomb");
    let few = Limits { entries: 2, ..Limits::default() };
    let three = tar(&[manifest(), file("a", b""), file("b", b"")]);
    assert!(matches!(look_within("a.tar", &three, &few), Err(Refusal::TooMany { limit: 2, .. })));
    let few = Limits { unpacked: 4096, ..Limits::default() };
    let large = gzipped(&with(file("x", &[1; 5000])));
    assert_eq!(look_within("a.tgz", &large, &few).unwrap_err(), Refusal::TooLarge { limit: 4096 });
}
