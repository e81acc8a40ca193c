//! Whether the platforms answer, as their test finds it, for the page of the instance's status. Remembered for a while, so
//! that looking at the page often is no burden to them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;

use crate::clock::Timestamp;
use crate::http::State;
use crate::http::integrations::Integration;
use crate::platform::{Finding, Level};

/// How long what was found is shown.
const FRESH: Duration = Duration::from_secs(60);
/// How long a page waits for a platform.
const PATIENCE: Duration = Duration::from_secs(4);

/// What was found of one platform.
#[derive(Clone, Debug)]
pub struct Reach {
    /// The integration's id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// The worst of what was found.
    pub finding: Finding,
}

/// What was found last, and when. The lock is held to look or to put, never while a platform is asked.
#[derive(Default)]
pub struct Remembered(Mutex<Option<(Timestamp, Vec<Reach>)>>);

/// Asks every platform, unless that was done a moment ago.
pub async fn look(state: &State) -> Vec<Reach> {
    let now = state.appliance.now();
    let lock = || state.reach.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((at, found)) = &*lock()
        && now.since(*at) < FRESH
    {
        return found.clone();
    }
    let asked = state.settings.integrations.iter().map(|one| ask(state, one, now));
    let found: Vec<Reach> = join_all(asked).await.into_iter().flatten().collect();
    *lock() = Some((now, found.clone()));
    found
}

async fn ask(state: &State, one: &Integration, now: Timestamp) -> Option<Reach> {
    let (connection, callback) = (one.connection.as_ref()?, one.callback_url(&state.settings.public_url)?);
    let findings = tokio::time::timeout(PATIENCE, connection.diagnose(&callback, now)).await;
    let finding = match findings {
        // The first of the worst: what comes later follows from it.
        Ok(findings) => findings.into_iter().rev().max_by_key(|finding| finding.level)?,
        Err(_) => Finding {
            level: Level::Fail,
            text: format!("{} did not answer within {} seconds.", one.name, PATIENCE.as_secs()),
        },
    };
    Some(Reach { id: one.id.clone(), name: one.name.clone(), finding })
}
