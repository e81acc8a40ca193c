//! Webhooks of workspaces and repositories, and the deliveries that they send.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::hmac;
use packagist_selfhosted::secrets::random;
use serde_json::{Value, json};

use super::Site;
use super::answers::{absent, error};
use super::directory::Level;
use super::tokens::Caller;
use crate::platforms::message::{Asked, Reply};
use crate::platforms::post::{Parcel, Post};

/// What both places tell of.
const OF_BOTH: [&str; 7] =
    ["repo:push", "repo:updated", "repo:transfer", "repo:imported", "repo:deleted", "repo:fork", "pullrequest:created"];
/// What only workspaces tell of.
const OF_WORKSPACE: [&str; 1] = ["repo:created"];
/// How many hooks a place may have.
const MOST: usize = 50;
/// Bodies that are longer are dropped, and nobody is told.
const LONGEST: usize = 256 * 1024;

/// What a hook belongs to, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A workspace.
    Workspace(u64),
    /// A repository.
    Repository(u64),
}

/// A webhook.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Its name.
    pub uuid: String,
    /// What it belongs to.
    pub place: Place,
    /// Where it calls.
    pub url: String,
    /// What it signs with.
    pub secret: Option<String>,
    /// Whether it is switched on.
    pub active: bool,
    /// What it tells of.
    pub events: BTreeSet<String>,
}

/// All webhooks, and the post.
#[derive(Default)]
pub struct Hooks {
    /// By numbers that nobody sees.
    pub all: BTreeMap<u64, Hook>,
    /// What sends.
    pub post: Post,
    /// Whether nothing is told to anybody.
    pub silent: bool,
    last: u64,
}

fn uuid() -> String {
    let hex = random::hex::<16>();
    format!("{{{}}}", [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]].join("-"))
}

fn known(place: Place) -> Vec<&'static str> {
    match place {
        Place::Workspace(_) => OF_BOTH.into_iter().chain(OF_WORKSPACE).collect(),
        Place::Repository(_) => OF_BOTH.to_vec(),
    }
}

fn shown(hook: &Hook) -> Value {
    json!({
        "type": "webhook_subscription", "uuid": hook.uuid, "url": hook.url, "description": "x", "active": hook.active,
        "events": hook.events, "secret_set": hook.secret.is_some(), "skip_cert_verification": false, "links": {},
    })
}

impl Site {
    /// `GET /2.0/hook_events/{subject}`, for everybody.
    pub(super) fn events_of(&self, asked: &Asked, subject: &str) -> Result<Reply, Reply> {
        let place = match subject {
            "workspace" => Place::Workspace(0),
            "repository" => Place::Repository(0),
            _ => return Err(absent("Subject").blamed("there is no such subject")),
        };
        let row = |event: &str| json!({"category": "Repository", "event": event, "label": event, "description": event});
        self.page(asked, &[], &known(place).into_iter().map(row).collect::<Vec<_>>())
    }

    /// `…/hooks`.
    pub(super) fn hooks_of(
        &mut self,
        asked: &Asked,
        caller: &Caller,
        place: Place,
        rest: &[&str],
    ) -> Result<Reply, Reply> {
        match asked.method.as_str() {
            "GET" => caller.needs(&["read:webhook:bitbucket", "webhook"])?,
            "DELETE" => caller.needs(&["delete:webhook:bitbucket", "webhook"])?,
            _ => caller.needs(&["write:webhook:bitbucket", "webhook"])?,
        }
        let may = match place {
            Place::Workspace(id) => self.is_in(caller, id, true) && !self.hides_hooks,
            Place::Repository(id) => self.level(caller, id) == Some(Level::Admin),
        };
        if !may {
            return Err(error(403, "You must be an admin to manage webhooks."));
        }
        let found = rest.first().map(|name| {
            let hook = self.hooks.all.iter().find(|(_, hook)| hook.uuid == *name && hook.place == place);
            hook.map(|(id, _)| *id).ok_or_else(|| absent("Webhook"))
        });
        match (asked.method.as_str(), found.transpose()?) {
            ("GET", None) => {
                let rows: Vec<Value> = self.hooks.all.values().filter(|hook| hook.place == place).map(shown).collect();
                self.page(asked, &[], &rows)
            }
            ("GET", Some(id)) => Ok(Reply::json(200, &shown(&self.hooks.all[&id]))),
            ("POST", None) => {
                if self.hooks.all.values().filter(|hook| hook.place == place).count() >= MOST {
                    return Err(error(400, "Too many webhooks"));
                }
                let hook = Hook {
                    uuid: uuid(),
                    place,
                    url: String::new(),
                    secret: None,
                    active: false,
                    events: BTreeSet::new(),
                };
                let hook = self.configured(hook, asked)?;
                self.hooks.last += 1;
                self.hooks.all.insert(self.hooks.last, hook.clone());
                Ok(Reply::json(201, &shown(&hook)))
            }
            ("PUT", Some(id)) => {
                let hook = self.configured(self.hooks.all[&id].clone(), asked)?;
                self.hooks.all.insert(id, hook.clone());
                Ok(Reply::json(200, &shown(&hook)))
            }
            ("DELETE", Some(id)) => {
                self.hooks.all.remove(&id);
                Ok(Reply::empty(204))
            }
            _ => Err(error(405, "Method not allowed").blamed("no such method")),
        }
    }

    fn configured(&self, mut hook: Hook, asked: &Asked) -> Result<Hook, Reply> {
        let wrong = |why: &str| error(400, why);
        let body = asked.json().ok_or_else(|| wrong("no JSON").blamed("what is sent is no JSON"))?;
        let url = body["url"].as_str().and_then(|url| url::Url::parse(url).ok());
        let url = url.ok_or_else(|| wrong("url: Enter a valid URL."))?;
        if self.refuses_private {
            return Err(wrong("url: The hostname must resolve to a public address."));
        }
        let events = body["events"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let events: BTreeSet<String> = events.map(str::to_owned).collect();
        if events.is_empty() || events.iter().any(|event| !known(hook.place).contains(&event.as_str())) {
            return Err(wrong("events: no such event").blamed(format!("{events:?} has what it does not tell of")));
        }
        let secret = body["secret"].as_str();
        if secret.is_none_or(|secret| secret.len() > 128 || secret.len() < 32) {
            return Err(wrong("secret").blamed("the secret is none"));
        }
        hook.secret = secret.map(str::to_owned);
        hook.active = body["active"].as_bool().unwrap_or(false);
        hook.events = events;
        url.as_str().clone_into(&mut hook.url);
        Ok(hook)
    }

    /// Tells all hooks that may hear of what happened to a repository.
    pub(super) fn tell(&self, (workspace, repository): (u64, u64), event: &str, payload: &Value) {
        if self.hooks.silent {
            return;
        }
        for (number, hook) in &self.hooks.all {
            let is_here = match hook.place {
                Place::Workspace(id) => id == workspace,
                Place::Repository(id) => id == repository,
            };
            if is_here && hook.active && hook.events.contains(event) {
                let body = payload.to_string().into_bytes();
                if body.len() <= LONGEST {
                    self.hooks.post.send(parcel((*number, hook), event, body, repository));
                }
            }
        }
    }
}

fn parcel((number, hook): (u64, &Hook), event: &str, body: Vec<u8>, repository: u64) -> Parcel {
    let guid = uuid();
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut headers = vec![
        header("Content-Type", "application/json"),
        header("User-Agent", "Bitbucket-Webhooks/2.0"),
        header("X-Event-Key", event),
        header("X-Hook-UUID", hook.uuid.trim_matches(['{', '}'])),
        header("X-Request-UUID", guid.trim_matches(['{', '}'])),
        header("X-Attempt-Number", "1"),
    ];
    if let Some(secret) = &hook.secret {
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), &body);
        let hex: String = mac.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        headers.push(header("X-Hub-Signature", &format!("sha256={hex}")));
    }
    let guid = guid.trim_matches(['{', '}']).to_owned();
    let (url, event) = (hook.url.clone(), event.to_owned());
    Parcel { hook: number, guid, event, action: None, repository: Some(repository), again: false, url, headers, body }
}
