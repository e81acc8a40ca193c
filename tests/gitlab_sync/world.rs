//! A GitLab, our server that follows a group of it, and people who look at both.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};

use crate::followed::Followed;
use crate::platforms::gitlab::GitLab;
use crate::platforms::gitlab::directory::OWNER;
use crate::platforms::gitlab::hooks::Hook;
use crate::platforms::pushed::Pushed;

/// What a token needs that is to see and hook everything.
pub const SCOPES: &str = "api read_repository";

/// Everything.
pub struct World {
    pub gitlab: GitLab,
    /// Our side.
    followed: Followed,
    /// The number of the group that is followed.
    pub root: u64,
    /// A token of that group.
    pub token: String,
}

impl Deref for World {
    type Target = Followed;

    fn deref(&self) -> &Followed {
        &self.followed
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Followed {
        &mut self.followed
    }
}

impl World {
    /// A group `acme` there with an owner, and an organization here that follows nothing yet.
    pub fn new() -> Self {
        Self::below("")
    }

    /// The same with a GitLab below a path.
    pub fn below(prefix: &'static str) -> Self {
        let gitlab = GitLab::start_at(prefix, "http://127.0.0.1/not-known-yet", None);
        let keeper = gitlab.user("keeper");
        let root = gitlab.group("acme", None);
        gitlab.enrol(root, keeper, OWNER);
        let token = gitlab.group_token(root, OWNER, SCOPES);
        let (url, id, secret) = (gitlab.url(), gitlab.client_id.clone(), gitlab.client_secret.clone());
        let followed = Followed::new("lab", gitlab.stage.address, |_, _| {
            format!(
                "[[integration]]\nid = \"lab\"\nplatform = \"gitlab\"\nurl = \"{}\"\nclient_id = \"{id}\"\n\
                 client_secret = \"{secret}\"\n",
                url.as_str().trim_end_matches('/')
            )
        });
        // Addresses are compared exactly.
        gitlab.app(|app| app.callbacks = vec![followed.ours.url("/auth/lab/callback")]);
        let world = Self { gitlab, followed, root, token };
        world.credential("main", &world.token);
        world
    }

    /// Our credential for GitLab.
    pub fn credential(&self, name: &str, token: &str) {
        self.credential_of(name, "gitlab-token", &self.gitlab.url(), token);
    }

    /// Follows the group.
    pub fn follow(&mut self) {
        self.follow_with("acme", "main");
    }

    /// A project with a package `acme/NAME` in it; its number.
    pub fn package(&mut self, group: u64, name: &str) -> u64 {
        let id = self.gitlab.project(group, name);
        self.fill(id, name);
        id
    }

    /// A project without a package; its number.
    pub fn other(&mut self, group: u64, name: &str) -> u64 {
        let id = self.gitlab.project(group, name);
        self.gitlab.alter(id, |one| one.manifest = false);
        self.packages.insert(id, None);
        id
    }

    /// Puts a package into a project.
    pub fn fill(&mut self, id: u64, name: &str) -> Vec<Pushed> {
        let (folder, refs) = self.filled(id, name);
        self.gitlab.serve(id, &folder);
        refs
    }

    /// Somebody there who is in nothing.
    pub fn person(&mut self, login: &str) -> u64 {
        let id = self.gitlab.user(login);
        self.knows(id, login)
    }

    /// The packages that GitLab lets somebody read. What went out of the group is none of its any more.
    pub fn readable(&self, user: u64) -> BTreeSet<String> {
        let ids = self.gitlab.readable(user);
        let site = self.gitlab.stage.world();
        let tree = site.directory.subtree(self.root);
        let own = |id: &&u64| tree.contains(&site.directory.projects[id].group);
        ids.iter().filter(own).filter_map(|id| self.packages.get(id).cloned().flatten()).collect()
    }

    /// Where both sides differ, in words.
    pub fn differences(&self) -> Vec<String> {
        self.differences_from(|user| self.readable(user))
    }

    /// Everybody sees here what they may read there, now.
    #[track_caller]
    pub fn agrees(&self, after: &str) {
        let found = self.differences();
        assert!(found.is_empty(), "after {after}:\n{}\n{}", found.join("\n"), self.trace());
    }

    /// The differences that do not go away by themselves.
    pub fn differences_that_stay(&self) -> Vec<String> {
        self.remaining(|| self.differences())
    }

    /// Our hooks there.
    pub fn hooks(&self) -> Vec<Hook> {
        let ours = self.ours.url("/hooks/");
        let site = self.gitlab.stage.world();
        site.hooks.all.values().filter(|hook| hook.url.starts_with(&ours)).cloned().collect()
    }

    /// How many requests were sent to the API since the last call.
    pub fn requests(&self) -> usize {
        let log = self.gitlab.stage.take_log();
        log.iter().filter(|asked| asked.path.contains("/api/v4/")).count()
    }
}
