//! Repositories: which are packages, and which of those go.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::guard::{Loss, judge};
use super::{Draft, QUESTIONS};
use crate::platform::remote::{Kind, RemoteRepository, RepositoryState, Visibility};
use crate::store::ids::PackageId;
use crate::sync::change::{Action, Change, Deed, Subject};
use crate::sync::local::{Decision, Repository};
use crate::vcs::url::SourceUrl;

/// What is decided of a repository that is listed.
struct Decided {
    decision: Decision,
    reason: String,
    package: Option<PackageId>,
}

/// A repository that is listed, with its address where that is acceptable.
struct Listed<'a> {
    remote: &'a RemoteRepository,
    url: Result<SourceUrl, String>,
}

impl Draft<'_> {
    /// Plans packages; the ids of repositories that are or become one.
    pub(super) fn repositories(&mut self) -> BTreeSet<String> {
        let listed: BTreeMap<&str, Listed<'_>> = self
            .remote
            .repositories
            .iter()
            .map(|remote| {
                let url =
                    SourceUrl::parse(&remote.clone_url, &self.local.url_policy).map_err(|error| error.to_string());
                (remote.id.as_str(), Listed { remote, url })
            })
            .collect();
        let mut free = self.free(&listed);
        let mut packages = BTreeSet::new();
        for (id, one) in &listed {
            let decided = self.decide(one, &mut free);
            if decided.decision == Decision::Package {
                packages.insert((*id).to_owned());
            }
            self.remember(id, one.remote, decided);
        }
        self.gone(&listed, &free);
        packages
    }

    /// Packages that no listed repository has, by the canonical forms of their addresses.
    fn free(&self, listed: &BTreeMap<&str, Listed<'_>>) -> HashMap<String, PackageId> {
        let known = self.local.repositories.iter().filter(|(id, _)| listed.contains_key(id.as_str()));
        let had: HashSet<PackageId> = known.filter_map(|(_, row)| row.package).collect();
        let free = self.local.packages.iter().filter(|(id, _)| !had.contains(id));
        free.map(|(id, package)| (package.url_key.clone(), *id)).collect()
    }

    fn decide(&mut self, one: &Listed<'_>, free: &mut HashMap<String, PackageId>) -> Decided {
        let remote = one.remote;
        let before = self.local.repositories.get(&remote.id);
        if let Some(package) = before.and_then(|row| row.package).filter(|id| self.local.packages.contains_key(id)) {
            self.keep(one, before, package, free);
            let reason =
                frozen(remote.state).map_or_else(String::new, |why| format!("{why} The package stays as it is."));
            return Decided { decision: Decision::Package, reason, package: Some(package) };
        }
        let url = match &one.url {
            Ok(url) => url,
            Err(reason) => return none(Decision::None, reason.clone()),
        };
        if let Some(package) = free.remove(&url.key()) {
            self.adopt(remote, package);
            return Decided { decision: Decision::Package, reason: String::new(), package: Some(package) };
        }
        if let Some(reason) = self.obstacle(remote, before) {
            return reason;
        }
        self.push(Change {
            action: Action::Add,
            kind: Subject::Package,
            name: remote.path.clone(),
            detail: match (is_archived(remote), remote.fork) {
                (true, _) => "composer.json on the default branch; archived, so that it is abandoned here".to_owned(),
                (false, true) => "composer.json on the default branch; a fork".to_owned(),
                (false, false) => "composer.json on the default branch".to_owned(),
            },
            deed: Deed::AddPackage {
                repository: remote.id.clone(),
                url: url.as_str().to_owned(),
                url_key: url.key(),
                fork: remote.fork,
                archived: is_archived(remote),
            },
        });
        Decided { decision: Decision::Package, reason: String::new(), package: None }
    }

    /// Why a repository that is no package does not become one, if so.
    fn obstacle(&self, remote: &RemoteRepository, before: Option<&Repository>) -> Option<Decided> {
        let decision = before.map(|row| row.decision);
        if decision == Some(Decision::Removed) {
            return Some(none(
                Decision::Removed,
                "Somebody removed the package here; it comes back when somebody adds it again.",
            ));
        }
        let wanted = if decision == Some(Decision::Wanted) { Decision::Wanted } else { Decision::None };
        let branch = remote.default_branch.as_deref().unwrap_or("default");
        let reason = match (remote.state, remote.manifest) {
            (RepositoryState::Empty, _) => "Nothing was pushed to it yet.".to_owned(),
            (RepositoryState::Disabled, _) => "The platform blocks it.".to_owned(),
            (state, _) if frozen(state).is_some() => frozen(state).unwrap_or_default().to_owned(),
            (_, Some(false)) => format!("There is no composer.json on its branch {branch}."),
            (_, None) => format!(
                "Whether its branch {branch} has a composer.json could not be found out; the next run asks again."
            ),
            (_, Some(true)) if self.is_wanted(remote, before) => return None,
            (_, Some(true)) => {
                return Some(none(
                    Decision::Left,
                    "It was there before the synchronization, which takes only new repositories: add it by hand.",
                ));
            }
        };
        Some(none(wanted, reason))
    }

    /// Whether a repository with a composer.json is to be a package.
    fn is_wanted(&self, remote: &RemoteRepository, before: Option<&Repository>) -> bool {
        if self.local.all_packages
            || before.is_some_and(|row| matches!(row.decision, Decision::Wanted | Decision::Package))
        {
            return true;
        }
        if before.is_some_and(|row| row.decision == Decision::Left) {
            return false;
        }
        match (remote.created_at, self.local.added_at) {
            (Some(created), Some(added)) => created > added,
            // What no run has seen before is new where the platform does not say how old it is.
            _ => before.is_none() && !self.local.first,
        }
    }

    /// A package whose repository is listed as before: it follows where that is called otherwise now.
    fn keep(
        &mut self,
        one: &Listed<'_>,
        before: Option<&Repository>,
        id: PackageId,
        free: &mut HashMap<String, PackageId>,
    ) {
        let (remote, package) = (one.remote, &self.local.packages[&id]);
        if package.retired {
            self.push(Change {
                action: Action::Add,
                kind: Subject::Package,
                name: remote.path.clone(),
                detail: "its repository is there again".to_owned(),
                deed: Deed::Return { package: id },
            });
        }
        let was = before.map_or("", |row| row.path.as_str());
        if let Ok(url) = &one.url
            && was != remote.path
            && url.key() != package.url_key
        {
            let url =
                self.moved(&package.url, was, remote).filter(|moved| moved.key() == url.key()).unwrap_or(url.clone());
            self.push(Change {
                action: Action::Change,
                kind: Subject::Package,
                name: remote.path.clone(),
                detail: format!("its repository was {was}; the package stays the same"),
                deed: Deed::MovePackage {
                    package: id,
                    url_key: url.key(),
                    url: url.as_str().to_owned(),
                    displaced: free.remove(&url.key()),
                },
            });
        }
        if package.archived != is_archived(remote) && frozen(remote.state).is_none() {
            self.push(Change {
                action: Action::Change,
                kind: Subject::Package,
                name: remote.path.clone(),
                detail: if package.archived {
                    "not archived any more"
                } else {
                    "archived, so that it is abandoned here"
                }
                .to_owned(),
                deed: Deed::Archive { package: id, archived: is_archived(remote) },
            });
        }
    }

    /// The address of a package with the new path in it, however the package is reached.
    fn moved(&self, url: &str, was: &str, remote: &RemoteRepository) -> Option<SourceUrl> {
        let moved = (!was.is_empty()).then(|| url.replacen(was, &remote.path, 1))?;
        SourceUrl::parse(&moved, &self.local.url_policy).ok()
    }

    /// A package that was here already turns out to be this repository.
    fn adopt(&mut self, remote: &RemoteRepository, id: PackageId) {
        let package = &self.local.packages[&id];
        let returns = package.retired;
        self.push(Change {
            action: if returns { Action::Add } else { Action::Change },
            kind: Subject::Package,
            name: remote.path.clone(),
            detail: match (&package.name, returns) {
                (_, true) => "there is a repository of this name again".to_owned(),
                (Some(name), false) => format!("is the package {name}, which stays as it is"),
                (None, false) => format!("is the package {id}, which stays as it is"),
            },
            deed: Deed::Adopt { repository: remote.id.clone(), package: id, returns, archived: is_archived(remote) },
        });
    }

    /// What is to be remembered of a listed repository, where that is something else than before.
    fn remember(&mut self, id: &str, remote: &RemoteRepository, decided: Decided) {
        let before = self.local.repositories.get(id);
        let is_as_before =
            |row: &Repository| (&row.pushed_at, &row.default_branch) == (&remote.pushed_at, &remote.default_branch);
        if !before.is_some_and(is_as_before) {
            self.plan.pushed.extend(decided.package);
        }
        if matches!(remote.state, RepositoryState::Active | RepositoryState::Empty) {
            self.plan.compared.extend(decided.package);
        }
        let row = Repository {
            path: remote.path.clone(),
            url: remote.clone_url.clone(),
            web_url: remote.web_url.clone(),
            default_branch: remote.default_branch.clone(),
            pushed_at: remote.pushed_at.clone(),
            state: state(remote.state).to_owned(),
            visibility: visibility(remote.visibility).to_owned(),
            fork: remote.fork,
            manifest: remote.manifest,
            package: decided.package,
            decision: decided.decision,
            reason: decided.reason,
            asked: before.is_some_and(|row| row.asked) || self.local.first,
            gone: false,
        };
        if before != Some(&row) {
            self.plan.repositories.insert(id.to_owned(), Some(row));
        }
    }

    /// Repositories that are not listed any more.
    fn gone(&mut self, listed: &BTreeMap<&str, Listed<'_>>, free: &HashMap<String, PackageId>) {
        let free: HashSet<PackageId> = free.values().copied().collect();
        let mut lost: BTreeMap<Loss, (&String, &Repository, PackageId)> = BTreeMap::new();
        let mut of = 0;
        for (id, row) in &self.local.repositories {
            let package = row.package.and_then(|id| Some((id, self.local.packages.get(&id)?)));
            of += usize::from(package.is_some_and(|(_, package)| !package.retired));
            if listed.contains_key(id.as_str()) {
                continue;
            }
            match package {
                // It was none, or another repository took its place and has the package now.
                None if row.decision != Decision::Removed => {
                    self.plan.repositories.insert(id.clone(), None);
                }
                Some((package, _)) if !free.contains(&package) => {
                    self.plan.repositories.insert(id.clone(), None);
                }
                Some((package, state)) if !state.retired => {
                    lost.insert(Loss::Package(id.clone()), (id, row, package));
                }
                None | Some(_) => {
                    if !row.gone {
                        self.plan.repositories.insert(id.clone(), Some(Repository { gone: true, ..row.clone() }));
                    }
                }
            }
        }
        let told = !self.remote.incomplete.contains(&Kind::Package);
        // The platform lists what is outside of the chosen projects, so that nobody has to be asked about it.
        let outside = lost.iter().filter(|(_, (id, ..))| self.remote.outside.contains_key(*id));
        let mut leave = self.leave.clone();
        leave.gone.extend(outside.map(|(loss, _)| loss.clone()));
        let verdict = judge(lost.keys().cloned().collect(), of, told, &leave);
        let unconfirmed = verdict.unconfirmed(&leave).filter_map(|loss| lost.get(loss));
        self.plan.questions.repositories =
            unconfirmed.take(QUESTIONS).map(|(id, row, _)| (row.path.clone(), (*id).clone())).collect();
        if verdict.waiting() > 0 {
            self.plan.because.push(format!(
                "{} of {of} packages would go: the platform does not list their repositories any more",
                verdict.waiting()
            ));
        }
        for (loss, (id, row, package)) in &lost {
            let change = Change {
                action: Action::Remove,
                kind: Subject::Package,
                name: row.path.clone(),
                detail: match &self.local.packages[package].name {
                    Some(name) => format!("{}; archives of {name} are kept for lock files", self.departure(id)),
                    None => self.departure(id),
                },
                deed: Deed::Retire { repository: (*id).clone(), package: *package },
            };
            if verdict.goes(loss) {
                let reason = self.whereabouts(id).unwrap_or_default();
                let row = Repository { gone: true, reason, ..(*row).clone() };
                self.plan.repositories.insert((*id).clone(), Some(row));
            }
            self.push_loss(&verdict, loss, change);
        }
        for (_, row, _) in verdict.kept.iter().filter_map(|loss| lost.get(loss)) {
            self.plan.notices.push(format!("{} is not listed, but stays: the list may be incomplete.", row.path));
        }
    }
}

impl Draft<'_> {
    /// Why a repository is not among the others any more, in words.
    fn departure(&self, id: &str) -> String {
        if let Some(to) = self.leave.moved.get(id) {
            return format!("the repository was moved to {to}");
        }
        match self.remote.outside.get(id) {
            Some(project) => format!("the repository is in the project {project}, which is not chosen"),
            None => "the repository is gone".to_owned(),
        }
    }

    /// Where a repository is that is there and not among the others, as far as the platform tells.
    fn whereabouts(&self, id: &str) -> Option<String> {
        if let Some(to) = self.leave.moved.get(id) {
            return Some(format!("It was moved to {to}, and was not deleted."));
        }
        let project = self.remote.outside.get(id)?;
        Some(format!("It is in the project {project}, which is not among the chosen ones."))
    }
}

fn none(decision: Decision, reason: impl Into<String>) -> Decided {
    Decided { decision, reason: reason.into(), package: None }
}

/// Why nothing of a repository is read for now, if so.
const fn frozen(state: RepositoryState) -> Option<&'static str> {
    match state {
        RepositoryState::Deleting => {
            Some("It is about to be deleted on the platform, and can still be restored there.")
        }
        RepositoryState::Off => Some("Its repository is switched off in the settings of the project."),
        RepositoryState::Importing => Some("Its code is still being imported."),
        RepositoryState::ImportFailed => Some("The import of its code failed on the platform."),
        RepositoryState::Active | RepositoryState::Archived | RepositoryState::Disabled | RepositoryState::Empty => {
            None
        }
    }
}

fn is_archived(remote: &RemoteRepository) -> bool {
    remote.state == RepositoryState::Archived
}

const fn state(state: RepositoryState) -> &'static str {
    match state {
        RepositoryState::Active => "active",
        RepositoryState::Archived => "archived",
        RepositoryState::Disabled => "disabled",
        RepositoryState::Empty => "empty",
        RepositoryState::Deleting => "deleting",
        RepositoryState::Off => "off",
        RepositoryState::Importing => "importing",
        RepositoryState::ImportFailed => "broken",
    }
}

const fn visibility(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Private => "private",
        Visibility::Internal => "internal",
        Visibility::Public => "public",
    }
}
