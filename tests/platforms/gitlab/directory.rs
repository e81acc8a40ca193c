//! Groups, projects and who is in them, as plain values, and what GitLab's own lists say of them. Groups, projects and users
//! are numbered apart from each other, so that the same number names one of each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::people::User;

/// Least level that reads code without a custom role.
pub const REPORTER: u32 = 20;
/// Reads no code, unless a version or role says so.
pub const GUEST: u32 = 10;
/// Pushes.
pub const DEVELOPER: u32 = 30;
/// Makes hooks of projects.
pub const MAINTAINER: u32 = 40;
/// May do everything.
pub const OWNER: u32 = 50;

/// Who sees a group or project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Visibility {
    /// Who was given access.
    Private,
    /// Everybody who logs in, except external users.
    Internal,
    /// Everybody.
    Public,
}

impl Visibility {
    /// As the API calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Internal => "internal",
            Self::Public => "public",
        }
    }

    /// As webhooks call it.
    pub fn number(self) -> u32 {
        match self {
            Self::Private => 0,
            Self::Internal => 10,
            Self::Public => 20,
        }
    }
}

/// That somebody is in a group or project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// What they may do.
    pub level: u32,
    /// The day from which on they are not, such as `2026-12-01`.
    pub expires_at: Option<String>,
    /// A role that somebody made.
    pub role: Option<u64>,
}

impl From<u32> for Membership {
    fn from(level: u32) -> Self {
        Self { level, expires_at: None, role: None }
    }
}

/// That all members of a group were invited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The most that they may do.
    pub level: u32,
    /// The day from which on they are not.
    pub expires_at: Option<String>,
}

impl From<u32> for Share {
    fn from(level: u32) -> Self {
        Self { level, expires_at: None }
    }
}

/// A role that somebody made.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// What it begins with.
    pub base: u32,
    /// Whether it reads code.
    pub read_code: bool,
}

/// A group.
#[derive(Clone, Debug)]
pub struct Group {
    /// Never another group's.
    pub id: u64,
    /// Its last part in addresses.
    pub path: String,
    /// The group above.
    pub parent: Option<u64>,
    /// Who sees it.
    pub visibility: Visibility,
    /// Its own members.
    pub members: BTreeMap<u64, Membership>,
    /// Groups that were invited, by number.
    pub shares: BTreeMap<u64, Share>,
    /// The day on which it was marked for deletion.
    pub marked: Option<String>,
}

/// A project.
#[derive(Clone, Debug)]
pub struct Project {
    /// Never another project's.
    pub id: u64,
    /// Its last part in addresses.
    pub path: String,
    /// The number of its group.
    pub group: u64,
    /// Who sees it.
    pub visibility: Visibility,
    /// The branch that counts.
    pub default_branch: String,
    /// Whether it can only be read.
    pub archived: bool,
    /// Whether nothing was pushed yet.
    pub empty: bool,
    /// `enabled`, `private` (only members) or `disabled`.
    pub repository: &'static str,
    /// `none`, `scheduled`, `started`, `finished` or `failed`.
    pub import: &'static str,
    /// The day on which it was marked for deletion.
    pub marked: Option<String>,
    /// Seconds since the epoch.
    pub created_at: i64,
    /// Seconds since the epoch.
    pub active_at: i64,
    /// Who was added to it.
    pub members: BTreeMap<u64, Membership>,
    /// Groups that were invited, by number.
    pub shares: BTreeMap<u64, Share>,
    /// Whether the default branch has a `composer.json`, where there is no Git repository to look into.
    pub manifest: bool,
    /// The bare repository that is served here.
    pub git: Option<PathBuf>,
}

/// All of them, by their numbers.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// Groups.
    pub groups: BTreeMap<u64, Group>,
    /// Projects.
    pub projects: BTreeMap<u64, Project>,
    /// Roles.
    pub roles: BTreeMap<u64, Role>,
    /// Paths that projects had, in lower case.
    pub moved: BTreeMap<String, u64>,
}

/// How a list of members is made.
#[derive(Clone, Copy)]
pub struct Listing<'l> {
    /// Which invited groups somebody sees.
    pub sees: &'l dyn Fn(u64) -> bool,
    /// Whether it knows of the caps of invitations, which some versions forgot.
    pub caps: bool,
}

/// Whose members count for something: a list of groups or a project, and the cap on what they may do.
type Source<'d> = (&'d BTreeMap<u64, Membership>, Option<&'d Share>);

impl Directory {
    /// A group and those above it.
    pub fn lineage(&self, group: u64) -> Vec<&Group> {
        let mut line: Vec<&Group> = vec![&self.groups[&group]];
        while let Some(parent) = line.last().and_then(|group| group.parent) {
            assert!(line.iter().all(|group| group.id != parent), "groups above each other");
            line.push(&self.groups[&parent]);
        }
        line
    }

    /// A group and those below it.
    pub fn subtree(&self, group: u64) -> BTreeSet<u64> {
        let is_below = |one: &&Group| self.lineage(one.id).iter().any(|above| above.id == group);
        self.groups.values().filter(is_below).map(|one| one.id).collect()
    }

    /// A group's whole path.
    pub fn group_path(&self, group: u64) -> String {
        let parts: Vec<&str> = self.lineage(group).iter().rev().map(|group| group.path.as_str()).collect();
        parts.join("/")
    }

    /// A project's whole path.
    pub fn project_path(&self, project: &Project) -> String {
        format!("{}/{}", self.group_path(project.group), project.path)
    }

    /// A group by its whole path.
    pub fn group_at(&self, path: &str) -> Option<&Group> {
        self.groups.values().find(|group| self.group_path(group.id).eq_ignore_ascii_case(path))
    }

    /// A project by its whole path.
    pub fn project_at(&self, path: &str) -> Option<&Project> {
        self.projects.values().find(|project| self.project_path(project).eq_ignore_ascii_case(path))
    }

    /// The members of a group: its own, those of groups above, and the direct ones of groups that were invited to any of
    /// these; each with the highest level.
    pub fn group_members(&self, group: u64) -> BTreeMap<u64, Membership> {
        self.group_members_listed(group, Listing { sees: &|_| true, caps: true })
    }

    /// The same, as a list shows it.
    pub fn group_members_listed(&self, group: u64, how: Listing<'_>) -> BTreeMap<u64, Membership> {
        let mut sources: Vec<Source<'_>> = Vec::new();
        for one in self.lineage(group) {
            sources.push((&one.members, None));
            let shares = one.shares.iter().filter(|(invited, _)| (how.sees)(**invited));
            let cap = |share| if how.caps { Some(share) } else { None };
            sources.extend(shares.map(|(invited, share)| (&self.groups[invited].members, cap(share))));
        }
        merged(&sources)
    }

    /// The members of a project: its own, those of its group as above, and those of groups that were invited to the project
    /// itself, with whom these inherit.
    pub fn project_members(&self, project: &Project) -> BTreeMap<u64, Membership> {
        self.project_members_listed(project, Listing { sees: &|_| true, caps: true })
    }

    /// The same, as a list shows it.
    pub fn project_members_listed(&self, project: &Project, how: Listing<'_>) -> BTreeMap<u64, Membership> {
        let inherited = self.group_members_listed(project.group, how);
        let mut sources: Vec<Source<'_>> = vec![(&project.members, None), (&inherited, None)];
        for (invited, share) in project.shares.iter().filter(|(invited, _)| (how.sees)(**invited)) {
            let cap = if how.caps { Some(share) } else { None };
            sources.extend(self.lineage(*invited).iter().map(|group| (&group.members, cap)));
        }
        merged(&sources)
    }

    /// What somebody is in a group, on this day.
    pub fn group_level(&self, user: u64, group: u64, today: &str) -> u32 {
        level_of(self.group_members(group).get(&user), today)
    }

    /// What somebody is in a project, on this day.
    pub fn project_level(&self, user: u64, project: &Project, today: &str) -> u32 {
        level_of(self.project_members(project).get(&user), today)
    }

    /// Whether somebody sees a group: because of what it is, or for being in it, above it, or anywhere below.
    pub fn shows_group(&self, user: &User, group: &Group, today: &str) -> bool {
        self.is_open(user, group.visibility)
            || self.group_level(user.id, group.id, today) > 0
            || self.projects.values().any(|project| {
                self.lineage(project.group).iter().any(|above| above.id == group.id)
                    && self.project_level(user.id, project, today) > 0
            })
            || self.subtree(group.id).iter().any(|below| self.group_level(user.id, *below, today) > 0)
    }

    /// Whether somebody sees a project.
    pub fn shows_project(&self, user: &User, project: &Project, today: &str) -> bool {
        self.is_open(user, project.visibility) || self.project_level(user.id, project, today) >= GUEST
    }

    fn is_open(&self, user: &User, visibility: Visibility) -> bool {
        user.admin
            || match visibility {
                Visibility::Private => false,
                Visibility::Internal => !user.external,
                Visibility::Public => true,
            }
    }

    /// Whether somebody reads code, on this day.
    pub fn reads_code(&self, user: &User, project: &Project, today: &str, least: u32) -> bool {
        let own = self.project_members(project).remove(&user.id).filter(|own| level_of(Some(own), today) > 0);
        let is_member = |least: u32| own.as_ref().is_some_and(|own| own.level >= least || self.is_coder(own));
        match (project.repository, project.visibility) {
            ("disabled", _) => false,
            _ if user.admin => true,
            (_, Visibility::Private) => is_member(least),
            ("private", _) => is_member(GUEST),
            (_, visibility) => self.is_open(user, visibility) || is_member(GUEST),
        }
    }

    fn is_coder(&self, own: &Membership) -> bool {
        own.role.and_then(|id| self.roles.get(&id)).is_some_and(|role| role.read_code)
    }
}

/// A level, if it is one still.
fn level_of(own: Option<&Membership>, today: &str) -> u32 {
    own.filter(|own| own.expires_at.as_deref().is_none_or(|end| end > today)).map_or(0, |own| own.level)
}

/// Each person once, with the highest level; where the levels are the same, the one that lasts longer.
fn merged(sources: &[Source<'_>]) -> BTreeMap<u64, Membership> {
    let mut all: BTreeMap<u64, Membership> = BTreeMap::new();
    for (members, cap) in sources {
        for (user, own) in *members {
            let own = match cap {
                None => own.clone(),
                Some(cap) => Membership {
                    level: own.level.min(cap.level),
                    expires_at: [&own.expires_at, &cap.expires_at].into_iter().flatten().min().cloned(),
                    role: None,
                },
            };
            let rank = |one: &Membership| (one.level, one.expires_at.is_none(), one.expires_at.clone());
            if all.get(user).is_none_or(|known| rank(known) < rank(&own)) {
                all.insert(*user, own);
            }
        }
    }
    all
}
