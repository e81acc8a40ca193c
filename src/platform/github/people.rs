//! The people of an organization: members, owners, and who reads everything by a role or by what every member may.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{try_join, try_join_all, try_join3};
use oauth2::http::StatusCode;

use super::api::{Api, As, Ask, is_partial, part};
use super::reading::Reader;
use super::wire::{Membership, Organization, Person, Role as OrganizationRole, Roles, Team};
use super::{hosts, refusal};
use crate::access::facts::GrantKind;
use crate::access::role::Role;
use crate::platform::answer::printable;
use crate::platform::hub::HubError;
use crate::platform::remote::{RemoteAccount, RemoteMember, RemoteReader};

/// Longest name that is kept.
const LONGEST_NAME: usize = 200;

/// The members, and how well it is known what they read.
#[derive(Clone, Debug)]
pub(super) struct People {
    pub members: Vec<RemoteMember>,
    /// Whether the base permission and the roles were told: if not, there may be more who read.
    pub is_certain: bool,
    /// Whether every member reads everything.
    pub base: bool,
}

/// All members.
///
/// # Errors
/// [`HubError`].
pub(super) async fn read(reader: &Reader<'_>, org: &Organization) -> Result<People, HubError> {
    let again = reader.touched.members();
    let members = |role: &str| format!("/orgs/{}/members?role={role}&per_page=100", part(&org.login));
    let (all, only_members) = (members("admin"), members("member"));
    let what = format!("list the members of {}", org.login);
    let (owners, others, roles) = try_join3(
        reader.list::<Person>(&all, again, &what),
        reader.list::<Person>(&only_members, again, &what),
        roles(reader, &org.login),
    )
    .await?;
    let base = base(reader, org);
    let mut members: BTreeMap<u64, RemoteMember> = BTreeMap::new();
    for person in &others {
        let detail = format!("member of {}", org.login);
        let (reads, detail) = match (roles.as_ref().and_then(|roles| roles.get(&person.id)), base) {
            (Some(role), _) => (Some(GrantKind::Sync), format!("role {role} in {}", org.login)),
            (None, Some(true)) => (Some(GrantKind::Base), format!("base permission of {}", org.login)),
            (None, _) => (None, detail),
        };
        members.insert(person.id, member(person, Role::Member, reads, detail));
    }
    for person in &owners {
        let detail = format!("owner of {}", org.login);
        members.insert(person.id, member(person, Role::Owner, Some(GrantKind::Sync), detail));
    }
    Ok(People {
        members: members.into_values().collect(),
        is_certain: base.is_some() && roles.is_some(),
        base: base == Some(true),
    })
}

fn member(person: &Person, role: Role, reads: Option<GrantKind>, detail: String) -> RemoteMember {
    RemoteMember { account: account(person), role, reads, detail, until: None }
}

/// A person of a list.
pub(super) fn account(person: &Person) -> RemoteAccount {
    RemoteAccount {
        id: person.id.to_string(),
        login: printable(&person.login, LONGEST_NAME),
        display_name: person.name.as_deref().map(|name| printable(name, LONGEST_NAME)).filter(|name| !name.is_empty()),
        suspended: person.suspended_at.is_some(),
    }
}

/// Whether every member reads everything; None: GitHub does not tell us.
fn base(reader: &Reader<'_>, org: &Organization) -> Option<bool> {
    match org.default_repository_permission.as_deref() {
        Some("none") => Some(false),
        Some("read" | "write" | "admin") => Some(true),
        _ => {
            reader.notice(format!(
                "{} does not tell this credential the base permission of {}, which is taken for \"none\": who reads by it \
                 is looked for at each package's repository. It is told to a token of an owner with the scope `admin:org`, \
                 and to a GitHub App with the permission Organization → Administration: read.",
                reader.api.name(),
                org.login
            ));
            None
        }
    }
}

/// Who reads everything by a role in the organization, and its name; None: GitHub does not tell us.
async fn roles(reader: &Reader<'_>, org: &str) -> Result<Option<BTreeMap<u64, String>>, HubError> {
    let again = reader.touched.members() || reader.touched.teams();
    let path = format!("/orgs/{}/organization-roles", part(org));
    let read = |answer: &_| Ok(reader.api.json::<Roles>(answer)?.roles);
    let what = format!("list the roles in {org}");
    let roles: Vec<OrganizationRole> = match reader.listed(&path, again, &what, read).await {
        Ok(roles) => roles,
        Err(HubError::Forbidden { .. } | HubError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let reads = roles.into_iter().filter(|role| role.base_role.as_deref().is_some_and(|base| base != "none"));
    let holders = try_join_all(reads.map(|role| holders(reader, org, role, again))).await;
    match holders {
        Ok(holders) => Ok(Some(holders.into_iter().flatten().collect())),
        Err(HubError::Forbidden { .. } | HubError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Who has a role: themselves, or by a team.
async fn holders(
    reader: &Reader<'_>,
    org: &str,
    role: OrganizationRole,
    again: bool,
) -> Result<Vec<(u64, String)>, HubError> {
    let path = format!("/orgs/{}/organization-roles/{}", part(org), role.id);
    let (people, teams) = (format!("{path}/users?per_page=100"), format!("{path}/teams?per_page=100"));
    let what = format!("list who has the role {} in {org}", role.name);
    let (people, teams) =
        try_join(reader.list::<Person>(&people, again, &what), reader.list::<Team>(&teams, again, &what)).await?;
    let of_team = |team: Team| {
        let path = format!("/orgs/{}/teams/{}/members?per_page=100", part(org), part(&team.slug));
        let what = what.clone();
        async move { reader.list::<Person>(&path, again, &what).await }
    };
    let by_team = try_join_all(teams.into_iter().map(of_team)).await?;
    let name = format!("\"{}\"", printable(&role.name, LONGEST_NAME));
    Ok(people.into_iter().chain(by_team.into_iter().flatten()).map(|person| (person.id, name.clone())).collect())
}

/// Accounts that an Enterprise Server has locked, and names that it told with that.
#[derive(Debug, Default)]
pub(super) struct Suspended {
    locked: BTreeSet<String>,
    names: BTreeMap<String, String>,
}

impl Suspended {
    /// Marks them.
    pub(super) fn mark(&self, people: &mut People, readers: &mut [RemoteReader]) {
        let members = people.members.iter_mut().map(|one| &mut one.account);
        for account in members.chain(readers.iter_mut().map(|one| &mut one.account)) {
            account.suspended |= self.locked.contains(&account.id);
            if account.display_name.is_none() {
                account.display_name = self.names.get(&account.id).cloned();
            }
        }
    }
}

/// Which members are locked. Only an Enterprise Server locks accounts and leaves them in lists, and it tells so of each
/// alone; these requests are the last to change and cost little.
///
/// # Errors
/// [`HubError`].
pub(super) async fn suspended(reader: &Reader<'_>, people: &People) -> Result<Suspended, HubError> {
    let mut found = Suspended::default();
    if hosts::is_cloud(&reader.api.hub.site().url) {
        return Ok(found);
    }
    let logins = people.members.iter().map(|one| one.account.login.as_str());
    let profiles = try_join_all(logins.map(|login| profile(reader, login))).await?;
    for person in profiles.into_iter().flatten() {
        if person.suspended_at.is_some() {
            found.locked.insert(person.id.to_string());
        }
        if let Some(name) = account(&person).display_name {
            found.names.insert(person.id.to_string(), name);
        }
    }
    Ok(found)
}

async fn profile(reader: &Reader<'_>, login: &str) -> Result<Option<Person>, HubError> {
    let path = format!("/users/{}", part(login));
    let again = reader.touched.members();
    match reader.one(&path, again, &format!("read the profile of {login}")).await {
        Ok(found) => Ok(Some(found)),
        Err(HubError::NotFound(_) | HubError::Forbidden { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What an account is called now. Logins change, and what counts is the account; an Enterprise Server before 3.14 does not
/// tell by the id.
///
/// # Errors
/// [`HubError`].
pub(super) async fn current_login(api: &Api<'_>, login: &str, id: Option<u64>) -> Result<String, HubError> {
    let Some(id) = id else { return Ok(login.to_owned()) };
    match api.read::<Person>(&format!("/user/{id}"), "read an account").await {
        Ok(person) => Ok(person.login),
        Err(HubError::NotFound(_) | HubError::Forbidden { .. }) => Ok(login.to_owned()),
        Err(error) => Err(error),
    }
}

/// Whether an account is a member, asked directly.
///
/// # Errors
/// [`HubError`].
pub(super) async fn is_member(api: &Api<'_>, org: &str, login: &str, id: &str) -> Result<bool, HubError> {
    let number: Option<u64> = id.parse().ok();
    let current = current_login(api, login, number).await?;
    let what = format!("read the membership of {current} in {org}");
    let ask = Ask::get(api.url(&format!("/orgs/{}/memberships/{}", part(org), part(&current))));
    let answer = api.ask(&ask).await?;
    if is_partial(&answer) {
        let text = format!("{} shows only a part before the organization's single sign-on.", api.name());
        return Err(HubError::Forbidden { text, missing: Vec::new() });
    }
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(false);
    }
    if !answer.status.is_success() {
        return Err(refusal::of(api.hub.site(), api.key, As::Key, &answer, &what));
    }
    let membership: Membership = api.json(&answer)?;
    let is_same = membership.user.is_none_or(|user| Some(user.id) == number);
    Ok(is_same && membership.state == "active" && membership.role.as_deref() != Some("billing_manager"))
}
