//! How often answering allocates: `cargo bench --bench allocations`, one line of JSON for each case.
//!
//! The whole server runs in this process under an allocator that counts, and so does a client that allocates nothing:
//! what is counted between the first and the last request is what the requests cost. It is a program of its own,
//! because the executable has no such allocator.

#[path = "../http_support/client.rs"]
#[expect(dead_code, reason = "this program sends bytes that it made before")]
mod client;
#[path = "../support/instance.rs"]
mod instance;
#[path = "../http_support/world.rs"]
#[expect(dead_code, reason = "tests use more of it")]
mod world;

use std::alloc::System;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Requests before counting starts: whatever is made once, is made by then.
const WARM_UP: usize = 200;
/// Requests that are counted.
const REQUESTS: usize = 2000;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let world = runtime.block_on(world::world());
    let document = "/repo/acme/p2/acme/lib.json";
    let own = format!("Authorization: {}\r\n", world::basic("token", &world.reader));
    let date = date_of(&runtime, &world, document);
    let archive = format!("/repo/acme/dists/acme/lib/{}.zip", world::STORED);
    let unknown = format!("Authorization: {}\r\n", world::basic("token", &format!("{}x", world.reader)));
    for (case, path, headers) in [
        ("document", document, own.clone()),
        ("304", document, format!("{own}If-Modified-Since: {date}\r\n")),
        ("packages.json", "/repo/acme/packages.json", own.clone()),
        ("archive", archive.as_str(), own.clone()),
        ("absent name", "/repo/acme/p2/acme/absent.json", own),
        ("wrong token", document, unknown),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n{headers}\r\n");
        measure(case, world.address, request.as_bytes());
    }
}

fn date_of(runtime: &tokio::runtime::Runtime, world: &world::World, path: &str) -> String {
    let response = runtime.block_on(world.get(&world.reader, path));
    response.header("last-modified").expect("documents are dated").to_owned()
}

fn measure(case: &str, address: SocketAddr, request: &[u8]) {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    let mut buffer = vec![0; 1 << 20];
    for _ in 0..WARM_UP {
        exchange(&mut stream, request, &mut buffer);
    }
    let region = Region::new(ALLOCATOR);
    for _ in 0..REQUESTS {
        exchange(&mut stream, request, &mut buffer);
    }
    let change = region.change();
    let each = |count: usize| count as f64 / REQUESTS as f64;
    println!(
        r#"{{"case": "{case}", "allocations": {:.2}, "reallocations": {:.2}, "bytes": {:.0}}}"#,
        each(change.allocations),
        each(change.reallocations),
        each(change.bytes_allocated)
    );
}

/// Sends the request and reads its answer to the end, into memory that is there already.
fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut [u8]) {
    stream.write_all(request).expect("the server reads");
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).expect("the server answers");
        assert!(read > 0, "the server hung up");
        filled += read;
        let Some(end) = find(&buffer[..filled], b"\r\n\r\n") else { continue };
        let length = find(&buffer[..end], b"content-length: ").map_or(0, |at| number(&buffer[at + 16..end]));
        if filled >= end + 4 + length {
            return;
        }
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window.eq_ignore_ascii_case(wanted))
}

fn number(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).fold(0, |sum, byte| sum * 10 + usize::from(byte - b'0'))
}
