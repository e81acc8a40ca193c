//! `check`: the data directory, what lies in it, and who else could read it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::Findings;
use crate::config::Config;
use crate::secrets::keyring::{CREDENTIAL_NAME, FILE_NAME, KeyRing};
use crate::store::{self, Database, audit, credentials, instance};

/// Less free space than this is an error.
const TOO_LITTLE: u64 = 100 << 20;
/// Less free space than this is a warning.
const LITTLE: u64 = 1 << 30;
/// The database's name in the data directory.
const DATABASE: &str = "packagist.sqlite";
/// What else in it is nobody's business; the key ring tells of itself.
const PRIVATE: [&str; 4] = [DATABASE, "packagist.sqlite-wal", "packagist.sqlite-shm", "control.sock"];

/// Looks at the directory that the configuration names.
pub fn look(findings: &mut Findings, config: &Config) {
    let folder = &config.server.data_dir;
    let place = config.place_of("server.data_dir");
    let metadata = match std::fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => return findings.error(format!("{place}: {} is not a directory", folder.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return findings.ok(format!("the data directory {} is not there yet: `serve` makes it", folder.display()));
        }
        Err(error) => return findings.error(format!("{place}: {} cannot be used: {error}", folder.display())),
    };
    private(findings, folder, &metadata);
    if !usable(findings, folder) {
        return;
    }
    free_space(findings, folder);
    let database = folder.join(DATABASE);
    match database.try_exists() {
        Ok(true) => {}
        Ok(false) => {
            return findings.ok(format!("the data directory {} is empty: `serve` fills it", folder.display()));
        }
        Err(error) => return findings.error(format!("{} cannot be looked at: {error}", database.display())),
    }
    files(findings, folder);
    keys(findings, folder);
    match database_findings(findings, &database) {
        Ok(()) => {}
        Err(error) => findings.error(format!("{}: {error}", database.display())),
    }
}

/// Whether an organization has credentials that need the programs of OpenSSH; what cannot be read is told by [`look`].
pub fn has_ssh_keys(config: &Config) -> bool {
    let database = config.server.data_dir.join(DATABASE);
    database.exists()
        && instance::inspect(&database).is_ok_and(|db| credentials::any_of_type(&db, "ssh-key").unwrap_or(false))
}

/// Whether there is an instance that can have credentials.
pub fn is_furnished(config: &Config) -> bool {
    config.server.data_dir.join(DATABASE).exists()
}

/// Whether the rest of the directory can be looked at and worked on.
fn usable(findings: &mut Findings, folder: &Path) -> bool {
    let shown = folder.display();
    // A file system that a fault has just made read-only still allows it, until something is written in earnest.
    let written = |()| {
        tempfile::tempfile_in(folder)
            .map(drop)
            .map_err(|error| error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error))
    };
    match access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).and_then(written) {
        Ok(()) => true,
        Err(Errno::ROFS) => {
            findings.error(format!(
                "the data directory {shown} is on a file system that is mounted read-only: mount it for writing (`mount -o remount,rw`), and look with `dmesg` whether a fault of the disk made it so"
            ));
            false
        }
        Err(Errno::ACCESS) => {
            let user = rustix::process::geteuid().as_raw();
            findings.error(format!(
                "the data directory {shown} cannot be read and written by user {user}, who runs this command: run it as the owner or as root, or run `chmod u+rwx` on it"
            ));
            false
        }
        Err(error) => {
            findings.error(format!("the data directory {shown} cannot be used: {}", io::Error::from(error)));
            false
        }
    }
}

/// Others than the owner must not read what lies there, even if the directory is opened one day.
fn files(findings: &mut Findings, folder: &Path) {
    for path in PRIVATE.map(|name| folder.join(name)) {
        match std::fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.mode() & 0o077 != 0 => findings.warning(format!(
                "{0} is open to others (mode {1:04o}): run `chmod 600 {0}`",
                path.display(),
                metadata.mode() & 0o7777
            )),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                findings.error(format!("{} cannot be looked at: {error}", path.display()));
            }
            _ => {}
        }
    }
}

fn private(findings: &mut Findings, folder: &Path, metadata: &std::fs::Metadata) {
    let mode = metadata.mode() & 0o7777;
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user {
        findings.error(format!(
            "the data directory {} belongs to user {} and not to user {user}, who runs this command: run it as the owner or as root",
            folder.display(),
            metadata.uid()
        ));
    }
    if mode & 0o077 == 0 {
        findings.ok(format!("the data directory {} is private", folder.display()));
    } else {
        findings.warning(format!(
            "the data directory {} is open to others (mode {mode:04o}): `serve` makes it 0700, or run `chmod 700` on it",
            folder.display()
        ));
    }
}

fn free_space(findings: &mut Findings, folder: &Path) {
    let space = match rustix::fs::statvfs(folder) {
        Ok(space) => space.f_bavail.saturating_mul(space.f_frsize),
        Err(error) => return findings.warning(format!("the free space of {} is not known: {error}", folder.display())),
    };
    let text = format!("{} MiB are free at {}", space >> 20, folder.display());
    match space {
        0..TOO_LITTLE => findings.error(format!("only {text}: make room before anything is lost")),
        TOO_LITTLE..LITTLE => findings.warning(format!("only {text}")),
        _ => findings.ok(text),
    }
}

fn keys(findings: &mut Findings, folder: &Path) {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    match KeyRing::of_installation(folder, credentials.as_deref()) {
        Ok(Some(_)) => findings.ok("the key ring can be read"),
        Ok(None) => findings.error(format!(
            "{} is not there, and without it the secrets in the database cannot be read: put the copy back that you keep apart from the database. If the service gets its keys from systemd ({CREDENTIAL_NAME}), run the check with $CREDENTIALS_DIRECTORY set to the directory that holds them",
            folder.join(FILE_NAME).display()
        )),
        Err(error) => findings.error(error.to_string()),
    }
}

fn database_findings(findings: &mut Findings, path: &Path) -> store::Result<()> {
    Database::require_current(path)?;
    findings.ok("the database has this release's schema");
    let connection = instance::inspect(path)?;
    match instance::integrity(&connection)? {
        None => findings.ok("the database is sound"),
        Some(finding) => findings.error(format!("the database is damaged ({finding}): restore it from a backup")),
    }
    match audit::first_broken(&connection)? {
        None => findings.ok("the audit log is unbroken"),
        Some(entry) => findings.error(format!(
            "entry {entry} of the audit log does not fit the one before it: somebody changed the database by hand"
        )),
    }
    Ok(())
}
