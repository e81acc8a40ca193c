//! `integration`: the platforms that people sign in with, as the configuration has them.

use clap::Subcommand;
use serde_json::json;
use url::Url;

use super::args::ListFormat;
use super::failure::{FAILED, Failure};
use super::output::{Event, Printer};
use super::settings;
use super::table::table;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::Integration;
use crate::platform::Level;

/// Commands about integrations. They need the configuration only, neither a server nor the data directory.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the registered platforms with the callback URL that each has to know
    List(#[command(flatten)] ListFormat),
    /// Try what can be tried without a person, and say what works and what is missing
    Test {
        /// Its id
        id: String,
    },
}

/// Does one of them.
pub fn run(command: Command, config: &Config) -> Result<u8, Failure> {
    let integrations = settings::integrations(config)?;
    let public_url = config.server.public_url.as_str();
    let mut printer = Printer::new();
    let code = match command {
        Command::List(format) => {
            printer.show(Event::Out(list(&integrations, public_url, &format)?));
            0
        }
        Command::Test { id } => test(&integrations, public_url, &id, &mut printer)?,
    };
    printer.end(code)
}

fn list(integrations: &[Integration], public_url: &str, format: &ListFormat) -> Result<String, Failure> {
    if format.json {
        let all = integrations.iter().map(|one| {
            json!({
                "id": one.id,
                "name": one.name,
                "platform": one.platform.as_str(),
                "url": one.url,
                "callback": one.callback(public_url),
                "login": one.login,
            })
        });
        return Ok(serde_json::to_string_pretty(&all.collect::<Vec<_>>())?);
    }
    if integrations.is_empty() {
        return Ok("There is no integration: add an [[integration]] to the configuration.".to_owned());
    }
    let rows: Vec<_> = integrations
        .iter()
        .map(|one| {
            let login = match (&one.connection, one.login) {
                (None, _) => "no app",
                (Some(_), true) => "offered",
                (Some(_), false) => "not offered",
            };
            let (platform, callback) = (one.platform.as_str().to_owned(), one.callback(public_url));
            vec![one.id.clone(), platform, one.url.clone(), login.to_owned(), callback]
        })
        .collect();
    Ok(table(&["ID", "PLATFORM", "URL", "LOGIN", "CALLBACK"], &rows))
}

fn test(integrations: &[Integration], public_url: &str, id: &str, printer: &mut Printer) -> Result<u8, Failure> {
    let Some(one) = integrations.iter().find(|one| one.id == id) else {
        let ids: Vec<&str> = integrations.iter().map(|one| one.id.as_str()).collect();
        let there = if ids.is_empty() { "there is none".to_owned() } else { format!("there are: {}", ids.join(", ")) };
        return Err(Failure::new(format!("there is no integration `{}`; {there}", id.escape_debug())));
    };
    let Some(connection) = &one.connection else {
        return Err(Failure::new(format!(
            "the integration `{id}` has no app to sign in by: register one with the callback {} and set `client_id` and `client_secret`",
            one.callback(public_url)
        )));
    };
    let callback = Url::parse(&one.callback(public_url))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let findings = runtime.block_on(connection.diagnose(&callback, Clock::system().now()));
    for finding in &findings {
        let word = match finding.level {
            Level::Ok => "ok",
            Level::Warn => "warning",
            Level::Fail => "error",
        };
        printer.show(Event::Out(format!("{word}: {}", finding.text)));
    }
    Ok(if findings.iter().any(|finding| finding.level == Level::Fail) { FAILED } else { 0 })
}
