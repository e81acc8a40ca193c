//! A client that hides nothing: what is written is what is sent, and what is read is what came.

use std::io::Read;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request.
pub struct Request {
    address: SocketAddr,
    head: String,
    body: Vec<u8>,
}

/// What came back, as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// In the order in which they came, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: packages.example.com\r\nConnection: close\r\n");
        Self { address, head, body: Vec::new() }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self.header("Content-Length", &body.len().to_string())
    }

    /// A body whose length is not told beforehand.
    pub fn chunked(self, body: &str) -> Self {
        let body = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).into_bytes();
        Self { body, ..self.header("Transfer-Encoding", "chunked") }
    }

    /// Sends it and reads what comes until the head is whole, for answers that have no end.
    pub async fn send_for_head(self) -> Response {
        let mut stream = TcpStream::connect(self.address).await.expect("the server listens");
        let bytes = self.bytes();
        let _ = stream.write_all(&bytes).await;
        let mut answer = Vec::new();
        while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
            let read = stream.read_buf(&mut answer).await.expect("an answer");
            assert!(read > 0, "the answer ended before its head");
        }
        Response::parse(&answer)
    }

    /// Sends it and reads the answer as far as it says that it goes: where nobody took the request's body, the connection
    /// stays open for a while after that.
    pub async fn send_and_leave(self) -> Response {
        let mut stream = TcpStream::connect(self.address).await.expect("the server listens");
        let bytes = self.bytes();
        let _ = stream.write_all(&bytes).await;
        let mut answer = Vec::new();
        loop {
            let read = stream.read_buf(&mut answer).await.unwrap_or(0);
            let is_whole = answer.windows(4).any(|window| window == b"\r\n\r\n") && {
                let so_far = Response::parse(&answer);
                let length = so_far.header("content-length").and_then(|length| length.parse().ok());
                length.is_some_and(|length: usize| so_far.body.len() >= length)
            };
            if read == 0 || is_whole {
                return Response::parse(&answer);
            }
        }
    }

    /// What is written.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head.clone().into_bytes();
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    pub async fn send(self) -> Response {
        let mut stream = TcpStream::connect(self.address).await.expect("the server listens");
        let bytes = self.bytes();
        // A server that refuses a body may close before it has all of it.
        let _ = stream.write_all(&bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        Response::parse(&answer)
    }
}

impl Response {
    pub fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head");
        let head = std::str::from_utf8(&bytes[..end]).expect("ASCII");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(": "));
        Self {
            status: status.expect("a status"),
            headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect(),
            body: bytes[end + 4..].to_vec(),
        }
    }

    /// The header; the values of several are joined.
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> =
            self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(" | "))
    }

    /// The body, decompressed if it says so.
    pub fn text(&self) -> String {
        let mut text = String::new();
        match self.header("content-encoding").as_deref() {
            Some("gzip") => {
                flate2::read::GzDecoder::new(&self.body[..]).read_to_string(&mut text).expect("gzip");
            }
            None => text = String::from_utf8(self.body.clone()).expect("text"),
            Some(other) => panic!("an encoding that nobody asked for: {other}"),
        }
        text
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text()).expect("JSON")
    }

    /// What Composer would show.
    pub fn warning(&self) -> Option<String> {
        self.json().get("warning").and_then(|warning| warning.as_str()).map(str::to_owned)
    }

    /// Everything but what differs between any two answers.
    pub fn lasting(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "date" && name != "x-request-id");
        self.headers.sort();
        self
    }
}
