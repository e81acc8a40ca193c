//! GitHub: github.com, which has its API on a host of its own, and GitHub Enterprise Server.

mod acts;
pub mod acts_apps;
mod answers;
mod api;
mod app_events;
mod apps;
pub mod description;
pub mod directory;
pub mod events;
mod git;
pub mod hooks;
pub mod installations;
mod jwt;
mod login;
mod manifests;
pub mod oracle;
mod organizations;
mod people;
pub mod post;
mod repositories;
mod setup;
mod shapes;
mod teams;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};

use rustls::ServerConfig;

pub use apps::{Kind, Registered};
pub use directory::Directory;
pub use hooks::Hooks;
pub use installations::{Installation, InstallationToken, Integration};
pub use people::User;
pub use tokens::PersonalToken;

use super::frame::{Simulator, Stage, now};
use super::grants::Grants;
use super::message::{Asked, Reply};

/// Which GitHub it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// `github.com` and `api.github.com`.
    Cloud,
    /// An Enterprise Server under any name.
    Server {
        /// Its version.
        version: &'static str,
        /// Whether it tells nothing to whom it does not know.
        private: bool,
    },
}

/// All that it knows.
pub struct Site {
    /// Which GitHub it is.
    pub flavour: Flavour,
    /// By their numbers.
    pub users: BTreeMap<u64, User>,
    /// By their client ids.
    pub apps: BTreeMap<String, Registered>,
    /// Requests, codes and tokens.
    pub grants: Grants,
    /// What each person ever granted to each app.
    pub granted: BTreeMap<(String, u64), BTreeSet<String>>,
    /// Seconds until the API answers again, if its limit is used up.
    pub spent: Option<i64>,
    /// Organizations, teams, repositories.
    pub directory: Directory,
    /// Tokens that people made themselves.
    pub tokens: BTreeMap<String, PersonalToken>,
    /// GitHub Apps, by their numbers.
    pub integrations: BTreeMap<u64, Integration>,
    /// Where they are installed.
    pub installations: BTreeMap<u64, Installation>,
    /// Tokens of installations.
    pub installation_tokens: BTreeMap<String, InstallationToken>,
    /// Apps that somebody is about to make of a manifest.
    pub manifests: manifests::Manifests,
    /// Webhooks, and the post that carries deliveries.
    pub hooks: Hooks,
    /// Requests that counted against the limit.
    pub used: u32,
    /// Requests that do not know a new token of an installation, and what is said to them.
    birth_lag: u32,
    birth_status: u16,
    /// How long the tokens of installations are.
    token_length: usize,
    /// After how many requests all tokens of installations end, if they do.
    dying: Option<u32>,
    /// Seconds that its clock is ahead of ours, beside those that have gone by.
    offset: i64,
    scheme: &'static str,
    port: u16,
    next_id: u64,
}

/// A running GitHub with one app.
pub struct GitHub {
    /// The server.
    pub stage: Stage<Site>,
    /// The app's id.
    pub client_id: String,
    /// The app's secret.
    pub client_secret: String,
}

impl GitHub {
    /// An Enterprise Server of a current version, without TLS, with an OAuth App that comes back to `callback`.
    pub fn server(callback: &str) -> Self {
        Self::start(Flavour::Server { version: "3.17.2", private: false }, Kind::OAuth, callback, None)
    }

    /// `github.com`, which needs a proxy or a browser that finds it here, with an OAuth App.
    pub fn cloud(callback: &str, tls: ServerConfig) -> Self {
        Self::start(Flavour::Cloud, Kind::OAuth, callback, Some(tls))
    }

    /// Any.
    pub fn start(flavour: Flavour, kind: Kind, callback: &str, tls: Option<ServerConfig>) -> Self {
        let app = Registered::new("Packages", kind, callback);
        let (client_id, client_secret) = (app.client_id.clone(), app.client_secret.clone());
        let site = Site {
            flavour,
            users: BTreeMap::new(),
            apps: BTreeMap::from([(client_id.clone(), app)]),
            grants: Grants::default(),
            granted: BTreeMap::new(),
            spent: None,
            directory: Directory::default(),
            tokens: BTreeMap::new(),
            integrations: BTreeMap::new(),
            installations: BTreeMap::new(),
            installation_tokens: BTreeMap::new(),
            manifests: manifests::Manifests::default(),
            hooks: Hooks::default(),
            used: 0,
            birth_lag: 0,
            birth_status: 401,
            token_length: installations::LENGTH,
            dying: None,
            offset: 0,
            scheme: "http",
            port: 0,
            next_id: 1000,
        };
        let stage = Stage::start(site, tls);
        let mut site = stage.world();
        (site.scheme, site.port) = (stage.scheme, stage.address.port());
        drop(site);
        Self { stage, client_id, client_secret }
    }

    /// The address that an administrator configures.
    pub fn url(&self) -> url::Url {
        match self.stage.world().flavour {
            Flavour::Cloud => self.stage.url("github.com", ""),
            Flavour::Server { .. } => self.stage.url("localhost", ""),
        }
    }

    /// A new person with a verified address; its number.
    pub fn user(&self, login: &str) -> u64 {
        let mut site = self.stage.world();
        site.next_id += 7;
        let id = site.next_id;
        site.users.insert(id, User::new(id, login));
        id
    }

    /// Changes a person.
    pub fn change(&self, id: u64, change: impl FnOnce(&mut User)) {
        change(self.stage.world().users.get_mut(&id).expect("a user"));
    }

    /// Gives a person another login; the old one is free then.
    pub fn rename(&self, id: u64, login: &str) {
        self.change(id, |user| login.clone_into(&mut user.login));
    }

    /// Shuts a person out.
    pub fn suspend(&self, id: u64) {
        self.change(id, |user| user.suspended = true);
    }

    /// Changes the app.
    pub fn app(&self, change: impl FnOnce(&mut Registered)) {
        change(self.stage.world().apps.get_mut(&self.client_id).expect("the app"));
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
    pub(super) fn is_cloud(&self) -> bool {
        self.flavour == Flavour::Cloud
    }

    /// What its clock says, in seconds since the epoch.
    pub(super) fn clock(&self) -> i64 {
        now() + self.offset + i64::try_from(self.grants.now).expect("not that late")
    }

    /// Whether it knows what came with a version.
    pub(super) fn is_at_least(&self, major: u32, minor: u32) -> bool {
        let Flavour::Server { version, .. } = self.flavour else { return true };
        let mut numbers = version.split('.').map(|number| number.parse::<u32>().expect("a number"));
        (numbers.next(), numbers.next()) >= (Some(major), Some(minor))
    }

    /// The path below the API's root, if a request is for the API.
    pub(super) fn api_path(&self, asked: &Asked) -> Option<String> {
        match self.flavour {
            Flavour::Cloud => (asked.host == "api.github.com").then(|| asked.path.clone()),
            Flavour::Server { .. } => asked.path.strip_prefix("/api/v3").map(str::to_owned),
        }
    }

    pub(super) fn user_named(&self, login: &str) -> Option<&User> {
        self.users.values().find(|user| user.login.eq_ignore_ascii_case(login))
    }
}

impl Simulator for Site {
    fn answer(&mut self, asked: &Asked) -> Reply {
        if let Some(path) = self.api_path(asked) {
            let reply = self.api(asked, &path);
            return description::judged(self.flavour, asked, &path, reply);
        }
        if self.is_cloud() && asked.host != "github.com" {
            return Reply::html(404, "no such host").blamed(format!("nobody is at {}", asked.host));
        }
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/login/oauth/authorize") => self.authorize(asked),
            ("POST", "/login/oauth/authorize") => self.decide(asked),
            ("POST", "/login/oauth/access_token") => self.access_token(asked),
            _ => self
                .of_manifests(asked)
                .or_else(|| self.git(asked))
                .unwrap_or_else(|| Reply::html(404, "<title>Page not found</title>")),
        }
    }
}
