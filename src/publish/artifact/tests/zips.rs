//! Zips.

use super::super::{FREE, Limits, Refusal};
use super::written::{File, commented, directory, end, zip, zip64};
use super::{MANIFEST, look, look_within, refused};
use crate::composer::manifest::MAX_BYTES;

fn manifest() -> File {
    File::new("composer.json", MANIFEST)
}

/// A package with one more file.
fn with(file: File) -> Vec<u8> {
    zip(&[manifest(), file])
}

#[track_caller]
fn taken(files: &[File]) -> Result<Vec<u8>, Refusal> {
    look("a.zip", &zip(files)).unwrap().manifest
}

#[test]
fn the_manifest_is_at_the_top_or_in_the_only_folder() {
    let at = |name: &str| File::deflated(name, MANIFEST);
    let other = |name: &str| File::new(name, br#"{"name": "acme/other"}"#);
    for files in [
        vec![manifest()],
        vec![at("lib-1.0/composer.json"), other("lib-1.0/tests/composer.json")],
        vec![
            File::new("lib-1.0/", b""),
            at("lib-1.0/composer.json"),
            other("__MACOSX/composer.json"),
            other(".DS_Store"),
        ],
        vec![other("sub/composer.json"), manifest()],
        vec![manifest(), other("sub/composer.json")],
        vec![at("./composer.json")],
    ] {
        assert_eq!(taken(&files).as_deref(), Ok(MANIFEST));
    }
    for files in [
        vec![File::new("a/b/composer.json", MANIFEST)],
        vec![at("a/composer.json"), at("b/composer.json")],
        vec![at("a/composer.json"), File::new("README.md", b"")],
        vec![File::new("Composer.json", MANIFEST)],
        vec![File::new("__MACOSX/composer.json", MANIFEST)],
        vec![File::link("composer.json", "other.json"), File::new("other.json", MANIFEST)],
        vec![],
    ] {
        assert_eq!(taken(&files), Err(Refusal::NoManifest));
    }
}

#[test]
fn a_manifest_is_read_up_to_its_limit() {
    let large = vec![b' '; MAX_BYTES + 1];
    assert_eq!(taken(&[File::deflated("composer.json", &large)]), Err(Refusal::LargeManifest));
    assert_eq!(taken(&[File::deflated("composer.json", &large[1..])]).unwrap().len(), MAX_BYTES);
}

#[test]
fn paths_stay_below_where_they_are_unpacked() {
    for (name, why) in [
        ("../evil", "leads out"),
        ("a/../../evil", "leads out"),
        ("a/../b", "leads out"),
        ("..", "leads out"),
        ("/etc/passwd", "begins at the root"),
        ("//server/share", "begins at the root"),
        ("..\\evil", "backslash"),
        ("C:/evil", "drive"),
        ("c:evil", "drive"),
        ("a\0b", "control characters"),
        ("a\nb", "control characters"),
        (&"x".repeat(1025), "too long"),
        (&"x/".repeat(65), "too deep"),
        (".", "it is empty"),
    ] {
        refused("a.zip", &with(File::new(name, b"")), why);
    }
    let latin = File { name: b"caf\xe9".to_vec(), local_name: b"caf\xe9".to_vec(), ..File::new("cafe", b"") };
    refused("a.zip", &with(latin), "is no path");
    for name in ["..a/b..", "a/...", ".env", "a//b", "ä/ö:ü"] {
        let file = File { flags: 1 << 11, ..File::new(name, b"x") };
        assert!(look("a.zip", &with(file)).is_ok(), "{name}");
    }
}

#[test]
fn links_stay_in_the_package() {
    for target in ["b", "d/b", "../b", "./../a/b", "../../b", "."] {
        let files = [manifest(), File::link("a/c/l", target)];
        assert!(look("a.zip", &zip(&files)).is_ok(), "{target}");
    }
    for target in ["../../../b", "/etc/passwd", "b/../../../..", "b/../c", "C:/x", "..\\x", "", "../../../../../../etc"]
    {
        refused("a.zip", &zip(&[manifest(), File::link("a/c/l", target)]), "leads to");
    }
    // The folder that Composer takes away is no part of the package.
    let inside = [File::new("lib/composer.json", MANIFEST), File::link("lib/l", "../other")];
    refused("a.zip", &zip(&inside), "leads to");
    refused(
        "a.zip",
        &zip(&[manifest(), File::link("a", "/tmp"), File::new("a/x", b"")]),
        "and for another one it is none",
    );
}

#[test]
fn a_name_is_there_once() {
    refused("a.zip", &with(manifest()), "has 1: some of them may have the same name");
    refused("a.zip", &with(File::new("./composer.json", b"{}")), "is in it twice");
    refused("a.zip", &with(File::new("COMPOSER.json", b"{}")), "one name where case does not count");
    refused(
        "a.zip",
        &zip(&[manifest(), File::new("a/b", b""), File::new("A/c", b"")]),
        "one name where case does not count",
    );
    refused("a.zip", &zip(&[manifest(), File::new("a", b""), File::new("a/b", b"")]), "for another one it is none");
    refused("a.zip", &zip(&[manifest(), File::new("a/b", b""), File::new("a", b"")]), "for another one it is none");
}

#[test]
fn what_not_everybody_unpacks_is_refused() {
    refused("a.zip", &with(File { flags: 1, ..File::new("x", b"123456789012345") }), "is encrypted");
    for method in [9, 12, 14, 93, 95, 98, 1234] {
        refused("a.zip", &with(File { method, ..File::new("x", b"1") }), "by a method");
    }
    for mode in [0o010_644, 0o020_644, 0o060_644, 0o140_644] {
        refused("a.zip", &with(File { mode, ..File::new("x", b"") }), "a device, a pipe or a socket");
    }
    refused("a.zip", &with(File { mode: 0o120_777, ..File::new("x/", b"") }), "a device, a pipe or a socket");
    refused("a.zip", &with(File { mode: 0o040_755, ..File::new("x", b"content") }), "has content");
}

#[test]
fn bombs_are_stopped_before_they_have_gone_off() {
    let zeros = vec![0; usize::try_from(FREE).unwrap() + (8 << 20)];
    refused("a.zip", &with(File::deflated("x", &zeros)), "that is a bomb");
    let many: Vec<File> =
        (0..8).map(|n| File::deflated(&format!("{n}"), &zeros[..4 << 20])).chain([manifest()]).collect();
    refused("a.zip", &zip(&many), "that is a bomb");
    // An archive in an archive is a file: nobody unpacks it.
    let nested = zip(&[File::deflated("x", &zeros)]);
    assert!(look("a.zip", &with(File::new("tests/bomb.zip", &nested))).is_ok());
    let few = Limits { unpacked: 1000, ..Limits::default() };
    let large = with(File::deflated("x", &vec![1; 1000]));
    assert_eq!(look_within("a.zip", &large, &few).unwrap_err(), Refusal::TooLarge { limit: 1000 });
    let few = Limits { entries: 2, ..Limits::default() };
    let three = zip(&[manifest(), File::new("a", b""), File::new("b", b"")]);
    assert_eq!(look_within("a.zip", &three, &few).unwrap_err(), Refusal::TooMany { found: "3".to_owned(), limit: 2 });
    let limits = Limits::default();
    let deep = zip(&(0..60).map(|n| File::new(&format!("{n}/{}", "y/".repeat(60)), b"")).collect::<Vec<_>>());
    assert!(look_within("a.zip", &deep, &limits).is_ok());
}

#[test]
fn entries_share_no_bytes() {
    let kernel = File::new("a", b"content");
    let again = File { name: b"b".to_vec(), at: Some(1), ..kernel.clone() };
    refused("a.zip", &zip(&[manifest(), kernel, again]), "shares bytes with another entry");
    // One that reaches into the directory.
    let mut reaching = with(File::new("a", b"content"));
    let at = reaching.windows(4).rposition(|four| four == b"PK\x01\x02").unwrap();
    reaching[at + 20] = 200;
    reaching[at + 24] = 200;
    refused("a.zip", &reaching, "shares bytes with another entry");
}

#[test]
fn an_entry_is_what_it_says() {
    let honest = File::deflated("x", &[7; 5000]);
    assert!(look("a.zip", &with(honest.clone())).is_ok());
    for size in [0, 4999, 5001, u32::MAX - 1] {
        assert!(look("a.zip", &with(File { size, ..honest.clone() })).is_err(), "{size}");
    }
    refused("a.zip", &with(File { crc: 1, ..honest.clone() }), "cannot be read");
    let stored = File::new("x", &[7; 5000]);
    for size in [0, 4999, 5001] {
        assert!(look("a.zip", &with(File { size, ..stored.clone() })).is_err(), "{size}");
    }
    refused("a.zip", &with(File { local_name: b"y".to_vec(), ..stored.clone() }), "two names");
    refused("a.zip", &with(File { local_name: b"xy".to_vec(), ..stored.clone() }), "two names");
    // A name in Unicode beside the name (APPNOTE 4.6.9), with the checksum of the latter.
    let mut sum = flate2::Crc::new();
    sum.update(b"x");
    let mut extra = vec![0x75, 0x70, 11, 0, 1];
    extra.extend(sum.sum().to_le_bytes());
    extra.extend(b"../yz!");
    assert!(look("a.zip", &with(File { extra, ..stored.clone() })).is_err());
    // The header before the data says another method, or another size.
    let both = with(honest);
    let local = both.windows(4).rposition(|four| four == b"PK\x03\x04").unwrap();
    for (at, byte) in [(8, 0), (6, 1), (22, 1), (14, 1)] {
        let mut changed = both.clone();
        assert_ne!(changed[local + at], byte);
        changed[local + at] = byte;
        assert!(look("a.zip", &changed).is_err(), "byte {at}");
    }
}

#[test]
fn everybody_finds_the_same_directory() {
    let good = with(File::new("x", b"1"));
    assert!(look("a.zip", &commented(&[manifest()], b"a comment")).is_ok());
    refused("a.zip", &[b"#!/bin/sh\n".as_slice(), &good].concat(), "it is no archive");
    refused("a.zip", &[b"PK\x03\x04".as_slice(), &good].concat(), "something stands before it");
    refused("a.zip", &[&good, b"more".as_slice()].concat(), "its directory is missing");
    for cut in 0..good.len() {
        assert!(look("a.zip", &good[..cut]).is_err(), "cut to {cut} bytes");
    }
    // A directory in a file, or in the comment, which others find first.
    let evil = File::new("evil", b"");
    let other = directory(std::slice::from_ref(&evil), &[0]);
    let length = u32::try_from(other.len()).unwrap();
    let hidden = |start: u32| [other.clone(), end(1, length, start, b"")].concat();
    let start = 30 + 13 + u32::try_from(MANIFEST.len()).unwrap() + 30 + 1;
    let inside = zip(&[manifest(), File::new("x", &hidden(start))]);
    assert_eq!(&inside[start as usize..][..4], b"PK\x01\x02");
    refused("a.zip", &inside, "two directories");
    let plain = u32::try_from(zip(&[manifest()]).len()).unwrap();
    refused("a.zip", &commented(&[manifest()], &hidden(plain)), "two directories");
    refused("a.zip", &commented(&[manifest()], &[hidden(plain), b"behind".to_vec()].concat()), "two directories");
    assert!(look("a.zip", &with(File::new("test.zip", &zip(&[evil])))).is_ok(), "a zip is a file as any other");
    // Entries that it does not count, or that are not all of it.
    let mut empty = good.clone();
    empty[good.len() - 22 + 8..][..4].copy_from_slice(&[0; 4]);
    refused("a.zip", &empty, "it says that it has 0 entries, and has 2");
    let one = zip(&[manifest()]);
    let mut longer = one[..one.len() - 22].to_vec();
    longer.extend(b"PK\x05\x05\0\0");
    let (size, start) = (u32::from(one[one.len() - 10]) + 6, u32::from(one[one.len() - 6]));
    longer.extend(end(1, size, start, b""));
    refused("a.zip", &longer, "not as long as it says");
    // What it says of its volumes and entries.
    let at = good.len() - 22;
    let changed = |index: usize, byte: u8| {
        let mut changed = good.clone();
        changed[at + index] = byte;
        changed
    };
    refused("a.zip", &changed(4, 1), "several volumes");
    for (index, byte) in [(8, 9), (10, 1), (10, 3), (10, 0), (12, 1), (16, 1)] {
        assert!(look("a.zip", &changed(index, byte)).is_err(), "{index}");
    }
}

#[test]
fn the_large_kind_is_read_too() {
    let files = [manifest(), File::new("x", b"1")];
    assert_eq!(look("a.zip", &zip64(&files, 2)).unwrap().manifest.as_deref(), Ok(MANIFEST));
    for entries in [0, 1, 3, 99_999, 1 << 40, u64::MAX] {
        assert!(look("a.zip", &zip64(&files, entries)).is_err(), "{entries}");
    }
}
