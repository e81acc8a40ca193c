//! The groups of a workspace, which only the old version of the API tells, and only to administrators. They are shown as teams
//! and decide nothing: who reads what is told by permissions, in which groups are counted already.

use std::collections::{BTreeMap, BTreeSet};

use super::api::{Api, Ask, part};
use super::people::People;
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
pub(super) async fn read(reader: &Reader<'_>, workspace: &Workspace) -> Result<Vec<Group>, HubError> {
    let what = format!("list the groups of {}", workspace.slug);
    let path = path(&workspace.slug);
    match reader.list(&path, reader.touched.teams(), &what).await {
        Err(error @ HubError::RateLimited { .. }) => Err(error),
        // Atlassian has announced its end, and has told neither the day nor which tokens it knows until then: whatever it says
        // ends no run, in which nothing else depends on it.
        Err(_) => Ok(untold(reader, workspace)),
        told => told,
    }
}

fn untold(reader: &Reader<'_>, workspace: &Workspace) -> Vec<Group> {
    reader.incomplete(&[Kind::Team]);
    reader.notice(format!(
        "{} does not tell this credential the groups of {}: none are added to the teams, and those that are there stay as \
         they are. Who reads what does not depend on them.",
        reader.api.name(),
        workspace.slug
    ));
    Vec::new()
}

/// A group as a team.
pub(super) fn team(group: Group, people: &People) -> RemoteTeam {
    let members = group.members.iter();
    let members = members.filter_map(|one| people.id_of(one.uuid.as_deref(), one.account_id.as_deref()));
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
