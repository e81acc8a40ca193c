//! What Bitbucket means when it says no. It says 401 to a wrong token and to a right one that may not alike: the name of the
//! exception and whether it tells who asked decide. To take the one for the other would shut out good credentials, or lock an
//! account by showing a bad one again.

use oauth2::http::StatusCode;
use serde::Deserialize;

use super::api::{CALLER, is_basic};
use crate::outbound::Answer;
use crate::platform::answer::printable;
use crate::platform::hub::{HubError, Key, Site};

/// Most characters that are quoted of what Bitbucket says.
const QUOTED: usize = 300;

/// What an error tells.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    errors: Vec<Single>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Single {
    message: Option<String>,
    exception_name: Option<String>,
}

fn first(answer: &Answer) -> Single {
    let refusal: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
    refusal.errors.into_iter().next().unwrap_or_default()
}

/// Bitbucket's own words, fit to be quoted.
pub(super) fn words(answer: &Answer) -> String {
    printable(&first(answer).message.unwrap_or_default(), QUOTED)
}

/// What Bitbucket calls the error, without the package of the class.
pub(super) fn exception(answer: &Answer) -> String {
    let name = first(answer).exception_name.unwrap_or_default();
    printable(name.rsplit('.').next().unwrap_or_default(), 100)
}

/// What a 401 or 403 is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The credential is right, and may not.
    Right,
    /// The credential is wrong.
    Secret,
    /// The account is locked until somebody types in the letters of a picture.
    Captcha,
}

/// What it is about, if the answer is a 401 or 403.
pub(super) fn cause(answer: &Answer) -> Option<Cause> {
    if !matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return None;
    }
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = exception(answer);
    let is_locked = kind.contains("Captcha")
        || header("x-authentication-denied-reason").contains("CAPTCHA")
        || header("x-seraph-loginreason").contains("AUTHENTICATION_DENIED");
    if is_locked {
        return Some(Cause::Captcha);
    }
    if answer.status == StatusCode::FORBIDDEN || kind.ends_with("AuthorisationException") {
        return Some(Cause::Right);
    }
    // Of whoever it knows, it does not doubt the secret.
    let is_known = !header(CALLER).is_empty() && !kind.contains("Authentication");
    Some(if is_known { Cause::Right } else { Cause::Secret })
}

/// What it means that Bitbucket does not do what was asked. `what` stands after "may not".
pub(super) fn of(site: &Site, key: &Key, answer: &Answer, what: &str) -> HubError {
    let name = &site.name;
    let said = words(answer);
    let quoted = if said.is_empty() { String::new() } else { format!(": it says \"{said}\"") };
    match cause(answer) {
        Some(Cause::Captcha) => HubError::Unauthorized(format!(
            "{name} has locked the credential's account after failed logins, and lets it in again once somebody has signed \
             in there by browser and typed in the letters of the picture. It is not shown again until then: do that, and \
             test the credential with `credential test`, or give it an HTTP access token, which is never locked."
        )),
        Some(Cause::Secret) if key.kind == "bitbucket-datacenter-oauth" => HubError::Unauthorized(format!(
            "{name} does not accept the connected account's token, as where the account took the permission back: open the \
             credential's page and choose \"Connect it again\"."
        )),
        Some(Cause::Secret) => HubError::Unauthorized(match is_basic(key) {
            true => format!(
                "{name} does not accept the user name and password: one is wrong, or has changed. They are not shown again, \
                 as {name} locks accounts after some failed logins: give the credential the right ones with \
                 `credential rotate`, or better an HTTP access token."
            ),
            false => format!(
                "{name} does not accept the token: it is wrong, has expired or was revoked. Give the credential a new one \
                 with `credential rotate`."
            ),
        }),
        Some(Cause::Right) => HubError::Forbidden {
            text: format!("{name} says that the credential may not {what}{quoted}."),
            missing: Vec::new(),
        },
        None => match answer.status {
            StatusCode::NOT_FOUND | StatusCode::GONE => HubError::NotFound(format!(
                "{name} does not show it to this credential, or there is nothing to {what}{quoted}. Check the name, and what \
                 the credential may see."
            )),
            StatusCode::CONFLICT => HubError::Unavailable(format!(
                "{name} does not {what} at the moment, because somebody else changes the same{quoted}."
            )),
            status => HubError::Malformed(format!(
                "{name} does not {what}: it answers with HTTP {}{quoted}.",
                status.as_u16()
            )),
        },
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use oauth2::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
    use serde_json::json;

    use super::{Cause, cause, exception, words};
    use crate::outbound::Answer;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], exception: &str) -> Answer {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let name = format!("com.atlassian.bitbucket.{exception}");
        let body = json!({ "errors": [{ "context": null, "message": "No\nway", "exceptionName": name }] });
        Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: body.to_string().into_bytes() }
    }

    #[test]
    fn who_may_not_is_told_from_who_is_nobody() {
        let known = [("x-ausername", "jane")];
        let locked = [("x-authentication-denied-reason", "CAPTCHA_CHALLENGE; login-url=https://x/login")];
        let seraph = [("x-seraph-loginreason", "AUTHENTICATION_DENIED")];
        for (headers, exception, expected) in [
            (&known[..], "AuthorisationException", Cause::Right),
            (&[], "AuthorisationException", Cause::Right),
            (&known, "SomethingNewException", Cause::Right),
            (&[("x-ausername", "")], "SomethingNewException", Cause::Secret),
            (&[], "SomethingNewException", Cause::Secret),
            (&[], "auth.IncorrectPasswordAuthenticationException", Cause::Secret),
            (&known, "auth.IncorrectPasswordAuthenticationException", Cause::Secret),
            (&[], "auth.CaptchaRequiredAuthenticationException", Cause::Captcha),
            (&locked, "AuthorisationException", Cause::Captcha),
            (&seraph, "auth.AuthenticationException", Cause::Captcha),
        ] {
            assert_eq!(cause(&answer(401, headers, exception)), Some(expected), "{headers:?} {exception}");
        }
        assert_eq!(cause(&answer(403, &[], "x")), Some(Cause::Right));
        assert_eq!(cause(&answer(404, &[], "project.NoSuchProjectException")), None);
    }

    #[test]
    fn its_words_are_quoted_in_one_line() {
        let said = answer(404, &[], "project.NoSuchProjectException");
        assert_eq!((words(&said).as_str(), exception(&said).as_str()), ("No way", "NoSuchProjectException"));
        let odd = Answer { body: b"<html>".to_vec(), ..said };
        assert_eq!((words(&odd).as_str(), exception(&odd).as_str()), ("", ""));
    }
}
