//! Git over HTTPS: bare repositories on disk behind `git http-backend`, for whom a token shows them. A project that has moved
//! is served where it was, as GitLab does it for Git.

use super::Site;
use super::answers::today;
use super::directory::{Project, Visibility};
use super::tokens::Covered;
use crate::platforms::git_backend::backend;
use crate::platforms::message::{Asked, Reply};

impl Site {
    /// Answers what Git asks, if it is Git.
    pub(super) fn git(&mut self, asked: &Asked, path: &str) -> Option<Reply> {
        let (name, rest) = path.strip_prefix('/')?.split_once(".git/")?;
        if !matches!(rest, "info/refs" | "git-upload-pack" | "git-receive-pack" | "HEAD") {
            return None;
        }
        Some(self.clone_of(asked, name, rest).unwrap_or_else(|refusal| refusal))
    }

    fn clone_of(&mut self, asked: &Asked, name: &str, rest: &str) -> Result<Reply, Reply> {
        let found = self.project_named(name).cloned();
        let Some(project) = found else {
            return Err(if asked.basic().is_some() { absent() } else { sign_in() });
        };
        self.may_clone(asked, &project)?;
        if rest == "git-receive-pack" {
            return Err(Reply::text(403, "You are not allowed to push code.").blamed("nobody here pushes"));
        }
        match &project.git {
            Some(folder) => Ok(backend(asked, folder, rest)),
            None => Err(Reply::text(404, "A repository for this project does not exist yet.")),
        }
    }

    /// A project by its path now or before.
    pub(super) fn project_named(&self, path: &str) -> Option<&Project> {
        let moved = || self.directory.moved.get(&path.to_ascii_lowercase());
        self.directory.project_at(path).or_else(|| moved().and_then(|id| self.directory.projects.get(id)))
    }

    fn may_clone(&mut self, asked: &Asked, project: &Project) -> Result<(), Reply> {
        let Some((user, secret)) = asked.basic() else {
            let is_odd = asked.header("authorization").is_some() || asked.header("private-token").is_some();
            let is_open = project.visibility == Visibility::Public && project.repository == "enabled";
            let reply = if is_odd { sign_in().blamed("Git wants Basic") } else { sign_in() };
            return if is_open && !is_odd { Ok(()) } else { Err(reply) };
        };
        if self.deploy_tokens.contains_key(&secret) {
            return self.may_deploy(&user, &secret, project);
        }
        let is_grant = self.grants.tokens.contains_key(&secret);
        if user.is_empty() || (is_grant && user != "oauth2") {
            return Err(sign_in().blamed(format!("{user:?} is no user for this token")));
        }
        let caller = if is_grant { self.granted(&secret) } else { self.personal(&secret) }.map_err(|reply| {
            let is_blocked = reply.status == 403;
            if is_blocked { Reply::text(403, "Your account has been blocked.") } else { sign_in() }
        })?;
        if caller.needs(&["read_repository", "write_repository", "api"]).is_err() {
            let said = "HTTP Basic: Access denied. If a password was provided for Git authentication, the password was \
                        incorrect or you're required to use a token instead of a password.";
            return Err(Reply::text(403, said));
        }
        if !self.shows_project(&caller, project) {
            return Err(absent());
        }
        if !self.reads_code(&caller, project) {
            return Err(Reply::text(403, "You are not allowed to download code from this project."));
        }
        Ok(())
    }

    fn may_deploy(&self, user: &str, secret: &str, project: &Project) -> Result<(), Reply> {
        let own = &self.deploy_tokens[secret];
        let day = today(self.clock());
        if own.username != user {
            return Err(sign_in().blamed(format!("{user:?} is not the user name of this deploy token")));
        }
        if own.expires_at.as_ref().is_some_and(|end| *end <= day)
            || !own.scopes.iter().any(|one| one == "read_repository")
        {
            return Err(sign_in());
        }
        let is_for_it = match own.place {
            Covered::Project(id) => id == project.id,
            Covered::Group(id) => self.directory.subtree(id).contains(&project.group),
        };
        if is_for_it && project.repository != "disabled" { Ok(()) } else { Err(absent()) }
    }
}

fn absent() -> Reply {
    let said = "The project you were looking for could not be found or you don't have permission to view it.";
    Reply::text(404, said)
}

fn sign_in() -> Reply {
    Reply::text(401, "HTTP Basic: Access denied.").with("www-authenticate", "Basic realm=\"GitLab\"")
}
