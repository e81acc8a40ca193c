//! Who a token belongs to.

use oauth2::http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::api;
use crate::outbound::Answer;
use crate::platform::answer::{get, json, printable};
use crate::platform::app::{App, Connection, below};
use crate::platform::login::{Email, Identity, LoginError};

/// What `GET /user` tells about the token's owner.
#[derive(Deserialize)]
struct User {
    /// `user`; `team` and `app_user` are nobody.
    #[serde(rename = "type", default = "person")]
    kind: String,
    uuid: String,
    nickname: Option<String>,
    username: Option<String>,
    display_name: Option<String>,
    /// Not told by all answers; `active`, `inactive` or `closed`.
    account_status: Option<String>,
}

fn person() -> String {
    "user".to_owned()
}

/// What `GET /user/emails` tells.
#[derive(Deserialize)]
struct Emails {
    values: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    email: String,
    #[serde(default)]
    is_primary: bool,
    #[serde(default)]
    is_confirmed: bool,
}

/// The person.
pub(super) async fn of(at: &Connection, token: &SecretString) -> Result<Identity, LoginError> {
    let app = at.app();
    let user: User = ask(at, token, "/user").await?;
    let name =
        [user.nickname, user.username, user.display_name.clone()].into_iter().flatten().find(|it| !it.is_empty());
    let subject = subject(&user.uuid).ok_or_else(|| app.malformed("the account's `uuid` is not one"))?;
    let login = name.unwrap_or_else(|| subject.clone());
    if user.kind != "user" || login.ends_with("@bots.bitbucket.org") {
        return Err(app.account(format!("`{}` is a bot's or a team's and no person's", printable(&login, 100))));
    }
    match user.account_status.as_deref() {
        None | Some("active") => {}
        Some(status) => return Err(app.suspended(inactive(status), Some(subject))),
    }
    let email = email(at, token).await?;
    Ok(Identity { subject, login, display_name: user.display_name.filter(|name| !name.is_empty()), email })
}

fn inactive(status: &str) -> String {
    match status {
        "closed" => "it is closed there".to_owned(),
        "inactive" => "it is deactivated there. Ask whoever administers it".to_owned(),
        other => format!("it is not active there but `{}`", printable(other, 40)),
    }
}

/// A `uuid` in the one form in which accounts are kept: lower case, in braces, as the API writes it.
pub(super) fn subject(uuid: &str) -> Option<String> {
    let bare = uuid.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(uuid);
    let lengths: Vec<_> = bare.split('-').map(str::len).collect();
    let is_hex = bare.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    (is_hex && lengths == [8, 4, 4, 4, 12]).then(|| format!("{{{}}}", bare.to_ascii_lowercase()))
}

/// The primary address. Without the scope for it there is none, which is no reason to refuse a login.
async fn email(at: &Connection, token: &SecretString) -> Result<Option<Email>, LoginError> {
    let app = at.app();
    let answer = at.ask_in_words(get(app, &below(&api(app), "/user/emails"), "application/json", token)?).await?;
    if matches!(answer.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) {
        return Ok(None);
    }
    let emails: Emails = read(app, &answer)?;
    let primary = emails.values.into_iter().find(|address| address.is_primary && !address.email.is_empty());
    Ok(primary.map(|address| Email { address: address.email, verified: address.is_confirmed }))
}

async fn ask<T: DeserializeOwned>(at: &Connection, token: &SecretString, path: &str) -> Result<T, LoginError> {
    let app = at.app();
    read(app, &at.ask_in_words(get(app, &below(&api(app), path), "application/json", token)?).await?)
}

fn read<T: DeserializeOwned>(app: &App, answer: &Answer) -> Result<T, LoginError> {
    if answer.status == StatusCode::OK { json(app, answer) } else { Err(refused(app, answer)) }
}

/// What an error of the API means.
fn refused(app: &App, answer: &Answer) -> LoginError {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let message = body["error"]["message"].as_str().unwrap_or_default();
    match answer.status {
        StatusCode::UNAUTHORIZED => app.unavailable("it does not accept the token that it has just given"),
        StatusCode::FORBIDDEN => match required(&body["error"]["detail"]["required"]) {
            Some(scopes) => app.refused(format!(
                "the OAuth consumer that is registered there lacks permissions. Ask an administrator to tick what gives it {scopes}"
            )),
            None => app.account("it does not say why. Sign in there, and look whether something is asked of you"),
        },
        StatusCode::GONE if message.starts_with("CHANGE-") => app.unavailable(format!(
            "it has removed what this version of the server uses ({}), for good or for hours. Ask an administrator to look \
             for a newer version",
            printable(message, 200)
        )),
        StatusCode::GONE => app.account(format!("it says \"{}\"", printable(message, 200))),
        status => app.malformed(format!("its API answers with HTTP {}", status.as_u16())),
    }
}

/// The scopes that an answer names.
fn required(scopes: &Value) -> Option<String> {
    let names = scopes.as_array()?.iter().take(10).filter_map(Value::as_str);
    let names: Vec<_> = names.map(|name| format!("`{}`", printable(name, 40))).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::subject;

    #[test]
    fn a_uuid_has_one_form() {
        let known = "{a6d1f5a0-9e1b-4c2d-8f3a-0b1c2d3e4f50}";
        for text in [known, &known.to_uppercase(), known.trim_matches(['{', '}'])] {
            assert_eq!(subject(text).as_deref(), Some(known));
        }
        for text in ["", "{}", "ada", "{a6d1f5a0-9e1b-4c2d-8f3a-0b1c2d3e4f5}", "{a6d1f5a0-9e1b-4c2d-8f3a-0b1c2d3e4f5g}"]
        {
            assert_eq!(subject(text), None, "{text}");
        }
    }
}
