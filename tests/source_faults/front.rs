//! What stands in front of a server and does not always let through what it should.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What becomes of connections.
#[derive(Clone, Debug)]
pub enum Mode {
    /// They lead to the server.
    Open,
    /// Nobody says anything.
    Mute,
    /// After so many bytes of the server, nothing more comes.
    Stall(usize),
    /// Every request is answered by a redirect to here, with its path behind it.
    Redirect(String),
}

struct State {
    mode: Mutex<Mode>,
    /// The heads of the requests that were redirected.
    heads: Mutex<Vec<String>>,
}

/// A port in front of another one; it is there until the test ends.
pub struct Front {
    pub port: u16,
    state: Arc<State>,
}

impl Front {
    /// Opens one in front of a port of this machine.
    pub fn open(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State { mode: Mutex::new(Mode::Open), heads: Mutex::default() });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || {
                    // Whoever hangs up ends it, which is no failure of the test.
                    let _ = serve(near, target, &state);
                });
            }
        });
        Self { port, state }
    }

    pub fn set(&self, mode: Mode) {
        *self.state.mode.lock().unwrap() = mode;
    }

    /// The heads of the requests that were redirected since the last call.
    pub fn take_heads(&self) -> Vec<String> {
        std::mem::take(&mut self.state.heads.lock().unwrap())
    }
}

fn serve(mut near: TcpStream, target: u16, state: &State) -> std::io::Result<()> {
    let mode = state.mode.lock().unwrap().clone();
    match mode {
        Mode::Open => pass(near, target, usize::MAX),
        Mode::Stall(most) => pass(near, target, most),
        Mode::Mute => std::io::copy(&mut near, &mut std::io::sink()).map(drop),
        Mode::Redirect(to) => {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                near.read_exact(&mut byte)?;
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let path = head.split(' ').nth(1).unwrap_or("/").to_owned();
            state.heads.lock().unwrap().push(head);
            write!(near, "HTTP/1.1 302 Found\r\nLocation: {to}{path}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        }
    }
}

/// Passes bytes both ways, of the server's only the first ones; then it waits until the other side has gone.
fn pass(near: TcpStream, target: u16, most: usize) -> std::io::Result<()> {
    let mut far = TcpStream::connect(("127.0.0.1", target))?;
    let (mut up, mut server) = (near.try_clone()?, far.try_clone()?);
    let mut down = near;
    let answers = std::thread::spawn(move || {
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        let sent = std::io::copy(&mut (&mut server).take(most), &mut down);
        if sent.is_ok_and(|sent| sent < most) {
            // It may have gone already.
            let _ = down.shutdown(Shutdown::Both);
        }
    });
    let asked = std::io::copy(&mut up, &mut far).map(drop);
    // It may have gone already.
    let _ = far.shutdown(if most == usize::MAX { Shutdown::Write } else { Shutdown::Both });
    let _ = answers.join();
    asked
}
