//! Organizations, teams and repositories: who is in what, as plain values, and what follows from them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What somebody may do with a repository; the higher contains the lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    None,
    /// `read`, or `pull`.
    Read,
    /// `triage`.
    Triage,
    /// `write`, or `push`.
    Write,
    /// `maintain`.
    Maintain,
    /// `admin`.
    Admin,
}

impl Level {
    /// As roles are called.
    pub fn role(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Triage => "triage",
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        }
    }

    /// As permissions are called.
    pub fn permission(self) -> &'static str {
        match self {
            Self::Read => "pull",
            Self::Write => "push",
            other => other.role(),
        }
    }
}

/// A right in a repository, under the name of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What it allows.
    pub level: Level,
    /// The role's name, which may be one of the organization's own.
    pub role: String,
}

impl From<Level> for Grant {
    fn from(level: Level) -> Self {
        Self { level, role: level.role().to_owned() }
    }
}

/// What a member of an organization is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// `admin`.
    Owner,
    /// `member`.
    Member,
    /// `billing_manager`, who sees no code.
    Billing,
}

/// A role in the organization, beside its owners.
#[derive(Clone, Debug)]
pub struct OrganizationRole {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// What it may do with all repositories.
    pub base: Option<Level>,
    /// Who has it.
    pub users: BTreeSet<u64>,
    /// Whose members have it.
    pub teams: BTreeSet<u64>,
}

/// An organization.
#[derive(Clone, Debug)]
pub struct Organization {
    /// Never another's.
    pub id: u64,
    /// Its name.
    pub login: String,
    /// What every member may do with every repository.
    pub base: Level,
    /// Its members.
    pub members: BTreeMap<u64, Rank>,
    /// Who was invited and has not answered.
    pub invited: BTreeMap<u64, Rank>,
    /// Roles in it.
    pub roles: Vec<OrganizationRole>,
    /// Roles in repositories that it made: a number, a name, and what it begins with.
    pub custom_roles: Vec<(u64, String, Level)>,
}

/// A team.
#[derive(Clone, Debug)]
pub struct Team {
    /// Never another's.
    pub id: u64,
    /// The organization's number.
    pub org: u64,
    /// Its name in addresses.
    pub slug: String,
    /// The team above.
    pub parent: Option<u64>,
    /// Whether only its members and owners see it.
    pub secret: bool,
    /// Its own members, and whether they look after it.
    pub members: BTreeMap<u64, bool>,
    /// Its own repositories.
    pub repositories: BTreeMap<u64, Grant>,
}

/// Who sees a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Who has a right.
    Private,
    /// Every member of the enterprise.
    Internal,
    /// Everybody.
    Public,
}

/// A repository.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Never another's.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The number of an organization or a user.
    pub owner: u64,
    /// The branch that counts.
    pub default_branch: String,
    /// Whether it can only be read.
    pub archived: bool,
    /// Whether it is blocked.
    pub disabled: bool,
    /// Who sees it.
    pub visibility: Visibility,
    /// Whether it is a copy of another one.
    pub fork: bool,
    /// Seconds since the epoch.
    pub created_at: i64,
    /// Seconds since the epoch.
    pub pushed_at: i64,
    /// Kilobytes; 0 if there is no commit.
    pub size: u64,
    /// Whether the default branch has a `composer.json`, where there is no Git repository to look into.
    pub manifest: bool,
    /// Who was added to it.
    pub collaborators: BTreeMap<u64, Grant>,
    /// Where it can be cloned from, if that is not here.
    pub clone_url: Option<String>,
    /// The bare repository that is served here.
    pub git: Option<PathBuf>,
}

/// All of them, by their numbers.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// Organizations.
    pub orgs: BTreeMap<u64, Organization>,
    /// Teams.
    pub teams: BTreeMap<u64, Team>,
    /// Repositories.
    pub repositories: BTreeMap<u64, Repository>,
    /// Paths that repositories had, in lower case.
    pub moved: BTreeMap<String, u64>,
}

impl Directory {
    /// An organization by its name.
    pub fn org(&self, login: &str) -> Option<&Organization> {
        self.orgs.values().find(|org| org.login.eq_ignore_ascii_case(login))
    }

    /// A team by its name in addresses.
    pub fn team(&self, org: u64, slug: &str) -> Option<&Team> {
        self.teams_of(org).find(|team| team.slug.eq_ignore_ascii_case(slug))
    }

    /// The teams of an organization.
    pub fn teams_of(&self, org: u64) -> impl Iterator<Item = &Team> {
        self.teams.values().filter(move |team| team.org == org)
    }

    /// The repositories of an owner.
    pub fn repositories_of(&self, owner: u64) -> impl Iterator<Item = &Repository> {
        self.repositories.values().filter(move |repository| repository.owner == owner)
    }

    /// A team and those above it.
    pub fn upwards(&self, team: u64) -> Vec<u64> {
        let mut line = vec![team];
        while let Some(parent) = line.last().and_then(|id| self.teams.get(id)).and_then(|team| team.parent) {
            assert!(!line.contains(&parent), "teams above each other");
            line.push(parent);
        }
        line
    }

    /// The members of a team and of those below it, and whether they look after it.
    pub fn members(&self, team: u64) -> BTreeMap<u64, bool> {
        let mut members = BTreeMap::new();
        for below in self.teams.values().filter(|below| self.upwards(below.id).contains(&team)) {
            for (member, maintains) in &below.members {
                *members.entry(*member).or_default() |= *maintains && below.id == team;
            }
        }
        members
    }

    /// The repositories of a team and of those above it, with the highest right.
    pub fn grants(&self, team: u64) -> BTreeMap<u64, Grant> {
        let mut grants: BTreeMap<u64, Grant> = BTreeMap::new();
        for (repository, grant) in self.upwards(team).iter().flat_map(|team| &self.teams[team].repositories) {
            if grants.get(repository).is_none_or(|own| own.level < grant.level) {
                grants.insert(*repository, grant.clone());
            }
        }
        grants
    }

    /// Who was added to repositories of an organization and is no member.
    pub fn outsiders(&self, org: &Organization) -> BTreeSet<u64> {
        let added = self.repositories_of(org.id).flat_map(|repository| repository.collaborators.keys().copied());
        added.filter(|user| !org.members.contains_key(user)).collect()
    }

    /// The highest right of a user in a repository, apart from what everybody sees.
    pub fn right(&self, user: u64, repository: &Repository) -> Option<Grant> {
        let mut rights: Vec<Grant> = repository.collaborators.get(&user).cloned().into_iter().collect();
        if repository.owner == user {
            rights.push(Level::Admin.into());
        }
        if let Some(org) = self.orgs.get(&repository.owner) {
            rights.extend(self.rights_by(user, org, repository));
        }
        rights.into_iter().max_by_key(|grant| grant.level).filter(|grant| grant.level > Level::None)
    }

    fn rights_by(&self, user: u64, org: &Organization, repository: &Repository) -> Vec<Grant> {
        let mut rights: Vec<Grant> = match org.members.get(&user) {
            Some(Rank::Owner) => vec![Level::Admin.into()],
            Some(Rank::Member) => vec![org.base.into()],
            Some(Rank::Billing) | None => return Vec::new(),
        };
        let teams: Vec<u64> = self
            .teams_of(org.id)
            .filter(|team| self.members(team.id).contains_key(&user))
            .map(|team| team.id)
            .collect();
        rights.extend(teams.iter().filter_map(|team| self.grants(*team).remove(&repository.id)));
        let has =
            |role: &&OrganizationRole| role.users.contains(&user) || teams.iter().any(|id| role.teams.contains(id));
        rights.extend(org.roles.iter().filter(has).filter_map(|role| role.base).map(Grant::from));
        rights
    }
}
