//! Who may do what: with a project and so with all of its repositories, with a single repository, and as one of a group.
//!
//! There is no list of members. Whoever has a permission of the project is taken for one, and so is everybody in a group that
//! has one, be it only of a repository. Permissions only ever add up: nothing takes away what something else gives.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{try_join, try_join_all, try_join3};
use oauth2::http::StatusCode;

use super::api::{Api, Ask, of_repository, part};
use super::reading::Reader;
use super::wire::{GroupRight, Permitted, Project, User, UserRight};
use crate::platform::hub::HubError;
use crate::platform::remote::{Kind, RemoteRepository};

/// The permissions of a project, from the highest down.
const OF_PROJECT: [&str; 3] = ["PROJECT_ADMIN", "PROJECT_WRITE", "PROJECT_READ"];
/// Whoever administers the server.
const ADMINISTRATORS: &str = "/users?permission=ADMIN&limit=500";
/// What the names of those begin with who act for tokens of projects and repositories, and have no licence.
const SERVICE: &str = "access-token-user/";
/// Whoever may log in.
const LICENSED: &str = "/users?permission=LICENSED_USER&limit=500";
/// A repository that nobody has, to see whether a question for it is refused.
const NOBODYS: &str = "no-repository-has-this-name-b7e1";

/// Whether a permission lets somebody read, in words of a project and of a repository. Others, such as that to see that the
/// project is there or to make repositories, do not.
fn may_read(permission: &str) -> bool {
    OF_PROJECT.contains(&permission) || matches!(permission, "REPO_ADMIN" | "REPO_WRITE" | "REPO_READ")
}

/// Who may do what with the project.
#[derive(Clone, Debug, Default)]
pub(super) struct OfProject {
    pub users: Vec<UserRight>,
    pub groups: Vec<GroupRight>,
    /// What everybody with a licence may do.
    pub default: Option<&'static str>,
    /// Whether that was told: if not, there may be more who read.
    pub is_told: bool,
}

/// Who may do what with one repository.
#[derive(Clone, Debug, Default)]
pub(super) struct OfRepository {
    pub users: Vec<UserRight>,
    pub groups: Vec<GroupRight>,
}

/// Reads the permissions of the project.
///
/// # Errors
/// [`HubError`].
pub(super) async fn of_project(reader: &Reader<'_>, project: &Project) -> Result<OfProject, HubError> {
    let again = reader.touched.members() || reader.touched.teams();
    let base = format!("/projects/{}/permissions", part(&project.key));
    let what = format!("read the permissions of {}", project.key);
    let (users, groups) = (format!("{base}/users?limit=500"), format!("{base}/groups?limit=500"));
    let (users, groups, default) = try_join3(
        reader.all_that_is_told::<UserRight>(&users, again, &what),
        reader.all_that_is_told::<GroupRight>(&groups, again, &what),
        default(reader, &base, again, &what),
    )
    .await?;
    let (Some(mut users), Some(mut groups), Some(default)) = (users, groups, default) else {
        return Ok(OfProject { is_told: false, ..OfProject::default() });
    };
    users.retain(|one| may_read(&one.permission));
    groups.retain(|one| may_read(&one.permission));
    Ok(OfProject { users, groups, default, is_told: true })
}

/// What everybody may do with the project; None: that is not told.
async fn default(
    reader: &Reader<'_>,
    base: &str,
    again: bool,
    what: &str,
) -> Result<Option<Option<&'static str>>, HubError> {
    let ask = |permission: &'static str| async move {
        let told: Result<Permitted, HubError> = reader.one(&format!("{base}/{permission}/all"), again, what).await;
        told.map(|told| (permission, told.permitted))
    };
    match try_join_all(OF_PROJECT.map(ask)).await {
        Ok(told) => Ok(Some(told.into_iter().find(|(_, permitted)| *permitted).map(|(permission, _)| permission))),
        Err(HubError::Forbidden { .. } | HubError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads the permissions of packages' repositories, by their ids; what is not told is missing. `counts`: whether nothing else
/// tells who reads them.
///
/// # Errors
/// [`HubError`].
pub(super) async fn of_repositories<'a>(
    reader: &Reader<'_>,
    packages: &[&'a RemoteRepository],
    counts: bool,
) -> Result<BTreeMap<&'a str, OfRepository>, HubError> {
    let read = try_join_all(packages.iter().map(|one| of_repository_alone(reader, one))).await?;
    if counts {
        let denied = packages.iter().zip(&read).filter(|(_, told)| !told.is_now).map(|(one, _)| *one);
        let is_known = read.iter().all(|told| told.is_now || told.rights.is_some());
        say_denied(reader, &denied.collect::<Vec<_>>(), is_known);
    }
    let told = packages.iter().zip(read).filter_map(|(one, told)| Some((one.id.as_str(), told.rights?)));
    Ok(told.collect())
}

/// What is known of a repository's permissions.
struct Told {
    /// As they are, or where that is not told, as they were told last.
    rights: Option<OfRepository>,
    is_now: bool,
}

async fn of_repository_alone(reader: &Reader<'_>, repository: &RemoteRepository) -> Result<Told, HubError> {
    let again = reader.touched.readers(&repository.id);
    let base = format!("{}/permissions", of_repository(&repository.path));
    let what = format!("read the permissions of {}", repository.path);
    let (of_users, of_groups) = (format!("{base}/users?limit=500"), format!("{base}/groups?limit=500"));
    let told = try_join(
        reader.all_that_is_told::<UserRight>(&of_users, again, &what),
        reader.all_that_is_told::<GroupRight>(&of_groups, again, &what),
    )
    .await?;
    let is_now = told.0.is_some() && told.1.is_some();
    let told = match told {
        (Some(users), Some(groups)) => Some((users, groups)),
        _ => reader.last_told(&of_users).zip(reader.last_told(&of_groups)),
    };
    let rights = told.map(|(mut users, mut groups): (Vec<UserRight>, Vec<GroupRight>)| {
        users.retain(|one| may_read(&one.permission));
        groups.retain(|one| may_read(&one.permission));
        OfRepository { users, groups }
    });
    Ok(Told { rights, is_now })
}

/// Nobody is to lose access because the credential lost something, be it for one repository: what was told last counts on.
fn say_denied(reader: &Reader<'_>, denied: &[&RemoteRepository], is_known: bool) {
    let Some(which) = reader.untold(denied) else { return };
    if !is_known {
        // Groups are teams by what they were given, and their people are members by that.
        reader.incomplete(&[Kind::Team, Kind::Member]);
    }
    reader.notice(format!(
        "{} does not tell this credential who may read {which}: that is told to whoever administers a repository or its \
         project. Nobody is let in there by anything new, and nobody is removed.",
        reader.api.name()
    ));
}

/// The people of groups, by the groups' names. Of those that are not told it is said.
///
/// # Errors
/// [`HubError`].
pub(super) async fn people(
    reader: &Reader<'_>,
    groups: &BTreeSet<&str>,
) -> Result<BTreeMap<String, Vec<User>>, HubError> {
    let read = try_join_all(groups.iter().map(|name| of_group(reader, name))).await?;
    let closed: Vec<&str> =
        groups.iter().zip(&read).filter(|(_, read)| read.is_none()).map(|(name, _)| *name).collect();
    if !closed.is_empty() {
        reader.incomplete(&[Kind::Member, Kind::Team]);
        reader.notice(format!(
            "{} does not tell this credential who is in {}: that is told to accounts with a licence, as the token of a \
             person is. Nobody is let in by a group that is not told, and nobody is removed.",
            reader.api.name(),
            closed.join(", ")
        ));
    }
    Ok(groups.iter().zip(read).filter_map(|(name, read)| Some(((*name).to_owned(), read?))).collect())
}

/// Who is in a group; None where neither way is open. The first is below `admin`, and yet for everybody with a licence.
async fn of_group(reader: &Reader<'_>, name: &str) -> Result<Option<Vec<User>>, HubError> {
    let again = reader.touched.members() || reader.touched.teams();
    let what = format!("list the members of the group {name}");
    let path = format!("/admin/groups/more-members?context={}&limit=500", part(name));
    match reader.all(&path, again, &what).await {
        Err(HubError::Forbidden { .. } | HubError::NotFound(_)) => {}
        found => return found.map(Some),
    }
    match reader.all(&format!("/users?group={}&limit=500", part(name)), again, &what).await {
        // Directories remove groups, and what they were given stays written.
        Err(HubError::NotFound(_)) => Ok(Some(Vec::new())),
        Err(HubError::Forbidden { .. }) => Ok(None),
        found => found.map(Some),
    }
}

/// Everybody with a licence; None where that is not told. Whoever has none is let in nowhere, whatever was given to them or
/// to their groups. A list without the person who asks, who may log in, is another one.
///
/// # Errors
/// [`HubError`].
pub(super) async fn licensed(reader: &Reader<'_>) -> Result<Option<Vec<User>>, HubError> {
    let (again, what) = (reader.touched.members(), "list everybody who has a licence");
    let listed: Option<Vec<User>> = reader.all_that_is_told(LICENSED, again, what).await?;
    let caller = reader.api.caller().unwrap_or_default().to_lowercase();
    let is_it = |all: &Vec<User>| {
        !again || caller.starts_with(SERVICE) || all.iter().any(|one| one.name.to_lowercase() == caller)
    };
    Ok(listed.filter(is_it))
}

/// Everybody with a licence, where that decides who reads. A list of all users is no substitute where it is not told.
pub(super) fn everybody(reader: &Reader<'_>, licensed: Option<&Vec<User>>) -> Vec<User> {
    if let Some(licensed) = licensed {
        return licensed.clone();
    }
    reader.incomplete(&[Kind::Member, Kind::Permission]);
    reader.notice(format!(
        "{} does not tell this credential who has a licence, and so who reads what everybody may: nobody is let in by that, and \
         nobody is removed. The token of a person is told.",
        reader.api.name()
    ));
    Vec::new()
}

/// Who administers the whole server, and so reads everything; nobody where that is not told.
///
/// # Errors
/// [`HubError`].
pub(super) async fn administrators(reader: &Reader<'_>) -> Result<Vec<User>, HubError> {
    let again = reader.touched.members();
    if !again {
        return Ok(reader.kept::<User>(ADMINISTRATORS).unwrap_or_default());
    }
    if !knows_permissions(&reader.api).await? {
        return Ok(Vec::new());
    }
    Ok(reader.all_that_is_told(ADMINISTRATORS, again, "list the administrators").await?.unwrap_or_default())
}

/// Whether users can be asked for by what they may do: a version that does not know the question would name everybody, and
/// one that knows it refuses a permission that there is not.
async fn knows_permissions(api: &Api<'_>) -> Result<bool, HubError> {
    let answer = api.ask(&Ask::get(api.url("/users?permission=NO_SUCH_PERMISSION&limit=1"))).await?;
    Ok(answer.status == StatusCode::BAD_REQUEST)
}

/// Who may read each package by whatever way, where the project's permissions are not told; None where Bitbucket does not
/// tell it so that it can be believed.
///
/// # Errors
/// [`HubError`].
pub(super) async fn effective<'a>(
    reader: &Reader<'_>,
    packages: &[&'a RemoteRepository],
) -> Result<Option<BTreeMap<&'a str, Vec<User>>>, HubError> {
    let Some(first) = packages.first() else { return Ok(Some(BTreeMap::new())) };
    let what = "list who may read a repository";
    // A version that does not know the filter would name everybody, and one that knows it refuses a repository that is none.
    let key = first.path.split('/').next().unwrap_or_default();
    let bogus = reader.api.list::<User>(&filtered(&format!("{key}/{NOBODYS}")), what).await;
    if !matches!(bogus, Err(HubError::Malformed(_) | HubError::NotFound(_))) {
        return Ok(None);
    }
    let ask = |one: &&'a RemoteRepository| {
        let (id, path, again) = (one.id.as_str(), filtered(&one.path), reader.touched.effective(&one.id));
        async move { Ok::<_, HubError>((id, reader.all_that_is_told::<User>(&path, again, what).await?)) }
    };
    let read = try_join_all(packages.iter().map(ask)).await?;
    let caller = reader.api.caller().map(|name| name.to_lowercase());
    let is_believed = |users: &Vec<User>| users.iter().any(|one| Some(one.name.to_lowercase()) == caller);
    let all: Option<BTreeMap<_, _>> = read.into_iter().map(|(id, users)| users.map(|users| (id, users))).collect();
    Ok(all.filter(|all| all.values().all(is_believed)))
}

fn filtered(path: &str) -> String {
    let (key, slug) = path.split_once('/').unwrap_or((path, ""));
    format!(
        "/users?permission=REPO_READ&permission.projectKey={}&permission.repositorySlug={}&limit=500",
        part(key),
        part(slug)
    )
}

/// Whether somebody has a permission of the project, themselves or by a group, as everybody or as an administrator of the
/// server, asked directly.
///
/// # Errors
/// [`HubError`].
pub(super) async fn is_member(api: &Api<'_>, key: &str, login: &str, id: &str) -> Result<bool, HubError> {
    let what = format!("read the permissions of {key}");
    let base = format!("/projects/{}/permissions", part(key));
    let is_same = |user: &User| user.id.to_string() == id && user.active && user.is_person();
    let filter = format!("filter={}&limit=500", part(login));
    let rows: Vec<UserRight> = api.list(&format!("{base}/users?{filter}"), &what).await?;
    if rows.iter().any(|row| is_same(&row.user) && may_read(&row.permission)) {
        return Ok(true);
    }
    for permission in OF_PROJECT {
        let told: Permitted = api.read(&format!("{base}/{permission}/all"), &what).await?;
        if told.permitted {
            let users: Vec<User> = api.list(&format!("/users?{filter}"), "list users").await?;
            return Ok(users.iter().any(is_same));
        }
    }
    let groups: Vec<GroupRight> = api.list(&format!("{base}/groups?limit=500"), &what).await?;
    for group in groups.iter().filter(|one| may_read(&one.permission)) {
        let path = format!("/admin/groups/more-members?context={}&{filter}", part(&group.group.name));
        let users: Vec<User> = api.list(&path, &format!("list the members of {}", group.group.name)).await?;
        if users.iter().any(is_same) {
            return Ok(true);
        }
    }
    if knows_permissions(api).await? {
        let path = format!("{ADMINISTRATORS}&filter={}", part(login));
        match api.list::<User>(&path, "list the administrators").await {
            Ok(users) if users.iter().any(is_same) => return Ok(true),
            Ok(_) | Err(HubError::Forbidden { .. } | HubError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    // A group may have been given a single repository, and its people are members by that.
    Err(HubError::Unsupported(format!("{} does not tell of one person alone whether they are out.", api.name())))
}

/// Whether somebody was given a permission of a repository themselves, asked directly.
///
/// # Errors
/// [`HubError`].
pub(super) async fn is_reader(api: &Api<'_>, path: &str, (login, id): (&str, &str)) -> Result<bool, HubError> {
    let url = format!("{}/permissions/users?filter={}&limit=500", of_repository(path), part(login));
    let rows: Vec<UserRight> = api.list(&url, &format!("read the permissions of {path}")).await?;
    let is_same = |user: &User| user.id.to_string() == id && user.active && user.is_person();
    Ok(rows.iter().any(|row| is_same(&row.user) && may_read(&row.permission)))
}
