//! Telling clients of HTTP/2 how many requests they may have at once, and how long their headers may be.
//!
//! The server's HTTP/2 announces neither and cannot be told to (actix-http 3.20 builds it where nobody reaches it), so
//! a client may take both for unlimited. So the two settings are added to its first frame, which is `SETTINGS`
//! (RFC 9113 section 3.4), on the way out. Whoever does not keep to them is cut, or refused, by [`super::Link`] and
//! the wrapper around requests.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

/// Requests at once that a client is told it may have: RFC 9113 section 6.5.2 recommends no fewer than 100.
pub(super) const MOST: u32 = 128;
/// Longest header section that a client is told of, in bytes.
pub(in crate::http) const LONGEST_HEADERS: usize = 64 << 10;

/// Bytes of a frame's head (RFC 9113 section 4.1).
const HEAD: usize = 9;
const SETTINGS: u8 = 4;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const MAX_HEADER_LIST_SIZE: u16 = 6;

/// How far the first frame is on its way.
#[derive(Default)]
pub(super) enum Greeting {
    /// Nothing was written yet.
    #[default]
    Unsaid,
    /// The frame as it goes out, how much of it has gone, and how long it came in.
    Saying(Vec<u8>, usize, usize),
    /// It has gone; what follows passes unchanged.
    Said,
}

impl Greeting {
    /// Writes, with the settings in the first frame.
    pub(super) fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        mut io: Pin<&mut W>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Self::Unsaid = self {
            *self = match amended(buffer) {
                Some((frame, length)) => Self::Saying(frame, 0, length),
                None => Self::Said,
            };
        }
        if let Self::Saying(frame, gone, length) = self {
            while *gone < frame.len() {
                let written = ready!(io.as_mut().poll_write(cx, &frame[*gone..]))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                *gone += written;
            }
            let length = *length;
            *self = Self::Said;
            return Poll::Ready(Ok(length));
        }
        io.poll_write(cx, buffer)
    }
}

/// The first frame with our settings at its end, and how long it was without; none if it is not what it should be.
fn amended(buffer: &[u8]) -> Option<(Vec<u8>, usize)> {
    let head: &[u8; HEAD] = buffer.first_chunk()?;
    let payload = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    let frame = buffer.get(..HEAD + payload)?;
    // No flags: one that acknowledges has no settings.
    if head[3] != SETTINGS || head[4] != 0 {
        return None;
    }
    let mut amended = frame.to_vec();
    let longest = u32::try_from(LONGEST_HEADERS).unwrap_or(u32::MAX);
    for (name, value) in [(MAX_CONCURRENT_STREAMS, MOST), (MAX_HEADER_LIST_SIZE, longest)] {
        amended.extend_from_slice(&name.to_be_bytes());
        amended.extend_from_slice(&value.to_be_bytes());
    }
    let payload = u32::try_from(amended.len() - HEAD).ok()?.to_be_bytes();
    amended[..3].copy_from_slice(&payload[1..]);
    Some((amended, frame.len()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{Greeting, amended};
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    /// A frame with one setting, followed by the beginning of another frame.
    const SENT: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 16, 0, 0, 0, 0, 4, 8];

    #[test]
    fn the_settings_come_last() {
        let (frame, length) = amended(SENT).unwrap();
        assert_eq!(length, 15);
        assert_eq!(frame[..9], [0, 0, 18, 4, 0, 0, 0, 0, 0]);
        assert_eq!(frame[9..15], SENT[9..15]);
        assert_eq!(frame[15..], [0, 3, 0, 0, 0, 128, 0, 6, 0, 1, 0, 0]);
    }

    #[test]
    fn other_frames_pass() {
        assert!(amended(&[]).is_none() && amended(&SENT[..14]).is_none());
        assert!(amended(&[0, 0, 0, 4, 1, 0, 0, 0, 0]).is_none(), "an acknowledgement");
        assert!(amended(&[0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1]).is_none(), "a window update");
    }

    #[test]
    fn what_follows_is_unchanged_however_it_is_taken() {
        let mut greeting = Greeting::default();
        let mut context = Context::from_waker(Waker::noop());
        let mut taken = Vec::new();
        let mut rest = SENT;
        while !rest.is_empty() {
            let Poll::Ready(Ok(written)) = greeting.poll_write(Pin::new(&mut taken), &mut context, rest) else {
                panic!("a vector takes everything");
            };
            rest = &rest[written..];
        }
        assert_eq!(taken.len(), SENT.len() + 12);
        assert_eq!(taken[27..], SENT[15..]);
    }
}
