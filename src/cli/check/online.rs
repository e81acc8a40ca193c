//! `check --online`: whether the platforms know our apps, and whether credentials still open what they are for.

use std::path::PathBuf;

use url::Url;

use super::{Findings, data_directory};
use crate::cli::failure::Failure;
use crate::cli::managed::{self, Request};
use crate::cli::settings;
use crate::clock::Clock;
use crate::config::Config;
use crate::platform::Level;

/// The command that tries all credentials, wherever the data is at hand: in a running server, else in this process.
const CREDENTIALS: &str = "test-credentials";

/// Tries every integration that has an app; the exit code so far.
pub fn integrations(findings: &mut Findings, config: &Config) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for one in settings::integrations(config)? {
        let callback = one.callback(config.server.public_url.as_str());
        let Some(connection) = &one.connection else {
            findings.ok(format!("{}: it has no app, so that nobody signs in by it", one.id));
            continue;
        };
        let callback = Url::parse(&callback)?;
        for finding in runtime.block_on(connection.diagnose(&callback, Clock::system().now())) {
            let text = format!("{}: {}", one.id, finding.text);
            match finding.level {
                Level::Ok => findings.ok(text),
                Level::Warn => findings.warning(text),
                Level::Fail => findings.error(text),
            }
        }
    }
    Ok(findings.code())
}

/// Tries every credential of every organization; the exit code of that.
pub fn credentials(config: &Config) -> Result<u8, Failure> {
    if !data_directory::is_furnished(config) {
        return Ok(0);
    }
    let mut arguments = Vec::new();
    // Whoever runs it as somebody else reads the same file.
    if let Some(path) = &config.path {
        arguments.extend(["--config".to_owned(), path.display().to_string()]);
    }
    arguments.push(CREDENTIALS.to_owned());
    let request = Request {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        arguments,
        directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
        input: None,
    };
    managed::run(config, request)
}
