//! What GitHub writes, as far as we read it. Whatever its description does not require may be missing, and what it does not
//! name is left unread; what is written again is what is kept between runs.

use serde::{Deserialize, Serialize};

/// The form in which answers are kept. To be counted up with every change of the values below, so that none of an older
/// form is taken for one of the new.
pub(super) const FORM: u32 = 1;

/// `GET /orgs/{org}`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Organization {
    pub id: u64,
    pub login: String,
    /// What every member may do with every repository; only told to owners and to apps that may administer.
    pub default_repository_permission: Option<String>,
}

/// A repository of a list.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Repository {
    pub id: u64,
    pub full_name: String,
    pub owner: Owner,
    #[serde(default)]
    pub private: bool,
    pub visibility: Option<String>,
    #[serde(default)]
    pub fork: bool,
    #[serde(default)]
    pub archived: Option<bool>,
    pub disabled: Option<bool>,
    pub default_branch: Option<String>,
    pub pushed_at: Option<String>,
    pub created_at: Option<String>,
    pub clone_url: Option<String>,
    pub html_url: Option<String>,
    pub size: Option<u64>,
}

/// Whose a repository is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Owner {
    pub id: u64,
    pub login: String,
}

/// `GET /installation/repositories`.
#[derive(Deserialize)]
pub(super) struct Repositories {
    pub repositories: Vec<Repository>,
}

/// A person in a list.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Person {
    pub id: u64,
    pub login: String,
    /// Of collaborators: what they may do.
    pub permissions: Option<Permissions>,
    /// The same in a word, which may be that of a role that the organization made.
    pub role_name: Option<String>,
    pub name: Option<String>,
    /// Of an Enterprise Server: since when the account is locked.
    pub suspended_at: Option<String>,
}

/// `GET /repos/{owner}/{repo}/collaborators/{login}/permission`.
#[derive(Deserialize)]
pub(super) struct Right {
    /// `admin`, `write`, `read` or `none`.
    pub permission: String,
    /// Whose it is.
    pub user: Option<Person>,
}

/// What may be done with a repository; who may anything may read.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(super) struct Permissions {
    #[serde(default)]
    pub pull: bool,
    #[serde(default)]
    pub triage: bool,
    #[serde(default)]
    pub push: bool,
    #[serde(default)]
    pub maintain: bool,
    #[serde(default)]
    pub admin: bool,
}

impl Permissions {
    /// Whether reading is among it.
    pub(super) fn may_read(self) -> bool {
        self.pull || self.triage || self.push || self.maintain || self.admin
    }
}

/// A team.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Team {
    pub id: u64,
    pub slug: String,
    pub parent: Option<Parent>,
}

/// The team above.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Parent {
    pub id: u64,
}

/// A repository of a team.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct TeamRepository {
    pub id: u64,
    pub permissions: Option<Permissions>,
}

/// `GET /orgs/{org}/organization-roles`.
#[derive(Deserialize)]
pub(super) struct Roles {
    #[serde(default)]
    pub roles: Vec<Role>,
}

/// A role in the organization.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Role {
    pub id: u64,
    pub name: String,
    /// What it may do with all repositories; none: nothing.
    pub base_role: Option<String>,
}

/// A membership, one's own or somebody else's.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Membership {
    pub state: String,
    pub role: Option<String>,
    pub user: Option<Member>,
    pub organization: Option<Owner>,
}

/// Whose a membership is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Member {
    pub id: u64,
}
