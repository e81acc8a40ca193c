//! Who a token belongs to, and giving the token back.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oauth2::HttpRequest;
use oauth2::http::{Method, Request, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::{ACCEPT, api, hosts};
use crate::outbound::Answer;
use crate::platform::answer::{Trouble, USUAL_PAUSE, get, json, printable};
use crate::platform::app::{App, Connection};
use crate::platform::code_flow::secrets;
use crate::platform::login::{Email, Identity, LoginError};

/// The version of the API that we speak. An Enterprise Server before 3.9 does not know the header, and without it every
/// one speaks this version.
pub(super) const API_VERSION: (&str, &str) = ("X-GitHub-Api-Version", "2022-11-28");
/// How long a person waits for a token to be given back.
const PATIENCE: Duration = Duration::from_secs(5);

/// What `GET /user` tells. Everything but the number and the login may be missing.
#[derive(Deserialize)]
struct User {
    id: u64,
    login: String,
    name: Option<String>,
    email: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Of an Enterprise Server only.
    suspended_at: Option<String>,
}

/// What `GET /user/emails` tells of one address.
#[derive(Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

/// What `POST /applications/{client_id}/token` tells of a token.
#[derive(Deserialize)]
struct Authorization {
    user: Option<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    id: u64,
}

/// What an error tells.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    message: String,
}

/// The person.
pub(super) async fn of(at: &Connection, token: &SecretString) -> Result<Identity, LoginError> {
    let app = at.app();
    let answer = ask(at, "/user", token).await?;
    if answer.status != StatusCode::OK {
        let error = refused(app, &answer);
        let is_suspended = matches!(&error, LoginError::Account { reason, .. } if reason == SUSPENDED);
        return Err(if is_suspended { app.suspended(SUSPENDED, owner(at, token).await) } else { error });
    }
    let user: User = json(app, &answer)?;
    if let Some(kind) = user.kind.filter(|kind| kind != "User") {
        let kind = printable(&kind, 40);
        return Err(app.account(format!("`{}` is no person's but of the kind `{kind}`", printable(&user.login, 100))));
    }
    if user.suspended_at.is_some() {
        return Err(app.suspended(SUSPENDED, Some(user.id.to_string())));
    }
    let public = user.email.filter(|email| !email.is_empty());
    let email = match addresses(at, token).await? {
        Some(addresses) => primary(addresses),
        None => public.map(|address| Email { address, verified: false }),
    };
    Ok(Identity { subject: user.id.to_string(), login: user.login, display_name: user.name, email })
}

const SUSPENDED: &str = "it is suspended there. Ask whoever administers it";

/// What it means that `GET /user` has no user for us.
fn refused(app: &App, answer: &Answer) -> LoginError {
    let message = serde_json::from_slice::<Refusal>(&answer.body).unwrap_or_default().message;
    match answer.status {
        StatusCode::UNAUTHORIZED => app.unavailable("it does not accept the token that it has just given"),
        StatusCode::FORBIDDEN if message.to_ascii_lowercase().contains("suspended") => app.account(SUSPENDED),
        // The secondary limit, which comes without headers.
        StatusCode::FORBIDDEN if message.to_ascii_lowercase().contains("rate limit") => {
            app.trouble(Trouble::RateLimited(USUAL_PAUSE))
        }
        StatusCode::FORBIDDEN => app.account(format!("it says \"{}\"", printable(&message, 200))),
        status => app.malformed(format!("its API answers with HTTP {}", status.as_u16())),
    }
}

/// Whose a token is whose owner may ask nothing any more: apps may ask about the tokens that were made for them. None where
/// GitHub does not say.
async fn owner(at: &Connection, token: &SecretString) -> Option<String> {
    let answer = at.ask(of_app(at.app(), Method::POST, token).ok()?).await.ok()?;
    let told: Authorization = (answer.status == StatusCode::OK).then(|| json(at.app(), &answer).ok()).flatten()?;
    Some(told.user?.id.to_string())
}

/// All addresses, if we may see them.
async fn addresses(at: &Connection, token: &SecretString) -> Result<Option<Vec<Address>>, LoginError> {
    let answer = ask(at, "/user/emails", token).await?;
    // 403 or 404: the person did not grant it, or the GitHub App has no permission for it.
    if answer.status == StatusCode::OK { json(at.app(), &answer).map(Some) } else { Ok(None) }
}

/// The address that counts: the primary one, if it is one at all. GitHub gives those who hide theirs a substitute.
fn primary(addresses: Vec<Address>) -> Option<Email> {
    let found = addresses.into_iter().find(|address| address.primary)?;
    let (_, domain) = found.email.rsplit_once('@')?;
    let is_substitute = domain.to_ascii_lowercase().starts_with("users.noreply.");
    (!is_substitute).then_some(Email { address: found.email, verified: found.verified })
}

async fn ask(at: &Connection, path: &str, token: &SecretString) -> Result<Answer, LoginError> {
    let mut url = api(at.app(), path);
    if path == "/user/emails" {
        url.set_query(Some("per_page=100"));
    }
    let mut request = get(at.app(), &url, ACCEPT, token)?;
    versioned(at.app(), &mut request);
    at.ask(request).await
}

fn versioned(app: &App, request: &mut HttpRequest) {
    if hosts::is_cloud(&app.url) {
        let (name, value) = API_VERSION;
        request.headers_mut().insert(name, oauth2::http::HeaderValue::from_static(value));
    }
}

/// Gives a token back: one of an OAuth App would live for ever. Failing at it is no failure of the login.
pub(super) async fn take_back(at: &Connection, token: &SecretString) {
    let Ok(request) = of_app(at.app(), Method::DELETE, token) else { return };
    let outcome = tokio::time::timeout(PATIENCE, at.ask(request)).await;
    if !matches!(&outcome, Ok(Ok(answer)) if answer.status.is_success()) {
        tracing::debug!(integration = at.app().id, "A token of a login could not be given back.");
    }
}

/// A request about a token, by which the app shows who it is.
pub(super) fn of_app(app: &App, method: Method, token: &SecretString) -> Result<HttpRequest, LoginError> {
    let (client_id, client_secret) = secrets(app)?;
    let pair = STANDARD.encode(format!("{client_id}:{}", client_secret.expose_secret()));
    let request = Request::builder()
        .method(method)
        .uri(api(app, &format!("/applications/{client_id}/token")).as_str())
        .header(header::ACCEPT, ACCEPT)
        .header(header::AUTHORIZATION, format!("Basic {pair}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(json!({ "access_token": token.expose_secret() }).to_string().into_bytes());
    let mut request = request.map_err(|_| app.refused("`client_id` is no such thing"))?;
    versioned(app, &mut request);
    Ok(request)
}
