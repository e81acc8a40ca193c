//! An app of ours on a platform, and the connection to it that everything goes through.

use secrecy::SecretString;
use url::Url;

use super::PlatformKind;
use super::login::{self, Departure, Finding, Identity, LoginError, Returned, Who};
use crate::clock::{Clock, Timestamp};
use crate::outbound::{self, PlatformClient, SetupFailed};

/// An app of ours that is registered on a platform.
#[derive(Clone, Debug)]
pub struct App {
    /// The integration's name in addresses and commands.
    pub id: String,
    /// The platform.
    pub platform: PlatformKind,
    /// The platform's address as browsers use it; a path in it stays in front of everything.
    pub url: Url,
    /// What people call it: the name on the login button, and in messages.
    pub name: String,
    /// What people log in by.
    pub login: LoginApp,
}

/// What the platform knows us by at a login.
#[derive(Clone, Debug)]
pub enum LoginApp {
    /// An OAuth 2 app.
    OAuth2 {
        /// Public.
        client_id: String,
        /// Secret.
        client_secret: SecretString,
    },
    /// An OAuth 1 consumer of an old Bitbucket Data Center.
    OAuth1 {
        /// Public.
        consumer_key: String,
        /// RSA key, PEM.
        private_key: SecretString,
    },
}

impl App {
    /// An address below the platform's own.
    pub(super) fn at(&self, path: &str) -> Url {
        below(&self.url, path)
    }
}

/// The address of `path`, which begins with a slash, below `base`. `Url::join` would lose the base's own path.
pub(super) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

/// An app, and the client that reaches its platform and nothing else.
#[derive(Clone, Debug)]
pub struct Connection {
    app: App,
    client: PlatformClient,
    clock: Clock,
}

impl Connection {
    /// Makes a connection, which reads the time from `clock`; nothing is sent yet.
    ///
    /// # Errors
    /// [`SetupFailed`] when certificates or proxy of the settings are unusable.
    pub fn new(app: App, outbound: &outbound::Settings, clock: Clock) -> Result<Self, SetupFailed> {
        let client = PlatformClient::new(outbound, &login::login(app.platform).origins(&app))?;
        Ok(Self { app, client, clock })
    }

    /// The app.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Whether it is an application link of an old Bitbucket Data Center.
    #[must_use]
    pub const fn is_oauth1(&self) -> bool {
        matches!(self.app.login, LoginApp::OAuth1 { .. })
    }

    /// The time, which OAuth 1 signs.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The client.
    pub(super) fn client(&self) -> &PlatformClient {
        &self.client
    }

    /// Where to send a person's browser so that it comes back to `callback` with news of who it is.
    ///
    /// # Errors
    /// [`LoginError`]; only OAuth 1 asks the platform already here.
    pub async fn depart(&self, callback: &Url, who: Who) -> Result<Departure, LoginError> {
        login::login(self.app.platform).depart(self, callback, who).await
    }

    /// Who came back. `callback` and `keep` are those of the departure, whose state the caller has compared already
    /// with [`Returned::state`].
    ///
    /// # Errors
    /// [`LoginError`], with what to tell the person.
    pub async fn identify(
        &self,
        callback: &Url,
        returned: &Returned,
        keep: &SecretString,
    ) -> Result<Identity, LoginError> {
        login::login(self.app.platform).identify(self, callback, returned, keep).await?.checked(&self.app)
    }

    /// What works, and what is missing. `now` is held against the platform's clock.
    pub async fn diagnose(&self, callback: &Url, now: Timestamp) -> Vec<Finding> {
        login::login(self.app.platform).diagnose(self, callback, now).await
    }
}
