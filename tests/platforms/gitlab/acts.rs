//! What people do at GitLab, and what is told of it. Of much nothing is told but to hooks of the whole instance, as it is in
//! life: shares, people of single projects, new names, moves, archives, accounts that are blocked, and dates that pass.

use serde_json::json;

use super::directory::{Membership, Visibility};
use super::hooks::{Hook, Place, uuid};
use super::{GitLab, Site};
use crate::platforms::frame::now;
use crate::platforms::post::{Parcel, Post};
use crate::platforms::pushed::Pushed;

impl Site {
    /// Notes that a project's path will lead elsewhere; the path.
    fn moves(&mut self, project: u64) -> String {
        let path = self.directory.project_path(&self.directory.projects[&project]);
        self.directory.moved.insert(path.to_ascii_lowercase(), project);
        path
    }

    fn moves_all(&mut self, group: u64) {
        let groups = self.directory.subtree(group);
        let all: Vec<u64> =
            self.directory.projects.values().filter(|one| groups.contains(&one.group)).map(|one| one.id).collect();
        all.into_iter().for_each(|id| drop(self.moves(id)));
    }

    fn delete_project(&mut self, project: u64) {
        self.tell_of_project(project, "project_destroy");
        self.directory.projects.remove(&project);
        self.directory.moved.retain(|_, id| *id != project);
        self.hooks.all.retain(|_, hook| hook.place != Place::Project(project));
    }
}

impl GitLab {
    /// The post.
    pub fn post(&self) -> Post {
        self.stage.world().hooks.post.clone()
    }

    /// Tells of nothing any more, or of everything again.
    pub fn silence(&self, silent: bool) {
        self.stage.world().hooks.silent = silent;
    }

    /// Somebody comes into a group, or becomes something else there.
    pub fn joined(&self, group: u64, user: u64, as_what: impl Into<Membership>) {
        let mut site = self.stage.world();
        let own = as_what.into();
        let level = own.level;
        let before = site.group_mut(group).members.insert(user, own);
        let event = if before.is_some() { "user_update_for_group" } else { "user_add_to_group" };
        site.tell_of_member(group, user, level, event);
    }

    /// Somebody goes out of a group.
    pub fn left(&self, group: u64, user: u64) {
        let mut site = self.stage.world();
        let own = site.group_mut(group).members.remove(&user).expect("a member");
        site.tell_of_member(group, user, own.level, "user_remove_from_group");
    }

    /// Somebody who was shut out tries to log in, of which the instance's hooks hear.
    pub fn turned_away(&self, user: u64) {
        let mut site = self.stage.world();
        let person = site.users.get_mut(&user).expect("a user");
        person.state = "blocked";
        let payload = json!({
            "event_name": "user_failed_login", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
            "name": person.name, "email": "", "user_id": user, "username": person.username, "state": "blocked",
        });
        site.tell_system(&payload);
    }

    /// An administrator of the instance enters a webhook of all of it.
    pub fn system_hook(&self, url: &str, token: &str, signing_token: Option<&str>) -> u64 {
        let id = self.foreign_hook(Place::System, url);
        self.alter_hook(id, |hook| {
            hook.token = Some(token.to_owned());
            hook.signing_token = signing_token.map(str::to_owned);
            hook.events =
                ["push_events", "tag_push_events", "repository_update_events"].map(|name| (name, true)).into();
        });
        id
    }

    /// Somebody is added to a project, or becomes something else there. Groups' hooks do not hear of it.
    pub fn added(&self, project: u64, user: u64, as_what: impl Into<Membership>) {
        let mut site = self.stage.world();
        let own = as_what.into();
        let level = own.level;
        let before = site.project_mut(project).members.insert(user, own);
        let event = if before.is_some() { "user_update_for_team" } else { "user_add_to_team" };
        site.tell_of_project_member(project, user, level, event);
    }

    /// Somebody is taken out of a project. Groups' hooks do not hear of it.
    pub fn removed(&self, project: u64, user: u64) {
        let mut site = self.stage.world();
        let own = site.project_mut(project).members.remove(&user).expect("a member");
        site.tell_of_project_member(project, user, own.level, "user_remove_from_team");
    }

    /// Somebody makes a group below another one.
    pub fn group_created(&self, path: &str, parent: u64) -> u64 {
        let mut site = self.stage.world();
        let id = site.new_group(path, Some(parent));
        site.tell_of_subgroup(id, "subgroup_create");
        id
    }

    /// Somebody removes a group with all that is below.
    pub fn group_deleted(&self, group: u64) {
        let mut site = self.stage.world();
        let groups = site.directory.subtree(group);
        let projects = site.directory.projects.values().filter(|one| groups.contains(&one.group));
        let projects: Vec<u64> = projects.map(|one| one.id).collect();
        projects.into_iter().for_each(|id| site.delete_project(id));
        site.tell_of_subgroup(group, "subgroup_destroy");
        site.hooks.all.retain(|_, hook| !matches!(hook.place, Place::Group(id) if groups.contains(&id)));
        site.directory.groups.retain(|id, _| !groups.contains(id));
        site.directory.groups.values_mut().for_each(|one| one.shares.retain(|id, _| !groups.contains(id)));
        site.directory.projects.values_mut().for_each(|one| one.shares.retain(|id, _| !groups.contains(id)));
    }

    /// Somebody gives a group another path.
    pub fn group_renamed(&self, group: u64, path: &str) {
        let mut site = self.stage.world();
        let before = site.directory.group_path(group);
        site.moves_all(group);
        path.clone_into(&mut site.group_mut(group).path);
        site.tell_of_renamed_group(group, &before);
    }

    /// Somebody puts a group below another one.
    pub fn group_transferred(&self, group: u64, parent: Option<u64>) {
        let mut site = self.stage.world();
        site.moves_all(group);
        site.group_mut(group).parent = parent;
    }

    /// Somebody makes a project; it is empty until somebody pushes.
    pub fn project_created(&self, group: u64, path: &str) -> u64 {
        let mut site = self.stage.world();
        let id = site.new_project(group, path);
        (site.project_mut(id).created_at, site.project_mut(id).empty) = (now(), true);
        site.tell_of_project(id, "project_create");
        id
    }

    /// Somebody gives a project another path.
    pub fn project_renamed(&self, project: u64, path: &str) {
        let mut site = self.stage.world();
        let before = site.moves(project);
        path.clone_into(&mut site.project_mut(project).path);
        site.tell_of_change(project, "project_rename", Some(&before));
    }

    /// A project goes to another group.
    pub fn project_transferred(&self, project: u64, group: u64) {
        let mut site = self.stage.world();
        let before = site.moves(project);
        site.project_mut(project).group = group;
        site.tell_of_change(project, "project_transfer", Some(&before));
    }

    /// Somebody makes a project read-only, or lets people write again.
    pub fn project_archived(&self, project: u64, archived: bool) {
        let mut site = self.stage.world();
        site.project_mut(project).archived = archived;
        site.tell_of_change(project, "project_update", None);
    }

    /// Somebody shows a project to other people than before.
    pub fn project_shown_to(&self, project: u64, visibility: Visibility) {
        let mut site = self.stage.world();
        site.project_mut(project).visibility = visibility;
        site.tell_of_change(project, "project_update", None);
    }

    /// Somebody deletes a project, which goes some days later and has another path until then.
    pub fn project_marked(&self, project: u64) {
        let mut site = self.stage.world();
        let before = site.moves(project);
        let day = super::answers::today(site.clock());
        let own = site.project_mut(project);
        (own.marked, own.path) = (Some(day), format!("{}-deletion_scheduled-{project}", own.path));
        site.tell_of_change(project, "project_rename", Some(&before));
    }

    /// Somebody does not want a project deleted after all.
    pub fn project_restored(&self, project: u64) {
        let mut site = self.stage.world();
        let before = site.moves(project);
        let own = site.project_mut(project);
        own.marked = None;
        own.path = own.path.replace(&format!("-deletion_scheduled-{project}"), "");
        site.tell_of_change(project, "project_rename", Some(&before));
    }

    /// A project goes for good.
    pub fn project_deleted(&self, project: u64) {
        self.stage.world().delete_project(project);
    }

    /// Somebody pushes refs at once, which are in the Git repository already.
    pub fn pushed(&self, project: u64, refs: &[Pushed]) {
        let mut site = self.stage.world();
        let own = site.project_mut(project);
        (own.active_at, own.empty) = ((own.active_at + 1).max(now()), false);
        site.tell_of_push(project, refs);
    }

    /// Puts a hook somewhere that somebody else wants there.
    pub fn foreign_hook(&self, place: Place, url: &str) -> u64 {
        let mut site = self.stage.world();
        site.hooks.last += 1;
        let hook = Hook {
            id: site.hooks.last,
            place,
            url: url.to_owned(),
            name: None,
            token: None,
            signing_token: None,
            events: [("push_events", true)].into(),
            verifies: true,
            branches: String::new(),
            uuid: uuid(),
            forgiven: 0,
        };
        let id = hook.id;
        site.hooks.all.insert(id, hook);
        id
    }

    /// Somebody removes a webhook.
    pub fn hook_deleted(&self, hook: u64) {
        self.stage.world().hooks.all.remove(&hook).expect("a hook");
    }

    /// Changes a hook, as somebody does it by hand.
    pub fn alter_hook(&self, hook: u64, change: impl FnOnce(&mut Hook)) {
        change(self.stage.world().hooks.all.get_mut(&hook).expect("a hook"));
    }

    /// The hooks of a project, group or the instance.
    pub fn hooks(&self, place: Place) -> Vec<Hook> {
        self.stage.world().hooks.all.values().filter(|hook| hook.place == place).cloned().collect()
    }

    /// What hooks would send if that happened, without sending it.
    pub fn parcels(&self, act: impl FnOnce(&Self)) -> Vec<Parcel> {
        let post = self.post();
        post.hold();
        act(self);
        post.let_go()
    }

    /// What somebody sets up otherwise.
    pub fn ways(&self, change: impl FnOnce(&mut super::Ways)) {
        change(&mut self.stage.world().ways);
    }
}
