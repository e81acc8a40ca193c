//! Which lists are asked for again in a run that events caused, and which are taken as they were.

use std::collections::{BTreeMap, BTreeSet};

use super::wire::Team;
use crate::platform::remote::{Scope, Touch};

/// What is asked for again.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    everything: bool,
    repositories: bool,
    members: bool,
    teams: bool,
    /// Whose people or repositories may have changed.
    team: BTreeSet<String>,
    repository: BTreeSet<String>,
    readers: BTreeSet<String>,
    /// Accounts that are said to be somewhere no more: every list that has them is asked for again.
    gone: BTreeSet<String>,
}

impl Touched {
    /// What a scope names.
    pub(super) fn of(scope: &Scope) -> Self {
        let mut touched = Self::default();
        match scope {
            Scope::Everything => touched.everything = true,
            Scope::Touched(touches) => touches.iter().for_each(|touch| touched.add(touch)),
        }
        touched
    }

    fn add(&mut self, touch: &Touch) {
        match touch {
            Touch::Everything => self.everything = true,
            Touch::Repositories => self.repositories = true,
            Touch::Repository(id) | Touch::RepositoryGone(id) => {
                self.repositories = true;
                self.repository.insert(id.clone());
                self.readers.insert(id.clone());
            }
            Touch::Members => self.members = true,
            Touch::MemberGone(account) => {
                self.members = true;
                self.gone.insert(account.clone());
            }
            Touch::Readers(repository) => {
                self.readers.insert(repository.clone());
            }
            Touch::ReaderGone(repository, account) => {
                self.readers.insert(repository.clone());
                self.gone.insert(account.clone());
            }
            Touch::Teams => self.teams = true,
            Touch::Team(team) | Touch::TeamGone(team) | Touch::TeamRepositoryGone(team, _) => {
                self.teams = true;
                self.team.insert(team.clone());
            }
            Touch::TeamMemberGone(team, account) => {
                self.teams = true;
                self.team.insert(team.clone());
                self.gone.insert(account.clone());
            }
            Touch::Hooks => {}
        }
    }

    /// Whether this run reads all.
    pub(super) fn everything(&self) -> bool {
        self.everything
    }

    /// Which repositories there are.
    pub(super) fn repositories(&self) -> bool {
        self.everything || self.repositories
    }

    /// Whether this repository has a composer.json, whatever was known.
    pub(super) fn manifest(&self, repository: &str) -> bool {
        self.repository.contains(repository)
    }

    /// The members and their roles.
    pub(super) fn members(&self) -> bool {
        self.everything || self.members
    }

    /// Which teams there are.
    pub(super) fn teams(&self) -> bool {
        self.everything || self.teams
    }

    /// The people and repositories of a team, given all teams of now and before: what changes in one shows in those above
    /// it, which have its people, and in those below it, which have its repositories.
    pub(super) fn team(&self, id: u64, teams: &[Team], before: &[Team]) -> bool {
        self.everything || [teams, before].iter().any(|teams| self.is_kin(id, teams))
    }

    fn is_kin(&self, id: u64, teams: &[Team]) -> bool {
        let parents: BTreeMap<u64, u64> =
            teams.iter().filter_map(|team| Some((team.id, team.parent.as_ref()?.id))).collect();
        let touched = |line: &BTreeSet<u64>| line.iter().any(|id| self.team.contains(&id.to_string()));
        let line = above(id, &parents);
        touched(&line)
            || teams.iter().map(|team| above(team.id, &parents)).any(|line| line.contains(&id) && touched(&line))
    }

    /// Who reads a repository because somebody let them.
    pub(super) fn readers(&self, repository: &str) -> bool {
        self.everything || self.readers.contains(repository)
    }

    /// Who reads repositories by whatever way: every change of people and teams may show there.
    pub(super) fn effective(&self, repository: &str) -> bool {
        self.members() || self.teams() || !self.gone.is_empty() || self.readers(repository)
    }

    /// Whether a list that names these accounts is not to be believed.
    pub(super) fn names_gone(&self, accounts: impl IntoIterator<Item = u64>) -> bool {
        !self.gone.is_empty() && accounts.into_iter().any(|account| self.gone.contains(&account.to_string()))
    }
}

/// A team and those above it; a circle ends where it closes.
pub(super) fn above(id: u64, parents: &BTreeMap<u64, u64>) -> BTreeSet<u64> {
    let (mut line, mut next) = (BTreeSet::new(), Some(id));
    while let Some(id) = next.filter(|id| line.insert(*id)) {
        next = parents.get(&id).copied();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::Touched;
    use crate::platform::github::wire::{Parent, Team};
    use crate::platform::remote::{Scope, Touch};

    fn team(id: u64, parent: Option<u64>) -> Team {
        Team { id, slug: id.to_string(), parent: parent.map(|id| Parent { id }) }
    }

    #[test]
    fn what_changes_in_a_team_shows_above_and_below_it() {
        // 1 > 2 > 3, beside them 1 > 4 and 5.
        let teams = [team(1, None), team(2, Some(1)), team(3, Some(2)), team(4, Some(1)), team(5, None)];
        let touched = Touched::of(&Scope::Touched(vec![Touch::Team("2".to_owned())]));
        let again: Vec<_> = (1..=5).filter(|id| touched.team(*id, &teams, &[])).collect();
        assert_eq!(again, [1, 2, 3]);
        // It stood below 5 before.
        let before = [team(2, Some(5)), team(5, None)];
        let again: Vec<_> = (1..=5).filter(|id| touched.team(*id, &teams, &before)).collect();
        assert_eq!(again, [1, 2, 3, 5]);
        // A circle ends.
        let circle = [team(1, Some(2)), team(2, Some(1))];
        assert!(touched.team(1, &circle, &[]));
    }

    #[test]
    fn an_event_asks_again_only_for_what_it_touches() {
        let touched = Touched::of(&Scope::Touched(vec![Touch::Readers("7".to_owned())]));
        assert!(touched.readers("7") && touched.effective("7"));
        assert!(!touched.readers("8") && !touched.members() && !touched.teams() && !touched.repositories());
        let gone = Touched::of(&Scope::Touched(vec![Touch::MemberGone("3".to_owned())]));
        assert!(gone.members() && gone.names_gone([1, 3]) && !gone.names_gone([1, 2]));
        let all = Touched::of(&Scope::Everything);
        assert!(all.members() && all.teams() && all.repositories() && all.readers("1") && all.team(9, &[], &[]));
    }
}
