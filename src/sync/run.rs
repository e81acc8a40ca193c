//! A run: reading an organization on its platform, planning, and applying.
//!
//! Whatever the platform does not tell ends a run with nothing changed. A run that events caused reads only what they spoke of,
//! and takes the rest from the answers that were kept; so every plan is made of a complete value.

use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::addresses;
use super::apply::{self, Run};
use super::change::{Action, Change, Item};
use super::hooks::Hooks;
use super::plan::{self, Leave, Loss, Plan};
use super::read;
use super::request::{Payload, Reason, SyncKey};
use crate::appliance::{Appliance, KeyFailed};
use crate::clock::Timestamp;
use crate::platform::remote::{Pages, RemoteOrganization, Scope, Touch, Wanted};
use crate::platform::{Fate, Hub, HubError, Key};
use crate::publish::log::Log;
use crate::store::ids::{JobId, RunId};
use crate::store::sync_runs::{Begun, Ended};
use crate::store::syncs::{self, Sync};
use crate::store::{self, credentials, installations, sync_hints, sync_pages, sync_runs};

/// So many things are read one by one after events; beyond, everything is.
const SINGLE: usize = 300;
/// How many kept answers are stored in one transaction, which others must not have to wait for long.
const TOGETHER: usize = 100;

/// Why a run came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The platform.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The credential.
    #[error(transparent)]
    Key(#[from] KeyFailed),
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Somebody has to change something first.
    #[error("{0}")]
    Refused(String),
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// The run; none where there was nothing to look at.
    pub run: Option<RunId>,
    /// How many changes added, changed and removed something.
    pub counts: [usize; 3],
    /// The digest of what waits for an administrator, if anything does.
    pub held: Option<String>,
}

/// What waits for an administrator, as it is stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Held {
    /// What would go.
    pub losses: BTreeSet<Loss>,
    /// The changes as they were shown, with what happens.
    pub changes: Vec<(Action, Item)>,
}

impl Held {
    /// Reads what was stored; what another release wrote waits for nobody.
    #[must_use]
    pub fn read(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }
}

/// An organization, read, and everything that planning needs beside it.
struct Reading<'a> {
    appliance: &'a Appliance,
    key: SyncKey,
    sync: Sync,
    hub: &'a Hub,
    credential: Key,
    remote: Arc<RemoteOrganization>,
    leave: Leave,
    /// Whether each push was told since everything was read last.
    told_of_pushes: bool,
}

/// Why and since when a run runs, and what it has looked at.
struct Cause {
    begun: Begun,
    everything: bool,
    /// Whether nobody waits for it.
    spare: bool,
    hints: Option<i64>,
    touches: Vec<Touch>,
}

/// Runs a synchronization; none if it is gone or paused.
///
/// # Errors
/// [`RunError`]: nothing was changed then, and the synchronization says why.
pub async fn run(
    appliance: &Appliance,
    key: SyncKey,
    payload: &Payload,
    job: JobId,
    log: &Log,
) -> Result<Option<Report>, RunError> {
    let found = appliance.database.read(move |db| {
        let hints = sync_hints::of(key.org, db, key.sync)?;
        Ok::<_, store::Error>(syncs::by_id(key.org, db, key.sync)?.map(|sync| (sync, hints)))
    });
    let Some((sync, hints)) = found.await? else { return Ok(None) };
    if sync.paused_at.is_some() {
        log.info("The synchronization is paused");
        return Ok(None);
    }
    let touches: Vec<Touch> = hints.iter().filter_map(|hint| serde_json::from_str(&hint.touch).ok()).collect();
    let is_first = sync.confirmed_at.is_none();
    if payload.everything.is_none() && touches.is_empty() && !is_first {
        return Ok(Some(Report { run: None, counts: [0; 3], held: None }));
    }
    let distinct: BTreeSet<&Touch> = touches.iter().collect();
    let everything =
        payload.everything.is_some() || is_first || distinct.len() > SINGLE || distinct.contains(&Touch::Everything);
    let started_at = appliance.now();
    let cause = match payload.everything {
        None => "hook",
        Some(Reason::Asked) => "asked",
        Some(Reason::Schedule) => "schedule",
        Some(Reason::Credential) => "credential",
    };
    let begun = Begun { job, cause, started_at };
    appliance.database.write(move |tx| syncs::set_started(key.org, tx, key.sync, started_at)).await?;
    let spare = payload.everything == Some(Reason::Schedule) && touches.is_empty() && !is_first;
    let cause = Cause { begun, everything, spare, hints: hints.last().map(|hint| hint.id), touches };
    match attempt(appliance, key, sync, &cause, payload.accept.as_deref(), log).await {
        Ok(report) => Ok(Some(report)),
        Err(error) => {
            record_failure(appliance, key, begun, &error).await?;
            Err(error)
        }
    }
}

async fn attempt(
    appliance: &Appliance,
    key: SyncKey,
    sync: Sync,
    cause: &Cause,
    accept: Option<&str>,
    log: &Log,
) -> Result<Report, RunError> {
    let scope = if cause.everything { Scope::Everything } else { Scope::Touched(cause.touches.clone()) };
    log.info(format!(
        "Asking {} about {}",
        sync.integration,
        if cause.everything { "everything" } else { "what events spoke of" }
    ));
    let kept = sync.clone();
    let mut pages = appliance.database.read(move |db| read::pages(key.org, db, &kept)).await?;
    let before: BTreeSet<String> = pages.iter().map(|(url, _)| url.to_owned()).collect();
    let read = Reading::of(appliance, key, sync, (scope, cause.spare), &mut pages).await;
    let mut reading = match read {
        Err(error @ RunError::Hub(HubError::RateLimited { .. })) => {
            // What was read until here costs nothing to ask for again, so that the largest organization is read to its end.
            store_pages(appliance, key, pages, &before, false).await?;
            return Err(error);
        }
        read => read?,
    };
    reading.leave.announced(&cause.touches);
    tell(&reading.remote, log);
    let mut plan = reading.plan().await?;
    if let Some(digest) = accept.filter(|_| !plan.held.is_empty()) {
        if reading.is_accepted(&plan, digest) {
            reading.leave.gone.extend(plan.losses.iter().cloned());
            plan = reading.plan().await?;
        } else {
            log.warn("What waits is not any more what was accepted");
        }
    }
    if !cause.everything || reading.hub.announces_every_push() || reading.told_of_pushes {
        plan.compared.clear();
    }
    store_pages(appliance, key, pages, &before, cause.everything).await?;
    let counts = counts(&plan.changes);
    let held = plan.held_digest();
    for sentence in &plan.because {
        log.warn(sentence);
    }
    log.info(format!(
        "{} to add, {} to change, {} to remove, {} on hold",
        counts[0],
        counts[1],
        counts[2],
        plan.held.len()
    ));
    let run = reading.run(cause, &plan, counts, held.as_deref());
    let id = apply::apply(appliance, run, plan).await?;
    if cause.everything {
        let way = (reading.hub, &reading.credential);
        addresses::connect(appliance, key, way, &reading.remote.id, log).await?;
    }
    Ok(Report { run: Some(id), counts, held })
}

/// What a run would do, without doing it.
///
/// # Errors
/// [`RunError`].
pub async fn preview(appliance: &Appliance, key: SyncKey) -> Result<Plan, RunError> {
    let found = appliance.database.read(move |db| {
        let Some(sync) = syncs::by_id(key.org, db, key.sync)? else { return Ok(None) };
        let pages = read::pages(key.org, db, &sync)?;
        Ok::<_, store::Error>(Some((sync, pages, sync_hints::of(key.org, db, key.sync)?)))
    });
    let gone = || RunError::Refused("the synchronization was removed meanwhile".to_owned());
    let (sync, mut pages, hints) = found.await?.ok_or_else(gone)?;
    let touches: Vec<Touch> = hints.iter().filter_map(|hint| serde_json::from_str(&hint.touch).ok()).collect();
    let mut reading = Reading::of(appliance, key, sync, (Scope::Everything, false), &mut pages).await?;
    reading.leave.announced(&touches);
    reading.plan().await
}

impl<'a> Reading<'a> {
    /// Reads the organization.
    async fn of(
        appliance: &'a Appliance,
        key: SyncKey,
        sync: Sync,
        (scope, spare): (Scope, bool),
        pages: &mut Pages,
    ) -> Result<Self, RunError> {
        let refused = |text: String| RunError::Refused(text);
        let hub = appliance.hubs.by_id(&sync.integration).ok_or_else(|| {
            refused(format!(
                "there is no integration `{}` in the configuration that this version synchronizes: add it again, or remove the synchronization",
                sync.integration
            ))
        })?;
        let credential = match sync.credential {
            Some(id) => appliance.platform_key(key.org, id).await?,
            None => None,
        };
        let credential = credential.ok_or_else(|| refused("the synchronization has no credential".to_owned()))?;
        let told_of_pushes = spare && has_told_all(appliance, key, &sync, hub, &credential).await;
        let wanted = sync.clone();
        let wanted = appliance.database.read(move |db| read::wanted(key.org, db, &wanted, scope)).await?;
        let remote = match hub.organization(&credential, &Wanted { spare, told_of_pushes, ..wanted }, pages).await {
            Err(HubError::Unauthorized(text)) => return Err(refused_credential(appliance, key, &sync, text).await?),
            read => read?,
        };
        if let (Some(id), Some(end)) = (sync.credential, remote.credential_ends) {
            appliance.database.write(move |tx| credentials::set_expiry(key.org, tx, id, Some(end))).await?;
        }
        if sync.remote_id.as_ref().is_some_and(|id| *id != remote.id) {
            return Err(refused(format!(
                "{} is another organization than before on {}: somebody took over its name. Nothing was changed; remove the synchronization, and add one of the organization that you mean",
                sync.remote, sync.integration
            )));
        }
        Ok(Self {
            appliance,
            key,
            sync,
            hub,
            credential,
            remote: Arc::new(remote),
            leave: Leave::default(),
            told_of_pushes,
        })
    }

    /// Plans, after asking the platform directly about what it does not list any more.
    async fn plan(&mut self) -> Result<Plan, RunError> {
        let plan = self.planned().await?;
        if plan.questions.is_empty() {
            return Ok(plan);
        }
        for (login, id) in &plan.questions.members {
            let answers = match self.hub.is_member(&self.credential, &self.remote.name, login, id).await {
                Ok(true) => &mut self.leave.there,
                Ok(false) => &mut self.leave.gone,
                // It does not say.
                Err(HubError::Forbidden { .. } | HubError::NotFound(_) | HubError::Unsupported(_)) => continue,
                Err(error) => return Err(error.into()),
            };
            answers.insert(Loss::Member(id.clone()));
        }
        for (path, id) in &plan.questions.repositories {
            // That it is gone, a platform says also of what the credential may not see any more.
            match self.hub.fate(&self.credential, path, id).await {
                Ok(Fate::There) => drop(self.leave.there.insert(Loss::Package(id.clone()))),
                Ok(Fate::Moved(to)) => {
                    self.leave.gone.insert(Loss::Package(id.clone()));
                    self.leave.moved.insert(id.clone(), to);
                }
                Ok(Fate::Gone) | Err(HubError::NotFound(_) | HubError::Forbidden { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.ask_readers(&plan).await?;
        self.planned().await
    }

    /// Asks whether people read what they are not listed for any more.
    async fn ask_readers(&mut self, plan: &Plan) -> Result<(), RunError> {
        let mut answers = Vec::new();
        for question in &plan.questions.readers {
            let asked = self.hub.may_read(
                &self.credential,
                (&question.path, &question.repository),
                (&question.login, &question.account),
            );
            let answer = match asked.await {
                Ok(reads) => Some(reads),
                Err(HubError::Forbidden { .. } | HubError::NotFound(_) | HubError::Unsupported(_)) => None,
                Err(error) => return Err(error.into()),
            };
            answers.push((Loss::Reader(question.account.clone(), question.repository.clone()), answer));
        }
        self.leave.told_of_readers(answers, &plan.losses);
        Ok(())
    }

    async fn planned(&self) -> Result<Plan, RunError> {
        let (org, sync, policy) = (self.key.org, self.sync.clone(), self.appliance.settings.url_policy.clone());
        let local = self.appliance.database.read(move |db| read::local(org, db, &sync, policy)).await?;
        let (remote, leave) = (Arc::clone(&self.remote), self.leave.clone());
        let planned = tokio::task::spawn_blocking(move || plan::plan(&remote, &local, &leave)).await;
        planned.map_err(|_| RunError::Refused("planning ended unexpectedly: the server's log tells more".to_owned()))
    }

    /// Whether somebody said yes to what waits: to exactly this plan, or to one that was held and took at least as much.
    fn is_accepted(&self, plan: &Plan, digest: &str) -> bool {
        let held = self.sync.held_plan.as_deref().map(Held::read).unwrap_or_default();
        let is_of_held = self.sync.held_digest.as_deref() == Some(digest) && plan.losses.is_subset(&held.losses);
        is_of_held || plan.digest() == digest || plan.held_digest().as_deref() == Some(digest)
    }

    /// What is recorded of the run, and of the synchronization.
    fn run(&self, cause: &Cause, plan: &Plan, counts: [usize; 3], held: Option<&str>) -> Run {
        let text = held.map(|_| held_text(&plan.because));
        let usage = self.remote.usage;
        let is_idle = counts == [0; 3];
        let ended = Ended {
            outcome: match (held, is_idle) {
                (Some(_), _) => "held",
                (None, true) => "unchanged",
                (None, false) => "changed",
            },
            error: text.clone(),
            notices: plan.notices.clone(),
            requests: usage.requests,
            unmodified: usage.unmodified,
            remaining: usage.remaining,
            resets_at: usage.resets_at,
            counts,
        };
        let changes = plan.held.iter().map(|change| (change.action, change.item())).collect();
        let stored = Held { losses: plan.losses.clone(), changes };
        let stored = json!(stored).to_string();
        let read = syncs::Read {
            remote_id: self.remote.id.clone(),
            remote: self.remote.name.clone(),
            confirmed_at: cause.everything.then_some(cause.begun.started_at),
            held: held.zip(text).map(|(digest, text)| (digest.to_owned(), stored, text)),
        };
        // Whoever asks for a run expects that everything is looked at.
        let all_hooks = cause.touches.contains(&Touch::Hooks) || cause.begun.cause == "asked";
        Run {
            key: self.key,
            integration: self.sync.integration.clone(),
            credential: self.sync.credential,
            begun: cause.begun,
            read,
            ended,
            hints: cause.hints,
            hooks: (cause.everything || all_hooks || !is_idle).then_some(all_hooks),
        }
    }
}

/// Whether a run that nobody waits for may leave code alone, as each push since the last one was told. The first of each
/// interval of packages looks all the same, and so does each run that cannot find out.
async fn has_told_all(appliance: &Appliance, key: SyncKey, sync: &Sync, hub: &Hub, credential: &Key) -> bool {
    let Some(since) = sync.confirmed_at.filter(|_| !hub.announces_every_push()) else { return false };
    let interval = i64::try_from(appliance.settings.package_interval.as_secs()).unwrap_or(i64::MAX).max(1);
    if since.as_seconds() / interval != appliance.now().as_seconds() / interval {
        return false;
    }
    let hooks = Hooks { appliance, key, remote: &sync.remote, hub, credential };
    hooks.told_all(since).await.unwrap_or(false)
}

/// Why the credential is refused: mostly because it has ended, which whoever reads that wants to know first.
async fn refused_credential(appliance: &Appliance, key: SyncKey, sync: &Sync, text: String) -> store::Result<RunError> {
    let Some(id) = sync.credential else { return Ok(HubError::Unauthorized(text).into()) };
    let row = appliance.database.read(move |db| credentials::by_id(key.org, db, id)).await?;
    let ended = row.and_then(|row| Some((row.name, row.expires_at.filter(|end| *end <= appliance.now())?)));
    let text = match ended {
        Some((name, end)) => format!(
            "Paused: the token expired on {}. Make a new one on the platform, and give it to the credential `{name}` on its page \
             or with `credential rotate {name}`: the synchronization goes on by itself then. Until then what it found stays as \
             it is.",
            end.rfc3339().split('T').next().unwrap_or_default()
        ),
        None => text,
    };
    Ok(HubError::Unauthorized(text).into())
}

/// What is said of a plan that waits.
fn held_text(because: &[String]) -> String {
    format!(
        "{}. None of that was removed, and all else was synchronized. Mostly the credential has lost access: test it, and accept the plan if it is right",
        because.join("; ")
    )
}

fn counts(changes: &[Change]) -> [usize; 3] {
    let of = |action| changes.iter().filter(|change| change.action == action).count();
    [of(Action::Add), of(Action::Change), of(Action::Remove)]
}

fn tell(remote: &RemoteOrganization, log: &Log) {
    log.info(format!(
        "{} lists {} repositories, {} teams, {} members and {} single permissions, in {} requests of which {} said that nothing changed",
        remote.name,
        remote.repositories.len(),
        remote.teams.len(),
        remote.members.len(),
        remote.readers.len(),
        remote.usage.requests,
        remote.usage.unmodified
    ));
    for notice in &remote.notices {
        log.warn(notice);
    }
}

/// Keeps what was read, before anything is made of it: what was made of an answer and then forgotten would be taken back by a
/// run that takes the answer before it for the newest one.
async fn store_pages(
    appliance: &Appliance,
    key: SyncKey,
    pages: Pages,
    before: &BTreeSet<String>,
    everything: bool,
) -> store::Result<()> {
    let now = appliance.now();
    let is_used = |fresh: bool| fresh || !everything;
    let kept: BTreeSet<&str> = pages.iter().filter(|(_, page)| is_used(page.fresh)).map(|(url, _)| url).collect();
    let gone: Vec<String> = before.iter().filter(|url| !kept.contains(url.as_str())).cloned().collect();
    let changed = pages.iter().filter(|(_, page)| page.changed && is_used(page.fresh));
    let changed: Vec<sync_pages::Page> = changed.map(|(url, page)| read::packed(url, page)).collect();
    for some in gone.chunks(TOGETHER) {
        let some = some.to_vec();
        let write = appliance
            .database
            .write(move |tx| some.iter().try_for_each(|url| sync_pages::remove(key.org, tx, key.sync, url)));
        write.await?;
    }
    for some in changed.chunks(TOGETHER) {
        let some = some.to_vec();
        let write = appliance
            .database
            .write(move |tx| some.iter().try_for_each(|page| sync_pages::put(key.org, tx, key.sync, page, now)));
        write.await?;
    }
    Ok(())
}

/// Records a run that changed nothing, and why.
async fn record_failure(appliance: &Appliance, key: SyncKey, begun: Begun, error: &RunError) -> store::Result<()> {
    let (now, text) = (appliance.now(), error.to_string());
    let waits = matches!(error, RunError::Hub(HubError::RateLimited { .. }));
    let is_refused = matches!(error, RunError::Hub(HubError::Unauthorized(_)));
    let is_suspended = matches!(error, RunError::Hub(HubError::Suspended(_)));
    let write = appliance.database.write(move |tx| {
        let SyncKey { org, sync } = key;
        let Some(row) = syncs::by_id(org, tx, sync)? else { return Ok(()) };
        syncs::set_failed(org, tx, sync, &text, !waits)?;
        if let Some(credential) = row.credential.filter(|_| is_refused) {
            credentials::set_status(org, tx, credential, "refused")?;
        }
        if let Some(credential) = row.credential.filter(|_| is_suspended) {
            installations::set_suspended(org, tx, credential, Some(now))?;
        }
        let run = sync_runs::begin(org, tx, sync, begun, now)?;
        let ended = Ended { outcome: "failed", error: Some(text), ..Ended::default() };
        sync_runs::finish(org, tx, sync, run, &ended, now)
    });
    write.await
}

/// When a synchronization runs next by itself.
#[must_use]
pub fn next_run(appliance: &Appliance) -> Timestamp {
    appliance.now() + appliance.settings.sync_interval.mul_f64(rand::random_range(0.9..=1.1))
}
