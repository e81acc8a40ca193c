//! From an accepted socket to a stream that HTTP is spoken on.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_http::Protocol;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::stream::{Seated, Stream};
use super::{Connections, count_refusal};

/// How long a client may take to agree on TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the system goes on with a peer that confirms nothing that it was sent, in milliseconds; after that its
/// connection is broken, also where the peer is there and its window stays closed (`TCP_USER_TIMEOUT`, RFC 5482).
const UNCONFIRMED: u32 = 60_000;
/// How long a client that speaks plain HTTP may take to read that it should not.
const FAREWELL: Duration = Duration::from_secs(2);
/// What HTTPS calls HTTP/2 (RFC 7540 section 3.1).
const H2: &[u8] = b"h2";

/// What TLS begins with (RFC 8446 section 5.1).
const HANDSHAKE_RECORD: u8 = 22;

/// What is answered where HTTPS is spoken and something else came.
const NOT_TLS: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n\
    Content-Length: 151\r\n\r\n\
    {\"status\":\"error\",\"message\":\"This port speaks HTTPS.\",\"warning\":\"This port speaks HTTPS, and plain HTTP \
    came: write https:// in the address instead.\"}\n";

/// Seats a connection and, where there is a certificate, agrees on TLS.
///
/// # Errors
/// If there is no room, or no TLS came of it. Nobody needs to hear of either; both are counted.
pub(in crate::http) async fn accept(
    io: TcpStream,
    connections: Arc<Connections>,
    tls: Option<Arc<ServerConfig>>,
) -> io::Result<(Stream, Protocol, Option<SocketAddr>)> {
    let seat = connections.enter().ok_or(io::ErrorKind::QuotaExceeded)?;
    let peer = io.peer_addr().ok();
    io.set_nodelay(true)?;
    rustix::net::sockopt::set_tcp_user_timeout(&io, UNCONFIRMED)?;
    let io = Seated::new(io, seat);
    let Some(tls) = tls else { return Ok((Stream::plain(io), Protocol::Http1, peer)) };
    match timeout(HANDSHAKE, handshake(io, tls)).await {
        Ok(Ok((stream, protocol))) => Ok((stream, protocol, peer)),
        Ok(Err(error)) => {
            count_refusal("handshake");
            tracing::debug!(%error, "A connection came to no TLS.");
            Err(error)
        }
        Err(_) => {
            count_refusal("handshake");
            Err(io::ErrorKind::TimedOut.into())
        }
    }
}

async fn handshake(mut io: Seated, tls: Arc<ServerConfig>) -> io::Result<(Stream, Protocol)> {
    // Looked at beforehand: TLS would answer with an alert, which no client of plain HTTP understands.
    if io.first_byte().await? != HANDSHAKE_RECORD {
        refuse(io).await;
        return Err(io::Error::new(io::ErrorKind::InvalidData, "what came is not TLS"));
    }
    let stream = TlsAcceptor::from(tls).accept(io).await?;
    if stream.get_ref().1.alpn_protocol() == Some(H2) {
        Ok((Stream::http2(stream), Protocol::Http2))
    } else {
        Ok((Stream::tls(stream), Protocol::Http1))
    }
}

/// Tells what is wrong, and reads on until it was taken: closing before would make the system throw the answer away.
async fn refuse(mut io: Seated) {
    let _ = timeout(FAREWELL, async {
        io.write_all(NOT_TLS.as_bytes()).await?;
        io.shutdown().await?;
        let mut rest = [0; 1024];
        while io.read(&mut rest).await? > 0 {}
        Ok::<_, io::Error>(())
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::NOT_TLS;

    #[test]
    fn the_answer_to_plain_http_is_whole() {
        let (head, body) = NOT_TLS.split_once("\r\n\r\n").expect("a head");
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "it has {}", body.len());
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
