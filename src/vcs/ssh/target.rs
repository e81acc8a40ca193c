//! Where an ssh address leads, in the words that the `ssh` program and the remote shell take.

use super::super::url::{Scheme, SourceUrl, percent_decoded};

/// The user of every Git service, and of most others.
const DEFAULT_USER: &str = "git";

/// A host, and what is asked for there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::vcs) struct Target {
    /// The user name that the address has, decoded.
    pub(super) user: Option<String>,
    /// In lower case, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// As the remote side takes it.
    pub(super) path: String,
    /// Who logs in if nobody says it.
    usual_user: &'static str,
}

impl Target {
    /// That of a repository's address; none if it is none for ssh.
    pub(in crate::vcs) fn of(url: &SourceUrl) -> Option<Self> {
        if !matches!(url.scheme(), Scheme::Ssh | Scheme::SvnSsh) {
            return None;
        }
        let (host, port) = url.host_port()?;
        let text = url.as_str();
        let (authority, decode) = match text.split_once("://") {
            Some((_, rest)) => (rest.split('/').next().unwrap_or_default(), true),
            None => (text.split(':').next().unwrap_or_default(), false),
        };
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        let (user, mut path) = match decode {
            true => (user.map(percent_decoded).transpose().ok()?, percent_decoded(url.path()).ok()?),
            false => (user.map(str::to_owned), url.path().to_owned()),
        };
        if decode && path.starts_with("/~") {
            // `ssh://host/~user/x`: git-fetch(1), GIT URLS.
            path.remove(0);
        }
        Some(Self { user, host: host.trim_matches(['[', ']']).to_owned(), port, path, usual_user: DEFAULT_USER })
    }

    /// A server without a repository.
    pub(in crate::vcs) fn host(host: &str, port: u16) -> Self {
        let host = host.trim_matches(['[', ']']).to_owned();
        Self { user: None, host, port, path: String::new(), usual_user: DEFAULT_USER }
    }

    /// The same, with another user where nobody says who logs in.
    pub(in crate::vcs) fn by_default(self, usual_user: &'static str) -> Self {
        Self { usual_user, ..self }
    }

    /// Who logs in: the address's user, else the credential's, else the usual one.
    pub(super) fn login<'a>(&'a self, credential: Option<&'a str>) -> &'a str {
        self.user.as_deref().or(credential).unwrap_or(self.usual_user)
    }

    /// The host as commands take it: with the port only where that is not the usual one.
    pub(in crate::vcs) fn shown(&self) -> String {
        let Self { host, port, .. } = self;
        match (host.contains(':'), port) {
            (false, 22) => host.clone(),
            (true, 22) => format!("[{host}]"),
            (false, port) => format!("{host}:{port}"),
            (true, port) => format!("[{host}]:{port}"),
        }
    }

    /// What the remote shell runs.
    pub(in crate::vcs) fn upload_pack(&self) -> String {
        format!("git-upload-pack {}", quoted(&self.path))
    }
}

/// A word for a POSIX shell, quoted as git does (`sq_quote_buf`): some services look at the command by the letter.
fn quoted(word: &str) -> String {
    let mut text = String::from("'");
    for character in word.chars() {
        match character {
            '\'' | '!' => {
                text.push_str("'\\");
                text.push(character);
                text.push('\'');
            }
            other => text.push(other),
        }
    }
    text.push('\'');
    text
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{SourceUrl, Target};
    use crate::vcs::UrlPolicy;

    fn target(text: &str) -> Target {
        Target::of(&SourceUrl::parse(text, &UrlPolicy::default()).unwrap()).unwrap()
    }

    #[test]
    fn addresses_say_who_where_and_what() {
        for (text, user, shown, command) in [
            ("git@h.example:a/b.git", Some("git"), "h.example", "git-upload-pack 'a/b.git'"),
            ("h.example:/abs/b", None, "h.example", "git-upload-pack '/abs/b'"),
            ("ssh://u@H.example:2222/a/b", Some("u"), "h.example:2222", "git-upload-pack '/a/b'"),
            ("ssh://u@[::1]:2222/a", Some("u"), "[::1]:2222", "git-upload-pack '/a'"),
            ("ssh://[::1]/a", None, "[::1]", "git-upload-pack '/a'"),
            ("ssh://a%2Bb@h.example/~me/a%20b", Some("a+b"), "h.example", "git-upload-pack '~me/a b'"),
            ("git@h.example:a%20b", Some("git"), "h.example", "git-upload-pack 'a%20b'"),
            ("git@h.example:it's!", Some("git"), "h.example", "git-upload-pack 'it'\\''s'\\!''"),
            ("git@h.example:a;id", Some("git"), "h.example", "git-upload-pack 'a;id'"),
            ("git@h.example:$(id)`id`", Some("git"), "h.example", "git-upload-pack '$(id)`id`'"),
        ] {
            let target = target(text);
            assert_eq!((target.user.as_deref(), target.shown().as_str()), (user, shown), "{text}");
            assert_eq!(target.upload_pack(), command, "{text}");
        }
    }

    #[test]
    fn the_addresss_user_comes_first() {
        assert_eq!(target("ssh://u@h.example/a").login(Some("c")), "u");
        assert_eq!(target("ssh://h.example/a").login(Some("c")), "c");
        assert_eq!(target("ssh://h.example/a").login(None), "git");
    }
}
