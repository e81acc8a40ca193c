//! Root acts as the owner of the data directory, so that no file in it ever becomes root's.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use secrecy::zeroize::Zeroizing;

use super::failure::{FAILED, Failure};
use super::managed::Request;
use crate::config::{Config, ConfigErrors, FILE_VARIABLE};

/// The user and group that own a data directory.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    uid: u32,
    gid: u32,
}

/// The owner of the data directory, if we are root and it is somebody else's.
pub fn other_owner(data_dir: &Path) -> Option<Owner> {
    let metadata = std::fs::metadata(data_dir).ok()?;
    let is_root = rustix::process::geteuid().is_root();
    (is_root && metadata.uid() != 0).then(|| Owner { uid: metadata.uid(), gid: metadata.gid() })
}

/// Starts this program again as the owner, with the same arguments, if that is somebody else than root.
///
/// # Errors
/// If the program cannot be started.
pub fn become_owner(config: &Config, arguments: &[OsString]) -> Result<(), Failure> {
    let Some(owner) = other_owner(&config.server.data_dir) else { return Ok(()) };
    let error = program(owner, config)?.args(arguments.iter().skip(1)).exec();
    Err(not_started(&error))
}

/// Has this program run a command as the owner; its exit code.
///
/// # Errors
/// If the program cannot be started.
pub fn run_as(owner: Owner, config: &Config, request: &Request) -> Result<u8, Failure> {
    let mut program = program(owner, config)?;
    if let Some(path) = &config.path {
        program.arg("--config").arg(path.canonicalize().unwrap_or_else(|_| path.clone()));
    }
    let mut child = program.arg("run-request").stdin(Stdio::piped()).spawn().map_err(|error| not_started(&error))?;
    if let Some(mut pipe) = child.stdin.take() {
        let text = Zeroizing::new(serde_json::to_vec(request)?);
        // A child that is gone already has said why.
        let _ = pipe.write_all(&text);
    }
    let status = child.wait()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED))
}

/// This program as the owner. Supplementary groups go with root's rights.
fn program(owner: Owner, config: &Config) -> Result<Command, Failure> {
    let mut program = Command::new(std::env::current_exe()?);
    // The owner may not be able to look where root stands, so what root found is passed on.
    program.uid(owner.uid).gid(owner.gid).env("PACKAGIST_SELFHOSTED__SERVER__DATA_DIR", &config.server.data_dir);
    if let Some(path) = &config.path {
        program.env(FILE_VARIABLE, path.canonicalize().unwrap_or_else(|_| path.clone()));
    }
    Ok(program)
}

/// What to do about a configuration that this user may not read: root may, and then acts as somebody else.
pub fn hint(errors: &ConfigErrors) -> Option<String> {
    let refused = std::io::Error::from(rustix::io::Errno::ACCESS).to_string();
    errors.problems().iter().find(|problem| problem.message.contains(&refused))?;
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    Some(format!(
        "This was tried as user {user} of group {group}; root's commands act as the owner of the data directory. Let that user read the file and everything that it names, as with `chgrp {group} FILE` and `chmod 640 FILE`, and pass through the directories above."
    ))
}

fn not_started(error: &std::io::Error) -> Failure {
    Failure::new(format!(
        "the command cannot be run as the owner of the data directory: {error}. Run it as that user, or put the program where that user may run it"
    ))
}
