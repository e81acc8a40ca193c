//! A server with an integration of every kind, and the platforms behind them.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::SanType;
use serde_json::Value;

use crate::certificates::Authority;
use crate::forward_proxy::ForwardProxy;
use crate::installation::Installation;
use crate::platforms::bitbucket_cloud::BitbucketCloud;
use crate::platforms::bitbucket_datacenter::BitbucketDataCenter;
use crate::platforms::github::GitHub;
use crate::platforms::gitlab::GitLab;

/// All of them.
pub struct World {
    pub installation: Installation,
    pub forges: Forges,
    /// Finds public names at the simulators.
    _proxy: ForwardProxy,
}

/// The platforms, each known to the server by the name of its field.
pub struct Forges {
    pub github: GitHub,
    pub ghes: GitHub,
    pub gitlab: GitLab,
    /// Below a path.
    pub git: GitLab,
    pub bitbucket: BitbucketCloud,
    pub stash: BitbucketDataCenter,
    /// Of before OAuth 2.0, below a path.
    pub old: BitbucketDataCenter,
}

impl World {
    /// Starts everything.
    pub fn start() -> Self {
        let public = ["github.com", "api.github.com", "bitbucket.org", "api.bitbucket.org"];
        let authority = Authority::with(|leaf| {
            leaf.subject_alt_names.extend(public.map(|name| SanType::DnsName(name.try_into().unwrap())));
        });
        let proxy = ForwardProxy::start(None);
        let mut forges = None;
        let installation = Installation::start_configured(Some(&authority.pem), None, |folder, public_url| {
            let callback = |id: &str| format!("{public_url}/auth/{id}/callback");
            let made = Forges {
                github: GitHub::cloud(&callback("github"), authority.server.clone()),
                ghes: GitHub::server(&callback("ghes")),
                gitlab: GitLab::start(&callback("gitlab")),
                git: GitLab::start_at("/git", &callback("git"), None),
                bitbucket: BitbucketCloud::start_with(&callback("bitbucket"), Some(authority.server.clone())),
                stash: BitbucketDataCenter::start(&callback("stash")),
                old: BitbucketDataCenter::start_at("/bitbucket", &callback("old"), None),
            };
            let config = made.config(folder);
            forges = Some(made);
            format!("proxy = \"http://{}\"\nno_proxy = [\"localhost\"]\n{config}", proxy.address)
        });
        Self { installation, forges: forges.expect("they were configured"), _proxy: proxy }
    }

    /// Where browsers find the server.
    pub fn origin(&self) -> String {
        self.installation.url("")
    }

    /// The names of the people whom it knows.
    pub fn people(&self) -> Vec<String> {
        let said = self.installation.command("user list --json").done();
        let list: Vec<Value> = serde_json::from_str(&said).expect("JSON");
        list.iter().map(|user| user["name"].as_str().expect("a name").to_owned()).collect()
    }
}

impl Forges {
    fn config(&self, folder: &Path) -> String {
        let (key, public_key) = key();
        fs::write(folder.join("oauth1.pem"), key).expect("files can be written");
        {
            let mut site = self.old.stage.world();
            site.version = "6.10.17";
            site.consumer.public_key = public_key;
        }
        let Self { github, ghes, gitlab, git, bitbucket, stash, old } = self;
        let all = [
            ("github", "github", github.url(), &github.client_id, &github.client_secret),
            ("ghes", "github", ghes.url(), &ghes.client_id, &ghes.client_secret),
            ("gitlab", "gitlab", gitlab.url(), &gitlab.client_id, &gitlab.client_secret),
            ("git", "gitlab", git.url(), &git.client_id, &git.client_secret),
            ("bitbucket", "bitbucket-cloud", bitbucket.url(), &bitbucket.key, &bitbucket.secret),
            ("stash", "bitbucket-datacenter", stash.url(), &stash.client_id, &stash.client_secret),
        ];
        let mut config = String::new();
        for (id, platform, url, client_id, client_secret) in all {
            write!(
                config,
                "[[integration]]\nid = \"{id}\"\nname = \"{}\"\nplatform = \"{platform}\"\nurl = \"{url}\"\n\
                 client_id = \"{client_id}\"\nclient_secret = \"{client_secret}\"\n",
                shown(id)
            )
            .unwrap();
        }
        write!(
            config,
            "[[integration]]\nid = \"old\"\nname = \"{}\"\nplatform = \"bitbucket-datacenter\"\nurl = \"{}\"\n\
             oauth_version = 1\nconsumer_key = \"packages\"\nprivate_key_file = \"oauth1.pem\"\n",
            shown("old"),
            old.url()
        )
        .unwrap();
        config
    }
}

/// What the login page calls an integration.
pub fn shown(id: &str) -> String {
    format!("Our {id}")
}

/// A private key in PEM, and its public half in DER.
fn key() -> (String, Vec<u8>) {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
    (pem, pair.public_key().as_ref().to_vec())
}

/// The ways in which somebody is not let in, with a word of the reason that they are told.
pub type Unfit<F> = Vec<(fn(&F, u64), &'static str)>;

/// What all platforms have in common: people, who come and go, and what they are called.
pub trait Forge {
    /// Somebody new; its number.
    fn add(&self, login: &str) -> u64;
    /// What they choose on the page of consent.
    fn choice(&self, id: u64) -> String;
    /// Another name.
    fn rename(&self, id: u64, login: &str);
    /// How somebody may be unfit.
    fn unfit(&self) -> Unfit<Self>
    where
        Self: Sized;
}

impl Forge for GitHub {
    fn add(&self, login: &str) -> u64 {
        self.user(login)
    }

    fn choice(&self, id: u64) -> String {
        self.stage.world().users[&id].login.clone()
    }

    fn rename(&self, id: u64, login: &str) {
        Self::rename(self, id, login);
    }

    fn unfit(&self) -> Unfit<Self> {
        // Who is suspended does not even come back from GitHub.
        vec![(|forge, id| forge.change(id, |user| user.kind = "Bot"), "Bot")]
    }
}

impl Forge for GitLab {
    fn add(&self, login: &str) -> u64 {
        self.user(login)
    }

    fn choice(&self, id: u64) -> String {
        self.stage.world().users[&id].username.clone()
    }

    fn rename(&self, id: u64, login: &str) {
        Self::rename(self, id, login);
    }

    fn unfit(&self) -> Unfit<Self> {
        vec![
            (|forge, id| forge.block(id), "blocked"),
            (|forge, id| forge.change(id, |user| (user.state, user.bot) = ("active", true)), "is a bot's"),
        ]
    }
}

impl Forge for BitbucketCloud {
    fn add(&self, login: &str) -> u64 {
        self.user(login)
    }

    fn choice(&self, id: u64) -> String {
        self.stage.world().users[&id].account_id.clone()
    }

    fn rename(&self, id: u64, login: &str) {
        Self::rename(self, id, login);
    }

    fn unfit(&self) -> Unfit<Self> {
        vec![
            (|forge, id| forge.deactivate(id), "deactivated"),
            (|forge, id| forge.change(id, |user| (user.status, user.kind) = (None, "app_user")), "is a bot's"),
        ]
    }
}

impl Forge for BitbucketDataCenter {
    fn add(&self, login: &str) -> u64 {
        self.user(login)
    }

    fn choice(&self, id: u64) -> String {
        self.stage.world().users[&id].name.clone()
    }

    fn rename(&self, id: u64, login: &str) {
        Self::rename(self, id, login);
    }

    fn unfit(&self) -> Unfit<Self> {
        vec![
            (|forge, id| forge.deactivate(id), "deactivated"),
            (|forge, id| forge.change(id, |user| (user.active, user.kind) = (true, "SERVICE")), "is a service's"),
        ]
    }
}
