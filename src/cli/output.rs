//! What a command says. It says it as events, because beside a server the words are made in one process and shown in another.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::failure::Failure;

/// One thing that a command says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// For standard output: what was asked for.
    Out(String),
    /// For standard output: what nobody can ask for again.
    Once {
        /// What it is.
        text: String,
        /// What to tell people if it could not be shown.
        lost: String,
    },
    /// For standard error: what people should know.
    Err(String),
    /// How far long work has come.
    Progress {
        /// How many parts are done.
        done: usize,
        /// Of how many.
        total: usize,
        /// What happened last.
        text: String,
    },
    /// The command has ended.
    Exit(u8),
}

/// Where a command says things. What is said when nobody listens any more is lost, and the command goes on.
#[derive(Clone, Debug)]
pub struct Output(mpsc::UnboundedSender<Event>);

impl Output {
    /// An output, and where its events arrive.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// A line, or several, on standard output.
    pub fn line(&self, text: impl Into<String>) {
        self.say(Event::Out(text.into()));
    }

    /// A line on standard output that nobody can ask for again; `lost` is what to tell people if it could not be shown.
    pub fn once(&self, text: impl Into<String>, lost: impl Into<String>) {
        self.say(Event::Once { text: text.into(), lost: lost.into() });
    }

    /// A line on standard error.
    pub fn note(&self, text: impl Into<String>) {
        self.say(Event::Err(text.into()));
    }

    /// Pretty JSON on standard output.
    pub fn json<T: Serialize>(&self, value: &T) -> Result<(), serde_json::Error> {
        self.line(serde_json::to_string_pretty(value)?);
        Ok(())
    }

    /// How far long work has come.
    pub fn progress(&self, done: usize, total: usize, text: impl Into<String>) {
        self.say(Event::Progress { done, total, text: text.into() });
    }

    /// Says anything.
    pub fn say(&self, event: Event) {
        // A listener that went away misses what it left.
        let _ = self.0.send(event);
    }

    /// Waits until nobody listens any more.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

/// Shows events on this process's standard output and standard error.
pub struct Printer {
    bar: Option<ProgressBar>,
    is_terminal: bool,
    /// The first thing that could not be shown, in words.
    failure: Option<String>,
}

impl Printer {
    /// One that has shown nothing yet.
    pub fn new() -> Self {
        Self { bar: None, is_terminal: io::stderr().is_terminal(), failure: None }
    }

    /// Shows an event. What cannot be shown is told at the [`end`](Self::end).
    pub fn show(&mut self, event: Event) {
        match event {
            Event::Out(text) => self.out(&text),
            Event::Once { text, lost } => {
                // Also a reader that has gone has not got it.
                if let Err(error) = self.aside(|| write_out(&line(&text))) {
                    self.fail(format!("{lost} (standard output cannot be written: {error})"));
                }
            }
            Event::Err(text) if text.is_empty() => {}
            Event::Err(text) => self.err(&text),
            Event::Progress { done, total, text } => self.progress(done, total, &text),
            Event::Exit(_) => self.clear(),
        }
    }

    /// The exit code of a command that ended with `code`.
    ///
    /// # Errors
    /// If the command was done and something that it said could not be shown.
    pub fn end(mut self, code: u8) -> Result<u8, Failure> {
        self.clear();
        match self.failure {
            None => Ok(code),
            Some(text) if code == 0 => Err(Failure::new(text)),
            Some(text) => {
                // It failed for another reason, which was said or could not be.
                let _ = write_err(&line(&format!("error: {text}")));
                Ok(code)
            }
        }
    }

    fn out(&mut self, text: &str) {
        let written = self.aside(|| write_out(&line(text)));
        self.note(written, "standard output");
    }

    fn err(&mut self, text: &str) {
        let written = self.aside(|| write_err(&line(text)));
        self.note(written, "standard error");
    }

    /// Whoever closed the pipe has read enough.
    fn note(&mut self, written: io::Result<()>, place: &str) {
        if let Err(error) = written
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            self.fail(format!(
                "{place} cannot be written: {error}. What the command changed stays changed: look with a `list` command"
            ));
        }
    }

    fn fail(&mut self, text: String) {
        self.failure.get_or_insert(text);
    }

    fn aside(&self, write: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn progress(&mut self, done: usize, total: usize, text: &str) {
        if !self.is_terminal {
            if !text.is_empty() {
                self.err(text);
            }
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(0).with_style(style)
        });
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        bar.set_message(harmless(text));
        if done == total {
            self.clear();
        }
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Writes to standard output, and tells if that fails.
pub fn write_out(bytes: &[u8]) -> io::Result<()> {
    write_to(io::stdout(), bytes)
}

fn write_err(bytes: &[u8]) -> io::Result<()> {
    write_to(io::stderr(), bytes)
}

/// Past the standard library's own writers, for which a descriptor that cannot be written is as good as written.
fn write_to(stream: impl AsFd, bytes: &[u8]) -> io::Result<()> {
    File::from(stream.as_fd().try_clone_to_owned()?).write_all(bytes)
}

/// Whether standard output was closed when the program started. The standard library then opens `/dev/null` for reading
/// and writing in its place; whoever does not want the output opens it for writing.
pub fn is_closed() -> bool {
    use rustix::fs::{OFlags, fcntl_getfl, fstat};
    let stdout = io::stdout();
    let (Ok(flags), Ok(found), Ok(null)) = (fcntl_getfl(&stdout), fstat(&stdout), rustix::fs::stat("/dev/null")) else {
        return true;
    };
    flags.contains(OFlags::RDWR) && found.st_rdev == null.st_rdev && found.st_mode == null.st_mode
}

fn line(text: &str) -> Vec<u8> {
    let mut line = harmless(text).into_bytes();
    line.push(b'\n');
    line
}

/// Names and errors come from repositories and servers, which must not steer a terminal.
fn harmless(text: &str) -> String {
    let is_plain = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    let show = |c: char| if is_plain(c) { c.to_string() } else { c.escape_default().to_string() };
    text.chars().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::{Event, harmless};

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\u{9b}c\r\n"), "a\\u{1b}[2Jb\\u{9b}c\\r\n");
        assert_eq!(harmless("täble\tx"), "täble\tx");
    }

    #[test]
    fn events_are_short_on_the_wire() {
        let text = serde_json::to_string(&Event::Out("7".to_owned())).unwrap_or_default();
        assert_eq!(text, r#"{"out":"7"}"#);
        assert_eq!(serde_json::to_string(&Event::Exit(1)).unwrap_or_default(), r#"{"exit":1}"#);
    }
}
