//! Git over HTTPS: bare repositories on disk behind `git http-backend`, for whom a token shows them.

use super::Site;
use super::directory::Reach;
use super::tokens::Caller;
use crate::platforms::git_backend::backend;
use crate::platforms::message::{Asked, Reply};

impl Site {
    /// Answers what Git asks, if it is Git.
    pub(super) fn git(&self, asked: &Asked) -> Option<Reply> {
        let (name, rest) = asked.path.strip_prefix('/')?.split_once(".git/")?;
        if !matches!(rest, "info/refs" | "git-upload-pack" | "git-receive-pack" | "HEAD") {
            return None;
        }
        Some(self.clone_of(asked, name, rest).unwrap_or_else(|refusal| refusal))
    }

    fn clone_of(&self, asked: &Asked, name: &str, rest: &str) -> Result<Reply, Reply> {
        let (workspace, slug) = name.split_once('/').ok_or_else(absent)?;
        let id = self.directory.workspace(workspace).and_then(|id| self.directory.repository(id, slug));
        let id = id.or_else(|| self.directory.moved.get(&name.to_lowercase()).copied());
        let one = id.and_then(|id| Some((id, self.directory.repositories.get(&id)?)));
        let is_public = one.as_ref().is_some_and(|(_, one)| !one.private);
        if !is_public || asked.basic().is_some() {
            let caller = self.git_caller(asked)?;
            caller.needs(&["read:repository:bitbucket", "repository"]).map_err(|_| Reply::text(403, "No"))?;
            let (id, _) = one.as_ref().ok_or_else(absent)?;
            if self.level(&caller, *id).is_none() {
                return Err(absent());
            }
        }
        if rest == "git-receive-pack" {
            return Err(Reply::text(403, "No").blamed("nobody here pushes"));
        }
        match one.and_then(|(_, one)| one.git.as_ref()) {
            Some(folder) => Ok(backend(asked, folder, rest)),
            None => Err(absent()),
        }
    }

    fn git_caller(&self, asked: &Asked) -> Result<Caller, Reply> {
        let wrong =
            || Reply::text(401, "Invalid credentials").with("www-authenticate", "Basic realm=\"Bitbucket.org HTTP\"");
        let Some((user, secret)) = asked.basic() else { return Err(wrong()) };
        if secret.starts_with("ATBB") {
            return Err(Reply::text(410, "App passwords are no longer supported."));
        }
        if let Some(own) = self.directory.secrets.get(&secret).filter(|own| !own.revoked) {
            let right = match own.reach {
                Reach::Person(_) => "x-bitbucket-api-token-auth",
                _ => "x-token-auth",
            };
            if user != right {
                return Err(wrong().blamed(format!("{user:?} is no user name for this token")));
            }
            return Ok(Caller { reach: own.reach.clone(), scopes: own.scopes.clone() });
        }
        if user != "x-token-auth" {
            return Err(wrong());
        }
        self.by_token(&secret).map_err(|_| wrong())
    }
}

fn absent() -> Reply {
    Reply::text(404, "Repository not found")
}
