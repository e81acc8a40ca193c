//! The test of an integration with Bitbucket Cloud.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oauth2::http::{Request, header};
use secrecy::ExposeSecret;
use serde_json::Value;
use url::Url;

use super::{api, flow};
use crate::clock::Timestamp;
use crate::outbound::Answer;
use crate::platform::answer::form;
use crate::platform::app::{App, Connection, below};
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

/// What everybody may ask: the events that there are webhooks for.
async fn reach(at: &Connection) -> Result<Answer, Finding> {
    let app = at.app();
    let url = below(&api(app), "/hook_events");
    let request = Request::builder().uri(url.as_str()).header(header::ACCEPT, "application/json").body(Vec::new());
    let request = request.ok().and_then(|request| request.try_into().ok());
    let request = request.ok_or_else(|| Finding::fail(format!("{url} is no address that can be asked.")))?;
    reached(app, &url, at.client().send(request).await)
}

fn found(app: &App, answer: &Answer) -> Finding {
    let (name, api) = (&app.name, api(app));
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if body["repository"].is_object() || body["workspace"].is_object() {
        return Finding::ok(format!("{name} answers at {api}."));
    }
    Finding::fail(format!(
        "What answers at {api} is not Bitbucket Cloud (HTTP {}): leave `url` of this integration out, or use the platform \
         `bitbucket-datacenter` for a server of your own.",
        answer.status.as_u16()
    ))
}

async fn app_is_known(at: &Connection, callback: &Url) -> Result<Finding, LoginError> {
    let app = at.app();
    let (client_id, client_secret) = secrets(app)?;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", NO_CODE),
        ("code_verifier", &NO_CODE.repeat(4)),
        ("redirect_uri", callback.as_str()),
    ];
    let mut request = form(app, &flow(app).token, &fields)?;
    let basic = basic(client_id, client_secret.expose_secret());
    let basic = basic.try_into().map_err(|_| app.malformed("`client_id` and `client_secret` fit into no header"))?;
    request.headers_mut().insert(header::AUTHORIZATION, basic);
    let remedy = "compare them with key and secret of the OAuth consumer, in the settings of the workspace there";
    Ok(diagnosis::app_is_known(app, &at.ask(request).await?, remedy))
}

/// Both parts are encoded as in a form (RFC 6749, section 2.3.1).
fn basic(client_id: &str, client_secret: &str) -> String {
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(client_id), encoded(client_secret))))
}
