//! A platform of a few pages, on loopback, for tests of what is asked of it and what is made of what it says.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub method: String,
    pub path: String,
    pub headers: HashMap<String, String>,
    pub body: Value,
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

pub(super) fn says(status: u16, body: &Value) -> Said {
    Said {
        status,
        headers: vec![("content-type", "application/json; charset=utf-8".to_owned())],
        body: body.to_string(),
    }
}

impl Said {
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What is at which address, and what to say before that: one refusal after the other.
#[derive(Default)]
pub(super) struct World {
    pages: HashMap<String, Said>,
    before: HashMap<String, Vec<Said>>,
    pub asked: Vec<Asked>,
}

pub(super) struct Scripted {
    world: Arc<Mutex<World>>,
    pub url: String,
}

impl Scripted {
    /// A platform whose API is below `root`.
    pub(super) fn start(root: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let world = Arc::new(Mutex::new(World::default()));
        let shared = Arc::clone(&world);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let world = Arc::clone(&shared);
                std::thread::spawn(move || answer(stream, root, &world));
            }
        });
        Self { world, url }
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Puts something at `METHOD /path?query`, below the API's root.
    pub(super) fn put(&self, at: &str, said: Said) {
        self.world().pages.insert(at.to_owned(), said);
    }

    pub(super) fn get(&self, path: &str, body: &Value) {
        self.put(&format!("GET {path}"), says(200, body));
    }

    /// Says this first, once.
    pub(super) fn first(&self, at: &str, said: Said) {
        self.world().before.entry(at.to_owned()).or_default().push(said);
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.world().asked.iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect()
    }

    pub(super) fn count(&self, at: &str) -> usize {
        self.asked().iter().filter(|asked| *asked == at).count()
    }
}

fn answer(mut stream: TcpStream, root: &str, world: &Mutex<World>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let path = target.strip_prefix(root).unwrap_or("outside of the API").to_owned();
    let asked = Asked { method, path, headers, body: serde_json::from_slice(&body).unwrap_or_default() };
    let said = said(world, asked);
    let mut text =
        format!("HTTP/1.1 {} X\r\nconnection: close\r\ncontent-length: {}\r\n", said.status, said.body.len());
    for (name, value) in &said.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{text}\r\n{}", said.body).as_bytes()).ok()
}

fn said(world: &Mutex<World>, asked: Asked) -> Said {
    let mut world = world.lock().unwrap();
    let at = format!("{} {}", asked.method, asked.path);
    let etag = asked.headers.get("if-none-match").cloned();
    world.asked.push(asked);
    if let Some(before) = world.before.get_mut(&at).filter(|before| !before.is_empty()) {
        return before.remove(0);
    }
    let found = world.pages.get(&at).cloned();
    let found = found.unwrap_or_else(|| says(404, &json!({ "message": "Not Found" })));
    // Names of states are those of what is said.
    let own = format!("\"{:x}\"", found.body.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte)));
    if found.status == 200 && etag.as_deref() == Some(&own) {
        return Said { status: 304, headers: Vec::new(), body: String::new() };
    }
    found.with("etag", own)
}
