//! A GitHub App in an organization: its installation, and the tokens of an hour that it is used by.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use oauth2::http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::api::{Api, As, Ask};
use super::app_key::AppKey;
use super::refusal;
use crate::clock::Timestamp;
use crate::outbound::Answer;
use crate::platform::answer::{date, printable};
use crate::platform::hub::{Hub, HubError, Key};
use crate::platform::minted::{Purpose, Token};

/// The type of credential that is a GitHub App's installation.
pub(super) const KIND: &str = "github-app";
/// What we ask of an installation, where it was given: never more than reading.
const READ: [&str; 7] = [
    "metadata",
    "contents",
    "members",
    "administration",
    "organization_administration",
    "organization_custom_roles",
    "organization_custom_org_roles",
];

/// Whether a key is an App's.
pub(super) fn is_app(key: &Key) -> bool {
    key.kind == KIND
}

/// What an installation token opens.
#[derive(Clone, Debug)]
pub(super) enum Grant {
    /// The API, to read what the installation was given.
    Everything,
    /// The code of all repositories.
    Code,
    /// The code of the repository with this name.
    CodeOf(String),
}

impl Grant {
    /// The token's place among those that were made.
    pub(super) fn purpose(&self, key: &Key) -> Purpose {
        let opens = match self {
            Self::Everything => "api".to_owned(),
            Self::Code => "code".to_owned(),
            Self::CodeOf(name) => format!("code of {name}"),
        };
        Purpose::of(key, opens)
    }
}

/// An App and one of its installations, as a key names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Installed {
    /// The App's number.
    pub app: u64,
    /// The installation's.
    pub installation: u64,
}

/// What GitHub tells of an installation.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Installation {
    /// Whose it is.
    pub account: Account,
    /// `all` repositories of it, or those that were `selected`.
    pub repository_selection: Option<String>,
    /// What it is told of.
    #[serde(default)]
    pub events: Vec<String>,
    /// Where it is administered.
    pub html_url: Option<String>,
    /// What it may.
    #[serde(default)]
    pub permissions: BTreeMap<String, String>,
    /// Since when it may nothing.
    pub suspended_at: Option<String>,
}

/// Whose an installation is.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Account {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub login: String,
}

#[derive(Deserialize)]
struct Made {
    token: SecretString,
    expires_at: String,
}

/// Reads `INSTALLATION` or `APP/INSTALLATION`.
pub(super) fn installed(hub: &Hub, key: &Key) -> Result<Installed, HubError> {
    let text = key.username.as_deref().unwrap_or_default();
    let (app, installation) = match text.split_once('/') {
        Some((app, installation)) => (app.parse().ok(), installation),
        None => (hub.app().map(|app| app.id), text),
    };
    let wrong = |what: &str| {
        HubError::Unauthorized(format!(
            "The credential does not say which {what} it is: its user name must be INSTALLATION, or APP/INSTALLATION where \
             the integration `{}` has no `app_id`.",
            hub.site().id
        ))
    };
    Ok(Installed {
        app: app.ok_or_else(|| wrong("GitHub App"))?,
        installation: installation.parse().map_err(|_| wrong("installation of the GitHub App"))?,
    })
}

/// The token by which the App itself asks.
pub(super) fn app_token(hub: &Hub, key: &Key) -> Result<SecretString, HubError> {
    signed(hub, key, hub.now())
}

fn signed(hub: &Hub, key: &Key, now: Timestamp) -> Result<SecretString, HubError> {
    let app = installed(hub, key)?.app;
    let own = hub.app().filter(|own| own.id == app);
    let own = own.as_ref().map(|own| &own.private_key);
    let given = key.secret.fixed().filter(|given| !given.expose_secret().trim().is_empty());
    let pem = given.or(own).ok_or_else(|| {
        HubError::Unauthorized(format!(
            "There is no private key for the GitHub App {app}: give the credential one with `credential rotate`, or the \
             integration `{}` its `app_private_key_file`.",
            hub.site().id
        ))
    })?;
    let refused =
        |reason: String| HubError::Unauthorized(format!("The GitHub App's private key cannot be used: {reason}."));
    let read = AppKey::from_pem(pem.expose_secret()).map_err(|error| refused(error.to_string()))?;
    read.token(app, now).ok_or_else(|| refused("this server could not sign with it".to_owned()))
}

/// What GitHub tells of the key's installation.
///
/// # Errors
/// [`HubError`].
pub(super) async fn of(api: &Api<'_>) -> Result<Installation, HubError> {
    let Installed { app, installation } = installed(api.hub, api.key)?;
    let mut ask = Ask::get(api.url(&format!("/app/installations/{installation}")));
    ask.by = As::App;
    let answer = as_app(api, &ask).await?;
    match answer.status {
        status if status.is_success() => api.json(&answer),
        StatusCode::NOT_FOUND => Err(HubError::NotFound(format!(
            "The GitHub App {app} has no installation {installation}: it was uninstalled, or the number is another one. It \
             stands at the end of the address of the installation's settings."
        ))),
        _ => Err(refusal::of(api.hub.site(), api.key, As::App, &answer, "use the GitHub App")),
    }
}

/// Asks as the App. GitHub refuses tokens that seem to be of the future or the past; then its clock is taken for ours, once.
async fn as_app(api: &Api<'_>, ask: &Ask) -> Result<Answer, HubError> {
    let answer = api.ask(ask).await?;
    if answer.status != StatusCode::UNAUTHORIZED {
        return Ok(answer);
    }
    let said = refusal::words(&answer);
    let is_skewed = said.contains("Expiration time") || said.contains("Issued at") || said.contains("iat");
    let Some(theirs) = date(&answer).filter(|_| is_skewed) else { return Ok(answer) };
    let seconds = theirs.since(api.hub.now()).max(api.hub.now().since(theirs)).as_secs();
    tracing::warn!(
        platform = api.name(),
        seconds,
        "The clocks of the platform and of this machine differ: let both follow a time server."
    );
    let token = signed(api.hub, api.key, theirs)?;
    api.ask_with(ask, &token).await
}

/// A token that the installation is used by: one for everybody who needs the same, until shortly before its end.
///
/// # Errors
/// [`HubError`].
pub(super) fn token<'a>(hub: &'a Hub, key: &'a Key, grant: &'a Grant) -> BoxFuture<'a, Result<Token, HubError>> {
    // In a box, because making a token asks too, and asking makes tokens.
    async move { hub.minted().get(&grant.purpose(key), hub.now(), make(hub, key, grant)).await }.boxed()
}

async fn make(hub: &Hub, key: &Key, grant: &Grant) -> Result<Token, HubError> {
    let api = Api::new(hub, key);
    let id = installed(hub, key)?.installation;
    let body = match grant {
        Grant::Everything => {
            // An installation that is gone is told of where the token is made.
            let found = match of(&api).await {
                Err(HubError::NotFound(_)) => None,
                found => Some(found?),
            };
            if let Some(found) = found.as_ref().filter(|found| found.suspended_at.is_some()) {
                return Err(HubError::Suspended(format!(
                    "The installation of the GitHub App in {} is suspended: an owner of the organization can lift that in \
                     its settings under GitHub Apps.",
                    printable(&found.account.login, 100)
                )));
            }
            let given = found.map(|found| found.permissions).unwrap_or_default();
            let given = READ.iter().filter(|name| given.contains_key(**name));
            let given: serde_json::Map<_, _> = given.map(|name| ((*name).to_owned(), json!("read"))).collect();
            if given.is_empty() { json!({}) } else { json!({ "permissions": given }) }
        }
        Grant::Code => json!({ "permissions": { "contents": "read", "metadata": "read" } }),
        Grant::CodeOf(name) => {
            json!({ "permissions": { "contents": "read", "metadata": "read" }, "repositories": [name] })
        }
    };
    let url = api.url(&format!("/app/installations/{id}/access_tokens"));
    let mut ask = Ask::change(Method::POST, url, Some(body));
    ask.by = As::App;
    let answer = as_app(&api, &ask).await?;
    match answer.status {
        StatusCode::CREATED => {}
        StatusCode::NOT_FOUND => {
            return Err(HubError::NotFound(format!(
                "The GitHub App has no installation {id}: it was uninstalled, or the number is another one."
            )));
        }
        StatusCode::UNPROCESSABLE_ENTITY => {
            return Err(HubError::Forbidden {
                text: format!(
                    "{} gives the GitHub App no token to read code with: it says \"{}\". The App needs the permission \
                     Repository → Contents: read, and the repository must be one of its installation.",
                    api.name(),
                    refusal::words(&answer)
                ),
                missing: vec!["the permission Repository → Contents: read".to_owned()],
            });
        }
        _ => return Err(refusal::of(hub.site(), key, As::App, &answer, "use the installation of the GitHub App")),
    }
    let made: Made = api.json(&answer)?;
    let until = Timestamp::parse_rfc3339(&made.expires_at)
        .map_err(|_| api.malformed("the token of the GitHub App's installation has no end"))?;
    Ok(Token::new(made.token, until))
}
