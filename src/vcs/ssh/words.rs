//! What `ssh` and Git servers behind it say when they fail, and what it means. The texts are OpenSSH's (in the C locale)
//! and those of the services; what is not known is passed on by its last line.

use super::super::error::VcsError;

/// What the words of a failed conversation mean.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The host's key is not known, or another one.
    HostKey,
    /// An error that the words say all about.
    Error(VcsError),
    /// Nothing that is known; the last line, if there is one.
    Unknown(Option<String>),
}

/// Of whom the words are.
pub(super) struct Conversation<'a> {
    pub(super) host: &'a str,
    pub(super) login: &'a str,
    pub(super) url: &'a str,
    /// Seconds that the greeting may take.
    pub(super) patience: u64,
}

/// There is no such repository, or it is hidden: Git, GitHub, GitLab, Bitbucket, Azure DevOps, Gitea and its kin.
const NOT_FOUND: [&str; 14] = [
    "does not appear to be a git repository",
    "not a git repository",
    "repository not found",
    "repository does not exist",
    "does not exist or you do not have",
    "either does not exist or you",
    "could not be found or you don't have permission",
    "you are not allowed to download code",
    "cannot find repository",
    "no such file or directory",
    "repository access denied",
    "access denied or repository not",
    "repository is not available",
    "denied to deploy key",
];

/// Reads the words of a failed `ssh`.
pub(super) fn meaning(said: &str, about: &Conversation<'_>) -> Meaning {
    let lower = said.to_ascii_lowercase();
    let has = |text: &str| lower.contains(text);
    let host = about.host.to_owned();
    let unreachable = |reason: &str| VcsError::Unreachable { host: about.host.to_owned(), reason: reason.to_owned() };
    let failed = |reason: String| VcsError::SshFailed { host: about.host.to_owned(), reason };
    if has("host key verification failed") {
        return Meaning::HostKey;
    }
    let error = if has("permission denied (") || has("too many authentication failures") {
        VcsError::SshDenied { host, user: about.login.to_owned() }
    } else if has("timed out during banner exchange") || has("timeout, server") || has("connection timed out") {
        VcsError::Timeout { what: format!("Waiting for the SSH server at {host}"), seconds: about.patience }
    } else if has("unable to negotiate") {
        let offer = last_line(said).unwrap_or_default();
        failed(format!("it and the ssh program of this machine have no method in common ({offer})"))
    } else if NOT_FOUND.iter().any(|text| has(text)) {
        VcsError::NotFoundOrNoAccess { url: about.url.to_owned() }
    } else if has("git-upload-pack") && (has("not found") || has("unknown command")) {
        failed("Git is not installed there (git-upload-pack was not found)".to_owned())
    } else if has("invalid ssh identification string")
        || has("banner line")
        || has("no ssh version received")
        || has("protocol major versions differ")
    {
        failed("what answers there is no SSH server".to_owned())
    } else if has("connection closed by") || has("connection reset by") || has("broken pipe") {
        unreachable("the SSH server closed the connection")
    } else if has("vcs-connect is started by") || has("proxy dialer did not pass back") {
        failed("the connection could not be handed to ssh: it needs /proc and /bin/sh on this machine".to_owned())
    } else {
        return Meaning::Unknown(last_line(said));
    };
    Meaning::Error(error)
}

/// The last line with words in it, fit for a message.
fn last_line(said: &str) -> Option<String> {
    let tells = |line: &&str| !line.is_empty() && !line.starts_with("Warning: Permanently added");
    let line = said.lines().rev().map(str::trim).find(tells)?;
    Some(line.chars().filter(|c| !c.is_control()).take(300).collect())
}

#[cfg(test)]
mod tests {
    use super::{Conversation, Meaning, VcsError, meaning};

    fn error(said: &str) -> VcsError {
        let about = Conversation { host: "h:2222", login: "git", url: "ssh://h/x", patience: 15 };
        match meaning(said, &about) {
            Meaning::Error(error) => error,
            other => VcsError::Unsupported { what: format!("{other:?}") },
        }
    }

    #[test]
    fn services_say_in_many_ways_that_there_is_nothing() {
        for said in [
            "fatal: '/srv/x' does not appear to be a git repository\n",
            "ERROR: Repository not found.\nfatal: Could not read from remote repository.\n",
            "remote: \nremote: ========\nremote: \nremote: ERROR: The project you were looking for could not be found or you don't have permission to view it.\n",
            "repository does not exist\n",
            "The requested repository either does not exist or you do not have access. If you believe...\n",
            "remote: TF401019: The Git repository with name or identifier x does not exist or you do not have permissions for the operation you are attempting.\n",
            "Gitea: Repository does not exist\n",
            "Forgejo: Cannot find repository: a/b\n",
            "ERROR: Permission to a/b.git denied to deploy key\n",
        ] {
            assert_eq!(error(said), VcsError::NotFoundOrNoAccess { url: "ssh://h/x".to_owned() }, "{said}");
        }
    }

    #[test]
    fn ssh_s_own_words_are_understood() {
        let denied = error("git@h: Permission denied (publickey).\r\n");
        assert_eq!(denied, VcsError::SshDenied { host: "h:2222".to_owned(), user: "git".to_owned() });
        let mute = error("Connection timed out during banner exchange\nConnection to UNKNOWN port 65535 timed out\n");
        assert!(matches!(mute, VcsError::Timeout { seconds: 15, .. }), "{mute}");
        let closed = error("kex_exchange_identification: Connection closed by remote host\n");
        assert!(matches!(closed, VcsError::Unreachable { .. }), "{closed}");
        let old = error(
            "Unable to negotiate with UNKNOWN port 65535: no matching host key type found. Their offer: ssh-dss\n",
        );
        assert!(old.to_string().contains("Their offer: ssh-dss"), "{old}");
        let bare = error("bash: line 1: git-upload-pack: command not found\n");
        assert!(bare.to_string().contains("Git is not installed there"), "{bare}");
    }

    #[test]
    fn the_last_line_of_unknown_words_is_kept() {
        let about = Conversation { host: "h", login: "git", url: "ssh://h/x", patience: 15 };
        let said = "Welcome\n\u{1b}[31mThis account is disabled.\n\n";
        assert_eq!(meaning(said, &about), Meaning::Unknown(Some("[31mThis account is disabled.".to_owned())));
        for nothing in [" \n", "Warning: Permanently added 'h' (ED25519) to the list of known hosts.\r\n"] {
            assert_eq!(meaning(nothing, &about), Meaning::Unknown(None));
        }
    }
}
