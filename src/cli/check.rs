//! `check`: what is wrong with configuration, data directory and surroundings, one line a finding.
//!
//! `check/data_directory.rs` looks at the data directory, `check/online.rs` asks the platforms. It changes nothing and works beside a running server: the database is only read.

mod data_directory;
mod online;

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use super::failure::{FAILED, Failure};
use super::output::{Event, Printer};
use super::{owner, settings};
use crate::config::{Config, Overrides};

/// Programs that some packages need, with what tells their version.
const PROGRAMS: [(&str, &str, &str); 3] = [
    ("git", "--version", "to look at a mirror by hand"),
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

/// Looks at everything, and `online` asks the platforms too; the exit code is 1 if anything is wrong.
pub fn run(file: Option<&Path>, arguments: &[OsString], online: bool) -> Result<u8, Failure> {
    let mut findings = Findings { printer: Printer::new(), errors: 0 };
    let config = everything(&mut findings, file, arguments)?;
    let mut code = findings.code();
    if let Some(config) = config.filter(|_| online) {
        code = code.max(online::integrations(&mut findings, &config)?);
        code = code.max(online::credentials(&config)?);
    }
    findings.printer.end(code)
}

/// The configuration, if it can be read at all.
fn everything(findings: &mut Findings, file: Option<&Path>, arguments: &[OsString]) -> Result<Option<Config>, Failure> {
    let config = match Config::load(file, std::env::vars_os(), &Overrides::default()) {
        Ok(config) => config,
        Err(errors) => {
            for problem in errors.problems() {
                findings.error(problem.to_string());
            }
            if let Some(hint) = owner::hint(&errors) {
                findings.error(hint);
            }
            return Ok(None);
        }
    };
    // As root, files that reading makes beside the database would become root's.
    owner::become_owner(&config, arguments)?;
    configuration(findings, &config);
    data_directory::look(findings, &config);
    programs(findings);
    ssh(findings, data_directory::has_ssh_keys(&config));
    Ok(Some(config))
}

fn configuration(findings: &mut Findings, config: &Config) {
    for warning in config.warnings.iter().chain(&settings::without_effect(config)) {
        findings.warning(warning.to_string());
    }
    match &config.path {
        Some(path) => findings.ok(format!("the configuration {} can be read", path.display())),
        None => findings.ok("there is no configuration file: the built-in defaults hold"),
    }
    for failure in [settings::outbound(config).err(), settings::appliance(config).err()].into_iter().flatten() {
        findings.error(failure.message().trim_start_matches("error: "));
    }
    for root in &config.vcs.file_roots {
        if !root.is_dir() {
            let place = config.place_of("vcs.file_roots");
            findings.warning(format!("{place}: {} is no directory that can be read", root.display()));
        }
    }
}

fn programs(findings: &mut Findings) {
    for (name, option, purpose) in PROGRAMS {
        match version(name, option) {
            Some(version) => findings.ok(version),
            None => findings.warning(format!("{name} is not installed: it is needed {purpose}")),
        }
    }
}

/// The programs of OpenSSH are an error where credentials wait for them.
fn ssh(findings: &mut Findings, in_use: bool) {
    let mut missing = |name: &str, purpose: &str| {
        let text =
            format!("{name} is not installed: it is needed {purpose} (mostly in a package called openssh-client)");
        if in_use { findings.error(text) } else { findings.warning(text) }
    };
    let started = Command::new("ssh-keygen").arg("-?").stdin(Stdio::null()).output();
    if started.is_err() {
        missing("ssh-keygen", "to read private keys of credentials");
    }
    match version("ssh", "-V") {
        Some(version) => findings.ok(version),
        None => missing("ssh", "for packages at ssh addresses"),
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
