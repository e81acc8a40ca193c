//! The difference between an organization on its platform and what is here of it: pure, so that what is shown is what is done.
//!
//! Nothing goes because it is not listed any more without being weighed: a kind of which a suspicious share would go is held
//! until an administrator says yes, while all else is done ([`guard`]). What a signed event announced, what a direct question
//! confirmed and what somebody accepted is never held.

mod guard;
mod people;
mod repositories;
mod teams;

use std::collections::{BTreeMap, BTreeSet};

pub use guard::{Leave, Loss};

use super::change::{Change, digest};
use super::local::{Local, Repository};
use crate::platform::remote::{RemoteAccount, RemoteOrganization};
use crate::store::ids::PackageId;

/// How many direct questions a run asks at most about each kind of thing that is not listed any more.
const QUESTIONS: usize = 50;

/// What a run does.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The changes that are done.
    pub changes: Vec<Change>,
    /// Those that wait for an administrator.
    pub held: Vec<Change>,
    /// What goes with those.
    pub losses: BTreeSet<Loss>,
    /// Why they wait, a sentence for each kind.
    pub because: Vec<String>,
    /// What somebody should know.
    pub notices: Vec<String>,
    /// What is to be remembered of repositories, where that is something else than before; none: they are forgotten.
    pub repositories: BTreeMap<String, Option<Repository>>,
    /// Packages to whose repository somebody pushed since it was seen last.
    pub pushed: BTreeSet<PackageId>,
    /// Packages whose repository may have been pushed to without anybody telling: their refs are to be compared, where the
    /// platform does not announce every push.
    pub compared: BTreeSet<PackageId>,
    /// What is to be remembered of accounts: by the platform's ids, login and name.
    pub accounts: BTreeMap<String, (String, Option<String>)>,
    /// What the platform should be asked directly before this plan is made again.
    pub questions: Questions,
}

/// What the platform should be asked directly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Questions {
    /// Whether these are members: login and id.
    pub members: Vec<(String, String)>,
    /// What became of these repositories: path and id.
    pub repositories: Vec<(String, String)>,
    /// Whether these read what they are not listed for any more.
    pub readers: Vec<Reading>,
}

/// The question whether somebody reads a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The account.
    pub account: String,
    /// What people call it.
    pub login: String,
    /// The repository.
    pub repository: String,
    /// Its path.
    pub path: String,
}

impl Questions {
    /// Whether there is nothing to ask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.repositories.is_empty() && self.readers.is_empty()
    }
}

impl Plan {
    /// What names the whole plan.
    #[must_use]
    pub fn digest(&self) -> String {
        digest(self.changes.iter().chain(&self.held))
    }

    /// What names the part of it that waits, if any does.
    #[must_use]
    pub fn held_digest(&self) -> Option<String> {
        (!self.held.is_empty()).then(|| digest(&self.held))
    }
}

/// What has to change so that it is here as it is there. `leave`: what may go without being weighed.
#[must_use]
pub fn plan(remote: &RemoteOrganization, local: &Local, leave: &Leave) -> Plan {
    let members = remote.members.iter().map(|member| &member.account);
    let readers = remote.readers.iter().map(|reader| &reader.account);
    let people = readers.chain(members).map(|account| (account.id.as_str(), account)).collect();
    let plan = Plan { notices: remote.notices.clone(), ..Plan::default() };
    let mut draft = Draft { remote, local, leave, people, plan };
    let packages = draft.repositories();
    draft.accounts();
    let gone = draft.members();
    draft.teams(&packages, &gone);
    draft.readers(&packages);
    draft.plan
}

/// A plan that is being made.
struct Draft<'a> {
    remote: &'a RemoteOrganization,
    local: &'a Local,
    leave: &'a Leave,
    /// All accounts that the platform speaks of.
    people: BTreeMap<&'a str, &'a RemoteAccount>,
    plan: Plan,
}

impl Draft<'_> {
    /// What people call an account, there or else here.
    fn login(&self, account: &str) -> String {
        let there = self.people.get(account).map(|known| known.login.clone());
        there.unwrap_or_else(|| self.local.login(account))
    }

    /// Whether there is or was ever told more of an account than its id.
    fn is_known(&self, account: &str) -> bool {
        self.people.contains_key(account) || self.local.accounts.contains_key(account)
    }

    fn push(&mut self, change: Change) {
        self.plan.changes.push(change);
    }

    /// Adds a change by which this goes, where the verdict says whether it is done, waits, or is not to be.
    fn push_loss(&mut self, verdict: &guard::Verdict, loss: &Loss, change: Change) {
        if verdict.goes(loss) {
            self.plan.changes.push(change);
        } else if verdict.waits(loss) {
            self.plan.losses.insert(loss.clone());
            self.plan.held.push(change);
        }
    }
}

/// Names in a sentence: some of them, and how many more there are.
fn names<S: AsRef<str>>(all: impl IntoIterator<Item = S>) -> String {
    const SHOWN: usize = 10;
    let mut all: Vec<S> = all.into_iter().collect();
    all.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
    let shown: Vec<&str> = all.iter().take(SHOWN).map(AsRef::as_ref).collect();
    match all.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
pub(super) mod tests;
