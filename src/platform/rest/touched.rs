//! Which lists are asked for again in a run that events caused, and which are taken as they were.

use std::collections::{BTreeMap, BTreeSet};

use crate::platform::remote::{Scope, Touch};

/// The team above each that stands below another one.
pub(crate) type Parents = BTreeMap<u64, u64>;

/// What is asked for again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Touched {
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
    pub(crate) fn of(scope: &Scope) -> Self {
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
            Touch::Repository(id) | Touch::RepositoryGone(id) | Touch::RepositoryMoved(id, _) => {
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
    pub(crate) fn everything(&self) -> bool {
        self.everything
    }

    /// Which repositories there are.
    pub(crate) fn repositories(&self) -> bool {
        self.everything || self.repositories
    }

    /// Whether this repository has a composer.json, whatever was known.
    pub(crate) fn manifest(&self, repository: &str) -> bool {
        self.repository.contains(repository)
    }

    /// The members and their roles.
    pub(crate) fn members(&self) -> bool {
        self.everything || self.members
    }

    /// Which teams there are.
    pub(crate) fn teams(&self) -> bool {
        self.everything || self.teams
    }

    /// The people and repositories of a team, given where teams stand now and stood before: what changes in one shows in
    /// those above it and in those below it, as platforms let people or repositories count there.
    pub(crate) fn team(&self, id: u64, now: &Parents, before: &Parents) -> bool {
        self.everything || [now, before].iter().any(|parents| self.is_kin(id, parents))
    }

    fn is_kin(&self, id: u64, parents: &Parents) -> bool {
        let touched = |id: &u64| self.team.contains(&id.to_string());
        let is_below = |inner: &u64| touched(inner) && above(*inner, parents).contains(&id);
        above(id, parents).iter().any(touched) || parents.keys().any(is_below)
    }

    /// Who reads a repository because somebody let them.
    pub(crate) fn readers(&self, repository: &str) -> bool {
        self.everything || self.readers.contains(repository)
    }

    /// Who reads repositories by whatever way: every change of people and teams may show there.
    pub(crate) fn effective(&self, repository: &str) -> bool {
        self.members() || self.teams() || !self.gone.is_empty() || self.readers(repository)
    }

    /// Whether a list that names these accounts is not to be believed.
    pub(crate) fn names_gone(&self, accounts: impl IntoIterator<Item = u64>) -> bool {
        !self.gone.is_empty() && accounts.into_iter().any(|account| self.gone.contains(&account.to_string()))
    }
}

/// A team and those above it; a circle ends where it closes.
pub(crate) fn above(id: u64, parents: &Parents) -> BTreeSet<u64> {
    let (mut line, mut next) = (BTreeSet::new(), Some(id));
    while let Some(id) = next.filter(|id| line.insert(*id)) {
        next = parents.get(&id).copied();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{Parents, Touched};
    use crate::platform::remote::{Scope, Touch};

    #[test]
    fn what_changes_in_a_team_shows_above_and_below_it() {
        // 1 > 2 > 3, beside them 1 > 4 and 5.
        let teams = Parents::from([(2, 1), (3, 2), (4, 1)]);
        let touched = Touched::of(&Scope::Touched(vec![Touch::Team("2".to_owned())]));
        let again: Vec<_> = (1..=5).filter(|id| touched.team(*id, &teams, &Parents::new())).collect();
        assert_eq!(again, [1, 2, 3]);
        // It stood below 5 before.
        let before = Parents::from([(2, 5)]);
        let again: Vec<_> = (1..=5).filter(|id| touched.team(*id, &teams, &before)).collect();
        assert_eq!(again, [1, 2, 3, 5]);
        // A circle ends.
        let circle = Parents::from([(1, 2), (2, 1)]);
        assert!(touched.team(1, &circle, &Parents::new()));
    }

    #[test]
    fn an_event_asks_again_only_for_what_it_touches() {
        let touched = Touched::of(&Scope::Touched(vec![Touch::Readers("7".to_owned())]));
        assert!(touched.readers("7") && touched.effective("7"));
        assert!(!touched.readers("8") && !touched.members() && !touched.teams() && !touched.repositories());
        let gone = Touched::of(&Scope::Touched(vec![Touch::MemberGone("3".to_owned())]));
        assert!(gone.members() && gone.names_gone([1, 3]) && !gone.names_gone([1, 2]));
        let all = Touched::of(&Scope::Everything);
        assert!(
            all.members()
                && all.teams()
                && all.repositories()
                && all.readers("1")
                && all.team(9, &Parents::new(), &Parents::new())
        );
    }
}
