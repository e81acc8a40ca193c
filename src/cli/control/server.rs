//! The server's side of the control socket.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::zeroize::Zeroizing;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::super::managed::{self, LARGEST_REQUEST, Request};
use super::super::output::{Event, Output};
use super::super::session::{Session, Workforce};
use super::super::{FAILED, failure::USAGE};
use super::Address;
use crate::appliance::Appliance;

/// How long a client may take to say what it wants.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// How long commands that run when the server stops may take to end.
const FAREWELL: Duration = Duration::from_secs(5);
/// How many clients are served at once; the next ones wait.
const CLIENTS: usize = 64;

/// The listening socket. To be stopped before the appliance can be let go.
pub struct Control {
    socket: PathBuf,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Control {
    /// Listens at `socket`. What a crash left there is replaced: whoever holds the instance lock is the only server.
    ///
    /// # Errors
    /// If the socket cannot be made.
    pub fn listen(appliance: Appliance, socket: &Path) -> io::Result<Self> {
        match fs::remove_file(socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(Address::of(socket)?.path)?;
        fs::set_permissions(socket, Permissions::from_mode(0o600))?;
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(accept(listener, appliance, stopping));
        Ok(Self { socket: socket.to_owned(), stop, task })
    }

    /// Takes no more commands, lets running ones end for a while, and removes the socket.
    pub async fn stop(self) {
        if let Err(error) = fs::remove_file(&self.socket) {
            tracing::warn!(error = %error, "The control socket could not be removed.");
        }
        let _ = self.stop.send(true);
        // A task that panicked has said so.
        let _ = self.task.await;
    }
}

async fn accept(listener: UnixListener, appliance: Appliance, mut stopping: watch::Receiver<bool>) {
    let mut clients = JoinSet::new();
    let told = stopping.clone();
    loop {
        tokio::select! {
            _ = stopping.changed() => break,
            _ = clients.join_next(), if !clients.is_empty() => {}
            accepted = listener.accept(), if clients.len() < CLIENTS => match accepted {
                Ok((stream, _)) => {
                    clients.spawn(serve(stream, appliance.clone(), told.clone()));
                }
                Err(error) => {
                    tracing::warn!(error = %error, "A command could not connect.");
                    // Out of file descriptors, most likely: they come back.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(listener);
    let ended = async { while clients.join_next().await.is_some() {} };
    if tokio::time::timeout(FAREWELL, ended).await.is_err() {
        clients.shutdown().await;
    }
}

async fn serve(stream: UnixStream, appliance: Appliance, stopping: watch::Receiver<bool>) {
    let allowed = stream.peer_cred().is_ok_and(|peer| may_command(peer.uid()));
    let (read, write) = stream.into_split();
    if !allowed {
        let text = "error: only the owner of the data directory and root may give commands to this server";
        return refuse(write, text, FAILED).await;
    }
    let mut read = BufReader::new(read);
    let request = tokio::time::timeout(INTRODUCTION, receive(&mut read)).await;
    let Ok(Some(mut request)) = request else {
        return refuse(write, "error: the command could not be read by the server", FAILED).await;
    };
    let command = match request.parse() {
        Ok(command) => command,
        Err(text) => {
            let ours = env!("CARGO_PKG_VERSION");
            let versions = if request.version == ours {
                String::new()
            } else {
                format!(
                    "\nThe running server is version {ours} and you are using {}: restart the server.",
                    request.version
                )
            };
            return refuse(write, &format!("{}{versions}", text.trim_end()), USAGE).await;
        }
    };
    let (output, events) = Output::channel();
    let input = request.take_input();
    let session = Session::new(appliance, output, request.directory, input, Workforce::Server(stopping));
    // Both run in this task, so that the command goes on when the client has gone, and ends before the server does.
    tokio::join!(
        async move {
            managed::perform(command, &session).await;
            drop(session);
        },
        relay(events, read.into_inner(), write),
    );
}

/// This process's own user, and root.
fn may_command(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

async fn receive(read: &mut BufReader<OwnedReadHalf>) -> Option<Request> {
    let mut line = Zeroizing::new(Vec::new());
    read.take(LARGEST_REQUEST).read_until(b'\n', &mut line).await.ok()?;
    Request::from_line(&line)
}

/// Passes on what the command says, until it has ended or the client has gone.
async fn relay(
    mut events: tokio::sync::mpsc::UnboundedReceiver<Event>,
    mut read: OwnedReadHalf,
    mut write: OwnedWriteHalf,
) {
    let mut rest = [0; 16];
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) if send(&mut write, &event).await.is_ok() => {}
                _ => return,
            },
            // A client says nothing more; an end of its input is the end of the client.
            said = read.read(&mut rest) => if !matches!(said, Ok(1..)) { return },
        }
    }
}

async fn refuse(mut write: OwnedWriteHalf, text: &str, code: u8) {
    for event in [Event::Err(text.to_owned()), Event::Exit(code)] {
        if send(&mut write, &event).await.is_err() {
            return;
        }
    }
}

async fn send(write: &mut OwnedWriteHalf, event: &Event) -> io::Result<()> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    write.write_all(&line).await
}
