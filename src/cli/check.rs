//! `check`: what is wrong with configuration, data directory and surroundings, one line a finding.
//!
//! It changes nothing and works beside a running server: the database is only read.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::failure::{FAILED, Failure};
use super::output::{Event, Printer};
use super::{owner, settings};
use crate::config::{Config, Overrides};
use crate::secrets::keyring::{self, KeyRing};
use crate::store::{self, Database, audit, instance};

/// Less free space than this is an error.
const TOO_LITTLE: u64 = 100 << 20;
/// Less free space than this is a warning.
const LITTLE: u64 = 1 << 30;
/// The database's name in the data directory.
const DATABASE: &str = "packagist.sqlite";

/// Programs that some packages need, with what tells their version.
const PROGRAMS: [(&str, &str, &str); 4] = [
    ("git", "--version", "to look at a mirror by hand"),
    ("ssh", "-V", "for packages at ssh addresses"),
    ("hg", "--version", "for Mercurial repositories"),
    ("svn", "--version", "for Subversion repositories"),
];

/// What was found.
struct Findings {
    printer: Printer,
    errors: usize,
}

impl Findings {
    fn ok(&mut self, text: impl AsRef<str>) {
        self.printer.show(Event::Out(format!("ok: {}", text.as_ref())));
    }

    fn warning(&mut self, text: impl AsRef<str>) {
        self.printer.show(Event::Out(format!("warning: {}", text.as_ref())));
    }

    fn error(&mut self, text: impl AsRef<str>) {
        self.errors += 1;
        self.printer.show(Event::Out(format!("error: {}", text.as_ref())));
    }

    fn code(&self) -> u8 {
        if self.errors == 0 { 0 } else { FAILED }
    }
}

/// Looks at everything; the exit code is 1 if anything is wrong.
pub fn run(file: Option<&Path>, arguments: &[OsString]) -> Result<u8, Failure> {
    let mut findings = Findings { printer: Printer::new(), errors: 0 };
    let config = match Config::load(file, std::env::vars_os(), &Overrides::default()) {
        Ok(config) => config,
        Err(errors) => {
            for problem in errors.problems() {
                findings.error(problem.to_string());
            }
            return Ok(findings.code());
        }
    };
    // As root, files that reading makes beside the database would become root's.
    owner::become_owner(&config, arguments)?;
    configuration(&mut findings, &config);
    data_directory(&mut findings, &config);
    programs(&mut findings);
    Ok(findings.code())
}

fn configuration(findings: &mut Findings, config: &Config) {
    for warning in &config.warnings {
        findings.warning(warning.to_string());
    }
    match &config.path {
        Some(path) => findings.ok(format!("the configuration {} can be read", path.display())),
        None => findings.ok("there is no configuration file: the built-in defaults hold"),
    }
    if let Err(failure) = settings::outbound(config) {
        findings.error(failure.message().trim_start_matches("error: "));
    }
    for root in &config.vcs.file_roots {
        if !root.is_dir() {
            let place = config.place_of("vcs.file_roots");
            findings.warning(format!("{place}: {} is no directory that can be read", root.display()));
        }
    }
}

fn data_directory(findings: &mut Findings, config: &Config) {
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
    free_space(findings, folder);
    let database = folder.join(DATABASE);
    if !database.exists() {
        return findings.ok(format!("the data directory {} is empty: `serve` fills it", folder.display()));
    }
    keys(findings, folder);
    match database_findings(findings, &database) {
        Ok(()) => {}
        Err(error) => findings.error(format!("{}: {error}", database.display())),
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
    let path = folder.join(keyring::FILE_NAME);
    match KeyRing::load(&path) {
        Ok(_) => findings.ok("the key ring can be read"),
        // A service's credentials are only there while it runs.
        Err(_) if !path.exists() => findings.warning(format!(
            "{} is not there: right if the service gets its keys from systemd, and otherwise the secrets in the database are lost",
            path.display()
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

fn programs(findings: &mut Findings) {
    for (name, option, purpose) in PROGRAMS {
        match version(name, option) {
            Some(version) => findings.ok(version),
            None => findings.warning(format!("{name} is not installed: it is needed {purpose}")),
        }
    }
}

/// The first line that a program says of itself.
fn version(name: &str, option: &str) -> Option<String> {
    let output = Command::new(name).arg(option).stdin(Stdio::null()).output().ok()?;
    // ssh says its version on standard error.
    let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    let text = String::from_utf8_lossy(&said).into_owned();
    let line = text.lines().next()?.trim();
    output.status.success().then(|| if line.starts_with(name) { line.to_owned() } else { format!("{name}: {line}") })
}
