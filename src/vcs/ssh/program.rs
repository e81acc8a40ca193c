//! Running `ssh`: options that nothing of this machine's configuration can change, one connection that we made, and no
//! process left behind.

use std::io::{self, Read};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::super::error::VcsError;
use super::super::git::no_stream;
use super::host_key::{HostKey, HostKeyPolicy, HostKeys};
use super::memory::MemoryFile;
use super::passage::{self, Passage};
use super::target::Target;
use crate::outbound;
use crate::outbound::tunnel;

/// How long the connection and the greeting may take at most: who is silent for longer is none.
const LONGEST_GREETING: Duration = Duration::from_secs(15);
/// How long we wait for what a failing `ssh` says.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How much of what it says is kept, from the beginning: the first complaint is the cause.
const SAID: usize = 8 << 10;
/// Largest `known_hosts` file that is read back.
const KNOWN_HOSTS: u64 = 64 << 10;

/// What `ssh` is to do.
pub(in crate::vcs) struct Call<'a> {
    pub(in crate::vcs) target: &'a Target,
    /// Who logs in if the address does not say it.
    pub(in crate::vcs) username: Option<&'a str>,
    /// None: nobody logs in, only the host's key is looked at.
    pub(in crate::vcs) private_key: Option<&'a str>,
    pub(in crate::vcs) host_keys: &'a HostKeys,
    pub(in crate::vcs) policy: HostKeyPolicy,
    /// Which kinds of host keys are asked for; none: those that are known first.
    pub(in crate::vcs) algorithms: Option<&'a str>,
    /// What the remote shell runs.
    pub(in crate::vcs) command: &'a str,
    pub(in crate::vcs) outbound: &'a outbound::Settings,
}

/// A running `ssh`. When it is dropped, the process is gone and what it learned is told.
pub(in crate::vcs) struct Ssh {
    child: Child,
    said: Receiver<String>,
    known_hosts: MemoryFile,
    host_keys: HostKeys,
    learns: bool,
    login: String,
    // Both are needed as long as ssh may ask for them.
    _private_key: Option<MemoryFile>,
    _passage: Passage,
}

impl Ssh {
    /// Connects, and starts it. The pipes are its standard input and output.
    pub(in crate::vcs) fn start(call: &Call<'_>) -> Result<(Self, ChildStdin, ChildStdout), VcsError> {
        let greeting = greeting(call.outbound);
        let memory = |error: io::Error| VcsError::io("Making a file in memory for ssh", &error);
        let lines: String =
            call.host_keys.known.iter().map(|key| key.known_hosts_line(&call.target.host, call.target.port)).collect();
        let known_hosts = MemoryFile::new("known_hosts", lines.as_bytes()).map_err(memory)?;
        let private_key =
            call.private_key.map(|key| MemoryFile::new("private_key", key.as_bytes())).transpose().map_err(memory)?;
        let connection = tunnel::connect(call.outbound, &call.target.host, call.target.port, Instant::now() + greeting)
            .map_err(|error| {
                no_stream(error, &call.target.shown(), call.outbound.proxy_for(&call.target.host).as_ref())
            })?;
        let passage = Passage::open(connection).map_err(|error| VcsError::io("Handing a connection to ssh", &error))?;
        // ssh's own `accept-new` believes a second kind of key of a host that it knows by another one: whoever stands in
        // between would only have to offer another kind.
        let learns = call.policy == HostKeyPolicy::AcceptNew && call.host_keys.known.is_empty();
        let login = call.target.login(call.username).to_owned();
        let mut command = Command::new("ssh");
        command.args(options(greeting, learns)).arg("-o").arg(format!("UserKnownHostsFile={}", known_hosts.path()));
        let ways = if private_key.is_some() { "publickey" } else { "none" };
        command.arg("-o").arg(format!("PreferredAuthentications={ways}"));
        match &private_key {
            Some(key) => command.arg("-i").arg(key.path()),
            None => command.args(["-o", "IdentityFile=none"]),
        };
        if let Some(algorithms) = call.algorithms {
            command.arg("-o").arg(format!("HostKeyAlgorithms={algorithms}"));
        }
        command
            .arg("-o")
            .arg(format!("ProxyCommand=/proc/{}/exe vcs-connect", std::process::id()))
            .args(["-p", &call.target.port.to_string(), "-l", &login, "--", &call.target.host, call.command])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()))
            .env("LC_ALL", "C")
            .env("HOME", "/nonexistent")
            .env("GIT_PROTOCOL", "version=2")
            .env(passage::VARIABLE, passage.name())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| not_started("ssh", &error))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(VcsError::WorkerCrashed { detail: "the pipes of ssh were not opened".to_owned() });
        };
        let ssh = Self {
            child,
            said: listen(stderr),
            known_hosts,
            host_keys: call.host_keys.clone(),
            learns,
            login,
            _private_key: private_key,
            _passage: passage,
        };
        Ok((ssh, stdin, stdout))
    }

    /// Who logged in.
    pub(super) fn login(&self) -> &str {
        &self.login
    }

    /// The keys that the host was known by.
    pub(super) fn known(&self) -> Vec<HostKey> {
        self.host_keys.known.clone()
    }

    /// What it said until it ended; it is given a moment to end by itself.
    pub(super) fn last_words(&mut self) -> String {
        let said = self.said.recv_timeout(LAST_WORDS);
        self.end();
        said.or_else(|_| self.said.recv_timeout(LAST_WORDS)).unwrap_or_default()
    }

    fn end(&mut self) {
        // It may have ended by itself; what matters is that it is not there afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        self.end();
        if self.learns {
            let lines = self.known_hosts.read(KNOWN_HOSTS).unwrap_or_default();
            let keys = lines.lines().filter_map(|line| HostKey::parse(line.split_once(' ')?.1)).collect();
            self.host_keys.learn(keys);
        }
    }
}

/// How long the connection, and then the greeting, may take.
pub(super) fn greeting(outbound: &outbound::Settings) -> Duration {
    outbound.timeout.clamp(Duration::from_secs(1), LONGEST_GREETING)
}

/// The options of every call; ssh_config(5) has them all.
fn options(greeting: Duration, learns: bool) -> Vec<String> {
    let strict = if learns { "accept-new" } else { "yes" };
    let mut options = vec!["-F".to_owned(), "/dev/null".to_owned(), "-T".to_owned()];
    for option in [
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "BatchMode=yes",
        "PasswordAuthentication=no",
        "KbdInteractiveAuthentication=no",
        "GlobalKnownHostsFile=/dev/null",
        "HashKnownHosts=no",
        "UpdateHostKeys=no",
        "VerifyHostKeyDNS=no",
        "CanonicalizeHostname=no",
        "ServerAliveInterval=15",
        "ServerAliveCountMax=4",
        "ClearAllForwardings=yes",
        "ForwardAgent=no",
        "PermitLocalCommand=no",
        "ControlMaster=no",
        "ControlPath=none",
        "ProxyUseFdpass=yes",
        "SendEnv=GIT_PROTOCOL",
        // Fewer words would leave out that there is no method in common, and who closed the connection.
        "LogLevel=INFO",
    ] {
        options.extend(["-o".to_owned(), option.to_owned()]);
    }
    options.extend(["-o".to_owned(), format!("StrictHostKeyChecking={strict}")]);
    options.extend(["-o".to_owned(), format!("ConnectTimeout={}", greeting.as_secs())]);
    options
}

/// Why a program of OpenSSH could not be started.
pub(super) fn not_started(tool: &str, error: &io::Error) -> VcsError {
    match error.kind() {
        io::ErrorKind::NotFound => VcsError::ToolMissing {
            tool: tool.to_owned(),
            purpose: "for repositories at ssh addresses (the package is mostly called openssh-client)".to_owned(),
        },
        _ => VcsError::io(format!("Starting {tool}"), error),
    }
}

/// Collects what comes on standard error until it ends; too much is read and dropped, so that nobody waits for us.
fn listen(mut stderr: ChildStderr) -> Receiver<String> {
    let (tell, said) = channel();
    std::thread::spawn(move || {
        let mut words = Vec::new();
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = stderr.read(&mut buffer) {
            let room = SAID.saturating_sub(words.len()).min(count);
            words.extend_from_slice(&buffer[..room]);
        }
        // Nobody listens if the conversation went well.
        let _ = tell.send(String::from_utf8_lossy(&words).into_owned());
    });
    said
}
