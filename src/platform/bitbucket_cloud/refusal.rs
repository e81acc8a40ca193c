//! What Bitbucket Cloud means when it says no; what people are told says what to do.

use oauth2::http::StatusCode;
use serde_json::Value;

use super::credential;
use crate::outbound::Answer;
use crate::platform::answer::printable;
use crate::platform::hub::{HubError, Key};

/// Most characters that are quoted of what it says.
const QUOTED: usize = 300;
/// Most scopes that are named.
const SCOPES: usize = 10;

fn body(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// Bitbucket's own words, fit to be quoted: of its JSON, or a line of text.
pub(super) fn words(answer: &Answer) -> String {
    let body = body(answer);
    let error = &body["error"];
    if let Some(message) = error["message"].as_str().or(error.as_str()) {
        // Of a form, what is wrong with each field.
        let fields = error["fields"].as_object().filter(|fields| !fields.is_empty());
        let fields = fields.map(|fields| format!(" ({})", Value::from(fields.clone()))).unwrap_or_default();
        return printable(&format!("{message}{fields}"), QUOTED);
    }
    let text = String::from_utf8_lossy(&answer.body);
    if text.is_empty() || text.trim_start().starts_with(['<', '{', '[']) {
        return format!("HTTP {}", answer.status.as_u16());
    }
    printable(&text, QUOTED)
}

/// The scopes that are missing, as a refusal names them.
fn missing(answer: &Answer) -> Vec<String> {
    let body = body(answer);
    let detail = &body["error"]["detail"];
    let names = |list: &Value| -> Vec<String> {
        let list = list.as_array().into_iter().flatten().filter_map(Value::as_str);
        list.take(SCOPES).map(|name| printable(name, 60)).collect()
    };
    let granted = names(&detail["granted"]);
    names(&detail["required"]).into_iter().filter(|scope| !granted.contains(scope)).collect()
}

/// Whether something was removed from the API, for good or for a test of some hours.
pub(super) fn is_removed(answer: &Answer) -> bool {
    answer.status == StatusCode::GONE && words(answer).starts_with("CHANGE-")
}

/// What it means that Bitbucket does not do what was asked. `what` stands after "may not".
pub(super) fn of(name: &str, key: &Key, answer: &Answer, what: &str) -> HubError {
    let said = words(answer);
    match answer.status {
        StatusCode::UNAUTHORIZED => HubError::Unauthorized(credential::refused(name, key, &said)),
        StatusCode::FORBIDDEN => {
            let missing: Vec<String> = missing(answer).iter().map(|scope| format!("the scope `{scope}`")).collect();
            let remedy = match missing.is_empty() {
                true => String::new(),
                false => format!(
                    " It needs {}: scopes are chosen when a token is made, so make one with them, and give it to the \
                     credential with `credential rotate`.",
                    missing.join(" and ")
                ),
            };
            HubError::Forbidden {
                text: format!("{name} says that the credential may not {what}: \"{said}\".{remedy}"),
                missing,
            }
        }
        StatusCode::GONE if is_removed(answer) => HubError::Unavailable(removed(name, answer, what)),
        StatusCode::GONE => {
            HubError::Forbidden { text: format!("{name} does not {what}: it says \"{said}\"."), missing: Vec::new() }
        }
        StatusCode::NOT_FOUND => HubError::NotFound(format!(
            "{name} does not show it to this credential, or there is nothing to {what}: it says \"{said}\". Check the name, \
             and what the token and whoever it belongs to may see there."
        )),
        status if status.is_redirection() => HubError::Malformed(format!(
            "{name} leads to another address where it was asked to {what}: check `url` of this integration in config.toml."
        )),
        status => HubError::Malformed(format!(
            "{name} does not {what}: it answers with HTTP {} and says \"{said}\".",
            status.as_u16()
        )),
    }
}

/// Atlassian takes addresses away on an announced day, and before it for some hours again and again.
fn removed(name: &str, answer: &Answer, what: &str) -> String {
    let body = body(answer);
    let url = body["error"]["data"]["announcement_url"].as_str().filter(|url| url.starts_with("https://"));
    let more = url.map_or_else(String::new, |url| format!(" ({})", printable(url, 300)));
    format!(
        "{name} has taken away, for good or for some hours, what is needed to {what}: it says \"{}\"{more}. Nothing is \
         changed until it answers again; if this lasts for more than a day, look for a newer version of this server.",
        words(answer)
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use oauth2::http::{HeaderMap, StatusCode};

    use super::of;
    use crate::outbound::Answer;
    use crate::platform::hub::{HubError, Key};

    fn refusal(status: u16, body: &str) -> HubError {
        let key = Key {
            credential: 1,
            generation: 1,
            kind: "bitbucket-cloud-token".to_owned(),
            username: Some("ada@example.com".to_owned()),
            secret: "ATATT3x".into(),
        };
        let status = StatusCode::from_u16(status).unwrap();
        let answer = Answer { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() };
        of("Bitbucket", &key, &answer, "list the repositories of acme")
    }

    #[test]
    fn refusals_say_what_to_do() {
        let scopes = r#"{"type": "error", "error": {"message": "Your credentials lack one or more required privilege scopes.",
            "detail": {"required": ["read:workspace:bitbucket"], "granted": ["read:user:bitbucket"]}}}"#;
        let HubError::Forbidden { text, missing } = refusal(403, scopes) else { panic!("another") };
        assert_eq!(missing, ["the scope `read:workspace:bitbucket`"]);
        assert!(text.contains("It needs the scope `read:workspace:bitbucket`"), "{text}");
        let gone = r#"{"type": "error", "error": {"message": "CHANGE-2770 - Functionality has been deprecated",
            "data": {"announcement_url": "https://developer.atlassian.com/cloud/bitbucket/changelog/#CHANGE-2770"}}}"#;
        let HubError::Unavailable(text) = refusal(410, gone) else { panic!("another") };
        assert!(text.contains("https://developer.atlassian.com/") && text.contains("Nothing is changed"), "{text}");
        assert!(matches!(refusal(410, r#"{"error": {"message": "marked as spam"}}"#), HubError::Forbidden { .. }));
        let HubError::Unauthorized(text) = refusal(401, "Login failed due to incorrect login credentials") else {
            panic!("another")
        };
        assert!(text.contains("e-mail address"), "{text}");
        assert!(matches!(refusal(404, "{}"), HubError::NotFound(_)));
        assert!(matches!(refusal(400, "<html>"), HubError::Malformed(_)));
    }
}
