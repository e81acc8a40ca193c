//! GitLab: gitlab.com and self-managed, at the root of a host or below a path.

mod api;
mod login;
mod people;

use std::collections::BTreeMap;

use packagist_selfhosted::secrets::random;
use rustls::ServerConfig;

pub use people::User;

use super::frame::{Simulator, Stage};
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
    next_id: u64,
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
            next_id: 40,
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

impl Simulator for Site {
    fn answer(&mut self, asked: &Asked) -> Reply {
        let Some(path) = asked.path.strip_prefix(self.prefix).map(str::to_owned) else {
            return Reply::html(404, "<title>nginx</title>").blamed(format!("outside of {}", self.prefix));
        };
        match (asked.method.as_str(), path.as_str()) {
            ("GET", "/oauth/authorize") => self.authorize(asked),
            ("POST", "/oauth/authorize") => self.decide(asked),
            ("POST", "/oauth/token") => self.token(asked),
            ("POST", "/oauth/revoke") => self.revoke(asked),
            ("GET", "/.well-known/openid-configuration") => self.discovery(),
            ("GET", "/oauth/token/info") => self.token_info(asked),
            ("GET", "/api/v4/user") => self.user(asked),
            _ => Reply::html(404, "<title>Not Found</title>").blamed("there is no such address"),
        }
    }
}
