//! Why the database could not answer, in words for whoever looks after the server.

/// Why the database could not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite refused.
    #[error("the database refused: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file is no database any more.
    #[error(
        "the database is damaged ({0}): keep the file, and restore the newest backup (`check` tells more of the damage)"
    )]
    Damaged(rusqlite::Error),
    /// The shared commit failed, and with it every closure of the batch.
    #[error("the database could not save the change: {0}")]
    Commit(String),
    /// A file next to the database could not be read or written.
    #[error("the data directory could not be used: {0}")]
    Io(#[from] std::io::Error),
    /// The schema could not be brought up to date.
    #[error("the database could not be upgraded: {0}")]
    Migration(String),
    /// The database was written by an older release.
    #[error(
        "the database is of an older release: start the server once, which upgrades it and keeps a copy of what was before"
    )]
    Outdated,
    /// The database was written by a newer release.
    #[error(
        "the database has schema {found}, but this release knows only up to {known}: install the newer release again, or restore the copy in before-upgrade/"
    )]
    TooNew {
        /// The schema of the database.
        found: i64,
        /// The newest schema that this release knows.
        known: i64,
    },
    /// Too much is waiting already.
    #[error("the database is busy: too many changes are waiting")]
    Full,
    /// The database is being closed, or the closure panicked.
    #[error("the database did not answer: the server is stopping")]
    Closed,
    /// A stored value is not what this release understands.
    #[error("the database holds a value that this release does not understand: {0}")]
    Corrupt(String),
}

impl Error {
    /// Whether the database or its disk is unwell, and not what was asked of it: the same may well succeed later.
    pub fn is_trouble(&self) -> bool {
        use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, ReadOnly, SystemIoFailure};
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) => matches!(
                failure.code,
                CannotOpen | DatabaseBusy | DatabaseLocked | DiskFull | ReadOnly | SystemIoFailure
            ),
            Self::Commit(_) | Self::Io(_) | Self::Full => true,
            _ => false,
        }
    }

    /// The same, as damage of the file if SQLite says so.
    pub(super) fn or_damage(self) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match self {
            Self::Sqlite(error) if matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase)) => {
                Self::Damaged(error)
            }
            other => other,
        }
    }

    /// Whether a unique index refused the row.
    pub fn is_conflict(&self) -> bool {
        matches!(
            self,
            Self::Sqlite(rusqlite::Error::SqliteFailure(failure, _))
                if failure.code == rusqlite::ErrorCode::ConstraintViolation
        )
    }
}
