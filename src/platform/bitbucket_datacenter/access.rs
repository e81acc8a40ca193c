//! How calls of the API prove whose they are.

use oauth2::http::{Method, Request, header};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::oauth1::Consumer;
use crate::outbound::Answer;
use crate::platform::app::Connection;
use crate::platform::login::LoginError;

/// A token, and the way in which it is shown.
pub(super) enum Access {
    /// OAuth 2: a token in a header.
    Bearer(SecretString),
    /// OAuth 1: every call signed.
    Signed(Consumer, SecretString),
}

impl Access {
    /// Asks for something.
    ///
    /// # Errors
    /// [`LoginError::Unavailable`] and [`LoginError::RateLimited`]; an answer that says no is none.
    pub async fn get(&self, at: &Connection, url: &Url) -> Result<Answer, LoginError> {
        let app = at.app();
        let proof = match self {
            Self::Bearer(token) => format!("Bearer {}", token.expose_secret()),
            Self::Signed(consumer, token) => consumer.sign(at, Method::GET, url, Some(token), Vec::new()).await?,
        };
        let request = Request::builder()
            .method(Method::GET)
            .uri(url.as_str())
            .header(header::ACCEPT, "application/json")
            .header(header::AUTHORIZATION, proof)
            .body(Vec::new())
            .map_err(|_| app.malformed("the token that it gave is not one"))?;
        at.ask_in_words(request).await
    }
}
