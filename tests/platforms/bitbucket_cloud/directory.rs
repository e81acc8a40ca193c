//! Workspaces with their people, groups, projects, repositories and tokens, by numbers that nobody outside sees.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What somebody may do with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Read.
    Read,
    /// Write.
    Write,
    /// Everything.
    Admin,
}

impl Level {
    /// The API's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// A workspace.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// Never another's.
    pub uuid: String,
    /// Its name in addresses.
    pub slug: String,
    /// Who is in it; `true`: as owner.
    pub members: BTreeMap<u64, bool>,
    /// By their slugs.
    pub groups: BTreeMap<String, Group>,
}

/// A group: it has what it was given, and what its default is for repositories that are made.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Who is in it.
    pub members: BTreeSet<u64>,
}

/// A project, which gives what it has to all of its repositories.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its workspace.
    pub workspace: u64,
    /// Never another's.
    pub uuid: String,
    /// Its name in addresses.
    pub key: String,
    /// What people may.
    pub users: BTreeMap<u64, Level>,
    /// What groups may.
    pub groups: BTreeMap<String, Level>,
}

/// A repository.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Never another's.
    pub uuid: String,
    /// Its workspace.
    pub workspace: u64,
    /// Its project.
    pub project: u64,
    /// Its name in addresses.
    pub slug: String,
    /// Whether only those who may see it.
    pub private: bool,
    /// Its main branch, once somebody pushed.
    pub branch: Option<String>,
    /// Whether it is somebody else's copy.
    pub fork: bool,
    /// What people may.
    pub users: BTreeMap<u64, Level>,
    /// What groups may.
    pub groups: BTreeMap<String, Level>,
    /// When anything happened to it last, in microseconds since the epoch.
    pub updated: i64,
    /// When it was made, in seconds since the epoch.
    pub created: i64,
    /// What stands at `composer.json`, if no Git repository tells.
    pub manifest: Manifest,
    /// The Git repository.
    pub git: Option<PathBuf>,
}

/// What stands at `composer.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manifest {
    /// Nothing.
    None,
    /// A file.
    File,
    /// A symbolic link.
    Link,
    /// Something that is stored elsewhere.
    Large,
}

/// Whose a token is, and what it reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// A person's, with all that they may.
    Person(u64),
    /// A workspace's.
    Workspace(u64),
    /// A project's.
    Project(u64),
    /// A repository's.
    Repository(u64),
}

/// A token.
#[derive(Clone, Debug)]
pub struct Secret {
    /// Whose it is.
    pub reach: Reach,
    /// What it may.
    pub scopes: BTreeSet<String>,
    /// Whether it was taken back.
    pub revoked: bool,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Directory {
    /// Workspaces.
    pub workspaces: BTreeMap<u64, Workspace>,
    /// Projects.
    pub projects: BTreeMap<u64, Project>,
    /// Repositories.
    pub repositories: BTreeMap<u64, Repository>,
    /// Former paths of repositories, in lower case.
    pub moved: BTreeMap<String, u64>,
    /// Tokens, by their text.
    pub secrets: BTreeMap<String, Secret>,
}

impl Directory {
    /// A workspace by slug or `uuid`.
    pub fn workspace(&self, name: &str) -> Option<u64> {
        let is_it = |one: &Workspace| one.slug == name || one.uuid == name;
        self.workspaces.iter().find(|(_, one)| is_it(one)).map(|(id, _)| *id)
    }

    /// A repository of a workspace by slug or `uuid`.
    pub fn repository(&self, workspace: u64, name: &str) -> Option<u64> {
        let is_it = |one: &Repository| one.workspace == workspace && (one.slug == name || one.uuid == name);
        self.repositories.iter().find(|(_, one)| is_it(one)).map(|(id, _)| *id)
    }

    /// `acme/lib`.
    pub fn full_name(&self, repository: u64) -> String {
        let one = &self.repositories[&repository];
        format!("{}/{}", self.workspaces[&one.workspace].slug, one.slug)
    }

    /// What somebody may do with a repository, whatever everybody may; as the API's lists are made: each row of users, groups and
    /// projects, the highest of them.
    pub fn effective(&self, user: u64, repository: u64) -> Option<Level> {
        let one = &self.repositories[&repository];
        let (workspace, project) = (&self.workspaces[&one.workspace], &self.projects[&one.project]);
        let groups = one.groups.iter().chain(&project.groups);
        let by_group =
            groups.filter(|(slug, _)| workspace.groups.get(*slug).is_some_and(|group| group.members.contains(&user)));
        let own = one.users.get(&user).into_iter().chain(project.users.get(&user));
        let owner = workspace.members.get(&user).filter(|owner| **owner).map(|_| Level::Admin);
        by_group.map(|(_, level)| *level).chain(own.copied()).chain(owner).max()
    }
}
