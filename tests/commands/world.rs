//! An instance in a directory of its own, what commands say about it, and a server that runs on it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_packagist-selfhosted");

/// An instance in a directory of its own.
pub struct World {
    folder: TempDir,
}

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The one line on standard output of a command that succeeded.
    pub fn line(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert_eq!(self.out.matches('\n').count(), 1, "{self:?}");
        self.out.trim_end().to_owned()
    }

    pub fn json(self) -> Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }

    pub fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// Fails with this exit code and says this on standard error only.
    pub fn refused(self, code: i32, text: &str) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.err.contains(text), "{self:?}");
        assert!(self.out.is_empty(), "{self:?}");
        self
    }
}

impl World {
    /// An instance whose data directory no server has made yet.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repositories = folder.path().join("repositories");
        fs::create_dir(&repositories).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let config = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = \"data\"\n[vcs]\nfile_roots = [{:?}]\n",
            repositories.canonicalize().unwrap()
        );
        fs::write(folder.path().join("config.toml"), config).unwrap();
        Self { folder }
    }

    /// An instance that a server has made and left.
    pub fn new() -> Self {
        let world = Self::empty();
        world.serve().stop();
        world
    }

    /// One with an organization.
    pub fn with_organization() -> Self {
        let world = Self::new();
        world.run("org add acme").done();
        world
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = self.program(&["--config"]);
        command.arg(self.path().join("config.toml")).args(words);
        command
    }

    /// The program where the configuration lies, which it finds by itself.
    pub fn program(&self, words: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(words).current_dir(self.path()).env_remove("RUST_LOG").stdin(Stdio::null());
        command
    }

    /// Runs a line of shell, in which `$DO` is the program with its configuration.
    pub fn shell(&self, line: &str) -> Said {
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .env("DO", format!("{PROGRAM} --config {}", self.path().join("config.toml").display()))
            .current_dir(self.path())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        Said::of(command.output().unwrap())
    }

    pub fn run(&self, line: &str) -> Said {
        let words: Vec<&str> = line.split_whitespace().collect();
        Said::of(self.command(&words).output().unwrap())
    }

    pub fn run_with_input(&self, line: &str, input: &str) -> Said {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut child =
            self.command(&words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Said::of(child.wait_with_output().unwrap())
    }

    pub fn serve(&self) -> Server {
        let mut child = self.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("The server is listening.") {
            assert_ne!(log.read_line(&mut said).unwrap(), 0, "the server did not start: {said}");
        }
        let (_, after) = said.rsplit_once("address=").unwrap();
        let address = after.split_whitespace().next().unwrap().parse().unwrap();
        let rest = std::thread::spawn(move || {
            log.read_to_string(&mut said).unwrap();
            said
        });
        Server { child, address, log: Some(rest) }
    }

    /// A repository with one branch, a tag that is a version and one that is none; its address and commit.
    pub fn repository(&self, name: &str, manifest: &Value) -> (String, String) {
        let path = self.path().join("repositories").join(name);
        fs::create_dir(&path).unwrap();
        git(&path, &["init", "-q", "-b", "main"]);
        let commit = self.commit(name, manifest);
        git(&path, &["tag", "v1.0.0"]);
        git(&path, &["tag", "nonsense"]);
        (path.canonicalize().unwrap().display().to_string(), commit)
    }

    /// Commits a `composer.json` to a repository's branch; the commit.
    pub fn commit(&self, name: &str, manifest: &Value) -> String {
        let path = self.path().join("repositories").join(name);
        fs::write(path.join("composer.json"), manifest.to_string()).unwrap();
        git(&path, &["add", "."]);
        git(&path, &["commit", "-q", "-m", "a commit"]);
        git(&path, &["rev-parse", "HEAD"])
    }
}

fn git(repository: &Path, words: &[&str]) -> String {
    let output = Command::new("git")
        .args(words)
        .current_dir(repository)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_AUTHOR_EMAIL", "ada@example.com")])
        .envs([("GIT_COMMITTER_NAME", "Ada"), ("GIT_COMMITTER_EMAIL", "ada@example.com")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A server that runs.
pub struct Server {
    child: Child,
    address: SocketAddr,
    log: Option<std::thread::JoinHandle<String>>,
}

impl Server {
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The status and body of a request with a token.
    pub fn get(&self, path: &str, token: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let host = self.address;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer)
    }

    /// The status and whole answer of a request without a body or a token.
    pub fn post(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let host = self.address;
        let request = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
    }

    /// Stops it in order; its log.
    pub fn stop(mut self) -> String {
        kill_process(self.pid(), Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        let log = self.log.take().unwrap().join().unwrap();
        assert!(status.success(), "{status}: {log}");
        log
    }

    /// Ends it as a power cut does; its log.
    pub fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.log.take().unwrap().join().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After a failed test it must not go on; after `stop` there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every byte below a directory.
pub fn bytes_below(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes.extend(bytes_below(&path)),
            Ok(metadata) if metadata.is_file() => bytes.extend(fs::read(&path).unwrap()),
            _ => {}
        }
    }
    bytes
}

pub fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

pub fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}
