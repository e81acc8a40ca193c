//! What the tests have in common: an app, a person with a browser, and the way there and back.

use std::time::Duration;

use packagist_selfhosted::clock::{Clock, Timestamp};
use packagist_selfhosted::outbound::Settings;
use packagist_selfhosted::platform::{
    App, Connection, Departure, Finding, Identity, Level, LoginApp, LoginError, PlatformKind, Returned, Who,
};
use secrecy::SecretString;
use url::Url;

use crate::platforms::frame::now;
use crate::platforms::visitor::{Arrival, Visitor};

/// Where browsers come back to.
pub const CALLBACK: &str = "https://packages.example.com/auth/corp/callback";

/// What leaves this machine: nothing is allowed beyond what always is.
pub fn settings() -> Settings {
    Settings { timeout: Duration::from_secs(20), ..Settings::default() }
}

/// An app as it was configured.
pub fn app(platform: PlatformKind, url: Url, client_id: &str, client_secret: &str) -> App {
    App {
        id: "corp".to_owned(),
        platform,
        url,
        name: "Corp Forge".to_owned(),
        login: LoginApp::OAuth2 {
            client_id: client_id.to_owned(),
            client_secret: SecretString::from(client_secret.to_owned()),
        },
    }
}

/// Somebody at a browser, and us.
pub struct World {
    pub connection: Connection,
    pub visitor: Visitor,
    pub callback: Url,
}

impl World {
    pub fn new(app: App, settings: &Settings, visitor: Visitor) -> Self {
        let connection = Connection::new(app, settings, Clock::system()).unwrap();
        Self { connection, visitor, callback: CALLBACK.parse().unwrap() }
    }

    pub async fn depart(&self) -> Departure {
        self.connection.depart(&self.callback, Who::Current).await.unwrap()
    }

    /// To the platform and back, with a yes.
    pub async fn allowed(&self, user: &str) -> (Departure, Returned) {
        let departure = self.depart().await;
        let arrival = self.visitor.allow(&departure.url, user).await;
        let returned = self.returned(&departure, &arrival);
        (departure, returned)
    }

    /// Reads what the browser brought to our callback, and compares the state as the server does.
    pub fn returned(&self, departure: &Departure, arrival: &Arrival) -> Returned {
        let returned = Returned::parse(arrival.query()).unwrap();
        assert_eq!(returned.state(), Some(departure.state.as_str()));
        returned
    }

    pub async fn identify(&self, departure: &Departure, returned: &Returned) -> Result<Identity, LoginError> {
        let result = self.connection.identify(&self.callback, returned, &departure.keep).await;
        if let (Err(error), Some(code)) = (&result, returned.get("code")) {
            assert!(!error.to_string().contains(code) && !format!("{error:?}").contains(code), "{error}");
        }
        result
    }

    /// A whole login.
    pub async fn log_in(&self, user: &str) -> Result<Identity, LoginError> {
        let (departure, returned) = self.allowed(user).await;
        self.identify(&departure, &returned).await
    }

    /// The test of the integration, as one text; each finding a line.
    pub async fn diagnosis(&self) -> String {
        let findings = self.connection.diagnose(&self.callback, Timestamp::from_seconds(now())).await;
        findings.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

fn line(finding: &Finding) -> String {
    let level = match finding.level {
        Level::Ok => "ok",
        Level::Warn => "warn",
        Level::Fail => "fail",
    };
    format!("{level}: {}", finding.text)
}

/// Which account the platform keeps out, as far as it told.
pub fn suspended(result: Result<Identity, LoginError>) -> Option<String> {
    match result.unwrap_err() {
        LoginError::Account { suspended, .. } => suspended,
        other => panic!("{other}"),
    }
}

/// The text of an error, after its kind.
pub fn told(result: Result<Identity, LoginError>) -> String {
    let error = result.unwrap_err();
    let kind = match error {
        LoginError::Denied { .. } => "denied",
        LoginError::Stale { .. } => "stale",
        LoginError::App { .. } => "app",
        LoginError::Account { .. } => "account",
        LoginError::RateLimited { .. } => "rate limited",
        LoginError::Unavailable { .. } => "unavailable",
        LoginError::Malformed { .. } => "malformed",
    };
    format!("{kind}: {error}")
}
