//! What somebody is in an organization.

use std::fmt;

/// What somebody is in an organization; each may all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Not a member: sees the packages that were granted directly.
    Collaborator,
    /// Sees the packages of teams and grants.
    Member,
    /// Sees all packages, and manages packages, teams, members, tokens and credentials, but not owners.
    Admin,
    /// May everything, the organization's settings and its owners included.
    Owner,
}

impl Role {
    /// The roles of members, the lowest first.
    pub const OF_MEMBERS: [Self; 3] = [Self::Member, Self::Admin, Self::Owner];

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
        Self::OF_MEMBERS.into_iter().find(|role| role.as_str() == word)
    }

    /// Whether whoever has it sees all packages, now and later, and manages the organization.
    #[must_use]
    pub const fn manages(self) -> bool {
        matches!(self, Self::Admin | Self::Owner)
    }

    /// Whether whoever has it may make somebody who is `before` into `after` (none: no member). Admins neither touch
    /// owners nor make any.
    #[must_use]
    pub fn may_change(self, before: Option<Self>, after: Option<Self>) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => ![before, after].contains(&Some(Self::Owner)),
            Self::Member | Self::Collaborator => false,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Role::{self, Admin, Collaborator, Member, Owner};

    #[test]
    fn words_read_back() {
        for role in Role::OF_MEMBERS {
            assert_eq!(Role::of_membership(role.as_str()), Some(role));
        }
        assert_eq!((Role::of_membership("Owner"), Role::of_membership("collaborator")), (None, None));
        assert!(Owner > Admin && Admin > Member && Member > Collaborator);
    }

    #[test]
    fn admins_leave_owners_alone() {
        assert!(Owner.may_change(Some(Owner), None) && Owner.may_change(None, Some(Owner)));
        assert!(Admin.may_change(Some(Member), Some(Admin)) && Admin.may_change(Some(Admin), None));
        assert!(!Admin.may_change(Some(Owner), Some(Admin)) && !Admin.may_change(Some(Member), Some(Owner)));
        assert!(!Member.may_change(None, Some(Member)));
    }
}
