//! What is told by webhooks: to whom, and in which words.

use serde_json::{Value, json};

use super::Site;
use super::answers::moment;
use super::directory::Project;
use super::hooks::{Hook, Place, uuid};
use crate::platforms::pushed::Pushed;

/// No commit.
const NOTHING: &str = "0000000000000000000000000000000000000000";

/// What levels are called in deliveries.
pub(super) fn level_named(level: u32) -> &'static str {
    match level {
        5 => "Minimal Access",
        10 => "Guest",
        15 => "Planner",
        20 => "Reporter",
        25 => "Security Manager",
        30 => "Developer",
        40 => "Maintainer",
        50 => "Owner",
        _ => "",
    }
}

impl Site {
    fn tell(&self, wants: impl Fn(&Hook) -> bool, event: &str, payload: &Value, project: Option<u64>) {
        if self.hooks.silent {
            return;
        }
        let about = uuid();
        for hook in self.hooks.all.values().filter(|hook| wants(hook)) {
            self.deliver(hook, event, &about, payload, project);
        }
    }

    /// Tells hooks of a group and of those above it.
    pub(super) fn tell_group(&self, group: u64, flag: &str, event: &str, payload: &Value) {
        let line: Vec<u64> = self.directory.lineage(group).iter().map(|group| group.id).collect();
        let wants = |hook: &Hook| matches!(hook.place, Place::Group(id) if line.contains(&id)) && hook.tells(flag);
        self.tell(wants, event, payload, None);
    }

    /// Tells hooks of the instance.
    pub(super) fn tell_system(&self, payload: &Value) {
        self.tell(|hook| hook.place == Place::System, "System Hook", payload, None);
    }

    /// Tells of a push of one or many refs at once. Of too many at once nothing is told but to the instance's hooks.
    pub(super) fn tell_of_push(&self, project: u64, refs: &[Pushed]) {
        for (prefix, flag, event) in
            [("refs/heads/", "push_events", "Push Hook"), ("refs/tags/", "tag_push_events", "Tag Push Hook")]
        {
            let all: Vec<&Pushed> = refs.iter().filter(|one| one.name.starts_with(prefix)).collect();
            if all.len() > self.ways.most_refs {
                continue;
            }
            for one in all {
                self.tell_of_ref(project, one, flag, event);
            }
        }
        let changes: Vec<Value> = refs.iter().map(change).collect();
        let names: Vec<&str> = refs.iter().map(|one| one.name.as_str()).collect();
        let found = &self.directory.projects[&project];
        let payload = json!({
            "event_name": "repository_update", "user_id": 1, "user_name": "Ada", "user_email": "", "user_avatar": "",
            "project_id": project, "project": self.project_told(found), "changes": changes, "refs": names,
        });
        let wants = |hook: &Hook| hook.place == Place::System && hook.tells("repository_update_events");
        self.tell(wants, "System Hook", &payload, Some(project));
    }

    fn tell_of_ref(&self, project: u64, pushed: &Pushed, flag: &str, event: &str) {
        let found = &self.directory.projects[&project];
        let payload = self.push_told(found, pushed);
        let line: Vec<u64> = self.directory.lineage(found.group).iter().map(|group| group.id).collect();
        let branch = pushed.name.strip_prefix("refs/heads/");
        let wants = |hook: &Hook| {
            let is_there = match hook.place {
                Place::Project(id) => id == project,
                Place::Group(id) => line.contains(&id),
                Place::System => false,
            };
            is_there
                && hook.tells(flag)
                && (hook.branches.is_empty() || branch.is_none_or(|name| name == hook.branches))
        };
        self.tell(wants, event, &payload, Some(project));
        let wants = |hook: &Hook| hook.place == Place::System && hook.tells(flag);
        self.tell(wants, "System Hook", &payload, Some(project));
    }

    /// What is told of one ref.
    pub(super) fn push_told(&self, project: &Project, pushed: &Pushed) -> Value {
        let is_tag = pushed.name.starts_with("refs/tags/");
        let kind = if is_tag { "tag_push" } else { "push" };
        let commit = pushed.after.as_ref().map(|id| {
            json!({
                "id": id, "message": "x", "title": "x", "timestamp": "2026-01-01T00:00:00+00:00", "url": "",
                "author": {"name": "Ada", "email": "[REDACTED]"}, "added": [], "modified": ["composer.json"], "removed": [],
            })
        });
        let commits: Vec<Value> = commit.into_iter().filter(|_| !is_tag).collect();
        json!({
            "object_kind": kind, "event_name": kind, "before": pushed.before.as_deref().unwrap_or(NOTHING),
            "after": pushed.after.as_deref().unwrap_or(NOTHING), "ref": pushed.name, "ref_protected": false,
            "checkout_sha": pushed.after, "message": null, "user_id": 1, "user_name": "Ada", "user_username": "ada",
            "user_email": null, "user_avatar": null, "project_id": project.id, "project": self.project_told(project),
            "commits": commits, "total_commits_count": commits.len(), "push_options": {},
            "repository": {
                "name": project.path, "url": "", "description": null, "homepage": "", "visibility_level": project.visibility.number(),
            },
        })
    }

    fn project_told(&self, project: &Project) -> Value {
        let path = self.directory.project_path(project);
        let web = format!("{}/{path}", self.external_url);
        json!({
            "id": project.id, "name": project.path, "description": null, "web_url": web, "avatar_url": null,
            "git_ssh_url": format!("git@localhost:{path}.git"), "git_http_url": format!("{web}.git"),
            "namespace": self.directory.groups[&project.group].path, "visibility_level": project.visibility.number(),
            "path_with_namespace": path, "default_branch": project.default_branch, "ci_config_path": null,
            "homepage": web, "url": format!("git@localhost:{path}.git"), "ssh_url": "", "http_url": format!("{web}.git"),
        })
    }

    /// Tells that somebody came into a group, is something else there, or left it.
    pub(super) fn tell_of_member(&self, group: u64, user: u64, level: u32, event: &str) {
        let (found, person) = (&self.directory.groups[&group], &self.users[&user]);
        let end = found.members.get(&user).and_then(|own| own.expires_at.clone());
        let payload = json!({
            "created_at": moment(self.clock()), "updated_at": moment(self.clock()), "event_name": event,
            "group_name": found.path, "group_path": found.path, "group_id": group, "user_username": person.username,
            "user_name": person.name, "user_email": "[REDACTED]", "user_id": user, "group_access": level_named(level),
            "group_plan": null, "expires_at": end.map(|end| format!("{end}T00:00:00Z")),
        });
        self.tell_group(group, "member_events", "Member Hook", &payload);
        self.tell_system(&payload);
    }

    /// Tells the instance's hooks, and nobody else, of somebody in a project.
    pub(super) fn tell_of_project_member(&self, project: u64, user: u64, level: u32, event: &str) {
        let found = &self.directory.projects[&project];
        let person = &self.users[&user];
        let payload = json!({
            "created_at": moment(self.clock()), "updated_at": moment(self.clock()), "event_name": event,
            "access_level": level_named(level), "project_id": project, "project_name": found.path,
            "project_path": found.path, "project_path_with_namespace": self.directory.project_path(found),
            "user_email": "", "user_name": person.name, "user_username": person.username, "user_id": user,
            "project_visibility": found.visibility.word(),
        });
        self.tell_system(&payload);
    }

    /// Tells that there is a new group below another one, or no more.
    pub(super) fn tell_of_subgroup(&self, group: u64, event: &str) {
        let found = &self.directory.groups[&group];
        let Some(parent) = found.parent else { return };
        let above = &self.directory.groups[&parent];
        let payload = json!({
            "created_at": moment(self.clock()), "updated_at": moment(self.clock()), "event_name": event,
            "name": found.path, "path": found.path, "full_path": self.directory.group_path(group), "group_id": group,
            "parent_group_id": parent, "parent_name": above.path, "parent_path": above.path,
            "parent_full_path": self.directory.group_path(parent),
        });
        self.tell_group(parent, "subgroup_events", "Subgroup Hook", &payload);
        let mut payload = payload;
        payload["event_name"] = event.replace("subgroup", "group").into();
        self.tell_system(&payload);
    }

    fn change_told(&self, project: u64, event: &str) -> Value {
        let found = &self.directory.projects[&project];
        json!({
            "event_name": event, "created_at": moment(found.created_at), "updated_at": moment(self.clock()),
            "name": found.path, "path": found.path, "path_with_namespace": self.directory.project_path(found),
            "project_id": project, "project_namespace_id": found.group, "owner_name": "acme", "owner_email": "",
            "owners": [{"name": "Ada", "email": "[REDACTED]"}], "project_visibility": found.visibility.word(),
        })
    }

    /// Tells that there is a new project, or no more.
    pub(super) fn tell_of_project(&self, project: u64, event: &str) {
        let payload = self.change_told(project, event);
        if self.is_at_least(17, 6) {
            self.tell_group(self.directory.projects[&project].group, "project_events", "Project Hook", &payload);
        }
        self.tell_system(&payload);
    }

    /// Tells the instance's hooks, and nobody else, that a project is another one than before.
    pub(super) fn tell_of_change(&self, project: u64, event: &str, before: Option<&str>) {
        let mut payload = self.change_told(project, event);
        if let Some(before) = before {
            payload["old_path_with_namespace"] = before.into();
        }
        self.tell_system(&payload);
    }

    /// Tells the instance's hooks, and nobody else, that a group has another path.
    pub(super) fn tell_of_renamed_group(&self, group: u64, before: &str) {
        let found = &self.directory.groups[&group];
        let payload = json!({
            "event_name": "group_rename", "created_at": moment(self.clock()), "updated_at": moment(self.clock()),
            "name": found.path, "path": found.path, "full_path": self.directory.group_path(group), "group_id": group,
            "old_path": before.rsplit('/').next(), "old_full_path": before,
        });
        self.tell_system(&payload);
    }
}

fn change(pushed: &Pushed) -> Value {
    json!({
        "before": pushed.before.as_deref().unwrap_or(NOTHING), "after": pushed.after.as_deref().unwrap_or(NOTHING),
        "ref": pushed.name,
    })
}
