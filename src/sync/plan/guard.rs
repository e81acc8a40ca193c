//! Whether what is not listed any more may go.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::platform::remote::Touch;

/// As many of a kind may always go at once.
const FEW: usize = 5;
/// One part in so many may go at once.
const SHARE: usize = 5;

/// Something that goes, by the platform's ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// A package, by its repository.
    Package(String),
    /// A team.
    Team(String),
    /// A member.
    Member(String),
    /// A member is no owner any more.
    Owner(String),
    /// An account is in a team no more (team, account).
    TeamMember(String, String),
    /// A team reads a repository no more (team, repository).
    TeamRepository(String, String),
    /// An account reads a repository no more without a team (account, repository).
    Reader(String, String),
}

/// What may go without being weighed, and what may not go.
#[derive(Clone, Debug, Default)]
pub struct Leave {
    /// What signed events announced, what the platform confirmed when it was asked, and what an administrator accepted.
    pub gone: BTreeSet<Loss>,
    /// What the platform says is there, whatever its lists show.
    pub there: BTreeSet<Loss>,
    /// Where repositories are that belong to somebody else now, by their ids.
    pub moved: BTreeMap<String, String>,
}

impl Leave {
    /// Lets go what events announced, once it is not listed any more.
    pub fn announced<'a>(&mut self, touches: impl IntoIterator<Item = &'a Touch>) {
        for touch in touches {
            match touch {
                Touch::RepositoryGone(repository) => {
                    self.gone.insert(Loss::Package(repository.clone()));
                }
                Touch::RepositoryMoved(repository, to) => {
                    self.gone.insert(Loss::Package(repository.clone()));
                    self.moved.insert(repository.clone(), to.clone());
                }
                Touch::MemberGone(account) => {
                    self.gone.insert(Loss::Member(account.clone()));
                    self.gone.insert(Loss::Owner(account.clone()));
                }
                Touch::ReaderGone(repository, account) => {
                    self.gone.insert(Loss::Reader(account.clone(), repository.clone()));
                }
                Touch::TeamGone(team) => {
                    self.gone.insert(Loss::Team(team.clone()));
                }
                Touch::TeamMemberGone(team, account) => {
                    self.gone.insert(Loss::TeamMember(team.clone(), account.clone()));
                }
                Touch::TeamRepositoryGone(team, repository) => {
                    self.gone.insert(Loss::TeamRepository(team.clone(), repository.clone()));
                }
                Touch::Everything
                | Touch::Repositories
                | Touch::Repository(_)
                | Touch::Members
                | Touch::Readers(_)
                | Touch::Teams
                | Touch::Team(_)
                | Touch::Hooks => {}
            }
        }
    }
}

impl Leave {
    /// What the platform said when it was asked whether people read what they are not listed for any more; None: it did not
    /// say. An answer counts for that person and that repository alone. Only where all answers are that they do not, its lists
    /// are right, also about the `losses` that were too many to ask about.
    pub fn told_of_readers(&mut self, answers: Vec<(Loss, Option<bool>)>, losses: &BTreeSet<Loss>) {
        let all_out = !answers.is_empty() && answers.iter().all(|(_, reads)| *reads == Some(false));
        for (loss, reads) in answers {
            match reads {
                Some(true) => drop(self.there.insert(loss)),
                Some(false) => drop(self.gone.insert(loss)),
                None => {}
            }
        }
        if all_out {
            self.gone.extend(losses.iter().filter(|loss| matches!(loss, Loss::Reader(..))).cloned());
        }
    }
}

/// What is decided about one kind of things that are not listed any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict {
    going: BTreeSet<Loss>,
    waiting: BTreeSet<Loss>,
    /// Neither: the platform may not have told everything, or says that they are there.
    pub(super) kept: BTreeSet<Loss>,
}

impl Verdict {
    /// Whether it goes now.
    pub(super) fn goes(&self, loss: &Loss) -> bool {
        self.going.contains(loss)
    }

    /// Whether it waits for an administrator.
    pub(super) fn waits(&self, loss: &Loss) -> bool {
        self.waiting.contains(loss)
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Those of which nobody but a list says that they are gone.
    pub(super) fn unconfirmed<'a>(&'a self, leave: &'a Leave) -> impl Iterator<Item = &'a Loss> {
        let all = self.going.iter().chain(&self.waiting).chain(&self.kept);
        all.filter(|loss| !leave.gone.contains(*loss) && !leave.there.contains(*loss))
    }

    /// Lets nothing go of itself any more.
    pub(super) fn hold(&mut self, losses: impl IntoIterator<Item = Loss>) {
        for loss in losses {
            if self.going.remove(&loss) {
                self.waiting.insert(loss);
            }
        }
    }
}

/// Why something goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Nothing else tells why.
    Itself,
    /// Something else of the platform's answers shows that it has to.
    Shown,
    /// Something else goes, from which it follows.
    Follows(Loss),
}

/// Decides as [`judge`], but weighs only what goes by itself: one change there may take much along, such as a team that is
/// moved away from those above it. What follows from something shares its fate.
pub(super) fn judge_causes(
    losses: &BTreeSet<Loss>,
    of: usize,
    told: bool,
    leave: &Leave,
    others: &Verdict,
    cause: impl Fn(&Loss) -> Cause,
) -> Verdict {
    let causes: Vec<(&Loss, Cause)> = losses.iter().map(|loss| (loss, cause(loss))).collect();
    let weighed = |(loss, cause): &(&Loss, Cause)| (!told || *cause == Cause::Itself).then(|| (*loss).clone());
    let mut verdict = judge(causes.iter().filter_map(weighed).collect(), of, told, leave);
    if !told {
        return verdict;
    }
    for (loss, first) in &causes {
        let (mut root, mut why) = ((*loss).clone(), first.clone());
        // Teams are not nested deeper than there are teams.
        for _ in 0..=losses.len() {
            match why {
                Cause::Follows(other) if other != root => {
                    why = if losses.contains(&other) { cause(&other) } else { Cause::Itself };
                    root = other;
                }
                _ => break,
            }
        }
        if why == Cause::Shown || leave.gone.contains(*loss) {
            verdict.going.insert((*loss).clone());
        } else if *first != Cause::Itself {
            let set = match &root {
                root if verdict.waits(root) || others.waits(root) => &mut verdict.waiting,
                root if verdict.goes(root) || others.goes(root) => &mut verdict.going,
                _ => &mut verdict.kept,
            };
            set.insert((*loss).clone());
        }
    }
    verdict
}

/// Decides about what is not listed any more of `of` things. `told`: whether the platform has told of all that there are.
///
/// More than [`FEW`] and more than one in [`SHARE`] wait, all of them: which of them is a mistake nobody knows.
pub(super) fn judge(losses: BTreeSet<Loss>, of: usize, told: bool, leave: &Leave) -> Verdict {
    let (there, losses): (BTreeSet<_>, BTreeSet<_>) = losses.into_iter().partition(|loss| leave.there.contains(loss));
    let (sure, unsure): (BTreeSet<_>, BTreeSet<_>) = losses.into_iter().partition(|loss| leave.gone.contains(loss));
    let mut verdict = Verdict { going: sure, waiting: BTreeSet::new(), kept: there };
    if !told {
        verdict.kept.extend(unsure);
    } else if is_suspicious(unsure.len(), of) {
        verdict.waiting = unsure;
    } else {
        verdict.going.extend(unsure);
    }
    verdict
}

fn is_suspicious(lost: usize, of: usize) -> bool {
    lost > FEW && lost.saturating_mul(SHARE) > of
}

#[cfg(test)]
mod tests {
    use super::{Leave, Loss, is_suspicious, judge};
    use std::collections::BTreeSet;

    #[test]
    fn a_few_or_a_fifth_may_go() {
        for (lost, of) in [(0, 0), (5, 5), (5, 6), (6, 30), (20, 100), (200, 1000)] {
            assert!(!is_suspicious(lost, of), "{lost} of {of}");
        }
        for (lost, of) in [(6, 6), (6, 29), (21, 100), (201, 1000)] {
            assert!(is_suspicious(lost, of), "{lost} of {of}");
        }
    }

    fn members(numbers: std::ops::Range<usize>) -> BTreeSet<Loss> {
        numbers.map(|number| Loss::Member(number.to_string())).collect()
    }

    #[test]
    fn what_is_said_of_one_repository_says_nothing_of_another() {
        let loss = |account: &str, repository: &str| Loss::Reader(account.to_owned(), repository.to_owned());
        let losses: BTreeSet<Loss> =
            [loss("ada", "1"), loss("ada", "2"), loss("bob", "1"), Loss::Team("7".to_owned())].into();
        let told = |answers: &[(Loss, Option<bool>)]| {
            let mut leave = Leave::default();
            leave.told_of_readers(answers.to_vec(), &losses);
            (leave.gone.into_iter().collect::<Vec<_>>(), leave.there.into_iter().collect::<Vec<_>>())
        };
        let out = (loss("ada", "1"), Some(false));
        let reads = (loss("bob", "1"), Some(true));
        assert_eq!(told(&[out.clone(), reads]), (vec![loss("ada", "1")], vec![loss("bob", "1")]));
        assert_eq!(told(&[out.clone(), (loss("bob", "1"), None)]), (vec![loss("ada", "1")], vec![]));
        assert_eq!(told(&[out]), (vec![loss("ada", "1"), loss("ada", "2"), loss("bob", "1")], vec![]));
        assert_eq!(told(&[]), (vec![], vec![]));
    }

    #[test]
    fn what_is_sure_is_not_weighed() {
        let leave = Leave { gone: members(0..4), there: members(4..5), ..Leave::default() };
        let verdict = judge(members(0..10), 10, true, &leave);
        assert!(verdict.goes(&Loss::Member("0".to_owned())), "five unsure ones are few");
        assert_eq!((verdict.waiting(), verdict.kept.len(), verdict.going.len()), (0, 1, 9));
        let verdict = judge(members(0..11), 11, true, &leave);
        assert_eq!((verdict.waiting(), verdict.going.len()), (6, 4));
        assert_eq!(verdict.unconfirmed(&leave).count(), 6);
        let verdict = judge(members(0..11), 11, false, &leave);
        assert_eq!((verdict.waiting(), verdict.going.len(), verdict.kept.len()), (0, 4, 7));
    }
}
