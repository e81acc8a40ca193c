//! What is here of an organization that is followed, as plans compare it with what is there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::access::facts::GrantKind;
use crate::access::role::Role;
use crate::clock::Timestamp;
use crate::store::ids::{PackageId, TeamId};
use crate::sync::change::Membership;
use crate::vcs::url::UrlPolicy;

/// Everything that plans compare.
#[derive(Clone, Debug, Default)]
pub struct Local {
    /// Whether owners there are owners here.
    pub primary: bool,
    /// Whether all repositories become packages, and not only new ones.
    pub all_packages: bool,
    /// When the synchronization was added; none: before all repositories.
    pub added_at: Option<Timestamp>,
    /// Whether nothing was ever synchronized, so that all that a plan shows counts as asked for.
    pub first: bool,
    /// Whether an administrator made somebody an owner who stays one whatever the platform says.
    pub has_given_owner: bool,
    /// Which addresses of repositories are accepted.
    pub url_policy: UrlPolicy,
    /// The repositories that runs before saw, by the platform's ids.
    pub repositories: BTreeMap<String, Repository>,
    /// All packages of the organization.
    pub packages: HashMap<PackageId, Package>,
    /// The teams that runs before found, by the platform's ids.
    pub teams: BTreeMap<String, Team>,
    /// The paths of all other teams, in lower case.
    pub taken_paths: HashSet<String>,
    /// The members that runs before found, by the platform's ids.
    pub members: BTreeMap<String, Membership>,
    /// Who reads which package without a team: by account, repository, and by what.
    pub readers: BTreeMap<(String, String, GrantKind), Reader>,
    /// Accounts of the integration that were ever seen, by the platform's ids.
    pub accounts: HashMap<String, Account>,
}

/// A repository that a run before saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Owner and name.
    pub path: String,
    /// Where Git finds it.
    pub url: String,
    /// Its page.
    pub web_url: Option<String>,
    /// The branch that counts.
    pub default_branch: Option<String>,
    /// When somebody last pushed, as the platform writes it.
    pub pushed_at: Option<String>,
    /// `active`, `archived`, `disabled` or `empty`.
    pub state: String,
    /// `private`, `internal` or `public`.
    pub visibility: String,
    /// Whether it is a copy of somebody else's.
    pub fork: bool,
    /// Whether the default branch has a composer.json.
    pub manifest: Option<bool>,
    /// The package that it is.
    pub package: Option<PackageId>,
    /// What became of it.
    pub decision: Decision,
    /// Why.
    pub reason: String,
    /// Whether somebody saw it in a plan or asked for it.
    pub asked: bool,
    /// Whether the platform does not list it any more.
    pub gone: bool,
}

/// What became of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is a package.
    Package,
    /// It is to be one: somebody asked for it.
    Wanted,
    /// It is none: there is no composer.json, or nothing could be read.
    None,
    /// It was there before the synchronization, and only new ones were wanted.
    Left,
    /// Somebody removed it by hand.
    Removed,
}

impl Decision {
    const ALL: [Self; 5] = [Self::Package, Self::Wanted, Self::None, Self::Left, Self::Removed];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Wanted => "wanted",
            Self::None => "none",
            Self::Left => "left",
            Self::Removed => "removed",
        }
    }

    /// The decision of this word; what nobody knows decides nothing.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        Self::ALL.into_iter().find(|decision| decision.as_str() == word).unwrap_or(Self::None)
    }
}

/// A package of the organization.
#[derive(Clone, Debug, Default)]
pub struct Package {
    /// Where its source is.
    pub url: String,
    /// The canonical form of that.
    pub url_key: String,
    /// Its name, once it has one.
    pub name: Option<String>,
    /// Whether its repository is gone.
    pub retired: bool,
    /// Whether the platform says that nobody works on it any more.
    pub archived: bool,
}

/// A team that a run before found.
#[derive(Clone, Debug)]
pub struct Team {
    /// Its row.
    pub id: TeamId,
    /// Its own name.
    pub name: String,
    /// The names from the outermost team to it.
    pub path: String,
    /// The team above it, by the platform's id.
    pub parent: Option<String>,
    /// Who is in it, by the platform's ids, with the end where there is one.
    pub members: BTreeMap<String, Option<Timestamp>>,
    /// What it reads, by the repositories' ids.
    pub repositories: BTreeSet<String>,
}

/// Why somebody reads a package without a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// In words.
    pub detail: String,
    /// When it ends.
    pub until: Option<Timestamp>,
}

/// An account of the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What it logs in as.
    pub login: String,
    /// What the person is called there.
    pub display_name: Option<String>,
    /// Whether the platform has it suspended.
    pub suspended: bool,
}

impl Local {
    /// What people call an account.
    pub(super) fn login(&self, account: &str) -> String {
        self.accounts.get(account).map_or_else(|| format!("account {account}"), |known| known.login.clone())
    }

    /// Owners there who are owners here and whose accounts work.
    pub(super) fn owners(&self) -> impl Iterator<Item = &str> {
        let works = |account: &str| self.accounts.get(account).is_none_or(|known| !known.suspended);
        let owners = self.members.iter().filter(|(_, member)| member.role == Role::Owner);
        owners.map(|(account, _)| account.as_str()).filter(move |account| works(account))
    }
}
