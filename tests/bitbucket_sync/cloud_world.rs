//! A Bitbucket Cloud, our server that follows a workspace of it, and people who look at both.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};

use crate::followed::Followed;
use crate::installation::Said;
use crate::platforms::bitbucket_cloud::BitbucketCloud;
use crate::platforms::bitbucket_cloud::directory::{Manifest, Reach};
use crate::platforms::bitbucket_cloud::hooks::Hook;
use crate::platforms::pushed::Pushed;

/// What an API token needs that is to see and hook everything.
pub const SCOPES: &str = "read:user:bitbucket read:workspace:bitbucket read:project:bitbucket \
                          read:repository:bitbucket read:webhook:bitbucket write:webhook:bitbucket \
                          delete:webhook:bitbucket";
/// The e-mail address of the owner's account.
pub const EMAIL: &str = "keeper@example.com";

/// Everything.
pub struct World {
    pub bitbucket: BitbucketCloud,
    /// Our side.
    followed: Followed,
    /// The number of the workspace that is followed.
    pub workspace: u64,
    /// The number of its first project.
    pub project: u64,
    /// Its owner.
    pub keeper: u64,
    /// A token of the workspace.
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
    /// A workspace `acme` there with an owner and a project, and an organization here that follows nothing yet, with a token
    /// of the workspace.
    pub fn new() -> Self {
        Self::beside(None)
    }

    /// The same beside another platform `sso` that people come from, whose verified e-mail addresses are trusted.
    pub fn beside(other: Option<&BitbucketCloud>) -> Self {
        let bitbucket = BitbucketCloud::start("http://127.0.0.1/");
        let keeper = bitbucket.user("keeper");
        let workspace = bitbucket.workspace("acme");
        bitbucket.enrol(workspace, keeper, true);
        let project = bitbucket.project(workspace, "WEB");
        let token = bitbucket.token(Reach::Workspace(workspace), SCOPES);
        let (url, key, secret) = (bitbucket.url(), bitbucket.key.clone(), bitbucket.secret.clone());
        let mut place = String::new();
        let followed = Followed::new("cloud", bitbucket.stage.address, |_, address| {
            address.clone_into(&mut place);
            let block = |id: &str, url: &url::Url, key: &str, secret: &str| {
                format!(
                    "[[integration]]\nid = \"{id}\"\nplatform = \"bitbucket-cloud\"\nurl = \"{}\"\nclient_id = \"{key}\"\n\
                     client_secret = \"{secret}\"\n",
                    url.as_str().trim_end_matches('/')
                )
            };
            let own = block("cloud", &url, &key, &secret);
            match other {
                None => own,
                Some(other) => {
                    format!("{own}link_by_email = true\n{}", block("sso", &other.url(), &other.key, &other.secret))
                }
            }
        });
        if let Some(other) = other {
            other.stage.world().consumer.callback = format!("{place}/auth/sso/callback");
        }
        bitbucket.stage.world().consumer.callback = format!("{place}/auth/cloud/callback");
        let world = Self { bitbucket, followed, workspace, project, keeper, token };
        world.credential("main", &world.token);
        world
    }

    /// Our credential with an access token.
    pub fn credential(&self, name: &str, token: &str) {
        self.credential_of(name, "bitbucket-cloud-token", &self.bitbucket.url(), token);
    }

    fn add(&self, name: &str, kind: &str, username: &str, secret: &str) -> Said {
        let url = self.bitbucket.url();
        let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let words = format!("credential add {name} --type {kind} --host {host} --username {username} --secret-stdin");
        self.ours.command_with(&words, secret)
    }

    /// The same of any type with a user name.
    pub fn credential_as(&self, name: &str, kind: &str, username: &str, secret: &str) {
        self.add(name, kind, username, secret).done();
    }

    /// Why such a credential is refused.
    pub fn refused(&self, name: &str, kind: &str, username: &str, secret: &str) -> String {
        self.add(name, kind, username, secret).failed()
    }

    /// What a test of a credential says.
    pub fn tested(&self, name: &str) -> String {
        let said = self.ours.command(&format!("credential test {name}"));
        format!("{}{}", said.out, said.err)
    }

    /// Follows the workspace.
    pub fn follow(&mut self) {
        self.follow_with("acme", "main");
    }

    /// Follows these projects of the workspace alone.
    pub fn follow_projects(&mut self, credential: &str, keys: &[&str]) {
        let keys: Vec<String> = keys.iter().map(|key| format!(" --project {key}")).collect();
        let words =
            format!("sync add --integration cloud --remote acme --credential {credential} --primary{}", keys.concat());
        self.sync = self.ours.command(&words).done();
        self.run().done();
    }

    /// Where a repository is, or went, as its list here says.
    pub fn whereabouts(&self, path: &str) -> serde_json::Value {
        let said = self.ours.command(&format!("sync repositories {} --json", self.sync)).done();
        let all: serde_json::Value = serde_json::from_str(&said).unwrap();
        let found = all.as_array().unwrap().iter().find(|one| one["path"] == path);
        found.unwrap_or_else(|| panic!("{path} is not in {said}")).clone()
    }

    /// A repository with a package `acme/NAME` in it; its number.
    pub fn package(&mut self, project: u64, name: &str) -> u64 {
        let id = self.bitbucket.repository(project, name);
        self.fill(id, name);
        id
    }

    /// A repository without a package; its number.
    pub fn other(&mut self, project: u64, name: &str) -> u64 {
        let id = self.bitbucket.repository(project, name);
        self.bitbucket.alter(id, |one| one.manifest = Manifest::None);
        self.packages.insert(id, None);
        id
    }

    /// Puts a package into a repository.
    pub fn fill(&mut self, id: u64, name: &str) -> Vec<Pushed> {
        let (folder, refs) = self.filled(id, name);
        self.bitbucket.serve(id, &folder);
        refs
    }

    /// Somebody there who is in nothing.
    pub fn person(&mut self, login: &str) -> u64 {
        let id = self.bitbucket.user(login);
        self.knows(id, login)
    }

    /// A member there.
    pub fn member(&mut self, login: &str) -> u64 {
        let id = self.person(login);
        self.bitbucket.enrol(self.workspace, id, false);
        id
    }

    /// The packages that Bitbucket lets somebody read. What went out of the workspace is none of its any more.
    pub fn readable(&self, user: u64) -> BTreeSet<String> {
        let ids = self.bitbucket.readable(user);
        let site = self.bitbucket.stage.world();
        let own = |id: &&u64| site.directory.repositories[id].workspace == self.workspace;
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
        let site = self.bitbucket.stage.world();
        site.hooks.all.values().filter(|hook| hook.url.starts_with(&ours)).cloned().collect()
    }
}
