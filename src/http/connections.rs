//! Every open connection: how many there may be, and which of them go when others need the room.
//!
//! Whoever is idle, slow or broken must cost the others nothing. So connections are counted in one table; when it is
//! full, those that have waited longest for nothing are cut to make room, and when there are none, whoever comes is
//! told to come again (`503`), except for webhooks and probes, which have a reserve. Nothing is bounded by address: a
//! company is one address.

mod accept;
mod stream;
mod streams;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use metrics::{counter, gauge};
use rustix::process::{Resource, getrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::telemetry::names;

pub(super) use accept::accept;
pub(super) use stream::Stream;
pub(super) use streams::LONGEST_HEADERS;

/// How long a connection may be without a request, in every state of HTTP; a little more than what keep-alive grants.
const IDLE: Duration = Duration::from_secs(80);
/// How long a connection may be without its first request, and with it the agreement on TLS.
const FIRST: Duration = Duration::from_secs(20);
/// How long a client may take nothing of an answer. Composer itself gives up after as long.
const STALLED: Duration = Duration::from_secs(300);
/// A connection that was idle for less is not cut to make room: it may just be about to ask.
const JUST_IDLE: Duration = Duration::from_secs(1);
/// A download that moved within this time is not cut to make room.
const JUST_SLOW: Duration = Duration::from_secs(10);
/// How long a download waits for the end of another one: longer than it takes to cut one that does not move.
const QUEUED: Duration = Duration::from_secs(20);
/// One scan makes room for this part of all connections, so that a flood costs few scans.
const ROOM: usize = 32;
/// Requests at once on one connection that no honest client exceeds: it was told [`streams::MOST`].
const TOO_MANY_REQUESTS: u32 = 2 * streams::MOST;
/// Files that the process needs beside connections and downloads: database, mirrors, pipes of workers.
const OTHER_FILES: usize = 512;

/// How many there may be at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections on which everything is answered.
    pub connections: usize,
    /// Connections beyond, on which webhooks and probes are answered and all else is refused.
    pub reserve: usize,
    /// Archives that are being sent.
    pub downloads: usize,
}

impl Limits {
    /// What a process that may open so many files can hold.
    #[must_use]
    pub fn of_files(files: usize) -> Self {
        let spare = files.saturating_sub(OTHER_FILES.min(files / 2));
        let downloads = (spare / 5).clamp(16, 512);
        let reserve = (spare / 10).clamp(16, 512);
        let connections = spare.saturating_sub(downloads + reserve).clamp(16, 8192);
        Self { connections, reserve, downloads }
    }

    /// What this process can hold.
    #[must_use]
    pub fn of_process() -> Self {
        let files = getrlimit(Resource::Nofile).current;
        Self::of_files(files.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX))
    }
}

/// What there is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Open connections.
    pub connections: usize,
    /// Requests whose answer is not handed over yet.
    pub requests: usize,
    /// Archives that are being sent.
    pub downloads: usize,
}

/// The table of connections. Threads that accept write it, when connections come and go; [`Connections::sweep`] reads it.
/// A plain mutex, because nobody holds it for longer than a scan.
pub struct Connections {
    limits: Limits,
    table: Mutex<Table>,
    /// Connections in the table that were cut and are about to leave it.
    leaving: AtomicUsize,
    requests: AtomicUsize,
    downloads: Arc<Semaphore>,
    /// Downloads that wait for another one's end.
    waiting: AtomicUsize,
    /// What was refused since the log last said so.
    refused: AtomicUsize,
    started: Instant,
    stopping: AtomicBool,
}

#[derive(Default)]
struct Table {
    links: HashMap<u64, Arc<Link>>,
    next: u64,
    /// Before this moment, in milliseconds, another scan for room would find no more than the last.
    scan_again: u64,
}

/// One connection, as everybody sees it who has to do with it.
pub struct Link {
    connections: Arc<Connections>,
    id: u64,
    /// Whether it came when the table was full.
    crowded: bool,
    /// Whether a request ever came.
    served: AtomicBool,
    requests: AtomicU32,
    bodies: AtomicU32,
    /// When something last happened, in milliseconds since the table was made.
    active: AtomicU64,
    cut: AtomicBool,
    /// Of the task that reads and writes the connection.
    waker: AtomicWaker,
}

/// Why a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// It had no request for long.
    Idle,
    /// Its client takes nothing of what it asked for.
    Stalled,
    /// Another one needs its place.
    Room,
    /// It has more requests at once than it was told it may.
    Streams,
    /// The server stops, and nothing is under way on it.
    Stopping,
}

impl Cut {
    const fn label(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Stalled => "stalled",
            Self::Room => "room",
            Self::Streams => "streams",
            Self::Stopping => "stopping",
        }
    }
}

/// Counts a request or connection that was refused because there is too much of something.
pub(super) fn count_refusal(reason: &'static str) {
    counter!(names::HTTP_REFUSALS, "reason" => reason).increment(1);
}

impl Connections {
    /// An empty table.
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            table: Mutex::default(),
            leaving: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            downloads: Arc::new(Semaphore::new(limits.downloads)),
            waiting: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            started: Instant::now(),
            stopping: AtomicBool::new(false),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing in here panics half-way.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat for a connection that was accepted; none if even the reserve is taken.
    fn enter(self: &Arc<Self>) -> Option<Seat> {
        let now = self.now();
        let mut table = self.lock();
        if self.staying(&table) >= self.limits.connections {
            self.make_room(&mut table, now);
        }
        // Those that were cut leave within a moment, so they count no more.
        if self.staying(&table) >= self.limits.connections + self.limits.reserve {
            self.refused("connections");
            return None;
        }
        let id = table.next;
        table.next += 1;
        let link = Arc::new(Link {
            connections: Arc::clone(self),
            id,
            crowded: self.staying(&table) >= self.limits.connections,
            served: AtomicBool::new(false),
            requests: AtomicU32::new(0),
            bodies: AtomicU32::new(0),
            active: AtomicU64::new(now),
            cut: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        });
        table.links.insert(id, Arc::clone(&link));
        Some(Seat(link))
    }

    fn staying(&self, table: &Table) -> usize {
        table.links.len().saturating_sub(self.leaving.load(Ordering::Relaxed))
    }

    /// Cuts those that have been idle for longest.
    fn make_room(&self, table: &mut Table, now: u64) {
        if now < table.scan_again {
            return;
        }
        table.scan_again = now + 100;
        self.cut_longest(table, now, JUST_IDLE, |link| link.requests.load(Ordering::Relaxed) == 0);
    }

    fn cut_longest(&self, table: &Table, now: u64, since: Duration, is_useless: impl Fn(&Link) -> bool) {
        let mut found: Vec<(u64, &Arc<Link>)> = table
            .links
            .values()
            .filter(|link| !link.is_cut() && is_useless(link) && link.quiet(now) >= since)
            .map(|link| (link.active.load(Ordering::Relaxed), link))
            .collect();
        let count = (table.links.len() / ROOM).max(1).min(found.len());
        if count > 0 && count < found.len() {
            found.select_nth_unstable_by_key(count - 1, |(active, _)| *active);
        }
        for (_, link) in &found[..count] {
            link.cut(Cut::Room);
        }
    }

    /// Counts what was refused because there are too many clients.
    pub(super) fn refused(&self, reason: &'static str) {
        count_refusal(reason);
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Says how much was refused since this was last called, if anything was: one line, however much it is.
    pub(super) fn tell(&self) {
        let refused = self.refused.swap(0, Ordering::Relaxed);
        if refused > 0 {
            let Load { connections, requests, downloads } = self.load();
            tracing::warn!(
                refused,
                connections,
                requests,
                downloads,
                "There are more clients than the server holds: some were told to come again."
            );
        }
    }

    /// Cuts what has been idle or stalled for too long and, when the server stops, whatever is idle. To be called every
    /// second or so.
    pub(super) fn sweep(&self) {
        let now = self.now();
        let stopping = self.stopping.load(Ordering::Relaxed);
        let table = self.lock();
        self.make_way(&table, now);
        for link in table.links.values() {
            let quiet = link.quiet(now);
            if link.requests.load(Ordering::Relaxed) == 0 {
                if stopping {
                    link.cut(Cut::Stopping);
                } else if quiet > if link.served.load(Ordering::Relaxed) { IDLE } else { FIRST } {
                    link.cut(Cut::Idle);
                }
            } else if link.bodies.load(Ordering::Relaxed) > 0 && quiet > STALLED {
                link.cut(Cut::Stalled);
            }
        }
    }

    /// From now on idle connections are cut at the next sweep.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.sweep();
    }

    /// The right to send an archive, in the order of asking; none if too many are being sent, and none of them ends in
    /// time.
    pub(super) async fn download(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(download) = Arc::clone(&self.downloads).try_acquire_owned() {
            return Some(download);
        }
        let _waits = Waits::new(&self.waiting);
        self.make_way(&self.lock(), self.now());
        match timeout(QUEUED, Arc::clone(&self.downloads).acquire_owned()).await {
            Ok(Ok(download)) => Some(download),
            _ => {
                self.refused("downloads");
                None
            }
        }
    }

    /// Cuts downloads that do not move, when others wait for them.
    fn make_way(&self, table: &Table, now: u64) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.cut_longest(table, now, JUST_SLOW, |link| link.bodies.load(Ordering::Relaxed) > 0);
        }
    }

    /// What there is now.
    pub(super) fn load(&self) -> Load {
        Load {
            connections: self.lock().links.len(),
            requests: self.requests.load(Ordering::Relaxed),
            downloads: self.limits.downloads.saturating_sub(self.downloads.available_permits()),
        }
    }

    /// Writes what there is now into the gauges.
    pub(super) fn report(&self) {
        let count = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        let load = self.load();
        gauge!(names::HTTP_CONNECTIONS).set(count(load.connections));
        gauge!(names::HTTP_CONNECTIONS_LIMIT).set(count(self.limits.connections));
        gauge!(names::HTTP_IN_FLIGHT).set(count(load.requests));
        gauge!(names::DOWNLOADS_IN_FLIGHT).set(count(load.downloads));
    }
}

impl Link {
    fn quiet(&self, now: u64) -> Duration {
        Duration::from_millis(now.saturating_sub(self.active.load(Ordering::Relaxed)))
    }

    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// Ends the connection, whatever it is doing: its next read or write fails.
    fn cut(&self, why: Cut) {
        if self.cut.swap(true, Ordering::Relaxed) {
            return;
        }
        self.connections.leaving.fetch_add(1, Ordering::Relaxed);
        counter!(names::HTTP_CONNECTIONS_CUT, "reason" => why.label()).increment(1);
        self.waker.wake();
    }

    /// Whether only webhooks and probes are answered on it.
    pub(super) fn is_crowded(&self) -> bool {
        self.crowded
    }

    /// Notes that a request began.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        if self.requests.fetch_add(1, Ordering::Relaxed) >= TOO_MANY_REQUESTS {
            self.cut(Cut::Streams);
        }
        self.connections.requests.fetch_add(1, Ordering::Relaxed);
        self.served.store(true, Ordering::Relaxed);
        self.touch();
        InFlight { link: Arc::clone(self), sends: false }
    }

    fn touch(&self) {
        self.active.store(self.connections.now(), Ordering::Relaxed);
    }
}

/// A connection's place in the table, given back when its stream is dropped.
struct Seat(Arc<Link>);

impl Drop for Seat {
    fn drop(&mut self) {
        let connections = &self.0.connections;
        let mut table = connections.lock();
        table.links.remove(&self.0.id);
        // Under the lock, so that who is leaving and who is in the table fit each other.
        if self.0.cut.swap(true, Ordering::Relaxed) {
            connections.leaving.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A request, from its arrival until its answer is handed over.
pub(super) struct InFlight {
    link: Arc<Link>,
    sends: bool,
}

impl InFlight {
    /// Notes that the client takes the answer's body.
    pub(super) fn sends(&mut self) {
        if !self.sends {
            self.sends = true;
            self.link.bodies.fetch_add(1, Ordering::Relaxed);
        }
        self.link.touch();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.link.touch();
        self.link.requests.fetch_sub(1, Ordering::Relaxed);
        self.link.connections.requests.fetch_sub(1, Ordering::Relaxed);
        if self.sends {
            self.link.bodies.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// One that waits, counted for as long as it does.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
