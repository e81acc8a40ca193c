//! Logging in with a platform: what is the same for all of them. A person's browser departs to the platform, comes back
//! to our callback, and the platform tells us who it was. The platform's tokens live no longer than that.

use std::collections::BTreeMap;
use std::fmt;

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::answer::printable;
use super::app::{App, Connection};
use super::code_flow::CodeFlow;
use super::connected::Reach;
use super::kind::PlatformKind;
use super::{bitbucket_cloud, bitbucket_datacenter, github, gitlab};
use crate::clock::Timestamp;

/// Most characters of a value that comes back with the browser.
const LONGEST_VALUE: usize = 4096;

/// Most characters of a name or id of a person.
const LONGEST_NAME: usize = 200;

/// How people log in with one platform. Implementations hold no state; whoever calls goes through [`Connection`].
pub trait Login: Send + Sync {
    /// The addresses that calls go to, of which only scheme, host and port count.
    fn origins(&self, app: &App) -> Vec<Url> {
        vec![app.url.clone()]
    }

    /// As [`Connection::depart`].
    fn depart<'a>(
        &'a self,
        at: &'a Connection,
        callback: &'a Url,
        who: Who,
    ) -> BoxFuture<'a, Result<Departure, LoginError>>;

    /// As [`Connection::identify`].
    fn identify<'a>(
        &'a self,
        at: &'a Connection,
        callback: &'a Url,
        returned: &'a Returned,
        keep: &'a SecretString,
    ) -> BoxFuture<'a, Result<Identity, LoginError>>;

    /// The flow by which an account is connected for good, and so far; None where there is no such way.
    fn connecting(&self, _app: &App, _reach: Reach) -> Option<CodeFlow> {
        None
    }

    /// Whose a token is that [`Self::connecting`] led to.
    fn owner<'a>(&'a self, at: &'a Connection, token: &'a SecretString) -> BoxFuture<'a, Result<Identity, LoginError>>;

    /// Where tokens are given back; None where they cannot be.
    fn gives_back_at(&self, _app: &App) -> Option<Url> {
        None
    }

    /// As [`Connection::diagnose`].
    fn diagnose<'a>(&'a self, at: &'a Connection, callback: &'a Url, now: Timestamp) -> BoxFuture<'a, Vec<Finding>>;
}

/// How people log in with a platform.
#[must_use]
pub(super) fn login(platform: PlatformKind) -> &'static dyn Login {
    match platform {
        PlatformKind::GitHub => &github::GitHub,
        PlatformKind::GitLab => &gitlab::GitLab,
        PlatformKind::BitbucketCloud => &bitbucket_cloud::BitbucketCloud,
        PlatformKind::BitbucketDataCenter => &bitbucket_datacenter::BitbucketDataCenter,
    }
}

/// Whom the platform is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Whoever the browser is logged in there as.
    Current,
    /// Whom the person chooses, where the platform can ask: to connect one more account.
    Chosen,
}

/// A browser's way to the platform.
#[derive(Clone, Debug)]
pub struct Departure {
    /// Where the browser goes.
    pub url: Url,
    /// How it is recognised when it comes back: what [`Returned::state`] must be. Good for one time.
    pub state: String,
    /// What proves at the end that we are who began: PKCE's verifier. To be kept, sealed, with this browser; empty for OAuth 1,
    /// where our key proves it.
    pub keep: SecretString,
}

/// What the browser brought back to the callback: the query of its address. Hostile until the state is compared.
#[derive(Clone, Default)]
pub struct Returned(BTreeMap<String, SecretString>);

/// Codes are no use to anybody twice, but logs need not have them even once.
impl fmt::Debug for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Returned {
    /// Reads a query, without its question mark. Parameters that no platform sends are left out; None if one that counts
    /// stands in it twice or is too long, which no platform does.
    #[must_use]
    pub fn parse(query: &str) -> Option<Self> {
        const KNOWN: [&str; 8] =
            ["code", "state", "iss", "error", "error_description", "oauth_token", "oauth_verifier", "denied"];
        let mut found = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if !KNOWN.contains(&&*name) {
                continue;
            }
            let is_odd = value.len() > LONGEST_VALUE || value.chars().any(char::is_control);
            if is_odd || found.insert(name.into_owned(), SecretString::from(value.into_owned())).is_some() {
                return None;
            }
        }
        Some(Self(found))
    }

    /// What recognises the departure: OAuth 2's `state`, or OAuth 1's `oauth_token`. None when there is neither or both.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        match (self.get("state"), self.get("oauth_token").or_else(|| self.get("denied"))) {
            (Some(state), None) | (None, Some(state)) => Some(state),
            _ => None,
        }
    }

    /// One parameter that is not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(ExposeSecret::expose_secret).filter(|value| !value.is_empty())
    }
}

/// A person, as the platform knows them at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The platform's id, which it never gives to anybody else: the only thing by which a person is recognised.
    pub subject: String,
    /// The name they log in there with; it may change, and be somebody else's later.
    pub login: String,
    /// Their name as they write it.
    pub display_name: Option<String>,
    /// Their address, as far as the platform tells.
    pub email: Option<Email>,
}

impl Identity {
    /// The same, fit to be kept and shown: people write their names themselves.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] when there is nothing left to know the person by.
    pub(super) fn checked(self, app: &App) -> Result<Self, LoginError> {
        let login = printable(&self.login, LONGEST_NAME);
        let is_id =
            (1..=LONGEST_NAME).contains(&self.subject.len()) && self.subject.bytes().all(|b| b.is_ascii_graphic());
        if !is_id || login.is_empty() {
            return Err(app.malformed("the account has no id or no name"));
        }
        let display_name = self.display_name.map(|name| printable(&name, LONGEST_NAME)).filter(|name| !name.is_empty());
        let email = self.email.filter(|email| is_address(&email.address));
        Ok(Self { subject: self.subject, login, display_name, email })
    }
}

/// Whether it can be an address (RFC 5321, section 4.5.3.1, knows no longer ones).
fn is_address(text: &str) -> bool {
    let parts = text.rsplit_once('@').is_some_and(|(user, domain)| !user.is_empty() && !domain.is_empty());
    parts && text.len() <= 254 && !text.chars().any(|char| char.is_control() || char.is_whitespace())
}

/// An e-mail address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// The address.
    pub address: String,
    /// Whether the platform says that it is theirs.
    pub verified: bool,
}

/// One thing that a test of an integration found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it is.
    pub level: Level,
    /// A sentence that says so, and what to do about it.
    pub text: String,
}

/// How a [`Finding`] is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It works.
    Ok,
    /// It works, but somebody should look at it.
    Warn,
    /// It does not work.
    Fail,
}

/// Why nobody was logged in. Each text is for the person who tried, and says what to do; none holds a code or secret.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The person, or whoever sat there, said no.
    #[error("{name} was not allowed to tell who you are. Log in again, and allow it, if that was a mistake")]
    Denied {
        /// The platform.
        name: String,
    },
    /// The confirmation is too old or was used before: reloading the page, a slow network, a changed browser.
    #[error(
        "{name} does not accept its confirmation of who you are: it is too old, or was used before. Log in again. If it \
         happens every time, ask an administrator to run the test of this integration"
    )]
    Stale {
        /// The platform.
        name: String,
    },
    /// The platform does not accept us: for the administrator.
    #[error("{name} does not let this server log anybody in: {reason}")]
    App {
        /// The platform.
        name: String,
        /// What is wrong and where to put it right, without a full stop.
        reason: String,
    },
    /// This account may not log in: suspended, blocked, a bot's.
    #[error("You cannot log in with this account of {name}: {reason}")]
    Account {
        /// The platform.
        name: String,
        /// Why, without a full stop.
        reason: String,
        /// If the platform keeps the account itself out, and told which it is: the account's id there.
        suspended: Option<String>,
    },
    /// The platform wants to be left alone for a while.
    #[error("{name} answers no more requests of this server for now. Try again in {}", duration(*seconds))]
    RateLimited {
        /// The platform.
        name: String,
        /// For how long.
        seconds: u64,
    },
    /// The platform does not answer, or something else answers in its place.
    #[error("{name} cannot tell who you are at the moment: {reason}. Try again later")]
    Unavailable {
        /// The platform.
        name: String,
        /// What happened, without a full stop.
        reason: String,
    },
    /// The platform says what makes no sense.
    #[error(
        "What {name} said about you was not understood: {reason}. Try again, and tell an administrator if it stays"
    )]
    Malformed {
        /// The platform.
        name: String,
        /// What is wrong, without a full stop.
        reason: String,
    },
}

impl LoginError {
    /// Whether only an administrator can put it right, so that the log should say it loudly.
    #[must_use]
    pub fn is_for_administrator(&self) -> bool {
        matches!(self, Self::App { .. } | Self::Malformed { .. })
    }
}

/// Seconds as people read them.
fn duration(seconds: u64) -> String {
    match seconds {
        0..=1 => "a second".to_owned(),
        2..=119 => format!("{seconds} seconds"),
        120..=7199 => format!("{} minutes", seconds.div_ceil(60)),
        _ => format!("{} hours", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use secrecy::SecretString;

    use super::{App, Email, Identity, PlatformKind, Returned, duration};
    use crate::platform::LoginApp;

    #[test]
    fn names_are_kept_as_they_can_be_shown() {
        let app = App {
            id: "x".to_owned(),
            platform: PlatformKind::GitLab,
            url: "https://x.example".parse().unwrap(),
            name: "X".to_owned(),
            login: LoginApp::OAuth2 { client_id: String::new(), client_secret: SecretString::default() },
        };
        let person = |subject: &str, login: &str, name: &str, address: &str| Identity {
            subject: subject.to_owned(),
            login: login.to_owned(),
            display_name: Some(name.to_owned()),
            email: Some(Email { address: address.to_owned(), verified: true }),
        };
        let odd = person("7", "a\u{202e}da", &format!(" A\nda{}", "x".repeat(9999)), "a@b\r\nBcc: c");
        let kept = odd.checked(&app).unwrap();
        assert_eq!((kept.login.as_str(), kept.email), ("ada", None));
        assert_eq!(kept.display_name.unwrap().len(), 199);
        assert_eq!(person("7", "ada", " ", "a@b").checked(&app).unwrap().display_name, None);
        for (subject, login) in [("", "ada"), ("7\n", "ada"), ("7", "\u{200f} ")] {
            person(subject, login, "Ada", "a@b").checked(&app).unwrap_err();
        }
        for address in ["a", "@b", "a@", &format!("{}@b", "a".repeat(300))] {
            assert_eq!(person("7", "ada", "Ada", address).checked(&app).unwrap().email, None, "{address}");
        }
    }

    #[test]
    fn a_query_is_read_once_and_never_printed() {
        let returned = Returned::parse("code=a%2Bb&state=x&session_state=y&error=").unwrap();
        assert_eq!((returned.get("code"), returned.state(), returned.get("error")), (Some("a+b"), Some("x"), None));
        assert_eq!(returned.get("session_state"), None);
        assert_eq!(format!("{returned:?}"), r#"{"code", "error", "state"}"#);
        for odd in ["state=a&state=b", "code=a%00", &format!("code={}", "x".repeat(5000))] {
            assert!(Returned::parse(odd).is_none(), "{odd}");
        }
        assert_eq!(Returned::parse("oauth_token=t&oauth_verifier=v").unwrap().state(), Some("t"));
        assert_eq!(Returned::parse("denied=t").unwrap().state(), Some("t"));
        for none in ["", "state=", "state=a&oauth_token=b"] {
            assert_eq!(Returned::parse(none).unwrap().state(), None, "{none}");
        }
    }

    #[test]
    fn durations_are_read_by_people() {
        for (seconds, text) in [(0, "a second"), (60, "60 seconds"), (121, "3 minutes"), (7200, "2 hours")] {
            assert_eq!(duration(seconds), text);
        }
    }
}
