//! Git over SSH against a real server: keys, host keys, refusals, the roads that lead there, and what is left behind.

#[path = "support/bare_repository.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod bare_repository;
#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/forward_proxy.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod forward_proxy;
#[path = "support/installation.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod installation;
#[path = "support/sshd.rs"]
mod sshd;

#[path = "ssh/host_keys.rs"]
mod host_keys;
#[path = "ssh/keys.rs"]
mod keys;
#[path = "ssh/roads.rs"]
mod roads;
#[path = "ssh/whole.rs"]
mod whole;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bare_repository::BareRepository;
use packagist_selfhosted::outbound::{self, Guard};
use packagist_selfhosted::vcs::ssh::{KeyType, generate};
use packagist_selfhosted::vcs::{
    Authentication, Credential, HostKey, HostKeyPolicy, HostKeys, Limits, Progress, Settings, SourceUrl, System,
    Update, UpdateRequest, UrlPolicy, Vcs, VcsError,
};
use secrecy::{ExposeSecret, SecretString};
use sshd::Sshd;

/// A server with one repository, a key that opens it, and what the caller remembers between updates.
struct Scene {
    directory: tempfile::TempDir,
    server: Sshd,
    repository: BareRepository,
    settings: Settings,
    key: SecretString,
    username: Option<String>,
    known: Vec<HostKey>,
}

impl Scene {
    async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let repository = BareRepository::create(&directory.path().join("repositories/it's a package.git"));
        repository.package("refs/heads/main", "acme/lib");
        let settings = Settings {
            executable: PathBuf::from(env!("CARGO_BIN_EXE_packagist-selfhosted")),
            outbound: outbound::Settings { guard: allowing(&["127.0.0.0/8"], &[]), ..outbound::Settings::default() },
            policy: UrlPolicy::default(),
            deadline: Duration::from_secs(60),
            archive_deadline: Duration::from_secs(60),
            limits: Limits::default(),
            ssh_host_keys: HostKeyPolicy::AcceptNew,
        };
        let key = generate(KeyType::Ed25519, "test").expect("a key");
        let scene = Self { directory, server: Sshd::start(), repository, settings, key, username: None, known: vec![] };
        scene.server.authorize("", &scene.public_key().await);
        scene
    }

    async fn public_key(&self) -> String {
        Vcs::new(self.settings.clone()).public_key(&self.key).await.expect("a good key")
    }

    fn url(&self) -> String {
        self.server.url(&self.repository.path).replace(' ', "%20")
    }

    fn request(&self, url: &str) -> UpdateRequest {
        let url = SourceUrl::parse(url, &self.settings.policy).expect("a good address");
        let (host, port) = url.host_port().expect("a host");
        UpdateRequest {
            directories: None,
            mirror: self.directory.path().join("data/mirror"),
            url,
            system: System::Git,
            credential: Some(Credential {
                host,
                port,
                authentication: Authentication::SshKey {
                    username: self.username.clone(),
                    private_key: self.key.expose_secret().into(),
                },
            }),
            known_digest: None,
            known_refs: 0,
            published: Vec::new(),
            announced: Vec::new(),
            host_keys: HostKeys::new(self.known.clone()),
            progress: Progress::default(),
        }
    }

    /// Updates, remembering what was learned as the caller would.
    async fn update(&mut self) -> Result<Update, VcsError> {
        let url = self.url();
        self.update_from(&url).await
    }

    async fn update_from(&mut self, url: &str) -> Result<Update, VcsError> {
        let request = self.request(url);
        let host_keys = request.host_keys.clone();
        let updated = Vcs::new(self.settings.clone()).update(request).await;
        self.known.extend(host_keys.learned());
        updated
    }

    async fn works(&mut self) {
        match self.update().await {
            Ok(Update::Changed(snapshot)) => assert_eq!(snapshot.refs[0].name, "refs/heads/main"),
            other => panic!("expected the repository: {other:?}\n{}", self.server.log()),
        }
    }

    async fn fails(&mut self) -> VcsError {
        self.update().await.expect_err("it must not work")
    }
}

fn allowing(allow: &[&str], deny: &[&str]) -> Guard {
    let rules = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("a rule")).collect();
    Guard { allow: rules(allow), deny: rules(deny), ..Guard::default() }
}

fn host_key(line: &str) -> HostKey {
    HostKey::parse(line).expect("a key")
}

/// Command lines and environments of all processes that speak with this port, each on a line.
fn processes_on(port: u16) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").expect("Linux").flatten();
    let text = |path: PathBuf| std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "));
    entries
        .filter_map(|entry| {
            let line = text(entry.path().join("cmdline")).ok()?;
            let environment = text(entry.path().join("environ")).unwrap_or_default();
            (line.starts_with("ssh ") && line.contains(&format!(" -p {port} ")))
                .then(|| format!("{line} {environment}"))
        })
        .collect()
}

/// Waits for a condition; a test that waits for ever is ended by its runner.
async fn wait_for(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether a file below the folder holds these bytes.
fn holds_text(folder: &Path, text: &[u8]) -> bool {
    std::fs::read_dir(folder).expect("it can be read").flatten().any(|entry| {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => holds_text(&path, text),
            Ok(kind) if kind.is_file() => {
                std::fs::read(&path).expect("it can be read").windows(text.len()).any(|window| window == text)
            }
            _ => false,
        }
    })
}
