//! Who asks: the credentials of a Composer client, and what they open.
//!
//! [`Opened`] is the only way to an organization's documents, and [`admit`] the only way to one. Cookies open nothing here.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, USER_AGENT};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::books::Visit;
use super::{State, request};
use crate::access::token::{TokenKind, TokenText, TokenTextError};
use crate::catalog::{Admission, Organization, Token, View, World};
use crate::clock::Timestamp;

/// Longest `Basic` credentials that are read, in bytes after decoding. A token has 77; the rest is for the user name.
const LONGEST_PAIR: usize = 768;

/// An organization as a token sees it: having one is the proof that the request may.
#[derive(Clone)]
pub struct Opened {
    /// Whose repository it is.
    pub organization: Arc<Organization>,
    /// What the token sees of it.
    pub view: Arc<View>,
    /// What was presented.
    pub token: Arc<Token>,
}

/// Why credentials open nothing anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There are none.
    Missing,
    /// The header is not one that can be read.
    Unreadable,
    /// They are a password, or somebody else's token.
    Foreign,
    /// They begin like a token of ours and are damaged.
    Mistyped,
    /// They are credentials of the API, which Composer has no use for.
    Api,
    /// No such token is known, or it is long gone.
    Unknown,
    /// It was revoked at this instant.
    Revoked(Timestamp),
    /// It expired at this instant.
    Expired(Timestamp),
    /// The account that holds it is disabled.
    Disabled,
}

impl Refusal {
    /// One word for metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
            Self::Foreign => "foreign",
            Self::Mistyped => "mistyped",
            Self::Api => "api",
            Self::Unknown => "unknown",
            Self::Revoked(_) => "revoked",
            Self::Expired(_) => "expired",
            Self::Disabled => "disabled",
        }
    }

    /// What is wrong and what to do, for the person who runs Composer against `host`.
    #[must_use]
    pub fn explanation(self, host: &str) -> String {
        let store = format!("store a token with `composer config --global --auth http-basic.{host} token YOUR_TOKEN`");
        match self {
            Self::Missing => format!("This repository needs a token and none was sent: {store}."),
            Self::Unreadable => format!(
                "The Authorization header could not be read. It is `Basic`, with the token as password, or `Bearer`: {store}."
            ),
            Self::Foreign => format!(
                "What was sent as password is not a token of this server, whose tokens begin with `pksh_`: {store}."
            ),
            Self::Mistyped => format!(
                "The token is mistyped or cut off, because its checksum does not fit: copy it again as a whole, and {store}."
            ),
            Self::Api => format!(
                "These are credentials of the API; Composer needs an organization's or a person's token: {store}."
            ),
            Self::Unknown => format!(
                "The token is well-formed but not known here; it may be of another server, or was removed long ago. Ask an administrator for a new one, and {store}."
            ),
            Self::Revoked(at) => format!(
                "The token was revoked at {}. Ask an administrator for a new one, and {store}.",
                at.floor_to_second()
            ),
            Self::Expired(at) => format!(
                "The token expired at {}. Ask an administrator for a new one, and {store}.",
                at.floor_to_second()
            ),
            Self::Disabled => {
                "The account that holds this token is disabled. Ask an administrator to enable it, or use another token."
                    .to_owned()
            }
        }
    }
}

/// The token that a request presents, if it works now.
///
/// # Errors
/// Why it opens nothing anywhere.
pub fn admit(state: &State, world: &World, request: &HttpRequest) -> Result<Arc<Token>, Refusal> {
    let text = credentials(request.headers())?;
    if matches!(text.kind(), TokenKind::ApiKey | TokenKind::ApiSecret) {
        return Err(Refusal::Api);
    }
    let now = state.appliance.now();
    match world.admit(&text.digest(), now) {
        Admission::Valid(token) => {
            state.last_used.note(token.id, now, || visit(request, state));
            Ok(token)
        }
        Admission::Unknown => Err(Refusal::Unknown),
        Admission::Revoked(at) => Err(Refusal::Revoked(at)),
        Admission::Expired(at) => Err(Refusal::Expired(at)),
        Admission::Disabled => Err(Refusal::Disabled),
    }
}

fn visit(request: &HttpRequest, state: &State) -> Visit {
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let address = request::client(request, &state.settings.trusted_proxies);
    Visit { address: Some(address), client: agent.and_then(client) }
}

/// The program that a `User-Agent` begins with, as people say it: `Composer/2.10.1 (…)` is Composer 2.10.1.
fn client(agent: &str) -> Option<String> {
    const LONGEST: usize = 60;
    let product = agent.split_ascii_whitespace().next()?.replacen('/', " ", 1);
    Some(product.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect())
}

fn credentials(headers: &HeaderMap) -> Result<TokenText, Refusal> {
    presented(headers.get(AUTHORIZATION).ok_or(Refusal::Missing)?.as_bytes())
}

/// The token in the value of an `Authorization` header: as password, as user name, or as `Bearer`.
///
/// # Errors
/// Why there is none; it is not known yet whether a token that was found opens anything.
pub fn presented(value: &[u8]) -> Result<TokenText, Refusal> {
    let space = value.iter().position(|byte| *byte == b' ').ok_or(Refusal::Unreadable)?;
    let (scheme, rest) = value.split_at(space);
    let rest = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"basic") {
        let mut buffer = [0; LONGEST_PAIR];
        let length = STANDARD.decode_slice(rest, &mut buffer).map_err(|_| Refusal::Unreadable)?;
        of_pair(&buffer[..length])
    } else if scheme.eq_ignore_ascii_case(b"bearer") {
        text(rest).map_err(Into::into)
    } else {
        Err(Refusal::Unreadable)
    }
}

/// The password counts first; some clients can only give a user name (`https://TOKEN@host`), with any password or none.
fn of_pair(pair: &[u8]) -> Result<TokenText, Refusal> {
    let colon = pair.iter().position(|byte| *byte == b':').ok_or(Refusal::Unreadable)?;
    let (user, password) = (&pair[..colon], &pair[colon + 1..]);
    if user.is_empty() && password.is_empty() {
        return Err(Refusal::Missing);
    }
    text(password).or_else(|of_password| {
        text(user).map_err(|of_user| {
            let mistyped = [of_password, of_user].contains(&TokenTextError::Mistyped);
            if mistyped { Refusal::Mistyped } else { Refusal::Foreign }
        })
    })
}

fn text(bytes: &[u8]) -> Result<TokenText, TokenTextError> {
    TokenText::parse(std::str::from_utf8(bytes).map_err(|_| TokenTextError::NotAToken)?)
}

impl From<TokenTextError> for Refusal {
    fn from(error: TokenTextError) -> Self {
        match error {
            TokenTextError::NotAToken => Self::Foreign,
            TokenTextError::Mistyped => Self::Mistyped,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{Refusal, client, credentials};
    use crate::access::token::{ENTROPY, TokenKind, TokenText};
    use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    fn read(value: &str) -> Result<String, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        credentials(&headers).map(|token| token.expose().to_owned())
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn clients_are_named_as_people_name_them() {
        let composer = "Composer/2.10.1 (Linux; 6.1; PHP 8.4.1; cURL 8.5; CI)";
        assert_eq!(client(composer).as_deref(), Some("Composer 2.10.1"));
        assert_eq!(client(""), None);
        assert_eq!(client(&"x".repeat(500)).map(|name| name.len()), Some(60));
    }

    #[test]
    fn a_token_is_found_wherever_clients_put_it() {
        let token = TokenText::generate(TokenKind::OrganizationRead, [3; ENTROPY]).expose().to_owned();
        let other = TokenText::generate(TokenKind::User, [4; ENTROPY]).expose().to_owned();
        for value in [
            basic(&format!("token:{token}")),
            basic(&format!(":{token}")),
            basic(&format!("{token}:")),
            basic(&format!("{token}:x-oauth-basic")),
            basic(&format!("{other}:{token}")),
            format!("Bearer {token}"),
            format!("bearer  {token} "),
        ] {
            assert_eq!(read(&value), Ok(token.clone()), "{value}");
        }
    }

    #[test]
    fn everything_else_is_told_apart() {
        let token = TokenText::generate(TokenKind::OrganizationRead, [3; ENTROPY]).expose().to_owned();
        let cut = &token[..70];
        for (value, why) in [
            (basic("user:password"), Refusal::Foreign),
            (basic(&format!("token:{cut}")), Refusal::Mistyped),
            (basic(&format!("{cut}:")), Refusal::Mistyped),
            (basic(":"), Refusal::Missing),
            (basic("no colon"), Refusal::Unreadable),
            (basic(&format!("token:{}", "x".repeat(2000))), Refusal::Unreadable),
            ("Basic ???".to_owned(), Refusal::Unreadable),
            ("Basic".to_owned(), Refusal::Unreadable),
            (format!("Digest {token}"), Refusal::Unreadable),
            (format!("Bearer {cut}"), Refusal::Mistyped),
            ("Bearer ghp_x".to_owned(), Refusal::Foreign),
        ] {
            assert_eq!(read(&value), Err(why), "{value}");
        }
        assert_eq!(credentials(&HeaderMap::new()).unwrap_err(), Refusal::Missing);
    }
}
