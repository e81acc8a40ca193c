//! Bytes both ways between a program and its server, neither for ever nor without end.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Trouble;
use crate::outbound::tunnel::Tunnel;
use crate::vcs::error::VcsError;
use crate::vcs::request::Limits;
use crate::vcs::room::bytes;

/// How long a server that was asked may be silent at least: some answers take a while to prepare.
const LEAST_PATIENCE: Duration = Duration::from_secs(60);
/// How long a server may go on when the program has gone.
const FAREWELL: Duration = Duration::from_secs(2);
/// After how many bytes the disk is looked at.
const LOOK: u64 = 32 << 20;

/// What holds for all connections of an operation together.
#[derive(Clone)]
pub(super) struct Bounds {
    limits: Limits,
    patience: Duration,
    /// Where what comes is written.
    directory: PathBuf,
    /// What came until now. Every connection adds, and asks whether it is too much.
    came: Arc<AtomicU64>,
}

impl Bounds {
    pub(super) fn new(limits: &Limits, timeout: Duration, directory: PathBuf) -> Self {
        let patience = timeout.max(LEAST_PATIENCE);
        Self { limits: limits.clone(), patience, directory, came: Arc::default() }
    }

    fn count(&self, bytes_read: usize) -> Result<(), VcsError> {
        let before = self.came.fetch_add(bytes_read as u64, Ordering::Relaxed);
        let now = before + bytes_read as u64;
        if now > self.limits.transfer {
            let limit = bytes(self.limits.transfer);
            return Err(VcsError::TooLarge { what: "The repository".to_owned(), limit });
        }
        if before / LOOK != now / LOOK {
            self.limits.headroom.check(&self.directory, 0)?;
        }
        Ok(())
    }
}

/// The program's end of a connection.
pub(super) trait Near: Read + Write + Send + Sized + 'static {
    /// A second handle.
    fn again(&self) -> io::Result<Self>;
    /// Ends it, for both handles.
    fn end(&self);
}

impl Near for UnixStream {
    fn again(&self) -> io::Result<Self> {
        self.try_clone()
    }

    fn end(&self) {
        // It may have ended already.
        let _ = self.shutdown(Shutdown::Both);
    }
}

impl Near for TcpStream {
    fn again(&self) -> io::Result<Self> {
        self.try_clone()
    }

    fn end(&self) {
        // It may have ended already.
        let _ = self.shutdown(Shutdown::Both);
    }
}

/// The server's end, for writing.
pub(super) enum Sink {
    Tunnel(Tunnel),
    Pipe(ChildStdin),
}

impl Sink {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tunnel(tunnel) => tunnel.write_all(bytes),
            Self::Pipe(pipe) => pipe.write_all(bytes).and_then(|()| pipe.flush()),
        }
    }

    /// Says that nothing more comes.
    fn finish(self) {
        if let Self::Tunnel(tunnel) = &self {
            // The connection may be gone already.
            let _ = tunnel.finish();
        }
    }
}

/// The server's end, for reading.
pub(super) trait Far: Read + AsFd {}

impl Far for Tunnel {}
impl Far for ChildStdout {}

/// Passes bytes until one side ends. What went wrong is told to `trouble`.
pub(super) fn pump(near: impl Near, sink: Sink, mut far: impl Far, host: &str, bounds: &Bounds, trouble: &Trouble) {
    let Ok(program) = near.again() else { return };
    let state = Arc::new(State::default());
    let up = {
        let state = Arc::clone(&state);
        std::thread::spawn(move || upwards(program, sink, &state))
    };
    if let Err(error) = downwards(&near, &mut far, host, bounds, &state) {
        trouble.set(error);
    }
    near.end();
    // It ends, because both ends of what it reads have.
    let _ = up.join();
}

/// What the two directions tell each other.
#[derive(Default)]
struct State {
    /// The program asked, and nothing came since.
    asked: AtomicBool,
    /// The program has gone.
    gone: AtomicBool,
}

fn upwards(mut program: impl Near, mut sink: Sink, state: &State) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = program.read(&mut buffer) {
        if sink.send(&buffer[..count]).is_err() {
            break;
        }
        state.asked.store(true, Ordering::Relaxed);
    }
    state.gone.store(true, Ordering::Relaxed);
    sink.finish();
}

fn downwards(near: &impl Near, far: &mut impl Far, host: &str, bounds: &Bounds, state: &State) -> Result<(), VcsError> {
    let Ok(mut program) = near.again() else { return Ok(()) };
    let mut buffer = vec![0; 64 << 10];
    let (mut heard, mut left) = (Instant::now(), None::<Instant>);
    loop {
        let second = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };
        if poll(&mut [PollFd::new(&*far, PollFlags::IN)], Some(&second)).unwrap_or(0) == 0 {
            if state.gone.load(Ordering::Relaxed) && left.get_or_insert_with(Instant::now).elapsed() > FAREWELL {
                return Ok(());
            }
            // Between answers a program may be busy with what came; in the middle of one, the server is at fault, which
            // cannot be told from here, so that it is given longer.
            let patience = match state.asked.load(Ordering::Relaxed) {
                true => bounds.patience,
                false => bounds.patience.max(bounds.limits.pace.span),
            };
            if heard.elapsed() > patience {
                return Err(VcsError::Timeout { what: format!("Waiting for {host}"), seconds: patience.as_secs() });
            }
            continue;
        }
        let Ok(count @ 1..) = far.read(&mut buffer) else { return Ok(()) };
        (heard, left) = (Instant::now(), None);
        state.asked.store(false, Ordering::Relaxed);
        bounds.count(count)?;
        if program.write_all(&buffer[..count]).is_err() {
            return Ok(());
        }
    }
}
