//! The command line: what `packagist-selfhosted COMMAND` means (contract, section 1).
//!
//! [`run`] parses arguments and does the command. A command about the instance's data is a [`Managed`] one: beside a
//! running server its arguments and standard input travel over the control socket, and the server runs it; without one
//! the same code runs in this process ([`managed`]). One file a command group.

mod access;
mod args;
mod audit;
mod check;
mod completions;
mod control;
mod credential;
mod failure;
mod hook;
mod host_key;
mod input;
mod integration;
mod job;
mod made;
mod managed;
mod member;
mod org;
mod output;
mod owner;
mod package;
mod package_directories;
mod package_view;
#[doc(hidden)]
pub mod readers;
mod serve;
mod session;
mod settings;
mod setup_link;
mod sync;
mod table;
mod team;
mod token;
mod turn;
mod user;
mod vendor;
mod wait;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::config::{Config, Overrides, Place, Problem};
use failure::{FAILED, Failure};

/// The program's name, as people type it.
const PROGRAM: &str = "packagist-selfhosted";

/// A private Composer repository for your own network, in one executable.
#[derive(Debug, Parser)]
#[command(name = PROGRAM, version, max_term_width = 100, disable_help_subcommand = true)]
struct Cli {
    /// The configuration [default: ./config.toml, then /etc/packagist-selfhosted/config.toml].
    /// The variable PACKAGIST_SELFHOSTED_CONFIG names one too.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::Arguments),
    /// Look for mistakes in configuration, data directory and surroundings
    Check {
        /// Ask the platforms too: try each integration and each credential
        #[arg(long)]
        online: bool,
    },
    /// The platforms that people sign in with
    #[command(subcommand)]
    Integration(integration::Command),
    #[command(flatten)]
    Managed(Managed),
    /// Write the completions of a shell to standard output
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual page to standard output
    Man {
        /// The command whose page is wanted, such as `package add` [default: all of them]
        command: Vec<String>,
    },
    /// Do the command that is described on standard input; how root hands one to the owner of the data directory
    #[command(hide = true)]
    RunRequest,
}

/// Commands on the instance's data, which a running server does itself.
#[derive(Debug, Subcommand)]
enum Managed {
    /// Organizations: one Composer repository each
    #[command(subcommand)]
    Org(org::Command),
    /// The vendors that an organization owns
    #[command(subcommand)]
    Vendor(vendor::Command),
    /// Local accounts
    #[command(subcommand)]
    User(user::Command),
    /// Print a new link to the first run, while nobody administers the server
    SetupLink,
    /// Secrets that open source repositories
    #[command(subcommand)]
    Credential(credential::Command),
    /// The keys by which SSH servers are recognized
    #[command(subcommand)]
    HostKey(host_key::Command),
    /// Packages: one source repository each
    #[command(subcommand)]
    Package(package::Command),
    /// An organization's people
    #[command(subcommand)]
    Member(member::Command),
    /// Teams: people who see the same packages
    #[command(subcommand)]
    Team(team::Command),
    /// Who may see a package, and why
    #[command(subcommand)]
    Access(access::Command),
    /// Tokens with which Composer installs packages
    #[command(subcommand)]
    Token(token::Command),
    /// Organizations of platforms that are followed here
    #[command(subcommand)]
    Sync(sync::Command),
    /// The webhooks that synchronizations installed on platforms
    #[command(subcommand)]
    Hook(hook::Command),
    /// The queue of work
    #[command(subcommand)]
    Job(job::Command),
    /// Export the audit log
    #[command(subcommand)]
    Audit(audit::Command),
    /// Try every credential of every organization, for `check --online`
    #[command(hide = true)]
    TestCredentials,
}

impl Managed {
    /// Where the command reads a secret from, if it needs one.
    fn input(&self) -> Option<input::Source> {
        match self {
            Self::User(command) => command.input(),
            Self::Credential(command) => command.input(),
            Self::Package(command) => command.input(),
            Self::HostKey(command) => command.input(),
            _ => None,
        }
    }

    /// Refuses what the definitions cannot: options that depend on each other's values, and a secret for nobody.
    fn require_sense(&self) -> Result<(), Failure> {
        match self {
            Self::Credential(command) => command.require_sense(),
            Self::Token(command) => command.require_sense(),
            _ => Ok(()),
        }
    }

    async fn run(self, session: &session::Session) -> Result<(), Failure> {
        match self {
            Self::Org(command) => org::run(command, session).await,
            Self::Vendor(command) => vendor::run(command, session).await,
            Self::User(command) => user::run(command, session).await,
            Self::SetupLink => setup_link::run(session).await,
            Self::Credential(command) => credential::run(command, session).await,
            Self::HostKey(command) => host_key::run(command, session).await,
            Self::Package(command) => package::run(command, session).await,
            Self::Member(command) => member::run(command, session).await,
            Self::Team(command) => team::run(command, session).await,
            Self::Access(command) => access::run(command, session).await,
            Self::Token(command) => token::run(command, session).await,
            Self::Sync(command) => sync::run(command, session).await,
            Self::Hook(command) => hook::run(command, session).await,
            Self::Job(command) => job::run(command, session).await,
            Self::Audit(command) => audit::run(command, session).await,
            Self::TestCredentials => credential::test_all(session).await,
        }
    }
}

/// Does what the arguments ask for; the first of them is the program's name.
///
/// The exit code is the contract's: 0 done, 1 failed, 2 wrong usage.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    // Nothing that the program or a child of it writes is anybody else's business (contract, section 2).
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let parsed = match Cli::try_parse_from(&arguments) {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version are no mistakes: they go to standard output and mean success.
            let code = error.exit_code();
            return match error.print() {
                // Whoever closed the pipe has read enough.
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::from(FAILED),
                _ => ExitCode::from(u8::try_from(code).unwrap_or(FAILED)),
            };
        }
    };
    match dispatch(parsed, &arguments) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            output::Printer::new().show(output::Event::Err(failure.message()));
            ExitCode::from(failure.code())
        }
    }
}

fn dispatch(parsed: Cli, arguments: &[OsString]) -> Result<u8, Failure> {
    let file = parsed.config;
    match parsed.command {
        Command::Completions { shell } => completions::write(shell),
        Command::Man { command } => completions::manual(&command),
        Command::Check { online } => check::run(file.as_deref(), arguments, online),
        Command::Serve(options) => {
            let config = load(file.as_deref(), &options.overrides())?;
            owner::become_owner(&config, arguments)?;
            serve::run(config)
        }
        Command::Integration(command) => {
            let config = load(file.as_deref(), &Overrides::default())?;
            integration::run(command, &config)
        }
        Command::Managed(command) => {
            let config = load(file.as_deref(), &Overrides::default())?;
            let request = managed::Request::new(&command, arguments)?;
            managed::run(&config, request)
        }
        Command::RunRequest => {
            let config = load(file.as_deref(), &Overrides::default())?;
            let request = managed::Request::read(std::io::stdin().lock())?;
            managed::run(&config, request)
        }
    }
}

fn load(file: Option<&std::path::Path>, overrides: &Overrides) -> Result<Config, Failure> {
    Config::load(file, std::env::vars_os(), overrides).map_err(|errors| {
        let is_argument = |problem: &Problem| matches!(problem.place, Place::Argument(_));
        if errors.problems().iter().any(is_argument) {
            return Failure::Usage(errors.to_string());
        }
        match owner::hint(&errors) {
            Some(hint) => Failure::new(format!("{errors}\n{hint}")),
            None => errors.into(),
        }
    })
}

/// The command line as clap knows it.
fn definition() -> clap::Command {
    Cli::command()
}

/// What people see of it: completions would offer hidden commands too.
fn visible_definition() -> clap::Command {
    let all = definition();
    let shown = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    clap::Command::new(PROGRAM)
        .version(env!("CARGO_PKG_VERSION"))
        .about(all.get_about().cloned().unwrap_or_default())
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .args(all.get_arguments().cloned())
        .subcommands(shown)
}

#[cfg(test)]
mod tests {
    use super::{Cli, definition};
    use clap::Parser;

    #[test]
    fn the_definitions_are_consistent() {
        definition().debug_assert();
    }

    #[test]
    fn what_the_contract_lists_is_accepted() {
        let accepted = [
            "serve --listen 127.0.0.1:0 --data-dir data",
            "check",
            "org add acme --name Acme",
            "org list --json",
            "org rename acme other",
            "org remove acme",
            "vendor add acme --org acme",
            "user add ada --email ada@example.com --admin --password-stdin",
            "user set-password ada",
            "user reset-second-factor ada",
            "setup-link",
            "integration list --json",
            "integration test ghe",
            "credential add git --type http-basic --host git.example.com --username ci --secret-stdin",
            "credential rotate git --secret-file secret",
            "credential remove git --replace-with other",
            "credential add key --type ssh-key --host git.example.com:2222 --generate --key-type rsa",
            "credential rotate key --generate",
            "host-key list --json",
            "host-key scan git.example.com:2222",
            "host-key add git.example.com --key-stdin",
            "host-key add git.example.com --scan --fingerprint SHA256:x",
            "host-key remove git.example.com --fingerprint SHA256:x",
            "package add https://git.example.com/a/b --vcs git --credential git --fork --wait",
            "package update a/b c/d --wait",
            "package update --all",
            "package forget a/b 0123456789012345678901234567890123456789",
            "package hook a/b --rotate",
            "token add --access read --package a/b --package c/d --expires 90d --description CI",
            "token add --access read --team web --team web/api --package a/b",
            "token add --user ada",
            "team list --json",
            "team show web/api --json",
            "team add web",
            "team rename web site",
            "team move api --under web",
            "team remove web",
            "team grant web a/b c/d",
            "team grant web --all",
            "team revoke web a/b",
            "team revoke web --all",
            "team add-member web ghe:ada",
            "team remove-member web ada",
            "member list --json",
            "member add ada --role owner",
            "member set-role ada admin",
            "member remove ada",
            "member activate ghe:ada",
            "member deactivate ada",
            "access explain --user ada --package a/b --json",
            "access list --package a/b --json",
            "access grant --user ada --package a/b",
            "access revoke --user ada --package a/b",
            "org set-login-rule acme --integration ghe --integration gitlab",
            "org set-login-rule acme --any",
            "org set-activation acme manual",
            "token revoke 7",
            "job retry 7",
            "completions bash",
            "man",
            "--config x.toml org list",
            "org list --config x.toml",
        ];
        for line in accepted {
            let parsed = Cli::try_parse_from(std::iter::once("packagist-selfhosted").chain(line.split(' ')));
            assert!(parsed.is_ok(), "{line}: {parsed:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_wrong_usage() {
        let refused = [
            "",
            "check --offline",
            "token add",
            "token add --access write",
            "token add --user ada --access read",
            "token add --user ada --team web",
            "team grant web",
            "team grant web a/b --all",
            "member add ada --role boss",
            "access explain --user ada",
            "org set-login-rule acme",
            "org set-login-rule acme --any --integration ghe",
            "org set-activation acme sometimes",
            "token add --access read --expires soon",
            "credential add git --type password --secret-stdin",
            "credential add git --type http-basic --secret-stdin --secret-file x",
            "credential rotate git --generate --secret-stdin",
            "credential rotate git --key-type rsa",
            "credential rotate git --secret-stdin --key-type rsa",
            "host-key add git.example.com",
            "host-key add git.example.com --scan",
            "host-key add git.example.com --fingerprint SHA256:x",
            "host-key add git.example.com --key-stdin --fingerprint SHA256:x",
            "package update",
            "package update a/b --all",
            "package add x --vcs cvs",
            "job retry x",
            "completions tcsh3",
        ];
        for line in refused {
            let words = line.split(' ').filter(|word| !word.is_empty());
            let parsed = Cli::try_parse_from(std::iter::once("packagist-selfhosted").chain(words));
            let code = parsed.map_or_else(|error| error.exit_code(), |_| 0);
            assert_eq!(code, 2, "{line}");
        }
    }
}
