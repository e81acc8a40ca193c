//! GitLab: gitlab.com and self-managed, at the root of a host or below a path.

mod acts;
mod answers;
mod api;
pub mod directory;
mod events;
mod files;
mod git;
mod groups;
pub mod hooks;
mod hooks_api;
mod login;
mod members;
pub mod oracle;
mod people;
mod projects;
mod setup;
pub mod tokens;

use std::collections::{BTreeMap, BTreeSet};

use packagist_selfhosted::secrets::random;
use rustls::ServerConfig;

pub use directory::Directory;
pub use hooks::Hooks;
pub use people::User;
pub use tokens::{AccessToken, DeployToken};

use super::frame::{Simulator, Stage, now};
use super::grants::Grants;
use super::message::{Asked, Reply};

/// An application that somebody registered, confidential and not trusted.
#[derive(Clone, Debug)]
pub struct Registered {
    /// What people see.
    pub name: String,
    /// Public.
    pub client_id: String,
    /// Secret.
    pub client_secret: String,
    /// Where browsers may be sent, exactly.
    pub callbacks: Vec<String>,
    /// The scopes that are ticked.
    pub scopes: Vec<&'static str>,
}

/// How this GitLab is set up, and how it is reached.
#[derive(Clone, Debug)]
pub struct Ways {
    /// Its version.
    pub version: &'static str,
    /// Whether somebody paid for hooks of groups and roles of one's own.
    pub licensed: bool,
    /// What is said to whoever wants hooks of groups without a licence.
    pub unlicensed_status: u16,
    /// Whether webhooks may go to local addresses.
    pub local_requests: bool,
    /// Whether level 15 reads code.
    pub planners_read: bool,
    /// Whether lists tell how long they are.
    pub totals: bool,
    /// Whether a proxy lets `Link` pass.
    pub links: bool,
    /// Whether members of invited groups are listed that the asker does not see.
    pub lists_invited: bool,
    /// Whether lists know that members of invited groups may do no more than the invitation says; some versions forgot it.
    pub lists_caps: bool,
    /// Whether hooks that fail are switched off.
    pub auto_disable: bool,
    /// How many hooks a project may have; a group half of it.
    pub most_hooks: usize,
    /// `push_event_hooks_limit`.
    pub most_refs: usize,
    /// How many days a token may live.
    pub most_days: u32,
    /// How many seconds a grant is good for before it is to be renewed.
    pub grant_seconds: u64,
}

impl Default for Ways {
    fn default() -> Self {
        Self {
            version: "19.1.2-ee",
            licensed: true,
            unlicensed_status: 403,
            local_requests: true,
            planners_read: false,
            totals: true,
            links: true,
            lists_invited: true,
            lists_caps: true,
            auto_disable: false,
            most_hooks: 100,
            most_refs: 3,
            most_days: 365,
            grant_seconds: 7200,
        }
    }
}

/// All that it knows.
pub struct Site {
    /// What stands in front of every path, such as `/gitlab`.
    pub prefix: &'static str,
    /// What it calls itself; its own address unless it is set up wrongly.
    pub external_url: String,
    /// By their numbers.
    pub users: BTreeMap<u64, User>,
    /// By their ids.
    pub apps: BTreeMap<String, Registered>,
    /// Requests, codes and tokens.
    pub grants: Grants,
    /// How it is set up.
    pub ways: Ways,
    /// Groups and projects.
    pub directory: Directory,
    /// Access tokens.
    pub tokens: BTreeMap<String, AccessToken>,
    /// Deploy tokens.
    pub deploy_tokens: BTreeMap<String, DeployToken>,
    /// Tokens that were taken away altogether.
    pub former: BTreeSet<String>,
    /// Webhooks, and the post that carries deliveries.
    pub hooks: Hooks,
    next_id: u64,
    next_group: u64,
    next_project: u64,
    next_token: u64,
}

/// A running GitLab with one application.
pub struct GitLab {
    /// The server.
    pub stage: Stage<Site>,
    /// The application's id.
    pub client_id: String,
    /// The application's secret.
    pub client_secret: String,
}

impl GitLab {
    /// A self-managed GitLab without TLS, with an application that comes back to `callback`.
    pub fn start(callback: &str) -> Self {
        Self::start_at("", callback, None)
    }

    /// Any, below this path.
    pub fn start_at(prefix: &'static str, callback: &str, tls: Option<ServerConfig>) -> Self {
        let app = Registered {
            name: "Packages".to_owned(),
            client_id: random::hex::<32>(),
            client_secret: format!("gloas-{}", random::hex::<32>()),
            callbacks: vec![callback.to_owned()],
            scopes: vec!["read_user"],
        };
        let (client_id, client_secret) = (app.client_id.clone(), app.client_secret.clone());
        let site = Site {
            prefix,
            external_url: String::new(),
            users: BTreeMap::new(),
            apps: BTreeMap::from([(client_id.clone(), app)]),
            grants: Grants::default(),
            ways: Ways::default(),
            directory: Directory::default(),
            tokens: BTreeMap::new(),
            deploy_tokens: BTreeMap::new(),
            former: BTreeSet::new(),
            hooks: Hooks::default(),
            next_id: 40,
            next_group: 40,
            next_project: 40,
            next_token: 40,
        };
        let gitlab = Self { stage: Stage::start(site, tls), client_id, client_secret };
        gitlab.stage.world().external_url =
            gitlab.stage.url("localhost", prefix).as_str().trim_end_matches('/').to_owned();
        gitlab
    }

    /// The address that an administrator configures.
    pub fn url(&self) -> url::Url {
        let prefix = self.stage.world().prefix;
        self.stage.url("localhost", prefix)
    }

    /// A new person with a confirmed address; its number.
    pub fn user(&self, username: &str) -> u64 {
        let mut site = self.stage.world();
        site.next_id += 1;
        let id = site.next_id;
        site.users.insert(id, User::new(id, username));
        id
    }

    /// Changes a person.
    pub fn change(&self, id: u64, change: impl FnOnce(&mut User)) {
        change(self.stage.world().users.get_mut(&id).expect("a user"));
    }

    /// Gives a person another name; the old one is free then.
    pub fn rename(&self, id: u64, username: &str) {
        self.change(id, |user| username.clone_into(&mut user.username));
    }

    /// Shuts a person out.
    pub fn block(&self, id: u64) {
        self.change(id, |user| user.state = "blocked");
    }

    /// Changes the application.
    pub fn app(&self, change: impl FnOnce(&mut Registered)) {
        change(self.stage.world().apps.get_mut(&self.client_id).expect("the application"));
    }

    /// Lets seconds go by.
    pub fn pass(&self, seconds: u64) {
        self.stage.world().grants.now += seconds;
    }

    /// How many tokens live.
    pub fn tokens(&self) -> usize {
        self.stage.world().grants.tokens.len()
    }
}

impl Site {
    /// What its clock says, in seconds since the epoch.
    pub(super) fn clock(&self) -> i64 {
        now() + i64::try_from(self.grants.now).expect("not that late")
    }

    /// Whether it knows what came with a version.
    pub(super) fn is_at_least(&self, major: u32, minor: u32) -> bool {
        let mut numbers = self.ways.version.split(['.', '-']).map(|number| number.parse::<u32>().ok());
        (numbers.next().flatten(), numbers.next().flatten()) >= (Some(major), Some(minor))
    }
}

impl Simulator for Site {
    fn answer(&mut self, asked: &Asked) -> Reply {
        let Some(path) = asked.path.strip_prefix(self.prefix).map(str::to_owned) else {
            return Reply::html(404, "<title>nginx</title>").blamed(format!("outside of {}", self.prefix));
        };
        if let Some(path) = path.strip_prefix("/api/v4") {
            return self.api(asked, path);
        }
        match (asked.method.as_str(), path.as_str()) {
            ("GET", "/oauth/authorize") => self.authorize(asked),
            ("POST", "/oauth/authorize") => self.decide(asked),
            ("POST", "/oauth/token") => self.token(asked),
            ("POST", "/oauth/revoke") => self.revoke(asked),
            ("GET", "/.well-known/openid-configuration") => self.discovery(),
            ("GET", "/oauth/token/info") => self.token_info(asked),
            _ => self
                .git(asked, &path)
                .unwrap_or_else(|| Reply::html(404, "<title>Not Found</title>").blamed("there is no such address")),
        }
    }
}
