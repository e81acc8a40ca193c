//! What a run changes here: each change as people read it, and as it is done.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::access::facts::GrantKind;
use crate::access::role::Role;
use crate::clock::Timestamp;
use crate::store::ids::PackageId;

/// Whether something comes, changes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It was not here.
    Add,
    /// It is here, and becomes another.
    Change,
    /// It is here, and goes.
    Remove,
}

impl Action {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Change => "change",
            Self::Remove => "remove",
        }
    }
}

/// What kind of thing it is about, in the contract's words (section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// A repository that is a package.
    Package,
    /// A team and who is in it.
    Team,
    /// A person of the organization.
    Member,
    /// Who reads a package.
    Permission,
}

impl Subject {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Team => "team",
            Self::Member => "member",
            Self::Permission => "permission",
        }
    }
}

/// A change as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What kind of thing it is.
    pub kind: Subject,
    /// What people call it: a repository's or team's path, a login.
    pub name: String,
    /// The rest, in words.
    pub detail: String,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What happens.
    pub action: Action,
    /// What kind of thing it is about.
    pub kind: Subject,
    /// What people call it: a repository's or team's path, a login.
    pub name: String,
    /// The rest, in words.
    pub detail: String,
    /// How it is done.
    pub deed: Deed,
}

/// A membership as it is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Membership {
    /// What the account is there.
    #[serde(serialize_with = "word")]
    pub there: Role,
    /// What that makes it here.
    #[serde(serialize_with = "word")]
    pub role: Role,
    /// By what it reads all packages, if so.
    #[serde(serialize_with = "grant_word")]
    pub reads: Option<GrantKind>,
    /// The words for it.
    pub detail: String,
    /// When it ends.
    pub until: Option<Timestamp>,
}

fn word<S: serde::Serializer>(role: &Role, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(role.as_str())
}

fn grant_word<S: serde::Serializer>(kind: &Option<GrantKind>, to: S) -> Result<S::Ok, S::Error> {
    kind.map(GrantKind::as_str).serialize(to)
}

/// How a change is done. Repositories, teams and accounts are named by the platform's ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Deed {
    /// A repository becomes a package.
    AddPackage {
        /// The repository.
        repository: String,
        /// The address of its source.
        url: String,
        /// The canonical form of that.
        url_key: String,
        /// Whether it is a copy of somebody else's.
        fork: bool,
        /// Whether nobody works on it any more.
        archived: bool,
    },
    /// A repository turns out to be a package that is here.
    Adopt {
        /// The repository.
        repository: String,
        /// The package.
        package: PackageId,
        /// Whether its former repository was gone.
        returns: bool,
        /// Whether nobody works on it any more.
        archived: bool,
    },
    /// A package's repository is elsewhere now.
    MovePackage {
        /// The package.
        package: PackageId,
        /// The address of its source.
        url: String,
        /// The canonical form of that.
        url_key: String,
        /// A package without a repository that had that address.
        displaced: Option<PackageId>,
    },
    /// The platform says that nobody works on a package any more, or that somebody does again.
    Archive {
        /// The package.
        package: PackageId,
        /// Which of the two.
        archived: bool,
    },
    /// A package's repository is gone.
    Retire {
        /// The repository.
        repository: String,
        /// The package.
        package: PackageId,
    },
    /// A package's repository is there again.
    Return {
        /// The package.
        package: PackageId,
    },
    /// An account is called otherwise, or is or was suspended.
    Account {
        /// The account.
        account: String,
        /// Whether it is suspended from now on, where that changes.
        suspended: Option<bool>,
    },
    /// Somebody becomes a member.
    AddMember {
        /// The account.
        account: String,
        /// As what.
        as_what: Membership,
    },
    /// A member becomes something else.
    ChangeMember {
        /// The account.
        account: String,
        /// What.
        as_what: Membership,
    },
    /// Somebody is no member any more.
    RemoveMember {
        /// The account.
        account: String,
    },
    /// There is a team.
    AddTeam {
        /// The team.
        team: String,
        /// Its own name.
        name: String,
        /// The names from the outermost team to it.
        path: String,
        /// The team above it.
        parent: Option<String>,
        /// Whether its people read what the teams above it have.
        inherits: bool,
    },
    /// A team is called otherwise, or is elsewhere.
    PlaceTeam {
        /// The team.
        team: String,
        /// Its own name.
        name: String,
        /// The names from the outermost team to it.
        path: String,
        /// The team above it.
        parent: Option<String>,
    },
    /// A team is gone.
    RemoveTeam {
        /// The team.
        team: String,
    },
    /// People are in a team, or for another time.
    Join {
        /// The team.
        team: String,
        /// The accounts, each with the end where there is one.
        accounts: Vec<(String, Option<Timestamp>)>,
    },
    /// People are in a team no more.
    Leave {
        /// The team.
        team: String,
        /// The accounts.
        accounts: Vec<String>,
    },
    /// Teams read a package.
    Open {
        /// The repository.
        repository: String,
        /// The teams.
        teams: Vec<String>,
    },
    /// Teams read a package no more.
    Close {
        /// The repository.
        repository: String,
        /// The teams.
        teams: Vec<String>,
    },
    /// Somebody reads a package without a team.
    Grant {
        /// The repository.
        repository: String,
        /// The account.
        account: String,
        /// By what.
        #[serde(serialize_with = "kind_word")]
        by: GrantKind,
        /// The words for it.
        detail: String,
        /// When it ends.
        until: Option<Timestamp>,
    },
    /// Somebody reads a package no more without a team.
    Revoke {
        /// The repository.
        repository: String,
        /// The account.
        account: String,
        /// By what it was.
        #[serde(serialize_with = "kind_word")]
        by: GrantKind,
    },
}

fn kind_word<S: serde::Serializer>(kind: &GrantKind, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(kind.as_str())
}

impl Change {
    /// As people read it.
    #[must_use]
    pub fn item(&self) -> Item {
        Item { kind: self.kind, name: self.name.clone(), detail: self.detail.clone() }
    }

    /// Whether somebody may see less by it. Such changes come first, so that every part of a run leaves at most what the
    /// platform allows or what was before.
    #[must_use]
    pub fn takes(&self) -> bool {
        match &self.deed {
            Deed::Leave { .. } | Deed::Close { .. } | Deed::Revoke { .. } => true,
            Deed::RemoveMember { .. } | Deed::RemoveTeam { .. } | Deed::Retire { .. } => true,
            Deed::ChangeMember { .. } | Deed::PlaceTeam { .. } => true,
            Deed::Account { suspended, .. } => *suspended == Some(true),
            _ => false,
        }
    }
}

/// What names a set of changes: equal for equal changes, whenever they are planned.
#[must_use]
pub fn digest<'a>(changes: impl IntoIterator<Item = &'a Change>) -> String {
    let mut lines: Vec<String> = changes
        .into_iter()
        .map(|change| serde_json::to_string(&change.deed).expect("a deed has only texts, numbers and lists of them"))
        .collect();
    lines.sort_unstable();
    let digest = Sha256::digest(lines.join("\n"));
    digest.iter().take(10).map(|byte| format!("{byte:02x}")).collect()
}
