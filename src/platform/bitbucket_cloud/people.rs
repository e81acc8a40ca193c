//! The people of a workspace: members and owners.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::api::{Api, part};
use super::identity::subject;
use super::wire::{Membership, User, Workspace};
use super::workspace::Reader;
use crate::access::facts::GrantKind;
use crate::access::role::Role;
use crate::platform::answer::printable;
use crate::platform::hub::HubError;
use crate::platform::remote::{RemoteAccount, RemoteMember};

/// Addresses that are asked about at once; Bitbucket takes no more than 90.
const ADDRESSES: usize = 90;
/// Longest name that is kept.
const LONGEST_NAME: usize = 200;

/// The people of a workspace.
#[derive(Default)]
pub(super) struct People {
    /// All members.
    pub members: Vec<RemoteMember>,
    /// Their ids by those that all of Atlassian's products know them by: some answers tell nothing else.
    ids: HashMap<String, String>,
}

impl People {
    /// Somebody's id, by whichever of both is told.
    pub(super) fn id_of(&self, uuid: Option<&str>, account_id: Option<&str>) -> Option<String> {
        match uuid {
            Some(uuid) => subject(uuid),
            None => self.ids.get(account_id?).cloned(),
        }
    }

    /// An account as it is known here; none for what is no person.
    pub(super) fn account(&self, user: &User) -> Option<RemoteAccount> {
        account(user, self.id_of(user.uuid.as_deref(), user.account_id.as_deref())?)
    }
}

/// All members.
///
/// # Errors
/// [`HubError`].
pub(super) async fn read(reader: &Reader<'_>, workspace: &Workspace) -> Result<People, HubError> {
    let path = format!("/workspaces/{}/permissions?pagelen=100", part(&workspace.uuid));
    let what = format!("list the members of {}", workspace.slug);
    let read = |answer: &_| Ok(reader.api.line.json::<super::wire::Page<Membership>>(answer)?.values);
    let listed: Vec<Membership> = reader.listed(&path, reader.touched.members(), &what, read).await?;
    let (mut members, mut ids): (BTreeMap<String, RemoteMember>, _) = (BTreeMap::new(), HashMap::new());
    for one in listed {
        let id = one.user.uuid.as_deref().and_then(subject);
        let Some(account) = id.and_then(|id| account(&one.user, id)) else { continue };
        ids.extend(one.user.account_id.clone().map(|known| (known, account.id.clone())));
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
    Ok(People { members: members.into_values().collect(), ids })
}

/// Which members have these e-mail addresses: each address with the account's id. Bitbucket tells that to administrators of the
/// workspace and to its access tokens, and of addresses that the accounts have confirmed.
///
/// # Errors
/// [`HubError`].
pub(super) async fn by_addresses(
    api: &Api<'_>,
    workspace: &str,
    addresses: &[String],
) -> Result<Vec<(String, String)>, HubError> {
    #[derive(Deserialize)]
    struct Member {
        user: Addressed,
    }
    #[derive(Deserialize)]
    struct Addressed {
        uuid: Option<String>,
        email: Option<String>,
        account_status: Option<String>,
    }
    let mut found = Vec::new();
    // What cannot be quoted is nobody's there.
    let plain: Vec<&String> = addresses.iter().filter(|one| !one.contains(['"', '\\'])).collect();
    for some in plain.chunks(ADDRESSES) {
        let list: Vec<String> = some.iter().map(|one| format!("\"{one}\"")).collect();
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("pagelen", "100")
            .append_pair("fields", "next,values.user.uuid,values.user.account_status,values.user.email")
            .append_pair("q", &format!("user.email IN ({})", list.join(",")))
            .finish();
        let path = format!("/workspaces/{}/members?{query}", part(workspace));
        let members: Vec<Member> = api.list(&path, &format!("read the e-mail addresses of {workspace}")).await?;
        for user in members.into_iter().map(|one| one.user) {
            let is_active = user.account_status.as_deref().is_none_or(|status| status == "active");
            let id = user.uuid.as_deref().and_then(subject).filter(|_| is_active);
            found.extend(user.email.zip(id));
        }
    }
    Ok(found)
}

/// The account of that id; none for what is no person.
fn account(user: &User, id: String) -> Option<RemoteAccount> {
    if user.kind.as_deref().is_some_and(|kind| kind != "user") {
        return None;
    }
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
    use super::People;
    use crate::platform::bitbucket_cloud::wire::User;

    const ID: &str = "{a6d1f5a0-9e1b-4c2d-8f3a-0b1c2d3e4f50}";

    fn user(kind: Option<&str>, nickname: Option<&str>, status: Option<&str>) -> User {
        User {
            uuid: Some(ID.to_uppercase()),
            account_id: Some("557058:a".to_owned()),
            kind: kind.map(str::to_owned),
            nickname: nickname.map(str::to_owned),
            username: None,
            display_name: Some("Ada".to_owned()),
            account_status: status.map(str::to_owned),
        }
    }

    #[test]
    fn only_people_count() {
        let known = |user: &User| People::default().account(user).map(|one| (one.id, one.login, one.suspended));
        let ada = |login: &str, suspended| Some((ID.to_owned(), login.to_owned(), suspended));
        assert_eq!(known(&user(Some("user"), Some("ada"), None)), ada("ada", false));
        assert_eq!(known(&user(None, None, Some("inactive"))), ada("Ada", true));
        assert_eq!(known(&user(Some("team"), Some("ada"), None)), None);
        assert_eq!(known(&user(Some("user"), Some("x1@bots.bitbucket.org"), None)), None);
        assert_eq!(known(&User { uuid: Some("ada".to_owned()), ..user(None, None, None) }), None);
    }

    #[test]
    fn people_are_known_by_the_id_of_all_of_atlassians_products_too() {
        let people = People { members: Vec::new(), ids: [("557058:a".to_owned(), ID.to_owned())].into() };
        let without = User { uuid: None, ..user(None, Some("ada"), None) };
        assert_eq!(people.account(&without).map(|one| one.id).as_deref(), Some(ID));
        assert_eq!(People::default().account(&without), None, "nobody is guessed");
        assert_eq!(people.id_of(None, Some("557058:b")), None);
    }
}
