//! A Bitbucket Data Center, our server that follows a project of it, and people who look at both.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};

use crate::followed::Followed;
use crate::platforms::bitbucket_datacenter::BitbucketDataCenter;
use crate::platforms::bitbucket_datacenter::directory::Level;
use crate::platforms::pushed::Pushed;

/// Where browsers come back to; the port is our server's.
const CALLBACK: &str = "http://127.0.0.1/auth/bb/callback";

/// Everything.
pub struct World {
    pub bitbucket: BitbucketDataCenter,
    /// Our side.
    followed: Followed,
    /// The project's number there.
    pub project: u64,
    /// Who administers it.
    pub keeper: u64,
    /// Its key.
    pub key: &'static str,
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
    /// A project `ACME` there with an administrator, and an organization here that follows nothing yet.
    pub fn new() -> Self {
        Self::of("8.19.4", "ACME")
    }

    /// Any project of any version, below a path.
    pub fn of(version: &'static str, key: &'static str) -> Self {
        Self::behind(version, key, None, None)
    }

    /// The same behind TLS, and an authority that our server trusts.
    pub fn behind(
        version: &'static str,
        key: &'static str,
        tls: Option<rustls::ServerConfig>,
        trusted: Option<&str>,
    ) -> Self {
        let bitbucket = BitbucketDataCenter::start_at("/bitbucket", CALLBACK, tls);
        bitbucket.stage.world().version = version;
        let keeper = bitbucket.user(key.strip_prefix('~').unwrap_or("keeper"));
        let project = bitbucket.project(key);
        if !key.starts_with('~') {
            bitbucket.give(project, keeper, Some(Level::Admin));
        }
        let (url, id, secret) = (bitbucket.url(), bitbucket.client_id.clone(), bitbucket.client_secret.clone());
        let mut place = String::new();
        let followed = Followed::trusting(trusted, "bb", bitbucket.stage.address, |_, address| {
            address.clone_into(&mut place);
            format!(
                "[jobs]\npackage_interval = \"300d\"\n[[integration]]\nid = \"bb\"\nplatform = \"bitbucket-datacenter\"\nurl = \"{}\"\nclient_id = \"{id}\"\n\
                 client_secret = \"{secret}\"\n",
                url.as_str().trim_end_matches('/')
            )
        });
        bitbucket.stage.world().link.redirect_url = format!("{place}/auth/bb/callback");
        Self { bitbucket, followed, project, keeper, key }
    }

    /// Our credential.
    pub fn credential(&self, name: &str, token: &str) {
        self.credential_of(name, "bitbucket-datacenter-token", &self.bitbucket.url(), token);
    }

    /// Follows the project with a token of its administrator.
    pub fn follow(&mut self) {
        let token = self.bitbucket.token(self.keeper, Level::Admin, Level::Admin);
        self.credential("main", &token);
        let key = self.key;
        self.follow_with(key, "main");
    }

    /// A repository with a package `acme/NAME` in it; its number.
    pub fn package(&mut self, name: &str) -> u64 {
        let id = self.bitbucket.repository(self.project, name);
        self.fill(id, name);
        id
    }

    /// A repository without a package; its number.
    pub fn other(&mut self, name: &str) -> u64 {
        let id = self.bitbucket.repository(self.project, name);
        self.packages.insert(id, None);
        id
    }

    /// Puts a package into a repository.
    pub fn fill(&mut self, id: u64, name: &str) -> Vec<Pushed> {
        let (folder, refs) = self.filled(id, name);
        self.bitbucket.serve(id, &folder);
        refs
    }

    /// Somebody there.
    pub fn person(&mut self, login: &str) -> u64 {
        let id = self.bitbucket.user(login);
        self.knows(id, login)
    }

    /// The packages that Bitbucket lets somebody read. What went out of the project is none of its any more.
    pub fn readable(&self, user: u64) -> BTreeSet<String> {
        let ids = self.bitbucket.readable(user);
        let site = self.bitbucket.stage.world();
        let own = |id: &&u64| site.directory.repositories[id].project == self.project;
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

    /// Compares, and everybody sees here what they may read there.
    #[track_caller]
    pub fn compares(&self, after: &str) {
        self.run().done();
        self.agrees(after);
    }
}
