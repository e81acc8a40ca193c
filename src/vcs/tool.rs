//! Programs that are not ours and read repositories for us: started without a shell, without configuration of this
//! machine, and with a bound to what they say.
//!
//! They run in the worker's process group, so that its deadline and its end are theirs too, and inherit its limits.

use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::error::VcsError;
use super::request::Limits;
use super::room::bytes;

/// How much of what a program complains of is kept, from the beginning: the first complaint is the cause.
const SAID: usize = 16 << 10;
/// How often the disk is looked at while a program writes.
const LOOK: Duration = Duration::from_millis(500);

/// A program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tool {
    /// What it is called.
    pub(super) name: &'static str,
    /// What it is needed for, for the message that it is missing.
    purpose: &'static str,
}

/// Mercurial.
pub(super) const HG: Tool =
    Tool { name: "hg", purpose: "for Mercurial repositories (the package is mostly called mercurial)" };
/// Subversion.
pub(super) const SVN: Tool =
    Tool { name: "svn", purpose: "for Subversion repositories (the package is mostly called subversion)" };

/// How a program ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// Its standard output, as far as it was wanted.
    pub(super) out: Vec<u8>,
    /// Whether it had more to say than was wanted; it was ended then.
    pub(super) cut: bool,
    /// The beginning of its standard error.
    pub(super) said: String,
}

impl Ended {
    /// Whether it did what it was to do.
    pub(super) fn is_good(&self) -> bool {
        self.status.success() && !self.cut
    }
}

/// What a program may take.
#[derive(Clone, Copy)]
pub(super) struct Bounds<'a> {
    /// How many bytes of output are wanted.
    pub(super) output: usize,
    /// Where it writes, if that may be much: the disk is watched there.
    pub(super) writes: Option<&'a Path>,
    /// What an operation may use.
    pub(super) limits: &'a Limits,
}

impl Tool {
    /// The program with an environment of its own; arguments follow.
    pub(super) fn command(self) -> Command {
        let mut command = Command::new(self.name);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()))
            // Names of files are written as UTF-8; messages are English.
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env("HOME", "/nonexistent")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Why it could not be started.
    pub(super) fn not_started(self, error: &io::Error) -> VcsError {
        match error.kind() {
            io::ErrorKind::NotFound => {
                VcsError::ToolMissing { tool: self.name.to_owned(), purpose: self.purpose.to_owned() }
            }
            _ => VcsError::io(format!("Starting {}", self.name), error),
        }
    }

    /// Runs it to its end; `input` is all that it reads.
    pub(super) fn run(self, mut command: Command, input: Option<&[u8]>, bounds: Bounds<'_>) -> Result<Ended, VcsError> {
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = Running(command.spawn().map_err(|error| self.not_started(&error))?);
        if let (Some(input), Some(mut stdin)) = (input, child.0.stdin.take()) {
            // Whoever does not want it ends with its own complaint.
            let _ = stdin.write_all(input);
        }
        let (Some(stdout), Some(stderr)) = (child.0.stdout.take(), child.0.stderr.take()) else {
            return Err(VcsError::WorkerCrashed { detail: format!("the pipes of {} were not opened", self.name) });
        };
        let said = collect(stderr, SAID, false);
        let out = collect(stdout, bounds.output, true);
        let (out, cut) = loop {
            match out.recv_timeout(LOOK) {
                Ok(collected) => break collected,
                Err(RecvTimeoutError::Disconnected) => break (Vec::new(), false),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(directory) = bounds.writes {
                        bounds.limits.headroom.check(directory, 0)?;
                    }
                }
            }
        };
        if cut {
            // It may have ended by itself.
            let _ = child.0.kill();
        }
        let status = child.0.wait().map_err(|error| VcsError::io(format!("Waiting for {}", self.name), &error))?;
        const SIGXFSZ: i32 = 25;
        if status.signal() == Some(SIGXFSZ) {
            return Err(too_large(bounds.limits));
        }
        let (said, _) = said.recv().unwrap_or_default();
        Ok(Ended { status, out, cut, said: String::from_utf8_lossy(&said).into_owned() })
    }
}

/// A file that may not become so large.
pub(super) fn too_large(limits: &Limits) -> VcsError {
    VcsError::TooLarge { what: "A file of the repository".to_owned(), limit: bytes(limits.transfer) }
}

/// What this machine has to do with a program's failure, whatever the program: the remote must not be blamed for it.
pub(super) fn own_trouble(said: &str, limits: &Limits) -> Option<VcsError> {
    // What a server behind SSH complains of comes with `remote: ` before it.
    let has = |text: &str| said.lines().any(|line| !line.starts_with("remote: ") && line.contains(text));
    let denied = |line: &&str| line.starts_with("abort: ") && line.contains("Permission denied");
    let disk = |reason: &str| VcsError::Io { doing: "Writing the mirror".to_owned(), reason: reason.to_owned() };
    if let Some(line) = said.lines().find(denied) {
        Some(disk(&first_line(line, &["abort: "])))
    } else if has("No space left on device") {
        Some(disk("no space is left on the disk"))
    } else if has("Disk quota exceeded") {
        Some(disk("the disk quota is used up"))
    } else if has("Read-only file system") {
        Some(disk("the file system is read-only"))
    } else if has("File too large") {
        Some(too_large(limits))
    } else if has("Cannot allocate memory") || has("MemoryError") || has("Out of memory") || has("out of memory") {
        Some(VcsError::memory(limits.memory))
    } else {
        None
    }
}

/// The first line with words in it, fit for a message, without what a program puts before its complaints.
pub(super) fn first_line(said: &str, before: &[&str]) -> String {
    let line = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it said nothing");
    let line = before.iter().find_map(|start| line.strip_prefix(start)).unwrap_or(line);
    line.chars().filter(|c| !c.is_control()).take(300).collect::<String>().trim_end_matches('.').to_owned()
}

/// Ends the program when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; what matters is that it is not there afterwards.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Collects `most` bytes of a pipe, and whether there were more. What is too much is read and dropped, or, where
/// `stops`, not waited for.
fn collect(mut pipe: impl Read + Send + 'static, most: usize, stops: bool) -> Receiver<(Vec<u8>, bool)> {
    let (tell, collected) = channel();
    std::thread::spawn(move || {
        let (mut kept, mut more) = (Vec::new(), false);
        let mut buffer = vec![0; 16 << 10];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            let room = most.saturating_sub(kept.len()).min(count);
            kept.extend_from_slice(&buffer[..room]);
            more |= room < count;
            if more && stops {
                break;
            }
        }
        // Nobody listens if the operation was given up.
        let _ = tell.send((kept, more));
    });
    collected
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{Bounds, Tool, first_line, own_trouble};
    use crate::vcs::error::VcsError;
    use crate::vcs::request::Limits;

    fn sh(script: &str, input: Option<&[u8]>) -> super::Ended {
        let tool = Tool { name: "sh", purpose: "for a test" };
        let mut command = tool.command();
        command.args(["-c", script]);
        tool.run(command, input, Bounds { output: 8, writes: None, limits: &Limits::default() }).unwrap()
    }

    #[test]
    fn output_is_bounded_and_complaints_are_kept() {
        let ended = sh("cat; echo no >&2; exit 3", Some(b"hello"));
        assert_eq!((ended.out.as_slice(), ended.said.as_str(), ended.status.code()), (&b"hello"[..], "no\n", Some(3)));
        let endless = sh("yes", None);
        assert!(endless.cut && endless.out.len() == 8);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let tool = Tool { name: "no-such-program", purpose: "for a test" };
        let bounds = Bounds { output: 0, writes: None, limits: &Limits::default() };
        let missing = tool.run(tool.command(), None, bounds).unwrap_err();
        assert!(matches!(missing, VcsError::ToolMissing { .. }), "{missing}");
    }

    #[test]
    fn our_disk_is_not_blamed_on_the_remote() {
        let limits = Limits::default();
        let full = own_trouble("abort: No space left on device: '/x'", &limits).unwrap();
        assert!(full.is_disk(), "{full}");
        assert_eq!(own_trouble("abort: HTTP Error 500", &limits), None);
        assert_eq!(first_line("\nabort: no such thing!\nmore", &["abort: "]), "no such thing!");
    }
}
