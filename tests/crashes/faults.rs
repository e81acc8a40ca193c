//! How a server dies, and when.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::database;
use crate::project::Broken;
use crate::random::Random;
use crate::server::{PATIENCE, Place, kill, signal, until};

/// How long a moment is waited for; then it is now.
const LONGEST: Duration = Duration::from_millis(1500);

/// When it happens.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// At any time.
    After(Duration),
    /// While a worker runs.
    Worker,
    /// While a pack is being received.
    Pack,
    /// While the refs of a mirror are being replaced.
    Refs,
    /// While an archive is being written.
    Archive,
    /// While a job is marked as running.
    Job,
    /// When so many bytes more were written to the database.
    Written(u64),
}

impl Moment {
    pub fn choose(random: &mut Random) -> Self {
        match random.below(12) {
            0..=4 => Self::After(Duration::from_millis(20 + random.next() % 400)),
            5 => Self::Worker,
            6 => Self::Pack,
            7 => Self::Refs,
            8 | 9 => Self::Archive,
            10 => Self::Job,
            _ => Self::Written(4096 + random.next() % 200_000),
        }
    }

    /// Waits for it.
    pub fn wait(self, place: &Place) {
        let started = Instant::now();
        let data = place.data();
        let log = database::log_bytes(&data);
        let has_come = || match self {
            Self::After(time) => started.elapsed() >= time,
            Self::Worker => !place.workers().is_empty(),
            Self::Pack => in_mirrors(&data, |mirror| any(&mirror.join("objects/pack"), ".tmp")),
            Self::Refs => in_mirrors(&data, |mirror| any(mirror, ".tmp-packed-refs")),
            Self::Archive => any(&data.join("unfinished"), "dist-"),
            Self::Job => database::queue(&data).is_ok_and(|queue| queue.running > 0),
            Self::Written(bytes) => database::log_bytes(&data) >= log + bytes,
        };
        // Without a pause: what is waited for lasts less than a millisecond.
        while !has_come() && started.elapsed() < LONGEST {
            std::thread::yield_now();
        }
    }
}

fn in_mirrors(data: &Path, question: impl Fn(&Path) -> bool) -> bool {
    fs::read_dir(data.join("mirrors")).into_iter().flatten().flatten().any(|mirror| question(&mirror.path()))
}

fn any(folder: &Path, prefix: &str) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
}

/// What happens.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The server is killed.
    Server,
    /// The server and all its workers are killed.
    All,
    /// A worker is killed, and a little later the server.
    Worker,
    /// The server is killed, and another one starts while a worker of the dead one still lives.
    HalfDead,
    /// Another server starts beside the living one, which is killed then.
    Second,
    /// The server is told to stop.
    Stop,
}

impl Fault {
    pub fn choose(random: &mut Random) -> Self {
        match random.below(20) {
            0..=8 => Self::Server,
            9..=11 => Self::All,
            12..=14 => Self::Worker,
            15 | 16 => Self::HalfDead,
            17 => Self::Second,
            _ => Self::Stop,
        }
    }

    /// Lets it happen to the running server. Afterwards none runs.
    pub fn strike(self, place: &Place, server: &mut Child, random: &mut Random) -> Result<(), Broken> {
        match self {
            Self::Server => kill(server),
            Self::All => {
                let workers = place.workers();
                // Not reaped before its workers are dead too: they die together.
                let _ = server.kill();
                workers.into_iter().for_each(|worker| signal(worker, Signal::KILL));
                let _ = server.wait();
            }
            Self::Worker => {
                until(LONGEST, || !place.workers().is_empty());
                let workers = place.workers();
                if !workers.is_empty() {
                    signal(*random.pick(&workers), Signal::KILL);
                }
                Moment::After(Duration::from_millis(random.next() % 200)).wait(place);
                kill(server);
            }
            Self::HalfDead => half_dead(place, server)?,
            Self::Second => {
                second(place)?;
                kill(server);
            }
            Self::Stop => stop(server)?,
        }
        Ok(())
    }
}

/// A worker is held up, so that it cannot notice that its server died, and holds the lock of its mirror.
fn half_dead(place: &Place, server: &mut Child) -> Result<(), Broken> {
    until(LONGEST, || !place.workers().is_empty());
    let workers = place.workers();
    workers.iter().for_each(|worker| signal(*worker, Signal::STOP));
    kill(server);
    let stopped: Vec<_> = place.workers().into_iter().filter(|worker| workers.contains(worker)).collect();
    *server = place.start();
    place.ready(server)?;
    // Long enough for the new server to come to work on the same mirror.
    let waits = || place.workers().len() > stopped.len();
    until(LONGEST, waits);
    stopped.iter().for_each(|worker| signal(*worker, Signal::CONT));
    let gone = until(PATIENCE, || !place.workers().iter().any(|worker| stopped.contains(worker)));
    kill(server);
    if gone { Ok(()) } else { Err(format!("the workers {stopped:?} outlive their server")) }
}

fn second(place: &Place) -> Result<(), Broken> {
    let mut second = place.start();
    let mut ended = None;
    until(PATIENCE, || {
        ended = second.try_wait().expect("it can be asked");
        ended.is_some()
    });
    kill(&mut second);
    match ended {
        Some(status) if !status.success() => Ok(()),
        other => Err(format!("a second server on the same data: {other:?}")),
    }
}

fn stop(server: &mut Child) -> Result<(), Broken> {
    let pid = i32::try_from(server.id()).ok().and_then(rustix::process::Pid::from_raw);
    signal(pid.expect("ids of processes are positive"), Signal::TERM);
    let mut ended = None;
    until(PATIENCE, || {
        ended = server.try_wait().expect("it can be asked");
        ended.is_some()
    });
    kill(server);
    match ended {
        Some(status) if status.success() => Ok(()),
        other => Err(format!("the server was told to stop, and ended so: {other:?}")),
    }
}
