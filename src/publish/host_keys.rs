//! What is known of SSH servers before an update, and what an update learned of them.

use serde_json::json;

use super::update::UpdateError;
use crate::appliance::Appliance;
use crate::store::host_keys::{self, TOFU};
use crate::store::{self, audit};
use crate::vcs::url::SourceUrl;
use crate::vcs::{HostKey, HostKeys, VcsError};

/// The keys by which the host of an address is known.
pub(super) async fn known(appliance: &Appliance, url: &SourceUrl) -> Result<HostKeys, UpdateError> {
    let (true, Some((host, port))) = (url.scheme().is_ssh(), url.host_port()) else {
        return Ok(HostKeys::default());
    };
    let rows = appliance.database.read(move |db| host_keys::of_host(db, &host, port)).await?;
    Ok(HostKeys::new(rows.iter().filter_map(parsed).collect()))
}

fn parsed(row: &host_keys::HostKey) -> Option<HostKey> {
    HostKey::parse(&format!("{} {}", row.kind, row.key))
}

/// Remembers the keys that a conversation showed first. If another conversation of the same moment has learned another
/// key, one of them spoke with somebody else, so that nothing of this one is believed.
pub(super) async fn learn(appliance: &Appliance, url: &SourceUrl, learned: Vec<HostKey>) -> Result<(), UpdateError> {
    let Some((host, port)) = url.host_port().filter(|_| !learned.is_empty()) else { return Ok(()) };
    let now = appliance.now();
    let contradiction = appliance
        .database
        .write(move |tx| {
            let rows = host_keys::of_host(tx, &host, port)?;
            let known: Vec<HostKey> = rows.iter().filter_map(parsed).collect();
            if !known.is_empty() {
                let strange = learned.iter().any(|key| !known.contains(key));
                return Ok::<_, store::Error>(strange.then(|| changed(&host, port, &known, &learned)));
            }
            for key in &learned {
                let row = host_keys::HostKey {
                    host: host.clone(),
                    port,
                    kind: key.algorithm().to_owned(),
                    key: key.key().to_owned(),
                    fingerprint: key.fingerprint(),
                    source: TOFU.to_owned(),
                    first_seen: Some(now),
                };
                host_keys::insert(tx, &row)?;
                let entry = audit::Entry {
                    org: None,
                    actor: "system".to_owned(),
                    action: "host-key.learn",
                    subject: format!("{host}:{port}"),
                    detail: json!({ "type": row.kind, "fingerprint": row.fingerprint }),
                    via: audit::Via::System,
                    address: None,
                };
                audit::append(tx, &entry, now)?;
            }
            Ok(None)
        })
        .await?;
    contradiction.map_or(Ok(()), |error| Err(error.into()))
}

fn changed(host: &str, port: u16, known: &[HostKey], presented: &[HostKey]) -> VcsError {
    let texts = |keys: &[HostKey]| keys.iter().map(HostKey::to_string).collect();
    let host = if port == 22 { host.to_owned() } else { format!("{host}:{port}") };
    VcsError::HostKeyChanged { host, known: texts(known), presented: texts(presented) }
}
