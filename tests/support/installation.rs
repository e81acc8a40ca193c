//! The real executable, serving a data directory of its own, and commands beside it.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(60);

const EXECUTABLE: &str = env!("CARGO_BIN_EXE_packagist-selfhosted");

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    /// What it printed, if it ended well.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out.trim_end().to_owned()
    }

    /// What it complained about, if it ended badly.
    #[track_caller]
    pub fn failed(self) -> String {
        assert_ne!(self.code, Some(0), "it should have failed: {}{}", self.out, self.err);
        format!("{}{}", self.out, self.err)
    }
}

/// A running server.
pub struct Installation {
    /// Everything of it lies below.
    pub folder: tempfile::TempDir,
    /// Where repositories may be imported from.
    pub repositories: PathBuf,
    /// `127.0.0.1:port`.
    pub authority: String,
    /// Its process, while it runs.
    pub server: Option<Child>,
    /// What the server is started by, with its arguments: nothing, or `env` with what it is to be told. It has to become the
    /// server.
    pub launcher: Vec<String>,
    https: bool,
}

impl Installation {
    /// Starts a server that trusts the authority `ca` (PEM), if one is given.
    pub fn start(ca: Option<&str>) -> Self {
        Self::start_with(ca, None)
    }

    /// Starts a server that speaks HTTPS, if it is given a certificate and its key (PEM), and then logs every request.
    pub fn start_with(ca: Option<&str>, tls: Option<(String, String)>) -> Self {
        Self::start_configured(ca, tls, |_, _| String::new())
    }

    /// Starts a server with more in its configuration, which is told the folder and `public_url` and goes on in `[outbound]`.
    pub fn start_configured(
        ca: Option<&str>,
        tls: Option<(String, String)>,
        more: impl FnOnce(&Path, &str) -> String,
    ) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a test");
        let repositories = folder.path().join("repositories");
        fs::create_dir(&repositories).expect("folders can be made");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port is free");
        let authority = port.to_string();
        let https = tls.is_some();
        let scheme = if https { "https" } else { "http" };
        let mut config = String::new();
        if let Some((certificate, private_key)) = tls {
            fs::write(folder.path().join("tls.crt"), certificate).expect("files can be written");
            fs::write(folder.path().join("tls.key"), private_key).expect("files can be written");
            config.push_str("server.tls = { certificate = \"tls.crt\", private_key = \"tls.key\" }\n");
            config.push_str("log.level = \"debug\"\n");
        }
        config.push_str(&format!(
            "server.listen = \"{authority}\"\nserver.public_url = \"{scheme}://{authority}\"\n\
             [vcs]\nfile_roots = [\"repositories\"]\n\
             [outbound]\nallow = [\"127.0.0.0/8\", \"::1\", \"localhost\"]\n"
        ));
        if let Some(ca) = ca {
            fs::write(folder.path().join("ca.pem"), ca).expect("files can be written");
            config.push_str("ca_bundle = \"ca.pem\"\n");
        }
        config.push_str(&more(folder.path(), &format!("{scheme}://{authority}")));
        fs::write(folder.path().join("config.toml"), config).expect("files can be written");
        let mut installation = Self { folder, repositories, authority, server: None, launcher: Vec::new(), https };
        installation.serve();
        installation
    }

    /// Starts the server, and returns when it is ready.
    pub fn serve(&mut self) {
        let file = |name: &str| {
            let path = self.folder.path().join(name);
            fs::File::options().create(true).append(true).open(path).expect("files can be written")
        };
        let words: Vec<&str> = self.launcher.iter().map(String::as_str).chain([EXECUTABLE, "serve"]).collect();
        let server = Command::new(words[0])
            .args(&words[1..])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(file("printed"))
            .stderr(file("log"))
            .spawn()
            .expect("the executable was built");
        self.server = Some(server);
        let started = Instant::now();
        while !self.is_ready() {
            let ended = self.server.as_mut().expect("it was started").try_wait().expect("it can be asked");
            assert!(ended.is_none() && started.elapsed() < PATIENCE, "the server did not start:\n{}", self.log());
            std::thread::yield_now();
        }
    }

    fn is_ready(&self) -> bool {
        if self.https {
            // It listens when everything else stands.
            return TcpStream::connect(&self.authority).is_ok();
        }
        self.get("/readyz", "").0 == 200
    }

    /// Stops the server as systemd does; whether it ended well.
    pub fn stop(&mut self) -> bool {
        let mut server = self.server.take().expect("it runs");
        let pid = server.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("kill is there");
        server.wait().expect("it can be waited for").success()
    }

    /// Stops the server and starts it again; whether it ended well.
    pub fn stop_and_restart(&mut self) -> bool {
        let well = self.stop();
        self.serve();
        well
    }

    /// What the server logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).expect("the log can be read")
    }

    /// What the server printed.
    pub fn printed(&self) -> String {
        fs::read_to_string(self.folder.path().join("printed")).expect("it can be read")
    }

    /// Runs a command with words separated by spaces.
    pub fn command(&self, words: &str) -> Said {
        self.command_with(words, "")
    }

    /// Runs a command with something on its standard input.
    pub fn command_with(&self, words: &str, input: &str) -> Said {
        let mut child = Command::new(EXECUTABLE)
            .current_dir(self.folder.path())
            .args(words.split(' '))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the executable was built");
        let mut stdin = child.stdin.take().expect("it is piped");
        // A command that does not read its input closes it.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("commands print UTF-8"),
            err: String::from_utf8(output.stderr).expect("commands print UTF-8"),
        }
    }

    /// The address of an organization's Composer repository.
    pub fn repository(&self, org: &str) -> String {
        self.url(&format!("/repo/{org}"))
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", if self.https { "https" } else { "http" }, self.authority)
    }

    /// A request by hand; status and body. `headers` end in `\r\n` each.
    pub fn get(&self, path: &str, headers: &str) -> (u16, String) {
        self.request("GET", path, headers)
    }

    /// A request by hand with any method and no body.
    pub fn request(&self, method: &str, path: &str, headers: &str) -> (u16, String) {
        let Ok(mut socket) = TcpStream::connect(&self.authority) else { return (0, String::new()) };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n",
            self.authority
        );
        let mut answer = Vec::new();
        if socket.write_all(request.as_bytes()).is_err()
            || std::io::Read::read_to_end(&mut socket, &mut answer).is_err()
        {
            return (0, String::new());
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
        (status, body)
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // It may have ended by itself.
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}
