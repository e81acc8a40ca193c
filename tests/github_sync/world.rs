//! A GitHub, our server that follows an organization of it, and people who look at both.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use crate::followed::Followed;
use crate::platforms::github::GitHub;
use crate::platforms::github::directory::{Level, Rank};
use crate::platforms::pushed::Pushed;

/// Where browsers come back to; the port may be another one.
const CALLBACK: &str = "http://127.0.0.1/auth/ghe/callback";
/// What a token needs that is to see and hook everything.
pub const SCOPES: &str = "repo admin:org admin:org_hook";

/// Everything.
pub struct World {
    pub github: GitHub,
    /// Our side.
    followed: Followed,
    /// The organization's number at GitHub.
    pub org: u64,
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
    /// An organization `acme` there with an owner, and one here that follows nothing yet, with a token of the owner.
    pub fn new() -> Self {
        let world = Self::configured(|_, _, _| String::new());
        world.credential("main", &world.token);
        world
    }

    /// The same without a credential. `more` goes on in the block of the integration: it is told of the GitHub, of our
    /// folder and of our address.
    pub fn configured(more: impl FnOnce(&GitHub, &Path, &str) -> String) -> Self {
        let github = GitHub::server(CALLBACK);
        let owner = github.user("keeper");
        let org = github.organization("acme");
        github.enrol(org, owner, Rank::Owner);
        let token = github.token(owner, SCOPES);
        let (url, id, secret) = (github.url(), github.client_id.clone(), github.client_secret.clone());
        let followed = Followed::new("ghe", github.stage.address, |folder, address| {
            format!(
                "[[integration]]\nid = \"ghe\"\nplatform = \"github\"\nurl = \"{}\"\nclient_id = \"{id}\"\n\
                 client_secret = \"{secret}\"\n{}",
                url.as_str().trim_end_matches('/'),
                more(&github, folder, address)
            )
        });
        Self { github, followed, org, token }
    }

    /// Our credential for GitHub.
    pub fn credential(&self, name: &str, token: &str) {
        self.credential_of(name, "github-token", &self.github.url(), token);
    }

    /// Follows the organization.
    pub fn follow(&mut self) {
        self.follow_with("acme", "main");
    }

    /// A repository with a package `acme/NAME` in it; its number.
    pub fn package(&mut self, name: &str) -> u64 {
        let id = self.github.repository(self.org, name);
        self.fill(id, name);
        id
    }

    /// A repository without a package; its number.
    pub fn other(&mut self, name: &str) -> u64 {
        let id = self.github.repository(self.org, name);
        self.github.alter(id, |one| one.manifest = false);
        self.packages.insert(id, None);
        id
    }

    /// Puts a package into a repository.
    pub fn fill(&mut self, id: u64, name: &str) -> Vec<Pushed> {
        let (folder, refs) = self.filled(id, name);
        self.github.serve(id, &folder);
        refs
    }

    /// A member there.
    pub fn member(&mut self, login: &str) -> u64 {
        let id = self.person(login);
        self.github.enrol(self.org, id, Rank::Member);
        id
    }

    /// Somebody there who is in nothing.
    pub fn person(&mut self, login: &str) -> u64 {
        let id = self.github.user(login);
        self.knows(id, login)
    }

    /// The packages that GitHub lets somebody read. What went out of the organization is none of its any more.
    pub fn readable(&self, user: u64) -> BTreeSet<String> {
        let ids = self.github.readable(user);
        let site = self.github.stage.world();
        let own = |id: &&u64| site.directory.repositories[id].owner == self.org;
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

    /// Gives a team a repository, silently.
    pub fn give(&self, team: u64, repository: u64) {
        self.github.give(team, repository, Level::Read);
    }
}
