//! The executable as processes that can be killed: servers, their workers, and commands.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::http;
use crate::project::Broken;

/// How long anything may take that has to come: far more than it needs, because machines are shared.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until something is so; whether it came.
pub fn until(patience: Duration, mut it_is_so: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while !it_is_so() {
        if started.elapsed() >= patience {
            return false;
        }
        // Between two questions, so that asking does not take the processor from whoever works.
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

/// Where the executable, a data directory and a configuration lie.
pub struct Place {
    pub folder: PathBuf,
    /// A copy or link that nobody else runs, so that its processes are known by it.
    pub executable: PathBuf,
    /// Where the server listens.
    pub authority: String,
}

/// What a command said and how it ended.
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Place {
    /// A place in `folder`, with `config.toml` already in it.
    pub fn new(folder: &Path, authority: String) -> Self {
        let executable = folder.join("packagist-selfhosted");
        let built = std::env::var_os("SOAK_EXECUTABLE")
            .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_packagist-selfhosted")), PathBuf::from);
        if fs::hard_link(&built, &executable).is_err() {
            fs::copy(&built, &executable).expect("the executable can be copied");
        }
        Self { folder: folder.to_owned(), executable, authority }
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Starts a server, and does not wait for it.
    pub fn start(&self) -> Child {
        let log =
            fs::File::options().create(true).append(true).open(self.folder.join("log")).expect("files can be written");
        Command::new(&self.executable)
            .current_dir(&self.folder)
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the executable was built")
    }

    /// Waits until the server answers that it is ready.
    pub fn ready(&self, server: &mut Child) -> Result<(), Broken> {
        let mut ended = None;
        let came = until(PATIENCE, || {
            ended = server.try_wait().expect("it can be asked");
            ended.is_some()
                || http::send(&self.authority, "GET", "/readyz", "", b"").is_some_and(|answer| answer.status == 200)
        });
        match ended {
            Some(status) => Err(format!("the server ended instead of starting: {status}")),
            None if !came => Err("the server did not become ready".to_owned()),
            None => Ok(()),
        }
    }

    /// Runs a command with words separated by spaces.
    pub fn command(&self, words: &str) -> Said {
        let mut child = Command::new(&self.executable)
            .current_dir(&self.folder)
            .args(words.split(' '))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the executable was built");
        let mut stderr = child.stderr.take().expect("it is piped");
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            // What is no UTF-8 is no sentence of ours either.
            let _ = stderr.read_to_string(&mut text);
            text
        });
        let output = child.wait_with_output().expect("it ends");
        Said {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).trim_end().to_owned(),
            err: errors.join().expect("it only reads"),
        }
    }

    /// Running processes of this place with the command `word`.
    pub fn processes(&self, word: &str) -> Vec<Pid> {
        let entries = fs::read_dir("/proc").expect("tests run on Linux").flatten();
        let running = entries.filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw)?;
            // A process that has ended, and only waits to be asked how, has no executable any more.
            let ours = fs::read_link(entry.path().join("exe")).is_ok_and(|path| path == self.executable);
            let command = fs::read(entry.path().join("cmdline")).ok().filter(|_| ours)?;
            (command.split(|byte| *byte == 0).nth(1) == Some(word.as_bytes())).then_some(pid)
        });
        running.collect()
    }

    /// The workers of servers, living and dead.
    pub fn workers(&self) -> Vec<Pid> {
        self.processes("vcs-worker")
    }

    /// Waits until no worker of a dead server is left.
    pub fn orphans_end(&self) -> Result<(), Broken> {
        match until(PATIENCE, || self.workers().is_empty()) {
            true => Ok(()),
            false => Err(format!("workers outlive their server: {:?}", self.workers())),
        }
    }
}

/// Sends a signal to a process that may have ended.
pub fn signal(pid: Pid, signal: Signal) {
    let _ = kill_process(pid, signal);
}

/// Kills a server as the system does when memory is short.
pub fn kill(server: &mut Child) {
    // It may have ended by itself, which whoever looks at the log finds.
    let _ = server.kill();
    let _ = server.wait();
}
