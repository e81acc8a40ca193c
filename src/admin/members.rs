//! An organization's people: who they are, what they are there, and who decides about it.
//!
//! Whoever acts does so with a role's power (`by`): commands and administrators of the instance with an owner's. Admins
//! neither touch owners nor make any, and the last owner who can get in stays one.

use std::collections::HashMap;

use serde_json::json;

use super::people::{self, Named};
use super::{Actor, Error, Result};
use crate::access::role::Role;
use crate::appliance::Appliance;
use crate::catalog::{Crowd, Known, Standing};
use crate::clock::Timestamp;
use crate::store::ids::{OrgId, UserId};
use crate::store::members::{self, Person};
use crate::store::organizations::{self, Organization};
use crate::store::{Tx, policies, team_members, teams, users};

/// One of an organization's people, as lists show them.
#[derive(Clone, Debug)]
pub struct Member {
    /// Who it is.
    pub person: Person,
    /// The name: the person's, or `integration:login` where nobody logged in by the account yet.
    pub name: String,
    /// What the person is called by people.
    pub display_name: Option<String>,
    /// What the person is there; of one who is not active, what would be.
    pub role: Role,
    /// Whether that counts.
    pub status: Status,
    /// The role that an administrator gave.
    pub given: Option<Role>,
    /// What synchronizations found.
    pub found: Vec<FoundAs>,
    /// The paths of the teams that the person is in.
    pub teams: Vec<String>,
    /// Whether the person could log in as the organization wants it.
    pub passes_login_rule: bool,
}

/// Whether what somebody is counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Active,
    /// An administrator has to say yes first, or said no.
    Waiting,
    /// The account is suspended on its platform.
    Suspended,
    /// The person's account here is disabled.
    Disabled,
    /// It ended.
    Ended,
}

impl Status {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Waiting => "waiting",
            Self::Suspended => "suspended",
            Self::Disabled => "disabled",
            Self::Ended => "ended",
        }
    }
}

/// An account as a synchronization found it.
#[derive(Clone, Debug)]
pub struct FoundAs {
    /// The account, as `integration:login`.
    pub account: String,
    /// What it is there.
    pub role: Role,
    /// Whether that counts here.
    pub active: bool,
    /// Whether it is suspended.
    pub suspended: bool,
    /// When that ends.
    pub until: Option<Timestamp>,
}

/// Everybody of whom anything is known in the organization, by name.
///
/// # Errors
/// If the database cannot be read.
pub async fn list(appliance: &Appliance, org: OrgId) -> Result<Vec<Member>> {
    let now = appliance.now();
    appliance
        .database
        .read(move |db| {
            let crowd = Crowd::read(db, org)?;
            let paths: HashMap<_, _> = teams::all(org, db)?.into_iter().map(|team| (team.id, team.path)).collect();
            let mut of_teams: HashMap<Person, Vec<String>> = HashMap::new();
            for member in team_members::all(org, db, None)? {
                of_teams.entry(member.person).or_default().extend(paths.get(&member.team).cloned());
            }
            let users: HashMap<_, _> = users::all(db)?.into_iter().map(|user| (user.id, user)).collect();
            let mut list: Vec<Member> = crowd
                .people()
                .map(|(person, standing)| {
                    let mut member = member(person, &standing, now);
                    if let Person::User(id) = person
                        && let Some(user) = users.get(&id)
                    {
                        member.name.clone_from(&user.name);
                        member.display_name.clone_from(&user.display_name);
                    }
                    let mut teams = of_teams.remove(&person).unwrap_or_default();
                    teams.sort();
                    teams.dedup();
                    Member { teams, ..member }
                })
                .collect();
            list.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(list)
        })
        .await
}

fn member(person: Person, standing: &Standing<'_>, now: Timestamp) -> Member {
    let facts = standing.facts();
    let account = |one: &crate::access::facts::Account| format!("{}:{}", one.integration, one.login);
    let found: Vec<FoundAs> = facts
        .accounts
        .iter()
        .flat_map(|one| one.found.iter().map(move |found| (one, found)))
        .map(|(one, found)| FoundAs {
            account: account(one),
            role: found.role,
            active: found.active,
            suspended: one.suspended,
            until: found.until,
        })
        .collect();
    let access = standing.access(now);
    let status = if facts.disabled {
        Status::Disabled
    } else if !access.is_none() {
        Status::Active
    } else if found.iter().any(|one| !one.active && !one.suspended) {
        Status::Waiting
    } else if facts.accounts.iter().any(|one| one.suspended) {
        Status::Suspended
    } else {
        Status::Ended
    };
    let known = found.iter().map(|one| one.role).chain(facts.given).max();
    Member {
        person,
        name: facts.accounts.first().map(account).unwrap_or_default(),
        display_name: None,
        role: access.role.or(known.filter(|_| status != Status::Active)).unwrap_or(Role::Collaborator),
        status,
        given: facts.given,
        found,
        teams: Vec::new(),
        passes_login_rule: standing.passes_login_rule(),
    }
}

/// Makes somebody a member.
///
/// # Errors
/// If there is no such person, or they are a member already, or `by` may not.
pub async fn add(appliance: &Appliance, actor: &Actor, by: Role, org: OrgId, name: &str, role: Role) -> Result<()> {
    let (actor, now, name) = (actor.clone(), appliance.now(), name.to_owned());
    appliance
        .database
        .write(move |tx| {
            let named = people::named(tx, &name)?;
            let user = require_user(&named)?;
            if let Some((_, given)) = members::given(org, tx, Some(user))?.first() {
                let refused = Error::conflict(format!("`{}` is {given} of the organization already", named.name));
                return Err(refused.by_command("`member set-role` changes that"));
            }
            require_power(by, role_of(tx, org, named.person, now)?, Some(role), &named.name)?;
            members::set(org, tx, user, role, now)?;
            actor.record(tx, Some(org), "member.add", &named.name, json!({ "role": role.as_str() }), now)?;
            Ok(())
        })
        .await
}

/// Gives a member another role.
///
/// # Errors
/// If the person is no member, or would lose the last owner's role, or has a higher one from a platform, or `by` may not.
pub async fn set_role(
    appliance: &Appliance,
    actor: &Actor,
    by: Role,
    org: OrgId,
    name: &str,
    role: Role,
) -> Result<()> {
    let (actor, now, name) = (actor.clone(), appliance.now(), name.to_owned());
    appliance
        .database
        .write(move |tx| {
            let named = people::named(tx, &name)?;
            let user = require_user(&named)?;
            let before = role_of(tx, org, named.person, now)?;
            let given = members::given(org, tx, Some(user))?.first().map(|(_, role)| *role);
            if before.is_none() && given.is_none() {
                let refused = Error::not_found(format!("`{}` is no member of the organization", named.name));
                return Err(refused.by_command("`member add` makes one"));
            }
            require_power(by, before.max(given), Some(role), &named.name)?;
            let owners = owners(tx, org, now)?;
            members::set(org, tx, user, role, now)?;
            require_owner(tx, org, now, &owners)?;
            let after = role_of(tx, org, named.person, now)?;
            if let Some(found) = after.filter(|after| *after > role) {
                let refused = Error::conflict(format!(
                    "`{}` is {found} on the platform, and the highest role counts: change it there, or deactivate what was found",
                    named.name
                ));
                return Err(refused.by_command("`member deactivate` does"));
            }
            let detail = json!({ "role": role.as_str(), "before": before.map(Role::as_str) });
            actor.record(tx, Some(org), "member.set-role", &named.name, detail, now)?;
            Ok(())
        })
        .await
}

/// Takes back everything that administrators gave somebody: role, local teams, and grants. Whether the person is still
/// somebody here, because a synchronization found them.
///
/// # Errors
/// If nothing was given, or it is the last owner, or `by` may not.
pub async fn remove(appliance: &Appliance, actor: &Actor, by: Role, org: OrgId, name: &str) -> Result<bool> {
    let (actor, now, name) = (actor.clone(), appliance.now(), name.to_owned());
    appliance
        .database
        .write(move |tx| {
            let named = people::named(tx, &name)?;
            let before = role_of(tx, org, named.person, now)?;
            require_power(by, before, None, &named.name)?;
            let owners = owners(tx, org, now)?;
            let gone = members::remove(org, tx, named.person)?;
            let known = Known::read(tx, org, named.person)?;
            let is_found = known.facts().accounts.iter().any(|account| !account.found.is_empty());
            if gone == 0 && is_found {
                let refused = Error::conflict(format!(
                    "`{}` is here because a synchronization found them: remove them on the platform, or deactivate what was found",
                    named.name
                ));
                return Err(refused.by_command("`member deactivate` does"));
            }
            if gone == 0 {
                let refused = Error::not_found(format!("`{}` is no member of the organization", named.name));
                return Err(refused.by_command("`member list` shows who is"));
            }
            require_owner(tx, org, now, &owners)?;
            let detail = json!({ "before": before.map(Role::as_str), "still_found": is_found });
            actor.record(tx, Some(org), "member.remove", &named.name, detail, now)?;
            Ok(is_found)
        })
        .await
}

/// Says yes to somebody whom synchronizations found, or no.
///
/// # Errors
/// If no synchronization found them, or it is the last owner, or `by` may not.
pub async fn set_active(
    appliance: &Appliance,
    actor: &Actor,
    by: Role,
    org: OrgId,
    name: &str,
    active: bool,
) -> Result<()> {
    let (actor, now, name) = (actor.clone(), appliance.now(), name.to_owned());
    appliance
        .database
        .write(move |tx| {
            let named = people::named(tx, &name)?;
            let known = Known::read(tx, org, named.person)?;
            let found = known.facts().accounts.iter().flat_map(|account| account.found.iter().map(|found| found.role));
            let Some(found) = found.max() else {
                let refused =
                    Error::not_found(format!("no synchronization of the organization found `{}`", named.name));
                return Err(
                    refused.by_command("`member add` and `member remove` are for people that administrators add")
                );
            };
            require_power(by, Some(found), Some(found), &named.name)?;
            let owners = owners(tx, org, now)?;
            members::set_active(org, tx, named.person, active)?;
            require_owner(tx, org, now, &owners)?;
            let action = if active { "member.activate" } else { "member.deactivate" };
            actor.record(tx, Some(org), action, &named.name, json!({ "role": found.as_str() }), now)?;
            Ok(())
        })
        .await
}

/// What somebody is in an organization now, by whatever way.
fn role_of(tx: &Tx<'_>, org: OrgId, person: Person, now: Timestamp) -> Result<Option<Role>> {
    Ok(Known::read(tx, org, person)?.access(now).role)
}

/// Roles are people's: an account by which nobody logged in has what its platform gave it.
fn require_user(named: &Named) -> Result<UserId> {
    match named.person {
        Person::User(user) => Ok(user),
        Person::Account(_) => Err(Error::conflict(format!(
            "nobody logged in as `{}` yet, so that the platform alone says what they are: put the account into a team, or grant it packages",
            named.name
        ))),
    }
}

/// Refuses what `by` has no power to do.
pub(super) fn require_power(by: Role, before: Option<Role>, after: Option<Role>, name: &str) -> Result<()> {
    if by.may_change(before, after) {
        return Ok(());
    }
    Err(Error::conflict(format!(
        "only an owner of the organization may do that: it would change who is an owner, and `{name}` is concerned"
    )))
}

/// The owners who can get in.
pub(super) fn owners(tx: &Tx<'_>, org: OrgId, now: Timestamp) -> Result<Vec<Person>> {
    let rule = policies::of(org, tx)?.login;
    let owners = members::owners(org, tx, now)?;
    let passing = owners.into_iter().filter(|owner| owner.administrator || rule.is_passed_with(owner.integrations()));
    Ok(passing.map(|owner| Person::User(owner.user)).collect())
}

/// The owners who can get in, of every organization in which anything is known of a person: to be asked for before
/// something about the person changes that counts everywhere.
pub(super) fn owners_beside(tx: &Tx<'_>, person: UserId, now: Timestamp) -> Result<Vec<(Organization, Vec<Person>)>> {
    let mut found = Vec::new();
    for org in members::organizations_of(tx, person)? {
        if let Some(organization) = organizations::by_id(org, tx)? {
            found.push((organization, owners(tx, org, now)?));
        }
    }
    Ok(found)
}

/// Refuses to leave one of these organizations without an owner who can get in, if it had one.
pub(super) fn require_owners(tx: &Tx<'_>, now: Timestamp, before: &[(Organization, Vec<Person>)]) -> Result<()> {
    for (organization, owners) in before {
        if !owners.is_empty() && self::owners(tx, organization.id, now)?.is_empty() {
            return Err(Error::conflict(format!(
                "this would leave the organization `{}` without an owner who can get in: make somebody else an owner of it first",
                organization.slug
            )));
        }
    }
    Ok(())
}

/// Refuses to leave an organization without an owner who can get in, if it had one.
pub(super) fn require_owner(tx: &Tx<'_>, org: OrgId, now: Timestamp, before: &[Person]) -> Result<()> {
    if before.is_empty() || !owners(tx, org, now)?.is_empty() {
        return Ok(());
    }
    Err(Error::conflict(
        "this would leave the organization without an owner who can get in: make somebody else an owner first",
    )
    .by_command("`member add NAME --role owner`, or `member set-role NAME owner`"))
}
