//! Files that exist in memory only: a private key that never touches a disk cannot be left there, whoever is killed when.

use std::fs::{File, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;

use rustix::fs::{MemfdFlags, memfd_create};

/// A file that programs of the same user open by a path of `/proc`, as long as this process keeps it.
#[derive(Debug)]
pub(in crate::vcs) struct MemoryFile(File);

impl MemoryFile {
    /// Makes one with this content, for its owner only: ssh refuses keys that others could read.
    pub(in crate::vcs) fn new(name: &str, content: &[u8]) -> io::Result<Self> {
        let mut file = File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(content)?;
        Ok(Self(file))
    }

    /// Where another process finds it.
    pub(in crate::vcs) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    /// What is in it now, up to `limit` bytes.
    pub(super) fn read(&self, limit: u64) -> io::Result<String> {
        let mut file = &self.0;
        file.seek(SeekFrom::Start(0))?;
        let mut text = String::new();
        file.take(limit).read_to_string(&mut text)?;
        Ok(text)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::MemoryFile;

    #[test]
    fn others_find_it_by_its_path_and_only_its_owner_may() {
        let file = MemoryFile::new("test", b"secret\n").unwrap();
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "secret\n");
        assert_eq!(std::fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        let mut appending = std::fs::OpenOptions::new().append(true).open(file.path()).unwrap();
        std::io::Write::write_all(&mut appending, b"more\n").unwrap();
        assert_eq!(file.read(100).unwrap(), "secret\nmore\n");
        let path = file.path();
        drop(file);
        assert!(!std::path::Path::new(&path).exists());
    }
}
