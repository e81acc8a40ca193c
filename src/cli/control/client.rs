//! The command's side of the control socket.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use secrecy::zeroize::Zeroizing;

use super::super::failure::Failure;
use super::super::managed::Request;
use super::super::output::{Event, Printer};
use super::Address;

/// Whether a server did the command.
pub enum Reached {
    /// It did, with this exit code.
    Ended(u8),
    /// None is running.
    NoServer,
}

/// Has the server at `socket` run the command, and shows what it says.
///
/// # Errors
/// If the socket may not be used, or the server went away in the middle.
pub fn run(socket: &Path, request: &Request) -> Result<Reached, Failure> {
    let stream = match connect(socket) {
        Ok(stream) => stream,
        // A socket file that nobody listens at is left from a crash.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(Reached::NoServer);
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(Failure::new(format!(
                "{} may not be used: run the command as the owner of the data directory, or as root",
                socket.display()
            )));
        }
        Err(error) => {
            return Err(Failure::new(format!("the server cannot be reached at {}: {error}", socket.display())));
        }
    };
    let mut line = Zeroizing::new(serde_json::to_vec(request)?);
    line.push(b'\n');
    // A server that refuses us says so before it has read everything.
    let _ = (&stream).write_all(&line);
    converse(BufReader::new(stream)).map(Reached::Ended)
}

/// Whether a server listens: a command does not, and the socket that a crashed server left is nobody's.
pub fn is_answered(socket: &Path) -> bool {
    connect(socket).is_ok()
}

fn connect(socket: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(Address::of(socket)?.path)
}

fn converse(server: impl BufRead) -> Result<u8, Failure> {
    let mut printer = Printer::new();
    for line in server.lines() {
        let Ok(line) = line else { break };
        let event: Event = serde_json::from_str(&line)
            .map_err(|_| Failure::new("the server's answer cannot be read: restart it, it is of another version"))?;
        if let Event::Exit(code) = event {
            return printer.end(code);
        }
        printer.show(event);
    }
    Err(Failure::new(
        "the server went away before it had answered: look with a `list` command whether the change was made",
    ))
}

#[cfg(test)]
mod tests {
    use super::converse;

    #[test]
    fn the_exit_code_is_the_server_s() {
        assert!(matches!(converse(&b"{\"exit\":2}\n{\"exit\":0}\n"[..]), Ok(2)));
        assert!(converse(&b""[..]).is_err());
        assert!(converse(&b"hello\n"[..]).is_err());
    }
}
