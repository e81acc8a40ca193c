//! Whether a web server sends programs elsewhere. `hg` goes on to speak with the first server when it is led to another one
//! through a proxy, so that what it says then is of no use.

use reqwest::Url;
use reqwest::header::LOCATION;

use super::Login;
use crate::outbound::{self, blocking_client};
use crate::vcs::error::VcsError;

/// Asks for an address, with the login that is for its host; the error if that leads to another web server.
pub(super) fn elsewhere(address: &str, login: Option<&Login>, outbound: &outbound::Settings) -> Option<VcsError> {
    let url = Url::parse(address).ok()?;
    let client = blocking_client(outbound, url.host_str()?, url.port_or_known_default()?).ok()?;
    let request = client.get(url.clone());
    let request = match login {
        Some(login) => request.basic_auth(&login.username, Some(&login.password)),
        None => request,
    };
    let answer = request.send().ok()?;
    let location = answer.headers().get(LOCATION).filter(|_| answer.status().is_redirection())?.to_str().ok()?;
    let target = url.join(location).ok().filter(|target| matches!(target.scheme(), "http" | "https"))?;
    let origin = |url: &Url| (url.host_str().map(str::to_owned), url.port_or_known_default());
    if origin(&target) == origin(&url) {
        return None;
    }
    Some(VcsError::Redirected { from: shown(&url), to: without_details(target) })
}

fn shown(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

/// Where it is, without what may be secret.
fn without_details(mut url: Url) -> String {
    // Addresses that cannot have a user have none.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}
