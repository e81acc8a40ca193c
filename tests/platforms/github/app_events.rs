//! What Apps are told: what happens where they are installed, and what happens to their installations, asked for or not.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Site;

impl Site {
    /// Tells the Apps of an organization of an event that they asked for. That a repository was deleted they are not told.
    pub(super) fn tell_apps(&self, org: u64, repository: Option<u64>, event: &str, payload: &Value) {
        if event == "repository" && payload["action"] == "deleted" {
            return;
        }
        for own in self.installations.values().filter(|own| own.account == org && !own.suspended) {
            let is_seen = repository.is_none_or(|id| own.repositories.as_ref().is_none_or(|all| all.contains(&id)));
            let hook = self.hook_of_app(own.app).map(|id| &self.hooks.all[&id]);
            if let Some(hook) = hook.filter(|hook| is_seen && hook.active && hook.events.contains(event)) {
                let mut payload = payload.clone();
                payload["installation"] = json!({"id": own.id, "node_id": format!("I_{}", own.id)});
                self.deliver(hook, repository, event, &payload);
            }
        }
    }

    /// Tells the Apps that see all repositories of an account which one came or went.
    pub(super) fn tell_selection(&self, account: u64, repository: u64, has_come: bool) {
        let all = self.installations.values().filter(|one| one.account == account && one.repositories.is_none());
        for own in all {
            self.tell_installation_repositories(own.id, &[repository].into(), has_come);
        }
    }

    /// Tells an App which repositories it sees from now on, or no longer.
    pub(super) fn tell_installation_repositories(&self, id: u64, which: &BTreeSet<u64>, has_come: bool) {
        let rows: Vec<Value> = which.iter().map(|id| self.brief(*id)).collect();
        let own = &self.installations[&id];
        let action = if has_come { "added" } else { "removed" };
        let selection = if own.repositories.is_none() { "all" } else { "selected" };
        let mut payload = json!({
            "action": action, "repository_selection": selection, "repositories_added": [],
            "repositories_removed": [], "requester": null,
        });
        payload[format!("repositories_{action}")] = rows.into();
        self.tell_app(id, "installation_repositories", payload);
    }

    /// Tells an App of its installation.
    pub(super) fn tell_app(&self, installation: u64, event: &str, mut payload: Value) {
        let own = &self.installations[&installation];
        payload["installation"] = self.installation_shown(&self.places_at("localhost"), own);
        payload["sender"] = self.users.keys().next().map_or(Value::Null, |user| self.person_told(*user));
        self.tell_of_app(own.app, event, &payload);
    }

    /// Tells an App something of its own.
    pub(super) fn tell_of_app(&self, app: u64, event: &str, payload: &Value) {
        let hook = self.hook_of_app(app).map(|id| &self.hooks.all[&id]);
        if let Some(hook) = hook.filter(|hook| hook.active && !self.hooks.silent) {
            self.deliver(hook, None, event, payload);
        }
    }

    /// A repository in a few words.
    pub(super) fn brief(&self, id: u64) -> Value {
        let found = self.directory.repositories.get(&id);
        let (name, path) = match found {
            Some(found) => (found.name.clone(), self.path_of(found)),
            None => ("gone".to_owned(), "gone/gone".to_owned()),
        };
        json!({"id": id, "node_id": format!("R_{id}"), "name": name, "full_name": path, "private": true})
    }
}
