//! The API about workspaces, their people, groups and permissions. What was removed in April 2026 is gone.

use serde_json::{Value, json};

use super::answers::{absent, error, removed};
use super::directory::Level;
use super::repositories::project_shown;
use super::tokens::Caller;
use super::{Site, User};
use crate::platforms::message::{Asked, Reply, strict};

/// What reads people.
const PEOPLE: [&str; 2] = ["read:workspace:bitbucket", "account"];

impl Site {
    /// `/workspaces/…`.
    pub(super) fn workspaces(&mut self, asked: &Asked, caller: &Caller, rest: &[&str]) -> Result<Reply, Reply> {
        let Some((name, rest)) = rest.split_first() else {
            return Err(removed().blamed("it is gone since April 2026"));
        };
        caller.needs(&PEOPLE)?;
        let found = self.directory.workspace(name).filter(|id| self.is_in(caller, *id, false));
        let id = found.ok_or_else(|| absent("Workspace"))?;
        match (asked.method.as_str(), rest) {
            ("GET", []) => {
                strict(&asked.query, &[], &["fields"]).map_err(|why| error(400, &why).blamed(why.clone()))?;
                Ok(Reply::json(200, &self.workspace_shown(id)))
            }
            ("GET", ["members", user]) => self.member(id, user),
            ("GET", ["members"]) => self.addressed(asked, caller, id),
            ("GET", ["permissions"]) => self.page(asked, &["q"], &self.memberships(id)),
            ("GET", ["permissions", "repositories"]) => {
                self.require_admin(caller, id)?;
                caller.needs(&["read:repository:bitbucket", "account", "repository"])?;
                let ids = self.directory.repositories.iter().filter(|(_, one)| one.workspace == id).map(|(id, _)| *id);
                let rows: Vec<Value> = ids.flat_map(|one| self.rights(one)).collect();
                self.page(asked, &["q", "sort"], &rows)
            }
            ("GET", ["permissions", "repositories", repository]) => {
                let one = self.directory.repository(id, repository).ok_or_else(|| absent("Repository"))?;
                if self.level(caller, one) != Some(Level::Admin) {
                    return Err(error(403, "You must be an admin of the repository to view these permissions."));
                }
                self.page(asked, &["q", "sort"], &self.rights(one))
            }
            ("GET", ["projects", key]) => {
                caller.needs(&["read:project:bitbucket", "project"])?;
                let own = self.directory.projects.values().find(|one| one.workspace == id && one.key == *key);
                Ok(Reply::json(200, &project_shown(own.ok_or_else(|| absent("Project"))?)))
            }
            (_, ["hooks", rest @ ..]) => self.hooks_of(asked, caller, super::hooks::Place::Workspace(id), rest),
            _ => Err(absent("Resource").blamed("there is no such address")),
        }
    }

    fn require_admin(&self, caller: &Caller, workspace: u64) -> Result<(), Reply> {
        if self.is_in(caller, workspace, true) && !self.hides_bulk {
            return Ok(());
        }
        Err(error(403, "You must be an admin of the workspace to view all repository permissions."))
    }

    pub(super) fn workspace_shown(&self, id: u64) -> Value {
        let own = &self.directory.workspaces[&id];
        json!({
            "type": "workspace", "uuid": own.uuid, "slug": own.slug, "name": own.slug.to_uppercase(), "is_private": true,
            "links": {"html": {"href": format!("https://bitbucket.org/{}/", own.slug)}},
        })
    }

    fn member(&self, workspace: u64, user: &str) -> Result<Reply, Reply> {
        let own = &self.directory.workspaces[&workspace];
        let found = own.members.keys().find(|id| self.users[id].uuid == user).ok_or_else(|| absent("Member"))?;
        let user = person(&self.users[found]);
        Ok(Reply::json(
            200,
            &json!({"type": "workspace_membership", "user": user, "workspace": self.workspace_shown(workspace)}),
        ))
    }

    /// Members by their e-mail addresses, for those who administer the workspace.
    fn addressed(&self, asked: &Asked, caller: &Caller, id: u64) -> Result<Reply, Reply> {
        self.require_admin(caller, id)?;
        let wrong = |why: &str| error(400, why).blamed(why);
        let query = asked.query.iter().find(|(name, _)| name == "q").map(|(_, text)| text.as_str());
        let list = query.and_then(|text| text.strip_prefix("user.email IN (")?.strip_suffix(')'));
        let list = list.ok_or_else(|| wrong("nobody needs all members with their addresses"))?;
        let wanted: Vec<&str> = list.split(',').map(|one| one.trim_matches('"')).collect();
        if wanted.len() > 90 {
            return Err(wrong("too many addresses"));
        }
        let members = self.directory.workspaces[&id].members.keys().map(|id| &self.users[id]);
        let rows = members.filter_map(|user| {
            let own = user.emails.iter().find(|own| own.primary && own.confirmed)?;
            let mut shown = person(user);
            shown["email"] = own.email.clone().into();
            wanted.iter().any(|one| one.eq_ignore_ascii_case(&own.email)).then(|| json!({"user": shown}))
        });
        self.page(asked, &["q"], &rows.collect::<Vec<_>>())
    }

    fn memberships(&self, workspace: u64) -> Vec<Value> {
        let own = &self.directory.workspaces[&workspace];
        let row = |(id, owner): (&u64, &bool)| {
            let word = if *owner { "owner" } else { "member" };
            json!({"type": "workspace_membership", "permission": word, "user": person(&self.users[id]), "workspace": self.workspace_shown(workspace)})
        };
        own.members.iter().map(row).collect()
    }

    /// The effective permissions of a repository. Owners of the workspace have none of their own.
    fn rights(&self, repository: u64) -> Vec<Value> {
        let one = &self.directory.repositories[&repository];
        let owners = &self.directory.workspaces[&one.workspace].members;
        let people = self.users.iter().filter(|(id, _)| owners.get(*id) != Some(&true));
        people
            .filter_map(|(id, user)| {
                let level = self.directory.effective(*id, repository)?;
                let shown = json!({"type": "repository", "uuid": one.uuid, "full_name": self.directory.full_name(repository)});
                Some(json!({
                    "type": "repository_permission", "permission": level.word(), "user": person(user), "repository": shown,
                }))
            })
            .collect()
    }

    /// `GET /1.0/groups/{slug}/`: what is left of the API's first version, which wants the name and no `uuid`.
    pub(super) fn old_groups(&self, asked: &Asked, caller: &Caller, slug: &str) -> Result<Reply, Reply> {
        if slug.starts_with('{') {
            return Err(error(405, "Method not allowed").blamed("groups are found by the workspace's name only"));
        }
        let id = self.directory.workspace(slug).ok_or_else(|| absent("Workspace"))?;
        if let Some(status) = self.groups_status {
            return Err(if status == 410 { removed() } else { error(status, "No") });
        }
        if !self.is_in(caller, id, true) {
            return Err(error(403, "Forbidden"));
        }
        strict(&asked.query, &[], &[]).map_err(|why| error(400, &why).blamed(why.clone()))?;
        let groups = self.directory.workspaces[&id].groups.iter().map(|(slug, group)| {
            let member = |id: &u64| {
                let mut shown = person(&self.users[id]);
                if self.hides_uuids {
                    shown.as_object_mut().expect("somebody").remove("uuid");
                }
                shown
            };
            let members: Vec<Value> = group.members.iter().map(member).collect();
            json!({"name": slug.to_uppercase(), "slug": slug, "permission": null, "auto_add": false, "members": members})
        });
        Ok(Reply::json(200, &Value::from(groups.collect::<Vec<_>>())))
    }
}

/// Somebody as others see them.
pub(super) fn person(user: &User) -> Value {
    let mut shown = json!({
        "type": user.kind, "uuid": user.uuid, "account_id": user.account_id, "nickname": user.nickname,
        "display_name": user.display_name, "links": {},
    });
    if let Some(status) = user.status {
        shown["account_status"] = status.into();
    }
    shown
}
