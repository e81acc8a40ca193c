//! What a command says. It says it as events, because beside a server the words are made in one process and shown in another.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// One thing that a command says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// For standard output: what was asked for.
    Out(String),
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
}

impl Printer {
    /// One that has shown nothing yet.
    pub fn new() -> Self {
        Self { bar: None, is_terminal: io::stderr().is_terminal() }
    }

    /// Shows an event. Whoever closed our output does not want to hear about that either.
    pub fn show(&mut self, event: Event) {
        match event {
            Event::Out(text) => self.aside(|| writeln!(io::stdout(), "{}", harmless(&text))),
            Event::Err(text) if text.is_empty() => {}
            Event::Err(text) => self.aside(|| writeln!(io::stderr(), "{}", harmless(&text))),
            Event::Progress { done, total, text } => self.progress(done, total, &harmless(&text)),
            Event::Exit(_) => self.clear(),
        }
    }

    fn aside(&self, write: impl FnOnce() -> io::Result<()>) {
        let _ = match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        };
    }

    fn progress(&mut self, done: usize, total: usize, text: &str) {
        if !self.is_terminal {
            if !text.is_empty() {
                let _ = writeln!(io::stderr(), "{text}");
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
        bar.set_message(text.to_owned());
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
