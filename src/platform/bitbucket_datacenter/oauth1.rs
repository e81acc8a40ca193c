//! OAuth 1.0a (RFC 5849) with RSA-SHA1: application links of Bitbucket before 7.20 know nothing newer.
//!
//! A request token is fetched, the browser takes it to Bitbucket and comes back with a verifier, and both together buy
//! the token that tells who it was. Secrets of tokens are not used: what is signed with is our key.

mod key;
mod signature;

use std::collections::BTreeMap;
use std::sync::Arc;

use oauth2::http::{Method, Request, header};
use rand::TryRng;
use rand::rngs::SysRng;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub use key::{ConsumerKey, InvalidKey};
use signature::Signature;

use crate::outbound::Answer;
use crate::platform::answer::printable;
use crate::platform::app::{App, Connection, LoginApp};
use crate::platform::login::{Departure, LoginError, Returned};

/// Us, as an application link of Bitbucket knows us.
#[derive(Clone, Debug)]
pub(super) struct Consumer {
    name: String,
    key: Arc<ConsumerKey>,
}

impl Consumer {
    /// Reads the app's key.
    ///
    /// # Errors
    /// [`LoginError::App`] when there is none or it is unusable.
    pub fn of(app: &App) -> Result<Self, LoginError> {
        let LoginApp::OAuth1 { consumer_key, private_key } = &app.login else {
            return Err(app.refused("it needs `consumer_key` and `private_key` in config.toml"));
        };
        let key = ConsumerKey::from_pem(private_key.expose_secret())
            .map_err(|error| app.refused(format!("{error} (integration `{}`)", app.id)))?;
        Ok(Self { name: consumer_key.clone(), key: Arc::new(key) })
    }

    /// The `Authorization` header of a request without a form.
    ///
    /// # Errors
    /// [`LoginError::Unavailable`] when this machine cannot sign.
    pub async fn sign(
        &self,
        at: &Connection,
        method: Method,
        url: &Url,
        token: Option<&SecretString>,
        step: Vec<(&'static str, String)>,
    ) -> Result<String, LoginError> {
        let broken = || at.app().unavailable("this server could not sign its question");
        let signature = Signature {
            consumer: self.name.clone(),
            timestamp: at.now().as_seconds(),
            nonce: nonce().ok_or_else(broken)?,
            token: token.map(|token| token.expose_secret().to_owned()),
            step,
        };
        let (key, url) = (Arc::clone(&self.key), url.clone());
        // Milliseconds of arithmetic, off the threads that serve.
        let signed = tokio::task::spawn_blocking(move || signature.header(&key, method.as_str(), &url)).await;
        signed.ok().and_then(Result::ok).ok_or_else(broken)
    }

    /// Asks for a token, with a token or without.
    async fn token(
        &self,
        at: &Connection,
        path: &str,
        token: Option<&SecretString>,
        step: (&'static str, &str),
    ) -> Result<Reply, LoginError> {
        let app = at.app();
        let url = app.at(path);
        let signed = self.sign(at, Method::POST, &url, token, vec![(step.0, step.1.to_owned())]).await?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(url.as_str())
            .header(header::AUTHORIZATION, signed)
            .header(header::CONTENT_LENGTH, 0)
            .body(Vec::new())
            .map_err(|_| app.malformed("its address cannot be asked"))?;
        let answer = at.send(request).await?;
        if let Some(problem) = problem(&answer) {
            return Err(refusal(app, &self.name, &problem));
        }
        let answer = app.in_words(answer)?;
        Reply::read(app, &answer)
    }
}

/// Fetches a request token, for the browser to take to Bitbucket.
///
/// # Errors
/// Every [`LoginError`] but those about the account.
pub(super) async fn depart(at: &Connection, callback: &Url) -> Result<Departure, LoginError> {
    let (app, consumer) = (at.app(), Consumer::of(at.app())?);
    let step = ("oauth_callback", callback.as_str());
    let reply = consumer.token(at, "/plugins/servlet/oauth/request-token", None, step).await?;
    // A server that does not confirm it speaks OAuth 1.0, where anybody's browser may come back with anybody's token.
    if reply.get("oauth_callback_confirmed") != Some("true") {
        return Err(app.malformed("it does not confirm our callback address, as OAuth 1.0a wants it"));
    }
    let token = reply.token(app)?;
    let mut url = app.at("/plugins/servlet/oauth/authorize");
    url.query_pairs_mut().append_pair("oauth_token", token.expose_secret());
    Ok(Departure { url, state: token.expose_secret().to_owned(), keep: SecretString::default() })
}

/// The access token for what the browser brought.
///
/// # Errors
/// Every [`LoginError`] but those about the account.
pub(super) async fn redeem(
    at: &Connection,
    consumer: &Consumer,
    returned: &Returned,
) -> Result<SecretString, LoginError> {
    let app = at.app();
    let verifier = returned.get("oauth_verifier");
    // Bitbucket says no in place of the verifier.
    if returned.get("denied").is_some() || verifier == Some("denied") {
        return Err(app.denied());
    }
    let (Some(token), Some(verifier)) = (returned.get("oauth_token"), verifier) else {
        return Err(app.malformed("the browser came back without a token and its verifier"));
    };
    let token = SecretString::from(token.to_owned());
    let step = ("oauth_verifier", verifier);
    consumer.token(at, "/plugins/servlet/oauth/access-token", Some(&token), step).await?.token(app)
}

/// Whether Bitbucket knows us, found out by the first step of a login that nobody goes on with.
///
/// # Errors
/// As [`depart`].
pub(super) async fn try_out(at: &Connection, callback: &Url) -> Result<(), LoginError> {
    depart(at, callback).await.map(drop)
}

/// Sixteen random bytes, in hexadecimal.
fn nonce() -> Option<String> {
    let mut bytes = [0; 16];
    SysRng.try_fill_bytes(&mut bytes).ok()?;
    Some(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// What Bitbucket answers to a request for a token: a form, whatever type it states.
struct Reply(BTreeMap<String, SecretString>);

impl Reply {
    fn read(app: &App, answer: &Answer) -> Result<Self, LoginError> {
        if !answer.status.is_success() {
            let code = answer.status.as_u16();
            return Err(app.refused(format!(
                "it answers our request for a token with HTTP {code}. Ask an administrator to compare `url` of this \
                 integration, and whether application links by OAuth 1 are allowed there"
            )));
        }
        let pairs = url::form_urlencoded::parse(answer.body.trim_ascii());
        Ok(Self(pairs.map(|(name, value)| (name.into_owned(), SecretString::from(value.into_owned()))).collect()))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(ExposeSecret::expose_secret).filter(|value| !value.is_empty())
    }

    fn token(&self, app: &App) -> Result<SecretString, LoginError> {
        let token = self.get("oauth_token").filter(|token| token.len() <= 4096);
        let token = token.ok_or_else(|| app.malformed("its answer to our request for a token holds none"))?;
        Ok(SecretString::from(token.to_owned()))
    }
}

/// The problem that an answer reports, in its header or its body.
fn problem(answer: &Answer) -> Option<String> {
    let header = answer.headers.get_all(header::WWW_AUTHENTICATE).iter().find_map(|value| {
        let (_, rest) = value.to_str().ok()?.split_once("oauth_problem=\"")?;
        Some(rest.split('"').next()?.to_owned())
    });
    let body = || {
        let mut pairs = url::form_urlencoded::parse(&answer.body);
        pairs.find(|(name, _)| name == "oauth_problem").map(|(_, value)| value.into_owned())
    };
    header.or_else(body).map(|problem| printable(&problem, 60)).filter(|problem| !problem.is_empty())
}

/// What a problem means. The words are those of the OAuth problem reporting extension.
fn refusal(app: &App, consumer: &str, problem: &str) -> LoginError {
    let id = &app.id;
    match problem {
        "permission_denied" | "user_refused" | "permission_unknown" => app.denied(),
        "token_rejected" | "token_expired" | "token_used" | "token_revoked" | "verifier_invalid" => app.stale(),
        "nonce_used" => app.unavailable("it has seen our question already, as if somebody had repeated it"),
        "consumer_key_unknown" | "consumer_key_rejected" | "consumer_key_refused" => app.refused(format!(
            "it has no application link with the consumer key `{consumer}` of the integration `{id}`. Ask an administrator \
             to compare them, and whether the link has incoming authentication"
        )),
        "signature_invalid" | "signature_method_rejected" => app.refused(format!(
            "it does not accept our signature. Ask an administrator to give the application link there the public half of \
             `private_key` of the integration `{id}` (`openssl rsa -in KEY -pubout`), and to compare `url` with the base \
             URL there"
        )),
        "timestamp_refused" => app.refused(
            "its clock and the one of this server differ too much. Ask an administrator to let both follow a time server",
        ),
        other => app.refused(format!("it answers with the problem `{other}`")),
    }
}
