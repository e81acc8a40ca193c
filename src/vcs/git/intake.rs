//! A pack on its way to the disk: watched for its size, and for the room that it leaves.

use std::io::{self, BufRead, Read};
use std::path::Path;

use super::http::Failure;
use crate::vcs::error::VcsError;
use crate::vcs::request::Limits;
use crate::vcs::room::bytes;

/// After how many bytes the disk is looked at again.
const LOOK: u64 = 8 << 20;

/// A reader that ends with an error, kept in `failure`, when a limit is reached.
pub(super) struct Intake<'a> {
    source: &'a mut dyn BufRead,
    directory: &'a Path,
    limits: &'a Limits,
    failure: Failure,
    /// Bytes that may still come.
    left: u64,
    unseen: u64,
}

impl<'a> Intake<'a> {
    /// Reads `source` as long as it keeps to the limits; `directory` is where it goes, and `there` is how many bytes the
    /// mirror has already.
    pub(super) fn new(
        source: &'a mut dyn BufRead,
        directory: &'a Path,
        there: u64,
        limits: &'a Limits,
        failure: Failure,
    ) -> Self {
        Self { source, directory, limits, failure, left: limits.transfer.saturating_sub(there), unseen: 0 }
    }

    fn account(&mut self, count: usize) -> Result<(), VcsError> {
        let count = count as u64;
        self.left = self.left.checked_sub(count).ok_or_else(|| VcsError::TooLarge {
            what: "The repository".to_owned(),
            limit: format!("{} (`max_repository_size` under [vcs] in config.toml)", bytes(self.limits.transfer)),
        })?;
        self.unseen += count;
        if self.unseen >= LOOK {
            self.unseen = 0;
            self.limits.headroom.check(self.directory, 0)?;
        }
        Ok(())
    }
}

impl Read for Intake<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.account(count).map_err(|error| self.failure.set(error))?;
        Ok(count)
    }
}

impl BufRead for Intake<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.source.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.source.consume(amount);
        // `consume` cannot fail; what it would say is said by the next read.
        if let Err(error) = self.account(amount) {
            drop(self.failure.set(error));
        }
    }
}
