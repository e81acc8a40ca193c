//! The API about repositories: where they are now, what is in them, and who was added.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::answers::{forbidden, list, message, not_found, parameters};
use super::directory::{Grant, Level, Organization, Repository, Visibility};
use super::shapes;
use super::tokens::Caller;
use super::{Site, User};
use crate::platforms::message::{Asked, Reply};

/// What is in a repository that has no Git repository here.
const MANIFEST: &[u8] = b"{\"name\": \"example/package\"}\n";

impl Site {
    /// The repository at a path, where it is now.
    pub fn repository_at(&self, owner: &str, name: &str) -> Option<&Repository> {
        let path = format!("{owner}/{name}");
        self.directory.repositories.values().find(|one| self.path_of(one).eq_ignore_ascii_case(&path))
    }

    /// What stands below `/repos/{owner}/{name}`.
    pub(super) fn of_path(&self, asked: &Asked, owner: &str, name: &str, rest: &[&str]) -> Result<Reply, Reply> {
        let caller = self.caller(asked)?;
        if let Some(found) = self.repository_at(owner, name) {
            return self.of_repository(asked, &caller, found, rest);
        }
        let moved = self.directory.moved.get(&format!("{owner}/{name}").to_ascii_lowercase());
        let moved = moved.and_then(|id| self.directory.repositories.get(id));
        let moved = moved.filter(|repository| self.shows(&caller, repository)).ok_or_else(not_found)?;
        let mut to = format!("{}/repositories/{}", self.places(asked).api, moved.id);
        for part in rest {
            to = format!("{to}/{part}");
        }
        if !asked.query.is_empty() {
            let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&asked.query).finish();
            to = format!("{to}?{query}");
        }
        let body =
            json!({"message": "Moved Permanently", "url": to, "documentation_url": "https://docs.github.com/rest"});
        let status = if asked.method == "GET" { 301 } else { 307 };
        Ok(Reply::json(status, &body).with("location", &to))
    }

    /// What stands below a repository's address, by its path or its number.
    pub(super) fn of_repository(
        &self,
        asked: &Asked,
        caller: &Caller,
        repository: &Repository,
        rest: &[&str],
    ) -> Result<Reply, Reply> {
        if !self.shows(caller, repository) {
            return Err(not_found());
        }
        if repository.disabled && !rest.is_empty() {
            let block = json!({"reason": "tos", "created_at": "2020-01-01T00:00:00Z", "html_url": null});
            return Err(Reply::json(403, &json!({"message": "Repository access blocked", "block": block})));
        }
        match rest {
            [] => {
                parameters(asked, &[])?;
                Ok(Reply::json(200, &self.whole(asked, caller, repository)))
            }
            ["contents", path @ ..] => self.contents(asked, caller, repository, &path.join("/")),
            ["collaborators"] => self.collaborators(asked, caller, repository),
            ["collaborators", login, "permission"] => self.permission(asked, caller, repository, login),
            ["teams"] => self.teams_with(asked, caller, repository),
            _ => Err(not_found().blamed("there is no such address")),
        }
    }

    fn own_grant(&self, caller: &Caller, repository: &Repository) -> Grant {
        let own = caller.user().and_then(|user| self.directory.right(user, repository));
        own.unwrap_or_else(|| self.level(caller, repository).into())
    }

    fn whole(&self, asked: &Asked, caller: &Caller, repository: &Repository) -> Value {
        let mut shown = self.repository_shown(&self.places(asked), repository, &self.own_grant(caller, repository));
        shown.insert("network_count".to_owned(), 0.into());
        shown.insert("subscribers_count".to_owned(), 0.into());
        shown.into()
    }

    /// `GET /orgs/{org}/repos`.
    pub(super) fn repositories_listed(
        &self,
        asked: &Asked,
        caller: &Caller,
        org: &Organization,
    ) -> Result<Reply, Reply> {
        let mut types = vec!["all", "public", "private", "forks", "sources", "member"];
        if !self.is_cloud() {
            types.push("internal");
        }
        let known: [(&str, &[&str]); 3] = [
            ("type", &types),
            ("sort", &["created", "updated", "pushed", "full_name"]),
            ("direction", &["asc", "desc"]),
        ];
        let (given, page) = list(asked, &known)?;
        let kind = given.get("type").copied().unwrap_or("all");
        let wanted = |one: &&Repository| match kind {
            "public" => one.visibility == Visibility::Public,
            "private" => one.visibility != Visibility::Public,
            "internal" => one.visibility == Visibility::Internal,
            "forks" => one.fork,
            "sources" => !one.fork,
            _ => true,
        };
        let found = self.directory.repositories_of(org.id).filter(|one| self.shows(caller, one)).filter(wanted);
        let mut found: Vec<&Repository> = found.collect();
        let sort = given.get("sort").copied().unwrap_or("created");
        match sort {
            "full_name" => found.sort_by_key(|one| one.name.to_ascii_lowercase()),
            "created" => found.sort_by_key(|one| (one.created_at, one.id)),
            _ => found.sort_by_key(|one| (one.pushed_at, one.id)),
        }
        let direction = given.get("direction").copied();
        if direction.unwrap_or(if sort == "full_name" { "asc" } else { "desc" }) == "desc" {
            found.reverse();
        }
        let at = self.places(asked);
        let shown = |one: &&Repository| self.repository_shown(&at, one, &self.own_grant(caller, one)).into();
        Ok(self.page(asked, page, &found, None, shown))
    }

    fn contents(&self, asked: &Asked, caller: &Caller, repository: &Repository, path: &str) -> Result<Reply, Reply> {
        parameters(asked, &[("ref", &[])])?;
        if !caller.has_permission("contents", "read") {
            caller.needs("repo", "contents", "read")?;
        }
        if repository.size == 0 {
            return Err(message(404, "This repository is empty."));
        }
        let content = match &repository.git {
            Some(folder) => {
                let name = format!("{}:{path}", repository.default_branch);
                let mut command = Command::new("git");
                command.args(["-c", "safe.directory=*", "cat-file", "blob", &name]).current_dir(folder);
                let output = command.output().expect("git is installed");
                output.status.success().then_some(output.stdout)
            }
            None => (path == "composer.json" && repository.manifest).then(|| MANIFEST.to_vec()),
        };
        let content = content.ok_or_else(not_found)?;
        let at = self.places(asked);
        let full = self.path_of(repository);
        let (url, web) = (format!("{}/repos/{full}/contents/{path}", at.api), format!("{}/{full}/blob/{path}", at.web));
        let body = json!({
            "type": "file", "encoding": "base64", "size": content.len(), "name": path, "path": path,
            "content": STANDARD.encode(&content), "sha": "3d21ec53a331a6f037a91c368710b99387d012c1", "url": url,
            "git_url": url, "html_url": web, "download_url": web,
            "_links": {"self": url, "git": url, "html": web},
        });
        Ok(Reply::json(200, &body))
    }

    fn everybody(&self, repository: &Repository) -> Vec<(&User, Grant)> {
        let all = self.users.values();
        all.filter_map(|person| Some((person, self.directory.right(person.id, repository)?))).collect()
    }

    fn collaborators(&self, asked: &Asked, caller: &Caller, repository: &Repository) -> Result<Reply, Reply> {
        let known: [(&str, &[&str]); 2] = [
            ("affiliation", &["outside", "direct", "all"]),
            ("permission", &["pull", "triage", "push", "maintain", "admin"]),
        ];
        let (given, page) = list(asked, &known)?;
        if caller.user().is_some() && self.level(caller, repository) < Level::Write {
            return Err(forbidden("Must have push access to view repository collaborators."));
        }
        let org = self.directory.orgs.get(&repository.owner);
        let is_member = |user: u64| org.is_some_and(|org| org.members.contains_key(&user));
        let added = |only_outside: bool| {
            let all = repository.collaborators.iter().filter(|(id, _)| !only_outside || !is_member(**id));
            let all = all.filter_map(|(id, grant)| Some((self.users.get(id)?, grant.clone())));
            all.collect::<Vec<_>>()
        };
        let mut found = match given.get("affiliation").copied().unwrap_or("all") {
            "outside" => added(true),
            "direct" => added(false),
            _ => self.everybody(repository),
        };
        let levels = [Level::Read, Level::Triage, Level::Write, Level::Maintain, Level::Admin];
        if let Some(least) =
            given.get("permission").and_then(|name| levels.iter().find(|one| one.permission() == *name))
        {
            found.retain(|(_, grant)| grant.level >= *least);
        }
        let at = self.places(asked);
        let shown = |(person, grant): &(&User, Grant)| shapes::collaborator(&at, person, grant).into();
        Ok(self.page(asked, page, &found, None, shown))
    }

    fn permission(&self, asked: &Asked, caller: &Caller, repository: &Repository, login: &str) -> Result<Reply, Reply> {
        parameters(asked, &[])?;
        if caller.user().is_some() && self.level(caller, repository) < Level::Write {
            return Err(forbidden("Must have push access to view collaborator permission."));
        }
        let person = self.user_named(login).ok_or_else(not_found)?;
        let grant = self.directory.right(person.id, repository).unwrap_or_else(|| Level::None.into());
        let word = match grant.level {
            Level::Triage => "read",
            Level::Maintain => "write",
            level => level.role(),
        };
        let at = self.places(asked);
        let shown = shapes::collaborator(&at, person, &grant);
        Ok(Reply::json(200, &json!({"permission": word, "role_name": grant.role, "user": shown})))
    }
}
