//! What is known of one person in one organization: the ground on which access is computed.
//!
//! Facts are *given*, by an administrator's hand, or *found* by a synchronization. Found facts belong to an account of a
//! platform, and count only while that account does.

use super::login::LoginRule;
use super::role::Role;
use crate::clock::Timestamp;

/// What an organization says about everybody's access.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// How people must log in.
    pub login: LoginRule,
    /// Whether people whom a synchronization finds wait until an administrator says yes.
    pub manual: bool,
}

/// One person.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Whether the person administers the instance.
    pub administrator: bool,
    /// Whether the person's account here is disabled.
    pub disabled: bool,
    /// The role that an administrator gave.
    pub given: Option<Role>,
    /// The connected accounts.
    pub accounts: Box<[Account]>,
    /// In which teams the person is.
    pub teams: Box<[Membership]>,
    /// Which single packages the person may read.
    pub grants: Box<[Grant]>,
    /// Whether something that synchronizations found is left out, because it was confirmed too long ago.
    pub outdated: bool,
}

/// An account on a platform.
#[derive(Clone, Debug)]
pub struct Account {
    /// The integration that it is of.
    pub integration: Box<str>,
    /// What the platform calls the person.
    pub login: Box<str>,
    /// Whether the platform, or an administrator, suspended it: then it contributes nothing.
    pub suspended: bool,
    /// As what synchronizations of the organization found it.
    pub found: Box<[Found]>,
}

/// An account as one synchronization found it.
#[derive(Clone, Debug)]
pub struct Found {
    /// By which synchronization.
    pub sync: i64,
    /// What it is there.
    pub role: Role,
    /// By what it reads all packages of the synchronization, if so.
    pub reads: Option<GrantKind>,
    /// What an explanation says of that; may be empty.
    pub detail: Box<str>,
    /// Whether an administrator said yes, where that is asked for.
    pub active: bool,
    /// When that ends.
    pub until: Option<Timestamp>,
}

/// That somebody is in a team.
#[derive(Clone, Copy, Debug)]
pub struct Membership {
    /// The team's number.
    pub team: i64,
    /// Which of the [`Facts::accounts`] it is about; none: the person.
    pub account: Option<usize>,
    /// When that ends.
    pub until: Option<Timestamp>,
}

/// That somebody may read one package.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The package's number.
    pub package: u32,
    /// By what.
    pub kind: GrantKind,
    /// Which of the [`Facts::accounts`] it is about; none: the person.
    pub account: Option<usize>,
    /// When that ends.
    pub until: Option<Timestamp>,
    /// What an explanation adds; may be empty.
    pub detail: Box<str>,
}

/// By what somebody may read a single package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrantKind {
    /// An administrator gave it.
    Given,
    /// The person collaborates on the repository, member or not.
    Collaborator,
    /// The platform lets every member read it.
    Base,
    /// The platform says so, in another way.
    Sync,
}

impl GrantKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Given, Self::Collaborator, Self::Base, Self::Sync];

    /// The word for it, in JSON and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Given => "grant",
            Self::Collaborator => "collaborator",
            Self::Base => "base",
            Self::Sync => "sync",
        }
    }

    /// The kind of this word; none if there is no such kind.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl Facts {
    /// Whether the person passes the organization's way of logging in, with a user token.
    #[must_use]
    pub fn passes(&self, rule: &LoginRule) -> bool {
        let usable = self.accounts.iter().filter(|account| !account.suspended);
        self.administrator || rule.is_passed_with(usable.map(|account| &*account.integration))
    }

    /// When anything here ends by itself, or did.
    pub fn ends(&self) -> impl Iterator<Item = Timestamp> {
        let found = self.accounts.iter().flat_map(|account| account.found.iter().map(|found| found.until));
        let teams = self.teams.iter().map(|team| team.until);
        let grants = self.grants.iter().map(|grant| grant.until);
        found.chain(teams).chain(grants).flatten()
    }
}

/// Whether something that ends at `until` holds at `now`.
pub(super) fn is_in_force(until: Option<Timestamp>, now: Timestamp) -> bool {
    until.is_none_or(|until| until > now)
}
