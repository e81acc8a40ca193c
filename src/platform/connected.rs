//! Accounts that somebody connects for good, to be used as credentials: the same way there and back as at a login, with wider
//! scopes, and tokens that are kept and renewed. Everywhere a renewal replaces both tokens and ends the old ones, so that an
//! answer which is not stored is a grant that is lost: whoever renews does so for one at a time.

use std::fmt;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use oauth2::basic::{BasicErrorResponse, BasicTokenResponse};
use oauth2::{RefreshToken, RequestTokenError, TokenResponse};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::app::{App, Connection};
use super::code_flow::{CodeFlow, Redeeming, Sender, client, give_back, secrets};
use super::login::{self, Departure, Identity, LoginError, Returned};

/// Longest token that is taken, in bytes; Bitbucket's have grown to some thousand.
const LONGEST_TOKEN: usize = 64 << 10;
/// Longest life of a token that is believed.
const LONGEST_LIFE: Duration = Duration::from_secs(400 * 86_400);

/// How far a connected account may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It reads: repositories, people and their rights.
    Reading,
    /// It installs webhooks too, for which platforms want far more.
    Hooks,
}

/// What a platform gave for a code or a refresh token.
#[derive(Clone)]
pub struct Granted {
    /// The access token.
    pub access: SecretString,
    /// What it is renewed with. None: the one before stays good, or there is none.
    pub refresh: Option<SecretString>,
    /// How long the access token works from now on. Counted by our clock, so that theirs may differ. None: for ever.
    pub lasts: Option<Duration>,
}

/// Tokens are nobody's business.
impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Granted").field("lasts", &self.lasts).finish_non_exhaustive()
    }
}

impl Connection {
    /// What would be asked for in the platform's words, if accounts there can be connected for good.
    #[must_use]
    pub fn scopes_to_connect(&self, reach: Reach) -> Option<&'static [&'static str]> {
        self.connecting(reach).map(|flow| flow.scopes).ok()
    }

    /// Where to send a person's browser so that it comes back with an account to keep.
    ///
    /// # Errors
    /// [`LoginError::App`] where accounts cannot be connected.
    pub fn depart_to_connect(&self, callback: &Url, reach: Reach) -> Result<Departure, LoginError> {
        self.connecting(reach)?.depart(self.app(), callback)
    }

    /// The account that came back, and its tokens. `callback` and `keep` are those of the departure, whose state the caller
    /// has compared already with [`Returned::state`].
    ///
    /// # Errors
    /// [`LoginError`], with what to tell the person; then nothing stays at the platform.
    pub async fn connect(
        &self,
        callback: &Url,
        reach: Reach,
        returned: &Returned,
        keep: &SecretString,
    ) -> Result<(Identity, Granted), LoginError> {
        let flow = self.connecting(reach)?;
        let granted = granted(self.app(), &flow.answered(self, callback, returned, keep).await?)?;
        let owner = login::login(self.app().platform).owner(self, &granted.access).await;
        match owner.and_then(|identity| identity.checked(self.app())) {
            Ok(identity) => Ok((identity, granted)),
            Err(error) => {
                self.disconnect(&granted.access).await;
                Err(error)
            }
        }
    }

    /// New tokens for a refresh token. The platform is asked once.
    ///
    /// # Errors
    /// [`LoginError::Stale`] when the refresh token is not good any more; every other leaves it open whether it still is.
    pub async fn renew(&self, callback: &Url, refresh: &SecretString) -> Result<Granted, LoginError> {
        let app = self.app();
        let flow = self.connecting(Reach::Reading)?;
        let (client_id, client_secret) = secrets(app)?;
        let client = client(&flow, client_id, client_secret, callback);
        let refresh = RefreshToken::new(refresh.expose_secret().to_owned());
        let callback_again = flow.renews_with_callback.then(|| callback.to_string());
        let response = exchange(self.clone(), client, refresh, callback_again).await;
        granted(app, &response.map_err(|error| flow.failed(app, error, callback))?)
    }

    /// Gives the tokens of an account back, as far as the platform takes them. Failing at it changes nothing here.
    pub async fn disconnect(&self, access: &SecretString) {
        if let Some(url) = login::login(self.app().platform).gives_back_at(self.app()) {
            give_back(self, &url, access).await;
        }
    }

    fn connecting(&self, reach: Reach) -> Result<CodeFlow, LoginError> {
        let flow = login::login(self.app().platform).connecting(self.app(), reach);
        flow.ok_or_else(|| self.app().refused("accounts there cannot be connected for good. Add a token in its place"))
    }
}

fn granted(app: &App, response: &BasicTokenResponse) -> Result<Granted, LoginError> {
    let token = |text: &str| {
        let is_token = (1..=LONGEST_TOKEN).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_token.then(|| SecretString::from(text.to_owned())).ok_or_else(|| app.malformed("its token is not one"))
    };
    // Platforms that tell of no new refresh token may send an empty one.
    let refresh = response.refresh_token().map(|refresh| refresh.secret().as_str()).filter(|text| !text.is_empty());
    Ok(Granted {
        access: token(response.access_token().secret())?,
        refresh: refresh.map(token).transpose()?,
        lasts: response.expires_in().map(|lasts| lasts.min(LONGEST_LIFE)),
    })
}

/// Renews. It owns what it needs, for the same reason as when codes are redeemed.
fn exchange(
    at: Connection,
    client: Redeeming,
    refresh: RefreshToken,
    callback: Option<String>,
) -> BoxFuture<'static, Result<BasicTokenResponse, RequestTokenError<LoginError, BasicErrorResponse>>> {
    async move {
        let mut request = client.exchange_refresh_token(&refresh);
        if let Some(callback) = callback {
            request = request.add_extra_param("redirect_uri", callback);
        }
        request.request_async(&Sender(at)).await
    }
    .boxed()
}
