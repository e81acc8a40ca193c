//! A group of GitLab with all its subgroups, read into a value.
//!
//! Membership is inherited downwards: whoever is in a group is in all of its subgroups, and reads the projects of all of
//! them; whoever is in a subgroup reads nothing of the groups above. GitLab computes that itself, and its lists are believed
//! as far as the ways show that it tells of: direct members, groups that were let in, and the limits that these have.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{try_join, try_join_all};

use super::api::{Api, part};
use super::wire::{Group, Project};
use super::{credential, people, projects, readers};
use crate::platform::hub::{Hub, HubError, Key};
use crate::platform::remote::{Pages, RemoteOrganization, RemoteTeam, Wanted};
use crate::platform::rest::{self, Parents, above};

/// Somebody who reads a group.
pub(super) type Reader<'a> = rest::Reader<'a, Api<'a>>;

/// A group and everything below it.
pub(super) struct Tree {
    pub root: u64,
    pub groups: BTreeMap<u64, Group>,
    /// Where the groups stand, and stood when they were read before.
    pub parents: Parents,
    pub before: Parents,
}

impl Tree {
    /// A group of the tree, and those of the tree above it.
    pub(super) fn line(&self, id: u64) -> impl Iterator<Item = &Group> {
        above(id, &self.parents).into_iter().filter_map(|id| self.groups.get(&id))
    }

    /// The outermost group.
    pub(super) fn root(&self) -> &Group {
        &self.groups[&self.root]
    }

    /// Whether a group is about to be deleted, or stands in one that is.
    pub(super) fn is_ending(&self, id: u64) -> bool {
        self.line(id).any(|group| group.marked_for_deletion_on.is_some())
    }
}

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
    let reader = Reader::of(Api::new(hub, key), wanted, pages);
    let credential_ends = credential::require(&reader).await?;
    let tree = tree(&reader).await?;
    let (projects, mut people) = try_join(projects::list(&reader, &tree), people::read(&reader, &tree)).await?;
    let repositories = projects::read(&reader, &tree, &projects).await?;
    let packages: BTreeSet<&str> = repositories
        .iter()
        .filter(|one| wanted.packages.contains(&one.id) || one.manifest == Some(true))
        .map(|one| one.id.as_str())
        .collect();
    let packages: Vec<&Project> =
        projects.iter().filter(|one| packages.contains(one.id.to_string().as_str())).collect();
    let readers = readers::read(&reader, &tree, &packages, &mut people).await?;
    if tree.is_ending(tree.root) {
        reader.notice(format!(
            "The group {} is about to be deleted on {}: nothing of it is read any more, and everything stays as it is until \
             it is gone or restored.",
            undeleted(&tree.root().full_path).0,
            reader.api.name()
        ));
    }
    let remarks = reader.remarks();
    Ok(RemoteOrganization {
        id: tree.root.to_string(),
        name: undeleted(&tree.root().full_path).0,
        teams: teams(&reader, &tree, &projects, &people),
        members: people.members(&tree),
        repositories,
        readers,
        notices: remarks.notices,
        incomplete: remarks.incomplete.into_iter().collect(),
        outside: BTreeMap::new(),
        untold: remarks.untold.into_iter().collect(),
        usage: reader.api.line.usage(),
        credential_ends,
    })
}

/// The group, also under a new path: once it is known, it is found by its number, and whoever has its old path is not taken
/// for it.
pub(super) async fn find(api: &Api<'_>, name: &str) -> Result<Group, HubError> {
    api.read(&at(&part(name)), &format!("read the group {name}")).await
}

/// Where a group is asked for by itself.
pub(super) fn at(group: &str) -> String {
    format!("/groups/{group}?with_projects=false")
}

async fn tree(reader: &Reader<'_>) -> Result<Tree, HubError> {
    let again = reader.touched.teams();
    let name = &reader.wanted.name;
    let root = reader.wanted.id.clone().unwrap_or_else(|| part(name));
    let root: Group = reader.one(&at(&root), again, &format!("read the group {name}")).await?;
    let path = format!("/groups/{}/descendant_groups?all_available=true&order_by=id&sort=asc&per_page=100", root.id);
    let before = parents(&reader.kept(&path).unwrap_or_default());
    let listed: Vec<Group> = reader.list(&path, again, &format!("list the subgroups of {}", root.full_path)).await?;
    let now = parents(&listed);
    let alone = listed.iter().map(|group| async {
        // Only asked for by itself a group tells with whom it is shared.
        let again = again || reader.touched.team(group.id, &now, &before);
        reader.one::<Group>(&at(&group.id.to_string()), again, &format!("read the group {}", group.full_path)).await
    });
    let alone = try_join_all(alone).await?;
    let root_id = root.id;
    let groups: BTreeMap<u64, Group> = alone.into_iter().chain([root]).map(|group| (group.id, group)).collect();
    let parents = groups
        .values()
        .filter_map(|group| Some((group.id, group.parent_id?)))
        .filter(|(id, parent)| *id != root_id && groups.contains_key(parent))
        .collect();
    Ok(Tree { root: root_id, groups, parents, before })
}

fn parents(groups: &[Group]) -> Parents {
    groups.iter().filter_map(|group| Some((group.id, group.parent_id?))).collect()
}

/// Every group is a team, which has the people that read in it, and the projects in it and below it.
fn teams(reader: &Reader<'_>, tree: &Tree, projects: &[Project], people: &people::People) -> Vec<RemoteTeam> {
    let mut repositories: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    for project in projects {
        for group in above(project.namespace.id, &tree.parents) {
            repositories.entry(group).or_default().insert(project.id.to_string());
        }
    }
    let team = |group: &Group| RemoteTeam {
        id: group.id.to_string(),
        slug: slug(&group.full_path),
        parent: tree.parents.get(&group.id).map(u64::to_string),
        inherits: false,
        members: people.readers_in(group.id, people::rule(reader.wanted)),
        repositories: repositories.remove(&group.id).unwrap_or_default(),
    };
    tree.groups.values().map(team).collect()
}

fn slug(path: &str) -> String {
    let (path, _) = undeleted(path);
    path.rsplit('/').next().unwrap_or(&path).to_owned()
}

/// A path as it was before something of it was marked for deletion, and whether something is: GitLab renames what it is about
/// to delete, and renames it back when that is taken back.
pub(super) fn undeleted(path: &str) -> (String, bool) {
    const MARK: &str = "-deletion_scheduled-";
    let mut is_marked = false;
    let part = |part: &str| match part.rsplit_once(MARK) {
        Some((name, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            is_marked = true;
            name.to_owned()
        }
        _ => part.to_owned(),
    };
    let parts: Vec<String> = path.split('/').map(part).collect();
    (parts.join("/"), is_marked)
}

#[cfg(test)]
mod tests {
    use super::{slug, undeleted};

    #[test]
    fn what_is_about_to_be_deleted_keeps_its_name() {
        let marked = |path: &str| (path.to_owned(), true);
        assert_eq!(undeleted("acme/lib-deletion_scheduled-74"), marked("acme/lib"));
        assert_eq!(undeleted("acme/sub-deletion_scheduled-7/lib"), marked("acme/sub/lib"));
        assert_eq!(undeleted("acme/lib"), ("acme/lib".to_owned(), false));
        assert!(!undeleted("acme/x-deletion_scheduled-").1 && !undeleted("acme/x-deletion_scheduled-a").1);
        assert_eq!(slug("acme/sub-deletion_scheduled-7"), "sub");
    }
}
