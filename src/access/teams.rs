//! The teams of one organization, and what each may read; and the packages of its synchronizations, which some people read
//! without a team.

use std::collections::{HashMap, HashSet};

use super::set::AccessSet;

/// A team.
#[derive(Clone, Debug)]
pub struct Team {
    /// The names from the outermost team to this one, between slashes.
    pub path: Box<str>,
    /// The team above it.
    pub parent: Option<i64>,
    /// Whether a synchronization found it.
    pub synchronized: bool,
    /// Whether its people read what the teams above it have. Those of a subgroup of GitLab do not.
    pub inherits: bool,
    /// What it was given itself.
    pub own: AccessSet,
}

/// All teams of an organization, by their numbers.
#[derive(Clone, Debug, Default)]
pub struct Teams {
    teams: HashMap<i64, Team>,
    /// What the people of each may read: its own, and what the teams above it have.
    reach: HashMap<i64, AccessSet>,
    /// The packages of each synchronization, by its number.
    syncs: HashMap<i64, AccessSet>,
}

impl Teams {
    /// Teams by their numbers. One whose parent is not among them stands on its own.
    #[must_use]
    pub fn of(teams: HashMap<i64, Team>) -> Self {
        let reach = teams.keys().map(|number| (*number, reach(&teams, *number))).collect();
        Self { teams, reach, syncs: HashMap::new() }
    }

    /// The same, with the packages of each synchronization.
    #[must_use]
    pub fn with_syncs(self, syncs: HashMap<i64, AccessSet>) -> Self {
        Self { syncs, ..self }
    }

    /// The same after one team changed, or was removed (`None`) with those below it.
    #[must_use]
    pub fn with(&self, number: i64, team: Option<Team>) -> Self {
        let mut teams = self.teams.clone();
        match team {
            Some(team) => {
                teams.insert(number, team);
            }
            None => {
                let gone: Vec<i64> =
                    teams.keys().copied().filter(|one| above(&teams, *one).contains(&number)).collect();
                teams.retain(|one, _| *one != number && !gone.contains(one));
            }
        }
        Self::of(teams).with_syncs(self.syncs.clone())
    }

    /// The team with this number.
    #[must_use]
    pub fn get(&self, number: i64) -> Option<&Team> {
        self.teams.get(&number)
    }

    /// What the people of a team may read; none if there is no such team.
    #[must_use]
    pub fn reach(&self, number: i64) -> Option<&AccessSet> {
        self.reach.get(&number)
    }

    /// The packages of a synchronization; none if it has none.
    #[must_use]
    pub fn of_sync(&self, number: i64) -> Option<&AccessSet> {
        self.syncs.get(&number)
    }

    /// A team, and those above it whose packages its people read, the innermost first.
    pub fn line(&self, number: i64) -> impl Iterator<Item = (i64, &Team)> {
        line(&self.teams, number).into_iter().filter_map(|one| Some((one, self.teams.get(&one)?)))
    }
}

fn reach(teams: &HashMap<i64, Team>, number: i64) -> AccessSet {
    let mut set = AccessSet::of([]);
    for one in line(teams, number) {
        if let Some(team) = teams.get(&one) {
            set.add(&team.own);
        }
    }
    set
}

/// The numbers from a team to the outermost one of which it has anything.
fn line(teams: &HashMap<i64, Team>, number: i64) -> Vec<i64> {
    let inherits = |team: &&Team| team.inherits;
    walked(teams, number, |team| team.filter(inherits).and_then(|team| team.parent))
}

/// The numbers from a team to the outermost one.
fn above(teams: &HashMap<i64, Team>, number: i64) -> Vec<i64> {
    walked(teams, number, |team| team.and_then(|team| team.parent))
}

/// A circle, which nobody can make, is walked once.
fn walked(teams: &HashMap<i64, Team>, number: i64, next_of: impl Fn(Option<&Team>) -> Option<i64>) -> Vec<i64> {
    let (mut line, mut seen) = (Vec::new(), HashSet::new());
    let mut next = Some(number);
    while let Some(one) = next.filter(|one| teams.contains_key(one) && seen.insert(*one)) {
        line.push(one);
        next = next_of(teams.get(&one));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{Team, Teams};
    use crate::access::set::AccessSet;
    use std::collections::HashMap;

    fn team(parent: Option<i64>, packages: &[u32]) -> Team {
        let own = AccessSet::of(packages.iter().copied());
        Team { path: "x".into(), parent, synchronized: false, inherits: true, own }
    }

    fn teams(list: &[(i64, Team)]) -> Teams {
        Teams::of(list.iter().cloned().collect::<HashMap<_, _>>())
    }

    #[test]
    fn a_team_reads_what_those_above_it_do() {
        let teams = teams(&[(1, team(None, &[1])), (2, team(Some(1), &[2])), (3, team(Some(2), &[3]))]);
        assert_eq!(teams.reach(3), Some(&AccessSet::of([1, 2, 3])));
        assert_eq!(teams.reach(1), Some(&AccessSet::of([1])));
        assert_eq!(teams.reach(4), None);
        let after = teams.with(2, Some(team(None, &[2])));
        assert_eq!(after.reach(3), Some(&AccessSet::of([2, 3])));
        let after = teams.with(2, None);
        assert!(after.reach(2).is_none() && after.reach(3).is_none() && after.reach(1).is_some());
    }

    #[test]
    fn the_people_of_a_subgroup_do_not_read_what_the_groups_above_have() {
        let group = |parent, packages: &[u32]| Team { inherits: false, ..team(parent, packages) };
        let teams = teams(&[(1, group(None, &[1, 2])), (2, group(Some(1), &[2]))]);
        assert_eq!(teams.reach(2), Some(&AccessSet::of([2])));
        assert_eq!(teams.reach(1), Some(&AccessSet::of([1, 2])));
        assert!(teams.with(1, None).reach(2).is_none(), "it goes with the one above it");
    }

    #[test]
    fn a_circle_ends() {
        let teams = teams(&[(1, team(Some(2), &[1])), (2, team(Some(1), &[2]))]);
        assert_eq!(teams.reach(1), Some(&AccessSet::of([1, 2])));
        assert!(teams.with(1, None).reach(2).is_none());
    }
}
