//! What GitLab writes, as far as we read it. Whatever old or small installations leave out may be missing; what is written
//! again is what is kept between runs.

use serde::{Deserialize, Deserializer, Serialize};

/// The form in which answers are kept. To be counted up with every change of the values below, so that none of an older
/// form is taken for one of the new.
pub(super) const FORM: u32 = 1;

/// A group. Only one that is asked for by itself says with whom it is shared.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Group {
    pub id: u64,
    pub full_path: String,
    pub parent_id: Option<u64>,
    #[serde(default)]
    pub shared_with_groups: Vec<Share>,
    pub marked_for_deletion_on: Option<String>,
}

/// That the people of another group are let in.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Share {
    pub group_id: u64,
    #[serde(default)]
    pub group_full_path: String,
    /// What they are at most.
    pub group_access_level: i64,
    pub expires_at: Option<String>,
}

/// A project.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Project {
    pub id: u64,
    pub path_with_namespace: String,
    pub namespace: Namespace,
    pub visibility: Option<String>,
    /// Told to nobody who may not read the code: then the key is absent, which is something else than that there is none.
    #[serde(default, deserialize_with = "told", skip_serializing_if = "Option::is_none")]
    pub default_branch: Option<Option<String>>,
    #[serde(default)]
    pub archived: bool,
    #[serde(default)]
    pub empty_repo: bool,
    pub repository_access_level: Option<String>,
    pub import_status: Option<String>,
    pub last_activity_at: Option<String>,
    pub created_at: Option<String>,
    pub marked_for_deletion_on: Option<String>,
    /// What it was forked from, of which nothing matters but that it is there.
    pub forked_from_project: Option<Fork>,
    #[serde(default)]
    pub shared_with_groups: Vec<Share>,
}

/// Where a project is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Namespace {
    pub id: u64,
    #[serde(default)]
    pub full_path: String,
}

/// Something that a project was made of.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Fork {}

/// Somebody in a group or project.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Member {
    pub id: u64,
    pub username: String,
    pub name: Option<String>,
    pub state: Option<String>,
    /// Whether the membership is one already.
    pub membership_state: Option<String>,
    pub access_level: i64,
    pub expires_at: Option<String>,
    pub member_role: Option<MemberRole>,
}

/// A role that somebody made.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct MemberRole {
    /// Whether it lets read code, whatever the level that it is based on.
    #[serde(default)]
    pub read_code: bool,
}

/// A person, asked for by number. Only administrators are told who is external.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct User {
    pub id: u64,
    pub external: Option<bool>,
}

/// `GET /personal_access_tokens/self`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Token {
    pub name: Option<String>,
    #[serde(default)]
    pub scopes: Vec<String>,
    pub active: Option<bool>,
    #[serde(default)]
    pub revoked: bool,
    /// A day.
    pub expires_at: Option<String>,
    pub user_id: Option<u64>,
}

/// A value that is there, be it null.
fn told<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(from).map(Some)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::Project;

    #[test]
    fn a_branch_that_is_not_told_is_something_else_than_none() {
        let project = |branch: &str| {
            let text = format!(r#"{{"id":1,"path_with_namespace":"a/b","namespace":{{"id":2}}{branch}}}"#);
            let read: Project = serde_json::from_str(&text).unwrap();
            let again: Project = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
            assert_eq!(read.default_branch, again.default_branch);
            read.default_branch
        };
        assert_eq!(project(""), None);
        assert_eq!(project(r#","default_branch":null"#), Some(None));
        assert_eq!(project(r#","default_branch":"main""#), Some(Some("main".to_owned())));
    }
}
