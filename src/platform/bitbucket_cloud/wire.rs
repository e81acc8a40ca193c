//! What Bitbucket Cloud's API tells, as far as it is looked at. What is kept between runs has the same form.

use serde::{Deserialize, Serialize};

/// Counted up with every change of what is kept.
pub(super) const FORM: u32 = 2;

/// A page of a list.
#[derive(Deserialize)]
pub(super) struct Page<T> {
    pub values: Vec<T>,
}

/// A workspace.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Workspace {
    pub uuid: String,
    pub slug: String,
}

/// A repository.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Repository {
    pub uuid: String,
    pub full_name: String,
    #[serde(default = "yes")]
    pub is_private: bool,
    pub mainbranch: Option<Branch>,
    pub parent: Option<Parent>,
    pub project: Option<Project>,
    pub updated_on: Option<String>,
    pub created_on: Option<String>,
    pub links: Option<Links>,
}

fn yes() -> bool {
    true
}

/// What of the repository is cloned.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Branch {
    pub name: String,
}

/// What a repository belongs to, of which each has one.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Project {
    pub uuid: String,
    pub key: String,
}

/// What a fork is one of.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Parent {}

/// Where a repository is.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Links {
    #[serde(default)]
    pub clone: Vec<Link>,
    pub html: Option<Link>,
}

/// An address.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Link {
    pub name: Option<String>,
    pub href: String,
}

/// Somebody, or something that is called so.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct User {
    /// Not told by all answers about people whom another one knows by [`Self::account_id`].
    pub uuid: Option<String>,
    /// What all of Atlassian's products know the account by.
    pub account_id: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub nickname: Option<String>,
    pub username: Option<String>,
    pub display_name: Option<String>,
    /// Not told by all answers; `active`, `inactive` or `closed`.
    pub account_status: Option<String>,
}

/// `GET /workspaces/{workspace}/permissions`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Membership {
    /// `owner`, `create-project`, `member`, or the former `collaborator`, who is none.
    pub permission: String,
    pub user: User,
}

/// That somebody may do something with a repository, by whatever way.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Right {
    /// `admin`, `write`, `read` or `none`.
    pub permission: String,
    pub user: User,
    pub repository: Named,
}

/// Which repository.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Named {
    pub uuid: String,
}

/// A group of the API's old version.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Group {
    pub slug: String,
    #[serde(default)]
    pub members: Vec<Known>,
}

/// Somebody of a group.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Known {
    pub uuid: Option<String>,
    pub account_id: Option<String>,
}
