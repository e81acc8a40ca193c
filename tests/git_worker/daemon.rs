//! `git://` from a real git-daemon, directly and through the proxy.

use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::forward_proxy::{ForwardProxy, Refusal};
use super::{Scene, Update, VcsError, manifest};

/// A running git-daemon; it stops when dropped.
struct Daemon {
    port: u16,
    child: Child,
}

impl Daemon {
    fn start(scene: &Scene) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
        let child = Command::new("git")
            .args(["daemon", "--listen=127.0.0.1", "--export-all", "--reuseaddr", "--informative-errors"])
            .arg(format!("--port={}", free.port()))
            .arg(format!("--base-path={}", scene.directory.path().join("repositories").display()))
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "safe.directory")
            .env("GIT_CONFIG_VALUE_0", "*")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("git is installed");
        let daemon = Self { port: free.port(), child };
        while TcpStream::connect(free).is_err() {
            std::thread::yield_now();
        }
        daemon
    }

    fn url(&self, path: &str) -> String {
        format!("git://localhost:{}/{path}", self.port)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // `git` starts the daemon as a child, so that both are ended by their group.
        let group = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.child.wait();
    }
}

fn scene() -> Scene {
    let mut scene = Scene::new();
    scene.settings.policy.allow_insecure = true;
    scene.repository.package("refs/heads/main", "acme/package");
    scene
}

async fn changed(scene: &mut Scene, url: &str) -> super::Snapshot {
    match scene.update_from(url).await {
        Ok(Update::Changed(snapshot)) => snapshot,
        other => panic!("expected a change: {other:?}"),
    }
}

#[tokio::test]
async fn a_daemons_repository_is_imported_and_followed() {
    let mut scene = scene();
    let daemon = Daemon::start(&scene);
    let url = daemon.url("package.git");
    let snapshot = changed(&mut scene, &url).await;
    assert_eq!(manifest(&snapshot, "refs/heads/main"), "{\"name\": \"acme/package\"}");
    assert_eq!(snapshot.default_branch.as_deref(), Some("refs/heads/main"));
    assert!(matches!(scene.update_from(&url).await, Ok(Update::Unchanged { .. })));
    scene.repository.package("refs/heads/main", "acme/newer");
    assert_eq!(manifest(&changed(&mut scene, &url).await, "refs/heads/main"), "{\"name\": \"acme/newer\"}");

    let absent = daemon.url("absent.git");
    let failed = scene.update_from(&absent).await.expect_err("absent");
    assert_eq!(failed, VcsError::NotFoundOrNoAccess { url: absent });

    // The switch may be turned off when the package is there already.
    let request = scene.request(&url);
    scene.settings.policy.allow_insecure = false;
    let refused = scene.vcs().update(request).await.expect_err("unencrypted");
    assert!(matches!(&refused, VcsError::Policy { reason } if reason.contains("allow_insecure")), "{refused:?}");
}

#[tokio::test]
async fn a_path_with_spaces_is_asked_for_as_it_is() {
    let mut scene = scene();
    let spaced = scene.directory.path().join("repositories/my proj.git");
    super::BareRepository::create(&spaced).package("refs/heads/main", "acme/spaced");
    let daemon = Daemon::start(&scene);
    let url = daemon.url("my%20proj.git");
    assert_eq!(manifest(&changed(&mut scene, &url).await, "refs/heads/main"), "{\"name\": \"acme/spaced\"}");
}

#[tokio::test]
async fn the_guard_holds_for_it() {
    let mut scene = scene();
    let daemon = Daemon::start(&scene);
    scene.settings.outbound.guard.allow.clear();
    for url in [daemon.url("package.git"), format!("git://127.0.0.1:{}/package.git", daemon.port)] {
        let failed = scene.update_from(&url).await.expect_err("loopback");
        assert!(matches!(&failed, VcsError::Policy { reason } if reason.contains("`allow`")), "{url}: {failed:?}");
    }
}

#[tokio::test]
async fn it_goes_through_the_proxy() {
    let mut scene = scene();
    let daemon = Daemon::start(&scene);
    let proxy = ForwardProxy::start(Some(("agent", "pr0xy@word")));
    scene.settings.outbound.proxy = Some(format!("http://agent:pr0xy%40word@{}", proxy.address));
    scene.settings.outbound.guard.allow.clear();
    let url = format!("git://git.test:{}/package.git", daemon.port);
    changed(&mut scene, &url).await;
    let seen = proxy.take_log();
    let expected = format!("CONNECT git.test:{}", daemon.port);
    assert!(!seen.is_empty() && seen.iter().all(|asked| asked.known && asked.line == expected), "{seen:?}");

    let port = proxy.address.port().to_string();
    for (refusal, permanent) in
        [(Refusal::Status(407), true), (Refusal::Status(403), false), (Refusal::Hangup, false), (Refusal::Html, true)]
    {
        proxy.refuse(refusal);
        let failed = scene.update_from(&url).await.expect_err("it does not let us pass");
        let text = failed.to_string();
        assert_eq!(failed.is_permanent(), permanent, "{refusal:?}: {failed:?}");
        // A web page is taken for the server's, which is no Git server.
        let named = text.contains(&port) || matches!(failed, VcsError::NotAGitEndpoint { .. });
        assert!(named && !text.contains("pr0xy"), "{refusal:?}: {text}");
    }
}

#[tokio::test]
async fn a_mute_server_ends_by_its_time_limit() {
    let mut scene = scene();
    scene.settings.outbound.timeout = Duration::from_secs(1);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("git://localhost:{}/r", listener.local_addr().expect("an address").port());
    let failed = scene.update_from(&url).await.expect_err("silence");
    assert!(matches!(&failed, VcsError::Timeout { what, .. } if what.contains("localhost")), "{failed:?}");

    let free = listener.local_addr().expect("an address");
    drop(listener);
    let failed = scene.update_from(&format!("git://localhost:{}/r", free.port())).await.expect_err("nobody");
    assert!(matches!(&failed, VcsError::Unreachable { .. }) && !failed.is_permanent(), "{failed:?}");
}
