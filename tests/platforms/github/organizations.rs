//! The API about organizations: who is in them and with which role.

use serde_json::{Map, Value, json};

use super::answers::{Places, forbidden, list, not_found, parameters};
use super::directory::{Organization, OrganizationRole, Rank, Team};
use super::shapes;
use super::tokens::{Caller, Who};
use super::{Site, User};
use crate::platforms::message::{Asked, Reply};

impl Site {
    /// What stands below `/orgs/{org}`, and what `/organizations/{id}` is.
    pub(super) fn of_organization(&self, asked: &Asked, org: u64, rest: &[&str]) -> Result<Reply, Reply> {
        let caller = self.caller(asked)?;
        let Some(org) = self.directory.orgs.get(&org) else { return Err(not_found()) };
        match rest {
            [] => self.organization(asked, &caller, org),
            ["members"] => self.members(asked, &caller, org),
            ["memberships", login] => self.membership(asked, &caller, org, login),
            ["outside_collaborators"] => self.outside_collaborators(asked, &caller, org),
            ["teams", rest @ ..] => self.of_teams(asked, &caller, org, rest),
            ["repos"] => self.repositories_listed(asked, &caller, org),
            ["organization-roles", rest @ ..] => self.organization_roles(asked, &caller, org, rest),
            ["custom-repository-roles"] => self.custom_roles(asked, &caller, org),
            ["hooks", ..] => Err(not_found()),
            _ => Err(not_found().blamed("there is no such address")),
        }
    }

    /// What somebody is in an organization; an App counts as a member.
    pub(super) fn rank(&self, caller: &Caller, org: &Organization) -> Option<Rank> {
        if caller.resource_owner.is_some_and(|owner| owner != org.id) {
            return None;
        }
        match caller.who {
            Who::User(id) => org.members.get(&id).copied(),
            Who::Installation(_) => Some(Rank::Member),
        }
    }

    /// Whether somebody may do what only owners may.
    pub(super) fn administers(&self, caller: &Caller, org: &Organization, scope: &str, permission: &str) -> bool {
        let is_owner = self.rank(caller, org) == Some(Rank::Owner) || caller.user().is_none();
        is_owner && caller.has_scope(scope) && caller.has_permission(permission, "read")
    }

    /// Lets members in whose token may know of the organization.
    pub(super) fn insider(&self, caller: &Caller, org: &Organization) -> Result<(), Reply> {
        caller.needs("read:org", "members", "read")?;
        self.rank(caller, org).map(|_| ()).ok_or_else(|| forbidden("You must be a member of the organization."))
    }

    fn people(&self, ids: impl Iterator<Item = u64>) -> Vec<&User> {
        ids.filter_map(|id| self.users.get(&id)).collect()
    }

    fn organization(&self, asked: &Asked, caller: &Caller, org: &Organization) -> Result<Reply, Reply> {
        parameters(asked, &[])?;
        let at = self.places(asked);
        let mut shown = shapes::organization(&at, org);
        let more = json!({
            "name": org.login, "type": "Organization", "html_url": format!("{}/{}", at.web, org.login),
            "has_organization_projects": true, "has_repository_projects": true, "public_repos": 0, "public_gists": 0,
            "followers": 0, "following": 0, "created_at": "2020-01-01T00:00:00Z", "updated_at": "2020-01-01T00:00:00Z",
            "archived_at": null,
        });
        let Value::Object(more) = more else { unreachable!("it is an object") };
        shown.extend(more);
        if self.administers(caller, org, "admin:org", "organization_administration") {
            shown.insert("default_repository_permission".to_owned(), org.base.role().into());
            shown.insert("two_factor_requirement_enabled".to_owned(), false.into());
        }
        Ok(Reply::json(200, &shown.into()))
    }

    fn members(&self, asked: &Asked, caller: &Caller, org: &Organization) -> Result<Reply, Reply> {
        let known: [(&str, &[&str]); 2] =
            [("role", &["all", "admin", "member"]), ("filter", &["all", "2fa_disabled", "2fa_insecure"])];
        let (given, page) = list(asked, &known)?;
        let at = self.places(asked);
        // To whoever is not one of them, only members who want to be seen are shown: none here.
        let is_inside = caller.has_scope("read:org") && self.rank(caller, org).is_some();
        if !caller.has_permission("members", "read") {
            caller.needs("read:org", "members", "read")?;
        }
        let role = given.get("role").copied().unwrap_or("all");
        let wanted = |rank: &Rank| match role {
            "admin" => *rank == Rank::Owner,
            "member" => *rank == Rank::Member,
            _ => *rank != Rank::Billing,
        };
        let ids = org.members.iter().filter(|(_, rank)| is_inside && wanted(rank)).map(|(id, _)| *id);
        Ok(self.page(asked, page, &self.people(ids), None, |person| shapes::user(&at, person).into()))
    }

    fn membership(&self, asked: &Asked, caller: &Caller, org: &Organization, login: &str) -> Result<Reply, Reply> {
        parameters(asked, &[])?;
        self.insider(caller, org)?;
        let person = self.user_named(login).ok_or_else(not_found)?;
        let is_active = org.members.contains_key(&person.id);
        let rank = org.members.get(&person.id).or_else(|| org.invited.get(&person.id)).ok_or_else(not_found)?;
        Ok(Reply::json(200, &self.membership_shown(&self.places(asked), org, person, *rank, is_active)))
    }

    /// A membership.
    pub(super) fn membership_shown(
        &self,
        at: &Places,
        org: &Organization,
        person: &User,
        rank: Rank,
        is_active: bool,
    ) -> Value {
        let role = match rank {
            Rank::Owner => "admin",
            Rank::Member => "member",
            Rank::Billing => "billing_manager",
        };
        let url = format!("{}/orgs/{}", at.api, org.login);
        json!({
            "url": format!("{url}/memberships/{}", person.login), "organization_url": url, "role": role,
            "state": if is_active { "active" } else { "pending" }, "user": shapes::user(at, person),
            "organization": shapes::organization(at, org),
        })
    }

    /// `GET /user/memberships/orgs`.
    pub(super) fn own_memberships(&self, asked: &Asked) -> Result<Reply, Reply> {
        let caller = self.caller(asked)?;
        let (given, page) = list(asked, &[("state", &["active", "pending"])])?;
        caller.needs("read:org", "members", "read")?;
        let Some(person) = caller.user().and_then(|id| self.users.get(&id)) else {
            return Err(forbidden("Resource not accessible by integration"));
        };
        let at = self.places(asked);
        let state = given.get("state").copied();
        let orgs = self.directory.orgs.values();
        let all: Vec<(&Organization, Rank, bool)> = orgs
            .flat_map(|org| {
                let active = org.members.get(&person.id).map(|rank| (org, *rank, true));
                active.into_iter().chain(org.invited.get(&person.id).map(|rank| (org, *rank, false)))
            })
            .filter(|(_, _, is_active)| state.is_none_or(|state| (state == "active") == *is_active))
            .collect();
        let shown = |(org, rank, is_active): &(&Organization, Rank, bool)| {
            self.membership_shown(&at, org, person, *rank, *is_active)
        };
        Ok(self.page(asked, page, &all, None, shown))
    }

    fn outside_collaborators(&self, asked: &Asked, caller: &Caller, org: &Organization) -> Result<Reply, Reply> {
        let (_, page) = list(asked, &[("filter", &["all", "2fa_disabled", "2fa_insecure"])])?;
        self.insider(caller, org)?;
        let at = self.places(asked);
        let people = self.people(self.directory.outsiders(org).into_iter());
        Ok(self.page(asked, page, &people, None, |person| shapes::user(&at, person).into()))
    }

    fn custom_roles(&self, asked: &Asked, caller: &Caller, org: &Organization) -> Result<Reply, Reply> {
        parameters(asked, &[])?;
        if !self.administers(caller, org, "read:org", "organization_custom_roles") {
            return Err(not_found());
        }
        let at = self.places(asked);
        let owner = shapes::account(&at, org.id, &org.login, "Organization");
        let roles = org.custom_roles.iter().map(|(id, name, base)| {
            json!({
                "id": id, "name": name, "description": null, "base_role": base.role(), "permissions": [],
                "organization": owner, "created_at": "2020-01-01T00:00:00Z", "updated_at": "2020-01-01T00:00:00Z",
            })
        });
        let roles: Vec<Value> = roles.collect();
        Ok(Reply::json(200, &json!({"total_count": roles.len(), "custom_roles": roles})))
    }

    fn organization_roles(
        &self,
        asked: &Asked,
        caller: &Caller,
        org: &Organization,
        rest: &[&str],
    ) -> Result<Reply, Reply> {
        // They came with 3.14; older servers know no such address.
        let is_known = self.is_at_least(3, 14);
        let reads = if rest.is_empty() {
            self.administers(caller, org, "admin:org", "organization_custom_org_roles")
        } else {
            self.administers(caller, org, "admin:org", "members")
        };
        if !is_known || !reads {
            return Err(not_found());
        }
        let at = self.places(asked);
        let found = |id: &str| org.roles.iter().find(|role| role.id.to_string() == id).ok_or_else(not_found);
        match rest {
            [] => {
                parameters(asked, &[])?;
                let roles: Vec<Value> = org.roles.iter().map(|role| role_shown(&at, org, role)).collect();
                Ok(Reply::json(200, &json!({"total_count": roles.len(), "roles": roles})))
            }
            [id, "users"] => {
                let (_, page) = list(asked, &[])?;
                let role = found(id)?;
                let by_team = role.teams.iter().flat_map(|team| self.directory.members(*team).into_keys());
                let all = role.users.iter().copied().chain(by_team).collect::<std::collections::BTreeSet<_>>();
                let all: Vec<u64> = all.into_iter().collect();
                let shown = |id: &u64| {
                    let mut shown: Map<String, Value> = shapes::user(&at, &self.users[id]);
                    let assignment = if role.users.contains(id) { "direct" } else { "indirect" };
                    shown.insert("assignment".to_owned(), assignment.into());
                    shown.into()
                };
                Ok(self.page(asked, page, &all, None, shown))
            }
            [id, "teams"] => {
                let (_, page) = list(asked, &[])?;
                let teams: Vec<&Team> =
                    found(id)?.teams.iter().filter_map(|team| self.directory.teams.get(team)).collect();
                Ok(self.page(asked, page, &teams, None, |team| self.team_shown(&at, team)))
            }
            _ => Err(not_found().blamed("there is no such address")),
        }
    }
}

fn role_shown(at: &Places, org: &Organization, role: &OrganizationRole) -> Value {
    json!({
        "id": role.id, "name": role.name, "description": null, "base_role": role.base.map(|base| base.role()),
        "source": "Organization", "permissions": [],
        "organization": shapes::account(at, org.id, &org.login, "Organization"),
        "created_at": "2020-01-01T00:00:00Z", "updated_at": "2020-01-01T00:00:00Z",
    })
}
