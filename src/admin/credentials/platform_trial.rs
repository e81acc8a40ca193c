//! What a platform says of a credential of its own: what it may, what is missing and what that is needed for.

use super::trial::Finding;
use super::{host, platform, port};
use crate::admin::{Error, Result};
use crate::appliance::Appliance;
use crate::clock::Timestamp;
use crate::platform::{Level, PlatformKind};
use crate::store::credentials::Credential;
use crate::store::ids::OrgId;

/// What the platform said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// Whether it accepts the credential; None: that could not be found out.
    pub accepted: Option<bool>,
    /// When the credential stops working.
    pub expires_at: Option<Timestamp>,
}

/// Whether there is a platform to ask: one that this version reads organizations of.
pub(super) fn is_for(appliance: &Appliance, credential: &Credential) -> bool {
    let Some(platform) = PlatformKind::of_credential(&credential.kind) else { return false };
    let is_read = platform == PlatformKind::GitHub || appliance.hubs.iter().any(|hub| hub.site().platform == platform);
    is_read && platform::reads(credential, platform)
}

/// Asks it, for each organization that is read with the credential, or in general.
///
/// # Errors
/// If the credential cannot be opened.
pub(super) async fn ask(
    appliance: &Appliance,
    org: OrgId,
    credential: &Credential,
    remotes: &[String],
    tell: &mut impl FnMut(Finding),
) -> Result<Asked> {
    let name = credential.host.as_deref().unwrap_or_default();
    let hubs = appliance.hubs.for_host(name, Some(port(credential)));
    let of = PlatformKind::of_credential(&credential.kind);
    let Some(hub) = hubs.into_iter().find(|hub| Some(hub.site().platform) == of).cloned() else {
        tell(Finding::Doubtful(format!(
            "there is no [[integration]] for {} in config.toml, so that only its repositories could be tried",
            host(credential).unwrap_or_default()
        )));
        return Ok(Asked::default());
    };
    let key = appliance.key_to_test(org, credential.id).await.map_err(|error| Error::invalid(error.to_string()))?;
    let Some((key, _)) = key else { return Ok(Asked::default()) };
    let mut asked = Asked::default();
    let wanted: Vec<Option<&str>> =
        if remotes.is_empty() { vec![None] } else { remotes.iter().map(|one| Some(one.as_str())).collect() };
    for remote in wanted {
        let found = hub.diagnose(&key, remote).await;
        for finding in found.findings {
            let text = finding.text.trim_end_matches('.').to_owned();
            tell(match finding.level {
                Level::Ok => Finding::Good(text),
                Level::Warn => Finding::Doubtful(text),
                Level::Fail => Finding::Bad(text),
            });
        }
        asked = Asked {
            accepted: match (asked.accepted, found.accepted) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (one, other) => one.or(other),
            },
            expires_at: asked.expires_at.or(found.expires_at),
        };
        if asked.accepted == Some(false) {
            break;
        }
    }
    Ok(asked)
}
