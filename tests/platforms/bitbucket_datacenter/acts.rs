//! What people do there, and what is told of it: pushes and new names. Of repositories that come and go, of people, groups
//! and permissions nothing is told.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::directory::{Level, Project, Repository, Rights};
use super::hooks::{Hook, Place};
use super::{BitbucketDataCenter, Site, oracle};
use crate::platforms::frame::now;
use crate::platforms::post::Post;
use crate::platforms::pushed::Pushed;

/// No commit.
const NOTHING: &str = "0000000000000000000000000000000000000000";

impl Site {
    fn moves(&mut self, repository: u64) -> Value {
        let one = &self.directory.repositories[&repository];
        let (path, shown) = (self.directory.path(one).to_lowercase(), self.repository_shown(one));
        self.directory.moved.insert(path, repository);
        shown
    }

    fn tell_of_new_name(&mut self, repository: u64, project: u64, old: Value) {
        let new = self.repository_shown(&self.directory.repositories[&repository]);
        self.tell(project, Some(repository), "repo:modified", json!({"old": old, "new": new}));
    }
}

impl BitbucketDataCenter {
    /// A project.
    pub fn project(&self, key: &str) -> u64 {
        let mut site = self.stage.world();
        site.next_id += 1;
        let id = site.next_id;
        let owner = key.strip_prefix('~').map(|name| site.id(name).expect("whose it is"));
        let rights = Rights::default();
        let project = Project { id, key: key.to_owned(), public: false, owner, rights, default: None };
        site.directory.projects.insert(id, project);
        id
    }

    /// A repository with something in it that is no package.
    pub fn repository(&self, project: u64, slug: &str) -> u64 {
        let mut site = self.stage.world();
        site.next_id += 1;
        let id = site.next_id;
        let repository = Repository {
            id,
            project,
            slug: slug.to_owned(),
            state: "AVAILABLE",
            archived: false,
            public: false,
            origin: None,
            branch: "main".to_owned(),
            empty: false,
            manifest: None,
            git: None,
            rights: Rights::default(),
        };
        site.directory.repositories.insert(id, repository);
        id
    }

    /// The code of a repository, which is a package's.
    pub fn serve(&self, repository: u64, folder: &Path) {
        self.alter(repository, |one| {
            (one.git, one.manifest, one.empty) = (Some(folder.to_owned()), Some("FILE"), false);
        });
    }

    /// Where Git finds a repository over SSH.
    pub fn ssh_address(&self, repository: u64) -> String {
        let site = self.stage.world();
        let shown = site.repository_shown(&site.directory.repositories[&repository]);
        let links = shown["links"]["clone"].as_array().expect("a list").clone();
        let own = links.into_iter().find(|link| link["name"] == "ssh").expect("one for SSH");
        own["href"].as_str().expect("an address").to_owned()
    }

    /// Changes a repository, silently.
    pub fn alter(&self, repository: u64, change: impl FnOnce(&mut Repository)) {
        change(self.stage.world().repository_mut(repository));
    }

    /// Changes a project, silently.
    pub fn alter_project(&self, project: u64, change: impl FnOnce(&mut Project)) {
        change(self.stage.world().project_mut(project));
    }

    /// A group with these people.
    pub fn group(&self, name: &str, people: &[u64]) {
        self.stage.world().directory.groups.insert(name.to_owned(), people.iter().copied().collect());
    }

    /// Somebody comes into a group.
    pub fn join(&self, group: &str, user: u64) {
        self.stage.world().directory.groups.entry(group.to_owned()).or_default().insert(user);
    }

    /// Somebody goes out of a group.
    pub fn leave(&self, group: &str, user: u64) {
        self.stage.world().directory.groups.get_mut(group).expect("a group").remove(&user);
    }

    /// A group is removed from the directory; what it was given stays written.
    pub fn group_removed(&self, group: &str) {
        self.stage.world().directory.groups.remove(group).expect("a group");
    }

    /// Gives somebody a project, or takes it.
    pub fn give(&self, project: u64, user: u64, level: Option<Level>) {
        self.alter_project(project, |one| set(&mut one.rights.users, user, level));
    }

    /// Gives a group a project, or takes it.
    pub fn give_group(&self, project: u64, group: &str, level: Option<Level>) {
        self.alter_project(project, |one| set(&mut one.rights.groups, group.to_owned(), level));
    }

    /// Gives somebody a repository, or takes it.
    pub fn admit(&self, repository: u64, user: u64, level: Option<Level>) {
        self.alter(repository, |one| set(&mut one.rights.users, user, level));
    }

    /// Gives a group a repository, or takes it.
    pub fn admit_group(&self, repository: u64, group: &str, level: Option<Level>) {
        self.alter(repository, |one| set(&mut one.rights.groups, group.to_owned(), level));
    }

    /// Somebody gives a repository another name.
    pub fn renamed(&self, repository: u64, slug: &str) {
        let mut site = self.stage.world();
        let old = site.moves(repository);
        slug.clone_into(&mut site.repository_mut(repository).slug);
        let project = site.directory.repositories[&repository].project;
        site.tell_of_new_name(repository, project, old);
    }

    /// Somebody puts a repository into another project; the hooks of the one that it leaves are told.
    pub fn moved(&self, repository: u64, project: u64) {
        let mut site = self.stage.world();
        let old = site.moves(repository);
        let before = site.directory.repositories[&repository].project;
        site.repository_mut(repository).project = project;
        site.tell_of_new_name(repository, before, old);
    }

    /// Somebody deletes a repository.
    pub fn deleted(&self, repository: u64) {
        let mut site = self.stage.world();
        site.directory.repositories.remove(&repository).expect("a repository");
        site.directory.moved.retain(|_, id| *id != repository);
        site.hooks.all.retain(|_, hook| hook.place != Place::Repository(repository));
    }

    /// Somebody gives a project another key.
    pub fn project_renamed(&self, project: u64, key: &str) {
        let mut site = self.stage.world();
        let own = site.directory.repositories.values().filter(|one| one.project == project);
        let own: Vec<u64> = own.map(|one| one.id).collect();
        own.into_iter().for_each(|id| drop(site.moves(id)));
        let old = site.project_shown(&site.directory.projects[&project]);
        key.clone_into(&mut site.project_mut(project).key);
        let new = site.project_shown(&site.directory.projects[&project]);
        site.tell(project, None, "project:modified", json!({"old": old, "new": new}));
    }

    /// Somebody pushes refs at once, which are in the Git repository already.
    pub fn pushed(&self, repository: u64, refs: &[Pushed]) {
        let mut site = self.stage.world();
        site.repository_mut(repository).empty = false;
        let changes: Vec<Value> = refs.iter().map(change).collect();
        let found = &site.directory.repositories[&repository];
        let (project, shown) = (found.project, site.repository_shown(found));
        let payload = json!({"repository": shown, "changes": changes});
        site.tell(project, Some(repository), "repo:refs_changed", payload);
    }

    /// A mirror has all of a repository's refs, which were too many to be named.
    pub fn mirrored(&self, repository: u64) {
        let mut site = self.stage.world();
        let found = &site.directory.repositories[&repository];
        let (project, shown) = (found.project, site.repository_shown(found));
        let payload = json!({
            "mirrorServer": {"id": "B3MV-JUQB-PUB3-LA8X", "name": "Mirror"}, "syncType": "SNAPSHOT",
            "refLimitExceeded": true, "repository": shown, "changes": [],
        });
        site.tell(project, Some(repository), "mirror:repo_synchronized", payload);
    }

    /// Tells of nothing any more, or of everything again.
    pub fn silence(&self, silent: bool) {
        self.stage.world().hooks.silent = silent;
    }

    /// Somebody presses the button that asks whether a hook's other end is there.
    pub fn ping(&self, hook: u64) {
        let site = self.stage.world();
        site.ping(&site.hooks.all[&hook]);
    }

    /// The post.
    pub fn post(&self) -> Post {
        self.stage.world().hooks.post.clone()
    }

    /// The hooks of a project or repository.
    pub fn hooks(&self, place: Place) -> Vec<Hook> {
        self.stage.world().hooks.all.values().filter(|hook| hook.place == place).cloned().collect()
    }

    /// Changes a hook, as somebody does it by hand.
    pub fn alter_hook(&self, hook: u64, change: impl FnOnce(&mut Hook)) {
        change(self.stage.world().hooks.all.get_mut(&hook).expect("a hook"));
    }

    /// Somebody removes a hook.
    pub fn hook_deleted(&self, hook: u64) {
        self.stage.world().hooks.all.remove(&hook).expect("a hook");
    }

    /// Puts a hook somewhere that somebody else wants there.
    pub fn foreign_hook(&self, place: Place, url: &str) -> u64 {
        let mut site = self.stage.world();
        site.hooks.last += 1;
        let hook = Hook {
            id: site.hooks.last,
            place,
            name: "Build".to_owned(),
            url: url.to_owned(),
            secret: None,
            events: ["repo:refs_changed".to_owned()].into(),
            active: true,
            verifies: true,
            forgiven: 0,
            updated: now() * 1000,
        };
        let id = hook.id;
        site.hooks.all.insert(id, hook);
        id
    }

    /// The repositories that somebody may read, whatever everybody may see.
    pub fn readable(&self, user: u64) -> BTreeSet<u64> {
        let site = self.stage.world();
        site.directory.repositories.keys().copied().filter(|id| oracle::may_read(&site, user, *id)).collect()
    }
}

fn set<K: Ord>(rights: &mut std::collections::BTreeMap<K, Level>, whose: K, level: Option<Level>) {
    match level {
        Some(level) => drop(rights.insert(whose, level)),
        None => drop(rights.remove(&whose)),
    }
}

fn change(pushed: &Pushed) -> Value {
    let kind = match (&pushed.before, &pushed.after) {
        (None, _) => "ADD",
        (_, None) => "DELETE",
        _ => "UPDATE",
    };
    let of = if pushed.name.starts_with("refs/tags/") { "TAG" } else { "BRANCH" };
    let short = pushed.name.splitn(3, '/').last().unwrap_or_default();
    json!({
        "ref": {"id": pushed.name, "displayId": short, "type": of}, "refId": pushed.name, "type": kind,
        "fromHash": pushed.before.as_deref().unwrap_or(NOTHING), "toHash": pushed.after.as_deref().unwrap_or(NOTHING),
    })
}
