//! Webhooks that we install: on the project, which versions since about 8.9 let one do, or on single repositories.

use std::collections::BTreeSet;

use oauth2::http::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, Ask, of_repository, part};
use super::refusal;
use crate::clock::Timestamp;
use crate::outbound::Answer;
use crate::platform::answer::printable;
use crate::platform::hub::{HookPlace, HookState, HubError};

/// What every version tells.
const EVENTS: [&str; 2] = ["repo:modified", "repo:refs_changed"];
/// What hooks of projects are told beside it, where the version knows it.
const OF_PROJECT: &str = "project:modified";
/// What is told where there are mirrors: one that answers Git in the server's place has a push only then.
const OF_MIRRORS: &str = "mirror:repo_synchronized";
/// What people see of it in Bitbucket's settings.
const NAME: &str = "Composer packages";
/// For how many seconds it skips one at most, and some for clocks that differ.
const SKIPS_FOR: i64 = 11 * 60 * 60;
/// How many failures in a row make Bitbucket skip a hook for a while.
const BREAKS_AFTER: u64 = 5;

/// A hook as Bitbucket has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hook {
    id: i64,
    #[serde(default)]
    url: String,
    #[serde(default)]
    active: bool,
    #[serde(default)]
    events: BTreeSet<String>,
    /// Before 7.x there was no such choice.
    ssl_verification_required: Option<bool>,
    /// When it was made or changed last, in milliseconds since 1970.
    updated_date: Option<i64>,
}

/// How deliveries went. What there was none of is missing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statistics {
    counts: Option<Counts>,
    last_success: Option<Sent>,
    last_failure: Option<Sent>,
    last_error: Option<Sent>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    errors: u64,
    failures: u64,
}

/// One delivery.
#[derive(Deserialize)]
struct Sent {
    /// Milliseconds since 1970.
    finish: Option<i64>,
    result: Option<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    description: Option<String>,
}

/// A place of hooks, with the way to it.
struct At<'a> {
    api: &'a Api<'a>,
    place: &'a HookPlace,
    base: String,
    /// In words.
    name: &'a str,
}

impl<'a> At<'a> {
    fn new(api: &'a Api<'a>, place: &'a HookPlace) -> Self {
        let (base, name) = match &place.repository {
            Some(path) => (format!("{}/webhooks", of_repository(path)), path.as_str()),
            None => (format!("/projects/{}/webhooks", part(&place.organization)), place.organization.as_str()),
        };
        Self { api, place, base, name }
    }

    fn body(&self, more: &[&str]) -> Value {
        let events: Vec<&str> = EVENTS.iter().chain(more).copied().collect();
        json!({
            "name": NAME,
            "url": self.place.address.expose_secret(),
            "active": true,
            "events": events,
            "sslVerificationRequired": true,
            "configuration": { "secret": self.place.secret.expose_secret() },
        })
    }

    fn is_wrong(&self, hook: &Hook) -> Option<&'static str> {
        if !hook.active {
            return Some("it was switched off");
        }
        if hook.url != self.place.address.expose_secret() {
            return Some("it called another address");
        }
        if EVENTS.iter().any(|event| !hook.events.contains(*event)) {
            return Some("it did not tell of everything");
        }
        (hook.ssl_verification_required == Some(false)).then_some("it did not check our certificate")
    }

    /// What a refusal means; nothing that it quotes may hold the address, which is a secret.
    fn refused(&self, answer: &Answer, what: &str) -> HubError {
        let what = format!("{what} of {}", self.name);
        if answer.status == StatusCode::BAD_REQUEST {
            let said = refusal::words(answer).replace(self.place.address.expose_secret(), "…");
            let text = format!("{} does not {what}: it says \"{said}\".", self.api.name());
            return HubError::Forbidden { text, missing: Vec::new() };
        }
        if answer.status == StatusCode::NOT_FOUND && self.place.repository.is_none() {
            return HubError::NotFound(format!(
                "{} lets the credential not {what}: hooks of projects came with version 8.9, and are for administrators of \
                 the project. Hooks of repositories do the same.",
                self.api.name()
            ));
        }
        self.api.refused(answer, &what)
    }

    async fn by_id(&self, id: &str) -> Result<Option<Hook>, HubError> {
        let answer = self.api.ask(&Ask::get(self.api.url(&format!("{}/{}", self.base, part(id))))).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => self.api.line.json(&answer).map(Some),
            _ => Err(self.refused(&answer, "look after the webhooks")),
        }
    }

    /// The hook that calls our address: those of others stay as they are.
    async fn by_address(&self) -> Result<Option<Hook>, HubError> {
        let answer = self.api.ask(&Ask::get(self.api.url(&format!("{}?limit=1", self.base)))).await?;
        if !answer.status.is_success() {
            return Err(self.refused(&answer, "look after the webhooks"));
        }
        let hooks: Vec<Hook> =
            self.api.list(&format!("{}?limit=500", self.base), &format!("list the webhooks of {}", self.name)).await?;
        Ok(hooks.into_iter().find(|hook| hook.url == self.place.address.expose_secret()))
    }

    /// Makes a hook, or makes one what it should be: it is replaced as a whole, and its secret with it.
    async fn put(&self, id: Option<i64>) -> Result<Hook, HubError> {
        let (method, path) = match id {
            Some(id) => (Method::PUT, format!("{}/{id}", self.base)),
            None => (Method::POST, self.base.clone()),
        };
        let what = if id.is_some() { "mend the webhook" } else { "install the webhook" };
        let wishes: &[&[&str]] = match &self.place.repository {
            Some(_) => &[&[OF_MIRRORS], &[]],
            None => &[&[OF_PROJECT, OF_MIRRORS], &[OF_PROJECT], &[OF_MIRRORS], &[]],
        };
        let ask = |more: &[&str]| Ask::change(method.clone(), self.api.url(&path), Some(self.body(more)));
        let mut answer = self.api.ask(&ask(wishes[0])).await?;
        for less in &wishes[1..] {
            // Versions and licences differ in what they tell of.
            if answer.status != StatusCode::BAD_REQUEST {
                break;
            }
            answer = self.api.ask(&ask(less)).await?;
        }
        if answer.status.is_success() { self.api.line.json(&answer) } else { Err(self.refused(&answer, what)) }
    }

    /// How deliveries went, where that is told.
    async fn statistics(&self, hook: &Hook) -> Result<Option<Statistics>, HubError> {
        let url = self.api.url(&format!("{}/{}/statistics", self.base, hook.id));
        let answer = self.api.ask(&Ask::get(url)).await?;
        if !answer.status.is_success() || answer.body.is_empty() {
            return Ok(None);
        }
        self.api.line.json(&answer).map(Some)
    }

    /// Whether Bitbucket reaches us: after some failures in a row it skips a hook, at first for seconds and then for hours.
    async fn trouble(&self, hook: &Hook) -> Result<Option<String>, HubError> {
        let Some(told) = self.statistics(hook).await? else { return Ok(None) };
        let when = |sent: &Option<Sent>| sent.as_ref().and_then(|sent| sent.finish);
        let worst = [told.last_failure.as_ref(), told.last_error.as_ref()];
        let worst = worst.into_iter().flatten().max_by_key(|sent| sent.finish);
        let Some(worst) = worst.filter(|sent| sent.finish > when(&told.last_success)) else { return Ok(None) };
        let said = worst.result.as_ref().and_then(|result| result.description.clone()).unwrap_or_default();
        let said = printable(&said.replace(self.place.address.expose_secret(), "…"), 100);
        let counts = told.counts.unwrap_or_default();
        let breaks = if counts.errors + counts.failures >= BREAKS_AFTER {
            ". It skips the webhook for up to ten hours after such failures, and what it did not tell is found by comparison"
        } else {
            ""
        };
        Ok(Some(format!(
            "the last delivery failed ({said}): check that {} reaches this server{breaks}",
            self.api.name()
        )))
    }
}

/// Installs a hook, or makes it what it should be.
///
/// # Errors
/// [`HubError`].
pub(super) async fn ensure(api: &Api<'_>, place: &HookPlace) -> Result<HookState, HubError> {
    let at = At::new(api, place);
    let known = match &place.remote_id {
        Some(id) => at.by_id(id).await?,
        None => None,
    };
    let state = |hook: &Hook, mended: Option<&str>, trouble| HookState {
        remote_id: hook.id.to_string(),
        mended: mended.map(str::to_owned),
        trouble,
    };
    if let Some(hook) = known {
        if let Some(wrong) = at.is_wrong(&hook).or_else(|| place.reset.then_some("it signed with another secret")) {
            let hook = at.put(Some(hook.id)).await?;
            return Ok(state(&hook, Some(wrong), None));
        }
        let trouble = at.trouble(&hook).await?;
        return Ok(state(&hook, None, trouble));
    }
    if let Some(hook) = at.by_address().await? {
        let hook = at.put(Some(hook.id)).await?;
        return Ok(state(&hook, Some("it was there already, and is ours now"), None));
    }
    let hook = at.put(None).await?;
    Ok(state(&hook, place.remote_id.as_ref().map(|_| "it was removed"), None))
}

/// Whether every delivery since then was taken. What was skipped is counted nowhere, but is skipped only for hours after others
/// failed, so that a failure shortly before counts too.
///
/// # Errors
/// [`HubError`].
pub(super) async fn told_all(api: &Api<'_>, place: &HookPlace, since: Timestamp) -> Result<bool, HubError> {
    let at = At::new(api, place);
    let Some(id) = &place.remote_id else { return Ok(false) };
    let Some(hook) = at.by_id(id).await?.filter(|hook| at.is_wrong(hook).is_none()) else { return Ok(false) };
    let Some(told) = at.statistics(&hook).await? else { return Ok(false) };
    let since = since.as_seconds().saturating_sub(SKIPS_FOR).saturating_mul(1000);
    let failed = [&told.last_failure, &told.last_error].into_iter().flatten();
    let is_old = |sent: &Sent| sent.finish.is_some_and(|at| at < since);
    // What was pushed before it was there, or while somebody had switched it off, it told nobody.
    let is_unchanged = hook.updated_date.is_some_and(|at| at < since);
    Ok(told.counts.is_some() && is_unchanged && failed.into_iter().all(is_old))
}

/// Removes a hook.
///
/// # Errors
/// [`HubError`].
pub(super) async fn remove(api: &Api<'_>, place: &HookPlace) -> Result<(), HubError> {
    let at = At::new(api, place);
    let id = match &place.remote_id {
        Some(id) => Some(id.clone()),
        None => at.by_address().await?.map(|hook| hook.id.to_string()),
    };
    let Some(id) = id else { return Ok(()) };
    let url = api.url(&format!("{}/{}", at.base, part(&id)));
    let answer = api.ask(&Ask::change(Method::DELETE, url, None)).await?;
    match answer.status {
        StatusCode::NOT_FOUND => Ok(()),
        status if status.is_success() => Ok(()),
        _ => Err(at.refused(&answer, "remove the webhook")),
    }
}
