//! The groups of a workspace, which only the old version of the API tells, and only to administrators. They are shown as teams
//! and decide nothing: who reads what is told by permissions, in which groups are counted already.

use std::collections::{BTreeMap, BTreeSet};

use super::api::{Api, Ask, part};
use super::identity::subject;
use super::wire::{Group, Workspace};
use super::workspace::Reader;
use crate::platform::hub::HubError;
use crate::platform::remote::{Kind, RemoteTeam};
use crate::platform::rest::Lists;

/// This part of the old version takes the name and no `uuid`.
fn path(slug: &str) -> String {
    format!("/1.0/groups/{}/", part(slug))
}

/// All groups. Where they are not told, teams stay as they are.
///
/// # Errors
/// [`HubError`].
pub(super) async fn read(reader: &Reader<'_>, workspace: &Workspace) -> Result<Vec<RemoteTeam>, HubError> {
    let what = format!("list the groups of {}", workspace.slug);
    let path = path(&workspace.slug);
    let groups: Vec<Group> = match reader.list(&path, reader.touched.teams(), &what).await {
        Ok(groups) => groups,
        Err(error @ HubError::RateLimited { .. }) => return Err(error),
        // Atlassian has announced its end, and has told neither the day nor which tokens it knows until then: whatever it says
        // ends no run, in which nothing else depends on it.
        Err(_) => return Ok(untold(reader, workspace)),
    };
    Ok(groups.into_iter().map(team).collect())
}

fn untold(reader: &Reader<'_>, workspace: &Workspace) -> Vec<RemoteTeam> {
    reader.incomplete(&[Kind::Team]);
    reader.notice(format!(
        "{} does not tell this credential the groups of {}: none are added to the teams, and those that are there stay as \
         they are. Who reads what does not depend on them.",
        reader.api.name(),
        workspace.slug
    ));
    Vec::new()
}

fn team(group: Group) -> RemoteTeam {
    let members = group.members.iter().filter_map(|one| subject(one.uuid.as_deref()?));
    RemoteTeam {
        id: group.slug.clone(),
        slug: group.slug,
        parent: None,
        inherits: true,
        members: members.map(|id| (id, None)).collect::<BTreeMap<_, _>>(),
        // What a group may read stands with each of its people already.
        repositories: BTreeSet::new(),
    }
}

/// Whether they are told.
///
/// # Errors
/// [`HubError`].
pub(super) async fn probe(api: &Api<'_>, slug: &str) -> Result<bool, HubError> {
    match api.ask(&Ask::get(api.url(&path(slug)))).await {
        Ok(answer) => Ok(answer.status.is_success()),
        Err(error @ HubError::RateLimited { .. }) => Err(error),
        Err(_) => Ok(false),
    }
}
