//! What follows from the facts: a person's role in an organization, and the packages that the person sees.
//!
//! - The highest role counts: the one that an administrator gave, those that synchronizations found, and plain
//!   membership for whoever an administrator put into a team. Owners and admins see everything; administrators of the
//!   instance see everything everywhere.
//! - Teams count for people with a role: what the team has, and what the teams above it have. So do the platform's
//!   base permission and other permissions that a synchronization found, also those that are about all packages of it.
//! - What an administrator granted counts with or without a role. So does a repository's collaborator that a
//!   synchronization found, unless found people wait for an administrator's yes here.
//! - What was found counts only while its account does: not suspended, and not waiting. What an administrator gave to
//!   an account counts while it is not suspended.
//! - A disabled person sees nothing. Whatever has an end holds until just before it.

use super::facts::{Account, Facts, Found, Grant, GrantKind, Membership, Policy, is_in_force};
use super::role::Role;
use super::set::AccessSet;
use super::teams::Teams;
use crate::clock::Timestamp;

/// What a person is in an organization and sees of it, whatever way of logging in it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The role; none for collaborators, strangers, and administrators of the instance who are nothing else.
    pub role: Option<Role>,
    /// The packages.
    pub set: AccessSet,
    /// Since when this is so, as long as nobody changes anything; none: since ever.
    pub since: Option<Timestamp>,
    /// When this changes by itself, at the earliest.
    pub until: Option<Timestamp>,
}

impl Access {
    /// Whether the organization is not the person's business: no role, and nothing to see.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.role.is_none() && self.set.is_empty()
    }
}

/// What a person is and sees at `now`.
#[must_use]
pub fn effective(facts: &Facts, teams: &Teams, policy: &Policy, now: Timestamp) -> Access {
    let ground = Ground { facts, teams, policy, now };
    let role = ground.role();
    let since = facts.ends().filter(|end| *end <= now).max();
    let until = facts.ends().filter(|end| *end > now).min();
    Access { role, set: ground.set(role), since, until }
}

/// What a decision is made from.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) facts: &'a Facts,
    pub(super) teams: &'a Teams,
    pub(super) policy: &'a Policy,
    pub(super) now: Timestamp,
}

impl<'a> Ground<'a> {
    /// The highest role that holds.
    pub(super) fn role(self) -> Option<Role> {
        if self.facts.disabled {
            return None;
        }
        let found = self.facts.accounts.iter().filter_map(|account| self.found(account));
        let of_team = self.facts.teams.iter().any(|one| self.is_given_team(one)).then_some(Role::Member);
        self.facts.given.into_iter().chain(found).chain(of_team).max()
    }

    fn set(self, role: Option<Role>) -> AccessSet {
        let mut set = AccessSet::of([]);
        if self.facts.disabled {
            return set;
        }
        if self.facts.administrator || role.is_some_and(Role::manages) {
            return AccessSet::All;
        }
        for reach in self.memberships(role).filter_map(|one| self.teams.reach(one.team)) {
            set.add(reach);
        }
        for packages in self.wholes(role).filter_map(|(_, found)| self.teams.of_sync(found.sync)) {
            set.add(packages);
        }
        set.add(&AccessSet::of(self.grants(role).map(|grant| grant.package)));
        set
    }

    /// The role that synchronizations found an account to have, while the account counts.
    pub(super) fn found(self, account: &Account) -> Option<Role> {
        if account.suspended {
            return None;
        }
        let holding = account.found.iter().filter(|found| found.active && is_in_force(found.until, self.now));
        holding.map(|found| found.role).max()
    }

    /// What synchronizations found by which accounts read all packages of theirs, for somebody with this role.
    pub(super) fn wholes(self, role: Option<Role>) -> impl Iterator<Item = (&'a Account, &'a Found)> {
        let accounts = self.facts.accounts.iter().filter(move |account| role.is_some() && self.counts(account));
        let found = accounts.flat_map(|account| account.found.iter().map(move |found| (account, found)));
        found.filter(move |(_, found)| found.reads.is_some() && found.active && is_in_force(found.until, self.now))
    }

    /// Whether an account waits for an administrator's yes, or was told no.
    pub(super) fn waits(self, account: &Account) -> bool {
        account.found.iter().any(|found| !found.active) && self.found(account).is_none()
    }

    /// Whether somebody was put into a team by an administrator, and that holds.
    fn is_given_team(self, one: &Membership) -> bool {
        let local = self.teams.get(one.team).is_some_and(|team| !team.synchronized);
        local && is_in_force(one.until, self.now) && self.is_of(one.account, |account| !account.suspended)
    }

    /// The memberships of teams that count for somebody with this role.
    pub(super) fn memberships(self, role: Option<Role>) -> impl Iterator<Item = &'a Membership> {
        self.facts.teams.iter().filter(move |one| {
            let counts_as_found = || is_in_force(one.until, self.now) && self.is_of(one.account, |it| self.counts(it));
            role.is_some() && (self.is_given_team(one) || counts_as_found())
        })
    }

    /// The grants that count for somebody with this role.
    pub(super) fn grants(self, role: Option<Role>) -> impl Iterator<Item = &'a Grant> {
        self.facts.grants.iter().filter(move |grant| {
            if !is_in_force(grant.until, self.now) || !self.is_of(grant.account, |account| !account.suspended) {
                return false;
            }
            let settled = self.is_of(grant.account, |account| self.counts(account));
            match grant.kind {
                GrantKind::Given => true,
                GrantKind::Collaborator => settled && (role.is_some() || !self.policy.manual),
                GrantKind::Base | GrantKind::Sync => settled && role.is_some(),
            }
        })
    }

    /// Whether what was found for an account counts.
    fn counts(self, account: &Account) -> bool {
        !account.suspended && !self.waits(account)
    }

    /// Whether a fact is about the person, or about an account of which this is true.
    fn is_of(self, account: Option<usize>, is_so: impl Fn(&Account) -> bool) -> bool {
        account.is_none_or(|index| self.facts.accounts.get(index).is_some_and(is_so))
    }
}
