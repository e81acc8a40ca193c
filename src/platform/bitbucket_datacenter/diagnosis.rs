//! The test of an integration with Bitbucket Data Center.

use std::fmt;

use oauth2::http::{Request, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::Value;
use url::Url;

use super::{flow, oauth1};
use crate::clock::Timestamp;
use crate::outbound::Answer;
use crate::platform::answer::{form, printable};
use crate::platform::app::{App, Connection, LoginApp};
use crate::platform::code_flow::secrets;
use crate::platform::diagnosis::{self, connection, reached};
use crate::platform::login::{Finding, LoginError};

/// Nobody's code and verifier: the question is whether we may redeem any.
const NO_CODE: &str = "nobodys-code";
/// The first version with OAuth 2.0.
const OAUTH2: Version = Version(7, 20);
/// A version whose people should not begin with OAuth 1 any more.
const NO_MORE_OAUTH1: Version = Version(8, 0);

/// Major and minor number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32);

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(['.', '-']).map(str::parse);
        Some(Self(parts.next()?.ok()?, parts.next()?.ok()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// What works, and what is missing.
pub(super) async fn diagnose(at: &Connection, callback: &Url, now: Timestamp) -> Vec<Finding> {
    let app = at.app();
    let (mut findings, version) = match reach(at).await {
        Ok(answer) => {
            let (found, version) = found(app, &answer);
            let mut findings = vec![found];
            findings.extend(connection(app, &answer, now));
            (findings, version)
        }
        Err(finding) => return vec![finding],
    };
    let Some(version) = version else { return findings };
    match app.login {
        LoginApp::OAuth2 { .. } if version < OAUTH2 => findings.push(Finding::fail(format!(
            "Bitbucket {version} has no OAuth 2.0, which came with {OAUTH2}: upgrade it, or make an application link and \
             give `oauth_version = 1`, `consumer_key` and `private_key_file` in config.toml."
        ))),
        LoginApp::OAuth2 { .. } => {
            findings.extend(encryption(app, callback));
            findings.push(app_is_known(at, callback).await.unwrap_or_else(Finding::failed));
        }
        LoginApp::OAuth1 { .. } => {
            findings.push(consumer_is_known(at, callback).await);
            if version >= NO_MORE_OAUTH1 {
                findings.push(Finding::warn(format!(
                    "Bitbucket {version} has OAuth 2.0: make an incoming link there, and give `client_id` and \
                     `client_secret` in place of `oauth_version = 1`. People stay who they are."
                )));
            }
        }
    }
    findings
}

/// What everybody may ask.
async fn reach(at: &Connection) -> Result<Answer, Finding> {
    let app = at.app();
    let url = app.at("/rest/api/1.0/application-properties");
    let request = Request::builder().uri(url.as_str()).header(header::ACCEPT, "application/json").body(Vec::new());
    let request = request.ok().and_then(|request| request.try_into().ok());
    let request = request.ok_or_else(|| Finding::fail(format!("{url} is no address that can be asked.")))?;
    reached(app, &url, at.client().send(request).await)
}

fn found(app: &App, answer: &Answer) -> (Finding, Option<Version>) {
    let (name, own) = (&app.name, app.url.as_str().trim_end_matches('/'));
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let Some(text) = body["version"].as_str() else {
        let finding = Finding::fail(format!(
            "What answers at {own} is no Bitbucket Data Center (HTTP {}): compare `url` of this integration with the base \
             URL there, with the path, if Bitbucket stands below one.",
            answer.status.as_u16()
        ));
        return (finding, None);
    };
    let calls_itself = body["displayName"].as_str().unwrap_or("Bitbucket");
    let itself = if calls_itself == "Bitbucket" {
        String::new()
    } else {
        format!(", which calls itself \"{}\"", printable(calls_itself, 60))
    };
    let text = printable(text, 40);
    match Version::parse(&text) {
        Some(version) => (Finding::ok(format!("{name} answers at {own}: version {text}{itself}.")), Some(version)),
        None => (Finding::warn(format!("{name} answers at {own}, with the odd version \"{text}\"{itself}.")), None),
    }
}

/// Bitbucket switches OAuth 2.0 off without encryption, unless told otherwise.
fn encryption(app: &App, callback: &Url) -> Vec<Finding> {
    let told = |what: &str, property: &str| {
        Finding::warn(format!(
            "{what} is not https://, without which {} allows OAuth 2.0 only with \
             `atlassian.oauth2.provider.skip.{property}.https.requirement=true`.",
            app.name
        ))
    };
    let base = (app.url.scheme() == "http").then(|| told("Its own address", "base.url"));
    let redirect = (callback.scheme() == "http").then(|| told("Our callback address", "redirect.url"));
    base.into_iter().chain(redirect).collect()
}

async fn app_is_known(at: &Connection, callback: &Url) -> Result<Finding, LoginError> {
    let app = at.app();
    let (client_id, client_secret) = secrets(app)?;
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", client_id),
        ("client_secret", client_secret.expose_secret()),
        ("code", NO_CODE),
        ("code_verifier", &NO_CODE.repeat(4)),
        ("redirect_uri", callback.as_str()),
    ];
    let answer = at.ask(form(app, &flow(app).token, &fields)?).await?;
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(Finding::fail(format!(
            "{} has OAuth 2.0 switched off: its base URL has to be https://, as the proxy in front of it must let it see.",
            app.name
        )));
    }
    let remedy = "compare them with the incoming link under Administration > Application Links there";
    Ok(diagnosis::app_is_known(app, &answer, remedy))
}

/// The first step of a login tells whether link, key and clock are right.
async fn consumer_is_known(at: &Connection, callback: &Url) -> Finding {
    match oauth1::try_out(at, callback).await {
        Ok(()) => {
            Finding::ok(format!("{} accepts `consumer_key`, and what is signed with `private_key`.", at.app().name))
        }
        Err(error) => Finding::failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::{OAUTH2, Version};

    #[test]
    fn versions_are_ordered_by_number() {
        assert_eq!(Version::parse("8.19.4"), Some(Version(8, 19)));
        assert_eq!(Version::parse("10.0-rc1"), Some(Version(10, 0)));
        assert_eq!(Version::parse("7"), None);
        assert!(Version(7, 9) < OAUTH2 && Version(10, 0) > OAUTH2);
    }
}
