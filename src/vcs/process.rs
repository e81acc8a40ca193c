//! The parent's side of a worker: start it, talk to it, and make sure that nothing of it stays behind.

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::zeroize::Zeroizing;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::error::VcsError;
use super::leftovers::Leftovers;
use super::memory::{Memory, Reserved};
use super::request::{Answer, Operation, Progress, Request, Said, Update};
use super::room::bytes;
use super::spare::{Kind, Spares};
use super::ssh::HostKeys;
use super::{Settings, pipe};

/// Largest answer without its manifests: every ref that a listing may have, with a name of ordinary length.
const MAX_RESPONSE: u32 = 128 << 20;
/// How much of the worker's standard error is remembered, from its end.
const STDERR_TAIL: usize = 8 << 10;

/// How long a look at a host or a key may take.
const LOOK: Duration = Duration::from_secs(90);

/// Runs one operation: in a worker that waits for this kind, or in a new one.
pub(super) async fn run(
    settings: &Settings,
    spares: &Spares,
    memory: &Memory,
    kind: Option<Kind>,
    operation: Operation,
) -> Result<Answer, VcsError> {
    let news = News { host_keys: &HostKeys::default(), progress: &Progress::default() };
    run_telling(settings, spares, memory, kind, operation, news).await
}

/// Where a worker's news go beside its answer: also if it fails.
#[derive(Clone, Copy)]
pub(super) struct News<'a> {
    /// The host keys that it learned.
    pub(super) host_keys: &'a HostKeys,
    /// How far it is.
    pub(super) progress: &'a Progress,
}

/// The same, and tells the news.
pub(super) async fn run_telling(
    settings: &Settings,
    spares: &Spares,
    memory: &Memory,
    kind: Option<Kind>,
    operation: Operation,
    news: News<'_>,
) -> Result<Answer, VcsError> {
    let deadline = match &operation {
        // Somebody waits for the answer.
        Operation::Archive(_) | Operation::Probe { .. } | Operation::Knock { .. } => settings.archive_deadline,
        Operation::ScanHostKeys { .. } | Operation::InspectKey(_) => settings.deadline.min(LOOK),
        Operation::Update(_) | Operation::DropKept { .. } => settings.deadline,
    };
    let leftovers = Leftovers::of(&operation);
    let request = Request {
        outbound: settings.outbound.clone(),
        policy: settings.policy.clone(),
        limits: settings.limits.clone(),
        deadline,
        ssh_host_keys: settings.ssh_host_keys,
        operation,
    };
    let message = Zeroizing::new(serde_json::to_vec(&request).map_err(|error| VcsError::Io {
        doing: "Writing the worker's request".to_owned(),
        reason: error.to_string(),
    })?);
    let call = Call { settings, spares, memory, message: &message, deadline, news };
    let result = call.talk(kind).await;
    // Killed, a worker could not clean up, and the next one may be hours away.
    if let Some(leftovers) = leftovers.filter(|_| result.is_err()) {
        leftovers.remove().await;
    }
    result
}

/// What a worker is asked.
struct Call<'a> {
    settings: &'a Settings,
    spares: &'a Spares,
    memory: &'a Memory,
    message: &'a [u8],
    deadline: Duration,
    news: News<'a>,
}

impl Call<'_> {
    /// Finds a worker for the message.
    async fn talk(&self, kind: Option<Kind>) -> Result<Answer, VcsError> {
        // One that waited may have been killed meanwhile, which is no fault of this operation: a new one shows whose it is.
        if let Some((kind, worker)) = kind.and_then(|kind| self.spares.take(kind).map(|worker| (kind, worker)))
            && let Ok(result) = self.converse(Some(kind), worker).await
        {
            return result;
        }
        let worker = Worker::start(self.settings)?;
        self.converse(kind, worker).await.unwrap_or_else(Err)
    }

    /// Has a worker do what the message asks for. The outer error means that it ended without an answer.
    async fn converse(&self, kind: Option<Kind>, mut worker: Worker) -> Result<Result<Answer, VcsError>, VcsError> {
        let asked = worker.converse(self.message, self.settings.limits.manifests, self.memory, self.news);
        let conversation = match (tokio::time::timeout(self.deadline, asked).await, kind) {
            (Ok(Ok(Ok(answer @ Answer::Update(Update::Unchanged { .. })))), Some(kind)) => {
                self.spares.keep(kind, worker);
                return Ok(Ok(answer));
            }
            (conversation, _) => conversation,
        };
        let status = worker.end().await;
        match conversation {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(broken)) => Err(autopsy(status, &worker.last_words(), &broken, self.settings)),
            Err(_) => {
                let seconds = self.deadline.as_secs();
                let what = match self.deadline == self.settings.deadline {
                    true => "The whole reading of the repository (`deadline` under [vcs] in config.toml)",
                    false => "The whole operation",
                };
                Ok(Err(VcsError::Timeout { what: what.to_owned(), seconds }))
            }
        }
    }
}

/// A running worker. Its fields are dropped in this order: first the group is killed, then tokio reaps the child.
pub(super) struct Worker {
    group: Group,
    child: Child,
    /// Held open until the end: the worker kills its own group when it sees the end of this pipe, so that a killed
    /// server leaves no second writer behind.
    stdin: ChildStdin,
    stdout: ChildStdout,
    /// Written by the task that drains standard error, read when the worker has ended without an answer.
    stderr: Arc<Mutex<Vec<u8>>>,
    draining: JoinHandle<()>,
}

/// Kills the worker's process group when dropped, unless the worker has been reaped: its id could be somebody else's then.
struct Group(Option<Pid>);

impl Group {
    fn kill(&mut self) {
        if let Some(leader) = self.0.take() {
            // The only expected failure is that nobody is left.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Worker {
    fn start(settings: &Settings) -> Result<Self, VcsError> {
        let mut child = command(settings).spawn().map_err(|error| {
            VcsError::io(format!("Starting the worker process {}", settings.executable.display()), &error)
        })?;
        let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(VcsError::WorkerCrashed { detail: "its pipes were not opened".to_owned() });
        };
        let tail = Arc::new(Mutex::new(Vec::new()));
        let draining = tokio::spawn(drain(stderr, Arc::clone(&tail)));
        Ok(Self { group, child, stdin, stdout, stderr: tail, draining })
    }

    /// Sends the request and reads the answer. The outer error means that the pipes broke.
    async fn converse(
        &mut self,
        message: &[u8],
        manifests: u64,
        memory: &Memory,
        news: News<'_>,
    ) -> std::io::Result<Result<Answer, VcsError>> {
        self.stdin.write_all(&pipe::header(message)?).await?;
        self.stdin.write_all(message).await?;
        self.stdin.flush().await?;
        let response = loop {
            let frame = pipe::read_async(&mut self.stdout, MAX_RESPONSE).await?;
            match serde_json::from_slice(&frame)? {
                Said::Step(step) => news.progress.tell(step),
                Said::Answer(response) => break *response,
            }
        };
        news.host_keys.learn(response.learned);
        // The worker holds the manifests until there is room for them here.
        let reserved = match &response.result {
            Ok(Answer::Update(Update::Changed(snapshot))) => memory.reserve(snapshot, &response.blobs).await,
            _ => Reserved::default(),
        };
        let mut blobs = HashMap::with_capacity(response.blobs.len());
        let mut left = manifests;
        for (id, _) in response.blobs {
            let limit = u32::try_from(left).unwrap_or(u32::MAX);
            let blob = pipe::read_async(&mut self.stdout, limit).await?;
            left -= blob.len() as u64;
            blobs.insert(id, Arc::from(blob));
        }
        Ok(response.result.map(|answer| match answer {
            Answer::Update(Update::Changed(mut snapshot)) => {
                snapshot.reserved = reserved;
                snapshot.manifests = blobs;
                Answer::Update(Update::Changed(snapshot))
            }
            other => other,
        }))
    }

    /// Kills whoever is left of the group and reaps the child. The group goes first: until it is reaped, even a dead
    /// leader's id belongs to nobody else. A child that has already ended keeps its own exit status.
    async fn end(&mut self) -> Option<ExitStatus> {
        self.group.kill();
        let status = self.child.wait().await.ok();
        // Everybody who could hold the pipe is dead, so that draining ends.
        let _ = (&mut self.draining).await;
        status
    }

    fn last_words(&self) -> String {
        let tail = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&tail).into_owned()
    }
}

fn command(settings: &Settings) -> Command {
    let mut command = Command::new(&settings.executable);
    command
        .arg("vcs-worker")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()))
        .env("LANG", "C")
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        // By convention this directory does not exist, so that no program finds or leaves a configuration there.
        .env("HOME", "/nonexistent")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    // Where the system's certificates are, if they are not where the TLS library looks for them.
    for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

async fn drain(mut stderr: ChildStderr, tail: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend_from_slice(&buffer[..count]);
        let surplus = tail.len().saturating_sub(STDERR_TAIL);
        tail.drain(..surplus);
    }
}

/// Whether the worker's memory limit ended it: an allocation that failed, or a thread that found no room for its stack.
fn ran_out_of_memory(last_words: &str) -> bool {
    ["memory allocation of", "Cannot allocate memory", "os error 12", "failed to spawn thread", "OutOfMemory"]
        .iter()
        .any(|sign| last_words.contains(sign))
}

/// Says why a worker ended without an answer.
fn autopsy(status: Option<ExitStatus>, last_words: &str, broken: &std::io::Error, settings: &Settings) -> VcsError {
    const SIGXFSZ: i32 = 25;
    if status.and_then(|status| status.signal()) == Some(SIGXFSZ) {
        return VcsError::TooLarge { what: "The repository".to_owned(), limit: bytes(settings.limits.transfer) };
    }
    if ran_out_of_memory(last_words) {
        return VcsError::memory(settings.limits.memory);
    }
    let status = status.map_or_else(|| "unknown exit status".to_owned(), |status| status.to_string());
    let line = last_words.lines().rev().find(|line| !line.trim().is_empty());
    let said: String = line.unwrap_or(&broken.to_string()).chars().filter(|c| !c.is_control()).take(300).collect();
    VcsError::WorkerCrashed { detail: format!("{status}: {said}") }
}
