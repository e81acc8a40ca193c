//! Why something was not done: the words that a caller turns into an exit code or a status.

use crate::secrets::SealedError;
use crate::store;

/// Why something was not done. Each text is a sentence for the person who asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was given is not acceptable.
    #[error("{0}")]
    Invalid(String),
    /// What was named does not exist.
    #[error("{0}")]
    NotFound(String),
    /// It contradicts what is there.
    #[error("{0}")]
    Conflict(String),
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

impl Error {
    pub(super) fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }

    pub(super) fn not_found(text: impl Into<String>) -> Self {
        Self::NotFound(text.into())
    }

    pub(super) fn conflict(text: impl Into<String>) -> Self {
        Self::Conflict(text.into())
    }
}
