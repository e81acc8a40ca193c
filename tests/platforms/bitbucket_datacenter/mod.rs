//! Bitbucket Data Center and Server: at the root of a host or below a path, with OAuth 2.0 and OAuth 1.0a.

mod acts;
mod api;
pub mod bucket;
pub mod credentials;
pub mod directory;
mod git;
pub mod hooks;
mod oauth1;
mod oauth2;
pub mod oracle;
mod people;
mod rest;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use bucket::Buckets;
use credentials::Credentials;
use directory::Directory;
use hooks::Hooks;
use packagist_selfhosted::secrets::random;
use rustls::ServerConfig;

pub use oauth1::RequestToken;
pub use people::{User, slug};

use super::frame::{Simulator, Stage};
use super::grants::Grants;
use super::message::{Asked, Reply};

/// An incoming link of OAuth 2.0.
#[derive(Clone, Debug)]
pub struct Link {
    /// Public.
    pub client_id: String,
    /// Secret.
    pub client_secret: String,
    /// Where browsers may be sent, exactly.
    pub redirect_url: String,
}

/// An application link by OAuth 1.0a.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// What people see.
    pub name: String,
    /// Public.
    pub key: String,
    /// What verifies its signatures, in DER.
    pub public_key: Vec<u8>,
}

/// All that it knows.
pub struct Site {
    /// What stands in front of every path, such as `/bitbucket`.
    pub prefix: &'static str,
    /// Its own address, with the prefix.
    pub base: String,
    /// Which Bitbucket it is.
    pub version: &'static str,
    /// What its administrators call it.
    pub display_name: &'static str,
    /// By their numbers.
    pub users: BTreeMap<u64, User>,
    /// The OAuth 2.0 app.
    pub link: Link,
    /// The OAuth 1.0a app.
    pub consumer: Consumer,
    /// Requests, codes and tokens of OAuth 2.0.
    pub grants: Grants,
    /// Request tokens of OAuth 1.0a.
    pub request_tokens: BTreeMap<String, RequestToken>,
    /// Whose the access tokens of OAuth 1.0a are.
    pub access_tokens: BTreeMap<String, u64>,
    /// What was signed with already.
    pub nonces: Mutex<BTreeSet<(String, String)>>,
    /// Seconds that its clock is ahead of ours, where signatures are concerned.
    pub clock: i64,
    /// Whether it speaks OAuth 1.0a and not 1.0.
    pub confirms_callbacks: bool,
    /// Whether something in front of it removes `X-AUSERNAME`.
    pub hides_caller: bool,
    /// Whether something in front of it removes `Authorization`, and everybody may look.
    pub is_public: bool,
    /// Most users on a page.
    pub page_limit: usize,
    /// How far apart the starts of two values are that stand beside one another.
    pub page_gap: usize,
    /// How fast it may be asked, if that is limited.
    pub buckets: Option<Buckets>,
    /// Projects, repositories, groups.
    pub directory: Directory,
    /// Tokens and passwords.
    pub credentials: Credentials,
    /// Webhooks.
    pub hooks: Hooks,
    /// Whether its licence has mirrors, and hooks can be told of them.
    pub has_mirrors: bool,
    /// Where Git is answered over SSH, if not at the usual port.
    pub ssh: Option<String>,
    /// How many seconds tokens of OAuth 2.0 last.
    pub token_life: u64,
    next_id: u64,
}

/// A running Bitbucket with one link of each kind.
pub struct BitbucketDataCenter {
    /// The server.
    pub stage: Stage<Site>,
    /// The OAuth 2.0 app's id.
    pub client_id: String,
    /// The OAuth 2.0 app's secret.
    pub client_secret: String,
}

impl BitbucketDataCenter {
    /// A current one without TLS, with a link that comes back to `callback`.
    pub fn start(callback: &str) -> Self {
        Self::start_at("", callback, None)
    }

    /// Any, below this path.
    pub fn start_at(prefix: &'static str, callback: &str, tls: Option<ServerConfig>) -> Self {
        let (client_id, client_secret) = (random::hex::<16>(), random::hex::<32>());
        let redirect_url = callback.to_owned();
        let link = Link { client_id: client_id.clone(), client_secret: client_secret.clone(), redirect_url };
        let consumer = Consumer { name: "Packages".to_owned(), key: "packages".to_owned(), public_key: Vec::new() };
        let site = Site {
            prefix,
            base: String::new(),
            version: "8.19.4",
            display_name: "Bitbucket",
            users: BTreeMap::new(),
            link,
            consumer,
            grants: Grants::default(),
            request_tokens: BTreeMap::new(),
            access_tokens: BTreeMap::new(),
            nonces: Mutex::default(),
            clock: 0,
            confirms_callbacks: true,
            hides_caller: false,
            is_public: false,
            page_limit: 1000,
            page_gap: 1,
            buckets: None,
            directory: Directory::default(),
            credentials: Credentials::default(),
            hooks: Hooks::default(),
            has_mirrors: true,
            ssh: None,
            token_life: 3600,
            next_id: 100,
        };
        let bitbucket = Self { stage: Stage::start(site, tls), client_id, client_secret };
        bitbucket.stage.world().base =
            bitbucket.stage.url("localhost", prefix).as_str().trim_end_matches('/').to_owned();
        bitbucket
    }

    /// The address that an administrator configures.
    pub fn url(&self) -> url::Url {
        let prefix = self.stage.world().prefix;
        self.stage.url("localhost", prefix)
    }

    /// A new person; its number.
    pub fn user(&self, name: &str) -> u64 {
        let mut site = self.stage.world();
        site.next_id += 1;
        let id = site.next_id;
        site.users.insert(id, User::new(id, name));
        id
    }

    /// Changes a person.
    pub fn change(&self, id: u64, change: impl FnOnce(&mut User)) {
        change(self.stage.world().users.get_mut(&id).expect("a user"));
    }

    /// Gives a person another name; the old one is free then.
    pub fn rename(&self, id: u64, name: &str) {
        self.change(id, |user| (user.name, user.slug) = (name.to_owned(), slug(name)));
    }

    /// Removes a person, with all that they were given.
    pub fn removed(&self, id: u64) {
        let mut site = self.stage.world();
        site.users.remove(&id).expect("a user");
        let Directory { projects, repositories, groups, .. } = &mut site.directory;
        projects.values_mut().for_each(|one| one.rights.users.retain(|user, _| *user != id));
        repositories.values_mut().for_each(|one| one.rights.users.retain(|user, _| *user != id));
        groups.values_mut().for_each(|people| people.retain(|user| *user != id));
    }

    /// Shuts a person out.
    pub fn deactivate(&self, id: u64) {
        self.change(id, |user| user.active = false);
    }

    /// Lets seconds go by.
    pub fn pass(&self, seconds: u64) {
        self.stage.world().grants.now += seconds;
    }

    /// How many tokens of OAuth 2.0 live.
    pub fn tokens(&self) -> usize {
        self.stage.world().grants.tokens.len()
    }
}

impl Site {
    /// Major and minor number.
    fn version(&self) -> (u32, u32) {
        let mut parts = self.version.split('.').map(|part| part.parse().expect("a number"));
        (parts.next().expect("a major number"), parts.next().expect("a minor number"))
    }

    /// Its own scheme, host and port.
    fn origin(&self) -> &str {
        self.base.strip_suffix(self.prefix).unwrap_or(&self.base)
    }

    fn names(&self) -> Vec<String> {
        self.users.values().map(|user| user.name.clone()).collect()
    }

    fn id(&self, name: &str) -> Option<u64> {
        self.users.values().find(|user| user.name == name).map(|user| user.id)
    }

    fn oauth2(&mut self, asked: &Asked, path: &str) -> Reply {
        if self.version() < (7, 20) {
            return Reply::json(404, &serde_json::json!({"message": "null for uri", "status-code": 404}));
        }
        match (asked.method.as_str(), path) {
            ("GET", "/authorize") => self.authorize(asked),
            ("POST", "/authorize") => self.decide(asked),
            ("POST", "/token") => self.token(asked),
            ("POST", "/revoke") => self.revoke(asked),
            _ => nowhere("there is no such address"),
        }
    }
}

impl Simulator for Site {
    fn answer(&mut self, asked: &Asked) -> Reply {
        let Some(path) = asked.path.strip_prefix(self.prefix).map(str::to_owned) else {
            return nowhere(format!("outside of {}", self.prefix));
        };
        if path.starts_with("/rest/api/")
            && let Some(refusal) = self.buckets.as_mut().and_then(|buckets| buckets.refuse(asked))
        {
            return refusal;
        }
        if let Some(path) = path.strip_prefix("/rest/oauth2/latest") {
            return self.oauth2(asked, path);
        }
        if let Some(path) = path.strip_prefix("/scm/") {
            return self.git(asked, path);
        }
        match (asked.method.as_str(), path.as_str()) {
            ("POST", "/plugins/servlet/oauth/request-token") => self.request_token(asked),
            ("GET", "/plugins/servlet/oauth/authorize") => self.authorize1(asked),
            ("POST", "/plugins/servlet/oauth/authorize") => self.decide1(asked),
            ("POST", "/plugins/servlet/oauth/access-token") => self.access_token(asked),
            ("GET", "/plugins/servlet/applinks/whoami") => self.whoami(asked),
            ("GET", "/rest/api/1.0/application-properties") => self.properties(),
            ("GET", "/rest/api/1.0/users") => self.users(asked),
            (_, path) if !path.starts_with("/rest/api/1.0/users/") => match path.strip_prefix("/rest/api/1.0/") {
                Some(path) => self.rest(asked, path),
                None => nowhere("there is no such address"),
            },
            ("GET", path) => self.user(asked, path.trim_start_matches("/rest/api/1.0/users/")),
            _ => nowhere("there is no such address"),
        }
    }
}

fn nowhere(why: impl Into<String>) -> Reply {
    Reply::html(404, "<title>Oops, you've found a dead link</title>").blamed(why)
}
