//! Too many clients, useless ones, and those that speak the wrong language: what they cost the others.

use std::time::{Duration, Instant};

use futures_util::future::select_all;
use packagist_selfhosted::http::connections::{Limits, Load};
use packagist_selfhosted::http::{Settings, TlsFiles};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::Response;
use crate::http2::{Connection, Frame};
use crate::world::{World, world, world_with};

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

fn few(settings: &mut Settings) {
    settings.limits = Limits { connections: 4, reserve: 3, downloads: 1 };
}

fn with_tls(settings: &mut Settings, folder: &std::path::Path) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let files = TlsFiles { certificate: folder.join("tls.crt"), private_key: folder.join("tls.key") };
    std::fs::write(&files.certificate, made.cert.pem()).expect("written");
    std::fs::write(&files.private_key, made.signing_key.serialize_pem()).expect("written");
    settings.tls = Some(files);
}

/// A client that has sent the head of a webhook and keeps its body to itself: busy for as long as the test wants.
async fn busy(world: &World, hook: &str) -> TcpStream {
    let mut stream = TcpStream::connect(world.address).await.expect("the server listens");
    let head = format!("POST /hooks/{hook} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut continued = [0; 25];
    stream.read_exact(&mut continued).await.expect("the server wants the body");
    assert_eq!(&continued, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

/// A client that asked something, was answered, and stays.
async fn idle(world: &World) -> TcpStream {
    let mut stream = TcpStream::connect(world.address).await.expect("the server listens");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"alive\n") {
        assert_ne!(stream.read_buf(&mut answer).await.expect("answered"), 0);
    }
    stream
}

async fn ended(mut stream: TcpStream) {
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    // Reset or closed: it is gone either way.
    assert!(ended.is_ok(), "the connection stays open");
}

#[tokio::test]
async fn who_is_busy_is_served_and_who_comes_then_is_told_to_come_again_but_webhooks_and_probes_are_answered() {
    let world = world_with(|settings, _| few(settings)).await;
    let hook = world.hook().await.0;
    let mut taken = Vec::new();
    for _ in 0..4 {
        taken.push(busy(&world, &hook).await);
    }
    let refused = world.get(&world.reader, "/repo/acme/packages.json").await;
    assert_eq!((refused.status, refused.header("retry-after").as_deref()), (503, Some("5")));
    assert_eq!(refused.header("content-type").as_deref(), Some("application/json"));
    assert_eq!(refused.header("connection").as_deref(), Some("close"));
    assert!(refused.warning().expect("Composer shows it").contains("Try again in 5 seconds"), "{}", refused.text());
    assert_eq!(world.anonymous("POST", &format!("/hooks/{hook}")).body(b"{}").send().await.status, 202);
    for probe in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(world.anonymous("GET", probe).send().await.status, 200, "{probe}");
    }
    let metrics = world.anonymous("GET", "/metrics").send().await.text();
    assert!(metrics.contains("http_refusals_total{reason=\"crowded\"}"), "{metrics}");
    assert_eq!(world.server.load().requests, 4);
    for mut stream in taken {
        stream.write_all(b"{}").await.expect("sent");
        let mut answer = vec![0; 4096];
        let length = stream.read(&mut answer).await.expect("answered");
        assert_eq!(Response::parse(&answer[..length]).status, 202, "the crowd did not harm who was there");
    }
    assert_eq!(world.get(&world.reader, "/repo/acme/packages.json").await.status, 200, "there is room again");
}

#[tokio::test]
async fn beyond_the_reserve_connections_are_closed_and_accepted_again_when_there_is_room() {
    let world = world_with(|settings, _| few(settings)).await;
    let hook = world.hook().await.0;
    let mut taken = Vec::new();
    for _ in 0..7 {
        taken.push(busy(&world, &hook).await);
    }
    ended(TcpStream::connect(world.address).await.expect("the system accepts it")).await;
    drop(taken);
    let started = Instant::now();
    while idle_or_none(&world).await != Some(200) {
        assert!(started.elapsed() < PATIENCE, "there is no room although everybody left");
    }
}

async fn idle_or_none(world: &World) -> Option<u16> {
    let mut stream = TcpStream::connect(world.address).await.ok()?;
    stream.write_all(b"GET /repo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    // Not 503: the request was looked at, and lacks a token.
    answer.starts_with(b"HTTP/1.1 401").then_some(200)
}

#[tokio::test]
async fn idle_connections_make_room() {
    let world = world_with(|settings, _| few(settings)).await;
    let mut idlers = Vec::new();
    for _ in 0..4 {
        idlers.push(idle(&world).await);
    }
    let started = Instant::now();
    // They may be cut once they were idle for a second.
    while world.get(&world.reader, "/repo/acme/packages.json").await.status != 200 {
        assert!(started.elapsed() < PATIENCE, "nobody makes room");
        tokio::task::yield_now().await;
    }
    // Any of them: they may have fallen idle within the same millisecond.
    select_all(idlers.into_iter().map(|idler| Box::pin(ended(idler)))).await;
}

#[tokio::test]
async fn plain_http_where_https_is_spoken_is_told_so() {
    let world = world_with(with_tls).await;
    let mut stream = TcpStream::connect(world.address).await.expect("the server listens");
    stream.write_all(b"GET /repo/acme/packages.json HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("answered");
    assert!(answer.starts_with(b"HTTP/1.1 400"), "nothing of TLS before it: {answer:?}");
    let answer = Response::parse(&answer);
    assert!(answer.warning().expect("Composer shows it").contains("https://"));
    let mut stream = TcpStream::connect(world.address).await.expect("the server listens");
    stream.write_all(&[0x16, 3, 1, 0xff, 0xff, 0, 0, 0, 0]).await.expect("sent");
    stream.write_all(&[0; 2000]).await.expect("sent");
    ended(stream).await;
}

#[tokio::test]
async fn a_stopping_server_waits_for_no_idle_connection() {
    for tls in [false, true] {
        let world = if tls { world_with(with_tls).await } else { world().await };
        if tls {
            let mut connection = Connection::open(world.address).await;
            connection.request(1, "GET", "/healthz", true).await;
            assert!(matches!(connection.next().await, Some(Frame { kind: 1, .. })), "an answer");
            stop(world).await;
            while connection.next().await.is_some() {}
        } else {
            let idler = idle(&world).await;
            stop(world).await;
            ended(idler).await;
        }
    }
}

async fn stop(world: World) {
    // Without care, connections that keep alive would hold it for all of its grace, which is 30 seconds.
    tokio::time::timeout(Duration::from_secs(20), world.server.stop()).await.expect("it stops before its grace ends");
}

#[tokio::test]
async fn clients_of_http2_are_told_how_much_they_may_and_cut_when_they_do_not_keep_to_it() {
    let world = world_with(with_tls).await;
    let hook = world.hook().await.0;
    let mut connection = Connection::open(world.address).await;
    let settings = connection.settings.clone();
    assert!(settings.contains(&(3, 128)) && settings.contains(&(6, 65_536)), "{settings:?}");
    // Requests whose bodies never come.
    for stream in 0..400 {
        connection.request(1 + 2 * stream, "POST", &format!("/hooks/{hook}"), false).await;
    }
    while connection.next().await.is_some() {}
    let mut other = Connection::open(world.address).await;
    other.request(1, "GET", "/healthz", true).await;
    assert_eq!(other.next().await.expect("an answer").kind, 1);
}

#[tokio::test]
async fn a_bomb_of_headers_is_refused() {
    let world = world_with(with_tls).await;
    let mut connection = Connection::open(world.address).await;
    // One long value goes into the table, and is then named a thousand times by a byte each.
    connection.bomb(1, "/healthz", 1000).await;
    let mut refused = false;
    while let Some(frame) = connection.next().await {
        // Told in the answer's body, or by giving up the stream or the connection.
        refused |= matches!(frame.kind, 3 | 7) || frame.payload.windows(16).any(|text| text == b"too many headers");
        if refused || frame.flags & 1 != 0 {
            break;
        }
    }
    assert!(refused, "a megabyte of headers was taken");
}

#[tokio::test]
async fn requests_that_are_taken_back_at_once_cost_nothing_lasting() {
    let world = world_with(with_tls).await;
    let mut connection = Connection::open(world.address).await;
    for stream in 0..2000 {
        if !connection.request(1 + 2 * stream, "GET", "/healthz", true).await {
            break;
        }
        connection.reset(1 + 2 * stream).await;
    }
    drop(connection);
    let started = Instant::now();
    while world.server.load() != (Load { connections: 0, requests: 0, downloads: 0 }) {
        assert!(started.elapsed() < PATIENCE, "{:?}", world.server.load());
        tokio::task::yield_now().await;
    }
}
