//! Certificates on disk, so that a server that starts again knows them: messages of a day in which Amazon cannot be reached
//! are checked all the same.
//!
//! Nothing depends on them. What cannot be written or read is fetched again.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use url::Url;

use super::certificate::Certificate;
use crate::clock::Timestamp;

/// How many are kept; the oldest go.
const KEPT: usize = 64;
/// Longest file that is read, in bytes.
const LONGEST: u64 = 80 << 10;
/// What stands before the time at which it was fetched.
const FETCHED: &str = "Fetched: ";
/// What stands before the address that it was fetched from.
const FROM: &str = "From: ";

/// A folder of certificates. One process writes it; files are replaced whole.
#[derive(Debug)]
pub struct Drawer {
    folder: PathBuf,
}

impl Drawer {
    /// The folder need not exist.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The certificate of an address and when it was fetched, if it is there.
    #[must_use]
    pub fn find(&self, address: &Url) -> Option<(Timestamp, Certificate)> {
        let mut text = String::new();
        fs::File::open(self.place(address)).ok()?.take(LONGEST).read_to_string(&mut text).ok()?;
        let (fetched, rest) = text.strip_prefix(FETCHED)?.split_once('\n')?;
        let (from, pem) = rest.strip_prefix(FROM)?.split_once('\n')?;
        let at = Timestamp::parse_rfc3339(fetched).ok().filter(|_| from == address.as_str())?;
        Some((at, Certificate::parse(pem.as_bytes())?))
    }

    /// Keeps one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&self, address: &Url, pem: &[u8], now: Timestamp) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        self.make_room()?;
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.folder)?;
        file.write_all(format!("{FETCHED}{}\n{FROM}{address}\n", now.rfc3339()).as_bytes())?;
        file.write_all(pem)?;
        file.as_file().set_permissions(Permissions::from_mode(0o600))?;
        file.persist(self.place(address))?;
        Ok(())
    }

    /// Removes the oldest files where another one would be too many, and what a crash left half written.
    fn make_room(&self) -> io::Result<()> {
        let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            files.push((entry.metadata()?.modified()?, entry.path()));
        }
        let surplus = (files.len() + 1).saturating_sub(KEPT);
        files.sort();
        files.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
    }

    fn place(&self, address: &Url) -> PathBuf {
        let digest = Sha256::digest(address.as_str());
        let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Path::new(&self.folder).join(format!("{name}.pem"))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use std::fs;

    use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
    use url::Url;

    use super::{Drawer, KEPT};
    use crate::clock::Timestamp;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_348_800);

    fn address(number: usize) -> Url {
        Url::parse(&format!("https://sns.us-east-2.amazonaws.com/SimpleNotificationService-{number}.pem")).unwrap()
    }

    #[test]
    fn what_is_kept_is_found_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let drawer = Drawer::new(folder.path().join("sns"));
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        let pem =
            CertificateParams::new(vec!["sns.amazonaws.com".to_owned()]).unwrap().self_signed(&key).unwrap().pem();
        assert_eq!(drawer.find(&address(0)), None);
        for number in 0..KEPT + 5 {
            drawer.keep(&address(number), pem.as_bytes(), NOW).unwrap();
        }
        assert_eq!(fs::read_dir(folder.path().join("sns")).unwrap().count(), KEPT);
        let (at, certificate) = drawer.find(&address(KEPT + 4)).unwrap();
        assert!(at == NOW && certificate.holds(NOW));
        for damaged in ["", "Fetched: x\n", "Fetched: 2026-11-23T00:00:00Z\nFrom: elsewhere\n", "\u{fffd}"] {
            fs::write(drawer.place(&address(1)), damaged).unwrap();
            assert_eq!(drawer.find(&address(1)), None, "{damaged}");
        }
        fs::copy(drawer.place(&address(KEPT + 4)), drawer.place(&address(2))).unwrap();
        assert_eq!(drawer.find(&address(2)), None, "it is another address's");
    }
}
