//! How much came out of an archive: a reader that stops at a bomb before it has gone off.

use std::io::{self, Read};

use super::{FREE, Limits, Refusal};

/// Counts bytes against the limits of one archive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    packed: u64,
    unpacked: u64,
    limits: Limits,
}

impl Meter {
    /// Of an archive with so many bytes.
    pub(super) fn new(packed: u64, limits: &Limits) -> Self {
        Self { packed, unpacked: 0, limits: *limits }
    }

    /// How much came out.
    pub(super) const fn unpacked(&self) -> u64 {
        self.unpacked
    }

    /// Counts what came out.
    pub(super) fn count(&mut self, bytes: u64) -> Result<(), Refusal> {
        self.unpacked = self.unpacked.saturating_add(bytes);
        if self.unpacked > self.limits.unpacked {
            return Err(Refusal::TooLarge { limit: self.limits.unpacked });
        }
        if self.unpacked > self.packed.saturating_mul(self.limits.ratio).saturating_add(FREE) {
            return Err(Refusal::Bomb { ratio: self.limits.ratio });
        }
        Ok(())
    }
}

/// What is read through a meter. A refusal ends the reading as an error, which [`refusal`] finds again.
pub(super) struct Metered<R> {
    inner: R,
    pub(super) meter: Meter,
}

impl<R> Metered<R> {
    pub(super) const fn new(inner: R, meter: Meter) -> Self {
        Self { inner, meter }
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.meter.count(count as u64).map_err(io::Error::other)?;
        Ok(count)
    }
}

/// What an error of reading means: the refusal that ended it, or damage.
pub(super) fn refusal(error: &io::Error) -> Refusal {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = error.get_ref().map(|inner| inner as _);
    while let Some(found) = cause {
        if let Some(refusal) = found.downcast_ref::<Refusal>() {
            return refusal.clone();
        }
        // The reader of tarballs wraps errors in its own, which are errors of reading again.
        cause = match found.downcast_ref::<io::Error>() {
            Some(error) => error.get_ref().map(|inner| inner as _),
            None => found.source(),
        };
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Refusal::Damaged("it ends too early".to_owned()),
        _ => Refusal::damaged(error),
    }
}
