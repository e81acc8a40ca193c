//! What is called at the webhook of a package. A call grants nothing: it queues that the package is read again, in one
//! transaction with the record of what was understood.

use std::time::Duration;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::appliance::{Appliance, PackageKey};
use crate::clock::Timestamp;
use crate::platform::generic::Told;
use crate::publish::request::{self, Reason};
use crate::store::hooks::{self, Address, New};
use crate::store::ids::{JobId, OrgId, PackageId, TopicId};
use crate::store::{self, Tx, directories, hook_topics, jobs, packages};

/// The verb of the job that confirms a topic's subscription.
pub const CONFIRM_TOPIC: &str = "confirm_topic";

/// What is said of a call that names a repository which is known to nobody here.
const STRANGER: &str = "It speaks of a repository that no package here has; this package's own was looked at.";

/// How long a message that comes again is known.
const KNOWN: Duration = Duration::from_secs(24 * 60 * 60);

/// Who sends the same message until it arrives, under the same name. What the others send twice, somebody asked for.
const REPEATING: [&str; 3] = ["sns", "codecommit", "azure"];

/// A call, understood.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who called.
    pub provider: &'static str,
    /// What the caller names the event.
    pub event: Option<String>,
    /// Bytes of its body.
    pub size: u64,
    /// What names it, also when it is sent again.
    pub guid: Option<String>,
    /// Whether it was signed with the hook's secret.
    pub signed: bool,
    /// What it told, for people.
    pub told: Told,
    /// What is done about it.
    pub what: What,
}

/// What is done about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Something was pushed, as far as anybody knows.
    News {
        /// The commits that are to be seen then.
        commits: Vec<String>,
        /// The canonical addresses of the repository that it speaks of, if it does.
        repositories: Vec<String>,
        /// The last two parts of its path, where it says no more: it is at the same host as the hook's own.
        place: Option<String>,
        /// Whether the hook is called more often than is worked on at once.
        over_rate: bool,
        /// Whether it is one of so many calls of this hook at once that others would have to wait for it.
        crowded: bool,
        /// Whether nobody knows what it says.
        unreadable: bool,
    },
    /// A topic of SNS asks for its subscription to be confirmed.
    Subscription {
        /// The topic.
        arn: String,
        /// The message.
        message: String,
        /// The address that confirms it.
        confirm_url: String,
    },
    /// SNS says that the hook is subscribed to a topic no more.
    Unsubscription {
        /// The topic.
        arn: String,
    },
    /// Nothing, for a reason that this word says.
    Nothing(&'static str),
    /// It is not believed, for a reason that this word says.
    Refused(&'static str),
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Work is queued, or merged into work that waits.
    Queued,
    /// It came before.
    Known,
    /// It is recorded, and that is all.
    Noted,
}

/// The arguments of [`CONFIRM_TOPIC`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ConfirmTopic {
    /// Which.
    pub topic: TopicId,
}

/// Takes a call. After this, its work happens, whatever crashes.
///
/// # Errors
/// If it could not be stored.
pub async fn take(appliance: &Appliance, hook: Address, call: Call) -> store::Result<Taken> {
    let now = appliance.now();
    if let What::Refused(outcome) = call.what {
        // Who floods us with what is not believed must not push out what was.
        let (org, id) = (hook.org, hook.package);
        let last = appliance.database.read(move |db| hooks::deliveries(org, db, id, 1)).await?;
        if last.first().is_some_and(|last| last.outcome == outcome) {
            return Ok(Taken::Noted);
        }
    }
    if let What::News { over_rate: true, crowded: true, repositories, place, .. } = &call.what {
        // A flood is one piece of work that waits, and what is nothing new need not be written.
        let (hook, repositories, place) = (hook.clone(), repositories.clone(), place.clone());
        if appliance.database.read(move |db| all_wait(db, &hook, &repositories, place.as_deref())).await? {
            return Ok(Taken::Queued);
        }
    }
    appliance.database.write_hook(move |tx| taken(tx, &hook, call, now)).await
}

/// Whether updates of all that a call means wait already.
fn all_wait(
    connection: &Connection,
    hook: &Address,
    repositories: &[String],
    place: Option<&str>,
) -> store::Result<bool> {
    for package in meant(connection, hook, repositories, place)?.packages {
        if !request::is_waiting(connection, PackageKey { org: hook.org, package })? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn taken(tx: &Tx<'_>, hook: &Address, mut call: Call, now: Timestamp) -> store::Result<Taken> {
    let (outcome, job, is_stranger) = work(tx, hook, &call, now)?;
    if is_stranger && !call.told.is_test {
        call.told.note.get_or_insert_with(|| STRANGER.to_owned());
    }
    if call.signed {
        hooks::note_signed(hook.org, tx, hook.id, now)?;
    }
    if !matches!(call.what, What::Refused(_)) {
        hooks::note_call(hook.org, tx, hook.package, now)?;
    }
    let told = serde_json::to_string(&call.told).ok().filter(|told| told != "{}");
    let new = New {
        provider: call.provider,
        event: call.event.as_deref(),
        size: i64::try_from(call.size).unwrap_or(i64::MAX),
        guid: call.guid.as_deref(),
        outcome,
        told: told.as_deref(),
        job,
    };
    hooks::record_delivery(hook.org, tx, hook.id, &new, now)?;
    Ok(match outcome {
        "known" => Taken::Known,
        _ if job.is_some() => Taken::Queued,
        _ => Taken::Noted,
    })
}

/// Queues what a call is worth: a word for it, the job that is watched to know whether it came to anything, and whether the
/// call speaks of a repository that nobody has here.
fn work(
    tx: &Tx<'_>,
    hook: &Address,
    call: &Call,
    now: Timestamp,
) -> store::Result<(&'static str, Option<JobId>, bool)> {
    let org = hook.org;
    match &call.what {
        What::News { commits, repositories, place, over_rate, .. } => {
            if let Some(guid) =
                call.guid.as_deref().filter(|_| REPEATING.contains(&call.provider) && !call.told.is_test)
                && hooks::is_known(org, tx, hook.id, guid, now - KNOWN)?
            {
                return Ok(("known", None, false));
            }
            let reason = if *over_rate { Reason::HookOverRate } else { Reason::Hook };
            let meant = meant(tx, hook, repositories, place.as_deref())?;
            // The commits of another repository than the packages' would be waited for in vain.
            let jobs = meant
                .packages
                .into_iter()
                .map(|package| request::update(tx, PackageKey { org, package }, reason, commits, now))
                .collect::<store::Result<Vec<_>>>()?;
            Ok(("queued", jobs.first().copied(), meant.is_stranger))
        }
        What::Subscription { arn, message, confirm_url } => {
            let topic = hook_topics::ask(org, tx, hook.id, (arn, message, confirm_url), now)?;
            let Some(topic) = topic else { return Ok(("ignored", None, false)) };
            Ok(("queued", Some(confirm(org, tx, topic, now)?), false))
        }
        What::Unsubscription { arn } => {
            hook_topics::set_ended(org, tx, hook.id, arn, now)?;
            Ok(("unsubscribed", None, false))
        }
        What::Nothing(word) | What::Refused(word) => Ok((*word, None, false)),
    }
}

/// What a call means.
struct Meant {
    packages: Vec<PackageId>,
    /// Whether it names a repository that nobody has here.
    is_stranger: bool,
}

/// The packages that a call means, the hook's own first: one webhook is enough for all packages of one repository, such as those
/// at several paths of a Subversion repository.
fn meant(
    connection: &Connection,
    hook: &Address,
    repositories: &[String],
    place: Option<&str>,
) -> store::Result<Meant> {
    let found = match place.filter(|_| repositories.is_empty()) {
        Some(place) => one_meant(connection, hook, &beside(connection, hook, place)?)?,
        None => one_meant(connection, hook, repositories)?,
    };
    let one = directories::source_of(hook.org, connection, found.unwrap_or(hook.package))?;
    let mut packages = vec![one];
    packages.extend(packages::sharing_source(hook.org, connection, one)?);
    Ok(Meant { packages, is_stranger: found.is_none() })
}

/// The canonical addresses that a repository has whose path ends so, if it is at the same host as the hook's own.
fn beside(connection: &Connection, hook: &Address, place: &str) -> store::Result<Vec<String>> {
    let own = packages::url_key(hook.org, connection, hook.package)?.unwrap_or_default();
    let mut parts = own.rsplitn(3, '/').skip(2);
    let start = parts.next().filter(|_| !own.contains(['?', '\\']) && !own.starts_with("file:"));
    Ok(start
        .into_iter()
        .flat_map(|start| [place.to_lowercase(), place.to_owned()].map(|place| format!("{start}/{place}")))
        .collect())
}

/// The package that a call means: the hook's own, unless it names the repository of another one of the same organization, as
/// a webhook of a whole organization does. None, where it is known to nobody here: it may be the hook's under a former or a
/// new name.
fn one_meant(connection: &Connection, hook: &Address, repositories: &[String]) -> store::Result<Option<PackageId>> {
    let own = packages::url_key(hook.org, connection, hook.package)?;
    let is_own = |own: String| repositories.iter().any(|key| key.eq_ignore_ascii_case(&own));
    if repositories.is_empty() || own.is_none_or(is_own) {
        return Ok(Some(hook.package));
    }
    for key in repositories {
        let other = packages::by_url_key(hook.org, connection, key)?;
        if let Some(other) = other.filter(|other| other.retired_at.is_none()) {
            return Ok(Some(other.id));
        }
    }
    Ok(None)
}

fn confirm(org: OrgId, tx: &Tx<'_>, topic: TopicId, now: Timestamp) -> store::Result<JobId> {
    let payload = serde_json::to_string(&ConfirmTopic { topic });
    let job = jobs::New {
        org: Some(org),
        package: None,
        kind: CONFIRM_TOPIC,
        payload: payload.map_err(|error| store::Error::Corrupt(error.to_string()))?,
        dedupe_key: format!("{CONFIRM_TOPIC}:{topic}"),
        lane: "prompt",
        run_at: now,
    };
    jobs::enqueue(tx, &job, now)
}
