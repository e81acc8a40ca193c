//! The control socket: commands beside a running server are done by the server.
//!
//! A client connects to `data_dir/control.sock`, writes one line of JSON (a
//! [`Request`](super::managed::Request)) and reads lines of JSON, one
//! [`Event`](super::output::Event) each, until `exit`. The socket is 0600 in a directory that is 0700, and the server asks
//! the kernel who the peer is: the server's own user and root may talk, nobody else.

pub mod client;
pub mod server;

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// The socket's name in the data directory.
const NAME: &str = "control.sock";
/// What an address of a socket holds, less the zero at its end (`sun_path` on Linux).
const LONGEST: usize = 107;

/// Where the socket of a data directory is.
pub fn socket(data_dir: &Path) -> PathBuf {
    data_dir.join(NAME)
}

/// A path short enough for a socket's address, which leads through an open directory if it must.
struct Address {
    path: PathBuf,
    /// Open as long as the path is needed.
    _directory: Option<File>,
}

impl Address {
    fn of(socket: &Path) -> io::Result<Self> {
        let (Some(parent), Some(name)) = (socket.parent(), socket.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        if socket.as_os_str().len() <= LONGEST {
            return Ok(Self { path: socket.to_owned(), _directory: None });
        }
        let directory = File::open(parent)?;
        let path = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
        Ok(Self { path, _directory: Some(directory) })
    }
}
