//! An instance with two people, and its server.

use std::net::SocketAddr;

use packagist_selfhosted::admin::users::{self, NewUser};
use packagist_selfhosted::admin::{self, Actor};
use packagist_selfhosted::appliance::{Appliance, Hubs};
use packagist_selfhosted::clock::{Clock, Timestamp};
use packagist_selfhosted::http::connections::Limits;
use packagist_selfhosted::http::{self, Integration, Server, State};
use packagist_selfhosted::jobs::build_dist::Dists;
use packagist_selfhosted::outbound;
use packagist_selfhosted::platform::{App, Connection, LoginApp, PlatformKind};
use packagist_selfhosted::store;
use packagist_selfhosted::telemetry::metrics;
use secrecy::SecretString;
use tempfile::TempDir;
use url::Url;

use crate::browser::Browser;
use crate::instance;
use crate::platforms::github::GitHub;

/// Where people reach the server, as far as they know.
pub const PUBLIC: &str = "https://packages.example.com";
/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery";

/// Everything a test acts on.
pub struct World {
    pub appliance: Appliance,
    pub clock: Clock,
    pub address: SocketAddr,
    _server: Server,
    _folder: TempDir,
}

/// An instance with the administrator `root`, `ada`, and the organization `acme`.
pub async fn world() -> World {
    world_with(Vec::new(), |_| {}).await
}

/// The same with integrations, and other settings.
pub async fn world_with(integrations: Vec<Integration>, adjust: impl FnOnce(&mut http::Settings)) -> World {
    let world = empty(integrations, adjust).await;
    let appliance = &world.appliance;
    for (name, is_admin) in [("root", true), ("ada", false)] {
        let new = NewUser {
            name: name.to_owned(),
            email: Some(format!("{name}@example.com")),
            admin: is_admin,
            password: Some(PASSWORD.into()),
        };
        users::add(appliance, &Actor::Command, new).await.unwrap();
    }
    admin::organizations::add(appliance, &Actor::Command, "acme", Some("Acme")).await.unwrap();
    world
}

/// An instance in which there is nobody and nothing.
pub async fn empty(integrations: Vec<Integration>, adjust: impl FnOnce(&mut http::Settings)) -> World {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp::from_seconds(1_795_348_800));
    let appliance = instance::open(&folder.path().join("data"), clock.clone()).await.unwrap();
    let connections: Vec<_> = integrations.iter().filter_map(|one| one.connection.clone()).collect();
    let appliance = appliance.with_hubs(Hubs::default().with_connections(connections)).await.unwrap();
    let mut settings = http::Settings {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        tls: None,
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        metrics_token: None,
        public_url: PUBLIC.to_owned(),
        limits: Limits::of_files(1024),
        integrations,
        configuration: Vec::new(),
        own: None,
    };
    adjust(&mut settings);
    let state = State::new(appliance.clone(), Dists::new(appliance.clone()), metrics::install(), settings);
    let server = Server::start(state).unwrap();
    World { address: server.addresses()[0], appliance, clock, _server: server, _folder: folder }
}

/// An integration `corp` with a GitHub.
pub fn corp(github: &GitHub) -> Integration {
    forge(PlatformKind::GitHub, github.url(), (&github.client_id, &github.client_secret))
}

/// An integration `corp` with whatever it is.
pub fn forge(platform: PlatformKind, url: Url, (client_id, client_secret): (&str, &str)) -> Integration {
    let app = App {
        id: "corp".to_owned(),
        platform,
        url: url.clone(),
        name: "Corp Forge".to_owned(),
        login: LoginApp::OAuth2 {
            client_id: client_id.to_owned(),
            client_secret: SecretString::from(client_secret.to_owned()),
        },
    };
    let connection = Connection::new(app, &outbound::Settings::default(), Clock::system()).unwrap();
    Integration {
        id: "corp".to_owned(),
        name: "Corp Forge".to_owned(),
        platform,
        url: url.as_str().trim_end_matches('/').to_owned(),
        connection: Some(connection),
        login: true,
        link_by_email: false,
    }
}

impl World {
    /// A browser that was never here.
    pub fn browser(&self) -> Browser {
        Browser::new(self.address)
    }

    /// A browser in which somebody signed in with the password.
    pub async fn signed_in(&self, name: &str) -> Browser {
        let browser = self.browser();
        let answer = browser.log_in(name, PASSWORD).await;
        assert_eq!((answer.status, answer.header("location").as_deref()), (303, Some("/")), "{}", answer.text());
        browser
    }

    /// How many sessions there are.
    pub async fn sessions(&self) -> i64 {
        self.count("SELECT count(*) FROM session").await
    }

    /// The one number that a question answers.
    pub async fn count(&self, sql: &'static str) -> i64 {
        let read =
            self.appliance.database.read(move |db| Ok::<i64, store::Error>(db.query_row(sql, [], |row| row.get(0))?));
        read.await.unwrap()
    }

    /// What the audit log has, the newest last: action, subject, way and address.
    pub async fn audit(&self) -> Vec<(String, String, String, String)> {
        let read = self.appliance.database.read(|db| {
            let mut rows = db.prepare("SELECT action, subject, via, coalesce(address, '') FROM audit ORDER BY id")?;
            let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
            Ok::<_, store::Error>(rows.collect::<Result<_, _>>()?)
        });
        read.await.unwrap()
    }
}
