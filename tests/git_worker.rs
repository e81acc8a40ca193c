//! The Git worker against a real server and real repositories: what is listed, fetched, kept, refused, and left behind.

#[path = "support/bare_repository.rs"]
mod bare_repository;
#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/forward_proxy.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod forward_proxy;
#[path = "support/full_disk.rs"]
mod full_disk;
#[path = "support/git_server.rs"]
mod git_server;

#[path = "git_worker/answers.rs"]
mod answers;
#[path = "git_worker/archives.rs"]
mod archives;
#[path = "git_worker/azure.rs"]
mod azure;
#[path = "git_worker/daemon.rs"]
mod daemon;
#[path = "git_worker/failures.rs"]
mod failures;
#[path = "git_worker/heavy.rs"]
mod heavy;
#[path = "git_worker/limits.rs"]
mod limits;
#[path = "git_worker/local.rs"]
mod local;
#[path = "git_worker/proxies.rs"]
mod proxies;
#[path = "git_worker/spares.rs"]
mod spares;
#[path = "git_worker/trust.rs"]
mod trust;
#[path = "git_worker/updates.rs"]
mod updates;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bare_repository::BareRepository;
use git_server::GitServer;
use packagist_selfhosted::outbound::{self, Guard};
use packagist_selfhosted::vcs::{
    ArchiveRequest, ArchiveStats, Authentication, Credential, HostKey, HostKeyPolicy, HostKeys, Limits, Manifest,
    Origin, Progress, RemoteRef, Settings, Snapshot, SourceUrl, System, Update, UpdateRequest, UrlPolicy, Vcs,
    VcsError,
};

/// A server with one repository, a mirror of it, and what the caller remembers between updates.
struct Scene {
    directory: tempfile::TempDir,
    server: GitServer,
    repository: BareRepository,
    settings: Settings,
    credential: Option<Credential>,
    known: Option<Snapshot>,
    published: Vec<String>,
    announced: Vec<String>,
    host_keys: Vec<HostKey>,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let repositories = directory.path().join("repositories");
        let repository = BareRepository::create(&repositories.join("package.git"));
        let server = GitServer::start(&repositories);
        let settings = Settings {
            executable: PathBuf::from(env!("CARGO_BIN_EXE_packagist-selfhosted")),
            outbound: outbound::Settings {
                ca_bundle: Some(server.ca.clone()),
                guard: Guard {
                    allow: ["localhost", "127.0.0.1"].map(|rule| rule.parse().expect("a rule")).to_vec(),
                    ..Guard::default()
                },
                ..outbound::Settings::default()
            },
            policy: UrlPolicy {
                file_roots: vec![repositories],
                data_dir: directory.path().join("data"),
                ..UrlPolicy::default()
            },
            deadline: Duration::from_secs(60),
            archive_deadline: Duration::from_secs(60),
            limits: Limits::default(),
            ssh_host_keys: HostKeyPolicy::AcceptNew,
        };
        Self {
            directory,
            server,
            repository,
            settings,
            credential: None,
            known: None,
            published: Vec::new(),
            announced: Vec::new(),
            host_keys: Vec::new(),
        }
    }

    fn mirror(&self) -> PathBuf {
        self.directory.path().join("data/mirror")
    }

    fn vcs(&self) -> Vcs {
        Vcs::new(self.settings.clone())
    }

    fn request(&self, url: &str) -> UpdateRequest {
        UpdateRequest {
            directories: None,
            mirror: self.mirror(),
            url: SourceUrl::parse(url, &self.settings.policy).expect("a good address"),
            system: System::Git,
            credential: self.credential.clone(),
            known_digest: self.known.as_ref().map(|known| known.digest.clone()),
            known_refs: self.known.as_ref().map_or(0, |known| known.refs.len()),
            published: self.published.clone(),
            announced: self.announced.clone(),
            host_keys: HostKeys::new(self.host_keys.clone()),
            progress: Progress::default(),
        }
    }

    /// Updates from the server, remembering the answer as the caller would; every commit that is seen is published.
    async fn update(&mut self) -> Result<Update, VcsError> {
        let url = self.server.url("package.git");
        self.update_from(&url).await
    }

    async fn update_from(&mut self, url: &str) -> Result<Update, VcsError> {
        let update = self.vcs().update(self.request(url)).await?;
        if let Update::Changed(snapshot) = &update {
            self.published.extend(snapshot.refs.iter().filter_map(|entry| entry.commit.clone()));
            self.known = Some(snapshot.clone());
        }
        Ok(update)
    }

    async fn changed(&mut self) -> Snapshot {
        match self.update().await {
            Ok(Update::Changed(snapshot)) => snapshot,
            other => panic!("expected a change: {other:?}"),
        }
    }

    async fn archive(&self, commit: &str, out: &Path) -> Result<ArchiveStats, VcsError> {
        self.vcs()
            .archive(ArchiveRequest {
                directory: None,
                mirror: self.mirror(),
                commit: commit.to_owned(),
                out: out.to_owned(),
                origin: Origin::Git,
            })
            .await
    }

    fn basic(&self, user: &str, secret: &str) -> Credential {
        Credential {
            host: "localhost".to_owned(),
            port: self.server.port,
            authentication: Authentication::Basic { username: user.to_owned(), secret: secret.into() },
        }
    }
}

/// The ref of this name.
fn find<'a>(snapshot: &'a Snapshot, name: &str) -> &'a RemoteRef {
    snapshot
        .refs
        .iter()
        .find(|entry| entry.name == name)
        .unwrap_or_else(|| panic!("no {name} in {:?}", names(snapshot)))
}

fn names(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.refs.iter().map(|entry| entry.name.as_str()).collect()
}

/// The text of a ref's manifest.
fn manifest<'a>(snapshot: &'a Snapshot, name: &str) -> &'a str {
    match &find(snapshot, name).manifest {
        Manifest::Blob(id) => std::str::from_utf8(&snapshot.manifests[id]).expect("UTF-8"),
        other => panic!("{name} has no manifest: {other:?}"),
    }
}

/// What the server was asked for, in short: `GET`, or the command of a `POST`.
fn commands(server: &GitServer) -> Vec<String> {
    server.take_log().into_iter().map(|seen| seen.command.map_or(seen.method, str::to_owned)).collect()
}
