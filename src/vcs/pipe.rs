//! Frames on the worker's pipes: four bytes of length, most significant first, then that many bytes.

use std::io::{self, Read, Write};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Largest frame either side accepts; an update's request holds the ids of all published commits.
pub(super) const MAX_FRAME: u32 = 256 << 20;

/// Puts the length before a frame's bytes.
///
/// # Errors
/// When the frame is larger than [`MAX_FRAME`].
pub(super) fn header(frame: &[u8]) -> io::Result<[u8; 4]> {
    match u32::try_from(frame.len()) {
        Ok(length) if length <= MAX_FRAME => Ok(length.to_be_bytes()),
        _ => Err(io::Error::other("a message to or from the worker is too long")),
    }
}

/// Writes one frame.
pub(super) fn write(out: &mut impl Write, frame: &[u8]) -> io::Result<()> {
    out.write_all(&header(frame)?)?;
    out.write_all(frame)
}

/// Reads one frame of at most `limit` bytes.
pub(super) fn read(input: &mut impl Read, limit: u32) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let length = checked(length, limit)?;
    let mut frame = Vec::new();
    input.take(u64::from(length)).read_to_end(&mut frame)?;
    whole(frame, length)
}

/// Reads one frame of at most `limit` bytes from an asynchronous pipe.
pub(super) async fn read_async(input: &mut (impl AsyncRead + Unpin), limit: u32) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    input.read_exact(&mut length).await?;
    let length = checked(length, limit)?;
    let mut frame = Vec::new();
    input.take(u64::from(length)).read_to_end(&mut frame).await?;
    whole(frame, length)
}

fn checked(length: [u8; 4], limit: u32) -> io::Result<u32> {
    let length = u32::from_be_bytes(length);
    if length <= limit.min(MAX_FRAME) {
        Ok(length)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "the frame is too long"))
    }
}

fn whole(frame: Vec<u8>, length: u32) -> io::Result<Vec<u8>> {
    if frame.len() == length as usize { Ok(frame) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{read, write};

    #[test]
    fn frames_come_back_whole_or_not_at_all() {
        let mut bytes = Vec::new();
        write(&mut bytes, b"hello").unwrap();
        assert_eq!(read(&mut bytes.as_slice(), 5).unwrap(), b"hello");
        assert!(read(&mut bytes.as_slice(), 4).is_err());
        assert!(read(&mut &bytes[..7], 5).is_err());
        assert!(read(&mut &bytes[..2], 5).is_err());
    }
}
