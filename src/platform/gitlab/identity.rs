//! Who a token belongs to, and giving the token back.

use oauth2::http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::outbound::Answer;
use crate::platform::answer::{get, json, printable};
use crate::platform::app::{App, Connection};
use crate::platform::login::{Email, Identity, LoginError};

/// What `GET /user` tells about the token's owner.
#[derive(Deserialize)]
struct User {
    id: u64,
    username: String,
    name: Option<String>,
    state: String,
    email: Option<String>,
    confirmed_at: Option<String>,
    /// Not told by old servers.
    #[serde(default)]
    bot: bool,
}

/// What `GET /oauth/token/info` tells.
#[derive(Deserialize)]
struct TokenInfo {
    resource_owner_id: Option<u64>,
}

/// What errors tell, each in the way of the part of GitLab that it comes from.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    message: Value,
    #[serde(default)]
    error: Value,
    #[serde(default)]
    error_description: Value,
}

/// The person.
pub(super) async fn of(at: &Connection, token: &SecretString) -> Result<Identity, LoginError> {
    let app = at.app();
    let answer = at.ask(get(app, &app.at("/api/v4/user"), "application/json", token)?).await?;
    if answer.status != StatusCode::OK {
        let error = refused(app, &answer);
        let is_blocked = matches!(&error, LoginError::Account { reason, .. } if *reason == inactive("blocked"));
        return Err(if is_blocked { app.suspended(inactive("blocked"), owner(at, token).await) } else { error });
    }
    let user: User = json(app, &answer)?;
    if user.bot {
        return Err(app.account(format!("`{}` is a bot's and no person's", printable(&user.username, 100))));
    }
    if user.state != "active" {
        return Err(app.suspended(inactive(&user.state), Some(user.id.to_string())));
    }
    let verified = user.confirmed_at.is_some();
    Ok(Identity {
        subject: user.id.to_string(),
        login: user.username,
        display_name: user.name.filter(|name| !name.is_empty()),
        email: user.email.filter(|email| !email.is_empty()).map(|address| Email { address, verified }),
    })
}

/// Whose a token is whose owner may ask nothing any more. None where GitLab does not say.
async fn owner(at: &Connection, token: &SecretString) -> Option<String> {
    let request = get(at.app(), &at.app().at("/oauth/token/info"), "application/json", token).ok()?;
    let answer = at.ask(request).await.ok()?;
    let told: TokenInfo = (answer.status == StatusCode::OK).then(|| json(at.app(), &answer).ok()).flatten()?;
    told.resource_owner_id.map(|id| id.to_string())
}

fn inactive(state: &str) -> String {
    match state {
        "blocked" | "ldap_blocked" => "it is blocked there. Ask whoever administers it".to_owned(),
        "banned" => "it is banned there. Ask whoever administers it".to_owned(),
        "deactivated" => "it is deactivated there. Sign in there once, and log in again".to_owned(),
        "blocked_pending_approval" => "an administrator there has not approved it yet".to_owned(),
        other => format!("it is not active there but `{}`", printable(other, 40)),
    }
}

/// What it means that there is no user for us.
fn refused(app: &App, answer: &Answer) -> LoginError {
    let refusal: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
    if refusal.error == "insufficient_scope" {
        return app.refused(
            "the application that is registered there lacks the scope `read_user`. Ask an administrator to tick it",
        );
    }
    let said = [&refusal.message, &refusal.error_description].into_iter().find_map(Value::as_str).unwrap_or_default();
    match answer.status {
        StatusCode::FORBIDDEN if said.contains("blocked") => app.account(inactive("blocked")),
        StatusCode::FORBIDDEN if !said.is_empty() => app.account(format!("it says \"{}\"", printable(said, 200))),
        StatusCode::FORBIDDEN => {
            app.account("it does not say why. Sign in there, and look whether something is asked of you")
        }
        StatusCode::UNAUTHORIZED => app.unavailable("it does not accept the token that it has just given"),
        status => app.malformed(format!("its API answers with HTTP {}", status.as_u16())),
    }
}
