//! What is told by webhooks: to whom, and in which words.

use serde_json::{Map, Value, json};

use super::directory::{Level, Repository, Team};
use super::hooks::{Hook, Place};
use super::post::Parcel;
use super::{Flavour, Site, shapes};
pub use crate::platforms::pushed::Pushed;

/// No commit.
const NOTHING: &str = "0000000000000000000000000000000000000000";
/// Of more tags than this at once, nothing is told.
const MOST_TAGS: usize = 3;

impl Site {
    fn here(&self) -> super::answers::Places {
        self.places_at("localhost")
    }

    /// A repository in a payload.
    pub(super) fn repository_told(&self, repository: &Repository) -> Value {
        self.repository_shown(&self.here(), repository, &Level::Admin.into()).into()
    }

    /// A team in a payload.
    pub(super) fn team_told(&self, team: u64) -> Value {
        self.team_shown(&self.here(), &self.directory.teams[&team])
    }

    /// A person in a payload.
    pub(super) fn person_told(&self, user: u64) -> Value {
        shapes::user(&self.here(), &self.users[&user]).into()
    }

    /// Tells of an event, of a repository or of what its organization alone has, whoever wants to know. `repository` is as
    /// it is to be told of.
    pub(super) fn tell(&mut self, org: u64, repository: Option<(u64, Value)>, event: &str, more: Value) {
        if self.hooks.silent {
            return;
        }
        let place = repository.as_ref().map(|(id, _)| Place::Repository(*id));
        let wants = |hook: &&Hook| {
            let is_there = hook.place == Place::Organization(org) || Some(hook.place) == place;
            hook.active && is_there && (hook.events.contains(event) || hook.events.contains("*"))
        };
        let hooks: Vec<Hook> = self.hooks.all.values().filter(wants).cloned().collect();
        let id = repository.as_ref().map(|(id, _)| *id);
        let payload = self.payload(org, repository.map(|(_, shown)| shown), more);
        for hook in hooks {
            self.deliver(&hook, id, event, &payload);
        }
        self.tell_apps(org, id, event, &payload);
    }

    fn payload(&self, org: u64, repository: Option<Value>, more: Value) -> Value {
        let mut payload = Map::new();
        if let Some(org) = self.directory.orgs.get(&org) {
            payload.insert("organization".to_owned(), shapes::organization(&self.here(), org).into());
        }
        if let Some(repository) = repository {
            payload.insert("repository".to_owned(), repository);
        }
        let sender = self.users.keys().next().copied();
        payload.insert("sender".to_owned(), sender.map_or(Value::Null, |user| self.person_told(user)));
        let Value::Object(more) = more else { unreachable!("payloads are objects") };
        payload.extend(more);
        payload.into()
    }

    /// Sends one delivery to one hook.
    pub(super) fn deliver(&self, hook: &Hook, repository: Option<u64>, event: &str, payload: &Value) {
        let text = payload.to_string();
        let mut parcel = Parcel::new(hook.id, &hook.url, hook.form, hook.secret.as_deref(), event, &text);
        parcel.action = payload["action"].as_str().map(str::to_owned);
        parcel.repository = repository;
        let (kind, id) = match hook.place {
            Place::Organization(id) => ("organization", id),
            Place::Repository(id) => ("repository", id),
            Place::App(id) => ("integration", id),
        };
        let mut header = |name: &str, value: &str| parcel.headers.push((name.to_owned(), value.to_owned()));
        header("X-GitHub-Hook-Installation-Target-Type", kind);
        header("X-GitHub-Hook-Installation-Target-ID", &id.to_string());
        if let Flavour::Server { version, .. } = self.flavour {
            header("X-GitHub-Enterprise-Version", version);
            header("X-GitHub-Enterprise-Host", "localhost");
        }
        self.hooks.post.send(parcel);
    }

    /// Asks whether a hook's other end is there, which is always told.
    pub(super) fn ping(&self, id: u64) {
        let hook = &self.hooks.all[&id];
        let (org, repository) = match hook.place {
            Place::Organization(org) => (org, None),
            Place::Repository(id) => (self.directory.repositories[&id].owner, Some(id)),
            Place::App(_) => (0, None),
        };
        let shown = repository.map(|id| self.repository_told(&self.directory.repositories[&id]));
        let more =
            json!({"zen": "Keep it logically awesome.", "hook_id": id, "hook": self.hook_shown(&self.here(), hook)});
        self.deliver(hook, repository, "ping", &self.payload(org, shown, more));
    }

    /// Removes a hook, whose last word it is.
    pub(super) fn unhook(&mut self, id: u64) {
        let hook = self.hooks.all.remove(&id).expect("a hook");
        if self.hooks.silent || !hook.active || !(hook.events.contains("meta") || hook.events.contains("*")) {
            return;
        }
        let (org, repository) = match hook.place {
            Place::Organization(org) => (org, None),
            Place::Repository(id) => (self.directory.repositories[&id].owner, Some(id)),
            Place::App(_) => (0, None),
        };
        let shown = repository.map(|id| self.repository_told(&self.directory.repositories[&id]));
        let more = json!({"action": "deleted", "hook_id": id, "hook": self.hook_shown(&self.here(), &hook)});
        self.deliver(&hook, repository, "meta", &self.payload(org, shown, more));
    }

    /// Tells of something about a repository.
    pub(super) fn tell_of(&mut self, repository: u64, event: &str, more: Value) {
        let one = &self.directory.repositories[&repository];
        let (owner, shown) = (one.owner, self.repository_told(one));
        self.tell(owner, Some((repository, shown)), event, more);
    }

    /// Tells of something about a team.
    pub(super) fn tell_of_team(&mut self, team: &Team, event: &str, repository: Option<u64>, more: Value) {
        let shown = repository.map(|id| (id, self.repository_told(&self.directory.repositories[&id])));
        let mut whole = json!({"team": self.team_told(team.id)});
        let (Value::Object(own), Value::Object(more)) = (&mut whole, more) else {
            unreachable!("payloads are objects")
        };
        own.extend(more);
        self.tell(team.org, shown, event, whole);
    }

    /// Tells of a push of one or many refs at once.
    pub(super) fn tell_of_push(&mut self, repository: u64, refs: &[Pushed]) {
        let tags = refs.iter().filter(|one| one.name.starts_with("refs/tags/")).count();
        for one in refs.iter().filter(|one| tags <= MOST_TAGS || !one.name.starts_with("refs/tags/")) {
            self.tell_of_ref(repository, one);
        }
    }

    fn tell_of_ref(&mut self, repository: u64, pushed: &Pushed) {
        let found = &self.directory.repositories[&repository];
        let (owner, branch, created, at) =
            (found.owner, found.default_branch.clone(), found.created_at, found.pushed_at);
        let mut shown = self.repository_told(found);
        // Only here are they numbers.
        (shown["created_at"], shown["pushed_at"]) = (created.into(), at.into());
        shown["owner"]["name"] = shown["owner"]["login"].clone();
        let commit = pushed.after.as_ref().map(|id| {
            json!({"id": id, "tree_id": id, "distinct": true, "message": "x", "timestamp": shapes::moment(at),
                "url": "", "author": {"name": "Ada", "email": "ada@example.com"},
                "committer": {"name": "Ada", "email": "ada@example.com"}, "added": [], "removed": [], "modified": []})
        });
        let is_branch = pushed.name.starts_with("refs/heads/");
        let payload = json!({
            "ref": pushed.name, "before": pushed.before.as_deref().unwrap_or(NOTHING),
            "after": pushed.after.as_deref().unwrap_or(NOTHING), "created": pushed.before.is_none(),
            "deleted": pushed.after.is_none(), "forced": false, "base_ref": null, "compare": "",
            "commits": commit.iter().filter(|_| is_branch).collect::<Vec<_>>(), "head_commit": commit,
            "pusher": {"name": "ada", "email": "ada@example.com"},
        });
        self.tell(owner, Some((repository, shown)), "push", payload);
        let event = match (&pushed.before, &pushed.after) {
            (None, Some(_)) => "create",
            (Some(_), None) => "delete",
            _ => return,
        };
        let short = pushed.name.splitn(3, '/').last().unwrap_or_default();
        let kind = if is_branch { "branch" } else { "tag" };
        let more = json!({"ref": short, "ref_type": kind, "master_branch": branch, "pusher_type": "user", "description": null});
        self.tell_of(repository, event, more);
    }
}
