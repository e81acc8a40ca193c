//! Repositories made for a test, and the servers in front of them: `hg serve`, `svnserve`, and Apache with a certificate of
//! an authority of the test's own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use super::installation::PATIENCE;

/// A program that runs until it is dropped.
pub struct Running {
    child: Child,
    pub port: u16,
}

impl Running {
    /// Starts it; it is ready when somebody answers at the port.
    fn start(command: &mut Command, port: u16) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut running = Self { child: child.expect("it is installed"), port };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = running.child.try_wait().unwrap();
            assert!(ended.is_none() && started.elapsed() < PATIENCE, "it did not start: {command:?} {ended:?}");
            std::thread::yield_now();
        }
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Politely, so that it ends its own children.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).unwrap().port()
}

/// Writes files: a path and its content.
pub fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// Runs a program; what it printed.
fn said(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("it is installed");
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A Mercurial repository with a working copy.
pub struct Mercurial(pub PathBuf);

impl Mercurial {
    pub fn init(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let repository = Self(folder.to_owned());
        repository.hg(&["init"]);
        repository
    }

    pub fn hg(&self, arguments: &[&str]) -> String {
        said(self.command().args(arguments))
    }

    /// Runs a command that may be refused; whether it was done.
    pub fn tries(&self, arguments: &[&str]) -> bool {
        let output = self.command().args(arguments).stdin(Stdio::null()).output();
        output.expect("it is installed").status.success()
    }

    fn command(&self) -> Command {
        let mut command = Command::new("hg");
        command
            .current_dir(&self.0)
            .env("HGRCPATH", "")
            .env("HGPLAIN", "1")
            .env("HGUSER", "Test <test@example.org>")
            .env("HGENCODING", "UTF-8");
        command
    }

    /// Writes files and commits everything; the changeset's id. `date` is in seconds since 1970 and west of UTC.
    pub fn commit(&self, files: &[(&str, &str)], date: &str) -> String {
        write(&self.0, files);
        self.hg(&["addremove", "--quiet"]);
        self.hg(&["commit", "--message", "Change", "--date", date]);
        self.node(".")
    }

    pub fn node(&self, revision: &str) -> String {
        self.hg(&["log", "--rev", revision, "--template", "{node}"])
    }

    /// Serves it at `http://127.0.0.1:port/hg`.
    pub fn serve(&self) -> Running {
        self.serve_at("hg")
    }

    /// Serves it at another path.
    pub fn serve_at(&self, path: &str) -> Running {
        let port = free_port();
        let text = port.to_string();
        let arguments = ["serve", "--address", "127.0.0.1", "--port", &text, "--prefix", path];
        Running::start(self.command().args(arguments), port)
    }
}

/// A Subversion repository, changed by its address on the disk.
pub struct Subversion {
    /// The directory that servers serve; the repository is `lib` below.
    pub root: PathBuf,
}

impl Subversion {
    pub fn create(root: &Path) -> Self {
        fs::create_dir_all(root).unwrap();
        said(Command::new("svnadmin").arg("create").arg(root.join("lib")));
        let repository = Self { root: root.to_owned() };
        repository.svn(&["mkdir", "^/trunk", "^/branches", "^/tags"]);
        repository
    }

    pub fn path(&self) -> PathBuf {
        self.root.join("lib")
    }

    /// Runs a command that makes a revision; `^` stands for the repository.
    pub fn svn(&self, arguments: &[&str]) {
        said(&mut self.command(arguments));
    }

    /// Runs a command that may be refused; whether it was done.
    pub fn tries(&self, arguments: &[&str]) -> bool {
        let output = self.command(arguments).stdin(Stdio::null()).output();
        output.expect("it is installed").status.success()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let url = format!("file://{}", self.path().display());
        let arguments = arguments.iter().map(|word| match word.strip_prefix('^') {
            Some(path) => format!("{url}{path}"),
            None => (*word).to_owned(),
        });
        let mut command = Command::new("svn");
        command.args(arguments).args(["--non-interactive", "--config-dir"]).arg(self.root.join(".config"));
        command.args(["--message", "Change"]);
        command
    }

    /// Changes a directory: files, properties and links in a working copy that goes again.
    pub fn change(&self, directory: &str, work: impl FnOnce(&Path, &dyn Fn(&[&str]))) {
        let copy = tempfile::tempdir().unwrap();
        let url = format!("file://{}{directory}", self.path().display());
        let run = |arguments: &[&str]| {
            let mut command = Command::new("svn");
            command.current_dir(copy.path()).args(arguments).arg("--quiet").arg("--config-dir");
            said(command.arg(self.root.join(".config")));
        };
        run(&["checkout", "--ignore-externals", &url, "."]);
        work(copy.path(), &run);
        run(&["add", "--force", "."]);
        run(&["commit", "--message", "Change"]);
    }

    /// Serves the directory at `svn://127.0.0.1:port`, the repository as `lib`.
    pub fn serve(&self) -> Running {
        let port = free_port();
        let mut command = Command::new("svnserve");
        command.args(["--daemon", "--foreground", "--listen-host", "127.0.0.1", "--listen-port", &port.to_string()]);
        Running::start(command.arg("--root").arg(&self.root), port)
    }
}

/// Apache behind TLS, which wants the user `ci` with [`Apache::PASSWORD`].
pub struct Apache {
    /// The authority's certificate in PEM.
    pub ca: String,
    pub port: u16,
    /// Where it serves the same without TLS.
    pub plain: u16,
    _running: Running,
    _folder: tempfile::TempDir,
}

impl Apache {
    pub const PASSWORD: &'static str = "correct horse + battery";

    /// Serves the Subversion repositories below `svn` at `/svn`, passes `/hg` on to a port of this machine, and leads
    /// `/elsewhere` and `/round` away.
    pub fn start(svn: &Path, hg: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (ca, certificate, key) = certificate();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let hash = said(Command::new("openssl").args(["passwd", "-apr1", Self::PASSWORD]));
        write(folder.path(), &[("crt", &certificate), ("key", &key), ("users", &format!("ci:{hash}"))]);
        // Its workers are somebody else if root starts it.
        for readable in [folder.path(), svn, svn.parent().unwrap()] {
            fs::set_permissions(readable, fs::Permissions::from_mode(0o755)).unwrap();
        }
        said(Command::new("chmod").args(["-R", "a+rX"]).arg(svn));
        let (port, plain) = (free_port(), free_port());
        let modules: String = [
            "mpm_event",
            "authn_core",
            "authn_file",
            "authz_core",
            "authz_user",
            "auth_basic",
            "alias",
            "ssl",
            "dav",
            "dav_svn",
            "proxy",
            "proxy_http",
        ]
        .iter()
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .collect();
        let account = format!("AuthType Basic\nAuthName x\nAuthUserFile {}\nRequire valid-user\n", path("users"));
        let config = format!(
            "ServerRoot {root}\nServerName localhost\nListen 127.0.0.1:{port}\nPidFile {pid}\nErrorLog {log}\n\
             Mutex file:{root} default\nUser www-data\nGroup www-data\n{modules}\
             SSLEngine on\nSSLCertificateFile {crt}\nSSLCertificateKeyFile {key}\nSSLSessionCache none\n\
             Listen 127.0.0.1:{plain}\n<VirtualHost 127.0.0.1:{plain}>\nSSLEngine off\n</VirtualHost>\n\
             RedirectMatch 302 ^/elsewhere(.*)$ https://elsewhere.test/svn$1\n\
             RedirectMatch 302 ^/round(.*)$ https://localhost:{port}/round$1\n\
             <Location /svn>\nDAV svn\nSVNParentPath {svn}\n{account}</Location>\n\
             <Location /hg>\nProxyPass http://127.0.0.1:{hg}/hg\n{account}</Location>\n",
            root = folder.path().display(),
            pid = path("pid"),
            log = path("log"),
            crt = path("crt"),
            key = path("key"),
            svn = svn.display(),
        );
        write(folder.path(), &[("config", &config)]);
        let mut command = Command::new("/usr/sbin/apache2");
        let running = Running::start(command.arg("-f").arg(folder.path().join("config")).arg("-DFOREGROUND"), port);
        Self { ca, port, plain, _running: running, _folder: folder }
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}/{path}", self.port)
    }
}

/// An authority, and a certificate for `localhost` with its key.
fn certificate() -> (String, String, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.distinguished_name.push(DnType::CommonName, "Test authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate().unwrap();
    let ca = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let mut leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    leaf.distinguished_name.push(DnType::CommonName, "localhost");
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = leaf.signed_by(&key, &issuer).unwrap().pem();
    (ca, certificate, key.serialize_pem())
}
