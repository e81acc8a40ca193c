//! Reading what a platform sends, however much it is, in bounded memory and time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::web;
use bytes::BytesMut;
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::rate::Seat;

/// Bodies above this are read and dropped: GitHub's limit.
const LARGEST: usize = 25 << 20;
/// What is not read any more: the call is answered and its connection closed.
const ENDLESS: u64 = 512 << 20;
/// How long a body may take; then the work is queued without it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take where too many come to one hook: honest callers have theirs ready.
const IMPATIENCE: Duration = Duration::from_secs(5);
/// Bytes that all bodies together may hold in memory; beyond it, they are dropped as if they were too large.
const TOGETHER: usize = 96 << 20;
/// Bytes that the bodies of one package's hook may hold: two of the largest.
const OF_ONE: usize = 50 << 20;

/// Bodies up to this are looked through at once.
pub(super) const SHORT: usize = 64 << 10;

/// Bytes that bodies hold in memory now. One number for the process, added to and taken from by every call.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// What was read.
pub(super) struct Body {
    /// The bytes; none if there were too many, or they did not come.
    content: Option<BytesMut>,
    /// How many there were.
    pub(super) size: u64,
    share: Share,
}

impl Body {
    /// The bytes, once.
    pub(super) fn take(&mut self) -> Option<BytesMut> {
        self.content.take()
    }
}

/// A body's share of [`TOGETHER`], and of its hook's own part, given back when the body goes.
struct Share {
    bytes: usize,
    own: Option<Arc<AtomicUsize>>,
}

impl Share {
    /// Takes room for more bytes, if there is any.
    fn grow(&mut self, by: usize) -> bool {
        if !take(&HELD, by, TOGETHER) {
            return false;
        }
        if self.own.as_ref().is_some_and(|own| !take(own, by, OF_ONE)) {
            HELD.fetch_sub(by, Ordering::Relaxed);
            return false;
        }
        self.bytes += by;
        true
    }

    /// Gives all of it back.
    fn clear(&mut self) {
        HELD.fetch_sub(self.bytes, Ordering::Relaxed);
        if let Some(own) = &self.own {
            own.fetch_sub(self.bytes, Ordering::Relaxed);
        }
        self.bytes = 0;
    }
}

/// Adds to what is held, if that is not too much.
fn take(held: &AtomicUsize, by: usize, most: usize) -> bool {
    let is_taken = held.fetch_add(by, Ordering::Relaxed) + by <= most;
    if !is_taken {
        held.fetch_sub(by, Ordering::Relaxed);
    }
    is_taken
}

impl Drop for Share {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Reads a body to its end; it never fails, because the call alone is news enough.
pub(super) async fn read(payload: web::Payload) -> Body {
    read_within(payload, PATIENCE, None).await
}

/// The same for a call of a package's hook.
pub(super) async fn read_at(payload: web::Payload, seat: &Seat) -> Body {
    let patience = if seat.is_crowded { IMPATIENCE } else { PATIENCE };
    read_within(payload, patience, Some(Arc::clone(&seat.held))).await
}

async fn read_within(mut payload: web::Payload, patience: Duration, own: Option<Arc<AtomicUsize>>) -> Body {
    let mut body = Body { content: Some(BytesMut::new()), size: 0, share: Share { bytes: 0, own } };
    let deadline = Instant::now() + patience;
    loop {
        let chunk = match timeout_at(deadline, payload.next()).await {
            Ok(Some(Ok(chunk))) => chunk,
            Ok(None) => return body,
            // Broken off, or too slow: half a body tells nothing.
            Ok(Some(Err(_))) | Err(_) => {
                body.content = None;
                return body;
            }
        };
        body.size += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        if let Some(content) = &mut body.content {
            if content.len() + chunk.len() <= LARGEST && body.share.grow(chunk.len()) {
                content.extend_from_slice(&chunk);
            } else {
                body.content = None;
                body.share.clear();
            }
        }
        if body.size > ENDLESS {
            return body;
        }
    }
}
