//! Who asks: by an API token and the e-mail address of its account, by an access token, or by one of OAuth.

use std::collections::BTreeSet;

use super::Site;
use super::answers::lacks;
use super::directory::{Level, Reach};
use crate::platforms::message::{Asked, Reply};

/// Somebody who asks.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub reach: Reach,
    /// By their names of API tokens, or of OAuth.
    pub scopes: BTreeSet<String>,
}

/// What a wrong secret is told.
pub(super) fn refused() -> Reply {
    Reply::text(401, "Token is invalid, expired, or not supported for this endpoint.")
}

impl Caller {
    /// Whether the token has one of these scopes.
    pub(super) fn needs(&self, scopes: &[&str]) -> Result<(), Reply> {
        if scopes.iter().any(|scope| self.scopes.contains(*scope)) {
            return Ok(());
        }
        Err(lacks(&scopes[..1], self.scopes.iter().cloned()))
    }
}

impl Site {
    /// Who asks the API.
    pub(super) fn caller(&self, asked: &Asked) -> Result<Caller, Reply> {
        if let Some((user, secret)) = asked.basic() {
            return self.by_password(&user, &secret);
        }
        let Some(text) = asked.bearer() else { return Err(refused()) };
        self.by_token(text)
    }

    fn by_password(&self, user: &str, secret: &str) -> Result<Caller, Reply> {
        let wrong = || Reply::text(401, "Login failed due to incorrect login credentials or method.");
        if secret.starts_with("ATBB") {
            return Err(wrong().blamed("nobody is let in by app passwords any more"));
        }
        let found = self.directory.secrets.get(secret).filter(|own| !own.revoked).ok_or_else(wrong)?;
        let Reach::Person(id) = found.reach else {
            return Err(refused().blamed("access tokens go without a user name"));
        };
        let is_own = self.users[&id].emails.iter().any(|own| own.email == user);
        if !is_own {
            return Err(wrong());
        }
        Ok(Caller { reach: found.reach.clone(), scopes: found.scopes.clone() })
    }

    pub(super) fn by_token(&self, text: &str) -> Result<Caller, Reply> {
        if let Some(own) = self.grants.tokens.get(text) {
            return Ok(Caller { reach: Reach::Person(own.user), scopes: own.scopes.iter().cloned().collect() });
        }
        let found = self.directory.secrets.get(text).filter(|own| !own.revoked).ok_or_else(refused)?;
        if matches!(found.reach, Reach::Person(_)) {
            return Err(refused().blamed("API tokens go with an e-mail address"));
        }
        Ok(Caller { reach: found.reach.clone(), scopes: found.scopes.clone() })
    }

    /// Whether somebody is in a workspace; `as_owner`: as one of its owners.
    pub(super) fn is_in(&self, caller: &Caller, workspace: u64, as_owner: bool) -> bool {
        match &caller.reach {
            Reach::Person(user) => {
                let own = self.directory.workspaces[&workspace].members.get(user);
                own.is_some_and(|owner| *owner || !as_owner)
            }
            // A bot of the workspace itself administers it.
            Reach::Workspace(own) => *own == workspace,
            Reach::Project(id) => !as_owner && self.directory.projects[id].workspace == workspace,
            Reach::Repository(id) => !as_owner && self.directory.repositories[id].workspace == workspace,
        }
    }

    /// What somebody may do with a repository.
    pub(super) fn level(&self, caller: &Caller, repository: u64) -> Option<Level> {
        let one = &self.directory.repositories[&repository];
        let by_right = match &caller.reach {
            Reach::Person(user) => self.directory.effective(*user, repository),
            Reach::Workspace(id) => (*id == one.workspace).then_some(Level::Admin),
            Reach::Project(id) => (*id == one.project).then_some(Level::Admin),
            Reach::Repository(id) => (*id == repository).then_some(Level::Admin),
        };
        by_right.or_else(|| (!one.private).then_some(Level::Read))
    }
}
