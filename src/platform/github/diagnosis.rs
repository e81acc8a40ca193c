//! The test of an integration with GitHub.

use oauth2::http::{Method, Request, StatusCode, header};
use secrecy::SecretString;

use super::identity::of_app;
use super::{ACCEPT, api, hosts};
use crate::clock::Timestamp;
use crate::outbound::Answer;
use crate::platform::answer::printable;
use crate::platform::app::{App, Connection};
use crate::platform::diagnosis::{connection, reached};
use crate::platform::login::Finding;

/// Nobody's token: the question is whether we may ask about it.
const NO_TOKEN: &str = "nobodys-token";

/// What works, and what is missing.
pub(super) async fn diagnose(at: &Connection, now: Timestamp) -> Vec<Finding> {
    let mut findings = match reach(at).await {
        Ok(answer) => {
            let mut findings = vec![found(at.app(), &answer)];
            findings.extend(connection(at.app(), &answer, now));
            findings
        }
        Err(finding) => return vec![finding],
    };
    findings.push(app_is_known(at).await);
    findings
}

async fn reach(at: &Connection) -> Result<Answer, Finding> {
    let app = at.app();
    let url = api(app, "/meta");
    let request = Request::builder().uri(url.as_str()).header(header::ACCEPT, ACCEPT).body(Vec::new());
    let request = request.ok().and_then(|request| request.try_into().ok());
    let request = request.ok_or_else(|| Finding::fail(format!("{url} is no address that can be asked.")))?;
    let sent = at.client().send(request).await;
    match sent {
        // Private mode: a page for whoever is not signed in.
        Ok(answer) if answer.status == StatusCode::UNAUTHORIZED && !hosts::is_cloud(&app.url) => Ok(answer),
        sent => reached(app, &url, sent),
    }
}

fn found(app: &App, answer: &Answer) -> Finding {
    let (name, url) = (&app.name, hosts::api(&app.url));
    if hosts::is_cloud(&app.url) {
        return match answer.status {
            StatusCode::OK => Finding::ok(format!("{name} answers at {url}.")),
            status => Finding::fail(format!("{url} answers with HTTP {} where GitHub has its API.", status.as_u16())),
        };
    }
    let header = answer.headers.get("x-github-enterprise-version").and_then(|value| value.to_str().ok());
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match (header.or_else(|| body["installed_version"].as_str()), answer.status) {
        (Some(version), _) => {
            let version = printable(version.trim_start_matches("enterprise-server@"), 40);
            Finding::ok(format!("{name} is a GitHub Enterprise Server {version} and answers at {url}."))
        }
        (None, StatusCode::UNAUTHORIZED) => {
            Finding::ok(format!("{name} answers at {url}; it is in private mode and does not tell its version."))
        }
        (None, StatusCode::OK) => Finding::warn(format!(
            "{url} answers, but does not say that it is a GitHub Enterprise Server: compare `url` of this integration."
        )),
        (None, status) => Finding::fail(format!(
            "{url} answers with HTTP {} where a GitHub Enterprise Server has its API: compare `url` of this integration.",
            status.as_u16()
        )),
    }
}

/// Only the app itself may ask about tokens of its own, so that the question shows whether we are it.
async fn app_is_known(at: &Connection) -> Finding {
    let app = at.app();
    let asked = match of_app(app, Method::POST, &SecretString::from(NO_TOKEN)) {
        Ok(request) => at.ask(request).await,
        Err(error) => Err(error),
    };
    match asked.map(|answer| answer.status) {
        Ok(StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY) => {
            Finding::ok(format!("{} accepts `client_id` and `client_secret`.", app.name))
        }
        Ok(StatusCode::UNAUTHORIZED) => Finding::fail(format!(
            "{} does not accept `client_id` and `client_secret` of the integration `{}`: compare them with the app that is \
             registered there, or make a new client secret.",
            app.name, app.id
        )),
        Ok(status) => Finding::warn(format!(
            "Whether {} accepts `client_id` and `client_secret` could not be found out: it answers with HTTP {}.",
            app.name,
            status.as_u16()
        )),
        Err(error) => Finding::failed(error),
    }
}
