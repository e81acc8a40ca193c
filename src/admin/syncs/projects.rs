//! Which projects of an organization are followed, where it has projects.

use serde_json::json;

use super::{found, hub, title};
use crate::admin::{Actor, Error, Result, credentials as use_credentials};
use crate::appliance::Appliance;
use crate::platform::{Hub, HubError};
use crate::store::ids::{OrgId, SyncId};
use crate::store::syncs::{self, Project};
use crate::sync::request::{self, Reason, SyncKey};

/// Most characters of a project's key.
const LONGEST_KEY: usize = 60;
/// Most projects that are chosen; who wants more wants all.
const MOST: usize = 100;

/// Keys of projects as somebody types them: between commas or spaces, in whatever case.
///
/// # Errors
/// If there is something else among them.
pub fn keys(text: &str) -> Result<Vec<String>> {
    let mut keys = Vec::new();
    for key in text.split([',', ' ', '\t', '\r', '\n']).filter(|key| !key.is_empty()) {
        let is_key = key.len() <= LONGEST_KEY && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_key {
            let shown: String = key.chars().take(LONGEST_KEY).collect();
            return Err(Error::invalid(format!(
                "`{}` is no project's key, which has letters, digits and `_`, such as WEB",
                shown.escape_debug()
            )));
        }
        let key = key.to_ascii_uppercase();
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    if keys.len() > MOST {
        return Err(Error::invalid(format!(
            "more than {MOST} projects cannot be chosen: leave them out to follow all"
        )));
    }
    Ok(keys)
}

/// What the platform knows of the projects with these keys.
///
/// # Errors
/// If the platform has none, or does not tell.
pub(super) async fn chosen(
    appliance: &Appliance,
    org: OrgId,
    hub: &Hub,
    (credential, remote): (&str, &str),
    keys: &[String],
) -> Result<Vec<Project>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let name = credential.to_owned();
    let credential = appliance.database.read(move |db| use_credentials::find(org, db, &name)).await?;
    let key = appliance.platform_key(org, credential.id).await.map_err(|error| Error::invalid(error.to_string()))?;
    let key = key.ok_or_else(|| Error::invalid("the credential opens nothing there"))?;
    let told = hub.projects(&key, remote, keys).await.map_err(|error| match error {
        HubError::RateLimited { .. } | HubError::Unavailable(_) => Error::conflict(without_stop(&error)),
        error => Error::invalid(without_stop(&error)),
    })?;
    Ok(told.into_iter().map(|one| Project { key: one.key, id: one.id }).collect())
}

fn without_stop(error: &HubError) -> String {
    error.to_string().trim_end_matches('.').to_owned()
}

/// Says which projects are followed, by their keys, and reads everything again with that; none: all of them.
///
/// # Errors
/// If there is no such synchronization or project.
pub async fn set_projects(
    appliance: &Appliance,
    actor: &Actor,
    org: OrgId,
    id: SyncId,
    wanted: &[String],
) -> Result<()> {
    let before = super::by_id(appliance, org, id).await?;
    let hub = hub(appliance, &before.integration)?;
    let keys = keys(&wanted.join(" "))?;
    let remote = before.remote_id.as_ref().unwrap_or(&before.remote);
    let credential = before.credential_name.as_deref().unwrap_or_default();
    let projects = chosen(appliance, org, hub, (credential, remote), &keys).await?;
    let (actor, now) = (actor.clone(), appliance.now());
    appliance
        .database
        .write(move |tx| {
            let sync = found(syncs::by_id(org, tx, id)?, id)?;
            syncs::set_projects(org, tx, id, &projects)?;
            if sync.paused_at.is_none() {
                request::run(tx, SyncKey { org, sync: id }, Reason::Asked, None, now)?;
            }
            let detail = json!({ "before": sync.project_keys(), "projects": keys_of(&projects) });
            actor.record(tx, Some(org), "sync.projects", &title(&sync), detail, now)?;
            Ok(())
        })
        .await
}

pub(super) fn keys_of(projects: &[Project]) -> Vec<&str> {
    projects.iter().map(|project| project.key.as_str()).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::keys;

    #[test]
    fn keys_are_typed_as_people_do() {
        assert_eq!(keys(" web, LIB\nWEB  a_1,").unwrap(), ["WEB", "LIB", "A_1"]);
        assert!(keys("").unwrap().is_empty());
        for wrong in ["WEB/LIB", "../x", "{a}", "é", &"A".repeat(61)] {
            assert!(keys(wrong).is_err(), "{wrong}");
        }
        let many: Vec<String> = (0..101).map(|number| format!("P{number}")).collect();
        assert!(keys(&many.join(",")).is_err());
    }
}
