//! What is here of an organization that is followed, as plans compare it with what is there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::access::facts::GrantKind;
use crate::access::role::Role;
use crate::clock::Timestamp;
pub use crate::store::repositories::{Decision, Repository};

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
    /// Whether what everybody may read there counts for members.
    pub follow_visibility: bool,
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
