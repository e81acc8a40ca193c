//! One request and its answer as the readers and the writer that gix wants, doing nothing before gix reads.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Cursor, Read, Write};
use std::rc::Rc;

use reqwest::blocking::Response;
use reqwest::header::HeaderMap;
use reqwest::{Method, Url};

use super::{Shared, printable, shown};
use crate::vcs::error::VcsError;
use crate::vcs::git::meter::Meter;
use crate::vcs::room::bytes;

/// Largest request body: the ids that we have and want.
const MAX_REQUEST: usize = 64 << 20;
/// What an answer to a request with a body is.
const RESULT: &str = "application/x-git-upload-pack-result";

/// A request whose body is still being written.
pub(in crate::vcs::git) struct Exchange {
    shared: Rc<Shared>,
    url: Url,
    headers: HeaderMap,
    upload: Vec<u8>,
    response: Option<BufReader<Limited>>,
}

impl Exchange {
    pub(super) fn new(shared: Rc<Shared>, url: Url, headers: HeaderMap) -> Self {
        Self { shared, url, headers, upload: Vec::new(), response: None }
    }

    fn perform(&mut self) -> io::Result<()> {
        if self.response.is_none() {
            let upload = std::mem::take(&mut self.upload);
            let response = self.shared.send(Method::POST, &self.url, &self.headers, upload)?;
            let response = self.shared.accept(response, RESULT)?;
            self.response = Some(self.shared.body(response));
        }
        Ok(())
    }
}

/// The body of a request.
pub(in crate::vcs::git) struct Upload(pub(super) Rc<RefCell<Exchange>>);

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut exchange = self.0.borrow_mut();
        if exchange.upload.len() + bytes.len() > MAX_REQUEST {
            return Err(io::Error::other("the request grew too long"));
        }
        exchange.upload.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The head of an answer.
pub(in crate::vcs::git) enum Head {
    Ready(Cursor<Vec<u8>>),
    Pending(Rc<RefCell<Exchange>>),
}

impl Head {
    /// gix looks at nothing but the content type, which has been checked.
    pub(super) fn ready(content_type: &str) -> Self {
        Self::Ready(Cursor::new(format!("content-type: {content_type}\n").into_bytes()))
    }

    fn cursor(&mut self) -> io::Result<&mut Cursor<Vec<u8>>> {
        if let Self::Pending(exchange) = self {
            exchange.borrow_mut().perform()?;
            *self = Self::ready(RESULT);
        }
        match self {
            Self::Ready(cursor) => Ok(cursor),
            Self::Pending(_) => Err(io::Error::other("the answer's head is not there")),
        }
    }
}

impl Read for Head {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cursor()?.read(buffer)
    }
}

impl BufRead for Head {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.cursor()?.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        if let Self::Ready(cursor) = self {
            cursor.consume(amount);
        }
    }
}

/// The body of an answer.
pub(in crate::vcs::git) enum Body {
    Ready(Box<BufReader<Limited>>),
    Pending(Rc<RefCell<Exchange>>),
}

impl Body {
    fn reader(&mut self) -> io::Result<&mut BufReader<Limited>> {
        if let Self::Pending(exchange) = self {
            exchange.borrow_mut().perform()?;
            let response = exchange.borrow_mut().response.take();
            let response = response.ok_or_else(|| io::Error::other("the answer's body was read already"))?;
            *self = Self::Ready(Box::new(response));
        }
        match self {
            Self::Ready(reader) => Ok(reader),
            Self::Pending(_) => Err(io::Error::other("the answer's body is not there")),
        }
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader()?.read(buffer)
    }
}

impl BufRead for Body {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader()?.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        if let Self::Ready(reader) = self {
            reader.consume(amount);
        }
    }
}

/// An answer that may not be endless, and whose interruption is remembered as what it is.
pub(in crate::vcs::git) struct Limited {
    shared: Rc<Shared>,
    response: Response,
    left: u64,
    meter: Meter,
}

impl Limited {
    pub(super) fn new(shared: Rc<Shared>, response: Response) -> Self {
        let left = shared.limit;
        Self { meter: Meter::new(shared.pace), shared, response, left }
    }

    fn interrupted(&self, error: &io::Error) -> VcsError {
        let host = shown(self.response.url());
        match error.get_ref().and_then(|inner| inner.downcast_ref::<reqwest::Error>()) {
            Some(cause) => self.shared.classify(self.response.url(), cause),
            None if error.kind() == io::ErrorKind::TimedOut => {
                VcsError::Timeout { what: format!("Waiting for {host}"), seconds: self.shared.timeout }
            }
            None => VcsError::Unreachable { host, reason: printable(&error.to_string()) },
        }
    }
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.response.read(buffer) {
            Ok(count) => count,
            Err(error) => return Err(self.shared.failure.set(self.interrupted(&error))),
        };
        let host = shown(self.response.url());
        self.meter.count(count, &host).map_err(|error| self.shared.failure.set(error))?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            let limit = bytes(self.shared.limit);
            self.shared.failure.set(VcsError::TooLarge { what: "What the server sends".to_owned(), limit })
        })?;
        Ok(count)
    }
}
