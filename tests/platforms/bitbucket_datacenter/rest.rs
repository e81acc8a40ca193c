//! The REST API about projects, repositories and permissions.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::api::error;
use super::credentials::{Caller, not_allowed};
use super::directory::{Level, Project, Repository, Rights};
use super::hooks::Place;
use super::{Site, User};
use crate::platforms::message::{Asked, Reply, strict};

/// The first version that archives.
const ARCHIVES: (u32, u32) = (8, 0);

type Answer = Result<Reply, Reply>;

impl Site {
    /// What stands below `/rest/api/1.0`, beside users.
    pub(super) fn rest(&mut self, asked: &Asked, path: &str) -> Reply {
        let decoded = |part: &str| percent_decode_str(part).decode_utf8().expect("UTF-8").into_owned();
        let parts: Vec<String> = path.split('/').map(decoded).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        if asked.method != "GET" && asked.header("x-atlassian-token") != Some("no-check") {
            return Reply::text(403, "XSRF check failed").blamed("X-Atlassian-Token is missing");
        }
        match parts.as_slice() {
            ["projects", key, "webhooks", rest @ ..] => self.hooks_of_project(asked, key, rest),
            ["projects", key, "repos", slug, "webhooks", rest @ ..] => self.hooks_of_repository(asked, key, slug, rest),
            _ if asked.method != "GET" => nowhere(),
            _ => self.answered(asked, |caller| self.told(asked, caller, &parts)),
        }
    }

    fn told(&self, asked: &Asked, caller: &Caller<'_>, parts: &[&str]) -> Answer {
        match parts {
            ["projects"] => {
                let shown = self.directory.projects.values();
                let shown = shown.filter(|one| one.owner.is_none() && self.shows_project(caller, one));
                self.page_of(asked, &[], shown.map(|one| self.project_shown(one)).collect())
            }
            ["projects", key] => Ok(Reply::json(200, &self.project_shown(self.project_for(caller, key)?))),
            ["projects", key, "repos"] => {
                let project = self.project_for(caller, key)?;
                // Who sees single repositories gets those.
                let own = self.directory.repositories.values().filter(|one| one.project == project.id);
                let own = own.filter(|one| self.shows(caller, one) && !one.archived);
                self.page_of(asked, &[], own.map(|one| self.repository_shown(one)).collect())
            }
            ["projects", key, "permissions", rest @ ..] => {
                let project = self.project_for(caller, key)?;
                if self.level_in(caller, project) != Some(Level::Admin) {
                    return Err(not_allowed());
                }
                match rest {
                    [permission, "all"] => self.default_told(asked, project, permission),
                    [kind] => self.rights_told(asked, &project.rights, "PROJECT", kind),
                    _ => Err(nowhere()),
                }
            }
            ["projects", key, "repos", slug, rest @ ..] => {
                let repository = self.repository_for(asked, caller, key, slug, rest)?;
                self.of_repository(asked, caller, repository, rest)
            }
            ["repos"] => self.repositories_told(asked, caller),
            ["admin", "groups", "more-members"] => self.group_told(asked, caller),
            _ => Err(nowhere()),
        }
    }

    /// A project that somebody sees.
    pub(super) fn project_for(&self, caller: &Caller<'_>, key: &str) -> Result<&Project, Reply> {
        let found = self.directory.project(key).ok_or_else(|| {
            let said = format!("Project {key} does not exist.");
            error(404, "com.atlassian.bitbucket.project.NoSuchProjectException", &said)
        })?;
        if self.shows_project(caller, found) { Ok(found) } else { Err(not_allowed()) }
    }

    /// A repository that somebody sees; a name that it had leads to the one that it has.
    pub(super) fn repository_for(
        &self,
        asked: &Asked,
        caller: &Caller<'_>,
        key: &str,
        slug: &str,
        rest: &[&str],
    ) -> Result<&Repository, Reply> {
        let moved = || self.directory.moved.get(&format!("{key}/{slug}").to_lowercase());
        if let Some(found) = self.directory.repository(key, slug) {
            return if self.shows(caller, found) { Ok(found) } else { Err(not_allowed()) };
        }
        let moved = moved().and_then(|id| self.directory.repositories.get(id)).filter(|one| self.shows(caller, one));
        let Some(moved) = moved else {
            let said = format!("Repository {key}/{slug} does not exist.");
            return Err(error(404, "com.atlassian.bitbucket.repository.NoSuchRepositoryException", &said));
        };
        let key = &self.directory.projects[&moved.project].key;
        let mut to = format!("{}/rest/api/1.0/projects/{key}/repos/{}", self.base, moved.slug);
        rest.iter().for_each(|part| to.push_str(&format!("/{part}")));
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&asked.query).finish();
        Err(Reply { status: 301, ..Reply::redirect(&format!("{to}?{query}")) })
    }

    fn of_repository(&self, asked: &Asked, caller: &Caller<'_>, one: &Repository, rest: &[&str]) -> Answer {
        match rest {
            [] => Ok(Reply::json(200, &self.repository_shown(one))),
            ["default-branch"] if self.version() < (7, 5) => Err(nowhere_said()),
            ["default-branch"] => Ok(Reply::json(200, &branch(one))),
            ["branches", "default"] if one.empty => Ok(Reply::empty(204)),
            ["branches", "default"] => Ok(Reply::json(200, &branch(one))),
            ["browse", path @ ..] => self.browse(asked, one, &path.join("/")),
            ["permissions", kind] if self.level(caller, one) == Some(Level::Admin) => {
                self.rights_told(asked, &one.rights, "REPO", kind)
            }
            ["permissions", _] => Err(not_allowed()),
            _ => Err(nowhere()),
        }
    }

    fn browse(&self, asked: &Asked, one: &Repository, path: &str) -> Answer {
        let given = strict(&asked.query, &["type"], &["at"]).map_err(|why| bad(&why))?;
        let at = given.get("at").copied().unwrap_or_default();
        if !at.is_empty() && !at.starts_with("refs/") {
            return Err(bad("a short name of a ref may be another's"));
        }
        if one.empty || at.strip_prefix("refs/heads/").is_some_and(|name| name != one.branch) {
            let said = format!("Commit '{at}' does not exist in repository '{}'.", one.slug);
            return Err(error(404, "com.atlassian.bitbucket.commit.NoSuchCommitException", &said));
        }
        match one.manifest.filter(|_| path == "composer.json") {
            Some(kind) => Ok(Reply::json(200, &json!({"type": kind}))),
            None => {
                let said = format!("The path \"{path}\" does not exist at revision \"{at}\"");
                Err(error(404, "com.atlassian.bitbucket.content.NoSuchPathException", &said))
            }
        }
    }

    fn default_told(&self, asked: &Asked, project: &Project, permission: &str) -> Answer {
        strict(&asked.query, &[], &[]).map_err(|why| bad(&why))?;
        let wanted = Level::parse(permission, "PROJECT").ok_or_else(|| bad("no permission of projects"))?;
        Ok(Reply::json(200, &json!({"permitted": project.default == Some(wanted)})))
    }

    fn rights_told(&self, asked: &Asked, rights: &Rights, of: &str, kind: &str) -> Answer {
        let filter = asked.query.iter().find(|(name, _)| name == "filter").map(|(_, text)| text.to_lowercase());
        let fits = |name: &str| filter.as_ref().is_none_or(|filter| name.to_lowercase().contains(filter));
        let values: Vec<Value> = match kind {
            "users" => {
                let users = rights.users.iter().map(|(id, level)| (&self.users[id], level));
                let users = users.filter(|(user, _)| fits(&user.name));
                users
                    .map(|(user, level)| json!({"user": user.profile(&self.base), "permission": level.word(of)}))
                    .collect()
            }
            "groups" => {
                let groups = rights.groups.iter().filter(|(name, _)| fits(name));
                groups.map(|(name, level)| json!({"group": {"name": name}, "permission": level.word(of)})).collect()
            }
            _ => return Err(nowhere()),
        };
        self.page_of(asked, &["filter"], values)
    }

    /// `GET /repos`: nothing that is archived, unless somebody asks for it.
    fn repositories_told(&self, asked: &Asked, caller: &Caller<'_>) -> Answer {
        let given = |wanted: &str| asked.query.iter().find(|(name, _)| name == wanted).map(|(_, text)| text.as_str());
        if self.version() < ARCHIVES && given("archived").is_some() {
            return Err(bad("this version does not archive"));
        }
        let archived = given("archived").unwrap_or("ACTIVE");
        let key = given("projectkey");
        let own = self.directory.repositories.values().filter(|one| {
            let project = &self.directory.projects[&one.project];
            self.shows(caller, one)
                && key.is_none_or(|key| project.key.eq_ignore_ascii_case(key))
                && (archived == "ALL" || one.archived == (archived == "ARCHIVED"))
        });
        self.page_of(
            asked,
            &["projectkey", "archived", "permission"],
            own.map(|one| self.repository_shown(one)).collect(),
        )
    }

    /// Who is in a group, for everybody with a licence.
    fn group_told(&self, asked: &Asked, caller: &Caller<'_>) -> Answer {
        if !caller.user.licensed {
            return Err(not_allowed());
        }
        let given = |wanted: &str| asked.query.iter().find(|(name, _)| name == wanted).map(|(_, text)| text.clone());
        let name = given("context").ok_or_else(|| bad("which group?"))?;
        let filter = given("filter").unwrap_or_default().to_lowercase();
        let group = self.directory.groups.iter().find(|(one, _)| one.eq_ignore_ascii_case(&name));
        let people = group.into_iter().flat_map(|(_, people)| people).map(|id| &self.users[id]);
        let people = people.filter(|user| user.name.to_lowercase().contains(&filter));
        self.page_of(asked, &["context", "filter"], people.map(|user| user.profile(&self.base)).collect())
    }

    /// Whether `/users` is asked for whom; None: for all.
    pub(super) fn chosen(&self, given: &BTreeMap<&str, &str>) -> Result<impl Fn(&User) -> bool, Reply> {
        let group = given.get("group").map(|name| {
            let group = self.directory.groups.iter().find(|(one, _)| one.eq_ignore_ascii_case(name));
            group.map(|(_, people)| people.clone()).unwrap_or_default()
        });
        let permission = given.get("permission").copied().map(str::to_owned);
        let slug = given.get("permission.repositorySlug").copied().unwrap_or_default();
        let repository = match permission.as_deref() {
            Some("REPO_READ") => {
                let key = given.get("permission.projectKey").copied().unwrap_or_default();
                Some(self.directory.repository(key, slug).cloned().ok_or_else(|| {
                    let said = format!("Repository {key}/{slug} does not exist.");
                    error(400, "com.atlassian.bitbucket.validation.ArgumentValidationException", &said)
                })?)
            }
            None | Some("LICENSED_USER" | "ADMIN") => None,
            Some(_) => {
                let kind = "com.atlassian.bitbucket.validation.ArgumentValidationException";
                return Err(error(400, kind, "The permission is not known"));
            }
        };
        Ok(move |user: &User| {
            let in_group = group.as_ref().is_none_or(|people| people.contains(&user.id));
            let is_licensed = permission.is_none() || (user.licensed && user.active);
            let is_admin = permission.as_deref() != Some("ADMIN") || user.admin;
            let reads =
                repository.as_ref().is_none_or(|one| self.directory.level(user.id, user.licensed, one).is_some());
            in_group && is_licensed && is_admin && (reads || user.admin)
        })
    }

    /// A page of values, of the size that the server allows and not that which was wished for.
    pub(super) fn page_of(&self, asked: &Asked, known: &[&str], all: Vec<Value>) -> Answer {
        let known: Vec<&str> = known.iter().copied().chain(["start", "limit"]).collect();
        let given = strict(&asked.query, &[], &known).map_err(|why| bad(&why))?;
        let number = |name: &str, usual: usize| given.get(name).map_or(Some(usual), |text| text.parse::<usize>().ok());
        let (Some(start), Some(limit)) = (number("start", 0), number("limit", 25)) else {
            return Err(bad("no number"));
        };
        let limit = limit.min(self.page_limit);
        // Starts are places and no counts: what somebody may not see leaves gaps.
        let at = start / self.page_gap;
        let values: Vec<&Value> = all.iter().skip(at).take(limit).collect();
        let next = at + values.len();
        let is_last = next >= all.len();
        let body = json!({
            "size": values.len(), "limit": limit, "isLastPage": is_last, "values": values, "start": start,
            "nextPageStart": (!is_last).then_some(next * self.page_gap),
        });
        Ok(Reply::json(200, &body))
    }

    /// A project as it is told of.
    pub(super) fn project_shown(&self, project: &Project) -> Value {
        let mut shown = json!({
            "key": project.key, "id": project.id, "name": project.key, "public": project.public,
            "type": if project.owner.is_some() { "PERSONAL" } else { "NORMAL" },
            "links": {"self": [{"href": format!("{}/projects/{}", self.base, project.key)}]},
        });
        if let Some(owner) = project.owner {
            shown["owner"] = self.users[&owner].profile(&self.base);
        }
        shown
    }

    /// A repository as it is told of.
    pub(super) fn repository_shown(&self, one: &Repository) -> Value {
        let project = &self.directory.projects[&one.project];
        let http = format!("{}/scm/{}/{}.git", self.base, project.key.to_lowercase(), one.slug);
        let ssh = self.ssh.as_deref().unwrap_or("ssh://git@localhost:7999");
        let mut shown = json!({
            "slug": one.slug, "id": one.id, "name": one.slug, "hierarchyId": "e3c939f9ef4a7fae272e", "scmId": "git",
            "state": one.state, "statusMessage": "Available", "forkable": true, "public": one.public,
            "project": self.project_shown(project),
            "links": {
                "clone": [
                    {"href": http, "name": "http"},
                    {"href": format!("{ssh}/{}/{}.git", project.key, one.slug), "name": "ssh"},
                ],
                "self": [{"href": format!("{}/projects/{}/repos/{}/browse", self.base, project.key, one.slug)}],
            },
        });
        if self.version() >= ARCHIVES {
            shown["archived"] = json!(one.archived);
        }
        if let Some(origin) = one.origin {
            shown["origin"] = json!({"id": origin, "slug": "origin"});
        }
        shown
    }

    /// The place of hooks of somebody who administers it.
    pub(super) fn administered(&self, caller: &Caller<'_>, place: Place) -> Result<(), Reply> {
        let level = match place {
            Place::Project(id) => self.level_in(caller, &self.directory.projects[&id]),
            Place::Repository(id) => self.level(caller, &self.directory.repositories[&id]),
        };
        if level == Some(Level::Admin) { Ok(()) } else { Err(not_allowed()) }
    }
}

fn branch(one: &Repository) -> Value {
    json!({"id": format!("refs/heads/{}", one.branch), "displayId": one.branch, "type": "BRANCH"})
}

/// What no correct client asks.
pub(super) fn bad(why: &str) -> Reply {
    error(400, "com.atlassian.bitbucket.validation.ArgumentValidationException", why).blamed(why)
}

pub(super) fn nowhere() -> Reply {
    nowhere_said().blamed("there is no such address")
}

/// What a version says to what came later.
pub(super) fn nowhere_said() -> Reply {
    Reply::json(404, &json!({"message": "null for uri: not found", "status-code": 404}))
}
