//! Sends deliveries one after another, and keeps what was answered. Whoever caused one does not wait for it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use url::Url;

use super::frame::now;

/// How long GitHub and GitLab wait for an answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// A delivery that is on its way or was answered.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// The hook's number.
    pub hook: u64,
    /// What names it, also when it is sent again.
    pub guid: String,
    /// The event.
    pub event: String,
    /// What happened, where the event says that.
    pub action: Option<String>,
    /// The repository that it is about.
    pub repository: Option<u64>,
    /// Whether it was sent before.
    pub again: bool,
    /// Where it goes.
    pub url: String,
    /// The headers, without those about the body's length and the host.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A delivery with its answer.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its own number.
    pub id: u64,
    /// What was sent.
    pub parcel: Parcel,
    /// Seconds since the epoch.
    pub at: i64,
    /// The status; none if nobody answered.
    pub status: Option<u16>,
}

#[derive(Default)]
struct State {
    sent: Vec<Sent>,
    waiting: usize,
    /// Deliveries that somebody wants to have in the hand before they go.
    held: Option<Vec<Parcel>>,
}

/// The post; clones are the same one.
#[derive(Clone)]
pub struct Post {
    state: Arc<(Mutex<State>, Condvar)>,
    sender: Sender<Parcel>,
}

impl Default for Post {
    fn default() -> Self {
        let state = Arc::new((Mutex::<State>::default(), Condvar::new()));
        let (sender, receiver) = channel::<Parcel>();
        let own = Arc::clone(&state);
        // It ends with the last sender.
        std::thread::spawn(move || {
            for parcel in receiver {
                let status = send(&parcel);
                let mut state = own.0.lock().expect("no panic");
                let id = 5_000_000 + state.sent.len() as u64;
                state.sent.push(Sent { id, parcel, at: now(), status });
                state.waiting -= 1;
                own.1.notify_all();
            }
        });
        Self { state, sender }
    }
}

impl Post {
    /// Sends a delivery, or keeps it if they are held back.
    pub fn send(&self, parcel: Parcel) {
        let mut state = self.state.0.lock().expect("no panic");
        match &mut state.held {
            Some(held) => held.push(parcel),
            None => {
                state.waiting += 1;
                self.sender.send(parcel).expect("the thread lives as long as this");
            }
        }
    }

    /// Holds deliveries back from now on.
    pub fn hold(&self) {
        self.state.0.lock().expect("no panic").held.get_or_insert_default();
    }

    /// What was held back; nothing is held back from now on.
    pub fn let_go(&self) -> Vec<Parcel> {
        self.state.0.lock().expect("no panic").held.take().unwrap_or_default()
    }

    /// Waits until everything was sent and answered, or nobody answered it.
    pub fn settle(&self) {
        let state = self.state.0.lock().expect("no panic");
        drop(self.state.1.wait_while(state, |state| state.waiting > 0).expect("no panic"));
    }

    /// Everything that was sent, the oldest first.
    pub fn sent(&self) -> Vec<Sent> {
        self.state.0.lock().expect("no panic").sent.clone()
    }
}

/// Sends one and reads the status; none if nobody answers.
pub fn send(parcel: &Parcel) -> Option<u16> {
    let url = Url::parse(&parcel.url).ok().filter(|url| url.scheme() == "http")?;
    let authority = format!("{}:{}", url.host_str()?, url.port_or_known_default()?);
    let mut socket = TcpStream::connect(&authority).ok()?;
    socket.set_read_timeout(Some(DEADLINE)).ok()?;
    let mut head = format!("POST {} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n", url.path());
    head.push_str(&format!("Content-Length: {}\r\n", parcel.body.len()));
    for (name, value) in &parcel.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    socket.write_all(head.as_bytes()).ok()?;
    socket.write_all(&parcel.body).ok()?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).ok()?;
    String::from_utf8_lossy(&answer).split(' ').nth(1)?.parse().ok()
}
