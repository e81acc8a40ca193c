//! Clients that are slow, broken or endless. Each keeps on until it is dropped or the server has had enough of it.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// What a bad client does.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Connects and says nothing.
    Silent,
    /// Asks once, and then sends the head of a request that never ends, a byte at a time.
    SlowHead,
    /// Sends the body of a webhook, a byte at a time.
    SlowBody,
    /// Downloads the largest archive, a kilobyte at a time.
    SlowReader,
    /// Asks for the largest archive again and again, and reads nothing.
    DeafReader,
    /// Leaves in the middle of a download, and comes again.
    Leaver,
    /// Sends what is not HTTP.
    Garbage,
    /// Sends a header of a megabyte.
    LongHeader,
    /// Sends a hundred thousand headers.
    ManyHeaders,
    /// Sends a webhook whose chunks never end.
    EndlessBody,
}

/// All of them.
pub const ALL: [Kind; 10] = [
    Kind::Silent,
    Kind::SlowHead,
    Kind::SlowBody,
    Kind::SlowReader,
    Kind::DeafReader,
    Kind::Leaver,
    Kind::Garbage,
    Kind::LongHeader,
    Kind::ManyHeaders,
    Kind::EndlessBody,
];

/// What bad clients know of the server.
#[derive(Clone)]
pub struct Target {
    pub authority: String,
    pub token: String,
    /// The path of the largest archive.
    pub archive: String,
    /// The path of a webhook.
    pub hook: String,
}

/// Starts `count` of each kind; they end when what is returned is dropped.
pub fn start(target: &Target, count: usize) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for kind in ALL {
        for _ in 0..count {
            let target = target.clone();
            tasks.spawn(async move {
                loop {
                    // Whatever it ended with, it comes again.
                    let _ = misbehave(kind, &target).await;
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            });
        }
    }
    tasks
}

async fn misbehave(kind: Kind, target: &Target) -> std::io::Result<()> {
    let mut socket = connect(target, kind).await?;
    let download = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
        target.archive, target.authority, target.token
    );
    let hook = |headers: &str| format!("POST {} HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n", target.hook);
    match kind {
        Kind::Silent => {}
        Kind::SlowHead => {
            socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await?;
            trickle(&mut socket, b"GET /healthz HTTP/1.1\r\nX-Slow: ").await?;
        }
        Kind::SlowBody => {
            socket.write_all(hook("Content-Length: 1000000").as_bytes()).await?;
            trickle(&mut socket, b"").await?;
        }
        Kind::SlowReader => {
            socket.write_all(download.as_bytes()).await?;
            let mut kilobyte = [0; 1024];
            while socket.read(&mut kilobyte).await? > 0 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        Kind::DeafReader => {
            for _ in 0..16 {
                socket.write_all(download.as_bytes()).await?;
            }
            std::future::pending::<()>().await;
        }
        Kind::Leaver => {
            socket.write_all(download.as_bytes()).await?;
            let mut some = [0; 4096];
            socket.read_exact(&mut some).await?;
            return Ok(());
        }
        Kind::Garbage => socket.write_all(&[0x16, 3, 1, 0, 0, 0, 0xff, b'\n', b'\n']).await?,
        Kind::LongHeader => {
            let head = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(1 << 20));
            socket.write_all(head.as_bytes()).await?;
        }
        Kind::ManyHeaders => {
            let head = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-Y: z\r\n".repeat(100_000));
            socket.write_all(head.as_bytes()).await?;
        }
        Kind::EndlessBody => {
            socket.write_all(hook("Transfer-Encoding: chunked").as_bytes()).await?;
            let chunk = format!("1000\r\n{}\r\n", "x".repeat(4096));
            loop {
                socket.write_all(chunk.as_bytes()).await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).await?;
    Ok(())
}

async fn connect(target: &Target, kind: Kind) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if matches!(kind, Kind::SlowReader | Kind::DeafReader) {
        // Little is taken by the system on its behalf.
        socket.set_recv_buffer_size(4096)?;
    }
    socket.connect(target.authority.parse().expect("an address")).await
}

/// A byte a second, for ever.
async fn trickle(socket: &mut TcpStream, first: &[u8]) -> std::io::Result<()> {
    socket.write_all(first).await?;
    loop {
        socket.write_all(b"x").await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
