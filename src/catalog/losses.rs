//! Who would see less after a change, in numbers, for whoever is about to make it; and who sees a package.

use super::crowd::Crowd;
use crate::access::effective;
use crate::access::explain::{self, Explanation};
use crate::access::facts::{Facts, GrantKind};
use crate::access::set::AccessSet;
use crate::access::teams::{Team, Teams};
use crate::clock::Timestamp;
use crate::store::ids::{PackageId, TeamId};
use crate::store::members::Person;

/// A change by which people may lose packages.
#[derive(Clone, Debug)]
pub enum Loss {
    /// A team is removed.
    Team(TeamId),
    /// A team does not have these any more; none: nothing of its own any more.
    Packages(TeamId, Option<Vec<PackageId>>),
    /// Somebody is no longer in a team.
    Membership(TeamId, Person),
    /// Whatever administrators gave somebody is taken back.
    Given(Person),
    /// What synchronizations found somebody to be does not count any more.
    Found(Person),
    /// Somebody does not have the package by an administrator's hand any more.
    Grant(Person, PackageId),
}

/// What a change would take away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// How many people see less than before.
    pub people: usize,
    /// How many packages the one who loses most does not see any more.
    pub packages: u32,
    /// How many packages the organization has.
    pub total: u32,
}

impl Crowd {
    /// What a change would take away from people at this moment. What they have by another path stays theirs.
    #[must_use]
    pub fn losses(&self, change: &Loss, now: Timestamp) -> Losses {
        let total = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        let mut losses = Losses { people: 0, packages: 0, total };
        let teams = self.teams_after(change);
        let teams = teams.as_ref().unwrap_or(&self.teams);
        for (person, facts) in &self.people {
            let after = self.facts_after(*person, facts, change);
            if after.is_none() && std::ptr::eq(teams, &raw const self.teams) {
                continue;
            }
            let before = effective::effective(facts, &self.teams, &self.policy, now);
            let after = effective::effective(after.as_ref().unwrap_or(facts), teams, &self.policy, now);
            let lost = before.set.lost(&after.set, total);
            losses.people += usize::from(lost > 0);
            losses.packages = losses.packages.max(lost);
        }
        losses
    }

    /// How many of the organization's packages somebody sees.
    #[must_use]
    pub fn seen_by(&self, person: Person, now: Timestamp) -> u32 {
        let total = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        let facts = self.people.iter().find(|(one, _)| *one == person);
        facts.map_or(0, |(_, facts)| effective::effective(facts, &self.teams, &self.policy, now).set.size(total))
    }

    /// Everybody who may see a package, and why.
    pub fn readers(&self, package: PackageId, now: Timestamp) -> impl Iterator<Item = (Person, Explanation)> {
        let number = self.numbers.get(&package).copied();
        self.people.iter().filter_map(move |(person, facts)| {
            let explanation = explain::explain(facts, &self.teams, &self.policy, number, now);
            explanation.allowed.then_some((*person, explanation))
        })
    }

    /// The teams after the change; none where they stay.
    fn teams_after(&self, change: &Loss) -> Option<Teams> {
        let (id, left) = match change {
            Loss::Team(id) => return Some(self.teams.with(id.0, None)),
            Loss::Packages(id, None) => (id, AccessSet::of([])),
            Loss::Packages(id, Some(gone)) => {
                let gone: Vec<u32> = gone.iter().filter_map(|id| self.numbers.get(id).copied()).collect();
                let own = &self.teams.get(id.0)?.own;
                let numbers = self.numbers.values().copied();
                (id, AccessSet::of(numbers.filter(|number| own.may_read(*number) && !gone.contains(number))))
            }
            _ => return None,
        };
        let team = self.teams.get(id.0)?;
        Some(self.teams.with(id.0, Some(Team { own: left, ..team.clone() })))
    }

    /// What is known of a person after the change; none where that stays.
    fn facts_after(&self, person: Person, facts: &Facts, change: &Loss) -> Option<Facts> {
        let mut after = facts.clone();
        match change {
            Loss::Membership(team, who) if *who == person => {
                after.teams = facts.teams.iter().filter(|one| one.team != team.0).copied().collect();
            }
            Loss::Given(who) if *who == person => {
                let is_local = |team: i64| self.teams.get(team).is_some_and(|team| !team.synchronized);
                after.given = None;
                after.teams = facts.teams.iter().filter(|one| !is_local(one.team)).copied().collect();
                after.grants = facts.grants.iter().filter(|one| one.kind != GrantKind::Given).cloned().collect();
            }
            Loss::Found(who) if *who == person => {
                for account in &mut after.accounts {
                    account.found.iter_mut().for_each(|found| found.active = false);
                }
            }
            Loss::Grant(who, package) if *who == person => {
                let number = self.numbers.get(package).copied();
                let is_it = |package: u32, kind: GrantKind| Some(package) == number && kind == GrantKind::Given;
                after.grants = facts.grants.iter().filter(|one| !is_it(one.package, one.kind)).cloned().collect();
            }
            _ => return None,
        }
        Some(after)
    }
}
