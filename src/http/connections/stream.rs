//! The bytes of a connection, which end when the connection is cut.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::streams::Greeting;
use super::{Link, Seat};

/// A socket with its seat.
pub(super) struct Seated {
    io: TcpStream,
    seat: Seat,
}

impl Seated {
    pub(super) fn new(io: TcpStream, seat: Seat) -> Self {
        Self { io, seat }
    }

    /// Does something with the socket, unless the connection is cut, before or while it waits.
    fn unless_cut<T>(
        &mut self,
        context: &mut Context<'_>,
        step: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let link = &self.seat.0;
        if !link.is_cut() {
            let done = step(Pin::new(&mut self.io), context);
            if done.is_ready() {
                return done;
            }
            // One task reads and writes a connection, so there is one waker to keep. First kept, then asked: whoever
            // cuts in between has woken it.
            link.waker.register(context.waker());
            if !link.is_cut() {
                return Poll::Pending;
            }
        }
        Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
    }
}

impl Seated {
    /// The first byte that came, which stays to be read.
    pub(super) async fn first_byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        let length = poll_fn(|cx| self.unless_cut(cx, |io, cx| io.poll_peek(cx, &mut ReadBuf::new(&mut byte)))).await?;
        if length == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(byte[0]) }
    }
}

impl AsyncRead for Seated {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.unless_cut(cx, |io, cx| io.poll_read(cx, buf))
    }
}

impl AsyncWrite for Seated {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.unless_cut(cx, |io, cx| io.poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.unless_cut(cx, |io, cx| io.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.unless_cut(cx, |io, cx| io.poll_shutdown(cx))
    }
}

/// What HTTP is spoken on.
pub(in crate::http) struct Stream(Kind);

enum Kind {
    Plain(Seated),
    Tls(Box<TlsStream<Seated>>),
    Http2(Box<TlsStream<Seated>>, Greeting),
}

impl Stream {
    pub(super) fn plain(io: Seated) -> Self {
        Self(Kind::Plain(io))
    }

    pub(super) fn tls(io: TlsStream<Seated>) -> Self {
        Self(Kind::Tls(Box::new(io)))
    }

    pub(super) fn http2(io: TlsStream<Seated>) -> Self {
        Self(Kind::Http2(Box::new(io), Greeting::default()))
    }

    /// Its connection.
    pub(in crate::http) fn link(&self) -> Arc<Link> {
        let seated = match &self.0 {
            Kind::Plain(io) => io,
            Kind::Tls(io) | Kind::Http2(io, _) => io.get_ref().0,
        };
        Arc::clone(&seated.seat.0)
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Kind::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Kind::Tls(io) | Kind::Http2(io, _) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Kind::Plain(io) => Pin::new(io).poll_write(cx, buf),
            Kind::Tls(io) => Pin::new(io).poll_write(cx, buf),
            Kind::Http2(io, greeting) => greeting.poll_write(Pin::new(io), cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Kind::Plain(io) => Pin::new(io).poll_flush(cx),
            Kind::Tls(io) | Kind::Http2(io, _) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Kind::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Kind::Tls(io) | Kind::Http2(io, _) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
