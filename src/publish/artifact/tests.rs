//! Archives that mean well, and archives that do not. The hostile ones are written byte by byte: no tool makes them.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

mod tarballs;
mod written;
mod zips;

use super::{Inspected, Limits, Refusal, inspect};

pub(super) const MANIFEST: &[u8] = br#"{"name": "acme/lib", "version": "1.0.0"}"#;

/// What is found in an archive that is called `name`, and the zip that was made of it.
pub(super) fn look_within(name: &str, archive: &[u8], limits: &Limits) -> Result<(Inspected, Vec<u8>), Refusal> {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("in"), folder.path().join("out"));
    std::fs::write(&file, archive).unwrap();
    let found = inspect(&file, Some(name), &out, limits)?;
    Ok((found, std::fs::read(out).unwrap_or_default()))
}

pub(super) fn look(name: &str, archive: &[u8]) -> Result<Inspected, Refusal> {
    look_within(name, archive, &Limits::default()).map(|(found, _)| found)
}

#[track_caller]
pub(super) fn refused(name: &str, archive: &[u8], expected: &str) {
    match look(name, archive) {
        Ok(found) => panic!("it was taken, and should be refused as {expected:?}: {found:?}"),
        Err(refusal) => assert!(refusal.to_string().contains(expected), "{refusal}, not {expected}"),
    }
}

#[test]
fn what_is_no_archive_is_told() {
    refused("a.zip", b"", "it is empty");
    refused("a.zip", b"#!/bin/sh", "it is no archive that is taken here");
    refused("a.tar.xz", b"\xfd7zXZ\0", "it is no archive that is taken here");
    refused("a.zip", b"\x1f\x8b\x08\0", "it is named as a zip, and is a tar.gz");
    refused(
        "a.rar",
        &written::zip(&[written::File::new("composer.json", MANIFEST)]),
        "it is no archive that is taken here",
    );
    refused(
        "a.tgz",
        &written::zip(&[written::File::new("composer.json", MANIFEST)]),
        "it is named as a tar.gz, and is a zip",
    );
}
