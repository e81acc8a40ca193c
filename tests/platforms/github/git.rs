//! Git over HTTPS: bare repositories on disk behind `git http-backend`, for whom a token shows them.

use super::Site;
use super::directory::{Repository, Visibility};
use super::tokens::Who;
use crate::platforms::git_backend::backend;
use crate::platforms::message::{Asked, Reply};

impl Site {
    /// Answers what Git asks, if it is Git.
    pub(super) fn git(&mut self, asked: &Asked) -> Option<Reply> {
        let (owner, rest) = asked.path.strip_prefix('/')?.split_once('/')?;
        let (name, rest) = rest.split_once('/')?;
        if !matches!(rest, "info/refs" | "git-upload-pack" | "git-receive-pack" | "HEAD") {
            return None;
        }
        // Git's side learns of new tokens later than others do.
        if let Some(status) = asked.basic().and_then(|(_, token)| self.is_unborn(&token)) {
            return Some(if status == 401 { sign_in() } else { Reply::text(status, "Repository not found.") });
        }
        Some(self.clone_of(asked, owner, name.strip_suffix(".git").unwrap_or(name), rest))
    }

    fn clone_of(&self, asked: &Asked, owner: &str, name: &str, rest: &str) -> Reply {
        let absent = || Reply::text(404, "Repository not found.");
        let moved = self.directory.moved.get(&format!("{owner}/{name}").to_ascii_lowercase());
        let moved = moved.and_then(|id| self.directory.repositories.get(id));
        let here = self.repository_at(owner, name);
        let Some(repository) = here.or(moved) else {
            return if asked.basic().is_some() { absent() } else { sign_in() };
        };
        if let Err(reply) = self.may_clone(asked, repository) {
            return reply;
        }
        if here.is_none() {
            let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&asked.query).finish();
            let at = self.places(asked).web;
            let to = format!("{at}/{}.git/{rest}?{query}", self.path_of(repository));
            return Reply { status: 301, ..Reply::redirect(&to) };
        }
        if repository.disabled {
            return Reply::text(403, "Access to this repository has been disabled by GitHub staff.");
        }
        if rest == "git-receive-pack" {
            return Reply::text(403, "Permission denied.").blamed("nobody here pushes");
        }
        match &repository.git {
            Some(folder) => backend(asked, folder, rest),
            None => absent(),
        }
    }

    fn may_clone(&self, asked: &Asked, repository: &Repository) -> Result<(), Reply> {
        let is_private_server = matches!(self.flavour, super::Flavour::Server { private: true, .. });
        let Some((user, token)) = asked.basic() else {
            let is_open = repository.visibility == Visibility::Public && !is_private_server;
            let is_odd = asked.header("authorization").is_some();
            let reply = if is_odd { sign_in().blamed("Git wants Basic") } else { sign_in() };
            return if is_open && !is_odd { Ok(()) } else { Err(reply) };
        };
        let caller = self.caller_with(&token).map_err(|reply| match reply.status {
            403 => Reply::text(403, "Your account is suspended. Please check your email for more information."),
            _ => sign_in(),
        })?;
        let is_app = matches!(caller.who, Who::Installation(_));
        if user.is_empty() || (is_app && user != "x-access-token") {
            return Err(sign_in().blamed(format!("{user:?} is no user for this token")));
        }
        if !self.shows(&caller, repository) || !caller.has_permission("contents", "read") {
            return Err(Reply::text(404, "Repository not found."));
        }
        Ok(())
    }
}

fn sign_in() -> Reply {
    Reply::text(401, "Invalid username or token.").with("www-authenticate", "Basic realm=\"GitHub\"")
}
