//! Whether the server reaches itself by the address that links are made of.

use std::time::{Duration, Instant};

use url::Url;

use crate::outbound::{self, PlatformClient, SetupFailed};

/// The way out and back in again.
#[derive(Clone, Debug)]
pub struct Own(PlatformClient);

impl Own {
    /// For a server with this public address.
    ///
    /// # Errors
    /// If nothing outside can be called as the settings say.
    pub fn new(settings: &outbound::Settings, public_url: &str) -> Result<Option<Self>, SetupFailed> {
        let Ok(url) = Url::parse(public_url) else { return Ok(None) };
        PlatformClient::new(settings, &[url]).map(|client| Some(Self(client)))
    }

    /// Asks itself for `echo`, which this process alone knows; how long that took.
    ///
    /// # Errors
    /// What happened instead, as the end of a sentence about it.
    pub(super) async fn reaches(&self, public_url: &str, echo: &str) -> Result<Duration, String> {
        let started = Instant::now();
        let url = Url::parse(&format!("{public_url}/setup?echo={echo}")).map_err(|error| error.to_string())?;
        let answer =
            self.0.send(reqwest::Request::new(reqwest::Method::GET, url)).await.map_err(|error| error.to_string())?;
        match answer.status.as_u16() {
            204 => Ok(started.elapsed()),
            status => Err(format!("something else answers at that address, with {status}")),
        }
    }
}
