//! Who asks, and what the token allows: classic and fine-grained tokens of people, tokens of OAuth Apps, and those of
//! installations.

use std::collections::{BTreeMap, BTreeSet};

use super::answers::{forbidden, message};
use super::directory::{Level, Repository, Visibility};
use super::{Kind, Site};
use crate::platforms::message::{Asked, Reply};

/// A personal access token.
#[derive(Clone, Debug)]
pub struct PersonalToken {
    /// Whose it is.
    pub user: u64,
    /// Of a classic token: its scopes, as GitHub writes them, without those that others contain.
    pub scopes: Option<Vec<String>>,
    /// Of a fine-grained token: what it may do.
    pub permissions: BTreeMap<String, String>,
    /// Of a fine-grained token: the organization or user whose repositories it may see.
    pub resource_owner: Option<u64>,
    /// When it ends, in seconds since the epoch.
    pub expires_at: Option<i64>,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A person.
    User(u64),
    /// An App in an organization.
    Installation(u64),
}

/// Who asks, and with which rights.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub who: Who,
    /// Of classic tokens.
    pub scopes: Option<Vec<String>>,
    /// Of all others.
    pub permissions: Option<BTreeMap<String, String>>,
    /// Whose repositories it may see alone.
    pub resource_owner: Option<u64>,
    /// Which repositories it may see alone.
    pub repositories: Option<BTreeSet<u64>>,
    /// When the token ends.
    pub expires_at: Option<i64>,
}

/// What scopes contain.
const CONTAINS: [(&str, &[&str]); 6] = [
    ("repo", &["repo:status", "public_repo", "admin:repo_hook", "write:repo_hook", "read:repo_hook"]),
    ("admin:org", &["write:org", "read:org"]),
    ("write:org", &["read:org"]),
    ("admin:repo_hook", &["write:repo_hook", "read:repo_hook"]),
    ("write:repo_hook", &["read:repo_hook"]),
    ("user", &["read:user", "user:email"]),
];

impl Caller {
    /// A person's number.
    pub fn user(&self) -> Option<u64> {
        match self.who {
            Who::User(id) => Some(id),
            Who::Installation(_) => None,
        }
    }

    /// Whether a classic token has a scope; others have none and are asked for permissions.
    pub fn has_scope(&self, wanted: &str) -> bool {
        let contains = |own: &String| {
            own == wanted || CONTAINS.iter().any(|(scope, contained)| scope == own && contained.contains(&wanted))
        };
        self.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(contains))
    }

    /// Whether a fine-grained token or an App has a permission; classic tokens have none and are asked for scopes.
    pub fn has_permission(&self, name: &str, level: &str) -> bool {
        let rank = |level: &str| ["read", "write", "admin"].iter().position(|one| *one == level);
        let Some(permissions) = &self.permissions else { return true };
        permissions.get(name).is_some_and(|own| rank(own) >= rank(level))
    }

    /// Requires a scope or a permission, whichever the token goes by.
    pub fn needs(&self, scope: &str, permission: &str, level: &str) -> Result<(), Reply> {
        if !self.has_permission(permission, level) {
            let kind = match self.who {
                Who::User(_) => "personal access token",
                Who::Installation(_) => "integration",
            };
            let reply = forbidden(&format!("Resource not accessible by {kind}"));
            return Err(reply.with("x-accepted-github-permissions", &format!("{permission}={level}")));
        }
        if self.has_scope(scope) {
            return Ok(());
        }
        let mut accepted: Vec<&str> =
            CONTAINS.iter().filter(|(_, contained)| contained.contains(&scope)).map(|(name, _)| *name).collect();
        accepted.push(scope);
        let said = format!("This API operation needs the \"{scope}\" scope.");
        Err(forbidden(&said).with("x-accepted-oauth-scopes", &accepted.join(", ")))
    }
}

impl Site {
    /// Who asks.
    pub(super) fn caller(&self, asked: &Asked) -> Result<Caller, Reply> {
        let Some(token) = asked.bearer() else { return Err(message(401, "Requires authentication")) };
        self.caller_with(token)
    }

    /// Whose token that is.
    pub(super) fn caller_with(&self, token: &str) -> Result<Caller, Reply> {
        let bad = || message(401, "Bad credentials");
        let caller = if let Some(own) = self.tokens.get(token) {
            Caller {
                who: Who::User(own.user),
                scopes: own.scopes.clone(),
                permissions: own.scopes.is_none().then(|| own.permissions.clone()),
                resource_owner: own.resource_owner,
                repositories: None,
                expires_at: own.expires_at,
            }
        } else if let Some(own) = self.grants.tokens.get(token) {
            let is_oauth = self.apps[&own.client_id].kind == Kind::OAuth;
            Caller {
                who: Who::User(own.user),
                scopes: is_oauth.then(|| own.scopes.clone()),
                permissions: (!is_oauth).then(BTreeMap::new),
                resource_owner: None,
                repositories: None,
                expires_at: None,
            }
        } else if let Some(own) = self.installation_tokens.get(token) {
            self.installed_caller(own)?
        } else {
            return Err(bad());
        };
        if caller.expires_at.is_some_and(|end| end <= self.clock()) {
            return Err(bad());
        }
        match caller.user().map(|id| self.users.get(&id)) {
            Some(None) => Err(bad()),
            Some(Some(user)) if user.suspended => Err(forbidden("Sorry. Your account was suspended.")),
            _ => Ok(caller),
        }
    }

    /// Whether a token shows its owner a repository.
    pub(super) fn shows(&self, caller: &Caller, repository: &Repository) -> bool {
        repository.visibility == Visibility::Public || self.level(caller, repository) >= Level::Read
    }

    /// What a token may do with a repository.
    pub(super) fn level(&self, caller: &Caller, repository: &Repository) -> Level {
        let is_out = caller.resource_owner.is_some_and(|owner| owner != repository.owner)
            || caller.repositories.as_ref().is_some_and(|all| !all.contains(&repository.id));
        if is_out || !caller.has_permission("metadata", "read") {
            return Level::None;
        }
        let Some(user) = caller.user() else { return Level::Read };
        let is_private = repository.visibility != Visibility::Public;
        if is_private && !caller.has_scope("repo") {
            return Level::None;
        }
        let right = self.directory.right(user, repository).map_or(Level::None, |grant| grant.level);
        let is_inside = self.directory.orgs.values().any(|org| org.members.contains_key(&user));
        match repository.visibility {
            Visibility::Internal if is_inside => right.max(Level::Read),
            _ => right,
        }
    }
}
