//! Teams: where they are, who is in them, and what they read.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::guard::{Cause, Loss, Verdict, judge, judge_causes};
use super::{Draft, names};
use crate::clock::Timestamp;
use crate::platform::remote::{Kind, RemoteTeam};
use crate::sync::change::{Action, Change, Deed, Subject};
use crate::sync::local::Team;

/// Longest path of a team, in bytes.
const LONGEST_PATH: usize = 255;
/// Longest name of a team, in bytes.
const LONGEST_NAME: usize = 63;

/// Where a team is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    name: String,
    path: String,
    parent: Option<String>,
}

impl Draft<'_> {
    /// Plans teams. `packages`: the repositories that are or become packages; `gone`: accounts that are not listed as members
    /// any more, and whether they go.
    pub(super) fn teams(&mut self, packages: &BTreeSet<String>, gone: &BTreeMap<String, bool>) {
        let wanted: BTreeMap<&str, &RemoteTeam> =
            self.remote.teams.iter().map(|team| (team.id.as_str(), team)).collect();
        let vanished = self.local.teams.keys().filter(|id| !wanted.contains_key(id.as_str()));
        let losses: BTreeSet<Loss> = vanished.cloned().map(Loss::Team).collect();
        let (of, told) = (self.local.teams.len(), !self.remote.incomplete.contains(&Kind::Team));
        let verdict = judge(losses, of, told, self.leave);
        if verdict.waiting() > 0 {
            self.plan.because.push(format!(
                "{} of {of} teams would go: the platform does not list them any more",
                verdict.waiting()
            ));
        }
        let places = self.places(&wanted, &verdict);
        self.place(&places, &verdict);
        self.people(&wanted, &places, gone, &verdict);
        self.reads(&wanted, &places, packages);
    }

    /// Where each team is to be: those that are listed, and those that stay although they are not.
    fn places(&self, wanted: &BTreeMap<&str, &RemoteTeam>, verdict: &Verdict) -> BTreeMap<String, Place> {
        let stays = |id: &str| wanted.contains_key(id) || !verdict.goes(&Loss::Team(id.to_owned()));
        let kept = self.local.teams.iter().filter(|(id, _)| !wanted.contains_key(id.as_str()) && stays(id));
        let listed = wanted.values().map(|team| (team.id.as_str(), team.slug.as_str(), team.parent.as_deref()));
        let mut nodes: BTreeMap<&str, (&str, Option<&str>)> =
            listed.map(|(id, name, parent)| (id, (name, parent))).collect();
        nodes.extend(kept.map(|(id, team)| (id.as_str(), (team.name.as_str(), team.parent.as_deref()))));
        let mut taken: HashSet<String> = self.local.taken_paths.clone();
        let mut places: BTreeMap<String, Place> = BTreeMap::new();
        let mut left: Vec<&str> = nodes.keys().copied().collect();
        // The outer ones first; of those on one level, the order of their names is the same in each run.
        left.sort_by_key(|id| (depth(&nodes, id), nodes[id].0, *id));
        for id in left {
            let (slug, parent) = nodes[id];
            // A parent that is not placed yet is none, or part of a circle, which nobody can make.
            let above = parent.and_then(|parent| Some((parent, places.get(parent)?.path.clone())));
            let name = name_of(slug, id);
            let base = above.as_ref().map_or_else(|| name.clone(), |(_, path)| format!("{path}/{name}"));
            let path = free_path(&base, &name, id, &mut taken);
            let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
            let parent = above.filter(|_| path.contains('/')).map(|(parent, _)| parent.to_owned());
            places.insert(id.to_owned(), Place { name, path, parent });
        }
        places
    }

    /// Teams that come, move or go.
    fn place(&mut self, places: &BTreeMap<String, Place>, verdict: &Verdict) {
        for (id, Place { name, path, parent }) in places {
            let (team, name, path, parent) = (id.clone(), name.clone(), path.clone(), parent.clone());
            let (action, detail, deed) = match self.local.teams.get(id) {
                None => {
                    let listed = self.remote.teams.iter().find(|one| one.id == *id);
                    let people = listed.map_or(0, |one| one.members.len());
                    let inherits = listed.is_none_or(|one| one.inherits);
                    let detail = format!("{people} {}", if people == 1 { "member" } else { "members" });
                    (Action::Add, detail, Deed::AddTeam { team, name, path, parent, inherits })
                }
                Some(was) if (&was.name, &was.path, &was.parent) != (&name, &path, &parent) => {
                    let detail =
                        if was.path == path { "moved with its parent".to_owned() } else { format!("was {}", was.path) };
                    (Action::Change, detail, Deed::PlaceTeam { team, name, path, parent })
                }
                Some(_) => continue,
            };
            self.push(Change { action, kind: Subject::Team, name: places[id].path.clone(), detail, deed });
        }
        let local = self.local;
        for (id, team) in &local.teams {
            let change = Change {
                action: Action::Remove,
                kind: Subject::Team,
                name: team.path.clone(),
                detail: "deleted on the platform".to_owned(),
                deed: Deed::RemoveTeam { team: id.clone() },
            };
            self.push_loss(verdict, &Loss::Team(id.clone()), change);
        }
        let kept = verdict.kept.iter().filter_map(|loss| match loss {
            Loss::Team(id) => local.teams.get(id).map(|team| team.path.as_str()),
            _ => None,
        });
        let kept: Vec<&str> = kept.collect();
        if !kept.is_empty() {
            self.plan.notices.push(format!("The teams {} stay: the platform's list may be incomplete.", names(kept)));
        }
    }

    /// Who is in the teams that are listed.
    fn people(
        &mut self,
        wanted: &BTreeMap<&str, &RemoteTeam>,
        places: &BTreeMap<String, Place>,
        gone: &BTreeMap<String, bool>,
        teams: &Verdict,
    ) {
        let before = self.local.teams.iter().filter_map(|(id, team)| Some((team, *wanted.get(id.as_str())?)));
        let (mut losses, mut of) = (BTreeSet::new(), 0);
        for (team, now) in before {
            of += if now.inherits { team.members.len() } else { self.only_here(now, team) };
            let lost = team.members.keys().filter(|account| !now.members.contains_key(*account));
            // Whoever is no member of the organization any more is weighed as that.
            let weighed = lost.filter(|account| !gone.contains_key(*account));
            losses.extend(weighed.map(|account| Loss::TeamMember(now.id.clone(), account.clone())));
        }
        let told = !self.remote.incomplete.contains(&Kind::Member);
        let below = self.below();
        let cause = |loss: &Loss| match loss {
            Loss::TeamMember(team, account) => self.why_left(team, account, &below, wanted, &losses),
            _ => Cause::Itself,
        };
        let verdict = judge_causes(&losses, of, told, self.leave, teams, cause);
        if verdict.waiting() > 0 {
            self.plan.because.push(format!("{} of {of} people in teams would leave theirs", verdict.waiting()));
        }
        for (id, team) in wanted {
            let was = self.local.teams.get(*id);
            let name = places.get(*id).map_or_else(|| team.slug.clone(), |place| place.path.clone());
            let new = |(account, until): &(&String, &Option<Timestamp>)| {
                let before = was.and_then(|was| was.members.get(*account));
                self.is_known(account) && before != Some(*until)
            };
            let joining: Vec<(String, Option<Timestamp>)> =
                team.members.iter().filter(new).map(|(account, until)| (account.clone(), *until)).collect();
            if !joining.is_empty() {
                let who = names(joining.iter().map(|(account, _)| self.login(account)));
                let deed = Deed::Join { team: (*id).to_owned(), accounts: joining };
                let (action, kind, name) = (Action::Change, Subject::Team, name.clone());
                // Of a new team its own line tells how many there are.
                self.push(Change { action, kind, name, detail: format!("with {who}"), deed });
            }
            let Some(was) = was else { continue };
            self.leave_team(team, was, &name, gone, &verdict);
        }
    }

    /// How many are in a team by none that stands above it.
    fn only_here(&self, team: &RemoteTeam, was: &Team) -> usize {
        let above: Vec<&Team> =
            self.above_here(&team.id).into_iter().filter_map(|above| self.local.teams.get(above)).collect();
        let is_here = |account: &&String| !above.iter().any(|above| above.members.contains_key(*account));
        was.members.keys().filter(is_here).count()
    }

    /// The teams below each, as they were.
    fn below(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut below: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for id in self.local.teams.keys() {
            for above in self.above_here(id) {
                below.entry(above).or_default().push(id);
            }
        }
        below
    }

    fn above_here(&self, id: &str) -> Vec<&str> {
        let parent = |id: &str| self.local.teams.get(id).and_then(|team| team.parent.as_deref());
        line(id, parent, self.local.teams.len())
    }

    /// Why an account is in a team no more: of whoever is in a team, platforms say that they are in those above it, or in
    /// those below it.
    fn why_left(
        &self,
        team: &str,
        account: &str,
        below: &BTreeMap<&str, Vec<&str>>,
        wanted: &BTreeMap<&str, &RemoteTeam>,
        losses: &BTreeSet<Loss>,
    ) -> Cause {
        let inherits = wanted.get(team).is_none_or(|team| team.inherits);
        let above = if inherits { Vec::new() } else { self.above_here(team) };
        let below = below.get(team).filter(|_| inherits);
        for inner in below.into_iter().flatten().chain(&above) {
            if !self.local.teams.get(*inner).is_some_and(|inner| inner.members.contains_key(account)) {
                continue;
            }
            if !wanted.contains_key(inner) {
                return Cause::Follows(Loss::Team((*inner).to_owned()));
            }
            let (lower, upper) = if inherits { (*inner, team) } else { (team, *inner) };
            if !above_there(lower, wanted).contains(&upper) {
                return Cause::Shown;
            }
            let same = Loss::TeamMember((*inner).to_owned(), account.to_owned());
            if losses.contains(&same) {
                return Cause::Follows(same);
            }
        }
        Cause::Itself
    }

    /// Why a team reads a repository no more: what a team reads, platforms say that those below it read, or those above it.
    fn why_closed(
        &self,
        team: &str,
        repository: &str,
        below: &BTreeMap<&str, Vec<&str>>,
        wanted: &BTreeMap<&str, &RemoteTeam>,
        losses: &BTreeSet<Loss>,
    ) -> Cause {
        let inherits = wanted.get(team).is_none_or(|team| team.inherits);
        let above = if inherits { self.above_here(team) } else { Vec::new() };
        let below = below.get(team).filter(|_| !inherits);
        for other in above.iter().chain(below.into_iter().flatten()) {
            if !self.local.teams.get(*other).is_some_and(|other| other.repositories.contains(repository)) {
                continue;
            }
            if !inherits && !wanted.contains_key(other) {
                return Cause::Follows(Loss::Team((*other).to_owned()));
            }
            let (lower, upper) = if inherits { (team, *other) } else { (*other, team) };
            if !above_there(lower, wanted).contains(&upper) {
                return Cause::Shown;
            }
            let same = Loss::TeamRepository((*other).to_owned(), repository.to_owned());
            if losses.contains(&same) {
                return Cause::Follows(same);
            }
        }
        Cause::Itself
    }

    fn leave_team(
        &mut self,
        team: &RemoteTeam,
        was: &Team,
        name: &str,
        gone: &BTreeMap<String, bool>,
        verdict: &Verdict,
    ) {
        let (mut going, mut waiting) = (Vec::new(), Vec::new());
        for account in was.members.keys().filter(|account| !team.members.contains_key(*account)) {
            let loss = Loss::TeamMember(team.id.clone(), account.clone());
            match gone.get(account) {
                Some(true) => going.push(account.clone()),
                Some(false) => {}
                None if verdict.goes(&loss) => going.push(account.clone()),
                None if verdict.waits(&loss) => {
                    self.plan.losses.insert(loss);
                    waiting.push(account.clone());
                }
                None => {}
            }
        }
        for (accounts, held) in [(going, false), (waiting, true)] {
            if accounts.is_empty() {
                continue;
            }
            let detail = format!("without {}", names(accounts.iter().map(|account| self.login(account))));
            let deed = Deed::Leave { team: team.id.clone(), accounts };
            let change = Change { action: Action::Change, kind: Subject::Team, name: name.to_owned(), detail, deed };
            if held { self.plan.held.push(change) } else { self.push(change) }
        }
    }

    /// What the teams that are listed read.
    fn reads(
        &mut self,
        wanted: &BTreeMap<&str, &RemoteTeam>,
        places: &BTreeMap<String, Place>,
        packages: &BTreeSet<String>,
    ) {
        let listed: BTreeMap<&str, &str> =
            self.remote.repositories.iter().map(|one| (one.id.as_str(), one.path.as_str())).collect();
        let mut opened: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let (mut losses, mut of) = (BTreeSet::new(), 0);
        for (id, team) in wanted {
            let before = self.local.teams.get(*id).map(|team| &team.repositories);
            for repository in team.repositories.iter().filter(|one| packages.contains(*one)) {
                if !before.is_some_and(|before| before.contains(repository)) {
                    opened.entry(repository).or_default().push((*id).to_owned());
                }
            }
            let before = before.into_iter().flatten();
            // What a team has of a repository that is gone stays for its archives.
            for repository in before.filter(|one| listed.contains_key(one.as_str())) {
                of += 1;
                if !team.repositories.contains(repository) {
                    losses.insert(Loss::TeamRepository((*id).to_owned(), repository.clone()));
                }
            }
        }
        let told = !self.remote.incomplete.contains(&Kind::Team);
        let below = self.below();
        let cause = |loss: &Loss| match loss {
            Loss::TeamRepository(team, repository) => self.why_closed(team, repository, &below, wanted, &losses),
            _ => Cause::Itself,
        };
        let verdict = judge_causes(&losses, of, told, self.leave, &Verdict::default(), cause);
        if verdict.waiting() > 0 {
            self.plan.because.push(format!("{} of {of} permissions of teams would go", verdict.waiting()));
        }
        let mut closed: BTreeMap<(&str, bool), Vec<String>> = BTreeMap::new();
        for loss in &losses {
            let Loss::TeamRepository(team, repository) = loss else { continue };
            if verdict.goes(loss) {
                closed.entry((repository, false)).or_default().push(team.clone());
            } else if verdict.waits(loss) {
                self.plan.losses.insert(loss.clone());
                closed.entry((repository, true)).or_default().push(team.clone());
            }
        }
        let words = |teams: &[String]| {
            let paths = teams.iter().map(|team| places.get(team).map_or(team.as_str(), |place| place.path.as_str()));
            format!("{} {}", if teams.len() == 1 { "team" } else { "teams" }, names(paths))
        };
        let path = |repository: &str| listed.get(repository).map_or(repository, |path| *path).to_owned();
        for (repository, teams) in opened {
            self.plan.changes.push(Change {
                action: Action::Add,
                kind: Subject::Permission,
                name: path(repository),
                detail: words(&teams),
                deed: Deed::Open { repository: repository.to_owned(), teams },
            });
        }
        for ((repository, held), teams) in closed {
            let change = Change {
                action: Action::Remove,
                kind: Subject::Permission,
                name: path(repository),
                detail: words(&teams),
                deed: Deed::Close { repository: repository.to_owned(), teams },
            };
            if held { self.plan.held.push(change) } else { self.plan.changes.push(change) }
        }
    }
}

/// The teams above one, on the platform.
fn above_there<'a>(id: &str, wanted: &BTreeMap<&'a str, &'a RemoteTeam>) -> Vec<&'a str> {
    line(id, |id| wanted.get(id).and_then(|team| team.parent.as_deref()), wanted.len())
}

/// What is above something, the nearest first; at most so many, for circles.
fn line<'a>(id: &str, parent: impl Fn(&str) -> Option<&'a str>, most: usize) -> Vec<&'a str> {
    let mut line = Vec::new();
    let mut next = parent(id);
    while let Some(above) = next.filter(|_| line.len() < most) {
        line.push(above);
        next = parent(above);
    }
    line
}

/// How many teams are above one; as many as there are at most, for circles.
fn depth(nodes: &BTreeMap<&str, (&str, Option<&str>)>, id: &str) -> usize {
    let mut above = nodes.get(id).and_then(|(_, parent)| *parent);
    let mut depth = 0;
    while let Some((_, next)) = above.and_then(|parent| nodes.get(parent)).filter(|_| depth <= nodes.len()) {
        above = *next;
        depth += 1;
    }
    depth
}

/// A name for a team here, as the contract wants names (section 1).
pub(super) fn name_of(slug: &str, id: &str) -> String {
    let usual = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || matches!(char, '.' | '_' | '-');
    let name: String =
        slug.to_lowercase().chars().map(|char| if usual(char) { char } else { '-' }).take(LONGEST_NAME - 8).collect();
    let name = name.trim_start_matches(['.', '_', '-']);
    if name.is_empty() { name_of(&format!("team-{id}"), "0") } else { name.to_owned() }
}

/// The first path that nobody has: another team's name stays what it is, and the one that was found gets a suffix.
fn free_path(base: &str, name: &str, id: &str, taken: &mut HashSet<String>) -> String {
    // So deep, the path would say less than the name.
    let base = if base.len() + 8 > LONGEST_PATH { name } else { base };
    let plain = std::iter::once(base.to_owned());
    let numbered = (2..1000).map(|number| format!("{base}-{number}"));
    let free = plain.chain(numbered).find(|path| !taken.contains(&path.to_ascii_lowercase()));
    let path = free.unwrap_or_else(|| name_of(&format!("team-{id}"), id));
    taken.insert(path.to_ascii_lowercase());
    path
}
