//! Tokens that replace themselves before they end, as somebody wants it.

use serde_json::json;

use super::find;
use crate::admin::{Actor, Error, Result};
use crate::appliance::{Appliance, By, Rotation};
use crate::clock::Timestamp;
use crate::store::ids::OrgId;
use crate::store::{credentials, self_rotations};

/// Says whether a credential's token replaces itself before it ends.
///
/// # Errors
/// If there is no such credential, or its token is none that may.
pub async fn set_self_rotation(appliance: &Appliance, actor: &Actor, org: OrgId, name: &str, on: bool) -> Result<()> {
    let wanted = name.to_owned();
    let found = appliance.database.read(move |db| find(org, db, &wanted)).await?;
    let ends = match on {
        true => Some(end(appliance, org, &found).await?),
        false => None,
    };
    let (actor, now, id) = (actor.clone(), appliance.now(), found.id);
    appliance
        .database
        .write(move |tx| {
            let found = credentials::by_id(org, tx, id)?.ok_or_else(|| Error::not_found("the credential is gone"))?;
            self_rotations::set(org, tx, id, on)?;
            if let Some(ends) = ends {
                credentials::set_expiry(org, tx, id, Some(ends))?;
            }
            if found.self_rotate != on {
                let action = if on { "credential.self_rotate" } else { "credential.stay" };
                actor.record(tx, Some(org), action, &found.name, json!({ "expires_at": ends }), now)?;
            }
            Ok(())
        })
        .await
}

/// When the token ends, if it is one that may replace itself.
async fn end(appliance: &Appliance, org: OrgId, found: &credentials::Credential) -> Result<Timestamp> {
    let life = appliance.token_life(org, found.id).await.map_err(refused)?;
    life.ends.ok_or_else(|| {
        Error::invalid(format!("the token of `{}` has no end, so that nothing has to be put in its place", found.name))
    })
}

/// Puts another token in the place of a credential's now; when that one ends.
///
/// # Errors
/// If there is no such credential, its token is none that may, it is in use, or the platform did not do it.
pub async fn replace_token(appliance: &Appliance, actor: &Actor, org: OrgId, name: &str) -> Result<Option<Timestamp>> {
    let wanted = name.to_owned();
    let found = appliance.database.read(move |db| find(org, db, &wanted)).await?;
    let by = By { actor: actor.text().to_owned(), via: actor.via() };
    let rotation =
        appliance.rotate_token(org, found.id, by).await.map_err(|error| Error::invalid(error.to_string()))?;
    match rotation {
        Rotation::Replaced(ends) => Ok(ends),
        Rotation::Busy => Err(Error::conflict(format!(
            "the token of `{name}` is in use at this moment, and is replaced only while nobody uses it: try again in a minute"
        ))),
        Rotation::Refused(why) | Rotation::Open(why) | Rotation::Lost(why) => Err(refused(why)),
        Rotation::Gone => Err(Error::not_found(format!("the credential `{name}` was changed or removed meanwhile"))),
    }
}

fn refused(text: String) -> Error {
    Error::invalid(text.trim_end_matches('.').to_owned())
}
