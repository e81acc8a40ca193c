//! OAuth 2's authorization code flow, as far as the platforms agree about it; [`CodeFlow`] says where they do not.

use std::borrow::Cow;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use oauth2::basic::{BasicClient, BasicErrorResponse, BasicTokenResponse, BasicTokenType};
use oauth2::http::StatusCode;
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    TokenResponse, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::answer::{form, is_form, printable};
use super::app::{App, Connection, LoginApp};
use super::login::{Departure, LoginError, Returned};
use crate::outbound::Answer;

/// Bytes of randomness in a state.
const STATE_BYTES: u32 = 32;
/// How long a person waits for a token to be given back.
const PATIENCE: Duration = Duration::from_secs(5);

/// One platform's way of the flow.
#[derive(Clone, Debug)]
pub struct CodeFlow {
    /// Where browsers go.
    pub authorize: Url,
    /// Where codes are redeemed.
    pub token: Url,
    /// Whether id and secret are sent in the body or by Basic authentication.
    pub auth: AuthType,
    /// What is asked for.
    pub scopes: &'static [&'static str],
    /// Whether the platform has PKCE.
    pub pkce: bool,
    /// What else the authorize address carries.
    pub extra: &'static [(&'static str, &'static str)],
    /// Whether the callback address stands in requests that renew a token.
    pub renews_with_callback: bool,
}

impl CodeFlow {
    /// Where to send the browser.
    ///
    /// # Errors
    /// [`LoginError::App`] for an app of OAuth 1.
    pub fn depart(&self, app: &App, callback: &Url) -> Result<Departure, LoginError> {
        let (client_id, _) = secrets(app)?;
        let client = BasicClient::new(ClientId::new(client_id.to_owned()))
            .set_auth_uri(AuthUrl::from_url(self.authorize.clone()));
        let mut request = client
            .authorize_url(|| CsrfToken::new_random_len(STATE_BYTES))
            .set_redirect_uri(Cow::Owned(RedirectUrl::from_url(callback.clone())))
            .add_scopes(self.scopes.iter().map(|scope| Scope::new((*scope).to_owned())));
        for (name, value) in self.extra {
            request = request.add_extra_param(*name, *value);
        }
        let mut keep = SecretString::default();
        if self.pkce {
            let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
            request = request.set_pkce_challenge(challenge);
            keep = SecretString::from(verifier.into_secret());
        }
        let (url, state) = request.url();
        Ok(Departure { url, state: state.into_secret(), keep })
    }

    /// The access token for the code that the browser brought. The platform is asked once: codes are good for one time.
    ///
    /// # Errors
    /// Every [`LoginError`] but those about the account.
    pub async fn redeem(
        &self,
        at: &Connection,
        callback: &Url,
        returned: &Returned,
        keep: &SecretString,
    ) -> Result<SecretString, LoginError> {
        let response = self.answered(at, callback, returned, keep).await?;
        Ok(SecretString::from(response.access_token().secret().clone()))
    }

    /// As [`Self::redeem`], with all that the platform answers.
    ///
    /// # Errors
    /// As [`Self::redeem`].
    pub async fn answered(
        &self,
        at: &Connection,
        callback: &Url,
        returned: &Returned,
        keep: &SecretString,
    ) -> Result<BasicTokenResponse, LoginError> {
        let app = at.app();
        let (client_id, client_secret) = secrets(app)?;
        self.check_issuer(app, returned)?;
        if let Some(error) = returned.get("error") {
            return Err(self.refusal(app, error, callback));
        }
        let code = returned.get("code").ok_or_else(|| app.malformed("the browser came back without a code"))?;
        let client = client(self, client_id, client_secret, callback);
        let code = AuthorizationCode::new(code.to_owned());
        let verifier = self.pkce.then(|| PkceCodeVerifier::new(keep.expose_secret().to_owned()));
        let response =
            exchange(at.clone(), client, code, verifier).await.map_err(|error| self.failed(app, error, callback))?;
        if *response.token_type() != BasicTokenType::Bearer {
            return Err(app.malformed("it gave a token of another type than `bearer`"));
        }
        Ok(response)
    }

    /// RFC 9207: whoever names itself must be whom we sent the browser to.
    fn check_issuer(&self, app: &App, returned: &Returned) -> Result<(), LoginError> {
        let Some(issuer) = returned.get("iss") else { return Ok(()) };
        let is_same = Url::parse(issuer).is_ok_and(|issuer| issuer.origin() == self.authorize.origin());
        if is_same {
            Ok(())
        } else {
            Err(app.malformed("the browser came back from another server than it was sent to"))
        }
    }

    /// What it means that there was no token.
    pub(super) fn failed(
        &self,
        app: &App,
        error: RequestTokenError<LoginError, BasicErrorResponse>,
        callback: &Url,
    ) -> LoginError {
        match error {
            RequestTokenError::Request(error) => error,
            RequestTokenError::ServerResponse(response) => self.refusal(app, response.error().as_ref(), callback),
            // Their texts may quote what was sent.
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                app.malformed("its answer to our request for a token is neither a token nor an error")
            }
        }
    }

    /// What an error of the authorize or the token address means. Its description is not repeated: whoever made up a callback
    /// would speak through us.
    fn refusal(&self, app: &App, error: &str, callback: &Url) -> LoginError {
        match error {
            "access_denied" => app.denied(),
            "invalid_grant" | "bad_verification_code" => app.stale(),
            "invalid_client" | "incorrect_client_credentials" | "unauthorized_client" => app.refused(format!(
                "it does not accept `client_id` and `client_secret` of the integration `{}`. Ask an administrator to compare \
                 them with the app that is registered there",
                app.id
            )),
            "redirect_uri_mismatch" | "invalid_redirect_uri" => app.refused(format!(
                "another callback address is registered for the app there. Ask an administrator to register {callback}"
            )),
            "invalid_scope" | "insufficient_scope" => app.refused(format!(
                "the app that is registered there may not ask for what is needed. Ask an administrator to tick {} there",
                self.scopes.join(" and ")
            )),
            "application_suspended" => {
                app.refused("the app that is registered there is suspended. Ask an administrator to find out why")
            }
            "unverified_user_email" => {
                app.account("your primary e-mail address is not verified there. Verify it, and log in again")
            }
            "temporarily_unavailable" | "server_error" => app.unavailable("it says that it has a trouble of its own"),
            other => app.refused(format!("it answers with the error `{}`", printable(other, 60))),
        }
    }
}

/// Gives a token back at this address, which would live for an hour or two, and its refresh token for longer. Failing at it
/// is no failure of the login.
pub(super) async fn give_back(at: &Connection, url: &Url, token: &SecretString) {
    let app = at.app();
    let Ok((client_id, client_secret)) = secrets(app) else { return };
    let fields =
        [("client_id", client_id), ("client_secret", client_secret.expose_secret()), ("token", token.expose_secret())];
    let Ok(request) = form(app, url, &fields) else { return };
    let outcome = tokio::time::timeout(PATIENCE, at.ask(request)).await;
    if !matches!(&outcome, Ok(Ok(answer)) if answer.status.is_success()) {
        tracing::debug!(integration = app.id, "A token of a login could not be given back.");
    }
}

/// Id and secret of an app of OAuth 2.
///
/// # Errors
/// [`LoginError::App`] for an app of OAuth 1.
pub(super) fn secrets(app: &App) -> Result<(&str, &SecretString), LoginError> {
    match &app.login {
        LoginApp::OAuth2 { client_id, client_secret } => Ok((client_id, client_secret)),
        LoginApp::OAuth1 { .. } => Err(app.refused("it needs `client_id` and `client_secret` in config.toml")),
    }
}

/// A client that can redeem codes and renew tokens.
pub(super) fn client(flow: &CodeFlow, client_id: &str, client_secret: &SecretString, callback: &Url) -> Redeeming {
    BasicClient::new(ClientId::new(client_id.to_owned()))
        .set_client_secret(ClientSecret::new(client_secret.expose_secret().to_owned()))
        .set_auth_type(flow.auth.clone())
        .set_token_uri(TokenUrl::from_url(flow.token.clone()))
        .set_redirect_uri(RedirectUrl::from_url(callback.clone()))
}

/// A client that knows where codes are redeemed.
pub(super) type Redeeming = BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// Redeems a code. It owns what it needs, because the library's future is not known to be one that may change threads as
/// long as anything of the caller's is lent to it.
fn exchange(
    at: Connection,
    client: Redeeming,
    code: AuthorizationCode,
    verifier: Option<PkceCodeVerifier>,
) -> BoxFuture<'static, Result<BasicTokenResponse, RequestTokenError<LoginError, BasicErrorResponse>>> {
    async move {
        let mut request = client.exchange_code(code);
        if let Some(verifier) = verifier {
            request = request.set_pkce_verifier(verifier);
        }
        request.request_async(&Sender(at)).await
    }
    .boxed()
}

/// Our client as the `oauth2` crate wants it.
pub(super) struct Sender(pub(super) Connection);

impl AsyncHttpClient<'_> for Sender {
    type Error = LoginError;
    type Future = BoxFuture<'static, Result<HttpResponse, LoginError>>;

    fn call(&self, request: HttpRequest) -> Self::Future {
        send(self.0.clone(), request).boxed()
    }
}

async fn send(at: Connection, request: HttpRequest) -> Result<HttpResponse, LoginError> {
    let answer = at.ask(request).await?;
    let (mut status, body) = (answer.status, as_json(&answer));
    // GitHub sends its errors with status 200.
    if status.is_success() {
        let is_error = serde_json::from_slice::<serde_json::Value>(&body).is_ok_and(|body| body.get("error").is_some());
        status = if is_error { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    }
    let mut response = HttpResponse::new(body);
    *response.status_mut() = status;
    Ok(response)
}

/// The body as JSON, also where the platform sent a form.
fn as_json(answer: &Answer) -> Vec<u8> {
    if !is_form(answer) {
        return answer.body.clone();
    }
    let pairs = url::form_urlencoded::parse(&answer.body).map(|(name, value)| {
        // The only number among them.
        let number = (name == "expires_in").then(|| value.parse::<u64>().ok()).flatten();
        let value = number.map_or_else(|| serde_json::Value::from(value.into_owned()), serde_json::Value::from);
        (name.into_owned(), value)
    });
    let object: serde_json::Map<String, serde_json::Value> = pairs.collect();
    serde_json::Value::from(object).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use oauth2::http::{HeaderMap, HeaderValue, StatusCode, header};

    use super::{Answer, as_json};

    #[test]
    fn a_form_is_read_as_json() {
        let mut headers = HeaderMap::new();
        headers
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8"));
        let body = b"access_token=x%22y&expires_in=28800&token_type=bearer&scope=".to_vec();
        let answer = Answer { status: StatusCode::OK, headers, body };
        let expected = r#"{"access_token":"x\"y","expires_in":28800,"token_type":"bearer","scope":""}"#;
        assert_eq!(as_json(&answer), expected.as_bytes());
    }
}
