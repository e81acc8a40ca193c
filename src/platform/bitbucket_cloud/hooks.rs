//! Webhooks that we install: on the workspace where its owner's credential lets us, or on single repositories.

use std::collections::BTreeSet;

use oauth2::http::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, Ask, part, parts};
use super::refusal;
use crate::outbound::Answer;
use crate::platform::hub::{HookPlace, HookState, HubError};
use crate::platform::rest::Lists;

/// What we want to be told of, as far as a place tells of it. Of members, groups and permissions no place does.
const EVENTS: [&str; 6] =
    ["repo:created", "repo:deleted", "repo:imported", "repo:push", "repo:transfer", "repo:updated"];

/// A hook as Bitbucket has it. It never shows the secret.
#[derive(Deserialize)]
struct Hook {
    uuid: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    active: bool,
    #[serde(default)]
    events: BTreeSet<String>,
    secret_set: Option<bool>,
    #[serde(default)]
    skip_cert_verification: bool,
}

/// What a place can tell of.
#[derive(Deserialize)]
struct Known {
    event: String,
}

/// A place of hooks, with the way to it.
struct At<'a> {
    api: &'a Api<'a>,
    place: &'a HookPlace,
    base: String,
    /// In words.
    name: &'a str,
    events: BTreeSet<String>,
}

impl<'a> At<'a> {
    async fn new(api: &'a Api<'a>, place: &'a HookPlace) -> Result<Self, HubError> {
        let path = match place.repository {
            Some(_) => "/hook_events/repository?pagelen=100",
            None => "/hook_events/workspace?pagelen=100",
        };
        // It is the same for all of them.
        let ask = async {
            let known: Vec<Known> = api.list(path, "list what webhooks tell of").await?;
            Ok(known.into_iter().map(|one| one.event).collect())
        };
        let known = api.hub.known().or_ask(path, api.hub.now(), ask).await?;
        let events = EVENTS.iter().map(|event| (*event).to_owned()).filter(|event| known.contains(event)).collect();
        Ok(Self { events, ..Self::without_events(api, place) })
    }

    fn without_events(api: &'a Api<'a>, place: &'a HookPlace) -> Self {
        let organization = part(&place.organization);
        let (base, name) = match (&place.repository, &place.repository_id) {
            (Some(path), Some(id)) => (format!("/repositories/{organization}/{}/hooks", part(id)), path.as_str()),
            (Some(path), None) => (format!("/repositories/{}/hooks", parts(path)), path.as_str()),
            (None, _) => (format!("/workspaces/{organization}/hooks"), place.organization.as_str()),
        };
        Self { api, place, base, name, events: BTreeSet::new() }
    }

    /// All that makes a hook ours; whether certificates are checked is whoever administers Bitbucket's to say.
    fn body(&self, skips_certificates: bool) -> Value {
        json!({
            "description": "Composer packages",
            "url": self.place.address.expose_secret(),
            "active": true,
            "secret": self.place.secret.expose_secret(),
            "skip_cert_verification": skips_certificates,
            "events": self.events,
        })
    }

    fn wrong(&self, hook: &Hook) -> Option<&'static str> {
        if !hook.active {
            return Some("it was switched off");
        }
        if hook.url != self.place.address.expose_secret() {
            return Some("it called another address");
        }
        if !self.events.is_subset(&hook.events) {
            return Some("it did not tell of everything");
        }
        if hook.secret_set == Some(false) {
            return Some("it had no secret");
        }
        self.place.reset.then_some("it signed with another secret")
    }

    /// What a refusal means; nothing that it quotes may hold the address, which is a secret.
    fn refused(&self, answer: &Answer, what: &str) -> HubError {
        let name = self.api.name();
        let said = refusal::words(answer).replace(self.place.address.expose_secret(), "…");
        let what = format!("{what} of {}", self.name);
        match answer.status {
            StatusCode::BAD_REQUEST => HubError::Forbidden {
                text: format!(
                    "{name} does not {what}: it says \"{said}\". It calls only addresses that everybody reaches; where this \
                     server has none, changes are found at the interval."
                ),
                missing: Vec::new(),
            },
            StatusCode::NOT_FOUND => HubError::NotFound(format!(
                "{name} lets the credential not {what}: its account must {}, and a token needs the scopes for webhooks.",
                match self.place.repository {
                    Some(_) => "administer the repository",
                    None => "be an owner of the workspace",
                }
            )),
            _ => refusal::of(name, self.api.key, answer, &what),
        }
    }

    async fn asked(&self, ask: &Ask, what: &str) -> Result<Answer, HubError> {
        let answer = self.api.ask(ask).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(self.refused(&answer, what)) }
    }

    fn one(&self, id: &str) -> String {
        format!("{}/{}", self.base, part(id))
    }

    /// The hook of that name; None: it is gone.
    async fn by_id(&self, id: &str) -> Result<Option<Hook>, HubError> {
        let answer = self.api.ask(&Ask::get(self.api.url(&self.one(id)))).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => self.api.line.json(&answer).map(Some),
            _ => Err(self.refused(&answer, "look after the webhooks")),
        }
    }

    /// The hooks that call our address.
    async fn by_address(&self) -> Result<Vec<Hook>, HubError> {
        let path = format!("{}?pagelen=100", self.base);
        let all: Vec<Hook> = self.api.list(&path, &format!("look after the webhooks of {}", self.name)).await?;
        Ok(all.into_iter().filter(|hook| hook.url == self.place.address.expose_secret()).collect())
    }

    async fn create(&self) -> Result<Hook, HubError> {
        let ask = Ask::change(Method::POST, self.api.url(&self.base), Some(self.body(false)));
        self.api.line.json(&self.asked(&ask, "install the webhook").await?)
    }

    /// Makes a hook what it should be.
    async fn set(&self, hook: &Hook) -> Result<(), HubError> {
        let ask =
            Ask::change(Method::PUT, self.api.url(&self.one(&hook.uuid)), Some(self.body(hook.skip_cert_verification)));
        self.asked(&ask, "mend the webhook").await.map(drop)
    }

    async fn delete(&self, id: &str) -> Result<(), HubError> {
        let answer = self.api.ask(&Ask::change(Method::DELETE, self.api.url(&self.one(id)), None)).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(()),
            status if status.is_success() => Ok(()),
            _ => Err(self.refused(&answer, "remove the webhook")),
        }
    }
}

/// Installs a hook, or makes it what it should be.
///
/// # Errors
/// [`HubError`].
pub(super) async fn ensure(api: &Api<'_>, place: &HookPlace) -> Result<HookState, HubError> {
    let at = At::new(api, place).await?;
    let state = |hook: Hook, mended: Option<&str>| HookState {
        remote_id: hook.uuid,
        mended: mended.map(str::to_owned),
        trouble: None,
    };
    let known = match &place.remote_id {
        Some(id) => at.by_id(id).await?,
        None => None,
    };
    if let Some(hook) = known {
        let wrong = at.wrong(&hook);
        if wrong.is_some() {
            at.set(&hook).await?;
        }
        return Ok(state(hook, wrong));
    }
    let mut own = at.by_address().await?.into_iter();
    let Some(hook) = own.next() else {
        let hook = at.create().await?;
        return Ok(state(hook, place.remote_id.as_ref().map(|_| "it was removed")));
    };
    for twin in own {
        at.delete(&twin.uuid).await?;
    }
    at.set(&hook).await?;
    Ok(state(hook, Some("it was there already, and is ours now")))
}

/// Removes a hook.
///
/// # Errors
/// [`HubError`].
pub(super) async fn remove(api: &Api<'_>, place: &HookPlace) -> Result<(), HubError> {
    let at = At::without_events(api, place);
    match &place.remote_id {
        Some(id) => at.delete(id).await,
        None => {
            for hook in at.by_address().await? {
                at.delete(&hook.uuid).await?;
            }
            Ok(())
        }
    }
}
