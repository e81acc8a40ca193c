//! What platforms deliver to the hooks of synchronizations. A delivery never grants anything: it queues that packages are
//! updated and that what it names is read again, in one transaction with the record of it.

use crate::appliance::{Appliance, PackageKey};
use crate::clock::Timestamp;
use crate::platform::event::{Delivery, InstallationChange};
use crate::platform::remote::Touch;
use crate::publish::request::{self, Reason};
use crate::store::ids::{HookId, JobId};
use crate::store::platform_deliveries::{self, New};
use crate::store::{self, Tx, installations};
use crate::sync::request::{self as runs, SyncKey};

/// Where a delivery came to.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// The integration whose platform sent it.
    pub integration: String,
    /// The hook that it came to; none for those of a GitHub App.
    pub hook: Option<HookId>,
    /// The platform's id of the only repository that the hook tells of.
    pub repository: Option<String>,
    /// Whom it concerns.
    pub syncs: Vec<SyncKey>,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Work is queued, or merged into work that waits.
    Queued,
    /// It came before, and what it caused did not fail.
    Known,
    /// It says nothing that matters here.
    Ignored,
}

/// Takes a delivery whose signature is right. After this, its work happens, whatever crashes.
///
/// # Errors
/// If it could not be stored.
pub async fn take(appliance: &Appliance, receiver: Receiver, delivery: Delivery, size: u64) -> store::Result<Taken> {
    let now = appliance.now();
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    appliance.database.write_hook(move |tx| taken(tx, &receiver, &delivery, size, now)).await
}

fn taken(tx: &Tx<'_>, receiver: &Receiver, delivery: &Delivery, size: i64, now: Timestamp) -> store::Result<Taken> {
    if let (Some(hook), Some(key)) = (receiver.hook, receiver.syncs.first()) {
        platform_deliveries::note_call(key.org, tx, hook, true, now)?;
        if delivery.signed {
            platform_deliveries::note_signed(key.org, tx, hook, now)?;
        }
    }
    if delivery.is_ping {
        return Ok(Taken::Ignored);
    }
    if let Some(other) = foreign(receiver, delivery) {
        tracing::warn!(
            integration = receiver.integration,
            "A webhook of one repository speaks of another one, {other}: it is ignored."
        );
        return Ok(Taken::Ignored);
    }
    if platform_deliveries::is_known(tx, &receiver.integration, &delivery.guid)? {
        return Ok(Taken::Known);
    }
    note_suspension(tx, receiver, delivery, now)?;
    let mut queued = None;
    for key in &receiver.syncs {
        let job = queue(tx, *key, delivery, now)?;
        queued = queued.or(job);
    }
    if let Some(key) = receiver.syncs.first() {
        let new = New {
            integration: &receiver.integration,
            sync: key.sync,
            hook: receiver.hook,
            guid: &delivery.guid,
            event: &delivery.event,
            subject: &delivery.subject,
            size,
            job: queued,
        };
        platform_deliveries::record(key.org, tx, &new, now)?;
    }
    Ok(if queued.is_some() { Taken::Queued } else { Taken::Ignored })
}

/// A repository that a hook has no business to speak of: whoever may edit the hook of one repository there may have its
/// secret, and nothing of the others.
fn foreign<'a>(receiver: &Receiver, delivery: &'a Delivery) -> Option<&'a str> {
    let own = receiver.repository.as_deref()?;
    let touched = delivery.touched.iter().filter_map(|touch| match touch {
        Touch::Repository(id)
        | Touch::RepositoryGone(id)
        | Touch::RepositoryMoved(id, _)
        | Touch::Readers(id)
        | Touch::ReaderGone(id, _) => Some(id.as_str()),
        _ => None,
    });
    delivery.pushed.iter().map(|(id, _)| id.as_str()).chain(touched).find(|id| *id != own)
}

/// Notes that an installation of a GitHub App was shut out, or let in again: the run that follows finds out whether that is
/// still so, and until then people should know.
fn note_suspension(tx: &Tx<'_>, receiver: &Receiver, delivery: &Delivery, now: Timestamp) -> store::Result<()> {
    // Only the App's own deliveries speak for all of its installations.
    let told = delivery.installation.as_ref().filter(|_| receiver.hook.is_none());
    let Some((id, change)) = told.and_then(|told| Some((told.id, told.change?))) else { return Ok(()) };
    let Some((org, credential)) = installations::owner(tx, &receiver.integration, id)? else { return Ok(()) };
    let since = match change {
        InstallationChange::Deleted | InstallationChange::Suspended => Some(now),
        InstallationChange::Unsuspended => None,
    };
    installations::set_suspended(org, tx, credential, since)
}

/// Queues what a delivery is worth to one synchronization; the job that is watched to know whether it came to anything.
///
/// # Errors
/// If the database cannot be written.
pub(super) fn queue(tx: &Tx<'_>, key: SyncKey, delivery: &Delivery, now: Timestamp) -> store::Result<Option<JobId>> {
    let SyncKey { org, sync } = key;
    let mut touched = delivery.touched.clone();
    if delivery.installation.as_ref().is_some_and(|installation| installation.change.is_some()) {
        // Whether it is suspended, gone or back, reading shows.
        touched.push(Touch::Everything);
    }
    let mut job = None;
    for (repository, commits) in &delivery.pushed {
        match platform_deliveries::package_of(org, tx, sync, repository)? {
            Some(package) => {
                let update = request::update(tx, PackageKey { org, package }, Reason::Hook, commits, now)?;
                job = job.or(Some(update));
            }
            // It may have its first composer.json now.
            None => touched.push(Touch::Repository(repository.clone())),
        }
    }
    if !touched.is_empty() {
        let run = runs::touched(tx, key, &touched, now)?;
        job = job.or(Some(run));
    }
    Ok(job)
}

#[cfg(test)]
#[path = "deliveries_tests.rs"]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests;
