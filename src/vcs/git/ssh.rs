//! Git's own conversation through the `ssh` program. It is ours and not gix's, because gix would try again as another
//! user, and leave what `ssh` says to nobody.

use std::io::{self, Read};
use std::process::ChildStdout;
use std::time::Duration;

use gix::protocol::transport::Protocol;
use gix::protocol::transport::client::blocking_io::Transport;
use gix::protocol::transport::client::git::ConnectMode;
use gix::protocol::transport::client::git::blocking_io::Connection;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Surroundings;
use super::http::Failure;
use crate::outbound;
use crate::vcs::error::VcsError;
use crate::vcs::request::{WireCredential, WireKind};
use crate::vcs::ssh::{Call, Ssh, Target, explain};
use crate::vcs::url::SourceUrl;

/// How long a server that answered once may be silent at least: packing a large repository takes a while.
const LEAST_PATIENCE: Duration = Duration::from_secs(60);

/// The other side of a conversation.
pub(super) struct Remote {
    ssh: Ssh,
    target: Target,
    url: String,
    outbound: outbound::Settings,
}

impl Remote {
    /// Runs `git upload-pack` there.
    pub(super) fn open(
        url: &SourceUrl,
        credential: Option<&WireCredential>,
        surroundings: &Surroundings<'_>,
        failure: Failure,
    ) -> Result<(Box<dyn Transport>, Self), VcsError> {
        let policy = |reason: String| VcsError::Policy { reason };
        let target = Target::of(url).ok_or_else(|| policy(format!("{url} is no address for ssh.")))?;
        let credential = credential.filter(|credential| credential.kind == WireKind::SshKey).ok_or_else(|| {
            policy(format!(
                "{} is reached by SSH, which needs a key: make one with `credential add NAME --type ssh-key --host {} \
                 --generate`, and add the package again with `--credential NAME`.",
                url,
                target.shown()
            ))
        })?;
        if url.host_port() != Some((credential.host.clone(), credential.port)) {
            return Err(policy(format!(
                "The package's credential is for {}:{} and is never used at {}.",
                credential.host,
                credential.port,
                target.shown()
            )));
        }
        // A mirror that is repaired speaks to the server a second time.
        let mut known = surroundings.host_keys.known.clone();
        known.extend(surroundings.host_keys.learned());
        let host_keys = surroundings.host_keys.with_known(known);
        let call = Call {
            target: &target,
            username: credential.username.as_deref(),
            private_key: Some(&credential.secret),
            host_keys: &host_keys,
            policy: surroundings.ssh_host_keys,
            algorithms: None,
            command: &target.upload_pack(),
            outbound: surroundings.outbound,
        };
        let (ssh, stdin, stdout) = Ssh::start(&call)?;
        let stdout = Watched {
            inner: stdout,
            patience: surroundings.outbound.timeout.max(LEAST_PATIENCE),
            left: surroundings.limits.transfer,
            limit: surroundings.limits.transfer,
            host: target.shown(),
            failure,
        };
        let host = None::<(String, Option<u16>)>;
        let connection = Connection::new(stdout, stdin, Protocol::V2, url.path(), host, ConnectMode::Process, false);
        let remote = Self { ssh, target, url: url.to_string(), outbound: surroundings.outbound.clone() };
        Ok((Box::new(connection), remote))
    }

    /// What went wrong, from what `ssh` and the server said.
    pub(super) fn explain(self, text: &str) -> VcsError {
        explain(self.ssh, &self.target, &self.url, text, &self.outbound)
    }
}

/// What comes from the server, neither for ever nor without end.
struct Watched {
    inner: ChildStdout,
    patience: Duration,
    left: u64,
    limit: u64,
    host: String,
    failure: Failure,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut waiting = [PollFd::new(&self.inner, PollFlags::IN)];
        let patience = Timespec { tv_sec: i64::try_from(self.patience.as_secs()).unwrap_or(i64::MAX), tv_nsec: 0 };
        if poll(&mut waiting, Some(&patience))? == 0 {
            let what = format!("Waiting for {}", self.host);
            return Err(self.failure.set(VcsError::Timeout { what, seconds: self.patience.as_secs() }));
        }
        let count = self.inner.read(buffer)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => {
                let limit = format!("{} bytes", self.limit);
                return Err(self.failure.set(VcsError::TooLarge { what: "The repository".to_owned(), limit }));
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use std::io::Read;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::{Failure, VcsError, Watched};

    #[test]
    fn a_server_that_stops_in_the_middle_is_given_up() {
        let mut server =
            Command::new("sh").args(["-c", "printf half; exec sleep 600"]).stdout(Stdio::piped()).spawn().unwrap();
        let failure = Failure::default();
        let mut watched = Watched {
            inner: server.stdout.take().unwrap(),
            patience: Duration::from_secs(1),
            left: 100,
            limit: 100,
            host: "git.example.com".to_owned(),
            failure: failure.clone(),
        };
        let mut read = [0; 4];
        watched.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"half");
        watched.read(&mut read).unwrap_err();
        server.kill().unwrap();
        server.wait().unwrap();
        let given_up = failure.take().unwrap();
        assert!(matches!(&given_up, VcsError::Timeout { what, seconds: 1 } if what.contains("git.example.com")));
        assert!(!given_up.is_permanent());
    }
}
