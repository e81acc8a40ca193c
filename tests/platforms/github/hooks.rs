//! The API about webhooks of organizations and repositories. What a token may not do with them, GitHub hides as if it were
//! not there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Site;
use super::answers::{Places, forbidden, invalid, list, message, not_found, parameters};
use super::directory::{Level, Rank};
use super::post::{Parcel, Post, Sent};
use super::shapes::moment;
use crate::platforms::frame::now;
use crate::platforms::message::{Asked, Reply};

/// Events that only organizations (and Apps) have.
pub(super) const OF_ORGANIZATIONS: [&str; 4] = ["team", "membership", "organization", "org_block"];
/// Events that repositories have too.
pub(super) const OF_BOTH: [&str; 13] = [
    "push",
    "create",
    "delete",
    "release",
    "repository",
    "public",
    "team_add",
    "member",
    "meta",
    "fork",
    "issues",
    "pull_request",
    "status",
];
/// How many hooks of a place may want the same event.
const MOST: usize = 20;

/// What a hook belongs to, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An organization.
    Organization(u64),
    /// A repository.
    Repository(u64),
    /// An App, which has one hook for all its installations.
    App(u64),
}

/// A webhook.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Its number.
    pub id: u64,
    /// What it belongs to.
    pub place: Place,
    /// Where it calls.
    pub url: String,
    /// Whether it sends forms instead of JSON.
    pub form: bool,
    /// What it signs with.
    pub secret: Option<String>,
    /// Whether it does without certificates.
    pub insecure: bool,
    /// What it tells of; `*` is everything.
    pub events: BTreeSet<String>,
    /// Whether it is switched on.
    pub active: bool,
}

/// All webhooks, and the post.
#[derive(Default)]
pub struct Hooks {
    /// By their numbers.
    pub all: BTreeMap<u64, Hook>,
    /// What sends.
    pub post: Post,
    /// Whether nothing is told to anybody.
    pub silent: bool,
}

impl Hook {
    pub(super) fn config(&self) -> Value {
        let kind = if self.form { "form" } else { "json" };
        let mut config = json!({
            "url": self.url, "content_type": kind, "insecure_ssl": if self.insecure { "1" } else { "0" },
        });
        if self.secret.is_some() {
            config["secret"] = "********".into();
        }
        config
    }

    /// Takes what a request says of the settings; what it leaves out is as it is new.
    pub(super) fn configure(&mut self, config: &Value) -> Result<(), Reply> {
        let fields = config.as_object().ok_or_else(|| wrong("`config` is no object"))?;
        for (name, value) in fields {
            let text = value.as_str().unwrap_or_default();
            match name.as_str() {
                "url" if text.starts_with("http") => text.clone_into(&mut self.url),
                "content_type" if ["json", "form"].contains(&text) => self.form = text == "form",
                "secret" if value.is_string() => self.secret = Some(text.to_owned()).filter(|text| !text.is_empty()),
                "insecure_ssl" if ["0", "1"].contains(&text) || [Some(0), Some(1)].contains(&value.as_u64()) => {
                    self.insecure = text == "1" || value.as_u64() == Some(1);
                }
                _ => return Err(wrong(&format!("`config.{name}` is {value}"))),
            }
        }
        Ok(())
    }

    fn reconfigure(&mut self, config: &Value) -> Result<(), Reply> {
        (self.form, self.secret, self.insecure) = (true, None, false);
        self.configure(config)
    }
}

/// A body that no correct client sends.
fn wrong(why: &str) -> Reply {
    invalid("Hook", why).blamed(why)
}

/// Reads a body that may have these fields.
fn body(asked: &Asked, known: &[&str]) -> Result<Value, Reply> {
    let value = asked.json().ok_or_else(|| message(400, "Problems parsing JSON").blamed("the body is no JSON"))?;
    let fields = value.as_object().ok_or_else(|| message(400, "Body should be a JSON object").blamed("no object"))?;
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(wrong(&format!("`{name}` is not documented"))),
        None => Ok(value),
    }
}

impl Site {
    /// Answers a request that is about webhooks; none: it is not.
    pub(super) fn hooks_api(&mut self, asked: &Asked, method: &str, parts: &[&str]) -> Option<Result<Reply, Reply>> {
        let (place, rest) = match parts {
            ["orgs", login, "hooks", rest @ ..] => (Place::Organization(self.directory.org(login)?.id), rest),
            ["organizations", id, "hooks", rest @ ..] => (Place::Organization(id.parse().ok()?), rest),
            ["repos", owner, name, "hooks", rest @ ..] => {
                (Place::Repository(self.repository_at(owner, name)?.id), rest)
            }
            ["repositories", id, "hooks", rest @ ..] => (Place::Repository(id.parse().ok()?), rest),
            _ => return None,
        };
        Some(self.of_hooks(asked, method, place, rest))
    }

    fn of_hooks(&mut self, asked: &Asked, method: &str, place: Place, rest: &[&str]) -> Result<Reply, Reply> {
        self.may_hook(asked, place, if method == "GET" { "read" } else { "write" })?;
        let (id, rest) = match (method, rest) {
            ("GET", []) => return self.hooks_listed(asked, place),
            ("POST", []) => return self.hook_created(asked, place),
            (_, [id, rest @ ..]) => (id.parse().map_err(|_| not_found().blamed("no number"))?, rest),
            _ => return Err(not_found().blamed("there is no such address")),
        };
        let at = self.places(asked);
        let found = self.hooks.all.get(&id).filter(|hook| hook.place == place).ok_or_else(not_found)?;
        match (method, rest) {
            ("GET", []) => Ok(Reply::json(200, &self.hook_shown(&at, found))),
            ("PATCH", []) => self.hook_changed(asked, id),
            ("DELETE", []) => {
                self.unhook(id);
                Ok(Reply::empty(204))
            }
            ("GET", ["config"]) => Ok(Reply::json(200, &found.config())),
            ("PATCH", ["config"]) => {
                let config = body(asked, &["url", "content_type", "secret", "insecure_ssl"])?;
                let hook = self.hooks.all.get_mut(&id).expect("it was found");
                hook.configure(&config)?;
                Ok(Reply::json(200, &hook.config()))
            }
            ("POST", ["pings"]) => {
                self.ping(id);
                Ok(Reply::empty(204))
            }
            ("GET", ["deliveries"]) => self.deliveries(asked, id),
            ("GET", ["deliveries", delivery]) => {
                let sent = self.delivery(id, delivery)?;
                let mut shown = delivered(&sent);
                shown["url"] = found.url.clone().into();
                shown["request"] = json!({"headers": {}, "payload": {}});
                shown["response"] = json!({"headers": {}, "payload": ""});
                Ok(Reply::json(200, &shown))
            }
            ("POST", ["deliveries", delivery, "attempts"]) => {
                let sent = self.delivery(id, delivery)?;
                self.hooks.post.send(Parcel { again: true, ..sent.parcel });
                Ok(Reply::json(202, &json!({})))
            }
            _ => Err(not_found().blamed("there is no such address")),
        }
    }

    /// Lets in who may see or change hooks.
    fn may_hook(&self, asked: &Asked, place: Place, level: &str) -> Result<(), Reply> {
        let caller = self.caller(asked)?;
        let (permission, scope, is_entitled) = match place {
            Place::Organization(id) => {
                let org = self.directory.orgs.get(&id).ok_or_else(not_found)?;
                let is_owner = self.rank(&caller, org) == Some(Rank::Owner) || caller.user().is_none();
                ("organization_hooks", "admin:org_hook", is_owner)
            }
            Place::Repository(id) => {
                let repository = self.directory.repositories.get(&id).ok_or_else(not_found)?;
                if !self.shows(&caller, repository) {
                    return Err(not_found());
                }
                let scope = if level == "read" { "read:repo_hook" } else { "write:repo_hook" };
                let is_admin = self.level(&caller, repository) >= Level::Admin || caller.user().is_none();
                ("repository_hooks", scope, is_admin)
            }
            Place::App(_) => return Err(not_found()),
        };
        if !caller.has_permission(permission, level) {
            caller.needs(scope, permission, level)?;
        }
        if is_entitled && caller.has_scope(scope) { Ok(()) } else { Err(not_found()) }
    }

    fn hooks_of(&self, place: Place) -> Vec<&Hook> {
        self.hooks.all.values().filter(|hook| hook.place == place).collect()
    }

    fn hooks_listed(&self, asked: &Asked, place: Place) -> Result<Reply, Reply> {
        let (_, page) = list(asked, &[])?;
        let at = self.places(asked);
        Ok(self.page(asked, page, &self.hooks_of(place), None, |hook| self.hook_shown(&at, hook)))
    }

    fn hook_created(&mut self, asked: &Asked, place: Place) -> Result<Reply, Reply> {
        let given = body(asked, &["name", "config", "events", "active"])?;
        if let Place::Repository(id) = place
            && self.directory.repositories[&id].archived
        {
            return Err(forbidden("Repository was archived so is read-only."));
        }
        if given["name"] != "web" {
            return Err(wrong("`name` is not \"web\""));
        }
        let id = self.new_id();
        let (url, events) = (String::new(), BTreeSet::new());
        let mut hook = Hook { id, place, url, form: true, secret: None, insecure: false, events, active: true };
        hook.configure(&given["config"])?;
        if hook.url.is_empty() {
            return Err(wrong("`config.url` is missing"));
        }
        set(&mut hook, &given)?;
        let others = self.hooks_of(place);
        if others.iter().any(|other| other.url == hook.url && !other.events.is_disjoint(&hook.events)) {
            let kind = if matches!(place, Place::Organization(_)) { "organization" } else { "repository" };
            return Err(invalid("Hook", &format!("Hook already exists on this {kind}")));
        }
        let full = |event: &&String| others.iter().filter(|other| other.events.contains(*event)).count() >= MOST;
        if let Some(event) = hook.events.iter().find(full) {
            return Err(invalid("Hook", &format!("The \"{event}\" event cannot have more than {MOST} hooks")));
        }
        let shown = self.hook_shown(&self.places(asked), &hook);
        self.hooks.all.insert(id, hook);
        self.ping(id);
        Ok(Reply::json(201, &shown))
    }

    fn hook_changed(&mut self, asked: &Asked, id: u64) -> Result<Reply, Reply> {
        let given = body(asked, &["name", "config", "events", "active", "add_events", "remove_events"])?;
        let mut hook = self.hooks.all[&id].clone();
        if let Some(config) = given.get("config") {
            hook.reconfigure(config)?;
        }
        set(&mut hook, &given)?;
        let shown = self.hook_shown(&self.places(asked), &hook);
        self.hooks.all.insert(id, hook);
        Ok(Reply::json(200, &shown))
    }

    pub(super) fn deliveries(&self, asked: &Asked, id: u64) -> Result<Reply, Reply> {
        let mut known: Vec<(&str, &[&str])> = vec![("per_page", &[]), ("cursor", &[])];
        if self.is_at_least(3, 17) {
            known.push(("status", &["success", "failure"]));
        }
        let given = parameters(asked, &known)?;
        let size: usize = given.get("per_page").map_or(Ok(30), |text| text.parse()).map_err(|_| wrong("`per_page`"))?;
        if size > 100 {
            return Err(wrong("`per_page` is above 100"));
        }
        let wanted = |sent: &Sent| match given.get("status") {
            Some(&"success") => is_taken(sent),
            Some(_) => !is_taken(sent),
            None => true,
        };
        let before: u64 =
            given.get("cursor").and_then(|text| text.strip_prefix("v1_")?.parse().ok()).unwrap_or(u64::MAX);
        let all = self.hooks.post.sent();
        let all = all.iter().rev().filter(|sent| sent.parcel.hook == id && sent.id < before && wanted(sent));
        let rows: Vec<&Sent> = all.take(size).collect();
        let reply = Reply::json(200, &rows.iter().map(|sent| delivered(sent)).collect());
        match rows.last().filter(|_| rows.len() == size) {
            Some(last) => {
                let at = format!("{}{}", self.places(asked).api, self.api_path(asked).unwrap_or_default());
                Ok(reply.with("link", &format!("<{at}?per_page={size}&cursor=v1_{}>; rel=\"next\"", last.id)))
            }
            None => Ok(reply),
        }
    }

    pub(super) fn delivery(&self, hook: u64, id: &str) -> Result<Sent, Reply> {
        let all = self.hooks.post.sent();
        all.into_iter().find(|sent| sent.parcel.hook == hook && sent.id.to_string() == id).ok_or_else(not_found)
    }

    /// A hook as the API shows it.
    pub(super) fn hook_shown(&self, at: &Places, hook: &Hook) -> Value {
        let (kind, base) = match hook.place {
            Place::Organization(id) => ("Organization", format!("{}/orgs/{}", at.api, self.directory.orgs[&id].login)),
            Place::Repository(id) => {
                ("Repository", format!("{}/repos/{}", at.api, self.path_of(&self.directory.repositories[&id])))
            }
            Place::App(_) => ("App", format!("{}/app", at.api)),
        };
        let url = format!("{base}/hooks/{}", hook.id);
        let mut shown = json!({
            "id": hook.id, "type": kind, "name": "web", "active": hook.active, "events": hook.events,
            "config": hook.config(), "url": url, "ping_url": format!("{url}/pings"),
            "deliveries_url": format!("{url}/deliveries"), "created_at": moment(now()), "updated_at": moment(now()),
        });
        if kind == "Repository" {
            let last = self.hooks.post.sent().into_iter().rev().find(|sent| sent.parcel.hook == hook.id);
            shown["test_url"] = format!("{url}/test").into();
            shown["last_response"] = match last {
                None => json!({"code": null, "status": "unused", "message": null}),
                Some(sent) if is_taken(&sent) => json!({"code": sent.status, "status": "active", "message": "OK"}),
                Some(sent) => json!({"code": sent.status.unwrap_or(0), "status": "failed", "message": "it failed"}),
            };
        }
        shown
    }
}

/// Takes what both making and changing a hook may say.
fn set(hook: &mut Hook, given: &Value) -> Result<(), Reply> {
    let is_known = |name: &str| match hook.place {
        Place::Organization(_) | Place::App(_) => {
            name == "*" || OF_BOTH.contains(&name) || OF_ORGANIZATIONS.contains(&name)
        }
        Place::Repository(_) => name == "*" || OF_BOTH.contains(&name),
    };
    let names = |value: &Value| -> Result<BTreeSet<String>, Reply> {
        let all = value.as_array().ok_or_else(|| wrong("events are no list"))?;
        let all: Option<BTreeSet<String>> = all.iter().map(|name| name.as_str().map(str::to_owned)).collect();
        let all = all.ok_or_else(|| wrong("an event is no text"))?;
        match all.iter().find(|name| !is_known(name)) {
            Some(name) => Err(wrong(&format!("there is no event `{name}` here"))),
            None => Ok(all),
        }
    };
    let mut events = match given.get("events") {
        Some(events) => names(events)?,
        None if hook.events.is_empty() => BTreeSet::from(["push".to_owned()]),
        None => hook.events.clone(),
    };
    if let Some(more) = given.get("add_events") {
        events.append(&mut names(more)?);
    }
    if let Some(less) = given.get("remove_events") {
        events = &events - &names(less)?;
    }
    hook.events = events;
    match given.get("active") {
        None => {}
        Some(Value::Bool(active)) => hook.active = *active,
        Some(_) => return Err(wrong("`active` is not true or false")),
    }
    Ok(())
}

fn is_taken(sent: &Sent) -> bool {
    sent.status.is_some_and(|status| (200..300).contains(&status))
}

pub(super) fn delivered(sent: &Sent) -> Value {
    let words = match sent.status {
        Some(_) if is_taken(sent) => "OK".to_owned(),
        Some(status) => format!("Invalid HTTP Response: {status}"),
        None => "failed to connect to host".to_owned(),
    };
    json!({
        "id": sent.id, "guid": sent.parcel.guid, "delivered_at": moment(sent.at), "redelivery": sent.parcel.again,
        "duration": 0.03, "status": words, "status_code": sent.status.unwrap_or(0), "event": sent.parcel.event,
        "action": sent.parcel.action, "installation_id": null, "repository_id": sent.parcel.repository,
    })
}
