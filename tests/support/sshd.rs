//! A real SSH server for tests: the machine's `sshd` on a port of its own, with keys made for it, as the user who runs the
//! tests.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// A running server; it stops when dropped.
pub struct Sshd {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    /// Who may log in.
    pub user: String,
    folder: tempfile::TempDir,
    log: Arc<Mutex<String>>,
    child: Option<Child>,
}

impl Sshd {
    /// Starts one with an Ed25519 and an RSA host key, which lets nobody in yet.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
        let user = said("id", &["-un"]).trim().to_owned();
        if user == "root" {
            // Where sshd locks its unprivileged half up.
            fs::create_dir_all("/run/sshd").expect("root may");
        }
        let mut server = Self { port, user, folder, log: Arc::default(), child: None };
        server.make_host_key("ed25519");
        server.make_host_key("rsa");
        fs::write(server.path("authorized"), "").expect("files can be written");
        server.run("AcceptEnv GIT_PROTOCOL\n");
        server
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn make_host_key(&self, kind: &str) {
        let path = self.path(&format!("host_{kind}"));
        let _ = fs::remove_file(&path);
        let path = path.to_str().expect("UTF-8");
        // No longer than sshd insists on: what is made for one test is soon forgotten. Ed25519 takes no length.
        said("ssh-keygen", &["-q", "-t", kind, "-b", "2048", "-N", "", "-C", "", "-f", path]);
    }

    fn run(&mut self, more: &str) {
        let folder = self.folder.path().display();
        let config = format!(
            "Port {}\nListenAddress 127.0.0.1\nHostKey {folder}/host_ed25519\nHostKey {folder}/host_rsa\nPidFile none\n\
             AuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nMaxStartups 50\nLogLevel VERBOSE\n{more}",
            self.port
        );
        fs::write(self.path("config"), config).expect("files can be written");
        let mut child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(self.path("config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("openssh-server is installed");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        loop {
            let line = lines.next().expect("sshd starts").expect("sshd logs text");
            if line.contains("Server listening on") {
                break;
            }
        }
        let log = Arc::clone(&self.log);
        std::thread::spawn(move || {
            while let Some(Ok(line)) = lines.next() {
                let mut log = log.lock().expect("no panic");
                log.push_str(&line);
                log.push('\n');
            }
        });
        self.child = Some(child);
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again with other configuration.
    pub fn restart_with(&mut self, more: &str) {
        self.stop();
        self.run(more);
    }

    /// Starts it again with another Ed25519 key, as a server that was set up anew.
    pub fn change_host_key(&mut self) {
        self.make_host_key("ed25519");
        self.restart_with("AcceptEnv GIT_PROTOCOL\n");
    }

    /// Its public key of this kind: `ssh-ed25519 AAAA…`.
    pub fn host_key(&self, kind: &str) -> String {
        fs::read_to_string(self.path(&format!("host_{kind}.pub"))).expect("it was made").trim().to_owned()
    }

    /// The fingerprint of its key of this kind, as OpenSSH shows it.
    pub fn fingerprint(&self, kind: &str) -> String {
        let path = self.path(&format!("host_{kind}.pub"));
        let line = said("ssh-keygen", &["-l", "-f", path.to_str().expect("UTF-8")]);
        line.split(' ').nth(1).expect("a fingerprint").to_owned()
    }

    /// Lets this key, and no other, in; `options` stand before it, such as `command="…"` and a space.
    pub fn authorize(&self, options: &str, public_key: &str) {
        fs::write(self.path("authorized"), format!("{options}{public_key}\n")).expect("files can be written");
    }

    /// The address of a repository of this machine behind it.
    pub fn url(&self, repository: &Path) -> String {
        format!("ssh://{}@127.0.0.1:{}{}", self.user, self.port, repository.display())
    }

    /// What it logged.
    pub fn log(&self) -> String {
        self.log.lock().expect("no panic").clone()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().expect("it is installed");
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}
