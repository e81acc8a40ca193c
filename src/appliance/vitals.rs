//! What the instance takes of its machine.

use std::fs;
use std::path::Path;

use rustix::fs::statvfs;

use super::{Appliance, directory};

/// What the instance takes of its machine, in bytes. What the system does not tell is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// The file system of the data directory: its size.
    pub disk: Option<u64>,
    /// What of it is free for us.
    pub free: Option<u64>,
    /// What of it is kept free: below that, updates wait and archives are not built.
    pub kept_free: Option<u64>,
    /// The database's file.
    pub database: Option<u64>,
    /// What is written and not folded into it yet.
    pub journal: Option<u64>,
    /// This process's memory that is in use.
    pub memory: Option<u64>,
}

impl Appliance {
    /// Looks at disk and memory. Blocks for a moment.
    #[must_use]
    pub fn vitals(&self) -> Vitals {
        let system = statvfs(&self.settings.data_dir).ok();
        let disk = system.as_ref().map(|system| system.f_blocks.saturating_mul(system.f_frsize));
        let database = directory::database(&self.settings.data_dir);
        let mut journal = database.clone().into_os_string();
        journal.push("-wal");
        Vitals {
            disk,
            free: system.as_ref().map(|system| system.f_bavail.saturating_mul(system.f_frsize)),
            kept_free: disk.map(|disk| self.vcs.kept_free(disk)),
            database: size(&database),
            journal: size(Path::new(&journal)),
            memory: memory(&fs::read_to_string("/proc/self/status").unwrap_or_default()),
        }
    }
}

fn size(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|known| known.len())
}

/// `VmRSS` of proc(5), which counts in kibibytes.
fn memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::memory;

    #[test]
    fn memory_is_what_the_kernel_says() {
        assert_eq!(memory("Name:\tx\nVmRSS:\t  131072 kB\nThreads:\t3\n"), Some(128 << 20));
        assert_eq!(memory("VmRSS: lots"), None);
        assert!(memory(&std::fs::read_to_string("/proc/self/status").unwrap_or_default()).is_some());
    }
}
