//! What tests make before anybody looks, and what people do at Bitbucket. Of members, groups and permissions nobody is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use packagist_selfhosted::secrets::random;
use serde_json::{Value, json};

use super::directory::{Group, Level, Manifest, Project, Reach, Repository, Secret, Workspace};
use super::hooks::Place;
use super::workspaces::person;
use super::{BitbucketCloud, Site, oracle};
use crate::platforms::frame::now;
use crate::platforms::post::Post;
use crate::platforms::pushed::Pushed;

/// Changes of one push that a delivery has room for.
const MOST_CHANGES: usize = 100;

fn uuid(id: u64) -> String {
    format!("{{{id:08x}-1b2c-4d3e-9f4a-{id:012x}}}")
}

impl Site {
    fn fresh(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn touch(&mut self, repository: u64) -> &mut Repository {
        let one = self.directory.repositories.get_mut(&repository).expect("a repository");
        one.updated = (one.updated + 1).max(now() * 1_000_000);
        one
    }

    fn about(&self, repository: u64) -> Value {
        let web = format!("http://localhost:{}", self.port);
        let actor = self.users.values().next().map(person);
        json!({"actor": actor, "repository": self.repository_at(&web, repository)})
    }

    fn told(&self, repository: u64, event: &str, more: &[(&str, Value)]) {
        let mut payload = self.about(repository);
        for (name, value) in more {
            payload[*name] = value.clone();
        }
        self.tell((self.directory.repositories[&repository].workspace, repository), event, &payload);
    }
}

fn change(pushed: &Pushed) -> Value {
    let (kind, name) = match pushed.name.strip_prefix("refs/tags/") {
        Some(name) => ("tag", name),
        None => ("branch", pushed.name.trim_start_matches("refs/heads/")),
    };
    let side = |hash: &Option<String>| {
        hash.as_ref().map(|hash| json!({"type": kind, "name": name, "target": {"type": "commit", "hash": hash}}))
    };
    json!({
        "old": side(&pushed.before), "new": side(&pushed.after), "created": pushed.before.is_none(),
        "closed": pushed.after.is_none(), "forced": false, "truncated": false, "commits": [],
    })
}

impl BitbucketCloud {
    /// A new workspace, silently.
    pub fn workspace(&self, slug: &str) -> u64 {
        let mut site = self.stage.world();
        let id = site.fresh();
        let own =
            Workspace { uuid: uuid(id), slug: slug.to_owned(), members: BTreeMap::new(), groups: BTreeMap::new() };
        site.directory.workspaces.insert(id, own);
        id
    }

    /// A new project, silently.
    pub fn project(&self, workspace: u64, key: &str) -> u64 {
        let mut site = self.stage.world();
        let id = site.fresh();
        let own =
            Project { workspace, uuid: uuid(id), key: key.to_owned(), users: BTreeMap::new(), groups: BTreeMap::new() };
        site.directory.projects.insert(id, own);
        id
    }

    /// A new private repository with a `composer.json`, silently.
    pub fn repository(&self, project: u64, slug: &str) -> u64 {
        let mut site = self.stage.world();
        let id = site.fresh();
        let workspace = site.directory.projects[&project].workspace;
        let own = Repository {
            uuid: uuid(id),
            workspace,
            project,
            slug: slug.to_owned(),
            private: true,
            branch: Some("main".to_owned()),
            fork: false,
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            updated: (now() - 3_600) * 1_000_000,
            created: now() - 86_400,
            manifest: Manifest::File,
            git: None,
        };
        site.directory.repositories.insert(id, own);
        id
    }

    /// Changes a repository, silently.
    pub fn alter(&self, repository: u64, change: impl FnOnce(&mut Repository)) {
        change(self.stage.world().touch(repository));
    }

    /// Serves this bare repository as a repository's code.
    pub fn serve(&self, repository: u64, folder: &Path) {
        self.alter(repository, |one| {
            (one.git, one.branch) = (Some(folder.to_owned()), one.branch.take().or_else(|| Some("main".to_owned())));
        });
    }

    /// A token; `scopes` are separated by spaces.
    pub fn token(&self, reach: Reach, scopes: &str) -> String {
        let prefix = if matches!(reach, Reach::Person(_)) { "ATATT3xFfGF0" } else { "ATCTT3xFfGN0" };
        let text = format!("{prefix}{}", random::hex::<80>());
        let scopes: BTreeSet<String> = scopes.split_whitespace().map(str::to_owned).collect();
        self.stage.world().directory.secrets.insert(text.clone(), Secret { reach, scopes, revoked: false });
        text
    }

    /// Takes a token back.
    pub fn revoke(&self, token: &str) {
        self.stage.world().directory.secrets.get_mut(token).expect("a token").revoked = true;
    }

    /// Puts somebody into a workspace, or makes them owner.
    pub fn enrol(&self, workspace: u64, user: u64, owner: bool) {
        self.stage.world().directory.workspaces.get_mut(&workspace).expect("one").members.insert(user, owner);
    }

    /// Takes somebody out of a workspace, and of all that is in it.
    pub fn leave(&self, workspace: u64, user: u64) {
        let mut site = self.stage.world();
        let own = site.directory.workspaces.get_mut(&workspace).expect("one");
        own.members.remove(&user).expect("a member");
        for group in own.groups.values_mut() {
            group.members.remove(&user);
        }
        for project in site.directory.projects.values_mut().filter(|one| one.workspace == workspace) {
            project.users.remove(&user);
        }
        for repository in site.directory.repositories.values_mut().filter(|one| one.workspace == workspace) {
            repository.users.remove(&user);
        }
    }

    /// Makes a group, or changes who is in it.
    pub fn group(&self, workspace: u64, slug: &str, members: &[u64]) {
        let group = Group { members: members.iter().copied().collect() };
        self.stage.world().directory.workspaces.get_mut(&workspace).expect("one").groups.insert(slug.to_owned(), group);
    }

    /// Removes a group.
    pub fn ungroup(&self, workspace: u64, slug: &str) {
        self.stage.world().directory.workspaces.get_mut(&workspace).expect("one").groups.remove(slug).expect("a group");
    }

    /// Lets a group do something with a repository, or nothing any more.
    pub fn give(&self, repository: u64, group: &str, level: Option<Level>) {
        let mut site = self.stage.world();
        set(&mut site.directory.repositories.get_mut(&repository).expect("one").groups, group.to_owned(), level);
    }

    /// Lets somebody do something with a repository, or nothing any more.
    pub fn admit(&self, repository: u64, user: u64, level: Option<Level>) {
        let mut site = self.stage.world();
        set(&mut site.directory.repositories.get_mut(&repository).expect("one").users, user, level);
    }

    /// Lets a group do something with all repositories of a project, or nothing any more.
    pub fn give_project(&self, project: u64, group: &str, level: Option<Level>) {
        let mut site = self.stage.world();
        set(&mut site.directory.projects.get_mut(&project).expect("one").groups, group.to_owned(), level);
    }

    /// Lets somebody do something with all repositories of a project, or nothing any more.
    pub fn admit_project(&self, project: u64, user: u64, level: Option<Level>) {
        let mut site = self.stage.world();
        set(&mut site.directory.projects.get_mut(&project).expect("one").users, user, level);
    }

    /// Somebody makes a repository; it is empty until somebody pushes.
    pub fn created(&self, project: u64, slug: &str) -> u64 {
        let id = self.repository(project, slug);
        self.alter(id, |one| (one.branch, one.created) = (None, now()));
        self.stage.world().told(id, "repo:created", &[]);
        id
    }

    /// Somebody gives a repository another name; the old path leads to the new one.
    pub fn renamed(&self, repository: u64, slug: &str) {
        let mut site = self.stage.world();
        let before = site.directory.full_name(repository);
        site.directory.moved.insert(before.to_lowercase(), repository);
        slug.clone_into(&mut site.touch(repository).slug);
        let after = site.directory.full_name(repository);
        let changes = json!({"full_name": {"old": before, "new": after}});
        site.told(repository, "repo:updated", &[("changes", changes)]);
    }

    /// Somebody moves a repository to another project of its workspace, which has what people and groups may in it.
    pub fn rehoused(&self, repository: u64, project: u64) {
        let mut site = self.stage.world();
        site.touch(repository).project = project;
        site.told(repository, "repo:updated", &[("changes", json!({}))]);
    }

    /// Somebody gives a repository to another workspace, of which both are told.
    pub fn transferred(&self, repository: u64, project: u64) {
        let mut site = self.stage.world();
        let before = site.directory.repositories[&repository].workspace;
        let workspace = site.directory.projects[&project].workspace;
        let shown = site.workspace_shown(before);
        let one = site.touch(repository);
        (one.workspace, one.project) = (workspace, project);
        one.users.clear();
        one.groups.clear();
        let mut payload = site.about(repository);
        payload["previous_workspace"] = shown;
        for workspace in [before, workspace] {
            site.tell((workspace, repository), "repo:transfer", &payload);
        }
    }

    /// Somebody deletes a repository.
    pub fn deleted(&self, repository: u64) {
        let mut site = self.stage.world();
        site.told(repository, "repo:deleted", &[]);
        site.hooks.all.retain(|_, hook| hook.place != Place::Repository(repository));
        site.directory.repositories.remove(&repository);
        site.directory.moved.retain(|_, id| *id != repository);
    }

    /// Somebody pushes refs at once, which are in the Git repository already.
    pub fn pushed(&self, repository: u64, refs: &[Pushed]) {
        let mut site = self.stage.world();
        site.touch(repository);
        let changes: Vec<Value> = match refs.len() {
            0..=MOST_CHANGES => refs.iter().map(change).collect(),
            _ => Vec::new(),
        };
        site.told(repository, "repo:push", &[("push", json!({"changes": changes}))]);
    }

    /// The post.
    pub fn post(&self) -> Post {
        self.stage.world().hooks.post.clone()
    }

    /// Tells of nothing any more, or of everything again.
    pub fn silence(&self, silent: bool) {
        self.stage.world().hooks.silent = silent;
    }

    /// The repositories that somebody may read because of a right in them.
    pub fn readable(&self, user: u64) -> BTreeSet<u64> {
        oracle::readable(&self.stage.world(), user)
    }
}

fn set<K: Ord>(all: &mut BTreeMap<K, Level>, key: K, level: Option<Level>) {
    match level {
        Some(level) => all.insert(key, level),
        None => all.remove(&key),
    };
}
