//! Running a command on the instance's data: in a server if one runs, else in this process.

use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::control::client::{self, Reached};
use super::failure::Failure;
use super::output::{Event, Output, Printer};
use super::session::{Session, Workforce};
use super::{Cli, Command, Managed, PROGRAM, owner, settings};
use crate::appliance::{Appliance, DirectoryError, Mode, OpenError};
use crate::clock::Clock;
use crate::config::Config;
use crate::telemetry::{self, LogLevel};
use crate::vcs::Vcs;

/// How long a command waits for another one, or for a server that is just starting.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks.
const PAUSE: Duration = Duration::from_millis(50);
/// Most bytes of a request: arguments and a secret.
pub const LARGEST_REQUEST: u64 = 1024 * 1024;

/// A command on its way to whoever runs it.
#[derive(Serialize, Deserialize)]
pub struct Request {
    /// The version of the program that sends it.
    pub version: String,
    /// What was typed, without the program's name.
    pub arguments: Vec<String>,
    /// Where it was typed.
    pub directory: PathBuf,
    /// The secret that it reads, if it does.
    pub input: Option<String>,
}

impl Request {
    /// From what was typed; reads the secret that the command needs.
    pub fn new(command: &Managed, arguments: &[OsString]) -> Result<Self, Failure> {
        let as_text = |argument: &OsString| {
            argument
                .to_str()
                .map(str::to_owned)
                .ok_or_else(|| Failure::Usage(format!("the argument {} is not UTF-8", argument.display())))
        };
        command.require_sense()?;
        let secret = command.input().map(|source| source.read()).transpose()?;
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            arguments: arguments.iter().skip(1).map(as_text).collect::<Result<_, _>>()?,
            directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            input: secret.map(|secret| secret.expose_secret().to_owned()),
        })
    }

    /// Reads one from the line that a client sent to the control socket.
    pub fn from_line(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    /// Reads one that another process wrote.
    pub fn read(from: impl Read) -> Result<Self, Failure> {
        serde_json::from_reader(from.take(LARGEST_REQUEST))
            .map_err(|_| Failure::Usage("standard input does not describe a command".to_owned()))
    }

    /// The command that it asks for.
    pub fn parse(&self) -> Result<Managed, String> {
        let words = std::iter::once(PROGRAM).chain(self.arguments.iter().map(String::as_str));
        match Cli::try_parse_from(words) {
            Ok(Cli { command: Command::Managed(command), .. }) => Ok(command),
            Ok(_) => Err("this command is not done by a server".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Takes the secret out.
    pub fn take_input(&mut self) -> Option<SecretString> {
        self.input.take().map(SecretString::from)
    }
}

/// Runs a command wherever it belongs; its exit code.
pub fn run(config: &Config, mut request: Request) -> Result<u8, Failure> {
    let data_dir = &config.server.data_dir;
    let socket = super::control::socket(data_dir);
    let started = Instant::now();
    loop {
        if let Reached::Ended(code) = client::run(&socket, &request)? {
            return Ok(code);
        }
        if let Some(owner) = owner::other_owner(data_dir) {
            return owner::run_as(owner, config, &request);
        }
        match alone(config, request)? {
            Alone::Ended(code) => return Ok(code),
            Alone::Busy(_) if started.elapsed() >= PATIENCE => {
                return Err(Failure::new(format!(
                    "another command, or a server that is starting, uses the data directory {}: try again when it is ready",
                    data_dir.display()
                )));
            }
            Alone::Busy(again) => {
                request = again;
                std::thread::sleep(PAUSE);
            }
        }
    }
}

/// What came of running a command in this process.
enum Alone {
    /// It ended with this code.
    Ended(u8),
    /// Somebody else uses the data directory: a server that is starting, or another command.
    Busy(Request),
}

fn alone(config: &Config, mut request: Request) -> Result<Alone, Failure> {
    let command = request.parse().map_err(Failure::Usage)?;
    let appliance_settings = settings::appliance(config)?;
    let vcs = Vcs::new(settings::vcs(config)?);
    let hubs = settings::hubs(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let opened = Appliance::open(appliance_settings, vcs, Clock::system(), Mode::Existing).await;
        let appliance = match opened {
            Ok(appliance) => appliance.with_hubs(hubs).await?,
            Err(OpenError::Directory(DirectoryError::Locked(_))) => return Ok(Alone::Busy(request)),
            Err(error) => return Err(error.into()),
        };
        let rust_log = std::env::var("RUST_LOG").ok();
        telemetry::init(config.log.format, LogLevel::Warn, rust_log.as_deref())?;
        let (output, mut events) = Output::channel();
        let input = request.take_input();
        let workforce = Workforce::Start(config.jobs.workers);
        let session = Session::new(appliance, output, request.directory, input, workforce);
        let work = tokio::spawn(async move { perform(command, &session).await });
        let mut printer = Printer::new();
        let mut code = super::FAILED;
        while let Some(event) = events.recv().await {
            if let Event::Exit(ended) = event {
                code = ended;
            }
            printer.show(event);
        }
        // The session, and with it the instance, is gone when its task has ended.
        work.await.map_err(|_| Failure::new("the command ended unexpectedly: this is a mistake in the program"))?;
        printer.end(code).map(Alone::Ended)
    })
}

/// Runs a command, says how it ended, and with which code.
pub async fn perform(command: Managed, session: &Session) {
    let code = match command.run(session).await {
        Ok(()) => 0,
        Err(failure) => {
            session.output.note(failure.message());
            failure.code()
        }
    };
    session.output.say(Event::Exit(code));
}

#[cfg(test)]
mod tests {
    use super::Request;

    fn request(arguments: &[&str]) -> Request {
        Request {
            version: "1".to_owned(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            directory: "/".into(),
            input: None,
        }
    }

    #[test]
    fn a_server_does_no_other_commands() {
        assert!(request(&["org", "list"]).parse().is_ok());
        for other in [&["serve"][..], &["check"], &["run-request"], &["man"], &["nonsense"]] {
            assert!(request(other).parse().is_err(), "{other:?}");
        }
    }

    #[test]
    fn requests_are_bounded() {
        let long = format!("{{\"version\":\"{}\"", "a".repeat(2 << 20));
        assert!(Request::read(long.as_bytes()).is_err());
        assert!(Request::read(&b""[..]).is_err());
    }
}
