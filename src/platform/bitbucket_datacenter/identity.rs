//! Who a token belongs to.

use oauth2::http::StatusCode;
use percent_encoding::percent_decode;
use serde::Deserialize;
use serde_json::Value;

use super::access::Access;
use crate::outbound::Answer;
use crate::platform::answer::{json, printable};
use crate::platform::app::{App, Connection};
use crate::platform::login::{Email, Identity, LoginError};

/// Header of every answer that says who asked.
const CALLER: &str = "x-ausername";
/// Beginning of the names that tokens of projects and repositories act under.
const TOKEN_USER: &str = "access-token-user/";
/// How many pages of users with a like name are looked through.
const MOST_PAGES: usize = 10;

/// A user, as every call tells it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    id: i64,
    name: String,
    display_name: Option<String>,
    email_address: Option<String>,
    #[serde(default = "yes")]
    active: bool,
    #[serde(rename = "type", default = "normal")]
    kind: String,
}

fn yes() -> bool {
    true
}

fn normal() -> String {
    "NORMAL".to_owned()
}

/// A page of users.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Users {
    values: Vec<User>,
    #[serde(default = "yes")]
    is_last_page: bool,
    next_page_start: Option<i64>,
}

/// The person.
pub(super) async fn of(at: &Connection, access: &Access) -> Result<Identity, LoginError> {
    let app = at.app();
    let name = caller(at, access).await?;
    let user = match by_slug(at, access, &name).await? {
        Some(user) => user,
        None => by_name(at, access, &name).await?,
    };
    if user.kind != "NORMAL" || user.name.starts_with(TOKEN_USER) {
        return Err(service(app, &user.name));
    }
    if user.id <= 0 {
        return Err(app.malformed("the account has no number"));
    }
    if !user.active {
        return Err(app.suspended("it is deactivated there. Ask whoever administers it", Some(user.id.to_string())));
    }
    Ok(Identity {
        subject: user.id.to_string(),
        login: user.name,
        display_name: user.display_name.filter(|name| !name.is_empty()),
        email: user
            .email_address
            .filter(|address| !address.is_empty())
            .map(|address| Email { address, verified: false }),
    })
}

/// The name of whoever the token belongs to.
async fn caller(at: &Connection, access: &Access) -> Result<String, LoginError> {
    let app = at.app();
    let mut url = app.at("/rest/api/1.0/users");
    url.set_query(Some("limit=1"));
    let answer = access.get(at, &url).await?;
    if answer.status != StatusCode::OK {
        return Err(refused(app, &answer));
    }
    let name = match answer.headers.get(CALLER) {
        Some(name) => percent_decode(name.as_bytes()).decode_utf8().ok().map(|name| name.into_owned()),
        None => whoami(at, access).await,
    };
    let name = name.filter(|name| !name.is_empty()).ok_or_else(|| {
        app.refused(
            "its answers do not tell who asks (header X-AUSERNAME). Ask an administrator whether a proxy in front of it \
             removes that header, or the header Authorization of our questions, so that they are nobody's",
        )
    })?;
    if name.starts_with(TOKEN_USER) { Err(service(app, &name)) } else { Ok(name) }
}

/// What old servers, and only they, tell by OAuth 1: current ones take tokens nowhere but below `/rest`.
async fn whoami(at: &Connection, access: &Access) -> Option<String> {
    if !matches!(access, Access::Signed(..)) {
        return None;
    }
    let answer = access.get(at, &at.app().at("/plugins/servlet/applinks/whoami")).await.ok()?;
    let name = (answer.status == StatusCode::OK).then(|| String::from_utf8(answer.body).ok()).flatten()?;
    let name = name.trim();
    (name.len() <= 255 && !name.contains(char::is_control)).then(|| name.to_owned())
}

/// The user by the slug that the name most likely has; None when it is somebody else's or nobody's.
async fn by_slug(at: &Connection, access: &Access, name: &str) -> Result<Option<User>, LoginError> {
    let app = at.app();
    let slug = slug(name);
    // Such a slug would be another address.
    if slug.chars().all(|char| char == '.') {
        return Ok(None);
    }
    let answer = access.get(at, &app.at(&format!("/rest/api/1.0/users/{slug}"))).await?;
    match answer.status {
        StatusCode::OK => {
            let user: User = json(app, &answer)?;
            Ok(Some(user).filter(|user| is_same(&user.name, name)))
        }
        StatusCode::NOT_FOUND => Ok(None),
        _ => Err(refused(app, &answer)),
    }
}

/// The user by name, among those whose names are like it.
async fn by_name(at: &Connection, access: &Access, name: &str) -> Result<User, LoginError> {
    let app = at.app();
    let mut start = 0;
    for _ in 0..MOST_PAGES {
        let mut url = app.at("/rest/api/1.0/users");
        url.query_pairs_mut()
            .append_pair("filter", name)
            .append_pair("limit", "100")
            .append_pair("start", &start.to_string());
        let answer = access.get(at, &url).await?;
        if answer.status != StatusCode::OK {
            return Err(refused(app, &answer));
        }
        let page: Users = json(app, &answer)?;
        if let Some(user) = page.values.into_iter().find(|user| is_same(&user.name, name)) {
            return Ok(user);
        }
        match page.next_page_start.filter(|next| !page.is_last_page && *next > start) {
            Some(next) => start = next,
            None => break,
        }
    }
    Err(app.malformed(format!("it names the account `{}` and has no such user", printable(name, 100))))
}

/// What servers make of a name for their addresses.
fn slug(name: &str) -> String {
    let fits = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-');
    name.to_lowercase().chars().map(|char| if fits(char) { char } else { '_' }).collect()
}

/// Names are the same whatever their case.
fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn service(app: &App, name: &str) -> LoginError {
    app.account(format!("`{}` is a service's and no person's", printable(name, 100)))
}

/// What it means that a question is not answered. 401 is said of rights and of tokens alike.
fn refused(app: &App, answer: &Answer) -> LoginError {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let error = &body["errors"][0];
    let kind = error["exceptionName"].as_str().unwrap_or_default();
    let message = printable(error["message"].as_str().unwrap_or_default(), 200);
    let is_known = answer.headers.contains_key(CALLER) || kind.ends_with("AuthorisationException");
    match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if kind.contains("Captcha") => app.account(
            "it asks for the letters of a picture after failed logins. Sign in there, solve it, and log in again here",
        ),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if is_known => {
            app.account(format!("it may not use Bitbucket there{}", quoted(&message)))
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => app.refused(format!(
            "it does not accept the token that it has just given{}. Ask an administrator whether a proxy, or a plug-in for \
             two-factor authentication there, has to let OAuth through",
            quoted(&message)
        )),
        status => app.malformed(format!("its API answers with HTTP {}{}", status.as_u16(), quoted(&message))),
    }
}

fn quoted(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": \"{message}\"") }
}

#[cfg(test)]
mod tests {
    use super::{is_same, slug};

    #[test]
    fn names_become_slugs() {
        for (name, expected) in
            [("Jane", "jane"), ("jane@corp.io", "jane_corp.io"), ("a b/c", "a_b_c"), ("jörg-1_x", "j_rg-1_x")]
        {
            assert_eq!(slug(name), expected);
        }
        assert!(is_same("Jörg", "JÖRG") && !is_same("jane", "jane_"));
    }
}
