//! Why something was not done: the words that a caller turns into an exit code or a status.

use std::fmt::{self, Display};

use crate::secrets::SealedError;
use crate::store;

/// Why something was not done. Each text is a sentence for the person who asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was given is not acceptable.
    #[error("{}", .0.to_command())]
    Invalid(Refusal),
    /// What was named does not exist.
    #[error("{}", .0.to_command())]
    NotFound(Refusal),
    /// It contradicts what is there.
    #[error("{}", .0.to_command())]
    Conflict(Refusal),
    /// The database refused.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A stored secret cannot be opened.
    #[error(transparent)]
    Sealed(#[from] SealedError),
    /// The work was cut off, because the process is ending.
    #[error("the server is stopping: try again when it runs")]
    Interrupted,
}

/// What is wrong, in words that fit a page as well as a command; and, for whoever gave a command, what to do in the words of
/// commands, which mean nothing to whoever filled in a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    text: String,
    command: Option<String>,
}

impl Refusal {
    /// The text for whoever gave a command.
    fn to_command(&self) -> String {
        match &self.command {
            Some(command) => format!("{}: {command}", self.text),
            None => self.text.clone(),
        }
    }
}

/// As pages say it.
impl Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Refusal> for String {
    fn from(refusal: Refusal) -> Self {
        refusal.text
    }
}

impl Error {
    pub(super) fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(Refusal { text: text.into(), command: None })
    }

    pub(super) fn not_found(text: impl Into<String>) -> Self {
        Self::NotFound(Refusal { text: text.into(), command: None })
    }

    pub(super) fn conflict(text: impl Into<String>) -> Self {
        Self::Conflict(Refusal { text: text.into(), command: None })
    }

    /// The same; whoever gave a command is told to do this, behind a colon.
    pub(super) fn by_command(mut self, what: impl Into<String>) -> Self {
        if let Self::Invalid(refusal) | Self::NotFound(refusal) | Self::Conflict(refusal) = &mut self {
            refusal.command = Some(what.into());
        }
        self
    }
}
