//! What somebody is in an organization.

use std::fmt;

/// What somebody is in an organization; each may all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Not a member: sees the packages that were granted directly.
    Collaborator,
    /// Sees the packages of teams and grants.
    Member,
    /// Sees all packages, and manages packages, teams, members, tokens and credentials.
    Admin,
    /// May everything, the organization's settings and its owners and admins included.
    Owner,
}

impl Role {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Collaborator => "collaborator",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The role of a membership; a collaborator has none.
    #[must_use]
    pub fn of_membership(word: &str) -> Option<Self> {
        [Self::Member, Self::Admin, Self::Owner].into_iter().find(|role| role.as_str() == word)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
