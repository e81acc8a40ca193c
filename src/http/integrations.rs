//! The platforms that people sign in with, as pages need them.

use url::Url;

use crate::admin::accounts::Known;
pub use crate::appliance::callback;
use crate::platform::{Connection, PlatformKind};
use crate::store::accounts::Recorded;

/// A platform, as the configuration has it.
#[derive(Clone, Debug)]
pub struct Integration {
    /// Its name in addresses, commands and the configuration.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it is.
    pub platform: PlatformKind,
    /// Its address.
    pub url: String,
    /// The way there; none without an app that people could sign in by.
    pub connection: Option<Connection>,
    /// Whether the login page offers it.
    pub login: bool,
    /// Whether a first sign-in is taken for that of an account with the same verified address.
    pub link_by_email: bool,
}

impl Integration {
    /// As people become known by it.
    #[must_use]
    pub fn known(&self) -> Known {
        Known {
            id: self.id.clone(),
            name: self.name.clone(),
            recorded: Recorded { platform: self.platform.as_str().to_owned(), url: self.url.clone() },
            link_by_email: self.link_by_email,
        }
    }

    /// Where the platform sends browsers back to: made of our own address only, whatever a request says.
    #[must_use]
    pub fn callback(&self, public_url: &str) -> String {
        callback(&self.id, public_url)
    }

    /// The same, for calling.
    pub(super) fn callback_url(&self, public_url: &str) -> Option<Url> {
        Url::parse(&self.callback(public_url)).ok()
    }
}
