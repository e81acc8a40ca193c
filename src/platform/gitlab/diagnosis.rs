//! The test of an integration with GitLab.

use oauth2::http::{Request, header};
use secrecy::ExposeSecret;
use serde_json::Value;
use url::Url;

use crate::clock::Timestamp;
use crate::outbound::Answer;
use crate::platform::answer::{form, printable};
use crate::platform::app::{App, Connection};
use crate::platform::code_flow::secrets;
use crate::platform::diagnosis::{self, connection, reached};
use crate::platform::login::{Finding, LoginError};

/// Nobody's code and verifier: the question is whether we may redeem any.
const NO_CODE: &str = "nobodys-code";

/// What works, and what is missing.
pub(super) async fn diagnose(at: &Connection, callback: &Url, now: Timestamp) -> Vec<Finding> {
    let mut findings = match reach(at).await {
        Ok(answer) => {
            let mut findings = vec![found(at.app(), &answer)];
            findings.extend(connection(at.app(), &answer, now));
            findings
        }
        Err(finding) => return vec![finding],
    };
    findings.push(app_is_known(at, callback).await.unwrap_or_else(Finding::failed));
    findings
}

async fn reach(at: &Connection) -> Result<Answer, Finding> {
    let app = at.app();
    let url = app.at("/.well-known/openid-configuration");
    let request = Request::builder().uri(url.as_str()).header(header::ACCEPT, "application/json").body(Vec::new());
    let request = request.ok().and_then(|request| request.try_into().ok());
    let request = request.ok_or_else(|| Finding::fail(format!("{url} is no address that can be asked.")))?;
    reached(app, &url, at.client().send(request).await)
}

/// What GitLab says about itself. Its version it tells only to those who are signed in.
fn found(app: &App, answer: &Answer) -> Finding {
    let name = &app.name;
    let own = app.url.as_str().trim_end_matches('/');
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match body["issuer"].as_str().map(|issuer| issuer.trim_end_matches('/')) {
        Some(issuer) if issuer == own => Finding::ok(format!("{name} answers at {own}.")),
        Some(issuer) => Finding::warn(format!(
            "{name} answers at {own} but calls itself {}: compare `url` of this integration with `external_url` there.",
            printable(issuer, 200)
        )),
        None => Finding::fail(format!(
            "What answers at {own} is no GitLab (HTTP {}): compare `url` of this integration, with the path, if GitLab \
             stands below one.",
            answer.status.as_u16()
        )),
    }
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
    let answer = at.ask(form(app, &app.at("/oauth/token"), &fields)?).await?;
    Ok(diagnosis::app_is_known(
        app,
        &answer,
        "compare them with the application that is registered there, or renew its secret",
    ))
}
