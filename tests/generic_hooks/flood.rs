//! Whoever knows the address of one webhook and means ill: large, slow, endless and broken bodies, by the thousand. Memory stays
//! bounded, nothing panics, and the webhooks of others go on working.

use std::net::SocketAddr;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Request, Response};
use crate::world::World;

/// The largest body that is read.
const LARGEST: usize = 25 << 20;

/// What this process holds, in bytes. The server is within it.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("this is Linux");
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number") * 4096
}

/// Posts a body of so many bytes, which is nowhere whole in memory; its status, or none where the server hung up.
async fn pour(address: SocketAddr, hook: &str, start: &[u8], size: usize) -> Option<u16> {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let head = format!(
        "POST /hooks/{hook} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(start).await.ok()?;
    let piece = [b'['; 64 << 10];
    let mut left = size - start.len();
    while left > 0 {
        let now = left.min(piece.len());
        stream.write_all(&piece[..now]).await.ok()?;
        left -= now;
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    Some(Response::parse(&answer).status)
}

#[tokio::test]
async fn large_bodies_at_once_take_bounded_memory() {
    const AT_ONCE: usize = 24;
    let world = World::new().await;
    let before = resident();
    let pours = (0..AT_ONCE).map(|number| {
        let start: &[u8] = if number % 2 == 0 { b"payload=" } else { b"" };
        pour(world.address, &world.hook, start, LARGEST - number)
    });
    let watch = async {
        let mut most = 0;
        loop {
            most = most.max(resident());
            tokio::task::yield_now().await;
            if most > before + (500 << 20) {
                return most;
            }
        }
    };
    let answers = tokio::select! {
        answers = futures_util::future::join_all(pours) => answers,
        most = watch => panic!("it holds {} MiB more", (most - before) >> 20),
    };
    // Together they are 600 MiB.
    assert!(answers.iter().all(|status| matches!(status, Some(200 | 202))), "{answers:?}");
    assert_eq!(world.updates().await.len(), 1, "all of it is one piece of work");
}

/// A request that never ends: its head, and a little of its body.
async fn begin(address: SocketAddr, hook: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let head = format!("POST /hooks/{hook} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{{\"ref\":");
    stream.write_all(head.as_bytes()).await.expect("it is taken");
    stream
}

#[tokio::test]
async fn a_flood_at_one_hook_leaves_room_for_another() {
    const SLOW: usize = 120;
    const CALLS: usize = 3000;
    let world = World::new().await;
    let other = world.package_at("https://git.example.com/acme/other.git").await;
    let hook = world.hook_of(other).await;
    let mut slow = Vec::new();
    for _ in 0..SLOW {
        slow.push(begin(world.address, &world.hook).await);
    }
    let flood = async {
        let calls = (0..CALLS).map(|number| {
            let body = json!({ "after": format!("{number:040x}") }).to_string();
            let request = Request::new(world.address, "POST", &format!("/hooks/{}", world.hook));
            async move { request.body(body.as_bytes()).send().await.status }
        });
        let calls = futures_util::stream::iter(calls);
        futures_util::StreamExt::collect::<Vec<u16>>(futures_util::StreamExt::buffer_unordered(calls, 100)).await
    };
    let others = async {
        let mut statuses = Vec::new();
        for number in 0..20 {
            let body = json!({ "after": format!("{number:039x}f") }).to_string();
            let request = Request::new(world.address, "POST", &format!("/hooks/{hook}"));
            statuses.push(request.body(body.as_bytes()).send().await.status);
        }
        statuses
    };
    let (flooded, served) = tokio::join!(flood, others);
    assert!(served.iter().all(|status| *status == 202), "{served:?}");
    assert!(flooded.iter().all(|status| *status == 202), "what is too much is done later");
    let updates = world.updates().await;
    assert_eq!(updates.len(), 2, "each is one piece of work");
    let (_, waits) = updates.into_iter().find(|(package, _)| *package == other).expect("it waits");
    assert!(waits.contains(&format!("{:039x}f", 19)), "{waits:?}");
    assert_eq!(world.deliveries().await.len(), 50);
}

#[tokio::test]
async fn bodies_that_lie_about_themselves_do_no_harm() {
    let world = World::new().await;
    let head =
        |more: &str| format!("POST /hooks/{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n", world.hook);
    for (request, wanted) in [
        // A chunk that is longer than it says, none that is one, and one of more than there is room for: nothing can be
        // told where the next request begins, so that the connection ends.
        (head("Transfer-Encoding: chunked\r\n") + "2\r\n{}{}\r\n0\r\n\r\n", None),
        (head("Transfer-Encoding: chunked\r\n") + "zz\r\n{}\r\n0\r\n\r\n", None),
        (head("Transfer-Encoding: chunked\r\n") + "ffffffffffffffff0\r\n{}", None),
        (head("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n", Some(400)),
        (head("Transfer-Encoding: gzip, chunked\r\n") + "0\r\n\r\n", Some(400)),
        (head("Content-Length: -1\r\n"), Some(400)),
        (head("Content-Length: 2\r\nContent-Length: 3\r\n") + "{}x", Some(400)),
        (head("Content-Encoding: gzip\r\nContent-Length: 2\r\n") + "{}", Some(202)),
    ] {
        let mut stream = TcpStream::connect(world.address).await.expect("the server listens");
        stream.write_all(request.as_bytes()).await.expect("it is taken");
        let mut answer = Vec::new();
        // Whoever is hung up on may be told so.
        let _ = stream.read_to_end(&mut answer).await;
        let status = (!answer.is_empty()).then(|| Response::parse(&answer).status);
        assert_eq!(status, wanted, "{request:?}");
    }
    assert_eq!(world.post_with(&[], b"").await.status, 202, "it goes on");
    assert_eq!(world.updates().await.len(), 1);
}

#[tokio::test]
async fn what_breaks_off_is_looked_after() {
    let world = World::new().await;
    drop(begin(world.address, &world.hook).await);
    let found = tokio::time::timeout(std::time::Duration::from_secs(60), async {
        let mut work = world.appliance.work.clone();
        while world.updates().await.is_empty() {
            // A change may be told before this watch began; the time-out makes up for it.
            let _ = tokio::time::timeout(std::time::Duration::from_millis(100), work.changed()).await;
        }
    });
    found.await.expect("a call that breaks off is news too");
}
