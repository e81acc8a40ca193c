//! Webhooks: the API about them, and what they tell.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::hmac;
use packagist_selfhosted::secrets::random;
use serde_json::{Value, json};

use super::Site;
use super::api::error;
use super::rest::{bad, nowhere, nowhere_said};
use crate::platforms::frame::now;
use crate::platforms::message::{Asked, Reply};
use crate::platforms::post::{Parcel, Post, Sent};

/// The first version with hooks of projects.
const OF_PROJECTS: (u32, u32) = (8, 9);
/// How many failures in a row switch a hook off for a while.
const BREAKS_AFTER: usize = 5;
/// What hooks of repositories are told.
const EVENTS: [&str; 6] = [
    "repo:refs_changed",
    "repo:modified",
    "repo:forked",
    "repo:comment:added",
    "pr:opened",
    "mirror:repo_synchronized",
];

/// Where a hook is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At a project.
    Project(u64),
    /// At a repository.
    Repository(u64),
}

/// A hook.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Its number.
    pub id: u64,
    /// Where it is.
    pub place: Place,
    /// What people see.
    pub name: String,
    /// Where it calls.
    pub url: String,
    /// What signs.
    pub secret: Option<String>,
    /// What it tells.
    pub events: BTreeSet<String>,
    /// Whether it does.
    pub active: bool,
    /// Whether certificates are checked.
    pub verifies: bool,
    /// How many of its deliveries are forgotten by the circuit breaker.
    pub forgiven: usize,
    /// When it was changed last, in milliseconds since 1970.
    pub updated: i64,
}

/// All of them.
#[derive(Default)]
pub struct Hooks {
    /// By number.
    pub all: BTreeMap<u64, Hook>,
    /// The last number.
    pub last: u64,
    /// Whether nothing is told.
    pub silent: bool,
    /// The post.
    pub post: Post,
}

impl Site {
    /// What stands below a project's `/webhooks`.
    pub(super) fn hooks_of_project(&mut self, asked: &Asked, key: &str, rest: &[&str]) -> Reply {
        if self.version() < OF_PROJECTS {
            return nowhere_said();
        }
        let place = self.directory.project(key).map(|one| Place::Project(one.id));
        self.of_hooks(asked, place, rest)
    }

    /// What stands below a repository's `/webhooks`.
    pub(super) fn hooks_of_repository(&mut self, asked: &Asked, key: &str, slug: &str, rest: &[&str]) -> Reply {
        let place = self.directory.repository(key, slug).map(|one| Place::Repository(one.id));
        self.of_hooks(asked, place, rest)
    }

    fn of_hooks(&mut self, asked: &Asked, place: Option<Place>, rest: &[&str]) -> Reply {
        let Some(place) = place else {
            return error(404, "com.atlassian.bitbucket.NoSuchObjectException", "There is no such thing");
        };
        let refusal = self.answered(asked, |caller| self.administered(caller, place).map(|()| Reply::empty(200)));
        if refusal.status != 200 {
            return refusal;
        }
        let caller = refusal.headers.into_iter().find(|(name, _)| name == "x-ausername");
        let reply = self.hook_answered(asked, place, rest).unwrap_or_else(|refusal| refusal);
        match caller {
            Some((name, value)) => reply.with(&name, &value),
            None => reply,
        }
    }

    fn hook_answered(&mut self, asked: &Asked, place: Place, rest: &[&str]) -> Result<Reply, Reply> {
        match (asked.method.as_str(), rest) {
            ("GET", []) => {
                let own = self.hooks.all.values().filter(|hook| hook.place == place);
                self.page_of(asked, &[], own.map(shown).collect())
            }
            ("POST", []) => {
                self.hooks.last += 1;
                let id = self.hooks.last;
                let hook = self.hook_of(asked, id, place)?;
                let reply = Reply::json(201, &shown(&hook));
                self.hooks.all.insert(id, hook);
                Ok(reply)
            }
            (method, [id, rest @ ..]) => {
                let id = id.parse().map_err(|_| bad("no number"))?;
                let found = self.hooks.all.get(&id).filter(|hook| hook.place == place).cloned();
                let Some(found) = found else {
                    let kind = "com.atlassian.bitbucket.webhook.NoSuchWebhookException";
                    return Err(error(404, kind, "There is no such webhook"));
                };
                match (method, rest) {
                    ("GET", []) => Ok(Reply::json(200, &shown(&found))),
                    ("GET", ["statistics"]) => Ok(Reply::json(200, &self.statistics(&found))),
                    ("PUT", []) => {
                        let hook = Hook { forgiven: self.deliveries(id).len(), ..self.hook_of(asked, id, place)? };
                        let reply = Reply::json(200, &shown(&hook));
                        self.hooks.all.insert(id, hook);
                        Ok(reply)
                    }
                    ("DELETE", []) => {
                        self.hooks.all.remove(&id);
                        Ok(Reply::empty(204))
                    }
                    _ => Err(nowhere()),
                }
            }
            _ => Err(nowhere()),
        }
    }

    /// Reads a hook from a body, which has all of it.
    fn hook_of(&self, asked: &Asked, id: u64, place: Place) -> Result<Hook, Reply> {
        let body = asked.json().ok_or_else(|| bad("the body is no JSON"))?;
        let known = ["name", "url", "active", "events", "sslVerificationRequired", "configuration", "credentials"];
        if let Some(odd) = body.as_object().and_then(|body| body.keys().find(|key| !known.contains(&key.as_str()))) {
            return Err(bad(&format!("{odd} is not documented")));
        }
        let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let missing = |what: &str| bad(&format!("{what} is missing"));
        let events: BTreeSet<String> =
            body["events"].as_array().into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect();
        let is_known = |event: &String| {
            (EVENTS.contains(&event.as_str()) && (event != "mirror:repo_synchronized" || self.has_mirrors))
                || (event == "project:modified" && matches!(place, Place::Project(_)) && self.version() >= (8, 10))
        };
        if events.is_empty() || !events.iter().all(is_known) {
            let kind = "com.atlassian.bitbucket.validation.ArgumentValidationException";
            return Err(error(400, kind, "The event is not known"));
        }
        Ok(Hook {
            id,
            place,
            name: text("name").ok_or_else(|| missing("name"))?,
            url: text("url").ok_or_else(|| missing("url"))?,
            secret: body["configuration"]["secret"].as_str().map(str::to_owned),
            events,
            active: body["active"].as_bool().unwrap_or(true),
            verifies: body["sslVerificationRequired"].as_bool().unwrap_or(true),
            forgiven: 0,
            updated: now() * 1000,
        })
    }

    fn deliveries(&self, id: u64) -> Vec<Sent> {
        self.hooks.post.sent().into_iter().filter(|sent| sent.parcel.hook == id).collect()
    }

    fn statistics(&self, hook: &Hook) -> Value {
        let sent = self.deliveries(hook.id);
        let is_good = |sent: &&Sent| sent.status.is_some_and(|status| (200..300).contains(&status));
        let shown = |sent: &Sent| {
            let (said, outcome) = match sent.status {
                Some(status) => (status.to_string(), if is_good(&sent) { "SUCCESS" } else { "FAILURE" }),
                None => ("Connection refused".to_owned(), "ERROR"),
            };
            json!({
                "event": sent.parcel.event, "id": sent.id, "start": sent.at * 1000, "finish": sent.at * 1000 + sent.id.cast_signed() % 1000,
                "result": {"description": said, "outcome": outcome},
            })
        };
        let failures: Vec<&Sent> = sent.iter().filter(|one| !is_good(one)).collect();
        json!({
            "counts": {"successes": sent.len() - failures.len(), "failures": failures.len(), "errors": 0},
            "lastSuccess": sent.iter().rfind(is_good).map(&shown),
            "lastFailure": failures.last().copied().map(shown),
        })
    }

    /// Whether the circuit breaker lets a hook call.
    fn calls(&self, hook: &Hook) -> bool {
        let sent = self.deliveries(hook.id);
        let last = sent.iter().skip(hook.forgiven).rev().take(BREAKS_AFTER);
        let failed = last.filter(|sent| sent.status.is_none_or(|status| !(200..300).contains(&status)));
        failed.count() < BREAKS_AFTER
    }

    /// Tells of an event in a project, or in one of its repositories, whoever wants to know.
    pub(super) fn tell(&mut self, project: u64, repository: Option<u64>, event: &str, more: Value) {
        if self.hooks.silent {
            return;
        }
        let wants = |hook: &&Hook| {
            let is_there =
                hook.place == Place::Project(project) || Some(hook.place) == repository.map(Place::Repository);
            hook.active && is_there && hook.events.contains(event) && self.calls(hook)
        };
        let hooks: Vec<Hook> = self.hooks.all.values().filter(wants).cloned().collect();
        let mut payload = json!({"eventKey": event, "actor": {"name": "admin", "id": 1, "type": "NORMAL"}});
        // The form of dates changes with versions, and nobody should care.
        payload["date"] =
            if self.version() >= (10, 0) { json!(1_780_000_000_000_i64) } else { json!("2026-05-21T14:56:36+0200") };
        let (Value::Object(own), Value::Object(more)) = (&mut payload, more) else {
            unreachable!("payloads are objects")
        };
        own.extend(more);
        for hook in hooks {
            self.deliver(&hook, repository, event, payload.to_string().into_bytes(), true);
        }
    }

    /// Asks whether a hook's other end is there, as somebody does by a button. That is never signed.
    pub(super) fn ping(&self, hook: &Hook) {
        self.deliver(hook, None, "diagnostics:ping", b"{\"test\":true}".to_vec(), false);
    }

    fn deliver(&self, hook: &Hook, repository: Option<u64>, event: &str, body: Vec<u8>, signed: bool) {
        let guid = random::hex::<16>();
        let mut headers = vec![
            ("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned()),
            ("User-Agent".to_owned(), format!("Atlassian HttpClient Bitbucket-{}", self.version)),
            ("X-Event-Key".to_owned(), event.to_owned()),
            ("X-Request-Id".to_owned(), guid.clone()),
        ];
        if let Some(secret) = hook.secret.as_ref().filter(|_| signed) {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            let hex: String = hmac::sign(&key, &body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            headers.push(("X-Hub-Signature".to_owned(), format!("sha256={hex}")));
        }
        let (event, url) = (event.to_owned(), hook.url.clone());
        self.hooks.post.send(Parcel {
            hook: hook.id,
            guid,
            event,
            action: None,
            repository,
            again: false,
            url,
            headers,
            body,
        });
    }
}

/// A hook as the API shows it: without its secret.
fn shown(hook: &Hook) -> Value {
    json!({
        "id": hook.id, "name": hook.name, "createdDate": 1_780_000_000_000_i64, "updatedDate": hook.updated,
        "events": hook.events, "configuration": {}, "url": hook.url, "active": hook.active,
        "scopeType": if matches!(hook.place, Place::Project(_)) { "project" } else { "repository" },
        "sslVerificationRequired": hook.verifies,
    })
}
