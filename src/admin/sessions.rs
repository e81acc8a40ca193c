//! Sessions: how long they last, and how they end.

use std::time::Duration;

use serde_json::json;

use super::{Actor, Error, Result};
use crate::appliance::Appliance;
use crate::clock::Timestamp;
use crate::store::ids::{SessionId, UserId};
use crate::store::sessions::{self, Session};
use crate::store::users::User;

/// A session that was not used for so long is over.
pub const IDLE: Duration = Duration::from_secs(14 * 86_400);
/// A session is over after this time, however much it is used.
pub const ABSOLUTE: Duration = Duration::from_secs(90 * 86_400);
/// Whoever administers the instance proves who it is again after this time.
pub const ADMINISTRATION: Duration = Duration::from_secs(12 * 3_600);

/// The session whose cookie has this digest, if it lasts, and its person, if enabled.
///
/// # Errors
/// If the database cannot be read.
pub async fn find(appliance: &Appliance, digest: [u8; 32]) -> Result<Option<(Session, User)>> {
    let now = appliance.now();
    let found = appliance.database.read(move |db| sessions::by_digest(db, &digest)).await?;
    Ok(found.filter(|(session, user)| user.enabled && lasts(session, now)))
}

fn lasts(session: &Session, now: Timestamp) -> bool {
    now.since(session.seen_at) < IDLE && now.since(session.created_at) < ABSOLUTE
}

/// Whether the person proved who it is long ago, too long for what only administrators of the instance may do.
#[must_use]
pub fn is_stale(session: &Session, now: Timestamp) -> bool {
    now.since(session.authenticated_at) >= ADMINISTRATION
}

/// A person's sessions that last, the one used last first.
///
/// # Errors
/// If the database cannot be read.
pub async fn list(appliance: &Appliance, user: UserId) -> Result<Vec<Session>> {
    let now = appliance.now();
    let mut all = appliance.database.read(move |db| sessions::of_user(db, user)).await?;
    all.retain(|session| lasts(session, now));
    Ok(all)
}

/// Ends the session that asks for it.
///
/// # Errors
/// If the database cannot be written.
pub async fn log_out(appliance: &Appliance, actor: &Actor, user: &User, id: SessionId) -> Result<()> {
    let (actor, now, name, user) = (actor.clone(), appliance.now(), user.name.clone(), user.id);
    appliance
        .database
        .write(move |tx| {
            if sessions::remove(tx, user, id)? {
                actor.record(tx, None, "session.log-out", &name, json!({ "session": id }), now)?;
            }
            Ok(())
        })
        .await
}

/// Ends another of the person's sessions.
///
/// # Errors
/// If there is no such session.
pub async fn end(appliance: &Appliance, actor: &Actor, user: &User, id: SessionId) -> Result<()> {
    let (actor, now, name, user) = (actor.clone(), appliance.now(), user.name.clone(), user.id);
    appliance
        .database
        .write(move |tx| {
            if !sessions::remove(tx, user, id)? {
                return Err(Error::not_found("that session is over already"));
            }
            actor.record(tx, None, "session.end", &name, json!({ "session": id }), now)?;
            Ok(())
        })
        .await
}

/// Ends all of a person's sessions but `except`; how many there were.
///
/// # Errors
/// If the database cannot be written.
pub async fn end_all(appliance: &Appliance, actor: &Actor, user: &User, except: Option<SessionId>) -> Result<usize> {
    let (actor, now, name, user) = (actor.clone(), appliance.now(), user.name.clone(), user.id);
    appliance
        .database
        .write(move |tx| {
            let ended = sessions::remove_all(tx, user, except)?;
            actor.record(tx, None, "session.end-all", &name, json!({ "ended": ended }), now)?;
            Ok(ended)
        })
        .await
}

/// Gives a session another cookie, whose digest this is, because what opens the account has changed.
///
/// # Errors
/// If the database cannot be written.
pub async fn renew(appliance: &Appliance, id: SessionId, digest: [u8; 32]) -> Result<()> {
    let now = appliance.now();
    Ok(appliance.database.write(move |tx| sessions::renew(tx, id, &digest, now)).await?)
}
