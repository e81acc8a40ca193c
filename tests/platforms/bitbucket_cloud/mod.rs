//! Bitbucket Cloud: `bitbucket.org` and `api.bitbucket.org`, or both on one host.

mod acts;
pub mod answers;
mod api;
pub mod directory;
mod git;
pub mod hooks;
mod login;
pub mod oracle;
mod people;
mod repositories;
mod tokens;
mod workspaces;

use std::collections::BTreeMap;

use packagist_selfhosted::secrets::random;
use rustls::ServerConfig;

pub use directory::Directory;
pub use hooks::Hooks;
pub use people::{Address, User};

use super::frame::{Simulator, Stage};
use super::grants::Grants;
use super::message::{Asked, Reply};

/// An OAuth consumer of a workspace.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Public.
    pub key: String,
    /// Secret.
    pub secret: String,
    /// Where browsers may be sent, there or below.
    pub callback: String,
    /// The permissions that are ticked.
    pub scopes: Vec<&'static str>,
}

/// All that it knows.
pub struct Site {
    /// Whether the API has a host of its own.
    pub is_public: bool,
    /// Whether it looks at PKCE, of which nothing is said.
    pub knows_pkce: bool,
    /// By numbers that nobody sees.
    pub users: BTreeMap<u64, User>,
    /// The one there is.
    pub consumer: Consumer,
    /// Requests, codes and tokens.
    pub grants: Grants,
    /// How much longer than usual tokens are.
    pub token_length: usize,
    /// What the scopes of a token are called.
    pub scopes_field: &'static str,
    /// Workspaces, repositories, tokens.
    pub directory: Directory,
    /// Webhooks, and the post that carries deliveries.
    pub hooks: Hooks,
    /// What is said of groups instead of telling them.
    pub groups_status: Option<u16>,
    /// Whether groups name people by the id of all of Atlassian's products alone.
    pub hides_uuids: bool,
    /// How long tokens of OAuth are good, in seconds.
    pub token_life: u64,
    /// Whether nobody is told all permissions at once.
    pub hides_bulk: bool,
    /// Whether nobody may look after hooks of workspaces.
    pub hides_hooks: bool,
    /// Whether no address is public enough to be called.
    pub refuses_private: bool,
    port: u16,
    next_id: u64,
}

/// A running Bitbucket Cloud with one consumer.
pub struct BitbucketCloud {
    /// The server.
    pub stage: Stage<Site>,
    /// The consumer's key.
    pub key: String,
    /// The consumer's secret.
    pub secret: String,
}

impl BitbucketCloud {
    /// All on one host, without TLS, with a consumer that comes back to `callback`.
    pub fn start(callback: &str) -> Self {
        Self::start_with(callback, None)
    }

    /// With TLS it is `bitbucket.org`, which needs a proxy or a browser that finds it here.
    pub fn start_with(callback: &str, tls: Option<ServerConfig>) -> Self {
        let (key, secret) = (random::hex::<16>(), random::hex::<38>());
        let consumer = Consumer {
            key: key.clone(),
            secret: secret.clone(),
            callback: callback.to_owned(),
            scopes: vec!["account", "email"],
        };
        let site = Site {
            is_public: tls.is_some(),
            knows_pkce: true,
            users: BTreeMap::new(),
            consumer,
            grants: Grants::default(),
            token_length: 0,
            scopes_field: "scopes",
            directory: Directory::default(),
            hooks: Hooks::default(),
            groups_status: None,
            hides_uuids: false,
            token_life: 7200,
            hides_bulk: false,
            hides_hooks: false,
            refuses_private: false,
            port: 0,
            next_id: 70,
        };
        let stage = Stage::start(site, tls);
        stage.world().port = stage.address.port();
        Self { stage, key, secret }
    }

    /// The address that an administrator configures.
    pub fn url(&self) -> url::Url {
        let host = if self.stage.world().is_public { "bitbucket.org" } else { "localhost" };
        self.stage.url(host, "")
    }

    /// A new person with a confirmed address; what it is known by to [`Self::change`].
    pub fn user(&self, nickname: &str) -> u64 {
        let mut site = self.stage.world();
        site.next_id += 1;
        let id = site.next_id;
        site.users.insert(id, User::new(id, nickname));
        id
    }

    /// A person's `uuid`.
    pub fn uuid(&self, id: u64) -> String {
        self.stage.world().users[&id].uuid.clone()
    }

    /// Changes a person.
    pub fn change(&self, id: u64, change: impl FnOnce(&mut User)) {
        change(self.stage.world().users.get_mut(&id).expect("a user"));
    }

    /// Gives a person another name; it may be somebody else's as well.
    pub fn rename(&self, id: u64, nickname: &str) {
        self.change(id, |user| nickname.clone_into(&mut user.nickname));
    }

    /// Shuts a person out.
    pub fn deactivate(&self, id: u64) {
        self.change(id, |user| user.status = Some("inactive"));
    }

    /// Lets seconds go by.
    pub fn pass(&self, seconds: u64) {
        self.stage.world().grants.now += seconds;
    }
}

impl Simulator for Site {
    fn answer(&mut self, asked: &Asked) -> Reply {
        let is_api = asked.path.starts_with("/2.0/") || asked.path.starts_with("/1.0/");
        let host = if is_api { "api.bitbucket.org" } else { "bitbucket.org" };
        if self.is_public && asked.host != host {
            return Reply::html(404, "<title>Not Found</title>").blamed(format!("{} has no such address", asked.host));
        }
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/site/oauth2/authorize") => self.authorize(asked),
            ("POST", "/site/oauth2/authorize") => self.decide(asked),
            ("POST", "/site/oauth2/access_token") => self.token(asked),
            ("GET", "/2.0/user") => self.user(asked),
            ("GET", "/2.0/user/emails") => self.emails(asked),
            ("GET", "/2.0/hook_events") => self.hook_events(),
            _ if is_api => self.api(asked),
            _ => {
                let nowhere = || Reply::html(404, "<title>Not Found</title>").blamed("there is no such address");
                self.git(asked).unwrap_or_else(nowhere)
            }
        }
    }
}
