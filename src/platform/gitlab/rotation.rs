//! Tokens that put others in their place. The old one is dead at once then, and whoever shows it once more ends the new one
//! too: GitLab takes that for a thief's.

use std::time::Duration;

use oauth2::http::{Method, StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use super::api::{Api, Ask};
use super::credential::{has, is_grant, require_api};
use super::levels::end_of;
use super::refusal;
use crate::clock::Timestamp;
use crate::outbound::Answer;
use crate::platform::hub::{Hub, HubError, Key};
use crate::platform::lifetime::{Life, Successor};
use crate::platform::rest::Lists;

/// The token that asks.
const OWN: &str = "/personal_access_tokens/self";
/// The scope that it needs, which `api` contains.
const SCOPE: &str = "self_rotate";
/// What it wants to do, after "may not".
const WHAT: &str = "put another token in its place";
/// How long a day is.
const DAY: Duration = Duration::from_secs(86_400);
/// The shortest life that is asked for, in days: what GitLab gives to those who ask for none.
const SHORTEST: u64 = 7;
/// The longest, which no GitLab allows to exceed.
const LONGEST: u64 = 400;
/// Longest token that is taken, in bytes.
const LONGEST_TOKEN: usize = 4 << 10;

/// The token, as it is told to itself.
#[derive(Deserialize)]
struct Own {
    #[serde(default)]
    scopes: Vec<String>,
    active: Option<bool>,
    #[serde(default)]
    revoked: bool,
    created_at: Option<String>,
    /// A day.
    expires_at: Option<String>,
}

/// How long a token lives that may replace itself.
///
/// # Errors
/// [`HubError`].
pub(super) async fn life(hub: &Hub, key: &Key) -> Result<Life, HubError> {
    require_api(hub, key)?;
    if is_grant(key) {
        return Err(HubError::Unsupported("The tokens of a connected account are renewed by themselves.".to_owned()));
    }
    let api = Api::new(hub, key);
    let own: Own = api.read(OWN, "tell when it ends").await?;
    if own.revoked || own.active == Some(false) {
        return Err(HubError::Unauthorized(format!("{} says that the token was revoked, or has ended.", api.name())));
    }
    if !has(&own.scopes, SCOPE) {
        return Err(refusal::lacking(SCOPE, WHAT));
    }
    let began = own.created_at.as_deref().and_then(|text| Timestamp::parse_rfc3339(text).ok());
    Ok(Life { began, ends: end_of(own.expires_at.as_deref()) })
}

/// Puts another token in its place. A server that allows no such life is asked for a shorter one, and in the end for what it
/// gives by itself.
///
/// # Errors
/// [`HubError`], as the platform's interface says.
pub(super) async fn rotate(hub: &Hub, key: &Key, lasts: Duration) -> Result<Successor, HubError> {
    require_api(hub, key)?;
    let api = Api::new(hub, key);
    let url = api.url(&format!("{OWN}/rotate"));
    let mut days = Some((lasts.as_secs() / DAY.as_secs()).clamp(SHORTEST, LONGEST));
    loop {
        let body = days.map(|days| json!({ "expires_at": day_in(hub.now(), days) }));
        let answer = api.ask(&Ask::change(Method::POST, url.clone(), body)).await?;
        if answer.status.is_success() {
            return successor(&api, &answer);
        }
        match (answer.status, days) {
            (StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY, Some(asked)) => {
                days = Some(asked / 2).filter(|days| *days >= SHORTEST);
            }
            _ => return Err(refused(&api, &answer)),
        }
    }
}

/// The day on which a token ends that lives for so many more.
fn day_in(now: Timestamp, days: u64) -> String {
    let text = (now + Duration::from_secs(days * DAY.as_secs())).rfc3339();
    text.split('T').next().unwrap_or_default().to_owned()
}

fn successor(api: &Api<'_>, answer: &Answer) -> Result<Successor, HubError> {
    #[derive(Deserialize)]
    struct Made {
        token: String,
        expires_at: Option<String>,
    }
    let made: Made = api.line.json(answer)?;
    let is_token =
        (1..=LONGEST_TOKEN).contains(&made.token.len()) && made.token.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_token {
        return Err(api.line.malformed("the new token is none"));
    }
    Ok(Successor { token: SecretString::from(made.token), ends: end_of(made.expires_at.as_deref()) })
}

/// Why not. Only what GitLab's own trouble is leaves it open what it did before.
fn refused(api: &Api<'_>, answer: &Answer) -> HubError {
    let said = refusal::words(answer);
    match answer.status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => HubError::Unsupported(format!(
            "{} lets no token of this kind replace itself, or is too old for that (it says \"{said}\"): make a new one there before \
             the old one ends.",
            api.name()
        )),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => refusal::of(api.name(), answer, WHAT),
        status if status.is_client_error() => HubError::Forbidden {
            text: format!("{} does not let the token {WHAT}: it says \"{said}\".", api.name()),
            missing: Vec::new(),
        },
        status => {
            HubError::Unavailable(format!("{} answers with HTTP {} and says \"{said}\".", api.name(), status.as_u16()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Timestamp, day_in};

    #[test]
    fn lives_end_on_days() {
        let now = Timestamp::parse_rfc3339("2026-12-30T23:59:59.5Z").expect("a date");
        assert_eq!(day_in(now, 7), "2027-01-06");
        assert_eq!(day_in(now, 400), "2028-02-03");
    }
}
