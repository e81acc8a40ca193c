//! What Bitbucket writes, as far as we read it. Versions differ in what they leave out, and what they name otherwise is left
//! unread; what is written again is what is kept between runs.

use serde::{Deserialize, Serialize};

/// The form in which answers are kept. To be counted up with every change of the values below, so that none of an older
/// form is taken for one of the new.
pub(super) const FORM: u32 = 1;

/// A page of a list.
#[derive(Deserialize)]
pub(super) struct Page<T> {
    pub values: Vec<T>,
}

/// Where a list goes on.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Turn {
    #[serde(default = "yes")]
    pub is_last_page: bool,
    pub next_page_start: Option<i64>,
}

fn yes() -> bool {
    true
}

/// A project, of an organization's part or of a person.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Project {
    pub id: i64,
    pub key: String,
    #[serde(default)]
    pub public: bool,
    /// Of a personal project: whose it is.
    pub owner: Option<User>,
    /// `NORMAL` or `PERSONAL`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

impl Project {
    /// Whether it is a person's.
    pub(super) fn is_personal(&self) -> bool {
        self.key.starts_with('~') || self.kind.as_deref() == Some("PERSONAL")
    }
}

/// A repository.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Repository {
    pub id: i64,
    pub slug: String,
    /// `AVAILABLE`, or why it is not.
    pub state: Option<String>,
    /// Since 8.0.
    pub archived: Option<bool>,
    #[serde(default)]
    pub public: bool,
    /// What it is a fork of.
    pub origin: Option<Origin>,
    pub project: Place,
    #[serde(default)]
    pub links: Links,
}

impl Repository {
    /// Its project and its name in addresses.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.project.key, self.slug)
    }
}

/// What a fork was made of.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Origin {
    pub id: Option<i64>,
}

/// Where a repository is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Place {
    pub id: i64,
    pub key: String,
}

/// Addresses of something.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Links {
    #[serde(default)]
    pub clone: Vec<Link>,
    #[serde(rename = "self", default)]
    pub own: Vec<Link>,
}

/// An address.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Link {
    #[serde(default)]
    pub href: String,
    pub name: Option<String>,
}

/// An account.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    pub id: i64,
    pub name: String,
    pub display_name: Option<String>,
    #[serde(default = "yes")]
    pub active: bool,
    /// `NORMAL`, or `SERVICE` for keys and tokens that act by themselves.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

impl User {
    /// Whether somebody is behind it.
    pub(super) fn is_person(&self) -> bool {
        self.id > 0
            && self.kind.as_deref().is_none_or(|kind| kind == "NORMAL")
            && !self.name.starts_with("access-token-user/")
    }
}

/// What a user may do.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct UserRight {
    pub user: User,
    pub permission: String,
}

/// What a group may do.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct GroupRight {
    pub group: Group,
    pub permission: String,
}

/// A group. Names are all it has.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Group {
    pub name: String,
}

/// Whether everybody has a permission.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Permitted {
    #[serde(default)]
    pub permitted: bool,
}

/// A branch.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Branch {
    pub id: Option<String>,
    pub display_id: Option<String>,
}

/// `GET …/browse/{path}?type=true`.
#[derive(Deserialize)]
pub(super) struct Entry {
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// `GET /application-properties`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Properties {
    pub version: Option<String>,
    pub display_name: Option<String>,
}
