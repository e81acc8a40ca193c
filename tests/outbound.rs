//! What leaves this machine, by the real executable: misbehaving servers, credentials, the proxy, and no secret anywhere.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "support/bare_repository.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod bare_repository;
#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/forward_proxy.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod forward_proxy;
#[path = "support/git_server.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod git_server;
#[path = "support/installation.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod installation;

use std::fs;
use std::time::Instant;

use bare_repository::BareRepository;
use forward_proxy::ForwardProxy;
use git_server::{Account, Fault, GitServer};
use installation::{Installation, PATIENCE};

const PASSWORD: &str = "correct horse battery staple";

/// A server with repositories `a.git` and `b.git`, and an installation with the organization `acme` and a credential.
struct World {
    server: GitServer,
    repositories: Vec<BareRepository>,
    installation: Installation,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repositories = ["a", "b"].map(|name| {
            let repository = BareRepository::create(&folder.path().join(format!("{name}.git")));
            repository.package("refs/heads/main", &format!("acme/{name}"));
            repository
        });
        let server = GitServer::start(folder.path());
        server.require(Account::Basic("ci", PASSWORD));
        let installation = Installation::start(Some(&server.ca));
        installation.command("org add acme").done();
        let add = format!(
            "credential add git --type http-basic --host localhost:{} --username ci --secret-stdin",
            server.port
        );
        installation.command_with(&add, PASSWORD).done();
        Self { server, repositories: repositories.into(), installation, _folder: folder }
    }

    fn add(&self, name: &str) {
        let url = self.server.url(&format!("{name}.git"));
        let added = self.installation.command(&format!("package add {url} --credential git --wait")).done();
        assert_eq!(added, format!("acme/{name}"));
    }

    fn show(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.installation.command(&format!("package show acme/{name} --json")).done()).unwrap()
    }

    fn credential_status(&self) -> String {
        let list = self.installation.command("credential list --json").done();
        let list: serde_json::Value = serde_json::from_str(&list).unwrap();
        list[0]["status"].as_str().unwrap().to_owned()
    }

    /// Writes more under `[outbound]` and starts again.
    fn configure(&mut self, lines: &str) {
        self.installation.stop();
        let path = self.installation.folder.path().join("config.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}{lines}\n")).unwrap();
        self.installation.serve();
    }
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_refused_credential_is_shown_once_and_what_was_served_is_served_until_it_is_rotated() {
    let world = World::new();
    world.add("a");
    let token = world.installation.command("token add --access read").done();
    let served =
        || world.installation.get("/repo/acme/p2/acme/a~dev.json", &format!("Authorization: Bearer {token}\r\n"));
    let before = served();
    assert!(before.0 == 200 && before.1.contains("dev-main"), "{before:?}");

    world.server.require(Account::Basic("ci", "another one"));
    world.server.take_log();
    let said = world.installation.command("package update acme/a --wait").failed();
    assert!(said.contains("did not accept the credential (HTTP 401)") && said.contains("credential rotate"), "{said}");
    assert_eq!(world.server.take_log().len(), 1);
    let shown = world.installation.command("package show acme/a").done();
    assert!(shown.contains("did not accept the credential (HTTP 401)"), "{shown}");
    assert_eq!(world.credential_status(), "refused");
    assert_eq!(served(), before);

    world.repositories[0].commit("refs/heads/next", &[("100644", "composer.json", "{\"name\": \"acme/a\"}")]);
    world.installation.command_with("credential rotate git --secret-stdin", "another one").done();
    wait_for("the rotated credential was not used", || world.show("a")["status"] == "ok");
    assert!(served().1.contains("dev-next"));
    assert_eq!(world.credential_status(), "ok");
}

#[test]
fn troubles_of_servers_are_told_by_update_and_show() {
    let world = World::new();
    world.add("a");
    let sign_in = vec![("Location", "https://sso.example.com/login?from=s3cr3t".to_owned())];
    for (fault, said) in [
        (Fault::Answer(302, sign_in, ""), "a sign-in page at sso.example.com"),
        (Fault::Answer(404, Vec::new(), ""), "There is no repository at"),
        (Fault::Answer(503, Vec::new(), ""), "HTTP 503"),
        // The last one, because afterwards nobody asks again before its time.
        (Fault::Answer(429, vec![("Retry-After", "3600".to_owned())], ""), "after 3600 seconds"),
    ] {
        world.server.fail(fault);
        let update = world.installation.command("package update acme/a --wait").failed();
        assert!(update.contains(said) && !update.contains("s3cr3t"), "{update}");
        let shown = world.show("a");
        assert!(shown["error"].as_str().unwrap().contains(said), "{shown}");
        assert_eq!(shown["version_list"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn a_credential_is_tried_on_the_repositories_that_use_it() {
    let world = World::new();
    let test = || world.installation.command("credential test git");
    assert!(world.installation.command("credential test nobody").failed().contains("`nobody`"));
    let said = test().done();
    assert!(said.starts_with("ok: no package uses") && said.contains("answers"), "{said}");
    assert!(world.server.take_log().iter().all(|seen| seen.authorization.is_none()), "nobody asked for it");

    world.add("a");
    world.add("b");
    world.server.take_log();
    assert_eq!(test().done(), "ok: acme/a: opened, one branch or tag\nok: acme/b: opened, one branch or tag");
    assert_eq!(world.credential_status(), "ok");

    world.server.require(Account::Basic("ci", "another one"));
    world.server.take_log();
    let failed = test();
    assert_eq!(failed.code, Some(1));
    let lines: Vec<&str> = failed.out.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("error: acme/a: "), "{failed:?}");
    assert!(lines[0].contains("HTTP 401") && lines[1].starts_with("error: 1 more packages"), "{failed:?}");
    assert_eq!(world.server.take_log().len(), 1);
    assert_eq!(world.credential_status(), "refused");

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let add = format!("credential add dead --type http-bearer --host {free} --secret-stdin");
    world.installation.command_with(&add, PASSWORD).done();
    let dead = world.installation.command("credential test dead");
    assert_eq!(dead.code, Some(1));
    assert!(dead.out.contains("does not answer") && dead.out.contains("refused"), "{dead:?}");
}

#[test]
fn through_the_proxy_no_secret_is_seen_anywhere() {
    const WORD: &str = "pr0xy-w0rd";
    let mut world = World::new();
    let proxy = ForwardProxy::start(Some(("agent", "pr0xy-w0rd@1")));
    world.configure(&format!("proxy = \"http://agent:{WORD}%401@{}\"", proxy.address));
    world.add("a");
    let seen = proxy.take_log();
    assert!(
        !seen.is_empty() && seen.iter().all(|asked| asked.known && asked.line.starts_with("CONNECT localhost:")),
        "{seen:?}"
    );

    world.server.fail(Fault::Mute);
    world.server.take_log();
    world.installation.command("package update acme/a").done();
    wait_for("nobody asked the server", || !world.server.take_log().is_empty());
    for process in fs::read_dir("/proc").unwrap().flatten() {
        for file in ["cmdline", "environ"] {
            // Processes come and go, and not all are ours.
            let text = fs::read(process.path().join(file)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            assert!(!text.contains(WORD) && !text.contains(PASSWORD), "{:?}", process.path());
        }
    }
    world.server.fail(None);
    drop(proxy);
    let said = world.installation.command("package update acme/a --wait").failed();
    assert!(said.contains("the proxy http://127.0.0.1:") && said.contains("cannot be reached"), "{said}");
    let log = world.installation.log();
    assert!(!said.contains(WORD) && !log.contains(WORD) && !log.contains(PASSWORD), "{log}");

    world.configure("no_proxy = [\"localhost\"]");
    world.installation.command("package update acme/a --wait").done();
}

#[test]
fn a_bundle_with_a_broken_certificate_stops_the_start() {
    let mut world = World::new();
    world.installation.stop();
    let path = world.installation.folder.path().join("ca.pem");
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{good}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")).unwrap();
    for command in ["serve", "check"] {
        let said = world.installation.command(command).failed();
        assert!(said.contains("ca.pem") && said.contains("certificate number 2"), "{command}: {said}");
    }
}
