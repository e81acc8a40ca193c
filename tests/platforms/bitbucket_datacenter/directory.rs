//! Projects, repositories, groups, and who was given what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::Site;

/// What somebody may do; whoever may more may less too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// To read.
    Read,
    /// To write.
    Write,
    /// Everything.
    Admin,
}

impl Level {
    /// The word for it, of a `PROJECT` or `REPO`.
    pub fn word(self, of: &str) -> String {
        let word = match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::Admin => "ADMIN",
        };
        format!("{of}_{word}")
    }

    /// What a word says.
    pub fn parse(text: &str, of: &str) -> Option<Self> {
        [Self::Read, Self::Write, Self::Admin].into_iter().find(|level| level.word(of) == text)
    }
}

/// Rights in something.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    /// Of users, by number.
    pub users: BTreeMap<u64, Level>,
    /// Of groups, by name.
    pub groups: BTreeMap<String, Level>,
}

/// A project.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its number.
    pub id: u64,
    /// Its key.
    pub key: String,
    /// Whether everybody may read it.
    pub public: bool,
    /// Whose it is, if it is a person's.
    pub owner: Option<u64>,
    /// Who was given what.
    pub rights: Rights,
    /// What everybody with a licence was given.
    pub default: Option<Level>,
}

/// A repository.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Its number.
    pub id: u64,
    /// The project's number.
    pub project: u64,
    /// Its name in addresses.
    pub slug: String,
    /// `AVAILABLE`, `INITIALISING`, ….
    pub state: &'static str,
    /// Whether it is only read any more.
    pub archived: bool,
    /// Whether everybody may read it.
    pub public: bool,
    /// What it is a fork of.
    pub origin: Option<u64>,
    /// The branch that counts.
    pub branch: String,
    /// Whether nobody pushed yet.
    pub empty: bool,
    /// What composer.json is there: `FILE`, `DIRECTORY`, `SUBMODULE`, or nothing.
    pub manifest: Option<&'static str>,
    /// The code.
    pub git: Option<PathBuf>,
    /// Who was given what.
    pub rights: Rights,
}

/// All of it.
#[derive(Default)]
pub struct Directory {
    /// By number.
    pub projects: BTreeMap<u64, Project>,
    /// By number.
    pub repositories: BTreeMap<u64, Repository>,
    /// Who is in each group.
    pub groups: BTreeMap<String, BTreeSet<u64>>,
    /// Paths that repositories had, in lower case.
    pub moved: BTreeMap<String, u64>,
}

impl Directory {
    /// A project by its key, whatever its case.
    pub fn project(&self, key: &str) -> Option<&Project> {
        self.projects.values().find(|one| one.key.eq_ignore_ascii_case(key))
    }

    /// A repository by its path.
    pub fn repository(&self, key: &str, slug: &str) -> Option<&Repository> {
        let project = self.project(key)?.id;
        self.repositories.values().find(|one| one.project == project && one.slug.eq_ignore_ascii_case(slug))
    }

    /// Key and name.
    pub fn path(&self, repository: &Repository) -> String {
        format!("{}/{}", self.projects[&repository.project].key, repository.slug)
    }

    fn given(&self, user: u64, rights: &Rights) -> Option<Level> {
        let is_in = |name: &str| {
            let group = self.groups.iter().find(|(one, _)| one.eq_ignore_ascii_case(name));
            group.is_some_and(|(_, people)| people.contains(&user))
        };
        let by_group = rights.groups.iter().filter(|(name, _)| is_in(name)).map(|(_, level)| *level);
        by_group.chain(rights.users.get(&user).copied()).max()
    }

    /// What a user may do with a project.
    pub fn level_in(&self, user: u64, licensed: bool, project: &Project) -> Option<Level> {
        let own = (project.owner == Some(user)).then_some(Level::Admin);
        let default = project.default.filter(|_| licensed);
        [own, default, self.given(user, &project.rights)].into_iter().flatten().max()
    }

    /// What a user was given in a repository or its project.
    pub fn level(&self, user: u64, licensed: bool, repository: &Repository) -> Option<Level> {
        let project = &self.projects[&repository.project];
        self.level_in(user, licensed, project).max(self.given(user, &repository.rights))
    }
}

impl Site {
    /// A project, to be changed.
    pub fn project_mut(&mut self, id: u64) -> &mut Project {
        self.directory.projects.get_mut(&id).expect("a project")
    }

    /// A repository, to be changed.
    pub fn repository_mut(&mut self, id: u64) -> &mut Repository {
        self.directory.repositories.get_mut(&id).expect("a repository")
    }
}
