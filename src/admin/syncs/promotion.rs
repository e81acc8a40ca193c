//! Which synchronization says who the owners are.

use serde_json::json;

use super::super::members::{owners, require_owner};
use super::super::{Actor, Error, Result};
use super::{found, title};
use crate::appliance::Appliance;
use crate::store::ids::{OrgId, SyncId};
use crate::store::syncs;

/// Who would become owner here, and who would not be one any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promotion {
    /// Who gains the role, as `integration:login`.
    pub gain: Vec<String>,
    /// Who loses it.
    pub lose: Vec<String>,
}

/// What promoting a synchronization would do.
///
/// # Errors
/// If there is no such synchronization.
pub async fn promotion(appliance: &Appliance, org: OrgId, id: SyncId) -> Result<Promotion> {
    appliance
        .database
        .read(move |db| {
            found(syncs::by_id(org, db, id)?, id)?;
            let (gain, lose) = syncs::promotion(org, db, id)?;
            Ok(Promotion { gain, lose })
        })
        .await
}

/// Makes a synchronization the primary one: owners there are owners here, and those that the one before made are none any
/// more.
///
/// # Errors
/// If there is no such synchronization, it never ran to its end, or nobody who gets in would be owner.
pub async fn promote(appliance: &Appliance, actor: &Actor, org: OrgId, id: SyncId) -> Result<Promotion> {
    let (actor, now) = (actor.clone(), appliance.now());
    appliance
        .database
        .write(move |tx| {
            let sync = found(syncs::by_id(org, tx, id)?, id)?;
            if sync.primary {
                return Ok(Promotion::default());
            }
            if sync.confirmed_at.is_none() {
                return Err(Error::conflict(format!(
                    "{} never ran to its end, so that nobody knows who the owners there are: run it first",
                    title(&sync)
                )));
            }
            let before = owners(tx, org, now)?;
            let (gain, lose) = syncs::promotion(org, tx, id)?;
            syncs::promote(org, tx, id)?;
            require_owner(tx, org, now, &before)?;
            let detail = json!({ "id": id, "gain": gain, "lose": lose });
            actor.record(tx, Some(org), "sync.promote", &title(&sync), detail, now)?;
            Ok(Promotion { gain, lose })
        })
        .await
}
