//! Files that pages send (`multipart/form-data`, RFC 7578): streamed to the disk, a piece at a time, in bounded memory.
//!
//! Of such a form only the first part is read before it is known that the person may send it: the token that says that it comes
//! from a page of ours. Nothing is stored before, and what was stored is gone when the request ends without being done.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{self, Stream, StreamExt};
use multer::{Constraints, Field, Multipart, SizeLimit};
use tempfile::TempPath;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{self, Receiver};

use super::page_error::{FormFault, PageError};
use super::{State, csrf, form};
use crate::store;

/// The encoding of forms with files.
pub(super) const KIND: &str = "multipart/form-data";
/// Most bytes of a part that is no file.
const LONGEST: u64 = 64 << 10;
/// The field with the files.
const FILES: &str = "files";
/// How many files and fields one form may have.
const MOST: usize = 100;
/// How many parts are looked at of one that has more.
const PARTS: u64 = 2_000;
/// How many forms with files are taken at once; the others wait, and their senders with them.
const AT_ONCE: usize = 4;
/// How many times more than may be is read of a form that is too large, and dropped, so that its sender sees why: browsers look
/// at no answer before they have sent everything.
const TOLERANCE: u64 = 16;
/// How long a sender may stay silent.
const IDLE: Duration = Duration::from_secs(60);

/// A form with files, of which only the token was read.
pub(super) struct Parts(Multipart<'static>);

impl Parts {
    /// Reads the first part of a form, which has to be the token; the token.
    pub(super) async fn begin(kind: &str, payload: Payload, most: u64) -> Result<(Self, String), PageError> {
        let unreadable = || PageError::Form(FormFault::Unreadable);
        let boundary = multer::parse_boundary(kind).map_err(|_| unreadable())?;
        let whole = most.saturating_mul(TOLERANCE);
        let sizes = SizeLimit::new().whole_stream(whole).per_field(LONGEST).for_field(FILES, whole);
        let (sender, receiver) = mpsc::channel(1);
        actix_web::rt::spawn(pump(payload, sender));
        let constraints = Constraints::new().size_limit(sizes);
        let mut multipart = Multipart::with_constraints(pieces(receiver), boundary, constraints);
        let first = multipart.next_field().await.map_err(|_| unreadable())?;
        let token = match first.filter(|part| part.name() == Some(csrf::FIELD)) {
            Some(part) => part.text().await.map_err(|_| unreadable())?,
            None => String::new(),
        };
        Ok((Self(multipart), token))
    }
}

type Piece = io::Result<Bytes>;

/// Hands on what comes, because a request's body stays on its thread.
async fn pump(mut payload: Payload, sender: mpsc::Sender<Piece>) {
    loop {
        let piece = match tokio::time::timeout(IDLE, payload.next()).await {
            Ok(Some(piece)) => piece.map_err(|_| io::ErrorKind::UnexpectedEof.into()),
            Ok(None) => return,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        let is_last = piece.is_err();
        if sender.send(piece).await.is_err() || is_last {
            return;
        }
    }
}

fn pieces(receiver: Receiver<Piece>) -> impl Stream<Item = Piece> + Send + 'static {
    stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|piece| (piece, receiver)) })
}

/// A form with files; none if it is another one. Having it, nothing was stored yet, and nothing is said of who sends it.
pub struct Upload(Option<Rc<RefCell<Option<Parts>>>>);

impl FromRequest for Upload {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let posted = form::posted(request, payload);
        // What is wrong with it is told when it is known that the person may send one.
        Box::pin(async move {
            let posted = match posted {
                Some(posted) => posted.await.ok(),
                None => None,
            };
            Ok(Self(posted.and_then(|posted| posted.parts())))
        })
    }
}

/// A form with its files, which are on the disk. They go with it.
#[derive(Debug, Default)]
pub struct Received {
    fields: Vec<(String, String)>,
    /// The files, in the order in which they were chosen: what each is called, and where it is.
    pub files: Vec<(String, TempPath)>,
}

impl Received {
    /// A field; empty if there is none.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// Why a form with files was not received.
#[derive(Debug)]
pub enum NotReceived {
    /// It is larger than may be. Everything else that was said is here.
    TooLarge(Received),
    /// Something else.
    Other(PageError),
}

impl From<store::Error> for NotReceived {
    fn from(error: store::Error) -> Self {
        Self::Other(error.into())
    }
}

impl From<multer::Error> for NotReceived {
    fn from(error: multer::Error) -> Self {
        tracing::debug!(error = %error, "A form with files could not be read.");
        Self::Other(PageError::Form(FormFault::Unreadable))
    }
}

impl Upload {
    /// Receives the form: for people of whom it is known that they may send it.
    ///
    /// # Errors
    /// [`NotReceived`]; nothing is left on the disk.
    pub async fn receive(self, state: &State) -> Result<Received, NotReceived> {
        static TURNS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(AT_ONCE));
        let _turn = TURNS.acquire().await.map_err(|_| store::Error::Closed)?;
        let parts = self.0.and_then(|parts| parts.borrow_mut().take());
        let Some(Parts(multipart)) = parts else {
            return Err(NotReceived::Other(PageError::Form(FormFault::Unreadable)));
        };
        let mut collection = Collection { state, received: Received::default(), bytes: 0, is_too_large: false };
        let ended = collection.fill(multipart).await;
        let Collection { mut received, is_too_large, .. } = collection;
        match ended {
            Ok(()) if !is_too_large => Ok(received),
            Ok(())
            | Err(Failed::Form(multer::Error::StreamSizeExceeded { .. } | multer::Error::FieldSizeExceeded { .. })) => {
                received.files.clear();
                Err(NotReceived::TooLarge(received))
            }
            Err(Failed::Form(error)) => Err(error.into()),
            Err(Failed::Store(error)) => Err(error.into()),
        }
    }
}

enum Failed {
    Form(multer::Error),
    Store(store::Error),
}

impl From<multer::Error> for Failed {
    fn from(error: multer::Error) -> Self {
        Self::Form(error)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Store(error.into())
    }
}

/// A form on its way.
struct Collection<'a> {
    state: &'a State,
    received: Received,
    /// How many bytes its files have.
    bytes: u64,
    /// Whether that is more than may be: then the rest is read for its fields only.
    is_too_large: bool,
}

impl Collection<'_> {
    async fn fill(&mut self, mut multipart: Multipart<'static>) -> Result<(), Failed> {
        let mut parts = 0;
        while let Some(part) = multipart.next_field().await? {
            parts += 1;
            if parts > PARTS {
                return Err(multer::Error::StreamSizeExceeded { limit: PARTS }.into());
            }
            let name = part.name().unwrap_or_default().to_owned();
            match part.file_name().map(str::to_owned) {
                Some(file_name) if name == FILES => self.file(file_name, part).await?,
                Some(_) => return Err(multer::Error::UnknownField { field_name: Some(name) }.into()),
                None => self.received.fields.push((name, part.text().await?)),
            }
            if self.received.fields.len() + self.received.files.len() > MOST {
                self.is_too_large = true;
                self.received.fields.truncate(MOST);
                self.received.files.clear();
            }
        }
        Ok(())
    }

    async fn file(&mut self, file_name: String, mut part: Field<'static>) -> Result<(), Failed> {
        let storage = self.state.appliance.storage.clone();
        let (path, mut file) = slow(move || {
            let path = storage.begin()?;
            let file = std::fs::File::create(&path)?;
            Ok((path, file))
        })
        .await?;
        let before = self.bytes;
        while let Some(piece) = part.chunk().await? {
            self.bytes += piece.len() as u64;
            self.is_too_large |= self.bytes > self.state.appliance.settings.max_upload;
            if self.is_too_large {
                self.received.files.clear();
                continue;
            }
            file = slow(move || file.write_all(&piece).map(|()| file)).await?;
        }
        // What browsers send where no file was chosen is left out.
        if !self.is_too_large && (!file_name.is_empty() || self.bytes > before) {
            self.received.files.push((file_name, path));
        }
        Ok(())
    }
}

/// Work with the disk, on a thread that may wait.
async fn slow<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
