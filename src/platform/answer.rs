//! What an answer means before anybody reads what it says: whether it is the platform's at all, or a sign-in page, a
//! maintenance page, a proxy's, or the request to come back later.

use oauth2::HttpRequest;
use oauth2::http::{Method, Request, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::Url;

use super::app::{App, Connection};
use super::login::LoginError;
use crate::clock::Timestamp;
use crate::outbound::Answer;

/// How long to wait where the platform does not say, in seconds.
pub(super) const USUAL_PAUSE: u64 = 60;
/// Longest pause that is believed, in seconds.
const LONGEST_PAUSE: u64 = 24 * 3600;

impl Connection {
    /// Sends a request. What comes back is an answer of the platform, with a status of 2xx or 4xx.
    ///
    /// # Errors
    /// [`LoginError::Unavailable`] and [`LoginError::RateLimited`].
    pub(super) async fn ask(&self, request: HttpRequest) -> Result<Answer, LoginError> {
        let answer = self.send(request).await?;
        match trouble(&answer) {
            None => Ok(answer),
            Some(trouble) => Err(self.app().trouble(trouble)),
        }
    }

    /// As [`Self::ask`], where the platform says some things in plain text.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(super) async fn ask_in_words(&self, request: HttpRequest) -> Result<Answer, LoginError> {
        self.app().in_words(self.send(request).await?)
    }

    /// Sends a request. What comes back may be anything.
    ///
    /// # Errors
    /// [`LoginError::Unavailable`].
    pub(super) async fn send(&self, request: HttpRequest) -> Result<Answer, LoginError> {
        let app = self.app();
        let request = request.try_into().map_err(|_| app.malformed("the address of its API cannot be written"))?;
        self.client().send(request).await.map_err(|failed| app.unavailable(failed))
    }
}

/// A request with a token.
///
/// # Errors
/// [`LoginError::Malformed`] when the token is nothing that fits into a header.
pub(super) fn get(app: &App, url: &Url, accept: &str, token: &SecretString) -> Result<HttpRequest, LoginError> {
    let request = Request::builder()
        .method(Method::GET)
        .uri(url.as_str())
        .header(header::ACCEPT, accept)
        .header(header::AUTHORIZATION, format!("Bearer {}", token.expose_secret()));
    request.body(Vec::new()).map_err(|_| app.malformed("the token that it gave is not one"))
}

/// A form to send.
///
/// # Errors
/// [`LoginError::Malformed`] when the address is none.
pub(super) fn form(app: &App, url: &Url, fields: &[(&str, &str)]) -> Result<HttpRequest, LoginError> {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    Request::builder()
        .method(Method::POST)
        .uri(url.as_str())
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body.into_bytes())
        .map_err(|_| app.malformed("its address cannot be asked"))
}

/// Reads an answer's JSON.
///
/// # Errors
/// [`LoginError::Malformed`].
pub(super) fn json<T: DeserializeOwned>(app: &App, answer: &Answer) -> Result<T, LoginError> {
    // serde's text would quote from the answer.
    serde_json::from_slice(&answer.body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        app.malformed(format!(
            "its answer (HTTP {}) is not what it should be at {line}:{column}",
            answer.status.as_u16()
        ))
    })
}

/// What else than an answer it can be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The wish to be asked again only after so many seconds.
    RateLimited(u64),
    /// Something that is not the platform's API; why we think so, without a full stop.
    Odd(String),
}

impl Trouble {
    /// What happened, without a full stop.
    pub(super) fn reason(self) -> String {
        match self {
            Self::RateLimited(seconds) => format!("it wants to be asked again only in {seconds} seconds"),
            Self::Odd(reason) => reason,
        }
    }
}

/// Whether an answer is something else than one.
pub(super) fn trouble(answer: &Answer) -> Option<Trouble> {
    absence(answer).or_else(|| match kind(answer) {
        Kind::Data => None,
        Kind::Words => Some(instead_of_data(answer, "text/plain")),
        Kind::Other(shown) => Some(instead_of_data(answer, &shown)),
    })
}

fn instead_of_data(answer: &Answer, shown: &str) -> Trouble {
    Trouble::Odd(format!(
        "its API answers with {shown} instead of data (HTTP {}), as during maintenance, or when a proxy or sign-in page \
         stands in front of it",
        answer.status.as_u16()
    ))
}

/// Whether the status says already that this is no answer.
fn absence(answer: &Answer) -> Option<Trouble> {
    let status = answer.status;
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    let is_spent = header("x-ratelimit-remaining") == Some("0") || header("retry-after").is_some();
    if status == StatusCode::TOO_MANY_REQUESTS || (status == StatusCode::FORBIDDEN && is_spent) {
        return Some(Trouble::RateLimited(pause(answer).unwrap_or(USUAL_PAUSE).clamp(1, LONGEST_PAUSE)));
    }
    let code = status.as_u16();
    if status.is_redirection() {
        let to = header("location").and_then(|text| Url::parse(text).ok());
        let to = to.map_or_else(String::new, |url| format!(" to {}", url.origin().ascii_serialization()));
        return Some(Trouble::Odd(format!(
            "its API redirects{to} (HTTP {code}), as for signing in. Check `url` of this integration in config.toml, and \
             what stands in front of the platform"
        )));
    }
    if status.is_server_error() {
        return Some(Trouble::Odd(format!("it answers with HTTP {code}, as during maintenance")));
    }
    None
}

enum Kind {
    Data,
    Words,
    Other(String),
}

/// What the body is, by its type; GitHub answers with a form where it overlooks what was asked for.
fn kind(answer: &Answer) -> Kind {
    let Some(stated) = answer.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return if answer.body.trim_ascii_start().starts_with(b"<") {
            Kind::Other("a page".to_owned())
        } else {
            Kind::Data
        };
    };
    let media = stated.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = media == "application/json" || (media.starts_with("application/") && media.ends_with("+json"));
    if is_json || is_form(answer) || answer.body.is_empty() {
        return Kind::Data;
    }
    if media == "text/plain" {
        return Kind::Words;
    }
    Kind::Other(if media.contains("html") { "a page".to_owned() } else { printable(&media, 60) })
}

/// Whether the body is a form.
pub(super) fn is_form(answer: &Answer) -> bool {
    let stated = answer.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    stated.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded")
}

/// How long to wait, in seconds. A reset is held against the platform's own clock, which may differ from ours.
pub(super) fn pause(answer: &Answer) -> Option<u64> {
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    let now = date(answer);
    if let Some(after) = header("retry-after") {
        return after.trim().parse().ok().or_else(|| {
            let until = Timestamp::parse_http_date(after).ok()?;
            Some(until.since(now?).as_secs() + 1)
        });
    }
    let reset = header("x-ratelimit-reset").or_else(|| header("ratelimit-reset"))?;
    Some(Timestamp::from_seconds(reset.trim().parse().ok()?).since(now?).as_secs() + 1)
}

/// When the platform says that it answered.
pub(super) fn date(answer: &Answer) -> Option<Timestamp> {
    let text = answer.headers.get(header::DATE)?.to_str().ok()?;
    Timestamp::parse_http_date(text).ok()
}

/// Takes a secret of ours out of an answer that may be quoted: whoever says no may say again what it was told.
pub(super) fn hide(answer: &mut Answer, secret: &str) {
    if let Ok(text) = std::str::from_utf8(&answer.body)
        && !secret.is_empty()
        && text.contains(secret)
    {
        answer.body = text.replace(secret, "…").into_bytes();
    }
}

/// Text of the platform's, fit to be quoted: one line of at most so many characters, which does not turn around what
/// stands beside it.
pub(super) fn printable(text: &str, most: usize) -> String {
    let visible = text.chars().filter(|char| !is_direction(*char));
    let line: String = visible.map(|char| if char.is_control() { ' ' } else { char }).take(most).collect();
    line.trim().to_owned()
}

/// Unicode's characters that change the direction of writing (UAX #9, table 4).
fn is_direction(char: char) -> bool {
    matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl App {
    /// Lets an answer pass if it is one, be it in plain text.
    ///
    /// # Errors
    /// [`LoginError::Unavailable`] and [`LoginError::RateLimited`].
    pub(super) fn in_words(&self, answer: Answer) -> Result<Answer, LoginError> {
        let trouble = absence(&answer).or_else(|| match kind(&answer) {
            Kind::Other(shown) => Some(instead_of_data(&answer, &shown)),
            Kind::Data | Kind::Words => None,
        });
        match trouble {
            None => Ok(answer),
            Some(trouble) => Err(self.trouble(trouble)),
        }
    }

    /// For what is no answer.
    pub(super) fn trouble(&self, trouble: Trouble) -> LoginError {
        match trouble {
            Trouble::RateLimited(seconds) => LoginError::RateLimited { name: self.name.clone(), seconds },
            Trouble::Odd(reason) => self.unavailable(reason),
        }
    }

    /// For when the person said no.
    pub(super) fn denied(&self) -> LoginError {
        LoginError::Denied { name: self.name.clone() }
    }

    /// For a code that is used or too old.
    pub(super) fn stale(&self) -> LoginError {
        LoginError::Stale { name: self.name.clone() }
    }

    /// For what an administrator has to put right.
    pub(super) fn refused(&self, reason: impl ToString) -> LoginError {
        LoginError::App { name: self.name.clone(), reason: reason.to_string() }
    }

    /// For an account that may not log in.
    pub(super) fn account(&self, reason: impl ToString) -> LoginError {
        LoginError::Account { name: self.name.clone(), reason: reason.to_string(), suspended: None }
    }

    /// For an account that the platform itself keeps out; `subject`: its id there, where it is known.
    pub(super) fn suspended(&self, reason: impl ToString, subject: Option<String>) -> LoginError {
        LoginError::Account { name: self.name.clone(), reason: reason.to_string(), suspended: subject }
    }

    /// For a platform that does not answer.
    pub(super) fn unavailable(&self, reason: impl ToString) -> LoginError {
        LoginError::Unavailable { name: self.name.clone(), reason: reason.to_string() }
    }

    /// For what makes no sense.
    pub(super) fn malformed(&self, reason: impl ToString) -> LoginError {
        LoginError::Malformed { name: self.name.clone(), reason: reason.to_string() }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use oauth2::http::{HeaderMap, HeaderName, StatusCode};

    use super::{Answer, Trouble, trouble};

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
        Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn pauses_are_those_of_the_platforms_clock() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (status, headers, seconds) in [
            (429, vec![], 60),
            (429, vec![("retry-after", "30")], 30),
            (429, vec![("retry-after", "99999999999")], 86_400),
            (429, vec![("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT"), date], 61),
            (403, vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "784111797"), date], 21),
            (403, vec![("retry-after", "7")], 7),
        ] {
            assert_eq!(trouble(&answer(status, &headers, "")), Some(Trouble::RateLimited(seconds)), "{headers:?}");
        }
        let json = ("content-type", "application/json; charset=utf-8");
        assert_eq!(trouble(&answer(403, &[json, ("x-ratelimit-remaining", "7")], "{}")), None);
    }

    #[test]
    fn pages_are_no_answers() {
        let html = ("content-type", "text/html; charset=utf-8");
        for (answer, said) in [
            (answer(200, &[html], "<html>"), "a page instead of data (HTTP 200)"),
            (answer(200, &[], " <html>"), "a page instead of data (HTTP 200)"),
            (answer(403, &[("content-type", "text/plain")], "no"), "text/plain instead of data (HTTP 403)"),
            (answer(503, &[html], "<html>"), "HTTP 503"),
            (
                answer(302, &[("location", "https://sso.example/in?token=s")], ""),
                "redirects to https://sso.example (HTTP",
            ),
        ] {
            let Some(Trouble::Odd(reason)) = trouble(&answer) else { panic!("{answer:?}") };
            assert!(reason.contains(said), "{reason}");
        }
        assert_eq!(trouble(&answer(401, &[("content-type", "application/problem+json")], "{}")), None);
        assert_eq!(trouble(&answer(204, &[], "")), None);
    }
}
