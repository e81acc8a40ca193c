//! An instance with two organizations, filled through the store, and a server on a free port.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use packagist_selfhosted::access::token::{TokenKind, TokenText};
use packagist_selfhosted::appliance::Appliance;
use packagist_selfhosted::clock::{Clock, Timestamp};
use packagist_selfhosted::composer::version::NormalizedVersion;
use packagist_selfhosted::http::{self, Server, State};
use packagist_selfhosted::jobs::build_dist::Dists;
use packagist_selfhosted::secrets::random;
use packagist_selfhosted::store::database::Change;
use packagist_selfhosted::store::documents::{self, Document};
use packagist_selfhosted::store::ids::{HookId, OrgId, PackageId, TokenId, UserId};
use packagist_selfhosted::store::packages::{self, Imported};
use packagist_selfhosted::store::versions::{self, Version};
use packagist_selfhosted::store::{self, Tx, changes, dists, hooks, listings, organizations, tokens, users, vendors};
use packagist_selfhosted::telemetry::metrics;
use tempfile::TempDir;

use crate::client::{Request, Response};
use crate::instance;

/// When the tests begin.
pub const START: Timestamp = Timestamp::from_seconds(1_795_348_800);
/// The reference whose archive is stored.
pub const STORED: &str = "0123456789abcdef0123456789abcdef01234567";
/// The reference whose archive was purged.
pub const FORGOTTEN: &str = "ffffffffffffffffffffffffffffffffffffffff";

/// Everything a test acts on.
pub struct World {
    pub appliance: Appliance,
    pub clock: Clock,
    pub server: Server,
    pub address: SocketAddr,
    pub acme: OrgId,
    pub lib: PackageId,
    pub secret: PackageId,
    /// Opens all of acme.
    pub reader: String,
    /// Opens acme/lib and fork/thing only.
    pub restricted: String,
    /// Opens nothing of acme any more: its scope is empty.
    pub empty: String,
    /// Opens all of the other organization.
    pub stranger: String,
    /// A user token of an administrator.
    pub admin: String,
    pub archive: Vec<u8>,
    _folder: TempDir,
}

/// What to change about the server's settings before it starts.
pub type Adjust = fn(&mut http::Settings, &std::path::Path);

/// A world with everything as usual.
pub async fn world() -> World {
    world_with(|_, _| {}).await
}

/// A world whose server has other settings.
pub async fn world_with(adjust: Adjust) -> World {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Clock::manual(START);
    let appliance = instance::open(&folder.path().join("data"), clock.clone()).await.expect("the instance opens");
    let acme = write(&appliance, |tx| organizations::insert(tx, "acme", "Acme", START)).await;
    let other = write(&appliance, |tx| organizations::insert(tx, "other", "Other", START)).await;
    write(&appliance, move |tx| vendors::add(acme, tx, "acme", START)).await;
    let lib = package(&appliance, acme, "acme/lib", false).await;
    let secret = package(&appliance, acme, "acme/secret-lib", false).await;
    let fork = package(&appliance, acme, "fork/thing", true).await;
    package(&appliance, other, "other/thing", false).await;
    let archive = b"PK-not-really-a-zip-but-bytes".to_vec();
    store_archive(&appliance, acme, lib, &archive).await;

    let all = TokenKind::OrganizationRead;
    let reader = token(&appliance, acme, all, None, None).await.0;
    let restricted = token(&appliance, acme, all, Some(vec![lib, fork]), None).await.0;
    let empty = token(&appliance, acme, all, Some(vec![]), None).await.0;
    let stranger = token(&appliance, other, all, None, None).await.0;
    let admin = user_token(&appliance, "root", true).await;

    let mut settings = http::Settings {
        listen: vec!["127.0.0.1:0".parse().expect("an address")],
        tls: None,
        trusted_proxies: Vec::new(),
        metrics_token: None,
        public_url: "https://packages.example.com".to_owned(),
        limits: packagist_selfhosted::http::connections::Limits::of_files(1024),
        integrations: Vec::new(),
        configuration: Vec::new(),
        own: None,
    };
    adjust(&mut settings, folder.path());
    let state = State::new(appliance.clone(), Dists::new(appliance.clone()), metrics::install(), settings);
    let server = Server::start(state).expect("the server starts");
    let address = server.addresses()[0];
    World {
        appliance,
        clock,
        server,
        address,
        acme,
        lib,
        secret,
        reader,
        restricted,
        empty,
        stranger,
        admin,
        archive,
        _folder: folder,
    }
}

impl World {
    /// A request without credentials.
    pub fn anonymous(&self, method: &str, path: &str) -> Request {
        Request::new(self.address, method, path)
    }

    /// A request with a token as password.
    pub fn with(&self, token: &str, method: &str, path: &str) -> Request {
        self.anonymous(method, path).header("Authorization", &basic("token", token))
    }

    /// A GET with a token.
    pub async fn get(&self, token: &str, path: &str) -> Response {
        self.with(token, "GET", path).send().await
    }

    /// Writes to the store.
    pub async fn write<T, F>(&self, change: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> store::Result<T> + Send + 'static,
    {
        write(&self.appliance, change).await
    }

    /// Reads from the store.
    pub async fn read<T, F>(&self, question: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(&rusqlite::Connection) -> store::Result<T> + Send + 'static,
    {
        self.appliance.database.read(question).await.expect("the store answers")
    }

    /// A new webhook address of acme/lib: its random part and its row.
    pub async fn hook(&self) -> (String, HookId) {
        let text = random::hex::<32>();
        let digest = packagist_selfhosted::access::token::digest_of(text.as_bytes());
        let (org, package) = (self.acme, self.lib);
        let id = self.write(move |tx| hooks::insert(org, tx, package, &digest, START)).await;
        (text, id)
    }
}

/// The header's value for a user name and a password.
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

async fn write<T, F>(appliance: &Appliance, change: F) -> T
where
    T: Send + 'static,
    F: FnOnce(&Tx<'_>) -> store::Result<T> + Send + 'static,
{
    appliance.database.write(change).await.expect("the store takes it")
}

/// A published package with both documents; the branches' is larger than what is sent uncompressed.
async fn package(appliance: &Appliance, org: OrgId, name: &'static str, fork: bool) -> PackageId {
    write(appliance, move |tx| {
        let new = packages::New {
            url: format!("https://git.example.com/{name}.git"),
            url_key: format!("git.example.com/{name}"),
            vcs: "git".to_owned(),
            credential: None,
            fork,
            next_check_at: Timestamp::MAX,
        };
        let id = packages::insert(org, tx, &new, START)?;
        let imported = Imported {
            name: name.to_owned(),
            kind: Some(if fork { "metapackage" } else { "library" }.to_owned()),
            description: Some(format!("What {name} is for")),
            abandoned: fork.then(|| "\"acme/lib\"".to_owned()),
            versions: 1,
            default_branch: None,
            refs_digest: "x".to_owned(),
            refs: 1,
            latest: Some("1.0.0".to_owned()),
            latest_at: Some(START.as_seconds()),
        };
        packages::set_imported(org, tx, id, &imported, START)?;
        let listing = listings::make_current(org, tx, id, name)?;
        for dev in [false, true] {
            let file = if dev { format!("{name}~dev") } else { name.to_owned() };
            let date = documents::next_date(org, tx, name, dev, START.as_seconds())?;
            let document = Document { body: gzip(&json(name, dev)), last_modified: date };
            documents::put(org, tx, listing, dev, &document, "test")?;
            let arrival = versions::Arrival { announced_at: None, served_at: START };
            versions::put(org, tx, listing, &version(dev), arrival)?;
            changes::record(org, tx, id, &file, "update", START)?;
        }
        tx.changed(Change::Package(org, id));
        Ok(id)
    })
    .await
}

fn version(dev: bool) -> Version {
    let text = if dev { "dev-main" } else { "1.0.0" };
    let normalized = if dev { "dev-main" } else { "1.0.0.0" };
    Version {
        version: text.to_owned(),
        version_normalized: NormalizedVersion::from_stored(normalized.to_owned()),
        reference: "0".repeat(40),
        git_ref: "refs/tags/1.0.0".to_owned(),
        released_at: None,
        dev,
        default_branch: dev,
        metadata: "{}".to_owned(),
    }
}

/// The content of a published document.
pub fn json(name: &str, dev: bool) -> String {
    let version = if dev { "dev-main" } else { "1.0.0" };
    format!(
        r#"{{"minified":"composer/2.0","packages":{{"{name}":[{{"version":"{version}","x":"{}"}}]}}}}"#,
        "y".repeat(3000)
    )
}

fn gzip(text: &str) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text.as_bytes()).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

async fn store_archive(appliance: &Appliance, org: OrgId, package: PackageId, bytes: &[u8]) {
    let digest = packagist_selfhosted::access::token::digest_of(bytes);
    let path = appliance.storage.begin().expect("a file");
    std::fs::write(&path, bytes).expect("the disk takes it");
    let finished = appliance.storage.finish(path, &digest).expect("the disk takes it");
    finished.place().expect("the disk takes it");
    let size = i64::try_from(bytes.len()).expect("small");
    write(appliance, move |tx| {
        dists::publish(org, tx, package, STORED, STORED)?;
        dists::set_built(org, tx, package, STORED, (STORED, &digest, size), START)?;
        dists::forget(org, tx, package, FORGOTTEN, FORGOTTEN, START)?;
        Ok(())
    })
    .await;
}

/// A new organization token: its text and its row.
pub async fn token(
    appliance: &Appliance,
    org: OrgId,
    kind: TokenKind,
    packages: Option<Vec<PackageId>>,
    expires_at: Option<Timestamp>,
) -> (String, TokenId) {
    let text = TokenText::generate(kind, random::bytes());
    let new = new_token(&text, expires_at);
    let scope = packages.map(|packages| tokens::Scope { packages, teams: Vec::new() });
    let id = write(appliance, move |tx| tokens::insert(org, tx, &new, scope.as_ref(), START)).await;
    (text.expose().to_owned(), id)
}

/// A new account with a user token.
pub async fn user_token(appliance: &Appliance, name: &'static str, admin: bool) -> String {
    let text = TokenText::generate(TokenKind::User, random::bytes());
    let new = new_token(&text, None);
    write(appliance, move |tx| {
        let user = users::insert(tx, name, None, admin, None, START)?;
        tx.changed(Change::User(user));
        tokens::insert_for_user(tx, user, &new, START)
    })
    .await;
    text.expose().to_owned()
}

/// A user token of somebody who is there.
pub async fn user_token_of(appliance: &Appliance, user: UserId) -> String {
    let text = TokenText::generate(TokenKind::User, random::bytes());
    let new = new_token(&text, None);
    write(appliance, move |tx| tokens::insert_for_user(tx, user, &new, START)).await;
    text.expose().to_owned()
}

fn new_token(text: &TokenText, expires_at: Option<Timestamp>) -> tokens::New {
    tokens::New {
        access: "read",
        digest: text.digest(),
        prefix: text.prefix().to_owned(),
        last4: text.last4().to_owned(),
        description: None,
        expires_at,
    }
}
