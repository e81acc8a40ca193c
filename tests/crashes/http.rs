//! Requests by hand, because what matters is what happens to one whose server dies: no pool, no retry.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A server that says nothing for so long has hung up on us, as far as a test is concerned.
const SILENCE: Duration = Duration::from_secs(60);

/// An answer that came whole.
pub struct Response {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Response {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// What was said, for a report.
    pub fn text(&self) -> String {
        format!("{}\n{}", self.head, String::from_utf8_lossy(&self.body[..self.body.len().min(4000)]))
    }
}

/// Sends a request; none if no whole answer came back.
pub fn send(authority: &str, method: &str, path: &str, headers: &str, body: &[u8]) -> Option<Response> {
    let mut socket = TcpStream::connect(authority).ok()?;
    socket.set_read_timeout(Some(SILENCE)).ok()?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).ok()?;
    socket.write_all(body).ok()?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let response = Response { status, head, body: answer[end + 4..].to_vec() };
    // Less than announced: the connection broke, and clients notice.
    let length: usize = response.header("content-length")?.parse().ok()?;
    (response.body.len() == length).then_some(response)
}
