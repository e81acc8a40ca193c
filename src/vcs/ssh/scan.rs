//! Asking a server for its host keys, and explaining a conversation that failed.
//!
//! The keys are asked for by `ssh` itself, one kind at a time, because `ssh-keyscan` makes its own connections: past the
//! guard, and not through a proxy.

use std::io::Read;

use super::super::error::VcsError;
use super::host_key::{HostKey, HostKeyPolicy, HostKeys};
use super::program::{Call, Ssh};
use super::target::Target;
use super::words::{Conversation, Meaning, meaning};
use crate::outbound;

/// The kinds of keys, each with the signatures that it makes.
const KINDS: [&str; 3] =
    ["ssh-ed25519", "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521", "rsa-sha2-512,rsa-sha2-256"];

/// The host keys that a server presents now. Nobody logs in.
pub(in crate::vcs) fn scan(target: &Target, outbound: &outbound::Settings) -> Result<Vec<HostKey>, VcsError> {
    let mut found = Vec::new();
    let mut failure = None;
    for algorithms in KINDS {
        let host_keys = HostKeys::default();
        let call = Call {
            target,
            username: None,
            private_key: None,
            host_keys: &host_keys,
            policy: HostKeyPolicy::AcceptNew,
            algorithms: Some(algorithms),
            command: "exit",
            outbound,
        };
        let (mut ssh, stdin, mut stdout) = Ssh::start(&call)?;
        drop(stdin);
        // It ends by itself: nobody may log in without a key, or the remote command ends at once.
        let _ = stdout.read(&mut [0]);
        let said = ssh.last_words();
        drop(ssh);
        let learned = host_keys.learned();
        if learned.is_empty() && !said.contains("no matching host key type") {
            failure = Some(ssh_failed(&said, target, outbound));
            break;
        }
        found.extend(learned);
    }
    match (found.is_empty(), failure) {
        (false, _) => Ok(found),
        (true, Some(error)) => Err(error),
        (true, None) => Err(VcsError::SshFailed {
            host: target.shown(),
            reason: "it has no host key of a kind that is still considered safe".to_owned(),
        }),
    }
}

fn ssh_failed(said: &str, target: &Target, outbound: &outbound::Settings) -> VcsError {
    let host = target.shown();
    let about = Conversation { host: &host, login: target.login(None), url: &host, patience: patience(outbound) };
    match meaning(said, &about) {
        Meaning::Error(error) => error,
        Meaning::Unknown(Some(line)) => VcsError::SshFailed { host, reason: line },
        Meaning::Unknown(None) | Meaning::HostKey => {
            VcsError::SshFailed { host, reason: "it showed no host key".to_owned() }
        }
    }
}

fn patience(outbound: &outbound::Settings) -> u64 {
    super::program::greeting(outbound).as_secs()
}

/// What a failed conversation about a repository means. Where a host key is the matter, the server is asked for its keys
/// again, because people have to compare them.
pub(in crate::vcs) fn explain(
    mut ssh: Ssh,
    target: &Target,
    url: &str,
    text: &str,
    outbound: &outbound::Settings,
) -> VcsError {
    let said = ssh.last_words();
    let login = ssh.login().to_owned();
    let known = ssh.known();
    drop(ssh);
    let host = target.shown();
    let about = Conversation { host: &host, login: &login, url, patience: patience(outbound) };
    match meaning(&said, &about) {
        Meaning::Error(error) => error,
        Meaning::Unknown(line) => VcsError::SshFailed { host, reason: line.unwrap_or_else(|| text.to_owned()) },
        Meaning::HostKey => {
            let presented = scan(target, outbound).unwrap_or_default();
            let shown = |keys: &[HostKey]| keys.iter().map(HostKey::to_string).collect();
            match known.is_empty() {
                true => VcsError::HostKeyUnknown { host, presented: shown(&presented) },
                false => VcsError::HostKeyChanged { host, known: shown(&known), presented: shown(&presented) },
            }
        }
    }
}
