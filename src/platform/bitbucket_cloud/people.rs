//! The people of a workspace: members and owners.

use std::collections::BTreeMap;

use super::api::part;
use super::identity::subject;
use super::wire::{Membership, User, Workspace};
use super::workspace::Reader;
use crate::access::facts::GrantKind;
use crate::access::role::Role;
use crate::platform::answer::printable;
use crate::platform::hub::HubError;
use crate::platform::remote::{RemoteAccount, RemoteMember};

/// Longest name that is kept.
const LONGEST_NAME: usize = 200;

/// All members.
///
/// # Errors
/// [`HubError`].
pub(super) async fn read(reader: &Reader<'_>, workspace: &Workspace) -> Result<Vec<RemoteMember>, HubError> {
    let path = format!("/workspaces/{}/permissions?pagelen=100", part(&workspace.uuid));
    let what = format!("list the members of {}", workspace.slug);
    let read = |answer: &_| Ok(reader.api.line.json::<super::wire::Page<Membership>>(answer)?.values);
    let listed: Vec<Membership> = reader.listed(&path, reader.touched.members(), &what, read).await?;
    let mut members: BTreeMap<String, RemoteMember> = BTreeMap::new();
    for one in listed {
        let Some(account) = account(&one.user) else { continue };
        let is_owner = one.permission == "owner";
        if one.permission == "collaborator" {
            // So those were called who are only in some repositories.
            continue;
        }
        let member = RemoteMember {
            role: if is_owner { Role::Owner } else { Role::Member },
            reads: is_owner.then_some(GrantKind::Sync),
            detail: format!("{} of {}", if is_owner { "owner" } else { "member" }, workspace.slug),
            until: None,
            account,
        };
        let known = members.entry(member.account.id.clone()).or_insert_with(|| member.clone());
        if is_owner {
            *known = member;
        }
    }
    Ok(members.into_values().collect())
}

/// An account as it is known here; none for what is no person.
pub(super) fn account(user: &User) -> Option<RemoteAccount> {
    let is_person = user.kind.as_deref().is_none_or(|kind| kind == "user");
    let id = subject(&user.uuid).filter(|_| is_person)?;
    let filled = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
    let login = filled(&user.nickname).or_else(|| filled(&user.username)).or_else(|| filled(&user.display_name));
    let login = login.unwrap_or_else(|| id.clone());
    if login.ends_with("@bots.bitbucket.org") {
        return None;
    }
    Some(RemoteAccount {
        login: printable(&login, LONGEST_NAME),
        display_name: filled(&user.display_name).map(|name| printable(&name, LONGEST_NAME)),
        suspended: user.account_status.as_deref().is_some_and(|status| status != "active"),
        id,
    })
}

#[cfg(test)]
mod tests {
    use super::account;
    use crate::platform::bitbucket_cloud::wire::User;

    fn user(kind: Option<&str>, nickname: Option<&str>, status: Option<&str>) -> User {
        User {
            uuid: "{A6D1F5A0-9e1b-4c2d-8f3a-0b1c2d3e4f50}".to_owned(),
            kind: kind.map(str::to_owned),
            nickname: nickname.map(str::to_owned),
            username: None,
            display_name: Some("Ada".to_owned()),
            account_status: status.map(str::to_owned),
        }
    }

    #[test]
    fn only_people_count() {
        let known = |user: &User| account(user).map(|one| (one.id, one.login, one.suspended));
        let id = "{a6d1f5a0-9e1b-4c2d-8f3a-0b1c2d3e4f50}".to_owned();
        assert_eq!(known(&user(Some("user"), Some("ada"), None)), Some((id.clone(), "ada".to_owned(), false)));
        assert_eq!(known(&user(None, None, Some("inactive"))), Some((id, "Ada".to_owned(), true)));
        assert_eq!(known(&user(Some("team"), Some("ada"), None)), None);
        assert_eq!(known(&user(Some("user"), Some("x1@bots.bitbucket.org"), None)), None);
        assert_eq!(known(&User { uuid: "ada".to_owned(), ..user(None, None, None) }), None);
    }
}
