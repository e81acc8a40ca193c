//! The projects of a group and its subgroups, what can be done with them, and which of them have a composer.json.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::try_join_all;
use oauth2::http::{Method, StatusCode};

use super::api::Ask;
use super::group::{Reader, Tree, undeleted};
use super::refusal;
use super::wire::Project;
use crate::clock::Timestamp;
use crate::platform::app::below;
use crate::platform::hub::HubError;
use crate::platform::remote::{Kind, RemoteRepository, RepositoryState, Visibility};
use crate::platform::rest::Lists;

/// For how long after an activity GitLab does not write down the next one (an hour), with some room for clocks that differ.
const LAZY: Duration = Duration::from_secs(65 * 60);

/// All of them that the credential sees, and that are the group's own.
///
/// # Errors
/// [`HubError`].
pub(super) async fn list(reader: &Reader<'_>, tree: &Tree) -> Result<Vec<Project>, HubError> {
    let path = format!(
        "/groups/{}/projects?include_subgroups=true&with_shared=false&order_by=id&sort=asc&per_page=100",
        tree.root
    );
    let what = format!("list the projects of {}", tree.root().full_path);
    let listed: Vec<Project> = reader.list(&path, reader.touched.repositories(), &what).await?;
    // Pages shift while something is removed.
    let projects: BTreeMap<u64, Project> = listed.into_iter().map(|project| (project.id, project)).collect();
    let stray = projects.values().find(|project| !tree.groups.contains_key(&project.namespace.id));
    if let Some(stray) = stray {
        reader.notice(format!(
            "{} lists {} but not the group that it is in: who reads it by that group is not known, and nothing is taken from \
             teams.",
            reader.api.name(),
            stray.path_with_namespace
        ));
        reader.incomplete(&[Kind::Team, Kind::Member]);
    }
    Ok(projects.into_values().collect())
}

/// What they are, and which have a composer.json.
///
/// # Errors
/// [`HubError`].
pub(super) async fn read(
    reader: &Reader<'_>,
    tree: &Tree,
    projects: &[Project],
) -> Result<Vec<RemoteRepository>, HubError> {
    let closed: Vec<&str> = projects
        .iter()
        .filter(|one| one.default_branch.is_none() && state(one, tree.is_ending(one.namespace.id)).is_readable())
        .map(|one| one.path_with_namespace.as_str())
        .collect();
    say_closed(reader, &closed);
    let mut all = try_join_all(projects.iter().map(|one| remote(reader, tree, one))).await?;
    all.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(all)
}

fn say_closed(reader: &Reader<'_>, closed: &[&str]) {
    let Some(first) = closed.first() else { return };
    let others = match closed.len() - 1 {
        0 => String::new(),
        1 => " and of one other project".to_owned(),
        more => format!(" and of {more} other projects"),
    };
    reader.notice(format!(
        "{} shows the token nothing of the code of {first}{others}: whoever it belongs to is a guest there, and has to be at \
         least a reporter.",
        reader.api.name()
    ));
}

impl RepositoryState {
    /// Whether there is code that can be read.
    fn is_readable(self) -> bool {
        matches!(self, Self::Active | Self::Archived)
    }
}

/// What can be done with a project. `is_ending`: its group is about to be deleted.
fn state(one: &Project, is_ending: bool) -> RepositoryState {
    let is_marked = one.marked_for_deletion_on.is_some() || undeleted(&one.path_with_namespace).1;
    if is_marked || is_ending {
        return RepositoryState::Deleting;
    }
    if one.repository_access_level.as_deref() == Some("disabled") {
        return RepositoryState::Off;
    }
    match one.import_status.as_deref() {
        Some("scheduled" | "started") => return RepositoryState::Importing,
        Some("failed") => return RepositoryState::ImportFailed,
        _ => {}
    }
    match one.archived {
        _ if one.empty_repo || one.default_branch == Some(None) => RepositoryState::Empty,
        true => RepositoryState::Archived,
        false => RepositoryState::Active,
    }
}

/// To whom GitLab shows a project.
pub(super) fn visibility(one: &Project) -> Visibility {
    match one.visibility.as_deref() {
        Some("public") => Visibility::Public,
        Some("internal") => Visibility::Internal,
        _ => Visibility::Private,
    }
}

async fn remote(reader: &Reader<'_>, tree: &Tree, one: &Project) -> Result<RemoteRepository, HubError> {
    let state = state(one, tree.is_ending(one.namespace.id));
    let manifest = match known(reader, one) {
        Some(exists) => Some(exists),
        None if state.is_readable() && one.default_branch.is_some() => manifest(reader, one).await?,
        None => before(reader, one),
    };
    // An activity that was not written down would look like the one before it.
    let is_settled = manifest != Some(false) || !is_recent(one.last_activity_at.as_deref(), reader.api.hub.now());
    let (path, _) = undeleted(&one.path_with_namespace);
    // What GitLab itself gives as address may be that of another host than it is reached by.
    let page = below(&reader.api.hub.site().url, &format!("/{path}"));
    Ok(RemoteRepository {
        id: one.id.to_string(),
        clone_url: format!("{page}.git"),
        web_url: Some(page.to_string()),
        path,
        default_branch: one.default_branch.clone().flatten(),
        pushed_at: one.last_activity_at.clone().filter(|_| is_settled),
        created_at: one.created_at.as_deref().and_then(|text| Timestamp::parse_rfc3339(text).ok()),
        state,
        visibility: visibility(one),
        fork: one.forked_from_project.is_some(),
        manifest,
    })
}

/// What was known of composer.json.
fn before(reader: &Reader<'_>, one: &Project) -> Option<bool> {
    reader.wanted.manifests.get(&one.id.to_string()).map(|(_, _, exists)| *exists)
}

/// The same, if nothing happened since.
fn known(reader: &Reader<'_>, one: &Project) -> Option<bool> {
    let id = one.id.to_string();
    let (activity, branch, exists) = reader.wanted.manifests.get(&id)?;
    let is_same =
        activity.is_some() && *activity == one.last_activity_at && *branch == one.default_branch.clone().flatten();
    (is_same && !reader.touched.manifest(&id)).then_some(*exists)
}

async fn manifest(reader: &Reader<'_>, one: &Project) -> Result<Option<bool>, HubError> {
    let api = &reader.api;
    let file = format!("/projects/{}/repository/files/composer%2Ejson", one.id);
    let head = Ask { method: Method::HEAD, ..Ask::get(api.url(&format!("{file}?ref=HEAD"))) };
    let mut answer = api.ask(&head).await?;
    if matches!(
        answer.status,
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED | StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN
    ) {
        // Something in between lets no HEAD pass.
        answer = api.ask(&Ask::get(api.url(&format!("{file}/raw?ref=HEAD")))).await?;
    }
    match answer.status {
        status if status.is_success() => Ok(Some(true)),
        StatusCode::NOT_FOUND => Ok(Some(false)),
        _ => {
            let what = format!("read the code of {}", one.path_with_namespace);
            let error = refusal::of(api.name(), &answer, &what);
            if matches!(error, HubError::Unauthorized(_)) {
                return Err(error);
            }
            reader.notice(format!(
                "Whether {} has a composer.json could not be found out: {error}",
                one.path_with_namespace
            ));
            Ok(before(reader, one))
        }
    }
}

fn is_recent(activity: Option<&str>, now: Timestamp) -> bool {
    let activity = activity.and_then(|text| Timestamp::parse_rfc3339(text).ok());
    activity.is_some_and(|activity| activity + LAZY > now)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use serde_json::{Value, json};

    use super::{RepositoryState, state};

    fn project(more: &Value) -> super::Project {
        let mut value = json!({
            "id": 74, "path_with_namespace": "acme/lib", "namespace": { "id": 1 }, "default_branch": "main",
        });
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn each_state_is_told_apart() {
        for (more, expected) in [
            (json!({}), RepositoryState::Active),
            (json!({ "archived": true }), RepositoryState::Archived),
            (json!({ "archived": true, "marked_for_deletion_on": "2026-11-30" }), RepositoryState::Deleting),
            (json!({ "path_with_namespace": "acme/lib-deletion_scheduled-74" }), RepositoryState::Deleting),
            (json!({ "repository_access_level": "disabled" }), RepositoryState::Off),
            (json!({ "import_status": "started", "default_branch": null }), RepositoryState::Importing),
            (json!({ "import_status": "failed" }), RepositoryState::ImportFailed),
            (json!({ "default_branch": null }), RepositoryState::Empty),
            (json!({ "empty_repo": true }), RepositoryState::Empty),
        ] {
            assert_eq!(state(&project(&more), false), expected, "{more}");
        }
        assert_eq!(state(&project(&json!({})), true), RepositoryState::Deleting);
    }
}
