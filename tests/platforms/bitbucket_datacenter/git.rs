//! Git over HTTPS, below `/scm`: bare repositories on disk behind `git http-backend`, for whom a token shows them.

use super::Site;
use super::directory::Repository;
use crate::platforms::git_backend::backend;
use crate::platforms::message::{Asked, Reply};

impl Site {
    /// Answers what Git asks.
    pub(super) fn git(&self, asked: &Asked, path: &str) -> Reply {
        let mut parts = path.splitn(3, '/');
        let (Some(key), Some(name), Some(rest)) = (parts.next(), parts.next(), parts.next()) else { return absent() };
        let slug = name.strip_suffix(".git").unwrap_or(name);
        let key = key.replace("%7E", "~");
        let moved = || self.directory.moved.get(&format!("{key}/{slug}").to_lowercase());
        let found = self.directory.repository(&key, slug);
        let found = found.or_else(|| moved().and_then(|id| self.directory.repositories.get(id)));
        match found {
            Some(found) => self.clone_of(asked, found, rest),
            None if asked.header("authorization").is_some() => absent(),
            None => sign_in(),
        }
    }

    fn clone_of(&self, asked: &Asked, found: &Repository, rest: &str) -> Reply {
        let is_public = found.public || self.directory.projects[&found.project].public;
        if asked.header("authorization").is_none() {
            return if is_public { self.served(asked, found, rest) } else { sign_in() };
        }
        let Ok(caller) = self.asker(asked) else { return sign_in() };
        if !caller.user.active {
            return sign_in();
        }
        if self.shows(&caller, found) { self.served(asked, found, rest) } else { absent() }
    }

    fn served(&self, asked: &Asked, found: &Repository, rest: &str) -> Reply {
        match &found.git {
            _ if rest == "git-receive-pack" => Reply::text(403, "You may not push.").blamed("nobody here pushes"),
            Some(folder) => backend(asked, folder, rest),
            None => absent(),
        }
    }
}

fn absent() -> Reply {
    Reply::text(
        404,
        "Repository not found. The requested repository does not exist, or you do not have permission to access it.",
    )
}

fn sign_in() -> Reply {
    Reply::text(401, "Authentication failed.").with("www-authenticate", "Basic realm=\"Atlassian Bitbucket\"")
}
