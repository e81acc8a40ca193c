//! What happens while somebody looks: server-sent events for pages that show work under way.
//!
//! Nothing is polled: a listener looks at the database again when the queue of work rang its bell. There are bounded many
//! listeners, each ends when its client goes, after a while by itself (the browser comes again), and when the server stops.
//! A page is complete without this.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use bytes::Bytes;
use futures_util::stream;
use maud::Markup;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout_at};

use super::cache::Cache;
use super::{Error, State};

/// How many may listen at once.
const LISTENERS: usize = 200;
/// How long nothing is sent at most: proxies cut connections on which nothing happens.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How soon the next look follows one, however often the bell rings.
const PAUSE: Duration = Duration::from_millis(150);
/// How long one connection is held; the browser makes a new one.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// Proxies that gather what they pass on would keep events from whoever waits for them.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// Who listens, and whether they have to go.
pub(super) struct Listeners {
    places: Arc<Semaphore>,
    /// True once the server stops.
    stop: watch::Sender<bool>,
}

impl Default for Listeners {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(LISTENERS)), stop: watch::Sender::new(false) }
    }
}

impl Listeners {
    /// Ends every listener.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }
}

/// A part of the page that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    id: &'static str,
    html: String,
    append: bool,
}

impl Message {
    /// Puts `html` in the place of the element `id`, which it contains again.
    #[must_use]
    pub fn replace(id: &'static str, html: Markup) -> Self {
        Self { id, html: html.into_string(), append: false }
    }

    /// Puts `html` at the end of the element `id`.
    #[must_use]
    pub fn append(id: &'static str, html: Markup) -> Self {
        Self { id, html: html.into_string(), append: true }
    }

    fn event(&self) -> Bytes {
        let mode = if self.append { "append" } else { "replace" };
        // JSON has no line breaks of its own, so that one line holds it.
        Bytes::from(format!("data: {}\n\n", json!({ "id": self.id, "html": self.html, "mode": mode })))
    }
}

/// What a look at the work found.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// What there is to show; what was sent last is not sent again.
    pub messages: Vec<Message>,
    /// Whether it is over, so that the page is loaded once more.
    pub over: bool,
}

/// Answers with events: what `look` finds now, and whenever the queue of work changes.
pub fn stream<F, L, E>(state: &State, look: L) -> HttpResponse
where
    L: Fn() -> F + 'static,
    F: Future<Output = Result<Look, E>> + 'static,
{
    let Ok(place) = Arc::clone(&state.live.places).try_acquire_owned() else {
        return Error::Busy(
            30,
            "Too many pages are being watched: this one shows what is new when it is loaded again.",
        )
        .response();
    };
    let listener = Listener {
        look,
        work: state.appliance.work.clone(),
        stop: state.live.stop.subscribe(),
        waiting: VecDeque::from([Bytes::from_static(b"retry: 3000\n\n")]),
        last: Vec::new(),
        until: Instant::now() + LONGEST,
        looked: false,
        over: false,
        _place: place,
    };
    let events = stream::unfold(listener, |mut listener| async move {
        let bytes = listener.next().await?;
        Some((Ok::<_, io::Error>(bytes), listener))
    });
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/event-stream")))
        .insert_header((CACHE_CONTROL, Cache::Never.header()))
        .insert_header((X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .insert_header(UNBUFFERED)
        .streaming(events)
}

/// One client.
struct Listener<L> {
    look: L,
    work: watch::Receiver<u64>,
    stop: watch::Receiver<bool>,
    waiting: VecDeque<Bytes>,
    last: Vec<Message>,
    until: Instant,
    looked: bool,
    over: bool,
    _place: OwnedSemaphorePermit,
}

impl<F, L, E> Listener<L>
where
    L: Fn() -> F,
    F: Future<Output = Result<Look, E>>,
{
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.waiting.pop_front() {
                return Some(bytes);
            }
            if self.over || *self.stop.borrow() || Instant::now() >= self.until {
                return None;
            }
            if self.looked && !self.rang().await {
                return (!*self.stop.borrow()).then(|| Bytes::from_static(b": still here\n\n"));
            }
            self.looked = true;
            self.work.borrow_and_update();
            // What cannot be read now is not told; the browser comes again.
            let look = (self.look)().await.ok()?;
            for message in &look.messages {
                if !self.last.contains(message) {
                    self.waiting.push_back(message.event());
                }
            }
            self.last = look.messages;
            if look.over {
                self.waiting.push_back(Bytes::from_static(b"event: end\ndata: {}\n\n"));
                self.over = true;
            }
        }
    }

    /// Whether the queue of work changed before it is time for a heartbeat, or the end.
    async fn rang(&mut self) -> bool {
        let (began, until) = (Instant::now(), self.until);
        tokio::select! {
            rang = timeout_at((began + HEARTBEAT).min(until), self.work.changed()) => {
                if !matches!(rang, Ok(Ok(()))) {
                    return false;
                }
            }
            _ = self.stop.wait_for(|stop| *stop) => return false,
        }
        tokio::select! {
            () = tokio::time::sleep_until(began + PAUSE) => true,
            _ = self.stop.wait_for(|stop| *stop) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use maud::html;

    use super::Message;

    #[test]
    fn an_event_is_one_line_of_json() {
        let message = Message::replace("x", html! { p { "a\nb" } });
        assert_eq!(message.event(), "data: {\"id\":\"x\",\"html\":\"<p>a\\nb</p>\",\"mode\":\"replace\"}\n\n");
    }
}
