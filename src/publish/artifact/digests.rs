//! What an archive is known by.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::secrets::random::to_hex;

/// Sums of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    /// SHA-256, by which archives are stored.
    pub sha256: [u8; 32],
    /// SHA-1 in hexadecimal, which is Composer's `shasum`.
    pub sha1: String,
    /// How many bytes it has.
    pub size: u64,
}

/// The sums of the file at `path`. Slow: it is read as a whole.
///
/// # Errors
/// If it cannot be read.
pub fn digests(path: &Path) -> io::Result<Digests> {
    let mut file = File::open(path)?;
    let (mut sha1, mut sha256, mut size) = (Sha1::new(), Sha256::new(), 0);
    let mut buffer = vec![0; 128 << 10];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(Digests { sha256: sha256.finalize().into(), sha1: to_hex(&sha1.finalize()), size });
        }
        sha1.update(&buffer[..count]);
        sha256.update(&buffer[..count]);
        size += count as u64;
    }
}
