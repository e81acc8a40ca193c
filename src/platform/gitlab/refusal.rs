//! What GitLab means when it says no; what people are told says what to do.

use oauth2::http::StatusCode;
use serde_json::Value;

use crate::outbound::Answer;
use crate::platform::answer::printable;
use crate::platform::hub::HubError;

/// Most characters that are quoted of what GitLab says.
const QUOTED: usize = 300;

/// Whether it is the API that says no, and not what stands in front of it.
pub(super) fn is_of_api(answer: &Answer) -> bool {
    // A HEAD is answered without a body.
    answer.body.is_empty() || serde_json::from_slice::<Value>(&answer.body).is_ok_and(|body| body.is_object())
}

/// GitLab's own words, fit to be quoted. Each part of it has its own way to say them.
pub(super) fn words(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said =
        ["error_description", "message", "error"].into_iter().map(|name| &body[name]).find(|said| !said.is_null());
    let text = match said {
        Some(Value::String(text)) => text.clone(),
        // Of a form, what is wrong with each field.
        Some(other) => other.to_string(),
        None => format!("HTTP {}", answer.status.as_u16()),
    };
    printable(&text, QUOTED)
}

/// The scopes of which the token needs one, where GitLab says so.
fn wanted_scopes(answer: &Answer) -> Option<Vec<String>> {
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    if body["error"] != "insufficient_scope" {
        return None;
    }
    let scopes = body["scope"].as_str().unwrap_or("read_api");
    Some(scopes.split_whitespace().map(|scope| printable(scope, 40)).collect())
}

/// What it means that GitLab does not do what was asked. `what` stands after "may not".
pub(super) fn of(name: &str, answer: &Answer, what: &str) -> HubError {
    let said = words(answer);
    match answer.status {
        StatusCode::UNAUTHORIZED => HubError::Unauthorized(format!(
            "{name} does not accept the token: it is wrong, has expired or was revoked (it says \"{said}\"). Give the \
             credential a new one with `credential rotate`."
        )),
        StatusCode::FORBIDDEN => match wanted_scopes(answer) {
            Some(scopes) => lacking(scopes.first().map_or("read_api", String::as_str), what),
            None => HubError::Forbidden {
                text: format!("{name} says that the credential may not {what}: \"{said}\"."),
                missing: Vec::new(),
            },
        },
        StatusCode::NOT_FOUND | StatusCode::GONE => HubError::NotFound(format!(
            "{name} does not show it to this credential, or there is nothing to {what}: it says \"{said}\". Check the name, \
             and what the token and whoever it belongs to may see there."
        )),
        status => HubError::Malformed(format!(
            "{name} does not {what}: it answers with HTTP {} and says \"{said}\".",
            status.as_u16()
        )),
    }
}

/// For a token without a scope.
pub(super) fn lacking(scope: &str, what: &str) -> HubError {
    HubError::Forbidden {
        text: format!(
            "The token lacks the scope `{scope}`, without which it may not {what}. Scopes are chosen when a token is made: \
             make one with it, and give it to the credential with `credential rotate`."
        ),
        missing: vec![format!("the scope `{scope}`")],
    }
}
