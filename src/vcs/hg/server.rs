//! `hg` as a server of commands (`hg help -e commandserver`, the "pipe" protocol): to start it costs a tenth of a second,
//! and a question two thousandths.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::program::Hg;
use super::words;
use crate::vcs::error::VcsError;
use crate::vcs::tool::{HG, own_trouble};

/// Longest piece of an answer.
const LONGEST_PIECE: usize = 64 << 20;
/// How much of the complaints is kept.
const SAID: usize = 8 << 10;

/// A running server for one mirror.
pub(super) struct Server<'a, 'b> {
    child: Child,
    input: BufWriter<ChildStdin>,
    output: BufReader<ChildStdout>,
    hg: &'a Hg<'b>,
}

/// What a command came to.
pub(super) struct Answer {
    /// Its exit code.
    pub(super) code: i32,
    pub(super) out: Vec<u8>,
    pub(super) said: String,
}

impl<'a, 'b> Server<'a, 'b> {
    /// Starts it.
    pub(super) fn start(hg: &'a Hg<'b>, repository: &Path) -> Result<Self, VcsError> {
        let mut command = hg.command();
        command.arg("-R").arg(repository).args(["serve", "--cmdserver", "pipe"]);
        command.current_dir(repository).stdin(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| HG.not_started(&error))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(VcsError::WorkerCrashed { detail: "the pipes of hg were not opened".to_owned() });
        };
        let mut server = Self { child, input: BufWriter::new(input), output: BufReader::new(output), hg };
        // It says what it can do, which every version of the last ten years can.
        server.piece().map_err(|error| server.broken(&error))?;
        Ok(server)
    }

    /// Runs a command whose output has at most `most` bytes.
    pub(super) fn run(&mut self, arguments: &[&str], most: usize) -> Result<Answer, VcsError> {
        self.converse(arguments, most).map_err(|error| self.broken(&error))?
    }

    /// The same, where everything but success is a failure.
    pub(super) fn must(&mut self, arguments: &[&str], most: usize) -> Result<Vec<u8>, VcsError> {
        let answer = self.run(arguments, most)?;
        if answer.code == 0 {
            return Ok(answer.out);
        }
        Err(own_trouble(&answer.said, self.hg.limits()).unwrap_or_else(|| words::local(&answer.said)))
    }

    fn converse(&mut self, arguments: &[&str], most: usize) -> io::Result<Result<Answer, VcsError>> {
        let text = arguments.join("\0");
        let length = u32::try_from(text.len()).map_err(io::Error::other)?;
        self.input.write_all(b"runcommand\n")?;
        self.input.write_all(&length.to_be_bytes())?;
        self.input.write_all(text.as_bytes())?;
        self.input.flush()?;
        let (mut out, mut said) = (Vec::new(), Vec::new());
        loop {
            let (channel, piece) = self.piece()?;
            match channel {
                b'o' if out.len() + piece.len() > most => {
                    let what = "What hg says of the repository".to_owned();
                    return Ok(Err(VcsError::TooLarge { what, limit: crate::vcs::room::bytes(most as u64) }));
                }
                b'o' => out.extend(piece),
                b'e' => {
                    let room = SAID.saturating_sub(said.len()).min(piece.len());
                    said.extend_from_slice(&piece[..room]);
                }
                b'r' => {
                    let code = piece.first_chunk::<4>().map_or(255, |bytes| i32::from_be_bytes(*bytes));
                    return Ok(Ok(Answer { code, out, said: String::from_utf8_lossy(&said).into_owned() }));
                }
                // It asks for input, of which there is none.
                b'I' | b'L' => {
                    self.input.write_all(&0_u32.to_be_bytes())?;
                    self.input.flush()?;
                }
                _ => {}
            }
        }
    }

    /// One piece of an answer, and where it belongs. Where it asks for input, there is only how much.
    fn piece(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.output.read_exact(&mut head)?;
        let [channel, length @ ..] = head;
        let length = u32::from_be_bytes(length) as usize;
        if matches!(channel, b'I' | b'L') {
            return Ok((channel, Vec::new()));
        }
        if length > LONGEST_PIECE {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut piece = vec![0; length];
        self.output.read_exact(&mut piece)?;
        Ok((channel, piece))
    }

    fn broken(&self, error: &io::Error) -> VcsError {
        VcsError::Io { doing: "Reading the mirror with hg".to_owned(), reason: format!("it ended early ({error})") }
    }
}

impl Drop for Server<'_, '_> {
    fn drop(&mut self) {
        // It may have ended by itself; what matters is that it is not there afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
