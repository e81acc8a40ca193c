//! What the program says about itself: log lines, metrics, request ids.
//!
//! Log lines are sentences with fields, on standard error: text for people and the journal, JSON for collectors. `RUST_LOG`,
//! where set, beats the configuration, so that a support case needs no edited file.

mod complaint;
pub mod metrics;
pub mod names;
pub mod rate;

use std::fmt;
use std::io::IsTerminal;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;

pub use complaint::Complaint;

/// How log lines are written (`[log] format`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line an event, coloured on a terminal.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The least important lines that are still written (`[log] level`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What failed for good.
    Error,
    /// And what will need attention.
    Warn,
    /// And what happened.
    #[default]
    Info,
    /// And how it came about.
    Debug,
    /// And every step.
    Trace,
}

/// A word that is not one of those asked for; it lists them.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is one of {0}")]
pub struct NotAChoice(&'static str);

impl FromStr for LogFormat {
    type Err = NotAChoice;
    fn from_str(text: &str) -> Result<Self, NotAChoice> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(NotAChoice("`text`, `json`")),
        }
    }
}

impl LogLevel {
    /// The word that the configuration and `RUST_LOG` use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl FromStr for LogLevel {
    type Err = NotAChoice;
    fn from_str(text: &str) -> Result<Self, NotAChoice> {
        [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace]
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or(NotAChoice("`error`, `warn`, `info`, `debug`, `trace`"))
    }
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `RUST_LOG` is not a list of directives.
    #[error(
        "RUST_LOG=`{value}` cannot be read: {reason}; write a level (`debug`) or `module=level` pairs separated by commas"
    )]
    Directives {
        /// The variable's value.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The process has a log already.
    #[error("the log was set up twice")]
    Twice,
}

/// Crates whose lines at `info` and below are about themselves rather than about our work.
const CHATTY: [&str; 10] =
    ["actix_server", "refinery_core", "gix", "gix_transport", "hyper", "hyper_util", "h2", "rustls", "reqwest", "mio"];

/// Starts the log on standard error. `rust_log` is the value of `RUST_LOG`, where it is set: it replaces `level`.
///
/// # Errors
/// When `rust_log` cannot be read, or a log is already set up.
pub fn init(format: LogFormat, level: LogLevel, rust_log: Option<&str>) -> Result<(), TelemetryError> {
    let filter = filter(level, rust_log)?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).try_init(),
    };
    started.map_err(|_| TelemetryError::Twice)
}

fn filter(level: LogLevel, rust_log: Option<&str>) -> Result<EnvFilter, TelemetryError> {
    match rust_log.filter(|value| !value.trim().is_empty()) {
        Some(value) => EnvFilter::try_new(value)
            .map_err(|error| TelemetryError::Directives { value: value.to_owned(), reason: error.to_string() }),
        None => Ok(EnvFilter::new(directives(level))),
    }
}

/// Our own lines at `level`, the chatty crates' from `warn` at most; at `trace` everything is wanted.
fn directives(level: LogLevel) -> String {
    let theirs = level.min(LogLevel::Warn).as_str();
    let mut text = level.as_str().to_owned();
    if level < LogLevel::Trace {
        for name in CHATTY {
            text.extend([",", name, "=", theirs]);
        }
        // It calls an error what strangers send: whoever wants to could fill the log.
        text.push_str(",actix_http=off");
    }
    text
}

/// Names one request in log lines, error pages and the `X-Request-Id` header: 16 hexadecimal characters. Never taken from a
/// client, who could otherwise write into our log.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(u64);

impl RequestId {
    /// A new one. Unpredictable enough not to collide; it guards nothing.
    #[must_use]
    pub fn random() -> Self {
        Self(rand::random())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{LogFormat, LogLevel, RequestId, directives, filter};

    #[test]
    fn words_read_back() {
        for level in ["error", "warn", "info", "debug", "trace"] {
            assert_eq!(level.parse::<LogLevel>().unwrap().as_str(), level);
        }
        assert_eq!(
            "loud".parse::<LogLevel>().unwrap_err().to_string(),
            "it is one of `error`, `warn`, `info`, `debug`, `trace`"
        );
        assert_eq!("json".parse(), Ok(LogFormat::Json));
        assert!("xml".parse::<LogFormat>().is_err());
    }

    #[test]
    fn chatty_crates_are_quiet_unless_everything_is_wanted() {
        assert!(directives(LogLevel::Info).starts_with("info,actix_server=warn,refinery_core=warn"));
        assert!(directives(LogLevel::Error).contains("refinery_core=error"), "a filter never makes more lines");
        assert_eq!(directives(LogLevel::Trace), "trace");
    }

    #[test]
    fn rust_log_beats_the_level_and_its_errors_are_told() {
        assert_eq!(filter(LogLevel::Info, Some("gix=trace")).unwrap().to_string(), "gix=trace");
        assert!(filter(LogLevel::Info, Some(" ")).unwrap().to_string().contains("info"));
        let error = filter(LogLevel::Info, Some("gix=loud")).unwrap_err().to_string();
        assert!(error.starts_with("RUST_LOG=`gix=loud` cannot be read: "), "{error}");
    }

    #[test]
    fn request_ids_have_sixteen_characters() {
        let id = RequestId::random();
        assert_eq!(id.to_string().len(), 16);
        assert!(id.to_string().bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(id, RequestId::random());
        assert_eq!(RequestId(10).to_string(), "000000000000000a");
    }
}
