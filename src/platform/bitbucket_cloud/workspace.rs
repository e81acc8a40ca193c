//! A workspace of Bitbucket Cloud, read into a value.
//!
//! Who may read a repository is what the lists of effective permissions say, in which groups, projects and what was given to
//! people themselves are counted together; and the owners of the workspace. Groups are shown as teams where they are told,
//! and decide nothing.

use std::collections::BTreeSet;

use futures_util::future::try_join3;

use super::api::{Api, part};
use super::identity::subject;
use super::wire::Workspace;
use super::{groups, people, readers, repositories};
use crate::platform::hub::{Hub, HubError, Key};
use crate::platform::remote::{Pages, RemoteOrganization, Wanted};
use crate::platform::rest;

/// Somebody who reads a workspace.
pub(super) type Reader<'a> = rest::Reader<'a, Api<'a>>;

/// Reads all of it.
///
/// # Errors
/// [`HubError`]: nothing is known then.
pub(super) async fn read(
    hub: &Hub,
    key: &Key,
    wanted: &Wanted,
    pages: &mut Pages,
) -> Result<RemoteOrganization, HubError> {
    let reader = Reader::of(Api::new(hub, key).sparing(wanted.spare), wanted, pages);
    let workspace = find(&reader).await?;
    let id = id_of(&reader.api, &workspace)?;
    let (found, people, groups) = try_join3(
        repositories::read(&reader, &workspace),
        people::read(&reader, &workspace),
        groups::read(&reader, &workspace),
    )
    .await?;
    let teams = groups.into_iter().map(|group| groups::team(group, &people)).collect();
    let repositories::Found { inside: mut repositories, outside } = found;
    let packages: BTreeSet<&str> = repositories
        .iter()
        .filter(|one| wanted.packages.contains(&one.id) || one.manifest == Some(true))
        .map(|one| one.id.as_str())
        .collect();
    let packages: Vec<_> = repositories.iter().filter(|one| packages.contains(one.id.as_str())).collect();
    let readers = readers::read(&reader, &workspace, &packages, &people).await?;
    repositories.sort_by(|a, b| a.path.cmp(&b.path));
    let remarks = reader.remarks();
    Ok(RemoteOrganization {
        id,
        name: workspace.slug,
        repositories,
        teams,
        members: people.members,
        readers,
        notices: remarks.notices,
        incomplete: remarks.incomplete.into_iter().collect(),
        outside,
        untold: remarks.untold.into_iter().collect(),
        usage: reader.api.line.usage(),
        credential_ends: None,
    })
}

/// The workspace, also under a new name: once it is known, it is found by its `uuid`, and whoever has its old name is not taken
/// for it.
async fn find(reader: &Reader<'_>) -> Result<Workspace, HubError> {
    let name = &reader.wanted.name;
    let called = reader.wanted.id.as_deref().unwrap_or(name);
    let path = format!("/workspaces/{}", part(called));
    reader.one(&path, reader.touched.everything(), &format!("read the workspace {name}")).await
}

fn id_of(api: &Api<'_>, workspace: &Workspace) -> Result<String, HubError> {
    subject(&workspace.uuid).ok_or_else(|| api.line.malformed("the workspace's `uuid` is not one"))
}
