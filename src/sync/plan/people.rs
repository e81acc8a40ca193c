//! People: the accounts, what they are, and what they read without a team.

use std::collections::{BTreeMap, BTreeSet};

use super::guard::{Cause, Loss, Verdict, judge, judge_causes};
use super::{Draft, QUESTIONS, Reading, names};
use crate::access::facts::GrantKind;
use crate::access::role::Role;
use crate::platform::remote::{Kind, RemoteMember, RemoteRepository, Visibility};
use crate::sync::change::{Action, Change, Deed, Membership, Subject};
use crate::sync::local::Reader;

impl Draft<'_> {
    /// Logins and names follow the platform, and so does being suspended.
    pub(super) fn accounts(&mut self) {
        for (id, account) in self.people.clone() {
            let known = self.local.accounts.get(id);
            let display_name =
                account.display_name.clone().or_else(|| known.and_then(|known| known.display_name.clone()));
            let is_known =
                known.is_some_and(|known| known.login == account.login && known.display_name == display_name);
            if !is_known {
                self.plan.accounts.insert(id.to_owned(), (account.login.clone(), account.display_name.clone()));
            }
            let renamed = known.filter(|known| known.login != account.login).map(|known| known.login.clone());
            let was_suspended = known.is_some_and(|known| known.suspended);
            if let Some(before) = renamed {
                self.push(Change {
                    action: Action::Change,
                    kind: Subject::Member,
                    name: account.login.clone(),
                    detail: format!("was called {before}; the same person"),
                    deed: Deed::Account { account: id.to_owned(), suspended: None },
                });
            }
            if was_suspended != account.suspended {
                self.push(Change {
                    action: Action::Change,
                    kind: Subject::Member,
                    name: account.login.clone(),
                    detail: if account.suspended {
                        "suspended on the platform, so that nothing counts here that was found of them"
                    } else {
                        "not suspended on the platform any more"
                    }
                    .to_owned(),
                    deed: Deed::Account { account: id.to_owned(), suspended: Some(account.suspended) },
                });
            }
        }
    }

    /// Members and their roles; the accounts that are not listed any more, and whether they go.
    pub(super) fn members(&mut self) -> BTreeMap<String, bool> {
        let wanted: BTreeMap<&str, &RemoteMember> =
            self.remote.members.iter().map(|member| (member.account.id.as_str(), member)).collect();
        let vanished = self.local.members.keys().filter(|id| !wanted.contains_key(id.as_str()));
        let losses: BTreeSet<Loss> = vanished.cloned().map(Loss::Member).collect();
        let told = !self.remote.incomplete.contains(&Kind::Member);
        let of = self.local.members.len();
        let mut verdict = judge(losses.clone(), of, told, self.leave);
        if verdict.waiting() > 0 {
            self.plan.because.push(format!(
                "{} of {of} members would go: the platform does not list them any more",
                verdict.waiting()
            ));
        }
        let demoted = self.demoted(&wanted);
        let mut owners = judge(demoted, usize::MAX, true, self.leave);
        if self.leaves_no_owner(&wanted) {
            verdict.hold(losses.iter().filter(|loss| self.is_owner(loss) && !self.leave.gone.contains(loss)).cloned());
            let demotions: Vec<Loss> = owners.unconfirmed(self.leave).cloned().collect();
            owners.hold(demotions);
            self.plan.because.push("nobody would be an owner any more".to_owned());
        }
        if !told || verdict.waiting() > 0 {
            let asked = verdict.unconfirmed(self.leave).filter_map(|loss| match loss {
                Loss::Member(id) => Some((self.local.login(id), id.clone())),
                _ => None,
            });
            self.plan.questions.members = asked.take(QUESTIONS).collect();
        }
        self.add_and_change(&wanted, &owners);
        let mut gone = BTreeMap::new();
        for loss in &losses {
            let Loss::Member(id) = loss else { continue };
            let change = Change {
                action: Action::Remove,
                kind: Subject::Member,
                name: self.login(id),
                detail: format!("no member of {} any more", self.remote.name),
                deed: Deed::RemoveMember { account: id.clone() },
            };
            gone.insert(id.clone(), verdict.goes(loss));
            self.push_loss(&verdict, loss, change);
        }
        if !verdict.kept.is_empty() {
            let kept = verdict.kept.iter().filter_map(|loss| match loss {
                Loss::Member(id) => Some(self.local.login(id)),
                _ => None,
            });
            let notice = format!("{} stay members: the platform's list of members may be incomplete.", names(kept));
            self.plan.notices.push(notice);
        }
        gone
    }

    fn is_owner(&self, loss: &Loss) -> bool {
        matches!(loss, Loss::Member(id) if self.local.owners().any(|owner| owner == id))
    }

    fn role(&self, member: &RemoteMember) -> Role {
        if self.local.primary { member.role } else { Role::Member }
    }

    /// Owners here who are members there, and owners no more.
    fn demoted(&self, wanted: &BTreeMap<&str, &RemoteMember>) -> BTreeSet<Loss> {
        let listed = self.local.members.iter().filter_map(|(id, was)| Some((id, was, *wanted.get(id.as_str())?)));
        let demoted = listed.filter(|(_, was, is)| was.role == Role::Owner && self.role(is) < Role::Owner);
        demoted.map(|(id, _, _)| Loss::Owner(id.clone())).collect()
    }

    /// Whether nobody would own the organization any more who does now, by the platform's word alone.
    fn leaves_no_owner(&self, wanted: &BTreeMap<&str, &RemoteMember>) -> bool {
        let is_owner = |member: &&&RemoteMember| self.role(member) == Role::Owner && !member.account.suspended;
        self.local.primary
            && !self.local.has_given_owner
            && self.local.owners().next().is_some()
            && !wanted.values().any(|member| is_owner(&member))
    }

    fn add_and_change(&mut self, wanted: &BTreeMap<&str, &RemoteMember>, owners: &Verdict) {
        for (id, member) in wanted {
            let mut as_what = Membership {
                there: member.role,
                role: self.role(member),
                reads: member.reads,
                detail: member.detail.clone(),
                until: member.until,
            };
            let (name, account) = (member.account.login.clone(), (*id).to_owned());
            let Some(before) = self.local.members.get(*id) else {
                let detail = described(&as_what);
                let deed = Deed::AddMember { account, as_what };
                self.push(Change { action: Action::Add, kind: Subject::Member, name, detail, deed });
                continue;
            };
            let loss = Loss::Owner(account.clone());
            if owners.waits(&loss) {
                let held = as_what.clone();
                let deed = Deed::ChangeMember { account: account.clone(), as_what: held };
                let detail = format!("was owner, becomes {}", described(&as_what));
                self.push_loss(
                    owners,
                    &loss,
                    Change { action: Action::Change, kind: Subject::Member, name: name.clone(), detail, deed },
                );
                as_what.role = before.role;
                as_what.there = before.there;
            }
            if *before != as_what {
                let detail = match (described(before), described(&as_what)) {
                    (was, is) if was == is => is,
                    (was, is) => format!("was {was}, becomes {is}"),
                };
                let deed = Deed::ChangeMember { account, as_what };
                self.push(Change { action: Action::Change, kind: Subject::Member, name, detail, deed });
            }
        }
    }

    /// Who reads single packages without a team.
    pub(super) fn readers(&mut self, packages: &BTreeSet<String>) {
        let mut wanted: BTreeMap<(String, String, GrantKind), Reader> = BTreeMap::new();
        for reader in self.remote.readers.iter().filter(|reader| packages.contains(&reader.repository)) {
            let key = (reader.account.id.clone(), reader.repository.clone(), reader.kind);
            wanted.insert(key, Reader { detail: reader.detail.clone(), until: reader.until });
        }
        let listed: BTreeMap<&str, &RemoteRepository> =
            self.remote.repositories.iter().map(|one| (one.id.as_str(), one)).collect();
        let path = |repository: &str| {
            listed.get(repository).map_or_else(|| repository.to_owned(), |repository| repository.path.clone())
        };
        for ((account, repository, by), reader) in &wanted {
            let before = self.local.readers.get(&(account.clone(), repository.clone(), *by));
            if before == Some(reader) {
                continue;
            }
            self.plan.changes.push(Change {
                action: if before.is_some() { Action::Change } else { Action::Add },
                kind: Subject::Permission,
                name: path(repository),
                detail: format!("{}: {}", self.login(account), reader.detail),
                deed: Deed::Grant {
                    repository: repository.clone(),
                    account: account.clone(),
                    by: *by,
                    detail: reader.detail.clone(),
                    until: reader.until,
                },
            });
        }
        let loss = |account: &str, repository: &str| Loss::Reader(account.to_owned(), repository.to_owned());
        // What is granted of a repository that is gone stays for its archives.
        let is_told = |account: &str, repository: &str| {
            let is_untold = self.remote.untold.contains(repository);
            listed.contains_key(repository) && (!is_untold || self.leave.gone.contains(&loss(account, repository)))
        };
        let is_lost = |key: &(String, String, GrantKind)| !wanted.contains_key(key) && is_told(&key.0, &key.1);
        let lost: Vec<_> = self.local.readers.iter().filter(|(key, _)| is_lost(key)).collect();
        let losses = lost.iter().map(|(key, _)| loss(&key.0, &key.1)).collect();
        let reads = self.reads_anyway(&wanted);
        let unexplained = lost.iter().filter(|((account, repository, by), _)| {
            !self.is_closed(*by, listed[repository.as_str()]) && !reads(account, repository)
        });
        let unexplained: BTreeSet<Loss> = unexplained.map(|(key, _)| loss(&key.0, &key.1)).collect();
        let cause = |loss: &Loss| if unexplained.contains(loss) { Cause::Itself } else { Cause::Shown };
        let (of, told) = (self.local.readers.len(), !self.remote.incomplete.contains(&Kind::Permission));
        let verdict = judge_causes(&losses, of, told, self.leave, &Verdict::default(), cause);
        drop(reads);
        if verdict.waiting() > 0 {
            self.plan.because.push(format!("{} of {of} permissions of single people would go", verdict.waiting()));
            self.plan.questions.readers = self.whether_they_read(&verdict, &listed);
        }
        for ((account, repository, by), reader) in lost {
            let change = Change {
                action: Action::Remove,
                kind: Subject::Permission,
                name: path(repository),
                detail: format!("{}: {}", self.login(account), reader.detail),
                deed: Deed::Revoke { repository: repository.clone(), account: account.clone(), by: *by },
            };
            self.push_loss(&verdict, &Loss::Reader(account.clone(), repository.clone()), change);
        }
    }

    /// Whether an account reads a repository by something else than before, of what is listed.
    fn reads_anyway<'b>(
        &'b self,
        wanted: &'b BTreeMap<(String, String, GrantKind), Reader>,
    ) -> impl Fn(&str, &str) -> bool + 'b {
        let all = self.remote.members.iter().filter(|member| member.reads.is_some());
        let all: BTreeSet<&str> = all.map(|member| member.account.id.as_str()).collect();
        let single: BTreeSet<(&str, &str)> = wanted.keys().map(|key| (key.0.as_str(), key.1.as_str())).collect();
        move |account, repository| {
            let by_team = || {
                let mut teams = self.remote.teams.iter();
                teams.any(|team| team.members.contains_key(account) && team.repositories.contains(repository))
            };
            all.contains(account) || single.contains(&(account, repository)) || by_team()
        }
    }

    /// Whether people were shown a repository that is not shown to everybody any more, or whom that does not concern here.
    fn is_closed(&self, by: GrantKind, repository: &RemoteRepository) -> bool {
        by == GrantKind::Base && (repository.visibility == Visibility::Private || !self.local.follow_visibility)
    }

    /// What to ask about those who would lose access by a list's word alone: first one repository of each, and as different
    /// ones as there are, then others, until there is nothing left to ask or enough was asked. What everybody may read says
    /// nothing of anybody.
    fn whether_they_read(&self, verdict: &Verdict, listed: &BTreeMap<&str, &RemoteRepository>) -> Vec<Reading> {
        let mut lost: BTreeMap<&str, Vec<&RemoteRepository>> = BTreeMap::new();
        for loss in verdict.unconfirmed(self.leave).filter(|loss| verdict.waits(loss)) {
            let Loss::Reader(account, repository) = loss else { continue };
            if let Some(repository) =
                listed.get(repository.as_str()).filter(|one| one.visibility == Visibility::Private)
            {
                lost.entry(account).or_default().push(repository);
            }
        }
        let all = lost.len();
        let chosen: Vec<(usize, (&str, Vec<&RemoteRepository>))> = lost
            .into_iter()
            .enumerate()
            .filter(|(at, _)| all <= QUESTIONS || at % all.div_ceil(QUESTIONS) == 0)
            .collect();
        let question = |at: usize, account: &str, repositories: &[&RemoteRepository]| {
            let repository = repositories[at % repositories.len()];
            Reading {
                account: account.to_owned(),
                login: self.login(account),
                repository: repository.id.clone(),
                path: repository.path.clone(),
            }
        };
        let most = chosen.iter().map(|(_, (_, repositories))| repositories.len()).max().unwrap_or(0);
        let rounds = (0..most).flat_map(|round| {
            let left = chosen.iter().filter(move |(_, (_, repositories))| round < repositories.len());
            left.map(move |(at, (account, repositories))| (at + round, *account, repositories))
        });
        rounds.take(QUESTIONS).map(|(at, account, repositories)| question(at, account, repositories)).collect()
    }
}

/// A membership in words.
pub(super) fn described(member: &Membership) -> String {
    let role = if member.there > member.role {
        format!("{} ({} there)", member.role, member.there)
    } else {
        member.role.to_string()
    };
    match member.reads {
        Some(_) if member.role.manages() => role,
        Some(_) if member.detail.is_empty() => format!("{role} who reads all repositories"),
        Some(_) => format!("{role} who reads all repositories: {}", member.detail),
        None => role,
    }
}
