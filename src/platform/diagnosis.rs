//! What the test of an integration looks at on every platform.

use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::answer::{date, printable, trouble};
use super::app::App;
use super::hub::{Diagnosis, HubError};
use super::login::{Finding, Level, LoginError};
use crate::clock::Timestamp;
use crate::outbound::{Answer, CallFailed};

/// Largest difference between the clocks that nobody needs to know about, in seconds.
const SKEW: u64 = 60;

/// How long before its end somebody should think of another token.
const SOON: Duration = Duration::from_secs(30 * 86_400);

impl Diagnosis {
    /// Something is wrong.
    pub(super) fn failed(&mut self, error: HubError) {
        if matches!(error, HubError::Unauthorized(_)) {
            self.accepted = Some(false);
        }
        let text = error.to_string();
        self.findings.push(match error {
            // Nothing is wrong with the credential.
            HubError::RateLimited { .. } => Finding::warn(text),
            _ => Finding::fail(text),
        });
    }
}

impl Finding {
    /// What is to be said of the end of a token.
    pub(super) fn of_end(end: Timestamp, now: Timestamp) -> Self {
        let day = end.rfc3339().split('T').next().unwrap_or_default().to_owned();
        if end <= now {
            return Self::fail(format!("The token ended on {day}: give the credential a new one."));
        }
        let days = end.since(now).as_secs() / 86_400;
        if end <= now + SOON {
            return Self::warn(format!(
                "The token ends on {day}, in {days} days: give the credential a new one before."
            ));
        }
        Self::ok(format!("The token works until {day}."))
    }

    /// It works.
    pub(super) fn ok(text: impl Into<String>) -> Self {
        Self { level: Level::Ok, text: text.into() }
    }

    /// Somebody should look at it.
    pub(super) fn warn(text: impl Into<String>) -> Self {
        Self { level: Level::Warn, text: text.into() }
    }

    /// It does not work.
    pub(super) fn fail(text: impl Into<String>) -> Self {
        Self { level: Level::Fail, text: text.into() }
    }

    /// It does not work, as an attempt has shown; said to the administrator.
    pub(super) fn failed(error: LoginError) -> Self {
        match error {
            LoginError::Unavailable { name, reason } => Self::fail(format!("{name} cannot be used: {reason}.")),
            error => Self::fail(format!("{error}.")),
        }
    }
}

/// Whether `url` was reached and answers as the platform does.
///
/// # Errors
/// The finding that ends the test.
pub(super) fn reached(app: &App, url: &Url, sent: Result<Answer, CallFailed>) -> Result<Answer, Finding> {
    let answer = sent.map_err(|failed| Finding::fail(format!("{} cannot be reached at {url}: {failed}.", app.name)))?;
    match trouble(&answer) {
        None => Ok(answer),
        Some(trouble) => Err(Finding::failed(app.trouble(trouble))),
    }
}

/// Whether the platform accepts id and secret, told by its answer to an attempt to redeem nobody's code: it looks at who
/// asks before it looks at the code. `remedy` says what to compare them with, without a full stop.
pub(super) fn app_is_known(app: &App, answer: &Answer, remedy: &str) -> Finding {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let (name, id) = (&app.name, &app.id);
    match body["error"].as_str() {
        Some("invalid_grant") => Finding::ok(format!("{name} accepts `client_id` and `client_secret`.")),
        Some("invalid_client" | "unauthorized_client") => Finding::fail(format!(
            "{name} does not accept `client_id` and `client_secret` of the integration `{id}`: {remedy}."
        )),
        error => Finding::warn(format!(
            "Whether {name} accepts `client_id` and `client_secret` could not be found out: it answers with HTTP {} and the \
             error `{}`.",
            answer.status.as_u16(),
            printable(error.unwrap_or("none"), 60)
        )),
    }
}

/// What is to be said about the connection itself, once there is an answer.
pub(super) fn connection(app: &App, answer: &Answer, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    if app.url.scheme() == "http" {
        findings.push(Finding::warn(format!(
            "{} is spoken to without encryption: tokens and secrets can be read on the way. Give `url` of this integration \
             as https:// in config.toml.",
            app.name
        )));
    }
    if let Some(theirs) = date(answer) {
        let seconds = theirs.since(now).max(now.since(theirs)).as_secs();
        if seconds > SKEW {
            findings.push(Finding::warn(format!(
                "The clocks of {} and of this machine differ by {seconds} seconds: let both follow a time server.",
                app.name
            )));
        }
    }
    findings
}
