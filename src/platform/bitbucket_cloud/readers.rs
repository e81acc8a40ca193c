//! Who reads single repositories: the effective permissions, in which groups, projects and what was given to people themselves
//! are counted together. Administrators of the workspace are told all of them in one list; whoever administers only a
//! repository is told that one's.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures_util::future::try_join_all;

use super::api::{Api, part};
use super::identity::subject;
use super::people::People;
use super::wire::{Page, Right, Workspace};
use super::workspace::Reader;
use crate::access::facts::GrantKind;
use crate::platform::answer::printable;
use crate::platform::hub::HubError;
use crate::platform::remote::{RemoteMember, RemoteReader, RemoteRepository, Visibility};

/// What is asked for of each permission.
const FIELDS: &str = "next,values.permission,values.user.uuid,values.user.account_id,values.user.type,values.user.nickname,\
                      values.user.display_name,values.user.account_status,values.repository.uuid";

/// Permissions, by repository.
type Rights = HashMap<String, Vec<Right>>;

/// Everybody who reads single repositories.
///
/// # Errors
/// [`HubError`].
pub(super) async fn read(
    reader: &Reader<'_>,
    workspace: &Workspace,
    packages: &[&RemoteRepository],
    people: &People,
) -> Result<Vec<RemoteReader>, HubError> {
    let mut found = Vec::new();
    if !packages.is_empty() {
        let bulk = everywhere(reader, workspace).await?;
        let one = packages.iter().map(|repository| of(reader, workspace, bulk.as_ref(), repository));
        let all = try_join_all(one).await?;
        let denied = packages.iter().zip(&all).filter(|(_, rights)| rights.is_none()).map(|(one, _)| *one);
        say_denied(reader, &denied.collect::<Vec<_>>());
        let sight = Sight::of(people);
        for (repository, rights) in packages.iter().zip(&all) {
            found.extend(sight.readers(repository, rights.as_deref().unwrap_or_default()));
        }
    }
    if reader.wanted.follow_visibility {
        found.extend(packages.iter().flat_map(|repository| by_visibility(&people.members, repository)));
    }
    Ok(found)
}

/// All permissions of the workspace; None where the credential may not list them.
async fn everywhere(reader: &Reader<'_>, workspace: &Workspace) -> Result<Option<Rights>, HubError> {
    let path = format!("/workspaces/{}/permissions/repositories?pagelen=100&fields={FIELDS}", part(&workspace.uuid));
    let again = reader.touched.everything() || reader.touched.members() || reader.touched.teams();
    let what = format!("list who reads what in {}", workspace.slug);
    let listed = match listed(reader, &path, again, &what).await {
        Ok(listed) => listed,
        Err(HubError::Forbidden { .. } | HubError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut rights = Rights::new();
    for right in listed {
        if let Some(repository) = subject(&right.repository.uuid) {
            rights.entry(repository).or_default().push(right);
        }
    }
    Ok(Some(rights))
}

async fn listed(reader: &Reader<'_>, path: &str, again: bool, what: &str) -> Result<Vec<Right>, HubError> {
    let read = |answer: &_| Ok(reader.api.line.json::<Page<Right>>(answer)?.values);
    reader.listed(path, again, what, read).await
}

/// Who reads one repository; None where the credential may not ask.
///
/// A run that events caused asks only at the repositories that they spoke of, and at those of which the great list did not know
/// yet; what was asked so counts until the great list is read again.
async fn of(
    reader: &Reader<'_>,
    workspace: &Workspace,
    bulk: Option<&Rights>,
    repository: &RemoteRepository,
) -> Result<Option<Vec<Right>>, HubError> {
    let at = part(&workspace.uuid);
    let path =
        format!("/workspaces/{at}/permissions/repositories/{}?pagelen=100&fields={FIELDS}", part(&repository.id));
    let again = reader.touched.readers(&repository.id);
    if let Some(bulk) = bulk {
        let of_bulk = bulk.get(&repository.id);
        let is_new = again || of_bulk.is_none() || reader.kept::<Right>(&path).is_some();
        if reader.touched.everything() || !is_new {
            return Ok(Some(of_bulk.cloned().unwrap_or_default()));
        }
    }
    match listed(reader, &path, again, &format!("list who reads {}", repository.path)).await {
        Ok(rights) => Ok(Some(rights)),
        Err(HubError::Forbidden { .. } | HubError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Nobody is to lose access because the credential lost something, be it for one repository.
fn say_denied(reader: &Reader<'_>, denied: &[&RemoteRepository]) {
    let Some(which) = reader.untold(denied) else { return };
    reader.notice(format!(
        "{} does not tell this credential who reads {which}: it tells that of everything to an administrator of the workspace, \
         and of a repository to whoever administers it. Whoever is no owner of the workspace is not let in there, and nobody is \
         removed.",
        reader.api.name()
    ));
}

/// What is known of people already.
struct Sight<'a> {
    people: &'a People,
    owners: HashSet<&'a str>,
    members: HashSet<&'a str>,
}

impl<'a> Sight<'a> {
    fn of(people: &'a People) -> Self {
        let members = &people.members;
        let owners = members.iter().filter(|one| one.reads.is_some());
        Self {
            people,
            owners: owners.map(|one| one.account.id.as_str()).collect(),
            members: members.iter().map(|one| one.account.id.as_str()).collect(),
        }
    }

    /// Whoever has any permission reads. Whoever is no member was added to the repository, or to its project.
    fn readers(&self, repository: &RemoteRepository, rights: &[Right]) -> Vec<RemoteReader> {
        let mut found: BTreeMap<String, RemoteReader> = BTreeMap::new();
        for right in rights.iter().filter(|right| may_read(&right.permission)) {
            let Some(account) = self.people.account(&right.user) else { continue };
            if self.owners.contains(account.id.as_str()) {
                continue;
            }
            let level = printable(&right.permission, 40);
            let (kind, detail) = match self.members.contains(account.id.as_str()) {
                true => (GrantKind::Sync, format!("Bitbucket lets them in ({level})")),
                false => (GrantKind::Collaborator, format!("collaborator ({level})")),
            };
            let repository = repository.id.clone();
            found.insert(account.id.clone(), RemoteReader { account, repository, kind, detail, until: None });
        }
        found.into_values().collect()
    }
}

/// What is not known is not taken for more than nothing.
fn may_read(permission: &str) -> bool {
    matches!(permission, "admin" | "write" | "read")
}

/// Members read what everybody may see.
fn by_visibility<'a>(
    members: &'a [RemoteMember],
    repository: &'a RemoteRepository,
) -> impl Iterator<Item = RemoteReader> + 'a {
    let is_public = repository.visibility == Visibility::Public;
    let members = members.iter().filter(move |one| is_public && one.reads.is_none());
    members.map(move |member| RemoteReader {
        account: member.account.clone(),
        repository: repository.id.clone(),
        kind: GrantKind::Base,
        detail: "public repository".to_owned(),
        until: None,
    })
}

/// Whether an account may read a repository (path and id), asked directly.
///
/// # Errors
/// [`HubError`] where Bitbucket does not say.
pub(super) async fn asked(api: &Api<'_>, (path, id): (&str, &str), account: &str) -> Result<bool, HubError> {
    let workspace = path.split('/').next().unwrap_or_default();
    let list =
        format!("/workspaces/{}/permissions/repositories/{}?pagelen=100&fields={FIELDS}", part(workspace), part(id));
    let rights: Vec<Right> = api.list(&list, &format!("list who reads {path}")).await?;
    let readers: BTreeSet<String> = rights
        .iter()
        .filter(|right| may_read(&right.permission))
        .filter_map(|right| right.user.uuid.as_deref().and_then(subject))
        .collect();
    Ok(readers.contains(account))
}
