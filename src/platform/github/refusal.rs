//! What GitHub means when it says no. It has one status for many things, so the words and headers beside it decide; what
//! people are told says what to do.

use oauth2::http::StatusCode;
use serde::Deserialize;

use super::api::As;
use super::installation;
use super::scopes;
use crate::outbound::Answer;
use crate::platform::answer::printable;
use crate::platform::hub::{HubError, Key, Site};

/// Most characters that are quoted of what GitHub says.
const QUOTED: usize = 300;

/// What an error tells.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    message: String,
    #[serde(default)]
    documentation_url: String,
    #[serde(default)]
    errors: serde_json::Value,
}

impl Refusal {
    fn of(answer: &Answer) -> Self {
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }
}

/// GitHub's own words, fit to be quoted.
pub(super) fn words(answer: &Answer) -> String {
    let refusal = Refusal::of(answer);
    let list = refusal.errors.as_array();
    let more = list.and_then(|errors| errors.first()).and_then(|error| error["message"].as_str().or(error.as_str()));
    match more {
        Some(more) => printable(&format!("{}: {more}", refusal.message), QUOTED),
        None => printable(&refusal.message, QUOTED),
    }
}

/// Whether it is the secondary rate limit, which may come without any header.
pub(super) fn is_limit(answer: &Answer) -> bool {
    let refusal = Refusal::of(answer);
    let text = format!("{} {}", refusal.message, refusal.documentation_url).to_ascii_lowercase();
    ["secondary rate limit", "secondary-rate-limit", "abuse", "api rate limit exceeded"]
        .iter()
        .any(|words| text.contains(words))
}

/// What it means that GitHub does not do what was asked. `what` stands after "may not".
pub(super) fn of(site: &Site, key: &Key, by: As, answer: &Answer, what: &str) -> HubError {
    let name = &site.name;
    match answer.status {
        StatusCode::UNAUTHORIZED => HubError::Unauthorized(unauthorized(name, by, key)),
        StatusCode::FORBIDDEN => forbidden(site, key, answer, what),
        StatusCode::NOT_FOUND | StatusCode::GONE => HubError::NotFound(format!(
            "{name} does not show it to this credential, or there is nothing to {what}: it says \"{}\". Check the name, and \
             what the credential may see.",
            words(answer)
        )),
        StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => HubError::Forbidden {
            text: format!("{name} has blocked access: the credential may not {what}."),
            missing: Vec::new(),
        },
        status => HubError::Malformed(format!(
            "{name} does not {what}: it answers with HTTP {} and says \"{}\".",
            status.as_u16(),
            words(answer)
        )),
    }
}

fn unauthorized(name: &str, by: As, key: &Key) -> String {
    if by == As::App || installation::is_app(key) {
        return format!(
            "{name} does not accept the GitHub App's private key: it does not match the App, or was deleted there. Generate a \
             new one in the App's settings and give it with `credential rotate`, or as `app_private_key_file` in \
             config.toml."
        );
    }
    format!(
        "{name} does not accept the token: it is wrong, has expired or was revoked. Give the credential a new one with \
         `credential rotate`."
    )
}

fn forbidden(site: &Site, key: &Key, answer: &Answer, what: &str) -> HubError {
    let name = &site.name;
    let said = words(answer);
    let lower = said.to_ascii_lowercase();
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    let because = |text: String| HubError::Forbidden { text, missing: Vec::new() };
    if let Some(sso) = header("x-github-sso").filter(|sso| sso.starts_with("required")) {
        let url = sso.split_once("url=").map(|(_, url)| printable(url, 500));
        let link = url.filter(|url| url.starts_with("https://")).unwrap_or_else(|| "the token's settings".to_owned());
        return because(format!(
            "The organization wants its single sign-on before the token may {what}: authorize the token at {link}."
        ));
    }
    if lower.contains("oauth app access restrictions") {
        return because(format!(
            "The organization lets no OAuth Apps in that its owners have not approved, so that the credential may not \
             {what}: ask an owner to approve it under Settings → OAuth app policy, or use a GitHub App or a personal access \
             token."
        ));
    }
    if lower.contains("suspended") {
        return HubError::Suspended(match installation::is_app(key) {
            true => format!(
                "{name} has suspended the installation of the GitHub App: it may not {what} until an owner of the \
                 organization lifts that in its settings under GitHub Apps."
            ),
            false => {
                format!("{name} has suspended the token's account: it may not {what} until somebody lifts that there.")
            }
        });
    }
    if lower.contains("ip allow list") {
        return because(format!(
            "The organization has a list of addresses that may come in, and this server's is not on it: it may not {what}. \
             Ask an owner to add it under Settings → Authentication security → IP allow list."
        ));
    }
    let missing = missing(answer);
    let remedy = if missing.is_empty() { String::new() } else { format!(" It needs {}.", missing.join(" and ")) };
    HubError::Forbidden {
        text: format!("{name} says that the credential may not {what}: \"{said}\".{remedy}"),
        missing,
    }
}

/// The permissions that a refusal names, in the words of GitHub's settings.
fn missing(answer: &Answer) -> Vec<String> {
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(accepted) = header("x-accepted-github-permissions") {
        // Ways are separated by semicolons, and one of them is enough.
        let way = accepted.split(';').map(str::trim).find(|way| !way.is_empty()).unwrap_or_default();
        return way.split(',').filter_map(|permission| permission.split_once('=')).map(shown).collect();
    }
    let (Some(own), Some(accepted)) = (header("x-oauth-scopes"), header("x-accepted-oauth-scopes")) else {
        return Vec::new();
    };
    let wanted: Vec<&str> = accepted.split(',').map(str::trim).filter(|scope| !scope.is_empty()).collect();
    if wanted.is_empty() || wanted.iter().any(|scope| scopes::has(own, scope)) {
        return Vec::new();
    }
    // The narrowest is the one to tick.
    let narrow = wanted.iter().min_by_key(|scope| scopes::breadth(scope)).copied();
    narrow.map(|scope| format!("the scope `{}`", printable(scope, 60))).into_iter().collect()
}

fn shown((permission, level): (&str, &str)) -> String {
    format!("the permission {}", scopes::permission(permission.trim(), level.trim()))
}
